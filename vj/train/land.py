"""How `vj.model.land` learns: first to say in few numbers what stretches of land are, and to draw them from these; then to make
such numbers out of noise, to go on from what has entered before.

Sources: as of vj.train.sprites; what is known beside is told a little wrongly, so that its own errors do not grow (noise
augmentation, Ho et al. 2022, cascaded diffusion).
"""

import torch

from vj.errors import FootageError
from vj.model.land import KNOWN, LATENTS, SEEN, Land
from vj.model.net import Net
from vj.train import slits
from vj.train.dataset import Dataset
from vj.train.lands import Lands, find
from vj.train.patches import CRITICAL, GREEN, Critic
from vj.train.roughness import Roughness
from vj.train.stretches import Stretches
from vj.train.things import outcome

# Stretches of a step, to be drawn; to be made out of noise: of land alone, and where all is in it, which is known from a clip of
# seconds, and so the sooner by many small steps.
EACH, ENDLESS = (16, 8), (32, 16)
LOOKS = 0.2  # share of the way in which it learns what land is, if it does not know yet
BLURRED, SPOILT, MISTOLD = 0.15, 0.03, 0.06  # noise on what is told of it, to draw it, and to make it; on what is known, at most
UNTOLD = 0.4  # share of the stretches of which nothing is told: where nobody says, all may enter that does
SELDOM = (2, 3)  # lessons in making, in one of which it goes on learning to draw, where it is only now learning what land is
SLOPES = 0.5  # weight of what is beside each other, against what is there
EARLY = -0.2  # of the logit of the times, mean


class Lessons:
    """Lessons for `net` in this land; of several scenes in all at once, for in turn each would undo the last."""

    def __init__(self, net: Land, lands: Lands | list[Lands], rough: Roughness):
        """lands: of each scene; of one of which too little enters there is nothing. FootageError if that is so of all."""
        self.net, self.rough = net, rough
        self._stretches, why = [], None
        for scene, each in enumerate(lands if isinstance(lands, list) else [lands]):
            try:
                self._stretches.append(Stretches(net, each, rough, scene))
            except FootageError as error:
                why = error
        if not self._stretches:
            raise why
        self._all = self._stretches[0].holds_all
        self._looks = not net.known
        self._draws = self._looks or self._all  # where things are in it there is more to draw
        self._laid = False
        self._given = self._shown = 0  # lessons in making, and in drawing
        self.critic = Critic(SEEN, rough) if self._all else None

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage. The network knows its motions, and whether things are in its land."""
        if net.land.holds_all:
            return cls(net.land, outcome(slits.of_scenes(data.frames, data.controls, data.training, data.scenes)), rough)
        return cls(net.land, find(net, data.frames, data.controls, data.training), rough)

    @property
    def scenes(self) -> int:
        """How many it is in."""
        return len(self._stretches)

    def count(self, net: Land) -> None:
        """Tells the network how fast each row goes, which are slow, and their grain: in its table of each scene, else of the
        first one."""
        for each in reversed(self._stretches):
            each.count(net)

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        looks, net = self._looks and share < LOOKS, self.net
        net.encoder.train(looks).requires_grad_(looks)
        net.decoder.train(self._draws).requires_grad_(self._draws)
        if looks:
            return self._drawn()
        if not self._laid:  # from now on what land is keeps its meaning
            for each in self._stretches:
                each.lay()
            self._laid = True
        found = [each.made(-(-ENDLESS[self._all] // self.scenes)) for each in self._stretches]
        parts = {"velocity": self._made(*(torch.cat(part) for part in zip(*found, strict=True)))}
        self._given += 1
        return parts | (self._drawn() if self._draws and self._given % SELDOM[self._all] == 0 else {})

    def _drawn(self) -> dict[str, torch.Tensor]:
        """How ill land is drawn; and how easily that is found, where things are in it."""
        net, many = self.net, -(-EACH[self._all] // self.scenes)
        land = torch.cat([each.drawn(many) for each in self._stretches])
        latents = net.encoder(land)
        drawn = net.decoder(latents + BLURRED * self.rough.grain(latents))
        if self.critic is None:
            return {"land": _off(drawn, land)}
        self._shown += 1
        found = self.critic.says(drawn, land, torch.ones_like(land[:, :1, ::2, ::2]))
        return {"land": _off(drawn, land)} | ({"texture": CRITICAL * found} if self._shown > GREEN else {})

    def _made(self, latents: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes, in what is new, of what Stretches.made gives."""
        net, rough, told = self.net, self.rough, latents[:, LATENTS:, 0, KNOWN:]
        told = told * (rough.random(len(latents), 1, 1) >= UNTOLD)
        latents = latents[:, :LATENTS]
        land, wrong = latents + SPOILT * rough.grain(latents), MISTOLD * rough.random(len(latents), 1, 1, 1)
        known = land[..., :KNOWN] + wrong * rough.grain(land[..., :KNOWN])
        noise, time = rough.grain(land), torch.sigmoid(rough.grain(land[:, 0, 0, 0]) + EARLY)
        way = time.view(-1, 1, 1, 1)
        went = net.velocity((1 - way) * noise + way * land, time, wanted.to(land), net.beside(known, told))
        return (went - (land - noise))[..., KNOWN:].square().mean()


def _off(drawn: torch.Tensor, land: torch.Tensor) -> torch.Tensor:
    """How ill land is drawn."""
    slopes = sum((drawn.diff(dim=dim) - land.diff(dim=dim)).abs().mean() for dim in (2, 3))
    return (drawn - land).abs().mean() + SLOPES * slopes
