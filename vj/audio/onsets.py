"""Drum-like onsets: kick, snare and hat, from the loudness of nine bands, hop by hop, told within about 15 ms.

Each class is a weighted sum of how fast the bands rise on a whitened log scale (spectral flux; Dixon 2006), against a
threshold that follows the recent peaks of that class. The weights of kick and hat come from a logistic regression on
drum pieces rendered for this purpose, rounded; the snare, whose recordings differ most, is the geometric mean of its
body and its noise. Knows no time in seconds but the hop it is told.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

EDGES = (30, 75, 140, 280, 560, 1200, 2500, 5000, 9000, 15000)
"""Hz, the borders of the nine bands."""

CLASSES = ("KD", "SD", "HH")  # kick, snare, hat
KICK = np.array([2.0, 0.8, 2.2, -0.7, -0.7, 0.5, 0.2, 0.2, -0.2]) / 5
HAT = np.array([0.0, 0.0, 0.0, -0.1, 0.0, 0.65, -1.2, -3.0, 6.5]) / 3.4
SNARE = np.array([-1.0, 0.15, 1.8, -0.3, -1.0, 0.3, 0.25, 3.9, -1.5]) / 10
TILT = (3.0, 3.0, 2.0, 1.2, 0.7, 0.45, 0.3, 0.2, 0.12)  # usual spectrum of music against its mean
SHAPE = tuple(x**0.1 for x in TILT)
LEAST = (0.6, 0.7, 0.6)  # a rise below this is none
SHARE = (0.65, 0.55, 0.45)  # of the recent peaks that an onset must reach
RIVAL = (0.7, 1.0)  # a kick must score this much of a snare at the same moment, and a snare of a kick;
BOTH = 0.33  # but with this share of lows in what came, both were struck
LOWS, BODY = (0.02, 0.08), (0.05, 0.15)  # share of them in what came, from which a kick, a snare is possible .. sure
FORGET = 4.0  # s, peaks are forgotten
REST = 0.07  # s between two onsets of a class
LATE = 0.011  # s from an onset to the end of the hop in which it is told
NET_LEAST, NET_SHARE = (0.10, 0.4), 0.45  # a chance must reach this share of its class's recent peaks, within these bounds
NET_RIVAL, NET_RIVAL_FORGET = 0.8, 6.0  # and a kick, of its peaks of some s, this much of what a snare is of its own at the
# same moment, and the reverse
NET_FORGET, NET_FIRST = 12.0, 0.5  # s, those peaks are forgotten; what they are taken for at first
NET_REST = 0.06  # s between two onsets of a class that the network hears
NET_LATE = 0.013  # s from an onset to the end of the hop in which the network tells it
PRESENCE = (3.0, 6.0)  # s of the running means, and in which peaks are forgotten, by which is told whether there are drums
PRESENCE_MEANS, PRESENCE_PEAKS, PRESENCE_BIAS = (-0.78, -1.03, 0.34, -0.83, 2.05, 0.42), (1.72, 1.39, 0.47), 1.23
FAINT = 0.15  # of its strength, an onset keeps this much where there surely are no drums
LISTENING, DEAF, NO_MUSIC = 4.0, 0.25, 0.2  # s of memory; the network is not believed below this share of what the rule
# tells, where it also is as sure as this that there is no pulse


@dataclass(frozen=True, slots=True)
class Onset:
    """An onset that is told."""

    time: float  # s, when it sounded
    kind: str  # KD, SD or HH
    strength: float  # 0..1: how clear, against the recent strongest of its class, and how likely there are drums at all
    told: float  # s of sound heard when it was said


class OnsetPicker:
    """Picks onsets from the network's chances. feed() once a hop. hop: s between two calls."""

    def __init__(self, hop: float = 0.01) -> None:
        self.hop = hop
        self._before, self._last, self._peaks = [0.0] * 3, [-(10**6)] * 3, [NET_FIRST] * 3
        self._rest, self._forget = round(NET_REST / hop), float(np.exp(-hop / NET_FORGET))
        self._rivals, self._soon = [1.0] * 3, float(np.exp(-hop / NET_RIVAL_FORGET))
        self._hops = 0

    def feed(self, chances: Sequence[float], quiet: bool = False, presence: float = 1.0) -> list[Onset]:
        """chances: of CLASSES in this hop, 0..1. quiet: there is no sound, tell nothing. presence: of drums at all, 0..1.

        What is told where there hardly are drums is told as weak.
        """
        self._hops += 1
        told, found = self._hops * self.hop, []
        share = FAINT + (1 - FAINT) * presence
        peaks = self._peaks = [max(p * self._forget, c) for p, c in zip(self._peaks, chances, strict=True)]
        self._rivals = [max(p * self._soon, c) for p, c in zip(self._rivals, chances, strict=True)]
        kick, snare, _ = (c / p for c, p in zip(chances, self._rivals, strict=True))  # brushes, or drums far off, are less sure
        outdone = (kick < NET_RIVAL * snare, snare < NET_RIVAL * kick, False)
        for k, chance in enumerate(chances):
            clear = chance > min(max(NET_SHARE * peaks[k], NET_LEAST[0]), NET_LEAST[1])
            due = clear and not outdone[k] and chance >= self._before[k] and self._hops - self._last[k] >= self._rest
            if due and not quiet:
                self._last[k] = self._hops
                found.append(Onset(max(0.0, told - NET_LATE), CLASSES[k], share * min(1.0, 0.3 + 0.7 * chance), told))
            self._before[k] = chance
        return found


class DrumPresence:
    """How likely there have been drums in the last seconds: marimbas strike too, but the network is seldom sure of them.

    Logistic regression on logs of the running mean of each of the network's chances and of the recent peaks of its three
    of drums, learnt from the music that the second look learns from. feed() once a hop; hop: s between two calls.
    """

    def __init__(self, hop: float = 0.01) -> None:
        self._rate, self._forget = hop / PRESENCE[0], math.exp(-hop / PRESENCE[1])
        self._means, self._peaks, self._hops = [0.0] * 6, [0.0] * 3, 0

    def feed(self, heard: Sequence[float]) -> float:
        """heard: six chances 0..1 of the network, in the order of its OUTPUTS -> 0..1."""
        self._hops += 1
        rate = max(self._rate, 1 / self._hops)
        self._means = [m + rate * (x - m) for m, x in zip(self._means, heard, strict=True)]
        self._peaks = [max(p * self._forget, x) for p, x in zip(self._peaks, heard[2:5], strict=True)]
        z = PRESENCE_BIAS
        for weight, x in zip(PRESENCE_MEANS, self._means, strict=True):
            z += weight * math.log(x + 0.003)
        for weight, x in zip(PRESENCE_PEAKS, self._peaks, strict=True):
            z += weight * math.log(x + 0.01)
        likely = 1 / (1 + math.exp(-min(max(z, -30.0), 30.0)))
        return max(likely, 1 - self._hops * self._rate)  # a piece may begin with a drum: at first it has the benefit of the doubt


class OnsetChooser:
    """Whom to believe: the network, or the rule where the network takes what strikes for no music at all.

    The network knows music, not every sound that anybody may play (bare clicks, say); in music without drums its silence
    is right. feed() once a hop; hop: s between two calls.
    """

    def __init__(self, hop: float = 0.01) -> None:
        self._forget = float(np.exp(-hop / LISTENING))
        self._network, self._rule, self._pulse = 0.0, 0.0, 0.5  # onsets lately told by each; how likely there is a pulse
        self._last = {kind: -1.0 for kind in CLASSES}  # s, when each class was last told
        self.deaf = False  # whether the rule is believed now

    def feed(self, network: list[Onset], rule: list[Onset], pulse: float) -> list[Onset]:
        """What each tells in this hop, and the network's chance of a pulse -> what is told."""
        self._network = self._network * self._forget + len(network)
        self._rule = self._rule * self._forget + len(rule)
        self._pulse += (pulse - self._pulse) * (1 - self._forget)
        self.deaf = self._network < DEAF * self._rule and self._pulse < NO_MUSIC
        told = [o for o in (rule if self.deaf else network) if o.time - self._last[o.kind] > NET_REST / 2]
        self._last |= {onset.kind: onset.time for onset in told}
        return told


class OnsetDetector:
    """By rule. feed() once a hop. hop: s between two calls."""

    def __init__(self, hop: float = 0.01) -> None:
        self.hop = hop
        self.scores = (0.0, 0.0, 0.0)  # how strongly each class rises in this hop, >= 0
        self._up, self._down = 1 - math.exp(-hop / 0.3), 1 - math.exp(-hop / 6.0)
        self._own, self._all = [0.0] * 9, 0.0  # running level of each band, and of all
        self._logs, self._powers = [[0.0] * 9] * 2, [[0.0] * 9] * 2  # of the last two hops
        body, noise = np.eye(9)[3:6].mean(0), np.eye(9)[6:8].mean(0)
        self._sums = np.stack([KICK, SNARE, HAT, body, noise])
        self._peaks, self._before, self._last = [0.0] * 3, [0.0] * 3, [-(10**6)] * 3
        self._forget = math.exp(-hop / FORGET)
        self._rest = round(REST / hop)
        self._hops = 0

    def feed(self, bands: Sequence[float], quiet: bool = False) -> list[Onset]:
        """bands: nine, RMS amplitude between EDGES, any scale. quiet: tell nothing, learn no peaks."""
        self._hops += 1
        power = [x * x for x in bands]
        level = (sum(power) / 9) ** 0.5
        self._all += (self._up if level > self._all else self._down) * (level - self._all)
        share, least, own, logs = self._all**0.1, 0.03 * self._all, [], []
        for band, mean, tilt, shape in zip(bands, self._own, TILT, SHAPE, strict=True):  # nine: quicker so than as arrays
            mean += (self._up if band > mean else self._down) * (band - mean)
            own.append(mean)
            logs.append(math.log1p(4 * band / (mean**0.9 * shape * share + least * tilt + 1e-12)))
        rise = [a - b if a > b else 0.0 for a, b in zip(logs, self._logs[0], strict=True)]
        # what came in two hops, as if music were white
        new = [math.sqrt(a - b) / t if a > b else 0.0 for a, b, t in zip(power, self._powers[0], TILT, strict=True)]
        self._own, self._logs, self._powers = own, [self._logs[1], logs], [self._powers[1], power]
        if quiet:
            self._before, self.scores = [0.0] * 3, (0.0, 0.0, 0.0)
            return []
        return self._decide(rise, new)

    def _decide(self, rise: list[float], came: list[float]) -> list[Onset]:
        """rise, came: nine, how much louder each band is than two hops ago, on a log and on a linear scale."""
        kick, snare, hat, body, noise = self._sums.dot(rise).tolist()
        snare = 1.5 * (snare + (body * noise) ** 0.5 - 0.1 * max(rise[:2]))
        most = max(came) + 1e-12
        lows = max(came[:2]) / most
        kick *= _between(lows, LOWS)
        snare *= _between(max(came[2:5]) / most, BODY)
        scores = (max(kick, 0.0), max(snare, 0.0), max(hat, 0.0))
        due = [
            scores[k] > max(LEAST[k], SHARE[k] * self._peaks[k], self._before[k]) and self._hops - self._last[k] >= self._rest
            for k in range(3)
        ]
        due[0] = due[0] and (lows > BOTH or scores[0] > RIVAL[0] * scores[1])
        due[1] = due[1] and scores[1] > RIVAL[1] * scores[0]
        told, found = self._hops * self.hop, []
        for k, score in enumerate(scores):
            peak = self._peaks[k]
            if due[k]:
                self._last[k] = self._hops
                clear = min(1.0, max(0.3, 0.3 + 1.2 * (score / LEAST[k] - 1)))
                strength = clear * min(1.0, score / max(peak, LEAST[k]))
                found.append(Onset(max(0.0, told - LATE), CLASSES[k], strength, told))
            self._peaks[k] = peak + 0.5 * (score - peak) if score > peak else peak * self._forget
            self._before[k] = score
        self.scores = scores
        return found


def _between(x: float, span: tuple[float, float]) -> float:
    """0 below the span, 1 above, straight within."""
    return min(1.0, max(0.0, (x - span[0]) / (span[1] - span[0])))
