"""Another training module, with two generators, under the very same callbacks: `sr.training.contract` is enough."""

import csv
import math
import signal
from typing import ClassVar

import lightning
import torch
from torch import nn

from sr.data.crops import Batch
from sr.draws import Draws
from sr.losses.objective import Objective, Term
from sr.losses.pixel import L1
from sr.losses.views import Views
from sr.training.adversary.replay import ImagePool
from sr.training.adversary.shows import Shows
from sr.training.adversary.turns import Turns
from sr.training.callbacks.clocked import UpdateCallback
from sr.training.callbacks.guard import Guard
from sr.training.callbacks.logging import TrainingLog
from sr.training.callbacks.saving import Saving
from sr.training.callbacks.stopping import Stopping
from sr.training.callbacks.validation import Validation
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.fitting import fit, make_trainer
from sr.training.keeping.bundle import read_bundle
from sr.training.keeping.checkpoint import read_checkpoint
from sr.training.keeping.loggers.csv import CsvLog
from sr.training.keeping.run_folder import RunFolder
from sr.training.means import RunningMeans
from sr.training.optimisers import make_optimizer
from sr.training.parts import Parts
from sr.training.precision import choose_compute
from sr.training.schedules import Cosine
from sr.training.signals import Signals
from sr.training.steps import log_losses, only, optimizers_of, update
from sr.training.stopwatch import Stopwatch
from sr.training.watch import Alarm
from tests import opponents
from tests.opponents import opponent

TIMED = ("train/updates_per_second", "train/pictures_per_second", "train/waiting_share", "train/seconds")


class Both(nn.Module):
    """Two generators as one network, which is saved as a whole."""

    def __init__(self, scale):
        super().__init__()
        torch.manual_seed(3)
        self.scale = scale
        self.to_b, self.to_a = (nn.Conv2d(3, 3, 3, padding=1) for _ in range(2))


class Translation(lightning.LightningModule):
    """The least that trains two generators there and back; nothing in it knows of callbacks, folders or files."""

    def __init__(self, updates):
        super().__init__()
        self.automatic_optimization = False
        self.network = Both(1)
        self.objective = Objective({"cycle": Term(2.0, L1(), "a_again,a"), "identity": Term(1.0, L1(), "same_b,b")})
        self.schedule, self.clock, self.ema = Cosine(final=0.1, warmup=2), Clock(updates, None), Ema(0.9)
        self.ema.start(self.network)
        self.adversaries = {
            "d_a": opponent(shows=Shows(1, views="fake_a,a"), replay=ImagePool(3)),
            "d_b": opponent(shows=Shows(1, views="fake_b,b")),
        }
        self.discriminators = nn.ModuleDict({name: a.network for name, a in self.adversaries.items()})
        self.compute = choose_compute(torch.device("cpu"), "32", "off")
        self.accumulate = self.g_every = 1
        self.parts = Parts()
        self.position = self.batches = self.samples = 0
        self.rate, self.rolled_back, self.exit_reason = 1.0, False, None
        self.means, self.alarm, self.stopwatch = RunningMeans(), Alarm(), Stopwatch()
        self.turns = Turns(self)

    @property
    def updates(self):
        return self.clock.updates

    @property
    def at_update(self):
        return self.position == 0

    @property
    def deliverable(self):
        return self.ema.averaged()

    def configure_optimizers(self):
        networks = [(opponents.adam, self.network), *((a.optimizer, a.network) for a in self.adversaries.values())]
        return [make_optimizer(factory, network, "optimizer") for factory, network in networks]

    def transfer_batch_to_device(self, batch, device, dataloader_idx):
        return batch

    def training_step(self, batch, batch_idx):
        self.rolled_back = False
        draws = Draws(0, batch.samples.numpy())
        self.turns.begin()
        self.batches += 1
        self.samples += len(batch.hr)
        generators, *others = optimizers_of(self)
        with only(self, generators, True):
            views = self.views(batch)
            total, terms, weights = self.objective(views, self.updates, draws)
            self.alarm.note(self.updates + 1, "g", "output", [total])
            opinions, more_terms, more_weights = self.turns.opinions(views, draws)
            total = sum(opinions, start=total)
            self.manual_backward(total)
            log_losses(self, total, terms | more_terms, weights | more_weights)
            self.alarm.note_total(self.updates + 1, total, math.inf)
            update(self, "g", generators, self.schedule, None, total)
            self.ema.update(self.network)
        views = views.detached()
        for name, optimizer in zip(self.adversaries, others, strict=True):
            with only(self, optimizer, True):
                self.turns.learn(name, optimizer, views, draws, True, lambda: views)
        self.clock.updates += 1

    def views(self, batch):
        a, b = self.compute.to_image(batch.hr), self.compute.to_image(batch.real)
        fake_b, fake_a = self.network.to_b(a), self.network.to_a(b)
        made = {
            "fake_a": fake_a,
            "fake_b": fake_b,
            "a_again": self.network.to_a(fake_b),
            "same_b": self.network.to_b(b),
        }
        return Views({"a": a, "b": b, **made}, {})


class Stream:
    """Unpaired pictures without end, from batch number ``start`` on."""

    waited = 0.0

    def __init__(self, poisoned):
        self.batches, self.start, self.poisoned = self, 0, poisoned

    def __getitem__(self, number):
        generator = torch.Generator().manual_seed(number)
        a, b = (torch.randint(0, 256, (2, 3, 16, 16), generator=generator, dtype=torch.uint8) for _ in range(2))
        return Batch(None, a.float() * math.nan if number == self.poisoned else a, torch.arange(2) + 2 * number, b)

    def __iter__(self):
        number = self.start
        while True:
            yield self[number]
            number += 1


class Pictures(lightning.LightningDataModule):
    sets: ClassVar = {}
    shown_pictures = ()

    def __init__(self, poisoned):
        super().__init__()
        self.stream = Stream(poisoned)

    def train_dataloader(self):
        return self.stream


class Interrupted(UpdateCallback):
    """Ctrl-C after so many updates."""

    def __init__(self, stopping, at):
        self.stopping, self.at = stopping, at

    def after_update(self, trainer, module):
        if module.updates == self.at:
            self.stopping._signals.received = signal.SIGINT


def run(path, updates, resume=None, poisoned=None, stop_at=None):
    torch.manual_seed(0)
    module, folder, said = Translation(updates), RunFolder(path), []
    guard = Guard(True, math.inf, 0.5, 3, (2,), folder, {"any": "thing"}, False, said.append)
    validation = Validation(4, "psnr_y", folder)
    model = {"_target_": f"{Both.__module__}.Both", "scale": 1}
    state = None if resume is None else read_checkpoint(resume.checkpoint)
    saving = Saving(2, folder, {"any": "thing"}, model, validation, guard, state)
    stopping = Stopping(Signals())
    callbacks = [guard, validation, TrainingLog(1), saving, Interrupted(stopping, stop_at), stopping]
    fit(make_trainer(module.compute, callbacks, [CsvLog(folder.metrics)]), module, Pictures(poisoned))
    return module, folder, said


def leaves(value, name=""):
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return {k: v for key, child in items for k, v in leaves(child, f"{name}/{key}").items()}
    return {name: value}


def assert_same_states(first, second):
    one, two = (leaves(read_checkpoint(folder.checkpoint)) for folder in (first, second))
    assert one.keys() == two.keys()
    for name, value in one.items():
        same = torch.equal(value, two[name]) if isinstance(value, torch.Tensor) else value == two[name]
        assert same or name.endswith("elapsed") or "/random/python" in name, name


def test_it_stops_resumes_bit_for_bit_and_logs(tmp_path):
    module, whole, _ = run(tmp_path / "whole", 8)
    _, parts, _ = run(tmp_path / "parts", 8, stop_at=4)
    assert read_checkpoint(parts.checkpoint)["trained"]["clock"]["updates"] == 4
    again, *_ = run(tmp_path / "parts", 8, resume=parts)
    assert module.exit_reason == again.exit_reason == "max_updates"
    assert_same_states(whole, parts)
    rows = []
    for folder in (whole, parts):
        with folder.metrics.open() as file:
            rows.append([{k: v for k, v in row.items() if k not in TIMED} for row in csv.DictReader(file)])
    assert rows[0] == rows[1]
    assert [row["updates"] for row in rows[0]] == [str(n) for n in range(1, 9)]
    for column in ("train/g/cycle_weighted", "train/g/gan_a", "train/d_b/total", "train/d_a/lr"):
        assert column in rows[0][0]
    assert whole.last.is_file()


def test_an_explosion_is_undone_and_leaves_a_bundle(tmp_path):
    module, folder, said = run(tmp_path / "run", 6, poisoned=3)
    assert module.updates == 6
    assert module.rate == 0.5
    assert "a loss or a gradient is infinite or not a number; back to update 2" in said[0]
    (path,) = folder.bugs.glob("*.bug")
    bundle = read_bundle(path)
    assert [batch.samples.tolist() for batch in bundle.batches] == [[4, 5], [6, 7]]
    assert all(batch.real.shape == (2, 3, 16, 16) for batch in bundle.batches)
    assert all(parameter.isfinite().all() for parameter in module.parameters())
