"""The panic keys within two pictures: the real loop and screen, a network that hangs, a trainer that is stopped."""

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import small
from fakes import FAKE_CARD, FakeGenerator, heard, save_footage
from test_controls import TABLE

from vj.controls import Mapping
from vj.errors import ScreenError
from vj.live import LiveShow
from vj.midi import NoMidi
from vj.player import Player
from vj.render.output import OutputBook
from vj.render.screen import Screen
from vj.render.window import HeadlessWindow, press
from vj.settings import Settings
from vj.show import Maker
from vj.stamps import Delay
from vj.train.worker import Worker

SIZE = (96, 54)
FOLDER = Path(__file__).parents[1] / "shaders"


class Ear:
    """A listener that hears nothing, and the stamps of what it hears."""

    features, overflows, alive, onsets = heard(1.0), 0, True, ()

    def came(self, _sound):
        return None


class Bright(FakeGenerator):
    """A world of its own for each seed: left half or right half is lit; told to hang, it does so for five seconds."""

    def __init__(self):
        super().__init__(replace(FAKE_CARD, height=54, width=96))
        self.hang, self.hangs, self.over = (threading.Event() for _ in range(3))

    def step(self, controls):
        if self.hang.is_set():
            self.hangs.set()
            self.over.wait(5.0)
        frame = super().step(controls)
        pixels = np.full_like(frame.pixels, 40)
        pixels[:, self._seed % 2 * 48 :][:, :48] = 220
        return replace(frame, pixels=pixels, flow=np.zeros_like(frame.flow))


class Scripted:
    """A headless window where keys are pressed at given pictures and every picture is kept."""

    def __init__(self, window: HeadlessWindow, generator: Bright, script: dict[int, str], count: int, hang: bool = True):
        self._window, self._generator, self._script, self._count = window, generator, script, count
        self.pictures: list[np.ndarray] = []
        self.rate, self._hang = 60.0, hang

    @property
    def is_open(self):
        return len(self.pictures) < self._count

    def turn(self, knobs):
        number = len(self.pictures)
        if number == 5 and self._hang:  # all is well; from here on nothing comes from the network
            self._generator.hang.set()
            assert self._generator.hangs.wait(5)
        return press(knobs, self._script[number]) if number in self._script else knobs

    def present(self, wake=None):
        self._window.present()
        pixels = np.frombuffer(self._window.framebuffer.read(components=3), np.uint8)
        self.pictures.append(pixels.reshape(SIZE[1], SIZE[0], 3)[::-1].astype(int))
        time.sleep(1 / 60)

    def __getattr__(self, name):
        return getattr(self._window, name)


def run(tmp_path, script, count=24, worker=None) -> list[np.ndarray]:
    """The pictures of a show whose network hangs from picture 5 on."""
    try:
        made = HeadlessWindow(SIZE)
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    generator, ear = Bright(), Ear()
    with made:
        window = Scripted(made, generator, script, count)
        screen = Screen(made.context, FOLDER, parameters={"grade_noise": 0.0}, limited=False)
        delay = Delay(lambda: ear.features)
        player = Player(Maker(generator, Mapping(TABLE), 60.0, 15.0), 60.0, delay.listen)
        with player:
            parts = (window, screen, OutputBook(tmp_path / "o.json"), NoMidi(), ear, ear, delay, player)
            show = LiveShow(Settings(), *parts, ("cpu", "none"), (60.0, 60.0), worker)
            began = time.monotonic()
            show.run()
            assert time.monotonic() - began < 4.5, "the show waited for the network"
            assert player.pulse.frames < 12
            generator.hang.clear()
            player._stop.set()
            generator.over.set()  # nothing is left to be seen, so it need not sleep on
    return window.pictures


def test_every_panic_key_is_answered_within_two_pictures_though_the_network_sleeps_five_seconds(tmp_path):
    shown = run(tmp_path, {8: "r", 11: "9", 14: "0", 17: "b"}, count=40)
    left, right = (np.s_[10:40, 5:43], np.s_[10:40, 53:91])
    assert shown[7][left].mean() > shown[7][right].mean() + 60, "seed 0"
    assert shown[9][right].mean() > shown[9][left].mean() + 60, "a new seed's world, two pictures after the key"
    assert np.abs(shown[13] - shown[10]).mean() > 0.5, "another look is coming"
    assert np.abs(shown[15] - shown[10]).mean() < 1.0, "the safe look is there at once"
    assert shown[18].mean() < 0.97 * shown[16].mean() and shown[39].max() == 0, "the light falls, and goes out"


def test_freeze_holds_the_picture_through_a_hang_and_lets_go(tmp_path):
    shown = run(tmp_path, {8: "space", 12: "r", 16: "space"})
    assert all(np.abs(shown[n] - shown[8]).max() <= 1 for n in range(9, 16))
    assert np.abs(shown[17] - shown[8]).mean() > 20, "what was pressed meanwhile is answered"


@pytest.mark.timeout(120)
def test_a_stopped_trainer_stops_no_key(tmp_path):
    footage = save_footage(tmp_path / "blocks", small.footage(30))
    with Worker(None, footage, tmp_path / "slot") as worker:
        os.kill(worker.pid, signal.SIGSTOP)
        try:
            shown = run(tmp_path, {8: "r", 12: "b"}, count=36, worker=worker)
            assert worker.alive
        finally:
            os.kill(worker.pid, signal.SIGKILL)
    assert np.abs(shown[9] - shown[7]).mean() > 20 and shown[35].max() == 0


def test_after_the_hang_the_world_is_that_of_the_new_seed(tmp_path):
    generator = Bright()
    with Player(Maker(generator, Mapping(TABLE), 100.0, 15.0), 100.0, heard) as player:
        player.knobs = replace(player.knobs, resets=1)
        at_once = player.picture(time.perf_counter(), heard())
        until = time.monotonic() + 10
        while player.strip.resets != 1 and time.monotonic() < until:
            time.sleep(0.005)
        later = player.picture(time.perf_counter(), heard())
    assert (at_once.before == later.before).all() and at_once.before[0, 60, 0] == 220
