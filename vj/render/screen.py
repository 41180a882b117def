"""Picture -> shader passes -> framebuffer. Knows no network, no sound card and no clock.

The passes named first (blend, upscale, sharpen) work at small sizes; then the look and the grade draw the screen in one
fused pass. What only some looks need (a blur, small lights) is made only while such a look is to be seen.
Whatever breaks, the last good program stays and `message` holds one sentence.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import cv2
import moderngl
import numpy as np

from vj.errors import ScreenError
from vj.render import limit
from vj.render.hud import HELP_LINES, Text
from vj.render.learnt import Learnt
from vj.render.output import Output
from vj.render.passes import Pass, ShaderFolder
from vj.render.patience import finish
from vj.render.reaction import HOUR, Reaction
from vj.render.turning import Turning
from vj.signals import Knobs, Picture
from vj.view import View

PASSES = ("blend", "upscale_edge", "sharpen", "grade")
UPSCALERS = {"plain": (), "bicubic": ("upscale",), "edge": ("upscale_edge", "sharpen"),
             "edge4": ("upscale_edge", "upscale_edge", "sharpen"), "learnt": ("upscale_learnt",)}  # fmt: skip
"""Passes between blend and look, by name, the cheapest and plainest first. All looks draw the screen smoothly from there."""

LOOKS = ("clean", "film", "lowfi", "ink", "night", "slitscan", "kaleidoscope", "tunnel", "halftone")
"""Keys 1..9, in this order; the file of a look is look_NAME.glsl."""

BLACKOUT = 0.2  # s to black and back
UNROLLED = 3  # times the network's size that a picture laid back has at least
LOOK_FADE = 0.4  # s from one look to the next where there is no beat, else one beat
BEATS = (0.3, 0.8)  # s that such a beat may last
ZOOM = 0.008  # share of the picture that a kick pushes past the edges
HISTORY = (8, 6, 24.0)  # columns and rows of past pictures, and how many a second: two seconds
HISTORY_TILE = (320, 192)  # px at most
GRAIN_TILE = 256


class Canvas:
    """A texture one can draw into, made again when its size changes."""

    def __init__(self, context: moderngl.Context, dtype: str = "f1"):
        self._context, self._dtype, self.texture, self.framebuffer = context, dtype, None, None

    def use(self, size: tuple[int, int]) -> bool:
        """Binds it at this (width, height) px. True where it is new, and holds nothing yet."""
        fresh = self.texture is None or self.texture.size != size
        if fresh:
            self.release()
            self.texture = self._context.texture(size, 4, dtype=self._dtype)
            self.texture.repeat_x = self.texture.repeat_y = False
            self.framebuffer = self._context.framebuffer([self.texture])
        self.framebuffer.use()
        self.framebuffer.viewport = (0, 0, *size)
        return fresh

    def release(self) -> None:
        for thing in (self.framebuffer, self.texture):
            if thing is not None:
                thing.release()


class Screen:
    """Draws pictures into whatever framebuffer is bound.

    passes: names of files in the shader folder; the last one is fused behind the look. parameters: values other than
    the files' own, as {"sharpen_amount": 0.4}. fit: "fill" crops the picture to the screen, "letterbox" leaves bars.
    limited: never more than three flashes a second (limit.py). Afterwards one may assign: output, how the picture leaves
    for this projector; card, the lines of a test card to show instead of the picture; marked, its corner 0..3 or -1.
    """

    def __init__(
        self,
        context: moderngl.Context,
        shader_folder: str | Path,
        passes: tuple[str, ...] = PASSES,
        *,
        parameters: dict[str, float] | None = None,
        fit: str = "fill",
        warm: bool = True,
        limited: bool = True,
    ):
        self.context, self.parameters, self.fit, self.message = context, dict(parameters or {}), fit, ""
        folder = ShaderFolder(shader_folder)
        self._folder, self._stamp = folder, 0.0
        self._barred: dict[int, str] = {}  # looks that were too slow, with what their files held
        self._steps = [Pass(context, folder, (name,)) for name in passes[:-1]]
        self._learnt: Learnt | None = None
        self._looks = [Pass(context, folder, (f"look_{name}", passes[-1])) for name in LOOKS]
        self._plain, self._copy = Pass(context, folder, ("copy", passes[-1])), Pass(context, folder, ("copy",))
        self._hud = Pass(context, folder, ("hud",))
        self._output, self._card, self._dim = (Pass(context, folder, (n,)) for n in ("output", "card", "dim"))
        self._unroll, self._unrolled = Pass(context, folder, ("unroll",)), Canvas(context)
        self._turning = Turning()
        self._extras = {name: Pass(context, folder, (name,)) for name in ("blur_x", "blur_y", "lamps")}
        self._target, self._size = None, (0, 0)
        self.reload()
        if not self._copy.is_good or not self._plain.is_good:
            raise ScreenError(f"The shaders cannot be used: {self.message} Install the program again.")
        self._canvases = [Canvas(context) for _ in self._steps]
        self._extra_canvases = [Canvas(context, "f2") for _ in range(5)]  # what is soft and faint needs finer steps
        self._history, self._head = Canvas(context), 0.0
        self.output, self.card, self.marked = Output(), (), -1
        self._stage: Canvas | None = None  # where the picture waits for the output pass, while there is one
        self._limiter = limit.Guard() if limited else None
        self._meter, self._curves = limit.Meter(), None
        self._gains = context.texture((limit.COLUMNS, limit.ROWS), 1, alignment=1)
        self._gains.repeat_x = self._gains.repeat_y = False
        self._lines = np.zeros((0, 0, 4), np.uint8)
        self._textures: dict[str, moderngl.Texture] = {"grain": self._make_grain()}
        self._arrays: dict[str, np.ndarray] = {}  # what was uploaded last
        self._text = (Text(context), Text(context), Text(context))
        self._reaction, self._clock, self._last_time = Reaction(), 0.0, 0.0
        self._light, self._look, self._look_before, self._fade, self._safes = 1.0, 0, 0, 1.0, 0
        self._held: Picture | None = None
        if warm:
            self._warm()

    def reload(self) -> str:
        """Compiles what changed. Returns "" or a sentence about the first file that is broken; the old one stays."""
        stamp = self._folder.stamp()
        if stamp != self._stamp:
            everything = (*self._steps, *self._looks, self._plain, *self._extras.values(), self._copy, self._hud, self._unroll)
            said = [s for p in (*everything, self._output, self._card, self._dim) if (s := p.load())]
            self.message, self._stamp = (said or [""])[0], stamp
            self._barred = {n: text for n, text in self._barred.items() if self._looks[n].source == text}
        return self.message

    def use(self, upscaler: str) -> str:
        """One of UPSCALERS from now on. Returns "" or a sentence: a file is broken, or nothing learnt is there."""
        if upscaler == "learnt" and self._learnt is None:
            return "There are no weights of a learnt upscaler: another one is used."
        names = ("blend", *UPSCALERS[upscaler])
        there = {step.names[0]: step for step in self._steps}
        self._steps = [Pass(self.context, self._folder, (name,)) for name in names]
        self._steps[0] = there.get("blend", self._steps[0])
        for canvas in self._canvases:
            canvas.release()
        self._canvases = [Canvas(self.context) for _ in self._steps]
        return next((said for step in self._steps if (said := step.load())), "")

    def teach(self, layers: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Weights of the learnt upscaler, as render/learnt.py takes them; fresh ones between two pictures."""
        if self._learnt is None:
            self._learnt = Learnt(self.context, layers)
        else:
            self._learnt.adopt(layers)

    # ---------------------------------------------------------------------------------------------- each picture
    def draw(
        self,
        picture: Picture,
        size: tuple[int, int],
        knobs: Knobs,
        hud_lines: tuple[str, ...] = (),
        dt: float | None = None,
    ) -> None:
        """Draws to the bound framebuffer, size (width, height) px; nothing at size 0.

        dt: s since the last picture was drawn, for fades and what moves by itself. Without it the sound's own time is
        taken (offline they are the same); a live show should give it, so that a blackout works where sound has stopped.
        """
        if min(size) < 1:
            return
        self._target, self._size = self.context.fbo, size
        self._set_stage()
        if dt is None:
            dt = picture.time - self._last_time
            dt = dt if 0.0 < dt < 0.25 else 1 / 60
        self._last_time = picture.time
        heard = picture.features
        self._held = (self._held or picture) if knobs.freeze else None
        picture = self._held or picture
        values = self._values(picture, knobs, size, dt) | self._reaction.turn(heard, knobs.drive, dt)
        size = self._inner
        self._aim(values, picture.before.shape, size)
        self._upload(picture)
        image = self._lay_back(self._prepare(picture, size, values), picture, values, dt)
        self._remember(image, values, dt)
        if self.card:
            self._place()
            self._card.draw({}, values | {"u_size": size, "u_marked": float(self.output.shown_at(self.marked))})
            self._write(self._text[2], tuple(self.card), "middle")
        else:
            self._show(image, values)
            self._limit(dt)
        if self._stage is not None and not (self.output.is_turned or self.output.mirror):
            self._leave()
        if self._light > 0.0 or self.card:
            if knobs.hud and hud_lines:
                self._write(self._text[0], tuple(hud_lines), "top")
            if knobs.help:
                self._write(self._text[1], HELP_LINES, "bottom")
        if self._stage is not None and (self.output.is_turned or self.output.mirror):
            self._leave()

    def read(self, straight: bool = False) -> np.ndarray:
        """What was drawn last: uint8 (H, W, 3) RGB, top row first, an array of its own; zeros of 1x1 before the first.

        straight: before it was laid on the projector's corners, and then of the size that it has there.
        """
        if self._target is None:
            return np.zeros((1, 1, 3), np.uint8)
        source, (width, height) = self._target, self._size
        if straight and self._stage is not None:
            source, (width, height) = self._stage.framebuffer, self._inner
        pixels = np.empty((height, width, 4), np.uint8)
        finish(self.context)
        source.read_into(pixels, (0, 0, width, height), components=4)  # far quicker than three components
        return cv2.cvtColor(pixels[::-1], cv2.COLOR_RGBA2RGB)

    @property
    def is_software(self) -> bool:
        """Whether the processor draws."""
        return any(name in self.context.info["GL_RENDERER"].lower() for name in ("llvmpipe", "softpipe", "swiftshader"))

    @property
    def is_held(self) -> bool:
        """Whether the strobe limiter took light away from the last picture."""
        return self._limiter is not None and self._limiter.held

    def bar(self, look: int) -> bool:
        """The look (1..9) is too slow here: clean is drawn in its place until its file changes.

        For the clean one, or one that is barred already, what comes before it is left out instead. False: there is
        nothing left to leave out.
        """
        number = min(max(look, 1), len(LOOKS)) - 1
        if number and number not in self._barred:
            self._barred[number] = self._looks[number].source
            self._look_before, self._fade = self._look, 1.0
            return True
        if len(self._steps) > 1:
            del self._steps[1:], self._canvases[1:]
            return True
        return False

    # --------------------------------------------------------------------------------------------------- its parts
    def _values(self, picture: Picture, knobs: Knobs, size: tuple[int, int], dt: float) -> dict[str, object]:
        self._clock = (self._clock + dt) % HOUR
        step = dt / BLACKOUT
        self._light = max(0.0, self._light - step) if knobs.blackout else min(1.0, self._light + step)
        look = min(max(knobs.look, 1), len(LOOKS)) - 1
        look = 0 if look in self._barred else look
        if look != self._look:
            self._look_before, self._look, self._fade = self._look, look, 0.0
        tempo = picture.features.tempo
        self._fade = min(1.0, self._fade + dt / (min(max(60 / tempo, BEATS[0]), BEATS[1]) if tempo > 0 else LOOK_FADE))
        if knobs.safes != self._safes:
            self._safes, self._fade = knobs.safes, 1.0
        height, width = picture.before.shape[:2]
        return self.parameters | {
            "u_source_size": (float(width), float(height)),
            "u_time": self._clock,
            "u_blend": min(max(picture.blend, 0.0), 1.0),
            "u_moves": 0.0 if picture.flow is None else 1.0,
            "u_brightness": min(max(knobs.brightness, 0.0), 2.0),
            "u_warmth": min(max(knobs.warmth, -1.0), 1.0),
            "u_light": self._light,
            "u_alpha": 1.0,
        }

    def _aim(self, values: dict[str, object], shape: tuple[int, ...], size: tuple[int, int]) -> None:
        """Which part of the picture fills the screen."""
        ratio = (size[0] / size[1]) / (shape[1] / shape[0])
        if self.fit == "letterbox":
            fit = (max(1.0, ratio), max(1.0, 1 / ratio))
            values["u_bars"] = (0.5 / fit[0], 0.5 / fit[1])
        else:
            zoom = 1.0 - ZOOM * values["u_kick"]
            fit = (min(1.0, ratio) * zoom, min(1.0, 1 / ratio) * zoom)
            values["u_bars"] = (1.0, 1.0)
        values["u_fit"] = fit
        film = int(self._clock * 24)
        values["u_grain"] = (film * 97 % 256, film * 53 % 251, 1.0 / max(1, round(size[1] / 640)))

    def _upload(self, picture: Picture) -> None:
        for name, array in (("before_frame", picture.before), ("after_frame", picture.after), ("flow", picture.flow)):
            if array is None or self._arrays.get(name) is array:
                continue
            height, width, parts = array.shape
            old = self._textures.get(name)
            if old is None or old.size != (width, height):
                if old is not None:
                    old.release()
                kind = "f4" if name == "flow" else "f1"
                self._textures[name] = old = self.context.texture((width, height), parts, alignment=1, dtype=kind)
                old.repeat_x = old.repeat_y = False
            old.write(np.ascontiguousarray(array, np.float32 if name == "flow" else np.uint8), alignment=1)
            self._arrays[name] = array

    def _prepare(self, picture: Picture, size: tuple[int, int], values: dict[str, object]) -> moderngl.Texture:
        """Runs the small passes. Returns the picture as the looks get it."""
        height, width = picture.before.shape[:2]
        image = self._textures["after_frame" if picture.blend >= 0.5 else "before_frame"]
        for step, canvas in zip(self._steps, self._canvases, strict=True):
            if not step.is_good or (step.size > 1 and width >= size[0] and height >= size[1]):
                continue
            if "rows0" in step.samplers:
                if self._learnt is None:
                    continue
                self._textures |= self._learnt.run(image)
            width, height = round(width * step.size), round(height * step.size)
            image = self._run(step, canvas, image, (width, height), values)
        return image

    def _lay_back(self, image: moderngl.Texture, picture: Picture, values: dict[str, object], dt: float) -> moderngl.Texture:
        """The picture as it was seen, where its journey is laid out (vj/view.py)."""
        turned = self._turning.turn(picture.view, dt, picture.world)
        if not turned or not self._unroll.is_good:
            return image
        size = tuple(max(side, UNROLLED * small) for side, small in zip(image.size, picture.before.shape[1::-1], strict=True))
        return self._run(self._unroll, self._unrolled, image, size, values | turned)

    def _run(self, step: Pass, canvas: Canvas, image: moderngl.Texture, size, values, **more) -> moderngl.Texture:
        canvas.use(size)
        step.draw(self._textures | {"image": image} | more, values | {"u_size": size})
        return canvas.texture

    def _remember(self, image: moderngl.Texture, values: dict[str, object], dt: float) -> None:
        """Puts the picture into the next tile of the history when its time has come."""
        columns, rows, rate = HISTORY
        wide, high = min(image.width, HISTORY_TILE[0]), min(image.height, HISTORY_TILE[1])
        fresh = self._history.use((columns * wide, rows * high))
        before, self._head = self._head, self._head + min(dt, columns * rows / rate) * rate
        first = int(self._head) - columns * rows if fresh else int(before)
        for tile in range(first + 1, int(self._head) + 1):
            x, y = tile % columns, tile // columns % rows
            self._history.framebuffer.viewport = (x * wide, y * high, wide, high)
            self._copy.draw({"image": image}, values)
        self._head %= columns * rows
        self._textures["history"] = self._history.texture
        values["u_history"] = (columns, rows, self._head, rate)

    def _show(self, image: moderngl.Texture, values: dict[str, object]) -> None:
        numbers = [self._look] if self._fade >= 1.0 else [self._look_before, self._look]
        self._make_extras({name for number in numbers for name in self._looks[number].samplers}, image, values)
        self._place()
        values["u_size"] = self._inner
        for place, number in enumerate(numbers):
            look = self._looks[number] if self._looks[number].is_good else self._plain
            if place:
                self.context.enable(moderngl.BLEND)
                self.context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
                values = values | {"u_alpha": self._fade}
            look.draw(self._textures | {"image": image}, values)
        self.context.disable(moderngl.BLEND)

    def _set_stage(self) -> None:
        """Where the picture is drawn first: straight to the target where the output is neutral."""
        neutral = self.output.is_neutral or not self._output.is_good
        if neutral != (self._stage is None):
            if self._stage is not None:
                self._stage.release()
            self._stage = None if neutral else Canvas(self.context)
        self._inner = self._size[::-1] if self.output.is_turned and not neutral else self._size
        curves = None if neutral else (self.output.brightness, self.output.gamma, *self._balance())
        if curves != self._curves:
            self._curves, self._meter = curves, limit.Meter(None if neutral else self.output.curves())

    def _balance(self) -> tuple[float, float, float]:
        return tuple(self.output.brightness * c for c in (self.output.red, self.output.green, self.output.blue))

    def _place(self) -> None:
        """Binds what the picture is drawn to first."""
        if self._stage is not None:
            self._stage.use(self._inner)
        else:
            self._target.use()
            self._target.viewport = (0, 0, *self._size)

    def _leave(self) -> None:
        """Lays the stage on the projector's corners."""
        values = {"u_pin": self.output.pin(), "u_gamma": self.output.gamma, "u_balance": self._balance(), "u_alpha": 1.0}
        self._target.use()
        self._target.viewport = (0, 0, *self._size)
        self._output.draw({"image": self._stage.texture}, values)

    def _limit(self, dt: float) -> None:
        """Measures the light that is about to leave, and takes some away where it would flash too often."""
        if self._limiter is None:
            return
        cells = self._measure()
        gains = self._limiter.judge(cells, dt, self.output.gamma if self._stage is not None else 1.0)
        if gains is not None and self._dim.is_good:
            self._gains.write(gains, alignment=1)
            self._place()
            self.context.enable(moderngl.BLEND)
            self.context.blend_func = moderngl.ZERO, moderngl.SRC_COLOR
            self._dim.draw({"u_gains": self._gains}, {"u_alpha": 1.0})
            self.context.disable(moderngl.BLEND)
            cells = self._measure()
        self._limiter.note(cells)

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        """Light and red of the picture in cells, see limit.Meter, from a few rows of its pixels."""
        source = self._target if self._stage is None else self._stage.framebuffer
        width, height = self._inner
        finish(self.context)
        rows = self._meter.rows(height)
        if self._lines.shape[1] != width:
            self._lines = np.empty((len(rows), width, 4), np.uint8)
        for place, row in enumerate(rows[::-1]):
            source.read_into(self._lines, (0, int(row), width, 1), components=4, write_offset=place * width * 4)
        return self._meter.cells(self._lines)

    def _make_extras(self, wanted: set[str], image: moderngl.Texture, values: dict[str, object]) -> None:
        """What only some looks read: the picture blurred, the small bright things in it, and their light."""
        if not wanted & {"blurred", "lamps", "bloomed"}:
            return

        def run(name: str, place: int, source: moderngl.Texture) -> moderngl.Texture:
            step = self._extras[name]
            size = tuple(max(1, round(side * step.size)) for side in source.size)
            return self._run(step, self._extra_canvases[place], source, size, values)

        self._textures["blurred"] = run("blur_y", 1, run("blur_x", 0, image))
        if wanted & {"lamps", "bloomed"}:
            self._textures["lamps"] = run("lamps", 2, image)
            self._textures["bloomed"] = run("blur_y", 4, run("blur_x", 3, self._textures["lamps"]))

    def _write(self, text: Text, lines: tuple[str, ...], where: str) -> None:
        """A block of text at the "top" or the "bottom" left, or in the "middle", on what is bound."""
        width, height = self._inner
        texture = text.turn(lines, min(height, width * 9 // 16))
        margin = max(4, height // 40)
        x = (width - texture.width) // 2 if where == "middle" else margin
        y = {"top": height - margin - texture.height, "middle": (height - texture.height) // 2, "bottom": margin}[where]
        bound = self.context.fbo
        bound.viewport = (x, y, *texture.size)
        self.context.enable(moderngl.BLEND)
        self.context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self._hud.draw({"image": texture}, {"u_alpha": 1.0})
        self.context.disable(moderngl.BLEND)
        bound.viewport = (0, 0, width, height)

    def _make_grain(self) -> moderngl.Texture:
        """A tile of film-like noise: mostly fine, a little coarse, evenly spread over 0..255 about its middle."""
        random = np.random.default_rng(1)
        fine, coarse = (random.standard_normal((GRAIN_TILE, GRAIN_TILE)).astype(np.float32) for _ in range(2))

        def soften(noise: np.ndarray, sigma: float) -> np.ndarray:
            wrapped = cv2.GaussianBlur(np.tile(noise, (3, 3)), (0, 0), sigma)
            middle = wrapped[GRAIN_TILE : 2 * GRAIN_TILE, GRAIN_TILE : 2 * GRAIN_TILE]
            return middle / middle.std()

        noise = 0.85 * soften(fine, 0.6) + 0.5 * soften(coarse, 1.6)
        tile = np.clip(127.5 + 45 * noise / noise.std(), 0, 255).round().astype(np.uint8)
        texture = self.context.texture((GRAIN_TILE, GRAIN_TILE), 1, tile.tobytes(), alignment=1)
        texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
        return texture

    def _warm(self) -> None:
        """Draws every program once, as later in the show, so that no driver compiles anything in the middle of it."""
        black = np.zeros((96, 160, 3), np.uint8)
        picture = Picture(black, black, np.zeros((96, 160, 2), np.float32), 0.5, 0.0)
        for look in (*range(1, len(LOOKS) + 1), 1):
            for dt in (LOOK_FADE / 2, LOOK_FADE):
                self.draw(picture, (64, 36), Knobs(look=look, hud=True, help=True), (".",), dt=dt)
        self.draw(replace(picture, view=View("ahead")), (64, 36), Knobs(), dt=LOOK_FADE)
        self.output, self.card = Output(mirror=True, gamma=1.1), (".",)
        self.draw(picture, (64, 36), Knobs(), dt=LOOK_FADE)
        self.output, self.card = Output(), ()
        self._dim.draw({"u_gains": self._gains}, {"u_alpha": 1.0})
        self._target.clear()
        self.context.finish()
        self._reaction, self._clock, self._head, self._last_time = Reaction(), 0.0, 0.0, 0.0
        self._limiter = limit.Guard() if self._limiter is not None else None
        self._turning = Turning()
        self._history.release()
        self._history = Canvas(self.context)
