"""The command line of `train.py`: Hydra's flags, and overrides."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sr.config.nearest import did_you_mean
from sr.config.own import own_folder
from sr.errors import UserError

_CONFIG_DIR = ("--config-dir", "-cd")
_WITH_VALUE = (*_CONFIG_DIR, "--cfg", "-c", "--package", "-p")
_SHOWING = ("-h", "--help", "--hydra-help", "--version", "--info", "-i")
_SEVERAL = ("-m", "--multirun")
_CONFIG = ("--cfg", "-c")
_VALUES = dict.fromkeys(_CONFIG, ("job", "hydra", "all"))
_INFORMING = ("--info", "-i")
_INFO = ("all", "config", "defaults", "defaults-tree", "plugins", "searchpath")
_OF_CONFIG = ("--package", "-p", "--resolve")
_ONE = ("--run", "-r")
_OTHER = (*_ONE, "--resolve")
_RESHAPING = (*_CONFIG, *_OF_CONFIG)
_MISLEADING = ("--config-path", "-cp", "--config-name", "-cn", "--experimental-rerun")


@dataclass(frozen=True)
class Arguments:
    """What somebody typed behind `train.py`.

    Attributes:
        flags: of Hydra, with their values.
        overrides: ``key=value``.
        own: the folder of choices beside conf/ that ``--config-dir`` names, looked into; None for none.
    """

    flags: list[str]
    overrides: list[str]
    own: Path | None

    @property
    def only_shows(self) -> bool:
        """Nothing is trained."""
        return any(flag.partition("=")[0] in _SHOWING for flag in self.flags)

    @property
    def several(self) -> bool:
        """One run per combination."""
        return any(flag in _SEVERAL for flag in self.flags)

    @property
    def flags_of_hydra(self) -> bool:
        """A flag that Hydra answers."""
        return any(flag in _RESHAPING for flag in map(_name_of, self.flags))


def split_arguments(arguments: Sequence[str]) -> Arguments:
    """Flags and overrides apart, in any order.

    Raises:
        UserError: an unknown flag, one without its value, or a fault of the folder of choices.
    """
    flags: list[str] = []
    overrides: list[str] = []
    place: str | None = None
    rest = iter(_joined(arguments))
    for argument in rest:
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        flag, _, value = argument.partition("=")
        _check_flag(flag, value)
        flags.append(argument)
        if flag not in _WITH_VALUE:
            continue
        if argument == flag:
            value = next(rest, "")
            flags.append(value)
        _check_value(flag, value)
        if flag in _CONFIG_DIR:
            if place is not None:
                raise UserError(f"--config-dir is given twice, {place} and {value}; one folder can be beside conf/")
            place = value
    _check_together(list(map(_name_of, flags)))
    return Arguments(flags, overrides, own_folder(place))


def _name_of(argument: str) -> str:
    return argument.partition("=")[0]


def _check_together(flags: Sequence[str]) -> None:
    shown = next((flag for flag in flags if flag in _CONFIG), None)
    part = next((flag for flag in flags if flag in _OF_CONFIG), None)
    if part is not None and shown is None and not any(flag in _SHOWING for flag in flags):
        raise UserError(f"{part} says how --cfg shows the configuration; write --cfg job {part} …")
    alone = next((flag for flag in flags if flag in (*_CONFIG, *_OF_CONFIG, *_ONE)), None)
    several = next((flag for flag in flags if flag in _SEVERAL), None)
    if several is not None and alone is not None:
        raise UserError(f"{several} makes a run per combination, and {alone} is of one run; leave one of the two out")


def _joined(arguments: Sequence[str]) -> Iterator[str]:
    """``--info defaults`` as ``--info=defaults``: its value may be left out."""
    waiting = list(arguments)
    while waiting:
        argument = waiting.pop(0)
        goes_on = argument in _INFORMING and waiting and waiting[0] in _INFO
        yield f"{argument}={waiting.pop(0)}" if goes_on else argument


def _check_value(flag: str, value: str) -> None:
    asks = _VALUES.get(flag)
    if not value:
        raise UserError(f"{flag} needs a value behind it, as in {flag} {_example(flag)}")
    if asks is not None and value not in asks:
        raise UserError(f"{flag} {value}: there is no such choice{did_you_mean(value, asks)}")
    if flag in _OF_CONFIG and "=" in value:
        raise UserError(f"{flag} {value}: it takes the name of a part, as in {flag} {_example(flag)}")


def _example(flag: str) -> str:
    return {"--cfg": "job", "-c": "job"}.get(flag, "model" if flag in ("--package", "-p") else "my_conf")


def _check_flag(flag: str, value: str) -> None:
    known = (*_WITH_VALUE, *_SHOWING, *_SEVERAL, *_OTHER)
    if flag in _MISLEADING:
        raise UserError(f"{flag} would leave conf/ out; --config-dir FOLDER takes choices of yours beside it")
    if flag not in known:
        near = did_you_mean(flag, [name for name in known if name.startswith("--")])
        raise UserError(f"{flag} is no flag of train.py{near}; settings are written name=value")
    if flag in _INFORMING and value and value not in _INFO:
        raise UserError(f"{flag}={value}: there is no such choice{did_you_mean(value, _INFO)}")
    if flag not in (*_WITH_VALUE, *_INFORMING) and value:
        raise UserError(f"{flag}={value}: {flag} has no value; leave ={value} out")
