"""Watches how long pictures take to draw, and says when the look must go. It is told times and looks at no clock."""

LEAST = 0.25  # s that a picture takes at least before anybody worries
TIMES = 6.0  # usual intervals, likewise
ENDLESS = 2.0  # s after which one picture is enough
PATIENCE = 2  # slow pictures in a row otherwise


class Watchdog:
    """period: s between two pictures, as wanted."""

    def __init__(self, period: float):
        self._limit = max(LEAST, TIMES * period)
        self._slow = 0  # in a row

    def turn(self, seconds: float) -> bool:
        """seconds: what the last picture took to draw and present. True where what is drawn must become simpler."""
        self._slow = self._slow + 1 if seconds > self._limit else 0
        if self._slow < PATIENCE and seconds < max(ENDLESS, self._limit):
            return False
        self._slow = 0
        return True
