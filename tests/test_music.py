"""Whether a picture plays its music: a world that obeys is found to, one that is deaf or hears shuffled is not."""

import numpy as np
import pytest
import toy

from vj.commands import read_drums
from vj.errors import FilmError
from vj.train import music

BANDS = ("far", "middle", "near")


@pytest.fixture(scope="module")
def piece():
    """Controls of 600 frames and the drums, which are told two frames late, as an ear would."""
    rng = np.random.default_rng(5)
    table, drums = np.zeros((600, 6), np.float32), {}
    table[:, 0] = 1
    for band, name in enumerate(BANDS):
        drums[name] = np.cumsum(rng.integers(16, 40, 40))
        drums[name] = drums[name][drums[name] < 580]
        for t in drums[name]:
            table[t + 2 : t + 5, 1 + band] = 1
    return table, drums


def figures(player, piece):
    found = music.judge_music(player, None, *piece, tell=lambda share, what: None)
    assert len(found.pictures["music"]) == 12
    return {figure.key: figure for figure in found.figures}


def test_a_world_that_obeys_plays_the_music_and_not_a_shuffled_one(piece):
    seen = figures(toy.Toy(), piece)
    for name in BANDS:
        assert seen[f"music.{name}"].passed, seen[f"music.{name}"]
        assert seen[f"music.{name}.shuffled"].passed, seen[f"music.{name}.shuffled"]
        assert seen[f"music.{name}"].value > seen[f"music.{name}.shuffled"].value + 0.3


@pytest.mark.parametrize("player", [toy.Deaf, toy.Frozen])
def test_who_does_not_listen_does_not_play(piece, player):
    seen = figures(player(), piece)
    assert not any(seen[f"music.{name}"].passed for name in BANDS)


def test_a_piece_without_a_drum_says_so(piece):
    table, drums = piece
    found = music.judge_music(toy.Toy(), None, table[:60], {"near": drums["near"]}, tell=lambda share, what: None)
    assert {f.key: f.value for f in found.figures}["music.far"] is None


def test_a_constant_delay_is_taken_out_and_no_more():
    truth = np.arange(20, 400, 20)
    assert music.best_f(truth + 5, truth) == (1.0, 3)  # within two frames of five
    assert music.best_f(truth + 14, truth)[0] == 0


def test_drums_are_read_and_nonsense_is_refused(tmp_path):
    path = tmp_path / "a.onsets"
    path.write_text("0.5\tKD\n0.5\tHH\n1.25 SD\n2 CY\n3 OT\n")
    assert read_drums(path) == {"kick": [0.5], "hat": [0.5, 2.0], "snare": [1.25]}
    path.write_text("when it kicks\n")
    with pytest.raises(FilmError, match="names no drums"):
        read_drums(path)
    path.write_text("soon KD\n")
    with pytest.raises(FilmError, match="cannot be read"):
        read_drums(path)
