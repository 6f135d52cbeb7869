"""`sr prepare kernels`: the blur kernels of pictures by KernelGAN, to blur training pictures with."""

import io
import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch
from rich.console import Console

from sr.console import plain_console
from sr.data.kinds.photos import photographs
from sr.data.preparation.contact_sheet import contact_sheet, kernel_tile
from sr.data.preparation.kernel_gan import KernelGan, squared, widths
from sr.data.preparation.kernel_starts import estimated
from sr.data.processes import serve_parent, worker_pool
from sr.degradations.kernel_files import read_kernels, write_kernels
from sr.errors import UserError
from sr.files import write_atomically
from sr.image.io import read_visible, write_picture
from sr.types import Picture
from sr.verbs.computing import inference
from sr.verbs.prepare.output import Steps, flat_names, journal, tell_failures
from sr.verbs.screen.tables import say

SHEET = 144
"""At most so many kernels are shown on the contact sheet."""


@dataclass(frozen=True)
class _Job:
    """One kernel to estimate; travels to worker processes."""

    path: Path
    name: str
    seed: int
    scale: int
    settings: KernelGan
    device: str


@dataclass(frozen=True)
class _Result:
    name: str
    kernel: np.ndarray | None
    notes: tuple[str, ...]
    fault: str
    seconds: float


def prepare_kernels(
    inputs: list[Path],
    output: Path,
    scale: int = 2,
    size: int = 13,
    updates: int = 3000,
    seed: int = 0,
    per_picture: int = 1,
    accelerator: str = "auto",
) -> None:
    """Estimate the kernels of pictures: ``output/NAME.txt`` each, all in ``output/kernels.npz``, and ``sheet.png``.

    On a CPU several kernels are estimated at a time, one per core.

    Args:
        inputs: low-resolution pictures as they are, or folders searched through all levels.
        output: what it holds already is not made again.
        scale: 2, or 4 by applying the x2 kernel twice.
        size: side of the x2 kernel, odd.
        updates: of KernelGAN per kernel.
        seed: of everything random; a kernel depends on it, on the picture's name and its number alone.
        per_picture: kernels of each picture, from different starts.
        accelerator: cpu, gpu, mps or auto.

    Raises:
        UserError: a setting is out of range, the folder was made with other settings, or (after all others are
            done) pictures that gave no kernel.
    """
    console = plain_console(soft_wrap=True)
    settings = _checked(scale, size, updates, per_picture)
    device = str(inference(accelerator).device)
    paths, sources = photographs(inputs)
    jobs = [
        _Job(path, name, seed, scale, settings, device)
        for path, stem in zip(paths, flat_names(sources), strict=True)
        for name in _names(stem, per_picture)
    ]
    _check_names(jobs)
    plain = {**asdict(settings), "scale": scale, "seed": seed, "per_picture": per_picture}
    failures = []
    with journal(output, "kernels", plain) as done:
        todo = [job for job in jobs if job.name not in done.done or not (output / f"{job.name}.txt").is_file()]
        with Steps(console, "KernelGAN updates", len(todo) * updates) as steps:
            for result in _results(todo, steps.done):
                for note in result.notes:
                    say(console, note)
                if result.kernel is None:
                    failures.append(result.fault)
                    continue
                _write_matrix(output / f"{result.name}.txt", result.kernel)
                done.finish(result.name, _facts(result))
        records = {job.name: done.done[job.name] for job in jobs if job.name in done.done}
        if records:
            _write_together(output, [name for name in done.done if (output / f"{name}.txt").is_file()])
    _report(console, output, records)
    tell_failures(failures)


def _checked(scale: int, size: int, updates: int, per_picture: int) -> KernelGan:
    if scale not in (2, 4):
        near = 2 if scale < 3 else 4
        raise UserError(f"--scale {scale}: KernelGAN estimates kernels for 2 and 4; the nearest is {near}")
    if per_picture < 1:
        raise UserError(f"--per-picture {per_picture} must be at least 1")
    try:
        return KernelGan(size=size, updates=updates)
    except ValueError as error:
        raise UserError(f"--{error}") from error


def _names(stem: str, per_picture: int) -> list[str]:
    """With a number where there are several."""
    return [stem] if per_picture == 1 else [f"{stem}_{number}" for number in range(1, per_picture + 1)]


def _check_names(jobs: list[_Job]) -> None:
    twice = sorted(name for name, count in Counter(job.name for job in jobs).items() if count > 1)
    if twice:
        raise UserError(f"two inputs would both become {twice[0]}.txt; put their kernels into separate folders")


def _results(jobs: list[_Job], on_updates: Callable[[int], None]) -> Iterator[_Result]:
    """Results as they come; ``on_updates`` hears how many updates are done in all."""
    workers = min(os.cpu_count() or 1, len(jobs))
    if workers < 2 or jobs[0].device != "cpu":
        for number, job in enumerate(jobs):
            before = number * job.settings.updates
            yield _estimate(job, lambda update, before=before: on_updates(before + update))  # type: ignore[misc]
        return
    with worker_pool(workers, _quiet_worker) as pool:
        pending = {pool.submit(_estimate, job) for job in jobs}
        while pending:
            finished, pending = wait(pending, return_when=FIRST_COMPLETED)
            on_updates((len(jobs) - len(pending)) * jobs[0].settings.updates)
            for future in finished:
                yield future.result()


def _quiet_worker() -> None:
    serve_parent()
    torch.set_num_threads(1)  # one kernel per core; the layers are too small to share


def _estimate(job: _Job, on_update: Callable[[int], None] | None = None) -> _Result:
    start = monotonic()
    notes: list[str] = []
    try:
        pixels = read_visible(job.path).pixels
        kernel = estimated(pixels, job.name, job.settings, job.seed, torch.device(job.device), on_update, notes.append)
    except UserError as error:
        fault = str(error) if str(job.path) in str(error) else f"{job.path}: {error}"
        return _Result(job.name, None, tuple(notes), fault, monotonic() - start)
    made = squared(kernel) if job.scale == 4 else kernel
    return _Result(job.name, made, tuple(notes), "", monotonic() - start)


def _write_matrix(path: Path, kernel: np.ndarray) -> None:
    text = io.StringIO()
    np.savetxt(text, kernel.astype(np.float32).astype(np.float64), fmt="%.17g")
    write_atomically(path, text.getvalue().encode())


def _facts(result: _Result) -> dict[str, Any]:
    assert result.kernel is not None
    wide, narrow = widths(result.kernel)
    return {"widths": [round(wide, 3), round(narrow, 3)], "seconds": round(result.seconds, 1)}


def _write_together(output: Path, names: list[str]) -> None:
    """All kernels of the folder in one file and on one sheet, in the order of their names."""
    names = sorted(names)
    kernels = [_kernel_again(output / f"{name}.txt") for name in names]
    write_kernels(output, kernels, names)
    shown = np.unique(np.linspace(0, len(names) - 1, min(SHEET, len(names))).astype(int)).tolist()
    labels = ["{:.1f}x{:.1f} {}".format(*widths(kernels[i]), names[i]) for i in shown]
    write_picture(output / "sheet.png", Picture(contact_sheet([kernel_tile(kernels[i]) for i in shown], labels)))


def _kernel_again(path: Path) -> np.ndarray:
    """As it was written, which `read_kernels` makes sum to 1 once more.

    Raises:
        UserError: it is damaged, or gone.
    """
    read_kernels(str(path))
    return np.loadtxt(path)


def _report(console: Console, output: Path, records: dict[str, dict[str, Any]]) -> None:
    if not records:
        return
    wide, narrow = np.array([record["widths"] for record in records.values()]).T
    seconds = float(np.median([record["seconds"] for record in records.values()]))
    say(
        console,
        f"{len(records)} kernels, as wide as Gaussians of sigma {np.median(wide):.2f} by {np.median(narrow):.2f} "
        f"(medians along both axes), {seconds:.0f} s each: {output}",
    )
