"""The land behind all that passes, imagined ahead: what will enter at the leading edge in the next seconds, as one picture.

Drawn frame by frame, from what stands beside it, land forgets what it is: after a minute all is stripes. So a small network
makes at once what enters while the picture goes on for some seconds: a picture whose rows are the picture's, whose columns
are frames at speed 1, the first of which has entered before; it goes on from there. The world moves each row on as the
trunk says; here is only what comes in. Learnt from what entered in the footage, what stood before it taken away
(vj.train.lands, vj.train.land).

Sources: see vj.model.latents; a slit-scan, as of a photo finish; panoramas that go on without end, each part made to fit the
last (outpainting: Infinite Nature, Liu et al. 2021; SyncDiffusion, Lee et al. 2023).
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vj.model import planes
from vj.model.latents import CELL, Decoder, Encoder, Velocity, Way

WIDTHS, LATENTS, WIDTH = (16, 32, 48), 8, 64  # see vj.model.latents
KNOWN, NEW = 4, 12  # cells of a picture that have been before, and that are new
SOON, ENTERED = 56, 48  # columns ahead, fewer of which are too few; columns kept that have entered: slow rows still need them
SLOWEST, SMOOTH, LONGEST = 0.02, 3.0, 24.0  # px a frame at speed 1: what is slower counts as this; px of a slow row of which
# each is the mean, and frames at most
WILD = 1.25  # of the noise it is made of: at 1 hedges and hills are paler than in the footage
BEFORE, LATE = 8, 3  # cells that are drawn again with what follows; and drawn last, for how they look hangs on what follows
DARK, SALT = 0.05, 7  # the least of a mean colour, 0..1; of the seed, so that land and things are made of other numbers
MIDDLING, CONTRAST, BRIGHTEST = 0.8, 1.2, 3.0  # of colours in the picture's mean: what is told as 0, how strongly; at most


class Land(nn.Module):
    """Makes what enters of the land, if it has learnt it."""

    def __init__(self, height: int):
        """height of the picture, px."""
        super().__init__()
        self.height, self.tall = height, -(-height // CELL) * CELL
        self.encoder, self.decoder = Encoder(3, WIDTHS, LATENTS), Decoder(3, WIDTHS, LATENTS)
        self.velocity = Velocity(LATENTS, WIDTH, 0, LATENTS + 1)
        self.register_buffer("grain", torch.zeros(height, planes.GRAINS))  # what is finer than columns, see planes.grained
        self.register_buffer("paces", torch.zeros(height))  # px a frame at speed 1 of each row's land; all 0: knows none

    @property
    def known(self) -> bool:
        """Whether it has learnt land."""
        return bool(self.paces.any())

    @torch.no_grad()
    def forget(self) -> None:
        """From now on it makes none: there is other footage."""
        self.paces.zero_()

    def packed(self, colours: torch.Tensor) -> torch.Tensor:
        """Colours (B, 3, H, w) in the picture's mean -> (B, 3, tall, w), as encoder takes them."""
        below = colours[:, :, -1:].expand(-1, -1, self.tall - self.height, -1)
        return (torch.cat([colours, below], 2) - MIDDLING) * CONTRAST

    def unpacked(self, drawn: torch.Tensor) -> torch.Tensor:
        """The inverse."""
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

    def __init__(self, net: Land):
        self.net = net
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Nothing is known of what enters; the same seed makes the same land of the same pictures and speeds."""
        self._random = np.random.default_rng([seed, SALT])
        self._ahead: torch.Tensor | None = None  # (3, H, n), its first column entered just now or before
        self._at = 0.0  # column of it that is at the leading edge now
        self._light = torch.ones(1, 3, 1, 1)  # colours of it are multiples of this
        self._cells: torch.Tensor | None = None  # (1, LATENTS, h, BEFORE or fewer) the last
        self._way: Way | None = None
        self._late = 0  # columns that the next picture brings less than it has cells for

    @torch.inference_mode()
    def turn(self, lattice: torch.Tensor, speed: float) -> bool:
        """A step at this speed further, from a world's lattice (1, 3, H, W). Whether it went on making what comes next."""
        if self._ahead is None:
            self._light = shine(lattice)
            self._start(lattice / self._light)
        self._at += speed
        soon = self._left < SOON
        if soon:
            self._go_on()
        while self._left < 1:
            self._go_on()
        return soon

    @property
    def _left(self) -> float:
        """Columns that are still to enter."""
        return self._ahead.shape[2] - 1 - self._at

    @torch.inference_mode()
    def fill(self, moved: torch.Tensor, opened: torch.Tensor) -> torch.Tensor:
        """The last px of a world's lattice that is carried, moved (1, 3, H, W), with what has entered there, opened (1, 1, H, S)
        bool, filled in: (1, 3, H, S)."""
        strip, pace = moved[..., -opened.shape[3] :], self.net.paces.clamp(min=SLOWEST)[:, None]
        back = torch.arange(opened.shape[3] - 1, -1, -1, device=moved.device)
        columns = self._at - back / pace
        long = (SMOOTH / pace).clamp(max=LONGEST)  # a px of a slow row is the mean of what enters with it
        made = torch.where(pace < 1, self._mean(columns - long, columns), self._between(self._ahead, columns))
        grain = torch.from_numpy(self._random.standard_normal((1, planes.GRAINS, *strip.shape[2:]), np.float32)).to(moved.device)
        rough = planes.grained(self.net.grain.T[None, :, :, None], grain)
        return torch.where(opened, ((made[None] + rough) * self._light).clamp(min=0), strip)

    def _between(self, picture: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """(C, H, n) at columns (H, S) that need not be whole -> (C, H, S)."""
        columns = columns.clamp(0, picture.shape[2] - 1)
        first = columns.long().clamp(max=picture.shape[2] - 2)
        part, rows = columns - first, torch.arange(len(first), device=picture.device)[:, None]
        return picture[:, rows, first] * (1 - part) + picture[:, rows, first + 1] * part

    def _mean(self, start: torch.Tensor, stop: torch.Tensor) -> torch.Tensor:
        """Of what lies from columns start to stop (H, S): (3, H, S)."""
        return (self._between(self._sums, stop) - self._between(self._sums, start)) / (stop - start)

    def leave(self) -> None:
        """Something else draws what enters meanwhile: who goes on later goes on from what is in sight then."""
        self._ahead, self._way = None, None

    def lit(self, light: torch.Tensor) -> None:
        """The light has changed: by so much (1, 3) each colour was multiplied."""
        self._light = self._light * light.float().view(1, 3, 1, 1)

    def _start(self, lattice: torch.Tensor) -> None:
        """What is in sight, in its own light, as if it had entered before now: to go on from."""
        columns = torch.arange(KNOWN * CELL - 1, -1, -1, device=lattice.device)
        x = (lattice.shape[3] - 1 - columns * self.net.paces[:, None]).clamp(min=0)
        rows = torch.arange(x.shape[0], device=lattice.device)[:, None]
        entered = lattice[:, :, rows, x.round().long()]
        beyond = entered[..., -1:].expand(-1, -1, -1, CELL)
        self._cells = self.net.encoder(self.net.packed(torch.cat([entered, beyond], 3)))[..., :KNOWN]
        self._lay(entered[0], KNOWN * CELL - 1)
        self._late = LATE * CELL

    def _lay(self, ahead: torch.Tensor, at: float) -> None:
        """This (3, H, n) enters from now on, of which column `at` is at the leading edge."""
        self._ahead, self._at = ahead, float(at)
        self._sums = F.pad(((ahead[..., :-1] + ahead[..., 1:]) / 2).cumsum(2), (1, 0))

    def _go_on(self) -> None:
        """A step further in making what comes next: from noise, then drawn and put at the end."""
        if self._way is None:
            known = self._cells[..., -KNOWN:]
            shape = (*known.shape[:3], KNOWN + NEW)
            noise = WILD * torch.from_numpy(self._random.standard_normal(shape, np.float32)).to(known.device)
            self._way = Way(self.net.velocity, noise, noise.new_zeros(1, 0), self.net.beside(known))
        if self._way.go_on():
            return
        cells = torch.cat([self._cells, self._way.x[..., KNOWN:]], 3)
        drawn = self.net.unpacked(self.net.decoder(cells))[0, ..., : -LATE * CELL]
        kept, follow = max(0, int(self._at) - ENTERED), drawn.shape[2] - (NEW * CELL - self._late)
        self._lay(torch.cat([self._ahead[..., kept:], drawn[..., follow:]], 2), self._at - kept)
        self._cells, self._way, self._late = cells[..., -BEFORE:], None, 0
