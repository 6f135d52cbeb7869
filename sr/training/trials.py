"""Forward passes of a training step on black pictures, to see what memory a step needs (`sr.training.memory`)."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sr.draws import Draws
from sr.models.outputs import PICTURE, outputs_of
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.agreement import check_views
from sr.training.module import SuperResolution
from sr.training.pairs import Given
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
        outputs = outputs_of(module.network(lr))
        module.side_outputs = tuple(name for name in outputs if name != PICTURE)
        views = module.views(Given(lr, hr if truth else None, hr), outputs)
        check_views(views, module.objective, module.adversaries)
        total = module.objective.unweighted(views, draws)
        for adversary in module.adversaries.values():
            if _fits(adversary, hr):
                total = total + adversary.generator_loss(views, draws, module.compute.autocast(), resting=True)
        if not total.requires_grad:
            raise UserError(
                f"no term of the loss reaches a weight of {type(module.network).__name__}, whose picture is fixed; "
                "compare a side output, as loss=features does with model=feature_net"
            )
        return total

    def discriminator(adversary: Adversary) -> Callable[[LowResolution], Tensor]:
        def step(lr: LowResolution) -> Tensor:
            hr, draws = _blank(module, lr)
            given, waiting = Given(lr, hr if truth else None, hr), adversary.policy.order == "d_first"
            views = module.views(given, outputs_of(module.network(lr)) if waiting else {})
            held = module.objective.unweighted(views, draws) if waiting else 0  # the generator waits for its turn
            return adversary.trial(views, draws, module.compute.autocast()) + held if _fits(adversary, hr) else hr.sum()

        return step

    return [generator, *(discriminator(adversary) for adversary in module.adversaries.values())]


def _blank(module: SuperResolution, lr: LowResolution) -> tuple[Tensor, Draws]:
    hr = torch.zeros(len(lr), 3, *(module.scale * side for side in lr.shape[-2:]), device=lr.device)
    return hr, Draws(module.seed, np.arange(len(lr)))


def _fits(adversary: Adversary, hr: Tensor) -> bool:
    fixed = getattr(adversary.network, "side", None)
    shows = adversary.shows
    side = side_of(shows.pair.made, hr.shape[-1] // shows.scale, shows.scale)
    return fixed is None or side - shows.shift == fixed
