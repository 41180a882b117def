"""How a picture leaves for one projector: its corners, turn and colours; and the book that keeps this by monitor name.

Values and one small file; no GL here. Corners are shares of the screen, (0, 0) at its upper left.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
LIMITS = {
    "brightness": (0.2, 1.5), "gamma": (0.5, 2.0), "red": (0.5, 1.0), "green": (0.5, 1.0), "blue": (0.5, 1.0),
    "offset_ms": (-300.0, 1000.0),
}  # fmt: skip
FAR = 0.5  # of the screen that a corner may leave it by


@dataclass(frozen=True, slots=True)
class Output:
    """Of one monitor. Neutral as it is made: then nothing is drawn for it."""

    corners: tuple[tuple[float, float], ...] = SQUARE  # upper left, upper right, lower right, lower left
    turn: int = 0  # degrees clockwise: 0, 90, 180, 270
    mirror: bool = False  # left and right, for projection from behind
    fit: str = "fill"  # or "letterbox"
    brightness: float = 1.0  # 0.2..1.5
    gamma: float = 1.0  # 0.5..2: over 1 lifts the middle tones
    red: float = 1.0  # 0.5..1
    green: float = 1.0
    blue: float = 1.0
    offset_ms: float = 0.0  # -300..1000: the picture answers so much later; below 0 the beat runs ahead

    @property
    def is_neutral(self) -> bool:
        """Whether a picture leaves as it is."""
        return replace(self, fit="fill", offset_ms=0.0) == Output()

    @property
    def is_turned(self) -> bool:
        return self.turn in (90, 270)

    def shown_at(self, number: int) -> int:
        """Which of the picture's corners 0..3 stands at this corner of the screen; below 0 stays."""
        if number < 0:
            return number
        return ((number ^ 1 if self.mirror else number) - self.turn // 90) % 4

    def pin(self) -> tuple[float, ...]:
        """Nine numbers, column after column: (x, y, 1) of the screen to (x, y, w) of the picture, both 0..1 from the
        lower left, x and y to be divided by w."""
        here = np.array([(x, 1 - y) for x, y in self.corners])
        there = [(0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0)]
        turned = [there[self.shown_at(k)] for k in range(4)]
        rows = []
        for (x, y), (u, v) in zip(here, turned, strict=True):
            rows += [(x, y, 1, 0, 0, 0, -u * x, -u * y), (0, 0, 0, x, y, 1, -v * x, -v * y)]
        numbers = np.append(np.linalg.solve(np.array(rows, float), np.ravel(turned)), 1.0).reshape(3, 3)
        middle = here.mean(0)  # lies inside: w must be above 0 there
        numbers *= np.sign(numbers[2] @ (*middle, 1.0)) or 1.0
        return tuple(float(n) for n in numbers.T.ravel())

    def curves(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Three tables float32 (256,), for red, green and blue: from a code of the picture to the code shown, 0..1."""
        codes = (np.arange(256) / 255.0) ** (1 / self.gamma)
        return tuple(np.clip(codes * self.brightness * c, 0, 1).astype(np.float32) for c in (self.red, self.green, self.blue))

    def with_corner(self, number: int, x: float, y: float) -> Self:
        """Corner 0..3 at another place; unchanged where the four would not make a convex shape any more."""
        x, y = (min(max(v, -FAR), 1 + FAR) for v in (x, y))
        corners = tuple((x, y) if k == number else c for k, c in enumerate(self.corners))
        return replace(self, corners=corners) if _is_convex(corners) else self

    def turned(self, name: str, by: float) -> Self:
        """A number changed by `by`, within its limits."""
        low, high = LIMITS[name]
        return replace(self, **{name: round(min(max(getattr(self, name) + by, low), high), 4)})

    @classmethod
    def parse(cls, raw: object) -> Self:
        """From what a file holds; whatever is no sense there is neutral."""
        output = cls()
        if not isinstance(raw, dict):
            return output
        for name, (low, high) in LIMITS.items():
            value = raw.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high:
                output = replace(output, **{name: float(value)})
        turn, mirror, fit = raw.get("turn"), raw.get("mirror"), raw.get("fit")
        output = replace(output, turn=turn) if turn in (0, 90, 180, 270) else output
        output = replace(output, mirror=mirror) if isinstance(mirror, bool) else output
        output = replace(output, fit=fit) if fit in ("fill", "letterbox") else output
        try:
            corners = tuple((float(x), float(y)) for x, y in raw["corners"])
        except (KeyError, TypeError, ValueError):
            return output
        sane = len(corners) == 4 and all(-FAR <= v <= 1 + FAR for c in corners for v in c) and _is_convex(corners)
        return replace(output, corners=corners) if sane else output


def _is_convex(corners: tuple[tuple[float, float], ...]) -> bool:
    """Clockwise as seen, and nowhere nearly straight."""
    for k in range(4):
        (ax, ay), (bx, by), (cx, cy) = (corners[(k + n) % 4] for n in range(3))
        if (bx - ax) * (cy - by) - (by - ay) * (cx - bx) < 1e-3:
            return False
    return True


class OutputBook:
    """Outputs by the name of the monitor, in one JSON file. Whatever happens to the file, the show goes on."""

    def __init__(self, path: Path):
        self._path, self.message = path, ""
        try:
            raw = json.loads(path.read_text("utf-8")) if path.is_file() else {}
        except (OSError, ValueError):
            raw, self.message = {}, f"The set-up of the monitors in {path} cannot be read: the outputs start as new."
        self._outputs = {str(name): Output.parse(value) for name, value in raw.items()} if isinstance(raw, dict) else {}

    def get(self, monitor: str) -> Output:
        """Of that monitor; neutral where nothing was ever set."""
        return self._outputs.get(monitor, Output())

    def put(self, monitor: str, output: Output) -> None:
        """Keeps it, aside and renamed. Where that fails `message` says so, and the book knows it all the same."""
        self._outputs[monitor] = output
        aside = self._path.with_name(f"{self._path.name}.{os.getpid()}.tmp")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside.write_text(json.dumps({name: asdict(o) for name, o in self._outputs.items()}, indent=1), "utf-8")
            os.replace(aside, self._path)
            self.message = ""
        except OSError as error:
            self.message = f"The set-up of {monitor} cannot be kept ({error.strerror}): make room in {self._path.parent}."
