"""A second critic for painters: how things are woven, and not what they are.

What was painted for the first alone (vj/train/critic.py) had good outlines and no leaves. This one sees a few px around each
px and nothing else, so it cannot go by outlines. Training only.

Sources: patches so small after Markovian discriminators (Li and Wand 2016) and the smallest of pix2pix (Isola et al. 2017).
"""

import torch
import torch.nn.functional as F
from torch import nn

from vj.model.planes import median
from vj.train.critic import PACE, SLOPE
from vj.train.roughness import Roughness

WIDTH = 24  # channels
NEAR = 5  # px a side of what a px is compared with
SEEN = 40  # px at the right edge that it looks at
RATE = 5e-4
# What a px counts where all is plain; by how much it differs from its row where it counts 1 more; how much more it may count.
PLAIN, CLEAR, MOST = 0.3, 0.06, 2.0


class Weave(nn.Module):
    """Log odds that each px is the footage's, by the 13 x 13 px around it."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3 + 3 + 1, WIDTH, 3, 1, 1)
        self.second = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.third = nn.Conv2d(WIDTH, WIDTH, 3, 1, 1)
        self.head = nn.Conv2d(WIDTH, 1, 3, 1, 1)

    def forward(self, shown: torch.Tensor, pace: torch.Tensor) -> torch.Tensor:
        """shown (B, 3, H, W) 0..1, pace (B, 1, H, W) px a frame at speed 1 -> (B, H, W)."""
        beside = F.avg_pool2d(F.pad(shown, [NEAR // 2] * 4, mode="replicate"), NEAR, 1)
        h = torch.cat([3 * (shown - 0.5), 10 * (shown - beside), pace / PACE], 1).contiguous(memory_format=torch.channels_last)
        for layer in (self.first, self.second, self.third):
            h = F.leaky_relu(layer(h), SLOPE)
        return self.head(h)[:, 0]


class Weaving:
    """Learns to tell what is painted from what is filmed, and says how easily it does."""

    def __init__(self, device: torch.device | str, rough: Roughness):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(rough.random(1).item() * 2**31))
            self.weave = Weave().to(device, memory_format=torch.channels_last)
        self._optimiser = torch.optim.AdamW(self.weave.parameters(), RATE, betas=(0.5, 0.95), weight_decay=1e-3)

    def look(self, shown: torch.Tensor, pace: torch.Tensor, truth: torch.Tensor) -> None:
        """Learns from N pictures, as of Weave, truth (N,) 1 where they are the footage's, else 0."""
        shown, pace = shown[..., -SEEN:], pace[..., -SEEN:]
        says, counts = self.weave(shown, pace).float(), stands(shown)
        truth = truth.view(-1, 1, 1).expand_as(says)
        loss = F.binary_cross_entropy_with_logits(says, truth, counts / counts.sum(), reduction="sum")
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self._optimiser.step()

    def grade(self, shown: torch.Tensor, pace: torch.Tensor, newest: int) -> torch.Tensor:
        """How easily the newest px of pictures, as of Weave, are found to be painted; its own weights are not reached."""
        shown, pace = shown[..., -SEEN:], pace[..., -SEEN:]
        self.weave.requires_grad_(False)
        says, counts = self.weave(shown, pace).float()[..., -newest:], stands(shown)[..., -newest:]
        self.weave.requires_grad_(True)
        return (F.softplus(-says) * counts).sum() / counts.sum()


def stands(shown: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) -> (B, H, W): how much each px counts, most where something stands: else it is all fields and sky."""
    off = (shown.detach() - median(shown.detach().float())).abs().mean(1, keepdim=True)
    return PLAIN + (F.avg_pool2d(off, 7, 1, 3)[:, 0] / CLEAR).clamp(max=MOST)
