"""The adversaries' part of a training step: what they say to the generator, and what they learn from each batch."""

from collections.abc import Callable

import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor

from sr.draws import Draws
from sr.losses.views import Views
from sr.training.adversary.agreement import gan_term
from sr.training.contract import Trainable
from sr.training.steps import measures_of, update


class Turns:
    """Decides for each update which discriminators rest, and lets the others learn.

    Args:
        module: whose step it is.
    """

    def __init__(self, module: Trainable) -> None:
        self._module = module
        self._throttled: dict[str, bool] = {}
        self._losses: dict[str, list[Tensor]] = {}  # of each discriminator in the batches of this update

    def begin(self) -> None:
        """A new update of theirs begins."""
        self._throttled = {}

    def _rests(self, name: str) -> bool:
        """A stepper decides once for all batches of an update, and late: by then the device has other work queued."""
        if name not in self._throttled:
            self._throttled[name] = self._module.adversaries[name].policy.throttled()
        return self._throttled[name]

    def opinions(self, views: Views, draws: Draws) -> tuple[list[Tensor], dict[str, Tensor], dict[str, float]]:
        """What the adversaries add to the generator's loss.

        Args:
            views: of this batch; gradient flows through what the generator made.
            draws: of these samples.

        Returns:
            What is to be added, and the values and the weights of all terms by name.
        """
        module, added = self._module, list[Tensor]()
        terms, weights = dict[str, Tensor](), dict[str, float]()
        updates = module.clock.updates
        for name, adversary in module.adversaries.items():
            if not adversary.policy.counts(updates):
                continue
            weight, rests = adversary.weight(updates), self._rests(name) or not adversary.policy.learns(updates)
            with torch.set_grad_enabled(weight != 0):
                loss = adversary.generator_loss(views, draws.within(name), module.compute.autocast(), rests)
            terms[gan_term(name)], weights[gan_term(name)] = loss.detach(), weight
            if weight != 0:
                module.alarm.note(updates + 1, name, "opinion", [loss])
                added.append(weight * (loss if adversary.min_loss is None else adversary.min_loss(loss)))
        return added, terms, weights

    def learn(
        self,
        name: str,
        optimizer: LightningOptimizer,
        views: Views,
        draws: Draws,
        complete: bool,
        again: Callable[[], Views],
    ) -> None:
        """A discriminator's turn at one batch.

        Args:
            name: of the adversary.
            optimizer: its.
            views: of this batch, without gradient.
            draws: of these samples.
            complete: its update is complete with this batch.
            again: the views with what the generator makes now.
        """
        module = self._module
        adversary, updates = module.adversaries[name], module.clock.updates
        if not adversary.policy.learns(updates):
            return
        learning = not self._rests(name)
        exhibits = adversary.exhibits(again() if adversary.policy.regenerate else views, draws.within(name))
        for step in range(adversary.policy.d_steps if learning else 1):
            verdict = adversary.verdict(exhibits, step, updates, module.compute.autocast(), learning)
            if learning:
                module.manual_backward(verdict.total / module.accumulate)
            if step == 0:  # later ones judge what it has just learned from, and would look further ahead
                module.means.add({f"train/{name}/{key}": value for key, value in verdict.values().items()})
            module.means.add(measures_of(adversary.network, f"train/{name}"))
            self._losses[name] = [*self._losses.get(name, []), verdict.newest]
            if learning and complete:
                losses = torch.stack(self._losses[name])
                update(module, name, optimizer, adversary.schedule, adversary.clip, losses)
                adversary.learned += 1
        if complete:
            losses = torch.stack(self._losses.pop(name))
            adversary.policy.note(losses.mean())
            if not learning:
                module.alarm.note(updates + 1, name, "losses", [losses])
            module.means.add_number(f"train/{name}/throttled", float(not learning))
