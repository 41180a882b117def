"""Prepared footage -> batches: short windows of frames with the controls that were measured in them.

Also widens what a clip teaches: other strides (twice the speed, standing still) and slow changes of light, with the
controls changed to match, so that a clip of constant speed and light still teaches what `speed`, `brightness` and
`warmth` mean. Knows no network.
"""

from dataclasses import dataclass

import numpy as np
import torch

from vj.errors import FootageError
from vj.signals import LUMA
from vj.train.scenes import Scene
from vj.view import WINDOW

BEFORE = 6  # frames of history in a window
PIECES = 4  # that are held back of a long clip


@dataclass(frozen=True, slots=True)
class Usual:
    """The footage's usual light, to measure a frame's brightness and warmth against (all 0..1)."""

    brightness_mean: float
    brightness_spread: float
    warmth_mean: float
    warmth_spread: float

    def measure(self, frames: torch.Tensor) -> torch.Tensor:
        """frames (..., 3, H, W) 0..1 -> brightness and warmth (..., 2), -1..1, as vj.train.footage measures them."""
        red, green, blue = frames.mean((-2, -1)).unbind(-1)
        luma = LUMA[0] * red + LUMA[1] * green + LUMA[2] * blue
        brightness = (luma - self.brightness_mean) / (2 * self.brightness_spread)
        warmth = (red - blue - self.warmth_mean) / (2 * self.warmth_spread)
        return torch.stack([brightness, warmth], -1).clamp(-1, 1)


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of BEFORE + ahead frames; frames[:, BEFORE - 1] is now, the next ones are to be predicted."""

    frames: torch.Tensor  # (B, T, 3, H, W) 0..1
    controls: torch.Tensor  # (B, T, 6): how frame t is reached from t - 1


class Dataset:
    """Random windows out of prepared footage, held in memory as 8 bit.

    frames (N, H, W, 3) uint8, controls (N, 6), clips [(start, stop)...]; `held_back` is the share of each clip that
    training never sees, in PIECES from all over it (`held`); `targets` (n,) are the frames that it may foretell; fine: the frames
    twice as large, a vj.train.fine_frames.FineFrames, if there are any; scenes: of all clips, where they are not one, seen flat.
    FootageError if no clip is long enough for one window.
    """

    def __init__(self, frames, controls, clips, usual: Usual, held_back: float = 0.08, seed: int = 0, fine=None,
                 scenes: list[Scene] | None = None):  # fmt: skip
        self.frames, self.controls, self.usual, self.fine = frames, np.asarray(controls, np.float32), usual, fine
        light = (usual.brightness_mean, usual.brightness_spread, usual.warmth_mean, usual.warmth_spread)
        self.scenes = scenes or [Scene(WINDOW, tuple(clips), light)]
        self.rng = np.random.default_rng(seed)
        self.training, self.held = [], []
        for start, stop in clips:
            taught, kept = _split(start, stop, held_back)
            self.training += taught
            self.held += kept
        if not self.training:
            raise FootageError(
                f"The footage has no stretch of {BEFORE + 2} frames without a cut; bring a clip of 3 s or more."
            )
        # What enters is rare and is what is hard: frames into which something comes are drawn more often.
        self.targets = np.concatenate([np.arange(min(a + BEFORE, b - 2), b) for a, b in self.training])
        chances = 0.15 + self.controls[self.targets, 1:4].max(1).clip(0, 1)
        self._chances = chances / chances.sum()
        lengths = np.array([b - a for a, b in self.training])
        self.room = int(np.quantile(np.repeat(lengths, lengths), 0.1)) - BEFORE - 3  # frames ahead that nine of ten windows have
        self.held = self.held or self.training  # a few seconds of footage: judged on what was seen, better than not

    def window(self, start: int, count: int, stride: int) -> tuple[torch.Tensor, torch.Tensor]:
        """frames (T, 3, H, W) 0..1 and controls (T, 6) from `start` on, every `stride`-th (0: the same again)."""
        index = start + np.arange(count) * stride
        frames = torch.from_numpy(self.frames[index]).permute(0, 3, 1, 2).float() / 255
        controls = self.controls[index].copy()
        if stride != 1:
            speeds = [self.controls[i - stride + 1 : i + 1, 0].sum() if stride else 0.0 for i in index]
            controls[:, 0] = speeds
        return frames, torch.from_numpy(controls)

    def batch(self, size: int, ahead: int, light: float = 0.5, beyond: int = 0) -> Batch:
        """`size` random windows of BEFORE + ahead + beyond frames; `light` is the share whose light is changed.

        Every item of a batch has its own stride. What enters does so at frame BEFORE + ahead - 1; where the footage is too
        short for a window, the world stands.
        """
        frames, controls = [], []
        back, count = BEFORE + ahead - 1, BEFORE + ahead + beyond
        for _ in range(size):
            target = int(self.rng.choice(self.targets, p=self._chances))
            start, stop = next((a, b) for a, b in self.training if a <= target < b)
            stride = int(self.rng.choice([0, 1, 2], p=[0.04, 0.8, 0.16]))
            while stride and (count - 1) * stride > stop - start - 2:
                stride -= 1
            first = max(min(target - back * stride, stop - 1 - (count - 1) * stride), start + 1)
            window, told = self.window(first, count, stride)
            if self.rng.random() < light:
                window = self._other_light(window)
                told[:, 4:6] = self.usual.measure(window)
            frames.append(window)
            controls.append(told)
        return Batch(torch.stack(frames), torch.stack(controls))

    def edges(self, size: int, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The right `width` px of `size` random frames before and after, each (size, 3, H, width), and the speed (size,)."""
        after = self.rng.choice(self.targets, size, p=self._chances)
        pair = (torch.from_numpy(self.frames[t, :, -width:]).permute(0, 3, 1, 2).float() / 255 for t in (after - 1, after))
        return *pair, torch.from_numpy(self.controls[after, 0])

    def _other_light(self, frames: torch.Tensor) -> torch.Tensor:
        """A gain and a warmth that drift slowly through the window, clearly visible at its ends."""
        T = frames.shape[0]
        time = torch.linspace(-1, 1, T)
        level, drift, warm, warm_drift = (float(v) for v in self.rng.normal(0, [0.12, 0.06, 0.06, 0.04]))
        gain = 1 + level + drift * time
        tint = warm + warm_drift * time
        return (frames * tinted(gain, tint)).clamp(0, 1)


def tinted(gain: torch.Tensor, warm: torch.Tensor) -> torch.Tensor:
    """(B,) each -> what a picture in such a light is multiplied by, (B, 3, 1, 1)."""
    return torch.stack([gain * (1 + warm), gain, gain * (1 - warm)], 1)[..., None, None]


def _split(start: int, stop: int, share: float) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """(what is taught, what is held back) of one clip: pieces from all over it, or none if the clip is short."""
    count = PIECES if (stop - start) * share / PIECES >= 4 * BEFORE else 1
    length = int((stop - start) * share / count)
    if length < BEFORE + 2 or stop - start - length < 2 * BEFORE:
        return ([(start, stop)] if stop - start >= BEFORE + 2 else []), []
    ends = [start + (stop - start) * (k + 1) // count for k in range(count)]
    held = [(end - length, end) for end in ends]
    begins = [start, *(end for _, end in held[:-1])]
    return [(a, b) for a, (b, _) in zip(begins, held, strict=True)], held
