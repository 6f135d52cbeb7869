"""Verbs about networks at work, beside `sr upscale`: which there are, and what may be done afterwards."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sr.errors import UserError
from sr.printable import printable
from sr.verbs.options import Accelerator, Trust


def enhance(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN…", help="Pictures, videos, folders of pictures, patterns as '*.jpg'.")
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A file for one; a folder for several.  \\[default: beside IN, with _e]"),
    ] = None,
    denoise: Annotated[float, typer.Option(help="Strength of the gentle denoising, levels of 255.")] = 0.0,
    window: Annotated[int, typer.Option(help="Side of its template, odd.")] = 5,
    kernel: Annotated[int, typer.Option(help="Side of the box whose blur is given back, odd.")] = 5,
    contrast: Annotated[float, typer.Option(help="Auto contrast: percent of the pixels that do not count.")] = 0.0,
    contrast_kind: Annotated[
        str, typer.Option(help="steady keeps the brightness; log is the experiment log's, with its fault.")
    ] = "steady",
    dither: Annotated[float, typer.Option(help="Width of the dither, levels of the file.")] = 0.0,
    form: Annotated[
        str | None,
        typer.Option("--format", help="png, jpg, webp, avif or tif.  \\[default: as OUT, or png]"),
    ] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of jpg, webp and avif.  \\[default: 95]")] = None,
    suffix: Annotated[str | None, typer.Option(help="Behind the stem of a name.  \\[default: _e beside IN]")] = None,
    force: Annotated[bool, typer.Option("--force", help="Make anew what is there already.")] = False,
) -> None:
    """Denoise gently, stretch the contrast, dither: after the network, or without one. The size stays.

    `sr upscale` takes --denoise, --contrast and --dither too, and does both at once.

    [dim]sr enhance photo_x2.png --denoise 4                   the log's strength; makes photo_x2_e.png
    sr enhance frames/ -o frames_e/ --contrast 1 --dither 1[/dim]
    """
    from sr.inference.enhance.enhancer import Settings
    from sr.verbs.enhance import enhance_files
    from sr.verbs.upscale.jobs import Naming, ending

    settings = Settings(denoise, window, kernel, contrast, contrast_kind, dither)  # type: ignore[arg-type]
    raise typer.Exit(enhance_files(inputs, Naming(output, ending(form), suffix), settings, quality, force))


def translate(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN…", help="Pictures, videos, folders of pictures, patterns as '*.jpg'.")
    ],
    model: Annotated[str, typer.Option(help="A run of experiment=cyclegan/…, or a file of one.")],
    to: Annotated[str | None, typer.Option(help="The side whose pictures are wanted: a or b.")] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", help="A file for one; a folder for several.  \\[default: beside IN]"),
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", help="png, jpg, webp, avif or tif.  \\[default: as OUT, or png]"),
    ] = None,
    quality: Annotated[int | None, typer.Option(min=1, max=100, help="Of jpg, webp and avif.  \\[default: 95]")] = None,
    suffix: Annotated[str | None, typer.Option(help="Behind the stem of a name.  \\[default: _to_a or _to_b]")] = None,
    tile: Annotated[
        int | None, typer.Option(help="Side of tiles, which differ from the whole.  \\[default: none]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make anew what is there already.")] = False,
    accelerator: Accelerator = "auto",
    trust: Trust = False,
) -> None:
    """Translate pictures and videos from one side to the other, as a CycleGAN has learnt it. The size stays.

    [dim]sr translate summer.jpg -o winter.png --model outputs/RUN --to b
    sr translate frames/ -o frames_a/ --model outputs/RUN --to a[/dim]
    """
    from sr.verbs.upscale.asked import How
    from sr.verbs.upscale.jobs import Naming, ending
    from sr.verbs.upscale.run import Asked, upscale

    if to is None:
        raise UserError("the side whose pictures are wanted is missing; write --to a or --to b")
    side = side_of(to)
    how = How([model], tile, accelerator=accelerator, trust=trust, to=side)
    naming = Naming(output, ending(form), f"_to_{side}" if suffix is None and output is None else suffix)
    raise typer.Exit(upscale(Asked(inputs, naming, how, quality, force)))


def distance(
    made: Annotated[Path, typer.Argument(metavar="MADE", help="A folder of pictures, as sr translate writes them.")],
    real: Annotated[Path, typer.Argument(metavar="REAL", help="A folder of pictures that they should be like.")],
    accelerator: Accelerator = "auto",
) -> None:
    """FID and KID of two folders: whether pictures look like those of another set, where none has a counterpart.

    It needs torch-fidelity (`uv sync --extra fid`) and its Inception network, which is downloaded once.

    [dim]sr translate summer/ -o made/ --model outputs/RUN --to b && sr distance made/ winter/[/dim]
    """
    from sr.verbs.distance import print_distance

    print_distance(made, real, accelerator)


def side_of(to: str) -> Literal["a", "b"]:
    """The side that ``--to`` names.

    Raises:
        UserError: it is none.
    """
    sides: dict[str, Literal["a", "b"]] = {"a": "a", "b": "b"}
    if to.lower() not in sides:
        raise UserError(f"--to {printable(to)} is no side of a translation; write --to a or --to b")
    return sides[to.lower()]


def export(
    network: Annotated[
        str, typer.Argument(metavar="FILE", help="A network: a file, a run's folder, or a shipped name.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write; of ncnn, the .param of its two.")],
    form: Annotated[
        str | None,
        typer.Option("--format", help="onnx, pth, safetensors, pt2 or ncnn.  \\[default: by the ending of -o]"),
    ] = None,
    to: Annotated[str | None, typer.Option(help="Of a network that translates: the side, a or b.")] = None,
    half: Annotated[bool, typer.Option("--half", help="In float16, half as large.")] = False,
    trust: Trust = False,
) -> None:
    """Write a network for other programs, read it back as they do, and say who opens it.

    Where they would make another picture of it, nothing is written, and the reason is said.

    [dim]sr export outputs/RUN/best.safetensors --format onnx -o network.onnx
    sr export outputs/RUN -o network.pth[/dim]
    """
    from sr.verbs.export import export_file

    export_file(network, form, output, half, trust, None if to is None else side_of(to))


def networks(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="MORE…", help="More networks: runs elsewhere, or files.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="For programs: all that is known of each.")] = False,
    trust: Trust = False,
) -> None:
    """What `--model` takes: the networks that come with the package, those of finished runs in outputs/, and files.

    Figures of shipped networks are of test sets, those of runs of their own validation.

    [dim]sr networks
    sr networks FILE.safetensors --json[/dim]
    """
    from sr.verbs.networks import list_networks

    raise typer.Exit(list_networks(files or [], json, trust))
