"""The command line of `sr upscale`."""

from typing import Annotated

import typer

from sr.verbs.options import Accelerator, Trust, size_of

_PICTURES, _VIDEOS, _SPEED = "Pictures", "Videos", "Speed and memory"


def upscale(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IN…", help="Pictures, videos, folders of pictures, patterns as '*.jpg', - for stdin."),
    ],
    output: Annotated[
        str | None,
        typer.Option(
            "-o", "--output", help="A file for one; a folder for several; - for stdout.  \\[default: beside IN]"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(help="A shipped network (sr networks), a run or a file; several are averaged.  \\[default: x2]"),
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option(help="Of the result. Others than the network's take several times as long."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Make anew what is there already.")] = False,
    ensemble: Annotated[bool, typer.Option("--ensemble", help="Average over turned and mirrored versions.")] = False,
    colour: Annotated[
        str, typer.Option(help="match: the input's mean and spread; low: its low frequencies; none.")
    ] = "none",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="png, jpg, webp, avif or tif, where OUT names none.  \\[default: png]",
            rich_help_panel=_PICTURES,
        ),
    ] = None,
    quality: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Of jpg, webp and avif.  \\[default: 95]", rich_help_panel=_PICTURES),
    ] = None,
    suffix: Annotated[
        str | None,
        typer.Option(help="Follows the stem of each name.  \\[default: _x2 beside IN]", rich_help_panel=_PICTURES),
    ] = None,
    denoise: Annotated[float, typer.Option(help="Gentle denoising, levels of 255.", rich_help_panel=_PICTURES)] = 0.0,
    contrast: Annotated[
        float, typer.Option(help="Auto contrast: percent of pixels left out.", rich_help_panel=_PICTURES)
    ] = 0.0,
    dither: Annotated[float, typer.Option(help="Width of dither, levels.", rich_help_panel=_PICTURES)] = 0.0,
    codec: Annotated[str, typer.Option(help="x264, x265 or av1.", rich_help_panel=_VIDEOS)] = "x264",
    crf: Annotated[
        int | None,
        typer.Option(help="0 is the best.  \\[default: 17, 20, 24]", rich_help_panel=_VIDEOS),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="As fast, slow.  \\[default: veryfast; 8]", rich_help_panel=_VIDEOS),
    ] = None,
    tune: Annotated[str | None, typer.Option(help="Of the codec: film, animation, …", rich_help_panel=_VIDEOS)] = None,
    start: Annotated[float, typer.Option(help="Seconds left out at the beginning.", rich_help_panel=_VIDEOS)] = 0.0,
    length: Annotated[float | None, typer.Option(help="Seconds that are taken.", rich_help_panel=_VIDEOS)] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Of the result, in square pixels.", rich_help_panel=_VIDEOS)
    ] = None,
    batch: Annotated[int, typer.Option(help="Frames at once.", rich_help_panel=_VIDEOS)] = 1,
    tile: Annotated[
        int | None, typer.Option(help="Side in pixels. \\[default: as memory allows]", rich_help_panel=_SPEED)
    ] = None,
    engine: Annotated[
        str, typer.Option(help="torch, onnxruntime, openvino, or auto: the fastest.", rich_help_panel=_SPEED)
    ] = "auto",
    precision: Annotated[
        str, typer.Option(help="auto, 32, bf16 or 16; auto is 32 on a CPU.", rich_help_panel=_SPEED)
    ] = "auto",
    compile: Annotated[bool, typer.Option("--compile", help="torch.compile.", rich_help_panel=_SPEED)] = False,
    accelerator: Accelerator = "auto",
    trust: Trust = False,
) -> None:
    """Upscale pictures and videos.

    Colour profile, EXIF, XMP and resolution are kept. Results that are there already are kept, too. Nothing needs to be
    trained before: small networks come with the package. The exit code is 1 where some of several files failed.

    [dim]sr upscale photo.jpg                                  makes photo_x2.png
    sr upscale holiday/ -o holiday_x2/ --format jpg --quality 90
    sr upscale photo.jpg -o large.png --scale 3 --model outputs/RUN
    sr upscale film.mkv -o large.mkv --codec x265 --crf 18[/dim]
    """
    from sr.inference.enhance.enhancer import Settings
    from sr.inference.video.options import VideoOptions
    from sr.verbs.upscale.asked import How
    from sr.verbs.upscale.jobs import Naming, ending
    from sr.verbs.upscale.run import Asked
    from sr.verbs.upscale.run import upscale as run

    sides = None if size is None else size_of(size, "1920x1080")
    asked = Asked(
        inputs,
        Naming(output, ending(form), suffix),
        How(model or [], tile, ensemble, scale, engine, precision, colour, compile, accelerator, trust),
        quality,
        force,
        Settings(denoise=denoise, contrast=contrast, dither=dither),
        VideoOptions(codec, crf, preset, tune, start, length, sides, batch),
    )
    raise typer.Exit(run(asked))
