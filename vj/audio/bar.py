"""Where in the bar a beat stands: forward over (3 or 4 beats in a bar, position), one step a beat.

It listens to where bass and snare stand, where chords change, and, where there is a network, to what that takes for a
downbeat. Knows no time.
"""

from collections import deque

import numpy as np

STATES = ((3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3))  # beats in a bar, position
FIRST = np.array([i == 0 for _, i in STATES])
USUAL = np.array([0.2 / 3] * 3 + [0.8 / 4] * 4)
SIGNS = 0.35 * np.array(  # where bass, snares and changes of colour stand in the bar, by state, and how much that says
    [
        [1, -0.5, -0.5, 1, -1, 0.6, -0.6],
        [-1, 0.5, 0.5, -1, 1, -1, 1],
        [1.4, -0.7, -0.7, 1.4, -0.9, 0.3, -0.9],
    ]
)
TRUST = 0.3  # power of the network's word: it knows few downbeats of real music
NEAR = 8  # hops from a beat on in which a downbeat counts
ANEW = 0.015  # chance that the bar begins anew at a beat


class Bar:
    """hear() once a hop, turn() when a beat is told."""

    def __init__(self) -> None:
        self._p = USUAL.copy()
        self._next = [3 * (m == 4) + (i + 1) % m for m, i in STATES]
        self._low = self._snare = 0.0
        self._downbeat: float | None = None
        self._since = 0
        self._colour: np.ndarray | None = None
        self._before: np.ndarray | None = None
        self._past: deque[tuple[float, float, float]] = deque(maxlen=16)

    def hear(self, low: float, snare: float, colour: np.ndarray | None, downbeat: float | None = None) -> None:
        """Strengths >= 0 of bass and snare in this hop, (n,) spectrum, chance 0..1 of a downbeat (None: nobody says)."""
        self._low, self._snare = max(self._low, low), max(self._snare, snare)
        self._since += 1
        if downbeat is not None and self._since <= NEAR:
            self._downbeat = max(self._downbeat or 0.0, downbeat)
        if colour is not None:
            if self._colour is None:
                self._colour = colour.copy()
            else:
                self._colour += colour

    def turn(self) -> int:
        """At each beat: -> position 1.. of the beat that comes now, 0 unknown."""
        change = 0.0
        if self._colour is not None:
            now = self._colour / (np.linalg.norm(self._colour) + 1e-9)
            change = 0.0 if self._before is None else float(1 - now @ self._before)
            self._before = now
        self._past.append((self._low, self._snare, change))
        seen = np.array(self._past)
        z = np.clip((seen[-1] - seen.mean(0)) / (seen.std(0) + 1e-6 + 0.1 * np.abs(seen.mean(0))), -2, 2)
        self._p *= np.exp(z @ SIGNS)
        if self._downbeat is not None:
            chance = min(max(self._downbeat, 0.03), 0.97)
            self._p *= np.where(FIRST, chance, 1 - chance) ** TRUST
        moved = np.zeros(len(STATES))
        moved[self._next] = self._p / self._p.sum()
        self._p = (1 - ANEW) * moved + ANEW * USUAL
        self._low = self._snare = 0.0
        self._downbeat, self._since, self._colour = None, 0, None
        return STATES[int(np.argmax(self._p))][1] + 1 if len(self._past) > 4 else 0

    def one(self) -> None:
        """A hand says: the beat just told was the first of a bar."""
        self._p = USUAL * np.where(FIRST, 1, 1e-4)
        self._p /= self._p.sum()
        self._low = self._snare = 0.0
        self._downbeat = None
