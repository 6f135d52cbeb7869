"""What is found in the target's frames by the tools behind `sr prepare noise` and `sr prepare kernels`.

A pool is a folder as ``data.target`` wants it: ``kernels/`` and ``noise/patches/``. It is made when it is first needed,
whole or not at all, and made anew where its record says that it came from other frames or settings.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sr.data.contract import OnMessage, OnProgress
from sr.data.kinds.sources import Folder
from sr.data.preparation.kernel_gan import KernelGan
from sr.data.preparation.kernel_starts import estimated
from sr.data.preparation.noise_patches import Extraction, from_file, to_file
from sr.degradations.kernel_files import write_kernels
from sr.degradations.kernel_pool import read_kernels
from sr.errors import UserError
from sr.experiments.runs import read_json
from sr.experiments.world.drawing import is_background
from sr.experiments.world.filming import hidden_kernel
from sr.experiments.world.folder import World, is_whole
from sr.experiments.world.settings import RELEASES
from sr.files import write_atomically
from sr.image.depth import to_uint8
from sr.image.io import read_visible, write_picture
from sr.locks import alone
from sr.types import Picture

RECORD = "pool.json"

LOG_POOLS = {"soultaker": ("S2K0", "S2K3", "S2K5", "S4K3", "S3K3"), "aniboters": ("S3K3", "S3W5K5")}
"""Releases and extractions of the experiment log: #16 to #18, #19, #20 and #23, #21, #22; from #25 on, #32."""

_CODE = re.compile(r"S(?P<strength>\d+(?:\.\d+)?)(?:W(?P<window>\d+))?K(?P<kernel>\d+)")
_FAINT = 0.3
"""Deviation of noise, in levels, that rounding to 8 bits alone makes."""


def extraction_of(code: str) -> Extraction:
    """The settings that a code of the experiment log stands for: S3W5K5 is strength 3, window 5 (else 7), box 5.

    Raises:
        ValueError: it is no such code, or stands for settings that do not exist.
    """
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(
            f"noise={code} is no code of an extraction; write S, the strength, K and the box, as in S2K0 or S3W5K5"
        )
    return Extraction(float(found["strength"]), int(found["window"] or 7), int(found["kernel"]))


@dataclass(frozen=True)
class Pool:
    """Kernels and noise of one release, extracted in one way.

    Attributes:
        world: where the frames are.
        release: of the target.
        code: see `extraction_of`.
    """

    world: World
    release: str
    code: str

    @property
    def folder(self) -> Path:
        """What ``data.target`` names."""
        return self.world.release(self.release) / self.code

    def make(self, on_progress: OnProgress, on_message: OnMessage) -> None:
        """Extract and estimate, where that has not been done from these frames with these settings.

        Raises:
            UserError: the frames are too clean, too flat or too small.
        """
        extraction = extraction_of(self.code)
        self.world.draw(on_progress, on_message)
        estimate_kernels(self.world, self.release, on_progress, on_message)
        source = {"frames": _stamp(self.world, self.release), "kernels": _record(self.world.kernels(self.release))}
        facts = {"extraction": asdict(extraction), **source}
        make = partial(_extract, self.world, self.release, extraction, on_progress=on_progress)
        _made(self.folder, facts, make, on_message, keep=False)


def estimate_kernels(world: World, release: str, on_progress: OnProgress, on_message: OnMessage) -> None:
    """The release's kernels in ``releases/NAME/kernels``: by KernelGAN, or the hidden ones where the settings say so.

    Raises:
        UserError: no frame gave a kernel.
    """
    settings = world.settings
    if settings.kernels == "hidden":
        facts: dict[str, Any] = {"kernels": "hidden"}
        make = partial(_copy_hidden, world, release)
    else:
        gan = KernelGan(updates=settings.kernel_updates)
        facts = {"frames": _stamp(world, release), "count": settings.kernel_frames, "gan": asdict(gan)}
        make = partial(_estimate, world, release, gan, on_progress=on_progress, on_message=on_message)
    _made(world.kernels(release), facts, make, on_message, keep=True)


def _made(folder: Path, facts: dict[str, Any], make: Callable[[Path], None], on_message: OnMessage, keep: bool) -> None:
    """A folder that was filled with these facts; ``keep``: what is unfinished of them is gone on with."""
    if _record(folder) == facts:
        return
    try:
        with alone(
            folder.with_name(f"{folder.name}.lock"),
            lambda: on_message(f"another process makes {folder}; waiting for it"),
        ):
            found = _record(folder)
            if found == facts:
                return
            if folder.exists():
                why = f"came from other frames or settings ({_differing(found, facts)})" if found else "is damaged"
                on_message(f"{folder} {why} and is made anew")
                shutil.rmtree(folder)
            unfinished = folder.with_name(f"{folder.name}.part")
            if not (keep and _record(unfinished) == facts):
                shutil.rmtree(unfinished, ignore_errors=True)
            write_atomically(unfinished / RECORD, json.dumps(facts, indent=1).encode())
            make(unfinished)
            unfinished.rename(folder)
    except OSError as error:
        raise UserError(f"cannot make {folder}: {error.strerror or error}") from error


def _record(folder: Path) -> dict[str, Any]:
    """What a folder was made from; nothing where it is not there, or damaged."""
    content = read_json(folder / RECORD)
    whole = isinstance(content, dict) and all(map(is_whole, folder.rglob("*.png")))
    return content if whole else {}


def _differing(found: dict[str, Any], facts: dict[str, Any]) -> str:
    return ", ".join(sorted(name for name in {*found, *facts} if found.get(name) != facts.get(name)))


def _stamp(world: World, release: str) -> str:
    """Changes when a frame does: by content where the world drew them, else as `Folder.stamp`."""
    source = Folder(str(world.frames(release)))
    if not world.settings.drawn_target:
        return source.stamp()
    digest = hashlib.blake2b(digest_size=16)
    for path in source.paths:
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _copy_hidden(world: World, release: str, folder: Path) -> None:
    if not world.settings.drawn_target:
        raise UserError(
            "data.world.kernels=hidden: the kernels of a real target are hidden; set data.world.kernels=estimated"
        )
    write_kernels(folder, [hidden_kernel(RELEASES[release])], ["hidden"])


def _estimate(
    world: World, release: str, gan: KernelGan, folder: Path, on_progress: OnProgress, on_message: OnMessage
) -> None:
    chosen = _chosen(world, release)
    what, total = f"kernels of {release}, KernelGAN updates", len(chosen) * gan.updates
    faults = []
    for number, path in enumerate(chosen):
        file, before = folder / f"{path.stem}.txt", number * gan.updates
        if not file.is_file():
            told = lambda update, before=before: on_progress(what, before + update, total)  # noqa: E731
            try:
                pixels, cpu = read_visible(path).pixels, torch.device("cpu")
                kernel = estimated(pixels, path.stem, gan, world.settings.seed, cpu, told, on_message)
                write_kernels(folder, [kernel], [path.stem])
            except UserError as error:
                faults.append(f"{path.name}: {error}")
        on_progress(what, before + gan.updates, total)
    if len(faults) == len(chosen):
        raise UserError(
            f"none of {len(chosen)} frames of {world.frames(release)} gave a kernel ({faults[0]}); give larger frames "
            "with more edges, or kernels and noise of your own with data.target=DIR"
        )
    for fault in faults:
        on_message(f"without a kernel: {fault}")
    (folder / "kernels.npz").unlink(missing_ok=True)  # of the last one alone
    names, kernels = zip(*read_kernels(str(folder)), strict=True)
    write_kernels(folder, kernels, [Path(name).stem for name in names])


def _chosen(world: World, release: str) -> list[Path]:
    """The frames whose kernels are estimated, spread evenly; of drawn ones those that show a painted background.

    KernelGAN lives on details that recur at several sizes. Backgrounds have them; lines have one width, and it takes
    kernels that are too wide for what makes lines of another size.
    """
    paths = Folder(str(world.frames(release))).paths
    if world.settings.drawn_target:
        paths = [path for i, path in enumerate(paths) if is_background(world.settings, i)] or paths
    count = min(world.settings.kernel_frames, len(paths))
    return [paths[i] for i in np.linspace(0, len(paths) - 1, count).round().astype(int)]


def _extract(world: World, release: str, extraction: Extraction, folder: Path, on_progress: OnProgress) -> None:
    shutil.copytree(world.kernels(release), folder / "kernels", ignore=shutil.ignore_patterns(RECORD))
    patches = folder / "noise" / "patches"
    patches.mkdir(parents=True)
    paths = Folder(str(world.frames(release))).paths
    deviations = []
    for number, path in enumerate(paths):
        _, noise = extraction.split(to_uint8(read_visible(path).pixels))
        kept = to_file(noise)
        write_picture(patches / f"{path.stem}_noise.png", Picture(kept))
        deviations.append(float(from_file(kept).std()))
        on_progress(f"noise of {release}", number + 1, len(paths))
    if float(np.median(deviations)) < _FAINT:
        raise UserError(
            f"the frames of {world.frames(release)} hold no noise: what strength {extraction.strength:g} takes out "
            f"deviates by {np.median(deviations):.2f} levels; they are too clean to train against noise, so leave "
            "degradation=realsr out, or raise S in data.noise"
        )
