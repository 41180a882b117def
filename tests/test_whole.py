"""Things and land are learnt beside all else, and shown from when they are worth it, not before."""

import contextlib
from dataclasses import replace

import pytest
import torch
from small import MOTIONS, SMALL, footage

from vj.errors import FootageError
from vj.model.generator import Generator
from vj.model.land import KNOWN, NEW
from vj.model.latents import CELL
from vj.model.net import Net
from vj.signals import Controls
from vj.train import lands, slits, things, trainer, whole
from vj.train.lands import Lands
from vj.train.learn import Learner, start, switched
from vj.train.roughness import Roughness
from vj.train.scenes import Scene
from vj.train.things import Things
from vj.train.trainer import TrainConfig
from vj.train.whole import Whole
from vj.view import WINDOW

TALL, WIDE = SMALL.height, SMALL.width
GO = Controls(speed=1.0)
BITS = 7  # of the work of cutting things out, and land


def cut(bands: list[int]) -> Things:
    """Red blocks, 30 of each of these bands."""
    sprites, many = Net(SMALL).sprites, 30 * len(bands)
    belongs = torch.zeros(many, sprites.tall, sprites.wide, dtype=torch.bool)
    belongs[:, 8:20, :8] = True
    colours = torch.tensor([2.0, 0.4, 0.4]).view(1, 3, 1, 1) * belongs[:, None]
    ones = torch.ones(many)
    return Things(colours.half(), belongs, torch.tensor(bands * 30), 2 * ones, 0.8 * ones, torch.ones(many, 9), 6 * torch.ones(3))


def land() -> Lands:
    return Lands([torch.rand(4, TALL, (KNOWN + NEW) * CELL * 5).half()], torch.full((TALL,), 2.0), torch.zeros(TALL, 2))


@pytest.fixture(name="film", autouse=True)
def _film(monkeypatch):
    """What is cut out of any footage, bit by bit; how often it was begun, and of what pieces."""
    asked = []

    def give(found):
        def work(*told):
            asked.append(told[-1])
            for _ in range(BITS):
                yield
            return found()
        return work

    torch.set_num_threads(1)
    monkeypatch.setattr(things, "cutting", give(lambda: cut([0, 1, 2])))
    monkeypatch.setattr(lands, "taking", give(land))
    monkeypatch.setattr(whole, "BITS", 8)
    monkeypatch.setattr(whole, "EACH", {"sprites": 1, "land": 1})
    monkeypatch.setattr(whole, "HURRIED", 1)
    monkeypatch.setattr(whole, "LOOKS", {"sprites": 2, "land": 3, "all": 3})
    monkeypatch.setattr(whole, "MAKES", {"sprites": 2, "land": 5, "all": 5})
    return asked


def lessons(shown: Net | None = None, pieces=((0, 120),)) -> Whole:
    """For a network that knows nothing; of what is shown, that of `shown`."""
    scenes = [Scene(WINDOW, tuple(pieces), (0.5, 0.1, 0.0, 0.1))]
    data = type("Data", (), {"frames": None, "controls": None, "training": list(pieces), "scenes": scenes})
    net = Net(SMALL)
    net.bank.copy_(torch.tensor(MOTIONS))
    mine = Whole(net, Net(SMALL).eval(), data, Roughness())
    if shown is not None:
        mine.keep(shown)
    return mine


def turned(mine: Whole, times: int) -> list[set[str]]:
    """What it has learnt in each of so many turns."""
    return [set(mine.turn(contextlib.nullcontext)) for _ in range(times)]


def knowing() -> Net:
    net = Net(SMALL)
    net.land.paces.fill_(5.0)
    net.sprites.paces.fill_(3.0)
    return net


def parts(net: Net) -> list[torch.Tensor]:
    return [*net.sprites.state_dict().values(), *net.land.state_dict().values()]


def same(a: Net, b: Net) -> bool:
    return all(torch.equal(mine, theirs) for mine, theirs in zip(parts(a), parts(b), strict=True))


def test_it_is_cut_out_bit_by_bit_then_learnt_and_shown_when_both_are_worth_it():
    mine = lessons()
    learnt = turned(mine, 2 * BITS)
    assert not any(learnt[:2]) and any(learnt[-3:]), "a bit in each turn, then lessons"
    mine = lessons()
    while mine._work is not None:
        turned(mine, 1)
    nothing = [part.clone() for part in parts(mine.average)]
    looks, things_too, land_too = {"sprites", "land"}, {"sprites", "velocity"}, {"land", "velocity"}
    assert turned(mine, 4) == [looks, looks, land_too, things_too], "what they are, first"
    assert turned(mine, 3) == [land_too, things_too, land_too], "and how they are drawn further on, by turns"
    assert all(torch.equal(a, b) for a, b in zip(nothing, parts(mine.average), strict=True)) and not mine.shown
    turned(mine, 1)
    assert mine.shown and same(mine.net, mine.average)
    assert mine.average.land.known and mine.average.sprites.known
    turned(mine, 3)
    assert not same(mine.net, mine.average), "the average follows"
    far, near = (torch.cat([(p - q).flatten().abs() for p, q in zip(parts(mine.average), parts(other), strict=True)]).sum()
                 for other in (Net(SMALL), mine.net))  # fmt: skip
    assert near < 0.2 * far


def test_it_hurries_until_it_is_shown(monkeypatch):
    monkeypatch.setattr(whole, "HURRIED", 3)
    mine, given = lessons(), []
    while not mine.shown:
        turned(mine, 1)
        given.append({name: part._given for name, part in mine._parts.items()})
    turned(mine, 1)
    assert given[-2:] == [{"sprites": 6, "land": 6}, {"sprites": 9, "land": 9}]
    assert {part._given for part in mine._parts.values()} == {10}


def test_it_says_what_it_is_about():
    mine, said = lessons(), []
    while not mine.shown:
        said.append(mine.says)
        turned(mine, 1)
    assert said[:2] == ["", "looks at what passes in the footage"] and mine.says == ""
    assert said[-3:] == [f"learns things and land, shown from 100 %: {share}%" for share in (62, 75, 88)]


def test_what_was_shown_stays_until_then():
    old = knowing()
    mine = lessons(shown=old)
    while not mine.shown:
        assert same(mine.average, old)
        turned(mine, 1)
    assert not same(mine.average, old) and (mine.average.land.paces == 2).all()


def test_who_has_learnt_other_things_needs_fewer_lessons():
    mine = lessons()
    while mine._work is not None:
        turned(mine, 1)
    many = [part._looks + part._makes for part in mine._parts.values()]
    mine = lessons()
    for part in (mine.net.sprites, mine.net.land):
        part.velocity.head.weight.data.fill_(0.1)
    while mine._work is not None:
        turned(mine, 1)
    few = [part._looks + part._makes for part in mine._parts.values()]
    assert many == [4, 8] and few == [2, 5]


def test_what_goes_up_and_down_keeps_none():
    mine = lessons()
    mine.net.bank[1, 1] = 1.0
    mine.keep(knowing())
    assert not mine.average.land.known and not mine.average.sprites.known


def test_what_is_known_goes_on_to_be_shown():
    """In footage that it has learnt before; and it need not learn anew what things are."""
    mine = lessons(shown=knowing())
    for name in ("sprites", "land"):
        getattr(mine.net, name).load_state_dict(getattr(mine.average, name).state_dict())
    while not any(learnt := turned(mine, 1)):
        pass
    assert mine.shown and learnt == [{"velocity"}] and turned(mine, 1) == [{"sprites", "velocity"}]


def test_what_was_begun_is_begun_again():
    """A run that was stopped before any of it was shown: what it says of land is worth nothing yet."""
    mine = lessons()
    mine.net.land.paces.fill_(5.0)
    mine.net.sprites.paces.fill_(3.0)
    while not any(learnt := turned(mine, 1)):
        pass
    assert learnt == [{"sprites", "land"}] and not mine.shown


def none(*_told):
    yield
    raise FootageError("none")


def everything() -> Lands:
    """All that enters, things too."""
    picture = torch.rand(4, TALL, (KNOWN + NEW) * CELL * 5).half()
    told = torch.rand(3, picture.shape[2])
    return Lands([picture], torch.full((TALL,), 2.0), torch.zeros(TALL, 2), [told], 0.5, torch.full((3,), 6.0))


@pytest.mark.parametrize("lacks", ["a band", "land", "things"])
def test_footage_that_has_not_both_has_all_in_its_land(monkeypatch, lacks):
    """What was shown stays until it is worth it; then other footage's things pass no more."""
    if lacks == "a band":
        monkeypatch.setattr(things, "cutting", lambda *_told: iter_of(cut([0, 2])))
    else:
        monkeypatch.setattr(*{"land": (lands, "taking", none), "things": (things, "cutting", none)}[lacks])
    monkeypatch.setattr(slits, "taking", lambda *_told: iter_of(everything()))
    monkeypatch.setattr(whole, "ALONE", 1)
    old = knowing()
    mine, learnt = lessons(shown=old), set()
    while not mine.shown:
        assert same(mine.average, old)
        learnt |= turned(mine, 1)[0]
        assert not learnt or mine.shown or mine.says.startswith("learns all that enters, shown from 100 %: ")
    assert learnt == {"land", "velocity"}
    for net in (mine.net, mine.average):
        land = net.land
        assert land.holds_all and float(land.unit) == 0.5 and (land.paces == 2).all() and not net.sprites.known
        assert (land.bank == torch.tensor([4.0, 0.0])).all() and not land.slow.any()


def test_who_goes_on_with_all_in_the_land_shows_it_at_once(monkeypatch):
    monkeypatch.setattr(things, "cutting", none)
    monkeypatch.setattr(slits, "taking", lambda *_told: iter_of(everything()))
    monkeypatch.setattr(whole, "ALONE", 1)
    mine = lessons(shown=knowing())
    for net in (mine.net, mine.average):
        net.land.paces.fill_(2.0)
        net.land.lasts.fill_(6.0)
        net.sprites.forget()
    while not (learnt := turned(mine, 1)[0]):
        pass
    assert mine.shown and learnt == {"velocity"} and {"land", "velocity"} in turned(mine, 2), "and goes on learning to draw"


@pytest.mark.parametrize("all_in_land", [True, False])
def test_where_all_is_shown_as_one_land_little_else_is_learnt(monkeypatch, all_in_land):
    """But by who has yet to learn how to move and to light what it sees."""
    monkeypatch.setattr(things, "cutting", none if all_in_land else lambda *_told: iter_of(cut([0, 1, 2])))
    monkeypatch.setattr(lands, "taking", lambda *_told: iter_of(land()))
    monkeypatch.setattr(slits, "taking", lambda *_told: iter_of(everything()))
    mine = lessons()
    while not mine.shown:
        turned(mine, 1)
    waits = []
    for _ in range(2 * whole.SELDOM):
        turned(mine, 1)
        assert not mine.comes_first(fledged=False)
        waits.append(mine.comes_first(fledged=True))
    assert sum(waits) == (2 * (whole.SELDOM - 1) if all_in_land else 0)
    part = mine._parts["land"]
    usual = whole.RATE * min(1, part._given / whole.WARMUP) / (1 + (part._given - 1) / whole.CALMER) ** 0.5
    assert part._optimiser.param_groups[0]["lr"] == pytest.approx(usual * (3 if all_in_land else 1), rel=1e-3), "and boldly"


@pytest.mark.parametrize("lacks", ["a band", "land", "things"])
def test_footage_that_has_nothing_long_enough_shows_nothing(monkeypatch, lacks):
    """The dice draw then, and learn: not what other footage has."""
    monkeypatch.setattr(slits, "taking", none)
    if lacks == "a band":
        monkeypatch.setattr(things, "cutting", lambda *_told: iter_of(cut([0, 2])))
    else:
        monkeypatch.setattr(*{"land": (lands, "taking", none), "things": (things, "cutting", none)}[lacks])
    mine = lessons(shown=knowing())
    assert not any(turned(mine, 30)) and not mine.shown
    for net in (mine.net, mine.average):
        assert not net.land.known and not net.sprites.known


def iter_of(found):
    yield
    return found


def test_of_much_footage_some_is_looked_at(film):
    mine = lessons(pieces=[(at, at + 5000) for at in range(0, 100_000, 5000)])
    turned(mine, 2)
    chosen = film[0]
    assert len(chosen) == 5 and len(set(chosen)) == 5 and sorted(chosen) == chosen


def learner(net: Net | None = None, **config) -> Learner:
    return Learner(footage(), net or start(footage(), config=SMALL), TrainConfig(**config))


def test_a_trainer_of_everything_begins_soon(monkeypatch, film):
    monkeypatch.setattr(trainer, "WHOLLY", 3)
    for begun in (0, 100):
        mine = learner()
        mine.trainer.steps = mine.trainer.begun = begun
        film.clear()
        mine.run(2)
        assert not film
        mine.run(1)
        assert film
    assert learner(only="picture").trainer.whole is None


@pytest.mark.parametrize(("frames", "steps", "all_in_land", "ordinary"), [
    (120, 5000, True, [False] * 5 + [True] + [False] * 5 + [True]),  # a clip: cut first, then learnt as one land
    (120, 5000, False, [False] * 4 + [True] * 8),  # it has things: all is learnt side by side
    (120, 100, True, [True] * 12),  # the young learn light first
    (9000, 5000, True, [True] + [False] * 4 + [True] + [False] * 5 + [True]),  # of a film it is not soon known
])  # fmt: skip
def test_of_a_clip_what_enters_is_learnt_before_all_else(monkeypatch, frames, steps, all_in_land, ordinary):
    """Whether an ordinary step was taken, of twelve."""
    monkeypatch.setattr(trainer, "WHOLLY", 99)
    monkeypatch.setattr(whole, "BITS", 4)
    monkeypatch.setattr(whole, "LOOKS", {"sprites": 99, "land": 99, "all": 99})
    if all_in_land:
        monkeypatch.setattr(things, "cutting", none)
        monkeypatch.setattr(slits, "taking", lambda *_told: iter_of(everything()))
    mine, taken = learner(), []
    mine.trainer.steps = mine.trainer.begun = steps
    mine.data.training[:] = [(0, frames)]
    assert mine.trainer.whole.hides == (frames == 120)
    monkeypatch.setattr(mine.trainer, "_step", lambda: taken.append(True))
    for turn in range(12):
        mine.run(1)
        if len(taken) == turn:
            taken.append(False)
    assert taken == ordinary
    assert mine.trainer.whole.hides == (all_in_land if steps > 100 else frames == 120)


def test_other_lessons_leave_them_alone(monkeypatch):
    """What they have learnt is not gone on with by the trainer's own steps, nor averaged with what is not shown."""
    monkeypatch.setattr(trainer, "WHOLLY", 1)
    mine = learner()
    while not mine.trainer.whole._parts:
        mine.run(1)
    mine.run(1)
    before = [part.clone() for part in parts(mine.trainer.net)]
    assert not mine.trainer.average.land.known
    monkeypatch.setattr(mine.trainer.whole, "turn", lambda *_: {})
    mine.run(2)
    assert all(torch.equal(a, b) for a, b in zip(before, parts(mine.trainer.net), strict=True))


def test_a_show_that_goes_over_to_other_footage_keeps_them_meanwhile(monkeypatch):
    mine = learner()
    for name in ("sprites", "land"):
        getattr(mine.trainer.average, name).load_state_dict(getattr(knowing(), name).state_dict())
    new = switched(mine, footage(100), "other")
    assert (new.trainer.average.land.paces == 5).all() and (new.trainer.average.sprites.paces == 3).all()
    assert not new.trainer.net.land.known


def test_a_show_takes_what_it_did_not_know_at_once():
    """Half way from nothing it would make nothing; what it knew changes by and by."""
    card, tensors = learner().publishable()
    generator = Generator(card, tensors)
    assert not generator.whole
    name = "land.decoder.head.bias"
    known = {"land.paces": 2.0, "sprites.paces": 2.0, name: 0.5}
    newer = {each: value + known.get(each, 0) for each, value in tensors.items()}
    generator.adopt(card, newer, fade_frames=10)
    generator.step(GO)
    mine = dict(generator.net.named_parameters())[name].detach()
    assert generator.whole and torch.allclose(mine.float(), newer[name], atol=0.01)
    generator.adopt(card, {**newer, name: newer[name] + 1}, fade_frames=10)
    generator.step(GO)
    assert float((mine.float() - newer[name]).mean()) == pytest.approx(0.1, abs=0.02)


def test_a_show_takes_at_once_what_has_things_in_its_land():
    """And what has not: half way between the two it would make neither."""
    card, tensors = learner().publishable()
    name = "land.decoder.head.bias"
    apart = {each: value + {"land.paces": 2.0, "sprites.paces": 2.0}.get(each, 0) for each, value in tensors.items()}
    bank = torch.stack([torch.linspace(0, 4, SMALL.classes), torch.zeros(SMALL.classes)], 1)
    together = {**tensors, "land.paces": tensors["land.paces"] + 2, "land.lasts": torch.full((3,), 5.0), "land.bank": bank,
                name: tensors[name] + 1}  # fmt: skip
    for mine, others in ((apart, together), (together, apart)):
        generator = Generator(card, mine)
        generator.step(GO)
        assert generator.whole
        generator.adopt(card, others, fade_frames=10)
        generator.step(GO)
        now = dict(generator.net.named_parameters())[name].detach()
        assert generator.whole and torch.allclose(now.float(), others[name], atol=0.01)
        assert generator.world.inert == (others is together)


@pytest.mark.parametrize(("view", "rays"), [({}, False), ({"kind": "ahead", "y": 0.4}, True), ({"kind": "rising"}, False)])
def test_layers_are_those_of_rays_where_the_footage_is_laid_out_along_them(monkeypatch, view, rays):
    told = []
    monkeypatch.setattr(things, "cutting", none)
    monkeypatch.setattr(slits, "taking", lambda *given: told.append(given) or iter_of(everything()))
    film = footage()
    mine = Learner(replace(film, card=replace(film.card, view=view)), start(film, config=SMALL), TrainConfig())
    while mine.trainer.whole._work is not None:
        mine.trainer.whole.turn(contextlib.nullcontext)
    assert [given[3] for given in told] == [rays]
