"""`vj judge`: what weights are worth on footage that they never saw. Figures with goals, a table, a contact sheet.

vj.train.trials and vj.train.obeying measure what anybody can see of a player; here is what needs the network itself: the skill
of one step, and the cost. Judged footage is the last part of each clip (vj.train.dataset), its statistics are of all.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from vj.model import world as worlds
from vj.model.generator import TRAINING, Generator
from vj.model.mender import EVERY
from vj.model.net import CODE_DIMS, CODES, DIGITS, HISTORY, Net
from vj.model.prior import Dice
from vj.model.speed import frame_seconds
from vj.signals import Controls, ModelFrame
from vj.train import measures, obeying, trials
from vj.train.dataset import Dataset, Usual
from vj.train.learn import USUAL
from vj.train.report import Findings, Report, sheet
from vj.train.trials import Player, Reference
from vj.view import View


def judge(card, tensors, footage, frames: int = 10_000, progress: Callable[[float, str], None] | None = None,
          effort: float = 1.0) -> Report:  # fmt: skip
    """Judges weights. footage: vj.train.footage.Footage of the same size; frames: of the long run.

    progress is told (share 0..1, what is done now). effort scales how long the trials besides the long run are; under
    0.5 it is for tests.
    """
    torch.set_num_threads(1)
    generator = Generator(card, tensors)
    reference = reference_of(footage)
    for net in (generator.net, generator.exact):  # it is told in this footage's own light
        net.usual.copy_(torch.tensor([footage.card.usual[name] for name in USUAL]))
    found = one_step(generator.exact if generator.half else generator.net, reference, max(round(160 * effort), 16))
    spent = cost(generator)
    shown = replace(reference, controls=footage.as_shows_are_told) if len(footage.scenes) > 1 else reference
    seen = judge_player(generator, shown, frames, progress, effort, _longest(footage, generator))
    about = {
        "title": f"{card.footage or 'weights'}, step {card.step}, {card.width}x{card.height}",
        "step": card.step, "frames": frames, "held_back_frames": sum(b - a for a, b in reference.held),
        "unseen": reference.held != reference.training,  # False: too short to hold anything back
    }  # fmt: skip
    return Report((*found.figures, *seen.figures, *spent.figures), sheet(seen.pictures), about)


class _OfScene:
    """A player who knows several scenes, in one alone."""

    def __init__(self, player: Generator, scene: int):
        self._player, self._scene, self.size = player, scene, player.size

    @property
    def view(self) -> View:
        return self._player.view

    def reset(self, seed: int) -> None:
        self._player.reset(seed)
        self._player.cut(self._scene)

    def step(self, controls: Controls) -> ModelFrame:
        return self._player.step(controls)


def _longest(footage, generator: Generator) -> tuple[Player, Reference] | None:
    """Who is to obey and what that is held against, where there are several scenes: in the longest one alone."""
    return (_OfScene(generator, 0), reference_of(footage.of_scene(0))) if len(footage.scenes) > 1 else None


def judge_player(player: Player, reference: Reference, frames: int, progress=None, effort: float = 1.0,
                 obeys: tuple[Player, Reference] | None = None) -> Findings:  # fmt: skip
    """All trials that need nothing but what is seen. obeys: who is to obey, and held against what; None: the same."""
    tell, out = progress or (lambda share, what: None), Findings()
    within = lambda a, b: lambda share, what: tell(a + (b - a) * share, what)  # noqa: E731
    for i in reference.sample(6):
        out.show("footage", f"footage {i}", reference.frames[i], reference.view(i))
    out.take(trials.long_run(player, reference, frames, within(0.05, 0.6)))
    player, reference = obeys or (player, reference)
    out.take(obeying.speeds(player, reference, within(0.6, 0.75), effort))
    out.take(obeying.standing(player, reference, within(0.75, 0.8), effort))
    out.take(obeying.events(player, reference, within(0.8, 0.9), effort))
    out.take(obeying.lights(player, reference, within(0.9, 1.0), effort))
    tell(1.0, "judged")
    return out


def reference_of(footage) -> Reference:
    """Prepared footage, with the part that training does not see (the same as Dataset holds back)."""
    u = footage.card.usual
    usual = Usual(u["brightness_mean"], u["brightness_spread"], u["warmth_mean"], u["warmth_spread"])
    data = Dataset(footage.frames, footage.controls, footage.clips, usual)
    return Reference(
        footage.frames, footage.controls, tuple(footage.clips), tuple(data.held), tuple(data.training), u, footage.card.fps,
        tuple(footage.scenes),
    )


# ----------------------------------------------------------------------------------------------------------- one step
@torch.inference_mode()
def one_step(net: Net, footage: Reference, most: int = 160) -> Findings:
    """Predicts held-back frames from the real ones before, and is held against copying the last and against DIS.

    Twice: "told" has the code of what enters inferred from the true next frame (how well it draws what it knows),
    "drawn" has it from the prior, as at the show (what enters is then invented, so the strip cannot match). "seen" is
    "told" on footage that was trained on: a gap to it is learning by heart.
    """
    out = Findings()
    held = _predictions(net, footage, footage.held, most)
    if held is None:
        out.add("skill.told", None, "dB", note="nothing moves in the held-back part")
        return out
    seen = _predictions(net, footage, footage.training, most // 2)
    ways = (("told", held, "code inferred from the true frame", 10), ("seen", seen, "as told, on the training part", None),
            ("drawn", held, "code drawn from the prior, as at the show", None))  # fmt: skip
    for way, db, words, goal in ways:
        if db is None:
            continue
        kind, beat = "drawn" if way == "drawn" else "told", None if goal is None else 0.0
        for place, part, what in (("", 0, "whole frame"), (".strip", 1, "the strip that has just entered")):
            mine, copy, flow = (db[name][part] for name in (kind, "copy", "flow"))
            out.add(f"skill.{way}{place}", mine - copy, "dB", goal, None,
                    f"{what}, {words}: {mine:.1f} dB, copying the last {copy:.1f}")  # fmt: skip
            out.add(f"skill.{way}{place}.over_flow", mine - flow, "dB", beat, None, f"flow extrapolation (DIS) {flow:.1f} dB")
    for kind in ("told", "drawn"):
        out.add(f"skill.{kind}.sharpness", held[kind][2] / max(held["real"][2], 1e-9), "x", 0.8, 1.3,
                "slope energy of the strip that has just entered")  # fmt: skip
    carried = _carried(net, footage, footage.held, max(most // 10, 2))
    if carried is not None:
        db, copied, detail, whole = carried
        out.add("skill.carried", db - copied, "dB", 0.0, None,
                f"left half after {CARRIED} own frames: {db:.1f} dB, the picture at the start {copied:.1f}")  # fmt: skip
        out.add("skill.carried.sharpness", detail, "x", 0.8, 1.3, "slope energy of that half; torn edges raise it")
        out.add("skill.carried.whole", whole, "dB", note="what stands in that half, each patch at its best shift")
    return out


def _predictions(net: Net, footage: Reference, parts, most: int) -> dict[str, tuple[float, float, float]] | None:
    """{told, drawn, copy, flow, real: (dB of the frame, dB of the strip, slope energy of the strip)}; None: nothing moves."""
    memory, width = max(net.config.memory, HISTORY[-1] + 1), footage.frames.shape[2]
    strip = max(round(measures.EDGE * width), 2)
    ends = np.concatenate([np.arange(start + memory + 1, stop) for start, stop in parts] or [[]]).astype(int)
    ends = ends[footage.controls[ends, 0] > 0.25]
    if not len(ends):
        return None
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, most).astype(int))]
    motion, dice, rows = measures.Motion(), Dice(net), {}
    for end in ends:
        real = footage.frames[end - memory : end + 1]
        told, drawn = _predict(net, dice, real, footage.controls[end - memory : end + 1])
        flow = motion.extrapolate(real[-3], real[-2])
        images = {"told": told, "drawn": drawn, "copy": real[-2], "flow": flow, "real": real[-1]}
        for kind, image in images.items():
            a, b = image[:, -strip:], real[-1][:, -strip:]
            rows.setdefault(kind, []).append(
                (measures.squared_error(image, real[-1]), measures.squared_error(a, b), measures.gradient_energy(a[None]))
            )
    means = {kind: np.mean(those, 0) for kind, those in rows.items()}
    return {kind: (measures.psnr(m[0]), measures.psnr(m[1]), float(m[2])) for kind, m in means.items()}


COSTED = 15  # rounds of a few frames that are timed
CARRIED = 12  # own frames after which what was there at the start is looked at again


def _carried(net: Net, footage: Reference, parts, most: int) -> tuple[float, float, float, float | None] | None:
    """What is there must stay whole on its way: (dB, dB of the picture at the start, slope energy : footage, dB of things at
    their best shift) of the left half after CARRIED own frames, codes inferred. Mean over up to `most` starts; None if
    nothing moves for so long."""
    memory, rows, whole, dice = max(net.config.memory, HISTORY[-1] + 1), [], [], Dice(net)
    starts = [t for a, b in parts for t in range(a + memory + 1, b - CARRIED, CARRIED)]
    starts = [t for t in starts if 0.5 < footage.controls[t + 1 : t + CARRIED + 1, 0].mean() < 1.3]
    for t in starts[:: max(len(starts) // most, 1)]:
        frames = torch.from_numpy(np.array(footage.frames[t - memory : t + CARRIED + 1])).permute(0, 3, 1, 2).float() / 255
        told = torch.from_numpy(footage.controls[t : t + CARRIED + 1])
        speeds = torch.from_numpy(footage.controls[t - memory : t + 1, 0].copy()).flip(0)[None]
        world = worlds.begin(net, tuple(frames[k][None] for k in range(memory, -1, -1)), speeds)
        for k in range(1, CARRIED + 1):
            code = net.encoder(world.shown[0], frames[memory + k][None], told[k : k + 1, 0])
            world = worlds.step(net, world, told[k : k + 1], code, torch.zeros(1), grain=dice.grain())
        half = frames.shape[3] // 2
        mine = (world.shown[0][0] * 255).round().byte().permute(1, 2, 0).numpy()[:, :half]
        then, now = footage.frames[t][:, :half], footage.frames[t + CARRIED][:, :half]
        energy = measures.gradient_energy(mine[None]), measures.gradient_energy(now[None])
        whole += measures.kept_whole(mine, now)
        rows.append((measures.squared_error(mine, now), measures.squared_error(then, now), *energy))
    if not rows:
        return None
    error, copied, detail, real = np.mean(rows, 0)
    return measures.psnr(error), measures.psnr(copied), float(detail / max(real, 1e-9)), float(np.mean(whole)) if whole else None


def _predict(net: Net, dice: Dice, real: np.ndarray, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last of real (T, H, W, 3), predicted from the others with the code inferred and with it drawn."""
    frames = torch.from_numpy(np.array(real)).permute(0, 3, 1, 2).float() / 255
    told = torch.from_numpy(controls)
    past = tuple(frames[k][None] for k in range(len(frames) - 2, -1, -1))
    world = worlds.begin(net, past, told[:-1, 0].flip(0)[None])
    codes = net.encoder(frames[:-1], frames[1:], told[1:, 0]).float()  # (T - 1, D, rows), in order of time
    remembered = codes[:-1].flip(0)[: net.config.memory].flatten(0, 1)
    world.codes[0, : len(remembered)] = remembered
    drawn = dice.draw(world.shown[0], world.codes, told[-1:])
    quiet, images = torch.zeros(1), []
    for code in (codes[-1:], drawn):
        shown = worlds.step(net, world, told[-1:], code, quiet, grain=dice.grain()).shown[0][0]
        images.append((shown * 255).round().byte().permute(1, 2, 0).numpy())
    return images[0], images[1]


# --------------------------------------------------------------------------------------------------------------- cost
def cost(generator: Generator) -> Findings:
    """ms a frame on one core, parameters, GFLOP a frame and what share of the core's measured peak that is."""
    out = Findings()
    flops = flops_a_frame(generator)
    times = frame_seconds(generator, COSTED)
    ms = statistics.median(times) * 1e3
    kind = torch.bfloat16 if generator.half else torch.float32
    peak = _peak(kind)
    shown = sum(p.numel() for name, p in generator.net.named_parameters() if not name.startswith(TRAINING))
    how = f"median of rounds of {EVERY}, {kind}, fastest {min(times) * 1e3:.1f} ms".replace("torch.", "")
    out.add("cost.frame", ms, "ms", None, 15.0, how)
    out.add("cost.parameters", shown / 1e6, "M", note="without those that only training needs")
    out.add("cost.work", flops / 1e9, "GFLOP", note="2 x multiply-adds of a frame")
    out.add("cost.share", flops / min(times) / peak * 100, "%",
            note=f"of the fastest round, of {peak / 1e9:.0f} GFLOP/s, a matrix product of 1024")  # fmt: skip
    return out


def flops_a_frame(generator: Generator) -> int:
    """2 x multiply-adds of convolutions and matrix products in a frame, with the prior's numpy steps and a share of mending."""
    config = generator.net.config
    width = config.over_rows  # at most: a cell that is not told needs no code
    a_row = 3 * width * (config.prior + CODE_DIMS + width) + width * (2 * CODES + 2 + width + DIGITS)
    frames = lambda: [generator.step(Controls()) for _ in range(EVERY)]  # noqa: E731
    return count_flops(generator.net, frames) // EVERY + 2 * config.rows * a_row


def count_flops(net: nn.Module, run: Callable[[], object]) -> int:
    """2 x multiply-adds of all convolutions and linear layers that run() calls in net."""
    total, hooks = 0, []

    def count(module, inputs, output):
        nonlocal total
        total += 2 * module.weight[0].numel() * output.numel()

    for module in net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            hooks.append(module.register_forward_hook(count))
    try:
        with torch.inference_mode():
            run()
    finally:
        for hook in hooks:
            hook.remove()
    return total


def _peak(kind: torch.dtype) -> float:
    """FLOP/s of a matrix product of 1024 in this number format on one thread, best of a few."""
    a, b = torch.randn(1024, 1024).to(kind), torch.randn(1024, 1024).to(kind)
    best = float("inf")
    for _ in range(30):
        begin = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begin)
    return 2 * 1024**3 / best
