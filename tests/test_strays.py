"""False tells are few, small and soon over, and are what is told elsewhere; slips are drawn, by the share that is asked."""

import torch
from small import SMALL

from vj.model import world as worlds
from vj.model.net import CODE_DIMS, DIGITS
from vj.train.roughness import Roughness
from vj.train.strays import LASTS, SLIPS, WHETHER, Strays, slipped
from vj.train.trainer import fresh

WORLDS, ROWS, FRAMES = 4, 12, 400


def test_strays_are_few_small_and_short():
    strays = Strays(Roughness(seed=1), WORLDS)
    code = torch.zeros(WORLDS, CODE_DIMS, ROWS)
    code[2, :, 5] = torch.linspace(-1, 1, CODE_DIMS)
    false = torch.stack([(strays.among(code) != code).any(1) for _ in range(FRAMES)])  # (frames, worlds, rows)
    share = float(false.any(2).float().mean())
    assert 0.05 < share < 0.25
    assert int(false.sum(2).max()) <= 2
    assert int(false[:, 0].any(1).sum()) and LASTS < 10
    longest = run = 0
    for there in false[:, 0, :].any(1).tolist():
        run = run + 1 if there else 0
        longest = max(longest, run)
    assert longest <= 2 * LASTS  # one may follow another


def test_what_is_false_is_told_elsewhere_and_code_is_left_alone():
    strays = Strays(Roughness(seed=2), WORLDS)
    code = torch.zeros(WORLDS, CODE_DIMS, ROWS)
    code[1, :, 3] = 0.5
    seen = torch.stack([strays.among(code) for _ in range(FRAMES)])
    assert float(code.sum()) == 0.5 * CODE_DIMS
    assert set(seen.unique().tolist()) == {0.0, 0.5}
    assert torch.equal(Strays(Roughness(seed=2), WORLDS).among(torch.zeros_like(code)), torch.zeros_like(code))


def test_slips_are_drawn_for_a_share_of_the_cells():
    """Half of the cells are told one code, which the dice would hardly draw, half nothing."""
    many = 200
    net = fresh(SMALL, torch.zeros(SMALL.classes, 2)).eval()
    torch.nn.init.zeros_(net.prior.tell.weight)
    torch.nn.init.constant_(net.prior.tell.bias, -1.0)  # the dice would tell 27 % of the cells
    frame, controls = torch.rand(many, 3, SMALL.height, SMALL.width), torch.zeros(many, 6)
    code = torch.zeros(many, CODE_DIMS, SMALL.rows)
    code[:, :, ::2] = 1.0
    share = torch.arange(many) / (many - 1.0)
    with torch.inference_mode():
        state = worlds.begin(net, (frame,), torch.ones(many))
        out = slipped(net, Roughness(seed=3), state, code, controls, share)
        assert torch.equal(out[0], code[0])
        assert torch.equal(slipped(net, Roughness(), state, code, controls, 0 * share), code)
    told, before = out[:, :DIGITS].any(1), code[:, :DIGITS].any(1)
    whether = SLIPS * WHETHER * 0.5  # the mean share of which it is drawn whether they are told
    assert abs(float((~told)[before].float().mean()) - whether * 0.73) < 0.03
    assert abs(float(told[~before].float().mean()) - whether * 0.27) < 0.02
    other = (out != code)[:, :DIGITS].any(1) & before & told
    slips = SLIPS / 2 - WHETHER * 0.73 * SLIPS**2 / 3  # where it is drawn what is told, and still told
    assert abs(float(other.float().sum() / before.sum()) - slips) < 0.03
    assert set(out.unique().tolist()) <= {-1.0, -0.5, 0.0, 0.5, 1.0}
