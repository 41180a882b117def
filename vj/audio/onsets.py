"""Drum-like onsets: kick, snare and hat, from the loudness of nine bands, hop by hop, told within about 15 ms.

Each class is a weighted sum of how fast the bands rise on a whitened log scale (spectral flux; Dixon 2006), against a
threshold that follows the recent peaks of that class. The weights of kick and hat come from a logistic regression on
drum pieces rendered for this purpose, rounded; the snare, whose recordings differ most, is the geometric mean of its
body and its noise. Knows no time in seconds but the hop it is told.
"""

from dataclasses import dataclass

import numpy as np

EDGES = (30, 75, 140, 280, 560, 1200, 2500, 5000, 9000, 15000)
"""Hz, the borders of the nine bands."""

CLASSES = ("KD", "SD", "HH")  # kick, snare, hat
KICK = np.array([2.0, 0.8, 2.2, -0.7, -0.7, 0.5, 0.2, 0.2, -0.2]) / 5
HAT = np.array([0.0, 0.0, 0.0, -0.1, 0.0, 0.65, -1.2, -3.0, 6.5]) / 3.4
SNARE = np.array([-1.0, 0.15, 1.8, -0.3, -1.0, 0.3, 0.25, 3.9, -1.5]) / 10
TILT = np.array([3, 3, 2, 1.2, 0.7, 0.45, 0.3, 0.2, 0.12])  # usual spectrum of music against its mean
LEAST = np.array([0.6, 0.7, 0.6])  # a rise below this is none
SHARE = np.array([0.65, 0.55, 0.45])  # of the recent peaks that an onset must reach
FORGET = 4.0  # s, peaks are forgotten
RIVAL = (0.7, 1.0)  # a kick must score this much of a snare at the same moment, and a snare of a kick
LOWS, BODY = (0.02, 0.08), (0.05, 0.15)  # share of them in what came, from which a kick, a snare is possible .. sure
REST = 0.07  # s between two onsets of a class
LATE = 0.011  # s from an onset to the end of the hop in which it is told


@dataclass(frozen=True, slots=True)
class Onset:
    """An onset that is told."""

    time: float  # s, when it sounded
    kind: str  # KD, SD or HH
    strength: float  # 0..1: how clear, and against the recent strongest of its class
    told: float  # s of sound heard when it was said


class OnsetDetector:
    """feed() once a hop. hop: s between two calls."""

    def __init__(self, hop: float = 0.01) -> None:
        self.hop = hop
        self.scores = np.zeros(3)  # how strongly each class rises in this hop, >= 0
        self._up, self._down = 1 - np.exp(-hop / 0.3), 1 - np.exp(-hop / 6.0)
        self._own, self._all = np.zeros(9), 0.0  # running level of each band, and of all
        self._logs, self._powers = np.zeros((2, 9)), np.zeros((2, 9))  # of the last two hops
        self._peaks, self._before = np.zeros(3), np.zeros(3)
        self._forget = np.exp(-hop / FORGET)
        self._rest = round(REST / hop)
        self._last = np.full(3, -(10**6))
        self._hops = 0

    def feed(self, bands: np.ndarray, quiet: bool = False) -> list[Onset]:
        """bands: (9,) RMS amplitude between EDGES, any scale. quiet: tell nothing, learn no peaks."""
        self._hops += 1
        level = float(np.sqrt(np.mean(bands**2)))
        self._all += (self._up if level > self._all else self._down) * (level - self._all)
        self._own += np.where(bands > self._own, self._up, self._down) * (bands - self._own)
        usual = TILT * self._all
        logs = np.log1p(4 * bands / (self._own**0.9 * usual**0.1 + 0.03 * usual + 1e-12))
        rise = np.maximum(logs - self._logs[0], 0)
        new = np.sqrt(np.maximum(bands**2 - self._powers[0], 0)) / TILT  # what came in two hops, as if music were white
        self._powers[0], self._powers[1] = self._powers[1], bands**2
        shape = new / (new.max() + 1e-12)
        self._logs[0], self._logs[1] = self._logs[1], logs
        body, noise = rise[3:6].mean(), rise[6:8].mean()
        snare = 1.5 * (np.sqrt(body * noise) - 0.1 * max(rise[0], rise[1]) + rise @ SNARE)
        kick = rise @ KICK * np.interp(shape[:2].max(), LOWS, (0, 1))
        snare *= np.interp(shape[2:5].max(), BODY, (0, 1))
        self.scores = scores = np.maximum(np.array([kick, snare, rise @ HAT]), 0)
        share = scores / np.maximum(self._peaks, LEAST)
        due = (scores > np.maximum(LEAST, SHARE * self._peaks)) & (scores > self._before)
        due &= self._hops - self._last >= self._rest
        if quiet:
            self._before = self.scores = np.zeros(3)
            return []
        if due[0] or due[1]:  # one stick is a kick or a snare
            due[0] &= scores[0] > RIVAL[0] * scores[1]
            due[1] &= scores[1] > RIVAL[1] * scores[0]
        self._last[due] = self._hops
        told = self._hops * self.hop
        peaks = np.where(scores > self._peaks, self._peaks + 0.5 * (scores - self._peaks), self._peaks * self._forget)
        self._peaks, self._before = peaks, scores
        strength = np.minimum(share, 1) * np.clip(0.3 + 1.2 * (scores / LEAST - 1), 0.3, 1)
        return [Onset(max(0.0, told - LATE), CLASSES[k], float(strength[k]), told) for k in np.flatnonzero(due)]
