"""What can go wrong in a way that an operator can mend. Each message says what happened and what to do.

Anything that is not a VJError is a bug and may show its traceback.
"""


class VJError(Exception):
    """One sentence to the operator: what happened, what to do. The command line prints it and exits with 2."""


class FootageError(VJError):
    """Footage that cannot be read or learnt from."""


class WeightsError(VJError):
    """A weights file that is damaged, hostile, or made for another network."""


class SoundError(VJError):
    """A sound file or a sound device that cannot be used."""


class ScreenError(VJError):
    """No display, no such monitor, or no usable OpenGL."""


class MidiError(VJError):
    """No such MIDI port, or a knob table that cannot be read."""


class FilmError(VJError):
    """A film that cannot be written: no room, no such folder, no encoder."""
