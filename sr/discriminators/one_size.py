"""What the discriminators for one size share: two fully connected layers to one verdict on the whole picture."""

from collections.abc import Sequence

from torch import nn

from sr.discriminators.contract import check_shown, check_side
from sr.types import Image, Logits


class OneSize(nn.Module):
    """Layers that shrink the picture, then Linear, LeakyReLU, Linear: the first of these fixes the size.

    Args:
        in_channels: that are shown.
        side: height and width of the pictures.
        layers: from a picture to ``channels`` maps of a side ``shrinks`` times smaller.
        shrinks: see ``layers``.
        channels: see ``layers``.
        hidden: outputs of the first fully connected layer.
        negative_slope: of its LeakyReLU.

    Raises:
        ValueError: ``side`` is no multiple of ``shrinks``, or not at least twice that.
    """

    cell: int | None = None
    margin: int = 0

    def __init__(
        self,
        in_channels: int,
        side: int,
        layers: Sequence[nn.Module],
        shrinks: int,
        channels: int,
        hidden: int,
        negative_slope: float,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.side: int | None = check_side(type(self).__name__, side, shrinks)
        self.smallest_side = side
        self.layers = nn.Sequential(*layers)
        self.verdict = nn.Sequential(
            nn.Linear(channels * (side // shrinks) ** 2, hidden),
            nn.LeakyReLU(negative_slope, inplace=True),
            nn.Linear(hidden, 1),
        )

    def forward(self, shown: Image) -> Logits:
        """Judge (batch, in_channels, side, side) in [0, 1] by one logit each: (batch, 1, 1, 1).

        Raises:
            UserError: channels or a size that do not fit.
        """
        check_shown(self, shown)
        return self.verdict(self.layers(shown).flatten(1))[:, :, None, None]
