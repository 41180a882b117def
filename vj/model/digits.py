"""Digits of few levels, as a network says them, and the numbers that they make: of codes (vj.model.net) and of kinds
(vj.model.kinds).

Source: finite scalar quantisation (Mentzer et al. 2023), with the slope of what is not rounded (Bengio et al. 2013).
"""

import torch

LEVELS = 5  # -1, -.5, 0, .5, 1


def rounded(said: torch.Tensor) -> torch.Tensor:
    """What a network says, any numbers, as digits: rounded, but sloped as if it were not."""
    z, half = torch.tanh(said), (LEVELS - 1) / 2
    return z + ((z * half).round() / half - z).detach()


def number(values: torch.Tensor) -> torch.Tensor:
    """Digits (..., D) -> the number that they make (...,), 0..LEVELS**D - 1, the first digit counting least."""
    half = (LEVELS - 1) // 2
    levels = (values * half).round().long() + half
    return sum(levels[..., d] * LEVELS**d for d in range(levels.shape[-1]))


def values(number: torch.Tensor, count: int) -> torch.Tensor:
    """The inverse of number(): numbers (...,) -> their `count` digits (..., count)."""
    return torch.stack([(number // LEVELS**d) % LEVELS for d in range(count)], -1) / ((LEVELS - 1) / 2) - 1
