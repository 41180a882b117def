"""Stand-ins of a few lines: a generator that draws what it is told, and ears that say what they are told."""

import numpy as np

from vj.signals import AudioFeatures, Controls, ModelFrame
from vj.weights import Card

FAKE_CARD = Card("fake", 24, 40, 15.0, ("speed", "far", "middle", "near", "brightness", "warmth"))


class FakeGenerator:
    """Frame n of seed s is one colour: red counts the frames, green is the seed, blue the near control."""

    def __init__(self, card: Card = FAKE_CARD, tensors: dict | None = None, device: str = "cpu", seed: int = 0):
        self.card, self.version, self.size = card, card.version, (card.height, card.width)
        self.told: list[Controls] = []
        self.resets: list[int] = []
        self.adopted: list[tuple[int, int]] = []  # version, fade frames
        self._seed, self._count = seed, 0

    def reset(self, seed: int) -> None:
        self._seed, self._count = seed, 0
        self.resets.append(seed)

    def step(self, controls: Controls) -> ModelFrame:
        self.told.append(controls)
        self._count += 1
        colour = (self._count % 256, self._seed % 256, round(controls.near * 100))
        pixels = np.full((*self.size, 3), colour, np.uint8)
        flow = np.zeros((*self.size, 2), np.float32)
        flow[..., 0] = -controls.speed
        return ModelFrame(pixels, flow, self.version)

    def adopt(self, card: Card, tensors: dict, fade_frames: int) -> None:
        self.version = card.version
        self.adopted.append((card.version, fade_frames))


def heard(time: float = 0.0, **values) -> AudioFeatures:
    return AudioFeatures(time=time, **values)
