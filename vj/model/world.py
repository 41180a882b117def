"""One step of the imagined world, for one picture or a batch: the same for the show and for training on one's own output.

Knows the network and how pixels are moved; knows no time, no music and no weights file.
"""

from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F

from vj.model import hidden, mender, planes, transport
from vj.model.net import CODE_DIMS, DIGITS, HISTORY, Net

MEDIANS = 3  # of the proposals, the last
BRIGHTEST = 1.6  # of the lattice; what is shown ends at 1
HOMING = 0.1  # of the way, each frame, that a row of foreign colour goes back
COMPANY = 3.0  # log odds for the class that all around have brought with them: a thing keeps to one motion, and stays whole
REST = 2  # frames in one of which the trunk is asked, where there is land alone
# The slower the world, the less a frame tells of motions: at half speed LOYAL log odds for each pixel's own class, at a third
# twice as much, and where it stands nothing is forgotten.
LOYAL, STANDS = 2.0, 0.02


@dataclass(frozen=True, slots=True)
class World:
    """All that the next frame can depend on. B worlds at once; of what is shown colours are multiples of 1/255.

    The lattice's are not: in a light that grows slowly, what is dark would gain less than half a level a frame, and so nothing,
    while what is light gains a whole one.
    """

    lattice: torch.Tensor  # (B, 3, H, W) 0..BRIGHTEST, moved by whole pixels only
    shown: tuple[torch.Tensor, ...]  # last frames as shown, newest first, each (B, 3, H, W)
    phase: torch.Tensor  # (B, K, 2) px, how far each motion class is ahead of the lattice
    speeds: torch.Tensor  # (B, HISTORY[-1]) of the last steps, newest first
    codes: torch.Tensor  # (B, memory * D, rows), newest first
    classes: torch.Tensor | None = None  # (B, H, W) motion class of each pixel in the newest frame
    moved: torch.Tensor | None = None  # (B, K, 2) px, each class's displacement in the last step
    behind: hidden.Hidden | None = None  # what is covered; None: nothing is known of it
    age: int = 0  # frames since it began
    evidence: torch.Tensor | None = None  # (B, classes, H/2, W/2) of the trunk, log odds of the motions, where it may rest
    inert: bool = False  # all goes on as its row does, by Land.bank, see vj.model.inertia


def begin(net: Net, frames: tuple[torch.Tensor, ...], speed: torch.Tensor) -> World:
    """A world that starts from real frames (newest first, at least one; the oldest is repeated).

    speed (B,) of the steps between them, or (B, N) of the last N, newest first.
    """
    depth, known = HISTORY[-1] + 1, max(len(frames) - 1, 1)
    speeds = speed[:, None].expand(-1, known) if speed.ndim == 1 else speed[:, :known]
    speeds = F.pad(speeds, (0, depth))[:, : depth - 1]  # where the oldest is repeated, nothing moves
    frames = (frames + (frames[-1],) * depth)[:depth]
    B, config = frames[0].shape[0], net.config
    device = frames[0].device
    phase = torch.zeros(B, config.classes, 2, device=device)
    codes = torch.zeros(B, config.memory * CODE_DIMS, config.rows, device=device)
    return World(frames[0], tuple(frames), phase, speeds, codes)


def picked(world: World, which: torch.Tensor) -> World:
    """The worlds `which` (n,) of these, in that order, some perhaps more than once."""

    def pick(part):
        if isinstance(part, hidden.Hidden):
            return hidden.picked(part, which, world.lattice[0, 0].numel())
        if isinstance(part, tuple):
            return tuple(each[which] for each in part)
        return part[which] if isinstance(part, torch.Tensor) else part

    return World(*(pick(getattr(world, field.name)) for field in fields(world)))


def tell(net: Net, last: torch.Tensor, controls: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What the trunk and the light are told: (B, TOLD). last (B,) speed of the last step, controls (B, 6), noise (B,) standard
    deviation 0..0.1."""
    controls = net.lit(controls)
    return torch.stack([last * 0.5, controls[:, 0] * 0.5, controls[:, 4], controls[:, 5], noise * 10], 1)


def history(world: World) -> torch.Tensor:
    """(B, 9, H, W): the frames that the trunk sees, newest first."""
    return torch.cat([world.shown[back] for back in HISTORY], 1)


def misfit(net: Net, world: World) -> tuple[torch.Tensor, torch.Tensor]:
    """Two (B, K, H/2, W/2) 0..1: how badly each class's displacement explains the last step shown, and the last three, in luma:
    what passed in front is told by the one, two motions nearly alike by the other. The second is what counts against a class:
    in the noise of a camera the last step tells more (net.trunk.recent)."""
    now, *before = (_luma(world.shown[back]) for back in (0, 1, HISTORY[-1]))
    speeds = torch.stack([world.speeds[:, 0], world.speeds.sum(1)], 1)[..., None, None]
    vertical, recent = bool((net.bank[:, 1] != 0).any()), net.trunk.recent
    both = (transport.unlike(now, torch.cat(before, 1), net.bank * speeds, vertical) * 5).clamp(0, 1)
    if not recent:
        return both, both
    last = (transport.unlike(now, before[0], net.bank * speeds[:, :1], vertical) * 5).clamp(0, 1)
    return both, both + (last - both) * recent


def _luma(frame: torch.Tensor) -> torch.Tensor:
    return frame[:, :1] * 0.299 + frame[:, 1:2] * 0.587 + frame[:, 2:] * 0.114


def relight(image: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """image (B, 3, H, W) times a factor for each colour (B, 3); up to BRIGHTEST, so that what shines too brightly to be
    shown comes back whole when it is darker again."""
    return (image * light[..., None, None]).clamp(0, BRIGHTEST)


def quantise(image: torch.Tensor) -> torch.Tensor:
    """To 8 bit and back: the network is trained on what it will be fed (DIAMOND, Alonso et al. 2024)."""
    return image.float().clamp(0, 1).mul_(255).round_().div_(255)


@dataclass(frozen=True, slots=True)
class Carried:
    """A world on its way to the next frame: all is where it goes, and what has entered is still to be filled in."""

    moved: torch.Tensor  # (B, 3, H, W) the lattice, carried
    opened: torch.Tensor  # (B, 1, H, strip) bool: has entered
    usual: torch.Tensor | None  # (B, 2, 3, H, 1) of the rows, see transport.usual; None: nobody paints
    features: torch.Tensor | None  # (B, a, H/2, W/2) of the trunk; None: it was not asked
    classes: torch.Tensor  # (B, H, W) motion class of each pixel
    behind: hidden.Hidden
    light: torch.Tensor  # (B, 3) by which each colour is multiplied
    evidence: torch.Tensor | None  # (B, classes, H/2, W/2) of the trunk, log odds of the motions, and that none explains it
    shift: torch.Tensor  # (B, K, 2) px, each class's displacement in this step
    phase: torch.Tensor  # (B, K, 2) px, what of it is left over


def step(
    net: Net,
    world: World,
    controls: torch.Tensor,
    code: torch.Tensor,
    noise: torch.Tensor,
    whole_picture: torch.Tensor | None = None,
    grain: torch.Tensor | None = None,
) -> World:
    """The next world. controls (B, 6), code (B, D, rows) of what enters, noise (B,) told of the history.

    grain (B, GRAINS, H, strip): normal numbers, from which the grain of what enters is made; None: it has none.

    whole_picture (B, 3, H, W): where the light is read from, for worlds that are only the right part of a picture.
    """
    carried = carry(net, world, controls, code, noise, whole_picture)
    return settle(net, world, carried, enter(net, carried, code, grain)[0], controls, code)


def carry(net: Net, world: World, controls, code, noise, whole_picture=None, alone: bool = False) -> Carried:
    """The first part of a step: the light changes, and all goes where the trunk says. alone: land alone, in which nothing covers
    anything; motions hardly change from frame to frame there, and the trunk is asked in each REST-th alone. All else as of
    `step`."""
    vertical = bool((net.bank[:, 1] != 0).any())
    K, S = net.config.classes, net.config.strip
    told = tell(net, world.speeds[:, 0], controls, noise)
    evidence, touch, features = world.evidence, None, None
    if evidence is None or not alone or world.age % REST == 0:
        dtype = next(net.trunk.parameters()).dtype
        wrong, doubt = (part.to(dtype) for part in misfit(net, world))
        evidence, touch, features = net.trunk(history(world).to(dtype), wrong, doubt, told.to(dtype), code)
        evidence = planes.box(evidence, 3, 1)  # one row alone never goes its own way
    light = net.light(world.shown[0] if whole_picture is None else whole_picture, told)
    lattice = relight(world.lattice, light)
    shift = net.bank[None] * controls[:, 0, None, None]
    total = world.phase + shift
    whole, _ = transport.split(total, vertical)
    logits = evidence
    if world.classes is not None:
        brought = brought_by(world.classes, whole)
        company = COMPANY * planes.box(brought, 5, 5)
        if (controls[:, 0] < 1).any():
            company += LOYAL * (1 / controls[:, 0].clamp(STANDS, 1) - 1).view(-1, 1, 1, 1) * brought
        logits = torch.cat([logits[:, :K] + company, logits[:, K:]], 1)
    logits = planes.doubled(logits)
    surest, classes = planes.best(logits[..., :K, :, :])
    classes = planes.together(classes)[:, 0]
    moved, entered = transport.move(lattice, classes, whole)
    behind = hidden.nothing(lattice.device) if alone else world.behind or hidden.nothing(lattice.device)
    if world.classes is not None and not alone:
        moved, classes, behind = hidden.step(behind, lattice, light, world.classes, moved, classes, whole, net.bank)
    touched = (logits[..., K:, :, :] > surest) & (controls[:, 0] > 0).view(-1, 1, 1, 1, 1, 1)
    if touch is not None and touched.any():  # seldom; only then the sum is worth its time
        touched &= logits[..., K:, :, :] > logits[..., :K, :, :].logsumexp(3, keepdim=True)
        moved = torch.where(planes.together(touched), net.trunk.colours(touch).float(), moved)
    usual = None if alone else transport.usual(moved, S)
    return Carried(moved, entered[..., -S:], usual, features, classes, behind, light, evidence, shift, total - whole)


def enter(net: Net, carried: Carried, code: torch.Tensor, grain: torch.Tensor | None = None):
    """What enters: the strip at the right edge, filled in, and the proposals and choice it is made of, see `fill`."""
    known, around = carried.moved[..., -net.config.strip :].clamp(max=1), carried.usual[:, 1].clamp(max=1)
    made = net.painter(known, carried.opened.float(), around, carried.features, code)
    painted, choice, rough = (out.float() for out in made)
    rough = 0.0 if grain is None else planes.grained(rough, grain)
    strip = carried.moved[..., -net.config.strip :]
    return fill(strip, carried.opened, carried.usual, painted, choice, rough, code[:, :DIGITS].any(1))


def settle(net: Net, world: World, carried: Carried, strip: torch.Tensor, controls: torch.Tensor, code: torch.Tensor,
           free: bool = False) -> World:  # fmt: skip
    """The last part of a step: what has entered, strip (B, 3, H, S), takes its place; colours keep to the footage's, unless
    what enters is free to be what it is: made whole, it does not drift."""
    S, bank = strip.shape[3], net.land.bank if world.inert else net.bank
    vertical = bool((bank[:, 1] != 0).any())
    lattice, classes = torch.cat([carried.moved[..., :-S], strip], 3), carried.classes
    behind = carried.behind
    if not free:
        goes, low, high = _homely(net, lattice, controls)
        untold = _untold(code[:, :DIGITS].any(1), strip)
        lattice[..., -S:] = torch.where(carried.opened & untold, strip.clamp(low, high), strip)
        lattice, behind = lattice + goes, hidden.along(behind, goes, lattice.shape[3])
    lattice = lattice.float().clamp_(0, BRIGHTEST)
    if world.age % mender.EVERY == mender.EVERY - 1 and not world.inert:  # where rows go as one, nothing is torn
        lattice = mender.mended(net.mender, lattice, mender.paces(bank, classes), controls[:, 0] > 0)
    shown = quantise(transport.sample(lattice, classes, carried.phase, vertical))
    light = carried.light[..., None, None]
    past = [(frame * light).clamp_(0, 1) for frame in world.shown[:-1]]  # else a change of light looks like nothing moved
    codes = torch.cat([code, world.codes[:, :-CODE_DIMS]], 1)
    return replace(
        world, lattice=lattice, shown=(shown, *past), phase=carried.phase,
        speeds=torch.cat([controls[:, :1], world.speeds[:, :-1]], 1),
        codes=codes, classes=classes, moved=carried.shift, behind=behind, age=world.age + 1, evidence=carried.evidence,
    )  # fmt: skip


def fill(strip: torch.Tensor, entered: torch.Tensor, medians: torch.Tensor, painted: torch.Tensor, choice, rough, told):
    """The strip (B, 3, H, S) with what has entered filled in, painted or going on, whichever is likeliest around; the
    proposals (B, 1 + PROPOSALS, 3, H, S), and how likely each is, logits (B, 1 + PROPOSALS, H, S).

    medians (B, 2, 3, H, 1) of the rows; rough (B, 1, H, S) is added to what has no grain of its own: to paint and medians. Cells
    that are not told, told (B, rows) 0 there, are not painted.
    """
    goes_on = transport.go_on(strip, entered, medians)
    smooth = torch.cat([painted[:, None], goes_on[:, -MEDIANS:]], 1)
    if isinstance(rough, torch.Tensor):
        smooth = (smooth + rough[:, None]).clamp(0, BRIGHTEST)
    proposals = torch.cat([smooth[:, :1], goes_on[:, :-MEDIANS], smooth[:, 1:]], 1)
    choice = planes.box(choice)
    choice[:, 0] = torch.where(_untold(told, strip)[:, 0], -torch.inf, choice[:, 0])
    best = planes.best(choice)[1][:, 0]
    chosen = proposals.gather(1, best[:, None, None].expand(-1, -1, strip.shape[1], -1, -1))[:, 0]
    return torch.where(entered, chosen, strip), proposals, choice


def _untold(told: torch.Tensor, strip: torch.Tensor) -> torch.Tensor:
    """told (B, rows of cells) -> (B, 1, H, 1) bool: rows of the strip (B, 3, H, S) of which nothing is told."""
    return (told == 0).repeat_interleave(4, 1)[:, None, : strip.shape[2], None]


def _homely(net: Net, lattice: torch.Tensor, controls: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """How far each row goes back towards what the footage has there, whatever stands in it; and between what colours it may
    go on untold, each (B, 3, H, 1).

    Errors of colour add up over thousands of own frames; held to the footage's own statistics they do not (a cheap
    relative of the correctors to an invariant measure: Thermalizer, Pedersen et al. 2025). A row may be pink in the evening,
    but not alone: what differs from the footage's principal components by more than it does there goes back, too. Within
    all that, and where the world stands, nothing is touched. A line that a thing has left behind has no row's colour: it ends.
    """
    median = planes.median(lattice[..., ::4])[..., 0]  # (B, 3, H)
    luma = _luma(lattice).mean((1, 2, 3)).view(-1, 1, 1).clamp(min=1 / 255)
    rows, low, high = homely_rows(net, median / luma)
    goes = HOMING * (controls[:, 0] > 0).view(-1, 1, 1) * (rows * luma - median)
    return goes[..., None], (low * luma)[..., None], (high * luma)[..., None]


def homely_rows(net: Net, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The nearest colours of rows that the footage could have, and between what colours each may go on untold: all (B, 3, H),
    in the picture's mean luma."""
    low, high = net.palette
    mean, spread, least, greatest, darkest, lightest = net.profile[:6]
    modes = net.profile[6:].flatten(1)
    rows = rows.clamp(low, high)
    together = mean + spread * (((rows - mean) / spread).flatten(1) @ modes.T @ modes).view_as(rows)
    return rows.clamp(together + least, together + greatest), together + darkest, together + lightest


def brought_by(classes: torch.Tensor, whole: torch.Tensor) -> torch.Tensor:
    """Which class has brought each pixel to its place: (B, K, H/2, W/2) uint8, 0 or 1.

    classes (B, H, W) of the frame before, whole (B, K, 2) px by which each moves on. What is seen of a thing often fits two
    motions alike; pixels that choose on their own tear it (a Potts prior, as in motion segmentation: Murray, Buxton 1987).
    """
    B, H, W = classes.shape
    there = torch.zeros(B, whole.shape[1], H // 2, W // 2, dtype=torch.bool, device=classes.device)
    classes = classes.byte()
    for b, moves in enumerate(whole.tolist()):
        for k in torch.bincount(classes[b].flatten()).nonzero()[:, 0].tolist():
            (x, begin_x), (y, begin_y) = (_each_second(by) for by in moves[k])
            was = classes[b, begin_y::2, begin_x::2][: max(H // 2 - y, 0), : max(W // 2 - x, 0)]
            torch.eq(was, k, out=there[b, k, y : y + was.shape[0], x : x + was.shape[1]])
    return there.view(torch.uint8)


def _each_second(move: int) -> tuple[int, int]:
    """The first place i of every second pixel, and 2 i + move, the pixel that comes to it."""
    first = max(0, (1 - move) // 2)
    return first, 2 * first + move
