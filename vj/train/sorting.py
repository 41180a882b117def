"""How kinds of things are found: from its kind alone it is to be foretold how a thing looks at the edge, frame by frame.

So the kind says what of a thing is most to be seen: how tall and wide, how dark, of what colour. Quick lessons, before all else
and once: what learns from kinds (the prior) is to learn from the same ones for ever.

Sources: an autoencoder whose middle is rounded (VQ-VAE, van den Oord et al. 2017; finite scalar quantisation, Mentzer et al.
2023), told the moment that it is to draw (implicit neural video, NeRV, Chen et al. 2021).
"""

import numpy as np
import torch
import torch.nn.functional as F

from vj.model.kinds import CELL, CLEAR, Kinds
from vj.model.net import whole_cells
from vj.train.roughness import Roughness
from vj.train.things import Things

LESSONS, EACH = 3000, 10  # in all, and in each step of learning
FEW = 24  # things, fewer of which no kinds are learnt from
SOME, RATE = 96, 2e-3


class Sorting:
    """Lessons for `net`, on these things."""

    def __init__(self, net: Kinds, things: Things, rough: Roughness, learns: bool = True, counts: bool = True):
        """learns: whether the network is to learn kinds, if it knows none; counts: and how often each comes in this footage."""
        self.net, self.things, self.rough, self._counts = net, things, rough, counts
        knows = bool(net.odds.any())
        self.left = LESSONS if learns and not knows and len(things.seen) >= FEW else 0
        if knows:
            self._finish()
        elif self.left:
            net.lasts.copy_(torch.from_numpy(things.lasts))
        net.requires_grad_(self.left > 0)
        self._optimiser = torch.optim.AdamW(net.parameters(), RATE)

    def lessons(self, count: int = EACH) -> float:
        """So many of those that are left; the mean squared error of the last, 1 as if nothing were foretold. After the very last
        the kinds of all things are known."""
        off = 0.0
        for _ in range(min(count, self.left)):
            off = self._lesson(*self._moments())
            self.left -= 1
            for group in self._optimiser.param_groups:
                group["lr"] = RATE * max(self.left / LESSONS, 0.02)
        if not self.left:
            self._finish()
        return off

    def _finish(self) -> None:
        self.things.sort(self.net)
        if self._counts:
            self.things.count(self.net)

    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Some things, and frames in which they enter."""
        which = (self.rough.random(SOME) * len(self.things.seen)).long().cpu().numpy()
        begins, seen = self.things.begins[which], self.things.seen[which]
        at = begins + (self.rough.random(SOME).cpu().numpy() * (seen - begins)).astype(int)
        same = self.things.which[at, self.things.bands[which]] == which  # the next may have begun
        return which, np.where(same, at, begins)

    def _lesson(self, which: np.ndarray, at: np.ndarray) -> float:
        device = self.net.odds.device
        entered, band = self.things.entered(which, device)
        since = torch.from_numpy(self.things.since[at, self.things.bands[which]]).to(device)
        kinds = self.net(entered, band)[:, None].expand(-1, len(self.net.lasts), -1)
        told = self.net.told(kinds, since[:, None].expand(-1, len(self.net.lasts)))[torch.arange(len(band)), band, :3]
        with torch.no_grad():
            plain = self.net.plain(self.things.edges(at, device), band)[..., -CELL:]
            target = CLEAR * F.avg_pool2d(whole_cells(plain), CELL)[..., 0]
        loss = (told - target).square().mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()
        return float(loss.detach() / target.square().mean().clamp(min=1e-6))
