"""How `vj.model.land` learns: first to say in few numbers what stretches of land are, and to draw them from these; then to make
such numbers out of noise, to go on from what has entered before.

Sources: as of vj.train.sprites; what is known beside is told a little wrongly, so that its own errors do not grow (noise
augmentation, Ho et al. 2022, cascaded diffusion).
"""

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

EACH, WIDE, ENDLESS = 16, 64, 32  # stretches of a step, to be drawn, and their columns; to be made out of noise
LOOKS = 0.2  # share of the way in which it learns what land is, if it does not know yet
BLURRED, SPOILT, MISTOLD = 0.15, 0.03, 0.06  # noise on what is told of it, to draw it, and to make it; on what is known, at most
UNTOLD = 0.1  # share of the stretches of which nothing is told: where nobody says, all may enter that does
SELDOM = 2  # lessons in making, in one of which it goes on learning to draw, where it is only now learning what land is
SLOPES = 0.5  # weight of what is beside each other, against what is there
TINTED = 0.03  # standard deviation of each colour, by stretch
SHIFTS = (0, 2, 4, 6)  # columns by which cells are laid otherwise
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
        self._draws = self._looks or lands.told is not None  # where things are in it there is more to draw
        slow = [F.avg_pool1d(picture.float().flatten(0, 1), LONG).unflatten(0, (SEEN, -1)).half() for picture in pictures]
        slow = [picture for picture in slow if picture.shape[2] >= STRETCH and lands.told is None]
        self._slow = ((lands.paces < SLOWLY) & bool(slow)).float()
        # Of the slow rows, and so of whether it is them.
        self._pictures = {False: pictures, True: [*slow, *(picture.flip(2) for picture in slow)]}
        self._told = {False: told, True: [torch.zeros(len(BANDS), picture.shape[2]) for picture in self._pictures[True]]}
        self._pictures = {kind: some for kind, some in self._pictures.items() if ((self._slow > 0) == kind).any()}
        self._latents: dict[bool, list[torch.Tensor]] | None = None
        self._given = self._shown = 0  # lessons in making, and in drawing
        self.critic = Critic(SEEN, rough) if lands.told is not None else None

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage. The network knows its motions, and whether things are in its land."""
        if net.land.holds_all:
            return cls(net.land, slits.find(data.frames, data.controls, data.training), rough)
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
        some = ENDLESS // len(self._latents)
        land = torch.cat([self._some(latents, some, KNOWN + NEW) for latents in self._latents.values()])
        parts = {"velocity": self._made(land, torch.tensor([[float(kind)] for kind in self._latents for _ in range(some)]))}
        self._given += 1
        return parts | (self._drawn() if self._draws and self._given % SELDOM == 0 else {})

    def _drawn(self) -> dict[str, torch.Tensor]:
        """How ill land is drawn; and how easily that is found, where things are in it."""
        parts, net = [], self.net
        for kind, pictures in self._pictures.items():
            some = EACH // len(self._pictures)
            parts.append(net.packed(self._some(pictures, some, WIDE) * (1 + TINTED * self._tints(some)), kind))
        land = torch.cat(parts)
        latents = net.encoder(land)
        drawn = net.decoder(latents + BLURRED * self.rough.grain(latents))
        if self.critic is None:
            return {"land": _off(drawn, land)}
        self._shown += 1
        found = self.critic.says(drawn, land, torch.ones_like(land[:, :1, ::2, ::2]))
        return {"land": _off(drawn, land)} | ({"texture": CRITICAL * found} if self._shown > GREEN else {})

    def _laid(self, slow: bool) -> list[torch.Tensor]:
        """What pictures are, each cell with what was told when it entered (LATENTS + bands, h, n), laid by several columns
        otherwise."""
        laid = []
        for picture, told in zip(self._pictures[slow], self._told[slow], strict=True):
            for shift in SHIFTS:
                n = (picture.shape[2] - shift) // CELL * CELL
                part, enters = (each[..., shift : shift + n].float().to(self.net.paces.device) for each in (picture, told))
                latents = self.net.encoder(self.net.packed(part[None], slow))[0]
                enters = F.avg_pool1d(enters, CELL)[:, None].expand(-1, latents.shape[1], -1)
                laid.append(torch.cat([latents, enters])[:, :, 1:-1])  # at its ends it is not as within
        return laid

    def _tints(self, count: int) -> torch.Tensor:
        return F.pad(self.rough.grain(torch.empty(count, 3, 1, 1)), (0, 0, 0, 0, 0, SEEN - 3))

    def _some(self, stretches: list[torch.Tensor], count: int, wide: int) -> torch.Tensor:
        """So many pieces (count, C, h, wide) of these (C, h, n), all of them alike likely."""
        starts = np.cumsum([0, *(each.shape[2] - wide + 1 for each in stretches)])
        chosen = (self.rough.random(count) * int(starts[-1])).long().cpu().numpy()
        which = np.searchsorted(starts, chosen, side="right") - 1
        parts = [stretches[each][:, :, at : at + wide].float() for each, at in zip(which, chosen - starts[which], strict=True)]
        return torch.stack(parts).to(self.net.paces.device)

    def _made(self, latents: torch.Tensor, slow: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes, in what is new. slow (B, 1): 1 of the slow rows."""
        net, rough, told = self.net, self.rough, latents[:, LATENTS:, 0, KNOWN:]
        told = told * (rough.random(len(latents), 1, 1) >= UNTOLD)
        latents = latents[:, :LATENTS]
        land, wrong = latents + SPOILT * rough.grain(latents), MISTOLD * rough.random(len(latents), 1, 1, 1)
        known = land[..., :KNOWN] + wrong * rough.grain(land[..., :KNOWN])
        noise, time = rough.grain(land), torch.sigmoid(rough.grain(land[:, 0, 0, 0]) + EARLY)
        way = time.view(-1, 1, 1, 1)
        went = net.velocity((1 - way) * noise + way * land, time, slow.to(land), net.beside(known, told))
        return (went - (land - noise))[..., KNOWN:].square().mean()


def _off(drawn: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
    """How ill land is drawn."""
    slopes = sum((drawn.diff(dim=dim) - land.diff(dim=dim)).abs().mean() for dim in (2, 3))
    return (drawn - land).abs().mean() + SLOPES * slopes
