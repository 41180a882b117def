"""Where in the bar a beat stands: forward over (beats in a bar, position), one step a beat.

BarByNetwork listens to the downbeats, kicks and snares that the network hears and to changes of colour; BarBySigns,
without a network, to where bass and snare stand and where chords change. Neither knows time.
"""

from collections import deque

import numpy as np

METRES = {2: 0.02, 3: 0.17, 4: 0.7, 5: 0.04, 6: 0.03, 7: 0.04}  # beats in a bar, and how usual they are
TRUST = 0.7  # power of what one beat says
SIGNS = np.array([0.35, 0.35, 0.5])  # weights of kicks, snares and changes of colour, each against its usual
SAME = 0.1  # share of a sign's mean within which it says nothing
ANEW = 0.015  # chance that the bar begins anew at a beat


class BarByNetwork:
    """hear() once a hop, turn() when a beat is told."""

    def __init__(self) -> None:
        self._place = np.array([i for m in METRES for i in range(m)])
        self._usual = np.concatenate([np.full(m, share / m) for m, share in METRES.items()])
        first = np.concatenate([[0], np.cumsum(list(METRES))[:-1]])
        self._next = np.concatenate([f + (np.arange(m) + 1) % m for f, m in zip(first, METRES, strict=True)])
        self._signs = np.concatenate([_signs(m) for m in METRES])  # (states, 3)
        self._p = self._usual.copy()
        self._downbeat, self._since, self._beats = 0.0, 0, 0
        self._strokes = np.zeros(2)
        self._colour: np.ndarray | None = None
        self._before: np.ndarray | None = None
        self._past: deque[np.ndarray] = deque(maxlen=16)

    def hear(self, downbeat: float, kick: float, snare: float, colour: np.ndarray) -> None:
        """Chances 0..1 in this hop, colour (n,) of the sound. Downbeats and strokes count in the first hops after a beat."""
        self._since += 1
        if self._since <= 8:
            self._downbeat = max(self._downbeat, downbeat)
            self._strokes = np.maximum(self._strokes, (kick, snare))
        self._colour = colour.copy() if self._colour is None else self._colour + colour

    def turn(self) -> int:
        """At each beat: -> position 1.. of the beat that comes now, 0 unknown."""
        change = 0.0
        if self._colour is not None:
            now = self._colour / (np.linalg.norm(self._colour) + 1e-9)
            change = 0.0 if self._before is None else float(1 - now @ self._before)
            self._before = now
        self._past.append(np.array([*self._strokes, change]))
        seen = np.array(self._past)
        z = np.clip((seen[-1] - seen.mean(0)) / (seen.std(0) + 1e-6 + SAME * (np.abs(seen.mean(0)) + 0.01)), -2, 2)
        chance = min(max(self._downbeat, 0.03), 0.97)
        self._p *= np.where(self._place == 0, chance, 1 - chance) ** TRUST * np.exp(self._signs @ (SIGNS * z))
        moved = np.zeros_like(self._p)
        moved[self._next] = self._p / self._p.sum()
        self._p = (1 - ANEW) * moved + ANEW * self._usual
        self._downbeat, self._since, self._beats = 0.0, 0, self._beats + 1
        self._strokes, self._colour = np.zeros(2), None
        by_place = np.bincount(self._place, self._p)
        return int(np.argmax(by_place)) + 1 if self._beats > 2 else 0

    def one(self) -> None:
        """A hand says: the beat just told was the first of a bar."""
        self._p = self._usual * np.where(self._place == 0, 1, 1e-4)
        self._p /= self._p.sum()
        self._downbeat, self._since, self._beats = 0.97, 9, max(self._beats, 3)


def _signs(beats: int) -> np.ndarray:
    """(beats, 3): where kicks and snares stand in a bar and where chords change, by position."""
    if beats == 4:
        return np.array([[1, -1, 1], [-1, 1, -0.6], [0.6, -1, 0.2], [-0.6, 1, -0.6]])
    if beats == 2:
        return np.array([[1, -1, 0.6], [-1, 1, -0.6]])
    return np.array([[1, -1, 1], *[[-0.5, 0.5, -0.5]] * (beats - 1)])


class BarBySigns:
    """Position in the bar: forward over (3 or 4 beats, position), one step a beat."""

    STATES = ((3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3))
    LOW = np.array([1, -0.5, -0.5, 1, -1, 0.6, -0.6])  # where bass onsets stand in the bar, by state
    SNARE = np.array([-1, 0.5, 0.5, -1, 1, -1, 1])
    CHANGE = np.array([1, -0.5, -0.5, 1, -0.6, 0.2, -0.6])  # where chords change

    def __init__(self) -> None:
        self._usual = np.array([0.2 / 3] * 3 + [0.8 / 4] * 4)
        self._p = self._usual.copy()
        self._next = [3 * (m == 4) + (i + 1) % m for m, i in self.STATES]
        self._low = self._snare = 0.0
        self._colour: np.ndarray | None = None
        self._count = 0
        self._before: np.ndarray | None = None
        self._past: deque[tuple[float, float, float]] = deque(maxlen=16)

    def hear(self, low: float, snare: float, colour: np.ndarray | None) -> None:
        self._low, self._snare = max(self._low, low), max(self._snare, snare)
        if colour is not None:
            self._colour = colour.copy() if self._colour is None else self._colour + colour
            self._count += 1

    def turn(self) -> int:
        """At each beat: -> position 1.. of the beat that comes now, 0 unknown."""
        change = 0.0
        if self._colour is not None and self._count:
            now = self._colour / (np.linalg.norm(self._colour) + 1e-9)
            change = 0.0 if self._before is None else float(1 - now @ self._before)
            self._before = now
        self._past.append((self._low, self._snare, change))
        self._low = self._snare = 0.0
        self._colour, self._count = None, 0
        seen = np.array(self._past)
        z = np.clip((seen[-1] - seen.mean(0)) / (seen.std(0) + 1e-6 + 0.1 * np.abs(seen.mean(0))), -2, 2)
        self._p *= np.exp(0.35 * z[0] * self.LOW + 0.35 * z[1] * self.SNARE + 0.5 * z[2] * self.CHANGE)
        moved = np.zeros(7)
        moved[self._next] = self._p / self._p.sum()
        self._p = 0.985 * moved + 0.015 * self._usual
        best = int(np.argmax(self._p))
        return self.STATES[best][1] + 1 if len(self._past) > 4 else 0

    def one(self) -> None:
        """A hand says: the beat just told was the first of a bar."""
        first = np.array([i == 0 for _, i in self.STATES])
        self._p = self._usual * np.where(first, 1, 1e-4)
        self._p /= self._p.sum()
