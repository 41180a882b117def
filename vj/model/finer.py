"""What is finer than the network's own pixels: of each, the four that it is made of.

A picture that is enlarged anew in each frame boils, for its pixels never fall on the same places twice. So what comes in gets its
detail once, and carries it wherever it goes (vj.model.detail, vj.model.guests). One small network adds it to a picture, another
draws a thing in fine px from what its decoder (vj.model.sprites) was about to draw. Both learn it from the footage's frames twice
as large (vj.train.finer).

Sources: all layers at the small size, the last one gives the four pixels of each place (Shi et al. 2016); detail out of what was
seen, sharp rather than a mean (Ledig et al. 2017); detail that sticks to what moves and not to the screen, as Karras et al. 2021
ask of a generator.
"""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from vj.model.laid import Conv
from vj.model.sprites import CHANNELS, WIDTHS, Sprites

TIMES = 2  # as large
PARTS = 3 * TIMES * TIMES  # numbers of a pixel's detail, those of a colour together
WIDTH, LEAK = 32, 0.1  # channels; of what is below zero
CHANNELS_FINE = CHANNELS - 1  # of a thing in fine px: its pace is known
BROAD = 64  # channels of what draws things
REACH = 4  # px on every side by which detail is made
NEARLY = 1e-3  # by which what a decoder ends with may be off where it is the same


class Added(nn.Module):
    """What is to be added to a picture that is made twice as large; nothing, until it is learnt."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Conv(a, b, 3) for a, b in pairwise((3, WIDTH, WIDTH, WIDTH, PARTS)))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) 0..1 -> (B, PARTS, H, W)."""
        x = (image * 2 - 1).to(self.layers[0].weight.dtype)
        for number, layer in enumerate(self.layers):
            x = layer(F.pad(x, (1, 1, 1, 1), mode="replicate"))
            x = F.leaky_relu(x, LEAK) if number + 1 < len(self.layers) else x
        return x.float()

    def enlarged(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) 0..1 -> (B, 3, 2 H, 2 W), not yet clamped."""
        return larger(image) + F.pixel_shuffle(self(image), TIMES)


class Drawn(nn.Module):
    """A thing in fine px of its canvas, from its decoder's features."""

    def __init__(self):
        super().__init__()
        wide = WIDTHS[0]
        widths = (wide, BROAD, BROAD, CHANNELS_FINE * (2 * TIMES) ** 2)
        self.layers = nn.ModuleList(Conv(a, b, 3, padding=1) for a, b in pairwise(widths))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, WIDTHS[0], tall / 2, wide / 2) -> (B, CHANNELS_FINE, 2 tall, 2 wide): colours and what belongs to it, as of
        Sprites."""
        x = features
        for layer in self.layers:
            x = layer(F.silu(x))
        return F.pixel_shuffle(x.contiguous(), 2 * TIMES).float()


class Finer(nn.Module):
    """Both, and which things it can draw."""

    def __init__(self):
        super().__init__()
        self.picture, self.thing = Added(), Drawn()
        self.register_buffer("of", torch.zeros(4 * CHANNELS))  # what the decoder that `thing` goes with ends with; 0: none

    @property
    def known(self) -> bool:
        """Whether it adds anything to a picture."""
        return bool(self.picture.layers[-1].weight.any())

    def draws(self, sprites: Sprites) -> bool:
        """Whether it has learnt to draw the things of these: of those alone whose decoder has not learnt on since."""
        ends = sprites.decoder.head.bias.float()
        return bool(self.of.any()) and bool((ends - self.of).abs().max() < NEARLY)

    @torch.no_grad()
    def goes_with(self, sprites: Sprites) -> None:
        """From now on it draws their things."""
        self.of.copy_(sprites.decoder.head.bias)


def larger(image: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B, C, 2 H, 2 W), bicubic, as OpenCV does it."""
    return F.interpolate(image, scale_factor=TIMES, mode="bicubic", align_corners=False)
