"""TensorBoard's files, read back."""

import warnings

import numpy as np
import pytest

from sr.errors import UserError
from sr.training.keeping.loggers.guarded import Guarded
from sr.training.keeping.loggers.tensorboard import TensorBoard


def read(folder):
    """What TensorBoard itself would show of a folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        found.Reload()
    return found


def steps(found, name):
    return [event.step for event in found.Scalars(name)]


def test_a_run(train, tmp_path):
    code, out, err = train("logger=tensorboard", "trainer.val_images=1", "seed=7", "run_dir=run")
    assert code == 0, err
    assert "TensorBoard: files in run/tensorboard" in out
    found = read(tmp_path / "run" / "tensorboard")
    assert steps(found, "train/g/total") == [1, 2, 3, 4]
    assert steps(found, "val/psnr_y") == [2, 4]
    (name,) = (path.stem for path in (tmp_path / "run" / "val").glob("*.png"))
    images = found.Images(f"val/pictures/{name}")
    assert [image.step for image in images] == [2, 4]
    assert images[0].encoded_image_string.startswith(b"\x89PNG")
    assert b"model.features: 48" in found.Tensors("config/text_summary")[0].tensor_proto.string_val[0]
    assert steps(found, "best/psnr_y") == [4]
    parameters = found.PluginTagToContent("hparams")["_hparams_/session_start_info"]
    assert b"espcn" in parameters
    assert [path.name[:9] for path in (tmp_path / "run" / "tensorboard").iterdir()] == ["events.ou"]


def test_a_resumed_run_shows_nothing_twice(run_dir):
    first = TensorBoard(str(run_dir), {"seed": 0})
    for updates in range(1, 8):
        first.log_metrics({"x": 1.0}, updates)
    first.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 6)
    first.finalize("failed")
    again = Guarded(TensorBoard(str(run_dir), {"seed": 0}), print)
    again.go_on_from(4, 7)
    for updates in range(5, 10):
        again.log_metrics({"x": 2.0}, updates)
    again.finalize("success")
    found = read(run_dir / "tensorboard")
    assert [(event.step, event.value) for event in found.Scalars("x")] == [
        *((updates, 1.0) for updates in range(1, 5)),
        *((updates, 2.0) for updates in range(5, 10)),
    ]
    assert len(found.Tensors("config/text_summary")) == 1


def test_a_folder_whose_name_means_something_else_elsewhere(tmp_path):
    run = tmp_path / "$HOME ~"
    run.mkdir()
    logger = TensorBoard(str(run), {})
    logger.log_metrics({"x": 1.0}, 1)
    logger.finalize("success")
    assert list((run / "tensorboard").iterdir())


def test_nothing_logged_leaves_nothing(run_dir):
    TensorBoard(str(run_dir), {}).finalize("success")
    assert not (run_dir / "tensorboard").exists()


def test_a_time_out_of_range_is_refused(run_dir):
    with pytest.raises(UserError) as error:
        TensorBoard(str(run_dir), {}, flush_seconds=0)
    assert str(error.value) == "logger.tensorboard.flush_seconds=0 must be at least 1"
