"""The colours of rows hang together: one that goes its own way comes back, and what the footage has is left alone."""

import numpy as np
import torch
from small import SMALL, footage

from vj.model.net import MODES, Net
from vj.model.world import homely_rows
from vj.train.footage import Footage
from vj.train.keepsakes import PER_MODE, first_frames, rows_colours
from vj.train.learn import dataset, start

COUNT = 600


def sky(count: int = COUNT) -> Footage:
    """A sky whose rows go from one colour to another together, hour by hour."""
    land, rng = footage(count), np.random.default_rng(1)
    hour = np.arange(count)[:, None] / np.array([[15.0, 9.0]])
    ramp = np.linspace(0, 1, SMALL.height)[None, :, None]
    evening, noon = (np.array(c)[None, None] for c in ((1.0, 0.5, 0.4), (0.3, 0.6, 1.0)))
    share = 0.5 + 0.5 * np.sin(hour)[:, :, None, None]
    rows = 40 + 160 * (share[:, 0] * ramp * evening + share[:, 1] * (1 - ramp) * noon)
    rows = rows + rng.normal(0, 0.6, (count, SMALL.height, 3))
    land.frames[:] = rows.clip(0, 255).astype(np.uint8)[:, :, None]
    return land


def seen(land: Footage, at: int) -> torch.Tensor:
    """The rows' colours of a frame in its luma (1, 3, H)."""
    rows = torch.from_numpy(land.frames[at, :, 0]).float().T[None]
    return rows / (rows.mean(2) @ torch.tensor([0.299, 0.587, 0.114]))[:, None, None]


def test_a_row_that_goes_its_own_way_goes_back_and_the_others_stay():
    land = sky()
    net = start(land, config=SMALL)
    low, high = net.palette  # (3, H) each
    true = next(rows for at in range(COUNT) if (abs((rows := seen(land, at))[0] - (low + high) / 2) < 0.3 * (high - low)).all())
    astray = true.clone()
    by = 0.3 * (high - low)[0, 12]
    astray[:, 0, 12] += by  # a colour that the row has at other hours, but not in this sky
    assert low[0, 12] < astray[0, 0, 12] < high[0, 12]
    back = homely_rows(net, astray)[0]
    assert (back - true)[0, 0, 12].abs() < 0.6 * by
    others = torch.arange(SMALL.height) != 12
    assert (back - true)[..., others].abs().max() < 0.2 * by


def test_what_the_footage_has_is_hardly_touched():
    land = sky()
    net = start(land, config=SMALL)
    moved = torch.cat([homely_rows(net, seen(land, at))[0] - seen(land, at) for at in range(0, COUNT, 7)])
    assert (moved.abs() < 0.002).float().mean() > 0.85
    assert moved.abs().max() < 0.1


def test_short_footage_tells_fewer_modes_and_a_net_without_footage_none():
    short = sky(3 * PER_MODE + 20)
    profile = rows_colours(short, dataset(short).training)[1]
    used = (profile[6:].flatten(1) != 0).any(1)
    assert 1 <= int(used.sum()) <= 3 < MODES
    rows = torch.rand(2, 3, SMALL.height)
    assert torch.allclose(homely_rows(Net(SMALL), rows)[0], rows)


def test_a_first_picture_shows_much_but_nothing_that_is_just_entering():
    """What is near counts for longer, and where it goes slowly all does; where there is no calm the calmest is taken."""
    film = footage(400)
    film.frames[:] = 90
    film.controls[:, 1:4] = 0.02
    rich = {20: (1, 5, 1.0), 60: (3, 17, 1.0), 140: (1, 20, 1.0), 220: (1, 20, 0.5), 300: (3, 40, 1.0), 380: (2, 60, 1.0)}
    for at, (band, before, speed) in rich.items():  # much is to be seen, and something entered so many frames before
        film.frames[at, ::2, ::2] = 150 + at // 4
        film.controls[at - before : at + 1, 0] = speed
        film.controls[max(at - before, 0), band] = 0.9

    def chosen(count: int, speed: float | None = None) -> list[int]:
        if speed is not None:
            film.controls[:, 0] = speed
        pictures, _ = first_frames(film, [(0, 400)], count)
        every = torch.from_numpy(film.frames).permute(0, 3, 1, 2)
        return [next((at for at in rich if torch.equal(picture[:3], every[at])), -1) for picture in pictures]

    assert chosen(10) == [-1, -1, -1, 140, -1, -1, -1, 300, -1, 380]
    assert chosen(10, 0.6) == [-1, -1, -1, -1, -1, -1, -1, -1, -1, 380], "it went half as far"
    film.controls[:, 1:4] = 0.5
    film.controls[130:141, 1:4] = 0.4
    assert 140 in chosen(10, 1.0)
