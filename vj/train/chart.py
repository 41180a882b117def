"""A chart of how weights come on: figures over training steps, each kind in a panel of its own. Draws; measures nothing."""

import itertools

import cv2
import numpy as np

from vj.train.report import Report

PANELS = (
    ("one step, dB over copying", ("skill.told", "skill.told.over_flow", "skill.told.strip", "skill.drawn")),
    ("sharpness of the run : footage", ("sharpness.100.gradient", "sharpness.1000.gradient", "skill.told.sharpness")),
    ("entries : footage", ("variety.entries.far", "variety.entries.middle", "variety.entries.near")),
    ("timing F", ("timing.far", "timing.middle", "timing.near")),
    ("speed : footage", ("motion.1.far", "motion.1.middle", "motion.1.near", "motion.1.parallax")),
    ("colours inside the footage's", ("colour.layout", "colour.luma", "colour.spread", "colour.palette")),
)
INKS = ((255, 190, 90), (120, 200, 255), (150, 235, 150), (240, 140, 200))
WIDTH, HEIGHT, MARGIN = 460, 240, 44


def draw(reports: list[Report]) -> np.ndarray:
    """uint8 (h, w, 3) RGB: the figures of PANELS over the steps of the judged weights; figures not measured are left out."""
    reports = sorted(reports, key=lambda report: report.about.get("step", 0))
    steps = np.array([report.about.get("step", 0) for report in reports], float)
    panels = []
    for title, keys in PANELS:
        lines = {}
        for key in keys:
            values = [_value(report, key) for report in reports]
            if any(np.isfinite(values)):
                lines[key] = np.array(values)
        panels.append(_panel(title, steps, lines))
    rows = [np.hstack(panels[k : k + 2]) for k in range(0, len(panels), 2)]
    return np.vstack(rows)


def _value(report: Report, key: str) -> float:
    try:
        value = report.value(key)
    except KeyError:
        value = None
    return float("nan") if value is None else float(value)


def _panel(title: str, steps: np.ndarray, lines: dict[str, np.ndarray]) -> np.ndarray:
    panel = np.full((HEIGHT, WIDTH, 3), 24, np.uint8)
    known = np.concatenate([v[np.isfinite(v)] for v in lines.values()]) if lines else np.zeros(1)
    low, high = min(0.0, float(known.min())), max(1.0, float(known.max()))
    span = max(float(np.ptp(steps)), 1.0)
    x = MARGIN + (steps - steps.min()) / span * (WIDTH - 2 * MARGIN)
    y = lambda value: HEIGHT - 30 - (value - low) / (high - low) * (HEIGHT - 80)  # noqa: E731
    for mark in np.linspace(low, high, 5):
        cv2.line(panel, (MARGIN, round(y(mark))), (WIDTH - MARGIN, round(y(mark))), (52, 52, 52), 1)
        _write(panel, f"{mark:.2g}", (6, round(y(mark)) + 4), (150, 150, 150))
    for step in np.unique([steps.min(), steps.max()]):
        at = MARGIN + (step - steps.min()) / span * (WIDTH - 2 * MARGIN)
        _write(panel, f"{step:g}", (round(at) - 10, HEIGHT - 10), (150, 150, 150))
    _write(panel, title, (MARGIN, 18), (235, 235, 235))
    for k, (key, values) in enumerate(lines.items()):
        ink = INKS[k % len(INKS)]
        points = [(round(a), round(y(b))) for a, b in zip(x, values, strict=True) if np.isfinite(b)]
        for a, b in itertools.pairwise(points):
            cv2.line(panel, a, b, ink, 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(panel, point, 3, ink, -1, cv2.LINE_AA)
        _write(panel, key, (MARGIN + (k % 2) * 190, 34 + 12 * (k // 2)), ink)
    return panel


def _write(panel: np.ndarray, text: str, at: tuple[int, int], ink) -> None:
    cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.36, ink, 1, cv2.LINE_AA)
