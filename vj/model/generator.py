"""The imagining machine of the show: reset(seed), step(controls), adopt(weights). Owns the network and its device.

Knows no music, no screen, no clock. Each frame is made of the frames before it; only the first picture after a reset
is taken from those that are kept beside the weights.
"""

import copy

import numpy as np
import torch

from vj.errors import WeightsError
from vj.model import inertia, laid, scenes
from vj.model import world as worlds
from vj.model.detail import Detail
from vj.model.device import native_bf16
from vj.model.entering import RESTS
from vj.model.laying import Laying
from vj.model.net import CODE_DIMS, ModelConfig, Net
from vj.model.passing import Passing
from vj.model.prior import Dice
from vj.signals import Controls, ModelFrame
from vj.view import View

ARCHITECTURE = "transport-16"


TRAINING = ("encoder.", "sprites.encoder.")  # weights that have no part in the show
FADED = ("bank", "palette", "profile", "usual")  # what is measured in footage: another footage's comes gently too
MADE = ("sprites", "land")  # what is made whole, if it is known
REFRESHED = 4  # frames of a fade from which the dice take the weights once, the last among them
NEWER = ("land.scenes.", "first_scenes")  # tensors that older weights of this architecture lack, and need not have
UNFIT = "The weights file does not hold this network's tensors; make it again with `vj learn`."


def config_of(card) -> ModelConfig:
    """The configuration that a card tells; WeightsError if it is not this program's."""
    if card.architecture != ARCHITECTURE:
        raise WeightsError(
            f"These weights are for the network '{card.architecture}', this program has '{ARCHITECTURE}'; "
            "use weights made by this version (`vj learn`)."
        )
    try:
        return ModelConfig(**{**card.config, "widths": tuple(card.config["widths"])})
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(UNFIT) from error


def view_of(card) -> View:
    """How pictures of weights with this card are laid out; WeightsError if no view of this program's."""
    try:
        return View(**card.view)
    except (TypeError, ValueError) as error:
        raise WeightsError(UNFIT) from error


def build(card, tensors) -> Net:
    """A network from a card and its tensors; WeightsError if they do not fit this program."""
    config = config_of(card)
    try:
        net = Net(config)
        net.load_state_dict(_with_newer(net.state_dict(), tensors))
        scenes.views(net.state_dict())
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(UNFIT) from error
    return net.eval()


def _with_newer(mine: dict[str, torch.Tensor], tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """These tensors, and for those that older weights lack what says that there is one scene alone."""
    lacking = {name for name in mine if name.startswith(NEWER)} - tensors.keys()
    return tensors | {name: torch.zeros_like(mine[name]) for name in lacking}


class Generator:
    """Imagines one frame after another."""

    def __init__(self, card, tensors, device: str = "cpu", seed: int = 0, half: bool | None = None):
        """card and tensors as read by vj.weights; half: bfloat16 for the convolutions, None: where it is native."""
        self.card, self.device = card, device
        self.net = build(card, tensors).to(device).to(memory_format=torch.channels_last)
        self.half = native_bf16(device) if half is None else half
        self.exact = copy.deepcopy(self.net)  # float32, what fades are computed in
        if self.half:
            net = self.net
            for part in (net.trunk, net.painter, net.prior.glance, net.mender, *_makers(net)):
                part.to(torch.bfloat16)
        if device == "cpu":
            laid.settle(self.net)
        self.dice, self.passing = Dice(self.net), Passing(self.net)
        self.laying = Laying(self.net.land, lambda rows: worlds.homely_rows(self.net, rows)[0])
        self._fade: tuple[list, int] | None = None  # the weights to come, frames left
        self._quiet, self._detail = torch.zeros(1, device=device), None
        self._worlds, self._seen = 0, {}  # begun so far; the last one of each scene
        self.view = view_of(card)  # how what is shown is laid out
        self.reset(seed)

    @property
    def version(self) -> int:
        """Of the weights, as published."""
        return self.card.version

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) px of the frames."""
        return self.net.config.height, self.net.config.width

    def reset(self, seed: int) -> np.ndarray:
        """Starts again from one of the first pictures, chosen by the seed; returns it, uint8 (H, W, 3)."""
        self.dice.seed(seed)
        self.passing.seed(seed)
        self.laying.seed(seed)
        self._random, self._seen = np.random.default_rng(seed), {}
        return self._begin(self._firsts())

    def cut(self, scene: int | None = None) -> None:
        """To another scene, where the weights know several, from one of its first pictures on: to this, if it is known; None: to
        one that was not seen for the longest. Which picture hangs on the seed."""
        firsts, table = self._firsts(), self.net.land.scenes
        which = self.net.first_scenes[firsts].long().cpu().numpy()
        if not table.several or len(set(which)) < 2:
            return
        since = np.array([self._seen.get(int(each), 0) for each in which])
        chosen = firsts[since == since.min()] if scene is None else firsts[which == scene]
        if len(chosen) and scene != table.here:
            self._begin(chosen)

    def _firsts(self) -> np.ndarray:
        """The numbers of the first pictures that may be begun from: of scenes that are known, if any is."""
        table, which = self.net.land.scenes, np.arange(len(self.net.first_frames))
        known = [table.known(int(scene)) for scene in self.net.first_scenes] if table.several else [False]
        return which[known] if any(known) else which

    def _begin(self, some: np.ndarray) -> np.ndarray:
        """A world from one of these first pictures; which, uint8 (H, W, 3)."""
        chosen = int(some[self._random.integers(len(some))])
        self._worlds += 1
        self._go_to(int(self.net.first_scenes[chosen]))
        self._seen[self.net.land.scenes.here] = self._worlds
        self.laying.leave()
        frame, before = (self.net.first_frames[chosen][None].float() / 255).split(3, 1)
        self.world = worlds.begin(self.net, (frame, before), self.net.first_speeds[chosen : chosen + 1])
        if self._detail is not None:
            self._detail.begin(frame)
        return _pixels(frame[0].cpu().numpy())

    def _go_to(self, scene: int) -> None:
        """From now on it is this scene, of those that the weights know; if it is no longer one of them, the first."""
        table = self.net.land.scenes
        if not table.several:
            table.here, self.view = 0, view_of(self.card)
            return
        table.go(self.net.land, scene if scene < int(table.count) else 0)
        self.view = table.seen(table.here)
        self.net.usual.copy_(table.usual[table.here])

    @torch.inference_mode()
    def step(self, controls: Controls) -> ModelFrame:
        """The next frame under these controls. Everything but the dice and the first picture is learnt."""
        self._advance_fade()
        net, world, told = self.net, self.world, torch.from_numpy(controls.vector())[None].to(self.device)
        whole, busy = self.whole, False
        if whole:
            busy = self.laying.turn(world.lattice, controls.speed, controls.vector())
            code = torch.zeros_like(world.codes[:, :CODE_DIMS])
        else:
            self.laying.leave()
            code = self.dice.draw(world.shown[0], world.codes, self._of_land(told))
        self.passing.drawn = self._detail is not None and net.finer.draws(self.exact.sprites)
        self.passing.turn(world.shown[0], told, busy)
        if whole and net.land.holds_all:
            world = world if world.inert else inertia.begin(world)
            carried = inertia.carry(net, world, told, self._quiet)
        else:
            world = inertia.end(world) if world.inert else world
            carried = worlds.carry(net, world, told, code, self._quiet, alone=whole)
        self.passing.lit(carried.light)
        if whole:
            self.laying.lit(carried.light)
            strip = self.laying.fill(carried.moved, carried.opened)
        else:
            strip = worlds.enter(net, carried, code, self.dice.grain())[0]
        self.world = after = worlds.settle(net, world, carried, strip, told, code, whole)
        fine = None
        if self._detail is not None:
            self._detail.go_on(world, carried, strip, after)
            fine = _pixels(self.passing.over_fine(self._detail.over(after)))
        world = after
        picture, pace = self.passing.over(world.shown[0][0].cpu().numpy())
        flow = np.take(-world.moved[0].cpu().numpy(), world.classes[0].cpu().numpy(), axis=0)
        flow[..., 0] = np.where(np.isnan(pace), flow[..., 0], -controls.speed * pace)
        return ModelFrame(_pixels(picture), flow, self.version, self.view, fine, self._worlds)

    def refine(self, fine: bool = True) -> bool:
        """Whether frames have their detail from now on: where it is asked for, and the weights know any. Things that are under
        way without any are missing in it: for a world that begins, or reset it."""
        fine = fine and self.net.finer.known
        self._detail = Detail(self.net.finer.picture) if fine else None
        self.passing.finer = self.net.finer if fine else None
        if fine:
            self._detail.begin(self.world.shown[0])
        return fine

    @property
    def whole(self) -> bool:
        """Whether land and things are known, and so what enters is made whole; else dice draw it frame by frame."""
        return self.net.land.known and (self.net.land.holds_all or bool(self.passing.known.all()))

    def _of_land(self, told: torch.Tensor) -> torch.Tensor:
        """What the dice are told (1, 6): where things are known, nothing enters but the land."""
        known = torch.from_numpy(self.passing.known).to(self.device)
        return torch.cat([told[:, :1], torch.where(known, told[:, 1:4].clamp(max=RESTS), told[:, 1:4]), told[:, 4:]], 1)

    def adopt(self, card, tensors, fade_frames: int = 30) -> None:
        """Goes over to newer weights of the same network within `fade_frames` frames, in the tensors that exist. Things or
        land that were not known are made by the newer weights at once: half way from nothing they would be nothing. So are they
        where the ones have things in their land and the others have not. To other footage of several scenes it cuts.

        WeightsError if they are of another shape; the old ones stay.
        """
        config, _ = config_of(card), view_of(card)
        if config != self.net.config:
            raise WeightsError(
                f"The new weights are for {config.width}x{config.height}, the show runs at "
                f"{self.net.config.width}x{self.net.config.height}; start it again to change the size."
            )
        mine = self.exact.state_dict()
        tensors = _with_newer(mine, tensors)
        if mine.keys() != tensors.keys() or any(mine[name].shape != tensors[name].shape for name in mine):
            raise WeightsError(UNFIT)
        try:
            scenes.views(tensors)
        except ValueError as error:
            raise WeightsError(UNFIT) from error
        other = self.net.land.holds_all != bool(tensors["land.lasts"].any())
        for part in MADE:
            if (other or not getattr(self.net, part).known) and bool(tensors[f"{part}.paces"].any()):
                self._take(f"{part}.", tensors)
        goal = [tensors[name].to(self.device) for name in _fading(self.exact)]
        anew = tensors["land.scenes.count"] > 1.5 and not torch.equal(self.net.first_frames.cpu(), tensors["first_frames"])
        self._fade = (goal, 1 if anew else max(1, fade_frames))
        for name, buffer in self.net.named_buffers():
            if name in tensors and name not in FADED:  # what can be worked out anew is not kept
                buffer.copy_(tensors[name])
        self.card = card
        self._go_to(self.net.land.scenes.here)
        if anew:
            self._advance_fade()
            self._begin(self._firsts())

    @torch.no_grad()
    def _take(self, start: str, tensors: dict[str, torch.Tensor]) -> None:
        """All whose names start so, as they are, at once."""
        for net in (self.net, self.exact):
            for name, mine in net.named_parameters():
                if name.startswith(start):
                    mine.copy_(tensors[name])

    @torch.no_grad()
    def _advance_fade(self) -> None:
        if self._fade is None:
            return
        goal, left = self._fade
        exact = list(_fading(self.exact).values())
        torch._foreach_lerp_(exact, goal, 1 / left)  # a share of what is left, so that all steps are alike
        for mine, value in zip(_fading(self.net).values(), exact, strict=True):
            mine.copy_(value)
        if self.net.land.scenes.several:
            self.net.usual.copy_(self.net.land.scenes.usual[self.net.land.scenes.here])
        if left % REFRESHED == 1:
            self.dice.refresh()
        self._fade = (goal, left - 1) if left > 1 else None


def _makers(net: Net) -> list[torch.nn.Module]:
    """All that is asked but now and then."""
    return [net.sprites.decoder, net.sprites.velocity, net.land.decoder, net.land.velocity, net.finer.picture, net.finer.thing]


def _fading(net: Net) -> dict[str, torch.Tensor]:
    """All that goes over from old weights to new ones by and by."""
    parameters = {name: p.detach() for name, p in net.named_parameters() if not name.startswith(TRAINING)}
    return parameters | {name: getattr(net, name) for name in FADED}


def _pixels(frame: np.ndarray) -> np.ndarray:
    """(3, H, W) 0..1 -> uint8 (H, W, 3)."""
    return np.ascontiguousarray(np.rint(frame * 255).astype(np.uint8).transpose(1, 2, 0))
