"""Numbered files in folders of a thousand, because file managers and network disks slow down in larger ones."""

from pathlib import Path

PER_FOLDER = 1000
"""Files in a folder unless told otherwise."""


def shard_path(number: int, per_folder: int = PER_FOLDER, suffix: str = ".png") -> Path:
    """The relative path of file ``number``: ``12/12678.png``.

    Args:
        number: counts through the whole set, 0 or more.
        per_folder: files in each folder, at least 1.
        suffix: of the file.

    Raises:
        ValueError: a number below 0, or a folder of less than one file.
    """
    if number < 0:
        raise ValueError(f"files are numbered from 0, got {number}")
    if per_folder < 1:
        raise ValueError(f"a folder holds at least 1 file, got {per_folder}; give {PER_FOLDER}")
    return Path(str(number // per_folder), f"{number}{suffix}")
