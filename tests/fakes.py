"""Stand-ins of a few lines: a generator that draws what it is told, and small files of every kind."""

import json
import wave
from dataclasses import asdict
from pathlib import Path

import numpy as np

from vj.model.net import ModelConfig
from vj.signals import AudioFeatures, Controls, ModelFrame
from vj.train.footage import Footage
from vj.train.learn import Learner, start
from vj.weights import Card, write

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

    def cut(self) -> None:
        """It knows one scene."""

    def step(self, controls: Controls) -> ModelFrame:
        self.told.append(controls)
        self._count += 1
        colour = (self._count % 256, self._seed % 256, round(controls.near * 100))
        pixels = np.full((*self.size, 3), colour, np.uint8)
        flow = np.zeros((*self.size, 2), np.float32)
        flow[..., 0] = -controls.speed
        return ModelFrame(pixels, flow, self.version)

    def refine(self, fine: bool = True) -> bool:
        """It knows no detail."""
        return False

    def adopt(self, card: Card, tensors: dict, fade_frames: int) -> None:
        self.version = card.version
        self.adopted.append((card.version, fade_frames))


def heard(time: float = 0.0, **values) -> AudioFeatures:
    return AudioFeatures(time=time, **values)


def save_footage(folder: Path, footage: Footage) -> Path:
    """A prepared folder, as `vj footage` leaves it."""
    folder.mkdir(parents=True)
    (folder / "frames.bin").write_bytes(np.ascontiguousarray(footage.frames).tobytes())
    np.save(folder / "controls.npy", footage.controls)
    (folder / "card.json").write_text(json.dumps(asdict(footage.card)))
    return folder


def save_weights(path: Path, footage: Footage, config: ModelConfig) -> Path:
    """Weights of a network that has learnt nothing."""
    write(path, *Learner(footage, start(footage, config=config)).publishable())
    return path


def save_drums(path: Path, seconds: float, rate: int = 48000) -> Path:
    """A kick every half second: a falling sine of 60 Hz, as 16-bit stereo."""
    t = np.arange(int(seconds * rate)) / rate
    kick = 0.8 * np.sin(2 * np.pi * 60 * t) * np.exp(-12 * (t % 0.5))
    samples = (np.stack([kick, kick], 1) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path
