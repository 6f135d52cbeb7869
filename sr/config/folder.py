"""What lies in the folder conf/: its groups and choices, the names in its files, and which file has a setting."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.nearest import did_you_mean

_PACKAGE = Path(__file__).resolve().parents[1]
CONF = _PACKAGE / "conf" if (_PACKAGE / "conf").is_dir() else _PACKAGE.parent / "conf"
"""The folder conf/: inside the package where it was installed from a wheel, beside it in a clone."""


def config_groups(folder: Path) -> dict[str, list[str]]:
    """Choices of each group: ``{"model": ["espcn", …], "experiment": ["log/31_alias", …]}``.

    Args:
        folder: the conf folder. Files that start with ``_`` are parts of others, not choices.
    """
    groups: dict[str, list[str]] = {}
    for path in sorted(folder.glob("*/**/*.yaml")):
        group, *rest = path.relative_to(folder).with_suffix("").parts
        if not path.name.startswith("_"):
            groups.setdefault(group, []).append("/".join(rest))
    for path in folder.iterdir():
        if path.is_dir():
            groups.setdefault(path.name, [])
    return groups


def names_in(path: Path) -> list[str]:
    """Dotted names of all values and branches of a file, its list of defaults left out; none where it is no YAML."""
    try:
        return list(_dotted(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return []  # told when it is used


def names_with_parts(path: Path) -> list[str]:
    """As `names_in`, and the names of the choices that the file is put together from, as pix_gan is of two."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return []  # told when it is used
    entries = content.get("defaults", []) if isinstance(content, Mapping) else []
    choices = [entry for entry in entries if isinstance(entry, str) and not entry.startswith("_")]
    return [*names_in(path), *(name for one in choices for name in names_with_parts(path.with_name(f"{one}.yaml")))]


def _dotted(node: Any, prefix: str = "") -> Iterator[str]:
    if isinstance(node, Mapping):
        for key, child in node.items():
            if prefix or key != "defaults":
                yield f"{prefix}{key}"
                yield from _dotted(child, f"{prefix}{key}.")


def owner(folder: Path, key: str) -> str | None:
    """The choice whose file has a setting, such as ``adversary=stepper``.

    Args:
        folder: the conf folder.
        key: dotted name, the group first.
    """
    group, _, name = key.partition(".")
    for path in sorted((folder / group).glob("**/*.yaml")) if (folder / group).is_dir() else ():
        if name in names_in(path):
            choice = path.relative_to(folder / group).with_suffix("")
            return f"{group}=…" if path.name.startswith("_") else f"{group}={choice}"
    return None


def defaults_faults(files: Sequence[Path]) -> list[str]:
    """Misspelt keywords in defaults lists: Hydra takes ``- optioal model: x`` for a group and drops it silently.

    Args:
        files: those that this command line uses.
    """
    faults = []
    for path in files:
        try:
            content = OmegaConf.load(path)
        except (yaml.YAMLError, OmegaConfBaseException) as error:
            faults.append(f"{path} is not valid YAML: {' '.join(str(error).split())}")
            continue
        entries = content.get("defaults", []) if isinstance(content, DictConfig) else []
        for entry in entries if OmegaConf.is_list(entries) else []:
            for key in entry if OmegaConf.is_dict(entry) else []:
                faults += [
                    f"{path}: {key!r} begins with {word!r}{did_you_mean(word, ('optional', 'override'))}"
                    for word in str(key).split()[:-1]
                    if word not in ("optional", "override")
                ]
    return faults
