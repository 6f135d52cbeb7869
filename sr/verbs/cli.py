"""The command `sr`: everything but training. Heavy imports happen inside the verbs, so that help is quick."""

import errno
import gc
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperGroup, TyperOption

from sr.errors import USER_ERROR, UserError
from sr.printable import printable
from sr.training.signals import Signals
from sr.verbs.bench.cli import app as bench
from sr.verbs.comparing import dashboard, report, runs
from sr.verbs.current_folder import see_current_folder
from sr.verbs.evaluate.cli import evaluate
from sr.verbs.options import Accelerator, ConfigDir, ConfOverrides, Trust
from sr.verbs.prepare.cli import app as prepare
from sr.verbs.screen.errors import print_error
from sr.verbs.upscale.cli import upscale
from sr.verbs.using import distance, enhance, export, networks, translate


class Verbs(TyperGroup):
    """The verbs; a value of the wrong kind is quoted."""

    def invoke(self, ctx: Any) -> Any:
        """Run a verb.

        Raises:
            BadParameter: a value is refused.
        """
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            # Typer leaves the value to the exception of pydantic, which it has for every kind but files.
            faults: list[Any] = getattr(error.__cause__, "errors", list)()
            if faults and repr(faults[0].get("input")) not in error.message:
                error.message = f"{faults[0].get('input')!r}: {error.message}"
            raise


app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Use, measure and time super-resolution networks. Training is `python train.py`.",
)
app.command()(upscale)
app.command()(evaluate)
app.command()(translate)
app.command()(distance)
app.command()(enhance)
app.command()(export)
app.command()(networks)
app.add_typer(bench, name="bench")
app.add_typer(prepare, name="prepare")


@app.command()
def degrade(
    overrides: ConfOverrides = None,
    output: Annotated[Path, typer.Option("-o", "--output", help="PNG file of the contact sheet.")] = Path("sheet.png"),
    count: Annotated[int, typer.Option(help="Crops on the sheet.")] = 8,
    samples: Annotated[int, typer.Option(help="Crops that histograms and speed come from.")] = 256,
    config_dir: ConfigDir = None,
) -> None:
    """Show what the network would see: crops in both resolutions, what was drawn for each, histograms, pictures/s.

    [dim]sr degrade degradation=second_order scale=4 -o sheet.png
    sr degrade data=folder data.train=PHOTOS degradation=jpeg_light[/dim]
    """
    from sr.verbs.degrade import degrade as run

    run(overrides or [], output, count, samples, config_dir)


@app.command()
def doctor(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER…", help="Folders of training pictures.")],
    val: Annotated[list[Path] | None, typer.Option(help="Folder of validation pictures. Repeatable.")] = None,
    lr: Annotated[Path | None, typer.Option(help="Folder of given low-resolution pictures; needs --scale.")] = None,
    scale: Annotated[int | None, typer.Option(help="Between low and high resolution (2 without --lr).")] = None,
    json: Annotated[Path | None, typer.Option(help="Write every file with its verdict here.")] = None,
    crop_size: Annotated[int, typer.Option(help="Side of a training crop, as data.crop.")] = 48,
    refused: Annotated[float, typer.Option(help="Largest share of unreadable pictures, as data.refused.")] = 0.1,
    workers: Annotated[int, typer.Option(help="Processes that read.")] = 2,
    seconds: Annotated[float, typer.Option(help="Longest time for one file.")] = 60.0,
    verbose: Annotated[bool, typer.Option("--verbose", help="A line for every problem.")] = False,
) -> None:
    """Look at every file before training: is it readable, large enough, new, sharp, and does its pair fit?

    The exit code is 0 where training would be safe and 1 where not.

    [dim]sr doctor PHOTOS --val OTHER_PHOTOS --json report.json
    sr doctor HR --lr LR --scale 4[/dim]
    """
    # Before the imports, which take seconds.
    asked = [*folders, *(val or []), *([] if lr is None else [lr])]
    print(f"looking at {', '.join(map(printable, asked))} …", flush=True)
    from sr.verbs.doctor import doctor as run

    raise typer.Exit(run(folders, val or [], lr, scale, json, crop_size, workers, refused, seconds, verbose))


@app.command()
def replay(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.bug", help="From the folder bugs/ of a run that exploded.")],
    overrides: ConfOverrides = None,
    last: Annotated[int, typer.Option(min=1, help="Updates to print.")] = 4,
    trust: Trust = False,
) -> None:
    """See an explosion again: from the last good state over the very batches that led to it.

    Overrides try a way out on the same batches.

    [dim]sr replay outputs/RUN/bugs/update_50_batch_50.bug
    sr replay outputs/RUN/bugs/update_50_batch_50.bug trainer.clip=1.0 optimizer.lr=1e-4[/dim]
    """
    from sr.verbs.replay import replay as run

    run(bundle, last, overrides or [], trust)


for verb in (runs, report, dashboard):
    app.command()(verb)


@app.command()
def log(
    only: Annotated[
        str,
        typer.Option(help="Entries by number or name, or whole logs, as in 29,31,photo_notes; all where it is empty."),
    ] = "",
    size: Annotated[str, typer.Option(help="Of the runs: full, mini or smoke.")] = "mini",
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds are looked at, from 1 on.")] = 3,
    runs: Annotated[
        list[Path] | None,
        typer.Option(help="Folders of runs. Repeatable. \\[outputs, and docs/log where it is]"),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Train first what claims need and is not there.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="With --run: how many side by side; they share the cores.")] = 1,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="With --run: an override for all runs. Repeatable.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Write LOG.md, log.json and records of the runs.")] = False,
    to: Annotated[Path, typer.Option(help="With --write: the folder.")] = Path("docs"),
    json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON, one object per claim.")] = False,
    accelerator: Accelerator = "auto",
) -> None:
    """The experiment log: its entries, their commands, and a verdict with numbers on every claim.

    Verdicts come from run folders; what is not there is not run. --write keeps a record of each run in docs/log: it
    is judged as a run is, without its networks. The exit code is 1 where a run of --run failed.

    [dim]sr log --only 29,31                          verdicts of two entries
    sr log --only 31 --run --seeds 2             train what they need, then judge
    sr log --run --jobs 2 --write                the whole log, and docs/LOG.md
    sr log --run --runs outputs                  train also what docs/log has records of[/dim]
    """
    from sr.verbs.log.asked import Question, check_roots, default_roots
    from sr.verbs.log.log import show_log

    if setting and not run:
        raise UserError(f"--set {setting[0]} is for runs that are trained; add --run")
    check_roots(runs or [], run)
    names = [name.strip() for name in only.split(",") if name.strip()]
    if only and not names:
        raise UserError(f"--only {printable(only)} names no entry; write numbers or names, as in 29,31,photo_notes")
    question = Question(names, size, range(1, seeds + 1), runs or default_roots())
    raise typer.Exit(show_log(question, to if write else None, json, run, jobs, accelerator, setting or []))


@app.command()
def world(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Overrides of data=miniature, for instance data.world.seed=1.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG file of the sheet; without it, in the world's folder.")
    ] = None,
) -> None:
    """Make the miniature world of the experiment log's anime runs (data=miniature), once, and show it on a sheet.

    [dim]sr world -o sheet.png
    sr world data.reference=FRAMES data.target_video=OTHER_FRAMES[/dim]
    """
    from sr.verbs.world import show_world

    show_world(overrides or [], output)


def main() -> None:
    """Entry point: mistakes become one sentence and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a terminal may lack ×, and a file's name may be no text at all
        sys.stdout.reconfigure(errors="backslashreplace")
    see_current_folder()
    with Signals("ended at once\n") as signals:
        try:
            _check_named(sys.argv[1:])
            app()
        except BaseException as error:
            # Typer makes an exit of an interrupt, and libraries make other exceptions.
            if not signals.raised:
                if isinstance(error, OSError) and error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
                    error = UserError(f"{printable(error.filename)[:300]}: {error.strerror}; choose another name")
                if isinstance(error, UserError):
                    print_error(error)
                    raise SystemExit(USER_ERROR) from None
                raise
        if signals.raised:  # what the error held is gone here, as are the pools that it came through
            _leave(signals)


def _check_named(words: list[str]) -> None:
    """An empty name is that of a variable without a value, and would become the current folder.

    Raises:
        UserError: there is one, and it is no text of an option, which options check.
    """
    words = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    for before, word in pairwise(words):
        if not word and (not before.startswith("-") or before in _before_names(typer.main.get_command(app))):
            if before == "--to":
                raise UserError("--to is empty; write --to a or --to b")
            raise UserError(f"the name after {printable(before)} is empty; name a file or a folder, or . for this one")


def _before_names(command: Any) -> Iterator[str]:
    """Options of a command and those below it that a name follows: their own value, or an argument after a flag."""
    for option in command.params:
        if isinstance(option, TyperOption) and (option.is_flag or "Path" in option.bare_type()):
            yield from option.opts
    for below in getattr(command, "commands", {}).values():
        yield from _before_names(below)


def _leave(signals: Signals) -> NoReturn:
    """End after a signal, with everything that was started; at once, as PyTorch takes seconds to be taken down."""
    print("interrupted", file=sys.stderr, flush=True)
    from sr.data.processes import kill_descendants

    kill_descendants()
    gc.collect()  # semaphores of pools that lie in circles: what remains of them would be told as lost
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(signals.exit_code)
