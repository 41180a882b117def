"""All that enters in prepared footage, as it enters: a long picture of each stretch, as a photo finish takes it.

Where things cannot be told from the land behind them, because few pass, or because all goes outwards from one point, land is
not learnt apart (vj.train.lands) but with all that stands in it. What comes in at the leading edge is seen there, moment by
moment; when something enters, the entry controls tell, and so the network learns what to bring when it is told to. A short
stretch goes on with its mirror image: it is to have no end.

Sources: slit-scan; dense optical flow by DIS, as in vj.train.measure.
"""

from collections.abc import Generator

import cv2
import numpy as np
import torch

from vj.model import planes
from vj.model.land import DARK
from vj.model.scroll import APART, SLOWEST
from vj.train.lands import LEAST, Lands
from vj.train.moments import all_lasts
from vj.train.things import outcome

PAIRS, PATCH, AROUND = 120, 4, 0.8  # of frames that are looked at; rows whose motion is taken together, and over how many of
# such patches it is smoothed
EDGE, SIDE = (0.75, 0.94), 0.06  # where in the width what has just entered is seen to move; share at either side where none is
MOVES, LATEST, BITS = 0.3, 20.0, 4  # speed that tells; frames at speed 1 after which motion is looked at; frames in one go
MOST = 6000  # frames that are taken, of each stretch its share
ROUGHLY, UNSURE, ALIKE = 2.5, 0.03, 0.2  # rows and columns over which it is smoothed; weight of that all goes as most, and
# times as fast that is alike
STEEP, LASTING = 48.0, 241  # Scharr slope of what can be followed; frames that a light lasts, if it is not to be the things'
USUAL, FINE, FINEST, COARSEST = 0.75, 1.3, 1 / 8, 2.0  # the row that tells how fine columns are to be, px of it in one; frames
DISTINCT, LONG = 160, 640  # columns that there are to be, if need be finer ones; that a stretch and its images are to have


def find(frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> Lands:
    """All that enters frames (N, H, W, 3) uint8 with their controls (N, 6), pieces [(start, stop)...]."""
    return outcome(taking(frames, controls, pieces, seed))


def taking(frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]],
           seed: int = 0) -> Generator[None, None, Lands]:  # fmt: skip
    """As find, bit by bit."""
    share = min(1.0, MOST / max(1, sum(stop - start for start, stop in pieces)))
    pieces = [(start, start + int(share * (stop - start))) for start, stop in pieces]
    paces = yield from _row_paces(frames, controls, pieces, seed)
    gone = float(sum(controls[start:stop, 0].sum() for start, stop in pieces))
    unit = columns_for(paces, gone)
    pictures, told = [], []
    for piece in pieces:
        found = yield from _entered(frames, controls, piece, paces, unit)
        if found is not None:
            pictures.append(found[0])
            told.append(found[1])
    grain = torch.zeros(frames.shape[1], planes.GRAINS)  # it is in the pictures
    lasts = torch.from_numpy(all_lasts(controls, pieces))
    return Lands(pictures, torch.from_numpy(paces * unit), grain, told, unit, lasts)


def columns_for(paces: np.ndarray, gone: float) -> float:
    """Frames at speed 1 of a column, a power of 2, where rows go at these paces (H,) px a frame and so many frames have gone by:
    quick rows lose nothing, and a short clip has enough columns."""
    usual = float(np.quantile(paces[paces >= paces.max() / 4], USUAL))
    unit = 2.0 ** np.round(np.log2(FINE / max(usual, SLOWEST)))
    while gone / unit < DISTINCT and unit > FINEST:
        unit /= 2
    return float(np.clip(unit, FINEST, COARSEST))


def _row_paces(frames, controls, pieces, seed: int) -> Generator[None, None, np.ndarray]:
    """(H,) px a frame at speed 1 to the left that what stands in each row goes mostly, by the median over what can be followed
    around there; where nothing can, as what is nearest, and in the end not at all."""
    H = frames.shape[1]
    moving = np.concatenate([np.arange(start + 1, stop) for start, stop in pieces])
    moving = moving[controls[moving, 0] > MOVES]
    flows, seen = [], []
    for at in np.random.default_rng(seed).permutation(moving)[:PAIRS]:
        yield
        went, there = _goes(frames, controls, at)
        flows.append(went.astype(np.float16))
        seen.append(there)
    paces, sure = np.zeros((2, -(-H // PATCH), 1), np.float32)
    for row in range(len(paces) if flows else 0):
        here = slice(PATCH * row, PATCH * (row + 1))
        mine = np.concatenate([went[here][there[here]] for went, there in zip(flows, seen, strict=True)])
        if len(mine) >= LEAST:
            paces[row], sure[row] = max(float(np.median(mine)), 0), 1
    weight, smooth = (cv2.GaussianBlur(each, (1, 0), sigmaX=1e-3, sigmaY=AROUND) for each in (sure, paces * sure))
    return cv2.resize(smooth / (weight + UNSURE), (1, H), interpolation=cv2.INTER_LINEAR)[:, 0]


def _goes(frames, controls, at: int) -> tuple[np.ndarray, np.ndarray]:
    """How fast what is seen in frame `at` goes to the left, (H, W) px a frame at speed 1, and where that can be seen,
    bool (H, W): not at the edges."""
    before, now = (cv2.cvtColor(np.ascontiguousarray(frames[each]), cv2.COLOR_RGB2GRAY) for each in (at - 1, at))
    went = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(now, before, None)[..., 0]
    there = np.abs(cv2.Scharr(now, cv2.CV_32F, 1, 0)) > STEEP
    side = round(SIDE * now.shape[1])
    there[:, :side] = there[:, -side:] = False
    return went / max(float(controls[at, 0]), MOVES), there


def _entered(frames, controls, piece, paces: np.ndarray, unit: float) -> Generator[None, None, tuple | None]:
    """One stretch (SEEN, H, n) float16 and what was told meanwhile (3, n); None: too short."""
    start, stop = piece
    if stop - start < 2:
        return None
    seen, gone = np.asarray(frames[start:stop]), np.cumsum(controls[start:stop, 0], dtype=np.float64)
    long = int((gone[-1] - gone[0]) / unit)
    if long < LEAST:
        return None
    entered = gone[0] + unit * np.arange(long)
    at = np.searchsorted(gone, entered)
    x = (seen.shape[2] - 1 - paces * (gone[at] - entered)[:, None]).clip(min=0)
    left = np.minimum(x.astype(int), seen.shape[2] - 2)
    part, rows = (x - left)[..., None].astype(np.float32), np.arange(seen.shape[1])
    colours = seen[at[:, None], rows, left] * (1 - part) + seen[at[:, None], rows, left + 1] * part
    colours = colours / 255 / _light(seen)[at][:, None]
    apart = yield from _apart(frames, controls, piece, paces, entered, gone)
    picture = torch.from_numpy(np.concatenate([colours, apart[..., None]], 2).transpose(2, 1, 0).astype(np.float16))
    told = torch.from_numpy(controls[start:stop, 1:4][at].T.astype(np.float32))
    ways = [(picture, told), (picture.flip(2), told.flip(1))]
    pictures, every = zip(*(ways[each % 2] for each in range(-(-LONG // long))), strict=True)
    return torch.cat(pictures, 2).contiguous(), torch.cat(every, 1).clamp(0, 1).contiguous()


def _light(seen: np.ndarray) -> np.ndarray:
    """In what light these frames (N, H, W, 3) uint8 are, (N, 3): by the mean of the rows' median colours, for some time."""
    rows = np.maximum(np.median(seen[:, :, ::2], 2).mean(1) / 255, DARK).astype(np.float32)
    long = min(LASTING, len(rows))
    return cv2.blur(rows, (1, long), borderType=cv2.BORDER_REFLECT_101) if long > 1 else rows


def _apart(frames, controls, piece, paces: np.ndarray, entered: np.ndarray,
           gone: np.ndarray) -> Generator[None, None, np.ndarray]:  # fmt: skip
    """How fast what entered in each row at these moments (n,) goes, times what most in its row does, (n, H): a thing is one,
    whatever rows it stands in. Where nothing can be followed, as what is around, or as most."""
    (start, stop), W = piece, frames.shape[2]
    inside = ((1 - EDGE[1]) * W + 1) / np.maximum(paces, SLOWEST)  # frames at speed 1 until it is where that is seen
    at = np.searchsorted(gone, entered[:, None] + np.minimum(inside, LATEST))
    known, at = (at < len(gone)) & (paces > SLOWEST), np.minimum(at, len(gone) - 1)
    x = np.round(W - 1 - paces * (gone[at] - entered[:, None])).astype(int)
    known &= (x >= EDGE[0] * W) & (x < EDGE[1] * W)
    x, apart = x.clip(0, W - 1), np.ones(at.shape, np.float32)
    for frame in range(1, stop - start):
        here = known & (at == frame)
        if here.any():
            went, there = _goes(frames, controls, start + frame)
            column, row = np.nonzero(here)
            mine = x[column, row]
            apart[column, row] = (went[row, mine] / np.maximum(paces[row], SLOWEST)).clip(*APART)
            known[column, row] = there[row, mine]
        if frame % BITS == 0:
            yield
    known = known.astype(np.float32)
    weight, smooth = (cv2.GaussianBlur(each, (0, 0), sigmaX=ROUGHLY, sigmaY=ROUGHLY) for each in (known, known * apart))
    apart = (smooth + UNSURE) / (weight + UNSURE)
    return np.where(np.abs(apart - 1) < ALIKE, 1, apart)
