"""What C writes is kept away from the terminal, what Python writes is not."""

import subprocess
import sys

SCRIPT = """
import logging, os, sys
from sr.verbs.screen.quiet import quiet_libraries
os.write(2, b"1 ")
with quiet_libraries():
    os.write(2, b"hidden ")
    logging.getLogger("PIL.TiffImagePlugin").error("hidden too")
    print("2", end=" ", file=sys.stderr)
os.write(2, b"3 ")
print("4", end=" ", file=sys.stderr, flush=True)
logging.getLogger("PIL.TiffImagePlugin").error("5")
"""


def test_only_libraries_are_silent():
    told = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert told.stderr.split() == list("12345")


def test_without_an_error_output_nothing_fails():
    closed = """
import os
os.close(2)
from sr.verbs.screen.quiet import quiet_libraries
with quiet_libraries():
    print("done")
"""
    assert subprocess.run([sys.executable, "-c", closed], check=True, stdout=subprocess.PIPE).stdout == b"done\n"
