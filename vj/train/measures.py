"""What the judge measures in arrays of frames: sharpness, motion by height, entries, variety, colour, light.

Pure functions of uint8 frames (T, H, W, 3), RGB, top row first. Flow looks back, as everywhere here: d at (y, x) says
that the pixel was at (y + dy, x + dx) in the earlier frame, so what moves left has dx > 0. Knows no network, no file.
"""

import cv2
import numpy as np

from vj.signals import BANDS, LUMA

TEXTURED = 0.02  # luma per px: less slope than this carries no motion that can be seen
EDGE = 8 / 160  # share of the width in which entering is measured (the same as in vj.train.measure)


def luma(frames: np.ndarray) -> np.ndarray:
    """(..., 3) uint8 -> float32 (...), 0..1 (Rec. 601)."""
    return frames.astype(np.float32) @ (np.float32(LUMA) / 255)


def rows(band: int, height: int) -> slice:
    """The rows of a height band, 0 far, 1 middle, 2 near."""
    top, bottom = BANDS[band]
    return slice(round(top * height), round(bottom * height))


# ---------------------------------------------------------------------------------------------------------- sharpness
def slopes(frames: np.ndarray) -> tuple[float, float]:
    """Mean squared slope of luma across and down, (0..1 per px)^2. Streaks keep the second and lose the first."""
    y = luma(frames)
    return float(np.mean(np.diff(y, axis=-1) ** 2)), float(np.mean(np.diff(y, axis=-2) ** 2))


def gradient_energy(frames: np.ndarray) -> float:
    """Mean squared slope of luma, across plus down, (0..1 per px)^2: the Tenengrad measure without its threshold."""
    return sum(slopes(frames))


def fine_energy(frames: np.ndarray) -> float:
    """Power of luma at more than a quarter cycle per px (half of what the grid can hold), mean per pixel.

    From the discrete Fourier transform under a Hann window, which keeps the frame's borders out.
    """
    y = luma(frames)
    T, H, W = y.shape
    window = np.hanning(H)[:, None] * np.hanning(W)[None]
    y = (y - y.mean((1, 2), keepdims=True)) * window.astype(np.float32)
    power = np.abs(np.fft.rfft2(y)) ** 2
    radius = np.hypot(np.fft.fftfreq(H)[:, None], np.fft.rfftfreq(W)[None])
    doubled = np.where((np.arange(power.shape[2]) == 0) | (2 * np.arange(power.shape[2]) == W), 1.0, 2.0)
    return float((power * doubled * (radius > 0.25)).sum() / (T * H * W * (window**2).sum()))


# ------------------------------------------------------------------------------------------------------------- motion
class Motion:
    """Dense optical flow, DIS (Kroeger, Timofte, Dai, Van Gool, 2016, as in OpenCV), at twice the frame's size.

    Twice the size, because model frames are small and DIS works in patches of 8 px.
    """

    def __init__(self):
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setFinestScale(1)  # four times quicker than 0, the same within 3 %

    def back(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Two frames uint8 (H, W, 3) -> d float32 (H, W, 2) px, looking back from `after`."""
        h, w = after.shape[:2]
        grays = [
            cv2.resize(cv2.cvtColor(np.ascontiguousarray(f), cv2.COLOR_RGB2GRAY), (2 * w, 2 * h), interpolation=cv2.INTER_CUBIC)
            for f in (after, before)
        ]  # fmt: skip
        return cv2.resize(self._dis.calc(grays[0], grays[1], None), (w, h), interpolation=cv2.INTER_AREA) / 2

    def by_band(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Median dx of textured pixels in each height band, (3,) px; NaN where a band has fewer than 20 of them.

        The last quarter of the width is left out: what has just entered was nowhere before.
        """
        d = self.back(before, after)
        y = luma(after)
        textured = np.abs(cv2.Sobel(cv2.GaussianBlur(y, (3, 3), 0), cv2.CV_32F, 1, 0, scale=1 / 8)) > TEXTURED
        textured[:, -y.shape[1] // 4 :] = False
        out = np.full(3, np.nan, np.float32)
        for band in range(3):
            where = rows(band, y.shape[0])
            moves = d[where, :, 0][textured[where]]
            if len(moves) >= 20:
                out[band] = np.median(moves)
        return out

    def residual(self, before: np.ndarray, after: np.ndarray) -> float:
        """Mean |luma| difference, 0..1, that motion does not explain: flicker, boiling. The last quarter is left out."""
        d = self.back(before, after)
        h, w = after.shape[:2]
        x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        moved = cv2.remap(luma(before), x + d[..., 0], y + d[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return float(np.abs(moved - luma(after))[:, : -w // 4].mean())

    def extrapolate(self, before: np.ndarray, now: np.ndarray) -> np.ndarray:
        """The next frame if all goes on moving as it did: the classical rival, uint8 (H, W, 3)."""
        d = self.back(before, now)
        h, w = now.shape[:2]
        x, y = np.meshgrid(np.arange(w, dtype=np.float32), np.arange(h, dtype=np.float32))
        return cv2.remap(now, x + d[..., 0], y + d[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def change(before: np.ndarray, after: np.ndarray) -> float:
    """Mean |difference| of two frames or stacks of frames, 0..1."""
    return float(np.abs(before.astype(np.int16) - after).mean() / 255)


# ------------------------------------------------------------------------------------------------------------ entries
def entering(strips: np.ndarray, width: int) -> np.ndarray:
    """Energy at the leading edge: (T, H, >= columns + 1, 3) right ends of frames `width` px wide -> float32 (T, 3).

    For each height band the mean squared horizontal slope of luma in the last 8 of 160 columns; slopes are those of a
    picture 160 px wide. Its root is what `vj footage` measures and maps to the controls far, middle, near.
    """
    power = entering_rows(strips, width)
    return np.stack([power[:, rows(band, power.shape[1])].mean(1) for band in range(3)], 1)


def entering_rows(strips: np.ndarray, width: int | None = None) -> np.ndarray:
    """The same row by row: float32 (T, H). width: None: the strips are whole frames."""
    width = width or strips.shape[2]
    columns = max(round(EDGE * width), 2)
    return ((np.diff(luma(strips[:, :, -columns - 1 :]), axis=2) * (width / 160)) ** 2).mean(2)


def as_controls(energy: np.ndarray, low, high) -> np.ndarray:
    """Entering energy (T, 3) on the scale of the controls: 0 at the root `low` (3,), 1 at `high` (3,). Not clipped."""
    low, high = np.asarray(low, np.float32), np.asarray(high, np.float32)
    return (np.sqrt(energy) - low) / np.maximum(high - low, 1e-6)


def onsets(signal: np.ndarray, low: float, high: float) -> np.ndarray:
    """Frames at which a signal (T,) comes above `high` for the first time since it was below `low` (a Schmitt trigger)."""
    found, armed = [], True
    for t, value in enumerate(signal):
        if armed and value >= high:
            found.append(t)
            armed = False
        elif value < low:
            armed = True
    return np.array(found, int)


def f_measure(found, truth, tolerance: float = 2.0) -> float:
    """2 TP / (found + truth), where each may be used once: matched in order within +-tolerance. 1 if both are empty."""
    found, truth = np.sort(found), np.sort(truth)
    i = j = hits = 0
    while i < len(found) and j < len(truth):
        if abs(found[i] - truth[j]) <= tolerance:
            i, j, hits = i + 1, j + 1, hits + 1
        elif found[i] < truth[j]:
            i += 1
        else:
            j += 1
    return 2 * hits / (len(found) + len(truth)) if len(found) + len(truth) else 1.0


def delay(found, told, longest: int = 8) -> float:
    """Median time from each told moment to the first entry found after it, frames; NaN if none comes in time."""
    found = np.sort(found)
    waits = [found[found >= t][0] - t for t in told if (found >= t).any()]
    waits = [wait for wait in waits if wait <= longest]
    return float(np.median(waits)) if waits else float("nan")


def prints(strips: np.ndarray) -> np.ndarray:
    """Fingerprints of the strip's detail, (T, 712) of length 1: slopes of luma at 48 x 8, light and contrast taken out."""
    small = np.stack([cv2.resize(luma(s), (8, 48), interpolation=cv2.INTER_AREA) for s in strips])
    across, down = (np.diff(small, axis=axis).reshape(len(small), -1) for axis in (2, 1))
    detail = np.concatenate([across, down], 1)
    return detail / np.maximum(np.linalg.norm(detail, axis=1, keepdims=True), 1e-6)


def nearest(prints_of: np.ndarray, bank: np.ndarray) -> np.ndarray:
    """For each fingerprint (N, D) its distance 1 - correlation to the closest of bank (M, D): 0 a copy, about 1 unlike."""
    return 1 - np.concatenate([(block @ bank.T).max(1) for block in np.array_split(prints_of, max(len(prints_of) // 256, 1))])


# ------------------------------------------------------------------------------------------------------------ variety
def repeats(prints_of: np.ndarray, shortest: int) -> tuple[float, int]:
    """The strongest loop: (largest mean correlation of fingerprints a lag apart, that lag), lags >= shortest.

    What is always there is taken out first. 1: an exact loop, 0: nothing ever comes again.
    """
    x = prints_of - prints_of.mean(0)
    T = len(x)
    if T < 3 * shortest:
        return 0.0, 0
    spectrum = np.fft.rfft(x, 2 * T, axis=0)
    total = np.fft.irfft((np.abs(spectrum) ** 2).sum(1))[: T // 2 + 1]
    mean = total / (T - np.arange(T // 2 + 1)) / max(total[0] / T, 1e-12)
    lag = shortest + int(np.argmax(mean[shortest:]))
    return float(mean[lag]), lag


def thumbs(frames: np.ndarray) -> np.ndarray:
    """float32 (T, 10 * 16 * 3), 0..1: frames seen very small."""
    return np.stack([cv2.resize(f, (16, 10), interpolation=cv2.INTER_AREA) for f in frames]).reshape(len(frames), -1) / 255.0


# ------------------------------------------------------------------------------------------------------ colour, light
COLOURS = ("luma", "red - blue", "spread", "palette")


def colours(frames: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """(T, 4), 0..1: mean luma, mean red - blue, spread of luma, distance of the palette to `palette`."""
    out = []
    for frame in frames:
        y = luma(frame)
        red, _, blue = frame.reshape(-1, 3).mean(0) / 255
        out.append((y.mean(), red - blue, y.std(), np.abs(palette_of(frame[None]) - palette).mean()))
    return np.array(out, np.float32)


def layouts(thumbs: np.ndarray) -> np.ndarray:
    """(T, 30), 0..1: mean colour of ten rows, from thumbs(): where sky and ground are."""
    return thumbs.reshape(-1, 10, 16, 3).mean(2).reshape(-1, 30)


def farness(those: np.ndarray, bank: np.ndarray, apart: int = 0) -> np.ndarray:
    """Mean |difference| of each layout (T, 30) to the closest of bank (M, 30); `apart`: not from that many around it."""
    out = []
    for t, row in enumerate(those):
        distance = np.abs(bank - row).mean(1)
        if apart:
            distance[max(t - apart, 0) : t + apart] = np.inf
        out.append(distance.min())
    return np.array(out)


def palette_of(frames: np.ndarray) -> np.ndarray:
    """(3, 33), 0..1: quantiles of each colour. Their mean distance is the 1-Wasserstein distance of the histograms."""
    return np.quantile(frames.reshape(-1, 3)[:: max(1, len(frames) // 4)], np.linspace(0, 1, 33), axis=0).T / 255


def light(frames: np.ndarray, usual: dict) -> np.ndarray:
    """(T, 2): brightness and warmth on the scale of the controls, not clipped. usual: see vj.train.measure."""
    mean = frames.reshape(len(frames), -1, 3).mean(1) / 255
    brightness = (mean @ np.float32(LUMA) - usual["brightness_mean"]) / (2 * usual["brightness_spread"])
    warmth = (mean[:, 0] - mean[:, 2] - usual["warmth_mean"]) / (2 * usual["warmth_spread"])
    return np.stack([brightness, warmth], 1)


def settling(response: np.ndarray, share: float = 0.8) -> float:
    """Frames until a response (T,), 0 before a step told and 1 if it were followed in full, reaches `share` of its end.

    The end value is the mean of the last third. Infinite if that is under 0.25: then it does not answer. Steps of
    light are judged on many averaged, so what enters by chance does not count.
    """
    end = float(response[-max(len(response) // 3, 1) :].mean())
    reached = np.flatnonzero(response >= share * end)
    return float(reached[0]) if end >= 0.25 and len(reached) else float("inf")


# ------------------------------------------------------------------------------------------------------------ one step
def psnr(error: float) -> float:
    """dB of a mean squared error of 0..1 colours; at most 60."""
    return float(-10 * np.log10(max(error, 1e-6)))


def squared_error(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared difference of uint8 frames, 0..1 colours."""
    return float(np.mean((a.astype(np.float32) - b) ** 2) / 255**2)


PATCH, REACH = (16, 24), 8  # px high and wide; px to both sides
THING = 5.0  # mean slope, of 255, from which on a patch holds something


def kept_whole(mine: np.ndarray, true: np.ndarray) -> list[float]:
    """How alike what stands in the true picture looks in mine, each patch at its best shift along the way: PSNR, dB.

    Two pictures (H, W, 3) uint8. A thing that came a few pixels too far is whole; a thing that was torn fits at no shift.
    """
    a, b, found = mine.astype(np.float32), true.astype(np.float32), []
    (tall, wide), (height, width) = PATCH, b.shape[:2]
    for y in range(0, height - tall + 1, tall // 2):
        for x in range(0, width - wide + 1, wide // 2):
            patch = b[y : y + tall, x : x + wide]
            if np.abs(np.diff(patch.mean(2), axis=1)).mean() < THING:
                continue
            shifts = range(max(x - REACH, 0), min(x + REACH, width - wide) + 1)
            found.append(psnr(min(((a[y : y + tall, at : at + wide] - patch) ** 2).mean() for at in shifts) / 255**2))
    return found
