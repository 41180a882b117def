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
import torch.nn.functional as F

from vj.model import prior as dice
from vj.model import world as worlds
from vj.model.net import DIGITS, GRAINS, Net, whole_cells
from vj.model.planes import box
from vj.train import critic
from vj.train.dataset import Dataset
from vj.train.drawing import draw
from vj.train.lessons import Lessons
from vj.train.roughness import Roughness

STRETCH, OFTEN = 6, 24  # steps of learning after which dreams go on, and after which worlds follow the footage anew
ALONE = 30  # first stretches in which the critic alone learns
DREAMS, WAYS = 4, 6  # that go on at a time, and ways in which each does
FRAMES = 16  # in which they part before one is chosen
BACK = 3  # frames before a dream's first that it begins with
LONGEST, GREEN = 40, 4  # such stretches until a dream ends, and first ones that the critic does not learn from
ENTERED = (40, 64, 80)  # px at the right edge of each band, far to near, by which a way is judged
AGREED = 16  # px at the left that the critic does not learn from: there first pictures linger
AROUND, SLOWEST = (3, 3), 1.5  # cells around one that count for it, and the least px a frame that a row's things are taken to go
LESSONS = 2048  # of dreams, the newest, from which the prior learns
MARGIN = 0.5  # log odds beyond the mean of the ways, for a lesson of weight 1
KEPT, NEWEST = 1500, 1000  # moments of each kind that the critic learns from, and of the dreams only the newest
LOOKS, PAIRS, RATE = 8, 24, 5e-4  # steps of the critic after each stretch, moments of each kind in one, and its rate
GRAIN = 0.01  # added to what it sees


def seen(net: Net, state: worlds.World, controls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the critic sees of B worlds, controls (B, FRAMES, 6) on the way to them: see critic.Critic.forward."""
    pace = net.bank[:, 0].abs()[state.classes][:, None]
    return state.shown[0].float(), pace, critic.instructions(controls, net.config.rows)


class Moments:
    """The newest KEPT moments, as the critic sees them."""

    def __init__(self):
        self.kept, self._parts = 0, None

    def remember(self, shown: torch.Tensor, pace: torch.Tensor, told: torch.Tensor) -> None:
        """Keeps these, as of `seen`."""
        seen = shown, pace, told
        if self._parts is None:
            self._parts = tuple(part.new_empty(KEPT, *part.shape[1:], dtype=torch.float16) for part in seen)
        places = (self.kept + torch.arange(len(pace), device=pace.device)) % KEPT
        for kept, part in zip(self._parts, seen, strict=True):
            kept[places] = part.half()
        self.kept += len(pace)

    def some(self, rough: Roughness, size: int, newest: int = KEPT) -> tuple[torch.Tensor, ...]:
        """`size` of the newest."""
        which = (self.kept - 1 - (rough.random(size) * min(self.kept, newest, KEPT)).long()) % KEPT
        return tuple(part[which].float() for part in self._parts)


class Dreams:
    """Dreams on stretches of the footage, `wide` px of the right of them, drawn by `net`, which learns elsewhere."""

    def __init__(self, net: Net, data: Dataset, rough: Roughness, wide: int):
        self.net, self.data, self.rough, self.wide = net, data, rough, wide
        self.told, self.drawn = Moments(), Moments()
        self.lessons = Lessons(rough, LESSONS, drawn=True)
        self.losses: dict[str, float] = {}
        self._asked = 0
        self._bands = critic.bands_of(net.config.rows, net.bank.device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rough.random(1).item() * 2**31))
            self.critic = critic.Critic().to(net.bank.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.critic.parameters(), RATE, betas=(0.5, 0.95), weight_decay=1e-3)
        self._begin()

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
            self._begin()
        taught = bool(self.told.kept and self.drawn.kept)
        self._go_on(learning and taught)
        if taught:
            for _ in range(LOOKS):
                self._look()

    # ------------------------------------------------------------------------------------------------ dreaming
    def _begin(self) -> None:
        """New dreams, from pictures of the footage."""
        pieces = [self._somewhere(FRAMES * LONGEST + BACK + 2) for _ in range(DREAMS)]
        starts = [start + BACK for start, _ in pieces]
        self._at, self._last = np.array(starts), np.array([[stop - 1] for _, stop in pieces])
        past = tuple(self._frames(self._at - back)[..., -self.wide :] for back in range(BACK + 1))
        speeds = np.stack([self.data.controls[at - BACK + 1 : at + 1, 0][::-1] for at in starts])
        self._worlds = worlds.begin(self.net, past, torch.from_numpy(speeds.copy()).to(self.rough.device))
        self._share = torch.zeros(DREAMS, device=self.rough.device)
        self._stretches = 0

    def _somewhere(self, length: int) -> tuple[int, int]:
        """Where so many frames in a row begin that may be learnt from, and where their piece ends; it may be shorter, if the
        footage has none so long."""
        pieces = [(a, b) for a, b in self.data.training if b - a > length] or self.data.training
        start, stop = pieces[int(self.data.rng.integers(len(pieces)))]
        return int(self.data.rng.integers(start, max(stop - length, start) + 1)), stop

    def _frames(self, at: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.data.frames[at]).permute(0, 3, 1, 2).to(self.rough.device).float() / 255

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
        says = self._judged(*looks)
        if learning:
            self._teach(says, looks[1], controls[each, :, 0], lessons)
        liked = self._liked(says)
        best = ((liked - liked.mean(1, keepdim=True)) / (liked.std(1, keepdim=True) + 1e-3)).sum(2).argmax(1)
        goes_on = torch.arange(DREAMS, device=device) * WAYS + best
        self._worlds, self._share = worlds.picked(state, goes_on), share[goes_on]

    def _judged(self, *looks: torch.Tensor) -> torch.Tensor:
        """What the critic says of each cell, log odds: (DREAMS * WAYS, rows, columns)."""
        self.critic.eval()
        says = self.critic(*looks).float()
        self.critic.train()
        return says

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

    def _from_right(self, says: torch.Tensor) -> torch.Tensor:
        """(W/4,) px from the right edge, of each column of cells."""
        wide = says.shape[2]
        return self.wide - critic.CELL * (torch.arange(wide, device=says.device) + 0.5)

    def _look(self) -> None:
        """The critic learns to tell dreams from worlds that were told the footage's codes."""
        told, drawn = self.told.some(self.rough, PAIRS), self.drawn.some(self.rough, PAIRS, NEWEST)
        shown, pace, controls = (torch.cat(pair) for pair in zip(told, drawn, strict=True))
        says = self.critic(shown + GRAIN * self.rough.grain(shown), pace, controls).float()
        truth = torch.cat([torch.ones(PAIRS), torch.zeros(PAIRS)]).to(says.device).view(-1, 1, 1).expand_as(says)
        counts = (self._from_right(says) < self.wide - AGREED).expand_as(says)
        loss = F.binary_cross_entropy_with_logits(says[counts], truth[counts])
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        right = float(((says > 0) == (truth > 0.5))[counts].float().mean())
        for name, value in (("critic", float(loss.detach())), ("right", right)):
            self.losses[name] = value if name not in self.losses else 0.98 * self.losses[name] + 0.02 * value
