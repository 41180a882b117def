"""Videos and folders of pictures as sources of frames: what there is, without black borders, laid out as its journey goes.

Knows no network, and nothing of what is measured in frames.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vj.errors import FootageError
from vj.train import heading
from vj.train.heading import Heading
from vj.video import read_frames, video_info
from vj.view import FINER, View

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
FILMS = (".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".m2ts", ".ts", ".wmv", ".ogv", ".gif", ".flv")
BLACK = 20  # of 255
LOOKS = 48  # frames that are looked at for borders
SEEN = (96, 160)  # px, in which it is looked which way they go
SLOWED, PASSED = 6, 9000  # so much slower it goes on meanwhile, at most; of so many frames in all, about
PASSING = 2 / 160  # of the width a frame: so fast is travelled past pictures in which everything strays
WAYS = {
    "ahead": "goes towards what is in front of it, and is laid out from its vanishing point",
    "astern": "looks back, and is laid out towards its vanishing point",
    "rising": "goes up, and is laid on its side",
    "falling": "goes down, and is laid on its side",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One video or list of pictures, opened."""

    name: str
    path: Path | list[Path]
    frames: Callable[[], Iterator[np.ndarray]]  # uint8 (h, w, 3) of middling size, from the first on at each call
    fps: float
    count: int  # frames, about
    inside: tuple[slice, slice]  # rows and columns inside black borders
    size: tuple[int, int]  # (h, w) px of its frames
    heading: Heading
    words: list[str]  # sentences on it

    def laid_out(self, height: int, width: int) -> Iterator[np.ndarray]:
        """Its frames as the network gets them, uint8 (height, width, 3)."""
        pictures = (frame[self.inside] for frame in self.frames())
        if self.heading.strays:
            return _frieze((_fit(picture, height, width) for picture in pictures), slowed(self))
        return (lay_out(picture, self.heading.view, height, width) for picture in pictures)


def lay_out(picture: np.ndarray, view: View, height: int, width: int) -> np.ndarray:
    """A frame without its borders as the network gets it: uint8 (height, width, 3)."""
    if view.is_flat:
        return _fit(picture, height, width)
    return view.lay_out(_fit(picture, FINER * height, FINER * width), height, width)


def slowed(source: Source) -> int:
    """Model frames that each of its frames lasts: 1, but more where it is travelled past, lest its own motion bend things."""
    return int(np.clip(PASSED // max(source.count, 1), 2, SLOWED)) if source.heading.strays else 1


def _frieze(pictures: Iterator[np.ndarray], slow: int) -> Iterator[np.ndarray]:
    """Pictures travelled past: what comes in at the right are columns of the picture of that moment, and of its mirror image
    in turn, and then goes by as it came (slit-scan). `slow` frames for each picture."""
    seen, before, at = None, None, 0
    for picture in pictures:
        wide = picture.shape[1]
        pace = max(round(PASSING * wide), 1)
        if seen is None:
            seen, before, at = picture, picture, wide
        for k in range(slow):
            columns = np.arange(at, at + pace) % (2 * wide)
            columns = np.minimum(columns, 2 * wide - 1 - columns)
            new = cv2.addWeighted(before[:, columns], 1 - k / slow, picture[:, columns], k / slow, 0)
            seen = np.concatenate([seen[:, pace:], new], 1)
            at += pace
            yield seen
        before = picture


def open_all(found: list, asked: str | None, left_out: list[str]) -> list[Source]:
    """What can be read, each as it goes, or as `asked` (a view.KINDS, or "passing").

    What cannot is told in left_out.
    """
    opened = []
    for path in found:
        try:
            opened.append(_open(path, asked))
        except FootageError as error:
            name = _name(path)
            left_out.append(str(error) if name in str(error) else f"{name}: {error}")
    return opened


def _open(path: Path | list[Path], asked: str | None) -> Source:
    name = _name(path)
    frames, fps, count = _reader(path)
    inside = _borders(frames(), count)
    if inside is None:
        raise FootageError(f"{name} is black all through: leave it out.")
    first = next(frames()).shape
    cut = [inside[0].start, first[0] - (inside[0].stop or first[0]), inside[1].start, first[1] - (inside[1].stop or first[1])]
    words = []
    if any(cut):
        where = [f"{100 * c / first[k // 2]:.0f} % at the {side}" for k, (c, side) in
                 enumerate(zip(cut, ("top", "bottom", "left", "right"), strict=True)) if c]  # fmt: skip
        words.append(f"{name}: black borders are taken off ({', '.join(where)}).")
    way = heading.find((_fit(frame[inside], *SEEN) for frame in frames()), count, asked)
    if way.strays:
        words.append(f"{name}: in it everything goes its own way, so it is travelled past.")
    elif not way.view.is_flat:
        words.append(f"{name}: {WAYS[way.view.kind]}.")
    return Source(name, path, frames, fps, count, inside, first[:2], way, words)


def find(sources) -> tuple[list[Path | list[Path]], list[str]]:
    """What to read: a video's path, or the list of pictures that make one clip. And sentences on what is neither."""
    found, left_out = [], []
    for source in map(Path, sources):
        if not source.exists():
            raise FootageError(f"There is no {source}: give videos or folders that exist.")
        if source.is_file():
            if source.suffix.lower() in PICTURES:
                left_out.append(f"{source.name}: one picture is no footage; give the folder that holds the pictures.")
            else:
                found.append(source)
            continue
        inside = sorted((p for p in source.iterdir() if p.is_file() and not p.name.startswith(".")), key=_natural)
        pictures = [p for p in inside if p.suffix.lower() in PICTURES]
        films = [p for p in inside if p.suffix.lower() in FILMS]
        found += films
        if len(pictures) > 1:
            found.append(pictures)
        elif not films:
            left_out.append(f"{source.name}: a folder with {'one picture' if pictures else 'no picture or video'}; "
                            "give a video, or a folder of many pictures in order.")
    if not found:
        raise FootageError("There is nothing to learn from: " + (" ".join(left_out) or "give at least one video."))
    return found, left_out


def _natural(path: Path):
    return [int(part) if part.isdigit() else part.lower() for part in re.split(r"(\d+)", path.name)]


def _name(source) -> str:
    """As it is called to the operator."""
    return source.name if isinstance(source, Path) else source[0].parent.name


def _pictures(paths: list[Path], size: tuple[int, int] | None) -> Iterator[np.ndarray]:
    for path in paths:
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR)  # turned upright by its EXIF, 16 bit reduced to 8
        if picture is not None:
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            yield picture if size is None else _fit(picture, size[1], size[0])


def _reader(source) -> tuple[Callable[[], Iterator[np.ndarray]], float, int]:
    """(makes an iterator of frames of middling size, fps, about how many). Raises FootageError."""
    if isinstance(source, list):
        first = next(_pictures(source, None), None)
        if first is None:
            raise FootageError("none of its pictures can be read.")
        wide, fps, count, tall = first.shape[1] / first.shape[0], 24.0, len(source), first.shape[0]
    else:
        info = video_info(source)
        wide, fps, count, tall = info.width / info.height, info.fps, info.count, info.height
    high = min(360 if wide >= 1 else round(360 / wide), tall)
    size = (max(round(high * wide), 2), high)
    if isinstance(source, list):
        return lambda: _pictures(source, size), fps, count
    return lambda: read_frames(source, size), fps, count


def _fit(frame: np.ndarray, height: int, width: int) -> np.ndarray:
    """Scaled by area and cut on both sides to height x width."""
    h, w = frame.shape[:2]
    scale = max(height / h, width / w)
    wide, high = min(w, round(width / scale)), min(h, round(height / scale))
    x, y = (w - wide) // 2, (h - high) // 2
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(frame[y : y + high, x : x + wide], (width, height), interpolation=how)


def _borders(frames: Iterator[np.ndarray], count: int) -> tuple[slice, slice] | None:
    """Rows and columns inside burnt-in black borders; None if all is black. Looks at frames from all over the source."""
    every, brightest, taken = max(count // LOOKS, 1), None, 0
    for i, frame in enumerate(frames):
        if i % every == 0:
            luma = frame.max(2)
            brightest = luma if brightest is None else np.maximum(brightest, luma)
            taken += 1
            if taken >= LOOKS:
                break
    if brightest is None:
        raise FootageError("no frame of it decodes.")
    lit = brightest > BLACK + 8
    rows, columns = np.flatnonzero(lit.mean(1) > 0.02), np.flatnonzero(lit.mean(0) > 0.02)
    if not len(rows) or not len(columns):
        return None

    def inside(marks, size):  # a border is cut 2 px deeper, its edge is soft; a sliver at one side only is no border
        a, b = int(marks[0]), int(marks[-1]) + 1
        return slice(a + 2 if a > 1 else 0, b - 2 if size - b > 1 else size)

    return inside(rows, lit.shape[0]), inside(columns, lit.shape[1])
