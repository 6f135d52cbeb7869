"""Verbs that compare runs: as a table, as a page, in W&B."""

from pathlib import Path
from typing import Annotated

import typer


def runs(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="FOLDER…", help="Run folders, or folders with runs.  \\[outputs]")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Order by a column, the best first: psnr_y, lpips, updates, name, …")
    ] = None,
    where: Annotated[list[str] | None, typer.Option(help="Only runs for which NAME=VALUE is true. Repeatable.")] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Compare with these runs: a name, or NAME=VALUE, such as model=espcn.")
    ] = None,
    each: Annotated[bool, typer.Option("--each", help="A line for each run, not for the seeds together.")] = False,
    at: Annotated[str, typer.Option(help="Values of the best or of the final validation.")] = "best",
    csv: Annotated[Path | None, typer.Option(help="Write every number of each run, and what differs, here.")] = None,
    json: Annotated[Path | None, typer.Option(help="Likewise.")] = None,
) -> None:
    """Runs as a table: finished, running, cut off, exploded, failed; seeds as mean ± standard deviation.

    With --baseline each difference has its interval, and the words whether it is larger than chance.

    [dim]sr runs outputs/SWEEP --by psnr_y --where model=rdn_small
    sr runs outputs/SWEEP --baseline model=espcn --at final
    sr runs --csv runs.csv[/dim]
    """
    from sr.verbs.runs.show import show_runs

    show_runs(folders or [Path("outputs")], by, where or [], baseline, each, at, csv, json)


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUNS…", help="Run folders, or folders with runs.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder of the page; one that is there is updated.")
    ] = Path("report"),
    title: Annotated[
        str | None, typer.Option(help="Over the page.  \\[default: the sweep's or the folder's name]")
    ] = None,
    film: Annotated[str, typer.Option(help="Histories of pictures as films too: mp4, gif, both or none.")] = "none",
) -> None:
    """One page that compares runs: table, curves, pictures side by side, what differs. It opens without a server.

    Runs may be finished, running, cut off or exploded; everything is read from their folders. The page plays the
    history of a picture by itself; a film of it takes a quarter of a second as mp4, and a second and 2 MB as gif.

    [dim]sr report outputs/SWEEP
    sr report outputs/RUN outputs/OTHER -o both/ --film mp4[/dim]
    """
    from sr.verbs.report import report as run

    run(runs, output, title, film)


def dashboard(
    project: Annotated[str, typer.Argument(help="Of Weights & Biases, as logger.wandb.project.")],
    entity: Annotated[str | None, typer.Option(help="Team or user; without it, the account's default.")] = None,
    runs: Annotated[
        list[Path] | None, typer.Option(help="Folders of runs whose validation pictures are shown.  \\[outputs]")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the panels as JSON; no key, no network.")] = False,
    json: Annotated[Path | None, typer.Option(help="Write the panels here as JSON.")] = None,
) -> None:
    """A workspace in W&B for runs of this program: metrics beside bicubic, pictures, losses of both sides, rates.

    Runs are grouped by sweep. The same command again brings it up to date; keep changes of your own in a copy.

    [dim]sr dashboard sr --dry-run
    sr dashboard sr --entity TEAM[/dim]
    """
    from sr.verbs.dashboard import show_dashboard

    show_dashboard(project, entity, runs or [Path("outputs")], dry_run, json)
