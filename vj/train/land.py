"""How `vj.model.land` learns: first to say in few numbers what stretches of land are, and to draw them from these; then to make
such numbers out of noise, to go on from what has entered before.

Sources: as of vj.train.sprites; what is known beside is told a little wrongly, so that its own errors do not grow (noise
augmentation, Ho et al. 2022, cascaded diffusion).
"""

import numpy as np
import torch

from vj.errors import FootageError
from vj.model.land import CELL, KNOWN, NEW, Land
from vj.model.net import Net
from vj.train.dataset import Dataset
from vj.train.lands import Lands, find
from vj.train.roughness import Roughness

EACH, WIDE, ENDLESS = 16, 64, 32  # stretches of a step, to be drawn, and their columns; to be made out of noise
LOOKS = 0.2  # share of the way in which it learns what land is, if it does not know yet
BLURRED, SPOILT, MISTOLD = 0.15, 0.03, 0.06  # noise on what is told of it, to draw it, and to make it; on what is known, at most
SLOPES = 0.5  # weight of what is beside each other, against what is there
TINTED = 0.03  # standard deviation of each colour, by stretch
SHIFTS = (0, 2, 4, 6)  # columns by which cells are laid otherwise
EARLY = -0.2  # of the logit of the times, mean
FEWEST = 4 * (KNOWN + NEW) * CELL  # columns of all stretches, fewer of which it is not learnt from


class Lessons:
    """Lessons for `net` in this land."""

    def __init__(self, net: Land, lands: Lands, rough: Roughness):
        """FootageError if there is too little to learn from."""
        self.net, self.rough, self._paces = net, rough, lands.paces
        self._pictures = [picture for picture in lands.pictures if picture.shape[2] >= (KNOWN + NEW + 3) * CELL]
        if sum(picture.shape[2] for picture in self._pictures) < FEWEST or not lands.paces.any():
            raise FootageError(
                "Too little land enters this footage, at the right edge and from left to right alone, to learn how land looks: "
                "bring longer takes, and weights that know its motions."
            )
        self._looks, self._grain = not net.known, lands.grain
        self._latents: list[torch.Tensor] | None = None

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage. The network knows its motions."""
        return cls(net.land, find(net, data.frames, data.controls, data.training), rough)

    @torch.no_grad()
    def count(self, net: Land) -> None:
        """Tells the network how fast each row goes, and its grain."""
        net.paces.copy_(self._paces)
        net.grain.copy_(self._grain)

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        looks, net = self._looks and share < LOOKS, self.net
        for part in (net.encoder, net.decoder):
            part.train(looks).requires_grad_(looks)
        if looks:
            land = net.packed(self._some(self._pictures, EACH, WIDE) * (1 + TINTED * self._tints(EACH)))
            latents = net.encoder(land)
            return {"land": _off(net.decoder(latents + BLURRED * self.rough.grain(latents)), land)}
        if self._latents is None:  # from now on what land is keeps its meaning
            with torch.no_grad():
                every = [picture[None, :, :, shift:].float() for picture in self._pictures for shift in SHIFTS]
                every = [net.packed(part[..., : part.shape[3] // CELL * CELL].to(net.paces.device)) for part in every]
                self._latents = [net.encoder(part)[0, :, :, 1:-1] for part in every]  # at its ends it is not as within
        return {"velocity": self._made(self._some(self._latents, ENDLESS, KNOWN + NEW))}

    def _tints(self, count: int) -> torch.Tensor:
        return self.rough.grain(torch.empty(count, 3, 1, 1))

    def _some(self, stretches: list[torch.Tensor], count: int, wide: int) -> torch.Tensor:
        """So many pieces (count, C, h, wide) of these (C, h, n), all of them alike likely."""
        starts = np.cumsum([0, *(each.shape[2] - wide + 1 for each in stretches)])
        chosen = (self.rough.random(count) * int(starts[-1])).long().cpu().numpy()
        which = np.searchsorted(starts, chosen, side="right") - 1
        parts = [stretches[each][:, :, at : at + wide].float() for each, at in zip(which, chosen - starts[which], strict=True)]
        return torch.stack(parts).to(self.net.paces.device)

    def _made(self, latents: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes, in what is new."""
        net, rough = self.net, self.rough
        land, wrong = latents + SPOILT * rough.grain(latents), MISTOLD * rough.random(len(latents), 1, 1, 1)
        known = land[..., :KNOWN] + wrong * rough.grain(land[..., :KNOWN])
        noise, time = rough.grain(land), torch.sigmoid(rough.grain(land[:, 0, 0, 0]) + EARLY)
        way = time.view(-1, 1, 1, 1)
        went = net.velocity((1 - way) * noise + way * land, time, land.new_zeros(len(land), 0), net.beside(known))
        return (went - (land - noise))[..., KNOWN:].square().mean()


def _off(drawn: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
    """How ill land is drawn."""
    slopes = sum((drawn.diff(dim=dim) - land.diff(dim=dim)).abs().mean() for dim in (2, 3))
    return (drawn - land).abs().mean() + SLOPES * slopes
