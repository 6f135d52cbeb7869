"""Records of runs: what a verdict is made of, without networks and checkpoints, small enough to be published.

A record is a run's folder with little in it, so that it is found, checked and judged as any run is.
"""

import re
from pathlib import Path

from sr.experiments import measuring
from sr.experiments.runs import Run, read_json
from sr.files import write_atomically
from sr.plain_yaml import read_plain_yaml
from sr.training.keeping.run_folder import RunFolder


def write_record(run: Run, folder: Path, shown: bool) -> None:
    """Write the record of a run; one that is its own record stays as it is.

    Args:
        run: that was measured.
        folder: of the record.
        shown: with the picture, where there is one.

    Raises:
        UserError: the disk is full or not writable.
    """
    if folder.resolve() == run.folder.path.resolve():
        return
    record = RunFolder(folder)
    for here, there in ((run.folder.config, record.config), (run.folder.summary, record.summary)):
        write_atomically(there, without_home(here.read_text(), str(Path.home())).encode())
    measured, picture = run.folder.path / measuring.FILE, run.folder.path / measuring.PICTURE
    if measured.exists():
        found = measuring.kept(run) or read_json(measured)  # kept: what the training said as it is read today
        adopted = measuring.adopted(found, Run(record, read_plain_yaml(record.config), None))
        write_atomically(folder / measuring.FILE, adopted)
    if shown and picture.exists():
        write_atomically(folder / measuring.PICTURE, picture.read_bytes())
    else:
        (folder / measuring.PICTURE).unlink(missing_ok=True)  # of an earlier page


def without_home(text: str, home: str) -> str:
    """Whose home it was is nobody's business, and no part of the run.

    Args:
        text: of a file.
        home: the folder; one that holds all others stays.
    """
    if home == "/":
        return text
    return re.sub(rf"(?<![\w/.~-]){re.escape(home)}(?:/|(?![\w.-]))", "~/", text)
