"""`sr upscale`: pictures in, larger pictures out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sr.config.nearest import nearest
from sr.console import plain_console, tracked
from sr.errors import UserError
from sr.image.io import find_pictures, read_picture, write_picture
from sr.models.upscale import NotANumber, upscale_picture
from sr.training.memory import out_of_memory
from sr.verbs.networks import newest_network, ready


def upscale_files(inputs: Sequence[Path], output: Path, model: Path | None, accelerator: str) -> None:
    """Upscale files and folders.

    Args:
        inputs: pictures, or folders searched through all levels.
        output: a file for a single picture, else a folder that keeps the inputs' structure.
        model: a network; None takes the newest finished run's and says so.
        accelerator: cpu, gpu, mps or auto.

    Raises:
        UserError: nothing to read, nowhere to write, an original would be overwritten, or (after all others are
            done) pictures that failed.
    """
    console = plain_console(soft_wrap=True)
    jobs = _jobs(inputs, output)
    path = newest_network() if model is None else model
    network, compute = ready(path, accelerator)
    console.print(f"network: {path}", highlight=False, markup=False)
    failures = []
    for source, target in tracked(jobs, "upscaling", console):
        try:
            picture = read_picture(source)
            _make_folder(target.parent)
            write_picture(target, upscale_picture(network, picture, compute.device))
        except NotANumber as error:
            failures.append(f"{source}: {error}")
        except UserError as error:
            failures.append(str(error))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            failures.append(f"{source} is too large for the memory that is free")
    done = len(jobs) - len(failures)
    if done:
        where = jobs[0][1] if len(jobs) == 1 else output
        console.print(f"{done} of {len(jobs)} upscaled x{network.scale}: {where}", highlight=False, markup=False)
    if failures:
        raise UserError("\n".join(failures))


def _jobs(inputs: Sequence[Path], output: Path) -> list[tuple[Path, Path]]:
    """(input, output) files; a folder's structure is kept, with .png for what the input's suffix cannot hold."""
    missing = [f"there is no file or folder '{path}'{_neighbours(path)}" for path in inputs if not path.exists()]
    if missing:
        raise UserError("\n".join(missing))
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if single and (output.suffix or output.is_file()) and not output.is_dir():
        jobs = [(inputs[0], output)]
    elif output.is_file():
        raise UserError(f"-o {output} is a file; several pictures need a folder")
    else:
        jobs = list(_into_folder(inputs, output))
    _check_targets(jobs)
    return jobs


def _into_folder(inputs: Sequence[Path], output: Path) -> Iterator[tuple[Path, Path]]:
    for root in inputs:
        base = root if root.is_dir() else root.parent
        for path in find_pictures([root]):
            yield path, output / path.relative_to(base).with_suffix(".png")


def _check_targets(jobs: Sequence[tuple[Path, Path]]) -> None:
    twice = sorted(str(target) for target, count in Counter(target for _, target in jobs).items() if count > 1)
    if twice:
        raise UserError(f"two inputs would both become {twice[0]}; upscale them into separate folders")
    originals = {source.resolve() for source, _ in jobs}
    for _, target in jobs:
        if target.resolve() in originals:
            raise UserError(f"{target} would be overwritten by an enlargement; choose another -o")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make the folder '{folder}': {error.strerror or error}") from error


def _neighbours(path: Path) -> str:
    """``; did you mean …?`` with what lies beside a missing file."""
    folder = path.parent
    found = nearest(path.name, [entry.name for entry in folder.iterdir()]) if folder.is_dir() else []
    return f"; did you mean {' or '.join(str(folder / name) for name in found)}?" if found else ""
