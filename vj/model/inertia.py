"""A step of an inert world: what has entered goes on as it entered, and the trunk is not asked.

How fast each row goes mostly is learnt from the footage (Land.paces), and how much faster or slower a thing in it goes comes
with it when it enters (vj.model.land). Each pixel keeps that, wherever it goes; nothing goes up or down.

Sources: see vj.model.hidden.
"""

from dataclasses import replace

import numpy as np
import torch

from vj.model import hidden, planes, transport
from vj.model.net import Net
from vj.model.world import COMPANY, Carried, World, brought_by, relight, tell

NEARLY, STAYS = (0.1, 0.2), 0.5  # px a frame, share of the pace, that is a step off; what it costs not to go as till now
PARTS, EDGE = 10.0, 0.25  # what it costs that rows part where they are alike; difference of colour where it costs a third
KEEPS = 6.0  # log odds for what goes on as it did


def begin(net: Net, world: World) -> World:
    """The world from when it is inert: all that is in sight goes as its row."""
    rows = _nearest(net, net.land.paces / net.land.unit)
    classes = rows[None, :, None].expand(len(world.lattice), -1, world.lattice.shape[3]).contiguous()
    return replace(world, classes=classes, phase=torch.zeros_like(world.phase), behind=None, evidence=None, inert=True)


def end(world: World) -> World:
    """The world from when the trunk is asked again: what was moved by the one bank is not moved on by the other."""
    return replace(world, classes=None, phase=torch.zeros_like(world.phase), behind=None, inert=False)


def carry(net: Net, world: World, controls: torch.Tensor, noise: torch.Tensor, enters: torch.Tensor) -> Carried:
    """The first part of a step, as vj.model.world.carry: what is quicker goes before what is slower. enters (H,): motion classes
    of what enters, of Land.bank."""
    bank = net.land.bank
    light = net.light(world.shown[0], tell(net, world.speeds[:, 0], controls, noise))
    lattice = relight(world.lattice, light)
    shift = bank[None] * controls[:, 0, None, None]
    total = world.phase + shift
    whole, _ = transport.split(total, False)
    brought = brought_by(world.classes, whole)
    length = brought * (1 + bank[:, 0]).view(1, -1, 1, 1)
    quickest = length.amax(1, keepdim=True)  # nearer, and so before what is slower
    off = (bank[:, 0, None] - bank[enters.view(-1, 2)[:, 0], 0]).abs()[..., None]
    logits = COMPANY * planes.box(brought, 5, 5) + KEEPS * brought * (length == quickest) - off * (quickest == 0)
    classes = planes.together(planes.best(planes.doubled(logits))[1])[:, 0]
    moved, entered = transport.move(lattice, classes, whole)
    behind = world.behind or hidden.nothing(lattice.device)
    moved, classes, behind = hidden.step(behind, lattice, light, world.classes, moved, classes, whole, bank)
    S = min(max(net.config.strip, int(whole[..., 0].max())), lattice.shape[3])
    opened = entered[..., -S:]
    classes[..., -S:] = torch.where(opened[:, 0], enters[:, None], classes[..., -S:])
    return Carried(moved, opened, None, None, classes, behind, light, None, shift, total - whole)


def _nearest(net: Net, paces: torch.Tensor) -> torch.Tensor:
    """Motion classes (H,) of Land.bank nearest to paces (H,) px a frame at speed 1."""
    return (net.land.bank[:, 0, None] - paces).abs().argmin(0)


def as_one(net: Net, paces: torch.Tensor, colours: torch.Tensor, before: torch.Tensor | None) -> torch.Tensor:
    """Motion classes (H,) of Land.bank for what enters so fast, paces (H,) px a frame at speed 1, of these colours (3, H): near
    those, but changing from row to row seldom, and where colours do: what stands is of one piece. before (H,): last ones.

    The best path through all rows (Viterbi 1967; the Potts model, cheaper at edges, as in Boykov, Veksler, Zabih 2001).
    """
    bank, paces = net.land.bank[:, 0].cpu().numpy(), paces.cpu().numpy()[:, None]
    off = np.abs(bank - paces) / (NEARLY[0] + NEARLY[1] * paces)
    if before is not None:
        off += STAYS * (np.arange(len(bank)) != before.cpu().numpy()[:, None])
    edge = colours.diff(dim=1).abs().sum(0).cpu().numpy()
    parts = PARTS * np.exp(-edge / EDGE)
    whole, came = off.copy(), np.zeros(off.shape, int)
    for row in range(1, len(off)):
        best = whole[row - 1].argmin()
        other = whole[row - 1, best] + parts[row - 1]
        came[row] = np.where(whole[row - 1] <= other, np.arange(len(bank)), best)
        whole[row] += np.minimum(whole[row - 1], other)
    classes = np.empty(len(off), int)
    classes[-1] = whole[-1].argmin()
    for row in range(len(off) - 1, 0, -1):
        classes[row - 1] = came[row, classes[row]]
    return torch.from_numpy(classes).to(net.land.bank.device)
