"""Footage of unlike clips is several scenes: told apart, learnt by one network each its own way, and cut from one to another."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from fakes import save_footage
from small import SMALL, footage, weights
from test_footage import film, growing, slide, texture
from toy import Toy, footage_of

from vj.errors import FootageError, WeightsError
from vj.model.generator import Generator
from vj.model.land import KNOWN, NEW, Land
from vj.model.latents import CELL
from vj.model.net import Net
from vj.signals import BANDS, Controls
from vj.train import footage as footages
from vj.train import judge as judging
from vj.train import measure, slits, trials
from vj.train import scenes as apart
from vj.train.footage import load, prepare
from vj.train.keepsakes import first_frames, first_pictures
from vj.train.land import Lessons
from vj.train.lands import Lands
from vj.train.learn import Learner, adopt_footage, dataset, start
from vj.train.report import Findings
from vj.train.roughness import Roughness
from vj.train.trials import Reference
from vj.train.whole import Whole
from vj.view import WINDOW, View

GO = Controls(speed=1.0)
AHEAD = View("ahead", 0.4, 0.6)
LIGHTS = [(0.45, 0.1, 0.0, 0.1), (0.3, 0.2, 0.1, 0.2)]


def parted(above: int, below: int, count: int = 70) -> list[np.ndarray]:
    """Frames whose upper half goes so many px a frame, and the lower half so many."""
    sky, land = slide([above] * count, texture(1)), slide([below] * count, texture(2))
    return [np.vstack([a[:48], b[48:]]) for a, b in zip(sky, land, strict=True)]


# -------------------------------------------------------------------------------------------------------- told apart
def test_what_is_seen_unlike_are_scenes_each_laid_out_and_measured_its_own_way(tmp_path):
    dark = [frame // 2 for frame in growing(80)]
    sources = [film(tmp_path / "ride.mp4", parted(1, 8, 60)), film(tmp_path / "walk.mp4", dark)]
    card = prepare(sources, tmp_path / "out")
    assert [clip["name"] for clip in card.clips] == ["ride.mp4", "walk.mp4"]
    walk, ride = card.scenes  # the longer one first
    assert [clip["scene"] for clip in card.clips] == [1, 0]
    assert walk["view"]["kind"] == card.view["kind"] == "ahead" and ride["view"] == {}
    assert walk["usual"]["brightness_mean"] != ride["usual"]["brightness_mean"]
    made = load(tmp_path / "out")
    for scene in made.scenes:
        told = np.concatenate([made.controls[a:b] for a, b in scene.clips])
        assert np.median(told[:, 0]) == pytest.approx(1, abs=0.05), "speed 1 is what is usual there"
        assert np.percentile(told[:, 1:4], 95, axis=0) == pytest.approx(1, abs=0.15)
    assert sum("2 scenes" in words and "walk.mp4 | ride.mp4" in words for words in card.left_out) == 1
    bright = [np.mean([made.controls[a:b, 4].mean() for a, b in scene.clips]) for scene in made.scenes]
    assert bright[0] < -0.3 and bright[1] > 0.3, "what is dark is told as dark"
    sheet = cv2.imread(str(tmp_path / "out" / "sheet.png"))[..., ::-1]
    last, wide = made.frames[-1], card.width
    assert np.array_equal(sheet[3 * 96 : 4 * 96, 5 * wide : 6 * wide], made.scenes[0].view.lay_back(last))
    assert np.array_equal(sheet[:96, :wide], made.frames[0])


@pytest.mark.parametrize("wrong", [{"view": {"kind": "nowhere"}}, {"usual": {}}, {}])
def test_a_card_with_a_scene_that_cannot_be_is_a_sentence(tmp_path, wrong):
    path = save_footage(tmp_path / "a", two_scenes()) / "card.json"
    card = json.loads(path.read_text())
    load(tmp_path / "a")
    card["scenes"] += [] if wrong else [card["scenes"][0]]  # of no clip
    card["scenes"][1] |= wrong
    path.write_text(json.dumps(card))
    with pytest.raises(FootageError, match="damaged"):
        load(tmp_path / "a")


def test_a_scene_may_be_in_several_files_and_go_faster_in_one(tmp_path):
    names = [film(tmp_path / f"{n}.mp4", parted(*paces)) for n, paces in enumerate([(1, 4), (2, 8), (4, 1), (1, 5)])]
    card = prepare(names, tmp_path / "out")
    assert [clip["scene"] for clip in card.clips] == [0, 0, 1, 0]
    alike = prepare(names[:2], tmp_path / "alike")
    assert alike.scenes == [] and [clip["scene"] for clip in alike.clips] == [0, 0] and len(load(tmp_path / "alike").scenes) == 1
    speeds = [np.median(load(tmp_path / "alike").controls[a:b, 0]) for a, b in load(tmp_path / "alike").clips]
    assert speeds[1] > 1.7 * speeds[0], "one journey has one scale of speed"


def test_there_are_only_so_many(tmp_path, monkeypatch):
    monkeypatch.setattr(apart, "MOST", 1)
    sources = [film(tmp_path / "ride.mp4", parted(1, 8, 40)), film(tmp_path / "walk.mp4", growing(80))]
    card = prepare(sources, tmp_path / "out")
    assert [clip["name"] for clip in card.clips] == ["walk.mp4"] and card.scenes == []
    assert any("ride.mp4: is unlike 1 longer scenes and is left out" in words for words in card.left_out)


def test_where_rays_meet_elsewhere_it_is_another_scene():
    frames = np.stack([np.asarray(frame) for frame in parted(1, 4)])
    motion, clips = np.full(len(frames), 4.0), [(0, len(frames))]
    for other, same in ((View("ahead", 0.5, 0.6), True), (View("ahead", 0.4, 0.8), False), (View("astern", 0.4, 0.6), False)):
        found = apart.told_apart(frames, motion, [(AHEAD, clips), (other, clips)])
        assert found == ([[0, 1]] if same else [[0], [1]])


# ------------------------------------------------------------------------------------------------------------- learnt
def two_scenes(count: int = 120):
    """The small footage twice, the second time as a scene of its own, ahead."""
    one = footage(count)
    cut = count // 3
    clips = [{"name": "a", "start": 0, "stop": cut, "scene": 1}, {"name": "b", "start": cut, "stop": count, "scene": 0}]
    entry = {"entry_low": [0.0] * 3, "entry_high": [0.2] * 3}
    usual = [dict(zip(footages.USUAL, light, strict=True)) | entry for light in LIGHTS]
    view = {"kind": "ahead", "x": 0.4, "y": 0.6}
    each = [{"view": {}, "usual": usual[0]}, {"view": view, "usual": usual[1]}]
    return replace(one, card=replace(one.card, clips=clips, scenes=each, usual=one.card.usual | entry))


def test_each_scene_has_first_pictures_of_its_own():
    made, count = two_scenes(), 40
    training = dataset(made).training
    frames, speeds, which = first_pictures(made, training, 5)
    assert which.tolist() == [0, 0, 0, 1, 1] and len(frames) == len(speeds) == 5
    theirs = first_frames(made, made.scenes[1].within(training), 2)
    assert torch.equal(frames[3:], theirs[0]) and made.scenes[1].within(training)[0][1] <= count
    alone = first_pictures(footage(), dataset(footage()).training, 3)
    assert torch.equal(alone[0], first_frames(footage(), dataset(footage()).training, 3)[0]) and not alone[2].any()


def test_a_network_is_told_of_the_scenes_of_its_footage():
    net = start(two_scenes(), config=SMALL)
    table = net.land.scenes
    assert table.several and table.seen(1) == AHEAD and table.seen(0) == WINDOW
    assert torch.allclose(table.usual[:2], torch.tensor(LIGHTS)) and sorted(set(net.first_scenes.tolist())) == [0, 1]
    adopt_footage(net, footage(), motions=False)
    assert not table.several and not net.first_scenes.any()


def land(pace: float, cells: int = 5) -> Lands:
    picture = torch.rand(4, SMALL.height, (KNOWN + NEW) * CELL * cells).half()
    rows, told = torch.full((SMALL.height,), pace), torch.rand(len(BANDS), picture.shape[2])
    return Lands([picture], rows, torch.zeros(SMALL.height, 2), [told], 0.5, torch.full((3,), 6.0))


def test_lessons_are_in_all_scenes_at_once_and_the_table_says_what_each_is(monkeypatch):
    net, told, drawn = Land(SMALL.height, 4, 3), [], []
    lessons = Lessons(net, [land(2.0), land(1.0, 0), land(6.0)], Roughness())
    assert lessons.scenes == 2, "in the second too little enters"
    lessons.count(net)
    net.scenes.tell([WINDOW] * 3, [LIGHTS[0]] * 3)
    assert [net.scenes.known(scene) for scene in range(3)] == [True, False, True]
    assert net.paces[0] == 2 and net.scenes.paces[:, 0].tolist() == [2, 0, 6]
    encoder, velocity = net.encoder.forward, net.velocity.forward
    monkeypatch.setattr(net.encoder, "forward", lambda seen: drawn.append(len(seen)) or encoder(seen))
    monkeypatch.setattr(net.velocity, "forward", lambda *given: told.append(given[2]) or velocity(*given))
    for _ in range(3):
        assert all(torch.isfinite(loss) for loss in lessons.grade(1.0).values())
    assert all(each.flatten().tolist() == [0.0] * 8 + [1.0] * 8 for each in told), "which scene it is is told in making"
    assert drawn[-1] == 8
    net.scenes.go(net, 2)
    assert net.paces[0] == 6 and net.wanted(0) == 1 and net.bank[0, 0] == 12 and net.scenes.here == 2
    net.forget()
    assert not net.known and not net.scenes.known(2)


def test_too_little_in_all_scenes_is_a_sentence():
    with pytest.raises(FootageError):
        Lessons(Land(SMALL.height, 4, 3), [land(2.0, 0), land(6.0, 0)], Roughness())
    assert not slits.find(np.zeros((9, 32, 64, 3), np.uint8), np.ones((9, 6), np.float32), []).pictures


def test_several_scenes_have_all_that_enters_in_their_land(monkeypatch):
    """Things are not looked for; each scene is cut out of its own stretches, as it is laid out; until it is shown nothing is."""
    asked = []

    def taking(_frames, _controls, pieces, rays):
        asked.append((pieces, rays))
        yield
        return land(2.0 + rays)

    monkeypatch.setattr(slits, "taking", taking)
    monkeypatch.setattr("vj.train.things.cutting", lambda *_told: pytest.fail("things are looked for"))
    monkeypatch.setattr("vj.train.whole.BRIEF", 10)
    made = two_scenes()
    mine = Learner(made, start(made, config=SMALL)).trainer.whole
    assert mine.hides
    while mine._work is not None:
        mine.turn(torch.no_grad)
    assert [rays for _, rays in asked] == [False, True]
    assert all(start >= 40 for start, _ in asked[0][0]) and all(stop <= 40 for _, stop in asked[1][0])
    part = mine._parts["land"]
    single = Learner(footage(), start(footage(), config=SMALL)).trainer.whole
    monkeypatch.setattr("vj.train.things.cutting", none)
    while single._work is not None:
        single.turn(torch.no_grad)
    assert part._looks == round(single._parts["land"]._looks * 2**0.5), "two are more to learn than one"
    part.show()
    assert mine.average.land.scenes.known(1) and mine.average.land.scenes.several


def none(*_told):
    raise FootageError("none")
    yield


def test_a_world_that_is_kept_meanwhile_is_one_scene():
    net, shown, data = start(two_scenes(), config=SMALL), Net(SMALL), dataset(two_scenes())
    shown.land.scenes.tell([WINDOW, AHEAD], LIGHTS)
    average = Net(SMALL)
    Whole(net, average, data, Roughness()).keep(shown)
    assert not average.land.scenes.several


# -------------------------------------------------------------------------------------------------------------- shown
@pytest.fixture(name="made")
def _made():
    """Card and tensors that know two scenes: of the first picture the second, of the others the first one."""
    card, tensors = weights()
    net = Net(SMALL)
    net.load_state_dict(tensors)
    net.land.scenes.tell([WINDOW, AHEAD], LIGHTS)
    for scene, pace in ((1, 4.0), (0, 2.0)):
        net.land.paces.fill_(pace)
        net.land.lasts.fill_(5.0)
        net.land.bank[:, 0] = pace
        net.land.scenes.keep(net.land, scene)
    net.first_scenes.copy_(torch.tensor([1.0, 0.0, 0.0]))
    return card, net.state_dict()


def test_it_cuts_to_another_scene_from_one_of_its_first_pictures(made):
    generator = Generator(*made)
    generator.reset(next(seed for seed in range(9) if np.random.default_rng(seed).integers(3) > 0))
    before = generator.step(GO)
    assert before.view == WINDOW and generator.net.land.paces[0] == 2 and generator.net.usual.tolist() == pytest.approx(LIGHTS[0])
    generator.cut()
    first = generator.net.first_frames[0, :3]
    assert torch.equal(generator.world.shown[0][0] * 255, first.float())
    after = generator.step(GO)
    assert after.view == AHEAD and after.world == before.world + 1
    assert generator.net.land.paces[0] == 4 and generator.net.usual.tolist() == pytest.approx(LIGHTS[1])
    assert np.abs(after.flow[..., 0] + 4).max() < 0.1
    generator.cut(1)
    assert generator.step(GO).world == after.world, "it is there"
    generator.cut(0)
    assert generator.step(GO).view == WINDOW and generator.step(GO).world == after.world + 1


def test_all_that_enters_is_made_as_that_scene_what_is_called_in_too(made, monkeypatch):
    generator, told = Generator(*made), []
    velocity = generator.net.land.velocity
    plainly = velocity.forward
    monkeypatch.setattr(velocity, "forward", lambda *given: told.append(float(given[2])) or plainly(*given))
    for scene in (1, 0, 1):
        while generator.net.land.scenes.here != scene:
            generator.cut()
        told.clear()
        for _ in range(12):
            generator.step(Controls(speed=2.0, far=1.0, near=1.0))
        assert set(told) == {scene / 2} and len(told) > 20


def test_what_is_not_known_yet_is_not_cut_to(made):
    card, tensors = made
    tensors = {**tensors, "land.scenes.paces": tensors["land.scenes.paces"].clone()}
    tensors["land.scenes.paces"][1] = 0
    generator = Generator(card, tensors)
    for seed in range(5):
        generator.reset(seed)
        world = generator.step(GO).world
        generator.cut()
        assert generator.net.land.scenes.here == 0 and generator.step(GO).world == world
    tensors["land.scenes.paces"][0] = 0  # none is: dice draw them all
    generator = Generator(card, tensors)
    seen = set()
    for seed in range(30):
        generator.reset(seed)
        seen.add(generator.view.kind)
    assert seen == {"window", "ahead"}


def test_one_scene_alone_goes_on_and_older_weights_are_that():
    card, tensors = weights()
    older = {name: tensor for name, tensor in tensors.items() if not name.startswith(("land.scenes.", "first_scenes"))}
    assert len(older) < len(tensors)
    new, old = Generator(card, tensors), Generator(card, older)
    for each in (new, old):
        each.reset(1)
        each.cut()
    for _ in range(4):
        frames = new.step(GO), old.step(GO)
        assert np.array_equal(frames[0].pixels, frames[1].pixels) and frames[0].world == frames[1].world == 2
    new.adopt(card, older, 2)
    assert new.step(GO).world == 2


def test_a_table_that_says_what_cannot_be_is_refused(made):
    card, tensors = made
    far, many = tensors["land.scenes.view"].clone(), torch.full((1,), 9.0)
    far[1, 1] = 7.0
    kind = tensors["land.scenes.view"].clone()
    kind[1, 0] = 30.0
    generator = Generator(card, tensors)
    first = torch.tensor([0.0, 1.0, 2.0])
    for wrong in ({"land.scenes.view": far}, {"land.scenes.view": kind}, {"land.scenes.count": many}, {"first_scenes": first},
                  {"first_scenes": first - 1}):  # fmt: skip
        with pytest.raises(WeightsError):
            Generator(card, tensors | wrong)
        with pytest.raises(WeightsError):
            generator.adopt(card, tensors | wrong)
    assert generator.step(GO).world == 1, "the old ones stay"


def test_newer_weights_leave_the_scene(made):
    card, tensors = made
    generator = Generator(card, tensors)
    while generator.net.land.scenes.here != 1:
        generator.cut()
    newer = {**tensors, "usual": tensors["usual"] + 1, "land.scenes.paces": tensors["land.scenes.paces"] + 1}
    generator.adopt(card, newer, 3)
    for _ in range(5):
        frame = generator.step(GO)
        assert generator.net.usual.tolist() == pytest.approx(LIGHTS[1])
    assert frame.view.kind == "ahead" and generator.net.land.paces[0] == 5
    generator.net.land.scenes.here = 2  # of three
    generator.adopt(card, newer, 3)
    assert generator.net.land.scenes.here == 0 and generator.step(GO).view == WINDOW
    generator.adopt(card, weights()[1], 3)  # of one scene
    for _ in range(5):
        frame = generator.step(GO)
    assert frame.view == WINDOW and generator.net.usual.tolist() == pytest.approx(weights()[1]["usual"].tolist())


def test_to_other_footage_of_several_scenes_it_cuts_at_once(made):
    card, tensors = made
    other = {**tensors, "first_frames": 255 - tensors["first_frames"], "light.layers.0.bias": tensors["light.layers.0.bias"] + 1}
    for first in (weights()[1], tensors):  # of one scene, of several
        generator = Generator(card, first)
        before = generator.step(GO).world
        generator.adopt(card, other, 30)
        assert any(torch.equal(generator.world.shown[0][0] * 255, frame[:3].float()) for frame in other["first_frames"])
        frame = generator.step(GO)
        assert frame.world == before + 1 and frame.view == generator.view
        for net in (generator.net, generator.exact):
            assert torch.allclose(net.light.layers[0].bias, other["light.layers.0.bias"])


def test_it_cuts_to_what_was_not_seen_for_the_longest(made):
    card, tensors = made
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    tensors["land.scenes.count"] += 1
    tensors["land.scenes.paces"][2] = 3.0
    tensors["land.scenes.view"][2] = 0.5
    tensors["first_scenes"][:] = torch.tensor([0.0, 2.0, 1.0])
    for seed in range(5):
        generator, seen = Generator(card, tensors, seed=seed), []
        for _ in range(9):
            seen.append(generator.net.land.scenes.here)
            generator.cut()
        assert sorted(seen[:3]) == [0, 1, 2] and seen[:3] == seen[3:6] == seen[6:]


def test_the_same_seed_cuts_alike(made):
    def run(seed):
        generator = Generator(*made, seed=seed)
        frames = []
        for _ in range(3):
            frames += [generator.step(GO).pixels for _ in range(3)]
            generator.cut()
        return np.stack(frames)

    assert np.array_equal(run(3), run(3))


# ------------------------------------------------------------------------------------------------------------- judged
class Cutting(Toy):
    """Knows two scenes: the toy's, and the same upside down, ahead."""

    view, here = WINDOW, 0

    def cut(self, scene):
        self.here, self.view = scene, (WINDOW, AHEAD)[scene]

    def finish(self, picture):
        return picture[::-1] if self.here else picture


def test_who_plays_in_scenes_is_in_the_first_from_the_first_frame():
    player, asked = Cutting(), []
    player.cut = asked.append
    assert len(list(trials.play(player, np.zeros((5, 6)), [1, 1, 0, 0, 1]))) == 5 and asked == [1, 0, 1]


def test_a_long_run_is_in_the_scene_that_it_is_told_of_and_laid_back_so(monkeypatch):
    asked, player, told = [], Cutting(), footage_of(Toy(), 300)
    frames = told.frames.copy()
    frames[150:] = frames[150:, ::-1]
    scenes = (apart.Scene(WINDOW, ((0, 150),), LIGHTS[0]), apart.Scene(AHEAD, ((150, 300),), LIGHTS[1]))
    told = replace(told, frames=frames, clips=((0, 150), (150, 300)), scenes=scenes)
    plainly = Findings.show
    monkeypatch.setattr(Findings, "show", lambda self, row, label, frame, view=WINDOW: asked.append(view) or
                        plainly(self, row, label, frame, view))  # fmt: skip
    found = trials.long_run(player, told, 600, lambda *_: None)
    assert {view.kind for view in asked} == {"window", "ahead"}
    (layout,) = (figure.value for figure in found.figures if figure.key == "colour.layout")
    assert layout > 0.9
    one = trials.long_run(player, replace(told, scenes=()), 100, lambda *_: None)
    assert len(one.figures) == len(found.figures), "who knows one scene is asked for none"


def test_obedience_is_judged_in_the_longest_scene_alone(made, monkeypatch):
    card, tensors = made
    footage_there, generator = two_scenes(), Generator(card, tensors)
    player, reference = judging._longest(footage_there, generator)
    for seed in range(4):
        player.reset(seed)
        assert generator.net.land.scenes.here == 0 and player.step(GO).view == player.view == WINDOW
    clips = footage_there.scenes[0].clips
    assert np.array_equal(reference.frames, footage_there.frames[clips[0][0] : clips[0][1]])
    assert reference.clips == ((0, 80),) and reference.usual["brightness_mean"] == LIGHTS[0][0] and len(reference.scenes) == 1
    light = [np.array(measure.light(frame)) for frame in reference.frames[:3]]
    own = [np.clip((each - LIGHTS[0][::2]) / (2 * np.array(LIGHTS[0][1::2])), -1, 1) for each in light]
    assert np.allclose(reference.controls[:3, 4:], own)
    assert np.array_equal(reference.controls[:, :4], footage_there.controls[40:, :4])
    assert all(0 <= start < stop <= 80 for start, stop in (*reference.held, *reference.training))
    assert judging._longest(footage(), generator) is None
    told, plainly = [], trials.long_run
    monkeypatch.setattr(trials, "long_run", lambda player, told_of, *more: told.append(told_of.controls) or
                        plainly(player, told_of, *more))  # fmt: skip
    report = judging.judge(card, tensors, footage_there, 60, effort=0.07)
    assert np.array_equal(told[0], footage_there.as_shows_are_told), "in each scene's own light"
    assert report.sheet.ndim == 3 and report.value("still.creep") is not None


def test_a_picture_for_the_sheet_is_laid_back():
    found, frame = Findings(), np.asarray(parted(1, 4, 2)[0])
    found.show("run", "a", frame, AHEAD)
    found.show("run", "b", frame)
    (_, ahead), (_, flat) = found.pictures["run"]
    assert np.array_equal(ahead, AHEAD.lay_back(frame)) and np.array_equal(flat, frame) and not np.array_equal(ahead, flat)


def test_a_frame_of_the_footage_is_of_its_scene():
    made = two_scenes()
    reference = Reference(made.frames, made.controls, tuple(made.clips), (), (), {}, 24.0, tuple(made.scenes))
    assert reference.view(5).kind == "ahead" and reference.view(60) == WINDOW and reference.view(10**6) == WINDOW
