"""Sounds that numpy makes: drums, brushes, noise, somebody who sings or speaks. Knows no music."""

import numpy as np
import scipy.fft

from vj.train.ear.bank import RATE


def kick(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.5 * RATE)) / RATE
    low, sweep, fall = rng.uniform(40, 65), rng.uniform(40, 400), rng.uniform(0.01, 0.06)
    y = np.sin(2 * np.pi * (low * t + sweep * fall * (1 - np.exp(-t / fall)))) * np.exp(-t / rng.uniform(0.06, 0.3))
    y = np.tanh(rng.uniform(1, 4) * y) + rng.uniform(0, 0.4) * rng.normal(size=len(t)) * np.exp(-t / 0.003)
    return _sixteen(y)


def snare(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.4 * RATE)) / RATE
    tone, bend = rng.uniform(140, 280), rng.uniform(0, 60)
    body = np.sin(2 * np.pi * (tone * t + bend * 0.02 * (1 - np.exp(-t / 0.02)))) * np.exp(-t / rng.uniform(0.02, 0.1))
    noise = coloured(rng, len(t), rng.uniform(300, 2500), rng.uniform(6000, 16000)) * np.exp(-t / rng.uniform(0.03, 0.18))
    return _sixteen(rng.uniform(0.1, 0.9) * body + rng.uniform(0.4, 1.0) * noise)


def _brush(rng: np.random.Generator) -> np.ndarray:
    """A tap with a brush: wires that land one after another, and hardly any drum."""
    t = np.arange(round(0.3 * RATE)) / RATE
    rise, fall = rng.uniform(0.002, 0.012), rng.uniform(0.02, 0.09)
    noise = coloured(rng, len(t), rng.uniform(600, 2500), rng.uniform(7000, 16000)) * (1 - np.exp(-t / rise)) * np.exp(-t / fall)
    return _sixteen(noise + rng.uniform(0, 0.3) * np.sin(2 * np.pi * rng.uniform(150, 260) * t) * np.exp(-t / 0.04))


def _stir(rng: np.random.Generator) -> np.ndarray:
    """Half a round of a brush on the skin: no stroke."""
    n = round(rng.uniform(0.25, 0.5) * RATE)
    return _sixteen(coloured(rng, n, rng.uniform(800, 2500), rng.uniform(6000, 12000)) * np.sin(np.pi * np.arange(n) / n) ** 2)


def _clap(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.35 * RATE)) / RATE
    envelope = np.exp(-t / rng.uniform(0.04, 0.12))
    for k in range(int(rng.integers(1, 4))):
        envelope += 0.7 * np.exp(-np.abs(t - 0.01 * k) / 0.003)
    return _sixteen(coloured(rng, len(t), rng.uniform(500, 1000), rng.uniform(2500, 9000)) * envelope)


def _hat(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.2 * RATE)) / RATE
    return _sixteen(_metal(rng, t) * np.exp(-t / rng.uniform(0.008, 0.05)))


def _open(rng: np.random.Generator) -> np.ndarray:
    t = np.arange(round(0.6 * RATE)) / RATE
    return _sixteen(_metal(rng, t) * np.exp(-t / rng.uniform(0.08, 0.25)))


def _metal(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    y = coloured(rng, len(t), rng.uniform(4000, 8000), rng.uniform(12000, 20000))
    if rng.random() < 0.5:
        y = y + 0.3 * sum(np.sign(np.sin(2 * np.pi * f * t)) for f in rng.uniform(3000, 9000, 5))
    return y


SYNTHETIC = {"kick": kick, "snare": snare, "clap": _clap, "hat": _hat, "open": _open}
BRUSHED = {"brush": _brush, "stir": _stir}  # no sound font has them


def _sixteen(y: np.ndarray) -> np.ndarray:
    return np.round(y / np.abs(y).max() * 29000).astype(np.int16)


def coloured(rng: np.random.Generator, n: int, low: float, high: float) -> np.ndarray:
    """Noise between two frequencies, with soft shoulders, RMS about 0.3."""
    size = scipy.fft.next_fast_len(n)
    f = np.fft.rfftfreq(size, 1 / RATE)
    shape = 1 / (1 + (low / np.maximum(f, 1)) ** 4) / (1 + (f / high) ** 4)
    y = scipy.fft.irfft(scipy.fft.rfft(rng.standard_normal(size, np.float32)) * np.sqrt(shape).astype(np.float32), size)[:n]
    return 0.3 * y / (y.std() + 1e-9)


BARS = (  # partials of bars, tines, plates, bells against the lowest (Fletcher and Rossing, The Physics of Musical Instruments)
    (1, 3.93, 9.2),
    (1, 4.0, 10.1),
    (1, 3.0, 6.1),
    (1, 2.76, 5.4, 8.93),
    (1, 5.6, 14.2),
    (0.5, 1, 1.19, 1.5, 2, 2.67, 4.1),
)


class Struck:
    """An instrument that is struck, plucked or tongued, by chance: a bar, a string or a pipe, each with the noise of its attack.

    Bars by modal synthesis, strings by harmonics that die the sooner the higher they are, pipes by harmonics that last.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self.kind = rng, str(rng.choice(["bar", "bar", "string", "string", "pipe"]))
        k = np.arange(1, 25)
        if self.kind == "bar":
            self._ratios = np.array(BARS[int(rng.integers(len(BARS)))])
            self._gains = rng.uniform(0.15, 0.7) ** np.arange(len(self._ratios)) * rng.uniform(0.7, 1.3, len(self._ratios))
            self._falls = rng.uniform(0.1, 1.2) * self._ratios ** -rng.uniform(0.3, 1.0)
        else:
            self._ratios = k * np.sqrt(1 + rng.uniform(0, 6e-4) * k * k) if self.kind == "string" else k.astype(float)
            self._gains = np.abs(np.sin(np.pi * k * rng.uniform(0.06, 0.5))) / k ** rng.uniform(0.6, 1.8)
            if self.kind == "pipe":
                self._gains[1::2] *= rng.choice([0.02, 0.3, 1.0])
            falls = rng.uniform(0.2, 1.6) / (1 + rng.uniform(0.05, 0.5) * (k - 1))
            self._falls = falls if self.kind == "string" else np.full(24, 9.0)
        self._rise = rng.uniform(0.008, 0.04) if self.kind == "pipe" else rng.uniform(0.0004, 0.004)
        self._knock, self._knocks = rng.uniform(0, 0.6) ** 2, rng.uniform(0.001, 0.012)  # its share, s that it lasts
        self._low = np.exp(rng.uniform(np.log(150), np.log(4000)))  # Hz, from which its noise sounds,
        self._wide = rng.uniform(1.5, 6)  # and to how many times that

    def note(self, key: float, seconds: float) -> np.ndarray:
        """MIDI key, s until it is damped -> float32 (n,), at most 1."""
        hertz = 440 * 2 ** ((key - 69) / 12)
        t = np.arange(round(min(max(seconds, 0.05) + 0.05, 2.5) * RATE)) / RATE
        low = (262 / hertz) ** 0.5  # low notes last longer
        y = np.zeros(len(t))
        for ratio, gain, fall in zip(self._ratios, self._gains, self._falls, strict=True):
            if hertz * ratio < 0.42 * RATE and gain > 0.003:
                y += gain * np.sin(2 * np.pi * hertz * ratio * t + ratio) * np.exp(-t / (fall * low))
        y *= np.minimum(t / self._rise, 1) * np.clip((t[-1] - t) / 0.05, 0, 1)
        m = min(len(t), round(8 * self._knocks * RATE))
        noise = coloured(self._rng, m, self._low, min(self._low * self._wide, 18000)) / 0.3
        y /= np.abs(y).max() + 1e-9
        y[:m] += self._knock * noise * np.exp(-t[:m] / self._knocks)
        return (y / max(1.0, float(np.abs(y).max()))).astype(np.float32)


class Voice:
    """Somebody who sings words: vowels of two formants, gliding and trembling, and consonants that hiss or burst."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng, self._tremble, self._down = rng, rng.uniform(0, 0.012), int(rng.choice([0, 12, 24]))
        self._words, self._hiss = rng.uniform(0.2, 0.9), rng.uniform(0.15, 1.0)

    def sing(self, start: float, key: float, seconds: float) -> tuple[float, np.ndarray]:
        """s when the vowel is to sound, MIDI key, s -> s when it begins, float32 (n,), the consonant with it."""
        rng = self._rng
        n = round(min(max(seconds, 0.08), 3.0) * RATE)
        u = np.arange(n) / RATE
        glide = self._tremble * np.sin(2 * np.pi * 5.5 * u) - 0.06 * np.exp(-u / 0.03)
        pitch = 440 * 2 ** ((key - self._down - 69) / 12) * (1 + glide)
        saw = 2 * (np.cumsum(pitch) / RATE % 1) - 1 + 0.05 * rng.standard_normal(n)
        f = np.fft.rfftfreq(n, 1 / RATE)
        one, two = rng.uniform(300, 850), rng.uniform(900, 2400)
        formants = ((one, 200, 1.0), (two, 300, 0.5), (2900, 500, 0.15))
        shape = 0.01 + sum(gain * np.exp(-(((f - at) / width) ** 2)) for at, width, gain in formants)
        vowel = np.fft.irfft(np.fft.rfft(saw) * shape, n)
        ends = np.minimum(1, np.minimum(u / rng.uniform(0.01, 0.06), (u[-1] - u) / 0.05 + 1e-3))
        vowel = vowel / (np.abs(vowel).max() + 1e-9) * ends
        if rng.random() > self._words:
            return start, vowel.astype(np.float32)
        m = round((rng.uniform(0.05, 0.16) if (hisses := rng.random() < 0.6) else rng.uniform(0.01, 0.03)) * RATE)
        low = rng.uniform(2500, 6000) if hisses else rng.uniform(500, 3000)
        burst = self._hiss * coloured(rng, m, low, low * rng.uniform(1.5, 3))
        burst *= np.hanning(m) if hisses else np.exp(-np.arange(m) / (m / 4))
        return max(0.0, start - m / RATE), np.concatenate([burst, vowel]).astype(np.float32)


def syllable(rng: np.random.Generator, pitch: float) -> np.ndarray:
    """A vowel with two formants."""
    u = np.arange(round(rng.uniform(0.07, 0.3) * RATE)) / RATE
    one, two = rng.uniform(300, 850), rng.uniform(900, 2400)
    glide = pitch * (u + rng.uniform(-0.3, 0.3) * u * u)
    h = np.arange(1, 24)
    gains = np.exp(-(((h * pitch - one) / 250) ** 2)) + 0.4 * np.exp(-(((h * pitch - two) / 400) ** 2)) + 0.02
    return ((np.sin(2 * np.pi * glide[:, None] * h) @ gains) * np.sqrt(np.hanning(len(u)))).astype(np.float32)
