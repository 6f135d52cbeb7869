"""The file that an attack would leave, if its code ran: one per process, so that tests side by side see their own."""

import os
import tempfile
from pathlib import Path

MARK = str(Path(tempfile.gettempdir()) / f"sr_a_stranger_was_here_{os.getpid()}")
