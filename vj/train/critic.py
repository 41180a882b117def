"""A critic: it looks at the leading edge of a picture and says, place by place, whether the dice drew what stands there.

Beside dreams it sees worlds that were told the footage's own codes, painted and carried by the same network: what it learns
to tell apart then is what was drawn, not how it was painted (vj.train.dreams); or worlds that the footage itself enters, and
then it is both (vj.train.adversary). It says so for small patches (after the discriminator of pix2pix, Isola et al. 2017).
Training only.
"""

import torch
import torch.nn.functional as F
from torch import nn

from vj.signals import BANDS

WIDTHS = (32, 64)  # channels at 1/2 and at 1/4 of the size
CELL = 4  # px a side of what it says something of
TIMES = 4  # stretches in which what was told to enter is told to it
SLOPE, DROP = 0.2, 0.2
PACE = 8.0  # px a frame that count as 1


class Critic(nn.Module):
    """Log odds that what stands in each cell was told by footage."""

    def __init__(self):
        super().__init__()
        a, b = WIDTHS
        self.first = nn.Conv2d(3 + 1 + TIMES + 1 + 2, a, 5, 2, 2)
        self.second = nn.Conv2d(a, b, 3, 2, 1)
        self.third = nn.Conv2d(b, b, 3, 1, 1)
        self.fourth = nn.Conv2d(b, b, 3, 1, 2, 2)
        self.head = nn.Conv2d(b, 1, 1)
        self.drop = nn.Dropout2d(DROP)

    def forward(self, shown: torch.Tensor, pace: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """shown (B, 3, H, W) 0..1, pace (B, 1, H, W) px a frame at speed 1, told as of instructions() -> (B, H/4, W/4), both
        rounded up."""
        B, _, H, W = shown.shape
        y, x = torch.meshgrid(*(torch.linspace(-1, 1, n, device=shown.device) for n in (H, W)), indexing="ij")
        told = told.repeat_interleave(CELL, 2)[:, :, :H, None].expand(-1, -1, -1, W)
        place = torch.stack([x, y]).expand(B, -1, -1, -1)
        h = torch.cat([3 * (shown - 0.5), pace / PACE, told, place], 1).contiguous(memory_format=torch.channels_last)
        h = F.leaky_relu(self.first(h), SLOPE)
        h = self.drop(F.leaky_relu(self.second(h), SLOPE))
        h = h + F.leaky_relu(self.third(h), SLOPE)
        h = h + F.leaky_relu(self.fourth(h), SLOPE)
        return self.head(self.drop(h))[:, 0]


def bands_of(rows: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """Which of the height bands each of `rows` rows of cells is in: (bands, rows) of 1 and 0."""
    middle = (torch.arange(rows, device=device) + 0.5) / rows
    return torch.stack([(middle >= top) & (middle < bottom) for top, bottom in BANDS]).float()


def instructions(controls: torch.Tensor, rows: int) -> torch.Tensor:
    """What the critic is told: controls (B, T, 6) of the last T frames, a multiple of TIMES -> (B, TIMES + 1, rows): what was to
    enter in the row's own band, the oldest first, and the speed."""
    entering = controls[:, :, 1:4].unflatten(1, (TIMES, -1)).amax(2)
    speed = controls[:, :, :1].mean(1, keepdim=True).expand(-1, -1, rows)
    return torch.cat([entering @ bands_of(rows, controls.device), speed], 1)
