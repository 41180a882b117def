"""Where the beat is: what was heard in a hop goes in; tempo, phase, the next beat and a confidence come out.

A bar pointer (see vj/audio/pointer.py) run forward, by one of two kinds of evidence: the network's activations (hear), or,
where there is no network, a classical onset strength and its autocorrelation (feed). A hand may tap, halve, double, nudge
or set the one. Knows no sound, no spectrum and no clock: time is counted in hops.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from vj.audio.bar import BarByNetwork, BarBySigns
from vj.audio.pointer import Pointer
from vj.audio.pulse import Pulse

DELAY = 0.02  # s from a beat to the hop in which its onset strength stands
LEAD = 0.03  # s before the beat at which it is said, so that a light can land on it
TRUST = 0.4  # weight of one look at the tempo
FLOOR = 0.4  # a hop without any onset, against a mean one
EVERY = 0.1  # s between looks at the tempo
SHOWN, HIDDEN = 0.12, 0.09  # confidence at which beats begin and cease to be told, without a network
CALM_FALL = 3.0  # s, confidence falls this slowly, so that a breakdown is held through

NET_DELAY = 0.011  # s from a beat to the hop in which the network says it most clearly
NET_ZONE = 20  # the beat takes 1/20 of a period
NET_TRUST, NET_FLOOR = 0.3, 0.05  # weight of one look at the tempo, and what is left of a tempo that is not seen at all
NET_WEIGHT = (4.0, 5.0)  # by which beats and downbeats were favoured in training, undone here
NET_SHOWN, NET_HIDDEN = 0.5, 0.4
BY_HAND = 20.0  # s, a tempo tapped or an octave chosen holds against what is heard


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that is told."""

    time: float  # s, when it sounds (it may lie a little ahead)
    told: float  # s of sound heard when it was said
    position: int  # 1.. in the bar, 0 unknown


class BeatTracker:
    """feed() or hear() once a hop; then read tempo, confidence, phase, next_beat.

    hop: s between two calls; by_network: whether hear() will be called, or feed().
    tempo: beats a minute, 0 unknown; confidence: 0..1; phase: 0..1, 0 on the beat; next_beat: s, 0 unknown.
    """

    def __init__(self, hop: float = 0.01, by_network: bool = False) -> None:
        self.hop = hop
        self.tempo, self.confidence, self.phase, self.next_beat = 0.0, 0.0, 0.0, 0.0
        self._pointer = Pointer(hop, NET_ZONE) if by_network else Pointer(hop)
        self._delay = NET_DELAY if by_network else DELAY
        self._thresholds = (NET_HIDDEN, NET_SHOWN) if by_network else (HIDDEN, SHOWN)
        self._signs, self._downbeats = BarBySigns(), BarByNetwork()
        self._bar = self._downbeats if by_network else self._signs
        self._pulse = Pulse(hop)
        self._taps: list[float] = []
        self._by_hand = (0.0, 0.0)  # period in hops, until which time in s
        self._shift = 0.0  # s, beats are told later by this, as a hand wished
        self._hops = 0
        self._mean = 1e-3
        self._last = -(10**6)  # hop of the last beat
        self._recent: deque[int] = deque(maxlen=8)  # hops of the last beats
        self._shown = False
        self._sure = 0.0  # 0..1, that there is a pulse, of the last seconds
        self._unity = 0.0

    @property
    def time(self) -> float:
        """s heard so far."""
        return self._hops * self.hop

    def hear(
        self, beat: float, downbeat: float, pulse: float, belief: tuple[np.ndarray, np.ndarray] | None, quiet: bool = False
    ) -> Beat | None:
        """What the network says of this hop: chances 0..1 of a beat, of a downbeat, of there being any pulse.

        belief: (bpm, their chances), at every look at the tempo, else None. Returns the beat to be told now.
        """
        hop = self._hops
        self._hops += 1
        self._downbeats.hear(downbeat / (downbeat + NET_WEIGHT[1] * (1 - downbeat)))
        if belief is not None and hop * self.hop >= 0.5:
            self._look_at_belief(*belief, 0.0 if quiet else pulse)
        chance = min(max(beat / (beat + NET_WEIGHT[0] * (1 - beat)), 0.01), 0.98)
        period, position = self._pointer.step(chance * (NET_ZONE - 1) / (1 - chance))
        return self._tell(hop, period, position)

    def feed(
        self, onset: float, low: float = 0.0, snare: float = 0.0, colour: np.ndarray | None = None, quiet: bool = False
    ) -> Beat | None:
        """onset: strength of this hop, >= 0, any scale that stays within about 100:1. Returns the beat to be told now.

        low, snare: strengths of bass and snare onsets, colour: (n,) spectrum; they tell where the bar begins.
        quiet: there is no sound at all.
        """
        hop = self._hops
        self._hops += 1
        self._pulse.push(onset)
        self._mean += (onset - self._mean) * max(0.002, 1 / (hop + 5))
        self._signs.hear(low, snare, colour)
        if hop * self.hop >= 1.5 and hop % round(EVERY / self.hop) == 0:
            self._look_at_tempo(quiet)
        period, position = self._pointer.step(onset / max(self._mean, 1e-6) + FLOOR)
        return self._tell(hop, period, position)

    def tap(self, time: float) -> None:
        """A hand says: here is a beat (s on the clock of `time`). Two taps or more set the tempo too."""
        if self._taps and not 0.25 < time - self._taps[-1] < 2.0:
            self._taps.clear()
        self._taps = [*self._taps[-7:], time]
        period = 0.0
        if len(self._taps) > 1:
            period = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1) / self.hop
            period = self._pointer.within(period)
            self._by_hand = (period, self.time + BY_HAND)
            self.confidence = max(self.confidence, 0.8)
        self._pointer.place(self._since(time), period)

    def scale(self, factor: float) -> None:
        """A hand says: the tempo is `factor` (2 or 0.5) times this. Nothing happens beyond 55..215 beats a minute."""
        period = self._pointer.exact_period() / factor
        if self._pointer.within(period) == period:
            self._by_hand = (period, self.time + BY_HAND)
            since = self.time + self._delay - self.next_beat if self.next_beat else 0.0
            self._pointer.place(since / self.hop if self.next_beat else 0.0, period)

    def nudge(self, seconds: float) -> None:
        """A hand says: beats are told too early (seconds > 0) or too late (< 0) by this; it adds up, to a fifth of a second."""
        self._shift = min(0.2, max(-0.2, self._shift + seconds))

    def one(self, time: float) -> None:
        """A hand says: the first beat of a bar is at `time`, s."""
        self._pointer.place(self._since(time), 0.0)
        self._last = self._hops - 1 - round(self._since(time))
        self._bar.one()

    def _since(self, time: float) -> float:
        """Hops since a beat at `time`, by the pointer's count."""
        return (self.time - time - self._shift + self._delay) / self.hop

    def _held(self, evidence: np.ndarray) -> np.ndarray:
        """(P,) evidence, or what a hand has said instead of it."""
        period, until = self._by_hand
        if period and self.time < until:
            return np.exp(-0.5 * (np.log(self._pointer.periods / period) / 0.06) ** 2)
        return evidence

    def _look_at_belief(self, tempi: np.ndarray, belief: np.ndarray, pulse: float) -> None:
        evidence = np.interp(60 / self.hop / self._pointer.periods, tempi, belief / belief.max())
        self._pointer.weigh(((self._held(evidence) + NET_FLOOR) / (1 + NET_FLOOR)) ** NET_TRUST)
        self._unity += (self._pointer.unity() - self._unity) * 0.1
        self._sure += (pulse - self._sure) * EVERY / (1.0 if pulse < self._sure else 0.7)
        certainty = min(1.0, self._sure * self._unity * 1.2)
        rate = EVERY / (0.4 if certainty > self.confidence else CALM_FALL)
        self.confidence += (certainty - self.confidence) * rate

    def _look_at_tempo(self, quiet: bool) -> None:
        evidence = self._held(self._pulse.evidence(self._pointer.periods))
        self._pointer.weigh(((evidence + 0.1) / 1.1) ** TRUST)
        certainty = 0.0 if quiet else self._certainty()
        rate = EVERY / (0.7 if certainty > self.confidence else 1.0 if quiet else CALM_FALL)
        self.confidence += (certainty - self.confidence) * rate

    def _certainty(self) -> float:
        """0..1: is there a pulse at all? Logistic in three signs, calibrated on music and on sounds without pulse.

        How alike the onsets are one to four periods later, how they stand out on the beats, how sure the phase is;
        two of them must agree.
        """
        alike = self._pulse.alike(self._pointer.period)
        strength = self._pulse.memory
        now = self._hops - len(strength)  # hop of strength[0]
        past = [strength[max(0, b - now - 3) : b - now + 4].max(initial=0.0) for b in self._recent if b - now >= 3]
        if len(past) < 3:
            return 0.0
        heard = strength[max(len(strength) - 400, len(strength) - self._hops) :]
        usual = heard[: len(heard) // 7 * 7].reshape(-1, 7).max(1).mean()
        contrast = np.mean(past) / (usual + 1e-9)
        alike, contrast = np.clip(alike, -0.1, 0.6), np.log(np.clip(contrast, 1, 2.5))
        unity = self._pointer.unity()
        z = 12.7 * alike * contrast + 1.2 * contrast * unity + 11.1 * alike * unity - 4.7
        return float(1 / (1 + np.exp(-z)))

    def _tell(self, hop: int, period: int, position: int) -> Beat | None:
        ahead = period - position if position > 0 else 0
        self._shown = self.confidence > self._thresholds[not self._shown]
        exact = self._pointer.exact_period() if self._shown else float(period)
        self.tempo = 60 / (exact * self.hop) if self._shown else 0.0
        sounds = (hop + 1 + ahead) * self.hop - self._delay + self._shift  # s, the beat next to come by the model
        told = (hop + 1) * self.hop
        lead = round((LEAD - self._shift) / self.hop)
        beat = None
        if (ahead <= lead or position <= 1) and hop - self._last > 0.6 * period:
            if position <= 1 and ahead > lead:
                sounds -= period * self.hop
            self._last = hop
            self._recent.append(round((sounds + self._delay) / self.hop) - 1)
            place = self._bar.turn()
            if self._shown:
                beat = Beat(max(sounds, 0.0), told, place)
        while sounds - told < self.hop / 2:
            sounds += exact * self.hop
        self.next_beat = sounds if self._shown else 0.0
        self.phase = float(1 - (sounds - told) / (exact * self.hop)) % 1.0 if self._shown else 0.0
        return beat
