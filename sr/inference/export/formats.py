"""The formats of `sr export`: how each is written, read back and compared, and who opens it."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from sr.errors import UserError
from sr.files import check_writable, write_together
from sr.inference.export.ncnn import ncnn_applied, ncnn_files
from sr.inference.export.onnx import onnx_applied, onnx_bytes
from sr.inference.export.plain import applied
from sr.inference.export.pt2 import pt2_applied, pt2_bytes
from sr.inference.export.weights import pth_bytes, safetensors_bytes, spandrel_applied
from sr.printable import first_line, printable

TOLERANCE = 1e-4  # of the range [0, 1]: a fortieth of a gray level
HALF_TOLERANCE = 1e-2  # two to three gray levels at the worst pixel

_SPANDREL = ("chaiNNer", "ComfyUI", "every other program built on spandrel")


@dataclass(frozen=True)
class Format:
    """How other programs are given a network.

    Attributes:
        suffixes: of its files; the first is the one that is named.
        programs: that open it.
        made: the files' content, of a network, in half precision or not.
        applied: what the format's own reader makes of pictures with a file.
        clipped: that reader clips to [0, 1].
        multiple: of the sides of the pictures to compare on: spandrel mirrors others onwards in a way of its own, for
            networks that fold pixels, whatever program wrote the file.
    """

    suffixes: tuple[str, ...]
    programs: tuple[str, ...]
    made: Callable[[nn.Module, bool], tuple[bytes, ...]]
    applied: Callable[[Path, Tensor], Tensor]
    clipped: bool = False
    multiple: int = 1


FORMATS = {
    "onnx": Format(
        (".onnx",),
        ("onnxruntime", "OpenVINO", "TensorRT", "chaiNNer (its ONNX nodes)", "VapourSynth (vs-mlrt)"),
        lambda network, half: (onnx_bytes(network, half),),
        onnx_applied,
    ),
    "safetensors": Format(
        (".safetensors",),
        _SPANDREL,
        lambda network, half: (safetensors_bytes(network, half),),
        spandrel_applied,
        clipped=True,
        multiple=4,
    ),
    "pth": Format(
        (".pth",),
        (*_SPANDREL, "where they have the network: BasicSR and Real-ESRGAN"),
        lambda network, half: (pth_bytes(network, half),),
        spandrel_applied,
        clipped=True,
        multiple=4,
    ),
    "pt2": Format(
        (".pt2",),
        ("PyTorch (torch.export.load)", "AOTInductor"),
        lambda network, half: (pt2_bytes(network, half),),
        pt2_applied,
    ),
    "ncnn": Format(
        (".param", ".bin"),
        ("Upscayl", "realesrgan-ncnn-vulkan", "chaiNNer (its NCNN nodes)"),
        ncnn_files,
        ncnn_applied,
    ),
}


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        paths: the files.
        difference: the largest one to PyTorch in float32, of a range of 1.
        sizes: (height, width) of the pictures that were compared.
    """

    paths: tuple[Path, ...]
    difference: float
    sizes: tuple[tuple[int, int], ...]


def export_network(network: nn.Module, kind: str, target: Path, pictures: Sequence[Tensor], half: bool) -> Exported:
    """Write a network for other programs, after the file has been read back as they do.

    Args:
        network: a generator; it stays as it is.
        kind: one of `FORMATS`.
        target: the first file; others lie beside it. Nothing is written where the comparison fails.
        pictures: to compare on, (1, 3, h, w) float32 in [0, 1] of several sizes.
        half: in float16, as far as the format goes.

    Raises:
        UserError: packages are missing, the format cannot hold this network, its reader makes something else of it,
            or the files cannot be written, as where a file of another program would be replaced.
    """
    form = FORMATS[kind]
    paths = tuple(target.with_suffix(suffix) for suffix in form.suffixes)
    for path in paths:  # before the long work
        if path.is_dir():
            raise UserError(f"{printable(path)} is a folder; name a file")
        check_writable(path.parent)
    stray = next((path for path in paths[1:] if path.exists() and not paths[0].exists()), None)
    if stray is not None:
        raise UserError(
            f"{printable(stray)} is there without {printable(paths[0].name)}, so it may be something else; "
            "move it away, or take another name"
        )
    pictures = [_cut(picture, form.multiple) for picture in pictures]
    contents = form.made(network, half)
    with tempfile.TemporaryDirectory(prefix="sr-export-") as name:
        trial = Path(name) / "network"
        for suffix, content in zip(form.suffixes, contents, strict=True):
            trial.with_suffix(suffix).write_bytes(content)
        differences = [_difference(form, network, trial.with_suffix(form.suffixes[0]), one) for one in pictures]
    difference = math.nan if any(map(math.isnan, differences)) else max(differences)
    _check(network, kind, difference, half)
    write_together(dict(zip(paths, contents, strict=True)))
    return Exported(paths, difference, tuple((int(one.shape[-2]), int(one.shape[-1])) for one in pictures))


def _cut(picture: Tensor, multiple: int) -> Tensor:
    height, width = (side // multiple * multiple for side in picture.shape[-2:])
    return picture[..., :height, :width]


def _difference(form: Format, network: nn.Module, path: Path, lr: Tensor) -> float:
    """The largest one between PyTorch and the format's reader; not a number where the reader's is none."""
    ours = applied(network, lr)
    try:
        theirs = form.applied(path, lr)
    except UserError:
        raise
    except Exception as error:  # of any kind, from another program
        size = f"{lr.shape[-1]}x{lr.shape[-2]}"
        raise UserError(
            f"{type(network).__name__} was written, but its reader fails at {size} pixels ({first_line(error)}); "
            f"nothing is kept; another format may do, as one of {', '.join(sorted(FORMATS))}"
        ) from error
    if theirs.shape != ours.shape:
        raise UserError(
            f"{type(network).__name__} does not take pictures of every size in this format: from "
            f"{lr.shape[-1]}x{lr.shape[-2]} pixels it makes {theirs.shape[-1]}x{theirs.shape[-2]} instead of "
            f"{ours.shape[-1]}x{ours.shape[-2]}; nothing is kept"
        )
    if form.clipped:
        ours, theirs = ours.clamp(0, 1), theirs.clamp(0, 1)
    return float((theirs.float() - ours).abs().max())


def _check(network: nn.Module, kind: str, difference: float, half: bool) -> None:
    limit = HALF_TOLERANCE if half else TOLERANCE
    if difference <= limit:  # not so where it is not a number
        return
    finite = math.isfinite(difference)
    found = f"differs from PyTorch by up to {difference:.2g}" if finite else "makes no finite picture"
    advice = "; leave --half out" if half else ""
    raise UserError(
        f"{type(network).__name__} as {kind} {found} where {limit:g} is allowed: other programs would show another "
        f"picture, so nothing is kept{advice}"
    )
