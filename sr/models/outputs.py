"""What a generator gives: a picture, or a NamedTuple of a picture and side outputs."""

from typing import Any

from torch import Tensor

PICTURE = "sr"
"""Name of a generator's picture, and of a NamedTuple's first field."""

TAKEN = ("hr", "lr", "real")
"""Names that a side output cannot have: a training step has other pictures by them."""


def picture_of(output: Any) -> Tensor:
    """The picture alone, for everything but losses and adversaries.

    Args:
        output: what a generator returned, see `outputs_of`.
    """
    return outputs_of(output)[PICTURE]


def outputs_of(output: Any) -> dict[str, Tensor]:
    """All that a generator returned, by name: its picture is ``sr``, side outputs have the names of their fields.

    Args:
        output: a tensor, or a NamedTuple of tensors whose first field is ``sr``.

    Raises:
        TypeError: anything else, or a side output under a name that is taken.
    """
    if isinstance(output, Tensor):
        return {PICTURE: output}
    names: tuple[str, ...] = getattr(output, "_fields", ())
    if names[:1] != (PICTURE,) or not all(isinstance(part, Tensor) for part in output):
        fields = f" with the fields {', '.join(names)}" if names else ""
        raise TypeError(
            f"a generator returns its picture, or a NamedTuple of tensors whose first field is {PICTURE}; this one "
            f"returned a {type(output).__name__}{fields}"
        )
    taken = [name for name in names if name in TAKEN]
    if taken:
        raise TypeError(f"a generator's side output cannot be called {taken[0]}; a training step has another such view")
    return dict(zip(names, output, strict=True))
