"""The long run of a player: sharpness, variety, colour, novelty. A player has reset(seed) and step(controls).

Knows no network: anything that plays can be judged, so the judging itself is tested on worlds that are right, frozen,
noisy, blurred, deaf or copied. What a player obeys is tried in vj.train.obeying.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vj.signals import Controls, ModelFrame
from vj.train import measures
from vj.train.report import Findings
from vj.train.scenes import Scene
from vj.view import WINDOW, View

BAND_NAMES = ("far", "middle", "near")
POINTS, GOALS = (100, 1_000, 10_000), (0.8, 0.75, 0.7)  # own frames after which sharpness is judged
KEEP = 5  # every so manieth frame of the long run is looked at as a whole
Tell = Callable[[float, str], None]


class Player(Protocol):
    """What can be judged. `size` is (height, width) px."""

    size: tuple[int, int]

    def reset(self, seed: int) -> object: ...

    def step(self, controls: Controls) -> ModelFrame: ...


@dataclass(frozen=True, slots=True)
class Reference:
    """The footage that a player is held against."""

    frames: np.ndarray  # uint8 (N, H, W, 3)
    controls: np.ndarray  # float32 (N, 6)
    clips: tuple[tuple[int, int], ...]
    held: tuple[tuple[int, int], ...]  # stretches that training never saw
    training: tuple[tuple[int, int], ...]
    usual: dict  # see vj.train.measure.controls
    fps: float
    scenes: tuple[Scene, ...] = ()

    def scene(self, at: int) -> int:
        """In which scene that frame is."""
        inside = (number for number, each in enumerate(self.scenes) if any(start <= at < stop for start, stop in each.clips))
        return next(inside, 0)

    def view(self, at: int) -> View:
        """How that frame is laid out."""
        return self.scenes[self.scene(at)].view if self.scenes else WINDOW

    def edges(self, index) -> "Edges":
        """The leading edge of those frames."""
        edges = Edges(self)
        for i in index:
            edges.look(self.frames[i])
        return edges

    def sample(self, count: int) -> np.ndarray:
        """Indices of at most `count` frames from all over."""
        return np.unique(np.linspace(0, len(self.frames) - 1, count).astype(int))


class Edges:
    """Watches the leading edge, frame after frame, and keeps what is measured there instead of the frames."""

    def __init__(self, footage: Reference):
        self._usual, self._energy, self._prints = footage.usual, [], []

    def look(self, frame: np.ndarray) -> None:
        W = frame.shape[1]
        strip = frame[None, :, -max(round(W / 10), 6) :]
        self._energy.append(measures.entering(strip, W)[0])
        self._prints.append(measures.prints(strip)[0])

    @property
    def energy(self) -> np.ndarray:
        """(T, 3) per band."""
        return np.array(self._energy)

    @property
    def prints(self) -> np.ndarray:
        """(T, D) fingerprints."""
        return np.array(self._prints)

    @property
    def signal(self) -> np.ndarray:
        """(T, 3): energy on the scale of the controls."""
        return measures.as_controls(self.energy, self._usual["entry_low"], self._usual["entry_high"])

    def entries(self, band: int) -> np.ndarray:
        """Frames at which something comes in."""
        return measures.onsets(self.signal[:, band], 0.25, 0.6)


def told_plan(clips, count: int, seed: int = 0, stretch: int = 300) -> np.ndarray:
    """Whose controls a run is told: `count` indices of footage frames, in stretches of at most `stretch` in a row."""
    rng, plan = np.random.default_rng(seed), []
    lengths = np.array([stop - start for start, stop in clips], float)
    while len(plan) < count:
        start, stop = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
        first = int(rng.integers(start, max(stop - stretch, start) + 1))
        plan.extend(range(first, min(first + stretch, stop)))
    return np.array(plan[:count])


def seen_by(player: Player) -> View:
    """How what it has just shown is laid out."""
    return getattr(player, "view", WINDOW)


def play(player: Player, table: np.ndarray, scenes: list[int] | None = None) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3) for each row of controls (T, 6); scenes: in which each is to be, of a player that knows several."""
    for t, row in enumerate(table):
        if scenes is not None and (t == 0 or scenes[t] != scenes[t - 1]):
            player.cut(scenes[t])
        yield player.step(Controls(*(float(v) for v in row))).pixels


# ------------------------------------------------------------------------------------------------------- the long run
def long_run(player: Player, footage: Reference, frames: int, tell: Tell, seed: int = 1) -> Findings:
    """Sharpness, variety, colour, novelty of `frames` own frames, told what stretches of the footage measured in their scenes."""
    out = Findings()
    plan = told_plan(footage.clips, frames, seed)
    spans = _spans(frames)
    palette = measures.palette_of(footage.frames[footage.sample(400)])
    edges, thumbs, colours, kept = Edges(footage), [], [], {}
    moments = set(np.unique(np.geomspace(1, frames, 24).astype(int) - 1).tolist())
    told_in = [footage.scene(at) for at in plan]
    first = player.reset(seed)
    if isinstance(first, np.ndarray):
        out.show("run", "first", first, seen_by(player))
    for t, frame in enumerate(play(player, footage.controls[plan], told_in if len(footage.scenes) > 1 else None)):
        edges.look(frame)
        if t % KEEP == 0:
            thumbs.append(measures.thumbs(frame[None])[0])
            if any(t in span for span in spans.values()):
                kept[t] = frame
        if t % (5 * KEEP) == 0:
            colours.append(measures.colours(frame[None], palette)[0])
        if t in moments:
            out.show("run", str(t + 1), frame, seen_by(player))
        if t % 100 == 0:
            tell(t / frames, "long run")
    windows = {}
    for name, span in spans.items():
        times = [t for t in kept if t in span]
        windows[name] = np.stack([kept[t] for t in times]), footage.frames[plan[times]]
    _sharpness(out, windows, frames)
    _variety(out, edges, np.array(thumbs), windows["end"], plan, footage)
    _colour(out, np.array(colours), palette, footage)
    _layout(out, np.array(thumbs), footage)
    _novelty(out, edges, footage)
    return out


def _spans(frames: int) -> dict[str, range]:
    """Stretches of the run in which whole frames are kept: from each of POINTS on, and at its end."""
    spans = {}
    for point in POINTS:
        if point <= frames:
            stop = min(point + min(400, max(point, 200)), frames)
            spans[str(point)] = range(max(stop - 400, 0) if stop - point < 100 else point, stop)
    return spans | {"end": range(max(frames - 400, 0), frames)}


def _sharpness(out: Findings, windows: dict[str, tuple[np.ndarray, np.ndarray]], frames: int) -> None:
    for point, goal in zip(POINTS, GOALS, strict=True):
        if str(point) not in windows:
            out.add(f"sharpness.{point}.gradient", None, "x", note=f"the run is only {frames} frames long")
            continue
        mine, theirs = windows[str(point)]
        out.add(f"sharpness.{point}.gradient", ratio(measures.gradient_energy(mine), measures.gradient_energy(theirs)),
                "x", goal, 1.3, "mean squared slope of luma")  # fmt: skip
        out.add(f"sharpness.{point}.fine", ratio(measures.fine_energy(mine), measures.fine_energy(theirs)),
                "x", goal, 1.3, "power above a quarter cycle per px")  # fmt: skip
    across, down = (np.array(measures.slopes(those)) for those in windows["end"])
    out.add("sharpness.streaks", ratio(across[0] * down[1], across[1] * down[0]), "x", 0.7, 1.4,
            "slopes across : down; under 1 the picture is streaks along the way")  # fmt: skip


def _variety(out: Findings, edges: Edges, thumbs: np.ndarray, end, plan: np.ndarray, footage: Reference) -> None:
    fps, frames = footage.fps, len(plan)
    theirs, minutes = footage.edges(plan), frames / footage.fps / 60
    for band, name in enumerate(BAND_NAMES):
        mine, real = len(edges.entries(band)), len(theirs.entries(band))
        out.add(f"variety.entries.{name}", ratio(mine, real), "x", 0.7, 1.4,
                f"{mine / minutes:.0f} objects a minute, footage {real / minutes:.0f}")  # fmt: skip
    lag = int(min(60 * fps, frames / 2)) // KEEP
    real_thumbs = np.concatenate([measures.thumbs(footage.frames[i][None]) for i in plan[::KEEP]])
    far_apart = [float(np.sqrt(((t[lag:] - t[:-lag]) ** 2).mean())) for t in (thumbs, real_thumbs)]
    out.add("variety.apart", ratio(*far_apart), "x", 0.7, 1.4, f"RMS distance of frames {lag * KEEP / fps:.0f} s apart")
    lag = max(min(int(2 * fps) // KEEP, len(end[0]) // 2), 1)
    alive = [measures.change(those[:-lag], those[lag:]) for those in end]
    out.add("variety.alive", ratio(*alive), "x", 0.5, 1.6,
            f"change within {lag * KEEP / fps:.1f} s at the end: 0 is a fixed point")  # fmt: skip
    loop, period = measures.repeats(edges.prints[-4000:], int(fps))
    natural, _ = measures.repeats(footage.edges(np.arange(min(len(footage.frames), 4000))).prints, int(fps))
    out.add("variety.loop", loop, "", None, max(0.5, natural + 0.15),
            f"strongest repetition of what enters, at {period} frames; footage {natural:.2f}")  # fmt: skip


def _colour(out: Findings, mine: np.ndarray, palette: np.ndarray, footage: Reference) -> None:
    low, high = np.percentile(measures.colours(footage.frames[footage.sample(400)], palette), [5, 95], axis=0)
    low[3] = 0  # a palette cannot be too close
    inside = (mine >= low) & (mine <= high)
    last, tenth = inside[len(inside) // 2 :].mean(0), len(mine) // 10 + 1
    for k, name in enumerate(measures.COLOURS):
        out.add(f"colour.{name}", last[k], "", 0.75, None,
                f"second half: share of frames inside the footage's 5-95 %, {low[k]:.3f}..{high[k]:.3f}; "
                f"at the start {mine[:tenth, k].mean():.3f}, at the end {mine[-tenth:, k].mean():.3f}")  # fmt: skip


def _layout(out: Findings, thumbs: np.ndarray, footage: Reference) -> None:
    """Sky above, ground below: no colour may be in rows where the footage never has it."""
    some = footage.sample(1500)
    bank = measures.layouts(np.concatenate([measures.thumbs(footage.frames[i][None]) for i in some]))
    apart = max(round(2 * footage.fps * len(some) / len(footage.frames)), 1)
    usual = measures.farness(bank, bank, min(apart, len(bank) // 4)) if len(bank) > 8 else np.ones(1)
    high = float(np.percentile(usual, 95))
    mine = measures.farness(measures.layouts(thumbs[len(thumbs) // 2 :]), bank)
    out.add("colour.layout", (mine <= high).mean(), "", 0.75, None,
            f"second half: share of frames whose rows have colours as in some frame of the footage, within {high:.3f}; "
            f"median {np.median(mine):.3f}")  # fmt: skip


def _novelty(out: Findings, edges: Edges, footage: Reference) -> None:
    """Nearest training strip of what enters, against that of what entered in held-back footage."""
    bank = footage.edges(np.concatenate([np.arange(*part) for part in footage.training])).prints
    held = footage.edges(np.concatenate([np.arange(*part) for part in footage.held]))
    distances = []
    for those in (edges, held):
        at = np.unique(np.concatenate([those.entries(band) for band in range(3)]) + 2)
        at = at[at < len(those.prints)][-500:]
        distances.append(float(np.median(measures.nearest(those.prints[at], bank))) if len(at) >= 3 else np.nan)
    few = ["the run", "held-back footage"][int(np.isfinite(distances[0]))]
    note = f"distance of entries to the closest training strip: {distances[0]:.2f}, held-back ones {distances[1]:.2f}"
    known = bool(np.isfinite(distances).all())
    out.add("novelty.nearest", ratio(*distances), "x", 0.7 if known else None, None,
            note if known else f"too little enters in {few}")  # fmt: skip


def ratio(mine: float, theirs: float) -> float | None:
    """mine / theirs; None if there is nothing to compare with."""
    if mine is None or theirs is None or not np.isfinite(mine) or not np.isfinite(theirs) or abs(theirs) < 1e-9:
        return None
    return float(mine / theirs)
