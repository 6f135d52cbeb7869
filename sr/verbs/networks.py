"""Find and load the network that a verb works with."""

import os
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from sr.config.nearest import near_files, nearest, neighbours
from sr.data.kinds.benchmark import existing_set, hr_pictures
from sr.devices import choose_device
from sr.errors import UserError
from sr.inference.opening import open_network
from sr.models.files import check_finite
from sr.printable import printable
from sr.training.precision import Compute, choose_compute


def ready(path: Path, accelerator: str, trust: bool = False, words: Sequence[str] = ()) -> tuple[nn.Module, Compute]:
    """Load a network for use: on the device, in evaluation mode, float32.

    Args:
        path: its file.
        accelerator: cpu, gpu, mps or auto.
        trust: a network from outside this toolkit may be imported.
        words: what the user may write instead of a file.

    Raises:
        UserError: the file is no network that is known here, or there is no such device.
    """
    if path.is_dir():
        inside = sorted(path.glob("*.safetensors"))
        example = f", for instance {inside[0]}" if inside else ""
        raise UserError(f"{path} is a folder; name a network, a .safetensors file{example}")
    if path.suffix == ".ckpt":
        raise UserError(f"{path} is a checkpoint for resuming; take best.safetensors in its run folder")
    if not path.exists():
        found = [*nearest(str(path), words), *near_files(path)]
        known = " or ".join([*words, "a network, as best.safetensors in a run's folder"])
        raise UserError(f"{printable(path)} does not exist{neighbours(found) or f'; give {known}'}")
    network, _ = open_network(path, trust)
    check_finite(path, network.state_dict())
    compute = inference(accelerator)
    return compute.place(network).eval(), compute


def inference(accelerator: str) -> Compute:
    """Device for using networks. float32: a published number must not depend on the machine.

    Raises:
        UserError: there is no such device.
    """
    if accelerator not in ("auto", "cpu", "gpu", "mps"):
        raise UserError(f"--accelerator {accelerator} is not one of auto, cpu, gpu, mps")
    try:
        device = choose_device(accelerator, "--accelerator ")  # type: ignore[arg-type]
    except ValueError as error:
        raise UserError(str(error)) from error
    return choose_compute(device, "32", "auto")


def benchmark_paths(name: str, scale: int) -> list[Path]:
    """A folder as given (its ``HR`` folder where it has one), or the pictures of a test set below ``SR_BENCHMARKS``.

    Args:
        name: of a folder, or of a set in any of its usual spellings and layouts.
        scale: some layouts have other high-resolution files for each.

    Raises:
        UserError: there is neither.
    """
    if not name:
        raise UserError("--set has no value; give a folder, or the name of a test set")
    folder = Path(name).expanduser()
    if folder.exists():
        return [folder / "HR" if (folder / "HR").is_dir() else folder]
    found = existing_set(Path(os.environ["SR_BENCHMARKS"]), name) if "SR_BENCHMARKS" in os.environ else None
    if found is None:
        raise UserError(f"--set {name}: no such folder{_known_sets(name)}")
    return hr_pictures(found, scale)


def _known_sets(name: str) -> str:
    from sr.config.nearest import did_you_mean

    root = os.environ.get("SR_BENCHMARKS")
    if root is None:
        return "; set SR_BENCHMARKS to a folder of test sets to call them by name"
    known = [path.name for path in Path(root).iterdir() if path.is_dir()] if Path(root).is_dir() else []
    return f" and no such test set below SR_BENCHMARKS={root}{did_you_mean(name, known)}"
