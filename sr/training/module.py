"""The training module: one generator, one objective, any number of adversaries, optimised by hand."""

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from sr.data.crops import Batch
from sr.draws import Draws
from sr.losses.objective import Objective
from sr.losses.views import Views
from sr.models.outputs import PICTURE
from sr.models.scales import scale_of
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.agreement import check_something_learns, check_unpaired, one_g_every
from sr.training.adversary.turns import Turns
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.means import RunningMeans
from sr.training.optimisers import OptimizerFactory, make_optimizer
from sr.training.pairs import Augment, Degrade, Given, made_of, make_pair, reference_of
from sr.training.parts import Parts
from sr.training.precision import Compute
from sr.training.schedules import Schedule
from sr.training.steps import (
    log_losses,
    measures_of,
    only,
    optimizers_of,
    plain_optimizers,
    tell_updates,
    update,
)
from sr.training.stopwatch import Stopwatch
from sr.training.views import DEGRADED, derivations
from sr.training.watch import Alarm, checkerboard, colour_error
from sr.types import UserError


class _Attempt(NamedTuple):
    """What the generator has made of a batch, before the adversaries say what they think of it."""

    views: Views
    total: Tensor
    terms: dict[str, Tensor]
    weights: dict[str, float]
    colour: Tensor


class SuperResolution(lightning.LightningModule):
    """Trains a generator, supervised or against adversaries.

    A step follows the order: pair, generator forward and backward, generator update, then each adversary on the
    same (detached) pictures; an adversary of the order ``d_first`` has its turn between the generator's forward pass
    and its own opinion. With ``accumulate`` above 1 an update takes that many batches; with ``g_every`` of an
    adversary above 1, so many times more, of which the generator learns from the last. An update in which nothing
    that the generator minimises has a weight is the discriminators' alone, and counts. Nothing in a step waits for
    the device; logged values are summed there until `RunningMeans.take`.

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
        adversaries: opponents of the generator by name: none (supervised), ``d``, or several.
        accumulate: batches per update.
        clip: largest norm of the generator's gradient, or None.
        seed: of augmentation, degradation and what adversaries draw.
        threshold: a loss of the generator above it is noted as an explosion.
        parts: of the generator that learn otherwise than the rest; None for none.
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
        adversaries: Mapping[str, Adversary] | None = None,
        accumulate: int = 1,
        clip: float | None = None,
        seed: int = 0,
        threshold: float = math.inf,
        parts: Parts | None = None,
    ) -> None:
        super().__init__()
        if accumulate < 1:
            raise ValueError(f"trainer.accumulate={accumulate} must be at least 1")
        if clip is not None and clip <= 0:
            raise ValueError(f"trainer.clip={clip} must be positive, or null for no clipping")
        if not any(p.requires_grad for p in network.parameters()):
            name = type(network).__name__
            raise UserError(f"{name} has no weights to train; measure it with `sr evaluate` instead")
        check_something_learns(objective, adversaries or {})
        self.parts = parts or Parts()
        self.parts.check(network)
        self.automatic_optimization = False
        self.network = network
        self.objective = objective
        self.schedule = schedule
        self.degradation = degradation
        self.augmentation = augmentation
        self.clock = clock
        self.compute = compute
        self.ema = ema
        self.adversaries = dict(adversaries or {})
        self.discriminators = nn.ModuleDict({name: a.network for name, a in self.adversaries.items()})
        self.g_every = one_g_every(self.adversaries, accumulate)
        self.accumulate = accumulate
        self.clip = clip
        self.seed = seed
        self.threshold = threshold
        self.scale = scale_of(network)
        # See `sr.training.contract.Trainable` for what these are.
        self.rate = 1.0
        self.position = self.batches = self.samples = 0
        self.means, self.alarm, self.stopwatch = RunningMeans(), Alarm(), Stopwatch()
        self.rolled_back = False
        self.exit_reason: str | None = None
        self._make_optimizer = optimizer
        self._derivations = derivations(self.scale)
        self._turns = Turns(self)
        self.side_outputs: tuple[str, ...] = ()  # of the generator; terms may leave them out of a backward pass
        self._reference: Tensor | None = None  # of this batch
        self._seen: list[Tensor] = []  # losses of the batches of this update
        if ema is not None:
            ema.start(network)

    @property
    def updates(self) -> int:
        """Generator updates so far (and updates that were the discriminators' alone): the run's clock."""
        return self.clock.updates

    @property
    def at_update(self) -> bool:
        """No gradient is pending, so the run may be saved here."""
        return self.position == 0

    @property
    def deliverable(self) -> nn.Module:
        """The network that is validated and exported: the averaged one where there is an average."""
        return self.network if self.ema is None else self.ema.averaged()

    def configure_optimizers(self) -> list[Optimizer]:
        """The generator's optimiser first, then one per adversary.

        Raises:
            UserError: an optimiser refuses its settings.
        """
        made = [make_optimizer(self._make_optimizer, self.network, "optimizer", self.parts)]
        for name, adversary in self.adversaries.items():
            made.append(make_optimizer(adversary.optimizer, adversary.network, f"adversary.{name}.optimizer"))
        return made

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Pictures move where they become float; sample numbers stay on the CPU."""
        return batch

    def pair(self, batch: Batch) -> Given:
        """Augmented pictures, float32 [0, 1] on the device."""
        draws = Draws(self.seed, batch.samples.numpy())
        return make_pair(batch, draws, self.degradation, self.augmentation, self.compute)

    def views(self, given: Given, made: Mapping[str, Tensor], draws: Draws | None = None) -> Views:
        """All pictures of a batch by name: see `sr.losses.views` and `sr.training.views`.

        Args:
            given: to the step.
            made: by the generator.
            draws: of these samples, for ``degraded``; without, plain bicubic stands for it.
        """

        def degraded(picture: Tensor) -> Tensor:
            if draws is None:
                return self._derivations["lr"](picture)
            return self.degradation(picture, draws.within(DEGRADED))

        return Views({**made, **given.named()}, self._derivations | {DEGRADED: degraded})

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch; an update when the accumulation is complete."""
        self.rolled_back = False
        if batch.real is not None:
            check_unpaired(self.network, self.objective, self.adversaries)
        given = self.pair(batch)
        self._reference = reference_of(batch, self.network, self.compute)
        draws = Draws(self.seed, batch.samples.numpy())
        if self.at_update:
            tell_updates(self)
        if self.position % self.accumulate == 0:
            self._turns.begin()
            if self.at_update:
                self.parts.begin(self.network, plain_optimizers(self), self.updates, self.clock.progress)
        self.position = (self.position + 1) % (self.accumulate * self.g_every)
        self.batches += 1
        self.samples += len(given.lr) * self.trainer.world_size
        generator, *others = optimizers_of(self)
        opponents = dict(zip(self.adversaries, others, strict=True))
        early = {name: o for name, o in opponents.items() if self.adversaries[name].policy.order == "d_first"}
        attempt = None
        with only(self, generator, self.at_update):
            if self._generator_learns():
                attempt = self._attempt(given, draws)
                if not early:
                    self._generator_backward(attempt, draws, generator)
            views = self.views(given, self._fakes(given), draws) if attempt is None else attempt.views
        views = views.detached()
        self._discriminators_learn(early, views, draws)
        if attempt is not None and early:
            with only(self, generator, self.at_update):
                self._generator_backward(attempt, draws, generator)
        self._discriminators_learn({name: o for name, o in opponents.items() if name not in early}, views, draws)
        if self.at_update:
            self.clock.updates += 1

    def _generator_learns(self) -> bool:
        """Not at batches that are the discriminator's alone, nor in phases in which nothing has a weight."""
        position = (self.position - 1) % (self.accumulate * self.g_every)
        updates = self.clock.updates
        weights = [*self.objective.weights(updates).values(), *(a.weight(updates) for a in self.adversaries.values())]
        return position // self.accumulate == self.g_every - 1 and any(weights)

    def _fakes(self, given: Given) -> dict[str, Tensor]:
        with torch.no_grad(), self.compute.autocast():
            return made_of(self.network, given, self._reference)

    def _again(self, views: Views) -> Views:
        return views.replaced(self._fakes(Given(views["lr"], None, views.get("real"))))

    def _discriminators_learn(self, optimizers: Mapping[str, LightningOptimizer], views: Views, draws: Draws) -> None:
        complete = self.position % self.accumulate == 0
        for name, optimizer in optimizers.items():
            with only(self, optimizer, complete):
                self._turns.learn(name, optimizer, views, draws, complete, partial(self._again, views))

    def _attempt(self, given: Given, draws: Draws) -> _Attempt:
        updates = self.clock.updates
        with self.compute.autocast():
            views = self.views(given, made_of(self.network, given, self._reference), draws)
            total, terms, weights = self.objective(views, updates, draws.within("loss"))
        colour = colour_error(views[PICTURE], given.lr)
        self.alarm.note(updates + 1, "g", "output", [total, colour])
        return _Attempt(views, total, terms, weights, colour)

    def _generator_backward(self, attempt: _Attempt, draws: Draws, optimizer: LightningOptimizer) -> None:
        opinions, told, told_weights = self._turns.opinions(attempt.views, draws)
        total = sum(opinions, start=attempt.total)
        terms, weights = attempt.terms | told, attempt.weights | told_weights
        self.manual_backward(total / self.accumulate if self.accumulate > 1 else total)
        log_losses(self, total, terms, weights)
        self.means.add({"train/sr/colour_error": attempt.colour} | measures_of(self.network, "train/sr"))
        if self.scale > 1:
            self.means.add({"train/sr/checkerboard": checkerboard(attempt.views[PICTURE], self.scale)})
        self._seen = [*self._seen, total.detach()]
        if self.at_update:
            self._update_generator(optimizer)

    def _update_generator(self, optimizer: LightningOptimizer) -> None:
        losses = torch.stack(self._seen)
        self.alarm.note_total(self.clock.updates + 1, losses.max(), self.threshold)
        update(self, "g", optimizer, self.schedule, self.clip, losses)
        self._seen = []
        if self.ema is not None:
            self.ema.update(self.network)
