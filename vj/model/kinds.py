"""What kind of thing enters: drawn once when it begins to, and held until all of it has entered.

The dice draw what enters frame by frame, from what they see beside it; in a dream they see their own draws, and a tower that
began as a tower forgot what it was. So each band (vj.signals.BANDS) has a kind of a few digits, and from it and from how long the
thing has been entering a small network sketches what is to be expected at the edge just now: that is shown to the prior. In
footage the kind is found by looking at the thing when all of it has entered (how that is learnt: vj.train.sorting); at a show it
is drawn as often as the footage has it.

Sources: one latent for a whole sequence, inferred from all of it (variational recurrent models, Chung et al. 2015; plans that
look ahead, Z-forcing, Goyal et al. 2017).
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vj.model import digits
from vj.model.laid import Conv
from vj.model.planes import median
from vj.signals import BANDS

DIGITS = 4
KINDS = digits.LEVELS**DIGITS
SEEN = 48  # px at the right edge that are looked at
BEGINS, RISES, RESTS = 0.3, 0.25, 0.15  # the entry control from which a thing begins, how far it rose, and where nothing enters
LASTS = 12.0  # frames at speed 1 that a thing takes to enter, until it is known
YOUNG = 2.0  # frames in which what has just begun is no longer new
PHASE = 3  # whether it is entering, how far it is, how new
CELL = 4  # px a side of what is sketched, in the newest ones alone: three colours, as they differ from their row
TOLD = 3 + PHASE  # what the prior is told of each band, in each row of cells
REACH = ((0.0, 0.46), (0.3, 0.72), (0.0, 1.0))  # where a band's things are: (top, bottom), shares of the height
BESIDE = 0.3  # how much counts what stands out outside of the band itself: of poles
WIDTHS, HIDDEN = (16, 24, 16), 48
CLEAR = 4.0  # times as strong as it stands out is what is sketched
FAINT = 0.12  # differs so little from its row, of a picture's mean of 1, what is no thing
DARK = 0.05  # mean of a colour, 0..1, below which a picture is taken for black


class Kinds(nn.Module):
    """Finds the kind of a thing that has entered (training only), and sketches what of a kind is to be expected; knows how often
    each kind comes and how long things last."""

    def __init__(self, height: int):
        super().__init__()
        a, b, c = WIDTHS
        self.look = nn.Sequential(
            Conv(3, a, 4, stride=2, padding=1), nn.SiLU(), Conv(a, b, 4, stride=2, padding=1), nn.SiLU(),
            Conv(b, c, 4, stride=2, padding=1), nn.SiLU(),
        )  # fmt: skip
        self.say = nn.Linear(c * (height // 2 // 8) * (SEEN // 2 // 8), len(BANDS) * DIGITS)
        for layer in self.look[::2]:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
        rows = -(-height // CELL)
        self.sketches = nn.ModuleList([
            nn.Sequential(nn.Linear(DIGITS + PHASE, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, 3 * rows), nn.Unflatten(1, (3, rows)))
            for _ in BANDS
        ])  # fmt: skip
        tall, reach = torch.arange(height), [(round(top * height), round(bottom * height)) for top, bottom in REACH]
        reach = torch.stack([(tall >= top) & (tall < bottom) for top, bottom in reach]).float()
        own = torch.stack([(tall >= top * height) & (tall < bottom * height) for top, bottom in BANDS]).float()
        reach = reach * (BESIDE + (1 - BESIDE) * own)
        self.register_buffer("reach", reach[:, None, :, None], persistent=False)
        self.register_buffer("odds", torch.zeros(len(BANDS), KINDS))  # log chances, up to a constant
        self.register_buffer("lasts", torch.full((len(BANDS),), LASTS))  # frames at speed 1

    def plain(self, edge: torch.Tensor, band: torch.Tensor) -> torch.Tensor:
        """Right edges (N, 3, H, SEEN) 0..1 of any light as what stands out in them of that band's things: the same, 0 where there
        are but clouds, hills and meadows."""
        even = edge / edge.mean((2, 3), keepdim=True).clamp(min=DARK)
        return F.softshrink(even - median(even), FAINT) * self.reach[band]

    def forward(self, entered: torch.Tensor, band: torch.Tensor) -> torch.Tensor:
        """entered (N, 3, H, SEEN) 0..1, the right edge when all has entered, band (N,) -> kinds (N, DIGITS) of -1 .. 1."""
        x = 2 * F.avg_pool2d(self.plain(entered, band), 2)
        out = self.say(self.look(x).flatten(1)).float().unflatten(1, (len(BANDS), DIGITS))
        return digits.rounded(out[torch.arange(len(band), device=out.device), band])

    def told(self, kinds: torch.Tensor, since: torch.Tensor) -> torch.Tensor:
        """What the prior is told of kinds (B, bands, DIGITS) that began `since` (B, bands) frames at speed 1 ago:
        (B, bands, TOLD, rows), all 0 where nothing is entering any more; without a kind, all its digits being nan, nothing is
        sketched."""
        phase = phases(since, self.lasts)
        known, entering = ~kinds.isnan().any(2), phase[..., 0]
        seen, counts = torch.cat([torch.nan_to_num(kinds), phase], 2), entering * known
        sketched = seen.new_zeros(len(seen), len(BANDS), 3, -(-self.reach.shape[2] // CELL))
        for band, sketch in enumerate(self.sketches):
            if counts[:, band].any():  # else there is nothing to sketch, and a frame has no time to waste
                sketched[:, band] = sketch(seen[:, band]) * counts[:, band, None, None]
        return torch.cat([sketched, phase[..., None].expand(-1, -1, -1, sketched.shape[3])], 2)


def phases(since: torch.Tensor, lasts: torch.Tensor) -> torch.Tensor:
    """(..., bands) frames at speed 1 since things began, lasts (bands,) -> (..., bands, PHASE), all 0 where they are in."""
    entering = (since <= lasts).float()
    since = torch.where(entering > 0, since, 0.0)
    return torch.stack([entering, entering * since / lasts, entering * torch.exp(-since / YOUNG)], -1)


class Entering:
    """Follows the entry controls of the bands, a frame at a time: when things begin, and how long ago they did."""

    def __init__(self, lasts: np.ndarray, least: np.ndarray | None = None):
        """lasts (bands,) frames at speed 1 that a thing takes to enter; least (bands,): the controls at the start, None: 0."""
        self.lasts = np.asarray(lasts, np.float32)
        self.since = np.full(len(BANDS), math.inf, np.float32)
        self._least = np.zeros(len(BANDS), np.float32) if least is None else np.array(least, np.float32)

    def turn(self, controls: np.ndarray) -> np.ndarray:
        """controls (6,) of the next frame -> bool (bands,): where a thing begins. It must have risen from where nothing enters,
        or, once the last one is in, from wherever it is."""
        entry = controls[1:4]
        self.since = self.since + controls[0]
        self._least = np.minimum(self._least, entry)
        begins = (entry >= BEGINS) & (entry >= self._least + RISES) & ((self._least < RESTS) | (self.since > self.lasts))
        self.since = np.where(begins, np.float32(0), self.since)
        self._least = np.where(begins, entry, self._least)
        return begins
