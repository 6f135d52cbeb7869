"""`sr upscale`: pictures in, larger pictures out."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import track

from sr.app.networks import newest_network, out_of_memory, ready
from sr.errors import UserError
from sr.image.io import find_pictures, read_picture, write_picture
from sr.models.upscale import upscale_picture


def upscale_files(inputs: Sequence[Path], output: Path, model: Path | None, accelerator: str) -> None:
    """Upscale files and folders.

    Args:
        inputs: pictures, or folders searched through all levels.
        output: a file for a single picture, else a folder that keeps the inputs' structure.
        model: a network; None takes the newest finished run's and says so.
        accelerator: cpu, gpu, mps or auto.

    Raises:
        UserError: nothing to read, nowhere to write, or (after all others are done) pictures that failed.
    """
    console = Console(soft_wrap=True)
    jobs = _jobs(inputs, output)
    path = newest_network() if model is None else model
    network, compute = ready(path, accelerator)
    console.print(f"network: {path}", highlight=False, markup=False)
    failures = []
    for source, target in track(jobs, "upscaling", console=console, disable=len(jobs) == 1, transient=True):
        try:
            picture = read_picture(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_picture(target, upscale_picture(network, picture, compute.device))
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
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if single and output.suffix and not output.is_dir():
        find_pictures([inputs[0]])
        return [(inputs[0], output)]
    if output.is_file():
        raise UserError(f"-o {output} is a file; several pictures need a folder")
    jobs = []
    for root in inputs:
        base = root if root.is_dir() else root.parent
        jobs += [(path, output / path.relative_to(base).with_suffix(".png")) for path in find_pictures([root])]
    targets = [target for _, target in jobs]
    twice = sorted({str(target) for target in targets if targets.count(target) > 1})
    if twice:
        raise UserError(f"two inputs would both become {twice[0]}; upscale them into separate folders")
    return jobs
