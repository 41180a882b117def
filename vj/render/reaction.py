"""What the newest sound does to the light at once: features -> the shaders' numbers, with a limit on flashing.

No GL and no clock here. An envelope rises at an onset and falls by itself; it may rise at most three times in any
second (WCAG 2.3.1, general flash threshold), however fast the drums are.
"""

import math

from vj.signals import AudioFeatures

LEAST_GAP = 0.34  # s between two rises of one envelope: three a second at most
FALL = 0.16  # s, time constant of the fall
HOUR = 3600.0  # s, after which the shaders' clocks start again: floats stay fine


class Envelope:
    """Rises to an onset's strength at once, falls exponentially, and leaves out onsets that come too soon."""

    def __init__(self):
        self.value = 0.0  # 0..1
        self._since = LEAST_GAP  # s since the last rise
        self._count: int | None = None

    def turn(self, count: int, strength: float, dt: float) -> float:
        """count: onsets so far; strength: 0..1 of the newest; dt: s since the last call."""
        self._since += dt
        self.value *= math.exp(-dt / FALL)
        fresh = self._count is not None and count != self._count
        self._count = count
        if fresh and self._since >= LEAST_GAP and strength > self.value:
            self.value, self._since = min(1.0, strength), 0.0
        return self.value


class Reaction:
    """Holds the envelopes of one screen."""

    def __init__(self):
        self._kick, self._snare, self._hat, self._pulse = (Envelope() for _ in range(4))
        self._run = 0.0  # s

    def turn(self, heard: AudioFeatures, drive: float, dt: float) -> dict[str, object]:
        """The uniforms of common.glsl that come from sound. drive: 0 shows the picture as if it were silent, 1 most."""
        gain = max(0.0, min(1.25 * drive, 1.25))  # 1 at the usual drive of 0.8
        loudness = min(3.0, heard.loudness * gain)
        self._run = (self._run + dt * (0.25 + min(loudness, 2.0))) % HOUR
        return {
            "u_loudness": loudness,
            "u_bands": tuple(min(3.0, v * gain) for v in (heard.low, heard.low_mid, heard.high_mid, heard.high)),
            "u_beat": heard.beat_phase,
            "u_intensity": heard.intensity,
            "u_kick": min(1.0, gain * self._kick.turn(heard.kicks, heard.kick, dt)),
            "u_snare": min(1.0, gain * self._snare.turn(heard.snares, heard.snare, dt)),
            "u_hat": min(1.0, gain * self._hat.turn(heard.hats, heard.hat, dt)),
            "u_pulse": min(1.0, gain * self._pulse.turn(heard.kicks, heard.kick, dt)),
            "u_run": self._run,
        }
