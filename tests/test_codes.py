"""What enters is told by codes only where telling is worth it; the rest goes on as it is."""

import math

import numpy as np
import torch
from small import SMALL

from vj.model import world as worlds
from vj.model.net import (
    CODE_DIMS,
    CODES,
    DIGITS,
    GRAINLESS,
    GRAINY,
    GROUPS,
    Net,
    code_index,
    code_values,
    levels,
    told_groups,
)
from vj.model.planes import GRAINS
from vj.model.prior import Dice
from vj.model.transport import PROPOSALS
from vj.train.losses import unlikeness


def test_a_group_is_told_only_with_those_before_it():
    need = torch.tensor([[[1.0, 1.0, -1.0, -1.0], [1.0, -1.0, 1.0, -1.0]]])
    assert levels(need).tolist() == [[2, 1, 0, 0]]
    told = told_groups(levels(need))
    assert told.shape == (1, CODE_DIMS, 4)
    assert told[0].sum(0).tolist() == [GROUPS * DIGITS, DIGITS, 0, 0]
    assert told[0, :DIGITS, 1].all() and not told[0, DIGITS:, 1].any()


def test_codes_and_their_numbers_are_each_others_inverse():
    code = torch.randint(0, 5, (3, CODE_DIMS, 6), generator=torch.Generator().manual_seed(1)) / 2 - 1
    again = code_values(code_index(code)).flatten(2).transpose(1, 2)
    assert torch.equal(again, code)


def test_what_need_not_be_told_is_not():
    net = Net(SMALL)
    before, after = torch.rand(2, 2, 3, SMALL.height, SMALL.width, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        net.encoder.layers[-1].bias[CODE_DIMS:] = -50.0
        assert not net.encoder(before, after, torch.ones(2)).any()
        net.encoder.layers[-1].bias[CODE_DIMS:] = 50.0
        assert net.encoder(before, after, torch.ones(2)).any()


def test_stripes_that_go_on_never_blur():
    """Two hundred frames on, every pixel of a striped land is one of the first picture's."""
    torch.manual_seed(0)
    net = Net(SMALL).eval()
    land = (torch.rand(1, 3, SMALL.height, 1) * 200 + 20).round().expand(-1, -1, -1, SMALL.width) / 255
    with torch.no_grad():
        net.bank[:, 0] = 1.5
        net.trunk.head.bias[SMALL.classes] = -50.0  # nothing is touched up
        net.painter.head.weight.zero_()
        net.painter.head.bias.zero_()
        net.painter.head.bias[12 + 4 : 12 + 4 * 2] = 50.0  # going on with the last pixel
        net.light.layers[-1].weight.zero_()
        world, controls = worlds.begin(net, (land,), torch.ones(1)), torch.tensor([[1.0, 0, 0, 0, 0, 0]])
        for _ in range(200):
            world = worlds.step(net, world, controls, torch.zeros(1, CODE_DIMS, SMALL.rows), torch.zeros(1))
    assert torch.equal(world.lattice, land)


def test_what_enters_has_grain_of_the_strength_that_is_learnt():
    """A plain land under a grain that the painter wants: as strong after two hundred frames as after forty, and no drift."""
    torch.manual_seed(0)
    net, dice = Net(SMALL).eval(), torch.Generator().manual_seed(3)
    land, found = torch.full((1, 3, SMALL.height, SMALL.width), 128 / 255), []
    with torch.no_grad():
        net.bank[:, 0] = 1.5
        net.palette.copy_(torch.tensor([0.0, 9.0]).view(2, 1, 1).expand_as(net.palette))
        net.trunk.head.bias[SMALL.classes] = -50.0
        net.painter.head.weight.zero_()
        net.painter.head.bias.zero_()
        net.painter.head.bias[12 + 4 * (PROPOSALS - 1) : 12 + 4 * PROPOSALS] = 50.0  # the row's median
        net.painter.head.bias[-8:-4], net.painter.head.bias[-4:] = 1.0, -50.0  # fine grain, no coarse
        net.light.layers[-1].weight.zero_()
        world, controls = worlds.begin(net, (land,), torch.ones(1)), torch.tensor([[1.0, 0, 0, 0, 0, 0]])
        for frame in range(200):
            white = torch.randn(1, GRAINS, SMALL.height, SMALL.strip, generator=dice)
            code = torch.zeros(1, CODE_DIMS, SMALL.rows)
            world = worlds.step(net, world, controls, code, torch.zeros(1), grain=white)
            if frame in (40, 199):
                found.append((float(world.lattice.mean()), float(world.lattice.std())))
    wanted = GRAINY / (1 + math.exp(GRAINLESS - 3))
    for mean, spread in found:
        assert abs(mean - 128 / 255) < 0.004 and 0.8 * wanted < spread < 1.2 * wanted


def test_two_meadows_are_alike_and_a_plain_green_is_not():
    dice = torch.Generator().manual_seed(4)
    one, other = (0.4 + 0.2 * torch.rand(1, 3, 32, 32, generator=dice) for _ in range(2))
    plain = torch.full_like(one, 0.5)
    assert unlikeness(one, one).max() == 0
    assert unlikeness(one, other).mean() < 0.6 * unlikeness(plain, other).mean()
    assert unlikeness(one, other).mean() < 0.2 * unlikeness(one, one + 0.4).mean()


def test_what_is_far_less_likely_than_the_likeliest_is_never_drawn():
    dice, logits = Dice(Net(SMALL)), np.zeros((1, CODES), np.float32)
    logits[0, 7], logits[0, 9] = 5.0, 3.0  # the others: a hundredth of the likeliest each, together more than it
    drawn = {tuple(dice._throw(logits)) for _ in range(300)}
    assert drawn == {tuple(dice.values[7]), tuple(dice.values[9])}


def test_how_often_something_is_told_does_not_hang_on_the_temperature():
    torch.manual_seed(5)
    net = Net(SMALL).eval()
    with torch.no_grad():
        net.prior.tell.weight.zero_()
        net.prior.tell.bias.fill_(-0.895)  # 29 %
    shares = [float(told(Dice(net, temperature=temperature), 60).mean()) for temperature in (1.0, 0.5)]
    assert abs(shares[0] - 0.29) < 0.06 and abs(shares[0] - shares[1]) < 0.06


def test_who_tells_everything_soon_tells_less():
    """A picture unlike all footage may drive the prior to tell every cell, and what that paints drives it on."""
    net = Net(SMALL).eval()
    with torch.no_grad():
        net.prior.tell.weight.zero_()
        net.prior.tell.bias.fill_(6.4)
    share = told(Dice(net), 120)
    assert share[0] > 0.9 and share[60:].mean() < 0.75


def told(dice: Dice, frames: int) -> torch.Tensor:
    """The share of the cells that is told in each frame."""
    dice.seed(6)
    image, controls = torch.full((1, 3, SMALL.height, SMALL.width), 0.5), torch.zeros(1, 6)
    past = torch.zeros(1, SMALL.memory * CODE_DIMS, SMALL.rows)
    with torch.no_grad():
        return torch.stack([dice.draw(image, past, controls)[0, :DIGITS].any(0).float().mean() for _ in range(frames)])
