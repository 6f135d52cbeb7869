"""The error that users see. Imports nothing heavy, so that the command line starts quickly."""

from sr.printable import printable

USER_ERROR = 2
"""Exit code of a mistake that the user can mend."""

PARTLY_FAILED = 1
"""Exit code where some of several pictures failed, and the others are done."""


class UserError(Exception):
    r"""A mistake that the person at the keyboard can mend.

    The message is one sentence (or one line per fault) that quotes the offending value and says what to do.
    The command line prints it without a traceback and exits with code 2. What is quoted may hold anything: a line break
    in it is shown as ``\n``, so that no name makes a line of its own.

    Args:
        lines: a sentence for each fault.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)

    def __str__(self) -> str:
        return "\n".join(map(printable, self.args))
