"""`python -m sr.verbs.train`, from any folder: what `train.py` is in a clone."""

import sys

from sr.verbs.train.start import main

if __name__ == "__main__":
    sys.exit(main())
