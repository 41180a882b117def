"""The screen: looks, fades, panic keys, text, broken files, and a limit on flashing that is measured on what it shows."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from offscreen import offscreen

from vj.errors import ScreenError
from vj.render import hud
from vj.render.reaction import Envelope, Reaction
from vj.render.screen import LOOKS, Screen
from vj.render.turning import Turning
from vj.render.window import KEYS
from vj.signals import AudioFeatures, Knobs, Picture
from vj.view import INNER, WINDOW, View

FOLDER = Path(__file__).parents[1] / "shaders"
SIZE = (192, 108)
LOUD = AudioFeatures(
    time=1.0, loudness=1.4, low=1.2, low_mid=1.0, high_mid=1.0, high=1.1, kick=0.9, snare=0.8, hat=0.7, beat_phase=0.3,
    kicks=1, snares=1, hats=1, intensity=0.6,
)  # fmt: skip


def view(shift: int = 0) -> np.ndarray:
    """uint8 (96, 160, 3): a bright sky, a hill, a dark fence, some windows."""
    y, x = np.mgrid[0:96, 0:160].astype(np.float32)
    x = x + shift
    picture = np.stack([150 + 0.4 * y, 190 + 0.3 * y, 235 - 0.2 * y], -1)
    picture[y > 50 + 9 * np.sin(x / 17)] = (70, 110, 60)
    picture[(y > 62) & (np.floor(x / 9) % 3 == 0)] = (40, 36, 44)
    picture[(y > 66) & (y < 72) & (np.floor(x / 4) % 5 == 0)] = (240, 220, 160)
    return picture.clip(0, 255).astype(np.uint8)


STILL = Picture(view(), view(), None, 0.0, 0.0)


@pytest.fixture(scope="module")
def window():
    yield from offscreen(SIZE)


@pytest.fixture(scope="module")
def shared(window):
    made = Screen(window.context, FOLDER)
    assert made.message == ""
    return made


@pytest.fixture
def screen(window, shared):
    """The shared screen, back to an ordinary moment."""
    shared.fit, shared.parameters = "fill", {}
    shared._reaction = Reaction()
    window.framebuffer.use()
    for _ in range(2):
        shared.draw(STILL, SIZE, Knobs(), dt=1.0)
    shared._clock = 0.0
    assert window.context.error == "GL_NO_ERROR"
    yield shared
    assert window.context.error == "GL_NO_ERROR"


def shot(screen, picture=STILL, knobs=None, dt=1.0, **more) -> np.ndarray:
    screen.context.fbo.use()
    screen.draw(picture, SIZE, knobs or Knobs(), dt=dt, **more)
    return screen.read().astype(int)


# ------------------------------------------------------------------------------------------------------- looks
@pytest.mark.parametrize("look", range(1, 10))
@pytest.mark.parametrize("heard", [AudioFeatures(), LOUD], ids=["silence", "loud"])
def test_each_look_shows_a_picture_of_its_own(screen, look, heard):
    moving = [Picture(view(9 * k), view(9 * k), None, 0.0, 0.0, heard) for k in range(4)]
    clean = shot(screen, moving[3])
    for picture in moving:
        shown = shot(screen, picture, Knobs(look=look), dt=0.25)
    assert shown.shape == (SIZE[1], SIZE[0], 3) and screen.read().dtype == np.uint8
    assert shown.mean() > 15 and shown.std() > 12, "neither black nor flat"
    if look != 1:
        assert np.abs(shown - clean).mean() > 3


def test_there_are_nine_looks_and_any_number_is_answered(screen):
    assert len(LOOKS) == 9 and LOOKS[0] == "clean"
    for look in (-3, 0, 10, 99):
        assert shot(screen, knobs=Knobs(look=look)).mean() > 15


def test_looks_fade_into_one_another(screen):
    clean = shot(screen)
    first = shot(screen, knobs=Knobs(look=9), dt=0.02)
    half = shot(screen, knobs=Knobs(look=9), dt=0.18)
    last = shot(screen, knobs=Knobs(look=9), dt=0.3)
    whole = np.abs(last - clean).mean()
    assert np.abs(first - clean).mean() < 0.15 * whole
    assert 0.3 * whole < np.abs(half - clean).mean() < 0.7 * whole


def test_the_same_show_looks_the_same_twice(window):
    def run() -> np.ndarray:
        window.framebuffer.use()
        screen = Screen(window.context, FOLDER, warm=False)
        for k in range(12):
            heard = replace(LOUD, kicks=k // 4, time=k / 30)
            picture = Picture(view(k), view(k + 1), None, 0.5, k / 30, heard)
            screen.draw(picture, SIZE, Knobs(look=2 if k < 6 else 6))
        return screen.read()

    assert (run() == run()).all()


def test_warming_up_leaves_no_trace(window):
    def first(warm: bool) -> np.ndarray:
        window.framebuffer.use()
        screen = Screen(window.context, FOLDER, warm=warm)
        screen.draw(STILL, SIZE, Knobs(), dt=0.1)
        return screen.read()

    assert (first(True) == first(False)).all()


# ------------------------------------------------------------------------------------------------- geometry
def test_the_top_row_is_the_top(screen):
    picture = np.zeros((96, 160, 3), np.uint8)
    picture[:48, :, 0], picture[48:, :, 2], picture[:48, :80, 1] = 255, 255, 255
    shown = shot(screen, Picture(picture, picture, None, 1.0, 0.0))
    assert shown[10, 40].argmin() == 2 and shown[10, 150].argmax() == 0 and shown[-10, 40].argmax() == 2


def test_a_picture_fills_the_screen_or_is_letterboxed(screen):
    white = np.full((96, 160, 3), 255, np.uint8)
    bright = Picture(white, white, None, 0.0, 0.0)
    assert (shot(screen, bright) > 120).all()
    screen.fit = "letterbox"
    shown = shot(screen, bright)
    assert (shown[:, :5] == 0).all() and (shown[:, -5:] == 0).all() and (shown[:, 8:-8] > 120).all()


def test_size_nothing_draws_nothing_and_other_sizes_follow(screen):
    for size in ((0, 0), (0, 50), (1, 1), (33, 77), (96, 54)):
        screen.draw(STILL, size, Knobs(), dt=0.01)
    assert screen.read().shape == (54, 96, 3)
    large = np.full((288, 480, 3), 90, np.uint8)  # a larger network takes over
    assert shot(screen, Picture(large, large, np.zeros((288, 480, 2), np.float32), 0.5, 0.0)).mean() > 15


# --------------------------------------------------------------------------------------------------- panic keys
def test_blackout_takes_a_fifth_of_a_second_and_is_black(screen):
    usual = shot(screen).mean()
    half = shot(screen, knobs=Knobs(blackout=True), dt=0.1).mean()
    assert 0.4 * usual < half < 0.6 * usual
    assert (shot(screen, knobs=Knobs(blackout=True, hud=True, help=True), dt=0.11, hud_lines=("text",)) == 0).all()
    assert shot(screen, dt=0.2).mean() == pytest.approx(usual, rel=0.02)


def test_blackout_works_when_the_sounds_clock_stands_still(screen):
    for _ in range(15):
        screen.draw(STILL, SIZE, Knobs(blackout=True))  # no dt, and no time in the picture
    assert (screen.read() == 0).all()


def test_freeze_holds_the_picture_and_lets_it_go(screen):
    screen.parameters = {"grade_noise": 0.0}
    before = shot(screen)
    dark = Picture(view() // 4, view() // 4, None, 0.0, 0.0)
    assert np.abs(shot(screen, STILL, Knobs(freeze=True)) - before).max() <= 1
    assert np.abs(shot(screen, dark, Knobs(freeze=True)) - before).max() <= 1
    assert shot(screen, dark).mean() < 0.5 * before.mean()


# ----------------------------------------------------------------------------------------------------------- text
def test_the_head_up_display_is_drawn_once_and_shown_when_wanted(screen, monkeypatch):
    drawn = []
    monkeypatch.setattr(hud, "draw_text", lambda lines, height, real=hud.draw_text: drawn.append(1) or real(lines, height))
    screen.parameters = {"grade_noise": 0.0}
    plain = shot(screen, hud_lines=("display  60 fps", "model  15 fps"))
    assert not drawn
    for _ in range(5):
        shown = shot(screen, knobs=Knobs(hud=True), hud_lines=("display  60 fps", "model  15 fps"))
    assert len(drawn) == 1
    changed = np.argwhere(np.abs(shown - plain).max(-1) > 20)
    assert len(changed) and changed[:, 0].max() < 45 and changed[:, 1].max() < 120, "in the upper left corner"
    shot(screen, knobs=Knobs(hud=True), hud_lines=("display  59 fps", "model  15 fps"))
    assert len(drawn) == 2


def test_help_shows_every_key(screen):
    assert all(any(key in line and what in line for line in hud.HELP_LINES) for key, what in KEYS)
    assert np.abs(shot(screen, knobs=Knobs(help=True)) - shot(screen)).mean() > 5
    mask = hud.draw_text(hud.HELP_LINES, 20)
    assert mask.dtype == np.uint8 and mask.max() == 255
    assert mask.shape[0] < 0.6 * 34 * 20, "lines of a 34th of the screen: the keys leave some of the picture free"


# --------------------------------------------------------------------------------------------------- broken files
@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(FOLDER, tmp_path / "shaders"))


def test_a_look_that_breaks_in_the_show_goes_on_as_it_was(window, copied):
    window.framebuffer.use()
    screen = Screen(window.context, copied, warm=False)
    before = shot(screen, knobs=Knobs(look=4))
    text = (copied / "look_ink.glsl").read_text()
    (copied / "look_ink.glsl").write_text(text.replace("vec4 shade", "vec5 shade"))
    said = screen.reload()
    assert "look_ink.glsl" in said and "the last good one stays" in said and screen.message == said
    screen._clock = 0.0
    assert np.abs(shot(screen, knobs=Knobs(look=4)) - before).mean() < 1
    (copied / "look_ink.glsl").write_text(text + "\n")
    assert screen.reload() == ""


def test_what_is_broken_from_the_start_is_left_out(window, copied):
    for name in ("look_ink", "blend", "sharpen", "blur_x"):
        (copied / f"{name}.glsl").write_text("nonsense")
    window.framebuffer.use()
    screen = Screen(window.context, copied, warm=False)
    assert "does not compile" in screen.message
    for look in (1, 2, 4):
        assert shot(screen, knobs=Knobs(look=look)).std() > 12


def test_without_shaders_one_sentence(window, tmp_path):
    with pytest.raises(ScreenError, match="shaders cannot be used"):
        Screen(window.context, tmp_path)


# ------------------------------------------------------------------------------------------------------ reaction
def test_a_kick_lifts_the_light_a_little_and_it_falls_again(screen):
    screen.parameters = {"grade_noise": 0.0}
    shot(screen, replace(STILL, features=AudioFeatures()), dt=1 / 60)
    usual = shot(screen, dt=1 / 60).mean()
    kicked = replace(STILL, features=AudioFeatures(kick=1.0, kicks=1))
    lifted = shot(screen, kicked, dt=1 / 60).mean()
    assert 1.02 < lifted / usual < 1.2
    assert shot(screen, kicked, dt=1.0).mean() == pytest.approx(usual, rel=0.01)
    shot(screen, replace(kicked, features=AudioFeatures(kick=1.0, kicks=2)), Knobs(drive=0.0), dt=1 / 60)
    assert shot(screen, kicked, Knobs(drive=0.0), dt=1 / 60).mean() == pytest.approx(usual, rel=0.01)


@pytest.mark.parametrize("fps", [24, 60, 144])
def test_envelopes_fall_alike_at_any_rate(fps):
    envelope = Envelope()
    envelope.turn(0, 0.0, 1.0)
    assert envelope.turn(1, 0.8, 1 / fps) == 0.8
    for _ in range(fps // 4):
        envelope.turn(1, 0.8, 1 / fps)
    assert envelope.value == pytest.approx(0.8 * math.exp(-(fps // 4) / fps / 0.16))


def test_a_counter_from_before_is_no_onset():
    assert Envelope().turn(40, 1.0, 0.01) == 0.0


@pytest.mark.parametrize("look", range(1, 10))
def test_a_hostile_drum_roll_flashes_at_most_three_times_a_second(screen, look):
    """WCAG 2.3.1: a flash is a pair of opposing changes of relative luminance by 10 % or more of its maximum."""
    screen.parameters = {"grade_noise": 0.0}
    for _ in range(2):
        shot(screen, knobs=Knobs(look=look))
    light = []
    for k in range(60):  # two seconds, fifteen hits a second on everything
        hits = k // 2
        heard = replace(LOUD, kick=1.0, snare=1.0, hat=1.0, kicks=hits, snares=hits, hats=hits, time=k / 30)
        screen.draw(replace(STILL, features=heard), (64, 36), Knobs(look=look, drive=1.0), dt=1 / 30)
        light.append(float((((screen.read() / 255 + 0.055) / 1.055) ** 2.4 @ (0.2126, 0.7152, 0.0722)).mean()))
    turns, low, high, rising = [], light[0], light[0], True  # moments of changes by 0.1 and more, each against the last
    for k, value in enumerate(light):
        low, high = min(low, value), max(high, value)
        if rising and value < high - 0.1:
            rising, low = False, value
            turns.append(k)
        elif not rising and value > low + 0.1:
            rising, high = True, value
            turns.append(k)
    assert all(sum(k <= turn < k + 30 for turn in turns) <= 2 * 3 for k in range(60))
    assert np.diff(light).max() < 0.1, "nor does any single picture flash"


def test_silence_and_madness_give_finite_numbers():
    for heard in (AudioFeatures(), replace(LOUD, loudness=1e6, low=1e6, high=-5.0)):
        values = Reaction().turn(heard, 1.0, 1 / 60)
        numbers = [v for value in values.values() for v in (value if isinstance(value, tuple) else (value,))]
        assert all(math.isfinite(v) for v in numbers)


# ------------------------------------------------------------------------------------------------- what two looks promise
def test_stars_stand_in_an_open_sky_and_before_nothing(screen):
    sky = np.full((96, 160, 3), (120, 150, 190), np.uint8)
    sky[48:] = (110, 120, 60)  # the ground, as light as the sky
    sky[10:48, 60:100] = (20, 22, 24)  # something that stands in front
    shown = []
    for stars in (0.0, 1.0):
        screen.parameters = {"grade_noise": 0.0, "look_night_stars": stars}
        shown.append(shot(screen, Picture(sky, sky, None, 0.0, 0.0), Knobs(look=5)).astype(int))
    there = np.abs(shown[1] - shown[0]).max(2)
    high, wide = there.shape
    assert there[: high // 4, : wide // 4].max() > 20
    assert there[high // 2 :].max() <= 1 and there[high // 6 : high // 2, wide * 26 // 64 : wide * 38 // 64].max() <= 1


def test_slit_scan_bends_what_passes_and_leaves_alone_what_stands(screen):
    def frames(speed: int) -> list[np.ndarray]:
        found = [np.full((96, 160, 3), 200, np.uint8) for _ in range(30)]
        for k, frame in enumerate(found):
            frame[:, 130 - speed * k :][:, :8] = 20
        return found

    screen.parameters["grade_noise"] = 0.0
    for speed in (0, 3):
        for frame in frames(speed):
            drawn = shot(screen, Picture(frame, frame, None, 0.0, 0.0), Knobs(look=6, safes=1), dt=1 / 24)
        place = drawn.astype(int).sum(2)[5:-5].argmin(1) / drawn.shape[1] * 160
        assert np.ptp(place) > 12 if speed else np.ptp(place) < 5


def test_a_journey_ahead_is_laid_back_and_another_way_comes_gently(screen, window):
    ahead = replace(STILL, view=View("ahead", 0.4, 0.6))
    flat = screen.draw(STILL, SIZE, Knobs(), dt=1.0) or screen.read()
    screen.draw(ahead, SIZE, Knobs(), dt=0.1)
    begun = np.abs(screen.read().astype(int) - flat).mean()
    for _ in range(40):
        screen.draw(ahead, SIZE, Knobs(), dt=0.1)
    there = screen.read()
    assert 0 < begun < 0.3 * np.abs(there.astype(int) - flat).mean()
    for look in (5, 6, 1):  # what reads past pictures and blurs gets the same picture
        screen.draw(ahead, SIZE, Knobs(look=look), dt=1.0)
    seen = cv2.resize(view_back(ahead), (192, 115))[4:112]
    plain = cv2.resize(view(), (192, 115))[4:112]
    grey = lambda picture: cv2.GaussianBlur(picture.mean(2).astype(np.float32), (0, 0), 4).ravel()  # noqa: E731
    assert np.corrcoef(grey(there), grey(seen))[0, 1] > 0.9 > np.corrcoef(grey(there), grey(plain))[0, 1]
    for _ in range(40):
        screen.draw(STILL, SIZE, Knobs(), dt=0.1)
    assert np.abs(screen.read().astype(int) - flat).mean() < 3


def view_back(picture):
    return picture.view.lay_back(picture.before, 288, 480)


def test_another_way_of_going_comes_over_the_flat_picture():
    turning, ahead = Turning(), View("ahead", 0.4, 0.6)
    assert turning.turn(ahead, 0.1) == {"u_view": (1.0, 0.4, 0.6, INNER), "u_turned": 1.0}, "the first at once"
    seen = [turning.turn(View("falling"), 0.25) for _ in range(30)]
    kinds = [values["u_view"][0] if values else 0.0 for values in seen]
    shares = [values.get("u_turned", 0.0) for values in seen]
    assert kinds == sorted(kinds, key=(1.0, 0.0, 4.0).index) and set(kinds) == {0.0, 1.0, 4.0}
    assert np.abs(np.diff([1.0, *shares])).max() < 0.09 and shares[-1] == 1.0
    turning = Turning()
    turning.turn(WINDOW, 0.1)
    assert turning.turn(WINDOW, 0.1) == {}
    assert turning.turn(ahead, 0.3)["u_view"][:3] == (1.0, 0.4, 0.6), "never another's view on the way"
    near = turning.turn(View("ahead", 0.5, 0.6), 0.1)["u_view"][1]
    assert 0.4 < near < 0.45, "a vanishing point wanders"
