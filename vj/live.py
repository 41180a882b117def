"""The live show: opens everything, runs the loop, closes everything. Only here is a clock looked at.

The window is on the main thread, the generator in the Player's, the sound in the Listener's, weights come through the
Inbox's, and the trainer is a process. When any of them breaks the show goes on with the last good thing.
"""

import contextlib
import gc
import logging
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from vj import gauges, keeping, opening
from vj.audio.ahead import Foresight
from vj.audio.features import FeatureExtractor
from vj.audio.listener import Listener
from vj.cues import Cues
from vj.midi import KnobTable, Midi, NoMidi, open_midi
from vj.model.speed import frame_seconds
from vj.player import Player, choose
from vj.render.output import OutputBook
from vj.render.patience import finish
from vj.render.screen import LOOKS, UPSCALERS, Screen
from vj.render.setup import ITEMS, Setup
from vj.render.watchdog import Watchdog
from vj.render.window import HeadlessWindow, Window, rest
from vj.settings import (
    Settings,
    data_folder,
    last_upscaler,
    last_weights,
    log_file,
    outputs_file,
    packed,
    table,
    upscaler_weights,
)
from vj.show import Maker
from vj.signals import AudioFeatures, Controls, Knobs, Picture
from vj.stamps import Delay, Stamps
from vj.trace import Trace
from vj.train.upscale import NAME as UPSCALER
from vj.train.worker import Worker
from vj.video import FilmRecorder
from vj.weights import Inbox, WeightsSlot

log = logging.getLogger("vj")

HUD_SECONDS = 0.5  # between two readings of the gauges
DRAWN = 10  # pictures, to measure what one takes
LEAST_WAIT = 0.35  # of an interval between two pictures, that also a hit waits
NUDGE = 0.01  # s that a press moves the beats
HANGS = 2.0  # s without a model frame that are worth a word
HEADLESS_RATE = 30.0  # pictures a second without a window


def play(settings: Settings) -> None:
    """The show, until it is quit. Raises VJError for what is wrong before the first picture; afterwards it goes on."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(keeping.logged(log_file()))
        stack.enter_context(keeping.terminated())
        os.environ.setdefault("LP_NUM_THREADS", "1")  # software OpenGL: more are no quicker and rob the network
        whole = table(settings.table)
        midi = stack.enter_context(open_midi(settings.midi, KnobTable.parse(whole["midi"])))
        start = opening.begin(settings, wait=False)
        source = stack.enter_context(opening.source(settings))
        generator = opening.generator(settings, start)
        window = stack.enter_context(_window(settings))
        screen, book = Screen(window.context, packed("shaders"), limited=settings.limited), OutputBook(outputs_file())
        model_rate = _model_rate(settings, generator, screen.is_software)
        screen.output = book.get(window.place)
        screen.fit = screen.output.fit
        if (layers := opening.upscaler(upscaler_weights(start.path))) is not None:
            screen.teach(layers)
        _refine(settings, generator, window, screen, model_rate)
        display_rate = _display_rate(settings, window, screen, generator)
        recorder = None
        if settings.record is not None:
            size = window.size[::-1] if screen.output.is_turned else window.size
            recorder = FilmRecorder(settings.record, size, settings.record_fps, source.rate)
            stack.enter_context(recorder)
            source = Tee(source, recorder)
        trace = stack.enter_context(Trace(settings.trace, generator.size)) if settings.trace else None
        slot = worker = inbox = None
        if settings.learn and start.footage is not None:
            slot = stack.enter_context(keeping.slot(data_folder("learning"), last_weights()))
            worker = stack.enter_context(
                Worker(start.path, start.footage, slot.folder, settings.seconds_per_update, settings.seed,
                       generator.device, sources=start.sources, upscaler=upscaler_weights(start.path))
            )  # fmt: skip
            inbox = stack.enter_context(Inbox(slot.folder))
        mapping, cuts = opening.mapping(whole, start.card), opening.cuts(whole)
        maker = Maker(generator, mapping, model_rate, start.card.fps, settings.seed, cuts)
        fade = round(settings.fade_seconds * model_rate)
        stamps = Stamps(source)
        ear = FeatureExtractor(settings.rate, settings.hop, trim=settings.trim)
        if settings.line_in is None:
            stack.enter_context(Foresight(ear, opening.sound_file(settings)))
        listener = Listener(stamps, ear)
        stamps.look = lambda: listener.features
        stack.enter_context(listener)
        delay = Delay(stamps.look)
        player = stack.enter_context(Player(maker, model_rate, delay.listen, inbox, fade, trace))
        names, rates = (generator.device, opening.sound_name(settings)), (display_rate, model_rate)
        parts = (settings, window, screen, book, midi, listener, stamps, delay, player, names, rates)
        show = LiveShow(*parts, worker, slot, recorder, trace, opening.cued(settings, start))
        stack.enter_context(keeping.quiet_memory())
        with contextlib.suppress(KeyboardInterrupt):
            show.run()


class Tee:
    """A sound source that also hands its blocks to a recorder, from the recording's first picture on."""

    def __init__(self, source, recorder: FilmRecorder):
        self._source, self.recorder = source, recorder

    def blocks(self, n: int):
        for block in self._source.blocks(n):
            if not self.recorder.wants(0.0):
                self.recorder.write_sound(block)
            yield block

    def __getattr__(self, name: str):
        return getattr(self._source, name)


@dataclass
class LiveShow:
    """The loop on the main thread, and what it tells of itself."""

    settings: Settings
    window: Window | HeadlessWindow
    screen: Screen
    book: OutputBook
    midi: Midi | NoMidi
    listener: Listener
    stamps: Stamps
    delay: Delay
    player: Player
    names: tuple[str, str]  # of the compute device, of the sound source
    rates: tuple[float, float]  # wanted: display, model
    worker: Worker | None = None
    slot: WeightsSlot | None = None
    recorder: FilmRecorder | None = None
    trace: Trace | None = None
    cued: Sequence[tuple] = ()  # what Worker.switch wants of each footage

    def __post_init__(self):
        self._cues = Cues(tuple(cue.at for cue in self.settings.then))
        self._pace, self._log_pace = gauges.Pace(), gauges.Pace()
        self._latency = self._network = 0.0  # s, of the last picture: through the display pass, through the network
        self._watchdog, self._slow = Watchdog(1 / self.rates[0]), ""
        self._setup, self._place, self._unsaved = Setup(), self.window.place, False
        self._upscaler = None  # when the upscaler's weights in use were written, and which file that is
        self._kept = 0  # version of the weights kept as the last ones
        self._said: set[str] = set()  # messages logged

    def run(self) -> None:
        settings, window = self.settings, self.window
        if self.trace is not None:
            self.trace.put(rates=self.rates, began=time.perf_counter())
        knobs, lines = Knobs(look=settings.look), ()
        began = last = time.perf_counter()
        next_hud, next_log = began + HUD_SECONDS, began + settings.log_seconds
        for pace in (self._pace, self._log_pace):
            pace.read_frames(self.player.pulse.frames, began)
        while window.is_open and (settings.seconds is None or last - began < settings.seconds):
            before = knobs
            knobs = window.turn(self.midi.turn(knobs))
            self._beat(before, knobs)
            self.player.knobs = knobs
            self._go_over(knobs.footages, last - began)
            self._set_up(knobs)
            now = time.perf_counter()
            heard = self.delay.turn(self.screen.output.offset_ms, now)
            picture = self.player.picture(now, heard)
            self.screen.draw(picture, window.size, knobs, lines, dt=now - last)
            worried, took = self._watchdog.worried, 0.0
            if worried:
                finish(window.context)
                took = time.perf_counter() - now
            if self.recorder is not None and min(window.size) > 0 and self.recorder.wants(now - began):
                self.recorder.write(self.screen.read(straight=True), now - began)
            window.present(self._hit_after(heard) if self.screen.output.offset_ms <= 0 else None)
            last = now
            shown = window.shown or time.perf_counter()
            self._pace.tick(shown)
            self._log_pace.tick(shown)
            self._date(shown, heard, picture)
            if self.trace is not None:
                self._put(shown - began, shown - now, picture.time)
            took = took or shown - now
            if self._watchdog.turn(took, drawn=worried):
                knobs = self._simplify(knobs, took)
            if now >= next_hud:
                next_hud = now + HUD_SECONDS
                lines = gauges.hud(self._state(now, began, self._pace))
                self._look_around()
            if now >= next_log:
                next_log = now + settings.log_seconds
                self._note(now, began)
        self._keep()
        self._note(time.perf_counter(), began)

    def _hit_after(self, heard: AudioFeatures) -> Callable[[], bool]:
        """Asks whether a hit was heard that the picture just drawn cannot have answered: the next one need not wait."""
        soonest = time.perf_counter() + LEAST_WAIT / self.rates[0]
        hits = heard.kicks + heard.snares

        def hit() -> bool:
            newest = self.listener.features
            return newest.kicks + newest.snares > hits and time.perf_counter() >= soonest

        return hit

    def _beat(self, before: Knobs, knobs: Knobs) -> None:
        """What hands say of the beat."""
        for name, how, by in (("taps", "tap", ()), ("ones", "one", ()), ("halves", "scale", (0.5,)), ("doubles", "scale", (2.0,)),
                              ("earlier", "nudge", (-NUDGE,)), ("later", "nudge", (NUDGE,))):  # fmt: skip
            if getattr(knobs, name) != getattr(before, name):
                getattr(self.listener, how)(*by)

    def _go_over(self, presses: int, seconds: float) -> None:
        """Other footage, where its turn has come."""
        turn = self._cues.turn(presses, seconds)
        if turn is not None and self.worker is not None:
            log.info("goes over to the footage %s", self.cued[turn][0])
            self.worker.switch(*self.cued[turn])

    def _set_up(self, knobs: Knobs) -> None:
        """What keys, mouse and MIDI change of the output; the test card while they do."""
        screen, size, before = self.screen, self.window.size, self.screen.output
        screen.output = self._setup.turn(before, knobs, self.window.events(), size)
        screen.fit = screen.output.fit
        self._unsaved |= screen.output != before
        screen.card = self._setup.lines(screen.output, self._place, size, self.window.rate) if knobs.setup else ()
        screen.marked = self._setup.chosen if knobs.setup and ITEMS[self._setup.chosen] in ITEMS[:4] else -1

    def _keep(self) -> None:
        if self._unsaved:
            self._unsaved = False
            self.book.put(self._place, self.screen.output)

    def _look_around(self) -> None:
        """Now and then: are we on another monitor, is there something to keep, has a shader changed?"""
        self._keep()
        place = self.window.place
        if place and place != self._place:
            self._place, self.screen.output = place, self.book.get(place)
        self.screen.reload()

    def _simplify(self, knobs: Knobs, took: float) -> Knobs:
        """Pictures take far too long: the safe look, or a simpler picture."""
        look = min(max(knobs.look, 1), len(LOOKS))
        if self.screen.bar(look):
            what = "upscaling is left out" if look == 1 else f"{LOOKS[look - 1]} is left out, clean is back"
            self._slow = f"a picture takes {took:.1f} s here: {what}"
        return replace(knobs, look=1, safes=knobs.safes + 1)

    def _date(self, shown: float, heard: AudioFeatures, picture: Picture) -> None:
        """How old the sound is that the picture answers."""
        came, made = self.stamps.came(heard.time), self.stamps.came(picture.time)
        self._latency = shown - came if came is not None else 0.0
        self._network = shown - made if made is not None else 0.0

    def _put(self, shown: float, took: float, answers: float) -> None:
        ages = {"latency_ms": self._latency * 1e3, "network_ms": self._network * 1e3}
        self.trace.put(shown=shown, draw_ms=took * 1e3, answers=answers, **ages)
        while self.stamps.onsets:
            onset = self.stamps.onsets.popleft()
            self.trace.put(onsets=(onset.count, onset.sound, onset.came, onset.said))

    def _note(self, now: float, began: float) -> None:
        """One line in the log, and the chores that may wait for it."""
        log.info(gauges.line(self._state(now, began, self._log_pace)))
        gc.collect(1)
        version = self.player.pulse.version
        self._take_upscaler()
        if self.slot is not None and version > self._kept and keeping.keep(self.slot.path(version), last_weights()):
            if not self._kept and self._upscaler is None and self.settings.weights != "last":
                last_upscaler().unlink(missing_ok=True)  # of another show's footage
            self._kept = version

    def _take_upscaler(self) -> None:
        """Newer weights of the learnt upscaler, where the trainer has left some beside the network's."""
        path = self.slot.folder / UPSCALER if self.slot is not None else None
        mark = (path.stat().st_mtime_ns, path.stat().st_ino) if path is not None and path.is_file() else None
        if mark is None or mark == self._upscaler:
            return
        self._upscaler = mark
        if (layers := opening.upscaler(path)) is not None:
            self.screen.teach(layers)
            keeping.keep(path, last_upscaler())
            log.info("fresh weights of the upscaler taken")

    def _state(self, now: float, began: float, pace: gauges.Pace) -> gauges.State:
        fps, slowest = pace.read()
        pulse, worker = self.player.pulse, self.worker
        return gauges.State(
            seconds=now - began,
            display_fps=fps,
            slowest_ms=slowest,
            display_rate=self.rates[0],
            model_fps=pace.read_frames(pulse.frames, now),
            model_rate=self.rates[1],
            device=self.names[0],
            pulse=pulse,
            age=now - pulse.since,
            learning=worker.report() if worker is not None else None,
            learner_alive=worker is not None and worker.alive,
            features=self.listener.features,
            sound=self.names[1],
            latency_ms=self._latency * 1e3,
            network_ms=self._network * 1e3,
            held=self.screen.is_held,
            overflows=self.listener.overflows,
            knobs=self.player.knobs,
            midi=self.midi.port,
            messages=self._messages(),
        )

    def _messages(self) -> tuple[str, ...]:
        """What is wrong now; each is logged once."""
        pulse, now = self.player.pulse, time.perf_counter()
        hangs = not self.player.knobs.freeze and now - pulse.last > HANGS and not pulse.fault
        found = [pulse.fault, "the network does not answer; the panic keys do" if hangs else ""]
        found += [self.screen.message, self._slow, self.book.message]
        found += ["" if self.player.alive else "the generator's thread has ended"]
        found += ["" if self.listener.alive else "nothing is heard any more"]
        if self.worker is not None and not self.worker.alive:
            said = self.worker.report().message
            found += [f"the trainer has ended, the show goes on{': ' + said if said else ''}"]
        if self.recorder is not None:
            dropped = self.recorder.dropped
            found += [self.recorder.message, "the film lacks pictures: they came too fast" if dropped else ""]
        if self.trace is not None:
            found += [self.trace.message]
        messages = tuple(message for message in found if message)
        for message in messages:
            if message not in self._said:
                self._said.add(message)
                log.warning(message)
        return messages


# ------------------------------------------------------------------------------------------------- before the show
def _window(settings: Settings) -> Window | HeadlessWindow:
    if settings.window is None:
        return Steady(HeadlessWindow((640, 360)), HEADLESS_RATE)
    where = (settings.monitor, settings.fullscreen, settings.window)
    return Window("vj", *where, unplugged=settings.unplugged)


class Steady:
    """A headless window that takes its time, as a real one does."""

    def __init__(self, window: HeadlessWindow, rate: float):
        self._window, self.rate, self._due, self.shown = window, rate, 0.0, 0.0

    def present(self, wake=None) -> None:
        finish(self._window.context)
        self.shown = time.perf_counter()
        self._due = max(self._due + 1 / self.rate, self.shown)
        if rest(self._due, wake):
            self._due = time.perf_counter()

    def __getattr__(self, name: str):
        return getattr(self._window, name)

    def __enter__(self):
        self._window.__enter__()
        return self

    def __exit__(self, *error) -> None:
        self._window.__exit__(*error)


def _quietly(times: list[float]) -> float:
    """What it takes when nothing else happens to run: the fifth part of the times is quicker."""
    return statistics.quantiles(times, n=5)[0]


def _model_rate(settings: Settings, generator, soft: bool = False) -> float:
    """Model frames a second, by a measurement of a few frames; the generator starts anew afterwards."""
    rate, taken = _paced(settings, generator, soft)
    log.info("model: %.1f ms a frame on %s, so %g frames a second", taken * 1e3, generator.device, rate)
    return rate


def _paced(settings: Settings, generator, soft: bool) -> tuple[float, float]:
    """Model frames a second that leave time for the rest, and s that one takes."""
    taken = _quietly(frame_seconds(generator))
    generator.reset(settings.seed)
    rates = settings.slow_rates if generator.device == "cpu" else settings.fast_rates
    return choose(rates, taken, settings.soft_model_share if soft else settings.model_share), taken


def _refine(settings: Settings, generator, window, screen: Screen, model_rate: float) -> None:
    """Gives the frames their detail, where that costs neither model frames nor pictures."""
    if not settings.detail:
        return
    coarse = _still(generator, settings)
    if not generator.refine():
        return
    rate, taken = _paced(settings, generator, screen.is_software)
    costs = rate < model_rate
    if screen.is_software and not costs:
        screen.use("plain")
        drawn = (_drawing(screen, window, picture, settings.look) for picture in (coarse, _still(generator, settings)))
        small, large = (choose(_rates(settings, window), seconds, settings.soft_share) for seconds in drawn)
        costs = large < min(small, settings.soft_rate)
    generator.refine(not costs)
    log.info("detail: %.1f ms a frame with it, so %s", taken * 1e3, "without" if costs else "with")


def _still(generator, settings: Settings) -> Picture:
    """One of its pictures; the generator starts anew afterwards."""
    frame = generator.step(Controls())
    generator.reset(settings.seed)
    return Picture(frame.picture, frame.picture, frame.flow, 0.5, 0.0, view=frame.view)


def _display_rate(settings: Settings, window, screen: Screen, generator) -> float:
    """Pictures a second that the drawing leaves room for, at most the monitor's own; chooses the upscaler too."""
    picture = _still(generator, settings)
    own, soft = window.rate, screen.is_software
    share = settings.soft_share if soft else settings.display_share
    rates = _rates(settings, window)
    least = min(own, settings.soft_rate) if soft else own  # better upscaling may bring it down to this
    best = None
    for name in UPSCALERS if settings.upscaler == "auto" else (settings.upscaler,):  # from the cheapest on
        said = screen.use(name)
        if said:
            log.info(said)
            continue
        drawing = _drawing(screen, window, picture, settings.look)
        rate = choose(rates, drawing, share)
        log.info("display: %.1f ms a picture at %dx%d with %s, so %g a second", drawing * 1e3, *window.size, name, rate)
        if best is None or rate >= least:
            best = (rate, name)
        if rate < least:  # those that follow take longer
            break
    if best is None:
        screen.use("edge")
        best = (choose(rates, _drawing(screen, window, picture, settings.look), share), "edge")
    else:
        screen.use(best[1])
    window.rate = best[0]
    return best[0]


def _rates(settings: Settings, window) -> tuple[float, ...]:
    """Pictures a second to choose from: the monitor's own, and what is less."""
    return (window.rate, *(rate for rate in settings.display_rates if rate < window.rate))


def _drawing(screen: Screen, window, picture: Picture, look: int) -> float:
    """s that a picture takes to draw."""
    for number in range(DRAWN + 2):
        if number == 2:  # the first ones make room for themselves
            times, work = [], time.process_time()
        began = time.perf_counter()
        screen.draw(picture, window.size, Knobs(look=look), dt=1 / 60)
        finish(window.context)
        if number >= 2:
            times.append(time.perf_counter() - began)
    work = (time.process_time() - work) / DRAWN  # software OpenGL works on several cores at once
    return max(_quietly(times), work) if screen.is_software else _quietly(times)
