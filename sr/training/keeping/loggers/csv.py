"""A table in the run's folder, which every run writes."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only

from sr.training.keeping.tables import append_rows, read_table, write_table


class CsvLog(Logger):
    """One row per number of updates; the columns grow when new values appear.

    Args:
        path: the file. Rows of an earlier sitting are kept up to the update that the run resumes from.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._columns = ["updates"]
        self._rows: dict[int, dict[str, str]] = {}
        self._written = 0

    @property
    def name(self) -> str:
        """Of the logger."""
        return "csv"

    @property
    def version(self) -> str:
        """There is one file."""
        return ""

    def resume_from(self, updates: int) -> int:
        """Keep the rows up to ``updates``: what came after is about to be computed again.

        Returns:
            The largest number of updates that there was a row of; -1 where there was none.

        Raises:
            UserError: another program has rewritten the file.
        """
        if not self.path.exists():
            return -1
        self._columns, rows = read_table(self.path)
        self._rows = {int(row["updates"]): row for row in rows if int(row["updates"]) <= updates}
        self._rewrite()
        return max((int(row["updates"]) for row in rows), default=-1)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add values to the row of ``step`` updates.

        Raises:
            UserError: the disk is full or not writable.
        """
        updates = step or 0
        row = self._rows.setdefault(updates, {"updates": str(updates)})
        changed_old = len(row) > 1
        row.update({name: f"{value:.8g}" for name, value in metrics.items()})
        new = [name for name in metrics if name not in self._columns]
        self._columns += new
        if new or changed_old or not self.path.exists():
            self._rewrite()
            return
        append_rows(self.path, self._columns, [row])

    def _rewrite(self) -> None:
        write_table(self.path, self._columns, [self._rows[updates] for updates in sorted(self._rows)])

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | argparse.Namespace, *args: Any, **kwargs: Any) -> None:
        """The configuration has its own file."""
