"""The arithmetic of the latency bench: parts of the way from made-up moments, and light from a screen's memory."""

import struct

import numpy as np
import pytest

from vj.audio.clicks import hit
from vj.bench_latency import Pixels, measure, tell


def show(onset: bool = True) -> dict[str, np.ndarray]:
    """A show that began at 100 s and answers one hit of 102.000: heard at 102.020, said at 102.025, seen at 102.045."""
    shown = np.arange(0, 4, 0.02)  # a picture each 20 ms
    made = 100.005 + np.arange(0, 4, 0.05)  # a model frame each 50 ms
    kicks = np.where(made > 102.025, 3, 2)
    return {
        "began": np.array([100.0]), "shown": shown, "rates": np.array([[50.0, 20.0]]),
        "onsets": np.array([[3, 52.0, 102.020, 102.025]]) if onset else np.zeros((0, 4)),
        "feature_names": np.array(["time", "kicks"]), "features": np.stack([made - 50, kicks], 1), "time": made - 50.0,
        "made": made, "answers": 100.0 + shown - 50.0 - 0.06,
    }  # fmt: skip


def test_the_parts_of_the_way_add_up():
    parts = {name: values[0] for name, values in measure(np.array([102.0]), np.array([101.2, 102.045]), show()).items()}
    assert parts["capture"] == pytest.approx(0.020) and parts["analysis"] == pytest.approx(0.005)
    assert parts["display: present"] == pytest.approx(0.020) and parts["display: sound to light"] == pytest.approx(0.045)
    assert parts["model"] == pytest.approx(102.055 - 102.025)
    for name in ("half way", "begin"):
        last = parts["network: begins" if name == "begin" else "network: half way"]
        assert parts[f"network: sound to {name}"] == pytest.approx(parts["capture"] + parts["analysis"] + parts["model"] + last)
    assert parts["network: sound to begin"] < parts["network: sound to half way"]


def test_a_hit_that_nobody_answers_is_counted_and_not_measured(capsys):
    for data, rises in ((show(), [101.2, 103.0]), (show(onset=False), [102.045])):
        parts = measure(np.array([102.0]), np.array(rises), data)
        assert len(parts["display: sound to light"]) == 0
        tell(np.array([102.0]), np.array(rises), data)
        assert "1 hits without light" in capsys.readouterr().out


def test_light_is_read_from_the_memory_of_a_screen(tmp_path):
    width, height = 64, 48
    header = [0] * 25
    header[0], header[4], header[5], header[11], header[12], header[19] = 104, width, height, 32, width * 4, 2
    picture = np.zeros((height, width, 4), np.uint8)
    picture[:24, :32, :3] = 90
    path = tmp_path / "Xvfb_screen0"
    path.write_bytes(struct.pack(">25I", *header) + bytes(4 + 24) + picture.tobytes())
    assert Pixels(path, (32, 24), 4).light() == 90
    picture[:] = 0
    path.write_bytes(struct.pack(">25I", *header) + bytes(4 + 24) + picture.tobytes())
    assert Pixels(path, (32, 24), 4).light() == 0 and not Pixels(path, (32, 24), 4).is_lit()


def test_a_hit_starts_with_its_full_force_and_ends():
    sound = hit(48000)
    assert np.abs(sound[:240]).max() > 0.6 and np.abs(sound).max() <= 0.8 and np.abs(sound[-240:]).max() < 0.1
