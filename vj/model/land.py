"""The land behind all that passes, imagined ahead: what will enter at the leading edge in the next seconds, as one picture.

Drawn frame by frame, from what stands beside it, land forgets what it is: after a minute all is stripes. So a small network
makes at once what enters while the picture goes on for some seconds: a picture whose rows are the picture's, whose columns
are frames at speed 1, the first of which has entered before; it goes on from there. Of the sky and the hills, which hardly
move, nothing would be seen in so few frames but a part of a cloud: their rows have a picture of their own, each column of
which is some frames long. The world moves each row on as the trunk says; here is only what comes in (vj.model.scroll). Learnt
from what entered in the footage, what stood before it taken away (vj.train.lands, vj.train.land).

Where things cannot be told from the land, they are in it (vj.train.slits): then it is told what is to enter, too, how many
frames a column is hangs on the footage, and rows that are slow have columns 4, 16 or 64 times as long; in one picture columns of
all stand side by side, which come from different moments.

Sources: see vj.model.latents; a slit-scan, as of a photo finish.
"""

import torch
import torch.nn.functional as F
from torch import nn

from vj.model import planes
from vj.model.latents import CELL, Decoder, Encoder, Velocity
from vj.model.scenes import Scenes
from vj.signals import BANDS

SEEN = 4  # channels: colours in the picture's mean, and 1
WIDTHS, LATENTS, WIDTH = (16, 32, 48), 8, 64  # see vj.model.latents
KNOWN, NEW = 4, 12  # cells of a picture that have been before, and that are new
SLOWLY, LONG = 1.0, 4  # px a column, slower than which rows are slow; times as long a column is of each slower kind of rows
DARK = 0.05  # the least of a mean colour, 0..1
MIDDLING, CONTRAST, BRIGHTEST = 0.8, 1.2, 3.0  # of what is seen: what is told as 0, how strongly; at most


class Land(nn.Module):
    """Makes what enters of the land, if it has learnt it."""

    def __init__(self, height: int, classes: int, scenes: int = 1):
        """height of the picture, px; motions that it can have; scenes that there can be."""
        super().__init__()
        self.height, self.tall = height, -(-height // CELL) * CELL
        self.encoder, self.decoder = Encoder(SEEN, WIDTHS, LATENTS), Decoder(SEEN, WIDTHS, LATENTS)
        self.velocity = Velocity(LATENTS, WIDTH, 1, LATENTS + 1 + len(BANDS))
        self.register_buffer("grain", torch.zeros(height, planes.GRAINS))  # what is finer than columns, see planes.grained
        self.register_buffer("paces", torch.zeros(height))  # px a column of each row's land; all 0: knows none
        self.register_buffer("slow", torch.zeros(height))  # 0: in the quick picture; 1..: in that whose columns are LONG ** 1..
        self.register_buffer("bank", torch.zeros(classes, 2))  # px a frame at speed 1 that what is in it may go, if it holds all
        self.register_buffer("unit", torch.ones(1))  # frames at speed 1 of a column
        self.register_buffer("lasts", torch.zeros(len(BANDS)))  # frames at speed 1 that things in it take to enter; 0: none are
        self.scenes = Scenes(height, classes, scenes)

    @property
    def known(self) -> bool:
        """Whether it has learnt land."""
        return bool(self.paces.any())

    @property
    def holds_all(self) -> bool:
        """Whether all that enters is in it, things too, which come when the entry controls say so; else they pass before it."""
        return bool(self.lasts.any())

    @torch.no_grad()
    def forget(self) -> None:
        """From now on it makes none: there is other footage."""
        self.paces.zero_()
        self.scenes.forget()

    def wanted(self, kind: int) -> float:
        """What velocity is told of rows of this kind: it, or, where all that enters is in the land, which scene it is."""
        return self.scenes.here / 2 if self.holds_all else float(kind)

    @property
    def kinds(self) -> list[int]:
        """The kinds of rows that there are, quick ones first; each has a picture of its own, of columns LONG ** kind as long."""
        return sorted({int(kind) for kind in self.slow.tolist()})

    def rows(self, kind: int) -> torch.Tensor:
        """Which rows are of this kind: (H,) bool."""
        return self.slow == kind

    @property
    def longs(self) -> torch.Tensor:
        """(H,) times `unit` that a column of each row is."""
        return float(LONG) ** self.slow

    def packed(self, seen: torch.Tensor, kind: int) -> torch.Tensor:
        """What is seen (B, SEEN, H, w) of those rows -> (B, SEEN, tall, w), as encoder takes it: of others nothing, but where all
        that enters is in the land, any columns of theirs stand beside those of one kind."""
        below = seen[:, :, -1:].expand(-1, -1, self.tall - self.height, -1)
        mine = F.pad(self.rows(kind), (0, self.tall - self.height), value=kind == 0) | self.holds_all
        return (torch.cat([seen, below], 2) - MIDDLING) * CONTRAST * mine[:, None]

    def unpacked(self, drawn: torch.Tensor) -> torch.Tensor:
        """The inverse: of other rows nothing is known. Whatever the weights are, it is a number."""
        return (drawn[:, :, : self.height] / CONTRAST + MIDDLING).nan_to_num().clamp(0, BRIGHTEST)

    def beside(self, known: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        """What velocity is told of cells that are known, (B, LATENTS, h, KNOWN), and that the NEW others are not; and what is to
        enter in these, told (B, bands, NEW) 0..1; None: nothing."""
        room = known.new_zeros(*known.shape[:3], NEW)
        there = torch.cat([torch.ones_like(known[:, :1]), room[:, :1]], 3)
        enters = known.new_zeros(len(known), len(BANDS), *there.shape[2:])
        if told is not None:
            enters[..., KNOWN:] = told[:, :, None]
        return torch.cat([torch.cat([known, room], 3), there, enters], 1)


def steady(colours: torch.Tensor) -> torch.Tensor:
    """(..., 3, H, w) as it is seen: (..., SEEN, H, w)."""
    return torch.cat([colours, torch.ones_like(colours[..., :1, :, :])], -3)


def levels(paces: torch.Tensor, count: int) -> torch.Tensor:
    """Motions (count, 2) for rows that go so fast, paces (H,) px a frame at speed 1: theirs, or, if those are too many, some from
    none to the quickest, slow ones told apart as finely as quick ones."""
    across = paces.unique()
    if len(across) > count:
        across = paces.max() * (torch.arange(count) / (count - 1)).to(paces) ** 1.5
    across = torch.cat([across, across[-1:].expand(count - len(across))])
    return torch.stack([across, torch.zeros_like(across)], 1)


def shine(image: torch.Tensor) -> torch.Tensor:
    """The mean of the rows' median colours of pictures (B, 3, H, W): (B, 3, 1, 1). What passes does not count."""
    return planes.median(image[..., ::2]).mean((2, 3), keepdim=True).clamp(min=DARK)
