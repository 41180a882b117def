"""What passes: things that the music lets in, from their first column at the leading edge until the last has left the picture.

A thing begins where its band's entry control rises. It was made before (vj.model.sprites), comes in column by column at the
pace that it was made with, and goes on as one: a layer of its own before the land, which never knows of it and so is whole
behind it (vj.model.world). Nearer things, which are the faster ones, stand before farther ones.

Knows the network and the controls; no music.

Source: a scene of layers, each with its motion, of which only the nearest is seen (Wang and Adelson 1994), as sprites are drawn
over a background, with cover that is sampled as colours are (Porter and Duff 1984).
"""

import math
from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from vj.model import transport
from vj.model.entering import AGAIN, VISIBLE, Entering, visible
from vj.model.latents import CELL
from vj.model.net import Net
from vj.model.sprites import LATENTS, Making, Sprite, scene
from vj.signals import BANDS

WILD = 1.05  # of the noise things are made of: with less they are paler than in the footage
LEAD = 8  # px of a thing that may have entered before anybody would see it, at most
WEAK, COMPARED = 0.6, 16  # of what those last made have in the middle, a strength that is too weak to be let in
PIECE = 0.8  # of a thing that must be of one piece
FAINT, SMALL = 0.15, 24  # mean difference from the land, in the picture's mean, and px, below which a thing is none
READY = 4  # things of each band that wait to be let in
ROOM = 1.5  # times as wide as the way to the next, at the rhythm of the last ones, a thing may be
THIN = 1e-3  # cover that is none
UNSAMPLED, SHARPER = transport.QUARTERS.index(0), (0.0, 0.25, 0.5, 1.0, 1.5, 2.0)  # of the phases; shares, see _as_steep
RHYTHM = 0.5  # how much the newest gap counts in that


@dataclass(slots=True)
class _Guest:
    sprite: Sprite
    phases: np.ndarray  # (4, 4, H, width + 2 * PAD): at each phase of transport its colours, times its cover, and that
    light: np.ndarray  # (3,), by which its colours are multiplied now
    number: int
    gone: float = 0.0  # px, from the leading edge to its front


class Passing:
    """All things that are under way in one world, and those that wait to be let in."""

    def __init__(self, net: Net):
        self.net, self._size = net, (net.config.height, net.config.width)
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Nothing is under way; the same seed makes the same things of the same pictures and controls."""
        self._random = np.random.default_rng(seed)
        self._entering = Entering(self.net.sprites.lasts.cpu().numpy(), again=AGAIN)
        self._guests: list[_Guest] = []
        self._ready: list[list[tuple[float, Sprite]]] = [[] for _ in BANDS]
        self._gaps = np.full(len(BANDS), math.inf)  # frames at speed 1 between the last ones of each band
        self._strengths = [deque(maxlen=COMPARED) for _ in BANDS]  # of those last made
        self._making: Making | None = None
        self._count = 0

    @property
    def known(self) -> np.ndarray:
        """bool (bands,): of which things are known."""
        return self.net.sprites.paces[:, 0].cpu().numpy() > 0

    def turn(self, land: torch.Tensor, controls: torch.Tensor, busy: bool = False) -> None:
        """A step further under these controls (1, 6), from this picture of the land (1, 3, H, W). busy: something else is made
        in this frame."""
        told = controls[0].cpu().numpy()
        self._entering.lasts = self.net.sprites.lasts.cpu().numpy()  # newer weights may have come
        since = self._entering.since
        begins = self._entering.turn(told) & self.known
        if self.known.any():
            colours, mean = scene(land)
            for band in np.flatnonzero(begins):
                gap = float(since[band] + told[0])
                mine = self._gaps[band]
                self._gaps[band] = gap if math.isinf(mine) or math.isinf(gap) else mine + RHYTHM * (gap - mine)
                self._begin(self._taken(int(band), float(told[1 + band]), colours), int(band), colours, mean)
            if not busy:
                self._prepare(colours)
        for guest in self._guests:
            guest.gone += guest.sprite.pace * float(told[0])
        self._guests = [guest for guest in self._guests if guest.gone - guest.sprite.width < self._size[1]]

    def lit(self, light: torch.Tensor) -> None:
        """The light has changed: by so much (1, 3) each colour was multiplied."""
        factor = light[0].float().cpu().numpy()
        for guest in self._guests:
            guest.light = guest.light * factor

    def over(self, land: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The picture of this land (3, H, W) 0..1 with the things before it, and how fast what is seen of them passes, px a frame
        at speed 1, (H, W), NaN where the land is seen. Each thing is sampled once, at its own quarter of a px."""
        picture, pace, W = land.copy(), np.full(land.shape[1:], np.nan, np.float32), self._size[1]
        for guest in sorted(self._guests, key=lambda each: (each.sprite.pace, each.number)):
            whole, phase = divmod(round(guest.gone * 4) + 1, 4)
            start = W - whole - transport.PAD
            first, last = max(0, -start), min(W - start, guest.phases.shape[3])
            if first >= last:
                continue
            here, seen = np.s_[:, start + first : start + last], guest.phases[phase, :, :, first:last]
            cover = seen[3]
            part = picture[(slice(None), *here)]
            part *= 1 - cover
            part += seen[:3] * guest.light[:, None, None]
            pace[here] = np.where(cover > 0.5, guest.sprite.pace, pace[here])
        return picture.clip(0, 1, out=picture), pace

    def _begin(self, sprite: Sprite, band: int, colours: torch.Tensor, mean: torch.Tensor) -> None:
        self._count += 1
        if sprite.width:
            light, lead = mean[0].float().cpu().numpy(), _lead(sprite, band, colours)
            self._guests.append(_Guest(sprite, _phases(sprite, _ground(band, colours)), light, self._count, lead))

    # ------------------------------------------------------------------------------------------------ making things
    def _taken(self, band: int, strength: float, colours: torch.Tensor) -> Sprite:
        """A thing that waits: of those that leave room for the next, the stronger the more is told. If none waits, it is made
        now, which takes as long as a frame or two, and is taken as it is."""
        ready = self._ready[band]
        if not ready:
            making, made = self._started(band, colours), None
            while made is None:
                made = making.go_on()
            return made
        room = self._room(band)
        fits = [each for each in ready if each[1].width <= room] or [min(ready, key=lambda each: each[1].width)]
        fits.sort(key=lambda each: each[0])
        chosen = fits[round(min(max(strength, 0.0), 1.0) * (len(fits) - 1))]
        ready[:] = [each for each in ready if each is not chosen]
        return chosen[1]

    def _room(self, band: int) -> float:
        """px, at the rhythm of the last things."""
        return ROOM * self._gaps[band] * float(self.net.sprites.paces[band, 0])

    def _prepare(self, colours: torch.Tensor) -> None:
        """A step further in making what will be let in, if too few wait; where fewest do, first."""
        if self._making is None:
            band = min(np.flatnonzero(self.known).tolist(), key=lambda each: len(self._ready[each]))
            if len(self._ready[band]) >= READY:
                return
            self._making = self._started(band, colours)
        made = self._making.go_on()
        if made is not None:
            band, self._making = self._making.band, None
            if _stands_out(made, band, colours):  # else another is tried
                strength, others = _strength(made, band, colours), self._strengths[band]
                others.append(strength)
                if strength >= WEAK * float(np.median(others)):
                    self._ready[band].append((strength, made))

    def _started(self, band: int, colours: torch.Tensor) -> Making:
        """A thing of this band, as strong and as wide as one of the footage that would have room, in this picture's colours."""
        net = self.net.sprites
        examples = net.examples[band].cpu().numpy()
        fits = np.flatnonzero(examples[:, 1] <= self._room(band))
        fits = fits if len(fits) else np.argsort(examples[:, 1])[: len(examples) // 16]
        strength, wide = examples[self._random.choice(fits)].tolist()
        noise = WILD * self._random.standard_normal((1, LATENTS, net.tall // CELL, net.wide // CELL), np.float32)
        told = (torch.tensor([value], device=net.paces.device) for value in (strength, wide))
        strong, broad = told
        wanted = net.wanted(torch.tensor([band], device=net.paces.device), strong, colours.float(), broad)
        return Making(net, band, torch.from_numpy(noise).to(net.paces.device), wanted, self._size[0])


def _phases(sprite: Sprite, land: np.ndarray) -> np.ndarray:
    """As _Guest has them, before land of these colours (3,). A cover below 0 or above 1, as the window's slopes make it, is none
    or all."""
    cover = (sprite.belongs if sprite.cover is None else sprite.cover)[None]
    layers = np.concatenate([sprite.colours * cover, cover]).astype(np.float32)
    layers = np.pad(layers, ((0, 0), (0, 0), (transport.PAD, transport.PAD)))
    phases = transport.phases(torch.from_numpy(layers)[None], False)[0].numpy()
    cover = phases[:, 3:]
    phases = phases * cover.clip(0, 1) / np.where(np.abs(cover) < THIN, np.inf, cover)
    rows = sprite.belongs.any(1)  # for it is asked in a frame of the show: of the rest hardly anything is seen
    phases[:, :, rows] = _as_steep(phases[:, :, rows], land)
    return phases


def _as_steep(phases: np.ndarray, land: np.ndarray) -> np.ndarray:
    """phases (4, 4, H, W), colours times cover and cover, before land (3,): what is sampled between two px is a mean of these,
    and paler. It gets more of what its neighbours across have not (unsharp masking), never beyond them, lest edges ring: of
    SHARPER what makes it most nearly as steep as the phase that is not sampled. Else things would flicker as they pass."""
    around = np.pad(phases, ((0, 0), (0, 0), (0, 0), (1, 1)))
    before, after = around[..., :-2], around[..., 2:]
    least, most = (edge(edge(before, after), phases) for edge in (np.minimum, np.maximum))
    finer = phases - (before + after) / 2
    tried = np.stack([(phases + share * finer).clip(least, most) for share in SHARPER])
    steep = np.square(np.diff(tried[:, :, :3] - tried[:, :, 3:] * land[:, None, None])).sum((2, 3, 4))
    return tried[np.abs(steep - steep[0, UNSAMPLED]).argmin(0), np.arange(len(phases))]


def _ground(band: int, colours: torch.Tensor) -> np.ndarray:
    """(3,), of the land in the band's rows, of the colours (1, 3 * bands) of `scene`."""
    return colours[0, 3 * band : 3 * band + 3].float().cpu().numpy()


def _seen(sprite: Sprite, band: int, colours: torch.Tensor) -> np.ndarray:
    """How much of it is to be seen when so many px have entered (1..), in the rows of its band."""
    tall = sprite.belongs.shape[0]
    rows = slice(*(round(share * tall) for share in BANDS[band]))
    land = _ground(band, colours)[:, None, None]
    luma = np.where(sprite.belongs, sprite.colours, land)[:, rows].mean(0)
    return visible(np.pad(luma, ((0, 0), (1, 1)), constant_values=float(land.mean())))


def _strength(sprite: Sprite, band: int, colours: torch.Tensor) -> float:
    """How much of it is to be seen when it enters, where that is most."""
    return float(_seen(sprite, band, colours).max())


def _lead(sprite: Sprite, band: int, colours: torch.Tensor) -> float:
    """px at its front that hardly anybody would see enter, at most LEAD: what is seen of it is to come when the drum does."""
    much = _seen(sprite, band, colours)
    return float(np.clip(np.argmax(much >= VISIBLE * much.max()) - 1, 0, LEAD))


def _stands_out(sprite: Sprite, band: int, colours: torch.Tensor) -> bool:
    """Whether a drum would be seen to let it in: not too small, nor of the colour of its band's land, nor in bits."""
    off = np.abs(sprite.colours - _ground(band, colours)[:, None, None]).mean(0)[sprite.belongs]
    return len(off) >= SMALL and float(off.mean()) >= FAINT and _hangs_together(sprite.belongs)


def _hangs_together(belongs: np.ndarray) -> bool:
    """Whether most of a thing, bool (H, w), is of one piece, gaps of a px or two aside."""
    near = cv2.dilate(belongs.astype(np.uint8), np.ones((3, 3), np.uint8))
    _, number = cv2.connectedComponents(near, connectivity=8)
    return int(np.bincount(number[belongs]).max()) >= PIECE * int(belongs.sum())
