"""Options and arguments that several verbs have."""

from pathlib import Path
from typing import Annotated

import typer

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
