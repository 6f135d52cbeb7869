"""An endless sequence of generated training pictures, each a pure function of settings, seed and index."""

import difflib
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from sr.data.generated.dead_leaves import dead_leaves
from sr.data.generated.drawings import drawing
from sr.data.generated.palettes import blurred_colours
from sr.files import real_path
from sr.image.depth import to_uint8

Kind = Literal["dead_leaves", "drawings", "mixed"]

VERSION = 1  # raise when the same seed gives other pictures, so that older stores are not taken for current


class GeneratedPictures:
    """Generated pictures by index, for as long as you ask; nothing is kept in memory.

    ``pictures[i]`` depends on the settings, the seed and i alone: any process may compute any picture, in any
    order.

    Args:
        kind: "dead_leaves" (natural statistics), "drawings" (line art), or "mixed".
        height: rows of every picture, at least 1.
        width: columns of every picture, at least 1.
        seed: 0 or more.
        drawings: share of drawings in "mixed", 0..1; the other kinds ignore it.
        lines: strokes per drawing.
        palettes: picture files; each drawing takes three colours of one of them. None draws them at random.
        kernel: odd side of the box that blurs a palette picture before colours are taken from it.
        sources: picture files; each drawing draws over a part of one of them, instead of a fill.

    Raises:
        ValueError: an unknown kind (the nearest known one is named), a size below 1, a negative seed or number
            of lines, a share outside 0..1, or an even kernel.
    """

    def __init__(
        self,
        kind: Kind = "mixed",
        height: int = 384,
        width: int = 384,
        seed: int = 0,
        drawings: float = 0.2,
        lines: int = 30,
        palettes: Sequence[Path] = (),
        kernel: int = 11,
        sources: Sequence[Path] = (),
    ) -> None:
        if kind not in get_args(Kind):
            near = difflib.get_close_matches(str(kind), get_args(Kind), n=1, cutoff=0.0)[0]
            raise ValueError(
                f"no kind of generated pictures is called {kind!r}; did you mean {near!r}? "
                f"Known: {', '.join(get_args(Kind))}"
            )
        if height < 1 or width < 1:
            raise ValueError(f"generated pictures need at least 1x1 pixels, got {height}x{width}; give 16x16 or more")
        if seed < 0:
            raise ValueError(f"seed must be 0 or more, got {seed}; give {-seed}")
        if not 0 <= drawings <= 1:
            raise ValueError(
                f"drawings is a share between 0 and 1, got {drawings:g}; nearest valid: {min(max(drawings, 0), 1):g}"
            )
        if lines < 0:
            raise ValueError(f"lines is the strokes per drawing, 0 or more, got {lines}; give 0 for none")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel is the odd side of a box blur, got {kernel}; give {max(1, kernel + 1)}")
        self.kind, self.height, self.width, self.seed = kind, height, width, seed
        self.drawings, self.lines = drawings, lines
        self.palettes, self.kernel, self.sources = tuple(palettes), kernel, tuple(sources)

    @property
    def identity(self) -> str:
        """Everything that the pictures depend on, as one line: the key of a store built from them."""
        line = (
            f"generated v{VERSION} kind={self.kind} size={self.height}x{self.width} seed={self.seed} "
            f"drawings={self.drawings:g} lines={self.lines}"
        )
        if self.palettes:
            line += f" palettes={_files_hash(self.palettes)} kernel={self.kernel}"
        return line + (f" sources={_files_hash(self.sources)}" if self.sources else "")

    def is_drawing(self, index: int) -> bool:
        """Whether picture ``index`` is a drawing; in "mixed" they are spread evenly."""
        if self.kind != "mixed":
            return self.kind == "drawings"
        return int((index + 1) * self.drawings + 1e-9) > int(index * self.drawings + 1e-9)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture ``index``: (height, width, 3) uint8 RGB.

        Raises:
            IndexError: the index is negative.
            UserError: a palette or source picture cannot be read.
        """
        if index < 0:
            raise IndexError(f"generated pictures count from 0 without end, got index {index}; give 0 or more")
        rng = np.random.default_rng([self.seed, index])
        if self.is_drawing(index):
            palette = _one_of(self.palettes, self.seed, index, 1)
            background = _one_of(self.sources, self.seed, index, 2)
            colours = None if palette is None else blurred_colours(palette, self.kernel)
            return drawing(self.height, self.width, rng, self.lines, colours, background)
        return dead_leaves(self.height, self.width, rng)


def _one_of(paths: Sequence[Path], seed: int, index: int, purpose: int) -> np.ndarray | None:
    """The uint8 RGB pixels of the file that belongs to picture ``index``; None where there are no files."""
    if not paths:
        return None
    from sr.image.io import read_picture  # brings torch, which a process that only draws need not wait for

    position = int(np.random.default_rng([seed, index, purpose]).integers(0, len(paths)))
    return to_uint8(read_picture(paths[position]).pixels)


def _files_hash(paths: Sequence[Path]) -> str:
    """Changes when a file does: path, size and modification time of each."""
    digest = hashlib.blake2b(digest_size=8)
    for path in paths:
        stat = path.stat()
        digest.update(os.fsencode(f"{real_path(path)}\0{stat.st_size}\0{stat.st_mtime_ns}\n"))
    return digest.hexdigest()
