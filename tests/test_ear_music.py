"""The music that the ear is taught with: every style is played in time, and a drum is as loud however it was recorded."""

import numpy as np
import pytest

from vj.train.ear.music import compose
from vj.train.ear.sound import _boxed, _kick, _Shape, _snare
from vj.train.ear.styles import STYLES


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_played_in_time(style):
    piece = compose(np.random.default_rng(1), 12.0, style)
    beats = np.array([t for t, _ in piece.beats])
    assert (np.diff(beats) > 0.2).all() and 0 <= beats[0] and beats[-1] < 12
    assert all(0 <= t < 12 and 0 < strength <= 1 for t, _, strength in piece.strokes)
    assert all(start < end and 0 < strength <= 1 for start, end, *_, strength in piece.notes)


def test_a_drum_stays_as_loud_however_it_was_recorded():
    rng = np.random.default_rng(0)
    strokes = {"kick": _kick(rng), "snare": _snare(rng)}
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
