"""What a network keeps of its footage beside what it learns: first pictures, and how the colours of rows hang together.

Measured in the training part. Knows the network's shapes only.
"""

import numpy as np
import torch

from vj.model.entering import RESTS
from vj.model.net import MODES
from vj.signals import LUMA
from vj.train.footage import Footage

THINGS = 0.05  # share of a row's pixels, at either end, that are things in it, and not what it is
UNSURE, PER_MODE = 0.01, 40  # of a row's colour, in the mean luma; frames that are to tell each principal component
TRIED = 40  # pictures of which one is a first picture
CALM, LONGEST = (14, 14, 30), 90  # frames at speed 1 in which nothing entered far, in the middle, near; frames looked at for that
Stretches = list[tuple[int, int]]  # of frames, as in Dataset.training


def first_pictures(footage: Footage, training: Stretches, count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """First pictures of all its scenes, of each one at least and else as many as its share of the footage, as first_frames gives
    them; and the scene (count,) of each."""
    within = [scene.within(training) for scene in footage.scenes]
    share = np.array([sum(stop - start for start, stop in pieces) for pieces in within], float)
    many = (share > 0).astype(int)
    while many.sum() < count:
        many[np.argmax(share / (many + 0.5))] += 1
    found = [first_frames(footage, pieces, int(each)) for pieces, each in zip(within, many, strict=True) if each]
    frames, speeds = (torch.cat([each[part] for each in found]) for part in (0, 1))
    return frames, speeds, torch.repeat_interleave(torch.arange(len(many)), torch.from_numpy(many)).float()


def first_frames(footage: Footage, training: Stretches, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Good first pictures, from all over the training part: it moves, nothing is just entering, nothing near passes, for of what
    the picture holds each pixel is carried on by itself; and most is to be seen.

    Each above the frame before it, uint8 (count, 6, H, W), and the speeds (count,) between the two.
    """
    picked = []
    where = np.concatenate([np.arange(start + 1, max(stop, start + 2)) for start, stop in training])
    for part in np.array_split(where, count):
        part = part if len(part) else where
        candidates = part[:: max(1, len(part) // TRIED)]
        moving = [i for i in candidates if footage.controls[i, 0] > 0.5] or candidates
        busy = np.array([_busy(footage.controls, i) for i in moving])
        calm = [i for i, much in zip(moving, busy, strict=True) if much <= max(RESTS, busy.min())]
        detail = [np.abs(np.diff(footage.frames[i].astype(np.float32), axis=1)).mean() for i in calm]
        picked.append(int(calm[int(np.argmax(detail))]))
    pairs = np.stack([footage.frames[[i, max(i - 1, 0)]] for i in picked])
    speeds = torch.from_numpy(footage.controls[picked, 0].copy())
    return torch.from_numpy(pairs).permute(0, 1, 4, 2, 3).flatten(1, 2).contiguous(), speeds


def _busy(controls: np.ndarray, at: int) -> float:
    """How much has entered shortly before that frame: the greatest entry control, of what is near for longer."""
    gone = np.cumsum(controls[max(at - LONGEST, 0) : at + 1, 0][::-1])
    entry = controls[max(at - LONGEST, 0) : at + 1, 1:4][::-1]
    return max(float(entry[gone <= max(long, gone[0]), band].max()) for band, long in enumerate(CALM))


def rows_colours(footage: Footage, training: Stretches, most: int = 900) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each row's median colour, in the frame's mean luma, over the training part: the 2nd and 98th percentile (2, 3, H);
    and how they hang together (6 + MODES, 3, H), see Net.profile: principal components of their rows (Pearson 1901), fewer
    where the footage is short."""
    where = np.concatenate([np.arange(a, b) for a, b in training])
    some = footage.frames[where[:: max(1, len(where) // most)]][:, :, ::4].astype(np.float32)
    luma = (some @ np.array(LUMA, np.float32)).mean((1, 2)).clip(1)[:, None, None, None]
    pixels = (some / luma).transpose(0, 3, 1, 2)  # (n, 3, H, W / 4)
    rows = np.median(pixels, axis=3)
    mean, spread = rows.mean(0), rows.std(0) + UNSURE
    whole = ((rows - mean) / spread).reshape(len(rows), -1)
    modes = np.zeros((MODES, whole.shape[1]))
    count = min(MODES, len(rows) // PER_MODE)
    modes[:count] = np.linalg.svd(whole, full_matrices=False)[2][:count]
    together = mean + (whole @ modes.T @ modes).reshape(rows.shape) * spread
    low, high = np.percentile(rows - together, [2, 98], axis=0)
    few = slice(None, None, max(1, len(rows) // 200))
    each = pixels[few] - together[few, ..., None]
    dark, light = np.percentile(each, [100 * THINGS, 100 * (1 - THINGS)], axis=(0, 3))
    bounds = [low - UNSURE, high + UNSURE, np.minimum(dark, low) - UNSURE, np.maximum(light, high) + UNSURE]
    profile = np.concatenate([[mean, spread, *bounds], modes.reshape(MODES, *mean.shape)])
    return tuple(torch.from_numpy(part.astype(np.float32)) for part in (np.percentile(rows, [2, 98], axis=0), profile))
