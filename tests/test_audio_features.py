"""The ear without its network on synthetic sound: what it must say of clicks, noise, silence, drums, broken samples."""

from dataclasses import asdict

import numpy as np
import pytest

from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor
from vj.audio.onsets import Onset
from vj.signals import AudioFeatures

RATE = 48000


def seconds(s):
    return np.arange(round(s * RATE)) / RATE


def clicks(bpm, length=10.0):
    t = seconds(length)
    return 0.5 * np.sin(2 * np.pi * 1000 * t) * np.exp(-((t - 0.3) % (60 / bpm)) / 0.01) * (t > 0.3)


def kick(rng):
    t = seconds(0.3)
    return 0.9 * np.sin(2 * np.pi * (48 * t + 3.5 * (1 - np.exp(-t / 0.03)))) * np.exp(-t / 0.12)


def snare(rng):
    t = seconds(0.25)
    body = np.sin(2 * np.pi * 190 * t) * np.exp(-t / 0.05)
    return 0.5 * body + 0.35 * rng.normal(size=len(t)) * np.exp(-t / 0.08)


def hat(rng):
    t = seconds(0.1)
    return 0.2 * np.diff(rng.normal(size=len(t) + 2), 2) * np.exp(-t / 0.025)


def placed(sounds, length):
    """[(time, samples)] -> one signal."""
    y = np.zeros(round(length * RATE))
    for time, sound in sounds:
        at = round(time * RATE)
        y[at : at + len(sound)] += sound[: len(y) - at]
    return y


def rock(length=12.0, bpm=120, seed=0):
    """Kick on 1 and 3, snare on 2 and 4, hats on all eighths, over a bass and a chord."""
    rng, beat, t = np.random.default_rng(seed), 60 / bpm, seconds(length)
    strokes = []
    for k in range(int(length / beat * 2) - 1):
        strokes.append((k * beat / 2, 0.4 * hat(rng)))
        if k % 2 == 0:
            strokes.append((k * beat / 2, kick(rng) if k % 4 == 0 else snare(rng)))
    chord = sum(np.sin(2 * np.pi * f * t) for f in (220, 277, 330)) * (0.6 + 0.4 * np.cos(np.pi * t / (2 * beat)))
    return 0.4 * placed(strokes, length) + 0.02 * chord


def hear(samples, block=4800):
    extractor = FeatureExtractor(weights=None)
    trail = [extractor.feed(samples[k : k + block]) for k in range(0, len(samples), block)]
    return trail, extractor.events()


@pytest.mark.parametrize("bpm", [60, 92, 110, 128, 150, 174])
def test_a_click_gives_its_tempo_and_its_beats(bpm):
    trail, events = hear(clicks(bpm, 12.0))
    assert trail[-1].tempo == pytest.approx(bpm, abs=1)
    beats = [e for e in events if isinstance(e, Beat) and e.time > 6]
    off = [abs((b.time - 0.3 + 30 / bpm) % (60 / bpm) - 30 / bpm) for b in beats]
    assert np.median(off) < 0.025
    assert len(beats) == pytest.approx(6 * bpm / 60, abs=2)
    assert all(abs(b.told - b.time) < 0.06 for b in beats)


def test_the_next_beat_is_foretold():
    extractor, sound, told = FeatureExtractor(weights=None), clicks(120, 12.0), []
    for k in range(0, len(sound), 480):
        features = extractor.feed(sound[k : k + 480])
        if features.time > 8:
            assert features.next_beat > features.time
            told.append(abs((features.next_beat - 0.3 + 0.25) % 0.5 - 0.25))
            ahead = (features.next_beat - features.time) * 2  # beats
            assert abs((features.beat_phase + ahead + 0.5) % 1 - 0.5) < 0.05
    assert np.median(told) < 0.02


@pytest.mark.parametrize("block", [1, 137, 512, 10**9])
def test_blocks_make_no_difference(block):
    sound = rock(2.5).astype(np.float32)
    whole, parts = FeatureExtractor(weights=None), FeatureExtractor(weights=None)
    for k in range(0, len(sound), 480):
        whole.feed(sound[k : k + 480])
    for k in range(0, len(sound), block):
        parts.feed(sound[k : k + block])
    assert asdict(parts.features) == asdict(whole.features)
    assert parts.events() == whole.events()
    assert whole.features.time == pytest.approx(2.5)


@pytest.mark.parametrize("shift", [-20, -40, -50])
def test_gain_makes_little_difference(shift):
    loud, soft = rock(8.0), rock(8.0) * 10 ** (shift / 20)
    (a, one), (b, two) = hear(loud), hear(soft)
    for name in ("loudness", "low", "low_mid", "high_mid", "high"):
        x = np.array([getattr(f, name) for f in a[30:]])
        y = np.array([getattr(f, name) for f in b[30:]])
        assert np.median(np.abs(x - y)) < 0.1 * np.median(x), name
    assert b[-1].tempo == pytest.approx(a[-1].tempo, abs=1)
    count = [sum(isinstance(e, Onset) and e.time > 3 for e in events) for events in (one, two)]
    assert count[1] == pytest.approx(count[0], rel=0.1)


def test_a_mixer_turned_down_is_soon_as_loud_as_before():
    sound = np.concatenate([rock(8.0), 10 ** (-30 / 20) * rock(8.0)])
    trail, _ = hear(sound)
    assert np.mean([f.loudness for f in trail[60:80]]) == pytest.approx(1.0, abs=0.3)
    assert np.mean([f.loudness for f in trail[140:]]) == pytest.approx(1.0, abs=0.4)


def quiet_room(rng, t):
    return 10 ** (-52 / 20) * rng.normal(size=len(t))


def humming_mixer(rng, t):
    hum = sum(np.sin(2 * np.pi * 50 * k * t) / k for k in (1, 2, 3, 5))
    return 10 ** (-48 / 20) * hum + 10 ** (-70 / 20) * rng.normal(size=len(t))


def rumbling_room(rng, t):
    spectrum = np.fft.rfft(rng.normal(size=len(t))) / np.maximum(np.fft.rfftfreq(len(t), 1 / RATE), 40)
    noise = np.fft.irfft(spectrum, len(t))
    return 10 ** (-50 / 20) * noise / noise.std()


@pytest.mark.parametrize("room", [quiet_room, humming_mixer, rumbling_room])
def test_a_quiet_room_is_rest(room):
    trail, events = hear(room(np.random.default_rng(3), seconds(10.0)))
    for features in trail[35:]:
        assert features.loudness == features.low == features.high == features.kick == features.tempo == 0
    assert not [e for e in events if e.told > 3]


def test_soft_music_is_not_mistaken_for_a_room():
    trail, events = hear(10 ** (-45 / 20) * rock(8.0))
    assert max(f.loudness for f in trail[-20:]) > 0.7
    assert [e for e in events if isinstance(e, Beat)]


def test_music_that_ends_leaves_rest():
    trail, events = hear(np.concatenate([rock(8.0), np.zeros(6 * RATE)]))
    last = trail[-1]
    assert (last.loudness, last.low, last.kick, last.snare, last.hat, last.tempo, last.beat_phase) == (0,) * 7
    assert not [e for e in events if e.told > 12]


BROKEN = {
    "silence": np.zeros(RATE),
    "dc": np.full(RATE, 0.7),
    "nan": np.full(RATE, np.nan),
    "infinite": np.full(RATE, np.inf),
    "square": np.sign(np.sin(2 * np.pi * 100 * seconds(1.0))),
    "far too loud": 1e20 * rock(1.0),
    "tiny": 1e-30 * rock(1.0),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_samples_never_become_nan(name):
    extractor = FeatureExtractor(weights=None)
    for sound in (BROKEN[name], rock(2.0), BROKEN[name], rock(8.0)):
        trail = [extractor.feed(sound[k : k + 4800]) for k in range(0, len(sound), 4800)]
        assert all(np.isfinite(np.hstack(list(asdict(features).values()))).all() for features in trail)
    assert max(f.loudness for f in trail[-10:]) > 0.2  # it hears music again


def test_silence_and_dc_are_rest():
    for name in ("silence", "dc", "nan"):
        trail, events = hear(np.tile(BROKEN[name], 3))
        rest, last = asdict(AudioFeatures(time=trail[-1].time, level_db=trail[-1].level_db)), asdict(trail[-1])
        for name in ("low", "low_mid", "high_mid", "high"):
            assert last.pop(f"{name}_clock") < 0.5
        assert last == {**{name: rest[name] for name in last}, "intensity": pytest.approx(0, abs=0.1)}
        assert not events


def test_clipping_is_told_and_forgotten():
    trail, _ = hear(np.concatenate([3 * clicks(120, 2.0), 0.5 * clicks(120, 2.0)]))
    assert trail[19].clipped and not trail[-1].clipped


@pytest.mark.parametrize(("stroke", "kind"), [(kick, "KD"), (snare, "SD"), (hat, "HH")])
def test_a_drum_alone_is_told_by_its_class(stroke, kind):
    rng, times = np.random.default_rng(1), np.arange(1.0, 9.0, 0.5)
    _, events = hear(placed([(t, stroke(rng)) for t in times], 9.5))
    onsets = [e for e in events if isinstance(e, Onset)]
    right = [min(abs(e.time - times)) < 0.03 for e in onsets if e.kind == kind]
    assert sum(right) >= 15 and all(right)
    assert np.median([e.told - times[np.argmin(abs(e.time - times))] for e in onsets]) < 0.021
    others = [e for e in onsets if e.kind != kind and not (kind == "SD" and e.kind == "HH")]
    assert len(others) <= 2  # a snare has a hat's noise in it


def test_drums_in_a_band_are_told_by_their_class():
    _, events = hear(rock(12.0))
    heard = {k: [e.time for e in events if isinstance(e, Onset) and e.kind == k and 2 < e.time < 11] for k in ("KD", "SD", "HH")}
    for kind, first, every in (("KD", 0.0, 1.0), ("SD", 0.5, 1.0), ("HH", 0.0, 0.25)):
        off = np.array([abs((t - first + every / 2) % every - every / 2) for t in heard[kind]])
        hit = (off < 0.04).sum()
        assert hit > 0.8 * 9 / every and hit > 0.8 * len(off), (kind, heard[kind])


def test_a_kick_under_a_snare_is_told_too():
    """Four on the floor: the snare on two and four must not hide the kick."""
    rng = np.random.default_rng(4)
    strokes = [(k * 0.5, kick(rng)) for k in range(20)]
    strokes += [(k * 0.5, 0.6 * snare(rng)) for k in range(1, 20, 2)]
    _, events = hear(0.5 * placed(strokes, 10.5))
    kicks = [e.time for e in events if isinstance(e, Onset) and e.kind == "KD" and e.time > 0.8]
    assert sum(abs((t + 0.25) % 0.5 - 0.25) < 0.03 for t in kicks) >= 16


def test_counters_and_flashes_agree_with_the_events():
    trail, events = hear(rock(6.0), block=480)
    for kind, count, flash in (("KD", "kicks", "kick"), ("SD", "snares", "snare"), ("HH", "hats", "hat")):
        assert getattr(trail[-1], count) == sum(isinstance(e, Onset) and e.kind == kind for e in events)
        values = [getattr(f, flash) for f in trail]
        assert 0.3 <= max(values) <= 1
    assert trail[-1].beats == sum(isinstance(e, Beat) for e in events)


def test_a_flash_is_gone_in_three_tenths_of_a_second():
    trail, _ = hear(placed([(1.0, kick(None))], 2.0), block=480)
    assert max(f.kick for f in trail) > 0.5 and trail[135].kick < 0.03 and trail[199].kick == 0


def test_no_beats_without_a_pulse():
    rng, t = np.random.default_rng(5), seconds(20.0)
    drone = sum(np.sin(2 * np.pi * f * t) * (1 + 0.4 * np.sin(t * f / 900)) for f in (55, 110, 164.8, 220.7))
    noise = np.interp(t, np.arange(30) * 0.7, rng.uniform(0.1, 1, 30)) * rng.normal(size=len(t))
    for sound in (0.1 * drone, 0.1 * noise):
        trail, events = hear(sound)
        assert sum(isinstance(e, Beat) for e in events) <= 3
        assert trail[-1].tempo_confidence < 0.2


def test_a_new_tempo_is_found():
    sound = np.concatenate([rock(10.0, 92), rock(9.0, 128)])
    trail, _ = hear(sound)
    assert trail[95].tempo == pytest.approx(92, abs=1.5)
    assert trail[165].tempo == pytest.approx(128, abs=2)


def test_the_first_of_the_bar_is_found():
    rng, beat, bars = np.random.default_rng(2), 0.5, 8
    t = seconds(bars * 2.0)
    chord = np.array([[220, 277], [196, 247], [175, 220], [165, 208]])[(t // 2.0).astype(int) % 4]
    music = 0.05 * np.sin(2 * np.pi * chord * t[:, None]).sum(1)
    strokes = [(k * beat, kick(rng) if k % 4 in (0,) else snare(rng) if k % 2 else 0.5 * kick(rng)) for k in range(bars * 4)]
    _, events = hear(music + 0.5 * placed(strokes, bars * 2.0))
    ones = [e.time for e in events if isinstance(e, Beat) and e.position == 1 and e.time > 8]
    assert len(ones) >= 3
    assert np.mean([abs((x + 1) % 2.0 - 1) < 0.1 for x in ones]) > 0.7


def test_taps_set_tempo_and_phase():
    extractor = FeatureExtractor(weights=None)
    sound = 0.05 * np.random.default_rng(0).normal(size=14 * RATE)
    for k in range(0, len(sound), 480):
        time = k / RATE
        if 6 <= time < 8.9 and round((time - 6) / 0.01) % 48 == 0:
            extractor.tap()  # every 0.48 s: 125 bpm
        extractor.feed(sound[k : k + 480])
        if abs(time - 9.5) < 0.005:
            assert extractor.features.tempo == pytest.approx(125, abs=2)
            phase = (extractor.features.time - 6.0) % 0.48 / 0.48
            assert abs((extractor.features.beat_phase - phase + 0.5) % 1 - 0.5) < 0.12


def test_old_events_are_let_go():
    extractor = FeatureExtractor(weights=None)
    for _ in range(6):
        extractor.feed(rock(10.0))
    assert 0 < len(extractor.events()) <= 1000
    assert extractor.events() == []
