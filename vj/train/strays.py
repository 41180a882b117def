"""False tells: what the dice will now and then draw where nothing comes, so that they learn to have done with it at once.

In the footage nothing stray is ever told, so a world that has only followed it holds no specks, and who has never seen a
speck takes it for a thing and goes on with it (exposure bias; Ranzato et al. 2016, of which this is the small remedy). Only
one or two cells go astray at a time: more would look like things, and these are not to be broken off.
"""

import torch

from vj.model.net import DIGITS
from vj.train.roughness import Roughness

BEGINS = 0.04  # chance in a frame that a world begins to be told something false
LASTS = 6  # frames, at most


class Strays:
    """The false tells of some worlds that are rolled together."""

    def __init__(self, rough: Roughness, worlds: int):
        self.rough = rough
        self.left, self.row, self.tall = [0] * worlds, [0] * worlds, [1] * worlds

    def among(self, code: torch.Tensor) -> torch.Tensor:
        """code (B, D, rows) with, here and there, what is told elsewhere in it just now."""
        told = code.transpose(1, 2)[code[:, :DIGITS].any(1)]  # (n, D)
        if not len(told):
            return code
        out = code.clone()
        for b in range(len(code)):
            begins, row, tall, lasts, which = self.rough.random(5).tolist()
            if not self.left[b] and begins < BEGINS:
                self.row[b], self.tall[b], self.left[b] = int(row * code.shape[2]), 1 + int(2 * tall), 1 + int(LASTS * lasts)
            if self.left[b]:
                self.left[b] -= 1
                out[b, :, self.row[b] : self.row[b] + self.tall[b]] = told[int(which * len(told)), :, None]
        return out
