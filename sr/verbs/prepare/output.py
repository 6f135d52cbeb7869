"""What the `sr prepare` verbs share: the output folder that remembers its settings and what is done, and progress."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any, TextIO

from rich.console import Console

from sr.console import plain_bar
from sr.errors import UserError
from sr.files import real_path, sweep_up, write_atomically
from sr.image.names import names_as
from sr.locks import InUseError, alone
from sr.printable import first_line

JOURNAL = "prepared.jsonl"
"""First line: the verb and its settings. Then a line for each finished input."""

_SECONDS_BETWEEN_LINES = 10.0


def check_outside(output: Path, inputs: Sequence[Path]) -> None:
    """Outputs inside an input folder would be inputs of the next run.

    Raises:
        UserError: the output folder is an input folder, or lies in one.
    """
    for folder in inputs:
        if folder.is_dir() and real_path(output).is_relative_to(real_path(folder)):
            raise UserError(f"-o {output} lies in '{folder}', which is read; choose a folder outside of it")


class Journal:
    """What an output folder holds already.

    Args:
        file: open for appending.
        done: the finished inputs with what is known about them.
    """

    def __init__(self, file: TextIO, done: dict[str, dict[str, Any]]) -> None:
        self._file = file
        self.done = done

    def finish(self, name: str, record: dict[str, Any]) -> None:
        """Write down that the input ``name`` is finished; its files must be on the disk."""
        self.done[name] = record
        self._file.write(json.dumps({"name": name, **record}) + "\n")
        self._file.flush()


@contextmanager
def journal(folder: Path, verb: str, settings: dict[str, Any]) -> Iterator[Journal]:
    """The output folder of a verb, locked for this process.

    Args:
        folder: made where it is missing.
        verb: what writes into it.
        settings: plain values that decide what the outputs look like.

    Raises:
        UserError: the folder was filled by another verb or with other settings, holds other files, is in use,
            or cannot be written.
    """
    settings = json.loads(json.dumps({"verb": verb, **settings}))  # tuples become lists, as they will be read back
    path = folder / JOURNAL
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / f".{JOURNAL}.lock"):
            sweep_up(folder, below=True)
            done = _finished(folder, settings)
            lines = [settings, *({"name": name, **record} for name, record in done.items())]
            write_atomically(path, "".join(json.dumps(line) + "\n" for line in lines).encode())
            with path.open("a", encoding="utf-8") as file:
                yield Journal(file, done)
    except InUseError as error:
        raise UserError(f"{error} is writing into '{folder}'; wait for it or choose another -o") from None
    except OSError as error:
        raise UserError(f"cannot write into '{folder}': {error.strerror or error}; choose another -o") from error


def _finished(folder: Path, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Finished inputs of an earlier run with the same settings."""
    complete = _read(folder / JOURNAL)
    if not complete:
        others = [entry.name for entry in sorted(folder.iterdir()) if not entry.name.startswith(".")]
        if [name for name in others if name != JOURNAL]:
            raise UserError(f"'{folder}' holds other files ({others[0]}, …); choose an empty or a new folder for -o")
        return {}
    _same(folder, complete[0], settings)
    return {line.pop("name"): _Record(folder / JOURNAL, line) for line in complete[1:]}


class _Record(dict[str, Any]):
    """What is known of a finished input; the verbs read what they wrote."""

    def __init__(self, path: Path, known: dict[str, Any]) -> None:
        super().__init__(known)
        self._path = path

    def __missing__(self, key: str) -> Any:
        raise _damaged(self._path, f"a line has no {key}")


def _read(path: Path) -> list[dict[str, Any]]:
    """The settings, then what is finished; nothing where there is no file."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        complete = [json.loads(line) for line in lines if line.endswith("\n")]  # a run that died leaves half a line
    except (ValueError, RecursionError) as error:
        raise _damaged(path, first_line(error)) from error
    keys = ["verb", *["name"] * (len(complete) - 1)]
    for line, key in zip(complete, keys, strict=False):
        if not isinstance(line, dict) or not isinstance(line.get(key), str):
            raise _damaged(path, f"a line has no {key}")
    return complete


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"'{path}' is damaged ({why}); choose another -o, or empty that folder")


def _same(folder: Path, found: dict[str, Any], settings: dict[str, Any]) -> None:
    if found["verb"] != settings["verb"]:
        raise UserError(
            f"'{folder}' was filled by `sr prepare {found['verb']}`; choose another folder for -o than that"
        )
    differing = [key for key in settings if found.get(key) != settings[key]]
    if differing:
        were = ", ".join(f"{key} {_shown(found.get(key))} (now {_shown(settings[key])})" for key in differing)
        raise UserError(f"'{folder}' was filled with {were}; use the same settings, or choose another -o")


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class Steps:
    """A bar in a terminal, else a line now and then.

    Args:
        console: where to draw.
        what: is being done.
        total: how many steps there are, or None where nobody knows.
    """

    def __init__(self, console: Console, what: str, total: int | None) -> None:
        self.console, self.what, self.total = console, what, total
        self._bar = plain_bar(console)
        self._task = self._bar.add_task(what, total=total)
        self._last_line = monotonic()

    def __enter__(self) -> "Steps":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def done(self, count: int) -> None:
        """So many are finished now."""
        self._bar.update(self._task, completed=count)
        if not self.console.is_terminal and monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = monotonic()
            of = f"/{self.total}" if self.total else ""
            self.console.print(f"{self.what}: {count}{of}")


def counted(count: int, what: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def tell_failures(failures: Sequence[str]) -> None:
    """What went wrong with some of the inputs, after all the others are done.

    Raises:
        UserError: anything went wrong.
    """
    if failures:
        raise UserError(*failures)


def flat_names(sources: Sequence[str]) -> list[str]:
    """``ep01/00001.png`` as ``ep01_00001``: one folder holds all. Beside it ``ep01/00001.jpg`` keeps its suffix."""
    names = names_as([PurePosixPath(source) for source in sources])
    return ["_".join(name.with_suffix("").parts) for name in names]
