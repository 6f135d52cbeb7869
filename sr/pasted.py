"""Lines that we print for the user to paste into a shell: they mean the same there, whatever paths are called."""

import os
import re
import shlex
from pathlib import Path

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_./-]*")
"""Values that an override takes as they are."""
_ALIVE = re.compile(r'["$`\\!]')
"""What means something to a shell between double quotes, which read better around single ones than ``'"'"'``."""
_WORDS = ("null", "true", "false", "nan", "inf")
"""Values that an override takes for something else than text."""
_OPENING = ("-", "+", "~", "=")
"""A word that begins so is an option, a folder of somebody, or in zsh a command."""


_CLONE = Path(__file__).resolve().parents[1]
"""The folder of `train.py`, where this is no installed package."""


def training(*words: str | os.PathLike[str]) -> str:
    """The command line that trains, as it is typed in the current folder.

    Args:
        words: behind `train.py`.
    """
    script = ["train.py"] if Path.cwd() == _CLONE else ["-m", "sr.verbs.train"]
    return pasted(*_runner(), "python", *script, *words)


def verb(*words: str | os.PathLike[str]) -> str:
    """The command line of a verb of `sr`, as it is typed in the current folder.

    Args:
        words: behind `sr`.
    """
    return pasted(*_runner(), "sr", *words)


def in_environment(*words: str | os.PathLike[str]) -> str:
    """The command line of another program of the environment, as it is typed in the current folder.

    Args:
        words: its name, and what is behind it.
    """
    return pasted(*_runner(), *words)


def extra_command(extra: str, package: str) -> str:
    """The command line that installs an extra of this package, as it is typed in the current folder.

    Args:
        extra: its name, as pyproject.toml has it.
        package: that it brings, for an environment that is not a clone's.
    """
    here = ("uv", "sync", "--inexact", "--extra", extra)
    return pasted(*here) if _runner() else pasted("pip", "install", package)


def _runner() -> tuple[str, ...]:
    """`uv run` belongs to a clone; elsewhere the package is in the environment that is active."""
    inside = (_CLONE / "train.py").is_file() and Path.cwd().is_relative_to(_CLONE)
    return ("uv", "run") if inside else ()


def pasted(*words: str | os.PathLike[str]) -> str:
    """A command line for sh, bash and zsh.

    Args:
        words: of the command. A path that begins like an option gets ``./`` in front.
    """
    return " ".join(_quoted(word) for word in words)


def setting(key: str, value: str | os.PathLike[str]) -> str:
    """An override ``key=value`` whose value is this text, whatever its characters mean to Hydra.

    Args:
        key: of the setting.
        value: a path or another text.
    """
    text = os.fspath(value)
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return f"{key}={text}"
    # Backslashes count only in front of a quote, where they are doubled; ${ would be an interpolation.
    escaped = re.sub(r"(\\*)('|\Z)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), text)
    inert = escaped.replace("${", "\\${")
    return f"{key}='{inert}'"


def _quoted(word: str | os.PathLike[str]) -> str:
    text = os.fspath(word)
    if isinstance(word, os.PathLike) and text.startswith(_OPENING):
        text = f"./{text}"
    quoted = shlex.quote(text) if "'" not in text or _ALIVE.search(text) else f'"{text}"'
    return f"'{text}'" if quoted == text and text.startswith(_OPENING[1:]) else quoted
