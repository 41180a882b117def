"""Setting up a projector by keys, mouse and MIDI while the test card shows: events -> a changed Output. No GL here.

An event is ("key", name, shift held) or ("down" | "drag" | "up", x, y) with x, y as shares of the screen from its upper
left. `tab` chooses the next thing, arrows change it (with shift ten times as much), backspace makes it neutral again.
"""

from dataclasses import replace

from vj.render.output import LIMITS, SQUARE, Output
from vj.signals import Knobs

CORNERS = ("upper left", "upper right", "lower right", "lower left")
ITEMS = (*CORNERS, "brightness", "gamma", "red", "green", "blue", "turn", "mirror", "fit", "offset_ms")
STEPS = {"brightness": 0.02, "gamma": 0.02, "red": 0.01, "green": 0.01, "blue": 0.01, "offset_ms": 1.0}
ARROWS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
KNOB = 0.25  # of the screen, or of a number's range, that a whole turn of a MIDI knob moves it
GRASP = 0.08  # of the screen: how near the mouse must be to a corner


class Setup:
    """What is chosen now, and how far the knobs have been turned. One for a show."""

    def __init__(self):
        self.chosen = 0  # index in ITEMS
        self._items = 0  # presses answered
        self._nudges: tuple[float, float] | None = None
        self._held: int | None = None  # the corner that the mouse drags

    def turn(self, output: Output, knobs: Knobs, events: list[tuple], size: tuple[int, int]) -> Output:
        """The output after these events; unchanged while knobs.setup is off. size: (width, height) px of the screen."""
        nudges, before = (knobs.nudge_x, knobs.nudge_y), self._nudges
        self._nudges = nudges
        if not knobs.setup or min(size) < 1:
            self._items, self._held = knobs.items, None
            return output
        self.chosen = (self.chosen + knobs.items - self._items) % len(ITEMS)
        self._items = knobs.items
        for event in events:
            output = self._answer(output, event, size)
        if before is not None and nudges != before:
            output = self._nudge(output, nudges[0] - before[0], nudges[1] - before[1])
        return output

    def _answer(self, output: Output, event: tuple, size: tuple[int, int]) -> Output:
        match event:
            case ("key", "tab", shift):
                self.chosen = (self.chosen + (-1 if shift else 1)) % len(ITEMS)
            case ("key", "backspace", _):
                return self._neutral(output)
            case ("key", name, shift) if name in ARROWS:
                return self._step(output, *ARROWS[name], 10 if shift else 1, size)
            case ("down", x, y):
                far = [max(abs(x - cx), abs(y - cy)) for cx, cy in output.corners]
                self._held = far.index(min(far)) if min(far) <= GRASP else None
                self.chosen = self.chosen if self._held is None else self._held
            case ("drag", x, y) if self._held is not None:
                return output.with_corner(self._held, x, y)
            case ("up", _, _):
                self._held = None
        return output

    def _step(self, output: Output, right: int, down: int, times: int, size: tuple[int, int]) -> Output:
        """One press of an arrow: a pixel, a step, or the next choice."""
        name = ITEMS[self.chosen]
        if self.chosen < 4:
            x, y = output.corners[self.chosen]
            return output.with_corner(self.chosen, x + times * right / size[0], y + times * down / size[1])
        if name in STEPS:
            return output.turned(name, (right - down) * times * STEPS[name])
        if name == "turn":
            return replace(output, turn=(output.turn + 90 * (right - down)) % 360)
        if name == "mirror":
            return replace(output, mirror=not output.mirror)
        return replace(output, fit="letterbox" if output.fit == "fill" else "fill")

    def _nudge(self, output: Output, right: float, down: float) -> Output:
        name = ITEMS[self.chosen]
        if self.chosen < 4:
            x, y = output.corners[self.chosen]
            return output.with_corner(self.chosen, x + KNOB * right, y + KNOB * down)
        if name in STEPS:
            low, high = LIMITS[name]
            return output.turned(name, KNOB * (high - low) * (right + down))
        return output

    def _neutral(self, output: Output) -> Output:
        if self.chosen < 4:
            return output.with_corner(self.chosen, *SQUARE[self.chosen])
        name = ITEMS[self.chosen]
        return replace(output, **{name: getattr(Output(), name)})

    def lines(self, output: Output, monitor: str, size: tuple[int, int], rate: float) -> tuple[str, ...]:
        """What the test card says."""
        name = ITEMS[self.chosen]
        if self.chosen < 4:
            x, y = output.corners[self.chosen]
            value = f"{x * size[0]:.0f}, {y * size[1]:.0f} px"
        else:
            value = getattr(output, name)
            value = f"{value:.2f}" if isinstance(value, float) else str(value)
        return (
            f"{monitor or 'no monitor'}",
            f"{size[0]} x {size[1]}, {rate:.0f} Hz",
            f"> {name.replace('_ms', ' ms')}:  {value}",
            "Tab next, arrows change, Shift more, Backspace back, o done",
        )
