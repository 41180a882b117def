"""Worlds that go on by themselves along the footage, told its controls, and a critic that learns to tell them from worlds
that were told the footage's codes, too, or that the footage enters. What is learnt from what it says: see vj.train.dreams,
vj.train.adversary and vj.train.tidying.
"""

import numpy as np
import torch
import torch.nn.functional as F

from vj.model import world as worlds
from vj.model.net import Net
from vj.train import critic
from vj.train.dataset import Dataset
from vj.train.roughness import Roughness

BACK = 3  # frames before a dream's first that it begins with
AGREED = 16  # px at the left that the critic does not learn from: there first pictures linger
KEPT, NEWEST = 1500, 1000  # moments of each kind that the critic learns from, and of the dreams only the newest
PAIRS, RATE = 24, 5e-4  # moments of each kind in one of the critic's steps, and its rate
GRAIN = 0.01  # added to what it sees


def seen(net: Net, state: worlds.World, controls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What the critic sees of B worlds, controls (B, T, 6) on the way to them: see critic.Critic.forward."""
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


class Dreaming:
    """`many` dreams at a time on stretches of the footage, `wide` px of the right of them, and the critic of what is `drawn`
    there beside what was `told`."""

    def __init__(self, net: Net, data: Dataset, rough: Roughness, wide: int, many: int, frames: int):
        """net: draws and paints; frames: that a dream goes on, at most."""
        self.net, self.data, self.rough, self.wide, self.many, self.longest = net, data, rough, wide, many, frames
        self.told, self.drawn = Moments(), Moments()
        self.losses: dict[str, float] = {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rough.random(1).item() * 2**31))
            self.critic = critic.Critic().to(net.bank.device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.critic.parameters(), RATE, betas=(0.5, 0.95), weight_decay=1e-3)
        self._begin()

    def _begin(self) -> None:
        """New dreams, from pictures of the footage."""
        pieces = [self._somewhere(self.longest + BACK + 2) for _ in range(self.many)]
        starts = [start + BACK for start, _ in pieces]
        self._at, self._last = np.array(starts), np.array([[stop - 1] for _, stop in pieces])
        past = tuple(self._frames(self._at - back)[..., -self.wide :] for back in range(BACK + 1))
        speeds = np.stack([self.data.controls[at - BACK + 1 : at + 1, 0][::-1] for at in starts])
        self._worlds = worlds.begin(self.net, past, torch.from_numpy(speeds.copy()).to(self.rough.device))
        self._share = torch.zeros(self.many, device=self.rough.device)

    def _somewhere(self, length: int) -> tuple[int, int]:
        """Where so many frames in a row begin that may be learnt from, and where their piece ends; it may be shorter, if the
        footage has none so long."""
        pieces = [(a, b) for a, b in self.data.training if b - a > length] or self.data.training
        start, stop = pieces[int(self.data.rng.integers(len(pieces)))]
        return int(self.data.rng.integers(start, max(stop - length, start) + 1)), stop

    def _frames(self, at: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(self.data.frames[at]).permute(0, 3, 1, 2).to(self.rough.device).float() / 255

    def _says(self, *looks: torch.Tensor) -> torch.Tensor:
        """What the critic says of each cell, log odds: (B, rows, columns)."""
        self.critic.eval()
        says = self.critic(*looks).float()
        self.critic.train()
        return says

    def _from_right(self, says: torch.Tensor) -> torch.Tensor:
        """(W/4,) px from the right edge, of each column of cells."""
        wide = says.shape[2]
        return self.wide - critic.CELL * (torch.arange(wide, device=says.device) + 0.5)

    def _spoilt(self, shown: torch.Tensor) -> torch.Tensor:
        """Pictures (B, 3, H, W) as the critic is to see them, so that it does not go by trifles."""
        return shown + GRAIN * self.rough.grain(shown)

    def _look(self, pairs: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The critic learns to tell dreams from what is true beside them, `told`, from `pairs` of each: which it returns, shown,
        their paces, and truth (2 * pairs,), 1 where it is true and else 0."""
        told, drawn = self.told.some(self.rough, pairs), self.drawn.some(self.rough, pairs, NEWEST)
        shown, pace, controls = (torch.cat(pair) for pair in zip(told, drawn, strict=True))
        says = self.critic(self._spoilt(shown), pace, controls).float()
        truth = torch.cat([torch.ones(pairs), torch.zeros(pairs)]).to(says.device)
        each, counts = truth.view(-1, 1, 1).expand_as(says), (self._from_right(says) < self.wide - AGREED).expand_as(says)
        loss = F.binary_cross_entropy_with_logits(says[counts], each[counts])
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        right = float(((says > 0) == (each > 0.5))[counts].float().mean())
        for name, value in (("critic", float(loss.detach())), ("right", right)):
            self.losses[name] = value if name not in self.losses else 0.98 * self.losses[name] + 0.02 * value
        return shown, pace, truth
