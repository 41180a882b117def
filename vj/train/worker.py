"""The background process: trains, checks, publishes every 20 s, stops when told. It never disturbs the show.

A spawned process of its own at the lowest priority with one thread (a second interpreter: no shared lock). It hands
weights over through the slot's folder and its figures through a pipe; the show reads both when it likes.
"""

import contextlib
import logging
import multiprocessing
import os
import time
from pathlib import Path

import torch

from vj.errors import VJError
from vj.signals import LearningReport
from vj.train import footage as footages
from vj.train import upscale
from vj.train.learn import Gate, Learner, adopt_footage, going_on, start, switched
from vj.train.trainer import TrainConfig
from vj.weights import WeightsSlot, read

log = logging.getLogger("vj")
UPSCALING = 60  # steps of the upscaler at each update: about a second
CHUNK = 2  # steps between two looks at the clock and at the door
SAYS = 2.0  # s between two reports
RECIPE = "learnt in a show (vj play)"


class Worker:
    """Learning beside the show: `with Worker(...) as worker`, then worker.report() and worker.alive."""

    def __init__(self, weights: Path | None, footage: Path, slot: Path, seconds_per_update: float = 20.0, seed: int = 0,
                 device: str = "cpu", config: TrainConfig | None = None, sources: tuple[Path, ...] = (),
                 upscaler: Path | None = None):  # fmt: skip
        """weights: file to start from, None: from nothing; footage: a prepared folder; slot: where to publish.

        sources: videos to prepare that folder from first, where it is not there yet; upscaler: weights of the learnt
        upscaler to go on from, None: it is left alone. Better ones are left in the slot's folder.
        """
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._ears, mouth = context.Pipe(duplex=False)
        orders, self._orders = context.Pipe(duplex=False)
        self._theirs = (mouth, orders)
        words = (weights, Path(footage), Path(slot), seconds_per_update, seed, device, config, tuple(sources), upscaler)
        self._process = context.Process(target=_work, args=(*words, self._stop, mouth, orders), name="vj-trainer", daemon=True)
        self._report = LearningReport()

    def __enter__(self) -> "Worker":
        self._process.start()
        for end in self._theirs:
            end.close()  # our copies: when the trainer dies, the pipes end
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._process.join(timeout=5)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(timeout=5)

    @property
    def alive(self) -> bool:
        """Whether the trainer still runs. When it has died the show goes on with what it has."""
        return self._process.is_alive()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def switch(self, footage: Path, sources: tuple[Path, ...] = ()) -> None:
        """Goes on with other footage (a prepared folder, made from `sources` first where it is not there yet).

        What was learnt stays and turns into the new world update by update. Never waits; a trainer that has died hears
        nothing.
        """
        with contextlib.suppress(OSError):
            self._orders.send((Path(footage), tuple(sources)))

    def report(self) -> LearningReport:
        """What the trainer last said. Never waits."""
        try:
            while self._ears.poll():
                self._report = self._ears.recv()
        except (EOFError, OSError):
            pass
        return self._report


def _work(weights, footage, slot, seconds, seed, device, config, sources, upscaler, stop, mouth, orders) -> None:
    """The process's whole life."""
    os.nice(19) if hasattr(os, "nice") else None
    torch.set_num_threads(1)
    parent = os.getppid()
    try:
        started = None if weights is None else read(weights)
        opened = _open(footage, sources, started[0] if started else None, stop, mouth)
        net = start(opened, started, seed)
        step, knows = (started[0].step, adopt_footage(net, opened)) if started is not None else (0, False)
        learner = Learner(opened, net, config or going_on(net, step, knows), device=device, seed=seed, step=step,
                          recipe=RECIPE, source=str(footage))  # fmt: skip
    except VJError as error:
        _say(mouth, LearningReport(message=str(error)))
        return
    sharper = _fine_tuner(footage, slot, upscaler, seed)
    door, gate, version, skill, message = WeightsSlot(slot), Gate(), 0, 0.0, ""
    if started is not None and started[0].step > 0:
        gate.passes(learner.check())  # what the show starts with is the bar
    due, said = time.monotonic() + seconds, 0.0
    while not stop.is_set() and os.getppid() == parent:
        try:
            while orders.poll():
                footage, sources = orders.recv()
                opened = _open(footage, sources, learner.publishable()[0], stop, mouth)
                learner = switched(learner, opened, str(footage), config)
                gate = Gate()  # what the old world was like is no bar for the new one
                gate.passes(learner.check())
                sharper = _fine_tuner(footage, slot, upscaler, seed)
        except VJError as error:  # the old footage goes on
            _say(mouth, LearningReport(version, learner.steps, learner.loss, skill, gate.rejected, str(error)))
        except (EOFError, OSError):  # the show has gone
            return
        loss = learner.run(CHUNK)
        if time.monotonic() >= due:
            due = time.monotonic() + seconds
            check, message = learner.check(), ""
            skill = check.skill
            try:
                if learner.may_show and gate.passes(check):
                    version = door.publish(*learner.publishable(check))
                if sharper is not None and (better := sharper(UPSCALING)) is not None:
                    upscale.write(slot / upscale.NAME, better, {"steps": sharper.trainer.steps, "footage": str(footage)})
            except VJError as error:  # the disk is full: the show goes on with what it has
                message = str(error)
        elif time.monotonic() < said + SAYS:
            continue
        said = time.monotonic()
        _say(mouth, LearningReport(version, learner.steps, loss, skill, gate.rejected, message or learner.says))


def _say(mouth, report: LearningReport) -> None:
    """To the show; where that has gone there is nobody to learn for."""
    try:
        mouth.send(report)
    except OSError:
        raise SystemExit from None


def _fine_tuner(footage: Path, slot: Path, upscaler: Path | None, seed: int) -> upscale.FineTuner | None:
    """Goes on from what this show has learnt of upscaling already, else from `upscaler`."""
    newest = slot / upscale.NAME
    return upscale.FineTuner.of(footage, newest if newest.is_file() else upscaler, seed) if upscaler is not None else None


def _open(footage: Path, sources, card, stop, mouth) -> footages.Footage:
    """The footage, prepared first where it has to be. VJError."""
    if sources and not (footage / "card.json").is_file():
        _prepare(sources, footage, card, stop, mouth)
    return footages.load(footage)


def _prepare(sources, footage, card, stop, mouth) -> None:
    """Measures the footage while the show already runs; says how far it is; leaves off when told."""
    said = 0.0

    def tell(share: float, _what: str) -> None:
        nonlocal said
        if stop.is_set():
            raise SystemExit
        if time.monotonic() >= said + SAYS:
            said = time.monotonic()
            _say(mouth, LearningReport(message=f"looks at the footage first, {share:.0%}"))

    footages.prepare(list(sources), footage, *((card.height, card.width) if card else ()), progress=tell)
