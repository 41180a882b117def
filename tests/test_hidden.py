"""What is covered goes on unseen and comes out again."""

import torch

from vj.model import hidden, transport

H, W, FRAMES = 12, 48, 24
BANK = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])  # the last, quickest, is nearest
SIDE = 8  # px of the square that passes


def _scene(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A land that moves 1 px a frame and a square before it that moves 3: frames (T, 1, 3, H, W), classes (T, 1, H, W)."""
    generator = torch.Generator().manual_seed(seed)
    land = torch.rand(1, 3, H, W + 2 * FRAMES, generator=generator)
    thing = torch.rand(1, 3, H // 2, SIDE, generator=generator)
    frames, classes = [], []
    for t in range(FRAMES):
        frame, kind = land[..., t : t + W].clone(), torch.ones(1, H, W, dtype=torch.int64)
        left = W - SIDE - 2 - 3 * t
        a, b = max(left, 0), max(left + SIDE, 0)
        frame[..., 3 : 3 + H // 2, a:b] = thing[..., a - left : b - left]
        kind[:, 3 : 3 + H // 2, a:b] = 2
        frames.append(frame)
        classes.append(kind)
    return torch.stack(frames), torch.stack(classes)


def _play(frames, classes, light=None, remember: bool = True) -> torch.Tensor:
    """The world moved on by its true classes from its first frame; what enters is the truth. -> the last frame."""
    B = frames.shape[1]
    light = torch.ones(B, 3) if light is None else light
    picture, behind, before = frames[0], hidden.nothing("cpu"), classes[0]
    whole = BANK.long()[None].expand(B, -1, -1)
    for t in range(1, len(frames)):
        picture = picture * light[..., None, None]
        moved, entered = transport.move(picture, classes[t], whole)
        moved = torch.where(entered, frames[t], moved)
        if remember:
            moved, now, behind = hidden.step(behind, picture, light, before, moved, classes[t], whole, BANK)
            assert torch.equal(now, classes[t])
        picture, before = moved, classes[t]
    return picture


def _known(classes: torch.Tensor) -> torch.Tensor:
    """(B, H, W): where the last frame shows what was once seen: not what stood behind the square in the first."""
    hole = classes[0] == 2
    gone = FRAMES - 1
    return ~torch.cat([hole[..., gone:], torch.zeros_like(hole[..., :gone])], 2)


def test_what_was_covered_comes_out_as_it_was():
    frames, classes = _scene(0)
    known = _known(classes)[:, None].expand_as(frames[-1])
    assert torch.equal(_play(frames, classes)[known], frames[-1][known])
    forgot = _play(frames, classes, remember=False)
    assert (forgot != frames[-1])[known].float().mean() > 0.1  # so much is lost where nothing is remembered


def test_worlds_have_their_own_behind():
    one, two = _scene(1), _scene(2)
    still = two[0][:1].expand_as(two[0]), torch.zeros_like(two[1])  # nothing moves there
    both = (torch.cat([a, b], 1) for a, b in zip(one, still, strict=True))
    alone, (beside, stands) = _play(*one), _play(*both).split(1)
    assert torch.equal(alone, beside)
    assert torch.equal(stands, still[0][0])


def test_it_comes_out_in_the_light_of_now():
    frames, classes = _scene(3)
    light = torch.tensor([[1.02, 0.99, 0.97]])
    known = _known(classes)[:, None].expand_as(frames[-1])
    wanted = frames[-1] * light[..., None, None] ** (FRAMES - 1)
    got = _play(frames * 1.0, classes, light)
    old = known & (torch.arange(W) < W - FRAMES)  # what has entered since came in its own light
    torch.testing.assert_close(got[old], wanted[old])


def test_what_stands_shows_nothing_from_behind():
    frames, classes = _scene(4)
    behind, before, whole = hidden.nothing("cpu"), classes[0], BANK.long()[None]
    one = torch.ones(1, 3)
    moved, _ = transport.move(frames[0], classes[1], whole)
    moved, now, behind = hidden.step(behind, frames[0], one, before, moved, classes[1], whole, BANK)
    count = len(behind.place)
    assert count
    other = torch.ones_like(now)  # the square's place is thought to be land for a moment, and nothing moves
    held, _, behind = hidden.step(behind, moved, one, now, moved, other, torch.zeros_like(whole), BANK)
    assert torch.equal(held, moved)


def test_rows_take_along_what_is_behind_them():
    behind = hidden.Hidden(torch.full((2, 3), 0.5), torch.tensor([1, 1]), torch.tensor([W + 3, (H + 2) * W + 5]))
    goes = torch.zeros(2, 3, H, 1)
    goes[0, :, 1], goes[1, :, 2] = 0.1, -0.2
    assert torch.allclose(hidden.along(behind, goes, W).colours[:, 0], torch.tensor([0.6, 0.3]))
