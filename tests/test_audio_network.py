"""The ear's network: the same numbers as torch gives, hop by hop and block by block; what is no weights file is refused."""

import json
import shutil
from dataclasses import asdict

import numpy as np
import pytest
import safetensors.numpy
import torch
from test_audio_features import RATE, rock

from vj.audio import demo_music, network
from vj.audio.beat import Beat, BeatTracker
from vj.audio.features import FeatureExtractor
from vj.audio.network import Network, read
from vj.audio.onsets import DrumPresence, Onset, OnsetChooser, OnsetPicker
from vj.audio.pulse import Pulse
from vj.audio.senses import SIZE, Senses, rises
from vj.audio.strokes import PARTS, UNKNOWN, Strokes, whole
from vj.audio.strokes import SIZE as SHOWN
from vj.errors import WeightsError
from vj.train.ear import drums
from vj.train.ear.learn import Net, _layer, frames_of


@pytest.fixture
def file(tmp_path):
    """A weights file of an untaught network."""
    torch.manual_seed(3)
    net = Net(torch.full((SIZE,), 0.5), torch.full((SIZE,), 0.7))
    path = tmp_path / "ear.safetensors"
    save(path, {name: t.numpy() for name, t in net.state_dict().items()})
    return path


def save(path, tensors, **card):
    card = {"architecture": "ear-gru-1", "slowest": 30.0, "ratio": 1.05} | card
    safetensors.numpy.save_file(tensors, path, {"card": json.dumps(card)})


def test_numpy_and_torch_agree(file):
    weights = read(file)
    net = Net(torch.zeros(SIZE), torch.ones(SIZE)).eval()
    net.load_state_dict({name: torch.from_numpy(t.copy()) for name, t in weights.tensors.items()})
    seen = np.random.default_rng(0).uniform(0, 2, (300, SIZE)).astype(np.float32)
    with torch.no_grad():
        logits, tempi = net(torch.from_numpy(seen)[None])
    ours = Network(weights)
    chances = np.array([ours.step(x) for x in seen])
    assert chances == pytest.approx(torch.sigmoid(logits)[0].numpy(), abs=1e-5)
    assert ours.belief == pytest.approx(torch.softmax(tempi[0, -1], -1).numpy(), abs=1e-5)


def test_the_ear_sees_live_what_was_seen_in_training():
    sound = rock(4.0).astype(np.float32)
    extractor, seen, levels = FeatureExtractor(weights=None), [], []
    look, drums_of = extractor._senses.look, extractor._spectrum.drums
    extractor._senses.look = lambda *given: seen.append(look(*given).copy()) or seen[-1]
    extractor._spectrum.drums = lambda *given: levels.append(drums_of(*given)) or levels[-1]
    extractor.feed(sound)
    short, long, outer = (x.astype(np.float32) for x in frames_of(sound))
    assert np.array(seen) == pytest.approx(rises(short, long), abs=2e-3)
    assert np.log(np.array(levels) + 1e-5) == pytest.approx(outer, abs=2e-3)


def test_a_layer_learns_as_torchs_own():
    torch.manual_seed(0)
    gru, shown = torch.nn.GRU(5, 4), torch.randn(12, 3, 5, requires_grad=True)
    told, slopes = [], []
    for layer in (lambda x: gru(x)[0], lambda x: _layer(gru, x)):
        told.append(layer(shown))
        (told[-1] ** 3).sum().backward()
        slopes.append([p.grad.clone() for p in (shown, *gru.parameters())])
        gru.zero_grad()
        shown.grad = None
    assert torch.allclose(*told, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(*slopes, strict=True))


@pytest.mark.parametrize("block", [1, 137, 512, 10**9])
def test_blocks_make_no_difference_to_the_network(file, block):
    sound = rock(1.5).astype(np.float32)
    whole, parts = (FeatureExtractor(weights=read(file)) for _ in range(2))
    for k in range(0, len(sound), 480):
        whole.feed(sound[k : k + 480])
    for k in range(0, len(sound), block):
        parts.feed(sound[k : k + block])
    assert asdict(parts.features) == asdict(whole.features)
    assert parts.events() == whole.events()


def test_gain_makes_no_difference_to_what_is_seen():
    mags = np.random.default_rng(0).uniform(0, 3, (400, 36)).astype(np.float32)
    window = np.random.default_rng(1).normal(size=4096).astype(np.float32)
    one, two = Senses(RATE, 0.01), Senses(RATE, 0.01)
    for k in range(400):
        a, b = one.look(mags[k], window).copy(), two.look(0.1 * mags[k], np.float32(0.1) * window)
    assert b == pytest.approx(a, abs=0.02)


def test_what_is_no_weights_file_is_refused(file, tmp_path):
    whole = file.read_bytes()
    tensors = dict(read(file).tensors)
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text").write_text("not weights")
    save(tmp_path / "other", tensors, architecture="something else")
    save(tmp_path / "nan", tensors | {"mean": np.full(SIZE, np.nan, np.float32)})
    save(tmp_path / "shape", tensors | {"mean": np.zeros(3, np.float32)})
    save(tmp_path / "less", {name: t for name, t in tensors.items() if name != "out.bias"})
    safetensors.numpy.save_file(tensors, tmp_path / "cardless")
    for name in ("cut", "text", "other", "nan", "shape", "less", "cardless", "missing"):
        with pytest.raises(WeightsError) as told:
            read(tmp_path / name)
        assert name in str(told.value) and "install" in str(told.value).lower()


def test_without_its_weights_the_ear_still_hears(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(network, "shipped", lambda: tmp_path / "gone.safetensors")
    extractor = FeatureExtractor(weights="shipped")
    assert "without its network" in caplog.text
    extractor.feed(rock(6.0))
    assert extractor.features.tempo == pytest.approx(120, abs=1.5)


def test_the_weights_are_read_where_they_lie(file, monkeypatch, tmp_path):
    (tmp_path / "there").mkdir()
    there = shutil.copy(file, tmp_path / "there")
    monkeypatch.setattr(network, "shipped", lambda: tmp_path / "there" / "ear.safetensors")
    assert network.read_shipped().card == read(there).card


@pytest.mark.parametrize("bpm", [96, 124])
def test_the_shipped_network_follows_a_band(bpm):
    extractor = FeatureExtractor(weights=read(network.shipped()))
    extractor.feed(rock(10.0, bpm))
    assert extractor.features.tempo == pytest.approx(bpm, abs=2)
    beats = [e for e in extractor.events() if isinstance(e, Beat) and e.time > 5]
    off = [abs((b.time + 30 / bpm) % (60 / bpm) - 30 / bpm) for b in beats]
    assert len(beats) >= 5 * bpm / 60 - 2 and np.median(off) < 0.03
    assert all(abs(b.told - b.time) < 0.06 for b in beats)


def test_the_shipped_network_finds_no_beat_where_there_is_none():
    rng, t = np.random.default_rng(5), np.arange(12 * RATE) / RATE
    drone = sum(np.sin(2 * np.pi * f * t) * (1 + 0.4 * np.sin(t * f / 900)) for f in (55, 110, 164.8, 220.7))
    wind = np.interp(t, np.arange(20) * 0.7, rng.uniform(0.1, 1, 20)) * rng.normal(size=len(t))
    for sound in (0.1 * drone, 0.1 * wind):
        extractor = FeatureExtractor(weights=read(network.shipped()))
        extractor.feed(sound)
        assert sum(isinstance(e, Beat) for e in extractor.events()) <= 2


@pytest.mark.parametrize(("pulse", "then"), [(0.0, {"HH"}), (0.9, set())])
def test_the_network_is_believed_until_it_hears_no_music(pulse, then):
    chooser, told = OnsetChooser(0.01), []
    for hop in range(2000):
        time = hop * 0.01
        drum = [Onset(time, "KD", 0.9, time)] if hop % 50 == 0 and hop < 600 else []  # the network hears drums alone
        click = [Onset(time, "HH", 0.5, time)] if hop % 50 == 20 else []  # the rule hears clicks alone
        told += chooser.feed(drum, click, 0.9 if hop < 600 else pulse)
    before, after = ([o.kind for o in told if a <= o.time < b] for a, b in ((1, 6), (16, 20)))
    assert set(before) == {"KD"} and len(before) == 10
    assert set(after) == then and len(after) == (8 if then else 0)


def test_no_onset_is_told_twice():
    chooser = OnsetChooser(0.01)
    rule, network = ([Onset(0.5 + late, "SD", 0.5, 0.51 + late)] for late in (0.0, 0.01))
    for _ in range(800):
        chooser.feed([], [], 0.0)
    assert chooser.feed([], rule, 0.0) == rule
    assert chooser.feed(network, [], 0.0) == []
    assert chooser.feed(2 * [Onset(0.7, "SD", 0.5, 0.71)], [], 0.9) != []


def test_the_drums_of_the_demo_are_heard():
    sound, times = demo_music.make(RATE)
    ear = FeatureExtractor()
    ear.feed(sound.mean(1))
    told = [e for e in ear.events() if isinstance(e, Onset)]
    for kind, name, least in (("KD", "kick", 0.85), ("SD", "snare", 0.65), ("HH", "hat", 0.75)):
        found = np.array([o.time for o in told if o.kind == kind])
        true = np.array(times[name])
        hits = sum(abs(found - t).min(initial=9) < 0.05 for t in true)
        assert 2 * hits / (len(found) + len(true)) > least, kind


def test_the_second_look_is_learnt_kept_and_read_again(file, monkeypatch):
    monkeypatch.setattr(drums, "ROUNDS", 40)
    rng = np.random.default_rng(0)
    shown, wanted = rng.normal(size=(4000, SHOWN)).astype(np.float16), np.zeros((4000, 3), np.float32)
    wanted[np.arange(4000), shown[:, 40:43].argmax(1)] = 1
    assert read(file).drums is None
    drums.add(file, read(file), drums.learn(shown, wanted))
    look = Strokes(read(file).drums)
    right = [np.argmax(look.judge(x.astype(np.float32))) == y.argmax() for x, y in zip(shown[:200], wanted, strict=False)]
    assert np.mean(right) > 0.8
    tensors = dict(read(file).tensors)
    save(file, tensors | {"drums.two.bias": np.zeros(4, np.float32)})
    with pytest.raises(WeightsError):
        read(file)


def test_the_second_look_is_shown_how_bands_rise():
    look, short, bands = Strokes(), np.zeros(36, np.float32), np.full(9, 0.1)
    for _ in range(10):
        still = look.shown(short, [0.5] * 6, bands).copy()
    assert not still[: PARTS[4]].any()
    struck = look.shown(short + 1, [0.5] * 6, 10 * bands)
    assert struck[: 5 * 36] == pytest.approx(1.0)
    assert struck[PARTS[3] : PARTS[4]] == pytest.approx(np.log(10), abs=1e-3)


def test_the_second_look_is_shown_what_was_played_a_beat_before():
    look, period = Strokes(), 50.0
    for hop in range(400):
        heard = [0.1, 0.1, 0.9 if hop % 100 == 0 else 0.1, 0.1, 0.1, 0.9]  # a kick every other beat
        shown = look.shown(np.zeros(36, np.float32), heard, np.full(9, 0.1), period)[PARTS[4] :].reshape(3, 3)
        high, low = np.log(9) / 4, -np.log(9) / 4
        if hop in (250, 300):
            assert shown[:, 0] == pytest.approx([high, low, low] if hop == 250 else [low, high, high])
            assert shown[:, 1:] == pytest.approx(low)
    unknown = look.shown(np.zeros(36, np.float32), heard, np.full(9, 0.1))[PARTS[4] :]
    assert unknown == pytest.approx(UNKNOWN)


def test_the_second_look_sees_live_what_was_seen_in_training():
    rng, n = np.random.default_rng(0), 900
    short, said = rng.random((n, 36)).astype(np.float32), rng.normal(-2, 2, (n, 5)).astype(np.float32)
    levels, periods = np.exp(rng.normal(-4, 2, (n, 9))), np.where(np.arange(n) < 200, 0, rng.uniform(28, 109, n))
    look = Strokes()
    live = [look.shown(short[k], 1 / (1 + np.exp(-said[k])), levels[k], periods[k]).copy() for k in range(n)]
    assert np.array(live) == pytest.approx(whole(short, said, np.log(levels + 1e-5), periods), abs=1e-4)


def test_the_second_look_is_shown_shards(file, tmp_path):
    rng, n = np.random.default_rng(0), 800
    wanted = np.zeros((3, n, 5), np.uint8)
    wanted[:2, 200::50, 2] = 255
    shard = tmp_path / "00000.npz"
    np.savez(
        shard, short=rng.random((3, n, 36)), long=rng.random((3, n // 4, 48)), outer=rng.random((3, n, 9)), wanted=wanted,
        tempo=np.full((3, n), 120.0),
    )  # fmt: skip
    shown, there = drums.gather([shard], read(file))
    assert shown.shape == (len(there), SHOWN) and there.shape[1] == 3
    assert there[:, 0].sum() == 24 and not there[:, 1:].any()


def test_what_an_ear_takes_for_the_period_is_mostly_right():
    rng = np.random.default_rng(0)
    heard = np.array([drums.heard_periods(rng, np.full(1000, 120.0)) for _ in range(300)])
    assert not heard[:, :100].any()
    end = heard[:, -1]
    assert 0.6 < np.mean(abs(end - 50) < 1) < 0.9
    assert set(np.round(end / 25)) == {0, 2, 4}  # lost, right, or half the tempo; twice of it is beyond what an ear hears


def test_of_kick_and_snare_the_clearer_is_told_unless_both_are():
    for snare, told in ((0.4, {"KD"}), (0.85, {"KD", "SD"})):
        picker = OnsetPicker()
        found = [o.kind for hop in range(100) for o in picker.feed((0.9, snare, 0.0) if hop == 99 else (0.0, 0.0, 0.0))]
        assert set(found) == told


def test_a_drum_is_held_against_those_that_were_sure_some_seconds_before():
    told = []
    for gap in (800, 6000):  # hops
        picker = OnsetPicker()
        for hop in range(gap + 1):
            found = picker.feed((0.9 if hop == 0 else 0.2 if hop == gap else 0.0, 0.0, 0.0))
        told.append([o.kind for o in found])
    assert told == [[], ["KD"]]


def test_what_seems_struck_where_there_are_no_drums_is_told_as_weak():
    sure, unsure = DrumPresence(), DrumPresence()
    for hop in range(1000):
        sure.feed([0.02, 0.02, 0.7 * (hop % 50 < 2), 0.6 * (hop % 100 < 2), 0.6 * (hop % 25 < 2), 0.98])
        unsure.feed([0.02, 0.02, 0.15 * (hop % 50 < 2), 0.1 * (hop % 100 < 2), 0.15 * (hop % 25 < 2), 0.98])
    heard = [0.02, 0.02, 0.0, 0.0, 0.0, 0.98]
    presence = [p.feed(heard) for p in (sure, unsure)]
    assert presence[0] > 0.9 and presence[1] < 0.1
    strengths = [OnsetPicker().feed((0.0, 0.6, 0.0), presence=p)[0].strength for p in presence]
    assert strengths[1] < 0.3 * strengths[0]
    nothing = DrumPresence()
    assert nothing.feed([0.0] * 6) > 0.9  # a piece may begin with a drum
    assert all(0 <= value < 0.01 for value in [nothing.feed([0.0] * 6) for _ in range(400)][300:])


def test_a_second_look_goes_on_from_what_it_knew(file, tmp_path, monkeypatch):
    rng, n = np.random.default_rng(0), 800
    wanted = np.zeros((2, n, 5), np.uint8)
    wanted[:, 200::50, 2] = 255
    for name in ("00000", "00001"):
        np.savez(
            tmp_path / f"{name}.npz", short=rng.random((2, n, 36)), long=rng.random((2, n // 4, 48)), outer=rng.random((2, n, 9)),
            wanted=wanted, tempo=np.full((2, n), 120.0), name=np.array(["rock", "toms3"]),
        )  # fmt: skip
    weights, (old, new) = read(file), sorted(tmp_path.glob("*.npz"))
    first = drums.learn(*drums.gather([old], weights))
    drums.add(file, weights, first)
    there = [len(drums.gather([new], weights, 1.0, left)[0]) for left in ((), ("toms",))]
    assert 0 < there[1] < 0.7 * there[0]
    after = drums.go_on([old], [new], read(file))
    assert all(after[name].shape == t.shape and np.isfinite(after[name]).all() for name, t in first.items())
    assert after["mean"] == pytest.approx(first["mean"], rel=1e-5, abs=1e-6)
    assert (after["one.weight"] != first["one.weight"]).any()


def test_a_sure_network_has_beats_told_sooner():
    first = []
    for by_network in (True, False):
        tracker, told = BeatTracker(), []
        for hop in range(600):
            on = hop % 50 == 22
            heard = [0.9 if on else 0.02, 0.02, 0.0, 0.0, 0.0, 0.98] if by_network else None
            told.append(tracker.feed(5.0 if on else 0.1, heard=heard))
        first.append(next(beat.time for beat in told if beat))
    assert first[0] < 1.3 and first[0] < first[1] - 0.4


@pytest.mark.parametrize(("pulse", "alike", "told"), [(0.99, 0.25, True), (0.8, 0.25, False), (0.99, 0.05, False)])
def test_unclear_beats_are_told_where_there_surely_is_a_pulse(monkeypatch, pulse, alike, told):
    monkeypatch.setattr(Pulse, "alike", lambda self, period: alike)  # of onsets one period later
    rng, tracker, beats = np.random.default_rng(1), BeatTracker(), 0
    for hop in range(1200):
        heard = [0.12 if hop % 50 == 22 else 0.04, 0.02, 0.0, 0.0, 0.0, pulse]
        beats += tracker.feed(rng.exponential(0.5), heard=heard) is not None and hop > 600
    assert (beats > 6) == told
