"""Figures of a running show, for the head-up display and the log. Time is an argument; nothing here is measured."""

from dataclasses import dataclass

from vj.player import Pulse
from vj.signals import AudioFeatures, Knobs, LearningReport


class Pace:
    """Intervals between presented pictures, and model frames, since the last reading."""

    def __init__(self):
        self._frames = (0, None)  # model frames at the last reading, and when that was
        self._last: float | None = None
        self._begun = 0.0
        self._count, self._slowest = 0, 0.0

    def tick(self, now: float) -> None:
        """A picture was presented at now (s)."""
        if self._last is None:
            self._begun = now
        else:
            self._slowest = max(self._slowest, now - self._last)
            self._count += 1
        self._last = now

    def read(self) -> tuple[float, float]:
        """(pictures a second, slowest interval in ms) since the last reading, which begins anew."""
        if self._last is None or self._last <= self._begun:
            return 0.0, 0.0
        fps, slowest = self._count / (self._last - self._begun), self._slowest * 1e3
        self._begun, self._count, self._slowest = self._last, 0, 0.0
        return fps, slowest

    def read_frames(self, frames: int, now: float) -> float:
        """Model frames a second since the last reading, from their count at now (s)."""
        (before, since), self._frames = self._frames, (frames, now)
        return 0.0 if since is None or now <= since else (frames - before) / (now - since)


@dataclass(frozen=True, slots=True)
class State:
    """All that the display tells."""

    seconds: float  # since the show began
    display_fps: float
    slowest_ms: float
    display_rate: float  # wanted
    model_fps: float
    model_rate: float  # wanted
    device: str
    pulse: Pulse
    age: float  # s since these weights were taken
    learning: LearningReport | None  # None: nobody learns
    learner_alive: bool
    features: AudioFeatures
    sound: str  # name of the source
    latency_ms: float  # from a sound's arrival to the picture that answers it, in the display pass
    overflows: int
    knobs: Knobs
    midi: str  # name of the port
    messages: tuple[str, ...] = ()  # what is wrong now
    network_ms: float = 0.0  # likewise, through the network
    held: bool = False  # the strobe limiter takes light away


def hud(state: State) -> tuple[str, ...]:
    """The head-up display's lines."""
    heard, knobs, pulse = state.features, state.knobs, state.pulse
    tempo = f"{heard.tempo:.0f} bpm" if heard.tempo else "no beat"
    lines = (
        f"display  {state.display_fps:.1f} of {state.display_rate:.0f} fps, slowest {state.slowest_ms:.0f} ms"
        f"{', FLASHES held down' if state.held else ''}",
        f"model  {state.model_fps:.1f} of {state.model_rate:.0f} fps, {pulse.model_ms:.0f} ms, late {pulse.late} "
        f"({state.device})",
        f"weights  {pulse.version}, {_age(state.age)} old, {pulse.swaps} swaps",
        f"trainer  {_learning(state)}",
        f"sound  {heard.level_db:.0f} dB, loudness {heard.loudness:.2f}{', CLIPPED' if heard.clipped else ''}, "
        f"{tempo}, {heard.kicks}/{heard.snares}/{heard.hats} ({state.sound})",
        f"latency  {state.latency_ms:.0f} ms, {state.network_ms:.0f} ms through the network, overflows {state.overflows}",
        f"knobs  speed {knobs.speed:.2f}, drive {knobs.drive:.2f}, light {knobs.brightness:.2f}, look {knobs.look}"
        f"{', ' + state.midi if state.midi else ', no MIDI'}",
    )
    return (*lines, *(f"! {message}" for message in state.messages))


def line(state: State) -> str:
    """The same in one line, for the log."""
    return f"{_age(state.seconds)} | " + " | ".join(" ".join(part.split()) for part in hud(state))


def _learning(state: State) -> str:
    report = state.learning
    if report is None:
        return "off"
    if not state.learner_alive:
        return f"has ended: {report.message}" if report.message else "has ended"
    if not report.steps:
        return report.message or "is getting ready"
    said = f"loss {report.loss:.3f}, {report.steps} steps, skill {report.skill:+.1f} dB, {report.rejected} refused"
    return f"{said}, {report.message}" if report.message else said


def _age(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"
