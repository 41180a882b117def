"""Drum hits with known moments, for measuring how long a sound takes to become light. Not part of a show."""

import threading
import time
from typing import Self

import numpy as np

from vj.audio.source import NO_PORTAUDIO, RATE, _restart, sounddevice
from vj.errors import SoundError


def hit(rate: int = RATE) -> np.ndarray:
    """float32 (n,): a kick of 0.15 s that starts with its full force."""
    t = np.arange(int(0.15 * rate)) / rate
    body = np.sin(2 * np.pi * (55 * t + 1.6 * (1 - np.exp(-40 * t))) + 1.2)
    return (0.8 * body * np.exp(-18 * t)).astype(np.float32)


class Clicks:
    """Plays a hit each `every` s, give or take a quarter, from `start` s on, to an output. Use as a `with`.

    .written: perf_counter at which each hit was handed to the card. Raises SoundError where there is no output.
    The card calls us for a block of 256 frames at a time; a show never works like that (see LineIn).
    """

    def __init__(self, name: str | None = None, every: float = 0.8, start: float = 1.0, seed: int = 0):
        if sounddevice is None:
            raise SoundError(NO_PORTAUDIO)
        self.written: list[float] = []
        self._every, self._next, self._random = every, start, np.random.default_rng(seed)
        self._hit, self._at = hit(), None
        self._begun = threading.Event()
        _restart()  # the card may be younger than this process
        choices = {"channels": 2, "dtype": "float32", "blocksize": 256, "latency": "low"}
        try:
            self._stream = sounddevice.OutputStream(RATE, device=name, callback=self._fill, **choices)
        except (sounddevice.PortAudioError, ValueError) as problem:
            raise SoundError(f"No hits can be played ({problem}): start a sound server first.") from problem

    def _fill(self, out: np.ndarray, frames: int, _time, _status) -> None:
        now = time.perf_counter()
        out[:] = 0
        if not self._begun.is_set():
            self._next += now
            self._begun.set()
        if self._at is None and now >= self._next:
            self.written.append(now)
            self._at, self._next = 0, now + self._every * self._random.uniform(0.75, 1.25)
        if self._at is not None:
            piece = self._hit[self._at : self._at + frames]
            out[: len(piece)] = piece[:, None]
            self._at = self._at + frames if len(piece) == frames else None

    def __enter__(self) -> Self:
        self._stream.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.abort(ignore_errors=True)
        self._stream.close(ignore_errors=True)
