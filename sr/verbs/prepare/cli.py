"""`sr prepare …`: make data sets. Heavy imports happen inside the verbs, so that help is quick."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Make data sets: frames of videos, crops of photographs, noise, blur kernels, drawings.",
)

Output = Annotated[Path, typer.Option("-o", "--output", help="The folder to fill; run again, it is completed.")]
Seed = Annotated[int, typer.Option(help="Of everything that is random.")]


@app.command()
def frames(
    videos: Annotated[list[Path], typer.Argument(metavar="VIDEO…", help="Video files; each gets its own folder.")],
    output: Output,
    start: Annotated[str, typer.Option(help="Seconds, or r90: drawn from 0 to 90 for each video.")] = "0",
    length: Annotated[float, typer.Option(help="Seconds of each video; 0 goes to its end.")] = 0.0,
    step: Annotated[float, typer.Option(help="Seconds between frames; 0 takes every frame.")] = 1.0,
    denoise: Annotated[bool, typer.Option("--denoise", help="Light non-local means on every frame.")] = False,
    change: Annotated[
        float, typer.Option(help="Leave out frames that differ from the last by less than so many levels (try 1).")
    ] = 0.0,
    numbered: Annotated[bool, typer.Option("--numbered", help="Folders ep01, ep02 … instead of names.")] = False,
    seed: Seed = 0,
) -> None:
    """Frames of videos as PNG, upright, in 8-bit RGB.

    [dim]sr prepare frames film.mkv -o frames/ --step 2
    sr prepare frames ep*.mkv -o frames/ --start r60 --length 300 --numbered[/dim]
    """
    from sr.verbs.prepare.frames import Slicing, parse_start, prepare_frames

    seconds, random = parse_start(start)
    prepare_frames(videos, output, Slicing(seconds, random, length, step, denoise, change, seed), numbered)


@app.command()
def crop(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Frames, searched through all levels.")],
    size: Annotated[str, typer.Argument(metavar="W:H|auto", help="Pixels (1440:1080), a ratio (16:9), or auto.")],
    output: Output,
    limit: Annotated[
        float, typer.Option(help="Frames are dropped where what is cut off has at least this mean (black 0, white 2).")
    ] = 0.012,
) -> None:
    """Cut the black bars off frames; frames whose bars are not black are dropped.

    [dim]sr prepare crop frames/ 4:3 -o cropped/
    sr prepare crop frames/ auto -o cropped/     measures the bars, and tells[/dim]
    """
    from sr.verbs.prepare.crop import prepare_crop

    prepare_crop(folder, size, output, limit)


@app.command()
def photos(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR…", help="Photographs, searched through all levels.")],
    output: Output,
    side: Annotated[int, typer.Option(help="Of a crop, in pixels.")] = 256,
    downscale: Annotated[
        list[int] | None, typer.Option(help="A factor by which photographs are shrunk before cropping. Repeatable.")
    ] = None,
    per_photo: Annotated[int, typer.Option(help="Most crops of one photograph; 0 takes all.")] = 40,
    overlap: Annotated[float, typer.Option(help="Share of its side that a crop shares with the next.")] = 0.0,
    noisy: Annotated[
        list[str] | None, typer.Option(help="A camera (EXIF model) whose photographs are halved first. Repeatable.")
    ] = None,
    flat: Annotated[float, typer.Option(help="Crops below this standard deviation (of 255) are left out.")] = 4.0,
    duplicates: Annotated[
        int, typer.Option(help="Crops whose hashes differ in at most so many of 64 bits are the same; -1 keeps all.")
    ] = 4,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Threads.", min=1)] = 2,
) -> None:
    """Training crops of photographs as PNG, a thousand per folder.

    [dim]sr prepare photos ~/Pictures -o crops/
    sr prepare photos ~/Pictures -o crops/ --downscale 1 --downscale 2 --noisy "SM-G900F"[/dim]
    """
    from sr.verbs.prepare.output import check_outside
    from sr.verbs.prepare.photos import prepare_photos

    settings = {
        "side": side,
        "downscales": tuple(downscale or (1, 2, 4, 8)),
        "per_photo": per_photo,
        "overlap": overlap,
        "flat": flat,
        "duplicates": None if duplicates == -1 else duplicates,
        "seed": seed,
    }
    check_outside(output, folders)
    prepare_photos(folders, output, settings, noisy or (), workers)


@app.command()
def drawings(
    output: Output,
    count: Annotated[int, typer.Option(help="How many.")] = 100,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT in pixels.")] = "960x540",
    lines: Annotated[int, typer.Option(help="Strokes per drawing.")] = 100,
    palette: Annotated[Path | None, typer.Option(help="Folder of pictures whose colours are taken.")] = None,
    kernel: Annotated[int, typer.Option(help="Odd side of the box blur before colours are taken.")] = 11,
    source: Annotated[Path | None, typer.Option(help="Folder of frames to draw over, instead of fills.")] = None,
    seed: Seed = 0,
) -> None:
    """Generated line art: strokes over flat, blended or snapped colours.

    [dim]sr prepare drawings -o drawings/ --count 500
    sr prepare drawings -o drawings/ --palette frames/ --size 712x480[/dim]
    """
    from sr.verbs.prepare.drawings import prepare_drawings

    settings = {
        "lines": lines,
        "palette": None if palette is None else str(palette),
        "kernel": kernel,
        "source": None if source is None else str(source),
        "seed": seed,
    }
    prepare_drawings(output, count, size, settings)


@app.command()
def noise(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN…", help="Noisy pictures, or folders of them.")],
    output: Output,
    strength: Annotated[str, typer.Option(help="Of the non-local means in levels, or auto.")] = "2",
    window: Annotated[int, typer.Option(help="Odd side of the compared windows in pixels.")] = 7,
    kernel: Annotated[int, typer.Option(help="Odd side of the second stage's box blur; 0 for one stage.")] = 0,
    patch: Annotated[int | None, typer.Option(help="Side of the patches; without it, whole frames.")] = None,
    variance: Annotated[float, typer.Option(help="Highest variance of a patch's content.")] = 10.0,
    std: Annotated[tuple[float, float], typer.Option(help="Lowest and highest deviation of its noise.")] = (0.5, 40.0),
    excess: Annotated[float, typer.Option(help="Highest deviation as a multiple of the picture's noise level.")] = 1.1,
    chosen: Annotated[Path | None, typer.Option(help="Text file of names to put into select/ instead.")] = None,
) -> None:
    """Noise of pictures, as patches to add to training pictures.

    [dim]sr prepare noise frames/ -o noise/ --strength auto --patch 64
    sr prepare noise frames/ -o noise/ --strength 3 --kernel 3[/dim]
    """
    from sr.verbs.prepare.noise import prepare_noise
    from sr.verbs.prepare.output import check_outside

    check_outside(output, inputs)
    prepare_noise(inputs, output, strength, window, kernel, patch, variance, std, excess, chosen)


@app.command()
def kernels(
    inputs: Annotated[list[Path], typer.Argument(metavar="IN…", help="Low-resolution pictures, or folders of them.")],
    output: Output,
    scale: Annotated[int, typer.Option(help="Of the super-resolution, 2 or 4.")] = 2,
    size: Annotated[int, typer.Option(help="Odd side of a kernel in pixels.")] = 13,
    updates: Annotated[int, typer.Option(help="Training updates per kernel.")] = 3000,
    per_picture: Annotated[int, typer.Option(help="Kernels of each picture.")] = 1,
    seed: Seed = 0,
    accelerator: Annotated[str, typer.Option(help="cpu, gpu, mps, or auto.")] = "auto",
) -> None:
    """Blur kernels of pictures by KernelGAN, to blur training pictures with.

    [dim]sr prepare kernels frames/ -o kernels/[/dim]
    """
    from sr.verbs.prepare.kernels import prepare_kernels
    from sr.verbs.prepare.output import check_outside

    check_outside(output, inputs)
    prepare_kernels(inputs, output, scale, size, updates, seed, per_picture, accelerator)


@app.command()
def pairs(
    output: Output,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="As for train.py: data=… degradation=… scale=….")
    ] = None,
    part: Annotated[str, typer.Option(help="train or val.")] = "train",
    config_dir: Annotated[
        Path | None, typer.Option(help="A folder of your own choices, such as model/mine.yaml, beside those of conf/.")
    ] = None,
) -> None:
    """The low-resolution pictures that training would see, beside the high-resolution ones, as PNG.

    [dim]sr prepare pairs data=folder data.train=PHOTOS data.val=null degradation=second_order scale=4 -o pairs/[/dim]
    """
    from sr.verbs.prepare.pairs import prepare_pairs

    prepare_pairs(overrides or [], output, part, config_dir)
