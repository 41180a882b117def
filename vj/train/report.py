"""What a judgement says: figures with goals, pictures to look at, a table, JSON, a contact sheet. Measures nothing."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from rich.table import Table

from vj.view import WINDOW, View


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. It passes if it is known, finite and within low..high; without either it has no goal."""

    key: str  # "sharpness.1000.gradient"
    value: float | None  # None: could not be measured, the note says why
    unit: str = ""  # "x": relative to footage
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """None where there is no goal."""
        if self.low is None and self.high is None:
            return None
        if self.value is None or not np.isfinite(self.value):
            return False
        return (self.low is None or self.value >= self.low) and (self.high is None or self.value <= self.high)

    @property
    def goal(self) -> str:
        """As words."""
        if self.low is None:
            return "" if self.high is None else f"<= {self.high:.3g}"
        return f">= {self.low:.3g}" if self.high is None else f"{self.low:.3g}..{self.high:.3g}"


@dataclass(slots=True)
class Findings:
    """Figures, and pictures for the sheet: {row: [(label, frame uint8 (H, W, 3), as it is seen)...]}."""

    figures: list[Figure] = field(default_factory=list)
    pictures: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)

    def add(self, key: str, value, unit="", low=None, high=None, note="") -> None:
        value = None if value is None or np.isnan(value) else float(value)
        self.figures.append(Figure(key, value, unit, low, high, note))

    def show(self, row: str, label: str, frame: np.ndarray, view: View = WINDOW) -> None:
        """view: how the frame is laid out."""
        self.pictures.setdefault(row, []).append((label, view.lay_back(frame)))

    def take(self, other: "Findings") -> None:
        """Adds what another has found."""
        self.figures += other.figures
        for row, pictures in other.pictures.items():
            self.pictures.setdefault(row, []).extend(pictures)


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one judgement, and the sheet to look at."""

    figures: tuple[Figure, ...]
    sheet: np.ndarray = field(repr=False)  # uint8 (h, w, 3) RGB
    about: dict = field(default_factory=dict)  # of the weights and the footage, plain JSON

    def value(self, key: str) -> float | None:
        """The figure of that key; KeyError if there is none."""
        return {figure.key: figure.value for figure in self.figures}[key]

    @property
    def passed(self) -> bool:
        """Whether every figure that has a goal reaches it."""
        return all(figure.passed is not False for figure in self.figures)

    def as_dict(self) -> dict:
        """Plain JSON; what is infinite or not known is null."""
        rows = {}
        for figure in self.figures:
            known = figure.value is not None and np.isfinite(figure.value)
            rows[figure.key] = {
                "value": round(figure.value, 4) if known else None, "unit": figure.unit, "low": figure.low,
                "high": figure.high, "passed": figure.passed, "note": figure.note,
            }  # fmt: skip
        return {**self.about, "passed": self.passed, "figures": rows}

    def table(self) -> Table:
        """For rich."""
        table = Table(title=self.about.get("title"), title_justify="left", pad_edge=False, box=None)
        for name, how in (("figure", "left"), ("value", "right"), ("goal", "left"), ("", "left"), ("what it is", "left")):
            table.add_column(name, justify=how, no_wrap=name in ("figure", "value", "goal"))
        group = None
        for f in self.figures:
            now = f.key.split(".")[0]
            if group not in (None, now):
                table.add_row()
            group = now
            mark = {True: "[green]ok[/]", False: "[red]no[/]", None: ""}[f.passed]
            value = "-" if f.value is None else f"{f.value:.2f} {f.unit}"
            table.add_row(f.key, value, f.goal, mark, f.note, style="dim" if f.passed is None else None)
        return table

    def write_sheet(self, path) -> None:
        """The contact sheet as a PNG. OSError if it cannot be written."""
        if not cv2.imwrite(str(path), self.sheet[..., ::-1]):
            raise OSError(f"cannot write {path}")


def sheet(pictures: dict[str, list[tuple[str, np.ndarray]]], columns=6, width=240) -> np.ndarray:
    """All pictures with their labels, row after row; uint8 (h, w, 3)."""
    bands = []
    for items in pictures.values():
        for k in range(0, len(items), columns):
            cells = [_cell(label, frame, width) for label, frame in items[k : k + columns]]
            cells += [np.zeros_like(cells[0])] * (columns - len(cells))
            bands.append(np.hstack(cells))
        bands.append(np.full((6, columns * width, 3), 40, np.uint8))
    return np.vstack(bands[:-1])


def _cell(label: str, frame: np.ndarray, width: int) -> np.ndarray:
    height = round(width * frame.shape[0] / frame.shape[1])
    cell = np.zeros((height + 16, width, 3), np.uint8)
    cell[16:, : width - 2] = cv2.resize(frame, (width - 2, height), interpolation=cv2.INTER_NEAREST)
    cv2.putText(cell, label, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (220, 220, 220), 1, cv2.LINE_AA)
    return cell
