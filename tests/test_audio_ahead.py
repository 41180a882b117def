"""Beats of a file that is heard in advance: right from its beginning, told in time, and none where there are none."""

import numpy as np
import pytest
import soundfile
from test_audio_features import RATE, clicks, rock

from vj.audio.ahead import BeatGrid, Known, look_ahead
from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor
from vj.audio.hear import hear
from vj.errors import SoundError


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
