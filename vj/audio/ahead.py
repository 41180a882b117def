"""The beats and drums of a file that can be heard in advance: every hop is judged in the light of all that follows.

The ear listens to the whole file as it would live; what it took for likely, hop by hop, is then decoded backwards, by the
Viterbi algorithm over the states of its bar pointer (Krebs, Boeck and Widmer 2015), and what it took for drums is weighed
again (vj/audio/hindsight.py). BeatGrid and DrumGrid tell these beats and drums in a show.
"""

import contextlib
import logging
import math
import multiprocessing
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from vj.audio.beat import DELAY, LEAD, Beat
from vj.audio.features import FeatureExtractor
from vj.audio.files import SoundFile
from vj.audio.hindsight import Notes, Strokes, heard_again
from vj.audio.network import EarWeights
from vj.audio.onsets import CLASSES, Onset
from vj.audio.pointer import Pointer
from vj.errors import SoundError

log = logging.getLogger("vj")

SURE = 0.3  # confidence from which beats are told
BEFORE, AFTER = 4.0, 1.0  # s: what is sure here was so this long before, and is for a while after
LONGEST = 3600.0  # s, of longer files the rest is heard as if live
FUTURE = 10.0  # s of sound after what is played, in whose light its end is heard
STROKE_LEAD = 0.01  # s, a drum is told in the hop in which it sounds
AWAITED = 0.2  # strength from which on a drum is awaited: weaker ones may be none (as [pulse] faint in the table)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file: when its beats sound (s), where in the bar they stand (1.., 0 unknown), how surely (0..1).

    And its drums; None where nothing is known of them, and they are heard as if live.
    """

    times: np.ndarray  # float64 (n,)
    positions: np.ndarray  # int (n,)
    confidence: np.ndarray  # float (n,)
    seconds: float = 0.0  # of the whole file
    heard: float = math.inf  # s of it that were listened to; inf: all
    drums: Strokes | None = None


def look_ahead(path: str | Path, weights: EarWeights | str | None = "shipped", seconds: float = LONGEST) -> Known:
    """Listens to a file, about fifteen times as quickly as it plays; weights: as of FeatureExtractor.

    seconds: of the file, from its beginning, that are of interest.

    Raises SoundError where it cannot be read.
    """
    ear = FeatureExtractor(weights=weights)
    ear.beat.pointer = record = _Recorder(ear.beat.pointer)
    confidence, positions, heard, notes = [], [], math.inf, Notes(ear.weights.hindsight if ear.weights else None)
    with SoundFile(path) as sound:
        length = sound.seconds
        for block in sound.blocks(ear.hop):
            ear.feed(block)
            confidence.append(ear.features.tempo_confidence)
            told = ear.events()
            positions += [(e.time, e.position) for e in told if isinstance(e, Beat)]
            notes.take(ear.noted, [e for e in told if isinstance(e, Onset)])
            if ear.features.time > min(seconds, LONGEST):
                heard = ear.features.time
                break
    hops = record.decode()
    times = (hops + 1) * ear.step - DELAY
    sure = _widened(np.array(confidence), round(BEFORE / ear.step), round(AFTER / ear.step))
    known = sure[np.clip(hops, 0, len(sure) - 1)] if len(hops) else np.zeros(0)
    keep = (known > SURE) & (times >= 0)
    times, known = times[keep], known[keep]
    return Known(times, _places(times, positions), known, length, heard, heard_again(notes, times, ear.step))


def _widened(x: np.ndarray, before: int, after: int) -> np.ndarray:
    """The greatest value within `before` hops to come and `after` hops gone."""
    padded = np.concatenate([np.zeros(after), x, np.zeros(before)])
    return np.lib.stride_tricks.sliding_window_view(padded, before + after + 1).max(1)


def _places(times: np.ndarray, told: list[tuple[float, int]]) -> np.ndarray:
    """(n,) positions in the bar, from those told live: in each stretch of sixteen beats, what most of them agree on."""
    places = np.zeros(len(times), int)
    live = {int(np.argmin(abs(times - t))): p for t, p in told if len(times) and abs(times - t).min() < 0.08}
    beats = max([p for _, p in told], default=0)
    beats = 3 if beats == 3 else 4
    for start in range(0, len(times), 16):
        stretch = range(start, min(start + 16, len(times)))
        votes = np.zeros(beats)
        for k in stretch:
            if 0 < live.get(k, 0) <= beats:
                votes[(live[k] - 1 - k) % beats] += 1
        if votes.sum() >= 4:
            places[list(stretch)] = (np.array(stretch) + int(np.argmax(votes))) % beats + 1
    return places


class _Recorder(Pointer):
    """A pointer that also keeps what it was told, for decoding afterwards. `like`: the pointer whose place it takes."""

    def __init__(self, like: Pointer) -> None:
        self.__dict__.update(like.__dict__)
        self._likelihoods: list[float] = []
        self._weights: dict[int, np.ndarray] = {}

    def step(self, likelihood: float) -> tuple[int, int]:
        self._likelihoods.append(likelihood)
        return super().step(likelihood)

    def weigh(self, weights: np.ndarray) -> None:
        now = len(self._likelihoods)
        self._weights[now] = self._weights.get(now, 1.0) * weights
        super().weigh(weights)

    def decode(self) -> np.ndarray:
        """int (n,): hops at which the likeliest course of all has its beats."""
        change = np.log(self._change + 1e-30)
        best = np.log(self._start + 1e-30)
        came = np.zeros((len(self._likelihoods), len(self.periods)), np.uint8)  # period before, where one begins
        columns = np.arange(len(self.periods))
        for hop, likelihood in enumerate(self._likelihoods):
            if hop in self._weights:
                best += np.log(self._weights[hop] + 1e-12)[self._row]
            ways = best[self._final][:, None] + change
            came[hop] = ways.argmax(0)
            best[1:] = best[:-1].copy()
            best[self._first] = ways[came[hop], columns]
            best[self._zone] += np.log(likelihood) * self._inside
            best -= best.max()
        hops, hop = [], len(self._likelihoods) - 1
        if hop < 0:
            return np.zeros(0, int)
        state = int(np.argmax(best))
        row, hop = int(self._row[state]), hop - int(self._since[state])
        while hop >= 0:
            hops.append(hop)
            row = int(came[hop][row])
            hop -= int(self.periods[row])
        return np.array(hops[::-1], int)


class BeatGrid:
    """Tells known beats as a BeatTracker would. follow() once a hop; then read tempo, confidence, phase, next_beat.

    loop: whether the file begins again at its end, for ever.
    """

    def __init__(self, known: Known, loop: bool = False) -> None:
        self.tempo, self.confidence, self.phase, self.next_beat = 0.0, 0.0, 0.0, 0.0
        self.until = known.heard  # s of sound; then it knows no more
        self._known, self._length = known, known.seconds if loop else math.inf
        self._times = np.concatenate([known.times, known.times + known.seconds]) if loop else known.times
        self._lap, self._told = -1, 0  # of the loop; beats told in this one

    def follow(self, now: float) -> Beat | None:
        """now: s of the file heard, rising, laps of the loop counted on: the beat that is to be told now."""
        lap = int(now // self._length) if self._length < math.inf else 0
        begin = lap * self._length if lap else 0.0
        times, here = self._times, now - begin
        if lap != self._lap:  # at the first call what is over is over; later on a beat across the seam may be told already
            over = int(np.searchsorted(times, here - LEAD))
            self._told = over if self._lap < 0 else max(over, self._told - len(self._known.times))
            self._lap = lap
        beat, n = None, len(self._known.times)
        if self._told < len(times) and times[self._told] <= here + LEAD:
            beat = Beat(begin + float(times[self._told]), now, int(self._known.positions[self._told % n]))
            self._told += 1
        k = int(np.searchsorted(times, here + 1e-3))  # of the next beat
        period = float(times[k] - times[k - 1]) if 0 < k < len(times) else 0.0
        if 0.2 < period < 1.5:
            self.tempo, self.next_beat = 60 / period, begin + float(times[k])
            self.confidence = float(self._known.confidence[k % n])
            self.phase = min(max(1 - (self.next_beat - now) / period, 0.0), 1.0) % 1.0
        else:
            self.tempo = self.confidence = self.phase = self.next_beat = 0.0
        return beat


class DrumGrid:
    """Tells known drums, each in the hop in which it sounds. follow() once a hop; then read `due`, s of sound at which the next
    of each class comes, 0: none. loop: as of BeatGrid."""

    def __init__(self, known: Known, loop: bool = False) -> None:
        self.until = known.heard  # s of sound; then it knows no more
        self._drums, self._length = known.drums, known.seconds if loop else math.inf
        self._next = -1  # of the drums of all laps, the next to be told
        self.due, self._following = (0.0,) * len(CLASSES), self._follows()

    def _follows(self) -> np.ndarray:
        """(n, classes) s on its lap's clock: when from each drum on the next of each class comes that is awaited; inf: never."""
        times, sure = self._drums.times, self._drums.strengths >= AWAITED
        own = (self._drums.kinds[:, None] == np.arange(len(CLASSES))) & sure[:, None]
        own = np.where(own, times[:, None], np.inf)
        again = own.min(0, initial=np.inf) + self._length
        return np.minimum(np.minimum.accumulate(own[::-1])[::-1], again)

    def _due(self, number: int) -> float:
        """s of sound, laps counted on; inf: never."""
        lap, k = divmod(number, len(self._drums.times))
        return float(self._drums.times[k]) + (lap * self._length if lap else 0.0)

    def follow(self, now: float) -> list[Onset]:
        """now: s of the file heard, rising, laps of the loop counted on: the drums that are to be told now."""
        times, told = self._drums.times, []
        if not len(times):
            return told
        if self._next < 0:  # at the first call what is over is over
            lap = int(now // self._length) if self._length < math.inf else 0
            here = now - lap * self._length if lap else now
            self._next = lap * len(times) + int(np.searchsorted(times, here - STROKE_LEAD))
        while (due := self._due(self._next)) <= now + STROKE_LEAD:
            k = self._next % len(times)
            told.append(Onset(due, CLASSES[int(self._drums.kinds[k])], float(self._drums.strengths[k]), now))
            self._next += 1
        lap, k = divmod(self._next, len(times))
        begin = lap * self._length if lap else 0.0
        self.due = tuple(at if at < math.inf else 0.0 for at in (begin + self._following[k]).tolist())
        return told


def follow(ear: FeatureExtractor, known: Known, loop: bool = False) -> None:
    """The ear tells from the next hop on what is known of the file that it hears; what is not known it hears as if live."""
    beats = BeatGrid(known, loop) if len(known.times) or not loop else None
    ear.follow(beats, DrumGrid(known, loop) if known.drums is not None else None)


class Foresight:
    """Listens ahead to a file that plays in a loop, in a process of its own; from then on the ear follows what is known.

    Use as a `with`. Until then, and where the process fails, the ear hears as if live. Never waits.
    """

    def __init__(self, ear: FeatureExtractor, path: str | Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._ear = ear
        self._answer, theirs = context.Pipe(duplex=False)
        self._process = context.Process(target=_foresee, args=(str(path), theirs), name="vj-ahead", daemon=True)
        self._process.start()
        theirs.close()
        self._thread = threading.Thread(target=self._wait, name="vj-ahead", daemon=True)

    def _wait(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            known = self._answer.recv()
            follow(self._ear, known, loop=True)
            strokes = len(known.drums.times) if known.drums is not None else 0
            log.info("the file was heard in advance: %d beats and %d drums are known", len(known.times), strokes)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join(2.0)
        self._thread.join(2.0)


def _foresee(path: str, answer) -> None:
    """The process's whole life. A file that cannot be read is the player's to report."""
    os.nice(10) if hasattr(os, "nice") else None
    with contextlib.suppress(SoundError):
        answer.send(look_ahead(path))
