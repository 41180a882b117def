"""Words on the command line -> Settings -> a show, a film, weights, footage or figures.

Imports wait until they are needed, so that --help answers at once. An error that the operator can mend is one
sentence and exit code 2.
"""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from vj import __version__
from vj.cues import Cue
from vj.errors import VJError
from vj.settings import Settings

VIEWS = ("window", "ahead", "astern", "rising", "falling", "passing")

KEYS = """keys in the window:
  space freeze    b blackout       r new seed    f full screen    up/down speed
  t tap tempo     d head-up display              1...9 looks      Esc twice quits
  0 safe look     o set up the output: test card, corners, colours
  , . half, double tempo           / the bar begins now           [ ] beats earlier, later
  n next footage, of those given with --then                      c cut to another scene, of footage that has several
  h these keys, on the screen"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 0 well, 2 something the operator can mend, 130 Ctrl-C."""
    words = _parser().parse_args(arguments)
    # numpy's matrix products are tiny here: a second thread only waits for the first (41 ms a model frame instead of 14)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        words.run(words)
        sys.stdout.flush()
        return 0
    except VJError as error:
        print(f"vj: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `vj hear song.wav | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


# ------------------------------------------------------------------------------------------------------ the words
def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vj",
        description="A live VJ: a neural network imagines the view from a train window, and music turns its controls.",
        epilog="Start with `vj play`. Every command has help with examples: vj COMMAND --help",
    )
    parser.add_argument("--version", action="version", version=f"vj {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _play(_command(commands, "play", play, "the live show, from a sound file, the demo music or a line-in",
        f"{KEYS}\n\nexamples:\n"
        "  vj play                                        the demo, no hardware needed\n"
        "  vj play song.flac --fullscreen --monitor HDMI-1\n"
        "  vj play --line-in --footage trip.mp4           hears the default input, learns from your film\n"
        "  vj play --line-in 'Scarlett' --midi nano --weights last\n"
        "  vj play song.wav --record show.mp4 --seconds 60"))  # fmt: skip
    _render(_command(commands, "render", render, "the same show from a sound file to a film with its sound",
        "examples:\n"
        "  vj render song.flac -o film.mp4\n"
        "  vj render song.flac -o film.mp4 --size 1920x1080 --fps 60 --seed 7\n"
        "  vj render song.flac -o 2017.mp4 --from-scratch --footage trip.mp4"))  # fmt: skip
    _learn(_command(commands, "learn", learn, "train weights from footage",
        "examples:\n"
        "  vj learn trip.mp4 -o trip.safetensors --minutes 60\n"
        "  vj learn trip.mp4 more/ -o trip.safetensors --from models/starter.safetensors\n"
        "  vj learn trip.mp4 -o trip.safetensors --resume --minutes 60"))  # fmt: skip
    _footage(_command(commands, "footage", footage, "prepare footage: cut, resize, and measure its controls",
        "examples:\n"
        "  vj footage trip.mp4 -o trip\n"
        "  vj footage day1.mov day2.mov pictures/ -o trip --size 160x96"))  # fmt: skip
    _hear(_command(commands, "hear", hear, "print what the ear hears: beats and onsets, in stream order",
        "A beat is `beat_time report_time [position_in_bar]`, an onset `O time KD|SD|HH report_time`; seconds.\n"
        "report_time is how much sound had been heard when it was said.\n\n"
        "examples:\n"
        "  vj hear song.wav\n"
        "  vj hear song.wav | grep -v O > beats.txt\n"
        "  vj hear song.wav --plot heard.png"))  # fmt: skip
    _judge(_command(commands, "judge", judge, "measure weights on footage that they never saw",
        "examples:\n"
        "  vj judge models/starter.safetensors --footage trip.mp4\n"
        "  vj judge last --footage trip.mp4 --frames 1000 --json\n"
        "  vj judge kept/ --footage trip.mp4 --frames 1000 --plot learning.png"))  # fmt: skip
    _command(commands, "devices", devices, "monitors, sound, MIDI and the compute device, by the names options take",
        "example:\n  vj devices")  # fmt: skip
    _bench(_command(commands, "bench", bench, "figures of speed, as ratios in one run",
        "parts:\n"
        "  generator   ms a model frame on one core, and its share of the machine's matrix-product peak\n"
        "  pace        the whole show for --seconds, with and without the trainer: intervals, model, draw, swaps\n"
        "  soak        memory of both processes over --seconds: MB/min\n"
        "  render      seconds of film for a second of work\n"
        "  latency     ms from a sound to its light, on a virtual sound card and screen, over --seconds of hits\n"
        "  stage       ms of each upscaler and look, beside a plain blit; what moving and upscaling are worth on footage\n"
        "  ear         what hearing costs of a core, and how soon a hit is told\n"
        "  all         generator, pace and render\n\n"
        "examples:\n"
        "  vj bench generator\n"
        "  vj bench soak --seconds 600"))  # fmt: skip
    return parser


def _command(commands, name: str, run, summary: str, epilog: str) -> argparse.ArgumentParser:
    shape = argparse.RawDescriptionHelpFormatter
    parser = commands.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.", epilog=epilog, formatter_class=shape
    )
    parser.set_defaults(run=run)
    return parser


def _play(add: argparse.ArgumentParser) -> None:
    add.add_argument("sound", nargs="?", type=Path, metavar="SOUND", help="a sound file; without it the demo music")
    add.add_argument("--line-in", nargs="?", const="", metavar="NAME", help="hear a sound input (see vj devices)")
    add.add_argument("--channels", type=_channels, metavar="3,4", help="the input's channels to hear, from 1")
    add.add_argument("--trim", type=_number(-40, 40), metavar="DB", help="lift what is heard by so much; 0")
    add.add_argument("--monitor", metavar="NAME", help="the monitor to be on, or a part of its name")
    add.add_argument("--fullscreen", action="store_true", help="full screen from the start")
    add.add_argument("--unplugged", choices=("hide", "move"),
                     help="a full screen whose monitor has gone: wait for it (hide) or go to another one")  # fmt: skip
    add.add_argument("--window", type=_size, metavar="WxH", help="size of the window, 1280x720 if not given")
    add.add_argument("--no-window", action="store_true", help="draw without a display (for tests over hours)")
    add.add_argument("--midi", metavar="NAME", help="a MIDI port, or a part of its name; without it the first")
    add.add_argument("--no-learn", action="store_true", help="start no trainer")
    add.add_argument("--seconds-per-update", type=_number(1, 86400), metavar="S", help="of learning, 20 if not given")
    add.add_argument("--record", type=Path, metavar="FILE.mp4", help="record the show with its sound")
    add.add_argument("--look", type=_whole(1, 9), metavar="N", help="look to start with, 1...9")
    add.add_argument("--no-limiter", action="store_true", help="let light flash more than three times a second")
    _common(add)


def _render(add: argparse.ArgumentParser) -> None:
    add.add_argument("sound", nargs="?", type=Path, metavar="SOUND", help="a sound file; without it the demo music")
    add.add_argument("-o", "--output", required=True, type=Path, metavar="FILE.mp4", help="the film")
    add.add_argument("--size", type=_size, metavar="WxH", help="of the film, 1280x720 if not given")
    add.add_argument("--fps", type=_number(1, 240), metavar="N", help="pictures a second, 30 if not given")
    add.add_argument("--steps-per-update", type=_whole(0, 10**6), metavar="N",
                     help="training steps for each 20 s of the show, 60 if not given")  # fmt: skip
    add.add_argument("--no-learn", action="store_true", help="keep the weights as they are")
    add.add_argument("--look", type=_whole(1, 9), metavar="N", help="look, 1...9")
    _common(add)


def _common(add: argparse.ArgumentParser) -> None:
    add.add_argument("--footage", type=Path, metavar="PATH", help="a video, a folder, or what vj footage prepared")
    add.add_argument("--then", action="append", type=_cue, metavar="PATH[@S]",
                     help="footage to go over to when n is pressed, or at that second; again for more")  # fmt: skip
    which = add.add_mutually_exclusive_group()
    which.add_argument("--weights", metavar="FILE", help="weights to start from; 'last' are those of the last show")
    which.add_argument("--from-scratch", action="store_true", help="start from nothing, as in 2017")
    add.add_argument("--no-detail", action="store_true", help="pictures no larger than the network's own, before upscaling")
    add.add_argument("--upscaler", choices=("auto", "plain", "bicubic", "edge", "edge4", "learnt"),
                     help="how the small picture becomes large; auto: the best in time")  # fmt: skip
    add.add_argument("--seed", type=_whole(0, 2**31 - 1), metavar="N", help="the same seed, the same show")
    add.add_argument("--seconds", type=_number(0.1, 10**7), metavar="S", help="end after so many seconds")
    add.add_argument("--table", type=Path, metavar="FILE.toml", help="changes to what music and knobs do")
    add.add_argument("--trace", type=Path, metavar="FILE.npz", help="keep every model frame and what it answered")
    add.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), help="where the network runs")


def _learn(add: argparse.ArgumentParser) -> None:
    add.add_argument("footage", nargs="+", type=Path, metavar="FOOTAGE", help="videos, folders, or prepared footage")
    add.add_argument("-o", "--output", required=True, type=Path, metavar="FILE", help="the weights")
    how_long = add.add_mutually_exclusive_group()
    how_long.add_argument("--minutes", type=_number(0.01, 10**5), metavar="M", help="train so long (10)")
    how_long.add_argument("--steps", type=_whole(1, 10**9), metavar="N", help="train so many steps")
    start = add.add_mutually_exclusive_group()
    start.add_argument("--from", dest="start", type=Path, metavar="FILE", help="go on from these weights")
    start.add_argument("--resume", action="store_true", help="go on from the output file itself")
    add.add_argument("--size", type=_model_size, metavar="WxH", help="of a model frame, 96x54 to 512x288; auto measures (160x96)")
    add.add_argument("--seed", type=_whole(0, 2**31 - 1), default=0, metavar="N")
    add.add_argument("--keep", type=Path, metavar="DIR", help="keep the weights of every 20 s there, for vj judge --plot")
    add.add_argument("--only", choices=("picture", "trunk", "painter", "adversary", "strip", "prior", "dreams", "mender",
                                           "tidying", "sprites", "land", "finer"),
                     help="refine one part: picture; what moves; what fills the edge; the same against a critic of dreams; that "
                     "and its codes; the dice; these by their own dreams too; what mends; the same by dreams too; "
                     "what makes the things that enter; the land behind them; and what gives both their detail")


def _footage(add: argparse.ArgumentParser) -> None:
    add.add_argument("footage", nargs="+", type=Path, metavar="FOOTAGE", help="videos, or folders of pictures")
    add.add_argument("-o", "--output", required=True, type=Path, metavar="DIR", help="folder for what is prepared")
    add.add_argument("--view", choices=VIEWS, help="which way it goes: past a side window, ahead, astern, up or "
                     "down; passing: no way, it is travelled past; else it is looked for")  # fmt: skip
    add.add_argument("--size", type=_model_size, metavar="WxH", help="of a model frame, 96x54 to 512x288; auto measures (160x96)")
    add.add_argument("--fine", action="store_true", help="keep the frames twice as large, too, for vj learn --only finer")


def _hear(add: argparse.ArgumentParser) -> None:
    add.add_argument("sound", type=Path, metavar="SOUND", help="a sound file")
    add.add_argument("--ahead", action="store_true", help="beats and drums in the light of the whole file, not as if live")
    add.add_argument("--plot", type=Path, metavar="OUT.png", help="also draw level, bands, onsets, beats and bars")


def _judge(add: argparse.ArgumentParser) -> None:
    add.add_argument("weights", nargs="+", metavar="WEIGHTS", help="weights files, folders of them, or 'last'")
    add.add_argument("--footage", type=Path, metavar="PATH", help="a video, a folder, or prepared footage")
    add.add_argument("--frames", type=_whole(10, 10**6), default=10_000, metavar="N", help="own frames to roll (10000)")
    add.add_argument("--json", action="store_true", help="print JSON")
    add.add_argument("--plot", type=Path, metavar="OUT.png", help="draw how several weights come on, by their steps")
    add.add_argument("--music", type=Path, metavar="SOUND", help="only: do they play this piece? 'demo' is our own")
    add.add_argument("--drums", type=Path, metavar="FILE", help="when its drums sound: lines of seconds and KD, SD or HH")


def _bench(add: argparse.ArgumentParser) -> None:
    add.add_argument("part", nargs="?", default="all",
                     choices=("generator", "pace", "soak", "render", "latency", "stage", "ear", "all"),
                     metavar="PART", help="generator, pace, soak, render, latency, stage, ear or all")  # fmt: skip
    add.add_argument("--seconds", type=_number(1, 10**6), default=60.0, metavar="S", help="of each show (60)")
    add.add_argument("--footage", nargs="+", type=Path, metavar="VIDEO", help="stage: videos to judge by (the demo's)")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size: write it like 1280x720") from None
    if not (16 <= width <= 16384 and 16 <= height <= 16384):
        raise argparse.ArgumentTypeError(f"{text!r} is out of range: 16x16 to 16384x16384")
    return width, height


def _model_size(text: str) -> tuple[int, int] | str:
    if text == "auto":
        return text
    width, height = _size(text)
    if width % 2 or height % 2 or not (48 <= width <= 1024 and 32 <= height <= 1024):
        raise argparse.ArgumentTypeError(f"{text!r} cannot be a model frame: even numbers from 48x32 to 1024x1024")
    return width, height


def _number(low: float, high: float):
    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from None
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is out of range: {low:g} to {high:g}")
        return value

    return parse


def _whole(low: int, high: int):
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{text!r} must be a whole number from {low} to {high}")
        return int(text)

    return parse


def _channels(text: str) -> tuple[int, ...]:
    parts = text.split(",")
    if not all(part.isdecimal() and 1 <= int(part) <= 256 for part in parts) or len(set(parts)) < len(parts):
        raise argparse.ArgumentTypeError(f"{text!r} names no channels: numbers from 1, such as 3,4")
    return tuple(map(int, parts))


def _cue(text: str) -> Cue:
    try:
        return Cue.parse(text)
    except VJError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _settings(words: argparse.Namespace) -> Settings:
    """The defaults, with every word that was given in its place."""
    given = {name: value for name, value in vars(words).items() if value is not None and hasattr(Settings, name)}
    settings = replace(Settings(), **given)
    settings = replace(settings, then=tuple(settings.then))
    if getattr(words, "no_learn", False):
        settings = replace(settings, learn=False)
    if getattr(words, "no_limiter", False):
        settings = replace(settings, limited=False)
    if getattr(words, "no_detail", False):
        settings = replace(settings, detail=False)
    if settings.sound is not None and settings.line_in is not None:
        raise VJError("Give a sound file or --line-in, not both.")
    if settings.channels is not None and settings.line_in is None:
        raise VJError("--channels chooses among the channels of --line-in; of a file all are heard.")
    return settings


# --------------------------------------------------------------------------------------------------- the commands
def play(words: argparse.Namespace) -> None:
    from vj import live

    settings = _settings(words)
    live.play(replace(settings, window=None) if words.no_window else settings)


def render(words: argparse.Namespace) -> None:
    from vj import offline

    settings = replace(_settings(words), film=words.output)
    if words.size:
        settings = replace(settings, film_size=words.size)
    if words.fps:
        settings = replace(settings, film_fps=words.fps)
    offline.render(settings)


def learn(words: argparse.Namespace) -> None:
    from vj import commands

    how = (words.minutes, words.steps, words.start, words.resume, words.seed, words.keep, words.only or "")
    commands.learn(words.footage, words.output, words.size, *how)


def footage(words: argparse.Namespace) -> None:
    from vj import commands

    commands.footage(words.footage, words.output, words.size, words.view, words.fine)


def hear(words: argparse.Namespace) -> None:
    from vj.audio import hear as hearing  # alone: the ear needs no torch, and starts in a moment

    for line in hearing.hear(words.sound, words.ahead):
        print(line)
    if words.plot:
        from vj.audio import sheet

        sheet.plot(words.sound, words.plot)


def judge(words: argparse.Namespace) -> None:
    from vj import commands

    commands.judge(words.weights, words.footage, words.frames, words.json, words.plot, words.music, words.drums)


def devices(_words: argparse.Namespace) -> None:
    from vj import commands

    commands.devices()


def bench(words: argparse.Namespace) -> None:
    from vj import bench as figures

    figures.run(words.part, words.seconds, words.footage)


if __name__ == "__main__":
    sys.exit(main())
