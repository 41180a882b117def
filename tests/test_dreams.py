"""Dice learn what a critic likes better in their dreams, and they alone; worlds can be picked; a critic tells apart."""

import pytest
import torch
from small import SMALL, footage

from vj.model import world as worlds
from vj.model.net import CODE_DIMS, DIGITS, NOTHING, code_index
from vj.model.prior import Dice
from vj.train import critic, drawing, dreams
from vj.train.learn import Learner, start
from vj.train.lessons import Lessons
from vj.train.roughness import Roughness
from vj.train.trainer import TrainConfig

ROWS = SMALL.rows


@pytest.fixture(scope="module")
def net():
    torch.set_num_threads(1)
    learner = Learner(footage(), start(footage(), config=SMALL))
    learner.run(3)
    torch.nn.init.normal_(learner.trainer.average.prior.head.bias, std=2.0)  # some codes are likely
    torch.nn.init.constant_(learner.trainer.average.prior.tell.bias, -0.5)
    return learner.trainer.average


@pytest.fixture
def few(monkeypatch):
    """Few and short dreams."""
    sizes = {"DREAMS": 2, "WAYS": 3, "FRAMES": 4, "LOOKS": 1, "PAIRS": 4, "GREEN": 0, "ALONE": 1, "STRETCH": 2, "OFTEN": 6}
    for name, value in sizes.items():
        monkeypatch.setattr(dreams, name, value)


def learner(net):
    return Learner(footage(), net, TrainConfig(batch=2, only="dreams", rate=1e-3))


def test_many_worlds_draw_as_the_dice_of_a_show_do(net):
    """Not the same codes, for their dice differ, but as often and as much."""
    one = Dice(net)
    frame, past, controls = torch.rand(1, 3, 32, 64), torch.zeros(1, SMALL.memory * CODE_DIMS, ROWS), torch.zeros(1, 6)
    mine = []
    with torch.inference_mode():
        for seed in range(400):
            one.seed(seed)
            mine.append(one.draw(frame, past, controls))
        n = 400
        repeated = (part.expand(n, *part.shape[1:]) for part in (frame, past, controls))
        many = drawing.draw(net, Roughness(seed=2), *repeated, torch.zeros(n))
    for code in (torch.cat(mine), many):
        assert set(code.unique().tolist()) <= {-1.0, -0.5, 0.0, 0.5, 1.0}
    told = [code[:, :DIGITS].any(1).float().mean(0) for code in (torch.cat(mine), many)]
    more = [code[:, DIGITS:].any(1).float().mean(0) for code in (torch.cat(mine), many)]
    assert torch.allclose(*told, atol=0.12) and torch.allclose(*more, atol=0.12) and 0.1 < told[0].mean() < 0.9
    often = [code_index(code)[..., 0].flatten().bincount(minlength=625).float() for code in (torch.cat(mine), many)]
    often = [counts.index_fill(0, torch.tensor([NOTHING]), 0) for counts in often]
    first, second = (counts / counts.sum() for counts in often)
    assert (first - second).abs().sum() / 2 < 0.15 and (first > 0.02).sum() > 3  # total variation; many are likely


def test_those_who_are_weary_tell_less(net):
    frame, past = torch.rand(64, 3, 32, 64), torch.zeros(64, SMALL.memory * CODE_DIMS, ROWS)
    with torch.inference_mode():
        told = [drawing.draw(net, Roughness(), frame, past, torch.zeros(64, 6), torch.full((64,), weary)).any(1).float().mean()
                for weary in (0.0, 9.0)]  # fmt: skip
    assert told[1] < 0.1 * told[0]


def test_picked_worlds_go_on_as_they_would_have(net):
    data = footage()
    frames = torch.from_numpy(data.frames[20:24]).permute(0, 3, 1, 2).float() / 255
    state = worlds.begin(net, tuple(frames[[3 - k, 2]] for k in range(3)), torch.ones(2))
    random = torch.Generator().manual_seed(0)
    with torch.inference_mode():
        for _ in range(12):
            code = torch.randint(-2, 3, (2, CODE_DIMS, ROWS), generator=random) / 2
            state = worlds.step(net, state, torch.tensor([[1.0, 0, 0, 0, 0, 0]] * 2), code, torch.zeros(2))
        assert len(state.behind.place)  # something is hidden, and goes along
        which = torch.tensor([1, 0, 1])
        picked = worlds.picked(state, which)
        assert torch.equal(worlds.picked(state, torch.arange(2)).behind.place.sort()[0], state.behind.place.sort()[0])
        for _ in range(3):
            code = torch.randint(-2, 3, (2, CODE_DIMS, ROWS), generator=random) / 2
            state = worlds.step(net, state, torch.tensor([[1.0, 0, 0, 0, 0, 0]] * 2), code, torch.zeros(2))
            picked = worlds.step(net, picked, torch.tensor([[1.0, 0, 0, 0, 0, 0]] * 3), code[which], torch.zeros(3))
    assert torch.equal(picked.shown[0], state.shown[0][which]) and torch.equal(picked.classes, state.classes[which])


def test_a_critic_is_told_what_was_to_enter_in_each_band():
    controls = torch.zeros(1, 8, 6)
    controls[0, :, 0] = 0.5
    controls[0, 5, 3] = 0.8  # near, in the third of four stretches
    told = critic.instructions(controls, ROWS)
    assert told.shape == (1, critic.TIMES + 1, ROWS) and torch.allclose(told[0, -1], torch.tensor(0.5))
    near = critic.bands_of(ROWS)[2].bool()
    assert torch.allclose(told[0, 2, near], torch.tensor(0.8)) and not told[0, 2, ~near].any() and not told[0, [0, 1, 3]].any()


def test_a_critic_learns_to_tell_dreams_from_what_was_told(net, few):
    dreaming = dreams.Dreams(net, learner(net).data, Roughness(), SMALL.width)
    told = torch.zeros(6, critic.TIMES + 1, ROWS)
    dreaming.told.remember(torch.full((6, 3, 32, 64), 0.3), torch.zeros(6, 1, 32, 64), told)
    dreaming.drawn.remember(torch.full((6, 3, 32, 64), 0.6), torch.zeros(6, 1, 32, 64), told)
    for _ in range(40):
        dreaming._look(4)
    assert dreaming.losses["critic"] < 0.5
    dreaming.critic.eval()
    greys = torch.tensor([0.3, 0.6]).view(2, 1, 1, 1).expand(-1, 3, 32, 64)
    says = dreaming.critic(greys, torch.zeros(2, 1, 32, 64), told[:2])
    assert says.shape == (2, 8, 16) and (says[0].mean() > 0) and (says[1].mean() < 0)


def test_what_is_liked_better_than_other_ways_becomes_the_lesson(net, few, monkeypatch):
    dreaming = dreams.Dreams(net, learner(net).data, Roughness(), SMALL.width)
    says = torch.zeros(6, ROWS, SMALL.width // critic.CELL)
    says[2, 3, -1] = 9.0  # on the third way of the first dream, in the fourth row, where the newest stands
    monkeypatch.setattr(dreaming, "_says", lambda *_: says)
    instructions = torch.zeros(6, critic.TIMES + 1, ROWS)
    dreaming.told.remember(torch.rand(6, 3, 32, 64), torch.zeros(6, 1, 32, 64), instructions)
    kept = []
    monkeypatch.setattr(dreaming.lessons, "remember", lambda state, code, told, weight: kept.append(weight))
    dreaming.go_on(learning=False)
    assert not kept
    dreaming.go_on(learning=True)
    weights = torch.stack(kept)  # (FRAMES, DREAMS * WAYS, rows)
    assert weights.shape == (dreams.FRAMES, 6, ROWS)
    assert weights[-1, 2, 3] == 1 and (weights[-1, :2, 3] < -0.5).all() and not weights[:, 3:].any()
    assert not weights[:, :, [0, 1, 6, 7]].any()  # elsewhere all ways are alike


def test_what_was_drawn_teaches_what_is_told_but_not_whether(net):
    parts = []
    for drawn in (False, True):
        mine, lessons = learner(net).trainer.net, Lessons(Roughness(seed=4), drawn=drawn)
        code = torch.zeros(8, CODE_DIMS, ROWS)
        code[:, :DIGITS, ::2] = 0.5
        state = worlds.begin(mine, (torch.rand(8, 3, SMALL.height, SMALL.width),), torch.ones(8))
        lessons.remember(state, code, torch.zeros(8, 6))
        lessons.grade(mine, 16).backward()
        prior = mine.prior
        slopes = (prior.tell.weight.grad, prior.head.weight.grad)
        parts.append([slope is not None and bool(slope.any()) for slope in slopes])
        prior.zero_grad()
    assert parts == [[True, True], [False, True]]


def test_what_was_drawn_is_judged_where_it_has_come_to(net, few):
    dreaming = dreams.Dreams(net, learner(net).data, Roughness(), SMALL.width)
    says = torch.zeros(6, ROWS, SMALL.width // critic.CELL)
    says[0, :, 4:7] = 9.0  # on one way what stands 40 px from the right edge
    kept, pace = [], torch.full((6, 1, SMALL.height, SMALL.width), 10.0)
    dreaming.lessons.remember = lambda state, code, told, weight: kept.append(weight)
    dreaming._teach(says, pace, torch.ones(6, 8), [(None, None, None)] * 8)
    assert [float(weight[0, 4]) > 0.5 for weight in kept] == [False, False, False, True, True, False, False, False]
    assert not torch.stack(kept)[:2].any()  # what has left the picture


def test_a_critic_that_has_seen_nothing_teaches_nothing(net, few):
    dreaming = dreams.Dreams(net, learner(net).data, Roughness(), SMALL.width)
    for _ in range(3):
        dreaming.go_on(learning=True)
    assert dreaming.drawn.kept and not dreaming.lessons.kept


def test_dreams_never_look_at_what_is_held_back(net, few, monkeypatch):
    monkeypatch.setattr(dreams, "LONGEST", 12)
    data, seen = learner(net).data, set()
    dreaming = dreams.Dreams(net, data, Roughness(), SMALL.width)
    frames = dreaming._frames
    monkeypatch.setattr(dreaming, "_frames", lambda at: seen.update(at.tolist()) or frames(at))
    for _ in range(30):
        dreaming.go_on(learning=False)
    held = {frame for start, stop in data.held for frame in range(start, stop)}
    assert held and len(seen) > 40 and not seen & held


def test_learning_from_dreams_changes_the_dice_alone(net, few):
    before = {name: value.clone() for name, value in net.state_dict().items()}
    student = learner(net)
    student.run(dreams.OFTEN + 1)
    dreaming = student.trainer._dreams
    assert dreaming.told.kept and dreaming.drawn.kept and dreaming.lessons.kept and student.trainer.losses["dreams"] != 0
    after = student.trainer.net.state_dict()
    changed = {name.split(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}
    assert changed == {"prior"}


def test_lessons_of_no_weight_teach_nothing(net, few):
    student = learner(net)
    student.run(1)
    lessons = student.trainer._dreams.lessons
    state, told = student.trainer._dreams._worlds, torch.zeros(2, 6)
    code = torch.ones(2, CODE_DIMS, ROWS)
    lessons.remember(state, code, told, torch.zeros(2, ROWS))
    assert float(lessons.grade(net, 8).detach()) == 0
    lessons.remember(state, code, told, torch.ones(2, ROWS))
    assert float(lessons.grade(net, 8).detach()) > 0
