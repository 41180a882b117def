"""`vj bench ear` measures what it says."""

import numpy as np

from vj.audio.bench_ear import hit_delays, measure
from vj.audio.features import FeatureExtractor


def test_each_hit_is_told_and_timed():
    late = hit_delays(FeatureExtractor(weights=None), 8.0)
    assert len(late) >= 6
    assert (late > 0).all() and np.median(late) < 0.04


def test_the_figures_are_all_there():
    figures = {f.name: f for f in measure(5.0)}
    for ear in ("network", "by rule"):
        assert figures[f"{ear}: core"].unit == "%" and figures[f"{ear}: core"].value > 0
        assert 0 < figures[f"{ear}: hop p50"].value <= figures[f"{ear}: hop p99"].value
        assert figures[f"{ear}: hit p50"].value < 40
