"""Whose turn it is among several footages."""

from pathlib import Path

import pytest

from vj.cues import Cue, Cues
from vj.errors import VJError


def test_a_cue_is_a_path_with_or_without_a_time():
    assert Cue.parse("a/snow.mp4@120") == Cue(Path("a/snow.mp4"), 120.0)
    assert Cue.parse("snow.mp4") == Cue(Path("snow.mp4"))
    assert Cue.parse("me@home.mp4") == Cue(Path("me@home.mp4"))
    with pytest.raises(VJError, match="above 0"):
        Cue.parse("snow.mp4@-3")


def test_timed_cues_come_once_and_in_order():
    cues = Cues((20.0, 10.0))
    assert [cues.turn(0, s) for s in (5, 9.9, 10, 11, 19, 20, 21, 1000)] == [None, None, 2, None, None, 1, None, None]


def test_presses_go_round_and_a_time_may_come_between():
    cues = Cues((None, 30.0))
    assert [cues.turn(*those) for those in ((1, 1), (1, 2), (2, 3), (3, 4), (3, 31), (4, 32))] == [1, None, 2, 0, 2, 0]
    assert cues.turn(7, 40) is None, "three presses at once: all the way round"


def test_a_show_without_cues_has_no_turns():
    assert Cues(()).turn(3, 1e9) is None
