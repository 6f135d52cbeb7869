"""Weights of other programs: .pth, .pt, .ckpt, .bin and .safetensors, read without running anything in them."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sr.models.files import read_tensors
from sr.models.fitting import few_names
from sr.pickles import PICKLED, HostileError, unpickled
from sr.printable import first_line, printable
from sr.types import UserError

_INSIDE = ("params_ema", "params-ema", "params", "model_state_dict", "state_dict", "model", "net", "generator", "g")
"""Under what programs keep the weights, the average first."""
_PREFIXES = ("module.", "_orig_mod.", "netG.", "net_g.", "generator.")
_DEEPEST = 3  # mappings within mappings
_DENSEST = 4  # times that a zip archive may grow: PyTorch does not compress, others may, and weights hardly shrink
_REAL = ("weight", "bias")  # counters and places, which are whole numbers, are called otherwise
_HEAD = 2  # bytes that begin every pickle since protocol 2
_MAGIC = bytes.fromhex("6cfc9c46f920")  # of PyTorch's format before archives
_SLACK = 1 << 20  # bytes by which a file may hold more than it is large: weights that share memory


def read_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a file of any program by name, without what wrappers put before every name, on the CPU.

    Args:
        path: a safetensors file, or one of PyTorch's.

    Raises:
        UserError: see `named_weights`.
    """
    return without_prefix(named_weights(path))


def named_weights(path: Path) -> dict[str, Tensor]:
    """The weights of a file of any program by the names that they have there, on the CPU.

    Args:
        path: a safetensors file, or one of PyTorch's.

    Raises:
        UserError: there is none, it is damaged, holds no weights, code, or tensors larger than the file.
    """
    if not path.is_file():
        raise UserError(f"{printable(path)} does not exist or is not a file; give a .safetensors or .pth file.")
    content = _unpickled(path) if path.suffix.lower() in PICKLED else read_tensors(path)
    tensors = _named(content)
    if not tensors:
        raise UserError(f"{printable(path)} holds no weights by name, but {_instead(content)}.")
    _check_plain(path, tensors)
    return tensors


def _instead(content: object) -> str:
    if isinstance(content, Mapping) and content:
        return f"a table of {few_names(map(str, content))}; take the part with the weights out of it"
    return f"a {type(content).__name__}"


def _unpickled(path: Path) -> Any:
    shown = printable(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of tensors that `_check_plain` refuses
            return unpickled(path, _DENSEST)
    except HostileError as error:
        raise UserError(f"{shown} is not opened: {error}; take another file, best a .safetensors.") from error
    except Exception as error:  # of many kinds, for damaged files
        raise UserError(f"{shown} {_reason(error, _is_pickle(path))}") from error


def _is_pickle(path: Path) -> bool:
    """Whether it is a pickle that was never PyTorch's: those begin with its magic number, or are archives."""
    with path.open("rb") as file:
        head = file.read(16)
    return len(head) > _HEAD and head[:1] == b"\x80" and _MAGIC not in head


def _reason(error: Exception, pickled: bool) -> str:
    text = str(error)
    if "TorchScript" in text:
        return "is a TorchScript archive, a program rather than weights, and is not opened; give its weights instead."
    if "GLOBAL" in text or "Trying to " in text or pickled:
        named = next((word for word in text.replace(",", " ").split() if _names_code(word)), "")
        what = f" ({printable(named)[:80]})" if named else ""
        return (
            f"holds more than weights{what}: opening that could run a stranger's code, so it is refused and nothing "
            "in it was run; ask its author for the weights alone, as safetensors."
        )
    return f"is damaged or no file of weights ({printable(first_line(error))[:200]}); copy or download it again."


def _names_code(word: str) -> bool:
    parts = word.strip(".`'\"").split(".")
    return len(parts) > 1 and all(part.isidentifier() for part in parts) and parts[0] != "torch"


def _named(content: Any, depth: int = 0) -> dict[str, Tensor]:
    """The tensors by name, inside whatever mappings a program has put them."""
    if not isinstance(content, Mapping) or depth > _DEEPEST:
        return {}
    inner = next((content[key] for key in _INSIDE if isinstance(content.get(key), Mapping)), None)
    if inner is None and len(content) == 1 and isinstance(next(iter(content.values())), Mapping):
        inner = next(iter(content.values()))
    found = _named(inner, depth + 1) if inner is not None else {}
    return found or {str(key): value for key, value in content.items() if isinstance(value, Tensor)}


def _check_plain(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Views of a few numbers can claim to be any size, and sparse and absent ones hold nothing.

    PyTorch would copy complex, true and whole numbers into real weights without a word.

    Raises:
        UserError: the tensors are larger than their file, or of such kinds.
    """
    for name, tensor in tensors.items():
        real = tensor.is_floating_point() or not (tensor.is_complex() or name.endswith(_REAL))
        if tensor.layout is not torch.strided or tensor.device.type != "cpu" or tensor.is_quantized or not real:
            raise UserError(
                f"{printable(path)}: {printable(name)[:80]} is no plain tensor ({tensor.layout}, {tensor.device}, "
                f"{tensor.dtype}); save the weights as plain float tensors."
            )
    held, size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()), path.stat().st_size
    if held > _DENSEST * size + _SLACK:
        raise UserError(
            f"{printable(path)} has {size:,} bytes, and its tensors claim {held:,}: it is damaged or made to fill the "
            "memory, and is not loaded."
        )


def with_counters(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """With the counters of batch normalisation, which files of old versions of PyTorch lack and only training reads.

    Args:
        tensors: by name.
    """
    norms = [name.removesuffix("running_mean") for name in tensors if name.endswith(".running_mean")]
    return {**{f"{norm}num_batches_tracked": torch.zeros((), dtype=torch.long) for norm in norms}, **tensors}


def without_prefix(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without what wrappers put before every name, in any order and more than once."""
    common, cut = os.path.commonprefix(list(tensors)), 0  # noqa: RUF071 - characters are meant
    while found := next((prefix for prefix in _PREFIXES if common.startswith(prefix, cut)), None):
        cut += len(found)
    return {name[cut:]: tensor for name, tensor in tensors.items()}
