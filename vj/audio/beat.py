"""Where the beat is: what was heard in a hop goes in; tempo, phase, the next beat and a confidence come out.

A bar pointer (see vj/audio/pointer.py) run forward by two kinds of evidence: a classical onset strength with its
autocorrelation, and, where there is a network, what that takes for likely. Each errs elsewhere, and what both say is
better than either. A hand may tap, halve, double, nudge or set the one. Knows no sound, no spectrum and no clock: time is
counted in hops.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vj.audio.bar import Bar
from vj.audio.pointer import Pointer
from vj.audio.pulse import Pulse

DELAY = 0.02  # s from a beat to the hop in which its onset strength stands
LEAD = 0.03  # s before the beat at which it is said, so that a light can land on it
TRUST = 0.4  # weight of one look at the tempo by rule
FLOOR = 0.4  # a hop without any onset, against a mean one
EVERY = 0.1  # s between looks at the tempo
SOON = (0.5, 1.5)  # s that must be heard before the network is believed, and the rule
SHOWN, HIDDEN = 0.12, 0.09  # confidence at which beats begin and cease to be told
RISE, NET_RISE = 0.7, 0.35  # s, confidence rises this quickly, by rule and where there is a network;
CALM_FALL = 3.0  # and falls this slowly, so that a breakdown is held through
FEWEST, NET_FEWEST = 3, 2  # beats that must have been before the rule is sure of anything, and the network

NET_EARLY = 0.01  # s by which the network says a beat before its onset strength stands
NET_SHARE = 0.5  # power of the network's odds beside the onset strength
NET_USUAL = 0.05  # chance of a beat in a hop of which nothing is known
NET_WEIGHT = (4.0, 5.0)  # by which beats and downbeats were favoured in training, undone here
BOTH_TRUST = 0.2  # weight of one look at the tempo by rule, where there is a network too,
NET_TRUST, NET_FLOOR = 0.1, 0.05  # and of the network's, and what is left of a tempo that it does not see at all
CLEAR = (12.0, 1.0)  # slope and middle of the network's certainty, by how clear its beats are
FAITH = 0.4  # certainty where no beat is clear, but the network is sure of a pulse and onsets are somewhat alike:
PULSE_SURE, SOMEWHAT = (60.0, 0.95), (48.0, 0.16)  # slopes and middles of these two
DENIED = 4.0  # by so much the rule must be surer where the network denies that there is a pulse
PULSE = 0.7  # s over which it is asked that
BY_HAND = 20.0  # s, a tempo tapped or an octave chosen holds against what is heard


@dataclass(frozen=True, slots=True)
class Beat:
    """A beat that is told."""

    time: float  # s, when it sounds (it may lie a little ahead)
    told: float  # s of sound heard when it was said
    position: int  # 1.. in the bar, 0 unknown


class BeatTracker:
    """feed() once a hop; then read tempo, confidence, phase, next_beat.

    hop: s between two calls.
    tempo: beats a minute, 0 unknown; confidence: 0..1; phase: 0..1, 0 on the beat; next_beat: s, 0 unknown.
    """

    def __init__(self, hop: float = 0.01) -> None:
        self.hop = hop
        self.tempo, self.confidence, self.phase, self.next_beat = 0.0, 0.0, 0.0, 0.0
        self.pointer = Pointer(hop)
        self._bar = Bar()
        self._pulse = Pulse(hop, self.pointer.periods)
        self._taps: list[float] = []
        self._by_hand = (0.0, 0.0)  # period in hops, until which time in s
        self._shift = 0.0  # s, beats are told later by this, as a hand wished
        self._hops = 0
        self._mean = 1e-3
        self._last = -(10**6)  # hop of the last beat
        self._recent: deque[int] = deque(maxlen=8)  # hops of the last beats
        self._shown = False
        late = round(NET_EARLY / hop)
        self._kept: deque[tuple[float, float]] = deque([(0.0, 0.0)] * late, maxlen=late + 1)  # beat, downbeat by the network
        self._chances = np.zeros(len(self._pulse.memory))  # of a beat, by the network; the newest is last
        self._sure = 1.0  # how likely there is a pulse, by the network

    @property
    def time(self) -> float:
        """s heard so far."""
        return self._hops * self.hop

    def feed(
        self, onset: float, low: float = 0.0, snare: float = 0.0, colour: np.ndarray | None = None, quiet: bool = False,
        heard: Sequence[float] | None = None, belief: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Beat | None:  # fmt: skip
        """onset: strength of this hop, >= 0, any scale that stays within about 100:1. Returns the beat to be told now.

        low, snare: strengths of bass and snare onsets, colour: (n,) spectrum; they tell where the bar begins.
        quiet: there is no sound at all. heard: the network's chances 0..1, in the order of its OUTPUTS, if there is one;
        belief: (bpm, their chances), at its every look at the tempo.
        """
        hop = self._hops
        self._hops += 1
        self._pulse.push(onset)
        self._mean += (onset - self._mean) * max(0.002, 1 / (hop + 5))
        likelihood = onset / max(self._mean, 1e-6) + FLOOR
        downbeat = None
        if heard is not None:
            self._kept.append((heard[0], heard[1]))
            beat, downbeat = self._kept[0]
            self._chances[:-1] = self._chances[1:]
            self._chances[-1] = beat
            chance = min(max(_fair(beat, NET_WEIGHT[0]), 0.01), 0.98)
            likelihood *= (chance / (1 - chance) * (1 - NET_USUAL) / NET_USUAL) ** NET_SHARE
            downbeat = _fair(downbeat, NET_WEIGHT[1])
            self._sure += (heard[5] - self._sure) * max(self.hop / PULSE, 1 / (hop + 1))
        self._bar.hear(low, snare, colour, downbeat)
        if belief is not None and self.time > SOON[0]:
            tempi, seen = belief
            seen = self._held(np.interp(60 / self.hop / self.pointer.periods, tempi, seen / seen.max()))
            self.pointer.weigh(((seen + NET_FLOOR) / (1 + NET_FLOOR)) ** NET_TRUST)
        if hop and hop % round(EVERY / self.hop) == 0:
            self._look_at_tempo(quiet, heard is not None)
        period, position = self.pointer.step(likelihood)
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
            since = self.time + DELAY - self.next_beat if self.next_beat else 0.0
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
        return (self.time - time - self._shift + DELAY) / self.hop

    def _held(self, evidence: np.ndarray) -> np.ndarray:
        """(P,) evidence, or what a hand has said instead of it."""
        period, until = self._by_hand
        if period and self.time < until:
            return np.exp(-0.5 * (np.log(self.pointer.periods / period) / 0.06) ** 2)
        return evidence

    def _look_at_tempo(self, quiet: bool, by_network: bool) -> None:
        doubt = 1.0
        if self.time > SOON[1]:
            evidence = self._held(self._pulse.evidence())
            self.pointer.weigh(((evidence + 0.1) / 1.1) ** (BOTH_TRUST if by_network else TRUST))
            doubt -= self._certainty()
        if by_network and self.time > SOON[0]:
            doubt *= (1 - self._clarity()) * (1 - self._faith())
        certainty = 0.0 if quiet else 1 - doubt
        rate = EVERY / ((NET_RISE if by_network else RISE) if certainty > self.confidence else 1.0 if quiet else CALM_FALL)
        self.confidence += (certainty - self.confidence) * rate

    def _on_beats(self, memory: np.ndarray, fewest: int) -> tuple[float, float]:
        """The mean peak of the newest values on the last beats, and how high peaks usually are; (0, 1): fewer beats than that."""
        now = self._hops - len(memory)  # hop of memory[0]
        beats = [b - now for b in self._recent if b - now >= 3]
        if len(beats) < fewest:
            return 0.0, 1.0
        past = [max(memory[b - 3 : b + 4].tolist(), default=0.0) for b in beats]
        heard = memory[max(len(memory) - 400, len(memory) - self._hops) :]
        peaks = np.maximum.reduce(heard[: len(heard) // 7 * 7].reshape(-1, 7), 1)
        return sum(past) / len(past), float(np.add.reduce(peaks)) / len(peaks)

    def _certainty(self) -> float:
        """0..1: is there a pulse at all? Logistic in three signs, calibrated on music and on sounds without pulse.

        How alike the onsets are one to four periods later, how they stand out on the beats, how sure the phase is;
        two of them must agree.
        """
        alike = self._pulse.alike(self.pointer.period)
        strength, usual = self._on_beats(self._pulse.memory, FEWEST)
        if not strength:
            return 0.0
        alike, contrast = min(max(alike, -0.1), 0.6), math.log(min(max(strength / (usual + 1e-9), 1.0), 2.5))
        unity = self.pointer.unity()
        z = 12.7 * alike * contrast + 1.2 * contrast * unity + 11.1 * alike * unity - 4.7 - DENIED * (1 - self._sure)
        return 1 / (1 + math.exp(-z))

    def _clarity(self) -> float:
        """0..1: likewise by the network: how likely it takes the beats, and how they stand out from all that it hears."""
        chance, usual = self._on_beats(self._chances, NET_FEWEST)
        return self._sure / (1 + math.exp(-CLEAR[0] * (chance * min(chance / (usual + 0.05), 2.0) - CLEAR[1])))

    def _faith(self) -> float:
        """0..FAITH: music whose beats are unclear is followed all the same where there surely is a pulse."""
        if len(self._recent) < NET_FEWEST:
            return 0.0
        sure = 1 / (1 + math.exp(-PULSE_SURE[0] * (self._sure - PULSE_SURE[1])))
        return FAITH * sure / (1 + math.exp(-SOMEWHAT[0] * (self._pulse.alike(self.pointer.period) - SOMEWHAT[1])))

    def _tell(self, hop: int, period: int, position: int) -> Beat | None:
        ahead = period - position if position > 0 else 0
        self._shown = self.confidence > (SHOWN if not self._shown else HIDDEN)
        exact = self.pointer.exact_period() if self._shown else float(period)
        self.tempo = 60 / (exact * self.hop) if self._shown else 0.0
        sounds = (hop + 1 + ahead) * self.hop - DELAY + self._shift  # s, the beat next to come by the model
        told = (hop + 1) * self.hop
        lead = round((LEAD - self._shift) / self.hop)
        beat = None
        if (ahead <= lead or position <= 1) and hop - self._last > 0.6 * period:
            if position <= 1 and ahead > lead:
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


def _fair(chance: float, weight: float) -> float:
    """A chance of which those who learnt it were shown what is there `weight` times as often as what is not."""
    return chance / (chance + weight * (1 - chance))
