"""Things are cut out of footage by their own motion, and the network learns how they look from them alone."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from small import MOTIONS, SMALL, footage, learnt_in_whole, noted

from vj.errors import FootageError
from vj.model.sprites import EXAMPLES, Sprites
from vj.train import patches, sprites
from vj.train import things as things_cut
from vj.train.footage import Footage
from vj.train.learn import Learner, start
from vj.train.roughness import Roughness
from vj.train.sprites import FEW, LOOKS, Lessons
from vj.train.things import Things, find
from vj.train.trainer import TrainConfig

HUES = ((220, 40, 40), (40, 40, 220))
TALL, WIDE, TOP = 32, 64, 24
BANK = torch.tensor(MOTIONS)


def posts(count: int = 400, every: int = 20, pace: float = 3, stones: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Red and blue posts 6 px wide, by turns by no rule, that pass at `pace` px a frame before a grey meadow that goes at 1,
    under a sky with clouds; and their controls. stones: on the meadow, as dark as posts and in their rows."""
    random = np.random.default_rng(3)
    red = random.random(count // every + 9) < 0.5
    land = np.repeat(random.integers(122, 135, (TALL, (count + WIDE) // 4 + 2)), 4, 1).astype(np.uint8)
    land[2:6] += np.repeat(60 * (random.random((count + WIDE) // 16 + 2) < 0.3), 16)[: land.shape[1]].astype(np.uint8)
    if stones:
        dark = np.repeat(random.random((count + WIDE) // 5 + 9) < 0.3, 5)[: land.shape[1]]
        land[TOP + 1 : TOP + 5, dark] -= 80
    frames = np.stack([land[:, at : at + WIDE] for at in range(count)])[..., None].repeat(3, 3)
    near = np.zeros(count)
    for post in range(every, count, every):
        for at in range(post, min(post + 30, count)):
            x = WIDE - round(pace * (at - post + 1))
            frames[at, TOP:, max(x, 0) : max(x + 6, 0)] = HUES[int(not red[post // every])]
        near[post : post + 4] = 0.9
    controls = np.zeros((count, 6), np.float32)
    controls[:, 0], controls[:, 3] = 1.0, near
    return frames, controls


def posting() -> Footage:
    """The posts as prepared footage."""
    frames, told = posts(900)
    return Footage(replace(footage().card, clips=[{"name": "posts", "start": 0, "stop": 900}], count=900), frames, told)


def test_a_thing_is_what_moves_as_one():
    """Neither the meadow beside it nor the clouds, though they stand out as well."""
    frames, told = posts()
    net = Sprites(TALL, WIDE)
    things = find(net, BANK, frames, told, [(0, 200), (200, 400)])
    assert len(things.bands) >= 15 and (things.bands == 2).all() and (things.paces == 3).all()
    assert (things.wide == 6).all() and things.strengths == pytest.approx(torch.full((len(things.bands),), 0.9))
    assert not things.belongs[:, : TOP - 1].any() and things.belongs[:, TOP + 1 :, 1:5].all()
    hue = things.colours[:, :, TOP + 1 :, 1:5].float().mean((2, 3))
    red, blue = (hue[:, 0] > 3 * hue[:, 2]), (hue[:, 2] > 3 * hue[:, 0])
    assert (red | blue).all() and red.any() and blue.any()


def test_what_stood_before_it_once_is_not_in_its_picture():
    """All of the passage is looked at, not one frame alone."""
    frames, told = posts()
    for post in range(20, 400, 20):
        if post + 7 < 400:
            frames[post + 7, TOP + 2 : TOP + 5, WIDE - 24 : WIDE - 18] = (20, 220, 20)  # when all of it has just entered
    things = find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 200), (200, 400)])
    green = things.colours[:, 1, TOP + 2 : TOP + 5, 1:5] > things.colours[:, [0, 2], TOP + 2 : TOP + 5, 1:5].amax(1)
    assert len(things.bands) >= 15 and things.belongs[:, TOP + 2 : TOP + 5, 1:5].all() and not green.any()


def test_its_pace_is_found_finer_than_classes_are():
    frames, told = posts(pace=2.75)
    things = find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 200), (200, 400)])
    assert len(things.bands) >= 15 and things.paces.mean() == pytest.approx(2.75, abs=0.06)


def test_a_spire_is_cut_out_whole():
    """How fast it goes is not known to the px, so at its edges it is sampled elsewhere in each frame; what is mostly its own
    is."""
    frames, told = posts(pace=2.87)
    off = np.random.default_rng(4).uniform(-0.7, 0.7, 400)
    tip, foot, column = TOP - 18, TALL - 2, np.arange(WIDE)
    wide = np.linspace(0.5, 6, foot - tip)[:, None]
    for post in range(20, 400, 20):
        for at in range(post, min(post + 30, 400)):
            left = WIDE - 2.87 * (at - post + 1) + (6 - wide) / 2 + off[at]
            covered = (np.minimum(column + 1, left + wide) - np.maximum(column, left)).clip(0)[..., None]
            frames[at, TOP:] = 128
            frames[at, tip:foot] = covered * (60, 20, 20) + (1 - covered) * frames[at, tip:foot]
    things = find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 200), (200, 400)])
    own = things.belongs[:, tip:foot].sum((1, 2)) / wide.sum()
    assert len(things.bands) >= 15 and 0.97 < own.mean() < 1.15, "of what it covers"


def test_what_entered_before_it_was_noticed_is_its_own():
    frames, told = posts()
    told[:, 3] = np.roll(told[:, 3], 2)
    things = find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 200), (200, 400)])
    assert len(things.bands) >= 15 and (things.wide == 6).all()


def test_each_band_is_looked_at_as_near_as_its_things_are_small(monkeypatch):
    """And what is too large for that is not learnt from."""
    belongs = torch.zeros(3 * 40, TALL, 24, dtype=torch.bool)
    belongs[:40, 3:9, :6], belongs[40:80, 12:26, :10], belongs[80:, :, :20] = True, True, True
    belongs[0, 3:20], belongs[40, 12:26, :14] = True, True  # one of each forty
    none = torch.zeros(120)
    things = Things(none, belongs, torch.arange(3).repeat_interleave(40), none, none, none, none)
    window = sprites.windows(things, TALL, 24)
    assert window.tolist() == [[2, 4], [11, 2], [0, 1]], "in the middle of what fits"
    assert sprites.fits(things, window, TALL, 24).nonzero()[:, 0].tolist() == [*range(1, 40), *range(41, 120)]


def test_a_bit_of_a_thing_is_none(monkeypatch):
    """One that stands as others do, and is not much smaller, is."""
    belongs = torch.zeros(12, TALL, 16, dtype=torch.bool)
    belongs[:10, 20:30, :6] = True
    belongs[10, 28:30, :3], belongs[11, 4:14, :6] = True, True  # a crumb; one that hangs in the air
    none = torch.zeros(12)
    parts = Things(none, belongs, torch.zeros(12, dtype=torch.int64), none, none, none, none)
    assert things_cut._whole(parts).tolist() == [True] * 10 + [False] * 2
    monkeypatch.setattr(things_cut, "_whole", lambda things: torch.arange(len(things.bands)) == 2)
    frames, told = posts(200)
    assert len(find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 200)]).bands) == 1


def test_what_stands_on_the_same_ground_is_of_it():
    """Not what hangs above, nor a crumb."""
    fits = np.zeros((TALL, 30), bool)
    fits[12:28, 2:8], fits[16:28, 12:16], fits[2:8, 18:26], fits[26:28, 28] = True, True, True, True
    belongs = things_cut._standing(fits, fits, np.ones(TALL, bool))
    assert belongs[12:28, 2:8].all() and belongs[16:28, 12:16].all() and not belongs[:, 18:].any()


def test_what_stands_out_beside_it_but_goes_otherwise_is_not_its_own():
    frames, told = posts(1200, stones=True)
    things = find(Sprites(TALL, WIDE), BANK, frames, told, [(0, 600), (600, 1200)])
    others = things.belongs[:, :, 6:].sum((1, 2)).float().mean()
    assert len(things.bands) >= 50 and others < 5.5, "px; 8 where motion says nothing"


def test_of_no_thing_is_anything_seen_beyond_its_piece():
    frames, told = posts()
    seen, looked = noted(frames)
    find(Sprites(TALL, WIDE), BANK, seen, told, [(100, 131)])
    assert looked and 100 <= min(looked) and max(looked) < 131


def test_where_all_moves_up_and_down_too_there_are_none():
    frames, told = posts()
    bank = BANK.clone()
    bank[1, 1] = 1.0
    things = find(Sprites(TALL, WIDE), bank, frames, told, [(0, 400)])
    assert not len(things.bands) and things.colours.shape[1:] == (3, TALL, things.belongs.shape[2])


def test_too_few_things_are_a_sentence():
    frames, told = posts(100)
    net = Sprites(TALL, WIDE)
    with pytest.raises(FootageError, match=r"Only \d things"):
        Lessons(net, find(net, BANK, frames, told, [(0, 100)]), Roughness())
    assert FEW > 9


def test_a_band_without_things_is_left_to_the_dice():
    frames, told = posts(900)
    net = Sprites(TALL, WIDE)
    Lessons(net, find(net, BANK, frames, told, [(0, 900)]), Roughness()).count(net)
    assert net.known and net.knows(2) and not net.knows(0) and not net.knows(1)
    assert net.paces[2, 0] == 3 and (net.examples[2, :, 1] == 6).all() and net.examples.shape[1] == EXAMPLES


def test_sprites_alone_learn_and_first_what_things_are():
    torch.set_num_threads(1)
    film = posting()
    learner = Learner(film, start(film, config=SMALL), TrainConfig(only="sprites", rate=3e-3))
    assert learnt_in_whole(learner, "sprites", LOOKS, 0.7, 0.9, ("encoder",))["sprites.paces"][2, 0] == 3


def test_the_critic_learns_and_things_are_drawn_so_that_it_is_wrong(monkeypatch):
    """What is drawn as a mean is found out, and the decoder alone goes down that slope."""
    monkeypatch.setattr(sprites, "GREEN", 12)
    monkeypatch.setattr(sprites, "ZOOMS", ())
    frames, told = posts(900)
    torch.manual_seed(0)
    net, rough = Sprites(TALL, WIDE), Roughness()
    mine = Lessons(net, find(net, BANK, frames, told, [(0, 900)]), rough)
    mine.count(net)
    assert [("texture" in mine.grade(LOOKS)) for _ in range(26)] == [False] * 25 + [True], "in one of two"
    things = mine._packed(torch.arange(12))
    plain = torch.cat([things[:, :3].mean((2, 3), keepdim=True).expand_as(things[:, :3]), things[:, 3:]], 1)
    for _ in range(40):
        found = mine._criticised(plain, things)
    assert found > 1.0, "it knows them apart"
    before = [p.clone() for p in mine.critic.sight.parameters()]
    assert mine.grade(LOOKS).keys() == {"velocity"}
    mine.grade(LOOKS)["texture"].backward()
    reached = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert reached == {"decoder"}
    assert any(not torch.equal(a, b) for a, b in zip(before, mine.critic.sight.parameters(), strict=True)), "by its own lesson"


def test_the_critic_sees_a_patch_around_what_counts(monkeypatch):
    """The same of all pictures, whole where it is larger than they are."""
    frames, told = posts(900)
    net = Sprites(TALL, WIDE)
    mine = Lessons(net, find(net, BANK, frames, told, [(0, 900)]), Roughness())
    counts = torch.zeros(30, 1, TALL // 2, 12)
    counts[:, 0, 3, 10], counts[:15, 0, 14, 1] = 1, 1
    numbers = torch.arange(2 * 30 * TALL * 24.0).view(2, 30, 1, TALL, 24)
    monkeypatch.setattr(patches, "PATCH", 8)
    seen, a, b = mine.critic._patches(counts, *numbers)
    assert seen.shape == (30, 1, 4, 4) and a.shape == (30, 1, 8, 8) and torch.equal(b - a, torch.full_like(a, 30 * TALL * 24.0))
    assert seen.sum((1, 2, 3)).tolist() == [1] * 30 and len({int(each.argmax()) for each in seen[:15]}) == 2
    assert torch.equal(a[15:, 0, 0, 0], numbers[0, 15:, 0, 2, 16]), "the same place of each"
    monkeypatch.setattr(patches, "PATCH", 999)
    assert torch.equal(mine.critic._patches(counts, *numbers)[1], numbers[0])


def test_what_is_known_keeps_its_meaning():
    """Who learns on goes on with what things are to it."""
    frames, told = posts(900)
    net = Sprites(TALL, WIDE)
    things = find(net, BANK, frames, told, [(0, 900)])
    Lessons(net, things, Roughness()).count(net)
    mine = Lessons(net, things, Roughness())
    parts = [mine.grade(0.0).keys() for _ in range(4)]
    assert parts == 2 * [{"velocity"}, {"velocity", "sprites"}] and not any(p.requires_grad for p in net.encoder.parameters())


def test_what_learns_all_leaves_sprites_alone():
    torch.set_num_threads(1)
    learner = Learner(footage(), start(footage(), config=SMALL))
    before = {name: value.clone() for name, value in learner.trainer.net.sprites.state_dict().items()}
    learner.run(3)
    assert all(torch.equal(value, before[name]) for name, value in learner.trainer.net.sprites.state_dict().items())
