"""Samples in, AudioFeatures out, every 10 ms and causally: level, loudness, bands, onsets, beat.

Onsets are heard by a small network, where its weights can be read, beats by it and by classical means together; without
it, all by classical means.

The same samples give the same values, bit for bit, whatever the blocks they come in. Knows no device, file or clock.
Relative loudness is as in MilkDrop (divided by its own long-term mean); level is K-weighted (ITU-R BS.1770).
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from vj.audio.beat import Beat, BeatTracker
from vj.audio.files import RATE, clean
from vj.audio.form import Form
from vj.audio.network import TEMPO_EVERY, EarWeights, Network, read_shipped
from vj.audio.onsets import CLASSES, EDGES, DrumPresence, Onset, OnsetChooser, OnsetDetector, OnsetPicker
from vj.audio.senses import EVERY, Senses
from vj.audio.strokes import Strokes
from vj.signals import AudioFeatures

BANDS = ((20, 160), (160, 800), (800, 4000), (4000, 16000))
"""Hz: low, low_mid, high_mid, high."""

WINDOW = 1024 / 48000  # s, the analysis window; highs are also looked at through its newer half
ALWAYS, NEVER, QUIET = -40.0, -80.0, -43.0  # dBFS: louder is never gated; softer always; between, only what is steady
MOVING = (1.0, 1.6, 0.75, 0.6, 0.6)  # mean change in dB per 0.1 s above which a sound is no noise or hum
RISE, FALL = 0.012, 0.15  # s, envelopes of loudness and bands
USUAL = 12.0  # s, what is usual is learnt over this time
PATIENCE = 4.0  # s, a level far from the usual is taken for the new usual after this
SLOW = 1.5  # s, presence follows a band's level this slowly
FLASH = 0.07  # s, an onset fades
LEAST = (0.0, 0.01, 0.01, 0.006, 0.004)  # what is usual in a band is at least this share of all
MOST = 3.0  # loudness and bands reach no further


class KnownBeats(Protocol):
    """Beats that are known in advance; follow() once a hop, told the s of sound heard."""

    tempo: float
    confidence: float
    phase: float
    next_beat: float
    until: float  # s of sound heard, from which on it knows nothing

    def follow(self, now: float) -> Beat | None: ...


class KnownDrums(Protocol):
    """Drums that are known in advance; follow() once a hop, told the s of sound heard."""

    due: tuple[float, float, float]  # s of sound at which the next kick, snare, hat comes; 0: none that is known
    until: float  # s of sound heard, from which on it knows nothing

    def follow(self, now: float) -> list[Onset]: ...


class FeatureExtractor:
    """feed() samples as they come; the newest AudioFeatures come back. events() drains the beats and onsets told.

    rate: Hz of the samples; hop: samples between two looks (10 ms is what the tracker is tuned for).
    weights: of the network that is to hear onsets and beats; "shipped": those that came with the program, if they can be
    read; None: all is heard by rule, as onsets are where the network hears nothing.
    trim: dB by which a hand lifts the input before anything is heard; may be set at any time.
    """

    def __init__(
        self, rate: int = RATE, hop: int = RATE // 100, weights: EarWeights | str | None = "shipped", trim: float = 0.0
    ) -> None:
        self.rate, self.hop = rate, hop
        self.step = hop / rate  # s
        if weights == "shipped":
            weights = read_shipped()
        self.weights, self._network, second = weights if isinstance(weights, EarWeights) else None, None, None
        if isinstance(weights, EarWeights):
            self._network, second = Network(weights), weights.drums
        self._strokes, self._looks_twice = Strokes(second), second is not None
        self._senses = Senses(rate, self.step)
        self._picker, self._chooser = OnsetPicker(self.step), OnsetChooser(self.step)
        self._presence_of_drums = DrumPresence(self.step)
        self.beat = BeatTracker(self.step)
        self.features = AudioFeatures()
        self._onsets = OnsetDetector(self.step)
        self._spectrum = _Spectrum(rate)
        self._gate = _Gate(self.step)
        self._heard = np.zeros(self._senses.size, np.float32)  # the newest samples, newest last
        self._window = self._heard[-self._spectrum.size :]
        self._kept = np.zeros(0, np.float32)  # samples of the hop not yet full
        self._hops = 0
        self._events: deque[Beat | Onset] = deque(maxlen=1000)
        self._gain = 0.0  # running level of the onset bands
        self._roots = [np.zeros(len(self._spectrum.centres), np.float32)] * 3  # compressed spectra of the last three hops
        weights = np.interp(self._spectrum.centres, [170, 200, 1800, 2200], [1.3, 1.0, 1.0, 0.9])
        self._weights = np.float32(weights / weights.sum())
        self._envelopes, self._usual, self._slow = [0.0] * 5, [0.0] * 5, [0.0] * 5  # loudness and four bands
        self._attack, self._decay = 1 - math.exp(-self.step / RISE), 1 - math.exp(-self.step / FALL)
        self._open_for, self._far_for = 0.0, 0.0
        self._energy, self._minute = 0.0, 0.0  # over bars, over a minute
        self._form = Form(self.step)
        self._presence, self._hits, self._clocks = [0.0] * 4, [0.0] * 4, [0.0] * 4
        self._before, self._chroma = [0.0] * 4, np.zeros(12)
        self._flash, self._counts = [0.0] * 3, [0, 0, 0]
        self._fade = math.exp(-self.step / FLASH)
        self._beats, self._position = 0, 0
        self._clipped_until = -1.0
        self._hands: deque[tuple[Callable[[float], None], float]] = deque(maxlen=32)
        self._grid: KnownBeats | None = None
        self._drums: KnownDrums | None = None
        self._by_hand = self._alone = False  # known beats, nothing known is to be followed any more
        self.noted: tuple | None = None  # of the last hop, where there is a network: short look (it is reused), chances by the
        # network, of drums by the second look, RMS of nine bands, whether it was quiet, whether the rule was believed instead
        self.trim = trim

    def feed(self, samples: np.ndarray) -> AudioFeatures:
        """samples: float (n,) mono, -1..1, any n. NaN and infinite ones count as silence."""
        samples = clean(samples).reshape(-1)
        self._kept = np.concatenate([self._kept, samples]) if len(self._kept) else samples
        start = 0
        while len(self._kept) - start >= self.hop:
            self._look(self._kept[start : start + self.hop])
            start += self.hop
        self._kept = self._kept[start:].copy()  # whoever gave them may write there again
        return self.features

    def events(self) -> list[Beat | Onset]:
        """The beats and onsets told since the last call, in stream order (the last thousand at most)."""
        told = []
        while self._events:
            told.append(self._events.popleft())
        return told

    # What hands say. These may be called from another thread; they are heeded at the next hop.

    def tap(self, time: float | None = None) -> None:
        """A beat is now, or at `time` (s) on the features' clock."""
        self._hands.append((self.beat.tap, self.features.time if time is None else time))

    def one(self, time: float | None = None) -> None:
        """The first beat of a bar is now, or at `time` (s) on the features' clock."""
        self._hands.append((self.beat.one, self.features.time if time is None else time))

    def scale(self, factor: float) -> None:
        """The tempo is `factor` times what is shown: 2 or 0.5."""
        self._hands.append((self.beat.scale, factor))

    def nudge(self, seconds: float) -> None:
        """Beats shall come later by this (earlier, where it is negative)."""
        self._hands.append((self.beat.nudge, seconds))

    def follow(self, grid: KnownBeats | None, drums: KnownDrums | None = None) -> None:
        """Tell these beats and drums (see vj/audio/ahead.py) from the next hop on, in place of those heard; None: as heard.

        In vain after leave(); beats also once a hand has spoken of them.
        """
        self._grid = None if self._alone or self._by_hand else grid
        self._drums = None if self._alone else drums

    def leave(self) -> None:
        """All is told as heard from now on, whatever is known: the sound is no longer the file's."""
        self._alone, self._grid, self._drums = True, None, None

    def _look(self, new: np.ndarray) -> None:
        self._hops += 1
        time = self._hops * self.step
        peak = float(np.maximum.reduce(np.abs(new)))
        if peak >= 0.999:
            self._clipped_until = time + 0.5
        self._heard[: -self.hop] = self._heard[self.hop :]
        if self.trim or peak > 2:
            new = np.clip(new * np.float32(10 ** (self.trim / 20)), -2, 2)
        self._heard[-self.hop :] = new
        mags, loud, centroid, flatness = self._spectrum.look(self._window)
        openness, level = self._gate.look(loud)
        relative = self._relate(loud, openness)
        while self._hands:
            self._by_hand, self._grid = True, None  # a hand knows better than what is known of beats
            heed, value = self._hands.popleft()
            heed(value)
        seen = self._senses.look(mags, self._heard)
        onsets, beat = self._hear(mags, seen, openness < 0.5, openness)
        due = (0.0, 0.0, 0.0)
        if self._drums is not None and time < self._drums.until:
            onsets, due = self._drums.follow(time), self._drums.due
        self._flash = [x * self._fade if x > 0.01 else 0.0 for x in self._flash]
        for told in onsets:
            self._flash[CLASSES.index(told.kind)] = told.strength
            self._counts[CLASSES.index(told.kind)] += 1
        tracker = self.beat
        if self._grid is not None and time < self._grid.until:
            tracker, beat = self._grid, self._grid.follow(time)
        if beat is not None:
            self._beats, self._position = self._beats + 1, beat.position
        self._events.extend([*onsets, *([beat] if beat is not None else [])])
        kick, snare, hat = self._flash
        loudness, *bands = relative
        self._note_bands(bands, openness)
        form = self._form
        form.feed(seen[: len(mags)], loudness, bands[0], bands[3], len(onsets), openness > 0.5)
        hits, slow, clocks = self._hits, self._presence, self._clocks
        self.features = AudioFeatures(
            time=time,
            level_db=level,
            loudness=loudness,
            low=bands[0],
            low_mid=bands[1],
            high_mid=bands[2],
            high=bands[3],
            kick=kick,
            snare=snare,
            hat=hat,
            kicks=self._counts[0],
            snares=self._counts[1],
            hats=self._counts[2],
            next_kick=due[0],
            next_snare=due[1],
            next_hat=due[2],
            tempo=tracker.tempo,
            tempo_confidence=tracker.confidence,
            beat_phase=tracker.phase,
            beats=self._beats,
            next_beat=tracker.next_beat,
            bar_position=self._position if tracker.tempo else 0,
            centroid=centroid * openness,
            intensity=self._intensity(relative),
            clipped=time < self._clipped_until,
            flatness=flatness * openness,
            chroma=tuple(self._chroma.tolist()),
            low_hit=hits[0],
            low_mid_hit=hits[1],
            high_mid_hit=hits[2],
            high_hit=hits[3],
            low_presence=slow[0],
            low_mid_presence=slow[1],
            high_mid_presence=slow[2],
            high_presence=slow[3],
            low_clock=clocks[0],
            low_mid_clock=clocks[1],
            high_mid_clock=clocks[2],
            high_clock=clocks[3],
            build=form.build,
            breakdown=form.breakdown,
            drops=form.drops,
            sections=form.sections,
        )

    def _hear(self, mags: np.ndarray, seen: np.ndarray, quiet: bool, openness: float) -> tuple[list[Onset], Beat | None]:
        """The onsets and the beat of this hop."""
        network, heard, belief = self._network, None, None
        bands = self._spectrum.drums()
        onsets = self._onsets.feed(bands, quiet)
        if network is not None:
            heard = network.step(seen)
            tempo = self.features.tempo
            shown = self._strokes.shown(seen[: len(mags)], heard, bands, 60 / (tempo * self.step) if tempo else 0.0)
            drums = self._strokes.judge(shown) if self._looks_twice else heard[2:5]
            belief = (network.tempi, network.belief) if self._hops % TEMPO_EVERY == 0 else None
            found = self._picker.feed(drums, quiet, self._presence_of_drums.feed(heard))
            onsets = self._chooser.feed(found, onsets, heard[5])
            self.noted = (seen[: len(mags)], heard, drums, bands, quiet, self._chooser.deaf)
        onset, colour = self._rise(mags, openness)
        low, snare, _ = self._onsets.scores
        return onsets, self.beat.feed(onset, low, snare, colour, quiet, heard, belief)

    def _relate(self, loud: Sequence[float], openness: float) -> list[float]:
        """loud: five, RMS of all and of the bands -> five against what is usual here, 0..MOST, 0 when the gate is shut."""
        envelopes, usual, slow = self._envelopes, self._usual, self._slow  # of five numbers each: lists are quicker than arrays
        for k, level in enumerate(loud):
            change = level - envelopes[k]
            envelopes[k] += (self._attack if change > 0 else self._decay) * change
        if openness > 0.5:
            self._open_for += self.step
            for k, level in enumerate(envelopes):
                slow[k] += (level - slow[k]) * (self.step / 0.7)
            far = slow[0] < 0.12 * usual[0] or slow[0] > 6 * usual[0]
            self._far_for = self._far_for + self.step if far else 0.0
            if self._far_for > PATIENCE:  # the room, or somebody's hand on the mixer, has changed: learn anew
                usual[:], self._open_for, self._far_for = slow, 2.0, 0.0
            rate = self.step / min(USUAL, max(self._open_for, self.step))
            for k, level in enumerate(envelopes):
                usual[k] += (level - usual[k]) * rate
        return [
            min(now / (max(mean, least * usual[0]) + 1e-9), MOST) * openness
            for now, mean, least in zip(envelopes, usual, LEAST, strict=True)
        ]

    def _rise(self, mags: np.ndarray, openness: float) -> tuple[float, np.ndarray]:
        """mags: (36,) -> how strongly they rise in this hop (spectral flux of square roots), and the roots themselves."""
        level = self._senses.level
        if openness > 0.5 or level > self._gain:
            fall = 6.0 if level > 0.03 * self._gain else 1.5
            self._gain += self.step / (0.3 if level > self._gain else fall) * (level - self._gain)
        roots = np.sqrt(mags / (self._gain + 1e-9))
        rise = roots - self._roots[0]
        np.maximum(rise, 0, out=rise)
        self._roots = [*self._roots[1:], roots]
        return float(rise @ self._weights) * openness, roots

    def _note_bands(self, levels: list[float], openness: float) -> None:
        """levels: four, of the bands against their usual. Brings presence, hits, clocks and chroma up to this hop."""
        step, slow, hits, clocks = self.step, self._presence, self._hits, self._clocks
        for k, level in enumerate(levels):
            slow[k] += (level - slow[k]) * (step / SLOW)
            if openness == 0.0 and slow[k] < 0.03:
                slow[k] = 0.0
            hit = hits[k] * self._fade
            hits[k] = max(hit if hit > 0.01 else 0.0, min(0.8 * (level - self._before[k]) * RISE / step, 1.0))
            clocks[k] += level * step if level > 0.01 else 0.0
        self._before = levels
        if self._hops % EVERY == 0:
            tones = self._senses.semitones
            chroma = (tones * tones).reshape(-1, 12).sum(0)
            self._chroma += (chroma / (chroma.max() + 1e-9) * openness - self._chroma) * min(1.0, EVERY * step / 0.12)
            if openness == 0.0:
                self._chroma[self._chroma < 0.01] = 0.0

    def _intensity(self, relative: Sequence[float]) -> float:
        """0..1: energy over about two bars against that of the last minute; 0.5 is as usual, full and bright is more."""
        energy = 0.5 * relative[0] + 0.2 * relative[1] + 0.3 * relative[4]
        self._energy += (energy - self._energy) * self.step / 4.0
        self._minute += (energy - self._minute) * self.step / min(60.0, max(self._open_for, 4.0))
        intensity = min(1.0, 0.5 * self._energy / max(self._minute, 0.3))
        return intensity if intensity > 0.003 else 0.0


class _Spectrum:
    """One look at the newest samples: the sums over frequency that everything else is made of."""

    def __init__(self, rate: int) -> None:
        half = round(rate * WINDOW / 2)
        self.size = 2 * half
        self._hann = np.hanning(self.size).astype(np.float32)
        self._short = np.hanning(half).astype(np.float32)
        hertz, short = np.fft.rfftfreq(self.size, 1 / rate), np.fft.rfftfreq(half, 1 / rate)
        edges = np.geomspace(45, 15000, 38)
        self.centres = edges[1:-1]  # (36,) Hz
        bin_width = rate / self.size
        triangles = np.array([_triangle(hertz, *edges[k : k + 3], bin_width) for k in range(36)])
        self._triangles = np.concatenate([triangles, [hertz, np.ones_like(hertz)]]).astype(np.float32)  # (38, F)
        to_mean_square = 2 / (self.size * (self._hann @ self._hann))
        sums = [_k_weights(hertz), *(_band(hertz, *b) for b in BANDS)]
        self._low = np.array([_band(hertz, *EDGES[k : k + 2], mean=True) for k in range(4)], np.float32)  # (4, F)
        self._sums = (np.array(sums) * to_mean_square).astype(np.float32)  # (5, F)
        self._powers = np.concatenate([self._sums, self._low])  # (9, F)
        same = (self._hann @ self._hann) / (self._short @ self._short)
        self._high = np.array([_band(short, *EDGES[k : k + 2], mean=True) * same for k in range(4, 9)], np.float32)
        self._high_doubled = np.zeros((5, len(hertz)), np.float32)  # for a short window that is filled up with zeros
        self._high_doubled[:, ::2] = self._high
        self._mean = self._hann / self._hann.sum()
        self._spectra = np.zeros((2, len(hertz)), np.complex64)
        self._both = np.zeros((2, self.size), np.float32)  # the window, and its newer half; transformed together
        self._bands = [0.0] * 9  # of the last look
        self._looks, self._flatness = 0, 0.0

    def whole(self, windows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """windows: float32 (n, size) -> (n, 36), (n, 9): the magnitudes of look, and what drums gives."""
        centred, newer = windows - (windows @ self._mean)[:, None], windows[:, self.size // 2 :]
        spectra = np.abs(np.fft.rfft(centred * self._hann, axis=1))
        short = np.abs(np.fft.rfft((newer - newer.mean(1, keepdims=True)) * self._short, axis=1))
        powers = np.concatenate([(spectra * spectra) @ self._low.T, (short * short) @ self._high.T], 1)
        return spectra @ self._triangles[:36].T, np.sqrt(powers)

    def look(self, window: np.ndarray) -> tuple[np.ndarray, list[float], float, float]:
        """window: float32 (size,), newest last.

        -> (36,) magnitudes on a log scale, five RMS, of all (K-weighted) and of BANDS, centroid Hz, flatness
        0..1 (geometric against arithmetic mean of the magnitudes).
        """
        whole, newer, half = self._both[0], window[self.size // 2 :], self.size // 2
        np.subtract(window, self._mean.dot(window), out=whole)
        whole *= self._hann
        short = self._both[1, :half]
        np.subtract(newer, np.add.reduce(newer) / np.float32(half), out=short)
        short *= self._short
        spectra = np.abs(np.fft.rfft(self._both, out=self._spectra))
        shapes = self._triangles.dot(spectra[0])
        spectra *= spectra
        powers = np.sqrt(self._powers.dot(spectra[0])).tolist()
        self._bands = powers[5:] + np.sqrt(self._high_doubled.dot(spectra[1])).tolist()
        mags, (moment, mass) = shapes[:36], shapes[36:].tolist()
        heard = mass > 1e-6
        centroid = moment / mass if heard else 0.0
        self._looks += 1
        if self._looks % EVERY == 1:  # it is slow, and dear
            mean = float(shapes[:36].sum()) / 36
            self._flatness = float(np.exp(np.log(mags + 1e-9).sum() / 36)) / (mean + 1e-9) if heard else 0.0
        return mags, powers[:5], centroid, self._flatness

    def drums(self) -> list[float]:
        """Nine RMS between EDGES, of the window that was looked at last: lows in all of it, highs in its newer half."""
        return self._bands


def short_looks(samples: np.ndarray, rate: int, hop: int) -> tuple[np.ndarray, np.ndarray]:
    """samples: float32 (n,) -> (n // hop, 36) magnitudes on a log scale, (n // hop, 9) RMS between EDGES; for training.

    As the ear sees them hop by hop.
    """
    spectrum = _Spectrum(rate)
    padded = np.concatenate([np.zeros(spectrum.size - hop, np.float32), samples])
    windows = np.lib.stride_tricks.sliding_window_view(padded, spectrum.size)[::hop][: len(samples) // hop]
    return spectrum.whole(windows)


class _Gate:
    """Tells music from a quiet room: soft sound that stays as it is (noise, hum) is shut out."""

    def __init__(self, step: float) -> None:
        self._step = step
        self._power = [0.0] * 5
        self._every = round(0.1 / step)
        self._before = [NEVER] * 5
        self._changes: deque[list[float]] = deque([[0.0] * 5] * 20, maxlen=20)  # dB per 0.1 s, two seconds of them
        self._hops = 0
        self._moving = self._is_open = False
        self.openness = 0.0  # 0 shut .. 1 open

    def look(self, loud: Sequence[float]) -> tuple[float, float]:
        """loud: five RMS, of all and of the bands -> openness 0..1, level dBFS."""
        power, rate = self._power, self._step / 0.1
        for k, x in enumerate(loud):
            power[k] += (x * x - power[k]) * rate
        level = 10 * math.log10(power[0] + 1e-12)
        self._hops += 1
        if self._hops % self._every == 0:
            now = [max(10 * math.log10(x + 1e-12), NEVER - 10) for x in power]
            change = [min(abs(a - b), 4.0) for a, b in zip(now, self._before, strict=True)]
            self._changes.append([c if x >= level - 25 else 0.0 for c, x in zip(change, now, strict=True)])  # hardly sounds: none
            self._before = now
            mean = [sum(changes) / len(self._changes) for changes in zip(*self._changes, strict=True)]
            self._moving = any(x > least for x, least in zip(mean, MOVING, strict=True))
        if level > ALWAYS:
            self._is_open = True
        elif level < NEVER or (level < QUIET and not self._moving):
            self._is_open = False
        elif self._moving:
            self._is_open = True
        rate = self._step / (0.03 if self._is_open else 0.25)
        self.openness += (float(self._is_open) - self.openness) * min(1.0, rate)
        if not self._is_open and self.openness < 0.003:
            self.openness = 0.0
        return self.openness, max(level, -120.0)


def _triangle(hertz: np.ndarray, low: float, centre: float, high: float, least: float) -> np.ndarray:
    """Weights (F,) of a band that is at least a bin wide to each side; they sum to 1."""
    low, high = min(low, centre - least), max(high, centre + least)
    weights = np.clip(np.minimum((hertz - low) / (centre - low), (high - hertz) / (high - centre)), 0, None)
    return weights / (weights.sum() + 1e-9)


def _band(hertz: np.ndarray, low: float, high: float, mean: bool = False) -> np.ndarray:
    """Weights (F,), 1 between low and high (the first bin, which is 0 Hz, never); mean: they sum to 1."""
    inside = ((hertz >= low) & (hertz < high) & (hertz > 0)).astype(float)
    return inside / max(inside.sum(), 1) if mean else inside


def _k_weights(hertz: np.ndarray) -> np.ndarray:
    """Power weights (F,) of the K curve: highs lifted by 4 dB from about 1.7 kHz, lows cut below about 38 Hz."""
    f = np.maximum(hertz, 1e-3)
    shelf = 1 + (10**0.4 - 1) / (1 + (1680 / f) ** 2.6)
    cut = 1 / (1 + (38 / f) ** 4)
    return np.where(hertz > 0, shelf * cut, 0.0)
