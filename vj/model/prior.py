"""Draws the code of what enters, frame by frame, from the learnt prior: the only dice of the show.

The rows of a strip are drawn one after another from the top, each told what was drawn above it. That is 24 tiny steps,
for which numpy is several times quicker than torch; the dice are numpy's too, so a seed repeats on every device.
"""

import numpy as np
import torch

from vj.model.net import CODE_DIMS, CODES, Net, code_values, prior_sees
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
        gru, head = self.net.prior.over_rows, self.net.prior.head
        arrays = (gru.weight_ih_l0, gru.weight_hh_l0, gru.bias_ih_l0, gru.bias_hh_l0, head.weight, head.bias)
        self.arrays = [np.ascontiguousarray(a.detach().float().cpu().numpy().T) for a in arrays]  # products go along rows

    def draw(self, image: torch.Tensor, past: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
        """image (1, 3, H, W), past codes (1, memory * D, rows), controls (1, 6) -> code (1, D, rows) on image's device."""
        told = torch.tensor([1.0, 0.0] if self.guidance else [1.0], device=image.device)
        n = told.shape[0]
        seen = prior_sees(image.expand(n, -1, -1, -1), self.net.lit(controls).expand(n, -1), told, BANDS)
        context = self.net.prior.context(seen, past.expand(n, -1, -1)).float().cpu().numpy()  # (n, rows, width)
        w_in, w_back, b_in, b_back, w_out, b_out = self.arrays
        width = context.shape[2]
        from_context = context @ w_in[:width] + b_in
        w_above = w_in[width:]
        h = np.zeros((n, width), np.float32)
        above = np.zeros(CODE_DIMS, np.float32)
        waits = self.random.standard_exponential((context.shape[1], CODES), np.float32)
        dice = -np.log(np.maximum(waits, 1e-30))  # Gumbel noise, quicker so
        drawn = np.empty((CODE_DIMS, context.shape[1]), np.float32)
        for row in range(context.shape[1]):
            into = from_context[:, row] + above @ w_above
            back = h @ w_back + b_back
            gates = 0.5 + 0.5 * np.tanh(0.5 * (into[:, : 2 * width] + back[:, : 2 * width]))  # logistic, never overflows
            reset, keep = gates[:, :width], gates[:, width:]
            candidate = np.tanh(into[:, 2 * width :] + reset * back[:, 2 * width :])
            h = candidate + keep * (h - candidate)
            logits = h @ w_out + b_out
            chosen = logits[0] if n == 1 else logits[0] + self.guidance * (logits[0] - logits[1])
            above = self.values[int(np.argmax(chosen / self.temperature + dice[row]))]
            drawn[:, row] = above
        return torch.from_numpy(drawn)[None].to(image.device)
