"""Things cut out of prepared footage: how each looks when all of it has entered, which pixels are its own, how fast it passes.

Where one begins and ends, its band's entry control tells. What is its own, motion tells: it stands out from its row and from
what lies beside it, and is explained by the thing's motion better than by any much slower or faster one. From these
`vj.model.sprites` learns how things look. Footage in which nothing enters at the right, or that moves up and down too, has
none.

Sources: layers told apart by their motion (Wang and Adelson 1994); of what is connected only what has enough sure pixels
counts (hysteresis, Canny 1986).
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

from vj.model.passing import RESTS, Entering
from vj.model.planes import box
from vj.model.sprites import LEAST, Sprites, scene
from vj.signals import BANDS

LONGEST, SHORTEST, USUAL = 40.0, 4.0, 0.8  # frames at speed 1 that things may take to enter, and which of all of them count
ONE = 1.8  # times as long as is usual, what goes on entering is one thing
AFTER = 3.0  # frames at speed 1 after its end in which it is looked at: all of it was seen two frames before, too
REACH = ((0.0, 0.46), (0.3, 0.72), (0.0, 1.0))  # where a band's things are: (top, bottom), shares of the height
MOVES = 0.2  # px a frame at speed 1, the least that counts as moving
PACES = (1 / 3, 2.5)  # of what is usual in its band, what a thing's pace may be
# In the picture's mean colour: what stands out from its row, from what lies beside it, and what does so clearly.
STANDS_OUT, BESIDE, CLEAR, GLARING = 0.1, 0.05, 0.12, 0.22
ALIKE, OTHER, WORSE = 1.3, 1.6, 0.6  # times as fast: the same motion for all that is seen; faster, and slower, ones
EXPLAINED, SURE = 0.02, 0.03  # mean difference: as well explained as by any motion, and better than by others
AROUND = 14  # px on either side that are what lies beside
FEWEST, SURE_SHARE, OWN_SHARE = 6, 0.12, 0.3  # px of a piece; shares of it that are sure, and in the band's own rows
HOLE, OTHERWISE = 60, 0.02  # px of a hole in it that is its own if it looks otherwise than what lies beside
DARK = 0.05  # mean of a colour, 0..1, below which a picture is taken for black
TRIED = 200  # moments of a band by which its usual pace is found


@dataclass(frozen=True, slots=True)
class Moment:
    """A thing of the footage: its band, the frames in which it begins and ends to enter, and when it is looked at."""

    band: int
    begins: int
    ends: int
    seen: int


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
    lasts = np.array([_lasts(controls, pieces, band) for band in range(len(BANDS))], np.float32)
    cut, moments = [], []
    if not bank[:, 1].any():
        scissors = _Scissors(net, bank[:, 0].cpu().numpy(), frames, controls)
        every = [moment for piece in pieces for moment in _moments(controls, piece, lasts)]
        for band in range(len(BANDS)):
            of_band = [moment for moment in every if moment.band == band]
            usual = scissors.usual(of_band)
            for moment in of_band if usual else ():
                found = scissors.cut(moment, usual)
                if found is not None:
                    cut.append(found)
                    moments.append(moment)
    strengths = [float(controls[m.begins : m.ends + 1, 1 + m.band].max()) for m in moments]
    bands = torch.tensor([m.band for m in moments], dtype=torch.int64)
    colours, belongs, paces, land = zip(*cut, strict=True) if cut else ([], [], [], [])
    if not cut:
        none, no = torch.zeros(0, 3, net.tall, net.wide), torch.zeros(0)
        return Things(none, none[:, 0] > 0, bands, no, no, torch.zeros(0, 3 * len(BANDS)), torch.from_numpy(lasts))
    parts = torch.stack(colours), torch.stack(belongs), bands, torch.tensor(paces), torch.tensor(strengths), torch.stack(land)
    return Things(*parts, torch.from_numpy(lasts))


class _Scissors:
    """Cuts things out of frames."""

    def __init__(self, net: Sprites, bank: np.ndarray, frames: np.ndarray, controls: np.ndarray):
        self.net, self.bank, self.frames = net, bank, frames
        self.gone = np.cumsum(controls[:, 0], dtype=np.float64)  # within a piece alone its differences mean something
        self.moving = np.flatnonzero(bank >= MOVES)

    def usual(self, moments: list[Moment]) -> float:
        """The pace that most of these have, px a frame at speed 1; 0: there are none."""
        some = moments[:: max(1, len(moments) // TRIED)]
        return float(np.median([self.bank[self._pace(_Look(self, moment), self.moving)] for moment in some])) if some else 0.0

    def cut(self, moment: Moment, usual: float):
        """(colours, belongs, pace, land) of Things, of one; None: there is nothing to be seen. usual: the pace of most."""
        low, high = (usual * share for share in PACES)
        possible = np.flatnonzero((self.bank >= low) & (self.bank <= high))
        look = _Look(self, moment)
        pace = float(self.bank[self._pace(look, possible)])
        own = look.unlike[np.abs(self.bank - pace) <= (ALIKE - 1) * pace].amin(0)
        others = look.unlike[(self.bank < WORSE * pace) | (self.bank > OTHER * pace)].amin(0)
        fits = look.stands_out & (own <= look.unlike.amin(0) + EXPLAINED)
        fits = cv2.morphologyEx(fits.numpy().astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)) > 0
        sure = (own + SURE < others).numpy()
        W = look.width
        first = max(round(W - pace * (self.gone[moment.seen] - self.gone[moment.begins]) - 4), 0)
        last = min(round(W - pace * (self.gone[moment.seen] - self.gone[moment.ends])) + 2, W)
        columns = np.flatnonzero((fits & look.own_rows[:, None])[:, first:last].sum(0) >= 2)
        if not len(columns):
            return None
        first += int(columns[0])
        last = min(last, first + self.net.wide)
        belongs = _pieces(fits[:, first:last], sure[:, first:last], look.beside(first, last), look.own_rows)
        tall = np.flatnonzero(belongs.sum(0) >= LEAST)
        if not len(tall):
            return None
        belongs, first = belongs[:, tall[0] : tall[-1] + 1], first + int(tall[0])
        whole = torch.zeros(self.net.tall, self.net.wide, dtype=bool)
        whole[: belongs.shape[0], : belongs.shape[1]] = torch.from_numpy(belongs)
        colours = torch.zeros(3, *whole.shape, dtype=torch.float16)
        seen = look.even[..., first : first + belongs.shape[1]] * torch.from_numpy(belongs)
        colours[:, : belongs.shape[0], : belongs.shape[1]] = seen.half()
        return colours, whole, pace, look.land

    def _pace(self, look: "_Look", possible: np.ndarray) -> int:
        """Which of these classes explains best what stands out in the band's own rows since it began."""
        moment, W = look.moment, look.width
        first = max(0, int(W - 1.2 * self.bank[possible].max() * (self.gone[moment.seen] - self.gone[moment.begins]) - 6))
        counts = (look.stands_out & torch.from_numpy(look.own_rows)[:, None])[:, first:]
        return int(possible[int((look.unlike[possible][..., first:].clamp(max=0.3) * counts).sum((1, 2)).argmin())])


class _Look:
    """One look at a thing: a frame in the picture's mean colour, what stands out in it, and how ill each motion explains it."""

    def __init__(self, scissors: _Scissors, moment: Moment):
        frames, self.moment = scissors.frames, moment
        pair = torch.from_numpy(np.stack([frames[moment.seen], frames[moment.seen - 2]]))
        now, before = pair.permute(0, 3, 1, 2).float() / 255
        land, _ = scene(now[None])
        mean = now.mean((1, 2), keepdim=True).clamp(min=DARK)
        self.even, before, self.land = now / mean, before / mean, land[0]
        _, H, self.width = now.shape
        rows = np.arange(H)
        top, bottom = (round(share * H) for share in BANDS[moment.band])
        self.own_rows = (rows >= top) & (rows < bottom)
        top, bottom = (round(share * H) for share in REACH[moment.band])
        self._row = (self.even - self.even.median(2, keepdim=True).values).abs().amax(0)
        self.stands_out = (self._row > STANDS_OUT) & torch.from_numpy((rows >= top) & (rows < bottom))[:, None]
        column = torch.arange(self.width).float()
        passed = float(scissors.gone[moment.seen] - scissors.gone[moment.seen - 2])
        unlike = []
        for pace in scissors.bank.tolist():
            source = column + pace * passed
            left = source.floor().long()
            part = source - left
            moved = before[..., left.clamp(0, self.width - 1)] * (1 - part)
            moved += before[..., (left + 1).clamp(0, self.width - 1)] * part
            wrong = (self.even - moved).abs().mean(0)
            wrong[:, source > self.width - 1] = 9.0  # it was not to be seen
            unlike.append(wrong)
        self.unlike = box(torch.stack(unlike))

    def beside(self, first: int, last: int) -> np.ndarray:
        """How unlike its row, and what lies on either side of these columns, each pixel is: (H, last - first)."""
        part = self.even[..., first:last]
        sides = (self.even[..., max(first - AROUND, 0) : max(first - 1, 0)], self.even[..., last : last + AROUND])
        unlike = [(part - side.median(2, keepdim=True).values).abs().amax(0) for side in sides if side.shape[2] > 4]
        return torch.stack([*unlike, self._row[:, first:last]]).amin(0).numpy()


def _pieces(fits: np.ndarray, sure: np.ndarray, unlike: np.ndarray, own_rows: np.ndarray) -> np.ndarray:
    """Which pixels belong to the thing, bool (H, w): connected pieces of those that fit, with enough that are sure of it."""
    near_sure = cv2.dilate((sure & (unlike > STANDS_OUT)).astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    may = fits & (((unlike > BESIDE) & near_sure) | (unlike > GLARING))
    sure = sure & (unlike > CLEAR)
    belongs = np.zeros_like(may)
    count, number = cv2.connectedComponents(may.astype(np.uint8), connectivity=8)
    for each in range(1, count):
        piece = number == each
        size = piece.sum()
        rows = np.flatnonzero(piece.any(1))
        enough = (piece & sure).sum() >= max(4, SURE_SHARE * size) and piece[own_rows].sum() >= OWN_SHARE * size
        if size >= FEWEST and rows[-1] - rows[0] >= 2 and enough:
            belongs |= piece
    holes = np.zeros_like(belongs)
    count, number = cv2.connectedComponents(np.pad(1 - belongs.astype(np.uint8), 1, constant_values=1), connectivity=4)
    for each in range(1, count):
        hole = (number == each)[1:-1, 1:-1]
        if each != number[0, 0] and (hole.sum() <= 3 or (hole.sum() <= HOLE and np.median(unlike[hole]) > OTHERWISE)):
            holes |= hole
    clear = cv2.dilate((unlike > CLEAR).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return (belongs & clear) | holes


def _moments(controls: np.ndarray, piece: tuple[int, int], lasts: np.ndarray) -> list[Moment]:
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
                found.append(Moment(int(band), at, ends, seen))
    return found


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
    return float(np.clip(np.quantile(found, USUAL), SHORTEST, LONGEST)) if found else SHORTEST
