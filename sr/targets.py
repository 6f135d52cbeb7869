"""Classes that files name: where they have moved to, and which of them a file may have called.

Files of strangers run no code: a name in a configuration, a checkpoint, a bundle or a network is looked up here, and
only what the package itself offers is ever imported for it.
"""

import importlib
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from sr.errors import UserError
from sr.printable import first_line

MOVED = {
    "sr.data.anime": "sr.data.kinds.anime",
    "sr.data.benchmark": "sr.data.kinds.benchmark",
    "sr.data.div2k": "sr.data.kinds.div2k",
    "sr.data.drawings": "sr.data.kinds.drawings",
    "sr.data.flickr2k": "sr.data.kinds.flickr2k",
    "sr.data.flowers": "sr.data.kinds.flowers",
    "sr.data.listed": "sr.data.kinds.listed",
    "sr.data.matching": "sr.data.kinds.matching",
    "sr.data.numbered": "sr.data.kinds.numbered",
    "sr.data.paired": "sr.data.kinds.paired",
    "sr.data.photos": "sr.data.kinds.photos",
    "sr.data.several": "sr.data.kinds.several",
    "sr.data.sources": "sr.data.kinds.sources",
    "sr.data.split": "sr.data.kinds.split",
    "sr.data.download": "sr.data.fetch.download",
    "sr.data.unpack": "sr.data.fetch.unpack",
    "sr.data.store": "sr.data.store.store",
    "sr.data.store_building": "sr.data.store.building",
    "sr.data.twins": "sr.data.store.twins",
    "sr.models.rrdbnet": "sr.models.rrdb",
    "sr.training.bundle": "sr.training.keeping.bundle",
    "sr.training.checkpoint": "sr.training.keeping.checkpoint",
    "sr.training.keeping.loggers": "sr.training.keeping.loggers.wandb",
    "sr.training.loggers": "sr.training.keeping.loggers.wandb",
    "sr.training.run_folder": "sr.training.keeping.run_folder",
    "sr.training.state": "sr.training.keeping.state",
}
"""Modules that files may name by where they were; a line stays for ever, its right side is where the module is now."""


def moved(target: str) -> str:
    """The name by which a class or function is found today.

    Args:
        target: dotted name as a file has it, ``sr.data.sources.Folder``.
    """
    module, dot, name = target.rpartition(".")
    return f"{MOVED.get(module, module)}{dot}{name}"


class NotOfferedError(UserError):
    """A file names something that this package does not offer: calling it would run a stranger's code."""


class UnknownError(UserError):
    """A file names something that this version of the package does not have."""


def offered(target: str, rooms: Sequence[str]) -> Callable[..., Any]:
    """The class or function that a file names, imported only where it lies in a room.

    Args:
        target: dotted name, see `moved`.
        rooms: packages or modules of this project all of whose public classes may be called (``sr.models``), and
            full names of single classes and functions.

    Raises:
        NotOfferedError: it lies elsewhere, is private, or a function that is not named by its full name.
        UnknownError: there is no such class.
    """
    module_name, _, name = target.rpartition(".")
    inside = any(f"{module_name}.".startswith(f"{room}.") for room in rooms)
    parts = target.split(".")
    if not (inside or target in rooms) or not all(part.isidentifier() for part in parts) or name.startswith("_"):
        raise NotOfferedError(f"{target!r} is not one of {', '.join(room + '.*' for room in rooms)}")
    try:
        found = vars(importlib.import_module(module_name))[name]
    except ModuleNotFoundError as error:
        # `sr.models.files.os.system`: a module's own imports are not reached, as only modules are asked for members.
        raise UnknownError(f"{target!r} is not in this version; update the toolkit") from error
    except (ImportError, OSError) as error:  # of what the module imports itself
        raise UnknownError(
            f"{target!r} cannot be imported here ({first_line(error)}); mend the installation"
        ) from error
    except KeyError as error:
        raise UnknownError(f"{target!r} is not in this version; update the toolkit") from error
    own = any(f"{getattr(found, '__module__', '')}.".startswith(f"{room}.") for room in rooms)
    if (own and inspect.isclass(found)) or (target in rooms and (inspect.isclass(found) or inspect.isroutine(found))):
        return found
    raise NotOfferedError(f"{target!r} is not a class of {', '.join(rooms)}")
