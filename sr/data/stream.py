"""Endless batches of crops, cut in this process or by loader processes."""

import re
from collections.abc import Iterator
from multiprocessing import active_children
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from time import perf_counter
from typing import Literal

import torch
from torch.utils.data import DataLoader, Sampler

from sr.data.crops import Batch, CropBatches, Places, ResidentStore
from sr.data.processes import leave_stops_to_parent
from sr.types import UserError


class _From(Sampler[int]):
    """start, start + 1, … without end."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[int]:
        batch = self.start
        while True:
            yield batch
            batch += 1


class CropStream:
    """Endless batches from batch number ``start`` on, and the time that the consumer spent waiting for them.

    Args:
        batches: what to cut.
        device: where the batches are wanted.
        mode: ``device`` cuts them in this process (out of the device's own memory where that is not the CPU's),
            ``workers`` in loader processes.
        workers: number of loader processes.
        start: first batch number; set it before the first batch is taken.
    """

    def __init__(
        self, batches: CropBatches, device: torch.device, mode: Literal["device", "workers"], workers: int
    ) -> None:
        self.batches, self.device, self.mode, self.workers = batches, device, mode, workers
        self.start = 0
        self.waited = 0.0
        """Seconds spent waiting since the start."""

    def __iter__(self) -> Iterator[Batch]:
        made = self._cut_here() if self.mode == "device" else self._from_workers()
        while True:
            before = perf_counter()
            try:
                batch = next(made)
            except UserError as error:
                if self.mode == "device":
                    raise
                raise UserError(*_without_traceback("\n".join(error.args)).split("\n")) from None
            self.waited += perf_counter() - before
            yield batch

    def _cut_here(self) -> Iterator[Batch]:
        if self.device.type == "cpu":
            for number in _From(self.start):
                yield self.batches[number]
        plan, scale, crop = self.batches.plan, self.batches.plan.scale, self.batches.plan.crop
        hr = ResidentStore(self.batches.hr, self.device)
        lr = None if self.batches.lr is None else ResidentStore(self.batches.lr, self.device)
        for number in _From(self.start):
            samples = self.batches.samples(number)
            pictures, tops, lefts = plan.places(samples)
            yield Batch(
                None if lr is None else lr.cut(self.batches.twin(pictures), tops, lefts, crop),
                hr.cut(pictures, tops * scale, lefts * scale, crop * scale, scale),
                torch.from_numpy(samples),
                reference=self.batches.reference(Places(pictures, tops, lefts)),
            )

    def _from_workers(self) -> Iterator[Batch]:
        before = set(active_children())
        made = iter(self._loader())
        workers = [child for child in active_children() if child not in before]
        # Where something still holds the iterator at the end, Python would ask them to end, which they do not hear, and
        # wait for them for ever.
        Finalize(None, _kill, (workers,), exitpriority=0)
        yield from made

    def _loader(self) -> DataLoader[Batch]:
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=_From(self.start),
            num_workers=self.workers,
            # Else a seed for the workers, which draw nothing, is drawn from the global generator: once per sitting, so
            # that a run that was interrupted would draw other numbers afterwards.
            generator=torch.Generator(),
            pin_memory=self.device.type == "cuda",
            persistent_workers=True,
            worker_init_fn=_leave_signals_to_the_trainer,
        )


def _without_traceback(told: str) -> str:
    """What a loader process's error says after the traceback that PyTorch puts before it: every line of it."""
    # Lines of the traceback itself are indented, but for the headings of its parts.
    own = re.search(r"^sr\.errors\.UserError(?:: |\n)", told, flags=re.MULTILINE)
    return told if own is None else told[own.end() :].removesuffix("\n")


def _kill(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.kill()


def _leave_signals_to_the_trainer(worker: int) -> None:
    """Workers must live until the run is saved; PyTorch's loader makes them end with their parent."""
    leave_stops_to_parent(terminated=False)
