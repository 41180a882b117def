"""Messages to knobs; and a real controller in another process, through JACK, that comes, goes and comes back."""

import os
import shutil
import subprocess
import sys
import time

import pytest
from test_controls import DEFAULT

from vj.errors import MidiError
from vj.midi import Decoder, KnobTable, NoMidi, open_midi, ports
from vj.signals import Knobs

TABLE = KnobTable.parse(DEFAULT["midi"])


def play(port: str, *messages: tuple[int, int, int]) -> Knobs:
    decoder, knobs = Decoder(TABLE, port), Knobs()
    for message in messages:
        knobs = decoder.turn(knobs, list(message))
    return knobs


@pytest.mark.parametrize("cc", [1, 21, 70])
def test_knob_one_of_an_unknown_controller_is_speed(cc):
    low, high = TABLE.ranges["speed"]
    assert play("Any knobs", (0xB0, cc, 0)).speed == low
    assert play("Any knobs", (0xB5, cc, 127)).speed == high  # any channel
    assert low < play("Any knobs", (0xB0, cc, 64)).speed < high


def test_a_controller_by_its_name_has_its_own_knobs():
    assert play("nanoKONTROL2:nanoKONTROL2 MIDI 1", (0xB0, 16, 127)).speed == TABLE.ranges["speed"][1]
    assert play("nanoKONTROL2:nanoKONTROL2 MIDI 1", (0xB0, 1, 0)) == Knobs()
    assert play("Any knobs", (0xB0, 16, 0)) == Knobs()


def test_look_is_a_whole_number_from_one_to_nine():
    looks = [play("x", (0xB0, 5, value)).look for value in range(128)]
    assert looks[0] == 1 and looks[-1] == 9 and set(looks) == set(range(1, 10))
    assert all(isinstance(look, int) for look in looks)
    assert play("x", (0x90, 42, 100)).look == 3


def test_pads_press_and_switch():
    assert play("x", (0x90, 36, 90), (0x80, 36, 0), (0x90, 36, 1), (0x90, 36, 0)).resets == 2
    assert play("x", (0x90, 38, 90), (0x80, 38, 64)).blackout is True
    assert play("x", (0x90, 38, 90), (0x90, 38, 0), (0x90, 38, 90)).blackout is False


def test_a_knob_as_a_button_counts_when_it_passes_the_middle():
    rising = [(0xB0, 6, value) for value in (0, 30, 63, 64, 90, 127, 100, 64, 63, 64)]
    assert play("x", *rising).resets == 2
    assert play("x", (0xB0, 7, 127), (0xB0, 7, 0)).freeze is True


def test_what_is_not_in_the_table_changes_nothing():
    noise = [(0xF8,), (0xC0, 5), (0xB0, 119, 3), (0x90, 100, 3), (0xE0, 1, 1), (), (0xF0, 1, 2, 3, 0xF7), (0xA0, 36, 9)]
    assert play("x", *noise) == Knobs()


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"range": {"speed": [0, 9]}, "controller": {}},
        {"range": {"speed": [0]}, "controller": {}},
        {"range": {}, "controller": {"x": {"cc": {"1": "explode"}}}},
        {"range": {}, "controller": {"x": {"cc": {"128": "speed"}}}},
        {"range": {}, "controller": {"x": {"note": {"one": "speed"}}}},
        {"range": {}, "controller": {"x": {"cc": {"1": ["speed"]}}}},
        {"range": {}, "controller": ["x"]},
    ],
)
def test_a_wrong_table_is_one_sentence(wrong):
    with pytest.raises(MidiError):
        KnobTable.parse(wrong)


def test_no_midi_has_the_same_face():
    with NoMidi() as midi:
        assert midi.turn(Knobs(speed=3.0)) == Knobs(speed=3.0) and midi.port == ""


def test_a_named_port_that_is_not_there_is_one_sentence():
    with pytest.raises(MidiError, match="no such knobs"):
        open_midi("no such knobs", TABLE)


# ------------------------------------------------------------------------------------------- a real controller
CONTROLLER = """
import sys, time, rtmidi
out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, "FakeKnobs")
out.open_virtual_port("out")
print("ready", flush=True)
for line in sys.stdin:
    out.send_message([int(word) for word in line.split()])
    time.sleep(0.005)
out.close_port()
out.delete()
"""


class Controller:
    """A virtual controller in a process of its own."""

    def __init__(self):
        self._process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout.readline() == "ready\n"

    def send(self, *message: int) -> None:
        print(*message, file=self._process.stdin, flush=True)

    def __enter__(self) -> "Controller":
        return self

    def __exit__(self, *_) -> None:
        self._process.stdin.close()
        self._process.wait(timeout=10)


@pytest.fixture
def jack(monkeypatch):
    if not shutil.which("jackd") or os.path.exists("/dev/snd/seq"):
        pytest.skip("needs jackd, and a machine without ALSA's sequencer")
    name = f"vjtest{os.getpid()}"
    monkeypatch.setenv("JACK_DEFAULT_SERVER", name)
    monkeypatch.setenv("JACK_NO_START_SERVER", "1")
    monkeypatch.setenv("JACK_NO_AUDIO_RESERVATION", "1")
    command = ["jackd", "--no-realtime", "--name", name, "-d", "dummy", "-r", "48000", "-p", "256"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 10
    while subprocess.run(["jack_lsp"], capture_output=True).returncode and time.monotonic() < until:
        time.sleep(0.05)
    yield
    server.terminate()
    server.wait(timeout=10)


def follow(midi, knobs: Knobs, wanted, seconds: float = 10.0) -> Knobs:
    """Polls as the show does, 60 times a second, until the knobs are as wanted."""
    until = time.monotonic() + seconds
    while not wanted(knobs) and time.monotonic() < until:
        knobs = midi.turn(knobs)
        time.sleep(1 / 60)
    assert wanted(knobs), (knobs, midi.port)
    return knobs


@pytest.mark.real
def test_a_controller_moves_speed_and_seed_and_survives_a_replug(jack):
    high = TABLE.ranges["speed"][1]
    with open_midi(None, TABLE) as midi:
        knobs = midi.turn(Knobs())
        with Controller() as controller:
            follow(midi, knobs, lambda _: "FakeKnobs" in midi.port)
            assert any("FakeKnobs" in name for name in ports())
            controller.send(0xB0, 1, 127)
            knobs = follow(midi, knobs, lambda k: k.speed == high)
            for _ in range(3):
                controller.send(0x90, 36, 100)
                controller.send(0x80, 36, 0)
            knobs = follow(midi, knobs, lambda k: k.resets == 3)
        follow(midi, knobs, lambda _: midi.port == "")
        with Controller() as controller:
            follow(midi, knobs, lambda _: "FakeKnobs" in midi.port)
            controller.send(0xB0, 1, 0)
            knobs = follow(midi, knobs, lambda k: k.speed == 0.0)
    assert knobs.resets == 3
