"""Moving pixels whole: sampling, shifting and gathering that never resamples a pixel twice.

A picture that is warped bilinearly again and again turns to soup (0.9 sharpness a step is nothing after 50 steps).
So the world lives on the pixel grid: `lattice` is moved by whole pixels only, and the fraction that is left over for
each motion class is kept as its `phase`, like a tape that is wound on. What is shown is the lattice sampled once at
that phase (Lanczos-3, quarter pixels). Knows tensors and numbers, no network.
"""

import functools
import math

import torch
import torch.nn.functional as F

from vj.model.planes import median

QUARTERS = (-1, 0, 1, 2)  # the four phases at which a picture can be sampled between two pixels
PAD = 3  # px, reach of the Lanczos-3 window


@functools.cache
def _taps(quarter: int) -> tuple[float, ...]:
    """Weights of the pixels at -2..3 around a sampling point `quarter`/4 px to the right (Lanczos-3, sum 1)."""
    distances = [abs(tap - quarter / 4) for tap in range(-2, 4)]
    lanczos = [
        1.0 if d < 1e-9 else (0.0 if d >= 3 else 3 * math.sin(math.pi * d) * math.sin(math.pi * d / 3) / (math.pi * d) ** 2)
        for d in distances
    ]
    return tuple(weight / sum(lanczos) for weight in lanczos)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # the show may ask first, and training could not use what it is given then
def _table(quarters: tuple[int, ...], device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """The taps of each of the quarters: (6, P, 1, 1)."""
    return torch.tensor([_taps(quarter) for quarter in quarters], device=device, dtype=dtype).T[..., None, None].contiguous()


def _sampled(image: torch.Tensor, dim: int, quarters: tuple[int, ...] = QUARTERS) -> torch.Tensor:
    """(B, C, H, W) -> (B, C, P, H, W): sampled so many quarters of a px further along dim (3 = x, 2 = y), edges repeated."""
    pad = (2, 3, 0, 0) if dim == 3 else (0, 0, 2, 3)
    padded, size = F.pad(image, pad, mode="replicate")[:, :, None], image.shape[dim]
    first, *others = _table(quarters, image.device, image.dtype)
    total = padded.narrow(dim + 1, 0, size) * first
    for tap, weights in enumerate(others, 1):
        total += padded.narrow(dim + 1, tap, size) * weights
    return total


def phases(image: torch.Tensor, vertical: bool) -> torch.Tensor:
    """(B, C, H, W) -> (B, P, C, H, W): the picture at each sub-pixel phase, P = 4 (x) or 8 (x, then half pixels in y)."""
    across = _sampled(image, 3)
    if vertical:
        across = torch.cat([across, _sampled(across.flatten(1, 2), 2, (2,)).view_as(across)], 2)
    return across.transpose(1, 2)


def halfway(image: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W), sampled half a px further in x."""
    return _sampled(image, 3, (2,))[:, :, 0]


def split(total: torch.Tensor, vertical: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Displacements (..., 2) px -> whole pixels (..., 2) int64 and the index (...) of the phase that is left over."""
    x4 = torch.round(total[..., 0] * 4)
    whole_x = torch.floor((x4 + 1) / 4)
    phase = (x4 - whole_x * 4 + 1).long()
    if vertical:
        y2 = torch.round(total[..., 1] * 2)
        whole_y = torch.floor(y2 / 2)
        phase = phase + 4 * (y2 - whole_y * 2).long()
    else:
        whole_y = torch.zeros_like(whole_x)
    return torch.stack([whole_x, whole_y], -1).long(), phase


def candidates(image: torch.Tensor, total: torch.Tensor, vertical: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Every class's proposal for the next frame.

    image (B, C, H, W), total (B, K, 2) px -> proposals (B, K, C, H, W) and entered (B, K, 1, W) bool: columns whose
    source lies beyond the right edge, so that only painting can fill them.
    """
    B, _, H, W = image.shape
    whole, phase = split(total, vertical)
    reach = int(whole.abs().max()) + 1
    planes = F.pad(phases(image, vertical).flatten(1, 2), (reach, reach, reach, reach), mode="replicate")
    planes = planes.unflatten(1, (-1, image.shape[1]))
    rows = [
        planes[b, phase[b, k], :, reach + y : reach + y + H, reach + x : reach + x + W]
        for b in range(B)
        for k, (x, y) in enumerate(whole[b].tolist())
    ]
    column = torch.arange(W, device=image.device)
    entered = column[None, None] + total[..., :1] > W - 0.75
    return torch.stack(rows).unflatten(0, (B, -1)), entered[:, :, None]


def unlike(now: torch.Tensor, before: torch.Tensor, total: torch.Tensor, vertical: bool) -> torch.Tensor:
    """How unlike each class's proposals are to what is there now: the sum over N pictures before, the mean of each 2x2 px.

    now (B, 1, H, W), before (B, N, H, W), H and W even, total (B, N, K, 2) px from each of them -> (B, K, H/2, W/2). Pictures
    lie on their side here, even and odd rows and columns apart: one call moves all classes, and sums go along memory.
    """
    B, N, H, W = before.shape
    K, device = total.shape[2], now.device
    number = torch.arange(B * N, device=device).view(B, N, 1, 1)
    whole, which = split(total, vertical)
    if vertical:
        planes = phases(before.flatten(0, 1)[:, None], True)
        rows = (torch.arange(H, device=device) + whole[..., 1:]).clamp(0, H - 1)
        rows += (which[..., None] + number * planes.shape[1]) * H
        planes, which = planes.flatten(0, 3).index_select(0, rows.flatten()), torch.arange(K, device=device)
        planes = _lain(planes.view(B, N * K, H, W))
    else:
        planes = _sampled(_lain(before).flatten(1, 2), 2)  # (2, B N, P, W, H/2)
    each = planes.shape[1] * planes.shape[2] // (B * N)
    every = torch.arange(W, device=device).view(-1, 2).T.flatten()  # columns, the even ones first
    columns = (every + whole[..., :1]).clamp(0, W - 1) + (which[..., None] + number * each) * W
    moved = planes.flatten(1, 3).index_select(1, columns.flatten()).view(2, B, N, K, W, H // 2)
    here = _lain(now).index_select(3, every)[:, :, None]
    apart = moved.sub_(here).abs_()
    wrong = sum(apart.unbind(2)[1:], apart[:, :, 0])
    (a, b), (c, d) = (half.unflatten(2, (2, -1)).unbind(2) for half in wrong)
    return ((a + b + c + d) / 4).transpose(2, 3)


def _lain(image: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (2, B, C, W, H/2): the even rows and the odd ones, as columns."""
    return image.unflatten(2, (-1, 2)).movedim(3, 0).transpose(3, 4).contiguous()


def _flat(classes: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Where each pixel comes from, (B, H W) in its picture, and whether that is beyond the right edge (B, 1, H, W)."""
    _B, H, W = classes.shape
    numbers = classes.flatten(1)
    x, y = (whole[..., i].gather(1, numbers).view_as(classes) for i in (0, 1))
    x += torch.arange(W, device=classes.device)
    y += torch.arange(H, device=classes.device)[:, None]
    entered = x > W - 1
    return (y.clamp_(0, H - 1).mul_(W).add_(x.clamp_(0, W - 1))).flatten(1), entered[:, None]


def move(image: torch.Tensor, classes: torch.Tensor, whole: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Moves pixels whole. image (B, C, H, W), classes (B, H, W), whole (B, K, 2) px.

    Returns the moved picture and entered (B, 1, H, W) bool: pixels whose source lies beyond the right edge.
    """
    B, C, H, W = image.shape
    source, entered = _flat(classes, whole)
    moved = image.flatten(2).gather(2, source[:, None].expand(-1, C, -1)).view(B, C, H, W)
    return moved, entered


def sample(image: torch.Tensor, classes: torch.Tensor, total: torch.Tensor, vertical: bool) -> torch.Tensor:
    """The picture sampled once at each pixel's own class displacement total (B, K, 2) px: (B, C, H, W)."""
    B, C, H, W = image.shape
    whole, phase = split(total, vertical)
    source, _ = _flat(classes, whole)
    index = source + (phase * (H * W)).gather(1, classes.flatten(1))
    planes = phases(image, vertical).transpose(1, 2).flatten(2)  # (B, C, P*H*W)
    return planes.gather(2, index[:, None].expand(-1, C, -1)).view(B, C, H, W).clamp(0, 1)


USUAL, AROUND = 57, 5  # px of a row left of the strip whose median is a proposal, and rows over which another is the median
RECENT = 11  # px left of what has entered whose median is the last one
PROPOSALS = 4  # of what goes on: the last pixel, and three medians


def drawn_on(strip: torch.Tensor, entered: torch.Tensor) -> torch.Tensor:
    """strip (B, C, H, S) with what has entered, (B, 1, H, S) bool, as its row's last known pixel to the left."""
    return _columns(strip, _last_known(entered[:, 0]))


def _columns(strip: torch.Tensor, which: torch.Tensor) -> torch.Tensor:
    """(B, C, H, S), columns (B, H, N) of it -> (B, C, H, N)."""
    return strip.gather(3, which[:, None].expand(-1, strip.shape[1], -1, -1))


def _last_known(entered: torch.Tensor) -> torch.Tensor:
    """(B, H, S) bool -> the nearest column to the left, or here, that has not entered."""
    column = torch.arange(entered.shape[2], device=entered.device).expand(entered.shape)
    return torch.where(entered, -1, column).cummax(2).values.clamp(min=0)


def usual(moved: torch.Tensor, strip: int) -> torch.Tensor:
    """Each row's median colour left of the last `strip` px, and the median of those of the rows around it, for a row may be
    a streak: (B, C, H, W) -> (B, 2, C, H, 1)."""
    W = moved.shape[3]
    left = moved[..., max(0, W - strip - USUAL) : W - strip : 2]
    rows = median(left[..., 1 - left.shape[3] % 2 :])  # of an even number it would be the lower: a drift
    padded = F.pad(rows, (0, 0, AROUND // 2, AROUND // 2), mode="replicate")
    return torch.stack([rows, median(padded.unfold(2, AROUND, 1))[..., 0]], 1)


def go_on(strip: torch.Tensor, entered: torch.Tensor, medians: torch.Tensor) -> torch.Tensor:
    """Proposals for what has entered: what is to its left, gone on with.

    strip (B, C, H, S), entered (B, 1, H, S) bool, medians (B, 2, C, H, 1) of the rows, see `usual` -> (B, PROPOSALS, C, H, S):
    the row's last known pixel drawn on, so that a line goes on for ever and never blurs; what the row, and what those around
    it, are usually, and what it was just now, so that a line may end.
    """
    last = _last_known(entered[:, 0])
    latest = (last[..., -1:] - torch.arange(RECENT, device=strip.device)).clamp(min=0)
    recent = median(_columns(strip, latest))
    medians = (torch.where(entered, value, strip) for value in (*medians.unbind(1), recent))
    return torch.stack([_columns(strip, last), *medians], 1)
