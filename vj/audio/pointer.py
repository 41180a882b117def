"""The bar pointer: how likely the best course to each period and each place within it is, moved on hop by hop, forward only.

The model of Whiteley, Cemgil and Godsill (2006) in the state space of Krebs, Boeck and Widmer (2015). Time is counted in
hops; what makes a hop a likely beat is none of its business. Of the courses that meet in a state the likeliest alone
goes on (Viterbi, read at its newest end): many vague ones do not outweigh one that fits all the way.
"""

import math

import numpy as np

FASTEST, SLOWEST = 215.0, 55.0  # beats a minute
ZONE = 30  # the beat takes 1/30 of a period
RESTART = 1e-5  # chance per hop that everything starts anew
SPARE = 1000  # hops between two times that all probabilities are moved in memory
CHANGE = 60.0  # how unlikely a change of period is, exp(-CHANGE * relative change)


class Pointer:
    """The bar pointer: probabilities over (period, hops since the beat), all periods laid end to end in one array."""

    def __init__(self, hop: float) -> None:
        self.periods = np.arange(int(np.ceil(60 / FASTEST / hop)), int(60 / SLOWEST / hop) + 1)  # (P,) hops
        self._lengths: list[int] = self.periods.tolist()
        self._first = np.concatenate([[0], np.cumsum(self.periods)[:-1]])
        self._final = self._first + self.periods - 1
        self._row = np.repeat(np.arange(len(self.periods)), self.periods)  # (S,) which period a state belongs to
        self._since = np.arange(len(self._row)) - self._first[self._row]  # (S,) hops since the beat
        inside = np.clip(self.periods[self._row] / ZONE + 0.5 - self._since, 0, 1)  # (S,) how much of a state is on the beat
        self._zone = np.flatnonzero(inside)
        self._inside = inside[self._zone].astype(np.float32)
        self._chances = np.empty(len(self._zone), np.float32)
        change = np.exp(-CHANGE * np.abs(self.periods[None] / self.periods[:, None] - 1))
        change[change < 1e-8] = 0
        self._change = (change / change.sum(1, keepdims=True)).astype(np.float32)
        self._ways = np.empty_like(self._change)
        usual = np.exp(-0.5 * (np.log(60 / self.periods / hop / 118) / 0.45) ** 2) / self.periods
        start = usual[self._row] / usual[self._row].sum()
        self._restart = (RESTART * start).astype(np.float32)
        self._start = start.astype(np.float32)
        self._memory = np.empty(len(start) + SPARE, np.float32)
        self._at = SPARE
        self._p = self._memory[SPARE:]  # (S,), sums to 1
        self._p[:] = self._start
        turn = 2 * np.pi * self._since / self.periods[self._row]
        self._turn = np.stack([np.cos(turn), np.sin(turn)]).astype(np.float32)
        self._ones = np.ones(len(start), np.float32)
        self._new = np.empty(len(self.periods), np.float32)
        self.period = int(self.periods[np.argmax(np.add.reduceat(self._p, self._first))])

    def step(self, likelihood: float) -> tuple[int, int]:
        """One hop on. likelihood: of this onset strength on a beat, against off it. -> likeliest (period, since)."""
        ends = self._p.take(self._final)
        p = self._p = self._shifted()
        np.multiply(self._change, ends[:, None], out=self._ways)
        p[self._first] = np.maximum.reduce(self._ways, 0, out=self._new)
        np.maximum(p, self._restart, out=p)
        chances = np.multiply(self._inside, np.float32(math.log(likelihood)), out=self._chances)
        chances = np.exp(chances, out=chances)
        chances *= p.take(self._zone)
        p[self._zone] = chances
        p *= 1 / self._ones.dot(p)
        best = int(p.argmax())
        self.period = int(self.periods[self._row[best]])
        return self.period, int(self._since[best])

    def _shifted(self) -> np.ndarray:
        """(S,) as they are, each where the one before it was: by looking one place further down, not by moving anything."""
        if self._at == 0:
            self._memory[SPARE:] = self._p
            self._at = SPARE
        self._at -= 1
        return self._memory[self._at : self._at + len(self._row)]

    def exact_period(self) -> float:
        """Hops, between the whole ones: the mean of the likeliest period and its neighbours."""
        row = self.period - self._lengths[0]
        near = slice(max(0, row - 2), row + 3)
        first = self._first[near]
        mass = np.add.reduceat(self._p[first[0] : self._final[near][-1] + 1], first - first[0]).tolist()
        total = moment = 0.0
        for period, share in zip(self._lengths[near], mass, strict=True):
            total += share
            moment += share * period
        return moment / max(total, 1e-30)

    def weigh(self, weights: np.ndarray) -> None:
        """weights: (P,), evidence for each period."""
        self._p *= weights.astype(np.float32).take(self._row)
        self._p *= 1 / max(self._ones.dot(self._p), 1e-30)

    def unity(self) -> float:
        """0..1: how far all states agree on the phase."""
        return math.hypot(*self._turn.dot(self._p).tolist())

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
            self._p[:] = (usual / self.periods)[self._row]
        self._p *= weight.astype(np.float32)
        self._p /= self._p.sum()
