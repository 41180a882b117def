"""How journeys are laid out for the network, which knows one only: what is new comes in at the right and leaves at the left.

The view from a side window is laid out as it is. One ahead is laid out along the rays from its vanishing point: a row of
the layout is a place on the picture's border, a column a logarithmic distance, so that what grows evenly moves evenly (a
relative of the log-polar map: Schwartz 1977; Bolduc and Levine 1998). Concentric rectangles instead of circles fill the
layout exactly. The screen lays it back (shaders/unroll.glsl, the same map). Knows no network and no files.
"""

import functools
from dataclasses import dataclass

import cv2
import numpy as np

KINDS = ("window", "ahead", "astern", "rising", "falling")
"""window: right to left. ahead: out of a vanishing point, astern: into one. rising: from the bottom up, falling: down."""

INNER = 0.13  # size of the innermost rectangle to the picture's: as far as the journey can be seen
SEAM = 0.04  # of the rows, to each side of where the first goes on with the last, that are a little each other's mirror image
FINER = 3  # times as fine as the layout in both directions, before it is scaled down to it


@dataclass(frozen=True, slots=True)
class View:
    """Which way a journey goes in its pictures. ValueError where it is no view of this program."""

    kind: str = "window"  # one of KINDS
    x: float = 0.5  # vanishing point, shares of the picture's width and height from its top left; 0.05..0.95
    y: float = 0.5

    def __post_init__(self):
        if self.kind not in KINDS or not all(isinstance(v, (int, float)) and 0.05 <= v <= 0.95 for v in (self.x, self.y)):
            raise ValueError(f"no view: {self.kind!r} at {self.x!r}, {self.y!r}")

    @property
    def is_flat(self) -> bool:
        """Whether its layout is the picture itself."""
        return self.kind == "window"

    def lay_out(self, picture: np.ndarray, height: int, width: int) -> np.ndarray:
        """A picture uint8 (h, w, 3) as the network gets it: uint8 (height, width, 3)."""
        if not self.is_flat:
            places = _places(self, height * FINER, width * FINER, *picture.shape[:2])
            picture = cv2.remap(picture, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)

    def lay_back(self, layout: np.ndarray, height: int | None = None, width: int | None = None) -> np.ndarray:
        """The picture, uint8 (height, width, 3), of a layout (h, w, 3); as large as that where nothing is said."""
        h, w = layout.shape[:2]
        height, width = height or h, width or w
        if self.is_flat:
            return layout if (height, width) == (h, w) else cv2.resize(layout, (width, height))
        tall, wide = (side * (FINER if self.is_round else 1) for side in (height, width))
        y, x = np.meshgrid((np.arange(tall) + 0.5) / tall, (np.arange(wide) + 0.5) / wide, indexing="ij")
        gone, row = self._gone(x, y)
        column = ((1 - gone) * w - 0.5).clip(0, w - 1).astype(np.float32)
        layout = _without_seam(layout) if self.is_round else layout
        ends = (layout[-1:], layout[:1]) if self.is_round else (layout[:1], layout[-1:])
        closed = np.concatenate([ends[0], layout, ends[1]])
        back = cv2.remap(closed, column, (row * h + 0.5).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.resize(back, (width, height), interpolation=cv2.INTER_AREA)

    @property
    def is_round(self) -> bool:
        """Whether its rows go out from the vanishing point, the last beside the first."""
        return self.kind in ("ahead", "astern")

    def _gone(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How far along its journey (0..1) what is at x, y (shares of the picture) is, and in which row (0..1)."""
        if not self.is_round:
            return (1 - y if self.kind == "rising" else y), x
        dx, dy = x - self.x, y - self.y
        sides = np.stack([-dy / self.y, dx / (1 - self.x), dy / (1 - self.y), -dx / self.x])  # top, right, bottom, left
        side, size = sides.argmax(0), sides.max(0).clip(1e-6)
        round_x, round_y = self.x + dx / size, self.y + dy / size
        along = np.choose(side, [round_x, 1 + round_y, 3 - round_x, 4 - round_y])
        far = (np.log(size) / np.log(INNER)).clip(0, 1)
        return (1 - far if self.kind == "ahead" else far), ((along - self.x) % 4) / 4


@functools.lru_cache(maxsize=4)
def _places(view: View, height: int, width: int, h: int, w: int) -> tuple[np.ndarray, np.ndarray]:
    """Where in a picture of h x w px each pixel of a layout lies: x and y, float32 (height, width)."""
    gone = 1 - (np.arange(width) + 0.5) / width  # 0 has just come, 1 leaves
    share = (np.arange(height) + 0.5) / height
    if view.kind in ("ahead", "astern"):
        round_x, round_y = _on_border(share, view.x)
        size = INNER ** (1 - gone if view.kind == "ahead" else gone)
        x, y = view.x + (round_x - view.x)[:, None] * size, view.y + (round_y - view.y)[:, None] * size
    else:
        x = np.broadcast_to(share[:, None], (height, width))
        y = np.broadcast_to(1 - gone if view.kind == "rising" else gone, (height, width))
    return (x * w - 0.5).astype(np.float32), (y * h - 0.5).astype(np.float32)


def _without_seam(layout: np.ndarray) -> np.ndarray:
    """A layout (h, w, 3) whose first and last rows become alike towards its ends."""
    share = (np.arange(len(layout)) + 0.5) / len(layout)
    near = (np.minimum(share, 1 - share) / SEAM).clip(max=1)
    other = (0.5 - 0.5 * near * near * (3 - 2 * near))[:, None, None].astype(np.float32)
    return (layout * (1 - other) + layout[::-1] * other + 0.5).astype(np.uint8)


WINDOW = View()
"""What is as it is seen."""


def _on_border(share: np.ndarray, start: float) -> tuple[np.ndarray, np.ndarray]:
    """x and y (shares of the picture) of places on its border, clockwise from `start` on its upper side; each side a quarter."""
    along = (share * 4 + start) % 4
    x = np.select([along < 1, along < 2, along < 3], [along, 1.0, 3 - along], 0.0)
    y = np.select([along < 1, along < 2, along < 3], [0.0, along - 1, 1.0], 4 - along)
    return x, y
