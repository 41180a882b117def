"""The audio thread: a source, an extractor, and the newest features for whoever looks."""

import logging
import threading
from typing import Protocol, Self

import numpy as np

from vj.audio.features import FeatureExtractor
from vj.signals import AudioFeatures

AGAIN = 1.0  # s until a source that failed is asked again

log = logging.getLogger(__name__)


class Source(Protocol):
    """What a listener needs: LineIn, FilePlayer, SoundFile, or a fake of ten lines."""

    def blocks(self, n: int): ...
    def close(self) -> None: ...


class Listener:
    """Hears a source in a thread of its own. One assignment a block hands the features over; no lock, no queue.

    .features: AudioFeatures, the newest, never older than a block; at rest when the source has failed or ended.
    .overflows: how often sound was lost; .alive: False when the source has ended or the listener is closed.
    """

    def __init__(self, source: Source, extractor: FeatureExtractor) -> None:
        self.source, self.extractor = source, extractor
        self.features = AudioFeatures()
        self.alive = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="vj-audio", daemon=True)

    @property
    def overflows(self) -> int:
        return getattr(self.source, "overflows", 0)

    def tap(self) -> None:
        """A hand says: a beat is now."""
        self.extractor.tap()

    def one(self) -> None:
        """A hand says: the first beat of a bar is now."""
        self.extractor.one()

    def scale(self, factor: float) -> None:
        """A hand says: the tempo is 2 or 0.5 times what is shown."""
        self.extractor.scale(factor)

    def nudge(self, seconds: float) -> None:
        """A hand says: beats shall come later by this."""
        self.extractor.nudge(seconds)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                for block in self.source.blocks(self.extractor.hop):
                    self.features = self.extractor.feed(block)
                    if self._stop.is_set():
                        break
                break  # the source has ended
            except Exception:
                log.exception("the sound source failed; asking it again")
                self.extractor.leave()  # what is known of a file holds no more
                self.features = self.extractor.feed(np.zeros(self.extractor.rate, np.float32))  # a second of rest
                self._stop.wait(AGAIN)
        self.features = AudioFeatures(time=self.features.time)
        self.alive = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(2.0)
        self.source.close()
