"""The quick sums give what torch's own give."""

import pytest
import torch
import torch.nn.functional as F

from vj.model import planes


def plane(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("tall, wide", [(3, 3), (5, 3), (3, 1), (1, 5)])
@pytest.mark.parametrize("counted", [True, False])
def test_a_box_is_a_mean(tall, wide, counted):
    x = plane(2, 3, 8, 11)
    theirs = F.avg_pool2d(x, (tall, wide), 1, (tall // 2, wide // 2), count_include_pad=not counted)
    assert torch.allclose(planes.box(x, tall, wide, counted), theirs, atol=1e-6)


def test_a_blur_is_two_boxes():
    x = plane(2, 3, 9, 11)
    assert torch.allclose(planes.blur(x), planes.box(planes.box(x, 5, 5, counted=False), 5, 5, counted=False), atol=1e-6)


def test_training_may_use_what_the_show_asked_for_first():
    with torch.inference_mode():
        planes.box(torch.zeros(1, 1, 13, 17))
    x = plane(1, 1, 13, 17).requires_grad_()
    planes.box(x).sum().backward()
    assert x.grad.isfinite().all()


@pytest.mark.parametrize("wide", [5, 8])
def test_a_median_is_torchs_own(wide):
    x = plane(2, 3, 8, 20)[..., :wide]
    assert torch.equal(planes.median(x), x.median(3, keepdim=True).values)
    learnt = x.clone().requires_grad_()
    planes.median(learnt).sum().backward()
    assert learnt.grad.sum() == 2 * 3 * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_unshuffling_is_torchs_own(dtype):
    x = plane(2, 3, 8, 12).to(dtype)
    found = planes.unshuffled(x)
    assert torch.equal(found, F.pixel_unshuffle(x, 2)) and found.is_contiguous(memory_format=torch.channels_last)
    learnt = x.clone().requires_grad_()
    assert torch.equal(planes.unshuffled(learnt), found) and planes.unshuffled(learnt).requires_grad


def test_bytes_are_counted_exactly():
    x = (plane(2, 3, 8, 11) > 0).byte()
    assert torch.equal(planes.box(x, 5, 5), planes.box(x.float(), 5, 5))


def test_doubling_is_bilinear():
    x = plane(2, 3, 7, 5)
    theirs = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    assert torch.allclose(planes.double(x), theirs, atol=1e-6)


def test_what_is_put_together_late_is_the_same():
    x = plane(2, 3, 7, 5)
    late = planes.together(planes.doubled(x).amax(3, keepdim=True))
    assert torch.equal(late, planes.double(x).amax(1, keepdim=True))


def test_the_best_channel_is_the_greatest():
    x = plane(2, 16, 8, 9)
    value, which = planes.best(x)
    assert torch.equal(value[:, 0], x.max(1).values) and torch.equal(which[:, 0], x.argmax(1))
