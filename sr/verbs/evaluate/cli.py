"""The command line of `sr evaluate`; what takes seconds to import waits until it is asked for."""

from pathlib import Path
from typing import Annotated

import typer

from sr.verbs.options import Accelerator, Trust


def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL…", help="Files, runs, names of `sr networks`, or the word bicubic."),
    ],
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="A folder of high-resolution pictures, a name below SR_BENCHMARKS, or photographs. Repeatable.",
        ),
    ] = None,
    hr: Annotated[Path | None, typer.Option(help="A folder whose low-resolution pictures are given too.")] = None,
    lr: Annotated[Path | None, typer.Option(help="The folder of these, matched by name.")] = None,
    scale: Annotated[int | None, typer.Option(help="Needed for bicubic alone; a network knows its own.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the table here too.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write it here, for a document.")] = None,
    pictures: Annotated[Path | None, typer.Option(help="Write a line for each picture into this CSV file.")] = None,
    save: Annotated[Path | None, typer.Option(help="Keep the enlarged pictures: DIR/NETWORK/SET/PICTURE.png.")] = None,
    lpips: Annotated[
        str, typer.Option(help="LPIPS too: auto (where AlexNet's weights are found), none, imagenet, or their file.")
    ] = "auto",
    dists: Annotated[
        str, typer.Option(help="DISTS too: auto (where VGG16's weights are found), none, imagenet, or their file.")
    ] = "auto",
    no_reference: Annotated[
        list[str] | None,
        typer.Option(help="A measure of pyiqa of pictures alone, as niqe; then --lr DIR needs no --hr. Repeatable."),
    ] = None,
    border: Annotated[
        bool, typer.Option("--border", help="PSNR by distance to the border too, beside bicubic.")
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Measure also what was measured before and kept.")] = False,
    accelerator: Accelerator = "auto",
    trust: Trust = False,
) -> None:
    """Measure networks on test sets by the literature's protocol: PSNR and SSIM on Y and on RGB, bicubic beside them.

    Beside them: sharpness (edges as a share of the truth's; 1 is as sharp), with weights LPIPS and DISTS (less is
    better), time, parameters, and what was published of the same network. What was measured once is kept.
    Networks compute in float32 by PyTorch, on GPUs too: as sr upscale --engine torch --precision 32.
    The exit code is 1 where some pictures could not be measured; the others are.

    [dim]sr evaluate x2 --set Set14
    sr evaluate x2 outputs/RUN IMDN_x2.pth --set Set14 --set BSD100 --csv table.csv --markdown table.md
    sr evaluate bicubic --set photographs --scale 4 --pictures each.csv
    sr evaluate outputs/RUN --hr HR --lr LR                low resolution as it is given
    sr evaluate x4_web --lr DIR --no-reference niqe        nobody has the truth[/dim]
    """
    from sr.verbs.evaluate.evaluate import Question
    from sr.verbs.evaluate.evaluate import evaluate as run

    question = Question(
        models=models,
        sets=sets or [],
        scale=scale,
        hr=hr,
        lr=lr,
        csv=csv,
        markdown=markdown,
        pictures=pictures,
        save=save,
        lpips=lpips,
        dists=dists,
        no_reference=no_reference or [],
        border=border,
        again=again,
        accelerator=accelerator,
        trust=trust,
    )
    raise typer.Exit(run(question))
