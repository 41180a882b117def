"""Teaches the ear's network: gathers what it is shown of rendered music into shards, then learns from them on one thread.

    python -m vj.train.ear.bank BANK                       sounds from the sound fonts, once (2 minutes)
    python -m vj.train.ear.learn gather BANK SHARDS 0 100  shards 0..99, 50 excerpts of 30 s each (10 s a shard)
    python -m vj.train.ear.learn train SHARDS OUT MINUTES [EAR]

The last goes on where it was left, or begins with the weights of EAR; OUT/ear.safetensors is always whole. glibc takes half of
the time to give memory back and to get it again: MALLOC_MMAP_THRESHOLD_=4000000000 MALLOC_TRIM_THRESHOLD_=8000000000 before it.
Excerpts are made from their seed; the last shards (from VALID) are never learnt from.
"""

import argparse
import copy
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from torch import nn

from vj.audio.features import short_looks
from vj.audio.network import LOOKS
from vj.audio.senses import BANDS, EVERY, SIZE, LongLook, rises, whole
from vj.train.ear.bank import RATE, Bank
from vj.train.ear.sound import Heard, make

PER_SHARD, SECONDS, FRAMES = 50, 30.0, 3000
VALID = 9000  # shards from this number on are held back
HOP = RATE // 100
FRONT, STATE = 64, 80  # values after the first layer; memory of each recurrent layer
OUTPUTS = ("beat", "downbeat", "KD", "SD", "HH", "pulse")
SLOWEST, TEMPI = 30.0, 42  # beats a minute of the first tempo class, and their number, 5 % apart
WEIGHT = torch.tensor([4.0, 5.0, 4.0, 5.0, 2.5, 1.0])  # of what is there against what is not
SHARE = torch.tensor([3.0, 1.5, 1.0, 1.5, 0.8, 0.25])  # of each output in the loss
TEMPO_SHARE = 0.06
LENGTH, BATCH, RATE_OF_LEARNING = 1400, 44, 2e-3
DROPPED = 0.1  # share of the memory that is left out while it learns
HALF = 0.7  # so long, of all, products are taken in bfloat16, which is twice as quick where the processor has it
CALM = 0.995  # weights are averaged over some 200 steps


def frames_of(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """samples float32 (n,) at RATE -> the short and the long look of every hop, and logs of the levels that drums are heard in.

    (n/HOP, BANDS), (n/HOP/EVERY, SEMITONES), (n/HOP, OUTER).
    """
    mags, outer = short_looks(samples, RATE, HOP)
    long = LongLook(RATE, 4096)
    padded = np.concatenate([np.zeros(4096 - HOP, np.float32), samples])
    count = len(samples) // HOP // EVERY
    windows = np.lib.stride_tricks.sliding_window_view(padded, 4096)[HOP * (EVERY - 1) :: HOP * EVERY][:count]
    tones = np.abs(np.fft.rfft(windows * long.hann, axis=1)[:, : long.bins]) @ long.weights.T
    return *whole(mags, tones), np.log(outer + 1e-5)


def targets_of(heard: Heard, n: int) -> tuple[np.ndarray, np.ndarray]:
    """-> uint8 (n, 5) of OUTPUTS but the pulse, 255 in the hop that tells it best; float32 (n,) local beats a minute, 0 none."""
    wanted = np.zeros((n, 5), np.float32)
    k = np.arange(n)

    def mark(column: int, time: float) -> None:
        near = slice(max(0, int(time * 100) - 2), int(time * 100) + 6)
        wanted[near, column] = np.maximum(wanted[near, column], np.clip(1 - np.abs(k[near] - (time * 100 + 0.9)) / 2, 0, 1))

    for at, position in heard.beats:
        mark(0, at)
        if position == 1:
            mark(1, at)
    for at, kind in heard.onsets:
        mark(2 + ("KD", "SD", "HH").index(kind), at)
    tempo = np.zeros(n, np.float32)
    times = np.array([t for t, _ in heard.beats])
    if len(times) > 3:
        period = np.convolve(np.pad(np.diff(times), 1, "edge"), np.ones(3) / 3, "valid")
        tempo[:] = 60 / np.interp(k * 0.01, (times[1:] + times[:-1]) / 2, period)
    return np.round(wanted * 255).astype(np.uint8), tempo


def gather(bank: Bank, folder: Path, first: int, last: int, kinds: list[str] | None = None, far: float | None = None) -> None:
    """Writes shards first..last-1 that are not there yet. kinds: only these, in turn, not all by chance; far: see sound.make."""
    folder.mkdir(parents=True, exist_ok=True)
    for shard in range(first, last):
        path = folder / f"{shard:05d}.npz"
        if path.exists():
            continue
        kept: dict[str, list] = {"short": [], "long": [], "outer": [], "wanted": [], "tempo": [], "pulse": [], "name": []}
        for k in range(PER_SHARD):
            heard = make(shard * PER_SHARD + k, bank, SECONDS, kinds[k % len(kinds)] if kinds else None, far)
            short, long, outer = frames_of(heard.samples)
            wanted, tempo = targets_of(heard, FRAMES)
            for name, value in zip(kept, (short, long, outer, wanted, tempo, bool(heard.beats), heard.name), strict=True):
                kept[name].append(value)
        aside = path.with_suffix(".tmp.npz")
        np.savez(
            aside,
            short=np.float16(kept["short"]),
            long=np.float16(kept["long"]),
            outer=np.float16(kept["outer"]),
            wanted=np.array(kept["wanted"]),
            tempo=np.float16(kept["tempo"]),
            pulse=np.array(kept["pulse"]),
            name=np.array(kept["name"]),
        )
        os.replace(aside, path)
        print(f"shard {shard}", flush=True)


class _Gated(torch.autograd.Function):
    """A gated recurrent layer over time, as nn.GRU's: (T, B, 3N) what comes in, weights (3N, N), bias (3N,) -> (T, B, N).

    On one thread it takes half the time of nn.GRU: what does not depend on the hop before is done for all hops at once.
    """

    @staticmethod
    def forward(ctx, came: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        t, b, n = came.shape[0], came.shape[1], weight.shape[1]
        again, out = torch.empty_like(came), came.new_empty(t, b, n)
        gates, fresh = came.new_empty(t, b, 2 * n), came.new_empty(t, b, n)
        state, turned = came.new_zeros(b, n), weight.t().contiguous()
        for x, g, both, new, h in zip(came, again, gates, fresh, out, strict=True):
            torch.addmm(bias, state, turned, out=g)
            torch.add(x[:, : 2 * n], g[:, : 2 * n], out=both).sigmoid_()
            torch.addcmul(x[:, 2 * n :], both[:, :n], g[:, 2 * n :], out=new).tanh_()
            torch.lerp(new, state, both[:, n:], out=h)
            state = h
        ctx.save_for_backward(weight, again[..., 2 * n :], gates, fresh, out)
        return out

    @staticmethod
    def backward(ctx, wish: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        weight, inner, gates, fresh, out = ctx.saved_tensors
        n = weight.shape[1]
        reset, keep = gates[..., :n], gates[..., n:]
        before = torch.cat([torch.zeros_like(out[:1]), out[:-1]])
        to_new = (1 - keep) * (1 - fresh * fresh)
        slopes = torch.stack([to_new * inner * reset * (1 - reset), (before - fresh) * keep * (1 - keep), to_new * reset], 2)
        owed, asked = torch.empty_like(slopes), torch.empty_like(out)  # to each gate, to each state
        debt = torch.zeros_like(out[0])
        for w, a, o, s, k in zip(*(x.unbind(0)[::-1] for x in (wish, asked, owed, slopes, keep)), strict=True):
            torch.add(w, debt, out=a)
            torch.mul(a[:, None], s, out=o)
            debt = torch.mul(a, k).addmm_(o.view(len(o), 3 * n), weight)
        flat = owed.view(-1, 3 * n)
        of_weight, of_bias = flat.t() @ before.view(-1, n), flat.sum(0)
        owed[:, :, 2] = asked * to_new
        return owed.view(*wish.shape[:2], 3 * n), of_weight, of_bias


class Net(nn.Module):
    """(B, T, SIZE) -> logits (B, T, 6) of OUTPUTS and (B, T, TEMPI)."""

    def __init__(self, mean: torch.Tensor, spread: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)
        self.front = nn.Linear(SIZE, FRONT)
        self.one, self.two = nn.GRU(FRONT, STATE, batch_first=True), nn.GRU(STATE, STATE, batch_first=True)
        self.out, self.tempo = nn.Linear(2 * STATE, len(OUTPUTS)), nn.Linear(2 * STATE, TEMPI)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = torch.relu(self.front((x - self.mean) / self.spread)).transpose(0, 1)
        one = _layer(self.one, x)
        two = _layer(self.two, self._drop(one))
        both = self._drop(torch.cat([one, two], -1)).transpose(0, 1)
        return self.out(both), self.tempo(both[:, 9::10])

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        """(T, B, N); while it learns, some values of each stretch are left out from its beginning to its end."""
        if not self.training:
            return x
        return x * (torch.rand(x.shape[1:]) > DROPPED).float() / (1 - DROPPED)


def _layer(gru: nn.GRU, x: torch.Tensor) -> torch.Tensor:
    """(T, B, ...) -> (T, B, STATE); like gru(x)."""
    came = nn.functional.linear(x, gru.weight_ih_l0, gru.bias_ih_l0).float()
    return _Gated.apply(came, gru.weight_hh_l0, gru.bias_hh_l0)


class Shards:
    """All shards of a folder in memory, read once; new ones are taken as they come."""

    def __init__(self, folder: Path, valid: bool) -> None:
        self._folder, self._valid, self._seen = folder, valid, set()
        self.parts: list[dict[str, np.ndarray]] = []
        self.look()

    def look(self) -> None:
        for path in sorted(self._folder.glob("[0-9]*[0-9].npz")):
            if path.name not in self._seen and (int(path.stem) >= VALID) == self._valid:
                self._seen.add(path.name)
                with np.load(path) as data:
                    self.parts.append({name: data[name] for name in data.files})

    def __len__(self) -> int:
        return len(self.parts) * PER_SHARD

    def cut(self, rng: np.random.Generator, length: int) -> tuple[np.ndarray, ...]:
        """A stretch of one excerpt: short, long, wanted, tempo, pulse (length,); length divisible by EVERY."""
        part = self.parts[int(rng.integers(len(self.parts)))]
        k = int(rng.integers(PER_SHARD))
        start = int(rng.integers(0, (FRAMES - length) // EVERY + 1)) * EVERY
        here, there = slice(start, start + length), slice(start // EVERY, (start + length) // EVERY)
        pulse = np.full(length, float(part["pulse"][k]), np.float32)
        return part["short"][k, here], part["long"][k, there], part["wanted"][k, here], part["tempo"][k, here], pulse

    def batch(self, rng: np.random.Generator, size: int, length: int) -> tuple[torch.Tensor, ...]:
        """(B, T, SIZE), wanted (B, T, 6), known (B, T), bpm (B, T); half of the stretches are two, joined without warning."""
        rows = []
        for _ in range(size):
            cuts, left = [], length
            if rng.random() < 0.5:
                left = int(rng.integers(length // 4, 3 * length // 4)) // EVERY * EVERY
                cuts.append(self.cut(rng, length - left))
            cuts.append(self.cut(rng, left))
            short, long, wanted, tempo, pulse = (np.concatenate([c[i] for c in cuts]).astype(np.float32) for i in range(5))
            known = np.ones(length, np.float32)
            for start in (0, length - left):
                known[start : start + 80] = 0
            short = short * rng.normal(1, 0.06) + np.where(short > 0.02, rng.normal(0, 0.12, BANDS), 0)
            long = long * rng.normal(1, 0.06)
            x = rises(np.maximum(short, 0).astype(np.float32), np.maximum(long, 0).astype(np.float32))
            late = np.clip(np.convolve(known, np.ones(150), "full")[:length] / 150, 0, 1) > 0.99
            rows.append(
                (x, np.concatenate([wanted / 255, pulse[:, None]], 1), np.stack([known, late], 1).astype(np.float32), tempo)
            )
        return tuple(torch.from_numpy(np.stack(column)) for column in zip(*rows, strict=True))


def loss_of(net: Net, batch: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """-> the loss, and its seven parts (OUTPUTS and tempo)."""
    x, wanted, known, bpm = batch
    logits, tempi = net(x)
    each = nn.functional.binary_cross_entropy_with_logits(logits, wanted, pos_weight=WEIGHT, reduction="none")
    mask = torch.cat([known[..., :1].expand(-1, -1, 5), known[..., 1:]], -1)
    parts = (each * mask).sum((0, 1)) / mask.sum((0, 1))
    at = bpm[:, 9::10]
    place = torch.log(torch.clamp(at, 20, 300) / SLOWEST) / math.log(1.05)
    soft = torch.exp(-0.5 * ((torch.arange(TEMPI) - place[..., None]) / 0.8) ** 2) + 1e-9
    soft = soft / soft.sum(-1, keepdim=True)
    weigh = (at > 0) * known[:, 9::10, 1]
    tempo = (-(soft * torch.log_softmax(tempi, -1)).sum(-1) * weigh).sum() / (weigh.sum() + 1)
    return parts @ SHARE + TEMPO_SHARE * tempo, torch.cat([parts, tempo[None]]).detach()


def train(shards: Path, out: Path, minutes: float, known: Path | None = None, seed: int = 0) -> None:
    """Learns until `minutes` have been spent in all, over all runs; writes out/ear.safetensors and out/state.safetensors.

    known: an ear.safetensors to begin with; None: it knows nothing.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    music, held = Shards(shards, False), Shards(shards, True)
    sample = music.batch(np.random.default_rng(1), 64, LENGTH)[0].reshape(-1, SIZE)
    torch.manual_seed(seed)
    net = Net(sample.mean(0), sample.std(0) + 0.05)
    if known is not None:
        net.load_state_dict({k: v for k, v in safetensors.torch.load_file(known).items() if not k.startswith(LOOKS)})
    calm = copy.deepcopy(net).eval()  # the mean of the weights over some hundred steps: what is judged and written
    optimiser = torch.optim.AdamW(net.parameters(), RATE_OF_LEARNING, weight_decay=1e-3)
    spent, step, rng = 0.0, 0, np.random.default_rng()
    if (out / "state.safetensors").exists():
        state = safetensors.torch.load_file(out / "state.safetensors")
        net.load_state_dict({k[4:]: v for k, v in state.items() if k.startswith("net.")})
        calm.load_state_dict({k[5:]: v for k, v in state.items() if k.startswith("calm.")})
        moments = [n for n, _ in net.named_parameters()]
        optimiser.state = {
            p: {"step": state["step"].float(), "exp_avg": state[f"one.{n}"], "exp_avg_sq": state[f"two.{n}"]}
            for n, p in zip(moments, net.parameters(), strict=True)
        }
        spent, step = float(state["spent"]), int(state["step"])
    checks = [held.batch(np.random.default_rng(0), 96, LENGTH)]
    print(f"{sum(p.numel() for p in net.parameters())} weights, {len(music)} excerpts, {len(held)} held back", flush=True)
    mean, told, first = torch.zeros(7), time.monotonic(), step
    while spent < 60 * minutes:
        began = time.monotonic()
        share = spent / (60 * minutes)
        rate = RATE_OF_LEARNING * min(1.0, (step + 1) / 60) * (0.5 + 0.5 * math.cos(math.pi * min(1, share))) + 1e-5
        for group in optimiser.param_groups:
            group["lr"] = rate
        with torch.autocast("cpu", torch.bfloat16, enabled=share < HALF):
            loss, parts = loss_of(net, music.batch(rng, BATCH, LENGTH))
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        step += 1
        with torch.no_grad():
            for slow, quick in zip(calm.parameters(), net.parameters(), strict=True):
                slow.lerp_(quick, max(1 - CALM, 1 / (step / 4 + 1)))
        mean += (parts - mean) * max(0.03, 1 / (step - first))
        spent += time.monotonic() - began
        if time.monotonic() - told > 240 or spent >= 60 * minutes:
            told = time.monotonic()
            music.look()
            with torch.no_grad():
                valid = torch.stack([loss_of(calm, c)[1] for c in checks]).mean(0)
            print(
                f"{spent / 60:.1f} min, step {step}, {len(music)} excerpts: learnt {_row(mean)} held back {_row(valid)}",
                flush=True,
            )
            save(net, calm, optimiser, out, spent, step, valid)


def _row(parts: torch.Tensor) -> str:
    return " ".join(f"{x:.4f}" for x in parts.tolist())


def save(net: Net, calm: Net, optimiser: torch.optim.Optimizer, out: Path, spent: float, step: int, valid: torch.Tensor) -> None:
    """Writes what goes on learning, and what the ear reads, each whole."""
    state = {f"net.{k}": v for k, v in net.state_dict().items()}
    for name, parameter in net.named_parameters():
        state[f"one.{name}"] = optimiser.state[parameter]["exp_avg"]
        state[f"two.{name}"] = optimiser.state[parameter]["exp_avg_sq"]
    state |= {f"calm.{k}": v for k, v in calm.state_dict().items()}
    state |= {"spent": torch.tensor(spent), "step": torch.tensor(step)}
    card = {
        "architecture": "ear-gru-1",
        "outputs": list(OUTPUTS),
        "slowest": SLOWEST,
        "ratio": 1.05,
        "step": step,
        "held_back": [round(x, 5) for x in valid.tolist()],
        "recipe": "python -m vj.train.ear.learn",
    }
    for path, tensors, header in (
        (out / "state.safetensors", state, None),
        (out / "ear.safetensors", dict(calm.state_dict()), {"card": json.dumps(card)}),
    ):
        aside = path.with_suffix(".tmp")
        safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, aside, header)
        os.replace(aside, path)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ways = ask.add_subparsers(dest="way", required=True)
    way = ways.add_parser("gather")
    for name, kind in (("bank", Path), ("shards", Path), ("first", int), ("last", int)):
        way.add_argument(name, type=kind)
    way.add_argument("kinds", nargs="*", help="styles, or sounds without pulse; all by chance if none is named")
    way.add_argument("--far", type=float, help="share of the pieces whose drums are far back in the mix")
    way = ways.add_parser("train")
    for name, kind in (("shards", Path), ("out", Path), ("minutes", float)):
        way.add_argument(name, type=kind)
    way.add_argument("known", type=Path, nargs="?", help="weights to begin with")
    words = ask.parse_args()
    if words.way == "gather":
        gather(Bank(words.bank), words.shards, words.first, words.last, words.kinds, words.far)
    else:
        train(words.shards, words.out, words.minutes, words.known)


if __name__ == "__main__":
    main()
