"""Train a network: `python train.py --help` lists the choices."""

import sys

from sr.verbs.train.start import main

if __name__ == "__main__":
    sys.exit(main())
