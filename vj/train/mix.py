"""The mean of several weights that went on from the same ones: `python -m vj.train.mix A B -o C`.

What each learnt stays, and what each forgot comes back (model soups, Wortsman et al. 2022). The dice, the motions and what
belongs to the footage are the first's.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from vj.errors import VJError, WeightsError
from vj.weights import Card, read, write

MIXED = ("trunk.", "light.", "painter.", "encoder.")


def mix(sets: list[tuple[Card, dict[str, torch.Tensor]]]) -> tuple[Card, dict[str, torch.Tensor]]:
    """The mean of these sets of weights (float32, by name). WeightsError if they are of different shapes."""
    card, first = sets[0]
    for _, other in sets[1:]:
        if {name: part.shape for name, part in other.items()} != {name: part.shape for name, part in first.items()}:
            raise WeightsError("Only weights of one and the same network can be mixed: these have other tensors.")
    mean = {name: torch.stack([each[name] for _, each in sets]).mean(0) if name.startswith(MIXED) else part
            for name, part in first.items()}  # fmt: skip
    return replace(card, recipe="the mean of: " + "; ".join(each.recipe for each, _ in sets)), mean


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("weights", nargs="+", type=Path)
    words.add_argument("-o", "--output", required=True, type=Path)
    words = words.parse_args()
    try:
        write(words.output, *mix([read(path) for path in words.weights]), halved=True)
    except VJError as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
