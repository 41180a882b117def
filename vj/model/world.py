"""One step of the imagined world, for one picture or a batch: the same for the show and for training on one's own output.

Knows the network and how pixels are moved; knows no time, no music and no weights file.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from vj.model import transport
from vj.model.net import CODE_DIMS, HISTORY, ZONE, Net

HOMING = 0.1  # of the way, each frame, that a row of foreign colour goes back
LOYALTY = 2.0  # by how much another class must be likelier (log odds) before a pixel leaves its own


@dataclass(frozen=True, slots=True)
class World:
    """All that the next frame can depend on. B worlds at once; colours are multiples of 1/255."""

    lattice: torch.Tensor  # (B, 3, H, W) 0..1, moved by whole pixels only
    shown: tuple[torch.Tensor, ...]  # last frames as shown, newest first, each (B, 3, H, W)
    phase: torch.Tensor  # (B, K, 2) px, how far each motion class is ahead of the lattice
    speed: torch.Tensor  # (B,) of the last step
    codes: torch.Tensor  # (B, memory * D, rows), newest first
    classes: torch.Tensor | None = None  # (B, H, W) motion class of each pixel in the newest frame
    moved: torch.Tensor | None = None  # (B, K, 2) px, each class's displacement in the last step
    bound: torch.Tensor | None = None  # (B, H, W) as classes, -1 where a pixel was just painted over and is bound to none


def begin(net: Net, frames: tuple[torch.Tensor, ...], speed: torch.Tensor) -> World:
    """A world that starts from real frames (newest first, at least one; the oldest is repeated)."""
    depth = HISTORY[-1] + 1
    frames = (frames + (frames[-1],) * depth)[:depth]
    B, config = frames[0].shape[0], net.config
    device = frames[0].device
    phase = torch.zeros(B, config.classes, 2, device=device)
    codes = torch.zeros(B, config.memory * CODE_DIMS, config.rows, device=device)
    return World(frames[0], tuple(frames), phase, speed, codes)


def tell(world: World, controls: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What the trunk and the light are told: (B, TOLD). controls (B, 6), noise (B,) standard deviation 0..0.1."""
    return torch.stack([world.speed * 0.5, controls[:, 0] * 0.5, controls[:, 4], controls[:, 5], noise * 10], 1)


def history(world: World) -> torch.Tensor:
    """(B, 9, H, W): the frames that the trunk sees, newest first."""
    return torch.cat([world.shown[back] for back in HISTORY], 1)


def misfit(net: Net, world: World) -> torch.Tensor:
    """(B, K, H/2, W/2) 0..1: how badly each class's displacement explains the last step shown, in luma."""
    now, before = (_luma(frame) for frame in world.shown[:2])
    moved, _ = transport.candidates(before, net.bank[None] * world.speed[:, None, None], moves_down(net))
    return (F.avg_pool2d((moved[:, :, 0] - now).abs(), 2) * 10).clamp(0, 1)


def _luma(frame: torch.Tensor) -> torch.Tensor:
    return frame[:, :1] * 0.299 + frame[:, 1:2] * 0.587 + frame[:, 2:] * 0.114


def relight(image: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """image (B, 3, H, W) under a gain for each colour (B, 3)."""
    return (image * (1 + light[:, :, None, None])).clamp(0, 1)


def quantise(image: torch.Tensor) -> torch.Tensor:
    """To 8 bit and back: the network is trained on what it will be fed (DIAMOND, Alonso et al. 2024)."""
    exact = image.float().clamp(0, 1)
    coarse = (exact * 255).round() / 255
    return exact + (coarse - exact).detach() if exact.requires_grad else coarse  # a gradient goes straight through


@dataclass(frozen=True, slots=True)
class Carried:
    """The picture moved on, before anything is painted: what the trunk and the light said, and what came of it."""

    logits: torch.Tensor  # (B, K+1, H, W), the touch-up last
    colours: torch.Tensor  # (B, 3, H, W) 0..1, of the touch-up
    features: torch.Tensor  # (B, a, H/2, W/2)
    light: torch.Tensor  # (B, 3)
    lattice: torch.Tensor  # (B, 3, H, W), under the new light, not yet moved
    moved: torch.Tensor  # (B, 3, H, W), moved by whole pixels and touched up
    entered: torch.Tensor  # (B, 1, H, W) bool: what only painting can fill
    classes: torch.Tensor  # (B, H, W)
    shift: torch.Tensor  # (B, K, 2) px in this step
    phase: torch.Tensor  # (B, K, 2) px, afterwards


def carry(net: Net, world: World, controls, code, noise, whole_picture=None) -> Carried:
    """Moves everything on that is there. Arguments as for `step`."""
    vertical, K = moves_down(net), net.config.classes
    told = tell(world, controls, noise)
    dtype = next(net.trunk.parameters()).dtype
    logits, colours, features, _ = net.trunk(history(world).to(dtype), misfit(net, world).to(dtype), told.to(dtype), code)
    light = net.light(world.shown[0] if whole_picture is None else whole_picture, told, net.usual).float()
    lattice = relight(world.lattice, light)
    shift = net.bank[None] * controls[:, 0, None, None]
    total = world.phase + shift
    whole, _ = transport.split(total, vertical)
    classes = _steady(logits[:, :K], world, whole)
    moved, entered = transport.move(lattice, classes, whole)
    touched = (logits[:, K:] > logits[:, :K].logsumexp(1, keepdim=True)) & _goes(controls)
    moved = torch.where(touched, colours.float(), moved)
    return Carried(logits, colours, features, light, lattice, moved, entered, classes, shift, total - whole)


def paint(net: Net, carried: Carried, code: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The painter's strip (B, 3, H, S) and its log odds of painting over (B, 1, H, S)."""
    S = net.config.strip
    strip = carried.moved[..., -S:], carried.entered[..., -S:].float()
    painted, over = net.painter(*strip, *rows_of(carried.moved), carried.features, code)
    return painted.float(), over.float()


def rows_of(moved: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and median colour of each row, (B, 3, H, 1); the median of every fourth pixel, for speed."""
    return moved.mean(3, keepdim=True), moved[..., ::4].median(3, keepdim=True).values


def settle(net: Net, world: World, controls, code, carried: Carried, painted, over) -> World:
    """Puts the painted strip in its place; the next world."""
    S = net.config.strip
    again = (over > 0) & _goes(controls)
    again[..., : S - ZONE] = False
    moved = carried.moved
    strip = torch.where(carried.entered[..., -S:] | again, painted, moved[..., -S:])
    lattice = quantise(_homely(net, torch.cat([moved[..., :-S], strip], 3), _goes(controls)))
    shown = quantise(transport.sample(lattice, carried.classes, carried.phase, moves_down(net)))
    past = [relight(frame, carried.light) for frame in world.shown[:-1]]  # else a change of light looks like nothing moved
    bound = carried.classes.clone()  # who was painted over owes its old class nothing
    bound[..., -ZONE:][again[:, 0, :, -ZONE:]] = -1
    return World(
        lattice, (shown, *past), carried.phase, controls[:, 0], torch.cat([code, world.codes[:, :-CODE_DIMS]], 1),
        carried.classes, carried.shift, bound,
    )  # fmt: skip


def _homely(net: Net, lattice: torch.Tensor, goes: torch.Tensor) -> torch.Tensor:
    """Rows whose median colour is none that the footage has there go back a little, whatever stands in them.

    Errors of colour add up over thousands of own frames; held to the footage's own statistics they do not (a cheap
    relative of the correctors to an invariant measure: Thermalizer, Pedersen et al. 2025). Within them nothing is touched.
    """
    median = lattice[..., ::4].median(3, keepdim=True).values
    low, high = net.palette[:, None, :, :, None] * _luma(lattice).mean((1, 2, 3)).view(1, -1, 1, 1, 1)
    return lattice + HOMING * (median.clamp(low, high) - median) * goes


def step(
    net: Net,
    world: World,
    controls: torch.Tensor,
    code: torch.Tensor,
    noise: torch.Tensor,
    whole_picture: torch.Tensor | None = None,
) -> World:
    """The next world. controls (B, 6), code (B, D, rows) of what enters, noise (B,) told of the history.

    whole_picture (B, 3, H, W): where the light is read from, for worlds that are only the right part of a picture.
    """
    carried = carry(net, world, controls, code, noise, whole_picture)
    return settle(net, world, controls, code, carried, *paint(net, carried, code))


def moves_down(net: Net) -> bool:
    """Whether any class moves up or down."""
    return bool((net.bank[:, 1] != 0).any())


def _goes(controls: torch.Tensor) -> torch.Tensor:
    """(B, 1, 1, 1): who stands paints nothing."""
    return (controls[:, 0] > 0).view(-1, 1, 1, 1)


def _steady(logits: torch.Tensor, world: World, whole: torch.Tensor) -> torch.Tensor:
    """Each pixel's class (B, H, W): the best one, or the one it had before if that is nearly as good.

    A pixel that wavers between two classes is torn off its neighbours: an object would fray on its way.
    """
    logits = F.avg_pool2d(logits, (5, 3), 1, (2, 1), count_include_pad=False)  # one row alone never goes its own way
    best = logits.argmax(1)
    if world.bound is None:
        return best
    before, entered = transport.move(world.bound[:, None], best, whole)
    value = logits.gather(1, best[:, None])
    kept = logits.gather(1, before.clamp(min=0)) + LOYALTY
    return torch.where((kept > value) & ~entered & (before >= 0), before, best[:, None])[:, 0]
