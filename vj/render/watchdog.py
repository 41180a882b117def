"""Watches how long pictures take to draw, and says when the look must go. It is told times and looks at no clock."""

LEAST = 0.25  # s that a picture takes at least before anybody worries
TIMES = 6.0  # usual intervals, likewise


class Watchdog:
    """period: s between two pictures, as wanted. worried: the next picture is to be measured without its presenting.

    What holds a picture up may be the display (a covered window, a sleeping monitor): only drawing condemns a look.
    """

    def __init__(self, period: float):
        self._limit = max(LEAST, TIMES * period)
        self.worried = False

    def turn(self, seconds: float, drawn: bool) -> bool:
        """seconds: what the last picture took; drawn: to draw alone. True where what is drawn must become simpler."""
        slow = seconds > self._limit
        condemned = slow and drawn
        self.worried = slow and not drawn
        return condemned
