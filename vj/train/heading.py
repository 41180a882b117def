"""Which way footage goes: past a side window, ahead, astern, up or down; or each thing its own way. Knows no files.

From dense optical flow (DIS, as in vj.train.measure): the mean direction of all that moves, and the point that it moves
away from or towards (the focus of expansion, by least squares over flow normals: Negahdaripour and Horn 1989).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from vj.view import View

PAIRS = 60  # of frames, that are looked at
STEEP, MOVING = 60.0, 0.15  # Scharr slope, px a frame: where there is something to follow, and it goes
LEAST = 400  # such places in all pairs; with fewer nothing is said
AGREED, OUTWARD, LOST = 0.5, 0.6, 0.35  # shares of the motion that goes one way, from one point, no way at all
NEAREST = 0.1  # of the width or height that a vanishing point keeps from the picture's border
ROUND = ("ahead", "astern")  # views with a vanishing point
CLEARLY = 0.15  # by so much better must a vanishing point tell of the motion than one way for all,
SPREADS = 0.1  # or so large a share of the motion must go up above it and down below it: that no side window shows
FAST = 3.0  # px: more counts no more
OFF = 8.0  # px that a place may miss the vanishing point by before it counts half


@dataclass(frozen=True, slots=True)
class Heading:
    """view: how to lay the footage out; strays: nothing in it agrees, so that it must be travelled past to be a journey."""

    view: View
    strays: bool = False


def find(frames: Iterator[np.ndarray], count: int, asked: str | None = None) -> Heading:
    """Of frames uint8 (H, W, 3) in their order, about `count` of them; a window's view where too little moves.

    asked: one of vj.view.KINDS, or "passing": then it is that, and only the vanishing point is looked for.
    """
    if asked == "passing":
        return Heading(View(), strays=True)
    if asked is not None and asked not in ROUND:
        return Heading(View(asked))
    flow, before, places, moves = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), None, [], []
    every = max(count // PAIRS, 2)
    for number, frame in enumerate(frames):
        if number % every > 1:
            continue
        gray = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        if number % every == 1 and before is not None:
            went = -flow.calc(gray, before, None)[4:-4:4, 8:-8:4]
            steep = np.hypot(cv2.Scharr(gray, cv2.CV_32F, 1, 0), cv2.Scharr(gray, cv2.CV_32F, 0, 1))[4:-4:4, 8:-8:4]
            there = (steep > STEEP) & (np.hypot(went[..., 0], went[..., 1]) > MOVING)
            places.append(np.argwhere(there)[:, ::-1] * 4 + (8, 4))
            moves.append(went[there])
        before = gray
    if not moves or sum(map(len, moves)) < LEAST:
        return Heading(View(asked or "window"))
    height, width = gray.shape
    return judge(np.concatenate(places).astype(float), np.concatenate(moves).astype(float), height, width, asked)


def judge(places: np.ndarray, moves: np.ndarray, height: int, width: int, asked: str | None = None) -> Heading:
    """places (N, 2) x, y px, moves (N, 2) px a frame, of pictures of this size. asked: one of ROUND, that it is."""
    length = np.hypot(*moves.T)
    ways, weight = moves / length[:, None], np.minimum(length, FAST)
    along, down = (weight[:, None] * ways).sum(0) / weight.sum()
    centre = _vanishing_point(places, ways, weight)
    rays = places - centre
    outward = float((weight * (ways * rays).sum(1) / np.hypot(*rays.T).clip(1e-6)).sum() / weight.sum())
    x, y = (round(float(part), 3) for part in (centre / (width, height)))
    if asked:
        return Heading(View(asked, *(min(max(part, NEAREST), 1 - NEAREST) for part in (x, y))))
    spreads = float((weight * ways[:, 1] * np.sign(rays[:, 1])).sum() / weight.sum()) * np.sign(outward)
    round_one = abs(outward) >= max(OUTWARD, abs(down)) and min(x, y, 1 - x, 1 - y) >= NEAREST
    if abs(along) >= max(AGREED, abs(down), abs(outward) - CLEARLY) and not (round_one and spreads >= SPREADS):
        return Heading(View())
    if round_one:
        return Heading(View("ahead" if outward > 0 else "astern", x, y))
    if abs(down) >= AGREED:
        return Heading(View("falling" if down > 0 else "rising"))
    return Heading(View(), strays=bool(max(abs(along), abs(down), abs(outward)) < LOST))


def _vanishing_point(places: np.ndarray, ways: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The point (2,) that the lines through `places` along `ways` pass nearest by, those that miss it by far left out."""
    normals = np.stack([-ways[:, 1], ways[:, 0]], 1)
    at, counts, point = (normals * places).sum(1), weight, np.zeros(2)
    for _ in range(10):
        square = np.einsum("n,ni,nj->ij", counts, normals, normals) + 1e-6 * counts.sum() * np.eye(2)
        point = np.linalg.solve(square, (counts * at) @ normals)
        counts = weight / (1 + ((normals @ point - at) / OFF) ** 2)
    return point
