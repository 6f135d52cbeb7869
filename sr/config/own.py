"""What users bring: a folder of choices beside conf/ (``--config-dir``), and classes of their own modules."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from hydra.utils import get_object
from omegaconf import DictConfig, OmegaConf

from sr.config.folder import CONF, choice_files
from sr.config.nearest import did_you_mean
from sr.config.parsed import choices_of, parsed_overrides, values_of
from sr.errors import UserError


def own_folder(place: str | Path | None) -> Path | None:
    """The folder that ``--config-dir`` names, after a look into it; None for none.

    Args:
        place: as typed.

    Raises:
        UserError: there is no such folder, it has no choices, or has one that conf/ has too.
    """
    if place is None:
        return None
    folder = Path(place).expanduser()
    if not folder.is_dir():
        beside = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        raise UserError(f"--config-dir {place}: there is no such folder{did_you_mean(folder.name, beside)}")
    if folder.resolve() == CONF.resolve():
        return None
    files = choice_files(folder)
    if not files:
        loose = next(iter(sorted(folder.glob("*.yaml"))), None)
        found = "" if loose is None else f"; {loose.name} belongs into one of its folders, such as model/"
        raise UserError(f"--config-dir {place} has no GROUP/NAME.yaml, such as model/mine.yaml{found}")
    if (folder / "train.yaml").exists():
        raise UserError(
            f"--config-dir {place} has a train.yaml, as conf/ has; put what differs into "
            f"{folder / 'experiment' / 'NAME.yaml'} and take it by experiment=NAME"
        )
    taken = sorted(str(name) for name in files if (CONF / name).exists())
    if taken:
        raise UserError(
            f"--config-dir {place} has {taken[0]}, and conf/ has a file of that name too; give yours another name"
        )
    return folder.resolve()


def with_own_targets(config: DictConfig | str, arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments, where ``model._target_=my_module.MyNet`` leaves no argument behind that `MyNet` does not take.

    New values (``model.width=8``) are written ``+model.width=8``, as Hydra wants them.

    Args:
        config: of the choices on this command line, before single values; or what is wrong with them.
        arguments: ``key=value`` of the command line; those with faults stay as they are.

    Returns:
        The arguments, and a line for the user per class: what of the choice is left out.
    """
    parsed, faults = parsed_overrides(arguments)
    targets: dict[str, str] = {str(o.key_or_group): str(values_of(o)[0]) for o in parsed if _names_one_class(o)}
    if faults or isinstance(config, str) or not targets:
        return list(arguments), []
    typed = {str(o.key_or_group) for o in parsed}
    added: set[str] = set()
    dropped: list[str] = []
    told: list[str] = []
    for key, target in targets.items():
        place = key.removesuffix("._target_")
        takes = _arguments_of(target)
        node = OmegaConf.select(config, place)
        if takes is None or not isinstance(node, DictConfig) or node.get("_target_") == target:
            continue
        # Also what the class does not take: its signature is what a misspelt name is compared with later.
        added |= {name for name in typed if name.rpartition(".")[0] == place and name.rpartition(".")[2] not in node}
        names = [str(name) for name in node]
        out = [n for n in names if n not in takes and not n.startswith("_") and not _in(f"{place}.{n}", typed)]
        dropped += [f"~{place}.{name}" for name in out]
        if out:
            told.append(f"{place}: {target} does not take {', '.join(out)} of the choice; left out")
    plain = [not (o.is_add() or o.is_force_add() or o.is_delete()) for o in parsed]
    written = [
        f"+{argument}" if bare and str(override.key_or_group) in added else argument
        for argument, override, bare in zip(arguments, parsed, plain, strict=True)
    ]
    return [*written, *dropped], told


def _names_one_class(override: Override) -> bool:
    return str(override.key_or_group).endswith("._target_") and len(values_of(override)) == 1


def _in(key: str, typed: set[str]) -> bool:
    return any(name == key or name.startswith(f"{key}.") for name in typed)


def _arguments_of(target: Any) -> Mapping[str, Any] | None:
    """What a class takes; None where it cannot be imported (told elsewhere) or takes anything."""
    try:
        parameters = inspect.signature(get_object(str(target))).parameters
    except (HydraException, ImportError, ValueError, TypeError):
        return None
    return None if any(p.kind is p.VAR_KEYWORD for p in parameters.values()) else parameters


def open_places(folders: Sequence[Path], arguments: Sequence[str]) -> Iterator[str]:
    """Beginnings of the names below which the signature of a class decides what there is.

    Args:
        folders: the conf folder, and perhaps one of the user's, whose choices need not list every argument.
        arguments: ``key=value`` of the command line, some of which name a class themselves.
    """
    for override in parsed_overrides(arguments)[0]:
        key = str(override.key_or_group)
        if key.endswith("._target_"):
            yield key.removesuffix("_target_")
        files = [folder / key / f"{choice}.yaml" for folder in folders[1:] for choice in choices_of(override)]
        if any(file.exists() for file in files):
            yield f"{key}."
