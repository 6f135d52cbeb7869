"""The last layer of a network, computed in float32 although the layers before it may run in half precision.

bfloat16 has 8 binary digits: pictures that leave a network in it lie on a grid of 1/256 between 0.5 and 1, which costs
0.3 gray levels in the root mean square and 0.04 dB. So every network ends in one of these, and what follows (moving
[-1, 1] to [0, 1], adding a skip) is float32 as well. `tests/models/test_exact.py` holds all of conf/model to it.
"""

from torch import Tensor, nn

from sr.image.autocast import without_autocast
from sr.models.padding import ConvTranspose2d


class ExactConv2d(nn.Conv2d):
    """A convolution in its weights' own format, outside autocast; arguments and state are `torch.nn.Conv2d`'s."""

    def forward(self, features: Tensor) -> Tensor:
        """Convolve (batch, in_channels, height, width)."""
        weight = self.weight  # read once: spectral normalisation moves its vectors at each reading
        with without_autocast(features.device):
            return self._conv_forward(features.to(weight.dtype), weight, self.bias)


class ExactConvTranspose2d(ConvTranspose2d):
    """A transposed convolution in its weights' own format, outside autocast; otherwise `torch.nn.ConvTranspose2d`."""

    def forward(self, features: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Convolve (batch, in_channels, height, width)."""
        with without_autocast(features.device):
            return super().forward(features.to(self.weight.dtype), output_size)
