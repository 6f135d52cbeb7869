"""Forward passes of a training step on black pictures, to see what memory a step needs (`sr.training.memory`)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sr.draws import Draws
from sr.models.outputs import PICTURE
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.agreement import check_reached, check_views
from sr.training.module import SuperResolution
from sr.training.pairs import Given, made_of
from sr.training.sides import side_of
from sr.types import LowResolution, UserError


def trials(module: SuperResolution, truth: bool = True) -> list[Callable[[LowResolution], Tensor]]:
    """One forward pass for each step that keeps tensors: the generator's, then each discriminator's.

    Each takes low-resolution pictures and gives what the backward pass starts from. Weights of 0, which may rise
    later, count as 1. Discriminators that accept only another size are left out. The first notes what the generator
    gives beside its picture in ``module.side_outputs``.

    Args:
        module: just built.
        truth: batches have high resolution.

    Raises:
        UserError: in the first, that a term or an adversary names a view that does not exist, or that nothing learns.
    """

    def generator(lr: LowResolution) -> Tensor:
        hr, draws = _blank(module, lr)
        given = Given(lr, hr if truth else None, hr)
        outputs = made_of(module.network, given)
        module.side_outputs = tuple(name for name in outputs if name != PICTURE)
        views = module.views(given, outputs)
        check_views(views, module.objective, module.adversaries)
        check_reached(views, module.network, module.objective, module.adversaries)
        total = module.objective.unweighted(views, draws)
        for adversary in module.adversaries.values():
            if _fits(adversary, hr):
                total = total + adversary.generator_loss(views, draws, module.compute.autocast(), resting=True)
        if not total.requires_grad:
            raise UserError(f"no term of the loss passes gradient on to a weight of {type(module.network).__name__}")
        return total

    def discriminator(adversary: Adversary) -> Callable[[LowResolution], Tensor]:
        def step(lr: LowResolution) -> Tensor:
            hr, draws = _blank(module, lr)
            given, waiting = Given(lr, hr if truth else None, hr), adversary.policy.order == "d_first"
            views = module.views(given, made_of(module.network, given) if waiting else {})
            held = module.objective.unweighted(views, draws) if waiting else 0  # the generator waits for its turn
            return adversary.trial(views, draws, module.compute.autocast()) + held if _fits(adversary, hr) else hr.sum()

        return step

    return [generator, *(discriminator(adversary) for adversary in module.adversaries.values())]


def check_frozen(module: SuperResolution, crop: int, truth: bool = True) -> None:
    """Make sure that freezing leaves weights which the generator's loss reaches, whenever what learns changes.

    Args:
        module: just built; nothing in it moves.
        crop: side of the low-resolution pictures.
        truth: batches have high resolution.

    Raises:
        UserError: there are none.
    """
    network, parts = module.network, module.parts
    state = {name: value.clone() for name, value in network.state_dict().items()}
    lr = torch.zeros(1, 3, crop, crop, device=module.compute.device)
    hr, draws = _blank(module, lr)
    for updates in parts.changes if parts.freeze else ():
        with module.compute.autocast():
            given = Given(lr, hr if truth else None, hr)
            views = module.views(given, made_of(network, given))
            total, _, weights = module.objective(views, updates, draws)
            for adversary in module.adversaries.values():
                if _fits(adversary, hr) and adversary.weight(updates):
                    total = total + adversary.generator_loss(views, draws, module.compute.autocast(), resting=True)
        learning = [weight for weight in parts.learning(network, updates) if weight.requires_grad]
        grads = torch.autograd.grad(total, learning, allow_unused=True) if learning and total.requires_grad else ()
        idle = not total.requires_grad and not any(weights.values())  # an update of the discriminators alone
        if not idle and all(grad is None for grad in grads):
            raise UserError(
                f"parts.freeze leaves no weight of {type(network).__name__} to learn at update {updates} that its loss "
                "reaches: what is compared is made by frozen ones; let some of these learn, or compare sr too"
            )
    network.load_state_dict(state)


def _blank(module: SuperResolution, lr: LowResolution) -> tuple[Tensor, Draws]:
    hr = torch.zeros(len(lr), 3, *(module.scale * side for side in lr.shape[-2:]), device=lr.device)
    return hr, Draws(module.seed, np.arange(len(lr)))


def _fits(adversary: Adversary, hr: Tensor) -> bool:
    fixed = getattr(adversary.network, "side", None)
    shows = adversary.shows
    side = side_of(shows.pair.made, hr.shape[-1] // shows.scale, shows.scale)
    return fixed is None or side - shows.shift == fixed
