"""Prepared footage's frames twice as large, beside the small ones: what vj.train.finer learns from. Each is a JPEG of its own.

Knows no network.
"""

from pathlib import Path

import cv2
import numpy as np

from vj.errors import FootageError

PICTURES, PLACES = "fine.bin", "fine.npy"  # in a prepared folder
TIMES = 2  # as large as the frames, as in vj.model.finer
JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]


class Keeper:
    """Writes them, in the order of the small ones, which may move to the front of the file and be mirrored later."""

    def __init__(self, folder: Path):
        self._folder, self._file = folder, open(folder / PICTURES, "wb")
        self._places: list[list[int]] = []  # of each where it begins, how long it is, and whether it is mirrored

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_) -> None:
        self._file.close()
        np.save(self._folder / PLACES, np.array(self._places, np.int64).reshape(-1, 3))

    def add(self, frame: np.ndarray) -> None:
        """The next one, uint8 (2 H, 2 W, 3) RGB."""
        _, data = cv2.imencode(".jpg", frame[..., ::-1], JPEG)
        self._places.append([self._file.tell(), len(data), 0])
        self._file.write(data.tobytes())

    def move(self, number: int, to: int, mirror: bool) -> None:
        """That frame is frame `to` from now on."""
        begin, long, mirrored = self._places[number]
        self._places[to] = [begin, long, mirrored ^ mirror]

    def end(self, count: int) -> None:
        """There are no more than so many."""
        del self._places[count:]


class FineFrames:
    """Reads them: [t] is frame t, uint8 (2 H, 2 W, 3) RGB."""

    def __init__(self, folder: Path, count: int, size: tuple[int, int]):
        """count of frames, and their size (H, W) px. FootageError if they do not fit these."""
        self._places, self._size = np.load(folder / PLACES, allow_pickle=False), size
        self._data = np.memmap(folder / PICTURES, np.uint8, "r")
        if self._places.shape != (count, 3) or int(self._places[:, :2].sum(1).max()) > len(self._data):
            raise FootageError(f"The large frames in {folder} are damaged: make it again with `vj footage --fine`.")

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> np.ndarray:
        begin, long, mirrored = self._places[number]
        picture = cv2.imdecode(self._data[begin : begin + long], cv2.IMREAD_COLOR)
        if picture is None or picture.shape[:2] != (TIMES * self._size[0], TIMES * self._size[1]):
            raise FootageError("A large frame of this footage is damaged: make it again with `vj footage --fine`.")
        return np.ascontiguousarray(picture[:, :: -1 if mirrored else 1, ::-1])


def shrunk(frame: np.ndarray) -> np.ndarray:
    """uint8 (2 H, 2 W, 3) -> (H, W, 3)."""
    return cv2.resize(frame, (frame.shape[1] // TIMES, frame.shape[0] // TIMES), interpolation=cv2.INTER_AREA)
