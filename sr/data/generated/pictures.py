"""An endless sequence of generated training pictures, each a pure function of settings, seed and index."""

import difflib
from typing import Literal, get_args

import numpy as np

from sr.data.generated.dead_leaves import dead_leaves
from sr.data.generated.drawings import drawing

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

    Raises:
        ValueError: an unknown kind (the nearest known one is named), a size below 1, a negative seed or number
            of lines, or a share outside 0..1.
    """

    def __init__(
        self,
        kind: Kind = "mixed",
        height: int = 384,
        width: int = 384,
        seed: int = 0,
        drawings: float = 0.2,
        lines: int = 30,
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
        self.kind, self.height, self.width, self.seed = kind, height, width, seed
        self.drawings, self.lines = drawings, lines

    @property
    def identity(self) -> str:
        """Everything that the pictures depend on, as one line: the key of a store built from them."""
        return (
            f"generated v{VERSION} kind={self.kind} size={self.height}x{self.width} seed={self.seed} "
            f"drawings={self.drawings:g} lines={self.lines}"
        )

    def is_drawing(self, index: int) -> bool:
        """Whether picture ``index`` is a drawing; in "mixed" they are spread evenly."""
        if self.kind != "mixed":
            return self.kind == "drawings"
        return int((index + 1) * self.drawings + 1e-9) > int(index * self.drawings + 1e-9)

    def __getitem__(self, index: int) -> np.ndarray:
        """Picture ``index``: (height, width, 3) uint8 RGB.

        Raises:
            IndexError: the index is negative.
        """
        if index < 0:
            raise IndexError(f"generated pictures count from 0 without end, got index {index}; give 0 or more")
        rng = np.random.default_rng([self.seed, index])
        if self.is_drawing(index):
            return drawing(self.height, self.width, rng, self.lines)
        return dead_leaves(self.height, self.width, rng)
