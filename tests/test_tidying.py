"""A mender learns against a critic, from what dreams are littered with, and nothing else does."""

import pytest
import torch
from small import SMALL, bright, footage, hasten, lesson, watched

from vj.model import mender
from vj.model import world as worlds
from vj.model.net import CODE_DIMS
from vj.train import adversary, tidying
from vj.train.learn import Learner, start
from vj.train.roughness import Roughness
from vj.train.trainer import TrainConfig


@pytest.fixture
def few(monkeypatch):
    hasten(monkeypatch, tidying.Tidying, 28)


@pytest.fixture
def net():
    torch.set_num_threads(1)
    mine = Learner(footage(), start(footage(), config=SMALL)).trainer.average
    torch.nn.init.constant_(mine.prior.tell.bias, 2.0)  # much is told
    torch.nn.init.normal_(mine.mender.head.weight, std=0.5)  # and much is mended
    torch.nn.init.constant_(mine.mender.head.bias[:4], 0.3)
    return mine.train().requires_grad_(True)


def tidying_of(net):
    data = Learner(footage(), net, TrainConfig(batch=2, only="tidying", rate=1e-3), step=5000).data
    return tidying.Tidying(net, data, Roughness(seed=1), SMALL.width)


def test_the_mender_goes_where_the_critic_likes_it_better(net, few, monkeypatch):
    mine = tidying_of(net)
    monkeypatch.setattr(mine, "_says", bright)
    lesson(mine)
    image, moves = mine._littered.clone(), torch.ones(adversary.DREAMS, dtype=torch.bool)
    pace = mender.paces(net.bank, mine._worlds.classes)
    slope = torch.optim.SGD(net.mender.parameters(), 0.05)
    before = float(mender.mended(net.mender, image, pace, moves).mean())
    for _ in range(12):
        slope.zero_grad()
        lesson(mine).backward()
        torch.nn.utils.clip_grad_norm_(net.mender.parameters(), 1.0)
        slope.step()
    assert float(mender.mended(net.mender, image, pace, moves).mean()) > before + 0.005


def test_nothing_but_the_mender_is_reached(net, few):
    mine = tidying_of(net)
    loss = lesson(mine)
    mine.critic.zero_grad()  # of its own learning
    loss.backward()
    reached = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"mender"}
    assert all(p.grad is None or not p.grad.any() for p in mine.critic.parameters())


def test_how_things_are_woven_is_not_the_menders_doing(net, few):
    mine = tidying_of(net)
    parts = next(filter(None, (mine.grade((mine._last_layer**2).sum()) for _ in range(20))))
    assert parts.keys() == {"adversary"}


def test_what_the_critic_sees_is_what_a_show_would_show(net, few):
    mine, mended = tidying_of(net), 0
    for _ in range(2 * mender.EVERY):
        state, told = mine._worlds, torch.ones(adversary.DREAMS, 6)
        code = torch.full((adversary.DREAMS, CODE_DIMS, SMALL.rows), 0.5)
        with torch.no_grad():
            carried = worlds.carry(net, state, told, code, torch.zeros(adversary.DREAMS))
            strip = worlds.enter(net, carried, code, None)[0]
            due = worlds.settle(net, state, carried, strip, told, code)
            mine._worlds = mine._settle(state, carried, strip, told, code)
        assert torch.equal(mine._worlds.lattice, due.lattice) and torch.equal(mine._worlds.shown[0], due.shown[0])
        assert mine._worlds.age == due.age
        mended += mine._littered is not None and not torch.equal(mine._littered, due.lattice)
    assert mended
    mine._begin()
    for _ in range(mender.EVERY - 1):
        with torch.no_grad():
            mine._go_on()
    shown = mine._go_on()[0]
    assert shown.requires_grad and torch.allclose(shown.detach(), mine._worlds.shown[0], atol=1e-5)
    assert not mine._worlds.lattice.requires_grad


def test_dreams_end_and_never_look_at_what_is_held_back(net, few, monkeypatch):
    mine = tidying_of(net)
    seen, ages = watched(monkeypatch, mine, 20)
    held = {frame for a, b in mine.data.held for frame in range(a, b)}
    assert held and len(seen) > 40 and not seen & held
    assert max(ages) == adversary.LONGEST and ages.count(mender.EVERY) >= 2
    assert mine.told.kept and mine.drawn.kept
