"""Put a finished run's network into the package, with what made it and what it reaches.

uv run sr evaluate outputs/RUN/last.safetensors --set Set14 --set BSD100 --csv figures.csv
uv run python tools/ship_network.py outputs/RUN x2 --figures figures.csv
"""

import argparse
import csv
import math
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sr.errors import USER_ERROR, UserError
from sr.experiments.runs import Run, find_runs
from sr.inference.networks import SHIPPED
from sr.inference.trained import BICUBIC, KEY, METRICS, Trained, in_words
from sr.models.files import check_finite, load_network, save_network
from sr.models.parameters import parameters_of
from sr.printable import printable
from sr.training.keeping.command import read_command
from sr.training.machine import machine

LARGEST = 1_000_000
"""Bytes of a shipped network."""
LAST = "last.safetensors"
"""The run's network that is shipped: PSNR decides another, and a table must be of the same."""


def ship(run: Path, name: str, figures: Sequence[str], made_on: str, on: str | None, folder: Path = SHIPPED) -> Path:
    """Write the shipped file of a run's last network (the average of the weights, as the run delivers it).

    Args:
        run: folder of a finished run.
        name: of the shipped network.
        figures: tables of `sr evaluate --csv`: of this network, with bicubic beside it; see `read_figures`.
        made_on: the machine that trained it.
        on: what it was trained on, in words; None takes the run's choices.
        folder: where shipped networks lie.

    Raises:
        UserError: the run has not finished, a table does not fit, or the file would be too large.
    """
    found = next(iter(find_runs([run])), None)
    if found is None or not found.finished or found.folder.path != run:
        raise UserError(f"{printable(run)} is not the folder of a finished run; give one, as outputs/RUN")
    network, info = load_network(found.folder.last)
    check_finite(info.path, network.state_dict())
    try:
        trained = _trained(found, read_figures(figures, info.scale), made_on, on)
    except ValueError as error:
        raise UserError(f"{printable(run)}: {printable(error)}") from error
    if sum(value.numel() * value.element_size() for value in network.state_dict().values()) > LARGEST:
        raise UserError(f"{printable(info.path)} is larger than {LARGEST / 1e6:g} MB; ship a smaller network")
    target = folder / f"{name}.safetensors"
    save_network(target, network, info.config, {"updates": found.updates, KEY: trained.plain()})
    return target


def _trained(run: Run, figures: dict[str, dict[str, float]], made_on: str, on: str | None) -> Trained:
    command = read_command(run.folder.path)
    choices = [f"{group}={command.choices[group]}" for group in ("data", "degradation") if group in command.choices]
    date = datetime.fromtimestamp(run.ended, UTC).date().isoformat()
    return Trained(command.line, run.seed, made_on, date, on or " ".join(choices), figures)


def read_figures(tables: Iterable[str], scale: int) -> dict[str, dict[str, float]]:
    """What tables of `sr evaluate --csv` say, by set; rows of bicubic stand beside those of the network.

    Args:
        tables: the files; ``NAME=FILE`` calls the set NAME.
        scale: of the network; rows of another scale are left out.

    Raises:
        UserError: a file is no such table, is of another network, has several, or a set that is called by its folder.
    """
    own: dict[str, dict[str, float]] = {}
    for table in tables:
        called, _, path = table.rpartition("=")
        for row in _rows(Path(path)):
            if row.get("scale") not in (None, "", str(scale)):
                continue
            if row["model"] != "bicubic" and Path(row["model"]).name != LAST:
                raise UserError(
                    f"{printable(path)} is of {printable(row['model'])}, and {LAST} is what is shipped: make the table "
                    f"with sr evaluate outputs/RUN/{LAST}"
                )
            before, name = BICUBIC if row["model"] == "bicubic" else "", called or row["set"]
            if any(sign in name for sign in "/\\"):
                raise UserError(
                    f"{printable(name)} is a folder of this machine; name the set with --figures NAME={path}"
                )
            numbers = own.setdefault(name, {})
            if f"{before}psnr_y" in numbers:
                raise UserError(f"{printable(path)} has a second row of {printable(name)}; leave one network")
            for metric in METRICS:
                if row.get(metric) and math.isfinite(float(row[metric])):
                    numbers[f"{before}{metric}"] = round(float(row[metric]), 4)
    return own


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(
            f"{printable(path)} cannot be read ({printable(error)}); give a table of sr evaluate"
        ) from error
    if not rows or any(row.get(key) is None for row in rows for key in ("model", "set", "psnr_y")):
        raise UserError(f"{printable(path)} is not a table that `sr evaluate --csv FILE` wrote")
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a finished run")
    parser.add_argument("name", metavar="NAME", help="of the shipped network: x2, x4_web")
    parser.add_argument(
        "--figures", action="append", required=True, metavar="[SET=]CSV", help="of sr evaluate; repeatable"
    )
    parser.add_argument("--machine", default=machine(), help="that trained it  [default: this one]")
    parser.add_argument("--on", help="what it was trained on, in words  [default: the run's data and degradation]")
    asked = parser.parse_args()
    try:
        path = ship(asked.run, asked.name, asked.figures, asked.machine, asked.on)
        network, info = load_network(path)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(USER_ERROR) from None
    trained = Trained(**info.extra[KEY])
    print(f"{path}: {path.stat().st_size / 1e3:.0f} kB; its line of docs/networks.md:")
    cells = (
        f"`{asked.name}` (x{info.scale})",
        f"{parameters_of(network):,}",
        in_words(trained.figures),
        f"`{trained.command}`, seed {trained.seed}",
    )
    print(f"| {' | '.join(cells)} | {trained.machine}, {trained.date} |")


if __name__ == "__main__":
    main()
