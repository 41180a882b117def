"""The ear's small recurrent network, run in plain numpy one hop at a time: how likely is a beat, a downbeat, a drum, now?

Two gated recurrent layers (GRU; Cho et al. 2014) after one linear layer, taught by vj/train/ear. Weights are read from a
safetensors file; there is no torch here, and nothing in the file can carry code. The same hops give the same values.
"""

import json
import logging
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from vj.audio.hindsight import SIZE as SHOWN_AGAIN
from vj.audio.senses import SIZE
from vj.audio.strokes import SIZE as SHOWN
from vj.errors import WeightsError

ARCHITECTURE = "ear-gru-1"
OUTPUTS = ("beat", "downbeat", "KD", "SD", "HH", "pulse")
LOOKS = ("drums.", "hindsight.")  # how the names of what looks again at the drums begin
TEMPO_EVERY = 10  # hops between two looks at the tempo
LARGEST = 2**24  # bytes; a larger file is not ours

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EarWeights:
    """What a weights file holds, checked: tensors by name (float32, finite, of the right shapes) and the card."""

    tensors: dict[str, np.ndarray]
    card: dict

    @property
    def drums(self) -> dict[str, np.ndarray] | None:
        """What Strokes takes; None where the file has none."""
        return self.part("drums.")

    @property
    def hindsight(self) -> dict[str, np.ndarray] | None:
        """What Hindsight.judge takes; None where the file has none."""
        return self.part("hindsight.")

    def part(self, prefix: str) -> dict[str, np.ndarray] | None:
        """The tensors whose names begin so, without it; None where there are none."""
        return {name[len(prefix) :]: t for name, t in self.tensors.items() if name.startswith(prefix)} or None

    @property
    def network(self) -> dict[str, np.ndarray]:
        """What the network itself is made of."""
        return {name: t for name, t in self.tensors.items() if not name.startswith(LOOKS)}


def shipped() -> Path:
    """models/ear.safetensors beside the package, or within it when installed."""
    package = Path(__file__).resolve().parent.parent
    beside = package.parent / "models"
    return (beside if (package.parent / "pyproject.toml").is_file() else package / "_models") / "ear.safetensors"


def read(path: str | Path) -> EarWeights:
    """Raises WeightsError where the file is missing, damaged, not ours, or holds what is not finite."""
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise WeightsError(f"{path} is not a weights file of the ear; give the ear.safetensors of this program.")
        data = path.read_bytes()
        tensors = {name: np.asarray(t, np.float32) for name, t in safetensors.numpy.load(data).items()}
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        card = json.loads(header["__metadata__"]["card"])
    except OSError as problem:
        raise WeightsError(f"Cannot read the ear's weights {path}: {problem.strerror}. Install the program again.") from problem
    except (SafetensorError, ValueError, KeyError, TypeError) as problem:
        raise WeightsError(f"{path} is no weights file of the ear ({problem}); install the program again.") from problem
    front = tensors.get("front.weight", np.zeros((0, 0)))
    state = tensors.get("one.weight_hh_l0", np.zeros((0, 0))).shape[-1]
    shapes = {"mean": (SIZE,), "spread": (SIZE,), "front.weight": (len(front), SIZE), "front.bias": (len(front),)}
    for layer, width in (("one", len(front)), ("two", state)):
        shapes |= {f"{layer}.weight_ih_l0": (3 * state, width), f"{layer}.weight_hh_l0": (3 * state, state),
                   f"{layer}.bias_ih_l0": (3 * state,), f"{layer}.bias_hh_l0": (3 * state,)}  # fmt: skip
    shapes |= {"out.weight": (len(OUTPUTS), 2 * state), "out.bias": (len(OUTPUTS),)}
    tempi = len(tensors.get("tempo.bias", ()))
    shapes |= {"tempo.weight": (tempi, 2 * state), "tempo.bias": (tempi,)}
    for look, size in zip(LOOKS, (SHOWN, SHOWN_AGAIN), strict=True):
        hidden = len(tensors.get(f"{look}one.bias", ()))
        if hidden:  # it is there or not
            shapes |= {f"{look}one.weight": (hidden, size), f"{look}one.bias": (hidden,), f"{look}two.weight": (3, hidden)}
            shapes |= {f"{look}two.bias": (3,), f"{look}mean": (size,), f"{look}spread": (size,)}
    fits = card.get("architecture") == ARCHITECTURE and state > 0 and tempi > 0
    if not fits or any(tensors.get(name, np.zeros(0)).shape != shape for name, shape in shapes.items()):
        raise WeightsError(f"{path} holds weights of another network; install the program again.")
    if not all(np.isfinite(t).all() for t in tensors.values()):
        raise WeightsError(f"{path} holds numbers that are not finite; install the program again.")
    return EarWeights(tensors, card)


def read_shipped() -> EarWeights | None:
    """The weights that came with the program; None, with a line in the log, where they cannot be had."""
    try:
        return read(shipped())
    except WeightsError as problem:
        log.warning("the ear hears without its network: %s", problem)
        return None


class Network:
    """step() once a hop. Small state, no allocation that grows."""

    def __init__(self, weights: EarWeights) -> None:
        t = weights.tensors
        scaled = t["front.weight"] / t["spread"]
        self._front = np.asfortranarray(scaled)
        self._front_bias = t["front.bias"] - scaled @ t["mean"]
        width, state = len(self._front), t["one.weight_hh_l0"].shape[1]
        # All that layers are shown lies in one array, end to end: the front's values, 1 for biases, both states, 1.
        self._front_out, self._both = (shown := np.zeros(width + 2 * state + 2, np.float32))[:width], shown[width + 1 : -1]
        shown[[width, -1]] = 1
        self._one = _Layer(t, "one", shown[: width + 1 + state], width, width + 1)
        self._two = _Layer(t, "two", shown[width + 1 :], 2 * state, state)
        self._out, self._out_bias = t["out.weight"], t["out.bias"]
        self._tempo, self._tempo_bias = t["tempo.weight"], t["tempo.bias"]
        slowest, ratio = float(weights.card["slowest"]), float(weights.card["ratio"])
        self.tempi = slowest * ratio ** np.arange(len(self._tempo_bias))  # beats a minute of the tempo classes
        self.belief = np.full(len(self.tempi), 1 / len(self.tempi), np.float32)  # how likely each is, of the last look
        self._hops = 0

    def step(self, seen: np.ndarray) -> list[float]:
        """seen: float32 (SIZE,), see Senses -> chances 0..1 in the order of OUTPUTS. Every TEMPO_EVERY hops, .belief anew."""
        x, both = self._front_out, self._both
        self._front.dot(seen, x)
        x += self._front_bias
        np.maximum(x, 0, out=x)
        self._one.step()
        self._two.step()
        self._hops += 1
        if self._hops % TEMPO_EVERY == 0:
            z = self._tempo @ both + self._tempo_bias
            z = np.exp(z - z.max())
            self.belief = z / z.sum()
        return [1 / (1 + math.exp(-min(max(z, -30.0), 30.0))) for z in (self._out.dot(both) + self._out_bias).tolist()]


class _Layer:
    """A gated recurrent layer, all products taken at once. Sigmoids are hyperbolic tangents of half, which lies in the weights.

    shown: what it sees, its own state within: what comes in at 0.., 1 at `one`, the state at `own`..
    """

    def __init__(self, t: dict[str, np.ndarray], name: str, shown: np.ndarray, one: int, own: int) -> None:
        n = t[f"{name}.weight_hh_l0"].shape[1]
        come, again = t[f"{name}.weight_ih_l0"], t[f"{name}.weight_hh_l0"]
        width = come.shape[1]
        matrix = np.zeros((4 * n, len(shown)), np.float32)  # rows: reset, keep, what comes in of the new, what was
        matrix[: 3 * n, :width] = come
        matrix[: 2 * n, own : own + n], matrix[3 * n :, own : own + n] = again[: 2 * n], again[2 * n :]
        bias, bias_again = t[f"{name}.bias_ih_l0"], t[f"{name}.bias_hh_l0"]
        matrix[:, one] = np.concatenate([bias[: 2 * n] + bias_again[: 2 * n], bias[2 * n :], bias_again[2 * n :]])
        matrix[: 2 * n] *= 0.5
        self._matrix = np.asfortranarray(matrix)
        self._shown, self._sums = shown, (sums := np.zeros(4 * n, np.float32))
        self._gates, (self._reset, self._keep, self._come, self._was) = sums[: 2 * n], sums.reshape(4, n)
        self._state = shown[own : own + n]

    def step(self) -> None:
        """One hop on: the state anew from what is shown."""
        self._matrix.dot(self._shown, self._sums)
        gates, new, state = self._gates, self._was, self._state
        np.tanh(gates, out=gates)
        gates *= 0.5
        gates += 0.5
        new *= self._reset
        new += self._come
        np.tanh(new, out=new)
        state -= new
        state *= self._keep
        state += new  # (1 - z) new + z state
