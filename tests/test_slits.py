"""All that enters footage is seen as it enters, with how fast it goes and what was told."""

import numpy as np
import pytest
import torch

from vj.train import slits
from vj.train.slits import FINEST, WHOLE, columns_for, find, in_layers, kinds_of

TALL, WIDE = 64, 96
SKY, FAST = 24, 40  # rows from the top that are sky; from which on the land goes at 3 px a frame, above at 1
HOUSE = (27, 37, 24)  # a house: its first row and the one after its last, its px; it goes at 2


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


def before(lands) -> int:
    """Columns of what was in sight at first: until the quick rows have run out."""
    return int((WIDE - 1) / float(lands.paces.max()))


def test_what_entered_stands_there_as_it_entered(found):
    """Half a frame a column where the land goes at 3 px."""
    lands, frames, _ = found
    assert lands.unit == 0.5 and len(lands.pictures) == 1
    picture, early = lands.pictures[0].float(), before(lands)
    light = np.median(frames[:, :, ::2, 0], 2).mean() / 255
    whole = land(3 * 220 + WIDE + 8)[FAST + 6] / 255 / light
    near = whole[WIDE - 1 + np.round(1.5 * np.arange(1, 300)).astype(int)]
    entered = picture[0, FAST + 6, early + 1 : early + 300]
    assert np.abs(entered.numpy() - near).mean() < 0.12, "as sharp as it was, but for half px"
    assert np.corrcoef(picture[1, FAST + 6, early + 1 : early + 300], near)[0, 1] > 0.9


def test_what_is_in_sight_at_first_has_entered_before(found):
    lands, frames, _ = found
    early, pace = before(lands), float(lands.paces[FAST + 6])
    light = np.median(frames[:, :, ::2, 0], 2).mean() / 255
    seen = frames[0, FAST + 6, np.round(WIDE - 1 - pace * np.arange(early, 0, -1)).astype(int), 0] / 255 / light
    assert early > 50 and np.abs(lands.pictures[0][0, FAST + 6, :early].float().numpy() - seen).mean() < 0.12
    assert lands.pictures[0].shape[2] == 2 * (early + int(219 / lands.unit))


def test_how_all_goes_is_measured(found):
    """Rows by what most in them does, in layers; the sky, of which nothing can be seen to move, as what is nearest or not."""
    rows = found[0].paces / found[0].unit
    assert rows[SKY + 4 : FAST - 9] == pytest.approx(1, abs=0.25) and rows[FAST + 6 :] == pytest.approx(3, abs=0.3)
    assert rows[:2].max() < 0.3 and len(rows.unique()) <= 5
    assert (found[0].pictures[0][3] == 1).all()


def test_rows_that_go_out_from_a_point_have_more_layers(found):
    lands, frames, controls = found
    rows = find(frames, controls, [(0, len(frames))], rays=True).paces
    cuts = torch.nonzero(rows.diff())[:, 0] + 1
    assert len(rows.unique()) > len(lands.paces.unique()) and (cuts % 8).any()
    assert not (torch.nonzero(lands.paces.diff())[:, 0] + 1).fmod(8).any()


def test_what_was_told_stands_beside_it(found):
    lands, _, controls = found
    (told,), early = lands.told, before(found[0])
    assert told.shape == (3, lands.pictures[0].shape[2])
    assert torch.equal(told[:, early + 2 : early + 430 : 2], torch.from_numpy(controls[1:215, 1:4].T))


def test_what_would_have_been_told_is_seen(found):
    """Of what is in sight at first nobody said when it entered: by how steep it is, in the scale of what was told. Where nothing
    ever was, nothing is."""
    frames, controls = found[1], found[2].copy()
    frames = frames.copy()
    frames[0, FAST:, WIDE // 2 : WIDE // 2 + 12 : 2] = 0  # stripes
    controls[:, 3] = np.random.default_rng(0).random(len(controls))
    (told,) = find(frames, controls, [(0, len(frames))]).told
    early = before(found[0])
    steep = early - round((WIDE - 1 - (WIDE // 2 + 6)) / float(found[0].paces.max()))  # when they entered
    here = told[2, steep - 3 : steep + 4].mean()
    assert not told[0].any() and here > 0.8 and here > 1.5 * told[2, : steep - 10].mean()


def test_a_short_stretch_goes_on_with_its_mirror_image():
    frames, controls = film(60, 40)
    lands = find(frames, controls, [(0, 60)])
    (picture,), (told,) = lands.pictures, lands.told
    long = int(59 / lands.unit) + before(lands)
    assert 59 / lands.unit > 100 and picture.shape[2] >= WHOLE
    assert torch.equal(picture[..., long : 2 * long], picture[..., :long].flip(2))
    assert torch.equal(told[..., long : 2 * long], told[..., :long].flip(1))
    assert picture.shape[2] == told.shape[1] == 2 * long


def test_of_a_moment_nothing_is_taken():
    frames, controls = film(60, 40)
    for stop in (0, 1, 4):
        lands = find(frames, controls, [(0, stop)])
        assert not lands.pictures and not lands.others and not lands.kinds.any()


@pytest.mark.parametrize("stands", [True, False])
def test_what_stands_behind_a_train_that_is_to_come_has_not_entered_before(stands):
    """The train comes in the fifth frame; or all stands for a second first."""
    frames, controls = film(120, 40)
    if stands:
        controls[:25, 0] = 0
        frames[:25] = frames[0]
    else:
        behind = land(WIDE, 5)[FAST:, :, None].repeat(3, 2)
        for t in range(40):
            wide = max(0, WIDE - 3 * max(0, t - 5))
            frames[t, FAST:, :wide] = behind[:, :wide]
    lands = find(frames, controls, [(0, 120)])
    gone = np.cumsum(controls[:, 0])
    assert lands.pictures[0].shape[2] % int((gone[-1] - gone[0]) / lands.unit) == 0


def slowly(count: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, controls and the land above: that goes at 0.15 px a frame, what is below at 3."""
    whole, frames = land(3 * count + WIDE + 8), np.zeros((count, TALL, WIDE), np.uint8)
    far = np.random.default_rng(7).integers(60, 200, (FAST // 4, 40)).repeat(4, 0).repeat(6, 1)
    x = np.arange(far.shape[1])
    for t in range(count):
        frames[t, FAST:] = whole[FAST:, 3 * t : 3 * t + WIDE]
        frames[t, :FAST] = [np.interp(np.arange(WIDE) + 0.15 * t, x, row) for row in far]
    controls = np.zeros((count, 6), np.float32)
    controls[:, 0] = 1.0
    return frames[..., None].repeat(3, 3), controls, far


def test_what_is_far_has_a_picture_of_its_own():
    """In it stands what is in sight at first, which hardly moves while the clip lasts."""
    frames, controls, far = slowly()
    lands = find(frames, controls, [(0, 100)])
    ((kind, (picture,)),) = lands.others.items()
    assert lands.kinds[: FAST - 8].eq(kind).all() and not lands.kinds[FAST:].any()
    pace = float(lands.paces[10]) * 4**kind
    assert picture.shape[2] >= WHOLE and 0.25 <= pace <= 1
    early = int((WIDE - 1) / pace)
    light = np.median(frames[:, :, ::2, 0], 2).mean() / 255
    seen = np.interp(WIDE - 1 - pace * np.arange(early, 0, -1), np.arange(far.shape[1]), far[10]) / 255 / light
    assert np.corrcoef(picture[0, 10, :early].float(), seen)[0, 1] > 0.95


@pytest.mark.parametrize("paces, kinds", [
    ([0.0] * 8 + [0.02] * 8 + [0.1] * 8 + [1.0] * 8, [2] * 16 + [1] * 8 + [0] * 8),  # what stands goes with the slowest
    ([0.0] * 8 + [1.0] * 24, [0] * 32),  # nothing enters there
    ([1.0] * 8 + [0.02] * 24, [0] * 32),  # where what is far is below, a thing would be cut in two
    ([0.02] * 8 + [0.1] * 3 + [1.0] * 21, [2] * 8 + [0] * 24),  # a few rows
    ([0.2] * 32, [1] * 0 + [0] * 32),  # one there must be
])  # fmt: skip
def test_rows_are_of_a_kind_by_how_they_go(paces, kinds):
    assert kinds_of(np.float32(paces)).tolist() == kinds


def test_rows_go_in_layers():
    """A layer has one pace; what differs by little is one, what differs by much is not."""
    random = np.random.default_rng(1)
    steps = np.r_[np.full(20, 0.1), np.full(20, 1.0), np.full(20, 3.0)]
    layered = in_layers(steps * random.uniform(0.95, 1.05, 60), 5.0, 4)
    assert len(np.unique(layered)) == 3 and layered == pytest.approx(steps, rel=0.05)
    train = np.r_[np.full(3, 0.08), np.full(3, 0.3), 1.5, 3.0, np.full(88, 18.0)]
    assert in_layers(train, 14.0, 8).tolist() == [pytest.approx(0.3, abs=0.2)] * 8 + [18.0] * 88, "rows between two count as off"
    slope = np.linspace(0.5, 4, 96)
    few, more = in_layers(slope, 14.0, 8), in_layers(slope, 2.0, 1)
    cuts = np.flatnonzero(np.diff(few)) + 1
    assert 2 <= len(cuts) <= 4 and not (cuts % 8).any() and (np.diff(few) >= 0).all() and np.abs(few - slope).max() < 1
    assert 8 <= len(np.unique(more)) <= 16 and np.abs(more - slope).max() < 0.3


@pytest.mark.parametrize("pace, gone, unit", [(1.3, 999, 1), (2.6, 999, 0.5), (19, 999, FINEST), (0.1, 9999, 2), (1.3, 100, 0.5)])
def test_columns_are_as_fine_as_what_goes_by_needs(pace, gone, unit):
    assert columns_for(np.full(TALL, pace, np.float32), gone) == unit


def test_it_is_looked_at_bit_by_bit(monkeypatch):
    frames, controls = film(220)
    assert len(list(slits.taking(frames, controls, [(0, 220)]))) > slits.PAIRS
    monkeypatch.setattr(slits, "MOST", 110)
    lands = find(frames, controls, [(0, 100), (100, 220)])
    for told, long in zip(lands.told, (2 * 49 + before(lands), 2 * 59 + before(lands)), strict=True):
        assert torch.equal(told[:, long : 2 * long], told[:, :long].flip(1)), "of each its share"


def test_where_nothing_goes_as_its_row_nothing_is_looked_at():
    """Something stands before the leading edge: what goes by is seen beside it, and what is told is seen there."""
    frames, controls = film()
    frames[:, :, -30:] = land(WIDE, 4)[None, :, -30:, None]
    controls[:, 3] = np.random.default_rng(1).random(len(controls))
    lands = find(frames, controls, [(0, len(frames))])
    picture, pace = lands.pictures[0][0, FAST + 6].float().numpy(), float(lands.paces[FAST + 6])
    whole = land(3 * 220 + WIDE + 8)[FAST + 6].astype(float)
    for edge in range(WIDE - 45, WIDE - 28):
        early = int(edge / pace)
        seen = whole[edge + np.round(1.5 * np.arange(1, 300)).astype(int)]
        if np.corrcoef(picture[early + 1 : early + 300], seen)[0, 1] > 0.95:
            break
    else:
        raise AssertionError("it is not seen where it goes")
    steep = np.abs(np.diff(lands.pictures[0][0, FAST + 6 :].float(), axis=1)).mean(0)[:400]
    told = lands.told[0][2, 1:401].numpy()
    assert np.corrcoef(told, np.convolve(steep, np.ones(5) / 5, "same"))[0, 1] > 0.4


def test_where_next_to_nothing_can_be_seen_does_not_count():
    flows, seen = np.full((3, 16, 100), 2.0, np.float16), np.ones((3, 16, 100), bool)
    paces = np.full(16, 2.0, np.float32)
    assert slits._edge(flows, seen, paces) == 99 == slits._edge(flows[:0], seen[:0], paces)
    flows[:, :, 70:] = 0
    assert 60 <= slits._edge(flows, seen, paces) <= 70
    flows[:, ::4, 30:70] = 0
    assert 25 <= slits._edge(flows, seen, paces) <= 35
    seen[:, 1:, :30] = False
    assert 60 <= slits._edge(flows, seen, paces) <= 70, "most of much, not all of little"
