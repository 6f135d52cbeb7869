"""MLflow's data base, read back. MLflow takes seconds to be imported, and more to make its tables."""

import os

import numpy as np
import pytest

from sr.errors import UserError
from sr.training.keeping.loggers.guarded import Guarded
from sr.training.keeping.loggers.mlflow import MLflow
from tests.packages import needs

pytestmark = [
    pytest.mark.slow,
    needs("mlflow"),
    pytest.mark.filterwarnings("ignore"),  # MLflow's own, of its data base
]


@pytest.fixture(autouse=True)
def nobody_said_where(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def client(folder):
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder.resolve()}/mlflow/mlflow.db")


def the_run(service):
    (experiment,) = service.search_experiments(filter_string="name = 'sr'")
    (run,) = service.search_runs([experiment.experiment_id])
    return run


def history(service, run, name):
    return [(metric.step, metric.value) for metric in service.get_metric_history(run.info.run_id, name)]


def test_a_run(train, tmp_path):
    code, out, err = train("logger=mlflow", "trainer.val_images=1", "seed=7", "run_dir=run")
    assert code == 0, err
    assert "MLflow: sqlite:///" in out
    service = client(tmp_path / "run")
    run = the_run(service)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "run")
    assert [step for step, _ in history(service, run, "train/g/total")] == [1, 2, 3, 4]
    assert [step for step, _ in history(service, run, "val/psnr_y")] == [2, 4]
    assert run.data.metrics["best/psnr_y"] == pytest.approx(run.data.metrics["val/psnr_y"], abs=1)
    assert run.data.params["data/batch_size"] == "4"
    assert (run.data.tags["model"], run.data.tags["seed"], run.data.tags["exit_reason"]) == (
        "espcn",
        "7",
        "max_updates",
    )
    images = [file.path for file in service.list_artifacts(run.info.run_id, "images")]
    assert len([path for path in images if path.endswith(".png")]) == 2
    assert [file.path for file in service.list_artifacts(run.info.run_id, "val")] == ["val/metrics.csv"]
    assert not (tmp_path / "mlruns").exists()


def test_a_resumed_run_is_the_same_run_and_not_told_twice(run_dir):
    config = {"seed": 0, "data": {"val": {"my set?": "x"}}}
    first = MLflow(str(run_dir), config)
    for updates in range(1, 7):
        first.log_metrics({"x": 1.0}, updates)
    first.finalize("failed")
    again = Guarded(MLflow(str(run_dir), config | {"seed": 1}), print)
    assert the_run(client(run_dir)).info.status == "RUNNING"
    again.go_on_from(4, 6)
    for updates in range(5, 9):
        again.log_metrics({"x": 2.0}, updates)
    again.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 8)
    again.finalize("success")
    service = client(run_dir)
    run = the_run(service)
    assert history(service, run, "x") == [*((n, 1.0) for n in range(1, 7)), (7, 2.0), (8, 2.0)]
    assert (run.info.status, run.data.tags["sweep"]) == ("FINISHED", "my_sweep")
    assert run.data.params["data/val/my set_"] == "x"


def test_a_data_base_for_several_runs(tmp_path):
    uri = f"sqlite:///{tmp_path}/all.db"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        logger = MLflow(str(tmp_path / name), {}, tracking_uri=uri)
        logger.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 1)
        logger.finalize("success")
    assert "MLFLOW_TRACKING_URI" not in os.environ, "the next run of this process would take it"
    assert len(list((tmp_path / "artifacts").glob("*/artifacts/images/*.png"))) == 2


def test_a_server_that_is_not_there_is_one_sentence(run_dir, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError) as error:
        MLflow(str(run_dir), {}, tracking_uri="http://127.0.0.1:9")
    assert str(error.value).startswith("MLflow did not start with http://127.0.0.1:9 (")
    assert str(error.value).endswith("; logger.mlflow.tracking_uri=… names another")
    assert not (run_dir / "mlflow_run_id.txt").exists()
