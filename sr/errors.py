"""The error that users see. Imports nothing, so that the command line starts quickly."""

USER_ERROR = 2
"""Exit code of a mistake that the user can mend."""

PARTLY_FAILED = 1
"""Exit code where some of several pictures failed, and the others are done."""


class UserError(Exception):
    """A mistake that the person at the keyboard can mend.

    The message is one sentence (or one line per fault) that quotes the offending value and says what to do.
    The command line prints it without a traceback and exits with code 2.
    """
