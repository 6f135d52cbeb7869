"""Blur: one kernel per sample, drawn from families of kernels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sr.degradations import kernels as families
from sr.degradations.filters import by_fourier
from sr.degradations.pictures import Pictures, portions, to_device, write
from sr.degradations.ranges import Number, checked_range, checked_share, checked_sizes, checked_whole, settle
from sr.draws import Draws

KINDS = (
    "iso",
    "aniso",
    "generalised_iso",
    "generalised_aniso",
    "plateau_iso",
    "plateau_aniso",
    "box",
    "motion",
)
"""Families of kernels that `Blur` chooses from."""


_LOST = 1e-6
"""How much of a kernel's absolute weight may be cut off at its rim."""


@dataclass(frozen=True)
class Blur:
    """Blur each sample with a kernel of its own; borders are mirrored, the size stays.

    The defaults are the first blur of Real-ESRGAN (arXiv 2107.10833, section 3.1) but for ``kinds`` and ``sinc``,
    which that paper sets to 0.45, 0.25, 0.12, 0.03, 0.12, 0.03 (iso to plateau_aniso) and 0.1.

    Attributes:
        kinds: weight of each of `KINDS`; left-out ones do not occur.
        sinc: share of the blurred samples that get a sinc kernel instead of one of ``kinds``.
        size: smallest and largest size of a kernel, odd pixels; every odd size between is equally likely.
        sigma: standard deviation in pixels; anisotropic kinds draw one for each axis.
        rotation: of anisotropic and motion kernels, radians.
        beta_generalised: shape of generalised Gaussians; half of the samples draw below 1 where the range spans 1.
        beta_plateau: shape of plateau kernels, drawn likewise.
        box: smallest and largest side of a box, pixels; even ones count.
        length: of a motion, pixels.
        cutoff: of the sinc kernels, see `Sinc`.
        probability: of blurring a sample at all.

    Raises:
        ValueError: a setting is out of its range.
    """

    kinds: Mapping[str, Number] = field(default_factory=lambda: {"iso": 1.0})
    sinc: Number = 0.0
    size: Sequence[int] = (7, 21)
    sigma: Sequence[Number] = (0.2, 3.0)
    rotation: Sequence[Number] = (-math.pi, math.pi)
    beta_generalised: Sequence[Number] = (0.5, 4.0)
    beta_plateau: Sequence[Number] = (1.0, 2.0)
    box: Sequence[int] = (3, 3)
    length: Sequence[Number] = (3.0, 15.0)
    cutoff: Sequence[Number] | None = None
    probability: Number = 1.0

    def __post_init__(self) -> None:
        settle(self, "kinds", _weights(self.kinds))
        settle(self, "sinc", checked_share("sinc", self.sinc))
        settle(self, "size", checked_sizes("size", self.size))
        settle(self, "sigma", checked_range("sigma", self.sigma, 0.01, 1000))
        settle(self, "rotation", checked_range("rotation", self.rotation, -1000, 1000))
        settle(self, "beta_generalised", checked_range("beta_generalised", self.beta_generalised, 0.05, 100))
        settle(self, "beta_plateau", checked_range("beta_plateau", self.beta_plateau, 0.05, 100))
        settle(self, "box", checked_whole("box", self.box, 1, 999))
        settle(self, "length", checked_range("length", self.length, 0, 999))
        settle(self, "cutoff", _cutoff(self.cutoff))
        settle(self, "probability", checked_share("probability", self.probability))

    @property
    def canvas(self) -> int:
        """Odd side that holds every kernel that these settings can draw."""
        sides = [1]
        if self.sinc or set(self.kinds) - {"box", "motion"}:
            sides.append(self.size[1])
        if "box" in self.kinds:
            sides.append(self.box[1] // 2 * 2 + 1)
        if "motion" in self.kinds:
            sides.append(math.ceil(self.length[1] / 2) * 2 + 3)
        return max(sides)

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Blur the samples that chance picks."""
        return _blurred(pictures, draws, draws.chance("blur", self.probability), self)

    def kernels(self, draws: Draws) -> np.ndarray:
        """One kernel per sample, float32 (batch, canvas, canvas)."""
        names = [*self.kinds, "sinc"]
        total = sum(self.kinds.values())
        shares = [(1 - self.sinc) * weight / total for weight in self.kinds.values()]
        chosen = draws.choice("kind", [*shares, self.sinc])
        draws.note("kind", [names[i] for i in chosen.tolist()])
        made = np.empty((len(draws), self.canvas, self.canvas), dtype=np.float32)
        for i in np.unique(chosen):
            made[chosen == i] = self._of(names[i], draws.at(chosen == i))
        return made

    def _of(self, kind: str, draws: Draws) -> np.ndarray:
        if kind == "sinc":
            return _sinc_kernels(self.canvas, self.size, self.cutoff, draws)
        if kind == "box":
            sides = self.box[0] + draws.integers("box", self.box[1] - self.box[0] + 1)
            draws.note("size", sides)
            return families.box(self.canvas, sides)
        theta = draws.between("rotation", *self.rotation)
        if kind == "motion":
            length = draws.between("length", *self.length)
            draws.note("length", length)
            draws.note("rotation", theta)
            return families.motion(self.canvas, length, theta)
        return self._bell(kind, theta, draws)

    def _bell(self, kind: str, theta: np.ndarray, draws: Draws) -> np.ndarray:
        sizes = _odd_sizes(self.size, draws)
        sigma_x = draws.between("sigma", *self.sigma)
        sigma_y = sigma_x
        draws.note("size", sizes)
        draws.note("sigma", sigma_x)
        if kind.endswith("aniso"):
            sigma_y = draws.between("sigma_y", *self.sigma)
            draws.note("sigma_y", sigma_y)
            draws.note("rotation", theta)
        else:
            theta = np.zeros_like(theta)
        if not kind.startswith(("generalised", "plateau")):
            return families.gaussian(self.canvas, sizes, sigma_x, sigma_y, theta)
        generalised = kind.startswith("generalised")
        beta = _around_one(self.beta_generalised if generalised else self.beta_plateau, draws)
        draws.note("beta", beta)
        family = families.generalised_gaussian if generalised else families.plateau
        return family(self.canvas, sizes, sigma_x, sigma_y, theta, beta)


@dataclass(frozen=True)
class Sinc:
    """Filter each sample with a sinc kernel: the ringing of sharpened and resampled pictures.

    Source: Real-ESRGAN (arXiv 2107.10833), section 3.2. Its last filter draws ``cutoff`` from [pi/3, pi] whatever
    the size: set ``cutoff: [1.0472, 3.1416]`` and ``probability: 0.8`` for that one.

    Attributes:
        size: smallest and largest size of a kernel, odd pixels.
        probability: of filtering a sample.
        cutoff: in radians per pixel, (0, pi]; None draws from [pi/3, pi] for sizes below 13, else from [pi/5, pi].

    Raises:
        ValueError: a setting is out of its range.
    """

    size: Sequence[int] = (7, 21)
    probability: Number = 1.0
    cutoff: Sequence[Number] | None = None

    def __post_init__(self) -> None:
        settle(self, "size", checked_sizes("size", self.size))
        settle(self, "probability", checked_share("probability", self.probability))
        settle(self, "cutoff", _cutoff(self.cutoff))

    def __call__(self, pictures: Pictures, draws: Draws) -> Pictures:
        """Filter the samples that chance picks."""
        return _blurred(pictures, draws, draws.chance("sinc", self.probability), self)

    def kernels(self, draws: Draws) -> np.ndarray:
        """One kernel per sample, float32 (batch, largest size, largest size)."""
        return _sinc_kernels(self.size[1], self.size, self.cutoff, draws)


def _blurred(pictures: Pictures, draws: Draws, where: np.ndarray, stage: Blur | Sinc) -> Pictures:
    """Pictures with as much of their kernels as matters; what is computed by itself, at its own size, too."""
    if not where.any():
        return pictures
    kernels, positions = stage.kernels(draws.at(where)), np.flatnonzero(where)
    made = pictures.pixels.clone()
    for part in portions(len(positions), pictures.together):
        some, core = pictures.at(positions[part]).trimmed(), _cores(kernels[part])
        if core.shape[-1] > 1:
            extended = some.mirrored(core.shape[-1] // 2)
            # Sizes differ from batch to batch: a direct convolution would be planned anew for each.
            write(made, positions[part], by_fourier(extended, to_device(core, made.device)))
    return pictures.with_pixels(made)


def _cores(kernels: np.ndarray) -> np.ndarray:
    """The middles outside of which nothing that matters lies, on one canvas, each with the sum 1."""
    cut = (kernels.shape[-1] - int(needed_sides(kernels, _LOST).max())) // 2
    cores = kernels[:, cut : kernels.shape[-1] - cut, cut : kernels.shape[-1] - cut]
    return cores / cores.sum((1, 2), keepdims=True)


def needed_sides(kernels: np.ndarray, lost: float) -> np.ndarray:
    """Odd side of each kernel's middle, outside of which lies at most the share ``lost`` of its absolute weight.

    Args:
        kernels: (batch, k, k), k odd.
        lost: share, in [0, 1).

    Returns:
        int64 (batch,), 1 to k.
    """
    k = kernels.shape[-1]
    distance = np.abs(np.arange(k) - k // 2)
    ring = np.maximum(distance[:, None], distance[None, :])
    # Weight of each square ring, then of everything outside of it.
    rings = np.stack([np.abs(kernels[:, ring == r]).sum(1, dtype=np.float64) for r in range(k // 2 + 1)], axis=1)
    outside = rings[:, ::-1].cumsum(1)[:, ::-1]
    return 2 * (outside > lost * outside[:, :1]).sum(1) - 1


def _sinc_kernels(canvas: int, size: Sequence[int], cutoff: Sequence[Number] | None, draws: Draws) -> np.ndarray:
    sizes = _odd_sizes(size, draws)
    if cutoff is None:
        low = np.where(sizes < 13, math.pi / 3, math.pi / 5)
        omega = low + (math.pi - low) * draws.uniform("cutoff")[:, 0]
    else:
        omega = draws.between("cutoff", *cutoff)
    draws.note("size", sizes)
    draws.note("cutoff", omega)
    return families.sinc(canvas, sizes, omega)


def _odd_sizes(size: Sequence[int], draws: Draws) -> np.ndarray:
    return size[0] + 2 * draws.integers("size", (size[1] - size[0]) // 2 + 1)


def _around_one(beta: Sequence[Number], draws: Draws) -> np.ndarray:
    low, high = beta
    if not low < 1 < high:
        return draws.between("beta", low, high)
    return np.where(draws.chance("below_one", 0.5), draws.between("beta", low, 1), draws.between("beta", 1, high))


def _cutoff(value: Sequence[Number] | None) -> tuple[float, float] | None:
    # 3.1416 is a little more than pi, and what people write.
    return None if value is None else checked_range("cutoff", value, 0.01, 3.1416)


def _weights(kinds: Mapping[str, Number]) -> dict[str, float]:
    for kind, weight in kinds.items():
        if kind not in KINDS:
            hint = "; a sinc kernel has a share of its own, sinc=0.1" if kind == "sinc" else ""
            raise ValueError(f"kinds.{kind} is not one of {', '.join(KINDS)}{hint}")
        if not 0 <= weight < math.inf:
            raise ValueError(f"kinds.{kind}={weight:g} must be a weight of at least 0")
    made = {kind: float(weight) for kind, weight in kinds.items() if weight > 0}
    if not made:
        raise ValueError("kinds has no weight above 0; give one, such as kinds={iso: 1}")
    return made
