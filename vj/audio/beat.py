"""Where the beat is: what was heard in a hop goes in; tempo, phase, the next beat and a confidence come out.

A bar pointer (see vj/audio/pointer.py) run forward, by one of two kinds of evidence: the network's activations (hear), or,
where there is no network, a classical onset strength and its autocorrelation (feed). A hand may tap, halve, double, nudge
or set the one. Knows no sound, no spectrum and no clock: time is counted in hops.
"""

import math
from collections import deque
from collections.abc import Sequence
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

NET_LEAD = 0.02  # s before the beat at which it is said, with a network
NET_DELAY = 0.011  # s from a beat to the hop in which the network says it most clearly
NET_ZONE = 20  # the beat takes 1/20 of a period
NET_RESTART = 1e-5  # chance per hop that everything starts anew
NET_TRUST, NET_FLOOR = 0.15, 0.05  # weight of one look at the tempo, and what is left of a tempo that is not seen at all
NET_WEIGHT = (4.0, 5.0)  # by which beats and downbeats were favoured in training, undone here
NET_SHOWN, NET_HIDDEN = 0.45, 0.3
CLEAR, AGREED = (16.0, 0.23), (20.0, 0.88)  # slope and middle: chance of a beat where one was told; unity of the pointer
HOLD = (1.5, 10.0)  # s, confidence falls this slowly while there is sound: the longer it was held, the slower, for breakdowns
COMB_TRUST, COMB_FLOOR = 0.4, 0.05  # likewise of the comb over what the network said, at every other look
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
        self.pointer = Pointer(hop, NET_ZONE, NET_RESTART) if by_network else Pointer(hop)
        self.delay = NET_DELAY if by_network else DELAY
        self._lead = NET_LEAD if by_network else LEAD
        self._thresholds = (NET_HIDDEN, NET_SHOWN) if by_network else (HIDDEN, SHOWN)
        self._signs, self._downbeats = BarBySigns(), BarByNetwork()
        self._bar = self._downbeats if by_network else self._signs
        self._pulse = Pulse(hop, votes=not by_network)
        self._taps: list[float] = []
        self._by_hand = (0.0, 0.0)  # period in hops, until which time in s
        self._shift = 0.0  # s, beats are told later by this, as a hand wished
        self._hops = 0
        self._mean = 1e-3
        self._last = -(10**6)  # hop of the last beat
        self._recent: deque[int] = deque(maxlen=8)  # hops of the last beats
        self._shown = False
        self._sure, self._unity = 0.0, 0.0  # the network's pulse and the pointer's unity, of the last second
        self._looks = 0
        self._held_for = 0.0  # s, for which there has been a pulse, HOLD[1] at most
        self._best = 0.0  # chance of the beat told last
        self._chances: deque[float] = deque(maxlen=8)  # of the beats before

    @property
    def time(self) -> float:
        """s heard so far."""
        return self._hops * self.hop

    def hear(
        self, heard: Sequence[float], colour: np.ndarray, belief: tuple[np.ndarray, np.ndarray] | None, quiet: bool
    ) -> Beat | None:
        """What the network says of this hop. heard: chances 0..1 in the order of its OUTPUTS; colour: (n,) of the sound.

        belief: (bpm, their chances), at every look at the tempo, else None; quiet: there is no sound at all.
        Returns the beat to be told now.
        """
        hop = self._hops
        self._hops += 1
        beat, downbeat, kick, snare, _, pulse = heard
        self._downbeats.hear(downbeat / (downbeat + NET_WEIGHT[1] * (1 - downbeat)), kick, snare, colour)
        chance = min(max(beat / (beat + NET_WEIGHT[0] * (1 - beat)), 0.01), 0.98)
        self._pulse.push(beat)
        if hop - self._last <= round(0.08 / self.hop):
            self._best = max(self._best, chance)
        if belief is not None and hop * self.hop >= 0.5:
            self._look_at_belief(*belief, pulse, quiet)
        period, position = self.pointer.step(chance * (NET_ZONE - 1) / (1 - chance))
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
        period, position = self.pointer.step(onset / max(self._mean, 1e-6) + FLOOR)
        return self._tell(hop, period, position)

    def tap(self, time: float) -> None:
        """A hand says: here is a beat (s on the clock of `time`). Two taps or more set the tempo too."""
        if self._taps and not 0.25 < time - self._taps[-1] < 2.0:
            self._taps.clear()
        self._taps = [*self._taps[-7:], time]
        period = 0.0
        if len(self._taps) > 1:
            period = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1) / self.hop
            period = self.pointer.within(period)
            self._by_hand = (period, self.time + BY_HAND)
            self.confidence = max(self.confidence, 0.8)
        self.pointer.place(self._since(time), period)

    def scale(self, factor: float) -> None:
        """A hand says: the tempo is `factor` (2 or 0.5) times this. Nothing happens beyond 55..215 beats a minute."""
        period = self.pointer.exact_period() / factor
        if self.pointer.within(period) == period:
            self._by_hand = (period, self.time + BY_HAND)
            since = self.time + self.delay - self.next_beat if self.next_beat else 0.0
            self.pointer.place(since / self.hop if self.next_beat else 0.0, period)

    def nudge(self, seconds: float) -> None:
        """A hand says: beats are told too early (seconds > 0) or too late (< 0) by this; it adds up, to a fifth of a second."""
        self._shift = min(0.2, max(-0.2, self._shift + seconds))

    def one(self, time: float) -> None:
        """A hand says: the first beat of a bar is at `time`, s."""
        self.pointer.place(self._since(time), 0.0)
        self._last = self._hops - 1 - round(self._since(time))
        self._bar.one()

    def _since(self, time: float) -> float:
        """Hops since a beat at `time`, by the pointer's count."""
        return (self.time - time - self._shift + self.delay) / self.hop

    def _held(self, evidence: np.ndarray) -> np.ndarray:
        """(P,) evidence, or what a hand has said instead of it."""
        period, until = self._by_hand
        if period and self.time < until:
            return np.exp(-0.5 * (np.log(self.pointer.periods / period) / 0.06) ** 2)
        return evidence

    def _look_at_belief(self, tempi: np.ndarray, belief: np.ndarray, pulse: float, quiet: bool) -> None:
        seen = np.interp(60 / self.hop / self.pointer.periods, tempi, belief / belief.max())
        evidence = self._held(seen)
        self.pointer.weigh(((evidence + NET_FLOOR) / (1 + NET_FLOOR)) ** NET_TRUST)
        self._looks += 1
        if self._hops * self.hop >= 1.5 and self._looks % 2 == 0:
            evidence = self._held(self._pulse.evidence(self.pointer.periods))
            self.pointer.weigh(((evidence + COMB_FLOOR) / (1 + COMB_FLOOR)) ** COMB_TRUST)
        self._unity += (self.pointer.unity() - self._unity) * 0.2
        self._sure += (pulse - self._sure) * EVERY / 0.7
        certainty = 0.0
        if len(self._chances) >= 3 and not quiet:
            clear = sum(self._chances) / len(self._chances)
            z = CLEAR[0] * (clear - CLEAR[1]) + AGREED[0] * (self._unity - AGREED[1])
            certainty = self._sure / (1 + math.exp(-z))
        self._held_for = max(0.0, min(HOLD[1], self._held_for + (EVERY if certainty > 0.5 else -0.2 * EVERY)))
        rate = EVERY / (0.4 if certainty > self.confidence else 1.0 if quiet else max(HOLD[0], self._held_for))
        self.confidence += (certainty - self.confidence) * rate

    def _look_at_tempo(self, quiet: bool) -> None:
        evidence = self._held(self._pulse.evidence(self.pointer.periods))
        self.pointer.weigh(((evidence + 0.1) / 1.1) ** TRUST)
        certainty = 0.0 if quiet else self._certainty()
        rate = EVERY / (0.7 if certainty > self.confidence else 1.0 if quiet else CALM_FALL)
        self.confidence += (certainty - self.confidence) * rate

    def _certainty(self) -> float:
        """0..1: is there a pulse at all? Logistic in three signs, calibrated on music and on sounds without pulse.

        How alike the onsets are one to four periods later, how they stand out on the beats, how sure the phase is;
        two of them must agree.
        """
        alike = self._pulse.alike(self.pointer.period)
        strength = self._pulse.memory
        now = self._hops - len(strength)  # hop of strength[0]
        past = [strength[max(0, b - now - 3) : b - now + 4].max(initial=0.0) for b in self._recent if b - now >= 3]
        if len(past) < 3:
            return 0.0
        heard = strength[max(len(strength) - 400, len(strength) - self._hops) :]
        usual = heard[: len(heard) // 7 * 7].reshape(-1, 7).max(1).mean()
        contrast = np.mean(past) / (usual + 1e-9)
        alike, contrast = np.clip(alike, -0.1, 0.6), np.log(np.clip(contrast, 1, 2.5))
        unity = self.pointer.unity()
        z = 12.7 * alike * contrast + 1.2 * contrast * unity + 11.1 * alike * unity - 4.7
        return float(1 / (1 + np.exp(-z)))

    def _tell(self, hop: int, period: int, position: int) -> Beat | None:
        ahead = period - position if position > 0 else 0
        self._shown = self.confidence > self._thresholds[not self._shown]
        exact = self.pointer.exact_period() if self._shown else float(period)
        self.tempo = 60 / (exact * self.hop) if self._shown else 0.0
        sounds = (hop + 1 + ahead) * self.hop - self.delay + self._shift  # s, the beat next to come by the model
        told = (hop + 1) * self.hop
        lead = round((self._lead - self._shift) / self.hop)
        beat = None
        if (ahead <= lead or position <= 1) and hop - self._last > 0.6 * period:
            if position <= 1 and ahead > lead:
                sounds -= period * self.hop
            self._last = hop
            self._chances.append(self._best)
            self._best = 0.0
            self._recent.append(round((sounds + self.delay) / self.hop) - 1)
            place = self._bar.turn()
            if self._shown:
                beat = Beat(max(sounds, 0.0), told, place)
        while sounds - told < self.hop / 2:
            sounds += exact * self.hop
        self.next_beat = sounds if self._shown else 0.0
        self.phase = float(1 - (sounds - told) / (exact * self.hop)) % 1.0 if self._shown else 0.0
        return beat
