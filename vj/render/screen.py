"""Picture -> shader passes -> framebuffer. Knows no network, no sound card and no clock.

The passes named first (blend, upscale, sharpen) work at small sizes; then the look and the grade draw the screen in one
fused pass. What only some looks need (a blur, small lights) is made only while such a look is to be seen.
Whatever breaks, the last good program stays and `message` holds one sentence.
"""

from pathlib import Path

import cv2
import moderngl
import numpy as np

from vj.errors import ScreenError
from vj.render.hud import HELP_LINES, Text
from vj.render.passes import Pass, ShaderFolder
from vj.render.reaction import HOUR, Reaction
from vj.signals import Knobs, Picture

PASSES = ("blend", "upscale_edge", "sharpen", "grade")
LOOKS = ("clean", "film", "lowfi", "ink", "night", "slitscan", "kaleidoscope", "tunnel", "halftone")
"""Keys 1..9, in this order; the file of a look is look_NAME.glsl."""

BLACKOUT = 0.2  # s to black and back
LOOK_FADE = 0.4  # s from one look to the next
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
    ):
        self.context, self.parameters, self.fit, self.message = context, dict(parameters or {}), fit, ""
        folder = ShaderFolder(shader_folder)
        self._folder, self._stamp = folder, 0.0
        self._steps = [Pass(context, folder, (name,)) for name in passes[:-1]]
        self._looks = [Pass(context, folder, (f"look_{name}", passes[-1])) for name in LOOKS]
        self._plain, self._copy = Pass(context, folder, ("copy", passes[-1])), Pass(context, folder, ("copy",))
        self._hud = Pass(context, folder, ("hud",))
        self._extras = {name: Pass(context, folder, (name,)) for name in ("blur_x", "blur_y", "lamps")}
        self.reload()
        if not self._copy.is_good or not self._plain.is_good:
            raise ScreenError(f"The shaders cannot be used: {self.message} Install the program again.")
        self._canvases = [Canvas(context) for _ in self._steps]
        self._extra_canvases = [Canvas(context, "f2") for _ in range(5)]  # what is soft and faint needs finer steps
        self._history, self._head = Canvas(context), 0.0
        self._textures: dict[str, moderngl.Texture] = {"grain": self._make_grain()}
        self._arrays: dict[str, np.ndarray] = {}  # what was uploaded last
        self._text = (Text(context), Text(context))
        self._reaction, self._clock, self._last_time = Reaction(), 0.0, 0.0
        self._light, self._look, self._look_before, self._fade = 1.0, 0, 0, 1.0
        self._held: Picture | None = None
        self._target, self._size = None, (0, 0)
        if warm:
            self._warm()

    def reload(self) -> str:
        """Compiles what changed. Returns "" or a sentence about the first file that is broken; the old one stays."""
        stamp = self._folder.stamp()
        if stamp != self._stamp:
            everything = (*self._steps, *self._looks, self._plain, *self._extras.values())
            said = [sentence for p in (*everything, self._copy, self._hud) if (sentence := p.load())]
            self.message, self._stamp = (said or [""])[0], stamp
        return self.message

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
        if dt is None:
            dt = picture.time - self._last_time
            dt = dt if 0.0 < dt < 0.25 else 1 / 60
        self._last_time = picture.time
        heard = picture.features
        self._held = (self._held or picture) if knobs.freeze else None
        picture = self._held or picture
        values = self._values(picture, knobs, size, dt) | self._reaction.turn(heard, knobs.drive, dt)
        self._aim(values, picture.before.shape, size)
        self._upload(picture)
        image = self._prepare(picture, size, values)
        self._remember(image, values, dt)
        self._show(image, values)
        if self._light > 0.0:
            if knobs.hud and hud_lines:
                self._write(self._text[0], tuple(hud_lines), top=True)
            if knobs.help:
                self._write(self._text[1], HELP_LINES, top=False)

    def read(self) -> np.ndarray:
        """What was drawn last: uint8 (H, W, 3) RGB, top row first, an array of its own."""
        width, height = self._size
        pixels = np.empty((height, width, 4), np.uint8)
        self._target.read_into(pixels, (0, 0, width, height), components=4)  # far quicker than three components
        return cv2.cvtColor(pixels[::-1], cv2.COLOR_RGBA2RGB)

    # --------------------------------------------------------------------------------------------------- its parts
    def _values(self, picture: Picture, knobs: Knobs, size: tuple[int, int], dt: float) -> dict[str, object]:
        self._clock = (self._clock + dt) % HOUR
        step = dt / BLACKOUT
        self._light = max(0.0, self._light - step) if knobs.blackout else min(1.0, self._light + step)
        look = min(max(knobs.look, 1), len(LOOKS)) - 1
        if look != self._look:
            self._look_before, self._look, self._fade = self._look, look, 0.0
        self._fade = min(1.0, self._fade + dt / LOOK_FADE)
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
            width, height = round(width * step.size), round(height * step.size)
            image = self._run(step, canvas, image, (width, height), values)
        return image

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
        self._target.use()
        self._target.viewport = (0, 0, *self._size)
        values["u_size"] = self._size
        for place, number in enumerate(numbers):
            look = self._looks[number] if self._looks[number].is_good else self._plain
            if place:
                self.context.enable(moderngl.BLEND)
                self.context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
                values = values | {"u_alpha": self._fade}
            look.draw(self._textures | {"image": image}, values)
        self.context.disable(moderngl.BLEND)

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

    def _write(self, text: Text, lines: tuple[str, ...], top: bool) -> None:
        texture = text.turn(lines, self._size[1])
        margin = max(4, self._size[1] // 40)
        y = self._size[1] - margin - texture.height if top else margin
        self._target.use()
        self._target.viewport = (margin, y, *texture.size)
        self.context.enable(moderngl.BLEND)
        self.context.blend_func = moderngl.SRC_ALPHA, moderngl.ONE_MINUS_SRC_ALPHA
        self._hud.draw({"image": texture}, {"u_alpha": 1.0})
        self.context.disable(moderngl.BLEND)
        self._target.viewport = (0, 0, *self._size)

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
        self._target.clear()
        self.context.finish()
        self._reaction, self._clock, self._head, self._last_time = Reaction(), 0.0, 0.0, 0.0
        self._history.release()
        self._history = Canvas(self.context)
