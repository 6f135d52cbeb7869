"""One opponent of the generator: what it sees, how it judges, and how it learns."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.degradations.pictures import per_picture
from sr.draws import Draws
from sr.losses.gan import GanObjective, gradient_norms, gradient_penalty, r1
from sr.losses.objective import weight_of
from sr.losses.views import Views
from sr.losses.weights import Weight
from sr.training.adversary.floor import least_loss
from sr.training.adversary.min_loss import MinLoss
from sr.training.adversary.mixtures import inconsistency, mismatched
from sr.training.adversary.parts import check_parts, check_regions
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.replay import Replay
from sr.training.adversary.shows import Shown, Shows
from sr.training.adversary.swap import cells_of, label_map, swapped
from sr.training.adversary.verdict import Exhibits, Judged, Verdict
from sr.training.optimisers import OptimizerFactory
from sr.training.processes import joint_batch, joint_samples, own_share
from sr.training.schedules import Schedule
from sr.types import UserError

Mode = Literal["train", "eval"]


class Adversary:
    """A discriminator with all that decides how it plays against the generator.

    Args:
        network: the discriminator: (batch, channels, height, width) to a map of raw outputs.
        objective: what both sides descend.
        shows: what the discriminator sees of a picture.
        policy: when it learns.
        optimizer: makes its optimiser.
        schedule: factor on its learning rates over the clock.
        weight: of its opinion in the generator's loss, or a schedule of it.
        judge: mode in which it judges the generator: ``eval`` with running statistics and without dropout, ``train``
            as it learns, where its statistics move with every fake. It always learns in ``train``.
        replay: old fakes, or None.
        r1_gamma: weight of the R1 penalty on real pictures; 0 for none.
        r1_every: compute that penalty at every so many-th of its own updates only, so many times as strong.
        clip: largest norm of its gradient, or None.
        consistency: weight of U-Net GAN's consistency, with ``shows.swap``: see `inconsistency`.
        mismatched: it learns that pictures beside another low resolution are wrong too, with ``shows.condition``:
            a third each of real, fake and both mismatched, see `mismatched`.
        min_loss: the generator does not learn from its opinion while that is lower, see `MinLoss`; None for always.

    Raises:
        ValueError: numbers out of range, or parts that do not go together.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: GanObjective,
        shows: Shows,
        policy: UpdatePolicy,
        optimizer: OptimizerFactory,
        schedule: Schedule,
        weight: float | Weight,
        judge: Mode = "train",
        replay: Replay | None = None,
        r1_gamma: float = 0.0,
        r1_every: int = 1,
        clip: float | None = None,
        consistency: float = 0.0,
        mismatched: bool = False,
        min_loss: float | None = None,
    ) -> None:
        check_choice("judge", judge, Mode)
        if not 0 <= r1_gamma < math.inf or r1_every < 1:
            raise ValueError(f"r1_gamma={r1_gamma} must be a number from 0 on, r1_every={r1_every} at least 1.")
        if clip is not None and not clip > 0:
            raise ValueError(f"clip={clip} must be positive, or null for no clipping.")
        check_parts(objective, shows, policy, replay, consistency, mismatched, min_loss)
        if shows.swap is not None:
            check_regions(network, consistency)  # one that does not say where its cells lie is refused here
        self.network, self.objective, self.shows, self.policy = network, objective, shows, policy
        self.optimizer, self.schedule, self.weight_schedule = optimizer, schedule, weight_of(weight)
        self.judge, self.replay, self.clip = judge, replay, clip
        self.r1_gamma, self.r1_every = r1_gamma, r1_every
        self.consistency, self.mismatched = consistency, mismatched
        self.min_loss = None if min_loss is None else MinLoss(min_loss)
        self.learned = 0
        """Its own updates so far."""

    @property
    def needs_float32(self) -> str | None:
        """Which setting takes gradients of gradients, for which half precision is too coarse; None where none does."""
        if self.objective.penalty > 0:
            return f"objective.penalty={self.objective.penalty:g}"
        return f"r1_gamma={self.r1_gamma:g}" if self.r1_gamma > 0 else None

    def weight(self, updates: int) -> float:
        """Of its opinion after so many updates; 0 before it has begun to learn."""
        return self.weight_schedule(updates) if self.policy.counts(updates) else 0.0

    def observe(self, value: float, gain: float) -> None:
        """Tell the schedules how a validation went: learning rates its value, weights what is better if more."""
        self.schedule.observe(value)
        for weight in (self.weight_schedule, *self.shows.schedules.values()):
            weight.observe(gain)

    def generator_loss(self, views: Views, draws: Draws, autocast: torch.autocast, resting: bool) -> Tensor:
        """Loss of the generator before its weight; gradient flows through what the generator made.

        Args:
            views: the pictures of a batch.
            draws: of these samples.
            autocast: context in which networks run.
            resting: the discriminator rests, so nothing in it may move.
        """
        fakes, reals = self.shows.fakes(views), [self.shows.real(views)] if self.objective.compares else []
        shifted = self.shows.shifted(draws.within("judged"), *fakes, *reals)
        fakes, reals = shifted[: len(fakes)], shifted[len(fakes) :]
        self.network.train(self.judge == "train" and not resting)
        with autocast:
            with torch.no_grad():  # first, so that statistics see real before fake, as when it learns
                real_output = self.network(reals[0]) if reals else None
            fake_outputs = [self.network(fake) for fake in fakes]
        first, *more = [self.objective.generator(output, real_output) for output in fake_outputs]
        return sum(more, start=first)

    def exhibits(self, views: Views, draws: Draws) -> Exhibits:
        """What a batch gives the discriminator to learn from; old fakes are exchanged here, once per batch."""
        with torch.no_grad():
            real, fakes = self.shows.real(views), [fake.detach() for fake in self.shows.fakes(views)]
        if self.replay is not None:
            # Every process keeps the joint batches: all hold the same, and one checkpoint is enough.
            joint = draws.of(joint_samples(draws.samples)).within("replay")
            fakes = [own_share(batch) for batch in self.replay.exchange(joint_batch(fakes[0]), joint)]
        return Exhibits(real, fakes, draws)

    def verdict(self, exhibits: Exhibits, step: int, updates: int, autocast: torch.autocast, learning: bool) -> Verdict:
        """Judge real and fake pictures.

        Args:
            exhibits: of this batch.
            step: number of the discriminator's step in this batch; each has its own shift, noise and swap.
            updates: so far.
            autocast: context in which networks run.
            learning: in training mode, for `Verdict.total` to be descended; otherwise only measured: no gradient, no
                penalty, no statistic moves.
        """
        draws = exhibits.draws.within(f"step {step}")
        real, *fakes = self.shows.shifted(draws, exhibits.real, *exhibits.fakes)
        if self.shows.noise is not None:
            real, fakes = self.shows.noise(draws, updates, real, fakes)
        judged = self._swapped(Judged(real, fakes), draws, updates)
        self.network.train(learning)
        with torch.set_grad_enabled(learning):
            return self._judge(judged, draws, autocast, learning, self.learned % self.r1_every == 0)

    def trial(self, views: Views, draws: Draws, autocast: torch.autocast) -> Tensor:
        """The loss of its own step with as many fakes as it may ever see, to see what that step needs.

        In evaluation mode, so that nothing moves, and with every penalty.

        Args:
            views: pictures, of which the real ones serve as fakes too.
            draws: of these samples.
            autocast: context in which networks run.
        """
        with torch.no_grad():
            (shown,) = self.shows.shifted(draws, self.shows.real(views))
        fakes = [shown.clone() for _ in range(len(self.shows.pairs) if self.replay is None else self.replay.most)]
        self.network.eval()
        mask = torch.zeros_like(shown[:, :1]) if self.consistency > 0 else None
        judged = Judged(shown, fakes, mask, None if mask is None else (shown, fakes[0]))
        return self._judge(judged, draws, autocast, learning=True, r1_due=True).total

    def _swapped(self, judged: Judged, draws: Draws, updates: int) -> Judged:
        if self.shows.swap is None:
            return judged
        real, (newest, *old), *_ = judged
        mask = self.shows.swap.mask(draws, real.shape[-2], real.shape[-1], real.device, updates)
        mixed, fake = swapped(mask, real, newest)
        return Judged(mixed, [fake, *old], mask, (real, newest) if self.consistency > 0 else None)

    def _judge(self, judged: Judged, draws: Draws, autocast: torch.autocast, learning: bool, r1_due: bool) -> Verdict:
        with_r1 = learning and self.r1_gamma > 0 and r1_due
        picture, real = _variable(judged.real) if with_r1 else (judged.real, judged.real)
        with autocast:
            real_output = self.network(real)
            fake_outputs = [self.network(fake) for fake in judged.fakes]
        share = self._share(judged.mask, real_output)
        labels: tuple[Any, Any] = (1.0, 0.0) if share is None else (1 - share, share)
        new = len(self.shows.pairs)
        terms = [self.objective.discriminator(real_output, output, labels) for output in fake_outputs[:new]]
        real_term, fake_term = (sum(several[1:], start=several[0]) / new for several in zip(*terms, strict=True))
        if self.mismatched:
            real_term, fake_term = real_term / 3, fake_term / 3 + self._mismatched(judged, autocast) / 3
        newest = (real_term + fake_term).detach()
        for old in fake_outputs[new:]:
            fake_term = fake_term + self.objective.discriminator(real_output.detach(), old, labels)[1]
        penalties = []
        if learning and self.objective.penalty > 0:
            norms = self._norms_between(real.detach(), judged.fakes[0], draws)
            penalties.append(self.objective.penalty * gradient_penalty(norms))
        if with_r1:
            norms = gradient_norms(real_output.flatten(1).mean(dim=1), picture)
            penalties.append(r1(norms, self.r1_gamma * self.r1_every))
        if learning and judged.clean is not None and share is not None:
            outputs = real_output, fake_outputs[0]
            penalties.append(self.consistency * self._inconsistency(judged.clean, outputs, share, autocast))
        means = [output.detach().float().mean() for output in (real_output, fake_outputs[0])]  # a second fake apart
        penalty = sum(penalties[1:], start=penalties[0]) if penalties else None
        floor = least_loss(self.objective, labels, real_output, 3 if self.mismatched else 1)
        return Verdict(real_term, fake_term, penalty, means[0], means[1], newest, floor)

    def _share(self, mask: Tensor | None, output: Tensor) -> Tensor | None:
        """Of each cell that was exchanged."""
        if mask is None or self.shows.swap is None:
            return None
        return label_map(mask, output.shape[-2:], cells_of(self.network), self.shows.swap.labels)

    def _mismatched(self, judged: Judged, autocast: torch.autocast) -> Tensor:
        """Mean of real and fake pictures beside the low resolution of others."""
        with autocast:
            terms = [mismatched(self.network, self.objective, shown) for shown in (judged.real, judged.fakes[0])]
        return (terms[0] + terms[1]) / 2

    def _inconsistency(
        self, clean: tuple[Shown, Shown], outputs: tuple[Tensor, Tensor], share: Tensor, autocast: torch.autocast
    ) -> Tensor:
        """Mean of that of both mixtures."""
        with autocast:
            real, fake = (self.network(shown) for shown in clean)
        mixed_real, mixed_fake = outputs
        return (inconsistency(mixed_real, fake, real, share) + inconsistency(mixed_fake, real, fake, share)) / 2

    def _norms_between(self, real: Shown, fake: Shown, draws: Draws) -> Tensor:
        """Gradient norms of the mean output at random points on the lines between real and fake pictures.

        The condition there is that of the fake. An old one has another than the real picture beside it, and a blend of
        two conditions is none.
        """
        u = per_picture(draws.uniform("between")[:, 0], real.device)
        picture, between = _variable(torch.cat([u * fake[:, :3] + (1 - u) * real[:, :3], fake[:, 3:]], dim=1))
        return gradient_norms(self.network(between).flatten(1).mean(dim=1), picture)

    def state_dict(self) -> dict[str, Any]:
        """Everything beyond the optimiser, as tensors and plain values."""
        return {
            "network": self.network.state_dict(),
            "learned": self.learned,
            "policy": self.policy.state_dict(),
            "schedule": self.schedule.state_dict(),
            "weight": self.weight_schedule.state_dict(),
            "shows": {name: weight.state_dict() for name, weight in self.shows.schedules.items()},
            "replay": {} if self.replay is None else self.replay.state_dict(),
            "min_loss": {} if self.min_loss is None else self.min_loss.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Take back what `state_dict` gave; settings that the saved run did not have begin afresh.

        Raises:
            UserError: the state is of another discriminator.
        """
        try:
            self.network.load_state_dict(state["network"])
        except RuntimeError as error:
            raise UserError(
                f"the checkpoint holds another discriminator than this {type(self.network).__name__}: "
                f"{str(error).splitlines()[1].strip()[:120]}…; leave discriminator, and what adversary shows it, as "
                "they were"
            ) from error
        self.learned = int(state["learned"])
        self.policy.load_state_dict(state["policy"])
        shown = state.get("shows", {})
        parts: list[tuple[Schedule | Weight, Any]] = [(w, shown.get(name)) for name, w in self.shows.schedules.items()]
        for part, saved in (*parts, (self.schedule, state["schedule"]), (self.weight_schedule, state["weight"])):
            if saved is not None and part.state_dict().keys() == saved.keys():
                part.load_state_dict(saved)
        if self.min_loss is not None:
            self.min_loss.load_state_dict(state.get("min_loss", {}), device)
        if self.replay is not None and state["replay"]:
            kept = [pictures.to(device) for pictures in state["replay"]["kept"]]
            if any(pictures.shape != kept[0].shape for pictures in kept):
                raise ValueError("replayed fakes have several shapes")
            self.replay.load_state_dict({"kept": kept})


def _variable(shown: Shown) -> tuple[Tensor, Shown]:
    """The pictures in what is shown, to ask for gradient with respect to them, and the same with their condition.

    A condition is given, not made: how steep a discriminator is along it is no business of a penalty.
    """
    picture = shown[:, :3].detach().requires_grad_()
    return picture, torch.cat([picture, shown[:, 3:]], dim=1)
