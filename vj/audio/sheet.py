"""What the ear hears in a file, drawn over time: the picture of `vj hear --plot`. Knows no event that the ear has not told."""

from pathlib import Path

import cv2
import numpy as np

from vj.audio.beat import Beat
from vj.audio.hear import listen
from vj.audio.onsets import CLASSES, Onset
from vj.errors import SoundError
from vj.signals import AudioFeatures

LONGEST = 600.0  # s that a picture shows
PAPER, INK, FAINT = (250, 250, 247), (40, 40, 40), (222, 222, 218)  # BGR
COLOURS = {  # of the curves and ticks, BGR
    "loudness": (60, 60, 60),
    "low": (60, 60, 200),
    "low_mid": (30, 140, 230),
    "high_mid": (80, 160, 60),
    "high": (200, 120, 40),
    "KD": (60, 60, 200),
    "SD": (80, 160, 60),
    "HH": (200, 120, 40),
}


def plot(path: str | Path, out: str | Path) -> None:
    """Draws level, bands, onsets, tempo and beats of the first ten minutes over time into a PNG."""
    history: list[AudioFeatures] = []
    told: list[Beat | Onset] = []
    for features, events in listen(path):
        history.append(features)
        told += events
        if features.time > LONGEST:
            break
    sheet = _Sheet(history[-1].time)
    time = np.array([f.time for f in history])
    sheet.row("level dBFS", 110)
    sheet.curve(time, (np.array([f.level_db for f in history]) + 70) / 70, INK)
    sheet.row("loudness, 1 = usual", 110)
    sheet.level(1 / 3)
    sheet.curve(time, np.array([f.loudness for f in history]) / 3, COLOURS["loudness"])
    for band in ("low", "low_mid", "high_mid", "high"):
        sheet.row(band.replace("_", " "), 80)
        sheet.level(1 / 3)
        sheet.curve(time, np.array([getattr(f, band) for f in history]) / 3, COLOURS[band])
    for kind, name in zip(CLASSES, ("kick", "snare", "hat"), strict=True):
        sheet.row(name, 50)
        for event in told:
            if isinstance(event, Onset) and event.kind == kind:
                sheet.tick(event.time, event.strength, COLOURS[kind])
    sheet.row("beats, bars", 60)
    for event in told:
        if isinstance(event, Beat):
            sheet.tick(event.time, 1.0 if event.position == 1 else 0.55, INK, 2 if event.position == 1 else 1)
    sheet.row("tempo 50-200 bpm", 90)
    tempo = np.array([f.tempo for f in history])
    sheet.curve(time, np.where(tempo > 0, (tempo - 50) / 150, np.nan), (160, 60, 120), 2)
    sheet.row("confidence, intensity", 80)
    sheet.curve(time, np.array([f.tempo_confidence for f in history]), (160, 60, 120))
    sheet.curve(time, np.array([f.intensity for f in history]), (60, 160, 200))
    image = sheet.finish(f"{Path(path).name}   {history[-1].time:.0f} s")
    done, data = cv2.imencode(".png", image)
    try:
        Path(out).write_bytes(data.tobytes())
    except OSError as problem:
        raise SoundError(f"The picture {out} cannot be written ({problem.strerror}); choose another place.") from problem
    assert done


class _Sheet:
    """A page of rows over one axis of time."""

    LEFT, TOP, GAP = 190, 40, 8  # px

    def __init__(self, seconds: float) -> None:
        self._scale = float(np.clip(1400 / seconds, 8, 120))  # px per s
        self._width = self.LEFT + round(seconds * self._scale) + 20
        self._rows: list[np.ndarray] = []

    def row(self, name: str, height: int) -> None:
        row = np.full((height, self._width, 3), PAPER, np.uint8)
        every = next(s for s in (1, 2, 5, 10, 30, 60) if s * self._scale >= 12)
        for x in np.arange(self.LEFT, self._width, every * self._scale):
            cv2.line(row, (round(x), 0), (round(x), height), FAINT, 1)
        cv2.line(row, (self.LEFT, height - 1), (self._width, height - 1), (190, 190, 185), 1)
        _write(row, name, (8, height // 2 + 5))
        self._rows.append(row)

    def level(self, share: float) -> None:
        row = self._rows[-1]
        y = round((1 - share) * (len(row) - 3)) + 1
        cv2.line(row, (self.LEFT, y), (self._width, y), (200, 200, 195), 1)

    def curve(self, time: np.ndarray, share: np.ndarray, colour: tuple[int, int, int], thick: int = 1) -> None:
        """share: 0..1 of the row's height; gaps where it is NaN."""
        row = self._rows[-1]
        x = self.LEFT + time * self._scale
        y = (1 - np.clip(share, 0, 1)) * (len(row) - 3) + 1
        known = np.isfinite(share)
        for part in np.split(np.arange(len(time)), np.flatnonzero(~known)):
            part = part[known[part]]
            points = np.stack([x[part], y[part]], 1).round().astype(np.int32)
            cv2.polylines(row, [points.reshape(-1, 1, 2)], False, colour, thick, cv2.LINE_AA)

    def tick(self, time: float, share: float, colour: tuple[int, int, int], thick: int = 1) -> None:
        row = self._rows[-1]
        x, foot = round(self.LEFT + time * self._scale), len(row) - 2
        cv2.line(row, (x, foot), (x, round(foot - share * (foot - 2))), colour, thick, cv2.LINE_AA)

    def finish(self, title: str) -> np.ndarray:
        """-> uint8 (H, W, 3) BGR."""
        head, foot = (np.full((self.TOP, self._width, 3), PAPER, np.uint8) for _ in range(2))
        gap = np.full((self.GAP, self._width, 3), PAPER, np.uint8)
        _write(head, title, (8, 26), 0.6)
        every = next(s for s in (1, 2, 5, 10, 30, 60) if s * self._scale >= 50)
        for second in range(0, round((self._width - self.LEFT) / self._scale), every):
            _write(foot, f"{second}", (round(self.LEFT + second * self._scale) - 6, 14), 0.4)
        _write(foot, "s", (self.LEFT - 30, 14), 0.4)
        return np.concatenate([head, *(part for row in self._rows for part in (row, gap)), foot])


def _write(image: np.ndarray, text: str, at: tuple[int, int], size: float = 0.48) -> None:
    cv2.putText(image, text.encode("ascii", "replace").decode(), at, cv2.FONT_HERSHEY_SIMPLEX, size, INK, 1, cv2.LINE_AA)
