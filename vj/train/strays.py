"""What goes astray at a show, in worlds that are told the footage's codes: false tells, and slips.

False tells are what the dice will now and then draw where nothing comes, so that they learn to have done with it at once.

In the footage nothing stray is ever told, so a world that has only followed it holds no specks, and who has never seen a
speck takes it for a thing and goes on with it (exposure bias; Ranzato et al. 2016, of which this is the small remedy). Only
one or two cells go astray at a time: more would look like things, and these are not to be broken off.

Slips are what the dice themselves draw for some of the cells, while the others are told the truth: a thing is still what it is,
and they learn to go on with it whatever slipped in between (scheduled sampling, Bengio et al. 2015, but cell by cell: with all
drawn, a thing would have become another, and to go on with the footage's would be to break it off).
"""

import torch

from vj.model.net import DIGITS, Net
from vj.model.world import World
from vj.train.drawing import draw
from vj.train.roughness import Roughness

BEGINS = 0.04  # chance in a frame that a world begins to be told something false
LASTS = 6  # frames, at most
SLIPS, WHETHER = 0.8, 0.3  # largest share of the cells of which it is drawn what they are told, and as a part of that, whether


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


def slipped(net: Net, rough: Roughness, state: World, code: torch.Tensor, controls: torch.Tensor, share: torch.Tensor):
    """code (B, D, rows) that worlds are about to be told, with controls (B, 6), some of it drawn from net's prior, up to SLIPS of
    the cells by share (B,) 0..1."""
    if not share.any():
        return code
    lots, share = rough.random(2, *code[:, 0].shape), SLIPS * share[:, None]
    free = torch.stack([lots[0] < WHETHER * share, lots[1] < share], 1)
    return draw(net, rough, state.shown[0], state.codes, controls, controls.new_zeros(len(controls)), code, free)
