"""Text of strangers made safe to show: names of files, and what files say, may hold anything. Imports nothing heavy."""

import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Controls (escape sequences begin with one), marks that turn or hide text, halves of characters, line breaks."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What spreadsheets run, where a cell begins with it."""


def printable(text: object, keep: str = "") -> str:
    r"""The text on one line, without what a terminal obeys: such characters are written as ``\x1b``, ``\u202e``.

    Args:
        text: anything; a path, say.
        keep: characters that stay, such as a newline where the text is a program's own.
    """
    shown = str(text)
    if shown.isascii() and shown.isprintable():
        return shown
    return "".join(c if c in keep or unicodedata.category(c) not in _HIDDEN else _escaped(c) for c in shown)


def first_line(error: BaseException) -> str:
    """What an error says, or its kind where it says nothing: its first line, safe to show and not too long."""
    lines = str(error).strip().splitlines()
    return printable(lines[0])[:200] if lines else type(error).__name__


def cell(value: object) -> object:
    """A value for a CSV file: safe to show, and with an apostrophe before what a spreadsheet would run as a formula."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if value.startswith(_FORMULA) and not _is_number(value) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
