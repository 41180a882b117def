"""Which sources of footage show one scene, and which another: a folder may hold a train ride, a walk and a flight.

Rows of one scene go as fast as each other's, measured in what is usual there. Scenes are learnt by one network, each laid out its
own way (vj.model.scenes). Knows no network.
"""

from dataclasses import dataclass

import numpy as np

from vj.train import slits
from vj.train.measure import STILL
from vj.view import View

MOST = 8  # scenes: no more than there are first pictures
PAIRS = 40  # of frames of a source that are looked at
ALIKE, NEAR = 0.24, 0.15  # how far rows' paces may be off, in the mean, of what is usual there; a vanishing point, of the size

Stretches = list[tuple[int, int]]  # of frames


@dataclass(frozen=True, slots=True)
class Scene:
    """What is seen one way."""

    view: View
    clips: tuple[tuple[int, int], ...]  # (start, stop) of its frames
    usual: tuple[float, float, float, float]  # mean and spread of brightness and of warmth

    def within(self, pieces: Stretches) -> Stretches:
        """Those of these stretches that are its own."""
        return [piece for piece in pieces if any(start <= piece[0] < stop for start, stop in self.clips)]


def told_apart(frames: np.ndarray, motion: np.ndarray, sources: list[tuple[View, Stretches]]) -> list[list[int]]:
    """Of frames (N, H, W, 3) uint8, which go by motion (N,) px: the numbers of the sources of each scene, the longest first.
    sources: how each is laid out, and its stretches."""
    if len(sources) < 2:
        return [list(range(len(sources)))]
    length = [sum(stop - start for start, stop in clips) for _, clips in sources]
    found: list[tuple[View, np.ndarray, list[int]]] = []
    for number, (view, clips) in enumerate(sources):
        rows = _rows(frames, motion, clips)
        scene = next((each for each in found if _alike(view, rows, *each[:2])), None)
        if scene is None:
            found.append((view, rows, [number]))
        else:
            scene[2].append(number)
    return sorted((group for *_, group in found), key=lambda group: -sum(length[each] for each in group))


def _rows(frames: np.ndarray, motion: np.ndarray, clips: Stretches) -> np.ndarray:
    """(H,) how fast each row of one source goes, of what is usual there."""
    mine = np.concatenate([motion[start:stop] for start, stop in clips])
    usual = float(np.median(mine[mine > STILL])) if (mine > STILL).any() else 1.0
    return slits.row_paces(frames, (motion / usual)[:, None], clips, PAIRS) / usual


def _alike(view: View, rows: np.ndarray, other: View, theirs: np.ndarray) -> bool:
    beside = view.kind == other.kind and max(abs(view.x - other.x), abs(view.y - other.y)) <= NEAR
    return beside and float(np.abs(rows - theirs).mean()) <= ALIKE
