"""What the ear's network is shown every hop: a short look on a log scale, a long look in semitones, and how both rise.

Levels are divided by a running one, so that the input's gain makes no difference. The streaming Senses and the
vectorised `whole` (for training) do the same arithmetic. Knows no network, device, file or clock.
"""

import numpy as np

BANDS = 36
SEMITONES = 48  # C3 .. B6
LOWEST = 130.81  # Hz, C3
LONG = 4096 / 48000  # s, the window in which semitones can be told apart
EVERY = 4  # hops between two long looks
SIZE = 2 * (BANDS + SEMITONES)  # values that the network is shown
SHARP, CLEAR = 20.0, 8.0  # compression of the short and of the long look, log(1 + x * level)
UP, DOWN, DROP = 0.3, 6.0, 1.5  # s: the running level rises, falls, falls where sound has all but ended
FLOOR = 3e-4  # a level below this is silence


class Senses:
    """look() once a hop -> float32 (SIZE,). step: s between hops; rate: Hz of the samples."""

    def __init__(self, rate: int, step: float) -> None:
        self.size = 2 * round(rate * LONG / 2)  # samples of the long window
        self._long = LongLook(rate, self.size)
        self._gains = (Gain(step), Gain(step * EVERY))
        self._hops = 0
        self._short = [np.zeros(BANDS, np.float32)] * 2  # of the last two hops, newest last
        self.level = 0.0  # the mean magnitude of the last look
        self._out = np.zeros(SIZE, np.float32)
        self.semitones = np.zeros(SEMITONES, np.float32)  # magnitudes of the last long look

    def look(self, mags: np.ndarray, window: np.ndarray) -> np.ndarray:
        """mags: (BANDS,) of this hop; window: float32 (size,), the newest samples, newest last. The result is reused."""
        out = self._out
        self.level = float(np.add.reduce(mags)) / BANDS
        now = mags * np.float32(SHARP / (self._gains[0].follow(self.level) + FLOOR))
        np.log1p(now, out=now)
        rise = out[BANDS : 2 * BANDS]
        np.subtract(now, self._short[0], out=rise)
        np.maximum(rise, 0, out=rise)
        out[:BANDS] = now
        self._short = [self._short[1], now]
        if self._hops % EVERY == EVERY - 1:
            self.semitones = tones = self._long.look(window)
            level = self._gains[1].follow(float(np.add.reduce(tones)) / SEMITONES)
            now = np.log1p(tones * (CLEAR / (level + FLOOR)))
            np.maximum(now - out[2 * BANDS : 2 * BANDS + SEMITONES], 0, out=out[2 * BANDS + SEMITONES :])
            out[2 * BANDS : 2 * BANDS + SEMITONES] = now
        self._hops += 1
        return out


class Gain:
    """A running level that rises quickly and falls slowly; at the very beginning it is the mean so far."""

    def __init__(self, step: float) -> None:
        self._up, self._down, self._drop = step / UP, step / DOWN, step / DROP
        self._value, self._count = 0.0, 0

    def follow(self, level: float) -> float:
        value = self._value
        rate = self._up if level > value else self._down if level > 0.03 * value else self._drop
        self._count += 1
        self._value = value + max(rate, 1 / self._count) * (level - value)
        return self._value


class LongLook:
    """The long window's magnitudes in semitone bands, at least one bin wide."""

    def __init__(self, rate: int, size: int) -> None:
        self.hann = np.hanning(size).astype(np.float32)
        hertz = np.fft.rfftfreq(size, 1 / rate)
        centres = LOWEST * 2 ** (np.arange(SEMITONES) / 12)
        width = np.maximum(centres * (2 ** (1 / 12) - 1), 1.1 * rate / size)
        weights = np.clip(1 - np.abs(hertz[None] - centres[:, None]) / width[:, None], 0, None)
        weights /= weights.sum(1, keepdims=True)
        self.bins = int(np.flatnonzero(weights.any(0))[-1]) + 1
        self.weights = np.ascontiguousarray(weights[:, : self.bins], np.float32)

    def look(self, window: np.ndarray) -> np.ndarray:
        """window: float32 (size,) -> (SEMITONES,) magnitudes."""
        return self.weights.dot(np.abs(np.fft.rfft(self.hann * window)[: self.bins]))


def whole(mags: np.ndarray, tones: np.ndarray, step: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    """All hops at once: mags (n, BANDS), tones (n // EVERY, SEMITONES) -> the short and the long look, compressed.

    `rises` makes of them what Senses.look gives.
    """
    one, two = Gain(step), Gain(step * EVERY)
    gains = np.array([one.follow(float(x)) for x in mags.sum(1) / BANDS])
    long_gains = np.array([two.follow(float(x)) for x in tones.sum(1) / SEMITONES])
    short = np.log1p(mags * (SHARP / (gains + FLOOR))[:, None])
    return short, np.log1p(tones * (CLEAR / (long_gains + FLOOR))[:, None])


def rises(short: np.ndarray, long: np.ndarray) -> np.ndarray:
    """(..., n, BANDS), (..., n // EVERY, SEMITONES) -> (..., n, SIZE)."""
    n = short.shape[-2]
    before = np.concatenate([np.zeros_like(short[..., :2, :]), short[..., :-2, :]], -2)
    long_before = np.concatenate([np.zeros_like(long[..., :1, :]), long[..., :-1, :]], -2)
    tones = np.concatenate([long, np.maximum(long - long_before, 0)], -1)
    held = np.repeat(tones, EVERY, -2)
    pad = np.zeros((*held.shape[:-2], EVERY - 1, held.shape[-1]), held.dtype)
    held = np.concatenate([pad, held], -2)[..., :n, :]
    if held.shape[-2] < n:
        held = np.concatenate([held, np.repeat(held[..., -1:, :], n - held.shape[-2], -2)], -2)
    return np.concatenate([short, np.maximum(short - before, 0), held], -1).astype(np.float32)
