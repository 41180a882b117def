"""How painting what enters is graded, and sketches: quick lessons in painting from codes."""

import torch
import torch.nn.functional as F

from vj.model import transport
from vj.model import world as worlds
from vj.model.net import GROUPS, Net, told_groups, whole_cells
from vj.model.planes import box, median
from vj.train.dataset import Dataset
from vj.train.losses import edge_loss, grain, slopes, unlikeness
from vj.train.roughness import Roughness

CHOOSING = 0.3  # weight of choosing between painting and going on
GRAIN = 2.0  # weight of grain that is as strong as the footage's
FLIPPED = 0.1  # share of the cells that are told though they need not be, or not though they should
COPIED = 0.004  # by so much (0..1) painting must be more alike than going on with what is there
EAGERLY = 0.02  # so much less alike what the young paint may be where it is told
STRAY, FREE = 1.5, 0.04  # by so much of how far it is from what is usual, beyond FREE, must all else be more alike untold
SKETCHED = 0.5  # share of the first steps that only sketch
SKETCHES, SKETCH = 40, 32  # pieces in one, and their rows
TONES, OFF_TONE = 13, 0.08  # rows that have one tone, and how far it may be from the footage's
NEWS = 0.015  # difference (0..1) from all that goes on, from which on a cell is news


def unlike_each(proposals: torch.Tensor, target: torch.Tensor, medians: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
    """How unlike the target (B, 3, H, S) each proposal (B, N, 3, H, S) is: (B, N, H, S). Where nothing is told, told (B, rows)
    being 0, what differs much from what is usual there (medians, see transport.usual) costs more: things go on only while they
    are told, and so they end."""
    unlike = torch.stack([unlikeness(proposal, target) for proposal in proposals.unbind(1)], 1)
    stray = ((proposals[:, :, None] - medians[:, None]).abs().mean(3).amin(2) - FREE).clamp(min=0)
    untold = (told == 0).float().repeat_interleave(4, 1)[:, None, : target.shape[2], None]
    return unlike + STRAY * untold * stray


def news(after: torch.Tensor, strip: int, newest: int = 4) -> torch.Tensor:
    """How unlike the `newest` px at the right edge are to all that goes on untold with what is beside them, within the last
    `strip` px: after (B, 3, H, W) -> (B, rows) of cells, 0..1."""
    edge, medians = after[..., -strip:], transport.usual(after, strip)
    entered = (torch.arange(strip, device=after.device) >= strip - newest).expand(len(edge), 1, edge.shape[2], -1)
    untold = edge.new_zeros(len(edge), -(-edge.shape[2] // 4))
    unlike = unlike_each(transport.go_on(edge, entered, medians), edge, medians, untold).amin(1)[:, None]
    return whole_cells(unlike[..., -newest:]).unflatten(2, (-1, 4)).mean((1, 3, 4))


def tone(world: torch.Tensor, true: torch.Tensor, strip: int) -> torch.Tensor:
    """How much lighter, warmer .. the rows of a world are than the footage's near the strip, and in what of it has long
    entered: world, true (B, 3, H, W) -> (B, 3, H, 1), at most OFF_TONE. What enters is to be of the world's own tone: else a box
    stands around all that is told. A row that stands out alone has no tone of its own."""
    known = slice(max(0, world.shape[3] - strip * 4 // 3), world.shape[3] - strip // 3)
    return box(median((world - true)[..., known]), TONES, 1).clamp(-OFF_TONE, OFF_TONE)


def grade_paint(painted, choice, proposals, pasted, target, missing, rows, medians, told, young=False) -> torch.Tensor:
    """How like the target what is painted is, most of all where nothing goes on with it, and whether it is known where to
    paint. All (B, ..., H, S); proposals (B, 1 + copies, 3, H, S); pasted: what was known, painted where it is not; medians and
    told as in unlike_each; young: what is told is painted, though badly, and its code soon says something."""
    detail = sum(F.pad(slope.abs().mean(1, keepdim=True), pad) for slope, pad in
                 zip(slopes(target), ((1, 0, 0, 0), (0, 0, 1, 0)), strict=True))  # fmt: skip
    with torch.no_grad():
        unlike = unlike_each(proposals, target, medians, told)
        unlike[:, 0] += COPIED
        if young:
            unlike[:, 0] -= EAGERLY * (told > 0).float().repeat_interleave(4, 1)[:, : target.shape[2], None]
        new = (unlike[:, 1:].amin(1, keepdim=True) / 0.05).clamp(0, 1)  # what nothing goes on with: to be painted
    weight = (0.05 + missing * rows * (0.3 + 6 * new)) * (1 + 12 * box(box(detail)))
    paint = ((painted - target).abs() * weight).mean() * 2
    paint = paint + edge_loss(pasted, target, 0.1 + box(missing * (0.5 + 2 * new)))
    likely = -torch.logsumexp(F.log_softmax(choice, 1) - unlike / 0.02, 1, keepdim=True)
    return paint + CHOOSING * (likely * missing * rows).mean()


def grade_grain(painted, choice, proposals, known, rough, target, missing, rows) -> torch.Tensor:
    """How unlike the target's the grain is, of all that gets some (see worlds.fill), by how likely each is chosen."""
    likely, wanted, wrong = torch.softmax(choice.detach(), 1), grain(target), 0.0
    weight = missing * rows
    for which, smooth in ((0, painted.detach()), *((w, proposals[:, w] - rough.detach()) for w in range(-worlds.MEDIANS, 0))):
        off = grain(torch.where(missing > 0, smooth + rough, known)) - wanted
        wrong = wrong + (off.abs().sum(1, keepdim=True) * likely[:, which, None] * weight).mean()
    return GRAIN * wrong


def sketch(net: Net, dataset: Dataset, rough: Roughness, device: str, level: int) -> torch.Tensor:
    """A quick lesson in painting from codes: many small pieces of the footage's edge, from where most stands, of which the
    last px are missing. Neither the trunk nor its features take part. level: by how many groups what is news is told."""
    S, tall = net.config.strip, min(SKETCH, net.config.height)
    before, after, speed = (part.to(device) for part in dataset.edges(SKETCHES, S + transport.USUAL))
    stands = whole_cells((after[..., -9:-1] - after[..., -8:]).abs().mean((1, 3), keepdim=True))[:, 0, :, 0]
    cells = stands.unflatten(1, (-1, 4)).sum(2) * rough.random(len(stands), stands.shape[1] // 4)
    first = (cells.argmax(1, keepdim=True) * 4 - tall // 2).clamp(0, after.shape[2] - tall) // 4 * 4
    rows = (first + torch.arange(tall, device=device))[:, None, :, None].expand(-1, 3, -1, after.shape[3])
    before, after = before.gather(2, rows), after.gather(2, rows)
    code, _ = net.encoder.parts(before, after, speed)
    gate = (news(after, S) > NEWS).long() * level
    dice = (rough.random(*gate.shape) * (GROUPS + 1)).long()
    told = torch.where(rough.random(*gate.shape) < FLIPPED, dice, gate)
    code = code * told_groups(told)
    target = after[..., -S:]
    missing = rough.bands(target[:, :1])
    features = target.new_zeros(len(after), net.config.widths[0], tall // 2, S // 2)
    usual = transport.usual(after, S)
    painted, choice, _ = (out.float() for out in net.painter(target, missing, usual[:, 1], features, code))
    _, proposals, _ = worlds.fill(target, missing > 0, usual, painted, choice, 0.0, told)
    weight = (4 / missing.sum(3, keepdim=True).clamp(min=1)) ** 0.7
    pasted = torch.where(missing > 0, painted, target)
    return grade_paint(painted, choice, proposals, pasted, target, missing, weight, usual, told, level == 1)
