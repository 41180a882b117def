"""How `vj.model.land` learns: first to say in few numbers what stretches of land are, and to draw them from these; then to make
such numbers out of noise, to go on from what has entered before.

Sources: as of vj.train.sprites; what is known beside is told a little wrongly, so that its own errors do not grow (noise
augmentation, Ho et al. 2022, cascaded diffusion).
"""

import numpy as np
import torch
import torch.nn.functional as F

from vj.errors import FootageError
from vj.model.land import CELL, KNOWN, LONG, NEW, SLOWLY, Land
from vj.model.net import Net
from vj.train.dataset import Dataset
from vj.train.lands import Lands, find
from vj.train.roughness import Roughness

EACH, WIDE, ENDLESS = 16, 64, 32  # stretches of a step, to be drawn, and their columns; to be made out of noise
LOOKS = 0.2  # share of the way in which it learns what land is, if it does not know yet
BLURRED, SPOILT, MISTOLD = 0.15, 0.03, 0.06  # noise on what is told of it, to draw it, and to make it; on what is known, at most
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
        self.net, self.rough, self._paces = net, rough, lands.paces
        pictures = [picture for picture in lands.pictures if picture.shape[2] >= STRETCH]
        if sum(picture.shape[2] for picture in pictures) < FEWEST or not lands.paces.any():
            raise FootageError(
                "Too little land enters this footage, at the right edge and from left to right alone, to learn how land looks: "
                "bring longer takes, and weights that know its motions."
            )
        self._looks, self._grain = not net.known, lands.grain
        slow = [F.avg_pool1d(picture.float().flatten(0, 1), LONG).unflatten(0, (3, -1)).half() for picture in pictures]
        slow = [picture for picture in slow if picture.shape[2] >= STRETCH]
        self._slow = ((lands.paces < SLOWLY) & bool(slow)).float()
        # Of the slow rows, and so of whether it is them.
        self._pictures = {False: pictures, True: [*slow, *(picture.flip(2) for picture in slow)]}
        self._pictures = {kind: some for kind, some in self._pictures.items() if ((self._slow > 0) == kind).any()}
        self._latents: dict[bool, list[torch.Tensor]] | None = None
        self._given = 0

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage. The network knows its motions."""
        return cls(net.land, find(net, data.frames, data.controls, data.training), rough)

    @torch.no_grad()
    def count(self, net: Land) -> None:
        """Tells the network how fast each row goes, which are slow, and their grain."""
        net.paces.copy_(self._paces)
        net.slow.copy_(self._slow)
        net.grain.copy_(self._grain)

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        looks, net = self._looks and share < LOOKS, self.net
        net.encoder.train(looks).requires_grad_(looks)
        net.decoder.train(self._looks).requires_grad_(self._looks)
        if looks:
            return {"land": self._drawn()}
        if self._latents is None:  # from now on what land is keeps its meaning
            with torch.no_grad():
                self._latents = {kind: self._told(pictures, kind) for kind, pictures in self._pictures.items()}
        some = ENDLESS // len(self._latents)
        land = torch.cat([self._some(latents, some, KNOWN + NEW) for latents in self._latents.values()])
        parts = {"velocity": self._made(land, torch.tensor([[float(kind)] for kind in self._latents for _ in range(some)]))}
        self._given += 1
        return parts | ({"land": self._drawn()} if self._looks and self._given % SELDOM == 0 else {})

    def _drawn(self) -> torch.Tensor:
        """How ill land is drawn."""
        parts, net = [], self.net
        for kind, pictures in self._pictures.items():
            some = EACH // len(self._pictures)
            parts.append(net.packed(self._some(pictures, some, WIDE) * (1 + TINTED * self._tints(some)), kind))
        land = torch.cat(parts)
        latents = net.encoder(land)
        return _off(net.decoder(latents + BLURRED * self.rough.grain(latents)), land)

    def _told(self, pictures: list[torch.Tensor], slow: bool) -> list[torch.Tensor]:
        """What is told of pictures, laid by several columns otherwise."""
        every = [picture[None, :, :, shift:].float() for picture in pictures for shift in SHIFTS]
        every = [part[..., : part.shape[3] // CELL * CELL].to(self.net.paces.device) for part in every]
        return [self.net.encoder(self.net.packed(part, slow))[0, :, :, 1:-1] for part in every]  # at its ends it is not as within

    def _tints(self, count: int) -> torch.Tensor:
        return self.rough.grain(torch.empty(count, 3, 1, 1))

    def _some(self, stretches: list[torch.Tensor], count: int, wide: int) -> torch.Tensor:
        """So many pieces (count, C, h, wide) of these (C, h, n), all of them alike likely."""
        starts = np.cumsum([0, *(each.shape[2] - wide + 1 for each in stretches)])
        chosen = (self.rough.random(count) * int(starts[-1])).long().cpu().numpy()
        which = np.searchsorted(starts, chosen, side="right") - 1
        parts = [stretches[each][:, :, at : at + wide].float() for each, at in zip(which, chosen - starts[which], strict=True)]
        return torch.stack(parts).to(self.net.paces.device)

    def _made(self, latents: torch.Tensor, slow: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes, in what is new. slow (B, 1): 1 of the slow rows."""
        net, rough = self.net, self.rough
        land, wrong = latents + SPOILT * rough.grain(latents), MISTOLD * rough.random(len(latents), 1, 1, 1)
        known = land[..., :KNOWN] + wrong * rough.grain(land[..., :KNOWN])
        noise, time = rough.grain(land), torch.sigmoid(rough.grain(land[:, 0, 0, 0]) + EARLY)
        way = time.view(-1, 1, 1, 1)
        went = net.velocity((1 - way) * noise + way * land, time, slow.to(land), net.beside(known))
        return (went - (land - noise))[..., KNOWN:].square().mean()


def _off(drawn: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
    """How ill land is drawn."""
    slopes = sum((drawn.diff(dim=dim) - land.diff(dim=dim)).abs().mean() for dim in (2, 3))
    return (drawn - land).abs().mean() + SLOPES * slopes
