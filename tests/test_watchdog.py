"""When a picture takes too long: the watchdog's patience, and what the screen leaves out."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from test_controls import TABLE
from test_panic import SIZE, Bright, Ear, Scripted

from vj.controls import Mapping
from vj.errors import ScreenError
from vj.live import LiveShow
from vj.midi import NoMidi
from vj.player import Player
from vj.render.output import OutputBook
from vj.render.screen import Screen
from vj.render.watchdog import LEAST, Watchdog
from vj.render.window import HeadlessWindow
from vj.settings import Settings
from vj.show import Maker
from vj.signals import Knobs, Picture
from vj.stamps import Delay
from vj.video import FilmRecorder, read_frames


def test_a_slow_picture_is_looked_at_again_and_only_drawing_condemns():
    dog = Watchdog(1 / 60)
    assert not dog.turn(0.01, False) and not dog.worried
    assert not dog.turn(0.4, False) and dog.worried, "it may have been the display"
    assert not dog.turn(0.01, True) and not dog.worried, "it was"
    assert not dog.turn(0.4, False) and dog.turn(0.4, True) and not dog.worried


def test_a_slow_machine_is_not_blamed():
    dog = Watchdog(0.2)  # five pictures a second is what it can do
    assert not any(dog.turn(0.8, True) for _ in range(20)) and LEAST < 0.8


def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Path(__file__).parents[1] / "shaders", tmp_path / "shaders"))


def test_what_is_barred_is_drawn_as_clean_until_its_file_changes(tmp_path):
    shaders = copy(tmp_path)
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


def test_in_the_show_an_endlessly_slow_look_gives_way_to_the_clean_one(tmp_path):
    """The real loop; a look of somebody's own that takes about a second a picture."""
    shaders = copy(tmp_path)
    slow = "// slow\n#include \"picture\"\nvec4 shade(vec2 uv) { vec3 c = picture(uv); float x = uv.x;\n"
    slow += "    for (int k = 0; k < 90000; k++) x = sin(x * 1.3 + uv.y);\n    return vec4(c.bgr + 1e-4 * x, 1.0); }\n"
    (shaders / "look_night.glsl").write_text(slow)
    try:
        made = HeadlessWindow(SIZE)
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    with made:
        generator, ear = Bright(), Ear()
        window = Scripted(made, generator, {4: "5"}, 16, hang=False)
        screen = Screen(made.context, shaders, parameters={"grade_noise": 0.0}, limited=False, warm=False)
        delay = Delay(lambda: ear.features)
        with Player(Maker(generator, Mapping(TABLE), 30.0, 15.0), 30.0, delay.listen) as player:
            parts = (window, screen, OutputBook(tmp_path / "o.json"), NoMidi(), ear, ear, delay, player)
            show = LiveShow(Settings(), *parts, ("cpu", "none"), (60.0, 60.0))
            show.run()
    assert np.abs(window.pictures[-1] - window.pictures[3]).max() <= 1, "clean again"
    assert any("night is left out, clean is back" in said for said in show._messages())


def test_in_the_show_a_window_of_no_size_is_waited_for(tmp_path):
    try:
        made = HeadlessWindow(SIZE)
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")

    class Minimised(Scripted):
        @property
        def size(self):
            return (0, 0) if len(self.pictures) < 6 or 9 <= len(self.pictures) < 12 else SIZE

    with made:
        generator, ear = Bright(), Ear()
        window = Minimised(made, generator, {2: "o", 4: "o"}, 14, hang=False)
        screen = Screen(made.context, copy(tmp_path), warm=False)
        delay, film = Delay(lambda: ear.features), tmp_path / "film.mp4"
        assert screen.read().shape == (1, 1, 3)
        player = Player(Maker(generator, Mapping(TABLE), 30.0, 15.0), 30.0, delay.listen)
        with player, FilmRecorder(film, SIZE, 60) as r:
            parts = (window, screen, OutputBook(tmp_path / "o.json"), NoMidi(), ear, ear, delay, player)
            LiveShow(Settings(), *parts, ("cpu", "none"), (60.0, 60.0), recorder=r).run()
    assert window.pictures[-1].mean() > 30 and sum(1 for _ in read_frames(film)) >= 3
