"""How `vj.model.land` learns: first to say in few numbers what stretches of land are, and to draw them from these; then to make
such numbers out of noise, to go on from what has entered before.

Sources: as of vj.train.sprites; what is known beside is told a little wrongly, so that its own errors do not grow (noise
augmentation, Ho et al. 2022, cascaded diffusion).
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F

from vj.errors import FootageError
from vj.model.land import CELL, KNOWN, LATENTS, LONG, NEW, SEEN, SLOWLY, Land, levels
from vj.model.net import Net
from vj.signals import BANDS
from vj.train import slits
from vj.train.dataset import Dataset
from vj.train.lands import Lands, find
from vj.train.patches import CRITICAL, GREEN, Critic
from vj.train.roughness import Roughness

EACH, WIDE, ENDLESS = (16, 8), 64, (32, 16)  # stretches of a step, to be drawn, and their columns; to be made out of noise: of
# land alone, and where all is in it, which is known from a clip of seconds, and so the sooner by many small steps
LOOKS = 0.2  # share of the way in which it learns what land is, if it does not know yet
BLURRED, SPOILT, MISTOLD = 0.15, 0.03, 0.06  # noise on what is told of it, to draw it, and to make it; on what is known, at most
UNTOLD = 0.4  # share of the stretches of which nothing is told: where nobody says, all may enter that does
SELDOM = (2, 3)  # lessons in making, in one of which it goes on learning to draw, where it is only now learning what land is
SLOPES = 0.5  # weight of what is beside each other, against what is there
TINTED = 0.03  # standard deviation of each colour, by stretch
SHIFTS, ANEW = (0, 2, 4, 6), 2  # columns by which cells are laid otherwise; how often, where what stands beside them may differ
EARLY = -0.2  # of the logit of the times, mean
STRETCH = (KNOWN + NEW + 3) * CELL  # columns of a stretch, fewer of which are too few
FEWEST = 4 * (KNOWN + NEW) * CELL  # columns of all stretches, fewer of which it is not learnt from


class Lessons:
    """Lessons for `net` in this land."""

    def __init__(self, net: Land, lands: Lands, rough: Roughness):
        """FootageError if there is too little to learn from."""
        self.net, self.rough, self._lands = net, rough, lands
        told = lands.told or [torch.zeros(len(BANDS), picture.shape[2]) for picture in lands.pictures]
        long = [each for each, picture in enumerate(lands.pictures) if picture.shape[2] >= STRETCH]
        pictures, told = ([part[each] for each in long] for part in (lands.pictures, told))
        if sum(picture.shape[2] for picture in pictures) < FEWEST or not lands.paces.any():
            raise FootageError(
                "Too little land enters this footage, at the right edge and from left to right alone, to learn how land looks: "
                "bring longer takes, and weights that know its motions."
            )
        self._looks = not net.known
        self._all = lands.told is not None
        self._draws = self._looks or self._all  # where things are in it there is more to draw
        self._pictures, self._beside = {0: pictures}, {}  # of rows of each kind; those that are learnt beside quick ones
        if not self._all:
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
        self._latents: dict[int, list[torch.Tensor]] | None = None
        self._given = self._shown = 0  # lessons in making, and in drawing
        self.critic = Critic(SEEN, rough) if self._all else None

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage. The network knows its motions, and whether things are in its land."""
        if net.land.holds_all:
            return cls(net.land, slits.find(data.frames, data.controls, data.training, data.rays), rough)
        return cls(net.land, find(net, data.frames, data.controls, data.training), rough)

    @torch.no_grad()
    def count(self, net: Land) -> None:
        """Tells the network how fast each row goes, which are slow, and their grain."""
        net.paces.copy_(self._lands.paces)
        net.slow.copy_(self._slow)
        net.grain.copy_(self._lands.grain)
        net.unit.fill_(self._lands.unit)
        net.lasts.copy_(self._lands.lasts)
        if self._lands.told is not None:
            net.bank.copy_(levels(self._lands.paces / self._lands.unit, len(net.bank)))

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        looks, net = self._looks and share < LOOKS, self.net
        net.encoder.train(looks).requires_grad_(looks)
        net.decoder.train(self._draws).requires_grad_(self._draws)
        if looks:
            return self._drawn()
        if self._latents is None:  # from now on what land is keeps its meaning
            with torch.no_grad():
                self._latents = {kind: self._laid(kind) for kind in self._pictures}
        some = ENDLESS[self._all] // len(self._latents)
        land = torch.cat([self._some(latents, some, KNOWN + NEW) for latents in self._latents.values()])
        parts = {"velocity": self._made(land, torch.tensor([[float(kind)] for kind in self._latents for _ in range(some)]))}
        self._given += 1
        return parts | (self._drawn() if self._draws and self._given % SELDOM[self._all] == 0 else {})

    def _drawn(self) -> dict[str, torch.Tensor]:
        """How ill land is drawn; and how easily that is found, where things are in it."""
        parts, net = [], self.net
        for kind, pictures in self._pictures.items():
            some = EACH[self._all] // len(self._pictures)
            take = partial(self._some, count=some, wide=WIDE)
            seen = self._beside_others(take(pictures), take)
            parts.append(net.packed(seen * (1 + TINTED * self._tints(some)), kind))
        land = torch.cat(parts)
        latents = net.encoder(land)
        drawn = net.decoder(latents + BLURRED * self.rough.grain(latents))
        if self.critic is None:
            return {"land": _off(drawn, land)}
        self._shown += 1
        found = self.critic.says(drawn, land, torch.ones_like(land[:, :1, ::2, ::2]))
        return {"land": _off(drawn, land)} | ({"texture": CRITICAL * found} if self._shown > GREEN else {})

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

    def _made(self, latents: torch.Tensor, kinds: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes, in what is new. kinds (B, 1): of which rows, see Land.kinds."""
        net, rough, told = self.net, self.rough, latents[:, LATENTS:, 0, KNOWN:]
        told = told * (rough.random(len(latents), 1, 1) >= UNTOLD)
        latents = latents[:, :LATENTS]
        land, wrong = latents + SPOILT * rough.grain(latents), MISTOLD * rough.random(len(latents), 1, 1, 1)
        known = land[..., :KNOWN] + wrong * rough.grain(land[..., :KNOWN])
        noise, time = rough.grain(land), torch.sigmoid(rough.grain(land[:, 0, 0, 0]) + EARLY)
        way = time.view(-1, 1, 1, 1)
        went = net.velocity((1 - way) * noise + way * land, time, kinds.to(land), net.beside(known, told))
        return (went - (land - noise))[..., KNOWN:].square().mean()


def _off(drawn: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
    """How ill land is drawn."""
    slopes = sum((drawn.diff(dim=dim) - land.diff(dim=dim)).abs().mean() for dim in (2, 3))
    return (drawn - land).abs().mean() + SLOPES * slopes
