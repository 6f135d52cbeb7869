"""The whole check: list, read behind limits, compare, judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sr.data.doctor.alignment import Twin, compare
from sr.data.doctor.guarded import Failure, Guarded, Limits
from sr.data.doctor.inspect import Facts, inspect, sniff
from sr.data.doctor.listing import list_files
from sr.data.doctor.verdict import Judgement, Report, Role, judge, judge_alone, judge_duplicates, judge_pair
from sr.data.kinds.matching import match_names, sides_of
from sr.files import real_path
from sr.printable import printable

OnProgress = Callable[[str, int, int], None]
"""Told (what, done, total)."""

_NO_PICTURE = "no picture by its name"


@dataclass(frozen=True)
class Question:
    """What is to be checked.

    Args:
        train: folders (or files) of high-resolution pictures.
        val: likewise, for validation; may be empty.
        lr: low-resolution twins of ``train``; may be empty.
        scale: high-resolution pixels per low-resolution one.
        crop: side of a training crop in low-resolution pixels.
        refused: largest share of unreadable pictures, 0..1.
        workers: processes that read.
        limits: per file.

    Raises:
        ValueError: a number is out of its range.
    """

    train: Sequence[Path]
    val: Sequence[Path] = ()
    lr: Sequence[Path] = ()
    scale: int = 2
    crop: int = 48
    refused: float = 0.1
    workers: int = 2
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        for name in ("scale", "crop", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if not 0 <= self.refused <= 1:
            raise ValueError(f"refused={self.refused} must lie in 0..1")


def examine(question: Question, on_progress: OnProgress) -> tuple[list[Report], Judgement]:
    """Look at every file.

    Memory grows by about 4 KiB per file and holds one picture per process.

    Args:
        question: what to check.
        on_progress: told how far it is.

    Returns:
        One report per file, in the order of the folders, and whether training would be safe.

    Raises:
        UserError: there is no such folder.
    """
    reports = _listed(question)
    _read(reports, question, on_progress)
    smallest = question.crop * question.scale
    for report in reports:
        if report.facts is not None:
            judge_alone(report, smallest)
    judge_duplicates(reports)
    shifts = _pairs(reports, question, on_progress)
    asked = [role for role, folders in _folders(question) if folders]
    return reports, judge(reports, asked, question.refused, smallest, shifts)


def _folders(question: Question) -> list[tuple[Role, Sequence[Path]]]:
    return [("train", question.train), ("val", question.val), ("lr", question.lr)]


def _listed(question: Question) -> list[Report]:
    reports = []
    together = _together(question)
    for role, folders in _folders(question):
        if together and role == "lr":
            continue  # looked at as what is trained on
        listing = list_files(folders)
        pictures = [Report(path, role) for path in listing.pictures]
        reports += _by_side(pictures, question) if together and role == "train" else pictures
        for path, reason in listing.closed:
            reports.append(Report(path, role, findings=[("unreadable", f"the folder cannot be listed ({reason})")]))
        reports += [Report(path, role, findings=[("other", _NO_PICTURE)]) for path in listing.others]
    return reports


def _together(question: Question) -> bool:
    """Whether both sides of the pairs lie in one folder, as RealSR's do."""
    roots = [[real_path(root) for root in folders] for folders in (question.train, question.lr)]
    return bool(roots[0]) and roots[0] == roots[1]


def _by_side(reports: list[Report], question: Question) -> list[Report]:
    """Each report on its side, told by its name; of another scale on neither."""
    names = _names(reports, question.train)
    high, low = sides_of(names, question.scale)
    if high == low:  # their endings tell nothing
        return [*reports, *(replace(report, role="lr", findings=[]) for report in reports)]
    for report, name in zip(reports, names, strict=True):
        if name in low:
            report.role = "lr"
        elif name not in high:
            report.findings.append(("other", f"by its name on neither side of x{question.scale}"))
    return reports


def look(job: tuple[str, bool]) -> Facts | str:
    """Read a picture (true), or only say what format the start of a file looks like."""
    path, picture = job
    return inspect(path) if picture else sniff(path)


def _read(reports: Sequence[Report], question: Question, on_progress: OnProgress) -> None:
    todo = [report for report in reports if report.findings in ([], [("other", _NO_PICTURE)])]
    jobs = [(str(report.path), not report.findings) for report in todo]
    on_progress("files", 0, len(jobs))
    for done, (position, found) in enumerate(Guarded(look, question.workers, question.limits).run(jobs), 1):
        report = todo[position]
        if isinstance(found, Facts):
            report.facts = found
        elif not report.findings:
            report.add("unreadable", _without_path(found, report.path))
        elif isinstance(found, str) and found:
            report.findings[0] = ("other", f"no picture by its name, though it looks like {found}; training ignores it")
        on_progress("files", done, len(jobs))


def _without_path(found: str | Failure, path: Path) -> str:
    text = found.reason if isinstance(found, Failure) else found
    return text.removeprefix(f"cannot read '{printable(path)}': ")


def _pairs(reports: Sequence[Report], question: Question, on_progress: OnProgress) -> list[tuple[float, float]]:
    """Notes what is wrong with the pairs; returns their shifts."""
    if not question.lr:
        return []
    hr = [report for report in reports if report.role == "train" and report.verdict != "ignored"]
    lr = [report for report in reports if report.role == "lr" and report.verdict != "ignored"]
    pairs = _paired(hr, lr, question)
    readable = [(one, two) for one, two in pairs if one.facts is not None and two.facts is not None]
    for one, two in pairs:
        if (one.facts is None) != (two.facts is None):
            good, bad = (two, one) if one.facts is None else (one, two)
            good.add("alone", f"its twin '{bad.path}' cannot be read")
    jobs = [(str(one.path), str(two.path), question.scale) for one, two in readable]
    on_progress("pairs", 0, len(jobs))
    shifts = []
    for done, (position, found) in enumerate(Guarded(compare, question.workers, question.limits).run(jobs), 1):
        one, two = readable[position]
        if isinstance(found, Twin):
            judge_pair(one, two, found, question.scale)
            if found.fits(question.scale):
                shifts.append(found.shift)
        else:
            two.add("unreadable", _without_path(found, two.path))
        on_progress("pairs", done, len(jobs))
    return shifts


def _paired(hr: Sequence[Report], lr: Sequence[Report], question: Question) -> list[tuple[Report, Report]]:
    """Pairs by the rules of ``data=paired``; notes the files without a twin."""
    high = dict(zip(_names(hr, question.train), hr, strict=True))
    low = dict(zip(_names(lr, question.lr), lr, strict=True))
    twins = match_names(list(high), list(low), question.scale)
    alone = [(high[name], "low-resolution") for name in high.keys() - twins.keys()]
    alone += [(low[name], "high-resolution") for name in low.keys() - set(twins.values())]
    for report, others in alone:
        report.add("pair", f"has no {others} twin by its name, or shares its name with another file")
    return [(high[one], low[two]) for one, two in twins.items()]


def _names(reports: Sequence[Report], roots: Sequence[Path]) -> list[str]:
    """Paths below the folder; whole paths where there are several."""
    if len(roots) == 1 and roots[0].is_dir():
        return [report.path.relative_to(roots[0]).as_posix() for report in reports]
    return [report.path.as_posix() for report in reports]
