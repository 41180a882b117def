"""Pixels move whole, phases are wound on, and nothing blurs however long it goes."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from small import SMALL

from vj.model import planes, transport
from vj.model import world as worlds
from vj.model.net import CODE_DIMS, Net


def noise(H=12, W=40):
    return (torch.rand(1, 3, H, W, generator=torch.Generator().manual_seed(1)) * 255).round() / 255


def one_class(H=12, W=40):
    return torch.zeros(1, H, W, dtype=torch.long)


def test_sub_pixel_weights_sum_to_one():
    for quarter in transport.QUARTERS:
        assert abs(sum(transport._taps(quarter)) - 1) < 1e-6
    assert transport._taps(0)[2] == 1


def test_split_is_exact_and_the_rest_is_small():
    total = torch.linspace(-9, 9, 181)[:, None].expand(-1, 2)
    whole, phase = transport.split(total, vertical=False)
    quarters = torch.tensor(transport.QUARTERS)[phase] / 4
    assert torch.allclose(whole[:, 0] + quarters, (total[:, 0] * 4).round() / 4)
    assert (whole[:, 1] == 0).all()


def test_whole_moves_lose_nothing():
    image = noise()
    moved, entered = transport.move(image, one_class(), torch.tensor([[[3, 0]]]))
    assert torch.equal(moved[..., :-3], image[..., 3:])
    assert entered[..., -3:].all() and not entered[..., :-3].any()


def test_slow_motion_is_wound_on_without_blur():
    """A quarter pixel a frame for 40 frames is ten pixels, and every pixel is still one of the first picture's."""
    image, phase = noise(), torch.zeros(1, 1, 2)
    lattice = image
    for _ in range(40):
        total = phase + torch.tensor([[[0.25, 0.0]]])
        whole, _ = transport.split(total, False)
        lattice, _ = transport.move(lattice, one_class(), whole)
        phase = total - whole
    assert torch.equal(lattice[..., :-10], image[..., 10:])


def test_candidates_agree_with_sample():
    image, total = noise(), torch.tensor([[[0.0, 0.0], [2.6, 0.0], [-1.25, 0.5]]])
    proposals, entered = transport.candidates(image, total, vertical=True)
    for k in range(3):
        sampled = transport.sample(image, torch.full((1, 12, 40), k), total, True)
        assert torch.allclose(proposals[:, k].clamp(0, 1)[..., 3:-6], sampled[..., 3:-6], atol=1e-5)
    assert entered.shape == (1, 3, 1, 40)
    assert entered[0, 1, 0].sum() == 3 and entered[0, 0, 0].sum() == 0


@pytest.mark.parametrize("vertical", [False, True])
def test_unlike_is_what_the_candidates_differ_by(vertical):
    now, *before = (torch.rand(3, 2, 1, 12, 40, generator=torch.Generator().manual_seed(1))).unbind(0)
    total = torch.rand(2, 2, 5, 2, generator=torch.Generator().manual_seed(2)) * 8 - 3  # of two worlds, from two pictures
    found = transport.unlike(now, torch.cat(before, 1), total, vertical)
    each = [transport.candidates(image, total[:, n], vertical)[0][:, :, 0] for n, image in enumerate(before)]
    assert torch.allclose(found, F.avg_pool2d(sum((moved - now).abs() for moved in each), 2), atol=1e-6)


def test_each_pixel_goes_with_its_own_class():
    image, classes = noise(), one_class()
    classes[:, 6:] = 1
    moved, _ = transport.move(image, classes, torch.tensor([[[0, 0], [5, 0]]]))
    assert torch.equal(moved[:, :, :6], image[:, :, :6])
    assert torch.equal(moved[:, :, 6:, :-5], image[:, :, 6:, 5:])


def test_what_enters_may_go_on_with_what_is_beside_it():
    strip = noise(W=24)[..., :24]
    entered = torch.zeros(1, 1, 12, 24, dtype=torch.bool)
    entered[..., 16:] = True
    medians = torch.rand(1, 2, 3, 12, 1)
    copies = transport.go_on(strip, entered, medians)
    assert copies.shape == (1, transport.PROPOSALS, 3, 12, 24)
    usually, around, recently = copies[0, -3:]
    for median, copy in zip(medians[0], (usually, around), strict=True):
        assert torch.equal(copy[..., :16], strip[0, ..., :16]) and torch.equal(copy[..., 16:], median.expand(-1, -1, 8))
    just_now = strip[0, ..., 16 - transport.RECENT : 16].median(2, keepdim=True).values
    assert torch.equal(recently[..., 16:], just_now.expand(-1, -1, 8))
    on = copies[0, 0]
    assert torch.equal(on[..., :16], strip[0, ..., :16]) and torch.equal(on[..., 16:], strip[0, ..., 15:16].expand(-1, -1, 8))


def test_a_streak_is_not_what_its_rows_are_usually():
    land = torch.linspace(0.2, 0.8, 24).view(1, 1, 24, 1).expand(1, 3, 24, 96).clone()
    land[:, :, 12] = 0.0  # a streak
    land[..., 30:40] = 1.0  # a thing
    row, around = transport.usual(land, 24)[0, :, 0, :, 0]
    assert row[12] == 0 and abs(float(around[12]) - 0.5) < 0.05 and torch.allclose(row[:10], around[:10], atol=0.06)


def test_going_on_takes_nothing_from_what_entered_itself():
    """Rows where a fast thing passes over a slow one have entered pixels with known ones between them."""
    strip, entered = torch.zeros(1, 3, 4, 24), torch.rand(1, 1, 4, 24, generator=torch.Generator().manual_seed(2)) < 0.4
    entered[..., 0] = False
    strip[entered.expand_as(strip)] = 1.0
    assert transport.go_on(strip, entered, torch.zeros(1, 2, 3, 4, 1))[0, :3].max() == 0


def test_a_thing_keeps_to_one_motion():
    """Pixels that doubt go with those around them, where these have moved to; a thing of another motion beside stays."""
    classes = torch.zeros(1, 24, 40, dtype=torch.long)
    classes[:, :, 20:] = 1
    classes[:, 12, 30] = 2  # one that was torn off
    company = planes.box(worlds.brought_by(classes, torch.tensor([[[0, 0], [4, 0], [6, 0]]])), 5, 5)[0]
    assert company.shape == (3, 12, 20) and company.min() >= 0 and company.max() <= 1
    assert company[1, 6, 13] > 0.9 > 0.1 > company[2, 6, 13], "class 1 holds where it has moved to"
    assert company[0, 6, 4] == 1.0 and company[1, 6, 4] == 0.0
    assert company[1, 6, 9] > company[1, 6, 6], "it has moved 4 px to the left"
    far = worlds.brought_by(classes, torch.tensor([[[0, 0], [400, 0], [-42, 90]]]))
    assert torch.isfinite(far).all() and far[0, 1:].sum() == 0


def test_no_motion_is_forgotten_where_the_world_all_but_stands():
    """A network that takes all for one class is believed when things move, and not when a frame tells nothing of motions."""
    torch.manual_seed(0)
    net = Net(SMALL).eval()
    frame = torch.rand(1, 3, SMALL.height, SMALL.width)
    classes = torch.ones(1, SMALL.height, SMALL.width, dtype=torch.int64)
    classes[:, :, SMALL.width // 2 :] = 2
    after = []
    for speed in (1.0, 0.02):
        with torch.no_grad():
            net.bank[:, 0] = torch.arange(SMALL.classes) * 0.5
            net.trunk.head.bias[0], net.trunk.head.bias[SMALL.classes] = 5.0, -50.0
            world = replace(worlds.begin(net, (frame,), torch.ones(1)), classes=classes)
            told = torch.tensor([[speed, 0, 0, 0, 0, 0]])
            code = torch.zeros(1, CODE_DIMS, SMALL.rows)
            after.append(worlds.step(net, world, told, code, torch.zeros(1)).classes)
    assert not after[0].any()
    assert torch.equal(after[1], classes)
