"""A MIDI controller -> Knobs, polled once a picture. NoMidi has the same face. Knows no keys, music or pictures.

All of it belongs to one thread. One long-lived object lists the ports, once a second; a port that has gone is given up
and opened anew when it is back (rtmidi itself says nothing and its old object does not come to life again).
"""

import contextlib
import logging
import os
import re
import sys
import time
from dataclasses import dataclass, replace
from typing import Self

import rtmidi

from vj.errors import MidiError
from vj.signals import Knobs

log = logging.getLogger("vj")

RANGED = {
    "speed": (0, 4), "drive": (0, 1), "brightness": (0, 2), "warmth": (-1, 1), "look": (1, 9), "nudge_x": (0, 1),
    "nudge_y": (0, 1),
}  # fmt: skip
PRESSED = ("resets", "taps", "items", "safes", "footages", "cuts", "ones", "halves", "doubles", "earlier", "later")  # counters
SWITCHED = ("blackout", "freeze", "hud", "help", "setup")
LOOK_SECONDS = 1.0  # between two looks at the list of ports
NOTE_OFF, NOTE_ON, CC = 0x80, 0x90, 0xB0  # status bytes, upper half
CLIENT = "vj"


@dataclass(frozen=True, slots=True)
class KnobTable:
    """The MIDI half of the table, checked."""

    ranges: dict[str, tuple[float, float]]
    controllers: dict[str, dict[tuple[int, int], str]]  # part of a port's name -> (CC or NOTE_ON, number) -> action

    @classmethod
    def parse(cls, table: dict) -> Self:
        """From the parsed TOML's [midi]. Raises MidiError that names the line."""
        try:
            ranges = {name: (float(low), float(high)) for name, (low, high) in table["range"].items()}
            controllers = {}
            for name, kinds in table["controller"].items():
                actions = {}
                for kind, status in (("cc", CC), ("note", NOTE_ON)):
                    for number, action in kinds.get(kind, {}).items():
                        actions[status, int(number)] = action
                controllers[name] = actions
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MidiError(f"The table's [midi] part cannot be read ({error!r}): compare vj/table.toml.") from error
        for name, limits in RANGED.items():
            low, high = ranges.get(name, limits)
            if not (limits[0] <= low <= limits[1] and limits[0] <= high <= limits[1]):
                raise MidiError(f"The table's [midi.range] {name} must lie within {limits[0]} and {limits[1]}.")
            ranges[name] = (low, high)
        for name, actions in controllers.items():
            for (_, number), action in actions.items():
                if not 0 <= number <= 127 or not _known(action):
                    raise MidiError(
                        f'The table\'s [midi.controller."{name}"] {number} = {action!r} is unknown: use '
                        f"{', '.join((*RANGED, *PRESSED, *SWITCHED))} or look:1 ... look:9."
                    )
        return cls(ranges, controllers)

    def actions(self, port: str) -> dict[tuple[int, int], str]:
        """Of the controller with the longest name that is a part of the port's, else of "*"."""
        fits = [name for name in self.controllers if name != "*" and name.lower() in port.lower()]
        return self.controllers.get(max(fits, key=len, default="*"), {})


class Decoder:
    """MIDI messages -> Knobs, for one controller. A CC that serves as a button counts when it rises over the middle."""

    def __init__(self, table: KnobTable, port: str):
        self._ranges, self._actions = table.ranges, table.actions(port)
        self._high: set[int] = set()  # CC numbers that stand over the middle

    def turn(self, knobs: Knobs, message: list[int]) -> Knobs:
        """The knobs after one message, on any channel. Whatever is not in the table changes nothing."""
        if len(message) != 3:
            return knobs
        status, number, value = message[0] & 0xF0, message[1], message[2]
        action = self._actions.get((status, number))
        if action is None or (status == NOTE_ON and value == 0):
            return knobs
        if status == CC and action in RANGED:
            low, high = self._ranges[action]
            wanted = low + (high - low) * value / 127
            return replace(knobs, **{action: round(wanted) if action == "look" else wanted})
        if status == CC:
            was_high = number in self._high
            (self._high.add if value > 63 else self._high.discard)(number)
            if was_high or value <= 63:
                return knobs
        return _press(knobs, action)


class Midi:
    """Listens to one controller: the port whose name holds `name`, or the first there is. Comes and goes as it will."""

    def __init__(self, watcher: rtmidi.MidiIn, api: int, name: str | None, table: KnobTable):
        self._watcher, self._api, self._name, self._table = watcher, api, name, table
        self._open: rtmidi.MidiIn | None = None
        self._decoder: Decoder | None = None
        self._next_look = 0.0
        self.port = ""  # the name of the port in use; "" none

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        self._give_up()
        self._watcher.delete()

    def turn(self, knobs: Knobs) -> Knobs:
        """Folds the waiting messages into new knobs. Never raises and never waits."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look()
        while self._open is not None and (message := self._open.get_message()) is not None:
            knobs = self._decoder.turn(knobs, message[0])
        return knobs

    def _look(self) -> None:
        try:
            names = _clean(self._watcher.get_ports())
            if self._open is not None and self.port not in names:
                log.warning("MIDI: %s is gone", self.port)
                self._give_up()
            if self._open is None and (index := _wanted(names, self._name)) is not None:
                port = rtmidi.MidiIn(self._api, CLIENT, queue_size_limit=4096)
                port.open_port(index, "in")
                self._open, self.port = port, names[index]
                self._decoder = Decoder(self._table, self.port)
                log.info("MIDI: listening to %s", self.port)
        except (rtmidi.RtMidiError, rtmidi.SystemError, ValueError, OSError) as error:
            log.warning("MIDI: %s", error)
            self._give_up()

    def _give_up(self) -> None:
        port, self._open, self.port = self._open, None, ""
        if port is not None:
            with contextlib.suppress(rtmidi.RtMidiError, rtmidi.SystemError):
                port.close_port()
            port.delete()


class NoMidi:
    """The same face where there is no MIDI at all."""

    port = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_) -> None:
        pass

    def turn(self, knobs: Knobs) -> Knobs:
        return knobs


def open_midi(name: str | None, table: KnobTable) -> Midi | NoMidi:
    """A controller by (a part of) its name, or the first one there is, now or later.

    Raises MidiError only where a name was given and no port has it.
    """
    watcher, api = _watch()
    names = _clean(watcher.get_ports()) if watcher else []
    if name is not None and _wanted(names, name) is None:
        if watcher:
            watcher.delete()
        there = ", ".join(names) or "none"
        raise MidiError(f"There is no MIDI port {name!r}: choose one of these: {there} (see `vj devices`).")
    return Midi(watcher, api, name, table) if watcher else NoMidi()


def ports() -> list[str]:
    """Names of the MIDI inputs, as --midi takes them."""
    watcher, _ = _watch()
    if watcher is None:
        return []
    names = _clean(watcher.get_ports())
    watcher.delete()
    return names


def _watch() -> tuple[rtmidi.MidiIn | None, int]:
    """An object that lists ports, of the first MIDI system that answers. Where ALSA is missing its wrapper raises."""
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    for api in rtmidi.get_compiled_api():
        if api == rtmidi.API_LINUX_ALSA and not os.path.exists("/dev/snd/seq"):
            continue
        with _quiet(), contextlib.suppress(rtmidi.RtMidiError, rtmidi.SystemError):
            return rtmidi.MidiIn(api, f"{CLIENT}-list"), api
    return None, 0


@contextlib.contextmanager
def _quiet():
    """libjack and libasound complain on the terminal where they are not running; that is no news to anybody."""
    try:
        sys.stderr.flush()
        kept = os.dup(2)
    except (OSError, ValueError, AttributeError):
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)


def _clean(names: list[str]) -> list[str]:
    """Port names without the numbers that ALSA gives anew each time ("nanoKONTROL2:MIDI 1 28:0")."""
    return [re.sub(r"\s+\d+:\d+$", "", name) for name in names]


def _wanted(names: list[str], name: str | None) -> int | None:
    """Index of the port to open. Without a name, ports that only pass MIDI through, and our own, do not count."""
    for index, port in enumerate(names):
        if name is not None and name.lower() in port.lower():
            return index
        if name is None and "through" not in port.lower() and not port.startswith(CLIENT):
            return index
    return None


def _known(action: object) -> bool:
    return action in [*RANGED, *PRESSED, *SWITCHED, *(f"look:{n}" for n in range(1, 10))]


def _press(knobs: Knobs, action: str) -> Knobs:
    if action == "safes":
        return knobs.made_safe()
    if action in PRESSED:
        return replace(knobs, **{action: getattr(knobs, action) + 1})
    if action in SWITCHED:
        return replace(knobs, **{action: not getattr(knobs, action)})
    if action.startswith("look:"):
        return replace(knobs, look=int(action[5:]))
    return knobs  # a note on a ranged knob means nothing
