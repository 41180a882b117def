"""`vj bench`: figures of speed and memory. It starts the program itself, as a user would, and reads its trace.

Ratios of one run are what counts: another machine, or the same one under load, gives other milliseconds.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vj.errors import VJError
from vj.settings import Settings, demo_videos

WARM_SECONDS = 3.0  # of a show, not counted
WINDOW = "640x360"


def run(part: str, seconds: float, footage: list[Path] | None = None) -> None:
    """Prints the figures of one part, or of all but the soak."""
    if part == "stage":
        stage(footage)
        return
    parts = {"generator": generator, "pace": pace, "soak": soak, "render": film, "latency": light, "ear": ear}
    for name in ("generator", "pace", "render") if part == "all" else (part,):
        parts[name](seconds)


def ear(seconds: float) -> None:
    """What the ear costs and how soon it tells."""
    from vj.audio import bench_ear

    for figure in bench_ear.measure(min(max(seconds, 5.0), 80.0)):
        print(f"  {figure.name:28} {figure.value:8.2f} {figure.unit:6} {figure.note}")


# ------------------------------------------------------------------------------------------------- the generator
def generator(_seconds: float) -> None:
    """ms a model frame on one core, and the share of the machine's own matrix-product peak."""
    from vj import opening
    from vj.model import device
    from vj.train import judge

    settings = Settings(learn=False)
    generator = opening.generator(settings, opening.begin(settings))
    height, width = generator.size
    print(f"generator: {width}x{height} on {device.describe(generator.device)}, one thread")
    for detail in (False, True):
        if generator.refine(detail) != detail:
            continue
        print("with detail:" if detail else "the network's own pictures:")
        for figure in judge.cost(generator).figures:
            print(f"  {figure.key:16} {figure.value:8.2f} {figure.unit:6} {figure.note}")
    for name, gflops in device.measure(generator.device).items():
        print(f"  peak.{name:11} {gflops:8.2f} GFLOP/s, matrix products of 1024")


# ------------------------------------------------------------------------------------------------------- the pace
def pace(seconds: float) -> None:
    """The whole show in a window, without and with the trainer: intervals, shares, swaps."""
    print(f"pace: vj play --window {WINDOW}, {seconds:.0f} s each, the first {WARM_SECONDS:.0f} s not counted")
    with _display() as environment, tempfile.TemporaryDirectory() as folder:
        for name, words in (
            ("without trainer", ("--no-learn",)),
            ("with trainer", ("--seconds-per-update", f"{seconds / 4:.0f}")),
        ):
            trace = Path(folder) / "trace.npz"
            length = ("--seconds", f"{seconds}", "--trace", trace)
            _vj("play", "--window", WINDOW, *length, *words, environment=environment)
            with np.load(trace) as data:
                _tell_pace(name, {key: data[key] for key in data.files if key != "frames"})


def _tell_pace(name: str, data: dict[str, np.ndarray]) -> None:
    display, model = (float(rate) for rate in data["rates"][0])
    counted = data["shown"] >= WARM_SECONDS
    intervals = np.diff(data["shown"][counted]) * display
    drawing, thinking = data["draw_ms"][counted] * display / 1e3, data["model_ms"][5:] * model / 1e3
    made = len(data["time"]) / float(data["shown"][-1])
    p50, p99 = np.percentile(intervals, (50, 99))
    print(f"  {name}: display {display:g} a second, model {model:g} wanted and {made:.1f} made")
    print(f"    interval / ideal      p50 {p50:.3f}  p99 {p99:.3f}  worst {intervals.max():.3f}  ({len(intervals)})")
    print(f"    model share of time   p50 {np.median(thinking):.2f}  p99 {np.percentile(thinking, 99):.2f}")
    print(f"    draw share of time    p50 {np.median(drawing):.2f}  p99 {np.percentile(drawing, 99):.2f}")
    print(f"    model + draw          p50 {np.median(thinking) + np.median(drawing):.2f}")
    if "swap_ms" in data:
        print(f"    swaps {len(data['swap_ms'])}, slowest {data['swap_ms'].max():.2f} ms")


# ------------------------------------------------------------------------------------------------------ the memory
def soak(seconds: float) -> None:
    """Resident memory of the show and of its trainer, while it runs without a window: MB, and MB a minute."""
    print(f"soak: vj play --no-window, {seconds:.0f} s")
    process = _start("play", "--no-window", "--seconds", f"{seconds}")
    rows: list[tuple[float, float, float]] = []  # s, MB of the show, MB of its children
    began = time.monotonic()
    while process.poll() is None:
        own, children = _memory(process.pid)
        if own:
            rows.append((time.monotonic() - began, own, children))
        time.sleep(min(2.0, seconds / 20))
    if process.returncode:
        raise VJError(f"The show ended with code {process.returncode}: run `vj play --no-window` to see why.")
    table = np.array(rows[len(rows) // 3 : -2])
    if len(table) < 5:
        raise VJError("That was too short to see anything: give more --seconds.")
    for name, column in (("show", 1), ("trainer", 2)):
        slope = np.polyfit(table[:, 0] / 60, table[:, column], 1)[0]
        print(f"  {name:8} {table[0, column]:.0f} MB, {slope:+.2f} MB a minute over the last two thirds")


def _memory(pid: int) -> tuple[float, float]:
    """MB resident of a process and of all below it."""
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,rss="], capture_output=True, text=True).stdout
    rows = {int(p): (int(parent), int(kb) / 1024) for p, parent, kb in map(str.split, listing.splitlines())}
    below, found = 0.0, {pid}
    for _ in range(4):  # generations
        found |= {p for p, (parent, _) in rows.items() if parent in found}
    below = sum(rows[p][1] for p in found - {pid} if p in rows)
    return rows.get(pid, (0, 0.0))[1], below


# -------------------------------------------------------------------------------------------------------- the film
def film(seconds: float) -> None:
    """Seconds of film for a second of work, 1280x720 at 30, learning included."""
    with tempfile.TemporaryDirectory() as folder:
        for name, words in (("with learning", ()), ("without", ("--no-learn",))):
            began = time.monotonic()
            _vj("render", "-o", Path(folder) / "film.mp4", "--seconds", f"{seconds}", *words)
            took = time.monotonic() - began
            width, height = Settings().film_size
            print(f"render {width}x{height}, {seconds:.0f} s {name}: {took:.1f} s, {seconds / took:.2f} x real time")


def stage(footage: list[Path] | None) -> None:
    """What the drawing costs, and what it is worth."""
    from vj import bench_stage

    os.environ.setdefault("LP_NUM_THREADS", "1")
    bench_stage.stage(footage or demo_videos())


def light(seconds: float) -> None:
    """From a sound to its light."""
    from vj import bench_latency

    bench_latency.latency(seconds)


# ------------------------------------------------------------------------------------------------- its own program
def _start(*words, environment: dict | None = None) -> subprocess.Popen:
    command = [sys.executable, "-m", "vj.cli", *map(str, words)]
    return subprocess.Popen(command, env=environment)


def _vj(*words, environment: dict | None = None) -> None:
    code = _start(*words, environment=environment).wait()
    if code:
        raise VJError(f"`vj {' '.join(map(str, words))}` ended with code {code}.")


@contextlib.contextmanager
def _display() -> Iterator[dict[str, str]]:
    """An environment with a display: this one's, or a virtual screen's."""
    if os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform != "linux":
        yield dict(os.environ)
        return
    if not shutil.which("Xvfb"):
        raise VJError("There is no display and no Xvfb: install xvfb, or run this on a desktop.")
    read, write = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "+extension", "GLX", "-noreset"],
        pass_fds=(write,),
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        with os.fdopen(read) as said:
            number = said.readline().strip()
        if not number:
            raise VJError("Xvfb does not start: run this on a desktop.")
        yield {**os.environ, "DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait()
