"""vj bench: its parts run and say what they measured. How fast is nobody's business here."""

from vj import bench
from vj.model import device
from vj.train import judge


def test_the_generators_cost_is_told(monkeypatch, capsys):
    monkeypatch.setattr(judge, "COSTED", 2)
    monkeypatch.setattr(device, "measure", lambda _: {"float32": 1.0})
    bench.generator(0)
    said = capsys.readouterr().out
    assert all(word in said for word in ("160x96", "cost.frame", "cost.share", "peak.float32"))
