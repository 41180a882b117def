"""Things that enter, imagined whole: out of noise, before they come, a small network makes how one looks and how fast it passes.

The dice draw what enters frame by frame, from what stands beside it; a tower that is drawn so, in a dream, forgets what it is.
So what a drum lets in is made at once: colours, which pixels belong to it, and its motion. How things look it learnt from
the footage (vj.train.things, vj.train.sprites); how one comes in is vj.model.passing. Knows no controls and no world.

An autoencoder says in few numbers what a thing is, coarse in place; these are made out of noise, and then it is drawn.

Sources: flow matching (Lipman et al. 2023; rectified flow, Liu, Gong, Liu 2023) in an autoencoder's latents (latent diffusion,
Rombach et al. 2022), told what is wanted (FiLM, Perez et al. 2018); a scene of layers, each with its own motion (Wang and
Adelson 1994), whose sprites are learnt (MarioNette, Smirnov et al. 2021); scaled as in EDM (Karras et al. 2022).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vj.model.laid import Conv
from vj.signals import BANDS

WIDTHS, LATENTS, CELL = (32, 56, 80), 8, 8  # channels at 1/2, 1/4, 1/8 size; numbers for each cell, and px a side of it
WIDTH, DILATIONS = 112, (1, 2, 4, 1, 2)  # channels on the way from noise, and how far its blocks look
TOLD, TIMES = 96, 16  # channels of what is told; frequencies of the time
WIDE = 0.4  # of the picture's width that a sprite may have
CHANNELS = 5  # red, green, blue, whether it belongs to it, pace
WANTED = len(BANDS) + 1 + 3 * len(BANDS) + 1  # band, strength, colours of the picture's bands, width
MIDDLING, CONTRAST, HALF = 0.8, 1.2, 0.5  # of colours in the picture's mean: what is told as 0, how strongly; of paces' spread
EXAMPLES = 96  # of each band, of how strong and wide things are
STEPS = 12  # from noise to a thing
BRIGHTEST = 3.0  # of a colour, in the picture's mean
LEAST = 3  # px of a column, fewer of which are no edge of a thing


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing: of the picture's height, its front at the left."""

    colours: np.ndarray  # float32 (3, H, w), in the picture's mean colour
    belongs: np.ndarray  # bool (H, w): the rest is what stands behind
    pace: float  # px a frame at speed 1

    @property
    def width(self) -> int:
        """px from its front to its end, 0 if there is nothing."""
        columns = np.flatnonzero(self.belongs.any(0))
        return int(columns[-1]) + 1 if len(columns) else 0


class Block(nn.Module):
    """Residual block, modulated by what is told, if anything is; starts as the identity."""

    def __init__(self, channels: int, told: int = 0, dilation: int = 1):
        super().__init__()
        self.first = Conv(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = Conv(channels, channels, 3, padding=1)
        self.film = nn.Linear(told, 3 * channels) if told else None
        for layer in (self.second, self.film) if told else (self.second,):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        h = self.first(F.silu(x))
        if self.film is None:
            return x + self.second(F.silu(h))
        scale, shift, gain = self.film(told)[:, :, None, None].chunk(3, 1)
        return x + (1 + gain) * self.second(F.silu(h * (1 + scale) + shift))


class Encoder(nn.Module):
    """What a thing is, in few numbers for each CELL x CELL px: training only."""

    def __init__(self):
        super().__init__()
        a, b, c = WIDTHS
        self.layers = nn.Sequential(
            Conv(4 * CHANNELS + 2, a, 3, padding=1), nn.SiLU(), Conv(a, b, 4, stride=2, padding=1), Block(b), nn.SiLU(),
            Conv(b, c, 4, stride=2, padding=1), Block(c), nn.SiLU(), Conv(c, LATENTS, 1),
        )  # fmt: skip
        self.scale = nn.BatchNorm2d(LATENTS, affine=False, momentum=0.02)  # Ioffe and Szegedy 2015: each of mean 0 and spread 1

    def forward(self, things: torch.Tensor) -> torch.Tensor:
        """(B, CHANNELS, tall, wide) as of Sprites.packed -> (B, LATENTS, tall / CELL, wide / CELL)."""
        x = F.pixel_unshuffle(things, 2)
        x = torch.cat([x, places(x)], 1).contiguous(memory_format=torch.channels_last)
        return self.scale(self.layers(x).float())


class Decoder(nn.Module):
    """How it looks."""

    def __init__(self):
        super().__init__()
        a, b, c = WIDTHS
        self.stem = Conv(LATENTS + 2, c, 3, padding=1)
        self.coarse = nn.Sequential(Block(c), Block(c))
        self.up2 = Conv(c, 4 * b, 1)
        self.middle = Block(b)
        self.up1 = Conv(b, 4 * a, 1)
        self.fine = Block(a)
        self.head = Conv(a, 4 * CHANNELS, 3, padding=1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse of Encoder; what belongs to the thing has a logit above 0."""
        x = torch.cat([latents, places(latents)], 1).to(self.stem.weight.dtype, memory_format=torch.channels_last)
        h = self.middle(F.pixel_shuffle(self.up2(self.coarse(self.stem(x))), 2))
        h = self.fine(F.pixel_shuffle(self.up1(h), 2))
        return F.pixel_shuffle(self.head(F.silu(h)).contiguous(), 2).float()


class Velocity(nn.Module):
    """From noise to what things are: where to, at a time, told what is wanted."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(2 * TIMES + WANTED, TOLD), nn.SiLU(), nn.Linear(TOLD, TOLD), nn.SiLU())
        self.stem = Conv(LATENTS + 2, WIDTH, 3, padding=1)
        self.blocks = nn.ModuleList([Block(WIDTH, TOLD, dilation) for dilation in DILATIONS])
        self.head = Conv(WIDTH, LATENTS, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, time: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """x (B, LATENTS, h, w) on its way, time (B,) 0 (noise) .. 1, wanted (B, WANTED) -> the same shape."""
        angle = math.pi * time[:, None] * torch.arange(1.0, TIMES + 1, device=time.device)
        told = self.embed(torch.cat([angle.sin(), angle.cos(), wanted], 1).to(self.stem.weight.dtype))
        h = self.stem(torch.cat([x, places(x)], 1).to(told.dtype, memory_format=torch.channels_last))
        for block in self.blocks:
            h = block(h, told)
        # What can be said without having looked, the best line through x, need not be learnt (Karras et al. 2022).
        time = time.view(-1, 1, 1, 1)
        spread = time.square() + (1 - time).square()
        return (2 * time - 1) / spread * x + self.head(F.silu(h)).float() / spread.sqrt()


def places(like: torch.Tensor) -> torch.Tensor:
    """Where each pixel is, across and down, -1..1: (B, 2, H, W) for like (B, C, H, W)."""
    B, _, H, W = like.shape
    y = torch.linspace(-1, 1, H, device=like.device, dtype=like.dtype)[:, None].expand(H, W)
    x = torch.linspace(-1, 1, W, device=like.device, dtype=like.dtype).expand(H, W)
    return torch.stack([x, y]).expand(B, -1, -1, -1)


class Sprites(nn.Module):
    """Makes things; and knows what things there are: none, until they are learnt."""

    def __init__(self, height: int, width: int):
        """height, width of the picture, px."""
        super().__init__()
        self.tall, self.wide = -(-height // CELL) * CELL, max(CELL, round(WIDE * width / CELL) * CELL)
        self.encoder, self.decoder, self.velocity = Encoder(), Decoder(), Velocity()
        self.register_buffer("paces", torch.zeros(len(BANDS), 2))  # px a frame at speed 1: mean and spread; 0: knows no things
        self.register_buffer("lasts", torch.full((len(BANDS),), 12.0))  # frames at speed 1 that most take to enter
        self.register_buffer("examples", torch.zeros(len(BANDS), EXAMPLES, 2))  # how strong, and how wide, px

    @property
    def known(self) -> bool:
        """Whether it has learnt things."""
        return bool(self.paces.any())

    def knows(self, band: int) -> bool:
        """Whether it has learnt things of this band."""
        return bool(self.paces[band, 0] > 0)

    @torch.no_grad()
    def forget(self) -> None:
        """From now on it makes none: there is other footage."""
        self.paces.zero_()

    def wanted(self, bands: torch.Tensor, strength: torch.Tensor, colours: torch.Tensor, wide: torch.Tensor) -> torch.Tensor:
        """What is told of things: bands (B,), strength (B,) of their entry controls, colours (B, 3 * bands) as of `scene`, wide
        (B,) px -> (B, WANTED)."""
        which = F.one_hot(bands, len(BANDS)).float()
        return torch.cat([which, strength[:, None], colours - 1, wide[:, None] / self.wide * 2 - 0.7], 1)

    def packed(self, colours: torch.Tensor, belongs: torch.Tensor, paces: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """Things as Encoder takes them: colours (B, 3, tall, wide) in the picture's mean, belongs (B, 1, tall, wide) 0/1, paces
        (B,) px, bands (B,) -> (B, CHANNELS, tall, wide)."""
        mean, spread = self.paces[bands].unbind(1)
        pace = (HALF * (paces - mean) / spread.clamp(min=1e-3)).view(-1, 1, 1, 1).expand_as(belongs)
        return torch.cat([(colours - MIDDLING) * CONTRAST * belongs, 2 * belongs - 1, pace], 1)

    def unpacked(self, made: torch.Tensor, band: int, height: int) -> Sprite:
        """The inverse, of one, made (1, CHANNELS, tall, wide): cut to the height of the picture, its front moved to the left."""
        belongs = (made[0, 3, :height] > 0).cpu().numpy()
        colours = (made[0, :3, :height] / CONTRAST + MIDDLING).clamp(0, BRIGHTEST).cpu().numpy()
        mean, spread = self.paces[band].tolist()
        pace = max(mean + spread * float(made[0, 4].mean()) / HALF, 0.2 * mean)
        columns = np.flatnonzero(belongs.sum(0) >= LEAST)
        front, end = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 0)
        return Sprite(colours[..., front:end], belongs[:, front:end], pace)


def scene(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 3, H, W) -> the mean colours of their bands' rows, in the picture's mean, (B, 3 * bands), as `Sprites.wanted`
    takes them; and that mean (B, 3). A row's colour is its median: things are not the land."""
    mean = image.mean((2, 3)).clamp(min=0.05)
    rows = image[..., ::4].median(3).values / mean[..., None]
    tall = image.shape[2]
    bands = [rows[..., round(top * tall) : round(bottom * tall)].mean(2) for top, bottom in BANDS]
    return torch.cat(bands, 1), mean


class Making:
    """One thing on its way from noise."""

    def __init__(self, net: Sprites, band: int, noise: torch.Tensor, wanted: torch.Tensor, height: int):
        """noise (1, LATENTS, tall / CELL, wide / CELL) normal numbers; wanted (1, WANTED)."""
        self.net, self.band, self.x, self.wanted, self.height = net, band, noise, wanted, height
        self.done = 0  # of STEPS

    @torch.inference_mode()
    def go_on(self) -> Sprite | None:
        """A step further (Euler 1768); the thing, when it is asked once more after the last."""
        if self.done == STEPS:
            return self.net.unpacked(self.net.decoder(self.x), self.band, self.height)
        self.x = self.x + self.net.velocity(self.x, self.x.new_full((1,), self.done / STEPS), self.wanted) / STEPS
        self.done += 1
        return None
