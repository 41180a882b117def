"""What periods are in the last seconds of onset strength: the evidence for a tempo by rule.

A comb over the autocorrelation of the last six seconds (Davies and Plumbley 2007; Stark, Davies and Plumbley 2009),
folded into one octave so that half and double do not fight. Time is counted in hops.
"""

import numpy as np

MEMORY = 6.0  # s of onset strength behind the tempo
COMMON = (80.0, 160.0)  # the octave into which tempo evidence is folded, beats a minute
FASTER, SLOWER = 0.2, 0.02  # how far beyond the common octave, in log tempo, half or double of it may be believed
EVEN, BARE = 0.92, 0.03  # as alike after half a period as after one, and bare between: double; bare after one: half
SMOOTH, SMOOTH_COMB = 17, 15  # values in running means, which peaks must rise above
VOTES = 20  # looks at the tempo, three quarters of which must agree on that


class Pulse:
    """The last seconds of onset strength, and what periods are in them. hop: s; periods: (P,) hops, that are asked about."""

    def __init__(self, hop: float, periods: np.ndarray) -> None:
        self.memory = np.zeros(round(MEMORY / hop))  # the newest is last
        self._heard = 0
        self._bpm = np.arange(COMMON[0], COMMON[1] + 1)
        self._candidates = 60 / hop / self._bpm  # hops
        self._belief = np.full(len(self._bpm), 1 / len(self._bpm))
        self._keep = np.exp(-0.5 * (np.log(self._bpm[None] / self._bpm[:, None]) / 0.06) ** 2)
        lags = np.arange(160)
        self._likely = lags / 50**2 * np.exp(-(lags**2) / (2 * 50**2))
        self._alike: list[float] = [0.0] * len(self.memory)
        n, q = len(self.memory), lags[1:]
        teeth = [(np.minimum(k * q - (k - 1), n - 1), np.minimum(k * q + k, n)) for k in range(1, 5)]
        self._low, self._high = (np.array(ends) for ends in zip(*teeth, strict=True))  # (4, 159) where each tooth lies
        self._share = np.array([(k * q < n - 10) / (2 * k - 1) for k in range(1, 5)])
        self._pairs = n - np.arange(n)  # that a lag has
        self._seen = _Between(lags, np.stack([self._candidates, self._candidates / 2]))
        octaves = periods * np.array([[1.0], [2.0], [0.5]])
        self._folded = _Between(self._candidates, octaves)
        bpm = 60 / hop / periods
        self._far = -0.5 * np.log(bpm / np.clip(bpm, *COMMON)) ** 2  # (P,) how far beyond the common octave, in log odds
        self._believed: dict[tuple[bool, bool], np.ndarray] = {}  # (3, P) by what is held to be true
        self._doubled, self._halved = _Opinion(), _Opinion()

    def push(self, onset: float) -> None:
        self.memory[:-1] = self.memory[1:]
        self.memory[-1] = onset
        self._heard += 1

    def evidence(self) -> np.ndarray:
        """(P,) 0..1 for each period. Outside the common octave, what half or double of it has, and a little less."""
        o, n = self.memory, len(self.memory)
        m = min(n, self._heard)
        both = np.zeros((2, n))  # what stands out, and what varies
        np.maximum(o - _smooth(o, SMOOTH), 0, out=both[0])
        heard = o[n - m :]
        np.subtract(heard, np.add.reduce(heard) / m, out=both[1, n - m :])
        own, alike = _autocorrelations(both)
        own = np.maximum(own / self._pairs, 0)
        self._alike = (alike[:m] / (self._pairs[n - m :] + 20)).tolist()
        total, comb = np.zeros(n + 1), np.zeros(160)
        own.cumsum(out=total[1:])
        teeth = total.take(self._high)
        teeth -= total.take(self._low)
        teeth *= self._share
        np.add.reduce(teeth, 0, out=comb[1:])
        comb *= self._likely
        comb = np.maximum(comb - _smooth(comb, SMOOTH_COMB), 0)
        seen = np.add.reduce(self._seen.of(comb), 0)
        seen = np.sqrt(seen / (seen.max() + 1e-12))
        self._belief = np.maximum.reduce(self._keep * self._belief[:, None], 0) * (seen + 1e-3)
        self._belief /= np.add.reduce(self._belief)
        most = int(self._belief.argmax())
        belief, best = self._belief / self._belief[most], float(self._candidates[most])
        quarter, half, one, two = (max(own[k - 1 : k + 2].tolist()) for k in (round(best * r) for r in (0.25, 0.5, 1, 2)))
        doubled = self._doubled.say(half > EVEN * one and quarter < BARE * half)
        halved = self._halved.say(one < BARE * two)
        if (doubled, halved) not in self._believed:
            spreads = (1.0, 0.4 if doubled else FASTER, 0.5 if halved else SLOWER)
            self._believed[doubled, halved] = np.exp(self._far / np.square(spreads)[:, None])
            self._believed[doubled, halved][0] *= 0.1 if doubled or halved else 1.0
        return np.maximum.reduce(self._folded.of(belief) * self._believed[doubled, halved], 0)

    def alike(self, period: float) -> float:
        """-1..1: how much the onset strength is like itself one to four periods later."""
        a, at = self._alike, [round(period * k) for k in (1, 2, 3, 4)]
        found = [max(a[k - 2 : k + 3]) for k in at if k + 3 < 0.8 * len(a)]
        return sum(found) / len(found) / (a[0] + 1e-12) if found else 0.0


class _Between:
    """Reads a row of values between its places, in straight lines; 0 outside. places: (n,), in order; at: any shape."""

    def __init__(self, places: np.ndarray, at: np.ndarray) -> None:
        rank = np.argsort(places)
        ranks = np.clip(np.searchsorted(places[rank], at, "right") - 1, 0, len(places) - 2)
        self._one, self._two = rank[ranks], rank[ranks + 1]
        inside = (at >= places.min()) & (at <= places.max())
        share = (at - places[self._one]) / (places[self._two] - places[self._one])
        self._of_one, self._of_two = inside * (1 - share), inside * share

    def of(self, values: np.ndarray) -> np.ndarray:
        return values.take(self._one) * self._of_one + values.take(self._two) * self._of_two


class _Opinion:
    """What has been said often enough lately is held to be true, until it is said no more."""

    def __init__(self) -> None:
        self._votes, self._holds = 0, False

    def say(self, yes: bool) -> bool:
        self._votes = min(VOTES, self._votes + 1) if yes else max(0, self._votes - 1)
        self._holds = self._votes > (VOTES // 4 if self._holds else 3 * VOTES // 4)
        return self._holds


def _smooth(x: np.ndarray, size: int) -> np.ndarray:
    """(n,) the mean of `size` (odd) values around each, 0 beyond the ends."""
    total, half = np.zeros(len(x) + size), size // 2
    x.cumsum(out=total[half + 1 : len(x) + half + 1])
    total[len(x) + half + 1 :] = total[len(x) + half]
    return (total[size:] - total[:-size]) * (1 / size)


def _autocorrelations(x: np.ndarray) -> np.ndarray:
    """(k, n) -> (k, n) sums of x[t] x[t + lag] for lags 0..n-1."""
    n = x.shape[1]
    size = -(-2 * n // 256) * 256  # quick to transform
    spectra = np.abs(np.fft.rfft(x, size))
    spectra *= spectra
    return np.fft.irfft(spectra)[:, :n]
