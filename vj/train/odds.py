"""Evens the dice: `python -m vj.train.odds WEIGHTS FOOTAGE -o OUT [--keep]`.

The prior is right on average in the worlds it learnt from; in those it dreams it tells less, begins less and breaks off
sooner, for what it sees there is poorer, and so on (exposure bias; Ranzato et al. 2016). Told the footage's controls it
dreams some minutes, and for each row of cells the log odds of beginning and of going on are moved until both happen as
often as in the footage: moments matched in a closed loop, a cousin of logit adjustment (Menon et al. 2021). The weights
written have this footage's light, rows' colours and first pictures, too: in others' light other things are dreamt.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from vj.errors import VJError
from vj.model.generator import Generator
from vj.model.net import DIGITS
from vj.signals import Controls
from vj.train.footage import Footage, load
from vj.train.learn import adopt_footage, start
from vj.weights import Card, read, write

ROUNDS, FRAMES = 8, 1200  # in which the odds are moved, and dreamt frames in each
STRETCH, SETTLES = 300, 60  # frames of the footage in a row, and of a dream's beginning that do not count
STEP, MOST = 0.5, 0.5  # of the way, each round; and log odds, at most: at 1.0 specks came into the sky and bushes had no end
QUIET = 0.1  # share of the frames: rows told more seldom keep their odds, for in a clean sky nothing false is to begin
FEW = 10  # events in a round's frames, as the footage has them, of which half is believed


def tells(net, footage: Footage, stretches: int, seed: int = 0) -> np.ndarray:
    """bool (n, rows): which cells of random stretches of the footage, one after another, are worth telling."""
    random, found = np.random.default_rng(seed), []
    clips = [(a, b) for a, b in footage.clips if b - a > STRETCH + 1] or footage.clips
    for _ in range(stretches):
        start, stop = clips[random.integers(len(clips))]
        begin = int(random.integers(start, max(stop - STRETCH, start) + 1))
        end = min(begin + STRETCH + 1, stop)
        frames = torch.from_numpy(np.array(footage.frames[begin:end])).permute(0, 3, 1, 2).float() / 255
        speeds = torch.from_numpy(footage.controls[begin + 1 : end, 0].copy())
        with torch.inference_mode():
            found.append(net.encoder(frames[:-1], frames[1:], speeds)[:, :DIGITS].any(1).numpy())
    return np.concatenate(found)


def rates(told: np.ndarray) -> np.ndarray:
    """told bool (n, rows) -> (2, rows): how likely a cell begins to be told, and goes on.

    Half an event is added to each, so that none is impossible or sure.
    """
    before, now = told[:-1], told[1:]
    begins = ((~before & now).sum(0) + 0.5) / ((~before).sum(0) + 1)
    goes_on = ((before & now).sum(0) + 0.5) / (before.sum(0) + 1)
    return np.stack([begins, goes_on])


def even(generator: Generator, footage: Footage, rounds: int = ROUNDS, frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """Moves the odds of the generator's dice in place, to the mean of the last half of the rounds: float32 (2, rows)."""
    random, prior = np.random.default_rng(seed), generator.net.prior
    generator.net.sprites.forget()  # the footage's cells are told of things, too: so the dice are to draw all
    told, kept = tells(generator.exact, footage, max(frames // STRETCH, 1) * 3, seed), []
    wanted, changes = _logit(rates(told)), frames * (told[1:] != told[:-1]).mean(0) / 2
    believed = STEP * changes / (changes + FEW) * (told.mean(0) >= QUIET)
    for number in range(rounds):
        generator.reset(seed + number)
        told = []
        while len(told) < frames:
            at = int(random.integers(1, max(len(footage.controls) - STRETCH, 2)))
            for row in footage.controls[at : at + STRETCH]:
                generator.step(Controls(*(float(value) for value in row)))
                told.append(generator.world.codes[0, :DIGITS].any(0).numpy())
        off = torch.from_numpy(believed * (wanted - _logit(rates(np.array(told[SETTLES:]))))).float()
        prior.odds.copy_((prior.odds.cpu() + off).clamp(-MOST, MOST))
        generator.dice.refresh()
        kept.append(prior.odds.cpu().clone())
    prior.odds.copy_(torch.stack(kept[len(kept) // 2 :]).mean(0))
    generator.dice.refresh()
    return prior.odds.cpu().numpy()


def at_home(card: Card, tensors: dict[str, torch.Tensor], footage: Footage) -> dict[str, torch.Tensor]:
    """The same weights with the light, the rows' colours and the first pictures of this footage, but with their own motions.

    WeightsError if they are of another size.
    """
    net = start(footage, (card, tensors))
    adopt_footage(net, footage, motions=False)
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def _logit(chance: np.ndarray) -> np.ndarray:
    return np.log(chance / (1 - chance))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("weights", type=Path)
    words.add_argument("footage", type=Path, help="a prepared folder (vj footage)")
    words.add_argument("-o", "--output", required=True, type=Path)
    words.add_argument("--keep", action="store_true", help="only the light, rows and first pictures become the footage's")
    words = words.parse_args()
    torch.set_num_threads(1)
    try:
        (card, tensors), footage = read(words.weights), load(words.footage)
        tensors = at_home(card, tensors, footage)
        if not words.keep:
            tensors |= {"prior.odds": torch.from_numpy(even(Generator(card, tensors), footage))}
            card = replace(card, recipe=f"({card.recipe}), its dice evened")
        write(words.output, card, tensors, halved=True)
    except VJError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
