"""`sr bench`: speed on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from sr.verbs.options import Accelerator, ConfigDir, ConfOverrides, Trust, size_of

app = typer.Typer(no_args_is_help=True, help="Time training and enlarging on this machine.")


@app.command("data")
def bench_data(
    overrides: ConfOverrides = None,
    seconds: Annotated[float, typer.Option(help="How long each rate is measured.")] = 3.0,
    config_dir: ConfigDir = None,
) -> None:
    """Pairs of crops per second from the store, and with the PNG files decoded each time.

    [dim]sr bench data                        generated pictures
    sr bench data data=folder data.train=DIR data.val=null[/dim]
    """
    from sr.verbs.bench.data import bench_data as run

    run(overrides or [], seconds, config_dir)


@app.command("step")
def bench_step(
    overrides: ConfOverrides = None,
    updates: Annotated[int, typer.Option(help="Updates per round.")] = 100,
    rounds: Annotated[int, typer.Option(help="Rounds of each; medians are compared.")] = 7,
    config_dir: ConfigDir = None,
) -> None:
    """The training step against a bare PyTorch loop of the same networks, precision and batch.

    [dim]sr bench step
    sr bench step model=rdn_small --updates 20
    sr bench step adversary=lsgan_conditional discriminator=rev_norm --updates 20[/dim]
    """
    from sr.verbs.bench.step import bench_step as run

    run(overrides or [], updates, rounds, config_dir)


@app.command("degradation")
def bench_degradation(
    overrides: ConfOverrides = None,
    seconds: Annotated[float, typer.Option(help="How long each rate is measured.")] = 10.0,
    config_dir: ConfigDir = None,
) -> None:
    """Degraded pictures per second: batched, one at a time, and (second_order) in a plain PyTorch loop.

    [dim]sr bench degradation degradation=second_order scale=4
    sr bench degradation degradation=realsr degradation.pool=DIR[/dim]
    """
    from sr.verbs.bench.degradation import bench_degradation as run

    run(overrides or [], seconds, config_dir)


@app.command("upscale")
def bench_upscale(
    model: Annotated[
        str, typer.Option("--model", help="A shipped network, a run, a file, or a choice of conf/model.")
    ] = "espcn",
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the picture on which rates are measured.")] = "768x512",
    scale: Annotated[int | None, typer.Option(help="Of a choice of conf/model.  \\[default: 2]")] = None,
    large: Annotated[float, typer.Option(help="Megapixels of the picture whose memory is measured; 0: none.")] = 24.0,
    video: Annotated[
        Path | None, typer.Option(help="Enlarge this video too: the whole job beside its network.")
    ] = None,
    accelerator: Accelerator = "auto",
    trust: Trust = False,
) -> None:
    """Megapixels per second of torch, onnxruntime and OpenVINO; tiles beside the whole picture; memory.

    [dim]sr bench upscale
    sr bench upscale --model compact --size 1024x768
    sr bench upscale --model x2 --large 0 --video film.mp4[/dim]
    """
    from sr.verbs.bench.network import network_named
    from sr.verbs.bench.upscale import bench_upscale as run

    run(network_named(model, scale, trust), model, size_of(size, "768x512"), accelerator, large, video)
