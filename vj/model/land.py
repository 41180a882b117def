"""The land behind all that passes, imagined ahead: what will enter at the leading edge in the next seconds, as one picture.

Drawn frame by frame, from what stands beside it, land forgets what it is: after a minute all is stripes. So a small network
makes at once what enters while the picture goes on for some seconds: a picture whose rows are the picture's, whose columns
are frames at speed 1, the first of which has entered before; it goes on from there. Of the sky and the hills, which hardly
move, nothing would be seen in so few frames but a part of a cloud: their rows have a picture of their own, each column of
which is some frames long. The world moves each row on as the trunk says; here is only what comes in. Learnt from what
entered in the footage, what stood before it taken away (vj.train.lands, vj.train.land).

Sources: see vj.model.latents; a slit-scan, as of a photo finish; panoramas that go on without end, each part made to fit the
last (outpainting: Infinite Nature, Liu et al. 2021; SyncDiffusion, Lee et al. 2023).
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vj.model import planes
from vj.model.latents import CELL, Decoder, Encoder, Velocity, Way
from vj.signals import LUMA

WIDTHS, LATENTS, WIDTH = (16, 32, 48), 8, 64  # see vj.model.latents
KNOWN, NEW = 4, 12  # cells of a picture that have been before, and that are new
SOON, ENTERED = 56, 48  # columns ahead, fewer of which are too few; columns kept that have entered: slow rows still need them
SLOWLY, LONG = 1.0, 4  # px a frame at speed 1, slower than which rows are slow; frames at speed 1 of a column of theirs
BEHIND = 2  # columns of theirs that may be late: nobody sees it
SLOWEST, SMOOTH, LONGEST = 0.02, 3.0, 24.0  # px a frame at speed 1: what is slower counts as this; px of a slow row of which
# each is the mean, and frames at most
WILD = 1.25  # of the noise it is made of: at 1 hedges and hills are paler than in the footage
BEFORE, LATE = 8, 3  # cells that are drawn again with what follows; and drawn last, for how they look hangs on what follows
DARK, SALT = 0.05, 7  # the least of a mean colour, 0..1; of the seed, so that land and things are made of other numbers
MIDDLING, CONTRAST, BRIGHTEST = 0.8, 1.2, 3.0  # of colours in the picture's mean: what is told as 0, how strongly; at most


Home = Callable[[torch.Tensor], torch.Tensor]  # rows (1, 3, H), in their mean luma -> the nearest it could have
Goes = Callable[[torch.Tensor, torch.Tensor, int, torch.Tensor], torch.Tensor]


class Land(nn.Module):
    """Makes what enters of the land, if it has learnt it."""

    def __init__(self, height: int):
        """height of the picture, px."""
        super().__init__()
        self.height, self.tall = height, -(-height // CELL) * CELL
        self.encoder, self.decoder = Encoder(3, WIDTHS, LATENTS), Decoder(3, WIDTHS, LATENTS)
        self.velocity = Velocity(LATENTS, WIDTH, 1, LATENTS + 1)
        self.register_buffer("grain", torch.zeros(height, planes.GRAINS))  # what is finer than columns, see planes.grained
        self.register_buffer("paces", torch.zeros(height))  # px a frame at speed 1 of each row's land; all 0: knows none
        self.register_buffer("slow", torch.zeros(height))  # 1: of those rows that have a picture of their own

    @property
    def known(self) -> bool:
        """Whether it has learnt land."""
        return bool(self.paces.any())

    @torch.no_grad()
    def forget(self) -> None:
        """From now on it makes none: there is other footage."""
        self.paces.zero_()

    def rows(self, slow: bool) -> torch.Tensor:
        """Which rows are in the picture of the slow ones, or in the other: (H,) bool."""
        return (self.slow > 0) == slow

    def packed(self, colours: torch.Tensor, slow: bool) -> torch.Tensor:
        """Colours (B, 3, H, w) in the picture's mean, of those rows -> (B, 3, tall, w), as encoder takes them."""
        below = colours[:, :, -1:].expand(-1, -1, self.tall - self.height, -1)
        mine = F.pad(self.rows(slow), (0, self.tall - self.height), value=not slow)
        return (torch.cat([colours, below], 2) - MIDDLING) * CONTRAST * mine[:, None]

    def unpacked(self, drawn: torch.Tensor) -> torch.Tensor:
        """The inverse: of other rows nothing is known."""
        return (drawn[:, :, : self.height] / CONTRAST + MIDDLING).clamp(0, BRIGHTEST)

    def beside(self, known: torch.Tensor) -> torch.Tensor:
        """What velocity is told of cells that are known, (B, LATENTS, h, KNOWN), and that the NEW others are not."""
        room = known.new_zeros(*known.shape[:3], NEW)
        there = torch.cat([torch.ones_like(known[:, :1]), room[:, :1]], 3)
        return torch.cat([torch.cat([known, room], 3), there], 1)


def shine(image: torch.Tensor) -> torch.Tensor:
    """The mean of the rows' median colours of pictures (B, 3, H, W): (B, 3, 1, 1). What passes does not count."""
    return planes.median(image[..., ::2]).mean((2, 3), keepdim=True).clamp(min=DARK)


class Laying:
    """What enters of the land in one world, from now on."""

    def __init__(self, net: Land, home: Home | None = None):
        """home: what colours its rows could have in the footage; None: any."""
        self.net, self._home = net, home
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Nothing is known of what enters; the same seed makes the same land of the same pictures and speeds."""
        self._random = np.random.default_rng([seed, SALT])
        self.scrolls: list[Scroll] = []
        self._light = torch.ones(1, 3, 1, 1)  # colours of them are multiples of this

    @torch.inference_mode()
    def turn(self, lattice: torch.Tensor, speed: float) -> bool:
        """A step at this speed further, from a world's lattice (1, 3, H, W). Whether it went on making what comes next."""
        if not self.scrolls or not torch.equal(self._slow, self.net.slow):  # newer weights may have other rows
            self._light, self._slow = shine(lattice), self.net.slow.clone()
            even = lattice / self._light
            self._rows, self._wide = even.mean(3), lattice.shape[3]
            kinds = [slow for slow in (False, True) if self.net.rows(slow).any()]
            self.scrolls = [Scroll(self.net, even, slow, self._random, self._goes) for slow in kinds]
        for each in self.scrolls:
            each.at += speed / each.long
        short = [each for each in self.scrolls if each.left < SOON]
        if short:
            min(short, key=lambda each: each.left * each.long).go_on()
        for each in self.scrolls:
            while each.left < each.least:
                each.go_on()
        return bool(short)

    @torch.inference_mode()
    def fill(self, moved: torch.Tensor, opened: torch.Tensor) -> torch.Tensor:
        """The last px of a world's lattice that is carried, moved (1, 3, H, W), with what has entered there, opened (1, 1, H, S)
        bool, filled in: (1, 3, H, S)."""
        strip = moved[..., -opened.shape[3] :]
        made = torch.empty_like(strip)
        for each in self.scrolls:
            made[:, :, each.rows] = each.entered(strip.shape[3])
        grain = torch.from_numpy(self._random.standard_normal((1, planes.GRAINS, *strip.shape[2:]), np.float32)).to(moved.device)
        rough = planes.grained(self.net.grain.T[None, :, :, None], grain)
        return torch.where(opened, ((made + rough) * self._light).clamp(min=0), strip)

    def _goes(self, rows: torch.Tensor, made: torch.Tensor, long: int, off: torch.Tensor) -> torch.Tensor:
        """By what the colours of these rows (n,) are to change, of which made (3, n, columns), each so many frames long, comes in
        next, that what is in sight could come to be the footage's; off: as they are changed now; both (3, n, 1).

        One part follows from the last, and errors would add up: in thousands of frames the sky turned white.
        """
        if self._home is None:
            return off
        share = (made.shape[2] * long * self.net.paces[rows] / self._wide).clamp(max=1)  # of what will be in sight
        self._rows[0, :, rows] += share * (made.mean(2) - self._rows[0, :, rows])
        light = self._light[..., 0]
        luma = (self._rows * light).mean(2)[0] @ self._rows.new_tensor(LUMA)
        goes = self._home(self._rows * light / luma) * luma / light - self._rows
        return torch.lerp(off, goes[0, :, rows, None], share[:, None])

    def leave(self) -> None:
        """Something else draws what enters meanwhile: who goes on later goes on from what is in sight then."""
        self.scrolls = []

    def lit(self, light: torch.Tensor) -> None:
        """The light has changed: by so much (1, 3) each colour was multiplied."""
        self._light = self._light * light.float().view(1, 3, 1, 1)


class Scroll:
    """One picture of what enters, without end, in the picture's mean colour."""

    def __init__(self, net: Land, even: torch.Tensor, slow: bool, random: np.random.Generator, goes: Goes):
        """It goes on from what is in sight, even (1, 3, H, W), as if that had entered before now. slow: of the slow rows; goes:
        Laying._goes."""
        self.net, self._slow, self._random, self._goes = net, slow, random, goes
        self.long, self.least = (LONG, -BEHIND) if slow else (1, 1)  # frames at speed 1 of a column; the fewest columns ahead
        self.rows = torch.nonzero(net.rows(slow))[:, 0]
        columns = torch.arange(KNOWN * CELL - 1, -1, -1, device=even.device)
        x = (even.shape[3] - 1 - columns * self.long * net.paces[:, None]).clamp(min=0)
        entered = even[:, :, torch.arange(x.shape[0], device=even.device)[:, None], x.round().long()]
        beyond = entered[..., -1:].expand(-1, -1, -1, CELL)
        # (1, LATENTS, h, BEFORE or fewer) the last cells
        self._cells = net.encoder(net.packed(torch.cat([entered, beyond], 3), slow))[..., :KNOWN]
        self._way: Way | None = None
        self._late = LATE * CELL  # columns that the next picture brings less than it has cells for
        self._off = torch.zeros(3, len(self.rows), 1, device=even.device)  # by what the last column's colours were changed
        self.lay(entered[0], KNOWN * CELL - 1)

    @property
    def left(self) -> float:
        """Columns that are still to enter."""
        return self.ahead.shape[2] - 1 - self.at

    def lay(self, ahead: torch.Tensor, at: float) -> None:
        """This (3, H, n) enters from now on, of which column `at` is at the leading edge."""
        self.ahead, self.at = ahead, float(at)
        self._sums = F.pad(((ahead[..., :-1] + ahead[..., 1:]) / 2).cumsum(2), (1, 0))

    def entered(self, wide: int) -> torch.Tensor:
        """Its rows in the last px, so many of them, of the picture: (1, 3, rows, wide)."""
        pace = self.long * self.net.paces[self.rows].clamp(min=SLOWEST)[:, None]
        columns = self.at - torch.arange(wide - 1, -1, -1, device=pace.device) / pace
        columns = columns.clamp(max=self.ahead.shape[2] - 1)  # slow rows may be late
        long = (SMOOTH / pace).clamp(max=LONGEST)  # a px of a slow row is the mean of what enters with it
        return torch.where(pace < 1, self._mean(columns - long, columns), self._between(self.ahead, columns))[None]

    def _between(self, picture: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Its rows of a picture (C, H, n) at columns (rows, S) that need not be whole -> (C, rows, S)."""
        columns = columns.clamp(0, picture.shape[2] - 1)
        first = columns.long().clamp(max=picture.shape[2] - 2)
        part, rows = columns - first, self.rows[:, None]
        return picture[:, rows, first] * (1 - part) + picture[:, rows, first + 1] * part

    def _mean(self, start: torch.Tensor, stop: torch.Tensor) -> torch.Tensor:
        """Of what lies from columns start to stop (rows, S): (3, rows, S)."""
        return (self._between(self._sums, stop) - self._between(self._sums, start)) / (stop - start)

    def go_on(self) -> None:
        """A step further in making what comes next: from noise, then drawn and put at the end."""
        if self._way is None:
            known = self._cells[..., -KNOWN:]
            shape = (*known.shape[:3], KNOWN + NEW)
            noise = WILD * torch.from_numpy(self._random.standard_normal(shape, np.float32)).to(known.device)
            self._way = Way(self.net.velocity, noise, noise.new_full((1, 1), float(self._slow)), self.net.beside(known))
        if self._way.go_on():
            return
        cells = torch.cat([self._cells, self._way.x[..., KNOWN:]], 3)
        drawn = self.net.unpacked(self.net.decoder(cells))[0, ..., : -LATE * CELL]
        kept, follow = max(0, int(self.at) - ENTERED), drawn.shape[2] - (NEW * CELL - self._late)
        made = drawn[..., follow:].clone()
        goes = self._goes(self.rows, made[:, self.rows], self.long, self._off)
        made[:, self.rows] += torch.lerp(self._off, goes, torch.linspace(0, 1, made.shape[2] + 1, device=made.device)[1:])
        self._off = goes
        self.lay(torch.cat([self.ahead[..., kept:], made], 2), self.at - kept)
        self._cells, self._way, self._late = cells[..., -BEFORE:], None, 0
