"""`vj bench stage`: what each part of the drawing costs, and what moving and upscaling are worth on footage.

Times are given beside a plain bilinear blit of the same run: ratios travel between machines, milliseconds do not.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from vj.render.learnt import Learnt
from vj.render.passes import Pass, ShaderFolder
from vj.render.screen import LOOKS, UPSCALERS, Canvas, Screen
from vj.render.window import HeadlessWindow
from vj.settings import packed, upscaler_weights
from vj.signals import AudioFeatures, Knobs, Picture
from vj.train import upscale
from vj.video import read_frames

SIZES = ((640, 360), (1280, 720), (1920, 1080))
SOURCE = (160, 96)
FARTHEST, MATCHED = 0.3, 9  # of the width, that is looked for along the rows; px of a block
HEARD = AudioFeatures(loudness=1.2, low=1.0, low_mid=1.0, high_mid=1.0, high=1.0, kick=0.5, snare=0.5, hat=0.5, tempo=120.0)


def stage(footage: list[Path], rounds: int = 15) -> None:
    """Prints all tables. footage: videos for the last two; rounds: pictures for each figure."""
    learnt = upscaler_layers()
    for size in SIZES:
        with HeadlessWindow(size) as window:
            costs(window, size, rounds, learnt)
    with HeadlessWindow(SIZES[0]) as window:
        stalls(window, SIZES[0])
    if footage:
        with HeadlessWindow(SOURCE) as window:
            tables(window, footage, learnt)


def upscaler_layers() -> list | None:
    """The learnt upscaler that came with the program; None where there is none."""
    path = upscaler_weights()
    return list(upscale.layers(upscale.read(path))) if path.is_file() else None


def view(shift: int = 0) -> np.ndarray:
    """uint8 (96, 160, 3): sky, hills, a fence."""
    y, x = np.mgrid[0:96, 0:160].astype(np.float32)
    x = x + shift
    picture = np.stack([150 + 0.4 * y, 190 + 0.3 * y, 235 - 0.2 * y], -1)
    picture[y > 50 + 9 * np.sin(x / 17)] = (70, 110, 60)
    picture[(y > 62) & (np.floor(x / 9) % 3 == 0)] = (40, 36, 44)
    return picture.clip(0, 255).astype(np.uint8)


# --------------------------------------------------------------------------------------------------------- the cost
def costs(window: HeadlessWindow, size: tuple[int, int], rounds: int, learnt: list | None) -> None:
    """ms a picture and times a blit: each upscaler with the clean look, each look, and the whole chain with its text."""
    context, flow = window.context, np.zeros((96, 160, 2), np.float32)
    flow[..., 0] = -2.0
    picture = Picture(view(), view(2), flow, 0.5, 0.0, HEARD)
    copy = Pass(context, ShaderFolder(packed("shaders")), ("copy",))
    copy.load()
    small = context.texture((160, 96), 3, view().tobytes(), alignment=1)

    def blit() -> None:
        window.framebuffer.use()
        copy.draw({"image": small}, {"u_alpha": 1.0})

    screen = Screen(context, packed("shaders"), warm=False)
    if learnt:
        screen.teach(learnt)

    def draw(**knobs) -> Callable[[], None]:
        def one() -> None:
            window.framebuffer.use()
            screen.draw(picture, size, Knobs(**knobs), ("display 60 fps", "model 15 fps"), dt=1 / 30)

        return one

    plain = measured(context, blit, rounds)
    print(f"stage: {size[0]}x{size[1]}, a bilinear blit takes {plain:.2f} ms; times that, and ms")
    for name in UPSCALERS:
        if screen.use(name) == "":
            say(f"upscaler {name}", measured(context, draw(), rounds), plain)
    screen.use("edge")
    for number, name in enumerate(LOOKS, 1):
        say(f"look {name}", measured(context, draw(look=number, safes=number), rounds), plain)
    say("the whole, with head-up display", measured(context, draw(hud=True, safes=20), rounds), plain)
    screen.output = screen.output.with_corner(0, 0.02, 0.02)
    say("the whole, on four corners", measured(context, draw(safes=20), rounds), plain)
    screen.output, screen._limiter = type(screen.output)(), None
    say("the whole, without the strobe limiter", measured(context, draw(safes=20), rounds), plain)


def measured(context, draw: Callable[[], None], rounds: int) -> float:
    """ms: the fifth part of the times is quicker. Software OpenGL: of the processor, whatever else runs beside it."""
    times, clock = [], time.process_time if context.info["GL_RENDERER"].startswith("llvmpipe") else time.perf_counter
    for number in range(rounds + 3):
        began = clock()
        draw()
        context.finish()
        if number >= 3:
            times.append((clock() - began) * 1e3)
    return statistics.quantiles(times, n=5)[0]


def say(name: str, ms: float, plain: float) -> None:
    print(f"  {name:38} {ms / plain:6.1f} x  {ms:7.2f} ms")


def stalls(window: HeadlessWindow, size: tuple[int, int]) -> None:
    """The first picture of each look, against its own usual one."""
    context, picture = window.context, Picture(view(), view(), None, 0.0, 0.0, HEARD)
    screen, clock = Screen(context, packed("shaders")), time.process_time
    print("first use of a look, times its usual picture (goal: under 1.5)")
    for _ in range(5):  # as the start of a show does, to measure
        window.framebuffer.use()
        screen.draw(picture, size, Knobs(), dt=1 / 30)
    for number, name in enumerate(LOOKS, 1):
        times = []
        for _ in range(14):
            window.framebuffer.use()
            began = clock()
            screen.draw(picture, size, Knobs(look=number, safes=number), dt=1 / 30)  # at once, so that it is alone
            context.finish()
            times.append(clock() - began)
        print(f"  {name:14} {times[0] / statistics.median(times[4:]):5.2f}")


# -------------------------------------------------------------------------------------------------------- the worth
def tables(window: HeadlessWindow, footage: list[Path], learnt: list | None) -> None:
    """Frames left out and brought back; frames made small and large again. The last fifth of each video."""
    runner = Runner(window, learnt)
    print("between two frames: PSNR dB / SSIM, every second frame left out")
    print(f"  {'':26} {'repeat':>14} {'cross-fade':>14} {'along the flow':>14}  gain")
    for path in footage:
        rows = moved(runner, last_fifth(path, SOURCE, 61))
        gain = rows["flow"][0] - rows["fade"][0]
        print(f"  {path.stem[:26]:26} " + " ".join(f"{p:6.2f} / {s:.3f}" for p, s in rows.values()) + f"  {gain:+.2f} dB")
    names = enlarged(runner, last_fifth(footage[0], (640, 384), 1))
    print("four times as large: PSNR dB / SSIM / sharpness (1: as the truth)")
    print(f"  {'':26} " + " ".join(f"{name:>20}" for name in names))
    for path in footage:
        rows = enlarged(runner, last_fifth(path, (640, 384), 41)[::4])
        print(f"  {path.stem[:26]:26} " + " ".join(f"{p:6.2f} / {s:.3f} / {e:.2f}" for p, s, e in rows.values()))


def last_fifth(path: Path, size: tuple[int, int], most: int) -> list[np.ndarray]:
    """At most so many frames from where four fifths of a video are over, uint8 (H, W, 3)."""
    count = sum(1 for _ in read_frames(path, (16, 16)))
    found = []
    for number, frame in enumerate(read_frames(path, size)):
        if number >= 0.8 * count and len(found) < most:
            found.append(frame)
    return found


class Runner:
    """Single passes on arrays: uint8 (H, W, 3), top row first, in and out."""

    def __init__(self, window: HeadlessWindow, learnt: list | None):
        self._context, folder = window.context, ShaderFolder(packed("shaders"))
        names = ("blend", "upscale", "upscale_edge", "sharpen", "upscale_learnt")
        self._passes = {name: Pass(self._context, folder, (name,)) for name in names}
        for step in self._passes.values():
            step.load()
        self._canvas = Canvas(self._context)
        self.learnt = Learnt(self._context, learnt) if learnt else None

    def texture(self, array: np.ndarray):
        kind = "f4" if array.dtype == np.float32 else "f1"
        height, width, parts = array.shape
        made = self._context.texture((width, height), parts, np.ascontiguousarray(array).tobytes(), alignment=1, dtype=kind)
        made.repeat_x = made.repeat_y = False
        return made

    def run(self, name: str, size: tuple[int, int], textures: dict, **values) -> np.ndarray:
        self._canvas.use(size)
        self._passes[name].draw(textures, {"u_size": size, "u_fit": (1.0, 1.0), "u_alpha": 1.0} | values)
        data = self._canvas.framebuffer.read(components=3, alignment=1)
        return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3)[::-1]

    def blend(self, before: np.ndarray, after: np.ndarray, flow: np.ndarray | None, at: float) -> np.ndarray:
        arrays = {"before_frame": before, "after_frame": after} | ({} if flow is None else {"flow": flow})
        textures = {name: self.texture(array) for name, array in arrays.items()}
        height, width = before.shape[:2]
        moves = 0.0 if flow is None else 1.0
        out = self.run("blend", (width, height), textures, u_source_size=(width, height), u_blend=at, u_moves=moves)
        for texture in textures.values():
            texture.release()
        return out

    def enlarge(self, names: tuple[str, ...], frame: np.ndarray) -> np.ndarray:
        for name in names:
            image = self.texture(frame[::-1])
            scale = int(self._passes[name].size)
            rows = self.learnt.run(image) if name == "upscale_learnt" else {}
            frame = self.run(name, (frame.shape[1] * scale, frame.shape[0] * scale), {"image": image} | rows)
            image.release()
        return frame


def moved(runner: Runner, frames: list[np.ndarray]) -> dict[str, tuple[float, float]]:
    """Mean PSNR and SSIM of the frames left out, brought back in three ways. The flow is estimated from the two beside them."""
    rows: dict[str, list] = {"repeat": [], "fade": [], "flow": []}
    for before, truth, after in zip(frames[::2], frames[1::2], frames[2::2], strict=False):
        flow = estimated(before, after)
        shown = {"repeat": before, "fade": runner.blend(before, after, None, 0.5), "flow": runner.blend(before, after, flow, 0.5)}
        for name, picture in shown.items():
            rows[name].append((psnr(picture, truth), ssim(picture, truth)))
    return {name: tuple(np.mean(values, 0)) for name, values in rows.items()}


def estimated(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """float32 (H, W, 2) px, as Picture.flow: DIS (Kroeger et al. 2016), and where it explains the step clearly better, DIS begun
    from what block matching along the rows has found: what goes by at a quarter of the width a frame DIS alone never finds."""
    a, b = (cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (before, after))
    dis, (height, width) = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM), a.shape
    near = -dis.calc(b, a, None)
    least, jump = np.full(a.shape, np.inf, np.float32), np.zeros((height, width, 2), np.float32)
    for shift in range(-int(FARTHEST * width), int(FARTHEST * width) + 1, 2):
        moved = cv2.warpAffine(a, np.float32([[1, 0, shift], [0, 1, 0]]), (width, height), borderMode=cv2.BORDER_REPLICATE)
        cost = cv2.blur(cv2.absdiff(moved, b).astype(np.float32), (MATCHED, MATCHED)) + 0.02 * abs(shift)
        jump[cost < least, 0] = shift
        least = np.minimum(least, cost)
    far = -dis.calc(b, a, -jump)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)

    def unexplained(flow: np.ndarray) -> np.ndarray:
        there = cv2.remap(a, x - flow[..., 0], y - flow[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return cv2.blur(cv2.absdiff(there, b).astype(np.float32), (MATCHED, MATCHED))

    return np.where((unexplained(far) < unexplained(near) - 1)[..., None], far, near).astype(np.float32)


def enlarged(runner: Runner, frames: list[np.ndarray]) -> dict[str, tuple[float, float, float]]:
    """Mean PSNR, SSIM and sharpness of each way to make small frames large again."""
    ways = {"bicubic": ("upscale", "upscale"), "edge": ("upscale_edge", "upscale_edge"), "edge, sharpened": UPSCALERS["edge4"]}
    rows: dict[str, list] = {}
    for truth in frames:
        small, size = upscale.shrink(truth), truth.shape[1::-1]
        shown = {"bilinear": cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)}
        shown |= {"lanczos": cv2.resize(small, size, interpolation=cv2.INTER_LANCZOS4)}
        shown |= {name: runner.enlarge(passes, small) for name, passes in ways.items()}
        if runner.learnt is not None:
            shown["learnt"] = runner.enlarge(("upscale_learnt",), small)
        for name, picture in shown.items():
            rows.setdefault(name, []).append((psnr(picture, truth), ssim(picture, truth), edges(picture) / edges(truth)))
    return {name: tuple(np.mean(values, 0)) for name, values in rows.items()}


def psnr(shown: np.ndarray, truth: np.ndarray) -> float:
    """dB of two pictures uint8 (H, W, 3); at most 99."""
    error = float(np.mean((shown.astype(np.float32) - truth) ** 2))
    return min(99.0, 10 * np.log10(255**2 / max(error, 1e-9)))


def ssim(shown: np.ndarray, truth: np.ndarray) -> float:
    """Structural similarity of luma, 0..1 (Wang et al. 2004): Gaussian windows of 1.5 px."""
    a, b = (cv2.cvtColor(f, cv2.COLOR_RGB2GRAY).astype(np.float32) for f in (shown, truth))
    soft = lambda x: cv2.GaussianBlur(x, (11, 11), 1.5)  # noqa: E731
    ma, mb = soft(a), soft(b)
    va, vb, both = soft(a * a) - ma * ma, soft(b * b) - mb * mb, soft(a * b) - ma * mb
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * ma * mb + c1) * (2 * both + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2))))


def edges(picture: np.ndarray) -> float:
    """Mean steepness of luma, codes a pixel."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return float(np.hypot(np.diff(grey, axis=1)[:-1], np.diff(grey, axis=0)[:, :-1]).mean())
