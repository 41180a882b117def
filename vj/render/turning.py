"""From one footage's way of going to another's: which view the picture is laid back to, and how far. Knows no OpenGL."""

from dataclasses import replace

from vj.view import INNER, KINDS, WINDOW, View

SECONDS = 3.0  # from one way to another


class Turning:
    """turn(view, dt) with each picture."""

    def __init__(self):
        self._view: View = WINDOW  # what is laid back now
        self._share: float | None = None  # 0 as laid out .. 1 laid back; None before the first picture
        self._world = 0

    def turn(self, view: View, dt: float, world: int = 0) -> dict[str, object]:
        """What shaders/unroll.glsl wants (u_view, u_turned) for pictures laid out so, dt s after the last; {} while they are
        shown as they are. The first view of a world is there at once, another comes gently: what is laid back goes flat first."""
        if self._share is None or world != self._world:
            self._world = world
            self._view, self._share = view, 0.0 if view.is_flat else 1.0
        if self._share <= 0.0:
            self._view = view
        change, old = dt / SECONDS, self._view
        if view.is_flat or view.kind != old.kind:
            self._share = max(0.0, self._share - change)
        else:  # its vanishing point may have wandered
            near = min(3 * change, 1.0)
            self._share = min(1.0, self._share + change)
            self._view = replace(view, x=old.x + near * (view.x - old.x), y=old.y + near * (view.y - old.y))
        if self._share <= 0.0:
            return {}
        place = (float(KINDS.index(self._view.kind)), self._view.x, self._view.y, INNER)
        return {"u_view": place, "u_turned": self._share}
