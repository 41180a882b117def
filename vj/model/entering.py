"""When the music lets something in: each band's entry control, followed frame by frame; and how much of what enters is seen.

Knows the controls and how they are measured (vj.train.measure), no network.
"""

import math

import numpy as np

from vj.signals import BANDS

BEGINS, RISES, RESTS = 0.3, 0.25, 0.15  # the entry control from which a thing begins, how far it rose, and where nothing enters
HELD, AGAIN = 0.5, 2.0  # a control held so high lets in another after so many times what one takes to enter
SEEN, VISIBLE = 8, 0.5  # px at the edge in which it is seen to enter; of what is seen of it when that is most: it is there


class Entering:
    """Follows the entry controls of the bands, a frame at a time: when things begin, and how long ago they did."""

    def __init__(self, lasts: np.ndarray, least: np.ndarray | None = None, again: float = math.inf):
        """lasts (bands,) frames at speed 1 that a thing takes to enter; least (bands,): the controls at the start, None: 0;
        again: times `lasts` after which a control that is held (HELD) lets in another."""
        self.lasts, self.again = np.asarray(lasts, np.float32), again
        self.since = np.full(len(BANDS), math.inf, np.float32)
        self._least = np.zeros(len(BANDS), np.float32) if least is None else np.array(least, np.float32)

    def turn(self, controls: np.ndarray) -> np.ndarray:
        """controls (6,) of the next frame -> bool (bands,): where a thing begins. It must have risen from where nothing enters,
        or, once the last one is in, from wherever it is."""
        entry = controls[1:4]
        self.since = self.since + controls[0]
        self._least = np.minimum(self._least, entry)
        begins = (entry >= BEGINS) & (entry >= self._least + RISES) & ((self._least < RESTS) | (self.since > self.lasts))
        begins |= (entry >= HELD) & np.isfinite(self.since) & (self.since >= self.again * self.lasts)
        self.since = np.where(begins, np.float32(0), self.since)
        self._least = np.where(begins, entry, self._least)
        return begins


def visible(luma: np.ndarray, long: int = SEEN) -> np.ndarray:
    """How much of what enters is seen when so much is in, as entry controls are measured: luma (rows, n) -> (n + long - 2,),
    the root of the mean square of its slopes across, in the newest `long` of them."""
    steep = np.square(np.diff(luma, axis=1)).mean(0)
    return np.sqrt(np.convolve(steep, np.full(long, 1 / long)))
