"""The land is made whole, ahead: it comes in where and when it should, goes on from what is there, and is learnt from footage."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from small import MOTIONS, SMALL, footage, learnt_in_whole, weights

from vj.errors import FootageError
from vj.model import land as lands_made
from vj.model import planes
from vj.model import world as worlds
from vj.model.generator import Generator
from vj.model.land import CELL, KNOWN, NEW, Land, Laying, shine
from vj.model.latents import LATER, STEPS, Velocity, Way
from vj.model.net import Net
from vj.signals import Controls
from vj.train import lands
from vj.train.footage import Footage
from vj.train.land import LOOKS, Lessons
from vj.train.lands import Lands
from vj.train.learn import Learner, adopt_footage, start
from vj.train.roughness import Roughness
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
    monkeypatch.setattr(lands, "row_paces", lambda *_: torch.from_numpy(ROWS).float())
    return net


def ramps(laying: Laying) -> Laying:
    """What is made is then the number of its column, from 0 at the first that was known, whatever the noise."""
    net = laying.net
    net.packed = lambda colours: colours
    net.unpacked = lambda drawn: drawn
    net.encoder.forward = lambda pictures: torch.arange(pictures.shape[3] // CELL).expand(1, 1, 2, -1).float()
    columns = torch.arange(CELL).float()
    net.decoder.forward = lambda cells: (cells[:, :, :1].repeat_interleave(CELL, 3) * CELL + columns.repeat(cells.shape[3])).expand(1, 3, TALL, -1)  # noqa: E501

    def go_on():
        known = laying._cells[..., -KNOWN:]
        cells = torch.cat([known, known[..., -1:] + torch.arange(1.0, NEW + 1)], 3)
        laying._way = type("Arrived", (), {"x": cells, "go_on": lambda self: False})()
        Laying._go_on(laying)

    laying._go_on = go_on
    return laying


def test_what_enters_is_a_picture_without_a_seam():
    """Whatever is made follows what was made before, column by column."""
    laying = ramps(Laying(knowing(Net(SMALL)).land))
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    begun = laying._ahead.shape[2]
    assert begun == (KNOWN + NEW - lands_made.LATE) * CELL and laying._at == KNOWN * CELL - 1, "all but the last cells"
    gone = 0.0
    for _ in range(400):
        laying.turn(torch.ones(1, 3, TALL, WIDE), 1.5)
        gone += 1.5
        first = float(laying._ahead[0, 0, int(laying._at)])
        assert first + laying._at % 1 == pytest.approx(KNOWN * CELL - 1 + gone), "at the edge it is what it should be"
        assert (laying._ahead[0, 0, KNOWN * CELL :].diff() == 1).all() and laying._left >= 1


def test_each_row_brings_what_has_entered_of_it():
    """A slow row a px now and then, a quick one several a frame; what is between two columns is between their colours."""
    laying = ramps(Laying(knowing(Net(SMALL)).land))
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
    monkeypatch.setattr(laying.net, "packed", lambda colours: seen.append(colours) or Land.packed(laying.net, colours))
    lattice = torch.rand(1, 3, TALL, WIDE) * 0.5 + 0.25
    laying.turn(lattice, 1.0)
    even = lattice / shine(lattice)
    last = KNOWN * CELL - 1
    assert torch.equal(seen[0][..., 0, last - 20 : last + 1], even[..., 0, WIDE - 21 :])
    assert torch.equal(seen[0][..., TALL - 1, last - 20 : last + 1], even[..., TALL - 1, WIDE - 61 :: 3])
    assert torch.equal(laying._ahead[..., : last + 1], seen[0][0, ..., : last + 1])


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
        assert laying._left >= 1 and laying._ahead.shape[2] < 400


def test_where_all_is_known_nobody_asks_the_dice(monkeypatch):
    """What enters is what was made, however unusual: no row's colours hold it."""
    generator = Generator(*weights(), half=False)
    knowing(generator.net)
    asked = []
    monkeypatch.setattr(generator.dice, "draw", lambda *given: asked.append(given))
    monkeypatch.setattr(generator.net.painter, "forward", lambda *given: asked.append(given))
    monkeypatch.setattr(generator.laying, "fill", lambda moved, opened: torch.full((1, 3, TALL, opened.shape[3]), 1.5))
    monkeypatch.setattr(lands_made, "BRIGHTEST", 9.0)
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
    start = generator.laying._start
    monkeypatch.setattr(generator.laying, "_start", lambda lattice: starts.append(lattice) or start(lattice))
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
    assert [picture.shape for picture in found.pictures] == [(3, TALL, 198)] * 2
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
    assert torch.allclose(found[:, 1, 10:20], torch.linspace(0.5, 1.0, 12)[1:-1].expand(3, -1), atol=0.002)
    assert (found[:, 0, :20] == 0.5).all() and (found[:, 2, 20:] == 1).all()
    looks[:, :, 2] = np.nan
    assert lands._clear(looks) is None


def test_the_first_look_counts_if_it_is_as_usual():
    looks = np.full((5, 50, 2, 3), 0.5, np.float32)
    looks[0, :, 0], looks[0, :, 1] = 0.53, 0.9
    found = lands._clear(looks).float()
    assert found[:, 0].numpy() == pytest.approx(0.53, abs=1e-3) and (found[:, 1] == 0.5).all()


def test_of_no_stretch_is_anything_seen_beyond_its_piece(made):
    frames, told, _ = country(things=False)
    looked = []

    class Frames:
        shape = frames.shape

        def __getitem__(self, at):
            looked.append(at)
            return frames[at]

    lands.find(made, Frames(), told, [(100, 180)])
    assert slice(100, 180) in looked
    assert all(each == slice(100, 180) or 100 <= each < 180 for each in looked)


def test_footage_that_goes_up_and_down_has_none(made):
    frames, told, _ = country()
    made.bank[1, 1] = 1.0
    assert not lands.find(made, frames, told, [(0, 400)]).pictures


def test_the_trunk_says_how_fast_rows_go(monkeypatch):
    """What most of a row is counts, and quick rows are smoothed over, slow ones not."""
    frames, told, _ = country(things=False)
    net = Net(SMALL)
    net.bank.copy_(torch.tensor([[0.2, 0], [1.4, 0], [2.0, 0], [3.0, 0]]))
    classes = torch.zeros(1, TALL, WIDE, dtype=torch.int64)
    classes[:, 10:], classes[:, 20:], classes[:, :10, :20] = 1, 3, 3
    carried = type("Carried", (), {"classes": classes.expand(lands.AT_ONCE, -1, -1)})
    monkeypatch.setattr(lands.worlds, "carry", lambda *_: carried)
    paces = lands.row_paces(net, frames, told, [(0, 400)])
    assert paces[:10].tolist() == pytest.approx([0.2] * 10) and paces[15] == pytest.approx(1.4) and paces[31] == 3
    assert paces[10] == pytest.approx(1.4) and 1.4 < paces[19] < paces[20] < 3


def test_too_little_land_is_a_sentence():
    with pytest.raises(FootageError, match="Too little land"):
        Lessons(Land(TALL), Lands([torch.rand(3, TALL, 200)], torch.ones(TALL), torch.zeros(TALL, 2)), Roughness())


def test_land_alone_learns_and_first_what_land_is():
    torch.set_num_threads(1)
    frames, told, _ = country(900, things=False)
    film = Footage(replace(footage().card, clips=[{"name": "country", "start": 0, "stop": 900}], count=900), frames, told)
    learner = Learner(film, start(film, config=SMALL), TrainConfig(only="land", rate=3e-3))
    kept = ("encoder", "decoder", "paces", "grain")
    assert (learnt_in_whole(learner, "land", LOOKS, 0.85, 0.95, kept)["land.paces"] > 0).any()


def test_it_learns_to_go_on_from_what_is_known(monkeypatch):
    """Told that, a little wrongly; what it says of it does not count."""
    land = Lands([torch.rand(3, TALL, 900)], torch.ones(TALL), torch.zeros(TALL, 2))
    mine = Lessons(knowing(Net(SMALL)).land, land, Roughness())
    latents, told = torch.randn(4, 8, 4, KNOWN + NEW), []

    def velocity(x, time, wanted, beside):
        told.append(beside)
        return x * 0

    monkeypatch.setattr(mine.net.velocity, "forward", velocity)
    monkeypatch.setattr(mine.rough, "grain", lambda like: like * 0)
    assert float(mine._made(latents)) == pytest.approx(float(latents[..., KNOWN:].square().mean()))
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
    laying._lay(torch.ones_like(laying._ahead), laying._at)
    opened = torch.ones(1, 1, TALL, 16, dtype=torch.bool)
    strip = laying.fill(torch.ones(1, 3, TALL, WIDE), opened)[0]
    assert torch.equal(strip[0], strip[1]) and strip[:, TALL // 2 :].std() == pytest.approx(0.05, rel=0.15)
    assert (strip[:, : TALL // 2] == 1).all()


def test_a_slow_row_is_the_mean_of_what_entered_meanwhile():
    net = knowing(Net(SMALL)).land
    net.paces[0], net.paces[1] = 0.25, 0.5
    laying = Laying(net)
    laying.turn(torch.ones(1, 3, TALL, WIDE), 0.0)
    laying._lay(torch.arange(float(laying._ahead.shape[2])).square().expand_as(laying._ahead).clone(), 40)
    opened = torch.ones(1, 1, TALL, 16, dtype=torch.bool)
    strip = laying.fill(torch.ones(1, 3, TALL, WIDE), opened)[0, 0] / laying._light[0, 0]
    whole = lambda start, stop: np.interp(np.linspace(start, stop, 4001), np.arange(60), np.arange(60.0) ** 2).mean()  # noqa: E731
    long = lands_made.SMOOTH
    assert strip[0, -1] == pytest.approx(whole(40 - 4 * long, 40), rel=1e-3)
    assert strip[1, -1] == pytest.approx(whole(40 - 2 * long, 40), rel=1e-3)
    assert strip[0, -3] == pytest.approx(whole(32 - 4 * long, 32), rel=1e-3) and strip[TALL - 1, -1] == 1600
