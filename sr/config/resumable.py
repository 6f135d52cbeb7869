"""What is wrong with the place that ``resume=`` names."""

from pathlib import Path

from sr.config.nearest import did_you_mean
from sr.pasted import setting
from sr.training.keeping.run_folder import RunFolder


def folder_fault(place: str) -> str | None:
    """What is wrong with the folder of ``resume=place``, with the nearest that is a run's; None where it exists."""
    path = Path(place)
    if path.is_file():
        near = next((p for p in path.parents if RunFolder(p).checkpoint.exists()), None)
        hint = "" if near is None else f": {setting('resume', near)}"
        return f"resume={place} is a file; take the run's folder{hint}"
    return None if path.is_dir() else f"resume={place}: there is no such folder{_runs_near(path)}"


def _runs_near(path: Path) -> str:
    root = path.parent if path.parent.is_dir() else Path("outputs")
    runs = [str(p.parent.parent) for p in root.glob("*/checkpoints/last.ckpt")]
    return did_you_mean(str(path), runs)
