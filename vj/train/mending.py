"""What the mender learns from: worlds that were told the footage's codes, held against the footage; and litter.

Such worlds go wrong as all do, but one knows what should be there. Whatever is a pixel or so out of place is not wrong: the
footage is laid to fit first. And as worlds that follow the footage hold less litter than those that dream, pieces from
elsewhere are strewn in: who has seen none would not take them away.
"""

import torch
import torch.nn.functional as F

from vj.model import mender
from vj.model.net import Net
from vj.model.planes import box
from vj.train.losses import class_loss
from vj.train.roughness import Roughness

KEPT = 768  # pictures that are remembered
SHIFTS = (0, 1, -1, 2, -2, 3, -3)  # px by which the footage may be out of place, the first rather
LAZY = 0.0005  # of the error for each of them
NEAR = (7, 9)  # px around each pixel that go with it there
PRICE = 0.008  # of the error (0..1) for a pixel that does not stay: in doubt it does
SCALE = 0.01  # of the errors by which a choice is judged
PIECES, LITTERED = 60, 0.8  # at most in a picture, and the share of those that have any
LOOK = 96  # px of a picture that a lesson looks at
UNLIT = 0.1  # standard deviation of a lesson's light


class Mendings:
    """The newest KEPT moments: lattice, class of each pixel, and the footage's frame then."""

    def __init__(self, rough: Roughness):
        self.rough, self.kept, self._parts = rough, 0, None

    def remember(self, lattice: torch.Tensor, classes: torch.Tensor, truth: torch.Tensor) -> None:
        """lattice, truth (B, 3, H, W) 0..1, classes (B, H, W). Pictures of another size than the first are passed over."""
        moments = ((lattice.clamp(0, 1) * 255).round().byte(), classes.byte(), (truth * 255).round().byte())
        if self._parts is None:
            self._parts = tuple(part.new_empty(KEPT, *part.shape[1:]) for part in moments)
        if moments[0].shape[1:] != self._parts[0].shape[1:]:
            return
        places = (self.kept + torch.arange(len(lattice), device=lattice.device)) % KEPT
        for kept, part in zip(self._parts, moments, strict=True):
            kept[places] = part
        self.kept += len(lattice)

    def grade(self, net: Net, size: int) -> torch.Tensor:
        """How well the mender knows what can stay, in `size` remembered pictures, half of them the footage's own, littered."""
        with torch.no_grad():
            which = (self.rough.random(size) * min(self.kept, KEPT)).long()
            lattice, classes, truth = (part[which] for part in self._parts)
            begin = int(self.rough.random(1) * max(1, lattice.shape[3] - LOOK + 1))
            lattice, classes, truth = (part[..., begin : begin + LOOK] for part in (lattice, classes, truth))
            light = 1 + UNLIT * self.rough.grain(lattice.new_empty(size, 1, 1, 1, dtype=torch.float32))
            lattice, truth = ((part.float() / 255 * light).clamp(0, 1) for part in (lattice, truth))
            truth = laid(truth, lattice)
            lattice = torch.cat([truth[: size // 2], lattice[size // 2 :]])
            lattice, pace = self.littered(lattice, mender.paces(net.bank, classes.long()))
            median = mender.medians(lattice)
            errors = (mender.choices(lattice, median) - truth[:, None]).abs().mean(2)
            errors = (errors + box(errors)) / 2
            errors[:, 1:] += PRICE
        with torch.autocast(lattice.device.type, enabled=False):
            logits = net.mender(lattice, median, pace)
        return class_loss(F.pixel_shuffle(logits.flatten(1, 2), 2), errors, scale=SCALE)

    def littered(self, image: torch.Tensor, pace: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """image (B, 3, H, W) and pace (B, 1, H, W) with pieces from elsewhere in it, one to three rows high."""
        both = torch.cat([image, pace], 1)
        out = both.clone()
        B, _, H, W = both.shape
        for b in range(B):
            some, many, others = self.rough.random(3).tolist()
            source = both[(b + (others < 0.5)) % B]
            for *where, much, plain, takes in self.rough.random(int(PIECES * many) * (some < LITTERED), 9).tolist():
                top, left, long, below, aside, whole = where
                tall, wide = 1 + int(3 * takes**2), min(1 + int(2 / max(1 - long, 0.05)), W)
                y, x, u = int(top * (H - tall)), int(left * (W - wide)), int(aside * (W - wide))
                v = min(max(y + int(48 * (below - 0.5)), 0), H - tall)
                piece, place = source[:, v : v + tall, u : u + wide], out[b, :, y : y + tall, x : x + wide]
                if plain < 0.3:
                    piece = piece.mean((1, 2), keepdim=True)
                moves = torch.tensor([1.0, 1.0, 1.0, float(plain > 0.5)], device=both.device).view(4, 1, 1)
                torn = (self.rough.random(1, tall, wide) < 0.3 + whole).float()
                place += (0.3 + 0.7 * much) * moves * torn * (piece - place)
        return out[:, :3], out[:, 3:]


def laid(truth: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """truth (B, 3, H, W) with each pixel's surroundings moved to where they fit image best, by one of SHIFTS along the row."""
    W, reach = truth.shape[3], max(SHIFTS)
    wide = F.pad(truth, (reach, reach, 0, 0), mode="replicate")
    best, least = truth, torch.inf
    for by in SHIFTS:
        there = wide[..., reach + by : reach + by + W]
        wrong = box((image - there).abs().mean(1, keepdim=True).clamp(max=0.2), *NEAR) + LAZY * abs(by)
        best = torch.where(wrong < least, there, best)
        least = wrong.clamp(max=least)
    return best
