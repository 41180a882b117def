"""The network: it sees its own last frames and the controls, and says what the next frame is made of.

Its parts: `Trunk` looks at the whole picture and says for each pixel which motion class carries it (a hard choice
among a small bank of displacements; nobody tells it that the foreground is faster), which pixels to touch up, and how
the light changes. `Painter` fills what has just entered at the leading (right) edge: pixel by pixel it goes on with what
is beside it, copied whole, or paints. What to paint is told by a code of two groups of four digits for each four rows,
and only where that is worth it: fields and sky go on untold and never blur, a tree is told. `Encoder` finds code and worth
in footage (training only). `Prior` learns which codes follow which, given the controls: from it what enters is drawn at the
show. `Sprites` (vj.model.sprites) makes what a drum lets in, whole; `Land` (vj.model.land) what enters behind it. `Mender`
(vj.model.mender) puts right what goes wrong.
Knows no time, no files.

Sources: hard choice among transported copies after CDNA (Finn, Goodfellow, Levine 2016) and SDC-Net; finite scalar
quantisation (Mentzer et al. 2023); FiLM (Perez et al. 2018); noise level told to the network (DIAMOND, Alonso et al.
2024); a learnt prior over discrete codes after VQ-VAE (van den Oord et al. 2017); telling only what pays for its bits
after the skip mode and rate-distortion choice of video coders (Sullivan and Wiegand 1998); copying or making anew after
pointer networks (See, Liu, Manning 2017).
"""

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from vj.model import planes
from vj.model.finer import Finer
from vj.model.laid import Conv, Laid, linear
from vj.model.land import Land
from vj.model.mender import Mender
from vj.model.planes import GRAINS
from vj.model.sprites import Sprites
from vj.model.transport import PROPOSALS, drawn_on


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """All that shapes the tensors. Stored in the card of every weights file."""

    height: int = 96  # px, even
    width: int = 160  # px, even
    classes: int = 16  # motion classes: displacements in the bank
    widths: tuple[int, int, int] = (32, 64, 96)  # channels of the trunk at 1/2, 1/4, 1/8 size
    strip: int = 24  # px at the right edge that the painter can paint
    painter: int = 64  # channels of the painter
    prior: int = 256  # channels of what the prior makes of the edge
    glance: int = 48  # channels of its look at each patch of the edge
    over_rows: int = 192  # channels of its way down the rows
    look: int = 24  # px at the right edge that the encoder sees
    memory: int = 5  # past frames of codes that the prior sees
    seeds: int = 8  # first pictures kept beside the weights (under 1 MB at 160x96)

    @property
    def rows(self) -> int:
        """Code cells along the leading edge, 4 px high each; the last may be cut."""
        return -(-self.height // 4)


HISTORY = (0, 1, 3)  # frames back that the trunk sees
TOLD = 5  # speed of the last step, speed of the next, brightness, warmth, noise of the history
CODE_LEVELS = 5
DIGITS, GROUPS = 4, 2  # a code's dimensions in each group, and its groups, drawn one after the other
CODE_DIMS = DIGITS * GROUPS
CODES = CODE_LEVELS**DIGITS  # values of a group
GRAINY = 0.2  # largest standard deviation of the grain of what is painted or goes on smoothly
GRAINLESS = 5.0  # its logit is less by this: at first there is next to none
USUALLY = slice(20, 24)  # of the painter's channels: the logit of its row's median, for each of 2x2 px
DRAFT, DRAFTED = 16, 16  # channels, and px at the right edge, of what the painter first makes of the code
COARSE = 8  # px a side: how finely the light sees
LIGHT = (0.52662, 0.09831, 0.03981, 0.06152)  # brightness 0..1 and warmth -1..1: mean and spread of each, for `Net.lit`
EVIDENCE = 0.25  # how strongly a class is doubted that did not explain the last step, when it comes to other footage
SELDOM = -2.0  # the logit of touching up, at first
CODE_REACH = 12  # px at the right edge where the trunk is told the code


def _lively(layers: nn.Sequential) -> None:
    """Starts every other layer with weights that keep the spread of what goes through (He et al. 2015)."""
    for layer in layers[::2]:
        nn.init.kaiming_normal_(layer.weight)
        nn.init.zeros_(layer.bias)


class RowConv(nn.Conv1d):
    """A convolution along few places, (B, C, n) -> (B, C', n), n kept: for one picture a single product of matrices, half of
    what conv1d takes in bfloat16. Its weights lie as that product wants them; their names and shapes are conv1d's."""

    laid: Laid | None = None

    def __init__(self, channels: int, out: int, size: int):
        """size: odd."""
        super().__init__(channels, out, size, padding=size // 2)
        self.weight = nn.Parameter(self.weight.detach().transpose(1, 2).contiguous().transpose(1, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 1:
            return super().forward(x)
        size, places = self.kernel_size[0], x.shape[2]
        around = F.pad(x[0].T, (0, 0, size // 2, size // 2))
        around = torch.cat([around[k : k + places] for k in range(size)], 1) if size > 1 else around
        return linear(around, self.weight.transpose(1, 2).flatten(1), self.bias, self.laid, self.weight).T[None]


class Block(nn.Module):
    """Residual block, modulated by what is told (FiLM); starts as the identity."""

    def __init__(self, channels: int, told: int = 0, dilation: int = 1):
        super().__init__()
        self.first = Conv(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = Conv(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)
        self.film = nn.Linear(told, 2 * channels) if told else None
        if self.film is not None:
            nn.init.zeros_(self.film.weight)
            nn.init.zeros_(self.film.bias)

    def forward(self, x: torch.Tensor, told: torch.Tensor | None = None) -> torch.Tensor:
        h = self.first(F.silu(x))
        if self.film is not None:
            scale, shift = self.film(told)[:, :, None, None].chunk(2, 1)
            h = h * (1 + scale) + shift
        return x + self.second(F.silu(h))


class Trunk(nn.Module):
    """U-Net on the picture at half size: (B, 9, H, W) history -> classes, touch-up, features."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        a, b, c = config.widths
        self.classes = config.classes
        self.embed = nn.Sequential(nn.Linear(TOLD, 32), nn.SiLU(), nn.Linear(32, 32))
        self.stem = Conv(3 * len(HISTORY) * 4 + config.classes + 2 + CODE_DIMS, a, 3, padding=1)
        self.top = Block(a)
        self.down1 = Conv(a, b, 3, stride=2, padding=1)
        self.middle = Block(b, 32)
        self.down2 = Conv(b, c, 3, stride=2, padding=1)
        self.deep = nn.ModuleList([Block(c, 32), Block(c, 32, dilation=2)])
        self.up2 = Conv(c, b, 1)
        self.middle_out = Block(b, 32)
        self.up1 = Conv(b, a, 1)
        self.top_out = Block(a)
        self.head = Conv(a, config.classes + 1 + 12, 3, padding=1)  # classes, touch-up logit, touch-up colours
        self.evidence = nn.Parameter(torch.zeros(()))  # nobody tells it that what moves goes on: it finds that out
        self.register_buffer("recent", torch.zeros(()))  # 0..1, how much of that is the last step alone, not the last three too
        with torch.no_grad():
            self.head.weight.mul_(0.1)
            self.head.bias.zero_()
            self.head.bias[config.classes] = SELDOM
        y, x = torch.meshgrid(
            torch.linspace(-1, 1, config.height // 2), torch.linspace(-1, 1, config.width // 2), indexing="ij"
        )
        self.register_buffer("place", torch.stack([x, y])[None], persistent=False)

    @torch.no_grad()
    def forget_places(self, share: float) -> None:
        """Forgets by so much (0..1) which class is where, and what to touch up: for footage with other motions."""
        rows = slice(0, self.classes + 1)
        self.head.weight[rows] *= 1 - share
        self.head.bias[rows] *= 1 - share
        self.head.bias[self.classes] += share * SELDOM

    def forward(self, history: torch.Tensor, misfit: torch.Tensor, doubt: torch.Tensor, told: torch.Tensor, code: torch.Tensor):
        """history (B, 9, H, W) 0..1 newest first; misfit (B, K, H/2, W/2): how badly each class's displacement explains
        the last steps (a cost volume, as in PWC-Net, Sun et al. 2018), doubt the same as it counts
        against it; told (B, TOLD); code (B, D, rows) of what enters.

        Returns class logits (B, K+1, H/2, W/2) with the touch-up last, to be doubled; what `colours` takes, (B, 12, H/2, W/2);
        features (B, a, H/2, W/2).
        """
        x, misfit = planes.unshuffled(history - 0.5), misfit.contiguous(memory_format=torch.channels_last)
        B, _, tall, wide = x.shape
        e = self.embed(told)
        place = self.place[..., -wide:].to(x.dtype).expand(B, -1, -1, -1)  # training may look at the right part only
        cells = F.interpolate(code.to(x.dtype)[..., None], size=(tall, 1), mode="nearest")
        told_where = x.new_zeros(B, tall, wide, CODE_DIMS)
        told_where[:, :, -CODE_REACH // 2 :] = cells.permute(0, 2, 3, 1)
        parts = [x, misfit, place, told_where.permute(0, 3, 1, 2)]
        x = torch.cat([part.contiguous(memory_format=torch.channels_last) for part in parts], 1)
        x = F.pad(x, (0, -wide % 4, 0, -tall % 4), mode="replicate") if tall % 4 or wide % 4 else x
        x = x.contiguous(memory_format=torch.channels_last)
        h1 = self.top(F.silu(self.stem(x)))
        h2 = self.middle(F.silu(self.down1(h1)), e)
        h3 = F.silu(self.down2(h2))
        for block in self.deep:
            h3 = block(h3, e)
        h = self.middle_out(F.interpolate(self.up2(h3), scale_factor=2, mode="nearest") + h2, e)
        h = self.top_out(F.interpolate(self.up1(h), scale_factor=2, mode="nearest") + h1)[..., :tall, :wide]
        out = self.head(F.silu(h)).contiguous()
        against = (planes.blur(doubt) * (10 * self.evidence)).contiguous()
        logits = torch.cat([out[:, : self.classes] - against, out[:, self.classes : self.classes + 1]], 1)
        return logits.float() * 4, out[:, self.classes + 1 :], h

    @staticmethod
    def colours(touch: torch.Tensor) -> torch.Tensor:
        """Touch-up colours (B, 3, H, W) 0..1; seldom needed at a show."""
        return torch.sigmoid(F.pixel_shuffle(touch, 2) * 3)


class Light(nn.Module):
    """How the light changes in this step: a factor for each colour, from what is there and what is told.

    No offset: what is added to a picture and taken away by a gain, frame after frame, lets its contrast run away.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(9 + TOLD, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 6))
        nn.init.zeros_(self.layers[-1].weight)  # at first the light stays as it is
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, image: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """image (B, 3, H, W) 0..1 -> what each colour is multiplied by (B, 3)."""
        return self.of_small(F.avg_pool2d(image.float(), COARSE), told)

    def of_small(self, small: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """The same from the means of each COARSE x COARSE px, (B, 3, H // COARSE, W // COARSE)."""
        small = small.flatten(2)
        mean, spread = small.mean(2), small.std(2)
        low = small.min(2).values
        out = self.layers(torch.cat([mean * 4 - 2, spread * 8 - 1, low * 4 - 1, told.float()], 1))
        gain, more = (torch.tanh(out) * 0.4).chunk(2, 1)
        return 1 + gain + 0.5 * more / mean.clamp(min=0.05)  # `more`: by so much the mean rises


class Painter(nn.Module):
    """Paints what has just entered at the right edge: (moved strip, what is missing, features, code) -> colours."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.painter
        self.strip = config.strip
        # The code first becomes a draft of the last px, each row and column its own: told it everywhere alike, the painter
        # would have to find out where within a cell it is.
        self.draft = nn.Sequential(RowConv(CODE_DIMS, 96, 3), nn.SiLU(), RowConv(96, DRAFT * DRAFTED, 1))
        _lively(self.draft)
        known = 12 + 4 + 6  # moved, entered, rows
        self.stem = Conv(known + config.widths[0] + DRAFT + 1, width, 3, padding=1)
        with torch.no_grad():
            self.stem.weight[:, known : known + config.widths[0]] = 0  # the trunk's features mean nothing at first
        self.blocks = nn.ModuleList([Block(width), Block(width, dilation=2), Block(width), Block(width, dilation=3)])
        self.head = Conv(width, 12 + 4 * (1 + PROPOSALS + GRAINS), 3, padding=1)  # colours; painted or which copy; grain
        with torch.no_grad():
            self.head.bias[USUALLY] = 0.5  # at first all that enters is what its row usually is: no lines, no confetti
        self.direct = Conv(DRAFT, 12, 1)  # from the draft straight to colours: so the code says something from the first
        self.lean = nn.Parameter(torch.ones(()))  # how far colours are told as what differs from the row's last known pixel
        ramp = torch.linspace(-1, 1, config.strip // 2)[None, None, None]
        self.register_buffer("ramp", ramp.repeat(1, 1, config.height // 2, 1), persistent=False)

    def forward(self, moved, entered, around, features, code):
        """moved (B, 3, H, S), entered (B, 1, H, S) 0/1, what the rows around are usually (B, 3, H, 1), features (B, a, H/2, W/2),
        code (B, D, rows) -> colours (B, 3, H, S), logits (B, 1 + PROPOSALS, H, S): to paint, or which of transport.go_on; and
        how strong the grain is, fine and coarse (B, GRAINS, H, S), 0..GRAINY."""
        half = self.strip // 2
        dtype = features.dtype
        known = F.pixel_unshuffle(torch.cat([(moved - 0.5) * (1 - entered), entered], 1).to(dtype), 2)
        draft = self.draft(code.to(dtype)).unflatten(1, (DRAFT, 2, DRAFTED // 2)).permute(0, 1, 4, 2, 3).flatten(2, 3)
        draft = F.pad(draft[:, :, : features.shape[2]], (half - DRAFTED // 2, 0))
        rows = F.pixel_unshuffle(around.expand(-1, -1, -1, 2).to(dtype) - 0.5, 2)[:, ::2]  # (B, 6, H/2, 1)
        x = [known, rows.expand(-1, -1, -1, half), features[..., -half:], draft]
        x.append(self.ramp[:, :, : features.shape[2]].to(dtype).expand(moved.shape[0], -1, -1, -1))
        h = F.silu(self.stem(torch.cat(x, 1).contiguous(memory_format=torch.channels_last)))
        for block in self.blocks:
            h = block(h)
        out = self.head(F.silu(h))
        out = F.pixel_shuffle(torch.cat([out[:, :12] + self.direct(draft), out[:, 12:]], 1).contiguous(), 2)
        beside = torch.logit(drawn_on(moved, entered > 0).clamp(0.02, 0.98)).to(dtype)
        grain = GRAINY * torch.sigmoid(out[:, 4 + PROPOSALS :] * 3 - GRAINLESS)
        return torch.sigmoid(out[:, :3] * 3 + self.lean * beside), out[:, 3 : 4 + PROPOSALS] * 3, grain


class Encoder(nn.Module):
    """Finds in footage the code of what enters: the right edge before and after -> a few bits for each row cell."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.look = config.look
        self.layers = nn.Sequential(
            nn.Conv2d(7, 48, 4, 2, 1), nn.SiLU(), nn.Conv2d(48, 96, 4, 2, 1), nn.SiLU(),
            nn.Conv2d(96, 128, (3, config.look // 4), padding=(1, 0)), nn.SiLU(), nn.Conv2d(128, CODE_DIMS + GROUPS, 1),
        )  # fmt: skip
        _lively(self.layers)  # else all would round to one and the same code for thousands of steps
        with torch.no_grad():
            self.layers[0].weight.mul_(3)
            self.layers[-1].weight[CODE_DIMS:] = 0
            self.layers[-1].bias[CODE_DIMS:] = 1.0  # at first all is worth telling

    def forward(self, before: torch.Tensor, after: torch.Tensor, speed: torch.Tensor) -> torch.Tensor:
        """before, after (B, 3, H, W), speed (B,) -> code (B, D, rows), each of the levels -1, -.5, 0, .5, 1; all 0 where
        what is there just goes on."""
        code, need = self.parts(before, after, speed)
        return code * told_groups(levels(need))

    def parts(self, before: torch.Tensor, after: torch.Tensor, speed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The code (B, D, rows) of every cell, and how sure it is that telling each group pays: logits (B, GROUPS, rows)."""
        edge = whole_cells(torch.cat([before[..., -self.look :], after[..., -self.look :]], 1) - 0.5)
        x = torch.cat([edge, speed.view(-1, 1, 1, 1).expand(-1, 1, edge.shape[2], edge.shape[3]) * 0.5], 1)
        out = self.layers(x)[..., 0].float()
        z = torch.tanh(out[:, :CODE_DIMS])
        half = (CODE_LEVELS - 1) / 2
        return z + ((z * half).round() / half - z).detach(), out[:, CODE_DIMS:]  # straight-through


def levels(need: torch.Tensor) -> torch.Tensor:
    """How many groups of each cell are worth telling: logits (B, GROUPS, rows) -> (B, rows), 0..GROUPS; a group counts
    only where those before it do."""
    return (need > 0).long().cumprod(1).sum(1)


def told_groups(level: torch.Tensor) -> torch.Tensor:
    """1 for the code's dimensions that are told at this level (B, rows), 0 for the others: (B, D, rows)."""
    return (level[:, None] > torch.arange(CODE_DIMS, device=level.device).view(1, -1, 1) // DIGITS).float()


def whole_cells(edge: torch.Tensor) -> torch.Tensor:
    """(B, C, H, W) with its last row repeated until the height is a multiple of 4."""
    return F.pad(edge, (0, 0, 0, -edge.shape[2] % 4), mode="replicate") if edge.shape[2] % 4 else edge


def code_index(code: torch.Tensor) -> torch.Tensor:
    """Codes (B, D, rows) -> the numbers of their groups (B, rows, GROUPS), 0..CODES-1."""
    half = (CODE_LEVELS - 1) // 2
    digits = ((code * half).round().long() + half).unflatten(1, (GROUPS, DIGITS))
    return sum(digits[:, :, d] * CODE_LEVELS**d for d in range(DIGITS)).transpose(1, 2)


def code_values(index: torch.Tensor) -> torch.Tensor:
    """Numbers (..., ) of groups -> their values (..., DIGITS), each of -1, -.5, 0, .5, 1: the inverse of code_index."""
    half = (CODE_LEVELS - 1) / 2
    digits = torch.stack([(index // CODE_LEVELS**d) % CODE_LEVELS for d in range(DIGITS)], -1)
    return digits / half - 1


MODES = 12  # of how the rows' colours change together
UNTOLD = -4.0  # log odds that a cell is told, at first
EDGE = 48  # px at the right edge that the prior looks at
PATCH = 4  # px a side: how finely
CONTROLLED = 8  # own band, far, middle, near, speed, brightness, warmth, told or not
NOTHING = CODES // 2  # the number of a group that is not told: all its digits are 0


class RowBlock(nn.Module):
    """Residual block over the rows of the edge; starts as the identity."""

    def __init__(self, channels: int):
        super().__init__()
        self.first = RowConv(channels, channels, 3)
        self.drop = nn.Dropout(0.1)  # a few minutes of footage are soon known by heart
        self.second = RowConv(channels, channels, 3)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.second(self.drop(F.silu(self.first(F.silu(x)))))


class Glance(nn.Module):
    """What the prior makes of the edge, of the past codes and of the controls, for each row of cells."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        width = config.prior
        self.look = Conv(3 * PATCH**2, config.glance, 3, padding=1)
        columns = EDGE // PATCH * config.glance
        self.mix = RowConv(columns + config.memory * CODE_DIMS + CONTROLLED, width, 3)
        self.rows = nn.Parameter(torch.zeros(1, width, config.rows))
        self.blocks = nn.Sequential(RowBlock(width), RowBlock(width), RowBlock(width))
        self.drop = nn.Dropout(0.1)

    def forward(self, edge: torch.Tensor, controls: torch.Tensor, past: torch.Tensor) -> torch.Tensor:
        """edge (B or 1, 3, H, EDGE) 0..1, controls (B, CONTROLLED, rows), past codes (B, memory * D, rows) newest first ->
        (B, rows, width)."""
        dtype = self.look.weight.dtype
        patches = F.pixel_unshuffle(whole_cells(edge - 0.5) * 2, PATCH).to(dtype, memory_format=torch.channels_last)
        seen = F.silu(self.look(patches)).permute(0, 1, 3, 2).flatten(1, 2).expand(len(past), -1, -1)
        h = self.mix(torch.cat([seen, past.to(dtype), controls.to(dtype)], 1)) + self.rows
        return self.drop(F.silu(self.blocks(h))).transpose(1, 2)


class Prior(nn.Module):
    """Which codes follow: first whether a cell is told at all, then what; row by row from the top (a GRU over rows)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.glance = Glance(config)
        width = config.over_rows
        self.over_rows = nn.GRU(config.prior + CODE_DIMS, width, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.tell = nn.Linear(width, 1)  # whether the first group of a row is told
        nn.init.constant_(self.tell.bias, UNTOLD)
        self.head = nn.Linear(width, CODES)  # and what it is
        self.then = nn.Linear(width + DIGITS, width)
        self.tell_more = nn.Linear(width, 1)  # the second, told the first
        self.last = nn.Linear(width, CODES)
        # Log odds that the show adds to whether a cell is told: where it was not in the frame before, and where it was.
        self.register_buffer("odds", torch.zeros(2, config.rows))

    def forward(self, edge: torch.Tensor, controls: torch.Tensor, past: torch.Tensor, code: torch.Tensor):
        """With the true code (B, D, rows) for the rows above: log odds that a group is told (B, rows, GROUPS), and logits
        of what it is then (B, rows, GROUPS, CODES)."""
        above = F.pad(code, (1, 0))[..., :-1].transpose(1, 2)
        h = self.drop(self.over_rows(torch.cat([self.glance(edge, controls, past), above], 2))[0])
        first = code[:, :DIGITS].transpose(1, 2).to(h.dtype)
        then = F.silu(self.then(torch.cat([h, first], 2)))
        return torch.cat([self.tell(h), self.tell_more(then)], 2), torch.stack([self.head(h), self.last(then)], 2)


def over_rows(controls: torch.Tensor, told: torch.Tensor, rows: int, bands: tuple[tuple[float, float], ...]) -> torch.Tensor:
    """What the prior is told: (B, CONTROLLED, rows), from controls (B, 6) and told (B,) 1 or 0 (entries are kept from it)."""
    entering = controls[:, 1:4, None]
    own = (entering * _inside(rows, bands, controls.device)).sum(1, keepdim=True)
    entries = torch.cat([own, entering.expand(-1, -1, rows)], 1) * told.view(-1, 1, 1)
    rest = torch.stack([controls[:, 0] * 0.5, controls[:, 4], controls[:, 5], told], 1)[..., None].expand(-1, -1, rows)
    return torch.cat([entries, rest], 1)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)
def _inside(rows: int, bands: tuple[tuple[float, float], ...], device: torch.device) -> torch.Tensor:
    """1 where the middle of a row of cells is in a band, else 0: (bands, rows)."""
    middle = (torch.arange(rows, device=device) + 0.5) / rows
    return torch.stack([(middle >= top) & (middle < bottom) for top, bottom in bands]).float()


class Net(nn.Module):
    """Trunk, light, painter, encoder, prior, mender, sprites, land and finer, with the bank of displacements that fits the
    footage."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.trunk = Trunk(config)
        self.light = Light(config)
        self.painter = Painter(config)
        self.encoder = Encoder(config)
        self.prior = Prior(config)
        self.mender = Mender()
        self.sprites = Sprites(config.height, config.width)
        self.land = Land(config.height, config.classes, config.seeds)
        self.register_buffer("bank", torch.zeros(config.classes, 2))  # px a frame at speed 1, source minus place
        # The least and the greatest that each row's median colour is in the footage, in the picture's mean luma: (2, 3, H).
        self.register_buffer("palette", torch.tensor([0.0, 9.0]).view(2, 1, 1).repeat(1, 3, config.height))
        # How the colours of the rows hang together there: their mean, their spread, the least and the greatest that each may
        # differ from what the modes make of all together, and that its pixels may, and the modes, in spreads: (6 + MODES, 3, H).
        profile = torch.tensor([0.0, 1.0, -9.0, 9.0, -9.0, 9.0, *[0.0] * MODES])
        self.register_buffer("profile", profile.view(-1, 1, 1).repeat(1, 3, config.height))
        self.finer = Finer()
        self.register_buffer("usual", torch.tensor(LIGHT))  # the footage's own light, in which the controls are told
        shape = (config.seeds, 6, config.height, config.width)  # each above the frame before it, so that it moves on
        self.register_buffer("first_frames", torch.zeros(shape, dtype=torch.uint8))
        self.register_buffer("first_speeds", torch.zeros(config.seeds))
        self.register_buffer("first_scenes", torch.zeros(config.seeds))  # the scene of each, where there are several

    def lit(self, controls: torch.Tensor) -> torch.Tensor:
        """Controls (B, 6), brightness and warmth in spreads of the footage's own, -> the same in one scale for all footage.

        So what one footage taught of light holds for the next: 0.3 is the same light in a snowy evening and at noon.
        """
        mean, spread = self.usual.view(2, 2).T  # each of brightness, of warmth
        scale = _scale(self.usual.device)
        light = (mean + 2 * spread * controls[:, 4:] - scale[0]) / (2 * scale[1])
        return torch.cat([controls[:, :4], light], 1)


@functools.lru_cache(maxsize=4)
@torch.inference_mode(False)
def _scale(device: torch.device) -> torch.Tensor:
    """LIGHT as two rows, means and spreads."""
    return torch.tensor(LIGHT, device=device).view(2, 2).T.contiguous()
