"""The strobe limiter, measured on the output's pixels: hostile networks, looks and drums; and what it must leave alone."""

from pathlib import Path

import numpy as np
import pytest
from offscreen import offscreen

from vj.render import limit
from vj.render.limit import COLUMNS, ROWS, Limiter, Meter, gains, light_of_codes
from vj.render.output import Output
from vj.render.screen import LOOKS, Screen
from vj.signals import AudioFeatures, Knobs, Picture

FOLDER = Path(__file__).parents[1] / "shaders"
SIZE = (128, 72)
FPS = 30


def blocks_light(shown: np.ndarray) -> np.ndarray:
    """uint8 (72, 128, 3) -> relative luminance (9, 16) of blocks of 8x8 pixels, in the test's own arithmetic."""
    linear = np.where(shown <= 0.04045 * 255, shown / 255 / 12.92, ((shown / 255 + 0.055) / 1.055) ** 2.4)
    return (linear @ (0.2126, 0.7152, 0.0722)).reshape(9, 8, 16, 8).mean((1, 3))


def worst_share(light: np.ndarray, fps: int = FPS) -> float:
    """light (N, ...) -> the largest share of places that flash more than three times within one second.

    A flash is a pair of opposing changes by 0.1 and more, the darker below 0.8 (WCAG 2.3.1).
    """
    light = light.reshape(len(light), -1)
    turns = np.zeros(light.shape, bool)
    for place in range(light.shape[1]):
        low = high = light[0, place]
        way = 0  # of the last change
        for k, value in enumerate(light[:, place]):
            low, high = min(low, value), max(high, value)
            if way >= 0 and value < high - 0.1 and value < 0.8:
                way, low, turns[k, place] = -1, value, True
            elif way <= 0 and value > low + 0.1 and low < 0.8:
                way, high, turns[k, place] = 1, value, True
    counts = [turns[k : k + fps].sum(0) for k in range(max(1, len(turns) - fps))]
    return max(float((count > 7).mean()) for count in counts)  # three pairs, and half of one at each end


@pytest.fixture(scope="module")
def window():
    yield from offscreen(SIZE)


@pytest.fixture(scope="module")
def limited(window):
    return Screen(window.context, FOLDER)


@pytest.fixture(scope="module")
def free(window):
    return Screen(window.context, FOLDER, limited=False)


def play(window, screen, frames, look=1, output=None, heard=None) -> np.ndarray:
    """Light (N, 9, 16) of what a screen shows of these frames, each 1/30 s."""
    screen.output, shown = output or Output(), []
    screen._limiter = limit.Guard() if screen._limiter else None
    for k, frame in enumerate(frames):
        window.framebuffer.use()
        features = heard(k) if heard else AudioFeatures()
        screen.draw(Picture(frame, frame, None, 0.0, 0.0, features), SIZE, Knobs(look=look, drive=1.0), dt=1 / FPS)
        shown.append(blocks_light(screen.read()))
    screen.output = Output()
    return np.array(shown)


def flicker(count: int = 60, every: int = 2, low: int = 0, high: int = 255, part=np.s_[:, :]) -> list[np.ndarray]:
    """Frames that flash: `every` pictures dark, as many bright."""
    dark, bright = np.full((36, 64, 3), low, np.uint8), np.full((36, 64, 3), low, np.uint8)
    bright[part] = high
    return [bright if k // every % 2 else dark for k in range(count)]


@pytest.mark.parametrize("look", range(1, len(LOOKS) + 1))
def test_a_network_that_flashes_is_held_down_in_every_look(window, limited, free, look):
    frames = flicker(48)
    assert worst_share(play(window, limited, frames, look)) < 0.25
    if look == 1:
        assert worst_share(play(window, free, frames, look)) > 0.9, "without the limiter it does flash"


def test_a_third_of_the_screen_is_held_down_and_a_tenth_is_not(window, limited):
    assert worst_share(play(window, limited, flicker(part=np.s_[:, :22]))) < 0.25
    light = play(window, limited, flicker(part=np.s_[:, :6]))
    assert np.ptp(light[-8:, :, 0], axis=0).min() > 0.3, "a small lamp may blink"


def test_from_bright_to_black_and_back_is_held_in_the_dark(window, limited):
    light = play(window, limited, flicker(low=230, high=10))
    assert worst_share(light) < 0.25 and light[40:].mean() < light[:4].mean()


def test_the_flash_that_a_projectors_gamma_makes_of_a_small_change_is_held_too(window, limited, free):
    output = Output(gamma=2.0)
    frames = flicker(low=6, high=60)
    assert worst_share(play(window, free, frames, output=output)) > 0.9
    assert worst_share(play(window, limited, frames, output=output)) < 0.25


def test_a_hostile_drum_roll_through_a_look_that_flashes(window, tmp_path):
    """A look of somebody's own that turns white at each hit."""
    shaders = tmp_path / "shaders"
    for path in FOLDER.rglob("*.*"):
        target = shaders / path.relative_to(FOLDER)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (shaders / "look_ink.glsl").write_text("// hostile\nvec4 shade(vec2 uv) { return vec4(vec3(fract(u_run * 9.0)), 1.0); }\n")
    window.framebuffer.use()
    frames = [np.full((36, 64, 3), 128, np.uint8)] * 75

    def roll(k: int) -> AudioFeatures:
        hits = k // 2
        return AudioFeatures(loudness=3.0, kick=1.0, snare=1.0, hat=1.0, kicks=hits, snares=hits, hats=hits, time=k / FPS)

    shares = [
        worst_share(play(window, Screen(window.context, shaders, warm=False, limited=on), frames, 4, heard=roll)[10:])
        for on in (True, False)
    ]
    assert shares[0] < 0.25 < 0.9 < shares[1]


def test_three_flashes_and_what_moves_slowly_are_left_alone(window, limited, free):
    for frames in (
        flicker(45, every=8),  # under two flashes a second
        [np.full((36, 64, 3), 10 + 4 * k, np.uint8) for k in range(60)],
    ):
        window.framebuffer.use()
        limited._clock = free._clock = 0.0
        both = [play(window, screen, frames) for screen in (limited, free)]
        assert np.abs(both[0] - both[1]).max() < 0.03


def test_red_that_flashes_without_getting_lighter_is_held_down(window, limited, free):
    """Red and a green of the same luminance: no general flash, but a red one (WCAG 2.3.1)."""
    red, green = np.full((36, 64, 3), (255, 0, 0), np.uint8), np.full((36, 64, 3), (0, 147, 0), np.uint8)
    frames = [red if k // 2 % 2 else green for k in range(60)]
    assert worst_share(play(window, free, frames)) == 0.0, "its light does not flash"
    assert worst_share(reds(window, free, frames)) > 0.9
    assert worst_share(reds(window, limited, frames)) < 0.25


def reds(window, screen, frames) -> np.ndarray:
    """R - G - B (N, 9, 16), linear, of what a screen shows of these frames; a sixteenth of it counts as a tenth of light."""
    screen._limiter, shown = limit.Guard() if screen._limiter else None, []
    for frame in frames:
        window.framebuffer.use()
        screen.draw(Picture(frame, frame, None, 0.0, 0.0, AudioFeatures()), SIZE, Knobs(drive=1.0), dt=1 / FPS)
        linear = light_of_codes(screen.read() / np.float32(255))
        value = (linear[..., 0] - linear[..., 1] - linear[..., 2]).clip(0)
        shown.append(np.minimum(value.reshape(9, 8, 16, 8).mean((1, 3)) * 1.6, 0.79))
    return np.array(shown)


def test_a_blackout_is_never_held_up(window, limited):
    play(window, limited, flicker(50))
    for k in range(8):
        window.framebuffer.use()
        frame = np.full((36, 64, 3), 255 * (k % 2), np.uint8)
        limited.draw(Picture(frame, frame, None, 0.0, 0.0), SIZE, Knobs(blackout=True), dt=1 / FPS)
    assert limited.read().max() == 0


# -------------------------------------------------------------------------------------------------- its arithmetic
def test_the_meter_reads_the_light_of_cells():
    lines = np.zeros((len(Meter.rows(720)), 1280, 4), np.uint8)
    lines[:, :640, :3] = 188  # half of the light
    cells, red = Meter().cells(lines)
    assert cells.shape == (ROWS, COLUMNS)
    assert cells[:, :8] == pytest.approx(float(light_of_codes(np.float32(188 / 255))), abs=1e-3) and (cells[:, 8:] == 0).all()
    assert Meter.rows(720).max() < 720 and Meter.rows(7).max() < 7
    assert (red == 0).all(), "grey is not red"
    assert Meter().cells(lines[:, :5])[0].shape == (ROWS, COLUMNS), "however small the screen"


def test_only_saturated_red_is_red():
    lines = np.zeros((len(Meter.rows(720)), 1280, 3), np.uint8)
    for colour, least, most in (((255, 0, 0), 1, 1), ((188, 40, 40), 0.4, 0.5), ((255, 160, 140), 0, 0), ((0, 0, 255), 0, 0)):
        lines[:] = colour
        assert least - 1e-3 <= Meter().cells(lines)[1].mean() <= most + 1e-3, colour


def test_light_is_only_ever_taken_away_and_neighbours_count():
    light, most = np.full((ROWS, COLUMNS), 0.9, np.float32), np.ones((ROWS, COLUMNS), np.float32)
    most[5, 5] = 0.1
    gain = gains(light, most) / 255
    assert gain[5, 5] ** 2.2 * 0.9 <= 0.1 and (gain[4:7, 4:7] == gain[5, 5]).all() and gain[0, 0] == 1.0


def test_after_a_second_light_may_rise_again():
    limiter, held = Limiter(), []
    for k in range(90):
        light = np.full((ROWS, COLUMNS), 0.8 if k >= 40 or k % 4 >= 2 else 0.0, np.float32)
        most = limiter.judge(light, 1 / 30)
        held.append(most is not None)
        limiter.note(light if most is None else np.minimum(light, most))
    assert any(held[:40]) and not any(held[-10:]), "a bright picture that stays comes through"


def test_changes_among_what_is_bright_do_not_count():
    limiter = Limiter()
    for k in range(60):
        light = np.full((ROWS, COLUMNS), 0.83 + 0.15 * (k % 2), np.float32)
        assert limiter.judge(light, 1 / 30) is None
        limiter.note(light)


def test_the_measure_of_these_tests_counts_as_the_guideline_does():
    wave = np.repeat(np.tile([0.0, 0.5], 15), 2)[:, None]  # 30 changes in two seconds: 7.5 flashes a second
    assert worst_share(wave) == 1.0
    assert worst_share(np.repeat(np.tile([0.0, 0.5], 6), 5)[:, None]) == 0.0, "three a second"
    assert worst_share(0.1 + 0.15 * wave) == 0.0, "too faint to count"
