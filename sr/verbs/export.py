"""`sr export`: a network for other programs."""

from pathlib import Path

from sr.console import plain_console
from sr.errors import UserError
from sr.inference.export.formats import FORMATS, export_network
from sr.inference.export.trial import photographs
from sr.inference.networks import find_network
from sr.inference.opening import open_network
from sr.models.translators import Side
from sr.printable import printable
from sr.verbs.options import not_written
from sr.verbs.runs.files import check_no_part


def export_file(name: str, form: str | None, output: Path, half: bool, trust: bool, to: Side | None = None) -> None:
    """Export a network and print what was compared and who opens it.

    Args:
        name: a file, a run's folder, or a shipped network's name.
        form: one of `FORMATS`; None takes it from the ending of ``output``.
        output: file to write.
        half: in float16.
        trust: a network from outside this toolkit may be imported.
        to: the side whose generator is wanted, of a network that translates.

    Raises:
        UserError: there is no such network or format, other programs would misread it, or it cannot be written.
    """
    kind = _kind(form, output)
    target = output.with_suffix(FORMATS[kind].suffixes[0])
    path = find_network(name)
    for suffix in FORMATS[kind].suffixes:
        check_no_part(target.with_suffix(suffix))
    if any(_same(path, target.with_suffix(suffix)) for suffix in FORMATS[kind].suffixes):
        raise UserError(f"-o {printable(output)} is the network itself; choose another file")
    network, info = open_network(path, trust, to)
    written = export_network(network, kind, target, photographs(), half)
    console = plain_console(soft_wrap=True)
    sizes = ", ".join(f"{width}x{height}" for height, width in written.sizes)
    console.print(f"{type(network).__name__} x{info.scale}: {' and '.join(map(printable, written.paths))}")
    console.print(f"largest difference to PyTorch: {written.difference:.2g} of 1 (parts of a photograph, {sizes})")
    console.print(f"opens in: {', '.join(FORMATS[kind].programs)}")


def _kind(form: str | None, output: Path) -> str:
    """The format that is asked for.

    Raises:
        UserError: there is no such format, or the file's name has another's ending.
    """
    ending = output.suffix.lower()
    by_ending = next((kind for kind, one in FORMATS.items() if ending in one.suffixes), None)
    if form is None:
        if by_ending is None:
            endings = ", ".join(one.suffixes[0] for one in FORMATS.values())
            better = printable(output.with_suffix(".onnx"))
            raise UserError(
                f"-o {printable(output)} has the ending of no format; name it {better}, or give one of {endings}"
            )
        return by_ending
    kind = form.lower().removeprefix(".")
    if kind not in FORMATS:
        raise not_written(form, list(FORMATS))
    if ending and ending not in FORMATS[kind].suffixes:
        right = FORMATS[kind].suffixes[0]
        raise UserError(
            f"-o {printable(output)} and --format {kind} do not fit: programs find such a file by its ending {right}"
        )
    return kind


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)
