"""docs/LOG.md and docs/log.json: the log with our verdicts, made from run folders and nothing else."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sr.experiments.judging import Judged
from sr.experiments.verdicts import FAILS, HOLDS, NOT_RUN, UNDECIDED, UNMEASURED, UNTESTABLE

TRIAL = "smoke"
NO_CLAIM = f"size={TRIAL} is three updates of the smallest networks, for tests: its numbers say nothing about any claim"
_ORDER = (HOLDS, FAILS, UNDECIDED, "seen", UNTESTABLE, UNMEASURED, NOT_RUN)


@dataclass(frozen=True)
class Entry:
    """An experiment as the page shows it.

    Attributes:
        name: such as ``log/31_alias``.
        words: the header of its file: what the log says, which settings are facts.
        command: that trains it.
        judged: its claims.
        picture: beside the page, or None.
    """

    name: str
    words: str
    command: str
    judged: Sequence[Judged]
    picture: str | None = None


@dataclass(frozen=True)
class Made:
    """How the runs of a page were made.

    Attributes:
        size: of all of them.
        command: that makes them.
        machines: on which they ran, with the version of PyTorch.
        days: first and last on which one ended.
        runs: how many.
        hours: of training, all together.
    """

    size: str
    command: str
    machines: Sequence[str]
    days: tuple[str, str]
    runs: int
    hours: float


def header_of(path: Path) -> str:
    """The comment at the top of an experiment's file, line by line, without Hydra's directive."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if "@package" not in line:
            lines.append(line.removeprefix("#").strip())
    return "\n".join(lines)


def as_json(entries: Sequence[Entry], size: str) -> str:
    """One object per claim."""
    objects = [_object(judged, size) for entry in entries for judged in entry.judged]
    return json.dumps(objects, indent=1, ensure_ascii=False) + "\n"


def _object(judged: Judged, size: str) -> dict[str, Any]:
    claim, found = judged.claim, judged.found
    return {
        "entry": claim.entry,
        "claim": claim.name,
        "says": claim.says,
        "test": claim.text,
        "margin": claim.margin or None,
        "verdict": judged.verdict,
        "value": None if found is None else _short(found.mean),
        "spread": None if found is None or found.deviation is None else _short(found.deviation),
        "interval": None if found is None or found.interval is None else [_short(end) for end in found.interval],
        "seeds": list(judged.seeds),
        "differences": {str(seed): _short(value) for seed, value in judged.differences.items()},
        "reason": judged.reason,
        "features": judged.features,
        "size": size,
    }


def _short(value: float) -> float:
    return float(f"{value:.5g}")


def as_markdown(entries: Sequence[Entry], made: Made, kept: str) -> str:
    """The page.

    Args:
        entries: in the log's order.
        made: how the runs were made.
        kept: path of the JSON file beside the page.
    """
    parts = [*_head(entries, made, kept), *(line for entry in entries for line in _section(entry))]
    return "\n".join(parts).rstrip() + "\n"


def _head(entries: Sequence[Entry], made: Made, kept: str) -> Iterator[str]:
    judged = [one for entry in entries for one in entry.judged]
    counts = Counter(_kind(one.verdict) for one in judged)
    total = ", ".join(f"{counts[kind]} {kind}" for kind in _ORDER if counts[kind])
    days = made.days[0] if made.days[0] == made.days[1] else f"{made.days[0]} to {made.days[1]}"
    yield "# The experiment log, with verdicts"
    yield ""
    yield (
        f"Written by `uv run sr log --write` from {made.runs} runs at `size={made.size}` ({made.hours:.1f} hours of "
        f"training, {days}; {'; '.join(made.machines)}), which `{made.command}` makes. Every claim of the log is a "
        "comparison in conf/claims.yaml, with a margin that was written down before the runs; docs/experiments.md has "
        f"the rules. The same as data: [{kept}]({kept})."
    )
    yield ""
    yield f"{len(judged)} claims of {len(entries)} entries: {total}." + (f" {NO_CLAIM}." if made.size == TRIAL else "")
    yield ""
    yield "The command below an entry is its own run alone: what it starts from comes first."
    yield ""
    yield "| entry | claim | verdict | difference | seeds |"
    yield "|---|---|---|---|---|"
    for entry in entries:
        for one in entry.judged:
            link = f"[{entry.name}](#{_anchor(entry.name)})"
            yield f"| {link} | {_cell(one.claim.says)} | {one.verdict} | {value_of(one)} | {_seeds(one)} |"
    yield ""


def _section(entry: Entry) -> Iterator[str]:
    yield f"## {entry.name}"
    yield ""
    yield from (f"> {line}".rstrip() for line in entry.words.split("\n"))
    yield ""
    yield f"`{entry.command}`"
    yield ""
    for one in entry.judged:
        yield f"- **{one.verdict}**: {one.claim.says}. {_how(one)}"
    if entry.picture is not None:
        yield ""
        yield f"![bicubic, {entry.name}, truth, error]({entry.picture})"
    yield ""


def _how(one: Judged) -> str:
    claim = one.claim
    parts = []
    if claim.text:
        margin = f", margin {claim.margin:g} ({claim.why})" if claim.margin else ""
        parts.append(f"Test: `{claim.text}`{margin}.")
    if one.found is not None:
        parts.append(f"Left minus right: {value_of(one)}, {_seeds(one)}.")
    parts += [f"{text[0].upper()}{text[1:].rstrip('.')}." for text in (one.reason, claim.note, one.features) if text]
    return " ".join(parts)


def value_of(one: Judged) -> str:
    """The mean difference with its spread; empty where nothing was compared."""
    if one.found is None:
        return ""
    spread = "" if one.found.deviation is None else f" ± {one.found.deviation:.2g}"
    return f"{one.found.mean:+.3g}{spread}"


def _seeds(one: Judged) -> str:
    if not one.seeds:
        return ""
    return f"seed{'s' if len(one.seeds) > 1 else ''} {', '.join(map(str, one.seeds))}"


def _kind(verdict: str) -> str:
    return "seen" if verdict.startswith("seen") else verdict


def _anchor(name: str) -> str:
    return "".join(c for c in name.lower() if c.isalnum() or c in "_- ").replace(" ", "-")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def grouped(judged: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Claims by their entry, in the order of the entries' names."""
    by_entry: dict[str, list[Judged]] = {}
    for one in sorted(judged, key=lambda one: one.claim.entry):
        by_entry.setdefault(one.claim.entry, []).append(one)
    return by_entry


def made_of(summaries: Sequence[Mapping[str, Any]], size: str, command: str) -> Made:
    """How runs were made, by their summaries."""
    days = sorted(str(summary["ended"]) for summary in summaries if summary.get("ended")) or [""]
    machines = sorted({str(summary["machine"]) for summary in summaries if summary.get("machine")})
    hours = sum(float(summary.get("seconds") or 0) for summary in summaries) / 3600
    return Made(size, command, machines, (days[0], days[-1]), len(summaries), hours)
