"""`sr networks`: what pictures can be enlarged with, here and now."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from rich.table import Table

from sr.errors import PARTLY_FAILED, UserError
from sr.experiments.runs import Run, find_runs
from sr.inference.networks import RUNS, find_network, shipped
from sr.inference.opening import open_network
from sr.inference.trained import BICUBIC, METRICS, in_words, trained_of
from sr.models.parameters import parameters_of
from sr.pasted import verb
from sr.printable import printable
from sr.training.keeping.command import read_command
from sr.verbs.screen.errors import print_error
from sr.verbs.screen.tables import console_for_tables, say


@dataclass(frozen=True)
class Listed:
    """One network.

    Attributes:
        name: what ``--model`` takes.
        source: shipped, run or file.
        file: where it is.
        scale: by which it enlarges.
        parameters: so many.
        kind: of network, by the name of its class.
        on: what it was trained on; empty where nobody says.
        command: that trained it; likewise.
        seed: of the training.
        machine: that it was trained on.
        date: when.
        figures: by test set, see `sr.inference.trained.Trained`.
    """

    name: str
    source: str
    file: str
    scale: int
    parameters: int
    kind: str
    on: str = ""
    command: str = ""
    seed: int | None = None
    machine: str = ""
    date: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def list_networks(files: Sequence[str], as_json: bool, trust: bool = False) -> int:
    """Print the networks that come with the package, those of finished runs below ``outputs/``, and some files.

    Args:
        files: more networks: runs elsewhere, or files.
        as_json: everything that is known, for programs, instead of the table.
        trust: networks from outside this toolkit may be imported.

    Returns:
        0, or `PARTLY_FAILED` where some cannot be read; the others are listed.
    """
    failures: list[str] = []
    found = [one for name in shipped() for one in _read(name, "shipped", trust, failures)]
    found += [one for run in find_runs([RUNS]) for one in _of_run(run)]
    found += [one for name in files for one in _read(name, "file", trust, failures)]
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=2))  # JSON escapes what a terminal would obey
    else:
        _print(found)
    for failure in failures:
        print_error(failure)
    return PARTLY_FAILED if failures else 0


def _read(name: str, source: str, trust: bool, failures: list[str]) -> Iterator[Listed]:
    """One network's file; nothing where it cannot be read, and why."""
    try:
        path = find_network(name)
        network, info = open_network(path, trust)
        trained = trained_of(info)
    except UserError as error:
        failures += error.args
        return
    parameters = parameters_of(network)
    told: dict[str, Any] = {} if trained is None else trained.plain()
    yield Listed(name, source, str(path), info.scale, parameters, type(network).__name__, **told)


def _of_run(run: Run) -> Iterator[Listed]:
    """A finished run's network, by what the run's folder says; nothing of an unfinished one."""
    network = run.folder.best if run.folder.best.exists() else run.folder.last
    summary, model, scale = run.summary or {}, run.config.get("model"), run.config.get("scale")
    if not (run.finished and network.exists() and isinstance(model, Mapping) and type(scale) is int):
        return
    command = read_command(run.folder.path)
    on = " ".join(f"{group}={command.choices[group]}" for group in ("data", "degradation") if group in command.choices)
    numbers = {key: summary["best"].get(key) for key in METRICS}
    numbers |= {f"{BICUBIC}{key}": summary["bicubic"].get(key) for key in METRICS}
    measured = {key: value for key, value in numbers.items() if value is not None and math.isfinite(value)}
    yield Listed(
        str(run.folder.path),
        "run",
        str(network),
        scale,
        int(summary["parameters"]),
        str(model.get("_target_", "")).rpartition(".")[2],
        on,
        command.line,
        run.seed,
        figures={"validation": measured} if "psnr_y" in measured else {},
    )


def _print(found: Sequence[Listed]) -> None:
    console = console_for_tables()
    if not found:
        say(console, f"no networks: none came with this installation, and no run has finished below {RUNS}/")
        return
    table = Table()
    table.add_column("name", overflow="fold")
    table.add_column("scale", justify="right", no_wrap=True)
    table.add_column("parameters", justify="right", no_wrap=True)
    for heading in ("kind", "trained on", "psnr_y (over bicubic)"):
        table.add_column(heading, overflow="fold")
    for one in found:
        cells = (f"x{one.scale}", f"{one.parameters:,}", one.kind, one.on, in_words(one.figures))
        table.add_row(one.name, *map(printable, cells))
    console.print(table)
    told = [one for one in found if one.source == "shipped" and one.command]
    for one in told:
        say(console, f"{one.name}: {one.command}   (seed {one.seed}, {one.machine}, {one.date})")
    say(console, f"use one: {verb('upscale', 'PHOTO', '--model', found[0].name)}")
