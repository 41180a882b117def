"""Where things are in the land, the music calls in stretches of it, at once and without a seam; and all goes on as it entered."""

import numpy as np
import pytest
import torch
from small import MOTIONS, SMALL, weights

from vj.model import inertia
from vj.model import world as worlds
from vj.model.called import READY, REST, Calls
from vj.model.generator import Generator
from vj.model.land import KNOWN, NEW, SEEN, steady
from vj.model.latents import CELL, STEPS
from vj.model.laying import Laying
from vj.model.net import Net
from vj.model.scroll import FADES, LATE, NEAR, Scroll, joined
from vj.signals import Controls

TALL, WIDE = SMALL.height, SMALL.width
QUIET, NEARLY = np.float32([1, 0, 0, 0, 0, 0]), np.float32([1, 0, 0, 0.9, 0, 0])
MARK = 20  # columns of a stretch until what is told enters


def knowing(net: Net, unit: float = 1.0) -> Net:
    """As if it had learnt all that enters: a px a frame above, 3 below."""
    net.bank.copy_(torch.tensor(MOTIONS))
    paces = torch.where(torch.arange(TALL) < TALL // 2, 1.0, 3.0)
    net.land.paces.copy_(paces * unit)
    net.land.unit.fill_(unit)
    net.land.lasts.fill_(4.0)
    net.land.bank.copy_(net.bank)
    return net


@pytest.fixture(name="laying")
def _laying(monkeypatch):
    """Of which what is told is drawn: a bright post, from the MARK-th column on, of the colour of its band; all else is grey."""
    net, told = knowing(Net(SMALL)).land, []
    beside = net.beside

    def noting(known, enters=None):
        told.append(enters)
        return beside(known, enters)

    def velocity(x, time, wanted, beside):
        """Straight on to the number of the band that is told, from 1, or to 0."""
        goal = beside[0, -3:, 0, KNOWN] @ torch.tensor([1.0, 2, 3])
        return (goal - x) / (1 - time.view(-1, 1, 1, 1))

    def decoder(cells):
        drawn, band = torch.full((1, SEEN, net.tall, cells.shape[3] * CELL), 1.0), round(float(cells[0, 0, 0, -1]))
        if band:
            drawn[:, band - 1, :, (cells.shape[3] - NEW) * CELL + MARK :] = 2.0
        return drawn

    monkeypatch.setattr(net, "beside", noting)
    monkeypatch.setattr(net, "packed", lambda seen, slow: seen)
    monkeypatch.setattr(net, "unpacked", lambda drawn: drawn)
    monkeypatch.setattr(net.decoder, "forward", decoder)
    monkeypatch.setattr(net.velocity, "forward", velocity)
    laying = Laying(net)
    laying.told = told
    return laying


def turned(laying: Laying, times: int, controls: np.ndarray = QUIET) -> Scroll:
    for _ in range(times):
        laying.turn(torch.full((1, 3, TALL, WIDE), 0.5), 1.0, controls)
    return laying.scrolls[0]


@pytest.mark.parametrize("wait", [0, 150])
def test_what_is_told_comes_in_at_once(laying, wait):
    """Made ahead, or there and then."""
    mine = turned(laying, 1 + wait)
    asked = len(laying.told)
    turned(laying, 1, NEARLY)
    ahead = mine.ahead[:3, -1, int(mine.at) + 1 :]
    bright = (ahead[2] > 1.5).nonzero()[:, 0]
    assert 1 <= bright[0] <= 3, "as soon as what was to come and this are joined"
    assert not (ahead[:2] > 1.5).any(), "of the near band, and no other"
    assert mine.left == pytest.approx((NEW - LATE) * CELL - MARK + 2, abs=2), "until its end"
    if wait:
        assert len(laying.told) == asked, "it had waited"
    again = turned(laying, 3 * NEW * CELL)
    assert not (again.ahead[:3, -1, int(again.at) :] > 1.5).any(), "then nothing is told"


def test_stretches_wait_for_each_band(laying):
    turned(laying, 400)
    assert [len(each) for each in laying._calls._ready] == [READY] * 3
    (kept,) = {each.made.shape[2] for ready in laying._calls._ready for each in ready}
    assert kept == (NEW - LATE) * CELL - MARK + 2, "from where they are joined"


def test_of_several_at_once_the_nearest_comes(laying):
    mine = turned(laying, 200)
    turned(laying, 1, np.float32([1, 0.9, 0.9, 0.9, 0, 0]))
    ahead = mine.ahead[:3, :, int(mine.at) + 1 :]
    assert (ahead[2] > 1.5).any() and not (ahead[:2] > 1.5).any()


def test_to_a_quick_drum_what_came_longest_ago_comes_again(laying):
    """Nothing is made in haste but the very first; and the same twice in a row only while there is no other."""
    turned(laying, 1)
    velocity, steps, made, each = laying.net.velocity.forward, [], [], []
    laying.net.velocity.forward = lambda *given: steps.append(0) or velocity(*given)
    scroll = laying.scrolls[0]
    join = scroll.join
    scroll.join = lambda *given: made.append(laying._calls._came[2][-1]) or join(*given)
    for _ in range(24):
        for controls in (NEARLY, *[QUIET] * 3):
            before = len(steps)
            turned(laying, 1, controls)
            each.append(len(steps) - before)
    assert each[0] >= STEPS and max(each[1:]) <= 1
    known = [len({id(each) for each in made[: n + 1]}) for n in range(len(made))]
    assert 2 <= known[-1] < len(made), "some come again"
    for n in range(1, len(made)):
        if known[n] == known[n - 1]:  # it came before: no other of those known has been away for longer
            since = made[max(at for at in range(n) if made[at] is made[n]) + 1 : n]
            assert len({id(each) for each in since}) == known[n] - 1


@pytest.mark.parametrize("unit", [1.0, 0.5])
def test_what_comes_in_is_not_cut_to_pieces(laying, unit):
    """By what is as near or farther; what is nearer comes at once. It is columns that count, not frames."""
    joined = []
    laying.net.unit.fill_(unit)
    laying.net.paces.mul_(unit)
    mine = turned(laying, 200)
    mine.join, join = lambda *given: joined.append(0) or join(*given), mine.join
    far, near = np.float32([1, 0.9, 0, 0, 0, 0]), NEARLY
    for told, comes in ((far, 1), (near, 1), (far, 0)):
        before = len(joined)
        turned(laying, 1, told)
        assert len(joined) - before == comes
    turned(laying, round(REST * unit))
    turned(laying, 1, near)
    assert len(joined) == 3
    turned(laying, 1, far)
    assert len(joined) == 3, "what is far would cut what is near, whenever something far came last"
    turned(laying, 1)
    turned(laying, 1, near)
    assert len(joined) == 3


def test_what_is_too_weak_to_be_seen_is_made_again(laying, monkeypatch):
    strengths = iter([1.0, 1.1, 0.9, 0.2, 1.0, 0.3] + [1.0] * 60)
    monkeypatch.setattr(Calls, "_seen", lambda self, made, *_: np.full(made.shape[2], next(strengths), np.float32))
    turned(laying, 900)
    assert [len(each) for each in laying._calls._ready] == [READY] * 3
    assert min(each.strength for ready in laying._calls._ready for each in ready) == pytest.approx(0.9)


def test_what_is_far_changes_nothing_near(laying):
    """It comes in in its own rows; the others go on as they would have."""
    mine = turned(laying, 200)
    mine.lay(mine.ahead + torch.rand(mine.ahead.shape[2]) * 0.01, mine.at)
    would = mine.ahead[..., int(mine.at) + 1 :].clone()
    laying.scrolls[0].at -= 1.0
    turned(laying, 1, np.float32([1, 0.9, 0, 0, 0, 0]))
    now, last = mine.ahead[..., int(mine.at) + 1 :], round(0.42 * TALL)
    assert torch.equal(now[:, last + NEAR :], would[:, last + NEAR :]) and now.shape == would.shape
    assert (now[0, : last - NEAR] > 1.5).any(0)[:4].any()


def test_two_pictures_are_joined_where_they_differ_least():
    old, new = torch.zeros(SEEN, TALL, 40), torch.ones(SEEN, TALL, 40)
    new[:, torch.arange(TALL), 2 + torch.arange(TALL) % 2] = 0.0  # there they are alike
    both = joined(old, new, 8, TALL)[0]
    assert not both[:, :2].any() and both[:, 4:].all()
    new = torch.ones(SEEN, TALL, 40)
    new[:, 18] = 0.0
    both = joined(old, new, 1, 20)[0]
    assert both[:18].all() and not both[18:].any(), "from a row near the last"
    assert joined(old, new, 1, TALL)[0, 19:].all(), "or everywhere"


def test_a_column_may_be_a_part_of_a_frame(laying):
    """What has entered is where it was to be, whatever a column is."""
    laying.net.unit.fill_(0.5)
    laying.net.paces.mul_(0.5)
    mine = turned(laying, 1)
    at = mine.at
    laying.turn(torch.full((1, 3, TALL, WIDE), 0.5), 1.0, QUIET)
    assert mine.at == at + 2
    mine.lay(steady(torch.arange(200.0).expand(3, TALL, -1)), 100.0)
    assert mine.entered(5)[0, 0, -1].tolist() == pytest.approx([100 - back / 1.5 for back in (4, 3, 2, 1, 0)], abs=1e-3)


def test_it_is_made_as_often_as_it_must(laying):
    """At any speed and of any columns, little in one frame."""
    laying.net.unit.fill_(0.125)
    turned(laying, 1)
    decoder, count = laying.net.velocity.forward, []
    laying.net.velocity.forward = lambda *given: count.append(0) or decoder(*given)
    most = 0
    for _ in range(100):
        before = len(count)
        laying.turn(torch.full((1, 3, TALL, WIDE), 0.5), 2.0, QUIET)
        most = max(most, len(count) - before)
        assert laying.scrolls[0].left >= 1
    assert most <= 3


def world_of(net: Net) -> worlds.World:
    return inertia.begin(worlds.begin(net, (torch.rand(1, 3, TALL, WIDE),), torch.ones(1)))


def carried(net: Net, world: worlds.World) -> worlds.Carried:
    told = torch.tensor([[1.0, 0, 0, 0, 0, 0]])
    return inertia.carry(net, world, told, torch.zeros(1))


@pytest.mark.parametrize("unit", [1.0, 0.5])
def test_all_goes_on_as_its_row(monkeypatch, unit):
    """The upper rows at 1 px, the lower at 3; and what the trunk would ask is not asked."""
    net = knowing(Net(SMALL), unit).eval()
    net.bank.zero_()
    monkeypatch.setattr(net.trunk, "forward", None)
    world = world_of(net)
    after = carried(net, world)
    image, moved = world.lattice * after.light[..., None, None], after.moved
    half = TALL // 2
    assert torch.allclose(moved[..., :half, : WIDE - 1], image[..., :half, 1:], atol=1e-5)
    assert torch.allclose(moved[..., half:, : WIDE - 3], image[..., half:, 3:], atol=1e-5)
    entered = after.opened.sum(3)[0, 0]
    assert (entered[:half] == 1).all() and (entered[half:] == 3).all()
    assert not after.phase.any(), "nothing is left to go"


def test_newer_weights_may_have_rows_go_otherwise():
    net = knowing(Net(SMALL)).eval()
    world = world_of(net)
    first = carried(net, world)
    net.land.paces.fill_(3.0)
    assert (first.classes[0, 0] == 1).all() and (carried(net, world).classes == 3).all()


def test_however_fast_all_that_enters_is_filled(monkeypatch):
    """More than the trunk's painter would have to paint in one go."""
    generator = Generator(*weights(), half=False)
    net = knowing(generator.net)
    net.land.bank.mul_(9.0)
    net.land.paces.mul_(9.0)
    fill = lambda moved, opened: torch.where(opened, 0.123, moved[..., -opened.shape[3] :])  # noqa: E731
    monkeypatch.setattr(generator.laying, "fill", fill)
    generator.reset(0)
    generator.step(Controls(speed=1.2))
    entered = round(1.2 * 27)
    assert entered > SMALL.strip and (generator.world.lattice[0, 0, -1, -entered + 2 :] == 0.123).all()


def test_a_world_is_inert_and_is_not_any_more():
    """What was moved by the one motions is not moved on by the others."""
    generator = Generator(*weights(), half=False)
    knowing(generator.net)
    generator.reset(0)
    generator.step(Controls(speed=0.6))
    assert generator.world.inert and generator.world.phase.any()
    generator.net.land.forget()
    seen = []
    carry = worlds.carry
    worlds.carry = lambda net, world, *told, **more: seen.append(world) or carry(net, world, *told, **more)
    try:
        generator.step(Controls(speed=0.6))
    finally:
        worlds.carry = carry
    assert not seen[0].inert and seen[0].classes is None and not seen[0].phase.any() and not generator.world.inert


def test_in_the_show_nobody_else_is_asked(monkeypatch):
    """Neither trunk nor painter nor mender nor dice, and no thing passes."""
    generator, asked = Generator(*weights(), half=False), []
    knowing(generator.net)
    net = generator.net
    for part, name in ((net.trunk, "forward"), (net.painter, "forward"), (net.mender, "forward"), (generator.dice, "draw")):
        monkeypatch.setattr(part, name, lambda *given: asked.append(given))
    generator.reset(0)
    told = Controls(speed=1.0, near=0.9)
    first = generator.step(told)
    frames = [generator.step(told) for _ in range(20)]
    assert generator.whole and not asked and not generator.passing._guests
    assert not np.array_equal(first.pixels, frames[-1].pixels)
    assert frames[-1].flow[TALL - 2, WIDE // 2, 0] == pytest.approx(-3, abs=1)


def test_who_is_told_nothing_makes_nothing_of_it():
    """Calls are made only where things are in the land."""
    net = knowing(Net(SMALL))
    net.land.lasts.zero_()
    laying = Laying(net.land)
    laying.turn(torch.rand(1, 3, TALL, WIDE), 1.0, NEARLY)
    assert laying._calls is None and isinstance(Calls(net.land, np.random.default_rng(0)), Calls)
    assert KNOWN * CELL - 1 <= laying.scrolls[0].at <= KNOWN * CELL


def test_what_is_far_has_longer_columns_of_its_own():
    """Sixteen frames each; the pictures of both hold columns of all rows, of which they give theirs."""
    net, told = knowing(Net(SMALL)), []
    net.land.slow[: TALL // 2] = 2
    net.land.paces[: TALL // 2] = 0.05
    net.land.bank[1, 0] = 0.05
    packed, velocity, wanted = net.land.packed, net.land.velocity.forward, []
    net.land.packed = lambda seen, kind: told.append(seen) or packed(seen, kind)
    net.land.velocity.forward = lambda x, time, want, beside: wanted.append((x, want)) or velocity(x, time, want, beside)
    laying = Laying(net.land)
    lattice = torch.arange(WIDE).expand(1, 3, TALL, WIDE) / WIDE + 0.1
    laying.turn(lattice, 1.0, QUIET)
    quick, slow = laying.scrolls
    half = list(range(TALL))[: TALL // 2], list(range(TALL))[TALL // 2 :]
    assert slow.long == 16 and (slow.rows.tolist(), quick.rows.tolist()) == half
    for seen in told[:2]:
        known = seen[0, 0, :, : KNOWN * CELL] * float(laying._light[0, 0])
        steps = known[:, -8:].diff(dim=1).mean(1) * WIDE
        assert steps[: TALL // 2] == pytest.approx(0.8, abs=0.2) and steps[TALL // 2 :] == pytest.approx(3, abs=0.1)
    assert (packed(told[0], 0) == packed(told[0], 2)).all(), "nothing is hidden from it"
    at = slow.at
    for _ in range(16):
        laying.turn(lattice, 1.0, QUIET)
    assert slow.at == pytest.approx(at + 1)
    assert len(wanted) > STEPS and not torch.cat([want for _, want in wanted]).any(), "as it learnt: in one picture"
    assert wanted[0][0].std() == pytest.approx(1.0, abs=0.12), "of noise as it learnt from"


def test_what_follows_goes_on_in_the_colour_of_what_was(laying):
    """And has its own some columns on. Where all that enters is in the land; else it is as it is made."""
    for holds_all in (True, False):
        laying.net.lasts.fill_(4.0 * holds_all)
        laying.seed(0)
        mine = turned(laying, 1)
        mine.lay(mine.ahead + 0.3, mine.at)
        mine._off = torch.full_like(mine._off, 0.1)  # of which a part is known
        ends = mine.ahead.shape[2]
        while mine.ahead.shape[2] == ends:
            mine.go_on()
        made = mine.ahead[0, :, ends:]
        first = 1.3 - 0.2 / FADES if holds_all else 1.1
        assert made[:, 0] == pytest.approx(first, abs=0.02) and made[:, FADES:] == pytest.approx(1.1, abs=0.02)
