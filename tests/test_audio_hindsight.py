"""Drums of a file that is heard in advance: weighed in the light of what follows, told at their times, and learnt."""

import numpy as np
import pytest
from test_audio_network import file, save  # noqa: F401

from vj.audio import hindsight
from vj.audio.hindsight import BEATS, LOOKED, SIZE, Hindsight, Notes, elsewhere, heard_again, logits, peaks, presence
from vj.audio.network import LOOKS, read
from vj.audio.onsets import NET_LATE, Onset
from vj.audio.strokes import SIZE as SHOWN
from vj.audio.strokes import UNKNOWN
from vj.errors import WeightsError
from vj.train.ear import ahead as teaching
from vj.train.ear import drums


def some_net(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Tensors of a network that has learnt nothing."""
    shapes = {"one.weight": (5, SIZE), "one.bias": (5,), "two.weight": (3, 5), "two.bias": (3,), "mean": (SIZE,)}
    return {name: rng.normal(size=shape) / 9 for name, shape in shapes.items()} | {"spread": rng.uniform(1, 2, SIZE)}


def passing_on() -> dict[str, np.ndarray]:
    """Tensors of a network that says what the second look says."""
    one = np.zeros((3, SIZE), np.float32)
    at = LOOKED.index(0) * 3
    one[range(3), range(at, at + 3)] = 4.0
    return {"one.weight": one, "one.bias": np.full(3, 20.0), "two.weight": np.eye(3), "two.bias": np.full(3, -20.0),
            "mean": np.zeros(SIZE), "spread": np.ones(SIZE)}  # fmt: skip


def noted(n: int, strokes: list[tuple[int, int, float]], deaf: slice = slice(0)) -> Notes:
    """Of n hops; strokes: hop, class, chance by the second look."""
    notes, looked, believed = Notes(passing_on()), np.full((n, 3), 0.01), np.zeros(n, bool)
    for hop, kind, chance in strokes:
        looked[hop, kind] = chance
    believed[deaf] = True
    for hop in range(n):
        heard = [0.02, 0.02, *looked[hop], 0.98]
        notes.take((np.zeros(36, np.float32), heard, looked[hop].tolist(), [0.1] * 9, False, bool(believed[hop])), [])
    return notes


def test_a_hop_is_looked_up_by_the_beats_before_and_after():
    beats = np.concatenate([np.arange(100, 500, 50), np.arange(800, 1600, 40)])
    there = elsewhere(beats, 2000)
    one = BEATS.index(1)
    assert there[225, one] == 275 and there[225, BEATS.index(-2)] == 125
    assert there[860, one] == 900 and there[860, BEATS.index(4)] == 1020
    assert there[60, one] == 110 and (there[650] == -1).all() and (there[1999] == -1).all()
    assert (elsewhere(np.array([10.0, 60.0]), 100) == -1).all()  # too few to be worth it


def test_what_follows_is_shown():
    n, short = 200, np.zeros((200, 36), np.float32)
    short[105:] = 1.0
    said, looked = logits(np.full((n, 5), 0.5)), logits(np.full((n, 3), 0.1))
    looked[150] = 2.0
    shown = Hindsight(short, said, looked, np.zeros((n, 9)), np.arange(0, 200, 50.0)).shown(np.arange(n))
    assert shown.shape == (n, SIZE) and np.isfinite(shown).all()
    columns = slice(3 * len(LOOKED) + 3 * len(BEATS) + 5 * 36, 3 * len(LOOKED) + 3 * len(BEATS) + 12 * 36)
    follows = shown[:, columns].reshape(n, 7, 36)[:, :, 0]
    assert follows[104].tolist() == [1.0] * 7 and follows[97].tolist() == [0, 0, 0, 0, 1, 1, 1] and not follows[105].any()
    ups = shown[100, 3 * len(LOOKED) : 3 * len(LOOKED) + 3 * len(BEATS)].reshape(len(BEATS), 3)
    assert ups[BEATS.index(1)].tolist() == [2.0] * 3 and ups[BEATS.index(4)].tolist() == [UNKNOWN] * 3


def test_a_file_is_judged_the_same_in_pieces(monkeypatch):
    rng, n = np.random.default_rng(0), 300
    look = Hindsight(*(rng.normal(size=(n, k)) for k in (36, 5, 3, 9)), np.arange(0, n, 40.0))
    tensors = some_net(rng)
    whole = look.judge(tensors)
    monkeypatch.setattr(hindsight, "AT_ONCE", 77)
    assert look.judge(tensors) == pytest.approx(whole, abs=1e-4)
    shown = (look.shown(np.arange(n)) - tensors["mean"]) / tensors["spread"]
    inner = np.maximum(shown @ tensors["one.weight"].T + tensors["one.bias"], 0)
    assert np.log(whole / (1 - whole)) == pytest.approx(inner @ tensors["two.weight"].T + tensors["two.bias"], abs=1e-3)


def test_a_peak_is_held_against_those_before_and_after():
    chances = np.zeros(4000)
    chances[[1000, 3900]] = 0.2  # one stands three seconds before a sure one, one long after
    chances[[1300, 1303]] = 0.9, 0.8  # too close to each other
    assert peaks(chances, 0.01).tolist() == [1300, 3900]
    assert peaks(np.full(50, 0.05), 0.01).tolist() == []


def test_drums_are_there_from_their_first_stroke():
    heard = np.tile([0.02, 0.02, 0.01, 0.01, 0.01, 0.98], (4000, 1))
    heard[2000:3000:50, 2:5] = 0.8
    there = presence(heard, 0.01)
    assert there[2005:2950].min() > 0.5 and there[:1600].max() < 0.1 and there[3600:].max() < 0.1


def test_strokes_are_found_but_where_the_rule_was_believed():
    notes = noted(900, [(hop, hop // 50 % 2, 0.9) for hop in range(100, 900, 50)], deaf=slice(600, 900))
    notes.told = [Onset(3.0, "HH", 0.5, 3.011), Onset(7.0, "HH", 0.5, 7.011)]
    strokes = heard_again(notes, np.zeros(0), 0.01)
    want = [(hop + 1) * 0.01 - NET_LATE for hop in range(100, 600, 50)] + [7.0]
    assert strokes.times == pytest.approx(want)
    assert strokes.kinds.tolist() == [0, 1] * 5 + [2] and strokes.strengths[-1] == 0.5
    assert ((strokes.strengths[:-1] > 0.05) & (strokes.strengths[:-1] <= 1)).all()
    assert heard_again(Notes(None), np.zeros(0), 0.01) is None
    nothing = heard_again(noted(300, []), np.zeros(0), 0.01)
    assert nothing.times.shape == nothing.kinds.shape == (0,)


def test_it_is_learnt_kept_and_read_again(file, tmp_path, monkeypatch):  # noqa: F811
    for name, value in (("BATCH", 64), ("HIDDEN", 8), ("ROUNDS", 1), ("JOINED", 0), ("KEPT", 1)):
        monkeypatch.setattr(teaching, name, value)
    rng, n = np.random.default_rng(0), 500
    wanted = np.zeros((4, n, 5), np.uint8)
    wanted[:3, 200::50, 0] = wanted[:3, 200::50, 2] = 255
    for shard in range(3):
        np.savez(
            tmp_path / f"{shard:05d}.npz", short=rng.random((4, n, 36)), long=rng.random((4, n // 4, 48)), wanted=wanted,
            outer=rng.random((4, n, 9)), tempo=np.full((4, n), 120.0), name=np.array(["rock", "pop", "toms", "no noise"]),
        )  # fmt: skip
    shapes = {"one.weight": (2, SHOWN), "one.bias": (2,), "two.weight": (3, 2), "two.bias": (3,), "mean": (SHOWN,)}
    second = {name: np.zeros(shape) for name, shape in shapes.items()} | {"spread": np.ones(SHOWN)}
    drums.add(file, read(file), second)
    assert read(file).hindsight is None
    shown, there = teaching.gather([tmp_path / "00000.npz"], read(file))
    assert shown.shape == (len(there), SIZE) and there[:, 0].sum() == 12 and not there[:, 1:].any()  # toms are left out
    teaching.main(["", str(tmp_path), str(file)][1:])
    kept = read(file)
    assert kept.hindsight["one.weight"].shape == (teaching.NETS * teaching.HIDDEN, SIZE) and kept.drums is not None
    assert not any(name.startswith(LOOKS) for name in kept.network)
    save(file, kept.tensors | {"hindsight.mean": np.zeros(4, np.float32)})
    with pytest.raises(WeightsError):
        read(file)


def test_networks_together_say_the_mean_of_what_each_says():
    rng = np.random.default_rng(0)
    look = Hindsight(*(rng.normal(size=(60, k)) for k in (36, 5, 3, 9)), np.zeros(0))
    nets = [some_net(rng) for _ in range(2)]
    odds = [np.log(p / (1 - p)) for p in (look.judge(net) for net in (*nets, teaching.together(nets)))]
    assert odds[2] == pytest.approx((odds[0] + odds[1]) / 2, abs=1e-3)


def test_beats_that_may_be_known_are_mostly_right():
    rng, beats = np.random.default_rng(0), np.arange(20.0, 3000, 50)
    known = [teaching.known_beats(rng, beats, 3000) for _ in range(300)]
    off = [np.median(abs((b + 5) % 50 - 25)) for b in known if len(b) > 10]  # hops from the true beats, which lie at 20, 70 ..
    assert 0.05 < np.mean([len(b) == 0 for b in known]) < 0.2
    assert 0.75 < np.mean([o < 5 for o in off]) < 0.98
    wanted = np.zeros(100, np.uint8)
    wanted[[49, 50, 51]] = 64, 255, 128
    assert teaching.beats_in(wanted) == pytest.approx([50.14], abs=0.02)
