"""False tells are few, small and soon over, and are what is told elsewhere."""

import torch

from vj.model.net import CODE_DIMS
from vj.train.roughness import Roughness
from vj.train.strays import LASTS, Strays

WORLDS, ROWS, FRAMES = 4, 12, 400


def test_strays_are_few_small_and_short():
    strays = Strays(Roughness(seed=1), WORLDS)
    code = torch.zeros(WORLDS, CODE_DIMS, ROWS)
    code[2, :, 5] = torch.linspace(-1, 1, CODE_DIMS)
    false = torch.stack([(strays.among(code) != code).any(1) for _ in range(FRAMES)])  # (frames, worlds, rows)
    share = float(false.any(2).float().mean())
    assert 0.05 < share < 0.25
    assert int(false.sum(2).max()) <= 2
    assert int(false[:, 0].any(1).sum()) and LASTS < 10
    longest = run = 0
    for there in false[:, 0, :].any(1).tolist():
        run = run + 1 if there else 0
        longest = max(longest, run)
    assert longest <= 2 * LASTS  # one may follow another


def test_what_is_false_is_told_elsewhere_and_code_is_left_alone():
    strays = Strays(Roughness(seed=2), WORLDS)
    code = torch.zeros(WORLDS, CODE_DIMS, ROWS)
    code[1, :, 3] = 0.5
    seen = torch.stack([strays.among(code) for _ in range(FRAMES)])
    assert float(code.sum()) == 0.5 * CODE_DIMS
    assert set(seen.unique().tolist()) == {0.0, 0.5}
    assert torch.equal(Strays(Roughness(seed=2), WORLDS).among(torch.zeros_like(code)), torch.zeros_like(code))
