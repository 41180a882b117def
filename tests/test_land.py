"""The land is made whole, ahead: it comes in where and when it should, goes on from what is there, and is learnt from footage."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small import MOTIONS, SMALL, footage, learnt_in_whole, noted, weights

from vj.errors import FootageError
from vj.model import planes
from vj.model import world as worlds
from vj.model.generator import Generator
from vj.model.land import KNOWN, LONG, NEW, SEEN, Land, levels, shine
from vj.model.latents import CELL, LATER, STEPS, Velocity, Way
from vj.model.laying import Laying
from vj.model.net import Net
from vj.model.scroll import BEHIND, LATE, SMOOTH, Scroll
from vj.signals import Controls
from vj.train import lands
from vj.train.footage import Footage
from vj.train.land import LOOKS, Lessons
from vj.train.lands import Lands
from vj.train.learn import Learner, adopt_footage, start
from vj.train.moments import all_lasts, moments
from vj.train.roughness import Roughness
from vj.train.stretches import SHIFTS
from vj.train.things import outcome
from vj.train.trainer import TrainConfig

TALL, WIDE = SMALL.height, SMALL.width
GO = Controls(speed=1.0)
ROWS = np.where(np.arange(TALL) < TALL // 2, 1.0, 3.0)


def country(count: int = 400, every: int = 20, things: bool = True, wide: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Land of which the upper rows go at 1 px a frame, the lower at 3, with red posts that pass at 2 before the upper; their
    controls; and the land that enters, grey (TALL, count)."""
    random = np.random.default_rng(5)
    length = 3 * count + WIDE + 8
    land = np.repeat(random.integers(90, 160, (TALL, length // 8 + 1)), 8, 1)[:, :length].astype(np.uint8)
    frames = np.stack([np.stack([land[y, int(v) * t : int(v) * t + WIDE] for y, v in enumerate(ROWS)]) for t in range(count)])
    entered = np.stack([land[y, int(v) * np.arange(count) + WIDE - 1] for y, v in enumerate(ROWS)])
    frames, far = frames[..., None].repeat(3, 3), np.zeros(count)
    for post in range(every, count, every) if things else ():
        for at in range(post, min(post + 40, count)):
            x = WIDE - 2 * (at - post + 1)
            frames[at, 2:14, max(x, 0) : max(x + wide, 0)] = (250, 20, 20)
        far[post : post + wide // 2 + 1] = 0.9
    controls = np.zeros((count, 6), np.float32)
    controls[:, 0], controls[:, 1] = 1.0, far
    return frames, controls, entered


def knowing(net: Net) -> Net:
    """The network as if it had learnt all that enters."""
    net.land.paces.copy_(torch.from_numpy(ROWS))
    net.sprites.paces.copy_(torch.tensor([[2.0, 0.05]] * 3))
    return net


@pytest.fixture(name="made")
def _made(monkeypatch):
    """A network that knows things and the paces of rows, which it need not be asked for."""
    net = knowing(Net(SMALL))
    net.bank.copy_(torch.tensor(MOTIONS))
    def known(*_):
        yield
        return torch.from_numpy(ROWS).float()

    monkeypatch.setattr(lands, "row_paces", known)
    return net


def ramps(net: Land, monkeypatch) -> Laying:
    """What is made is then the number of its column, from 0 at the first that was known, whatever the noise."""
    net.packed = lambda colours, slow: colours
    net.unpacked = lambda drawn: drawn
    net.encoder.forward = lambda pictures: torch.arange(pictures.shape[3] // CELL).expand(1, 1, 2, -1).float()
    columns = torch.arange(CELL).float()
    net.decoder.forward = lambda cells: (cells[:, :, :1].repeat_interleave(CELL, 3) * CELL + columns.repeat(cells.shape[3])).expand(1, SEEN, TALL, -1)  # noqa: E501

    def go_on(self, plainly=Scroll.go_on):
        known = self.cells[..., -KNOWN:]
        cells = torch.cat([known, known[..., -1:] + torch.arange(1.0, NEW + 1)], 3)
        self._way = type("Arrived", (), {"x": cells, "go_on": lambda self: False})()
        plainly(self)

    monkeypatch.setattr(Scroll, "go_on", go_on)
    return Laying(net)


def test_what_enters_is_a_picture_without_a_seam(monkeypatch):
    """Whatever is made follows what was made before, column by column."""
    laying = ramps(knowing(Net(SMALL)).land, monkeypatch)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    (mine,) = laying.scrolls
    begun = mine.ahead.shape[2]
    assert begun == (KNOWN + NEW - LATE) * CELL and mine.at == KNOWN * CELL - 1, "all but the last cells"
    gone = 0.0
    for _ in range(400):
        laying.turn(torch.ones(1, 3, TALL, WIDE), 1.5)
        gone += 1.5
        first = float(mine.ahead[0, 0, int(mine.at)])
        assert first + mine.at % 1 == pytest.approx(KNOWN * CELL - 1 + gone), "at the edge it is what it should be"
        assert (mine.ahead[0, 0, KNOWN * CELL :].diff() == 1).all() and mine.left >= 1


def slowly(net: Net) -> Land:
    """Its upper rows are slow."""
    knowing(net).land.paces[: TALL // 2] = 0.25
    net.land.slow[: TALL // 2] = 1
    return net.land


def test_slow_rows_have_a_picture_of_their_own(monkeypatch):
    """Of which one column enters in LONG frames; of none but these rows, and the other of none but the others."""
    laying = ramps(slowly(Net(SMALL)), monkeypatch)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    quick, slow = laying.scrolls
    assert quick.rows.tolist() == list(range(TALL // 2, TALL)) and slow.rows.tolist() == list(range(TALL // 2))
    last, long = KNOWN * CELL - 1, LONG
    for frames in range(1, 401):
        laying.turn(torch.ones(1, 3, TALL, WIDE), 1.0)
        assert float(quick.ahead[0, 0, int(quick.at)]) == last + frames
        assert frames < 4 * long or float(slow.ahead[0, 0, int(slow.at)]) == last + frames // long
    moved, opened = torch.ones(1, 3, TALL, WIDE), torch.ones(1, 1, TALL, 16, dtype=torch.bool)
    strip = laying.fill(moved, opened)[0, 0] / laying._light[0, 0]
    assert strip[0].tolist() == pytest.approx([last + 100 - back for back in range(15, -1, -1)], abs=1e-3)  # 1 px a column
    assert strip[TALL - 1, -4:].tolist() == pytest.approx([last + 400 - back / 3 for back in (3, 2, 1, 0)], abs=1e-3)


def test_slow_rows_go_on_from_what_is_in_sight_and_may_be_late(monkeypatch):
    net = slowly(Net(SMALL))
    seen, asked = [], []
    monkeypatch.setattr(net, "packed", lambda colours, slow: seen.append((slow, colours)) or Land.packed(net, colours, slow))
    net.velocity.register_forward_hook(lambda _, given, __: asked.append(given[2].tolist()))
    lattice = torch.rand(1, 3, TALL, WIDE) * 0.5 + 0.25
    laying = Laying(net)
    laying.turn(lattice, 1.0)
    assert asked == [[[0.0]]] * STEPS, "those that nobody sees late are made first"
    (first, _), (second, colours) = seen
    assert (first, second) == (False, True)
    last = KNOWN * CELL - 1
    even = lattice / shine(lattice)
    assert torch.equal(colours[:, :3, 0, last - 20 : last + 1], even[..., 0, WIDE - 21 :]), "1 px in LONG frames"
    for _ in range(LONG * (BEHIND + 1)):
        laying.turn(lattice, 1.0)
    assert [[1.0]] in asked and laying.scrolls[1].left >= -BEHIND


@pytest.mark.parametrize("pace", [0.1, 0.25, 0.9])
def test_who_is_late_goes_on_as_it_ended(pace):
    """And not in the dark."""
    net = slowly(Net(SMALL))
    net.paces[: TALL // 2] = pace
    laying = Laying(net)
    laying.turn(torch.full((1, 3, TALL, WIDE), 0.4), 1.0)
    mine = laying.scrolls[1]
    mine.lay(mine.ahead, mine.ahead.shape[2] + 1.0)
    assert torch.allclose(mine.entered(4)[..., -1], mine.ahead[:, mine.rows, -1][None], atol=1e-4)


def test_newer_weights_with_other_slow_rows_go_on_from_what_is_in_sight():
    """Of rows that were not in it a picture knows nothing."""
    net = slowly(Net(SMALL))
    laying, lattice = Laying(net), torch.rand(1, 3, TALL, WIDE)
    laying.turn(lattice, 1.0)
    before = laying.scrolls
    laying.turn(lattice, 1.0)
    assert laying.scrolls is before
    net.slow[TALL // 2 - 1] = 0
    laying.turn(lattice, 1.0)
    assert [len(each.rows) for each in laying.scrolls] == [TALL // 2 + 1, TALL // 2 - 1]
    net.slow.zero_()
    laying.turn(lattice, 1.0)
    assert [len(each.rows) for each in laying.scrolls] == [TALL]


def test_what_is_told_of_rows_is_of_those_alone():
    net, colours = slowly(Net(SMALL)), torch.rand(2, 3, TALL, 16)
    for slow in (False, True):
        mine = net.rows(slow)
        told = net.packed(colours, slow)
        assert not told[:, :, :TALL][:, :, ~mine].any() and not told[:, :, TALL:].any()
        assert torch.allclose(net.unpacked(told)[:, :, mine], colours[:, :, mine], atol=1e-6)


def test_each_row_brings_what_has_entered_of_it(monkeypatch):
    """A slow row a px now and then, a quick one several a frame; what is between two columns is between their colours."""
    laying = ramps(knowing(Net(SMALL)).land, monkeypatch)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 21.25)
    opened = torch.zeros(1, 1, TALL, 16, dtype=torch.bool)
    opened[0, 0, 0, -1], opened[0, 0, -1, -4:] = True, True
    moved = torch.full((1, 3, TALL, WIDE), 0.5)
    laying._light = laying._light * 0 + 0.5
    strip = laying.fill(moved, opened)
    now = KNOWN * CELL - 1 + 21.25
    assert strip[0, :, 0, -1] / 0.5 == pytest.approx(now)
    assert (strip[0, 1, -1, -4:] / 0.5).tolist() == pytest.approx([now - back / 3 for back in (3, 2, 1, 0)], abs=1e-4)
    assert (strip[0][:, ~opened[0, 0]] == 0.5).all()


def test_it_goes_on_from_what_is_in_sight(monkeypatch):
    """As if that had entered before: of a row that goes at 3 px each third."""
    laying, seen = Laying(knowing(Net(SMALL)).land), []
    packed = laying.net.packed
    monkeypatch.setattr(laying.net, "packed", lambda colours, slow: seen.append(colours) or packed(colours, slow))
    lattice = torch.rand(1, 3, TALL, WIDE) * 0.5 + 0.25
    laying.turn(lattice, 1.0)
    even = lattice / shine(lattice)
    last = KNOWN * CELL - 1
    assert torch.equal(seen[0][:, :3, 0, last - 20 : last + 1], even[..., 0, WIDE - 21 :])
    assert torch.equal(seen[0][:, :3, TALL - 1, last - 20 : last + 1], even[..., TALL - 1, WIDE - 61 :: 3])
    assert torch.equal(laying.scrolls[0].ahead[..., : last + 1], seen[0][0, ..., : last + 1])


def test_it_comes_in_the_light_of_now():
    """As the network changes it; whatever else enters."""
    laying = Laying(knowing(Net(SMALL)).land)
    lattice = torch.rand(1, 3, TALL, WIDE) * 0.5 + 0.25
    laying.turn(lattice, 1.0)
    assert torch.allclose(laying._light, shine(lattice))
    laying.lit(torch.tensor([[1.2, 1.1, 1.0]]))
    assert torch.allclose(laying._light[0, :, 0, 0], shine(lattice)[0, :, 0, 0] * torch.tensor([1.2, 1.1, 1.0]))
    before = laying._light
    for _ in range(50):
        laying.turn(lattice * 0.5, 2.0)
    assert torch.equal(laying._light, before)


def test_the_show_tells_it_the_light(monkeypatch):
    generator = Generator(*weights(), half=False)
    knowing(generator.net)
    generator.reset(0)
    monkeypatch.setattr(generator.net.light, "forward", lambda image, told: torch.full((1, 3), 1.25))
    usual = shine(generator.world.lattice)
    generator.step(GO)
    assert torch.allclose(generator.laying._light, 1.25 * usual)


def test_it_is_made_ahead_a_step_a_frame(monkeypatch):
    laying = Laying(knowing(Net(SMALL)).land)
    laying.turn(torch.rand(1, 3, TALL, WIDE), 1.0)
    asked = []
    for name in ("velocity", "decoder"):
        getattr(laying.net, name).register_forward_hook(lambda *_, name=name: asked.append(name))
    each = []
    for _ in range(3 * NEW * CELL):
        before = len(asked)
        busy = laying.turn(torch.rand(1, 3, TALL, WIDE), 1.0)
        each.append(len(asked) - before)
        assert busy == bool(each[-1])
    assert max(each) == 1 and asked.count("velocity") == STEPS * asked.count("decoder") and asked.count("decoder") == 3


def test_at_any_speed_there_is_something_to_enter():
    laying = Laying(knowing(Net(SMALL)).land)
    for _ in range(60):
        laying.turn(torch.rand(1, 3, TALL, WIDE), 9.0)
        assert laying.scrolls[0].left >= 1 and laying.scrolls[0].ahead.shape[2] < 400


def test_where_all_is_known_nobody_asks_the_dice(monkeypatch):
    """What enters is what was made, however unusual: no row's colours hold it."""
    generator = Generator(*weights(), half=False)
    knowing(generator.net)
    asked = []
    monkeypatch.setattr(generator.dice, "draw", lambda *given: asked.append(given))
    monkeypatch.setattr(generator.net.painter, "forward", lambda *given: asked.append(given))
    monkeypatch.setattr(generator.laying, "fill", lambda moved, opened: torch.full((1, 3, TALL, opened.shape[3]), 1.5))
    monkeypatch.setattr("vj.model.land.BRIGHTEST", 9.0)
    generator.reset(0)
    generator.step(GO)
    assert generator.whole and not asked
    assert (generator.world.lattice[0, :, :, -SMALL.strip :] == 1.5).all()


@pytest.mark.parametrize("part", ["land", "sprites"])
def test_where_something_is_unknown_the_dice_draw(part):
    generator, seen = Generator(*weights(), half=False), []
    knowing(generator.net)
    getattr(generator.net, part).paces[0 if part == "sprites" else slice(None)] = 0
    draw = generator.dice.draw
    generator.dice.draw = lambda *given: seen.append(given) or draw(*given)
    generator.step(GO)
    assert seen and not generator.whole


def test_who_comes_back_goes_on_from_what_is_in_sight(monkeypatch):
    generator, starts = Generator(*weights(), half=False), []
    knowing(generator.net)
    begin = Scroll.__init__
    monkeypatch.setattr(Scroll, "__init__", lambda self, *given: starts.append(given) or begin(self, *given))
    generator.reset(0)
    for whole in (True, True, False, True):
        generator.net.sprites.paces[0] = 2.0 * whole
        generator.step(GO)
    assert len(starts) == 2


def test_land_alone_covers_nothing(monkeypatch):
    """What a motion that is guessed wrongly for a frame would hide does not come out later, as a speck."""
    generator = Generator(*weights(), half=False)
    asked = []
    monkeypatch.setattr(worlds.hidden, "step", lambda *given: asked.append(given) or (given[4], given[5], given[0]))
    for whole in (False, True):
        if whole:
            knowing(generator.net)
        generator.reset(0)
        asked.clear()
        for _ in range(3):
            generator.step(GO)
        assert bool(asked) != whole


def test_where_land_is_alone_the_trunk_rests_now_and_then(monkeypatch):
    """Motions hardly change there; what they were is moved on with the land."""
    generator, asked = Generator(*weights(), half=False), []
    trunk = generator.net.trunk.forward
    monkeypatch.setattr(generator.net.trunk, "forward", lambda *given: asked.append(given) or trunk(*given))
    for _ in range(6):
        generator.step(GO)
    assert len(asked) == 6
    knowing(generator.net)
    generator.reset(0)
    asked.clear()
    evidence = []
    for _ in range(6):
        generator.step(GO)
        evidence.append(generator.world.evidence)
    assert len(asked) == 3 and worlds.REST == 2
    assert evidence[0] is evidence[1] and evidence[1] is not evidence[2]


def test_a_motion_that_is_brought_along_stays_at_rest():
    """What the trunk said where it stood says nothing against it: the edge of a thing goes on with it."""
    net = knowing(Net(SMALL))
    net.bank.copy_(torch.tensor(MOTIONS))
    classes = torch.zeros(1, TALL, WIDE, dtype=torch.int64)
    classes[:, 16:, 32:] = 2
    world = worlds.begin(net, (torch.rand(1, 3, TALL, WIDE),), torch.ones(1))
    evidence = torch.full((1, 5, TALL // 2, WIDE // 2), -0.5)
    world = replace(world, classes=classes, evidence=evidence, age=1)
    told = torch.tensor([[1.0, 0, 0, 0, 0, 0]])
    carried = worlds.carry(net, world, told, torch.zeros(1, 8, net.config.rows), torch.zeros(1), alone=True)
    assert carried.features is None and carried.evidence is evidence
    assert (carried.classes[0, 20:, 32:60] == 2).all() and (carried.classes[0, 20:, :26] == 0).all()
    assert (evidence == -0.5).all(), "it stays for the next frame"


def test_the_same_seed_is_the_same_land():
    def run(seed):
        generator = Generator(*weights(), half=False)
        knowing(generator.net)
        generator.reset(seed)
        return np.stack([generator.step(GO).pixels for _ in range(12)])

    assert np.array_equal(run(3), run(3)) and not np.array_equal(run(3), run(4))


def test_other_footage_takes_land_and_things_away():
    net = knowing(start(footage(), config=SMALL))
    adopt_footage(net, footage())
    assert net.land.known and net.sprites.known, "they were learnt from this"
    other = footage()
    other.frames[:] = 255 - other.frames
    adopt_footage(net, other)
    assert not net.land.known and not net.sprites.known


def test_a_way_bends_with_two_slopes():
    """So that it comes nearer to where small steps would lead than one slope at a time does."""
    velocity = Velocity(2, 8, 0)
    velocity.forward = lambda x, time, wanted, beside=None: -x + time.view(-1, 1, 1, 1)

    def fine(x: float, steps: int = 4000) -> float:
        for at in range(steps):
            x += (-x + at / steps) / steps
        return x

    way = Way(velocity, torch.full((1, 2, 1, 1), 2.0), torch.zeros(1, 0))
    done = [way.go_on() for _ in range(STEPS + 2)]
    assert done == [True] * STEPS + [False] * 2
    one, now = 2.0, [(at / STEPS) ** LATER for at in range(STEPS + 1)]
    for at, then in itertools.pairwise(now):
        one += (then - at) * (-one + at)
    assert abs(float(way.x[0, 0, 0, 0]) - fine(2.0)) < 0.4 * abs(one - fine(2.0))


# ------------------------------------------------------------------------------------------------ what it learns from
def test_what_passes_is_taken_away(made):
    """And what is left is the land that entered, to the level."""
    frames, told, entered = country()
    found = lands.find(made, frames, told, [(0, 200), (200, 400)])
    assert [picture.shape for picture in found.pictures] == [(SEEN, TALL, 198)] * 2
    for picture, first in zip(found.pictures, (0, 200), strict=True):
        picture = picture.float().numpy()
        true = entered[:, first : first + 198] / 255
        red = (picture[0] > 1.5 * picture[1]).mean()
        assert red < 0.002, "posts"
        light = np.median(picture[1, TALL // 2 :] / true[TALL // 2 :])
        off = np.abs(picture[1] / light - true)
        assert np.median(off) < 0.015 and (off < 0.05).mean() > 0.9


def test_a_thing_is_not_land_though_it_is_seen_most(made):
    """Where and when it stands before the land, its pace and its control tell."""
    frames, told, _ = country(wide=14)
    picture = lands.find(made, frames, told, [(0, 400)]).pictures[0].float()
    assert (picture[0] > 1.5 * picture[1]).float().mean() < 0.005
    made.sprites.forget()
    picture = lands.find(made, frames, told, [(0, 400)]).pictures[0].float()
    assert (picture[0] > 1.5 * picture[1]).float().mean() > 0.02, "who knows no things cannot tell"


def test_light_is_what_all_rows_share(made):
    """A brighter field that enters is no light; a lamp that is turned is."""
    frames, *_ = country(things=False)
    frames = frames[:300].astype(np.float32)
    frames[:, TALL // 2 :, :] *= 1 + 0.4 * (np.arange(300) % 60 < 30)[:, None, None, None]
    lamp = 1 + 0.3 * np.sin(np.arange(300) / 20)
    light = lands._light((frames * 0.7 * lamp[:, None, None, None]).clip(0, 255).astype(np.uint8), ROWS)
    changes = np.log(light[1:, 1] / light[:-1, 1])
    assert np.corrcoef(changes, np.diff(np.log(lamp)))[0, 1] > 0.9 and np.abs(changes - np.diff(np.log(lamp))).max() < 0.03


def test_where_only_a_thing_is_seen_the_land_beside_it_is_drawn_together():
    looks = np.full((2, 30, 3, 3), 0.5, np.float32)
    looks[:, 20:] = 1.0
    looks[:, 10:20, 1] = np.nan
    found = lands._clear(looks).float()
    assert torch.allclose(found[:3, 1, 10:20], torch.linspace(0.5, 1.0, 12)[1:-1].expand(3, -1), atol=0.002)
    assert (found[:3, 0, :20] == 0.5).all() and (found[:3, 2, 20:] == 1).all()
    looks[:, :, 2] = np.nan
    assert lands._clear(looks) is None


def test_the_first_look_counts_if_it_is_as_usual():
    looks = np.full((5, 50, 2, 3), 0.5, np.float32)
    looks[0, :, 0], looks[0, :, 1] = 0.53, 0.9
    found = lands._clear(looks).float()
    assert found[:3, 0].numpy() == pytest.approx(0.53, abs=1e-3) and (found[:3, 1] == 0.5).all() and (found[3] == 1).all()


def test_of_no_stretch_is_anything_seen_beyond_its_piece(made):
    frames, told, _ = country(things=False)
    seen, looked = noted(frames)
    lands.find(made, seen, told, [(100, 180)])
    assert slice(100, 180) in looked
    assert all(each == slice(100, 180) or 100 <= each < 180 for each in looked)


def test_footage_that_goes_up_and_down_has_none(made):
    frames, told, _ = country()
    made.bank[1, 1] = 1.0
    assert not lands.find(made, frames, told, [(0, 400)]).pictures


def paces(frames, told, passing=(), bank=(0, 0.2, 1.0, 2.0, 3.0), piece=(0, 400)) -> torch.Tensor:
    return outcome(lands.row_paces(np.array(bank), frames, told, [piece], [list(passing)]))


def test_how_fast_rows_go_is_seen():
    frames, told, _ = country(things=False)
    assert paces(frames, told).tolist() == ROWS.tolist()
    assert not paces(frames, told, piece=(0, 12)).any(), "too short to say"


def test_what_passes_says_nothing_of_land():
    """However often, before land that hardly stands out."""
    frames, told, _ = country(every=20, wide=14)
    grey = frames[..., :1] == frames
    frames = np.where(grey, 120 + (frames.astype(int) - 120) // 8, frames).astype(np.uint8)
    lasts = all_lasts(told, [(0, 400)])
    passing = [(moment, 1.9, 2.1) for moment in moments(told, (0, 400), lasts)]
    assert paces(frames, told, passing).tolist() == ROWS.tolist()
    assert (paces(frames, told)[3:11] == 2).any(), "who does not know of it takes it for land"


def test_a_few_rows_never_go_their_own_way_and_quick_ones_are_smoothed_over():
    random = np.random.default_rng(3)
    rows = np.repeat([0.0, 0.25, 2.0, 3.0], [6, 12, 7, 7])
    rows[10:12] = 3.0
    wall = cv2.blur(random.integers(0, 255, (TALL, 1400)).astype(np.uint8), (5, 1))
    frames = np.stack([np.stack([wall[y, round(v * t) : round(v * t) + WIDE] for y, v in enumerate(rows)]) for t in range(400)])
    told = np.zeros((400, 6), np.float32)
    told[:, 0] = 1
    found = paces(frames[..., None].repeat(3, 3), told, bank=(0, 0.25, 2.0, 3.0))
    assert (found[:5] == 0).all() and (found[8:16] == 0.25).all() and found[21] == 2 and found[-1] == 3
    assert 2 < found[24] < found[25] < 3, "smooth"


def test_where_nothing_says_otherwise_a_row_is_slow_and_moves():
    frames = np.full((400, TALL, WIDE, 3), 120, np.uint8)
    told = np.zeros((400, 6), np.float32)
    told[:, 0] = 1
    assert (paces(frames, told) == 0).all()
    frames[:] = frames + np.random.default_rng(0).integers(0, 9, frames.shape, np.uint8)
    assert (paces(frames, told) == 0.2).all()


def test_too_little_land_is_a_sentence():
    with pytest.raises(FootageError, match="Too little land"):
        land = Lands([torch.rand(SEEN, TALL, 200)], torch.ones(TALL), torch.zeros(TALL, 2))
        Lessons(Land(TALL, SMALL.classes), land, Roughness())


def test_land_alone_learns_and_first_what_land_is():
    torch.set_num_threads(1)
    frames, told, _ = country(900, things=False)
    film = Footage(replace(footage().card, clips=[{"name": "country", "start": 0, "stop": 900}], count=900), frames, told)
    learner = Learner(film, start(film, config=SMALL), TrainConfig(only="land", rate=3e-3))
    kept = ("encoder", "paces", "slow", "grain")
    assert (learnt_in_whole(learner, "land", LOOKS, 0.85, 0.95, kept)["land.paces"] > 0).any()


def test_it_learns_to_go_on_from_what_is_known(monkeypatch):
    """Told that, a little wrongly; what it says of it does not count."""
    land = Lands([torch.rand(SEEN, TALL, 900)], torch.ones(TALL), torch.zeros(TALL, 2))
    mine = Lessons(knowing(Net(SMALL)).land, land, Roughness())
    latents, told = torch.randn(4, 8, 4, KNOWN + NEW), []
    apart = torch.cat([latents, torch.zeros(4, 3, 4, KNOWN + NEW)], 1)  # of nothing that enters is it told

    def velocity(x, time, wanted, beside):
        told.append(beside)
        return x * 0

    monkeypatch.setattr(mine.net.velocity, "forward", velocity)
    monkeypatch.setattr(mine.rough, "grain", lambda like: like * 0)
    assert float(mine._made(apart, torch.zeros(4, 1))) == pytest.approx(float(latents[..., KNOWN:].square().mean()))
    assert torch.equal(told[0][:, :8, :, :KNOWN], latents[..., :KNOWN])
    assert (told[0][:, 8, :, :KNOWN] == 1).all() and not told[0][..., KNOWN:].any()


def test_what_learns_all_leaves_land_alone():
    torch.set_num_threads(1)
    learner = Learner(footage(), start(footage(), config=SMALL))
    before = {name: value.clone() for name, value in learner.trainer.net.land.state_dict().items()}
    learner.run(3)
    assert all(torch.equal(value, before[name]) for name, value in learner.trainer.net.land.state_dict().items())


@pytest.mark.parametrize("fine, coarse", [(0.02, 0.0), (0.0, 0.03), (0.02, 0.03), (0.0, 0.0)])
def test_grain_is_measured_as_it_is_made(fine, coarse):
    """Also where things stand here and there."""
    random = np.random.default_rng(1)
    strength = torch.tensor([fine, coarse]).view(1, 2, 1, 1)
    grain = planes.grained(strength, torch.from_numpy(random.standard_normal((40, 2, TALL, 160), np.float32)))[:, 0].numpy()
    frames = np.float32(140) * (1 + grain)
    frames[:, :, 40:60] = random.random((40, TALL, 20)) * 255
    frames = frames.round().clip(0, 255).astype(np.uint8)[..., None].repeat(3, 3)
    found = lands.row_grain(frames, [(0, 40)])
    assert found.shape == (TALL, 2)
    assert found.mean(0).tolist() == pytest.approx([fine, coarse], abs=0.004)


def test_what_enters_has_grain_of_its_own():
    """Of its row, and of its own light; and it stays as it entered."""
    net = knowing(Net(SMALL)).land
    net.grain[TALL // 2 :, 0] = 0.05
    laying = Laying(net)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 1.0)
    (mine,) = laying.scrolls
    mine.lay(torch.ones_like(mine.ahead), mine.at)
    opened = torch.ones(1, 1, TALL, 16, dtype=torch.bool)
    strip = laying.fill(torch.ones(1, 3, TALL, WIDE), opened)[0]
    assert torch.equal(strip[0], strip[1]) and strip[:, TALL // 2 :].std() == pytest.approx(0.05, rel=0.15)
    assert (strip[:, : TALL // 2] == 1).all()


@pytest.mark.parametrize("holds_all", [False, True])
def test_a_slow_row_is_the_mean_of_what_entered_meanwhile(holds_all):
    net = knowing(Net(SMALL)).land
    net.lasts.fill_(4.0 * holds_all)
    net.paces[0], net.paces[1] = 0.25, 0.5
    laying = Laying(net)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    (mine,) = laying.scrolls
    mine.lay(torch.arange(float(mine.ahead.shape[2])).square().expand_as(mine.ahead).clone(), 40)
    opened = torch.ones(1, 1, TALL, 16, dtype=torch.bool)
    strip = laying.fill(torch.ones(1, 3, TALL, WIDE), opened)[0, 0] / laying._light[0, 0]
    whole = lambda start, stop: np.interp(np.linspace(start, stop, 4001), np.arange(60), np.arange(60.0) ** 2).mean()  # noqa: E731
    long = SMOOTH[holds_all]
    assert strip[0, -1] == pytest.approx(whole(40 - 4 * long, 40), rel=1e-3)
    assert strip[1, -1] == pytest.approx(whole(40 - 2 * long, 40), rel=1e-3)
    assert strip[0, -3] == pytest.approx(whole(32 - 4 * long, 32), rel=1e-3) and strip[TALL - 1, -1] == 1600


def test_rows_keep_to_colours_that_the_footage_has(monkeypatch):
    """What enters goes over to them from part to part without a seam, told what is then in sight, in the light of now."""
    net, told = slowly(Net(SMALL)), []
    monkeypatch.setattr(net, "unpacked", lambda drawn: torch.full((1, SEEN, TALL, drawn.shape[3]), 0.5))
    wanted = torch.linspace(0.8, 1.2, TALL).expand(1, 3, -1)
    laying = Laying(net, lambda rows: told.append(rows) or wanted)
    steps = []
    for _ in range(400):
        laying.turn(torch.full((1, 3, TALL, WIDE), 0.4), 4.0)
        steps += [float(each.ahead[:3, each.rows, CELL * KNOWN :].diff().abs().max()) for each in laying.scrolls if each.left > 1]
    assert 0 < max(steps) < 0.03
    luma = [float((laying._rows * laying._light[..., 0]).mean()), float(told[0].mean())]
    assert luma[1] == pytest.approx(1.0, abs=1e-3)
    for each in laying.scrolls:
        ends = each.ahead[:3, each.rows, -1]
        assert torch.allclose(ends, wanted[0][:, each.rows] * luma[0] / 0.4, atol=0.02), "where it ends"
    assert told[-1][0, :, -1].tolist() == pytest.approx([0.5 * 0.4 / luma[0]] * 3, rel=0.02), "a quick row: all of it is new"


def test_where_nobody_says_they_stay_as_they_are_made():
    net = slowly(Net(SMALL))
    a, b = Laying(net), Laying(net, lambda rows: rows)
    for laying in (a, b):
        for _ in range(40):
            laying.turn(torch.full((1, 3, TALL, WIDE), 0.4), 4.0)
    assert torch.allclose(a.scrolls[0].ahead, b.scrolls[0].ahead, atol=1e-5)


def test_what_is_told_is_learnt_beside_what_enters(monkeypatch):
    """Cell by cell, where it is new; a critic looks at what has things in it, and only there."""
    told = torch.zeros(3, 900)
    told[2, 400:408] = 0.7
    pictures = [torch.rand(SEEN, TALL, 900)]
    together = Lands(pictures, torch.ones(TALL), torch.zeros(TALL, 2), [told], 0.5, torch.full((3,), 6.0))
    apart = Lands(pictures, torch.ones(TALL), torch.zeros(TALL, 2))
    monkeypatch.setattr("vj.train.land.GREEN", 2)
    for lands_of, judged in ((apart, False), (together, True)):
        net = Net(SMALL).land
        mine, asked = Lessons(net, lands_of, Roughness()), []
        mine.count(net)
        assert net.holds_all == judged and float(net.unit) == (0.5 if judged else 1.0)
        assert [("texture" in mine.grade(0.0)) for _ in range(4)] == [False, False, judged, judged]
        beside = net.beside
        net.beside = lambda known, told, beside=beside, asked=asked: asked.append(told) or beside(known, told)
        for _ in range(40):
            mine.grade(1.0)
        assert asked[0].shape[1:] == (3, NEW)
        seen = torch.cat(asked)
        assert not seen[:, :2].any() and (float(seen[:, 2].max()) == pytest.approx(0.7, abs=1e-3)) == judged


def test_motions_are_those_of_the_rows_if_they_are_not_too_many():
    few = torch.tensor([2.0, 0.0, 0.5, 2.0, 0.5])
    assert levels(few, 5).tolist() == [[0, 0], [0.5, 0], [2, 0], [2, 0], [2, 0]]
    many = torch.linspace(0, 3, 40)
    told = levels(many, 16)
    assert told.shape == (16, 2) and told[0, 0] == 0 and float(told[-1, 0]) == 3 and (told[:, 0].diff() > 0).all()
    assert told[1, 0] < 0.1 and float((told[:, 0, None] - many).abs().amin(0).max()) < 0.2


def test_what_is_far_is_learnt_beside_what_is_near():
    """In one lesson, each of its rows from its own picture, from anywhere in it."""
    near, far, told = torch.zeros(SEEN, TALL, 600), torch.zeros(SEEN, TALL, 700), torch.zeros(3, 600)
    near[:] = torch.arange(600) / 600 + 1
    far[:] = -torch.arange(700) / 700 - 1
    kinds = torch.where(torch.arange(TALL) < 8, 2.0, 0.0)
    lands = Lands([near], torch.ones(TALL), torch.zeros(TALL, 2), [told], 0.5, torch.full((3,), 6.0), kinds, {2: [far]})
    net = Net(SMALL).land
    mine, seen = Lessons(net, lands, Roughness()), []
    mine.count(net)
    assert net.kinds == [0, 2] and (net.longs[:8] == 16).all() and (net.longs[8:] == 1).all()
    packed = net.packed
    net.packed = lambda pictures, kind: seen.append((pictures, kind)) or packed(pictures, kind)
    mine.grade(0.0)
    mine.grade(1.0)
    assert {kind for _, kind in seen} == {0}
    for pictures, _ in seen:
        assert (pictures[:, 0, :8] < -0.8).all() and (pictures[:, 0, 8:] > 0.8).all()
    begins = torch.cat([pictures[:, 0, 0, 0] for pictures, _ in seen])
    assert begins.max() - begins.min() > 0.5, "not always the same beside the same"
    assert len(mine._stretches[0]._latents[0]) == 2 * len(SHIFTS), "twice, for as much"


@pytest.mark.parametrize("holds_all", [False, True])
def test_where_all_is_in_it_lessons_are_smaller_and_more_of_them_in_making(holds_all):
    pictures, told = [torch.rand(SEEN, TALL, 900)], [torch.zeros(3, 900)] if holds_all else None
    net = Net(SMALL).land
    lands = Lands(pictures, torch.full((TALL,), 2.0), torch.zeros(TALL, 2), told, 0.5, torch.full((3,), 6.0 * holds_all))
    mine, drawn, made = Lessons(net, lands, Roughness()), [], []
    mine.count(net)
    decoder, velocity = net.decoder.forward, net.velocity.forward
    net.decoder.forward = lambda latents: drawn.append(len(latents)) or decoder(latents)
    net.velocity.forward = lambda x, *told: made.append(len(x)) or velocity(x, *told)
    for share in (0.0, *[1.0] * 6):
        mine.grade(share)
    assert drawn == ([8] * 3 if holds_all else [16] * 4) and made == [16 if holds_all else 32] * 6
