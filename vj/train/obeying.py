"""Does a player obey? Speeds and parallax, standing still, events in their band and in time, light.

It is told things, and what it shows is measured. Knows no network (see vj.train.trials).
"""

from itertools import pairwise, permutations

import numpy as np

from vj.train import measures
from vj.train.measures import Motion
from vj.train.report import Findings
from vj.train.trials import BAND_NAMES, Edges, Player, Reference, Tell, play, ratio, seen_by, told_plan

SPEEDS = (0.5, 1.0, 1.5)
PULSE = 5  # frames that an event is told
FEET = 0.1  # share of the height by which what enters in a band may reach into another


# ------------------------------------------------------------------------------------------------------------- motion
def speeds(player: Player, footage: Reference, tell: Tell, effort: float = 1.0) -> Findings:
    """How fast each height band moves at told speeds, against footage at the same measured speed; parallax."""
    out, motion = Findings(), Motion()
    usual = _real_motion(motion, footage, 1.0, (1, 1, 1), 40)[0]
    seen = footage.frames.shape[2] / 40  # px that a band is to have moved when it is measured
    reach = tuple(int(np.clip(round(seen / max(v, 0.1)), 1, 8)) if np.isfinite(v) else 1 for v in usual)
    resets, warm, span = max(round(4 * effort), 1), _warm(effort), 60
    boil: list[float] = []
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
                if speed == 1 and t >= warm and t % 12 == 0:
                    boil.append(motion.residual(recent[-2], frame))
            for back in (4, 0):
                if seed == 0:
                    out.show("speed", f"speed {speed:g}" + (f", {back} frames before" if back else ""),
                             recent[-1 - back], seen_by(player))  # fmt: skip
        mine = known_mean(np.array(found))
        for band, name in enumerate(BAND_NAMES):
            out.add(f"motion.{speed:g}.{name}", ratio(mine[band], real[band]), "x", 0.8, 1.25,
                    f"{mine[band]:.2f} px a frame, footage {real[band]:.2f}{note}")  # fmt: skip
        out.add(f"motion.{speed:g}.parallax", ratio(mine[2] * real[0], mine[0] * real[2]), "x", 0.8, 1.25,
                f"near : far {ratio(mine[2], mine[0]) or 0:.1f}, footage {ratio(real[2], real[0]) or 0:.1f}")  # fmt: skip
    told = footage.controls[1:, 0]
    moving = np.flatnonzero(np.abs(told - 1) <= max(0.1, np.sort(np.abs(told - 1))[min(30, len(told) - 1)])) + 1
    moving = moving[np.linspace(0, len(moving) - 1, min(30, len(moving))).astype(int)]
    real = [motion.residual(footage.frames[t - 1], footage.frames[t]) for t in moving]
    out.add("motion.boil", ratio(np.mean(boil), np.mean(real)), "x", None, 1.5,
            f"change that motion does not explain: {np.mean(boil) * 255:.2f}/255, footage {np.mean(real) * 255:.2f}")  # fmt: skip
    return out


def _band_motion(motion: Motion, recent, reach) -> np.ndarray:
    """px a frame (3,), each band seen over its own number of frames, so that slow layers move by some pixels."""
    by_reach = {r: motion.by_band(recent[-1 - r], recent[-1]) for r in set(reach)}
    return np.array([by_reach[r][band] / r for band, r in enumerate(reach)])


def _real_motion(motion: Motion, footage: Reference, speed: float, reach, count: int) -> tuple[np.ndarray, str]:
    """Band speeds of the footage at `speed`: frames of about that speed, scaled to it. And a remark if none is near."""
    longest = max(reach)
    clips = [(start, stop) for start, stop in footage.clips if stop - start > longest + 1]
    ends = np.concatenate([np.arange(start + longest + 1, stop) for start, stop in clips] or [[]]).astype(int)
    if not len(ends):
        return np.full(3, np.nan), " (the footage's clips are too short)"
    told = footage.controls[:, 0].astype(np.float64)
    paces = np.array([told[t - longest + 1 : t + 1].mean() for t in ends])
    uneven = np.array([np.ptp(told[t - longest + 1 : t + 1]) for t in ends]) >= 0.3
    off = np.abs(paces - speed) + uneven
    near = np.argsort(off, kind="stable")[: max((off < 0.1).sum(), count)]
    chosen = near[np.linspace(0, len(near) - 1, min(count, len(near))).astype(int)]
    rows = [
        _band_motion(motion, footage.frames[ends[i] - longest : ends[i] + 1], reach) * speed / paces[i]
        for i in chosen
        if paces[i] > 0.05
    ]
    note = "" if (off[chosen] < 0.25).mean() > 0.5 else f" (scaled: footage has no speed near {speed:g})"
    return known_mean(np.array(rows) if rows else np.full((1, 3), np.nan)), note


def _warm(effort: float) -> int:
    """Frames until what is shown is the player's own."""
    return round(60 * min(2 * effort, 1))


def standing(player: Player, footage: Reference, tell: Tell, effort: float = 1.0) -> Findings:
    """Told to stand: after half a second nothing moves or creeps for two more."""
    out, motion, fps = Findings(), Motion(), footage.fps
    tell(0.0, "standing")
    settle, stay = round(fps / 2), round(2 * fps)
    creep, changes = [], []
    for seed in range(2):
        player.reset(200 + seed)
        table = footage.controls[told_plan(footage.clips, _warm(effort), seed)].copy()
        table[:, 0] = 1.0
        for _ in play(player, table):
            pass
        still = np.repeat(table[-1:], settle + stay, 0)
        still[:, 0:4] = 0
        shown = list(play(player, still))[settle:]
        creep.append(np.nanmax(np.abs(np.append(motion.by_band(shown[0], shown[-1]), 0.0))))
        changes += [measures.change(a, b) for a, b in pairwise(shown)]
        if seed == 0:
            out.show("speed", "standing", shown[0], seen_by(player))
            out.show("speed", f"standing, {stay} frames on", shown[-1], seen_by(player))
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
    table, told = pulses(max(round(20 * effort), 2), seed)
    player.reset(seed)
    edges, shown, wanted = Edges(footage), {}, {}
    for t, band in told[3:]:
        if band not in wanted:
            wanted[band] = {t - 1: "before", t + 3: "3 frames after", t + 8: "8 after", t + 14: "14 after"}
    for t, frame in enumerate(play(player, table)):
        edges.look(frame)
        for band, moments in wanted.items():
            if t in moments:
                shown[band, t] = frame
        if t % 100 == 0:
            tell(t / len(table), "events")
    for band in range(3):
        for t, label in wanted.get(band, {}).items():
            out.show("events", f"{BAND_NAMES[band]}, {label}", shown[band, t], seen_by(player))
    _response(out, edges.energy, told, footage)
    _timing(out, edges.signal, told)
    return out


def _response(out: Findings, energy: np.ndarray, told, footage: Reference) -> None:
    """Energy per band in the pulse's window (at the band's constant delay) against quiet times."""
    busy = np.zeros((len(energy), 3), bool)  # a band is quiet if neither it nor another was told lately
    for t, _ in told:
        busy[t : t + PULSE + 12] = True
    busy[:60] = True
    quiet = np.array([energy[~busy[:, b], b].mean() for b in range(3)])
    some = footage.sample(2000)
    controls, real = footage.controls[some], footage.edges(some).energy
    delayed = []
    for band in range(3):
        times = [t for t, b in told if b == band]
        delayed.append([np.mean([energy[t + late : t + late + PULSE] for t in times], (0, 1)) for late in range(7)])
    own = [max(means[band] for means in delayed[band]) for band in range(3)]
    spills = natural_crosstalk(footage.frames[some], controls)
    for band, name in enumerate(BAND_NAMES):
        by_delay = delayed[band]
        late = int(np.argmax([means[band] for means in by_delay]))
        ratios = by_delay[late] / np.maximum(quiet, 1e-9)
        strong, calm = real[controls[:, 1 + band] >= 0.8, band], real[controls[:, 1 + band] <= 0.1, band]
        natural = strong.mean() / max(calm.mean(), 1e-9) if len(strong) and len(calm) else float("nan")
        scale = measures.as_controls(np.stack([quiet, by_delay[late]]), footage.usual["entry_low"], footage.usual["entry_high"])
        out.add(f"events.{name}.response", ratios[band], "x", 4.0, None,
                f"energy told : not told, {late} frames late; footage, strong : calm, {natural:.0f}x")  # fmt: skip
        out.add(f"events.{name}.strength", scale[1, band], "", 0.5, 1.6,
                f"what enters when 1 is told, on the scale of the control; when 0 is told {scale[0, band]:.2f}")  # fmt: skip
        others = [b for b in range(3) if b != band]
        worst = max(others, key=lambda b: ratios[b])
        words = ", ".join(f"{BAND_NAMES[b]} {ratios[b]:.2f} (in the footage {spills[band, b]:.1f})" for b in others)
        out.add(f"events.{name}.crosstalk", ratios[worst], "x", None, 1.5, f"energy in {words}")
        leaks = {b: by_delay[late][b] / max(own[b], 1e-9) * 100 for b in others}
        words = ", ".join(f"{BAND_NAMES[b]} {leaks[b]:.1f}" for b in others)
        out.add(f"events.{name}.leak", max(leaks.values()), "%", note=f"of what enters there when it is told: {words}")


def natural_crosstalk(frames: np.ndarray, controls: np.ndarray) -> np.ndarray:
    """How much of what enters in a band is seen in the others, in footage: its feet, its top. frames (N, H, W, 3) uint8, controls
    (N, 6) -> (told band, band seen) energy while something enters in the one, and nothing in that part of the other which is no
    neighbour of it, against energy while all is calm; NaN where that never happens."""
    H, power = frames.shape[1], measures.entering_rows(frames)
    calm, out = (controls[:, 1:4] <= 0.1).all(1), np.full((3, 3), np.nan)
    for band, other in permutations(range(3), 2):
        seen = measures.rows(other, H)
        near, tall = FEET * H, np.arange(H)[seen]
        mine = np.arange(H)[measures.rows(band, H)]
        apart = power[:, tall[(tall < mine[0] - near) | (tall > mine[-1] + near)]].mean(1)
        alone = (controls[:, 1 + band] >= 0.8) & (apart <= 2 * np.median(apart))
        if alone.any() and calm.any():
            out[band, other] = power[alone][:, seen].mean() / max(power[calm][:, seen].mean(), 1e-9)
    return out


def _timing(out: Findings, signal: np.ndarray, told) -> None:
    """F-measure of detected entries within +-2 frames of the pulses, after each band's constant delay."""
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
    shown, view = list(play(player, table)), seen_by(player)
    follows = measures.light(np.stack(shown), footage.usual)
    for k, name in enumerate(("brightness", "warmth")):
        mine, wave = follows[int(fps) :, k], table[int(fps) :, 4 + k]
        correlation = np.corrcoef(mine, wave)[0, 1] if mine.std() > 1e-6 else 0.0
        gain = float(np.polyfit(wave, mine, 1)[0])
        out.add(f"light.{name}.follows", correlation, "r", 0.8, None,
                f"correlation with slow waves told; gain {gain:.2f} (1: as told)")  # fmt: skip
        for value in (-0.75, 0.75):
            at = int(np.argmin(np.abs(wave - value))) + int(fps)
            out.show("light", f"{name} {value:+g}", shown[at], view)
        tell(0.4 + 0.3 * k, "light")
        seconds, end, kept = _step_of_light(player, footage, k, max(round(8 * effort), 3))
        out.add(f"light.{name}.settles", seconds, "s", None, 1.0,
                f"until 80 % of the answer to a step; at 3 s it is {end:.2f} of what was told")  # fmt: skip
        out.add(f"light.{name}.detail", kept, "x", 0.75, None,
                "slope energy 4 frames after a sudden step against before; 1: the picture is what it was")  # fmt: skip
    return out


def _step_of_light(player: Player, footage: Reference, which: int, steps: int) -> tuple[float, float, float]:
    """Steps between -0.6 and 0.6: seconds until the mean answer is there, how much of it comes, share of detail that stays.

    Detail is slope energy in the left 60 % of the picture; how it changes in the 4 frames after the step, beyond what
    light does, is held against how it changes in 4 frames without a step.
    """
    fps, length = footage.fps, int(3 * footage.fps)
    table = footage.controls[told_plan(footage.clips, (steps + 1) * length, 6 + which)].copy()
    table[:, 0], table[:, 4:6] = 1, 0
    signs = np.where(np.arange(steps + 1) % 2, 0.6, -0.6)
    table[:, 4 + which] = np.repeat(signs, length)
    player.reset(6 + which)
    seen, detail = [], {}
    for t, frame in enumerate(play(player, table)):
        seen.append(measures.light(frame[None], footage.usual)[0, which])
        if t % length in (length - 1, 3, length // 2 - 4, length // 2):
            left = frame[None, :, : frame.shape[1] * 6 // 10]
            detail[t] = measures.gradient_energy(left), float(measures.luma(left).mean())
    answers, kept = [], []
    for k in range(1, steps + 1):
        at, rest_at = k * length, k * length + length // 2
        before = np.mean(seen[at - int(fps) : at])
        answers.append((np.array(seen[at : at + length]) - before) / (signs[k] - signs[k - 1]))
        step, rest = (_unexplained(detail[a], detail[b]) for a, b in ((at - 1, at + 3), (rest_at - 4, rest_at)))
        kept.append(step - rest)  # lost or made up, more than passing by does
    smooth = np.convolve(np.pad(np.mean(answers, 0), 2, mode="edge"), np.ones(5) / 5, "valid")
    return measures.settling(smooth) / fps, float(smooth[-length // 3 :].mean()), float(np.exp(-np.mean(kept)))


def _unexplained(before: tuple[float, float], after: tuple[float, float]) -> float:
    """|log| of the change of slope energy that no light explains. Both are (slope energy, mean luma).

    Light that is scaled changes it with the luma squared, light that is added not at all; both are right.
    """
    change, brighter = (np.log(max(b, 1e-9) / max(a, 1e-9)) for a, b in zip(before, after, strict=True))
    return float(max(min(0, 2 * brighter) - change, change - max(0, 2 * brighter), 0))


def known_mean(rows: np.ndarray) -> np.ndarray:
    """Mean over rows that know it; NaN where none does."""
    known = np.isfinite(rows)
    return np.where(known.any(0), np.where(known, rows, 0).sum(0) / np.maximum(known.sum(0), 1), np.nan)
