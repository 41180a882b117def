"""Trials of a player: it is told things, what it shows is measured. A player has reset(seed) and step(controls).

The long run (sharpness, variety, colour, novelty), the speeds, standing still, events and light. Each trial gives
figures with their goals and a few pictures for the contact sheet. Knows no network: anything that plays can be judged,
so the trials themselves are tested on worlds that are right, frozen, noisy or blurred.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from vj.signals import Controls, ModelFrame
from vj.train import measures
from vj.train.measures import Motion

BAND_NAMES = ("far", "middle", "near")
SPEEDS = (0.5, 1.0, 1.5)
POINTS = (100, 1_000, 10_000)  # own frames after which sharpness is judged
KEEP = 5  # every so manieth frame of the long run is kept whole
PULSE = 5  # frames that an event is told
Tell = Callable[[float, str], None]


class Player(Protocol):
    """What can be judged. `size` is (height, width) px."""

    size: tuple[int, int]

    def reset(self, seed: int) -> object: ...

    def step(self, controls: Controls) -> ModelFrame: ...


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number. It passes if it is finite and within low..high; without either it has no goal."""

    key: str  # "sharpness.1000.gradient"
    value: float | None  # None: could not be measured, the note says why
    unit: str = ""  # "x": relative to footage
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def passed(self) -> bool | None:
        """None where there is no goal or no value."""
        if self.value is None or (self.low is None and self.high is None):
            return None
        above = self.low is None or self.value >= self.low
        return bool(np.isfinite(self.value) and above and (self.high is None or self.value <= self.high))


@dataclass(slots=True)
class Findings:
    """Figures, and pictures for the sheet: {row: [(label, frame)...]}."""

    figures: list[Figure] = field(default_factory=list)
    pictures: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)

    def add(self, key: str, value, unit="", low=None, high=None, note="") -> None:
        value = None if value is None or np.isnan(value) else float(value)
        self.figures.append(Figure(key, value, unit, low, high, note))

    def show(self, row: str, label: str, frame: np.ndarray) -> None:
        self.pictures.setdefault(row, []).append((label, frame))


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

    def strips(self, index: np.ndarray) -> np.ndarray:
        """Right ends of frames, uint8 (T, H, width / 10, 3)."""
        return np.stack([self.frames[i][:, -strip_width(self.frames.shape[2]) :] for i in index])

    def sample(self, count: int) -> np.ndarray:
        """Indices of at most `count` frames from all over."""
        return np.unique(np.linspace(0, len(self.frames) - 1, count).astype(int))


def strip_width(width: int) -> int:
    return max(round(width / 10), 6)


def told_plan(clips, count: int, seed: int = 0, stretch: int = 300) -> np.ndarray:
    """Whose controls a run is told: `count` indices of footage frames, in stretches of at most `stretch` in a row."""
    rng, plan = np.random.default_rng(seed), []
    lengths = np.array([stop - start for start, stop in clips], float)
    while len(plan) < count:
        start, stop = clips[rng.choice(len(clips), p=lengths / lengths.sum())]
        first = int(rng.integers(start, max(stop - stretch, start) + 1))
        plan.extend(range(first, min(first + stretch, stop)))
    return np.array(plan[:count])


def play(player: Player, table: np.ndarray) -> Iterator[np.ndarray]:
    """Frames uint8 (H, W, 3) for each row of controls (T, 6)."""
    for row in table:
        yield player.step(Controls(*(float(v) for v in row))).pixels


# ------------------------------------------------------------------------------------------------------- the long run
def long_run(player: Player, footage: Reference, frames: int, tell: Tell, seed: int = 1) -> Findings:
    """Sharpness, variety, colour, novelty of `frames` own frames, told what stretches of the footage measured."""
    out = Findings()
    plan = told_plan(footage.clips, frames, seed)
    strips, kept = [], []
    moments = set(np.unique(np.geomspace(1, frames, 24).astype(int) - 1).tolist())
    out.show("run", "first", np.asarray(first) if (first := player.reset(seed)) is not None else np.zeros((*player.size, 3), np.uint8))
    for t, frame in enumerate(play(player, footage.controls[plan])):
        strips.append(frame[:, -strip_width(frame.shape[1]) :].copy())
        if t % KEEP == 0:
            kept.append(frame)
        if t in moments:
            out.show("run", str(t + 1), frame)
        if t % 100 == 0:
            tell(t / frames, "long run")
    strips, kept, real = np.stack(strips), np.stack(kept), footage.frames[plan[::KEEP]]
    _sharpness(out, kept, real, frames)
    _variety(out, strips, kept, real, plan, footage)
    _colour(out, kept, footage)
    _novelty(out, strips, footage)
    return out


def _sharpness(out: Findings, kept: np.ndarray, real: np.ndarray, frames: int) -> None:
    for point, goal in zip(POINTS, (0.8, 0.75, 0.7), strict=True):
        if frames < point:
            out.add(f"sharpness.{point}.gradient", None, "x", goal, 1.3, f"the run is only {frames} frames long")
            continue
        span = max(min(400, max(point, 200)), KEEP)
        stop = min(point + span, frames)
        window = slice(max(stop - span, 0) // KEEP, -(-stop // KEEP))
        mine, theirs = kept[window], real[window]
        out.add(f"sharpness.{point}.gradient", _ratio(measures.gradient_energy(mine), measures.gradient_energy(theirs)),
                "x", goal, 1.3, "mean squared slope of luma")  # fmt: skip
        out.add(f"sharpness.{point}.fine", _ratio(measures.fine_energy(mine), measures.fine_energy(theirs)),
                "x", goal, 1.3, "power above a quarter cycle per px")  # fmt: skip
    half = slice(len(kept) // 2, None)
    across, down = (np.array(measures.slopes(f[half])) for f in (kept, real))
    out.add("sharpness.streaks", _ratio(across[0] * down[1], across[1] * down[0]), "x", 0.7, 1.4,
            "slopes across : down; under 1 the picture is streaks along the way")  # fmt: skip


def _variety(out: Findings, strips, kept, real, plan, footage: Reference) -> None:
    fps, width = footage.fps, kept.shape[2]
    entered = measures.as_controls(measures.entering(strips, width), footage.usual["entry_low"], footage.usual["entry_high"])
    theirs = measures.as_controls(
        measures.entering(footage.strips(plan), width), footage.usual["entry_low"], footage.usual["entry_high"]
    )
    minutes = len(strips) / fps / 60
    for band, name in enumerate(BAND_NAMES):
        mine, real_count = (len(measures.onsets(e[:, band], 0.25, 0.6)) for e in (entered, theirs))
        out.add(f"variety.entries.{name}", _ratio(mine, real_count), "x", 0.7, 1.4,
                f"{mine / minutes:.0f} objects a minute, footage {real_count / minutes:.0f}")  # fmt: skip
    lag = int(min(60 * fps, len(strips) / 2)) // KEEP
    far_apart = [float(np.sqrt(((t[lag:] - t[:-lag]) ** 2).mean())) for t in map(measures.thumbs, (kept, real))]
    out.add("variety.apart", _ratio(*far_apart), "x", 0.7, 1.4, f"RMS distance of frames {lag * KEEP / fps:.0f} s apart")
    lag, last = max(int(2 * fps) // KEEP, 1), slice(3 * len(kept) // 4, None)
    alive = [measures.change(f[last][:-lag], f[last][lag:]) if len(f[last]) > lag else np.nan for f in (kept, real)]
    out.add("variety.alive", _ratio(*alive), "x", 0.5, 1.6, "change within 2 s in the last quarter: 0 is a fixed point")
    loop, period = measures.repeats(measures.prints(strips[-4000:]), int(fps))
    natural, _ = measures.repeats(measures.prints(footage.strips(np.arange(len(footage.frames))[:4000])), int(fps))
    out.add("variety.loop", loop, "", None, max(0.5, natural + 0.15),
            f"strongest repetition of what enters, at {period} frames; footage {natural:.2f}")  # fmt: skip


def _colour(out: Findings, kept: np.ndarray, footage: Reference) -> None:
    reference = footage.frames[footage.sample(400)]
    palette = measures.palette_of(reference)
    low, high = np.percentile(measures.colours(reference, palette), [5, 95], axis=0)
    low[3] = 0  # a palette cannot be too close
    mine = measures.colours(kept[:: max(len(kept) // 400, 1)], palette)
    inside = (mine >= low) & (mine <= high)
    last = inside[len(inside) // 2 :].mean(0)
    for k, name in enumerate(measures.COLOURS):
        out.add(f"colour.{name}", last[k], "", 0.75, None,
                f"share of frames of the second half inside the footage's 5-95 % ({low[k]:.3f}..{high[k]:.3f}); "
                f"at the start {mine[: len(mine) // 10 + 1, k].mean():.3f}, at the end {mine[-len(mine) // 10 :, k].mean():.3f}")  # fmt: skip


def _novelty(out: Findings, strips: np.ndarray, footage: Reference) -> None:
    seen = np.concatenate([np.arange(*part) for part in footage.training])
    unseen = np.concatenate([np.arange(*part) for part in footage.held])
    bank = measures.prints(footage.strips(seen))
    real = footage.strips(unseen)
    distances = []
    for those in (strips, real):
        entered = measures.as_controls(
            measures.entering(those, footage.frames.shape[2]), footage.usual["entry_low"], footage.usual["entry_high"]
        )
        at = np.unique(np.concatenate([measures.onsets(entered[:, b], 0.25, 0.6) for b in range(3)]) + 2)
        at = at[at < len(those)][-500:]
        distances.append(float(np.median(measures.nearest(measures.prints(those[at]), bank))) if len(at) >= 3 else np.nan)
    ratio = _ratio(*distances)
    out.add("novelty.nearest", ratio, "x", 0.7, None,
            f"distance of entering strips to the closest training strip: {distances[0]:.2f}, held-back entries {distances[1]:.2f}")  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- motion
def speeds(player: Player, footage: Reference, tell: Tell, effort: float = 1.0) -> Findings:
    """How fast each height band moves at told speeds, against footage at the same measured speed; parallax."""
    out, motion = Findings(), Motion()
    usual = _real_motion(motion, footage, 1.0, (1, 1, 1), 40)[0]
    reach = tuple(int(np.clip(round(6 / max(v, 0.1)), 1, 8)) if np.isfinite(v) else 1 for v in usual)
    resets, warm, span = max(round(4 * effort), 1), 60, 60
    for number, speed in enumerate(SPEEDS):
        tell(number / len(SPEEDS), "speeds")
        real, note = _real_motion(motion, footage, speed, reach, round(60 * effort) + 4)
        found = []
        for seed in range(resets):
            player.reset(100 + seed)
            table = footage.controls[told_plan(footage.clips, warm + span, seed)].copy()
            table[:, 0] = speed
            recent: list[np.ndarray] = []
            for t, frame in enumerate(play(player, table)):
                recent = [*recent[-8:], frame]
                if t >= warm and t % 4 == 0:
                    found.append(_band_motion(motion, recent, reach))
            for back in (4, 0):
                if seed == 0:
                    out.show("speed", f"speed {speed:g}" + (f", {back} frames before" if back else ""), recent[-1 - back])
        mine = _mean(np.array(found))
        for band, name in enumerate(BAND_NAMES):
            out.add(f"motion.{speed:g}.{name}", _ratio(mine[band], real[band]), "x", 0.8, 1.25,
                    f"{mine[band]:.2f} px a frame, footage {real[band]:.2f}{note}")  # fmt: skip
        out.add(f"motion.{speed:g}.parallax", _ratio(mine[2] * real[0], mine[0] * real[2]), "x", 0.8, 1.25,
                f"near : far {_ratio(mine[2], mine[0]) or 0:.1f}, footage {_ratio(real[2], real[0]) or 0:.1f}")  # fmt: skip
    return out


def _band_motion(motion: Motion, recent, reach) -> np.ndarray:
    """px a frame (3,), each band seen over its own number of frames, so that slow layers move by some pixels."""
    by_reach = {r: motion.by_band(recent[-1 - r], recent[-1]) for r in set(reach)}
    return np.array([by_reach[r][band] / r for band, r in enumerate(reach)])


def _real_motion(motion: Motion, footage: Reference, speed: float, reach, count: int) -> tuple[np.ndarray, str]:
    """Band speeds of the footage at `speed`: frames of about that speed, scaled to it. And a remark if none is near."""
    longest = max(reach)
    ends = np.concatenate([np.arange(start + longest + 1, stop) for start, stop in footage.clips if stop - start > longest + 1])
    told = footage.controls[:, 0].astype(np.float64)
    mean = np.array([told[t - longest + 1 : t + 1].mean() for t in ends])
    even = np.array([np.ptp(told[t - longest + 1 : t + 1]) for t in ends]) < 0.3
    off = np.abs(mean - speed) + ~even
    order = np.argsort(off, kind="stable")
    near = order[: max((off < 0.1).sum(), min(count, len(order)))]
    chosen = near[np.linspace(0, len(near) - 1, min(count, len(near))).astype(int)]
    rows = []
    for i in chosen:
        if mean[i] > 0.05:
            rows.append(_band_motion(motion, footage.frames[ends[i] - longest : ends[i] + 1], reach) * speed / mean[i])
    note = "" if (off[chosen] < 0.25).mean() > 0.5 else f" (scaled: footage has no speed near {speed:g})"
    return _mean(np.array(rows) if rows else np.full((1, 3), np.nan)), note


def standing(player: Player, footage: Reference, tell: Tell) -> Findings:
    """Told to stand: after half a second nothing moves or creeps for two more."""
    out, motion, fps = Findings(), Motion(), footage.fps
    tell(0.0, "standing")
    settle, stay = round(fps / 2), round(2 * fps)
    creep, changes = [], []
    for seed in range(2):
        player.reset(200 + seed)
        table = footage.controls[told_plan(footage.clips, 60, seed)].copy()
        table[:, 0] = 1.0
        for _ in play(player, table):
            pass
        still = np.repeat(table[-1:], settle + stay, 0)
        still[:, 0:4] = 0
        shown = list(play(player, still))[settle:]
        creep.append(np.nanmax(np.abs(np.append(motion.by_band(shown[0], shown[-1]), 0.0))))
        changes += [measures.change(a, b) for a, b in zip(shown, shown[1:], strict=False)]
        if seed == 0:
            out.show("speed", "standing", shown[0])
            out.show("speed", f"standing, {stay} frames on", shown[-1])
    stands = np.flatnonzero(footage.controls[:, 0] == 0)
    stands = stands[(stands > 0) & ~np.isin(stands, [start for start, _ in footage.clips])][:200]
    real = float(np.mean([measures.change(footage.frames[t - 1], footage.frames[t]) for t in stands])) if len(stands) else 0.0
    out.add("still.creep", max(creep), "px", None, 0.25, f"largest move of a band within {stay} frames of standing")
    out.add("still.change", float(np.mean(changes)) * 255, "/255", None, max(0.5, 1.5 * real * 255),
            f"mean |difference| from frame to frame; footage {real * 255:.2f}")  # fmt: skip
    return out


# ------------------------------------------------------------------------------------------------------------- events
def pulses(count: int, seed: int = 0) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """Controls (T, 6) at speed 1, calm but for `count` pulses a band at random times; and [(frame, band)...]."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(np.repeat(np.arange(3), count))
    times = 60 + np.cumsum(rng.integers(20, 37, len(order)))
    table = np.zeros((int(times[-1]) + 40, 6), np.float32)
    table[:, 0] = 1
    for t, band in zip(times, order, strict=True):
        table[t : t + PULSE, 1 + band] = 1
    return table, [(int(t), int(band)) for t, band in zip(times, order, strict=True)]


def events(player: Player, footage: Reference, tell: Tell, effort: float = 1.0, seed: int = 3) -> Findings:
    """Something is told to enter in one band at a time: does it, only there, and when?"""
    out = Findings()
    table, told = pulses(max(round(20 * effort), 4), seed)
    player.reset(seed)
    strips, shown, wanted = [], {}, {}
    for t, band in told[3:]:
        if band not in wanted:
            wanted[band] = {t - 1: "before", t + 3: "3 frames after", t + 8: "8 after", t + 14: "14 after"}
    for t, frame in enumerate(play(player, table)):
        strips.append(frame[:, -strip_width(frame.shape[1]) :].copy())
        for band, moments in wanted.items():
            if t in moments:
                shown[band, t] = frame
        if t % 100 == 0:
            tell(t / len(table), "events")
    for band in range(3):
        for t, label in wanted.get(band, {}).items():
            out.show("events", f"{BAND_NAMES[band]}, {label}", shown[band, t])
    energy = measures.entering(np.stack(strips), player.size[1])
    real = measures.entering(footage.strips(footage.sample(2000)), footage.frames.shape[2])
    _response(out, energy, told, footage, real)
    _timing(out, energy, told, footage)
    return out


def _response(out: Findings, energy: np.ndarray, told, footage: Reference, real: np.ndarray) -> None:
    """Energy per band in the pulse's window (at the band's constant delay) against quiet times."""
    busy = np.zeros((len(energy), 3), bool)  # a band is quiet if neither it nor another was told lately
    for t, _ in told:
        busy[t : t + PULSE + 12] = True
    busy[:60] = True
    quiet = np.array([energy[~busy[:, b], b].mean() for b in range(3)])
    controls = footage.controls[footage.sample(2000)]
    for band, name in enumerate(BAND_NAMES):
        times = [t for t, b in told if b == band]
        by_delay = [np.mean([energy[t + late : t + late + PULSE] for t in times], (0, 1)) for late in range(7)]
        late = int(np.argmax([means[band] for means in by_delay]))
        ratios = by_delay[late] / np.maximum(quiet, 1e-9)
        strong, calm = real[controls[:, 1 + band] >= 0.8, band], real[controls[:, 1 + band] <= 0.1, band]
        natural = strong.mean() / max(calm.mean(), 1e-9) if len(strong) and len(calm) else float("nan")
        scale = measures.as_controls(np.stack([quiet, by_delay[late]]), footage.usual["entry_low"], footage.usual["entry_high"])
        out.add(f"events.{name}.response", ratios[band], "x", 4.0, None,
                f"energy told : not told at {late} frames; as controls {scale[1, band]:.2f} : {scale[0, band]:.2f}; "
                f"footage's own {natural:.0f}x")  # fmt: skip
        others = [b for b in range(3) if b != band]
        worst = max(others, key=lambda b: ratios[b])
        out.add(f"events.{name}.crosstalk", ratios[worst], "x", None, 1.5,
                "energy in " + ", ".join(f"{BAND_NAMES[b]} {ratios[b]:.2f}" for b in others))  # fmt: skip


def _timing(out: Findings, energy: np.ndarray, told, footage: Reference) -> None:
    """F-measure of detected entries within +-2 frames of the pulses, after each band's constant delay."""
    signal = measures.as_controls(energy, footage.usual["entry_low"], footage.usual["entry_high"])
    rng, chance, all_f = np.random.default_rng(0), [], []
    for band, name in enumerate(BAND_NAMES):
        times = np.array([t for t, b in told if b == band])
        quiet = float(np.median(signal[60:, band]))
        peak = float(np.median([signal[t : t + 10, band].max() for t in times]))
        high = max((quiet + peak) / 2, quiet + 0.15)
        found = measures.onsets(signal[:, band], (quiet + high) / 2, high)
        found = found[found >= 60]
        late = measures.delay(found, times)
        score = measures.f_measure(found - (late if np.isfinite(late) else 0), times)
        lucky = []
        for _ in range(50):
            moved = np.sort((times - 60 + rng.integers(30, len(signal) - 90)) % (len(signal) - 60) + 60)
            by = measures.delay(found, moved)
            lucky.append(measures.f_measure(found - (by if np.isfinite(by) else 0), moved))
        all_f.append(score)
        chance.append(float(np.mean(lucky)))
        out.add(f"timing.{name}", score, "F", 0.9, None,
                f"{len(found)} entries found for {len(times)} told, {late:.0f} frames late; chance {chance[-1]:.2f}")  # fmt: skip
    out.add("timing.all", np.mean(all_f), "F", 0.9, None, f"chance {np.mean(chance):.2f}")


# -------------------------------------------------------------------------------------------------------------- light
def lights(player: Player, footage: Reference, tell: Tell, effort: float = 1.0) -> Findings:
    """Brightness and warmth: do they follow slow waves, and how soon do they answer a step?"""
    out, fps = Findings(), footage.fps
    tell(0.0, "light")
    count = int(30 * fps * effort)
    table = footage.controls[told_plan(footage.clips, count, 5)].copy()
    time = np.arange(count) / fps
    table[:, 0] = 1
    table[:, 4], table[:, 5] = 0.75 * np.sin(2 * np.pi * time / 9), 0.75 * np.sin(2 * np.pi * time / 6.5 + 1)
    player.reset(5)
    shown = list(play(player, table))
    follows = measures.light(np.stack(shown), footage.usual)
    own = measures.light(footage.frames[footage.sample(400)], footage.usual).std(0)
    for k, name in enumerate(("brightness", "warmth")):
        mine, wave = follows[int(fps) :, k], table[int(fps) :, 4 + k]
        correlation = np.corrcoef(mine, wave)[0, 1] if mine.std() > 1e-6 else 0.0
        gain = float(np.polyfit(wave, mine, 1)[0])
        out.add(f"light.{name}.follows", correlation, "r", 0.8, None,
                f"correlation with slow waves told; gain {gain:.2f} (1: as told)")  # fmt: skip
        for value in (-0.75, 0.75):
            at = int(np.argmin(np.abs(wave - value))) + int(fps)
            out.show("light", f"{name} {value:+g}", shown[at])
        tell(0.4 + 0.3 * k, "light")
        seconds, late, end = _step_of_light(player, footage, k, max(round(8 * effort), 3))
        out.add(f"light.{name}.settles", seconds, "s", None, 1.0,
                f"until 80 % of the answer to a step, at 3 s {end:.2f} of it; standard deviation in footage {own[k]:.2f}")  # fmt: skip
        del late
    return out


def _step_of_light(player: Player, footage: Reference, which: int, steps: int) -> tuple[float, float, float]:
    """Seconds until the mean answer to steps between -0.6 and 0.6 is there, in frames, and how much of it comes."""
    fps, length = footage.fps, int(3 * footage.fps)
    answers = []
    table = footage.controls[told_plan(footage.clips, (steps + 1) * length, 6 + which)].copy()
    table[:, 0], table[:, 4:6] = 1, 0
    signs = np.where(np.arange(steps + 1) % 2, 0.6, -0.6)
    table[:, 4 + which] = np.repeat(signs, length)
    player.reset(6 + which)
    seen = np.concatenate([measures.light(f[None], footage.usual)[:, which] for f in play(player, table)])
    for k in range(1, steps + 1):
        before = seen[k * length - int(fps) : k * length].mean()
        answers.append((seen[k * length : (k + 1) * length] - before) / (signs[k] - signs[k - 1]))
    answer = np.mean(answers, 0)
    smooth = np.convolve(np.pad(answer, 2, mode="edge"), np.ones(5) / 5, "valid")
    frames = measures.settling(smooth)
    return frames / fps, frames, float(smooth[-length // 3 :].mean())


def _ratio(mine: float, theirs: float) -> float | None:
    """mine / theirs; None if there is nothing to compare with."""
    if mine is None or theirs is None or not np.isfinite(mine) or not np.isfinite(theirs) or abs(theirs) < 1e-9:
        return None
    return float(mine / theirs)


def _mean(rows: np.ndarray) -> np.ndarray:
    """Mean over rows that know it; NaN where none does."""
    known = np.isfinite(rows)
    return np.where(known.any(0), np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan)
