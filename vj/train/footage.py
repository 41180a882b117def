"""Videos or folders of pictures -> one prepared folder: frames.bin, controls.npy, card.json, sheet.png, large/ (run once).

Cuts at scene changes, turns everything right to left, takes off black borders, fits the model's size, drops repeated
frames, measures what the network will be told, and says what it left out. Knows no network.
"""

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np

from vj.errors import FootageError
from vj.signals import CONTROL_NAMES
from vj.train import large as pictures
from vj.train import measure, scenes
from vj.train.fine_frames import PLACES, TIMES, FineFrames, Keeper, shrunk
from vj.train.scenes import Scene
from vj.train.sources import Source, find, open_all, slowed
from vj.view import View

STATE = 4  # of this program: what another one has prepared and kept is prepared anew
LEAST_SECONDS, GOOD_SECONDS = 1.0, 3.0  # of all clips together: less is refused, less is mentioned
LEAST_FRAMES = 10  # between two cuts
REPEATS = 3  # so many equal frames in a row are a fault of the film; more are a halt
SAME = 0.25 / 255  # mean |difference| of equal frames; where frames differ much, coding leaves more in equal ones
LEAP = 2 / 255  # the least that moving on after a repeated frame changes; less is a train that comes to rest
USUAL = ("brightness_mean", "brightness_spread", "warmth_mean", "warmth_spread")  # of what is usual, the light
SLOW = 0.6  # px a frame: slower footage is thinned out


@dataclass(frozen=True, slots=True)
class FootageCard:
    """What a prepared folder holds. clips: {name, start, stop, scene}; usual and motions: see vj.train.measure.

    view: {kind, x, y} of vj.view.View, how pictures are laid out here and are to be laid back; empty: as they are.
    scenes: {view, usual} of each, where they are unlike: then the view is the first one's; empty: all is one scene.
    """

    height: int
    width: int
    fps: float
    count: int
    clips: list[dict]
    left_out: list[str]
    usual: dict
    motions: list[list[float]]
    view: dict = field(default_factory=dict)
    scenes: list[dict] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Footage:
    """A prepared folder, opened."""

    card: FootageCard
    frames: np.ndarray  # uint8 (N, H, W, 3) RGB, a memmap
    controls: np.ndarray  # float32 (N, 6): how frame t is reached from t - 1, in the order of CONTROL_NAMES
    fine: FineFrames | None = None  # the frames twice as large, if they were kept

    @property
    def clips(self) -> list[tuple[int, int]]:
        return [(clip["start"], clip["stop"]) for clip in self.card.clips]

    @property
    def scenes(self) -> list[Scene]:
        """One, or those of the card."""
        found = []
        for number, scene in enumerate(self.card.scenes or [{"view": self.card.view, "usual": self.card.usual}]):
            clips = tuple((clip["start"], clip["stop"]) for clip in self.card.clips if clip.get("scene", 0) == number)
            found.append(Scene(View(**scene["view"]), clips, tuple(float(scene["usual"][name]) for name in USUAL)))
        return found

    @property
    def as_shows_are_told(self) -> np.ndarray:
        """The controls as a show is told them, float32 (N, 6): light in the scale of each scene's own, not of all footage."""
        controls = self.controls.copy()
        for scene in self.scenes if self.card.scenes else ():
            mean, spread = np.array(scene.usual[::2]), np.array(scene.usual[1::2])
            for at in (at for start, stop in scene.clips for at in range(start, stop)):
                controls[at, 4:6] = (np.array(measure.light(self.frames[at])) - mean) / (2 * spread)
        controls[:, 4:6] = controls[:, 4:6].clip(-1, 1)
        return controls

    def of_scene(self, number: int) -> "Footage":
        """That scene alone, as if there were no other; in memory."""
        scene, clips = self.scenes[number], [clip for clip in self.card.clips if clip.get("scene", 0) == number]
        index = np.concatenate([np.arange(start, stop) for start, stop in scene.clips])
        ends = np.cumsum([stop - start for start, stop in scene.clips])
        clips = [{**clip, "start": int(end) - (clip["stop"] - clip["start"]), "stop": int(end), "scene": 0}
                 for clip, end in zip(clips, ends, strict=True)]  # fmt: skip
        usual = self.card.scenes[number]["usual"] if self.card.scenes else self.card.usual
        card = replace(self.card, count=len(index), clips=clips, usual=usual, view=_as_dict(scene.view), scenes=[])
        return Footage(card, np.asarray(self.frames[index]), self.as_shows_are_told[index])


@dataclass(slots=True)
class _Take:
    """Frames of one source between two cuts, and what was measured on the way."""

    name: str
    start: int
    stop: int
    steps: list


def prepare(
    sources: list[Path],
    out: Path,
    height: int = 96,
    width: int = 160,
    progress: Callable[[float, str], None] | None = None,
    view: str | None = None,
    fine: bool = False,
) -> FootageCard:
    """Prepares all sources (videos, folders of pictures, folders of videos) into the folder `out`.

    progress is told (share done 0..1, what is done now). view: one of vj.view.KINDS or "passing"; None: as the footage
    goes. fine: its frames are kept twice as large, too. `out` is written aside and renamed: whole or not at all; an
    older prepared folder there is replaced. Raises FootageError if nothing usable is left or `out` is something else.
    """
    out = Path(out)
    if out.exists() and not (out.is_dir() and ((out / "card.json").is_file() or not any(out.iterdir()))):
        raise FootageError(f"{out} exists and is no prepared footage: choose another folder or remove it.")
    tell = progress or (lambda share, what: None)
    found, left_out = find(sources)
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        aside.mkdir(parents=True)
        card = _prepare(found, left_out, aside, (height, width), view, tell, fine)
        _swap(aside, out)
    except OSError as error:
        raise FootageError(f"{out} cannot be written ({(error.strerror or str(error)).lower()}): free some room or choose "
                           "another folder.") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    tell(1.0, f"{card.count} frames in {len(card.clips)} clips")
    return card


def load(folder: Path) -> Footage:
    """Opens a prepared folder. Raises FootageError if it is none or is damaged."""
    folder = Path(folder)
    try:
        card = FootageCard(**json.loads((folder / "card.json").read_text("utf-8")))
        shape = (card.count, card.height, card.width, 3)
        if (folder / "frames.bin").stat().st_size != int(np.prod(shape)):
            raise ValueError("frames.bin has another size than its card says")
        frames = np.memmap(folder / "frames.bin", np.uint8, "r", shape=shape)
        controls = np.load(folder / "controls.npy", allow_pickle=False)
        if controls.shape != (card.count, len(CONTROL_NAMES)) or not np.isfinite(controls).all():
            raise ValueError("controls.npy does not fit its card")
        large_frames = FineFrames(folder, card.count, shape[1:3]) if (folder / PLACES).is_file() else None
        footage = Footage(card, frames, np.asarray(controls, np.float32), large_frames)
        if any(not scene.clips for scene in footage.scenes):
            raise ValueError("a scene has no clips")
    except FileNotFoundError:
        raise FootageError(f"{folder} is no prepared footage: make it with `vj footage VIDEO... -o {folder}`.") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FootageError(f"The prepared footage {folder} is damaged ({error}): make it again with `vj footage`.") from None
    return footage


def _without_repeats(frames: Iterator[np.ndarray]) -> Iterator[tuple[np.ndarray, int]]:
    """(frame, how many were dropped before it): short runs of equal frames are passed over, long ones are a halt."""
    last, waiting, usual = None, [], 0.0
    for frame in frames:
        change = cv2.norm(frame, last, cv2.NORM_L1) / frame.size / 255 if last is not None else 1.0
        same = change < max(SAME, min(0.03 * usual, 3 * SAME))
        if not same and last is not None:
            usual = 0.8 * usual + 0.2 * change if usual else change
        if same and len(waiting) <= REPEATS:
            waiting.append(frame)
            if len(waiting) > REPEATS:
                yield from ((f, 0) for f in waiting)
            continue
        dropped = len(waiting) if not same and len(waiting) <= REPEATS and change > LEAP else 0
        if not same:
            if 0 < len(waiting) <= REPEATS and not dropped:  # all but still: it goes on gently
                yield from ((f, 0) for f in waiting)
            waiting = []
        last = frame
        yield frame, dropped


# ---------------------------------------------------------------------------------------------------------- preparing
def _prepare(found, left_out, folder: Path, size: tuple[int, int], asked: str | None, tell, fine: bool) -> FootageCard:
    tell(0.0, "looking which way it goes")
    opened = open_all(found, asked, left_out)
    takes: list[_Take] = []
    seen: list[tuple[View, list[_Take]]] = []  # of each source
    weights: list[tuple[int, float]] = []  # frames and fps of each source
    keeping = Keeper(folder) if fine else contextlib.nullcontext()
    with open(folder / "frames.bin", "w+b") as store, keeping as keeper:
        for number, source in enumerate(opened):
            share = lambda part, number=number: (number + part) / len(opened) * 0.9  # noqa: E731
            tell(share(0.0), source.name)
            try:
                new, fps, words = _take(source, store, keeper, size, folder, lambda part: tell(share(part), source.name))  # noqa: B023
            except FootageError as error:
                left_out.append(str(error) if source.name in str(error) else f"{source.name}: {error}")
                continue
            seen.append((source.heading.view, new))
            left_out += words
            takes += new
            weights.append((sum(t.stop - t.start for t in new), fps))
    if not takes:
        raise FootageError("There is nothing to learn from: " + " ".join(left_out))
    count = takes[-1].stop
    fps = max(weights)[1]
    seconds = sum(frames / rate for frames, rate in weights)
    if seconds < LEAST_SECONDS:
        raise FootageError(f"The footage is {seconds:.1f} s long: bring at least {GOOD_SECONDS:.0f} s, better a minute.")
    if seconds < GOOD_SECONDS:
        left_out.append(f"All footage together is only {seconds:.1f} s long: the network will know little; bring more.")
    tell(0.92, "measuring")
    frames = np.memmap(folder / "frames.bin", np.uint8, "r", shape=(count, *size, 3))
    edges, lights = np.empty((count, 3), np.float32), np.empty((count, 2), np.float32)
    for i in range(count):
        edges[i], lights[i] = measure.edge_strength(frames[i]), measure.light(frames[i])
    motion = np.array([step.motion if step else 0.0 for take in takes for step in take.steps])
    samples = np.stack([step.samples if step else np.zeros((measure.SAMPLES, 2), np.float32) for t in takes for step in t.steps])
    groups = scenes.told_apart(frames, motion, [(view, _clips(new)) for view, new in seen])
    for group in groups[scenes.MOST :]:
        many = f"is unlike {scenes.MOST} longer scenes and is left out; give it apart"
        left_out += [f"{seen[each][1][0].name}: {many}." for each in group]
    groups = groups[: scenes.MOST]
    scene_of = {id(take): number for number, group in enumerate(groups) for each in group for take in seen[each][1]}
    kept = [take for take in takes if id(take) in scene_of]
    controls, usual = measure.controls(motion, edges, lights, _clips(takes))
    each_usual = []
    if len(groups) > 1:
        names = ["; ".join(dict.fromkeys(take.name for take in kept if scene_of[id(take)] == n)) for n in range(len(groups))]
        left_out.append(f"There are {len(groups)} scenes, and the show cuts from one to another: {' | '.join(names)}.")
        for number in range(len(groups)):
            clips = _clips(take for take in kept if scene_of[id(take)] == number)
            each_usual.append(_measured_apart(controls, motion, edges, lights, clips))
    known = np.array([step is not None for take in takes for step in take.steps])
    ways = measure.motions(samples[known], controls[known, 0])
    card = FootageCard(
        height=size[0], width=size[1], fps=round(float(fps), 3), count=count,
        clips=[{"name": t.name, "start": t.start, "stop": t.stop, "scene": scene_of[id(t)]} for t in kept],
        left_out=left_out, usual=usual, motions=[[round(float(v), 4) for v in d] for d in ways],
        view=_as_dict(seen[groups[0][0]][0]),
        scenes=[{"view": _as_dict(seen[group[0]][0]), "usual": light} for group, light in zip(groups, each_usual, strict=False)],
    )  # fmt: skip
    np.save(folder / "controls.npy", controls)
    (folder / "card.json").write_text(json.dumps(asdict(card), indent=1), "utf-8")
    cv2.imwrite(str(folder / "sheet.png"), _sheet(card, frames, controls)[..., ::-1])
    del frames
    return card


def _clips(takes) -> list[tuple[int, int]]:
    return [(take.start, take.stop) for take in takes]


def _as_dict(view: View) -> dict:
    return {} if view.is_flat else asdict(view)


def _measured_apart(controls, motion, edges, lights, clips: list[tuple[int, int]]) -> dict:
    """Lets what is told of these clips' motion, and of what enters there, be of what is usual there; and the light that is."""
    index = np.concatenate([np.arange(start, stop) for start, stop in clips])
    ends = np.cumsum([stop - start for start, stop in clips])
    apart = [(int(end) - (stop - start), int(end)) for end, (start, stop) in zip(ends, clips, strict=True)]
    own, usual = measure.controls(motion[index], edges[index], lights[index], apart)
    controls[index, :4] = own[:, :4]
    return usual


def _take(source: Source, store, keeper, size, folder, tell) -> tuple[list[_Take], float, list[str]]:
    """Reads one source into the store (at its end). Returns its takes, fps and sentences. Raises FootageError."""
    begin, name, fps = store.tell() // (size[0] * size[1] * 3), source.name, source.fps
    words, count = list(source.words), source.count * slowed(source)
    stride = _stride(source.laid_out(*size))
    if stride > 1:
        words.append(f"{name}: moves so slowly that only each {stride}. frame follows the last, {stride} times over.")
    takes, repeated, at = [], 0, begin
    for phase in range(stride):
        large = size if keeper is None else (TIMES * size[0], TIMES * size[1])
        chosen = (f for i, f in enumerate(source.laid_out(*large)) if i % stride == phase)
        new, dropped, at = _cut(chosen, name, store, keeper, at, lambda n: tell(min(n * stride / max(count, 1), 1.0)))
        takes, repeated = takes + new, repeated + dropped
    if repeated:
        words.append(f"{name}: {repeated} repeated frames are dropped.")
        fps *= (at - begin) / (at - begin + repeated)  # what is left follows more slowly
    kept = _sift(takes, name, store, keeper, begin, size, stride, words)
    pictures.keep(source, size, folder)
    return kept, fps, words


def _stride(frames) -> int:
    """Take every so manieth frame: 1, but more for footage that hardly moves (from its first 240 frames)."""
    eye, seen = measure.Eye(), []
    for i, (frame, _) in enumerate(_without_repeats(frames)):
        step = eye.look(frame)
        if step is not None and step.motion > 0:
            seen.append(step.motion)
        if i >= 240:
            break
    usual = float(np.median(seen)) if len(seen) > 12 else SLOW
    return 1 if usual >= SLOW else int(np.clip(round(1.2 / usual), 2, 8))


def _cut(frames, name, store, keeper, at, tell) -> tuple[list[_Take], int, int]:
    """Writes frames into the store from frame `at` on. Returns the takes between cuts, dropped repeats, the next at."""
    eye, takes, repeated, recent = measure.Eye(), [], 0, []
    steps, start = [], at
    for number, (frame, dropped) in enumerate(_without_repeats(frames)):
        repeated += dropped
        if keeper is not None:
            keeper.add(frame)
            frame = shrunk(frame)
        step = eye.look(frame)
        if step is not None and _is_cut(step, recent):
            takes.append(_Take(name, start, at, steps))
            steps, start, step, recent = [], at, None, []
        if step is not None:
            recent = [*recent[-11:], step]
        steps.append(step)
        store.write(frame.tobytes())
        at += 1
        if number % 24 == 0:
            tell(number)
    if steps:
        takes.append(_Take(name, start, at, steps))
    return takes, repeated, at


def _is_cut(step: measure.Step, recent: list[measure.Step]) -> bool:
    """Nothing of the last frame explains this one, quite unlike the frames before."""
    unexplained = float(np.median([s.unexplained for s in recent])) if len(recent) >= 3 else 0.02
    change = float(np.median([s.change for s in recent])) if len(recent) >= 3 else 0.02
    return step.change > max(0.06, 2 * change) and step.unexplained > max(0.05, 2.5 * unexplained)


def _sift(takes, name, store, keeper, begin, size, stride, words) -> list[_Take]:
    """Keeps what is long enough and moves, close together in the store, and mirrors it if it goes left to right."""
    nbytes = size[0] * size[1] * 3
    short = [t for t in takes if t.stop - t.start < LEAST_FRAMES]
    keep = [t for t in takes if t.stop - t.start >= LEAST_FRAMES]
    if short and keep:
        words.append(f"{name}: {len(short)} pieces of under {LEAST_FRAMES} frames between two cuts are left out.")
    still = [t for t in keep if np.mean([s.motion > measure.STILL for s in t.steps if s]) < 0.05]
    keep = [t for t in keep if t not in still]
    if still and keep:
        words.append(f"{name}: {len(still)} pieces in which nothing moves are left out.")
    if not keep:
        store.seek(begin * nbytes)
        store.truncate()
        if keeper is not None:
            keeper.end(begin)
        if still:
            raise FootageError(f"In {name} nothing moves: there is no motion to learn.")
        raise FootageError(f"{name} has no {LEAST_FRAMES} frames in a row without a cut: it is left out.")
    if len(keep) > stride:
        words.append(f"{name}: cut into {len(keep)} clips at scene changes.")
    steps = [s for t in keep for s in t.steps if s]
    mirror = np.average([s.drift for s in steps], weights=[s.motion + 1e-6 for s in steps]) < -0.25
    if mirror:
        words.append(f"{name}: goes left to right and is mirrored.")
    at, kept = begin, []
    for take in keep:
        for i in range(take.start, take.stop):
            if at == i and not mirror:
                at += 1
                continue
            if keeper is not None:
                keeper.move(i, at, mirror)
            store.seek(i * nbytes)
            frame = np.frombuffer(store.read(nbytes), np.uint8).reshape(*size, 3)
            store.seek(at * nbytes)
            store.write((frame[:, ::-1] if mirror else frame).tobytes())
            at += 1
        if mirror:
            for step in take.steps:
                if step is not None:
                    step.samples[:, 0] *= -1
        kept.append(_Take(take.name, at - (take.stop - take.start), at, take.steps))
    store.seek(at * nbytes)
    store.truncate()
    if keeper is not None:
        keeper.end(at)
    return kept


def _swap(new: Path, out: Path) -> None:
    """Puts the finished folder in its place; what was there goes away only after that."""
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        os.replace(out, old)
    os.replace(new, out)
    shutil.rmtree(old, ignore_errors=True)


def _sheet(card: FootageCard, frames: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """A contact sheet, uint8 RGB: 24 frames from all over, and below how the six controls ran."""
    w = card.width
    picks = np.linspace(0, card.count - 1, 24).astype(int)
    views = {number: View(**scene["view"]) for number, scene in enumerate(card.scenes or [{"view": card.view}])}
    scene = lambda i: next((c.get("scene", 0) for c in card.clips if c["start"] <= i < c["stop"]), 0)  # noqa: E731
    rows = [np.hstack([views[scene(i)].lay_back(frames[i]) for i in picks[k : k + 6]]) for k in range(0, 24, 6)]
    plot = np.full((6 * 56, 6 * w, 3), 24, np.uint8)
    colours = ((240, 240, 240), (130, 190, 255), (150, 230, 150), (255, 170, 90), (255, 235, 120), (255, 120, 120))
    for k, name in enumerate(CONTROL_NAMES):
        low, high = ((0, 4), (0, 1.5), (0, 1.5), (0, 1.5), (-1, 1), (-1, 1))[k]
        values = controls[np.linspace(0, card.count - 1, 6 * w).astype(int), k]
        y = (k + 1) * 56 - 6 - (np.clip((values - low) / (high - low), 0, 1) * 44).astype(int)
        cv2.polylines(plot, [np.stack([np.arange(6 * w), y], 1).astype(np.int32)], False, colours[k], 1, cv2.LINE_AA)
        cv2.putText(plot, name, (6, k * 56 + 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colours[k], 1, cv2.LINE_AA)
    for clip in card.clips[1:]:
        x = int(clip["start"] / card.count * 6 * w)
        cv2.line(plot, (x, 0), (x, plot.shape[0]), (90, 90, 90), 1)
    return np.vstack([*rows, plot])
