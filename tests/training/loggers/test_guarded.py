"""A service that fails ends no training, and is not told twice what a resumed run computes again."""

from types import SimpleNamespace

import numpy as np
import pytest
from lightning.pytorch.loggers import Logger

from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.loggers.guarded import Guarded
from sr.training.keeping.loggers.publishing import go_on, publish, publish_explosion, publish_pictures, publish_result
from sr.training.keeping.run_folder import RunFolder


class Service(Logger):
    """Remembers what it is told; raises at one of the calls."""

    name = "service"
    version = ""

    def __init__(self, fails_at=0, error=None, kept=None):
        super().__init__()
        self.fails_at, self.error, self.kept, self.calls = fails_at, error, kept, []

    def _told(self, *call):
        self.calls.append(call)
        if len(self.calls) == self.fails_at:
            raise self.error

    def log_metrics(self, metrics, step=None):
        self._told("metrics", step)

    def log_pictures(self, pictures, updates):
        self._told("pictures", updates)

    def log_explosion(self, text, updates, recovered):
        self._told("explosion", updates, recovered)

    def log_result(self, summary, folder):
        self._told("result", summary["updates"])

    def log_hyperparams(self, *_):
        raise NotImplementedError

    def finalize(self, status):
        self._told("finalize", status)


class Continued(Service):
    def go_on_from(self, updates, told):
        return self.kept if self.kept is not None else told


def night(logger):
    """Everything that a run tells its loggers."""
    trainer = SimpleNamespace(loggers=[logger])
    for updates in (1, 2, 3):
        publish(trainer, {"x": 1.0}, updates)
        publish_pictures(trainer, {"a": np.zeros((2, 2, 3), np.uint8)}, updates)
    publish_explosion(trainer, "exploded", 3, recovered=True)
    publish_result(trainer, {"updates": 3}, RunFolder(None))
    logger.finalize("success")


@pytest.mark.parametrize("fails_at", range(1, 10))
def test_a_service_that_fails_is_told_of_once_and_then_left_alone(fails_at):
    said = []
    service = Service(fails_at, ConnectionError("the server\nis gone"))
    night(Guarded(service, said.append))
    sentence = "Service has failed (ConnectionError: the server) and is told nothing more; training goes on, and"
    assert said == [f"{sentence} metrics.csv has everything"]
    # Nothing between the error and the end, at which it may still write what it has.
    assert service.calls[fails_at:] in ([], [("finalize", "success")])


def test_a_service_that_works_is_told_everything():
    said = []
    service = Service()
    night(Guarded(service, said.append))
    assert said == []
    assert [call[0] for call in service.calls] == [*["metrics", "pictures"] * 3, "explosion", "result", "finalize"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_program_passes(error):
    with pytest.raises(error):
        night(Guarded(Service(3, error()), print))


def test_a_logger_that_takes_numbers_only():
    class Plain(Logger):
        name = "plain"
        version = ""
        told = ()

        def log_metrics(self, metrics, step=None):
            self.told += (step,)

        def log_hyperparams(self, *_):
            raise NotImplementedError

    plain, said = Plain(), []
    night(Guarded(plain, said.append))
    assert (plain.told, said) == ((1, 2, 3), [])


@pytest.mark.parametrize(
    ("service", "steps"), [(Continued(), [8, 9]), (Continued(kept=6), [7, 8, 9]), (Service(), [5, 6, 7, 8, 9])]
)
def test_what_is_computed_again_is_not_told_twice(tmp_path, service, steps):
    before = CsvLog(tmp_path / "metrics.csv")
    for updates in range(1, 8):  # a crash at 7; the checkpoint is of update 4
        before.log_metrics({"x": 1.0}, updates)
    loggers = [CsvLog(tmp_path / "metrics.csv"), Guarded(service, print)]
    go_on(loggers, 4)
    for updates in range(5, 10):
        publish(SimpleNamespace(loggers=loggers), {"x": 2.0}, updates)
    assert [step for _, step in service.calls] == steps
    rows = (tmp_path / "metrics.csv").read_text().split()
    assert rows[1:] == [*(f"{n},1" for n in range(1, 5)), *(f"{n},2" for n in range(5, 10))]


def test_a_training_whose_service_fails_goes_on(train, tmp_path, monkeypatch):
    own = tmp_path / "own" / "logger"
    own.mkdir(parents=True)
    (own / "fragile.yaml").write_text("# x\nfragile:\n  _target_: fragile_logger.Fragile\n  _partial_: true\n")
    (tmp_path / "fragile_logger.py").write_text(
        "from tests.training.loggers.test_guarded import Service\n"
        "class Fragile(Service):\n"
        "    def __init__(self, run_dir: str, config: dict):\n"
        "        super().__init__(3, RuntimeError('no more'))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    code, out, err = train("--config-dir", "own", "logger=fragile", "run_dir=run")
    assert code == 0, err
    assert out.count("Fragile has failed (RuntimeError: no more)") == 1
    assert "ended (max_updates) after 4 updates" in out
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines()[-1].startswith("4,")
