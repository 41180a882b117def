"""What the ear hears in a file: lines for `vj hear`. Causal, as in the show. Draws nothing, and so starts in a moment."""

from collections.abc import Iterator
from pathlib import Path

from vj.audio.ahead import Known, follow, look_ahead
from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor
from vj.audio.files import RATE, SoundFile
from vj.audio.onsets import Onset
from vj.signals import AudioFeatures


def hear(path: str | Path, ahead: bool = False) -> Iterator[str]:
    """Lines in stream order: `beat_time report_time [position_in_bar]` and `O time KD|SD|HH report_time`, seconds.

    ahead: beats and drums in the light of the whole file, as a file is heard in a show, not as if live. Raises SoundError.
    """
    for _, events in listen(path, look_ahead(path) if ahead else None):
        for event in events:
            if isinstance(event, Beat):
                yield f"{event.time:.3f} {event.told:.3f}" + (f" {event.position}" if event.position else "")
            else:
                yield f"O {event.time:.3f} {event.kind} {event.told:.3f}"


def listen(path: str | Path, known: Known | None = None) -> Iterator[tuple[AudioFeatures, list[Beat | Onset]]]:
    """(features, what was told) for every 20 ms of a file."""
    extractor = FeatureExtractor()
    if known is not None:
        follow(extractor, known)
    with SoundFile(path) as sound:
        for block in sound.blocks(RATE // 50):
            yield extractor.feed(block), extractor.events()
