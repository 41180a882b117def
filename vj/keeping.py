"""What surrounds a live show's loop: the log, the learnt weights, memory at rest, a clean end."""

import contextlib
import gc
import logging
import logging.handlers
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from vj.weights import WeightsSlot

log = logging.getLogger("vj")


@contextlib.contextmanager
def slot(home: Path, last: Path):
    """A WeightsSlot for what this show learns, in a folder of its own in `home`; the newest is kept as `last`."""
    home.mkdir(parents=True, exist_ok=True)
    for old in home.glob("show-*"):  # of shows that were killed
        if time.time() - old.stat().st_mtime > 86400:
            shutil.rmtree(old, ignore_errors=True)
    mine = WeightsSlot(Path(tempfile.mkdtemp(prefix="show-", dir=home)))
    try:
        yield mine
    finally:
        newest = mine.latest()
        if newest is not None:
            keep(newest, last)
        shutil.rmtree(mine.folder, ignore_errors=True)


def keep(path: Path, target: Path) -> bool:
    """Makes target the same file as path, at once and without copying where the disk can do that."""
    aside = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        try:
            os.link(path, aside)
        except OSError:
            shutil.copyfile(path, aside)
        os.replace(aside, target)
        return True
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        if path.exists():
            log.warning("learnt weights could not be kept: %s", error)
        return False


@contextlib.contextmanager
def logged(path: Path):
    """Lines to a file in the user's data folder, warnings also to the terminal, without tracebacks there."""
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setLevel(logging.WARNING)
    handlers[0].setFormatter(_Sentence("vj: %(message)s"))
    with contextlib.suppress(OSError):
        file = logging.handlers.RotatingFileHandler(path, maxBytes=1 << 20, backupCount=3, encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        handlers.append(file)
    level = log.level
    log.setLevel(logging.INFO)
    for handler in handlers:
        log.addHandler(handler)
    try:
        yield
    finally:
        log.setLevel(level)
        for handler in handlers:
            log.removeHandler(handler)
            handler.close()


class _Sentence(logging.Formatter):
    """The first line only: tracebacks are for the file."""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).rstrip().splitlines()[0]


@contextlib.contextmanager
def quiet_memory():
    """The garbage collector rests while pictures are shown: what was made at the start is never looked at again."""
    interval = sys.getswitchinterval()
    gc.collect()
    gc.freeze()
    gc.disable()
    sys.setswitchinterval(0.001)  # s: the window waits at most so long for a thread that computes in Python
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.enable()
        gc.unfreeze()


@contextlib.contextmanager
def terminated():
    """SIGTERM ends the show as Ctrl-C does: everything is closed, and what was learnt is kept."""

    def stop(*_):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not on the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
