"""Weights and their card in one safetensors file, and the one door between training and playing.

It knows files, versions and what makes a file fit to be read; it knows no network. A file is whole or it is not there:
it is written aside, synced and renamed, and is never changed afterwards. Nothing in it can carry code.
"""

import contextlib
import json
import logging
import math
import os
import threading
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from vj.errors import WeightsError

log = logging.getLogger("vj")

LARGEST = 2**31  # bytes; a larger file is not ours
SUFFIX = ".safetensors"
HALVED = 1024  # values from which on a tensor is kept as float16 in files that travel
ROUNDED, SCALE = 20_000, "|scale"  # and as int8, in steps of each row's own; what is added to its name for those


@dataclass(frozen=True, slots=True)
class Card:
    """What a set of weights is and how it was made. It lives as JSON beside the tensors, in the same file."""

    architecture: str  # which network reads these tensors
    height: int  # px of a model frame
    width: int  # px
    fps: float  # model frames a second that the footage was measured at
    controls: tuple[str, ...]  # names, in the order of Controls.vector()
    config: dict = field(default_factory=dict)  # the network's own configuration, plain JSON
    step: int = 0  # training steps behind these weights
    version: int = 0  # number in the slot; 0 = not published by a show
    loss: float = 0.0
    figures: dict = field(default_factory=dict)  # what the judge measured
    recipe: str = ""  # the command that makes it again
    footage: str = ""  # what it learnt from
    view: dict = field(default_factory=dict)  # {kind, x, y} of vj.view.View, how pictures are laid out; empty: as they are


def read(path: str | os.PathLike) -> tuple[Card, dict[str, torch.Tensor]]:
    """The card and the tensors (on the CPU, finite) of a weights file. Raises WeightsError.

    The file is read whole into memory first, so that nobody can cut it under our hands.
    """
    path = Path(path)
    try:
        if path.is_dir() or path.stat().st_size > LARGEST:
            raise WeightsError(f"{path} is not a weights file: give a .safetensors file that `vj learn` wrote.")
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"Cannot read the weights {path}: {error.strerror}. Give an existing file.") from error
    try:
        tensors = safetensors.torch.load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError, RecursionError) as error:
        raise WeightsError(
            f"{path} is damaged or is no safetensors file ({_short(error)}): use another copy, or train anew."
        ) from error
    card = _parse_card(path, (header.get("__metadata__") or {}).get("card"))
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"{path} holds numbers that are not finite, in {name}: use another copy or train anew.")
    try:
        return card, _whole(tensors)
    except RuntimeError as error:  # steps that are not of its rows
        raise WeightsError(f"{path} is damaged ({_short(error)}): use another copy, or train anew.") from error


def write(path: str | os.PathLike, card: Card, tensors: dict[str, torch.Tensor], halved: bool = False) -> None:
    """Writes whole or not at all: aside, synced, renamed. Raises WeightsError, and then leaves what was there.

    halved: for files that travel, tensors of HALVED values and more are kept as float16, of ROUNDED and more as int8; `read`
    gives float32 again.
    """
    path = Path(path)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise WeightsError(f"Will not write {path}: {name} holds numbers that are not finite. Lower the step size.")
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        plain = {name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()}
        if halved:
            large = {n: t for n, t in plain.items() if t.dtype == torch.float32 and t.numel() >= HALVED}
            plain |= {name: t.half() for name, t in large.items() if t.abs().max() < torch.finfo(torch.float16).max}
            for name in [name for name, t in large.items() if t.numel() >= ROUNDED]:
                plain |= _rounded(name, large[name])
        data = safetensors.torch.save(plain, {"card": json.dumps(asdict(card), allow_nan=False)})
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or _short(error)
        raise WeightsError(f"Cannot write the weights {path}: {reason}. Make room or choose another place.") from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink()


def _rounded(name: str, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """The tensor as int8, and the steps of its rows (its first dimension), so that the largest of each is 127 steps."""
    rows = tensor.flatten(1) if tensor.ndim > 1 else tensor[None]
    steps = (rows.abs().amax(1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return {name: (rows / steps).round().to(torch.int8).view(tensor.shape), name + SCALE: steps[:, 0]}


def _whole(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What was kept as float16 or int8 as float32."""
    whole = {}
    for name, tensor in tensors.items():
        steps = tensors.get(name + SCALE)
        if steps is not None and tensor.dtype == torch.int8:
            whole[name] = tensor.float() * (steps.view(-1, *[1] * (tensor.ndim - 1)) if tensor.ndim > 1 else steps)
        elif not (name.endswith(SCALE) and name.removesuffix(SCALE) in tensors):
            whole[name] = tensor.float() if tensor.dtype == torch.float16 else tensor
    return whole


class WeightsSlot:
    """A folder of numbered sets, 000042.safetensors. One writer; any number of readers. Keeps the newest three."""

    def __init__(self, folder: str | os.PathLike, keep: int = 3):
        self.folder = Path(folder)
        self.keep = keep

    def publish(self, card: Card, tensors: dict[str, torch.Tensor]) -> int:
        """Writes the next version and forgets the oldest. Returns the version. Raises WeightsError."""
        version = max(self._numbers(), default=0) + 1
        write(self.path(version), replace(card, version=version), tensors)
        for old in sorted(self._numbers())[: -self.keep]:
            with contextlib.suppress(OSError):
                self.path(old).unlink()
        return version

    def latest(self) -> Path | None:
        """The newest set's file, or None."""
        numbers = self._numbers()
        return self.path(max(numbers)) if numbers else None

    def path(self, version: int) -> Path:
        return self.folder / f"{version:06d}{SUFFIX}"

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self.folder)
        except OSError:
            return []
        stems = [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]
        return [int(stem) for stem in stems if stem.isdecimal()]


class Inbox:
    """Reads ahead in a thread of its own, so that the show never waits for a disk. Holds at most one set."""

    def __init__(self, folder: str | os.PathLike, after: int = 0, seconds: float = 0.25):
        self._slot = WeightsSlot(folder)
        self._seen = after  # the newest version looked at, good or bad
        self._seconds = seconds  # between two looks
        self._fresh = None  # written by the thread only
        self._taken = None  # written by poll only
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inbox", daemon=True)

    def __enter__(self) -> "Inbox":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def poll(self) -> tuple[Card, dict[str, torch.Tensor]] | None:
        """The newest set that was not handed out yet, once; else None. Costs nothing."""
        fresh = self._fresh
        if fresh is self._taken:
            return None
        self._taken = fresh
        return fresh

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.look()

    def look(self) -> None:
        """One look into the folder (the thread calls it; a test may)."""
        path = self._slot.latest()
        if path is None or int(path.stem) <= self._seen:
            return
        self._seen = int(path.stem)
        try:
            self._fresh = read(path)
        except WeightsError as error:
            log.warning("fresh weights skipped: %s", error)


def _parse_card(path: Path, text: str | None) -> Card:
    """Card from its JSON. Unknown keys are passed over, so that newer files can be read. Raises WeightsError."""
    if not text:
        raise WeightsError(f"{path} has no card, so nobody knows its network: give a file that `vj learn` wrote.")
    try:
        raw = json.loads(text)
        card = Card(**{f.name: raw[f.name] for f in fields(Card) if f.name in raw})
        card = replace(card, controls=tuple(card.controls))
        whole = (card.height, card.width, card.step, card.version)
        sane = (
            all(isinstance(n, int) and not isinstance(n, bool) for n in whole)
            and all(8 <= n <= 8192 for n in (card.height, card.width))
            and min(card.step, card.version) >= 0
            and all(isinstance(n, int | float) and math.isfinite(n) for n in (card.fps, card.loss))
            and 1 <= card.fps <= 1000
            and all(isinstance(s, str) for s in (card.architecture, card.recipe, card.footage, *card.controls))
            and isinstance(card.config, dict)
            and isinstance(card.figures, dict)
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WeightsError(f"The card in {path} cannot be read ({_short(error)}): use another copy.") from error
    if not sane:
        raise WeightsError(f"The card in {path} says what cannot be (a size, a rate or a name): use another copy.")
    return card


def _short(error: BaseException) -> str:
    """The first line of an error, at most 80 letters."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:80]
