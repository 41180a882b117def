"""How things and land are learnt beside all else, in a show or by `vj learn`: cut out of the footage bit by bit, then in lessons
of their own between the others. They are shown from when they can be known for what they are, and go on; until then the dice
draw what enters, or, in a show that goes over to other footage, things and land are what they were. Footage that has too few
things to cut out gets one land in which all is.

Source: as of vj.train.sprites and vj.train.land.
"""

from collections.abc import Callable, Generator

import torch
from torch import nn

from vj.errors import FootageError
from vj.model.net import Net
from vj.signals import BANDS
from vj.train import lands, slits, things
from vj.train.dataset import Dataset
from vj.train.finer import Lessons as FinerLessons
from vj.train.land import Lessons as LandLessons
from vj.train.roughness import Roughness
from vj.train.sprites import Lessons as SpriteLessons

WHOLE = {"sprites": SpriteLessons, "land": LandLessons}
APART = {**WHOLE, "finer": FinerLessons}  # parts that are learnt by themselves, from the footage alone
EACH = {"sprites": 3, "land": 4}  # lessons after each other step,
HURRIED, ALONE = 2, 3  # and so many times as many until it is shown, and where all that enters is in the land
LOOKS = {"sprites": 180, "land": 220, "all": 500}  # lessons in which it learns what they are,
MAKES = {"sprites": 60, "land": 110, "all": 200}  # and how to make them, until they are shown; blots at first, for the show is
# to go on
BRIEF = 1500  # frames of footage that is cut out first
SELDOM = 6  # turns meanwhile, and where all that enters is in one land, in one of which an ordinary step is taken
AGAIN = 0.6  # of so many, where it knew other footage's
RATE, WARMUP, CLIP, AVERAGE = 2e-3, 50, 1.0, 0.998  # as in TrainConfig
BOLDER = 3.0  # times that rate, where all that enters is in the land: at 8 it is lost
RECENT = 6  # of all lessons, what is shown is the mean of about the last sixth, and of 1 / (1 - AVERAGE) at most
CALMER = 3000  # lessons after which the rate has fallen by the root of 2; after three times as many it is half
MOST = 24_000  # frames that things and land are taken from
BITS = 24  # of the work of cutting, after each other step


def alone(part: str, net: Net, average: Net, data: Dataset, rough: Roughness) -> SpriteLessons | LandLessons | FinerLessons:
    """Lessons in one of APART, of all the footage, for a trainer of nothing else. FootageError if there is too little."""
    lessons = APART[part].of(net, data, rough)
    for each in (net, average):
        lessons.count(getattr(each, part))
    return lessons


class Whole:
    """Lessons in all that enters, for a trainer of everything."""

    def __init__(self, net: Net, average: Net, data: Dataset, rough: Roughness):
        """net learns; average is what is shown. If net knows no things or no land, what average knows of them stays meanwhile."""
        self.net, self.average, self._data, self._rough = net, average, data, rough
        self._parts: dict[str, _Part] = {}
        self._begun, self._turns = False, 0
        self._work: Generator[None, None, None] | None = self._gather()

    def turn(self, quick: Callable[[], torch.autocast], slower: float = 1.0) -> dict[str, float]:
        """Some work, as much as an ordinary step or more; losses. quick: how the networks are to compute; slower: times RATE."""
        self._begun, self._turns = True, self._turns + 1
        if self._work is not None:
            for _ in range(BITS):
                if next(self._work, self) is self:
                    self._work = None
                    break
            return {}
        losses = {}
        for name, part in self._parts.items():
            alone = ALONE if len(self._parts) == 1 else 1
            for _ in range(EACH[name] * alone * (1 if self.shown else HURRIED)):
                losses |= part.lesson(quick, slower)
        if not self.shown and self._parts and all(part.done == 1 for part in self._parts.values()):
            for part in self._parts.values():
                part.show()
            if "sprites" not in self._parts:  # other footage's, till now
                self.average.sprites.forget()
        return losses

    @property
    def hides(self) -> bool:
        """Whether it is on its way to one land with all that enters in it, or a clip is still cut out, of which that may be
        found: what ordinary steps teach meanwhile is hardly asked for then, and what would be shown is neither world."""
        if self._work is not None:
            return len(self._data.scenes) > 1 or sum(stop - start for start, stop in self._data.training) <= BRIEF
        return not self.shown and self._parts.keys() == {"land"}

    def comes_first(self, fledged: bool) -> bool:
        """Whether the next turn is in place of an ordinary step. fledged: the network knew how to move and to light what it sees,
        and so, when all that enters is shown as one land, little else that ordinary steps teach is asked for."""
        suffices = self.shown and self._parts.keys() == {"land"} and self.net.land.holds_all
        return (self.hides or (fledged and suffices)) and self._turns % SELDOM < SELDOM - 1

    @torch.no_grad()
    def keep(self, shown: Net) -> None:
        """Until its own are learnt, this network's things and land are shown, if the footage goes from left to right alone."""
        if not self.net.bank[:, 1].any():
            for name in WHOLE:
                getattr(self.average, name).load_state_dict(getattr(shown, name).state_dict())
            self.average.land.scenes.tell([], [])  # of what is shown but one is left

    @property
    def says(self) -> str:
        """To the operator, while what it is after is not shown yet."""
        if self._begun and self._work is not None:
            return "looks at what passes in the footage"
        if self.shown or not self._parts:
            return ""
        what = "things and land" if "sprites" in self._parts else "all that enters"
        return f"learns {what}, shown from 100 %: {min(part.done for part in self._parts.values()):.0%}"

    @property
    def shown(self) -> bool:
        """Whether what it has learnt is what is shown."""
        return bool(self._parts) and all(part.shown for part in self._parts.values())

    def _gather(self) -> Generator[None, None, None]:
        """Cuts things and land out of the footage, or, where it has not both or is of several scenes, all that enters. Where that
        is too little, there are no lessons, and none are shown but those that are known to be its own."""
        net, data = self.net, self._data
        pieces = self._some(data.training)
        fresh = {name: not (getattr(net, name).known and getattr(self.average, name).known) for name in WHOLE}
        for name in [name for name, is_fresh in fresh.items() if is_fresh]:
            getattr(net, name).forget()  # a run that goes on may have begun to learn it
        holds_all, lessons = net.land.holds_all, {}
        try:
            if len(data.scenes) > 1:
                raise FootageError("The footage is of several scenes.")
            cut = yield from things.cutting(net.sprites, net.bank, data.frames, data.controls, pieces)
            learnt = SpriteLessons(net.sprites, cut, self._rough)
            learnt.count(net.sprites)
            if not all(net.sprites.knows(band) for band in range(len(BANDS))):
                raise FootageError("In some band no things are seen to enter.")
            seen = yield from lands.taking(net, data.frames, data.controls, pieces)
            lessons = {"sprites": learnt, "land": LandLessons(net.land, seen, self._rough)}
        except FootageError:
            if not any(fresh.values()):
                return
            net.sprites.forget()
            try:
                seen = yield from slits.of_scenes(data.frames, data.controls, pieces, data.scenes)
                lessons = {"land": LandLessons(net.land, seen, self._rough)}
            except FootageError:
                for name in [name for name, is_fresh in fresh.items() if is_fresh]:
                    for each in (net, self.average):
                        getattr(each, name).forget()
                return
        lessons["land"].count(net.land)
        fresh["land"] |= net.land.holds_all != holds_all
        for name, each in lessons.items():
            both = getattr(net, name), getattr(self.average, name)
            share = AGAIN if both[0].velocity.head.weight.any() else 1.0  # it begins at 0
            share *= each.scenes**0.5 if name == "land" else 1.0
            what, rate = ("all", BOLDER * RATE) if net.land.holds_all else (name, RATE)
            self._parts[name] = _Part(*both, each, fresh[name], round(share * LOOKS[what]), round(share * MAKES[what]), rate)

    def _some(self, pieces: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of these as many as hold MOST frames."""
        order, found = self._rough.random(len(pieces)).argsort().tolist(), []
        for each in order:
            if sum(stop - start for start, stop in found) < MOST:
                found.append(pieces[each])
        return sorted(found)


class _Part:
    """Lessons in one of the two."""

    def __init__(self, net: nn.Module, average: nn.Module, lessons, fresh: bool, looks: int, makes: int, rate: float = RATE):
        """fresh: it is other footage than the network's, which is not shown until it has had so many lessons of each kind."""
        self.net, self.average, self.lessons, self._rate = net, average, lessons, rate
        self.shown, self._looks, self._makes, self._given = not fresh, looks if fresh else 0, makes, 0
        net.requires_grad_(True)
        self._optimiser = torch.optim.AdamW(net.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-4)

    @property
    def done(self) -> float:
        """How far it is to where it may be shown, 0..1."""
        return 1.0 if self.shown else min(1.0, self._given / (self._looks + self._makes))

    def show(self) -> None:
        """What is shown is from now on what it learns, in the mean."""
        self.average.load_state_dict(self.net.state_dict())
        self.shown = True

    def lesson(self, quick: Callable[[], torch.autocast], slower: float) -> dict[str, float]:
        """One; its losses."""
        with quick():
            graded = self.lessons.grade(float(self._given >= self._looks))
        self._optimiser.zero_grad(set_to_none=True)
        sum(graded.values()).backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        rate = slower * self._rate * min(1, (self._given + 1) / WARMUP)
        self._optimiser.param_groups[0]["lr"] = rate / (1 + self._given / CALMER) ** 0.5
        self._optimiser.step()
        self._given += 1
        if self.shown:
            keep = min(AVERAGE, 1 - RECENT / self._given)
            with torch.no_grad():
                for mine, theirs in zip(self.average.parameters(), self.net.parameters(), strict=True):
                    mine.lerp_(theirs, 1 - keep)
        return {name: float(loss.detach()) for name, loss in graded.items()}
