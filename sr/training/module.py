"""The training module: one generator, one objective, any number of adversaries, optimised by hand."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import nn
from torch.optim import Optimizer

from sr.data.crops import Batch
from sr.draws import Draws
from sr.losses.objective import Objective
from sr.training.adversary import Adversary
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.means import RunningMeans
from sr.training.precision import Compute
from sr.training.schedules import Schedule
from sr.training.stopwatch import Stopwatch
from sr.types import Crops, Image, LowResolution, UserError

OptimizerFactory = Callable[[Iterable[nn.Parameter]], Optimizer]


class Degrade(Protocol):
    """A degradation on the device: float32 [0, 1] high resolution to low resolution, drawn per sample."""

    def __call__(self, hr: Image, draws: Draws) -> LowResolution:
        """Make the low-resolution pictures."""


class Augment(Protocol):
    """Changes a batch of crops on the device, drawn per sample."""

    def __call__(self, crops: Crops, draws: Draws) -> Crops:
        """Give back the changed crops; ``seen`` is what the degradation gets where it is not the target."""


class SuperResolution(lightning.LightningModule):
    """Trains a generator, supervised or against adversaries.

    A step follows the order: pair, generator forward and backward, generator update, then each adversary on the
    same (detached) pictures. With ``accumulate`` above 1 an update takes that many batches. Nothing in a step
    waits for the device; logged values are summed there until `RunningMeans.take`.

    Args:
        network: the generator, low to high resolution, attribute ``scale``.
        objective: weighted loss terms.
        optimizer: makes the generator's optimiser from its parameters.
        schedule: factor on the base learning rates over the clock.
        degradation: makes LR pictures for batches that come without.
        augmentation: applied to each pair.
        clock: counts updates.
        compute: device, number format and memory layout.
        ema: average of the generator's weights, or None.
        adversaries: opponents of the generator.
        accumulate: batches per update.
        clip: largest norm of the generator's gradient, or None.
        seed: of augmentation and degradation.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        degradation: Degrade,
        augmentation: Augment,
        clock: Clock,
        compute: Compute,
        ema: Ema | None,
        adversaries: Sequence[Adversary] = (),
        accumulate: int = 1,
        clip: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if accumulate < 1:
            raise ValueError(f"trainer.accumulate={accumulate} must be at least 1")
        if clip is not None and clip <= 0:
            raise ValueError(f"trainer.clip={clip} must be positive, or null for no clipping")
        if not any(p.requires_grad for p in network.parameters()):
            name = type(network).__name__
            raise UserError(f"{name} has no weights to train; measure it with `sr evaluate` instead")
        self.automatic_optimization = False
        self.network = network
        self.objective = objective
        self.schedule = schedule
        self.degradation = degradation
        self.augmentation = augmentation
        self.clock = clock
        self.compute = compute
        self.ema = ema
        self.adversaries = tuple(adversaries)
        self.discriminators = nn.ModuleList([adversary.network for adversary in self.adversaries])
        self.accumulate = accumulate
        self.clip = clip
        self.seed = seed
        self.batches = 0
        """Batches seen by this process; with the seed, the place in the data."""
        self.samples = 0
        """Crops seen by all processes."""
        self.means = RunningMeans()
        self.stopwatch = Stopwatch()
        self.exit_reason: str | None = None
        """Why the run ended: max_updates, max_time, interrupted, no_improvement; None while it runs."""
        self._make_optimizer = optimizer
        if ema is not None:
            ema.start(network)

    @property
    def updates(self) -> int:
        """Generator updates so far: the run's clock."""
        return self.clock.updates

    @property
    def at_update(self) -> bool:
        """No gradient is pending, so the run may be saved here."""
        return self.batches % self.accumulate == 0

    @property
    def deliverable(self) -> nn.Module:
        """The network that is validated and exported: the averaged one where there is an average."""
        return self.network if self.ema is None else self.ema.averaged()

    def configure_optimizers(self) -> list[Optimizer]:
        """The generator's optimiser first, then one per adversary.

        Raises:
            UserError: an optimiser refuses its settings.
        """
        trainable = [p for p in self.network.parameters() if p.requires_grad]
        try:
            made = [self._make_optimizer(trainable)] + [a.optimizer() for a in self.adversaries]
        except ValueError as error:
            raise UserError(f"optimizer: {error}") from error
        for group in made[0].param_groups:
            group.setdefault("initial_lr", group["lr"])
        return made

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Pictures move where they become float; sample numbers stay on the CPU."""
        return batch

    def pair(self, batch: Batch) -> tuple[LowResolution, Image]:
        """Augmented (lr, hr), float32 [0, 1] on the device."""
        draws = Draws(self.seed, batch.samples.numpy())
        device = self.compute.device
        lr = None if batch.lr is None else batch.lr.to(device, non_blocking=True)
        crops = self.augmentation(Crops(lr, batch.hr.to(device, non_blocking=True)), draws)
        target = self.compute.to_image(crops.hr)
        if crops.lr is not None:
            return self.compute.to_image(crops.lr), target
        source = target if crops.seen is None else self.compute.to_image(crops.seen)
        with torch.no_grad():
            return self.degradation(source, draws), target

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch; an update of every network when the accumulation is complete."""
        lr, hr = self.pair(batch)
        self.batches += 1
        self.samples += len(batch.hr) * self.trainer.world_size
        optimizers = self._optimizers()
        with self._only(optimizers[0]):
            sr = self._generator_backward(lr, hr)
            if self.at_update:
                self._update_generator(optimizers[0])
        for adversary, optimizer in zip(self.adversaries, optimizers[1:], strict=True):
            with self._only(optimizer):
                self._adversary_backward(adversary, optimizer, sr.detach(), hr, lr)

    def _generator_backward(self, lr: LowResolution, hr: Image) -> Image:
        with self.compute.autocast():
            sr = self.network(lr)
        total, terms = self.objective(sr, hr, lr)
        for adversary in self.adversaries:
            loss = adversary.generator_loss(sr, hr, lr)
            terms[adversary.name] = loss
            total = total + loss
        self.manual_backward(total / self.accumulate if self.accumulate > 1 else total)
        self.means.add({"train/g/total": total} | {f"train/g/{name}": value for name, value in terms.items()})
        return sr

    def _update_generator(self, optimizer: LightningOptimizer) -> None:
        factor = self.schedule.factor(self.clock.updates, self.clock.progress)
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor
        if self.clip is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.clip)
        optimizer.step()
        optimizer.zero_grad()
        self.clock.updates += 1
        if self.ema is not None:
            self.ema.update(self.network)

    def _adversary_backward(
        self, adversary: Adversary, optimizer: LightningOptimizer, sr: Image, hr: Image, lr: LowResolution
    ) -> None:
        loss = adversary.discriminator_loss(sr, hr, lr)
        self.manual_backward(loss / self.accumulate)
        self.means.add({f"train/{adversary.name}/total": loss})
        if self.at_update:
            optimizer.step()
            optimizer.zero_grad()

    def _optimizers(self) -> list[LightningOptimizer]:
        made: Any = self.optimizers()
        return made if isinstance(made, list) else [made]

    def _only(self, optimizer: LightningOptimizer) -> AbstractContextManager[None]:
        """Freeze the other networks, and keep processes from exchanging gradients inside an accumulation."""
        if not self.adversaries and self.accumulate == 1:
            return nullcontext()
        return optimizer.toggle_model(sync_grad=self.at_update)

    def check_finite(self) -> None:
        """Make sure that the network is worth measuring and keeping; this waits for the device.

        Raises:
            UserError: a weight is infinite or not a number.
        """
        finite = torch.stack([weight.isfinite().all() for weight in self.network.parameters()])
        if not bool(finite.all()):
            raise UserError(
                f"a weight is infinite or not a number at update {self.updates}: training has exploded; "
                "lower optimizer.lr or set trainer.clip=1.0. The last checkpoint is kept"
            )

    @property
    def learning_rate(self) -> float:
        """Of the generator's first parameter group, at the last update."""
        return float(self._optimizers()[0].param_groups[0]["lr"])

    def trained_state(self) -> dict[str, Any]:
        """Everything of the run but RNGs and callbacks; plain values and tensors only."""
        return {
            "clock": self.clock.state_dict(),
            "batches": self.batches,
            "samples": self.samples,
            "network": self.network.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizers": [optimizer.optimizer.state_dict() for optimizer in self._optimizers()],
            "schedule": self.schedule.state_dict(),
            "means": self.means.state_dict(),
            "adversaries": [{"network": a.network.state_dict(), "policy": a.state_dict()} for a in self.adversaries],
        }

    def load_trained_state(self, state: dict[str, Any]) -> None:
        """Take back what `trained_state` gave; call it once optimisers exist.

        Raises:
            UserError: the state is of another network or another kind of optimiser.
        """
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise UserError(
                f"the checkpoint holds another network than {type(self.network).__name__}: "
                f"{str(error).splitlines()[1].strip()}"
            ) from error
        self.clock.load_state_dict(state["clock"])
        self.batches, self.samples = state["batches"], state["samples"]
        if self.ema is not None:
            self.ema.start(self.network)
            if state["ema"] is not None:
                self.ema.load_state_dict(state["ema"])
        for optimizer, saved in zip(self._optimizers(), state["optimizers"], strict=True):
            _load_optimizer(optimizer.optimizer, saved)
        if state["schedule"].keys() == self.schedule.state_dict().keys():  # another schedule begins afresh
            self.schedule.load_state_dict(state["schedule"])
        self.means.load_state_dict(state["means"], self.compute.device)
        for adversary, saved in zip(self.adversaries, state["adversaries"], strict=True):
            adversary.network.load_state_dict(saved["network"])
            adversary.load_state_dict(saved["policy"])


def _load_optimizer(optimizer: Optimizer, saved: dict[str, Any]) -> None:
    """Restore moments but keep the configured numbers, so that ``optimizer.lr=…`` works on resume."""
    kept = [{k: v for k, v in group.items() if k not in ("params", "lr")} for group in _with_initial(optimizer)]
    for new, old in zip(kept, saved["param_groups"], strict=True):
        if new.keys() != old.keys() - {"params", "lr"}:
            raise UserError(
                f"the checkpoint holds the moments of another optimiser than {type(optimizer).__name__}; "
                "leave the optimiser's kind as it was (its numbers may change)"
            )
    optimizer.load_state_dict(saved)
    for group, values in zip(optimizer.param_groups, kept, strict=True):
        group.update(values)


def _with_initial(optimizer: Optimizer) -> Iterator[dict[str, Any]]:
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        yield group
