"""The styles that training music is made in: what drums play, and which basses and chords may go with them.

Patterns are strings of steps: X strong, x usual, o soft, . nothing. Knows neither sound nor time.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Style:
    """bpm: range; beats: in a bar; steps: in a beat; drums: a choice for each group; swing: share of long-short."""

    bpm: tuple[float, float]
    beats: int = 4
    steps: int = 4
    drums: dict[str, tuple[str, ...]] = field(default_factory=dict)
    swing: float = 0.0  # chance
    weight: float = 1.0
    comp: tuple[str, ...] = ("pad", "arp", "stab", "eighths", "strum", "off")
    bass: tuple[str, ...] = ("root8", "root4", "kick", "sync", "walk")
    rubato: float = 0.0  # chance of a free tempo
    tuned: tuple[str, ...] = ("keys", "guitar", "organ", "string", "pad", "lead", "wind", "mallet", "drive")
    wild: float = 0.05  # chance that a step of a pattern is altered


NONE = "." * 16
BACK = "....x.......x..."
EIGHTHS, QUARTERS, SIXTEENTHS, OFFS = "x.o.x.o.x.o.x.o.", "x...x...x...x...", "xoxoxoxoxoxoxoxo", "..x...x...x...x."
ROCK_KICKS = (
    "x.......x.......",
    "x.....x.x.......",
    "x.......x.x.....",
    "x..x....x.......",
    "x.x.....x.x.....",
    "x......xx.......",
    "x.....x..xx.....",
    "x.......x.....x.",
    "x..x..x...x.....",
    "x.x...x.x.x...x.",
)
STYLES = {
    "rock": Style(
        (72, 168),
        drums={
            "kick": ROCK_KICKS,
            "snare": (BACK, BACK, "....x.......x..o", "....x..o.o..x..."),
            "hat": (EIGHTHS, EIGHTHS, QUARTERS, SIXTEENTHS),
        },
        weight=4,
        comp=("eighths", "strum", "pad", "power", "stab", "arp"),
    ),
    "pop": Style(
        (84, 140),
        drums={"kick": (*ROCK_KICKS, QUARTERS), "snare": (BACK,), "hat": (EIGHTHS, SIXTEENTHS), "clap": (NONE, BACK)},
        weight=2,
    ),
    "fast": Style(
        (150, 208),
        drums={"kick": ROCK_KICKS[:5], "snare": (BACK,), "hat": (QUARTERS, EIGHTHS), "crash": (NONE, QUARTERS)},
        weight=3,
        comp=("power", "eighths", "strum"),
        tuned=("drive", "guitar", "lead", "organ"),
    ),
    "polka": Style(
        (95, 140),
        drums={"kick": ("x...x...x...x...",), "snare": ("..x...x...x...x.",), "hat": (EIGHTHS, NONE)},
        weight=0.6,
        comp=("power", "off", "eighths"),
    ),
    "metal": Style(
        (90, 205),
        drums={
            "kick": ("xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.", "x.xxx.xxx.xxx.xx", "xx..xx..xx..xx..", "x.x.x.xxx.x.x.xx"),
            "snare": (BACK, BACK, "........x......."),
            "ride": (NONE, QUARTERS),
            "crash": (QUARTERS, "x.......x......."),
            "hat": (EIGHTHS, NONE),
        },
        weight=3,
        comp=("power", "gallop", "chug"),
        tuned=("drive",),
        bass=("root8", "root16", "kick"),
    ),
    "blast": Style(
        (120, 200),
        drums={"kick": ("x.x.x.x.x.x.x.x.",), "snare": (".x.x.x.x.x.x.x.x", "x.x.x.x.x.x.x.x."), "ride": (QUARTERS, EIGHTHS)},
        weight=0.5,
        comp=("power", "chug"),
        tuned=("drive",),
        bass=("root8", "root16"),
    ),
    "house": Style(
        (112, 134),
        drums={
            "kick": (QUARTERS,),
            "clap": (BACK, BACK, NONE),
            "open": (OFFS, OFFS, NONE),
            "hat": (SIXTEENTHS, EIGHTHS, OFFS, NONE),
            "shaker": (NONE, SIXTEENTHS),
        },
        swing=0.3,
        weight=3,
        comp=("stab", "off", "arp", "pad", "sync"),
        bass=("off", "sync", "root8", "kick", "gallop"),
        tuned=("lead", "pad", "keys", "organ", "string"),
    ),
    "techno": Style(
        (122, 150),
        drums={
            "kick": (QUARTERS,),
            "hat": (OFFS, SIXTEENTHS, NONE),
            "snare": (NONE, BACK),
            "open": (OFFS, NONE),
            "tom": (NONE, "...x..x....x..x."),
        },
        weight=2,
        comp=("arp", "sync", "pad", "stab", "pulse"),
        bass=("off", "root16", "gallop", "sync"),
        tuned=("lead", "pad", "bass"),
    ),
    "trance": Style(
        (128, 182),
        drums={"kick": (QUARTERS,), "clap": (BACK, NONE), "open": (OFFS,), "hat": (SIXTEENTHS, NONE)},
        weight=2.5,
        comp=("arp", "pulse", "gate", "pad"),
        bass=("off", "gallop", "root16"),
        tuned=("lead", "pad", "string"),
    ),
    "dnb": Style(
        (156, 182),
        drums={
            "kick": ("x.........x.....", "x.x.......xx....", "x.....x...x.....", "x..x......x....."),
            "snare": (BACK, "....x..o.o..x..o", "....x..x.x..x...", "....x.......x.x."),
            "hat": (EIGHTHS, SIXTEENTHS),
            "ride": (NONE, EIGHTHS),
        },
        weight=3,
        comp=("pad", "arp", "stab", "none"),
        bass=("sync", "long", "kick"),
        tuned=("lead", "pad", "keys", "string"),
        wild=0.08,
    ),
    "hiphop": Style(
        (68, 108),
        drums={
            "kick": ("x..x......x.....", "x......x..x.....", "x.x.....x.x.....", "x.....xx..x....."),
            "snare": (BACK,),
            "hat": (EIGHTHS, SIXTEENTHS, "x.oxx.o.x.oxx.o."),
        },
        swing=0.5,
        weight=2,
        comp=("stab", "pad", "arp", "none", "sync"),
        bass=("kick", "sync", "long"),
    ),
    "breaks": Style(
        (96, 142),
        drums={
            "kick": ("x.x.......x..x..", "x..x..x...x.....", "x......x.xx....."),
            "snare": ("....x..o.o..x...", "....x..x....x..o", BACK),
            "hat": (SIXTEENTHS, EIGHTHS),
        },
        swing=0.3,
        weight=2,
        wild=0.08,
    ),
    "funk": Style(
        (88, 124),
        drums={
            "kick": ("x.x.......x..x..", "x..x..x...x..x..", "x.....x..xx....."),
            "snare": ("....x..o.o..x..o", "....x..x.x..x...", BACK),
            "hat": (SIXTEENTHS, EIGHTHS),
        },
        swing=0.3,
        weight=2,
        comp=("sync", "stab", "eighths"),
        bass=("sync", "kick"),
    ),
    "half": Style(
        (70, 100),
        drums={
            "kick": ("x..x..x.........", "x.....x...x.....", "x.........xx...."),
            "snare": ("........x.......", "........X..o...."),
            "hat": (EIGHTHS, SIXTEENTHS, QUARTERS),
        },
        weight=1.5,
    ),
    "reggae": Style(
        (64, 98),
        drums={
            "kick": ("........x.......", "x.......x.......", QUARTERS),
            "snare": ("........x.......", BACK),
            "hat": (EIGHTHS, SIXTEENTHS),
        },
        swing=0.4,
        weight=2,
        comp=("skank", "off", "skank"),
        bass=("sync", "long", "root4"),
    ),
    "ska": Style(
        (120, 170),
        drums={"kick": ("x.......x.......", QUARTERS), "snare": (BACK,), "hat": (OFFS, EIGHTHS)},
        comp=("off", "skank"),
        bass=("walk", "root8"),
    ),
    "disco": Style(
        (104, 132),
        drums={"kick": (QUARTERS,), "snare": (BACK,), "open": (OFFS,), "hat": (SIXTEENTHS, EIGHTHS)},
        weight=1.2,
        bass=("octave", "walk", "sync"),
    ),
    "latin": Style(
        (84, 130),
        drums={
            "kick": ("x..xx..xx..xx..x", "......x.......x.", "x.......x......."),
            "stick": ("x..x..x...x.x...", "..x.x...x..x..x."),
            "shaker": (SIXTEENTHS, EIGHTHS),
            "hand": ("x..xo.xxo..xo.xx", "..x...xx..x...xx", NONE),
        },
        weight=2,
        comp=("montuno", "sync", "strum", "stab"),
        bass=("tumbao", "sync"),
        tuned=("keys", "guitar", "mallet", "wind"),
    ),
    "bossa": Style(
        (112, 165),
        drums={"kick": ("x..xx..xx..xx..x",), "stick": ("x..x..x...x..x..",), "hat": (EIGHTHS,), "shaker": (SIXTEENTHS, NONE)},
        comp=("sync", "strum", "pad"),
        bass=("root4", "tumbao"),
        weight=0.8,
    ),
    "afro": Style(
        (96, 126),
        drums={
            "kick": ("x..x..x...x.....", "x.....x.x.....x."),
            "stick": ("x..x..x...x.x...",),
            "hand": ("x.xxo.xx.xo.x.xx", "x..x..xx..x.x.x."),
            "shaker": (SIXTEENTHS,),
        },
        comp=("arp", "sync", "montuno"),
        bass=("sync",),
        tuned=("guitar", "mallet", "keys"),
    ),
    "train": Style(
        (92, 128),
        drums={"snare": ("ooxoooxoooxoooxo",), "kick": ("x...x...x...x...", "x.......x.......")},
        comp=("strum", "off", "arp"),
        bass=("root4", "walk"),
        tuned=("guitar",),
        weight=0.8,
    ),
    "march": Style(
        (96, 132),
        drums={
            "kick": ("x.......x.......", QUARTERS),
            "snare": ("x.xxx.x.x.xxxxx.", "x...x.xxx...x.x."),
            "crash": (NONE, "x.......x......."),
        },
        comp=("off", "stab"),
        bass=("root4",),
        tuned=("wind", "string"),
        weight=0.8,
    ),
    "swing": Style(
        (100, 215),
        steps=3,
        drums={
            "ride": ("x..x.ox..x.o", "x..x..x..x.o", "x..x.ox..x.o"),
            "hat": ("...x.....x..",),
            "kick": ("o..o..o..o..", "............", "x.....o....."),
            "snare": (".....o.....o", "............", "..o.....o..."),
        },
        weight=3,
        comp=("jazz", "stab", "pad"),
        bass=("walk", "walk", "root4"),
        tuned=("keys", "guitar", "wind", "mallet"),
        wild=0.06,
    ),
    "brushes": Style(
        (56, 200),
        steps=3,
        drums={
            "ride": ("............", "............", "x..x.ox..x.o"),
            "hat": ("...x.....x..", "............"),
            "kick": ("............", "o..o..o..o..", "x.....o....."),
            "brush": ("x.ox.ox.ox.o", "o..x.oo..x.o", "x..x..x..x..", "..ox..o..x.o"),
            "stir": ("x..x..x..x..", "x.....x.....", "............"),
        },
        weight=1,
        comp=("jazz", "pad", "strum", "nocturne"),
        bass=("walk", "root4", "root1"),
        tuned=("keys", "guitar", "wind", "mallet"),
        wild=0.06,
    ),
    "ballad": Style(
        (48, 96),
        drums={
            "kick": ("x.......x.......", "x.....x.x.......", "x..........x...."),
            "brush": (BACK, "....x..o.o..x..o", "o.o.x.o.o.o.x.o."),
            "stir": (QUARTERS, NONE),
            "stick": (NONE, NONE, BACK),
            "hat": (EIGHTHS, NONE, QUARTERS),
        },
        weight=1,
        comp=("arp", "pad", "strum", "nocturne", "alberti"),
        bass=("root1", "root4", "sync"),
        rubato=0.15,
    ),
    "ghosts": Style(
        (70, 132),
        drums={
            "kick": ROCK_KICKS,
            "snare": ("..o.x..o.o..x..o", ".o..x.oo.o.ox..o", "o.ooX.ooo.ooX.oo", "....x..o.oo.x.oo", ".oo.X..o..o.X.o."),
            "hat": (EIGHTHS, SIXTEENTHS, QUARTERS, NONE),
        },
        swing=0.25,
        weight=2,
        comp=("eighths", "sync", "strum", "stab", "power"),
        bass=("sync", "kick", "root8"),
    ),
    "shuffle": Style(
        (76, 150),
        steps=3,
        drums={
            "kick": ("x.....x.....", "x..x..x..x..", "x....xx....."),
            "snare": ("...x.....x..",),
            "hat": ("x.ox.ox.ox.o", "xooxooxooxoo", "x..x..x..x.."),
        },
        weight=2,
        comp=("stab", "jazz", "strum", "eighths"),
        bass=("walk", "root4", "root8"),
    ),
    "slow12": Style(
        (44, 80),
        steps=3,
        drums={"kick": ("x.....x.....", "x....xx....."), "snare": ("...x.....x..",), "hat": ("xooxooxooxoo",)},
        weight=1.5,
        comp=("arp", "pad", "eighths"),
        bass=("root4", "walk"),
    ),
    "waltz": Style(
        (78, 190),
        beats=3,
        drums={
            "kick": ("x...........", "x.......o..."),
            "snare": ("....x...x...", "....o...o...", "........x..."),
            "hat": ("x...x...x...", "x.o.x.o.x.o.", "............"),
            "ride": ("............", "x...x...x..."),
        },
        weight=2,
        comp=("waltz", "arp", "pad", "waltz"),
        bass=("root1", "root4"),
    ),
    "five": Style(
        (90, 180),
        beats=5,
        drums={
            "kick": ("x.....x.....x.......", "x...........x......."),
            "snare": ("....x...........x...", "........x.......x..."),
            "hat": ("x.o.x.o.x.o.x.o.x.o.", "x...x...x...x...x..."),
        },
        weight=0.8,
    ),
    "seven": Style(
        (100, 180),
        beats=7,
        drums={
            "kick": ("x.......x.......x...........",),
            "snare": ("....x.......x.......x...x...", "....x.......x...........x..."),
            "hat": ("x.o.x.o.x.o.x.o.x.o.x.o.x.o.", "x...x...x...x...x...x...x..."),
        },
        weight=0.6,
    ),
    "hands": Style(
        (76, 150),
        drums={
            "hand": ("x..xo.xxo..xo.xx", "x.xxo.xx.xo.x.xx", "x.oxx.ox.xo.x.xo", "x..x..x.x..x..x.", "xooxxoxoxooxxoxo"),
            "shaker": (SIXTEENTHS, EIGHTHS, NONE),
            "clap": (NONE, BACK),
        },
        weight=1,
        comp=("strum", "arp", "pad", "none"),
    ),
    "click": Style(
        (60, 200), drums={"stick": (QUARTERS, EIGHTHS), "hat": (NONE, QUARTERS)}, weight=0.4, comp=("none", "pad", "arp")
    ),
    "beatless": Style(
        (66, 160),
        weight=4,
        comp=("arp", "eighths", "strum", "pulse", "alberti", "sync", "montuno", "gate"),
        bass=("none", "root4", "root1", "root8", "walk"),
        rubato=0.25,
    ),
    "minimal": Style(
        (88, 150),
        steps=4,
        beats=3,
        weight=2,
        comp=("phase", "phase", "drift", "drift", "pulse"),
        bass=("none", "root1"),
        tuned=("keys", "mallet", "guitar", "wind"),
    ),
    "minimal4": Style(
        (80, 140),
        steps=3,
        beats=4,
        weight=1,
        comp=("phase", "drift", "pulse"),
        bass=("none", "root1"),
        tuned=("keys", "mallet", "guitar", "wind"),
    ),
    "etude": Style(
        (55, 190),
        weight=4,
        comp=("alberti", "run", "prelude", "nocturne", "blocks", "march", "waltz"),
        bass=("none", "root4", "root1"),
        rubato=0.75,
        tuned=("keys", "keys", "string", "guitar"),
    ),
    "etude3": Style(
        (55, 190),
        weight=2,
        beats=3,
        comp=("alberti", "run", "prelude", "nocturne", "waltz", "blocks"),
        bass=("none", "root1"),
        rubato=0.75,
        tuned=("keys", "keys", "string"),
    ),
    "slow": Style(
        (32, 62),
        weight=1.5,
        comp=("prelude", "run", "alberti", "nocturne"),
        bass=("none",),
        rubato=0.6,
        tuned=("keys", "string", "guitar"),
    ),
    "etude6": Style(
        (50, 130),
        steps=3,
        weight=1.5,
        comp=("nocturne", "run", "prelude"),
        bass=("none", "root4"),
        rubato=0.75,
        tuned=("keys", "string", "guitar"),
    ),
    "chorale": Style(
        (56, 120), weight=3, comp=("chorale",), bass=("none",), rubato=0.6, tuned=("organ", "voice", "string", "wind", "keys")
    ),
    "chorale3": Style(
        (60, 130),
        beats=3,
        weight=0.7,
        comp=("chorale",),
        bass=("none",),
        rubato=0.6,
        tuned=("organ", "voice", "string", "wind", "keys"),
    ),
}
