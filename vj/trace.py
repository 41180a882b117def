"""A show's trace: every model frame with what it answers, streamed to disk and closed into one .npz.

Memory stays bounded: columns grow in plain files beside the target and are packed at the end, aside and renamed.
"""

import contextlib
import os
import shutil
import zipfile
from dataclasses import fields
from pathlib import Path

import numpy as np

from vj.errors import VJError
from vj.show import Made
from vj.signals import CONTROL_NAMES, AudioFeatures

FEATURE_NAMES = tuple(f.name for f in fields(AudioFeatures) if f.name != "chroma")  # single numbers
PIECE = 1 << 20  # bytes copied at once


class Column:
    """Rows of one shape and type in a plain file."""

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]):
        self.path, self.dtype, self.shape, self.rows = path, np.dtype(dtype), shape, 0
        self._file = open(path, "wb", buffering=PIECE)

    def add(self, row: np.ndarray | float) -> None:
        self._file.write(np.ascontiguousarray(row, self.dtype).reshape(self.shape).tobytes())
        self.rows += 1

    def close(self) -> None:
        self._file.close()

    def pack(self, archive: zipfile.ZipFile, name: str) -> None:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as target, open(self.path, "rb") as source:
            header = {"descr": self.dtype.str, "fortran_order": False, "shape": (self.rows, *self.shape)}
            np.lib.format.write_array_header_1_0(target, header)
            shutil.copyfileobj(source, target, PIECE)


class Trace:
    """Rows of model frames (one thread may add them) and of pictures shown (another may). Use as a `with`.

    Raises VJError where nothing can be written; once open, a full disk ends the trace: `message` says so.
    """

    def __init__(self, path: str | os.PathLike, size: tuple[int, int]):
        """size: (H, W) px of a model frame."""
        self.path = Path(path)
        self.message = ""
        self._folder = self.path.with_name(f"{self.path.name}.{os.getpid()}.part")
        shapes = {
            "frames": ("u1", (*size, 3)),
            "time": ("f8", ()),  # s of sound
            "controls": ("f4", (len(CONTROL_NAMES),)),
            "features": ("f8", (len(FEATURE_NAMES),)),
            "weights": ("i4", ()),
            "model_ms": ("f4", ()),  # to make the frame; play only
            "shown": ("f8", ()),  # s since the show began at which a picture was presented; play only
            "draw_ms": ("f4", ()),  # to draw and present it, without waiting for its moment; play only
            "swap_ms": ("f4", ()),  # each taking over of fresh weights; play only
            "made": ("f8", ()),  # perf_counter, s, at which a model frame was there; play only
            "answers": ("f8", ()),  # s of sound that the picture shown answers; play only
            "latency_ms": ("f4", ()),  # from a sound's arrival to the picture shown, through the display pass; play only
            "network_ms": ("f4", ()),  # likewise through the network; play only
            "onsets": ("f8", (4,)),  # kicks: count, s of sound, perf_counter when the sound came, when it was said; play only
            "began": ("f8", ()),  # perf_counter, s, of the show's start; one row, play only
            "rates": ("f4", (2,)),  # wanted: pictures and model frames a second; one row, play only
        }
        try:
            self._folder.mkdir()
            self._columns = {name: Column(self._folder / name, *shape) for name, shape in shapes.items()}
        except OSError as error:
            raise VJError(f"Cannot write the trace {self.path}: {error.strerror}. Choose another place.") from error

    def add(self, made: Made) -> None:
        values = [float(getattr(made.features, name)) for name in FEATURE_NAMES]
        self.put(
            frames=made.frame.pixels,
            time=made.features.time,
            controls=made.controls.vector(),
            features=values,
            weights=made.frame.version,
        )

    def put(self, **row: np.ndarray | float) -> None:
        """One value each for some columns."""
        if self.message:
            return
        try:
            for name, value in row.items():
                self._columns[name].add(value)
        except OSError as error:
            self.message = f"The trace {self.path} has stopped: {error.strerror}. Make room and start again."

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if kind is None or issubclass(kind, KeyboardInterrupt):
                self._pack()
        finally:
            for column in self._columns.values():
                with contextlib.suppress(OSError):
                    column.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _pack(self) -> None:
        aside = self._folder / "trace.npz"
        try:
            with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
                for name, column in self._columns.items():
                    column.close()
                    if column.rows or name in ("frames", "time", "controls", "features", "weights"):
                        column.pack(archive, name)
                for name, words in (("control_names", CONTROL_NAMES), ("feature_names", FEATURE_NAMES)):
                    with archive.open(f"{name}.npy", "w") as target:
                        np.lib.format.write_array(target, np.array(words), allow_pickle=False)
            os.replace(aside, self.path)
        except OSError as error:
            raise VJError(f"Cannot write the trace {self.path}: {error.strerror}. Make room and try again.") from error
