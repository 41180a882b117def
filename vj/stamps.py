"""When was what heard? Sound that goes by gets the moment at which it came; so a picture's sound has an age.

Stamps wraps a sound source; the audio thread goes through it, other threads ask. Its clock is time.perf_counter.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vj.signals import AudioFeatures

LOUD = 0.1  # of full scale, that a click stands out by


@dataclass(frozen=True, slots=True)
class Onset:
    """One kick that the ear heard."""

    count: int  # features.kicks then
    sound: float  # s of sound heard when it was said
    came: float  # perf_counter at which the block came whose sound was first loud; nan unknown
    said: float  # perf_counter at which the ear had said it


class Stamps:
    """A sound source with the same face; `source` is what it wraps, `rate` its samples a second."""

    def __init__(self, source):
        self._source, self.rate = source, source.rate
        self._blocks: deque[tuple[float, float]] = deque(maxlen=512)  # s of sound at a block's end, when it came
        self.look: Callable[[], AudioFeatures] = AudioFeatures  # what the ear says now
        self.onsets: deque[Onset] = deque(maxlen=64)

    def blocks(self, n: int) -> Iterator[np.ndarray]:
        """As the source's own."""
        kicks, loud, quiet_since = self.look().kicks, float("nan"), 0.0
        for block in self._source.blocks(n):
            came = time.perf_counter()
            if np.abs(block).max(initial=0.0) > LOUD:
                loud = came if came - quiet_since > 0.1 else loud
                quiet_since = came
            yield block  # the listener comes back when the ear has taken it in
            heard = self.look()
            self._blocks.append((heard.time, came))
            if heard.kicks != kicks:
                kicks = heard.kicks
                self.onsets.append(Onset(kicks, heard.time, loud, time.perf_counter()))

    def came(self, sound: float) -> float | None:
        """When (perf_counter) the sound at `sound` s came in; None where that is not known any more."""
        found = None
        for end, moment in reversed(self._blocks.copy()):
            if end < sound - 1e-6:
                break
            found = moment
        return found

    def __getattr__(self, name: str):
        return getattr(self._source, name)


class Delay:
    """What was heard so many ms ago; below 0 the beat is told ahead, as far as its tempo is known."""

    def __init__(self, look: Callable[[], AudioFeatures]):
        """look: gives the newest features."""
        self._look = look
        self._past: deque[tuple[float, AudioFeatures]] = deque()
        self._late: AudioFeatures | None = None

    def listen(self) -> AudioFeatures:
        """For other threads: the newest, or as late as the last turn said."""
        return self._late or self._look()

    def turn(self, offset_ms: float, now: float) -> AudioFeatures:
        """What to show now (s, any clock that runs evenly), offset_ms (-300..1000) late. For one thread, each picture."""
        heard = self._look()
        if offset_ms <= 0:
            self._past.clear()
            self._late = None
            if offset_ms == 0 or not heard.tempo:
                return heard
            return replace(heard, beat_phase=(heard.beat_phase - offset_ms / 1e3 * heard.tempo / 60) % 1.0)
        self._past.append((now, heard))
        while len(self._past) > 1 and self._past[1][0] <= now - offset_ms / 1e3:
            self._past.popleft()
        self._late = self._past[0][1]
        return self._late
