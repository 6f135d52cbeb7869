"""Test sets by their names."""

import os
from pathlib import Path

from sr.data.kinds.benchmark import existing_set, has_layout, hr_pictures
from sr.errors import UserError
from sr.files import oddity
from sr.printable import printable


def benchmark_paths(name: str, scale: int) -> list[Path]:
    """A folder as given, or the pictures of a test set: in such a folder, or by its name below ``SR_BENCHMARKS``.

    Args:
        name: of a folder, or of a set in any of its usual spellings and layouts.
        scale: some layouts have other high-resolution files for each.

    Raises:
        UserError: there is neither, or a test set without pictures at this scale.
    """
    if not name:
        raise UserError("--set has no value; give a folder, or the name of a test set")
    folder = Path(name).expanduser()
    odd = oddity(folder)
    if odd is not None:
        raise UserError(f"--set {printable(name)[:300]} {odd}; give a folder, or the name of a test set")
    if folder.exists():
        if (folder / "HR").is_dir():
            return [folder / "HR"]
        return hr_pictures(folder, scale) if has_layout(folder) else [folder]
    found = existing_set(Path(os.environ["SR_BENCHMARKS"]), name) if "SR_BENCHMARKS" in os.environ else None
    if found is None:
        raise UserError(f"--set {name}: no such folder{_known_sets(name)}")
    return hr_pictures(found, scale)


def _known_sets(name: str) -> str:
    from sr.config.nearest import did_you_mean

    root = os.environ.get("SR_BENCHMARKS")
    if root is None:
        return "; set SR_BENCHMARKS to a folder of test sets to call them by name"
    known = [path.name for path in Path(root).iterdir() if path.is_dir()] if Path(root).is_dir() else []
    return f" and no such test set below SR_BENCHMARKS={root}{did_you_mean(name, known)}"
