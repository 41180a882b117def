"""A second look at the drums: what the ear's network says of a hop, how every band rose up to it, and what was played a beat,
two and four before, weighed once more.

The network must hear everything at once and tells a kick from a snare poorly; this little one (one hidden layer, taught by
vj/train/ear/drums.py) has nothing else to do, and knows that drummers repeat themselves. Plain numpy; the same hops give
the same values.
"""

import math
from collections import deque
from collections.abc import Sequence

import numpy as np

from vj.audio.senses import BANDS

LAGS = (1, 2, 4, 7)  # hops back, against which the bands are seen to rise
OUTER = 9  # bands of vj/audio/onsets.py
BEATS = (1, 2, 4)  # beats back, at which is looked up what the network said then
NEAR = 2  # hops, to each side of there
MEMORY = 4 * 110 + NEAR + 1  # hops that are remembered: four beats at the slowest tempo
UNKNOWN = -0.5  # stands for what the network said where no beat is known
SIZE = BANDS * (1 + len(LAGS)) + 5 + 3 + OUTER + 3 * len(BEATS)  # values that it is shown
PARTS = np.cumsum((BANDS, BANDS * len(LAGS), 5, 3, OUTER))  # where each kind of them ends


class Strokes:
    """shown() once a hop, and, where there are weights, judge(). tensors: one.weight (H, SIZE) .. two.bias (3,), mean, spread."""

    def __init__(self, tensors: dict[str, np.ndarray] | None = None) -> None:
        self._past = np.zeros((max(LAGS) + 1, BANDS), np.float32)  # newest last
        self._back = np.array([max(LAGS) - lag for lag in LAGS])
        self._said = deque([[UNKNOWN] * 3] * (2 * NEAR + 1), 2 * NEAR + 1)  # by the network, of drums; the newest last
        self._most = deque([[UNKNOWN] * 3] * MEMORY, MEMORY)  # the most of 2 NEAR + 1 hops, NEAR hops ago the last
        self._before: list[float] = []  # the network's word of the hop before
        self._bands: list[list[float]] = []  # logs of the last hops, at most two
        self._out = np.zeros(SIZE, np.float32)
        self._rises = self._out[BANDS : PARTS[1]].reshape(len(LAGS), BANDS)
        if tensors is not None:
            scaled = tensors["one.weight"] / tensors["spread"]
            self._one, self._one_bias = np.asfortranarray(scaled), tensors["one.bias"] - scaled @ tensors["mean"]
            self._two, self._two_bias = tensors["two.weight"], tensors["two.bias"]

    def shown(self, short: np.ndarray, heard: Sequence[float], bands: Sequence[float], period: float = 0.0) -> np.ndarray:
        """short: (BANDS,), the newest short look; heard: chances by the network; bands: OUTER RMS; period: hops, 0 unknown.

        -> (SIZE,), reused.
        """
        past, out = self._past, self._out
        past[:-1] = past[1:]
        past[-1] = out[:BANDS] = short
        np.subtract(short, past.take(self._back, 0), out=self._rises)
        chances = [min(max(x, 1e-4), 1 - 1e-4) for x in heard[:5]]
        said = [math.log(x / (1 - x)) / 4 for x in chances]
        logs = [math.log(x + 1e-5) for x in bands]
        before = self._bands[0] if self._bands else logs
        rise = [-1.0 if a < b - 1 else 4.0 if a > b + 4 else a - b for a, b in zip(logs, before, strict=True)]
        out[PARTS[1] :] = said + (self._before or said)[2:] + rise + self._look_back(said[2:], period)
        self._before, self._bands = said, [*self._bands[-1:], logs]
        return out

    def _look_back(self, said: list[float], period: float) -> list[float]:
        """The most that was said of each drum around a beat, two and four ago."""
        self._said.append(said)
        self._most.append([max(column) for column in zip(*self._said, strict=True)])
        if not period:
            return [UNKNOWN] * 3 * len(BEATS)
        again = []
        for beats in BEATS:
            again += self._most[NEAR - 1 - min(int(beats * period + 0.5), MEMORY - NEAR - 1)]
        return again

    def judge(self, shown: np.ndarray) -> list[float]:
        """Chances 0..1 of a kick, a snare, a hat in this hop."""
        inner = self._one.dot(shown)
        inner += self._one_bias
        np.maximum(inner, 0, out=inner)
        return [1 / (1 + math.exp(-min(max(z, -30.0), 30.0))) for z in (self._two.dot(inner) + self._two_bias).tolist()]


def whole(short: np.ndarray, said: np.ndarray, logs: np.ndarray, periods: np.ndarray) -> np.ndarray:
    """All hops at once, what Strokes.shown gives: (n, BANDS), the network's logits (n, 5), logs of RMS (n, OUTER), hops (n,)."""
    n, hops = len(short), np.arange(len(short))
    past = np.concatenate([np.zeros((max(LAGS), BANDS), np.float32), short])
    rises = [short - past[max(LAGS) - lag :][:n] for lag in LAGS]
    said = np.clip(said, -9.21024, 9.21024) / 4
    rise = np.clip(logs - np.concatenate([logs[:1], logs[:1], logs[:-2]])[:n], -1, 4)
    drums = np.concatenate([np.full((MEMORY, 3), UNKNOWN, np.float32), said[:, 2:], np.full((NEAR, 3), -9.0, np.float32)])
    most = np.lib.stride_tricks.sliding_window_view(drums, 2 * NEAR + 1, 0).max(-1)  # [i]: of the hops from i - MEMORY on
    again = []
    for beats in BEATS:
        back = np.minimum((beats * periods + 0.5).astype(int), MEMORY - NEAR - 1)
        again.append(np.where(periods[:, None] > 0, most[hops - back + MEMORY - NEAR], UNKNOWN))
    return np.concatenate([short, *rises, said, np.concatenate([said[:1], said[:-1]])[:, 2:], rise, *again], 1, dtype=np.float32)
