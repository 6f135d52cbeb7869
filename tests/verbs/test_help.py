"""What `sr VERB --help` says."""

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main
from rich.text import Text

from sr.verbs.cli import app


def verbs(group: Any, name: str = "sr") -> Iterator[tuple[str, Any]]:
    for word, verb in group.commands.items():
        if hasattr(verb, "commands"):
            yield from verbs(verb, f"{name} {word}")
        else:
            yield f"{name} {word}", verb


@pytest.mark.parametrize(("name", "verb"), list(verbs(typer.main.get_command(app))), ids=lambda value: str(value)[:40])
def test_no_word_in_brackets_is_taken_for_markup(name, verb):
    for parameter in verb.params:
        said = getattr(parameter, "help", None) or ""
        shown = Text.from_markup(said).plain
        assert shown == said.replace("\\[", "["), f"{name} {parameter.name}"
