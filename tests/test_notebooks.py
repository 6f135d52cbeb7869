"""Every notebook runs from a fresh start without a warning, and lies in git without outputs."""

import os
import runpy
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").rglob("*.ipynb"))
STRICT = "import warnings\nwarnings.simplefilter('error')"
HINT = "run `uv run python tools/strip_notebooks.py` before committing"
AS_BEFORE = "warnings.resetwarnings()\nwarnings.simplefilter('ignore')"
"""ipykernel warns about itself when it ends."""


def names(path: Path) -> str:
    return path.stem


class ThisInterpreter(AsyncKernelManager):
    """Starts the interpreter that runs the tests, whatever kernels are installed."""

    @property
    def kernel_spec(self):
        return KernelSpec(
            argv=[sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            display_name="Python 3",
            language="python",
        )


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Run a copy in which warnings are errors."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(STRICT))
    notebook.cells.append(nbformat.v4.new_code_cell(AS_BEFORE))
    client = NotebookClient(
        notebook,
        timeout=240,
        kernel_manager_class=ThisInterpreter,
        resources={"metadata": {"path": str(folder)}},
    )
    # MPLBACKEND is set so that nothing opens a window; `%matplotlib inline` inside a notebook has the last word.
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_WAIT_POLICY": "PASSIVE", "OMP_NUM_THREADS": "1"}
    client.execute(env=environment)
    return notebook


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_notebook_runs(path, tmp_path, tmp_path_factory, monkeypatch):
    """From a folder that holds nothing, so that it depends on no working directory."""
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):  # not the user's own
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name)))
    notebook = executed(path, tmp_path)
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []
    if "matplotlib inline" in path.read_text():
        assert any("image/png" in output.get("data", {}) for output in outputs)
    assert list(tmp_path.iterdir()) == [], "a notebook leaves nothing behind"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=names)
def test_committed_without_outputs(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) <= {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert cell.metadata == {}
        if cell.cell_type == "code":
            assert cell.outputs == [], HINT
            assert cell.execution_count is None, HINT


def test_strip_takes_what_running_leaves(tmp_path):
    strip = runpy.run_path(str(REPOSITORY / "tools" / "strip_notebooks.py"))["strip"]
    cell = nbformat.v4.new_code_cell("1 + 1", execution_count=3, metadata={"scrolled": True})
    cell.outputs = [nbformat.v4.new_output("stream", text="2")]
    words = nbformat.v4.new_markdown_cell("# Words")
    path = tmp_path / "a.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[words, cell], metadata={"widgets": {}}), path)
    assert strip(path)
    assert not strip(path)
    after = nbformat.read(path, as_version=4)
    assert [cell.source for cell in after.cells] == ["# Words", "1 + 1"]
    assert set(after.metadata) == {"kernelspec", "language_info"}
    assert (after.cells[1].outputs, after.cells[1].execution_count, after.cells[1].metadata) == ([], None, {})
