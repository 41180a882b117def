"""Sound files as streams of even blocks at one rate, in bounded memory. Knows no device and no clock."""

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import soxr

from vj.errors import SoundError

RATE = 48000
"""Hz, the one rate at which the program hears, whatever a file or a card has."""

CHUNK = 16384  # frames read from the disk at once

log = logging.getLogger(__name__)


def cut(chunks: Iterable[np.ndarray], n: int) -> Iterator[np.ndarray]:
    """Chunks (any, ...) -> blocks (n, ...). The last block is filled up with silence."""
    rest: np.ndarray | None = None
    for chunk in chunks:
        rest = chunk if rest is None or not len(rest) else np.concatenate([rest, chunk])
        start = 0
        while len(rest) - start >= n:
            yield rest[start : start + n]
            start += n
        rest = rest[start:]
    if rest is not None and len(rest):
        yield np.concatenate([rest, np.zeros((n - len(rest), *rest.shape[1:]), rest.dtype)])


def clean(samples: np.ndarray) -> np.ndarray:
    """float32, with NaN and infinite samples made silent. The array is kept where it was clean."""
    samples = np.asarray(samples, np.float32)
    return samples if np.isfinite(samples).all() else np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)


class SoundFile:
    """A sound file of any rate, width and number of channels that libsndfile reads (WAV, FLAC, OGG, MP3, AIFF ...).

    rate: Hz of the blocks; loop: start again at the end, without a seam.
    Raises SoundError where the file is missing, damaged, unknown or empty. A file cut short plays as far as it goes.
    """

    def __init__(self, path: str | Path, rate: int = RATE, loop: bool = False) -> None:
        self.path, self.rate, self.loop = Path(path), rate, loop
        if not self.path.is_file():
            raise SoundError(f"There is no sound file {self.path}; check its name.")
        try:
            self._file = soundfile.SoundFile(self.path)
        except (soundfile.SoundFileError, OSError) as problem:
            raise SoundError(
                f"{self.path} cannot be read as sound ({problem}); give a WAV, FLAC, OGG, MP3 or AIFF file "
                "(ffmpeg converts others)."
            ) from problem
        if self._file.frames == 0:
            self.close()
            raise SoundError(f"{self.path} holds no sound; choose another file.")

    @property
    def seconds(self) -> float:
        """Length that the file claims, s."""
        return self._file.frames / self._file.samplerate

    def blocks(self, n: int) -> Iterator[np.ndarray]:
        """Mono float32 (n,), from the beginning; the mean of all channels."""
        for block in self.stereo_blocks(n):
            yield block.mean(1)

    def stereo_blocks(self, n: int) -> Iterator[np.ndarray]:
        """float32 (n, 2), from the beginning. Mono is doubled; more than two channels are mixed to the middle."""
        return cut(self._resampled(), n)

    def _resampled(self) -> Iterator[np.ndarray]:
        if self._file.samplerate == self.rate:
            yield from self._read()
            return
        resampler = soxr.ResampleStream(self._file.samplerate, self.rate, 2, dtype="float32", quality="HQ")
        for chunk in self._read():
            yield resampler.resample_chunk(chunk)
        yield resampler.resample_chunk(np.zeros((0, 2), np.float32), last=True)

    def _read(self) -> Iterator[np.ndarray]:
        """float32 (at most CHUNK, 2) at the file's own rate."""
        self._file.seek(0)
        heard = 0
        while True:
            try:
                frames = self._file.read(CHUNK, dtype="float32", always_2d=True)
            except (soundfile.SoundFileError, RuntimeError) as problem:
                log.warning("%s is damaged after %.1f s (%s)", self.path, heard / self._file.samplerate, problem)
                frames = np.zeros((0, 1), np.float32)
            if len(frames):
                heard += len(frames)
                frames = clean(frames)
                yield frames if frames.shape[1] == 2 else np.repeat(frames.mean(1, keepdims=True), 2, 1)
            elif self.loop and heard:
                heard = 0
                self._file.seek(0)
            else:
                return

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
