"""How `vj.model.finer` learns, from the footage's frames twice as large (vj.train.fine_frames): what to add to a picture, and
how the things that the network knows look in fine px.

What cannot be told from the small picture would be drawn as its mean, so critics of patches look on (vj.train.patches). Things
are cut out of the large frames as out of small ones (vj.train.things); what the encoder says of them, made small, is what
they are drawn from. All else stays as it is.

Sources: see vj.model.finer; pictures spoilt as the network's own are (Real-ESRGAN, Wang et al. 2021, does so for photographs).
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F

from vj.errors import FootageError
from vj.model.finer import TIMES, Finer
from vj.model.net import Net
from vj.model.planes import box
from vj.model.sprites import CONTRAST, MIDDLING, Sprites
from vj.signals import BANDS
from vj.train.dataset import Dataset
from vj.train.patches import Critic
from vj.train.roughness import Roughness
from vj.train.sprites import BLURRED, COLOUR, FEW, SHAPE, SURE, fits
from vj.train.things import Things, find

FRAMES, PATCHES, PATCH = 800, 16, 24  # that pictures are taken from; of a lesson, and how many px wide, of the small ones
SOFT, STEPPED = 0.25, 0.25  # share of these that are softer than seen, or have steps in their edges, as whole px leave them
EACH = 4  # things of each band in a lesson
CRITICAL, LOOKED = 0.02, 0.1  # weights of what the critics say: of pictures, of things
ALONE = 0.1  # share of the way in which they only learn, or not yet
INSIDE = 6  # fine px at a patch's sides that do not count
AROUND = 4  # fine px around a thing that the critic looks at, too
SMALL = 20  # px that a thing has at least


class Lessons:
    """Lessons for `net.finer`."""

    def __init__(self, net: Net, data: Dataset, rough: Roughness):
        """FootageError where the footage's large frames were not kept."""
        if data.fine is None:
            raise FootageError("What is finer is learnt from frames twice as large: prepare the footage with "
                               "`vj footage VIDEO... -o DIR --fine`, and give that folder.")  # fmt: skip
        self.finer, self._sprites, self.rough = net.finer, net.sprites, rough
        every = torch.cat([torch.arange(start, stop) for start, stop in data.training])
        chosen = every[(rough.random(min(FRAMES, len(every))).cpu() * len(every)).long()]
        self._frames = [torch.from_numpy(data.fine[int(at)]).permute(2, 0, 1) for at in chosen]
        self._critics = Critic(3, rough), Critic(4, rough)
        self._bands: list[_Band] = []
        if net.sprites.known:
            canvas = SimpleNamespace(tall=TIMES * net.sprites.tall, wide=TIMES * net.sprites.wide)
            cut = find(canvas, TIMES * net.bank, data.fine, data.controls, data.training)
            found = (_Band(net.sprites, cut, band) for band in range(len(BANDS)) if net.sprites.knows(band))
            self._bands = [band for band in found if len(band.latents) >= FEW]

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all of this footage."""
        return cls(net, data, rough)

    def count(self, finer: Finer) -> None:
        """It draws these things from now on."""
        if self._bands:
            finer.goes_with(self._sprites)

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        parts = self._picture(share)
        for band in self._bands:
            for name, loss in self._things(band, share).items():
                parts[name] = parts.get(name, 0.0) + loss / len(self._bands)
        return parts

    def _picture(self, share: float) -> dict[str, torch.Tensor]:
        large = self._patches().to(self.rough.device) / 255
        drawn = self.finer.picture.enlarged(self._spoilt(large))
        inside = (..., slice(INSIDE, -INSIDE), slice(INSIDE, -INSIDE))
        drawn, large = drawn[inside], large[inside]
        parts = {"picture": ((drawn - large).square() + 1e-6).sqrt().mean()}
        parts["small"] = 0.5 * (F.avg_pool2d(drawn, TIMES) - F.avg_pool2d(large, TIMES)).abs().mean()
        if share > ALONE:
            counts = large.new_ones(len(large), 1, large.shape[2] // 2, large.shape[3] // 2)
            said = self._critics[0].says(2 * drawn - 1, 2 * large - 1, counts)
            parts |= {"texture": CRITICAL * said} if share > 2 * ALONE else {}
        return parts

    def _patches(self) -> torch.Tensor:
        """Of large frames: (PATCHES, 3, 2 PATCH, 2 PATCH) 0..255, half of them mirrored."""
        found, wide = [], TIMES * PATCH
        for which, y, x, turn in self.rough.random(PATCHES, 4).tolist():
            frame = self._frames[int(which * len(self._frames))]
            top, left = (TIMES * int(at * (side - wide + 1) / TIMES) for at, side in zip((y, x), frame.shape[1:], strict=True))
            part = frame[:, top : top + wide, left : left + wide].float()
            found.append(part.flip(2) if turn < 0.5 else part)
        return torch.stack(found)

    def _spoilt(self, large: torch.Tensor) -> torch.Tensor:
        """As the network's own small pictures are: (B, 3, 2 H, 2 W) -> (B, 3, H, W)."""
        small, lot = F.avg_pool2d(large, TIMES), self.rough.random(len(large), 1, 1, 1)
        share, (y, x) = self.rough.random(len(large), 1, 1, 1), (self.rough.random(2) * TIMES).int().tolist()
        softer = torch.lerp(small, box(small), share)
        stepped = torch.lerp(small, large[..., y::TIMES, x::TIMES], share)
        return torch.where(lot < SOFT, softer, torch.where(lot < SOFT + STEPPED, stepped, small))

    def _things(self, band: "_Band", share: float) -> dict[str, torch.Tensor]:
        which = (self.rough.random(EACH).cpu() * len(band.latents)).long()
        latents, things = band.latents[which], band.things[which].float().to(self.rough.device)
        with torch.no_grad():
            features = self._sprites.decoder.features(latents + BLURRED * self.rough.grain(latents))
        drawn = self.finer.thing(features)
        drawn = F.avg_pool2d(drawn, band.zoom) if band.zoom > 1 else drawn
        belongs = (things[:, 3:] > 0).float()
        shape = F.binary_cross_entropy_with_logits(SURE * drawn[:, 3:], belongs)
        colour = ((drawn[:, :3] - things[:, :3]).abs() * belongs).sum() / (3 * belongs.sum()).clamp(min=1)
        parts = {"things": SHAPE * shape + COLOUR * colour}
        if share > ALONE:
            near = F.max_pool2d(F.max_pool2d(belongs, 2 * AROUND + 1, 1, AROUND), 2)
            seen = torch.sigmoid(2 * SURE * drawn[:, 3:])
            seen = (seen > 0.5).float() + seen - seen.detach()  # rounded, but sloped as if it were not
            mine = torch.cat([drawn[:, :3] * seen.detach(), seen - 0.5], 1)
            said = self._critics[1].says(mine, torch.cat([things[:, :3], things[:, 3:] / 2], 1), near)
            parts |= {"looks": LOOKED * said} if share > 2 * ALONE else {}
        return parts


class _Band:
    """All things of a band: as they look in fine px, in the band's window, and what the encoder says of them."""

    def __init__(self, sprites: Sprites, cut: Things, band: int):
        """cut: on a canvas twice as large."""
        cut = cut.some(torch.nonzero(cut.bands == band)[:, 0])
        top, self.zoom = (int(value) for value in sprites.window[band])
        small = _small(cut)
        whole = fits(small, sprites.window.cpu(), sprites.tall, sprites.wide) & (small.belongs.sum((1, 2)) >= SMALL)
        which = torch.nonzero(whole)[:, 0]
        cut, small = cut.some(which), small.some(which)
        colours = (cut.colours - MIDDLING) * CONTRAST * cut.belongs[:, None]
        things = torch.cat([colours, 2 * cut.belongs[:, None].half() - 1], 1)
        rows, columns = (TIMES * side // self.zoom for side in (sprites.tall, sprites.wide))
        self.things = things[..., TIMES * top : TIMES * top + rows, :columns].clone()  # (N, 4, rows, columns)
        device, latents = sprites.paces.device, []
        with torch.no_grad():
            for part in torch.arange(len(which)).split(128):
                told = small.colours[part].float(), small.belongs[part, None].float(), small.paces[part], small.bands[part]
                latents.append(sprites.encoder.eval()(sprites.packed(*(each.to(device) for each in told))))
        self.latents = torch.cat(latents) if latents else torch.zeros(0)


def _small(cut: Things) -> Things:
    """The same things on the usual canvas."""
    cover = F.avg_pool2d(cut.belongs[:, None].float(), TIMES)
    colours = F.avg_pool2d(cut.colours.float() * cut.belongs[:, None], TIMES) / cover.clamp(min=1e-3)
    belongs = cover >= 0.5
    return Things((colours * belongs).half(), belongs[:, 0], cut.bands, cut.paces / TIMES, cut.strengths, cut.land, cut.lasts)
