"""The small commands: learn, footage, judge and devices. Each takes what the command line said, and prints."""

import json
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
import rich

from vj import midi, opening, weights
from vj.audio import demo_music
from vj.audio import source as sounds
from vj.audio.ahead import FUTURE, follow, look_ahead
from vj.audio.features import FeatureExtractor
from vj.audio.files import SoundFile
from vj.controls import SoundTable
from vj.errors import FilmError, WeightsError
from vj.model import device
from vj.model.generator import Generator
from vj.model.speed import fitting_size, frame_seconds, half_the_threads
from vj.render import window
from vj.settings import Settings, upscaler_beside, upscaler_weights
from vj.settings import table as read_table
from vj.signals import Controls, Knobs
from vj.train import chart, music, upscale
from vj.train import footage as footages
from vj.train import judge as judging
from vj.train import learn as learning

PREVIEW = (4, 2)  # columns and rows of the preview's frames
PREVIEW_EVERY, PREVIEW_STAYS = 8, 16  # model frames from one to the next, and in one scene
KEPT = 20.0  # s from one kept copy of the weights to the next
MUSIC_SECONDS = 90.0  # of a piece that is played to be judged
DRUMS = {"KD": "kick", "SD": "snare", "HH": "hat", "CY": "hat", "RC": "hat", "kick": "kick", "snare": "snare", "hat": "hat"}
UPSCALING = 0.06  # share of the time that goes to the upscaler
SEVERAL = 0.4  # effort of judging each of several weights


def _model_size(asked: tuple[int, int] | str | None, sources: list[Path]) -> tuple[int, int]:
    """(width, height) px: as asked, as measured ("auto"), as prepared, else the usual."""
    if asked == "auto":
        return fitting_size(device.pick())
    if asked is None and len(sources) == 1 and (sources[0] / "card.json").is_file():
        card = footages.load(sources[0]).card
        return card.width, card.height
    return asked or (Settings().width, Settings().height)


def learn(sources: list[Path], out: Path, size: tuple[int, int] | str | None, minutes: float | None, steps: int | None,
          begin: Path | None, resume: bool, seed: int, keep: Path | None = None, only: str = "") -> None:  # fmt: skip
    """Trains weights and shows how they fare: a line and a preview PNG beside the weights at every tenth of the way.

    The learnt upscaler learns from the same footage's large pictures; where it gets better it is written beside them.
    only: one of trainer.ONLY; it needs weights to refine.
    keep: a folder for a copy of the weights every KEPT seconds, for `vj judge FOLDER --plot`.
    """
    out = out if out.suffix == ".safetensors" else out.with_name(out.name + ".safetensors")
    if not out.parent.is_dir():
        raise WeightsError(f"There is no folder {out.parent} for the weights: make it or choose another place.")
    if resume and not out.is_file():
        raise WeightsError(f"There is nothing to resume: {out} does not exist. Leave --resume out.")
    if keep is not None:
        try:
            keep.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise WeightsError(f"The folder {keep} cannot be made: choose another place.") from error
    if only and begin is None and not resume:
        raise WeightsError(f"--only {only} refines weights: name them with --from, or --resume.")
    first = weights.read(out if resume else begin) if resume or begin else None
    width, height = (first[0].width, first[0].height) if first else _model_size(size, sources)
    prepared = opening.footage_of(sources, height, width)
    seconds = None if steps else 60 * (minutes or 10)
    words = f"--steps {steps}" if steps else f"--minutes {(minutes or 10):g}"
    recipe = f"vj learn {' '.join(map(str, sources))} -o {out.name} {words} --seed {seed}"
    recipe += f" --from {begin}" * bool(begin) + f" --only {only}" * bool(only)
    compute = device.pick()
    half_the_threads()
    with opening.bar(out.name) as tell:
        seen, kept = [None], [time.monotonic()]
        upscaling = Upscaling(prepared, out, upscaler_weights(begin or (out if resume else None)), seed)

        def progress(share: float, learner: learning.Learner, check: learning.Check) -> None:
            tell(share, f"loss {learner.loss:.3f}, step {learner.steps}, skill {check.skill:+.1f} dB")
            if keep is not None and time.monotonic() >= kept[0] + KEPT:
                kept[0] = time.monotonic()
                weights.write(keep / f"{learner.steps:06d}.safetensors", *learner.publishable(check))
            if check is not seen[0]:
                seen[0] = check
                _preview(learner.publishable(check), out.with_suffix(".png"), compute)
                upscaling.turn()

        check = learning.learn(
            footages.load(prepared), out, steps=steps, seconds=seconds, clock=time.monotonic, weights=first,
            resume=resume, seed=seed, device=compute, recipe=recipe, source=", ".join(s.name for s in sources),
            progress=progress, only=only,
        )  # fmt: skip
    print(f"{out}: {weights.read(out)[0].step} steps, skill {check.skill:+.1f} dB over copying the last frame, "
          f"sharpness {check.sharpness:.2f}; preview {out.with_suffix('.png')}")  # fmt: skip
    if upscaling.said:
        print(upscaling.said)


class Upscaling:
    """The upscaler's lessons between those of the network."""

    def __init__(self, prepared: Path, out: Path, begin: Path, seed: int):
        """prepared: footage; out: the network's weights; begin: the upscaler's to go on from."""
        self._path, self._learns = upscaler_beside(out), upscale.FineTuner.of(prepared, begin, seed)
        self._began, self._spent, self.said = time.monotonic(), 0.0, ""

    def turn(self) -> None:
        """As many steps as its share of the time so far has room for. Raises WeightsError where it cannot be written."""
        while self._learns is not None and self._spent < UPSCALING * (time.monotonic() - self._began):
            before = time.monotonic()
            better = self._learns(20)
            if better is not None:
                upscale.write(self._path, better, {"steps": self._learns.trainer.steps})
                gain = self._learns.best - self._learns.first
                self.said = f"{self._path}: {gain:+.2f} dB in upscaling pictures held back"
            self._spent += time.monotonic() - before


def _preview(made: tuple[weights.Card, dict], path: Path, compute: str) -> None:
    """What these weights imagine, a few frames apart, as a PNG."""
    generator = Generator(*made, compute)
    columns, rows = PREVIEW
    frames = []
    for number in range(columns * rows * PREVIEW_EVERY):
        frame = generator.step(Controls())
        if number % PREVIEW_EVERY == 0:
            frames.append(frame.view.lay_back(frame.pixels))
        if number % PREVIEW_STAYS == PREVIEW_STAYS - 1:
            generator.cut()
    sheet = np.concatenate([np.concatenate(frames[row * columns :][:columns], 1) for row in range(rows)])
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
        raise FilmError(f"The preview {path} cannot be written: free some room or choose another place.")


def footage(sources: list[Path], out: Path, size: tuple[int, int] | str | None, view: str | None = None,
            fine: bool = False) -> None:  # fmt: skip
    """Prepares footage and says what is in it, and what was left out and why.

    size: (width, height) px. view: one of vj.view.KINDS or "passing", None: as it goes. fine: for `vj learn --only finer`.
    """
    width, height = _model_size(size, [])
    card = opening.prepare(sources, out, height, width, view, fine)
    print(f"{out}: {card.count} frames of {card.width}x{card.height} in {len(card.clips)} clips, {card.fps:g} a second")
    for sentence in card.left_out:
        print(f"  note: {sentence}")
    print(f"  contact sheet: {out / 'sheet.png'}")


def judge(names: list[str], footage: Path | None, frames: int, as_json: bool, plot: Path | None = None,
          piece: Path | None = None, drums: Path | None = None) -> None:  # fmt: skip
    """Measures weights on the held-back part of footage, and writes a contact sheet of what they imagine.

    piece: only whether they play this piece, whose drums stand in the file `drums` ("demo": our own piece). Of several
    weights (files, or folders of them) `plot` draws how they come on; the sheet and the table are the last's.
    """
    paths = [path for name in names for path in _weights_files(name)]
    reports = []
    for path in paths:
        card, tensors = weights.read(path)
        prepared = footages.load(opening.ready_footage(footage, card.height, card.width))
        if piece is not None:
            reports.append(_judge_music(path, card, tensors, prepared, piece, drums))
            continue
        with opening.bar(path.name) as tell:
            reports.append(judging.judge(card, tensors, prepared, frames, tell, 1.0 if len(paths) == 1 else SEVERAL))
        if not as_json and len(paths) > 1:
            print(f"{path.name}: step {card.step}, {_in_short(reports[-1])}")
    report = max(reports, key=lambda those: those.about["step"])
    sheet = Path(f"{paths[reports.index(report)].stem}-judged.png")
    try:
        report.write_sheet(sheet)
    except OSError as error:
        raise FilmError(f"The contact sheet {sheet} cannot be written here: go to a folder of yours.") from error
    if plot is not None and not cv2.imwrite(str(plot), cv2.cvtColor(chart.draw(reports), cv2.COLOR_RGB2BGR)):
        raise FilmError(f"The chart {plot} cannot be written: give a name that ends in .png, in a folder of yours.")
    if as_json:
        several = {"updates": [one.as_dict() for one in reports]} if len(reports) > 1 else {}
        print(json.dumps({**report.as_dict(), **several, "sheet": str(sheet)}, indent=1))
    else:
        rich.print(report.table())
        print(f"contact sheet: {sheet}" + (f"; chart: {plot}" if plot else ""))


def _judge_music(path: Path, card, tensors, prepared, sound: Path, drums: Path | None) -> judging.Report:
    """How well the weights play a piece, heard in advance as in a film: every control that it tells, against what enters."""
    settings = Settings()
    demo = str(sound) == "demo"
    sound = opening.sound_file(settings) if demo else sound
    if drums is None and not demo:
        raise WeightsError("Say when the drums of that piece sound: --drums FILE, a line each: seconds, and KD, SD or HH.")
    times = demo_music.make()[1] if demo else read_drums(drums)
    mapping, table = opening.mapping(read_table(settings.table), card), []
    ear = FeatureExtractor(settings.rate, settings.hop)
    with SoundFile(sound, settings.rate) as opened:
        seconds = min(opened.seconds, MUSIC_SECONDS)
        follow(ear, look_ahead(sound, seconds=seconds + FUTURE))
        heard = np.concatenate([block.mean(1) for block in opened.stereo_blocks(settings.rate)])
    ends = (np.arange(1, max(int(seconds * card.fps), 2)) * settings.rate / card.fps).astype(int)
    for samples in np.split(heard[: ends[-1]], ends[:-1]):
        table.append(mapping.turn(ear.feed(samples), Knobs(), 1 / card.fps).vector())
    bands = SoundTable.parse(read_table(settings.table)).entries
    frames = {bands[name]: np.unique(np.asarray(those) * card.fps // 1) for name, those in times.items() if name in bands}
    with opening.bar(path.name) as tell:
        found = music.judge_music(Generator(card, tensors), judging.reference_of(prepared), np.array(table), frames, tell)
    about = {"title": f"{path.name} plays {sound.name}, heard in advance as vj render hears it", "step": card.step}
    return judging.Report(tuple(found.figures), judging.sheet(found.pictures), about)


def read_drums(path: Path) -> dict[str, list[float]]:
    """{kick, snare, hat: times in s} from lines of a time and a class (KD, SD, HH, or the words). Raises FilmError."""
    times: dict[str, list[float]] = {}
    try:
        for line in path.read_text("utf-8").splitlines():
            words = line.split()
            if len(words) >= 2 and words[1] in DRUMS:
                times.setdefault(DRUMS[words[1]], []).append(float(words[0]))
    except (OSError, ValueError) as error:
        raise FilmError(f"The drums {path} cannot be read: each line is a time in seconds and KD, SD or HH.") from error
    if not times:
        raise FilmError(f"{path} names no drums: each line is a time in seconds and KD, SD or HH.")
    return times


def _weights_files(name: str) -> list[Path]:
    """A weights file, or all in a folder, by name."""
    if not Path(name).is_dir():
        return [opening.weights_file(name)]
    others = (".progress.safetensors", ".upscaler.safetensors")
    found = sorted(path for path in Path(name).glob("*.safetensors") if not path.name.endswith(others))
    if not found:
        raise WeightsError(f"The folder {name} holds no weights: `vj learn --keep {name}` fills it.")
    return found


def _in_short(report: judging.Report) -> str:
    shown = ("skill.told", "sharpness.100.gradient", "sharpness.1000.gradient", "timing.all")
    known = {figure.key: figure.value for figure in report.figures}
    return ", ".join(f"{key} {known[key]:.2f}" for key in shown if known.get(key) is not None)


def devices() -> None:
    """Everything that an option can name."""
    sound = sounds.devices()
    for title, names, option in (
        ("monitors", window.monitors(), "--monitor"),
        ("sound inputs", sound.inputs, "--line-in"),
        ("sound outputs", sound.outputs, ""),
        ("MIDI ports", midi.ports(), "--midi"),
    ):
        print(f"{title}{f' ({option})' if option else ''}:")
        print("".join(f"  {name}\n" for name in names) or "  none\n", end="")
    print("compute (--device):")
    for name in device.available():
        print(f"  {name}: {device.describe(name)}")
    settings = Settings(learn=False)
    generator = opening.generator(settings, opening.begin(settings))
    seconds = statistics.median(frame_seconds(generator))
    height, width = generator.size
    print(f"  a model frame of {width}x{height} takes {seconds * 1e3:.1f} ms on {generator.device}")
