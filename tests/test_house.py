"""The plan of the house: who stands on which floor, who may import whom, and how long a file may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "vj").rglob("*.py"))

FLOOR = {  # a file imports only what stands on lower floors; within a room (a folder) it may import its own
    "vj": 0,
    "vj.errors": 1,
    "vj.view": 0.5,
    "vj.signals": 1,
    "vj.cues": 1.2,
    "vj.settings": 1.5,
    "vj.controls": 2,
    "vj.cuts": 2,
    "vj.model": 2,
    "vj.render": 2,
    "vj.midi": 2,
    "vj.audio": 2,
    "vj.weights": 2,
    "vj.video": 2,
    "vj.stamps": 2,
    "vj.show": 3,
    "vj.train": 3,
    "vj.trace": 3.5,
    "vj.keeping": 3.5,
    "vj.player": 3.6,
    "vj.gauges": 3.7,
    "vj.opening": 3.8,
    "vj.live": 4,
    "vj.offline": 4,
    "vj.commands": 4,
    "vj.bench": 4,
    "vj.bench_latency": 3.9,
    "vj.bench_stage": 3.9,
    "vj.cli": 5,
}
ONLY_IN = {  # a package -> the rooms that may know it
    "torch": {"vj.model", "vj.train", "vj.weights"},
    "safetensors": {"vj.weights", "vj.train", "vj.audio"},
    "moderngl": {"vj.render"},
    "glfw": {"vj.render"},
    "sounddevice": {"vj.audio"},
    "soundfile": {"vj.audio"},
    "soxr": {"vj.audio"},
    "librosa": {"vj.audio"},
    "rtmidi": {"vj.midi"},
    "av": {"vj.video"},
    "rich": {"vj.opening", "vj.commands", "vj.train"},
    "multiprocessing": {"vj.train", "vj.audio"},
    "threading": {"vj.audio", "vj.weights", "vj.player", "vj.video"},
    "subprocess": {"vj.bench", "vj.bench_latency"},
}
NEVER = {"pickle", "shelve", "marshal", "socket", "urllib", "requests", "asyncio"}
SETTINGS = {"vj.bench_stage", "vj.cli", "vj.live", "vj.offline", "vj.opening", "vj.commands", "vj.bench"}
LONGEST = 500  # lines


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """vj.model.net -> vj.model; vj.show -> vj.show."""
    return ".".join(module.split(".")[:2])


def imports_of(path: Path) -> list[tuple[str, bool]]:
    """(module imported, whether at the top of the file), with `from vj import x` taken as vj.x."""
    tree = ast.parse(path.read_text("utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {id(node) for function in functions for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, id(node) not in late) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            inside = (ROOT / node.module.replace(".", "/")).is_dir() and node.module.startswith("vj")
            names = [
                f"{node.module}.{alias.name}" if inside and not alias.name.startswith("__") else node.module
                for alias in node.names
            ]
            found += [(name, id(node) not in late) for name in names]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_of(path))
def test_a_file_imports_only_what_stands_below(path):
    module, room = module_of(path), room_of(module_of(path))
    assert room in FLOOR, f"{room} has no floor in the plan"
    for name, at_the_top in imports_of(path):
        package = name.split(".")[0]
        if package == "vj":
            other = room_of(name)
            assert other == room or FLOOR[other] < FLOOR[room], f"{module} imports {name}, which does not stand below it"
            assert other != "vj.settings" or module in SETTINGS, f"{module} looks up settings: tell it what it needs"
        assert package not in NEVER, f"{module} imports {name}"
        assert package not in ONLY_IN or room in ONLY_IN[package], f"{module} imports {name}"
        assert at_the_top or room in ("vj.cli", "vj.bench"), f"{module} imports {name} late"


@pytest.mark.parametrize("path", FILES, ids=lambda path: module_of(path))
def test_a_file_opens_with_a_sentence_and_has_one_subject(path):
    text = path.read_text("utf-8")
    assert ast.get_docstring(ast.parse(text)), "a file opens with a sentence: what it is, what it does not know"
    assert len(text.splitlines()) <= LONGEST, "a second subject has grown in it"
    assert path.name != "utils.py"


def test_the_plan_has_no_empty_rooms():
    rooms = {room_of(module_of(path)) for path in FILES}
    assert rooms == set(FLOOR)


def test_weights_never_carry_code():
    for path in FILES:
        text = path.read_text("utf-8")
        assert " torch.load" not in text and "allow_pickle=True" not in text and "weights_only" not in text, path


def test_only_the_roots_look_at_a_clock_in_the_loop():
    """The step, the mapping, the network, the screen and the ear's arithmetic take time as an argument."""
    for name in ("show", "controls", "signals", "gauges", "audio/features", "audio/beat", "model/generator",
                 "model/world", "render/screen", "render/reaction"):  # fmt: skip
        path = ROOT / "vj" / f"{name}.py"
        assert "time" not in {n.split(".")[0] for n, _ in imports_of(path)} if path.exists() else True, name
