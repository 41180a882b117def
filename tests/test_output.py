"""Corners, turns and colours of a projector: on the output's pixels, by keys, mouse and MIDI, and kept by name."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from offscreen import offscreen
from test_controls import DEFAULT

from vj.midi import Decoder, KnobTable
from vj.render.output import FAR, SQUARE, Output, OutputBook
from vj.render.screen import Screen
from vj.render.setup import ITEMS, Setup
from vj.signals import Knobs, Picture

FOLDER = Path(__file__).parents[1] / "shaders"
SIZE = (128, 72)
ON = Knobs(setup=True)


@pytest.fixture(scope="module")
def window():
    yield from offscreen(SIZE)


@pytest.fixture(scope="module")
def screen(window):
    plain = {"grade_noise": 0.0, "grade_vignette": 0.0, "grade_contrast": 1.0, "grade_saturation": 1.0}
    made = Screen(window.context, FOLDER, limited=False, parameters=plain)
    assert made.message == ""
    return made


def quarters() -> np.ndarray:
    """Red above left, green above right, blue below right, white below left."""
    frame = np.full((72, 128, 3), 255, np.uint8)
    frame[:36, :64], frame[:36, 64:], frame[36:, 64:] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    return frame


def shot(window, screen, output=None, knobs=None, **more) -> np.ndarray:
    window.framebuffer.use()
    screen.output = output or Output()
    picture = Picture(quarters(), quarters(), None, 0.0, 0.0)
    screen.draw(picture, SIZE, knobs or Knobs(), dt=1.0, **more)
    screen.output = Output()
    assert window.context.error == "GL_NO_ERROR"
    return screen.read().astype(int)


def names(shown: np.ndarray) -> str:
    """What stands in the four quarters, from the upper left clockwise."""
    letters = {(1, 0, 0): "r", (0, 1, 0): "g", (0, 0, 1): "b", (1, 1, 1): "w", (0, 0, 0): "-"}
    return "".join(letters[tuple((shown[y, x] > 128).astype(int))] for y, x in ((18, 32), (18, 96), (54, 96), (54, 32)))


@pytest.mark.parametrize(
    ("turn", "mirror", "told"),
    [(0, False, "rgbw"), (90, False, "wrgb"), (180, False, "bwrg"), (270, False, "gbwr"), (0, True, "grwb"), (90, True, "rwbg")],
)
def test_the_picture_is_turned_clockwise_and_mirrored(window, screen, turn, mirror, told):
    assert names(shot(window, screen, Output(turn=turn, mirror=mirror))) == told


def test_a_neutral_output_costs_no_pass_and_changes_no_pixel(window, screen):
    plain = shot(window, screen)
    assert screen._stage is None and Output().is_neutral and Output(fit="letterbox", offset_ms=40.0).is_neutral
    assert np.abs(shot(window, screen, Output(brightness=0.999)) - plain).max() <= 1
    assert (screen.read(straight=True).shape) == (72, 128, 3)


def test_the_corners_are_where_they_were_put(window, screen):
    corners = ((0.25, 0.25), (0.9, 0.1), (0.8, 0.9), (0.1, 0.7))
    shown = shot(window, screen, Output(corners=corners))
    for (x, y), colour in zip(corners, ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)), strict=True):
        inner = np.array((x * 128, y * 72)) * 0.9 + np.array((0.51 * 128, 0.49 * 72)) * 0.1
        assert np.abs(shown[int(inner[1]), int(inner[0])] - colour).max() < 40, (x, y)
        outer = np.array((x * 128, y * 72)) * 1.05 - np.array((0.51 * 128, 0.49 * 72)) * 0.05
        assert shown[int(np.clip(outer[1], 0, 71)), int(np.clip(outer[0], 0, 127))].max() < 40, "black outside"


def test_the_pin_is_a_projection(window, screen):
    """Its lines stay straight, and the diagonals' crossing stays the middle of the picture."""
    output = Output(corners=((0.1, 0.0), (0.7, 0.2), (1.0, 1.0), (0.0, 0.8)))
    pin = np.array(output.pin()).reshape(3, 3).T
    (a, c), (b, d) = ((np.array(output.corners[k]), np.array(output.corners[k + 2])) for k in (0, 1))
    s, _ = np.linalg.solve(np.stack([c - a, b - d], 1), b - a)
    x, y = a + s * (c - a)
    u, v, w = pin @ (x, 1 - y, 1.0)
    assert (u / w, v / w) == (pytest.approx(0.5), pytest.approx(0.5)) and w > 0


def test_colours_of_the_projector(window, screen):
    plain = shot(window, screen)
    assert shot(window, screen, Output(red=0.5))[18, 32, 0] == pytest.approx(plain[18, 32, 0] / 2, abs=2)
    assert shot(window, screen, Output(brightness=0.5))[54, 32].max() == pytest.approx(plain[54, 32].max() / 2, abs=2)
    grey = replace(Output(), gamma=2.0).curves()
    assert grey[0][64] == pytest.approx((64 / 255) ** 0.5) and (np.diff(grey[0]) >= 0).all()


def test_a_turned_picture_keeps_its_proportions_and_is_recorded_upright(window, screen):
    shot(window, screen, Output(turn=90))
    screen.output = Output(turn=90)
    shot(window, screen, Output(turn=90))
    assert screen.read(straight=True).shape == (128, 72, 3) and screen.read().shape == (72, 128, 3)


def test_the_test_card_stands_on_the_corners_and_says_where_it_is(window, screen):
    plain = shot(window, screen)
    screen.card, screen.marked = Setup().lines(Output(), "HDMI-1", SIZE, 60.0), 1
    card = shot(window, screen)
    assert np.abs(card - plain).mean() > 20 and card[2, -3, 0] > 200 > 100 > card[2, -3, 1]
    assert any("HDMI-1" in line for line in screen.card) and any("128 x 72, 60 Hz" in line for line in screen.card)
    pinned = shot(window, screen, Output(corners=((0.5, 0), (1, 0), (1, 1), (0.5, 1))))
    assert pinned[:, :62].max() < 10 and pinned[:, 66:].max() > 200
    for turn, mirror in ((90, False), (180, True), (270, True)):
        turned = shot(window, screen, Output(turn=turn, mirror=mirror))
        assert turned[2, -3, 0] > 200 > 100 > turned[2, -3, 1], "the screen's upper right corner, however it is turned"
    dark = shot(window, screen, knobs=Knobs(blackout=True))
    assert dark.max() > 200, "whoever sets up a projector wants to see it"
    screen.card = ()
    shot(window, screen, knobs=Knobs())


# ------------------------------------------------------------------------------------------------------- setting up
def test_arrows_move_the_chosen_corner_by_a_pixel_and_shift_by_ten():
    setup, output = Setup(), Output()
    output = setup.turn(output, ON, [("key", "tab", False), ("key", "left", True), ("key", "down", False)], (1000, 500))
    assert output.corners[1] == (pytest.approx(0.99), pytest.approx(0.002)) and output.corners[0] == (0, 0)
    output = setup.turn(output, ON, [("key", "backspace", False)], (1000, 500))
    assert output == Output()
    assert setup.turn(output, Knobs(), [("key", "left", True)], (1000, 500)) == output, "not while it is off"


def test_the_mouse_drags_the_nearest_corner_and_only_from_near():
    setup = Setup()
    drag = [("down", 0.96, 0.97), ("drag", 0.8, 0.9), ("up", 0.8, 0.9), ("drag", 0.2, 0.2)]
    output = setup.turn(Output(), ON, drag, (1000, 500))
    assert output.corners[2] == (0.8, 0.9) and setup.chosen == 2
    assert setup.turn(output, ON, [("down", 0.5, 0.5), ("drag", 0.1, 0.1)], (1000, 500)) == output


def test_midi_chooses_and_moves_without_a_jump():
    decoder, setup = Decoder(KnobTable.parse(DEFAULT["midi"]), "any"), Setup()
    knobs, output = Knobs(), Output()
    for message in ([0x90, 44, 90], [0x90, 45, 90], [0xB0, 14, 100]):  # set-up on, next thing, a knob that stands anywhere
        knobs = decoder.turn(knobs, message)
        output = setup.turn(output, knobs, [], (1000, 500))
    assert knobs.setup and setup.chosen == 1
    before = output.corners[1][0]
    knobs = decoder.turn(knobs, [0xB0, 14, 90])
    output = setup.turn(output, knobs, [], (1000, 500))
    assert output.corners[1][0] == pytest.approx(before - 0.25 * 10 / 127)


def test_everything_can_be_chosen_and_changed_within_its_limits():
    setup, output, seen = Setup(), Output(), set()
    for name in ITEMS:
        assert setup.chosen == ITEMS.index(name)
        changed = setup.turn(output, ON, [("key", "left", True)] * 3, (1000, 500))
        assert changed != output, name
        far = setup.turn(output, ON, [("key", "right", True)] * 200, (1000, 500))
        assert Output.parse(json.loads(json.dumps(_plain(far)))) == far, "what can be set can be kept"
        seen.add(changed)
        assert setup.turn(changed, ON, [("key", "backspace", False)], (1000, 500)) == output
        setup.turn(output, ON, [("key", "tab", False)], (1000, 500))
    assert setup.chosen == 0 and len(seen) == len(ITEMS)


def _plain(output: Output) -> dict:
    return {name: getattr(output, name) for name in Output.__slots__}


def test_corners_that_cross_are_refused():
    output = Output()
    for place in ((1.2, 1.2), (0.5, 0.5), (1.0, 0.0)):
        assert output.with_corner(0, *place) == output
    assert output.with_corner(0, -9, -9).corners[0] == (-FAR, -FAR)


# ------------------------------------------------------------------------------------------------------- the book
def test_each_monitor_is_kept_by_its_name(tmp_path):
    path = tmp_path / "kept" / "outputs.json"
    book, mine = OutputBook(path), Output(turn=180, gamma=1.2).with_corner(0, 0.1, 0.05)
    book.put("HDMI-1", mine)
    again = OutputBook(path)
    assert again.get("HDMI-1") == mine and again.get("DP-2") == Output() and book.message == ""
    assert [p.name for p in path.parent.iterdir()] == ["outputs.json"]


def test_a_spoilt_book_starts_anew_and_says_so(tmp_path):
    path = tmp_path / "outputs.json"
    path.write_text("{not json")
    assert "cannot be read" in OutputBook(path).message and OutputBook(path).get("x") == Output()
    hostile = {"a": {"corners": [[0, 0]] * 4, "gamma": 99, "turn": 45, "mirror": "yes", "red": True}, "b": 7, "c": {"turn": 90}}
    path.write_text(json.dumps(hostile))
    book = OutputBook(path)
    assert book.get("a") == Output() and book.get("b") == Output() and book.get("c").turn == 90
    path.write_text("[1, 2]")
    assert OutputBook(path).get("a") == Output()


def test_where_nothing_can_be_kept_the_show_knows_it_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    book = OutputBook(tmp_path / "file" / "outputs.json")
    book.put("HDMI-1", Output(turn=90))
    assert "cannot be kept" in book.message and book.get("HDMI-1").turn == 90
    assert Output().corners == SQUARE
