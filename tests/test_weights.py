"""A reader never meets half a file; bad files say one sentence; fresh sets are handed out once."""

import json
import logging
import os
import pickle
import time
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from vj.errors import WeightsError
from vj.weights import Card, Inbox, WeightsSlot, read, write

CARD = Card("test", 96, 160, 15.0, ("speed", "near"), {"widths": [8, 16]}, step=7, loss=0.25, recipe="vj learn")


def tensors(value: float = 1.0) -> dict[str, torch.Tensor]:
    return {"a": torch.full((3, 4), value), "b.c": torch.arange(5).to(torch.bfloat16), "n": torch.tensor([2, 3])}


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "new" / "w.safetensors", CARD, tensors(0.5))
    card, back = read(tmp_path / "new" / "w.safetensors")
    assert card == CARD
    assert back.keys() == tensors().keys()
    assert all(torch.equal(back[k], v) and back[k].dtype == v.dtype for k, v in tensors(0.5).items())


def test_halved_files_are_half_as_large_and_give_float32_again(tmp_path):
    torch.manual_seed(0)
    given = {"large": torch.randn(64, 64), "vast": torch.full((64, 64), 1e5), "small": torch.randn(7)}
    write(tmp_path / "whole", CARD, given)
    write(tmp_path / "halved", CARD, given, halved=True)
    _, back = read(tmp_path / "halved")
    assert all(t.dtype == torch.float32 for t in back.values())
    assert torch.equal(back["small"], given["small"]) and torch.equal(back["vast"], given["vast"])
    assert back["large"] == pytest.approx(given["large"], rel=1e-3, abs=1e-6)
    files = [(tmp_path / name).read_bytes() for name in ("halved", "whole")]
    sizes = [len(file) - 8 - int.from_bytes(file[:8], "little") for file in files]  # the tensors, behind the header
    assert sizes[1] - sizes[0] == 2 * 64 * 64


def test_large_tensors_travel_as_bytes_and_are_the_same_when_they_travel_again(tmp_path):
    torch.manual_seed(0)
    given = {"wide": torch.randn(100, 1000) * torch.rand(100, 1), "deep": torch.randn(40, 50, 7, 9), "n": torch.arange(200_000)}
    given["wide"][3] = 0
    write(tmp_path / "once", CARD, given, halved=True)
    _, back = read(tmp_path / "once")
    assert back.keys() == given.keys() and torch.equal(back["n"], given["n"])
    for name in ("wide", "deep"):
        step = given[name].flatten(1).abs().amax(1) / 127
        assert back[name].dtype == torch.float32 and back[name].shape == given[name].shape
        assert ((back[name] - given[name]).flatten(1).abs().amax(1) <= 0.501 * step).all()
    write(tmp_path / "twice", CARD, back, halved=True)
    assert all(torch.allclose(value, back[name], rtol=1e-6) for name, value in read(tmp_path / "twice")[1].items())
    assert (tmp_path / "once").stat().st_size < 226_000 + 8 * 200_000 + 2000


def test_steps_that_are_not_of_its_rows_are_a_sentence(tmp_path):
    card = json.dumps({"architecture": "test", "height": 96, "width": 160, "fps": 15.0, "controls": ["speed"]})
    tensors = {"a": torch.zeros(4, 3, dtype=torch.int8), "a|scale": torch.ones(7)}
    safetensors.torch.save_file(tensors, tmp_path / "w", {"card": card})
    with pytest.raises(WeightsError, match="damaged"):
        read(tmp_path / "w")


def test_not_finite_is_never_written_and_old_file_stays(tmp_path):
    path = tmp_path / "w.safetensors"
    write(path, CARD, tensors())
    before = path.read_bytes()
    with pytest.raises(WeightsError, match="not finite"):
        write(path, CARD, {"a": torch.tensor([1.0, float("nan")])})
    with pytest.raises(WeightsError):
        write(path, replace(CARD, loss=float("inf")), tensors())
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["w.safetensors"]


@pytest.mark.parametrize("stop", ["write", "sync", "rename"])
def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch, stop):
    path = tmp_path / "w.safetensors"
    write(path, CARD, tensors(1.0))

    def full(*_args, **_kw):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        if stop == "write":
            patch.setattr("builtins.open", full)
        else:
            patch.setattr(os, "fsync" if stop == "sync" else "replace", full)
        with pytest.raises(WeightsError, match="No space left"):
            write(path, CARD, tensors(2.0))
    assert read(path)[1]["a"][0, 0] == 1.0
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_every_cut_of_a_file_is_a_sentence(tmp_path):
    write(tmp_path / "w.safetensors", CARD, tensors())
    whole = (tmp_path / "w.safetensors").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(WeightsError):
            read(cut)


def test_hostile_files(tmp_path):
    path = tmp_path / "w.safetensors"

    class Evil:
        def __reduce__(self):
            return (os.mkdir, (str(tmp_path / "ran"),))

    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    for data in (
        pickle.dumps(Evil()),
        b"",
        b"\xff" * 64,
        (2**63).to_bytes(8, "little") + b"{}",
        len(header).to_bytes(8, "little") + header,
        (4).to_bytes(8, "little") + b"[[]]",
    ):
        path.write_bytes(data)
        with pytest.raises(WeightsError) as caught:
            read(path)
        assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "ran").exists()
    for missing in (tmp_path / "none.safetensors", tmp_path):
        with pytest.raises(WeightsError):
            read(missing)


def test_a_file_with_nan_or_without_a_card_is_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    card = json.dumps({"architecture": "test", "height": 96, "width": 160, "fps": 15.0, "controls": ["speed"]})
    safetensors.torch.save_file({"a": torch.tensor([float("nan")])}, path, {"card": card})
    with pytest.raises(WeightsError, match="not finite"):
        read(path)
    safetensors.torch.save_file({"a": torch.tensor([1.0])}, path)
    with pytest.raises(WeightsError, match="no card"):
        read(path)
    bad = (
        "no json",
        "[]",
        "{}",
        card.replace("96", "-1"),
        card.replace("15.0", '"x"'),
        card.replace("15.0", "NaN"),
        card.replace("160", "1e99"),
        card.replace('["speed"]', "[1]"),
        card.replace('["speed"]', "null"),
        "[" * 100_000,
    )
    for text in bad:
        safetensors.torch.save_file({"a": torch.tensor([1.0])}, path, {"card": text})
        with pytest.raises(WeightsError):
            read(path)
    safetensors.torch.save_file({"a": torch.tensor([1.0])}, path, {"card": card[:-1] + ', "from_the_future": 1}'})
    assert read(path)[0].controls == ("speed",)


def test_slot_numbers_and_keeps_three(tmp_path):
    slot = WeightsSlot(tmp_path / "slot")
    assert slot.latest() is None
    assert [slot.publish(CARD, tensors(v)) for v in range(5)] == [1, 2, 3, 4, 5]
    assert sorted(os.listdir(tmp_path / "slot")) == ["000003.safetensors", "000004.safetensors", "000005.safetensors"]
    card, last = read(slot.latest())
    assert card.version == 5 and last["a"][0, 0] == 4
    assert WeightsSlot(tmp_path / "slot").publish(CARD, tensors()) == 6


def test_inbox_hands_out_the_newest_once(tmp_path):
    slot, inbox = WeightsSlot(tmp_path), Inbox(tmp_path)
    inbox.look()
    assert inbox.poll() is None
    slot.publish(CARD, tensors(1))
    slot.publish(CARD, tensors(2))
    inbox.look()
    card, fresh = inbox.poll()
    assert card.version == 2 and fresh["a"][0, 0] == 2
    inbox.look()
    assert inbox.poll() is None


def test_inbox_skips_a_bad_file_with_one_line_and_goes_on(tmp_path, caplog):
    slot, inbox = WeightsSlot(tmp_path), Inbox(tmp_path)
    slot.path(1).write_bytes(b"not weights")
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            inbox.look()
    assert len(caplog.records) == 1
    assert inbox.poll() is None
    slot.publish(CARD, tensors())
    inbox.look()
    assert inbox.poll()[0].version == 2


def test_inbox_passes_over_what_was_there_before(tmp_path):
    slot = WeightsSlot(tmp_path)
    slot.publish(CARD, tensors())
    inbox = Inbox(tmp_path, after=1)
    inbox.look()
    assert inbox.poll() is None


def test_a_reader_never_meets_half_a_file(tmp_path, caplog):
    """One writer at full speed, the inbox's own thread reading: every set handed out is whole and newer."""
    slot, got = WeightsSlot(tmp_path), []
    with caplog.at_level(logging.WARNING), Inbox(tmp_path, seconds=0.0005) as inbox:
        for value in range(1, 60):
            slot.publish(CARD, {"a": torch.full((2000,), float(value)), "b": torch.full((2000,), float(value))})
            got += [f for f in [inbox.poll()] if f]
        until = time.monotonic() + 20
        while (not got or got[-1][0].version < 59) and time.monotonic() < until:
            got += [f for f in [inbox.poll()] if f]
            time.sleep(0.001)
    versions = [card.version for card, _ in got]
    assert versions[-1] == 59 and versions == sorted(set(versions))
    for card, fresh in got:
        assert (fresh["a"] == card.version).all() and (fresh["b"] == card.version).all()
