"""A thing under way, as the picture draws it: sampled at each part of a pixel that it may stand at, in the picture's own pixels
and, where detail is known (vj.model.finer), in finer ones. Knows no controls and no world.

Source: cover that is sampled as colours are (Porter and Duff 1984).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from vj.model import transport
from vj.model.finer import TIMES, Added, larger
from vj.model.sprites import Fine, Sprite

THIN = 1e-3  # cover that is none
UNSAMPLED, SHARPER = transport.QUARTERS.index(0), (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)  # of the phases; shares, see _as_steep
UNSURE = 0.05  # of a cover that is none or all, so that edges are about a fine px wide
MARGIN = 4  # px around a thing, where detail is made


@dataclass(slots=True)
class Guest:
    """One thing that is under way."""

    sprite: Sprite
    phases: np.ndarray  # (4, 4, H, width + 2 * PAD): at each phase of transport its colours, times its cover, and that
    light: np.ndarray  # (3,), by which its colours are multiplied now
    number: int
    gone: float = 0.0  # px, from the leading edge to its front

    def draw(self, picture: np.ndarray, pace: np.ndarray) -> None:
        """Over this picture (3, H, W) 0..1; its pace in pace (H, W) where it is seen."""
        whole, phase = divmod(round(self.gone * 4) + 1, 4)
        start = picture.shape[2] - whole - transport.PAD
        place = _over(picture, self.phases[phase], start, 0, self.light)
        if place is not None:
            rows, columns, cover = place
            pace[rows, columns] = np.where(cover > 0.5, self.sprite.pace, pace[rows, columns])

    def draw_fine(self, picture: np.ndarray) -> None:
        """Over this picture (3, 2 H, 2 W), in fine px."""
        fine = self.sprite.fine
        if fine is not None:
            whole, half = divmod(round(self.gone * 2 * TIMES), 2)
            start = picture.shape[2] - whole - transport.PAD - fine.left
            _over(picture, fine.halves[half], start, fine.top, self.light)


def _over(picture: np.ndarray, seen: np.ndarray, start: int, top: int, light: np.ndarray):
    """Draws layers (4, h, w) over a picture from this column and row on; (rows, columns, cover) of what is seen of it."""
    first, last = max(0, -start), min(picture.shape[2] - start, seen.shape[2])
    if first >= last:
        return None
    rows, columns = slice(top, top + seen.shape[1]), slice(start + first, start + last)
    seen = seen[:, :, first:last]
    part = picture[:, rows, columns]
    part *= 1 - seen[3]
    part += seen[:3] * light[:, None, None]
    return rows, columns, seen[3]


def begun(sprite: Sprite, ground: np.ndarray, light: np.ndarray, number: int, lead: float) -> Guest:
    """A thing that begins to enter, before land of these colours (3,), in this light (3,)."""
    return Guest(sprite, _phases(sprite, ground), light, number, lead)


def _phases(sprite: Sprite, land: np.ndarray) -> np.ndarray:
    """As Guest has them, before land of these colours (3,)."""
    cover = (sprite.belongs if sprite.cover is None else sprite.cover)[None]
    layers = np.concatenate([sprite.colours * cover, cover]).astype(np.float32)
    rows = sprite.belongs.any(1)  # for it is asked in a frame of the show: of the rest hardly anything is seen
    return _sampled(layers, lambda x: transport.phases(x, False)[0], UNSAMPLED, land, rows)


def sampled(fine: Fine, land: np.ndarray) -> Fine:
    """With its halves, before land of these colours (3,)."""
    rows = np.ones(fine.layers.shape[1], bool)
    return replace(fine, halves=_sampled(fine.layers, lambda x: torch.cat([x, transport.halfway(x)]), 0, land, rows))


def _sampled(layers: np.ndarray, phases, unsampled: int, land: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """layers (4, h, w) at each of the phases (P, 4, h, w + 2 PAD) that phases(x) makes of x (1, 4, h, w + 2 PAD). A cover below 0
    or above 1, as the window's slopes make it, is none or all. rows bool (h,): where they are made as steep as what is not
    sampled."""
    layers = np.pad(layers, ((0, 0), (0, 0), (transport.PAD, transport.PAD)))
    phases = phases(torch.from_numpy(layers)[None]).numpy()
    cover = phases[:, 3:]
    phases = phases * cover.clip(0, 1) / np.where(np.abs(cover) < THIN, np.inf, cover)
    phases[:, :, rows] = _as_steep(phases[:, :, rows], land, unsampled)
    return phases


def _as_steep(phases: np.ndarray, land: np.ndarray, unsampled: int) -> np.ndarray:
    """phases (P, 4, H, W), colours times cover and cover, before land (3,): what is sampled between two px is a mean of these,
    and paler. It gets more of what its neighbours across have not (unsharp masking), never beyond them, lest edges ring: of
    SHARPER what makes it most nearly as steep as the phase that is not sampled. Else things would flicker as they pass."""
    around = np.pad(phases, ((0, 0), (0, 0), (0, 0), (1, 1)))
    before, after = around[..., :-2], around[..., 2:]
    least, most = (edge(edge(before, after), phases) for edge in (np.minimum, np.maximum))
    finer = phases - (before + after) / 2
    tried = np.stack([(phases + share * finer).clip(least, most) for share in SHARPER])
    steep = np.square(np.diff(tried[:, :, :3] - tried[:, :, 3:] * land[:, None, None])).sum((2, 3, 4))
    return tried[np.abs(steep - steep[0, unsampled]).argmin(0), np.arange(len(phases))]


@torch.inference_mode()
def refined(net: Added, sprite: Sprite, ground: np.ndarray, light: np.ndarray) -> Fine | None:
    """A thing in fine px, as the network draws it before land of these colours (3,), in this light (3,); None: it is nothing.

    Its outline is that of its cover's log odds, twice as large and twice as steep.
    """
    if not sprite.width:
        return None
    rows = np.flatnonzero(sprite.belongs.any(1))
    tall = sprite.belongs.shape[0]
    top, bottom = max(rows[0] - MARGIN, 0), min(rows[-1] + 1 + MARGIN, tall)
    cover = (sprite.belongs if sprite.cover is None else sprite.cover).astype(np.float32)[top:bottom, : sprite.width]
    colours = sprite.colours[:, top:bottom, : sprite.width] * cover
    cover, colours = (np.pad(each, [(0, 0)] * (each.ndim - 1) + [(MARGIN, MARGIN)]) for each in (cover, colours))
    before = (colours + ground[:, None, None] * (1 - cover)) * light[:, None, None]
    before = torch.from_numpy(before.astype(np.float32)).clamp(0, 1).to(net.layers[0].weight.device)
    drawn = net.enlarged(before[None])[0].clamp(0, 1).cpu().numpy()
    sure = np.clip(cover, UNSURE, 1 - UNSURE)
    odds = torch.from_numpy(np.log(sure / (1 - sure)))[None, None]
    cover = torch.sigmoid(TIMES * larger(odds))[0].numpy()
    cover = np.where(cover < UNSURE**TIMES * 2, 0, cover)
    colours = drawn / np.maximum(light, THIN)[:, None, None] - (1 - cover) * ground[:, None, None]
    layers = np.concatenate([colours.clip(0, None) * (cover > 0), cover]).astype(np.float32)
    return sampled(Fine(layers, TIMES * int(top), TIMES * MARGIN), ground)
