"""The judge, judged: footage of a world that obeys must pass as if generated; frozen, noisy, blurred, deaf, copied must not."""

import io
import json
from dataclasses import asdict
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
import toy
from rich.console import Console

from vj.model.generator import ARCHITECTURE
from vj.model.net import ModelConfig, Net
from vj.train import chart, judge, obeying, trials
from vj.train.report import Figure, Report
from vj.train.trainer import fresh
from vj.weights import Card

FRAMES, EFFORT = 700, 0.25


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    yield
    cv2.setNumThreads(before)


@pytest.fixture(scope="module")
def footage():
    return toy.footage_of(toy.Toy())


def verdict(player, footage):
    """{key: figure} of all trials that need nothing but what is seen."""
    return {f.key: f for f in judge.judge_player(player, footage, FRAMES, effort=EFFORT).figures}


def failed(figures):
    """Keys of what did not reach its goal."""
    return {key for key, f in figures.items() if f.passed is False}


def groups(figures):
    """Which kinds of figure failed: {sharpness, motion...}."""
    return {key.split(".")[0] for key in failed(figures)}


def test_a_world_that_obeys_passes_with_ratios_about_one(footage):
    figures = verdict(toy.Toy(), footage)
    assert failed(figures) == set()
    assert figures["sharpness.10000.gradient"].value is None  # the run is too short for that one, and it says so
    ratios = [f.value for key, f in figures.items() if f.unit == "x" and f.value is not None and not key.startswith("events")]
    assert len(ratios) > 20
    assert np.median(ratios) == pytest.approx(1, abs=0.05)


def test_a_frozen_picture_fails_all_but_standing_still(footage):
    figures = verdict(toy.Frozen(), footage)
    assert {"sharpness", "variety", "motion", "events", "timing", "light"} <= groups(figures)
    assert figures["still.creep"].passed and figures["still.change"].passed
    assert figures["variety.alive"].value == 0
    assert figures["motion.1.near"].value == pytest.approx(0, abs=0.02)


def test_noise_is_neither_sharpness_nor_motion(footage):
    figures = verdict(toy.Noise(), footage)
    assert {"sharpness", "variety", "colour", "motion", "still", "events", "timing", "light"} <= groups(figures)
    assert figures["sharpness.100.gradient"].value > 1.3
    assert figures["still.change"].passed is False


def test_blur_fails_sharpness_and_keeps_motion_and_light(footage):
    figures = verdict(toy.Blurred(), footage)
    assert {"sharpness.100.gradient", "sharpness.100.fine", "sharpness.streaks"} <= failed(figures)
    assert {"events.far.strength", "events.middle.strength", "events.near.strength"} <= failed(figures)
    assert not {"motion", "light", "still"} & groups(figures)


def test_a_deaf_world_fails_what_it_is_told_and_keeps_its_variety(footage):
    figures = verdict(toy.Deaf(), footage)
    assert {"events", "timing", "light", "motion", "still"} <= groups(figures)
    assert figures["timing.all"].value < 0.3
    assert figures["variety.loop"].passed and figures["variety.alive"].passed


def test_playing_the_footage_again_is_found_out(footage):
    figures = verdict(toy.Replay(footage.frames, footage.training[0][1]), footage)
    assert figures["novelty.nearest"].value < 0.1
    assert {"novelty", "events", "timing", "light"} <= groups(figures)
    assert not {"sharpness.100.gradient", "sharpness.100.fine"} & failed(figures)


def test_a_loop_is_found_out(footage):
    run = trials.long_run(toy.Replay(footage.frames, 90), footage, FRAMES, lambda share, what: None)
    loop = next(f for f in run.figures if f.key == "variety.loop")
    assert loop.passed is False and loop.value > 0.9 and "at 90 frames" in loop.note


def test_a_world_upside_down_has_the_right_colours_in_the_wrong_places(footage):
    run = trials.long_run(toy.UpsideDown(), footage, FRAMES, lambda share, what: None)
    colour = {f.key: f.passed for f in run.figures if f.key.startswith("colour")}
    assert colour == {key: key != "colour.layout" for key in colour}


def test_a_world_that_loses_its_picture_when_the_light_jumps(footage):
    light = obeying.lights(toy.Startled(), footage, lambda share, what: None, EFFORT).figures
    figures = {f.key: f for f in light}
    assert figures["light.brightness.detail"].passed is False
    assert figures["light.brightness.follows"].passed and figures["light.brightness.settles"].passed


def test_a_figure_without_value_does_not_reach_its_goal():
    assert Figure("a", 1.0, low=0.8, high=1.3).passed is True
    assert Figure("a", 1.4, low=0.8, high=1.3).passed is False
    assert Figure("a", None, low=0.8).passed is False
    assert Figure("a", float("inf"), low=0.8).passed is False
    assert Figure("a", 5.0).passed is None


def test_feet_that_stand_in_the_next_band_are_counted_in_the_footage_itself():
    rng = np.random.default_rng(0)
    frames = (100 + rng.integers(0, 3, (600, 50, 80, 3))).astype(np.uint8)
    controls = np.zeros((600, 6), np.float32)
    controls[::10, 1] = 1
    frames[::10, 10:23, -4::2] += 60  # far rows end at 21: two rows of feet in the middle
    controls[5::60, 2] = 1
    frames[5::60, 25:34, -4::2] += 60  # and things in the middle keep to themselves
    natural = obeying.natural_crosstalk(frames, controls)
    assert natural[0, 1] > 50 and 0.8 < natural[0, 2] < 1.2 and 0.8 < natural[1, 0] < 1.2 and 0.8 < natural[1, 2] < 1.2
    assert np.isnan(natural[2]).all() and np.isnan(natural.diagonal()).all()


def test_pulses_are_alone_in_their_band_and_far_enough_apart():
    table, told = obeying.pulses(5, seed=1)
    assert sorted(band for _, band in told) == [0] * 5 + [1] * 5 + [2] * 5
    assert np.diff([t for t, _ in told]).min() >= 20
    for t, band in told:
        assert table[t : t + obeying.PULSE, 1 + band].all() and table[t : t + obeying.PULSE, 1:4].sum() == obeying.PULSE
    assert (table[:, 1:4].sum(1) <= 1).all() and (table[:, 0] == 1).all()


def test_a_plan_stays_inside_the_clips():
    plan = trials.told_plan(((0, 50), (100, 900)), 2000, seed=3)
    assert len(plan) == 2000
    assert set(plan) <= set(range(50)) | set(range(100, 900))
    assert (np.diff(plan) == 1).mean() > 0.97


def test_a_report_of_a_network_that_knows_nothing(tmp_path):
    footage = toy.footage_of(toy.Toy(), count=400, fps=2.0)
    config = ModelConfig(height=48, width=80, widths=(8, 8, 8), painter=8, prior=8, strip=16, seeds=2, classes=4)
    first = torch.from_numpy(footage.frames[1:3].transpose(0, 3, 1, 2).copy())
    net = fresh(config, [[0, 0], [1, 0], [2, 0], [4, 0]])
    net.first_frames.copy_(torch.cat([first, first], 1))
    card = Card(ARCHITECTURE, 48, 80, toy.FPS, ("speed", "far", "middle", "near", "brightness", "warmth"), config=asdict(config))
    prepared = SimpleNamespace(frames=footage.frames, controls=footage.controls, clips=footage.clips, scenes=[],
                               card=SimpleNamespace(usual=footage.usual, fps=footage.fps))  # fmt: skip
    heard = []
    report = judge.judge(card, net.state_dict(), prepared, 80, lambda share, what: heard.append(share), effort=0.05)
    assert not report.passed
    assert report.value("skill.told") < 10
    assert heard == sorted(heard) and heard[-1] == 1
    data = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert data["figures"]["timing.all"]["passed"] is False
    assert data["frames"] == 80 and 24 <= data["held_back_frames"] <= 32
    report.write_sheet(tmp_path / "sheet.png")
    seen = cv2.imread(str(tmp_path / "sheet.png"))
    assert seen.shape == report.sheet.shape and seen.std() > 10
    console = Console(record=True, width=200, file=io.StringIO())
    console.print(report.table())
    assert "skill.told.strip" in console.export_text()


@pytest.mark.parametrize("foresight", ["perfect", "none"])
def test_skill_of_one_step_is_against_copying_and_flow(footage, monkeypatch, foresight):
    last = -1 if foresight == "perfect" else -2
    monkeypatch.setattr(judge, "_predict", lambda net, dice, real, controls: (real[last], real[last]))
    net = Net(ModelConfig(height=48, width=80, widths=(8, 8, 8), painter=8, prior=8, strip=16))
    figures = {f.key: f for f in judge.one_step(net, footage, most=12).figures}
    if foresight == "perfect":
        assert figures["skill.told"].value > 20 and figures["skill.told.over_flow"].value > 5
        assert figures["skill.told.sharpness"].value == pytest.approx(1)
        assert all(f.passed is not False for key, f in figures.items() if "carried" not in key)
    else:
        assert figures["skill.told"].value == figures["skill.drawn.strip"].value == 0
        assert figures["skill.told"].passed is False and figures["skill.carried"].value < 3
        assert figures["skill.told.over_flow"].passed is False  # flow foresees even motion, a copy does not


@pytest.mark.parametrize("kind", ["short", "still"])
def test_poor_footage_gives_a_judgement_and_no_crash(footage, kind):
    frames, controls = footage.frames[:60].copy(), footage.controls[:60].copy()
    if kind == "still":
        frames[:], controls[:, 0] = frames[0], 0
    poor = trials.Reference(frames, controls, ((0, 60),), ((0, 60),), ((0, 60),), footage.usual, toy.FPS)
    figures = judge.judge_player(toy.Toy(), poor, 10, effort=0.1).figures
    assert len(figures) > 30
    assert all(f.note for f in figures if f.value is None)


def test_work_is_counted_as_by_hand():
    conv = torch.nn.Conv2d(3, 8, 3, padding=1)
    linear = torch.nn.Linear(5, 7)
    both = torch.nn.ModuleList([conv, linear])

    def run():
        conv(torch.zeros(1, 3, 10, 12))
        linear(torch.zeros(2, 5))

    assert judge.count_flops(both, run) == 2 * (3 * 9 * 8 * 10 * 12) + 2 * (2 * 5 * 7)


def test_a_chart_rises_where_the_figure_does_and_leaves_out_what_is_not_known():
    reports = [Report((Figure("skill.told", value), Figure("timing.far", None)), np.zeros((4, 4, 3), np.uint8), {"step": step})
               for step, value in ((300, 9.0), (100, 1.0), (200, 5.0))]  # fmt: skip
    drawn = chart.draw(reports)
    ys, xs = np.nonzero((drawn == chart.INKS[0]).all(2)[44:, : chart.WIDTH])
    assert len(xs) > 50 and np.corrcoef(xs, ys)[0, 1] < -0.9  # up to the right, whatever the order given
    untold = drawn[chart.HEIGHT :, chart.WIDTH :][: chart.HEIGHT]
    assert not (untold == chart.INKS[0]).all(2).any()
