"""Quick lessons in light for the young: whole pictures made small, many in a batch, nothing moved and nothing painted.

A light that is a hundredth wrong in each frame has turned the sky green in a hundred; it is small, and soon learnt so.
"""

import numpy as np
import torch

from vj.model import world as worlds
from vj.model.net import COARSE, Net
from vj.train.dataset import Dataset, tinted
from vj.train.losses import light_loss

PICTURES, BATCH = 1500, 64  # pairs of frames that are made small, and how many a lesson looks at
MENDS = 0.3  # share of a lesson that starts in another light than it is to end in


class Daylight:
    """The light of some of the footage's frames, and of those before them, in their small pictures."""

    def __init__(self, dataset: Dataset, device="cpu"):
        """Looks at PICTURES pairs from all over the footage's training part: about a second."""
        where = dataset.targets[:: max(1, len(dataset.targets) // PICTURES)]
        few = np.array_split(where, max(1, len(where) // 50))  # at a time: large pictures are many bytes
        small = [torch.stack([_small(dataset.frames[these - back]) for back in (1, 0)], 1) for these in few]
        self._pairs = torch.cat(small).to(device)
        self._speeds = torch.from_numpy(dataset.controls[where, 0]).to(device)
        self._usual, self._device = dataset.usual, device

    def lesson(self, net: Net, generator: torch.Generator) -> torch.Tensor:
        """How far the light of BATCH pictures ends from what is told: some pairs in a light that changes slowly, as
        Dataset.batch gives it, and some that have first gone astray."""
        random = lambda *shape: torch.randn(shape, generator=generator).to(self._device)  # noqa: E731
        which = torch.randint(len(self._pairs), (BATCH,), generator=generator).to(self._device)
        before, after = self._pairs[which].unbind(1)
        level, warm, drift, warms = (size * random(BATCH) for size in (0.12, 0.06, 0.01, 0.006))
        after = (after * tinted(1 + level + drift, warm + warms)).clamp(0, 1)
        light = self._usual.measure(after)
        # At the ends of the scale what is told does not say how far to go: there nothing has gone astray.
        mends = (torch.rand(BATCH, generator=generator).to(self._device) < MENDS) & (light.abs().amax(1) < 1)
        astray = 0.08 * mends[:, None, None, None] * (random(BATCH, 1, 1, 1) + 0.4 * random(BATCH, 3, 1, 1))
        before = (before * tinted(1 + level, warm) * (1 + astray)).clamp(0, 1)
        speeds = self._speeds[which]
        controls = torch.cat([speeds[:, None], torch.zeros(BATCH, 3, device=self._device), light], 1)
        told = worlds.tell(net, speeds, controls, torch.zeros_like(speeds))
        return light_loss(before * net.light.of_small(before, told)[..., None, None], after)


def _small(frames) -> torch.Tensor:
    """(N, H, W, 3) uint8 -> the mean of each COARSE x COARSE px, (N, 3, H // COARSE, W // COARSE), 0..1."""
    _, H, W, _ = frames.shape
    whole = torch.from_numpy(frames[:, : H // COARSE * COARSE, : W // COARSE * COARSE])
    parts = whole.unflatten(1, (-1, COARSE)).unflatten(3, (-1, COARSE))
    return parts.float().mean((2, 4)).permute(0, 3, 1, 2) / 255
