"""Training footage made by code: what one sees from a train window, with true parallax, right to left.

The film is only something to learn from; the show never plays it. Each height band of `signals.BANDS` has its own
objects that enter at the right edge at its own random times, with calm in between, so that a network can learn to let
something enter far, in the middle or near, and nothing elsewhere. Speed and light change slowly and on their own.

Geometry in picture units of 1/160 width ("u"). The train has gone d, in frames at speed 1. A thing at depth z moves
1/z u a frame; the ground shows at row y what lies at depth 1/rate(y), so furrows fan out as they do (a pinhole camera).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from vj.train.props import Props, shadow
from vj.video import FilmWriter

ROWS, COLUMNS = 96.0, 160.0  # the picture in u
RIDGE_RATE = 1.38  # u per frame: the near rise that hides the feet of the far things
GROUND = (  # row in u, rate
    (37.5, RIDGE_RATE - 0.06), (40, RIDGE_RATE), (48, 1.75), (56, 2.2), (66, 2.95), (78, 4.1), (88, 5.3), (96, 6.3),
)  # fmt: skip
FIELDS = (37.0, 46.5, 51.5, 58.0, 67.5, 80.0, 101.0)  # rows in u where one field ends and the next begins
COUNTRY = 620.0  # d until the country changes
STEP = 0.25  # d between two entries of the tables of fields
_x = np.arange(512)
SHOULDER = np.where(_x < 176, _x, 176 + 78 * np.tanh((_x - 176) / 92)).astype(np.uint8)  # bright light never burns out


@dataclass(frozen=True)
class Place:
    """One kind of country: names of what stands there and the colours of its fields and sky (RGB, 0..1)."""

    far: tuple[str, ...]
    middle: tuple[str, ...]
    near: tuple[str, ...]
    fields: tuple[tuple[float, float, float], ...]
    hedge: tuple[float, float, float]


SUMMER = (
    Place(("church", "poplars", "mill", "silo", "balloon"),
          ("house", "barn", "bales", "cows", "horse-chestnut-tree", "pear-tree"),
          ("bush-low", "flowers", "fence", "box", "thick-leafes", "herbs"),
          ((0.56, 0.68, 0.27), (0.86, 0.74, 0.36), (0.47, 0.61, 0.24), (0.93, 0.84, 0.3), (0.66, 0.73, 0.36)),
          (0.2, 0.32, 0.13)),
    Place(("turbine", "pylon", "silo", "tower", "poplars"), ("barn", "bales", "wide-tree", "house", "cows"),
          ("olive-bush", "fence", "signal", "stones", "flowers", "grass2"),
          ((0.9, 0.77, 0.42), (0.82, 0.68, 0.36), (0.7, 0.68, 0.32), (0.62, 0.5, 0.33), (0.88, 0.82, 0.5)),
          (0.26, 0.34, 0.14)),
    Place(("church", "chimney", "tower", "pylon", "spruce"), ("house", "house", "fir", "birch", "purple-leaf-plum", "barn"),
          ("bush", "box", "stones", "lamp", "signal", "red-tree"),
          ((0.42, 0.58, 0.25), (0.53, 0.66, 0.32), (0.36, 0.52, 0.26), (0.6, 0.7, 0.38), (0.7, 0.66, 0.56)),
          (0.16, 0.29, 0.14)),
)  # fmt: skip
WINTER = (
    Place(("church", "poplars", "mill", "snowy-spruce", "crooked-tree3"),
          ("house", "barn", "house", "bales", "spruce", "crooked-tree2"),
          ("bush-dry", "fence", "lamp", "stones", "bush-low"),
          ((0.72, 0.74, 0.88), (0.66, 0.68, 0.84), (0.78, 0.77, 0.88), (0.6, 0.6, 0.76)), (0.25, 0.22, 0.33)),
    Place(("chimney", "turbine", "pylon", "tower", "silo"), ("house", "house", "olive-bush", "barn", "fir"),
          ("signal", "box", "lamp", "bush", "fence", "stones"),
          ((0.62, 0.6, 0.76), (0.7, 0.68, 0.82), (0.52, 0.48, 0.62), (0.74, 0.72, 0.84)), (0.22, 0.19, 0.29)),
)  # fmt: skip
HEIGHT = {  # u, lowest and highest
    "far": (21, 33), "balloon": (15, 21), "spruce": (18, 26), "snowy-spruce": (18, 27), "crooked-tree3": (15, 20),
    "middle": (13, 18), "cows": (7.5, 9.5), "bales": (7.5, 10), "barn": (11, 14), "house": (12, 17),
    "near": (15, 22), "stones": (9, 13), "fence": (12, 17), "flowers": (12, 17), "box": (16, 23), "signal": (22, 26),
    "lamp": (22, 26),
}  # fmt: skip


@dataclass(frozen=True)
class Thing:
    """A prop on its way: its left edge is at the right border of the picture when the train has gone d."""

    d: float
    rate: float  # u per frame
    top: int  # px
    picture: np.ndarray  # float32 (h, w, 4) premultiplied, RGB already in the film's 0..255


class Journey:
    """A whole film, known from its seed: `frame(i)` is uint8 (H, W, 3) RGB.

    kind: 'fields' (a summer day) or 'dusk' (a winter evening with lit windows). size is (width, height), 5:3.
    """

    def __init__(self, kind: str, frames: int, seed: int = 1, size=(480, 288), art: Path | None = None):
        if kind not in ("fields", "dusk"):
            raise ValueError(f"no journey called {kind!r}: fields or dusk")
        self.kind, self.size, self.night = kind, size, kind == "dusk"
        self.w, self.h = size
        self.px = self.w / COLUMNS
        self.rng = np.random.default_rng([seed, self.night])
        self.places = WINTER if self.night else SUMMER
        self.speed = _speeds(self.rng, frames)
        self.d = np.cumsum(self.speed)
        self.light = _lights(self.rng, frames, self.night)
        self.length = float(self.d[-1]) + 60
        self._paint_sky()
        self._paint_hills()
        self._lay_fields()
        self._plant(Props(art or _art_folder(), self.rng))

    def frame(self, i: int) -> np.ndarray:
        d = float(self.d[i])
        canvas = self._window(self.sky, 0.1 * d * self.px)
        for strip, rate, top in self.hills:
            _blend(canvas, self._window(strip, rate * d * self.px), 0, top)
        self._draw(canvas, self.far, d)
        self._ground(canvas, d)
        self._draw(canvas, self.rest, d)
        return SHOULDER[np.clip(canvas * self.light[i], 0, 511).astype(np.uint16)]

    # --- painting, once --------------------------------------------------------------------------------------------
    def _paint_sky(self):
        h, w = int(self.h * 0.5), int(0.1 * self.length * self.px) + self.w + 4
        if self.night:
            colours = [(64, 66, 122), (110, 92, 150), (196, 128, 152), (250, 178, 140), (255, 208, 158)]
            cloud, shade, amount = np.float32((255, 176, 160)), np.float32((104, 82, 132)), 0.6
        else:
            colours = [(72, 134, 204), (112, 168, 222), (160, 200, 232), (206, 224, 234), (232, 234, 226)]
            cloud, shade, amount = np.float32((255, 252, 246)), np.float32((178, 190, 208)), 0.9
        y = np.linspace(0, 1, h)
        column = np.stack([np.interp(y, np.linspace(0, 0.92, 5), [c[k] for c in colours]) for k in range(3)], -1)
        sky = np.repeat(column[:, None].astype(np.float32), w, 1)
        depth = 1 / (1.12 - y)  # clouds are a ceiling: flatter and smaller toward the horizon
        field = _noise(self.rng, 640, int(w * 1.0) + 700, (160, 80, 40, 20, 10), stretch=3.2)
        xx = np.arange(w)[None] * (0.75 + 0.12 * depth[:, None])
        yy = (60 + 62 * depth[:, None]) * np.ones((1, w))
        xx, yy = (xx % (field.shape[1] - 1)).astype(np.float32), yy.astype(np.float32)
        here, above = (cv2.remap(field, xx, yy + dy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT) for dy in (0, -14))
        body, under = _smooth(here, 0.05, 1.25), _smooth(here - above, -0.5, 0.5)
        alpha = (body * amount * np.clip(1.25 - y, 0, 1)[:, None] ** 0.7)[..., None]
        sky = sky * (1 - alpha) + (shade + (cloud - shade) * under[..., None]) * alpha
        self.sky = np.zeros((self.h, w, 3), np.float32)
        self.sky[:h], self.sky[h:] = sky, sky[-1:]
        self.sky[:h] = cv2.GaussianBlur(self.sky[:h], (0, 0), 1.2)

    def _paint_hills(self):
        """Ridges behind one another: (strip RGBA 0..255 premultiplied, rate, top row px)."""
        self.hills = []
        air = np.float32((228, 164, 152) if self.night else (196, 214, 228))
        wood = np.float32((58, 52, 92) if self.night else (74, 112, 78))
        ridges = ((0.3, 35.5, 4.5, 0.22), (0.48, 38.5, 3.6, 0.42), (0.75, 41.5, 2.4, 0.62))
        for k, (rate, base, swing, near) in enumerate(ridges):
            w = int(rate * self.length * self.px) + self.w + 4
            top, h = int((base - 2.2 * swing) * self.px), int(52 * self.px) - int((base - 2.2 * swing) * self.px)
            line = _noise(self.rng, 1, w, np.array((320, 160, 80, 40)) * (1.3 - 0.2 * k))[0]
            line += 0.05 * _noise(self.rng, 1, w, (14, 7))[0]
            edge = (base - swing * line) * self.px - top
            yy = np.arange(h, dtype=np.float32)[:, None]
            alpha = np.clip(yy - edge[None] + 0.5, 0, 1)
            down = np.clip((yy - edge[None]) / (9 * self.px), 0, 1)
            tone = near * (1 - 0.45 * down) * (1 + 0.1 * _noise(self.rng, h, w, (40, 20, 8), stretch=2))
            colour = air + (wood - air) * np.clip(tone, 0, 1)[..., None]
            self.hills.append((np.dstack([colour * alpha[..., None], alpha]).astype(np.float32), rate, top))

    def _lay_fields(self):
        rows = np.arange(int(37.5 * self.px), self.h) / self.px
        fit = np.polynomial.Polynomial.fit(*zip(*GROUND, strict=True), 4)
        self.row0 = int(37.5 * self.px)
        self.rate = fit(rows).astype(np.float32)  # u per frame of each row
        self.rows = rows.astype(np.float32)
        count = int((self.length + 400) / STEP)
        bands = len(FIELDS) - 1
        colours = np.zeros((bands, count, 3), np.float32)
        furrows = np.zeros((bands, count, 3), np.float32)  # strength of stripes along, their pitch, strength of rows away
        for k in range(bands):
            at, colour = 0, None
            marks, values, stripes = [], [], []
            while at < count:
                place = self._place(at * STEP - 200)
                choice = np.float32(place.fields[self.rng.integers(len(place.fields))])
                if colour is not None:
                    choice = 0.55 * choice + 0.45 * colour
                colour = choice
                marks.append(at)
                values.append(choice * self.rng.uniform(0.94, 1.06))
                pitch = self.rng.choice((0.0, 0.03, 0.06)), self.rng.uniform(0.8, 1.6)
                stripes.append((*pitch, self.rng.choice((0.0, 0.006, 0.01))))
                at += int(self.rng.uniform(50, 150) / STEP)
            index = np.searchsorted(marks, np.arange(count), "right") - 1
            soft = 1.6 / STEP if k > 0 else 4 / STEP
            colours[k] = _soften(np.float32(values)[index], soft)
            furrows[k] = _soften(np.float32(stripes)[index], 3 / STEP)
        if self.night:
            colours[-1] = colours[-1] * 0.55 + np.float32((0.3, 0.3, 0.42)) * 0.45
        else:
            colours[-1] = colours[-1] * 0.5 + np.float32((0.46, 0.56, 0.24)) * 0.5  # the bank of the line is grass
        self.colours, self.furrows = colours * 255, furrows
        self.slant = self.rng.uniform(-8, 8, bands).astype(np.float32)
        self.tilt = _noise(self.rng, 1, count, np.array((110, 50)) / STEP)[0]
        self.grain = _noise(self.rng, 512, 512, (4, 2), tile=True)
        self.blots = _noise(self.rng, 512, 512, (64, 32, 16), tile=True)
        w = int(RIDGE_RATE * self.length * self.px) + self.w + 4
        self.ridge = (40.0 - 0.6 * _noise(self.rng, 1, w, (330, 170))[0]) * self.px  # px row of the rise's edge
        self.hedges = []
        for k in range(1, bands - 1):
            grow = np.clip(_noise(self.rng, 1, count, np.array((70, 35)) / STEP)[0] * 1.6, 0, 1.3)
            bumps = 1 + 0.06 * _noise(self.rng, 1, count, np.array((2.5, 1.2)) / STEP)[0]
            self.hedges.append((FIELDS[k], _soften((grow * bumps)[:, None], 2)[:, 0] * (0.8 + 0.42 * k)))

    def _place(self, d):
        """The country one passes at d; it changes every half minute or so."""
        return self.places[int(max(d, 0) / COUNTRY) % len(self.places)]

    def _plant(self, props):
        self.far = self._line("far", props, (1.22, 1.36), (5, 15), 0)
        rest = self._line("middle", props, (2.45, 2.85), (6, 15), 11)
        rest += self._line("near", props, (5.0, 5.9), (5, 15), 16)
        d = self.rng.uniform(100, 500)
        while d < self.length:  # now and then a pole so near that it crosses everything
            prop = props.make("pole", 93 * self.px, night=self.night)
            rest.append(Thing(d, 6.6, self.h - prop.shape[0] + int(6 * self.px), prop * np.float32((255, 255, 255, 1))))
            d += 250 + self.rng.exponential(450)
        self.rest = sorted(rest, key=lambda t: t.rate)

    def _line(self, band, props, rates, lasts, sink, at=None):
        """Things of one band at Poisson times, or `at` these (d). They last so many frames at the edge, then there is calm."""
        coming, things, last = iter(() if at is None else at), [], ""
        d = -260.0 if at is None else next(coming, self.length)
        air = np.float32((0.86, 0.62, 0.6) if self.night else (0.78, 0.85, 0.9))
        while d < self.length:
            place = self._place(d)
            name = last
            while name == last:
                name = getattr(place, band)[self.rng.integers(len(getattr(place, band)))]
            last = name
            rate = self.rng.uniform(*rates)
            height = self.rng.uniform(*HEIGHT.get(name, HEIGHT[band])) * self.px
            if band == "near":  # it stays below the middle band
                height = min(height * 1.22, (float(np.interp(rate, self.rate, self.rows)) - 65.5) * self.px)
            haze = {"far": 0.16, "middle": 0.07, "near": 0.0}[band]
            prop = props.make(name, height, night=self.night, haze=haze, air=air)
            if band == "near" and not self.night and name in props.sprites:
                prop[..., :3] *= 0.72  # in the shade of the bank: stands out against the grass
            widest = int((lasts[1] * rate - 8) * self.px) + 8 if band != "far" else prop.shape[1]
            prop = prop[:, :widest] if prop.shape[1] > 1.3 * widest else prop
            if band == "far":
                foot = 44 if name != "balloon" else self.rng.uniform(24, 34)
                top = round(foot * self.px) - prop.shape[0]
            else:
                foot = float(np.interp(rate, self.rate, self.rows))
                prop, below = shadow(prop, (0.9 if band == "middle" else 1.6) * self.px, 0.4)
                top = round(foot * self.px) - prop.shape[0] + below
            prop = cv2.copyMakeBorder(prop, 0, 0, 1, 2, cv2.BORDER_CONSTANT) * np.float32((255, 255, 255, 1))
            things.append(Thing(d, rate, top, prop))
            stay = prop.shape[1] / self.px / rate
            d = d + stay + 14 + self.rng.exponential(34) if at is None else next(coming, self.length)
        return things

    # --- drawing a frame -------------------------------------------------------------------------------------------
    def _window(self, strip, x):
        """strip[:, x : x + width] at a fraction of a pixel."""
        whole = min(int(x), strip.shape[1] - self.w - 1)
        part = np.float32(x - int(x))
        return strip[:, whole : whole + self.w] * (1 - part) + strip[:, whole + 1 : whole + self.w + 1] * part

    def _draw(self, canvas, things, d):
        for thing in things:
            x = self.w - thing.rate * (d - thing.d) * self.px
            width = thing.picture.shape[1]
            if x >= self.w or x + width <= 0:
                continue
            whole = int(np.floor(x))
            part = np.float32(x - whole)
            moved = thing.picture.copy()
            moved[:, 1:] = thing.picture[:, 1:] * (1 - part) + thing.picture[:, :-1] * part
            _blend(canvas, moved, whole, thing.top)

    def _ground(self, canvas, d):
        n, w, rate = len(self.rows), self.w, self.rate[:, None]
        across = (np.arange(w, dtype=np.float32)[None] - w / 2) / self.px / rate  # what lies at this pixel, in d
        first = int((d + 200 - 75) / STEP)
        x = across + np.float32(d + 200)
        span = slice(max(first - 40, 0), first + int(150 / STEP) + 40)
        here = np.arange(span.start, span.stop, dtype=np.float32) * STEP
        edges = np.array(FIELDS, np.float32)
        tilt = np.interp(x, here, self.tilt[span][: len(here)]).astype(np.float32)
        up = self.rows[:, None] + tilt * np.interp(rate, (1.4, 3.5), (0.35, 1.6)).astype(np.float32)
        low = np.searchsorted(edges[1:-1], up)
        over = np.clip((up - edges[low + 1]) * self.px + 1, 0, 1)  # a border is one pixel wide
        map_y = (low + np.where(low < len(edges) - 2, over, 0)).astype(np.float32)
        columns = x + self.slant[low] * (up - edges[low]) * (0.35 / rate)
        at = (columns / STEP - span.start).astype(np.float32)
        colour = _look_up(np.ascontiguousarray(self.colours[:, span]), at, map_y)
        ruts = _look_up(np.ascontiguousarray(self.furrows[:, span]), at, map_y)
        # Furrows along the line become flat stripes, closer toward the horizon; rows across fan out.
        depth = (22 / self.rate)[:, None]
        fine = np.clip(rate / 5, 0, 1) ** 1.3
        tone = 1 + ruts[..., 0] * np.sin(depth * (7.5 * ruts[..., 1])) * np.clip(rate / 2.2, 0.25, 1)
        tone += ruts[..., 2] * np.sin(columns * 2.4) * np.clip(rate / 3.2, 0, 1)
        v = (np.log(self.rate) * 90)[:, None] * np.ones((1, w), np.float32)
        tone += 0.028 * _look_up(self.blots, (x * 9) % 512, v % 512, cv2.BORDER_WRAP)
        tone += 0.027 * fine * _look_up(self.grain, (x * 6.5) % 512, (v * 1.6) % 512, cv2.BORDER_WRAP)
        tone *= np.interp(self.rows, (40, 50, 70, 96), (1.02, 1.0, 0.98, 0.86))[:, None].astype(np.float32)
        air = np.float32((236, 178, 166) if self.night else (206, 218, 216))
        haze = np.interp(self.rows, (40, 48, 62), (0.36, 0.2, 0.0))[:, None, None].astype(np.float32)
        ground = colour * tone[..., None] * (1 - haze) + air * haze
        for row, growth in self.hedges:
            self._hedge(ground, row, growth, x, span)
        line = self._window(self.ridge[None], RIDGE_RATE * d * self.px)[0]
        top = np.arange(self.row0, self.row0 + int(6 * self.px))[:, None]
        cover = np.ones((n, w, 1), np.float32)
        cover[: len(top), :, 0] = np.clip(top - line[None] + 0.5, 0, 1)
        part = canvas[self.row0 :]
        part *= 1 - cover
        part += ground * cover

    def _hedge(self, ground, row, growth, x, span):
        """A hedge along the line at this row (u). It has no ends, it grows out of the grass and back into it."""
        rate = float(np.interp(row, self.rows, self.rate))
        at = x[round(row * self.px) - self.row0]  # where this row is crossed by each column
        here = np.arange(span.start, span.stop)[: len(growth[span])] * STEP
        high = np.interp(at, here, growth[span]) * self.px
        tilt = np.interp(at, here, self.tilt[span][: len(here)]) * np.interp(rate, (1.4, 3.5), (0.35, 1.6))
        foot = (row - tilt) * self.px - self.row0
        rows = np.arange(max(int(foot.min() - high.max()) - 1, 0), min(int(foot.max()) + 2, len(ground)))
        above = foot[None] + 0.5 - rows[:, None]
        cover = np.clip(high[None] - above + 0.5, 0, 1) * np.clip(above + 0.5, 0, 1)
        cover = (cover * np.clip(high[None] / self.px * 2, 0, 1))[..., None]
        wide = np.ones(cover.shape[:2], np.float32)
        leaf = _look_up(self.grain, (at * 7) % 512 * wide, rows[:, None] * 2.0 * wide, cv2.BORDER_WRAP)
        past = np.maximum(at - 200, 0) / COUNTRY
        colours = np.float32([place.hedge for place in self.places])
        whole, part = past.astype(int) % len(colours), _smooth(past % 1, 0.85, 1)[:, None]
        leaves = colours[whole] * (1 - part) + colours[(whole + 1) % len(colours)] * part
        light = 0.8 + 0.55 * np.clip(above / np.maximum(high[None], 1), 0, 1) + 0.045 * leaf
        haze = np.interp(rate, (1.4, 2.6), (0.4, 0.05))
        air = np.float32((230, 172, 165) if self.night else (200, 214, 214))
        colour = leaves * 255 * light[..., None] * (1 - haze) + air * haze
        ground[rows] = ground[rows] * (1 - cover) + colour * cover


def drive(frames: int, seed: int, size=(480, 288)):
    """A road toward a vanishing point: uint8 frames in which everything grows outward. To try other footage."""
    rng = np.random.default_rng(seed)
    w, h = size
    noise = _noise(rng, 512, 512, (64, 32, 16, 8), tile=True)
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    dy, dx = (yy - 0.45 * h) / h, (xx - 0.5 * w) / h
    far = np.maximum(np.hypot(dx, dy * 1.1), 0.02)
    angle = np.arctan2(dy, dx) / (2 * np.pi) * 511 * 2
    fade = _smooth(far, 0.04, 0.35)
    base = np.where((dy > 0)[..., None], np.float32((96, 120, 62)), np.float32((140, 178, 216)))
    road = (np.abs(dx) < dy * 1.1)[..., None]
    base = np.where(road, np.float32((92, 92, 98)), base)
    for i in range(frames):
        depth = (60 / far + 6.0 * i) % 512
        tone = _look_up(noise, depth, angle % 512, cv2.BORDER_WRAP)
        dash = (np.abs(dx) < 0.03 * dy) & (((0.9 / np.maximum(dy, 0.01) + 0.1 * i) % 1.6) < 0.8) & (dy > 0.02)
        picture = base * (1 + 0.16 * (fade * tone)[..., None])
        picture[dash] = (235, 232, 220)
        yield np.clip(picture, 0, 255).astype(np.uint8)


def club(frames: int, seed: int, size=(480, 288)):
    """Glowing discs that drift and turn before a dark wall: an abstract loop. To try other footage."""
    rng = np.random.default_rng(seed)
    w, h = size
    yy, xx = np.mgrid[0:h, 0:w].astype(np.float32)
    discs = [
        (rng.uniform(0, 2 * np.pi, 2), rng.integers(1, 4, 2), rng.uniform(0.06, 0.16), rng.uniform(0.2, 1, 3))
        for _ in range(9)
    ]
    for i in range(frames):
        t = 2 * np.pi * i / max(frames, 240)
        picture = np.zeros((h, w, 3), np.float32) + np.float32((10, 8, 20))
        for phase, pace, radius, colour in discs:
            x, y = w * (0.5 + 0.45 * np.sin(2 * pace[0] * t + phase[0])), h * (0.5 + 0.4 * np.cos(2 * pace[1] * t + phase[1]))
            far = np.hypot(xx - x, yy - y) / (radius * w)
            shine = np.clip(1.15 - far, 0, 0.15) / 0.15 * (0.6 + 0.4 * np.cos(9 * far))
            picture += shine[..., None] * np.float32(colour) * 190
        yield np.clip(picture, 0, 255).astype(np.uint8)


def frames(kind: str, count: int, seed: int = 1, size=(480, 288), art: Path | None = None):
    """Iterate uint8 (H, W, 3) RGB frames. kind: fields, dusk, forward, club. Raises ValueError for another."""
    if kind in ("forward", "club"):
        yield from (drive if kind == "forward" else club)(count, seed, size)
        return
    journey = Journey(kind, count, seed, size, art)
    for i in range(count):
        yield journey.frame(i)


def render(kind: str, seconds: float, seed: int, out_path: Path, size=(480, 288), fps: int = 24) -> Path:
    """Write the film as H.264 (yuv420p, crf 21). The same seed gives the same frames."""
    with FilmWriter(out_path, size, fps, preset="slow", crf=21, threads=1) as film:
        for picture in frames(kind, round(seconds * fps), seed, size):
            film.write(picture)
    return Path(out_path)


def _art_folder() -> Path:
    here = Path(__file__).resolve().parents[1]
    packed = here / "_models" / "art"
    return packed if packed.is_dir() else here.parent / "models" / "art"


def _noise(rng, h, w, sizes, stretch=1.0, tile=False):
    """float32 (h, w), about -1.5..1.5, deviation 1: octaves of these sizes in px, larger ones stronger. tile: wraps."""
    out = np.zeros((h, w), np.float32)
    for size in sizes:
        rows, columns = max(int(np.ceil(h / size)), 1), max(int(np.ceil(w / size / stretch)), 2)
        coarse = rng.normal(0, 1, (rows, columns)).astype(np.float32)
        pad = cv2.copyMakeBorder(coarse, 2, 2, 2, 2, cv2.BORDER_WRAP if tile else cv2.BORDER_REFLECT)
        yy = (np.arange(h, dtype=np.float32) * rows / h + 1.5) if h > 1 else np.full(1, 2.0, np.float32)
        xx = np.arange(w, dtype=np.float32) * columns / w + 1.5
        for start in range(0, w, 16000):
            part = xx[start : start + 16000]
            begin = int(part[0]) - 1
            piece = np.ascontiguousarray(pad[:, max(begin, 0) : int(part[-1]) + 4])
            mx = np.broadcast_to(part - max(begin, 0), (h, len(part))).astype(np.float32)
            my = np.broadcast_to(yy[:, None], mx.shape).astype(np.float32)
            out[:, start : start + 16000] += size**0.85 * cv2.remap(piece, mx, my, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return out / max(float(out.std()), 1e-6)


def _look_up(table, x, y, border=cv2.BORDER_REPLICATE):
    return cv2.remap(table, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=border)


def _smooth(x, a, b):
    t = np.clip((x - a) / (b - a), 0, 1)
    return t * t * (3 - 2 * t)


def _soften(table, sigma):
    """Gaussian blur along the first axis of (n, c)."""
    reach = int(3 * sigma) + 1
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2).astype(np.float32)
    kernel /= kernel.sum()
    return np.stack([np.convolve(np.pad(c, reach, mode="edge"), kernel, "valid") for c in table.T], -1).astype(np.float32)


def _blend(canvas, prop, x, y):
    """Lay a premultiplied (h, w, 4) picture on the canvas at whole pixels, cut at the borders."""
    h, w = canvas.shape[:2]
    x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + prop.shape[1], w), min(y + prop.shape[0], h)
    if x0 < x1 and y0 < y1:
        cut = prop[y0 - y : y1 - y, x0 - x : x1 - x]
        part = canvas[y0:y1, x0:x1]
        part *= 1 - cut[..., 3:]
        part += cut[..., :3]


def _walk(rng, count, hold, low, high, smooth):
    """A slow random curve: a new aim every `hold` frames, reached smoothly (two lags of `smooth` frames)."""
    aims, out, a, b = [], np.empty(count, np.float32), None, None
    while sum(n for n, _ in aims) < count:
        aims.append((int(rng.uniform(*hold)), rng.uniform(low, high)))
    aim = np.concatenate([np.full(n, v) for n, v in aims])[:count]
    a = b = aim[0]
    for i in range(count):
        a += (aim[i] - a) / smooth
        b += (a - b) / smooth
        out[i] = b
    return out


def _speeds(rng, count):
    """Frames at speed 1 gone in each frame: 0.45..1.8, mostly about 1, and a station stop now and then."""
    speed = _walk(rng, count, (80, 240), 0.4, 1.9, 20)
    at = int(rng.uniform(500, 900))
    while at + 220 < count:
        t = np.arange(220)
        halt = 1 - _smooth(t, 0, 70) + _smooth(t, 130, 215)
        speed[at : at + 220] *= halt
        at += int(rng.uniform(900, 1600))
    return speed.clip(0, 1.8)


def _lights(rng, count, night):
    """float32 (count, 1, 1, 3): what the light multiplies R, G and B with; brightness and warmth wander on their own."""
    bright = _walk(rng, count, (40, 180), -0.48, 0.28, 24)
    warm = _walk(rng, count, (40, 200), -1.1, 1.1, 26)
    gain = np.exp(bright)[:, None] * np.exp(warm[:, None] * np.array([0.15, 0.01, -0.19]))
    return gain.astype(np.float32)[:, None, None, :] * (0.98 if night else 0.97)


def main(arguments=None) -> None:
    parser = argparse.ArgumentParser(prog="python -m vj.train.scenery", description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=("fields", "dusk", "forward", "club"))
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args(arguments)
    print(render(given.kind, given.seconds, given.seed, given.out))


if __name__ == "__main__":
    main()
