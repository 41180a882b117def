"""One picture of what enters, without end: how the land (vj.model.land) comes in, column by column.

Sources: panoramas that go on without end, each part made to fit the last (outpainting: Infinite Nature, Liu et al. 2021;
SyncDiffusion, Lee et al. 2023); pictures joined along a path on which they differ least (image quilting, Efros and Freeman
2001).
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from vj.model.land import KNOWN, LONG, NEW, Land, steady
from vj.model.latents import CELL, Way

ENTERED = 48  # columns kept that have entered: slow rows still need them
BEHIND = 2  # columns of slow rows' that may be late: nobody sees it
SLOWEST, LONGEST = 0.02, 24.0  # px a column: what is slower counts as this; columns of which a px is the mean, at most
# Of land alone, and where all that enters is in it: px of a slow row of which each is the mean; of the noise it is made of, for
# at 1 hedges and hills are paler than in the footage.
SMOOTH, WILD = (3.0, 1.0), (1.25, 1.0)
NEAR = 6  # rows on either side in which what goes on and what comes instead may be joined
SEAM, FADES = 4, 24  # columns by which it is seen that what follows has another colour, and over how many that goes by
BEFORE, LATE = 8, 3  # cells that are drawn again with what follows; and drawn last, for how they look hangs on what follows

Goes = Callable[[torch.Tensor, torch.Tensor, int, torch.Tensor], torch.Tensor]


class Scroll:
    """One picture of what enters, without end, in the picture's mean colour."""

    def __init__(self, net: Land, even: torch.Tensor, kind: int, random: np.random.Generator, goes: Goes):
        """It goes on from what is in sight, even (1, 3, H, W), as if that had entered before now. kind: of which rows, see
        Land.kinds; goes: Laying._goes."""
        self.net, self._kind, self._random, self._goes = net, kind, random, goes
        self.long, self.least = LONG**kind, -BEHIND if kind else 1  # units of a column; the fewest columns ahead
        self.rows = torch.nonzero(net.rows(kind))[:, 0]
        columns = torch.arange(KNOWN * CELL - 1, -1, -1, device=even.device)
        long = net.longs[:, None] if net.holds_all else self.long
        x = (even.shape[3] - 1 - columns * long * net.paces[:, None]).clamp(min=0)
        entered = even[:, :, torch.arange(x.shape[0], device=even.device)[:, None], x.round().long()]
        self._off = torch.zeros(3, len(self.rows), 1, device=even.device)  # by what the last column's colours were changed
        self._follow(steady(entered[0]), KNOWN * CELL - 1)

    def _follow(self, ahead: torch.Tensor, at: float) -> None:
        """This (SEEN, H, n) enters, of which column `at` is at the leading edge, and what is made next goes on from its end."""
        end = torch.cat([ahead[..., -KNOWN * CELL :], ahead[..., -1:].expand(-1, -1, CELL)], 2)
        # (1, LATENTS, h, BEFORE or fewer) the last cells
        self.cells = self.net.encoder(self.net.packed(end[None], self._kind))[..., :KNOWN]
        self._way: Way | None = None
        self._late = LATE * CELL  # columns that the next picture brings less than it has cells for
        self.lay(ahead, at)

    def join(self, made: torch.Tensor, wide: int, last: int) -> None:
        """From now on this (SEEN, H, n) enters instead of what was to come, in the rows before `last`, near enough; so many
        columns of the two are joined. Where other rows go on as they would have, so does all after it."""
        first, kept = int(self.at) + 1, max(0, int(self.at) - ENTERED)
        made = made.clone()
        made[:3, self.rows] += self._off
        old = self.ahead[..., first:]
        if last < old.shape[1]:
            made = torch.cat([made[..., : old.shape[2]], old[..., made.shape[2] :]], 2)
        elif made.shape[2] > old.shape[2]:
            old = torch.cat([old, made[..., old.shape[2] :]], 2)
        else:
            old = old[..., : made.shape[2]]
        self._follow(torch.cat([self.ahead[..., kept:first], joined(old, made, wide, last)], 2), self.at - kept)

    @property
    def left(self) -> float:
        """Columns that are still to enter."""
        return self.ahead.shape[2] - 1 - self.at

    def lay(self, ahead: torch.Tensor, at: float) -> None:
        """This (SEEN, H, n) enters from now on, of which column `at` is at the leading edge."""
        self.ahead, self.at = ahead, float(at)
        self._sums = F.pad(((ahead[..., :-1] + ahead[..., 1:]) / 2).cumsum(2), (1, 0))

    def entered(self, wide: int) -> torch.Tensor:
        """Its rows in the last px, so many of them, of the picture: (1, SEEN, rows, wide)."""
        pace = (self.long * self.net.paces[self.rows, None]).clamp(min=SLOWEST)
        columns = self.at - torch.arange(wide - 1, -1, -1, device=pace.device) / pace
        columns = columns.clamp(max=self.ahead.shape[2] - 1)  # slow rows may be late
        long = (SMOOTH[self.net.holds_all] / pace).clamp(max=LONGEST)  # a px of a slow row is the mean of what enters with it
        return torch.where(pace < 1, self._mean(columns - long, columns), self._between(self.ahead, columns))[None]

    def _between(self, picture: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Its rows of a picture (C, H, n) at columns (rows, S) that need not be whole -> (C, rows, S)."""
        columns = columns.clamp(0, picture.shape[2] - 1)
        first = columns.long().clamp(max=picture.shape[2] - 2)
        part, rows = columns - first, self.rows[:, None]
        return picture[:, rows, first] * (1 - part) + picture[:, rows, first + 1] * part

    def _mean(self, start: torch.Tensor, stop: torch.Tensor) -> torch.Tensor:
        """Of what lies from columns start to stop (rows, S): (SEEN, rows, S)."""
        return (self._between(self._sums, stop) - self._between(self._sums, start)) / (stop - start)

    def go_on(self) -> None:
        """A step further in making what comes next: from noise, then drawn and put at the end."""
        if self._way is None:
            known = self.cells[..., -KNOWN:]
            shape = (*known.shape[:3], KNOWN + NEW)
            noise = WILD[self.net.holds_all] * torch.from_numpy(self._random.standard_normal(shape, np.float32)).to(known.device)
            told = noise.new_full((1, 1), self.net.wanted(self._kind))
            self._way = Way(self.net.velocity, noise, told, self.net.beside(known))
        if self._way.go_on():
            return
        cells = torch.cat([self.cells, self._way.x[..., KNOWN:]], 3)
        drawn = self.net.unpacked(self.net.decoder(cells))[0, ..., : -LATE * CELL]
        kept, follow = max(0, int(self.at) - ENTERED), drawn.shape[2] - (NEW * CELL - self._late)
        made = drawn[..., follow:].clone()
        if self.net.holds_all:
            differ = self.ahead[:3, :, -SEAM:].mean(2) - drawn[:3, :, follow - SEAM : follow].mean(2)
            differ[:, self.rows] -= self._off[..., 0]
            fade = torch.linspace(1, 0, FADES + 1, device=made.device)[1:]
            made[:3, :, :FADES] += differ[..., None] * fade
        goes = self._goes(self.rows, made[:3, self.rows], self.long, self._off)
        made[:3, self.rows] += torch.lerp(self._off, goes, torch.linspace(0, 1, made.shape[2] + 1, device=made.device)[1:])
        self._off = goes
        self.lay(torch.cat([self.ahead[..., kept:], made], 2), self.at - kept)
        self.cells, self._way, self._late = cells[..., -BEFORE:], None, 0


def joined(old: torch.Tensor, new: torch.Tensor, wide: int, last: int) -> torch.Tensor:
    """Two pictures (C, H, n) of the same place as one: the new one from one of the first `wide` columns on, above row `last`, or
    one of NEAR rows from there, everywhere if that is none of theirs; joined where the two differ least."""
    H, n = old.shape[1:]
    differ = (old - new).square().sum(0).cpu().numpy()
    mine = np.arange(n) >= _seam(differ[:, :wide])[:, None]
    if last < H:
        top = max(0, last - NEAR)
        mine &= np.arange(H)[:, None] < top + _seam(differ[top : last + NEAR].T)
    return torch.where(torch.from_numpy(mine).to(old.device), new, old)


def _seam(cost: np.ndarray) -> np.ndarray:
    """The column (H,) of each row of a path from the top down that goes at most a column aside from row to row, and costs least;
    cost (H, n)."""
    whole = cost.copy()
    for row in range(1, len(cost)):
        before = np.pad(whole[row - 1], 1, constant_values=np.inf)
        whole[row] += np.minimum(np.minimum(before[:-2], before[1:-1]), before[2:])
    seam = np.empty(len(cost), int)
    seam[-1] = whole[-1].argmin()
    for row in range(len(cost) - 2, -1, -1):
        first = max(seam[row + 1] - 1, 0)
        seam[row] = first + whole[row, first : seam[row + 1] + 2].argmin()
    return seam
