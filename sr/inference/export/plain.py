"""A network as other programs are given it: on the CPU, for use only, in operators that all of them have."""

import copy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sr.errors import UserError
from sr.image.autocast import without_autocast
from sr.models.bicubic import Bicubic
from sr.models.outputs import picture_of


class PlainBicubic(nn.Module):
    """`Bicubic` of RGB as one grouped convolution, so that no size is asked for and no axis changes its place.

    Args:
        bicubic: what it stands for; equal up to rounding.
    """

    kernel: Tensor

    def __init__(self, bicubic: Bicubic) -> None:
        super().__init__()
        self.scale = bicubic.scale
        self.register_buffer("kernel", bicubic.kernel.repeat(3, 1, 1, 1), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) to (n, 3, s*h, s*w)."""
        # Slices, as a single row or column is its own neighbour.
        above, below = lr[..., :2, :][..., -1:, :], lr[..., -2:, :][..., :1, :]
        tall = torch.cat([above, lr[..., :1, :], lr, lr[..., -1:, :], below], dim=2)
        left, right = tall[..., :2][..., -1:], tall[..., -2:][..., :1]
        padded = torch.cat([left, tall[..., :1], tall, tall[..., -1:], right], dim=3)
        with without_autocast(lr.device):  # as every `Bicubic`
            return F.pixel_shuffle(F.conv2d(padded, self.kernel, groups=3), self.scale)


class Plain(nn.Module):
    """A generator without side outputs.

    Args:
        network: with its weights; it is copied.
        half: 16 bits between the first and the last layer, as in training: `sr.models.exact` says what stays float32.
    """

    def __init__(self, network: nn.Module, half: bool = False) -> None:
        super().__init__()
        self.network = _plain(copy.deepcopy(network).cpu().float().eval(), half)
        self.half_inside = half
        self.eval()
        self.requires_grad_(False)

    def forward(self, input: Tensor) -> Tensor:  # the name that other programs see
        """Upscale (n, 3, h, w) float32 RGB in [0, 1] to (n, 3, s*h, s*w) float32, not clipped."""
        if not self.half_inside:
            return picture_of(self.network(input))
        with torch.autocast("cpu", torch.float16):
            return picture_of(self.network(input)).float()


def _plain(layer: nn.Module, half: bool) -> nn.Module:
    """The same layer, with what exporters stumble over replaced below it."""
    if isinstance(layer, Bicubic):
        return PlainBicubic(layer)
    if half and isinstance(layer, nn.BatchNorm2d):
        return _as_convolution(layer)
    update: Any = getattr(layer, "update_params", None)
    if callable(update) and hasattr(layer, "eval_conv"):  # of SPAN, which writes weights as it runs
        update()
        layer.__dict__["update_params"] = _nothing
    for name, child in layer.named_children():
        setattr(layer, name, _plain(child, half))
    return layer


def _nothing() -> None:
    pass


@torch.no_grad()
def _as_convolution(norm: nn.BatchNorm2d) -> nn.Conv2d:
    """Batch normalisation as it is in use, as a grouped 1x1 convolution: exporters mix its float32 into float16."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    conv = nn.Conv2d(norm.num_features, norm.num_features, 1, groups=norm.num_features)
    assert conv.bias is not None
    gain = (norm.running_var + norm.eps).rsqrt() * (1 if norm.weight is None else norm.weight)
    conv.weight.copy_(gain.view_as(conv.weight))
    conv.bias.copy_((0 if norm.bias is None else norm.bias) - gain * norm.running_mean)
    return conv


def applied(network: nn.Module, lr: Tensor) -> Tensor:
    """What PyTorch makes of pictures, float32 on the CPU: the measure of every export.

    Raises:
        UserError: it is not finite.
    """
    with torch.inference_mode():
        result = picture_of(copy.deepcopy(network).cpu().float().eval()(lr))
    if not bool(result.isfinite().all()):
        raise UserError("this network's output is infinite or not a number; its training exploded: export another one")
    return result
