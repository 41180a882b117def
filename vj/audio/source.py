"""Where sound comes from: a sound card by name, a file that is played, a file that is only read.

Each source is opened with `with` and iterated by .blocks(n): mono float32 (n,) at .rate. A source that hears the world
paces itself and never ends by a fault: while the card is gone it yields silence in real time and tries again.
There is no Python callback: PortAudio fills its own buffer, and we take from it what is there.
Knows no feature and no picture.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
import soxr

from vj.audio.files import RATE, SoundFile, clean, cut
from vj.errors import SoundError

try:
    import sounddevice
except OSError:  # PortAudio itself is missing; files can be heard all the same
    sounddevice = None

Failure = sounddevice.PortAudioError if sounddevice is not None else RuntimeError
"""What PortAudio raises."""

__all__ = ["RATE", "FilePlayer", "LineIn", "SoundFile", "devices"]

STALL = 0.25  # s without a sample after which silence is heard instead
GIVE_UP = 1.0  # s without a sample after which the card is opened again
DEAD = 1.5  # s of exact zeros after which the card is opened again: another one may have taken its place
RETRY = 0.5  # s between two tries to open
FOLLOW = 0.002  # share of the difference to the card's clock that is made up at each block
BACKLOG = 0.25  # s of sound waiting that is too old to be of use
NO_PORTAUDIO = "PortAudio is not installed; install it (Debian: libportaudio2, Mac: brew install portaudio)."

log = logging.getLogger(__name__)


class Devices(NamedTuple):
    """Names of sound devices, as LineIn and FilePlayer take them."""

    inputs: list[str]
    outputs: list[str]


def devices() -> Devices:
    """What PortAudio finds now; empty lists where there is no card or no PortAudio."""
    if sounddevice is None:
        return Devices([], [])
    found = list(sounddevice.query_devices())
    ins = dict.fromkeys(d["name"] for d in found if d["max_input_channels"] > 0)
    outs = dict.fromkeys(d["name"] for d in found if d["max_output_channels"] > 0)
    return Devices(list(ins), list(outs))


class LineIn:
    """A sound card's input.

    name: the device, or a part of its name; None takes the system's default. channels: which to listen to, counted
    from 1, such as (3, 4); None takes the first two. Raises SoundError when it cannot be opened at first; what happens
    later (unplugged, frozen, another card in its place, server dead) is heard as silence until it is back.
    overflows counts how often samples were lost because we came too late.
    """

    def __init__(self, name: str | None = None, rate: int = RATE, channels: tuple[int, ...] | None = None) -> None:
        if sounddevice is None:
            raise SoundError(NO_PORTAUDIO)
        self.name, self.rate, self.channels, self.overflows = name, rate, channels, 0
        self._stream: sounddevice.InputStream | None = None
        self._closed = False
        self._resampler: soxr.ResampleStream | None = None
        self._zeros = 0.0  # s of exact silence
        try:
            self._open()
        except (Failure, ValueError) as problem:
            inputs = ", ".join(devices().inputs) or "none"
            what = f"'{name}'" if name else "the default sound input"
            raise SoundError(f"{what} cannot be opened ({_first(problem)}); inputs here: {inputs}.") from problem

    def blocks(self, n: int = 480) -> Iterator[np.ndarray]:
        """Mono float32 (n,), for as long as the source is open."""
        return cut(self._chunks(n), n)

    def _chunks(self, n: int) -> Iterator[np.ndarray]:
        """Mono float32 of any length, in real time, whatever happens to the card."""
        heard_at, given_at, tried_at = time.monotonic(), time.monotonic(), 0.0  # last sample, last chunk, last try
        while not self._closed:
            now = time.monotonic()
            try:
                if self._stream is None and now - tried_at >= RETRY:
                    tried_at = now
                    self._reopen()
                    heard_at = time.monotonic()
                    log.warning("sound input %s is back", self.name or "(default)")
                if self._stream is not None:
                    waiting = self._stream.read_available
                    if waiting >= n:
                        samples = self._take(waiting)
                        heard_at = given_at = now
                        yield samples
                        if self._watch_zeros(samples):
                            heard_at = given_at = time.monotonic()
                            yield np.zeros(round((given_at - now) * self.rate), np.float32)
                        continue
                    if now - heard_at > GIVE_UP or not self._stream.active:
                        raise Failure("no samples come any more")
            except (Failure, ValueError) as problem:
                if self._stream is not None:
                    log.warning("sound input %s is lost (%s); trying again", self.name or "(default)", _first(problem))
                self._abandon()
            if now - heard_at > STALL:
                missing = now - given_at
                given_at = now
                yield np.zeros(round(missing * self.rate), np.float32)
            else:
                given_at = max(given_at, heard_at)
            time.sleep(0.02 if self._stream is None else min(max((n - waiting) / self.rate, 0.002), 0.01))

    def _take(self, waiting: int) -> np.ndarray:
        """Read what waits; of a backlog only the newest."""
        late = waiting > BACKLOG * self._stream.samplerate
        samples, overflowed = self._stream.read(waiting)
        if late:
            samples = samples[-round(0.02 * self._stream.samplerate) :]
        self.overflows += bool(overflowed) or late
        mono = clean(samples[:, self._columns].mean(1))
        return mono if self._resampler is None else self._resampler.resample_chunk(mono)

    def _watch_zeros(self, samples: np.ndarray) -> bool:
        """No real card gives exact zeros for long; perhaps another was put in its place. -> whether it was opened anew."""
        self._zeros = 0.0 if samples.any() else self._zeros + len(samples) / self.rate
        if self._zeros <= DEAD:
            return False
        self._zeros = 0.0
        self._abandon()
        self._open()
        return True

    def _open(self) -> None:
        device = None if self.name is None else _find(self.name, "max_input_channels")
        info = sounddevice.query_devices(device, "input")
        width = max(self.channels) if self.channels else min(2, info["max_input_channels"])
        if width > info["max_input_channels"]:
            raise ValueError(f"it has {info['max_input_channels']} channels, {width} is asked for")
        self._columns = [c - 1 for c in self.channels] if self.channels else list(range(width))
        choices = {"device": device, "channels": width, "dtype": "float32", "latency": "low", "blocksize": 256}
        try:
            stream = sounddevice.InputStream(samplerate=self.rate, **choices)
        except Failure:
            stream = sounddevice.InputStream(samplerate=info["default_samplerate"], **choices)
        same = round(stream.samplerate) == self.rate
        self._resampler = None if same else soxr.ResampleStream(stream.samplerate, self.rate, 1, "float32", "MQ")
        stream.start()
        self._stream = stream

    def _reopen(self) -> None:
        """The device list is only read when PortAudio starts, so it is started anew."""
        _restart()
        self._open()

    def _abandon(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            try:
                stream.abort(ignore_errors=True)
                stream.close(ignore_errors=True)
            except Failure:
                pass

    def close(self) -> None:
        self._closed = True
        self._abandon()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class FilePlayer:
    """Plays a file, and yields what sounds at this moment: what was written earlier by the output's own latency.

    path: as SoundFile takes it; loop: again and again, without a seam; name: the output device, None the default.
    Where there is no output, or it fails, the file goes on silently by the clock and is yielded all the same.
    """

    def __init__(self, path: str | Path, rate: int = RATE, loop: bool = False, name: str | None = None) -> None:
        self.rate, self.name, self.overflows = rate, name, 0
        self._file = SoundFile(path, rate, loop)
        self._closed = False
        self._stuck = time.monotonic()  # when the output last took something
        self._stream: sounddevice.OutputStream | None = None
        try:
            self._stream = self._open()
        except (Failure, SoundError, ValueError) as problem:
            log.warning("no sound output (%s); playing silently", _first(problem))

    @property
    def audible(self) -> bool:
        """Is there an output?"""
        return self._stream is not None

    def blocks(self, n: int = 480) -> Iterator[np.ndarray]:
        """Mono float32 (n,) in real time, until the file ends or the source is closed.

        The card takes what is written in gulps, so we yield by the clock, and let the clock follow the card slowly.
        """
        blocks = self._file.stereo_blocks(n)
        ahead: deque[np.ndarray] = deque()  # written, not sounding yet
        room = self._stream.write_available if self._stream is not None else 0  # frames, of the empty buffer
        written = yielded = 0  # frames
        start = time.monotonic() + 0.01  # when frame 0 sounds
        while not self._closed:
            space = self._space(n)
            while (space >= n or not ahead) and (block := next(blocks, None)) is not None:
                self._write(block)
                ahead.append(block.mean(1))
                written += n
                space -= n
            if not ahead:
                return
            now = time.monotonic()
            due = start + yielded / self.rate
            if self._stream is not None and space >= 0:
                sounding = (written - max(0, room - space)) / self.rate  # s of the file that have left the buffer
                start += FOLLOW * min(max(now - sounding - start, -0.2), 0.2)
            if now - due > BACKLOG:  # we were held up: go on from here
                start += now - due
            time.sleep(max(0.0, due - now))
            yielded += n
            yield ahead.popleft()

    def _space(self, n: int) -> int:
        """Frames that the output takes now; one block at a time where there is none. A dead output is left."""
        stream = self._stream
        if stream is None:
            return 0
        try:
            space = stream.write_available
            if space >= n:
                self._stuck = time.monotonic()
            elif not stream.active or time.monotonic() - self._stuck > GIVE_UP:
                raise Failure("it takes no more samples")
            return space
        except Failure as problem:
            self._leave(problem)
            return 0

    def _write(self, block: np.ndarray) -> None:
        if self._stream is None:
            return
        try:
            self.overflows += bool(self._stream.write(np.clip(block, -1, 1)))
        except Failure as problem:
            self._leave(problem)

    def _leave(self, problem: Exception) -> None:
        log.warning("the sound output is lost (%s); going on silently", _first(problem))
        stream, self._stream = self._stream, None
        stream.abort(ignore_errors=True)
        stream.close(ignore_errors=True)

    def _open(self) -> "sounddevice.OutputStream":
        if sounddevice is None:
            raise SoundError(NO_PORTAUDIO)
        device = None if self.name is None else _find(self.name, "max_output_channels")
        stream = sounddevice.OutputStream(
            self.rate, device=device, channels=2, dtype="float32", latency=0.1, blocksize=0
        )
        stream.start()
        return stream

    def close(self) -> None:
        self._closed = True
        self._file.close()
        if self._stream is not None:
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)
            self._stream = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _find(name: str, side: str) -> int:
    """The index of a device by its name, else by a part of it. Raises ValueError: indices change, names stay."""
    able = [(d["index"], d["name"]) for d in sounddevice.query_devices() if d[side] > 0]
    for index, full in able:
        if full == name:
            return index
    for index, full in able:
        if name.lower() in full.lower():
            return index
    raise ValueError("there is no such device")


def _restart() -> None:
    """PortAudio reads the list of devices only here. All streams must be closed."""
    sounddevice._terminate()
    sounddevice._initialize()


def _first(problem: BaseException) -> str:
    """The first line of an error's words, without the full stop."""
    return (str(problem) or type(problem).__name__).splitlines()[0].rstrip(".")
