"""`vj bench latency`: from a sound to its light. Hits go into a virtual sound card, the show hears them by line-in on a
virtual screen, and the screen's own memory is watched for the change. Nothing in the show is told when a hit comes.
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

from vj.audio.clicks import Clicks
from vj.errors import VJError

WARM = 6.0  # s of the show before the first hit
RISE = 0.02  # share of its light by which the picture must rise at once
BEGUN = 0.05  # of the way to a model frame, from which on it is to be seen
LATE = 0.4  # s after which a change is no answer to a hit any more
TOOLS = ("Xvfb", "pulseaudio", "pactl")


def latency(seconds: float, words: tuple[str, ...] = ("--no-learn",), window: str = "640x360") -> None:
    """Prints p50 and p95 of sound to light, through the display pass and through the network, and their parts.

    seconds: of hits; words: more options of `vj play`. Raises VJError where the virtual devices are missing.
    """
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        raise VJError(f"This needs {', '.join(missing)}: install the virtual screen and sound card, on Linux.")
    with tempfile.TemporaryDirectory() as folder, _sound(Path(folder)), _screen(Path(folder), window) as pixels:
        trace = Path(folder) / "trace.npz"
        more = ("--seconds", f"{seconds + WARM + 3}", "--trace", str(trace), "--window", window, *words)
        command = [sys.executable, "-m", "vj.cli", "play", "--line-in", "pulse", *more]
        show = subprocess.Popen(command)
        try:
            until = time.monotonic() + 90
            while not pixels.is_lit():
                if show.poll() is not None or time.monotonic() > until:
                    raise VJError("The show does not start: try `vj play --line-in` here.")
                time.sleep(0.1)
            with Clicks("pulse", start=WARM) as clicks:
                rises = pixels.watch(show, clicks, seconds + WARM)
            if show.wait(60):
                raise VJError("The show has ended with an error: try `vj play --line-in` here.")
        finally:
            show.kill()
        with np.load(trace) as data:
            tell(np.array(clicks.written), np.array(rises), {k: data[k] for k in data.files if k != "frames"})


def tell(written: np.ndarray, rises: np.ndarray, data: dict[str, np.ndarray]) -> None:
    """Prints the table. written: s of each hit; rises: s at which pixels became lighter; data: the show's trace."""
    parts = measure(written, rises, data)
    display, model = (float(rate) for rate in data["rates"][0])
    print(f"latency: {len(written)} hits, display {display:g} a second, model {model:g} a second; ms")
    for name, values in parts.items():
        if len(values):
            p50, p95 = np.percentile(values * 1e3, (50, 95))
            print(f"  {name:38} p50 {p50:6.1f}  p95 {p95:6.1f}  ({len(values)})")
        else:
            print(f"  {name:38} never seen")
    missed = len(written) - len(parts["display: sound to light"])
    if missed:
        print(f"  {missed} hits without light: the strobe limit, or an ear that was not sure")


def measure(written: np.ndarray, rises: np.ndarray, data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The parts of the way, in s, of each hit that was answered. All times are perf_counter's, one clock for all."""
    names = ("capture", "analysis", "display: present", "display: sound to light", "model", "network: begins",
             "network: half way", "network: sound to begin", "network: sound to half way")  # fmt: skip
    found: dict[str, list[float]] = {name: [] for name in names}
    shown = data["began"][0] + data["shown"]
    answers, onsets = data["answers"], data.get("onsets", np.zeros((0, 4)))
    kicks = data["features"][:, list(data["feature_names"]).index("kicks")]
    for moment in written:
        near = onsets[(onsets[:, 3] > moment) & (onsets[:, 3] < moment + LATE)]
        if not len(near):
            continue
        count, _, came, said = near[0]
        light = rises[(rises > said - 0.002) & (rises < moment + LATE)]
        if moment < came <= said:
            found["capture"].append(came - moment)
            found["analysis"].append(said - came)
        if len(light):
            found["display: present"].append(light[0] - said)
            found["display: sound to light"].append(light[0] - moment)
        frame = int(np.searchsorted(kicks, count))  # the first model frame that was told of it
        if not 0 < frame < len(kicks):
            continue
        found["model"].append(data["made"][frame] - said)
        before, step = data["time"][frame - 1], data["time"][frame] - data["time"][frame - 1]
        for name, share in (("begin", BEGUN), ("half way", 0.5)):
            seen = np.flatnonzero((answers >= before + share * step) & (shown > said))
            if len(seen):
                found[f"network: {name}{'s' if share == BEGUN else ''}"].append(shown[seen[0]] - data["made"][frame])
                found[f"network: sound to {name}"].append(shown[seen[0]] - moment)
    return {name: np.array(values) for name, values in found.items()}


# ------------------------------------------------------------------------------------------------ virtual devices
class Pixels:
    """What an X screen shows, read from the memory that it draws to (Xvfb -fbdir): nobody is asked, nothing waits."""

    def __init__(self, path: Path, size: tuple[int, int], step: int = 12):
        """size: (width, height) px of the window at the upper left; every step-th pixel is looked at."""
        raw = np.memmap(path, np.uint8, mode="r")
        header = raw[:100].view(">u4")
        start, width, height, line = (int(header[k]) for k in (0, 4, 5, 12))
        start += 12 * int(header[19])
        rows = raw[start : start + line * height].reshape(height, line)[:, : width * 4].reshape(height, width, 4)
        self._seen = rows[: size[1] : step, : size[0] : step, 1]  # green

    def light(self) -> float:
        """Mean of what is not black, 0..255."""
        seen = np.array(self._seen)
        lit = seen[seen > 0]
        return float(lit.mean()) if lit.size else 0.0

    def is_lit(self) -> bool:
        return self.light() > 8

    def watch(self, show: subprocess.Popen, clicks: Clicks, seconds: float) -> list[float]:
        """perf_counter of each sudden rise of the light while `show` runs, for so many seconds."""
        rises, before, until = [], self.light(), time.monotonic() + seconds
        settled = before
        while show.poll() is None and time.monotonic() < until:
            time.sleep(0.001)
            now = self.light()
            if now > settled * (1 + RISE):
                if not rises or time.perf_counter() - rises[-1] > 0.15:
                    rises.append(time.perf_counter())
                settled = now
            settled = min(now, settled + 0.002 * (now - settled))  # falls at once, follows slow light slowly
        return rises


@contextlib.contextmanager
def _screen(folder: Path, window: str) -> Iterator[Pixels]:
    """A screen without a monitor; DISPLAY names it meanwhile."""
    read, write = os.pipe()
    words = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1280x720x24", "+extension", "GLX", "-noreset", "-fbdir", folder]
    server = subprocess.Popen(words, pass_fds=(write,), stderr=subprocess.DEVNULL)
    os.close(write)
    try:
        with os.fdopen(read) as said:
            number = said.readline().strip()
        if not number:
            raise VJError("Xvfb does not start: look at what it says when started by hand.")
        with _environment(DISPLAY=f":{number}", WAYLAND_DISPLAY=""):
            yield Pixels(folder / "Xvfb_screen0", tuple(int(side) for side in window.split("x")))
    finally:
        server.terminate()
        server.wait()


@contextlib.contextmanager
def _sound(folder: Path) -> Iterator[None]:
    """A sound card that only exists in a server of our own."""
    home = folder / "run"
    home.mkdir(mode=0o700)
    socket = f"unix:{home}/pulse/native"
    with _environment(XDG_RUNTIME_DIR=str(home), PULSE_SERVER=socket, HOME=os.environ.get("HOME", str(folder))):
        words = ["pulseaudio", "-n", "--exit-idle-time=-1", "--realtime=no", "--high-priority=no", "--use-pid-file=no"]
        words += ["-L", "module-native-protocol-unix auth-anonymous=1"]
        words += ["-L", "module-null-sink sink_name=vj rate=48000 channels=2 norewinds=1"]
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 10
            while subprocess.run(["pactl", "set-default-source", "vj.monitor"], capture_output=True).returncode:
                if time.monotonic() > until or server.poll() is not None:
                    raise VJError("pulseaudio does not start: look at what it says when started by hand.")
                time.sleep(0.1)
            subprocess.run(["pactl", "set-default-sink", "vj"], capture_output=True)
            yield
        finally:
            server.terminate()
            server.wait()


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
