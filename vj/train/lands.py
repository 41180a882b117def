"""What enters of the land in prepared footage, what passes before it taken away: one long picture of each stretch, as a photo
finish takes it. From these `vj.model.land` learns what land looks like.

What entered at the leading edge goes on with its row, so it is seen again and again while it crosses the picture. Where a thing
stands before it, which goes at another pace, it is seen before or after; how fast each row's land goes the trunk knows. Where
nothing but the thing is seen, the land on either side is drawn together. Footage that moves up and down too has none.

Sources: a background is what is seen most often where it should be (median, Massey and Bender 1996); slit-scan.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from vj.model import planes
from vj.model import world as worlds
from vj.model.land import DARK
from vj.model.net import CODE_DIMS, HISTORY, Net
from vj.signals import BANDS
from vj.train.things import REACH, Moment, band_lasts, moments

LATER = (0, 1, 2, 4, 6, 9, 12, 16, 20, 26, 32, 40, 50, 60, 72)  # frames at speed 1 after it entered in which land is looked at
SPREAD, ROOM, EARLY = 2.5, 6.0, 2.0  # of things' paces; px beside them, frames at speed 1 before and after, that count as theirs
STEADY = 0.06  # in the mean colour, how far the first look may be from the usual one: it is the sharpest
AT_ONCE, ASKED, AROUND = 8, 12, 2  # worlds that the trunk is asked about, how often, rows on either side that are smoothed over
QUICK = 1.0  # px a frame at speed 1: what is slower is not smoothed over, there motions end
GRAINY, FINER, PART = 200, 7, 24  # frames of which the grain is taken; px around whose mean is taken away, px looked at in one go
LUMA = np.float32((0.299, 0.587, 0.114))
LEAST = 40  # columns of a stretch
SLOW = 0.25  # share of the rows that are the slowest


@dataclass(frozen=True, slots=True)
class Lands:
    """Stretches of land."""

    pictures: list[torch.Tensor]  # each (3, H, n) float16, in the mean of the rows' median colours; a column a frame at speed 1
    paces: torch.Tensor  # (H,) px a frame at speed 1 of each row's land
    grain: torch.Tensor  # (H, GRAINS) see planes.grained: what of its pixels no column tells


def find(net: Net, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> Lands:
    """The land of frames (N, H, W, 3) uint8 with their controls (N, 6), pieces [(start, stop)...]; of none is anything seen
    beyond its piece. The network knows the motions, and how fast things are (none where it knows no things)."""
    paces = row_paces(net, frames, controls, pieces, seed)
    if bool(net.bank[:, 1].any()):
        return Lands([], paces, torch.zeros(len(paces), planes.GRAINS))
    lasts = np.array([band_lasts(controls, pieces, band) for band in range(len(BANDS))], np.float32)
    known = net.sprites.paces.cpu().numpy()
    pictures = []
    for piece in pieces:
        passing = [(moment, *_limits(*known[moment.band])) for moment in moments(controls, piece, lasts) if known[moment.band, 0]]
        picture = _entered(frames, controls, piece, passing, paces.numpy())
        if picture is not None:
            pictures.append(picture)
    return Lands(pictures, paces, row_grain(frames, pieces, seed))


@torch.inference_mode()
def row_paces(net: Net, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> torch.Tensor:
    """(H,) px a frame at speed 1 of what most of each row is, as the trunk takes it; smooth from row to row where it is quick."""
    random, found, depth, device = np.random.default_rng(seed), [], HISTORY[-1] + 1, net.bank.device
    pieces = [(start, stop) for start, stop in pieces if stop - start > depth + 1]
    for _ in range(ASKED if pieces else 0):
        chosen = [pieces[each] for each in random.integers(len(pieces), size=AT_ONCE)]
        now = [int(random.integers(start + depth - 1, stop - 1)) for start, stop in chosen]
        seen = torch.from_numpy(np.stack([[frames[at - back] for at in now] for back in range(depth)])).float() / 255
        speeds = torch.from_numpy(np.stack([controls[at - np.arange(depth), 0] for at in now])).float()
        world = worlds.begin(net, tuple(seen.permute(0, 1, 4, 2, 3).to(device)), speeds.to(device))
        told = torch.from_numpy(np.stack([controls[at + 1] for at in now])).float()
        code = torch.zeros(AT_ONCE, CODE_DIMS, net.config.rows, device=device)
        carried = worlds.carry(net, world, told.to(device), code, torch.zeros(AT_ONCE, device=device))
        found.append(net.bank[:, 0][carried.classes].cpu())
    if not found:
        return torch.zeros(net.config.height)
    rows = torch.cat(found).transpose(0, 1).flatten(1).median(1).values
    smooth = rows.clone()
    for row in torch.nonzero(rows > QUICK)[:, 0].tolist():
        beside = rows[max(0, row - AROUND) : row + AROUND + 1]
        smooth[row] = beside[beside > QUICK].mean()
    return smooth


def row_grain(frames: np.ndarray, pieces: list[tuple[int, int]], seed: int = 0) -> torch.Tensor:
    """(H, GRAINS) how strong the grain of each row is, fine and coarse, in the mean of the rows' median colours: by what is left
    when the mean around each pixel is taken away, and how alike that is from pixel to pixel; in most places, for at some
    things stand."""
    random, found = np.random.default_rng(seed), []
    for _ in range(GRAINY if pieces else 0):
        start, stop = pieces[random.integers(len(pieces))]
        luma = frames[int(random.integers(start, stop))].astype(np.float32) @ LUMA
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


def _entered(frames, controls, piece, passing: list[tuple[Moment, float, float]], paces: np.ndarray) -> torch.Tensor | None:
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
        for moment, slowest, quickest in passing:
            top, bottom = (round(share * H) for share in REACH[moment.band])
            begun, ended = gone[at] - gone[moment.begins - start] + EARLY, gone[at] - gone[moment.ends - start] - EARLY
            front, end = W - quickest * np.maximum(begun, 0) - ROOM, W - slowest * np.maximum(ended, 0) + ROOM
            hides = (begun >= 0)[:, None] & (x[:, top:bottom] >= front[:, None]) & (x[:, top:bottom] <= end[:, None])
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
    return torch.from_numpy(land.transpose(2, 1, 0)).half().contiguous()
