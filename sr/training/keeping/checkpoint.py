"""Checkpoints: everything a run needs to go on as if it had never stopped."""

import io
import pickle
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import torch

from sr.devices import out_of_memory
from sr.files import write_atomically
from sr.pickles import unpickled
from sr.printable import first_line, printable
from sr.types import UserError

FORMAT = "sr-checkpoint/1"


def random_states() -> dict[str, Any]:
    """States of torch's, NumPy's and Python's global generators, as tensors and plain values."""
    kind, keys, position, has_gauss, cached = np.random.get_state()  # noqa: NPY002 (the global one is what libraries use)
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "numpy": [kind, torch.from_numpy(np.asarray(keys, dtype=np.int64)), position, has_gauss, cached],
        "python": random.getstate(),
    }


def set_random_states(states: dict[str, Any]) -> None:
    """Take back what `random_states` gave."""
    torch.set_rng_state(states["torch"].cpu())
    if torch.cuda.is_available() and len(states["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all([state.cpu() for state in states["cuda"]])
    kind, keys, position, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    version, internal, gauss = states["python"]
    random.setstate((version, tuple(internal), gauss))


def write_checkpoint(path: Path, state: dict[str, Any], kind: str = FORMAT) -> None:
    """Write atomically: a reader, or a full disk, meets either the old file or the new one.

    Args:
        path: the checkpoint.
        state: tensors and plain values.
        kind: of file, and its version.

    Raises:
        UserError: the file cannot be written; the old one is kept.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, lambda file: _save({"format": kind, **state}, file))


def _save(state: dict[str, Any], file: BinaryIO) -> None:
    """Tensor after tensor, so that the state does not lie in memory twice.

    Raises:
        OSError: of the file; PyTorch raises others in its place.
    """
    told: list[OSError] = []

    class Told(io.RawIOBase):
        def write(self, data: Any) -> int:
            try:
                return file.write(data)
            except OSError as error:
                told.append(error)
                raise

    try:
        torch.save(state, cast(BinaryIO, Told()))
    except (OSError, RuntimeError) as error:
        raise (told[0] if told else error) from error


def read_checkpoint(path: Path, kind: str = FORMAT) -> dict[str, Any]:
    """Read a checkpoint, or another file of this kind, without running any code in it.

    Raises:
        UserError: the file is missing, damaged, or no checkpoint of ours.
    """
    if not path.is_file():
        raise UserError(f"there is no checkpoint {path}; resume=DIR needs a run folder that has one")
    try:
        with warnings.catch_warnings():  # of pickles by others, which are refused below
            warnings.filterwarnings("ignore", "Detected pickle protocol")
            state: Any = unpickled(path)
    except Exception as error:  # torch raises many kinds for damaged files, RuntimeError to UnpicklingError
        if kind != FORMAT:
            raise UserError(f"{printable(path)} is truncated or damaged; take another file") from error
        # What PyTorch says of objects is how to load them all the same.
        why = "it holds other objects" if isinstance(error, pickle.UnpicklingError) else first_line(error)
        raise UserError(
            f"{printable(path)} is truncated or damaged and cannot be read ({why}); the network itself is in "
            "last.safetensors of the run folder"
        ) from error
    if not isinstance(state, dict) or state.get("format") != kind:
        what = "a checkpoint" if kind == FORMAT else "a file of this kind"
        raise UserError(f"{path} is not {what} of this program (expected format {kind})")
    return state


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """What a file holds is put into place here; whoever wrote it, nonsense in it ends in a sentence.

    Args:
        path: the file, for the message.

    Raises:
        UserError: a part is missing, of another kind or of another shape.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        raise UserError(
            f"{printable(path)} holds what no run of this version has written ({type(error).__name__}: "
            f"{first_line(error)}); take another file"
        ) from error
