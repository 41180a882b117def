"""Every number a person may turn, on one page; and where things lie. Imports nothing of ours but the errors.

Only the roots (cli, live, offline, opening, bench) read this; everybody else is told what they need.
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from vj.cues import Cue
from vj.errors import VJError

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Settings:
    """One show. The command line replaces fields; None is 'choose by yourself'."""

    # sound
    sound: Path | None = None  # a file; None: the demo music
    line_in: str | None = None  # name of a sound input, "" the default one; None: play the file
    channels: tuple[int, ...] | None = None  # of that input, counted from 1; None: the first two
    trim: float = 0.0  # dB by which what comes is lifted before it is heard
    rate: int = 48000  # Hz at which the program hears
    hop: int = 480  # samples between two features: 10 ms

    # picture
    monitor: str | None = None  # name, or a part of it
    fullscreen: bool = False
    unplugged: str = "hide"  # or "move": what a full screen does whose monitor has gone
    window: tuple[int, int] | None = (1280, 720)  # px; None: no window at all, drawn headless
    display_rates: tuple[float, ...] = (144, 120, 60, 50, 30, 25, 20)  # pictures a second to choose from
    display_share: float = 0.5  # of a picture's time that drawing may take; no faster display is chosen
    soft_share: float = 0.35  # likewise where OpenGL is software, which takes its time from the network
    soft_rate: float = 30.0  # pictures a second that better upscaling may bring it down to there
    upscaler: str = "auto"  # or one of render.screen.UPSCALERS
    detail: bool = True  # pictures twice as large as the network's own, where that costs no pictures
    look: int = 1
    limited: bool = True  # never more than three flashes a second

    # film
    film: Path | None = None
    film_size: tuple[int, int] = (1280, 720)  # px
    film_fps: float = 30.0
    record: Path | None = None  # film of a live show
    record_fps: float = 30.0

    # network
    weights: str | None = None  # a file, or "last"; None: the starter weights
    from_scratch: bool = False
    seed: int = 0
    device: str = "auto"
    slow_rates: tuple[float, ...] = (30, 25, 20, 15)  # model frames a second to choose from, on a CPU
    fast_rates: tuple[float, ...] = (60, 50, 40, 30, 25, 20, 15)  # on a GPU
    model_share: float = 0.26  # of a model frame's time that the network may take
    soft_model_share: float = 0.23  # likewise where OpenGL is software: more frames there make light answer late
    fade_seconds: float = 1.0  # from old weights to new ones

    # learning
    learn: bool = True
    footage: Path | None = None  # a video, a folder, or prepared footage; None: the demo footage
    then: tuple[Cue, ...] = ()  # footage to go over to in mid-show
    seconds_per_update: float = 20.0
    steps_per_update: int = 60  # offline, where learning goes by the show's time
    upscaling_steps: int = 60  # of the learnt upscaler at each of those
    height: int = 96  # px of footage prepared for a network that has no size yet
    width: int = 160

    # hands
    midi: str | None = None  # name of a port; None: the first there is
    table: Path | None = None  # changes to vj/table.toml

    # the whole
    seconds: float | None = None  # length of the show; None: until it is quit, or the end of the sound
    trace: Path | None = None
    log_seconds: float = 10.0  # between two lines in the log


# ---------------------------------------------------------------------------------------------- where things lie
def packed(name: str) -> Path:
    """The folder `shaders` or `models`: beside the package in a checkout, inside it when installed."""
    beside = HERE.parent / name
    return beside if beside.is_dir() and (HERE.parent / "pyproject.toml").is_file() else HERE / f"_{name}"


def data_folder(*parts: str) -> Path:
    """Where what a show learns, prepares and logs lives, made if need be. VJ_DATA names another place."""
    root = os.environ.get("VJ_DATA")
    folder = Path(root) if root else platformdirs.user_data_path("vj", appauthor=False)
    folder = folder.joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise VJError(f"Cannot make the folder {folder}: {error.strerror}. Set VJ_DATA to another.") from error
    return folder


def starter_weights() -> Path:
    return packed("models") / "starter.safetensors"


def demo_footage() -> list[Path]:
    """What the starter weights learnt from, and go on learning from if nothing else is given."""
    return sorted(packed("models").glob("demo_fields.mp4"))


def demo_videos() -> list[Path]:
    """All of the demo's."""
    return sorted(packed("models").glob("demo_*.mp4"))


def last_weights() -> Path:
    """What the last show learnt: `--weights last`."""
    return data_folder("weights") / "last.safetensors"


def upscaler_weights(weights: Path | None = None) -> Path:
    """Of the learnt upscaler: those that were learnt together with these weights, else those that came with the program."""
    own = None if weights is None else upscaler_beside(weights)
    return own if own is not None and own.is_file() else packed("models") / "upscaler.safetensors"


def upscaler_beside(weights: Path) -> Path:
    """Where an upscaler lies that was learnt together with these weights."""
    return weights.with_suffix(".upscaler.safetensors")


def last_upscaler() -> Path:
    """What the last show learnt of upscaling."""
    return upscaler_beside(last_weights())


def outputs_file() -> Path:
    """How each monitor was set up: corners, colours, turn."""
    return data_folder() / "outputs.json"


def log_file() -> Path:
    return data_folder("log") / "vj.log"


# ------------------------------------------------------------------------------------------------------ the table
def table(path: Path | None = None) -> dict:
    """What music and hands do: vj/table.toml, with a user's lines in their place. Raises VJError."""
    whole = _read_toml(HERE / "table.toml")
    if path is not None:
        _lay_over(whole, _read_toml(path), "", path)
    return whole


def _read_toml(path: Path) -> dict:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise VJError(f"Cannot read the table {path}: {error.strerror}. Copy vj/table.toml and change it.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VJError(f"The table {path} is not TOML ({error}): mend that line.") from error


def _lay_over(whole: dict, part: dict, where: str, path: Path) -> None:
    """Writes part over whole. Names that the default table does not have are mistakes, but for MIDI controllers."""
    for name, value in part.items():
        here = f"{where}.{name}" if where else name
        if where.startswith("midi.controller"):
            whole[name] = value
        elif name not in whole:
            raise VJError(f"The table {path} sets {here}, which there is not: compare vj/table.toml.")
        elif isinstance(whole[name], dict) and isinstance(value, dict):
            _lay_over(whole[name], value, here, path)
        elif isinstance(whole[name], dict) or isinstance(value, dict):
            raise VJError(f"The table {path} gives {here} the wrong kind of value: compare vj/table.toml.")
        else:
            whole[name] = value
