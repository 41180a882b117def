"""What the music lets in where things are not told apart from the land: stretches of all that enters, which wait for it.

Each goes on from what comes next, as if something entered in one of the bands now. When that band's control rises, the stretch
takes the place of what was to come: from where the thing begins to be seen, and joined where the two differ least.

Knows the land's network and the controls; no music.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch

from vj.model.entering import AGAIN, SEEN, VISIBLE, Entering, visible
from vj.model.land import KNOWN, NEW, Land
from vj.model.latents import CELL, Way
from vj.model.scroll import LATE, SLOWEST, Scroll
from vj.signals import BANDS, LUMA

READY, KEPT = 3, 8  # stretches of each band that wait, and that came and may come again
TOLD = 1.0  # the entry control that is told where something is to enter
WEAK, COMPARED = 1.0, 12  # of what those last made have in the middle, a strength that is too weak to be called in
JOINED, FEWEST = 1.5, 2  # frames at speed 1 in which the two are joined; columns at least
LATEST = 0.5  # of a stretch: by then what is to enter must
REST = CELL  # columns that enter of a stretch before another of its band, or of a farther one, may take its place: pieces of
# stretches would be a comb


@dataclass(frozen=True, slots=True)
class Stretch:
    """All that enters from when something does."""

    made: torch.Tensor  # (4, H, n), as of Land, from where it is joined on
    strength: float  # how much of the thing is to be seen when it enters


class Calls:
    """Stretches that wait, for one scroll."""

    def __init__(self, net: Land, random: np.random.Generator):
        self.net, self._random = net, random
        self._entering = Entering(net.lasts.cpu().numpy(), again=AGAIN)
        self._ready: list[list[Stretch]] = [[] for _ in BANDS]
        self._came = [deque(maxlen=KEPT) for _ in BANDS]  # those that were called in last, that of longest ago first
        self._strengths = [deque(maxlen=COMPARED) for _ in BANDS]  # of those last made
        self._making: tuple[int, torch.Tensor, Way] | None = None
        self._since = np.full(len(BANDS), np.inf)  # columns since one of the band, or a nearer one, was called in

    def turn(self, scroll: Scroll, controls: np.ndarray) -> None:
        """A frame further under these controls (6,): what they let in comes next. Where none waits, drums being quicker, what
        came longest ago of the last few comes again; the very first is made now, which takes as long as a frame or two, and is
        taken as it is."""
        self._entering.lasts = self.net.lasts.cpu().numpy()  # newer weights may have come
        self._since += float(controls[0]) / float(self.net.unit)
        begins = np.flatnonzero(self._entering.turn(controls) & (self._since >= REST))
        if not len(begins):
            return
        band = int(begins[-1])  # the nearest
        self._since[: band + 1] = 0
        ready, came = self._ready[band], self._came[band]
        while not (ready or came):
            self._go_on(scroll, band)
        if ready:
            ready.sort(key=lambda each: each.strength)
            came.append(ready.pop(round(min(max(float(controls[1 + band]), 0.0), 1.0) * (len(ready) - 1))))
        else:
            came.rotate(-1)
        scroll.join(came[-1].made, self._joined, round(BANDS[band][1] * self.net.height))

    @property
    def lack(self) -> bool:
        """Whether too little waits."""
        return any(len(ready) < READY for ready in self._ready)

    def prepare(self, scroll: Scroll) -> None:
        """A step further in making what may be let in, where fewest wait."""
        self._go_on(scroll, min(range(len(BANDS)), key=lambda each: len(self._ready[each])))

    @property
    def _joined(self) -> int:
        return max(FEWEST, round(JOINED / float(self.net.unit)))

    def _go_on(self, scroll: Scroll, band: int) -> None:
        """A step further with a stretch of this band, or with that which is under way if it is of another."""
        if self._making is None:
            self._making = (band, *self._started(scroll, band))
        band, cells, way = self._making
        if way.go_on():
            return
        drawn = self.net.unpacked(self.net.decoder(torch.cat([cells, way.x[..., KNOWN:]], 3)))[0]
        drawn = drawn[..., cells.shape[3] * CELL : -LATE * CELL]
        self._making = None
        early = self._seen(drawn, scroll.rows, band)[: int(LATEST * drawn.shape[2])]
        there = int(np.argmax(early >= VISIBLE * early.max()))
        strength, others = float(early.max()), self._strengths[band]
        others.append(strength)
        nothing = not (self._ready[band] or self._came[band])
        if nothing or strength >= WEAK * float(np.median(others)):  # else another is tried
            self._ready[band].append(Stretch(drawn[..., max(0, there - self._joined) :], strength))

    def _started(self, scroll: Scroll, band: int) -> tuple[torch.Tensor, Way]:
        net, cells = self.net, scroll.cells
        known = cells[..., -KNOWN:]
        told = known.new_zeros(1, len(BANDS), NEW)
        told[:, band, : max(1, round(float(net.lasts[band] / net.unit) / CELL))] = TOLD
        noise = torch.from_numpy(self._random.standard_normal((*known.shape[:3], KNOWN + NEW), np.float32)).to(known.device)
        return cells, Way(net.velocity, noise, noise.new_full((1, 1), net.wanted(0)), net.beside(known, told))

    def _seen(self, made: torch.Tensor, rows: torch.Tensor, band: int) -> np.ndarray:
        """How much of what enters is to be seen, (n,) for each column of made (4, H, n), in the band's rows."""
        top, bottom = (round(share * self.net.height) for share in BANDS[band])
        mine = rows[(rows >= top) & (rows < bottom)]
        if not len(mine):
            return np.ones(made.shape[2], np.float32)
        luma = torch.einsum("chn,c->hn", made[:3, mine], made.new_tensor(LUMA)).cpu().numpy()
        long = max(1, round(SEEN / max(float(self.net.paces[mine].median()), SLOWEST)))  # columns of so many px
        return visible(np.pad(luma, ((0, 0), (1, 0)), "edge"), min(long, made.shape[2]))[: made.shape[2]]
