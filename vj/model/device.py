"""The one place that knows cuda, mps and cpu: which there is, what it is called, how fast it is."""

import platform
import time

import torch

from vj.errors import VJError

NAMES = ("cuda", "mps", "cpu")


def pick(name: str = "auto") -> str:
    """The device to run on: the best there is, or the named one. VJError if that is not here."""
    here = available()
    if name == "auto":
        return here[0]
    if name not in here:
        raise VJError(f"There is no compute device '{name}' here; there is {', '.join(here)}.")
    return name


def available() -> list[str]:
    """Best first; cpu is always there."""
    found = ["cuda"] if torch.cuda.is_available() else []
    return [*found, *(["mps"] if torch.backends.mps.is_available() else []), "cpu"]


def native_bf16(device: str) -> bool:
    """Whether bfloat16 is multiplied natively there (else it is slower than float32)."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    return device == "cpu" and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def describe(device: str | None = None) -> str:
    """For people: 'cpu (AMD EPYC, AVX512, bfloat16)'."""
    device = device or pick()
    if device == "cuda":
        return f"cuda ({torch.cuda.get_device_name()})"
    if device == "mps":
        return f"mps ({platform.processor() or 'Apple'})"
    marks = [platform.machine(), torch.backends.cpu.get_cpu_capability(), *(["bfloat16"] if native_bf16("cpu") else [])]
    return f"cpu ({', '.join(marks)})"


def peak(device: str, half: bool, size: int = 1024, seconds: float = 0.3) -> float:
    """GFLOP/s of a matrix product of `size` on one thread of this device, the best of many: its peak as measured."""
    a = torch.randn(size, size, device=device).to(torch.bfloat16 if half else torch.float32)
    best, begun = float("inf"), time.perf_counter()
    with torch.inference_mode():
        while time.perf_counter() - begun < seconds:
            at = time.perf_counter()
            product = a @ a
            if device != "cpu":
                product.sum().item()
            best = min(best, time.perf_counter() - at)
    return 2 * size**3 / best / 1e9


def measure(device: str) -> dict[str, float]:
    """GFLOP/s of matrix products in float32 and bfloat16."""
    return {"float32": peak(device, False), "bfloat16": peak(device, True)}
