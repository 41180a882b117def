"""All that enters in prepared footage, as it enters: a long picture of each stretch, as a photo finish takes it.

Where things cannot be told from the land behind them, because few pass, or because all goes outwards from one point, land is
not learnt apart (vj.train.lands) but with all that stands in it. What comes in is seen at the leading edge, or at the first place
where it goes as its row does, moment by moment; when something enters, the entry controls tell, and so the network learns what to
bring when it is told to. What is in sight at first has entered before, if it goes as all does. A short stretch goes on with its
mirror image: it is to have no end.

In a clip of seconds hardly anything of what is far enters: rows that are slow have a picture of their own, of longer columns, in
which what is in sight at first has its place.

Sources: slit-scan; dense optical flow by DIS, as in vj.train.measure.
"""

from collections.abc import Generator

import cv2
import numpy as np
import torch

from vj.model import planes
from vj.model.land import DARK, LONG, steady
from vj.model.latents import CELL
from vj.model.scroll import SLOWEST
from vj.signals import BANDS, LUMA
from vj.train.lands import LEAST, Lands
from vj.train.measure import EDGE as STRIP
from vj.train.moments import all_lasts
from vj.train.things import outcome

PAIRS, PATCH, AROUND = 120, 4, 0.8  # of frames that are looked at; rows whose motion is taken together, and over how many of
# such patches it is smoothed
SIDE = 0.06  # share of the width at either side in which no motion is seen
MOVES, LATEST = 0.3, 20  # speed that tells; frames, after which a stretch has begun
MOST = 6000  # frames that are taken, of each stretch its share
UNSURE = 0.03  # weight of that nothing moves, where nothing is seen to
STEEP, LASTING = 48.0, 241  # Scharr slope of what can be followed; frames that a light lasts, if it is not to be the things'
USUAL, FINE, FINEST, COARSEST = 0.75, 1.3, 1 / 8, 2.0  # the row that tells how fine columns are to be, px of it in one; frames
DISTINCT, WHOLE = 160, 640  # columns that there are to be, if need be finer ones; that a stretch and its images are to have
SLOWER, STANDS, FEW = 0.25, 0.004, 6  # px a column, slower than which rows are in the picture of a slower kind, and stand; rows
# that are worth a picture
EARLIER, RAN_OUT = 320, 0.8  # columns of what is in sight at first, at most; of the rows, so many have run out by then, or fewer
LIKE, MOSTLY, BESIDE, ENOUGH = (0.3, 0.5), 0.5, 12, 0.15  # px a frame and share of the pace that what goes as its row may go
# otherwise; how much of what is in sight at first must, over how many columns on either side, and of how much of them this counts
LAYER = (0.15, 0.02)  # of the rows, what a layer costs, and one of rays
EXACTLY, FAR_OFF = (0.1, 0.2), 4.0  # px a frame and share of a pace by which a row is off by 1; by how much it is, at most
QUICK, STRETCH, WELL = 4, 0.1, 0.85  # share of the quickest pace that is quick; of the width, what is asked together; as good as
# the best, of what goes as its row
FIRST = 3  # frames of a stretch in which that is looked at
USUALLY = (0.1, 0.95)  # quantiles of the slopes at the edge that are told as 0 and 1, as in vj.train.measure


def find(frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], rays: bool = False, seed: int = 0) -> Lands:
    """All that enters frames (N, H, W, 3) uint8 with their controls (N, 6), pieces [(start, stop)...]; rays: rows go out from a
    point, see vj.view."""
    return outcome(taking(frames, controls, pieces, rays, seed))


def taking(frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], rays: bool = False,
           seed: int = 0) -> Generator[None, None, Lands]:  # fmt: skip
    """As find, bit by bit."""
    if not pieces:
        return Lands([], torch.zeros(frames.shape[1]), torch.zeros(frames.shape[1], planes.GRAINS), [])
    share = min(1.0, MOST / max(1, sum(stop - start for start, stop in pieces)))
    pieces = [(start, start + int(share * (stop - start))) for start, stop in pieces]
    flows, seen = yield from _looked(frames, controls, pieces, PAIRS, seed)
    paces = in_layers(_row_paces(flows, seen), LAYER[rays] * frames.shape[1], 1 if rays else CELL)
    wide = _edge(flows, seen, paces) + 1
    gone = float(sum(controls[start:stop, 0].sum() for start, stop in pieces))
    unit = columns_for(paces, gone)
    kinds = kinds_of(paces * unit)
    found = {int(kind): ([], []) for kind in np.unique(kinds)}
    for piece in pieces:
        fits = yield from _fits(frames, controls, piece, paces)
        yield
        light = _light(frames[slice(*piece)])
        for kind, (pictures, told) in found.items():
            column, mine = unit * LONG**kind, kinds == kind
            before = _before(fits[:, :wide], paces * column, mine, kind > 0)
            least = max(1, LEAST // LONG**kind, LEAST - before)
            entered = _entered(frames[:, :, :wide], controls, piece, paces, column, before, least, light)
            if entered is None:
                continue
            picture, then = entered
            if kind == 0:  # what nobody told
                unknown = before if wide == frames.shape[2] else picture.shape[2]
                then[:, :unknown] = _as_told(picture, paces * unit, then, before, frames.shape[2])[:, :unknown]
            pictures.append(_endless(picture))
            told.append(_endless(then).clamp(0, 1))
    pictures, told = found.pop(0)
    for kind, (slow, _) in found.items():
        kinds[(kinds == kind) & (not slow)] = 0
    grain = torch.zeros(frames.shape[1], planes.GRAINS)  # it is in the pictures
    lasts = torch.from_numpy(all_lasts(controls, pieces))
    others = {kind: slow for kind, (slow, _) in found.items() if slow}
    return Lands(pictures, torch.from_numpy(paces * unit), grain, told, unit, lasts, torch.from_numpy(kinds), others)


def of_scenes(frames, controls, pieces: list[tuple[int, int]], scenes) -> Generator[None, None, list[Lands]]:
    """As taking, of each of these vj.train.scenes.Scene."""
    found = []
    for scene in scenes:
        found.append((yield from taking(frames, controls, scene.within(pieces), scene.view.is_round)))
    return found


def columns_for(paces: np.ndarray, gone: float) -> float:
    """Frames at speed 1 of a column, a power of 2, where rows go at these paces (H,) px a frame and so many frames have gone by:
    quick rows lose nothing, and a short clip has enough columns."""
    usual = float(np.quantile(paces[paces >= paces.max() / 4], USUAL))
    unit = 2.0 ** np.round(np.log2(FINE / max(usual, SLOWEST)))
    while gone / unit < DISTINCT and unit > FINEST:
        unit /= 2
    return float(np.clip(unit, FINEST, COARSEST))


def row_paces(frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]], pairs: int, seed: int = 0) -> np.ndarray:
    """(H,) px a frame at speed 1 to the left that most of each row of frames (N, H, W, 3) uint8 goes, by so many pairs of them;
    of controls (N, 1..) only the speed is asked."""
    return _row_paces(*outcome(_looked(frames, controls, pieces, pairs, seed)))


def _looked(frames, controls, pieces, pairs: int, seed: int) -> Generator[None, None, tuple[np.ndarray, np.ndarray]]:
    """How some frames go, and where that can be seen, as _goes says: both (n, H, W)."""
    moving = np.concatenate([np.arange(start + 1, stop) for start, stop in pieces])
    moving = moving[controls[moving, 0] > MOVES]
    flows, seen = [], []
    for at in np.random.default_rng(seed).permutation(moving)[:pairs]:
        yield
        went, there = _goes(frames, controls, at)
        flows.append(went.astype(np.float16))
        seen.append(there)
    empty = np.zeros((0, *frames.shape[1:3]))
    return np.array(flows, np.float16) if flows else empty, np.array(seen) if seen else empty.astype(bool)


def _row_paces(flows: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(H,) px a frame at speed 1 to the left that what stands in each row goes mostly, by the median over what can be followed
    around there; where nothing can, as what is nearest, and in the end not at all."""
    H = flows.shape[1]
    paces, sure = np.zeros((2, -(-H // PATCH), 1), np.float32)
    for row in range(len(paces)):
        here = slice(PATCH * row, PATCH * (row + 1))
        mine = flows[:, here][seen[:, here]]
        if len(mine) >= LEAST:
            paces[row], sure[row] = max(float(np.median(mine)), 0), 1
    weight, smooth = (cv2.GaussianBlur(each, (1, 0), sigmaX=1e-3, sigmaY=AROUND) for each in (sure, paces * sure))
    return cv2.resize(smooth / (weight + UNSURE), (1, H), interpolation=cv2.INTER_LINEAR)[:, 0]


def _edge(flows: np.ndarray, seen: np.ndarray, paces: np.ndarray) -> int:
    """The column at which what goes by is looked at: the last but for those at which fewer things are seen to go as their rows
    do. Where all grows out of a point at the leading edge, or cars that one drives beside stand there, hardly anything does."""
    quick, wide = paces > paces.max() / QUICK, flows.shape[2]
    fits = np.abs(flows[:, quick] - paces[quick, None]) < _tolerance(paces[quick, None])
    beside = np.ones(round(STRETCH * wide))
    there, fit = (np.convolve(each.sum((0, 1)), beside, "same") for each in (seen[:, quick], fits & seen[:, quick]))
    share = np.where(there >= ENOUGH * there.max(), fit / np.maximum(there, 1), 0)
    good = np.flatnonzero(share >= WELL * share.max())
    return int(good[-1]) if len(good) and good[-1] < (1 - STRETCH) * wide else wide - 1


def _tolerance(paces: np.ndarray) -> np.ndarray:
    """px a frame that what goes as its row may be off."""
    return np.maximum(LIKE[0], LIKE[1] * paces)


def in_layers(paces: np.ndarray, each: float, tall: int) -> np.ndarray:
    """Paces (H,) px a frame -> such that go in layers, each of one pace, the median of its rows, and from a multiple of so many
    rows on: what stands in a layer keeps its shape. As many as pay: the least sum of what rows are off, in shares of how exactly
    a pace is seen, and of what each layer costs (the optimal partition, Fisher 1958)."""
    H = len(paces)
    cuts = [*range(0, H, tall), H]
    best, came = {0: 0.0}, {}
    for stop in cuts[1:]:
        ways = []
        for start in cuts[: cuts.index(stop)]:
            middle = np.median(paces[start:stop])
            off = np.abs(paces[start:stop] - middle) / (EXACTLY[0] + EXACTLY[1] * middle)
            ways.append((best[start] + each + off.clip(max=FAR_OFF).sum(), start))
        best[stop], came[stop] = min(ways)
    layered, stop = paces.copy(), H
    while stop:
        start = came[stop]
        layered[start:stop] = np.median(paces[start:stop])
        stop = start
    return layered


def _goes(frames, controls, at: int) -> tuple[np.ndarray, np.ndarray]:
    """How fast what is seen in frame `at` goes to the left, (H, W) px a frame at speed 1, and where that can be seen,
    bool (H, W): not at the edges."""
    before, now = (cv2.cvtColor(np.ascontiguousarray(frames[each]), cv2.COLOR_RGB2GRAY) for each in (at - 1, at))
    went = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(now, before, None)[..., 0]
    there = np.abs(cv2.Scharr(now, cv2.CV_32F, 1, 0)) > STEEP
    side = round(SIDE * now.shape[1])
    there[:, :side] = there[:, -side:] = False
    return went / max(float(controls[at, 0]), MOVES), there


def kinds_of(paces: np.ndarray) -> np.ndarray:
    """In which picture rows are that go at these paces (H,) px a column, as of Land.slow: float32 (H,). The quickest are of kind
    0, and all below the first of them: where what is far is above. A kind of few rows goes with the quicker ones, as do rows
    that stand: nothing enters there."""
    kinds = np.ceil(np.log(SLOWER / np.maximum(paces, STANDS)) / np.log(LONG) - 1e-4).clip(0)
    kinds[np.argmin(kinds) :] = 0
    slow = kinds * (paces > STANDS)
    kinds = np.minimum(kinds, slow.max())
    for kind in range(int(kinds.max()), 0, -1):
        if (kinds == kind).sum() < FEW:
            kinds[kinds == kind] -= 1
    return kinds.astype(np.float32)


def _fits(frames, controls, piece: tuple[int, int], paces: np.ndarray) -> Generator[None, None, np.ndarray]:
    """Where it is seen, in the first frames of a stretch, that what stands there goes as its row does, 1, or that it does not, 0:
    what stands behind a train that is to come has not entered before. Float32 (H, W), NaN where nothing can be followed."""
    start, stop = piece
    moving = start + 1 + np.flatnonzero(controls[start + 1 : stop, 0] > MOVES)[:FIRST]
    moving = moving[moving - start <= LATEST]
    seen, fits = np.zeros((2, *frames.shape[1:3]), np.float32)
    if not len(moving):
        return fits
    for at in moving:
        yield
        went, there = _goes(frames, controls, at)
        likely = np.abs(went - paces[:, None]) < _tolerance(paces[:, None])
        seen, fits = seen + there, fits + (there & likely)
    return np.where(seen > 0, fits / np.maximum(seen, 1), np.nan).astype(np.float32)


def _before(fits: np.ndarray, paces: np.ndarray, mine: np.ndarray, slow: bool) -> int:
    """Columns of a picture of these rows, mine bool (H,), that have entered before a stretch begins: what is in sight at first,
    until most rows have run out, or, if they are not slow, what stands there does not go as they do. paces (H,) px a column."""
    pace, wide = float(np.quantile(paces[mine], RAN_OUT)), fits.shape[1]
    columns = min(EARLIER, int((wide - 1) / max(pace, SLOWEST)))
    if slow or columns <= 2 * BESIDE:
        return columns if slow else 0
    x = np.round(_there(wide, paces[mine] * np.arange(1, columns + 1)[:, None])).astype(int)
    there = fits[mine][np.arange(mine.sum()), x]  # (columns, rows)
    known, around = np.isfinite(there), np.ones(2 * BESIDE + 1)
    seen, fit = (np.convolve(each.sum(1), around, "same") for each in (known, np.where(known, there, 0)))
    amiss = np.flatnonzero((fit < MOSTLY * seen) & (seen > ENOUGH * len(around) * mine.sum()))
    found = int(amiss[0]) if len(amiss) else columns
    return found if found > BESIDE else 0


def _entered(frames, controls, piece, paces: np.ndarray, unit: float, before: int, least: int, light) -> tuple | None:
    """One stretch (SEEN, H, n) float16 and what was told meanwhile (3, n), a column `unit` frames; None: fewer than least enter.
    before: columns of what is in sight at first, of which is told what is told in the first frame."""
    start, stop = piece
    if stop - start < 2:
        return None
    seen, gone = np.asarray(frames[start:stop]), np.cumsum(controls[start:stop, 0], dtype=np.float64)
    long = int((gone[-1] - gone[0]) / unit)
    if long < least:
        return None
    long += before
    entered = gone[0] + unit * (np.arange(long) - before)
    at = np.searchsorted(gone, entered)
    x = _there(seen.shape[2], paces * (gone[at] - entered)[:, None])
    left = np.minimum(x.astype(int), seen.shape[2] - 2)
    part, rows = (x - left)[..., None].astype(np.float32), np.arange(seen.shape[1])
    colours = seen[at[:, None], rows, left] * (1 - part) + seen[at[:, None], rows, left + 1] * part
    colours = colours / 255 / light[at][:, None]
    picture = steady(torch.from_numpy(colours.transpose(2, 1, 0).astype(np.float16)))
    return picture, torch.from_numpy(controls[start:stop, 1:4][at].T.astype(np.float32))


def _endless(stretch: torch.Tensor) -> torch.Tensor:
    """What stands in columns (..., n), and its mirror image, and so on."""
    ways = stretch, stretch.flip(-1)
    return torch.cat([ways[each % 2] for each in range(-(-WHOLE // stretch.shape[-1]))], -1).contiguous()


def _there(wide: int, gone: np.ndarray) -> np.ndarray:
    """Where in the width, 0..wide - 1, what has gone so many px since it entered is seen; what would have left, in the mirror."""
    return np.abs(gone % (2 * (wide - 1)) - (wide - 1))


def _as_told(picture: torch.Tensor, paces: np.ndarray, told: torch.Tensor, before: int, wide: int) -> torch.Tensor:
    """What would have been told of the columns of a picture (SEEN, H, n), (3, n): how steep it is at the edge in each band, as in
    vj.train.measure, in the scale of what was told, (3, n), but of the first ones. paces (H,) px a column."""
    luma = np.tensordot(np.float32(LUMA), picture[:3].float().numpy(), 1)
    rows, steep = paces > SLOWER, np.zeros((len(BANDS), luma.shape[1]), np.float32)
    power = np.square(np.diff(luma, axis=1, prepend=luma[:, :1]) / np.maximum(paces, SLOWER)[:, None])
    for row in np.flatnonzero(rows):
        power[row] = cv2.blur(power[row, None], (2 * round(STRIP * wide / paces[row] / 2) + 1, 1))[0]
    for band, (top, bottom) in enumerate(BANDS):
        mine = rows & (np.arange(len(rows)) >= round(top * len(rows))) & (np.arange(len(rows)) < round(bottom * len(rows)))
        if mine.any():
            steep[band] = np.sqrt(power[mine].mean(0).clip(min=0))
    low, high = np.quantile(steep[:, before:], USUALLY, axis=1)
    likely = (steep - low[:, None]) / np.maximum(high - low, 1e-6)[:, None]
    return torch.from_numpy(likely.clip(0) * np.quantile(told[:, before:].numpy(), USUALLY[1], axis=1)[:, None]).float()


def _light(seen: np.ndarray) -> np.ndarray:
    """In what light these frames (N, H, W, 3) uint8 are, (N, 3): by the mean of the rows' median colours, for some time."""
    rows = np.maximum(np.median(seen[:, :, ::2], 2).mean(1) / 255, DARK).astype(np.float32)
    long = min(LASTING, len(rows))
    return cv2.blur(rows, (1, long), borderType=cv2.BORDER_REFLECT_101) if long > 1 else rows
