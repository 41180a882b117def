"""More styles of training music: what strikes and is no kick, snare or hat. Toms, and marimbas, pianos, guitars in quick pulses.

With them the second look at the drums learns what not to take for drums. Knows neither sound nor time.
"""

from vj.train.ear.styles import BACK, EIGHTHS, NONE, OFFS, QUARTERS, ROCK_KICKS, SIXTEENTHS, Style

STRUCK = {
    "toms": Style(
        (70, 172),
        drums={
            "tom": (
                "x.x.x.x.x.x.x.x.",
                "x..x..x.x..x..x.",
                "xoxxxoxxxoxxxoxx",
                "..xx..x...xx..x.",
                "x...x.x.x...x.xx",
                "......xx..x...xx",
            ),
            "kick": (*ROCK_KICKS[:6], QUARTERS, NONE),
            "snare": (BACK, BACK, "........x.......", "....x..o.o..x...", NONE),
            "hat": (NONE, NONE, EIGHTHS, QUARTERS),
            "crash": (NONE, NONE, "x..............."),
        },
        swing=0.1,
        weight=2,
        comp=("eighths", "power", "pad", "sync", "none", "stab", "arp"),
        wild=0.08,
    ),
    "toms3": Style(
        (60, 150),
        steps=3,
        drums={
            "tom": ("x.xx.xx.xx.x", "xooxooxooxoo", "..xx.x..xx.x", "x.....x.xxxx"),
            "kick": ("x.....x.....", "x..x..x..x..", "............"),
            "snare": ("...x.....x..", "............"),
            "hat": ("............", "x.xx.xx.xx.x", "x..x..x..x.."),
        },
        weight=0.8,
        comp=("eighths", "pad", "strum", "none"),
        wild=0.06,
    ),
    "pulses": Style(
        (96, 144),
        drums={
            "kick": (QUARTERS, "x.......x.......", *ROCK_KICKS[:4]),
            "snare": (BACK, NONE, "....x..o.o..x..o"),
            "hat": (OFFS, SIXTEENTHS, EIGHTHS, NONE),
            "open": (NONE, OFFS),
        },
        weight=2,
        comp=("phase", "drift", "pulse", "arp", "montuno", "run", "gate"),
        bass=("root8", "root4", "sync", "off", "long"),
        tuned=("struck",),
    ),
    "struck": Style(
        (72, 168),
        weight=3,
        comp=("phase", "drift", "pulse", "arp", "montuno", "alberti", "run", "eighths", "sync", "strum", "gate", "stab"),
        bass=("none", "root4", "root1", "root8", "off", "octave", "tumbao"),
        rubato=0.15,
        tuned=("struck",),
    ),
    "struck3": Style(
        (60, 160),
        steps=3,
        weight=1.5,
        comp=("phase", "drift", "pulse", "arp", "alberti", "run", "nocturne", "waltz", "eighths"),
        bass=("none", "root4", "root1", "root8"),
        rubato=0.2,
        tuned=("struck",),
    ),
}
