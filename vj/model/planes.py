"""Means, halves and maxima over planes, as sums of shifted slices.

They give what torch's avg_pool2d and argmax give; those are ten to thirty times as slow on the CPUs tried (torch 2.13, one
thread), and were a sixth of a frame. Pure functions of tensors.
"""

import functools

import torch
import torch.nn.functional as F


def box(x: torch.Tensor, tall: int = 3, wide: int = 3, counted: bool = True) -> torch.Tensor:
    """Mean over tall x wide (odd) around each pixel, same size. (..., H, W).

    counted: over the pixels that are inside the picture; else what lies outside counts as 0.
    """
    H, W = x.shape[-2:]
    p = F.pad(x, (0, 0, tall // 2, tall // 2))
    rows = sum(p[..., k : k + H, :] for k in range(1, tall)) + p[..., :H, :] if tall > 1 else x
    p = F.pad(rows, (wide // 2, wide // 2))
    total = sum(p[..., k : k + W] for k in range(1, wide)) + p[..., :W] if wide > 1 else rows
    return total * _share(H, W, tall, wide, x.device, x.dtype) if counted else total / (tall * wide)


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


def halve(x: torch.Tensor) -> torch.Tensor:
    """Mean of each 2x2 pixels: (..., H, W), both even, -> (..., H/2, W/2)."""
    return (x[..., ::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, ::2] + x[..., 1::2, 1::2]) / 4


def best(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The greatest of up to 256 channels and which it is, the last of equals: (B, K, H, W) -> two (B, 1, H, W)."""
    value = x.amax(1, keepdim=True)
    number = torch.arange(x.shape[1], dtype=torch.uint8, device=x.device).view(1, -1, 1, 1)
    return value, ((x == value).byte() * number).amax(1, keepdim=True).long()


def double(x: torch.Tensor) -> torch.Tensor:
    """Twice the size, bilinear, edges repeated: (B, C, H, W) -> (B, C, 2 H, 2 W)."""
    p = F.pad(x, (1, 1, 1, 1), mode="replicate")
    middle = p[:, :, 1:-1] * 0.75
    rows = torch.stack([middle + p[:, :, :-2] * 0.25, middle + p[:, :, 2:] * 0.25], 3)
    middle = rows[..., 1:-1] * 0.75
    both = torch.stack([middle + rows[..., :-2] * 0.25, middle + rows[..., 2:] * 0.25], 5)
    return both.flatten(4, 5).flatten(2, 3)
