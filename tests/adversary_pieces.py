"""Draws, pictures and small discriminators for tests of adversaries."""

import io
from functools import partial

import numpy as np
import torch
from torch import nn

from sr.draws import Draws
from sr.losses.gan import LeastSquares
from sr.losses.views import Views
from sr.training.adversary.adversary import Adversary
from sr.training.adversary.policy import UpdatePolicy
from sr.training.adversary.shows import Shows
from sr.training.schedules import Constant
from sr.training.views import derivations

CPU = torch.device("cpu")


def draws(count, first=0, seed=0):
    return Draws(seed, np.arange(first, first + count))


def exact():
    return torch.autocast("cpu", torch.bfloat16, enabled=False)


def rand(*shape, seed=1):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def numbered(*values):
    """Pictures of one pixel that can be told apart."""
    return torch.tensor([float(v) for v in values]).view(-1, 1, 1, 1)


def numbers(pictures):
    return pictures.flatten().tolist()


def saved(state):
    """As a checkpoint keeps it: written, and read without running code."""
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def small(channels=3, norm=True):
    torch.manual_seed(5)
    middle = nn.BatchNorm2d(4) if norm else nn.Identity()
    made = nn.Sequential(nn.Conv2d(channels, 4, 3, stride=2, padding=1), middle, nn.LeakyReLU(0.2), nn.Conv2d(4, 1, 1))
    made.cell, made.margin = 2, -1
    return made


def adversary(network=None, objective=None, shows=None, policy=None, schedule=None, weight=0.1, **more):
    return Adversary(
        network=small() if network is None else network,
        objective=LeastSquares() if objective is None else objective,
        shows=Shows(2) if shows is None else shows,
        policy=UpdatePolicy() if policy is None else policy,
        optimizer=partial(torch.optim.SGD, lr=0.1),
        schedule=Constant() if schedule is None else schedule,
        weight=weight,
        **more,
    )


def pictures(batch=2, side=16, seed=7):
    """(sr, hr, lr)"""
    return (
        rand(batch, 3, side, side, seed=seed),
        rand(batch, 3, side, side, seed=seed + 100),
        rand(batch, 3, side // 2, side // 2, seed=seed + 200),
    )


def views_of(sr, hr, lr, real=None, scale=2, **side):
    """Of a training step."""
    return Views({"sr": sr, **side, "lr": lr, "hr": hr, "real": hr if real is None else real}, derivations(scale))


def judged(opponent, batch=2, side=16, step=0, updates=0, learns=True, first=0, seed=7):
    sr, hr, lr = pictures(batch, side, seed)
    exhibits = opponent.exhibits(views_of(sr, hr, lr), draws(batch, first))
    return opponent.verdict(exhibits, step, updates, exact(), learns)


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def same_state(network, before):
    return all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def statistics_move(network, before):
    return not torch.equal(network[1].running_mean, before["1.running_mean"])
