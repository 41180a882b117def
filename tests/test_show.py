"""The step counts right, presses are answered once, frozen means frozen, and the trace says what was made."""

import os
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeGenerator, heard
from test_controls import TABLE

from vj.controls import Mapping
from vj.errors import VJError
from vj.show import Maker, Show
from vj.signals import CONTROL_NAMES, Knobs
from vj.trace import FEATURE_NAMES, Trace


def show(model_fps: float = 30.0, card_fps: float = 30.0, seed: int = 0) -> tuple[Show, FakeGenerator]:
    generator = FakeGenerator(seed=seed)
    return Show(Maker(generator, Mapping(TABLE, card_fps), model_fps, card_fps, seed), model_fps), generator


@pytest.mark.parametrize("display_fps", [24, 30, 60, 144])
def test_ten_seconds_are_300_model_frames(display_fps):
    stage, generator = show()
    stage.step(heard(), Knobs(), 1 / display_fps)
    assert len(generator.told) == 1
    for n in range(10 * display_fps):
        stage.step(heard(n / display_fps), Knobs(), 1 / display_fps)
    assert len(generator.told) == 301


def test_blend_walks_from_one_frame_to_the_next():
    stage, _ = show(model_fps=30)
    pictures = [stage.step(heard(n / 120), Knobs(), 1 / 120) for n in range(12)]
    assert [p.blend for p in pictures] == pytest.approx([0, 0.25, 0.5, 0.75] * 3, abs=1e-6)
    assert [int(p.after[0, 0, 0]) for p in pictures] == [1] * 4 + [2] * 4 + [3] * 4
    assert [int(p.before[0, 0, 0]) for p in pictures] == [1] * 8 + [2] * 4
    assert pictures[10].time == pytest.approx(4 / 120 + 0.5 * 4 / 120)


def test_three_presses_are_one_reset():
    stage, generator = show(seed=5)
    knobs = Knobs()
    for n in range(30):
        knobs = replace(knobs, resets=3) if n == 10 else knobs
        stage.step(heard(), knobs, 1 / 30)
    assert generator.resets == [8]


def test_frozen_is_frozen():
    stage, generator = show()
    for _ in range(5):
        last = stage.step(heard(), Knobs(), 1 / 45)
    count = len(generator.told)
    frozen = [stage.step(heard(), Knobs(freeze=True), 1 / 45) for _ in range(50)]
    assert len(generator.told) - count <= 1  # what was due already
    assert all(np.array_equal(p.after, frozen[0].after) and p.blend == frozen[0].blend for p in frozen)
    assert frozen[0].after[0, 0, 0] - last.after[0, 0, 0] <= 1
    stage.step(heard(), Knobs(), 1 / 45)
    stage.step(heard(), Knobs(), 1 / 45)
    assert len(generator.told) > count


def test_the_world_moves_as_fast_at_any_model_rate():
    for model_fps in (15, 30, 60):
        stage, generator = show(model_fps=model_fps, card_fps=15)
        for _ in range(100):
            stage.step(heard(), Knobs(drive=0.0, speed=1.5), 1 / model_fps)
        assert sum(c.speed for c in generator.told) / len(generator.told) * model_fps == pytest.approx(1.5 * 15)


def test_the_same_seed_makes_the_same_pictures():
    first, second = (show(seed=3)[0] for _ in range(2))
    for n in range(40):
        a, b = (s.step(heard(n / 25, kicks=n // 10), Knobs(), 1 / 25) for s in (first, second))
        assert np.array_equal(a.after, b.after) and a.blend == b.blend


def test_the_trace_holds_what_was_made(tmp_path):
    stage, generator = show()
    with Trace(tmp_path / "t.npz", generator.size) as trace:
        for n in range(20):
            stage.step(heard(n / 20, tempo=120.0, kicks=n), Knobs(), 1 / 20)
            for made in stage.made:
                trace.add(made)
            trace.put(shown=n / 20)
    assert os.listdir(tmp_path) == ["t.npz"]
    with np.load(tmp_path / "t.npz", allow_pickle=False) as data:
        count = len(generator.told)
        assert count == 29
        assert data["frames"].shape == (count, 24, 40, 3) and data["frames"].dtype == np.uint8
        assert list(data["frames"][:, 0, 0, 0]) == list(range(1, count + 1))
        assert data["controls"].dtype == np.float32
        assert np.array_equal(data["controls"], [c.vector() for c in generator.told])
        assert tuple(data["control_names"]) == CONTROL_NAMES
        assert tuple(data["feature_names"]) == FEATURE_NAMES
        assert data["features"].shape == (count, len(FEATURE_NAMES))
        assert (data["features"][:, FEATURE_NAMES.index("tempo")] == 120).all()
        assert np.array_equal(data["time"], data["features"][:, 0])
        assert data["weights"].shape == (count,) and data["shown"].shape == (20,)
        assert "draw_ms" not in data


def test_a_trace_that_fails_leaves_the_old_one(tmp_path):
    (tmp_path / "t.npz").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), Trace(tmp_path / "t.npz", (24, 40)):
        raise ZeroDivisionError
    assert (tmp_path / "t.npz").read_bytes() == b"old" and os.listdir(tmp_path) == ["t.npz"]
    with pytest.raises(VJError, match="Choose another place"):
        Trace(tmp_path / "none" / "t.npz", (24, 40))


def test_a_full_disk_ends_the_trace_and_not_the_show(tmp_path, monkeypatch):
    stage, generator = show()
    with Trace(tmp_path / "t.npz", generator.size) as trace:
        stage.step(heard(), Knobs(), 1 / 30)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(trace._columns["time"], "add", full)
        trace.add(stage.made[0])
        trace.add(stage.made[0])
        assert "No space left" in trace.message
