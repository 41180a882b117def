"""Quick lessons in light for the young: whole pictures made small, many in a batch, nothing moved and nothing painted.

A light that is a hundredth wrong in each frame has turned the sky green in a hundred; it is small, and soon learnt so.
"""

import torch

from vj.model.net import Net
from vj.train.dataset import Dataset
from vj.train.losses import light_loss

PICTURES, BATCH = 1500, 64  # pairs of frames that are made small, and how many a lesson looks at
SMALL = 8  # px of which one is made, as the light sees them
MENDS = 0.3  # share of a lesson that starts in another light than it is to end in


class Daylight:
    """The light of some of the footage's frames, and of those before them, in their small pictures."""

    def __init__(self, dataset: Dataset, device="cpu"):
        """Looks at PICTURES pairs from all over the footage's training part: about a second."""
        where = dataset.targets[:: max(1, len(dataset.targets) // PICTURES)]
        self._pairs = torch.stack([_small(dataset.frames[where - back]) for back in (1, 0)], 1).to(device)
        self._speeds = torch.from_numpy(dataset.controls[where, 0]).to(device)
        self._usual, self._device = dataset.usual, device

    def lesson(self, net: Net, generator: torch.Generator) -> torch.Tensor:
        """How far the light of BATCH pictures ends from what is told: some pairs in a light that changes slowly, as
        Dataset.batch gives it, and some that have first gone astray."""
        random = lambda *shape: torch.randn(shape, generator=generator).to(self._device)  # noqa: E731
        which = torch.randint(len(self._pairs), (BATCH,), generator=generator).to(self._device)
        before, after = self._pairs[which].unbind(1)
        level, warm, drift, warms = (size * random(BATCH) for size in (0.12, 0.06, 0.01, 0.006))
        after = (after * _colour(1 + level + drift, warm + warms)).clamp(0, 1)
        light = self._usual.measure(after)
        # At the ends of the scale what is told does not say how far to go: there nothing has gone astray.
        mends = (torch.rand(BATCH, generator=generator).to(self._device) < MENDS) & (light.abs().amax(1) < 1)
        astray = 0.08 * mends[:, None, None, None] * (random(BATCH, 1, 1, 1) + 0.4 * random(BATCH, 3, 1, 1))
        before = (before * _colour(1 + level, warm) * (1 + astray)).clamp(0, 1)
        told = torch.cat([self._speeds[which, None], torch.zeros(BATCH, 3, device=self._device), light], 1)
        told = net.lit(told)
        speed = told[:, 0] * 0.5
        told = torch.stack([speed, speed, told[:, 4], told[:, 5], torch.zeros_like(speed)], 1)
        return light_loss(before * net.light.of_small(before, told)[..., None, None], after)


def _small(frames) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> the mean of each SMALL x SMALL px, (N, 3, H // SMALL, W // SMALL), 0..1."""
    _, H, W, _ = frames.shape
    whole = torch.from_numpy(frames[:, : H // SMALL * SMALL, : W // SMALL * SMALL])
    parts = whole.unflatten(1, (-1, SMALL)).unflatten(3, (-1, SMALL))
    return parts.float().mean((2, 4)).permute(0, 3, 1, 2) / 255


def _colour(gain: torch.Tensor, warm: torch.Tensor) -> torch.Tensor:
    """(B,), (B,) -> what each colour is multiplied by (B, 3, 1, 1)."""
    return torch.stack([gain * (1 + warm), gain, gain * (1 - warm)], 1)[..., None, None]
