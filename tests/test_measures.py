"""The pure measures: exact expectations on pictures whose answer is known."""

import cv2
import numpy as np
import pytest

from vj.signals import BANDS
from vj.train import measures
from vj.train.measure import edge_strength


def ground(height=48, width=400, seed=0):
    """A long picture, rough at several scales: what a camera sees of fields. uint8 (height, width, 3)."""
    random, out = np.random.default_rng(seed), np.zeros((height, width))
    for scale in (2, 5, 12):
        coarse = random.standard_normal((height // scale + 2, width // scale + 2))
        out += scale**0.5 * cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[:height, :width]
    return np.repeat((out / out.std() * 25 + 128).clip(0, 255).astype(np.uint8)[..., None], 3, 2)


def passing(step, count, width=80):
    """The ground passing to the left by `step` whole px a frame: uint8 (count, 48, width, 3)."""
    wide = ground()
    return np.stack([wide[:, t * step : t * step + width] for t in range(count)])


def test_luma_of_the_primaries():
    picture = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    assert measures.luma(picture)[0] == pytest.approx([0.299, 0.587, 0.114, 1], abs=1e-5)


def test_gradient_energy_of_a_ramp():
    ramp = np.repeat((np.arange(0, 160, 5, dtype=np.uint8))[None, None, :, None], 3, 3).repeat(16, 1)
    assert measures.gradient_energy(ramp) == pytest.approx((5 / 255) ** 2, rel=1e-4)
    assert measures.slopes(ramp)[1] == 0


def test_fine_energy_counts_only_what_is_fine():
    x = np.arange(160)
    waves = {period: (128 + 60 * np.sin(2 * np.pi * x / period)).astype(np.uint8) for period in (2.7, 8, 40)}
    fine = {p: measures.fine_energy(np.repeat(w[None, None, :, None], 3, 3).repeat(96, 1)) for p, w in waves.items()}
    assert fine[2.7] == pytest.approx((60 / 255) ** 2 / 2, rel=0.1)  # the power of a sine, whatever the window
    assert fine[8] < 0.01 * fine[2.7]
    assert fine[40] < 0.01 * fine[2.7]


def test_blur_takes_sharpness_and_noise_adds_it():
    sharp = passing(2, 4)
    soft = np.stack([cv2.GaussianBlur(f, (0, 0), 1.0) for f in sharp])
    rough = (sharp + np.random.default_rng(0).normal(0, 30, sharp.shape)).clip(0, 255).astype(np.uint8)
    for measure in (measures.gradient_energy, measures.fine_energy):
        assert measure(soft) < 0.6 * measure(sharp) < 0.3 * measure(rough)


@pytest.mark.parametrize("step", [0, 1, 3, 6])
def test_motion_by_band_finds_the_step(step):
    frames = passing(step, 2)
    assert measures.Motion().by_band(frames[0], frames[1]) == pytest.approx([step] * 3, abs=0.1)


def test_motion_by_band_tells_bands_apart_and_says_where_it_sees_nothing():
    frames = passing(1, 2).copy()
    near = measures.rows(2, 48)
    frames[:, near] = passing(4, 2)[:, near]
    frames[:, measures.rows(0, 48)] = 200
    far, middle, fast = measures.Motion().by_band(frames[0], frames[1])
    assert np.isnan(far)
    assert middle == pytest.approx(1, abs=0.3)
    assert fast == pytest.approx(4, abs=0.3)


def test_extrapolation_foresees_even_motion():
    frames = passing(3, 3)
    foreseen = measures.Motion().extrapolate(frames[0], frames[1])
    inside = np.s_[6:-6, 6:-12]
    error = measures.psnr(measures.squared_error(foreseen[inside], frames[2][inside]))
    assert error > measures.psnr(measures.squared_error(frames[1][inside], frames[2][inside])) + 8


def test_entering_is_the_square_of_what_the_footage_is_measured_by():
    frames = passing(2, 3, width=160)
    mine = np.sqrt(measures.entering(frames[:, :, -16:], 160))
    assert mine == pytest.approx(np.stack([edge_strength(f) for f in frames]), rel=1e-4)


def test_entering_knows_the_band():
    for band, (top, bottom) in enumerate(BANDS):
        frame = np.full((1, 96, 160, 3), 128, np.uint8)
        frame[0, int(top * 96) + 2 : int(bottom * 96) - 2, 156:158] = 255
        energy = measures.entering(frame, 160)[0]
        assert energy[band] > 0 and np.delete(energy, band).max() == 0


def test_controls_scale_is_the_root():
    assert measures.as_controls(np.array([[0.01, 0.04, 0.09]]), [0.1] * 3, [0.3] * 3)[0] == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_onsets_rearm_only_below():
    assert measures.onsets(np.array([0, 1, 0.5, 1, 0, 0, 1, 1.0]), 0.25, 0.6).tolist() == [1, 6]


def test_f_measure():
    assert measures.f_measure([10, 20, 30], [10, 20, 30]) == 1
    assert measures.f_measure([12, 18, 33], [10, 20, 30]) == pytest.approx(2 / 3)
    assert measures.f_measure([10, 11], [10]) == pytest.approx(2 / 3)  # each may be used once
    assert measures.f_measure([], [10]) == 0
    assert measures.f_measure([], []) == 1


def test_delay_is_the_median_wait():
    assert measures.delay([3, 13, 24, 90], [0, 10, 20, 50]) == 3
    assert np.isnan(measures.delay([90], [0]))


def test_nearest_is_zero_for_a_copy_in_another_light_and_large_for_another_place():
    strips = passing(8, 30)[:, :, -16:]
    prints = measures.prints(strips)
    dimmed = measures.prints((strips[5:6] * 0.7).astype(np.uint8))
    assert measures.nearest(dimmed, prints)[0] < 0.05
    other = measures.prints(ground(seed=5)[None, :, 100:116])
    assert measures.nearest(other, prints)[0] > 0.5


def test_repeats_finds_the_period_of_a_loop():
    random = np.random.default_rng(0)
    loop = np.tile(random.standard_normal((37, 20)), (8, 1))
    strength, period = measures.repeats(loop, 12)
    assert strength == pytest.approx(1, abs=0.02) and period % 37 == 0
    assert measures.repeats(random.standard_normal((300, 20)), 12)[0] < 0.3


def test_palette_distance_is_the_shift():
    dark, light = np.full((1, 8, 8, 3), 50, np.uint8), np.full((1, 8, 8, 3), 101, np.uint8)
    assert np.abs(measures.palette_of(dark) - measures.palette_of(light)).mean() == pytest.approx(0.2)
    colours = measures.colours(light, measures.palette_of(dark))[0]
    assert colours == pytest.approx([101 / 255, 0, 0, 0.2], abs=1e-3)


def test_light_is_on_the_scale_of_the_controls():
    usual = {"brightness_mean": 0.4, "brightness_spread": 0.1, "warmth_mean": 0.0, "warmth_spread": 0.05}
    frame = np.zeros((1, 4, 4, 3), np.uint8)
    frame[...] = np.array([0.55, 0.5, 0.45]) * 255
    brightness, warmth = measures.light(frame, usual)[0]
    assert brightness == pytest.approx(0.5, abs=0.05)
    assert warmth == pytest.approx(1.0, abs=0.05)


def test_settling():
    answer = 1 - np.exp(-np.arange(60) / 5)
    assert measures.settling(answer) == pytest.approx(5 * np.log(5), abs=1.1)
    assert measures.settling(np.zeros(60)) == np.inf


def test_change_and_psnr():
    a, b = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 51, np.uint8)
    assert measures.change(a, b) == pytest.approx(0.2)
    assert measures.change(b, a) == pytest.approx(0.2)
    assert measures.psnr(measures.squared_error(a, b)) == pytest.approx(-20 * np.log10(0.2), abs=1e-3)
    assert measures.psnr(0.0) == 60


def test_a_thing_that_came_too_far_is_whole_and_a_torn_one_is_not():
    true = np.full((32, 80, 3), 120, np.uint8)
    true[4:28, 30:48] = np.random.default_rng(0).integers(0, 255, (24, 18, 3))
    torn = true.copy()
    torn[16:] = np.roll(torn[16:], 3, 1)
    torn[8:12] = np.roll(torn[8:12], -2, 1)
    seen = (true, np.roll(true, 5, 1), torn)
    same, late, broken = (np.mean(measures.kept_whole(frame, true)) for frame in seen)
    assert same == pytest.approx(late) and broken < late - 10
    assert measures.kept_whole(true, np.full_like(true, 9)) == [], "where nothing stands nothing is measured"
