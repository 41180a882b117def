"""Teaches the ear's second look at the drums (vj/audio/strokes.py), once its network is taught.

    python -m vj.train.ear.drums BANK EAR.safetensors [FIRST LAST]

Renders the pieces of these seeds (half a second each), learns for a minute on one thread, and adds what it learnt to the file.
"""

import json
import math
import os
import sys
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import nn

from vj.audio.features import FeatureExtractor
from vj.audio.network import EarWeights, read
from vj.audio.senses import BANDS
from vj.audio.strokes import SIZE
from vj.train.ear.bank import Bank
from vj.train.ear.learn import targets_of
from vj.train.ear.sound import make

SEEDS = (710000, 710927)
HIDDEN, ROUNDS, BATCH, RATE_OF_LEARNING = 96, 8, 512, 2e-3
NOISE = 0.25  # standard deviations of what it is shown, added while it learns
SPARSE = 4  # of the pieces without drums, one in so many
LIKELY, ELSE = 0.15, 0.2  # hops that the network takes for no stroke are shown by this share only


class _Witness(FeatureExtractor):
    """An ear that keeps what its second look is shown, and what the network said."""

    def __init__(self, weights: EarWeights) -> None:
        super().__init__(weights=weights)
        self.kept: list[np.ndarray] = []
        self.said: list[float] = []
        show = self._strokes.shown

        def keep(short, heard, bands) -> np.ndarray:
            self.kept.append(show(short, heard, bands).copy())
            self.said.append(max(heard[2:5]))
            return self.kept[-1]

        self._strokes.shown = keep


def gather(bank: Bank, weights: EarWeights, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    """-> float16 (n, SIZE) and float32 (n, 3): what is shown in the hops of these pieces, and what there is."""
    rng, shown, wanted = np.random.default_rng(0), [], []
    for seed in range(first, last):
        heard = make(seed, bank, 30.0)
        if not heard.onsets and seed % SPARSE:
            continue
        ear = _Witness(weights)
        ear.feed(heard.samples)
        there = targets_of(heard, len(ear.kept))[0][:, 2:].astype(np.float32) / 255
        keep = (there.max(1) > 0) | (np.array(ear.said) > LIKELY) | (rng.random(len(there)) < ELSE)
        keep[:100] = False
        shown.append(np.array(ear.kept, np.float16)[keep])
        wanted.append(there[keep])
    return np.concatenate(shown), np.concatenate(wanted)


def learn(shown: np.ndarray, wanted: np.ndarray) -> dict[str, np.ndarray]:
    """-> tensors, as Strokes takes them."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, some = np.random.default_rng(0), shown[:: max(1, len(shown) // 200000)].astype(np.float32)
    mean, spread = some.mean(0), some.std(0) + 0.05
    net = nn.Sequential(nn.Linear(SIZE, HIDDEN), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN, 3))
    optimiser = torch.optim.AdamW(net.parameters(), RATE_OF_LEARNING, weight_decay=1e-3)
    steps = ROUNDS * len(shown) // BATCH
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE_OF_LEARNING * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        chosen = rng.integers(0, len(shown), BATCH)
        x = torch.from_numpy((shown[chosen].astype(np.float32) - mean) / spread)
        x[:, :BANDS] += 0.1 * torch.randn(1, BANDS)  # another equaliser
        logits = net(x + NOISE * torch.randn_like(x))
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.from_numpy(wanted[chosen]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    one, two = net[0], net[3]
    learnt = {"one.weight": one.weight, "one.bias": one.bias, "two.weight": two.weight, "two.bias": two.bias}
    return {name: t.detach().numpy() for name, t in learnt.items()} | {"mean": mean, "spread": spread}


def add(path: Path, weights: EarWeights, learnt: dict[str, np.ndarray]) -> None:
    """Writes the ear's file anew, with this second look."""
    tensors = weights.tensors | {f"drums.{name}": np.ascontiguousarray(t, np.float32) for name, t in learnt.items()}
    aside = path.with_suffix(".tmp")
    safetensors.numpy.save_file(tensors, aside, {"card": json.dumps(weights.card)})
    os.replace(aside, path)


if __name__ == "__main__":
    ear = Path(sys.argv[2])
    known = read(ear)
    add(ear, known, learn(*gather(Bank(Path(sys.argv[1])), known, *(int(x) for x in sys.argv[3:5] or SEEDS))))
