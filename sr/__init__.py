"""A super-resolution toolkit.

From Python it is three lines::

    import sr
    network = sr.load("x2")        # a network that comes with the package, a run's folder, or a file
    large = network(picture)       # PIL, numpy or torch: the same kind comes back

Training and everything else are commands: ``python train.py`` and ``sr``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:  # nothing heavy is imported before it is needed
    from collections.abc import Sequence
    from pathlib import Path

    import torch

    from sr.inference.python import Network

__all__ = ["load"]


def load(
    name: str | Path | Sequence[str | Path] = "x2",
    *,
    device: str | torch.device = "auto",
    engine: Literal["auto", "torch", "onnxruntime", "openvino"] = "auto",
    precision: Literal["auto", "32", "bf16", "16"] = "auto",
    tile: int | None = None,
    ensemble: bool = False,
    scale: float | None = None,
    colour: Literal["none", "match", "low"] = "none",
    compile: bool = False,
    to: Literal["a", "b"] | None = None,
    trust: bool = False,
) -> Network:
    """A network that enlarges pictures of PIL, numpy or torch: ``network(picture)``.

    Args:
        name: a network that comes with the package (``x2``, ``x3``, ``x4``, ``x4_web``; `sr networks` lists them), the
            folder of a run, or a file. Several of one scale are averaged.
        device: auto, cpu, gpu, mps, or PyTorch's name of a device.
        engine: what computes; auto takes the fastest that is installed.
        precision: number format; auto is float32 on a CPU, and 16 on a GPU.
        tile: largest side of a tile in pixels of the picture that is given; None takes what memory allows.
        ensemble: average over the picture turned and mirrored, eight times the work.
        scale: of the result, 1 to 64, where it is not the network's.
        colour: "match" gives each channel the mean and the spread of the picture that is given, "low" its low
            frequencies.
        compile: by ``torch.compile``, which takes its time at first.
        to: of a network that translates between two sides: the one whose pictures are wanted.
        trust: networks from outside this toolkit may be imported; only for files of people you know.

    Returns:
        To be called with a picture; `scale`, `files` and `said` tell what it is.

    Raises:
        sr.errors.UserError: there is no such network, device or setting, with the nearest names.
    """
    from sr.inference.python import load as open_networks

    return open_networks(
        name,
        device=device,
        engine=engine,
        precision=precision,
        tile=tile,
        ensemble=ensemble,
        scale=scale,
        colour=colour,
        compile=compile,
        to=to,
        trust=trust,
    )
