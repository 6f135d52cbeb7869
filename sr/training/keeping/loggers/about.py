"""What services are told about a run: its name, its sweep, and the words that it is found by."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from sr.training.keeping.command import read_command

LONGEST_TAG = 64
"""Letters of a tag, as W&B takes them."""
_UNTOLD = ("local", "logger", "size", "experiment", "callbacks")
"""Groups that say nothing of what is trained, or are told as a word of their own."""


@dataclass(frozen=True)
class About:
    """A run in words.

    Attributes:
        name: of its folder.
        group: the sweep's name; None of a run that is alone.
        choices: by group, ``model: espcn``, without those that are ``none``.
        tags: experiment, size, ``seed=0`` and the choices; 1 to 64 letters each.
    """

    name: str
    group: str | None
    choices: Mapping[str, str]
    tags: tuple[str, ...]


def about_run(run_dir: str, config: Mapping[str, Any]) -> About:
    """What the folder and the configuration of a run say.

    Args:
        run_dir: the run's folder, in which its command is kept.
        config: resolved.
    """
    folder = Path(run_dir)
    command = read_command(folder)
    choices = {group: choice for group, choice in command.choices.items() if _tells(group, choice)}
    size, experiment = command.choices.get("size"), config.get("experiment")
    words = [str(word) for word in (experiment, size) if word]
    words += [f"seed={config['seed']}"] if "seed" in config else []
    words += [f"{group}={choice}" for group, choice in sorted(choices.items())]
    group = None if command.sweep is None else cut(command.sweep)
    return About(folder.resolve().name, group, choices, tags(words))


def tags(words: Iterable[str]) -> tuple[str, ...]:
    """Words as services take them: none is empty, too long or there twice."""
    return tuple(dict.fromkeys(cut(word) for word in words if word.strip()))


def cut(word: str) -> str:
    """A word of at most 64 letters; of a longer one the beginning, and what tells it from others that begin so."""
    if len(word) <= LONGEST_TAG:
        return word
    digest = blake2b(word.encode(errors="surrogateescape"), digest_size=4).hexdigest()
    return f"{word[: LONGEST_TAG - len(digest) - 1]}-{digest}"


def _tells(group: str, choice: str) -> bool:
    return "@" not in group and group not in _UNTOLD and choice not in ("none", "null", "")
