"""From what the files hold to one verdict per file, and whether training would be safe."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from sr.data.doctor.alignment import Twin
from sr.data.doctor.duplicates import SIDE, near_pairs, same_picture
from sr.data.doctor.inspect import Facts
from sr.metrics.functional import PSNR_LIMIT

Role = Literal["train", "val", "lr"]
Verdict = Literal["ok", "ignored", "warning", "refused", "unsafe"]

VERDICTS: dict[str, Verdict] = {
    "other": "ignored",
    "unreadable": "refused",
    "leak": "unsafe",
    "pair": "unsafe",
    "alone": "warning",
    "shift": "warning",
    "duplicate": "warning",
    "near-duplicate": "warning",
    "upscaled": "warning",
    "small": "warning",
    "flat": "warning",
    "jpeg": "warning",
    "transparent": "warning",
    "animated": "warning",
    "cmyk": "warning",
    "profile": "warning",
    "test set": "warning",
}
"""Kinds of findings, the grave ones first, and the verdict that each brings."""

_GRAVITY: tuple[Verdict, ...] = ("ok", "ignored", "warning", "refused", "unsafe")

TEST_SETS = (
    *("set5", "set14", "bsd100", "b100", "bsds100", "urban100", "manga109"),
    *("mcmaster", "mcm", "kodak", "kodak24"),
)
"""Names of folders of the literature's test sets, in lower case. Never trained on: a network that has seen them has no
number to compare."""

SHIFT, GRAVE_SHIFT = 0.25, 0.5
"""High-resolution pixels; noise in a small picture alone is measured as up to 0.3."""

_FLAT_VAL = f": it says nothing of sharpness and lifts the mean PSNR, by counting with up to {PSNR_LIMIT:.2f} dB"
_LOW_QUALITY = 70
_GAIN, _OFFSET, _GAMMA = 0.15, 12.0, 0.15
_DIFFERENT = 0.7


@dataclass
class Report:
    """One file: what it holds, and what is wrong with it.

    Attributes:
        path: the file.
        role: high resolution for training or validation, or the low-resolution twins.
        facts: None where it cannot be read or is no picture.
        findings: (kind, text) pairs; kinds are those of `VERDICTS`.
    """

    path: Path
    role: Role
    facts: Facts | None = None
    findings: list[tuple[str, str]] = field(default_factory=list)

    @property
    def verdict(self) -> Verdict:
        """The gravest of the findings'."""
        return max((VERDICTS[kind] for kind, _ in self.findings), key=_GRAVITY.index, default="ok")

    def add(self, kind: str, text: str) -> None:
        """Note a finding."""
        self.findings.append((kind, text))


def judge_alone(report: Report, smallest: int) -> None:
    """Note what a file shows by itself.

    Args:
        report: of a readable file; gains findings.
        smallest: side of a training crop in high-resolution pixels.
    """
    facts = report.facts
    assert facts is not None
    if min(facts.width, facts.height) < smallest and report.role == "train":
        report.add("small", f"{facts.width}x{facts.height} is smaller than a crop of {smallest}x{smallest}")
    if facts.flat:
        report.add("flat", "every pixel has the same colour" + (_FLAT_VAL if report.role == "val" else ""))
    if 0 < facts.quality < _LOW_QUALITY:
        report.add("jpeg", f"JPEG of quality {facts.quality}: its blocks become part of what is learned")
    if facts.upscaled and report.role != "lr":
        report.add("upscaled", f"no fine detail: soft, or enlarged before by about x{facts.upscaled:g}")
    if facts.transparent:
        report.add(
            "transparent", "transparency is left out: what is fully transparent takes the nearest visible colour"
        )
    if facts.animated:
        report.add("animated", "only the first frame or page is used")
    if facts.mode == "CMYK":
        report.add("cmyk", "CMYK becomes RGB by the plain formula, without its colour profile")
    if facts.profile:
        report.add("profile", f"has the colour profile '{facts.profile}': its numbers are taken as they are")
    named = [part for part in report.path.absolute().parts[:-1] if part.lower() in TEST_SETS]
    if named and report.role == "train":
        report.add("test set", f"lies below a folder '{named[-1]}', the name of a test set: never train on it")


def judge_duplicates(reports: Sequence[Report]) -> None:
    """Note equal and nearly equal pictures, within a role and between training and validation.

    The first of several is left alone, the later ones name it. A picture for validation that training has too is a
    leak, on both sides.
    """
    order = [report for role in ("train", "val") for report in reports if report.role == role]
    order = [report for report in order if report.facts is not None and not report.facts.flat]
    facts = [report.facts for report in order if report.facts is not None]
    first: dict[tuple[Role, bytes], int] = {}
    for position, (report, fact) in enumerate(zip(order, facts, strict=True)):
        for role in ("train", "val"):
            original = first.get((role, fact.digest))
            if original is not None:
                _note(order[original], report, exact=True)
        first.setdefault((report.role, fact.digest), position)
    unique = sorted(first.values())
    for i, j in near_pairs([facts[position].phash for position in unique]):
        one, two = unique[i], unique[j]
        if facts[one].digest != facts[two].digest and same_picture(_small(facts[one]), _small(facts[two])):
            _note(order[one], order[two], exact=False)


def judge_pair(hr: Report, lr: Report, twin: Twin, scale: int) -> None:
    """Note what is wrong with a pair, at its low-resolution file.

    Args:
        hr: the high-resolution file.
        lr: its twin; gains findings.
        twin: how they relate.
        scale: that they should have.
    """
    if not twin.fits(scale):
        ratio = f"x{twin.hr[0] / twin.lr[0]:.3g} by x{twin.hr[1] / twin.lr[1]:.3g}"
        lr.add("pair", f"{_size(twin.lr)} beside {_size(twin.hr)} of '{hr.path}' is {ratio}, not x{scale}")
        return
    if twin.correlation < _DIFFERENT:
        lr.add("pair", f"shows something else than '{hr.path}' (correlation {twin.correlation:.2f})")
        return
    right, down = twin.shift
    if np.hypot(right, down) > SHIFT:
        kind = "pair" if np.hypot(right, down) > GRAVE_SHIFT else "shift"
        lr.add(kind, f"lies {right:+z.2f} px right and {down:+z.2f} px down of '{hr.path}' (pixels of that)")
    if abs(twin.gamma - 1) > _GAMMA:
        lr.add("pair", f"is '{hr.path}' with a gamma of {twin.gamma:.2f}")
    elif abs(twin.gain - 1) > _GAIN or abs(twin.offset) > _OFFSET:
        lr.add("pair", f"has other gray levels than '{hr.path}': {twin.gain:.2f} times these {twin.offset:+z.0f}")


@dataclass(frozen=True)
class Judgement:
    """Whether training would be safe.

    Attributes:
        faults: why not, one sentence each; empty where it would be.
        counts: files by verdict, findings by kind, and what pictures there are.
    """

    faults: list[str]
    counts: dict[str, dict[str, int]]

    @property
    def safe(self) -> bool:
        """Nothing speaks against training."""
        return not self.faults


def judge(
    reports: Sequence[Report],
    roles: Sequence[Role],
    refused: float,
    smallest: int,
    shifts: Sequence[tuple[float, float]],
) -> Judgement:
    """Decide.

    Args:
        reports: of all files.
        roles: those for which folders were given.
        refused: the largest share of unreadable pictures, 0..1.
        smallest: side of a training crop in high-resolution pixels.
        shifts: (right, down) of every pair whose sizes fit.
    """
    faults = []
    for role in roles:
        faults += _unreadable([report for report in reports if report.role == role], role, refused)
    sides = [min(r.facts.width, r.facts.height) for r in reports if r.role == "train" and r.facts is not None]
    if sides and max(sides) < smallest:
        faults.append(
            f"no picture has the {smallest}x{smallest} pixels of a crop, the largest has a side of {max(sides)}; "
            "choose larger pictures or a smaller --crop-size"
        )
    kinds = Counter(kind for report in reports for kind in dict(report.findings))
    leaks = sum(1 for report in reports if report.role == "val" and "leak" in dict(report.findings))
    if leaks:
        faults.append(f"{leaks} pictures for validation are also trained on; take them out of one of the two")
    if kinds["pair"]:
        faults.append(f"{kinds['pair']} files do not fit into pairs; mend or remove them")
    if len(shifts) > 2:
        right, down = np.median(np.array(shifts), axis=0).tolist()
        if np.hypot(right, down) > SHIFT:
            faults.append(
                f"the low-resolution pictures lie {right:+z.2f} px right and {down:+z.2f} px down of where they belong "
                "(median, pixels of the high-resolution ones); shrink them with their corners aligned, as `sr` does"
            )
    return Judgement(faults, _counts(reports, kinds))


def _unreadable(reports: Sequence[Report], role: Role, refused: float) -> list[str]:
    pictures = [report for report in reports if report.verdict != "ignored"]
    bad = sum(report.facts is None for report in pictures)
    if bad == len(pictures):
        others = len(reports) - len(pictures)
        return [f"there is no readable picture ({role}): {bad} cannot be read, {others} files are no pictures"]
    if bad <= refused * len(pictures):
        return []
    return [
        f"{bad} of {len(pictures)} pictures ({role}) cannot be read, more than the share of {refused:g} that is "
        "allowed; mend or remove them, or allow more with --refused"
    ]


def _counts(reports: Sequence[Report], kinds: Counter[str]) -> dict[str, dict[str, int]]:
    facts = [report.facts for report in reports if report.facts is not None]
    return {
        "verdicts": _sorted(Counter(report.verdict for report in reports)),
        "roles": _sorted(Counter(report.role for report in reports if report.facts is not None)),
        "findings": {kind: kinds[kind] for kind in VERDICTS if kinds[kind]},
        "formats": _sorted(Counter(fact.format for fact in facts)),
        "modes": _sorted(Counter(fact.mode for fact in facts)),
        "more than 8 bits": {"files": sum(fact.deep for fact in facts)},
    }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(counts.most_common())


def _note(original: Report, copy: Report, exact: bool) -> None:
    same = "the same pixels as" if exact else "nearly the same picture as"
    if original.role != copy.role:
        original.add("leak", f"{same} '{copy.path}' ({copy.role})")
        copy.add("leak", f"{same} '{original.path}' ({original.role})")
    else:
        copy.add("duplicate" if exact else "near-duplicate", f"{same} '{original.path}'")


def _small(facts: Facts) -> np.ndarray:
    return np.frombuffer(facts.small, dtype=np.uint8).reshape(SIDE, SIDE)


def _size(size: Iterable[int]) -> str:
    return "x".join(str(side) for side in size)
