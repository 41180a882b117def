"""What moves how is told over several frames: also at the edge, behind what passes, and between two motions."""

import torch
from small import MOTIONS, footage

from vj.train.tracks import SPAN, explained

AT = 8  # a frame with SPAN others before and after it


def seen(count: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, T, 3, H, W), the upper half at 1 px a frame, the lower at 3; speeds (1, T)."""
    clip = footage(count)
    return torch.from_numpy(clip.frames).permute(0, 3, 1, 2)[None].float() / 255, torch.ones(1, count)


def test_what_has_just_entered_is_known_by_where_it_goes():
    frames, speeds = seen()
    errors = explained(torch.tensor(MOTIONS), frames, speeds, AT, 4)  # the newest 4 px
    upper, lower = (errors[0, :, rows].mean((1, 2)) for rows in (slice(0, 16), slice(16, 32)))
    assert upper.argmin() == 1 and lower.argmin() == 3
    assert upper[1] < 0.01 < upper[0] and lower[3] < 0.01 < lower[0]


def test_what_is_hidden_later_is_known_by_where_it_came_from():
    frames, speeds = seen()
    frames[:, AT + 1 :] = torch.rand_like(frames[:, AT + 1 :])
    errors = explained(torch.tensor(MOTIONS), frames, speeds, AT, 32)[..., :16]
    assert errors[0, :, :15].mean((1, 2)).argmin() == 1 and errors[0, :, 17:].mean((1, 2)).argmin() == 3


def test_two_motions_apart_by_less_than_a_pixel_are_told_apart():
    frames, speeds = seen()
    bank = torch.tensor([[0.75, 0.0], [1.0, 0.0], [1.5, 0.0]])
    errors = explained(bank, frames, speeds, AT, 32)[0, :, :15].mean((1, 2))
    assert errors.argmin() == 1 and errors[[0, 2]].min() > 2 * errors[1]
    once = (frames[0, AT + 1, :, :15, 32:63] - frames[0, AT, :, :15, 33:64]).abs().mean()
    assert once < 0.001, "the footage moves by 1 px"


def test_in_a_slow_world_it_waits_longer():
    frames, speeds = seen(20)
    frames, speeds = frames.repeat_interleave(7, 1), speeds.repeat_interleave(7, 1) / 7
    errors = explained(torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]), frames, speeds, 7 * AT, 32)[0, :, :15].mean((1, 2))
    assert errors.argmin() == 2 and errors[:2].min() > 2 * errors[2]


def test_what_leads_out_of_the_picture_explains_nothing():
    frames, speeds = seen()
    errors = explained(torch.tensor([[0.0, 0.0], [40.0, 0.0]]), frames, speeds, AT, 64)
    assert (errors[0, 1] == 1).all() and (errors[0, 0] < 1).all()
    assert SPAN[0] * 40 > 64


def test_the_light_may_change_meanwhile():
    frames, speeds = seen()
    frames = frames * torch.linspace(1, 0.6, frames.shape[1]).view(1, -1, 1, 1, 1)
    errors = explained(torch.tensor(MOTIONS), frames, speeds, AT, 40)
    assert errors[0, :, :15].mean((1, 2)).argmin() == 1 and errors[0, 1, :15].mean() < 0.02


def test_motions_down_are_told_too():
    _, speeds = seen()
    wall = torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(0))
    down = torch.stack([wall.roll(-2 * t, 1) for t in range(20)])[None]
    errors = explained(torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 0.0]]), down, speeds, AT, 64)
    assert errors[0, :, 10:22].mean((1, 2)).argmin() == 1
