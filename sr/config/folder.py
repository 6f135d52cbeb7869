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


def conf_folders(own: Path | None) -> list[Path]:
    """The conf folder, and the user's (`sr.config.own`) where there is one."""
    return [CONF] if own is None else [CONF, own]


def config_groups(*folders: Path) -> dict[str, list[str]]:
    """Choices of each group: ``{"model": ["espcn", …], "experiment": ["log/31_alias", …]}``.

    Args:
        folders: the conf folder, and perhaps one of the user's. Files that start with ``_`` are parts of others, not
            choices.
    """
    groups: dict[str, list[str]] = {}
    for folder in folders:
        for name in choice_files(folder):
            group, *rest = name.with_suffix("").parts
            if not name.name.startswith("_"):
                groups.setdefault(group, []).append("/".join(rest))
        for path in folder.iterdir():
            if path.is_dir():
                groups.setdefault(path.name, [])
    return groups


def choice_files(folder: Path) -> list[Path]:
    """Files of choices and their parts, ``model/espcn.yaml``, relative to the folder."""
    return [path.relative_to(folder) for path in sorted(folder.glob("*/**/*.yaml"))]


def choice_file(folders: Sequence[Path], group: str, choice: Any) -> Path:
    """The file of a choice, in the first folder that has it; it need not exist."""
    paths = [folder / group / f"{choice}.yaml" for folder in folders]
    return next((path for path in paths if path.exists()), paths[0])


def with_included(folders: Sequence[Path], path: Path) -> list[Path]:
    """A file and those that its list of defaults includes (``/experiment/log/_gan@_global_``), and theirs.

    Args:
        folders: see `config_groups`.
        path: of a choice; one that does not exist, or is no YAML, includes nothing.
    """
    found, waiting = list[Path](), [path]
    while waiting:
        file = waiting.pop(0)
        if file in found or not file.is_file():
            continue
        found.append(file)
        try:
            content = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (yaml.YAMLError, OSError, UnicodeDecodeError):
            continue  # told when it is used
        entries = content.get("defaults", []) if isinstance(content, Mapping) else []
        names = [entry.partition("@")[0] for entry in entries if isinstance(entry, str)]
        absolute = [name[1:] for name in names if name.startswith("/")]
        relative = [f"{_group(folders, file)}/{name}" for name in names if not name.startswith("/")]
        waiting += [choice_file(folders, *name.split("/", 1)) for name in [*absolute, *relative] if "/" in name]
    return found


def _group(folders: Sequence[Path], file: Path) -> str:
    """The group that a file belongs to; empty for one beside the groups."""
    root = next((folder for folder in folders if file.is_relative_to(folder)), file.parent)
    return "/".join(file.relative_to(root).parts[:-1][:1])


def names_in(path: Path) -> list[str]:
    """Dotted names of all values and branches of a file, its list of defaults left out; none where it is no YAML."""
    try:
        return list(dotted_names(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return []  # told when it is used


def names_with_parts(folders: Sequence[Path], group: str, choice: Any) -> list[str]:
    """As `names_in`, and the names of the choices that a choice is put together from, as pix_gan is of two."""
    path = choice_file(folders, group, choice)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return []  # told when it is used
    entries = content.get("defaults", []) if isinstance(content, Mapping) else []
    choices = [entry for entry in entries if isinstance(entry, str) and not entry.startswith("_")]
    return [*names_in(path), *(name for one in choices for name in names_with_parts(folders, group, one))]


def dotted_names(node: Any, prefix: str = "") -> Iterator[str]:
    """Names of all values and branches of plain values, a list of defaults at the top left out."""
    if isinstance(node, Mapping):
        for key, child in node.items():
            if prefix or key != "defaults":
                yield f"{prefix}{key}"
                yield from dotted_names(child, f"{prefix}{key}.")


def owner(folders: Sequence[Path], key: str) -> str | None:
    """The choices whose files have a setting, such as ``adversary=stepper``; at most four.

    Args:
        folders: see `config_groups`.
        key: dotted name, the group first.
    """
    group, _, name = key.partition(".")
    files = [(folder / group, path) for folder in folders for path in sorted((folder / group).glob("**/*.yaml"))]
    having = [path.relative_to(root).with_suffix("") for root, path in files if name in names_in(path)]
    if any(choice.name.startswith("_") for choice in having):
        return f"{group}=…"
    return f"{group}={', '.join(map(str, having[:4]))}{', …' * (len(having) > 4)}" if having else None


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
