"""What the network is graded by, one frame at a time. Pure functions of tensors.

The hard choice among transported copies is learnt as a mixture: p(next) = sum_k m_k Laplace(next; copy_k). Its
gradient rewards the class that explains a pixel, never a blur between classes.
"""

import torch
import torch.nn.functional as F

from vj.model.planes import box


def class_loss(logits: torch.Tensor, errors: torch.Tensor, where: torch.Tensor | None = None, scale: float = 0.02):
    """Negative log likelihood of the mixture. logits, errors (B, K, H, W); errors are mean absolute, 0..1; where, 0..1, to be
    broadcast to (B, H, W): how much each pixel counts; None: all alike."""
    loss = -torch.logsumexp(F.log_softmax(logits, 1) - errors / scale, 1)
    if where is None:
        return loss.mean()
    where = where.expand_as(loss)
    return (loss * where).sum() / where.sum().clamp(min=1)


def slopes(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Differences to the right and down."""
    return x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]


def edge_loss(a: torch.Tensor, b: torch.Tensor, weight: torch.Tensor | None = None) -> torch.Tensor:
    """Mean absolute difference of slopes: a blurred edge costs what an absent one costs. (B, C, H, W)."""
    (ax, ay), (bx, by) = slopes(a), slopes(b)
    if weight is None:
        return (ax - bx).abs().mean() + (ay - by).abs().mean()
    return ((ax - bx).abs() * weight[..., 1:]).mean() + ((ay - by).abs() * weight[..., 1:, :]).mean()


def light_loss(relit: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """The light of whole regions, whatever moved inside them. (B, 3, H, W)."""
    return (F.adaptive_avg_pool2d(relit, (3, 4)) - F.adaptive_avg_pool2d(after, (3, 4))).abs().mean()


def unlikeness(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """How unlike two pictures (B, 3, H, W) look around each pixel, (B, H, W), 0..1: their mean colours there, and how
    strong their grain is. Two meadows of which no blade agrees are alike; a meadow and a plain green are not."""
    return box(a - b).abs().mean(1) + 0.5 * (grain(a) - grain(b)).abs().sum(1)


def grain(x: torch.Tensor) -> torch.Tensor:
    """How strong the grain is around each pixel, across and down (a streak has all its grain one way): (B, 2, H, W)."""
    across, down = slopes(x)
    return box(box(torch.stack([F.pad(across.abs().mean(1), (1, 0)), F.pad(down.abs().mean(1), (0, 0, 1, 0))], 1)))
