"""A window on the right monitor, and its headless twin. Keys become Knobs. Knows no pictures and no passes.

GLFW lives here and nowhere else; everything in this file belongs to the main thread.
"""

import ctypes
import platform
import time
from collections.abc import Callable
from dataclasses import replace

import glfw
import moderngl

from vj.errors import ScreenError
from vj.render.patience import finish
from vj.signals import Knobs

KEYS = (
    ("space", "freeze the picture"),
    ("b", "blackout"),
    ("r", "new seed"),
    ("f", "full screen"),
    ("up / down", "speed"),
    ("t", "tap tempo"),
    ("/", "the bar begins now"),
    (", .", "half, double tempo"),
    ("[ ]", "beats earlier, later"),
    ("n", "next footage"),
    ("c", "cut to another scene"),
    ("d", "head-up display"),
    ("h", "this help"),
    ("1 ... 9", "looks"),
    ("0", "safe: clean look, usual light"),
    ("o", "set up the output: test card"),
    ("Esc Esc", "quit"),
)
"""Every key and what it does: the help text and the README show this table."""

ARROWS = ("left", "right", "up", "down")
SPEED_STEP = 0.1  # of knobs.speed, a press of up or down
GIVEN = 0.3  # s that a window manager is given for what it was asked
SETTLE = 2.0  # s after a monitor came or went, in which its place is looked after
LOOK = 0.002  # s between two looks whether there is a reason not to wait
TWO_ESC = 1.0  # s within which the second Esc quits
USUAL_RATE = 60.0  # Hz, where a monitor does not know its own
SETUP = ("tab", "backspace", "left", "right", "up", "down")  # keys that set up the output while the test card shows
NAMES = {
    glfw.KEY_TAB: "tab", glfw.KEY_BACKSPACE: "backspace", glfw.KEY_LEFT: "left", glfw.KEY_RIGHT: "right",
    glfw.KEY_SPACE: "space", glfw.KEY_UP: "up", glfw.KEY_DOWN: "down", glfw.KEY_ESCAPE: "escape",
    glfw.KEY_COMMA: ",", glfw.KEY_PERIOD: ".", glfw.KEY_SLASH: "/", glfw.KEY_LEFT_BRACKET: "[", glfw.KEY_RIGHT_BRACKET: "]",
    **{getattr(glfw, f"KEY_{c}"): c.lower() for c in "BCRFTDHON0123456789"},
    **{getattr(glfw, f"KEY_KP_{c}"): c for c in "0123456789"},
}  # fmt: skip


COUNTED = {"r": "resets", "f": "fullscreens", "t": "taps", "/": "ones", ",": "halves", ".": "doubles", "[": "earlier",
           "]": "later", "n": "footages", "c": "cuts", "escape": "quits"}  # fmt: skip
TURNED = {"space": "freeze", "b": "blackout", "d": "hud", "h": "help", "o": "setup"}  # on and off


def press(knobs: Knobs, key: str) -> Knobs:
    """The knobs after one press. Unknown keys change nothing."""
    if key in COUNTED:
        return replace(knobs, **{COUNTED[key]: getattr(knobs, COUNTED[key]) + 1})
    if key in TURNED:
        return replace(knobs, **{TURNED[key]: not getattr(knobs, TURNED[key])})
    match key:
        case "up":
            return replace(knobs, speed=min(4.0, round(knobs.speed + SPEED_STEP, 3)))
        case "down":
            return replace(knobs, speed=max(0.0, round(knobs.speed - SPEED_STEP, 3)))
        case "0":
            return knobs.made_safe()
        case _ if key in set("123456789"):
            return replace(knobs, look=int(key))
    return knobs


def rest(until: float, wake: Callable[[], bool] | None) -> bool:
    """Sleeps until a moment (s on time.perf_counter), or until wake() says True: then True comes back."""
    while (left := until - time.perf_counter()) > 0:
        if wake is not None and wake():
            return True
        time.sleep(left if wake is None else min(left, LOOK))
    return False


# ------------------------------------------------------------------------------------------------- monitors
def _start_glfw() -> None:
    glfw.ERROR_REPORTING = "ignore"  # what matters is told by our own sentences
    glfw.set_error_callback(None)
    if not glfw.init():
        raise ScreenError(
            "There is no display to open a window on: start the show from a desktop, or make a film with `vj render`."
        )


def _named() -> dict[str, object]:
    """Monitors by name; a second one of the same make is 'NAME #2'."""
    found: dict[str, object] = {}
    for monitor in glfw.get_monitors() or ():
        name, number = (glfw.get_monitor_name(monitor) or b"monitor").decode(errors="replace"), 1
        unique = name
        while unique in found:
            number += 1
            unique = f"{name} #{number}"
        found[unique] = monitor
    return found


def monitors() -> list[str]:
    """Names of the monitors, the primary one first; empty where there is no display."""
    try:
        _start_glfw()
    except ScreenError:
        return []
    return list(_named())


def _find(name: str) -> str:
    """The full name of the monitor meant. Raises ScreenError where none or several fit."""
    names = list(_named())
    fits = [n for n in names if n.lower() == name.lower()] or [n for n in names if name.lower() in n.lower()]
    if len(fits) == 1:
        return fits[0]
    said = "There is no monitor" if not fits else "There is more than one monitor"
    raise ScreenError(f"{said} {name!r}: choose one of {', '.join(names) or 'none'} (see `vj devices`).")


def _let_go_of_egl() -> None:
    """A thread that still holds an EGL context may not take one of a window: X would end the program at once."""
    if platform.system() == "Linux":
        try:
            ctypes.CDLL("libEGL.so.1").eglReleaseThread()
        except (OSError, AttributeError):
            pass  # no EGL here, and so nothing held


# --------------------------------------------------------------------------------------------------- window
class Window:
    """A window with an OpenGL 3.3 core context, as a `with`.

    monitor: name (or a part of it) of the one to be on. size: (width, height) px when not in full screen.
    rate: pictures a second at most; None takes the monitor's own, 60 where it does not say.
    When the monitor of a full screen is unplugged the window hides, or with unplugged="move" fills another one; it is
    back when a monitor of that name is.
    """

    def __init__(
        self,
        title: str,
        monitor: str | None = None,
        fullscreen: bool = False,
        size: tuple[int, int] = (1280, 720),
        rate: float | None = None,
        unplugged: str = "hide",
    ):
        _start_glfw()
        self._moves = unplugged == "move"
        self._settle = self._next_look = 0.0  # s on time.perf_counter: until when its place is looked after, and when next
        self._guest = False  # on another monitor until its own is back
        self._rate, self._own_rate, self._due = rate, USUAL_RATE, 0.0
        self.shown = 0.0  # s on time.perf_counter: when the last picture was handed to the display
        self._keys: list[tuple[str, float, bool]] = []  # pressed since the last turn, with their moment and Shift
        self._events: list[tuple] = []  # for setting up the output
        self._setup, self._cursor = False, (0.5, 0.5)  # where the mouse is, as shares of the window
        self._last_escape = -TWO_ESC
        self._toggles = 0  # knobs.fullscreens already answered
        self._plugged = False  # a monitor came or went
        self.hidden = False  # waiting for its monitor
        self.is_fullscreen = False
        self.monitor = _find(monitor) if monitor else None  # the name it lives on
        hints = {
            glfw.CONTEXT_VERSION_MAJOR: 3, glfw.CONTEXT_VERSION_MINOR: 3, glfw.OPENGL_PROFILE: glfw.OPENGL_CORE_PROFILE,
            glfw.OPENGL_FORWARD_COMPAT: True, glfw.AUTO_ICONIFY: False, glfw.DOUBLEBUFFER: True, glfw.DEPTH_BITS: 0,
            glfw.STENCIL_BITS: 0, glfw.CENTER_CURSOR: False, glfw.VISIBLE: False,
        }  # fmt: skip
        for hint, value in hints.items():
            glfw.window_hint(hint, value)
        self._window = glfw.create_window(*(max(1, side) for side in size), title, None, None)
        if not self._window:
            raise ScreenError("This display gives no OpenGL 3.3: update its driver, or make a film with `vj render`.")
        _let_go_of_egl()
        glfw.make_context_current(self._window)
        glfw.swap_interval(1)
        try:
            self.context = moderngl.create_context(require=330)
        except Exception as error:
            glfw.destroy_window(self._window)
            raise ScreenError(f"OpenGL cannot be used here ({error}): make a film with `vj render`.") from None
        self.context.screen.use()
        glfw.set_key_callback(self._window, self._on_key)
        glfw.set_monitor_callback(self._on_monitor)
        glfw.set_mouse_button_callback(self._window, self._on_button)
        glfw.set_cursor_pos_callback(self._window, self._on_mouse)
        if self.monitor:
            x, y, width, height = glfw.get_monitor_workarea(_named()[self.monitor])
            glfw.set_window_pos(self._window, x + max(0, width - size[0]) // 2, y + max(0, height - size[1]) // 2)
        self._ask_rate()
        glfw.show_window(self._window)  # first: a window manager makes nothing full that is not to be seen
        glfw.poll_events()
        if fullscreen:
            self._go_full()
        until = time.perf_counter() + SETTLE
        while fullscreen and not self._is_there() and time.perf_counter() < until:  # what follows measures at its size
            time.sleep(0.02)
            glfw.poll_events()
        for _ in range(2):  # dark until the show begins, not what happened to be there
            self.context.clear()
            glfw.swap_buffers(self._window)

    def __enter__(self) -> "Window":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the window; what was made in its context must not be used afterwards."""
        if self._window:
            glfw.set_monitor_callback(None)
            self.context.release()
            glfw.destroy_window(self._window)
            glfw.terminate()
            self._window = None

    @property
    def is_open(self) -> bool:
        return self._window is not None and not glfw.window_should_close(self._window)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) px of the framebuffer; (0, 0) while minimised."""
        return tuple(glfw.get_framebuffer_size(self._window)) if self._window else (0, 0)

    @property
    def rate(self) -> float:
        """Pictures a second at most: what was asked for, else the monitor's own."""
        return max(1.0, self._rate or self._own_rate)

    @rate.setter
    def rate(self, rate: float | None) -> None:
        self._rate = rate

    # ------------------------------------------------------------------------------------------- each picture
    def turn(self, knobs: Knobs) -> Knobs:
        """Folds the keys pressed since the last call into new knobs, and answers those that are the window's own."""
        glfw.poll_events()
        keys, self._keys = self._keys, []
        for key, moment, shift in keys:
            if knobs.setup and key in SETUP:
                self._events.append(("key", key, shift))
                continue
            knobs = press(knobs, key)
            if key == "escape":
                if moment - self._last_escape <= TWO_ESC:
                    glfw.set_window_should_close(self._window, True)
                self._last_escape = moment
        if (knobs.fullscreens - self._toggles) % 2:
            self._go_windowed() if self.is_fullscreen else self._go_full()
        self._toggles = knobs.fullscreens
        if self._plugged:
            self._plugged = False
            self._rehome()
            self._look_after()
        if self._next_look < time.perf_counter() < self._settle:
            self._next_look = time.perf_counter() + GIVEN
            self._stay()
        if knobs.setup != self._setup:
            self._setup = knobs.setup
            self._show_cursor()
        return knobs

    def events(self) -> list[tuple]:
        """What happened since the last call that sets up the output (see render/setup.py); none unless it is on."""
        events, self._events = self._events, []
        return events if self._setup else []

    @property
    def place(self) -> str:
        """Name of the monitor it is on, or waits for; "" unknown."""
        if (self.is_fullscreen or self.hidden) and not self._guest:
            return self.monitor or ""
        return self._here() or ""

    def present(self, wake: Callable[[], bool] | None = None) -> None:
        """Shows what was drawn, then waits until the next picture is due where the display itself does not.

        wake: asked while waiting; where it says True the next picture is due at once, and the others follow that one.
        """
        glfw.swap_buffers(self._window)
        self.shown = time.perf_counter()
        period = 0.98 / self.rate  # a little short, so that a display that does wait sets the pace
        if rest(min(self._due, self.shown + period), wake):
            self._due = time.perf_counter()
        self._due = max(self._due, time.perf_counter() - period) + period

    # ------------------------------------------------------------------------------------------ where it stands
    def _on_key(self, _window, key, _scancode, action, mods) -> None:
        name = NAMES.get(key)
        if name and (action == glfw.PRESS or (action == glfw.REPEAT and name in ARROWS)):
            self._keys.append((name, time.perf_counter(), bool(mods & glfw.MOD_SHIFT)))

    def _on_button(self, _window, button, action, _mods) -> None:
        if self._setup and button == glfw.MOUSE_BUTTON_LEFT:
            self._events.append(("down" if action == glfw.PRESS else "up", *self._cursor))

    def _on_mouse(self, _window, x, y) -> None:
        self._cursor = self._share(x, y)
        if self._setup:
            self._events.append(("drag", *self._cursor))

    def _share(self, x: float, y: float) -> tuple[float, float]:
        width, height = glfw.get_window_size(self._window)
        return x / max(1, width), y / max(1, height)

    def _show_cursor(self) -> None:
        """A cursor is seen in a window, and where the output is set up by mouse; never on the projector in the show."""
        shown = self._setup or not self.is_fullscreen
        glfw.set_input_mode(self._window, glfw.CURSOR, glfw.CURSOR_NORMAL if shown else glfw.CURSOR_HIDDEN)

    def _on_monitor(self, _monitor, _event) -> None:
        self._plugged = True  # seen to in turn(): a callback parses, puts down, returns

    def _here(self) -> str | None:
        """Name of the monitor that shows most of the window."""
        x, y = glfw.get_window_pos(self._window)
        width, height = glfw.get_window_size(self._window)

        def shared(monitor) -> int:
            left, top = glfw.get_monitor_pos(monitor)
            mode = glfw.get_video_mode(monitor)
            wide = min(x + width, left + mode.size.width) - max(x, left)
            return max(0, wide) * max(0, min(y + height, top + mode.size.height) - max(y, top))

        named = _named()
        return max(named, key=lambda name: shared(named[name]), default=None)

    def _ask_rate(self) -> None:
        monitor = _named().get(self.monitor) or glfw.get_primary_monitor()
        mode = glfw.get_video_mode(monitor) if monitor else None
        self._own_rate = float(mode.refresh_rate) if mode and mode.refresh_rate > 0 else USUAL_RATE  # virtual: 0

    def _go_full(self) -> None:
        if not self.monitor or self.monitor not in _named():
            self.monitor = self._here()
        if self.monitor is None:
            return
        self._fill(_named()[self.monitor])
        self._look_after()

    def _fill(self, monitor) -> None:
        mode = glfw.get_video_mode(monitor)
        self._windowed = (*glfw.get_window_pos(self._window), *glfw.get_window_size(self._window))
        glfw.set_window_monitor(
            self._window, monitor, 0, 0, mode.size.width, mode.size.height, mode.refresh_rate or glfw.DONT_CARE
        )
        self.is_fullscreen = True
        self._show_cursor()
        self._ask_rate()

    def _go_windowed(self) -> None:
        x, y, width, height = self._windowed
        glfw.set_window_monitor(self._window, None, x, y, max(1, width), max(1, height), glfw.DONT_CARE)
        if self.hidden:
            glfw.show_window(self._window)
        self.is_fullscreen = self.hidden = self._guest = False
        self._show_cursor()

    def _rehome(self) -> None:
        """A full screen whose monitor has gone waits hidden, never on the operator's, and returns to one of that name."""
        self._ask_rate()
        if not self.is_fullscreen:
            return
        named = _named()
        if self.monitor in named:
            if self.hidden or self._guest or not glfw.get_window_monitor(self._window):
                self._go_to(named[self.monitor])
                self.hidden = self._guest = False
        elif self._moves and named:
            self._go_to(next(iter(named.values())))
            self._guest = True
        else:
            glfw.hide_window(self._window)
            self.hidden = True

    def _go_to(self, monitor) -> None:
        """Fills another monitor. A window manager fills the one where the window stands: it stands there first."""
        windowed, (x, y) = self._windowed, glfw.get_monitor_pos(monitor)
        size = glfw.get_video_mode(monitor).size
        glfw.set_window_monitor(self._window, None, x, y, size.width, size.height, glfw.DONT_CARE)
        glfw.show_window(self._window)
        glfw.set_window_pos(self._window, x, y)
        self._fill(monitor)
        self._windowed = windowed

    def _look_after(self) -> None:
        now = time.perf_counter()
        self._settle, self._next_look = now + SETTLE, now + GIVEN

    def _stay(self) -> None:
        """For a while after that: is it where it should be? A window manager may have had ideas of its own."""
        if self.is_fullscreen and not self.hidden and not self._is_there():
            self._go_to(self._meant())

    def _meant(self):
        """The monitor that a full screen should fill now; None where it is not there."""
        named = _named()
        return next(iter(named.values()), None) if self._guest else named.get(self.monitor)

    def _is_there(self) -> bool:
        """Whether it fills that monitor, or could not."""
        monitor = self._meant()
        if monitor is None:
            return True
        size = glfw.get_video_mode(monitor).size
        there = (*glfw.get_monitor_pos(monitor), size.width, size.height)
        return (*glfw.get_window_pos(self._window), *glfw.get_window_size(self._window)) == there


class HeadlessWindow:
    """The same face without a display: a framebuffer of the given (width, height) px, drawn by EGL."""

    def __init__(self, size: tuple[int, int] = (1280, 720)):
        backend = {"backend": "egl"} if platform.system() == "Linux" else {}
        try:
            self.context = moderngl.create_context(standalone=True, require=330, **backend)
        except Exception as error:
            raise ScreenError(
                f"OpenGL cannot be used without a display ({error}): install libegl1 and libgl1-mesa-dri."
            ) from None
        self.size, self.is_open, self.is_fullscreen, self.monitor, self.rate = size, True, False, None, USUAL_RATE
        self.shown, self.place = 0.0, ""
        self.framebuffer = self.context.simple_framebuffer(size, components=4)
        self.framebuffer.use()

    def __enter__(self) -> "HeadlessWindow":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            self.context.release()
            _let_go_of_egl()

    def turn(self, knobs: Knobs) -> Knobs:
        """There are no keys here."""
        return knobs

    def events(self) -> list[tuple]:
        """Nor a mouse."""
        return []

    def present(self, wake: Callable[[], bool] | None = None) -> None:
        """Nobody watches, and nobody waits."""
        finish(self.context)
        self.shown = time.perf_counter()
