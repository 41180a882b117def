"""Draws the code of what enters, frame by frame, from the learnt prior: of the land, and of things where none are known whole
(vj.model.sprites).

The rows of a strip are drawn one after another from the top, each told what was drawn above it. That is 24 tiny steps,
for which numpy is several times quicker than torch; the dice are numpy's too, so a seed repeats on every device.
"""

import math

import numpy as np
import torch

from vj.model.net import CODE_DIMS, CODES, DIGITS, EDGE, NOTHING, Net, code_values, over_rows
from vj.model.planes import GRAINS
from vj.signals import BANDS

# Above a running share of OFTEN of the cells, over OFTEN_OVER frames, the log odds that a cell gets a code fall by WEARY for
# each 1: the demo's film is above it in 3 % of its frames, by 0.11 at most. Less likely than SELDOM, a cell gets none: in 24
# cells a frame something would be false all the time. (0.02 before there was a mender; it kept hedges and hills away.)
OFTEN, OFTEN_OVER, WEARY = 0.4, 10, 20.0
SELDOM = 0.005
UNLIKELY = 0.1  # of the likeliest code's chance, below which none is drawn: of 625, the many unlikely are a quarter, and rubble


class Dice:
    """Draws from the prior of one network. `temperature` below 1 is tamer; `guidance` above 0 obeys the controls more.

    Guidance draws from what is likelier with the controls told than without (classifier-free guidance, Ho and Salimans
    2022). No guidance was chosen by looking: with 0.5 houses come out less whole; it costs a second look, too, and gains
    little (timing F 0.97 instead of 0.96). What is far less likely than the likeliest is never drawn (min-p, Nguyen et al.
    2024): with that, at a temperature of 1, houses were more whole than at 0.85 without.
    """

    def __init__(self, net: Net, temperature: float = 1.0, guidance: float = 0.0):
        self.net, self.temperature, self.guidance = net, temperature, guidance
        self.values = code_values(torch.arange(CODES)).numpy().astype(np.float32)
        self.seed(0)
        self.refresh()

    def seed(self, seed: int) -> None:
        """The same seed draws the same codes for the same pictures and controls."""
        self.random = np.random.default_rng(seed)
        self._share = self._weary = 0.0

    def refresh(self) -> None:
        """Takes over the network's newest weights."""
        prior, gru = self.net.prior, self.net.prior.over_rows
        arrays = [gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0]
        layers = (prior.tell, prior.head, prior.then, prior.tell_more, prior.last)
        arrays += [part for layer in layers for part in (layer.weight, layer.bias)]
        self.odds = prior.odds.float().cpu().numpy()
        self.arrays = [np.ascontiguousarray(a.detach().float().cpu().numpy().T) for a in arrays]  # products go along rows

    def draw(self, image: torch.Tensor, past: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """image (1, 3, H, W), past codes (1, memory * D, rows), controls (1, 6) -> code (1, D, rows) on image's device."""
        told = torch.tensor([1.0, 0.0] if self.guidance else [1.0], device=image.device)
        n = told.shape[0]
        obeyed = over_rows(self.net.lit(controls).expand(n, -1), told, past.shape[2], BANDS)
        context = self.net.prior.glance(image[..., -EDGE:], obeyed, past.expand(n, -1, -1))
        context = context.float().cpu().numpy()  # (n, rows, width)
        w_in, w_back, b_in, b_back, *rest = self.arrays
        w_tell, b_tell, w_head, b_head, w_then, b_then, w_more, b_more, w_last, b_last = rest
        seen, width = context.shape[2], len(w_back)
        from_context = context @ w_in[:seen] + b_in
        w_above = w_in[seen:]
        h = np.zeros((n, width), np.float32)
        drawn = np.zeros((CODE_DIMS, context.shape[1]), np.float32)
        above, tells = drawn[:, 0], False
        goes_on = past[0, :DIGITS].any(0).cpu().numpy()  # whether each cell was told in the last frame
        odds = (np.where(goes_on, self.odds[1], self.odds[0]) + b_tell).tolist()
        for row in range(context.shape[1]):
            into = from_context[:, row] + above @ w_above if tells else from_context[:, row]
            back = h @ w_back
            back += b_back
            gates = _logistic(into[:, : 2 * width] + back[:, : 2 * width])
            reset, keep = gates[:, :width], gates[:, width:]
            reset *= back[:, 2 * width :]
            reset += into[:, 2 * width :]
            candidate = np.tanh(reset)
            h -= candidate
            h *= keep
            h += candidate
            above = drawn[:, row]
            tells = self._tells(h @ w_tell, odds[row])
            if tells:
                above[:DIGITS] = self._throw(h @ w_head + b_head)
                then = h @ w_then[:width] + above[:DIGITS] @ w_then[width:] + b_then
                then *= _logistic(then)
                if self._tells(then @ w_more, float(b_more[0])):
                    above[DIGITS:] = self._throw(then @ w_last + b_last)
        self._tire(float(drawn[:DIGITS].any(0).mean()))
        return torch.from_numpy(drawn)[None].to(image.device)

    def grain(self) -> torch.Tensor:
        """Normal numbers for the grain of what enters: (1, GRAINS, H, strip)."""
        config = self.net.config
        drawn = self.random.standard_normal((1, GRAINS, config.height, config.strip), np.float32)
        return torch.from_numpy(drawn).to(self.net.bank.device)

    def _tire(self, told: float) -> None:
        """A picture unlike all footage can drive the prior to tell every cell, and what that paints drives it on: no more."""
        self._share += (told - self._share) / OFTEN_OVER
        self._weary = WEARY * max(0.0, self._share - OFTEN)

    def _tells(self, odds: np.ndarray, more: float) -> bool:
        """Whether this group gets a code at all, by log odds (n, 1), and `more`; temperature has no say in it, else things would
        become rare."""
        chance = 0.5 + 0.5 * math.tanh(0.5 * (self._guided(odds[:, 0].tolist()) + more - self._weary))
        return self.random.random() < chance and chance > SELDOM

    def _throw(self, logits: np.ndarray) -> np.ndarray:
        """One group's code from its logits (n, CODES), with the controls told and (for guidance) untold -> values (DIGITS,)."""
        chosen = self._guided(logits) / self.temperature
        chosen[NOTHING] = -np.inf
        chosen[chosen < chosen.max() + np.log(UNLIKELY)] = -np.inf
        waits = self.random.standard_exponential(CODES, np.float32)  # Gumbel noise, quicker so
        return self.values[int(np.argmax(chosen - np.log(np.maximum(waits, 1e-30))))]

    def _guided(self, values):
        """What is likelier with the controls told (values[0]) than without (values[1], if there is guidance)."""
        return values[0] if len(values) == 1 else values[0] + self.guidance * (values[0] - values[1])


def _logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), never overflowing."""
    x = np.tanh(0.5 * x)
    x *= 0.5
    x += 0.5
    return x
