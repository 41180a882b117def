"""A film of the right length with its sound, the same for the same seed; and learning by the show's time."""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

import fakes
import numpy as np
import pytest
import small
import soundfile

from vj import cli, weights
from vj.offline import spans
from vj.opening import OfflineLearner
from vj.render.screen import Screen
from vj.train.learn import Check, Gate
from vj.video import read_frames


@pytest.fixture(scope="module")
def things(tmp_path_factory):
    """A folder with sound, weights and prepared footage, all small."""
    folder = tmp_path_factory.mktemp("things")
    fakes.save_drums(folder / "drums.wav", 2.0)
    fakes.save_drums(folder / "long.wav", 21.0)
    fakes.save_footage(folder / "blocks", small.footage())
    fakes.save_weights(folder / "small.safetensors", small.footage(), small.SMALL)
    return folder


def render(things, out, *words: str) -> int:
    given = ["--weights", str(things / "small.safetensors"), "--footage", str(things / "blocks"), "--size", "128x72"]
    return cli.main(["render", str(things / "drums.wav"), "-o", str(out), *given, *words])


def probe(path) -> dict:
    command = ["ffprobe", "-v", "error", "-show_streams", "-show_format", "-count_frames", "-of", "json", str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.real
@pytest.mark.skipif(not shutil.which("ffprobe"), reason="needs ffprobe")
def test_two_seconds_of_sound_are_a_film_of_two_seconds(things, tmp_path):
    assert render(things, tmp_path / "a.mp4", "--no-learn", "--fps", "25", "--trace", str(tmp_path / "a.npz")) == 0
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "a.npz"]
    said = probe(tmp_path / "a.mp4")
    video, sound = (next(s for s in said["streams"] if s["codec_type"] == kind) for kind in ("video", "audio"))
    assert (video["codec_name"], video["width"], video["height"]) == ("h264", 128, 72)
    assert int(video["nb_read_frames"]) == 50 and float(said["format"]["duration"]) == pytest.approx(2.0, abs=0.05)
    assert sound["codec_name"] == "aac" and float(sound["duration"]) == pytest.approx(2.0, abs=0.05)
    with np.load(tmp_path / "a.npz") as trace:
        assert len(trace["frames"]) == 48  # 24 model frames a second
        near = trace["controls"][:, list(trace["control_names"]).index("near")]
        assert (near > 0.5).any() and (near < 0.2).any()  # the kicks are told


def test_the_same_seed_is_the_same_film_and_another_is_not(things, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = ("--seed", str(seed), "--seconds", "0.6", "--no-learn", "--trace", str(tmp_path / f"{name}.npz"))
        assert render(things, tmp_path / f"{name}.mp4", *words) == 0
    first, second, other = (np.load(tmp_path / f"{name}.npz")["frames"] for name in "abc")
    assert np.array_equal(first, second) and not np.array_equal(first, other)
    pairs = zip(read_frames(tmp_path / "a.mp4"), read_frames(tmp_path / "b.mp4"), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("words", "software", "used"), [
    ((), True, "edge"), ((), False, "learnt"), (("--no-detail",), True, "learnt"), (("--upscaler", "learnt"), True, "learnt"),
])  # fmt: skip
def test_what_has_detail_is_not_also_enlarged_by_a_network_where_the_processor_draws(
    things, tmp_path, monkeypatch, words, software, used
):
    """And it is what the film shows."""
    card, tensors = weights.read(things / "small.safetensors")
    last = "finer.picture.layers.3.weight"
    weights.write(tmp_path / "w.safetensors", card, tensors | {last: 0.02 + tensors[last]})
    chosen, seen, draw = [], [], Screen.draw
    monkeypatch.setattr(Screen, "is_software", software)
    monkeypatch.setattr(Screen, "use", lambda self, name: chosen.append(name))
    monkeypatch.setattr(Screen, "draw", lambda self, p, *more, **how: seen.append(p) or draw(self, p, *more, **how))
    given = ("--weights", str(tmp_path / "w.safetensors"), "--seconds", "0.1", "--no-learn")
    assert render(things, tmp_path / "a.mp4", *given, *words) == 0
    tall = small.SMALL.height * (1 if "--no-detail" in words else 2)
    assert chosen == [used] and {picture.after.shape[0] for picture in seen if picture.time > 0} == {tall}


def test_a_film_keeps_its_world_until_the_next_is_known(monkeypatch):
    """What has been learnt meanwhile is not given, however good it is."""
    good = Check(5.0, 1.0, True)
    for may in (False, True):
        student = SimpleNamespace(run=lambda steps: None, check=lambda: good, may_show=may)
        student.publishable = lambda _: (fakes.FAKE_CARD, {})
        given = OfflineLearner.__call__(SimpleNamespace(_learner=student, _gate=Gate(), _version=3), 2)
        assert (given is not None) == may and (not may or given[0].version == 4)


def test_learning_goes_by_the_shows_time(things, tmp_path, monkeypatch):
    """With an update every quarter second, one has three: none is made for pictures that do not come."""
    real = cli._settings
    monkeypatch.setattr(cli, "_settings", lambda words: cli.replace(real(words), seconds_per_update=0.25))
    monkeypatch.setattr("vj.train.learn.Gate.passes", lambda self, check: True)
    traces = []
    for name in ("a", "b"):
        trace = tmp_path / f"{name}.npz"
        words = ("--steps-per-update", "2", "--seconds", "1", "--trace", str(trace))
        assert render(things, tmp_path / f"{name}.mp4", *words) == 0
        traces.append(np.load(trace))
    versions = traces[0]["weights"]
    assert sorted(set(versions)) == [0, 1, 2, 3]
    assert [int((versions == v).sum()) for v in range(4)] == [6, 6, 6, 6]
    assert np.array_equal(traces[0]["frames"], traces[1]["frames"])


def test_from_scratch_needs_no_weights(things, tmp_path):
    blocks = small.footage()
    blocks = replace(blocks, card=replace(blocks.card, motions=[[float(k), 0.0] for k in range(16)]))
    fakes.save_footage(tmp_path / "blocks", blocks)
    words = ["--from-scratch", "--footage", str(tmp_path / "blocks"), "--no-learn", "--seconds", "0.3", "--size", "64x32"]
    trace = ["--trace", str(tmp_path / "a.npz")]
    assert cli.main(["render", str(things / "drums.wav"), "-o", str(tmp_path / "a.mp4"), *words, *trace]) == 0
    assert np.load(tmp_path / "a.npz")["frames"].shape[1:] == (32, 64, 3)


@pytest.mark.parametrize("fps", [24, 29.97, 30, 50, 59.94])
def test_spans_cover_every_sample_once(fps):
    sound = np.arange(20000, dtype=np.float32)[:, None].repeat(2, 1)
    blocks = iter(np.split(sound, [3, 700, 701, 9000]))
    count = round(0.3 * fps)
    parts = list(spans(blocks, 48000, fps, count))
    whole = np.concatenate(parts)
    assert len(parts) == count and len(whole) == round(count * 48000 / fps)
    assert np.array_equal(whole, sound[: len(whole)])
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_after_the_end_there_is_silence():
    parts = list(spans(iter([np.ones((1000, 2), np.float32)]), 1000, 10, 15))
    assert [len(part) for part in parts] == [100] * 15
    assert np.concatenate(parts)[:1000].all() and not np.concatenate(parts)[1000:].any()


# ------------------------------------------------------------------------------------------------- what goes wrong
@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["{t}/none.wav", "-o", "{o}/a.mp4"], "none.wav"),
        (["{t}/small.safetensors", "-o", "{o}/a.mp4"], "cannot be read as sound"),
        (["{t}/drums.wav", "-o", "{o}/none/a.mp4"], "no folder"),
        (["{t}/drums.wav", "-o", "{o}/a.txt"], "a.txt"),
        (["{t}/drums.wav", "-o", "{o}/a.mp4", "--weights", "{t}/none.safetensors"], "none.safetensors"),
        (["{t}/drums.wav", "-o", "{o}/a.mp4", "--weights", "{t}/drums.wav"], "drums.wav"),
        (["{t}/drums.wav", "-o", "{o}/a.mp4", "--weights", "last"], "No show has learnt"),
        (["{t}/long.wav", "-o", "{o}/a.mp4", "--weights", "{t}/small.safetensors", "--footage", "{t}/none"], "none"),
        (["{t}/drums.wav", "-o", "{o}/a.mp4", "--weights", "{t}/small.safetensors", "--table", "{t}/none"], "table"),
        (["{t}/long.wav", "-o", "{o}/a.mp4", "--weights", "{t}/small.safetensors", "--footage", "{t}/drums.wav"], "drums"),
        (["{t}/drums.wav", "-o", "{o}/a.mp4", "--weights", "{t}/small.safetensors", "--no-learn", "--trace", "/no/t"], "/no/t"),
    ],
)
def test_each_fault_is_one_sentence_and_leaves_the_old_film(things, tmp_path, capsys, words, named):
    (tmp_path / "a.mp4").write_bytes(b"old")
    assert cli.main(["render", *(word.format(t=things, o=tmp_path) for word in words)]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("vj: ") and named in said and "Traceback" not in said
    assert (tmp_path / "a.mp4").read_bytes() == b"old" and os.listdir(tmp_path) == ["a.mp4"]


@pytest.mark.parametrize(
    ("rate", "kind", "channels", "loud"),
    [(192_000, "PCM_U8", 1, 0.5), (8_000, "PCM_16", 1, 0.0), (44_100, "FLOAT", 6, 8.0)],
)
def test_any_sound_becomes_a_film(things, tmp_path, rate, kind, channels, loud):
    """8 bit, silence, mono, 192 kHz, six channels that are far too loud."""
    noise = np.random.default_rng(0).uniform(-loud, loud, (rate // 2, channels))
    soundfile.write(tmp_path / "a.wav", noise, rate, kind)
    words = ["--weights", str(things / "small.safetensors"), "--no-learn", "--size", "64x36", "--fps", "10"]
    assert cli.main(["render", str(tmp_path / "a.wav"), "-o", str(tmp_path / "a.mp4"), *words]) == 0
    assert sum(1 for _ in read_frames(tmp_path / "a.mp4")) == 5
