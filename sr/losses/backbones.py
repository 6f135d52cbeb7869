"""Feature stacks of ImageNet classifiers, layer by layer as in torchvision, cut after the deepest layer used.

Layers of VGG are called conv1_1, bn1_1 (batch norm networks), relu1_1, ..., pool1: block, then place in the block.
Those of AlexNet are conv1, relu1, pool1, ..., those of SqueezeNet conv1, relu1, pool1, fire2, ..., as in its paper.
"""

import difflib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.losses.pixel import at_least_float32
from sr.losses.pretrained import Net, fill
from sr.types import Image
from sr.vgg import IMAGENET_STATISTICS as IMAGENET_STATISTICS
from sr.vgg import VGG16 as VGG16
from sr.vgg import VGG19 as VGG19

Module = TypeVar("Module", bound=nn.Module)
Maps = list[Float[Tensor, "batch _ _ _"]]
Layer = tuple[str, Callable[[], nn.Module]]
VGG16_LAST_RELUS = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")
"""The last activation of each block, which LPIPS and DISTS compare."""


class Frozen(nn.Module):
    """A module that stays in eval mode, whatever the training loop asks of its parent."""

    def __init__(self) -> None:
        super().__init__()
        self.training = False

    def train(self: Module, mode: bool = True) -> Module:
        """Changes nothing: ``mode`` is ignored, here and below."""
        return nn.Module.train(self, False)


class Standardise(nn.Module):
    """Subtract a mean and divide by a deviation, per channel.

    Args:
        mean: of red, green and blue in [0, 1].
        deviation: likewise.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation)[:, None, None], persistent=False)

    def forward(self, picture: Image) -> Image:
        """(batch, 3, height, width) in [0, 1] to the range of the network, in float32 or better."""
        return (at_least_float32(picture) - self.mean) / self.deviation


class Fire(nn.Module):
    """SqueezeNet's unit (Iandola et al. 2016, arXiv 1602.07360, figure 1): 1x1 to few, 1x1 and 3x3 to many."""

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, x: Image) -> Float[Tensor, "batch expanded height width"]:
        """(batch, channels, height, width) to (batch, 2 * expanded, height, width), not negative."""
        x = self.squeeze(x).relu_()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu_()


class Features(Frozen):
    """Some layers of a pretrained, frozen classifier.

    Args:
        net: the classifier, by torchvision's name.
        layers: which layers, by name; deeper ones than the deepest of these are not built.
        weights: ``imagenet``, ``random`` or a file; see `sr.losses.pretrained.fill`.
        inplace: every ReLU overwrites what it is given, so that a map taken just before a ReLU (a convolution's, or
            batch norm's where the network has it) comes out rectified, unless nothing follows it. Many published
            implementations do so unawares.
        pooling: makes what replaces each max pooling; None keeps them.
        fixed: ``layers`` is not the user's choice (for messages about weights).

    Raises:
        ValueError: a network or layer that does not exist, no layer, or one twice.
        UserError: the weights cannot be had, or are not of these layers.
    """

    def __init__(
        self,
        net: str,
        layers: Sequence[str],
        weights: str,
        inplace: bool = False,
        pooling: Callable[[], nn.Module] | None = None,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        table = layers_of(net)
        names = [name for name, _ in table]
        self.taken = tuple(_place(name, names, net) for name in layers)
        if len(set(self.taken)) != len(self.taken) or not self.taken:
            raise ValueError(f"layers={list(layers)} must name at least one layer of {net}, and none twice.")
        self.what = f"{net} up to {names[max(self.taken)]}"
        with torch.device("meta"):  # neither time nor random numbers for initial weights that are replaced at once
            stack = nn.Sequential(*(make() for _, make in table[: max(self.taken) + 1]))
        self.stack: nn.Sequential = _with_memory(stack)
        for index, module in enumerate(self.stack):
            if isinstance(module, nn.MaxPool2d) and pooling is not None:
                self.stack[index] = pooling()
            elif isinstance(module, nn.ReLU):
                module.inplace = inplace or index - 1 not in self.taken  # saves memory where nobody looks
        fill(self.stack, names[: len(self.stack)], net, weights, fixed)
        self.smallest = smallest_side(self.stack)
        self.requires_grad_(False).eval()

    def forward(self, picture: Image) -> Maps:
        """Maps of the layers, in the order in which they were asked for, of a picture (batch, 3, height, width)."""
        maps: dict[int, Tensor] = {}
        x = picture
        for index, module in enumerate(self.stack):
            x = module(x)
            if index in self.taken:
                maps[index] = x
        return [maps[index] for index in self.taken]

    def check(self, picture: Image, enlarged: int = 1) -> None:
        """Make sure that there is something left of a picture at the deepest layer.

        Args:
            picture: what the loss was given.
            enlarged: by how much its sides are divided before they come here.

        Raises:
            UserError: it is not RGB, or too small.
        """
        _, channels, height, width = picture.shape
        if channels != 3:
            raise UserError(f"{self.what} needs RGB pictures, not {channels} channels; convert them to RGB")
        side = self.smallest * enlarged
        if min(height, width) < side:
            raise UserError(
                f"{self.what} needs pictures of at least {side}x{side} pixels, not {height}x{width}; take larger crops"
            )


def _with_memory(stack: nn.Sequential) -> nn.Sequential:
    """Modules of the meta device on the CPU, their numbers as they come; ``to_empty`` would import sympy (seconds)."""
    for module in stack.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(torch.empty(parameter.shape, dtype=parameter.dtype)))
        for name, buffer in list(module.named_buffers(recurse=False)):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
    return stack


def layers_of(net: str) -> list[Layer]:
    """Name and maker of every layer of the feature stack, in torchvision's order.

    Raises:
        ValueError: there is no such network.
    """
    check_choice("net", net, Net)
    if net == "alexnet":
        return list(_alexnet())
    if net == "squeezenet1_1":
        return list(_squeezenet())
    return list(_vgg(VGG16 if net.startswith("vgg16") else VGG19, net.endswith("_bn")))


def _vgg(widths: Sequence[Sequence[int]], norm: bool) -> Iterator[Layer]:
    channels = 3
    for block, row in enumerate(widths, 1):
        for place, width in enumerate(row, 1):
            yield f"conv{block}_{place}", partial(nn.Conv2d, channels, width, 3, padding=1)
            if norm:
                yield f"bn{block}_{place}", partial(nn.BatchNorm2d, width)
            yield f"relu{block}_{place}", nn.ReLU
            channels = width
        yield f"pool{block}", partial(nn.MaxPool2d, 2)


def _alexnet() -> Iterator[Layer]:
    """The one-column variant (Krizhevsky 2014, arXiv 1404.5997)."""
    convs = ((3, 64, 11, 4, 2), (64, 192, 5, 1, 2), (192, 384, 3, 1, 1), (384, 256, 3, 1, 1), (256, 256, 3, 1, 1))
    for place, shape in enumerate(convs, 1):
        yield f"conv{place}", partial(nn.Conv2d, *shape)
        yield f"relu{place}", nn.ReLU
        if place in (1, 2, 5):
            yield f"pool{place}", partial(nn.MaxPool2d, 3, 2)


def _squeezenet() -> Iterator[Layer]:
    """Version 1.1; each pooling bears the number of the unit before it."""
    yield "conv1", partial(nn.Conv2d, 3, 64, 3, 2)
    yield "relu1", nn.ReLU
    early = ((64, 16, 64), (128, 16, 64), (128, 32, 128), (256, 32, 128))
    late = ((256, 48, 192), (384, 48, 192), (384, 64, 256), (512, 64, 256))
    for number, shape in enumerate(early + late, 2):
        if number in (2, 4, 6):
            yield f"pool{number - 1}", partial(nn.MaxPool2d, 3, 2, ceil_mode=True)
        yield f"fire{number}", partial(Fire, *shape)


def smallest_side(stack: nn.Sequential) -> int:
    """Pixels per side that leave one value per side after the last layer."""
    side = 1
    for module in reversed(list(stack)):
        if isinstance(module, (nn.Conv2d, nn.MaxPool2d)):
            stride, kernel = _per_side(module.stride), _per_side(module.kernel_size)
            spared = stride - 1 if getattr(module, "ceil_mode", False) else 0  # the last window may hang over
            padding = 0 if isinstance(module.padding, str) else _per_side(module.padding)
            side = max(1, (side - 1) * stride + kernel - 2 * padding - spared)
    return side


def _per_side(setting: int | tuple[int, ...]) -> int:
    return setting if isinstance(setting, int) else setting[0]


def _place(name: str, names: Sequence[str], net: str) -> int:
    if name not in names:
        near = difflib.get_close_matches(name, names, 10)
        near = sorted(near, key=lambda n: n[:-1] != name[:-1])[:3]  # those of the same block first
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(names)}."
        raise ValueError(f"{net} has no layer {name!r}; {hint}")
    return names.index(name)
