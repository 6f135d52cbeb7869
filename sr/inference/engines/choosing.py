"""Which program computes a network."""

from collections.abc import Callable
from importlib.util import find_spec
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from sr.errors import UserError
from sr.inference.engines.engine import Engine, Kind, Precision
from sr.inference.engines.onnx import OnnxRuntimeEngine, OpenVinoEngine
from sr.inference.engines.torch import TorchEngine
from sr.models.outputs import picture_of
from sr.printable import first_line

_WORTH = 0.9
"""Of PyTorch's time that another program may take: less of a gain is chance, and each has digits of its own."""

_ROUNDS = 2

_ALIKE, _ALIKE_HALF = 1 / 255, 4 / 255
"""How far a rival's picture may be from PyTorch's, in float32 and in half precision, where both round."""

_PROBE = 64  # side of the window whose operations are counted


def choose_engine(
    network: nn.Module,
    kind: Kind,
    device: torch.device,
    precision: Precision = "32",
    trial: Tensor | None = None,
    *,
    workers: int = 1,
    compile: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Engine:
    """Make a network ready to compute.

    Args:
        network: a generator.
        kind: the program; "auto" takes the fastest that is installed, by a short trial.
        device: where; other programs than PyTorch know the processor only.
        precision: number format, not "auto".
        trial: (1, 3, h, w) window on which rivals are timed; None: PyTorch without a trial.
        workers: calls at once.
        compile: ``torch.compile``, which only PyTorch has.
        say: told what was measured.

    Raises:
        UserError: the program is not installed, or does not do what is asked.
    """
    if kind in ("onnxruntime", "openvino"):
        if device.type != "cpu":
            raise UserError(f"engine={kind} runs on the processor here, not on {device}; leave it out")
        return _made(kind, network, precision, workers)
    own = TorchEngine(network, device, precision, compile)
    if kind == "torch" or trial is None or device.type != "cpu" or compile:
        return own
    return _fastest(own, network, precision, trial, workers, say)


def _made(kind: Kind, network: nn.Module, precision: Precision, workers: int) -> Engine:
    if kind == "openvino":
        return OpenVinoEngine(network, precision, workers)
    if precision != "32":
        raise UserError(f"engine=onnxruntime computes in float32, not {precision}; take precision=32 or engine=torch")
    return OnnxRuntimeEngine(network)


def _fastest(
    own: TorchEngine,
    network: nn.Module,
    precision: Precision,
    trial: Tensor,
    workers: int,
    say: Callable[[str], None],
) -> Engine:
    rivals: list[Engine] = [own]
    expected = own(trial)
    installed = find_spec("onnx") is not None and find_spec("onnxscript") is not None
    for kind in ("openvino", *(["onnxruntime"] if precision == "32" else [])):
        if installed and find_spec(kind) is not None:
            try:
                rival = _made(kind, network, precision, workers)  # type: ignore[arg-type]
                far = float((rival(trial) - expected).abs().max())
            except Exception as error:  # of any kind, from another program
                say(f"{kind} is left out: {first_line(error)}")
                continue
            if far <= (_ALIKE if precision == "32" else _ALIKE_HALF):  # not so where it is not a number
                rivals.append(rival)
            else:
                say(f"{kind} is left out: it differs by {255 * far:.2g} of 255 levels from PyTorch")
    if len(rivals) == 1:
        return own
    rates = [trial.shape[-2] * trial.shape[-1] / seconds(engine, trial) for engine in rivals]
    best = max(range(len(rivals)), key=rates.__getitem__)
    chosen = rivals[best] if rates[0] < _WORTH * rates[best] else own
    shown = ", ".join(f"{engine.name} {rate / 1e6:.3g}" for engine, rate in zip(rivals, rates, strict=True))
    say(f"engine: {chosen.name} ({shown} million pixels per second and core)")
    return chosen


def seconds(engine: Engine, window: Tensor) -> float:
    """The shortest of a few calls, after one that does not count."""
    engine(window)
    times = []
    for _ in range(_ROUNDS):
        before = perf_counter()
        engine(window)
        times.append(perf_counter() - before)
    return min(times)


@torch.no_grad()  # in inference mode its counter hides the weights of layers with spectral normalisation
def operations_per_pixel(network: nn.Module) -> float:
    """Multiplications and additions per LR pixel: of convolutions and matrix products, two each."""
    reference = next(network.parameters(), torch.empty(0))
    with FlopCounterMode(display=False) as counter:
        picture_of(network(torch.zeros(1, 3, _PROBE, _PROBE, device=reference.device)))
    return counter.get_total_flops() / _PROBE**2
