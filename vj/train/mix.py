"""The mean of several weights that went on from the same ones: `python -m vj.train.mix A B -o C [--dice D]`.

What each learnt stays, and what each forgot comes back (model soups, Wortsman et al. 2022). The dice (the first's, or D's) are
not mixed; motions, light and first pictures are the first's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from vj.errors import VJError, WeightsError
from vj.weights import Card, read, write

MIXED = ("trunk.", "light.", "painter.", "encoder.", "mender.")


Weights = tuple[Card, dict[str, torch.Tensor]]


def mix(sets: list[Weights], dice: Weights | None = None) -> Weights:
    """The mean of these sets of weights (float32, by name), with the dice of `dice`, else of the first. WeightsError if they
    are of different shapes."""
    card, first = sets[0]
    for _, other in [*sets[1:], *([dice] if dice else [])]:
        if {name: part.shape for name, part in other.items()} != {name: part.shape for name, part in first.items()}:
            raise WeightsError("Only weights of one and the same network can be mixed: these have other tensors.")
    mean = {name: torch.stack([each[name] for _, each in sets]).mean(0) if name.startswith(MIXED) else part
            for name, part in first.items()}  # fmt: skip
    recipe = " + ".join(f"({each.recipe})" for each, _ in sets)
    if dice:
        mean |= {name: part for name, part in dice[1].items() if name.startswith("prior.")}
        recipe += f" with the dice of ({dice[0].recipe})"
    return replace(card, recipe=f"the mean of {recipe}" if len(sets) > 1 else recipe), mean


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("weights", nargs="+", type=Path)
    words.add_argument("-o", "--output", required=True, type=Path)
    words.add_argument("--dice", type=Path)
    words = words.parse_args()
    try:
        dice = read(words.dice) if words.dice else None
        write(words.output, *mix([read(path) for path in words.weights], dice), halved=True)
    except VJError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
