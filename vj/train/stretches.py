"""Stretches of what enters in one scene, ready to be learnt from: pieces to be drawn, and pieces of what they are to be made.

For vj.train.land, which says how they are learnt.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from vj.errors import FootageError
from vj.model.land import CELL, KNOWN, LONG, NEW, SEEN, SLOWLY, Land, levels
from vj.signals import BANDS
from vj.train.lands import Lands
from vj.train.roughness import Roughness

WIDE = 64  # columns of a piece to be drawn
TINTED = 0.03  # standard deviation of each colour, by piece
SHIFTS, ANEW = (0, 2, 4, 6), 2  # columns by which cells are laid otherwise; how often, where what stands beside them may differ
STRETCH = (KNOWN + NEW + 3) * CELL  # columns of a stretch, fewer of which are too few
FEWEST = 4 * (KNOWN + NEW) * CELL  # columns of all stretches, fewer of which it is not learnt from


class Stretches:
    """Those of one scene."""

    def __init__(self, net: Land, lands: Lands, rough: Roughness, scene: int = 0):
        """scene: its number, where there are several. FootageError if there is too little to learn from."""
        self.net, self.rough, self._lands, self._scene = net, rough, lands, scene
        told = lands.told or [torch.zeros(len(BANDS), picture.shape[2]) for picture in lands.pictures]
        long = [each for each, picture in enumerate(lands.pictures) if picture.shape[2] >= STRETCH]
        pictures, told = ([part[each] for each in long] for part in (lands.pictures, told))
        if sum(picture.shape[2] for picture in pictures) < FEWEST or not lands.paces.any():
            raise FootageError(
                "Too little land enters this footage, at the right edge and from left to right alone, to learn how land looks: "
                "bring longer takes, and weights that know its motions."
            )
        self.holds_all = lands.told is not None
        self._pictures, self._beside = {0: pictures}, {}  # of rows of each kind; those that are learnt beside quick ones
        if not self.holds_all:
            slow = [F.avg_pool1d(picture.float().flatten(0, 1), LONG).unflatten(0, (SEEN, -1)).half() for picture in pictures]
            slow = [picture for picture in slow if picture.shape[2] >= STRETCH]
            self._pictures[1] = [*slow, *(picture.flip(2) for picture in slow)]
            self._slow = ((lands.paces < SLOWLY) & bool(slow)).float()
        else:
            self._beside = {kind: some for kind, some in lands.others.items() if some}
            self._slow = torch.zeros_like(lands.paces) if lands.kinds is None else lands.kinds
        self._pictures = {kind: some for kind, some in self._pictures.items() if (self._slow == kind).any()}
        self._told = {kind: [torch.zeros(len(BANDS), each.shape[2]) for each in some] for kind, some in self._pictures.items()}
        self._told |= {0: told}
        self._latents: dict[int, list[torch.Tensor]] = {}

    @torch.no_grad()
    def count(self, net: Land) -> None:
        """Tells the network how fast each row goes, which are slow, and their grain."""
        net.paces.copy_(self._lands.paces)
        net.slow.copy_(self._slow)
        net.grain.copy_(self._lands.grain)
        net.unit.fill_(self._lands.unit)
        net.lasts.copy_(self._lands.lasts)
        if self.holds_all:
            net.bank.copy_(levels(self._lands.paces / self._lands.unit, len(net.bank)))
        net.scenes.keep(net, self._scene)

    def drawn(self, many: int) -> torch.Tensor:
        """So many pieces of all kinds together, as Land.encoder takes them."""
        parts, some = [], many // len(self._pictures)
        for kind, pictures in self._pictures.items():
            take = partial(self._some, count=some, wide=WIDE)
            seen = self._beside_others(take(pictures), take)
            parts.append(self.net.packed(seen * (1 + TINTED * self._tints(some)), kind))
        return torch.cat(parts)

    @torch.no_grad()
    def lay(self) -> None:
        """Says what all of it is, once for all: the encoder learns no more."""
        self._latents = {kind: self._laid(kind) for kind in self._pictures}

    def made(self, many: int) -> tuple[torch.Tensor, torch.Tensor]:
        """So many pieces of all kinds together, each cell with what was told as it entered (B, LATENTS + bands, h, KNOWN + NEW),
        and what is wanted (B, 1), see Land.wanted. They must have been laid."""
        some = many // len(self._latents)
        land = torch.cat([self._some(latents, some, KNOWN + NEW) for latents in self._latents.values()])
        wanted = [self._scene / 2 if self.holds_all else float(kind) for kind in self._latents for _ in range(some)]
        return land, torch.tensor(wanted)[:, None]

    def _laid(self, kind: int) -> list[torch.Tensor]:
        """What pictures are, each cell with what was told when it entered (LATENTS + bands, h, n), laid by several columns
        otherwise."""
        laid = []
        for picture, told in zip(self._pictures[kind], self._told[kind], strict=True):
            for shift in SHIFTS * (ANEW if self._beside else 1):
                n = (picture.shape[2] - shift) // CELL * CELL
                part, enters = (each[..., shift : shift + n].float().to(self.net.paces.device) for each in (picture, told))
                part = self._beside_others(part[None], partial(self._drawn_out, count=n))[0]
                latents = self.net.encoder(self.net.packed(part[None], kind))[0]
                enters = F.avg_pool1d(enters, CELL)[:, None].expand(-1, latents.shape[1], -1)
                laid.append(torch.cat([latents, enters])[:, :, 1:-1])  # at its ends it is not as within
        return laid

    def _beside_others(self, seen: torch.Tensor, take: Callable[[list[torch.Tensor]], torch.Tensor]) -> torch.Tensor:
        """These columns (B, SEEN, H, n), and in the rows of other kinds what take(their pictures) gives, (B, SEEN, H, n)."""
        for kind, pictures in self._beside.items():
            seen = torch.where((self._slow == kind).to(seen.device)[:, None], take(pictures), seen)
        return seen

    def _drawn_out(self, pictures: list[torch.Tensor], count: int) -> torch.Tensor:
        """One of these (SEEN, H, n), from some column on and then from its beginning, so many columns: (1, SEEN, H, count)."""
        which, start = self.rough.random(2).tolist()
        picture = pictures[int(which * len(pictures))].float().to(self.net.paces.device)
        columns = (int(start * picture.shape[2]) + torch.arange(count)) % picture.shape[2]
        return picture[None, ..., columns]

    def _tints(self, count: int) -> torch.Tensor:
        return F.pad(self.rough.grain(torch.empty(count, 3, 1, 1)), (0, 0, 0, 0, 0, SEEN - 3))

    def _some(self, stretches: list[torch.Tensor], count: int, wide: int) -> torch.Tensor:
        """So many pieces (count, C, h, wide) of these (C, h, n), all of them alike likely."""
        starts = np.cumsum([0, *(each.shape[2] - wide + 1 for each in stretches)])
        chosen = (self.rough.random(count) * int(starts[-1])).long().cpu().numpy()
        which = np.searchsorted(starts, chosen, side="right") - 1
        parts = [stretches[each][:, :, at : at + wide].float() for each, at in zip(which, chosen - starts[which], strict=True)]
        return torch.stack(parts).to(self.net.paces.device)
