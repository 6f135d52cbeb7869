"""Loggers begin: packages that are missing, services that do not start."""

from functools import partial
from pathlib import Path

import pytest
from lightning.pytorch.loggers import Logger

from sr.errors import UserError
from sr.training.keeping.loggers.mlflow import MLflow
from sr.training.keeping.loggers.starting import check_packages, started
from sr.training.keeping.loggers.tensorboard import TensorBoard
from sr.training.keeping.loggers.trackio import Trackio
from sr.training.keeping.loggers.wandb import Wandb


class Fine(Logger):
    """Starts, and says where it is."""

    name = "fine"
    version = ""
    closed = ""

    def __init__(self, run_dir, config):
        super().__init__()
        self.announcement = f"fine: {run_dir}"
        MADE.append(self)

    def log_metrics(self, metrics, step=None):
        raise NotImplementedError

    def log_hyperparams(self, *_):
        raise NotImplementedError

    def finalize(self, status):
        self.closed = status


MADE: list[Fine] = []


def missing(monkeypatch, *modules):
    find = __import__("importlib.util").util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in modules else find(name))


@pytest.mark.parametrize("kind", [TensorBoard, MLflow, Trackio])
def test_a_missing_package_is_one_sentence(monkeypatch, kind):
    module, extra = kind.needs
    with monkeypatch.context() as there:
        there.setattr("importlib.util.find_spec", lambda name: name)
        check_packages({"service": partial(kind)})
    missing(monkeypatch, module)
    monkeypatch.chdir(Path(__file__).resolve().parents[3])
    with pytest.raises(UserError) as error:
        check_packages({"wandb": partial(Wandb), "service": partial(kind)})
    sentence = f"logger=service needs the package {module}, which is not installed: "
    assert str(error.value) == f"{sentence}uv sync --inexact --extra {extra}"
    monkeypatch.chdir("/")
    with pytest.raises(UserError) as error:
        check_packages({"service": kind})
    assert str(error.value) == f"{sentence}pip install {module}"


def test_every_missing_package_is_named(monkeypatch):
    missing(monkeypatch, "mlflow", "trackio")
    with pytest.raises(UserError) as error:
        check_packages({"a": partial(MLflow), "b": partial(Trackio)})
    assert [line.split()[0] for line in str(error.value).split("\n")] == ["logger=a", "logger=b"]


def test_extras_exist_in_the_project():
    import tomllib

    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]
    named = {kind.needs for kind in (TensorBoard, MLflow, Trackio)} | {("wandb-workspaces", "dashboard")}
    for package, extra in named:
        assert project["optional-dependencies"][extra][0].startswith(f"{package}>=")


def test_a_missing_package_is_told_before_anything_is_made(train, tmp_path, monkeypatch):
    missing(monkeypatch, "trackio")
    code, _, err = train("logger=[wandb,trackio]", "run_dir=run")
    assert code == 2
    assert "logger=trackio needs the package trackio, which is not installed: " in err
    assert not (tmp_path / "run" / "metrics.csv").exists()


def test_what_started_is_closed_where_another_does_not(tmp_path):
    MADE.clear()

    def broken(run_dir, config):
        raise UserError("no server")

    with pytest.raises(UserError, match="no server"):
        started({"a": Fine, "b": broken}, str(tmp_path), {}, print)
    assert [one.closed for one in MADE] == ["failed"]


def test_what_a_logger_announces_is_said(tmp_path):
    said = []
    (guarded,) = started({"a": Fine}, "place", {}, said.append)
    assert said == ["fine: place"]
    assert guarded.logger is MADE[-1]


@pytest.mark.parametrize("choice", ["wandb_tensorboard", "[wandb,tensorboard]", "csv_tensorboard_wandb"])
def test_several_at_once(train, tmp_path, choice):
    code, out, err = train(f"logger={choice}", "run_dir=run", "trainer.max_updates=1", "trainer.val_images=0")
    assert code == 0, err
    assert "W&B: disabled" in out
    assert "TensorBoard: files in run/tensorboard" in out
    assert (tmp_path / "run" / "metrics.csv").exists()
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_name_of_which_a_part_is_misspelt(train):
    code, _, err = train("logger=wandb_tensorbord")
    assert code == 2
    assert "logger=wandb_tensorbord: there is no such logger in conf/logger; did you mean wandb_tensorboard" in err
