"""Pictures out of a video file, and pictures with sound into an MP4, by PyAV. Knows no footage rules and no show.

A film is H.264 (4:2:0, BT.709) with AAC sound in a "hybrid" MP4: while it is being written it consists of fragments
that play without the end of the file, so a killed program leaves a film; closing it writes the usual index.
"""

import os
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from vj.errors import FilmError, FootageError

AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)  # Hz
HARDWARE = {  # encoders of graphics cards and their options, the first that works is taken for a recording
    "h264_nvenc": {"preset": "p1", "tune": "ll", "rc": "vbr", "cq": "21"},
    "h264_videotoolbox": {"realtime": "1", "q": "65"},
}
WAITING_PICTURES = 16  # that a recorder holds for its encoder: half a second at 30 a second
WAITING_BLOCKS = 2000  # of sound, likewise: 20 s of 10 ms blocks


# ---------------------------------------------------------------------------------------------------- frames out
@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a video file says of itself; width and height as shown, that is after rotation and pixel aspect."""

    width: int  # px
    height: int
    fps: float  # frames a second, mean; 25 where the file does not say
    count: int  # frames, an estimate; 0 unknown
    seconds: float  # 0 unknown
    rotation: int  # degrees counterclockwise that the stored frames are turned by: 0, 90, 180, 270


def _open(path: str | Path) -> av.container.InputContainer:
    path = Path(path)
    if not path.is_file():
        raise FootageError(f"There is no video {path}: give a file that exists.")
    try:
        # only this one file: a hostile playlist may not open others, nor the network
        container = av.open(str(path), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise FootageError(f"{path.name} is no video that FFmpeg can read ({_reason(error)}): leave it out.") from None
    if not container.streams.video:
        container.close()
        raise FootageError(f"{path.name} holds no pictures: leave it out or give a video.")
    return container


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()


def _decoded(container: av.container.InputContainer) -> Iterator[av.VideoFrame]:
    """Every frame that decodes. Damaged packets are passed over, a broken end ends the film early."""
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            frames = next(packets).decode()
        except StopIteration:
            return
        except av.error.InvalidDataError:
            continue  # after an error in the packets themselves the iterator has ended, and we with it
        except (av.FFmpegError, OSError):
            return
        yield from frames


def _fps(stream: av.VideoStream) -> float:
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0.1 < rate < 1000:
            return float(rate)
    return 25.0


def _turn(frame: av.VideoFrame) -> int:
    """Quarter turns counterclockwise, 0..3."""
    return round(frame.rotation / 90) % 4


def _shown(frame: av.VideoFrame, stream: av.VideoStream) -> tuple[float, float]:
    """(width, height) px of the stored frame with square pixels, before it is turned."""
    aspect = float(stream.sample_aspect_ratio or 1) or 1.0
    return (frame.width * aspect, frame.height) if 0.1 < aspect < 10 else (frame.width, frame.height)


def video_info(path: str | Path) -> VideoInfo:
    """Reads the header and one frame. Raises FootageError where there is none."""
    with _open(path) as container:
        stream, fps = container.streams.video[0], _fps(container.streams.video[0])
        frame = next(_decoded(container), None)
        if frame is None:
            raise FootageError(f"{Path(path).name} holds no frame that decodes: leave it out.")
        width, height = (round(side) for side in _shown(frame, stream))
        turn = _turn(frame)
        if stream.duration and stream.time_base:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = (container.duration or 0) / av.time_base
        count = stream.frames or round(max(seconds, 0.0) * fps)
    return VideoInfo(*((height, width) if turn % 2 else (width, height)), fps, count, max(seconds, 0.0), turn * 90)


def read_frames(path: str | Path, size: tuple[int, int] | None = None, every: int = 1) -> Iterator[np.ndarray]:
    """Each `every`-th frame of a video, each uint8 (H, W, 3) RGB, top row first, turned upright.

    size: (width, height) px wanted; frames keep their proportions, fill it and lose what hangs over on both sides.
    Without it they come as they are stored. Raises FootageError at the first frame where there is none to be had.
    """
    with _open(path) as container:
        stream, none_yet = container.streams.video[0], True
        for number, frame in enumerate(_decoded(container)):
            none_yet, turn = False, _turn(frame)
            if number % every == 0:
                yield np.rot90(_sized(frame, stream, size, turn), turn) if turn else _sized(frame, stream, size, turn)
        if none_yet:
            raise FootageError(f"{Path(path).name} holds no frame that decodes: leave it out.")


def _sized(frame: av.VideoFrame, stream: av.VideoStream, size: tuple[int, int] | None, turn: int) -> np.ndarray:
    """uint8 (H, W, 3), not yet turned."""
    colours = Colorspace.ITU709 if frame.colorspace == 2 and frame.height >= 720 else None  # 2: the file does not say
    if size is None:
        return frame.reformat(format="rgb24", src_colorspace=colours).to_ndarray()
    width, height = size[::-1] if turn % 2 else size
    shown_width, shown_height = _shown(frame, stream)
    scale = max(width / shown_width, height / shown_height)
    wide, high = max(width, round(shown_width * scale)), max(height, round(shown_height * scale))
    how = Interpolation.AREA if scale < 1 else Interpolation.BICUBIC
    pixels = frame.reformat(wide, high, "rgb24", src_colorspace=colours, interpolation=how).to_ndarray()
    left, top = (wide - width) // 2, (high - height) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])


# ---------------------------------------------------------------------------------------------------- films in
def encoder_here(size: tuple[int, int], fps: float) -> str:
    """Name of an encoder in hardware that does encode a picture of this (width, height) px here, else libx264."""
    for name, options in HARDWARE.items():
        try:
            context = av.CodecContext.create(name, "w")
            context.width, context.height = (max(2, side // 2 * 2) for side in size)
            context.pix_fmt, context.options = "yuv420p", options
            context.framerate = Fraction(fps).limit_denominator(1001)
            context.time_base = 1 / context.framerate
            picture = av.VideoFrame(context.width, context.height, "yuv420p")
            picture.pts, picture.time_base = 0, context.time_base
            if [*context.encode(picture), *context.encode(None)]:
                return name
        except (av.FFmpegError, OSError, ValueError, RuntimeError):
            continue  # not built in, no such card, or it will not have this size
    return "libx264"


class FilmWriter:
    """Writes one film, in line. As a `with`: an exception inside removes the unfinished file; Ctrl-C keeps it.

    size: (width, height) px, rounded down to even. sound_rate: Hz of the samples that come, or None for a silent film.
    aside: write to NAME.part.mp4 and take the real name at the end, so that nothing existing is overwritten half.
    preset, crf: of x264 (ultrafast ... slow; 0..51, smaller is finer). threads: 0 lets x264 choose. encoder: as
    encoder_here names it.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float,
        sound_rate: int | None = None,
        *,
        preset: str = "veryfast",
        crf: int = 18,
        threads: int = 0,
        aside: bool = True,
        encoder: str = "libx264",
    ):
        self.path = Path(path)
        self.frames = 0  # written so far
        self._part = self.path.with_name(f"{self.path.stem}.part{self.path.suffix}") if aside else self.path
        self._rate, self._samples = sound_rate, 0
        self._last = -1  # index of the last frame
        if self.path.suffix.lower() not in (".mp4", ".m4v", ".mov"):
            raise FilmError(f"A film is an MP4, not {self.path.name}: give a name that ends in .mp4.")
        if not self.path.parent.is_dir():
            raise FilmError(f"There is no folder {self.path.parent} for the film: make it or choose another place.")
        if self.path.is_dir():
            raise FilmError(f"{self.path} is a folder: give the film another name.")
        flags = {"movflags": "hybrid_fragmented+delay_moov", "flush_packets": "1"}
        try:
            self._container = av.open(str(self._part), "w", format="mp4", options=flags)
            self._video = self._container.add_stream(encoder, rate=Fraction(fps).limit_denominator(1001))
            self._video.width, self._video.height = (max(2, side // 2 * 2) for side in size)
            self._video.pix_fmt = "yuv420p"
            options = HARDWARE.get(encoder, {"preset": preset, "crf": str(crf)})
            self._video.options = options | {"g": str(max(1, round(fps)))}  # a fragment a second
            context = self._video.codec_context
            context.thread_count = threads
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709
            self._step = 1 / Fraction(fps).limit_denominator(1001)  # s a frame
            context.time_base = self._step
            if sound_rate:
                rate = sound_rate if sound_rate in AAC_RATES else 48000
                self._sound = self._container.add_stream("aac", rate=rate, layout="stereo")
                self._sound.bit_rate = 192_000
        except (av.FFmpegError, OSError, ValueError) as error:
            self._abandon()
            raise self._sentence(error) from None

    def wants(self, time: float) -> bool:
        """Whether a picture of this moment (s since the film's start) would be a new frame."""
        return int(time / self._step + 1e-6) > self._last

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """frame: uint8 (H, W, 3) RGB, top row first; another size than the film's is scaled to it.

        time: s since the film's start; without it frames follow one another. One that falls on a frame already
        written is passed over; a gap holds the frame before it.
        """
        index = self._last + 1 if time is None else int(time / self._step + 1e-6)
        if index <= self._last:
            return
        picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
        width, height = self._video.width, self._video.height
        if (picture.width, picture.height) == (width + picture.width % 2, height + picture.height % 2):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="rgb24")
        picture = picture.reformat(width, height, "yuv420p", dst_colorspace=Colorspace.ITU709)
        picture.pts, picture.time_base = index, self._step
        self._last, self.frames = index, self.frames + 1
        self._mux(self._video, picture)

    def write_sound(self, samples: np.ndarray) -> None:
        """samples: float32 (n,) or (n, 2), -1..1, at the film's sound_rate, following those before."""
        if not self._rate or not len(samples):
            return
        samples = np.nan_to_num(np.asarray(samples, np.float32), posinf=0.0, neginf=0.0).clip(-1.0, 1.0)
        planes = np.stack([samples, samples]) if samples.ndim == 1 else samples[:, [0, -1]].T  # (2, n)
        block = av.AudioFrame.from_ndarray(np.ascontiguousarray(planes), format="fltp", layout="stereo")
        block.sample_rate, block.time_base, block.pts = self._rate, Fraction(1, self._rate), self._samples
        self._samples += planes.shape[1]
        self._mux(self._sound, block)

    def _mux(self, stream, frame) -> None:
        try:
            for packet in stream.encode(frame):
                self._container.mux(packet)
        except (av.FFmpegError, OSError) as error:
            raise self._sentence(error) from None

    def close(self) -> None:
        """Ends the film and gives it its name."""
        if self._container is None:
            return
        try:
            if self.frames:
                self._mux(self._video, None)
                if self._rate and self._samples:
                    self._mux(self._sound, None)
            container, self._container = self._container, None
            container.close()
            if not self.frames:
                self._part.unlink(missing_ok=True)
            elif self._part != self.path:
                os.replace(self._part, self.path)
        except FilmError:
            self._abandon()
            raise
        except (av.FFmpegError, OSError) as error:
            self._abandon()
            raise self._sentence(error) from None

    def _abandon(self, keep: bool = False) -> None:
        container, self._container = getattr(self, "_container", None), None
        try:
            if container is not None:
                container.close()
        except (av.FFmpegError, OSError):
            pass  # the first error has been told already
        if not keep and self._part != self.path:
            self._part.unlink(missing_ok=True)

    def _sentence(self, error: Exception) -> FilmError:
        if isinstance(error, ValueError) and not isinstance(error, av.FFmpegError):
            return FilmError(f"The film {self.path.name} cannot be encoded here ({_reason(error)}).")
        return FilmError(
            f"The film {self.path.name} cannot be written ({_reason(error)}): free some room or choose another place."
        )

    def __enter__(self) -> "FilmWriter":
        return self

    def __exit__(self, kind, error, trace) -> None:
        if kind is None:
            self.close()
        else:
            self._abandon(keep=issubclass(kind, KeyboardInterrupt))


class FilmRecorder:
    """Records a running show: the same face as FilmWriter, encoded by a thread of its own, never waiting.

    Pictures that the encoder cannot keep up with are dropped and counted. When the film cannot be written any more
    the recording stops, `message` says so in one sentence, and the show goes on. A film that exists already stays:
    the recording takes the next free name (NAME-2.mp4), which `path` tells. Leave arrays alone once given.
    """

    def __init__(
        self,
        path: str | Path,
        size: tuple[int, int],
        fps: float,
        sound_rate: int | None = None,
        *,
        preset: str = "ultrafast",
        crf: int = 20,
    ):
        self.path, self.message, self.dropped, self.alive = _free(Path(path)), "", 0, True
        if self.path != Path(path):
            self.message = f"{Path(path).name} exists already: recording to {self.path.name}."
        more = {"preset": preset, "crf": crf, "threads": 1, "aside": False}
        self.encoder = encoder_here(size, fps)
        try:
            self._film = FilmWriter(self.path, size, fps, sound_rate, encoder=self.encoder, **more)
        except FilmError:
            if self.encoder == "libx264":
                raise
            self.encoder = "libx264"
            self._film = FilmWriter(self.path, size, fps, sound_rate, **more)
        self._queue: queue.SimpleQueue = queue.SimpleQueue()
        self._given = self._taken = 0  # pictures; each counted by one thread only
        self._lost_sound = 0  # samples
        self._next = 0.0  # s, start of the next frame
        self._fps = fps
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def __enter__(self) -> "FilmRecorder":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._queue.put(None)
        self._thread.join()

    def wants(self, time: float) -> bool:
        """Whether a picture of this moment (s since the start) would be a new frame: saves reading the others."""
        return self.alive and time + 1e-6 >= self._next

    def write(self, frame: np.ndarray, time: float | None = None) -> None:
        """As FilmWriter.write. Returns at once."""
        time = self._next if time is None else time
        if not self.wants(time):
            return
        self._next = (int(time * self._fps + 1e-6) + 1) / self._fps
        if self._given - self._taken >= WAITING_PICTURES:
            self.dropped += 1
            return
        self._given += 1
        self._queue.put((time, frame))

    def write_sound(self, samples: np.ndarray) -> None:
        """As FilmWriter.write_sound. Returns at once; sound that finds no room is written as silence."""
        if not self.alive:
            return
        if self._queue.qsize() >= WAITING_BLOCKS:
            self._lost_sound += len(samples)
            return
        lost, self._lost_sound = self._lost_sound, 0
        if lost:
            self._queue.put((None, np.zeros(lost, np.float32)))
        self._queue.put((None, samples))

    def _run(self) -> None:
        try:
            while (item := self._queue.get()) is not None:
                time, data = item
                if time is None:
                    self._film.write_sound(data)
                else:
                    self._film.write(data, time)
                    self._taken += 1
            self._film.close()
        except FilmError as error:
            self.message = f"The recording has stopped. {error}"
            self._film._abandon(keep=True)
        finally:
            self.alive = False


def _free(path: Path) -> Path:
    """The path itself, or with -2, -3 ... where a file of that name exists."""
    number = 1
    taken = path
    while taken.exists():
        number += 1
        taken = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return taken
