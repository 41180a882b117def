"""Every file in shaders/ compiles in software GL and keeps its law."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from offscreen import offscreen

from vj.render.output import Output
from vj.render.passes import COMPLAINT, PARAMETER, Pass, ShaderFolder, with_an_end
from vj.render.screen import LOOKS, PASSES
from vj.view import INNER, KINDS, View

FOLDER = Path(__file__).parents[1] / "shaders"
FILES = sorted(p.stem for p in FOLDER.glob("*.glsl") if p.stem != "common")
PLAIN = {
    "grade_noise": 0.0, "grade_vignette": 0.0, "grade_flash": 0.0, "grade_warm": 0.0, "grade_contrast": 1.0,
    "grade_saturation": 1.0, "grade_lift": 1.0, "u_brightness": 1.0, "u_light": 1.0, "u_bars": (1.0, 1.0),
}  # fmt: skip


@pytest.fixture(scope="module")
def gl():
    for window in offscreen((16, 16)):
        assert window.context.error == "GL_NO_ERROR"
        yield window.context
        assert window.context.error == "GL_NO_ERROR"


@pytest.fixture
def run(gl):
    """run(name, size, textures, **values) -> float32 (H, W, 3): one pass drawn over a target of (width, height) px."""
    made = []

    def texture(array: np.ndarray):
        kind = "f1" if array.dtype == np.uint8 else "f4"
        parts = 1 if array.ndim == 2 else array.shape[2]
        data = np.ascontiguousarray(array if kind == "f1" else array.astype(np.float32)).tobytes()
        made.append(gl.texture(array.shape[1::-1], parts, data, alignment=1, dtype=kind))
        made[-1].repeat_x = made[-1].repeat_y = False
        return made[-1]

    def one(name: str, size: tuple[int, int], textures: dict[str, np.ndarray], **values) -> np.ndarray:
        step = Pass(gl, ShaderFolder(FOLDER), (name,))
        assert step.load() == ""
        target = gl.framebuffer([gl.texture(size, 4, dtype="f4")])
        target.use()
        step.draw({n: texture(a) for n, a in textures.items()}, {"u_size": size, "u_fit": (1.0, 1.0)} | values)
        return np.frombuffer(target.read(components=4, dtype="f4"), np.float32).reshape(size[1], size[0], 4)[:, :, :3]

    yield one
    for thing in made:
        thing.release()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


# ------------------------------------------------------------------------------------------------ the contract
@pytest.mark.parametrize("name", FILES)
def test_each_file_keeps_the_contract(gl, name):
    text = (FOLDER / f"{name}.glsl").read_text()
    step = Pass(gl, ShaderFolder(FOLDER), (name,))
    assert step.load() == "", "it compiles by itself"
    assert text.startswith("// ") and len(re.findall(r"^vec4 shade\(vec2 uv\)", text, re.M)) == 1
    for parameter, default, least, most in PARAMETER.findall(text):
        assert float(least) <= float(default) <= float(most), parameter
    floats = set(re.findall(r"^uniform float (\w+);", text, re.M))
    told = {m[0] for m in PARAMETER.findall(text)}
    assert all(f.startswith("u_") for f in floats - told), "a uniform is the host's (u_) or says its default and range"


@pytest.mark.parametrize("name", sorted(p.stem for p in (FOLDER / "include").glob("*.glsl")))
def test_an_include_holds_the_function_of_its_name(name):
    assert re.search(rf"^\w+ {name}\(", (FOLDER / "include" / f"{name}.glsl").read_text(), re.M)


def test_every_pass_and_look_has_its_file_and_stands_in_the_readme():
    readme = (FOLDER / "README.md").read_text()
    for name in (*PASSES, *(f"look_{look}" for look in LOOKS)):
        assert name in FILES
    for name in FILES:
        assert f"`{name}`" in readme, name
    for uniform in re.findall(r"^uniform \w+ (\w+);", (FOLDER / "common.glsl").read_text(), re.M):
        assert f"`{uniform}`" in readme, uniform


# -------------------------------------------------------------------------------------------------- their laws
def blend(run, before, after, flow, at: float) -> np.ndarray:
    """uint8, top row first, as the frames."""
    height, width = before.shape[:2]
    textures = {"before_frame": before, "after_frame": after} | ({} if flow is None else {"flow": flow})
    moves = 0.0 if flow is None else 1.0
    out = run("blend", (width, height), textures, u_source_size=(width, height), u_blend=at, u_moves=moves)
    return (out[::-1] * 255).round().astype(int)


def test_blend_is_exact_at_both_ends_whatever_the_flow(run):
    before, after = noise(24, 40, 1), noise(24, 40, 2)
    flow = np.random.default_rng(3).normal(0, 9, (24, 40, 2)).astype(np.float32)
    flow[3, 4] = np.nan
    for f in (flow, None):
        assert (blend(run, before, after, f, 0.0) == before).all()
        assert (blend(run, before, after, f, 1.0) == after).all()


def bar(x: int, width: int = 6) -> np.ndarray:
    picture = np.full((24, 64, 3), 30, np.uint8)
    picture[:, x : x + width] = (250, 220, 40)
    return picture


@pytest.mark.parametrize("at", [0.25, 0.5, 0.75])
def test_blend_moves_a_bar_to_its_place_between(run, at):
    flow = np.zeros((24, 64, 2), np.float32)
    flow[:, 10:40, 0] = -8.0  # from x = 28 to 20, as in a window that travels to the right
    shown = blend(run, bar(28), bar(20), flow, at)
    assert np.abs(shown - bar(round(28 - 8 * at))).max() <= 3


@pytest.mark.parametrize("at", [0.25, 0.5, 0.75])
def test_blend_moves_fine_pictures_by_a_coarse_flow(run, at):
    """Pictures with their detail are twice as large as what says how they move."""
    flow = np.zeros((12, 32, 2), np.float32)
    flow[:, 5:20, 0] = -4.0
    shown = blend(run, bar(28), bar(20), flow, at)
    assert np.abs(shown - bar(round(28 - 8 * at))).max() <= 3


def test_blend_looks_as_far_aside_for_a_coarse_flow(run):
    """Five of the flow's own px, which are ten of the pictures': what a bar has just uncovered is found to be its motion's."""
    flow = np.zeros((12, 32, 2), np.float32)
    flow[:, 10:13, 0] = -4.0  # a bar from x = 28 to 20
    assert np.abs(blend(run, bar(28), bar(20), flow, 0.5) - bar(24))[:, 31:34].max() <= 3


def test_blend_moves_down_as_the_flow_says(run):
    before, after = np.zeros((24, 24, 3), np.uint8), np.zeros((24, 24, 3), np.uint8)
    before[4:8], after[10:14] = 255, 255
    flow = np.zeros((24, 24, 2), np.float32)
    flow[..., 1] = 6.0
    assert (blend(run, before, after, flow, 0.5)[7:11] > 250).all()


def test_blend_takes_what_enters_from_the_newer_frame(run):
    before, after = np.full((16, 32, 3), 60, np.uint8), np.full((16, 32, 3), 60, np.uint8)
    after[:, 24:] = 220  # entered at the right
    flow = np.zeros((16, 32, 2), np.float32)
    flow[..., 0] = -8.0
    shown = blend(run, before, after, flow, 0.5)
    assert (shown[:, 28:] > 210).all() and (shown[:, :26] < 70).all(), "half of it has come in, and it is not faded"


def test_blend_without_a_flow_is_a_cross_fade(run):
    before, after = noise(16, 16, 1), noise(16, 16, 2)
    assert np.abs(blend(run, before, after, None, 0.25) - (0.75 * before + 0.25 * after)).max() <= 1


def test_blend_falls_back_to_the_cross_fade_where_the_frames_disagree(run):
    before, after = np.zeros((16, 32, 3), np.uint8), np.full((16, 32, 3), 255, np.uint8)
    flow = np.full((16, 32, 2), 3.0, np.float32)
    assert np.abs(blend(run, before, after, flow, 0.5)[4:12, 8:24] - 127.5).max() <= 1


def test_blend_lives_through_a_mad_flow(run):
    flow = np.full((16, 16, 2), np.nan, np.float32)
    flow[::2] = 1e30
    assert (np.abs(blend(run, noise(16, 16, 1), noise(16, 16, 2), flow, 0.5) - 127) <= 128).all()


@pytest.mark.parametrize("name", ["upscale", "upscale_edge"])
def test_upscaling_keeps_what_is_constant_and_stays_within(run, name):
    flat = np.full((12, 20, 3), (200, 17, 90), np.uint8)
    assert np.abs(run(name, (40, 24), {"image": flat}) * 255 - (200, 17, 90)).max() < 0.01
    rough = run(name, (40, 24), {"image": noise(12, 20)})
    assert np.isfinite(rough).all() and rough.min() >= 0 and rough.max() <= 1
    ramp = np.repeat(np.linspace(0, 255, 20).astype(np.uint8)[None, :, None], 12, 0).repeat(3, 2)
    assert (np.diff(run(name, (40, 24), {"image": ramp})[12, :, 0]) >= -1e-4).all(), "a ramp still rises"


def test_upscaling_along_edges_makes_no_ringing_and_less_of_a_staircase(run):
    y, x = np.mgrid[0:24, 0:24]
    slope = np.repeat(((x + 0.4 * y > 15) * 255).astype(np.uint8)[..., None], 3, 2)
    wide_y, wide_x = np.mgrid[0:48, 0:48]
    truth = np.clip((((wide_x - 0.5) / 2 + 0.4 * (wide_y - 0.5) / 2) - 15) * 2 + 0.5, 0, 1)
    inner = slice(8, 40)
    errors = {}
    for name in ("upscale", "upscale_edge"):
        errors[name] = np.abs(run(name, (48, 48), {"image": slope})[inner, inner, 0] - truth[inner, inner]).mean()
    assert errors["upscale_edge"] < errors["upscale"]


def test_sharpen_leaves_alone_at_nothing_and_lifts_edges_at_more(run):
    picture = noise(12, 20)
    assert np.abs(run("sharpen", (20, 12), {"image": picture}, sharpen_amount=0.0) * 255 - picture).max() < 0.01
    edge = np.full((12, 20, 3), 90, np.uint8)
    edge[:, 10:] = 160
    edge[:, 9], edge[:, 10] = 110, 140
    out = run("sharpen", (20, 12), {"image": edge}, sharpen_amount=1.0) * 255
    assert out[6, 10, 0] - out[6, 9, 0] > 35 > 30 and out.min() >= 0 and out.max() <= 255
    assert np.abs(out[:, :7] - 90).max() < 0.01, "what is flat stays"


def test_grade_changes_nothing_when_all_is_neutral(run):
    picture = noise(12, 20)
    assert np.abs(run("grade", (20, 12), {"image": picture}, **PLAIN) * 255 - picture).max() < 0.02


def test_grade_brightness_warmth_and_blackout(run):
    picture = {"image": np.repeat(np.arange(0, 256, 4, dtype=np.uint8)[None, :, None], 2, 0).repeat(3, 2)}

    def grade(**values) -> np.ndarray:
        return run("grade", (64, 2), picture, **(PLAIN | values))

    plain = grade()
    assert (grade(u_light=0.0) == 0).all() and (grade(u_brightness=0.0) == 0).all()
    assert np.allclose(grade(u_brightness=0.5), plain / 2, atol=1e-3)
    bright = grade(u_brightness=2.0)
    assert (bright >= plain - 1e-4).all() and bright[0, 32, 0] > plain[0, 32, 0] + 0.1
    assert (np.diff(bright[0, :, 0]) > 0).all(), "nothing is clipped"
    warm = grade(u_warmth=1.0, grade_warm=0.35)
    assert warm[0, 32, 0] > plain[0, 32, 0] > warm[0, 32, 2]
    assert grade(grade_lift=2.0)[0, 32, 0] > plain[0, 32, 0] and grade(grade_lift=2.0)[0, 0, 0] == 0
    flash = grade(u_pulse=1.0, grade_flash=0.14)[:, 32] / plain[:, 32]
    assert (flash > 1.0).all() and (flash < 1.2).all()


def test_grade_grain_is_even_and_black_stays_black_in_the_dark(run):
    grain = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
    grey = {"image": np.full((64, 64, 3), 128, np.uint8), "grain": grain}
    out = run("grade", (64, 64), grey, **(PLAIN | {"grade_noise": 0.05, "u_grain": (3.0, 5.0, 1.0)}))
    assert 0.01 < out.std() < 0.1 and abs(out.mean() - 128 / 255) < 0.01
    dark = run("grade", (64, 64), grey, **(PLAIN | {"grade_noise": 0.3, "u_light": 0.0, "u_grain": (3.0, 5.0, 1.0)}))
    assert (dark == 0).all()


@pytest.mark.parametrize("name", ["blur_x", "blur_y", "copy"])
def test_what_is_constant_stays_constant(run, name):
    flat = np.full((24, 32, 3), (200, 17, 90), np.uint8)
    assert np.abs(run(name, (8, 6), {"image": flat}) * 255 - (200, 17, 90)).max() < 0.6


def test_lamps_are_what_is_brighter_than_its_surroundings(run):
    street = np.full((24, 32, 3), 40, np.uint8)
    around = street.copy()
    street[10:13, 15:18] = 230
    out = run("lamps", (32, 24), {"image": street, "blurred": around})
    assert out[11, 16].max() > 0.5 and out[2, 2].max() == 0


def test_the_output_is_exact_when_neutral_and_black_outside_its_corners(run):
    picture = noise(12, 20)
    neutral = {"u_gamma": 1.0, "u_balance": (1.0, 1.0, 1.0), "u_pin": Output().pin()}
    assert np.abs(run("output", (20, 12), {"image": picture}, **neutral) * 255 - picture).max() < 0.02
    half = neutral | {"u_pin": Output(corners=((0.5, 0), (1, 0), (1, 1), (0.5, 1))).pin()}
    out = run("output", (40, 12), {"image": picture}, **half) * 255
    assert out[:, :20].max() < 0.01 and np.abs(out[:, 20:] - picture).max() < 0.1
    out = run("output", (20, 12), {"image": picture}, **(neutral | {"u_balance": (0.5, 1.0, 0.0)})) * 255
    assert np.abs(out - picture * (0.5, 1.0, 0.0)).max() < 0.02
    lifted = run("output", (20, 12), {"image": picture}, **(neutral | {"u_gamma": 2.0}))
    assert np.abs(lifted - (picture / 255) ** 0.5).max() < 0.01


def test_the_test_card_has_a_white_border_and_marks_a_corner(run):
    out = run("card", (320, 180), {}, u_marked=-1.0)[::-1]
    assert min(out[0].min(), out[-1].min(), out[:, 0].min(), out[:, -1].min()) > 0.9
    for corner, (y, x) in enumerate(((4, 4), (4, 315), (175, 315), (175, 4))):
        marked = run("card", (320, 180), {}, u_marked=float(corner))[::-1]
        assert marked[y, x, 0] > 0.9 > 0.4 > marked[y, x, 1], "and it is red"
        assert np.abs(marked - out).max(-1)[y - 3 : y + 4, x - 3 : x + 4].max() > 0.5


def test_dim_is_what_its_cells_say(run):
    cells = np.array([[255, 0], [128, 64]], np.uint8)
    out = run("dim", (40, 40), {"u_gains": cells})[::-1]
    assert out[2, 2, 0] == pytest.approx(1) and out[2, -2, 0] == 0 and out[-2, 2, 0] == pytest.approx(128 / 255, abs=0.01)


# ---------------------------------------------------------------------------------------------- broken files
def test_loops_without_an_end_are_given_one(gl, copied):
    told = with_an_end("for (int k = 0; k < 9; k++) a(); while (b(c)) d(); for (;;) e(); for (int j = 0; j < n; j++) f();")
    assert told == (
        "for (int k = 0; k < 9; k++) a(); while (turns_left() && (b(c))) d(); for (; turns_left();) e(); "
        "for (int j = 0; turns_left() && ( j < n); j++) f();"
    )
    text = "vec4 shade(vec2 uv) { float x = uv.x; while (x >= 0.0) x += 0.5; return vec4(0.0, 1.0, 0.0, 1.0); }"
    (copied / "copy.glsl").write_text(text)
    step = Pass(gl, ShaderFolder(copied), ("copy",))
    assert step.load() == ""
    target = gl.framebuffer([gl.texture((8, 8), 4)])
    target.use()
    step.draw({}, {})
    assert target.read(components=3)[:3] == b"\x00\xff\x00", "it came back"


@pytest.fixture
def copied(tmp_path):
    return Path(shutil.copytree(FOLDER, tmp_path / "shaders"))


def test_a_broken_file_is_named_with_its_line_and_the_last_good_program_stays(gl, copied):
    step = Pass(gl, ShaderFolder(copied), ("sharpen",))
    assert step.load() == "" and step.is_good
    good = (copied / "sharpen.glsl").read_text()
    line = good[: good.index("vec4 shade")].count("\n") + 2
    (copied / "sharpen.glsl").write_text(good.replace("vec4 shade(vec2 uv) {\n", "vec4 shade(vec2 uv) {\n    rubbish;\n"))
    said = step.load()
    assert f"shaders/sharpen.glsl, line {line}," in said and "the last good one stays" in said and "\n" not in said
    assert step.is_good
    step.draw({}, {})
    (copied / "sharpen.glsl").write_text(good)
    assert step.load() == ""


@pytest.mark.parametrize(
    "said",
    [
        "0:20007(5): error: `rubbish' undeclared", "0(20007) : error C1503: undefined variable \"rubbish\"",
        "ERROR: 0:20007: Use of undeclared identifier 'rubbish'",
    ],
)  # fmt: skip
def test_complaints_of_all_drivers_are_read(said):
    found = COMPLAINT.search(f"GLSL Compiler failed\n\nfragment_shader\n===\n{said}\n")
    assert int(found[1]) == 20007 and "rubbish" in found[2] and "error" not in found[2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("include/luma.glsl", "float luma(vec3 c) { return rubbish; }"), ("include/luma.glsl", None),
        ("grade.glsl", "float other() { return 1.0; }"), ("grade.glsl", b"\xff\xfe\x00\x01"), ("common.glsl", "#error no"),
    ],
)  # fmt: skip
def test_whatever_is_broken_is_one_sentence(gl, copied, name, text):
    if text is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    step = Pass(gl, ShaderFolder(copied), ("copy", "grade"))
    said = step.load()
    assert said.startswith("shaders/") and said.endswith("the picture goes on without it.") and "\n" not in said
    assert not step.is_good
    step.draw({}, {})  # draws nothing, breaks nothing


@pytest.mark.parametrize("kind", KINDS[1:])
def test_unroll_lays_back_as_the_footage_was_laid_out(run, kind):
    coarse = np.random.default_rng(3).integers(40, 216, (9, 15, 3), dtype=np.uint8)
    layout = cv2.resize(coarse, (160, 96), interpolation=cv2.INTER_CUBIC)
    view = View(kind, 0.45, 0.55)
    values = {"u_view": (float(KINDS.index(kind)), view.x, view.y, INNER)}
    drawn = run("unroll", (320, 192), {"image": layout[::-1]}, u_turned=1.0, **values)[::-1] * 255
    assert np.abs(drawn - view.lay_back(layout, 192, 320)).mean() < 1.5
    flat = run("unroll", (160, 96), {"image": layout[::-1]}, u_turned=0.0, **values)[::-1] * 255
    assert np.abs(flat - layout).max() < 1


def test_unroll_keeps_what_is_constant_and_has_no_seam(run):
    plain = np.full((96, 160, 3), 90, np.uint8)
    values = {"u_view": (1.0, 0.5, 0.45, INNER), "u_turned": 1.0}
    assert np.abs(run("unroll", (320, 192), {"image": plain}, **values) * 255 - 90).max() < 0.51
    halves = np.zeros((96, 160, 3), np.uint8)
    halves[:48] = 200  # right of the vanishing point, and left of it
    drawn = run("unroll", (320, 192), {"image": halves}, **values)[..., 0] * 255
    top = drawn[-3, 150:170]  # the seam stands above the vanishing point
    assert np.abs(np.diff(top)).max() < 120 and abs(top[9:11].mean() - 100) < 25
