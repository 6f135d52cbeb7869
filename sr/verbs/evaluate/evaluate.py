"""`sr evaluate`: the literature's metrics of networks, bicubic beside them, on any sets, in one table."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console

from sr.errors import PARTLY_FAILED, UserError
from sr.files import check_place, oddity, real_path
from sr.image.io import check_no_picture
from sr.image.names import distinct
from sr.printable import printable
from sr.training.perceptual import Perceptual, build_distance
from sr.training.precision import Compute
from sr.verbs.computing import inference
from sr.verbs.evaluate.border import BorderTable
from sr.verbs.evaluate.contestants import BICUBIC, Contestant, contestants
from sr.verbs.evaluate.measuring import Found, Yardsticks, cache_key, from_cache, keep_found, measure_set
from sr.verbs.evaluate.no_reference import NoReference
from sr.verbs.evaluate.sets import Pairs, asked_sets
from sr.verbs.evaluate.tables import Table, print_table, write_csv, write_markdown, write_pictures
from sr.verbs.runs.files import check_outputs
from sr.verbs.screen.errors import print_error
from sr.verbs.screen.tables import console_for_tables, say

PROTOCOL = "1: Y of BT.601 studio range, not rounded; scale pixels cropped; mean over pictures"
"""Numbers of another are not comparable; see `sr.metrics.functional`."""


@dataclass(frozen=True)
class Question:
    """What a call of `sr evaluate` asks.

    Attributes:
        models: files, runs, shipped names, or ``bicubic``.
        sets: folders, names below ``SR_BENCHMARKS``, or ``photographs``.
        scale: for bicubic; a network's own must agree.
        hr: folder of another set, whose low-resolution pictures are given; None with ``lr``: there is no truth.
        lr: folder of these.
        csv: file for the table, or None.
        markdown: likewise, for a document.
        pictures: likewise, a line for each picture.
        save: folder for the enlarged pictures, or None.
        lpips: auto, none, imagenet, or a file with AlexNet's weights.
        dists: likewise, with VGG16's.
        no_reference: measures of pyiqa.
        border: tell PSNR by distance to the border too.
        again: measure also what the cache has.
        accelerator: cpu, gpu, mps or auto.
        trust: a network from outside this toolkit may be imported.
    """

    models: Sequence[str]
    sets: Sequence[str] = ()
    scale: int | None = None
    hr: Path | None = None
    lr: Path | None = None
    csv: Path | None = None
    markdown: Path | None = None
    pictures: Path | None = None
    save: Path | None = None
    lpips: str = "auto"
    dists: str = "auto"
    no_reference: Sequence[str] = ()
    border: bool = False
    again: bool = False
    accelerator: str = "auto"
    trust: bool = False


def evaluate(question: Question) -> int:
    """Print one row per network and set, and write files on request. A picture that fails does not stop the others.

    Returns:
        0, or `PARTLY_FAILED` where some pictures could not be measured; what was wrong is printed at the end.

    Raises:
        UserError: a set or a network cannot be read, the scale or given twins do not fit, or nothing was measured.
    """
    console = console_for_tables()
    _check_asked(question)
    compute = inference(question.accelerator)
    those = contestants(question.models, question.scale, compute, question.trust)
    yardsticks = _yardsticks(question, compute.device)
    borders = {one.scale: BorderTable() for one in those} if question.border else {}
    found = _measured(question, those, yardsticks, compute, console, borders)
    failures = [failure for one in found for failure in one.failures]
    found = [one for one in found if one.rows]
    if not found:
        raise UserError(*dict.fromkeys(failures))
    table = Table(found, yardsticks, borders)
    print_table(console, table)
    if question.csv is not None:
        write_csv(question.csv, table)
    if question.markdown is not None:
        write_markdown(question.markdown, table)
    if question.pictures is not None:
        write_pictures(question.pictures, table)
    for failure in dict.fromkeys(failures):
        print_error(failure)
    return PARTLY_FAILED if failures else 0


def _check_asked(question: Question) -> None:
    hr, lr = question.hr, question.lr
    if hr is not None and lr is None:
        raise UserError(f"--hr {hr} is one side of pairs; give the other with --lr DIR")
    if hr is None and lr is not None and not question.no_reference:
        raise UserError(
            f"--lr {lr} is one side of pairs; give the other with --hr DIR, or --no-reference NAME where nobody has it"
        )
    if not question.sets and lr is None:
        raise UserError("nothing to measure on; give --set DIR, or --hr DIR --lr DIR")
    for option in ("csv", "markdown", "pictures"):
        check_no_picture(f"--{option}", getattr(question, option))
    tables = [path for path in (question.csv, question.markdown, question.pictures) if path is not None]
    check_outputs(tables)
    measured = {real_path(Path(name).expanduser()) for name in question.models}
    for path in (path for path in tables if real_path(path) in measured):
        raise UserError(f"{printable(path)} is a network that is measured; name another file")
    if question.save is not None:
        _check_save(question.save, question)


def _check_save(save: Path, question: Question) -> None:
    """Refuse to keep pictures among those that are measured, and where nothing can be written.

    Raises:
        UserError: it is so.
    """
    given = [Path(name) for name in question.sets] + [one for one in (question.hr, question.lr) if one is not None]
    for folder in (one for one in given if oddity(one) is None and one.is_dir()):
        if real_path(save).is_relative_to(real_path(folder)):
            raise UserError(
                f"--save {printable(save)} is inside {printable(folder)}, which is measured; choose another"
            )
    check_place(save / "network")


def _yardsticks(question: Question, device: torch.device) -> Yardsticks:
    choices = {"lpips": question.lpips, "dists": question.dists}
    distances: dict[str, Perceptual] = {}
    for name, choice in choices.items():
        built = build_distance(name, None if choice == "none" else choice, device, f"--{name} ")
        if built is not None:
            distances[name] = built
    alone = {name: NoReference(name, device) for name in dict.fromkeys(question.no_reference)}
    strict = frozenset(name for name in distances if choices[name] != "auto")
    weights = [f"{name} {_weights(measure)} {name in strict}" for name, measure in distances.items()]
    protocol = [PROTOCOL, *weights, *(f"{name} pyiqa {measure.version}" for name, measure in alone.items())]
    return Yardsticks(distances, strict, alone, "; ".join(protocol))


def _weights(measure: Perceptual) -> str:
    total = hashlib.sha256()
    for tensor in (*measure.network.parameters(), *measure.network.buffers()):
        total.update(tensor.detach().cpu().numpy().tobytes())
    return total.hexdigest()


def _measured(
    question: Question,
    those: Sequence[Contestant],
    yardsticks: Yardsticks,
    compute: Compute,
    console: Console,
    borders: dict[int, BorderTable],
) -> list[Found]:
    """Every network on every set: set by set, so that a table's rows that belong together are together."""
    sets: dict[int, dict[str, Pairs]] = {
        scale: asked_sets(question.sets, question.hr, question.lr, scale)
        for scale in dict.fromkeys(one.scale for one in those)
    }
    content: dict[Pairs, str] = {}
    every = []
    for name in next(iter(sets.values())):
        for one in those:
            pairs = sets[one.scale][name]
            found = Found(one, name, pairs)
            every.append(found)
            content[pairs] = content.get(pairs) or pairs.content()
            key = cache_key(one, content[pairs], yardsticks, str(compute.device))
            afresh = question.again or question.border or question.save is not None or not one.keeps
            if afresh or not from_cache(found, key):
                save = None if question.save is None else _folder(question.save, found, those, list(sets[one.scale]))
                measure_set(found, yardsticks, console, borders.get(one.scale), save)
                keep_found(found, key)
            _tell(found, yardsticks, console)
    return every


def _folder(save: Path, found: Found, those: Sequence[Contestant], names: Sequence[str]) -> Path:
    """Where the pictures of one network and set go: ``DIR/NETWORK/SET``, numbered where names would meet."""
    networks = distinct([_last(one.label) + (f"_x{one.scale}" if one.label == BICUBIC else "") for one in those])
    sets = distinct([_last(name) for name in names])
    folder = save / networks[those.index(found.contestant)] / sets[names.index(found.set)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--save: cannot make {printable(folder)}: {error.strerror or error}") from error
    return folder


def _last(name: str) -> str:
    """What tells it from others: of best.safetensors in a run's folder, the run."""
    path = Path(name)
    stem = path.stem if path.suffix else path.name
    return f"{real_path(path).parent.name}_{stem}" if stem in ("best", "last", "HR") else stem or "set"


def _tell(found: Found, yardsticks: Yardsticks, console: Console) -> None:
    """What a reader of the table has to know of its numbers."""
    if not found.rows or not found.pairs.truth:
        return
    lost = sum(row["psnr_y"] != row["psnr_y"] for row in found.rows)
    if lost:
        text = f"what the network makes of {lost} of {len(found.rows)} pictures is infinite or not a number"
        say(console, f"{found.label}: {text}")
    if found.contestant.label != BICUBIC:
        return  # pictures are as small for every network
    sizes = [(row["height"], row["width"]) for row in found.rows]
    for measure in yardsticks.distances.values():
        small = measure.about_small(sizes)
        if small is not None:
            say(console, f"{found.set}: {small}")
