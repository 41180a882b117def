"""Mends what the world's own errors have left in the picture: specks in the sky, rags of what has passed, haloes of trees.

Every few frames a small network looks at the whole picture, knowing how fast each pixel goes, and says of each whether it
can stay; if it surely cannot, which pixel of its row stands in for it, or what its row usually is. It chooses and never
paints: what a network paints over what it has painted runs away within a minute, copies do not. It learns from worlds that
were told the footage's own codes and are held against the footage (vj.train.mending). Knows no time and no controls.

Sources: a restoration network in the loop keeps a rollout near the data (Thermalizer, Pedersen et al. 2025); pixels as
choices among the picture's own (non-local means, Buades, Coll and Morel 2005).
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from vj.model import planes
from vj.model.laid import Conv

REACHES = (2, 4, 6, 10, 16, 24)  # px along its row, both ways, from which a pixel may be mended
BESIDE = tuple(side * by for by in REACHES for side in (-1, 1))
CHOICES = 1 + len(BESIDE) + 1  # it stays; or one of these; or its row's median
EVERY = 4  # frames between two looks
DOUBTED = 0.12  # probability of staying below which it is mended
CLEARLY = 0.03  # and mean difference (0..1) of what it gets from which on
STAYS = 4.0  # its log odds against any other choice, at first
WIDE, WIDER = 16, 24  # channels at half and quarter size
SEEN = 12 * 3 + 4 + 1  # the picture, how it differs from its rows and its surroundings; the pace; how high


class Mender(nn.Module):
    """Which of the choices each pixel is to be."""

    def __init__(self):
        super().__init__()
        self.stem = Conv(SEEN, WIDE, 3, padding=1)
        self.near = Conv(WIDE, WIDE, 3, padding=1)
        self.down = Conv(WIDE, WIDER, 3, 2, 1)
        self.far = nn.ModuleList([Conv(WIDER, WIDER, 3, padding=1) for _ in range(3)])
        self.both = Conv(WIDE + WIDER, WIDE, 3, padding=1)
        self.head = Conv(WIDE, 4 * CHOICES, 1)
        self.forget()

    @torch.no_grad()
    def forget(self) -> None:
        """All stays: at first, and in other footage, where this one's textures may look like litter."""
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.head.bias[:4] = STAYS / 4

    def forward(self, image: torch.Tensor, median: torch.Tensor, pace: torch.Tensor) -> torch.Tensor:
        """image (B, 3, H, W) 0..1, its rows' medians (B, 3, H, 1), pace (B, 1, H, W) px a frame at speed 1 -> logits
        (B, CHOICES, 4, H/2, W/2), the four of each 2x2 pixels row by row."""
        around = planes.box(image, 5, 9)
        parts = ((image - 0.5) * 2, (image - median) * 5, (image - around) * 8, pace * 0.3)
        x = planes.unshuffled(torch.cat(parts, 1).to(self.stem.weight.dtype))
        B, _, h, w = x.shape
        high = torch.linspace(-1, 1, h, device=image.device).to(x.dtype).view(1, 1, -1, 1).expand(B, 1, h, w)
        x = torch.cat([x, high.contiguous(memory_format=torch.channels_last)], 1)
        x = F.silu(self.stem(x))
        x = x + F.silu(self.near(x))
        y = F.silu(self.down(x))
        for layer in self.far:
            y = y + F.silu(layer(y))
        y = F.interpolate(y, scale_factor=2, mode="nearest")[:, :, :h, :w]
        x = x + F.silu(self.both(torch.cat([x, y], 1)))
        return (self.head(x).float() * 4).contiguous().unflatten(1, (CHOICES, 4))


def paces(bank: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """px a frame at speed 1 of each pixel's class: bank (K, 2), classes (B, H, W) int64 -> (B, 1, H, W)."""
    return bank.square().sum(1).sqrt()[classes][:, None]


def medians(image: torch.Tensor) -> torch.Tensor:
    """Of each row, of every fourth pixel: (B, 3, H, W) -> (B, 3, H, 1)."""
    return planes.median(image[..., ::4])


def choices(image: torch.Tensor, median: torch.Tensor) -> torch.Tensor:
    """What each pixel may be: (B, 3, H, W) -> (B, CHOICES, 3, H, W). Beyond the picture its last pixel is repeated."""
    W, reach = image.shape[3], REACHES[-1]
    wide = F.pad(image, (reach, reach, 0, 0), mode="replicate")
    beside = [wide[..., reach + by : reach + by + W] for by in BESIDE]
    return torch.stack([image, *beside, median.expand_as(image)], 1)


def mended(mender: Mender, lattice: torch.Tensor, pace: torch.Tensor, moves: torch.Tensor) -> torch.Tensor:
    """The lattice (B, 3, H, W) with what cannot stay put right; pace as Mender takes it; worlds that do not move, moves (B,) bool
    False, stay as they are."""
    image, median = lattice.clamp(max=1), medians(lattice)
    logits = mender(image, median.clamp(max=1), pace)
    others = logits[:, 1:]
    # Few are in doubt: only of these the odds of all others together are reckoned.
    doubt = (others.amax(1) - logits[:, 0] > math.log((1 / DOUBTED - 1) / others.shape[1]) - 0.01) & moves.view(-1, 1, 1, 1)
    b, corner, y, x = doubt.nonzero(as_tuple=True)
    seen = logits.transpose(0, 1)[:, b, corner, y, x]  # (CHOICES, n)
    wrong = (seen[1:] - seen[:1]).clamp(max=50).exp().sum(0) > 1 / DOUBTED - 1
    if not wrong.any():
        return lattice
    which = planes.best(seen[1:, None])[1][0, 0][wrong]
    b, y, x = b[wrong], (y * 2 + corner // 2)[wrong], (x * 2 + corner % 2)[wrong]
    by = torch.tensor([*BESIDE, 0], device=image.device)[which]
    # From the lattice, not from what is shown of it: what shines too brightly now would be a dark speck when it is darker again.
    beside = lattice[b, :, y, (x + by).clamp(0, lattice.shape[3] - 1)]
    new = torch.where((which == len(BESIDE))[:, None], median[b, :, y, 0], beside)
    clear = (new - lattice[b, :, y, x]).abs().mean(1) > CLEARLY
    b, y, x, new = b[clear], y[clear], x[clear], new[clear]
    lattice = lattice.clone()
    lattice[b, :, y, x] = new
    return lattice
