"""Keys, and a real window: its pixels and keys under Xvfb, its monitor pulled and put back under Xorg."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import glfw
import numpy as np
import pytest

from vj.errors import ScreenError
from vj.render.output import Output
from vj.render.screen import Screen
from vj.render.setup import Setup
from vj.render.window import KEYS, TWO_ESC, HeadlessWindow, Window, monitors, press, rest
from vj.signals import Knobs, Picture


def wait_for(what, seconds: float = 8.0) -> bool:
    end = time.monotonic() + seconds
    while not (done := what()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(done)


# ------------------------------------------------------------------------------------------------------ keys
@pytest.mark.parametrize(
    ("key", "change"),
    [
        ("space", {"freeze": True}), ("b", {"blackout": True}), ("r", {"resets": 1}), ("f", {"fullscreens": 1}),
        ("up", {"speed": 1.1}), ("down", {"speed": 0.9}), ("t", {"taps": 1}), ("d", {"hud": True}),
        ("h", {"help": True}), ("n", {"footages": 1}), ("c", {"cuts": 1}),
        ("/", {"ones": 1}), (",", {"halves": 1}), (".", {"doubles": 1}), ("[", {"earlier": 1}), ("]", {"later": 1}),
        ("1", {"look": 1}), ("9", {"look": 9}), ("escape", {"quits": 1}), ("x", {}),
        ("0", {"safes": 1}), ("o", {"setup": True}), ("tab", {}), ("left", {}),
    ],
)  # fmt: skip
def test_each_key_turns_its_knob(key, change):
    assert press(Knobs(), key) == Knobs(**change)


def test_switches_switch_back_and_speed_stays_in_range():
    for key in ("space", "b", "d", "h"):
        assert press(press(Knobs(), key), key) == Knobs()
    knobs = Knobs()
    for _ in range(50):
        knobs = press(knobs, "up")
    assert knobs.speed == 4.0
    for _ in range(50):
        knobs = press(knobs, "down")
    assert knobs.speed == 0.0


def test_the_safe_key_undoes_whatever_was_turned():
    turned = Knobs(2.5, 0.1, 0.2, -1.0, 7, resets=3, blackout=True, freeze=True, hud=True, safes=1)
    assert press(turned, "0") == Knobs(resets=3, hud=True, safes=2)


def test_the_table_of_keys_names_them_all():
    first = ["space", "b", "r", "f", "up / down", "t", "/", ", .", "[ ]", "n", "c"]
    assert [k for k, _ in KEYS] == [*first, "d", "h", "1 ... 9", "0", "o", "Esc Esc"]


def test_a_rest_ends_early_where_there_is_a_reason():
    begun, asked = time.perf_counter(), []
    assert rest(begun + 5.0, lambda: asked.append(1) or len(asked) > 3) and len(asked) == 4
    assert time.perf_counter() < begun + 4.0
    assert not rest(time.perf_counter() + 0.01, lambda: False) and not rest(time.perf_counter() + 0.01, None)
    assert not rest(begun, lambda: True), "it is late already"


# ------------------------------------------------------------------------------------------------- no display
@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    glfw.terminate()


@pytest.mark.skipif(os.name != "posix" or os.uname().sysname != "Linux", reason="only Linux runs without a display")
def test_without_a_display_one_sentence_says_so(no_display):
    assert monitors() == []
    with pytest.raises(ScreenError, match=r"no display .* make a film"):
        Window("vj")


def test_the_headless_twin_has_the_same_face():
    try:
        twin = HeadlessWindow((64, 32))
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    with twin:
        assert twin.is_open and twin.size == (64, 32) and twin.turn(Knobs(speed=2)) == Knobs(speed=2)
        twin.context.clear(1.0, 0.0, 0.0)
        assert twin.context.fbo.read(components=3)[:3] == b"\xff\x00\x00"
        twin.present()
        public = {n for n in vars(Window) if not n.startswith("_")} | {"context", "monitor", "is_fullscreen", "shown"}
        assert all(hasattr(twin, name) for name in public - {"hidden"})
    assert not twin.is_open


# --------------------------------------------------------------------------------------------------- real parts
def start(command: list[str], display: str, env: dict) -> subprocess.Popen:
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    number = display.lstrip(":")
    if not wait_for(lambda: server.poll() is not None or os.path.exists(f"/tmp/.X11-unix/X{number}")) or server.poll():
        server.kill()
        pytest.skip(f"{command[0]} does not start here")
    return server


def free_display() -> str:
    return next(f":{n}" for n in range(150, 250) if not os.path.exists(f"/tmp/.X11-unix/X{n}"))


@pytest.fixture
def xvfb(monkeypatch):
    if not shutil.which("Xvfb"):
        pytest.skip("Xvfb is not installed")
    display = free_display()
    command = ["Xvfb", display, "-screen", "0", "800x450x24", "+extension", "GLX", "-noreset", "-nolisten", "tcp"]
    server = start(command, display, {})
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    glfw.terminate()
    yield display
    glfw.terminate()
    server.terminate()
    server.wait()


def screenshot() -> np.ndarray:
    """uint8 (H, W, 3) of the whole X screen, as the X server has it."""
    dump = subprocess.run(["xwd", "-root", "-silent"], capture_output=True, check=True).stdout
    words = np.frombuffer(dump[:100], ">u4")
    header, width, height, line, colours = (int(words[k]) for k in (0, 4, 5, 12, 19))
    parts = int(words[11]) // 8  # bytes a pixel: 3 or 4
    rows = np.frombuffer(dump[header + 12 * colours :], np.uint8).reshape(height, line)
    return rows[:, : width * parts].reshape(height, width, parts)[:, :, 2::-1]


def show(window: Window, colour: tuple[float, float, float], knobs: Knobs | None = None, times: int = 3) -> Knobs:
    knobs = knobs or Knobs()
    for _ in range(times):
        knobs = window.turn(knobs)
        window.context.screen.use()
        window.context.clear(*colour)
        window.present()
    return knobs


@pytest.mark.real
def test_the_pixels_reach_the_display(xvfb):
    if not shutil.which("xwd"):
        pytest.skip("xwd is not installed")
    assert len(monitors()) == 1
    with Window("vj-test", size=(320, 180)) as window:
        assert window.is_open and window.size == (320, 180) and window.rate == 60.0  # Xvfb says 0
        show(window, (1.0, 0.5, 0.0))
        shown = screenshot()
        orange = np.abs(shown.astype(int) - (255, 128, 0)).max(-1) <= 1
        assert orange.sum() == 320 * 180
    assert not window.is_open


@pytest.mark.real
def test_what_the_screen_draws_is_what_the_display_shows(xvfb):
    if not shutil.which("xwd"):
        pytest.skip("xwd is not installed")
    with Window("vj-screen", size=(320, 180)) as window:
        screen = Screen(window.context, Path(__file__).parents[1] / "shaders")
        frame = np.random.default_rng(0).integers(0, 256, (96, 160, 3), dtype=np.uint8)
        knobs = Knobs(look=4, hud=True)
        for _ in range(3):
            knobs = window.turn(knobs)
            screen.draw(Picture(frame, frame, None, 0.5, 0.0), window.size, knobs, ("a line",), dt=0.5)
            drawn = screen.read()
            window.present()
        shown, (left, top) = screenshot(), glfw.get_window_pos(window._window)
        assert drawn.std() > 10 and np.abs(shown[top : top + 180, left : left + 320].astype(int) - drawn).max() <= 1


@pytest.mark.real
def test_keys_typed_by_hand_turn_the_knobs(xvfb):
    if not shutil.which("xdotool"):
        pytest.skip("xdotool is not installed")
    with Window("vj-keys", size=(320, 180)) as window:
        show(window, (0, 0, 0))
        find = ["xdotool", "search", "--sync", "--name", "vj-keys", "windowfocus", "--sync", "key", "--delay", "20"]
        keys = ["space", "b", "Up", "Up", "r", "r", "r", "t", "d", "h", "7"]
        subprocess.run([*find, *keys], check=True, timeout=20)
        knobs, end = Knobs(), time.monotonic() + 5
        while knobs.look != 7 and time.monotonic() < end:
            knobs = show(window, (0, 0, 0), knobs, 1)
        assert knobs == Knobs(
            speed=1.2, look=7, resets=3, taps=1, freeze=True, blackout=True, hud=True, help=True
        )  # three presses are three
        subprocess.run([*find, "f"], check=True, timeout=20)
        assert wait_for(lambda: show(window, (0, 0, 1), Knobs(), 1) and window.is_fullscreen)
        knobs = Knobs(fullscreens=1)
        show(window, (0, 0, 1), knobs)
        assert window.size == (800, 450) and (screenshot() == (0, 0, 255)).all(), "full screen, with no cursor on it"
        show(window, (0, 0, 1), Knobs(fullscreens=2))
        assert not window.is_fullscreen and window.size == (320, 180)
        window._last_escape = -TWO_ESC
        subprocess.run([*find, "Escape", "Escape"], check=True, timeout=20)
        assert wait_for(lambda: show(window, (0, 0, 0), Knobs(fullscreens=2), 1) and not window.is_open)


@pytest.mark.real
def test_the_output_is_set_up_by_mouse_and_keys(xvfb):
    if not shutil.which("xdotool"):
        pytest.skip("xdotool is not installed")
    with Window("vj-setup", size=(320, 180)) as window:
        show(window, (0, 0, 0))
        assert window.place and not window.events()
        left, top = glfw.get_window_pos(window._window)
        find = ["xdotool", "search", "--sync", "--name", "vj-setup", "windowfocus", "--sync"]
        subprocess.run([*find, "key", "o"], check=True, timeout=20)
        assert wait_for(lambda: show(window, (0, 0, 0), Knobs(), 1).setup)
        knobs, events = Knobs(setup=True), []
        show(window, (0, 0, 0), knobs)
        move = ["mousemove", str(left + 2), str(top + 2), "mousedown", "1"]
        move += ["mousemove", str(left + 32), str(top + 18), "mouseup", "1"]
        subprocess.run([*find, *move, "key", "Tab", "key", "shift+Right", "key", "Up"], check=True, timeout=20)

        def arrived() -> bool:
            assert show(window, (0, 0, 0), knobs, 1).speed == 1.0, "the arrows are the output's now"
            events.extend(window.events())
            return ("key", "up", False) in events

        assert wait_for(arrived)
        output = Setup().turn(Output(), knobs, events, (320, 180))
        assert output.corners[0] == (pytest.approx(0.1, abs=0.01), pytest.approx(0.1, abs=0.01)), "dragged"
        assert [e[1] for e in events if e[0] == "key"] == ["tab", "right", "up"]
        assert output.corners[1] == (pytest.approx(1 + 10 / 320), pytest.approx(-1 / 180))


@pytest.mark.real
def test_one_escape_alone_does_not_quit(xvfb):
    with Window("vj-esc", size=(64, 64)) as window:
        for moment in (10.0, 10.0 + 2 * TWO_ESC):
            window._keys.append(("escape", moment, False))
            knobs = window.turn(Knobs())
        assert window.is_open and knobs.quits == 1
        window._keys.append(("escape", 10.0 + 2.5 * TWO_ESC, False))
        window.turn(knobs)
        assert not window.is_open


@pytest.mark.real
def test_a_monitor_that_is_not_there_is_named_with_those_that_are(xvfb):
    with pytest.raises(ScreenError, match="no monitor 'Beamer': choose one of screen"):
        Window("vj", monitor="Beamer")


@pytest.mark.real
def test_present_keeps_to_the_rate_where_the_display_does_not_wait(xvfb):
    with Window("vj-rate", size=(64, 64), rate=50) as window:
        show(window, (0, 0, 0))
        begun = time.monotonic()
        show(window, (0, 0, 0), times=10)
        assert time.monotonic() - begun >= 9 * 0.95 / 50, "never faster; slower is the machine's affair"
        assert abs(window.shown - time.perf_counter()) < 5.0
        window.rate = 20
        show(window, (0, 0, 0), Knobs(fullscreens=1))
        assert window.is_fullscreen and window.rate == 20, "what was asked for outlives a change of monitor"


XORG = """
Section "Device"
  Identifier "d"
  Driver "dummy"
  VideoRam 256000
EndSection
Section "Monitor"
  Identifier "m"
  HorizSync 5.0 - 1000.0
  VertRefresh 5.0 - 200.0
EndSection
Section "Screen"
  Identifier "s"
  Device "d"
  Monitor "m"
  DefaultDepth 24
  SubSection "Display"
    Depth 24
    Modes "640x480"
    Virtual 1920 1080
  EndSubSection
EndSection
Section "ServerFlags"
  Option "AutoAddDevices" "false"
  Option "AutoAddGPU" "false"
EndSection
"""


@pytest.fixture(params=["", "openbox"], ids=["alone", "with a window manager"])
def two_monitors(tmp_path, monkeypatch, request):
    """Two monitors of 640x480 side by side, DUMMY0 and DUMMY1, that can be pulled by xrandr; a window manager or none."""
    if request.param and not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    if not (shutil.which("Xorg") and shutil.which("xrandr")) or os.getuid() != 0:
        pytest.skip("Xorg, xrandr, or the right to start it is missing")
    display = free_display()
    (tmp_path / "xorg.conf").write_text(XORG)
    command = ["Xorg", display, "-config", str(tmp_path / "xorg.conf"), "-logfile", str(tmp_path / "log"), "-noreset"]
    server = start([*command, "-novtswitch", "-sharevts", "-nolisten", "tcp", "vt1"], display, {})
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    glfw.terminate()
    managers: list[subprocess.Popen] = []

    def xrandr(*words: str) -> None:
        subprocess.run(["xrandr", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    try:
        assert wait_for(lambda: subprocess.run(["xrandr"], capture_output=True).returncode == 0)
        xrandr("--addmode", "DUMMY1", "640x480")
        xrandr("--output", "DUMMY0", "--mode", "640x480", "--pos", "0x0")
        xrandr("--output", "DUMMY1", "--mode", "640x480", "--pos", "640x0")
        xrandr()  # makes the server look again
        if request.param:
            managers.append(subprocess.Popen([request.param], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            time.sleep(0.5)  # GLFW asks for one when it starts
        if len(monitors()) != 2:
            pytest.skip("this Xorg shows no second monitor")
        yield xrandr
    except (subprocess.CalledProcessError, AssertionError):
        pytest.skip("Xorg's dummy driver gives no two monitors here")
    finally:
        glfw.terminate()
        for process in (*managers, server):
            process.terminate()
            process.wait()


@pytest.mark.real
def test_a_projector_pulled_and_put_back_has_its_picture_again(two_monitors):
    assert monitors() == ["DUMMY0", "DUMMY1"]
    with Window("vj-out", monitor="dummy1", fullscreen=True) as window:
        assert window.monitor == "DUMMY1" and window.rate > 1
        assert wait_for(lambda: show(window, (0, 1, 0)) and (screenshot()[:480, 640:1280] == (0, 255, 0)).all(), 4.0)
        assert not (screenshot()[:480, :640] == (0, 255, 0)).all(-1).any()
        two_monitors("--output", "DUMMY1", "--off")
        assert wait_for(lambda: show(window, (0, 1, 0), times=1) and window.hidden), "it waits hidden"
        assert not (screenshot()[:480, :640] == (0, 255, 0)).all(-1).any(), "and never on the operator's monitor"
        two_monitors("--output", "DUMMY1", "--mode", "640x480", "--pos", "640x0")
        two_monitors()
        assert wait_for(lambda: show(window, (0, 1, 0), times=1) and not window.hidden, 4.0)
        assert wait_for(lambda: show(window, (0, 1, 0)) and (screenshot()[:480, 640:1280] == (0, 255, 0)).all(), 4.0)
        assert window.is_fullscreen and window.is_open


@pytest.mark.real
def test_a_projector_pulled_moves_the_picture_where_that_is_wanted(two_monitors):
    with Window("vj-out", monitor="DUMMY1", fullscreen=True, unplugged="move") as window:
        show(window, (0, 1, 0))
        two_monitors("--output", "DUMMY1", "--off")
        assert wait_for(lambda: show(window, (0, 1, 0), times=1) and window.place == "DUMMY0")
        assert wait_for(lambda: show(window, (0, 1, 0)) and (screenshot()[:480, :640] == (0, 255, 0)).all(), 4.0)
        assert not window.hidden and window.monitor == "DUMMY1"
        two_monitors("--output", "DUMMY1", "--mode", "640x480", "--pos", "640x0")
        two_monitors()
        assert wait_for(lambda: show(window, (0, 1, 0)) and (screenshot()[:480, 640:1280] == (0, 255, 0)).all(), 4.0)
        assert window.place == "DUMMY1" and not (screenshot()[:480, :640] == (0, 255, 0)).all(-1).any()
