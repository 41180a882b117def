"""A painter that learns against a critic: what it paints of the dice's draws is to pass for the footage.

It learnt to paint from codes that the encoder finds in footage; at a show it is told what the dice draw, beside what they have
drawn before, and then walls end in the middle and bushes are chequered. So worlds dream on, beside worlds at whose edge the
footage itself enters, carried by the same network from the same pictures; a critic learns to tell them apart, and down its
slope, through the pixels that have just entered, the painter learns. (Beside worlds that the painter had painted from the
footage's codes, whatever it paints alike in both is nobody's fault: bushes came to be striped and too green.) It goes on
learning from the footage, too, so codes keep their meaning; the dice, and all else, stay. Unlike vj.train.dreams, where
drawing cannot be sloped, this needs no several ways.

Sources: an adversary beside the loss on the truth (pix2pix, Isola et al. 2017), as strong in the last layer as that is
(VQGAN, Esser et al. 2021); a hard choice with the slope of a soft one (straight-through, Bengio et al. 2013); both sides of
what a critic sees spoilt alike, so that it does not go by what the learner cannot help (Karras et al. 2020).
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from vj.model import prior as dice
from vj.model import transport
from vj.model import world as worlds
from vj.model.net import DIGITS, Net
from vj.model.planes import GRAINS
from vj.train import critic
from vj.train.dataset import Dataset
from vj.train.drawing import draw
from vj.train.dreaming import PAIRS, Dreaming, seen
from vj.train.painting import tone
from vj.train.roughness import Roughness
from vj.train.weaving import Weaving

DREAMS, LONGEST = 6, 640  # at a time, and frames in each
FRAMES = 16  # of controls that the critic is told
GREEN = 24  # first frames of a dream that it does not learn from
APART = 2  # frames that dreams go on in a step; what has entered in the last is a lesson
ALONE = 60  # first steps in which the critic alone learns
LOOKS = 2  # steps of the critic in each
NEWEST = 12  # px at the right edge for which the painter answers
STRENGTH, STEADY = 1.0, 0.95  # of the slope in the painter's last layer, beside the footage's; and how slowly that changes
STEEPEST = 1e4


class Adversary(Dreaming):
    """Dreams on stretches of the footage, painted by `net`, which learns from them."""

    apart, green, pairs, strength = APART, GREEN, PAIRS, STRENGTH
    weaves = True  # whether how things are woven is the learner's doing, too

    def __init__(self, net: Net, data: Dataset, rough: Roughness, wide: int):
        self._asked, self._strengths = 0, {}
        super().__init__(net, data, rough, wide, DREAMS, LONGEST)
        self._weaving = Weaving(net.bank.device, rough) if self.weaves else None

    def _begin(self) -> None:
        super()._begin()
        self._true = self._worlds

    def grade(self, paint: torch.Tensor) -> dict[str, torch.Tensor]:
        """How easily the critic tells what the painter makes of the dice's draws, as a part of a loss beside `paint`, what it
        loses on the footage; none at first. Every time it is asked, the critic learns, and the dreams go on `apart` frames."""
        if self.told.kept and self.drawn.kept:
            for _ in range(LOOKS):  # now, for once it has said something its weights must wait for the slopes
                self._look(self.pairs)
        if self._age >= LONGEST:
            self._begin()
        for left in reversed(range(self.apart)):
            with torch.set_grad_enabled(not left):
                looks = self._go_on()
            self._follow()
        if self._age > self.green:
            self.drawn.remember(*(part.detach() for part in looks))
            goes = torch.from_numpy(self._at < self._last[:, 0]).to(self.rough.device)  # where a piece has ended nothing enters
            self.told.remember(*(part[goes] for part in seen(self.net, self._true, self._controls())))
        parts = {}
        if self._asked >= ALONE and self.told.kept and self._age > self.apart * 2:
            self.critic.requires_grad_(False)
            loss = F.softplus(-self._answers_for(looks)).mean()
            self.critic.requires_grad_(True)
            parts["adversary"] = loss * self._balanced("adversary", paint, loss)
            if self._weaving:
                loss = self._weaving.grade(self._spoilt(looks[0]), looks[1], NEWEST)
                parts["weave"] = loss * self._balanced("weave", paint, loss)
        self._asked += 1
        return parts

    def _answers_for(self, looks: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What the critic says of what it sees, where it is the learner's doing."""
        return self._judged(looks)[..., -(NEWEST // critic.CELL) :]

    def _judged(self, looks: tuple[torch.Tensor, ...]) -> torch.Tensor:
        shown, *others = looks
        return self._says(self._spoilt(shown), *others)

    def _spoilt(self, shown: torch.Tensor) -> torch.Tensor:
        """Nor does the critic go by the tone of the rows: a dream's is that of no footage, and the learner is to keep to it."""
        return super()._spoilt(shown) + self.rough.tones(shown)

    @property
    def _last_layer(self) -> torch.Tensor:
        return self.net.painter.head.weight

    def _look(self, pairs: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        shown, pace, truth = super()._look(pairs)
        if self._weaving:
            self._weaving.look(self._spoilt(shown), pace, truth)
        return shown, pace, truth

    def _balanced(self, name: str, paint: torch.Tensor, loss: torch.Tensor) -> float:
        """By what the loss of that name is to be multiplied, so that in the learner's last layer it is `strength` as steep as the
        other."""
        last = self._last_layer
        theirs, mine = (float(torch.autograd.grad(each, last, retain_graph=True)[0].norm()) for each in (paint, loss))
        now = min(self.strength * theirs / max(mine, 1e-8), STEEPEST)
        before = self._strengths.get(name)
        self._strengths[name] = now if before is None else STEADY * before + (1 - STEADY) * now
        return self._strengths[name]

    def _go_on(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """All dreams a frame on: what the critic sees of them. Where slopes are asked for, it hangs on the painter."""
        net = self.net
        self._at = np.minimum(self._at + 1, self._last[:, 0])  # where its piece ends it stays by its last
        controls = self._controls()
        told, weary = controls[:, -1], (self._share - dice.OFTEN).clamp(min=0)
        quiet = torch.zeros_like(weary)
        with torch.no_grad():
            state = self._worlds
            code = draw(net, self.rough, state.shown[0], state.codes, told, dice.WEARY * weary)
            carried = worlds.carry(net, state, told, code, quiet, self._frames(self._at - 1))
            grain = self.rough.grain(state.lattice.new_empty(DREAMS, GRAINS, net.config.height, net.config.strip))
        strip, proposals, choice = worlds.enter(net, carried, code, grain)
        with torch.no_grad():
            self._worlds = state = self._settle(state, carried, strip, told, code)
        self._share = self._share + (code[:, :DIGITS].any(1).float().mean(1) - self._share) / dice.OFTEN_OVER
        if torch.is_grad_enabled():
            soft = (torch.softmax(choice, 1)[:, :, None] * proposals).sum(1)
            lattice = torch.cat([state.lattice[..., : -net.config.strip], torch.where(carried.opened, soft, strip.detach())], 3)
            sloped = transport.sample(lattice, state.classes, state.phase, self._vertical)
            shown = state.shown[0] + sloped - sloped.detach()
            return seen(net, replace(state, shown=(shown, *state.shown[1:])), controls)
        return seen(net, state, controls)

    @torch.no_grad()
    def _follow(self) -> None:
        """The worlds that the footage enters a frame on: in each one's own tone, for that is not what is to be learnt."""
        net, state, S = self.net, self._true, self.net.config.strip
        told = self._controls()[:, -1]
        whole, after = self._frames(self._at - 1), self._frames(self._at)[..., -self.wide :]
        code = net.encoder(whole[..., -self.wide :], after, told[:, 0])
        carried = worlds.carry(net, state, told, code, torch.zeros_like(told[:, 0]), whole)
        laid = transport.sample(after, carried.classes, -carried.phase, self._vertical)
        enters = (laid + tone(carried.moved, laid, S)).clamp(0, 1)[..., -S:]
        strip = torch.where(carried.opened, enters, carried.moved[..., -S:])
        self._true = worlds.settle(net, state, carried, strip, told, torch.ones_like(code))  # told: nothing is held back

    def _settle(self, state, carried, strip, told, code) -> worlds.World:
        return worlds.settle(self.net, state, carried, strip, told, code)

    def _controls(self) -> torch.Tensor:
        """The controls (B, FRAMES, 6) up to now."""
        back = np.maximum(self._at[:, None] - FRAMES + 1 + np.arange(FRAMES), 0)
        return torch.from_numpy(self.data.controls[back]).to(self.rough.device)

    @property
    def _vertical(self) -> bool:
        return bool((self.net.bank[:, 1] != 0).any())

    @property
    def _age(self) -> int:
        """Frames since the dreams began."""
        return self._worlds.age
