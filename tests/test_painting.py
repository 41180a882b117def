"""How painting is graded: what goes on untold, what must be told, and what is spoilt on purpose."""

import torch
from small import SMALL

from vj.model import transport
from vj.model import world as worlds
from vj.train.painting import OFF_TONE, news, tone, unlike_each
from vj.train.roughness import WIDEST, Roughness

W, STRIP = 96, 24


def land() -> torch.Tensor:
    """A sky over a meadow, each row one colour: (1, 3, H, W)."""
    return torch.linspace(0.8, 0.3, SMALL.height).view(1, 1, -1, 1).expand(1, 3, -1, W).clone()


def test_calm_land_is_no_news_and_what_comes_in_is():
    calm, coming, standing = land(), land(), land()
    coming[:, :, 8:16, -3:] = 0.05
    standing[:, :, 8:16, -60:-40] = 0.05  # has passed the edge long ago
    assert news(calm, STRIP).max() < 1e-3 and news(standing, STRIP).max() < 1e-3
    told = news(coming, STRIP)[0] > 0.015
    assert told[2:4].all() and not told[6:].any()


def test_a_thing_that_goes_on_is_news_until_it_ends():
    """A wall that copies of its last pixel would go on with: it is to be told, for untold it would never end."""
    wall = land()
    wall[:, :, 8:16, -10:] = 0.05
    assert (news(wall, STRIP)[0, 2:4] > 0.015).all()


def test_untold_a_wall_ends_and_told_it_goes_on():
    wall = land()
    wall[:, :, 8:16, -10:-4] = 0.05
    edge, medians = wall[..., -STRIP:], transport.usual(wall, STRIP)
    entered = (torch.arange(STRIP) >= STRIP - 4).expand(1, 1, SMALL.height, -1)
    proposals = transport.go_on(edge, entered, medians)
    going_on = edge.clone()
    going_on[:, :, 8:16, -4:] = 0.05
    on = 0
    best = {}
    for told in (0, 1):
        told_rows = torch.full((1, SMALL.rows), told)
        unlike = unlike_each(proposals, going_on, medians, told_rows)[0, :, 11, -2]
        best[told] = int(unlike.argmin())
    assert best[1] in (on, proposals.shape[1] - 1) and best[0] != on


def test_only_what_is_told_is_painted():
    edge, medians = land()[..., -STRIP:], transport.usual(land(), STRIP)
    entered = (torch.arange(STRIP) >= STRIP - 4).expand(1, 1, SMALL.height, -1)
    eager = torch.zeros(1, 1 + transport.PROPOSALS, SMALL.height, STRIP)
    eager[:, 0] = 9.0  # would paint everywhere
    told = torch.zeros(1, SMALL.rows)
    told[:, 2] = 1
    strip, proposals, _ = worlds.fill(edge, entered, medians, torch.ones_like(edge), eager, 0.0, told)
    assert proposals.shape[1] == 1 + transport.PROPOSALS
    painted = (strip == 1).all(1)[0, :, -4:].all(1)
    assert painted[8:12].all() and painted.sum() == 4


def test_leftovers_are_of_what_stood_there_and_reach_the_edge():
    rough, picture = Roughness(seed=3), land().expand(48, -1, -1, -1).clone()
    picture[:, :, 4:20, -30:-24] = 0.05  # a tower
    off = rough.leftovers(picture)
    spoilt = picture + off
    smeared = (spoilt[:, :, 4:20, -10:] - 0.05).abs().amax(1) < 1e-6
    assert smeared.any() and 0 < (off.abs().amax((1, 2, 3)) > 0).sum() < 40


def test_gaps_are_at_the_edge_and_of_all_widths():
    wide = Roughness(seed=1).bands(torch.zeros(200, 1, 4, STRIP)).sum(3)[:, 0, 0]
    assert set(wide.tolist()) == set(range(1, WIDEST + 1))


def test_a_whole_sky_has_a_tone_and_a_line_has_none():
    true = torch.linspace(0.8, 0.3, 40).view(1, 1, -1, 1).expand(1, 3, -1, 96).clone()
    off = 0.05 * torch.linspace(1, -1, 40).view(1, 1, -1, 1)
    world = true + off
    world[..., 24, :] += 0.3  # a line that should end
    world[:, :, 4:12, -18:-14] = 0.0  # a tower
    found = tone(world, true, 24)
    assert found.shape == (1, 3, 40, 1)
    assert torch.allclose(found[:, :, 7:17], off[:, :, 7:17].expand(-1, 3, -1, -1), atol=1e-3)
    assert (found[:, :, 24] - off[:, :, 24]).abs().max() < 0.03
    assert tone(true + 0.5, true, 24).max() <= OFF_TONE  # such a picture is wrong, not of another tone
