"""Convolutions whose weights lie ready as oneDNN wants them: else it puts them in that order in every call, which is a tenth of
their time. Only a show asks for it (`settle`); what they give is the same to the bit. Knows no network.
"""

import functools

import torch
from torch import nn


class Laid:
    """One layer's weights in oneDNN's order, made anew when they have changed and stayed so for a call: while they fade from
    frame to frame it would cost more than it gains."""

    def __init__(self):
        self.weight, self.version = None, -1

    def of(self, weight: torch.Tensor, lay) -> torch.Tensor | None:
        """What lay() makes of weight as it is now; None: not yet."""
        if self.version != weight._version:
            self.weight, self.version = None, weight._version
        elif self.weight is None:
            self.weight = lay()
        return self.weight


class Conv(nn.Conv2d):
    """nn.Conv2d; its names and shapes, too."""

    laid: Laid | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.laid is None or torch.is_grad_enabled():
            return super().forward(x)
        how = (self.padding, self.stride, self.dilation, self.groups)
        lay = torch._C._nn.mkldnn_reorder_conv2d_weight
        weight = self.laid.of(self.weight, lambda: lay(self.weight.detach().to_mkldnn(), *how, x.shape))
        if weight is None:
            return super().forward(x)
        return torch.ops.mkldnn._convolution_pointwise(x, weight, self.bias, *how, "none", [], "")


def linear(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, laid: Laid | None, of: torch.Tensor) -> torch.Tensor:
    """F.linear of x (n, I), n always the same, for a weight (O, I) made of the tensor `of` alone."""
    ready = None
    if laid is not None and not torch.is_grad_enabled():
        ready = laid.of(of, lambda: torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), len(x)))
    if ready is None:
        return nn.functional.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, ready, bias, "none", [], "")


def settle(net: nn.Module) -> None:
    """From now on the weights of these layers lie ready, if this torch and this processor can do that."""
    dtypes = {p.dtype for p in net.parameters()}
    if all(_possible(dtype) for dtype in dtypes):
        for layer in net.modules():
            if hasattr(layer, "laid") and not layer.weight.is_inference():  # else nobody would know that they have changed
                layer.laid = Laid()


@functools.cache
@torch.inference_mode(False)
@torch.no_grad()
def _possible(dtype: torch.dtype) -> bool:
    """Tried out: these functions of torch are its own affair."""
    layer, x = Conv(4, 4, 3, padding=1).to(dtype), torch.ones(1, 4, 8, 8, dtype=dtype)
    weight, bias = layer.weight[:, :, 0, 0], layer.bias
    theirs = layer(x), linear(x[0, 0, :, :4], weight, bias, None, weight)
    layer.laid, ready = Laid(), Laid()
    try:
        for _ in range(2):  # the second with what lies ready
            mine = layer(x), linear(x[0, 0, :, :4], weight, bias, ready, weight)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return all(torch.allclose(a, b, atol=0.01) for a, b in zip(theirs, mine, strict=True))
