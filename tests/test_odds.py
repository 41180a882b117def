"""The dice are evened: what they tell in a dream comes as often, and lasts as long, as in the footage."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from fakes import save_footage
from small import SMALL, footage

from vj.model.generator import Generator
from vj.train import odds
from vj.train.learn import Learner, start
from vj.weights import read, write


@pytest.fixture
def generator():
    torch.set_num_threads(1)
    learner = Learner(footage(), start(footage(), config=SMALL))
    learner.run(3)
    return Generator(*learner.publishable())


def test_rates_are_counted_for_each_row():
    told = np.array([[0, 1], [1, 1], [1, 0], [0, 0], [0, 0]], bool)
    begins, goes_on = odds.rates(told)
    assert begins == pytest.approx([(1 + 0.5) / (2 + 1), (0 + 0.5) / (2 + 1)])  # of the frames that another follows
    assert goes_on == pytest.approx([(1 + 0.5) / (2 + 1), (1 + 0.5) / (2 + 1)])


@pytest.mark.parametrize("often", [True, False])
def test_dice_that_tell_too_seldom_or_too_often_are_moved(generator, monkeypatch, often):
    rows = generator.net.config.rows
    wanted = np.random.default_rng(0).random((900, rows)) < (0.9 if often else 0.05)
    monkeypatch.setattr(odds, "tells", lambda *_: wanted)
    monkeypatch.setattr(odds, "FEW", 0.1)
    monkeypatch.setattr(odds, "QUIET", 0.015)
    wanted[:, 0] = False  # nothing is ever told at the top
    torch.nn.init.constant_(generator.net.prior.tell.bias, -3.0 if often else 3.0)
    generator.dice.refresh()
    moved = odds.even(generator, footage(), rounds=2, frames=80)
    assert moved.shape == (2, rows) and np.abs(moved).max() <= odds.MOST
    assert (np.sign(moved[:, 1:]) == (1 if often else -1)).mean() > 0.9 and not moved[:, 0].any()
    assert np.array_equal(generator.dice.odds, moved)


def test_dice_are_evened_as_if_no_things_were_known(generator, monkeypatch):
    """For what the footage tells is of things, too."""
    seen, draw = [], generator.dice.draw
    generator.net.sprites.paces.fill_(1.0)
    monkeypatch.setattr(generator.dice, "draw", lambda image, past, told: seen.append(told[0, 3]) or draw(image, past, told))
    odds.even(generator, footage(), rounds=1, frames=60)
    assert max(seen) > 0.9


def test_the_odds_decide_what_is_told(generator):
    def share(log_odds):
        generator.net.prior.odds.fill_(log_odds)
        generator.dice.refresh()
        generator.reset(1)
        world, told = generator.world, torch.zeros(1, 6)
        codes = [generator.dice.draw(world.shown[0], world.codes, told) for _ in range(20)]
        return float(torch.stack(codes).ne(0).any(2).float().mean())

    with torch.inference_mode():
        assert share(-9.0) == 0
        assert share(9.0) > 0.5  # they tire


def test_what_the_footage_tells_is_found_in_stretches(generator):
    found = odds.tells(generator.exact, footage(), 2)
    assert found.dtype == bool and found.shape[1] == generator.net.config.rows and len(found) > 10


def test_weights_come_home_with_their_own_motions(generator):
    clip = footage()
    brighter = replace(clip, frames=np.minimum(clip.frames.astype(int) + 40, 255).astype(np.uint8))
    tensors = {name: part.detach().clone() for name, part in generator.exact.state_dict().items()}
    tensors["bank"] += 0.1
    home = odds.at_home(generator.card, tensors, brighter)
    moved = {name for name, part in home.items() if not torch.equal(part, tensors[name])}
    assert {"first_frames"} <= moved <= {"first_frames", "first_speeds", "palette", "profile", "usual"}
    assert home["first_frames"].float().mean() > tensors["first_frames"].float().mean() + 20


def test_odds_are_kept_where_asked(generator, tmp_path, monkeypatch):
    clip, before, after = footage(), tmp_path / "before.safetensors", tmp_path / "after.safetensors"
    save_footage(tmp_path / "clip", clip)
    tensors = {name: part.detach().clone() for name, part in generator.exact.state_dict().items()}
    tensors["prior.odds"] += 0.25
    tensors["first_frames"] *= 0
    write(before, generator.card, tensors)
    monkeypatch.setattr("sys.argv", ["odds", str(before), str(tmp_path / "clip"), "-o", str(after), "--keep"])
    odds.main()
    card, found = read(after)
    assert torch.equal(found["prior.odds"], tensors["prior.odds"]) and found["first_frames"].any()
    assert card.recipe == generator.card.recipe
