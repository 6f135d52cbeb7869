"""The training module: one generator, one objective, any number of adversaries, optimised by hand."""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import lightning
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.optim import Optimizer

from sr.data.crops import Batch
from sr.draws import Draws
from sr.losses.objective import Objective
from sr.losses.views import Views
from sr.models.outputs import PICTURE, outputs_of
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.agreement import check_something_learns, check_unpaired, gan_term, one_g_every
from sr.training.clock import Clock
from sr.training.ema import Ema
from sr.training.means import RunningMeans
from sr.training.optimisers import OptimizerFactory, clipped_norm, make_optimizer, set_rates
from sr.training.pairs import Augment, Degrade, Given, make_pair
from sr.training.precision import Compute
from sr.training.schedules import Schedule
from sr.training.stopwatch import Stopwatch
from sr.training.validation import gain
from sr.training.views import derivations
from sr.training.watch import Alarm, checkerboard, colour_error
from sr.types import LowResolution, UserError


class SuperResolution(lightning.LightningModule):
    """Trains a generator, supervised or against adversaries.

    A step follows the order: pair, generator forward and backward, generator update, then each adversary on the
    same (detached) pictures. With ``accumulate`` above 1 an update takes that many batches; with ``g_every`` of an
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
        self.scale = int(getattr(network, "scale"))  # noqa: B009 (an attribute that nn.Module does not declare)
        self.rate = 1.0
        """Factor on all learning rates, lowered after explosions on request."""
        self.position = 0
        """Batches since the last update."""
        self.batches = 0
        """Batches seen by this process; with the seed, the place in the data."""
        self.samples = 0
        """Crops seen by all processes."""
        self.means = RunningMeans()
        self.alarm = Alarm()
        self.stopwatch = Stopwatch()
        self.rolled_back = False
        """The newest update has been undone: nothing is to be logged, validated or saved."""
        self.exit_reason: str | None = None
        """Why the run ended: max_updates, max_time, interrupted, no_improvement; None while it runs."""
        self._make_optimizer = optimizer
        self._derivations = derivations(self.scale)
        self._throttled: dict[str, bool] = {}
        self._seen: list[Tensor] = []  # losses of the batches of this update
        self._losses: dict[str, list[Tensor]] = {}  # likewise, of each discriminator
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
        made = [make_optimizer(self._make_optimizer, self.network, "optimizer")]
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

    def views(self, given: Given, made: Mapping[str, Tensor]) -> Views:
        """All pictures of a batch by name: see `sr.losses.views` and `sr.training.views`.

        Args:
            given: to the step.
            made: by the generator.
        """
        return Views({**made, **given._asdict()}, self._derivations)

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        """One batch; an update when the accumulation is complete."""
        self.rolled_back = False
        if batch.real is not None:
            check_unpaired(self.adversaries)
        given = self.pair(batch)
        draws = Draws(self.seed, batch.samples.numpy())
        if self._at_step:
            self._throttled = {}
        self.position = (self.position + 1) % (self.accumulate * self.g_every)
        self.batches += 1
        self.samples += len(batch.hr) * self.trainer.world_size
        generator, *others = self._optimizers()
        with self._only(generator, self.at_update):
            if self._generator_learns():
                views = self._generator_backward(given, draws)
                if self.at_update:
                    self._update_generator(generator)
            else:
                views = self.views(given, self._fakes(given.lr))
        views = views.detached()
        for name, optimizer in zip(self.adversaries, others, strict=True):
            with self._only(optimizer, self._at_step):
                self._adversary_batch(name, optimizer, views, draws)
        if self.at_update:
            self.clock.updates += 1

    @property
    def _at_step(self) -> bool:
        """Discriminators are updated after this batch (before a step: after the one before it)."""
        return self.position % self.accumulate == 0

    def _rests(self, name: str) -> bool:
        """A stepper decides once for all batches of an update, and late: by then the device has other work queued."""
        if name not in self._throttled:
            self._throttled[name] = self.adversaries[name].policy.throttled()
        return self._throttled[name]

    def _generator_learns(self) -> bool:
        """Not at batches that are the discriminator's alone, nor in phases in which nothing has a weight."""
        position = (self.position - 1) % (self.accumulate * self.g_every)
        updates = self.clock.updates
        weights = [*self.objective.weights(updates).values(), *(a.weight(updates) for a in self.adversaries.values())]
        return position // self.accumulate == self.g_every - 1 and any(weights)

    def _fakes(self, lr: LowResolution) -> dict[str, Tensor]:
        with torch.no_grad(), self.compute.autocast():
            return outputs_of(self.network(lr))

    def _generator_backward(self, given: Given, draws: Draws) -> Views:
        updates = self.clock.updates
        with self.compute.autocast():
            views = self.views(given, outputs_of(self.network(given.lr)))
            total, terms, weights = self.objective(views, updates, draws.within("loss"))
        sr = views[PICTURE]
        colour = colour_error(sr, given.lr)
        self.alarm.note(updates + 1, "g", "output", [total, colour])
        for name, adversary in self.adversaries.items():
            weight = adversary.weight(updates)
            if not adversary.policy.counts(updates):
                continue
            term = gan_term(name)
            rests = self._rests(name) or not adversary.policy.learns(updates)
            with torch.set_grad_enabled(weight != 0):
                loss = adversary.generator_loss(views, draws.within(name), self.compute.autocast(), rests)
            terms[term], weights[term] = loss.detach(), weight
            if weight != 0:
                self.alarm.note(updates + 1, name, "opinion", [loss])
                total = total + weight * loss
        self.manual_backward(total / self.accumulate if self.accumulate > 1 else total)
        values = {"total": total} | terms
        values |= {f"{term}_weighted": weight * terms[term] for term, weight in weights.items() if weight != 1}
        self.means.add({f"train/g/{name}": value for name, value in values.items()})
        self.means.add({"train/sr/colour_error": colour})
        if self.scale > 1:
            self.means.add({"train/sr/checkerboard": checkerboard(sr, self.scale)})
        self._seen = [*self._seen, total.detach()]
        return views

    def _update_generator(self, optimizer: LightningOptimizer) -> None:
        losses = torch.stack(self._seen)
        self.alarm.note_total(self.clock.updates + 1, losses.max(), self.threshold)
        self._update("g", optimizer, self.schedule, self.clip, losses)
        self._seen = []
        if self.ema is not None:
            self.ema.update(self.network)

    def _update(
        self, name: str, optimizer: LightningOptimizer, schedule: Schedule, clip: float | None, losses: Tensor
    ) -> None:
        set_rates(optimizer.optimizer, self.rate * schedule.factor(self.clock.updates, self.clock.progress))
        norm = clipped_norm(optimizer.optimizer, clip)
        self.means.add({f"train/{name}/gradient": norm})
        self.alarm.note(self.clock.updates + 1, name, "gradient", [losses, norm])
        optimizer.step()
        optimizer.zero_grad()

    def _adversary_batch(self, name: str, optimizer: LightningOptimizer, views: Views, draws: Draws) -> None:
        adversary, updates = self.adversaries[name], self.clock.updates
        if not adversary.policy.learns(updates):
            return
        learning = not self._rests(name)
        if adversary.policy.regenerate:
            views = views.replaced(self._fakes(views["lr"]))
        exhibits = adversary.exhibits(views, draws.within(name))
        for step in range(adversary.policy.d_steps if learning else 1):
            verdict = adversary.verdict(exhibits, step, updates, self.compute.autocast(), learning)
            if learning:
                self.manual_backward(verdict.total / self.accumulate)
            self.means.add({f"train/{name}/{key}": value for key, value in verdict.values().items()})
            self._losses[name] = [*self._losses.get(name, []), verdict.newest]
            if learning and self._at_step:
                self._update(name, optimizer, adversary.schedule, adversary.clip, torch.stack(self._losses[name]))
                adversary.learned += 1
        if self._at_step:
            losses = torch.stack(self._losses.pop(name))
            adversary.policy.note(losses.mean())
            if not learning:
                self.alarm.note(updates + 1, name, "losses", [losses])
            self.means.add_number(f"train/{name}/throttled", float(not learning))

    def _optimizers(self) -> list[LightningOptimizer]:
        made: Any = self.optimizers()
        return made if isinstance(made, list) else [made]

    def _only(self, optimizer: LightningOptimizer, complete: bool) -> AbstractContextManager[None]:
        """Freeze the other networks, and keep processes from exchanging gradients inside an accumulation."""
        if not self.adversaries and self.accumulate == 1:
            return nullcontext()
        return optimizer.toggle_model(sync_grad=complete)

    def observe(self, metric: str, value: float) -> None:
        """Tell all schedules how a validation went.

        Args:
            metric: its name. Learning rates are told the value as it is, as their ``mode`` says what is better.
            value: weights are told it so that more is better.
        """
        self.schedule.observe(value)
        self.objective.observe(gain(metric, value))
        for adversary in self.adversaries.values():
            adversary.observe(value, gain(metric, value))

    @torch.no_grad()
    def is_finite(self) -> bool:
        """Whether every weight of every network is a finite number; this waits for the device."""
        networks = [self.network, self.deliverable, self.discriminators]
        weights = [weight for network in networks for weight in network.parameters()]
        return bool(torch.stack([weight.isfinite().all() for weight in weights]).all())

    @property
    def learning_rates(self) -> dict[str, float]:
        """Of the first parameter group of every optimiser, by column of the log."""
        names = ["train/lr", *(f"train/{name}/lr" for name in self.adversaries)]
        return {n: float(o.param_groups[0]["lr"]) for n, o in zip(names, self._optimizers(), strict=True)}

    @property
    def plain_optimizers(self) -> list[Optimizer]:
        """The generator's, then the adversaries', without Lightning's wrappers."""
        return [optimizer.optimizer for optimizer in self._optimizers()]
