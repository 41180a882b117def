"""The learnt upscaler: the shaders give what the network gives, fresh weights are taken, and it learns."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from offscreen import offscreen

from vj.errors import WeightsError
from vj.render.learnt import Learnt
from vj.render.passes import Pass, ShaderFolder
from vj.train import upscale

FOLDER = Path(__file__).parents[1] / "shaders"


def picture(height: int = 24, width: int = 40, seed: int = 0) -> np.ndarray:
    """Smooth shapes and a few hard edges."""
    y, x = np.mgrid[0:height, 0:width] / 8
    rng = np.random.default_rng(seed)
    frame = np.stack([np.sin(x * a + y * b + c) for a, b, c in rng.uniform(0.3, 2, (3, 3))], -1) * 90 + 128
    frame[(x + 0.6 * y) % 3 > 2.2] = (20, 30, 60)
    return frame.astype(np.uint8)


def rough(seed: int = 1) -> dict[str, torch.Tensor]:
    """Weights that do something in every layer."""
    torch.manual_seed(seed)
    net = upscale.Net()
    with torch.no_grad():
        for layer in net.layers:
            layer.bias.uniform_(-0.1, 0.1)
        net.layers[-1].weight.mul_(6)
    return net.state_dict()


def net_of(tensors: dict) -> upscale.Net:
    net = upscale.Net()
    net.load_state_dict(tensors)
    return net


@pytest.fixture(scope="module")
def gl():
    for window in offscreen((16, 16)):
        yield window.context


def by_shaders(gl, learnt: Learnt, frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    image = gl.texture((width, height), 3, np.ascontiguousarray(frame[::-1]).tobytes(), alignment=1)
    step = Pass(gl, ShaderFolder(FOLDER), ("upscale_learnt",))
    assert step.load() == "" and step.size == 4
    rows = learnt.run(image)
    target = gl.framebuffer([gl.texture((4 * width, 4 * height), 4)])
    target.use()
    step.draw({"image": image} | rows, {})
    assert gl.error == "GL_NO_ERROR"
    return np.frombuffer(target.read(components=3, alignment=1), np.uint8).reshape(4 * height, 4 * width, 3)[::-1]


def test_the_shaders_give_what_the_network_gives(gl):
    tensors = rough()
    learnt = Learnt(gl, upscale.layers(tensors))
    for frame in (picture(), picture(17, 30, 3)):
        expected = upscale.enlarge(net_of(tensors), frame)
        assert np.abs(by_shaders(gl, learnt, frame).astype(int) - expected).max() <= 2
    bicubic = upscale.enlarge(net_of({n: torch.zeros_like(t) for n, t in tensors.items()}), frame)
    assert np.abs(expected.astype(int) - bicubic).mean() > 3, "the network does something"


def test_fresh_weights_are_taken_without_compiling_and_misfits_are_refused(gl):
    learnt, fresh = Learnt(gl, upscale.layers(rough(1))), rough(2)
    learnt.adopt(upscale.layers(fresh))
    expected = upscale.enlarge(net_of(fresh), picture())
    assert np.abs(by_shaders(gl, learnt, picture()).astype(int) - expected).max() <= 2
    with pytest.raises(ValueError, match="another shape"):
        learnt.adopt(list(upscale.layers(fresh))[:2])
    assert np.abs(by_shaders(gl, learnt, picture()).astype(int) - expected).max() <= 2


def test_nothing_learnt_is_the_bicubic_picture_and_that_is_exact_in_the_middle_of_what_is_even(gl):
    flat = torch.full((1, 3, 6, 8), 0.25)
    assert torch.allclose(upscale.cubic(flat), torch.full((1, 3, 24, 32), 0.25))
    ramp = torch.arange(12.0).repeat(8, 1)[None, None]
    steps = upscale.cubic(ramp)[0, 0, 16, 12:-12].diff()
    assert torch.allclose(steps, torch.full_like(steps, 0.25), atol=1e-5)


def test_it_learns_to_do_better_than_bicubic():
    large = [np.repeat(np.repeat(picture(48, 60, seed), 4, 0), 4, 1)[:192, :240] for seed in range(3)]
    trainer = upscale.Trainer(large, total=60, recipe=upscale.Recipe(batch=4, patch=16))

    def error(net) -> float:
        small = upscale.shrink(large[0])
        return float(np.mean((upscale.enlarge(net, small).astype(float) - large[0]) ** 2))

    before = error(net_of({n: torch.zeros_like(t) for n, t in trainer.publishable().items()}))
    first = trainer.run(10)
    assert trainer.run(50) < first and error(trainer.net) < 0.95 * before and trainer.steps == 60


def test_beside_a_show_only_what_does_better_on_pictures_held_back_is_given():
    large = [np.repeat(np.repeat(picture(48, 60, seed), 4, 0), 4, 1)[:192, :240] for seed in range(8)]
    first = upscale.Trainer(large[:1]).publishable()
    beside = upscale.FineTuner(large, first)
    given = [beside(20) for _ in range(3)]
    better = [tensors for tensors in given if tensors is not None]
    assert better and beside.best > beside.first
    held = large[3]  # never learnt from
    error = [np.square(upscale.enlarge(net_of(t), upscale.shrink(held)).astype(float) - held).mean() for t in (first, better[-1])]
    assert error[1] < error[0]
    beside.best = 99.0
    assert beside(5) is None, "no better than the best before"


def test_footage_with_few_large_pictures_or_a_broken_upscaler_leaves_upscaling_as_it_is(tmp_path):
    (tmp_path / "large").mkdir()
    for number in range(upscale.ENOUGH):
        assert upscale.FineTuner.of(tmp_path, rough()) is None, "too few"
        cv2.imwrite(str(tmp_path / "large" / f"{number}.jpg"), np.full((192, 320, 3), 20 * number, np.uint8))
    assert upscale.FineTuner.of(tmp_path, tmp_path / "none.safetensors") is None
    assert upscale.FineTuner.of(tmp_path, rough()) is not None


def test_weights_files_are_whole_or_refused(tmp_path):
    path, tensors = tmp_path / "up.safetensors", rough()
    upscale.write(path, tensors, {"steps": 3})
    assert all((upscale.read(path)[name] == tensor).all() for name, tensor in tensors.items())
    assert [p.name for p in tmp_path.iterdir()] == ["up.safetensors"]
    bad = tensors | {"layers.0.bias": torch.full((16,), float("nan"))}
    upscale.write(tmp_path / "nan.safetensors", bad, {})
    path.write_bytes(path.read_bytes()[:500])
    for name in ("up", "nan", "none"):
        with pytest.raises(WeightsError, match=name):
            upscale.read(tmp_path / f"{name}.safetensors")
