"""Which parts of an adversary go together."""

import math

from torch import nn

from sr.losses.gan import GanObjective
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.replay import BatchStore, Replay
from sr.training.adversary.shows import Shows
from sr.training.adversary.swap import cells_of


def check_parts(
    objective: GanObjective,
    shows: Shows,
    policy: UpdatePolicy,
    replay: Replay | None,
    consistency: float,
    mismatched: bool,
    min_loss: float | None,
) -> None:
    """Make sure that the parts of an adversary go together; the arguments are `Adversary`'s.

    Raises:
        ValueError: two do not; the message says what to change.
    """
    if min_loss is not None and not objective.bounded:
        raise ValueError(
            f"{type(objective).__name__} has a loss without a floor, below which min_loss={min_loss:g} could leave it; "
            "set min_loss=null."
        )
    _check_objective(objective, shows, policy, replay)
    _check_mixtures(objective, shows, consistency, mismatched)


def check_regions(network: nn.Module, consistency: float) -> None:
    """Make sure that a discriminator can judge swapped regions.

    Raises:
        ValueError: it does not say where its cells lie, or judges whole pictures where regions are compared.
    """
    if cells_of(network).cell is None and consistency > 0:
        raise ValueError(
            f"consistency={consistency:g} compares regions, and {type(network).__name__} gives one verdict on the "
            "whole picture; take a discriminator with a map (pixdisc, unet_gan, unet), or consistency=0."
        )


def _check_mixtures(objective: GanObjective, shows: Shows, consistency: float, mismatched: bool) -> None:
    kind = type(objective).__name__
    if not 0 <= consistency < math.inf:
        raise ValueError(f"consistency={consistency} must be a number from 0 on; U-Net GAN takes 1.")
    if consistency > 0 and shows.swap is None:
        raise ValueError(
            f"consistency={consistency:g} is about swapped regions, and shows.swap is null; take adversary=pix_gan or "
            "add region_swap, or set consistency=0."
        )
    if not mismatched:
        return
    if shows.condition == "none":
        raise ValueError(
            "mismatched=true shows pictures beside the low resolution of others, and shows.condition=none shows none; "
            "take shows.condition=bicubic (adversary=cross_gan), or mismatched=false."
        )
    if shows.swap is not None:
        raise ValueError(
            "mismatched=true says that whole pictures are wrong, and shows.swap only regions of them; set "
            "shows.swap=null or mismatched=false."
        )
    if objective.compares or not objective.bounded:
        raise ValueError(
            f"mismatched=true needs an objective that judges each picture by itself, and {kind} does not; take "
            "CrossEntropy, LeastSquares or Hinge, or mismatched=false."
        )


def _check_objective(objective: GanObjective, shows: Shows, policy: UpdatePolicy, replay: Replay | None) -> None:
    kind = type(objective).__name__
    if policy.stepper is not None and not objective.bounded:
        raise ValueError(
            f"{kind} has a loss without a floor, which no threshold of a stepper fits; set policy.stepper=null."
        )
    if isinstance(replay, BatchStore) and not objective.bounded:
        raise ValueError(
            f"{kind} gains without end when fakes outnumber real pictures, as with a BatchStore; take an ImagePool "
            "(adversary=[wgan_gp,image_pool]), or replay=null."
        )
    if shows.swap is not None and not objective.soft:
        raise ValueError(
            f"shows.swap gives labels between 0 and 1, which {kind} cannot use; take CrossEntropy or LeastSquares "
            "(adversary=pix_gan), or shows.swap=null."
        )
    if replay is not None and objective.compares:
        raise ValueError(
            f"{kind} compares fakes with the real pictures of the same batch, and old fakes have none; set replay=null."
        )
    if len(shows.pairs) > 1 and (replay is not None or shows.swap is not None):
        part = "replay keeps" if replay is not None else "shows.swap exchanges regions of"
        raise ValueError(
            f"{part} one fake per picture, and shows.also={shows.pairs[1].made} adds a second; set "
            f"{part.split()[0]}=null or shows.also=null."
        )
    if replay is not None and shows.swap is not None:
        raise ValueError(
            "shows.swap exchanges regions of a fake and its own truth, and old fakes have none; set replay=null or "
            "shows.swap=null."
        )
