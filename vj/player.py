"""The generator's thread: makes model frames at a steady rate and hands over the last ones as one frozen value.

The window never waits for it. It knows no screen and no sound card; its clock is time.perf_counter.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from vj.errors import VJError
from vj.show import Made, Maker, between
from vj.signals import AudioFeatures, Knobs, Picture
from vj.trace import Trace
from vj.weights import Inbox

log = logging.getLogger("vj")

RETRY_SECONDS = 1.0  # after a failure of the network
EASES = 0.96  # share of the allowance that is left from frame to frame: what one slow frame took is soon forgotten
STARTS = 12  # first pictures kept ready, so that a new seed is seen at once whatever the network does
STARTS_SECONDS = 0.6  # that making them may take, but for the first


@dataclass(frozen=True, slots=True)
class Strip:
    """Three model frames, and from when on the picture moves to the second and to the third of them."""

    frames: tuple[Made, Made, Made]
    moments: tuple[float, float]  # s
    period: float  # s that each move lasts
    resets: int = 0  # presses of reset that it answers

    def at(self, now: float, features: AudioFeatures) -> Picture:
        """The picture of this moment. A late network makes the world wait at its last frame; it never jumps back."""
        first, second, third = self.frames
        if now < self.moments[1]:
            return between(first, second, (now - self.moments[0]) / self.period, features)
        return between(second, third, (now - self.moments[1]) / self.period, features)


@dataclass(frozen=True, slots=True)
class Pulse:
    """How the thread fares."""

    frames: int = 0
    model_ms: float = 0.0  # the last frame
    slowest_ms: float = 0.0  # of all frames
    late: int = 0  # frames that were not ready in time
    swaps: int = 0
    swap_ms: float = 0.0  # the slowest taking over of fresh weights
    version: int = 0  # of the weights in use
    since: float = 0.0  # perf_counter at which they were taken
    fault: str = ""  # why there are no new frames, "" all is well
    last: float = 0.0  # perf_counter at which the last frame was made


class Player:
    """Use as a `with`. The main thread assigns `knobs` and asks for `picture`; this thread assigns `strip` and `pulse`.

    A new seed's first picture is kept ready: it is shown as soon as the key is pressed, also where the network hangs.
    """

    def __init__(
        self,
        maker: Maker,
        fps: float,
        listen: Callable[[], AudioFeatures],
        inbox: Inbox | None = None,
        fade_frames: int = 30,
        trace: Trace | None = None,
    ):
        self._maker, self._period, self._listen, self._inbox = maker, 1 / fps, listen, inbox
        self._fade_frames, self._trace = fade_frames, trace
        self.knobs = Knobs()
        self.pulse = Pulse(since=time.perf_counter(), last=time.perf_counter())
        self.strip: Strip | None = None  # there from the start of the `with`
        self._starts: tuple[Made, ...] = ()  # the first pictures of the next seeds, in their order
        self._allowance = 0.0  # s that a frame takes, nearly at most
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="player", daemon=True)

    def __enter__(self) -> Self:
        heard = self._listen()
        starts, until = [], time.perf_counter() + STARTS_SECONDS
        while len(starts) < STARTS and (not starts or time.perf_counter() < until):
            starts.append(self._maker.make(heard, Knobs(resets=len(starts) + 1)))
        self._starts = tuple(starts)
        made = self._make(self.knobs)
        now = time.perf_counter()
        self.strip = Strip((made, made, made), (now, now), self._period)
        self._thread.start()
        return self

    def picture(self, now: float, features: AudioFeatures) -> Picture:
        """The picture of this moment, for the main thread; never waits. now: s on time.perf_counter."""
        strip, resets = self.strip, self.knobs.resets
        if strip.resets == resets:
            return strip.at(now, features)
        start = replace(self._starts[(resets - 1) % len(self._starts)], features=features)
        return between(start, start, 0.0, features)

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _run(self) -> None:
        due = time.perf_counter()
        while not self._stop.is_set():
            try:
                self._adopt()
                if not self.knobs.freeze:
                    self._next(due)
            except Exception as error:  # whatever it is, the last good picture stays
                if not self.pulse.fault:
                    log.exception("the network has failed and is tried again: %s", error)
                self._say(fault=f"network: {error}"[:100])
                self._stop.wait(RETRY_SECONDS)
                due = time.perf_counter()
            due = max(due + self._period, time.perf_counter() - self._period)
            self._stop.wait(max(due - time.perf_counter(), 0.0))

    def _next(self, due: float) -> None:
        """One frame, begun at `due`. It is shown from due + allowance on, so that frames follow evenly."""
        knobs = self.knobs
        made = self._make(knobs)
        now, strip = time.perf_counter(), self.strip
        if knobs.resets != strip.resets:  # another world: nothing leads there
            self.strip = Strip((made, made, made), (now, now), self._period, knobs.resets)
            return
        self._allowance = max(now - due, self._allowance * EASES)
        self._allowance = min(self._allowance, self._period)
        moment = max(due + self._allowance, now)
        late = moment > strip.moments[1] + 1.5 * self._period
        self.strip = Strip((*strip.frames[1:], made), (strip.moments[1], moment), self._period, strip.resets)
        if late:
            self._say(late=self.pulse.late + 1)

    def _make(self, knobs: Knobs) -> Made:
        began = time.perf_counter()
        made = self._maker.make(self._listen(), knobs)
        now = time.perf_counter()
        took = (now - began) * 1e3
        slowest = max(self.pulse.slowest_ms, took)
        version = made.frame.version
        self._say(frames=self.pulse.frames + 1, model_ms=took, slowest_ms=slowest, version=version, fault="", last=now)
        if self._trace is not None:
            self._trace.add(made)
            self._trace.put(model_ms=took, made=now)
        return made

    def _adopt(self) -> None:
        fresh = self._inbox.poll() if self._inbox is not None else None
        if fresh is None:
            return
        began = time.perf_counter()
        try:
            self._maker.generator.adopt(*fresh, self._fade_frames)
        except VJError as error:
            log.warning("fresh weights refused: %s", error)
            return
        now = time.perf_counter()
        took = (now - began) * 1e3
        log.info("weights %d taken in %.1f ms", fresh[0].version, took)
        self._say(swaps=self.pulse.swaps + 1, swap_ms=max(self.pulse.swap_ms, took), since=now)
        if self._trace is not None:
            self._trace.put(swap_ms=took)

    def _say(self, **news) -> None:
        old = self.pulse
        self.pulse = Pulse(**{name: news.get(name, getattr(old, name)) for name in Pulse.__slots__})


def choose(rates: tuple[float, ...], seconds: float, share: float) -> float:
    """The highest rate at which `seconds` of work take at most `share` of the time; else the lowest."""
    return next((rate for rate in sorted(rates, reverse=True) if seconds * rate <= share), min(rates))
