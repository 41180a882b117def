"""Learning learns, resumes where it was, and never lets worse weights pass. The worker is a real process."""

import copy
import multiprocessing
import time
from dataclasses import replace
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from fakes import save_footage
from small import MOTIONS, SMALL, footage

from vj import cli
from vj.errors import FootageError, WeightsError
from vj.model import world as worlds
from vj.model.generator import Generator
from vj.model.net import CODE_DIMS, EDGE, EVIDENCE, LIGHT
from vj.signals import Controls
from vj.train import trainer, upscale, whole
from vj.train.dataset import BEFORE, Dataset, Usual
from vj.train.daylight import Daylight
from vj.train.footage import load
from vj.train.learn import (
    STAGED,
    Check,
    Gate,
    Learner,
    adopt_footage,
    going_on,
    learn,
    load_progress,
    save_progress,
    start,
    switched,
)
from vj.train.mix import mix
from vj.train.painting import sketch
from vj.train.trainer import APART, EAGER, ONLY, TrainConfig
from vj.train.worker import Worker, _work
from vj.video import FilmWriter
from vj.weights import WeightsSlot, read, write

QUICK = TrainConfig(batch=2)


def learner(**words):
    torch.set_num_threads(1)
    return Learner(footage(), start(footage(), config=SMALL), words.pop("config", QUICK), **words)


@pytest.fixture(autouse=True)
def _short_checks(monkeypatch):
    """Few own frames in each check and each long world: what they come to is nobody's matter here."""
    monkeypatch.setattr("vj.train.learn.ROLLED", 6)
    monkeypatch.setattr(trainer, "DREAMT", 24)


@pytest.fixture(scope="module")
def taught():
    """Its check before it learnt, and one that has; its average is not to be changed."""
    student = learner()
    student.trainer.whole = None  # what it makes of things and land is for test_whole.py
    before = student.check()
    student.run(200)
    return before, student


def test_learning_learns_what_moves(taught):
    before, after = taught[0], taught[1].check()
    assert after.finite and after.skill > before.skill + 1


def test_leftover_lines_are_thin_few_and_reach_the_edge():
    off = learner().trainer.rough.leftovers(torch.zeros(64, 3, SMALL.height, EDGE))
    lined = off.abs().amax((1, 2, 3)) > 0
    assert 0 < lined.sum() < 40, "some pictures have them, most do not"
    rows = (off[lined].abs().amax((1, 3)) > 0).sum(1)
    assert rows.max() <= 3 * 4
    assert torch.equal(off.abs().amax((1, 3)) > 0, off[..., -1].abs().amax(1) > 0)


def test_quick_lessons_in_light_bring_it_back_from_where_it_strayed():
    """Frame after frame: what was told is what is there in the end, and stays."""
    student = learner()
    net, rough, day = student.trainer.net, student.trainer.rough, Daylight(student.data)
    optimiser = torch.optim.Adam(net.light.parameters(), 3e-3)
    for _ in range(400):
        optimiser.zero_grad()
        day.lesson(net, rough.generator).backward()
        optimiser.step()
    true = student.data.window(20, 1, 1)[0]
    told = torch.cat([torch.tensor([[1.0, 0, 0, 0]]), student.data.usual.measure(true)], 1)
    world, off = worlds.begin(net, (true * torch.tensor([0.85, 0.92, 0.85])[:, None, None],), told[:, 0]), []
    for _ in range(80):
        light = net.light(world.lattice, worlds.tell(net, world.speeds[:, 0], told, torch.zeros(1)))
        world = replace(world, lattice=worlds.relight(world.lattice, light))
        off.append(float((world.lattice.detach().mean((0, 2, 3)) / true.mean((0, 2, 3)) - 1).abs().max()))
    assert off[-1] < 0.05 and abs(off[-1] - off[-20]) < 0.01


def test_before_all_learning_next_to_nothing_is_told_and_the_light_stays():
    student = learner()
    machine, told = Generator(*student.publishable(), "cpu", 0), 0.0
    for _ in range(30):
        machine.step(Controls(speed=1.0, near=1.0, brightness=0.5))
        told += float(machine.world.codes[:, :CODE_DIMS].any(1).float().mean()) / 30
    assert told < 0.05
    net, controls = machine.net, torch.tensor([[1.0, 0, 0, 0, 0.5, -0.5]])
    assert (net.light(machine.world.shown[0], worlds.tell(net, machine.world.speeds[:, 0], controls, torch.zeros(1))) == 1).all()


def test_sketches_alone_teach_the_painter_to_follow_codes():
    """What is told news is painted better for it, though neither the trunk nor a world took part."""
    student = learner()
    trainer = student.trainer
    losses = []
    for _ in range(60):
        part = sketch(trainer.net, trainer.dataset, trainer.rough, "cpu", 1)
        losses.append(float(part.detach()))
        trainer._learn({"paint": part})
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])
    assert trainer.net.trunk.stem.weight.grad is None


def test_the_priors_lessons_are_spliced_alike_in_all_their_parts():
    trainer = learner().trainer
    rows = SMALL.rows
    number = torch.arange(16.0)
    edge = number.view(-1, 1, 1, 1).expand(-1, 3, SMALL.height, EDGE)
    parts = (number.view(-1, 1, 1).expand(-1, depth, rows) for depth in (8, 40, 8, 1))
    edge, obeyed, past, code, weight = trainer._lessons._spliced(edge, *parts)
    assert torch.equal(edge[:, 0, ::4, 0], code[:, 0]) and torch.equal(obeyed[:, 0], code[:, 0])
    assert torch.equal(past[:, 0], code[:, 0]) and torch.equal(weight[:, 0], code[:, 0])
    mixed = (code[:, 0, :1] != code[:, 0, 1:]).any(1)
    assert 0 < mixed.sum() < 16, "some are spliced, some are not"


def test_with_evidence_what_moved_goes_on_as_it_moved_before_all_learning():
    student = learner()
    before = student.check().skill
    student.trainer.average.trunk.evidence.data.fill_(EVIDENCE)
    assert student.check().skill > before + 5


def test_in_a_shaking_picture_the_last_step_alone_tells_how_things_move():
    """Three steps back all lay elsewhere: what they say of motions is wrong there, and is left out where told so."""
    rng, student = np.random.default_rng(0), learner()
    frames = torch.from_numpy(np.asarray(footage().frames[:6])).permute(0, 3, 1, 2).float()[None] / 255
    for t in range(5):
        frames[0, t] = frames[0, t].roll(int(rng.integers(3, 9)), 2) if t < 3 else frames[0, t]
    net = student.trainer.average
    world = worlds.begin(net, tuple(frames[:, t] for t in (4, 3, 2, 1)), torch.ones(1, 3))
    both, doubt = worlds.misfit(net, world)
    assert torch.equal(both, doubt)
    net.trunk.recent.fill_(1.0)
    again, last = worlds.misfit(net, world)
    upper = lambda wrong: wrong[0, :, 1:7, 2:-4].mean((1, 2))  # noqa: E731  moves by the second motion, 1 px
    assert torch.equal(again, both) and int(upper(last).argmin()) == 1
    assert upper(last)[1] < 0.2 * upper(last).median() and upper(both)[1] > 0.5 * upper(both).median()


def test_other_motions_make_it_forget_where_which_was_as_far_as_that_helps(monkeypatch, taught):
    student, clip = taught[1], footage()
    other = replace(clip, card=replace(clip.card, motions=[[0.0, 0.0], [3.0, 0.0], [2.0, 0.0], [1.0, 0.0]]))
    skills = []
    for forgotten in ((0.0,), (0.0, 1.0)):
        monkeypatch.setattr("vj.train.learn.FORGOTTEN", forgotten)
        net = copy.deepcopy(student.trainer.average)
        net.bank[1:] += 10  # so that those of the footage are far from its own
        adopt_footage(net, other)
        assert net.bank.tolist() == other.card.motions
        skills.append(Learner(other, net, QUICK).check().skill)
    assert skills[1] > skills[0] + 1


def test_motions_like_its_own_stay_its_own(taught):
    student, clip = taught[1], footage()
    near = replace(clip, card=replace(clip.card, motions=[[0.0, 0.0], [1.2, 0.0], [2.2, 0.0], [2.8, 0.0]]))
    net = copy.deepcopy(student.trainer.average)
    adopt_footage(net, near)
    pace = float(net.bank[1, 0])  # of all together, see the next test
    assert abs(pace - 1) < 0.09 and torch.allclose(net.bank, pace * torch.tensor(MOTIONS))
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), student.trainer.average.parameters(), strict=True))


def test_motions_keep_the_footages_pace(taught):
    """Where speed 1 is a little faster in px than it was, all its motions are so much faster."""
    student, clip = taught[1], footage()
    net = copy.deepcopy(student.trainer.average)
    net.bank *= 1 / 1.08  # as learnt from footage whose speed 1 is slower
    before = Learner(clip, net, QUICK).check().skill
    adopt_footage(net, clip)
    assert torch.allclose(net.bank, torch.tensor(MOTIONS), atol=0.15)
    assert Learner(clip, net, QUICK).check().skill > before + 3


def test_in_other_footage_all_stays_at_first():
    """What looks like litter in one may be a texture of the other."""
    for motions, keeps in ((MOTIONS, True), ([[0.0, 0.0], [1.5, 0.0], [2.5, 0.0], [3.5, 0.0]], False)):
        net, clip = start(footage(), config=SMALL), footage()
        torch.nn.init.ones_(net.mender.head.weight)
        adopt_footage(net, replace(clip, card=replace(clip.card, motions=motions)))
        assert bool(net.mender.head.weight.any()) == keeps


def test_light_is_told_in_one_scale_for_all_footage():
    net = start(footage(), config=SMALL)
    told = torch.tensor([[1.0, 0, 0, 0, 0.5, -0.25]])
    inner = []
    for usual in ((0.3, 0.05, 0.1, 0.04), (0.5, 0.1, 0.0, 0.06)):
        net.usual.copy_(torch.tensor(usual))
        mean, spread, warm_mean, warm_spread = usual
        bright, warm = (0.4 - mean) / (2 * spread), (0.05 - warm_mean) / (2 * warm_spread)
        inner.append(net.lit(torch.tensor([[1.0, 0, 0, 0, bright, warm]])))
    assert torch.allclose(*inner, atol=1e-5), "the same light is the same, whatever is usual"
    net.usual.copy_(torch.tensor(LIGHT))
    assert torch.allclose(net.lit(told), told, atol=1e-6)


def test_the_same_seed_learns_the_same():
    a, b = learner(seed=3), learner(seed=3)
    a.run(8)
    b.run(8)
    pairs = zip(a.publishable()[1].values(), b.publishable()[1].values(), strict=True)
    assert all(torch.equal(x, y) for x, y in pairs)


def test_progress_is_saved_whole_and_goes_on(tmp_path):
    student = learner()
    student.run(8)
    save_progress(tmp_path / "p.safetensors", student)
    other = learner()
    load_progress(tmp_path / "p.safetensors", other)
    assert other.steps == 8
    same = zip(student.trainer.net.state_dict().values(), other.trainer.net.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) for a, b in same)
    assert len(other.trainer.optimiser.state_dict()["state"]) == len(student.trainer.optimiser.state_dict()["state"])
    (tmp_path / "p.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="resume"):
        load_progress(tmp_path / "p.safetensors", other)


def test_learn_writes_weights_that_can_be_read(tmp_path):
    out, told = tmp_path / "w.safetensors", []
    start_weights = learner().publishable()
    learn(footage(), out, steps=6, clock=time.monotonic, weights=start_weights, config=QUICK, recipe="a test", chunk=2,
          progress=lambda share, student, check: told.append(share))  # fmt: skip
    card, _ = read(out)
    assert card.step == 6 and card.recipe == "a test" and told[-1] == 1.0
    learn(footage(), out, steps=4, clock=time.monotonic, weights=start_weights, config=QUICK, resume=True)
    assert read(out)[0].step == 10


@pytest.fixture(name="in_order")
def _in_order(monkeypatch):
    """Ordinary steps are taken from the first on, also where a clip would be cut out first (see test_whole.py)."""
    monkeypatch.setattr(whole.Whole, "comes_first", lambda self, fledged: False)


@pytest.mark.usefixtures("in_order")
def test_what_goes_on_learns_as_fast_as_it_should(tmp_path):
    card, tensors = learner().publishable()
    rates, known = [], (replace(card, step=5000), tensors)
    for resume in (False, True):
        learn(footage(), tmp_path / "w.safetensors", steps=1, clock=time.monotonic, weights=known, resume=resume,
              progress=lambda share, student, check: rates.append(student.trainer.config.rate))  # fmt: skip
    net = start(footage(), known)
    refines = going_on(net, 5000, knows=True)
    turning, resumed, refining = (*rates, refines.rate)
    assert 1 - refines.average < (1 - TrainConfig().average) / 5 and learner(config=None).trainer.config == TrainConfig()
    assert refining < turning < resumed == TrainConfig().rate
    assert going_on(net, 5000, knows=False).rate == turning and going_on(net, 50, knows=True) == TrainConfig()


def test_weights_know_the_footage_that_they_learnt_from():
    clip, net = footage(), start(footage(), learner().publishable())
    other = replace(clip, frames=np.ascontiguousarray(clip.frames[::-1]), controls=clip.controls[::-1].copy())
    assert adopt_footage(net, clip) and not adopt_footage(net, other) and adopt_footage(net, other)


@pytest.mark.usefixtures("in_order")
def test_dice_that_were_evened_for_the_footage_stay_in_a_show():
    """One film would take from them what many taught, and the odds are for these dice and codes."""
    card, tensors = learner().publishable()
    for evened in (False, True):
        odds = torch.full_like(tensors["prior.odds"], 0.1 * evened)
        net = start(footage(), (card, tensors | {"prior.odds": odds}))
        config = replace(going_on(net, 5000, adopt_footage(net, footage())), batch=2)
        student = Learner(footage(), net, config, step=5000)
        before = {name: p.detach().clone() for name, p in net.named_parameters()}
        student.run(4)
        changed = {name.split(".")[0] for name, p in net.named_parameters() if not torch.equal(p, before[name])}
        stays = {"prior", "mender"} & changed
        assert {"trunk", "painter"} <= changed and stays == (set() if evened else {"prior", "mender"})
        same = torch.equal(net.encoder.layers[0].weight, before["encoder.layers.0.weight"])
        assert same == evened
    net, other = start(footage(), (card, tensors | {"prior.odds": odds})), footage()
    other = replace(other, frames=np.ascontiguousarray(other.frames[::-1]), controls=other.controls[::-1].copy())
    adopt_footage(net, other)  # on other footage they learn, and so they do when that is known by and by
    assert going_on(net, 5000, adopt_footage(net, other)).only == ""


@pytest.fixture(scope="module")
def begun():
    """What a few steps have made: card and tensors, not to be changed."""
    student = learner()
    student.run(4)
    return student.publishable()


@pytest.mark.parametrize("only", [part for part in ONLY if part not in APART])  # see test_things.py, test_land.py, test_finer.py
def test_one_part_can_be_refined_alone(tmp_path, only, begun):
    """The rest stays as it is to the bit; of the encoder only how it tells what is worth telling may change."""
    card, tensors = begun
    clip = footage()
    other = replace(clip, card=replace(clip.card, motions=[[0.0, 0.0], [1.1, 0.0], [2.0, 0.0], [3.0, 0.0]]))
    out = tmp_path / "w.safetensors"
    learn(other, out, steps=8, clock=time.monotonic, weights=(replace(card, step=5000), tensors), only=only)
    write(tmp_path / "before.safetensors", card, tensors, halved=True)
    before, changed = read(tmp_path / "before.safetensors")[1], set()
    for name, tensor in read(out)[1].items():
        if not torch.allclose(tensor.float(), before[name].float(), atol=1e-6, rtol=1e-6):
            changed.add(name.split(".")[0] if not name.startswith("encoder.") else name)
    allowed = {"palette", "profile", "usual"} | ({"encoder.layers.6.bias"} if only == "picture" else set())
    assert changed - allowed == {
        "picture": {"trunk", "light", "painter", "encoder.layers.6.weight"},
        "trunk": {"trunk"},
        "painter": {"painter"},
        "adversary": {"painter"},
        "strip": {"painter"} | {f"encoder.layers.{n}.{part}" for n in (0, 2, 4, 6) for part in ("weight", "bias")},
        "prior": {"prior"},
        "dreams": {"prior"},
        "mender": {"mender"},
        "tidying": {"mender"},
    }[only]
    last = read(out)[1]["encoder.layers.6.weight"]
    if only != "strip":
        assert torch.allclose(last[:CODE_DIMS], tensors["encoder.layers.6.weight"][:CODE_DIMS], atol=2e-4)


def test_what_can_be_refined_is_the_same_on_the_command_line():
    commands = next(action.choices for action in cli._parser()._actions if action.choices and "learn" in action.choices)
    choices = next(action.choices for action in commands["learn"]._actions if action.dest == "only")
    assert set(choices) == set(ONLY) == set(STAGED)


def test_a_mix_is_the_mean_but_for_the_dice():
    (card, a), (_, b) = (learner(seed=seed).publishable() for seed in (0, 1))
    b = {name: part + 0.25 if part.is_floating_point() else part for name, part in b.items()}
    _, mean = mix([(card, a), (card, b)])
    assert torch.allclose(mean["painter.lean"], a["painter.lean"] + 0.125)
    assert torch.equal(mean["prior.head.weight"], a["prior.head.weight"]) and torch.equal(mean["bank"], a["bank"])
    _, other = mix([(card, a)], [(card, b)])
    assert torch.equal(other["prior.head.weight"], b["prior.head.weight"])
    _, both = mix([(card, a)], [(card, a), (card, b)])
    assert torch.allclose(2 * both["prior.head.weight"], a["prior.head.weight"] + b["prior.head.weight"])
    assert torch.equal(other["painter.lean"], a["painter.lean"])
    with pytest.raises(WeightsError, match="mixed"):
        mix([(card, a), (card, {**b, "bank": b["bank"][:2]})])


def test_sizes_that_differ_are_refused():
    card_and_tensors = learner().publishable()
    with pytest.raises(WeightsError, match="64x32"):
        start(footage(height=40), card_and_tensors)


def test_the_gate_lets_nothing_worse_pass():
    gate = Gate(slack=0.5)
    assert gate.passes(Check(3.0, 1.0, True))
    assert not gate.passes(Check(2.0, 1.0, True))
    assert not gate.passes(Check(9.0, 1.0, False))
    assert gate.passes(Check(2.8, 1.0, True)) and gate.passes(Check(5.0, 1.0, True))
    assert not gate.passes(Check(4.0, 1.0, True))
    assert gate.passes(Check(4.0, 1.0, True, young=True)) and not gate.passes(Check(1.0, 1.0, True, young=True))
    assert gate.rejected == 4


def test_a_clip_too_short_for_a_window_stands_still():
    clip = footage(20)
    data = Dataset(clip.frames, clip.controls, [(0, 10), (10, 20)], Usual(0.5, 0.05, 0.0, 0.05), held_back=0.0)
    batch = data.batch(16, 12, light=0.0, beyond=4)
    assert batch.frames.shape[1] == BEFORE + 16
    assert (batch.controls[..., 0] == 0).all() and torch.equal(batch.frames[:, 0], batch.frames[:, -1]), "never past a cut"


def test_batches_measure_the_light_they_change():
    clip = footage()
    usual = Usual(0.5, 0.05, 0.0, 0.05)
    data = Dataset(clip.frames, clip.controls, clip.clips, usual)
    batch = data.batch(8, ahead=2, light=1.0)
    assert batch.frames.shape == (8, 8, 3, 32, 64) and batch.controls.shape == (8, 8, 6)
    assert torch.allclose(batch.controls[..., 4:6], usual.measure(batch.frames))
    still, told = data.window(10, 4, 0)
    assert torch.equal(still[0], still[3]) and not told[:, 0].any()
    _, twice = data.window(10, 4, 2)
    assert torch.allclose(twice[:, 0], torch.tensor(2.0))


def test_held_back_footage_is_never_in_a_batch():
    clip = footage(count=200)
    data = Dataset(clip.frames, clip.controls, clip.clips, Usual(0.5, 0.05, 0, 0.05), held_back=0.2)
    (start_, stop), (held, _) = data.training[0], data.held[0]
    assert stop <= held and stop - start_ == 160
    with pytest.raises(FootageError, match="3 s"):
        Dataset(clip.frames, clip.controls, [(0, 4)], Usual(0.5, 0.05, 0, 0.05))


def wait_for(true, worker, seconds=90.0):
    until = time.monotonic() + seconds
    while not true() and worker.alive and time.monotonic() < until:
        time.sleep(0.05)


@pytest.mark.timeout(300)  # a busy machine leaves little to a trainer that is nice
def test_the_worker_prepares_publishes_goes_over_to_other_footage_and_ends_when_told(tmp_path):
    """One process, as starting one is dear: from a film to weights, then on to a folder that has large pictures too."""
    film, many = tmp_path / "demo.mp4", footage()
    with FilmWriter(film, (64, 32), 24.0) as writer:
        for frame in many.frames[:90]:
            writer.write(frame)
    many = replace(many, card=replace(many.card, motions=[[float(k), 0.0] for k in range(16)]))  # as many as are measured
    start_with = Learner(many, start(many, config=replace(SMALL, classes=16)), QUICK)
    write(tmp_path / "start.safetensors", *start_with.publishable())
    upscaler, then = tmp_path / "upscaler.safetensors", save_footage(tmp_path / "other", many)
    (then / "large").mkdir()
    for number in range(8):
        blocks = np.random.default_rng(number).integers(0, 255, (6, 8, 3), np.uint8)
        cv2.imwrite(str(then / "large" / f"{number}.jpg"), np.kron(blocks, np.ones((32, 32, 1), np.uint8)))
    upscale.write(upscaler, upscale.Net().state_dict(), {})
    first, slot = tmp_path / "prepared", tmp_path / "slot"
    newest = lambda: WeightsSlot(slot).latest()  # noqa: E731
    with Worker(tmp_path / "start.safetensors", first, slot, 0.1, config=QUICK, upscaler=upscaler, sources=(film,)) as worker:
        wait_for(lambda: worker.report().version >= 1, worker)
        report = worker.report()
        assert report.version >= 1 and report.steps > 0 and not report.message
        assert read(newest())[0].version >= 1 and read(newest())[0].footage == str(first)
        assert load(first).card.count == 90
        worker.switch(tmp_path / "nothing")  # said, and the old footage goes on
        worker.switch(then)
        wait_for(lambda: read(newest())[0].footage == str(then) and (slot / upscale.NAME).is_file(), worker)
        assert worker.alive
    assert not worker.alive
    assert read(newest())[0].footage == str(then)
    learnt, before = upscale.read(slot / upscale.NAME), upscale.read(upscaler)
    assert any(not torch.equal(learnt[name], before[name]) for name in learnt)


@pytest.mark.parametrize("may", [False, True])
def test_what_is_neither_world_is_not_shown(tmp_path, monkeypatch, may):
    """The worker's whole life in this process, six looks at the clock long: it goes on learning, and hands over or not."""
    monkeypatch.setattr("os.nice", lambda more: more)
    monkeypatch.setattr(Learner, "may_show", may)
    folder, said = save_footage(tmp_path / "film", footage()), []
    write(tmp_path / "start.safetensors", *learner().publishable())
    stop = SimpleNamespace(is_set=lambda: len(said) >= 6)
    mouth, orders = SimpleNamespace(send=said.append), SimpleNamespace(poll=lambda: False)
    _work(tmp_path / "start.safetensors", folder, tmp_path / "slot", 0.0, 0, "cpu", QUICK, (), None, stop, mouth, orders)
    assert said[-1].steps > 0 and said[-1].rejected == 0
    assert (said[-1].version > 0) == may == bool(list((tmp_path / "slot").glob("*.safetensors")))


@pytest.mark.parametrize(("step", "hides", "may"), [(EAGER, True, False), (EAGER, False, True), (EAGER - 1, True, True)])
def test_a_world_that_is_known_is_kept_until_the_new_one_is(monkeypatch, step, hides, may):
    """Who knew none has nothing better to show."""
    monkeypatch.setattr(whole.Whole, "hides", hides)
    assert Learner(footage(), start(footage(), config=SMALL), QUICK, step=step).may_show == may
    assert Learner(footage(), start(footage(), config=SMALL), TrainConfig(only="picture"), step=step).may_show


def test_other_footage_of_another_size_is_refused_and_the_learner_stays():
    student = learner()
    other = footage()
    other = replace(other, card=replace(other.card, width=other.card.width + 8))
    with pytest.raises(WeightsError, match="prepare it in that size"):
        switched(student, other, "wide")
    student.run(2)
    assert student.steps == 2


def test_a_worker_without_footage_says_so_and_the_show_goes_on(tmp_path, monkeypatch):
    """What the process does, in this one: it says why and returns, and so it ends."""
    monkeypatch.setattr("os.nice", lambda more: more)
    ears, mouth = multiprocessing.Pipe(duplex=False)
    _work(None, tmp_path / "nothing", tmp_path / "slot", 20.0, 0, "cpu", None, (), None, None, mouth, None)
    assert "prepared footage" in ears.recv().message


@pytest.mark.parametrize(("height", "width"), [(54, 96), (30, 70)])
def test_a_picture_need_not_be_a_multiple_of_eight(height, width):
    clip = footage(height=height, width=width)
    student = Learner(clip, start(clip, config=SMALL), QUICK)
    student.run(8)
    generator = Generator(*student.publishable())
    frames = [generator.step(Controls()).pixels for _ in range(3)]
    assert frames[-1].shape == (height, width, 3) and student.check().finite


def test_at_the_end_of_a_planned_way_only_the_prior_and_the_mender_learn():
    student = learner(config=replace(QUICK, dreaming=0.5))
    student.run(3)
    for share, moved in ((0.4, {"trunk", "light", "painter", "encoder", "prior"}), (0.6, {"prior", "mender"})):
        before = {name: p.detach().clone() for name, p in student.trainer.net.named_parameters()}
        student.trainer.share = share
        student.run(3)
        after = student.trainer.net.named_parameters()
        assert {name.split(".")[0] for name, p in after if not torch.equal(p, before[name])} == moved


@pytest.mark.usefixtures("in_order")
def test_who_knows_something_learns_the_dice_from_worlds_that_have_gone_on(monkeypatch):
    monkeypatch.setattr(trainer, "BESIDE", 4)
    for steps in (100, EAGER):
        mine = Learner(footage(), start(footage(), config=SMALL), TrainConfig(batch=2), step=steps).trainer
        rolled, kept, roll = [], [], mine._roll
        monkeypatch.setattr(mine, "_roll", lambda *each, **more: rolled.append(each[1]) or roll(*each, **more))  # noqa: B023
        for _ in range(2 if steps < EAGER else 5):
            mine.run(1)
            kept.append(mine._lessons.kept)
        deep = 4 * (max(rolled) + 1)
        assert deep == 100 if steps >= EAGER else deep <= 52  # of DREAMT frames, or of at most `deepest`
    assert kept == [deep] * 4 + [2 * deep]  # and from no others


def test_a_trainer_whose_show_is_gone_ends_without_a_word(tmp_path, monkeypatch):
    monkeypatch.setattr("os.nice", lambda more: more)
    ears, mouth = multiprocessing.Pipe(duplex=False)
    ears.close()
    with pytest.raises(SystemExit) as end:
        _work(None, tmp_path / "nothing", tmp_path / "slot", 20.0, 0, "cpu", None, (), None, None, mouth, None)
    assert end.value.code is None and not list(tmp_path.iterdir())
