"""How fast a generator is on this machine, and how much of the machine's own peak that is. For `vj bench` and starts."""

import statistics
import time

import torch
from torch.utils.flop_counter import FlopCounterMode

from vj.model import device
from vj.model.generator import Generator
from vj.signals import Controls


def one_thread() -> None:
    """Two threads on a busy machine wait for each other at every layer: 238 ms a frame instead of 28 were measured."""
    torch.set_num_threads(1)


def frame_seconds(generator: Generator, frames: int = 15, warm: int = 3) -> list[float]:
    """s of each of `frames` model frames, after `warm` that are not counted. The world goes on meanwhile."""
    taken = []
    for _ in range(warm + frames):
        began = time.perf_counter()
        generator.step(Controls())
        taken.append(time.perf_counter() - began)
    return taken[warm:]


def figures(generator: Generator, frames: int = 200) -> dict[str, float]:
    """ms a frame (p50, p99), GFLOP a frame, and the share of the measured matrix-product peak (Williams et al. 2009)."""
    taken = frame_seconds(generator, frames, warm=10)
    with FlopCounterMode(display=False) as counter:
        generator.step(Controls())
    gflop = counter.get_total_flops() / 1e9
    best = device.measure(generator.device)
    p50 = statistics.median(taken)
    rate = gflop / p50
    return {
        "ms a frame, p50": p50 * 1e3,
        "ms a frame, p99": sorted(taken)[int(len(taken) * 0.99)] * 1e3,
        "GFLOP a frame": gflop,
        "GFLOP/s reached": rate,
        **{f"GFLOP/s peak, {name}": value for name, value in best.items()},
        **{f"share of the peak, {name}": rate / value for name, value in best.items()},
        "million weights": sum(p.numel() for p in generator.net.parameters()) / 1e6,
    }
