"""What the ear hears in a file: lines for `vj hear`, and a picture of them. Causal, as in the show."""

import sys
from collections.abc import Iterator
from pathlib import Path

from vj.audio.beat import Beat
from vj.audio.features import FeatureExtractor
from vj.audio.files import SoundFile


def hear(path: str | Path) -> Iterator[str]:
    """Lines in stream order: `beat_time report_time [position_in_bar]` and `O time KD|SD|HH report_time`, seconds."""
    extractor = FeatureExtractor()
    with SoundFile(path) as sound:
        for block in sound.blocks(4800):
            extractor.feed(block)
            for event in extractor.events():
                if isinstance(event, Beat):
                    yield f"{event.time:.3f} {event.told:.3f}" + (f" {event.position}" if event.position else "")
                else:
                    yield f"O {event.time:.3f} {event.kind} {event.told:.3f}"


if __name__ == "__main__":
    for line in hear(sys.argv[1]):
        print(line)
