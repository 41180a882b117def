"""Does the picture play the music? Drums whose times are known, against what is seen to enter.

The controls of a whole piece are told to a player; what comes in at the leading edge is found in its frames alone, and
held against the drums: from the drum to the eye, ear and network included. With the controls shuffled in time the figure
must fall to chance, else it says nothing. Knows no sound and no network.
"""

import numpy as np

from vj.train import measures
from vj.train.report import Findings
from vj.train.trials import BAND_NAMES, Player, Reference, Tell, play

COLUMNS = 4 / 160  # share of the width in which entering is watched: dense drums come in close behind one another
NEAR = 2  # frames that an entry may be off, after the band's constant delay
LONGEST_DELAY = 9  # frames
SHUFFLES = 40
TOLD = 0.25  # a control that rises by so much tells of something new


def judge_music(player: Player, footage: Reference, controls: np.ndarray, drums: dict[str, np.ndarray], tell: Tell,
                seed: int = 1) -> Findings:  # fmt: skip
    """controls (T, 6): what a piece tells, a row a model frame; drums: band -> frames (n,) at which its drum sounds."""
    out = Findings()
    player.reset(seed)
    shapes = _watch(player, controls, out, lambda share: tell(0.5 * share, "music"))
    player.reset(seed)
    deaf = _watch(player, shuffled(controls, seed), None, lambda share: tell(0.5 + 0.5 * share, "music, shuffled"))
    rng = np.random.default_rng(seed)
    for band, name in enumerate(BAND_NAMES):
        truth = np.asarray(drums.get(name, ()), float)
        truth = truth[(truth >= 30) & (truth < len(controls) - LONGEST_DELAY)]
        found, lost = (found_entries(energy[:, band]) for energy in (shapes, deaf))
        told = rises(controls[:, 1 + band])
        if not len(truth):
            out.add(f"music.{name}", None, "F", note="no such drum in the piece")
            continue
        score, late = best_f(found, truth)
        shifts = rng.integers(12, len(controls) - 12, SHUFFLES)
        lucky = [best_f(found, np.sort((truth + shift) % len(controls)))[0] for shift in shifts]
        heard, _ = best_f(told, truth)
        obeyed, _ = best_f(found, told)
        out.add(f"music.{name}", score, "F", 0.85, None,
                f"{len(found)} entries for {len(truth)} drums, {late} frames late; the ear told {len(told)} (F {heard:.2f}), "
                f"of which obeyed F {obeyed:.2f}; chance {np.mean(lucky):.2f}")  # fmt: skip
        out.add(f"music.{name}.shuffled", best_f(lost, truth)[0], "F", None, float(np.mean(lucky)) + 0.12,
                "the same with the controls shuffled in time: no better than chance")  # fmt: skip
        spacing = float(np.median(np.diff(truth))) if len(truth) > 1 else float("nan")
        out.add(f"music.{name}.spacing", spacing, "frames", note="median time from one drum to the next")
    return out


def shuffled(controls: np.ndarray, seed: int, piece: int = 17) -> np.ndarray:
    """The same rows in pieces of `piece` frames, in another order."""
    pieces = np.array_split(np.arange(len(controls)), max(len(controls) // piece, 2))
    order = np.random.default_rng(seed).permutation(len(pieces))
    return controls[np.concatenate([pieces[k] for k in order])]


def rises(control: np.ndarray) -> np.ndarray:
    """Frames at which a control (T,) jumps up: it tells of something new."""
    return np.flatnonzero(np.diff(control, prepend=control[0]) > TOLD)


def found_entries(energy: np.ndarray) -> np.ndarray:
    """Frames at which something comes in, from one band's energy (T,) at the edge: rises that stand out, on its root.

    A rise counts from a fifth of the way between what is usual and what is strong, over the least of the three frames before.
    """
    level = np.sqrt(energy)
    low, high = np.percentile(level, [25, 95])
    least = np.minimum.reduce([np.concatenate([np.full(k, level[0]), level[: len(level) - k]]) for k in (1, 2, 3)])
    rise = level - least
    need = max(0.2 * (high - low), 1e-4)
    found: list[int] = []
    for t in range(1, len(level)):
        if rise[t] > need and (not found or t - found[-1] > 3):
            found.append(t)
    return np.array(found, int)


def best_f(found: np.ndarray, truth: np.ndarray) -> tuple[float, int]:
    """(F-measure within +-NEAR frames, the constant delay at which it is best, 0..LONGEST_DELAY frames)."""
    scores = [measures.f_measure(np.asarray(found, float) - late, truth, NEAR) for late in range(LONGEST_DELAY + 1)]
    late = int(np.argmax(scores))
    return scores[late], late


def _watch(player: Player, controls: np.ndarray, out: Findings | None, tell) -> np.ndarray:
    """Energy (T, 3) at the edge for each band of what is played; some of it is shown."""
    energy, width = [], player.size[1]
    columns = max(round(COLUMNS * width), 2)
    moments = set(np.linspace(60, len(controls) - 1, 12).astype(int))
    for t, frame in enumerate(play(player, controls)):
        strip = luma_slopes(frame[:, -columns - 1 :], width)
        energy.append([strip[measures.rows(band, frame.shape[0])].mean() for band in range(3)])
        if out is not None and t in moments:
            out.show("music", f"{t}", frame)
        if t % 100 == 0:
            tell(t / len(controls))
    return np.array(energy)


def luma_slopes(strip: np.ndarray, width: int) -> np.ndarray:
    """(H, w, 3) uint8 -> (H, w - 1): squared horizontal slope of luma, as in a picture 160 px wide."""
    return (np.diff(measures.luma(strip), axis=1) * (width / 160)) ** 2
