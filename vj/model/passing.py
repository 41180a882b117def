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
from dataclasses import replace

import cv2
import numpy as np
import torch

from vj.model.entering import AGAIN, VISIBLE, Entering, visible
from vj.model.finer import Finer
from vj.model.guests import Guest, begun, refined, sampled
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
RHYTHM = 0.5  # how much the newest gap counts in that


class Passing:
    """All things that are under way in one world, and those that wait to be let in."""

    def __init__(self, net: Net):
        self.net, self._size = net, (net.config.height, net.config.width)
        self.finer: Finer | None = None  # what gives them their detail, if anything does
        self.drawn = False  # whether it can draw them itself
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Nothing is under way; the same seed makes the same things of the same pictures and controls."""
        self._random = np.random.default_rng(seed)
        self._entering = Entering(self.net.sprites.lasts.cpu().numpy(), again=AGAIN)
        self._guests: list[Guest] = []
        self._ready: list[list[tuple[float, Sprite]]] = [[] for _ in BANDS]
        self._gaps = np.full(len(BANDS), math.inf)  # frames at speed 1 between the last ones of each band
        self._strengths = [deque(maxlen=COMPARED) for _ in BANDS]  # of those last made
        self._making: Making | None = None
        self._mean = np.ones(3, np.float32)  # colour of the land's picture
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
            self._mean = mean[0].float().cpu().numpy()
            for band in np.flatnonzero(begins):
                gap = float(since[band] + told[0])
                mine = self._gaps[band]
                self._gaps[band] = gap if math.isinf(mine) or math.isinf(gap) else mine + RHYTHM * (gap - mine)
                self._begin(self._taken(int(band), float(told[1 + band]), colours), int(band), colours)
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
        picture, pace = land.copy(), np.full(land.shape[1:], np.nan, np.float32)
        for guest in self._in_order:
            guest.draw(picture, pace)
        return picture.clip(0, 1, out=picture), pace

    def over_fine(self, land: np.ndarray) -> np.ndarray:
        """The same picture in fine px: land (3, 2 H, 2 W) about 0..1, drawn over and returned."""
        for guest in self._in_order:
            guest.draw_fine(land)
        return land.clip(0, 1, out=land)

    @property
    def _in_order(self) -> list[Guest]:
        """The farthest first."""
        return sorted(self._guests, key=lambda each: (each.sprite.pace, each.number))

    def _begin(self, sprite: Sprite, band: int, colours: torch.Tensor) -> None:
        self._count += 1
        if sprite.width:
            sprite, lead = self._refined(sprite, band, colours), _lead(sprite, band, colours)
            self._guests.append(begun(sprite, _ground(band, colours), self._mean, self._count, lead))

    def _refined(self, sprite: Sprite, band: int, colours: torch.Tensor) -> Sprite:
        """With its detail, ready to be drawn, if any is made."""
        if self.finer is None or (sprite.fine is not None and sprite.fine.halves is not None):
            return sprite
        ground = _ground(band, colours)
        drawn = None if sprite.fine is None else sampled(sprite.fine, ground)
        return replace(sprite, fine=drawn or refined(self.finer.picture, sprite, ground, self._mean))

    # ------------------------------------------------------------------------------------------------ making things
    def _taken(self, band: int, strength: float, colours: torch.Tensor) -> Sprite:
        """A thing that waits: of those that leave room for the next, the stronger the more is told. If none waits, it is made
        now, which takes as long as a frame or two, and is taken as it is."""
        ready = self._ready[band]
        if not ready:
            making, made = self._started(band, colours, hurried=True), None
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
        """A step further in making what will be let in, if too few wait; where fewest do, first. What waits gets its detail."""
        for band, ready in enumerate(self._ready):
            for place, (strength, sprite) in enumerate(ready):
                ready[place] = strength, self._refined(sprite, band, colours)
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

    def _started(self, band: int, colours: torch.Tensor, hurried: bool = False) -> Making:
        """A thing of this band, as strong and as wide as one of the footage that would have room, in this picture's colours.
        hurried: its detail is to be what takes less time."""
        net = self.net.sprites
        examples = net.examples[band].cpu().numpy()
        fits = np.flatnonzero(examples[:, 1] <= self._room(band))
        fits = fits if len(fits) else np.argsort(examples[:, 1])[: len(examples) // 16]
        strength, wide = examples[self._random.choice(fits)].tolist()
        noise = WILD * self._random.standard_normal((1, LATENTS, net.tall // CELL, net.wide // CELL), np.float32)
        told = (torch.tensor([value], device=net.paces.device) for value in (strength, wide))
        strong, broad = told
        wanted = net.wanted(torch.tensor([band], device=net.paces.device), strong, colours.float(), broad)
        finely = self.finer.thing if self.finer is not None and self.drawn and not hurried else None
        return Making(net, band, torch.from_numpy(noise).to(net.paces.device), wanted, self._size[0], finely)


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
