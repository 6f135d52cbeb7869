"""What `sr log` is asked, and the claims that this is about."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.config.experiments import matching
from sr.config.folder import CONF, config_groups
from sr.config.nearest import did_you_mean
from sr.errors import UserError
from sr.experiments import measuring
from sr.experiments.claims import Claim, read_claims

CLAIMS = CONF / "claims.yaml"


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
    full = name if "/" in name else f"log/{name.zfill(2) if name.isdigit() else name.replace('.', '_')}"
    found = [entry for entry in entries if entry.startswith(f"{name}/")] or matching(full, entries)
    if not found:
        numbers = [entry.removeprefix("log/").split("_")[0] for entry in entries if entry.startswith("log/")]
        raise UserError(
            f"--only {name}: the log has no such entry{did_you_mean(full, [*entries, *logs])}"
            + ("" if "/" in name else f"; entries are {numbers[0]} to {numbers[-1]}, logs {', '.join(logs)}")
        )
    return found


def run_name(entry: str, seed: int) -> str:
    """Of a run's folder: 31_alias_seed1 for log/31_alias, photo_notes_aaa_seed2 for photo_notes/aaa."""
    return f"{entry.removeprefix('log/').replace('/', '_')}_seed{seed}"
