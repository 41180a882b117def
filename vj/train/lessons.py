"""The prior's lessons: what it would have seen in worlds rolled on their own output, and the code it should have drawn."""

import torch
import torch.nn.functional as F

from vj.model.net import EDGE, NOTHING, Net, code_index, over_rows
from vj.model.world import World
from vj.signals import BANDS
from vj.train.roughness import Roughness

SPECKLED = 0.04  # largest standard deviation of the grain on the edge that the prior learns from
FORGETS = 0.3  # share of the prior's lessons without past codes: else, once it tells too much, it goes on and on
RECENT = 512  # of them of which the young learns
LESSONS = 8192  # that are remembered for the prior


class Lessons:
    """The newest `room` of them."""

    def __init__(self, rough: Roughness, room: int = LESSONS, drawn: bool = False):
        """drawn: they are the dice's own draws, and teach what is told, not whether anything is: half a thing pleases less than
        none, so ever less would be drawn."""
        self.rough, self.room, self.drawn, self.kept, self._parts = rough, room, drawn, 0, None

    def remember(self, state: World, code: torch.Tensor, told: torch.Tensor, weight: torch.Tensor | None = None) -> None:
        """Keeps what the prior would have seen in these worlds, and the code (B, D, rows) that it should have drawn, told (B, 6)
        controls. weight (B, rows): how much each row's code counts, below 0 if it should not; None: all alike."""
        weight = told.new_ones(len(told), code.shape[2]) if weight is None else weight
        lessons = ((state.shown[0][..., -EDGE:] * 255).round().byte(), state.codes, code, told, weight)
        if self._parts is None:
            self._parts = tuple(part.new_empty(self.room, *part.shape[1:]) for part in lessons)
        places = (self.kept + torch.arange(len(told), device=told.device)) % self.room
        for kept, part in zip(self._parts, lessons, strict=True):
            kept[places] = part.to(kept.dtype)
        self.kept += len(told)

    def grade(self, net: Net, size: int, newest: bool = False) -> torch.Tensor:
        """How well the prior foretells the code, over remembered worlds: its own edge and past codes, not the footage's."""
        # Young, the codes' meaning changes from day to day: only the newest lessons count.
        many = min(self.kept, RECENT if newest else self.room)
        which = (self.kept - 1 - (self.rough.random(size) * many).long()) % self.room
        edge, past, code, controls, weight = (part[which].float() for part in self._parts)
        with torch.no_grad():
            edge = edge / 255
            edge = edge + self.rough.off_colours(edge) + SPECKLED * self.rough.random(size, 1, 1, 1) * self.rough.grain(edge)
            edge = 0.5 + (edge.clamp(0, 1) - 0.5) * self._seen(edge)
            told = (self.rough.random(size) > 0.12).float()
            past = past * (self.rough.random(size, 1, 1) > FORGETS)
            obeyed = over_rows(net.lit(controls), told, code.shape[2], BANDS)
            edge, obeyed, past, code, weight = self._spliced(edge, obeyed, past, code, weight[:, None])
            index = code_index(code)
            tells = index != NOTHING
            asked = torch.cat([torch.ones_like(tells[..., :1]), tells[..., :1]], 2).float()  # the second only where the first is
            asked = asked * weight[:, 0, :, None]
        odds, guess = net.prior(edge, obeyed, past, code)
        whether = F.binary_cross_entropy_with_logits(odds.float(), tells.float(), reduction="none")
        guess = guess.float().index_fill(3, torch.tensor([NOTHING], device=guess.device), -1e4)
        what = F.cross_entropy(guess.flatten(0, 2), index.flatten(), reduction="none").view_as(odds) * tells
        return ((what if self.drawn else whether + what) * asked).mean()

    def _seen(self, edge: torch.Tensor) -> torch.Tensor:
        """0 for what is hidden of the edge (B, 3, H, EDGE): for some pictures all but its last 12 to EDGE px, else 1."""
        hidden = (self.rough.random(len(edge), 1, 1, 1) * 3 - 2) * (EDGE - 12)
        return (torch.arange(EDGE, device=edge.device) >= hidden).float()

    def _spliced(self, edge, obeyed, past, code, weight):
        """Half of the lessons get another's lower rows, from a random row on (after CutMix, Yun et al. 2019): what stands in
        one band says little of what comes in the next, and a few minutes of footage are soon known by heart."""
        size, rows = len(code), code.shape[2]
        cut = (self.rough.random(size, 1, 1) * 2 * rows).long()
        other = torch.randperm(size, generator=self.rough.generator).to(code.device)
        lower = torch.arange(rows, device=code.device) >= cut
        pixels = lower.repeat_interleave(4, 2)[..., : edge.shape[2], None]
        edge = torch.where(pixels, edge[other], edge)
        return edge, *(torch.where(lower, part[other], part) for part in (obeyed, past, code, weight))
