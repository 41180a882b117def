"""A mender that learns against a critic: what dreams hold, and the footage does not, is to be mended.

Its other lessons (vj.train.mending) show it worlds that follow the footage, and pieces strewn in; of what dreams are littered
with, haloes and rags of their own, it knows nothing. So worlds dream on, beside worlds at whose edge the footage itself enters,
carried and mended alike from the same pictures; a critic learns to tell them apart, and down its slope, through the mender's
choices, the mender learns where it is to mend. Beside that it goes on with its other lessons, twice as steep; all else stays.

Sources: as of vj.train.adversary; both sides of what a critic sees are spoilt alike, so that it does not go by what the learner
cannot help (Karras et al. 2020).
"""

from dataclasses import replace

import torch
import torch.nn.functional as F

from vj.model import mender, planes, transport
from vj.model import world as worlds
from vj.train import critic
from vj.train.adversary import Adversary
from vj.train.dreaming import AGREED, PAIRS, seen

GREEN = 32  # first frames of a dream that the critic does not learn from
TONES, OFF_TONE = 13, 0.08  # rows that have one tone, and how far it may be from the footage's


class Tidying(Adversary):
    """Dreams on stretches of the footage, mended by `net`'s mender, which learns from them."""

    apart, green, pairs = mender.EVERY, GREEN, PAIRS // 2  # a picture is twice as wide as what painters answer for

    def _begin(self) -> None:
        super()._begin()
        self._true, self._littered = self._worlds, None

    def _remember(self, *looks: torch.Tensor) -> None:
        self.drawn.remember(*looks)
        goes = torch.from_numpy(self._at < self._last[:, 0]).to(self.rough.device)  # where a piece has ended nothing enters
        self.told.remember(*(part[goes] for part in seen(self.net, self._true, self._controls())))

    def _go_on(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """All dreams a frame on, and beside them the worlds that the footage enters: what the critic sees of the dreams. Where
        slopes are asked for, it hangs on the mender."""
        with torch.no_grad():
            shown, *others = super()._go_on()
            self._follow()
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

    def _follow(self) -> None:
        """The worlds that the footage enters a frame on: in each one's own tone, for that is not what is to be mended."""
        net, state, S = self.net, self._true, self.net.config.strip
        told = self._controls()[:, -1]
        whole, after = self._frames(self._at - 1), self._frames(self._at)[..., -self.wide :]
        code = net.encoder(whole[..., -self.wide :], after, told[:, 0])
        carried = worlds.carry(net, state, told, code, torch.zeros_like(told[:, 0]), whole)
        laid = transport.sample(after, carried.classes, -carried.phase, self._vertical)
        enters = (laid + _tone(carried.moved, laid, S)).clamp(0, 1)[..., -S:]
        strip = torch.where(carried.opened, enters, carried.moved[..., -S:])
        self._true = worlds.settle(net, state, carried, strip, told, torch.ones_like(code))  # told: nothing is held back

    def _answers_for(self, looks: tuple[torch.Tensor, ...]) -> torch.Tensor:
        shown, *others = looks
        return self._says(self._spoilt(shown), *others)[..., AGREED // critic.CELL :]

    def _spoilt(self, shown: torch.Tensor) -> torch.Tensor:
        return super()._spoilt(shown) + self.rough.tones(shown)

    @property
    def _last_layer(self) -> torch.Tensor:
        return self.net.mender.head.weight

    @property
    def _vertical(self) -> bool:
        return bool((self.net.bank[:, 1] != 0).any())


def _tone(world: torch.Tensor, true: torch.Tensor, strip: int) -> torch.Tensor:
    """How much lighter, warmer .. the rows of a world are than the footage's near the strip, and in what of it has long
    entered: world, true (B, 3, H, W) -> (B, 3, H, 1), at most OFF_TONE. A row that stands out alone has no tone of its own."""
    known = slice(max(0, world.shape[3] - strip * 4 // 3), world.shape[3] - strip // 3)
    return planes.box(planes.median((world - true)[..., known]), TONES, 1).clamp(-OFF_TONE, OFF_TONE)
