"""A few lines of text over the picture: drawn once by OpenCV when they change, then only a small rectangle for GL."""

import cv2
import moderngl
import numpy as np

from vj.render.window import KEYS

HELP_LINES = tuple(f"{key:<10} {what}" for key, what in KEYS)


def draw_text(lines: tuple[str, ...], line_height: int) -> np.ndarray:
    """uint8 (h, w) mask, top row first, of the lines with a margin; columns parted by two spaces or more line up."""
    scale = line_height / 30.0
    rows = [[part.strip() for part in line.replace("\t", "  ").split("  ") if part.strip()] for line in lines]

    def width(text: str) -> int:
        return cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]

    gap = line_height
    first = max((width(row[0]) for row in rows if len(row) > 1), default=0)  # a column of names before the rest
    places = []
    for number, row in enumerate(rows):
        x = gap // 2
        for column, part in enumerate(row):
            places.append((part, x, int((number + 0.95) * line_height)))
            x += (max(width(part), first) if column == 0 and len(row) > 1 else width(part)) + gap
    wide = max((x + width(part) for part, x, _ in places), default=1) + gap // 2
    mask = np.zeros((int((len(rows) + 0.5) * line_height), wide), np.uint8)
    for part, x, y in places:
        cv2.putText(mask, part, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, 1, cv2.LINE_AA)
    return mask


class Text:
    """A block of lines as a texture, drawn again only when the lines or the size of the screen change."""

    def __init__(self, context: moderngl.Context):
        self._context, self._shown, self.texture = context, None, None

    def turn(self, lines: tuple[str, ...], screen_height: int) -> moderngl.Texture:
        """The texture, one channel, top row first."""
        line_height = max(12, min(40, screen_height // 34))
        if self._shown != (lines, line_height):
            mask = draw_text(lines, line_height)
            if self.texture is None or self.texture.size != mask.shape[::-1]:
                if self.texture is not None:
                    self.texture.release()
                self.texture = self._context.texture(mask.shape[::-1], 1, alignment=1)
                self.texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            self.texture.write(mask.tobytes(), alignment=1)
            self._shown = (lines, line_height)
        return self.texture
