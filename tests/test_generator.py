"""The generator: repeatable by seed, still when told to stand, taking over weights in the tensors that exist."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import SMALL, footage, weights

from vj.errors import WeightsError
from vj.model import world as worlds
from vj.model.generator import TRAINING, Generator
from vj.model.net import RowConv
from vj.signals import Controls
from vj.train.learn import Learner, start
from vj.view import WINDOW, View

GO = Controls(speed=1.0, near=0.5)


@pytest.fixture(scope="module", name="weights")
def _weights():
    return weights()


def run(generator, count=12, controls=GO):
    return np.stack([generator.step(controls).pixels for _ in range(count)])


def test_same_seed_same_frames(weights):
    a, b = Generator(*weights, seed=4), Generator(*weights, seed=4)
    assert np.array_equal(run(a), run(b))
    a.reset(4)
    assert np.array_equal(run(a), run(Generator(*weights, seed=4)))


def test_other_seed_other_frames(weights):
    assert not np.array_equal(run(Generator(*weights, seed=1)), run(Generator(*weights, seed=2)))


def test_a_reset_shows_one_of_the_first_pictures(weights):
    generator = Generator(*weights)
    firsts = weights[1]["first_frames"][:, :3].permute(0, 2, 3, 1).numpy()
    assert any(np.array_equal(generator.reset(seed), first) for seed in (1, 2, 3) for first in firsts)


def test_stands_still_when_told(weights):
    """Only the light may still settle: nothing moves, nothing enters, flow is zero."""
    generator = Generator(*weights)
    run(generator)
    lattice = generator.world.classes
    frame = generator.step(Controls(speed=0.0))
    assert np.abs(frame.flow).max() == 0
    assert lattice is not None and not generator.world.moved.any()


def test_flow_says_where_pixels_came_from(weights):
    frame = Generator(*weights).step(GO)
    assert frame.flow.shape == (32, 64, 2) and frame.flow[..., 0].max() <= 0  # the world goes left
    assert frame.pixels.dtype == np.uint8 and frame.pixels.shape == (32, 64, 3)


def test_adopting_keeps_every_address_and_ends_at_the_new_weights(weights):
    card, tensors = weights
    generator = Generator(card, tensors, half=False)
    addresses = {name: p.data_ptr() for name, p in generator.net.state_dict().items()}
    newer = {k: v + 0.01 if v.is_floating_point() else v for k, v in tensors.items()}
    generator.adopt(replace(card, version=7), newer, fade_frames=4)
    run(generator, 4)
    assert generator.version == 7
    assert addresses == {name: p.data_ptr() for name, p in generator.net.state_dict().items()}
    shown = [name for name in newer if not name.startswith(TRAINING)]
    assert all(torch.allclose(generator.net.state_dict()[k], newer[k], atol=1e-6) for k in shown)
    assert np.allclose(generator.dice.arrays[6], newer["prior.head.weight"].numpy().T, atol=1e-6)


def test_weights_of_another_network_are_refused_and_the_old_ones_stay(weights):
    card, tensors = weights
    generator = Generator(card, tensors)
    with pytest.raises(WeightsError, match="transport-16"):
        generator.adopt(replace(card, architecture="other"), tensors)
    with pytest.raises(WeightsError):
        generator.adopt(card, {k: v for k, v in tensors.items() if "stem" not in k})
    with pytest.raises(WeightsError, match="size"):
        other = footage(height=40)
        generator.adopt(*Learner(other, start(other, config=SMALL)).publishable())
    run(generator, 2)


def test_what_shines_too_brightly_comes_back_whole():
    image = torch.linspace(0, 1, 96).reshape(1, 3, 4, 8)
    up, down = torch.full((1, 3), 1.5), torch.full((1, 3), 1 / 1.5)
    bright = worlds.relight(image, up)
    assert bright.max() > 1.4 and worlds.quantise(bright).max() == 1, "kept, and not shown"
    assert torch.allclose(worlds.relight(bright, down), image, atol=1e-6)


def test_light_that_changes_slowly_is_not_lost(weights, monkeypatch):
    """A tenth of a level a frame, too, and in what is dark as in what is light: or a sky would change its colour."""
    generator = Generator(*weights, half=False)
    monkeypatch.setattr(generator.net.light, "forward", lambda image, told: torch.full((1, 3), 1.001))
    before = generator.world.lattice.clone()
    run(generator, 60, Controls(speed=0.0))
    grown = (generator.world.lattice / before)[(before > 0.1) & (before < 0.9)]
    assert grown.min() == pytest.approx(1.001**60, abs=1e-3) and grown.max() == pytest.approx(1.001**60, abs=1e-3)
    assert torch.equal(generator.world.shown[0], worlds.quantise(generator.world.shown[0])), "what the network is fed"


def test_light_has_no_offset_that_could_eat_up_contrast(weights):
    """Black stays black, and the ratio of two pixels stays, whatever is told."""
    generator = Generator(*weights)
    factor = generator.exact.light(torch.rand(1, 3, 32, 64), torch.tensor([[0.5, 0.5, 0.9, -0.9, 0.0]]))
    assert factor.shape == (1, 3) and (factor > 0).all()
    assert worlds.relight(torch.zeros(1, 3, 2, 2), factor).max() == 0


def test_what_was_measured_in_other_footage_comes_as_gently_as_its_weights(weights):
    generator = Generator(*weights)
    card, tensors = weights
    before = generator.net.bank.clone()
    generator.adopt(card, {**tensors, "bank": tensors["bank"] * 2, "usual": tensors["usual"] + 0.1}, fade_frames=4)
    shares = []
    for _ in range(4):
        generator.step(GO)
        shares.append(float((generator.net.bank - before).abs().sum() / before.abs().sum()))
    assert shares == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=1e-4)
    assert torch.allclose(generator.net.usual, tensors["usual"] + 0.1)


@pytest.mark.parametrize("size", [1, 3])
def test_a_convolution_along_rows_is_the_same_for_one_picture_and_many(size):
    layer, x = RowConv(8, 5, size), torch.randn(3, 8, 24)
    theirs = torch.nn.functional.conv1d(x, layer.weight, layer.bias, padding=size // 2)
    assert torch.allclose(layer(x), theirs, atol=1e-6)
    assert torch.allclose(layer(x[:1]), theirs[:1], atol=1e-6)
    again = RowConv(8, 5, size)
    again.load_state_dict({name: part.contiguous() for name, part in layer.state_dict().items()})
    assert torch.equal(again(x[:1]), layer(x[:1])) and again.weight.transpose(1, 2).is_contiguous()


def test_the_view_travels_with_the_weights(weights):
    card, tensors = weights
    generator = Generator(card, tensors)
    assert generator.step(GO).view == WINDOW
    generator.adopt(replace(card, view={"kind": "ahead", "x": 0.4, "y": 0.5}), tensors)
    assert generator.step(GO).view == View("ahead", 0.4, 0.5)
    with pytest.raises(WeightsError):
        generator.adopt(replace(card, view={"kind": "nowhere"}), tensors)
    assert generator.step(GO).view == View("ahead", 0.4, 0.5)
    with pytest.raises(WeightsError):
        Generator(replace(card, view={"side": 1}), tensors)
