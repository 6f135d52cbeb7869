"""Networks at work on pictures of any size."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from threading import Lock

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sr.errors import UserError
from sr.inference.colour import Colour, corrected
from sr.inference.engines.choosing import choose_engine, operations_per_pixel
from sr.inference.engines.engine import RIVALS, Engine, Kind, Precision
from sr.inference.engines.torch import TorchEngine
from sr.inference.ensemble import Turn, turns
from sr.inference.memory import bytes_per_pixel, memory_on
from sr.inference.planning import CUT, MARGIN, Work, exact_plan, plan
from sr.inference.reach import Reach, measured_reach
from sr.inference.resizing import resized, size_at
from sr.inference.rows import Rows, TensorRows, gathered
from sr.inference.settings import check_settings
from sr.inference.tiles import Tiling, tiled
from sr.inference.workers import Workers
from sr.models.scales import scale_of
from sr.models.upscale import NotFiniteError

TINY = 128
"""Longest side of pictures that nobody cuts: not worth measuring the network."""

_TRIAL_WORTH = 4e12
"""Operations of a picture from which engines are tried: half a minute's work, where a trial takes some seconds."""

_TRIAL = 1024
"""Pixels a side of a trial's window, at most."""

_AND, _ON = " and ", " on "
"""Between names of engines, and before that of the device."""


class Upscaler:
    """Enlarges pictures, by tiles where they are large; these equal the whole picture, or `said` has a line.

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
        exact: tiles equal the whole picture whatever that takes: no margins where memory is short.

    Attributes:
        scale: of the result.
        device: where to compute.
        said: choices that are worth a line, each once.
        waiting: about how many pictures like the next one there are: trying engines may be worth it for all of them.
        tell: gets each line of ``said`` at once.

    Raises:
        UserError: no network, networks of several scales, or a setting that does not exist or does not fit, which is
            told as Python has it: ``tile=3``.
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
        exact: bool = False,
    ) -> None:
        check_settings(engine, precision, colour, tile, scale, compile)
        self._step = _one_scale(networks)
        self.scale: float = self._step if scale is None else scale if isinstance(scale, int) else float(scale)
        self._times = _times(self._step, self.scale)
        self.said: list[str] = []
        self.waiting = 1
        self.tell: Callable[[str], object] = lambda line: None
        self._networks = [network.to(device).eval() for network in networks]
        self.recolours = any(getattr(network, "recolours", False) for network in networks)
        """Gray pictures are not to stay gray."""
        self._normalised = any(
            isinstance(part, nn.InstanceNorm2d) for network in networks for part in network.modules()
        )
        self.device, self._kind, self._compile, self._colour = device, engine, compile, colour
        half: Precision = "16" if device.type == "cuda" else "32"
        self._precision: Precision = half if precision == "auto" else precision
        self._exactly = exact
        self._asked = None if tile is None else int(tile)  # of any kind of whole number
        self._turns: list[Turn] = turns() if ensemble else turns()[:1]
        self._workers, self._lock, self._preparing = Workers(device), Lock(), Lock()
        self._few = {self._workers.count: self._workers}  # by how many windows memory holds at once
        self._untried = engine == "auto" and device.type == "cpu" and not compile  # whether a trial is yet to come
        self._engines: list[Engine] = [] if engine == "auto" else self._chosen(None)
        self._exact: dict[int, Engine] = {}
        self._operations = self._per_pixel = 0.0
        self._reach: Reach | None = None

    def rows(self, source: Rows) -> Rows:
        """The enlarged picture in [0, 1], made as it is read.

        Reading it raises `NotFiniteError` where a network makes something that is no picture.
        """
        batch = source.pictures.shape[0] if isinstance(source, TensorRows) else 1
        return corrected(source, partial(self._enlarged, batch=batch), self._colour)

    def image(self, lr: Tensor) -> Tensor:
        """Enlarge (n, 3, h, w) in [0, 1] to (n, 3, H, W) in [0, 1]: a picture, or frames of one size.

        Raises:
            NotFiniteError: what a network makes is infinite or not a number.
        """
        if self._normalised and len(lr) > 1:  # whole pictures, of which memory may hold one
            return torch.cat([self.image(one[None]) for one in lr])
        return gathered(self.rows(TensorRows(lr))).to(lr.device)

    def computed_by(self, height: int, width: int, count: int = 1, before: str = "") -> str:
        """What computes pictures of a size, in words: all that their digits depend on beside networks and options.

        Where that is still open, the network is measured and the engine chosen, as for a first picture of that work.

        Args:
            height: rows of a picture.
            width: columns of it.
            count: of pictures.
            before: lines that this said when the work was begun: the first one's engines are taken that are there.
        """
        here = f"{_ON}{self.device.type}, PyTorch {torch.__version__}"
        for words in before.splitlines():
            if self._untried and words.endswith(here):
                self._take(words.removesuffix(here).split(_AND))
        self._enlarged(TensorRows(torch.empty(1).expand(1, 3, height, width)), count)  # which nobody reads
        return _AND.join(engine.name for engine in self._engines) + here

    def _take(self, names: Sequence[str]) -> None:
        """Take engines by their names, where these are as many as the networks and are installed."""
        kinds = [kind for name in names for kind in RIVALS if name.lower().startswith(kind)]
        if len(kinds) == len(names) == len(self._networks):
            with suppress(UserError):  # removed meanwhile: it is chosen anew
                self._engines = [self._made(*pair) for pair in zip(self._networks, kinds, strict=True)]
                self._untried = False

    def _enlarged(self, source: Rows, count: int = 1, batch: int = 1) -> Rows:
        size = size_at(source.height, source.width, self.scale)
        with self._preparing:  # several threads may share an upscaler
            tilings = self._tilings(source, batch)
            side = TINY if tilings[0].reach is None else tilings[0].side
            on_window = partial(self._on_window, self._chosen_for(source, side, max(count, self.waiting)))
        for tiling in tilings:
            source = tiled(source, on_window, self._step, tiling)
        return resized(source, size)

    def _tilings(self, source: Rows, batch: int) -> list[Tiling]:
        """How to cut a picture, each time that the networks are applied; the first large one has them measured."""
        sizes = [(source.height * self._step**time, source.width * self._step**time) for time in range(self._times)]
        return [self._tiling(size, batch) for size in sizes]

    def _tiling(self, size: tuple[int, int], batch: int) -> Tiling:
        if max(size) <= min(TINY, self._asked or TINY):
            return Tiling(TINY, 0, 1, self._workers, shared=False)
        self._measure()
        per_pixel = self._per_pixel * (1 if self._workers.split else batch)
        work = Work(size, self._step, per_pixel, self._workers.count, self._normalised)
        margin = None if self._exactly or (work.normalised and self._asked is None) else self._turned(MARGIN)
        memory = memory_on(self.device, self._times)
        if self._exactly:
            found = exact_plan(work, self._reach, memory, self._asked)
        else:
            found = plan(work, self._reach, memory, self._asked, margin or MARGIN)
        if found.said is not None and not any(found.said.startswith(line.partition(":")[0]) for line in self.said):
            self._say(found.said)  # once, though how many times as much it is differs from picture to picture
        workers = self._few.setdefault(found.workers, Workers(self.device, found.workers))
        reach, step = found.reach or (None, 1)
        return Tiling(found.side, reach, step, workers, margin=margin, cut=partial(self._say, CUT))

    def _measure(self) -> None:
        if self._per_pixel:
            return
        per_pixel = max(bytes_per_pixel(network) for network in self._networks)
        found = [measured_reach(network) for network in self._networks]
        known = [reach for reach in found if reach is not None]
        if len(known) == len(found):
            self._reach = self._turned(Reach(max(reach.pixels for reach in known), max(reach.step for reach in known)))
        self._per_pixel = per_pixel

    def _turned(self, reach: Reach) -> Reach:
        """What pictures that are turned need, see `_on_window`."""
        return Reach(reach.pixels + (reach.step - 1 if len(self._turns) > 1 else 0), reach.step)

    def _chosen_for(self, source: Rows, side: int, count: int) -> list[Engine]:
        """Engines for a picture: by a trial at the first one that is worth it, and from then on these.

        Args:
            source: the picture.
            side: of its tiles.
            count: of such pictures.
        """
        self._operations = self._operations or sum(map(operations_per_pixel, self._networks))
        work = self._operations * source.height * source.width * len(self._turns) * count
        worth = self._untried and work > _TRIAL_WORTH
        if worth or not self._engines:
            self._engines = self._chosen(_noise(source, min(side, _TRIAL)) if worth else None)
        self._untried = self._untried and not worth
        return self._engines

    def _chosen(self, trial: Tensor | None) -> list[Engine]:
        return [self._made(network, self._kind, trial) for network in self._networks]

    def _made(self, network: nn.Module, kind: Kind, trial: Tensor | None = None) -> Engine:
        return choose_engine(
            network,
            kind,
            self.device,
            self._precision,
            trial,
            workers=self._workers.count,
            compile=self._compile,
            say=self._say,
        )

    def _say(self, line: str) -> None:
        with self._lock:
            if line not in self.said:
                self.said.append(line)
                self.tell(line)

    def _on_window(self, engines: Sequence[Engine], lr: Tensor, over: tuple[int, int]) -> Tensor:
        """What the networks make of a window, averaged over them and the picture's turns; not clipped.

        Args:
            engines: a network each.
            lr: (n, 3, h, w).
            over: rows and columns to leave out at the end, where a turn begins there: networks that fold pixels would
                begin to count at another pixel than in the whole picture turned. They are zeros in the result.
        """
        total: Tensor | None = None
        for turn in self._turns:
            below, right = over[0] * turn.upwards, over[1] * turn.leftwards
            turned = turn.there(lr[..., : lr.shape[-2] - below, : lr.shape[-1] - right])
            for number, engine in enumerate(engines):
                sr = pad(
                    turn.back(self._computed(number, engine, turned)), (0, self._step * right, 0, self._step * below)
                )
                total = sr if total is None else total + sr
        assert total is not None
        return total / (len(self._turns) * len(engines))

    def _computed(self, number: int, engine: Engine, lr: Tensor) -> Tensor:
        """What a network makes of a window, in float32 where half precision does not do.

        Raises:
            NotFiniteError: float32 does not do either.
        """
        sr = engine(lr)
        if self._precision != "32" and not bool(sr.isfinite().all()):
            self._say(f"{engine.name} overflows with this network: such tiles are computed in float32")
            with self._lock:
                if number not in self._exact:
                    self._exact[number] = TorchEngine(self._networks[number], self.device)
            sr = self._exact[number](lr)
        if not bool(sr.isfinite().all()):
            raise NotFiniteError("what the network makes of this picture is infinite or not a number")
        return sr


def _noise(source: Rows, side: int) -> Tensor:
    """A window of noise, as large as a picture's tile; how long networks take is the same for all pictures."""
    generator = torch.Generator().manual_seed(0)  # the caller's own draws stay as they are
    return torch.rand(1, 3, min(side, source.height), min(side, source.width), generator=generator)


def _one_scale(networks: Sequence[nn.Module]) -> int:
    scales = [scale_of(network) for network in networks]
    if not scales:
        raise UserError("there is no network; name at least one")
    if len(set(scales)) > 1:
        listed = ", ".join(f"x{scale}" for scale in scales)
        raise UserError(f"networks are averaged where they have one scale, and these have {listed}; give one of them")
    return scales[0]


def _times(step: int, scale: float) -> int:
    """How often a network is applied to reach a scale.

    Raises:
        UserError: it never does.
    """
    times, reached = 1, step
    while reached < scale:
        if step == 1:
            raise UserError(f"scale={scale:g} is out of reach of a network that does not enlarge; leave it out")
        times, reached = times + 1, reached * step
    return times
