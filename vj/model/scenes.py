"""Footage of several scenes, each seen its own way: what of the land hangs on which of them is shown.

One network makes them all; how a scene is laid out, how fast its rows go and how light it is stand in a table. Knows no files.
"""

import torch
from torch import nn

from vj.signals import BANDS
from vj.view import KINDS, View

OF_LAND = ("paces", "slow", "bank", "unit", "lasts")  # buffers of Land that hang on the scene


class Scenes(nn.Module):
    """The table, a row for each scene; empty where the footage is of one scene alone."""

    def __init__(self, height: int, classes: int, most: int):
        """height of the picture, px; motions that land can have; scenes that there can be."""
        super().__init__()
        self.register_buffer("count", torch.zeros(1))  # of scenes; 0, 1: one alone
        self.register_buffer("view", torch.zeros(most, 3))  # number in KINDS, x, y of vj.view.View
        self.register_buffer("usual", torch.zeros(most, 4))  # mean and spread of brightness and of warmth, as Net.usual
        self.register_buffer("paces", torch.zeros(most, height))  # the rest as of vj.model.land.Land
        self.register_buffer("slow", torch.zeros(most, height))
        self.register_buffer("bank", torch.zeros(most, classes, 2))
        self.register_buffer("unit", torch.ones(most, 1))
        self.register_buffer("lasts", torch.zeros(most, len(BANDS)))
        self.here = 0  # which scene is shown

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return bool(self.count > 1.5)

    @torch.no_grad()
    def tell(self, views: list[View], usual: list[tuple[float, ...]]) -> None:
        """From now on there are these scenes: how each is laid out, and its light (4,). One alone needs no table."""
        self.count.fill_(len(views))
        for number, (view, light) in enumerate(zip(views, usual, strict=True) if self.several else ()):
            self.view[number] = torch.tensor([float(KINDS.index(view.kind)), view.x, view.y])
            self.usual[number] = torch.tensor(light)

    @torch.no_grad()
    def forget(self) -> None:
        """Of no scene any land is known."""
        self.paces.zero_()

    def known(self, number: int) -> bool:
        """Whether the land of this scene is known."""
        return bool(self.paces[number].any())

    def seen(self, number: int) -> View:
        """How this scene is laid out."""
        return _view(self.view[number])

    @torch.no_grad()
    def keep(self, land: nn.Module, number: int) -> None:
        """What this land says is that scene's."""
        for name in OF_LAND:
            getattr(self, name)[number] = getattr(land, name)

    @torch.no_grad()
    def go(self, land: nn.Module, number: int) -> None:
        """From now on this land is that scene's, if it is known."""
        self.here = number
        if self.known(number):
            for name in OF_LAND:
                getattr(land, name).copy_(getattr(self, name)[number])


def views(tensors: dict[str, torch.Tensor], start: str = "land.scenes.") -> list[View]:
    """Of each scene in these tensors of a network, of whose table the names begin so; none where there is one alone. ValueError
    where one is none, there are more than rows, or a first picture is of none of them."""
    count, table, first = int(tensors[start + "count"].round()), tensors[start + "view"], tensors["first_scenes"]
    if count > len(table) or (count > 1 and not ((first >= 0) & (first < count)).all()):
        raise ValueError(f"{count} scenes in a table of {len(table)}, first pictures of {first.tolist()}")
    return [_view(row) for row in table[: count if count > 1 else 0]]


def _view(row: torch.Tensor) -> View:
    """ValueError where it is none."""
    kind, x, y = row.tolist()
    if not 0 <= kind < len(KINDS):
        raise ValueError(f"no view: {kind}")
    return View(KINDS[int(kind)], round(x, 3), round(y, 3))  # as exact as it is measured
