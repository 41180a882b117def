"""A painter that learns against a critic: what it paints of the dice's draws is to pass for what it paints of the truth.

It learnt to paint from codes that the encoder finds in footage; at a show it is told what the dice draw, beside what they have
drawn before, and then walls end in the middle and bushes are chequered. So worlds dream on, and a critic learns to tell
their edge from that of worlds which were told the footage's codes; down its slope, through the pixels that have just
entered, the painter learns. Beside that it goes on learning from the footage, so codes keep their meaning; the dice, and all
else, stay. Unlike vj.train.dreams, where drawing cannot be sloped, this needs no several ways.

Sources: an adversary beside the loss on the truth (pix2pix, Isola et al. 2017), as strong in the last layer as that is
(VQGAN, Esser et al. 2021); a hard choice with the slope of a soft one (straight-through, Bengio et al. 2013).
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from vj.model import prior as dice
from vj.model import transport
from vj.model import world as worlds
from vj.model.net import DIGITS, GRAINS, Net
from vj.train import critic
from vj.train.dataset import Dataset
from vj.train.drawing import draw
from vj.train.dreaming import PAIRS, Dreaming, seen
from vj.train.roughness import Roughness

OFTEN = 100  # steps after which worlds follow the footage anew
DREAMS, LONGEST = 6, 640  # at a time, and frames in each
FRAMES = 16  # of controls that the critic is told
GREEN = 24  # first frames of a dream that it does not learn from
FIRST, EVERY = 16, 4  # frame of a world that follows the footage from which on it sees it, and how often
APART = 2  # frames that dreams go on in a step; what has entered in the last is a lesson
ALONE = 60  # first steps in which the critic alone learns
LOOKS = 2  # steps of the critic in each
NEWEST = 12  # px at the right edge for which the painter answers
STRENGTH, STEADY = 0.5, 0.95  # of the slope in the painter's last layer, beside the footage's; and how slowly that changes
STEEPEST = 1e4


class Adversary(Dreaming):
    """Dreams on stretches of the footage, painted by `net`, which learns from them."""

    apart, green, pairs = APART, GREEN, PAIRS

    def __init__(self, net: Net, data: Dataset, rough: Roughness, wide: int):
        self._asked, self._strength = 0, None
        self.often, self.frames = OFTEN, FRAMES
        super().__init__(net, data, rough, wide, DREAMS, LONGEST)

    def follows(self, ahead: int) -> bool:
        """Whether the critic sees a world that has followed the footage for so many frames."""
        return ahead >= FIRST and ahead % EVERY == 0

    def grade(self, paint: torch.Tensor) -> dict[str, torch.Tensor]:
        """How easily the critic tells what the painter makes of the dice's draws, as a part of a loss beside `paint`, what it
        loses on the footage; none at first. Every time it is asked, the critic learns, and the dreams go on `apart` frames."""
        if self.told.kept and self.drawn.kept:
            for _ in range(LOOKS):  # now, for once it has said something its weights must wait for the slopes
                self._look(self.pairs)
        if self._age >= LONGEST:
            self._begin()
        for _ in range(self.apart - 1):
            with torch.no_grad():
                self._go_on()
        looks = self._go_on()
        if self._age > self.green:
            self._remember(*(part.detach() for part in looks))
        parts = {}
        if self._asked >= ALONE and self.told.kept and self._age > self.apart * 2:
            self.critic.requires_grad_(False)
            loss = F.softplus(-self._answers_for(looks)).mean()
            self.critic.requires_grad_(True)
            parts["adversary"] = loss * self._balanced(paint, loss)
        self._asked += 1
        return parts

    def _answers_for(self, looks: tuple[torch.Tensor, ...]) -> torch.Tensor:
        """What the critic says of what it sees, where it is the learner's doing."""
        return self._says(*looks)[..., -(NEWEST // critic.CELL) :]

    def _remember(self, *looks: torch.Tensor) -> None:
        """What the critic is to learn from, of these dreams."""
        self.drawn.remember(*looks)

    @property
    def _last_layer(self) -> torch.Tensor:
        return self.net.painter.head.weight

    def _balanced(self, paint: torch.Tensor, loss: torch.Tensor) -> float:
        """By what the loss is to be multiplied, so that in the learner's last layer it is STRENGTH as steep as the other."""
        last = self._last_layer
        theirs, mine = (float(torch.autograd.grad(each, last, retain_graph=True)[0].norm()) for each in (paint, loss))
        now = min(STRENGTH * theirs / max(mine, 1e-8), STEEPEST)
        self._strength = now if self._strength is None else STEADY * self._strength + (1 - STEADY) * now
        return self._strength

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
            sloped = transport.sample(lattice, state.classes, state.phase, bool((net.bank[:, 1] != 0).any()))
            shown = state.shown[0] + sloped - sloped.detach()
            return seen(net, replace(state, shown=(shown, *state.shown[1:])), controls)
        return seen(net, state, controls)

    def _settle(self, state, carried, strip, told, code) -> worlds.World:
        return worlds.settle(self.net, state, carried, strip, told, code)

    def _controls(self) -> torch.Tensor:
        """The controls (B, FRAMES, 6) up to now."""
        back = np.maximum(self._at[:, None] - FRAMES + 1 + np.arange(FRAMES), 0)
        return torch.from_numpy(self.data.controls[back]).to(self.rough.device)

    @property
    def _age(self) -> int:
        """Frames since the dreams began."""
        return self._worlds.age
