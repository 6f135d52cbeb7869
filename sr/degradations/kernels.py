"""Blur kernels, one per sample, as functions of their parameters.

Coordinates are pixels from the centre of the kernel, x to the right and y downwards. Every function returns float32
(batch, canvas, canvas) that sums to 1 for each sample, on a canvas of one odd side for the whole batch; a kernel of
a smaller size of its own is zero outside it. Computed in float64 on the CPU: kernels are small.

Source: "Real-ESRGAN" (Wang et al. 2021, arXiv 2107.10833), section 3.1 and appendix: Gaussian, generalised Gaussian
and plateau-shaped blur after Liu et al. 2020, and the sinc filter.
"""

import numpy as np
from scipy.special import j1


def gaussian(canvas: int, sizes: np.ndarray, sigma_x: np.ndarray, sigma_y: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """exp(-q / 2) with q of `mahalanobis`.

    Args:
        canvas: odd side of the result.
        sizes: (batch,) odd size of each kernel, at most ``canvas``.
        sigma_x: (batch,) standard deviation along the first axis, pixels.
        sigma_y: (batch,) along the second axis; equal to ``sigma_x`` for an isotropic kernel.
        theta: (batch,) angle from the x-axis to the first axis, radians.
    """
    return _normalised(np.exp(-0.5 * mahalanobis(canvas, sigma_x, sigma_y, theta)) * _square(canvas, sizes))


def generalised_gaussian(
    canvas: int,
    sizes: np.ndarray,
    sigma_x: np.ndarray,
    sigma_y: np.ndarray,
    theta: np.ndarray,
    beta: np.ndarray,
) -> np.ndarray:
    """exp(-q^beta / 2): heavier tails than a Gaussian for a shape ``beta`` below 1, a flatter top above.

    Args:
        canvas: as for `gaussian`, like the arguments up to ``theta``.
        sizes: see `gaussian`.
        sigma_x: see `gaussian`.
        sigma_y: see `gaussian`.
        theta: see `gaussian`.
        beta: (batch,) positive.
    """
    q = mahalanobis(canvas, sigma_x, sigma_y, theta)
    return _normalised(np.exp(-0.5 * q ** _each(beta)) * _square(canvas, sizes))


def plateau(
    canvas: int,
    sizes: np.ndarray,
    sigma_x: np.ndarray,
    sigma_y: np.ndarray,
    theta: np.ndarray,
    beta: np.ndarray,
) -> np.ndarray:
    """1 / (1 + q^beta).

    Args:
        canvas: as for `gaussian`, like the arguments up to ``theta``.
        sizes: see `gaussian`.
        sigma_x: see `gaussian`.
        sigma_y: see `gaussian`.
        theta: see `gaussian`.
        beta: (batch,) positive.
    """
    q = mahalanobis(canvas, sigma_x, sigma_y, theta)
    return _normalised(_square(canvas, sizes) / (1 + q ** _each(beta)))


def box(canvas: int, sizes: np.ndarray) -> np.ndarray:
    """The mean of ``size`` x ``size`` pixels.

    Args:
        canvas: odd side of the result.
        sizes: (batch,) sides of the boxes, at most ``canvas``. An even one reaches one pixel further to the left and
            up, as OpenCV's `blur` does.
    """
    offset = np.arange(canvas)[None, :] - canvas // 2
    low = -(np.asarray(sizes)[:, None] // 2)
    inside = (offset >= low) & (offset < low + np.asarray(sizes)[:, None])
    return _normalised((inside[:, :, None] & inside[:, None, :]).astype(np.float64))


def motion(canvas: int, length: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """A straight line of even brightness, antialiased: what a camera records that moves at a constant speed.

    Points along the line are shared out between the four nearest pixels in proportion to their distance.

    Args:
        canvas: odd side of the result, at least ``length + 2``, so that nothing is cut off.
        length: (batch,) pixels; 0 gives the identity.
        theta: (batch,) angle from the x-axis, radians, clockwise on the screen.

    Raises:
        ValueError: a line does not fit.
    """
    if np.max(length) > canvas - 2:
        raise ValueError(f"a line of {np.max(length):g} pixels needs a canvas of {np.max(length) + 2:g}, not {canvas}")
    count = 16 * canvas
    place = ((np.arange(count) + 0.5) / count - 0.5)[None, :] * np.asarray(length)[:, None]
    offset = np.arange(canvas) - canvas // 2
    across = _tent(place * np.cos(theta)[:, None], offset)
    down = _tent(place * np.sin(theta)[:, None], offset)
    return _normalised(np.matmul(down.transpose(0, 2, 1), across))


def sinc(canvas: int, sizes: np.ndarray, cutoff: np.ndarray) -> np.ndarray:
    """The ideal low-pass filter of a plane, cut off at the kernel's size: it rings, as over-sharpened pictures do.

    omega J1(omega r) / (2 pi r), J1 the Bessel function of the first kind (Real-ESRGAN, equation 6).

    Args:
        canvas: odd side of the result.
        sizes: (batch,) odd size of each kernel, at most ``canvas``.
        cutoff: (batch,) omega in radians per pixel, (0, pi].
    """
    x, y = _offsets(canvas)
    r = np.hypot(x, y)[None]
    omega = _each(cutoff)
    at_centre = omega**2 / (4 * np.pi)
    beside = omega * j1(omega * r) / (2 * np.pi * np.where(r == 0, 1, r))
    return _normalised(np.where(r == 0, at_centre, beside) * _square(canvas, sizes))


def identity(canvas: int, batch: int) -> np.ndarray:
    """1 in the centre, 0 elsewhere."""
    kernels = np.zeros((batch, canvas, canvas), dtype=np.float32)
    kernels[:, canvas // 2, canvas // 2] = 1
    return kernels


def mahalanobis(canvas: int, sigma_x: np.ndarray, sigma_y: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """The squared distance q = d^T Sigma^-1 d, with Sigma = R diag(sigma_x^2, sigma_y^2) R^T.

    R rotates by ``theta``, so that the axes of length sigma_x and sigma_y end up at that angle.

    Returns:
        float64 (batch, canvas, canvas), not negative.
    """
    x, y = _offsets(canvas)
    cos, sin = _each(np.cos(theta)), _each(np.sin(theta))
    along, across = cos * x + sin * y, cos * y - sin * x
    return (along / _each(sigma_x)) ** 2 + (across / _each(sigma_y)) ** 2


def _offsets(canvas: int) -> tuple[np.ndarray, np.ndarray]:
    offset = np.arange(canvas, dtype=np.float64) - canvas // 2
    return offset[None, :], offset[:, None]


def _each(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, dtype=np.float64)[:, None, None]


def _square(canvas: int, sizes: np.ndarray) -> np.ndarray:
    x, y = _offsets(canvas)
    return np.maximum(np.abs(x), np.abs(y))[None] <= _each(sizes) // 2


def _tent(place: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(batch, points) to (batch, points, canvas): the share of a point that each pixel gets."""
    return np.maximum(0, 1 - np.abs(place[:, :, None] - offset[None, None, :]))


def _normalised(kernels: np.ndarray) -> np.ndarray:
    sums = kernels.reshape(len(kernels), -1).sum(axis=1)
    return (kernels / _each(sums)).astype(np.float32)
