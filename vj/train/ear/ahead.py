"""Teaches the ear to hear the drums of a file again, in the light of what follows (vj/audio/hindsight.py).

    python -m vj.train.ear.ahead SHARDS OUT/ear.safetensors

Once its network and its second look are taught: shows what both say of the shards (see vj/train/ear/learn.py), of which
it leaves out those that are held back, and adds what it learns to the file. NETS small networks learn from every NETS-th
shard each, and their mean is kept, as one network (bagging; Breiman 1996): by recordings single ones differ much.
"""

import math
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from vj.audio.hindsight import SIZE, Hindsight
from vj.audio.network import LOOKS, EarWeights, read
from vj.audio.senses import rises
from vj.audio.strokes import whole
from vj.train.ear.drums import LEFT_OUT, add, fit
from vj.train.ear.learn import VALID, Net

NETS, HIDDEN, ROUNDS, BATCH, RATE_OF_LEARNING = 3, 96, 5, 512, 2e-3
NOISE, DROPPED = 0.25, 0.1  # standard deviations added to what is shown while it learns; share of the hidden layer left out
PER_SHARD = 36000  # hops, at most
JOINED = 0.35  # of the excerpts, so many are two, one after the other: a file may change
LIKELY, ELSE, KEPT = 0.1, 0.12, 0.8  # of the hops that the network takes for no stroke, and of all that are left, these shares
LOST, TWICE, HALF, ASIDE, AMISS = 0.12, 0.06, 0.06, 0.04, 0.2  # chances that no beats are known, twice or half as many, that
# they are half a beat off, and that some are missing
BLURRED = (1.0, 0.6)  # hops, by which they are off: all, and each
FIRST = 60  # hops of an excerpt, of which nothing is learnt
PERIODS = (28, 109)  # hops, of the beats by which the second look looks back


def beats_in(wanted: np.ndarray) -> np.ndarray:
    """wanted: uint8 (n,), the beats' targets in a shard -> (k,) hops, to a fraction."""
    x = wanted.astype(float)
    top = np.flatnonzero((x[1:-1] >= x[:-2]) & (x[1:-1] > x[2:]) & (x[1:-1] > 100)) + 1
    return top + (x[top + 1] - x[top - 1]) / (x[top - 1] + x[top] + x[top + 1])


def known_beats(rng: np.random.Generator, beats: np.ndarray, n: int) -> np.ndarray:
    """(k,) true beats in n hops -> (m,): what may be taken for them in a file that is heard in advance, by chance."""
    way = rng.random()
    if way < LOST or (len(beats) < 6 and way < 0.5):
        return np.zeros(0)
    if len(beats) < 6:  # beats that are not there
        period = float(rng.uniform(33, 100))
        beats = np.arange(rng.uniform(0, period), n, period)
    if way > 1 - HALF:
        beats = beats[int(rng.integers(2)) :: 2]
    elif way > 1 - HALF - TWICE:
        beats = np.sort(np.concatenate([beats, (beats[1:] + beats[:-1]) / 2]))
    elif way > 1 - HALF - TWICE - ASIDE:
        beats = beats + np.median(np.diff(beats)) / 2
    beats = np.sort(beats + rng.normal(0, BLURRED[0]) + rng.normal(0, BLURRED[1], len(beats)))
    if rng.random() < AMISS:
        start = rng.uniform(0, n)
        beats = beats[(beats < start) | (beats > start + rng.uniform(200, 1000))]
    return beats[(beats >= 0) & (beats < n)]


def looked_at(short: np.ndarray, said: np.ndarray, logs: np.ndarray, beats: np.ndarray, drums: dict) -> np.ndarray:
    """What the second look says, a quarter of its logits (n, 3), where it knows the beats. said: (n, 5) logits."""
    n = len(short)
    period = np.interp(np.arange(n), beats[:-1], np.diff(beats), 0, 0) if len(beats) > 1 else np.zeros(n)
    period[(period < PERIODS[0]) | (period > PERIODS[1])] = 0
    shown = (whole(short, said, logs, period) - drums["mean"]) / drums["spread"]
    inner = np.maximum(shown @ drums["one.weight"].T + drums["one.bias"], 0)
    return np.clip(inner @ drums["two.weight"].T + drums["two.bias"], -9.21024, 9.21024) / 4


def files(path: Path, net: Net, drums: dict, rng: np.random.Generator) -> Iterator[tuple[Hindsight, np.ndarray, np.ndarray]]:
    """-> of each file of a shard what can be shown, the strokes (n, 3) 0..1, and the hops (m,) that are worth it."""
    with np.load(path) as data:
        part = {name: data[name] for name in data.files}
    short, outer = np.float32(part["short"]), np.float32(part["outer"])
    with torch.no_grad():
        every = net(torch.from_numpy(rises(short, np.float32(part["long"]))))[0].numpy()
    wanted, length = part["wanted"], short.shape[1]
    waiting = [k for k in rng.permutation(len(short)) if not str(part["name"][k]).startswith(LEFT_OUT)]
    while waiting:
        pieces = [(waiting.pop(), length)]
        if waiting and rng.random() < JOINED:
            pieces.insert(0, (waiting.pop(), int(rng.integers(length // 10, length * 9 // 10))))
        sound, said, logs, strokes = (
            np.concatenate([x[k, :end] for k, end in pieces]) for x in (short, every[..., :5], outer, wanted[..., 2:])
        )
        beats, worth, start = [], np.ones(len(sound), bool), 0
        for k, end in pieces:
            beats.append(start + (found := known_beats(rng, beats_in(wanted[k, :, 0]), length))[found < end])
            worth[start : start + FIRST] = False
            start += end
        beats = np.concatenate(beats)
        looked = looked_at(sound, said, logs, beats, drums)
        likely = said[:, 2:].max(1) > math.log(LIKELY / (1 - LIKELY))
        worth &= strokes.any(1) | likely | (rng.random(len(sound)) < ELSE)
        worth &= rng.random(len(sound)) < KEPT
        shown = Hindsight(sound, np.clip(said, -9.21024, 9.21024) / 4, looked, logs, beats)
        yield shown, np.float32(strokes) / 255, np.flatnonzero(worth)


def gather(paths: list[Path], weights: EarWeights) -> tuple[np.ndarray, np.ndarray]:
    """-> float16 (n, SIZE), float32 (n, 3) 0..1: what is shown, and what there is. The weights must have a second look."""
    net = Net(*(torch.from_numpy(weights.tensors[name]) for name in ("mean", "spread"))).eval()
    net.load_state_dict({name: torch.from_numpy(t) for name, t in weights.network.items()})
    shown, there = [], []
    for path in paths:
        rng, found = np.random.default_rng(int(path.stem)), []
        for file, strokes, hops in files(path, net, weights.drums, rng):
            found.append((np.float16(file.shown(hops)), strokes[hops]))
        chosen = rng.permutation(sum(len(x) for x, _ in found))[:PER_SHARD]
        shown.append(np.concatenate([x for x, _ in found])[chosen])
        there.append(np.concatenate([y for _, y in found])[chosen])
    return np.concatenate(shown), np.concatenate(there)


def learn(shown: np.ndarray, wanted: np.ndarray, seed: int = 0) -> dict[str, np.ndarray]:
    """float16 (n, SIZE), float32 (n, 3) 0..1 -> tensors, as Hindsight.judge takes them."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    rng, some = np.random.default_rng(seed), shown[:: max(1, len(shown) // 100_000)].astype(np.float32)
    mean, spread = some.mean(0), some.std(0) + 0.05
    net = nn.Sequential(nn.Linear(SIZE, HIDDEN), nn.ReLU(), nn.Dropout(DROPPED), nn.Linear(HIDDEN, 3))
    noise = NOISE * torch.randn(20 * BATCH * SIZE)  # drawn once: to draw it anew takes longer than to learn

    def lesson() -> tuple[torch.Tensor, torch.Tensor]:
        chosen, start = rng.integers(0, len(shown), BATCH), int(rng.integers(0, 19 * BATCH * SIZE))
        x = torch.from_numpy((shown[chosen].astype(np.float32) - mean) / spread)
        return x + noise[start : start + x.numel()].view(x.shape), torch.from_numpy(wanted[chosen])

    return fit(net, RATE_OF_LEARNING, ROUNDS * len(shown) // BATCH, lesson) | {"mean": mean, "spread": spread}


def together(nets: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Networks -> one that says the mean of their logits."""
    scaled = [net["one.weight"] / net["spread"] for net in nets]
    return {
        "one.weight": np.concatenate(scaled),
        "one.bias": np.concatenate([net["one.bias"] - w @ net["mean"] for net, w in zip(nets, scaled, strict=True)]),
        "two.weight": np.concatenate([net["two.weight"] for net in nets], 1) / len(nets),
        "two.bias": sum(net["two.bias"] for net in nets) / len(nets),
        "mean": np.zeros(SIZE, np.float32),
        "spread": np.ones(SIZE, np.float32),
    }


def main(words: list[str]) -> None:
    ear, weights, nets = Path(words[1]), read(words[1]), []
    shards = [p for p in sorted(Path(words[0]).glob("[0-9]*[0-9].npz")) if int(p.stem) < VALID]
    for k in range(NETS):
        nets.append(learn(*gather(shards[k::NETS], weights), seed=k))
        print(f"{k + 1} of {NETS}", flush=True)
    add(ear, weights, together(nets), LOOKS[1])


if __name__ == "__main__":
    main(sys.argv[1:])
