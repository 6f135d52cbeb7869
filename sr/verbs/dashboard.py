"""`sr dashboard`: a workspace of W&B that shows what runs of this program log."""

import importlib.util
import io
import json
import socket
import warnings
from collections.abc import Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies

from sr.config.nearest import near_files, neighbours
from sr.errors import UserError
from sr.experiments.dashboard import Panel, Section, as_data, picture_names, sections
from sr.experiments.runs import find_runs
from sr.files import write_atomically
from sr.pasted import extra_command
from sr.printable import first_line, printable
from sr.training.keeping.loggers.wandb_key import has_wandb_key, wandb_url
from sr.verbs.runs.files import check_outputs

VIEW = "nw-srtoolkit-v"
"""W&B's name for the workspace: the same in every project, so that it is found again."""
TITLE = "super-resolution"
_FORBIDDEN = set("/\\#?%:")
_PATIENCE = 10.0
"""Seconds in which a server must answer."""


def show_dashboard(project: str, entity: str | None, runs: Sequence[Path], dry_run: bool, target: Path | None) -> None:
    """Make the workspace, or bring the one that was made before up to date.

    Args:
        project: of W&B.
        entity: team or user; None takes the account's default.
        runs: folders below which runs lie whose validation pictures are shown.
        dry_run: only print the panels as JSON.
        target: a file for that JSON, or None.

    Raises:
        UserError: no key, no network, no such project, or the package is missing.
    """
    for what, name in (("PROJECT", project), ("--entity", entity)):
        if name is not None and (not name.strip() or set(name) & _FORBIDDEN):
            raise UserError(f"{what} {printable(name)!r} is no name of W&B's; it has letters, digits, - and _")
    gone = next((folder for folder in runs if folder != Path("outputs") and not folder.is_dir()), None)
    if gone is not None:
        raise UserError(f"--runs {printable(gone)}: there is no such folder{neighbours(near_files(gone))}")
    if target is not None:
        check_outputs([target])
    found = [run.folder.path for run in find_runs([folder for folder in runs if folder.is_dir()])]
    content = sections(picture_names(found))
    text = json.dumps({"project": project, "entity": entity, "sections": as_data(content)}, indent=1)
    if target is not None:
        write_atomically(target, f"{text}\n".encode())
    if dry_run:
        print(text if target is None else f"panels: {printable(target)}")
        return
    _check(project)
    new, url = _saved(project, entity, content)
    print(f"{'made' if new else 'brought up to date'}: {url}")


def _check(project: str) -> None:
    """What is needed, before anything is imported that waits for a server.

    Raises:
        UserError: it is not there.
    """
    without = "--dry-run prints the panels without it"
    if importlib.util.find_spec("wandb_workspaces") is None:
        command = extra_command("dashboard", "wandb-workspaces")
        raise UserError(
            f"sr dashboard needs the package wandb-workspaces, which is not installed: {command}; {without}"
        )
    url = wandb_url()
    if not has_wandb_key():
        raise UserError(
            f"sr dashboard {printable(project)} needs a key for {url}: run `wandb login` first, or set WANDB_API_KEY; "
            f"{without}"
        )
    try:
        place = urlsplit(url)
        if getproxies().get(place.scheme):
            return  # which alone knows whether the server can be reached
        port = place.port or (80 if place.scheme == "http" else 443)
        socket.create_connection((place.hostname or "", port), _PATIENCE).close()
    except (OSError, ValueError) as error:
        raise UserError(f"{url} cannot be reached ({first_line(error)}); {without}") from error


def _saved(project: str, entity: str | None, content: Sequence[Section]) -> tuple[bool, str]:
    """Save the workspace; whether it is new, and where it is.

    Raises:
        UserError: W&B refuses.
    """
    import wandb

    # The library tells the same in its own words, and warns of its own code.
    with redirect_stderr(io.StringIO()), warnings.catch_warnings(action="ignore"):
        try:
            owner = str(entity or wandb.Api().default_entity)
            workspace: Any = workspace_of(project, owner, content)
            known = _view_id(owner, project)
            workspace._internal_name, workspace._internal_id = VIEW, known or ""
            workspace.save()
            return known is None, str(workspace.url)
        except UserError:
            raise
        except Exception as error:  # of wandb, its service, requests or pydantic
            raise UserError(
                f"W&B did not take the dashboard of {printable(project)} ({first_line(error)}); --dry-run prints the "
                "panels without it"
            ) from error


def _view_id(entity: str, project: str) -> str | None:
    """The workspace of an earlier call; None where there is none.

    Raises:
        UserError: there is no such project.
    """
    from wandb_workspaces.workspaces import internal

    try:
        return str(internal.View.from_name(entity, project, VIEW).id)
    except ValueError as error:
        if "Workspace" in str(error):
            return None
        raise UserError(
            f"W&B has no project {printable(project)} of {printable(entity)} that this key may see; it appears with "
            f"its first run: logger=wandb logger.wandb.project={printable(project)}"
        ) from error


def workspace_of(project: str, entity: str, content: Sequence[Section]) -> Any:
    """The sections as W&B has them: over updates, runs grouped by their sweep.

    Args:
        project: of W&B.
        entity: team or user.
        content: see `sections`.
    """
    import wandb_workspaces.reports.v2 as reports
    import wandb_workspaces.workspaces as workspaces
    from wandb_workspaces import expr

    return workspaces.Workspace(
        entity=entity,
        project=project,
        name=TITLE,
        sections=[
            workspaces.Section(
                name=section.title, panels=[_panel(reports, panel) for panel in section.panels], is_open=section.is_open
            )
            for section in content
        ],
        settings=workspaces.WorkspaceSettings(x_axis="updates", max_runs=20),
        runset_settings=workspaces.RunsetSettings(groupby=[expr.Metric("Group")]),
    )


def _panel(reports: Any, panel: Panel) -> Any:
    if panel.kind == "pictures":
        return reports.MediaBrowser(title=panel.title, media_keys=list(panel.columns), num_columns=1)
    if panel.kind == "bars":
        return reports.BarPlot(title=panel.title, metrics=list(panel.columns))
    return reports.LinePlot(title=panel.title, x="updates", y=list(panel.columns), metric_regex=panel.pattern)
