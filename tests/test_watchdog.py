"""When a picture takes too long: the watchdog's patience, and what the screen leaves out."""

from pathlib import Path

import numpy as np
import pytest

from vj.errors import ScreenError
from vj.render.screen import Screen
from vj.render.watchdog import ENDLESS, LEAST, Watchdog
from vj.render.window import HeadlessWindow
from vj.signals import Knobs, Picture


def test_two_slow_pictures_in_a_row_are_too_many_and_one_is_not():
    dog = Watchdog(1 / 60)
    assert [dog.turn(t) for t in (0.01, 0.4, 0.01, 0.4, 0.4, 0.01)] == [False, False, False, False, True, False]


def test_one_endless_picture_is_enough():
    assert Watchdog(1 / 60).turn(ENDLESS + 0.1)


def test_a_slow_machine_is_not_blamed():
    dog = Watchdog(0.2)  # five pictures a second is what it can do
    assert not any(dog.turn(0.8) for _ in range(20)) and LEAST < 0.8


def test_what_is_barred_is_drawn_as_clean_until_its_file_changes(tmp_path):
    shaders = tmp_path / "shaders"
    source = Path(__file__).parents[1] / "shaders"
    for path in source.rglob("*.*"):
        target = shaders / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    try:
        window = HeadlessWindow((96, 54))
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    frame = np.random.default_rng(0).integers(0, 255, (54, 96, 3), dtype=np.uint8)

    def shot(look: int) -> np.ndarray:
        window.framebuffer.use()
        screen.draw(Picture(frame, frame, None, 0.0, 0.0), (96, 54), Knobs(look=look), dt=1.0)
        return screen.read().astype(int)

    with window:
        screen = Screen(window.context, shaders, parameters={"grade_noise": 0.0}, limited=False, warm=False)
        clean = shot(1)
        assert np.abs(shot(4) - clean).mean() > 3
        assert screen.bar(4) and np.abs(shot(4) - clean).max() <= 1
        assert np.abs(shot(3) - clean).mean() > 3, "the others stay"
        file = shaders / "look_ink.glsl"
        file.write_text(file.read_text() + "\n// mended\n")
        assert screen.reload() == "" and np.abs(shot(4) - clean).mean() > 3
        assert screen.bar(1), "clean itself is too slow: upscaling goes"
        assert shot(1).std() > 5 and not screen.bar(1), "nothing is left to leave out"
