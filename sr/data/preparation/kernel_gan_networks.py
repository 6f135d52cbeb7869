"""The two networks of KernelGAN, started from draws."""

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor, nn
from torch.nn import functional

from sr.draws import Draws
from sr.image.resize import cubic


def normal(draws: Draws, name: str, shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers of one sample, float32."""
    uniform = draws.uniform(name, int(np.prod(shape)))[0]
    return torch.from_numpy(ndtri(np.maximum(uniform, 2.0**-54)).astype(np.float32).reshape(shape))


def _xavier(draws: Draws, name: str, shape: tuple[int, int, int, int]) -> nn.Parameter:
    """Glorot's normal start with a gain of 0.1."""
    deviation = 0.1 * (2 / ((shape[0] + shape[1]) * shape[2] * shape[3])) ** 0.5
    return nn.Parameter(normal(draws, name, shape) * deviation)


class Generator(nn.Module):
    """Convolutions in a row without bias or activation, the last one with stride 2.

    Such a network is one correlation with one kernel. The layers are multiplied out first and the crop is filtered
    once: the same function of the weights, with the same gradients, for a fraction of the work.
    """

    def __init__(self, size: int, width: int, draws: Draws) -> None:
        super().__init__()
        sides = [*_sides(size), 1, 1, 1]
        channels = [1, *[width] * (len(sides) - 1), 1]
        self.layers = nn.ParameterList(
            _xavier(draws, f"generator {i}", (channels[i + 1], channels[i], side, side)) for i, side in enumerate(sides)
        )
        with torch.no_grad():  # a negative start has to cross 0, where all gradients of a deep linear network vanish
            self.layers[-1].mul_(1.0 if self.kernel().sum() > 0 else -1.0)

    def kernel(self) -> Tensor:
        """(1, 1, size, size)."""
        layers = list(self.layers)
        product = layers[-1]
        for layer in reversed(layers[:-1]):
            product = functional.conv_transpose2d(product, layer)
        return product


def _sides(size: int) -> tuple[int, int, int]:
    """Sides of three convolutions that reach as far as one of ``size``: 7, 5, 3 for 13."""
    reach = size // 2
    second = round(reach / 3)
    third = max(second - 1, 0)
    return 2 * (reach - second - third) + 1, 2 * second + 1, 2 * third + 1


class Discriminator(nn.Module):
    """Judges patches of 7x7: one 7x7 convolution, then 1x1 ones with batch norm and ReLU, a sigmoid at the end.

    All weights are divided by their spectral norm (Miyato et al. 2018, arXiv 1802.05957, algorithm 1).
    """

    def __init__(self, width: int, draws: Draws, depth: int = 7) -> None:
        super().__init__()
        shapes = [(width, 3, 7, 7), *[(width, width, 1, 1)] * (depth - 2), (1, width, 1, 1)]
        self.weights = nn.ParameterList(_xavier(draws, f"discriminator {i}", s) for i, s in enumerate(shapes))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(shape[0])) for shape in shapes)
        self.gains = nn.ParameterList(
            nn.Parameter(1 + 0.02 * normal(draws, f"batch norm {i}", (width,))) for i in range(depth - 2)
        )
        self.offsets = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(depth - 2))
        for i, shape in enumerate(shapes):
            self.register_buffer(
                f"direction{i}", functional.normalize(normal(draws, f"direction {i}", shape[:1]), dim=0)
            )

    def normalised(self) -> list[Tensor]:
        """The weights over their spectral norms, after one step of power iteration."""
        made = []
        for i, weight in enumerate(self.weights):
            matrix = weight.flatten(1)
            left = self.get_buffer(f"direction{i}")
            with torch.no_grad():
                right = functional.normalize(matrix.T @ left, dim=0)
                left.copy_(functional.normalize(matrix @ right, dim=0))
            made.append(weight / (left.clone() @ matrix @ right))
        return made

    def forward(self, picture: Tensor, weights: list[Tensor]) -> Tensor:
        """(n, 3, h, w) to (1, n (h - 6) (w - 6)), each patch: 1 where it takes it for the picture's own."""
        first = functional.conv2d(picture, weights[0], self.biases[0])
        features = first.transpose(0, 1).flatten(1)  # a 1x1 convolution is a matrix product, and faster as one
        for i, (gain, offset) in enumerate(zip(self.gains, self.offsets, strict=True), start=1):
            features = torch.addmm(self.biases[i][:, None], weights[i].flatten(1), features)
            features = functional.batch_norm(features[None], None, None, gain, offset, training=True).relu()[0]
        return torch.addmm(self.biases[-1][:, None], weights[-1].flatten(1), features).sigmoid()


def bicubic_kernel(size: int) -> Tensor:
    """MATLAB's bicubic of 1/2 as a kernel of this size: (1, 1, size, size), between its middle and the next element."""
    line = cubic((np.arange(size) - size / 2) / 2)
    kernel = np.outer(line, line)
    return torch.from_numpy((kernel / kernel.sum()).astype(np.float32))[None, None]
