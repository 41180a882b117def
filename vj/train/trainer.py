"""Learns weights from prepared footage: one loop for `vj learn`, for the show's background and for `vj render`.

Each step rolls the network a few frames on its own output and then grades it on the true next frame (Henry's
corrective pairs, 2017; the pushforward trick of Brandstetter et al. 2022), so it learns to mend its own drift.
The weights that are shown are an average (EMA) of the trained ones. Knows no process, no clock, no show.
"""

import copy
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F

from vj.model import transport
from vj.model import world as worlds
from vj.model.device import native_bf16
from vj.model.net import CODE_DIMS, GROUPS, ModelConfig, Net, levels, told_groups, whole_cells
from vj.model.planes import GRAINS, best, box, double, grained
from vj.train.adversary import Adversary
from vj.train.dataset import BEFORE, Batch, Dataset
from vj.train.daylight import Daylight
from vj.train.dreaming import seen
from vj.train.dreams import Dreams
from vj.train.lessons import Lessons
from vj.train.losses import class_loss, light_loss, unlikeness
from vj.train.mending import Mendings
from vj.train.painting import FLIPPED, NEWS, SKETCHED, grade_grain, grade_paint, news, sketch, tone
from vj.train.roughness import OFF, Roughness
from vj.train.strays import Strays, slipped
from vj.train.tidying import Tidying
from vj.train.tracks import SPAN, explained
from vj.train.whole import APART, WHOLE, Whole, alone


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a person may turn in training."""

    batch: int = 4  # windows of a step, each looked at twice (twice as many at first); half as many where the whole picture is
    rate: float = 1.5e-3  # learning rate at its highest
    warmup: int = 50  # steps
    clip: float = 1.0  # gradient norm
    average: float = 0.998  # of the EMA
    deepest: int = 12  # frames of its own output before it is graded, at most
    parts: float = 0.9  # share of the steps that look at the right `part` px of twice as many windows
    part: int = 80
    deepen: int = 10000  # steps until the deepest is reached
    entering: float = 0.7  # share of those that teach only what enters, from step `entering_from` on
    entering_from: int = 250  # steps, of other footage too: moving comes first
    prior_batch: int = 32  # windows of the prior's own lessons
    dreaming: float = 0.25  # share of the way, at its end, in which only prior and mender learn, from codes that no longer change
    along: float = 0.015  # how much the edge is drawn to the motion of its row further in
    moving: float = 3.0  # weight of choosing the right motion class
    need: float = 0.2  # weight of finding out which cells are worth telling
    touch: float = 0.03  # price of touching a pixel up instead of moving one
    noise: float = 0.04  # largest standard deviation added to the history
    half: bool | None = None  # bfloat16; None: where it is native
    only: str = ""  # one of ONLY: the rest stays as it is, and the codes keep their meaning


# What moves and paints; what moves; what fills the strip; the same, from what the dice draw too; that and what finds its code,
# whose meaning shifts; what draws the code; the same, from its own dreams too; what mends; the same, from dreams too; what makes
# the things that enter; what makes the land behind them; what gives both their detail.
ONLY = ("picture", "trunk", "painter", "adversary", "strip", "prior", "dreams", "mender", "tidying", "sprites", "land",
        "finer")
MENDING = ("mender", "tidying")
WHOLLY = 40  # steps after which, where all is learnt, things and land are cut out, and learnt too: the young learn light first
EAGER, SECOND = 4000, 2000  # steps in which a cell is told where nothing goes on with what enters; the second group from so many
FLEDGLING, STEADY = 150, 0.5  # steps after which the young trunk learns at so much of the rate: it forgot a motion now and then
IN_DOUBT = 4.0  # times as bad as telling what is no news is, meanwhile, not telling what is
CAUTIOUS = 0.3  # of the rate, for the prior meanwhile: at the full rate one of four was lost within its first 300 steps
DAYLIT, DAWN, DAYS = 2e-3, 60, 20  # rate of lessons in light, and in how many first steps how many of them are given
GAPS, AT_FIRST, FIRST = 0.3, 0.9, 2000  # share of the pictures with a gap cut: in the end, at first, until which step
OPENED = 0.4  # share of the pictures in which what enters is not what the network opens, but what it had better opened
SHARP = 0.02  # of the errors by which that is told
NEWEST = 6  # px at the edge whose motion counts once more where something is told
TONED = 0.4  # share of the pictures in another tone, where a painter is to keep to it
REACH = 32  # px to the left of the painted strip from which what is in it may come
ONCE = 0.35  # how much the one step counts, against several, in telling with what something moves
# When the prior learns alone it does so from worlds that have gone on for as many frames as hills take to come all the way
# into what it sees, where the footage is long enough; for each of its steps NEW such frames are dreamt.
DREAMT, NEW = 96, 13
BESIDE = 100  # steps after which such worlds go on where all is learnt together
LITTER = 16  # frames after which the mender is shown such a world again
ASTRAY = 0.08  # difference (0..1) of a row from the footage's, at the edge, from which on it is told what its own world needs
NEAR = 1  # own frames up to which it is learnt what is worth telling
WORTH = 0.022  # of the error (0..1 a pixel of a row with four new ones, summed over a cell) that telling a cell must take away


def _settling(way: float) -> float:
    """Of the rate, at this share of the way: in its last part what is learnt settles."""
    return 1 - 0.92 * max(0.0, way - 0.4) / 0.6


def _twice(part):
    """A world, a tuple or a tensor, each of its worlds twice: (B, ...) -> (2 B, ...)."""
    if isinstance(part, worlds.World):
        return worlds.World(*(_twice(getattr(part, field.name)) for field in fields(part)))
    if isinstance(part, tuple):
        return tuple(_twice(each) for each in part)
    return torch.cat([part, part]) if isinstance(part, torch.Tensor) else part


class Trainer:
    """Owns the network in training, its average and its optimisers."""

    def __init__(self, net: Net, dataset: Dataset, config: TrainConfig = TrainConfig(), device="cpu", seed=0):
        """net is trained in place. `share` (0..1, of the way planned) may be set; the rate falls towards its end."""
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval()
        self._followed = [
            pair for pair in zip(self.average.named_parameters(), self.net.named_parameters(), strict=True)
            if config.only in WHOLE or not pair[0][0].startswith(tuple(WHOLE))
        ]  # fmt: skip
        self.dataset, self.config, self.device = dataset, config, device
        self.share = 0.0
        self.half = native_bf16(str(device)) if config.half is None else config.half
        self._hold_still()
        apart = [list(part.parameters()) for part in (self.net.trunk, self.net.prior, self.net.mender)]
        others = [part for name, part in self.net.named_parameters() if not name.startswith(("trunk.", "prior.", "mender."))]
        groups = [{"params": part} for part in (others, *apart)]
        self.optimiser = torch.optim.AdamW(groups, config.rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.steps, self.begun, self.losses = 0, 0, {}
        self.rough = Roughness(device, seed)
        self._lessons, self._mendings = Lessons(self.rough), Mendings(self.rough)
        self._daylight: Daylight | None = None
        self._dreams = Dreams(self.average, dataset, self.rough, self._part) if config.only == "dreams" else None
        self._adversary = Adversary(self.net, dataset, self.rough, self._part) if config.only == "adversary" else None
        wide = self.net.config.width
        self._tidying = Tidying(self.net, dataset, self.rough, wide) if config.only == "tidying" else None
        self._only = alone(config.only, self.net, self.average, dataset, self.rough) if config.only in APART else None
        self.whole = None if config.only else Whole(self.net, self.average, dataset, Roughness(device, seed))
        self._brightens = torch.optim.AdamW(self.net.light.parameters(), DAYLIT, betas=(0.9, 0.99))

    def run(self, steps: int) -> dict[str, float]:
        """`steps` training steps, or lessons of `whole` in their place; the running mean of each part of the loss."""
        for _ in range(steps):
            with torch.random.fork_rng(devices=[]):  # dropout takes no generator; the same seed is to learn the same
                torch.manual_seed(int(torch.randint(2**31, (1,), generator=self.rough.generator)))
                fledged = self.begun >= EAGER
                first = 0 if fledged else WHOLLY
                if not (self.whole and self.steps - self.begun >= first and self.whole.comes_first(fledged)):
                    self._step()
                if self.whole and self.steps - self.begun >= first:
                    self.losses |= self.whole.turn(self._quick, _settling(self.share))
        return dict(self.losses)

    def _hold_still(self) -> None:
        """Lets only that learn which is to."""
        only, encoder = self.config.only, self.net.encoder
        parts = dict(self.net.named_children())
        learning = {
            "": parts.keys() - APART.keys(), "picture": parts.keys() - {"prior", "mender", *APART},
            "strip": ("painter", "encoder"), "adversary": ("painter",), "dreams": ("prior",), "tidying": ("mender",),
        }.get(only, (only,))  # fmt: skip
        for name, part in parts.items():
            part.requires_grad_(name in learning)
        if only == "picture":  # of the code only which of it is worth telling, see _grade
            encoder.layers[:-1].requires_grad_(False)

    @property
    def _part(self) -> int:
        """px of the picture, from the right, that are looked at where things enter."""
        wide = self.net.config.width
        return self.config.part if wide >= 2 * self.config.part else wide

    def _quick(self) -> torch.autocast:
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self.half)

    @property
    def _eager(self) -> bool:
        """Young, it tells where news is: what telling is worth shows only when there is a code that says something."""
        return self.steps < EAGER

    @property
    def _young(self) -> bool:
        """Younger still, by the first group of the code alone."""
        return self.steps < SECOND

    def _step(self) -> None:
        config, net = self.config, self.net
        never_moves = config.only in ("prior", "dreams", *APART, *MENDING)
        dreaming = float(never_moves) if config.only else config.dreaming
        alone = never_moves or self.share > 1 - dreaming
        way = (self.share - 1) / dreaming + 1 if alone else self.share / (1 - dreaming)
        shares = (1.0, STEADY if FLEDGLING < self.steps < EAGER else 1.0, CAUTIOUS if self._young else 1.0, 1.0)
        for group, share in zip(self.optimiser.param_groups, shares, strict=True):
            group["lr"] = share * config.rate * min(1, (self.steps - self.begun + 1) / config.warmup)
            group["lr"] *= _settling(way)
        quick = self._quick
        if self._only:
            with quick():
                graded = self._only.grade(self.share)
            self._learn(graded)
            if config.only in WHOLE:
                mine, theirs = (getattr(each, config.only).encoder.scale for each in (net, self.average))
                theirs.load_state_dict(mine.state_dict())
            return
        if alone:
            with quick():
                self._dream()
                parts = {}
                if config.only not in MENDING:
                    parts["prior"] = self._lessons.grade(net, 2 * config.prior_batch)
                if self._dreams:
                    parts |= self._dreams.grade(net, 2 * config.prior_batch)
                if config.only in MENDING or (self.steps % 2 and not config.only):
                    parts["mender"] = self._mendings.grade(net, 2 * config.batch)
                if self._tidying:
                    parts |= self._tidying.grade(parts["mender"])
            self._learn(parts)
            return
        if self._eager and not config.only:
            self._look_at_light()
        if self._eager and not config.only and self.rough.random(1).item() < SKETCHED:
            with quick():
                level = 1 if self._young else GROUPS
                self._learn({"paint": sketch(net, self.dataset, self.rough, self.device, level)} | self._prior_too())
            return
        if not (config.only or self._eager):
            with quick():
                self._dream()
        depth = 0
        if self.steps > 100:
            deepest = 1 + (config.deepest - 1) * min(1, self.steps / config.deepen)
            depth = round(deepest * self.rough.random(1).item() ** 2)  # mostly shallow, now and then deep
        # Most steps look at the right part only, where things enter, and at more of them; the light needs the whole.
        part = self.rough.random(1).item() < config.parts and net.config.width >= 2 * config.part
        # Moving is soon learnt; then most of these steps teach only what enters, at half the price.
        entering = part and self.steps - self.begun >= config.entering_from and self.rough.random(1).item() < config.entering
        entering = (entering or config.only in ("painter", "adversary", "strip")) and config.only != "trunk"
        depth = depth if part else depth // 3
        size = config.batch if part else max(1, config.batch // 2)
        batch = self._batch(size * (1 + self._eager), depth + 1, beyond=SPAN[1])
        with quick():
            state, noise, whole = self._roll(batch, depth, config.part if part else net.config.width)
            off = self.rough.off_colours(state.lattice, TONED if self._adversary else OFF)
        with quick():  # apart: some versions keep what was cast without a gradient, and give it none later
            parts = self._grade(batch, depth, state, noise, whole, off, entering)
            parts |= self._prior_too() | self._mender_too()
            if self._adversary:
                parts |= self._adversary.grade(parts["paint"])
        self._learn(parts)

    def _dream(self) -> None:
        """Now and then, worlds told the footage's codes and a little astray, that go on for as long as may be."""
        config, wide = self.config, self.net.config.width
        size, deep = 2 * config.batch, max(config.deepest, min(DREAMT, self.dataset.room))
        often = self._dreams.often if self._dreams else max(1, size * deep // NEW)
        often = often if config.only or self.share > 1 - config.dreaming else BESIDE
        if self._lessons.kept and self._mendings.kept and self.steps % often:
            return
        width = wide if config.only in MENDING else self._part
        self._roll(self._batch(size, deep + 1, light=0.0), deep, width, lessons=True)

    def _look_at_light(self) -> None:
        """The young learns the light apart, in quick lessons: until it knows it, no picture keeps its colours."""
        self._daylight = self._daylight or Daylight(self.dataset, self.device)
        for _ in range(DAYS if self.steps < DAWN else 1):
            self._brightens.zero_grad(set_to_none=True)
            self._daylight.lesson(self.net, self.rough.generator).backward()
            self._brightens.step()

    def _prior_too(self) -> dict[str, torch.Tensor]:
        """In every other step, once there are lessons, the prior learns beside the picture."""
        if self.steps % 2 or self.config.only or not self._lessons.kept:
            return {}
        return {"prior": self._lessons.grade(self.net, self.config.prior_batch, self._eager)}

    def _mender_too(self) -> dict[str, torch.Tensor]:
        """In the others, once what is painted is told, the mender does."""
        if self.steps % 2 == 0 or self.config.only or self._young or not self._mendings.kept:
            return {}
        return {"mender": self._mendings.grade(self.net, self.config.batch)}

    def _batch(self, size: int, ahead: int, light: float = 0.5, beyond: int = 0) -> Batch:
        batch = self.dataset.batch(size, ahead, light, beyond)
        return Batch(batch.frames.to(self.device), batch.controls.to(self.device))

    def _learn(self, parts: dict[str, torch.Tensor]) -> None:
        """Goes down the slope of a step's losses; the average follows."""
        self.optimiser.zero_grad(set_to_none=True)
        sum(parts.values()).backward()
        for group in self.optimiser.param_groups:  # each apart: the trunk's slopes are many times as steep as the painter's
            torch.nn.utils.clip_grad_norm_(group["params"], self.config.clip)
        self.optimiser.step()
        self.steps += 1
        self._follow()
        for name, value in parts.items():
            value = float(value.detach())
            self.losses[name] = value if name not in self.losses else 0.98 * self.losses[name] + 0.02 * value

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(self.config.average, (self.steps + 1) / (self.steps + 4))
        for (_, mine), (_, theirs) in self._followed:
            mine.lerp_(theirs, 1 - keep)

    @torch.no_grad()
    def _roll(self, batch: Batch, depth: int, width: int, lessons: bool = False):
        """The right `width` px of the world after `depth` frames of its own output, its history roughened; told what the
        footage tells. If it is for lessons, of dice, mender or critic, strays and slips, too.

        Also the noise it is told of, and the whole picture at that moment in the same light.
        """
        frames, controls, net = batch.frames, batch.controls, self.net
        B, now = frames.shape[0], BEFORE - 1
        past = tuple(frames[:, now - back] for back in range(4))
        still = self.rough.random(B) < 0.05  # a first picture has no past
        past = (past[0], *(torch.where(still.view(-1, 1, 1, 1), past[0], frame) for frame in past[1:]))
        full = width == frames.shape[4]
        speeds = controls[:, : now + 1, 0].flip(1) * ~still[:, None]
        state = worlds.begin(net, tuple(frame[..., -width:] for frame in past), speeds)
        state = replace(state, codes=self._past_codes(batch) * ~still.view(-1, 1, 1))
        zero = torch.zeros(B, device=self.device)
        strays = Strays(self.rough, B) if lessons and not self._dreams else None  # dreams hold enough
        # Worlds that the mender or the critic learns from hold no slips: what is drawn is no litter, and not the footage's.
        slippery = lessons and self.config.only not in MENDING
        clean = 0 if self.config.only == "prior" else B // 2 if slippery else B
        slips = self.rough.random(B - clean)
        slips = torch.cat([zero[:clean], slips])
        for ahead in range(depth + 1):
            told, after = controls[:, now + 1 + ahead], frames[:, now + 1 + ahead]
            code, own = net.encoder.parts(state.shown[0], after, told[:, 0])
            need = self._need(batch, now + 1 + ahead)
            if not self._eager:
                need = torch.where(self._astray(state.shown[0], frames[:, now + ahead]), own, need)
            code = code * told_groups(levels(need))
            if lessons or self._eager:  # who knows something learns from worlds that have gone on
                self._lessons.remember(state, code, told)
            if ahead and (ahead % LITTER == 0 or ahead == depth):
                wide = width if self.config.only in MENDING else min(width, self.config.part)
                moment = (state.lattice, state.classes, frames[:, now + ahead])
                self._mendings.remember(*(part[: clean or B, ..., -wide:] for part in moment))
            if lessons and self._dreams and ahead and (ahead == depth or self._dreams.follows(ahead)):
                on_the_way = controls[:, now + 1 + ahead - self._dreams.frames : now + 1 + ahead]
                self._dreams.told.remember(*(part[:clean] for part in seen(net, state, on_the_way)))
            if ahead == depth:
                break
            code = slipped(self.average, self.rough, state, code, told, slips)
            code = code if strays is None else strays.among(code)
            rough = self.rough.grain(state.lattice.new_empty(B, GRAINS, net.config.height, net.config.strip))
            state = worlds.step(net, state, told, code, zero, None if full else frames[:, now + ahead], rough)
        noise = self.rough.random(B) * self.config.noise * (self.rough.random(B) < 0.4)
        other = self.rough.random(B) < 0.25  # another light than the target's: learns to reach what it is told
        gain = torch.where(other, 0.8 + 0.4 * self.rough.random(B), zero + 1)
        tint = torch.where(other, 0.1 * (self.rough.random(B) - 0.5), zero)
        lift = torch.where(other, 0.04 * (self.rough.random(B) - 0.5), zero).view(-1, 1, 1, 1)
        green = torch.where(other, 0.08 * (self.rough.random(B) - 0.5), zero)
        colour = torch.stack([gain * (1 + tint), gain * (1 + green), gain * (1 - tint)], 1)[:, :, None, None]
        rough = [noise.view(-1, 1, 1, 1) * self.rough.grain(state.shown[0]) for _ in range(2)]  # same grain on both newest
        shown = tuple(worlds.quantise(f * colour + lift + rough[min(back, 1)]) for back, f in enumerate(state.shown))
        lattice = (state.lattice * colour + lift + rough[0]).clamp(0, worlds.BRIGHTEST)
        whole = shown[0] if full else worlds.quantise(frames[:, now + depth] * colour + lift)
        return replace(state, lattice=lattice, shown=shown, behind=None), noise, whole

    def _need(self, batch: Batch, at: int) -> torch.Tensor:
        """What of frame `at` is worth telling, as the footage has it (B, GROUPS, rows). In its own world, gone astray, nearly
        all would be, for everything there differs from the footage; the prior would learn to tell all the time."""
        if self._eager:
            need = news(batch.frames[:, at], self.net.config.strip) - NEWS
            return torch.stack([need, *[torch.full_like(need, -1.0) if self._young else need] * (GROUPS - 1)], 1)
        return self.net.encoder.parts(batch.frames[:, at - 1], batch.frames[:, at], batch.controls[:, at, 0])[1]

    def _astray(self, shown: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
        """Where in the edge a row stands out against the footage's: (B, 1, rows) bool. There its own world needs telling, to
        end what should have ended."""
        off = (shown[..., -4:] - true[..., -4:]).mean(3, keepdim=True)
        off = (off - box(off, 9, 1)).abs().mean(1, keepdim=True)
        return whole_cells(off)[:, 0, :, 0].unflatten(1, (-1, 4)).amax(2)[:, None] > ASTRAY

    def _past_codes(self, batch: Batch) -> torch.Tensor:
        """The codes (B, memory * D, rows) of the footage's own last frames, newest first."""
        M, now = self.net.config.memory, BEFORE - 1
        back = range(min(M, now))
        before, after = (torch.cat([batch.frames[:, now - step - side] for step in back]) for side in (1, 0))
        codes = self.net.encoder(before, after, torch.cat([batch.controls[:, now - step, 0] for step in back]))
        codes = torch.cat(codes.chunk(len(back)), 1)
        return F.pad(codes, (0, 0, 0, M * CODE_DIMS - codes.shape[1]))

    def _grade(self, batch: Batch, depth: int, state: worlds.World, noise: torch.Tensor, whole: torch.Tensor, off, entering):
        """The parts of the loss on the true next frame.

        whole: the full picture that the light is read from; off: wrong colours at the edge, to be mended; entering:
        only what enters is taught.
        """
        net, config = self.net, self.config
        K, S = net.config.classes, net.config.strip
        told, after = batch.controls[:, BEFORE + depth], batch.frames[:, BEFORE + depth, ..., -state.lattice.shape[3] :]
        code, guess = net.encoder.parts(state.shown[0], after, told[:, 0])
        need = self._need(batch, BEFORE + depth)
        code = code if config.only in ("", "strip") else code.detach()
        # What is shown of a torn thing fits no motion: those of the footage itself are taught, over several frames.
        width = S if entering else after.shape[3]
        tracks = explained(net.bank, batch.frames, batch.controls[..., 0], BEFORE + depth, width)
        lot, gap = self.rough.random(len(need), 1, 1, 1), self.rough.bands(after[:, :1, :, -S:])
        gate, dice = levels(need.detach()), (self.rough.random(2, *need[:, 0].shape) * (GROUPS + 1)).long()
        tells = torch.where(self.rough.random(*gate.shape) < FLIPPED, dice[0], gate)
        if not self._eager:
            # Each picture twice, its cells told or not by other dice: what one lacks shows what telling it is worth.
            other = torch.where(self.rough.random(len(gate), 1) < 0.5, GROUPS, dice[1])  # all told, or each by its own dice
            tells = torch.cat([tells, other])
            twice = (state, told, after, noise, whole, off, tracks, code, lot, gap)
            state, told, after, noise, whole, off, tracks, code, lot, gap = _twice(twice)
        code = code * told_groups(tells)
        vector = worlds.tell(net, state.speeds[:, 0], told, noise)
        seen = replace(state, shown=tuple((frame + off).clamp(0, 1) for frame in state.shown))
        with torch.set_grad_enabled(not entering):
            logits, touch, features = net.trunk(worlds.history(seen), *worlds.misfit(net, seen), vector, code)
            logits, colours = double(logits), net.trunk.colours(touch).float()
        relit = worlds.relight(state.lattice, net.light(whole, vector).float()).clamp(max=1)  # as it is shown
        with torch.no_grad():
            total = state.phase + net.bank[None] * told[:, :1, None]
            vertical = bool((net.bank[:, 1] != 0).any())
            errors = self._errors(relit if not entering else relit[..., -S - REACH :], after, total, tracks)
            classes = best(logits[:, :K])[1][:, 0]
            likely = best(F.log_softmax(logits[:, :K, :, -S:], 1) / 2 - box(errors[..., -S:]) / SHARP)[1][:, 0]
            classes[..., -S:] = torch.where(lot[:, 0] < OPENED, likely, classes[..., -S:])
            shift, _ = transport.split(total, vertical)
            every, entered = transport.move(relit, classes, shift)
            moved, usual = every[..., -S:], transport.usual((every + off).clamp(0, 1), S)
            # What is painted is sampled at its phase when it is shown: the lattice is taught that would be shown as `after`.
            laid = transport.sample(after, classes, shift - total, vertical)
            if self._adversary:  # the critic does not see tones: what is painted is to be of its world's own
                laid = (laid + tone(every + off, laid, S)).clamp(0, 1)
            target = laid[..., -S:]
        gaps = GAPS + (AT_FIRST - GAPS) * max(0.0, 1 - self.steps / FIRST)
        missing = torch.where(lot > 1 - gaps, gap, entered[..., -S:].float())
        known = (moved + off[..., -S:]).clamp(0, 1)
        painted, choice, strength = (out.float() for out in net.painter(known, missing, usual[:, 1], features, code))
        rough = grained(strength, self.rough.grain(strength))
        strip, proposals, _ = worlds.fill(known.detach(), missing > 0, usual, painted, choice, rough.detach(), tells)

        # A far row has one new pixel where a near one has six: each row counts, not each pixel.
        rows = (4 / missing.sum(3, keepdim=True).clamp(min=1)) ** 0.7
        pasted = torch.where(missing > 0, painted, moved)
        paint = grade_paint(painted, choice, proposals, pasted, target, missing, rows, usual, tells, self._young)
        parts = {"paint": paint}
        if not self._eager:
            parts["grain"] = grade_grain(painted, choice, proposals, known, rough, target, missing, rows)
        if self._eager:
            wanted, doubt = (need[:, :1] > 0).float().expand_as(guess), guess.new_tensor(IN_DOUBT)
            parts["need"] = config.need * F.binary_cross_entropy_with_logits(guess, wanted, pos_weight=doubt)
        elif depth <= NEAR:  # further astray telling is worth more than it is in the footage
            parts["need"] = config.need * self._grade_need(need, tells, unlikeness(strip, target)[:, None] * rows)
        parts["light"] = 4 * light_loss(relit, after)
        if entering:
            return parts
        with torch.no_grad():
            # Whether calm ground enters or its last pixel is copied on cannot be seen; copied on it is a streak. In doubt
            # the edge goes with what its row does further in, but where something is told: that may be what differs.
            further_in = torch.softmax(logits[:, :K, :, -20:-10], 1).mean(3, keepdim=True)
            told_rows = (tells > 0).float().repeat_interleave(4, 1)[:, None, : errors.shape[2], None]
            errors[..., -10:] -= config.along * further_in * (1 - told_rows)
            touch_error = (colours - after).abs().mean(1, keepdim=True) + config.touch
            errors = box(torch.cat([errors, touch_error], 1))
            worst = errors[:, :K].amin(1, keepdim=True)
            needed = 0.1 + (worst / 0.05).clamp(0, 1) + torch.softmax(logits, 1)[:, K:]
        at_edge = class_loss(logits[..., -S // 2 :], errors[..., -S // 2 :])  # what is born wrong stays wrong
        if not self._eager:
            at_edge = at_edge + class_loss(logits[..., -NEWEST:], errors[..., -NEWEST:], told_rows[:, 0])
        parts["classes"] = config.moving * (class_loss(logits, errors) + at_edge)
        parts["touch"] = 0.5 * ((colours - after).abs() * needed).mean()
        return parts

    def _errors(self, image: torch.Tensor, after: torch.Tensor, total: torch.Tensor, tracks: torch.Tensor) -> torch.Tensor:
        """How badly each class explains `after`: (B, K, H, W), over image's right W px, as far as it can be known by where it
        comes from in this step, and by where it came from and goes over several (`tracks`, of as many px or fewer)."""
        proposals, entered = transport.candidates(image, total, bool((self.net.bank[:, 1] != 0).any()))
        errors = (proposals - after[:, None, ..., -image.shape[3] :]).abs().mean(2)
        width = tracks.shape[3]
        new = entered.expand(-1, -1, errors.shape[2], -1)[..., -width:]
        errors[..., -width:] = torch.where(new, tracks, ONCE * errors[..., -width:] + (1 - ONCE) * tracks)
        return errors

    def _grade_need(self, need: torch.Tensor, tells: torch.Tensor, error: torch.Tensor) -> torch.Tensor:
        """How well it is known which cells are worth telling: where being told takes away more than WORTH of the error."""
        with torch.no_grad():
            error = whole_cells(error).unflatten(2, (-1, 4)).sum((1, 3, 4))
            (a, b), (level_a, level_b) = error.chunk(2), tells.chunk(2)
            more = level_a - level_b
            gain = torch.where(more > 0, b - a, a - b) - WORTH * more.abs()
            low, high = torch.minimum(level_a, level_b), torch.maximum(level_a, level_b)
            groups = torch.arange(GROUPS, device=need.device).view(1, -1, 1)
            asked = (low[:, None] == groups) & (high > low)[:, None]  # which group it is that is worth it or not
            weight = gain.abs().clamp(max=1)[:, None] * asked
        told = levels(need.detach()).float()
        for name, value in (("coded", (told > 0).float().mean()), ("fully", (told > 1).float().mean())):
            self.losses[name] = 0.98 * self.losses.get(name, 1.0) + 0.02 * float(value)
        wrong = F.binary_cross_entropy_with_logits(need, (gain > 0).float()[:, None].expand_as(need), reduction="none")
        return (wrong * weight).sum() / weight.sum().clamp(min=1e-3)


def fresh(config: ModelConfig, bank, seed: int = 0) -> Net:
    """A network that knows nothing yet, with the bank of displacements measured in the footage (K, 2) px."""
    torch.manual_seed(seed)
    net = Net(config)
    net.bank.copy_(torch.as_tensor(bank, dtype=torch.float32))
    return net
