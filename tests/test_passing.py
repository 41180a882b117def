"""Things come in whole, where the controls let them, and pass as one; the land behind never knows of them."""


from dataclasses import replace

import numpy as np
import pytest
import torch
from small import SMALL, weights

from vj.model import guests
from vj.model import passing as passings
from vj.model.entering import RESTS, Entering
from vj.model.generator import Generator
from vj.model.latents import STEPS
from vj.model.net import Net
from vj.model.passing import READY, Passing
from vj.model.sprites import LATENTS, WANTED, Making, Sprite, Sprites, scene
from vj.signals import Controls

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


def occupied(generator: Generator) -> np.ndarray:
    """bool (H, W): where things are in the picture."""
    return np.isfinite(generator.passing.over(np.zeros((3, TALL, WIDE), np.float32))[1])


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
    seen = [occupied(generator)]
    for _ in range(24):
        generator.step(GO)
        seen.append(occupied(generator))
    assert [int(there.any(0).sum()) for there in seen[:3]] == [3, 5, 5], "3 px a frame"
    assert np.array_equal(seen[2][:, -9:-4], post().belongs)
    assert not seen[-1].any() and not generator.passing._guests


def test_its_pixels_are_its_own_all_the_way(generator, monkeypatch):
    """Whatever the trunk takes them for, and whatever is mended."""
    monkeypatch.setattr(generator.net.light, "forward", lambda image, told: torch.ones(1, 3))
    before = generator.world.shown[0].mean((2, 3))[0].numpy()
    generator.step(NEAR)
    for _ in range(10):
        frame = generator.step(GO)
        there = occupied(generator)
        assert there.any() and np.abs(frame.pixels[there] / 255 - 0.2 * before).max() < 0.004


def test_the_land_never_knows_of_it(generator):
    """Behind a thing it is what it would be without, to the bit; and so are the things of the land that are drawn."""

    def lands(sprite: Sprite) -> list[torch.Tensor]:
        generator.passing._taken = lambda band, strength, colours: sprite
        generator.reset(4)
        seen = []
        for at in range(16):
            frame = generator.step(NEAR if at % 6 == 0 else GO)
            seen += [generator.world.lattice, generator.world.shown[0], generator.world.classes]
        own = (generator.world.shown[0][0].permute(1, 2, 0).numpy() * 255).round()
        there = occupied(generator)
        assert np.array_equal(frame.pixels[~there], own[~there])
        assert there.any() == bool(sprite.width) and (not there.any() or (frame.pixels[there] != own[there]).any())
        return seen

    one, other = lands(post(level=3.0, wide=6)), lands(Sprite(np.zeros((3, TALL, 0), np.float32), np.zeros((TALL, 0), bool), 3.0))
    assert all(torch.equal(*both) for both in zip(one, other, strict=True))


def test_it_passes_at_its_own_pace_by_quarters_of_a_pixel(generator):
    """Not at that of a motion class, and never softer than sampled once."""
    generator.passing._taken = lambda band, strength, colours: post(wide=8, pace=2.6)
    for at in range(5):
        generator.step(NEAR if at == 0 else GO)
    where = []
    for _ in range(12):
        frame = generator.step(GO)
        land = np.zeros((3, TALL, WIDE), np.float32)
        covered = np.ones((3, TALL, WIDE), np.float32) - generator.passing.over(land + 1)[0]
        covered = covered[0, 20] / covered[0, 20].max()
        where.append((covered * np.arange(WIDE)).sum() / covered.sum())
        assert 7.4 < covered.sum() < 8.6 and (covered > 0.99).sum() >= 5
        there = occupied(generator)
        assert (frame.flow[there] == np.float32((-2.6, 0))).all() and not (frame.flow[~there] == np.float32(-2.6)).any()
    assert -np.diff(where).mean() == pytest.approx(2.6, abs=0.05)


def test_what_is_seen_of_it_comes_with_the_drum(generator):
    """A front that is low, or of the land's colour, is in already; but not more than a little of it."""
    low, pale = post(wide=20, level=3.0), post(wide=20, level=3.0)
    low.belongs[: TALL - 1, :6] = False
    for sprite, lead in ((low, 6), (pale, 0)):
        generator.reset(0)
        generator.passing._taken = lambda band, strength, colours, sprite=sprite: sprite
        generator.step(NEAR)
        assert generator.passing._guests[0].gone == pytest.approx(lead + 3, abs=1)
    pale.colours[:, :, :15] = scene(generator.world.shown[0])[0][0, 6:9].numpy()[:, None, None]
    generator.reset(0)
    generator.passing._taken = lambda band, strength, colours: pale
    generator.step(NEAR)
    assert generator.passing._guests[0].gone == passings.LEAD + 3


def test_it_is_hardly_paler_between_pixels():
    """What is sampled there is a mean of its neighbours: else a fine thing would flicker as it passes."""
    random, land = np.random.default_rng(1), np.full(3, 0.9, np.float32)
    colours, belongs = random.uniform(0, 1, (3, TALL, 8)).astype(np.float32), random.random((TALL, 8)) < 0.7
    phases = guests._phases(Sprite(colours.repeat(2, 2), belongs.repeat(2, 1), 1.0), land)
    steep = np.square(np.diff(phases[:, :3] - phases[:, 3:] * land[:, None, None])).sum((1, 2, 3))
    assert (steep / steep[1] > (0.95, 0.999, 0.95, 0.68)).all() and (steep < 1.05 * steep[1]).all(), "half way it can do least"


def test_its_edges_do_not_ring(generator):
    """A dark thing has no bright rim, at any phase."""
    generator.passing._taken = lambda band, strength, colours: post(wide=8, pace=2.25)
    generator.step(NEAR)
    for _ in range(8):
        generator.step(GO)
        picture, _ = generator.passing.over(np.full((3, TALL, WIDE), 0.5, np.float32))
        assert picture.max() <= 0.5 + 1e-6 and picture.min() > 0


def test_what_is_half_covered_is_half_seen_through(generator):
    sprite = replace(post(wide=8, level=2.0), cover=np.full((TALL, 8), 0.5, np.float32))
    generator.passing._taken = lambda band, strength, colours: sprite
    generator.step(NEAR)
    for _ in range(5):
        generator.step(GO)
    generator.passing._guests[0].light = np.full(3, 0.4)
    picture, _ = generator.passing.over(np.full((3, TALL, WIDE), 0.2, np.float32))
    assert picture[:, 20].max() == pytest.approx(0.5 * 0.2 + 0.5 * 0.8, abs=0.01)


def test_nearer_things_stand_before_farther_ones(generator):
    far, near = post(wide=8, pace=1.0, level=0.5, top=4), post(wide=4, pace=3.0, level=2.0, top=4)
    paces = lambda: generator.passing.over(np.zeros((3, TALL, WIDE), np.float32))[1]  # noqa: E731
    sprites = iter([near, far])  # which has come later, too
    generator.passing._taken = lambda band, strength, colours: next(sprites)
    generator.step(NEAR)
    generator.step(Controls(speed=1.0, far=0.9))
    assert (paces() == 3).sum() == near.belongs.sum() and (paces() == 1).any()
    generator.reset(0)
    sprites = iter([far, near])
    generator.step(Controls(speed=1.0, far=0.9))
    for _ in range(7):
        generator.step(GO)
    generator.step(NEAR)
    generator.step(GO)
    assert (paces() == 3).sum() == near.belongs.sum() and 0 < (paces() == 1).sum() < far.belongs.sum()
    for _ in range(4):
        generator.step(GO)
    assert (paces() == 1).sum() == far.belongs.sum(), "it has been passed, and is whole again"


def test_dice_and_painter_see_the_land_alone(generator, monkeypatch):
    """And are told that nothing enters."""
    seen, draw = [], generator.dice.draw
    monkeypatch.setattr(generator.dice, "draw", lambda image, past, told: seen.append((image, told)) or draw(image, past, told))
    known, paint = [], generator.net.painter.forward
    monkeypatch.setattr(generator.net.painter, "forward", lambda moved, *rest: known.append(moved) or paint(moved, *rest))
    generator.passing._taken = lambda band, strength, colours: post(level=3.0)
    for _ in range(4):
        frame = generator.step(NEAR)
    image, told = seen[-1]
    assert frame.pixels[20:].max() > 230 > 255 * image[:, :, 20:, -12:].max()
    assert known[-1][:, :, 20:, -12:].max() < 0.9
    assert told[0, 3] == pytest.approx(RESTS) and told[0, 0] == 1


def test_without_things_nothing_is_different(weights):
    """Weights that know none, as all new ones, draw what enters by dice alone."""
    generator, seen = Generator(*weights), []
    draw = generator.dice.draw
    generator.dice.draw = lambda image, past, told: seen.append(told) or draw(image, past, told)
    for _ in range(3):
        generator.step(NEAR)
    assert seen[-1][0, 3] == pytest.approx(0.9) and not occupied(generator).any() and not generator.passing._guests
    assert generator.passing._making is None


def test_standing_still_nothing_comes(generator):
    generator.step(NEAR)
    there = occupied(generator)
    for _ in range(3):
        generator.step(Controls(speed=0.0, near=0.9))
    assert there.any() and np.array_equal(there, occupied(generator))


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
    mine, image = Passing(net), torch.rand(1, 3, TALL, WIDE)
    asked = {"velocity": 0, "decoder": 0}
    for name in asked:
        part = getattr(net.sprites, name)
        part.register_forward_hook(lambda *_, name=name: asked.update({name: asked[name] + 1}))
    whole = 3 * READY * (STEPS + 1)  # and one to draw it
    for at in range(whole + 5):
        mine.turn(image, torch.tensor([[1.0, 0, 0, 0, 0, 0]]))
        assert sum(asked.values()) == min(at + 1, whole)
    assert asked["decoder"] == 3 * READY and [len(ready) for ready in mine._ready] == [READY] * 3
    mine.turn(image, torch.tensor([[1.0, 0, 0, 0.9, 0, 0]]))
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


def test_what_is_in_bits_does_not_wait_either(monkeypatch):
    """But for gaps of a px or two."""
    mine, bits, gap = Passing(knowing(Net(SMALL))), post(wide=12, level=0.3), post(wide=12, level=0.3)
    bits.belongs[:, 4:8], gap.belongs[:, 5:7] = False, False
    made = iter([bits, gap])
    monkeypatch.setattr(passings.Making, "go_on", lambda self: next(made))
    waits = []
    for _ in range(2):
        mine._prepare(torch.ones(1, 9))
        waits.append(sum(len(ready) for ready in mine._ready))
    assert waits == [0, 1]


def test_what_is_much_weaker_than_most_does_not_wait():
    mine, colours = Passing(knowing(Net(SMALL))), torch.ones(1, 9)
    for level, waits in ((0.2, 1), (0.25, 2), (0.8, 2), (0.3, 3)):
        mine._making = type("Made", (), {"band": 2, "go_on": lambda self, level=level: post(level=level)})()
        mine._prepare(colours)
        assert len(mine._ready[2]) == waits, level


def test_while_something_else_is_made_nothing_is():
    mine = Passing(knowing(Net(SMALL)))
    for busy in (True, False):
        mine.turn(torch.rand(1, 3, TALL, WIDE), torch.tensor([[1.0, 0, 0, 0, 0, 0]]), busy)
        assert (mine._making is None) == busy


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


@pytest.mark.parametrize("window", [(0, 1), (TALL // 2, 2)])
def test_a_thing_is_what_was_packed(window):
    """However near its band is looked at."""
    net = knowing(Net(SMALL)).sprites
    net.window[2] = torch.tensor(window)
    thing = post(wide=7, level=0.6)
    colours, belongs = torch.zeros(1, 3, TALL, net.wide), torch.zeros(1, 1, TALL, net.wide)
    belongs[0, 0, :, :7] = torch.from_numpy(thing.belongs)
    colours[0, :, :, :7] = torch.from_numpy(thing.colours)
    packed = net.packed(colours, belongs, torch.tensor([3.1]), torch.tensor([2]))
    assert torch.equal(net.evened(packed, torch.tensor([2])), packed), "each px of the picture is of one colour"
    back = net.unpacked(packed, 2, TALL)
    assert back.colours.shape[1] == TALL and np.array_equal(back.belongs, thing.belongs)
    assert np.abs(back.cover - thing.belongs).max() < 0.003
    assert back.pace == pytest.approx(3.1, abs=1e-4)
    assert np.abs(back.colours - 0.6)[:, thing.belongs].max() < 1e-5
    latents = net.encoder(packed)
    assert latents.shape == (1, LATENTS, TALL // 8, net.wide // 8) and net.decoder(latents).shape == packed.shape


def test_what_is_one_pixel_of_the_picture_is_drawn_in_one_colour():
    """Of what is looked at twice as near; and it is told how wide it is there."""
    net = knowing(Net(SMALL)).sprites
    net.window[1] = torch.tensor([4, 2])
    drawn = torch.randn(2, 5, net.tall, net.wide)
    even = net.evened(drawn, torch.tensor([2, 1]))
    assert torch.equal(even[0], drawn[0]) and not torch.equal(even[1], drawn[1])
    assert torch.allclose(even[1, :, 6:8, 2:4], drawn[1, :, 6:8, 2:4].mean((1, 2), keepdim=True).expand(5, 2, 2), atol=1e-6)
    told = net.wanted(torch.tensor([2, 1]), torch.ones(2), torch.ones(2, 9), torch.tensor([8.0, 4.0]))
    assert told[0, -1] == told[1, -1] and told.shape == (2, WANTED)


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
