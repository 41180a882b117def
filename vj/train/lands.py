"""What enters of the land in prepared footage, what passes before it taken away: one long picture of each stretch, as a photo
finish takes it. From these `vj.model.land` learns what land looks like.

What entered at the leading edge goes on with its row, so it is seen again and again while it crosses the picture. Where a thing
stands before it, which goes at another pace, it is seen before or after. How fast each row's land goes is seen where nothing
passes. Where nothing but the thing is seen, the land on either side is drawn together. Footage that moves up and down too has
none.

Sources: a background is what is seen most often where it should be (median, Massey and Bender 1996); slit-scan.
"""

from collections.abc import Generator
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from vj.model import planes
from vj.model.land import DARK, steady
from vj.model.net import Net
from vj.signals import BANDS, LUMA
from vj.train.moments import Moment, all_lasts, moments
from vj.train.things import REACH, outcome

LATER = (0, 1, 2, 4, 6, 9, 12, 16, 20, 26, 32, 40, 50, 60, 72)  # frames at speed 1 after it entered in which land is looked at
SPREAD, ROOM, EARLY = 2.5, 6.0, 2.0  # of things' paces; px beside them, frames at speed 1 before and after, that are theirs
STEADY = 0.06  # in the mean colour, how far the first look may be from the usual one: it is the sharpest
APART, ASKED, AROUND = (2, 6, 20), 150, 2  # frames at speed 1 between two pictures; how many are asked; rows on either side that
# are smoothed over
CLEAR, BESIDE, ALIKE = 0.1, 1, 1.01  # difference that counts, at most; rows on either side that are asked together; times the
# least that is as good
STILL, FEW = 1.05, 3  # times as good must be that a row stands, for hardly any does; rows on either side that are asked, too
QUICK = 1.0  # px a frame at speed 1: what is slower is not smoothed over, there motions end
GRAINY, FINER, PART = 200, 7, 24  # frames of which the grain is taken; px around whose mean is taken away, px looked at in one go
LEAST = 40  # columns of a stretch
SLOW = 0.25  # share of the rows that are the slowest


Passing = tuple[Moment, float, float]  # a thing, and the slowest and the quickest that those of its band are


@dataclass(frozen=True, slots=True)
class Lands:
    """Stretches of land."""

    pictures: list[torch.Tensor]  # each (SEEN, H, n) float16, in the mean of the rows' median colours; a column `unit` frames
    paces: torch.Tensor  # (H,) px a column of each row's land
    grain: torch.Tensor  # (H, GRAINS) see planes.grained: what of its pixels no column tells
    told: list[torch.Tensor] | None = None  # each (bands, n) 0..1, the entry controls; None: things are not in it
    unit: float = 1.0  # frames at speed 1 of a column; paces are px in one
    lasts: torch.Tensor = field(default_factory=lambda: torch.zeros(len(BANDS)))  # frames at speed 1 that things take to enter
    kinds: torch.Tensor | None = None  # (H,) in which picture each row is, as of Land.slow, where things are in it; None: in one
    others: dict[int, list[torch.Tensor]] = field(default_factory=dict)  # pictures of each other kind


def find(net: Net, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> Lands:
    """The land of frames (N, H, W, 3) uint8 with their controls (N, 6), pieces [(start, stop)...]; of none is anything seen
    beyond its piece. The network knows the bank of motions, and how fast things are (none where it knows no things)."""
    return outcome(taking(net, frames, controls, pieces, seed))


def taking(net: Net, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]],
           seed: int = 0) -> Generator[None, None, Lands]:  # fmt: skip
    """As find, piece by piece."""
    if bool(net.bank[:, 1].any()):
        return Lands([], torch.zeros(frames.shape[1]), torch.zeros(frames.shape[1], planes.GRAINS))
    lasts = all_lasts(controls, pieces)
    known, passing = net.sprites.paces.cpu().numpy(), []
    for piece in pieces:
        every = moments(controls, piece, lasts)
        passing.append([(moment, *_limits(*known[moment.band])) for moment in every if known[moment.band, 0]])
    paces = yield from row_paces(net.bank[:, 0].cpu().numpy(), frames, controls, pieces, passing, seed)
    pictures = []
    for piece, things in zip(pieces, passing, strict=True):
        yield
        picture = _entered(frames, controls, piece, things, paces.numpy())
        if picture is not None:
            pictures.append(picture)
    return Lands(pictures, paces, row_grain(frames, pieces, seed))


def row_paces(bank: np.ndarray, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]],
              passing: list[list[Passing]], seed: int = 0) -> Generator[None, None, torch.Tensor]:  # fmt: skip
    """(H,) px a frame at speed 1 of the land of each row: which of the bank (K,) explains best, over a few frames and over many,
    what stands there where nothing passes; of those that do so alike the slowest. Smooth from row to row where it is quick."""
    H, W = frames.shape[1:3]
    tried = np.unique(bank[bank >= 0])
    long = [each for each, (start, stop) in enumerate(pieces) if controls[start:stop, 0].sum() > APART[-1] + 2]
    if not (long and len(tried)):
        return torch.zeros(H)
    random = np.random.default_rng(seed)
    wrong, counts = np.zeros((2, len(APART), len(tried), H))
    for _ in range(ASKED):
        yield
        chosen = long[random.integers(len(long))]
        start, stop = pieces[chosen]
        gone = np.cumsum(controls[start:stop, 0], dtype=np.float64)
        first = int(random.integers(np.searchsorted(gone, gone[-1] - APART[-1] - 1)))
        before, hidden = _even(frames[start + first]), _hides(passing[chosen], gone, start, first, (H, W))
        for look, apart in enumerate(APART):
            at = int(np.searchsorted(gone, gone[first] + apart))
            now, also = _even(frames[start + at]), _hides(passing[chosen], gone, start, at, (H, W))
            for k, pace in enumerate(tried):
                source = np.arange(W) + pace * (gone[at] - gone[first])
                there = source <= W - 1
                left = np.minimum(source.astype(int), W - 2)[there]
                part = (source[there] - left)[:, None].astype(np.float32)
                moved = before[:, left] * (1 - part) + before[:, left + 1] * part
                land = ~(also[:, there] | hidden[:, left] | hidden[:, left + 1])
                wrong[look, k] += (np.abs(now[:, there] - moved).mean(2).clip(max=CLEAR) * land).sum(1)
                counts[look, k] += land.sum(1)
    wrong = (wrong / np.maximum(counts, 1)).mean(0)
    wrong[(counts == 0).any(0)] = CLEAR
    wrong = cv2.blur(wrong, (2 * BESIDE + 1, 1))
    wrong[tried == 0] *= STILL
    found = tried[(wrong <= ALIKE * wrong.min(0)).argmax(0)].astype(np.float32)
    found = np.median(sliding_window_view(np.pad(found, FEW, "edge"), 2 * FEW + 1), 1)  # a few rows alone never go their own way
    rows = torch.from_numpy(found)
    smooth = rows.clone()
    for row in torch.nonzero(rows > QUICK)[:, 0].tolist():
        beside = rows[max(0, row - AROUND) : row + AROUND + 1]
        smooth[row] = beside[beside > QUICK].mean()
    return smooth


def _even(frame: np.ndarray) -> np.ndarray:
    """A frame (H, W, 3) uint8 in the mean of its rows' median colours."""
    seen = frame.astype(np.float32) / 255
    return seen / np.maximum(np.median(seen[:, ::2], 1).mean(0), DARK)


def _hides(passing: list[Passing], gone: np.ndarray, start: int, at: int, size: tuple[int, int]) -> np.ndarray:
    """Where in a frame, `at` of a piece that starts there, things may stand: bool (H, W)."""
    (H, W), x = size, np.arange(size[1])
    hidden = np.zeros(size, bool)
    for thing in passing:
        top, bottom = (round(share * H) for share in REACH[thing[0].band])
        there, front, end = _extent(thing, gone, start, gone[at], W)
        hidden[top:bottom] |= there & (x >= front) & (x <= end)
    return hidden


def _extent(thing: Passing, gone: np.ndarray, start: int, now: np.ndarray, width: int):
    """Whether a thing of a piece that starts there has come when so much has gone by, now (...), and from where to where, px, it
    may stand then."""
    moment, slowest, quickest = thing
    begun, ended = now - gone[moment.begins - start] + EARLY, now - gone[moment.ends - start] - EARLY
    return begun >= 0, width - quickest * np.maximum(begun, 0) - ROOM, width - slowest * np.maximum(ended, 0) + ROOM


def row_grain(frames: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> torch.Tensor:
    """(H, GRAINS) how strong the grain of each row is, fine and coarse, in the mean of the rows' median colours: by what is left
    when the mean around each pixel is taken away, and how alike that is from pixel to pixel; in most places, for at some
    things stand."""
    random, found = np.random.default_rng(seed), []
    for _ in range(GRAINY if pieces else 0):
        start, stop = pieces[random.integers(len(pieces))]
        luma = frames[int(random.integers(start, stop))].astype(np.float32) @ np.float32(LUMA)
        luma = luma / max(float(np.median(luma[:, ::2], 1).mean()), 255 * DARK)
        fine = (luma - cv2.blur(luma, (FINER, 1)))[:, FINER:-FINER]
        parts = fine[:, : fine.shape[1] // PART * PART].reshape(len(fine), -1, PART)
        found.append(np.stack([np.square(parts).mean(2), (parts[..., 1:] * parts[..., :-1]).mean(2)]))
    if not found:
        return torch.zeros(frames.shape[1], planes.GRAINS)
    found = np.concatenate(found, 2)  # (2, H, N): variance, and that of neighbours
    land = found[0] <= 2 * np.median(found[0], 1, keepdims=True)  # the rest are edges
    usual = (found * land).sum(2) / land.sum(1)
    left = np.eye(1, FINER, FINER // 2)[0] - 1 / FINER  # what taking the mean away does to one pixel
    of_each = [np.correlate(k, k, "full")[len(k) - 1 :][:2] for k in (left, np.convolve(left, np.full(3, 3**-0.5)))]
    shares = np.linalg.solve(np.stack(of_each, 1), usual).clip(min=0)
    alone = usual[0] / np.array([each[0] for each in of_each])[:, None]  # all of one kind, where the other is none
    shares = np.where((shares > 0).all(0), shares, np.where(shares > 0, alone, 0))
    return torch.from_numpy(np.sqrt(shares).T).float()


def _limits(mean: float, spread: float) -> tuple[float, float]:
    """The slowest and the quickest that things are."""
    return max(mean - SPREAD * spread, mean / 2), mean + SPREAD * spread


def _entered(frames, controls, piece, passing: list[Passing], paces: np.ndarray) -> torch.Tensor | None:
    """One stretch; None: too short, or a row of it is never seen."""
    start, stop = piece
    seen, gone = np.asarray(frames[start:stop]), np.cumsum(controls[start:stop, 0], dtype=np.float64)
    long, H, W = int(gone[-1] - gone[0]) - 1, seen.shape[1], seen.shape[2]
    if long < LEAST:
        return None
    light = _light(seen, paces)
    entered, rows = gone[0] + np.arange(long), np.arange(H)
    looks = np.full((len(LATER), long, H, 3), np.nan, np.float32)
    for look, later in zip(looks, LATER, strict=True):
        at = np.searchsorted(gone, entered + later)
        there, at = at < len(gone), np.minimum(at, len(gone) - 1)
        x = W - 1 - paces * (gone[at] - entered)[:, None]
        there = there[:, None] & (x >= 0)
        for thing in passing:
            top, bottom = (round(share * H) for share in REACH[thing[0].band])
            come, front, end = _extent(thing, gone, start, gone[at], W)
            mine = x[:, top:bottom]
            hides = come[:, None] & (mine >= front[:, None]) & (mine <= end[:, None])
            there[:, top:bottom] &= ~hides
        x = np.clip(x, 0, W - 1)
        left = np.minimum(x.astype(int), W - 2)
        part = (x - left)[..., None].astype(np.float32)
        colours = seen[at[:, None], rows, left] * (1 - part) + seen[at[:, None], rows, left + 1] * part
        look[:] = np.where(there[..., None], colours / 255 / light[at][:, None], np.nan)
    return _clear(looks)


def _light(seen: np.ndarray, paces: np.ndarray) -> np.ndarray:
    """In what light each of these frames (N, H, W, 3) uint8 is, (N, 3): from frame to frame it changes as the slowest rows do, in
    which hardly anything enters; in the mean it is that of the rows' median colours."""
    rows = np.maximum(np.median(seen[:, :, ::2], 2) / 255, DARK)
    changes = np.log(rows[:, paces <= np.quantile(paces, SLOW)]).mean(1)
    return np.exp(changes + (np.log(rows.mean(1)) - changes).mean(0)).astype(np.float32)


def _clear(looks: np.ndarray) -> torch.Tensor | None:
    """Of looks (L, n, H, 3), NaN where a thing stood before it: the first that is as is usual, and what lies between where there
    is none; (3, H, n) float16. None: a row is never seen."""
    unseen = np.isnan(looks[..., 0]).all(0)
    if unseen.all(0).any():
        return None
    looks = np.where(unseen[None, ..., None], 0, looks)
    usual = np.nanmedian(looks, 0)
    near = np.abs(looks - usual).max(-1) < STEADY
    first = np.take_along_axis(looks, near.argmax(0)[None, ..., None], 0)[0]
    land = np.where(near.any(0)[..., None], first, usual)
    column = np.arange(len(land))
    for row in np.flatnonzero(unseen.any(0)):
        known = ~unseen[:, row]
        for colour in range(3):
            land[~known, row, colour] = np.interp(column[~known], column[known], land[known, row, colour])
    return steady(torch.from_numpy(land.transpose(2, 1, 0))).half().contiguous()
