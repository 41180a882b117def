"""Draws the code of what enters, frame by frame, from the learnt prior: the only dice of the show.

The rows of a strip are drawn one after another from the top, each told what was drawn above it. That is 24 tiny steps,
for which numpy is several times quicker than torch; the dice are numpy's too, so a seed repeats on every device.
"""

import numpy as np
import torch

from vj.model.net import CODE_DIMS, CODES, GROUPS, Net, code_values, prior_sees
from vj.signals import BANDS


class Dice:
    """Draws from the prior of one network. `temperature` below 1 is tamer; `guidance` above 0 obeys the controls more.

    Guidance draws from what is likelier told than untold (classifier-free guidance, Ho and Salimans 2022). 0.85 and 0.5
    were chosen by `vj judge`: with 1 and 0 half as much comes in as in the footage, and later than it is told.
    """

    def __init__(self, net: Net, temperature: float = 0.85, guidance: float = 0.5):
        self.net, self.temperature, self.guidance = net, temperature, guidance
        self.values = code_values(torch.arange(CODES)).numpy().astype(np.float32)
        self.random = np.random.default_rng(0)
        self.refresh()

    def seed(self, seed: int) -> None:
        """The same seed draws the same codes for the same pictures and controls."""
        self.random = np.random.default_rng(seed)

    def refresh(self) -> None:
        """Takes over the network's newest weights."""
        prior, gru = self.net.prior, self.net.prior.over_rows
        arrays = [gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0]
        arrays += [part for layer in (prior.head, prior.then, prior.last) for part in (layer.weight, layer.bias)]
        self.arrays = [np.ascontiguousarray(a.detach().float().cpu().numpy().T) for a in arrays]  # products go along rows

    def draw(self, image: torch.Tensor, past: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """image (1, 3, H, W), past codes (1, memory * D, rows), controls (1, 6) -> code (1, D, rows) on image's device."""
        told = torch.tensor([1.0, 0.0] if self.guidance else [1.0], device=image.device)
        n = told.shape[0]
        seen = prior_sees(image.expand(n, -1, -1, -1), self.net.lit(controls).expand(n, -1), told, BANDS)
        context = self.net.prior.context(seen, past.expand(n, -1, -1)).float().cpu().numpy()  # (n, rows, width)
        w_in, w_back, b_in, b_back, *rest = self.arrays
        w_head, b_head, w_then, b_then, w_last, b_last = rest
        width = context.shape[2]
        from_context = context @ w_in[:width] + b_in
        w_above = w_in[width:]
        h = np.zeros((n, width), np.float32)
        above = np.zeros(CODE_DIMS, np.float32)
        waits = self.random.standard_exponential((context.shape[1], GROUPS, CODES), np.float32)
        dice = -np.log(np.maximum(waits, 1e-30))  # Gumbel noise, quicker so
        drawn = np.empty((CODE_DIMS, context.shape[1]), np.float32)
        for row in range(context.shape[1]):
            into = from_context[:, row] + above @ w_above
            back = h @ w_back + b_back
            gates = _logistic(into[:, : 2 * width] + back[:, : 2 * width])
            reset, keep = gates[:, :width], gates[:, width:]
            candidate = np.tanh(into[:, 2 * width :] + reset * back[:, 2 * width :])
            h = candidate + keep * (h - candidate)
            first = self._throw(h @ w_head + b_head, dice[row, 0])
            then = h @ w_then[:width] + first @ w_then[width:] + b_then
            above = np.concatenate([first, self._throw((then * _logistic(then)) @ w_last + b_last, dice[row, 1])])
            drawn[:, row] = above
        return torch.from_numpy(drawn)[None].to(image.device)

    def _throw(self, logits: np.ndarray, dice: np.ndarray) -> np.ndarray:
        """One group's logits, told and (with guidance) untold (n, CODES), and Gumbel noise (CODES,) -> values (DIGITS,)."""
        chosen = logits[0] if len(logits) == 1 else logits[0] + self.guidance * (logits[0] - logits[1])
        return self.values[int(np.argmax(chosen / self.temperature + dice))]


def _logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), never overflowing."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)
