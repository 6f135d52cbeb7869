"""The first thing that `train.py` imports: from here on a signal ends it with a sentence, whatever it is importing."""

import os
import sys

from sr.training.company import follow_first
from sr.training.signals import Signals

_NOTHING_LOST = "interrupted before the training began; nothing is lost"


def main() -> int:
    """Run `train.py`; the result is the exit code."""
    follow_first()
    with Signals() as signals:
        try:
            from sr.verbs.train.session import main as session

            return session(signals)
        except BaseException as error:
            # Libraries make other exceptions of an interrupt, and Lightning an exit.
            if not signals.raised and not isinstance(error, KeyboardInterrupt):
                raise
            if os.environ.get("LOCAL_RANK", "0") == "0":
                begun = "interrupted; resume=… goes on from the last checkpoint"
                print(begun if signals.begun else _NOTHING_LOST, file=sys.stderr, flush=True)
            return signals.exit_code
