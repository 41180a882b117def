"""A little world that obeys its controls: footage of it, judged as if generated, must pass. And players that must not."""

import cv2
import numpy as np

from vj.signals import Controls, ModelFrame
from vj.train import measures
from vj.train.trials import Reference

SIZE = (48, 80)  # px
FPS = 12.0
PACE = (1.0, 2.0, 4.0)  # px a frame at speed 1: far, middle, near
ROLL = 2000  # px of ground until it comes again


class Toy:
    """Three bands of ground that pass at their own speeds; where a band is told, a striped post enters."""

    size = SIZE

    def __init__(self, seed: int = 0):
        self.reset(seed)

    def reset(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.light = np.zeros(2)
        self.at = [0.0] * 3
        self.rolls = [self._roll(band) for band in range(3)]
        self.used = [0, 0, 0]
        self.bands = [self._ground(band, SIZE[1] + 2) for band in range(3)]

    def step(self, controls: Controls) -> ModelFrame:
        told = controls.vector()
        self.light += 0.4 * (told[4:6] - self.light)
        layers = []
        for band in range(3):
            self.at[band] += PACE[band] * told[0]
            while self.bands[band].shape[1] < self.at[band] + SIZE[1] + 2:
                post = told[1 + band] > 0.5 and told[0] > 0
                self.bands[band] = np.hstack([self.bands[band], self._post(band) if post else self._ground(band, 3)])
            whole, part = int(self.at[band]), self.at[band] % 1
            window = self.bands[band][:, whole : whole + SIZE[1] + 1]
            layers.append((1 - part) * window[:, :-1] + part * window[:, 1:])
            if whole > 400:
                self.bands[band], self.at[band] = self.bands[band][:, whole:], part
        picture = np.vstack(layers) * (1 + 0.25 * self.light[0])
        picture = picture * (1 + 0.15 * self.light[1] * np.array([1, 0, -1]))
        return ModelFrame(self.finish((picture * 255).clip(0, 255).astype(np.uint8)), np.zeros((*SIZE, 2), np.float32), 0)

    def finish(self, picture: np.ndarray) -> np.ndarray:
        return picture

    def _rows(self, band: int) -> int:
        rows = measures.rows(band, SIZE[0])
        return rows.stop - rows.start

    def _ground(self, band: int, columns: int) -> np.ndarray:
        """The next columns of a long roll of ground, rough at several scales, as ground is."""
        at = self.used[band]
        self.used[band] = (at + columns) % (ROLL - SIZE[1] - 8)
        return self.rolls[band][:, at : at + columns]

    def _roll(self, band: int) -> np.ndarray:
        tone = np.array([[0.45, 0.5, 0.6], [0.4, 0.5, 0.35], [0.45, 0.45, 0.3]][band])
        rough = np.zeros((self._rows(band), ROLL))
        for scale, height in ((2, 0.02), (5, 0.05), (12, 0.08)):
            coarse = self.random.standard_normal((-(-self._rows(band) // scale) + 1, ROLL // scale + 2))
            rough += height * cv2.resize(coarse, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)[: len(rough), :ROLL]
        return tone + rough[..., None]

    def _post(self, band: int) -> np.ndarray:
        rows, colour = self._rows(band), self.random.choice([0.15, 0.85]) + self.random.uniform(-0.1, 0.1, 3)
        post = np.stack([colour, 1 - colour, colour], 0)[None].repeat(rows, 0)
        return post * self.random.uniform(0.6, 1.0, (rows, 1, 1))


class Blurred(Toy):
    def finish(self, picture):
        return cv2.GaussianBlur(picture, (0, 0), 1.5)


class UpsideDown(Toy):
    def finish(self, picture):
        return np.ascontiguousarray(picture[::-1])


class Frozen(Toy):
    def step(self, controls):
        if not hasattr(self, "_kept"):
            self._kept = super().step(controls)
        return self._kept


class Noise(Toy):
    def finish(self, picture):
        return self.random.integers(0, 256, picture.shape).astype(np.uint8)


class Deaf(Toy):
    """Lives, but enters what it likes and has its own light and speed."""

    def step(self, controls):
        mine = {name: float(self.random.random() < 0.12) for name in ("far", "middle", "near")}
        return super().step(Controls(speed=0.7, **mine))


class Replay:
    """Plays footage again and again, whatever it is told."""

    size = SIZE

    def __init__(self, frames, stop):
        self.frames, self.stop, self.at = frames, stop, 0

    def reset(self, seed):
        self.at = seed * 37

    def step(self, controls):
        self.at += 1
        return ModelFrame(self.frames[self.at % self.stop], np.zeros((*SIZE, 2), np.float32), 0)


def controls_of_a_journey(count: int, seed: int) -> np.ndarray:
    """Halts, three speeds, things that enter now and then, slow changes of light: float32 (count, 6)."""
    rng = np.random.default_rng(seed)
    table = np.zeros((count, 6), np.float32)
    table[:, 0] = np.repeat(rng.permutation(np.resize([0.5, 1, 1.5, 1, 0, 1.0], -(-count // 50))), 50)[:count]
    for band in range(3):
        for start in np.cumsum(rng.integers(12, 40, count // 12)):
            table[start : start + 5, 1 + band] = 1
    time = np.arange(count) / FPS
    table[:, 4], table[:, 5] = 0.8 * np.sin(time / 3.1), 0.8 * np.sin(time / 2.3 + 1)
    return table[:count]


def footage_of(player, count: int = 1200, seed: int = 7, fps: float = FPS) -> Reference:
    table = controls_of_a_journey(count, seed)
    player.reset(seed)
    frames = np.stack([player.step(Controls(*map(float, row))).pixels for row in table])
    roots = np.sqrt(measures.entering(frames, SIZE[1]))
    mean = frames.reshape(count, -1, 3).mean(1) / 255
    luma, warmth = mean @ measures.LUMA, mean[:, 0] - mean[:, 2]
    usual = {
        "brightness_mean": luma.mean(), "brightness_spread": luma.std(), "warmth_mean": warmth.mean(),
        "warmth_spread": warmth.std(), "entry_low": np.percentile(roots, 10, axis=0),
        "entry_high": np.percentile(roots, 95, axis=0),
    }  # fmt: skip
    cut = int(count * 0.9)
    return Reference(frames, table, ((0, count),), ((cut, count),), ((0, cut),), usual, fps)



class Startled(Toy):
    """Loses its picture whenever the light jumps."""

    def finish(self, picture):
        now = float(picture.mean())
        self._shock = max(getattr(self, "_shock", 0) - 1, 0)
        if abs(now - getattr(self, "_last", now)) > 4:
            self._shock = 12
        self._last = now
        return cv2.GaussianBlur(picture, (0, 0), 3) if self._shock else picture
