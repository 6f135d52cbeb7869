"""Weights alone, for programs that know the network.

chaiNNer and ComfyUI read them by spandrel, which guesses what network they are of by their names and shapes. So
spandrel is asked before such a file is written.
"""

import io
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from sr.errors import UserError
from sr.inference.export.extras import need
from sr.models.rrdb import RrdbNet
from sr.models.scales import scale_of
from sr.printable import first_line

INSTEAD = "--format onnx opens in chaiNNer too, --format ncnn in Upscayl"
KEY = "params"  # BasicSR and Real-ESRGAN look here where there is no params_ema; others unwrap it
PUBLISHED_GROWTH = 32


def safetensors_bytes(network: nn.Module, half: bool = False) -> bytes:
    """The weights by their published names as a safetensors file.

    Args:
        network: a generator.
        half: in float16.

    Raises:
        UserError: programs built on spandrel would not open them, or as another network.
    """
    return safetensors.torch.save(_checked(network, half), {"format": "pt"})


def pth_bytes(network: nn.Module, half: bool = False) -> bytes:
    """The same as plain tensors in PyTorch's own format, where BasicSR looks for them.

    Args:
        network: a generator.
        half: in float16.

    Raises:
        UserError: programs built on spandrel would not open them, or as another network.
    """
    buffer = io.BytesIO()
    torch.save({KEY: _checked(network, half)}, buffer)
    return buffer.getvalue()


def spandrel_applied(path: Path, lr: Tensor) -> Tensor:
    """What programs built on spandrel make of pictures with an exported file; clipped to [0, 1].

    Args:
        path: .safetensors or .pth that was just written.
        lr: (n, 3, h, w) float32 in [0, 1].
    """
    from spandrel import ModelLoader

    return ModelLoader("cpu").load_from_file(path)(lr)


def _checked(network: nn.Module, half: bool) -> dict[str, Tensor]:
    """The weights, after spandrel has been asked what they are."""
    need("spandrel", "spandrel")
    reason = _unsaid(network)
    if reason is not None:
        raise UserError(f"{reason}; {INSTEAD}")
    state = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    name, scale = type(network).__name__, scale_of(network)
    taken = _taken_for(name, state)
    if taken.scale != scale:
        raise UserError(
            f"programs built on spandrel (chaiNNer, ComfyUI) would take this x{scale} {name} for a x{taken.scale} "
            f"{taken.architecture.name}, and say nothing; {INSTEAD}"
        )
    return {key: (t.half() if half and t.is_floating_point() else t).contiguous() for key, t in state.items()}


def _unsaid(network: nn.Module) -> str | None:
    """What a file of weights cannot say of a network of ours, so that others would compute something else."""
    paddings = {layer.padding_mode for layer in network.modules() if isinstance(layer, nn.Conv2d)} - {"zeros"}
    if paddings and type(network).__module__ != "sr.models.spandrel":
        return (
            f"padding={min(paddings)} lies in no weight: programs built on spandrel (chaiNNer, ComfyUI) would see "
            "black beyond the border"
        )
    if isinstance(network, RrdbNet):
        growth = network.get_parameter("body.0.rdb1.conv1.weight").shape[0]
        if growth != PUBLISHED_GROWTH:
            return (
                f"programs built on spandrel assume growth={PUBLISHED_GROWTH} of every RRDBNet, and this has {growth}"
            )
    return None


def _taken_for(name: str, state: dict[str, Tensor]) -> Any:
    """What spandrel takes weights for."""
    from spandrel import MAIN_REGISTRY, UnsupportedModelError

    try:
        return MAIN_REGISTRY.load(dict(state))
    except UnsupportedModelError as error:
        raise UserError(f"programs built on spandrel (chaiNNer, ComfyUI) know no {name}; {INSTEAD}") from error
    except Exception as error:  # of any kind: it looks at shapes of anything
        raise UserError(
            f"programs built on spandrel (chaiNNer, ComfyUI) do not open weights of {name} ({first_line(error)}); "
            f"{INSTEAD}"
        ) from error
