"""Find the run to go on from, and join its configuration with what the command line changes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sr.config.resumable import folder_fault, with_later_settings
from sr.config.stored import completed, opened, read_config
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.run_folder import RunFolder
from sr.types import UserError

FINISHED = ("max_updates", "max_time", "no_improvement")
"""Exit reasons of a run that came to its end; others can be resumed by ``resume=auto``."""
_NOT_COMPARED = ("run_dir", "resume", "trust")
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
    """

    folder: RunFolder
    config: DictConfig
    state: dict[str, Any]
    changes: str


def find_resumed(config: DictConfig, overrides: Sequence[str], say: Callable[[str], None]) -> Resumed | None:
    """What ``resume=`` asks for; None where the run starts afresh.

    Args:
        config: as composed from this command line.
        overrides: ``key=value`` of this command line.
        say: told why ``auto`` found nothing.

    Raises:
        UserError: the folder has no checkpoint, or it is damaged, of another network, or (without ``trust``) names
            what this toolkit does not offer.
    """
    if config.resume is None:
        return None
    if config.resume == "auto":
        folder = _newest_unfinished(config, say)
        if folder is None:
            return None
    else:
        folder = RunFolder(Path(config.resume))
        fault = folder_fault(config.resume)
        if fault is not None:
            raise UserError(fault)
    state = read_checkpoint(folder.checkpoint)
    current: Any = OmegaConf.to_container(config, resolve=False)
    own = completed(opened(state.get("config"), folder.checkpoint, config.trust), current)
    joined = _joined(own, config, overrides)
    changed = _changes(own, joined)
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    told = f"changed since the checkpoint: {', '.join(changed[:_SHOWN])}{more}" if changed else ""
    return Resumed(folder, joined, state, told)


def _changes(saved: Any, joined: DictConfig) -> list[str]:
    """``name=new (was old)`` for each setting that differs, the run's place apart."""
    before, after = (dict(_flat(OmegaConf.to_container(OmegaConf.create(c), resolve=True))) for c in (saved, joined))
    names = [name for name in dict.fromkeys([*after, *before]) if name not in _NOT_COMPARED]
    return [
        f"{name}={after.get(name, 'none')} (was {before.get(name, 'none')})"
        for name in names
        if before.get(name) != after.get(name) and ".network." not in name
    ]


def _flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _flat(child, f"{prefix}{key}.")
    else:
        yield prefix.rstrip("."), node


def _joined(saved: dict[str, Any], composed: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The run's own configuration; only what this command line names is changed."""
    joined = OmegaConf.create(saved)
    for override in overrides:
        key = override.split("=", 1)[0].lstrip("+~").split("@")[-1]
        if key in _NOT_COMPARED or key == "experiment":
            continue
        value = OmegaConf.select(composed, key)
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


def _line(model: Any) -> str:
    arguments = ", ".join(f"{key}={value}" for key, value in model.items() if not key.startswith("_"))
    return f"{str(model['_target_']).rsplit('.', 1)[-1]}({arguments})"


def _newest_unfinished(config: DictConfig, say: Callable[[str], None]) -> RunFolder | None:
    wanted = _comparable(OmegaConf.to_container(config, resolve=True))
    places = [Path(config.run_dir)] if config.run_dir is not None else Path("outputs").glob("**/config.yaml")
    folders = [RunFolder(p.parent if p.name == "config.yaml" else p) for p in places]
    unfinished = sorted(filter(_is_unfinished, folders), key=lambda folder: folder.checkpoint.stat().st_mtime)
    same = [folder for folder in unfinished if _configuration(folder) == wanted]
    if same:
        return same[-1]
    other = f"; resume={unfinished[-1].path} would go on with another one" if unfinished else ""
    say(f"resume=auto: no unfinished run of this configuration{other}; starting a new run")
    return None


def _is_unfinished(folder: RunFolder) -> bool:
    if not folder.checkpoint.exists() or not folder.config.exists():
        return False
    summary = folder.read_summary()
    return summary is None or summary["exit_reason"] not in FINISHED


def _configuration(folder: RunFolder) -> dict[str, Any] | None:
    """What makes a run the same, for comparison only; None for a file that no run of ours has written."""
    try:
        return _comparable(read_config(folder.config))
    except (UserError, KeyError, TypeError, ValueError):  # what a stranger wrote is the same as no run
        return None


def _comparable(config: Any) -> dict[str, Any]:
    """What makes two runs the same: everything but where they lie and when they end."""
    config = with_later_settings(config)
    trainer = config["trainer"] if isinstance(config.get("trainer"), dict) else {}
    trainer = {key: value for key, value in trainer.items() if key not in _LIMITS}
    return {key: value for key, value in config.items() if key not in _NOT_COMPARED} | {"trainer": trainer}
