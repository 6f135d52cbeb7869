"""Pictures of other libraries, taken apart into what networks know, and put together again as the same kind.

A kind is a function that takes a picture apart: colour as (n, 3, height, width) float32 in [0, 1], alpha beside it, and
the way back. Gray stays gray, whole numbers are rounded, transparency is kept.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image as pil
from PIL import ImageOps
from torch import Tensor

from sr.devices import out_of_memory
from sr.errors import UserError
from sr.image.alpha import hidden_filled
from sr.image.color import gray_again
from sr.printable import first_line, printable

_TORCH = (torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)
_FAR = 0.5
"""How far beyond [0, 1] numbers may lie, as a network's own output does, before they are another range."""
_PIL_GRAY, _PIL_DEEP = ("1", "L", "LA", "La"), ("I", "I;16", "I;16L", "I;16B", "I;16N")
_WANTED = "a PIL image, a numpy array (height, width, channels), or a torch tensor (channels, height, width)"


class Apart(NamedTuple):
    """A picture taken apart.

    Attributes:
        colour: (n, 3, height, width) float32 RGB in [0, 1].
        alpha: (height, width) in the picture's own numbers, or None where the picture is opaque.
        together: makes a picture of the same kind of (n, 3, H, W), and (H, W) or None.
    """

    colour: Tensor
    alpha: np.ndarray | None
    together: Callable[[Tensor, np.ndarray | None], Any]


def apart(picture: Any) -> Apart:
    """Take a picture of any kind apart.

    Args:
        picture: a PIL image of any mode but F (turned upright as its EXIF says; 1 becomes L, I
            becomes I;16, palettes and CMYK become RGB); a numpy
            array, (height, width) or with 1 to 4 channels behind, uint8, uint16 or floating point in [0, 1]; a torch
            tensor, with 1 or 3 channels and perhaps a batch before, uint8 or floating point in [0, 1].

    Raises:
        UserError: it is of no such kind, empty, or its numbers are not within [0, 1].
    """
    if isinstance(picture, pil.Image):
        return _of_pil(picture)
    if isinstance(picture, np.ma.MaskedArray):
        raise UserError("a masked array has pixels that are none; fill them first, as picture.filled(0)")
    if isinstance(picture, np.ndarray):
        return _of_numpy(np.asarray(picture))  # a matrix would stay one
    if isinstance(picture, Tensor):
        return _of_torch(picture)
    hint = "; open it first, as PIL.Image.open(...)" if isinstance(picture, str | bytes) or _is_path(picture) else ""
    raise UserError(f"{printable(repr(picture))[:80]} is not {_WANTED}{hint}")


def coloured(picture: Any) -> Any:
    """A gray picture of any kind with three equal channels, for networks that recolour; others as they are."""
    if isinstance(picture, pil.Image):
        deep = picture.mode in _PIL_DEEP
        whole = pil.fromarray((np.asarray(picture) // 257).astype(np.uint8)) if deep else picture
        return whole.convert({"L": "RGB", "1": "RGB", "LA": "RGBA"}.get(whole.mode, whole.mode))
    if isinstance(picture, np.ndarray) and picture.ndim in (2, 3):
        channels = picture[..., None] if picture.ndim == 2 else picture
        return channels[..., [0, 0, 0, *range(1, channels.shape[-1])]] if channels.shape[-1] in (1, 2) else picture
    if isinstance(picture, Tensor) and picture.ndim in (3, 4) and picture.shape[-3] == 1:
        return picture.repeat_interleave(3, dim=-3)
    return picture


def _is_path(picture: Any) -> bool:
    return hasattr(picture, "__fspath__")


def _of_pil(image: pil.Image) -> Apart:
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except Exception as error:  # Pillow raises nearly anything on a damaged file
        if out_of_memory(error):
            raise
        raise UserError(f"the PIL image's file cannot be read ({first_line(error)})") from error
    if upright.mode == "F":
        raise UserError("a PIL image of mode F has no range that everybody agrees on; give numpy.asarray of it in 0..1")
    if upright.mode in _PIL_DEEP:
        numbers = np.asarray(upright).astype(np.int64)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() <= 65535:
            raise UserError(
                f"a PIL image of mode {upright.mode} has values beyond 0..65535; bring them into that range"
            )
        pixels = numbers.astype(np.uint16)
    else:
        mode = ("L" if upright.mode in _PIL_GRAY else "RGB") + ("A" if upright.has_transparency_data else "")
        pixels = np.asarray(upright.convert(mode))
    colour, alpha, together = _of_numpy(pixels)
    profile = image.info.get("icc_profile") if image.mode in ("L", "LA", "RGB", "RGBA") else None

    def back(colour: Tensor, alpha: np.ndarray | None) -> pil.Image:
        made = pil.fromarray(together(colour, alpha))
        if profile is not None:
            made.info["icc_profile"] = profile
        return made

    return Apart(colour, alpha, back)


def _of_numpy(array: np.ndarray) -> Apart:
    channels = array[..., None] if array.ndim == 2 else array
    if channels.ndim != 3 or channels.shape[2] not in (1, 2, 3, 4) or not array.size:
        raise UserError(f"an array of shape {array.shape} is not a picture; give (height, width, 1 to 4 channels)")
    if array.dtype not in (np.uint8, np.uint16) and array.dtype.kind != "f":
        raise UserError(f"an array of {array.dtype} is not a picture; give uint8, uint16, or floating point in 0..1")
    most = 1 if array.dtype.kind == "f" else int(np.iinfo(array.dtype).max)
    _check_range(float(channels.min()), float(channels.max()), most)
    opacity = channels[..., -1] if channels.shape[2] in (2, 4) else None
    visible = channels if opacity is None else hidden_filled(channels[..., :-1], opacity)
    scaled = torch.from_numpy(np.ascontiguousarray(visible.transpose(2, 0, 1), dtype=np.float32))[None] / most
    gray = channels.shape[2] < 3

    def back(colour: Tensor, alpha: np.ndarray | None) -> np.ndarray:
        values = _of_kind(colour, gray)[0].float().cpu().permute(1, 2, 0) * most
        numbers = (values if most == 1 else values.round()).numpy().astype(array.dtype)
        if alpha is not None:
            numbers = np.concatenate((numbers, alpha[..., None]), axis=2)
        return np.ascontiguousarray(numbers[..., 0] if array.ndim == 2 else numbers)

    return Apart(_three(scaled), opacity, back)


def _of_torch(tensor: Tensor) -> Apart:
    if tensor.is_nested:
        raise UserError("a nested tensor is not a picture; give its pictures one by one")
    batch = tensor.detach()[None] if tensor.ndim == 3 else tensor.detach()
    if batch.ndim != 4 or batch.shape[1] not in (1, 3) or not batch.numel():
        raise UserError(
            f"a tensor of shape {tuple(tensor.shape)} is not a picture; give (3, height, width), or a batch of such"
        )
    if tensor.layout != torch.strided or tensor.device.type == "meta":
        raise UserError("a tensor that is sparse or on meta has no pixels; give a dense one on a device that is there")
    if tensor.dtype not in _TORCH:
        raise UserError(f"a tensor of {tensor.dtype} is not a picture; give uint8, or floating point in 0..1")
    most = 255 if tensor.dtype == torch.uint8 else 1
    _check_range(float(batch.min()), float(batch.max()), most)
    gray = batch.shape[1] == 1

    def back(colour: Tensor, _: np.ndarray | None) -> Tensor:
        made = _of_kind(colour, gray) * most
        made = (made.round() if most == 255 else made).to(tensor.device, tensor.dtype).clone()
        return made[0] if tensor.ndim == 3 else made

    return Apart(_three(batch.float() / most), None, back)


def _of_kind(colour: Tensor, gray: bool) -> Tensor:
    """What a network made, with as many channels as the picture had."""
    return gray_again(colour)[:, :1] if gray else colour


def _check_range(low: float, high: float, most: int) -> None:
    """Of floating point: whether it is in [0, 1], or nearly, as the output of a network."""
    if most == 1 and not (-_FAR <= low <= high <= 1 + _FAR):  # also where they are not numbers
        way = "divide by 255" if 1 + _FAR < high <= 255 and low >= 0 else "bring them into that range"
        raise UserError(f"the picture's numbers run from {low:g} to {high:g}, and not from 0 to 1; {way}")


def _three(colour: Tensor) -> Tensor:
    """Gray in three channels, and nothing beyond [0, 1]."""
    return colour.expand(-1, 3, -1, -1).clamp(0, 1).contiguous()
