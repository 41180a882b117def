"""The strobe limiter: measured light of the output -> how much darker it must be shown. No GL and no clock here.

WCAG 2.3.1 (general flash and red flash thresholds): a flash is a pair of opposing changes of relative luminance by a tenth
of its maximum or more, the darker below 0.80, or of R - G - B (linear) by a sixteenth to or from a saturated red, of which R
is 0.8 of R + G + B and more; more than three a second over a quarter of the area are too many. Wherever the fourth rise
within a second would come, it is held down, if that happens on a seventh of the area. Light is only ever taken away, so
that a blackout is never held up; where no light may rise, none can fall again.
"""

import numpy as np

ROWS, COLUMNS = 12, 16  # cells over the screen
LINES, SAMPLES = 3, 20  # rows of pixels and pixels of each that are looked at, a cell
CHANGE = 0.1  # of relative luminance, that counts
DARKER = 0.8  # the darker of the two must lie below
HELD = 0.06  # that may be risen by where the rises are used up
RED_CHANGE, RED_HELD = 20 / 320, 0.04  # likewise of R - G - B, linear
REDDISH, RED = 0.7, 0.8  # R : R + G + B of what counts as red, not at all and in full
AREA = 0.15  # share of the screen: well under a quarter, as what flashes in turn is counted together only within a second
FLASHES = 3
SECOND = 1.02  # s, with a margin
TOP = 1.0 / 2.2  # light to the code's brightness, a little darker than sRGB's 1 / 2.4
CODES = (np.arange(256) / 255.0).astype(np.float32)


def light_of_codes(codes: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to relative luminance 0..1 (IEC 61966-2-1), of one channel."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4).astype(np.float32)


class Meter:
    """Light and red of a picture in cells, from a few of its rows. curves: three tables (256,) from code to shown code 0..1."""

    def __init__(self, curves: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None):
        self._tables = [light_of_codes(c) for c in curves or (CODES,) * 3]

    @staticmethod
    def rows(height: int) -> np.ndarray:
        """(ROWS * LINES,) numbers of the rows of pixels to look at, in a picture so high (px)."""
        return ((np.arange(ROWS * LINES) + 0.5) / (ROWS * LINES) * height).astype(int)

    def cells(self, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """lines: uint8 (ROWS * LINES, W, 3 or 4), the rows named by rows() -> relative luminance and red, each float32
        (ROWS, COLUMNS) 0..1."""
        width, count = lines.shape[1], COLUMNS * SAMPLES
        seen = lines[:, ((np.arange(count) + 0.5) / count * width).astype(int)]
        parts = (table[seen[..., k]].reshape(ROWS, LINES, COLUMNS, SAMPLES).mean((1, 3)) for k, table in enumerate(self._tables))
        red, green, blue = parts
        share = red / np.maximum(red + green + blue, 1e-6)
        saturated = np.clip((share - REDDISH) / (RED - REDDISH), 0, 1)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue, np.maximum(red - green - blue, 0) * saturated


class Limiter:
    """Watches the light of each cell; knows when each rose. Call judge, then note with what was shown.

    change: of it, that counts; held: by so much it may rise where the rises are used up; darker: what begins above does not
    count.
    """

    def __init__(self, change: float = CHANGE, held: float = HELD, darker: float = DARKER):
        self._change, self._hold, self._darker = change, held, darker
        self._low: np.ndarray | None = None  # least light since the last fall
        self._high = self._up = None  # most light since the last rise; whether a rise was last
        self._risen = np.full((FLASHES, ROWS, COLUMNS), np.inf)  # s since the last rises, the newest first
        self._over = np.full((ROWS, COLUMNS), np.inf)  # s since a rise that was one too many
        self.held = False  # is light being held down now?

    def judge(self, light: np.ndarray, dt: float) -> np.ndarray | None:
        """light: float32 (ROWS, COLUMNS) 0..1 as it would be shown, dt s after the last -> what it may at most be.

        None: all of it may be shown.
        """
        self._risen += dt
        self._over += dt
        self.held = False
        if self._low is None:
            return None
        late = self._rises(light) & (self._risen[-1] < SECOND)
        if (late | (self._over < SECOND)).mean() < AREA:
            return None
        # also what has not risen so far yet, lest it creep
        worn = ~self._up & (self._risen[-1] < SECOND)
        most = np.where(worn, np.minimum(self._low, light) + self._hold, 1.0)
        self.held = bool((light > most).any())
        return most.astype(np.float32) if self.held else None

    def note(self, light: np.ndarray) -> None:
        """light: (ROWS, COLUMNS) 0..1, as it is shown."""
        if self._low is None:
            self._low, self._high, self._up = light.copy(), light.copy(), np.zeros(light.shape, bool)
            return
        rises = self._rises(light)
        self._over[rises & (self._risen[-1] < SECOND)] = 0.0
        self._risen[:, rises] = np.concatenate([np.zeros((1, rises.sum())), self._risen[:-1, rises]])
        falls = self._up & (light < self._high - self._change)
        self._low = np.where(falls, light, np.minimum(self._low, light))
        self._high = np.where(rises, light, np.maximum(self._high, light))
        self._up = (self._up | rises) & ~falls

    def _rises(self, light: np.ndarray) -> np.ndarray:
        return ~self._up & (light > self._low + self._change) & (self._low < self._darker)


class Guard:
    """Limits both, light and red. Call judge, then note with what was shown."""

    def __init__(self):
        self._limiters = Limiter(), Limiter(RED_CHANGE, RED_HELD, np.inf)

    @property
    def held(self) -> bool:
        """Was anything held down in the last picture?"""
        return any(limiter.held for limiter in self._limiters)

    def judge(self, cells: tuple[np.ndarray, np.ndarray], dt: float, bend: float = 1.0) -> np.ndarray | None:
        """cells: of a Meter, as they would be shown, dt s after the last -> see `gains`; None: all may be shown."""
        least = None
        for limiter, value in zip(self._limiters, cells, strict=True):
            most = limiter.judge(value, dt)
            if most is not None:
                gain = gains(value, most, bend)
                least = gain if least is None else np.minimum(least, gain)
        return least

    def note(self, cells: tuple[np.ndarray, np.ndarray]) -> None:
        """cells: of a Meter, as they are shown."""
        for limiter, value in zip(self._limiters, cells, strict=True):
            limiter.note(value)


def gains(light: np.ndarray, most: np.ndarray, bend: float = 1.0) -> np.ndarray:
    """uint8 (ROWS, COLUMNS): what a cell's codes are multiplied by (255 is 1), so that no light passes `most`.

    bend: what the shown codes are raised to beside (a gamma after this). Neighbours count too: the map is shown smooth.
    """
    gain = np.clip(most / np.maximum(light, 1e-4), 0.0, 1.0) ** (TOP * bend)
    wide = np.pad(gain, 1, mode="edge")
    least = np.min([wide[y : y + ROWS, x : x + COLUMNS] for y in range(3) for x in range(3)], axis=0)
    return np.floor(least * 255).astype(np.uint8)
