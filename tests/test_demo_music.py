"""The demo music: the same every time, loud enough, never clipped, its drums where it says they are."""

import numpy as np
import pytest
import soundfile

from vj import opening
from vj.audio import demo_music
from vj.errors import SoundError
from vj.settings import Settings

RATE = 16000


@pytest.fixture(scope="module")
def piece():
    return demo_music.make(RATE)


def test_eighty_seconds_of_stereo_without_clipping(piece):
    sound, _ = piece
    assert sound.shape == (80 * RATE, 2) and sound.dtype == np.float32
    assert np.isfinite(sound).all() and np.abs(sound).max() == pytest.approx(0.9, abs=1e-3)
    assert (np.abs(sound) > 0.88).mean() < 1e-3
    assert sound[10 * RATE : 70 * RATE].std() > 0.05
    assert np.abs(sound[:, 0] - sound[:, 1]).mean() > 0.01
    assert np.abs(sound[-10:]).max() < 1e-3


def test_drums_enter_rest_and_return(piece):
    _, times = piece
    bar = 4 * 60 / demo_music.TEMPO
    kicks = np.array(times["kick"])
    assert kicks[0] == pytest.approx(24.76, abs=0.01)
    assert not ((kicks > 29 * bar - 0.01) & (kicks < 33 * bar - 0.01)).any() and (kicks > 33 * bar - 0.01).sum() > 20
    assert min(times["snare"]) > kicks[0] + 5 and len(times["hat"]) > 100
    assert all(np.all(np.diff(t) > 0) for t in times.values())


def test_kicks_sound_at_their_times(piece):
    sound, times = piece
    spectrum = np.fft.rfft(sound.mean(1))
    spectrum[np.fft.rfftfreq(len(sound), 1 / RATE) > 160] = 0
    low = np.fft.irfft(spectrum, len(sound)) ** 2
    rises = []
    for t in times["kick"][8:60]:
        a = round(t * RATE)
        rises.append(low[a : a + RATE // 10].mean() / low[a - RATE // 10 : a].mean())
    assert np.median(rises) > 4


def test_the_same_every_time(piece):
    assert np.array_equal(demo_music.make(RATE)[0][: 20 * RATE], piece[0][: 20 * RATE])


def test_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    short = np.zeros((800, 2), np.float32)
    monkeypatch.setattr(demo_music, "make", lambda rate: (short, {}))
    path = demo_music.write(tmp_path / "new" / "demo.flac", 8000)
    assert soundfile.info(path).frames == 800
    with pytest.raises(SoundError, match="nonsense"):
        demo_music.write(tmp_path / "demo.nonsense", 8000)
    (tmp_path / "file").write_text("")
    with pytest.raises(SoundError):
        demo_music.write(tmp_path / "file" / "demo.flac", 8000)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "new"]
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["demo.flac"]


def test_a_piece_kept_by_another_program_is_not_played(tmp_path, monkeypatch):
    monkeypatch.setenv("VJ_DATA", str(tmp_path))
    monkeypatch.setattr(demo_music, "write", lambda path: path)
    ours = opening.sound_file(Settings())
    assert ours == opening.sound_file(Settings()) and ours.is_relative_to(tmp_path)
    (tmp_path / "other.py").write_text("TEMPO = 90")
    monkeypatch.setattr(demo_music, "__file__", str(tmp_path / "other.py"))
    assert opening.sound_file(Settings()) != ours
