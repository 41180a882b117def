"""How long a model frame takes on this machine: shows choose their rate by it."""

import os
import time

import torch

from vj.model.generator import Generator
from vj.signals import Controls


def one_thread() -> None:
    """Two threads on a busy machine wait for each other at every layer: 238 ms a frame instead of 28 were measured."""
    torch.set_num_threads(1)


def half_the_threads() -> None:
    """For training alone: half the processor's threads, so that nothing else that runs makes all of them wait."""
    torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))


def frame_seconds(generator: Generator, frames: int = 15, warm: int = 3) -> list[float]:
    """s of each of `frames` model frames, after `warm` that are not counted. The world goes on meanwhile."""
    taken = []
    for _ in range(warm + frames):
        began = time.perf_counter()
        generator.step(Controls())
        taken.append(time.perf_counter() - began)
    return taken[warm:]
