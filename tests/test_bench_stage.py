"""The stage bench: its measures on pictures whose worth is known, and its runner on real passes."""

import cv2
import numpy as np
import pytest

from vj.bench_stage import SOURCE, Runner, edges, enlarged, estimated, measured, moved, psnr, ssim, view
from vj.errors import ScreenError
from vj.render.window import HeadlessWindow


@pytest.fixture(scope="module")
def runner():
    try:
        window = HeadlessWindow(SOURCE)
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    with window:
        yield Runner(window, None)


def test_the_measures_say_what_they_should():
    picture = view()
    assert psnr(picture, picture) == 99.0 and ssim(picture, picture) == pytest.approx(1.0)
    assert psnr(np.full((8, 8, 3), 100, np.uint8), np.full((8, 8, 3), 110, np.uint8)) == pytest.approx(28.13, abs=0.01)
    noisy = np.clip(picture + np.random.default_rng(0).normal(0, 20, picture.shape), 0, 255).astype(np.uint8)
    assert ssim(noisy, picture) < 0.8 and edges(noisy) > 1.5 * edges(picture)


def test_moving_along_the_flow_beats_fading_where_things_pass(runner):
    rows = moved(runner, [view(4 * k) for k in range(9)])
    assert rows["flow"][0] > rows["fade"][0] + 3 > rows["repeat"][0] + 3 and rows["flow"][1] > rows["fade"][1]


@pytest.mark.parametrize("step", [3, 40])
def test_small_and_large_steps_are_found(step):
    rough = np.random.default_rng(0).integers(0, 256, (12, 50, 3), dtype=np.uint8)
    wall = cv2.resize(rough, (400, 96), interpolation=cv2.INTER_CUBIC)
    flow = estimated(wall[:, 100:260], wall[:, 100 + step : 260 + step])
    assert np.abs(flow[:, 50:-50] - (-step, 0)).max() < 1  # px; what has left or come in has no match


def test_each_way_to_enlarge_is_measured_and_none_is_absurd(runner):
    truth = np.repeat(np.repeat(view(), 4, 0), 4, 1)
    rows = enlarged(runner, [truth])
    assert set(rows) == {"bilinear", "lanczos", "bicubic", "edge", "edge, sharpened"}
    assert all(p > 12 and 0.5 < s <= 1 and 0.2 < e < 2 for p, s, e in rows.values())


def test_a_cost_is_above_nothing(runner):
    calls = []
    assert measured(runner._context, lambda: calls.append(sum(range(20000))), 5) > 0 and len(calls) == 8
