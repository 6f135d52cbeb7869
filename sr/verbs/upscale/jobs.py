"""What becomes what: from what is typed to pairs of an input and an output file."""

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from sr.config.nearest import near_files, neighbours
from sr.errors import UserError
from sr.files import oddity, real_path
from sr.image.encode import ENCODERS, LOSSY
from sr.image.io import SUFFIXES as PICTURES
from sr.image.io import find_pictures, passed_over
from sr.image.names import as_one, names_as
from sr.inference.video.kinds import is_video
from sr.inference.video.options import FORMATS
from sr.printable import printable
from sr.verbs.options import not_written

STREAM = "-"
"""Stands for the standard input, and for the standard output."""

_SEPARATORS = ("/", "\\", "\0")


@dataclass(frozen=True)
class Naming:
    """How outputs are called.

    Attributes:
        output: a file, a folder, or None for beside the inputs.
        ending: of pictures, lower case with its dot; None where nobody asked for one.
        added: what follows the stem of each name; None where nobody said.
    """

    output: str | None
    ending: str | None
    added: str | None


@dataclass(frozen=True)
class Job:
    """A file to be enlarged.

    Attributes:
        source: the file.
        target: the file to write.
    """

    source: Path
    target: Path

    @property
    def is_video(self) -> bool:
        """Whether it is a video."""
        return is_video(self.source)


@dataclass
class Inputs:
    """The files to enlarge, each once.

    Attributes:
        files: (file, place below the folder that was named, or its name alone).
        folders: that were named.
        notes: a line each on what is passed over.
        typed: the files that were named themselves, by where they lead.
    """

    files: list[tuple[Path, PurePath]] = field(default_factory=list)
    folders: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    typed: set[Path] = field(default_factory=set)


def ending(form: str | None) -> str | None:
    """``.jpg`` for jpg, JPG and .jpg.

    Raises:
        UserError: no such files are written.
    """
    if form is None:
        return None
    suffix = f".{form.lower().removeprefix('.')}"
    if suffix not in ENCODERS:
        raise not_written(form, [known.removeprefix(".") for known in ENCODERS])
    return suffix


def check_naming(naming: Naming, quality: int | None, many: bool) -> None:
    """What is asked for of the outputs, before anything else.

    Args:
        naming: how outputs are called.
        quality: what was asked for, or None.
        many: several inputs, or a folder.

    Raises:
        UserError: values that contradict each other.
    """
    if naming.added is not None and any(one in naming.added for one in _SEPARATORS):
        raise UserError(f"--suffix {printable(naming.added)} is no part of a name; leave out / and \\")
    if naming.output is not None:
        _check_output(naming.output)
    written = naming.ending or ".png"
    if naming.output is not None and not many and _names_a_file(Path(naming.output)):
        named = Path(naming.output).suffix.lower()
        if naming.ending is not None and named in ENCODERS and ENCODERS[named] is not ENCODERS[naming.ending]:
            shown = printable(naming.output)
            raise UserError(f"-o {shown} and --format {naming.ending[1:]} name two formats; leave --format out")
        if naming.added is not None:
            raise UserError(f"-o {printable(naming.output)} names the file already; leave --suffix out")
        written = named
    if quality is not None and written in ENCODERS and written not in LOSSY:
        raise UserError(f"--quality {quality} is for jpg, webp and avif; {written[1:]} loses nothing")


def _check_output(output: str) -> None:
    """Refuse what would become a folder, and hardly was meant as one.

    Raises:
        UserError: an ending alone, or a file's name with a dot too much.
    """
    path = Path(output)
    odd = oddity(path)
    if odd is not None and "nowhere" not in odd and "device" not in odd:
        raise UserError(f"-o {printable(output)[:300]} {odd}; choose another name")
    if odd is not None or path.is_dir():
        return
    known = (*ENCODERS, *FORMATS)
    if path.name.lower() in known:
        raise UserError(f"-o {printable(output)} is an ending without a name; give a file, as in photo{path.name}")
    whole = output.rstrip(".")
    if whole != output and Path(whole).suffix.lower() in known:
        raise UserError(f"-o {printable(output)} ends in a dot; did you mean {printable(whole)}?")


def find_inputs(asked: Sequence[str], output: str | None, say: Callable[[str], object] = lambda line: None) -> Inputs:
    """The files that were named, those in folders, and those that patterns stand for.

    Args:
        asked: files, folders, patterns such as ``*.jpg`` that no shell has replaced.
        output: where results go; what lies there already is no input.
        say: gets a line before a folder is searched, which may take long.

    Raises:
        UserError: something is not there, or a folder holds no picture.
    """
    inputs = Inputs()
    missing: list[str] = []
    seen: set[Path] = set()
    out = None if output is None else real_path(output)
    for text in asked:
        for path in _named(text, missing):
            folder = path.is_dir()
            if not folder and path == Path(text):
                inputs.typed.add(real_path(path))
            if folder:
                say(f"looking for pictures in {printable(path)} …")
                inputs.folders.append(path)
                others = passed_over(path)
                inputs.notes += [f"{printable(path)}: {others} passed over"] if others else []
            for found in find_pictures([path]) if folder else [path]:
                real = real_path(found)
                if real not in seen and not (
                    folder and out is not None and out in real.parents and out != real_path(path)
                ):
                    seen.add(real)
                    inputs.files.append((found, found.relative_to(path if folder else path.parent)))
    if missing:
        raise UserError(*missing)
    return inputs


def jobs_of(inputs: Inputs, naming: Naming, scale: float, force: bool = False) -> list[Job]:
    """What becomes what.

    Args:
        inputs: the files.
        naming: how outputs are called.
        scale: of the enlargement, for names beside the inputs.
        force: whether what is there already is made anew.

    Raises:
        UserError: two would become one, a folder has no place to go to, or an original would be overwritten.
    """
    if naming.output is None:
        if inputs.folders:
            shown = printable(inputs.folders[0])
            more = printable(naming.added or f"_x{scale:g}")
            raise UserError(f"'{shown}' is a folder; say where the results go, for instance -o {shown}{more}")
        jobs = _beside(inputs, naming, f"_x{scale:g}", force)
    else:
        jobs = _to(Path(naming.output), inputs, naming)
    _check_kinds(jobs)
    _check_targets(jobs)
    return jobs


def _named(text: str, missing: list[str]) -> list[Path]:
    path = Path(text)
    odd = oddity(path)
    if odd is not None:
        missing.append(f"'{printable(text)[:300]}' {odd}; give a file or a folder, or - for the standard input")
        return []
    if path.exists():
        return [path]
    if glob.has_magic(text):
        found = sorted(Path(name) for name in glob.glob(text, recursive=True))  # noqa: PTH207 - without hidden files
        files = [one for one in found if not one.is_dir()] or found
        missing += [] if files else [f"no file matches '{printable(text)}'"]
        return files
    missing.append(f"there is no file or folder '{printable(text)}'{neighbours(near_files(path))}")
    return []


def _to(output: Path, inputs: Inputs, naming: Naming) -> list[Job]:
    if len(inputs.files) == 1 and not inputs.folders and _names_a_file(output):
        return [Job(inputs.files[0][0], output)]
    if output.is_file() or (_names_a_file(output) and output.suffix.lower() in (*ENCODERS, *FORMATS)):
        raise UserError(f"-o {printable(output)} is a file; several inputs need a folder")
    return _into_folder(inputs, naming, output)


def _names_a_file(output: Path) -> bool:
    return (bool(output.suffix) or output.is_file()) and not output.is_dir()


def _beside(inputs: Inputs, naming: Naming, added: str, force: bool) -> list[Job]:
    names = _names([(path, path) for path, _ in inputs.files], naming, added)
    jobs = [Job(path, Path(name)) for (path, _), name in zip(inputs.files, names, strict=True)]
    # The same pattern typed twice, or replaced by a shell, finds what the first time made.
    made = {real_path(job.target) for job in jobs if real_path(job.target) != real_path(job.source)}
    kept = [job for job in jobs if real_path(job.source) not in made]
    if force:  # what was named itself may be an original, which would be lost
        return [job for job in jobs if job in kept or real_path(job.source) in inputs.typed]
    results = [printable(job.source) for job in jobs if job not in kept and real_path(job.source) in inputs.typed]
    inputs.notes += [f"{result} is what another one becomes, and is passed over" for result in results]
    return kept


def _into_folder(inputs: Inputs, naming: Naming, output: Path) -> list[Job]:
    same: dict[str, Path] = {}
    for source, place in inputs.files:
        other = same.setdefault(as_one(place.as_posix()), source)
        if other.parent != source.parent:
            raise UserError(
                f"{printable(other)} and {printable(source)} would become one file; upscale them into separate folders"
            )
    names = _names(inputs.files, naming, "")
    return [Job(source, output / name) for (source, _), name in zip(inputs.files, names, strict=True)]


def _names(files: Sequence[tuple[Path, PurePath]], naming: Naming, added: str) -> list[PurePath]:
    """What files are called afterwards, by their places; videos keep their suffix where such files are written."""
    videos = {place for path, place in files if is_video(path)}
    pictures = [place for _, place in files if place not in videos]
    names = dict(zip(pictures, names_as(pictures, naming.ending or ".png"), strict=True))
    for place in videos:
        kept = place.suffix.lower() in FORMATS
        names[place] = place if kept else place.with_name(f"{place.name}{next(iter(FORMATS))}")
    more = added if naming.added is None else naming.added
    return [names[place].with_stem(names[place].stem + more) for _, place in files]


def _check_kinds(jobs: Sequence[Job]) -> None:
    """Whether anything that is to become a video is known as one."""
    for job in jobs:
        suffix = job.source.suffix.lower()
        if job.target.suffix.lower() in FORMATS and not job.is_video and suffix not in PICTURES:
            raise UserError(
                f"{printable(job.source)} is not known as a video by its name; if it is one, let the name end in .mkv: "
                "what is inside tells the format"
            )


def _check_targets(jobs: Sequence[Job]) -> None:
    made: dict[str, Path] = {}
    for job in jobs:
        other = made.setdefault(as_one(os.fspath(real_path(job.target))), job.source)
        if other != job.source:
            raise UserError(
                f"{printable(other)} and {printable(job.source)} would become one file, {printable(job.target)}; "
                "upscale them into separate folders"
            )
    originals = {(found.st_dev, found.st_ino) for job in jobs if (found := status(job.source)) is not None}
    for job in jobs:
        found = status(job.target)  # not the name: another case may be the same file
        if found is not None and (found.st_dev, found.st_ino) in originals:
            raise UserError(f"{printable(job.target)} would be overwritten by a result; choose another -o")


def status(path: Path) -> os.stat_result | None:
    """Of what a path leads to; None where there is nothing, or cannot be."""
    try:
        return path.stat()
    except OSError:  # not there, or a link that leads nowhere
        return None
