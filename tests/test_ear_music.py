"""The music that the ear is taught with: every style is played in time, and a drum is as loud however it was recorded."""

from types import SimpleNamespace

import numpy as np
import pytest

from vj.train.ear.bank import ROLES, STROKES
from vj.train.ear.made import Struck, Voice, kick, snare
from vj.train.ear.music import ALL, _Composer, compose
from vj.train.ear.sound import _boxed, _Shape, play


@pytest.mark.parametrize("style", ALL)
def test_every_style_is_played_in_time(style):
    piece = compose(np.random.default_rng(1), 12.0, style)
    beats = np.array([t for t, _ in piece.beats])
    assert (np.diff(beats) > 0.2).all() and 0 <= beats[0] and beats[-1] < 12
    assert all(0 <= t < 12 and 0 < strength <= 1 for t, _, strength in piece.strokes)
    assert all(start < end and 0 < strength <= 1 for start, end, *_, strength in piece.notes)


def test_a_drum_stays_as_loud_however_it_was_recorded():
    rng = np.random.default_rng(0)
    strokes = {"kick": kick(rng), "snare": snare(rng)}
    for seed in range(40):
        for group, stroke in strokes.items():
            stroke = stroke.astype(np.float32) / 32767
            shape = _Shape(np.random.default_rng(seed), group, [[strokes["snare"]]])
            out = shape.of(stroke)
            assert len(out) >= len(stroke) and np.abs(out).max() == pytest.approx(np.abs(stroke).max(), rel=1e-4)


def test_a_guitars_box_leaves_the_middle_alone():
    t = np.arange(48000) / 48000
    left = [np.std(_boxed(np.sin(2 * np.pi * f * t).astype(np.float32), 100.0, 5000.0)) * 2**0.5 for f in (30, 1000, 15000)]
    assert left[0] < 0.05 and left[1] == pytest.approx(1, abs=0.01) and left[2] < 0.01


def test_a_vowel_sounds_when_its_note_does():
    rng = np.random.default_rng(0)
    for _ in range(20):
        begins, sung = Voice(rng).sing(1.0, 60, 0.5)
        assert begins <= 1.0 and len(sung) == pytest.approx((1.5 - begins) * 48000, abs=2)
        assert 0.5 < np.abs(sung).max() < 3 and np.isfinite(sung).all()


def test_a_second_player_keeps_step_and_then_drifts_ahead():
    composer = _Composer(np.random.default_rng(2), "minimal", 30.0)
    composer.comp, composer.still, composer.moving, composer.human, composer.lag = "drift", 2, 2, 0.0, {}
    composer.times, composer.phase_pattern = np.arange(80) * 0.5 + 0.1, list(range(12))
    piece = composer.write()
    ahead = {}  # steps, by bars of three beats
    for start, _, part, *_ in piece.notes:
        if part == "second":
            ahead.setdefault(int((start - 0.1) / 1.5 + 0.2), []).append(-((start - 0.1) / 0.125 + 0.5) % 1 - 0.5)
    assert np.abs(ahead[0]).max() < 0.01 and np.abs(ahead[1][1:-3]).max() < 0.01  # -0.01 .. 0.01 of a step
    assert np.ptp(ahead[3][1:-1]) > 0.3


def test_what_is_struck_sounds_at_its_pitch_and_dies():
    for seed in range(30):
        struck = Struck(np.random.default_rng(seed))
        note = struck.note(69, 1.0)
        assert note.dtype == np.float32 and np.isfinite(note).all() and 0.5 < np.abs(note).max() <= 1
        spectrum = np.abs(np.fft.rfft(note[2400:] * np.hanning(len(note) - 2400)))
        tone = np.arange(len(spectrum)) * 48000 / (len(note) - 2400)
        parts = [spectrum[abs(tone - f) < 12].max() for f in (220, 440, 880, 1320, 1760)]
        assert max(parts) > 5 * np.median(spectrum), struck.kind
        assert np.abs(note[-480:]).max() < 0.2 * np.abs(note).max()


def test_drums_are_far_back_where_they_are_asked_to_be():
    click, tone = np.full(480, 20000, np.int16), (20000 * np.sin(np.arange(24000) / 30)).astype(np.int16)
    kits = {str(k): {group: [[click]] for group in STROKES} for k in range(5)}
    bank = SimpleNamespace(kits=kits, roles={role: ["a"] for role in ROLES}, notes={"a": {60: tone}})
    shares = []
    for far in (0.0, 1.0):
        clicks = []
        for seed in range(12):
            heard = play(np.random.default_rng(seed), bank, compose(np.random.default_rng(seed), 6.0, "rock"), far)
            y, at = heard.samples, [round(t * 48000) for t, kind in heard.onsets if kind == "KD"]
            clicks.append(np.mean([np.abs(y[a : a + 400]).mean() for a in at]) / (np.abs(y).mean() + 1e-9))
        shares.append(np.mean(clicks))
    assert shares[1] < 0.8 * shares[0]
