"""Sound files of every kind, the player without a card, the listener's thread, and what `vj hear` prints and draws."""

import logging
import time

import cv2
import numpy as np
import pytest
import soundfile

from vj.audio import source
from vj.audio.features import FeatureExtractor
from vj.audio.files import RATE, SoundFile, cut
from vj.audio.hear import hear
from vj.audio.listener import Listener
from vj.audio.sheet import plot
from vj.audio.source import FilePlayer, LineIn
from vj.errors import SoundError
from vj.signals import AudioFeatures


def tone(rate, seconds=1.0, hertz=440.0):
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def beats(rate=RATE, seconds=8.0, bpm=120):
    t = np.arange(round(rate * seconds)) / rate
    return 0.6 * np.sin(2 * np.pi * 60 * t) * np.exp(-(t % (60 / bpm)) / 0.08)


def read(path, n=1000, **options):
    with SoundFile(path, **options) as sound:
        blocks = list(sound.blocks(n))
    assert all(b.shape == (n,) and b.dtype == np.float32 for b in blocks)
    return np.concatenate(blocks)


@pytest.mark.parametrize("rate", [8000, 11025, 44100, 48000, 96000, 192000])
def test_every_rate_becomes_one(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate), rate)
    heard = read(tmp_path / "a.wav")
    assert len(heard) == pytest.approx(RATE, abs=1000)
    middle = heard[10000:40000]
    assert middle == pytest.approx(tone(RATE)[10000:40000], abs=0.01)  # in pitch, in level and in time


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_U8"), ("a.wav", "PCM_24"), ("a.wav", "FLOAT"), ("a.flac", "PCM_16"),
                          ("a.ogg", "VORBIS"), ("a.mp3", None), ("a.aiff", "PCM_16")]
)  # fmt: skip
def test_every_kind_is_read(tmp_path, name, subtype):
    soundfile.write(tmp_path / name, tone(RATE), RATE, subtype=subtype)
    heard = read(tmp_path / name)
    assert np.sqrt(np.mean(heard[5000:40000] ** 2)) == pytest.approx(0.354, abs=0.05)


@pytest.mark.parametrize("channels", [1, 2, 6, 8])
def test_channels_are_mixed_to_one(tmp_path, channels):
    sound = np.zeros((RATE, channels))
    sound[:, 0] = tone(RATE)
    soundfile.write(tmp_path / "a.wav", sound, RATE)
    assert np.abs(read(tmp_path / "a.wav")).max() == pytest.approx(0.5 / channels, rel=0.01)
    with SoundFile(tmp_path / "a.wav") as file:
        assert next(file.stereo_blocks(480)).shape == (480, 2)


def test_the_last_block_is_filled_with_silence():
    blocks = list(cut([np.ones(5), np.ones(0), np.ones(4)], 4))
    assert [list(b) for b in blocks] == [[1] * 4, [1] * 4, [1, 0, 0, 0]]
    assert list(cut([], 4)) == []


def test_a_loop_has_no_seam(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(RATE, 0.1, 100.0), RATE, subtype="FLOAT")
    with SoundFile(tmp_path / "a.wav", loop=True) as sound:
        blocks = sound.blocks(RATE)
        heard = np.concatenate([next(blocks), next(blocks)])
    assert heard == pytest.approx(tone(RATE, 2.0, 100.0), abs=1e-3)


def test_broken_samples_in_a_file_are_silence(tmp_path):
    sound = tone(44100)
    sound[1000:2000] = np.nan
    sound[3000] = np.inf
    soundfile.write(tmp_path / "a.wav", sound, 44100, subtype="FLOAT")
    heard = read(tmp_path / "a.wav")
    assert np.isfinite(heard).all() and np.abs(heard[20000:40000]).max() == pytest.approx(0.5, abs=0.02)


def cut_short(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_file_cut_short_plays_as_far_as_it_goes(tmp_path, name):
    soundfile.write(tmp_path / name, np.random.default_rng(0).uniform(-0.5, 0.5, 4 * RATE), RATE)
    cut_short(tmp_path / name)
    heard = read(tmp_path / name)
    assert RATE < len(heard) <= 4 * RATE and np.isfinite(heard).all()


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no sound file"), (b"", "cannot be read"), (b"RIFF\x00\x00\x00\x00WAVE", "cannot be read"),
     (b"what is this" * 100, "cannot be read"), ("empty", "holds no sound")],
)  # fmt: skip
def test_what_is_no_sound_is_one_sentence(tmp_path, content, words):
    path = tmp_path / "a.wav"
    if content == "empty":
        soundfile.write(path, np.zeros(0), RATE)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(SoundError, match=words) as caught:
        SoundFile(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    with pytest.raises(SoundError):
        SoundFile(tmp_path)  # a folder


def test_without_an_output_the_player_goes_by_the_clock(tmp_path, monkeypatch, caplog):
    soundfile.write(tmp_path / "a.wav", tone(44100, 0.5), 44100)
    monkeypatch.setattr(source, "sounddevice", None)
    with caplog.at_level(logging.WARNING), FilePlayer(tmp_path / "a.wav") as player:
        assert not player.audible and "playing silently" in caplog.text
        begin = time.monotonic()
        heard = np.concatenate(list(player.blocks(480)))
    assert time.monotonic() - begin > 0.45  # never ahead of the clock
    assert heard[2000:20000] == pytest.approx(tone(RATE)[2000:20000], abs=0.01)
    with pytest.raises(SoundError, match="PortAudio is not installed"):
        LineIn()
    assert source.devices() == ([], [])


class Source:
    """A source of a few blocks that fails once in the middle."""

    overflows = 3

    def __init__(self, blocks, failures=0):
        self.left, self.failures, self.closed = list(blocks), failures, False

    def blocks(self, n):
        while self.left:
            if self.failures and len(self.left) == 2:
                self.failures -= 1
                raise OSError("the cable is out")
            yield self.left.pop(0)

    def close(self):
        self.closed = True


def until(true, seconds=10.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_the_listener_hands_over_the_newest_features():
    blocks = np.split(beats().astype(np.float32), 800)
    fake, alone = Source(blocks), FeatureExtractor()
    expected = [alone.feed(b) for b in blocks]
    seen = []

    class Extractor(FeatureExtractor):
        def feed(self, samples):
            seen.append(super().feed(samples))
            return seen[-1]

    with Listener(fake, Extractor()) as listener:
        until(lambda: not listener.alive)
        assert listener.features == AudioFeatures(time=8.0)  # at rest when the source has ended
        assert listener.overflows == 3
    assert seen == expected and fake.closed


def test_the_listener_survives_a_source_that_fails(monkeypatch):
    monkeypatch.setattr("vj.audio.listener.AGAIN", 0.01)
    fake = Source([np.zeros(480, np.float32)] * 5, failures=3)
    with Listener(fake, FeatureExtractor()) as listener:
        until(lambda: not listener.alive)
    assert not fake.left and fake.failures == 0


def test_hear_prints_lines_in_stream_order(tmp_path):
    soundfile.write(tmp_path / "a.wav", beats(44100), 44100)
    lines = list(hear(tmp_path / "a.wav"))
    onsets = [line.split() for line in lines if line.startswith("O ")]
    told = [line.split() for line in lines if not line.startswith("O ")]
    assert all(len(w) == 4 and w[2] in ("KD", "SD", "HH") and float(w[1]) < float(w[3]) for w in onsets)
    assert all(len(w) in (2, 3) for w in told)
    reports = [float(line.split()[3 if line[0] == "O" else 1]) for line in lines]
    assert reports == sorted(reports)
    assert sum(w[2] == "KD" for w in onsets) >= 14 and len(told) >= 8


def test_the_picture_shows_the_beats(tmp_path):
    soundfile.write(tmp_path / "a.wav", beats(), RATE)
    plot(tmp_path / "a.wav", tmp_path / "a.png")
    image = cv2.imread(str(tmp_path / "a.png"))
    assert image.shape[1] > 800 and image.shape[0] > 500
    red = (image[..., 2].astype(int) - image[..., 0] > 100).sum()
    assert red > 500  # kicks and the low band
    with pytest.raises(SoundError, match="cannot be written"):
        plot(tmp_path / "a.wav", tmp_path / "nowhere" / "a.png")


def test_two_hours_need_no_more_memory_than_a_minute():
    extractor = FeatureExtractor()
    sound = beats(seconds=2.0).astype(np.float32)
    for _ in range(10):
        extractor.feed(sound)
    sizes = [len(v) for v in vars(extractor).values() if hasattr(v, "__len__")]
    for _ in range(10):
        extractor.feed(sound)
    assert max(len(v) for v in vars(extractor).values() if hasattr(v, "__len__")) <= max(1000, *sizes)
