"""Tables that end a run, a sweep and an evaluation."""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from sr.console import plain_console
from sr.models.feature_net import as_target
from sr.models.files import read_network
from sr.pasted import setting, training, verb
from sr.training.columns import CONSISTENCY, CYCLE, IDENTITY, METRICS, OTHERS, PERCEPTUAL, metric_of
from sr.training.keeping.run_folder import RunFolder

WIDTH = 120
"""Of tables where the output is no terminal."""


def console_for_tables(quiet: bool = False) -> Console:
    """As wide as the terminal (or ``COLUMNS``), or wide enough for every column where there is none."""
    terminal = sys.stdout.isatty()
    known = terminal or "COLUMNS" in os.environ
    return plain_console(soft_wrap=not terminal, width=None if known else WIDTH, quiet=quiet)


def number(name: str, value: float | None) -> str:
    """A metric as tables show it; empty where there is none.

    Args:
        name: of its column.
        value: what was measured.
    """
    if value is None or math.isnan(value):
        return ""  # no picture was large enough for it; a summary that is read back has None there
    return f"{value:.2f}" if name.startswith(("psnr", "cycle_psnr")) or name in OTHERS else f"{value:.4f}"


def _result_table(summary: dict[str, Any]) -> Table:
    """A row per metric, so that it fits any terminal: bicubic (or untranslated), the final network and the best one."""
    bicubic, final, best = summary["bicubic"], summary["final"], summary["best"]  # best: empty where all was NaN
    table = Table(title=f"x{summary['scale']}, validation (PSNR in dB, border of {summary['scale']} px cropped)")
    table.add_column("metric")
    for name in (
        _before(final),
        f"final ({summary['updates']} updates)",
        f"best ({best.get('updates', 'no')} updates)",
    ):
        table.add_column(name, justify="right")
    for name in (*METRICS, *OTHERS, *PERCEPTUAL, CONSISTENCY, *CYCLE, IDENTITY):
        if name in final:
            table.add_row(name, *(number(name, of[name]) if name in of else "" for of in (bicubic, final, best)))
    if "psnr_y" in final:
        table.add_row("gain psnr_y", "", *(gain(of, bicubic) for of in (final, best)))
    return table


def _before(final: Mapping[str, float]) -> str:
    """What a network is compared with: at x1 bicubic is the picture itself, which a translation begins with."""
    return "untranslated" if CYCLE[0] in final else "bicubic"


def gain(of: Mapping[str, float], bicubic: Mapping[str, float]) -> str:
    """Over bicubic, in dB; empty where there is no number."""
    gain = of.get("psnr_y", math.nan) - bicubic.get("psnr_y", math.nan)
    return f"{gain:+z.2f}" if math.isfinite(gain) else ""


_OF_SETS = ("ssim_y", "sharpness", "lpips")


def _print_sets(console: Console, summary: dict[str, Any]) -> None:
    """A row per validation set that has a name; nothing where none has."""
    bicubic, final, best = summary["bicubic"], summary["final"], summary["best"]
    rows = []
    for name in dict.fromkeys(column.rpartition("/")[0] for column in final if "/" in column):
        b, f, at_best = (_of_set(name, values) for values in (bicubic, final, best))
        psnr = [number("psnr_y", of["psnr_y"]) if "psnr_y" in of else "" for of in (b, f, at_best)]
        others = [number(metric, f[metric]) if metric in f else "" for metric in _OF_SETS]
        rows.append((name, [*psnr, gain(f, b), *others]))
    if rows:
        before = _before(final)
        title = (
            f"each set: psnr_y {'of bicubic' if before == 'bicubic' else before}, of the final and the best network; "
        )
        title += "gain and the rest of the final"
        print_numbers(console, "set", (before, "final", "best", "gain", *_OF_SETS), rows, title)


def _of_set(name: str, values: Mapping[str, float]) -> dict[str, float]:
    return {key.removeprefix(f"{name}/"): value for key, value in values.items() if key.startswith(f"{name}/")}


def print_result(console: Console, summary: dict[str, Any], folder: RunFolder, config: Mapping[str, Any]) -> None:
    """Bicubic, the final and the best network of one run; then what to do with it.

    Args:
        console: where to.
        summary: of the run.
        folder: where it lies.
        config: the run's, plain values: whether the lines to be pasted need the user's trust.
    """
    if summary["final"]:
        console.print(_result_table(summary))
        _print_sets(console, summary)
    console.print(
        f"ended ({summary['exit_reason']}) after {summary['updates']} updates, {summary['seconds']:.0f} s; "
        f"{summary['updates_per_second']:.1f} updates/s, {summary['pictures_per_second']:.0f} pictures/s, "
        f"{summary['waiting_share']:.1%} of the time waiting for data"
    )
    for metric, best in summary.get("best_by", {}).items():
        value = number(metric_of(metric), best[metric])
        say(console, f"best by {metric}: {value} at {best['updates']} updates, {best['file']}")
    if summary["exit_reason"] == "interrupted":
        from sr.config.stored import needs_trust  # here: most tables need no Hydra

        trust = ["trust=true"] if needs_trust(config) else []
        say(console, f"go on: {training(setting('resume', folder.path), *trust)}")
    _tell_network(console, folder, config)


def print_finished(console: Console, summary: dict[str, Any], folder: RunFolder, config: Mapping[str, Any]) -> None:
    """A run that ``resume=auto`` found at its end; see `print_result`."""
    say(
        console,
        f"finished: {folder.path} has ended already ({summary['exit_reason']}) after {summary['updates']} updates, "
        f"{summary['seconds']:.0f} s",
    )
    _tell_network(console, folder, config)


def _tell_network(console: Console, folder: RunFolder, config: Mapping[str, Any]) -> None:
    from sr.config.stored import needs_trust

    network = folder.best if folder.best.exists() else folder.last
    trust = ["--trust"] if needs_trust({"model": {"_target_": config["model"]["_target_"]}}) else []
    say(console, f"network: {network}")
    if config["model"]["_target_"].endswith(".FeatureNet"):
        say(console, f"use it as a target: {as_target(read_network(folder.last)[0], folder.path)}")
        return
    if config["model"]["_target_"].endswith(".CycleGan"):
        line = verb("translate", "PHOTO", "-o", "OUT.png", "--model", network, "--to", "b", *trust)
    else:
        line = verb("upscale", "PHOTO", "-o", "OUT.png", "--model", network, *trust)
    say(console, f"use it: {line}")


def say(console: Console, text: str) -> None:
    """One line that is never wrapped, so that it can be pasted."""
    console.print(text, soft_wrap=True)


_LEAST = 16
"""Letters of a line that names have beside their numbers; with fewer, names are listed below and rows numbered."""


def print_numbers(
    console: Console, label: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]], title: str = ""
) -> None:
    """A table of numbers with a name to each row; in a narrow terminal no heading and no number is cut or folded.

    Args:
        console: where to.
        label: heading of the names.
        columns: headings of the numbers.
        rows: (name, its numbers).
        title: above everything.
    """
    numbers = sum(max(map(len, column)) + 3 for column in zip(columns, *(cells for _, cells in rows), strict=True))
    longest = max(len(text) for text in (label, *(name for name, _ in rows)))
    fits = numbers + 4 + min(longest, _LEAST) <= console.width
    table = Table(title=title or None) if fits else Table(title=title or None, box=SIMPLE_HEAD, padding=0)
    table.add_column(label, overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for number, (name, cells) in enumerate(rows, 1):
        table.add_row(name if fits else str(number), *cells)
    console.print(table)
    for number, (name, _) in enumerate(() if fits else rows, 1):
        console.print(f"{label} {number}: {name}", soft_wrap=True)
