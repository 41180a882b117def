"""Before the first picture: from the words of the settings to weights, footage, a generator and sound.

What `vj play` and `vj render` have in common. Everything is checked here, while an error is still one sentence.
"""

import contextlib
import glob
import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from vj import weights
from vj.audio import demo_music
from vj.audio.source import FilePlayer, LineIn
from vj.controls import Mapping, SoundTable
from vj.cuts import Cuts, CutTable
from vj.errors import FootageError, WeightsError
from vj.model import device, speed
from vj.model.generator import Generator
from vj.settings import Settings, data_folder, demo_footage, last_weights, starter_weights, upscaler_weights
from vj.train import footage as footages
from vj.train import learn, upscale

log = logging.getLogger("vj")


@dataclass(frozen=True)
class Start:
    """What a show starts with."""

    card: weights.Card
    tensors: dict
    path: Path  # of these weights
    footage: Path | None  # prepared; None: nothing to learn from
    sources: tuple[Path, ...] = ()  # what that folder is still to be prepared from, if it is not there


def begin(settings: Settings, wait: bool = True) -> Start:
    """Weights and footage. Raises VJError. Unless told to wait, the demo's footage is left for the trainer to prepare."""
    path = None if settings.from_scratch else weights_file(settings.weights)
    card, tensors = weights.read(path) if path else (None, {})
    height, width = (card.height, card.width) if card else (None, None)
    prepared, sources = None, ()
    if not wait and settings.learn and settings.footage is None and card is not None and demo_footage():
        sources = tuple(demo_footage())
        prepared = _folder("demo", list(sources), height, width)
    elif settings.learn or settings.from_scratch:
        try:
            prepared = ready_footage(settings.footage, height, width)
        except FootageError as error:
            if settings.footage is not None or settings.from_scratch:
                raise
            log.warning("nothing is learnt: %s", error)
    if card is None:
        path = data_folder("weights") / "scratch.safetensors"
        opened = footages.load(prepared)
        nothing = learn.Learner(opened, learn.start(opened, seed=settings.seed), recipe="nothing learnt yet")
        weights.write(path, *nothing.publishable())
        card, tensors = weights.read(path)
    return Start(card, tensors, path, prepared, sources)


def cued(settings: Settings, start: Start) -> list[tuple[Path, tuple[Path, ...]]]:
    """What Worker.switch wants of each footage of the show: the first one, then each of --then. Raises FootageError."""
    if not settings.then:
        return []
    if start.footage is None:
        raise FootageError("--then gives footage to learn from, and nothing is learnt here: leave --no-learn out.")
    found, size = [(start.footage, start.sources)], (start.card.height, start.card.width)
    for cue in settings.then:
        if (cue.path / "card.json").is_file() or not cue.path.exists():
            found.append((ready_footage(cue.path, *size), ()))
        else:  # the trainer prepares it when its turn comes
            found.append((_folder(cue.path.stem, [cue.path], *size), (cue.path,)))
    return found


def weights_file(name: str | None) -> Path:
    """None: the starter weights; "last": what the last show learnt; else a file. Raises WeightsError."""
    if name is None:
        return starter_weights()
    if name == "last":
        if not last_weights().is_file():
            raise WeightsError("No show has learnt anything yet: play one first, or leave --weights out.")
        return last_weights()
    return Path(name)


def ready_footage(path: Path | None, height: int | None = None, width: int | None = None) -> Path:
    """A prepared folder of this size: given as such, or made from a video or a folder and kept; None: the demo's.

    Without a size a prepared folder is taken as it is. Raises FootageError.
    """
    if path is None:
        return _kept("demo", demo_footage(), height, width)
    if (path / "card.json").is_file():
        card = footages.load(path).card
        if height is not None and (card.height, card.width) != (height, width):
            raise FootageError(
                f"{path} was prepared at {card.width}x{card.height}, the weights want {width}x{height}: "
                "give the videos themselves, or prepare them with --size."
            )
        return path
    if not path.exists():
        raise FootageError(f"There is no footage {path}: give a video or a folder that exists.")
    return _kept(path.stem, [path], height, width)


def footage_of(sources: list[Path], height: int, width: int) -> Path:
    """As ready_footage, for one source or several."""
    if len(sources) == 1:
        return ready_footage(sources[0], height, width)
    for source in sources:
        if not source.exists():
            raise FootageError(f"There is no footage {source}: give videos or folders that exist.")
    return _kept(sources[0].stem, sources, height, width)


def _kept(name: str, sources: list[Path], height: int | None, width: int | None) -> Path:
    """What was prepared from these sources before, or is prepared now."""
    height, width = height or Settings().height, width or Settings().width
    if not sources:
        raise FootageError("The demo footage is missing: install the program again, or give --footage.")
    folder = _folder(name, sources, height, width)
    if not (folder / "card.json").is_file():
        prepare(sources, folder, height, width)
    return folder


def prepare(sources: list[Path], out: Path, height: int, width: int, view: str | None = None,
            fine: bool = False) -> footages.FootageCard:  # fmt: skip
    """Prepares footage with a progress bar."""
    with bar("footage") as tell:
        return footages.prepare(sources, out, height, width, tell, view, fine)


@contextlib.contextmanager
def bar(name: str) -> Iterator[Callable[[float, str], None]]:
    """A progress bar with the time left, on standard error: tell(share done 0..1, what is done now)."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:3.0f} %"),
               TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[what]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=4) as bars:
        task = bars.add_task(name, total=1.0, what="")
        yield lambda share, what: bars.update(task, completed=share, what=what)


def _folder(name: str, sources: list[Path], height: int, width: int) -> Path:
    """Where what is prepared from these sources is kept. What an older state of them left there goes."""
    home, start = data_folder("footage"), f"{name}-{width}x{height}-"
    folder = home / f"{start}{_mark(sources)}"
    for old in home.glob(f"{glob.escape(start)}????????"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def _mark(sources: list[Path]) -> str:
    """Eight letters that change when the footage does, or the way in which it is prepared."""
    files = [file for source in sources for file in (sorted(source.iterdir()) if source.is_dir() else [source])]
    stamps = [(str(file.resolve()), file.stat().st_size, int(file.stat().st_mtime)) for file in files]
    return hashlib.sha256(repr((footages.STATE, *stamps)).encode()).hexdigest()[:8]


def generator(settings: Settings, start: Start) -> Generator:
    """On the device asked for, seeded."""
    speed.one_thread()
    return Generator(start.card, start.tensors, device.pick(settings.device), settings.seed)


class OfflineLearner:
    """Learns so many steps when told, and gives what may be shown: for a film, where learning goes by the show's time."""

    def __init__(self, settings: Settings, start: Start):
        opened, self._card = footages.load(start.footage), start.card
        net = learn.start(opened, (start.card, start.tensors), settings.seed)
        step = start.card.step
        config = learn.going_on(net, step, learn.adopt_footage(net, opened)) if step else None
        self._learner = learn.Learner(opened, net, config, device.pick(settings.device), seed=settings.seed, step=step)
        self._gate, self._version = learn.Gate(), 0
        self._upscaler: Path | dict = upscaler_weights(start.path)
        self._sharper = upscale.FineTuner.of(start.footage, self._upscaler, settings.seed)

    def switch(self, folder: Path, sources: tuple[Path, ...]) -> None:
        """Goes on with other footage, prepared first where it has to be."""
        if sources and not (folder / "card.json").is_file():
            prepare(list(sources), folder, self._card.height, self._card.width)
        self._learner, self._gate = learn.switched(self._learner, footages.load(folder), str(folder)), learn.Gate()
        self._sharper = upscale.FineTuner.of(folder, self._upscaler)

    def upscaler(self, steps: int) -> list | None:
        """Layers of the upscaler after so many more steps, None where they are no better."""
        better = self._sharper(steps) if self._sharper is not None else None
        if better is None:
            return None
        self._upscaler = better
        return list(upscale.layers(better))

    def __call__(self, steps: int) -> tuple[weights.Card, dict] | None:
        """The next version, or None where it is worse than those before, or neither one world nor the other."""
        self._learner.run(steps)
        check = self._learner.check()
        if not (self._learner.may_show and self._gate.passes(check)):
            return None
        self._version += 1
        card, tensors = self._learner.publishable(check)
        return replace(card, version=self._version), tensors


def learner(settings: Settings, start: Start) -> OfflineLearner | None:
    """None where nothing is to be learnt."""
    wanted = settings.learn and settings.steps_per_update and start.footage is not None
    return OfflineLearner(settings, start) if wanted else None


def mapping(table: dict, card: weights.Card) -> Mapping:
    return Mapping(SoundTable.parse(table), card.fps)


def cuts(table: dict) -> Cuts:
    return Cuts(CutTable.parse(table))


def upscaler(path: Path) -> list | None:
    """Weights of the learnt upscaler's layers; None, and a line in the log, where the file is none that fits."""
    try:
        return list(upscale.layers(upscale.read(path)))
    except WeightsError as error:
        log.warning("%s", error)
        return None


def sound_file(settings: Settings) -> Path:
    """The sound to play; the demo music is made at its first use, and anew by a program that makes another."""
    if settings.sound is not None:
        return settings.sound
    made_by = hashlib.sha256(Path(demo_music.__file__).read_bytes()).hexdigest()[:8]
    path = data_folder("demo") / f"music-{made_by}.flac"
    return path if path.is_file() else demo_music.write(path)


def sound_name(settings: Settings) -> str:
    """For the display."""
    if settings.line_in is not None:
        return settings.line_in or "line-in"
    return settings.sound.name if settings.sound is not None else "demo music"


def source(settings: Settings) -> LineIn | FilePlayer:
    """What is heard live."""
    if settings.line_in is not None:
        return LineIn(settings.line_in or None, settings.rate, settings.channels)
    return FilePlayer(sound_file(settings), rate=settings.rate, loop=True)
