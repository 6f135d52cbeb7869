"""Remove outputs, execution counts and metadata from notebooks: `uv run python tools/strip_notebooks.py [FILE…]`."""

import sys
from pathlib import Path

import nbformat

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"
KEPT = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def strip(path: Path) -> bool:
    """Rewrite one notebook without what running it leaves behind.

    Returns:
        Whether the file changed.
    """
    before = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(before, as_version=4)
    notebook.metadata = nbformat.from_dict({**KEPT, "language_info": {"name": "python"}})
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    after = nbformat.writes(notebook) + "\n"
    if after != before:
        path.write_text(after, encoding="utf-8")
    return after != before


if __name__ == "__main__":
    for file in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.rglob("*.ipynb")):
        print(f"{file}: {'stripped' if strip(file) else 'nothing to strip'}")
