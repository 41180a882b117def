"""Things that enter in prepared footage: where each begins, by its controls, and how it looks when all of it has entered.

From these `vj.model.kinds` learns what kinds there are.
"""

import numpy as np
import torch

from vj.model import digits, kinds
from vj.model.kinds import RESTS, SEEN, Entering, Kinds
from vj.signals import BANDS

LONGEST, SHORTEST, USUAL = 40.0, 4.0, 0.8  # frames at speed 1 that things may take to enter, and which of all of them count
AT_ONCE = 256  # things that are looked at
NEVER = 1e-3  # how often a kind that never came is taken to have come


class Things:
    """All things that enter in pieces of footage; each is numbered."""

    def __init__(self, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]]):
        """frames (N, H, W, 3) uint8, controls (N, 6), pieces [(start, stop)...]: of no thing is anything seen beyond its own."""
        self.frames = frames
        self.lasts = np.array([_lasts(controls, pieces, band) for band in range(len(BANDS))], np.float32)
        count = len(controls)
        self.which = np.full((count, len(BANDS)), -1, np.int64)  # the thing that is entering in each frame, -1 none
        self.since = np.full((count, len(BANDS)), np.inf, np.float32)  # frames at speed 1 since it began
        seen, bands, begins = [], [], []
        for start, stop in pieces:
            gone = np.cumsum(controls[start:stop, 0], dtype=np.float64)
            entering, now = Entering(self.lasts, controls[start, 1:4]), np.full(len(BANDS), -1)
            for at in range(start, stop):
                for band in np.flatnonzero(entering.turn(controls[at])):
                    whole = start + int(np.searchsorted(gone, gone[at - start] + self.lasts[band]))
                    now[band] = len(seen) if whole < stop else -1  # what is not seen whole has no kind
                    if whole < stop:
                        seen.append(whole)
                        bands.append(band)
                        begins.append(at)
                self.which[at], self.since[at] = now, np.where(now < 0, np.inf, entering.since)
        self.seen, self.bands = np.array(seen, np.int64), np.array(bands, np.int64)
        self.begins = np.array(begins, np.int64)
        self.kinds = torch.full((len(seen) + 1, kinds.DIGITS), torch.nan)  # the last: of none

    def entered(self, which: np.ndarray, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
        """How these things (N,) look when they are in, (N, 3, H, SEEN) 0..1, and their bands (N,)."""
        return self.edges(self.seen[which], device), torch.from_numpy(self.bands[which]).to(device)

    def edges(self, places: np.ndarray, device: torch.device | str) -> torch.Tensor:
        """The right edge of these frames (N,): (N, 3, H, SEEN) 0..1."""
        right = torch.from_numpy(np.stack([self.frames[place, :, -SEEN:] for place in places]))
        return right.permute(0, 3, 1, 2).to(device).float() / 255

    @torch.no_grad()
    def sort(self, net: Kinds) -> None:
        """Finds the kinds of all, which are nan before."""
        device = net.odds.device
        every = np.array_split(np.arange(len(self.seen)), -(-len(self.seen) // AT_ONCE) or 1)
        with torch.autocast(device.type, enabled=False):
            found = [net(*self.entered(some, device)).cpu() for some in every if len(some)]
        self.kinds = torch.cat([*found, torch.full((1, kinds.DIGITS), torch.nan)])

    @torch.no_grad()
    def count(self, net: Kinds) -> None:
        """Gives the network the log chances of the kinds in each band, as they were where nothing comes, and how long things
        last here."""
        numbers = digits.number(self.kinds[:-1])
        for band in range(len(BANDS)):
            of_band = numbers[torch.from_numpy(self.bands == band)]
            if len(of_band):
                counts = torch.bincount(of_band, minlength=kinds.KINDS).float() + NEVER
                net.odds[band] = torch.log(counts / counts.sum())
        net.lasts.copy_(torch.from_numpy(self.lasts))

    @torch.no_grad()
    def told(self, net: Kinds, places: np.ndarray) -> torch.Tensor:
        """What the prior is told at these frames of the footage, places (B,): as of Kinds.told."""
        device, since = net.odds.device, torch.from_numpy(self.since[places])
        with torch.autocast(device.type, enabled=False):
            return net.told(self.kinds[torch.from_numpy(self.which[places])].to(device), since.to(device))


def _lasts(controls: np.ndarray, pieces: list[tuple[int, int]], band: int) -> float:
    """How long most things take to enter in this band, frames at speed 1: as long as its control does not rest."""
    found = []
    for start, stop in pieces:
        entry, speed = controls[start:stop, 1 + band], controls[start:stop, 0]
        entering, since = Entering(np.full(len(BANDS), np.inf), controls[start, 1:4]), None
        for at in range(stop - start):
            since = None if since is None else since + float(speed[at])
            if since is not None and entry[at] < RESTS:
                found.append(since)
                since = None
            if entering.turn(controls[start + at])[band]:
                since = 0.0
    return float(np.clip(np.quantile(found, USUAL), SHORTEST, LONGEST)) if found else kinds.LASTS
