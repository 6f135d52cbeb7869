"""Tables that end a run, a sweep and an evaluation."""

import os
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from sr.training.run_folder import RunFolder
from sr.training.validation import METRICS, OTHERS, PERCEPTUAL

WIDTH = 120
"""Of tables where the output is no terminal."""


def console_for_tables(quiet: bool = False) -> Console:
    """As wide as the terminal (or ``COLUMNS``), or wide enough for every column where there is none."""
    terminal = sys.stdout.isatty()
    known = terminal or "COLUMNS" in os.environ
    return Console(soft_wrap=not terminal, width=None if known else WIDTH, quiet=quiet)


def _cells(metrics: dict[str, float], names: Sequence[str]) -> list[str]:
    return [_number(name, metrics[name]) if name in metrics else "" for name in names]


def _number(name: str, value: float) -> str:
    return f"{value:.2f}" if name.startswith("psnr") or name in OTHERS else f"{value:.4f}"


def print_result(console: Console, summary: dict[str, Any], folder: RunFolder) -> None:
    """Bicubic, the final and the best network of one run; then what to do with it."""
    if summary["final"]:
        table = Table(title=f"x{summary['scale']}, validation (PSNR in dB, border of {summary['scale']} px cropped)")
        table.add_column("network")
        names = [name for name in METRICS + OTHERS + PERCEPTUAL if name in summary["final"]]
        for name in names:
            table.add_column(name, justify="right")
        table.add_column("gain psnr_y", justify="right")
        base = summary["bicubic"]["psnr_y"]
        table.add_row("bicubic", *_cells(summary["bicubic"], names), "")
        table.add_row(
            f"final, {summary['updates']} updates",
            *_cells(summary["final"], names),
            f"{summary['final']['psnr_y'] - base:+.2f}",
        )
        best = summary["best"]
        table.add_row(f"best, {best['updates']} updates", *_cells(best, names), f"{best['psnr_y'] - base:+.2f}")
        console.print(table)
    console.print(
        f"ended ({summary['exit_reason']}) after {summary['updates']} updates, {summary['seconds']:.0f} s; "
        f"{summary['updates_per_second']:.1f} updates/s, {summary['pictures_per_second']:.0f} pictures/s, "
        f"{summary['waiting_share']:.1%} of the time waiting for data",
        highlight=False,
    )
    if summary["exit_reason"] == "interrupted":
        console.print(f"go on: uv run python train.py resume={folder.path}", highlight=False, markup=False)
    network = folder.best if folder.best.exists() else folder.last
    console.print(f"network: {network}", highlight=False, markup=False)
    console.print(f"use it: uv run sr upscale PHOTO -o OUT.png --model {network}", highlight=False, markup=False)


def print_sweep(rows: Sequence[tuple[str, dict[str, Any] | None, str]]) -> None:
    """One line per run: (name, summary, error)."""
    table = Table(title="sweep: best network of each run, gain over bicubic")
    table.add_column("run", overflow="fold")
    for name, justify in (
        ("psnr_y", "right"),
        ("gain", "right"),
        ("ssim_y", "right"),
        ("psnr_rgb", "right"),
        ("parameters", "right"),
        ("updates", "right"),
        ("updates/s", "right"),
        ("ended by", "left"),
    ):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name, summary, _ in rows:
        if summary is None:
            table.add_row(name, *[""] * 7, "failed")
            continue
        best = summary["best"]
        metrics = (
            [
                f"{best['psnr_y']:.2f}",
                f"{best['psnr_y'] - summary['bicubic']['psnr_y']:+.2f}",
                f"{best['ssim_y']:.4f}",
                f"{best['psnr_rgb']:.2f}",
            ]
            if best
            else [""] * 4
        )
        table.add_row(
            name,
            *metrics,
            f"{summary['parameters']:,}",
            str(summary["updates"]),
            f"{summary['updates_per_second']:.1f}",
            str(summary["exit_reason"]),
        )
    console_for_tables().print(table)
    for name, _, error in rows:
        if error:
            print(f"{name} failed: {error}")
