"""The README's promises: every command, option, key and knob is in it, and its tree is the tree."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from vj import cli
from vj.midi import PRESSED, RANGED, SWITCHED
from vj.render.screen import LOOKS
from vj.render.window import KEYS
from vj.signals import Knobs
from vj.trace import Trace

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text("utf-8")


def commands() -> dict:
    return next(a for a in cli._parser()._actions if a.choices and "play" in a.choices).choices


def test_every_command_is_shown():
    for command in commands():
        assert f"vj {command}" in TEXT, command


@pytest.mark.parametrize("command", ["play", "render"])
def test_every_option_of_the_show_is_named(command):
    for action in commands()[command]._actions:
        option = action.option_strings[-1] if action.option_strings else None
        if option and option not in ("--help", "--output"):
            assert option in TEXT, f"vj {command} {option}"


def test_the_examples_are_commands_that_parse():
    lines = [line.split("#")[0].strip() for line in TEXT.splitlines() if line.startswith("vj ") and "COMMAND" not in line]
    assert len(lines) >= 8
    for line in lines:
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
        cli._parser().parse_args(words[1:])


def test_every_key_and_look_is_in_the_table():
    for key, _ in KEYS:
        for part in re.split(r"[\s/.]+", key):
            assert f"`{part}`" in TEXT, key
    assert ", ".join(LOOKS) in TEXT


def test_every_knob_is_in_the_table():
    for name in (*RANGED, *PRESSED, *SWITCHED):
        assert f"`{name}`" in TEXT, name
        assert name in {f.name for f in fields(Knobs)}


def test_the_knobs_ranges_are_those_of_the_table():
    ranges = tomllib.loads((ROOT / "vj" / "table.toml").read_text("utf-8"))["midi"]["range"]
    for name, (low, high) in ranges.items():
        assert f"| `{name}` | {low:g} … {high:g} |".replace("-", "−") in TEXT, name


def test_the_two_commands_are_in_the_makefile():
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ("show", "test"):
        assert f"make {target}" in TEXT and re.search(rf"^{target}:", makefile, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text("utf-8")


def test_every_column_of_the_trace_is_told(tmp_path):
    with Trace(tmp_path / "t.npz", (2, 2)) as trace:
        for name in trace._columns:
            assert f"`{name}`" in TEXT, name


def test_the_tree_is_the_tree():
    block = TEXT.split("## The tree")[1].split("```")[1]
    named, folder = set(), ""
    for line in block.strip().splitlines():
        name, _, sentence = line.strip().partition(" ")
        if not line.startswith(" "):
            folder = name if name.endswith("/") else ""
        if name != "vj/":
            assert len(sentence.strip()) > 5, line
        named.add(folder + name if line.startswith(" ") else name)
    there = {str(p.relative_to(ROOT)) for p in (ROOT / "vj").rglob("*") if p.suffix in (".py", ".toml")}
    there = {name for name in there if not name.endswith("__init__.py")}
    assert {name for name in named if name.startswith("vj/") and name != "vj/"} == there
    for name in named:
        assert (ROOT / name).exists(), name


def test_files_that_the_readme_links_to_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert target.startswith("https://") or (ROOT / target).exists(), target
