"""Networks at work on pictures of any size."""

import math
from collections.abc import Sequence
from threading import Lock

import torch
from torch import Tensor, nn

from sr.choices import check_choice
from sr.errors import UserError
from sr.inference.colour import Colour, corrected
from sr.inference.engines.choosing import choose_engine, operations_per_pixel
from sr.inference.engines.engine import Engine, Kind, Precision
from sr.inference.engines.torch import TorchEngine
from sr.inference.ensemble import Turn, turns
from sr.inference.memory import bytes_per_pixel, room_on
from sr.inference.reach import Reach, measured_reach
from sr.inference.resizing import resized, size_at
from sr.inference.rows import Rows, TensorRows, gathered
from sr.inference.tiles import Tiling, fitting_side, tiled
from sr.inference.workers import Workers
from sr.models.scales import scale_of
from sr.models.upscale import NotFiniteError

TINY = 128
"""Longest side of pictures that nobody cuts: not worth measuring the network."""

LEAST_TILE = 16
"""Pixels a side."""

_TRIAL_WORTH = 4e12
"""Operations of a picture from which engines are tried: half a minute's work, where a trial takes some seconds."""


class Upscaler:
    """Enlarges pictures, by tiles where they are large; tiles equal the whole picture.

    Args:
        networks: generators of one scale; their results are averaged.
        device: where to compute.
        engine: what computes.
        precision: number format; "auto" is float32 on processors and float16 on GPUs.
        tile: largest side of a tile in LR pixels; None: as memory allows.
        ensemble: average over the picture's eight turned and mirrored versions.
        scale: of the result; None: the network's. Others are reached by applying it once or several times and
            shrinking what that makes.
        colour: "match" gives each channel the input's mean and spread, "low" the input's low frequencies.
        compile: ``torch.compile`` the networks.

    Attributes:
        scale: of the result.
        device: where to compute.
        said: choices that are worth a line, each once.

    Raises:
        UserError: no network, networks of several scales, or an option that does not exist or does not fit.
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
        _check(precision, tile, colour)
        self._step = _one_scale(networks)
        self.scale: float = self._step if scale is None else scale
        self._times = _times(self._step, self.scale)
        self.said: list[str] = []
        self._networks = [network.to(device).eval() for network in networks]
        self.device, self._kind, self._compile, self._colour = device, engine, compile, colour
        half: Precision = "16" if device.type == "cuda" else "32"
        self._precision: Precision = half if precision == "auto" else precision
        self._asked = tile
        self._turns: list[tuple[Turn, Turn]] = turns() if ensemble else turns()[:1]
        self._workers, self._lock = Workers(device), Lock()
        self._engines: list[Engine] = []
        self._exact: dict[int, Engine] = {}
        self._reach: Reach | None = None
        self._per_pixel = 0.0
        if engine != "auto":
            self._engines = self._chosen(None)

    def rows(self, source: Rows) -> Rows:
        """The enlarged picture in [0, 1], made as it is read.

        Reading it raises `NotFiniteError` where a network makes something that is no picture.
        """
        return corrected(source, self._enlarged, self._colour)

    def image(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) in [0, 1] to (n, 3, H, W) in [0, 1]: a picture, or frames of one size.

        Raises:
            NotFiniteError: what a network makes is infinite or not a number.
        """
        return gathered(self.rows(TensorRows(lr))).to(lr.device)

    def computed_by(self, height: int, width: int) -> str:
        """What computes pictures of a size, in words: all that their digits depend on beside networks and options.

        Where that is still open, the network is measured and the engine chosen, as for a first picture of that size.

        Args:
            height: rows of the picture.
            width: columns of it.
        """
        self._enlarged(TensorRows(torch.empty(1).expand(1, 3, height, width)))  # which nobody reads
        names = ", ".join(engine.name for engine in self._engines)
        return f"{names} on {self.device.type}, PyTorch {torch.__version__}"

    def _enlarged(self, source: Rows) -> Rows:
        size = size_at(source.height, source.width, self.scale)
        for _ in range(self._times):
            source = tiled(source, self._on_window, self._step, self._tiling(source))
        return resized(source, size)

    def _tiling(self, source: Rows) -> Tiling:
        """How to cut a picture; the first large one has the network measured and the engine chosen."""
        if max(source.height, source.width) <= min(TINY, self._asked or TINY):
            self._choose(source, TINY)
            return Tiling(TINY, 0, 1, self._workers, shared=False)
        self._measure()
        if self._reach is None:
            self._choose(source, TINY)
            return Tiling(max(source.height, source.width), None, 1, self._workers)
        room, count = room_on(self.device), self._workers.count
        side = self._asked or fitting_side(
            source.width, self._reach.pixels, self._step, self._per_pixel, room / self._times, count
        )
        self._choose(source, side)
        return Tiling(side, *self._reach, self._workers)

    def _measure(self) -> None:
        if self._per_pixel:
            return
        self._per_pixel = max(self._workers.map(bytes_per_pixel, self._networks))
        found = self._workers.map(measured_reach, self._networks)
        known = [reach for reach in found if reach is not None]
        if len(known) < len(found):
            self._say(
                "the network looks at the whole picture, which is therefore enlarged as a whole: tiles would differ"
            )
        else:
            self._reach = Reach(max(reach.pixels for reach in known), max(reach.step for reach in known))

    def _choose(self, source: Rows, side: int) -> None:
        """Choose engines, once; by a trial where the picture is worth it."""
        with self._lock:
            if self._engines:
                return
        work = sum(map(operations_per_pixel, self._networks)) * source.height * source.width * len(self._turns)
        window = torch.rand(1, 3, *(min(side, length) for length in (source.height, source.width)))
        self._engines = self._chosen(window if work > _TRIAL_WORTH else None)

    def _chosen(self, trial: Tensor | None) -> list[Engine]:
        return [
            choose_engine(
                network,
                self._kind,
                self.device,
                self._precision,
                trial,
                workers=self._workers.count,
                compile=self._compile,
                say=self._say,
            )
            for network in self._networks
        ]

    def _say(self, line: str) -> None:
        with self._lock:
            if line not in self.said:
                self.said.append(line)

    def _on_window(self, lr: Tensor) -> Tensor:
        """What the networks make of a window, averaged over them and the picture's turns; not clipped."""
        total: Tensor | None = None
        for turned, back in self._turns:
            for number in range(len(self._engines)):
                sr = back(self._computed(number, turned(lr)))
                total = sr if total is None else total + sr
        assert total is not None
        return total / (len(self._turns) * len(self._engines))

    def _computed(self, number: int, lr: Tensor) -> Tensor:
        """What a network makes of a window, in float32 where half precision does not do.

        Raises:
            NotFiniteError: float32 does not do either.
        """
        sr = self._engines[number](lr)
        if self._precision != "32" and not bool(sr.isfinite().all()):
            self._say(f"{self._engines[number].name} overflows with this network: such tiles are computed in float32")
            with self._lock:
                if number not in self._exact:
                    self._exact[number] = TorchEngine(self._networks[number], self.device)
            sr = self._exact[number](lr)
        if not bool(sr.isfinite().all()):
            raise NotFiniteError("what the network makes of this picture is infinite or not a number")
        return sr


def _check(precision: Precision, tile: int | None, colour: Colour) -> None:
    try:
        check_choice("--precision", precision, Precision)
        check_choice("--colour", colour, Colour)
    except ValueError as error:
        raise UserError(str(error)) from error
    if tile is not None and tile < LEAST_TILE:
        raise UserError(f"--tile {tile} is too small; the smallest tile has {LEAST_TILE} pixels a side")


def _one_scale(networks: Sequence[nn.Module]) -> int:
    scales = [scale_of(network) for network in networks]
    if not scales:
        raise UserError("there is no network; name one with --model")
    if len(set(scales)) > 1:
        listed = ", ".join(f"x{scale}" for scale in scales)
        raise UserError(f"networks are averaged where they have one scale, and these have {listed}; give one of them")
    return scales[0]


def _times(step: int, scale: float) -> int:
    """How often a network is applied to reach a scale.

    Raises:
        UserError: it never does.
    """
    if not (math.isfinite(scale) and scale > 0):
        raise UserError(f"--scale {scale} is no scale; give a number above 0, as 2 or 1.5")
    times, reached = 1, step
    while reached < scale:
        if step == 1:
            raise UserError(f"--scale {scale:g} is out of reach of a network that does not enlarge; leave it out")
        times, reached = times + 1, reached * step
    return times
