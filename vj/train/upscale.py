"""The learnt upscaler: a small convolutional network, four times as large, trained on footage. Knows no GL.

After ESPCN (Shi et al. 2016): all layers work at the small size, the last one gives the sixteen pixels of each place.
It sees luma and adds what it finds to a bicubic picture; colours stay bicubic. vj/render/learnt.py runs it as shaders.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Self

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vj.errors import VJError, WeightsError
from vj.train.large import load as load_large
from vj.video import read_frames

log = logging.getLogger("vj")
NAME = "upscaler.safetensors"  # in the slot of a show, where a trainer may leave newer weights
SCALE = 4
WIDTH = 16  # channels of each layer but the first
LAYERS = 4
LUMA = (0.2126, 0.7152, 0.0722)
LEAK = 0.1  # of what is below zero
ENOUGH = 8  # large pictures that footage must have to be learnt from


class Net(torch.nn.Module):
    """(B, 1, H, W) luma 0..1 -> (B, 1, 4H, 4W): what is added to the bicubic picture. Some seven thousand weights."""

    def __init__(self):
        super().__init__()
        sizes = (1, *(WIDTH,) * LAYERS)
        self.layers = torch.nn.ModuleList(torch.nn.Conv2d(a, b, 3) for a, b in pairwise(sizes))
        with torch.no_grad():
            self.layers[-1].weight.mul_(0.1)
            self.layers[-1].bias.zero_()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for number, layer in enumerate(self.layers):
            x = layer(F.pad(x, (1, 1, 1, 1), mode="replicate"))
            if number + 1 < len(self.layers):
                x = F.leaky_relu(x, LEAK)
        return F.pixel_shuffle(x, SCALE)


def cubic(small: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) -> (B, C, 4H, 4W), Catmull and Rom 1974 with the border going on, as shaders/include/cubic_at.glsl."""
    kernels = []
    for k in range(SCALE):
        f = ((k + 0.5) / SCALE - 0.5) % 1.0
        f2, f3 = f * f, f * f * f
        four = [-0.5 * f3 + f2 - 0.5 * f, 1.5 * f3 - 2.5 * f2 + 1, -1.5 * f3 + 2 * f2 + 0.5 * f, 0.5 * f3 - 0.5 * f2]
        kernels.append([*four, 0.0] if k < SCALE / 2 else [0.0, *four])  # taps at -2..2
    taps = small.new_tensor(kernels)  # (4, 5)
    count, channels, height, width = small.shape
    x = F.pad(small.reshape(count * channels, 1, height, width), (2, 2, 2, 2), mode="replicate")
    x = F.conv2d(x, taps.reshape(SCALE, 1, 1, 5))  # (N, 4, H + 4, W)
    x = x.permute(0, 2, 3, 1).reshape(count * channels, 1, height + 4, width * SCALE)
    x = F.conv2d(x, taps.reshape(SCALE, 1, 5, 1))  # (N, 4, H, 4W)
    return x.transpose(1, 2).reshape(count, channels, height * SCALE, width * SCALE)


def enlarge(net: Net, frame: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (4H, 4W, 3), as the shaders do it."""
    with torch.no_grad():
        x = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
        luma = (x * x.new_tensor(LUMA).view(1, 3, 1, 1)).sum(1, keepdim=True)
        out = (cubic(x).clamp(0, 1) + net(luma)).clamp(0, 1)
    return (out[0].permute(1, 2, 0).numpy() * 255).round().astype(np.uint8)


# ---------------------------------------------------------------------------------------------------------- footage
def shrink(large: np.ndarray) -> np.ndarray:
    """uint8 (4H, 4W, 3) -> uint8 (H, W, 3): mean of each sixteen pixels, as `vj footage` makes its frames."""
    return cv2.resize(large, (large.shape[1] // SCALE, large.shape[0] // SCALE), interpolation=cv2.INTER_AREA)


def frames(sources: Iterable[Path], size: tuple[int, int] = (640, 384), every: int = 12, share: tuple[float, float] = (0.0, 1.0),
           most: int = 400) -> list[np.ndarray]:  # fmt: skip
    """Each `every`-th frame of these videos, uint8 (H, W, 3); size: (width, height) px.

    share: which part of each video; most: frames of one video. Raises FootageError where one cannot be read.
    """
    found: list[np.ndarray] = []
    for source in sources:
        taken = [frame for number, frame in enumerate(read_frames(source, size)) if number % every == 0]
        part = taken[round(share[0] * len(taken)) : round(share[1] * len(taken))]
        step = max(1, -(-len(part) // most))
        found += part[::step]
    return found


# --------------------------------------------------------------------------------------------------------- training
@dataclass(frozen=True, slots=True)
class Recipe:
    """How it is trained."""

    batch: int = 16
    patch: int = 32  # px of the small picture
    rate: float = 2e-3
    last_rate: float = 5e-5
    aliased: float = 0.3  # share of patches with steps in their edges, as a network makes them that moves whole pixels


class Trainer:
    """Learns from pairs of large and small pictures. run(steps) as often as one likes; publishable() at any time."""

    def __init__(self, large: list[np.ndarray], tensors: dict[str, torch.Tensor] | None = None, total: int = 6000, seed: int = 0,
                 recipe: Recipe | None = None):  # fmt: skip
        """large: uint8 (H, W, 3), sides multiples of 4; tensors: to go on from; total: steps until the rate is lowest."""
        if not large:
            raise VJError("There is nothing to learn upscaling from: give videos of 640 pixels and more.")
        torch.manual_seed(seed)
        self.recipe, self.net, self.steps, self.loss = recipe or Recipe(), Net(), 0, 0.0
        if tensors is not None:
            self.net.load_state_dict(tensors)
        weights = np.array(LUMA, np.float32) / 255
        self._large = [(frame @ weights).astype(np.float16) for frame in large]
        self._small = [(shrink(frame) @ weights).astype(np.float16) for frame in large]
        self._random, self._total = np.random.default_rng(seed), total
        self._optimiser = torch.optim.Adam(self.net.parameters(), lr=self.recipe.rate)

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 1, P, P) and (B, 1, 4P, 4P)."""
        recipe, patch, small, large = self.recipe, self.recipe.patch, [], []
        for number in self._random.integers(len(self._small), size=self.recipe.batch):
            height, width = self._small[number].shape
            y, x = self._random.integers(height - patch + 1), self._random.integers(width - patch + 1)
            a = self._small[number][y : y + patch, x : x + patch]
            b = self._large[number][SCALE * y : SCALE * (y + patch), SCALE * x : SCALE * (x + patch)]
            if self._random.random() < recipe.aliased:
                dy, dx, share = (*self._random.integers(1, 3, 2), self._random.uniform(0.2, 1.0))
                a = (share * b[dy::SCALE, dx::SCALE] + (1 - share) * a).astype(np.float16)
            turn = int(self._random.integers(8))
            small.append(_turned(a, turn))
            large.append(_turned(b, turn))
        return tuple(torch.from_numpy(np.stack(part)[:, None].astype(np.float32)) for part in (small, large))

    def run(self, steps: int) -> float:
        """So many steps; returns the mean loss, |error| + 1e-3 of luma 0..1 (Charbonnier)."""
        total, recipe = 0.0, self.recipe
        for _ in range(steps):
            share = min(self.steps / self._total, 1.0)
            for group in self._optimiser.param_groups:
                group["lr"] = recipe.last_rate + 0.5 * (recipe.rate - recipe.last_rate) * (1 + np.cos(np.pi * share))
            small, large = self._batch()
            error = cubic(small) + self.net(small) - large
            loss = (error * error + 1e-6).sqrt()[..., 8:-8, 8:-8].mean()
            self._optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self._optimiser.step()
            self.steps += 1
            total += loss.item()
        self.loss = total / max(1, steps)
        return self.loss

    def publishable(self) -> dict[str, torch.Tensor]:
        """The weights, of their own memory."""
        return {name: tensor.detach().clone().contiguous() for name, tensor in self.net.state_dict().items()}


class FineTuner:
    """Goes on learning from a footage's own large pictures, beside the network; gives only what is better than before."""

    def __init__(self, pictures: list[np.ndarray], tensors: dict[str, torch.Tensor], total: int = 3000, seed: int = 0):
        """pictures: large ones, as of Trainer; one of six is held back. tensors: to go on from; total: steps until the rate
        is lowest."""
        held = pictures[3::6] or pictures[:1]
        taught = [picture for number, picture in enumerate(pictures) if number % 6 != 3] or pictures
        self.trainer = Trainer(taught, tensors, total, seed, Recipe(rate=5e-4))
        self._calm = {name: tensor.clone() for name, tensor in tensors.items()}  # the mean of the last some hundred steps
        self._held = [(shrink(picture), picture) for picture in held[:8]]
        self.first = self.best = self._worth(tensors)

    @classmethod
    def of(cls, footage: Path, weights: Path | dict[str, torch.Tensor], seed: int = 0) -> Self | None:
        """From a prepared folder and what to go on from; None, upscaling then stays as it is, where its large pictures are
        too few or the weights cannot be read."""
        pictures = load_large(footage)
        if len(pictures) < ENOUGH:
            return None
        try:
            return cls(pictures, read(weights) if isinstance(weights, Path) else weights, seed=seed)
        except WeightsError as error:
            log.warning("%s", error)
            return None

    def __call__(self, steps: int) -> dict[str, torch.Tensor] | None:
        """So many steps; weights that do better on what is held back than all before, or None."""
        for _ in range(max(1, steps // 5)):
            self.trainer.run(5)
            for name, tensor in self.trainer.net.state_dict().items():
                self._calm[name].lerp_(tensor, 0.05)
        worth = self._worth(self._calm)
        if not worth > self.best:
            return None
        self.best = worth
        return {name: tensor.clone() for name, tensor in self._calm.items()}

    def _worth(self, tensors: dict[str, torch.Tensor]) -> float:
        """Mean PSNR in dB on the pictures held back."""
        net = Net()
        net.load_state_dict(tensors)
        errors = [np.square(enlarge(net, a).astype(np.float32) - b).mean() for a, b in self._held]
        return float(np.mean([10 * np.log10(255**2 / max(error, 1e-2)) for error in errors]))


def _turned(picture: np.ndarray, way: int) -> np.ndarray:
    """One of the eight ways to lay a square."""
    picture = np.rot90(picture, way % 4)
    return picture[:, ::-1] if way >= 4 else picture


def learn(sources: list[Path], out: Path, steps: int = 6000, tell=None) -> dict[str, torch.Tensor]:
    """Trains on the first four fifths of these videos and writes `out`. tell(share done 0..1, what): progress.

    Raises FootageError, WeightsError.
    """
    trainer = Trainer(frames(sources, share=(0.0, 0.8)), total=steps)
    while trainer.steps < steps:
        loss = trainer.run(min(100, steps - trainer.steps))
        if tell is not None:
            tell(trainer.steps / steps, f"upscaling, loss {loss:.4f}")
    tensors = trainer.publishable()
    write(out, tensors, {"steps": steps, "footage": [path.name for path in sources]})
    return tensors


# ------------------------------------------------------------------------------------------------------------ files
def write(path: Path, tensors: dict[str, torch.Tensor], card: dict) -> None:
    """Aside and renamed. card: anything for JSON. Raises WeightsError where it cannot be written."""
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        save_file(tensors, aside, metadata={"card": json.dumps(card)})
        aside.chmod(0o644)
        os.replace(aside, path)
    except (OSError, SafetensorError) as error:
        aside.unlink(missing_ok=True)
        raise WeightsError(f"Cannot write {path} ({error}): make room or choose another place.") from error


def read(path: Path) -> dict[str, torch.Tensor]:
    """What write() wrote. Raises WeightsError: missing, damaged, of another shape, or not finite."""
    try:
        with safe_open(str(path), framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"The upscaler {path} cannot be read ({error}): install it again, or train one.") from None
    mine = Net().state_dict()
    fits = tensors.keys() == mine.keys() and all(tensors[n].shape == mine[n].shape for n in mine)
    if not fits or not all(torch.isfinite(t).all() for t in tensors.values()):
        raise WeightsError(f"The upscaler {path} is none of this program's: install it again, or train one.")
    return tensors


def layers(tensors: dict[str, torch.Tensor]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For the shaders: of each layer the weights float32 (out, in, 3, 3) and the bias (out,)."""
    for number in range(LAYERS):
        yield tuple(tensors[f"layers.{number}.{part}"].float().numpy() for part in ("weight", "bias"))
