"""`sr prepare noise`: what a denoiser takes out of noisy pictures, as files to add to training pictures."""

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from sr.console import plain_console
from sr.data.kinds.photos import photographs
from sr.data.preparation.contact_sheet import contact_sheet, noise_tile
from sr.data.preparation.noise_patches import AUTO, Extraction, Selection, from_file, noise_level, select, to_file
from sr.errors import UserError
from sr.image.depth import to_uint8
from sr.image.io import read_picture, read_visible, write_picture
from sr.types import Picture
from sr.verbs.prepare.output import Steps, flat_names, journal, tell_failures
from sr.verbs.screen.tables import say

SHEET = 100
"""At most so many patches are shown on the contact sheet."""

_ENOUGH = 0.8  # share of the noise that a denoiser should take away


def prepare_noise(
    inputs: list[Path],
    output: Path,
    strength: float | str = 2,
    window: int = 7,
    kernel: int = 0,
    patch: int | None = None,
    variance: float = 10.0,
    std: tuple[float, float] = (0.5, 40.0),
    excess: float = 1.1,
    chosen: Path | None = None,
) -> None:
    """Write the noise of pictures to ``output/patches``, and an overview to ``output/sheet.png``.

    Without ``patch`` each picture gives one file of its own size, STEM_noise.png. With it, flat squares that hold
    noise only become STEM_TOP_LEFT_noise.png. A file holds round(noise + 128).

    Args:
        inputs: pictures, or folders searched through all levels.
        output: what it holds already is not made again.
        strength: of the non-local means, in levels; ``auto`` for 1.5 times each picture's noise level.
        window: side of the denoiser's templates, odd.
        kernel: side of the second stage's box, odd; 0 for one stage.
        patch: side of the patches.
        variance: highest variance of a patch's content.
        std: lowest and highest standard deviation of a patch's noise.
        excess: highest standard deviation of a patch's noise as a multiple of the picture's noise level; more lets
            texture in, less keeps only the calmest parts where the noise depends on the brightness.
        chosen: a text file of names, one per line: those files go to ``output/select`` instead. Names with and
            without ``_noise`` and suffix count. Files that an earlier run has written are moved.

    Raises:
        UserError: a setting is out of range, the folder was made with other settings, or (after all others are
            done) pictures that cannot be read.
    """
    console = plain_console(soft_wrap=True)
    try:
        extraction = Extraction(_strength(strength), window, kernel)
        selection = None if patch is None else Selection(patch, variance, std, excess)
    except ValueError as error:
        raise UserError(f"--{error}") from error
    names = _chosen(chosen)
    paths, sources = photographs(inputs)
    stems = flat_names(sources)
    _check_stems(stems)
    settings = {**asdict(extraction), "patches": None if selection is None else asdict(selection)}
    failures = []
    with journal(output, "noise", settings) as done:
        with Steps(console, "extracting noise", len(paths)) as steps:
            for number, (path, source, stem) in enumerate(zip(paths, sources, stems, strict=True), 1):
                if source not in done.done:
                    try:
                        done.finish(source, _extract(path, output, stem, extraction, selection))
                    except UserError as error:
                        failures.append(str(error))
                steps.done(number)
        records = [done.done[source] for source in sources if source in done.done]
        _move_chosen(output, names)
        _write_sheet(output)
    _report(console, output, records, extraction, selection)
    if records and not any(record["files"] for record in records):
        failures.append(
            "no patch of noise was kept; allow more with --variance, --std or --excess, or a smaller --patch"
        )
    tell_failures(failures)


def _strength(value: float | str) -> float | None:
    if value == "auto":
        return None
    try:
        return float(value)
    except ValueError:
        raise UserError(f"--strength {value} is no number; give levels such as 2, or auto") from None


def _check_stems(stems: list[str]) -> None:
    twice = sorted(stem for stem, count in Counter(stems).items() if count > 1)
    if twice:
        raise UserError(f"two inputs would both become {twice[0]}_noise.png; extract them into separate folders")


def _extract(
    path: Path, output: Path, stem: str, extraction: Extraction, selection: Selection | None
) -> dict[str, Any]:
    """Write the files of one picture; returns what is worth knowing of them."""
    pixels = to_uint8(read_visible(path).pixels)
    content, noise = extraction.split(pixels)
    made: dict[str, np.ndarray] = {f"{stem}_noise.png": noise}
    dropped: dict[str, int] = {}
    if selection is not None:
        patches, dropped = select(pixels, content, noise, selection)
        made = {f"{stem}_{patch.top:04d}_{patch.left:04d}_noise.png": patch.noise for patch in patches}
    (output / "patches").mkdir(exist_ok=True)
    for name, values in made.items():
        write_picture(output / "patches" / name, Picture(to_file(values)))
    stds = {name: round(float(values.std()), 3) for name, values in made.items()}
    taken = float((pixels.astype(np.float32) - content).std())
    return {"level": round(noise_level(pixels), 3), "taken": round(taken, 3), "files": stds, "dropped": dropped}


def _chosen(path: Path | None) -> set[str]:
    if path is None:
        return set()
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read the list '{path}': {error}; give a text file with a name per line") from error
    return {_bare(line.strip()) for line in lines if line.strip()}


def _bare(name: str) -> str:
    return name.removesuffix(".png").removesuffix("_noise")


def _move_chosen(output: Path, names: set[str]) -> None:
    """Files on the list go to ``select``.

    Raises:
        UserError: names that no file has.
    """
    if not names:
        return
    (output / "select").mkdir(exist_ok=True)
    for file in sorted((output / "patches").glob("*_noise.png")):
        if _bare(file.name) in names:
            file.replace(output / "select" / file.name)
    missing = sorted(names - {_bare(file.name) for file in (output / "select").glob("*_noise.png")})
    if missing:
        raise UserError(f"the list names {len(missing)} that are not there, for instance {missing[0]}; mend the list")


def _write_sheet(output: Path) -> None:
    folder = output / "select" if (output / "select").is_dir() else output / "patches"
    files = sorted(folder.glob("*_noise.png"))
    if not files:
        return
    shown = [files[i] for i in np.unique(np.linspace(0, len(files) - 1, min(SHEET, len(files))).astype(int))]
    noises = [from_file(read_picture(file).pixels) for file in shown]
    labels = [f"{noise.std():.2f} {_bare(file.name)}" for file, noise in zip(shown, noises, strict=True)]
    write_picture(output / "sheet.png", Picture(contact_sheet([noise_tile(noise) for noise in noises], labels)))


def _report(
    console: Console,
    output: Path,
    records: list[dict[str, Any]],
    extraction: Extraction,
    selection: Selection | None,
) -> None:
    stds = [std for record in records for std in record["files"].values()]
    if not records:
        return
    dropped: Counter[str] = Counter()
    for record in records:
        dropped.update(record["dropped"])
    level, taken = (float(np.median([record[key] for record in records])) for key in ("level", "taken"))
    spread = f", standard deviation {np.median(stds):.2f} ({min(stds):.2f} to {max(stds):.2f})" if stds else ""
    reasons = "".join(f"; {count} dropped: {reason}" for reason, count in dropped.most_common())
    say(console, f"{len(stds)} files of noise from {len(records)} pictures{spread}{reasons}: {output}")
    if extraction.strength is not None and taken < _ENOUGH * level:
        say(
            console,
            f"strength {extraction.strength:g} takes {taken:.2f} of about {level:.2f} levels of noise away and leaves "
            f"the rest; --strength auto would take {AUTO * level:.1f}",
        )
    if not stds and selection is not None:
        say(console, "no patch is kept: take smaller patches, more pictures, or --strength auto")
