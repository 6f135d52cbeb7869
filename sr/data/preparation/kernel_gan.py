"""KernelGAN: the blur kernel of one picture, estimated from that picture alone.

Bell-Kligler, Shocher, Irani 2019, "Blind Super-Resolution Kernel Estimation using an Internal-GAN",
arXiv 1909.06581. Small patches recur in a picture at several sizes, so the kernel that made the picture is the one
with which shrinking it keeps the distribution of its patches. A linear generator shrinks crops of the picture, a
discriminator tells its patches from the picture's own, and the generator's layers multiply out to the kernel.

Convention of every kernel here: it is a *correlation* kernel k of odd side n for a stride of s, applied as
``lr[i] = sum_j k[j] hr[s i + j - (n - 1) / 2]`` (PyTorch's ``conv2d`` with padding (n - 1) / 2, first sample at 0).
Its centre of mass lies (s - 1) / 2 right of and below the middle element, so that the low-resolution picture is not
shifted against the other one (pixel areas stay in place, as with MATLAB's ``imresize``). The paper's own code
stores its kernels the same way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import center_of_mass, uniform_filter
from scipy.ndimage import shift as shifted
from torch import Tensor
from torch.nn import functional

from sr.data.preparation.kernel_gan_networks import Discriminator, Generator, bicubic_kernel, normal
from sr.draws import Draws
from sr.image.io import to_image
from sr.image.resize import bicubic
from sr.types import UserError

CROP = 64
"""Side of the generator's crops."""

_BUSY_SHARE = 0.03  # of the pixels count as edges when crops are chosen
_START = 200  # steps towards bicubic before training
_CHUNK = 100  # updates whose random numbers are drawn at once


@dataclass(frozen=True)
class KernelGan:
    """Settings of an estimate; the defaults are the paper's code's.

    Attributes:
        size: side of the x2 kernel in pixels, odd, 9 to 21.
        updates: of generator and discriminator.
        crops: that each of the two sees per update; 1 in the paper's code.
        width: channels of both networks.
        lr: learning rate of both, a tenth after each quarter of the updates.
        significant: the weakest of so many strongest values decides what is negligible in the kernel.

    Raises:
        ValueError: a setting is out of range.
    """

    size: int = 13
    updates: int = 3000
    crops: int = 1
    width: int = 64
    lr: float = 2e-4
    significant: int = 40

    def __post_init__(self) -> None:
        if not (9 <= self.size <= 21 and self.size % 2 == 1):
            near = min(max(self.size // 2 * 2 + 1, 9), 21)
            raise ValueError(f"size={self.size} must be odd and 9 to 21; the nearest is {near}")
        if self.updates < 1:
            raise ValueError(f"updates={self.updates} must be at least 1; 3000 is usual")

    def estimate(
        self,
        pixels: np.ndarray,
        draws: Draws,
        device: torch.device | None = None,
        on_update: Callable[[int], None] | None = None,
    ) -> np.ndarray:
        """Estimate the x2 kernel of a picture.

        Args:
            pixels: (height, width, 3), uint8 or uint16.
            draws: random numbers of a single sample; others give another estimate.
            device: where to compute, by default the CPU.
            on_update: called with the number of updates done, now and then.

        Returns:
            (size, size) float64, sums to 1, not negative, aligned as the module says.

        Raises:
            UserError: the picture is too small or flat.
            ArithmeticError: training diverged or was too short; other draws may do better.
        """
        crops = _Crops(pixels, self, draws, device or torch.device("cpu"))
        training = _Training(self, draws, crops.device)
        for update in range(self.updates):
            training.step(*crops.at(update), update)
            if on_update is not None and (update + 1) % 50 == 0:
                on_update(update + 1)
        raw = training.generator.kernel().detach()[0, 0].double().cpu().numpy()
        if not (np.isfinite(raw).all() and 0.5 < raw.sum() < 2):
            raise ArithmeticError(f"after {self.updates} updates the kernel sums to {raw.sum():.3g} instead of about 1")
        return aligned(significant(raw, self.significant), 2)


def significant(kernel: np.ndarray, count: int) -> np.ndarray:
    """Subtract what is negligible: three quarters of the (count + 1)-th largest value, at least 0; sum to 1.

    Args:
        kernel: (n, n).
        count: how many values stay for certain.
    """
    ordered = np.sort(kernel, axis=None)
    floor = max(0.75 * float(ordered[max(len(ordered) - count - 1, 0)]), 0.0)
    kept = np.maximum(kernel - floor, 0)
    return kept / kept.sum()


def aligned(kernel: np.ndarray, scale: int) -> np.ndarray:
    """Move the centre of mass to (n - 1) / 2 + (scale - 1) / 2, where a stride of ``scale`` shifts nothing.

    A picture alone cannot tell a shift of the kernel from a shift of its content, so this is a choice.

    Args:
        kernel: (n, n) with n odd, not negative.
        scale: the stride it is used with.

    Returns:
        (n, n), sums to 1. Values that move out of the canvas are lost.
    """
    wanted = (kernel.shape[0] - 1) / 2 + (scale - 1) / 2
    moved = kernel
    for _ in range(3):  # what is cut off at the border and below 0 moves the centre of mass a little
        offset = [wanted - found for found in center_of_mass(moved)]
        moved = np.maximum(shifted(moved, offset, order=3, mode="constant"), 0)
    return moved / moved.sum()


def squared(kernel: np.ndarray) -> np.ndarray:
    """The x4 kernel that does what the x2 kernel does twice (the paper's supplementary, "analytic" kernel).

    k4 = k * (k stretched by 2 with zeros between): a stride of 2 after a stride of 2. The outer part, where next to
    nothing is left, is cut off as in the paper's code.

    Args:
        kernel: (n, n), for a stride of 2.

    Returns:
        (3 n - 2 - 2 (n // 2),) * 2, odd for odd n, sums to 1; centre of mass 1.5 off its middle element.
    """
    side = kernel.shape[0]
    full = np.zeros((3 * side - 2, 3 * side - 2))
    for row in range(side):
        for column in range(side):
            full[2 * row : 2 * row + side, 2 * column : 2 * column + side] += kernel[row, column] * kernel
    cut = side // 2
    inner = full[cut:-cut, cut:-cut]
    return inner / inner.sum()


def widths(kernel: np.ndarray) -> tuple[float, float]:
    """Standard deviations along the kernel's long and short axis, in pixels: the sigmas, were it a Gaussian.

    Args:
        kernel: (n, n), not negative.
    """
    rows, columns = np.indices(kernel.shape)
    places = np.stack((rows.ravel(), columns.ravel()))
    narrow, wide = np.linalg.eigvalsh(np.cov(places, aweights=kernel.ravel(), ddof=0))
    return float(np.sqrt(max(wide, 0))), float(np.sqrt(max(narrow, 0)))


class _Crops:
    """What generator and discriminator see at each update, chosen where the picture has edges."""

    def __init__(self, pixels: np.ndarray, settings: KernelGan, draws: Draws, device: torch.device) -> None:
        height, width = (side // 2 * 2 for side in pixels.shape[:2])
        if min(height, width) < CROP + 4:
            raise UserError(f"{width}x{height} pixels are too few to estimate a kernel; {CROP + 4} a side is the least")
        self.device = device
        self.inner = (CROP - settings.size) // 2 + 1
        self.picture = (to_image(np.ascontiguousarray(pixels[:height, :width])) * 2 - 1).to(device)
        half = bicubic((self.picture.cpu() + 1) / 2, 0.5)
        self.crops, count = settings.crops, settings.crops * settings.updates
        coarse = np.kron(_edges(half[0].numpy()), np.ones((2, 2)))
        fine = _edges((self.picture[0].cpu().numpy() + 1) / 2)
        self.for_generator = _places(coarse, CROP, draws.uniform("generator crops", count)[0])
        self.for_discriminator = _places(fine, self.inner, draws.uniform("discriminator crops", count)[0])
        self.draws = draws
        self.noise = torch.empty(0)

    def at(self, update: int) -> tuple[Tensor, Tensor, Tensor]:
        """(generator's crops, discriminator's real crops, noise to add to real and fake).

        Shapes: (crops, 3, 64, 64), (crops, 3, inner, inner), (2, crops, 3, inner, inner).
        """
        if update % _CHUNK == 0:
            shape = (_CHUNK, 2, self.crops, 3, self.inner, self.inner)
            self.noise = normal(self.draws, f"noise {update}", shape).to(self.device) * (2 / 255)
        seen = slice(update * self.crops, (update + 1) * self.crops)
        large = self._cut(self.for_generator[seen], CROP)
        return large, self._cut(self.for_discriminator[seen], self.inner), self.noise[update % _CHUNK]

    def _cut(self, corners: np.ndarray, side: int) -> Tensor:
        cuts = [self.picture[..., top : top + side, left : left + side] for top, left in corners.tolist()]
        return torch.cat(cuts)


def _edges(picture: np.ndarray) -> np.ndarray:
    """(height, width) share of edge pixels nearby: the strongest gradients along x, y and in all, as the paper does.

    Args:
        picture: (3, height, width).
    """
    gray = np.tensordot([0.299, 0.587, 0.114], picture, 1)
    along_y, along_x = np.gradient(gray)
    found = np.zeros_like(gray)
    for strength in (np.abs(along_x), np.abs(along_y), np.hypot(along_x, along_y)):
        found += (strength >= np.quantile(strength, 1 - _BUSY_SHARE)) & (strength > 0)
    return uniform_filter(found, 5, mode="constant")


def _places(edges: np.ndarray, side: int, uniform: np.ndarray) -> np.ndarray:
    """(n, 2) even top left corners of crops whose middle has edges; each as likely as it has many."""
    near = np.maximum(uniform_filter(edges, side // 2, mode="constant"), 0)
    last = [length - side for length in edges.shape]
    middle = near[side // 2 : side // 2 + last[0] + 1, side // 2 : side // 2 + last[1] + 1][::2, ::2]
    if not middle.sum() > 0:
        raise UserError("there are no edges to estimate a kernel from; leave flat pictures out")
    cumulative = np.cumsum(middle.ravel())
    index = np.minimum(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"), middle.size - 1)
    return 2 * np.stack(np.unravel_index(index, middle.shape), axis=1)


class _Training:
    """The two networks, their optimizers and the weights of the constraints (section 4.2 and the paper's code)."""

    def __init__(self, settings: KernelGan, draws: Draws, device: torch.device) -> None:
        self.settings = settings
        self.generator = Generator(settings.size, settings.width, draws).to(device)
        self.discriminator = Discriminator(settings.width, draws).to(device)
        self.optimizers = [
            torch.optim.Adam(network.parameters(), lr=settings.lr, betas=(0.5, 0.999), fused=True)
            for network in (self.generator, self.discriminator)
        ]
        self.bicubic = bicubic_kernel(settings.size).to(device)
        self.border = _border_penalty(settings.size).to(device)
        self.places = torch.arange(settings.size, dtype=torch.float32, device=device)
        self.bicubic_weight, self.sparse_weight, self.centre_weight = 20.0, 0.0, 0.0
        self._start_at_bicubic()

    def step(self, large: Tensor, small: Tensor, noise: Tensor, update: int) -> None:
        """One update of the generator, then one of the discriminator."""
        weights = self.discriminator.normalised()
        frozen = [weight.detach() for weight in weights]
        kernel = self.generator.kernel()
        fake = _shrunk(large, kernel)
        judged = self.discriminator(fake, frozen)
        like_bicubic = functional.mse_loss(fake, _shrunk(large, self.bicubic))
        loss = (1 - judged).mean() + self.bicubic_weight * like_bicubic + self._constraints(kernel[0, 0])
        self._update(0, loss)
        with torch.no_grad():
            fake = _shrunk(large, self.generator.kernel())
        real = self.discriminator(small + noise[0], weights)
        judged = self.discriminator(fake + noise[1], weights)
        self._update(1, 0.5 * ((1 - real).mean() + judged.mean()))
        self._schedule(update)

    def _update(self, which: int, loss: Tensor) -> None:
        optimizer = self.optimizers[which]
        optimizer.zero_grad(set_to_none=True)
        loss.backward(inputs=optimizer.param_groups[0]["params"])
        optimizer.step()

    def _constraints(self, kernel: Tensor) -> Tensor:
        total = kernel.sum()
        loss = 0.5 * (1 - total).abs() + 0.5 * (kernel * self.border).abs().mean()
        if self.sparse_weight:
            wanted = (self.settings.size - 1) / 2 + 0.5
            centre = torch.stack(((kernel.sum(1) @ self.places) / total, (kernel.sum(0) @ self.places) / total))
            loss = loss + self.centre_weight * (centre - wanted).square().mean()
            loss = loss + self.sparse_weight * (kernel.abs() + 1e-12).pow(0.2).mean()
        return loss

    def _schedule(self, update: int) -> None:
        """Let go of bicubic, then ask for a sparse and centred kernel; slow down four times."""
        if (update + 1) % max(self.settings.updates // 4, 1) == 0:
            for optimizer in self.optimizers:
                optimizer.param_groups[0]["lr"] /= 10
        if (update + 1) % max(self.settings.updates // 15, 1) == 0 and self.bicubic_weight > 5e-6:
            self.bicubic_weight = max(self.bicubic_weight / 100, 5e-6)
            if self.bicubic_weight < 5e-3:
                self.sparse_weight, self.centre_weight = 5.0, 1.0

    def _start_at_bicubic(self) -> None:
        """Fit the generator's kernel to bicubic before anything is judged.

        The paper begins with random layers and a term for bicubic that goes once the pictures differ little. The
        product of random layers starts near 0, where nothing draws it anywhere: some pictures spend 500 updates there,
        and the paper's measure takes a kernel of zeros for close enough to bicubic on pictures of low contrast.
        """
        optimizer = torch.optim.Adam(self.generator.parameters(), lr=1e-3, betas=(0.5, 0.999), fused=True)
        for _ in range(_START):
            error = (self.generator.kernel() - self.bicubic).square().sum() / self.bicubic.square().sum()
            optimizer.zero_grad(set_to_none=True)
            error.backward()
            optimizer.step()


def _shrunk(picture: Tensor, kernel: Tensor) -> Tensor:
    """(n, 3, h, w) filtered and halved, without padding."""
    made = functional.conv2d(picture.flatten(0, 1)[:, None], kernel, stride=2)
    return made.view(len(picture), 3, *made.shape[-2:])


def _border_penalty(size: int) -> Tensor:
    """(size, size): 0 in the middle, growing to 30 times a Gaussian's complement at the border."""
    offset = np.arange(size) - (size - 1) / 2
    line = np.exp(-(offset**2) / (2 * size**2))
    penalty = 1 - np.outer(line, line)
    margin = (size - (size // 2 + size % 2)) // 2 - 1
    penalty[margin:-margin, margin:-margin] = 0
    return torch.from_numpy((30 * penalty).astype(np.float32))
