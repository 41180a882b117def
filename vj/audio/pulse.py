"""What periods are in the last seconds of onset strength: the evidence for a tempo by rule.

A comb over the autocorrelation of the last six seconds (Davies and Plumbley 2007; Stark, Davies and Plumbley 2009),
folded into one octave so that half and double do not fight. Time is counted in hops.
"""

import numpy as np

MEMORY = 6.0  # s of onset strength behind the tempo
COMMON = (80.0, 160.0)  # the octave into which tempo evidence is folded, beats a minute
FASTER, SLOWER = 0.2, 0.02  # how far beyond the common octave, in log tempo, half or double of it may be believed
EVEN, BARE = 0.92, 0.03  # as alike after half a period as after one, and bare between: double; bare after one: half
SMOOTH, SMOOTH_COMB = np.ones(17) / 17, np.ones(15) / 15  # running means, which peaks must rise above
VOTES = 20  # looks at the tempo, three quarters of which must agree on that


class Pulse:
    """The last seconds of onset strength, and what periods are in them."""

    def __init__(self, hop: float) -> None:
        self._hop = hop
        self.memory = np.zeros(round(MEMORY / hop))  # the newest is last
        self._heard = 0
        self._bpm = np.arange(COMMON[0], COMMON[1] + 1)
        self._candidates = 60 / hop / self._bpm  # hops
        self._belief = np.full(len(self._bpm), 1 / len(self._bpm))
        self._keep = np.exp(-0.5 * (np.log(self._bpm[None] / self._bpm[:, None]) / 0.06) ** 2)
        self._lags = np.arange(160)
        self._likely = self._lags / 50**2 * np.exp(-(self._lags**2) / (2 * 50**2))
        self._alike = np.zeros(len(self.memory))
        n, q = len(self.memory), self._lags[1:]
        teeth = [(np.minimum(k * q - (k - 1), n - 1), np.minimum(k * q + k, n)) for k in range(1, 5)]
        self._low, self._high = (np.array(ends) for ends in zip(*teeth, strict=True))  # (4, 159) where each tooth lies
        self._share = np.array([(k * q < n - 10) / (2 * k - 1) for k in range(1, 5)])
        self._pairs = n - np.arange(n)  # that a lag has
        self._far = (np.zeros(0), np.zeros(0))  # periods; of each, how far its tempo lies beyond the common octave, in log odds
        self._doubled, self._halved = _Opinion(), _Opinion()

    def push(self, onset: float) -> None:
        self.memory[:-1] = self.memory[1:]
        self.memory[-1] = onset
        self._heard += 1

    def evidence(self, periods: np.ndarray) -> np.ndarray:
        """(P,) 0..1 for periods in hops. Outside the common octave, what half or double of it has, and a little less."""
        o, n = self.memory, len(self.memory)
        sharp = np.maximum(o - np.convolve(o, SMOOTH, "same"), 0)
        own = np.maximum(_autocorrelation(sharp) / self._pairs, 0)
        total, comb = np.zeros(n + 1), np.zeros(160)
        np.cumsum(own, out=total[1:])
        comb[1:] = ((total[self._high] - total[self._low]) * self._share).sum(0)
        comb *= self._likely
        comb = np.maximum(comb - np.convolve(comb, SMOOTH_COMB, "same"), 0)
        seen = np.interp(self._candidates, self._lags, comb) + np.interp(self._candidates / 2, self._lags, comb)
        seen = np.sqrt(seen / (seen.max() + 1e-12))
        self._belief = (self._keep * self._belief[:, None]).max(0) * (seen + 1e-3)
        self._belief /= self._belief.sum()
        belief = self._belief / self._belief.max()
        best = self._candidates[np.argmax(belief)]
        quarter, half, one, two = (own[round(best * k) - 1 :][:3].max() for k in (0.25, 0.5, 1, 2))
        doubled = self._doubled.say(half > EVEN * one and quarter < BARE * half)
        halved = self._halved.say(one < BARE * two)
        if self._far[0] is not periods:
            bpm = 60 / self._hop / periods
            self._far = (periods, -0.5 * np.log(bpm / np.clip(bpm, *COMMON)) ** 2)
        weights = np.zeros(len(periods))
        for octave, spread, share in (
            (1.0, 1.0, 0.1 if doubled or halved else 1.0),
            (2.0, 0.4 if doubled else FASTER, 1.0),
            (0.5, 0.5 if halved else SLOWER, 1.0),
        ):
            folded = np.interp(periods * octave, self._candidates[::-1], belief[::-1], left=0, right=0)
            weights = np.maximum(weights, share * folded * np.exp(self._far[1] / spread**2))
        centred = o[n - min(n, self._heard) :]
        centred = centred - centred.mean()
        m = len(centred)
        self._alike = _autocorrelation(centred)[:m] / (self._pairs[n - m :] + 20)
        return weights

    def alike(self, period: float) -> float:
        """-1..1: how much the onset strength is like itself one to four periods later."""
        a, at = self._alike, [round(period * k) for k in (1, 2, 3, 4)]
        found = [a[k - 2 : k + 3].max() for k in at if k + 3 < 0.8 * len(a)]
        return float(np.mean(found) / (a[0] + 1e-12)) if found else 0.0


class _Opinion:
    """What has been said often enough lately is held to be true, until it is said no more."""

    def __init__(self) -> None:
        self._votes, self._holds = 0, False

    def say(self, yes: bool) -> bool:
        self._votes = min(VOTES, self._votes + 1) if yes else max(0, self._votes - 1)
        self._holds = self._votes > (VOTES // 4 if self._holds else 3 * VOTES // 4)
        return self._holds


def _autocorrelation(x: np.ndarray) -> np.ndarray:
    """(n,) sums of x[t] x[t + lag] for lags 0..n-1."""
    size = -(-2 * len(x) // 256) * 256  # quick to transform
    return np.fft.irfft(np.abs(np.fft.rfft(x, size)) ** 2)[: len(x)]
