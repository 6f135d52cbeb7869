"""Adversaries for tests, with networks small enough for a plain loop beside them."""

import torch
from torch import nn

from sr.losses.gan import LeastSquares
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.shows import Shows
from sr.training.schedules import Constant


def judge(channels=3, norm=False, dropout=False):
    """A discriminator of two convolutions: (batch, channels, 16, 16) to (batch, 1, 8, 8)."""
    torch.manual_seed(2)
    middle = [nn.BatchNorm2d(8)] if norm else []
    middle += [nn.Dropout2d(0.2)] if dropout else []
    network = nn.Sequential(nn.Conv2d(channels, 8, 3, 2, 1), *middle, nn.LeakyReLU(0.1), nn.Conv2d(8, 1, 3, 1, 1))
    network.cell, network.margin = 2, 0
    return network


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-3, betas=(0.5, 0.999))


def opponent(
    network=None,
    objective=None,
    shows=None,
    policy=None,
    optimizer=sgd,
    schedule=None,
    weight=0.1,
    mode="train",
    replay=None,
    clip=None,
    r1_gamma=0.0,
):
    return Adversary(
        network=judge() if network is None else network,
        objective=objective or LeastSquares(),
        shows=shows or Shows(scale=2),
        policy=policy or UpdatePolicy(),
        optimizer=optimizer,
        schedule=schedule or Constant(),
        weight=weight,
        judge=mode,
        replay=replay,
        clip=clip,
        r1_gamma=r1_gamma,
    )
