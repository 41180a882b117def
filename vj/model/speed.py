"""How long a model frame takes on this machine: shows choose their rate by it."""

import os
import statistics
import time
from dataclasses import asdict
from types import SimpleNamespace

import torch

from vj.model.generator import ARCHITECTURE, Generator
from vj.model.mender import EVERY
from vj.model.net import ModelConfig, Net
from vj.signals import Controls


def one_thread() -> None:
    """Two threads on a busy machine wait for each other at every layer: 238 ms a frame instead of 28 were measured."""
    torch.set_num_threads(1)


def half_the_threads() -> None:
    """For training alone: half the processor's threads, so that nothing else that runs makes all of them wait."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))


SIZES = ((96, 54), (128, 72), (160, 96), (256, 144), (384, 216), (512, 288))  # (width, height) px to choose from
BUDGET = 0.26 / 15  # s a model frame may take: the network's share of a frame at the slowest rate of a show


def fitting_size(device: str) -> tuple[int, int]:
    """The largest of SIZES (width, height) whose model frame takes no longer than BUDGET here; measured at 160x96."""
    config = ModelConfig()
    card = SimpleNamespace(architecture=ARCHITECTURE, config=asdict(config), version=0)
    taken = statistics.median(frame_seconds(Generator(card, Net(config).state_dict(), device), 3))
    a_pixel = taken / (config.width * config.height)
    fitting = [(width, height) for width, height in SIZES if a_pixel * width * height <= BUDGET]
    return fitting[-1] if fitting else SIZES[0]


def frame_seconds(generator: Generator, rounds: int = 6) -> list[float]:
    """s a model frame, the mean of each of `rounds` rounds, after one that is not counted. Of the frames of a round, one is
    mended (mender.EVERY). The world goes on meanwhile."""
    taken = []
    for _ in range(1 + rounds):
        began = time.perf_counter()
        for _ in range(EVERY):
            generator.step(Controls())
        taken.append((time.perf_counter() - began) / EVERY)
    return taken[1:]
