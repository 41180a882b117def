"""What training spoils on purpose: colours, lines that should have ended, gaps. Who never saw an error never mends one.

Knows no network.
"""

import torch
import torch.nn.functional as F

LEFT, LINES = 0.15, 4  # share of the pictures with lines that should have ended, and how many
SMEARS, SMEARED = 0.7, 44  # share of them that are what stood there, within so many px of the edge
WIDEST = 8  # px of a gap
OFF = 0.1  # share of the pictures with colours other than they are


class Roughness:
    """Dice of a training, on its device; the same seed spoils alike."""

    def __init__(self, device="cpu", seed: int = 0):
        self.device = device
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, *shape: int) -> torch.Tensor:
        """Even, 0..1."""
        return torch.rand(*shape, generator=self.generator).to(self.device)

    def grain(self, like: torch.Tensor) -> torch.Tensor:
        """Normal numbers of like's shape."""
        return torch.randn(like.shape, generator=self.generator).to(self.device)

    def bands(self, like: torch.Tensor) -> torch.Tensor:
        """The last px of each picture, at most WIDEST: 1 there, else 0, of like's shape (B, 1, H, S). What the trunk does not
        yet expect to enter would never be painted, and so never be expected; and a wide gap has more to paint in it."""
        first = like.shape[3] - 1 - (self.random(len(like), 1, 1, 1) * WIDEST).floor()
        return (torch.arange(like.shape[3], device=like.device) >= first).float().expand_as(like)

    def off_colours(self, image: torch.Tensor, toned: float = OFF) -> torch.Tensor:
        """For OFF of the pictures wrong colours row by row near the edge, and for `toned` of them rows of another tone, smooth
        from row to row, to be shown in place of the true ones.

        Who copies its neighbour's colour carries every error on, and in a thousand frames the palette is gone. So
        the edge must be mended from what the code says, and the code foretold from an edge that is a little wrong.
        """
        B, C, H, W = image.shape
        tones, fine = self.tones(image), 0.025 * F.interpolate(self.grain(image.new_empty(B, C, H // 4, 1)), size=(H, 1))
        lot = self.random(B, 1, 1, 1)
        rows = tones * (lot < toned) + fine * (lot < OFF)
        ramp = ((torch.arange(W, device=image.device) - (W - 48)) / 24).clamp(0, 1)
        return rows * ramp + self.leftovers(image)

    def tones(self, image: torch.Tensor) -> torch.Tensor:
        """How much lighter, warmer .. the rows of each picture (B, C, H, W) are to be: (B, C, H, 1), smooth from row to row."""
        coarse = self.grain(image.new_empty(*image.shape[:2], 6, 1))
        return 0.05 * F.interpolate(coarse, size=(image.shape[2], 1), mode="bilinear")

    def leftovers(self, image: torch.Tensor) -> torch.Tensor:
        """For LEFT of the pictures, lines and boxes at the edge in wrong colours, as a thing leaves them that was not ended
        everywhere: who has never seen one goes on with it for ever. Most are what stood there, smeared. (B, C, H, W)."""
        B, _, H, W = image.shape
        off = torch.zeros_like(image)
        y, x = torch.arange(H, device=image.device).view(1, 1, H, 1), torch.arange(W, device=image.device)
        for _ in range(LINES):
            row, tall, where, smears = (self.random(B, 1, 1, 1) for _ in range(4))
            row = (row * H).floor()
            line = image.gather(2, row.long().expand(-1, image.shape[1], -1, W))
            stands = (line - line[..., -1:]).abs().mean(1, keepdim=True) * self.random(B, 1, 1, W)
            last = torch.where(smears < SMEARS, stands[..., -SMEARED:].argmax(3, keepdim=True) + W - SMEARED, W - 2 - 60 * where)
            colour = image.gather(3, last.long().clamp(0, W - 1).expand(-1, image.shape[1], H, -1)) - image
            plain = 0.25 * self.grain(off[:, :1, :1, :1]) + 0.06 * self.grain(off[:, :, :1, :1])
            inside = ((y - row).abs() < 0.5 + torch.where(smears < SMEARS, 8 * tall**4, tall)) & (x >= last)
            off = torch.where(inside, torch.where(smears < SMEARS, colour, plain), off)
        return off * (self.random(B, 1, 1, 1) < LEFT)
