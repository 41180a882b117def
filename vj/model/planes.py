"""Means, medians and maxima over planes, and planes twice the size, quickly.

They give what torch's avg_pool2d, median, argmax and interpolate give; those are three to thirty times as slow on the CPUs
tried (torch 2.13, one thread), and were a quarter of a frame. Pure functions of tensors.
"""

import functools

import numpy as np
import torch
import torch.nn.functional as F

GRAINS = 2  # of what is finer than is told: fine and coarse


def grained(strength: torch.Tensor, grain: torch.Tensor) -> torch.Tensor:
    """How much lighter or darker each pixel is, of normal numbers, both (B, GRAINS, H, S): (B, 1, H, S). The second grain is
    coarse. Noise whose strength is learnt, as in StyleGAN (Karras et al. 2019): what cannot be foretold need not be told."""
    return strength[:, :1] * grain[:, :1] + strength[:, 1:] * 3 * box(grain[:, 1:], counted=False)


def box(x: torch.Tensor, tall: int = 3, wide: int = 3, counted: bool = True) -> torch.Tensor:
    """Mean over tall x wide (odd) around each pixel, same size. (..., H, W).

    counted: over the pixels that are inside the picture; else what lies outside counts as 0. uint8 is for sums below 256 alone.
    """
    H, W = x.shape[-2:]
    p = F.pad(x, (0, 0, tall // 2, tall // 2))
    rows = sum((p[..., k : k + H, :] for k in range(2, tall)), p[..., 1 : 1 + H, :]) + p[..., :H, :] if tall > 1 else x
    p = F.pad(rows, (wide // 2, wide // 2))
    total = sum((p[..., k : k + W] for k in range(2, wide)), p[..., 1 : 1 + W]) + p[..., :W] if wide > 1 else rows
    total = total if total.is_floating_point() else total.float()
    return total * _share(H, W, tall, wide, x.device, total.dtype) if counted else total / (tall * wide)


def blur(x: torch.Tensor) -> torch.Tensor:
    """Twice the mean over 5 x 5 around each pixel, same size; what lies outside counts as 0. (B, C, H, W), as a convolution of
    each channel apart: in bfloat16 a third of what shifted slices cost."""
    C = x.shape[1]
    tall, wide = _fives(C, x.device, x.dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    for _ in range(2):
        x = F.conv2d(F.conv2d(x, tall, padding=(2, 0), groups=C), wide, padding=(0, 2), groups=C)
    return x


@functools.lru_cache(maxsize=16)
@torch.inference_mode(False)
def _fives(channels: int, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Means of five down and of five across, for so many channels."""
    mean = torch.full((channels, 1, 5, 1), 0.2, device=device, dtype=dtype)
    return mean, mean.transpose(2, 3).contiguous()


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # the show may ask first, and training could not use what it is given then
def _share(H: int, W: int, tall: int, wide: int, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """1 over how many pixels of the box around each pixel are inside: (H, W)."""
    sides = []
    for size, reach in ((H, tall // 2), (W, wide // 2)):
        place = torch.arange(size, device=device)
        sides.append((place + reach).clamp(max=size - 1) - (place - reach).clamp(min=0) + 1)
    return (1 / (sides[0][:, None] * sides[1])).to(dtype)


def unshuffled(x: torch.Tensor) -> torch.Tensor:
    """F.pixel_unshuffle by 2, channels last: (B, C, H, W) -> (B, 4 C, H/2, W/2). Two px that stay together go as one number of
    twice the size: a quarter of the time."""
    if x.device.type != "cpu" or x.requires_grad:
        return F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last)
    pairs = x.contiguous().view(torch.int64 if x.element_size() == 4 else torch.int32)
    pairs = pairs.unflatten(2, (-1, 2)).transpose(2, 3).flatten(1, 2).contiguous(memory_format=torch.channels_last)
    return pairs.permute(0, 2, 3, 1).view(x.dtype).permute(0, 3, 1, 2)


def median(x: torch.Tensor) -> torch.Tensor:
    """Of each row, of an even number the lower: (..., W) float32 -> (..., 1). By numpy where it can be: torch takes ten times
    as long."""
    if x.device.type != "cpu" or x.requires_grad:
        return x.median(-1, keepdim=True).values
    middle = (x.shape[-1] - 1) // 2
    return torch.from_numpy(np.partition(x.numpy(), middle)[..., middle : middle + 1].copy())


def best(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The greatest of the channels and which it is, the last of equals: (..., K, H, W) -> two (..., 1, H, W)."""
    value, number = x.amax(-3, keepdim=True), torch.arange(x.shape[-3], dtype=x.dtype, device=x.device)
    if x.device.type == "cpu":  # as numbers, not as bool: that comparison takes four times as long
        same = torch.eq(x.detach(), value.detach(), out=torch.empty_like(x, requires_grad=False))
    else:
        same = (x == value).to(x.dtype)
    return value, same.mul_(number.view(-1, 1, 1)).amax(-3, keepdim=True).long()


def doubled(x: torch.Tensor) -> torch.Tensor:
    """Twice the size, bilinear, edges repeated, with the even and odd rows and columns still apart: (B, C, H, W) ->
    (B, 2, 2, C, H, W). What is chosen among its channels is put `together` sooner than they are."""
    p = F.pad(x, (1, 1, 1, 1), mode="replicate")
    middle = p[:, :, 1:-1] * 0.75
    rows = torch.stack([middle.add(p[:, :, :-2], alpha=0.25), middle.add(p[:, :, 2:], alpha=0.25)], 1)
    middle = rows[..., 1:-1] * 0.75
    return torch.stack([middle.add(rows[..., :-2], alpha=0.25), middle.add(rows[..., 2:], alpha=0.25)], 2)


def together(x: torch.Tensor) -> torch.Tensor:
    """(B, 2, 2, C, H, W), even and odd rows and columns apart -> (B, C, 2 H, 2 W)."""
    return x.permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)


def double(x: torch.Tensor) -> torch.Tensor:
    """Twice the size, bilinear, edges repeated: (B, C, H, W) -> (B, C, 2 H, 2 W)."""
    return together(doubled(x))
