"""Beats and drums of a file that is heard in advance: right from its beginning, told in time, and none where there are none."""

import time
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from test_audio_features import RATE, clicks, rock

from vj.audio.ahead import BeatGrid, DrumGrid, Foresight, Known, follow, look_ahead
from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor
from vj.audio.hear import hear, listen
from vj.audio.hindsight import Strokes
from vj.audio.onsets import Onset
from vj.errors import SoundError

NO_BEATS = (np.zeros(0), np.zeros(0, int), np.zeros(0))


@pytest.fixture
def song(tmp_path):
    path = tmp_path / "song.wav"
    soundfile.write(path, np.concatenate([rock(8.0, 100), rock(8.0, 130)]).astype(np.float32), RATE)
    return path


def test_beats_are_right_from_the_first_and_after_a_change_of_tempo(song):
    times = look_ahead(song, weights=None).times
    want = np.concatenate([np.arange(0, 8, 0.6), 8 + np.arange(0, 8, 60 / 130)])
    found = [min(abs(times - t)) < 0.05 for t in want]
    assert all(found[1:11]) and all(found[-10:])  # of 14 and of 18: around the change some may be amiss
    assert len(times) <= len(want) + 3


def test_what_lies_beyond_what_is_of_interest_is_not_heard(song):
    whole, part = look_ahead(song, weights=None).times, look_ahead(song, weights=None, seconds=7.0).times
    assert whole[-1] > 14 and len(part) > 5 and part[-1] < 7.5


def test_no_beats_are_known_of_noise(tmp_path):
    path = tmp_path / "noise.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).normal(size=6 * RATE), RATE)
    assert len(look_ahead(path, weights=None).times) == 0


def test_a_missing_file_is_told():
    with pytest.raises(SoundError, match="nowhere"):
        look_ahead("nowhere.wav", weights=None)


def test_a_grid_tells_each_beat_once_just_ahead_of_it():
    known = Known(np.arange(1.0, 5.0, 0.5), np.tile([1, 2, 3, 4], 2), np.full(8, 0.9))
    extractor = FeatureExtractor(weights=None)
    extractor.follow(BeatGrid(known))
    silence = np.zeros(480, np.float32)
    trail = [extractor.feed(silence) for _ in range(600)]
    beats = [e for e in extractor.events() if isinstance(e, Beat)]
    assert [b.time for b in beats] == known.times.tolist() and [b.position for b in beats] == known.positions.tolist()
    assert all(0 <= b.time - b.told < 0.035 for b in beats)
    at = trail[224]  # 2.25 s
    assert at.tempo == 120 and at.next_beat == 2.5 and at.beat_phase == pytest.approx(0.5, abs=0.03)
    assert trail[-1].tempo == 0 and trail[-1].next_beat == 0
    extractor.follow(None)
    extractor.feed(clicks(120, 6.0))
    assert extractor.features.tempo == pytest.approx(120, abs=1)


def test_hearing_ahead_prints_what_is_known(song):
    lines = [line.split() for line in hear(song, ahead=True)]
    beats = [float(line[0]) for line in lines if line[0] != "O"]
    assert min(beats) < 1.3 and any(line[0] == "O" for line in lines)


def test_a_grid_goes_round_with_a_file_that_loops():
    known = Known(np.arange(0.0, 4.0, 0.5), np.tile([1, 2, 3, 4], 2), np.full(8, 0.9), seconds=4.0)
    grid, told, phases = BeatGrid(known, loop=True), [], []
    for hop in range(230, 1400):  # it begins in mid-file
        beat = grid.follow(hop * 0.01)
        told += [] if beat is None else [beat]
        phases.append(abs(((grid.phase + hop * 0.01 / -0.5) + 0.5) % 1 - 0.5))
    assert [b.time for b in told] == pytest.approx(np.arange(2.5, 14.01, 0.5))
    assert [b.position for b in told] == [(k + 1) % 4 + 1 for k in range(len(told))]
    assert max(phases) < 0.03 and grid.tempo == pytest.approx(120)


def test_what_was_not_listened_to_is_heard_as_if_live():
    known = Known(np.arange(0.0, 4.0, 0.6), np.zeros(7, int), np.full(7, 0.9), seconds=60.0, heard=4.0)
    extractor = FeatureExtractor(weights=None)
    extractor.follow(BeatGrid(known, loop=True))
    sound = clicks(120, 12.0)
    assert extractor.feed(sound[: 3 * RATE]).tempo == pytest.approx(100)
    assert extractor.feed(sound[3 * RATE :]).tempo == pytest.approx(120, abs=1)


def test_a_hand_ends_what_was_known():
    known = Known(np.arange(0.0, 60.0, 0.5), np.zeros(120, int), np.full(120, 0.9))
    extractor = FeatureExtractor(weights=None)
    extractor.follow(BeatGrid(known))
    assert extractor.feed(np.zeros(480 * 100, np.float32)).tempo == 120
    extractor.nudge(0.02)
    assert extractor.feed(np.zeros(480 * 100, np.float32)).tempo == 0
    extractor.follow(BeatGrid(known))  # as of a file that was still being heard when the hand spoke
    assert extractor.feed(np.zeros(480 * 100, np.float32)).tempo == 0


def test_a_file_is_heard_ahead_in_a_process_of_its_own(song):
    extractor = FeatureExtractor(weights=None)
    with Foresight(extractor, song) as foresight:
        until = time.monotonic() + 60
        while extractor._grid is None and time.monotonic() < until:
            time.sleep(0.05)
        extractor.feed(np.zeros(480 * 300, np.float32))  # the file says so, not the sound
        assert extractor.features.tempo == pytest.approx(100, abs=1)
    assert not foresight._process.is_alive()


def test_a_file_that_cannot_be_heard_ahead_is_heard_live(tmp_path):
    with Foresight(FeatureExtractor(weights=None), tmp_path / "gone.wav") as foresight:
        foresight._process.join(60)
        foresight._thread.join(5)
        assert foresight._ear._grid is None


def test_known_drums_are_told_in_the_hop_in_which_they_sound():
    strokes = Strokes(np.array([0.0, 0.505, 0.505, 1.2]), np.array([0, 0, 2, 1]), np.array([1.0, 0.9, 0.4, 0.8]))
    known = Known(*NO_BEATS, seconds=2.0, drums=strokes)
    grid, told, due = DrumGrid(known, loop=True), [], []
    for hop in range(30, 500):  # it begins in mid-file
        told += grid.follow(hop * 0.01)
        due.append(grid.due)
    assert due[0] == (0.505, 1.2, 0.505) and due[100] == (2.0, 3.2, 2.505)
    assert all(due[hop - 30][1] > hop * 0.01 for hop in range(30, 500)) and {d[1] for d in due} == {1.2, 3.2, 5.2}
    assert [o.time for o in told] == pytest.approx([0.505, 0.505, 1.2, 2.0, 2.505, 2.505, 3.2, 4.0, 4.505, 4.505])
    assert [o.kind for o in told[:4]] == ["KD", "HH", "SD", "KD"] and told[1].strength == 0.4
    assert all(0 <= o.time - o.told <= 0.0101 for o in told)
    faint = DrumGrid(replace(known, drums=Strokes(strokes.times, strokes.kinds, np.array([1.0, 0.1, 0.4, 0.8]))))
    faint.follow(0.1)
    assert faint.due == (0.0, 1.2, 0.505)  # what may be none is not awaited
    once = DrumGrid(known)
    once.follow(0.6)
    assert once.due == (0.0, 1.2, 0.0)  # no kick comes any more
    once.follow(1.3)
    assert once.due == (0.0, 0.0, 0.0)
    once = DrumGrid(known)
    assert len([o for hop in range(500) for o in once.follow(hop * 0.01)]) == 4
    assert DrumGrid(Known(*NO_BEATS, drums=Strokes(np.zeros(0), np.zeros(0, int), np.zeros(0)))).follow(1.0) == []


def test_features_come_from_known_drums_until_nothing_is_known_or_the_sound_is_another():
    known = Known(*NO_BEATS, seconds=60.0, heard=3.0, drums=Strokes(np.arange(0.5, 60), np.arange(60) % 3, np.full(60, 0.7)))
    for change, least in ((lambda ear: ear.nudge(0.01), 2), (lambda ear: ear.leave(), 1)):
        ear, silence = FeatureExtractor(weights=None), np.zeros(RATE, np.float32)
        follow(ear, known, loop=True)
        at = ear.feed(silence[: RATE // 2])
        assert (at.kicks, at.snares) == (1, 0) and 0.55 < at.kick <= 0.7
        assert (at.next_kick, at.next_snare, at.next_hat) == (3.5, 1.5, 2.5)
        change(ear)  # a hand on the beat leaves the drums as they are
        at = ear.feed(silence)
        assert at.kicks + at.snares + at.hats == least
        for _ in range(5):
            at = ear.feed(silence)
        assert at.kicks + at.snares + at.hats == (3 if least == 2 else 1)
        assert at.next_kick == at.next_snare == at.next_hat == 0
    ear = FeatureExtractor(weights=None)
    follow(ear, known)
    assert isinstance(ear._grid, BeatGrid)  # nor are beats told of a film's music where none are known
    follow(ear, known, loop=True)
    assert ear._grid is None


def test_a_bands_drums_are_known(tmp_path):
    path, beat = tmp_path / "band.wav", 0.5
    soundfile.write(path, np.concatenate([np.zeros(RATE), rock(8.0, 60 / beat)]), RATE)
    known = look_ahead(path)
    beats = 1 + beat * np.arange(16)
    for kind, true in enumerate((beats[::2], beats[1::2], 1 + beat / 2 * np.arange(32))):
        found = known.drums.times[known.drums.kinds == kind]
        hits = sum(abs(found - t).min(initial=9) < 0.03 for t in true)
        assert 2 * hits / (len(found) + len(true)) > 0.9, kind
    told = [event.time for _, events in listen(path, known) for event in events if isinstance(event, Onset)]
    assert told == pytest.approx(known.drums.times.tolist())
