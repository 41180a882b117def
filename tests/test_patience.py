"""Waiting for the drawing: others may work meanwhile, and whoever asks for pixels waits here first."""

import ctypes
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from offscreen import offscreen

from vj.render import patience, screen
from vj.signals import Knobs, Picture

FOLDER = Path(__file__).parents[1] / "shaders"


@pytest.fixture(scope="module")
def window():
    yield from offscreen((64, 36))


def test_the_systems_own_way_lets_go_of_pythons_lock(window):
    holds = ctypes.pythonapi.Py_IsInitialized._flags_ & ~ctypes.CDLL(None)._FuncPtr._flags_  # the mark of those that do not
    assert holds and patience.NATIVE is not None and not patience.NATIVE._flags_ & holds


def test_what_was_told_is_drawn_then(window):
    for shade in (0.2, 0.8):
        window.framebuffer.clear(shade, shade, shade)
        patience.finish(window.context)
        assert abs(window.framebuffer.read()[0] - 255 * shade) <= 1


def test_without_it_the_contexts_own_way_is_taken(monkeypatch):
    asked = []
    monkeypatch.setattr(patience, "NATIVE", None)
    patience.finish(SimpleNamespace(finish=lambda: asked.append(True)))
    assert asked == [True]


def test_a_screen_waits_before_it_asks_for_pixels(window, monkeypatch):
    order = []
    monkeypatch.setattr(screen, "finish", lambda context: order.append("waits"))
    monkeypatch.setattr(screen.limit.Meter, "rows", staticmethod(lambda height: order.append("asks") or np.zeros(36, int)))
    drawn = screen.Screen(window.context, FOLDER, warm=False)
    window.framebuffer.use()
    frame = np.zeros((36, 64, 3), np.uint8)
    drawn.draw(Picture(frame, frame, None, 0.0, 0.0), (64, 36), Knobs(), dt=0.1)
    assert order == ["waits", "asks"]
    drawn.read()
    assert order[2:] == ["waits"]
