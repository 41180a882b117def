"""Dice that learn from their own dreams: of several ways in which one may go on, what a critic likes better is drawn more.

In worlds that follow the footage the prior is right; in those that it dreams it sees what no footage shows, and what it draws
there is rubble beside things. So dreams go on for a while in several ways at once, each drawn with other dice. A critic, which
learns beside them to tell what was drawn from what footage told, looks at what has come of each way; every code drawn is a
lesson, for or against it, by how its place pleases beside the same place of the other ways. An adversary, but one that only
chooses: what is painted, and how, stays what was learnt from footage.

Sources: a critic in place of an example to follow (SeqGAN, Yu et al. 2017; GAIL, Ho and Ermon 2016); what is better than the
other draws of the same moment (REINFORCE, Williams 1992, with the draws' own mean as baseline: Kool et al. 2019).
"""

import numpy as np
import torch

from vj.model import prior as dice
from vj.model import world as worlds
from vj.model.net import DIGITS, Net, whole_cells
from vj.model.planes import GRAINS, box
from vj.train import critic
from vj.train.dataset import Dataset
from vj.train.drawing import draw
from vj.train.dreaming import PAIRS, Dreaming, seen
from vj.train.lessons import Lessons
from vj.train.roughness import Roughness

STRETCH, OFTEN = 6, 24  # steps of learning after which dreams go on, and after which worlds follow the footage anew
ALONE = 30  # first stretches in which the critic alone learns
DREAMS, WAYS = 4, 6  # that go on at a time, and ways in which each does
FRAMES = 16  # in which they part before one is chosen
FOLLOWED = 64  # frames after which a world that follows the footage shows the critic what is told
LONGEST, GREEN = 40, 4  # such stretches until a dream ends, and first ones that the critic does not learn from
ENTERED = (40, 64, 80)  # px at the right edge of each band, far to near, by which a way is judged
AROUND, SLOWEST = (3, 3), 1.5  # cells around one that count for it, and the least px a frame that a row's things are taken to go
LESSONS = 2048  # of dreams, the newest, from which the prior learns
MARGIN = 0.5  # log odds beyond the mean of the ways, for a lesson of weight 1
LOOKS = 8  # steps of the critic after each stretch


class Dreams(Dreaming):
    """Dreams on stretches of the footage, `wide` px of the right of them, drawn by `net`, which learns elsewhere."""

    often = OFTEN  # steps of learning after which worlds follow the footage anew, to be told of
    frames = FRAMES  # on the way to what it sees, whose controls the critic is told

    def __init__(self, net: Net, data: Dataset, rough: Roughness, wide: int):
        self.lessons = Lessons(rough, LESSONS, drawn=True)
        self._asked = self._stretches = 0
        self._bands = critic.bands_of(net.config.rows, net.bank.device)
        super().__init__(net, data, rough, wide, DREAMS, FRAMES * LONGEST)

    def follows(self, ahead: int) -> bool:
        """Whether the critic sees a world that has followed the footage for so many frames."""
        return ahead >= FOLLOWED and ahead % FRAMES == 0

    def grade(self, net: Net, size: int) -> dict[str, torch.Tensor]:
        """How well `net`'s prior draws what the critic likes, and not what it dislikes: as parts of a loss, none at first. Every
        STRETCH times that it is asked, the dreams go on."""
        if self._asked % STRETCH == 0:
            self.go_on(learning=self._asked >= ALONE * STRETCH)
        self._asked += 1
        return {"dreams": self.lessons.grade(net, size)} if self.lessons.kept else {}

    def go_on(self, learning: bool) -> None:
        """All dreams FRAMES frames on; the critic learns; if `learning`, and it has seen both, what was drawn becomes lessons."""
        if self._stretches == LONGEST:
            self._stretches = 0
            self._begin()
        taught = bool(self.told.kept and self.drawn.kept)
        self._go_on(learning and taught)
        if taught:
            for _ in range(LOOKS):
                self._look(PAIRS)

    @torch.no_grad()
    def _go_on(self, learning: bool) -> None:
        net, device = self.net, self.rough.device
        each = torch.arange(DREAMS, device=device).repeat_interleave(WAYS)
        state, share = worlds.picked(self._worlds, each), self._share[each]
        quiet, lessons = torch.zeros(len(each), device=device), []
        ahead = np.minimum(self._at[:, None] + 1 + np.arange(FRAMES), self._last)  # where its piece ends it stays by its last
        controls = torch.from_numpy(self.data.controls[ahead]).to(device)
        for step in range(FRAMES):
            whole = self._frames(ahead[:, step] - 1)[each]  # the light is read from the footage
            obeyed = controls[each, step]
            code = draw(net, self.rough, state.shown[0], state.codes, obeyed, dice.WEARY * (share - dice.OFTEN).clamp(min=0))
            share = share + (code[:, :DIGITS].any(1).float().mean(1) - share) / dice.OFTEN_OVER
            lessons.append((state, code, obeyed))
            grain = self.rough.grain(state.lattice.new_empty(len(each), GRAINS, net.config.height, net.config.strip))
            state = worlds.step(net, state, obeyed, code, quiet, whole, grain)
        self._at, self._stretches = ahead[:, -1], self._stretches + 1
        looks = seen(net, state, controls[each])
        if self._stretches > GREEN:
            self.drawn.remember(*looks)
        says = self._says(*looks)
        if learning:
            self._teach(says, looks[1], controls[each, :, 0], lessons)
        liked = self._liked(says)
        best = ((liked - liked.mean(1, keepdim=True)) / (liked.std(1, keepdim=True) + 1e-3)).sum(2).argmax(1)
        goes_on = torch.arange(DREAMS, device=device) * WAYS + best
        self._worlds, self._share = worlds.picked(state, goes_on), share[goes_on]

    def _liked(self, says: torch.Tensor) -> torch.Tensor:
        """How much the critic likes what has entered, log odds: (DREAMS, WAYS, bands)."""
        reach = torch.tensor(ENTERED, device=says.device, dtype=torch.float32) @ self._bands
        counts = self._bands[:, :, None] * (self._from_right(says) < reach[:, None])
        liked = (says[:, None] * counts).sum((2, 3)) / counts.sum((1, 2)).clamp(min=1)
        return liked.unflatten(0, (DREAMS, WAYS))

    def _teach(self, says: torch.Tensor, pace: torch.Tensor, speed: torch.Tensor, lessons: list) -> None:
        """What was drawn becomes a lesson: to be drawn more where the critic likes what has come of it better than what has
        come of the other ways there, and less where it does not. pace (B, 1, H, W), speed (B, FRAMES)."""
        says = box(says[:, None], *AROUND)[:, 0]
        better = (says.unflatten(0, (DREAMS, WAYS)) - says.unflatten(0, (DREAMS, WAYS)).mean(1, keepdim=True)).flatten(0, 1)
        better = (better / MARGIN).clamp(-1, 1)
        row = whole_cells(pace)[..., -ENTERED[0] :].mean(3)[:, 0].unflatten(1, (-1, critic.CELL)).mean(2).clamp(min=SLOWEST)
        gone = speed.flip(1).cumsum(1).flip(1)  # how far all goes from when it is drawn until it is judged, at a pace of 1
        for (state, code, told), far in zip(lessons, gone.unbind(1), strict=True):
            column = ((self.wide - row * far[:, None]) / critic.CELL).floor().long()
            weight = better.gather(2, column.clamp(0, better.shape[2] - 1)[..., None])[..., 0] * (column >= 0)
            self.lessons.remember(state, code, told, weight)
