"""What is hidden is still there: pixels that something passes in front of go on unseen, and come out behind it.

A picture that is only moved forgets what a tree covers; what stood beside it would be drawn out to fill the place when it
has gone by, and hills would be streaks after a minute. So what is covered is kept, with its own motion. Which motions there
are, and which pixel goes with which, the network has learnt; of two that meet, the quicker covers the slower. Knows pixels
and motion classes, no network.

Sources: layers, each with its motion, the nearer covering the farther (Wang and Adelson 1994); worlds that stay what they
were where one has not looked for a while (World-Consistent Video-to-Video Synthesis, Mallya et al. 2020).
"""

from dataclasses import dataclass, replace

import torch

ALIKE, NEARLY = 1 / 400, 1 / 6  # widths a frame at speed 1, and share of the quicker: motions nearer than that are one thing's
BESIDE = (0, 1, -1, 2, -2)  # px along its row from which a pixel is taken, in this order: the hidden has gaps


@dataclass(frozen=True, slots=True)
class Hidden:
    """The n pixels behind B pictures of H x W; of several at one place the quickest lasts beyond the next step."""

    colours: torch.Tensor  # (n, 3) 0..1 and more, in the light of now
    classes: torch.Tensor  # (n,) int64, motion classes
    place: torch.Tensor  # (n,) int64: (picture * H + y) * W + x


def nothing(device: torch.device | str) -> Hidden:
    """Nothing is known of what is behind."""
    none = torch.zeros(0, dtype=torch.int64, device=device)
    return Hidden(torch.zeros(0, 3, device=device), none, none)


def along(hidden: Hidden, goes: torch.Tensor, width: int) -> Hidden:
    """The hidden with goes (B, 3, H, 1) added, as to the rows of the picture before it, which is `width` px wide."""
    row = torch.div(hidden.place, width, rounding_mode="floor")
    return replace(hidden, colours=hidden.colours + goes[..., 0].transpose(1, 2).flatten(0, 1)[row])


def picked(hidden: Hidden, which: torch.Tensor, size: int) -> Hidden:
    """The hidden of the pictures `which` (n,), in that order, some perhaps more than once; size: pixels of a picture."""
    picture = torch.div(hidden.place, size, rounding_mode="floor")
    new, old = (picture == which[:, None]).nonzero().unbind(1)
    return Hidden(hidden.colours[old], hidden.classes[old], hidden.place[old] % size + new * size)


def step(
    hidden: Hidden,
    lattice: torch.Tensor,
    light: torch.Tensor,
    before: torch.Tensor,
    moved: torch.Tensor,
    classes: torch.Tensor,
    whole: torch.Tensor,
    bank: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, Hidden]:
    """What comes out from behind in this step, and what is hidden after it.

    lattice (B, 3, H, W) is the last frame, its colours multiplied by light (B, 3), its pixels of the classes `before`
    (B, H, W); moved (B, 3, H, W) what has become of it by `classes` (B, H, W), which go on by whole (B, K, 2) px and by bank
    (K, 2) px a frame at speed 1. Returns moved and classes with what comes out, and the hidden.
    """
    B, C, H, W = lattice.shape
    K = len(bank)
    alike, covers, rank = _meetings(bank, whole, W)
    shift = whole.flatten(0, 1)  # of each world's classes, numbered through
    steps = shift[:, 1] * W + shift[:, 0]
    was, now = before.flatten(), classes.flatten().clone()
    here = torch.arange(len(now), device=now.device)
    first = torch.div(here, H * W, rounding_mode="floor") * K if B > 1 else None  # number of its world's first

    def numbered(classes: torch.Tensor) -> torch.Tensor:
        return classes if first is None else classes + first

    # Where what should come has gone elsewhere, quicker than what is to be there, what is behind comes out.
    source = (here + steps.gather(0, numbered(now))).clamp_(0, len(now) - 1)
    gaps = covers.gather(0, numbered(was.gather(0, source)) * K + now).nonzero()[:, 0]
    picture = torch.div(gaps, H * W, rounding_mode="floor")
    gaps = gaps[_inside(gaps, shift[now[gaps] + picture * K], H, W)]
    beside = torch.tensor(BESIDE, device=now.device)
    hidden, at = _moved(hidden, light, rank, shift, steps, H, W, len(now))
    column, place = (gaps % W)[:, None] + beside, (gaps[:, None] + beside).clamp_(0, len(at) - 1)
    found = torch.where((column >= 0) & (column < W), at[place], -1)
    which = found.gather(1, (found >= 0).byte().argmax(1, keepdim=True))[:, 0]  # the first there is
    gaps, which = gaps[which >= 0], which[which >= 0]
    now[gaps] = hidden.classes[which]
    picture = torch.div(gaps, H * W, rounding_mode="floor")[:, None]
    channels = torch.arange(C, device=now.device)
    moved = moved.flatten(2).index_put((picture, channels, (gaps % (H * W))[:, None]), hidden.colours[which])

    # What does not arrive where its motion takes it, because something quicker has, is hidden from now on.
    arrives = (here - steps.gather(0, numbered(was))).clamp_(0, len(now) - 1)
    lost = covers.gather(0, numbered(now.gather(0, arrives)) * K + was).nonzero()[:, 0]
    number = was[lost] + torch.div(lost, H * W, rounding_mode="floor") * K
    lost, number = (part[_inside(lost, -shift[number], H, W)] for part in (lost, number))
    unseen = ~alike[hidden.classes, now[hidden.place]]  # else what goes with it is in sight there
    colours = lattice.flatten(2)[torch.div(lost, H * W, rounding_mode="floor"), :, lost % (H * W)]
    parts = zip((hidden.colours, hidden.classes, hidden.place), (colours, was[lost], lost - steps[number]), strict=True)
    hidden = Hidden(*(torch.cat([old[unseen], new]) for old, new in parts))
    return moved.view(B, C, H, W), now.view(B, H, W), hidden


def _meetings(bank: torch.Tensor, whole: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Which classes go alike (K, K), which covers which in this step (B K K): the first the second, and their order (K,)."""
    pace = bank.square().sum(1).sqrt()  # several times as quick as norm and cdist, for so few
    apart = (bank[:, None] - bank).square().sum(2).sqrt()
    alike = apart <= (torch.maximum(pace[:, None], pace) * NEARLY).clamp(min=ALIKE * width)
    quicker = pace[:, None] > pace
    parted = (whole[:, :, None] != whole[:, None]).any(3)
    return alike, (parted & (~alike & quicker)).flatten(), quicker.sum(1)


def _inside(place: torch.Tensor, by: torch.Tensor, H: int, W: int) -> torch.Tensor:
    """Whether (n,) places, moved by (n, 2) px, are still in their picture."""
    x, y = place % W + by[:, 0], torch.div(place, W, rounding_mode="floor") % H + by[:, 1]
    return (x >= 0) & (x < W) & (y >= 0) & (y < H)


def _moved(hidden: Hidden, light, rank, shift, steps, H: int, W: int, places: int) -> tuple[Hidden, torch.Tensor]:
    """The hidden gone on, and which of it is at each place, -1 where none is; of several the quickest is kept."""
    picture = torch.div(hidden.place, H * W, rounding_mode="floor")
    number = picture * len(rank) + hidden.classes
    stays = _inside(hidden.place, -shift[number], H, W)
    place, n = hidden.place - steps[number], max(len(number), 1)
    order = rank[hidden.classes] * n + torch.arange(len(number), device=place.device)
    best = order.new_full((places,), -1).scatter_reduce(0, place[stays], order[stays], "amax")
    stays &= best[place.clamp(0, places - 1)] == order
    colours = (hidden.colours * light[picture])[stays]
    gone_on = Hidden(colours, hidden.classes[stays], place[stays])
    at = torch.full_like(best, -1)
    at[gone_on.place] = torch.arange(len(colours), device=place.device)
    return gone_on, at
