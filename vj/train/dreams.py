"""Worlds that live on through the training: some follow the footage, some dream, and a judge tells them from footage.

What is wrong at the edge after a hundred own frames is not seen after six. So `Shadows` follow stretches of footage, one
frame a lesson, with the code told but with all that they painted before: what is true next is known, however far they
have strayed (Henry's corrective pairs, 2017).

With the code told nobody learns what comes of codes that were drawn. So `Dreams` draw every code from the prior, as at
the show, and a patch judge sees their right edge beside the footage's, at the same controls; what it says reaches the
painter through the newest pixels. Now and then a world wakes: it starts from footage again.

Sources: PatchGAN (Isola et al. 2017), hinge loss (Lim and Ye 2017), training on one's own long rollouts (Henry 2017;
Self-Forcing, Huang et al. 2025), a pool of states that persists (Grathwohl et al. 2020). Knows no optimiser.
"""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F

from vj.model import world as worlds
from vj.model.net import CODE_DIMS, OWN, Net, prior_sees
from vj.signals import BANDS
from vj.train.dataset import BEFORE, Batch, Dataset

VIEW = 48  # px at the right edge that the judge sees
WAKES = 1 / 160  # chance a lesson that a world starts again


class Judge(torch.nn.Module):
    """Looks at the leading edge patch by patch: above 0 for what looks like footage."""

    def __init__(self, width: int = 32):
        super().__init__()
        layers = []
        for given, made, size, stride in ((6, width, 4, 2), (width, 2 * width, 4, 2), (2 * width, 3 * width, 3, 1)):
            layers += [torch.nn.Conv2d(given, made, size, stride, 1), torch.nn.LeakyReLU(0.2)]
        layers += [torch.nn.Conv2d(3 * width, 1, 3, padding=1)]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, edge: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """edge (B, 3, H, V) 0..1; told (B, 3, H): what is told of each row (its band, the speed) and its height.

        -> (B, 1, H/4, V/4).
        """
        return self.layers(torch.cat([edge * 2 - 1, told[..., None].expand(-1, -1, -1, edge.shape[3])], 1))


class Pool:
    """Worlds on their way along the controls of some stretch of the footage, each its own."""

    def __init__(self, dataset: Dataset, size: int, width: int, device, rng: np.random.Generator, wakes: float = WAKES):
        """width: px of the right part that is imagined; wakes: the chance that a world starts again before a frame."""
        self.dataset, self.size, self.width, self.device, self.rng, self.wakes = dataset, size, width, device, rng, wakes
        self.at = np.full(size, -1)  # frame of the footage that each has come to
        self.world: worlds.World | None = None

    def _frames(self, index: np.ndarray, columns: int | None = None) -> torch.Tensor:
        some = self.dataset.frames[index]
        some = some[..., -columns:, :] if columns else some
        return torch.from_numpy(np.ascontiguousarray(some)).to(self.device).movedim(-1, -3).float() / 255

    def _wake(self, net: Net) -> None:
        """Starts those again that are at the end of their stretch, and some at random."""
        ended = np.array([not any(a <= at < b - 1 for a, b in self.dataset.training) for at in self.at])
        wakes = np.flatnonzero(ended | (self.rng.random(self.size) < self.wakes))
        if not len(wakes):
            return
        self.at[wakes] = [self.dataset.begin(self.rng) for _ in wakes]
        at = self.at[wakes]
        controls = torch.from_numpy(self.dataset.controls[at]).to(self.device)
        fresh = worlds.begin(net, tuple(self._frames(at - back, self.width) for back in range(4)), controls[:, 0])
        if self.world is None:
            self.world = fresh
            return
        where = torch.from_numpy(wakes).to(self.device)

        def put(old, new):
            return old.index_copy(0, where, new)

        old = self.world
        self.world = replace(
            old, lattice=put(old.lattice, fresh.lattice), phase=put(old.phase, fresh.phase), speed=put(old.speed, fresh.speed),
            shown=tuple(put(a, b) for a, b in zip(old.shown, fresh.shown, strict=True)), codes=put(old.codes, fresh.codes),
            bound=None if old.bound is None else put(old.bound, torch.full_like(old.bound[where], -1)),
        )  # fmt: skip


class Shadows(Pool):
    """They follow the footage: what comes next is known."""

    def now(self, net: Net) -> tuple[worlds.World, Batch]:
        """Where the worlds are, and the footage there: BEFORE frames up to now, and the next."""
        self._wake(net)
        index = self.at[:, None] + np.arange(1 - BEFORE, 2)
        return self.world, Batch(self._frames(index), torch.from_numpy(self.dataset.controls[index]).to(self.device))

    @torch.no_grad()
    def follow(self, net: Net, batch: Batch) -> None:
        """One frame on, with the code told."""
        told, after = batch.controls[:, BEFORE], batch.frames[:, BEFORE]
        code = net.encoder(self.world.shown[0], after, told[:, 0])
        self.world = worlds.step(net, self.world, told, code, torch.zeros_like(told[:, 0]), batch.frames[:, BEFORE - 1])
        self.at = self.at + 1


class Dreams(Pool):
    """They draw what enters, as at the show."""

    def lesson(self, net: Net, generator: torch.Generator):
        """One frame on. Gives the dreamt edge (N, 3, H, VIEW), with a gradient into the painter; the footage's; what is told
        (N, 3, H); and where something was painted (N, 1, H, VIEW)."""
        self._wake(net)
        world, at = self.world, self.at
        controls = torch.from_numpy(self.dataset.controls[at + 1]).to(self.device)
        with torch.no_grad():
            everything = torch.ones(self.size, device=self.device)
            seen = prior_sees(world.shown[0], controls, everything, BANDS)
            code = net.prior.sample(seen, world.codes[:, : net.config.memory * CODE_DIMS], generator)
            carried = worlds.carry(net, world, controls, code, everything * 0, self._frames(at))
        painted, over = worlds.paint(net, carried, code)
        after = worlds.settle(net, world, controls, code, carried, painted, over)
        view = min(VIEW, self.width)
        edge = after.shown[0][..., -view:]
        fresh = (carried.entered[:, 0] | (after.bound < 0))[:, None, :, -view:].float()
        self.world = replace(after, lattice=after.lattice.detach(), shown=tuple(f.detach() for f in after.shown))
        self.at = at + 1
        H = edge.shape[2]
        rows = F.interpolate(seen[:, OWN : OWN + 1].detach(), size=H, mode="nearest") - 0.5
        height = torch.linspace(-1, 1, H, device=self.device).expand(self.size, 1, H)
        speed = (controls[:, 0, None, None] - 1).expand(-1, 1, H)
        return edge, self._frames(at + 1, view), torch.cat([rows, height, speed], 1), fresh
