"""Pictures made whole: few numbers say what one is, coarse in place; these are made out of noise, and then it is drawn.

What they are pictures of is for others to know: things (vj.model.sprites), the land (vj.model.land).

Sources: flow matching (Lipman et al. 2023; rectified flow, Liu, Gong, Liu 2023) in an autoencoder's latents (latent diffusion,
Rombach et al. 2022), told what is wanted (FiLM, Perez et al. 2018); scaled as in EDM (Karras et al. 2022); followed with two
slopes at a time (Adams and Bashforth 1883), which a few steps are enough for.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from vj.model.laid import Conv

CELL = 8  # px a side of what is told in one go
TOLD, TIMES, DILATIONS = 96, 16, (1, 2, 4, 1, 2)  # channels of what is told; frequencies of the time; how far blocks look
STEPS, LATER = 6, 1.5  # from noise to a picture; the power of the share of steps that the time is: first steps are small


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
    """What pictures are, in few numbers for each CELL x CELL px."""

    def __init__(self, channels: int, widths: tuple[int, int, int], latents: int):
        """channels of a picture; channels at 1/2, 1/4 and 1/8 of its size; numbers for each cell."""
        super().__init__()
        a, b, c = widths
        self.layers = nn.Sequential(
            Conv(4 * channels + 2, a, 3, padding=1), nn.SiLU(), Conv(a, b, 4, stride=2, padding=1), Block(b), nn.SiLU(),
            Conv(b, c, 4, stride=2, padding=1), Block(c), nn.SiLU(), Conv(c, latents, 1),
        )  # fmt: skip
        self.scale = nn.BatchNorm2d(latents, affine=False, momentum=0.02)  # Ioffe and Szegedy 2015: each of mean 0 and spread 1

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, channels, tall, wide) -> (B, latents, tall / CELL, wide / CELL)."""
        x = F.pixel_unshuffle(pictures, 2)
        x = torch.cat([x, places(x)], 1).contiguous(memory_format=torch.channels_last)
        return self.scale(self.layers(x).float())


class Decoder(nn.Module):
    """How it looks."""

    def __init__(self, channels: int, widths: tuple[int, int, int], latents: int):
        """As of Encoder."""
        super().__init__()
        a, b, c = widths
        self.stem = Conv(latents + 2, c, 3, padding=1)
        self.coarse = nn.Sequential(Block(c), Block(c))
        self.up2 = Conv(c, 4 * b, 1)
        self.middle = Block(b)
        self.up1 = Conv(b, 4 * a, 1)
        self.fine = Block(a)
        self.head = Conv(a, 4 * channels, 3, padding=1)

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """The inverse of Encoder."""
        return self.drawn(self.features(latents))

    def features(self, latents: torch.Tensor) -> torch.Tensor:
        """What it draws from: (B, widths[0], tall / 2, wide / 2)."""
        x = torch.cat([latents, places(latents)], 1).to(self.stem.weight.dtype, memory_format=torch.channels_last)
        h = self.middle(F.pixel_shuffle(self.up2(self.coarse(self.stem(x))), 2))
        return self.fine(F.pixel_shuffle(self.up1(h), 2))

    def drawn(self, features: torch.Tensor) -> torch.Tensor:
        """Pictures from these."""
        return F.pixel_shuffle(self.head(F.silu(features)).contiguous(), 2).float()


class Velocity(nn.Module):
    """From noise to what pictures are: where to, at a time, told what is wanted."""

    def __init__(self, latents: int, width: int, wanted: int, beside: int = 0):
        """latents of a cell, channels within, numbers that say what is wanted, and those of each cell that are known beside."""
        super().__init__()
        self.embed = nn.Sequential(nn.Linear(2 * TIMES + wanted, TOLD), nn.SiLU(), nn.Linear(TOLD, TOLD), nn.SiLU())
        self.stem = Conv(latents + beside + 2, width, 3, padding=1)
        self.blocks = nn.ModuleList([Block(width, TOLD, dilation) for dilation in DILATIONS])
        self.head = Conv(width, latents, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor, time: torch.Tensor, wanted: torch.Tensor, beside=None) -> torch.Tensor:
        """x (B, latents, h, w) on its way, time (B,) 0 (noise) .. 1, wanted (B, wanted), beside (B, beside, h, w) -> as x."""
        angle = math.pi * time[:, None] * torch.arange(1.0, TIMES + 1, device=time.device)
        told = self.embed(torch.cat([angle.sin(), angle.cos(), wanted], 1).to(self.stem.weight.dtype))
        seen = [x, places(x)] if beside is None else [x, beside, places(x)]
        h = self.stem(torch.cat(seen, 1).to(told.dtype, memory_format=torch.channels_last))
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


class Way:
    """From noise to what a picture is, a step at a time."""

    def __init__(self, velocity: Velocity, noise: torch.Tensor, wanted: torch.Tensor, beside: torch.Tensor | None = None):
        """noise (B, latents, h, w) normal numbers; the rest as velocity takes it."""
        self.velocity, self.x, self.wanted, self.beside = velocity, noise, wanted, beside
        self.done = 0  # of STEPS
        self._last: tuple[torch.Tensor, float] | None = None  # slope, and how long it was followed

    @torch.inference_mode()
    def go_on(self) -> bool:
        """A step further; False: it had arrived."""
        if self.done == STEPS:
            return False
        now, then = ((at / STEPS) ** LATER for at in (self.done, self.done + 1))
        slope, long = self.velocity(self.x, self.x.new_full((len(self.x),), now), self.wanted, self.beside), then - now
        bent = slope if self._last is None else slope + (slope - self._last[0]) * (long / (2 * self._last[1]))
        self.x, self._last, self.done = self.x + long * bent, (slope, long), self.done + 1
        return True
