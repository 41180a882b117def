"""Things cut out of prepared footage: how each looks when all of it has entered, which pixels are its own, how fast it passes.

Where one begins and ends, its band's entry control tells (vj.train.moments). What is its own, motion tells: it stands out from
its row and from what lies beside it, and is explained by the thing's motion better than by any much slower or faster one. From
these `vj.model.sprites` learns how things look. Footage in which nothing enters at the right, or that moves up and down too, has
none.

Sources: layers told apart by their motion (Wang and Adelson 1994); of what is connected only what has enough sure pixels
counts (hysteresis, Canny 1986).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import torch

from vj.model.planes import box
from vj.model.sprites import LEAST, Sprites, scene
from vj.signals import BANDS
from vj.train.moments import Moment, all_lasts, moments

REACH = ((0.0, 0.46), (0.3, 0.72), (0.0, 1.0))  # where a band's things are: (top, bottom), shares of the height
MOVES = 0.2  # px a frame at speed 1, the least that counts as moving
PACES = (1 / 3, 2.5)  # of what is usual in its band, what a thing's pace may be
# In the picture's mean colour: how far a thing's colours are from those of its row, clearly, glaringly, and at all.
STANDS_OUT, GLARING, FAINT = 0.12, 0.35, 0.09
LIKELY, KEPT = 4, 600  # paces that are looked into; frames that are kept
TIMES, LOOKS, FARTHEST, MARGIN = 10, 5, 0.25, 2  # at which a passage is looked at, at least; px that it must go; px left of it
FINER, TRIES = 0.12, 17  # paces beside a class's that are tried
UNSTEADY, NOISE, MOSTLY = 0.35, 0.02, 0.7  # how much of that colour, and how much anyway, what is its own may change, mostly
EDGE, LOOSE = 0.5, 0.8  # of how far it is off beside them, where its edges are its own; how much of that may change there
EARLIER = (4, 12)  # px by which a thing may have entered before that is noticed; the more where it goes on to the left
AROUND = 14  # px on either side that are what lies beside
FEWEST, GROUND = 6, 0.2  # px of a piece; share of its height that what stands beside it may stand lower or higher
LEVEL, BIT = 0.09, 0.3  # of the height, how far from most a thing may stand; of most things' size, what is but a bit of one
HOLE, OTHERWISE = 60, 0.03  # px of a hole in it that is its own if it looks otherwise than its row
DARK = 0.05  # mean of a colour, 0..1, below which a picture is taken for black
TRIED = 200  # moments of a band by which its usual pace is found
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Things:
    """N things, each on the canvas of Sprites."""

    colours: torch.Tensor  # (N, 3, tall, wide) float16, in the picture's mean colour, 0 where it is not its own
    belongs: torch.Tensor  # (N, tall, wide) bool
    bands: torch.Tensor  # (N,) int64
    paces: torch.Tensor  # (N,) px a frame at speed 1
    strengths: torch.Tensor  # (N,) greatest entry control
    land: torch.Tensor  # (N, 3 * bands), as of sprites.scene
    lasts: torch.Tensor  # (bands,) frames at speed 1 that most take to enter

    def some(self, which: torch.Tensor) -> "Things":
        """These of them (n,)."""
        parts = (self.colours, self.belongs, self.bands, self.paces, self.strengths, self.land)
        return Things(*(part[which] for part in parts), self.lasts)

    @property
    def wide(self) -> torch.Tensor:
        """(N,) px from the first to the last column."""
        columns = torch.arange(1, self.belongs.shape[2] + 1)
        return (self.belongs.any(1) * columns).amax(1).float()


def find(net: Sprites, bank: torch.Tensor, frames: np.ndarray, controls: np.ndarray, pieces: list[tuple[int, int]]) -> Things:
    """All that can be cut out of frames (N, H, W, 3) uint8 with their controls (N, 6); of no thing is anything seen beyond its
    piece, pieces [(start, stop)...]. bank (K, 2) px a frame at speed 1."""
    return outcome(cutting(net, bank, frames, controls, pieces))


def outcome(work: Generator[None, None, T]) -> T:
    """What comes of work that is done bit by bit, done at once."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def cutting(net: Sprites, bank: torch.Tensor, frames: np.ndarray, controls: np.ndarray,
            pieces: list[tuple[int, int]]) -> Generator[None, None, Things]:  # fmt: skip
    """As find, thing by thing."""
    lasts = all_lasts(controls, pieces)
    cut, entered = [], []
    if not bank[:, 1].any():
        scissors = _Scissors(net, bank[:, 0].cpu().numpy(), frames, controls)
        every = [moment for piece in pieces for moment in moments(controls, piece, lasts)]
        for band in range(len(BANDS)):
            of_band = [moment for moment in every if moment.band == band]
            usual = scissors.usual(of_band)
            for moment in of_band if usual else ():
                yield
                found = scissors.cut(moment, usual)
                if found is not None:
                    cut.append(found)
                    entered.append(moment)
    strengths = [float(controls[m.begins : m.ends + 1, 1 + m.band].max()) for m in entered]
    bands = torch.tensor([m.band for m in entered], dtype=torch.int64)
    colours, belongs, paces, land = zip(*cut, strict=True) if cut else ([], [], [], [])
    if not cut:
        none, no = torch.zeros(0, 3, net.tall, net.wide), torch.zeros(0)
        return Things(none, none[:, 0] > 0, bands, no, no, torch.zeros(0, 3 * len(BANDS)), torch.from_numpy(lasts))
    parts = torch.stack(colours), torch.stack(belongs), bands, torch.tensor(paces), torch.tensor(strengths), torch.stack(land)
    things = Things(*parts, torch.from_numpy(lasts))
    return things.some(torch.nonzero(_whole(things))[:, 0])


def _whole(things: Things) -> torch.Tensor:
    """(N,) whether each is a thing and no bit of one: it stands where most of its band do, and is not much smaller."""
    sizes = things.belongs.sum((1, 2)).float()
    rows = torch.arange(1, things.belongs.shape[1] + 1)
    lowest = (things.belongs.any(2) * rows).amax(1).float()
    whole = torch.zeros(len(sizes), dtype=torch.bool)
    for band in things.bands.unique():
        mine = things.bands == band
        stands = (lowest - lowest[mine].median()).abs() <= LEVEL * len(rows)
        whole |= mine & stands & (sizes >= BIT * sizes[mine].median())
    return whole


class _Scissors:
    """Cuts things out of frames."""

    def __init__(self, net: Sprites, bank: np.ndarray, frames: np.ndarray, controls: np.ndarray):
        self.net, self.bank, self.frames = net, bank, frames
        self.gone = np.cumsum(controls[:, 0], dtype=np.float64)  # within a piece alone its differences mean something
        self.moving = np.flatnonzero(bank >= MOVES)
        self._seen: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # of the last frames asked for

    def usual(self, moments: list[Moment]) -> float:
        """The pace that most of these have, px a frame at speed 1; 0: there are none."""
        some = moments[:: max(1, len(moments) // TRIED)]
        paces = [self._paces(_Look(self, moment), self.moving)[0] for moment in some]
        return float(np.median(paces)) if paces else 0.0

    def cut(self, moment: Moment, usual: float):
        """(colours, belongs, pace, land) of Things, of one; None: there is nothing to be seen. usual: the pace of most."""
        low, high = (usual * share for share in PACES)
        look, best, seen = _Look(self, moment), 0.0, None
        for pace in self._paces(look, np.flatnonzero((self.bank >= low) & (self.bank <= high)))[:LIKELY]:
            passage = _Passage(self, look, pace)
            if len(passage.times) >= LOOKS:
                passage.fit()
                clear = passage.clear()
                if clear > best:
                    best, seen = clear, passage
        if seen is None:
            return None
        belongs = seen.belongs()
        if belongs[:, 0].sum() >= LEAST:
            wider = _Passage(self, look, seen.pace, EARLIER[1])
            if len(wider.times) >= LOOKS:
                wider.fit()
                seen, belongs = wider, wider.belongs()
        columns = np.flatnonzero(belongs.sum(0) >= LEAST)
        if not len(columns):
            return None
        first, last = int(columns[0]), int(columns[-1]) + 1
        last = min(last, first + self.net.wide)
        whole = torch.zeros(self.net.tall, self.net.wide, dtype=bool)
        whole[: len(belongs), : last - first] = torch.from_numpy(belongs[:, first:last])
        colours = torch.zeros(3, *whole.shape, dtype=torch.float16)
        colours[:, : len(belongs), : last - first] = torch.from_numpy(
            seen.colours[..., first:last] * belongs[:, first:last]
        )
        return colours, whole, seen.pace, look.land

    def _paces(self, look: "_Look", possible: np.ndarray) -> list[float]:
        """Of these classes, which explains best for two frames what stands out in the band's own rows since it began, first."""
        moment, paces = look.moment, self.bank[possible]
        first = max(0, int(look.width - 1.2 * paces.max() * (self.gone[moment.seen] - self.gone[moment.begins]) - 6))
        counts = (look.stands_out & torch.from_numpy(look.own_rows)[:, None])[:, first:]
        wrong = (look.unlike(paces)[..., first:].clamp(max=0.3) * counts).sum((1, 2))
        return paces[wrong.argsort(stable=True).numpy()].tolist()

    def even(self, at: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame (3, H, W) float32 in its mean colour, and its rows' median colours (3, H, 1)."""
        if at not in self._seen:
            if len(self._seen) >= KEPT:
                del self._seen[next(iter(self._seen))]
            seen = self.frames[at].transpose(2, 0, 1).astype(np.float32) / 255
            seen /= np.maximum(seen.mean((1, 2), keepdims=True), DARK)
            self._seen[at] = seen, np.median(seen[..., ::2], 2, keepdims=True)
        return self._seen[at]


class _Look:
    """A thing when all of it has just entered, in the picture's mean colour, and what stands out from its row there."""

    def __init__(self, scissors: _Scissors, moment: Moment):
        self.moment, self._scissors = moment, scissors
        frame = scissors.frames[moment.seen]
        self.land = scene(torch.from_numpy(frame.transpose(2, 0, 1)[None] / np.float32(255)))[0][0]
        self.even = torch.from_numpy(scissors.even(moment.seen)[0])
        _, H, self.width = self.even.shape
        rows = np.arange(H)
        top, bottom = (round(share * H) for share in BANDS[moment.band])
        self.own_rows = (rows >= top) & (rows < bottom)
        top, bottom = (round(share * H) for share in REACH[moment.band])
        self.reach = (rows >= top) & (rows < bottom)
        off = (self.even - self.even.median(2, keepdim=True).values).abs().amax(0)
        self.stands_out = (off > STANDS_OUT) & torch.from_numpy(self.reach)[:, None]

    def unlike(self, paces: np.ndarray) -> torch.Tensor:
        """How ill each pace (K,) explains each pixel since two frames before: (K, H, W)."""
        moment, gone = self.moment, self._scissors.gone
        before = torch.from_numpy(self._scissors.even(moment.seen - 2)[0])
        column, passed = torch.arange(self.width).float(), float(gone[moment.seen] - gone[moment.seen - 2])
        unlike = []
        for pace in paces.tolist():
            source = column + pace * passed
            left = source.floor().long()
            part = source - left
            moved = before[..., left.clamp(0, self.width - 1)] * (1 - part)
            moved += before[..., (left + 1).clamp(0, self.width - 1)] * part
            wrong = (self.even - moved).abs().mean(0)
            wrong[:, source > self.width - 1] = 9.0  # it was not to be seen
            unlike.append(wrong)
        return box(torch.stack(unlike))


class _Passage:
    """A thing from where it has entered to where it leaves the picture: what is its own stays as it is, in its own place."""

    def __init__(self, scissors: _Scissors, look: _Look, pace: float, earlier: int = EARLIER[0]):
        """pace: px a frame at speed 1, near enough. earlier: px before its beginning that are looked at, too."""
        moment, gone, W = look.moment, scissors.gone, look.width
        self.look, self.pace = look, pace
        began, ended = (pace * (gone[moment.seen] - gone[at]) for at in (moment.begins, moment.ends))
        self._first = max(round(W - began - earlier), 0)  # column of the frame `seen` in which the first of it may be
        self._last = min(round(W - ended) + 2, W, self._first + scissors.net.wide)
        leaves = gone[moment.seen] + max(self._first - MARGIN, 0) / pace  # how far it has gone when it begins to leave
        stop = moment.seen + int(np.searchsorted(gone[moment.seen : moment.stop], leaves, side="right"))
        way, self.times = gone[moment.seen : max(stop, moment.seen + 1)], np.zeros(0, int)
        if (way[-1] - way[0]) * pace >= FARTHEST * W and self._last - self._first >= LEAST:
            self.times = np.unique(moment.seen + np.searchsorted(way, np.linspace(way[0], way[-1], TIMES)))
        self._gone = gone[self.times] - gone[moment.seen]
        rows = np.flatnonzero(look.reach)
        self._rows = slice(rows[0], rows[-1] + 1)
        seen = [scissors.even(at) for at in self.times]
        self._frames, self._usual = (np.stack([each[part][:, self._rows] for each in seen]) if seen else None for part in (0, 1))

    def _aligned(self, pace: float, frames: np.ndarray, around: int = 0) -> np.ndarray:
        """frames (T, C, H, W) -> (T, C, H, w): where the thing is, if it goes so fast, and so many px on either side."""
        columns = np.arange(self._first - around, self._last + around)
        out = np.empty((*frames.shape[:3], len(columns)), np.float32)
        for at, moved in enumerate(pace * self._gone):
            source = np.clip(columns - moved, 0, frames.shape[3] - 1)
            left = np.minimum(source.astype(int), frames.shape[3] - 2)
            part = (source - left).astype(np.float32)
            out[at] = frames[at][..., left] * (1 - part) + frames[at][..., left + 1] * part
        return out

    def fit(self) -> None:
        """Finds its pace, finer than classes are, and which pixels are its own: what always stands out from its row and from
        what lies on either side, and stays as it is."""
        own = self.look.own_rows[self._rows]
        luma = self._frames[:, :, own].mean(1, keepdims=True)
        here = self.look.stands_out[self._rows, self._first : self._last].numpy()[own]
        tried = self.pace * np.linspace(1 - FINER, 1 + FINER, TRIES)
        errors = []
        for pace in tried:
            aligned = self._aligned(pace, luma)[:, 0]
            errors.append(float((np.abs(aligned - aligned.mean(0)).clip(max=0.3) * here).sum()))
        self.pace = float(tried[int(np.argmin(errors))])
        aligned = self._aligned(self.pace, self._frames, AROUND)
        usual = np.median(aligned, 0)
        its = np.s_[..., AROUND:-AROUND]
        off = np.abs(np.median(aligned[its] - self._usual, 0)).max(0)
        beside = [np.abs(usual[its] - np.median(side, 2, keepdims=True)).max(0)
                  for side in (usual[..., : AROUND - 1], usual[..., 1 - AROUND :])]  # fmt: skip
        # What is glaring may go on on either side: a fence.
        usual, off = usual[its], np.where(off > GLARING, off, np.minimum(off, np.minimum(*beside)))
        apart = np.abs(aligned[its] - usual).max(1)
        unsteady = np.sort(apart, 0)[int(MOSTLY * (len(apart) - 1))]
        whole = np.zeros(self.look.own_rows.shape + off.shape[1:], np.float32)
        self.off, self.fits = whole, whole > 0
        most = cv2.dilate(off, np.ones((3, 3), np.uint8))  # at its edges a thing changes with what it is off beside them
        steady = (unsteady < UNSTEADY * off + NOISE) | ((off > EDGE * most) & (unsteady < LOOSE * most))
        self.off[self._rows], self.fits[self._rows] = off, (off > FAINT) & steady
        self.colours = self.look.even[..., self._first : self._last].numpy().copy()
        mine = self.colours[:, self._rows]
        hidden = np.abs(mine - usual).max(0) > UNSTEADY * off + NOISE  # something stood before it when it was seen
        self.colours[:, self._rows] = np.where(hidden, usual, mine)

    def belongs(self) -> np.ndarray:
        """bool (H, w), which pixels are its own."""
        return _filled(_standing(self.fits, self.off > STANDS_OUT, self.look.own_rows), self.off)

    def clear(self) -> float:
        """How much of what stands out is its own."""
        return float(np.square(self.off * self.fits)[self.look.own_rows].sum())


def _standing(fits: np.ndarray, clear: np.ndarray, own_rows: np.ndarray) -> np.ndarray:
    """Of pixels that fit, bool (H, w), the piece that has most that are clear in its band's own rows, and what stands on the same
    ground."""
    near = cv2.dilate(fits.astype(np.uint8), np.ones((3, 3), np.uint8))
    count, number = cv2.connectedComponents(near, connectivity=8)
    number = np.where(fits, number, 0)
    own = np.bincount(np.where(clear, number, 0)[own_rows].ravel(), minlength=count)
    own[0] = 0
    main = int(own.argmax())
    if own[main] < FEWEST:
        return np.zeros_like(fits)
    top, ground = np.flatnonzero((number == main).any(1))[[0, -1]]
    belongs = number == main
    for each in range(1, count):
        piece = number == each
        if each != main and piece.sum() >= FEWEST:
            highest, lowest = np.flatnonzero(piece.any(1))[[0, -1]]
            belongs |= piece & (lowest - highest >= 2 and abs(lowest - ground) <= max(2, GROUND * (ground - top)))
    return belongs


def _filled(belongs: np.ndarray, off: np.ndarray) -> np.ndarray:
    """With those holes that are its own, being tiny or of another colour than their row, which is off by so much."""
    holes = np.zeros_like(belongs)
    count, number = cv2.connectedComponents(np.pad(1 - belongs.astype(np.uint8), 1, constant_values=1), connectivity=4)
    for each in range(1, count):
        hole = (number == each)[1:-1, 1:-1]
        if each != number[0, 0] and (hole.sum() <= 3 or (hole.sum() <= HOLE and np.median(off[hole]) > OTHERWISE)):
            holes |= hole
    return belongs | holes
