"""Losses on frozen networks for tests: random weights that hide nothing, and torchvision's networks of the same."""

import torch
from torch import nn
from torchvision.models import get_model

from sr.losses.backbones import Features


def with_biases(module):
    """Random biases and statistics of batch norm in place: untrained ones are 0 and 1, and hide mistakes."""
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if value.ndim == 1:
                value.uniform_(0.5, 1.5) if "running_var" in name else value.normal_(0, 0.2)
    return module


def untrained_features(net: str) -> nn.Sequential:
    """torchvision's feature stack on the meta device, which takes neither time nor random numbers."""
    with torch.device("meta"):
        return get_model(net).features


def torchvisions(net: str, like: Features) -> nn.Sequential:
    """torchvision's feature stack, in-place activations and all, as deep as ours and with its weights."""
    stack = untrained_features(net)[: len(like.stack)]
    stack = stack.to_empty(device="cpu").eval()
    stack.load_state_dict(like.stack.state_dict())
    return stack


def pair(batch=2, height=40, width=48, **options):
    """A random batch and a noisy copy, in [0, 1]."""
    x = torch.rand(batch, 3, height, width, **options)
    return x, (x + 0.3 * torch.rand_like(x)).clamp(0, 1)
