"""Mapping: what is heard and what hands want -> what the generator obeys. Pure arithmetic; time is an argument.

It knows no file, clock or device. Every number comes from one table (vj/table.toml, which a user can copy and edit).
"""

import math
from dataclasses import dataclass, fields
from typing import Self

from vj.errors import VJError
from vj.signals import AudioFeatures, Controls, Knobs

CLASSES = ("kick", "snare", "hat")
BAND_NAMES = ("far", "middle", "near")
WAIT = 1.5  # s, no longer than this a thing that passes by itself waits for the beat


@dataclass(frozen=True, slots=True)
class Curve:
    """Loudness and intensity -> a value, straight between three points, smoothed with a time constant."""

    silence: float  # value at loudness 0
    usual: float  # at 1
    loudest: float  # at 3
    intensity: float  # added at intensity 1
    seconds: float  # time constant of the smoothing, > 0

    def at(self, loudness: float, intensity: float) -> float:
        low = self.silence + (self.usual - self.silence) * min(loudness, 1.0)
        return low + (self.loudest - self.usual) * max(loudness - 1.0, 0.0) / 2 + self.intensity * intensity


@dataclass(frozen=True, slots=True)
class SoundTable:
    """The sound half of the table, checked."""

    entries: dict[str, str]  # class of onset -> height band
    strength: dict[str, float]  # class of onset -> 0..1.5
    hold: float  # frames of the footage's rate
    fall: float
    least: float  # 0..1
    faint: float  # 0..1
    every: dict[str, float]  # height band -> s from one thing to the next that passes by itself
    passing: float  # their strength, 0..1.5
    passing_hold: float  # frames of the footage's rate
    passing_fall: float
    patience: float  # s
    waits: dict[str, float]  # height band -> s
    rest: float  # 0..1.5
    speed: Curve
    light: Curve

    @classmethod
    def parse(cls, table: dict) -> Self:
        """From the parsed TOML. Raises VJError that names the line."""
        for name, band in _section(table, "entries").items():
            if name not in CLASSES or band not in BAND_NAMES:
                raise VJError(f'The table\'s [entries] {name} = "{band}" is unknown: use far, middle or near.')
        curves = {}
        for name in ("speed", "light"):
            keys = [f.name for f in fields(Curve)]
            curves[name] = Curve(**{k: _number(table, name, k, 1e-3 if k == "seconds" else -4, 60) for k in keys})
        return cls(
            entries=dict(table["entries"]),
            strength={name: _number(table, "strength", name, 0, 1.5) for name in CLASSES},
            hold=_number(table, "pulse", "hold", 1, 100),
            fall=_number(table, "pulse", "fall", 0, 100),
            least=_number(table, "pulse", "least", 0, 1),
            faint=_number(table, "pulse", "faint", 0, 1),
            every={band: _number(table, "cruise", band, 0.1, 1e6) for band in BAND_NAMES},
            passing=_number(table, "cruise", "strength", 0, 1.5),
            passing_hold=_number(table, "cruise", "hold", 1, 100),
            passing_fall=_number(table, "cruise", "fall", 0, 100),
            patience=_number(table, "cruise", "patience", 0.1, 1e6),
            waits={band: _number(table, "waits", band, 0, 1e6) for band in BAND_NAMES},
            rest=_number(table, "cruise", "rest", 0, 1.5),
            **curves,
        )


@dataclass(slots=True)
class Pulse:
    """A jump that is held, then falls to nothing."""

    level: float = 0.0
    age: float = math.inf  # s


class Mapping:
    """Call turn once a model frame. fps: the rate the footage was measured at, in which the table counts its frames."""

    def __init__(self, table: SoundTable, fps: float = 15.0):
        self._table = table
        self._lasts = {name: (table.hold / fps, table.fall / fps) for name in CLASSES}  # s: hold, fall
        self._lasts |= {name: (table.passing_hold / fps, table.passing_fall / fps) for name in BAND_NAMES}
        self._counts = dict.fromkeys(CLASSES, 0)  # onsets answered so far
        self._pulses = {name: Pulse() for name in (*CLASSES, *BAND_NAMES)}  # of onsets, and of what passes by itself
        self._since = dict.fromkeys(CLASSES, math.inf)  # s since the last onset
        self._waited = dict.fromkeys(CLASSES, 0.0)  # s, for a drum that is known to come
        self._way = dict.fromkeys(BAND_NAMES, 0.0)  # 0..1 to the next thing that passes by itself
        self._speed = table.speed.silence  # smoothed, times the knob
        self._light = table.light.silence
        self._presence = 0.0  # 0 no music, 1 music; smoothed
        self._beats = 0  # told so far

    def turn(self, features: AudioFeatures, knobs: Knobs, dt: float) -> Controls:
        """Controls for the model frame that lasts dt seconds. Drive 0: music does nothing. Silence: a calm cruise."""
        table, drive = self._table, min(max(knobs.drive, 0.0), 1.0)
        self._speed = _approach(self._speed, table.speed.at(features.loudness, features.intensity), dt, table.speed)
        self._light = _approach(self._light, table.light.at(features.loudness, features.intensity), dt, table.light)
        self._presence = _approach(self._presence, min(features.loudness, 1.0), dt, table.light)
        entries, told = dict.fromkeys(BAND_NAMES, table.rest), dict.fromkeys(BAND_NAMES, 0.0)
        for name in CLASSES:
            pulse = drive * self._onset(name, getattr(features, name), getattr(features, f"{name}s"), dt)
            band = table.entries.get(name)
            if band:
                entries[band] = max(entries[band], pulse)
                coming = getattr(features, f"next_{name}")
                waits = 0 < coming and coming - features.time < table.waits[band]
                self._waited[name] = self._waited[name] + dt if waits and self._since[name] > 0 else 0.0
                waits = waits and self._waited[name] <= table.waits[band]  # those that came were too faint to let anything in
                told[band] = max(told[band], float(waits or self._since[name] < table.patience))
        on_beat, self._beats = features.beats != self._beats, features.beats
        due = on_beat or not (features.tempo and drive)
        for band in BAND_NAMES:
            entries[band] = max(entries[band], self._cruise(band, 1 - drive * self._presence * told[band], due, dt))
        return Controls(
            speed=_clip(knobs.speed * (1 + drive * (self._speed - 1)), 0, 4),
            brightness=_clip(drive * self._light, -1, 1),
            warmth=_clip(knobs.warmth, -1, 1),
            **{band: _clip(value, 0, 1.5) for band, value in entries.items()},
        )

    def _onset(self, name: str, strength: float, count: int, dt: float) -> float:
        """The envelope of a class of onsets. A count that went back is that of a new ear."""
        seen, self._counts[name] = self._counts[name], count
        self._since[name] += dt
        level = 0.0
        if (count > seen or (count < seen and count > 0)) and strength >= self._table.faint:
            self._since[name] = 0.0
            level = self._table.strength[name] * max(min(strength, 1.0), self._table.least)
        return self._pulse(name, level, dt)

    def _cruise(self, band: str, share: float, due: bool, dt: float) -> float:
        """The envelope of what passes by itself; share: 1 without music, 0 where music speaks in this band.

        due: whether it may begin in this frame: where there is a beat it begins on one, so that music without drums is seen too.
        """
        self._way[band] += dt / self._table.every[band]
        level = 0.0
        if self._way[band] >= (1 if due else 1 + WAIT / self._table.every[band]):
            self._way[band] -= math.floor(self._way[band])
            level = self._table.passing * share if share > 0.1 else 0.0
        return self._pulse(band, level, dt)

    def _pulse(self, name: str, level: float, dt: float) -> float:
        """The envelope in the middle of this frame, begun anew where level is above 0; it never falls by that."""
        pulse = self._pulses[name]
        if level > 0:
            pulse.level, pulse.age = max(level, self._shape(name)), dt / 2
        else:
            pulse.age += dt
        return self._shape(name)

    def _shape(self, name: str) -> float:
        pulse, (hold, fall) = self._pulses[name], self._lasts[name]
        falling = pulse.age - hold
        if falling <= 1e-9:
            return pulse.level
        return pulse.level * max(1 - falling / fall, 0.0) if fall else 0.0


def _approach(value: float, target: float, dt: float, curve: Curve) -> float:
    """One-pole smoothing that is the same at any frame rate."""
    return target + (value - target) * math.exp(-dt / curve.seconds)


def _clip(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)


def _section(table: dict, name: str) -> dict:
    if not isinstance(table.get(name), dict):
        raise VJError(f"The table has no section [{name}]: copy it from vj/table.toml.")
    return table[name]


def _number(table: dict, section: str, key: str, low: float, high: float) -> float:
    value = _section(table, section).get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
        raise VJError(f"The table's [{section}] {key} = {value!r} must be a number from {low:g} to {high:g}.")
    return float(value)
