"""Networks at work on pictures of any size."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from sr.errors import UserError
from sr.inference.engines.engine import Kind, Precision
from sr.inference.engines.torch import TorchEngine
from sr.inference.reach import reach_of
from sr.inference.rows import Rows, TensorRows, gathered
from sr.inference.tiles import TileSize, tiled
from sr.models.scales import scale_of
from sr.models.upscale import NotFiniteError

Colour = Literal["none", "match", "low"]


class Upscaler:
    """Enlarges pictures, by tiles where they are large.

    Args:
        networks: generators of one scale; their results are averaged.
        device: where to compute.
        engine: what computes.
        precision: number format.
        tile: largest side of a tile in LR pixels; None: as memory allows.
        ensemble: average over the picture's eight turned and mirrored versions.
        scale: of the result; None: the network's.
        colour: "match" gives each channel the input's mean and spread, "low" the input's low frequencies.
        compile: ``torch.compile`` the networks.

    Attributes:
        scale: of the result.
        said: choices that are worth a line, each once.

    Raises:
        UserError: no network, or networks of several scales.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        device: torch.device,
        *,
        engine: Kind = "auto",
        precision: Precision = "32",
        tile: int | None = None,
        ensemble: bool = False,
        scale: float | None = None,
        colour: Colour = "none",
        compile: bool = False,
    ) -> None:
        scales = {scale_of(network) for network in networks}
        if len(scales) != 1:
            raise UserError(f"networks of one scale are averaged, these have {sorted(scales)}; give --model one each")
        self.said: list[str] = []
        self.scale: float = scales.pop()
        self._step = int(self.scale)
        self._engines = [TorchEngine(one, device, precision, compile, self._say) for one in networks]
        self._networks, self._reach = list(networks), -1
        self._tile = TileSize(512 if tile is None else tile)

    def rows(self, source: Rows) -> Rows:
        """The enlarged picture in [0, 1], made as it is read."""
        return tiled(source, self._enlarge, self._step, self._reached(source), self._tile)

    def image(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) in [0, 1] to (n, 3, H, W) in [0, 1]: a picture, or frames of one size."""
        return gathered(self.rows(TensorRows(lr))).to(lr.device)

    def _say(self, line: str) -> None:
        if line not in self.said:
            self.said.append(line)

    def _reached(self, source: Rows) -> int:
        if max(source.height, source.width) <= self._tile.pixels:
            return 0
        if self._reach < 0:
            found = [reach_of(network) for network in self._networks]
            self._reach = max(one if one is not None else 10**6 for one in found)
        return self._reach

    def _enlarge(self, lr: Tensor) -> Tensor:
        total = sum((engine(lr) for engine in self._engines[1:]), self._engines[0](lr)) / len(self._engines)
        if not bool(total.isfinite().all()):
            raise NotFiniteError("what the network makes of this picture is infinite or not a number")
        return total.clamp(0, 1)
