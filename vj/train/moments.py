"""When things enter prepared footage, and how long they take: its entry controls, measured in it, tell.

Knows no pictures: those are for vj.train.things and vj.train.lands.
"""

from dataclasses import dataclass

import numpy as np

from vj.model.entering import RESTS, Entering
from vj.signals import BANDS

LONGEST, SHORTEST, USUAL = 40.0, 4.0, 0.8  # frames at speed 1 that things may take to enter, and which of all of them count
ONE = 1.8  # times as long as is usual, what goes on entering is one thing
AFTER = 3.0  # frames at speed 1 after its end in which it is looked at: all of it was seen two frames before, too


@dataclass(frozen=True, slots=True)
class Moment:
    """A thing of the footage: its band, the frames in which it begins and ends to enter, that in which all of it is seen
    first, and where its piece of footage stops."""

    band: int
    begins: int
    ends: int
    seen: int
    stop: int


def moments(controls: np.ndarray, piece: tuple[int, int], lasts: np.ndarray) -> list[Moment]:
    """All things of a piece of footage that can be seen whole in it."""
    start, stop = piece
    gone = np.concatenate([np.zeros(start), np.cumsum(controls[start:stop, 0], dtype=np.float64)])
    entering, found = Entering(lasts, controls[start, 1:4]), []
    for at in range(start, stop):
        for band in np.flatnonzero(entering.turn(controls[at])):
            ends = at
            while ends < stop - 1 and controls[ends, 1 + band] >= RESTS and gone[ends] - gone[at] < ONE * lasts[band]:
                ends += 1
            seen = ends
            while seen < stop and gone[seen] - gone[ends] < AFTER:
                seen += 1
            if seen < stop and seen - 2 >= at:
                found.append(Moment(int(band), at, ends, seen, stop))
    return found


def all_lasts(controls: np.ndarray, pieces: list[tuple[int, int]]) -> np.ndarray:
    """band_lasts of all bands, (bands,)."""
    return np.array([band_lasts(controls, pieces, band) for band in range(len(BANDS))], np.float32)


def band_lasts(controls: np.ndarray, pieces: list[tuple[int, int]], band: int) -> float:
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
    return float(np.clip(np.quantile(found, USUAL), SHORTEST, LONGEST)) if found else SHORTEST
