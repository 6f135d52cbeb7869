"""Claims: what a log says, as comparisons of measures between runs. conf/claims.yaml holds them."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import yaml

from sr.errors import UserError
from sr.experiments.verdicts import Relation

_QUANTITY = r"(?P<entry>[a-z][\w]*(?:/\w+)+)\.(?P<measure>\w+(?:\.\w+)?)"
_TERM = re.compile(rf"\s*(?P<sign>[+-]?)\s*(?:{_QUANTITY}|(?P<number>\d+(?:\.\d+)?))\s*")
_EXPLODES = re.compile(r"explodes (?P<entry>[a-z][\w]*(?:/\w+)+)")
_KEYS = {"claim", "says", "holds_if", "margin", "why", "untestable", "note"}


@dataclass(frozen=True)
class Term:
    """A quantity of a run, or a number.

    Attributes:
        factor: 1 or -1; of a number, the number itself.
        entry: whose it is, ``log/31_alias``; empty for a number.
        measure: ``SET.METRIC``, or a name of the run's own; empty for a number.
    """

    factor: float
    entry: str = ""
    measure: str = ""


@dataclass(frozen=True)
class Claim:
    """One thing that an entry claims.

    Attributes:
        entry: the experiment, ``log/31_alias``.
        name: of the claim, within its entry.
        says: the claim in words.
        left: terms of the left side minus those of the right one; empty where nothing is compared.
        relation: between them; None where nothing is compared.
        margin: the smallest difference that counts.
        explodes: entry that is said to explode; empty where the claim is another.
        untestable: why it cannot be tested at this size; empty where it can.
        why: the margin's reason.
        note: what a reader must know beside it.
        text: the comparison as it is written.
    """

    entry: str
    name: str
    says: str
    left: tuple[Term, ...] = ()
    relation: Relation | None = None
    margin: float = 0.0
    explodes: str = ""
    untestable: str = ""
    why: str = ""
    note: str = ""
    text: str = ""

    @property
    def entries(self) -> tuple[str, ...]:
        """The experiments whose runs it needs, in order, each once."""
        named = [term.entry for term in self.left if term.entry]
        return tuple(dict.fromkeys([*named, *([self.explodes] if self.explodes else [])]))


def read_claims(
    path: Path, entries: Iterable[str], measures: Iterable[str], named: Callable[[str], str | None]
) -> list[Claim]:
    """All claims of a file.

    Args:
        path: a mapping entry -> list of claims.
        entries: the experiments that there are.
        measures: names that a comparison may have.
        named: the experiment that a short name means, as ``log/31`` does; None where it means none, or several.

    Raises:
        UserError: one line per fault, each with the place.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise UserError(f"{path} must map each experiment to a list of claims")
    known, taken = frozenset(entries), frozenset(measures)
    claims, faults = [], []
    for entry, items in content.items():
        for number, item in enumerate(items if isinstance(items, list) else [items]):
            place = f"{path}: {entry}, claim {number + 1}"
            try:
                claim = _claim(str(entry), item)
            except ValueError as error:
                faults.append(f"{place}: {error}")
                continue
            faults += _faults(claim, known, taken, named, place)
            claims.append(_in_full(claim, named))
    faults += [f"{path}: {name} is there twice" for name in _twice(claims)]
    if faults:
        raise UserError(*faults)
    return claims


def _claim(entry: str, item: Any) -> Claim:
    if not isinstance(item, Mapping):
        raise ValueError(f"{item!r} must be a mapping with claim, says and holds_if")
    strange = [str(key) for key in item if key not in _KEYS]
    if strange:
        are = "is" if len(strange) == 1 else "are"
        raise ValueError(f"{', '.join(strange)} {are} not known; a claim has {', '.join(sorted(_KEYS))}")
    values = {key: " ".join(str(item.get(key, "")).split()) for key in _KEYS}
    if not values["claim"] or not values["says"]:
        raise ValueError("a claim needs a name (claim) and words (says)")
    if bool(values["holds_if"]) == bool(values["untestable"]):
        raise ValueError("a claim needs one of holds_if and untestable")
    plain = Claim(entry, values["claim"], values["says"], note=values["note"], untestable=values["untestable"])
    if plain.untestable:
        return plain
    text = values["holds_if"]
    explodes = _EXPLODES.fullmatch(text)
    if explodes:
        return replace(plain, explodes=explodes["entry"], text=text)
    left, relation = _comparison(text)
    margin = item.get("margin")
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not margin > 0 or not values["why"]:
        raise ValueError(f"margin={margin} must be a number above 0, with the reason (why)")
    return replace(plain, left=left, relation=relation, margin=float(margin), why=values["why"], text=text)


def _comparison(text: str) -> tuple[tuple[Term, ...], Relation]:
    sides = re.split(r"([<>=])", text)
    if len(sides) != 3:
        raise ValueError(f"holds_if: {text!r} must compare two sides by one of < > =, or be 'explodes ENTRY'")
    left, relation, right = sides
    terms = [*_terms(left), *(Term(-t.factor, t.entry, t.measure) for t in _terms(right))]
    if not any(term.entry for term in terms):
        raise ValueError(f"holds_if: {text!r} names no run; write ENTRY.SET.METRIC")
    return tuple(terms), cast(Relation, relation)


def _terms(side: str) -> Iterator[Term]:
    position = 0
    while position < len(side):
        found = _TERM.match(side, position)
        if found is None or (position > 0 and not found["sign"]):
            raise ValueError(f"{side[position:].strip()!r} is neither a number nor ENTRY.SET.METRIC")
        sign = -1.0 if found["sign"] == "-" else 1.0
        yield Term(sign * float(found["number"])) if found["number"] else Term(sign, found["entry"], found["measure"])
        position = found.end()
    if position == 0:
        raise ValueError("a side of the comparison is empty")


def _in_full(claim: Claim, named: Callable[[str], str | None]) -> Claim:
    """The claim with whole names."""
    left = tuple(replace(term, entry=named(term.entry) or term.entry) if term.entry else term for term in claim.left)
    explodes = (named(claim.explodes) or claim.explodes) if claim.explodes else ""
    return replace(claim, entry=named(claim.entry) or claim.entry, left=left, explodes=explodes)


def _faults(
    claim: Claim,
    entries: frozenset[str],
    measures: frozenset[str],
    named: Callable[[str], str | None],
    place: str,
) -> list[str]:
    strange = [entry for entry in dict.fromkeys((claim.entry, *claim.entries)) if named(entry) is None]
    faults = [f"{place}: there is no experiment {entry}{_near(entry, entries)}" for entry in strange]
    for term in claim.left:
        metric = term.measure.rpartition(".")[2]
        if term.entry and metric not in measures:
            faults.append(f"{place}: {term.measure} is no measure{_near(metric, measures)}")
    return faults


def _near(value: str, known: frozenset[str]) -> str:
    found = get_close_matches(value, sorted(known), 3)
    return f"; did you mean {' or '.join(found)}?" if found else ""


def _twice(claims: list[Claim]) -> list[str]:
    names = [f"{claim.entry}, claim {claim.name}" for claim in claims]
    return sorted({name for name in names if names.count(name) > 1})
