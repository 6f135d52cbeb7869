"""Find a network by what people call it: the name of one that comes with the package, a run, or a file."""

import difflib
from pathlib import Path

from sr.errors import UserError
from sr.files import oddity
from sr.printable import printable

SHIPPED = Path(__file__).parent / "shipped"
"""Folder of the networks that come with the package, ``x2.safetensors`` and so on."""
RUNS = Path("outputs")
"""Where runs are, below the folder where the command is typed; a run is found there by its name alone, too."""
DEFAULT = "x2"
"""What is taken where nothing else is asked for."""

_OF_A_RUN = ("best.safetensors", "last.safetensors")  # the first that is there


def shipped() -> dict[str, Path]:
    """The networks that come with the package: each file by its name, in the order of the names."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.safetensors"))}


def find_network(name: str | Path) -> Path:
    """The file of a network.

    Args:
        name: a shipped name (``x2``; a file or folder of that name is ``./x2``, as text), a run's folder or its name
            below ``outputs/`` (then its ``best.safetensors``, or ``last.safetensors`` where it has none), or a file.

    Raises:
        UserError: there is none; the message has the nearest names.
    """
    text = str(name)
    if not text.strip():
        raise UserError(f"a network's name is {text!r}; give a shipped one ({_all()}), a run's folder, or a file")
    found = shipped().get(text)
    if found is not None:
        return found
    try:
        path = Path(text).expanduser()
        if not path.exists() and (RUNS / path).is_dir():
            path = RUNS / path
        if path.is_dir():
            return _in_folder(path)
        if path.is_file():
            return _checked(path)
        odd = oddity(path)
        if odd is not None:
            raise UserError(f"'{printable(text)[:200]}' {odd}{_given()}")
        near = _near(text, path)
    except (OSError, RuntimeError):  # too long for a name, not ours to see, the home of nobody
        near = _given()
    raise UserError(f"there is no network '{printable(text)[:200]}'{near}")


def network_for(scale: float | None) -> Path:
    """The shipped network that a picture is enlarged with where none is named: ``x2``, or what reaches ``scale``.

    Args:
        scale: asked for; the smallest shipped scale that is no less is taken, else the largest, which is then used
            several times over.

    Raises:
        UserError: no network came with this installation.
    """
    known = {int(name[1:]): path for name, path in shipped().items() if name[0] == "x" and name[1:].isdigit()}
    if not known:
        raise UserError(f"no network came with this installation (none in {SHIPPED}); install it again, or name a file")
    wanted = int(DEFAULT[1:]) if scale is None else scale
    return known[min((factor for factor in known if factor >= wanted), default=max(known))]


def _in_folder(folder: Path) -> Path:
    """The network of a run."""
    for name in _OF_A_RUN:
        if (folder / name).is_file():
            return folder / name
    runs = sorted(path.parent for name in _OF_A_RUN for path in folder.glob(f"*/{name}"))
    others = sorted(folder.glob("*.safetensors"))
    inside = [*runs, *others]
    advice = f"for instance {printable(inside[0])}" if inside else f"a shipped name ({_all()}), a run, or a file"
    raise UserError(f"'{printable(folder)}' is a folder without {' or '.join(_OF_A_RUN)}; name {advice}")


def _checked(path: Path) -> Path:
    """The file; a checkpoint of ours is another thing than other programs' files of that ending."""
    of_run = path.parent.parent / _OF_A_RUN[0]
    if path.name == "last.ckpt" and path.parent.name == "checkpoints":
        raise UserError(f"'{printable(path)}' is a checkpoint for resuming; take {printable(of_run)}")
    return path


def _near(text: str, path: Path) -> str:
    """What would be there under a similar name, or all that is shipped."""
    names = {name.lower(): name for name in [*shipped(), *(run.name for run in _runs())]}
    near = [names[found] for found in difflib.get_close_matches(text.lower(), names, 3)]
    beside = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    near += [str(path.parent / found) for found in difflib.get_close_matches(path.name, beside, 3)]
    near = list(dict.fromkeys(near))[:3]
    if near:
        return f"; did you mean {' or '.join(map(printable, near))}?"
    return _given()


def _given() -> str:
    return f"; give a shipped name ({_all()}), a run's folder, or a file"


def _runs() -> list[Path]:
    return sorted(path for path in RUNS.iterdir() if path.is_dir()) if RUNS.is_dir() else []


def _all() -> str:
    return ", ".join(shipped()) or "none came with this installation"
