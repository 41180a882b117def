"""Cuts come with the music, on the beat, no sooner than they may; and nothing leads from one scene into another."""

from dataclasses import replace

import pytest
from fakes import FakeGenerator, heard
from test_controls import TABLE

from vj.controls import Mapping
from vj.cuts import Cuts, CutTable
from vj.errors import VJError
from vj.render.turning import Turning
from vj.settings import table
from vj.show import Maker, Show
from vj.signals import Knobs
from vj.view import View

DT = 0.1


def cut_at(told, least: float = 3.0, most: float = 10.0, seconds: float = 30.0) -> list[float]:
    """When it cuts; told(t) are the features at t s."""
    cuts = Cuts(CutTable(least, most))
    found = []
    for n in range(round(seconds / DT)):
        if cuts.turn(told(round(n * DT, 1)), DT):
            cuts.start()
            found.append(round(n * DT, 1))
    return found


def beating(t: float, **more):
    """A beat each half second."""
    return heard(t, tempo=120.0, beats=int(t * 2), **more)


def test_a_new_section_cuts_on_the_next_beat():
    assert cut_at(lambda t: beating(t, sections=int(t >= 6.2)), seconds=9) == [6.5]
    assert cut_at(lambda t: beating(t, drops=int(t >= 6.2)), seconds=9) == [6.5]


def test_no_scene_is_shorter_than_it_may_be():
    assert cut_at(lambda t: beating(t, sections=int(t)), seconds=12) == [3.0, 6.0, 9.0]


def test_without_a_section_it_goes_in_the_end():
    assert cut_at(beating, most=9.75, seconds=25) == [10.0, 20.0] and cut_at(heard, most=9.75, seconds=11) == [9.7]
    assert cut_at(lambda t: heard(t, tempo=120.0), most=9.75, seconds=14) == pytest.approx([11.7], abs=0.15), "no beat"


def test_told_to_it_stays():
    assert cut_at(lambda t: beating(t, sections=int(t)), most=0.0) == []


def test_a_new_seed_begins_a_scene():
    cuts = Cuts(CutTable(3.0, 10.0))
    for n in range(95):
        cuts.turn(beating(n * DT), DT)
    cuts.start()
    assert not any(cuts.turn(beating(9.5 + n * DT), DT) for n in range(90))


def test_the_table_is_checked():
    assert CutTable.parse(table()).most > CutTable.parse(table()).least > 0
    for wrong in ({"least": "soon", "most": 3}, {"least": -1, "most": 3}, {"least": 1}, {"least": True, "most": 3}):
        with pytest.raises(VJError, match="cuts"):
            CutTable.parse({"cuts": wrong})


class Cutting(FakeGenerator):
    """Each cut and each reset is another world."""

    cuts = 0

    def cut(self):
        self.cuts += 1

    def step(self, controls):
        view = View("ahead" if self.cuts else "window")
        return replace(super().step(controls), world=self.cuts + 10 * len(self.resets), view=view)


def test_the_show_cuts_and_shows_no_frame_between_two_worlds():
    generator = Cutting()
    stage = Show(Maker(generator, Mapping(TABLE, 10), 10, 10, cuts=Cuts(CutTable(1.0, 2.0))), 10)
    pictures = [stage.step(beating(n / 40), Knobs(), 1 / 40) for n in range(100)]
    assert generator.cuts == 1
    (first,) = [n for n in range(1, 100) if pictures[n].world != pictures[n - 1].world]
    assert (pictures[first].before == pictures[first].after).all() and pictures[first].view.kind == "ahead"
    assert not (pictures[first + 4].before == pictures[first + 4].after).all()
    knobs = Knobs(resets=1)
    assert stage.step(beating(2.5), knobs, 1 / 40).world in (1, 11) and stage.step(beating(2.6), knobs, 0.1).world == 11


def test_a_press_cuts_once_and_the_scene_stays_from_then_on():
    generator = Cutting()
    stage = Show(Maker(generator, Mapping(TABLE, 10), 10, 10, cuts=Cuts(CutTable(1.0, 2.0))), 10)
    for n in range(25):
        stage.step(beating(n / 10), Knobs(cuts=int(n >= 10)), 0.1)
        assert generator.cuts == int(n >= 10)
    alone = Cutting()
    stage = Show(Maker(alone, Mapping(TABLE, 10), 10, 10), 10)
    for n in range(9):
        stage.step(beating(n / 10), Knobs(cuts=n // 3), 0.1)
    assert alone.cuts == 2


def test_a_show_of_one_scene_asks_nobody_to_cut():
    generator = Cutting()
    stage = Show(Maker(generator, Mapping(TABLE, 10), 10, 10), 10)
    for n in range(600):
        stage.step(beating(n / 10), Knobs(), 0.1)
    assert generator.cuts == 0


def test_a_new_worlds_view_is_there_at_once():
    ahead, turning = View("ahead", 0.4, 0.6), Turning()
    assert turning.turn(View(), 0.1, 1) == {}
    assert turning.turn(ahead, 0.1, 2)["u_turned"] == 1.0
    assert 0 < turning.turn(View(), 0.1, 2)["u_turned"] < 1, "the same world's other view comes gently"
    assert turning.turn(View(), 0.1, 3) == {}
