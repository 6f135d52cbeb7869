"""Run folders as one table: what every run is, how it stands, and what it reached beside bicubic.

Everything is read from the folders, whoever trained and however that ended.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sr.errors import UserError
from sr.experiments.failure import FILE as FAILURE
from sr.experiments.failure import read_failure
from sr.experiments.runs import CONFIG, Run, columns, folders_with
from sr.files import real_path
from sr.locks import in_use
from sr.plain_yaml import read_plain_yaml
from sr.training.columns import CONSISTENCY, CYCLE, METRICS, Best
from sr.training.keeping.claim import LOCK
from sr.training.keeping.command import Command, read_command
from sr.training.keeping.run_folder import EXPLODED, FINISHED, PRUNED, RunFolder
from sr.training.keeping.tables import read_table

State = Literal["finished", "running", "interrupted", "cut off", "exploded", "pruned", "failed", "foreign"]
"""``cut off``: it neither ended nor runs; ``foreign``: a folder with a config.yaml that no run of ours has written."""
At = Literal["best", "final"]
_VAL, _BICUBIC = "val/", "val/bicubic/"

Pictures = Mapping[tuple[str, str], Mapping[str, float]]
"""Metrics by (set, picture)."""


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        name: unique in its table: the folder's, with as much of its path as tells it apart.
        run: its folder, configuration and summary.
        command: what made it; empty for runs of earlier versions.
        state: how it stands.
        sentence: why it failed or ended before its time; empty where there is nothing to say.
        updates: so many it made.
        seconds: of training; NaN where not known.
        updates_per_second: NaN where not known.
        pictures_per_second: crops; NaN where not known.
        parameters: of the network; None where not known.
        best: what its best validation measured, by column; empty before the first.
        best_updates: when that was; -1 before.
        final: what its last validation measured, by column.
        bicubic: bicubic's, by column.
        pictures: names of its validation pictures, as (set, picture), in their order.
    """

    name: str
    run: Run
    command: Command
    state: State
    sentence: str = ""
    updates: int = 0
    seconds: float = math.nan
    updates_per_second: float = math.nan
    pictures_per_second: float = math.nan
    parameters: int | None = None
    best: Mapping[str, float] = field(default_factory=dict)
    best_updates: int = -1
    final: Mapping[str, float] = field(default_factory=dict)
    bicubic: Mapping[str, float] = field(default_factory=dict)
    pictures: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.run.folder.path

    @property
    def scale(self) -> int | None:
        """Its factor; None where the configuration has none."""
        scale = self.run.config.get("scale")
        return scale if type(scale) is int else None

    @property
    def recoveries(self) -> int:
        """How often it was put back after an explosion."""
        count = (self.run.summary or {}).get("recoveries", 0)
        return count if type(count) is int else 0

    @property
    def judged_on(self) -> tuple[Any, ...]:
        """What its numbers are measured on; those of two runs are compared only where this is equal."""
        return (*self.measured_by, self.pictures)

    @property
    def measured_by(self) -> tuple[Any, ...]:
        """Scale, and the pictures as they are degraded, told by what bicubic reaches there.

        Of a run without a table of its pictures this is all that is known.
        """
        return (self.scale, tuple((name, round(self.bicubic[name], 2)) for name in _measured(self)))

    def measures(self, at: At) -> Mapping[str, float]:
        """Of its best or of its last validation."""
        return self.best if at == "best" else self.final

    def by_picture(self, at: At) -> Pictures:
        """What the best or the last validation measured of each picture; empty where that is not known."""
        rows = _picture_rows(self.run.folder)
        updates = {int(row["updates"]) for row in rows}
        wanted = self.best_updates if at == "best" else max(updates, default=-1)
        return {
            (row.get("set", ""), row.get("picture", "")): {
                name: number
                for name, text in row.items()
                if name not in ("updates", "set", "picture") and math.isfinite(number := _number(text))
            }
            for row in rows
            if int(row["updates"]) == wanted
        }


def rows_of(roots: Sequence[Path]) -> list[Row]:
    """A row per run below some folders, in the order of their paths.

    Args:
        roots: run folders, or folders that hold such at any depth; missing ones have none.
    """
    found = {real_path(folder): folder for folder in folders_with(roots, (CONFIG, FAILURE))}
    folders = sorted(found.values(), key=_natural)
    return [_row(name, run_in(folder)) for name, folder in zip(_unique_names(folders), folders, strict=True)]


def row_in(folder: Path) -> Row | None:
    """The row of the run in a folder; None where none has begun there."""
    return _row(folder.name, run_in(folder)) if any((folder / name).is_file() for name in (CONFIG, FAILURE)) else None


def run_in(folder: Path) -> Run:
    """The run in a folder; without a configuration where there is none that can be read."""
    place = RunFolder(folder)
    try:
        config = read_plain_yaml(place.config)
    except UserError:
        config = {}
    return Run(place, config, place.read_summary())


def _row(name: str, run: Run) -> Row:
    folder = run.folder
    command = read_command(folder.path)
    state, sentence = _state(run)
    summary = run.summary
    common: dict[str, Any] = {"name": name, "run": run, "command": command, "state": state, "sentence": sentence}
    if state == "foreign":
        return Row(**common)
    pictures = tuple(dict.fromkeys((r.get("set", ""), r.get("picture", "")) for r in _picture_rows(folder)))
    if summary is not None and state not in ("running", "cut off"):
        best = {name: value for name, value in summary["best"].items() if name != "updates"}
        return Row(
            **common,
            updates=int(summary["updates"]),
            seconds=float(summary["seconds"]),
            updates_per_second=float(summary["updates_per_second"]) or math.nan,  # 0: resumed at its end
            pictures_per_second=_rate(summary),
            parameters=int(summary["parameters"]),
            best=best,
            best_updates=_at(summary["best"].get("updates", math.nan)),
            final=summary["final"],
            bicubic=summary["bicubic"],
            pictures=pictures,
        )
    return _from_metrics(common, run, pictures)


def _at(updates: float) -> int:
    """-1 for what is no number of updates, as somebody may have written."""
    return int(updates) if math.isfinite(updates) else -1


def _rate(summary: Mapping[str, Any]) -> float:
    rate: Any = summary.get("pictures_per_second")
    return float(rate) if type(rate) in (int, float) else math.nan


def _from_metrics(common: Mapping[str, Any], run: Run, pictures: tuple[tuple[str, str], ...]) -> Row:
    """A run without a summary of now: what its table of values says so far."""
    try:
        table = columns(run)
        updates = [int(value) for value in table.get("updates", [])]
    except (UserError, ValueError, OverflowError):  # as of a stranger's 1e999 updates
        damaged = run.folder.metrics.is_file() and "metrics.csv is damaged"
        return Row(**{**common, "sentence": common["sentence"] or damaged or ""}, pictures=pictures)
    names = [name for name in table if name.startswith(_VAL) and not name.startswith(_BICUBIC)]
    without_truth = names and f"{_VAL}{METRICS[0]}" not in names  # see sr.training.columns
    alone, monitor = CYCLE[0] if f"{_VAL}{CYCLE[0]}" in names else CONSISTENCY, _monitor(run)
    metric = alone if without_truth and f"{_VAL}{monitor}" not in names else monitor
    best, final, bicubic = Best(metric), dict[str, float](), dict[str, float]()
    for index, update in enumerate(updates):
        values = {name.removeprefix(_VAL): table[name][index] for name in names}
        if any(map(math.isfinite, values.values())):
            final = {name: value for name, value in values.items() if math.isfinite(value)}
            best.take({best.metric: math.nan} | final, update)
            bicubic = {n.removeprefix(_BICUBIC): table[n][index] for n in table if n.startswith(_BICUBIC)}
    rates = [
        next((value for value in reversed(table.get(name, [])) if math.isfinite(value)), math.nan)
        for name in ("train/updates_per_second", "train/pictures_per_second")
    ]
    return Row(
        **common,
        updates=max(updates, default=0),
        updates_per_second=rates[0],
        pictures_per_second=rates[1],
        best=best.values,
        best_updates=best.updates,
        final=final,
        bicubic=bicubic,
        pictures=pictures,
    )


def _monitor(run: Run) -> str:
    """The metric that decides which network of a run is the best."""
    trainer = run.config.get("trainer")
    monitor = trainer.get("monitor") if isinstance(trainer, Mapping) else None
    first = monitor[0] if isinstance(monitor, list) and monitor else monitor
    return first if isinstance(first, str) else METRICS[0]


def _state(run: Run) -> tuple[State, str]:
    if in_use(run.folder.path / LOCK):
        return "running", ""
    failed = read_failure(run.folder.path)
    if failed:
        return "failed", failed
    if not _is_ours(run.config):
        return "foreign", "its config.yaml is none that a run of this program has written"
    if run.reason in FINISHED:
        return "finished", ""
    if run.reason == EXPLODED:
        return "exploded", f"exploded after {run.updates} updates"
    if run.reason == PRUNED:
        return "pruned", f"the search gave it up after {run.updates} updates"
    if run.reason is not None:
        return "interrupted", f"at update {run.updates}"
    damaged = run.folder.summary.exists()
    return "cut off", f"{run.folder.summary.name} is damaged" if damaged else ""


def _is_ours(config: Mapping[str, Any]) -> bool:
    return isinstance(config.get("model"), Mapping) and isinstance(config.get("trainer"), Mapping)


def _measured(row: Row) -> list[str]:
    """Columns of bicubic that say what pictures these are; LPIPS may be measured on one machine and not on another."""
    return [name for name in row.bicubic if name.endswith(("psnr_y", "psnr_rgb")) and math.isfinite(row.bicubic[name])]


def _picture_rows(folder: RunFolder) -> list[dict[str, str]]:
    try:
        return read_table(folder.by_picture)[1] if folder.by_picture.is_file() else []
    except (UserError, OSError):  # of another program, or not ours to read
        return []


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _natural(path: Path) -> list[tuple[int, str]]:
    """Order in which 2_… comes before 10_…."""
    return [(int(head) if (head := part.partition("_")[0]).isdecimal() else -1, part) for part in path.parts]


def _unique_names(folders: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell them apart."""
    wholes = [real_path(folder).parts for folder in folders]
    names = []
    for parts in wholes:
        length = 1
        while length < len(parts) and sum(other[-length:] == parts[-length:] for other in wholes) > 1:
            length += 1
        names.append("/".join(parts[-length:]))
    return names
