"""Detail comes in with what it is of, goes where that goes, and leaves the world as it would be without."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from small import SMALL, footage, weights

from vj.errors import FootageError
from vj.model import passing, transport
from vj.model import world as worlds
from vj.model.detail import Detail
from vj.model.finer import PARTS, REACH, TIMES, Added, Finer, larger
from vj.model.generator import Generator
from vj.model.guests import begun, refined
from vj.model.hidden import nothing
from vj.model.latents import STEPS
from vj.model.net import Net
from vj.model.sprites import Sprite
from vj.model.world import Carried, World
from vj.signals import Controls
from vj.train import finer as lessons
from vj.train.fine_frames import FineFrames, Keeper, shrunk
from vj.train.learn import Learner, learn, start
from vj.train.things import Things
from vj.train.trainer import TrainConfig
from vj.weights import read

TALL, WIDE = SMALL.height, SMALL.width
BANK = torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])


class Nothing(Added):
    """Adds nothing to what enters, so that what is there came from elsewhere."""

    def forward(self, image):
        return image.new_zeros(len(image), PARTS, *image.shape[2:])


def learnt(net: Net) -> Net:
    """The network as if its detail were learnt."""
    torch.manual_seed(1)
    torch.nn.init.normal_(net.finer.picture.layers[-1].weight, 0, 0.02)
    return net


def standing(seed: int = 0) -> World:
    random = torch.Generator().manual_seed(seed)
    lattice = torch.rand(1, 3, TALL, WIDE, generator=random)
    classes = torch.full((1, TALL, WIDE), 2)
    return World(lattice, (lattice,) * 4, torch.zeros(1, 4, 2), torch.ones(1, 3), torch.zeros(1, 1, 1), classes)


def gone_on(world: World, speed: float = 1.0, light: float = 1.0, swap: tuple | None = None, mended: tuple | None = None):
    """A step of all px as class 2 goes: (carried, strip, after). swap: a px that something else has come out at; mended: one
    that is mended afterwards."""
    shift = BANK[None] * speed
    total = world.phase + shift
    whole, _ = transport.split(total, False)
    lights = torch.full((1, 3), light)
    moved, entered = transport.move(worlds.relight(world.lattice, lights), world.classes, whole)
    if swap:
        moved[..., swap[0], swap[1]] = 0.123
    carried = Carried(moved, entered[..., -8:], None, None, world.classes, nothing(moved.device), lights, None, shift,
                      total - whole)  # fmt: skip
    strip = moved[..., -8:]
    lattice = moved + 0.01 * torch.linspace(-1, 1, TALL)[:, None]  # rows go home a little, which is no mending
    if mended:
        lattice[..., mended[0], mended[1]] += 0.2
    shown = transport.sample(lattice, world.classes, carried.phase, False)
    after = replace(world, lattice=lattice, shown=(shown, *world.shown[:3]), phase=carried.phase, age=world.age + 1)
    return carried, strip, after


def marked(row: int = 10, column: int = 20) -> Detail:
    """Detail of one px alone: its upper left quarter is brighter."""
    mine = Detail(Nothing())
    mine._added = torch.zeros(1, PARTS, TALL, WIDE)
    mine._added[0, ::4, row, column] = 0.5
    return mine


def where(mine: Detail, world: World) -> list[tuple[int, int]]:
    """Fine px that differ from the picture made larger."""
    off = mine.over(world) - larger(world.shown[0])[0].numpy()
    return [tuple(each) for each in np.argwhere(np.abs(off).max(0) > 0.1).tolist()]


def test_what_has_learnt_nothing_adds_nothing():
    image = torch.rand(2, 3, TALL, WIDE)
    assert torch.equal(Added().enlarged(image), larger(image)) and not Finer().known


def test_larger_is_what_opencv_makes_of_it():
    image = np.random.default_rng(0).random((TALL, WIDE, 3), np.float32)
    theirs = cv2.resize(image, (2 * WIDE, 2 * TALL), interpolation=cv2.INTER_CUBIC)
    assert np.abs(larger(torch.from_numpy(image).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy() - theirs).max() < 1e-5


def test_detail_goes_where_its_pixel_goes():
    world, mine = standing(), marked()
    assert where(mine, world) == [(20, 40)]
    for steps in (1, 2, 3):
        carried, strip, after = gone_on(world)
        mine.go_on(world, carried, strip, after)
        world = after
        assert where(mine, world) == [(20, 40 - 4 * steps)], "two px a frame"


def test_it_is_sampled_at_the_same_part_of_a_pixel_as_the_picture():
    """A quarter of a px is half a fine one; a half of a px is a whole fine one."""
    world, mine = standing(), marked()
    carried, strip, after = gone_on(world, 0.25)  # half a px
    mine.go_on(world, carried, strip, after)
    assert float(after.phase[0, 2, 0]) == 0.5 and where(mine, after) == [(20, 39)]
    wave = torch.sin(torch.arange(2 * WIDE) * 2 * np.pi / 8).expand(1, 3, 2 * TALL, -1)
    mine, world = Detail(Nothing()), standing()
    mine._added = torch.nn.functional.pixel_unshuffle(wave, 2)
    carried, strip, after = gone_on(world, 0.125)  # a quarter
    mine.go_on(world, carried, strip, after)
    seen = mine.over(after)[0, 20, 20 : 2 * WIDE - 24] - larger(after.shown[0])[0, 0, 20, 20 : 2 * WIDE - 24].numpy()
    there = np.sin((np.arange(20, 2 * WIDE - 24) + 0.5) * 2 * np.pi / 8)
    assert np.abs(seen - there).max() < 0.05


def test_what_stands_half_a_pixel_higher_has_its_detail_there():
    world, mine = standing(), marked()
    world.phase[..., 1] = 0.5
    assert where(mine, world) == [(19, 40)]


def test_what_came_out_from_behind_or_was_mended_has_none():
    for case in ({"swap": (10, 18)}, {"mended": (10, 18)}):
        world, mine = replace(standing(), age=3), marked()
        carried, strip, after = gone_on(world, **case)
        mine.go_on(world, carried, strip, after)
        assert where(mine, after) == [], case
    world, mine = replace(standing(), age=2), marked()  # in a frame in which nothing is mended rows alone change
    carried, strip, after = gone_on(world, mended=(10, 18))
    mine.go_on(world, carried, strip, after)
    assert where(mine, after) == [(20, 36)]


def test_it_is_lit_as_its_pixel_is():
    world, mine = standing(), marked()
    carried, strip, after = gone_on(world, light=0.5)
    mine.go_on(world, carried, strip, after)
    assert (mine.over(after) - larger(after.shown[0])[0].numpy())[:, 20, 36] == pytest.approx(0.25, abs=1e-4)


def test_what_enters_gets_its_detail_from_what_is_around_it():
    world, added = standing(), Added()
    torch.nn.init.normal_(added.layers[-1].weight, 0, 0.1)
    mine = Detail(added)
    mine.begin(world.lattice)
    carried, strip, after = gone_on(world)
    mine.go_on(world, carried, strip, after)
    with torch.no_grad():
        whole = added(after.lattice.clamp(max=1))
    assert torch.allclose(mine._added[..., -2 - REACH :], whole[..., -2 - REACH :], atol=1e-5), "two columns, and beside them"


@pytest.fixture(scope="module", name="weights")
def _weights():
    card, tensors = weights()
    net = Net(SMALL)
    net.load_state_dict(tensors)
    return card, {name: part.detach() for name, part in learnt(net).state_dict().items()}


def test_the_world_is_the_same_with_and_without(weights):
    plain, fine = (Generator(*weights, half=False, seed=3) for _ in range(2))
    assert fine.refine()
    for each in (plain, fine):
        each.reset(3)
    for speed in (1.0, 0.3, 0.0, 1.7) * 4:
        a, b = (each.step(Controls(speed=speed, near=0.5)) for each in (plain, fine))
        assert np.array_equal(a.pixels, b.pixels) and a.fine is None and a.picture is a.pixels
        assert b.fine.shape == (2 * TALL, 2 * WIDE, 3) and b.picture is b.fine
        assert np.abs(shrunk(b.fine).astype(float) - b.pixels).mean() < 12, "the same picture"
    again = Generator(*weights, half=False, seed=3)
    again.refine()
    again.reset(3)
    for speed in (1.0, 0.3, 0.0, 1.7) * 4:
        last = again.step(Controls(speed=speed, near=0.5))
    assert np.array_equal(last.fine, b.fine), "the same seed"


def test_there_is_none_where_none_is_learnt_or_wanted(weights):
    card, tensors = weights
    assert not Generator(*weights).refine(False)
    last = "finer.picture.layers.3.weight"
    mine = Generator(card, tensors | {last: torch.zeros_like(tensors[last])})
    assert not mine.refine() and mine.step(Controls()).fine is None


# ------------------------------------------------------------------------------------------------------------ things
def disc(cover: bool = True) -> Sprite:
    y, x = np.mgrid[:TALL, :14]
    away = np.hypot(y - 20, x - 6.5)
    soft = np.clip(6 - away + 0.5, 0, 1).astype(np.float32)
    return Sprite(np.full((3, TALL, 14), 0.3, np.float32), soft > 0.5, 3.0, soft if cover else None)


@pytest.mark.parametrize("cover", [True, False])
@pytest.mark.parametrize("gone", [14.0, 14.25, 14.5, 15.75, 3.0, 66.5])
def test_a_fine_thing_stands_where_the_coarse_one_does(gone, cover):
    ground, light = np.full(3, 0.9, np.float32), np.full(3, 0.6, np.float32)
    sprite = disc(cover)
    guest = begun(replace(sprite, fine=refined(Added(), sprite, ground, light)), ground, light, 1, gone)
    land = np.full((3, TALL, WIDE), 0.9 * 0.6, np.float32)
    coarse, fine = land.copy(), np.full((3, 2 * TALL, 2 * WIDE), 0.9 * 0.6, np.float32)
    guest.draw(coarse, np.full((TALL, WIDE), np.nan, np.float32))
    guest.draw_fine(fine)
    small = shrunk(np.ascontiguousarray(fine.transpose(1, 2, 0))).transpose(2, 0, 1)
    assert np.abs(small - coarse).mean() < 0.004 and np.abs(coarse - land).max() > 0.2
    if 14 <= gone < WIDE:  # all of it is in the picture
        centre = np.average(np.arange(WIDE), weights=np.abs(small - land).sum((0, 1)))
        assert centre == pytest.approx(WIDE - gone + 6.5, abs=0.06)


def test_its_outline_has_no_steps():
    """Twice as large, a disc is a disc: nearer to the true one than the coarse one with each px a square."""
    fine = refined(Added(), disc(), np.full(3, 0.9, np.float32), np.full(3, 0.6, np.float32))
    h, w = fine.layers.shape[1:]
    y, x = np.mgrid[:h, :w]
    away = np.hypot((y + fine.top + 0.5) / 2 - 0.5 - 20, (x - fine.left + 0.5) / 2 - 0.5 - 6.5)
    true = np.clip(2 * (6 - away) + 0.5, 0, 1)
    square = cv2.resize(disc().cover, None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    rows, columns = slice(fine.top, fine.top + h), slice(0, w - 2 * fine.left)
    off = np.abs(fine.layers[3] - true)[:, fine.left : -fine.left].mean()
    assert off < 0.6 * np.abs(square[rows, columns] - true[:, fine.left : -fine.left]).mean()


def test_its_outline_is_as_sharp_as_before_though_twice_as_large():
    """About a fine px wide all around, 12 of them from the middle."""
    cover = refined(Added(), disc(), np.full(3, 0.9, np.float32), np.full(3, 0.6, np.float32)).layers[3]
    assert 0.5 < ((cover > 0.1) & (cover < 0.9)).sum() / (2 * np.pi * 12) < 1.2


def test_nothing_has_no_detail():
    none = replace(disc(), belongs=np.zeros((TALL, 14), bool))
    assert refined(Added(), none, np.ones(3, np.float32), np.ones(3, np.float32)) is None


def test_what_is_drawn_in_fine_px_is_cut_out_as_the_coarse_thing_is():
    sprites = Net(SMALL).sprites
    sprites.paces.copy_(torch.tensor([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]]))
    for top, zoom in ((0, 1), (4, 2)):
        sprites.window[2] = torch.tensor([top, zoom])
        thing = torch.zeros(5, sprites.tall, sprites.wide) - 1
        rows, columns = slice(8, 8 + 8 * zoom), slice(4, 4 + 4 * zoom)
        thing[:, rows, columns] = 1.0
        large = thing[:4].repeat_interleave(2, 1).repeat_interleave(2, 2)
        made = sprites.unpacked(thing[None], 2, TALL, large[None])
        assert made.fine.top == 2 * int(np.flatnonzero(made.belongs.any(1))[0])
        assert made.fine.layers.shape[2] - 2 * made.fine.left == 2 * made.belongs.shape[1]
        seen = made.fine.layers[3][:, made.fine.left : -made.fine.left]
        assert np.array_equal(seen > 0.5, np.ones((2 * made.belongs.any(1).sum(), 2 * made.width), bool))
        assert made.fine.layers[:3, 1, made.fine.left] == pytest.approx(made.colours[:, made.belongs.any(1)][:, 0, 0], abs=0.01)


def test_it_draws_only_the_things_of_the_decoder_that_it_learnt_with():
    net = Net(SMALL)
    assert not net.finer.draws(net.sprites)
    net.finer.goes_with(net.sprites)
    assert net.finer.draws(net.sprites)
    with torch.no_grad():
        net.sprites.decoder.head.bias[3] += 0.01
    assert not net.finer.draws(net.sprites), "it has learnt on"


@pytest.mark.parametrize(("goes_with", "half"), [(False, False), (True, False), (True, True)])
def test_things_are_drawn_in_fine_px_or_refined(weights, monkeypatch, goes_with, half):
    """Whatever lets one in, it has its detail: the drawing network's where that knows these things and there is time."""
    net = Net(SMALL)
    net.load_state_dict(weights[1])
    net.sprites.paces.copy_(torch.tensor([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]]))
    net.sprites.examples[..., 0], net.sprites.examples[..., 1] = 0.9, 5.0
    with torch.no_grad():
        net.sprites.decoder.head.bias[7] = 0.7777  # no number of bfloat16
    if goes_with:
        net.finer.goes_with(net.sprites)
    monkeypatch.setattr(passing, "_stands_out", lambda *_: True)
    mine, drawn = Generator(weights[0], {name: part.detach() for name, part in net.state_dict().items()}, half=half), []
    assert mine.refine()
    mine.net.finer.thing.register_forward_hook(lambda *_: drawn.append(1))
    mine.step(Controls(speed=1.0, near=0.9))
    assert not drawn, "it is hurried"
    for _ in range(3 * STEPS):
        mine.step(Controls(speed=1.0))
    assert bool(drawn) == goes_with
    ready = [sprite for each in mine.passing._ready for _, sprite in each]
    assert len(ready) > 1 and all(sprite.fine.halves is not None for sprite in ready[:-1] if sprite.width)


# ----------------------------------------------------------------------------------------------------------- learning
def large_frames(tmp_path, shown: np.ndarray) -> FineFrames:
    """Frames (N, H, W, 3) twice as large, with a line in each px that the small ones do not tell of."""
    with Keeper(tmp_path) as keeper:
        for frame in shown:
            large = frame.repeat(2, 0).repeat(2, 1).astype(int)
            large[::2] += 20
            large[1::2] -= 20
            keeper.add(large.clip(0, 255).astype(np.uint8))
    return FineFrames(tmp_path, len(shown), shown.shape[1:3])


def test_frames_twice_as_large_come_back_as_they_were_put_in(tmp_path):
    frames = footage(6).frames
    large = large_frames(tmp_path, frames)
    assert len(large) == 6 and np.abs(shrunk(large[4]).astype(int) - frames[4]).mean() < 6
    with Keeper(tmp_path) as keeper:
        for frame in frames:
            keeper.add(frame.repeat(2, 0).repeat(2, 1))
        keeper.move(3, 1, True)
        keeper.move(4, 2, False)
        keeper.end(3)
    large = FineFrames(tmp_path, 3, frames.shape[1:3])
    for place, frame in enumerate((frames[0], frames[3][:, ::-1], frames[4])):
        assert np.abs(shrunk(large[place]).astype(int) - frame).mean() < 6
    with pytest.raises(FootageError, match="vj footage --fine"):
        FineFrames(tmp_path, 4, frames.shape[1:3])
    (tmp_path / "fine.bin").write_bytes(b"0" * (tmp_path / "fine.bin").stat().st_size)
    with pytest.raises(FootageError, match="damaged"):
        FineFrames(tmp_path, 3, frames.shape[1:3])[0]


def test_it_learns_what_the_small_picture_does_not_tell(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PATCH", 12)
    film = footage(40)
    film = replace(film, fine=large_frames(tmp_path, film.frames))
    learner = Learner(film, start(film, config=SMALL), TrainConfig(only="finer", rate=3e-3))
    before = {name: value.clone() for name, value in learner.trainer.net.state_dict().items()}
    mine = learner.trainer._only

    def off() -> float:
        with torch.no_grad():
            return float(torch.stack([mine.grade(0.0)["picture"] for _ in range(8)]).mean())

    early = off()
    learner.run(60)
    assert off() < 0.5 * early
    learner.trainer.share = 0.5
    learner.run(2)
    assert {"picture", "small", "texture"} <= learner.trainer.losses.keys()
    now = learner.trainer.net.state_dict()
    assert {name.split(".")[0] for name, value in now.items() if not torch.equal(value, before[name])} == {"finer"}
    card, tensors = learner.publishable()
    assert Generator(card, tensors).refine()


def many_things(sprites) -> Things:
    """Of the near band, on a canvas twice as large."""
    many = lessons.FEW
    belongs = torch.zeros(many, 2 * sprites.tall, 2 * sprites.wide, dtype=torch.bool)
    belongs[:, 24:40, 2:14] = True
    colours, ones = 0.5 * belongs[:, None].half().repeat(1, 3, 1, 1), torch.ones(many)
    return Things(colours, belongs, torch.full((many,), 2), 6 * ones, ones, torch.ones(many, 9), torch.ones(3))


def test_things_that_it_has_learnt_it_draws_from_then_on(tmp_path, monkeypatch):
    monkeypatch.setattr(lessons, "PATCH", 12)
    film = footage(40)
    film, net = replace(film, fine=large_frames(tmp_path, film.frames)), start(film, config=SMALL)
    monkeypatch.setattr(lessons, "find", lambda *_: many_things(net.sprites))
    for knows in (False, True):
        net.sprites.paces[2] = torch.tensor([3.0, 0.1]) * knows
        learner = Learner(film, net, TrainConfig(only="finer", rate=3e-3))
        learner.run(2)
        assert ("things" in learner.trainer.losses) == knows == net.finer.draws(net.sprites)
        if knows:
            early = learner.trainer.losses["things"]
            learner.run(80)
            assert learner.trainer.losses["things"] < 0.7 * early
    shown = Net(SMALL)
    shown.load_state_dict(learner.publishable()[1])
    assert shown.finer.draws(shown.sprites)


def test_small_pictures_are_spoilt_as_the_networks_own_are(tmp_path):
    """Some are softer, some have steps in their edges, and most are as they are."""
    film = footage(40)
    film = replace(film, fine=large_frames(tmp_path, film.frames))
    mine = Learner(film, start(film, config=SMALL), TrainConfig(only="finer")).trainer._only
    large = torch.rand(400, 3, 16, 16)
    small = torch.nn.functional.avg_pool2d(large, 2)
    rough = mine._spoilt(large).var((1, 2, 3)) / small.var((1, 2, 3))
    assert 60 < int((rough < 0.98).sum()) < 140 and 60 < int((rough > 1.02).sum()) < 140
    assert int(((rough - 1).abs() < 1e-6).sum()) > 150


def test_without_large_frames_it_says_how_to_get_them(tmp_path):
    with pytest.raises(FootageError, match="twice as large: prepare the footage with `vj footage"):
        Learner(footage(), start(footage(), config=SMALL), TrainConfig(only="finer"))


def test_the_footage_that_it_learns_from_changes_nothing_else(tmp_path, weights):
    """Not the first pictures nor the light either: the world stays as it is."""
    film = footage(40)
    card = replace(film.card, usual=dict.fromkeys(film.card.usual, 0.1))
    film = replace(film, fine=large_frames(tmp_path, film.frames), card=card)
    card, tensors = weights
    out = tmp_path / "w.safetensors"
    learn(film, out, steps=2, clock=lambda: 0.0, weights=(replace(card, step=5000), tensors), only="finer")
    now = read(out)[1]
    kept = {name: part for name, part in tensors.items() if not name.startswith("finer.")}
    assert all(torch.allclose(now[name].float(), part.float(), atol=2e-2, rtol=2e-2) for name, part in kept.items())
    assert torch.equal(now["first_frames"], tensors["first_frames"]) and torch.equal(now["usual"], tensors["usual"])


def test_things_are_drawn_from_what_the_encoder_says_of_them_made_small():
    """A band's things, cut out twice as large: each in its window, beside what is told of it."""
    net = Net(SMALL)
    sprites, many = net.sprites, 3
    belongs = torch.zeros(many, 2 * sprites.tall, 2 * sprites.wide, dtype=torch.bool)
    belongs[:, 24:40, 2:14] = True
    belongs[2, 24:40, 2:14] = False
    belongs[2, 24:26, 2:4] = True  # too small
    colours = 0.5 * belongs[:, None].float().repeat(1, 3, 1, 1)
    paces = torch.tensor([6.0, 6.0, 6.0])
    sprites.paces.copy_(torch.tensor([[1.0, 0.1], [2.0, 0.1], [3.0, 0.1]]))
    cut = Things(colours.half(), belongs, torch.full((many,), 2), paces, paces * 0 + 1, torch.ones(many, 9), torch.ones(3))
    for top, zoom in ((0, 1), (8, 2)):
        sprites.window[2] = torch.tensor([top, zoom])
        band = lessons._Band(sprites, cut, 2)
        assert len(band.latents) == len(band.things) == 2
        assert band.things.shape[2:] == (TIMES * sprites.tall // zoom, TIMES * sprites.wide // zoom)
        rows = np.flatnonzero((band.things[0, 3] > 0).any(1).numpy())
        assert (rows[0], rows[-1]) == (24 - 2 * top, 39 - 2 * top)
        small = lessons._small(cut)
        assert small.paces[0] == 3 and int(small.belongs[0].sum()) == 8 * 6
