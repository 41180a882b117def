"""The generator's thread hands over whole strips, survives a failing network, and takes fresh weights."""

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import fakes
import glfw
import numpy as np
import pytest
import small
import torch
from fakes import FAKE_CARD, FakeGenerator, heard
from test_controls import TABLE

from vj import cli, keeping, live
from vj.controls import Mapping
from vj.errors import WeightsError
from vj.gauges import Pace, State, hud, line
from vj.player import Player, Pulse, Strip, choose
from vj.settings import Settings
from vj.show import Made, Maker
from vj.signals import Controls, Knobs, LearningReport, ModelFrame
from vj.trace import Trace
from vj.train import upscale
from vj.video import read_frames
from vj.weights import WeightsSlot, read


def made(number: int) -> Made:
    frame = ModelFrame(np.full((2, 3, 3), number, np.uint8), np.zeros((2, 3, 2), np.float32), 0)
    return Made(frame, Controls(), heard(float(number)))


def player(generator: FakeGenerator, fps: float = 200.0, **more) -> Player:
    return Player(Maker(generator, Mapping(TABLE), fps, 15.0), fps, heard, **more)


def wait_for(condition, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.002)
    assert condition()


class Once:
    """An inbox with one set of weights in it."""

    def __init__(self, version: int = 1):
        self.fresh = (replace(FAKE_CARD, version=version), {})

    def poll(self):
        fresh, self.fresh = self.fresh, None
        return fresh


# --------------------------------------------------------------------------------------------------- the strip
def test_a_strip_moves_evenly_and_waits_at_its_end():
    strip = Strip((made(1), made(2), made(3)), (10.0, 11.0), 1.0)
    seen = [strip.at(now, heard()) for now in (9.5, 10.0, 10.25, 10.75, 11.0, 11.5, 12.0, 13.0)]
    place = [int(p.before[0, 0, 0]) + p.blend for p in seen]
    assert place == pytest.approx([1, 1, 1.25, 1.75, 2, 2.5, 3, 3])
    assert [p.time for p in seen] == pytest.approx(place)


def test_a_late_frame_makes_the_world_wait_and_never_jump_back():
    """The next strip comes late, with its moment later still: between the two the picture stands."""
    before = Strip((made(1), made(2), made(3)), (10.0, 11.0), 1.0)
    after = Strip((made(2), made(3), made(4)), (11.0, 12.4), 1.0)
    place = []
    for now in np.arange(10.0, 13.6, 0.1):
        picture = (before if now < 12.2 else after).at(now, heard())
        place.append(int(picture.before[0, 0, 0]) + picture.blend)
    assert place == sorted(place) and place[-1] == 4


# -------------------------------------------------------------------------------------------------- the thread
def test_the_picture_is_there_at_once_and_goes_on():
    generator = FakeGenerator()
    with player(generator) as playing:
        assert playing.strip.frames[0].frame.pixels[0, 0, 0] == 1
        wait_for(lambda: playing.pulse.frames > 20)
        numbers = [int(m.frame.pixels[0, 0, 0]) for m in playing.strip.frames]
        assert numbers == list(range(numbers[0], numbers[0] + 3))
    assert not playing.alive


def test_frozen_the_network_rests():
    generator = FakeGenerator()
    with player(generator) as playing:
        playing.knobs = Knobs(freeze=True)
        time.sleep(0.1)
        count = len(generator.told)
        time.sleep(0.1)
        assert len(generator.told) == count
        playing.knobs = Knobs()
        wait_for(lambda: len(generator.told) > count)


def test_a_failing_network_leaves_the_last_picture_and_comes_back(monkeypatch, caplog):
    monkeypatch.setattr("vj.player.RETRY_SECONDS", 0.01)
    generator, step = FakeGenerator(), FakeGenerator.step
    broken = []

    def failing(self, controls):
        if broken:
            raise RuntimeError("out of memory")
        return step(self, controls)

    monkeypatch.setattr(FakeGenerator, "step", failing)
    with caplog.at_level(logging.ERROR), player(generator) as playing:
        wait_for(lambda: playing.pulse.frames > 5)
        broken.append(True)
        wait_for(lambda: playing.pulse.fault)
        held = playing.strip
        time.sleep(0.1)
        assert playing.strip is held and "out of memory" in playing.pulse.fault
        broken.clear()
        wait_for(lambda: playing.strip is not held)
        assert playing.pulse.fault == ""
    assert len(caplog.records) == 1  # not one for each try


def test_fresh_weights_are_taken_once(tmp_path):
    generator = FakeGenerator()
    with Trace(tmp_path / "t.npz", generator.size) as trace:
        with player(generator, inbox=Once(7), fade_frames=30, trace=trace) as playing:
            wait_for(lambda: playing.pulse.frames > 10)
        assert generator.adopted == [(7, 30)]
        assert playing.pulse.swaps == 1 and playing.pulse.version == 7
    with np.load(tmp_path / "t.npz") as data:
        assert set(data["weights"]) == {0, 7} and len(data["swap_ms"]) == 1
        assert len(data["model_ms"]) == len(data["time"]) == playing.pulse.frames


def test_weights_that_do_not_fit_are_refused_and_the_show_goes_on(monkeypatch, caplog):
    def refuse(*_):
        raise WeightsError("for another network")

    monkeypatch.setattr(FakeGenerator, "adopt", refuse)
    with caplog.at_level(logging.WARNING), player(FakeGenerator(), inbox=Once()) as playing:
        wait_for(lambda: playing.pulse.frames > 10)
    assert playing.pulse.swaps == 0 and playing.pulse.fault == ""
    assert [r.getMessage() for r in caplog.records] == ["fresh weights refused: for another network"]


# -------------------------------------------------------------------------------------------------- the gauges
def test_the_highest_rate_that_leaves_room():
    rates = (30, 25, 20, 15)
    assert choose(rates, 0.010, 0.55) == 30
    assert choose(rates, 0.020, 0.55) == 25
    assert choose(rates, 0.027, 0.55) == 20
    assert choose(rates, 1.0, 0.55) == 15


def test_pace_counts_and_finds_the_slowest():
    pace = Pace()
    assert pace.read() == (0.0, 0.0)
    for now in (1.0, 1.1, 1.2, 1.5, 1.6):
        pace.tick(now)
    assert pace.read() == (pytest.approx(4 / 0.6), pytest.approx(300))
    pace.tick(1.7)
    assert pace.read() == (pytest.approx(10), pytest.approx(100))
    assert pace.read_frames(40, 2.0) == 0.0
    assert pace.read_frames(70, 4.0) == pytest.approx(15)


def test_the_display_tells_all_that_the_issue_names():
    state = State(
        seconds=75.0,
        display_fps=59.9,
        slowest_ms=21.0,
        display_rate=60.0,
        model_fps=29.5,
        model_rate=30.0,
        device="cpu",
        pulse=Pulse(frames=900, model_ms=14.2, version=3, swaps=2),
        age=12.0,
        learning=LearningReport(version=3, steps=420, loss=0.123, skill=8.5),
        learner_alive=True,
        features=heard(75.0, level_db=-18.2, tempo=128.0, loudness=1.1),
        sound="demo",
        latency_ms=44.0,
        overflows=2,
        knobs=Knobs(),
        midi="nano",
        messages=("no room on the disk",),
    )
    text = "\n".join(hud(state))
    parts = ["59.9", "21 ms", "29.5", "14 ms", "weights  3, 0:12 old", "loss 0.123", "420 steps"]
    for part in [*parts, "-18 dB", "128 bpm", "latency  44 ms", "overflows 2", "nano", "! no room on the disk"]:
        assert part in text
    assert "\n" not in line(state) and "1:15" in line(state)
    assert "has ended" in "\n".join(hud(replace(state, learner_alive=False)))
    assert "trainer  off" in "\n".join(hud(replace(state, learning=None)))


# ----------------------------------------------------------------------------------------- what surrounds the loop
def test_what_a_show_learnt_is_kept_and_its_folder_goes(tmp_path):
    last = tmp_path / "last.safetensors"
    for value in (1.0, 2.0):
        with keeping.slot(tmp_path / "learning", last) as slot:
            slot.publish(FAKE_CARD, {"a": torch.tensor([value])})
            slot.publish(FAKE_CARD, {"a": torch.tensor([value + 0.5])})
        assert read(last)[1]["a"] == value + 0.5
    with keeping.slot(tmp_path / "learning", last):
        pass  # a show that learnt nothing leaves the last ones
    assert read(last)[1]["a"] == 2.5
    assert list((tmp_path / "learning").iterdir()) == []


def test_what_a_killed_show_left_is_swept_after_a_day(tmp_path):
    for name, age in (("show-old", 2 * 86400), ("show-running", 0), ("mine", 2 * 86400)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    with keeping.slot(tmp_path, tmp_path / "last.safetensors"):
        assert {p.name for p in tmp_path.iterdir()} >= {"show-running", "mine"}
        assert not (tmp_path / "show-old").exists()


def test_weights_that_cannot_be_kept_are_one_line(tmp_path, caplog):
    slot = WeightsSlot(tmp_path / "slot")
    slot.publish(FAKE_CARD, {"a": torch.tensor([1.0])})
    with caplog.at_level(logging.WARNING):
        assert not keeping.keep(slot.path(1), tmp_path / "none" / "last.safetensors")
    assert len(caplog.records) == 1


def test_the_log_has_tracebacks_in_the_file_and_sentences_on_the_terminal(tmp_path, capsys):
    log = logging.getLogger("vj")
    with keeping.logged(tmp_path / "vj.log"):
        log.info("all is well")
        try:
            raise RuntimeError("bad")
        except RuntimeError:
            log.exception("the network has failed: %s", "bad")
    log.warning("after the show")
    said = capsys.readouterr().err
    assert said == "vj: the network has failed: bad\n"
    text = (tmp_path / "vj.log").read_text()
    assert "all is well" in text and "Traceback" in text and "after the show" not in text


def test_a_stop_from_outside_ends_the_show_cleanly():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), keeping.terminated():
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert signal.getsignal(signal.SIGTERM) is before


# --------------------------------------------------------------------------------------------- the whole, for real
@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A folder with sound, weights and prepared footage, all small."""
    folder = tmp_path_factory.mktemp("things")
    fakes.save_drums(folder / "drums.wav", 3.0)
    fakes.save_footage(folder / "blocks", small.footage())
    fakes.save_weights(folder / "small.safetensors", small.footage(), small.SMALL)
    return folder


@pytest.fixture
def screen():
    """A virtual screen; gives its environment."""
    if not all(map(shutil.which, ("Xvfb", "xdotool", "import"))):
        pytest.skip("needs Xvfb, xdotool and ImageMagick")
    read_end, write_end = os.pipe()
    words = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "640x480x24", "+extension", "GLX", "-noreset"]
    server = subprocess.Popen(words, pass_fds=(write_end,), stderr=subprocess.DEVNULL)
    os.close(write_end)
    with os.fdopen(read_end) as said:
        yield {**os.environ, "DISPLAY": f":{said.readline().strip()}"}
    server.terminate()
    server.wait()


@pytest.mark.real
@pytest.mark.timeout(300)  # a busy machine leaves little to a trainer that is nice
def test_the_whole_show_in_a_window(things, screen, tmp_path):
    """Started as a user does; seen, steered and quit by keys; learns, swaps, records, and leaves nothing behind."""
    words = [
        "play", things / "drums.wav", "--weights", things / "small.safetensors", "--footage", things / "blocks",
        "--window", "192x108", "--upscaler", "plain", "--seconds-per-update", "1",
        "--trace", tmp_path / "t.npz", "--record", tmp_path / "r.mp4",
    ]  # fmt: skip
    command = ["nice", "-n", "19", sys.executable, "-m", "vj.cli", *map(str, words)]  # as its trainer, which else starves
    show = subprocess.Popen(command, env=screen, stderr=subprocess.PIPE, text=True)
    find = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "^vj$"]
    try:
        subprocess.run(find, env=screen, check=True, timeout=60, capture_output=True)
        data = Path(os.environ["VJ_DATA"])
        until = time.monotonic() + 200
        seen = set()
        while len(seen) < 3 and time.monotonic() < until:  # the picture moves
            time.sleep(0.2)
            grab = ["import", "-window", "root", "-depth", "8", "rgb:-"]
            shot = subprocess.run(grab, env=screen, capture_output=True, check=True).stdout
            pixels = np.frombuffer(shot, np.uint8).reshape(480, 640, 3)
            if pixels.std() > 5:
                seen.add(shot)
        assert len(seen) == 3
        said = data / "log" / "vj.log"
        while "weights 1 taken" not in said.read_text() and time.monotonic() < until:  # it learns
            time.sleep(0.2)
        subprocess.run([*find, "windowfocus", "--sync", "key", "r", "key", "Up"], env=screen, timeout=30, capture_output=True)
        time.sleep(0.5)
        keys = ["key", "--delay", "50", "Escape", "Escape"]
        subprocess.run([*find, "windowfocus", "--sync", *keys], env=screen, timeout=30, capture_output=True)
        said = show.communicate(timeout=60)[1]
    finally:
        show.kill()
        show.wait()
    assert show.returncode == 0, said
    assert "Traceback" not in said
    with np.load(tmp_path / "t.npz") as trace:
        assert len(trace["frames"]) > 20 and len(trace["shown"]) > 20
        assert (np.diff(trace["shown"]) > 0).all() and len(trace["draw_ms"]) == len(trace["shown"])
        assert trace["weights"].max() >= 1 and len(trace["swap_ms"]) >= 1
        speed = trace["controls"][:, 0]
        assert speed[-1] > 0 and trace["features"][-1, 0] > 1.0
    assert read(data / "weights" / "last.safetensors")[0].version >= 1
    assert sum(1 for _ in read_frames(tmp_path / "r.mp4")) > 20
    assert sorted(os.listdir(tmp_path)) == ["r.mp4", "t.npz"]
    assert list((data / "learning").iterdir()) == []
    text = (data / "log" / "vj.log").read_text()
    assert "display" in text and "Traceback" not in text


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["{t}/none.wav"], "none.wav"),
        (["{t}/small.safetensors"], "sound"),
        (["--midi", "no such knobs"], "no such knobs"),
        (["--weights", "{t}/none.safetensors"], "none.safetensors"),
        (["--weights", "{t}/drums.wav"], "drums.wav"),
        (["--table", "{t}/none.toml"], "none.toml"),
        (["--footage", "{t}/none"], "none"),
        (["--line-in", "no such card"], "no such card"),
        (["--record", "{t}/none/r.mp4"], "no folder"),
        (["--trace", "{t}/none/t.npz"], "t.npz"),
    ],
)
def test_what_is_wrong_before_the_show_is_one_sentence(things, capsys, words, named):
    given = [word.format(t=things) for word in words]
    first = [] if given[0].startswith("/") else [str(things / "drums.wav")] if "--line-in" not in given else []
    more = [] if "--weights" in given else ["--weights", str(things / "small.safetensors")]
    more += [] if "--footage" in given or "--weights" in given else ["--no-learn"]
    assert cli.main(["play", *first, *given, *more, "--no-window", "--seconds", "1"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("vj: ") and named in said[-1]


def test_without_a_display_one_sentence_says_so(things, monkeypatch, capsys):
    if sys.platform != "linux":
        pytest.skip("there is always a display here")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    glfw.terminate()  # of an earlier test
    words = ["play", things / "drums.wav", "--weights", things / "small.safetensors", "--no-learn"]
    assert cli.main([str(word) for word in words]) == 2
    said = capsys.readouterr().err
    assert "no display" in said.splitlines()[-1] and "Traceback" not in said


# ---------------------------------------------------------------------------------------------- what is chosen first
class Drawer:
    """A screen that costs what is written here, and notes what it was told to use."""

    COSTS: ClassVar = {"plain": 0.003, "bicubic": 0.004, "edge": 0.006, "edge4": 0.012, "learnt": 0.05}

    def __init__(self, is_software: bool, taught: bool = True):
        self.is_software, self.taught, self.used, self.tried = is_software, taught, "", []

    def use(self, name: str) -> str:
        if name == "learnt" and not self.taught:
            return "nothing learnt is there"
        self.used = name
        self.tried.append(name)
        return ""


@pytest.mark.parametrize(
    ("software", "wanted", "own", "used", "rate"),
    [
        (False, "auto", 60.0, "edge", 60.0),  # 6 of 16.7 ms; 12 would be more than half
        (False, "auto", 30.0, "edge4", 30.0),
        (False, "auto", 8.0, "learnt", 8.0),
        (True, "auto", 60.0, "edge", 50.0),  # a third of the time; better upscaling may bring it down to 30
        (True, "learnt", 60.0, "learnt", 20.0),  # the operator's word counts
    ],
)
def test_the_best_upscaling_that_leaves_time_is_taken(monkeypatch, software, wanted, own, used, rate):
    screen, window = Drawer(software), SimpleNamespace(rate=own, size=(640, 360))
    monkeypatch.setattr(live, "_drawing", lambda screen, *_: screen.COSTS[screen.used])
    assert live._display_rate(Settings(upscaler=wanted), window, screen, FakeGenerator()) == rate == window.rate
    assert screen.used == used
    if software and wanted == "auto":
        assert "learnt" not in screen.tried, "what is far too dear is not even compiled"


class Detailed(FakeGenerator):
    """One that can give its frames detail."""

    device, fine = "cpu", False

    def refine(self, fine: bool = True) -> bool:
        self.fine = fine
        return fine

    def step(self, controls: Controls) -> ModelFrame:
        frame = super().step(controls)
        return replace(frame, fine=frame.pixels.repeat(2, 0).repeat(2, 1)) if self.fine else frame


@pytest.mark.parametrize(
    ("software", "model_ms", "draws_ms", "wanted", "fine"),
    [
        (False, 12.0, (1, 1), True, True),
        (False, 12.0, (1, 1), False, False),  # the operator's word counts
        (False, 19.0, (1, 1), True, False),  # 20 model frames a second would be 15
        (True, 11.0, (4, 6), True, True),  # 60 a second would be 50: more than enough there
        (True, 11.0, (4, 13), True, False),  # but 25 are not
        (True, 11.0, (18, 19), True, True),  # few as they are, they are no fewer
    ],
)
def test_detail_costs_neither_model_frames_nor_pictures(monkeypatch, software, model_ms, draws_ms, wanted, fine):
    screen, window, generator = Drawer(software), SimpleNamespace(rate=60.0, size=(640, 360)), Detailed()
    monkeypatch.setattr(live, "frame_seconds", lambda _: [model_ms / 1e3] * 3)
    drawing = lambda screen, _, picture, _look: draws_ms[picture.before.shape[0] > 24] / 1e3 + (screen.used != "plain")  # noqa: E731
    monkeypatch.setattr(live, "_drawing", drawing)
    live._refine(Settings(detail=wanted), generator, window, screen, 20.0)
    assert generator.fine == fine and generator.resets[-1:] in ([], [0])


def test_without_a_learnt_upscaler_another_is_taken(monkeypatch):
    screen, window = Drawer(False, taught=False), SimpleNamespace(rate=60.0, size=(640, 360))
    monkeypatch.setattr(live, "_drawing", lambda screen, *_: screen.COSTS[screen.used])
    live._display_rate(Settings(upscaler="learnt"), window, screen, FakeGenerator())
    assert screen.used == "edge"


def test_what_the_trainer_leaves_for_the_upscaler_is_taken_once(tmp_path):
    taught = []
    show = SimpleNamespace(slot=WeightsSlot(tmp_path), screen=SimpleNamespace(teach=taught.append), _upscaler=None)
    live.LiveShow._take_upscaler(show)
    assert not taught
    (tmp_path / upscale.NAME).write_bytes(b"half a file")
    live.LiveShow._take_upscaler(show)
    assert not taught, "what cannot be read is left"
    upscale.write(tmp_path / upscale.NAME, upscale.Net().state_dict(), {})
    for _ in range(3):
        live.LiveShow._take_upscaler(show)
    assert len(taught) == 1 and taught[0][0][0].shape == (16, 1, 3, 3)
    assert WeightsSlot(tmp_path).latest() is None, "the slot's own readers do not take it for a network"
