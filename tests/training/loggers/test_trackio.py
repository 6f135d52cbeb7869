"""Trackio's data base, read back."""

import numpy as np
import pytest

from sr.training.keeping.loggers.guarded import Guarded
from sr.training.keeping.loggers.trackio import Trackio
from tests.packages import needs

pytestmark = needs("trackio")


def read(project, run):
    """Everything that was logged, in order."""
    from trackio.sqlite_storage import SQLiteStorage

    return SQLiteStorage.get_logs(project, run)


def steps(rows, column):
    return [row["step"] for row in rows if column in row]


def test_a_run(train, tmp_path):
    choices = ["logger=trackio", "logger.trackio.project=whole", "trainer.val_images=1", "run_dir=run"]
    code, out, err = train(*choices)
    assert code == 0, err
    name = (tmp_path / "run" / "trackio_name.txt").read_text().strip()
    assert f"Trackio: run {name}; look at it with: trackio show --project whole" in out
    assert "* Trackio" not in out
    rows = read("whole", name)
    assert steps(rows, "train/g/total") == [1, 2, 3, 4]
    assert steps(rows, "val/psnr_y") == [2, 4]
    assert steps(rows, "best/psnr_y") == [4]
    (picture,) = (path.stem for path in (tmp_path / "run" / "val").glob("*.png"))
    shown = [row[f"val/pictures/{picture}"] for row in rows if f"val/pictures/{picture}" in row]
    assert [image["_type"] for image in shown] == ["trackio.image"] * 2
    import trackio

    (run,) = trackio.Api().runs("whole")
    assert run.config["data"]["batch_size"] == 4


def test_a_resumed_run_is_the_same_run_and_not_told_twice(run_dir):
    first = Trackio(str(run_dir), {"seed": 0}, project="resumed")
    for updates in range(1, 7):
        first.log_metrics({"x": 1.0}, updates)
    first.finalize("failed")
    again = Guarded(Trackio(str(run_dir), {"seed": 0}, project="resumed"), print)
    again.go_on_from(4, 7)  # of 7 the data base knows nothing
    for updates in range(5, 10):
        again.log_metrics({"x": 2.0}, updates)
    again.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 9)
    again.finalize("success")
    assert first.version == again.logger.version
    rows = read("resumed", first.version)
    assert [(row["step"], row["x"]) for row in rows if "x" in row] == [
        *((updates, 1.0) for updates in range(1, 7)),
        *((updates, 2.0) for updates in range(7, 10)),
    ]


@pytest.mark.parametrize("asked", [True, False])
def test_an_explosion_raises_an_alert_where_that_was_asked_for(run_dir, asked, capsys):
    import trackio

    project = f"alerts-{asked}"
    logger = Trackio(str(run_dir), {}, project=project, alert=asked)
    logger.log_metrics({"x": 1.0}, 1)
    logger.log_explosion("a loss is infinite", 1, recovered=False)
    logger.finalize("failed")
    found = [alert for run in trackio.Api().runs(project) for alert in run.alerts()]
    assert [alert["title"] for alert in found] == ["training has exploded"] * asked
    assert capsys.readouterr().out == ""


def test_two_runs_of_one_name_are_two(tmp_path):
    names = set()
    for place in ("a", "b"):
        folder = tmp_path / place / "run"
        folder.mkdir(parents=True)
        logger = Trackio(str(folder), {}, project="two")
        logger.log_metrics({"x": 1.0}, 1)
        logger.finalize("success")
        names.add(logger.version)
    assert len(names) == 2
