"""Journeys laid out and laid back, and which way footage goes."""

import cv2
import numpy as np
import pytest

from vj import cli
from vj.train import heading
from vj.view import INNER, KINDS, WINDOW, View

H, W = 96, 160


def soft(seed=0, height=H * 3, width=W * 3):
    """A picture uint8 (height, width, 3) without fine detail."""
    return cv2.resize(np.random.default_rng(seed).integers(40, 216, (9, 15, 3), dtype=np.uint8), (width, height),
                      interpolation=cv2.INTER_CUBIC)  # fmt: skip


def zoomed(picture, by, x, y):
    """The picture `by` times as large, x, y staying where it is."""
    height, width = picture.shape[:2]
    moved = np.float32([[by, 0, (1 - by) * x * width], [0, by, (1 - by) * y * height]])
    return cv2.warpAffine(picture, moved, (width, height), borderMode=cv2.BORDER_REFLECT)


def grain(seed=1):
    noise = np.random.default_rng(seed).integers(0, 256, (H * 2, W * 2), dtype=np.uint8)
    return cv2.cvtColor(cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2.0), None, 0, 255, cv2.NORM_MINMAX), cv2.COLOR_GRAY2RGB)


@pytest.mark.parametrize("view", [View(kind, 0.4, 0.6) for kind in KINDS])
def test_what_is_laid_out_is_laid_back(view):
    picture = soft()
    back = view.lay_back(view.lay_out(picture, H, W), H * 3, W * 3)
    off = np.abs(back.astype(int) - picture).mean(2)
    y, x = np.mgrid[0 : H * 3, 0 : W * 3].astype(float)
    seen = np.maximum(np.abs(y / H / 3 - 0.6), np.abs(x / W / 3 - 0.4)) > 0.75 * INNER  # the innermost is not laid out
    assert off[seen].mean() < 4
    assert np.abs(np.roll(back, 40, 1).astype(int) - picture).mean() > 20


def test_what_grows_moves_left_evenly():
    view, picture = View("ahead", 0.4, 0.6), soft()
    step = np.log(1 / INNER) / W  # of the logarithm of size: one column
    first, later = (view.lay_out(zoomed(picture, by, 0.4, 0.6), H, W).astype(int) for by in (1.0, np.exp(10 * step)))
    assert np.abs(later[:, :-12] - first[:, 10:-2]).mean() < 4
    assert np.abs(later - first).mean() > 12
    astern = View("astern", 0.4, 0.6)
    assert np.abs(astern.lay_out(picture, H, W)[:, ::-1].astype(int) - first).mean() < 1.5


@pytest.mark.parametrize(("kind", "by"), [("rising", (-9, 0)), ("falling", (9, 0))])
def test_what_goes_up_or_down_goes_left(kind, by):
    picture = np.random.default_rng(0).integers(0, 256, (H, W, 3), dtype=np.uint8)
    first, later = (View(kind).lay_out(p, W, H).astype(int) for p in (picture, np.roll(picture, by, (0, 1))))
    assert (later[:, 1:-10] == first[:, 10:-1]).all()


@pytest.mark.parametrize("wrong", [{"kind": "sideways"}, {"x": 0.0}, {"y": float("nan")}, {"x": "0.5"}])
def test_no_view(wrong):
    with pytest.raises(ValueError, match="no view"):
        View(**wrong)


@pytest.mark.parametrize(("kind", "growth"), [("ahead", 1.03), ("astern", 1 / 1.03)])
def test_the_vanishing_point_is_found(kind, growth):
    large = grain()
    frames = [zoomed(large, 2 * growth ** (k % 12), 0.4, 0.55)[48 : 48 + H, 80 : 80 + W] for k in range(120)]
    found = heading.find(iter(frames), len(frames))
    assert found.view.kind == kind and not found.strays
    where = (np.array((0.4 * 320 - 80, 0.55 * 192 - 48)) / (W, H)).round(3)
    assert np.abs(np.array((found.view.x, found.view.y)) - where).max() < 0.04


@pytest.mark.parametrize(("by", "kind"), [((0, -2), "window"), ((0, 2), "window"), ((-2, 0), "rising"), ((2, 0), "falling")])
def test_one_way_for_all(by, kind):
    picture = grain()
    frames = [np.roll(picture, (by[0] * k, by[1] * k), (0, 1))[:H, :W] for k in range(60)]
    assert heading.find(iter(frames), len(frames)) == heading.Heading(View(kind))


def test_where_all_go_their_own_way_it_is_travelled_past():
    picture, frames = grain(), []
    ways = [(2, 0), (-2, 0), (0, 2), (0, -2)]
    for k in range(60):
        rolled = [np.roll(picture, (a * k, b * k), (0, 1)) for a, b in ways]
        frames.append(np.vstack([np.hstack([rolled[(i + j) % 4][:24, :40] for i in range(4)]) for j in range(4)]))
    assert heading.find(iter(frames), len(frames)).strays


def test_nothing_is_made_of_stillness_and_an_asked_view_is_taken():
    still = [grain()[:H, :W]] * 30
    assert heading.find(iter(still), 30) == heading.Heading(WINDOW)
    assert heading.find(iter(still), 30, "ahead").view == View("ahead")
    assert heading.find(iter(still), 30, "rising").view == View("rising")
    assert heading.find(iter(still), 30, "passing") == heading.Heading(WINDOW, strays=True)


def test_the_command_line_names_the_same_views():
    assert cli.VIEWS == (*KINDS, "passing")


def test_what_grows_from_a_point_at_the_side_is_ahead_although_all_goes_left(monkeypatch):
    """A road seen to one side; but no side window, be it shaken, nor a slope."""
    random = np.random.default_rng(0)
    places = random.uniform((0, 0), (150, 96), (800, 2))
    outward = (places - (140, 60)) * 0.03
    left = outward[:, 0] < 0
    assert -outward[left].sum(0)[0] > 3 * np.abs(outward[left][:, 1]).sum() / 3, "mostly to the left"
    found = heading.judge(places[left], outward[left], 96, 160)
    assert found.view.kind == "ahead" and found.view.x == pytest.approx(140 / 160, abs=0.03)
    for up in (random.normal(0, 0.3, (800, 1)), np.full((800, 1), 0.2)):
        side = np.concatenate([-0.5 - places[:, 1:] / 30, up], 1)
        assert heading.judge(places, side, 96, 160) == heading.Heading(WINDOW)
    monkeypatch.setattr(heading, "_vanishing_point", lambda *_: np.array([138.0, 60.0]))
    side = np.concatenate([-0.5 - places[left][:, 1:] / 30, random.normal(0, 0.1, (left.sum(), 1))], 1)
    assert heading.judge(places[left], side, 96, 160) == heading.Heading(WINDOW), "although all goes away from there"
