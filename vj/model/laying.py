"""What enters of the land in one world, from now on: its pictures, how far they have come, and in what light.

Knows the land's network, a world's lattice and the controls; no music.
"""

import math
from collections.abc import Callable

import numpy as np
import torch

from vj.model import planes
from vj.model.called import Calls
from vj.model.land import NEW, Land, shine, steady
from vj.model.latents import CELL, STEPS
from vj.model.scroll import Scroll
from vj.signals import LUMA

SOON = 56  # columns ahead, fewer of which are too few
SALT = 7  # of the seed, so that land and things are made of other numbers

Home = Callable[[torch.Tensor], torch.Tensor]  # rows (1, 3, H), in their mean luma -> the nearest it could have


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
        self._calls: Calls | None = None
        self._light = torch.ones(1, 3, 1, 1)  # colours of them are multiples of this

    @torch.inference_mode()
    def turn(self, lattice: torch.Tensor, speed: float, controls: np.ndarray | None = None) -> bool:
        """A step at this speed further, from a world's lattice (1, 3, H, W); under these controls (6,), None: nothing is to
        enter but what does by itself. Whether it went on making what comes next."""
        if not self.scrolls or not torch.equal(self._kind, self._now):  # newer weights may have other rows
            self._light, self._kind = shine(lattice), self._now
            even = lattice / self._light
            self._rows, self._wide = even.mean(3), lattice.shape[3]
            self.scrolls = [Scroll(self.net, even, kind, self._random, self._goes) for kind in self.net.kinds]
            self._calls = Calls(self.net, self._random) if self.net.holds_all else None
        gone = speed / float(self.net.unit)
        for each in self.scrolls:
            each.at += gone / each.long
        lacks = self._calls is not None and self._calls.lack
        soon = max(SOON / 2, (STEPS + 2) * gone) if lacks else SOON  # until then the one that is needed sooner is made first
        short = [each for each in self.scrolls if each.left < soon]
        if short:
            next_one = min(short, key=lambda each: each.left * each.long)
            for _ in range(math.ceil((STEPS + 1) * max(gone, 1) / next_one.long / (NEW * CELL))):  # as often as it must
                next_one.go_on()
        elif lacks:
            self._calls.prepare(self.scrolls[0])
        for each in self.scrolls:
            while each.left < each.least:
                each.go_on()
        if self._calls is not None and controls is not None:
            self._calls.turn(self.scrolls[0], controls)
        return bool(short)

    @property
    def _now(self) -> torch.Tensor:
        """Which rows are slow, how long a column is, and what it holds."""
        return torch.cat([self.net.slow, self.net.unit, self.net.lasts.any().to(self.net.unit)[None]])

    @torch.inference_mode()
    def fill(self, moved: torch.Tensor, opened: torch.Tensor) -> torch.Tensor:
        """The last px of a world's lattice that is carried, moved (1, 3, H, W), with what has entered there, opened (1, 1, H, S)
        bool, filled in: (1, 3, H, S)."""
        strip = moved[..., -opened.shape[3] :]
        made = steady(strip)
        for each in self.scrolls:
            made[:, :, each.rows] = each.entered(strip.shape[3])
        made = made[:, :3]
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
