"""The form of the music as it goes by: builds, breakdowns, drops, new sections. Looked at every quarter of a second.

A new section is told when the last second and a quarter sounds unlike the eight seconds before, each band measured against
how much it varies in itself (a one-sided checkerboard; after Foote 2000). Knows levels only, no beat, clock or device.
"""

from collections import deque

import numpy as np

CELL = 0.25  # s between two looks
NOW, PAST = 5, 32  # cells that are compared
NOVEL = 1.63  # how far outside their usual variation bands lie, in the mean, where a section begins
LEAST = 0.1  # what a band varies at least
APART = 6.0  # s between two sections
LITTLE, MUCH = 0.45, 0.8  # lows against their usual: below there are none, above they are back
SMOOTH = 0.7  # s, over which lows are smoothed, so that a kick a second is no gap
GAP = 1.5  # s without lows that make a breakdown, after which their return is a drop
USED = 6.0  # s of lows, before which their absence is no breakdown
STILL = 0.15  # loudness below which there is a pause, no breakdown


class Form:
    """feed() once a hop; then read build, breakdown, drops, sections. step: s between hops.

    build: 0..1, how far loudness, highs and strokes have risen over the last eight seconds; breakdown: the lows have left;
    drops, sections: counters.
    """

    def __init__(self, step: float) -> None:
        self.build, self.breakdown, self.drops, self.sections = 0.0, False, 0, 0
        self._hops_in_cell = round(CELL / step)
        self._sum: np.ndarray | None = None
        self._levels = (0.0, 0.0, 0.0)  # loudness, lows, highs of this cell
        self._strokes, self._hops = 0, 0
        self._cells: deque[np.ndarray] = deque(maxlen=NOW + PAST)
        self._course: deque[tuple[float, float, float]] = deque(maxlen=NOW + PAST)  # loudness, highs, strokes of a cell
        self._low, self._low_for, self._gap = 0.0, 0.0, 0.0
        self._since = 0.0

    def feed(self, short: np.ndarray, loudness: float, low: float, high: float, strokes: int, is_open: bool) -> None:
        """short: (36,) compressed magnitudes of this hop; levels against their usual; strokes: onsets told in this hop."""
        if self._sum is None:
            self._sum = short.astype(float)
        else:
            self._sum += short
        a, b, c = self._levels
        self._levels = (a + loudness, b + low, c + high)
        self._strokes += strokes
        self._hops += 1
        if self._hops < self._hops_in_cell:
            return
        cell = (self._sum / self._hops).reshape(12, 3).mean(1)
        loudness, low, high = (x / self._hops for x in self._levels)
        self._course.append((loudness, high, self._strokes))
        self._sum, self._levels, self._strokes, self._hops = None, (0.0, 0.0, 0.0), 0, 0
        self._since += CELL
        self._lows(float(low), float(loudness))
        self.build = self._rising() if is_open else 0.0
        if not is_open:
            self._cells.clear()
            self.breakdown, self._gap = False, 0.0
            return
        self._cells.append(cell)
        if len(self._cells) >= NOW + PAST // 2 and self._since > APART and self._novelty() > NOVEL:
            self.sections, self._since = self.sections + 1, 0.0

    def _lows(self, low: float, loudness: float) -> None:
        self._low += (low - self._low) * (CELL / SMOOTH)
        low = self._low
        if low < LITTLE:
            self._gap += CELL
            self.breakdown = self._low_for > USED and self._gap > GAP and loudness > STILL
        elif low > MUCH:
            if self._low_for > USED and self._gap > GAP:
                self.drops += 1
                self._low_for = USED
            self._low_for += CELL
            self._gap, self.breakdown = 0.0, False

    def _novelty(self) -> float:
        cells = np.array(self._cells)
        past = cells[:-NOW]
        smooth = np.array([past[k : k + NOW].mean(0) for k in range(len(past) - NOW + 1)])
        usual = past.mean(0)
        varies = np.abs(smooth - usual).mean(0)
        return float((np.abs(cells[-NOW:].mean(0) - usual) / (varies + LEAST)).mean())

    def _rising(self) -> float:
        """0..1 from the slopes of loudness, highs and strokes over eight seconds."""
        if len(self._course) < PAST:
            return 0.0
        course = np.array(self._course)[-PAST:]
        middle = np.arange(PAST) - (PAST - 1) / 2
        slopes = middle @ course / (middle @ middle) * PAST  # rise over the whole stretch
        rise = 0.4 * slopes[0] + 0.3 * slopes[1] + 0.3 * slopes[2] / (course[:, 2].mean() + 1.0)
        return float(min(1.0, max(0.0, rise - 0.1)))
