"""Music made by rule: bars of drums, basses, chords and tunes in many styles, with every beat and stroke known exactly.

Knows no sound: a Piece holds times, keys and names of groups. Beats are counted from 0.
"""

from dataclasses import dataclass, field

import numpy as np

from vj.train.ear.styles import STYLES

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
    names = list(STYLES)
    weights = np.array([s.weight for s in STYLES.values()])
    name = style or str(rng.choice(names, p=weights / weights.sum()))
    return _Composer(rng, name, seconds).write()


class _Composer:
    def __init__(self, rng: np.random.Generator, name: str, seconds: float) -> None:
        self.rng, self.name, self.style, self.seconds = rng, name, STYLES[name], seconds
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

    def _bass(self, beat: int, chord: list[int]) -> None:
        rng, beats, steps, kind = self.rng, self.style.beats, self.style.steps, self.bass
        root = self.tone(chord[0], self.root - 12)
        if kind in ("root8", "root16", "root4", "octave"):
            parts = {"root8": 2 if steps == 4 else 3, "root16": 4 if steps == 4 else 3, "root4": 1, "octave": 2}[kind]
            for i in range(beats * parts):
                self.note("bass", beat + i / parts, 0.9 / parts, root + (12 if kind == "octave" and i % 2 else 0), 0.75)
        elif kind in ("root1", "long"):
            self.note("bass", beat, beats * 0.95, root, 0.8)
        elif kind == "off":
            for i in range(beats):
                self.note("bass", beat + i + 0.5, 0.4, root, 0.8)
        elif kind == "gallop":
            for i in range(beats):
                for k in (1, 2, 3):
                    self.note("bass", beat + i + k / 4, 0.2, root, 0.75)
        elif kind == "walk":
            for i in range(beats):
                self.note(
                    "bass", beat + i, 0.9, root if i == 0 else self.tone(chord[0] + int(rng.integers(-3, 5)), self.root - 12), 0.8
                )
        elif kind == "tumbao":
            for x in (1.5, 3.0) if rng.random() < 0.8 else (0.0, 1.5, 3.0):
                self.note("bass", beat + x, 1.0, root + (7 if x == 1.5 and rng.random() < 0.5 else 0), 0.8)
        elif kind in ("sync", "kick"):
            for a, b in zip(self.bass_rhythm, [*self.bass_rhythm[1:], self.per], strict=True):
                self.note("bass", beat + a / steps, (b - a) / steps * 0.85, root + int(rng.choice([0, 0, 0, 7, 12])), 0.8)

    def _lead(self, beat: int, chord: list[int]) -> None:
        rng, x, steps = self.rng, 0.0, self.style.steps
        lengths = (0.5, 0.5, 1, 1, 1.5, 0.25, 2) if steps == 4 else (1 / 3, 2 / 3, 1, 1, 1 / 3, 2)
        degree = chord[int(rng.integers(len(chord)))] + 7
        while x < self.style.beats:
            length = float(rng.choice(lengths))
            if rng.random() < 0.85:
                self.note("lead", beat + x, length * 0.95, self.tone(degree, self.root + 12), 0.7)
            degree = int(np.clip(degree + rng.integers(-2, 3), 3, 17))
            x += length

    def _chord(self, beat: float, length: float, chord: list[int], strength: float, part: str = "comp", base: int = 12) -> None:
        apart = self.rolled * self.bpm / 60 if len(chord) > 2 else 0.0
        for i, d in enumerate(chord):
            self.note(part, beat + i * apart, length, self.tone(d, self.root + base), strength)

    def _comp_pad(self, beat: int, chord: list[int]) -> None:
        self._chord(beat, self.style.beats * 0.99, chord, 0.6)

    def _comp_stab(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            if i % 2 == 0 or self.shape[i % 8] % 2:
                self._chord(beat + i, 0.4, chord, 0.75)

    def _comp_eighths(self, beat: int, chord: list[int]) -> None:
        n = 2 if self.style.steps == 4 else 3
        for i in range(self.style.beats * n):
            self._chord(beat + i / n, 0.9 / n, chord[:2] if i % n else chord, 0.6)

    def _comp_strum(self, beat: int, chord: list[int]) -> None:
        for i, mark in enumerate("x...x.xo..xox.xo" if self.shape[0] % 2 else "x.x.x.xox.x.x.xo"):
            if i < self.per and mark != ".":
                for j, d in enumerate(chord):
                    self.note(
                        "comp",
                        beat + i / self.style.steps + j * 0.012,
                        0.5,
                        self.tone(d, self.root + 12),
                        0.7 if mark == "x" else 0.4,
                    )

    def _comp_off(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            self._chord(beat + i + (0.5 if self.style.steps == 4 else 2 / 3), 0.3, chord, 0.75)

    def _comp_skank(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            if self.shape[0] % 2 or i % 2:
                self._chord(beat + i + (0.5 if self.shape[0] % 2 else 0.0), 0.2, chord, 0.8)

    def _comp_sync(self, beat: int, chord: list[int]) -> None:
        for i in self.comp_rhythm:
            self._chord(beat + i / self.style.steps, 0.35, chord, 0.7)

    def _comp_jazz(self, beat: int, chord: list[int]) -> None:
        for x in [0, 5 / 3] if self.rng.random() < 0.5 else list(self.rng.choice([0, 2 / 3, 1, 5 / 3, 2, 8 / 3, 11 / 3], 3)):
            if x < self.style.beats:
                self._chord(beat + x, 0.4, chord, 0.6)

    def _comp_montuno(self, beat: int, chord: list[int]) -> None:
        for i, mark in enumerate("x.xx.xx.x.xx.xx." if self.shape[0] % 2 else "x..x..x...x.x..."):
            if i < self.per and mark == "x":
                self._chord(beat + i / self.style.steps, 0.25, [chord[i % len(chord)], chord[i % len(chord)] + 7], 0.7)

    def _comp_power(self, beat: int, chord: list[int]) -> None:
        root, pick = self.tone(chord[0], self.root), self.shape[0] % 3
        for x in (0,) if pick == 0 else range(self.style.beats) if pick == 1 else np.arange(0, self.style.beats, 0.5):
            for k in (0, 7, 12):
                self.note("comp", beat + x, (self.style.beats if pick == 0 else 0.95 if pick == 1 else 0.48), root + k, 0.8)

    def _comp_chug(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats * 4):
            self.note("comp", beat + i / 4, 0.15, self.tone(chord[0], self.root) + (7 if self.shape[i % 8] > 5 else 0), 0.8)

    def _comp_gallop(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            for x in (0, 0.5, 0.75):
                self.note("comp", beat + i + x, 0.2, self.tone(chord[0], self.root), 0.85)
                self.note("comp", beat + i + x, 0.2, self.tone(chord[0], self.root) + 7, 0.85)

    def _comp_arp(self, beat: int, chord: list[int], part: str = "comp") -> None:
        n = {4: (2, 4, 4), 3: (3, 3, 3)}[self.style.steps][self.shape[1] % 3]
        for i in range(self.style.beats * n):
            d = chord[self.shape[i % 8 if self.shape[2] % 2 else i % 4] % len(chord)] + 7 * (self.shape[i % 8] > 5)
            self.note(part, beat + i / n, 0.9 / n, self.tone(d, self.root + 12), 0.7)

    def _comp_gate(self, beat: int, chord: list[int]) -> None:
        for i in range(self.per):
            if self.shape[i % 8] > 1:
                self._chord(beat + i / self.style.steps, 0.8 / self.style.steps, chord, 0.65)

    def _comp_pulse(self, beat: int, chord: list[int]) -> None:
        n = self.style.steps if self.shape[3] % 3 else max(2, self.style.steps // 2)
        for i in range(self.style.beats * n):
            self._chord(beat + i / n, 0.7 / n, chord[: 1 + self.shape[4] % 3], 0.6)

    def _comp_phase(self, beat: int, chord: list[int]) -> None:
        """Two players of one pattern of twelve; the second is some steps ahead, and more as time goes on."""
        shift = beat // (self.style.beats * (2 + self.shape[5] % 5))
        for part, ahead in (("comp", 0), ("second", shift)):
            for i in range(self.per):
                d = self.phase_pattern[(i + ahead) % 12]
                if d >= 0:
                    self.note(
                        part,
                        beat + i / self.style.steps,
                        0.9 / self.style.steps,
                        self.tone(d, self.root + 12 + 5 * (part == "second") * 0),
                        0.65,
                    )

    def _comp_drift(self, beat: int, chord: list[int]) -> None:
        """Likewise, but the second glides ahead, step by step, and keeps step for a while between (as Reich has it, 1967)."""
        steps = self.style.steps
        for i in range(self.per):
            turn, bar = divmod((beat + i / steps) / self.style.beats, self.still + self.moving)
            ahead = turn + max(0.0, bar - self.still) / self.moving
            d, e = self.phase_pattern[i % 12], self.phase_pattern[(i + int(ahead)) % 12]
            if d >= 0:
                self.note("comp", beat + i / steps, 0.9 / steps, self.tone(d, self.root + 12), 0.65)
            if e >= 0:
                self.note("second", beat + (i - ahead % 1) / steps, 0.9 / steps, self.tone(e, self.root + 12), 0.65)

    def _comp_alberti(self, beat: int, chord: list[int]) -> None:
        n, order = (2, 4)[self.shape[1] % 2] if self.style.steps == 4 else 3, (0, 2, 1, 2)
        for i in range(self.style.beats * n):
            self.note("comp", beat + i / n, 1 / n, self.tone(chord[order[i % 4]], self.root), 0.55 + 0.1 * (i % (n * 2) == 0))
        self._lead_over(beat, chord)

    def _lead_over(self, beat: int, chord: list[int]) -> None:
        if self.shape[6] % 3:
            self._lead(beat, chord)

    def _comp_run(self, beat: int, chord: list[int]) -> None:
        n = (
            self.style.steps
            if self.shape[1] % 2 or self.bpm > 140
            else self.style.steps * 2
            if self.bpm < 80
            else self.style.steps
        )
        degree = chord[0] + 7
        for i in range(self.style.beats * n):
            self.note("comp", beat + i / n, 1 / n, self.tone(degree, self.root + 12), 0.6)
            degree += int(self.rng.choice([1, 1, 1, -1, -1, 2, -2, -4 if degree > 14 else 1]))
            degree = int(np.clip(degree, 3, 20))
        for i in range(0, self.style.beats, 1 + self.shape[2] % 2):
            self._chord(beat + i, 0.8, chord[: 1 + self.shape[3] % 3], 0.6, base=0)

    def _comp_prelude(self, beat: int, chord: list[int]) -> None:
        n, notes = (
            (4 if self.style.steps == 4 else 3) * (2 if self.bpm < 55 else 1),
            [chord[0], chord[1], chord[2], chord[0] + 7, chord[1] + 7],
        )
        for i in range(self.style.beats * n):
            self.note("comp", beat + i / n, 1.5 / n, self.tone(notes[self.shape[i % 8] % 5], self.root + 12), 0.6)
        if self.shape[4] % 2:
            self.note("comp", beat, self.style.beats, self.tone(chord[0], self.root - 12), 0.65)

    def _comp_nocturne(self, beat: int, chord: list[int]) -> None:
        n = 2 if self.style.steps == 4 and self.shape[0] % 2 else 3
        spread = (chord[0] - 7, chord[2] - 7, chord[0], chord[1], chord[2], chord[1])
        for i in range(self.style.beats * n):
            self.note("comp", beat + i / n, 1.2 / n, self.tone(spread[i % 6], self.root), 0.5 + 0.12 * (i % 6 == 0))
        self._lead(beat, chord)

    def _comp_blocks(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            self._chord(beat + i, 0.9, chord, 0.65)
            self.note("comp", beat + i, 0.9, self.tone(chord[0], self.root - 12), 0.65)
        self._lead_over(beat, chord)

    def _comp_march(self, beat: int, chord: list[int]) -> None:
        for i in range(self.style.beats):
            self.note("comp", beat + i, 0.45, self.tone(chord[0] if i % 2 == 0 else chord[2] - 7, self.root - 12), 0.7)
            self._chord(beat + i + 0.5, 0.4, chord, 0.6, base=0)
        self._lead_over(beat, chord)

    def _comp_waltz(self, beat: int, chord: list[int]) -> None:
        self.note("comp", beat, 0.9, self.tone(chord[0], self.root - 12), 0.75)
        for i in range(1, self.style.beats):
            self._chord(beat + i, 0.6, chord, 0.55, base=0)
        self._lead_over(beat, chord)

    def _comp_chorale(self, beat: int, chord: list[int]) -> None:
        """Four voices, a chord a beat, some passing notes and some held."""
        rng, held = self.rng, 0
        for i in range(self.style.beats):
            if held:
                held -= 1
                continue
            degree = int(chord[0] if i == 0 else chord[0] + rng.choice([-3, -1, 1, 3, 4, 0]))
            length = int(rng.choice([1, 1, 1, 1, 2])) if i + 2 <= self.style.beats else 1
            held = length - 1
            for d, base in ((0, -12), (2, 0), (4, 0), (int(rng.choice([0, 2, 4])), 12)):
                if rng.random() < 0.22:
                    self.note("comp", beat + i, length * 0.49, self.tone(degree + d, self.root + base), 0.65)
                    self.note(
                        "comp",
                        beat + i + length / 2,
                        length * 0.48,
                        self.tone(degree + d + int(rng.choice([-1, 1])), self.root + base),
                        0.6,
                    )
                else:
                    self.note("comp", beat + i, length * 0.97, self.tone(degree + d, self.root + base), 0.65)
