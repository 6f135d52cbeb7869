"""A sheet that is written again replaces the one before it, never a picture of somebody's."""

from pathlib import Path

from sr.errors import UserError
from sr.printable import printable

SOFTWARE = "sr sheet"
"""What the PNG chunk ``Software`` of each sheet says."""
CHUNK = (b"tEXt", b"Software\0" + SOFTWARE.encode())
"""The same as a chunk (name, content)."""
_HEAD = 4096  # bytes, in which the chunk lies


def check_sheet(path: Path) -> None:
    """Refuse, before anything else is done, a name under which no sheet can be written or another picture lies.

    Args:
        path: what ``-o`` names.

    Raises:
        UserError: it is no PNG file, a folder, or a file that is not one of these sheets.
    """
    if path.suffix.lower() != ".png":
        raise UserError(f"-o {printable(path)}: the sheet is a PNG file; take -o {printable(path.with_suffix('.png'))}")
    if path.is_dir():
        raise UserError(f"-o {printable(path)} is a folder; take -o {printable(path / 'sheet.png')}")
    if path.exists() and not _is_sheet(path):
        raise UserError(f"-o {printable(path)} is there and no sheet, it would be lost; take another name or delete it")


def _is_sheet(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return b"".join(CHUNK) in file.read(_HEAD)
    except OSError as error:
        raise UserError(f"cannot write {printable(path)}: {error.strerror or error}; take another name") from error
