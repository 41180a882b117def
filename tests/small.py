"""A small network on small rendered footage, for the tests of model and train."""

import numpy as np
import torch

from vj.model.net import ModelConfig
from vj.train import adversary
from vj.train.dataset import Usual
from vj.train.footage import Footage, FootageCard
from vj.train.learn import Learner, start

SMALL = ModelConfig(
    height=32, width=64, classes=4, widths=(8, 8, 8), strip=16, painter=8, prior=16, glance=8, over_rows=16, look=24, seeds=3
)
MOTIONS = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]


def footage(count: int = 120, height: int = 32, width: int = 64) -> Footage:
    """Two layers of random blocks, the upper at 1 px a frame, the lower at 3."""
    rng = np.random.default_rng(0)
    frames = np.zeros((count, height, width, 3), np.uint8)
    for rows, speed in ((slice(0, height // 2), 1), (slice(height // 2, height), 3)):
        wall = np.repeat(rng.integers(40, 220, (1, (count * speed + width) // 8 + 2, 3)), 8, 1)
        for t in range(count):
            frames[t, rows] = wall[:, t * speed : t * speed + width]
    controls = np.zeros((count, 6), np.float32)
    controls[:, 0] = 1
    controls[:, 3] = rng.random(count)
    usual = {"brightness_mean": 0.5, "brightness_spread": 0.05, "warmth_mean": 0.0, "warmth_spread": 0.05}
    controls[:, 4:] = Usual(*usual.values()).measure(torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255)
    card = FootageCard(height, width, 24.0, count, [{"name": "blocks", "start": 0, "stop": count}], [], usual, MOTIONS)
    return Footage(card, frames, controls)


def noted(frames: np.ndarray):
    """Frames as footage has them, and what was asked of them."""
    asked = []

    class Frames:
        shape = frames.shape

        def __getitem__(self, at):
            asked.append(at)
            return frames[at]

    return Frames(), asked


def weights():
    """Card and tensors after three steps."""
    torch.set_num_threads(1)
    learner = Learner(footage(), start(footage(), config=SMALL))
    learner.run(3)
    return learner.publishable()


def hasten(monkeypatch, learner: type, longest: int) -> None:
    """Few dreams of that many frames at most, for an adversary's learner, and a critic that is asked at once."""
    for name, value in {"DREAMS": 2, "ALONE": 1, "LOOKS": 1, "LONGEST": longest}.items():
        monkeypatch.setattr(adversary, name, value)
    for name, value in {"green": 4, "pairs": 4}.items():
        monkeypatch.setattr(learner, name, value)


def lesson(mine: adversary.Adversary) -> torch.Tensor:
    """The next lesson that it gives."""
    for _ in range(20):
        parts = mine.grade((mine._last_layer**2).sum())
        if parts:
            return parts["adversary"]
    raise AssertionError("it gave none")


def watched(monkeypatch, mine: adversary.Adversary, times: int) -> tuple[set[int], list[int]]:
    """Asked so many times, which frames it has looked at, and how old its dreams were then."""
    looked, ages, frames = set(), [], mine._frames
    monkeypatch.setattr(mine, "_frames", lambda at: looked.update(at.tolist()) or frames(at))
    for _ in range(times):
        mine.grade((mine._last_layer**2).sum())
        ages.append(mine._age)
    return looked, ages


def bright(shown: torch.Tensor, _pace, _told) -> torch.Tensor:
    """A critic that likes light."""
    return 20 * (torch.nn.functional.avg_pool2d(shown.mean(1, keepdim=True), 4)[:, 0] - 0.5)


def learnt_in_whole(learner: Learner, part: str, looks: float, drawn: float, made: float, keeps: tuple) -> dict:
    """What is published once `part`, sprites or land, has learnt to draw, to the share `drawn` of its first error, and from share
    `looks` of the way on to make, to `made` of it. All else stays as it was, and then so does what starts with `keeps`."""
    trainer, mine = learner.trainer, learner.trainer._only
    before = {name: value.clone() for name, value in trainer.net.state_dict().items()}

    def graded(name: str) -> float:
        return float(torch.stack([mine.grade(trainer.share)[name].detach() for _ in range(12)]).mean())

    early = graded(part)
    learner.run(30)
    assert graded(part) < drawn * early
    assert trainer.losses.keys() == {part}
    known = getattr(trainer.net, part)
    kept = {name: value.clone() for name, value in known.state_dict().items() if name.startswith(keeps)}
    trainer.share = looks
    early = graded("velocity")
    learner.run(30)
    assert graded("velocity") < made * early
    assert all(torch.equal(value, known.state_dict()[name]) for name, value in kept.items())
    now = trainer.net.state_dict()
    assert {name.split(".")[0] for name, value in now.items() if not torch.equal(value, before[name])} == {part}
    _, tensors = learner.publishable()
    name = f"{part}.encoder.scale.running_mean"
    assert torch.equal(tensors[name], now[name])
    return tensors
