"""What passes: things that the music lets in, from their first column at the leading edge until the last has left the picture.

A thing begins where its band's entry control rises. It was made before (vj.model.sprites) and comes in column by column, as far
each frame as the motion class carries that its pace is nearest to; from then on its pixels go on as one. Nearer things, which
are the faster ones, stand before farther ones. What stands beside and behind is the world's (vj.model.world).

Knows the network and the controls; no music.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch

from vj.model import transport
from vj.model.net import Net
from vj.model.sprites import CELL, LATENTS, Making, Sprite, scene
from vj.signals import BANDS

BEGINS, RISES, RESTS = 0.3, 0.25, 0.15  # the entry control from which a thing begins, how far it rose, and where nothing enters
CALM = 0.8  # of the noise things are made of: at 1 they are more various, and less whole
HELD, AGAIN = 0.5, 2.0  # a control held so high lets in another after so many times what one takes to enter
SEEN = 8  # px at the edge in which a thing is seen to enter
FAINT, SMALL = 0.15, 24  # mean difference from the land, in the picture's mean, and px, below which a thing is none
READY = 4  # things of each band that wait to be let in
ROOM = 1.5  # times as wide as the way to the next, at the rhythm of the last ones, a thing may be
RHYTHM = 0.5  # how much the newest gap counts in that


class Entering:
    """Follows the entry controls of the bands, a frame at a time: when things begin, and how long ago they did."""

    def __init__(self, lasts: np.ndarray, least: np.ndarray | None = None, again: float = math.inf):
        """lasts (bands,) frames at speed 1 that a thing takes to enter; least (bands,): the controls at the start, None: 0;
        again: times `lasts` after which a control that is held (HELD) lets in another."""
        self.lasts, self.again = np.asarray(lasts, np.float32), again
        self.since = np.full(len(BANDS), math.inf, np.float32)
        self._least = np.zeros(len(BANDS), np.float32) if least is None else np.array(least, np.float32)

    def turn(self, controls: np.ndarray) -> np.ndarray:
        """controls (6,) of the next frame -> bool (bands,): where a thing begins. It must have risen from where nothing enters,
        or, once the last one is in, from wherever it is."""
        entry = controls[1:4]
        self.since = self.since + controls[0]
        self._least = np.minimum(self._least, entry)
        begins = (entry >= BEGINS) & (entry >= self._least + RISES) & ((self._least < RESTS) | (self.since > self.lasts))
        begins |= (entry >= HELD) & np.isfinite(self.since) & (self.since >= self.again * self.lasts)
        self.since = np.where(begins, np.float32(0), self.since)
        self._least = np.where(begins, entry, self._least)
        return begins


@dataclass(frozen=True, slots=True)
class Guests:
    """Where the things are in the next frame of one picture, (H, W), and what of them is new there."""

    there: torch.Tensor  # bool
    classes: torch.Tensor  # int64, motion class of each of their pixels
    new: torch.Tensor  # bool: has entered, or comes out from behind another
    colours: torch.Tensor  # (3, H, W) of what is new, in the light of the last frame
    before: torch.Tensor  # bool: where they were in the last frame


@dataclass(slots=True)
class _Guest:
    sprite: Sprite
    motion: int  # class
    light: np.ndarray  # (3,), by which its colours are multiplied now
    number: int
    gone: int = 0  # px, from the leading edge to its front


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
        self._making: Making | None = None
        self._owner = np.zeros(self._size, np.int64)  # number of the thing at each pixel, 0 none
        self._count = 0

    @property
    def known(self) -> np.ndarray:
        """bool (bands,): of which things are known."""
        return self.net.sprites.paces[:, 0].cpu().numpy() > 0

    @property
    def there(self) -> torch.Tensor:
        """bool (H, W): where things are in the picture."""
        return torch.from_numpy(self._owner > 0)

    def turn(self, image: torch.Tensor, phase: torch.Tensor, controls: torch.Tensor) -> Guests | None:
        """What is where after a step under these controls (1, 6), from this picture (1, 3, H, W), phase (1, K, 2) as World has
        it; None: nothing is, nor was."""
        told = controls[0].cpu().numpy()
        self._entering.lasts = self.net.sprites.lasts.cpu().numpy()  # newer weights may have come
        since = self._entering.since
        begins = self._entering.turn(told) & self.known
        if self.known.any():
            colours, mean = scene(image)
            for band in np.flatnonzero(begins):
                gap = float(since[band] + told[0])
                mine = self._gaps[band]
                self._gaps[band] = gap if math.isinf(mine) or math.isinf(gap) else mine + RHYTHM * (gap - mine)
                self._begin(self._taken(int(band), float(told[1 + band]), colours), mean)
            self._prepare(colours)
        elif not self._guests:
            return None
        bank = self.net.bank[:, 0]
        whole, _ = transport.split(phase + self.net.bank[None] * controls[:, 0, None, None], False)
        return self._placed(whole[0, :, 0].cpu().numpy(), bank.cpu().numpy())

    def lit(self, light: torch.Tensor) -> None:
        """The light has changed: by so much (1, 3) each colour was multiplied."""
        factor = light[0].float().cpu().numpy()
        for guest in self._guests:
            guest.light = guest.light * factor

    def _begin(self, sprite: Sprite, mean: torch.Tensor) -> None:
        motion = int((self.net.bank[:, 0] - sprite.pace).abs().argmin())
        self._count += 1
        if sprite.width:
            self._guests.append(_Guest(sprite, motion, mean[0].float().cpu().numpy(), self._count))

    def _placed(self, moves: np.ndarray, bank: np.ndarray) -> Guests | None:
        """All a step further, moves (K,) px of each class."""
        (H, W), before = self._size, self._owner
        owner, classes = np.zeros((H, W), np.int64), np.zeros((H, W), np.int64)
        colours, new = np.zeros((3, H, W), np.float32), np.zeros((H, W), bool)
        for guest in sorted(self._guests, key=lambda each: (bank[each.motion], each.number)):
            moved = int(moves[guest.motion])
            guest.gone += moved
            sprite, start = guest.sprite, W - guest.gone
            first, last = max(0, -start), min(guest.gone, sprite.width)
            if first >= last:
                continue
            here = np.s_[:, start + first : start + last]
            mine = sprite.belongs[:, first:last]
            was = np.zeros(mine.shape, bool)  # whether it was to be seen there before it moved
            known = min(last, W - start - moved) - first
            was[:, : max(known, 0)] = before[:, start + moved + first : start + moved + first + max(known, 0)] == guest.number
            owner[here] = np.where(mine, guest.number, owner[here])
            classes[here] = np.where(mine, guest.motion, classes[here])
            new[here] = np.where(mine, ~was, new[here])
            lit = sprite.colours[:, :, first:last] * guest.light[:, None, None]
            colours[:, here[0], here[1]] = np.where(mine, lit, colours[:, here[0], here[1]])
        self._guests = [guest for guest in self._guests if guest.gone - guest.sprite.width < W]
        self._owner = owner
        if not owner.any() and not before.any():
            return None
        device = self.net.bank.device
        return Guests(*(torch.from_numpy(part).to(device) for part in (owner > 0, classes, new, colours, before > 0)))

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
            if _stands_out(made, self._making.band, colours):  # else another is tried
                self._ready[self._making.band].append((_strength(made, self._making.band, colours), made))
            self._making = None

    def _started(self, band: int, colours: torch.Tensor) -> Making:
        """A thing of this band, as strong and as wide as one of the footage that would have room, in this picture's colours."""
        net = self.net.sprites
        examples = net.examples[band].cpu().numpy()
        fits = np.flatnonzero(examples[:, 1] <= self._room(band))
        fits = fits if len(fits) else np.argsort(examples[:, 1])[: len(examples) // 16]
        strength, wide = examples[self._random.choice(fits)].tolist()
        noise = CALM * self._random.standard_normal((1, LATENTS, net.tall // CELL, net.wide // CELL), np.float32)
        told = (torch.tensor([value], device=net.paces.device) for value in (strength, wide))
        strong, broad = told
        wanted = net.wanted(torch.tensor([band], device=net.paces.device), strong, colours.float(), broad)
        return Making(net, band, torch.from_numpy(noise).to(net.paces.device), wanted, self._size[0])


def _strength(sprite: Sprite, band: int, colours: torch.Tensor) -> float:
    """How much of it is to be seen when it enters, as entry controls are measured: its slopes from column to column, in the rows
    of its band, where they are steepest."""
    tall = sprite.belongs.shape[0]
    rows = slice(*(round(share * tall) for share in BANDS[band]))
    land = colours[0, 3 * band : 3 * band + 3].float().cpu().numpy()[:, None, None]
    seen = np.where(sprite.belongs, sprite.colours, land)[:, rows].mean(0)
    seen = np.pad(seen, ((0, 0), (1, 1)), constant_values=float(land.mean()))
    steep = np.square(np.diff(seen, axis=1)).mean(0)
    return float(np.sqrt(np.convolve(steep, np.ones(SEEN) / SEEN).max()))


def _stands_out(sprite: Sprite, band: int, colours: torch.Tensor) -> bool:
    """Whether a drum would be seen to let it in: not too small, nor of the colour of its band's land."""
    land = colours[0, 3 * band : 3 * band + 3].float().cpu().numpy()
    off = np.abs(sprite.colours - land[:, None, None]).mean(0)[sprite.belongs]
    return len(off) >= SMALL and float(off.mean()) >= FAINT
