"""A network that predicts VGG's features of high resolution from low resolution (DL-Art-School, July 2020)."""

from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.models.bicubic import Bicubic
from sr.models.files import NetworkInfo, check_finite, load_network
from sr.models.scales import EVERY_SCALE, check_scale
from sr.pasted import setting, training
from sr.printable import printable
from sr.types import Image
from sr.vgg import IMAGENET_STATISTICS, VGG16, VGG19

Net = Literal["vgg16", "vgg19"]
WIDTHS: dict[str, tuple[tuple[int, ...], ...]] = {"vgg16": VGG16, "vgg19": VGG19}
MAKE = "uv run python train.py experiment=lessons/feature_net"
"""The command that makes one."""
_LOSS = "loss.terms.feature_net.loss"
_WEIGHTS, _SCALE = "imagenet", 2
"""What a run has that names none."""


class Predicted(NamedTuple):
    """What the network gives while it trains.

    Attributes:
        sr: its input enlarged by bicubic interpolation.
        features: (batch, channels, height, width) predicted features of the high resolution.
    """

    sr: Tensor
    features: Tensor


class FeatureNet(nn.Module):
    """VGG's graph, untrained at first, on the enlarged low resolution; its last layer is a convolution's output.

    DL-Art-School's ``feature_arch.py`` (note N3): VGG19 up to conv5_4 before its activation, random initialisation,
    the input enlarged inside. Trained so that its map resembles that of the ImageNet network for the high resolution
    (`sr.losses.features`), it is a target for pictures that have no high resolution (`sr.losses.feature_net`). Its
    picture is plain bicubic; in evaluation mode it gives nothing else, as it is no network for upscaling.

    Args:
        scale: 1, 2, 3, 4 or 8; the source has 2.
        net: ``vgg19`` or ``vgg16``.
        layer: the last convolution, ``conv5_4`` in the source; its output has the channels of the original.
        width: factor on the channels of all convolutions before the last.

    Raises:
        ValueError: a scale, net, layer or width that does not exist.
    """

    scales: ClassVar[tuple[int, ...]] = EVERY_SCALE
    mean: Tensor
    deviation: Tensor
    weights: str | None = None
    """Of the VGG whose features it learned to predict, as its file says; None where it does not."""

    def __init__(self, scale: int, net: Net = "vgg19", layer: str = "conv5_4", width: float = 1.0) -> None:
        super().__init__()
        self.scale = check_scale(self, scale, self.scales)
        check_choice("net", net, Net)
        if not 0 < width <= 4:
            raise ValueError(f"width={width:g} must be above 0 and at most 4; 1 is VGG's own.")
        self.net, self.layer = net, layer
        self.stack = nn.Sequential(*_layers(net, layer, width))
        self.enlarge = Bicubic(scale)
        mean, deviation = (torch.tensor(values)[:, None, None] for values in IMAGENET_STATISTICS)
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("deviation", deviation, persistent=False)

    def maps(self, lr: Image) -> Tensor:
        """Predicted features of the high resolution of ``lr``, (batch, 3, height, width) in [0, 1]."""
        return self._maps(self.enlarge(lr))

    def _maps(self, enlarged: Image) -> Tensor:
        height, width = enlarged.shape[-2:]
        smallest = 2 ** sum(isinstance(part, nn.MaxPool2d) for part in self.stack)
        if min(height, width) < smallest:
            raise UserError(
                f"model.layer={self.layer} has halved its pictures to nothing: it needs {smallest}x{smallest} pixels "
                f"in high resolution at least, not {height}x{width}; take data.crop={-(-smallest // self.scale)}, or "
                "an earlier layer"
            )
        predicted: Tensor = self.stack((enlarged - self.mean) / self.deviation)
        return predicted

    def forward(self, lr: Image) -> Predicted | Tensor:
        """`Predicted`; in evaluation mode the enlarged picture alone."""
        sr: Tensor = self.enlarge(lr)
        return Predicted(sr, self._maps(sr)) if self.training else sr


def _layers(net: str, layer: str, width: float) -> list[nn.Module]:
    names = [f"conv{block}_{place}" for block, row in enumerate(WIDTHS[net], 1) for place in range(1, len(row) + 1)]
    if layer not in names:
        raise ValueError(f"layer={layer} is no convolution of {net}; choose from {', '.join(names)}.")
    made: list[nn.Module] = []
    channels = 3
    for block, row in enumerate(WIDTHS[net], 1):
        for place, wide in enumerate(row, 1):
            last = f"conv{block}_{place}" == layer
            out = wide if last else max(1, round(wide * width))
            made.append(nn.Conv2d(channels, out, 3, padding=1))
            if last:
                return made
            made.append(nn.ReLU(inplace=True))
            channels = out
        made.append(nn.MaxPool2d(2))
    raise AssertionError("the layer is among the names")


def as_target(info: NetworkInfo, file: Path) -> str:
    """The command that trains against a feature net.

    Args:
        info: of its file.
        file: that, or its run's folder.
    """
    weights = printable(str(info.extra.get("features", _WEIGHTS)))
    words = [setting(f"{_LOSS}.file", file)]
    words += [] if weights == _WEIGHTS else [setting(f"{_LOSS}.weights", weights)]
    words += [] if info.scale == _SCALE else [f"scale={info.scale}"]
    return training("loss=feature_net", *words)


def trained(file: str | None) -> FeatureNet:
    """A feature net that was trained before, frozen.

    Args:
        file: a run's folder, or its ``last.safetensors``.

    Raises:
        UserError: it is missing, or another network; the sentence says which command makes one.
    """
    if file is None:
        raise UserError(f"file=null names no feature net; make one with `{MAKE}` and give its run's folder")
    path = Path(file).expanduser()
    if path.is_dir():
        path = path / "last.safetensors"
    if not path.is_file():
        raise UserError(f"file={file}: there is no feature net; make one with `{MAKE}` and give its run's folder")
    try:
        network, info = load_network(path)
        check_finite(path, network.state_dict())
    except UserError as error:
        told = str(error).removesuffix(".")
        raise UserError(f"file={file}: {told}; make a feature net with `{MAKE}` and give its run's folder") from error
    if not isinstance(network, FeatureNet):
        raise UserError(
            f"file={file} holds a {type(network).__name__}, no feature net; make one with `{MAKE}` and give its run's "
            "folder"
        )
    network.requires_grad_(False)
    network.weights = info.extra.get("features")
    return network
