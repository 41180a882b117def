"""From footage to weights that can be shown: starts a network, trains it, checks it, gives it its card.

`vj learn`, the show's worker and `vj render` all learn through Learner. Knows no process and no clock.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from vj.errors import WeightsError
from vj.model import world as worlds
from vj.model.generator import ARCHITECTURE, build
from vj.model.net import EVIDENCE, ModelConfig, Net
from vj.model.prior import Dice
from vj.signals import CONTROL_NAMES
from vj.train.dataset import BEFORE, Dataset, Usual
from vj.train.footage import USUAL, Footage
from vj.train.keepsakes import first_pictures, rows_colours
from vj.train.losses import slopes
from vj.train.trainer import EAGER, TrainConfig, Trainer, fresh
from vj.weights import Card, write

CHECKED = 16  # held-back windows that a check looks at
ROLLED = 32  # own frames in a check
ALIKE = 0.35  # px a frame at speed 1
PACES = (0.92, 0.96, 1.0, 1.04, 1.08)
CLEARLY = 0.1  # dB
FORGOTTEN = (0.0, 0.5, 0.9, 1.0)  # of what it knew of where which motion is, tried on other footage
KNOWS = 4000  # training steps after which weights are only to be refined
GENTLE, LASTING = 3e-4, 0.9998  # learning rate for those, and of what is shown (EMA): at a rate that never falls the mean of many
# steps is better than any of them
BRISK = 8e-4  # for those that turn to other footage
SAME = 2.0  # of 255, mean difference of their first pictures, up to which footage is what weights have learnt from already
# For one part of them alone.
STAGED = {"picture": 8e-4, "trunk": 5e-4, "painter": 5e-4, "adversary": 2e-4, "strip": 5e-4, "prior": 5e-4, "dreams": 5e-4,
          "mender": 2e-3, "tidying": 4e-4, "sprites": 2e-3, "land": 2e-3, "finer": 1.5e-3}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Check:
    """What a quick look at held-back footage says of weights."""

    skill: float  # dB, PSNR of the predicted frame minus PSNR of copying the last one, told the code of what entered
    sharpness: float  # gradient after ROLLED own frames / gradient of the true frames then
    finite: bool
    young: bool = False  # whether the weights have fewer than KNOWS steps behind them


def dataset(footage: Footage, seed: int = 0) -> Dataset:
    """The footage in memory, ready for batches."""
    usual = Usual(*(float(footage.card.usual[name]) for name in USUAL))
    return Dataset(np.asarray(footage.frames), footage.controls, footage.clips, usual, seed=seed, fine=footage.fine,
                   scenes=footage.scenes)  # fmt: skip


def start(footage: Footage, weights: tuple[Card, dict] | None = None, seed: int = 0, config: ModelConfig | None = None) -> Net:
    """A network to train on this footage: from weights, or from nothing. WeightsError if their sizes differ."""
    height, width = footage.card.height, footage.card.width
    if weights is None:
        config = config or ModelConfig()
        config = replace(config, height=height, width=width)
        net = fresh(config, footage.card.motions, seed)
        adopt_footage(net, footage, motions=False)
        return net
    net = build(*weights)
    if (net.config.height, net.config.width) != (height, width):
        raise WeightsError(
            f"The weights are for {net.config.width}x{net.config.height}, the footage is prepared at {width}x{height}; "
            "prepare it again in the weights' size."
        )
    return net.train()


def adopt_footage(net: Net, footage: Footage, motions: bool = True) -> bool:
    """Gives a trained network the motions (unless it is to keep its own), the light and the first pictures of this footage.
    Whether these are the ones it had: then it has learnt from this very footage.

    Motions that its own come near (ALIKE) stay its own, all as much faster or slower (PACES) as foretells frames best: what
    speed 1 is hangs on the footage. Where they are others, what moved last counts, and it forgets which class is where as
    far as that foretells frames better, and what cannot stay altogether.
    """
    found = torch.as_tensor(footage.card.motions, dtype=torch.float32).to(net.bank.device)
    knows = bool(net.bank.any())
    others = motions and float(torch.cdist(found, net.bank).amin(1).max()) > ALIKE
    if others or not knows:
        net.bank.copy_(found)
    training = dataset(footage).training
    for mine, measured in zip((net.palette, net.profile), rows_colours(footage, training), strict=True):
        mine.copy_(measured)
    net.usual.copy_(torch.tensor([footage.card.usual[name] for name in USUAL]))
    frames, speeds, scenes = first_pictures(footage, training, net.config.seeds)
    knew = float((net.first_frames.float() - frames.to(net.bank.device).float()).abs().mean()) <= SAME
    net.first_frames.copy_(frames)
    net.first_speeds.copy_(speeds)
    net.first_scenes.copy_(scenes)
    net.land.scenes.tell([scene.view for scene in footage.scenes], [scene.usual for scene in footage.scenes])
    if motions and not knew:
        net.prior.odds.zero_()  # they are for dice that dream of other footage, and would hold these still, see going_on
        net.sprites.forget()
        net.land.forget()
    if knows and others:
        net.mender.forget()
        _fit_places(net, footage)
    elif knows and motions:
        _fit_pace(net, footage)
    return knew


def going_on(net: Net, step: int, knows: bool) -> TrainConfig:
    """How a network with so many steps behind it is to learn on footage that it has adopted and knows, or does not.

    Dice that were evened for the footage that they know (vj.train.odds) stay as they are, and so do the codes that they draw: on
    one film they lose what many taught them.
    """
    if step < KNOWS:
        return TrainConfig()
    if not knows:
        return TrainConfig(rate=BRISK)
    return TrainConfig(rate=GENTLE, average=LASTING, only="picture" if bool(net.prior.odds.any()) else "")


def _fit_pace(net: Net, footage: Footage) -> None:
    """Lets all motions be by so much of PACES faster as foretells best, if it does so clearly."""
    data = dataset(footage)
    frames, controls = (part.to(net.bank.device) for part in windows(data, data.training, 2 * CHECKED))
    bank, found = net.bank.clone(), []
    for pace in PACES:
        net.bank.copy_(bank * pace)
        found.append(psnr(foretell(net, frames, controls), frames[:, BEFORE]))
    good = [pace for pace, db in zip(PACES, found, strict=True) if db > max(found) - CLEARLY]
    net.bank.copy_(bank * (1.0 if 1.0 in good else good[len(good) // 2]))


def _fit_places(net: Net, footage: Footage) -> None:
    """Lets the trunk forget its classes' places by the share of FORGOTTEN, and go by one step or by three, as foretells best."""
    data = dataset(footage)
    frames, controls = (part.to(net.bank.device) for part in windows(data, data.training))
    head, found = copy.deepcopy(net.trunk.head.state_dict()), []
    with torch.no_grad():
        net.trunk.evidence.clamp_(min=EVIDENCE)
    ways = [(share, recent) for share in FORGOTTEN for recent in (0.0, 1.0)]
    for share, recent in ways:
        net.trunk.head.load_state_dict(head)
        net.trunk.forget_places(share)
        net.trunk.recent.fill_(recent)
        found.append(psnr(foretell(net, frames, controls), frames[:, BEFORE]))
    share, recent = ways[int(np.argmax(found))]
    net.trunk.head.load_state_dict(head)
    net.trunk.forget_places(share)
    net.trunk.recent.fill_(recent)


def windows(data: Dataset, where: list[tuple[int, int]], count: int = CHECKED) -> tuple[torch.Tensor, torch.Tensor]:
    """Some windows of these stretches that move: frames (N, BEFORE + 1, 3, H, W) and controls (N, BEFORE + 1, 6)."""
    rng, found = np.random.default_rng(1), []
    for _ in range(count * 8):
        begin, stop = where[int(rng.integers(len(where)))]
        room = stop - begin - BEFORE - 1
        if room < 1:
            continue
        first = begin + int(rng.integers(room))
        if data.controls[first + BEFORE, 0] > 0.2:
            found.append(data.window(first, BEFORE + 1, 1))
        if len(found) == count:
            break
    found = found or [data.window(data.training[0][0], BEFORE + 1, 1)]
    return torch.stack([window[0] for window in found]), torch.stack([window[1] for window in found])


@torch.no_grad()
def foretell(net: Net, frames: torch.Tensor, controls: torch.Tensor) -> torch.Tensor:
    """The last frame of each window, (N, 3, H, W), from those before it, told the code of what enters."""
    now = BEFORE - 1
    world = worlds.begin(net, tuple(frames[:, now - back] for back in range(4)), controls[:, : now + 1, 0].flip(1))
    code = net.encoder(frames[:, now], frames[:, now + 1], controls[:, now + 1, 0])
    return worlds.step(net, world, controls[:, now + 1], code, torch.zeros(len(frames), device=frames.device)).shown[0]


class Learner:
    """One network learning from one footage."""

    def __init__(self, footage: Footage, net: Net, config: TrainConfig | None = None, device: str = "cpu",
                 recipe: str = "", source: str = "", seed: int = 0, step: int = 0):  # fmt: skip
        """`step`: steps that the weights have behind them."""
        torch.manual_seed(seed)
        self.footage, self.recipe, self.source, self.device = footage, recipe, source, device
        self.data = dataset(footage, seed)
        self.trainer = Trainer(net, self.data, config or TrainConfig(), device, seed)
        self.trainer.steps = self.trainer.begun = step
        self._windows = tuple(part.to(device) for part in windows(self.data, self.data.held))

    @property
    def steps(self) -> int:
        """Training steps behind the weights, those of earlier runs included."""
        return self.trainer.steps

    @property
    def loss(self) -> float:
        """The parts that say how the picture fares, summed: a running mean."""
        return sum(value for name, value in self.trainer.losses.items() if name in ("classes", "touch", "paint", "light"))

    @property
    def says(self) -> str:
        """What it is about, if that is worth saying."""
        return self.trainer.whole.says if self.trainer.whole else ""

    @property
    def may_show(self) -> bool:
        """Whether what it has learnt may be shown, if it is good: not while a clip's colours are the only thing that is known of
        it. A show that knows a world keeps that till then; who knew none has nothing better."""
        return not (self.trainer.begun >= EAGER and self.trainer.whole and self.trainer.whole.hides)

    def run(self, steps: int) -> float:
        """Trains; the loss after it."""
        self.trainer.run(steps)
        return self.loss

    def publishable(self, check: Check | None = None) -> tuple[Card, dict[str, torch.Tensor]]:
        """The averaged weights and their card."""
        net = self.trainer.average
        config = {**asdict(net.config), "widths": list(net.config.widths)}
        figures = {} if check is None else {"skill_db": round(check.skill, 2), "sharpness": round(check.sharpness, 3)}
        card = Card(
            architecture=ARCHITECTURE, height=net.config.height, width=net.config.width, fps=self.footage.card.fps,
            controls=CONTROL_NAMES, config=config, step=self.steps, loss=round(self.loss, 5), figures=figures,
            recipe=self.recipe, footage=self.source, view=self.footage.card.view,
        )  # fmt: skip
        return card, {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}

    # ------------------------------------------------------------------------------------------------ checking
    @torch.no_grad()
    def check(self) -> Check:
        """One step on held-back windows, and a short run on its own output. Some tenths of a second."""
        net = self.trainer.average
        frames, controls = self._windows
        now = BEFORE - 1
        past = tuple(frames[:, now - back] for back in range(4))
        quiet = torch.zeros(len(frames), device=self.device)
        dice = Dice(net)
        told, truth = controls[:, now + 1], frames[:, now + 1]
        skill = psnr(foretell(net, frames, controls), truth) - psnr(past[0], truth)
        one = worlds.begin(net, tuple(f[:1] for f in past), controls[:1, : now + 1, 0].flip(1))
        for _ in range(ROLLED):
            code = dice.draw(one.shown[0], one.codes, told[:1])
            one = worlds.step(net, one, told[:1], code, quiet[:1], grain=dice.grain())
        sharp = float(slopes(one.shown[0])[0].abs().mean() / slopes(frames[:, now])[0].abs().mean().clamp(min=1e-4))
        tensors = net.state_dict().values()
        finite = bool(np.isfinite(skill + sharp)) and all(bool(torch.isfinite(t).all()) for t in tensors if t.is_floating_point())
        return Check(float(skill), sharp, finite, self.steps < KNOWS)


def switched(learner: Learner, footage: Footage, source: str, config: TrainConfig | None = None) -> Learner:
    """The same network going on with other footage: its motions and first pictures, and a rate that gets there in minutes. Things
    and land stay what they were until those of the new footage are learnt.

    WeightsError if the footage is prepared in another size; the learner given is then as it was.
    """
    net, shown = learner.trainer.net, learner.trainer.average
    if (net.config.height, net.config.width) != (footage.card.height, footage.card.width):
        raise WeightsError(f"The new footage is prepared at {footage.card.width}x{footage.card.height}, the show runs at "
                           f"{net.config.width}x{net.config.height}: prepare it in that size.")  # fmt: skip
    adopt_footage(net, footage)
    config = config or TrainConfig(rate=BRISK)
    new = Learner(footage, net, config, learner.device, learner.recipe, source, step=learner.steps)
    if new.trainer.whole:
        new.trainer.whole.keep(shown)
    return new


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    """Mean over pictures (B, 3, H, W), 0..1, of the peak signal to noise ratio in dB, at most 60."""
    error = (a - b).square().mean((1, 2, 3)).clamp(min=1e-6)
    return float((-10 * torch.log10(error)).mean())


class Gate:
    """Lets weights pass that are no worse than the best so far; the rest is never published."""

    def __init__(self, slack: float = 0.7, youth: float = 3.0):
        """slack: dB that the skill may be below the best (a check is a small sample); youth: the same for the young, who
        begin to paint: badly at first, where empty land was the safer guess."""
        self.slack, self.youth, self.best, self.passed, self.rejected = slack, youth, None, 0, 0

    def passes(self, check: Check) -> bool:
        """Whether these may be shown. The first finite set always may."""
        slack = self.youth if check.young else self.slack
        good = check.finite and (self.best is None or check.skill >= self.best - slack) and check.sharpness < 4
        if good:
            self.passed += 1
            self.best = check.skill if self.best is None else max(self.best, check.skill)
        else:
            self.rejected += 1
        return good


# ------------------------------------------------------------------------------------------------------- resuming
def save_progress(path: Path, learner: Learner) -> None:
    """Everything that going on needs (raw weights, average, optimiser), in one safetensors file."""
    trainer = learner.trainer
    tensors = {f"net.{k}": v for k, v in trainer.net.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in trainer.average.state_dict().items()}
    for index, state in trainer.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors["steps"] = torch.tensor(trainer.steps)
    aside = path.with_name(path.name + ".tmp")
    try:
        safetensors.torch.save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, aside)
        aside.replace(path)
    except OSError as error:
        raise WeightsError(f"Cannot save the progress {path}: {error.strerror}. Make room or choose another place.") from error


def load_progress(path: Path, learner: Learner) -> None:
    """Goes on where save_progress stopped. WeightsError if it does not fit."""
    trainer = learner.trainer
    try:
        tensors = safetensors.torch.load_file(path)
        pick = lambda head: {k[len(head) :]: v for k, v in tensors.items() if k.startswith(head)}  # noqa: E731
        trainer.net.load_state_dict(pick("net."))
        trainer.average.load_state_dict(pick("average."))
        state: dict[int, dict] = {}
        for key, value in pick("optimiser.").items():
            index, part = key.split(".", 1)
            state.setdefault(int(index), {})[part] = value
        if state:
            trainer.optimiser.load_state_dict({**trainer.optimiser.state_dict(), "state": state})
        trainer.steps = trainer.begun = int(tensors["steps"])
    except (OSError, KeyError, ValueError, RuntimeError, safetensors.SafetensorError) as error:
        raise WeightsError(f"The progress file {path} does not fit: remove it and start again without --resume.") from error


def learn(footage: Footage, out: Path, *, steps: int | None = None, seconds: float | None = None, clock: Callable[[], float],
          weights: tuple[Card, dict] | None = None, resume: bool = False, seed: int = 0, device: str = "cpu",
          recipe: str = "", source: str = "", config: TrainConfig | None = None, only: str = "",
          progress: Callable[[float, "Learner", Check], None] | None = None, chunk: int = 50) -> Check:  # fmt: skip
    """`vj learn`: trains for so many steps or seconds of `clock`, writes `out` at every twentieth of the way and at the end.

    only: one of trainer.ONLY, to refine that part of weights; their motions stay.

    `progress` is told (share done, learner, newest check). Beside `out` lies its progress file for `resume`.
    """
    aside = out.with_suffix(".progress.safetensors")
    net = start(footage, weights, seed)
    if weights is not None:
        if only != "finer":  # the world stays as it is
            adopt_footage(net, footage, motions=not only)
        if only:
            config = replace(config or TrainConfig(rate=STAGED[only]), only=only)
        elif resume:  # where it was left, not to be refined yet
            config = config or TrainConfig()
        elif weights[0].step >= KNOWS:  # other footage, most likely: refining would take it too long
            config = config or TrainConfig(rate=BRISK)
    learner = Learner(footage, net, config, device, recipe, source, seed, weights[0].step if weights else 0)
    if resume:
        load_progress(aside, learner)
    begun, first, saved = clock(), learner.steps, 0.0
    check = learner.check()
    share = 0.0
    while share < 1:
        learner.trainer.share = share
        learner.run(chunk if steps is None else min(chunk, first + steps - learner.steps))
        share = (learner.steps - first) / steps if steps is not None else (clock() - begun) / max(seconds or 1, 1e-6)
        if share >= min(saved + 0.05, 1):
            saved, check = share, learner.check()
            if check.finite:
                write(out, *learner.publishable(check), halved=True)
                save_progress(aside, learner)
        if progress is not None:
            progress(min(share, 1.0), learner, check)
    return check
