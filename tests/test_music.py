"""Whether a picture plays its music: a world that obeys is found to, one that is deaf or hears shuffled is not."""

import numpy as np
import pytest
import toy

from vj.commands import read_drums
from vj.errors import FilmError
from vj.train import measures, music, scenery

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


class Drawn(scenery.Journey):
    """A film in which each thing comes as its drum says: what a network that had learnt all would show."""

    drums: dict[str, np.ndarray]

    def _plant(self, props):
        self.far = self._line("far", props, (1.22, 1.36), (5, 15), 0, self.drums["far"])
        rest = self._line("middle", props, (2.45, 2.85), (6, 12), 11, self.drums["middle"])
        rest += self._line("near", props, (5.0, 5.9), (5, 8), 16, self.drums["near"])
        self.rest = sorted(rest, key=lambda thing: thing.rate)

def test_in_a_film_drawn_to_the_drums_each_thing_is_found_once(monkeypatch):
    monkeypatch.setattr(scenery, "_speeds", lambda rng, count: np.ones(count, np.float32))
    Drawn.drums = {"far": np.arange(35, 430, 29), "middle": np.arange(40, 430, 22), "near": np.arange(37, 430, 11)}
    film = Drawn("fields", 450, 5, (160, 96))
    stands, least = np.array([music.standing(film.frame(t)) for t in range(450)]), (0.75, 0.9, 0.9)  # poplars are several
    for band, name in enumerate(BANDS):
        found = music.found_entries(stands[:, measures.rows(band, 96)])
        score, late = music.best_f(found, Drawn.drums[name])
        assert score > least[band] and late < 6, (name, score, late)


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
