"""A step of an inert world: all goes on as its row does, and the trunk is not asked.

How fast each row goes is learnt from the footage (Land.paces); nothing goes up or down. Rows go in layers (vj.train.slits), in
which what has entered keeps its shape.
"""

from dataclasses import replace

import torch

from vj.model import hidden, transport
from vj.model.net import Net
from vj.model.world import Carried, World, relight, tell


def begin(world: World) -> World:
    """The world from when it is inert: all that is in sight goes as its row."""
    return replace(world, classes=None, phase=torch.zeros_like(world.phase), behind=None, evidence=None, inert=True)


def end(world: World) -> World:
    """The world from when the trunk is asked again: what was moved by the one bank is not moved on by the other."""
    return replace(world, classes=None, phase=torch.zeros_like(world.phase), behind=None, inert=False)


def carry(net: Net, world: World, controls: torch.Tensor, noise: torch.Tensor) -> Carried:
    """The first part of a step, as vj.model.world.carry: motions are of Land.bank."""
    light = net.light(world.shown[0], tell(net, world.speeds[:, 0], controls, noise))
    lattice = relight(world.lattice, light)
    shift = net.land.bank[None] * controls[:, 0, None, None]
    total = world.phase + shift
    whole, _ = transport.split(total, False)
    classes = rows(net)[None, :, None].expand(len(lattice), -1, lattice.shape[3])
    moved, entered = transport.move(lattice, classes, whole)
    S = min(max(net.config.strip, int(whole[..., 0].max())), lattice.shape[3])
    behind = hidden.nothing(lattice.device)
    return Carried(moved, entered[..., -S:], None, None, classes, behind, light, None, shift, total - whole)


def rows(net: Net) -> torch.Tensor:
    """How each row goes: (H,) motion classes of Land.bank, the nearest to its pace."""
    return (net.land.bank[:, 0, None] - net.land.paces / net.land.unit).abs().argmin(0)
