"""A mender that learns against a critic: what dreams hold, and the footage does not, is to be mended.

Its other lessons (vj.train.mending) show it worlds that follow the footage, and pieces strewn in; of what dreams are littered
with, haloes and rags of their own, it knows nothing. So worlds dream on, beside worlds at whose edge the footage itself enters,
carried and mended alike from the same pictures; a critic learns to tell them apart, and down its slope, through the mender's
choices, the mender learns where it is to mend. Beside that it goes on with its other lessons, twice as steep; all else stays.

Sources: as of vj.train.adversary.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F

from vj.model import mender, transport
from vj.model import world as worlds
from vj.train import critic
from vj.train.adversary import Adversary
from vj.train.dreaming import AGREED, PAIRS

GREEN = 32  # first frames of a dream that the critic does not learn from
STRENGTH = 0.5  # of its slope in the mender's last layer, beside the other lessons'


class Tidying(Adversary):
    """Dreams on stretches of the footage, mended by `net`'s mender, which learns from them."""

    apart, green, strength = mender.EVERY, GREEN, STRENGTH
    weaves = False
    pairs = PAIRS // 2  # a picture is twice as wide as what painters answer for

    def _begin(self) -> None:
        super()._begin()
        self._littered = None

    def _go_on(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """All dreams a frame on: what the critic sees of them. Where slopes are asked for, it hangs on the mender."""
        with torch.no_grad():
            shown, *others = super()._go_on()
        if not torch.is_grad_enabled():
            return shown, *others
        state = self._worlds
        with torch.autocast(shown.device.type, enabled=False):
            image = self._littered.float().clamp(max=1)
            median, pace = mender.medians(image), mender.paces(self.net.bank, state.classes)
            likely = torch.softmax(F.pixel_shuffle(self.net.mender(image, median, pace).flatten(1, 2), 2), 1)
            soft = (likely[:, :, None] * mender.choices(image, median)).sum(1)
            sloped = transport.sample(soft, state.classes, state.phase, self._vertical)
        return shown + sloped - sloped.detach(), *others

    def _settle(self, state, carried, strip, told, code) -> worlds.World:
        """As worlds.settle; what it was before it was mended is kept."""
        if state.age % mender.EVERY != mender.EVERY - 1:
            return super()._settle(state, carried, strip, told, code)
        raw = worlds.settle(self.net, replace(state, age=0), carried, strip, told, code)  # so young it is not mended
        self._littered = raw.lattice
        lattice = mender.mended(self.net.mender, raw.lattice, mender.paces(self.net.bank, raw.classes), told[:, 0] > 0)
        shown = worlds.quantise(transport.sample(lattice, raw.classes, raw.phase, self._vertical))
        return replace(raw, lattice=lattice, shown=(shown, *raw.shown[1:]), age=state.age + 1)

    def _answers_for(self, looks: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return self._judged(looks)[..., AGREED // critic.CELL :]

    @property
    def _last_layer(self) -> torch.Tensor:
        return self.net.mender.head.weight
