"""The first thing that `train.py` imports: from here on a signal ends it with a sentence, whatever it is importing."""

import os
import sys

from sr.training.company import follow_first
from sr.training.signals import Signals


def main() -> int:
    """Run `train.py`; the result is the exit code."""
    follow_first()
    with Signals() as signals:
        try:
            from sr.verbs.train.session import main as session

            return session(signals)
        except BaseException as error:
            # Libraries make other exceptions of an interrupt, and Lightning an exit.
            if signals.received is None and not isinstance(error, KeyboardInterrupt):
                raise
            if os.environ.get("LOCAL_RANK", "0") == "0":
                print("interrupted before the training began; nothing is lost", file=sys.stderr, flush=True)
            return signals.exit_code
