"""A window that nobody sees, for the tests that draw; without any OpenGL they are skipped."""

from collections.abc import Iterator

import pytest

from vj.errors import ScreenError
from vj.render.window import HeadlessWindow


def offscreen(size: tuple[int, int]) -> Iterator[HeadlessWindow]:
    """Yields one, (width, height) px: what a fixture yields from."""
    try:
        made = HeadlessWindow(size)
    except ScreenError as error:
        pytest.skip(f"no OpenGL at all: {error}")
    with made:
        yield made
