"""The demo's music, made by code: 80 seconds of pulses and slow chords in the manner of American minimalism, with drums.

Our own piece, free to use. Two marimbas play one pattern, and one of them slips a sixteenth further every four bars;
pulses swell and fade as long as a breath; drums enter at 25 s, rest at 55 s and return at 63 s. The same every time.
"""

import os
from pathlib import Path

import numpy as np
import soundfile

from vj.errors import SoundError

TEMPO = 126.0  # beats a minute
BARS = 42  # of four beats: 80.0 s
DRUMS, BREAK, BACK, LAST = 14, 30, 34, 42  # bars where the drums enter, rest, return, end
CHORDS = (  # four bars each: bass, pulse tones, pattern tones (MIDI)
    (38, (66, 69, 73, 76), (62, 66, 69, 73, 76, 78)),
    (35, (66, 69, 74, 76), (62, 66, 69, 71, 74, 78)),
    (43, (66, 71, 74, 78), (62, 66, 67, 71, 74, 79)),
    (40, (67, 71, 74, 78), (64, 67, 69, 71, 76, 78)),
    (33, (64, 69, 73, 78), (61, 64, 69, 71, 76, 81)),
    (42, (64, 69, 73, 76), (61, 66, 69, 73, 76, 78)),
)
PATTERN = (0, 3, None, 1, 4, 2, None, 5, 3, None, 4, 1)  # twelve sixteenths against sixteen: it never falls on the bar


def make(rate: int = 44100) -> tuple[np.ndarray, dict[str, list[float]]]:
    """(stereo float32 (n, 2), -0.9..0.9; {'kick', 'snare', 'hat': times in s}), n = 80 s x rate."""
    step = 60 / TEMPO / 4  # s a sixteenth
    n = round(BARS * 16 * step * rate)
    rng = np.random.default_rng(18)
    tuned, drums = np.zeros((n, 2), np.float32), np.zeros((n, 2), np.float32)
    _marimbas(tuned, rate, step)
    _pulses(tuned, rate, step)
    _breaths(tuned, rate, step)
    times = _drums(drums, rate, step, rng)
    time = np.arange(n) / rate
    pump = np.ones(n, np.float32)  # the tuned instruments make a little room for each kick
    for t in times["kick"]:
        a, b = round(t * rate), min(round((t + 0.3) * rate), n)
        pump[a:b] = np.minimum(pump[a:b], 0.62 + 0.38 * np.clip((time[a:b] - t) / 0.28, 0, 1) ** 1.5)
    grow = np.interp(time, (0, 14, 24.5, 25, 55, 56, 62, 63), (0.5, 0.75, 1.0, 0.72, 0.78, 0.7, 0.95, 0.8))
    tuned *= (pump * grow)[:, None].astype(np.float32)
    mix = tuned + 0.22 * _room(tuned, rate, rng) + 1.05 * drums + 0.06 * _room(drums, rate, rng)
    mix *= np.clip(time / 1.0, 0, 1)[:, None] * np.clip((time[-1] - time) / 1.8, 0, 1)[:, None]
    mix = np.tanh(0.95 * mix / np.percentile(np.abs(mix), 99.9))
    return (0.9 * mix / np.abs(mix).max()).astype(np.float32), times


def write(path: Path, rate: int = 44100) -> Path:
    """Writes the piece as FLAC, OGG or WAV (by the name's ending), whole or not at all. Raises SoundError."""
    path = Path(path)
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(aside, make(rate)[0], rate)
        os.replace(aside, path)
    except (OSError, soundfile.SoundFileError, TypeError, ValueError) as error:
        raise SoundError(f"The demo music cannot be written to {path} ({error}): choose another place.") from None
    finally:
        if aside.is_file():
            aside.unlink()
    return path


# ----------------------------------------------------------------------------------------------------- who plays what
def _marimbas(out, rate, step):
    """Two marimbas, left and right, the right one ever further ahead of the left."""
    notes = {}
    for bar in range(1, BARS):
        for six in range(16):
            at = (bar - 1) * 16 + six
            for side, ahead in ((0, 0), (1, (bar - 1) // 4)):
                if bar < 3 and side == 1:
                    continue
                tone = PATTERN[(at + ahead) % 12]
                if tone is None:
                    continue
                pitch = CHORDS[(bar - 1) // 4 % 6][2][tone]
                if pitch not in notes:
                    notes[pitch] = _marimba(pitch, rate)
                loud = 0.16 + 0.05 * (six % 4 == 0) - 0.04 * (BREAK <= bar < BACK)
                _add(out, notes[pitch], at * step, rate, loud, -0.55 + 1.1 * side)


def _pulses(out, rate, step):
    """Eighths on the chord's tones by piano and high marimba: each swells and fades as long as a breath."""
    notes = {}
    for voice, (instrument, pan, length, offset, lift) in enumerate(
        ((_piano, -0.25, 40, 0, 0), (_marimba, 0.3, 52, 20, 12), (_piano, 0.1, 64, 44, -12))
    ):
        for at in range(0, (BARS - 1) * 16, 2):
            swell = np.sin(np.pi * ((at + offset) % length) / length) ** 2
            for pitch in CHORDS[at // 64 % 6][1][voice::2]:
                key = (instrument, pitch + lift)
                if key not in notes:
                    notes[key] = instrument(pitch + lift, rate)
                _add(out, notes[key], at * step, rate, 0.15 * swell, pan)


def _breaths(out, rate, step):
    """A bass clarinet in fast pulses that come and go, one breath each, and a soft held chord above it."""
    notes = {}
    for at in range(32, (BARS - 1) * 16, 2):
        bar = at // 16 + 1
        bass = CHORDS[at // 64 % 6][0]
        swell = np.sin(np.pi * (at % 48) / 48) ** 1.5
        for pitch, loud in ((bass, 0.26), (bass + 12, 0.12)):
            if pitch not in notes:
                notes[pitch] = _clarinet(pitch, rate, 2.1 * step)
            _add(out, notes[pitch], at * step, rate, 0.8 * loud * swell * (0.75 if BREAK <= bar < BACK else 1), -0.1)
    for start in range(0, (BARS - 1) * 16, 64):
        long = 70 * step
        for k, pitch in enumerate(CHORDS[start // 64 % 6][1]):
            t = np.arange(round(long * rate)) / rate
            tone = sum(np.sin(2 * np.pi * _hz(pitch) * h * t * (1 + 0.0007 * (k - 1.5))) / h**2 for h in (1, 2, 3))
            hump = np.sin(np.pi * np.minimum(t / long, 1)) ** 1.5
            _add(out, (tone * hump).astype(np.float32), start * step, rate, 0.035, 0.6 * (k - 1.5) / 1.5)


def _drums(out, rate, step, rng):
    kick, snare, hat, open_hat = _kick(rate), _snare(rate, rng), _hat(rate, rng, 0.012), _hat(rate, rng, 0.07)
    times = {"kick": [], "snare": [], "hat": []}

    def hit(kind, sound, at, loud, pan=0.0):
        _add(out, sound, at * step, rate, loud, pan)
        times[kind].append(round(at * step, 6))

    for bar in range(DRUMS, LAST):
        first, full = (bar - 1) * 16, bar >= BACK
        if BREAK <= bar < BACK:
            if bar == BACK - 1:  # a roll leads back
                for k, six in enumerate((8, 10, 12, 13, 14, 15)):
                    hit("snare", snare, first + six, 0.18 + 0.05 * k)
            continue
        for six in range(16):
            if six in ((0, 8) if bar < DRUMS + 2 else (0, 4, 8, 12)):
                hit("kick", kick, first + six, 0.85)
            if six == 14 and bar % 4 == 0 and bar >= DRUMS + 4:
                hit("kick", kick, first + six, 0.6)
            if bar >= DRUMS + 4 and six in (4, 12):
                hit("snare", snare, first + six, 0.5)
            if bar >= DRUMS + 10 and bar % 4 == 0 and six in (7, 15):
                hit("snare", snare, first + six, 0.16)
            if six % 4 == 2:
                hit("hat", open_hat if full else hat, first + six, 0.42, 0.25)
            elif bar >= DRUMS + 8 and six % 2 == 1:
                hit("hat", hat, first + six, 0.2 if six % 4 == 1 else 0.27, -0.2)
    hit("kick", kick, (LAST - 1) * 16, 0.85)
    return times


# -------------------------------------------------------------------------------------------------------- instruments
def _hz(pitch):
    return 440 * 2 ** ((pitch - 69) / 12)


def _marimba(pitch, rate):
    """A bar's partials lie at 1, 3.9 and 9.2 (Fletcher and Rossing, The Physics of Musical Instruments)."""
    t, f = np.arange(round(0.9 * rate)) / rate, _hz(pitch)
    ring = 0.32 * (262 / f) ** 0.5
    sound = sum(a * np.sin(2 * np.pi * f * p * t) * np.exp(-t / (ring * d)) for p, a, d in
                ((1, 0.85, 1), (3.93, 0.4, 0.34), (9.2, 0.2, 0.16)) if f * p < rate / 2.2)  # fmt: skip
    return (sound * np.minimum(t / 0.002, 1)).astype(np.float32)


def _piano(pitch, rate):
    t, f = np.arange(round(0.8 * rate)) / rate, _hz(pitch)
    sound = np.zeros(len(t))
    for k in range(1, 10):
        p = f * k * np.sqrt(1 + 0.0004 * k * k)
        if p < rate / 2.2:
            sound += np.sin(2 * np.pi * p * t + k) * np.exp(-t * (2.2 + 0.9 * k)) / k**1.35
    return (0.7 * sound * np.minimum(t / 0.003, 1) * np.clip((0.8 - t) / 0.1, 0, 1)).astype(np.float32)


def _clarinet(pitch, rate, seconds):
    """A closed pipe: the odd partials."""
    t, f = np.arange(round(seconds * rate)) / rate, _hz(pitch)
    sound = sum(np.sin(2 * np.pi * f * k * t) * np.exp(-0.1 * k) / k for k in range(1, 20, 2) if f * k < 2200)
    return (sound * np.minimum(t / 0.025, 1) * np.clip((seconds - t) / 0.06, 0, 1)).astype(np.float32)


def _kick(rate):
    t = np.arange(round(0.36 * rate)) / rate
    phase = 2 * np.pi * (47 * t + 105 * 0.028 * (1 - np.exp(-t / 0.028)))
    body = np.sin(phase) * np.exp(-t / 0.13) * np.minimum(t / 0.0008, 1)
    return (body + 0.25 * np.sin(2 * np.pi * 1800 * t) * np.exp(-t / 0.0025)).astype(np.float32)


def _snare(rate, rng):
    t = np.arange(round(0.25 * rate)) / rate
    noise = _band(rng.normal(0, 1, len(t)), rate, 900, 9000)
    tone = np.sin(2 * np.pi * 188 * t) * np.exp(-t / 0.045) + 0.5 * np.sin(2 * np.pi * 331 * t) * np.exp(-t / 0.03)
    return (0.8 * noise * np.exp(-t / 0.065) + 0.6 * tone).astype(np.float32)


def _hat(rate, rng, ring):
    t = np.arange(round(min(0.06 + 4 * ring, 0.4) * rate)) / rate
    return (0.9 * _band(rng.normal(0, 1, len(t)), rate, 7000, 16000) * np.exp(-t / (ring + 0.012))).astype(np.float32)


def _band(noise, rate, low, high):
    """Noise between two frequencies (Hz), deviation 1."""
    spectrum, f = np.fft.rfft(noise), np.fft.rfftfreq(len(noise), 1 / rate)
    out = np.fft.irfft(spectrum * (f > low) * (f < min(high, 0.45 * rate)), len(noise))
    return out / max(out.std(), 1e-9)


def _room(sound, rate, rng):
    """A hall of 1.6 s: convolution with dying noise."""
    n = round(1.6 * rate)
    t = np.arange(n) / rate
    length = len(sound) + n
    size = 1 << (length - 1).bit_length()
    out = np.empty_like(sound)
    for side in range(2):
        tail = _band(rng.normal(0, 1, n), rate, 180, 7000) * np.exp(-t / 0.36) * np.minimum(t / 0.012, 1)
        tail /= np.sqrt((tail**2).sum())
        wet = np.fft.irfft(np.fft.rfft(sound[:, side], size) * np.fft.rfft(tail, size), size)
        out[:, side] = wet[: len(sound)]
    return out


def _add(out, sound, time, rate, loud, pan):
    """pan -1 left .. 1 right, constant power."""
    a = round(time * rate)
    b = min(a + len(sound), len(out))
    angle = (pan + 1) * np.pi / 4
    out[a:b, 0] += sound[: b - a] * np.float32(loud * np.cos(angle) * 1.414)
    out[a:b, 1] += sound[: b - a] * np.float32(loud * np.sin(angle) * 1.414)
