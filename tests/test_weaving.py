"""The second critic of painters sees how things are woven, and no further."""

import pytest
import torch

from vj.train.roughness import Roughness
from vj.train.weaving import SEEN, Weave, Weaving, stands

HEIGHT, WIDTH = 32, 48


def bushes(count: int, woven: bool, rough: Roughness) -> torch.Tensor:
    """Pictures (count, 3, HEIGHT, WIDTH) of a meadow with a dark bush each, of leaves or of one colour, alike on average."""
    shown = torch.full((count, 3, HEIGHT, WIDTH), 0.6) + 0.1 * (rough.random(count, 3, 1, 1) - 0.5)
    leaves = (rough.random(count, 1, 14, 20) < 0.5).float() - 0.5
    shown[..., 10:24, 20:40] = 0.25 + 0.2 * leaves * woven
    return shown


@pytest.fixture(scope="module")
def taught() -> Weaving:
    torch.set_num_threads(1)
    rough = Roughness(seed=3)
    weaving = Weaving("cpu", rough)
    truth = torch.arange(12) < 6
    for _ in range(60):
        shown = torch.cat([bushes(6, True, rough), bushes(6, False, rough)])
        weaving.look(shown, torch.ones(12, 1, HEIGHT, WIDTH), truth.float())
    return weaving


def test_it_learns_to_tell_leaves_from_paint(taught):
    rough, pace = Roughness(seed=4), torch.ones(4, 1, HEIGHT, WIDTH)
    leaves, paint = (float(taught.grade(bushes(4, woven, rough), pace, 24)) for woven in (True, False))
    assert paint > 1.5 * leaves


def test_its_slope_reaches_the_newest_pixels_and_not_itself(taught):
    shown = bushes(2, False, Roughness(seed=6)).requires_grad_(True)
    for p in taught.weave.parameters():
        p.grad = None
    taught.grade(shown, torch.ones(2, 1, HEIGHT, WIDTH), 12).backward()
    assert shown.grad[..., -12:].any() and not shown.grad[..., : -12 - 6].any()
    assert all(p.grad is None and p.requires_grad for p in taught.weave.parameters())


def test_it_sees_thirteen_pixels_and_no_more():
    torch.manual_seed(0)
    weave, shown, pace = Weave(), torch.rand(1, 3, HEIGHT, WIDTH), torch.ones(1, 1, HEIGHT, WIDTH)
    before, changed = weave(shown, pace), shown.clone()
    changed[..., 16, 24] = 1 - changed[..., 16, 24]
    rows, columns = torch.nonzero((weave(changed, pace) - before)[0].abs() > 1e-6).unbind(1)
    assert (rows.min(), rows.max()) == (10, 22) and (columns.min(), columns.max()) == (18, 30)


def test_it_looks_at_the_right_edge_alone(taught):
    shown, pace = bushes(2, False, Roughness(seed=7)), torch.ones(2, 1, HEIGHT, WIDTH)
    other = shown.clone()
    other[..., : WIDTH - SEEN] = 0.9
    assert torch.equal(taught.grade(shown, pace, 12), taught.grade(other, pace, 12))


def test_a_bush_counts_more_than_its_meadow():
    counts = stands(bushes(1, True, Roughness(seed=8)))[0]
    assert counts[12:22, 24:36].min() > 4 * counts[:5].max()
