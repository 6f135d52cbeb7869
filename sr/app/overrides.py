"""Check command-line overrides before Hydra composes: all faults at once, each with the nearest valid name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Sweep
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.app.combinations import COMBINED, asked_for, parts, register, repeated
from sr.app.nearest import did_you_mean
from sr.app.schema import register_schema, setting_names

OPTIONAL = ("experiment", "local")
"""Groups that may be null."""
ADDED_UP = (*COMBINED, "callbacks", "logger", "experiment")
"""Groups that take several choices."""
OPEN_KEYS = ("loss.terms.", "adversary.", "degradation.stages.", "augmentation.steps.", "callbacks.", "logger.")
"""Dictionaries whose entries the user names."""


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


def override_faults(folder: Path, arguments: Sequence[str]) -> list[str]:
    """What is wrong with ``key=value`` arguments; empty where all is well.

    Args:
        folder: the conf folder.
        arguments: of the command line, without those that start with ``-``.
    """
    faults: list[str] = []
    parsed: list[Override] = []
    for argument in arguments:
        try:
            parsed.append(OverridesParser.create().parse_override(argument))
        except HydraException:
            key, is_pair, value = argument.partition("=")
            how = f": \"{key}='{value}'\"" if is_pair and "'" not in value and '"' not in value else ""
            faults.append(f"{argument!r} is not an override; write name=value, with quotes around odd characters{how}")
    groups = config_groups(folder)
    chosen = [o for o in parsed if _group(o) in groups]
    used = [folder / _group(o) / f"{choice}.yaml" for o in chosen for choice in _each(o)]
    used = [folder / "train.yaml", folder / "local" / "default.yaml", *used]
    used = [path for path in used if path.exists()]
    for group, choice in [*((_group(o), choice) for o in chosen for choice in _each(o)), *asked_for(used)]:
        groups[group] = [*groups.get(group, []), *register(group, [choice], groups.get(group, []))]
    faults += [fault for override in chosen for fault in _choice_faults(override, groups)]
    files = config_groups(folder)
    faults += [
        f for o in chosen for value in _values(o) for f in _clash_faults(folder, _group(o), value, files[_group(o)])
    ]
    faults += defaults_faults(used)
    if faults:
        return faults
    config = _compose(folder, [_first_choice(o) for o in chosen])
    if isinstance(config, str):
        return [config]
    keys = set(_keys(config))
    values = [o for o in parsed if _group(o) not in groups and not _is_hydra(o)]
    resumed = any(str(o.key_or_group) == "resume" and o.value() not in (None, "auto") for o in parsed)
    faults = [fault for override in values for fault in _key_faults(override, keys, folder, resumed)]
    if faults:
        return faults
    whole = _compose(folder, [_first_choice(o) for o in parsed if not _is_hydra(o)])
    return [whole] if isinstance(whole, str) else []


def swept_keys(arguments: Sequence[str]) -> set[str]:
    """Names of the settings that have several values on this command line.

    Args:
        arguments: overrides without faults.
    """
    parsed = OverridesParser.create().parse_overrides(list(arguments))
    return {str(o.key_or_group) for o in parsed if o.is_sweep_override()}


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


def _group(override: Override) -> str:
    return str(override.key_or_group).split("@")[0].split("/")[0]


def _is_hydra(override: Override) -> bool:
    return str(override.key_or_group).split("/")[0].split(".")[0] == "hydra"


def _choice_faults(override: Override, groups: Mapping[str, list[str]]) -> Iterator[str]:
    group = str(override.key_or_group)
    if "." in group or override.is_delete():
        return
    if override.is_add() and group != "experiment":
        yield f"+{group}=… : {group} already has a choice; write {group}=… without the plus sign"
        return
    if _names_package(override):
        return  # whether it fits is for Hydra to say
    for choice in _values(override):
        yield from _one_choice_faults(group, choice, groups[_group(override)])


def _one_choice_faults(group: str, choice: Any, choices: list[str]) -> Iterator[str]:
    if choice in (None, "null"):
        if group not in OPTIONAL:
            way_out = "none" if "none" in choices else "…"
            yield f"{group}=null is no choice; write {group}={way_out}"
        return
    several = [str(one) for one in choice] if isinstance(choice, list) else None
    if several is not None and group not in ADDED_UP:
        yield f"{group} takes one choice, not {', '.join(several)}"
        return
    for name in several or [str(choice)]:
        again = repeated(name, choices)
        if again:
            yield f"{group}={name} names {again} twice; once is enough"
        elif name not in choices:
            yield f"{group}={name}: there is no such {group} in conf/{group}{did_you_mean(name, choices)}"
    twice = [name for name in several or [] if (several or []).count(name) > 1]
    if twice:
        yield f"{group}=[{','.join(several or [])}] names {twice[0]} twice; once is enough"


def _clash_faults(folder: Path, group: str, choice: Any, choices: Sequence[str]) -> Iterator[str]:
    """A line where two choices want to be the same: two objectives of one adversary, two replays."""
    names = choice if isinstance(choice, list) else parts(str(choice), choices) or []
    if group != "adversary" or len(names) < 2:
        return
    files = {str(name): folder / group / f"{name}.yaml" for name in names}
    roles: dict[str, list[str]] = {}
    for name, path in files.items():
        for key in _dotted(yaml.safe_load(path.read_text(encoding="utf-8"))) if path.exists() else ():
            if key.endswith("._target_"):
                roles.setdefault(f"{group}.{key.removesuffix('._target_')}", []).append(name)
    for role, claimants in roles.items():
        if len(claimants) > 1:
            yield f"{group}={','.join(files)}: {' and '.join(claimants)} both set {role}; keep one of them"
            return


def _dotted(node: Any, prefix: str = "") -> Iterator[str]:
    """Dotted names of all values of a file, its list of defaults left out."""
    if isinstance(node, Mapping):
        for key, child in node.items():
            if prefix or key != "defaults":
                yield f"{prefix}{key}"
                yield from _dotted(child, f"{prefix}{key}.")


def _names_package(override: Override) -> bool:
    return override.package is not None


def _values(override: Override) -> list[Any]:
    """One value, or each value of a sweep; several choices that add up are a list."""
    if override.is_sweep_override() and isinstance(override.value(), Sweep):
        try:
            return [_plain(v) for v in override.sweep_iterator()]
        except HydraException:
            return []
    return [_plain(override.value())]


def _plain(value: Any) -> Any:
    if isinstance(value, str) and value.startswith("[") and value.endswith("]"):  # as a sweep gives a list
        return [part.strip() for part in value[1:-1].split(",")]
    return [_plain(one) for one in value] if isinstance(value, list) else getattr(value, "text", value)


def _each(override: Override) -> list[Any]:
    """Every single choice that the override names."""
    return [name for value in _values(override) for name in (value if isinstance(value, list) else [value])]


def _first_choice(override: Override) -> str:
    """The override itself, or the first combination of a sweep."""
    if not override.is_sweep_override():
        return override.input_line or ""
    values = _values(override)
    return f"{'+' if override.is_add() else ''}{override.key_or_group}={values[0] if values else 'null'}"


def _compose(folder: Path, overrides: list[str]) -> DictConfig | str:
    register_schema()
    try:
        with initialize_config_dir(str(folder), version_base="1.3"):
            return compose("train", overrides=overrides)
    except (HydraException, OmegaConfBaseException) as error:
        return _sentence(folder, error)


def _sentence(folder: Path, error: BaseException) -> str:
    """The innermost reason on one line, with the nearest valid name where one is missing."""
    while error.__cause__ is not None:
        error = error.__cause__
    text = " ".join(str(error).split())
    groups = config_groups(folder)
    key = re.search(r"Key '([^']+)' not in '(\w+Config)'", text)
    if key and key[1] in groups and key[1] == "experiment":
        return f"{text.split(' full_key')[0]}: an experiment file begins with the line `# @package _global_`"
    if key:
        prefix = {"TrainerConfig": "trainer.", "GuardConfig": "trainer.guard."}.get(key[2], "")
        return f"{prefix}{key[1]} is not a setting{did_you_mean(prefix + key[1], setting_names())}"
    choice = re.search(r"Could not find '([^'/]+)/([^']+)'", text)
    if choice and choice[1] in groups:
        return f"there is no {choice[1]}/{choice[2]}.yaml in conf{did_you_mean(choice[2], groups[choice[1]])}"
    group = re.search(r"Could not override '([^']+)'", text)
    if group and "@" in group[1]:
        place = group[1].split("@")[1]
        return (
            f"{group[1]}=…: these choices have no {place} to be chosen by name; choose adversary=… too (its optimiser "
            "is optimizer@adversary.d.optimizer, its schedule schedule@adversary.d.schedule)"
        )
    if group:
        return f"an experiment cannot override {group[1]!r}: there is no such group{did_you_mean(group[1], groups)}"
    if "Cannot assign str to Dict" in text:
        return f"{text.split(' full_key')[0]}; a choice is made in the list `defaults`, as in `- override /model: rdn`"
    if isinstance(error, OmegaConfBaseException) and error.full_key:
        return f"{error.full_key}: {str(error).splitlines()[0]}"
    return text


def _keys(config: DictConfig, prefix: str = "") -> Iterator[str]:
    """Dotted names of all values and branches."""
    for key in config:
        name = prefix + str(key)
        yield name
        child = config._get_node(key)
        if isinstance(child, DictConfig) and not child._is_none() and not child._is_missing():
            yield from _keys(child, f"{name}.")


def _key_faults(override: Override, keys: set[str], folder: Path, resumed: bool) -> Iterator[str]:
    key = str(override.key_or_group)
    open_ended = key.startswith(OPEN_KEYS)
    if key in keys or (open_ended and (override.is_add() or override.is_force_add())):
        return
    owner = _owner(folder, key) if key.split(".")[0] in COMBINED else None
    if owner is not None:
        how = "repeat the run's choices beside resume=…, among them" if resumed else "it is a setting of"
        yield f"{key} is not a setting of these choices; {how} {owner}"
        return
    hint = did_you_mean(key, keys)
    likely = "did you mean" in hint and key.startswith(("loss.", "adversary."))
    add = f"; +{key}=… adds it" if open_ended and not likely else ""
    yield f"{key} is not a setting{hint}{add}"


def _owner(folder: Path, key: str) -> str | None:
    """The choice whose file has this setting, such as ``adversary=stepper``."""
    group, _, name = key.partition(".")
    for path in sorted((folder / group).glob("**/*.yaml")) if (folder / group).is_dir() else ():
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError):
            continue  # told when it is used
        if name in _dotted(content):
            choice = path.relative_to(folder / group).with_suffix("")
            return f"{group}=…" if path.name.startswith("_") else f"{group}={choice}"
    return None
