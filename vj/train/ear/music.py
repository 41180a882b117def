"""Music made by rule: bars of drums, basses, chords and tunes in many styles, with every beat and stroke known exactly.

Knows no sound: a Piece holds times, keys and names of groups. Beats are counted from 0.
"""

from dataclasses import dataclass, field

import numpy as np

from vj.train.ear.figures import Figures
from vj.train.ear.struck import STRUCK
from vj.train.ear.styles import STYLES

ALL = STYLES | STRUCK

SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 3, 5, 7, 9, 10), (0, 2, 4, 5, 7, 9, 10))
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 3, 4, 4),
    (5, 3, 0, 4),
    (0, 5, 3, 4),
    (0, 0, 3, 4),
    (0, 6, 5, 6),
    (0, 2, 3, 4),
    (1, 4, 0, 0),
    (0, 0, 0, 0),
    (0, 3, 0, 4),
    (0, 1, 2, 1),
    (3, 4, 2, 5),
)


@dataclass(slots=True)
class Piece:
    """What is played, in seconds."""

    style: str
    seconds: float
    beats: list[tuple[float, int]] = field(default_factory=list)  # (s, position in the bar from 1)
    bars: int = 4  # beats in a bar
    strokes: list[tuple[float, str, float]] = field(default_factory=list)  # (s, group, strength 0..1)
    notes: list[tuple[float, float, str, int, float]] = field(default_factory=list)  # (s, end s, part, key, strength 0..1)
    parts: dict[str, str] = field(default_factory=dict)  # part -> role of its instrument
    sections: list[tuple[float, str]] = field(default_factory=list)  # (s, what plays from here on)


def compose(rng: np.random.Generator, seconds: float = 30.0, style: str | None = None) -> Piece:
    """A piece of this length, all else by chance."""
    names = list(ALL)
    weights = np.array([s.weight for s in ALL.values()])
    name = style or str(rng.choice(names, p=weights / weights.sum()))
    return _Composer(rng, name, seconds).write()


class _Composer(Figures):
    def __init__(self, rng: np.random.Generator, name: str, seconds: float) -> None:
        self.rng, self.name, self.style, self.seconds = rng, name, ALL[name], seconds
        self.piece = Piece(name, seconds, bars=self.style.beats)
        low, high = self.style.bpm
        self.bpm = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        self.times = self._tempo()
        self.swing = rng.uniform(0.53, 0.67) if self.style.steps == 4 and rng.random() < max(self.style.swing, 0.04) else 0.5
        self.per = self.style.steps * self.style.beats  # steps in a bar
        self.human = float(rng.choice([0, 0.003, 0.007, 0.012])) * (1.0 if self.bpm < 150 else 0.6)
        self.lag = {p: float(rng.normal(0, self.human)) for p in ("bass", "comp", "lead", "pad", "snare", "hat")}
        self.scale = SCALES[rng.integers(len(SCALES))]
        self.root = int(rng.integers(40, 52))
        self.chords = PROGRESSIONS[rng.integers(len(PROGRESSIONS))]
        self.hold = int(rng.choice([1, 1, 1, 2, 4]))  # bars that a chord lasts
        pick = rng.choice
        self.comp, self.bass = str(pick(self.style.comp)), str(pick(self.style.bass))
        self.piece.parts = {
            "comp": str(pick(self.style.tuned)),
            "bass": "bass",
            "pad": str(pick(["pad", "string", "voice", "organ"])),
            "lead": str(pick(["lead", "wind", "voice", "keys", "guitar", "string", "mallet"])),
            "second": str(pick(self.style.tuned)),
        }
        self.has_lead, self.has_pad = rng.random() < 0.45, rng.random() < 0.3
        if name.startswith(("minimal", "chorale")):
            self.has_lead = self.has_pad = False
        elif name.startswith(("etude", "slow")) and name != "slow12":
            self.has_lead, self.has_pad = rng.random() < 0.5, False
            self.piece.parts["lead"] = self.piece.parts["comp"]
        self.phase_pattern = [int(x) if rng.random() < 0.75 else -1 for x in rng.integers(0, 6, 12)]
        self.comp_rhythm = [i for i in range(self.per) if rng.random() < (0.55 if i % self.style.steps == 0 else 0.3)] or [0]
        self.bass_rhythm = sorted({0, *[i for i in range(self.per) if rng.random() < 0.25]})
        self.shape = rng.permutation(8)
        self.accent = rng.uniform(0.05, 0.3)
        self.ghosts = rng.uniform(0.05, 0.3) if rng.random() < 0.25 else 0.0  # chance of a soft snare between two others
        self.flams = rng.uniform(0.05, 0.4) if rng.random() < 0.12 else 0.0  # chance of a grace note before a snare
        alone = name.startswith(("etude", "slow")) and name != "slow12"  # a player by himself, and freely
        self.turns = int(rng.choice([2, 4, 4, 8])) if alone and rng.random() < 0.5 else 0  # bars, then another figure
        self.rolled = rng.uniform(0.01, 0.045) if alone and rng.random() < 0.4 else 0.0  # s between two notes of a chord
        self.still, self.moving = int(rng.integers(1, 7)), int(rng.integers(1, 9))  # bars that a second player keeps step, drifts
        self.pedal, self.swells = alone and rng.random() < 0.5, rng.uniform(0, 0.35) if alone else 0.0
        if alone and rng.random() < 0.5:
            self.human = float(rng.uniform(0.008, 0.022))
            self.lag["lead"] = float(rng.normal(-0.012, 0.012))

    def _tempo(self) -> np.ndarray:
        """Times of all beats, from before the start to after the end."""
        rng, period = self.rng, 60 / self.bpm
        n = int(self.seconds / period * 1.6) + 24
        speed = np.ones(n)
        kind = rng.random()
        if rng.random() < self.style.rubato:
            phrase = self.style.beats * int(rng.choice([2, 4, 4, 8]))
            k = np.arange(n)
            depth = rng.uniform(0.02, 0.14)
            speed *= np.exp(depth * np.sin(2 * np.pi * (k / phrase + rng.random())))
            wander = np.cumsum(rng.normal(0, rng.uniform(0.005, 0.035), n))
            speed *= np.exp(
                np.clip(wander - np.convolve(wander, np.ones(25) / 25, "same"), -0.2, 0.2)
                + rng.normal(0, rng.uniform(0, 0.035 if rng.random() < 0.6 else 0.08), n)
            )
            if rng.random() < 0.6:
                speed[phrase - 1 :: phrase] *= rng.uniform(0.7, 0.95)
            if self.name.startswith("chorale") and rng.random() < 0.5:  # fermatas
                held = speed[phrase - 1 :: phrase]
                held *= rng.uniform(0.45, 1.0, len(held))
        elif kind < 0.1:
            speed *= np.linspace(1, rng.uniform(0.65, 1.5), n)
        elif kind < 0.2:
            at = rng.integers(int(n * 0.2), int(n * 0.5))
            speed[at:] *= np.clip(rng.uniform(0.62, 1.55), 45 / self.bpm, 215 / self.bpm)
        elif kind < 0.4:
            speed *= np.exp(
                np.clip(np.cumsum(rng.normal(0, rng.uniform(0.001, 0.006), n)), -0.1, 0.1)
                + rng.normal(0, rng.uniform(0, 0.012), n)
            )
        start = rng.uniform(-3 * period, 1.2) if rng.random() < 0.6 else rng.uniform(0.05, 0.6)
        return start + np.concatenate([[0], np.cumsum(period / speed)])

    def at(self, beat: float) -> float:
        whole = int(np.floor(beat))
        part = beat - whole
        if self.swing != 0.5:
            half = part % 0.5 * 2 if self.bpm < 110 else part
            bent = half / 0.5 * self.swing if half < 0.5 else self.swing + (half - 0.5) / 0.5 * (1 - self.swing)
            part = (np.floor(part * 2) + bent) / 2 if self.bpm < 110 else bent
        whole = min(max(whole, 0), len(self.times) - 2)
        return float(self.times[whole] + part * (self.times[whole + 1] - self.times[whole]))

    def stroke(self, group: str, beat: float, strength: float) -> None:
        lag = self.lag.get("hat" if group in ("hat", "open", "ride", "shaker") else group, 0.0)
        time = self.at(beat) + lag + self.rng.normal(0, self.human * 0.6)
        if 0 <= time < self.seconds - 0.05:
            self.piece.strokes.append((time, group, float(np.clip(strength * self.rng.normal(1, 0.07), 0.05, 1))))

    def note(self, part: str, beat: float, length: float, key: float, strength: float) -> None:
        start = self.at(beat) + self.lag.get(part, 0.0) + self.rng.normal(0, self.human)
        end = self.at((beat // self.style.beats + 1) * self.style.beats if self.pedal else beat + length)
        accent = self.accent if beat % self.style.beats < 0.01 else 0.5 * self.accent if beat % 1 < 0.01 else 0.0
        if 0 <= start < self.seconds - 0.05:
            swell = 1 + self.swells * np.sin(beat * np.pi / (2 * self.style.beats))
            strength = float(np.clip((strength + accent) * swell * self.rng.normal(1, 0.08), 0.05, 1))
            self.piece.notes.append((start, max(end, start + 0.04), part, int(key), strength))

    def tone(self, degree: int, base: int) -> int:
        octave, step = divmod(int(degree), 7)
        return base + 12 * octave + self.scale[step]

    def write(self) -> Piece:
        rng, beats = self.rng, self.style.beats
        count = int(np.searchsorted(self.times, self.seconds))
        self.piece.beats = [(float(t), k % beats + 1) for k, t in enumerate(self.times[:count]) if 0 <= t < self.seconds]
        drums = {g: str(rng.choice(p)) for g, p in self.style.drums.items()}
        drums = {g: self._altered(p) for g, p in drums.items()}
        if "hat" in drums and rng.random() < 0.2:
            drums[str(rng.choice(["ride", "shaker", "crash"], p=[0.6, 0.25, 0.15]))] = drums.pop("hat")
        part, plan = "all", [] if not drums else self._plan(count // beats + 2)
        fill_every = int(rng.choice([4, 8, 8, 16]))
        for bar in range(count // beats + 1):
            part = plan[bar] if plan else "all"
            first = plan[bar] != plan[bar - 1] if plan and bar else True
            if plan and first:
                self.piece.sections.append((self.at(bar * beats), part))
            if drums and part in ("all", "drums", "kick", "hats"):
                self._bar_of_drums(bar * beats, drums, part, first, bar % fill_every == fill_every - 1 and rng.random() < 0.7)
            elif part == "roll":
                self._roll(bar * beats, drums)
            if part in ("all", "calm", "kick", "hats", "roll") or not drums:
                self._bar_of_tones(bar, part)
        return self.piece

    def _plan(self, bars: int) -> list[str]:
        """What plays in each bar."""
        rng, plan = self.rng, []
        if rng.random() < 0.3:
            plan += [str(rng.choice(["calm", "drums", "kick", "hats", "calm"]))] * int(rng.choice([1, 2, 4, 4]))
        quiet = min(4, max(1, int(8 / (self.style.beats * 60 / self.bpm))))
        while len(plan) < bars:
            plan += ["all"] * int(rng.choice([4, 8, 8, 16]))
            if rng.random() < 0.35:
                kind = str(rng.choice(["calm", "hats", "drums", "kick", "rest"], p=[0.4, 0.15, 0.2, 0.15, 0.1]))
                plan += [kind] * (1 if kind == "rest" else int(rng.integers(1, quiet + 1)))
                if rng.random() < 0.3:
                    plan.append("roll")
        return plan

    def _altered(self, pattern: str) -> str:
        steps = [
            ("x" if c == "." else ".")
            if self.rng.random() < self.style.wild * (0.5 if i % self.style.steps == 0 else 1) and pattern.strip(".")
            else c
            for i, c in enumerate(pattern)
        ]
        return "".join(steps)

    def _bar_of_drums(self, beat: int, drums: dict[str, str], part: str, first: bool, fill: bool) -> None:
        rng, steps = self.rng, self.style.steps
        filled = rng.integers(1, 3) if fill else 0
        for group, pattern in drums.items():
            if (part == "kick" and group not in ("kick", "hand", "stick")) or (
                part == "hats" and group not in ("hat", "open", "shaker", "ride", "stick")
            ):
                continue
            for i in range(self.per):
                mark = pattern[i % len(pattern)]
                if (
                    mark == "."
                    or (i / steps >= self.style.beats - filled and group in ("kick", "snare", "hat"))
                    or rng.random() < 0.02
                ):
                    continue
                strength = {"X": 1.0, "x": 0.85, "o": 0.45}[mark]
                accent = 0.08 if i % steps == 0 else 0.0
                if group == "snare" and rng.random() < self.flams:  # a grace note, too soft to count
                    self.stroke(group, beat + i / steps - rng.uniform(0.02, 0.04) * self.bpm / 60, 0.22)
                self.stroke(group, beat + i / steps, strength + accent)
        for i in range(1, self.per if "snare" in drums and part != "kick" and self.ghosts else 1):
            if drums["snare"][i % len(drums["snare"])] == "." and i % steps and rng.random() < self.ghosts:
                self.stroke("snare", beat + i / steps, rng.uniform(0.26, 0.5))
        if first and beat and part == "all" and rng.random() < 0.6:
            self.stroke("crash", beat, 1.0)
        if filled and "snare" in drums and rng.random() < 0.25:  # a roll
            parts = steps * (2 if self.bpm < 150 else 1)
            for i in range(int(filled) * parts):
                self.stroke("snare", beat + self.style.beats - filled + i / parts, 0.3 + 0.5 * i / (filled * parts))
            return
        for i in range(int(filled) * steps):
            if rng.random() < 0.8:
                soft = next((group for group in ("hand", "brush") if group in drums), "tom")
                group = str(rng.choice(["snare", "tom"], p=[0.5, 0.5])) if "snare" in drums else soft
                self.stroke(group, beat + self.style.beats - filled + i / steps, 0.6 + 0.4 * i / max(1, filled * steps))
            if "kick" in drums and i % steps == 0 and rng.random() < 0.4:
                self.stroke("kick", beat + self.style.beats - filled + i / steps, 0.9)

    def _roll(self, beat: int, drums: dict[str, str]) -> None:
        group = next((group for group in ("snare", "brush") if group in drums), "clap")
        for i in range(self.per):
            self.stroke(group, beat + i / self.style.steps, 0.3 + 0.6 * i / self.per)

    def _bar_of_tones(self, bar: int, part: str) -> None:
        rng, beats = self.rng, self.style.beats
        degree = self.chords[bar // self.hold % len(self.chords)]
        chord = [degree, degree + 2, degree + 4] + (
            [degree + 6] if self.name in ("swing", "bossa", "funk") or rng.random() < 0.1 else []
        )
        beat = bar * beats
        if part != "calm" or self.bass == "long":
            self._bass(beat, chord)
        if self.turns and bar and bar % self.turns == 0:
            self.comp, self.shape = str(rng.choice(self.style.comp)), rng.permutation(8)
        compose_comp = getattr(self, f"_comp_{self.comp}", None)
        if compose_comp and not (part == "calm" and rng.random() < 0.2):
            compose_comp(beat, chord)
        if self.has_pad or (part == "calm" and self.comp in ("none", "power", "chug", "gallop")):
            for d in chord:
                self.note("pad", beat, beats * 0.98, self.tone(d, self.root + 12), 0.55)
        if self.has_lead and rng.random() < 0.8:
            self._lead(beat, chord)
