"""Does the picture play the music? Drums whose times are known, against what is seen to enter.

The controls of a whole piece are told to a player; what comes in at the leading edge is found in its frames alone, and
held against the drums: from the drum to the eye, ear and network included. With the controls shuffled in time the figure
must fall to chance, else it says nothing. Knows no sound and no network.
"""

import numpy as np

from vj.train import measures
from vj.train.report import Findings
from vj.train.trials import BAND_NAMES, Player, Reference, Tell, play, seen_by

COLUMNS = 1 / 160  # share of the width in which entering is watched: dense drums come in close behind one another
PLAIN, FULL = 0.03, 4.0  # added to how much a row varies; by how many times that it must differ to be a thing's in full
BACK, OVER = 3, 3  # frames back, over the most of which it must rise; frames over which what rises is summed
CLEAR = 0.4  # share of the strong (97 %) rises that an entry must reach
APART = 4  # frames from one entry to the next, at least
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
        found, lost = (found_entries(seen[:, measures.rows(band, seen.shape[1])]) for seen in (shapes, deaf))
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


def standing(frame: np.ndarray) -> np.ndarray:
    """How much stands in each row at the leading edge: (H, W, 3) uint8 -> (H,), 0..FULL.

    How far it is from what the row usually is, its median over the picture, against how far the row's pixels usually are.
    """
    pixels = frame.astype(np.float32) / 255
    edge, half = pixels[:, -max(round(COLUMNS * frame.shape[1]), 1) :].mean(1), pixels[:, ::2]
    usual = np.median(half, axis=1)
    varies = np.median(np.abs(half - usual[:, None]).mean(2), axis=1)
    return (np.abs(edge - usual).mean(1) / (varies + PLAIN)).clip(max=FULL)


def found_entries(stands: np.ndarray) -> np.ndarray:
    """Frames at which something comes in, from what stands in a band's rows (T, h): where it grows in many rows at once.

    As spectral flux finds onsets (Dixon 2006), with rows for frequencies: rises over the most of the frames before, summed,
    and of these the peaks. A house is one thing so; by slopes each of its windows was another. In a film that is drawn to
    drums (tests/test_music.py) nearly every one is found.
    """
    before = [np.concatenate([stands[:1].repeat(k, 0), stands[:-k]]) for k in range(1, BACK + 1)]
    flux = (stands - np.maximum.reduce(before)).clip(min=0).mean(1)
    rise = np.convolve(flux, np.ones(OVER), "same")
    least = max(CLEAR * np.percentile(rise, 97), 1e-4)
    found: list[int] = []
    for t in range(1, len(rise)):
        most = rise[max(t - APART + 1, 0) : t + APART].max()
        if rise[t] > least and rise[t] >= most and (not found or t - found[-1] > APART):
            found.append(t)
    return np.array(found, int)


def best_f(found: np.ndarray, truth: np.ndarray) -> tuple[float, int]:
    """(F-measure within +-NEAR frames, the constant delay at which it is best, 0..LONGEST_DELAY frames)."""
    scores = [measures.f_measure(np.asarray(found, float) - late, truth, NEAR) for late in range(LONGEST_DELAY + 1)]
    late = int(np.argmax(scores))
    return scores[late], late


def _watch(player: Player, controls: np.ndarray, out: Findings | None, tell) -> np.ndarray:
    """What stands at the leading edge of all that is played, (T, H); some of it is shown."""
    stands = []
    moments = set(np.linspace(60, len(controls) - 1, 12).astype(int))
    for t, frame in enumerate(play(player, controls)):
        stands.append(standing(frame))
        if out is not None and t in moments:
            out.show("music", f"{t}", frame, seen_by(player))
        if t % 100 == 0:
            tell(t / len(controls))
    return np.array(stands)
