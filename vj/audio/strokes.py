"""A second look at the drums: what the ear's network says of a hop, and how every band rose up to it, weighed once more.

The network must hear everything at once and tells a kick from a snare poorly; this little one (one hidden layer, taught by
vj/train/ear/drums.py) has nothing else to do. Plain numpy; the same hops give the same values.
"""

import math
from collections.abc import Sequence

import numpy as np

from vj.audio.senses import BANDS

LAGS = (1, 2, 4, 7)  # hops back, against which the bands are seen to rise
OUTER = 9  # bands of vj/audio/onsets.py
SIZE = BANDS * (1 + len(LAGS)) + 5 + 3 + OUTER  # values that it is shown


class Strokes:
    """shown() once a hop, and, where there are weights, judge(). tensors: one.weight (H, SIZE) .. two.bias (3,), mean, spread."""

    def __init__(self, tensors: dict[str, np.ndarray] | None = None) -> None:
        self._past = np.zeros((max(LAGS) + 1, BANDS), np.float32)  # newest last
        self._back = [max(LAGS) - lag for lag in LAGS]
        self._before: list[float] = []  # the network's word of the hop before
        self._bands: list[np.ndarray] = []  # logs of the last hops, at most two
        self._out = np.zeros(SIZE, np.float32)
        self._rises = self._out[BANDS : BANDS * (1 + len(LAGS))].reshape(len(LAGS), BANDS)
        if tensors is not None:
            scaled = tensors["one.weight"] / tensors["spread"]
            self._one, self._one_bias = np.ascontiguousarray(scaled), tensors["one.bias"] - scaled @ tensors["mean"]
            self._two, self._two_bias = tensors["two.weight"], tensors["two.bias"]

    def shown(self, short: np.ndarray, heard: Sequence[float], bands: np.ndarray) -> np.ndarray:
        """short: (BANDS,), the newest short look; heard: chances by the network; bands: (OUTER,) RMS -> (SIZE,), reused."""
        past, out = self._past, self._out
        past[:-1] = past[1:]
        past[-1] = out[:BANDS] = short
        np.subtract(short, past[self._back], out=self._rises)
        chances = [min(max(x, 1e-4), 1 - 1e-4) for x in heard[:5]]
        said = [math.log(x / (1 - x)) / 4 for x in chances]
        out[-OUTER - 8 : -OUTER] = said + (self._before or said)[2:]
        logs = np.log(bands + 1e-5)
        rise = logs - (self._bands[0] if self._bands else logs)
        out[-OUTER:] = np.minimum(np.maximum(rise, -1), 4)
        self._before, self._bands = said, [*self._bands[-1:], logs]
        return out

    def judge(self, shown: np.ndarray) -> list[float]:
        """Chances 0..1 of a kick, a snare, a hat in this hop."""
        inner = self._one @ shown
        inner += self._one_bias
        np.maximum(inner, 0, out=inner)
        return [1 / (1 + math.exp(-min(max(z, -30.0), 30.0))) for z in (self._two @ inner + self._two_bias).tolist()]
