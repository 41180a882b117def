"""Kinds of what enters: found in footage by looking at things that are in, held while they enter, drawn as often as they come."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import SMALL, footage

from vj.model import digits, kinds
from vj.model import world as worlds
from vj.model.kinds import DIGITS, KINDS, TOLD, Entering, Kinds
from vj.model.net import CODE_DIMS, CONTROLLED, KEEN, Net, over_rows
from vj.model.prior import Dice
from vj.signals import BANDS
from vj.train import sorting
from vj.train.footage import Footage
from vj.train.learn import Learner, start
from vj.train.lessons import Lessons
from vj.train.roughness import Roughness
from vj.train.sorting import Sorting
from vj.train.things import Things
from vj.train.trainer import TrainConfig

ROWS = SMALL.rows
HUES = ((220, 40, 40), (40, 40, 220))


def controls(near, speed: float = 1.0) -> np.ndarray:
    """Of frames in which this enters in the near band alone."""
    out = np.zeros((len(near), 6), np.float32)
    out[:, 0], out[:, 3] = speed, near
    return out


def posts(count: int = 400, every: int = 20, tall: int = 32, wide: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Red and blue posts 6 px wide, by turns by no rule, that pass at 3 px a frame near a grey meadow; and their controls."""
    red = np.random.default_rng(3).random(count // every + 9) < 0.5
    frames = np.full((count, tall, wide, 3), 128, np.uint8)
    near = np.zeros(count)
    for post in range(every, count, every):
        hue = HUES[int(not red[post // every])]
        for at in range(post, min(post + 30, count)):
            x = wide - 3 * (at - post + 1)
            frames[at, tall * 3 // 4 :, max(x, 0) : max(x + 6, 0)] = hue
        near[post : post + 4] = 0.9
    return frames, controls(near)


def posting() -> Footage:
    """The posts as prepared footage."""
    frames, told = posts(700)
    card = footage().card
    return Footage(replace(card, clips=[{"name": "posts", "start": 0, "stop": 700}], count=700), frames, told)


def shown_to(net: Net, lessons: Lessons, size: int, monkeypatch) -> tuple[torch.Tensor, ...]:
    """What the prior is given when it is graded: the edge, what it is told, past codes, and the codes that it should draw."""
    seen, learns = [], net.prior.forward
    with monkeypatch.context() as patch:
        patch.setattr(net.prior, "forward", lambda *given: seen.append(given) or learns(*given))
        lessons.grade(net, size)
    return seen[0]


def begun(entry, lasts: float = 5.0, least: float = 0.0, speed: float = 1.0) -> list[int]:
    entering = Entering(np.full(3, lasts), np.full(3, least))
    return [at for at, row in enumerate(controls(entry, speed)) if entering.turn(row)[2]]


def test_a_thing_begins_where_its_control_rises_from_rest():
    assert begun([0, 0.9, 0.9, 0.9, 0.5, 0, 0, 0.4, 0.4, 0, 0]) == [1, 7]
    assert begun([0, 0.1, 0.2, 0.25, 0.2, 0, 0]) == [], "too faint"
    assert begun([0.9, 0.9, 0.9, 0], least=0.9) == [], "it had begun before"


def test_what_rises_again_while_one_enters_is_the_same_thing():
    pulses = [0, 0.9, 0.9, 0.6, 0.9, 0.9, 0.6, 0.9, 0.9, 0.6, 0.9]
    assert begun(pulses, lasts=5.0) == [1, 7]  # where it is in, the next may begin
    assert begun(pulses, lasts=5.0, speed=0.5) == [1]
    assert begun([0, *[0.9] * 20], lasts=5.0) == [1], "what stays is no other"


def test_what_the_prior_is_told_ends_when_a_thing_is_in():
    net = Kinds(32)
    net.lasts.copy_(torch.tensor([8.0, 4.0, 8.0]))
    told = net.told(torch.full((1, 3, DIGITS), 0.5), torch.tensor([[0.0, 5.0, float("inf")]]))
    assert told.shape == (1, 3, TOLD, ROWS) and told.isfinite().all()
    assert told[0, 0, :3].all() and told[0, 0, 3:, 2].tolist() == [1.0, 0.0, 1.0] and not told[0, 1:].any()


def test_of_what_has_no_kind_is_told_that_it_enters_and_no_more():
    told = Kinds(32).told(torch.full((1, 3, DIGITS), torch.nan), torch.zeros(1, 3))
    assert not told[:, :, :3].any() and (told[:, :, 3] == 1).all()


def test_a_sketch_hangs_on_the_kind_and_on_how_far_the_thing_is():
    net = Kinds(32)
    kind, since = torch.zeros(1, 3, DIGITS), torch.zeros(1, 3)
    first = net.told(kind, since)[:, :, :3]
    assert not torch.equal(first, net.told(kind, since + 3)[:, :, :3])
    kind[:, 1] = 1.0
    changed = (first != net.told(kind, since)[:, :, :3]).flatten(2).any(2)[0]
    assert changed.tolist() == [False, True, False]


def test_numbers_and_values_of_kinds_agree():
    every = digits.values(torch.arange(KINDS), DIGITS)
    assert torch.equal(digits.number(every), torch.arange(KINDS)) and set(every.unique().tolist()) == {-1.0, -0.5, 0.0, 0.5, 1.0}
    assert every[1].tolist() == [-0.5, -1.0, -1.0, -1.0]


def test_the_prior_is_told_of_each_band_row_by_row():
    told = torch.zeros(1, len(BANDS), TOLD, ROWS)
    told[0, 2, 1, 5] = 0.7
    rows = over_rows(torch.zeros(1, 6), torch.ones(1), told, ROWS)[0]
    assert rows.shape == (CONTROLLED, ROWS) and int((rows[8:] != 0).sum()) == 1
    assert rows[8 + 2 * TOLD + 1, 5] == pytest.approx(0.7 * KEEN)


def test_things_are_found_and_seen_when_they_are_in():
    frames, told = posts()
    things = Things(frames, told, [(0, 200), (200, 400)])
    assert things.lasts[2] == 4 and (things.bands == 2).all()
    assert list(things.seen) == [at + 4 for at in (*range(20, 200, 20), *range(220, 400, 20))]
    first = things.which[20:25, 2]
    assert (first == first[0]).all() and things.since[20:25, 2].tolist() == [0, 1, 2, 3, 4]
    assert (things.which[:20] == -1).all()


def test_what_is_not_seen_whole_has_no_kind():
    frames, told = posts()
    things = Things(frames, told, [(0, 23)])
    assert not len(things.seen) and (things.which == -1).all() and not things.told(Kinds(32), np.array([21])).any()


def test_nothing_is_seen_below_the_reach_of_the_band():
    net, frame = Kinds(96), torch.rand(1, 3, 96, kinds.SEEN)
    other = frame.clone()
    other[:, :, 60:] = other[:, :, 60:].flip(3)
    same = [torch.allclose(*(net.plain(edge, torch.tensor([band])) for edge in (frame, other)), atol=1e-5) for band in range(3)]
    assert same == [True, False, False] and net.plain(frame, torch.tensor([0])).any()


def test_kinds_are_drawn_as_often_as_they_come_and_held():
    net = Net(SMALL).eval()
    net.kinds.odds.fill_(-30.0)
    net.kinds.odds[:, 7], net.kinds.odds[:, 90] = np.log(0.8), np.log(0.2)
    net.kinds.lasts.fill_(3.0)
    dice, found = Dice(net), []
    for _ in range(300):
        held = []
        for row in torch.from_numpy(controls([0.9, 0.9, 0.9, 0, 0, 0])):
            told = dice._kinds(row[None])
            held.append(int(digits.number(torch.from_numpy(dice._kind[2]))))
        assert len(set(held)) == 1 and not told.any()
        found.append(held[0])
    assert set(found) == {7, 90} and 0.72 < np.mean(np.array(found) == 7) < 0.88


def test_the_same_seed_draws_the_same_kinds():
    net = Net(SMALL).eval()
    net.kinds.odds.fill_(-1.0)  # any
    dice = Dice(net)

    def some(seed: int) -> torch.Tensor:
        dice.seed(seed)
        return torch.stack([dice._kinds(row[None]) for row in torch.from_numpy(controls([0.9, 0, 0, 0] * 40))])

    assert torch.equal(some(1), some(1)) and not torch.equal(some(1), some(2))


def test_kinds_tell_apart_what_looks_unlike():
    """Red and blue posts get kinds of their own, though they are as long and as steep."""
    frames, told = posts(1200)
    net, things = Net(SMALL).kinds, Things(frames, told, [(0, 1200)])
    assert things.kinds.isnan().all()
    lessons = Sorting(net, things, Roughness(seed=2))
    first = lessons.lessons(1)
    lessons.left = 400
    off = lessons.lessons(400)
    assert not lessons.left and off < 0.5 * first
    numbers = digits.number(things.kinds[:-1])
    red = torch.from_numpy(frames[things.seen, -1, :, 0].max(1) > 200)
    assert 9 < int(red.sum()) < len(red) - 9
    assert not (set(numbers[red].tolist()) & set(numbers[~red].tolist()))
    chances = net.odds[2].exp()
    assert float(chances[numbers[red].unique()].sum()) == pytest.approx(float(red.float().mean()), abs=0.02)
    assert net.lasts[2] == 4 and not net.odds[0].any()


def test_lessons_tell_the_kind_of_what_enters_in_their_frame(monkeypatch):
    """Red is told by one code, blue by another: with each lesson, though half are spliced, goes the sketch of its own post."""
    frames, told = posts(800)
    net, things = Net(SMALL), Things(frames, told, [(0, 800)])
    lessons = Sorting(net.kinds, things, Roughness(seed=2))
    lessons.left = 400
    lessons.lessons(400)
    begins = np.flatnonzero(things.since[:, 2] == 0)
    red = torch.from_numpy(frames[things.seen[things.which[begins, 2]], -1, :, 0].max(1) > 200)
    code = torch.zeros(len(begins), CODE_DIMS, ROWS)
    code[:, :4, -1] = torch.where(red, 1.0, -1.0)[:, None]
    frame, mine = torch.full((len(begins), 3, SMALL.height, SMALL.width), 0.5), Lessons(Roughness(seed=1), things)
    mine.remember(worlds.begin(net, (frame,), torch.ones(len(begins))), code, torch.from_numpy(told[begins]), begins)
    _, obeyed, _, wanted = shown_to(net, mine, 200, monkeypatch)
    sketched, is_red = obeyed[:, 8 + 2 * TOLD : 11 + 2 * TOLD, -1] / KEEN, wanted[:, 0, -1] > 0
    known = sketched.any(1)
    assert 0.8 < float(known.float().mean()) < 0.97
    for some, truth in ((known & is_red, red), (known & ~is_red, ~red)):
        expected = things.told(net.kinds, begins[truth.numpy()][:1])[0, 2, :3, -1]
        assert int(some.sum()) > 40 and torch.allclose(sketched[some], expected, atol=0.05)


def test_a_trainer_sorts_what_enters_and_then_never_again(monkeypatch):
    monkeypatch.setattr(sorting, "LESSONS", 25)
    data = posting()
    student = Learner(data, start(data, config=SMALL), TrainConfig(batch=2, only="prior"))
    assert not student.trainer.net.kinds.odds.any()
    student.run(3)
    found, net = student.trainer.dataset.things.kinds[:-1].clone(), student.trainer.average.kinds
    assert found.isfinite().all() and net.lasts[2] == 4 and float(net.odds[2].exp().sum()) == pytest.approx(1, abs=1e-3)
    kept = {name: value.clone() for name, value in net.state_dict().items()}
    student.run(3)
    assert all(torch.equal(value, kept[name]) for name, value in net.state_dict().items())
    again = Learner(data, student.trainer.net, TrainConfig(batch=2, only="prior"))
    assert not again.trainer._sorting.left and torch.equal(again.trainer.dataset.things.kinds[:-1], found)
    _, tensors = again.publishable()
    assert all(torch.equal(tensors[f"kinds.{name}"], value) for name, value in kept.items())


def test_where_next_to_nothing_enters_no_kinds_are_learnt():
    data = footage()
    data.controls[:, 1:4] = 0
    student = Learner(data, start(data, config=SMALL), TrainConfig(batch=2, only="prior"))
    student.run(2)
    assert not student.trainer.net.kinds.odds.any() and student.trainer.dataset.things.kinds.isnan().all()


def test_who_knows_no_kinds_draws_none():
    dice = Dice(Net(SMALL).eval())
    before = dice.random.bit_generator.state
    told = [dice._kinds(row[None]) for row in torch.from_numpy(controls([0, 0.9, 0.9, 0]))]
    assert not any(part[:, :, :3].any() for part in told) and told[1][0, 2, 3, 0] == 1
    assert dice.random.bit_generator.state == before


def test_where_the_dice_do_not_learn_kinds_stay_as_they_are(monkeypatch):
    monkeypatch.setattr(sorting, "LESSONS", 5)
    data = posting()
    for known, only in ((False, ""), (False, "painter"), (True, "painter")):
        net = start(data, config=SMALL)
        if known:
            net.kinds.odds.normal_()
        before = {name: value.clone() for name, value in net.kinds.state_dict().items()}
        student = Learner(data, net, TrainConfig(batch=2, only=only))
        student.run(2)
        assert all(torch.equal(value, before[name]) for name, value in net.kinds.state_dict().items())
        assert bool(student.data.things.kinds[:-1].isfinite().all()) == known


def test_a_network_that_knows_kinds_counts_those_of_other_footage():
    data = posting()
    net = start(data, config=SMALL)
    net.kinds.odds.fill_(-1.0)
    student = Learner(data, net, TrainConfig(batch=2))
    assert float(net.kinds.odds[2].exp().sum()) == pytest.approx(1, abs=1e-3) and (net.kinds.odds[0] == -1).all()
    assert torch.equal(student.trainer.average.kinds.odds, net.kinds.odds)


def test_nothing_that_is_held_back_is_looked_at():
    data = Learner(posting(), start(posting(), config=SMALL), TrainConfig(batch=2)).data
    held = {frame for start, stop in data.held for frame in range(start, stop)}
    assert len(held) > 20 and len(data.things.seen) > 20
    assert not held & {*data.things.seen.tolist(), *data.things.begins.tolist()} and (data.things.which[sorted(held)] == -1).all()
