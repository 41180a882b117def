"""One step of the show: features, knobs and dt -> Picture. No clock, thread, device or file.

Maker makes one model frame; `vj play` calls it in a thread of its own at a steady rate, Show calls it in line.
"""

from dataclasses import dataclass, replace
from typing import Protocol

from vj.controls import Mapping
from vj.cuts import Cuts
from vj.signals import AudioFeatures, Controls, Knobs, ModelFrame, Picture


class Generator(Protocol):
    """What the show needs of vj.model.generator.Generator."""

    def reset(self, seed: int) -> None: ...
    def cut(self) -> None: ...
    def step(self, controls: Controls) -> ModelFrame: ...


@dataclass(frozen=True, slots=True)
class Made:
    """One model frame and what it answers."""

    frame: ModelFrame
    controls: Controls  # as the generator was told
    features: AudioFeatures  # as heard when it was begun


class Maker:
    """Music and hands to model frames at model_fps. The world's speed is that of footage at card_fps."""

    def __init__(self, generator: Generator, mapping: Mapping, model_fps: float, card_fps: float, seed: int = 0,
                 cuts: Cuts | None = None):  # fmt: skip
        """cuts: when it goes to another scene by itself; None: never."""
        self.generator = generator
        self._mapping, self._cuts = mapping, cuts
        self._dt = 1 / model_fps
        self._pace = card_fps / model_fps  # footage frames per model frame
        self._seed = seed
        self._resets = self._asked = 0  # presses answered, of a new seed and of a cut

    def make(self, features: AudioFeatures, knobs: Knobs) -> Made:
        """The next model frame. Presses of reset since the last one are one new seed, those of a cut one cut."""
        if knobs.resets != self._resets:
            self._resets = knobs.resets
            self.generator.reset(self._seed + knobs.resets)
            if self._cuts is not None:
                self._cuts.start()
        due = self._cuts is not None and self._cuts.turn(features, self._dt)
        if due or knobs.cuts != self._asked:
            self.generator.cut()
            if self._cuts is not None:
                self._cuts.start()
        self._asked = knobs.cuts
        controls = self._mapping.turn(features, knobs, self._dt)
        controls = replace(controls, speed=min(controls.speed * self._pace, 4.0))
        return Made(self.generator.step(controls), controls, features)


def between(before: Made, after: Made, blend: float, features: AudioFeatures) -> Picture:
    """The picture that stands `blend` (0..1) of the way between two model frames, of the same world; of two worlds the later one;
    features: as heard now."""
    before = before if before.frame.world == after.frame.world else after
    blend = min(max(blend, 0.0), 1.0)
    time = before.features.time + blend * (after.features.time - before.features.time)
    frame = after.frame
    return Picture(before.frame.picture, frame.picture, frame.flow, blend, time, features, frame.view, frame.world)


class Show:
    """The show in line: makes the model frames that are due and moves between the last two."""

    def __init__(self, maker: Maker, model_fps: float):
        self._maker = maker
        self._fps = model_fps
        self._time = 0.0  # s that the world has moved
        self._count = 0  # model frames so far
        self._before: Made | None = None
        self._after: Made | None = None
        self.made: tuple[Made, ...] = ()  # by the last step

    def step(self, features: AudioFeatures, knobs: Knobs, dt: float) -> Picture:
        """The picture of this moment; the next one is dt seconds later. Frozen, the world waits."""
        due = int(self._time * self._fps + 1e-6) + 1
        made = []
        while self._count < due:
            made.append(self._maker.make(features, knobs))
            self._before, self._after = self._after or made[-1], made[-1]
            self._count += 1
        self.made = tuple(made)
        blend = self._time * self._fps - (due - 1)
        if not knobs.freeze:
            self._time += dt
        return between(self._before, self._after, blend, features)
