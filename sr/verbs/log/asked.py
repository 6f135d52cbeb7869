"""What `sr log` is asked, and the claims that this is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.config.experiments import beside, matching
from sr.config.folder import CONF, config_groups
from sr.config.nearest import did_you_mean, near_files, neighbours
from sr.errors import UserError
from sr.experiments import measuring
from sr.experiments.claims import Claim, read_claims
from sr.printable import printable

CLAIMS = CONF / "claims.yaml"
RECORDS = "log"
"""Folder of the records of a page's runs, beside it."""
LOG = "log"
"""The log whose entries are known by their numbers."""


@dataclass(frozen=True)
class Question:
    """What `sr log` is asked.

    Attributes:
        only: numbers or names of entries, or logs; empty for all.
        size: of the runs.
        seeds: that are looked at.
        roots: folders that hold runs.
    """

    only: Sequence[str]
    size: str
    seeds: Sequence[int]
    roots: Sequence[Path]


def all_claims() -> list[Claim]:
    """The claims of all logs.

    Raises:
        UserError: a line per fault of conf/claims.yaml.
    """
    experiments = config_groups(CONF)["experiment"]

    def named(reference: str) -> str | None:
        found = matching(reference, experiments)
        return found[0] if len(found) == 1 else None

    return read_claims(CLAIMS, experiments, measuring.measures(), named)


def chosen(claims: Sequence[Claim], only: Sequence[str]) -> list[Claim]:
    """Claims of the entries asked for.

    Args:
        claims: all.
        only: numbers (31), names (log/31_alias) or logs (photo_notes); empty for all.

    Raises:
        UserError: an entry that has none.
    """
    entries = list(dict.fromkeys(claim.entry for claim in claims))
    logs = list(dict.fromkeys(entry.partition("/")[0] for entry in entries))
    found = {entry for name in only for entry in _entries(name, entries, logs)}
    return [claim for claim in claims if not only or claim.entry in found]


def _entries(name: str, entries: Sequence[str], logs: Sequence[str]) -> list[str]:
    full = name if "/" in name else f"{LOG}/{name.zfill(2) if name.isdigit() else name.replace('.', '_')}"
    found = [entry for entry in entries if entry.startswith(f"{name}/")] or matching(full, entries)
    if not found:
        own = [entry.removeprefix(f"{LOG}/") for entry in entries]
        near = (
            neighbours(beside(full, entries)[:1])
            if name.isdigit()
            else did_you_mean(name, entries if "/" in name else [*own, *logs])
        )
        numbers = [one.split("_")[0] for entry, one in zip(entries, own, strict=True) if entry != one]
        raise UserError(
            f"--only {printable(name)}: the log has no such entry{near}"
            + ("" if "/" in name else f"; entries are {numbers[0]} to {numbers[-1]}, logs {', '.join(logs)}")
        )
    return found


def default_roots() -> list[Path]:
    """Where runs go, and in a clone of this repository the records that it publishes."""
    return [Path("outputs"), *(path for path in (Path("docs") / RECORDS,) if path.is_dir())]


def check_roots(roots: Sequence[Path], made: bool) -> None:
    """Refuse folders of runs that are not there: their runs would read as not run.

    Args:
        roots: as typed.
        made: the first one is made, for new runs.

    Raises:
        UserError: one is missing, or a file.
    """
    for number, root in enumerate(roots):
        if root.exists() and not root.is_dir():
            raise UserError(f"--runs {printable(root)} is a file; name a folder that holds runs")
        if not root.exists() and not (made and number == 0):
            raise UserError(f"--runs {printable(root)}: there is no such folder{neighbours(near_files(root))}")


def run_name(entry: str, seed: int) -> str:
    """Of a run's folder: 31_alias_seed1 for log/31_alias, photo_notes_aaa_seed2 for photo_notes/aaa."""
    return f"{entry.removeprefix(f'{LOG}/').replace('/', '_')}_seed{seed}"
