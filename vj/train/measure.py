"""What a network is to obey, measured in footage: motion, what enters at the right edge, light. Knows no files.

Motion is dense optical flow by DIS (Kroeger, Timofte, Dai, Van Gool, "Fast Optical Flow using Dense Inverse Search",
2016, as in OpenCV). All flow here looks back: d at (y, x) says that this pixel was at (y + dy, x + dx) the frame
before, so what moves left has dx > 0. Frames are uint8 (H, W, 3) RGB; luma is 0..1.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from vj.signals import BANDS, LUMA

STILL = 0.08  # px: less flow than this is none
EDGE = 8 / 160  # share of the width in which entering is measured
SAMPLES = 96  # flow vectors kept of each frame, for the motions
MOTIONS = 16
SLANT = 0.06  # of what goes across, that it may seem to go up or down: flow is not so sure
RARE = 0.006  # share of the vectors below which a motion is taken for a mistake
LEAST_SPREAD = np.float32((0.06, 0.03))  # of brightness and warmth: music turns steadier footage by as much too


@dataclass(frozen=True, slots=True)
class Step:
    """How one frame came out of the one before."""

    motion: float  # px, 80th percentile of |d|, 0 if still
    drift: float  # -1..1, share of the motion that goes left (below 0: right)
    unexplained: float  # 0..1, mean |difference| that moving the last frame along the flow leaves
    change: float  # 0..1, mean |difference| of the two frames, seen very small
    samples: np.ndarray  # float32 (SAMPLES, 2) dx, dy at random places


class Eye:
    """Looks at frames in order: look(frame) -> Step, or None for the first after start()."""

    def __init__(self, seed: int = 0):
        self._flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._rng = np.random.default_rng(seed)
        self.start()

    def start(self) -> None:
        """Forget the last frame: a cut."""
        self._gray = self._tiny = None

    def look(self, frame: np.ndarray) -> Step | None:
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        tiny = cv2.resize(frame, (16, 10), interpolation=cv2.INTER_AREA).astype(np.float32)
        before, tiny_before, self._gray, self._tiny = self._gray, self._tiny, gray, tiny
        if before is None:
            return None
        d = self._flow.calc(gray, before, None)  # (H, W, 2)
        h, w = gray.shape
        xx, yy = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        moved = cv2.remap(before, xx + d[..., 0], yy + d[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        length = np.hypot(d[..., 0], d[..., 1])
        length[length < STILL] = 0
        total = float(length.sum())
        # Samples come from where there is something to follow and the flow explains it (an empty sky has no motion to
        # see), and not from the edges, where things have just come in; half of them from where contrast is strongest, for
        # things are torn where their motion is not among those found, and meadows are not.
        steep = np.abs(cv2.Scharr(gray, cv2.CV_32F, 1, 0))  # 16 for a level a px
        y, x = self._rng.integers(0, h, 4 * SAMPLES), self._rng.integers(w // 10, w - w // 10, 4 * SAMPLES)
        unfit = (cv2.absdiff(gray, moved)[y, x] > 10) * 2 + (steep[y, x] < 32)
        half = SAMPLES // 2
        order = np.concatenate([np.argsort(unfit, kind="stable")[:half], np.lexsort((-steep[y, x], unfit))[:half]])
        y, x = y[order], x[order]
        return Step(
            motion=float(np.percentile(length, 80)),
            drift=float(d[..., 0][length > 0].sum()) / total if total else 0.0,
            unexplained=float(cv2.absdiff(gray, moved).mean()) / 255,
            change=float(np.abs(tiny - tiny_before).mean()) / 255,
            samples=d[y, x].astype(np.float32),
        )


def edge_strength(frame: np.ndarray) -> np.ndarray:
    """float32 (3,): RMS horizontal gradient of luma (0..1 per px of a 160 wide picture) at the right edge, per band."""
    h, w = frame.shape[:2]
    columns = max(round(EDGE * w), 2)
    luma = frame[:, w - columns - 1 :].astype(np.float32) @ np.float32(LUMA) / 255  # (H, columns + 1)
    power = (np.diff(luma, axis=1) * (w / 160)) ** 2
    return np.array([np.sqrt(power[round(a * h) : round(b * h)].mean()) for a, b in BANDS], np.float32)


def light(frame: np.ndarray) -> tuple[float, float]:
    """Mean luma 0..1 and mean red minus mean blue -1..1."""
    red, green, blue = frame.reshape(-1, 3).mean(0) / 255
    return float(np.float32(LUMA) @ np.float32((red, green, blue))), float(red - blue)


def controls(motion, edges, lights, clips) -> tuple[np.ndarray, dict]:
    """What the network is told, float32 (N, 6) in the order of CONTROL_NAMES, and what is usual in this footage.

    motion (N,) px, edges (N, 3), lights (N, 2) of each frame; clips [(start, stop)...]. motion of a clip's first frame
    is not known: it is taken from its second.
    """
    motion = np.asarray(motion, np.float64).copy()
    for start, stop in clips:
        motion[start] = motion[min(start + 1, stop - 1)]
        motion[start:stop] = median5(motion[start:stop])
    moving = motion[motion > STILL]
    usual_speed = float(np.median(moving)) if len(moving) else 1.0
    low, high = np.percentile(edges, 10, axis=0), np.percentile(edges, 95, axis=0)
    high = np.maximum(high, low + 1 / 255)
    mean, spread = np.mean(lights, axis=0), np.maximum(np.std(lights, axis=0), LEAST_SPREAD)
    table = np.empty((len(motion), 6), np.float32)
    table[:, 0] = np.clip(motion / usual_speed, 0, 4)
    table[:, 1:4] = np.clip((edges - low) / (high - low), 0, 1.5)
    table[:, 4:6] = np.clip((lights - mean) / (2 * spread), -1, 1)
    usual = {
        "speed_px": usual_speed,
        "brightness_mean": float(mean[0]),
        "brightness_spread": float(spread[0]),
        "warmth_mean": float(mean[1]),
        "warmth_spread": float(spread[1]),
        "entry_low": [float(v) for v in low],
        "entry_high": [float(v) for v in high],
    }
    return table, usual


def motions(samples: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """float32 (16, 2) dx, dy px per frame at speed 1: the ways things move here, shortest first, (0, 0) among them.

    samples (N, SAMPLES, 2), speeds (N,). k-means (Lloyd, 1982) with the seeding of Arthur and Vassilvitskii, 2007.
    """
    rows = speeds > 0.3
    if not rows.any():
        return np.zeros((MOTIONS, 2), np.float32)
    vectors = (samples[rows] / speeds[rows, None, None]).reshape(-1, 2).astype(np.float32)
    if len(vectors) > 60000:
        vectors = vectors[np.random.default_rng(0).permutation(len(vectors))[:60000]]
    length = np.hypot(*vectors.T)
    vectors = vectors[length <= np.percentile(length, 99.5)]  # the last few are mistakes of the flow
    if np.percentile(np.abs(vectors[:, 1]) - SLANT * np.abs(vectors[:, 0]), 95) < 0.4:
        vectors[:, 1] = 0
    cv2.setRNGSeed(1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 60, 1e-3)
    for _ in range(3):  # again without what hardly ever occurs: those are mistakes too
        # Among lengths to the power of 2/3, so that slow distant things are told apart as finely as fast near ones.
        _, label, centres = cv2.kmeans(_shortened(vectors), MOTIONS - 1, None, stop, 3, cv2.KMEANS_PP_CENTERS)
        share = np.bincount(label[:, 0], minlength=MOTIONS - 1) / len(vectors)
        if (share >= RARE).all() or (share >= RARE).sum() < 4:
            break
        vectors = vectors[share[label[:, 0]] >= RARE]
    centres = np.vstack([np.zeros((1, 2), np.float32), centres * np.sqrt(np.hypot(*centres.T))[:, None]])
    return centres[np.argsort(np.hypot(*centres.T), kind="stable")]


def _shortened(vectors: np.ndarray) -> np.ndarray:
    """float32 (N, 2): the same directions, lengths to the power of 2/3."""
    return (vectors / np.cbrt(np.hypot(*vectors.T)[:, None] + 1e-9)).astype(np.float32)


def median5(values: np.ndarray) -> np.ndarray:
    """Median over five neighbours, ends repeated."""
    padded = np.pad(np.asarray(values, np.float64), 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
