"""Options and arguments that several verbs have."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from sr.config.nearest import nearest
from sr.errors import UserError
from sr.printable import printable

_SIZE = re.compile(r"([1-9][0-9]{0,5})[x×:]([1-9][0-9]{0,5})", re.IGNORECASE)

Accelerator = Annotated[str, typer.Option(help="cpu, gpu, mps, or auto.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="The file's own modules may be called: you know who wrote it, and have them.")
]
ConfOverrides = Annotated[
    list[str] | None, typer.Argument(help="Overrides as for train.py, for instance model=rdn_small.")
]
ConfigDir = Annotated[
    Path | None, typer.Option(help="A folder of your own choices, such as model/mine.yaml, beside those of conf/.")
]


def size_of(text: str, example: str) -> tuple[int, int]:
    """(768, 512) for 768x512, of ``--size``.

    Args:
        text: as it was typed.
        example: for the message.

    Raises:
        UserError: it is no size, or has no pixel.
    """
    found = _SIZE.fullmatch(text.replace(" ", ""))
    if found is None:
        raise UserError(
            f"--size {printable(text) or repr(text)} is no size; give WIDTHxHEIGHT in pixels, as in {example}"
        )
    return int(found[1]), int(found[2])


def not_written(form: str, known: Sequence[str]) -> UserError:
    """What to say of a ``--format`` that there is not.

    Args:
        form: as it was typed.
        known: all there are, the most usual first.
    """
    near = (nearest(form.lower().removeprefix("."), list(known)) or known)[0]
    shown = printable(form) or repr(form)
    return UserError(f"--format {shown} is not written; nearest is {near}, all are {', '.join(known)}")
