"""Every test has a data folder of its own, and one thread for arithmetic."""

import os

import pytest

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")


@pytest.fixture(autouse=True)
def _own_data(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("VJ_DATA", str(tmp_path_factory.mktemp("data")))
