"""A painter learns against a critic, from what the dice draw, and nothing else does."""

import copy

import pytest
import torch
from small import SMALL, bright, footage, hasten, lesson, watched

from vj.model import world as worlds
from vj.model.net import CODE_DIMS
from vj.model.planes import GRAINS
from vj.train import adversary, dreaming, trainer
from vj.train.learn import Learner, start
from vj.train.roughness import Roughness
from vj.train.trainer import TrainConfig


@pytest.fixture
def few(monkeypatch):
    hasten(monkeypatch, adversary.Adversary, 30)


@pytest.fixture
def net():
    torch.set_num_threads(1)
    mine = Learner(footage(), start(footage(), config=SMALL)).trainer.average
    torch.nn.init.constant_(mine.prior.tell.bias, 2.0)  # much is told
    torch.nn.init.normal_(mine.painter.head.weight, std=0.05)
    torch.nn.init.constant_(mine.painter.head.bias[12:16], 2.0)  # and what is told is painted
    return mine.train().requires_grad_(True)


def learner(net):
    return Learner(footage(), net, TrainConfig(batch=2, only="adversary", rate=1e-3), step=5000)


def adversary_of(net):
    return adversary.Adversary(net, learner(net).data, Roughness(seed=1), SMALL.width)


def entered(net, world):
    """How bright what enters next in these worlds would be."""
    many = adversary.DREAMS
    controls, code = torch.ones(many, 6), torch.full((many, CODE_DIMS, SMALL.rows), 0.5)
    with torch.no_grad():
        carried = worlds.carry(net, world, controls, code, torch.zeros(many))
        strip = worlds.enter(net, carried, code, torch.zeros(many, GRAINS, SMALL.height, SMALL.strip))[0]
    return float(strip[carried.opened.expand_as(strip)].mean())


def test_the_painter_goes_where_the_critic_likes_it_better(net, few, monkeypatch):
    mine = adversary_of(net)
    monkeypatch.setattr(mine, "_says", bright)
    mine._go_on()
    world, slope = mine._worlds, torch.optim.SGD(net.painter.parameters(), 0.05)
    before = entered(net, world)
    for _ in range(6):
        loss = lesson(mine)
        slope.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.painter.parameters(), 1.0)
        slope.step()
    assert entered(net, world) > before + 0.02


def test_nothing_but_the_painter_is_reached(net, few):
    mine = adversary_of(net)
    lesson(mine).backward()
    reached = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"painter"}
    assert all(p.grad is None or not p.grad.any() for p in mine.critic.parameters())


def test_the_second_critic_reaches_the_painter_alone_too(net, few):
    mine = adversary_of(net)
    parts = next(filter(None, (mine.grade((mine._last_layer**2).sum()) for _ in range(20))))
    mine._weaving.weave.zero_grad()  # of its own learning
    parts["weave"].backward()
    reached = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"painter"}
    assert all(p.grad is None or not p.grad.any() for p in mine._weaving.weave.parameters())


def test_what_the_critic_sees_is_what_a_show_would_show(net, few):
    mine = adversary_of(net)
    for _ in range(5):
        shown = mine._go_on()[0]
        assert shown.requires_grad and torch.allclose(shown.detach(), mine._worlds.shown[0], atol=1e-5)
        assert not mine._worlds.shown[0].requires_grad and not mine._worlds.lattice.requires_grad


def test_the_critic_weighs_so_much_as_the_footage_says(net, few):
    mine = adversary_of(net)
    paint = (net.painter.head.weight**2).sum()
    for times in (1.0, 10.0):
        loss = times * (3 * net.painter.head.weight).sum()
        strength = mine._balanced(str(times), paint, loss)
        slopes = [torch.autograd.grad(part, net.painter.head.weight, retain_graph=True)[0].norm() for part in (paint, loss)]
        assert float(strength * slopes[1] / slopes[0]) == pytest.approx(adversary.STRENGTH, rel=1e-3)


def test_it_teaches_nothing_until_its_critic_has_learnt(net, few, monkeypatch):
    monkeypatch.setattr(adversary, "ALONE", 4)
    mine = adversary_of(net)
    paint = (net.painter.head.weight**2).sum()
    assert [bool(mine.grade(paint)) for _ in range(6)] == [False] * 4 + [True] * 2
    monkeypatch.setattr(adversary.Adversary, "green", 99)
    blind = adversary_of(net)  # it has seen nothing
    assert not any(blind.grade(paint) for _ in range(6)) and not blind.losses


def test_the_footage_itself_enters_beside_the_dreams(net, few):
    mine, off = adversary_of(net), []
    with torch.no_grad():
        net.mender.forget()
        for _ in range(12):
            mine._go_on()
            mine._follow()
            true = mine._frames(mine._at)
            off.append([float((world.shown[0] - true)[..., -4:].abs().mean()) for world in (mine._true, mine._worlds)])
    follows, dreams = torch.tensor(off[4:]).mean(0)
    assert follows < 0.5 * dreams and follows < 0.05


def test_the_critic_does_not_go_by_the_tone_of_rows(net, few):
    mine, plain = adversary_of(net), torch.full((40, 3, SMALL.height, SMALL.width), 0.5)
    rows = mine._spoilt(plain).mean(3)
    assert rows[:, 0].std(0).min() > 0.02  # from picture to picture
    assert (rows[:, :, 1:] - rows[:, :, :-1]).abs().mean() < 0.02  # and smooth


def test_what_it_paints_is_to_be_of_the_tone_of_its_world(net, few, monkeypatch):
    grade, targets = trainer.grade_paint, []
    monkeypatch.setattr(trainer, "grade_paint", lambda *told: targets.append(told[4]) or grade(*told))
    for only in ("painter", "adversary"):
        for off in (-0.04, 0.04):
            monkeypatch.setattr(Roughness, "off_colours", lambda self, image, toned=0, off=off: torch.full_like(image, off))
            Learner(footage(), copy.deepcopy(net), TrainConfig(batch=2, only=only, rate=0.0), step=5000).run(1)
    darker, lighter, dark_toned, light_toned = (float(target.mean()) for target in targets)
    assert lighter == pytest.approx(darker, abs=1e-3)
    assert light_toned - dark_toned == pytest.approx(0.08, abs=0.02)


def test_dreams_end_and_never_look_at_what_is_held_back(net, few, monkeypatch):
    mine = adversary_of(net)
    seen, ages = watched(monkeypatch, mine, 50)
    held = {frame for a, b in mine.data.held for frame in range(a, b)}
    assert held and len(seen) > 40 and not seen & held
    assert max(ages) == adversary.LONGEST and ages.count(adversary.APART) >= 2
    assert mine.told.kept and mine.drawn.kept


def test_learning_against_it_changes_the_painter_alone(net, few):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    student = learner(net)
    student.run(5)
    mine = student.trainer._adversary
    assert isinstance(mine, dreaming.Dreaming) and mine.told.kept and mine.drawn.kept
    assert student.trainer.losses["adversary"] > 0 and student.trainer.losses["weave"] > 0
    assert student.trainer.losses["paint"] > 0
    after = student.trainer.net.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}
    assert changed == {"painter"}
