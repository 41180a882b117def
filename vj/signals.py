"""The values that travel between rooms, with units and ranges. Frozen: who holds one may keep it.

They hold floats and numpy arrays, never a tensor, a device or a handle. Nothing here computes.
"""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from vj.view import WINDOW, View

CONTROL_NAMES = ("speed", "far", "middle", "near", "brightness", "warmth")
"""What the network obeys, in the order of Controls.vector(). All are measured in the footage by `vj footage`."""

LUMA = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)
BANDS = ((0.0, 0.42), (0.42, 0.68), (0.68, 1.0))
"""Height bands far, middle, near: (top, bottom) as shares of the picture's height, 0 = top row."""


@dataclass(frozen=True, slots=True)
class AudioFeatures:
    """What is heard now. Silence is all zeros; nothing is ever NaN."""

    time: float = 0.0  # s of sound heard so far (at the source's own clock)
    level_db: float = -120.0  # dBFS, short-term loudness of the input as it is
    loudness: float = 0.0  # relative: 0 silence, 1 usual for this room, at most 3
    low: float = 0.0  # relative band levels, same scale: 20-160 Hz
    low_mid: float = 0.0  # 160-800 Hz
    high_mid: float = 0.0  # 800-4000 Hz
    high: float = 0.0  # 4-16 kHz
    kick: float = 0.0  # 0..1, strength of the last onset of this class, falling to 0 within about 0.3 s
    snare: float = 0.0
    hat: float = 0.0
    kicks: int = 0  # how many onsets of this class so far: a counter may be read late and is answered once
    snares: int = 0
    hats: int = 0
    next_kick: float = 0.0  # s, time of the next clear onset of this class on the clock of `time`; 0 unknown: only a file
    next_snare: float = 0.0  # heard in advance tells
    next_hat: float = 0.0
    tempo: float = 0.0  # beats a minute, 0 unknown
    tempo_confidence: float = 0.0  # 0..1
    beat_phase: float = 0.0  # 0..1, 0 on the beat
    beats: int = 0  # counter
    next_beat: float = 0.0  # s, predicted time of the next beat on the clock of `time`; 0 unknown
    bar_position: int = 0  # 1..4 (beat in the bar), 0 unknown
    centroid: float = 0.0  # Hz, spectral centroid
    intensity: float = 0.0  # 0..1, slow energy: builds and falls over bars
    clipped: bool = False  # the input is too loud, or was within the last half second
    flatness: float = 0.0  # 0 a tone .. 1 noise
    chroma: tuple[float, ...] = (0.0,) * 12  # C, C sharp .. B: 0..1 against the strongest
    low_hit: float = 0.0  # 0..1, how strongly the band rose just now, falling to 0 within about 0.3 s
    low_mid_hit: float = 0.0
    high_mid_hit: float = 0.0
    high_hit: float = 0.0
    low_presence: float = 0.0  # slow energy of the band: 1 usual, at most 3
    low_mid_presence: float = 0.0
    high_mid_presence: float = 0.0
    high_presence: float = 0.0
    low_clock: float = 0.0  # s, a clock that runs while the band is loud, at the pace of its level
    low_mid_clock: float = 0.0
    high_mid_clock: float = 0.0
    high_clock: float = 0.0
    build: float = 0.0  # 0..1, how much has risen over the last eight seconds
    breakdown: bool = False  # the lows have left
    drops: int = 0  # counter: the lows came back after a breakdown
    sections: int = 0  # counter: another part has begun


@dataclass(frozen=True, slots=True)
class Knobs:
    """What hands want. Presses are counters, so that each is answered exactly once."""

    speed: float = 1.0  # 0..4, times the footage's usual speed
    drive: float = 0.8  # 0..1, how strongly the music moves the picture
    brightness: float = 1.0  # 0..2, of the output
    warmth: float = 0.0  # -1..1, told to the network
    look: int = 1  # 1..9
    resets: int = 0  # seed reset presses
    taps: int = 0  # tap tempo presses
    ones: int = 0  # presses of: the first beat of a bar is now
    halves: int = 0  # presses of: the tempo is half of what is shown
    doubles: int = 0
    earlier: int = 0  # presses of: beats a little earlier
    later: int = 0
    footages: int = 0  # presses of: go over to the next footage
    cuts: int = 0  # presses of: cut to another scene, of footage that has several
    blackout: bool = False
    freeze: bool = False
    hud: bool = False
    help: bool = False
    fullscreens: int = 0  # toggle presses
    quits: int = 0  # Esc presses that count (two within 1 s quit)
    safes: int = 0  # presses of the safe look, which comes without a fade
    setup: bool = False  # the test card, and setting up the output
    items: int = 0  # presses that choose the next thing to set up
    nudge_x: float = 0.5  # 0..1: what is turned moves the chosen thing, where it stands does not matter
    nudge_y: float = 0.5

    def made_safe(self) -> Self:
        """The clean look in its usual light at the usual speed, whatever was turned before."""
        usual = {"look": 1, "speed": 1.0, "drive": 0.8, "brightness": 1.0, "warmth": 0.0}
        return replace(self, **usual, freeze=False, blackout=False, safes=self.safes + 1)


@dataclass(frozen=True, slots=True)
class Controls:
    """What the generator obeys for one model frame."""

    speed: float = 1.0  # 0 stands still, 1 the footage's usual speed per model frame, at most 4
    far: float = 0.0  # what enters at the leading edge in this height band: 0 calm, 1 strong (its 95th percentile)
    middle: float = 0.0
    near: float = 0.0
    brightness: float = 0.0  # -1..1: spreads of the footage's own brightness away from its mean
    warmth: float = 0.0  # -1..1, likewise for red minus blue

    def vector(self) -> np.ndarray:
        """float32 (6,), in the order of CONTROL_NAMES."""
        return np.array([getattr(self, name) for name in CONTROL_NAMES], np.float32)


@dataclass(frozen=True, slots=True)
class Picture:
    """All that the screen may know: two model frames, how things move between them, and what is heard now."""

    before: np.ndarray  # uint8 (H, W, 3), RGB, sRGB, top row first
    after: np.ndarray  # uint8 (H, W, 3)
    flow: np.ndarray | None  # float32 (H, W, 2) px or None: after[y, x] was at before[y - flow_y, x - flow_x]
    blend: float  # 0 shows before, 1 shows after
    time: float  # s of sound that this picture answers
    features: AudioFeatures = field(default_factory=AudioFeatures)
    view: View = WINDOW  # how it is to be laid back
    world: int = 0  # which world it is of: a new one is seen at once as it is to be seen


@dataclass(frozen=True, slots=True)
class ModelFrame:
    """One step of the generator."""

    pixels: np.ndarray  # uint8 (H, W, 3)
    flow: np.ndarray  # float32 (H, W, 2) px, how the pixels came here from the frame before
    version: int  # of the weights that made it
    view: View = WINDOW  # how it is laid out
    fine: np.ndarray | None = None  # uint8 (2 H, 2 W, 3), the same picture with its detail, where that is made
    world: int = 0  # which world of its generator it is of: nothing leads from one to another

    @property
    def picture(self) -> np.ndarray:
        """What is to be shown of it: the finest there is."""
        return self.pixels if self.fine is None else self.fine


@dataclass(frozen=True, slots=True)
class LearningReport:
    """How the trainer fares, as it last said."""

    version: int = 0  # of the newest published weights
    steps: int = 0
    loss: float = 0.0
    skill: float = 0.0  # dB over copying the last frame, on held-back footage
    rejected: int = 0  # sets that were judged worse and not published
    message: str = ""
