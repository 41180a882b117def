"""The mender: what it may choose, when it does so, and that it learns to take away litter and to leave things."""

import pytest
import torch

from vj.model import mender
from vj.model import world as worlds
from vj.model.mender import BESIDE, CHOICES, Mender, choices, medians, mended
from vj.model.net import CODE_DIMS, ModelConfig, Net
from vj.train import mending
from vj.train.mending import Mendings, laid
from vj.train.roughness import Roughness

H, W = 32, 64
SMALL = ModelConfig(height=H, width=W, classes=2, widths=(8, 8, 8), painter=8, prior=8, glance=4, over_rows=8, seeds=1)


def pictures(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Skies that darken downwards with a dark house in each, and where the houses are: (n, 3, H, W), (n, 1, H, W)."""
    dice = torch.Generator().manual_seed(seed)
    sky = torch.linspace(0.9, 0.5, H).view(1, 1, H, 1).expand(n, 3, H, W).clone()
    house = torch.zeros(n, 1, H, W)
    for b, left in enumerate(torch.randint(4, W - 20, (n,), generator=dice).tolist()):
        house[b, :, 12:26, left : left + 12] = 1
    return torch.where(house > 0, torch.tensor([0.5, 0.1, 0.1]).view(1, 3, 1, 1), sky), house


def fixed(choice: int, where: torch.Tensor) -> Mender:
    """One that wants this choice where (B, 1, H, W) is 1, and all else to stay."""

    class Fixed(Mender):
        def forward(self, image, median, pace):
            logits = torch.zeros(image.shape[0], CHOICES, *image.shape[2:])
            logits[:, 0] = 10
            logits[:, choice] += 20 * where[:, 0]
            return torch.nn.functional.pixel_unshuffle(logits, 2).unflatten(1, (CHOICES, 4))

    return Fixed()


def speck(image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    where = torch.zeros_like(image[:, :1])
    where[:, :, 4, 30:33] = 1
    return torch.where(where > 0, torch.tensor(0.2), image), where


def test_who_knows_nothing_mends_nothing():
    image, _ = speck(pictures(2)[0])
    moves = torch.ones(2, dtype=torch.bool)
    assert torch.equal(mended(Mender(), image, torch.ones_like(image[:, :1]), moves), image)


def test_the_choices_are_pixels_of_the_row_and_its_median():
    image = torch.rand(2, 3, H, W)
    median = medians(image)
    options = choices(image, median)
    assert options.shape == (2, CHOICES, 3, H, W) and torch.equal(options[:, 0], image)
    for k, by in enumerate(BESIDE, 1):
        assert torch.equal(options[:, k, :, :, 30], image[..., 30 + by])
    assert torch.equal(options[:, -1], median.expand_as(image))
    assert torch.equal(options[:, 1 + BESIDE.index(24), :, :, -1], image[..., -1])


@pytest.mark.parametrize("light", [1.0, 1.4])  # brighter than can be shown, it is to be whole when it is darker again
@pytest.mark.parametrize("choice", [1 + BESIDE.index(-6), 1 + BESIDE.index(24), CHOICES - 1])
def test_what_cannot_stay_is_replaced_and_nothing_else(choice, light):
    image = pictures(2)[0] * light
    spoiled, where = speck(image)
    moves, pace = torch.ones(2, dtype=torch.bool), torch.ones_like(where)
    out = mended(fixed(choice, where), spoiled, pace, moves)
    assert torch.allclose(out, image, atol=1e-6)
    still = mended(fixed(choice, where), spoiled, pace, torch.tensor([True, False]))
    assert torch.equal(still[0], out[0]) and torch.equal(still[1], spoiled[1])


def test_what_would_hardly_change_stays():
    image, _ = pictures(1)
    rough = (image + 0.01 * torch.rand(image.shape)).clamp(0, 1)
    sky = torch.zeros_like(image[:, :1])
    sky[:, :, :10] = 1
    assert torch.equal(mended(fixed(1, sky), rough, sky, torch.ones(1, dtype=torch.bool)), rough)


def test_footage_that_is_out_of_place_is_laid_to_fit():
    image, _ = pictures(3)
    moved = torch.roll(image, 2, 3)
    assert (moved - image).abs().max() > 0.3
    assert torch.allclose(laid(moved, image)[..., 3:-3], image[..., 3:-3], atol=1e-6)


def test_it_learns_to_take_away_litter_and_to_leave_things(monkeypatch):
    monkeypatch.setattr(mending, "LOOK", W)
    torch.manual_seed(0)
    net = Net(SMALL)
    lessons = Mendings(Roughness("cpu", 0))
    image, _ = pictures(16)
    lessons.remember(image, torch.zeros(16, H, W, dtype=torch.int64), image)
    optimiser = torch.optim.AdamW(net.mender.parameters(), 4e-3)
    for _ in range(80):
        optimiser.zero_grad()
        lessons.grade(net, 4).backward()
        optimiser.step()
    truth, house = pictures(8, seed=1)
    spoiled = truth.clone()
    spoiled[:, :, 3, 20:23] = spoiled[:, :, 7, 50:52] = torch.tensor([0.2, 0.5, 0.1]).view(3, 1)
    out = mended(net.mender, spoiled, torch.zeros_like(house), torch.ones(8, dtype=torch.bool))
    wrong = (spoiled - truth).abs().sum(1) > 0
    assert (out - truth).abs().mean(1)[wrong].mean() < 0.3 * (spoiled - truth).abs().mean(1)[wrong].mean()
    assert (out - truth).abs().mean(1)[house[:, 0] > 0].mean() < 0.02, "houses stay"


def test_only_pictures_of_one_size_are_remembered():
    lessons = Mendings(Roughness("cpu", 0))
    for width in (W, W // 2, W):
        lessons.remember(torch.rand(2, 3, H, width), torch.zeros(2, H, width, dtype=torch.int64), torch.rand(2, 3, H, width))
    assert lessons.kept == 4


def test_litter_leaves_most_of_a_picture_and_its_pace_alone():
    image, house = pictures(4)
    littered, pace = Mendings(Roughness("cpu", 3)).littered(image, house)
    changed = (littered - image).abs().amax(1) > 0.02
    assert 0.005 < changed.float().mean() < 0.4
    assert littered.shape == image.shape and pace.shape == house.shape and 0 <= littered.min() <= littered.max() <= 1


def test_a_world_is_looked_at_every_few_frames(monkeypatch):
    looks = []
    monkeypatch.setattr(mender, "mended", lambda net, lattice, pace, moves: (looks.append(tuple(moves.tolist())), lattice)[1])
    net = Net(SMALL).eval()
    image, _ = pictures(2)
    world = worlds.begin(net, (image,), torch.zeros(2))
    controls = torch.tensor([[1.0, 0, 0, 0, 0, 0], [0.0, 0, 0, 0, 0, 0]])
    with torch.inference_mode():
        for frame in range(1, 2 * mender.EVERY + 1):
            world = worlds.step(net, world, controls, torch.zeros(2, CODE_DIMS, net.config.rows), torch.zeros(2))
            assert world.age == frame and len(looks) == frame // mender.EVERY
    assert looks == [(True, False)] * 2
