"""What basses, chords and tunes play: one figure a bar, by name.

Knows neither drums nor sound: notes are asked of whoever composes, who says where beats are and what a degree of the scale is.
"""

import numpy as np

from vj.train.ear.styles import Style


class Figures:
    """_comp_NAME(first beat of the bar, degrees of its chord) for every name in a style's `comp`. Made to be inherited from."""

    rng: np.random.Generator
    style: Style
    name: str
    bpm: float
    root: int  # MIDI key
    per: int  # steps in a bar
    bass: str
    shape: np.ndarray  # eight numbers, by which a figure is varied
    phase_pattern: list[int]  # twelve degrees, -1 for a rest
    comp_rhythm: list[int]  # steps
    bass_rhythm: list[int]
    rolled: float  # s between two notes of a chord
    still: int  # bars that a second player keeps step,
    moving: int  # and drifts

    def note(self, part: str, beat: float, length: float, key: float, strength: float) -> None:
        raise NotImplementedError

    def tone(self, degree: int, base: int) -> int:
        raise NotImplementedError

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
