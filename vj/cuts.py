"""When the show cuts to another scene, where its weights know several: as the music does. Time is an argument."""

from dataclasses import dataclass
from typing import Self

from vj.errors import VJError
from vj.signals import AudioFeatures

BEAT = 2.0  # s that a cut waits for the next beat, at most


@dataclass(frozen=True, slots=True)
class CutTable:
    """[cuts] of the table, checked."""

    least: float  # s that a scene stays
    most: float  # s after which it goes without a new section; 0: no scene goes by itself

    @classmethod
    def parse(cls, table: dict) -> Self:
        """From the parsed TOML. Raises VJError that names the line."""
        values = {key: table.get("cuts", {}).get(key) for key in ("least", "most")}
        for key, value in values.items():
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1e6:
                raise VJError(f"The table's [cuts] {key} = {value!r} must be a number of seconds from 0 to 1000000.")
        return cls(**{key: float(value) for key, value in values.items()})


class Cuts:
    """turn() once a model frame."""

    def __init__(self, table: CutTable):
        self._table = table
        self._since, self._wants = 0.0, 0.0  # s since the last cut, and since one is due
        self._parts = self._beats = 0  # sections and drops, and beats, told so far

    def turn(self, features: AudioFeatures, dt: float) -> bool:
        """Whether to cut now: on the first beat after another section, or a drop, has begun; or when a scene has stayed long
        enough; who does says `start`. dt: s since the last."""
        parts, beats = features.sections + features.drops, features.beats
        begins, on_beat, self._parts, self._beats = parts != self._parts, beats != self._beats, parts, beats
        self._since += dt
        if not self._table.most or self._since < self._table.least:
            return False
        if begins or self._wants or self._since >= self._table.most:
            self._wants += dt
        return self._wants > 0 and (on_beat or not features.tempo or self._wants > BEAT)

    def start(self) -> None:
        """A scene has begun."""
        self._since = self._wants = 0.0
