"""The small parts of training: clock, number formats, means, table, trackers, panels, early stop, memory."""

import contextlib
import csv
import math
import os
import socket
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn

from sr.devices import choose_device, native_bf16
from sr.training import clock as clock_module
from sr.training import precision, stopwatch
from sr.training.callbacks.stopping import EarlyStop
from sr.training.callbacks.validation import Validation
from sr.training.clock import Clock, parse_duration
from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.loggers.publishing import publish
from sr.training.keeping.loggers.wandb import Wandb
from sr.training.keeping.loggers.wandb_key import has_wandb_key
from sr.training.keeping.run_folder import RunFolder
from sr.training.means import RunningMeans
from sr.training.memory import bytes_kept_for_backward, check_batch_fits
from sr.training.module import SuperResolution
from sr.training.panels import strip
from sr.training.precision import Compute, choose_compute
from sr.training.stopwatch import Stopwatch
from sr.types import UserError

CPU = torch.device("cpu")


@pytest.fixture
def seconds(monkeypatch):
    """The clock's and the stopwatch's time: add to ``seconds[0]``."""
    now = [1000.0]
    monkeypatch.setattr(clock_module, "monotonic", lambda: now[0])
    monkeypatch.setattr(stopwatch, "perf_counter", lambda: now[0])
    return now


# ------------------------------------------------------------------------------------- clock


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("00:00:01", 1),
        ("00:04:30", 270),
        ("0:4:30", 270),
        ("100:00:00", 360_000),
        ("01:00:00:00", 86_400),
        ("2:03:04:05", 2 * 86_400 + 3 * 3600 + 4 * 60 + 5),
    ],
)
def test_durations(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["5min", "30", "4:30", "", "-00:05:00", "00:05:00 ", "1:2:3:4:5", "00:05:00.5", "00:005:00"]
)
def test_other_durations_are_refused_with_an_example(text):
    with pytest.raises(UserError) as error:
        parse_duration(text)
    assert f"={text} is not HH:MM:SS; five minutes are trainer.max_time=00:05:00" in str(error.value)


def test_a_duration_that_a_yaml_file_turned_into_seconds():
    with pytest.raises(UserError, match=r"=5400 is not HH:MM:SS; .* \(in a file, in quotes\)$"):
        parse_duration(str(OmegaConf.create("max_time: 1:30:00").max_time))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ((None, None), "a run needs an end: set trainer.max_updates=N, trainer.max_time=HH:MM:SS, or both"),
        ((0, None), "trainer.max_updates=0 must be at least 1"),
        ((-5, 60), "trainer.max_updates=-5 must be at least 1"),
        ((None, 0), "trainer.max_time must be longer than 00:00:00"),
    ],
)
def test_a_clock_needs_an_end(limits, message):
    with pytest.raises(UserError) as error:
        Clock(*limits)
    assert str(error.value) == message


def test_progress_follows_the_limit_that_comes_first(seconds):
    clock = Clock(200, 100)
    clock.start()
    clock.updates = 50
    assert clock.progress == 0.25
    seconds[0] += 40
    assert clock.elapsed == 40
    assert clock.progress == pytest.approx(0.4)
    clock.updates = 120
    assert clock.progress == pytest.approx(0.6)
    assert clock.reached() is None
    seconds[0] += 60
    assert clock.progress == 1
    assert clock.reached() == "max_time"
    clock.updates = 200
    assert clock.reached() == "max_updates"
    clock.updates, seconds[0] = 900, 9000
    assert clock.progress == 1, "never beyond the end"


def test_a_clock_without_one_of_the_limits(seconds):
    by_time, by_updates = Clock(None, 100), Clock(10, None)
    by_time.updates = by_updates.updates = 10
    assert (by_time.progress, by_time.reached()) == (0, None)
    assert (by_updates.progress, by_updates.reached()) == (1, "max_updates")


def test_seconds_add_up_over_sittings(seconds):
    first = Clock(100, 60)
    assert first.elapsed == 0, "it has not started"
    first.start()
    seconds[0] += 25
    first.updates = 7
    state = first.state_dict()
    assert state == {"updates": 7, "elapsed": 25}
    seconds[0] += 5000  # a night
    second = Clock(100, 60)
    second.load_state_dict(state)
    assert (second.updates, second.elapsed) == (7, 25)
    second.start()
    seconds[0] += 35
    assert second.elapsed == 60
    assert second.reached() == "max_time"


def test_the_stopwatch_leaves_pauses_out(seconds):
    watch = Stopwatch()
    assert watch.seconds == 0
    watch.start()
    seconds[0] += 3
    with watch.paused():
        seconds[0] += 100
    seconds[0] += 2
    assert watch.seconds == 5
    with contextlib.suppress(KeyError), watch.paused():
        seconds[0] += 50
        raise KeyError
    assert watch.seconds == 5, "a pause ends with its exception"
    watch.start()
    seconds[0] += 1
    assert watch.seconds == 1


# ------------------------------------------------------------------------------------- number format and device


@pytest.mark.parametrize(
    ("native", "setting", "layout", "expected"),
    [
        (True, "auto", "auto", (True, True)),
        (False, "auto", "auto", (False, False)),
        (True, "32", "auto", (False, False)),
        (False, "bf16", "auto", (True, True)),
        (True, "auto", "off", (True, False)),
        (False, "auto", "on", (False, True)),
    ],
)
def test_number_format_follows_the_hardware_unless_told(monkeypatch, native, setting, layout, expected):
    monkeypatch.setattr(precision, "native_bf16", lambda device: native)
    compute = choose_compute(CPU, setting, layout)
    assert (compute.bf16, compute.channels_last) == expected
    assert compute.reason.startswith("bf16 autocast" if expected[0] else "float32")
    assert ("channels_last" if expected[1] else "contiguous") in compute.reason
    why = f"bf16 is {'' if native else 'not '}native here" if setting == "auto" else f"precision={setting}"
    assert compute.reason.endswith(f"({why})")


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ({"avx512_bf16": True}, True),
        ({"amx_bf16": True}, True),
        ({"avx2": True, "avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_native_bf16_of_a_processor(monkeypatch, capabilities, expected):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert native_bf16(CPU) is expected


def test_what_compute_promises():
    image = torch.full((1, 3, 4, 4), 255, dtype=torch.uint8)
    network = nn.Conv2d(3, 3, 1)
    for bf16, layout in [(True, torch.channels_last), (False, torch.contiguous_format)]:
        compute = Compute(CPU, bf16, bf16, "")
        made = compute.to_image(image)
        assert made.dtype == torch.float32
        assert made.is_contiguous(memory_format=layout)
        assert (made == 1).all()
        with compute.autocast():
            assert compute.place(network)(made).dtype == (torch.bfloat16 if bf16 else torch.float32)
        with compute.autocast(), compute.exact():
            assert network(made).dtype == torch.float32


@pytest.mark.parametrize(
    ("cuda", "mps", "asked", "expected"),
    [
        (False, False, "auto", "cpu"),
        (True, False, "auto", "cuda"),
        (False, True, "auto", "mps"),
        (True, True, "cpu", "cpu"),
        (True, True, "mps", "mps"),
        (True, True, "gpu", "cuda"),
    ],
)
def test_device(monkeypatch, cuda, mps, asked, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device(asked, "trainer.accelerator=").type == expected


@pytest.mark.parametrize("asked", ["gpu", "mps"])
def test_a_missing_device_is_not_replaced(monkeypatch, asked):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match=f"trainer.accelerator={asked}: PyTorch sees no such device; take cpu or auto"):
        choose_device(asked, "trainer.accelerator=")


# ------------------------------------------------------------------------------------- means


def test_means_since_the_last_reading():
    means = RunningMeans()
    assert means.take() == {}
    means.add({"a": torch.tensor(1.0), "b": torch.tensor(10.0, dtype=torch.float64)})
    means.add({"a": torch.tensor(2.0, dtype=torch.bfloat16)})
    assert means.take() == {"a": 1.5, "b": 10}
    assert means.take() == {}
    means.add({"a": torch.tensor(7.0)})
    assert means.take() == {"a": 7}


def test_means_hold_no_graph_and_no_alias():
    means = RunningMeans()
    value = torch.tensor(3.0, requires_grad=True)
    means.add({"a": value * 2})
    held = torch.tensor(1.0)
    means.add({"b": held})
    held += 100  # the caller goes on to use its own tensor
    assert not means.state_dict()["sums"]["a"].requires_grad
    assert means.take() == {"a": 6, "b": 1}


def test_means_go_on_from_their_state():
    first, second = RunningMeans(), RunningMeans()
    first.add({"a": torch.tensor(1.0)})
    state = first.state_dict()
    first.add({"a": torch.tensor(5.0)})  # must not reach into the state
    second.load_state_dict(state, CPU)
    second.add({"a": torch.tensor(2.0)})
    assert second.take() == {"a": 1.5}
    assert first.take() == {"a": 3}


def test_a_mean_of_nan_is_nan():
    means = RunningMeans()
    means.add({"a": torch.tensor(math.nan)})
    means.add({"a": torch.tensor(1.0)})
    assert math.isnan(means.take()["a"])


# ------------------------------------------------------------------------------------- table


def table(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_updates_come_first_and_columns_grow(tmp_path):
    log = CsvLog(tmp_path / "run" / "metrics.csv")
    log.log_metrics({"b": 1.0, "a": 0.123456789}, step=2)
    log.log_metrics({"a": 4.0}, step=3)
    assert table(log.path) == [["updates", "b", "a"], ["2", "1", "0.12345679"], ["3", "", "4"]]
    log.log_metrics({"val/psnr_y": 30.0}, step=3)  # the same update, another callback
    log.log_metrics({"a": 5.0, "b": 6.0}, step=4)
    assert table(log.path) == [
        ["updates", "b", "a", "val/psnr_y"],
        ["2", "1", "0.12345679", ""],
        ["3", "", "4", "30"],
        ["4", "6", "5", ""],
    ]


def test_every_row_is_on_disk_at_once(tmp_path):
    log = CsvLog(tmp_path / "metrics.csv")
    for updates in range(1, 6):
        log.log_metrics({"a": updates / 2}, step=updates)
        assert table(log.path)[-1] == [str(updates), f"{updates / 2:g}"]
        assert len(table(log.path)) == updates + 1


def test_update_zero_is_a_row_of_its_own(tmp_path):
    log = CsvLog(tmp_path / "metrics.csv")
    log.log_metrics({"a": 1.0}, step=0)
    log.log_metrics({"a": 2.0}, step=1)
    assert [row[0] for row in table(log.path)] == ["updates", "0", "1"]


def test_resuming_cuts_what_came_later(tmp_path):
    first = CsvLog(tmp_path / "metrics.csv")
    for updates in (2, 4, 6, 10):
        first.log_metrics({"a": float(updates)}, step=updates)
    with first.path.open("a") as file:
        file.write("1")  # a power cut in the middle of row 12
    second = CsvLog(tmp_path / "metrics.csv")
    second.resume_from(5)
    assert table(second.path) == [["updates", "a"], ["2", "2"], ["4", "4"]]
    second.log_metrics({"a": 60.0, "new": 1.0}, step=6)
    assert table(second.path) == [["updates", "a", "new"], ["2", "2", ""], ["4", "4", ""], ["6", "60", "1"]]


@pytest.mark.parametrize("content", [None, ""])
def test_resuming_without_a_table_begins_one(tmp_path, content):
    log = CsvLog(tmp_path / "metrics.csv")
    if content is not None:
        log.path.write_text(content)
    log.resume_from(5)
    log.log_metrics({"a": 1.0}, step=6)
    assert table(log.path) == [["updates", "a"], ["6", "1"]]


def test_publish_hands_updates_to_every_logger(tmp_path):
    logs = [CsvLog(tmp_path / f"{name}.csv") for name in "ab"]
    publish(SimpleNamespace(loggers=logs), {"x": 1.0}, 17)
    assert all(table(log.path) == [["updates", "x"], ["17", "1"]] for log in logs)


# ------------------------------------------------------------------------------------- Weights & Biases


@pytest.fixture
def no_wandb(monkeypatch, tmp_path):
    """A user who never heard of W&B: an empty home folder, no variables."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("WANDB_MODE", "WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_IDENTITY_TOKEN_FILE", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    for name, folder in [("HOME", ""), ("USERPROFILE", ""), ("WANDB_CONFIG_DIR", "c"), ("WANDB_CACHE_DIR", "d")]:
        monkeypatch.setenv(name, str(home / folder))
    return home


def test_no_key(no_wandb):
    assert not has_wandb_key()


def test_a_key_in_the_environment(no_wandb, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "")
    assert not has_wandb_key()
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert has_wandb_key()


ENTRY = "machine {} login user password secret\n"


@pytest.mark.parametrize("place", [".netrc", "_netrc", "elsewhere/mine"])
def test_a_key_in_a_netrc_file(no_wandb, monkeypatch, place):
    path = no_wandb / place
    path.parent.mkdir(exist_ok=True)
    if place.startswith("elsewhere"):
        monkeypatch.setenv("NETRC", f"~/{place}")
    path.write_text(ENTRY.format("github.com"))
    assert not has_wandb_key()
    path.write_text(ENTRY.format("github.com") + ENTRY.format("api.wandb.ai"))
    assert has_wandb_key()
    path.write_text("machine api.wandb.ai login user\n")
    assert not has_wandb_key(), "an entry without a key"
    path.write_bytes(b"machine \xff\xfe what is this")
    assert not has_wandb_key()


@pytest.mark.parametrize("url", ["http://wandb.local:8080", "https://wandb.local:8080/"])
def test_a_server_of_ones_own(no_wandb, monkeypatch, url):
    (no_wandb / ".netrc").write_text(ENTRY.format("api.wandb.ai"))
    monkeypatch.setenv("WANDB_BASE_URL", url)
    assert not has_wandb_key(), "the key is of another server"
    (no_wandb / ".netrc").write_text(ENTRY.format("wandb.local:8080"))
    assert has_wandb_key()


@pytest.mark.parametrize(
    ("mode", "variable", "message"),
    [
        ("online", None, "logger.wandb.mode=online needs a key: run `wandb login` first"),
        ("auto", "online", "WANDB_MODE=online needs a key"),
        ("auto", "ofline", "WANDB_MODE=ofline is not one of online, offline, disabled"),
    ],
)
def test_a_tracker_that_would_ask_is_refused(no_wandb, monkeypatch, tmp_path, mode, variable, message):
    if variable:
        monkeypatch.setenv("WANDB_MODE", variable)
    with pytest.raises(UserError) as error:
        Wandb(str(tmp_path), {}, mode=mode)
    assert str(error.value).startswith(message)


@pytest.mark.slow
def test_offline_tracking_needs_nobody(no_wandb, monkeypatch, tmp_path):
    def refused(self, address):
        host = address[0] if isinstance(address, tuple) else address
        assert not isinstance(address, tuple) or host in ("127.0.0.1", "::1", "localhost"), f"called {host}"
        return connect(self, address)

    def asked(*_):
        raise AssertionError("asked a question")

    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr("builtins.input", asked)
    run_dir = tmp_path / "my_run"
    run_dir.mkdir()
    logger = Wandb(str(run_dir), {"scale": 2})
    assert logger.mode == "offline"
    logger.log_metrics({"train/g/total": 0.5}, step=10)
    logger.log_pictures({"00_a": np.zeros((8, 8, 3), np.uint8)}, 10)
    logger.finalize("success")
    (offline,) = (run_dir / "wandb").glob("offline-run-*")
    assert next(offline.glob("*.wandb")).stat().st_size > 0
    assert list(offline.rglob("*.png"))
    first = logger.version
    again = Wandb(str(run_dir), {"scale": 2})  # a resumed run is the same run in W&B
    again.finalize("success")
    assert again.version == first == (run_dir / "wandb_id.txt").read_text().strip()


# ------------------------------------------------------------------------------------- panels


def picture(height, width, value):
    return np.full((height, width, 3), value, np.uint8)


def test_a_strip_shows_four_views_side_by_side():
    bicubic, sr, hr = picture(30, 40, 10), picture(30, 40, 100), picture(30, 40, 120)
    sr[5, 6] = (100, 100, 10)
    shown = strip(bicubic, sr, hr)
    caption = shown.shape[0] - 30
    assert shown.shape == (30 + caption, 4 * 40, 3)
    assert shown.dtype == np.uint8
    assert caption > 8
    assert shown[:caption].any(), "the captions are written"
    views = np.split(shown[caption:], 4, axis=1)
    for view, expected in zip(views, (bicubic, sr, hr), strict=False):
        assert np.array_equal(view, expected)
    # |100 - 120| * 4 = 80, and where a channel is off by 110, 440 is clipped.
    assert views[3][0, 0].tolist() == [80, 80, 80]
    assert views[3][5, 6].tolist() == [255, 255, 255]


def test_a_strip_of_a_large_picture_shows_its_middle():
    hr = picture(101, 60, 0)
    hr[50, 30] = 255
    shown = strip(hr, hr, hr, side=21)
    view = shown[-21:, :21]
    assert shown.shape[1] == 4 * 21
    assert view[10, 30 - (60 - 21) // 2].tolist() == [255, 255, 255]
    assert view.sum() == 3 * 255
    assert not shown[-21:, 63:].any(), "no error anywhere"


@pytest.mark.parametrize("width", [1, 5])
def test_a_strip_of_a_narrow_picture(width):
    assert strip(*[picture(3, width, 9)] * 3).shape[1] == 4 * width


# ------------------------------------------------------------------------------------- early stop


class Run:
    """What `EarlyStop` sees of a run, without a run."""

    def __init__(self, tmp_path, patience, min_updates=0, every=10, position=0):
        self.validation = Validation(every, "psnr_y", RunFolder(tmp_path))
        self.stop = EarlyStop(patience, min_updates)
        self.trainer = SimpleNamespace(
            callbacks=[self.stop, self.validation],
            should_stop=False,
            datamodule=SimpleNamespace(sets={"": [object()]}, shown_pictures=[]),
        )
        self.module = SuperResolution.__new__(SuperResolution)
        nn.Module.__init__(self.module)
        self.module.clock = Clock(10**6, None)
        self.module.exit_reason = None
        self.module.position = position
        self.module.rolled_back = False

    def train(self, values):
        """The number of updates after which the run stops, given the metric at each validation; None if never."""
        self.stop.on_train_start(self.trainer, self.module)
        for number, value in enumerate(values, 1):
            for updates in range((number - 1) * self.validation.every + 1, number * self.validation.every + 1):
                self.module.clock.updates = updates
                if updates % self.validation.every == 0:
                    before = self.validation.latest.get("psnr_y")
                    self.validation.latest = {"psnr_y": value}
                    self.validation.validated_at = updates
                    self.validation._remember(before)
                self.stop.on_train_batch_end(self.trainer, self.module, None, None, 0)
                if self.trainer.should_stop:
                    return updates
        return None


@pytest.mark.parametrize(
    ("patience", "min_updates", "values", "expected"),
    [
        (2, 0, [1, 2, 3, 4, 5], None),
        (2, 0, [5, 4, 3, 4], 30),  # best at 10, then two validations without improvement
        (2, 0, [5, 4, 6, 4, 3, 9], 50),
        (2, 0, [5, 4, 5], 30),  # equal is no improvement
        (1, 0, [5, 5, 5, 4], 40),  # the very same: only the discriminator has learned in between
        (2, 45, [5, 4, 3, 4, 3, 4], 50),
        (3, 0, [5, 4, 3], None),
    ],
)
def test_early_stop(tmp_path, patience, min_updates, values, expected):
    run = Run(tmp_path, patience, min_updates)
    assert run.train([float(v) for v in values]) == expected
    assert run.module.exit_reason == (None if expected is None else "no_improvement")


def test_early_stop_never_inside_an_accumulation(tmp_path):
    run = Run(tmp_path, 1, position=1)
    assert run.train([5.0, 4.0, 3.0]) is None


def test_early_stop_refuses_nonsense(tmp_path):
    with pytest.raises(UserError, match=r"patience=0 must be at least 1 \(validations\)"):
        EarlyStop(0)
    run = Run(tmp_path, 1)
    run.trainer.datamodule.sets = {}
    with pytest.raises(UserError, match="early_stop watches the validation, and there is none"):
        run.train([1.0])


def test_early_stop_watches_pictures_without_a_truth_too(tmp_path):
    run = Run(tmp_path, 1)
    run.trainer.datamodule = SimpleNamespace(sets={}, shown_pictures=[object()])
    assert run.train([5.0, 4.0, 3.0]) == 20


# ------------------------------------------------------------------------------------- memory


class OneConvolution(nn.Module):
    """Keeps, in float32, its input and nothing else for the backward pass; the rest is its output."""

    scale = 1

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding=1)
        self.sizes = []

    def forward(self, lr):
        self.sizes.append(tuple(lr.shape))
        return self.conv(lr)


FLOAT32, BFLOAT16 = Compute(CPU, False, False, ""), Compute(CPU, True, False, "")


@pytest.mark.parametrize("batch", [1, 5])
def test_kept_bytes_of_one_convolution(batch):
    lr = torch.zeros(batch, 3, 20, 30)
    pixels = batch * 20 * 30
    # Exactly: the input (3 channels) and the output (8), 4 bytes each. The weight is not counted: it is there anyway.
    assert bytes_kept_for_backward(OneConvolution(), lr, FLOAT32) == pixels * (3 + 8) * 4


def test_kept_bytes_count_a_tensor_once():
    class Square(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))

        def forward(self, lr):
            x = lr * self.weight  # saves lr
            return x * x  # saves x, twice

    lr = torch.zeros(1, 3, 10, 10)
    assert bytes_kept_for_backward(Square(), lr, FLOAT32) == 3 * lr.nbytes  # lr, x, the result


def memory_of(monkeypatch, free):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))


def fits(network, shape, compute):
    try:
        check_batch_fits(network, shape, compute)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize("batch", [1, 4, 1000])
@pytest.mark.parametrize("side", [16, 300])
def test_the_limit_lies_where_counting_says(monkeypatch, batch, side):
    # Per pixel: what the convolution keeps (11 values), and lr, hr, sr and sr's gradient (3 each at scale 1).
    needed = batch * side * side * 4 * (11 + 12)
    memory_of(monkeypatch, needed)
    assert fits(OneConvolution(), (batch, 3, side, side), FLOAT32) is None
    memory_of(monkeypatch, needed - 1)
    assert fits(OneConvolution(), (batch, 3, side, side), FLOAT32) is not None


@pytest.mark.parametrize("batch", [1, 1000])
def test_weights_in_another_format_count_once_and_not_per_crop(monkeypatch, batch):
    network = OneConvolution()
    network.conv = nn.Conv2d(3, 8, 31, padding=15)
    # bfloat16: the input's copy and the output take 2 bytes per value; the weight's copy is the same for any batch:
    # here it is most of what a batch of 1 needs. The 1 % are for biases and rounded storages.
    needed = batch * 16 * 16 * (2 * 11 + 4 * 12) + 2 * network.conv.weight.numel()
    memory_of(monkeypatch, needed * 1.01)
    assert fits(network, (batch, 3, 16, 16), BFLOAT16) is None
    memory_of(monkeypatch, needed * 0.99)
    assert fits(network, (batch, 3, 16, 16), BFLOAT16) is not None


def test_a_batch_that_does_not_fit_names_one_that_does(monkeypatch):
    memory_of(monkeypatch, 2**30)
    text = fits(OneConvolution(), (10**6, 3, 32, 32), FLOAT32)
    # 32 * 32 * 4 * 23 bytes are 92 KiB; 0.8 GiB hold 9118.05 of them.
    assert text == (
        "a batch of 1000000 crops of 32x32 needs about 87.7 GiB and 1.0 GiB are free: take data.batch_size=9118 or "
        "less, or a smaller data.crop; trainer.accumulate=110 keeps the update the same"
    )
    assert fits(OneConvolution(), (9118, 3, 32, 32), FLOAT32) is None


def test_a_crop_that_is_too_large_alone_names_one_that_fits(monkeypatch):
    memory_of(monkeypatch, 2**30)
    text = fits(OneConvolution(), (1, 3, 5000, 5000), FLOAT32)
    # 0.8 GiB / (4 * 23 bytes) is 9,336,806 pixels, the square of 3055.6.
    assert text == (
        "one crop of 5000x5000 alone needs about 2.1 GiB and 1.0 GiB are free: take a smaller data.crop, 3055 at most"
    )
    assert fits(OneConvolution(), (1, 3, 3055, 3055), FLOAT32) is None


def test_measuring_takes_little_memory_itself_and_leaves_no_trace(monkeypatch):
    memory_of(monkeypatch, 2**40)
    network = OneConvolution()
    network.norm = nn.BatchNorm2d(8)
    network.forward = lambda lr: (network.sizes.append(tuple(lr.shape)), network.norm(network.conv(lr)))[1]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    check_batch_fits(network, (64, 3, 4000, 48), FLOAT32)
    assert max(math.prod(size) for size in network.sizes) <= 2 * 3 * 64 * 64
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_threads_sleep_only_beside_busy_programs(monkeypatch):
    from sr.verbs.train.threads import wait_passively_if_busy

    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 10.0)
    assert wait_passively_if_busy() is None
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval: 60.0)
    assert "other programs use 60 % of the CPU" in wait_passively_if_busy()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    assert wait_passively_if_busy() is None
