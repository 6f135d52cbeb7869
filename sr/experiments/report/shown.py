"""The validation pictures of one run: as it keeps them, or of earlier versions cut out of their strips."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path

from sr.errors import UserError
from sr.experiments.report.pictures import PictureFiles, Stored, read_pixels
from sr.experiments.table import Row
from sr.printable import cell, printable
from sr.training.columns import CYCLE, SHOWN
from sr.training.keeping.pictures import PicturePlace, places
from sr.training.keeping.tables import read_table
from sr.training.panels import parts

_NAME = re.compile(r"(\d{2,9})_(.*)", re.DOTALL)

Say = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """What the table of a run says of one picture.

    Attributes:
        name: of the picture.
        updates: when it was last measured; -1 where it never was.
        metrics: of the whole picture then.
    """

    name: str
    updates: int = -1
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Shown:
    """One picture of one run.

    Attributes:
        set: name of its validation set; empty for one without a name.
        number: in its set.
        measured: its name, and what was measured of it.
        size: (width, height) of the super-resolved one.
        sr: what the network made of it at the newest validation.
        lr: what the network is given; None where it was not kept.
        bicubic: that enlarged; likewise.
        hr: the truth; likewise.
        back: what a network that translates made of ``sr`` again; likewise.
        history: (updates, picture, its file), the newest last; empty where there is none.
        bicubic_metrics: of the whole picture.
    """

    set: str
    number: int
    measured: Measured
    size: tuple[int, int]
    sr: str
    lr: str | None
    bicubic: str | None
    hr: str | None
    back: str | None = None
    history: tuple[tuple[int, str, Path], ...] = ()
    bicubic_metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Key:
    set: str
    number: int
    stem: str


def shown(row: Row, files: PictureFiles, say: Say) -> list[Shown]:
    """All of them, in the order of sets and pictures; what is missing or damaged is left out.

    Args:
        row: the run.
        files: where pictures go.
        say: told of what is left out.

    Raises:
        UserError: the report cannot be written.
    """
    told = lambda fault: say(f"{row.name}: {fault}")  # noqa: E731
    table, bicubic = (_measured(path) for path in (row.run.folder.by_picture, row.run.folder.bicubic_by_picture))
    kept = {key: place for name, place in places(row.run.folder.kept_pictures).items() if (key := _key(name))}
    strips = {key: path for name, path in _strips(row.run.folder.pictures).items() if (key := _key(name))}
    order = {name: number for number, name in enumerate(table)}
    found = []
    for key in sorted({*kept, *strips}, key=lambda key: (order.get(key.set, len(order)), key.number, key.stem)):
        measured = _of_table(key, table, row)
        try:
            if key in kept:
                found.append(_kept(key, measured, kept[key], files, told))
            else:
                of_side = CYCLE[0] in (row.final if key.set == SHOWN else measured.metrics)
                found.append(_of_strip(key, measured, strips[key], files, of_side))
        except UserError as error:
            told(str(error))
    return [replace(one, bicubic_metrics=_of_bicubic(one, bicubic)) for one in found]


def _of_bicubic(one: Shown, table: Mapping[str, Mapping[int, Measured]]) -> Mapping[str, float]:
    found = table.get(one.set, {}).get(one.number)
    return found.metrics if found is not None and printable(_plain(found.name)) == one.measured.name else {}


def _key(name: str) -> _Key | None:
    """What the name of a kept picture says: ``NN_stem``, or ``SET/NN_stem``."""
    folder, _, own = name.rpartition("/")
    found = _NAME.fullmatch(own)
    return _Key(folder, int(found[1]), found[2]) if found else None


def _strips(folder: Path) -> dict[str, Path]:
    found = [path for pattern in ("*.png", "*/*.png") for path in folder.glob(pattern)]
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def _kept(key: _Key, measured: Measured, place: PicturePlace, files: PictureFiles, say: Say) -> Shown:
    """As it is kept.

    Raises:
        UserError: the super-resolved picture is missing or damaged, or the others are of another size.
    """
    sr = files.add_file(place.sr)
    lr, bicubic = (_if_whole(files.add_file, path, say) for path in (place.lr, place.bicubic))
    of_side = place.back.is_file()  # of a network that translates: no truth, and nothing is enlarged
    hr = None if key.set == SHOWN or of_side else _if_whole(files.add_file, place.hr, say)
    back = _if_whole(files.add_file, place.back, say) if of_side else None
    for name, other in (("bicubic", bicubic), ("hr", hr), ("back", back)):
        if other is not None and not _alike(other, sr):
            raise UserError(f"{printable(place.path)}: {name}.png and sr.png are of two sizes")
    history = []
    for updates, path in place.frames().items():
        # The newest one is there without loss; what a run that was killed left is not of now.
        frame = _if_whole(files.add_frame, path, say) if updates < measured.updates else None
        if frame is not None and _alike(frame, sr):
            history.append((updates, frame.hash, path))
    if history:
        history.append((measured.updates, sr.hash, place.sr))
    given = (lr, None if of_side else bicubic, hr, back)
    lr_hash, bicubic_hash, hr_hash, back_hash = (None if one is None else one.hash for one in given)
    views = (sr.hash, lr_hash, bicubic_hash, hr_hash, back_hash)
    return Shown(key.set, key.number, measured, (sr.width, sr.height), *views, history=tuple(history))


def _alike(one: Stored, other: Stored) -> bool:
    return (one.width, one.height) == (other.width, other.height)


def _if_whole(add: Callable[[Path], Stored], path: Path, say: Say) -> Stored | None:
    try:
        return add(path)
    except UserError as error:
        say(str(error))
        return None


def _of_strip(key: _Key, measured: Measured, path: Path, files: PictureFiles, of_side: bool) -> Shown:
    """Of a run of before pictures were kept: the strip's views, which ``of_side`` are those of a way there and back.

    Raises:
        UserError: it is missing, damaged, or no strip.
    """
    try:
        views = parts(read_pixels(path), 3 if of_side else 2 if key.set == SHOWN else 4)
    except ValueError as error:
        raise UserError(f"{printable(path)}: {error}") from error
    first, sr, *last = [files.add_pixels(view) for view in views]
    size, third = (sr.width, sr.height), last[0].hash if last else None
    if of_side:
        return Shown(key.set, key.number, measured, size, sr.hash, first.hash, None, None, back=third)
    return Shown(key.set, key.number, measured, size, sr.hash, None, first.hash, third)


def _measured(path: Path) -> dict[str, dict[int, Measured]]:
    """What was last measured of every picture, by set and number; empty where the table is missing or damaged."""
    try:
        lines = read_table(path)[1] if path.is_file() else []
    except (UserError, OSError):
        return {}
    newest: dict[str, dict[int, Measured]] = {}
    in_order = sorted(lines, key=lambda line: int(line["updates"]))
    for (updates, name), group in groupby(in_order, lambda line: (line["updates"], line.get("set", ""))):
        for number, line in enumerate(group):
            texts = {metric: text for metric, text in line.items() if metric not in ("updates", "set", "picture")}
            values = {metric: value for metric, text in texts.items() if math.isfinite(value := _number(text))}
            of_set = newest.setdefault(_plain(name), {})
            picture = line.get("picture", "")
            if values:  # the network made nothing of it otherwise, and what is shown is older
                of_set[number] = Measured(picture, int(updates), values)
            else:
                of_set.setdefault(number, Measured(picture))
    return newest


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _of_table(key: _Key, table: Mapping[str, Mapping[int, Measured]], row: Row) -> Measured:
    """What the table says of a picture, where it is the same one; those without a truth are never measured."""
    if key.set == SHOWN:
        newest = max((one.updates for of_set in table.values() for one in of_set.values()), default=row.updates)
        return Measured(printable(key.stem), newest)
    found = table.get(key.set, {}).get(key.number)
    if found is None or not _plain(Path(found.name).stem).startswith(_plain(key.stem)):
        return Measured(printable(key.stem), row.updates)
    return Measured(printable(_plain(found.name)), found.updates, found.metrics)


def _plain(text: str) -> str:
    """A cell of a table without the apostrophe that guards it from spreadsheets, as a file's name has none."""
    return text[1:] if text.startswith("'") and cell(text[1:]) == text else text
