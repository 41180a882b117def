"""Every command has help with examples, answers at once, and says one sentence with exit code 2 where it cannot."""

import subprocess
import sys
from pathlib import Path

import pytest

from vj import cli
from vj.errors import VJError
from vj.render.window import KEYS
from vj.settings import Settings, table

COMMANDS = ("play", "render", "learn", "footage", "hear", "judge", "devices", "bench")


def test_help_names_every_command_and_imports_nothing_heavy():
    script = (
        "import sys, vj.cli\n"
        "try: vj.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('numpy', 'torch', 'moderngl', 'librosa', 'av', 'cv2', 'rich', 'sounddevice') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
    for command in COMMANDS:
        assert f"\n    {command} " in done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_examples(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert end.value.code == 0 and "example" in text and f"  vj {command}" in text


def test_arithmetic_keeps_to_one_thread():
    """Set before numpy is imported, or it has no effect: the network's dice are many tiny matrix products."""
    script = (
        "import os, sys; os.environ.pop('OPENBLAS_NUM_THREADS', None)\n"
        "import vj.cli as cli\n"
        "cli.hear = lambda words: print(os.environ['OPENBLAS_NUM_THREADS'], 'numpy' in sys.modules)\n"
        "cli.main(['hear', 'x'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "1 False\n", done.stderr


def test_the_version(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--version"])
    assert capsys.readouterr().out.startswith("vj 0.")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["dance"],
        ["play", "--window", "big"],
        ["play", "--window", "0x0"],
        ["play", "--seconds", "nan"],
        ["play", "--seconds", "-1"],
        ["play", "--weights", "a", "--from-scratch"],
        ["play", "--look", "10"],
        ["render", "song.wav"],
        ["render", "-o", "a.mp4", "--fps", "0"],
        ["learn", "a.mp4"],
        ["learn", "a.mp4", "-o", "w", "--from", "x", "--resume"],
    ],
)
def test_wrong_words_are_told_without_a_traceback(words, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_an_error_is_one_sentence_and_exit_code_2(monkeypatch, capsys):
    def fail(_words):
        raise VJError("The sound card is gone: plug it in again.")

    monkeypatch.setattr(cli, "devices", fail)
    assert cli.main(["devices"]) == 2
    assert capsys.readouterr() == ("", "vj: The sound card is gone: plug it in again.\n")


def test_ctrl_c_is_no_traceback(monkeypatch):
    def stop(_words):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "devices", stop)
    assert cli.main(["devices"]) == 130


def test_a_bug_shows_its_traceback(monkeypatch):
    def bug(_words):
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "devices", bug)
    with pytest.raises(ZeroDivisionError):
        cli.main(["devices"])


def test_words_become_settings():
    words = "play song.wav --window 640x360 --fullscreen --monitor HDMI --weights last --no-learn --seed 7 --seconds 9"
    settings = cli._settings(cli._parser().parse_args([*words.split(), "--look", "3", "--seconds-per-update", "5"]))
    assert settings == Settings(
        sound=Path("song.wav"), window=(640, 360), fullscreen=True, monitor="HDMI", weights="last", learn=False, seed=7,
        seconds=9.0, look=3, seconds_per_update=5.0,
    )  # fmt: skip
    assert cli._settings(cli._parser().parse_args(["play"])) == Settings()
    assert cli._settings(cli._parser().parse_args(["play", "--line-in"])).line_in == ""
    assert cli._settings(cli._parser().parse_args(["play", "--line-in", "USB"])).line_in == "USB"
    mixer = cli._settings(cli._parser().parse_args(["play", "--line-in", "USB", "--channels", "3,4", "--trim", "-12"]))
    assert mixer.channels == (3, 4) and mixer.trim == -12.0
    with pytest.raises(VJError, match="line-in"):
        cli._settings(cli._parser().parse_args(["play", "song.wav", "--channels", "1"]))
    for wrong in ("0", "a", "3,3", ""):
        with pytest.raises(SystemExit):
            cli._parser().parse_args(["play", "--line-in", "--channels", wrong])
    with pytest.raises(VJError, match="not both"):
        cli._settings(cli._parser().parse_args(["play", "song.wav", "--line-in", "USB"]))


# ------------------------------------------------------------------------------------------------------ the table
def test_a_users_table_lies_over_the_default(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('[entries]\nkick = "far"\n[midi.controller.Faderfox]\ncc.9 = "speed"\n')
    whole = table(mine)
    assert whole["entries"] == {"kick": "far", "snare": "middle", "hat": "far"}
    assert whole["midi"]["controller"]["Faderfox"] == {"cc": {"9": "speed"}}
    assert whole["midi"]["controller"]["*"] == table()["midi"]["controller"]["*"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[entries]\nkik = 1", "entries.kik"),
        ("[entreis]\nkick = 1", "entreis"),
        ("pulse = 3", "pulse"),
        ("[pulse.hold]\nx = 1", "pulse.hold"),
        ("[[[", "not TOML"),
        ("\x00", "not TOML"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path, text, named):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(VJError, match=named):
        table(tmp_path / "mine.toml")
    with pytest.raises(VJError, match="Cannot read"):
        table(tmp_path / "none.toml")


def test_help_names_every_key_of_the_window():
    said = set(cli.KEYS.replace("up/down", "up / down").replace("...", " ").split())
    named = {key for keys, _what in KEYS for key in keys.replace("...", " ").split()}
    assert named - said == set()
