"""Modules of the current folder, for classes of the user's: `model._target_=my_module.MyNet`."""

import sys
from pathlib import Path


def see_current_folder() -> None:
    """Let modules of the current folder be found, after all others: a file there cannot take a library's name."""
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
