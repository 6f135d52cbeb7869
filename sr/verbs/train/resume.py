"""Find the run to go on from, and join its configuration with what the command line changes."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sr.config.building import build_clock
from sr.config.composing import plain
from sr.config.later_settings import with_later_settings
from sr.config.stored import completed, composed_here, needs_trust, opened, read_config
from sr.locks import in_use
from sr.pasted import setting
from sr.plain_yaml import LARGEST_FILE
from sr.printable import printable
from sr.training.keeping.checkpoint import read_checkpoint, understood
from sr.training.keeping.claim import LOCK
from sr.training.keeping.run_folder import CHANGED, EXPLODED, FINISHED, RunFolder
from sr.types import UserError

_NOT_COMPARED = ("run_dir", "resume", "trust", "report", "started_from")
_NOT_IN_EARLIER = ("experiment", "size")
"""What runs of earlier versions do not have."""
_NONE = "none"
"""Instead of a value that is not there."""
_SHOWN = 8
"""How many changes are named."""
_LIMITS = ("max_updates", "max_time", "default_time")


@dataclass(frozen=True)
class Resumed:
    """A run that goes on.

    Attributes:
        folder: where.
        config: its own configuration, with the overrides of this command line on top.
        state: its checkpoint.
        changes: what the command line changes, in one line; empty where nothing.
        record: what was changed before and is changed now, for `RunFolder.changes`.
        ignored: what somebody wrote into its config.yaml, in one line: its checkpoint is what counts.
    """

    folder: RunFolder
    config: DictConfig
    state: dict[str, Any]
    changes: str
    record: list[dict[str, str]]
    ignored: str


def read_resumed(folder: RunFolder, config: DictConfig, overrides: Sequence[str]) -> Resumed:
    """The run in a folder, ready to go on.

    Args:
        folder: with a checkpoint.
        config: as composed from this command line.
        overrides: ``key=value`` of this command line.

    Raises:
        UserError: the folder has no checkpoint, or it is damaged, of another network, or (without ``trust``) names
            what this toolkit does not offer.
    """
    if not folder.checkpoint.exists() and folder.config.exists():
        raise UserError(
            f"{folder.path} has no checkpoint: that run ended before its first one, so there is nothing to go on from. "
            f"Its own command line with {setting('run_dir', folder.path)} resume=auto starts it over"
        )
    state = read_checkpoint(folder.checkpoint)
    current: Any = OmegaConf.to_container(config, resolve=False)
    # What this command line composes itself is its owner's, so that the line means the same after an interruption.
    stored = opened(state.get("config"), folder.checkpoint, config.trust, composed_here(config))
    known = {name for name, _ in flattened(stored)}
    own = completed(stored, current)
    joined = _joined(own, config, overrides)
    before, after = (dict(flattened(plain(OmegaConf.create(one)))) for one in (own, joined))
    for name in before.keys() - known:  # younger than the run, and set by this command line
        above = {name[: match.start()] for match in re.finditer(r"\.", name)}
        if not above & known and any(name == key or name.startswith(f"{key}.") for key in map(_key_of, overrides)):
            before[name] = _NONE
    record = _record(state, before, after, folder.checkpoint)
    return Resumed(folder, joined, state, changes(before, after), record, _ignored(folder, before))


def _record(state: Mapping[str, Any], before: Any, after: Any, checkpoint: Path) -> list[dict[str, str]]:
    """All changes of a run: those that its checkpoint knows of, and those of this sitting."""
    with understood(checkpoint):
        updates = int(state["trained"]["clock"]["updates"])
        known = [{name: str(row[name]) for name in CHANGED} for row in state.get("changes", [])]
    found = [(str(updates), *map(_told, change)) for change in _changed(before, after)]
    return known + [dict(zip(CHANGED, row, strict=True)) for row in found]


def _ignored(folder: RunFolder, counts: Mapping[str, Any]) -> str:
    """What config.yaml says otherwise than the checkpoint; of one that cannot be read nothing can be said."""
    try:
        written = dict(flattened(read_config(folder.config))) if folder.config.is_file() else {}
    except UserError:
        return ""
    known = {name: value for name, value in flattened(counts) if name in written}
    return changes(known, written)


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """What differs between two configurations, in one line; empty where nothing does.

    Args:
        before: plain values, of which none is resolved here: a stranger's would read the environment.
        after: likewise.
    """
    changed = _changes(before, after)
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    return f"{', '.join(changed[:_SHOWN])}{more}" if changed else ""


def _changes(saved: Mapping[str, Any], joined: Mapping[str, Any]) -> list[str]:
    """``name=new (was old)`` for each setting that differs, the run's place apart."""
    return [
        printable(f"{name}={_told(after)} (was {_told(before)})") for name, before, after in _changed(saved, joined)
    ]


def _changed(saved: Mapping[str, Any], joined: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The setting, and its value before and after."""
    before, after = dict(flattened(saved)), dict(flattened(joined))
    for one, other in ((before, after), (after, before)):
        _gather(one, other)
    names = [name for name in dict.fromkeys([*after, *before]) if name not in _NOT_COMPARED and ".network." not in name]
    found = [(name, before.get(name, _NONE), after.get(name, _NONE)) for name in names]
    return [one for one in found if before.get(one[0]) != after.get(one[0])]


def _gather(values: dict[str, Any], others: Mapping[str, Any]) -> None:
    """Make one value of several where the others have one in their place, as a number for a schedule."""
    inside: dict[str, dict[str, Any]] = {}
    for name in values:
        above = next((name[: at.start()] for at in re.finditer(r"\.", name) if name[: at.start()] in others), None)
        if above is not None:
            inside.setdefault(above, {})[name[len(above) + 1 :]] = values[name]
    for above, children in inside.items():
        for child in children:
            del values[f"{above}.{child}"]
        told = dict(children)
        target = str(told.pop("_target_", "")).rpartition(".")[2]
        values[above] = f"{target}({', '.join(f'{name}={value}' for name, value in told.items())})"


def _told(value: Any) -> str:
    return printable(f"{value!s:.300}")


def flattened(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a configuration, each with its dotted key.

    Args:
        node: plain values.
        prefix: of the keys.
    """
    if isinstance(node, Mapping):
        for key, child in node.items():
            yield from flattened(child, f"{prefix}{key}.")
    else:
        yield prefix.rstrip("."), node


def _joined(saved: dict[str, Any], composed: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The run's own configuration; only what this command line names is changed."""
    joined = OmegaConf.create(saved)
    for override in overrides:
        key = _key_of(override)
        if key in _NOT_COMPARED or key == "experiment":
            continue
        value = OmegaConf.select(composed, key)
        if value is None and override.startswith("~"):
            _delete(joined, key)
            continue
        plain = OmegaConf.to_container(value, resolve=False) if OmegaConf.is_config(value) else value
        OmegaConf.update(joined, key, plain, merge=False, force_add=True)
    models = (OmegaConf.to_container(node.model, resolve=True) for node in (OmegaConf.create(saved), joined))
    own, asked = (with_later_settings({"model": model})["model"] for model in models)
    if own != asked:
        raise UserError(
            f"resume={composed.resume} goes on with the network of that run, {_line(own)}; "
            f"this command line asks for {_line(asked)}. Leave model and scale out"
        )
    return joined


def _key_of(override: str) -> str:
    return override.split("=", 1)[0].lstrip("+~").split("@")[-1]


def _delete(config: DictConfig, key: str) -> None:
    """Take a value out, where it is there."""
    place, _, name = key.rpartition(".")
    node = OmegaConf.select(config, place) if place else config
    if isinstance(node, DictConfig):
        node.pop(name, None)


def _line(model: Any) -> str:
    arguments = ", ".join(f"{key}={value}" for key, value in model.items() if not key.startswith("_"))
    return f"{str(model['_target_']).rsplit('.', 1)[-1]}({arguments})"


def newest(
    config: DictConfig, places: Sequence[RunFolder] | None, exact: bool, say: Callable[[str], None]
) -> RunFolder | None:
    """The newest run of this configuration for ``resume=auto``; None where there is none.

    Args:
        config: as composed from this command line.
        places: where to look, for finished runs too; None for unfinished ones below ``outputs/`` that no process is
            training.
        exact: the end must be the same too.
        say: told why nothing was found.
    """
    below = [RunFolder(path.parent) for path in Path("outputs").glob("**/config.yaml")] if places is None else places
    found = [folder for folder in below if folder.config.is_file() and (places is not None or _is_unfinished(folder))]
    found.sort(key=lambda folder: (folder.checkpoint if folder.checkpoint.exists() else folder.config).stat().st_mtime)
    wanted = _comparable(OmegaConf.to_container(config, resolve=True), exact)
    same = [folder for folder in found if _is_same(folder, wanted, exact)]
    free = same if places is not None else [folder for folder in same if not in_use(folder.path / LOCK)]
    if free:
        return free[-1]
    if same:
        say(f"resume=auto: the run of this configuration in {same[-1].path} is going on elsewhere; starting a new run")
    elif places is None:
        other = f"; {going_on(found[-1])} would go on with another one" if found else ""
        say(f"resume=auto: no unfinished run of this configuration{other}; starting a new run")
    return None


def going_on(folder: RunFolder) -> str:
    """The override that goes on with a run, and that for the user's word where its configuration needs it."""
    try:
        trust = " trust=true" if needs_trust(read_config(folder.config)) else ""
    except UserError:  # told when it is resumed
        trust = ""
    return f"{setting('resume', folder.path)}{trust}"


def finished(folder: RunFolder, config: Any) -> dict[str, Any] | None:
    """Summary of a run that has come to its end, also by the limits of this configuration; None where it has not.

    Raises:
        UserError: it has exploded, and would again.
    """
    summary = folder.read_summary()
    if summary is not None and summary["exit_reason"] == EXPLODED:
        kept = f", as {setting('resume', folder.path)} may have" if folder.checkpoint.exists() else ""
        raise UserError(
            f"{folder.path} has exploded (update {summary['updates']}), and the same run would again; it takes another "
            f"setting, such as a lower optimizer.lr{kept}"
        )
    if summary is None or summary["exit_reason"] not in FINISHED:
        return None
    if summary["exit_reason"] == "no_improvement":
        return summary
    clock = build_clock(config, lambda _: None)
    clock.load_state_dict({"updates": summary["updates"], "elapsed": summary["seconds"]})
    return None if clock.reached() is None else summary


def differing(folder: RunFolder, config: DictConfig) -> str:
    """In what the run in a folder differs from this configuration; empty where it is none of ours."""
    if not folder.config.is_file():
        return ""
    try:
        return changes(read_config(folder.config), plain(config))
    except (UserError, OmegaConfBaseException):
        return ""


def is_run_of(folder: RunFolder, config: DictConfig) -> bool:
    """Whether the run in a folder has this configuration, its end included."""
    return folder.config.is_file() and _is_same(
        folder, _comparable(OmegaConf.to_container(config, resolve=True), True), True
    )


def _is_unfinished(folder: RunFolder) -> bool:
    if not folder.checkpoint.exists():
        return False
    summary = folder.read_summary()
    return summary is None or summary["exit_reason"] not in FINISHED


def _is_same(folder: RunFolder, wanted: Mapping[str, Any], exact: bool) -> bool:
    """Whether a run has this configuration; not for a file that no run of ours has written."""
    try:
        if not _may_be(folder.config, wanted["experiment"]):
            return False
        own = _comparable(read_config(folder.config), exact)
    except (UserError, OSError, KeyError, TypeError, ValueError):  # what a stranger wrote is the same as no run
        return False
    return own == {key: value for key, value in wanted.items() if key in own or key not in _NOT_IN_EARLIER}


def _may_be(config: Path, experiment: str | None) -> bool:
    """Whether a file's line of the experiment fits, before the rest is read: a sweep has hundreds of runs."""
    with config.open("rb") as file:
        line = re.search(rb"^experiment: *['\"]?([^'\"\r\n]*)", file.read(LARGEST_FILE), re.MULTILINE)
    return line is None or line[1].decode(errors="replace").strip() in (experiment, "null", "")


def _comparable(config: Any, exact: bool) -> dict[str, Any]:
    """What makes two runs the same: everything but where they lie and, where it is not exact, when they end."""
    config = with_later_settings(config)
    trainer = config["trainer"] if isinstance(config.get("trainer"), dict) else {}
    trainer = {key: value for key, value in trainer.items() if exact or key not in _LIMITS}
    size = {"size": config["size"]["name"]} if "size" in config else {}  # its numbers stand where they are used
    return {key: value for key, value in config.items() if key not in _NOT_COMPARED} | {"trainer": trainer} | size
