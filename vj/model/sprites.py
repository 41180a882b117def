"""Things that enter, imagined whole: out of noise, before they come, a small network makes how one looks and how fast it passes.

The dice draw what enters frame by frame, from what stands beside it; a tower that is drawn so, in a dream, forgets what it is.
So what a drum lets in is made at once: colours, which pixels belong to it, and its motion. How things look it learnt from
the footage (vj.train.things, vj.train.sprites); how one comes in is vj.model.passing. Knows no controls and no world.

Sources: see vj.model.latents; a scene of layers, each with its own motion (Wang and Adelson 1994), whose sprites are learnt
(MarioNette, Smirnov et al. 2021).
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from vj.model.latents import CELL, Decoder, Encoder, Velocity, Way
from vj.signals import BANDS

WIDTHS, LATENTS, WIDTH = (32, 56, 80), 8, 112  # see vj.model.latents: channels, numbers for a cell, channels on the way
WIDE = 0.4  # of the picture's width that a sprite may have
CHANNELS = 5  # red, green, blue, whether it belongs to it, pace
WANTED = len(BANDS) + 1 + 3 * len(BANDS) + 1  # band, strength, colours of the picture's bands, width
MIDDLING, CONTRAST, HALF = 0.8, 1.2, 0.5  # of colours in the picture's mean: what is told as 0, how strongly; of paces' spread
EXAMPLES = 96  # of each band, of how strong and wide things are
SURE = 6.0  # of the logit of what belongs to a thing: fine lattices are half seen through, edges are sharp
BRIGHTEST = 3.0  # of a colour, in the picture's mean
BESIDE = 2  # fine px
LEAST = 3  # px of a column, fewer of which are no edge of a thing


@dataclass(frozen=True, slots=True)
class Fine:
    """A thing in fine px, two of them for one of the picture's (vj.model.guests)."""

    layers: np.ndarray  # float32 (4, h, w): colours times cover, and that; in the picture's mean colour
    top: int  # fine row of the picture that is its first
    left: int  # fine px that its first column lies before its front
    halves: np.ndarray | None = None  # (2, 4, h, w + 2 * PAD) as it is sampled, there and half a fine px further


@dataclass(frozen=True, slots=True)
class Sprite:
    """One thing: of the picture's height, its front at the left."""

    colours: np.ndarray  # float32 (3, H, w), in the picture's mean colour
    belongs: np.ndarray  # bool (H, w): the rest is what stands behind
    pace: float  # px a frame at speed 1
    cover: np.ndarray | None = None  # float32 (H, w) 0..1, how much of what stands behind it covers; None: as belongs
    fine: Fine | None = None  # itself in fine px, where its detail has been made

    @property
    def width(self) -> int:
        """px from its front to its end, 0 if there is nothing."""
        columns = np.flatnonzero(self.belongs.any(0))
        return int(columns[-1]) + 1 if len(columns) else 0


class Sprites(nn.Module):
    """Makes things; and knows what things there are: none, until they are learnt."""

    def __init__(self, height: int, width: int):
        """height, width of the picture, px."""
        super().__init__()
        self.tall, self.wide = -(-height // CELL) * CELL, max(CELL, round(WIDE * width / CELL) * CELL)
        self.encoder, self.decoder = Encoder(CHANNELS, WIDTHS, LATENTS), Decoder(CHANNELS, WIDTHS, LATENTS)
        self.velocity = Velocity(LATENTS, WIDTH, WANTED)
        self.register_buffer("paces", torch.zeros(len(BANDS), 2))  # px a frame at speed 1: mean and spread; 0: knows no things
        self.register_buffer("lasts", torch.full((len(BANDS),), 12.0))  # frames at speed 1 that most take to enter
        self.register_buffer("examples", torch.zeros(len(BANDS), EXAMPLES, 2))  # how strong, and how wide, px
        self.register_buffer("window", torch.tensor([[0.0, 1.0]] * len(BANDS)))  # first row that is seen, and how much larger

    @property
    def known(self) -> bool:
        """Whether it has learnt things."""
        return bool(self.paces.any())

    def knows(self, band: int) -> bool:
        """Whether it has learnt things of this band."""
        return bool(self.paces[band, 0] > 0)

    @torch.no_grad()
    def forget(self) -> None:
        """From now on it makes none: there is other footage."""
        self.paces.zero_()

    def wanted(self, bands: torch.Tensor, strength: torch.Tensor, colours: torch.Tensor, wide: torch.Tensor) -> torch.Tensor:
        """What is told of things: bands (B,), strength (B,) of their entry controls, colours (B, 3 * bands) as of `scene`, wide
        (B,) px -> (B, WANTED)."""
        which = F.one_hot(bands, len(BANDS)).float()
        wide = wide * self.window[bands, 1]
        return torch.cat([which, strength[:, None], colours - 1, wide[:, None] / self.wide * 2 - 0.7], 1)

    def packed(self, colours: torch.Tensor, belongs: torch.Tensor, paces: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """Things as Encoder takes them, each band in its window: colours (B, 3, tall, wide) in the picture's mean, belongs
        (B, 1, tall, wide) 0/1, paces (B,) px, bands (B,) -> (B, CHANNELS, tall, wide)."""
        mean, spread = self.paces[bands].unbind(1)
        pace = (HALF * (paces - mean) / spread.clamp(min=1e-3)).view(-1, 1, 1, 1).expand_as(belongs)
        far = torch.cat([(colours - MIDDLING) * CONTRAST * belongs, 2 * belongs - 1, pace], 1)
        near = torch.empty_like(far)
        for band in bands.unique().tolist():
            (top, zoom), mine = self._window(band), bands == band
            near[mine] = _larger(far[mine][..., top : top + self.tall // zoom, : self.wide // zoom], zoom)
        return near

    def evened(self, made: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """As packed, with what is one px of the picture in one colour: made (B, CHANNELS, tall, wide), bands (B,)."""
        even = made.clone()
        for band in bands.unique().tolist():
            zoom, mine = self._window(band)[1], bands == band
            even[mine] = _larger(F.avg_pool2d(made[mine], zoom), zoom)
        return even

    def unpacked(self, made: torch.Tensor, band: int, height: int, fine: torch.Tensor | None = None) -> Sprite:
        """The inverse, of one, made (1, CHANNELS, tall, wide), in a picture of this height; its front moved to the left.
        fine (1, CHANNELS - 1, 2 tall, 2 wide): the same in fine px."""
        top, zoom = self._window(band)
        made = F.avg_pool2d(made, zoom)[..., : max(height - top, 0), :]
        mean, spread = self.paces[band].tolist()
        pace = max(mean + spread * float(made[0, 4].mean()) / HALF, 0.2 * mean)
        made = F.pad(made, (0, 0, top, height - top - made.shape[2]), value=-1.0)  # nothing of it is there
        cover = torch.sigmoid(SURE * made[0, 3]).cpu().numpy()
        belongs = cover > 0.5
        colours = (made[0, :3] / CONTRAST + MIDDLING).clamp(0, BRIGHTEST).cpu().numpy()
        columns = np.flatnonzero(belongs.sum(0) >= LEAST)
        front, end = (int(columns[0]), int(columns[-1]) + 1) if len(columns) else (0, 0)
        detail = None if fine is None or not len(columns) else self._fine(F.avg_pool2d(fine, zoom)[0], top, height, front, end)
        return Sprite(colours[..., front:end], belongs[:, front:end], pace, cover[:, front:end], detail)

    def _fine(self, made: torch.Tensor, top: int, height: int, front: int, end: int) -> Fine:
        """Of made (CHANNELS - 1, h, w) in fine px of the picture, from its row `top` on, what is between two columns of it, and
        BESIDE."""
        made = made[:, : max(2 * (height - top), 0)]
        first = max(2 * front - BESIDE, 0)
        made = made[..., first : 2 * end + BESIDE].cpu()
        cover, made = torch.sigmoid(SURE * made[3:]).numpy(), made.numpy()
        rows = np.flatnonzero((cover[0] > 0.5).any(1))
        rows = slice(rows[0], rows[-1] + 1) if len(rows) else slice(0, 1)
        colours = (made[:3] / CONTRAST + MIDDLING).clip(0, BRIGHTEST) * cover
        layers = np.concatenate([colours, cover])[:, rows].astype(np.float32)
        return Fine(layers, 2 * top + rows.start, 2 * front - first)

    def _window(self, band: int) -> tuple[int, int]:
        """(first row, px of the canvas that one of the picture is wide)."""
        top, zoom = self.window[band].tolist()
        return int(top), int(zoom)


def _larger(pictures: torch.Tensor, zoom: int) -> torch.Tensor:
    """(B, C, H, W) -> (B, C, zoom H, zoom W), each px a square."""
    return pictures.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)


def scene(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (B, 3, H, W) -> the mean colours of their bands' rows, in the picture's mean, (B, 3 * bands), as `Sprites.wanted`
    takes them; and that mean (B, 3). A row's colour is its median: things are not the land."""
    mean = image.mean((2, 3)).clamp(min=0.05)
    rows = image[..., ::4].median(3).values / mean[..., None]
    tall = image.shape[2]
    bands = [rows[..., round(top * tall) : round(bottom * tall)].mean(2) for top, bottom in BANDS]
    return torch.cat(bands, 1), mean


class Making:
    """One thing on its way from noise."""

    def __init__(self, net: Sprites, band: int, noise: torch.Tensor, wanted: torch.Tensor, height: int,
                 finely: nn.Module | None = None):  # fmt: skip
        """noise (1, LATENTS, tall / CELL, wide / CELL) normal numbers; wanted (1, WANTED). finely: a vj.model.finer.Drawn that
        draws it in fine px, too."""
        self.net, self.band, self.height, self._finely = net, band, height, finely
        self.way = Way(net.velocity, noise, wanted)

    @torch.inference_mode()
    def go_on(self) -> Sprite | None:
        """A step further; the thing, when it is asked once more after the last."""
        if self.way.go_on():
            return None
        decoder = self.net.decoder
        if self._finely is None:
            return self.net.unpacked(decoder(self.way.x), self.band, self.height)
        features = decoder.features(self.way.x)
        return self.net.unpacked(decoder.drawn(features), self.band, self.height, self._finely(features))
