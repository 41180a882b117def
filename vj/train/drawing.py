"""What the dice of a show draw, for many worlds at once: for the dreams and slips that are learnt from.

The same chances as vj.model.prior.Dice, one world at a time in numpy, gives; other dice.
"""

import math

import torch
import torch.nn.functional as F

from vj.model import prior as dice
from vj.model.net import CODE_DIMS, DIGITS, EDGE, NOTHING, Net, code_values, over_rows
from vj.signals import BANDS
from vj.train.roughness import Roughness


def draw(net: Net, rough: Roughness, shown: torch.Tensor, past: torch.Tensor, controls: torch.Tensor, weary: torch.Tensor,
         told: torch.Tensor | None = None, free: torch.Tensor | None = None):  # fmt: skip
    """For many worlds at once what vj.model.prior.Dice draws for one, with other dice: shown (B, 3, H, W), past codes
    (B, memory * D, rows), controls (B, 6), weary (B,) log odds -> code (B, D, rows).

    told (B, D, rows): what is told instead; but whether a cell is told is drawn where free[:, 0] (B, 2, rows) bool, what it is
    told where free[:, 1], or where nothing is told.
    """
    prior, B, rows = net.prior, len(shown), past.shape[2]
    context = prior.glance(shown[..., -EDGE:], over_rows(net.lit(controls), shown.new_ones(B), rows, BANDS), past).float()
    goes_on = past[:, :DIGITS].any(1)
    odds = torch.where(goes_on, prior.odds[1], prior.odds[0]) - weary[:, None]
    h, above, code = None, past.new_zeros(B, CODE_DIMS), []
    with torch.autocast(shown.device.type, enabled=False):
        for row in range(rows):
            out, h = prior.over_rows(torch.cat([context[:, row], above], 1)[:, None], h)
            out = out[:, 0]
            what, whether = _thrown(rough, prior.head(out)), _tells(rough, prior.tell(out)[:, 0] + odds[:, row])
            if told is not None:
                known, (drawn, other) = told[:, :DIGITS, row], free[..., row].unbind(1)
                is_told = known.any(1)
                what = torch.where((other | ~is_told)[:, None], what, known)
                whether = torch.where(drawn[:, None], whether, is_told[:, None].float())
            first = what * whether
            then = F.silu(prior.then(torch.cat([out, first], 1)))
            what, more = _thrown(rough, prior.last(then)), _tells(rough, prior.tell_more(then)[:, 0] - weary)
            if told is not None:
                kept = ~(drawn | other)[:, None]
                what, more = torch.where(kept, told[:, DIGITS:, row], what), torch.where(kept, torch.ones_like(more), more)
            above = torch.cat([first, what * more * first.any(1, keepdim=True)], 1)
            code.append(above)
    return torch.stack(code, 2)


def _tells(rough: Roughness, odds: torch.Tensor) -> torch.Tensor:
    """(B,) log odds -> (B, 1) of 1 and 0."""
    chance = torch.sigmoid(odds)
    return ((rough.random(len(odds)) < chance) & (chance > dice.SELDOM)).float()[:, None]


def _thrown(rough: Roughness, logits: torch.Tensor) -> torch.Tensor:
    """(B, CODES) -> the values (B, DIGITS) of a group's code."""
    logits = logits.float().index_fill(1, torch.tensor([NOTHING], device=logits.device), -torch.inf)
    logits = logits.masked_fill(logits < logits.amax(1, keepdim=True) + math.log(dice.UNLIKELY), -torch.inf)
    waits = -torch.log(rough.random(*logits.shape).clamp(min=1e-30))
    return code_values((logits - torch.log(waits.clamp(min=1e-30))).argmax(1))
