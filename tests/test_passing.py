"""Things come in whole, where the controls let them; each pixel of them goes on as one; the land behind never sees them."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import SMALL, footage, weights

from vj.model import passing as passings
from vj.model import world as worlds
from vj.model.generator import Generator
from vj.model.net import Net
from vj.model.passing import READY, RESTS, Entering, Passing
from vj.model.sprites import LATENTS, STEPS, WANTED, Making, Sprite, Sprites, scene
from vj.signals import Controls
from vj.train.learn import adopt_footage, start

TALL, WIDE = SMALL.height, SMALL.width
GO, NEAR = Controls(speed=1.0), Controls(speed=1.0, near=0.9)


def controls(near, speed: float = 1.0) -> np.ndarray:
    """Of frames in which this enters in the near band alone."""
    out = np.zeros((len(near), 6), np.float32)
    out[:, 0], out[:, 3] = speed, near
    return out


def begun(entry, lasts: float = 5.0, least: float = 0.0, speed: float = 1.0) -> list[int]:
    entering = Entering(np.full(3, lasts), np.full(3, least))
    return [at for at, row in enumerate(controls(entry, speed)) if entering.turn(row)[2]]


def post(wide: int = 5, pace: float = 3.0, level: float = 0.2, top: int = 20) -> Sprite:
    """A post with a gap in its middle column."""
    belongs = np.zeros((TALL, wide), bool)
    belongs[top:] = True
    belongs[top + 4 : top + 6, wide // 2] = False
    return Sprite(np.full((3, TALL, wide), level, np.float32), belongs, pace)


def knowing(net: Net) -> Net:
    """The network as if it had learnt things of all bands."""
    net.sprites.paces.copy_(torch.tensor([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]]))
    net.sprites.examples[..., 0], net.sprites.examples[..., 1] = 0.9, 5.0
    return net


@pytest.fixture(scope="module", name="weights")
def _weights():
    return weights()


@pytest.fixture
def generator(weights):
    """Of weights that know things, which are all posts."""
    made = Generator(*weights, half=False)
    knowing(made.net)
    made.passing._taken = lambda band, strength, colours: post()
    made.passing._prepare = lambda colours: None
    made.reset(0)
    return made


def test_a_thing_begins_where_its_control_rises_from_rest():
    assert begun([0, 0.9, 0.9, 0.9, 0.5, 0, 0, 0.4, 0.4, 0, 0]) == [1, 7]
    assert begun([0, 0.1, 0.2, 0.25, 0.2, 0, 0]) == [], "too faint"
    assert begun([0.9, 0.9, 0.9, 0], least=0.9) == [], "it had begun before"


def test_what_rises_again_while_one_enters_is_the_same_thing():
    pulses = [0, 0.9, 0.9, 0.6, 0.9, 0.9, 0.6, 0.9, 0.9, 0.6, 0.9]
    assert begun(pulses, lasts=5.0) == [1, 7]  # where it is in, the next may begin
    assert begun(pulses, lasts=5.0, speed=0.5) == [1]
    assert begun([0, *[0.9] * 20], lasts=5.0) == [1], "what stays is no other"


def test_where_a_control_is_held_things_go_on_entering():
    """As a knob is: one after another, and none where it stands below."""
    entering = Entering(np.full(3, 5.0), again=2.0)
    assert [at for at, row in enumerate(controls([0, *[0.9] * 30])) if entering.turn(row)[2]] == [1, 11, 21]
    entering = Entering(np.full(3, 5.0), again=2.0)
    assert [at for at, row in enumerate(controls([0, *[0.4] * 30])) if entering.turn(row)[2]] == [1]


def test_how_long_things_take_is_what_the_newest_weights_say(generator):
    generator.step(GO)
    generator.net.sprites.lasts.fill_(7.0)
    generator.step(GO)
    assert (generator.passing._entering.lasts == 7).all()


def test_a_thing_comes_in_column_by_column_and_leaves_whole(generator):
    generator.step(NEAR)
    seen = [generator.passing.there.numpy()]
    for _ in range(24):
        generator.step(GO)
        seen.append(generator.passing.there.numpy())
    assert [int(there.any(0).sum()) for there in seen[:3]] == [3, 5, 5], "3 px a frame"
    assert np.array_equal(seen[2][:, -9:-4], post().belongs)
    assert not seen[-1].any() and not generator.passing._guests


def test_its_pixels_are_its_own_all_the_way(generator, monkeypatch):
    """Whatever the trunk takes them for; what is not its own is the world's."""
    monkeypatch.setattr(generator.net.light, "forward", lambda image, told: torch.ones(1, 3))
    monkeypatch.setattr(worlds, "HOMING", 0.0)
    before = generator.world.shown[0].mean((2, 3))
    generator.step(NEAR)
    for _ in range(10):
        generator.step(GO)
        there = generator.passing.there
        assert (generator.world.classes[0][there] == 3).all()
        off = (generator.world.lattice[0][:, there] - 0.2 * before[0][:, None]).abs().max()
        assert off < 1e-5


def test_nobody_mends_a_thing(generator, monkeypatch):
    """Whatever the mender takes for litter: the land's alone."""
    monkeypatch.setattr(worlds, "HOMING", 0.0)
    monkeypatch.setattr(worlds.mender, "mended", lambda mender, lattice, *rest: lattice * 0 + 0.6)
    for at in range(8):
        generator.step(NEAR if at == 0 else GO)
    there = generator.passing.there
    lattice = generator.world.lattice[0]
    assert there.any() and (lattice[:, ~there] == 0.6).all() and (lattice[:, there] < 0.3).all()


def test_nothing_of_it_is_left_behind(generator):
    """Where it has been, no copy of it stays, also where what is beside it goes nearly as fast."""
    generator.passing._taken = lambda band, strength, colours: post(level=3.0, wide=6)
    generator.net.light.forward = lambda image, told: torch.ones(1, 3)
    generator.world = replace(generator.world, lattice=generator.world.lattice * 0 + 0.25)
    generator.world = replace(generator.world, shown=(generator.world.lattice,) * len(generator.world.shown))
    generator.net.palette[0], generator.net.palette[1] = 0.0, 9.0
    generator.step(NEAR)
    for _ in range(14):
        generator.step(GO)
        land = generator.world.lattice[0, :, :, :40][:, ~generator.passing.there[:, :40]]
        assert land.max() < 0.6


def test_what_is_uncovered_is_what_lies_beside_it():
    """Never a copy of the thing that was there: the land to the right of it, or, at the edge, to the left."""
    lattice = torch.arange(12.0).expand(1, 3, 2, 12).clone()
    before, there = torch.zeros(2, 12, dtype=torch.bool), torch.zeros(2, 12, dtype=torch.bool)
    before[0, 4:8], before[1, 9:], there[0, 1:5], there[1, 6:9] = True, True, True, True
    moved = lattice.roll(-1, 3)  # all else goes by 1 px
    guests = passings.Guests(there, there.long(), there & False, lattice[0] * 0, before)
    whole, classes = torch.tensor([[[1, 0], [3, 0]]]), there.long()[None]
    out = worlds._uncovered(lattice, moved, classes, whole, guests)[0, 0]
    assert out[0, 5:7].tolist() == [8.0, 8.0] and out[0, 7] == 8 and out[0, 0] == 1
    assert out[1, 9:].tolist() == [8.0, 8.0, 8.0]


def test_what_is_uncovered_is_filled_in_each_step(generator, monkeypatch):
    monkeypatch.setattr(worlds, "HOMING", 0.0)
    monkeypatch.setattr(worlds, "_uncovered", lambda lattice, moved, *rest: moved * 0 + 0.7)
    generator.step(NEAR)
    generator.step(GO)
    left = generator.world.lattice[0, :, :, : WIDE // 2][:, ~generator.passing.there[:, : WIDE // 2]]
    assert (left - 0.7).abs().median() < 0.01


def test_whatever_comes_out_from_behind_a_thing_is_where_it_is(generator, monkeypatch):
    generator.step(NEAR)
    step = worlds.hidden.step

    def spoilt(*given):
        moved, classes, behind = step(*given)
        return moved * 0 + 0.9, classes * 0, behind

    monkeypatch.setattr(worlds.hidden, "step", spoilt)
    for _ in range(3):
        generator.step(GO)
        there = generator.passing.there
        assert (generator.world.classes[0][there] == 3).all() and generator.world.lattice[0][:, there].max() < 0.5


def test_nearer_things_stand_before_farther_ones(generator):
    far, near = post(wide=8, pace=1.0, level=0.5, top=4), post(wide=4, pace=3.0, level=2.0, top=4)
    sprites = iter([near, far])  # which has come later, too
    generator.passing._taken = lambda band, strength, colours: next(sprites)
    generator.step(Controls(speed=1.0, near=0.9, far=0.0))
    generator.step(Controls(speed=1.0, far=0.9))
    owner = generator.passing._owner
    assert (owner == 1).sum() == near.belongs.sum() and (owner == 2).any()
    generator.reset(0)
    sprites = iter([far, near])
    generator.step(Controls(speed=1.0, far=0.9))
    for _ in range(7):
        generator.step(GO)
    generator.step(NEAR)
    generator.step(GO)
    owner = generator.passing._owner
    assert (owner == 2).sum() == near.belongs.sum() and 0 < (owner == 1).sum() < far.belongs.sum()


def test_what_comes_out_from_behind_another_is_itself(generator, monkeypatch):
    """A farther thing that a nearer one has passed is whole again."""
    monkeypatch.setattr(worlds, "HOMING", 0.0)
    far, near = post(wide=8, pace=1.0, level=0.5, top=4), post(wide=4, pace=3.0, level=2.0, top=4)
    sprites = iter([far, near])
    generator.passing._taken = lambda band, strength, colours: next(sprites)
    generator.net.light.forward = lambda image, told: torch.ones(1, 3)
    generator.step(Controls(speed=1.0, far=0.9))
    for _ in range(12):
        generator.step(GO)
    generator.step(NEAR)
    light = generator.passing._guests[0].light
    for _ in range(9):
        generator.step(GO)
    owner = generator.passing._owner
    first, second = (np.flatnonzero((owner == number).any(0)) for number in (1, 2))
    assert len(first) == 8 and second[0] < first[0], "it has been passed"
    colours = generator.world.lattice[0].numpy()[:, owner == 1]
    assert np.abs(colours - 0.5 * light[:, None]).max() < 1e-5


def test_dice_and_painter_see_the_land_alone(generator, monkeypatch):
    """And are told that nothing enters."""
    seen, draw = [], generator.dice.draw
    monkeypatch.setattr(generator.dice, "draw", lambda image, past, told: seen.append((image, told)) or draw(image, past, told))
    known, paint = [], generator.net.painter.forward
    monkeypatch.setattr(generator.net.painter, "forward", lambda moved, *rest: known.append(moved) or paint(moved, *rest))
    generator.passing._taken = lambda band, strength, colours: post(level=3.0)
    for _ in range(4):
        generator.step(NEAR)
    image, told = seen[-1]
    assert generator.world.shown[0][:, :, 20:].max() > 0.9 > image[:, :, 20:, -12:].max()
    assert known[-1][:, :, 20:, -12:].max() < 0.9
    assert told[0, 3] == pytest.approx(RESTS) and told[0, 0] == 1


def test_without_things_nothing_is_different(weights):
    """Weights that know none, as all new ones, draw what enters by dice alone."""
    generator, seen = Generator(*weights), []
    draw = generator.dice.draw
    generator.dice.draw = lambda image, past, told: seen.append(told) or draw(image, past, told)
    for _ in range(3):
        generator.step(NEAR)
    assert seen[-1][0, 3] == pytest.approx(0.9) and not generator.passing.there.any()
    assert generator.passing._making is None


def test_standing_still_nothing_comes(generator):
    generator.step(NEAR)
    there = generator.passing.there
    for _ in range(3):
        generator.step(Controls(speed=0.0, near=0.9))
    assert torch.equal(there, generator.passing.there)


def test_a_thing_goes_with_the_light(generator, monkeypatch):
    generator.step(NEAR)
    light = generator.passing._guests[0].light.copy()
    monkeypatch.setattr(generator.net.light, "forward", lambda image, told: torch.full((1, 3), 1.25))
    generator.step(GO)
    assert generator.passing._guests[0].light == pytest.approx(1.25 * light)


def test_the_same_seed_lets_the_same_in(weights):
    def run(seed):
        generator = Generator(*weights, half=False)
        knowing(generator.net)
        generator.reset(seed)
        return np.stack([generator.step(NEAR if at % 9 == 0 else GO).pixels for at in range(30)])

    assert np.array_equal(run(3), run(3))


def test_things_are_made_ahead_a_step_each_frame(monkeypatch):
    monkeypatch.setattr(passings, "_stands_out", lambda *_: True)
    torch.manual_seed(0)
    net = knowing(Net(SMALL))
    mine, image, phase = Passing(net), torch.rand(1, 3, TALL, WIDE), torch.zeros(1, SMALL.classes, 2)
    asked = {"velocity": 0, "decoder": 0}
    for name in asked:
        part = getattr(net.sprites, name)
        part.register_forward_hook(lambda *_, name=name: asked.update({name: asked[name] + 1}))
    whole = 3 * READY * (STEPS + 1)  # and one to draw it
    for at in range(whole + 5):
        mine.turn(image, phase, torch.tensor([[1.0, 0, 0, 0, 0, 0]]))
        assert sum(asked.values()) == min(at + 1, whole)
    assert asked["decoder"] == 3 * READY and [len(ready) for ready in mine._ready] == [READY] * 3
    mine.turn(image, phase, torch.tensor([[1.0, 0, 0, 0.9, 0, 0]]))
    assert len(mine._ready[2]) == READY - 1 and sum(asked.values()) == whole + 1, "the next is begun"


def test_what_nobody_would_see_does_not_wait_to_be_let_in(monkeypatch):
    """Too small, or of the land's own colour: another is made instead."""
    mine = Passing(knowing(Net(SMALL)))
    colours = torch.ones(1, 9)
    made = iter([post(level=1.05), post(wide=1), post(level=0.3)])
    monkeypatch.setattr(passings.Making, "go_on", lambda self: next(made))
    waits = []
    for _ in range(3):
        mine._prepare(colours)
        waits.append(sum(len(ready) for ready in mine._ready))
    assert waits == [0, 0, 1] and mine._making is None


def test_if_none_waits_one_is_made_at_once():
    mine = Passing(knowing(Net(SMALL)))
    assert isinstance(mine._taken(1, 0.9, torch.ones(1, 9)), Sprite) and not any(mine._ready)


def test_in_a_quick_rhythm_narrow_things_come():
    net = knowing(Net(SMALL))
    mine = Passing(net)
    colours, _ = scene(torch.rand(1, 3, TALL, WIDE))
    wait = [(0.9, post(wide=14)), (0.2, post(wide=3)), (0.5, post(wide=9))]
    mine._ready[2] = list(wait)
    mine._gaps[2] = 1.0
    assert mine._taken(2, 0.9, colours).width == 3 and len(mine._ready[2]) == 2
    mine._gaps[2] = np.inf
    for told, wide in ((1.0, 14), (0.3, 9), (0.1, 3)):
        mine._ready[2] = list(wait)
        assert mine._taken(2, told, colours).width == wide, "the stronger, the stronger"


def test_what_stands_out_more_is_stronger():
    colours = torch.full((1, 9), 1.0)
    faint, dark, tall = post(level=0.8), post(level=0.2), post(level=0.2)
    tall.belongs[:10] = True
    said = [passings._strength(each, 2, colours) for each in (faint, dark, tall)]
    assert said[0] < 0.5 * said[1] and said[2] == said[1], "in its own rows alone"


def test_other_footage_takes_them_away():
    net = knowing(start(footage(), config=SMALL))
    adopt_footage(net, footage())
    assert net.sprites.known, "it was learnt from this"
    other = footage()
    other.frames[:] = 255 - other.frames
    adopt_footage(net, other)
    assert not net.sprites.known


def test_a_thing_is_what_was_packed():
    net = knowing(Net(SMALL)).sprites
    thing = post(wide=7, level=0.6)
    colours, belongs = torch.zeros(1, 3, TALL, net.wide), torch.zeros(1, 1, TALL, net.wide)
    belongs[0, 0, :, :7] = torch.from_numpy(thing.belongs)
    colours[0, :, :, :7] = torch.from_numpy(thing.colours)
    packed = net.packed(colours, belongs, torch.tensor([3.1]), torch.tensor([2]))
    back = net.unpacked(packed, 2, TALL)
    assert np.array_equal(back.belongs, thing.belongs) and back.pace == pytest.approx(3.1, abs=1e-4)
    assert np.abs(back.colours - 0.6)[:, thing.belongs].max() < 1e-5
    latents = net.encoder(packed)
    assert latents.shape == (1, LATENTS, TALL // 8, net.wide // 8) and net.decoder(latents).shape == packed.shape


def test_it_starts_as_the_best_line():
    """Before it has learnt anything it says what noise alone tells: where all is noise, to take that away."""
    net = Sprites(TALL, WIDE)
    noise = torch.randn(4, LATENTS, 4, 3)
    assert torch.allclose(net.velocity(noise, torch.zeros(4), torch.zeros(4, WANTED)), -noise, atol=1e-5)


def test_making_takes_its_steps_and_no_more():
    net = knowing(Net(SMALL)).sprites
    making = Making(net, 2, torch.randn(1, LATENTS, 4, 3), torch.zeros(1, WANTED), TALL)
    made = [making.go_on() for _ in range(STEPS + 1)]
    assert made[:-1] == [None] * STEPS and isinstance(made[-1], Sprite)


def test_guests_only_where_they_are(weights):
    """The step of training, without things, is the one that the show takes with none."""
    generator = Generator(*weights, half=False)
    told = torch.from_numpy(GO.vector())[None]
    code = torch.zeros(1, 8, SMALL.rows)
    one = worlds.step(generator.net, generator.world, told, code, torch.zeros(1))
    nobody = torch.zeros(TALL, WIDE, dtype=torch.bool)
    guests = passings.Guests(nobody, nobody.long(), nobody, torch.zeros(3, TALL, WIDE), nobody)
    carried = worlds.carry(generator.net, generator.world, told, code, torch.zeros(1), guests=guests)
    other = worlds.settle(generator.net, generator.world, carried, worlds.enter(generator.net, carried, code)[0], told, code)
    assert torch.equal(one.lattice, other.lattice) and torch.equal(one.classes, other.classes)
