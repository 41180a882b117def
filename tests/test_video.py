"""Films that are read back, films that are killed, disks that are full."""

import json
import resource
import shutil
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from vj.errors import FilmError, FootageError
from vj.video import HARDWARE, WAITING_PICTURES, FilmRecorder, FilmWriter, encoder_here, read_frames, video_info

SIZE, FPS, RATE = (128, 72), 25, 48000


def bars(k: int, size=SIZE) -> np.ndarray:
    """Red left third, green middle, blue right, and a white square at the top that moves with k."""
    width, height = size
    picture = np.zeros((height, width, 3), np.uint8)
    for i in range(3):
        picture[:, i * width // 3 : (i + 1) * width // 3, i] = 200
    picture[4:20, (4 + 8 * k) % (width - 16) :][:, :16] = 255
    return picture


def write_film(path, count=25, sound=True, size=SIZE, **more):
    with FilmWriter(path, size, FPS, RATE if sound else None, preset="ultrafast", **more) as film:
        for k in range(count):
            film.write(bars(k, size))
            if sound:
                t = np.arange(k * RATE // FPS, (k + 1) * RATE // FPS) / RATE
                film.write_sound(0.5 * np.sin(2 * np.pi * 440 * t).astype(np.float32))
    return path


def probe(path) -> dict:
    command = ["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-show_format", "-of", "json", str(path)]
    answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return {s["codec_type"]: s for s in answer["streams"]} | {"seconds": float(answer["format"]["duration"])}


def test_a_film_comes_back_as_it_went_in(tmp_path):
    path = write_film(tmp_path / "film.mp4")
    info = video_info(path)
    assert (info.width, info.height, info.fps, info.count, info.rotation) == (*SIZE, FPS, 25, 0)
    assert info.seconds == pytest.approx(1.0, abs=0.01)
    frames = list(read_frames(path))
    assert len(frames) == 25 and frames[0].shape == (72, 128, 3) and frames[0].dtype == np.uint8
    for k in (0, 7, 24):
        assert np.abs(frames[k].astype(int) - bars(k)).mean() < 6  # the chroma of coded video is coarse
    assert list(tmp_path.iterdir()) == [path], "the temporary file has gone"


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
def test_ffprobe_accepts_the_film(tmp_path):
    told = probe(write_film(tmp_path / "film.mp4", count=50))
    video, sound = told["video"], told["audio"]
    assert (video["codec_name"], video["pix_fmt"], video["nb_read_frames"]) == ("h264", "yuv420p", "50")
    assert (video["color_space"], video["color_range"]) == ("bt709", "tv")
    assert (sound["codec_name"], sound["sample_rate"], sound["channels"]) == ("aac", "48000", 2)
    assert told["seconds"] == pytest.approx(2.0, abs=0.03)
    assert float(video["duration"]) == pytest.approx(2.0, abs=0.001)


@pytest.mark.skipif(not shutil.which("ffprobe"), reason="ffprobe is not installed")
@pytest.mark.parametrize("rate", [8000, 44100, 192000])
def test_sound_of_any_rate_keeps_its_length(tmp_path, rate):
    with FilmWriter(tmp_path / "f.mp4", (64, 48), 25, rate, preset="ultrafast") as film:
        for k in range(25):
            film.write(bars(k, (64, 48)))
        film.write_sound(np.zeros((rate, 2), np.float32))
    assert float(probe(tmp_path / "f.mp4")["audio"]["duration"]) == pytest.approx(1.0, abs=0.08)


def test_odd_and_changing_sizes_are_taken(tmp_path):
    with FilmWriter(tmp_path / "odd.mp4", (129, 73), FPS, preset="ultrafast") as film:
        film.write(np.full((73, 129, 3), 90, np.uint8))
        film.write(np.full((50, 60, 3), 90, np.uint8))
    frames = list(read_frames(tmp_path / "odd.mp4"))
    assert [f.shape for f in frames] == [(72, 128, 3)] * 2
    assert np.abs(frames[1].astype(int) - 90).max() < 4


def test_time_places_frames_and_passes_over_doubles(tmp_path):
    with FilmWriter(tmp_path / "t.mp4", SIZE, FPS, preset="ultrafast") as film:
        assert film.wants(0.0)
        film.write(bars(0), 0.0)
        assert not film.wants(0.039) and film.wants(0.04)
        for t in (0.01, 0.02, 0.04, 0.05, 0.4):
            film.write(bars(0), t)
        assert film.frames == 3
    assert video_info(tmp_path / "t.mp4").seconds == pytest.approx(0.44, abs=0.041)


def test_frames_fill_the_wanted_size_in_proportion(tmp_path):
    path = write_film(tmp_path / "film.mp4", count=2, sound=False)
    frame = next(read_frames(path, (64, 64)))  # of 128x72: the middle 72 columns
    assert frame.shape == (64, 64, 3)
    assert frame[40, 32].argmax() == 1 and frame[40, 2].argmax() == 0 and frame[40, 61].argmax() == 2
    assert (frame[40].argmax(-1) == 1).mean() == pytest.approx((128 / 3) / 72, abs=0.05)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_a_phone_held_upright_is_turned_upright(tmp_path):
    path, turned = write_film(tmp_path / "film.mp4", count=3, sound=False), tmp_path / "turned.mp4"
    command = ["ffmpeg", "-v", "error", "-i", path, "-c", "copy", "-metadata:s:v:0", "rotate=90", turned]
    subprocess.run(command, check=True)
    raw = subprocess.run(
        ["ffmpeg", "-v", "error", "-i", turned, "-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
        check=True, capture_output=True,
    ).stdout  # what ffmpeg shows, which turns by itself
    if len(raw) != 72 * 128 * 3 or probe(turned)["video"].get("side_data_list") is None:
        pytest.skip("this ffmpeg writes no rotation")
    info = video_info(turned)
    assert (info.width, info.height) == (72, 128) and info.rotation in (90, 270)
    frame = next(read_frames(turned))
    assert np.abs(frame.astype(int) - np.frombuffer(raw, np.uint8).reshape(128, 72, 3)).mean() < 3
    assert next(read_frames(turned, (36, 64))).shape == (64, 36, 3)


def test_what_is_no_video_is_said_in_a_sentence(tmp_path):
    (tmp_path / "text.mp4").write_text("not a video at all")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name in ("text.mp4", "empty.mp4", "gone.mp4"):
        with pytest.raises(FootageError, match=name):
            next(read_frames(tmp_path / name))
        with pytest.raises(FootageError):
            video_info(tmp_path / name)
    write_film(tmp_path / "ok.mp4", count=2)
    silent = tmp_path / "list.m3u8"
    silent.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(FootageError):
        next(read_frames(silent))


def test_a_damaged_film_gives_what_still_decodes(tmp_path):
    path = write_film(tmp_path / "film.mp4", count=50, sound=False, aside=False)
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    assert 10 < sum(1 for _ in read_frames(path)) <= 50


def test_a_failed_film_leaves_the_old_one_alone(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_text("the film of yesterday")
    with pytest.raises(RuntimeError), FilmWriter(path, SIZE, FPS, preset="ultrafast") as film:
        film.write(bars(0))
        raise RuntimeError("the show broke")
    assert path.read_text() == "the film of yesterday" and list(tmp_path.iterdir()) == [path]


def test_places_where_no_film_can_be(tmp_path):
    for path in (tmp_path / "no" / "film.mp4", tmp_path / "film.gif"):
        with pytest.raises(FilmError):
            FilmWriter(path, SIZE, FPS)
    (tmp_path / "dir.mp4").mkdir()
    with pytest.raises(FilmError, match="is a folder"):
        FilmWriter(tmp_path / "dir.mp4", SIZE, FPS)


def test_a_killed_program_leaves_a_film_that_plays(tmp_path):
    program = f"""
        import os, numpy as np
        from vj.video import FilmWriter
        film = FilmWriter({str(tmp_path / "film.mp4")!r}, (128, 72), 25, 48000, preset="ultrafast", aside=False)
        for k in range(100):
            film.write(np.random.default_rng(k).integers(0, 255, (72, 128, 3), np.uint8))
            film.write_sound(np.zeros(1920, np.float32))
        os.kill(os.getpid(), 9)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(program)]).returncode == -9
    assert sum(1 for _ in read_frames(tmp_path / "film.mp4")) >= 50, "all but the last fragment or two"


@pytest.fixture
def small_disk():
    """No file may grow over 200 kB."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, usual[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, usual)


def noise(k: int) -> np.ndarray:
    return np.random.default_rng(k).integers(0, 255, (72, 128, 3), np.uint8)


def test_a_full_disk_ends_a_render_with_a_sentence(tmp_path, small_disk):
    with pytest.raises(FilmError, match=r"film\.mp4 cannot be written .*free some room"):
        with FilmWriter(tmp_path / "film.mp4", SIZE, FPS, preset="ultrafast") as film:
            for k in range(100):
                film.write(noise(k))
    assert not list(tmp_path.iterdir())


def test_a_full_disk_ends_a_recording_and_not_the_show(tmp_path, small_disk):
    with FilmRecorder(tmp_path / "film.mp4", SIZE, FPS) as film:
        for k in range(400):
            film.write(noise(k))
            time.sleep(0.002)
            if not film.alive:
                break
        assert not film.alive and "recording has stopped" in film.message and "free some room" in film.message
        film.write(noise(0))  # the show goes on and need not know
        film.write_sound(np.zeros(480, np.float32))


def test_a_recording_never_waits_and_counts_what_it_drops(tmp_path):
    count = 4 * WAITING_PICTURES
    picture = np.random.default_rng(0).integers(0, 255, (720, 1280, 3), np.uint8)
    with FilmRecorder(tmp_path / "film.mp4", (1280, 720), 30, RATE) as film:
        for k in range(count):  # far faster than the encoder
            film.write(picture, k / 30)
            film.write_sound(np.zeros(RATE // 30, np.float32))
        while film._taken < film._given:
            time.sleep(0.01)
        film.write(picture, count / 30)  # there is room again
    assert film.dropped > 0 and film.message == ""
    assert sum(1 for _ in read_frames(film.path, (32, 18))) == count + 1 - film.dropped
    assert video_info(film.path).seconds == pytest.approx((count + 1) / 30, abs=0.1), "a drop is a gap, no loss of time"


def test_a_recording_spares_the_film_of_yesterday(tmp_path):
    (tmp_path / "film.mp4").write_text("yesterday")
    with FilmRecorder(tmp_path / "film.mp4", SIZE, FPS) as film:
        film.write(bars(0))
    assert film.path.name == "film-2.mp4" and "film-2.mp4" in film.message
    assert (tmp_path / "film.mp4").read_text() == "yesterday"
    assert len(list(read_frames(film.path))) == 1


def test_an_encoder_in_hardware_is_taken_only_where_it_encodes(tmp_path, monkeypatch):
    assert encoder_here(SIZE, FPS) in (*HARDWARE, "libx264")
    monkeypatch.setattr("vj.video.HARDWARE", {"no_such_encoder": {}, "h264_nvenc": {"preset": "no such preset"}})
    assert encoder_here(SIZE, FPS) == "libx264"
    monkeypatch.setattr("vj.video.HARDWARE", {"mpeg4": {"qscale": "3"}})  # stands for a card's: it does encode
    assert encoder_here((129, 73), FPS) == "mpeg4"
    with FilmRecorder(tmp_path / "film.mp4", SIZE, FPS, RATE) as film:
        film.write(bars(0))
        film.write_sound(np.zeros(RATE // FPS, np.float32))
    assert film.encoder == "mpeg4" and len(list(read_frames(film.path))) == 1


def test_a_card_that_fails_after_its_trial_leaves_the_film_to_the_processor(tmp_path, monkeypatch):
    monkeypatch.setattr("vj.video.encoder_here", lambda *_: "h264_nvenc_that_has_gone")
    with FilmRecorder(tmp_path / "film.mp4", SIZE, FPS) as film:
        film.write(bars(0))
    assert film.encoder == "libx264" and film.message == "" and len(list(read_frames(film.path))) == 1
