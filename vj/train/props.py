"""Things that stand beside a railway line, drawn by code or taken from the CC0 sprites: pictures with alpha, no motion.

A prop is float32 (h, w, 4), RGBA premultiplied, 0..1, at the film's own resolution, its foot at the bottom row.
It knows nothing of bands, times or speeds: that is scenery's business.
"""

from pathlib import Path

import cv2
import numpy as np

FINE = 4  # everything is drawn this many times larger, then area-averaged: smooth edges
SUN = 0.22  # how much lighter the sunny left side is than the right one


class Props:
    """The workshop: `make(name, height, light)` gives a prop; the same generator state gives the same prop.

    art: folder with the sprites as PNG with alpha. rng: where all chance comes from.
    """

    def __init__(self, art: Path, rng: np.random.Generator):
        self.rng = rng
        self.sprites = {p.stem: _read_sprite(p) for p in sorted(art.glob("*.png"))}
        if not self.sprites:
            raise FileNotFoundError(f"no sprites in {art}")

    def make(self, name: str, height: float, *, night: bool = False, haze: float = 0.0, air=(0.8, 0.85, 0.9)):
        """float32 (h, w, 4) premultiplied. height px; night lights the windows; haze 0..1 mixes in the colour air."""
        if name in self.sprites:
            prop = self._sprite(name, height, night)
        else:
            prop = getattr(self, "_" + name)(round(height * FINE), night)
            prop = cv2.resize(prop, None, fx=1 / FINE, fy=1 / FINE, interpolation=cv2.INTER_AREA)
        alpha = prop[..., 3:]
        prop[..., :3] = prop[..., :3] * (1 - haze) + alpha * np.float32(air) * haze
        return np.ascontiguousarray(np.clip(prop, 0, 1))

    # --- sprites ---------------------------------------------------------------------------------------------------
    def _sprite(self, name, height, night):
        source = self.sprites[name]
        if self.rng.random() < 0.5:
            source = source[:, ::-1]
        scale = height / source.shape[0]
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        prop = cv2.resize(source, None, fx=scale * self.rng.uniform(0.9, 1.15), fy=scale, interpolation=method)
        tint = np.float32([0.3, 0.29, 0.4]) if night else np.float32([1.12, 1.1, 0.95])
        prop[..., :3] *= tint * np.float32(self.rng.uniform(0.9, 1.1, 3))
        return _sunlit(prop, 0.5 * SUN)

    # --- drawing ---------------------------------------------------------------------------------------------------
    def _sheet(self, h, w):
        return np.zeros((int(h), max(int(w), 4), 4), np.float32)

    def _fill(self, sheet, points, colour, grain=0.05):
        mask = np.zeros(sheet.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.round(np.float32(points)).astype(np.int32)], 1)
        self._paint(sheet, mask, colour, grain)

    def _disc(self, sheet, x, y, rx, ry, colour, grain=0.05):
        mask = np.zeros(sheet.shape[:2], np.uint8)
        cv2.ellipse(mask, (int(x), int(y)), (max(int(rx), 1), max(int(ry), 1)), 0, 0, 360, 1, -1)
        self._paint(sheet, mask, colour, grain)

    def _line(self, sheet, a, b, width, colour):
        mask = np.zeros(sheet.shape[:2], np.uint8)
        cv2.line(mask, (int(a[0]), int(a[1])), (int(b[0]), int(b[1])), 1, max(round(width), 1))
        self._paint(sheet, mask, colour, 0.0)

    def _paint(self, sheet, mask, colour, grain):
        inside = mask > 0
        if not inside.any():
            return
        colour = np.float32(colour)
        if grain:
            h, w = mask.shape
            small = self.rng.normal(0, grain, (max(h // 10, 2), max(w // 10, 2))).astype(np.float32)
            colour = colour * (1 + cv2.resize(small, (w, h), interpolation=cv2.INTER_CUBIC))[..., None]
            sheet[inside, :3] = colour[inside]
        else:
            sheet[inside, :3] = colour
        sheet[inside, 3] = 1

    def _windows(self, sheet, x0, x1, y0, y1, columns, rows, night):
        w, h = (x1 - x0) / columns, (y1 - y0) / rows
        for i in range(columns):
            for j in range(rows):
                lit = night and self.rng.random() < 0.75
                colour = (1.0, 0.78, 0.38) if lit else (0.17, 0.2, 0.26)
                cx, cy = x0 + (i + 0.5) * w, y0 + (j + 0.5) * h
                a, b = min(0.27 * w, 0.4 * h), min(0.34 * h, 0.5 * w)
                self._fill(sheet, [(cx - a, cy - b), (cx + a, cy - b), (cx + a, cy + b), (cx - a, cy + b)], colour, 0.0)

    def _pick(self, *colours):
        colour = np.float32(colours[self.rng.integers(len(colours))])
        return colour * np.float32(self.rng.uniform(0.93, 1.07, 3))

    def _wall(self, night):
        if night:
            return self._pick((0.36, 0.34, 0.42), (0.42, 0.36, 0.4), (0.3, 0.3, 0.38))
        return self._pick((0.97, 0.95, 0.88), (0.95, 0.88, 0.72), (0.93, 0.8, 0.7), (0.9, 0.92, 0.92))

    def _roof(self, night):
        if night:
            return self._pick((0.9, 0.92, 1.0), (0.82, 0.85, 0.95), (0.2, 0.18, 0.25))
        return self._pick((0.62, 0.22, 0.15), (0.5, 0.2, 0.16), (0.35, 0.23, 0.2), (0.3, 0.32, 0.38))

    # --- far: tall, against the sky ----------------------------------------------------------------------------------
    def _church(self, h, night):
        t = 0.15 * h
        w, left = 0.44 * h, self.rng.random() < 0.5
        s, wall, roof = self._sheet(h, w), self._wall(night), self._roof(night)
        body = [(t * 0.8, h * 0.76), (w, h * 0.76), (w, h), (t * 0.8, h)]
        self._fill(s, body, wall * 0.9)
        self._fill(s, [(t * 0.6, h * 0.78), (t * 1.1, h * 0.62), (w * 0.93, h * 0.62), (w, h * 0.78)], roof)
        self._windows(s, t * 1.3, w * 0.95, h * 0.8, h * 0.97, 3, 1, night)
        self._fill(s, [(0, h * 0.4), (t, h * 0.4), (t, h), (0, h)], wall)
        self._fill(s, [(t * 0.55, h * 0.4), (t, h * 0.4), (t, h), (t * 0.55, h)], wall * 0.72)
        self._fill(s, [(-t * 0.1, h * 0.41), (t * 0.5, h * 0.04), (t * 1.1, h * 0.41)], roof * 0.9)
        self._line(s, (t / 2, 0), (t / 2, h * 0.06), 0.008 * h, (0.25, 0.22, 0.2))
        self._windows(s, t * 0.1, t * 0.9, h * 0.43, h * 0.56, 1, 1, night)
        return s if left else np.ascontiguousarray(s[:, ::-1])

    def _mill(self, h, night):
        w, dark = 0.52 * h, np.float32((0.16, 0.13, 0.14))
        s, wall = self._sheet(h, w), self._wall(night)
        cx, hub = w / 2, 0.36 * h
        self._fill(s, [(cx - 0.07 * h, hub), (cx + 0.07 * h, hub), (cx + 0.13 * h, h), (cx - 0.13 * h, h)], wall)
        self._fill(s, [(cx + 0.02 * h, hub), (cx + 0.07 * h, hub), (cx + 0.13 * h, h), (cx + 0.04 * h, h)], wall * 0.75)
        self._fill(s, [(cx - 0.09 * h, hub), (cx, hub - 0.12 * h), (cx + 0.09 * h, hub)], self._roof(night))
        self._windows(s, cx - 0.06 * h, cx + 0.06 * h, 0.55 * h, 0.95 * h, 1, 2, night)
        turn = self.rng.uniform(0.3, 1.2)
        for k in range(4):
            a = turn + k * np.pi / 2
            d, n = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
            o, r = np.array([cx, hub]), 0.35 * h
            self._fill(s, [o + d * 0.08 * h, o + d * r, o + d * r + n * 0.05 * h, o + d * 0.08 * h + n * 0.05 * h],
                       dark if not night else dark * 0.8)
            self._line(s, o, o + d * r, 0.012 * h, dark * 0.7)
        return s

    def _turbine(self, h, night):
        w, white = 0.5 * h, np.float32((0.97, 0.97, 0.98)) * (0.6 if night else 1)
        s, hub = self._sheet(h, w), 0.3 * h
        cx = w / 2
        self._fill(s, [(cx - 0.013 * h, hub), (cx + 0.013 * h, hub), (cx + 0.028 * h, h), (cx - 0.028 * h, h)], white, 0.0)
        turn = self.rng.uniform(0, 2)
        for k in range(3):
            a = turn + k * 2 * np.pi / 3
            d, n = np.array([np.cos(a), np.sin(a)]), np.array([-np.sin(a), np.cos(a)])
            o = np.array([cx, hub])
            self._fill(s, [o - n * 0.01 * h, o + d * 0.28 * h, o + d * 0.08 * h + n * 0.028 * h, o + n * 0.012 * h],
                       white * 0.93, 0.0)
        self._disc(s, cx, hub, 0.02 * h, 0.02 * h, white * 0.85, 0.0)
        return s

    def _pylon(self, h, night):
        w, steel = 0.42 * h, self._pick((0.2, 0.22, 0.26), (0.28, 0.28, 0.3))
        s, cx, t = self._sheet(h, w), 0.21 * h, 0.014 * h
        levels = np.linspace(0, 1, 8)
        half = 0.012 * h + 0.13 * h * levels**1.7
        for a in range(7):
            ya, yb = levels[a] * h, levels[a + 1] * h
            for side in (-1, 1):
                self._line(s, (cx + side * half[a], ya), (cx + side * half[a + 1], yb), t * 1.4, steel)
                self._line(s, (cx - side * half[a], ya), (cx + side * half[a + 1], yb), t * 0.8, steel)
        for y, r in ((0.12, 0.15), (0.24, 0.2), (0.36, 0.16)):
            self._fill(s, [(cx - r * h, y * h), (cx, y * h - 0.035 * h), (cx + r * h, y * h), (cx, y * h + 0.012 * h)],
                       steel, 0.0)
            for side in (-1, 1):
                x = cx + side * r * h * 0.95
                self._line(s, (x, y * h), (x, y * h + 0.05 * h), t, steel * 0.8)
        return s

    def _chimney(self, h, night):
        w, brick = 0.34 * h, self._pick((0.62, 0.3, 0.22), (0.55, 0.36, 0.28)) * (0.55 if night else 1)
        s, cx = self._sheet(h, w), 0.09 * h
        self._fill(s, [(0.1 * w, 0.8 * h), (w, 0.8 * h), (w, h), (0, h)], brick * 0.9)
        self._fill(s, [(cx * 1.4, 0.8 * h), (0.6 * w, 0.73 * h), (w, 0.8 * h)], self._roof(night))
        self._windows(s, 0.3 * w, w, 0.83 * h, 0.97 * h, 3, 1, night)
        self._fill(s, [(cx - 0.035 * h, 0), (cx + 0.035 * h, 0), (cx + 0.055 * h, h), (cx - 0.055 * h, h)], brick)
        self._fill(s, [(cx + 0.008 * h, 0), (cx + 0.035 * h, 0), (cx + 0.055 * h, h), (cx + 0.01 * h, h)], brick * 0.68)
        for y in (0.02, 0.1):
            self._fill(s, [(cx - 0.042 * h, y * h), (cx + 0.042 * h, y * h), (cx + 0.042 * h, y * h + 0.03 * h),
                           (cx - 0.042 * h, y * h + 0.03 * h)], (0.9, 0.87, 0.82) if not night else (0.5, 0.2, 0.2), 0.0)
        return s

    def _silo(self, h, night):
        w, steel = 0.42 * h, self._pick((0.9, 0.91, 0.92), (0.8, 0.82, 0.8), (0.88, 0.84, 0.74)) * (0.5 if night else 1)
        s = self._sheet(h, w)
        for k, (x, top) in enumerate(((0.0, 0.16), (0.36, 0.06), (0.68, 0.3))):
            r = 0.155 * w
            x0, x1 = x * w + 1, x * w + 2 * r
            self._disc(s, (x0 + x1) / 2, top * h, r, 0.07 * h, steel * 0.75)
            for q in range(6):
                a, b = x0 + (x1 - x0) * q / 6, x0 + (x1 - x0) * (q + 1) / 6
                shade = (0.9, 1.0, 0.93, 0.8, 0.64, 0.5)[q]
                self._fill(s, [(a, top * h), (b, top * h), (b, h), (a, h)], steel * shade, 0.02)
            if k < 2:
                self._line(s, (x1, (top + 0.02) * h), (x1 + 0.05 * w, 0.5 * h), 0.012 * h, steel * 0.4)
        return s

    def _tower(self, h, night):
        """A water tower: a bowl on a stem."""
        w, stone = 0.4 * h, self._wall(night)
        s, cx = self._sheet(h, w), 0.2 * h
        self._fill(s, [(cx - 0.06 * h, 0.3 * h), (cx + 0.06 * h, 0.3 * h), (cx + 0.09 * h, h), (cx - 0.09 * h, h)], stone)
        self._fill(s, [(cx + 0.01 * h, 0.3 * h), (cx + 0.06 * h, 0.3 * h), (cx + 0.09 * h, h), (cx + 0.02 * h, h)],
                   stone * 0.7)
        self._fill(s, [(cx - 0.17 * h, 0.12 * h), (cx + 0.17 * h, 0.12 * h), (cx + 0.15 * h, 0.3 * h),
                       (cx + 0.06 * h, 0.38 * h), (cx - 0.06 * h, 0.38 * h), (cx - 0.15 * h, 0.3 * h)], stone * 0.95)
        self._fill(s, [(cx + 0.04 * h, 0.12 * h), (cx + 0.17 * h, 0.12 * h), (cx + 0.15 * h, 0.3 * h),
                       (cx + 0.05 * h, 0.38 * h)], stone * 0.68)
        self._fill(s, [(cx - 0.19 * h, 0.13 * h), (cx, 0), (cx + 0.19 * h, 0.13 * h)], self._roof(night))
        self._windows(s, cx - 0.15 * h, cx + 0.15 * h, 0.17 * h, 0.26 * h, 4, 1, night)
        return s

    def _balloon(self, h, night):
        w, cx = 0.5 * h, 0.25 * h
        s = self._sheet(h, w)
        a, b = self._pick((0.9, 0.2, 0.15), (0.95, 0.62, 0.1), (0.15, 0.35, 0.75)), self._pick((0.98, 0.93, 0.8))
        if night:
            a, b = a * 0.8, b * 0.7
        for q in range(9, -1, -1):  # gores, from the outer ones inward
            k = q / 9
            colour = (a if q % 2 else b) * (1.05 - 0.35 * k)
            self._disc(s, cx, 0.24 * h, 0.235 * h * (k + 0.08), 0.235 * h, colour, 0.02)
        self._fill(s, [(cx - 0.16 * h, 0.4 * h), (cx + 0.16 * h, 0.4 * h), (cx + 0.03 * h, 0.56 * h),
                       (cx - 0.03 * h, 0.56 * h)], a * 0.8)
        for side in (-1, 1):
            self._line(s, (cx + side * 0.03 * h, 0.55 * h), (cx + side * 0.025 * h, 0.62 * h), 0.006 * h, (0.2, 0.15, 0.1))
        self._fill(s, [(cx - 0.03 * h, 0.61 * h), (cx + 0.03 * h, 0.61 * h), (cx + 0.026 * h, 0.67 * h),
                       (cx - 0.026 * h, 0.67 * h)], (0.4, 0.25, 0.12))
        return s

    def _poplars(self, h, night):
        count = int(self.rng.integers(1, 4))
        w = 0.17 * h * count + 0.06 * h
        s = self._sheet(h, w)
        green = self._pick((0.2, 0.33, 0.13), (0.16, 0.28, 0.16)) if not night else self._pick((0.12, 0.12, 0.18))
        for k in range(count):
            x, top = (0.11 + 0.17 * k) * h, self.rng.uniform(0, 0.16) * h
            self._line(s, (x, 0.8 * h), (x, h), 0.03 * h, green * 0.6)
            for _ in range(130):
                t = self.rng.random() ** 0.8
                r = 0.07 * h * np.sin(np.pi * min(0.08 + 0.9 * t, 1)) ** 0.6
                dx = self.rng.normal(0, 0.45) * r
                y = top + 0.03 * h + (0.9 * h - top) * t
                shade = 0.85 - 0.55 * dx / max(r, 1) + self.rng.uniform(-0.15, 0.2)
                self._disc(s, x + dx, y, 0.35 * r + 2, 0.5 * r + 3, green * np.clip(shade, 0.4, 1.7), 0.0)
        return s

    # --- middle distance ---------------------------------------------------------------------------------------------
    def _house(self, h, night):
        w = h * self.rng.uniform(1.1, 1.7)
        s, wall, roof = self._sheet(h, w), self._wall(night), self._roof(night)
        gable = 0.38 * w
        chim = self.rng.uniform(0.5, 0.85) * w
        self._fill(s, [(chim, 0), (chim + 0.07 * h, 0), (chim + 0.07 * h, 0.3 * h), (chim, 0.3 * h)], roof * 0.8)
        self._fill(s, [(gable, 0.5 * h), (0.98 * w, 0.5 * h), (0.98 * w, h), (gable, h)], wall * 0.78)
        front = [(0.02 * w, 0.5 * h), (gable / 2 + 0.02 * w, 0.1 * h), (gable, 0.5 * h), (gable, h), (0.02 * w, h)]
        self._fill(s, front, wall)
        self._fill(s, [(gable / 2, 0.07 * h), (0.92 * w, 0.07 * h), (w, 0.54 * h), (gable * 1.02, 0.54 * h)], roof)
        self._line(s, (gable / 2, 0.08 * h), (0, 0.53 * h), 0.035 * h, roof * 0.7)
        self._windows(s, 0.06 * w, gable, 0.5 * h, 0.92 * h, 1 if w < 1.3 * h else 2, 1, night)
        self._windows(s, gable, 0.97 * w, 0.58 * h, 0.95 * h, 3, 1, night)
        return s

    def _barn(self, h, night):
        w = h * self.rng.uniform(1.4, 2.1)
        s, roof = self._sheet(h, w), self._roof(night) * 0.9
        wood = self._pick((0.55, 0.2, 0.15), (0.42, 0.3, 0.22), (0.34, 0.27, 0.24)) * (0.5 if night else 1)
        self._fill(s, [(0.03 * w, 0.45 * h), (0.97 * w, 0.45 * h), (0.97 * w, h), (0.03 * w, h)], wood)
        for x in np.arange(0.05, 0.96, 0.045):
            self._line(s, (x * w, 0.45 * h), (x * w, h), 0.012 * h, wood * 0.75)
        self._fill(s, [(0, 0.5 * h), (0.1 * w, 0), (0.9 * w, 0), (w, 0.5 * h)], roof)
        self._fill(s, [(0.38 * w, 0.56 * h), (0.62 * w, 0.56 * h), (0.62 * w, h), (0.38 * w, h)],
                   (1.0, 0.75, 0.35) if night and self.rng.random() < 0.6 else wood * 0.4)
        for a, b in (((0.38, 0.56), (0.62, 0.56)), ((0.38, 0.56), (0.38, 1)), ((0.62, 0.56), (0.62, 1))):
            frame = np.float32((0.92, 0.9, 0.85)) * (0.6 if night else 1)
            self._line(s, (a[0] * w, a[1] * h), (b[0] * w, b[1] * h), 0.03 * h, frame)
        return s

    def _bales(self, h, night):
        count = int(self.rng.integers(2, 4))
        w = h * 1.15 * count
        s, straw = self._sheet(h, w), self._pick((0.95, 0.8, 0.45), (0.88, 0.72, 0.4))
        if night:
            straw = np.float32((0.9, 0.92, 1.0))
        for k in range(count):
            x, r = (k + 0.5) * w / count, 0.47 * h
            self._disc(s, x + 0.1 * h, 0.53 * h, r, r, straw * 0.55)
            self._disc(s, x, 0.53 * h, r * 0.92, r, straw)
            for q in (0.7, 0.45, 0.2):
                self._disc(s, x, 0.53 * h, r * q, r * q, straw * (0.8 + 0.12 * (q < 0.5)))
        return s

    def _cows(self, h, night):
        count = int(self.rng.integers(1, 3))
        w = 1.5 * h * count
        s = self._sheet(h, w)
        for k in range(count):
            x = k * 1.5 * h
            coat = self._pick((0.96, 0.94, 0.9), (0.5, 0.27, 0.15), (0.12, 0.1, 0.1)) * (0.6 if night else 1)
            spot = np.float32((0.1, 0.08, 0.08)) if coat[0] > 0.5 else np.float32((0.9, 0.88, 0.85))
            for leg in (0.35, 0.5, 1.0, 1.15):
                self._line(s, (x + leg * h, 0.5 * h), (x + leg * h, h), 0.09 * h, coat * 0.75)
            self._disc(s, x + 0.75 * h, 0.42 * h, 0.52 * h, 0.27 * h, coat)
            self._disc(s, x + 0.7 * h, 0.36 * h, 0.2 * h, 0.15 * h, spot)
            self._disc(s, x + 1.05 * h, 0.46 * h, 0.12 * h, 0.12 * h, spot)
            self._disc(s, x + 0.18 * h, 0.5 * h, 0.17 * h, 0.13 * h, coat * 0.9)
        return s

    # --- near: beside the track ----------------------------------------------------------------------------------------
    def _box(self, h, night):
        w = h * self.rng.uniform(0.8, 1.2)
        s = self._sheet(h, w)
        paint = self._pick((0.75, 0.77, 0.78), (0.45, 0.52, 0.45), (0.93, 0.9, 0.82), (0.3, 0.34, 0.4))
        paint = paint * (0.5 if night else 1)
        self._fill(s, [(0.05 * w, 0.12 * h), (0.95 * w, 0.12 * h), (0.95 * w, h), (0.05 * w, h)], paint)
        self._fill(s, [(0.68 * w, 0.12 * h), (0.95 * w, 0.12 * h), (0.95 * w, h), (0.68 * w, h)], paint * 0.62)
        self._fill(s, [(0, 0.12 * h), (0.08 * w, 0), (0.94 * w, 0), (w, 0.12 * h)], paint * 1.15)
        self._line(s, (0.36 * w, 0.16 * h), (0.36 * w, 0.95 * h), 0.02 * h, paint * 0.5)
        self._fill(s, [(0.12 * w, 0.25 * h), (0.28 * w, 0.25 * h), (0.28 * w, 0.4 * h), (0.12 * w, 0.4 * h)],
                   (0.95, 0.75, 0.1), 0.0)
        return s

    def _fence(self, h, night):
        posts = int(self.rng.integers(3, 6))
        w, gap = 0.85 * h * posts, 0.85 * h
        s = self._sheet(h, w)
        wood = self._pick((0.92, 0.9, 0.86), (0.42, 0.32, 0.24), (0.3, 0.24, 0.2)) * (0.55 if night else 1)
        for y in (0.3, 0.62):
            self._fill(s, [(0, y * h), (w, y * h), (w, (y + 0.12) * h), (0, (y + 0.12) * h)], wood * 0.85)
        for k in range(posts):
            x = (k + 0.3) * gap
            self._fill(s, [(x, 0.04 * h), (x + 0.1 * h, 0), (x + 0.2 * h, 0.04 * h), (x + 0.2 * h, h), (x, h)], wood)
            self._fill(s, [(x + 0.13 * h, 0.04 * h), (x + 0.2 * h, 0.04 * h), (x + 0.2 * h, h), (x + 0.13 * h, h)], wood * 0.6)
        return s

    def _stones(self, h, night):
        w = h * self.rng.uniform(1.5, 2.6)
        s = self._sheet(h, w)
        stone = self._pick((0.72, 0.7, 0.66), (0.6, 0.56, 0.52), (0.8, 0.76, 0.68)) * (0.55 if night else 1)
        rows = 4
        for j in range(rows):
            y0, y1, x = j * h / rows, (j + 1) * h / rows, -self.rng.uniform(0, 0.3) * h
            if j == 0:
                x += 0.2 * h
            while x < w:
                step = self.rng.uniform(0.25, 0.5) * h
                tone = stone * self.rng.uniform(0.7, 1.15)
                self._fill(s, [(x, y0), (x + step, y0), (x + step, y1), (x, y1)], tone * 0.45, 0.0)
                self._fill(s, [(x + 3, y0 + 3), (x + step - 3, y0 + 2), (x + step - 4, y1 - 4), (x + 4, y1 - 4)], tone, 0.1)
                x += step
        if night:
            self._fill(s, [(0, 0), (w, 0), (w, 0.12 * h), (0, 0.14 * h)], (0.85, 0.88, 1.0))
        return s

    def _signal(self, h, night):
        w = 0.55 * h
        s, grey = self._sheet(h, w), np.float32((0.2, 0.21, 0.23))
        self._fill(s, [(0.43 * w, 0.4 * h), (0.57 * w, 0.4 * h), (0.57 * w, h), (0.43 * w, h)], (0.85, 0.84, 0.8), 0.0)
        self._fill(s, [(0.12 * w, 0), (0.88 * w, 0), (0.88 * w, 0.52 * h), (0.12 * w, 0.52 * h)], (0.93, 0.93, 0.9), 0.0)
        self._fill(s, [(0.2 * w, 0.04 * h), (0.8 * w, 0.04 * h), (0.8 * w, 0.48 * h), (0.2 * w, 0.48 * h)], grey, 0.02)
        lamp = self._pick((1.0, 0.25, 0.15), (0.3, 1.0, 0.45), (1.0, 0.8, 0.3))
        self._disc(s, 0.5 * w, 0.15 * h, 0.17 * w, 0.08 * h, lamp, 0.0)
        self._disc(s, 0.5 * w, 0.37 * h, 0.17 * w, 0.08 * h, grey * 0.5, 0.0)
        return s

    def _flowers(self, h, night):
        w = h * self.rng.uniform(1.6, 2.6)
        s = self._sheet(h, w)
        stem = np.float32((0.16, 0.3, 0.1)) * (0.6 if night else 1)
        petal = self._pick((0.95, 0.2, 0.12), (1.0, 0.95, 0.9), (0.55, 0.3, 0.85), (1.0, 0.82, 0.1)) * (0.7 if night else 1)
        for _ in range(int(w / 9)):
            x, top = self.rng.uniform(0.03, 0.97) * w, self.rng.uniform(0.05, 0.6) * h
            lean = self.rng.normal(0, 0.08) * h
            self._line(s, (x + lean, top), (x, h), 4, stem * self.rng.uniform(0.7, 1.5))
        for _ in range(int(w / 13)):
            x, y = self.rng.uniform(0.05, 0.95) * w, self.rng.uniform(0.08, 0.62) * h
            r = self.rng.uniform(0.05, 0.085) * h
            self._disc(s, x, y + 0.3 * r, r, r, petal * 0.65, 0.0)
            self._disc(s, x - 0.2 * r, y, r * 0.85, r * 0.8, petal * self.rng.uniform(0.85, 1.1), 0.0)
        return s

    def _lamp(self, h, night):
        """A low platform lamp."""
        w = 0.8 * h
        s = self._sheet(h, w)
        if night:
            yy, xx = np.mgrid[0 : s.shape[0], 0 : s.shape[1]].astype(np.float32)
            glow = np.exp(-(((xx - w / 2) / (0.22 * h)) ** 2 + ((yy - 0.27 * h) / (0.2 * h)) ** 2))[..., None] * 0.75
            s[:] = glow * np.float32((1.0, 0.7, 0.3, 0.75))
        self._line(s, (w / 2, 0.2 * h), (w / 2, h), 0.07 * h, (0.12, 0.14, 0.15))
        self._fill(s, [(0.36 * w, 0.36 * h), (0.64 * w, 0.36 * h), (0.7 * w, 0.16 * h), (0.3 * w, 0.16 * h)],
                   (1.0, 0.88, 0.55) if night else (0.95, 0.96, 0.92), 0.0)
        self._fill(s, [(0.26 * w, 0.17 * h), (0.5 * w, 0.04 * h), (0.74 * w, 0.17 * h)], (0.12, 0.14, 0.15), 0.0)
        return s

    def _pole(self, h, night):
        w = 0.1 * h
        s, wood = self._sheet(h, w), self._pick((0.3, 0.23, 0.18), (0.36, 0.36, 0.38)) * (0.6 if night else 1)
        self._fill(s, [(0.42 * w, 0), (0.58 * w, 0), (0.62 * w, h), (0.38 * w, h)], wood)
        self._fill(s, [(0.52 * w, 0), (0.58 * w, 0), (0.62 * w, h), (0.53 * w, h)], wood * 0.6)
        for y in (0.06, 0.11):
            self._fill(s, [(0, y * h), (w, y * h), (w, (y + 0.012) * h), (0, (y + 0.012) * h)], wood * 0.8, 0.0)
        return s


def shadow(prop: np.ndarray, depth: float, strength: float) -> tuple[np.ndarray, int]:
    """The prop with a soft shadow at its foot, and how many rows were added below. depth px is half the shadow's height."""
    below, side = int(np.ceil(depth)) + 1, int(np.ceil(3 * depth))
    h, w = prop.shape[:2]
    out = np.zeros((h + below, w + 2 * side, 4), np.float32)
    yy, xx = np.mgrid[0 : out.shape[0], 0 : out.shape[1]].astype(np.float32)
    r = ((xx - side - 0.55 * w) / (0.5 * w + 1.5 * depth)) ** 2 + ((yy - h + 0.5) / depth) ** 2
    out[..., 3] = strength * np.clip(1.15 - r, 0, 1)
    part = out[:h, side : side + w]
    part *= 1 - prop[..., 3:]
    part += prop
    return out, below


def _read_sprite(path: Path) -> np.ndarray:
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    rgba = cv2.cvtColor(raw, cv2.COLOR_BGRA2RGBA).astype(np.float32) / 255
    rows = np.flatnonzero(rgba[..., 3].max(1) > 0.2)
    columns = np.flatnonzero(rgba[..., 3].max(0) > 0.2)
    rgba = rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].copy()
    rgba[..., :3] *= rgba[..., 3:]
    return rgba


def _sunlit(prop: np.ndarray, amount: float) -> np.ndarray:
    side = np.linspace(1 + amount, 1 - amount, prop.shape[1], dtype=np.float32)[None, :, None]
    prop[..., :3] = np.minimum(prop[..., :3] * side, prop[..., 3:])
    return prop
