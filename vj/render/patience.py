"""Waits for the drawing to end, and lets other threads work meanwhile.

Whatever asks moderngl for pixels waits inside it with Python's lock held: the network and the ear then stand still for as
long as a picture is drawn. So wait here first; what is asked for then is there at once.
"""

import ctypes
import platform
from collections.abc import Callable

import moderngl

LIBRARIES = {
    "Linux": ("libGL.so.1", "libOpenGL.so.0"),
    "Darwin": ("/System/Library/Frameworks/OpenGL.framework/OpenGL",),
    "Windows": ("opengl32",),
}


def _native() -> Callable[[], object] | None:
    """glFinish of the system's OpenGL, of whatever context is current; None where it is not found."""
    for name in LIBRARIES.get(platform.system(), ()):
        try:
            found = ctypes.CDLL(name).glFinish  # ctypes lets go of the lock while it calls
        except (OSError, AttributeError):
            continue
        found.argtypes, found.restype = (), None
        return found
    return None


NATIVE = _native()


def finish(context: moderngl.Context) -> None:
    """Comes back when all that this context, which is current in this thread, was told to draw is drawn."""
    if NATIVE is not None:
        NATIVE()
    else:
        context.finish()
