"""Where the beat is: one onset strength every hop goes in, tempo, phase, the next beat and a confidence come out.

A forward (causal) hidden Markov model over period and phase, the bar pointer model of Whiteley, Cemgil and Godsill
(2006) in the state space of Krebs, Boeck and Widmer (2015), fed with a classical onset strength in place of a
network's. Tempo evidence comes from a comb over the autocorrelation of the last six seconds (Davies and Plumbley 2007;
Stark, Davies and Plumbley 2009), folded into one octave so that half and double do not fight.
Knows no sound, no spectrum and no clock: time is counted in hops.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

FASTEST, SLOWEST = 215.0, 55.0  # beats a minute
COMMON = (80.0, 160.0)  # the octave into which tempo evidence is folded, beats a minute
MEMORY = 6.0  # s of onset strength behind the tempo
DELAY = 0.02  # s from a beat to the hop in which its onset strength stands
LEAD = 0.03  # s before the beat at which it is said, so that a light can land on it
FASTER, SLOWER = 0.2, 0.02  # how far beyond the common octave, in log tempo, half or double of it may be believed
EVEN, BARE = 0.92, 0.03  # as alike after half a period as after one, and bare between: double; bare after one: half
TRUST = 0.4  # weight of one look at the tempo
FLOOR = 0.4  # a hop without any onset, against a mean one
VOTES = 20  # looks at the tempo, three quarters of which must agree on that
ZONE = 40  # the beat takes 1/40 of a period
RESTART = 1e-4  # chance per hop that everything starts anew
CHANGE = 60.0  # how unlikely a change of period is, exp(-CHANGE * relative change)
EVERY = 0.1  # s between looks at the tempo
SHOWN, HIDDEN = 0.12, 0.09  # confidence at which beats begin and cease to be told
CALM_FALL = 3.0  # s, confidence falls this slowly, so that a breakdown is held through


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that is told."""

    time: float  # s, when it sounds (it may lie a little ahead)
    told: float  # s of sound heard when it was said
    position: int  # 1..4 in the bar, 0 unknown


class BeatTracker:
    """feed() once a hop; then read tempo, confidence, phase, next_beat. hop: s between two calls."""

    def __init__(self, hop: float = 0.01) -> None:
        self.hop = hop
        self.tempo, self.confidence, self.phase, self.next_beat = 0.0, 0.0, 0.0, 0.0
        self._model = _Pointer(hop)
        self._pulse = _Pulse(hop)
        self._bar = _Bar()
        self._taps: list[float] = []
        self._tapped = (0.0, 0.0)  # period in hops, until which time in s
        self._hops = 0
        self._mean = 1e-3
        self._last = -(10**6)  # hop of the last beat
        self._recent: deque[int] = deque(maxlen=8)  # hops of the last beats
        self._shown = False

    @property
    def time(self) -> float:
        """s heard so far."""
        return self._hops * self.hop

    def feed(
        self,
        onset: float,
        low: float = 0.0,
        snare: float = 0.0,
        colour: np.ndarray | None = None,
        quiet: bool = False,
    ) -> Beat | None:
        """onset: strength of this hop, >= 0, any scale that stays within about 100:1. Returns the beat to be told now.

        low, snare: strengths of bass and snare onsets, colour: (n,) spectrum; they tell where the bar begins.
        quiet: there is no sound at all.
        """
        hop = self._hops
        self._hops += 1
        self._pulse.push(onset)
        self._mean += (onset - self._mean) * max(0.002, 1 / (hop + 5))
        self._bar.hear(low, snare, colour)
        if hop * self.hop >= 1.5 and hop % round(EVERY / self.hop) == 0:
            self._look_at_tempo(quiet)
        period, position = self._model.step(onset / max(self._mean, 1e-6) + FLOOR)
        return self._tell(hop, period, position)

    def tap(self, time: float) -> None:
        """A hand says: here is a beat (s on the clock of `time`). Two taps or more set the tempo too."""
        if self._taps and not 0.25 < time - self._taps[-1] < 2.0:
            self._taps.clear()
        self._taps = [*self._taps[-7:], time]
        since = (self.time - time + DELAY) / self.hop
        period = 0.0
        if len(self._taps) > 1:
            period = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1) / self.hop
            period = self._model.within(period)
            self._tapped = (period, self.time + 20.0)
            self.confidence = max(self.confidence, 0.8)
        self._model.place(since, period)

    def _look_at_tempo(self, quiet: bool) -> None:
        evidence = self._pulse.evidence(self._model.periods)
        tapped, until = self._tapped
        if tapped and self.time < until:
            evidence = np.exp(-0.5 * (np.log(self._model.periods / tapped) / 0.06) ** 2)
        self._model.weigh(((evidence + 0.1) / 1.1) ** TRUST)
        certainty = 0.0 if quiet else self._certainty()
        rate = EVERY / (0.7 if certainty > self.confidence else 1.0 if quiet else CALM_FALL)
        self.confidence += (certainty - self.confidence) * rate

    def _certainty(self) -> float:
        """0..1: is there a pulse at all? Logistic in three signs, calibrated on music and on sounds without pulse.

        How alike the onsets are one to four periods later, how they stand out on the beats, how sure the phase is;
        two of them must agree.
        """
        alike = self._pulse.alike(self._model.period)
        strength = self._pulse.memory
        now = self._hops - len(strength)  # hop of strength[0]
        past = [strength[max(0, b - now - 3) : b - now + 4].max(initial=0.0) for b in self._recent if b - now >= 3]
        if len(past) < 3:
            return 0.0
        heard = strength[max(len(strength) - 400, len(strength) - self._hops) :]
        usual = heard[: len(heard) // 7 * 7].reshape(-1, 7).max(1).mean()
        contrast = np.mean(past) / (usual + 1e-9)
        alike, contrast = np.clip(alike, -0.1, 0.6), np.log(np.clip(contrast, 1, 2.5))
        unity = self._model.unity()
        z = 12.7 * alike * contrast + 1.2 * contrast * unity + 11.1 * alike * unity - 4.7
        return float(1 / (1 + np.exp(-z)))

    def _tell(self, hop: int, period: int, position: int) -> Beat | None:
        ahead = period - position if position > 0 else 0
        self._shown = self.confidence > (HIDDEN if self._shown else SHOWN)
        exact = self._model.exact_period() if self._shown else float(period)
        self.tempo = 60 / (exact * self.hop) if self._shown else 0.0
        sounds = (hop + 1 + ahead) * self.hop - DELAY  # s, the beat next to come by the model
        told = (hop + 1) * self.hop
        beat = None
        if (ahead <= round(LEAD / self.hop) or position <= 1) and hop - self._last > 0.6 * period:
            if position <= 1 and ahead > round(LEAD / self.hop):
                sounds -= period * self.hop
            self._last = hop
            self._recent.append(round((sounds + DELAY) / self.hop) - 1)
            place = self._bar.turn()
            if self._shown:
                beat = Beat(max(sounds, 0.0), told, place)
        while sounds - told < self.hop / 2:
            sounds += exact * self.hop
        self.next_beat = sounds if self._shown else 0.0
        self.phase = float(1 - (sounds - told) / (exact * self.hop)) % 1.0 if self._shown else 0.0
        return beat


class _Pointer:
    """The bar pointer: probabilities over (period, hops since the beat), all periods laid end to end in one array."""

    def __init__(self, hop: float) -> None:
        self.periods = np.arange(int(np.ceil(60 / FASTEST / hop)), int(60 / SLOWEST / hop) + 1)  # (P,) hops
        self._first = np.concatenate([[0], np.cumsum(self.periods)[:-1]])
        self._final = self._first + self.periods - 1
        self._row = np.repeat(np.arange(len(self.periods)), self.periods)  # (S,) which period a state belongs to
        self._since = np.arange(len(self._row)) - self._first[self._row]  # (S,) hops since the beat
        inside = np.clip(self.periods[self._row] / ZONE + 0.5 - self._since, 0, 1)  # (S,) how much of a state is on the beat
        self._zone = np.flatnonzero(inside)
        self._inside = inside[self._zone].astype(np.float32)
        change = np.exp(-CHANGE * np.abs(self.periods[None] / self.periods[:, None] - 1))
        change[change < 1e-8] = 0
        self._change = (change / change.sum(1, keepdims=True)).astype(np.float32)
        usual = np.exp(-0.5 * (np.log(60 / self.periods / hop / 118) / 0.45) ** 2) / self.periods
        start = usual[self._row] / usual[self._row].sum()
        self._restart = (RESTART * start).astype(np.float32)
        self._p = start.astype(np.float32)  # (S,), sums to 1
        self._turn = np.exp(2j * np.pi * self._since / self.periods[self._row]).astype(np.complex64)
        self._mass = np.add.reduceat(self._p, self._first)
        self.period = int(self.periods[np.argmax(self._mass)])

    def step(self, likelihood: float) -> tuple[int, int]:
        """One hop on. likelihood: of this onset strength on a beat, against off it. -> likeliest (period, since)."""
        p = self._p
        ends = p[self._final]
        p[1:] = p[:-1].copy()
        p[self._first] = ends @ self._change
        p *= 1 - RESTART
        p += self._restart
        p[self._zone] *= np.exp(np.float32(np.log(likelihood)) * self._inside)
        p /= p.sum()
        self._mass = mass = np.add.reduceat(p, self._first)
        around = mass.copy()
        around[1:] += mass[:-1]
        around[:-1] += mass[1:]
        row = int(np.argmax(around))
        low, high = max(0, row - 1), min(len(mass), row + 2)
        best = self._first[low] + int(np.argmax(p[self._first[low] : self._final[high - 1] + 1]))
        self.period = int(self.periods[self._row[best]])
        return self.period, int(self._since[best])

    def exact_period(self) -> float:
        """Hops, between the whole ones: the mean of the likeliest period and its neighbours."""
        row = self.period - self.periods[0]
        near = slice(max(0, row - 2), row + 3)
        return float(self._mass[near] @ self.periods[near] / max(self._mass[near].sum(), 1e-30))

    def weigh(self, weights: np.ndarray) -> None:
        """weights: (P,), evidence for each period."""
        self._p *= weights.astype(np.float32)[self._row]
        self._p /= max(self._p.sum(), 1e-30)

    def unity(self) -> float:
        """0..1: how far all states agree on the phase."""
        return float(abs(self._p @ self._turn))

    def within(self, period: float) -> float:
        """The period, doubled or halved until the model has it."""
        while period > self.periods[-1]:
            period /= 2
        while period < self.periods[0]:
            period *= 2
        return period

    def place(self, since: float, period: float) -> None:
        """Set the pointer by hand: `since` hops after a beat, at a period in hops (0: keep the tempo)."""
        around = (since / self.periods[self._row] - self._since / self.periods[self._row] + 0.5) % 1 - 0.5
        weight = np.exp(-0.5 * (around / 0.04) ** 2) + 1e-6
        if period:
            usual = np.exp(-0.5 * (np.log(self.periods / period) / 0.03) ** 2) + 1e-9
            self._p = (usual / self.periods)[self._row].astype(np.float32)
        self._p *= weight.astype(np.float32)
        self._p /= self._p.sum()


class _Pulse:
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
        self._doubled, self._halved = _Opinion(), _Opinion()

    def push(self, onset: float) -> None:
        self.memory[:-1] = self.memory[1:]
        self.memory[-1] = onset
        self._heard += 1

    def evidence(self, periods: np.ndarray) -> np.ndarray:
        """(P,) 0..1 for periods in hops. Outside the common octave, what half or double of it has, and a little less."""
        o, n = self.memory, len(self.memory)
        sharp = np.maximum(o - np.convolve(o, np.ones(17) / 17, "same"), 0)
        own = np.maximum(_autocorrelation(sharp) / (n - np.arange(n)), 0)
        total = np.concatenate([[0], np.cumsum(own)])
        comb, q = np.zeros(160), self._lags[1:]
        for k in range(1, 5):
            low, high = np.minimum(k * q - (k - 1), n - 1), np.minimum(k * q + k, n)
            comb[1:] += (total[high] - total[low]) / (2 * k - 1) * (k * q < n - 10)
        comb *= self._likely
        comb = np.maximum(comb - np.convolve(comb, np.ones(15) / 15, "same"), 0)
        seen = np.interp(self._candidates, self._lags, comb) + np.interp(self._candidates / 2, self._lags, comb)
        seen = np.sqrt(seen / (seen.max() + 1e-12))
        self._belief = (self._keep * self._belief[:, None]).max(0) * (seen + 1e-3)
        self._belief /= self._belief.sum()
        belief = self._belief / self._belief.max()
        best = self._candidates[np.argmax(belief)]
        quarter, half, one, two = (own[round(best * k) - 1 :][:3].max() for k in (0.25, 0.5, 1, 2))
        doubled = self._doubled.say(half > EVEN * one and quarter < BARE * half)
        halved = self._halved.say(one < BARE * two)
        bpm = 60 / self._hop / periods
        far = np.log(bpm / np.clip(bpm, *COMMON))
        weights = np.zeros(len(periods))
        for octave, spread, share in (
            (1.0, 1.0, 0.1 if doubled or halved else 1.0),
            (2.0, 0.4 if doubled else FASTER, 1.0),
            (0.5, 0.5 if halved else SLOWER, 1.0),
        ):
            folded = np.interp(periods * octave, self._candidates[::-1], belief[::-1], left=0, right=0)
            weights = np.maximum(weights, share * folded * np.exp(-0.5 * (far / spread) ** 2))
        centred = o[n - min(n, self._heard) :]
        centred = centred - centred.mean()
        m = len(centred)
        self._alike = _autocorrelation(centred)[:m] / (m - np.arange(m) + 20)
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


class _Bar:
    """Position in the bar: forward over (3 or 4 beats, position), one step a beat."""

    STATES = ((3, 0), (3, 1), (3, 2), (4, 0), (4, 1), (4, 2), (4, 3))
    LOW = np.array([1, -0.5, -0.5, 1, -1, 0.6, -0.6])  # where bass onsets stand in the bar, by state
    SNARE = np.array([-1, 0.5, 0.5, -1, 1, -1, 1])
    CHANGE = np.array([1, -0.5, -0.5, 1, -0.6, 0.2, -0.6])  # where chords change

    def __init__(self) -> None:
        self._usual = np.array([0.2 / 3] * 3 + [0.8 / 4] * 4)
        self._p = self._usual.copy()
        self._next = [3 * (m == 4) + (i + 1) % m for m, i in self.STATES]
        self._low = self._snare = 0.0
        self._colour: np.ndarray | None = None
        self._count = 0
        self._before: np.ndarray | None = None
        self._past: deque[tuple[float, float, float]] = deque(maxlen=16)

    def hear(self, low: float, snare: float, colour: np.ndarray | None) -> None:
        self._low, self._snare = max(self._low, low), max(self._snare, snare)
        if colour is not None:
            self._colour = colour.copy() if self._colour is None else self._colour + colour
            self._count += 1

    def turn(self) -> int:
        """At each beat: -> position 1.. of the beat that comes now, 0 unknown."""
        change = 0.0
        if self._colour is not None and self._count:
            now = self._colour / (np.linalg.norm(self._colour) + 1e-9)
            change = 0.0 if self._before is None else float(1 - now @ self._before)
            self._before = now
        self._past.append((self._low, self._snare, change))
        self._low = self._snare = 0.0
        self._colour, self._count = None, 0
        seen = np.array(self._past)
        z = np.clip((seen[-1] - seen.mean(0)) / (seen.std(0) + 1e-6 + 0.1 * np.abs(seen.mean(0))), -2, 2)
        self._p *= np.exp(0.35 * z[0] * self.LOW + 0.35 * z[1] * self.SNARE + 0.5 * z[2] * self.CHANGE)
        moved = np.zeros(7)
        moved[self._next] = self._p / self._p.sum()
        self._p = 0.985 * moved + 0.015 * self._usual
        best = int(np.argmax(self._p))
        return self.STATES[best][1] + 1 if len(self._past) > 4 else 0


def _autocorrelation(x: np.ndarray) -> np.ndarray:
    """(n,) sums of x[t] x[t + lag] for lags 0..n-1."""
    size = -(-2 * len(x) // 256) * 256  # quick to transform
    return np.fft.irfft(np.abs(np.fft.rfft(x, size)) ** 2)[: len(x)]
