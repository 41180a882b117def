"""Weights that lie ready give what they give else, and follow when they change."""

import pytest
import torch
from torch import nn

from vj.model import laid
from vj.model.net import RowConv


def layers():
    torch.manual_seed(0)
    return [(laid.Conv(6, 8, 3, 2, padding=1), torch.rand(2, 6, 12, 10)), (RowConv(6, 8, 3), torch.rand(1, 6, 24))]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("which", [0, 1])
def test_a_settled_layer_gives_the_same_also_after_its_weights_have_changed(which, dtype):
    layer, x = layers()[which]
    net, x = nn.Sequential(layer).to(dtype), x.to(dtype)
    with torch.inference_mode():
        plain = net(x)
    laid.settle(net)
    for factor in (1.0, 2.0, 1.0):
        for own in (p.detach() for p in net.parameters()):
            own.mul_(factor)
        with torch.inference_mode():
            for call in range(3):
                assert torch.allclose(net(x), plain * factor, atol=1e-6)
                if layer.laid is not None:
                    assert (layer.laid.weight is None) == (call == 0), "not while they still change"
        for own in (p.detach() for p in net.parameters()):
            own.div_(factor)


def test_training_a_settled_layer_is_still_possible():
    for layer, x in layers():
        laid.settle(layer)
        layer(x).sum().backward()
        assert layer.weight.grad.abs().sum() > 0


def test_where_it_is_not_possible_nothing_is_settled(monkeypatch):
    def refuse(*_):
        raise RuntimeError("not built with oneDNN")

    layer, x = layers()[0]
    plain = layer(x)
    monkeypatch.setattr(torch._C._nn, "mkldnn_reorder_conv2d_weight", refuse)
    laid._possible.cache_clear()
    laid.settle(layer)
    laid._possible.cache_clear()
    assert layer.laid is None
    with torch.no_grad():
        assert torch.equal(layer(x), plain)
