"""`sr upscale`: pictures in, larger pictures out."""

import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from sr.config.nearest import near_files, nearest, neighbours
from sr.console import plain_console, tracked
from sr.devices import out_of_memory
from sr.errors import PARTLY_FAILED, UserError
from sr.image.details import fitting, read_details
from sr.image.encode import ENCODERS
from sr.image.io import find_pictures, read_picture, write_picture
from sr.image.names import as_one, names_as
from sr.models.upscale import NotFiniteError, upscale_picture
from sr.printable import printable
from sr.verbs.networks import newest_network, ready
from sr.verbs.screen.errors import print_error

ONLY_THE_FIRST = "it moves or has several pages, and only the first frame is enlarged"

_SHOWN = 3  # pictures named in a line


def upscale_files(
    inputs: Sequence[Path],
    output: Path,
    model: Path | None,
    accelerator: str,
    trust: bool = False,
    form: str | None = None,
) -> int:
    """Upscale files and folders. A picture that fails does not stop the others.

    Args:
        inputs: pictures, or folders searched through all levels.
        output: a file for a single picture, else a folder that keeps the inputs' structure.
        model: a network; None takes the newest finished run's and says so.
        accelerator: cpu, gpu, mps or auto.
        trust: a network from outside this toolkit may be imported.
        form: suffix of the files in a folder, such as jpg; None writes PNG.

    Returns:
        0, or `PARTLY_FAILED` where some of several pictures failed; what was wrong is printed at the end.

    Raises:
        UserError: nothing to read, nowhere to write, an original would be overwritten, or the only picture failed.
    """
    console = plain_console(soft_wrap=True)
    jobs = _jobs(inputs, output, _suffix(form))
    path = newest_network() if model is None else model
    network, compute = ready(path, accelerator, trust)
    console.print(f"network: {path}")
    failures: list[str] = []
    notes: dict[str, list[Path]] = defaultdict(list)
    for source, target in tracked(jobs, "upscaling", console):
        try:
            for note in _upscale(network, compute.device, source, target):
                notes[note].append(source)
        except NotFiniteError as error:
            failures.append(f"{printable(source)}: {error}")
        except UserError as error:
            failures += error.args  # a line for each fault
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            failures.append(f"{printable(source)} is too large for the memory that is free")
    done = len(jobs) - len(failures)
    _tell(console, notes)
    if done:
        where = jobs[0][1] if len(jobs) == 1 else output
        console.print(f"{done} of {len(jobs)} upscaled x{network.scale}: {where}")
    if failures and len(jobs) == 1:
        raise UserError(failures[0])
    for failure in failures:
        print_error(failure)
    return PARTLY_FAILED if failures else 0


def _tell(console: Console, notes: dict[str, list[Path]]) -> None:
    """A line for each kind of note, with the pictures that it is about."""
    for note, sources in notes.items():
        shown = ", ".join(printable(source) for source in sources[:_SHOWN])
        what = shown if len(sources) <= _SHOWN else f"{len(sources)} pictures ({shown}, …)"
        console.print(f"{what}: {note}")


def _upscale(network: Any, device: torch.device, source: Path, target: Path) -> Sequence[str]:
    """Upscale one file; what the user should know of it."""
    picture = read_picture(source)
    _make_folder(target.parent)
    result = upscale_picture(network, picture, device)
    details = fitting(read_details(source), result, target.suffix.lower())
    write_picture(target, result, details)
    return (*details.notes, *([ONLY_THE_FIRST] if picture.moving else []))


def _suffix(form: str | None) -> str | None:
    """``.jpg`` for jpg, JPG and .jpg.

    Raises:
        UserError: no such files are written.
    """
    if form is None:
        return None
    suffix = f".{form.lower().removeprefix('.')}"
    if suffix not in ENCODERS:
        forms = [known.removeprefix(".") for known in ENCODERS]
        near = (nearest(suffix[1:], forms) or forms)[0]
        raise UserError(
            f"--format {printable(form) or repr(form)} is not written; nearest is {near}, all are {', '.join(forms)}"
        )
    return suffix


def _jobs(inputs: Sequence[Path], output: Path, suffix: str | None) -> list[tuple[Path, Path]]:
    """(input, output) files; a folder's structure is kept, with files of one format."""
    missing = [
        f"there is no file or folder '{printable(path)}'{neighbours(near_files(path))}"
        for path in inputs
        if not path.exists()
    ]
    if missing:
        raise UserError(*missing)
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if single and (output.suffix or output.is_file()) and not output.is_dir():
        named = ENCODERS.get(output.suffix.lower())
        if suffix is not None and named is not None and named is not ENCODERS[suffix]:
            raise UserError(f"-o {printable(output)} and --format {suffix[1:]} name two formats; leave --format out")
        jobs = [(inputs[0], output)]
    elif output.is_file():
        raise UserError(f"-o {output} is a file; several pictures need a folder")
    else:
        jobs = _into_folder(inputs, output, suffix or ".png")
    _check_targets(jobs)
    return jobs


def _into_folder(inputs: Sequence[Path], output: Path, suffix: str) -> list[tuple[Path, Path]]:
    found: dict[Path, tuple[Path, Path]] = {}
    for root in inputs:
        base = root if root.is_dir() else root.parent
        for path in find_pictures([root]):
            found.setdefault(path.resolve(), (path, path.relative_to(base)))
    places = [place for _, place in found.values()]
    names = dict(zip(found, names_as(places, suffix), strict=True))
    same: dict[str, Path] = {}
    for source, place in found.values():
        other = same.setdefault(as_one(place.as_posix()), source)
        if other.parent != source.parent:
            raise UserError(f"{other} and {source} would become one file; upscale them into separate folders")
    return [(source, output / names[key]) for key, (source, _) in found.items()]


def _check_targets(jobs: Sequence[tuple[Path, Path]]) -> None:
    originals = {(found.st_dev, found.st_ino) for source, _ in jobs if (found := _status(source)) is not None}
    for _, target in jobs:
        found = _status(target)  # not the name: another case may be the same file
        if found is not None and (found.st_dev, found.st_ino) in originals:
            raise UserError(f"{target} would be overwritten by an enlargement; choose another -o")


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # not there, or a link that leads nowhere
        return None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder '{folder}': {error.strerror or error}") from error
