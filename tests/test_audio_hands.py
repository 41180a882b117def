"""What hands say to the ear, what it says of colour and form, and how it hears without its network."""

import numpy as np
import pytest
from test_audio_features import RATE, clicks, kick, placed, rock, seconds

from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor


def fed(extractor, sound, block=480):
    return [extractor.feed(sound[k : k + block]) for k in range(0, len(sound), block)]


def ear(**more):
    return FeatureExtractor(weights=None, **more)


def test_a_hand_halves_and_doubles_the_tempo():
    extractor = ear()
    fed(extractor, clicks(120, 6.0))
    assert extractor.features.tempo == pytest.approx(120, abs=1)
    extractor.scale(0.5)
    fed(extractor, clicks(120, 4.0))
    assert extractor.features.tempo == pytest.approx(60, abs=1)
    extractor.scale(2)
    fed(extractor, clicks(120, 4.0))
    assert extractor.features.tempo == pytest.approx(120, abs=1)
    extractor.scale(2)  # 240 is beyond what there is
    fed(extractor, clicks(120, 2.0))
    assert extractor.features.tempo == pytest.approx(120, abs=1)


def test_a_nudge_moves_every_later_beat():
    plain, moved = ear(), ear()
    for extractor in (plain, moved):
        fed(extractor, clicks(120, 6.0))
    moved.nudge(0.06)
    sound = clicks(120, 6.0)
    fed(plain, sound)
    fed(moved, sound)
    one, two = ([e.time for e in x.events() if isinstance(e, Beat) and e.time > 7] for x in (plain, moved))
    off = [min(b - a for a in one if abs(b - a) < 0.2) for b in two[:-1]]
    assert np.median(off) == pytest.approx(0.06, abs=0.015)
    moved.nudge(9.0)
    fed(moved, sound)
    assert moved.features.next_beat < moved.features.time + 1.0  # a nudge is never more than a fifth of a second


def test_a_hand_says_where_the_bar_begins():
    extractor, sound = ear(), rock(14.0)
    for k in range(0, len(sound), 480):
        if k == round(6.5 * RATE):  # a backbeat, which is none by itself
            extractor.one(6.5)
        extractor.feed(sound[k : k + 480])
    after = [e for e in extractor.events() if isinstance(e, Beat) and 6.6 < e.time < 9.0]
    assert [e.position for e in after][:4] == [2, 3, 4, 1]


def test_a_trim_lifts_what_is_too_soft():
    soft = rock(4.0) * 10 ** (-60 / 20)
    plain, lifted = ear(), ear(trim=30.0)
    fed(plain, soft)
    fed(lifted, soft)
    assert lifted.features.level_db == pytest.approx(plain.features.level_db + 30, abs=0.1)


def test_chroma_names_the_tones():
    t = seconds(2.0)
    for hertz, names in (((261.63, 329.63, 392.0), (0, 4, 7)), ((220.0, 277.18, 329.63), (9, 1, 4))):
        extractor = ear()
        fed(extractor, 0.1 * sum(np.sin(2 * np.pi * f * t) for f in hertz))
        assert set(np.argsort(extractor.features.chroma)[-3:]) == set(names)
        assert max(extractor.features.chroma) == pytest.approx(1, abs=0.05)


def test_flatness_tells_tones_from_noise():
    t, rng = seconds(2.0), np.random.default_rng(0)
    tone, noise = ear(), ear()
    fed(tone, 0.3 * np.sin(2 * np.pi * 440 * t))
    fed(noise, 0.1 * rng.normal(size=len(t)))
    assert tone.features.flatness < 0.1 < 0.5 < noise.features.flatness <= 1


def test_a_band_has_hits_presence_and_a_clock():
    extractor = ear()
    trail = fed(extractor, 0.6 * placed([(1 + k * 0.5, kick(None)) for k in range(18)], 10.0))
    assert max(f.low_hit for f in trail) > 0.5 and min(f.low_hit for f in trail[200:]) < 0.1
    assert 0.3 < trail[-1].low_presence < 2.0
    clocks = [f.low_clock for f in trail]
    assert (np.diff(clocks) >= 0).all() and clocks[-1] > 3
    before = clocks[-1]
    fed(extractor, np.zeros(2 * RATE))
    still = extractor.features.low_clock
    fed(extractor, np.zeros(2 * RATE))
    assert extractor.features.low_clock == still < before + 1.5


def test_a_breakdown_and_its_drop_are_told():
    full, calm = rock(14.0), rock(8.0)
    spectrum = np.fft.rfft(calm)
    spectrum[: 300 * 8] *= 0.01  # without what lies below 300 Hz
    extractor = ear()
    fed(extractor, full)
    assert not extractor.features.breakdown and extractor.features.drops == 0
    sections = extractor.features.sections
    trail = fed(extractor, np.fft.irfft(spectrum, len(calm)))
    assert trail[-1].breakdown
    assert extractor.features.sections == sections + 1
    trail = fed(extractor, rock(3.0))
    assert extractor.features.drops == 1 and not trail[-1].breakdown
    assert [f.drops for f in trail].index(1) < 100  # within a second


def test_a_build_is_told():
    t = seconds(20.0)
    rise = np.clip((t - 10) / 9, 0.1, 1)
    noise = np.diff(np.random.default_rng(3).normal(size=len(t) + 1))
    extractor = ear()
    trail = fed(extractor, 0.3 * noise * rise, 4800)
    assert max(f.build for f in trail[:95]) < 0.3 < max(f.build for f in trail[150:])
