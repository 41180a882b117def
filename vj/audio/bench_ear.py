"""What the ear costs and how soon it tells: for `vj bench ear`. It measures; it judges nothing.

Knows no device: how long a card takes is measured by `vj bench latency`.
"""

import time
from dataclasses import dataclass

import numpy as np

from vj.audio.clicks import hit
from vj.audio.demo_music import make
from vj.audio.features import FeatureExtractor
from vj.audio.files import RATE

EVERY = 1.0  # s between two hits, give or take a tenth


@dataclass(frozen=True, slots=True)
class EarFigure:
    """One line of `vj bench ear`."""

    name: str
    value: float
    unit: str
    note: str


def measure(seconds: float = 20.0) -> list[EarFigure]:
    """The ear on the demo's music, and on hits with known moments; with its network, and without. seconds: 5..80 of each."""
    music = make(RATE)[0].mean(1)[: round(seconds * RATE)]
    figures = []
    for name, weights in (("network", "shipped"), ("by rule", None)):
        ear = FeatureExtractor(weights=weights)
        spent, wall = [], []
        for k in range(0, len(music) - ear.hop + 1, ear.hop):
            began, clock = time.process_time(), time.perf_counter()
            ear.feed(music[k : k + ear.hop])
            spent.append(time.process_time() - began)
            wall.append(time.perf_counter() - clock)
        figures += [
            EarFigure(f"{name}: core", 100 * sum(spent) / (len(spent) * ear.step), "%", "of one core, live"),
            EarFigure(f"{name}: hop p50", 1e3 * float(np.median(wall)), "ms", "of the 10 ms that there are"),
            EarFigure(f"{name}: hop p99", 1e3 * float(np.percentile(wall, 99)), "ms", ""),
        ]
        late = hit_delays(FeatureExtractor(weights=weights), seconds)
        figures += [
            EarFigure(
                f"{name}: hit p50",
                1e3 * float(np.median(late)),
                "ms",
                "of sound heard after a hit when its kick is in the features",
            ),
            EarFigure(f"{name}: hit p90", 1e3 * float(np.percentile(late, 90)), "ms", f"{len(late)} hits were told"),
        ]
    return figures


def hit_delays(ear: FeatureExtractor, seconds: float) -> np.ndarray:
    """(n,) s of sound heard from the start of each kick that is told, to the features that count it."""
    rng, sound = np.random.default_rng(0), hit(RATE)
    samples = rng.normal(0, 1e-4, round(seconds * RATE)).astype(np.float32)
    times = np.arange(1.0, seconds - 0.5, EVERY)
    times = times + rng.uniform(-0.1, 0.1, len(times))
    for at in times:
        start = round(at * RATE)
        samples[start : start + len(sound)] += 0.6 * sound
    delays, kicks = [], 0
    for k in range(0, len(samples) - ear.hop + 1, ear.hop):
        features = ear.feed(samples[k : k + ear.hop])
        if features.kicks > kicks:
            kicks = features.kicks
            since = features.time - times[times < features.time]
            if len(since) and since[-1] < 0.1:
                delays.append(float(since[-1]))
    return np.array(delays)
