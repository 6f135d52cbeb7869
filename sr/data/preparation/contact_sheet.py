"""Many small pictures on one, with a line of text under each: to see at a glance what a tool has made."""

from collections.abc import Sequence

import numpy as np
from PIL import Image as pil
from PIL import ImageDraw

_GAP = 4
_TEXT = 14  # height of a line of Pillow's built-in font
_LETTER = 6  # and the width of its letters, about
_PAPER, _INK = (250, 250, 250), (20, 20, 20)


def contact_sheet(tiles: Sequence[np.ndarray], labels: Sequence[str], columns: int | None = None) -> np.ndarray:
    """Lay pictures out in rows.

    Args:
        tiles: at least one, (height, width, 3) uint8 of any sizes.
        labels: one under each; what does not fit is cut off.
        columns: how many in a row; None makes the sheet about as wide as high.

    Returns:
        (height, width, 3) uint8.
    """
    if len(tiles) != len(labels) or not tiles:
        raise ValueError(f"{len(tiles)} pictures need as many labels, not {len(labels)}, and at least one")
    columns = columns or int(np.ceil(np.sqrt(len(tiles))))
    rows = -(-len(tiles) // columns)
    cell_height = max(tile.shape[0] for tile in tiles) + _TEXT + _GAP
    cell_width = max(tile.shape[1] for tile in tiles) + _GAP
    sheet = pil.new("RGB", (columns * cell_width + _GAP, rows * cell_height + _GAP), _PAPER)
    pen = ImageDraw.Draw(sheet)
    for i, (tile, label) in enumerate(zip(tiles, labels, strict=True)):
        left, top = _GAP + i % columns * cell_width, _GAP + i // columns * cell_height
        sheet.paste(pil.fromarray(np.ascontiguousarray(tile)), (left, top))
        pen.text((left, top + tile.shape[0] + 1), label[: (cell_width - _GAP) // _LETTER], fill=_INK)
    return np.asarray(sheet)


def kernel_tile(kernel: np.ndarray, side: int = 120) -> np.ndarray:
    """A kernel as squares, the largest value white, 0 black; values below 0 are blue.

    Args:
        kernel: (n, n).
        side: about so many pixels.

    Returns:
        (n * m, n * m, 3) uint8.
    """
    shown = np.clip(kernel / max(float(np.abs(kernel).max()), 1e-12), -1, 1)
    gray = np.where(shown > 0, shown, 0.0)
    colour = np.stack((gray, gray, np.abs(shown)), axis=-1)
    factor = max(side // kernel.shape[0], 1)
    return np.rint(255 * colour).astype(np.uint8).repeat(factor, axis=0).repeat(factor, axis=1)


def noise_tile(noise: np.ndarray, side: int = 128, gain: float = 4.0) -> np.ndarray:
    """The top left corner of a noise patch, stronger than it is, on gray.

    Args:
        noise: (height, width, 3) levels.
        side: at most so many pixels.
        gain: how many times stronger.

    Returns:
        uint8.
    """
    return np.clip(np.rint(noise[:side, :side] * gain + 128), 0, 255).astype(np.uint8)
