"""Quality of pictures whose truth nobody has, by the measures of pyiqa (an extra: `uv sync --extra iqa`)."""

import difflib
from typing import Any

import numpy as np
import torch

from sr.errors import UserError
from sr.image.io import as_batch
from sr.printable import first_line, printable


class NoReference:
    """A measure of pictures alone.

    Args:
        name: as pyiqa calls it: ``niqe``, ``musiq``, …
        device: where to compute.

    Attributes:
        version: of pyiqa.

    Raises:
        UserError: pyiqa is missing, has no such measure, needs a truth for it, or cannot load its weights.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        pyiqa = _pyiqa(name)
        known = pyiqa.list_models(metric_mode="NR")
        if name not in known:
            near = difflib.get_close_matches(name, known, 3)
            hint = f"did you mean {' or '.join(near)}?" if near else f"it has {', '.join(known[:12])}, …"
            raise UserError(f"--no-reference {printable(name)}: pyiqa has no such measure of pictures alone; {hint}")
        try:
            self._metric = pyiqa.create_metric(name, device=device)
        except Exception as error:  # downloads and unpickling fail in any way
            raise UserError(
                f"--no-reference {name}: pyiqa cannot load it ({first_line(error)}); most measures download their "
                "weights at their first use"
            ) from error
        self.version = str(getattr(pyiqa, "__version__", "unknown"))
        self._device = device

    def __call__(self, pixels: np.ndarray) -> float:
        """Of one picture, (height, width, 3) uint8."""
        with torch.no_grad():
            return float(self._metric(as_batch(pixels).to(self._device).float() / 255))


def _pyiqa(name: str) -> Any:
    try:
        import pyiqa
    except ImportError as error:
        raise UserError(f"--no-reference {printable(name)} needs pyiqa: uv sync --extra iqa") from error
    return pyiqa
