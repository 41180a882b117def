"""Some large pictures of the footage, kept beside its small frames: what the learnt upscaler learns from.

Taken at the source's own resolution where that is less than four times the frames', and never enlarged. Knows no network.
"""

from pathlib import Path

import cv2
import numpy as np

from vj.errors import FootageError
from vj.train.sources import Source, lay_out
from vj.video import read_frames, video_info

FOLDER = "large"  # in a prepared folder
MOST = 48  # of one source, from all over it
LEAST = 160  # px, both sides: there is nothing to be learnt from less
QUALITY = 95  # of the JPEG files
SCALE = 4  # as large as the frames, at most


def keep(source: Source, size: tuple[int, int], folder: Path) -> int:
    """Writes pictures of a source as folder/large/*.jpg, laid out as its frames are; how many.

    size: (height, width) px of the small frames. A source that is too small or cannot be read gives none.
    """
    every = max(source.count // MOST, 1)
    try:
        if isinstance(source.path, list):
            pictures = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in source.path[::every])
            pictures = (picture[..., ::-1] for picture in pictures if picture is not None)
        else:
            info = video_info(source.path)
            pictures = read_frames(source.path, (info.width, info.height), every)
        home, first = folder / FOLDER, len(list((folder / FOLDER).glob("*.jpg")))
        home.mkdir(exist_ok=True)
        written = 0
        for picture in pictures:
            large = _cut(picture, source.inside, source.size, size)
            if large is None or written >= MOST:
                break
            if not source.heading.view.is_flat:
                large = lay_out(large, source.heading.view, *large.shape[:2])
            cv2.imwrite(str(home / f"{first + written:05d}.jpg"), large[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
            written += 1
        return written
    except FootageError:
        return 0


def _cut(picture: np.ndarray, inside: tuple[slice, slice], seen: tuple[int, int], size: tuple[int, int]) -> np.ndarray | None:
    """Without its borders, of the frames' proportions, at most SCALE times their size, sides multiples of 4; None: too small."""
    for axis, (part, whole) in enumerate(zip(inside, seen, strict=True)):
        start, stop, _ = part.indices(whole)
        long = picture.shape[axis]
        picture = picture.take(range(-(-start * long // whole), stop * long // whole), axis)
    high, wide = picture.shape[:2]
    scale = min(high / size[0], wide / size[1])
    high, wide = (int(side * min(scale, SCALE)) // 4 * 4 for side in size)
    if min(high, wide) < LEAST:
        return None
    tall, broad = (round(side * scale) for side in size)
    top, left = (picture.shape[0] - tall) // 2, (picture.shape[1] - broad) // 2
    picture = picture[top : top + tall, left : left + broad]
    return np.ascontiguousarray(cv2.resize(picture, (wide, high), interpolation=cv2.INTER_AREA))


def load(folder: Path) -> list[np.ndarray]:
    """The large pictures of a prepared folder, uint8 (H, W, 3) RGB. What does not decode is left out."""
    found = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in sorted((Path(folder) / FOLDER).glob("*.jpg")))
    return [np.ascontiguousarray(picture[..., ::-1]) for picture in found if picture is not None]
