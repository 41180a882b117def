"""All that enters footage is seen as it enters, with how fast it goes and what was told."""

import numpy as np
import pytest
import torch

from vj.train import slits
from vj.train.slits import FINEST, LONG, columns_for, find

TALL, WIDE = 60, 96
SKY, FAST = 16, 36  # rows from the top that are sky; from which on the land goes at 3 px a frame, above at 1
HOUSE = (20, 30, 24)  # a house: its first row and the one after its last, its px; it goes at 2


def land(length: int, seed: int = 3) -> np.ndarray:
    """(TALL, length): blocks that can be followed."""
    random = np.random.default_rng(seed)
    blocks = random.integers(60, 200, (TALL // 4, length // 6 + 1)).repeat(4, 0).repeat(6, 1)[:, :length].astype(np.uint8)
    blocks[:SKY] = 150
    return blocks


def film(count: int = 220, every: int = 110) -> tuple[np.ndarray, np.ndarray]:
    """Frames and controls; the third of these tells when a house enters."""
    whole, frames, told = land(3 * count + WIDE + 8), np.zeros((count, TALL, WIDE), np.uint8), np.zeros(count)
    house = land(HOUSE[2], 9)[HOUSE[0] : HOUSE[1]]
    for t in range(count):
        for rows, pace in ((slice(0, SKY), 0), (slice(SKY, FAST), 1), (slice(FAST, TALL), 3)):
            frames[t, rows] = whole[rows, pace * t : pace * t + WIDE]
    for begins in range(every // 2, count, every):
        for t in range(begins, min(begins + WIDE, count)):
            x = WIDE - 2 * (t - begins + 1)
            here = np.arange(max(x, 0), min(x + HOUSE[2], WIDE))
            frames[t, HOUSE[0] : HOUSE[1], here] = house[:, here - x].T
        told[begins : begins + HOUSE[2] // 2] = 0.8
    controls = np.zeros((count, 6), np.float32)
    controls[:, 0], controls[:, 2] = 1.0, told
    return frames[..., None].repeat(3, 3), controls


@pytest.fixture(name="found", scope="module")
def _found():
    frames, controls = film()
    return find(frames, controls, [(0, len(frames))]), frames, controls


def test_what_entered_stands_there_as_it_entered(found):
    """Half a frame a column where the land goes at 3 px."""
    lands, frames, _ = found
    assert lands.unit == 0.5 and len(lands.pictures) == 1
    picture = lands.pictures[0].float()
    light = np.median(frames[:, :, ::2, 0], 2).mean() / 255
    near = land(3 * 220 + WIDE + 8)[FAST + 6, WIDE - 1 + np.round(1.5 * np.arange(1, 300)).astype(int)] / 255 / light
    assert np.abs(picture[0, FAST + 6, 1:300].numpy() - near).mean() < 0.12, "as sharp as it was, but for half px"
    assert np.corrcoef(picture[1, FAST + 6, 1:300], near)[0, 1] > 0.9


def test_how_all_goes_is_measured(found):
    """Rows by what most in them does, what goes otherwise by itself; the sky, of which nothing can be seen to move, not."""
    lands = found[0]
    rows = lands.paces / lands.unit
    assert rows[SKY + 4 : FAST - 9] == pytest.approx(1, abs=0.25) and rows[FAST + 6 :] == pytest.approx(3, abs=0.3)
    assert rows[:2].max() < 0.3
    apart, inside = lands.pictures[0][3].float(), slice(HOUSE[0] + 3, HOUSE[1] - 3)
    of_house = apart[inside, 2 * 55 + 4 : 2 * 55 + 20]
    assert 1.35 < of_house.median() <= 2, "the house goes at 2, its rows at 1; flow is smooth where it is so small"
    assert (apart[inside, 2 * 75 : 2 * 100].median() == 1) and (apart[FAST + 6 :, :400].median() == 1)


def test_what_was_told_stands_beside_it(found):
    lands, _, controls = found
    (told,) = lands.told
    assert told.shape == (3, lands.pictures[0].shape[2])
    assert torch.equal(told[:, 2:430:2], torch.from_numpy(controls[1:215, 1:4].T))


def test_a_short_stretch_goes_on_with_its_mirror_image():
    frames, controls = film(60, 40)
    lands = find(frames, controls, [(0, 60)])
    (picture,), (told,) = lands.pictures, lands.told
    long = int(59 / lands.unit)
    assert 59 / lands.unit > 100 and picture.shape[2] >= LONG
    assert torch.equal(picture[..., long : 2 * long], picture[..., :long].flip(2))
    assert torch.equal(told[..., long : 2 * long], told[..., :long].flip(1))
    assert torch.equal(picture[..., 2 * long : 3 * long], picture[..., :long])


def test_of_a_moment_nothing_is_taken():
    frames, controls = film(60, 40)
    for stop in (0, 1, 4):
        assert not find(frames, controls, [(0, stop)]).pictures


@pytest.mark.parametrize("pace, gone, unit", [(1.3, 999, 1), (2.6, 999, 0.5), (19, 999, FINEST), (0.1, 9999, 2), (1.3, 100, 0.5)])
def test_columns_are_as_fine_as_what_goes_by_needs(pace, gone, unit):
    assert columns_for(np.full(TALL, pace, np.float32), gone) == unit


def test_it_is_looked_at_bit_by_bit(monkeypatch):
    frames, controls = film(220)
    assert len(list(slits.taking(frames, controls, [(0, 220)]))) > 150
    monkeypatch.setattr(slits, "MOST", 110)
    lands = find(frames, controls, [(0, 100), (100, 220)])
    for told, long in zip(lands.told, (2 * 49, 2 * 59), strict=True):
        assert torch.equal(told[:, long : 2 * long], told[:, :long].flip(1)), "of each its share"
