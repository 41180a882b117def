"""Other footage in mid-show: what `--then` gives, when its turn comes. Pure; no file, clock or process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vj.errors import VJError


@dataclass(frozen=True, slots=True)
class Cue:
    """Footage to go over to: at a second of the show, or (None) when the key is pressed."""

    path: Path
    at: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From `PATH` or `PATH@SECONDS`. Raises VJError."""
        name, _, when = text.rpartition("@")
        if not name:
            return cls(Path(text))
        try:
            at = float(when)
        except ValueError:
            return cls(Path(text))  # an @ in its name
        if not 0 < at < 1e6:
            raise VJError(f"--then {text}: the second must be above 0, as in trip.mp4@120.")
        return cls(Path(name), at)


class Cues:
    """Whose turn it is. Timed cues come once, in order; a press goes on to the next of all, and round to the first."""

    def __init__(self, times: tuple[float | None, ...]):
        """times: of each cue, None for those that wait for a press; cue 0 is what the show began with."""
        self._times = times
        self._now, self._presses = 0, 0
        self._due = sorted((at, k) for k, at in enumerate(times, 1) if at is not None)

    def turn(self, presses: int, seconds: float) -> int | None:
        """presses of the key so far, seconds of the show: the number (0 the first footage) to go over to, or None."""
        before = self._now
        if self._times:
            self._now = (self._now + presses - self._presses) % (len(self._times) + 1)
        self._presses = presses
        while self._due and self._due[0][0] <= seconds:
            self._now = self._due.pop(0)[1]
        return self._now if self._now != before else None
