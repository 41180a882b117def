"""Teaches the ear's second look at the drums (vj/audio/strokes.py), once its network is taught.

    python -m vj.train.ear.drums SHARDS OUT/ear.safetensors [LAST]
    python -m vj.train.ear.drums SHARDS OUT/ear.safetensors LAST more MORE_SHARDS

Shows it what that network says of the shards up to LAST (see vj/train/ear/learn.py), learns for two minutes on one thread, and
adds what it learnt to the file. The second goes on from what the file has, with all of MORE_SHARDS too, and keeps a mean of
both: what is new is not to push out what was known (Wortsman et al., Robust fine-tuning of zero-shot models, 2022).
"""

import json
import math
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import safetensors.numpy
import torch
from torch import nn

from vj.audio.network import LOOKS, EarWeights, read
from vj.audio.senses import BANDS, rises
from vj.audio.strokes import SIZE, whole
from vj.train.ear.learn import VALID, Net

HIDDEN, ROUNDS, BATCH, RATE_OF_LEARNING = 96, 8, 512, 2e-3
HOPS = 1_000_000  # that it learns from
NOISE = 0.25  # standard deviations of what it is shown, added while it learns
SPARSE = 0.5  # of the pieces without drums, this share is shown;
LIKELY, ELSE = 0.15, 0.2  # of the hops that the network takes for no stroke, this share
LOCK = (1.0, 5.0)  # s, as long the ear may take to find the beat
DOUBLE, LOST = 0.12, 0.15  # chances that it hears twice or half the tempo, and none
MORE_RATE, MORE_ROUNDS, MORE_SHARE = 7e-4, 2, 0.6  # where it goes on: rate, rounds, share of what came of it in the mean
LEFT_OUT = "toms"  # of MORE_SHARDS, pieces whose style begins so: learnt from, they cost real snares
UNSURE = 0.004  # by which a period may be wrong


def heard_periods(rng: np.random.Generator, tempo: np.ndarray) -> np.ndarray:
    """(n,) true beats a minute of every hop, 0 none -> (n,) hops, 0 unknown: what an ear takes for the period, by chance."""
    right = rng.random()
    if right < LOST or (not tempo.any() and right < 0.5):
        return np.zeros(len(tempo))
    true = np.where(tempo > 0, tempo, 0.0) if tempo.any() else np.full(len(tempo), rng.uniform(60, 180))
    scale = float(rng.choice([0.5, 2.0])) if right > 1 - DOUBLE else 1.0
    periods = 6000 / np.maximum(true, 1) / scale * rng.normal(1, UNSURE)
    known = (true > 0) & (periods >= 28) & (periods <= 109) & (np.arange(len(tempo)) > 100 * rng.uniform(*LOCK))
    return np.where(known, periods, 0.0)


def gather(
    shards: list[Path], weights: EarWeights, sparse: float = SPARSE, left_out: tuple[str, ...] = ()
) -> tuple[np.ndarray, np.ndarray]:
    """-> float16 (n, SIZE) and float32 (n, 3): what is shown in some HOPS hops of these shards, and what there is.

    sparse: share, 0..1, of the pieces without drums that is shown; left_out: how the styles begin that are not.
    """
    rng, shown, wanted = np.random.default_rng(0), [], []
    net = Net(*(torch.from_numpy(weights.tensors[name]) for name in ("mean", "spread"))).eval()
    net.load_state_dict({name: torch.from_numpy(t) for name, t in weights.network.items()})
    for path in shards:
        with np.load(path) as data:
            part = {name: data[name] for name in data.files}
        found, there = [], []
        short, long = np.float32(part["short"]), np.float32(part["long"])
        with torch.no_grad():
            every = net(torch.from_numpy(rises(short, long)))[0].numpy()
        for k, said in enumerate(every):
            strokes = np.float32(part["wanted"][k][:, 2:]) / 255
            left = bool(left_out) and str(part["name"][k]).startswith(left_out)
            if left or (not strokes.any() and rng.random() > sparse):
                continue
            periods = heard_periods(rng, np.float32(part["tempo"][k]))
            likely = said[:, 2:5].max(1) > math.log(LIKELY / (1 - LIKELY))
            keep = (strokes.max(1) > 0) | likely | (rng.random(len(strokes)) < ELSE)
            keep[:100] = False
            found.append(np.float16(whole(short[k], said[:, :5], np.float32(part["outer"][k]), periods)[keep]))
            there.append(strokes[keep])
        chosen = rng.permutation(sum(map(len, found)))[: HOPS // len(shards)]
        shown.append(np.concatenate(found)[chosen])
        wanted.append(np.concatenate(there)[chosen])
    return np.concatenate(shown), np.concatenate(wanted)


def learn(shown: np.ndarray, wanted: np.ndarray, known: dict[str, np.ndarray] | None = None) -> dict[str, np.ndarray]:
    """float16 (n, SIZE), float32 (n, 3) 0..1 -> tensors, as Strokes takes them. known: such tensors, to go on from."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng, some = np.random.default_rng(0), shown[:: max(1, len(shown) // 200000)].astype(np.float32)
    mean, spread = some.mean(0), some.std(0) + 0.05
    net = nn.Sequential(nn.Linear(SIZE, HIDDEN), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN, 3))
    full, rounds = RATE_OF_LEARNING, ROUNDS
    if known is not None:
        mean, spread, full, rounds = known["mean"], known["spread"], MORE_RATE, MORE_ROUNDS
        names = ("one.weight", "one.bias", "two.weight", "two.bias")
        net.load_state_dict(dict(zip(net.state_dict(), (torch.from_numpy(known[name]) for name in names), strict=True)))

    def lesson() -> tuple[torch.Tensor, torch.Tensor]:
        chosen = rng.integers(0, len(shown), BATCH)
        x = torch.from_numpy((shown[chosen].astype(np.float32) - mean) / spread)
        x[:, :BANDS] += 0.1 * torch.randn(1, BANDS)  # another equaliser
        return x + NOISE * torch.randn_like(x), torch.from_numpy(wanted[chosen])

    return fit(net, full, rounds * len(shown) // BATCH, lesson) | {"mean": mean, "spread": spread}


def fit(net: nn.Sequential, rate: float, steps: int, lesson: Callable) -> dict[str, np.ndarray]:
    """Teaches a network of one hidden layer in so many steps, the rate falling to next to nothing (a cosine; Loshchilov and
    Hutter 2017). lesson() -> what is shown (n, size), what there is (n, 3) 0..1. Its tensors."""
    optimiser = torch.optim.AdamW(net.parameters(), rate, weight_decay=1e-3)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        shown, there = lesson()
        loss = nn.functional.binary_cross_entropy_with_logits(net(shown), there)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    one, two = net[0], net[3]
    learnt = {"one.weight": one.weight, "one.bias": one.bias, "two.weight": two.weight, "two.bias": two.bias}
    return {name: t.detach().numpy() for name, t in learnt.items()}


def add(path: Path, weights: EarWeights, learnt: dict[str, np.ndarray], look: str = LOOKS[0]) -> None:
    """Writes the ear's file anew, with this second look, or with another one of LOOKS."""
    tensors = weights.tensors | {f"{look}{name}": np.ascontiguousarray(t, np.float32) for name, t in learnt.items()}
    aside = path.with_suffix(".tmp")
    safetensors.numpy.save_file(tensors, aside, {"card": json.dumps(weights.card)})
    os.replace(aside, path)


def go_on(shards: list[Path], more: list[Path], weights: EarWeights) -> dict[str, np.ndarray]:
    """-> tensors: the file's own, and what comes of them by learning from `more` too, MORE_SHARE of that."""
    old, new = gather(shards, weights), gather(more, weights, 1.0, (LEFT_OUT,))
    both = [np.concatenate(pair) for pair in zip(old, new, strict=True)]
    known = weights.drums
    learnt = learn(*both, known)
    return {name: (1 - MORE_SHARE) * t + MORE_SHARE * learnt[name] for name, t in known.items()}


def main(words: list[str]) -> None:
    ear, last = Path(words[1]), int(words[2]) if len(words) > 2 else VALID - 1
    known = read(ear)
    shards = [p for p in sorted(Path(words[0]).glob("[0-9]*[0-9].npz")) if int(p.stem) <= last]
    if words[3:4] == ["more"]:
        add(ear, known, go_on(shards, sorted(Path(words[4]).glob("[0-9]*[0-9].npz")), known))
    else:
        add(ear, known, learn(*gather(shards, known)))


if __name__ == "__main__":
    main(sys.argv[1:])
