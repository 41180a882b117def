"""The mean of several weights that went on from the same ones: `python -m vj.train.mix A B -o C [--dice D E]`.

What each learnt stays, and what each forgot comes back (model soups, Wortsman et al. 2022). The dice are the first's, or the
mean of D's and E's; motions, light and first pictures are the first's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from vj.errors import VJError, WeightsError
from vj.weights import Card, read, write

MIXED = ("trunk.", "light.", "painter.", "encoder.", "mender.")


Weights = tuple[Card, dict[str, torch.Tensor]]


def mix(sets: list[Weights], dice: list[Weights] | None = None) -> Weights:
    """The mean of these sets of weights (float32, by name), with the mean dice of `dice`, else those of the first. WeightsError
    if they are of different shapes."""
    card, first = sets[0]
    for _, other in [*sets[1:], *(dice or [])]:
        if {name: part.shape for name, part in other.items()} != {name: part.shape for name, part in first.items()}:
            raise WeightsError("Only weights of one and the same network can be mixed: these have other tensors.")
    mean = {name: torch.stack([each[name] for _, each in sets]).mean(0) if name.startswith(MIXED) else part
            for name, part in first.items()}  # fmt: skip
    recipe = " + ".join(f"({each.recipe})" for each, _ in sets)
    if dice:
        drawn = [name for name in first if name.startswith("prior.")]
        mean |= {name: torch.stack([each[name].float() for _, each in dice]).mean(0).to(first[name].dtype) for name in drawn}
        recipe += " with the dice of " + " + ".join(f"({each.recipe})" for each, _ in dice)
    return replace(card, recipe=f"the mean of {recipe}" if len(sets) > 1 else recipe), mean


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("weights", nargs="+", type=Path)
    words.add_argument("-o", "--output", required=True, type=Path)
    words.add_argument("--dice", nargs="+", type=Path, metavar="WEIGHTS")
    words = words.parse_args()
    try:
        dice = [read(path) for path in words.dice or ()]
        write(words.output, *mix([read(path) for path in words.weights], dice), halved=True)
    except VJError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
