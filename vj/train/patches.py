"""A critic that sees but a few px, for what is drawn from few numbers: what these cannot tell, leaves and stones, would be drawn
as its mean. It learns to tell what is drawn from what was seen, and who draws learns that it is wrong.

Source: a critic of patches beside an autoencoder (VQGAN, Esser, Rombach, Ommer 2021).
"""

import torch
import torch.nn.functional as F
from torch import nn

from vj.train.roughness import Roughness

CRITICAL, GREEN = 0.1, 150  # weight of what it says, and first lessons in which it only learns
SLOPE, RATE, GRAIN = 0.2, 5e-4, 0.03  # of it; grain on what it sees
PATCH = 32  # px a side of what it sees of a picture in a lesson


class Sight(nn.Module):
    """Log odds that what stands in each 2 x 2 px was seen, by the px around."""

    def __init__(self, channels: int):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, 32, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(32, 48, 4, 2, 1), nn.LeakyReLU(SLOPE),
            nn.Conv2d(48, 64, 3, 1, 1), nn.LeakyReLU(SLOPE), nn.Conv2d(64, 1, 1),
        )  # fmt: skip

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """seen (B, channels, tall, wide), about -1..2 -> (B, 1, tall / 2, wide / 2)."""
        return self.layers(seen.contiguous(memory_format=torch.channels_last)).float()


class Critic:
    """One that learns beside who draws."""

    def __init__(self, channels: int, rough: Roughness):
        """channels of a picture."""
        self.rough = rough
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rough.random(1).item() * 2**31))
            self.sight = Sight(channels).to(rough.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.sight.parameters(), RATE, betas=(0.5, 0.95))

    def says(self, mine: torch.Tensor, true: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        """It learns from pictures drawn and seen, (B, channels, tall, wide); how easily it tells them apart, its own weights not
        reached. counts (B, 1, tall / 2, wide / 2) 0/1: where that matters."""
        counts, mine, true = self._patches(counts, mine, true)
        counts = counts / counts.sum().clamp(min=1)
        seen = [self.sight(each + GRAIN * self.rough.grain(each)) for each in (true, mine.detach())]
        loss = ((F.softplus(-seen[0]) + F.softplus(seen[1])) * counts).sum()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        self.sight.requires_grad_(False)
        says = self.sight(mine + GRAIN * self.rough.grain(mine))
        self.sight.requires_grad_(True)
        return (F.softplus(-says) * counts).sum()

    def _patches(self, counts: torch.Tensor, *pictures: torch.Tensor) -> list[torch.Tensor]:
        """PATCH x PATCH px of each picture, around a place that counts: counts (B, 1, tall / 2, wide / 2) 0/1, pictures
        (B, C, tall, wide) -> theirs."""
        sides = counts.shape[2:]
        tall, wide = sizes = [min(PATCH // 2, side) for side in sides]
        chosen = torch.multinomial(counts.flatten(1).cpu(), 1, generator=self.rough.generator)[:, 0].tolist()
        every = [(1, counts), *((2, picture) for picture in pictures)]
        patches: list[list[torch.Tensor]] = [[] for _ in every]
        for number, at in enumerate(chosen):
            middle = divmod(at, sides[1])
            y, x = (min(max(m - size // 2, 0), side - size) for m, size, side in zip(middle, sizes, sides, strict=True))
            for (by, part), mine in zip(every, patches, strict=True):
                mine.append(part[number, :, y * by : (y + tall) * by, x * by : (x + wide) * by])
        return [torch.stack(mine) for mine in patches]
