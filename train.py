"""Train a network: `python train.py --help` lists the choices."""

import sys

from sr.app.main import main

if __name__ == "__main__":
    sys.exit(main())
