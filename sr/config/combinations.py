"""Names that are put together: ``loss=l1_vgg_edge`` is ``loss=[l1,vgg,edge]``, in any order and number."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore

COMBINED = ("loss", "adversary", "augmentation", "logger")
"""Groups whose choices add up."""


def parts(name: str, choices: Collection[str]) -> list[str] | None:
    """The choices that a name is put together from, the longest first names first; None where there are none.

    Args:
        name: such as ``l1_vgg_edge``.
        choices: that exist; each may be used once.
    """
    if name in choices:
        return [name]
    for end in range(len(name) - 1, 0, -1):
        head, rest = name[:end], name[end:]
        if head not in choices or not rest.startswith("_"):
            continue
        others = parts(rest[1:], [choice for choice in choices if choice != head])
        if others is not None:
            return [head, *others]
    return None


def joint_names_near(name: str, choices: Collection[str]) -> list[str]:
    """Joint names that differ from a name in one of its parts.

    Args:
        name: such as ``l1_vg``, of which no choice is the end.
        choices: that exist.
    """
    words = name.split("_")
    heads = {end: "_".join(words[:end]) for end in range(len(words))}
    tails = {start: "_".join(words[start:]) for start in range(1, len(words) + 1)}
    names = [
        [part for part in (head, choice, tail) if part]
        for end, head in heads.items()
        for start, tail in tails.items()
        if start > end and (head or tail)
        for choice in choices
        if choice != "none"
    ]
    return ["_".join(name) for name in names if parts("_".join(name), choices)]


def repeated(name: str, choices: Collection[str]) -> str | None:
    """The choice that a joint name has twice, if it is put together from choices otherwise.

    Args:
        name: such as ``l1_l1``.
        choices: that exist.
    """
    if parts(name, choices) is not None:  # l1_ms_ssim_ssim has ssim in it twice, as text
        return None
    for choice in sorted(choices, key=len, reverse=True):
        head, found, tail = f"_{name}_".partition(f"_{choice}_")
        if found and f"_{choice}_" in f"_{tail}":
            once = f"{head}_{choice}_{f'_{tail}'.replace(f'_{choice}_', '_', 1)}".strip("_").replace("__", "_")
            if parts(once, choices) is not None:
                return choice
    return None


def register(group: str, names: Iterable[Any], choices: Sequence[str]) -> set[str]:
    """Make those of the names known to Hydra that are put together from choices.

    Args:
        group: of the configuration.
        names: that somebody asks for; others than text are passed over.
        choices: that have a file.

    Returns:
        The names made known.
    """
    made: set[str] = set()
    if group not in COMBINED:
        return made
    usable = [choice for choice in choices if choice != "none"]
    for name in names:
        found = parts(name, usable) if isinstance(name, str) and name not in choices else None
        if found is not None:
            ConfigStore.instance().store(group=group, name=name, node={"defaults": list(found)})
            made.add(name)
    return made


def asked_for(files: Iterable[Path]) -> list[tuple[str, Any]]:
    """(group, choice) pairs that the defaults lists of these files name; files that cannot be read name none."""
    import yaml

    pairs: list[tuple[str, Any]] = []
    for path in files:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, OSError, UnicodeDecodeError):
            continue  # told elsewhere, with the file's name
        defaults = content.get("defaults", []) if isinstance(content, dict) else []
        for entry in defaults if isinstance(defaults, list) else []:
            if isinstance(entry, dict):
                pairs += [(str(key).split()[-1].strip("/"), value) for key, value in entry.items()]
    return pairs
