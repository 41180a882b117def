"""How `vj.model.sprites` learns: first to say in few numbers what things cut out of the footage are, and to draw them from these;
then to make such numbers out of noise, from anywhere between the two towards the thing.

What cannot be told in so few numbers, leaves and stones, would be drawn as their mean; so while these are learnt, a critic
that sees but a few px learns to tell things drawn from things cut out, and things are drawn so that it is wrong.

Sources: an autoencoder whose numbers are blurred by noise, so that what is near looks alike (Rombach et al. 2022 keep theirs
small instead), with a critic of patches (VQGAN, Esser, Rombach, Ommer 2021); conditional flow matching (Lipman et al. 2023),
times drawn from a logit-normal (Esser et al. 2024).
"""

import torch
import torch.nn.functional as F

from vj.errors import FootageError
from vj.model.net import Net
from vj.model.sprites import EXAMPLES, Sprites
from vj.signals import BANDS
from vj.train.dataset import Dataset
from vj.train.patches import CRITICAL, GREEN, Critic
from vj.train.roughness import Roughness
from vj.train.things import Things, find

EACH, LATENT = 24, 48  # things of a step, to be drawn, and to be made out of noise
FEW = 24  # things of a band, fewer of which it is not learnt from
LOOKS = 0.25  # share of the way in which it learns what things are, if it knows none yet
BLURRED, SPOILT = 0.25, 0.1  # noise on what is told of a thing, to draw it, and to make it
OFF = 0.1  # standard deviation by which the land's colours are told otherwise: else each picture's things would be known by them
SHAPE, COLOUR, PACE, SURE = 3.0, 0.5, 0.1, 3.0  # weights of what belongs to a thing, its colours, its pace; of a logit
EARLY = -0.2  # of the logit of the times, mean
AROUND = 4  # px around a thing that the critic looks at, too
SELDOM = 2  # lessons in making, in one of which it goes on learning to draw
ZOOMS, FIT = (4, 2), 0.95  # how near a band's things may be looked at, the nearest first; share of them that must be seen whole


class Lessons:
    """Lessons for `net` in these things."""

    def __init__(self, net: Sprites, things: Things, rough: Roughness):
        """FootageError if there are too few to learn from."""
        self.net, self.rough = net, rough
        many = torch.bincount(things.bands, minlength=len(BANDS)) >= FEW
        if not many.any():
            raise FootageError(
                f"Only {len(things.bands)} things are seen to enter this footage whole, too few to learn how things look: "
                "bring more of it, or one in which more enters at the right edge."
            )
        self._looks = not net.known
        self._window = windows(things, net.tall, net.wide) if self._looks else net.window.cpu().clone()
        self.things = things.some(torch.nonzero(many[things.bands] & fits(things, self._window, net.tall, net.wide))[:, 0])
        self._members = [torch.nonzero(self.things.bands == band)[:, 0] for band in self.things.bands.unique()]
        self._latents: torch.Tensor | None = None
        self._given = 0  # lessons in making
        self.critic = Critic(4, rough)

    @classmethod
    def of(cls, net: Net, data: Dataset, rough: Roughness) -> "Lessons":
        """In all that enters in this footage."""
        return cls(net.sprites, find(net.sprites, net.bank, data.frames, data.controls, data.training), rough)

    @torch.no_grad()
    def count(self, net: Sprites) -> None:
        """Tells the network how fast things are, how long they take, how strong and wide they are; bands of which too few are
        known have none."""
        net.paces.zero_()
        net.lasts.copy_(self.things.lasts)
        net.window.copy_(self._window)
        for band in self.things.bands.unique().tolist():
            each = torch.nonzero(self.things.bands == band)[:, 0]
            paces = self.things.paces[each]
            net.paces[band] = torch.stack([paces.mean(), paces.std() + 1e-3])
            some = each[(self.rough.random(EXAMPLES) * len(each)).long().cpu()]
            net.examples[band] = torch.stack([self.things.strengths[some], self.things.wide[some]], 1)

    def grade(self, share: float) -> dict[str, torch.Tensor]:
        """As parts of a loss, at this share of the way (0..1)."""
        looks = self._looks and share < LOOKS
        self.net.encoder.train(looks).requires_grad_(looks)
        if looks:
            which = self._some(EACH)
            things = self._packed(which)
            return {"sprites": self._off(self._drawn(self.net.encoder(things), self.things.bands[which]), things)}
        if self._latents is None:  # from now on what things are keeps its meaning
            every = torch.arange(len(self.things.bands)).split(256)
            with torch.no_grad():
                self._latents = torch.cat([self.net.encoder(self._packed(part)) for part in every])
        parts, self._given = {"velocity": self._made(self._some(LATENT))}, self._given + 1
        if self._given % SELDOM:
            return parts
        which = self._some(EACH)
        things, drawn = self._packed(which), self._drawn(self._latents[which], self.things.bands[which])
        parts["sprites"] = self._off(drawn, things)
        found = self._criticised(drawn, things)
        return parts | ({"texture": CRITICAL * found} if self._given > SELDOM * GREEN else {})

    def _some(self, count: int) -> torch.Tensor:
        """So many of them, of each band alike often: of far ones fewer are seen whole, and they are the smallest."""
        bands = (self.rough.random(count) * len(self._members)).long().tolist()
        mine = [self._members[band] for band in bands]
        return torch.stack([each[int(at * len(each))] for each, at in zip(mine, self.rough.random(count).tolist(), strict=True)])

    def _packed(self, which: torch.Tensor) -> torch.Tensor:
        things, device = self.things, self.net.paces.device
        parts = things.colours[which].float(), things.belongs[which, None].float(), things.paces[which], things.bands[which]
        return self.net.packed(*(part.to(device) for part in parts))

    def _drawn(self, latents: torch.Tensor, bands: torch.Tensor) -> torch.Tensor:
        """Things drawn from what is told of them."""
        return self.net.evened(self.net.decoder(latents + BLURRED * self.rough.grain(latents)), bands)

    def _criticised(self, drawn: torch.Tensor, things: torch.Tensor) -> torch.Tensor:
        """The critic learns; how easily it finds that things are drawn."""
        belongs = torch.sigmoid(2 * SURE * drawn[:, 3:4])
        belongs = (belongs > 0.5).float() + belongs - belongs.detach()  # rounded, but sloped as if it were not
        mine = torch.cat([drawn[:, :3] * belongs.detach(), belongs - 0.5], 1)
        true = torch.cat([things[:, :3], things[:, 3:4] / 2], 1)
        near = F.max_pool2d((things[:, 3:4] > 0).float(), 2 * AROUND + 1, 1, AROUND)
        return self.critic.says(mine, true, F.max_pool2d(near, 2))

    def _off(self, drawn: torch.Tensor, things: torch.Tensor) -> torch.Tensor:
        """How ill things are drawn."""
        belongs = (things[:, 3:4] > 0).float()
        shape = F.binary_cross_entropy_with_logits(SURE * drawn[:, 3:4], belongs)
        colour = ((drawn[:, :3] - things[:, :3]).abs() * belongs).sum() / (3 * belongs.sum()).clamp(min=1)
        pace = (drawn[:, 4].mean((1, 2)) - things[:, 4].mean((1, 2))).square().mean()
        return SHAPE * shape + COLOUR * colour + PACE * pace

    def _made(self, which: torch.Tensor) -> torch.Tensor:
        """The mean squared error of where the network goes."""
        things, device, latents = self.things, self.net.paces.device, self._latents[which]
        parts = (things.bands[which], things.strengths[which], things.land[which], things.wide[which])
        bands, strengths, land, wide = (part.to(device) for part in parts)
        wanted = self.net.wanted(bands, strengths, land + OFF * self.rough.grain(land), wide)
        thing = latents + SPOILT * self.rough.grain(latents)
        noise, time = self.rough.grain(thing), torch.sigmoid(self.rough.grain(strengths) + EARLY)
        way = time.view(-1, 1, 1, 1)
        return (self.net.velocity((1 - way) * noise + way * thing, time, wanted) - (thing - noise)).square().mean()


def windows(things: Things, tall: int, wide: int) -> torch.Tensor:
    """How near the things of each band can be looked at, on a canvas (tall, wide): (bands, 2), as of Sprites."""
    found, extent = torch.tensor([[0.0, 1.0]] * len(BANDS)), _extent(things)
    for band in things.bands.unique().tolist():
        for zoom in ZOOMS:
            tops = torch.arange(tall - tall // zoom + 1)
            share = _seen_whole(extent[things.bands == band], tops[:, None], zoom, tall, wide).float().mean(1)
            if share.max() >= FIT:
                found[band] = torch.tensor([tops[share == share.max()].float().mean().floor(), zoom])
                break
    return found


def fits(things: Things, window: torch.Tensor, tall: int, wide: int) -> torch.Tensor:
    """(N,) whether all of a thing is in its band's window."""
    top, zoom = window[things.bands].int().unbind(1)
    return _seen_whole(_extent(things), top, zoom, tall, wide)


def _extent(things: Things) -> torch.Tensor:
    """(N, 3): the first row that is a thing's own, the row after the last, its columns."""
    rows = things.belongs.any(2)
    last = (rows * torch.arange(1, rows.shape[1] + 1)).amax(1)
    return torch.stack([rows.int().argmax(1), last, things.wide.int()], 1)


def _seen_whole(extent: torch.Tensor, top: torch.Tensor, zoom: torch.Tensor | int, tall: int, wide: int) -> torch.Tensor:
    """Whether things are in a window from row top on, looked at zoom times as near."""
    first, last, columns = extent.unbind(1)
    return (first >= top) & (last <= top + tall // zoom) & (columns <= wide // zoom)
