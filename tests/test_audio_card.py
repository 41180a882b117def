"""Line-in and playing through a virtual sound card: PulseAudio with a null sink, started and ended by the test."""

import shutil
import subprocess
import time

import numpy as np
import pytest
import soundfile

from vj.audio import source
from vj.audio.features import FeatureExtractor
from vj.audio.listener import Listener
from vj.audio.source import RATE, FilePlayer, LineIn, devices
from vj.errors import SoundError
from vj.signals import AudioFeatures

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="pulseaudio is not installed"),
]
SINK = ["module-null-sink", "sink_name=vj", f"rate={RATE}", "channels=2", "norewinds=1"]


class Card:
    """A PulseAudio server whose only card is the null sink `vj`; what is played there is heard as line-in."""

    def __init__(self, home):
        self.home = home
        self.server = None
        self.players = []

    def start(self):
        self.server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--realtime=no",
             "--high-priority=no", "-L", "module-native-protocol-unix auth-anonymous=1", "-L", " ".join(SINK)],
            stderr=subprocess.DEVNULL,
        )
        until(lambda: self.ctl("info").returncode == 0)
        self.prefer()

    def ctl(self, *words):
        return subprocess.run(["pactl", *words], capture_output=True, text=True)

    def prefer(self):
        self.ctl("set-default-sink", "vj")
        self.ctl("set-default-source", "vj.monitor")

    def unplug(self):
        modules = self.ctl("list", "short", "modules").stdout.splitlines()
        self.ctl("unload-module", next(m.split()[0] for m in modules if "sink_name=vj" in m))

    def plug(self):
        self.ctl("load-module", *SINK)
        self.prefer()

    def play(self, path):
        self.players.append(subprocess.Popen(["paplay", "--device=vj", str(path)], stderr=subprocess.DEVNULL))

    def end(self):
        for process in [*self.players, self.server]:
            process.kill()
            process.wait()
        self.players.clear()


def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def card(tmp_path, monkeypatch):
    home = tmp_path / "run"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{home}/pulse/native")
    card = Card(home)
    card.start()
    source._restart()
    yield card
    card.end()


@pytest.fixture
def song(tmp_path):
    """20 s of a 120 bpm click on a soft tone, mono."""
    t = np.arange(20 * RATE) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 330 * t) + 0.7 * np.sin(2 * np.pi * 1000 * t) * np.exp(-(t % 0.5) / 0.02)
    soundfile.write(tmp_path / "song.wav", sound, RATE)
    return tmp_path / "song.wav"


def test_what_is_played_is_heard(card, song):
    assert "pulse" in devices().inputs
    with LineIn("pulse") as line, Listener(line, FeatureExtractor()) as listener:
        card.play(song)
        until(lambda: listener.features.loudness > 0.3)
        until(lambda: listener.features.tempo > 0)
        assert abs(listener.features.tempo - 120) < 2
        assert listener.alive


def test_an_unknown_input_is_one_sentence(card):
    with pytest.raises(SoundError, match=r"'banjo' cannot be opened.*pulse"):
        LineIn("banjo")


def test_channels_are_chosen_and_those_it_lacks_are_refused(card, song, tmp_path):
    sound, rate = soundfile.read(song)
    soundfile.write(tmp_path / "left.wav", np.stack([sound, 0 * sound], 1), rate)
    with (
        LineIn("pulse", channels=(1,)) as left, Listener(left, FeatureExtractor()) as one,
        LineIn("pulse", channels=(2,)) as right, Listener(right, FeatureExtractor()) as other,
    ):  # fmt: skip
        card.play(tmp_path / "left.wav")
        until(lambda: one.features.loudness > 0.3)
        assert other.features.loudness == 0.0
    with pytest.raises(SoundError, match=r"channels, 900 is asked for"):
        LineIn("pulse", channels=(899, 900))


def test_unplugged_and_plugged_again(card, song):
    with LineIn("pulse") as line, Listener(line, FeatureExtractor()) as listener:
        card.play(song)
        until(lambda: listener.features.loudness > 0.3)
        card.unplug()
        until(lambda: listener.features.loudness == 0.0)
        asleep = listener.features.time
        until(lambda: listener.features.time > asleep + 1.0)  # time goes on without a card
        card.plug()
        card.play(song)
        until(lambda: listener.features.loudness > 0.3, 4.0)


def test_the_server_dies_and_comes_back(card, song):
    with LineIn("pulse") as line, Listener(line, FeatureExtractor()) as listener:
        card.play(song)
        until(lambda: listener.features.loudness > 0.3)
        card.end()
        until(lambda: listener.features.loudness == 0.0)
        card.start()
        card.play(song)
        until(lambda: listener.features.loudness > 0.3, 4.0)


def test_a_played_file_is_heard_when_it_sounds(card, song):
    """What the player yields and what comes out of the card agree to a few hundredths of a second."""
    with FilePlayer(song) as player, LineIn("pulse") as line:
        assert player.audible
        marks = {}
        ours, theirs = Listener(player, Clicks(marks, "ours")), Listener(line, Clicks(marks, "theirs"))
        with theirs, ours:
            until(lambda: len(marks.get("ours", ())) > 8 and len(marks.get("theirs", ())) > 8, 12.0)
    late = [min((t - o for t in marks["theirs"]), key=abs) for o in marks["ours"][2:7]]
    assert abs(np.median(late)) < 0.12


class Clicks:
    """Stands for an extractor: notes at what time loud blocks come."""

    hop = 480

    def __init__(self, marks, name):
        self.marks, self.loud = marks.setdefault(name, []), False

    def feed(self, block):
        loud = float(np.abs(block).max()) > 0.4
        if loud and not self.loud:
            self.marks.append(time.monotonic())
        self.loud = loud
        return AudioFeatures()
