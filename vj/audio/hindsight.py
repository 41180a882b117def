"""The drums of a file that can be heard in advance: every hop is weighed again in the light of what follows it.

Shown, beside what the second look (vj/audio/strokes.py) is shown and said: how each band goes on after the hop, what
network and second look say in the hops around it, and what they said one to eight beats before and after, by the beats
that are known. One hidden layer, taught by vj/train/ear/ahead.py. Of what it says, peaks are picked against the
strongest of their class before and after. Plain numpy; knows no file and no clock.
"""

import math
from array import array
from dataclasses import dataclass

import numpy as np

from vj.audio.onsets import CLASSES, FAINT, NET_LATE, DrumPresence, Onset
from vj.audio.senses import BANDS
from vj.audio.strokes import LAGS, NEAR, OUTER, UNKNOWN

FOLLOWING = (1, 2, 3, 5, 8, 13, 20)  # hops to come, in which the bands are seen to go on
AROUND = tuple(k for k in range(-4, 9) if k)  # hops around, at which is seen what the network says of drums
LOOKED = (-8, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 8, 10)  # and what the second look says
BEATS = (-8, -4, -3, -2, -1, 1, 2, 3, 4, 8)  # beats from here, at which is looked up what both said there
PAD = 24  # hops laid around the file
SIZE = BANDS * (1 + len(LAGS) + len(FOLLOWING)) + 5 + 3 * len(AROUND) + 4 * OUTER + 3 * len(LOOKED) + 6 * len(BEATS)
FARTHEST, CLOSEST = 170.0, 20.0  # hops from beat to beat, beyond which nothing is known
FEWEST = 4  # beats in a stretch that is worth looking up
AT_ONCE = 4096  # hops that are weighed at once
NOTED = np.cumsum((BANDS, 6, 3, OUTER))  # where each part of a hop's notes ends

SHARE, LEAST, MOST = 0.45, 0.06, 0.4  # of the strongest chances of its class around that a peak must reach, within these bounds
FORGET = 12.0  # s, to each side, those are forgotten
WIDE, REST = 2, 0.05  # hops to each side over which a peak must be the highest; s between two of a class
ASIDE = 1.5  # s before and after, at which is asked whether there are drums


@dataclass(frozen=True, slots=True)
class Strokes:
    """Known drums, in the order of their times."""

    times: np.ndarray  # float64 (n,), s, when they sound
    kinds: np.ndarray  # int (n,), places in CLASSES
    strengths: np.ndarray  # float (n,), 0..1, as an Onset's


class Notes:
    """What the ear noted while it heard a file, hop by hop: take() after each. tensors: as of Hindsight.judge, if there are."""

    def __init__(self, tensors: dict[str, np.ndarray] | None) -> None:
        self.tensors = tensors
        self.told: list[Onset] = []  # as if live
        self._hops = array("f")  # FeatureExtractor.noted of each, end to end: of an hour 80 MB

    def take(self, noted: tuple | None, told: list[Onset]) -> None:
        """noted: FeatureExtractor.noted; told: the onsets of this hop."""
        if self.tensors is not None and noted is not None:
            self.told += told
            short, heard, looked, bands, quiet, deaf = noted
            self._hops.extend((*short.tolist(), *heard, *looked, *bands, quiet, deaf))

    def columns(self) -> list[np.ndarray]:
        """What was noted, each (n, ...): short looks, chances by the network, by the second look, RMS; bool (n,): quiet, deaf."""
        rows = np.frombuffer(self._hops, np.float32).reshape(-1, NOTED[-1] + 2)
        *parts, flags = np.split(rows, NOTED, 1)
        return [*parts, *(flags.T > 0)]


def logits(chances: np.ndarray) -> np.ndarray:
    """(..., k) chances 0..1 -> what is shown of them: a quarter of their logits, within +-2.3; float32."""
    x = np.clip(np.asarray(chances, float), 1e-4, 1 - 1e-4)
    return np.float32(np.log(x / (1 - x)) / 4)


def elsewhere(beats: np.ndarray, n: int) -> np.ndarray:
    """beats: (k,) hops, rising -> int (n, len(BEATS)): for each hop the one so many beats away, -1 where it is not known.

    Where beats are too far apart a stretch of them ends; each stretch is drawn out by two beats at its ends.
    """
    out, beats = np.full((n, len(BEATS)), -1, int), np.asarray(beats, float)
    gaps = np.flatnonzero((np.diff(beats) > FARTHEST) | (np.diff(beats) < CLOSEST)) + 1
    reach = np.arange(1, max(BEATS) + 4)
    for stretch in np.split(beats, gaps):
        if len(stretch) < FEWEST:
            continue
        begin, end = stretch[1] - stretch[0], stretch[-1] - stretch[-2]
        grid = np.concatenate([stretch[0] - begin * reach[::-1], stretch, stretch[-1] + end * reach])
        places = np.arange(len(grid))
        hops = np.arange(max(0, int(stretch[0] - 2 * begin)), min(n, int(stretch[-1] + 2 * end) + 1))
        here = np.interp(hops, grid, places)
        for column, lag in enumerate(BEATS):
            there = np.round(np.interp(here + lag, places, grid)).astype(int)
            out[hops, column] = np.where((there >= 0) & (there < n), there, -1)
    return out


def _most(x: np.ndarray) -> np.ndarray:
    """(n, 3) -> (n, 3): the most of the hops up to NEAR away."""
    padded = np.pad(x, ((NEAR, NEAR), (0, 0)), constant_values=-9.0)
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR + 1, 0).max(-1)


class Hindsight:
    """What is shown of any hop of one file.

    short: (n, BANDS) short looks; said: (n, 5), logits() of the network's beat, downbeat and drums; looked: (n, 3), logits()
    of the second look; logs: (n, OUTER), of RMS; beats: (k,) hops at which beats are known, rising.
    """

    def __init__(self, short: np.ndarray, said: np.ndarray, looked: np.ndarray, logs: np.ndarray, beats: np.ndarray) -> None:
        self.n = len(short)
        self._short, self._said, self._looked, self._logs = (
            np.pad(np.float32(x), ((PAD, PAD), (0, 0)), "edge") for x in (short, said, looked, logs)
        )
        self._usual, self._usual_logs = self._short.mean(0), self._logs.mean(0)
        self._there = elsewhere(beats, self.n)
        self._most = _most(np.concatenate([np.float32(looked), np.float32(said)[:, 2:]], 1))

    def shown(self, hops: np.ndarray) -> np.ndarray:
        """hops: int (m,) -> float32 (m, SIZE)."""
        at, short, logs = hops + PAD, self._short, self._logs
        now, there = short[at], self._there[hops]
        again = np.where(there[..., None] >= 0, self._most[there], np.float32(UNKNOWN))  # (m, len(BEATS), 6)
        parts = [self._looked[at + k] for k in LOOKED] + [again[..., :3].reshape(len(hops), -1), now - self._usual]
        parts += [*(now - short[at - lag] for lag in LAGS), *(short[at + k] - now for k in FOLLOWING), self._said[at]]
        parts += [self._said[at + k, 2:] for k in AROUND] + [np.clip(logs[at + k] - logs[at + k - 2], -1, 4) for k in range(3)]
        parts += [logs[at + 2] - self._usual_logs, again[..., 3:].reshape(len(hops), -1)]
        return np.concatenate(parts, 1, dtype=np.float32)

    def judge(self, tensors: dict[str, np.ndarray]) -> np.ndarray:
        """tensors: one.weight (H, SIZE) .. two.bias (3,), mean, spread -> (n, 3): chances 0..1 of a kick, a snare, a hat."""
        one = np.ascontiguousarray((tensors["one.weight"] / tensors["spread"]).T)
        bias, said = tensors["one.bias"] - tensors["mean"] @ one, np.zeros((self.n, 3), np.float32)
        for start in range(0, self.n, AT_ONCE):
            inner = np.maximum(self.shown(np.arange(start, min(start + AT_ONCE, self.n))) @ one + bias, 0)
            said[start : start + AT_ONCE] = inner @ tensors["two.weight"].T + tensors["two.bias"]
        return 1 / (1 + np.exp(-np.clip(said, -30, 30)))


def strongest(chances: np.ndarray, step: float) -> np.ndarray:
    """(n,) -> (n,): the strongest of all, each worth less by 1/e for every FORGET seconds that it lies before or after."""
    fall = np.arange(len(chances)) * (step / FORGET)
    logs = np.log(np.maximum(chances, 1e-6))
    before = np.maximum.accumulate(logs + fall) - fall
    after = (np.maximum.accumulate(logs[::-1] + fall) - fall)[::-1]
    return np.exp(np.maximum(before, after))


def peaks(chances: np.ndarray, step: float) -> np.ndarray:
    """(n,) 0..1 -> int (m,): hops where a stroke of this class is told; of two that are too close the likelier."""
    padded = np.pad(chances, WIDE, constant_values=-1.0)
    top = np.lib.stride_tricks.sliding_window_view(padded, 2 * WIDE + 1).max(1)
    clear = chances >= np.clip(SHARE * strongest(chances, step), LEAST, MOST)
    rest, kept = round(REST / step), []
    taken = np.zeros(len(chances) + 2 * rest, bool)
    found = np.flatnonzero(clear & (chances >= top))
    for hop in found[np.argsort(-chances[found], kind="stable")]:
        if not taken[hop + rest]:
            kept.append(hop)
            taken[hop + 1 : hop + 2 * rest] = True
    return np.sort(np.array(kept, int))


def presence(heard: np.ndarray, step: float) -> np.ndarray:
    """heard: (n, 6) the network's chances -> (n,) 0..1: how likely there are drums, by what is heard before and after."""
    forth, back = DrumPresence(step), DrumPresence(step)
    before = np.array([forth.feed(x) for x in heard.tolist()])
    after = np.array([back.feed(x) for x in heard[::-1].tolist()])[::-1]
    hops, aside = np.arange(len(heard)), round(ASIDE / step)
    return np.minimum(before[np.minimum(hops + aside, len(heard) - 1)], after[np.maximum(hops - aside, 0)])


def heard_again(notes: Notes, beats: np.ndarray, step: float) -> Strokes | None:
    """The drums of the file that the notes were taken of; None where there are no weights for it.

    beats: (k,) s; step: s from hop to hop. Where the rule was believed, not the network, its word stands.
    """
    short, heard, looked, bands, quiet, deaf = notes.columns()
    if not len(short):
        return None
    hindsight = Hindsight(short, logits(heard[:, :5]), logits(looked), np.log(bands + 1e-5), beats / step - 0.1)
    chances = hindsight.judge(notes.tensors)
    chances[quiet] = 0.0
    share, found = FAINT + (1 - FAINT) * presence(heard, step), []
    for kind in range(len(CLASSES)):
        for hop in peaks(chances[:, kind], step):
            strength = share[hop] * min(1.0, 0.3 + 0.7 * float(chances[hop, kind]))
            found.append((max(0.0, (hop + 1) * step - NET_LATE), kind, strength, hop))
    found = [stroke[:3] for stroke in found if not deaf[stroke[3]]]
    for onset in notes.told:
        if deaf[min(math.ceil(onset.told / step - 0.5) - 1, len(deaf) - 1)]:
            found.append((onset.time, CLASSES.index(onset.kind), onset.strength))
    times, kinds, strengths = (np.array(column) for column in zip(*sorted(found), strict=True)) if found else np.zeros((3, 0))
    return Strokes(times.astype(float), kinds.astype(int), strengths.astype(float))
