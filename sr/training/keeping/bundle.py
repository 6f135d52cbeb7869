"""A bug bundle: the last good state and the batches from there to an explosion, to see it again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from sr.data.crops import Batch
from sr.printable import printable
from sr.training.keeping.checkpoint import read_checkpoint, understood, write_checkpoint
from sr.types import UserError

FORMAT = "sr-bundle/1"


@dataclass(frozen=True)
class Bundle:
    """What an explosion leaves.

    Attributes:
        config: the run's whole configuration as plain values; its seed is among them.
        trained: the last good state, see `sr.training.keeping.state`.
        random: states of the random generators then.
        batches: every batch from there to the explosion, the last one included.
        update: the update that exploded.
        trouble: what was wrong.
    """

    config: Any
    trained: dict[str, Any]
    random: dict[str, Any]
    batches: list[Batch]
    update: int
    trouble: str


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write it atomically.

    Raises:
        UserError: the file cannot be written.
    """
    batches = [batch._asdict() for batch in bundle.batches]
    write_checkpoint(path, {**vars(bundle), "batches": batches}, FORMAT)


def read_bundle(path: Path) -> Bundle:
    """Read a bundle without running any code in it.

    Raises:
        UserError: the file is missing, damaged, or no bundle.
    """
    if path.is_dir():
        inside = sorted(path.rglob("*.bug"))
        example = f", for instance {inside[0]}" if inside else "; this one has none"
        raise UserError(f"{path} is a folder; name a .bug file of a run's folder bugs/{example}")
    if not path.is_file():
        raise UserError(f"{path} does not exist; a run that exploded leaves .bug files in its folder bugs/")
    state = read_checkpoint(path, FORMAT)
    with understood(path):
        batches = [_checked(Batch(**batch)) for batch in state["batches"]]
        update, trouble = int(state["update"]), printable(state["trouble"])
        return Bundle(state["config"], state["trained"], state["random"], batches, update, trouble)


def _checked(batch: Batch) -> Batch:
    """The batch.

    Raises:
        ValueError: it is not of crops.
    """
    pictures = [one for one in (batch.lr, batch.hr, batch.real) if one is not None]
    # uint8 as stores hold them, or floating-point numbers of a training module that makes its own.
    numbers = all(one.dtype == torch.uint8 or one.is_floating_point() for one in pictures)
    fits = numbers and all(one.ndim == 4 and one.shape[1] == 3 for one in pictures)
    if batch.reference is not None:
        fits = fits and batch.reference.dtype == torch.uint8 and batch.reference.ndim == 4
        pictures.append(batch.reference)
    if not fits or batch.samples.dtype != torch.int64 or any(len(one) != len(batch.samples) for one in pictures):
        raise ValueError("a batch is not of crops")
    return batch
