"""Which motion what is seen belongs to, told by several frames before and after it.

From one frame to the next two motions that differ by a third of a pixel look alike, so a thing whose own lies between them
would be torn: half of it goes with the one, half with the other. Over four frames, more where all is slow, they differ by
more than a pixel. And what has just entered came from nowhere; only how it goes on tells with what it moves. Pure functions
of tensors.
"""

import torch
import torch.nn.functional as F

from vj.model import transport

SPAN = (4, 14)  # frames before and after, at least and at most:
FAR = 3.0  # until so many steps at speed 1 are gone; in a slow world two motions differ late


def explained(bank: torch.Tensor, frames: torch.Tensor, speeds: torch.Tensor, at: int, width: int) -> torch.Tensor:
    """How badly each motion explains the last `width` px of frame `at`: mean |difference|, (B, K, H, width), 0..1.

    bank (K, 2) px a frame at speed 1; frames (B, T, 3, H, W) 0..1; speeds (B, T): how frame t is reached from t - 1. A pixel
    is looked for some frames later and some before (SPAN), as far as there are such frames; what is hidden at one of them
    is seen at the other: the better counts. Where a motion leads out of the picture both times it explains nothing: 1.
    """
    now, every = frames[:, at, ..., -width:], torch.arange(len(frames), device=frames.device)
    found = []
    for way, gone in ((-1, speeds[:, at + 1 :].cumsum(1)), (1, speeds[:, 1 : at + 1].flip(1).cumsum(1))):
        gone = gone[:, : SPAN[1]]
        if gone.shape[1] < SPAN[0]:
            continue
        steps = ((gone < FAR).sum(1) + 1).clamp(SPAN[0], gone.shape[1])  # (B,)
        then = frames[every, at - way * steps]
        moved = way * bank[None] * gone[every, steps - 1][:, None, None]
        found.append(_unlike(_same_light(then, frames[:, at]), now, moved))
    return torch.stack(found).amin(0)


def _same_light(frame: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return frame * (like.mean((2, 3), keepdim=True) + 0.01) / (frame.mean((2, 3), keepdim=True) + 0.01)


def _unlike(then: torch.Tensor, now: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """then (B, 3, H, W) taken `moved` (B, K, 2) px further right and down, against now (B, 3, H, w), the right part."""
    B, _, H, w = now.shape
    W, K = then.shape[3], moved.shape[1]
    vertical = bool((moved[..., 1] != 0).any())
    whole, phase = transport.split(moved, vertical)
    planes = transport.phases(then, vertical)
    high = int(whole[..., 1].abs().max())
    planes = F.pad(planes.flatten(1, 2), (0, 0, high, high), mode="replicate").unflatten(1, planes.shape[1:3])
    out = now.new_ones(B, K, H, w)
    for b in range(B):
        for k, (x, y) in enumerate(whole[b].tolist()):
            left, right = max(W - w + x, 0), min(W + x, W)  # of the source
            if left < right:
                seen = slice(left - x - (W - w), right - x - (W - w))
                source = planes[b, phase[b, k], :, high + y : high + y + H, left:right]
                out[b, k, :, seen] = (source - now[b, ..., seen]).abs().mean(0)
    return out
