"""When what was heard came, and what is answered later than it was heard."""

import time

import numpy as np
import pytest
from fakes import heard

from vj.signals import AudioFeatures
from vj.stamps import Delay, Stamps


class Source:
    """Four blocks, the third one loud."""

    rate, overflows = 1000, 3

    def blocks(self, n):
        for level in (0.0, 0.0, 0.5, 0.0):
            time.sleep(0.01)
            yield np.full(n, level, np.float32)


def test_sound_that_goes_by_gets_its_moment_and_a_kick_gets_its_own():
    stamps, now = Stamps(Source()), [AudioFeatures()]
    stamps.look = lambda: now[0]
    moments = []
    for number, block in enumerate(stamps.blocks(100)):
        moments.append(time.perf_counter())
        assert len(block) == 100
        now[0] = heard((number + 1) * 0.1, kicks=int(number == 3))
    for number, moment in enumerate(moments):
        assert stamps.came((number + 1) * 0.1) == pytest.approx(moment, abs=0.005)
        assert stamps.came((number + 1) * 0.1 - 0.05) == stamps.came((number + 1) * 0.1), "within a block"
    assert stamps.came(0.9) is None and stamps.overflows == 3
    (onset,) = stamps.onsets
    assert onset.count == 1 and onset.sound == pytest.approx(0.4)
    assert onset.came == pytest.approx(moments[2], abs=0.005) and onset.said >= moments[3]


def test_a_delay_answers_what_was_heard_so_long_ago():
    newest = [heard(0.0)]
    delay = Delay(lambda: newest[0])
    shown = []
    for k in range(20):
        newest[0] = heard(k / 8)
        shown.append(delay.turn(250.0, k / 8).time)
        assert delay.listen().time == shown[-1], "the network hears the same"
    assert shown[:3] == [0, 0, 0] and shown[3:] == [(k - 2) / 8 for k in range(3, 20)]
    assert delay.turn(0.0, 3.0).time == delay.listen().time == 19 / 8, "and at once again without"


def test_below_nothing_the_beat_runs_ahead_as_far_as_its_tempo_is_known():
    newest = heard(1.0, tempo=120.0, beat_phase=0.9)
    assert Delay(lambda: newest).turn(-100.0, 0.0).beat_phase == pytest.approx(0.1)
    silent = heard(1.0, beat_phase=0.5)
    assert Delay(lambda: silent).turn(-100.0, 0.0) is silent
