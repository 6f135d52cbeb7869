"""Whether two run folders hold the same run, bit for bit."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from sr.training.keeping.checkpoint import read_checkpoint

TIMED = ("train/updates_per_second", "train/pictures_per_second", "train/waiting_share", "train/seconds")


def difference(first: Path, second: Path) -> str:
    """The first thing in which two run folders differ, times apart; empty where they are the same."""
    for name in ("last.safetensors", "best.safetensors"):
        one, two = ({n: f.get_tensor(n) for n in f.keys()} for f in (_opened(first / name), _opened(second / name)))  # noqa: SIM118
        if one.keys() != two.keys() or any(not torch.equal(one[key], two[key]) for key in one):
            return f"{name} differs"
    states = [read_checkpoint(folder / "checkpoints" / "last.ckpt") for folder in (first, second)]
    kept = ("trained", "validation", "guard", "random")
    before, after = (dict(_leaves({key: state[key] for key in kept})) for state in states)
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        same = torch.equal(a, b) if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) else a == b
        if not same and not name.endswith("elapsed"):
            return f"checkpoint: {name} differs"
    rows = [list(_rows(folder / "metrics.csv")) for folder in (first, second)]
    if len(rows[0]) != len(rows[1]):
        return f"metrics.csv has {len(rows[1])} rows instead of {len(rows[0])}"
    return next((f"metrics.csv differs at {x['updates']}" for x, y in zip(*rows, strict=True) if x != y), "")


def _opened(path: Path) -> Any:
    return safe_open(path, "pt")


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            yield {key: value for key, value in row.items() if key not in TIMED}


def _leaves(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict | list | tuple):
        for key, child in node.items() if isinstance(node, dict) else enumerate(node):
            yield from _leaves(child, f"{name}/{key}")
    else:
        yield name, node
