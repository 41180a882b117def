"""How training music sounds: notes and strokes mixed from a bank, drums made by numpy, rooms, phones, noise, and sounds
without any pulse. Times of what is heard come with the samples. Knows no network.
"""

from dataclasses import dataclass, field

import numpy as np
import scipy.fft
import scipy.signal

from vj.train.ear.bank import RATE, Bank
from vj.train.ear.made import BRUSHED, SYNTHETIC, Struck, Voice, coloured, syllable
from vj.train.ear.music import Piece, compose

CLASS = {
    "kick": "KD",
    "snare": "SD",
    "stick": "SD",
    "brush": "SD",
    "clap": "SD",
    "hat": "HH",
    "open": "HH",
    "ride": "HH",
    "crash": "HH",
    "shaker": "HH",
}
SUNG = 0.2  # of the pieces with a tune, this share have it sung
STRUCK = 0.2  # of the parts, this share are played by instruments that numpy makes; in pieces for them:
STRUCK_THERE = 0.6
NOTHING = (
    "drone",
    "pad",
    "noise",
    "wind",
    "hum",
    "speech",
    "applause",
    "bells",
    "free",
    "sparse",
    "birds",
    "swell",
    "crackle",
    "crowd",
    "silence",
    "hits",
)


@dataclass(slots=True)
class Heard:
    """Samples float32 (n,) at RATE, and what is in them."""

    samples: np.ndarray
    beats: list[tuple[float, int]] = field(default_factory=list)
    bars: int = 0  # beats in a bar
    onsets: list[tuple[float, str]] = field(default_factory=list)
    name: str = ""
    drums: bool = False


def make(seed: int, bank: Bank, seconds: float = 30.0, kind: str | None = None, far: float | None = None) -> Heard:
    """One training excerpt, by its seed; one in seven has no pulse. kind: a style or one of NOTHING.

    far: the share, 0..1, of those with drums in which they are far back in the mix; None: some, as it comes.
    """
    rng = np.random.default_rng(seed)
    if kind in NOTHING or (kind is None and rng.random() < 0.15):
        heard = nothing(rng, bank, seconds, kind or str(rng.choice(NOTHING)))
    else:
        heard = play(rng, bank, compose(rng, seconds, kind), far)
    heard.samples = roughen(rng, heard.samples)
    return heard


def play(rng: np.random.Generator, bank: Bank, piece: Piece, far: float | None = None) -> Heard:
    """The piece as a band plays it. far: see make."""
    n = round(piece.seconds * RATE)
    drums, onsets = _drums(rng, bank, piece, n)
    tones = {part: np.zeros(n, np.float32) for part in piece.parts}
    instruments = {part: str(rng.choice(bank.roles[_role(rng, role)])) for part, role in piece.parts.items()}
    if piece.style.startswith("minimal") and rng.random() < 0.7:
        instruments["second"] = instruments["comp"]
    tune, cache = rng.normal(0, 0.15), {}
    sings = "lead" if rng.random() < SUNG else None
    voice = Voice(rng)
    here = STRUCK_THERE if "struck" in piece.parts.values() else STRUCK
    struck = {part: Struck(rng) for part in piece.parts if rng.random() < here}
    for start, end, part, key, strength in piece.notes:
        if part == sings:
            _place(tones[part], *voice.sing(start, key, end - start), strength)
        elif part in struck:
            name = (part, key, round(end - start, 1))
            if name not in cache:
                cache[name] = struck[part].note(key + tune, end - start)
            _place(tones[part], start, cache[name], strength**1.5)
        else:
            _place(tones[part], start, _note(bank, instruments[part], key + tune, end - start, cache), strength**1.5)
    mix = np.zeros(n, np.float32)
    for part, tone in tones.items():
        driven = part in ("comp", "second") and piece.parts[part] == "drive"
        if driven:
            tone = np.tanh(rng.uniform(2, 12) * tone / (np.abs(tone).max() + 1e-6)).astype(np.float32)
            if rng.random() < 0.6:  # a loudspeaker's box, and the part played twice
                tone = _boxed(tone, rng.uniform(60, 160), rng.uniform(3500, 7000))
                tone[960:] += 0.8 * tone[: n - 960] if rng.random() < 0.5 else 0
        level = float(np.sqrt(np.mean(tone**2))) + 1e-6
        share = {"bass": 0.9, "comp": 0.8, "second": 0.8, "pad": 0.5, "lead": 0.6}[part] * 10 ** (rng.normal(3 * driven, 4) / 20)
        if np.abs(tone).max() > 1e-4:
            mix += tone * (0.12 * share / level)
    if piece.style in ("house", "techno", "trance") and rng.random() < 0.6:
        mix *= _pump(rng, piece, n)
    if rng.random() < 0.3:
        mix += _room(rng, mix, rng.uniform(0.8, 2.5)) * rng.uniform(0.1, 0.6)
    level = float(np.sqrt(np.mean(drums**2)))
    if level > 1e-5:
        drums *= 0.15 / level
        if rng.random() < 0.4:
            drums += _room(rng, drums, rng.uniform(0.15, 0.8)) * rng.uniform(0.05, 0.5)
        if far is None:
            above = float(np.clip(rng.normal(5 if rng.random() < 0.12 else -1, 5), -12, 12))  # dB: under a wall of guitars, say
        else:
            above = float(np.clip(rng.normal((rng.uniform(4, 11) if rng.random() < far else 0) - 1, 4), -12, 13))
        mix = mix * 10 ** (above / 20) + drums
    loud = rng.random()
    peak = np.percentile(np.abs(mix), 99.9) + 1e-6
    mix = np.tanh(mix / peak * rng.uniform(0.8, 4)) if loud < 0.5 else mix / peak * 0.7
    return Heard(mix.astype(np.float32), piece.beats, piece.bars, onsets, piece.style, bool(piece.strokes))


def _role(rng: np.random.Generator, role: str) -> str:
    """Of the bank: what is struck may be a keyboard, a mallet or a guitar."""
    return str(rng.choice(["mallet", "mallet", "keys", "guitar", "string"])) if role == "struck" else role


def _place(out: np.ndarray, time: float, sound: np.ndarray, gain: float) -> None:
    at = round(time * RATE)
    part = sound[: max(0, len(out) - at)]
    out[at : at + len(part)] += gain * part


def _note(bank: Bank, instrument: str, key: float, seconds: float, cache: dict) -> np.ndarray:
    keys = bank.notes[instrument]
    near = min(keys, key=lambda k: abs(k - key))
    while key - near > 6:  # out of the instrument's reach: by octaves
        key -= 12
    while near - key > 6:
        key += 12
    name = (instrument, round(key, 2))
    if name not in cache:
        near = min(keys, key=lambda k: abs(k - key))
        raw, ratio = keys[near], 2 ** ((key - near) / 12)
        cache[name] = np.interp(np.arange(0, len(raw) - 1, ratio), np.arange(len(raw)), raw).astype(np.float32) / 32767
    sound = cache[name]
    n, tail = round(seconds * RATE), round(0.06 * RATE)
    if len(sound) > n + tail:
        sound = sound[: n + tail].copy()
        sound[n:] *= np.linspace(1, 0, tail, dtype=np.float32)
    return sound


def _drums(rng: np.random.Generator, bank: Bank, piece: Piece, n: int) -> tuple[np.ndarray, list[tuple[float, str]]]:
    out, onsets = np.zeros(n, np.float32), []
    kits = list(bank.kits)
    main = str(rng.choice(kits)) if rng.random() < 0.65 else str(rng.choice(kits[-5:]))
    groups = {group for _, group, _ in piece.strokes}
    sounds = {}
    for group in sorted(groups):
        if group in BRUSHED:
            sounds[group] = [[BRUSHED[group](rng)] for _ in range(3)]
            continue
        kit = (
            main
            if rng.random() < 0.8 and group in bank.kits[main]
            else str(rng.choice([k for k in kits if group in bank.kits[k]]))
        )
        layers = bank.kits[kit][group]
        made = group in SYNTHETIC and rng.random() < (
            0.35 if piece.style not in ("house", "techno", "trance", "dnb", "hiphop") else 0.6
        )
        sounds[group] = [[SYNTHETIC[group](rng)] for _ in range(1)] if made else [layers[int(rng.integers(len(layers)))]]
        if group in ("tom", "hand", "crash"):
            sounds[group] = layers
    gains = {group: 10 ** (rng.normal(0, 3) / 20) * USUAL.get(group, 0.6) for group in sorted(groups)}
    rate = 2 ** (rng.normal(0, 1.5) / 12)
    shapes = {group: _Shape(rng, group, bank.kits[str(rng.choice(kits))].get(group)) for group in sorted(groups)}
    fine: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # a stroke, and what makes it brighter
    alive = rng.uniform(0, 1) if rng.random() < 0.6 else 0.0  # how unlike each other the strokes of a drum are
    for time, group, strength in sorted(piece.strokes):
        layers = sounds[group][int(rng.integers(len(sounds[group])))]
        if len(layers) > 4:
            sound = layers[int(rng.integers(len(layers)))]
        else:
            sound = layers[min(len(layers) - 1, int(strength * len(layers)))]
        if id(sound) not in fine:
            played = np.interp(np.arange(0, len(sound) - 1, rate), np.arange(len(sound)), sound) / 32767
            played = shapes[group].of(played.astype(np.float32))
            fine[id(sound)] = played, np.diff(played, prepend=np.float32(0)) * 2
        played, bright = fine[id(sound)]
        if alive:  # softer strokes are darker, and none is like another
            played = played + np.float32(alive * (0.7 * (strength - 0.7) + rng.normal(0, 0.25))) * bright
        _place(out, time, played, gains[group] * strength**1.4)
        if group in CLASS and strength > 0.25:
            onsets.append((time, CLASS[group]))
    return out, onsets


class _Shape:
    """How a drum was recorded: an equaliser, another drum laid under it, a gate, a small room. By chance, one for a piece."""

    def __init__(self, rng: np.random.Generator, group: str, others: list[list[np.ndarray]] | None) -> None:
        self._curve = rng.normal(0, 4, 7) if rng.random() < 0.6 else None
        self._under, self._share = None, rng.uniform(0.2, 0.9)
        if others and group in ("kick", "snare", "clap") and rng.random() < 0.3:
            self._under = others[int(rng.integers(len(others)))][-1].astype(np.float32) / 32767
        self._fall = rng.uniform(0.04, 0.25) if group in ("kick", "snare", "tom", "open") and rng.random() < 0.35 else 0.0
        self._room = rng.uniform(0.1, 0.5) if group in ("snare", "clap", "tom", "stick") and rng.random() < 0.3 else 0.0
        self._rng = rng

    def of(self, stroke: np.ndarray) -> np.ndarray:
        """float32 (n,) -> float32 (m,), its peak as it was."""
        peak, out = float(np.abs(stroke).max()), stroke.copy()
        if self._under is not None:
            m = min(len(out), len(self._under))
            out[:m] += self._share * peak * self._under[:m]
        if self._fall:
            out *= np.exp(-np.arange(len(out), dtype=np.float32) / (self._fall * RATE))
        if self._room:
            out = np.concatenate([out, np.zeros(round(self._room * RATE), np.float32)])
            out += self._share * _room(self._rng, out, self._room)
        if self._curve is not None:
            f = np.maximum(np.fft.rfftfreq(len(out), 1 / RATE), 1)
            gain = 10 ** (np.interp(np.log(f), np.log(np.geomspace(40, 16000, 7)), self._curve) / 20)
            out = np.fft.irfft(np.fft.rfft(out) * gain, len(out))
        return (out * (peak / (np.abs(out).max() + 1e-9))).astype(np.float32)


USUAL = {
    "kick": 0.9,
    "snare": 0.8,
    "stick": 0.5,
    "brush": 0.5,
    "stir": 0.35,
    "clap": 0.6,
    "hat": 0.28,
    "open": 0.28,
    "ride": 0.3,
    "crash": 0.4,
    "tom": 0.7,
    "shaker": 0.25,
    "hand": 0.5,
}


def _pump(rng: np.random.Generator, piece: Piece, n: int) -> np.ndarray:
    gain, depth, length = np.ones(n, np.float32), rng.uniform(0.2, 0.8), rng.uniform(0.1, 0.35)
    dip = (1 - depth * np.exp(-np.arange(round(length * 3 * RATE)) / RATE / length)).astype(np.float32)
    for time, group, _ in piece.strokes:
        if group == "kick":
            a = round(time * RATE)
            part = gain[a : a + len(dip)]
            np.minimum(part, dip[: len(part)], out=part)
    return gain


def _room(rng: np.random.Generator, y: np.ndarray, seconds: float) -> np.ndarray:
    """What a room of this decay time adds, about as loud as y."""
    m = round(seconds * RATE)
    t = np.arange(m) / RATE
    response = rng.standard_normal(m).astype(np.float32) * np.exp(-6.9 * t / seconds)
    response[: round(rng.uniform(0.001, 0.025) * RATE)] = 0
    response = scipy.signal.lfilter([1 - (b := rng.uniform(0, 0.8))], [1, -b], response)
    wet = scipy.signal.oaconvolve(y, response.astype(np.float32))[: len(y)]
    return wet * (np.sqrt(np.mean(y**2)) / (np.sqrt(np.mean(wet**2)) + 1e-9))


def roughen(rng: np.random.Generator, y: np.ndarray) -> np.ndarray:
    """As it comes through a room, a phone, a mixer, a codec, or clean; at any level."""
    kind, n = rng.random(), len(y)
    if kind < 0.3:
        y = y + _room(rng, y, rng.uniform(0.2, 1.2)) * rng.uniform(0.15, 1.1)
    if rng.random() < 0.55:
        y = _equalise(rng, y, kind)
    level = float(np.sqrt(np.mean(y**2))) + 1e-9
    if rng.random() < 0.25:
        y = _compress(y, level, rng.uniform(0.3, 0.8))
    if rng.random() < 0.25:
        y = np.tanh(y / level * rng.uniform(0.2, 1.0)) * level
    if kind < 0.45 or rng.random() < 0.15:
        snr = rng.uniform(8, 40)
        noise = coloured(rng, n, rng.uniform(30, 400), rng.uniform(600, 15000)) / 0.3
        if rng.random() < 0.3:
            noise = noise * np.interp(np.arange(n), np.linspace(0, n, 40), rng.uniform(0.3, 1.5, 40))
        y = y + level * 10 ** (-snr / 20) * noise
        if rng.random() < 0.4:
            t = np.arange(n) / RATE
            y = y + level * 10 ** (-rng.uniform(15, 40) / 20) * sum(
                np.sin(2 * np.pi * rng.choice([50, 60]) * h * t) / h for h in (1, 2, 3)
            )
    if rng.random() < 0.2:
        steps = 10 ** (np.repeat(rng.uniform(-14, 6, 3), 1) / 20)
        where = np.sort(rng.uniform(0.1, 1, 2)) * n
        y = y * np.interp(np.arange(n), [0, where[0], where[0] + 2000, where[1], where[1] + 2000, n + 4001], np.repeat(steps, 2))
    y = y / (np.abs(y).max() + 1e-9) * 10 ** (rng.uniform(-36, 0) / 20)
    return np.clip(y, -1, 1).astype(np.float32)


def _equalise(rng: np.random.Generator, y: np.ndarray, kind: float) -> np.ndarray:
    size = scipy.fft.next_fast_len(len(y) + RATE)
    f = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1)
    points = np.geomspace(30, 20000, 7)
    gain = 10 ** (np.interp(np.log(f), np.log(points), rng.normal(0, 3.5, 7)) / 20)
    what = rng.random()
    if kind < 0.3 and what < 0.35:  # a phone
        gain *= 1 / (1 + (rng.uniform(200, 500) / f) ** 4) / (1 + (f / rng.uniform(3400, 8000)) ** 6)
    elif what < 0.5:  # a small loudspeaker
        gain *= 1 / (1 + (rng.uniform(60, 180) / f) ** 3)
    elif what < 0.8:  # a codec
        gain *= f < rng.choice([10000, 13000, 15500, 16000])
    return scipy.fft.irfft(scipy.fft.rfft(y.astype(np.float32), size) * gain.astype(np.float32), size)[: len(y)]


def _boxed(y: np.ndarray, low: float, high: float) -> np.ndarray:
    """y as a guitar's loudspeaker plays it, from low to high Hz."""
    size = scipy.fft.next_fast_len(len(y))
    f = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 1)
    gain = 1 / (1 + (low / f) ** 4) / (1 + (f / high) ** 6)
    return scipy.fft.irfft(scipy.fft.rfft(y, size) * gain.astype(np.float32), size)[: len(y)]


def _compress(y: np.ndarray, level: float, amount: float) -> np.ndarray:
    block = 480
    power = np.add.reduceat(y**2, np.arange(0, len(y), block)) / block
    smooth = scipy.signal.lfilter([0.15], [1, -0.85], power) + 1e-9
    gain = np.minimum((level / np.sqrt(smooth)) ** amount, 4)
    return y * np.interp(np.arange(len(y)), np.arange(len(gain)) * block, gain)


def nothing(rng: np.random.Generator, bank: Bank, seconds: float, kind: str) -> Heard:
    """Sound in which there is no pulse."""
    n = round(seconds * RATE)
    t, y, onsets = np.arange(n) / RATE, np.zeros(n, np.float32), []
    cache: dict = {}

    def note(role: str, time: float, key: float, length: float, gain: float) -> None:
        _place(y, time, _note(bank, instruments[role], key, length, cache), gain)

    instruments = {role: str(rng.choice(names)) for role, names in bank.roles.items()}
    if kind == "drone":
        for f in rng.choice([41, 55, 62, 82, 110, 131, 165, 196, 220, 262, 330, 523], int(rng.integers(2, 6)), False):
            slow = 0.6 + 0.4 * np.sin(2 * np.pi * rng.uniform(0.02, 0.5) * t + rng.uniform(0, 6))
            if rng.random() < 0.3:  # beating of two tones is no pulse
                slow = slow * (0.7 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.5, 7) * t))
            y += (np.sin(2 * np.pi * f * t + rng.uniform(0, 3) * np.sin(2 * np.pi * rng.uniform(0.05, 0.3) * t)) * slow).astype(
                np.float32
            )
            if rng.random() < 0.4:
                y += (0.2 * scipy.signal.sawtooth(2 * np.pi * f * t) * slow).astype(np.float32)
    elif kind in ("pad", "swell"):
        time, role = 0.0, str(rng.choice(["pad", "string", "voice", "organ"]))
        while time < seconds - 0.2:
            for _ in range(int(rng.integers(1, 4))):
                note(role, time + rng.uniform(0, 0.5), rng.integers(40, 76), rng.uniform(1.5, 4), rng.uniform(0.2, 1))
            time += rng.uniform(0.8, 4)
        if kind == "swell":
            y *= np.interp(t, np.linspace(0, seconds, 14), rng.uniform(0, 1, 14) ** 2).astype(np.float32)
    elif kind in ("noise", "wind", "crowd"):
        y += coloured(rng, n, rng.uniform(20, 1500), rng.uniform(400, 14000)).astype(np.float32)
        if kind != "noise":
            points = int(seconds * rng.uniform(0.3, 8))
            y *= np.interp(t, np.linspace(0, seconds, points), np.exp(rng.normal(0, 0.7, points))).astype(np.float32)
        if kind == "crowd":
            for _ in range(int(seconds * 6)):
                _place(y, rng.uniform(0, seconds), syllable(rng, rng.uniform(90, 300)), rng.uniform(0.05, 0.5))
    elif kind == "hum":
        y += sum(np.sin(2 * np.pi * rng.choice([50, 60, 100]) * h * t) / h for h in (1, 2, 3, 5)).astype(np.float32)
        y += 0.1 * rng.standard_normal(n).astype(np.float32)
    elif kind == "speech":
        time, pitch = 0.2, rng.uniform(85, 230)
        while time < seconds - 0.5:
            _place(y, time, syllable(rng, pitch * rng.uniform(0.85, 1.2)), rng.uniform(0.3, 1))
            if rng.random() < 0.4:
                m = round(rng.uniform(0.03, 0.12) * RATE)
                _place(y, time, (coloured(rng, m, 2500, 9000) * np.hanning(m)).astype(np.float32), rng.uniform(0.2, 1))
            time += rng.uniform(0.1, 0.33) + (rng.uniform(0.2, 1.2) if rng.random() < 0.15 else 0)
    elif kind in ("applause", "crackle", "hits", "sparse"):
        rate = {
            "applause": rng.uniform(40, 300),
            "crackle": rng.uniform(3, 30),
            "hits": rng.uniform(1, 7),
            "sparse": rng.uniform(0.2, 1),
        }[kind]
        kit = bank.kits[str(rng.choice(list(bank.kits)))]
        for time in np.cumsum(rng.exponential(1 / rate, int(rate * seconds * 1.2) + 4)):
            if time > seconds - 0.1:
                break
            if kind in ("applause", "crackle"):
                m = round(rng.uniform(0.004, 0.03) * RATE)
                _place(
                    y,
                    time,
                    (rng.standard_normal(m) * np.exp(-np.arange(m) / (m / 5))).astype(np.float32),
                    rng.uniform(0.2, 1) ** 2,
                )
            else:
                group = str(rng.choice(list(kit)))
                layers = kit[group][int(rng.integers(len(kit[group])))]
                _place(y, time, layers[int(rng.integers(len(layers)))].astype(np.float32) / 32767, USUAL.get(group, 0.5))
                if group in CLASS:
                    onsets.append((float(time), CLASS[group]))
        if kind == "sparse":
            y += 0.3 * coloured(rng, n, 50, 2000).astype(np.float32) * rng.uniform(0, 1)
    elif kind in ("bells", "free"):
        role, time = ("mallet", 0.1) if kind == "bells" else (str(rng.choice(["keys", "guitar", "string", "wind", "voice"])), 0.1)
        spread = rng.uniform(0.6, 1.1)
        while time < seconds - 0.2:
            for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
                note(role, time, rng.integers(45, 86), rng.uniform(0.3, 3), rng.uniform(0.2, 1))
            time += float(np.clip(rng.lognormal(np.log(0.55), spread), 0.08, 4))
    elif kind == "birds":
        for _ in range(int(seconds * rng.uniform(0.5, 4))):
            m, f = round(rng.uniform(0.05, 0.4) * RATE), rng.uniform(1500, 6000)
            u = np.arange(m) / RATE
            chirp = np.sin(2 * np.pi * (f * u + rng.uniform(5, 60) * np.sin(2 * np.pi * rng.uniform(4, 30) * u)))
            _place(y, rng.uniform(0, seconds - 0.5), (chirp * np.hanning(m)).astype(np.float32), rng.uniform(0.1, 1))
        y += rng.uniform(0.01, 0.2) * coloured(rng, n, 100, 4000).astype(np.float32)
    if kind == "silence":
        y += (rng.choice([0, 1e-5, 1e-4]) * rng.standard_normal(n)).astype(np.float32)
    return Heard((y / (np.abs(y).max() + 1e-9)).astype(np.float32), onsets=onsets, name="no " + kind)
