"""Preparing footage: what is measured agrees with what was drawn, and what cannot be used is said in a sentence."""

import json

import cv2
import numpy as np
import pytest

from vj import view
from vj.errors import FootageError
from vj.train import footage, large, measure, sources
from vj.train.footage import load, prepare
from vj.video import FilmWriter

H, W = 96, 160


def texture(seed=0, width=900, height=H):
    """A smooth random picture, uint8 (H, width, 3), to slide a window over."""
    noise = np.random.default_rng(seed).uniform(0, 255, (height // 6, width // 6, 3)).astype(np.float32)
    return np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 255).astype(np.uint8)


def slide(steps, picture=None):
    """Frames of a window that has gone so many px to the right after each step: what is seen moves left."""
    picture = texture() if picture is None else picture
    at = np.concatenate([[0], np.cumsum(steps)]).astype(int)
    return [picture[:, a : a + W] for a in at]


def film(path, frames, fps=24):
    height, width = frames[0].shape[:2]
    with FilmWriter(path, (width, height), fps, preset="ultrafast", crf=4, threads=1) as out:
        for frame in frames:
            out.write(np.ascontiguousarray(frame))
    return path


def test_speed_and_motions_are_those_of_the_picture(tmp_path):
    steps = [2] * 20 + [4] * 20
    card = prepare([film(tmp_path / "a.mp4", slide(steps))], tmp_path / "out")
    footage = load(tmp_path / "out")
    assert (card.count, card.fps, card.left_out) == (41, 24.0, ["All footage together is only 1.7 s long: the network "
                                                                "will know little; bring more."])  # fmt: skip
    speed = footage.controls[:, 0]
    assert np.isclose(speed[32] / speed[10], 2, atol=0.15)
    assert np.isclose(speed[10] * card.usual["speed_px"], 2, atol=0.2)
    ways = np.array(card.motions)
    assert ways.shape == (16, 2) and (ways[0] == 0).all() and (ways[:, 1] == 0).all()
    assert np.abs(ways[:, 0] - card.usual["speed_px"]).min() < 0.3
    assert np.array_equal(footage.frames.shape, (41, H, W, 3)) and footage.clips == [(0, 41)]
    assert (tmp_path / "out" / "sheet.png").is_file()
    assert not list(tmp_path.glob(".*"))  # nothing left aside


def test_left_to_right_is_mirrored(tmp_path):
    frames = slide([3] * 40)
    backward = [frame[:, ::-1] for frame in frames]
    card = prepare([film(tmp_path / "a.mp4", backward)], tmp_path / "out")
    assert any("mirrored" in sentence for sentence in card.left_out)
    off = np.abs(load(tmp_path / "out").frames[7].mean(2) - frames[7].mean(2)).mean()
    assert off < 5 < np.abs(backward[7].mean(2) - frames[7].mean(2)).mean()
    assert max(d[0] for d in card.motions) > 2


def test_cuts_where_the_scene_changes(tmp_path):
    frames = slide([2] * 24) + slide([2] * 24, 255 - texture(5))
    card = prepare([film(tmp_path / "a.mp4", frames)], tmp_path / "out")
    assert [(c["start"], c["stop"]) for c in card.clips] == [(0, 25), (25, 50)]


def test_something_large_that_enters_fast_is_no_cut(tmp_path):
    picture = texture()
    picture[:, 300:] = texture(9)[:, 300:] // 2
    card = prepare([film(tmp_path / "a.mp4", slide([4] * 20 + [16] * 20, picture))], tmp_path / "out")
    assert len(card.clips) == 1


def test_black_borders_are_taken_off(tmp_path):
    boxed = [cv2.copyMakeBorder(frame, 24, 24, 0, 0, cv2.BORDER_CONSTANT) for frame in slide([2] * 30)]
    card = prepare([film(tmp_path / "a.mp4", boxed)], tmp_path / "out")
    assert "black borders" in card.left_out[0] and "top" in card.left_out[0] and "left" not in card.left_out[0]
    assert load(tmp_path / "out").frames.min((0, 2, 3)).max() > 0
    assert load(tmp_path / "out").frames[:, [0, -1]].mean() > 60


def test_entries_are_told_in_their_band_and_light_is_told(tmp_path):
    picture = np.full((H, 900, 3), 120, np.uint8)
    cv2.randu(noise := np.zeros_like(picture), 0, 8)
    picture += cv2.GaussianBlur(noise, (0, 0), 2)
    picture[70:, 260:290] = 20  # near, its edge reaches the right border after 50 frames of 2 px
    picture[5:38, 300:306] = 250  # far, after 70 frames
    frames = slide([2] * 90, picture)
    dim = np.linspace(1, 0.6, 91)
    card = prepare([film(tmp_path / "a.mp4", [(f * g).astype(np.uint8) for f, g in zip(frames, dim, strict=True)])],
                   tmp_path / "out")  # fmt: skip
    told = load(tmp_path / "out").controls
    far, near, brightness = told[:, 1], told[:, 3], told[:, 4]
    assert near[51:53].max() > 0.9 and far[40:60].max() < 0.3
    assert far[71:75].max() > 0.9 and near[72:85].max() < 0.3
    assert brightness[0] > 0.6 and brightness[-1] < -0.6
    assert np.isfinite(told).all() and card.usual["brightness_spread"] > 0.03


def test_repeated_frames_are_dropped_and_a_halt_is_kept(tmp_path):
    steps = [3, 3, 0, 3, 3, 3, 0, 0, 3] * 3 + [3] * 3 + [0] * 12 + [3] * 6
    card = prepare([film(tmp_path / "a.mp4", slide(steps))], tmp_path / "out")
    assert card.count == 1 + sum(1 for s in steps if s) + 12
    assert any("9 repeated" in sentence for sentence in card.left_out)
    assert card.fps == pytest.approx(24 * 40 / 49, abs=0.01)
    assert (load(tmp_path / "out").controls[:, 0] == 0).sum() >= 8


def test_slow_footage_gives_all_its_frames_in_larger_steps(tmp_path):
    wide = cv2.resize(texture(), None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
    frames = [cv2.resize(wide[:, 2 * i : 2 * i + 8 * W], (W, H), interpolation=cv2.INTER_AREA) for i in range(72)]
    card = prepare([film(tmp_path / "a.mp4", frames)], tmp_path / "out")
    assert card.count == 72 and len(card.clips) >= 3 and "slowly" in card.left_out[0]
    assert 0.7 < card.usual["speed_px"] < 1.8


def test_pictures_in_a_folder_come_in_the_order_of_their_numbers(tmp_path):
    folder = tmp_path / "stills"
    folder.mkdir()
    frames = slide([2] * 30)
    for i, frame in enumerate(frames):
        cv2.imwrite(str(folder / f"frame{i}.png"), frame[..., ::-1])
    prepare([folder], tmp_path / "out")
    assert np.abs(load(tmp_path / "out").frames[10].astype(int) - frames[10]).mean() < 3


def test_one_bad_source_is_left_out_and_said(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    black = film(tmp_path / "black.mp4", [np.zeros((H, W, 3), np.uint8)] * 30)
    card = prepare([tmp_path / "text.mp4", black, film(tmp_path / "a.mp4", slide([2] * 30))], tmp_path / "out")
    assert card.count == 31
    assert any("text.mp4" in s for s in card.left_out) and any("black" in s for s in card.left_out)


@pytest.mark.parametrize("kind", ["missing", "text", "black", "still", "picture", "short", "empty"])
def test_what_cannot_teach_is_refused_and_leaves_nothing(tmp_path, kind):
    path = tmp_path / "in.mp4"
    if kind == "text":
        path.write_text("this is not a video")
    elif kind == "black":
        film(path, [np.zeros((H, W, 3), np.uint8)] * 40)
    elif kind == "still":
        film(path, [texture()[:, :W]] * 40)
    elif kind == "short":
        film(path, slide([2] * 14))
    elif kind in ("picture", "empty"):
        path = tmp_path / "folder"
        path.mkdir()
        if kind == "picture":
            cv2.imwrite(str(path / "one.png"), texture()[:, :W])
    with pytest.raises(FootageError) as caught:
        prepare([path], tmp_path / "out")
    assert len(str(caught.value)) > 20
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))


def test_an_older_preparation_stays_until_the_new_one_is_whole(tmp_path):
    a = film(tmp_path / "a.mp4", slide([2] * 30))
    prepare([a], tmp_path / "out")

    def interrupt(share, what):
        if share > 0.9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([a, a], tmp_path / "out", progress=interrupt)
    assert load(tmp_path / "out").card.count == 31 and not list(tmp_path.glob(".*"))
    prepare([a, a], tmp_path / "out")
    assert load(tmp_path / "out").card.count == 62


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(FootageError, match="no prepared footage"):
        prepare([film(tmp_path / "a.mp4", slide([2] * 30))], tmp_path / "mine")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"


def test_damaged_preparations_are_refused(tmp_path):
    with pytest.raises(FootageError, match="vj footage"):
        load(tmp_path / "nowhere")
    prepare([film(tmp_path / "a.mp4", slide([2] * 30))], tmp_path / "out")
    card = json.loads((tmp_path / "out" / "card.json").read_text())
    (tmp_path / "out" / "card.json").write_text(json.dumps(card | {"count": card["count"] + 1}))
    with pytest.raises(FootageError, match="damaged"):
        load(tmp_path / "out")


def test_motions_of_several_depths_are_found():
    rng = np.random.default_rng(0)
    depths = np.array([0.5, 1.5, 3.0, 6.0])
    speeds = rng.uniform(0.5, 2, 50)
    d = rng.choice(depths, (50, measure.SAMPLES, 1)) * speeds[:, None, None] * np.array([1.0, 0.0])
    ways = measure.motions((d + rng.normal(0, 0.03, d.shape)).astype(np.float32), speeds)
    for depth in depths:
        assert np.abs(ways[:, 0] - depth).min() < 0.15
    assert (np.diff(np.hypot(*ways.T)) >= 0).all() and (ways[:, 1] == 0).all()


def test_large_pictures_are_kept_for_the_upscaler_and_never_enlarged(tmp_path):
    picture = texture(width=1200, height=360)
    film(tmp_path / "a.mp4", [picture[:, 4 * i : 4 * i + 720] for i in range(60)])
    footage.prepare([tmp_path / "a.mp4"], tmp_path / "p", 48, 80)
    kept = large.load(tmp_path / "p")
    assert len(kept) == large.MOST and kept[0].shape == (192, 320, 3), "four times the frames"
    first = footage.load(tmp_path / "p").frames[0]
    assert np.abs(cv2.resize(kept[0], (80, 48), interpolation=cv2.INTER_AREA).astype(int) - first).mean() < 8
    footage.prepare([tmp_path / "a.mp4"], tmp_path / "q", 96, 160)
    assert large.load(tmp_path / "q")[0].shape == (360, 600, 3), "as large as the film is"
    film(tmp_path / "small.mp4", [picture[:120, 4 * i : 4 * i + 160] for i in range(60)])
    footage.prepare([tmp_path / "small.mp4"], tmp_path / "r", 48, 80)
    assert large.load(tmp_path / "r") == []


def test_frames_are_kept_twice_as_large_where_they_are_asked_for(tmp_path):
    """Each beside its own small one: where a cut leaves some out, and where all are mirrored."""
    wide = texture(width=1600, height=192)
    backward = [wide[:, 1200 - 6 * i : 1200 - 6 * i + 320] for i in range(40)]
    other = [texture(5, 900, 192)[:, 6 * i : 6 * i + 320] // 5 for i in range(6)]  # too short to be kept
    film(tmp_path / "a.mp4", [*other, *backward])
    card = footage.prepare([tmp_path / "a.mp4"], tmp_path / "p", fine=True)
    kept = footage.load(tmp_path / "p")
    assert any("mirrored" in word for word in card.left_out) and card.count == len(kept.fine) == 40
    for at in (0, 17, 39):
        small = cv2.resize(kept.fine[at], (W, H), interpolation=cv2.INTER_AREA).astype(int)
        assert kept.fine[at].shape == (2 * H, 2 * W, 3) and np.abs(small - kept.frames[at]).mean() < 1.5
    other_way = np.abs(kept.fine[17][:, ::-1].astype(int) - kept.fine[17]).mean()
    assert np.abs(kept.fine[17].astype(int) - backward[17][:, ::-1]).mean() < 0.2 * other_way
    film(tmp_path / "short.mp4", other)
    footage.prepare([tmp_path / "short.mp4", tmp_path / "a.mp4"], tmp_path / "q", fine=True)
    assert np.array_equal(footage.load(tmp_path / "q").fine[17], kept.fine[17]), "of what is left out nothing stays"
    footage.prepare([tmp_path / "a.mp4"], tmp_path / "p")
    assert footage.load(tmp_path / "p").fine is None


def growing(count, by=1.04, x=0.5, y=0.45):
    """Frames in which all grows out of one point, its detail renewed: textures of several sizes, one after another."""
    height, width = 2 * H, 2 * W
    dy, dx = np.mgrid[0:height, 0:width].astype(np.float32)
    dy, dx = dy / height - y, dx / width - x
    size = np.maximum(np.abs(dy), np.abs(dx)).clip(1e-3)
    around = (np.arctan2(dy, dx) / (2 * np.pi) * 300) % 300
    wall = texture(3, 900, 600).transpose(1, 0, 2).copy()
    far = [((np.log(size) - np.log(by) * k) * 40 % 890).astype(np.float32) for k in range(count)]
    return [cv2.remap(wall, around, row, cv2.INTER_LINEAR) for row in far]


def test_what_is_ahead_is_laid_out_from_its_vanishing_point(tmp_path):
    path = film(tmp_path / "a.mp4", growing(80))
    card = prepare([path], tmp_path / "out")
    assert card.view["kind"] == "ahead" and abs(card.view["x"] - 0.5) < 0.03 and abs(card.view["y"] - 0.45) < 0.03
    assert any("vanishing point" in sentence for sentence in card.left_out)
    frames = load(tmp_path / "out").frames.astype(int)
    pace = np.log(1.04) / np.log(1 / view.INNER) * W  # columns a frame
    assert np.abs(card.usual["speed_px"] - pace) < 0.5
    kept = [np.abs(frames[40, :, 20:120] - frames[30, :, 20 + shift : 120 + shift]).mean() for shift in (0, round(10 * pace))]
    assert kept[1] < 0.4 * kept[0]
    flat = prepare([path], tmp_path / "flat", view="window")
    assert flat.view == {} and not any("vanishing point" in sentence for sentence in flat.left_out)


def test_what_goes_no_way_is_travelled_past(tmp_path):
    rng, walls = np.random.default_rng(0), [texture(seed, 400, 400) for seed in range(16)]
    ways = rng.permutation([(2, 0), (-2, 0), (0, 2), (0, -2)] * 4)
    frames = []
    for k in range(40):
        tiles = [np.roll(wall, (a * k, b * k), (0, 1))[:24, :40] for wall, (a, b) in zip(walls, ways, strict=True)]
        frames.append(np.vstack([np.hstack(tiles[row : row + 4]) for row in range(0, 16, 4)]))
    card = prepare([film(tmp_path / "a.mp4", frames)], tmp_path / "out")
    assert any("travelled past" in sentence for sentence in card.left_out) and card.view == {}
    seen = load(tmp_path / "out").frames
    assert card.count == 40 * sources.SLOWED and np.array_equal(seen[7, :, :-2], seen[6, :, 2:])


def test_as_all_are_asked_to_go_they_go(tmp_path):
    sources = [film(tmp_path / "long.mp4", growing(90)), film(tmp_path / "short.mp4", slide([2] * 30))]
    card = prepare(sources, tmp_path / "out", view="window")
    assert card.view == {} and len(card.clips) == 2


def test_what_goes_fast_across_does_not_go_up_and_down_too():
    """Flow of 19 px a frame is not so sure; of 1 px it is."""
    random = np.random.default_rng(0)
    for pace, flat in ((19.0, True), (1.0, False)):
        went = np.stack([random.normal(pace, 0.2 * pace, (60, 96)), random.normal(0, 0.4, (60, 96))], 2).astype(np.float32)
        assert (not measure.motions(went, np.ones(60))[:, 1].any()) == flat
