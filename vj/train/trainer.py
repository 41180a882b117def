"""Learns weights from prepared footage: one loop for `vj learn`, for the show's background and for `vj render`.

Each step rolls the network a few frames on its own output and then grades it on the true next frame (Henry's
corrective pairs, 2017; the pushforward trick of Brandstetter et al. 2022), so it learns to mend its own drift.
The weights that are shown are an average (EMA) of the trained ones. Knows no process, no clock, no show.
"""

import copy
import functools
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from vj.model import transport
from vj.model import world as worlds
from vj.model.device import native_bf16
from vj.model.net import CODE_DIMS, CODES, ModelConfig, Net, code_index, prior_sees
from vj.signals import BANDS
from vj.train.dataset import BEFORE, Batch, Dataset
from vj.train.losses import box, class_loss, edge_loss, light_loss, slopes


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What a person may turn in training."""

    batch: int = 4
    rate: float = 1.5e-3  # learning rate at its highest
    warmup: int = 50  # steps
    clip: float = 1.0  # gradient norm
    average: float = 0.998  # of the EMA
    deepest: int = 6  # frames of its own output before it is graded, at most
    parts: float = 0.7  # share of the steps that look at the right `part` px of twice as many windows
    part: int = 80
    deepen: int = 1200  # steps until the deepest is reached
    entering: float = 0.75  # share of those that teach only what enters, from step `entering_from` on
    entering_from: int = 3000
    prior_batch: int = 24  # windows of the prior's own lessons
    along: float = 0.015  # how much the edge is drawn to the motion of its row further in
    moving: float = 3.0  # weight of choosing the right motion class
    touch: float = 0.03  # price of touching a pixel up instead of moving one
    noise: float = 0.04  # largest standard deviation added to the history
    adversary: float = 0.04  # weight of the adversary on what enters; 0 without
    adversary_from: int = 1500  # step
    half: bool | None = None  # bfloat16; None: where it is native


JUDGE_LEARNS = 100  # lessons before the judge is listened to


class Judge(torch.nn.Module):
    """The adversary: looks at the leading edge as it was and as it becomes, patch by patch (PatchGAN, Isola 2017)."""

    def __init__(self, width: int = 24):
        super().__init__()
        layers = [torch.nn.Conv2d(8, width, 3, padding=1)]
        for given, made, size, stride in ((1, 2, 4, 2), (2, 3, 4, 2), (3, 3, 3, 1)):
            layers += [torch.nn.LeakyReLU(0.2), torch.nn.Conv2d(given * width, made * width, size, stride, 1)]
        layers += [torch.nn.LeakyReLU(0.2), torch.nn.Conv2d(3 * width, 1, 3, padding=1)]
        self.layers = torch.nn.Sequential(*layers)

    def forward(self, moved, entered, told, strip):
        """The moved strip, what is missing in it, what was told for each row and the strip to be judged.

        (B, C, H, S), C = 3, 1, 1, 3 -> (B, 1, H/4, S/4), above 0 for what looks like footage.
        """
        return self.layers(torch.cat([(moved - 0.5) * (1 - entered), entered, told - 0.5, strip - 0.5], 1))


class Trainer:
    """Owns the network in training, its average and its optimisers."""

    def __init__(self, net: Net, dataset: Dataset, config: TrainConfig = TrainConfig(), device="cpu", seed=0):
        """net is trained in place. `share` (0..1, of the way planned) may be set; the rate falls towards its end."""
        self.net = net.to(device).to(memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.net).eval()
        self.dataset, self.config, self.device = dataset, config, device
        self.share, self.judged = 0.0, 0  # of the way; lessons of the judge
        self.half = native_bf16(str(device)) if config.half is None else config.half
        self.judge = Judge().to(device)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), config.rate, betas=(0.9, 0.99), weight_decay=1e-4)
        self.judge_optimiser = torch.optim.Adam(self.judge.parameters(), 2e-3, betas=(0.5, 0.99))
        self.steps, self.begun, self.losses = 0, 0, {}
        self.generator = torch.Generator().manual_seed(seed)

    def run(self, steps: int) -> dict[str, float]:
        """`steps` training steps; the running mean of each part of the loss."""
        for _ in range(steps):
            self._step()
        return dict(self.losses)

    def _random(self, *shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=self.generator).to(self.device)

    def _grain(self, like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=self.generator).to(self.device)

    def _step(self) -> None:
        config, net = self.config, self.net
        for group in self.optimiser.param_groups:
            group["lr"] = config.rate * min(1, (self.steps - self.begun + 1) / config.warmup)
            group["lr"] *= 1 - 0.92 * max(0.0, self.share - 0.4) / 0.6  # settles in the last part of the way
        depth = 0
        if self.steps > 100:
            deepest = 1 + (config.deepest - 1) * min(1, self.steps / config.deepen)
            depth = round(deepest * self._random(1).item() ** 2)  # mostly shallow, now and then deep
        # Most steps look at the right part only, where things enter, and at more of them; the light needs the whole.
        part = self._random(1).item() < config.parts and net.config.width >= 2 * config.part
        # Moving is soon learnt; then most of these steps teach only what enters, at half the price.
        entering = part and self.steps >= config.entering_from and self._random(1).item() < config.entering
        depth = depth // 2 if entering else depth
        batch = self.dataset.batch(config.batch * (2 if part else 1), depth + 1)
        batch = Batch(batch.frames.to(self.device), batch.controls.to(self.device))
        quick = functools.partial(torch.autocast, torch.device(self.device).type, torch.bfloat16, enabled=self.half)
        with quick():
            state, noise, whole = self._roll(batch, depth, config.part if part else net.config.width)
            off = self._off_colours(state.lattice)
        with quick():  # apart: some versions keep what was cast without a gradient, and give it none later
            parts, adversary = self._grade(batch, depth, state, noise, whole, off, entering)
        loss = sum(parts.values())
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        self.optimiser.step()
        if adversary is not None:
            self._teach_judge(*adversary)
        self.steps += 1
        self._follow()
        for name, value in parts.items():
            value = float(value.detach())
            self.losses[name] = value if name not in self.losses else 0.98 * self.losses[name] + 0.02 * value

    @torch.no_grad()
    def _follow(self) -> None:
        keep = min(self.config.average, (self.steps + 1) / (self.steps + 10))
        for mine, theirs in zip(self.average.parameters(), self.net.parameters(), strict=True):
            mine.lerp_(theirs, 1 - keep)

    @torch.no_grad()
    def _roll(self, batch: Batch, depth: int, width: int) -> tuple[worlds.World, torch.Tensor, torch.Tensor]:
        """The right `width` px of the world after `depth` frames of its own output, its history roughened.

        Also the noise it is told of, and the whole picture at that moment in the same light.
        """
        frames, controls, net = batch.frames, batch.controls, self.net
        B, now = frames.shape[0], BEFORE - 1
        past = tuple(frames[:, now - back] for back in range(4))
        still = self._random(B) < 0.05  # a first picture has no past
        past = (past[0], *(torch.where(still.view(-1, 1, 1, 1), past[0], frame) for frame in past[1:]))
        full = width == frames.shape[4]
        state = worlds.begin(net, tuple(frame[..., -width:] for frame in past), controls[:, now, 0] * ~still)
        zero = torch.zeros(B, device=self.device)
        for ahead in range(depth):
            told, after = controls[:, now + 1 + ahead], frames[:, now + 1 + ahead]
            code = net.encoder(state.shown[0], after, told[:, 0])
            state = worlds.step(net, state, told, code, zero, None if full else frames[:, now + ahead])
        noise = self._random(B) * self.config.noise * (self._random(B) < 0.4)
        other = self._random(B) < 0.25  # another light than the target's: learns to reach what it is told
        gain = torch.where(other, 0.8 + 0.4 * self._random(B), zero + 1)
        tint = torch.where(other, 0.1 * (self._random(B) - 0.5), zero)
        lift = torch.where(other, 0.04 * (self._random(B) - 0.5), zero).view(-1, 1, 1, 1)
        green = torch.where(other, 0.08 * (self._random(B) - 0.5), zero)
        colour = torch.stack([gain * (1 + tint), gain * (1 + green), gain * (1 - tint)], 1)[:, :, None, None]
        rough = [noise.view(-1, 1, 1, 1) * self._grain(state.shown[0]) for _ in range(2)]  # same grain on both newest
        shown = tuple(worlds.quantise(f * colour + lift + rough[min(back, 1)]) for back, f in enumerate(state.shown))
        lattice = worlds.quantise(state.lattice * colour + lift + rough[0], worlds.BRIGHTEST)
        whole = shown[0] if full else worlds.quantise(frames[:, now + depth] * colour + lift)
        return replace(state, lattice=lattice, shown=shown), noise, whole

    def _grade(self, batch: Batch, depth: int, state: worlds.World, noise: torch.Tensor, whole: torch.Tensor, off, entering):
        """The parts of the loss on the true next frame, and a lesson for the judge: (given, fake, real) or None.

        whole: the full picture that the light is read from; off: wrong colours at the edge, to be mended; entering:
        only what enters is taught.
        """
        net, config = self.net, self.config
        K, S = net.config.classes, net.config.strip
        told, after = batch.controls[:, BEFORE + depth], batch.frames[:, BEFORE + depth, ..., -state.lattice.shape[3] :]
        vector = worlds.tell(net, state, told, noise)
        code = net.encoder(state.shown[0], after, told[:, 0])
        seen = replace(state, shown=tuple((frame + off).clamp(0, 1) for frame in state.shown))
        with torch.set_grad_enabled(not entering):
            logits, colours, features, _ = net.trunk(worlds.history(seen), worlds.misfit(net, seen), vector, code)
            logits, colours = logits.float(), colours.float()
            relit = worlds.relight(state.lattice, net.light(whole, vector).float()).clamp(max=1)  # as it is shown
        with torch.no_grad():
            total = state.phase + net.bank[None] * told[:, :1, None]
            vertical = bool((net.bank[:, 1] != 0).any())
            classes = logits[:, :K].argmax(1)
            every = transport.sample(relit, classes, total, vertical)
            means, moved = every.mean(3, keepdim=True), every[..., -S:]
            column = torch.arange(every.shape[3], device=self.device)
            missing = (column + transport.pick(total, classes)[..., 0] > every.shape[3] - 0.75)[:, None, :, -S:].float()
        missing = self._gaps(missing)
        prior_loss, prior_seen, past = self._grade_prior(batch, depth, seen.shown[0])
        known = (moved + off[..., -S:]).clamp(0, 1)
        target = after[..., -S:]
        adversary, parts = None, {}
        if config.adversary and self.steps >= config.adversary_from and self.steps % 2:
            drawn = net.prior.sample(prior_seen, past, self.generator)  # as at the show: no code from the truth
            twice = [torch.cat([x, x]) for x in (known, missing, means, features)]
            painted, dreamt = net.painter(*twice, torch.cat([code, drawn])).float().chunk(2)
            own = F.interpolate(prior_seen[:, 6:7, :, None], size=moved.shape[2:], mode="nearest")
            fake = torch.where(missing > 0, dreamt, moved)
            for parameter in self.judge.parameters():
                parameter.requires_grad_(False)
            if self.judged >= JUDGE_LEARNS:
                parts["fool"] = -config.adversary * _over(missing, self.judge(moved, missing, own, fake).float())
            adversary = ((moved, missing, own), fake.detach(), torch.where(missing > 0, target, moved))
        else:
            painted = net.painter(known, missing, means, features, code).float()
        strip = torch.where(missing > 0, painted, moved)

        detail = sum(F.pad(slope.abs().mean(1, keepdim=True), pad) for slope, pad in
                     zip(slopes(target), ((1, 0, 0, 0), (0, 0, 1, 0)), strict=True))  # fmt: skip
        # A far row has one new pixel where a near one has six: each row counts, not each pixel.
        rows = (4 / missing.sum(3, keepdim=True).clamp(min=1)) ** 0.7
        weight = (0.1 + missing * rows) * (1 + 12 * box(box(detail)))
        parts["paint"] = ((painted - target).abs() * weight).mean() * 2 + edge_loss(strip, target, 0.1 + box(missing))
        parts["prior"] = 0.3 * prior_loss
        if self.steps % 2 == 0:  # by turns with the adversary
            parts["prior"] = parts["prior"] + 0.6 * self._grade_prior_alone()
        if entering:
            return parts, adversary
        with torch.no_grad():
            proposals, entered = transport.candidates(relit, total, vertical)
            errors = (proposals - after[:, None]).abs().mean(2)
            paint_error = (painted - target).abs().mean(1, keepdim=True)
            edge = entered.expand(-1, -1, after.shape[2], -1)[..., -S:]
            errors[..., -S:] = torch.where(edge, paint_error.expand(-1, K, -1, -1), errors[..., -S:])
            # Whether calm ground enters or its last pixel is copied on cannot be seen; copied on it is a streak. In doubt
            # the edge goes with what its row does further in.
            further_in = torch.softmax(logits[:, :K, :, -20:-10], 1).mean(3, keepdim=True)
            errors[..., -10:] -= config.along * further_in
            touch_error = (colours - after).abs().mean(1, keepdim=True) + config.touch
            errors = box(torch.cat([errors, touch_error], 1))
            worst = errors[:, :K].amin(1, keepdim=True)
            needed = 0.1 + (worst / 0.05).clamp(0, 1) + torch.softmax(logits, 1)[:, K:]
        parts["classes"] = config.moving * class_loss(logits, errors)
        parts["touch"] = 0.5 * ((colours - after).abs() * needed).mean()
        parts["light"] = 4 * light_loss(relit, after)
        return parts, adversary

    def _gaps(self, missing: torch.Tensor) -> torch.Tensor:
        """For half of the pictures, a gap of random width at the edge instead of what the classes leave open.

        Else what the trunk does not yet expect to enter would never be painted, and so never be expected.
        """
        B, _, _, S = missing.shape
        width = 1 + (self._random(B, 1, 1, 1) * 8).floor()
        band = (torch.arange(S, device=missing.device) >= S - width).float().expand_as(missing)
        return torch.where(self._random(B, 1, 1, 1) < 0.5, band, missing)

    def _off_colours(self, image: torch.Tensor) -> torch.Tensor:
        """For half of the pictures, wrong colours row by row near the edge, to be shown in place of the true ones.

        Who copies its neighbour's colour carries every error on, and in a thousand frames the palette is gone. So
        the edge must be mended from what the code says, and the code foretold from an edge that is a little wrong.
        """
        B, C, H, W = image.shape
        coarse, fine = (self._grain(image.new_empty(B, C, rows, 1)) for rows in (6, H // 4))
        rows = 0.05 * F.interpolate(coarse, size=(H, 1), mode="bilinear") + 0.025 * F.interpolate(fine, size=(H, 1))
        ramp = ((torch.arange(W, device=image.device) - (W - 48)) / 24).clamp(0, 1)
        return rows * ramp * (self._random(B, 1, 1, 1) < 0.5)

    def _grade_prior(self, batch: Batch, depth: int, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """How well the prior foretells the next code; what it saw and the past codes, with all controls told."""
        net, now = self.net, BEFORE - 1 + depth
        frames, controls = batch.frames, batch.controls
        B, M = frames.shape[0], net.config.memory
        pairs = [(now - back, now - back + 1) for back in range(min(M, now) + 1)]  # newest first
        before = torch.cat([frames[:, a] for a, _ in pairs])
        after = torch.cat([frames[:, b] for _, b in pairs])
        speed = torch.cat([controls[:, b, 0] for _, b in pairs])
        with torch.no_grad():
            codes = net.encoder(before, after, speed).float().unflatten(0, (-1, B))
            past = codes[1:].transpose(0, 1).flatten(1, 2)
            past = F.pad(past, (0, 0, 0, M * CODE_DIMS - past.shape[1]))
            told = (self._random(B) > 0.12).float()
            seen = prior_sees(image, net.lit(controls[:, now + 1]), told, BANDS)
            all_told = prior_sees(image, net.lit(controls[:, now + 1]), torch.ones_like(told), BANDS)
        guess = net.prior(seen, past, codes[0])
        loss = F.cross_entropy(guess.float().reshape(-1, CODES), code_index(codes[0]).flatten())
        return loss, all_told, past

    def _grade_prior_alone(self) -> torch.Tensor:
        """More lessons for the prior alone: it is small, and what enters is as good as its guesses."""
        net, M = self.net, self.net.config.memory
        batch = self.dataset.batch(self.config.prior_batch, 1, columns=net.config.look)
        frames, controls = batch.frames.to(self.device), batch.controls.to(self.device)
        now, B = BEFORE - 1, len(frames)
        pairs = [(now - back, now - back + 1) for back in range(M + 1)]
        before, after = (torch.cat([frames[:, pair[side]] for pair in pairs]) for side in (0, 1))
        speed = torch.cat([controls[:, b, 0] for _, b in pairs])
        with torch.no_grad():
            codes = net.encoder(before, after, speed).float().unflatten(0, (-1, B))
            past = codes[1:].transpose(0, 1).flatten(1, 2)
            told = (self._random(B) > 0.12).float()
            edge = (frames[:, now] + self._off_colours(frames[:, now])).clamp(0, 1)
            seen = prior_sees(edge, net.lit(controls[:, now + 1]), told, BANDS)
        guess = net.prior(seen, past, codes[0])
        return F.cross_entropy(guess.float().reshape(-1, CODES), code_index(codes[0]).flatten())

    def _teach_judge(self, given: tuple, fake: torch.Tensor, real: torch.Tensor) -> None:
        """One step of the adversary with the hinge loss (Lim and Ye 2017)."""
        for parameter in self.judge.parameters():
            parameter.requires_grad_(True)
        loss = sum(_over(given[1], F.relu(1 + sign * self.judge(*given, strip))) for sign, strip in ((-1, real), (1, fake)))
        self.judge_optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.judge_optimiser.step()
        self.judged += 1
        self.losses["judge"] = 0.98 * self.losses.get("judge", 2.0) + 0.02 * float(loss.detach())


def _over(missing: torch.Tensor, verdict: torch.Tensor) -> torch.Tensor:
    """Mean of the judge's verdict over the patches in which something was painted."""
    weight = F.adaptive_avg_pool2d(missing, verdict.shape[2:])
    return (verdict * weight).sum() / weight.sum().clamp(min=1e-3)


def fresh(config: ModelConfig, bank, seed: int = 0) -> Net:
    """A network that knows nothing yet, with the bank of displacements measured in the footage (K, 2) px."""
    torch.manual_seed(seed)
    net = Net(config)
    net.bank.copy_(torch.as_tensor(bank, dtype=torch.float32))
    return net
