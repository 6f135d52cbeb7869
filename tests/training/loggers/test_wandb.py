"""What W&B is told, read back from the files of offline runs; a server that stops answering."""

import json
import os
import shlex
import subprocess
import sys

import numpy as np
import pytest
import wandb

from sr.errors import UserError
from sr.training.keeping.loggers.guarded import Guarded
from sr.training.keeping.loggers.uploading import upload_line
from sr.training.keeping.loggers.wandb import Wandb
from tests.training.loggers.wandb_file import history, items, of_kind
from tests.wandb_server import wandb_server


def files(run_dir, pattern="offline-run-*/*.wandb"):
    """The files of a run's parts; the last records reach them when W&B's own process ends, not at a run's end."""
    wandb.teardown()
    return sorted((run_dir / "wandb").glob(pattern))


def test_a_run_with_everything(train, tmp_path, wandb_home):
    choices = ["logger=wandb", "logger.wandb.artifact=true", "trainer.val_images=1", "seed=7", "run_dir=run"]
    code, out, err = train(*choices)
    assert code == 0, err
    assert "W&B is offline; upload the run later with: wandb sync run/wandb" in out
    (file,) = files(tmp_path / "run")
    (run,) = of_kind(file, "run")
    assert (run.project, run.display_name, run.run_group, run.job_type) == ("sr", "run", "", "train")
    assert {"full", "seed=7", "model=espcn", "loss=l1"} <= set(run.tags)
    config = items(run.config.update)
    assert config["data"]["batch_size"] == 4
    assert config["trainer"]["guard"]["limit"] == 10
    steps = history(file)
    assert {step: row["updates"] for step, row in steps.items()} == {1: 1, 2: 2, 3: 3, 4: 4}
    name = next(path.stem for path in (tmp_path / "run" / "val").glob("*.png"))
    assert [step for step, row in steps.items() if f"val/pictures/{name}.path" in row] == [2, 4]
    assert steps[4]["val/by_picture.nrows"] == 2
    summaries = {name: metric.summary for metric in of_kind(file, "metric") for name in [metric.name]}
    assert (summaries["val/psnr_y"].max, summaries["val/psnr_y"].min) == (True, False)
    assert (summaries["val/checkerboard"].max, summaries["val/checkerboard"].min) == (False, True)
    assert not {"val/bicubic/psnr_y", "val/sharpness", "train/g/total"} & summaries.keys()
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    told = {name: value for record in of_kind(file, "summary") for name, value in items(record.update).items()}
    for place in ("best", "bicubic"):
        assert told[f"{place}/psnr_y"] == pytest.approx(summary[place]["psnr_y"])
    assert told["best/updates"] == summary["best"]["updates"]
    assert (told["exit_reason"], told["updates"], told["parameters"]) == ("max_updates", 4, summary["parameters"])
    kinds = {artifact.type: artifact for artifact in of_kind(file, "artifact")}
    assert [entry.path for entry in kinds["model"].manifest.contents] == ["best.safetensors"]
    assert not of_kind(file, "stats")
    assert of_kind(file, "exit")[0].exit_code == 0


def test_an_explosion_raises_alerts_and_is_the_result(train, tmp_path, wandb_home):
    wild = ["optimizer.lr=1e30", "trainer.guard.limit=1", "trainer.max_updates=20", "run_dir=run"]
    code, _, err = train("logger=wandb", "logger.wandb.alert=true", *wild)
    assert code == 2
    assert "training has exploded again" in err
    (file,) = files(tmp_path / "run")
    alerts = of_kind(file, "alert")
    assert [alert.title for alert in alerts] == ["training exploded and went back", "training has exploded"]
    assert [alert.level for alert in alerts] == ["WARN", "ERROR"]
    assert alerts[0].text.startswith("run: update ")
    told = {name: value for record in of_kind(file, "summary") for name, value in items(record.update).items()}
    assert (told["exit_reason"], told["recoveries"]) == ("exploded", 1)
    assert of_kind(file, "exit")[0].exit_code == 1


def test_a_resumed_run_of_a_sweep(run_dir, wandb_home):
    first = Wandb(str(run_dir), {"seed": 0})
    for updates in range(1, 7):
        first.log_metrics({"x": float(updates)}, updates)
    first.log_explosion("something", 6, recovered=True)  # nobody asked for alerts
    first.finalize("success")
    again = Guarded(Wandb(str(run_dir), {"seed": 0}), print)
    again.go_on_from(3, 7)  # 7 was the row that a crash lost
    for updates in range(4, 9):
        again.log_metrics({"x": float(updates)}, updates)
    again.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 8)
    again.finalize("failed")
    one, two = files(run_dir)
    assert [list(history(file)) for file in (one, two)] == [[1, 2, 3, 4, 5, 6], [7, 8]]
    assert of_kind(one, "alert") == []
    runs = [of_kind(file, "run")[0] for file in (one, two)]
    assert runs[0].run_id == runs[1].run_id
    assert [run.run_group for run in runs] == ["my_sweep", "my_sweep"]
    line = upload_line([run_dir])
    assert line is not None
    assert line.endswith(f"wandb sync {run_dir}/wandb")


@pytest.mark.slow
def test_one_command_uploads_a_sweep_with_a_run_that_was_interrupted(tmp_path, wandb_home):
    runs = [tmp_path / "my sweep" / name for name in ("0_a", "1_b")]
    for run in runs:
        run.mkdir(parents=True)
        for sitting in (range(1, 4), range(4, 6)) if run.name == "0_a" else (range(1, 3),):
            logger = Wandb(str(run), {"seed": 0})
            for updates in sitting:
                logger.log_metrics({"x": 10.0 * updates}, updates)
            logger.finalize("success")
    wandb.teardown()
    line = upload_line(runs)
    assert line is not None
    with wandb_server("sr") as server:
        ready = {**os.environ, "WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": server.url}
        command = line[line.index("wandb sync") :].replace("wandb", f"{shlex.quote(sys.executable)} -m wandb", 1)
        done = subprocess.run(["sh", "-c", command], env=ready, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    names = [(run / "wandb_id.txt").read_text().strip() for run in runs]
    rows = {run: [(row["_step"], row["x"]) for _, row in sorted(server.history[run].items())] for run in names}
    assert rows == {names[0]: [(n, 10 * n) for n in range(1, 6)], names[1]: [(1, 10), (2, 20)]}
    assert upload_line(runs) is None, "nothing waits any more"


def test_numbers_out_of_range_are_refused(run_dir):
    with pytest.raises(UserError) as error:
        Wandb(str(run_dir), {}, finish_seconds=-1)
    assert str(error.value) == "logger.wandb.finish_seconds=-1 must be at least 0; 0 waits for ever"


def test_a_server_that_stops_answering_in_the_middle(run_dir, wandb_home, monkeypatch):
    said = []
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with wandb_server("sr") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        logger = Guarded(Wandb(str(run_dir), {"seed": 0}, finish_seconds=1), said.append)
        assert logger.logger.mode == "online"
        logger.log_metrics({"x": 1.0}, 1)
    for updates in (2, 3):
        logger.log_metrics({"x": 1.0}, updates)
    assert said == []
    logger.finalize("success")
    (line,) = said
    assert line.startswith("Wandb has failed (UserError: Timed out finishing run.; upload the rest later with: ")
    assert f"wandb sync --include-online {run_dir}/wandb" in line
    (file,) = files(run_dir, "run-*/*.wandb")
    assert list(history(file)) == [1, 2, 3], "it is all on disk"
