"""`vj judge`: what weights are worth on footage that they never saw. Figures with goals, a table, a contact sheet.

The trials of vj.train.trials measure what anybody can see of a player; here is what needs the network itself: the skill
of one step, and the cost. Judged footage is the last part of each clip (vj.train.dataset), its statistics are of all.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from rich.table import Table
from torch import nn

from vj.model import world as worlds
from vj.model.generator import Generator
from vj.model.net import CODE_DIMS, CODES, HISTORY, Net
from vj.model.prior import Dice
from vj.signals import Controls
from vj.train import measures, trials
from vj.train.dataset import Dataset, Usual
from vj.train.trials import Figure, Findings, Player, Reference


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one judgement, and the sheet to look at."""

    figures: tuple[Figure, ...]
    sheet: np.ndarray = field(repr=False)  # uint8 (h, w, 3) RGB
    about: dict = field(default_factory=dict)  # of the weights and the footage, plain JSON

    def value(self, key: str) -> float | None:
        """The figure of that key; KeyError if there is none."""
        return {figure.key: figure.value for figure in self.figures}[key]

    @property
    def passed(self) -> bool:
        """Whether every figure that has a goal and a value reaches it."""
        return all(figure.passed is not False for figure in self.figures)

    def as_dict(self) -> dict:
        """Plain JSON; what is infinite or not known is null."""
        rows = {}
        for figure in self.figures:
            value = figure.value if figure.value is not None and np.isfinite(figure.value) else None
            rows[figure.key] = {
                "value": value if value is None else round(value, 4), "unit": figure.unit, "low": figure.low,
                "high": figure.high, "passed": figure.passed, "note": figure.note,
            }  # fmt: skip
        return {**self.about, "passed": self.passed, "figures": rows}

    def table(self) -> Table:
        """For rich.print."""
        table = Table(title=self.about.get("title"), title_justify="left", pad_edge=False, box=None)
        for name, how in (("figure", "left"), ("value", "right"), ("goal", "left"), ("", "left"), ("what it is", "left")):
            table.add_column(name, justify=how, no_wrap=name in ("figure", "value", "goal"))
        group = ""
        for f in self.figures:
            if (now := f.key.split(".")[0]) != group and group:
                table.add_section()
                table.add_row()
            group = now
            goal = {(False, False): f"{f.low}..{f.high}", (False, True): f">= {f.low}", (True, False): f"<= {f.high}",
                    (True, True): ""}[f.low is None, f.high is None]  # fmt: skip
            mark = {True: "[green]ok[/]", False: "[red]no[/]", None: ""}[f.passed]
            value = "-" if f.value is None else f"{f.value:.2f} {f.unit}"
            table.add_row(f.key, value, goal, mark, f.note, style=None if f.passed is not None else "dim")
        return table

    def write_sheet(self, path) -> None:
        """The contact sheet as a PNG. OSError if it cannot be written."""
        if not cv2.imwrite(str(path), self.sheet[..., ::-1]):
            raise OSError(f"cannot write {path}")


def judge(card, tensors, footage, frames: int = 10_000, progress: Callable[[float, str], None] | None = None,
          effort: float = 1.0) -> Report:  # fmt: skip
    """Judges weights. footage: vj.train.footage.Footage of the same size; frames: of the long run.

    progress is told (share 0..1, what is done now). effort scales how long the trials besides the long run are.
    """
    torch.set_num_threads(1)
    generator = Generator(card, tensors)
    reference = reference_of(footage)
    found = one_step(generator.net if not generator.half else generator.exact, reference)
    spent = cost(generator)
    seen = judge_player(generator, reference, frames, progress, effort)
    about = {
        "title": f"{card.footage or 'weights'}, step {card.step}, {card.width}x{card.height}",
        "step": card.step, "frames": frames, "held_back_frames": sum(b - a for a, b in reference.held),
    }  # fmt: skip
    return Report((*found.figures, *seen.figures, *spent.figures), sheet(seen.pictures), about)


def judge_player(player: Player, reference: Reference, frames: int, progress=None, effort: float = 1.0) -> Findings:
    """All trials that need nothing but what is seen."""
    tell, out = progress or (lambda share, what: None), Findings()
    within = lambda a, b: lambda share, what: tell(a + (b - a) * share, what)  # noqa: E731
    for part in (
        trials.long_run(player, reference, frames, within(0.05, 0.6)),
        trials.speeds(player, reference, within(0.6, 0.75), effort),
        trials.standing(player, reference, within(0.75, 0.8)),
        trials.events(player, reference, within(0.8, 0.9), effort),
        trials.lights(player, reference, within(0.9, 1.0), effort),
    ):
        out.figures += part.figures
        out.pictures |= part.pictures
    tell(1.0, "judged")
    return out


def reference_of(footage) -> Reference:
    """Prepared footage, with the part that training does not see (the same as Dataset holds back)."""
    u = footage.card.usual
    usual = Usual(u["brightness_mean"], u["brightness_spread"], u["warmth_mean"], u["warmth_spread"])
    data = Dataset(footage.frames, footage.controls, footage.clips, usual)
    return Reference(
        footage.frames, footage.controls, tuple(footage.clips), tuple(data.held), tuple(data.training), u, footage.card.fps
    )


# ----------------------------------------------------------------------------------------------------------- one step
@torch.inference_mode()
def one_step(net: Net, footage: Reference, most: int = 160) -> Findings:
    """Predicts held-back frames from the real ones before, and is held against copying the last and against DIS.

    Twice: "told" has the code of what enters inferred from the true next frame (how well it draws what it knows),
    "drawn" has it from the prior, as at the show (what enters is then invented, so the strip cannot match).
    """
    out, motion = Findings(), measures.Motion()
    memory = max(net.config.memory, HISTORY[-1] + 1)
    ends = np.concatenate([np.arange(start + memory + 1, stop) for start, stop in footage.held] or [[]]).astype(int)
    ends = ends[footage.controls[ends, 0] > 0.25]
    if not len(ends):
        out.add("skill.told", None, "dB", 10, note="nothing moves in the held-back part")
        return out
    ends = ends[np.unique(np.linspace(0, len(ends) - 1, most).astype(int))]
    width = footage.frames.shape[2]
    strip = max(round(measures.EDGE * width), 2)
    dice, whole, edge, sharp = Dice(net), {}, {}, []
    for end in ends:
        real = footage.frames[end - memory : end + 1]
        predicted = {kind: image for kind, image in zip(("told", "drawn"), _predict(net, dice, real, footage.controls[end - memory : end + 1]), strict=True)}
        predicted |= {"copy": real[-2], "flow": motion.extrapolate(real[-3], real[-2])}
        for kind, image in predicted.items():
            whole.setdefault(kind, []).append(measures.squared_error(image, real[-1]))
            edge.setdefault(kind, []).append(measures.squared_error(image[:, -strip:], real[-1][:, -strip:]))
        sharp.append([measures.gradient_energy(f[None, :, -strip:]) for f in (predicted["told"], predicted["drawn"], real[-1])])
    db = {kind: measures.psnr(float(np.mean(errors))) for kind, errors in whole.items()}
    db_edge = {kind: measures.psnr(float(np.mean(errors))) for kind, errors in edge.items()}
    for kind, how in (("told", "code inferred from the true frame"), ("drawn", "code drawn from the prior, as at the show")):
        out.add(f"skill.{kind}", db[kind] - db["copy"], "dB", 10 if kind == "told" else None, None,
                f"{how}: {db[kind]:.1f} dB, copying the last {db['copy']:.1f}")  # fmt: skip
        out.add(f"skill.{kind}.strip", db_edge[kind] - db_edge["copy"], "dB", 10 if kind == "told" else None, None,
                f"the {strip} px that have just entered: {db_edge[kind]:.1f} dB, copying {db_edge['copy']:.1f}")  # fmt: skip
        out.add(f"skill.{kind}.over_flow", db[kind] - db["flow"], "dB", 0.0, None, f"flow extrapolation (DIS): {db['flow']:.1f} dB")
        out.add(f"skill.{kind}.over_flow_strip", db_edge[kind] - db_edge["flow"], "dB", 0.0 if kind == "told" else None,
                None, f"flow extrapolation: {db_edge['flow']:.1f} dB")  # fmt: skip
    told, drawn, real = np.mean(sharp, 0)
    out.add("skill.told.strip_sharpness", told / max(real, 1e-9), "x", 0.8, 1.3, "slope energy of the painted strip")
    out.add("skill.drawn.strip_sharpness", drawn / max(real, 1e-9), "x", 0.8, 1.3, "slope energy of the painted strip")
    return out


def _predict(net: Net, dice: Dice, real: np.ndarray, controls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The last of real (T, H, W, 3), predicted from the others with the code inferred and with it drawn."""
    frames = torch.from_numpy(np.ascontiguousarray(real)).permute(0, 3, 1, 2).float() / 255
    told = torch.from_numpy(controls)
    past = tuple(frames[k][None] for k in range(len(frames) - 2, -1, -1))
    world = worlds.begin(net, past, told[-2:-1, 0])
    codes = net.encoder(frames[:-1], frames[1:], told[1:, 0]).float()  # (T - 1, D, rows), in order of time
    remembered = codes[:-1].flip(0)[: net.config.memory].flatten(0, 1)
    world.codes[0, : len(remembered)] = remembered
    drawn = dice.draw(world.shown[0], world.codes, told[-1:])
    quiet, images = torch.zeros(1), []
    for code in (codes[-1:], drawn):
        shown = worlds.step(net, world, told[-1:], code, quiet).shown[0][0]
        images.append((shown * 255).round().byte().permute(1, 2, 0).numpy())
    return images[0], images[1]


# --------------------------------------------------------------------------------------------------------------- cost
def cost(generator: Generator, steps: int = 60) -> Findings:
    """ms a frame on one core, parameters, GFLOP a frame and what share of the core's measured peak that is."""
    out = Findings()
    flops = flops_a_frame(generator)
    controls = Controls()
    times = []
    for k in range(steps + 10):
        begin = time.perf_counter()
        generator.step(controls)
        if k >= 10:
            times.append(time.perf_counter() - begin)
    ms = statistics.median(times) * 1e3
    kind = torch.bfloat16 if generator.half else torch.float32
    peak = _peak(kind)
    shown = sum(p.numel() for name, p in generator.net.named_parameters() if not name.startswith("encoder"))
    out.add("cost.frame", ms, "ms", None, 15.0, f"median, {kind}".replace("torch.", "") + f", fastest {min(times) * 1e3:.1f} ms")
    out.add("cost.parameters", shown / 1e6, "M", note="without the encoder, which only training needs")
    out.add("cost.work", flops / 1e9, "GFLOP", note="2 x multiply-adds of a frame")
    out.add("cost.share", flops / (ms / 1e3) / peak * 100, "%", note=f"of {peak / 1e9:.0f} GFLOP/s, a 1024 matrix product here, now")
    return out


@torch.inference_mode()
def flops_a_frame(generator: Generator) -> int:
    """2 x multiply-adds of convolutions and matrix products in one frame, the prior's numpy steps included."""
    total, hooks = 0, []

    def count(module, inputs, output):
        nonlocal total
        taps = module.weight[0].numel()  # multiply-adds for one output number
        total += 2 * taps * output.numel()

    for module in generator.net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
            hooks.append(module.register_forward_hook(count))
    try:
        generator.step(Controls())
    finally:
        for hook in hooks:
            hook.remove()
    config = generator.net.config
    a_row = 3 * config.prior * (config.prior + CODE_DIMS + config.prior) + config.prior * CODES
    return total + 2 * config.rows * a_row


def _peak(kind: torch.dtype) -> float:
    """FLOP/s of a matrix product of 1024 in this number format on one thread, best of a few."""
    a, b = torch.randn(1024, 1024).to(kind), torch.randn(1024, 1024).to(kind)
    best = float("inf")
    for _ in range(8):
        begin = time.perf_counter()
        torch.mm(a, b)
        best = min(best, time.perf_counter() - begin)
    return 2 * 1024**3 / best


# -------------------------------------------------------------------------------------------------------------- sheet
def sheet(pictures: dict[str, list[tuple[str, np.ndarray]]], columns: int = 6, width: int = 240) -> np.ndarray:
    """All pictures with their labels, row after row, uint8 (h, w, 3)."""
    bands = []
    for items in pictures.values():
        for k in range(0, len(items), columns):
            cells = [_cell(label, frame, width) for label, frame in items[k : k + columns]]
            cells += [np.zeros_like(cells[0])] * (columns - len(cells))
            bands.append(np.hstack(cells))
        bands.append(np.full((6, columns * width, 3), 40, np.uint8))
    return np.vstack(bands[:-1])


def _cell(label: str, frame: np.ndarray, width: int) -> np.ndarray:
    height = round(width * frame.shape[0] / frame.shape[1])
    cell = np.zeros((height + 16, width, 3), np.uint8)
    cell[16:, : width - 2] = cv2.resize(frame, (width - 2, height), interpolation=cv2.INTER_NEAREST)
    cv2.putText(cell, label, (4, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (220, 220, 220), 1, cv2.LINE_AA)
    return cell
