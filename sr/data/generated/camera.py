"""From fine samples to a picture: point spread function, tone curve, grain, rounding."""

import numpy as np

Array = np.ndarray


def camera_kernel(oversampling: int, sigma: float, sharpening: float = 0.0) -> Array:
    """One-dimensional point spread function on the fine grid: pixel box, Gaussian, then an unsharp mask.

    Args:
        oversampling: fine samples per pixel.
        sigma: standard deviation of the Gaussian in pixels; 0 leaves the box.
        sharpening: weight of the mask (Gaussian of standard deviation 0.8 pixels), as cameras and picture
            editors apply it; 0 for none.

    Returns:
        (taps,) float32 summing to 1; taps - oversampling is even, so the kernel is centred on the pixel.
    """
    kernel = np.convolve(_gauss(sigma * oversampling), np.ones(oversampling) / oversampling)
    if sharpening:
        mask = -sharpening * _gauss(0.8 * oversampling)
        mask[len(mask) // 2] += 1 + sharpening
        kernel = np.convolve(kernel, mask)
    return np.asarray(kernel, np.float32)


def _gauss(sigma: float) -> Array:
    """Sampled Gaussian out to three standard deviations, summing to 1."""
    margin = int(np.ceil(3 * sigma))
    gauss = np.exp(-0.5 * (np.arange(-margin, margin + 1) / max(sigma, 1e-6)) ** 2)
    return np.asarray(gauss / gauss.sum())


def shrink(fine: Array, kernel: Array, oversampling: int, height: int, width: int) -> Array:
    """Filter and keep every ``oversampling``-th sample.

    Args:
        fine: (channels, rows, columns) float32 with (taps - oversampling) / 2 extra samples on every side.
        kernel: (taps,) from ``camera_kernel``.
        oversampling: fine samples per pixel.
        height: rows of the result.
        width: columns of the result.

    Returns:
        (channels, height, width) float32.
    """
    rows = np.zeros((fine.shape[0], height, fine.shape[2]), np.float32)
    for k, w in enumerate(kernel):
        rows += w * fine[:, k : k + oversampling * (height - 1) + 1 : oversampling]
    out = np.zeros((fine.shape[0], height, width), np.float32)
    for k, w in enumerate(kernel):
        out += w * rows[:, :, k : k + oversampling * (width - 1) + 1 : oversampling]
    return out


def defocus(picture: Array, share: Array, sigma: float) -> Array:
    """Blend towards a blurred copy, as where the scene lies out of focus.

    Args:
        picture: (channels, height, width) float32.
        share: (height, width) float32 weight of the blurred copy, 0..1.
        sigma: standard deviation of the blur in pixels.

    Returns:
        (channels, height, width) float32.
    """
    kernel = camera_kernel(1, sigma)
    margin = len(kernel) // 2
    padded = np.pad(picture, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    return np.asarray(picture + share * (shrink(padded, kernel, 1, *picture.shape[1:]) - picture))


def develop(picture: Array, gamma: float, contrast: float, grain: float, rng: np.random.Generator) -> Array:
    """Tone curve, sensor noise and rounding.

    Args:
        picture: (3, height, width) float32, about 0..1.
        gamma: exponent, above 0; below 1 lightens.
        contrast: factor around the middle gray.
        grain: standard deviation of the noise in 8-bit steps.
        rng: source of the noise.

    Returns:
        (height, width, 3) uint8.
    """
    toned = np.clip(picture, 0, 1) ** np.float32(gamma)
    toned = (toned - 0.5) * np.float32(255 * contrast) + 127.5
    if grain > 0:
        toned += np.float32(grain) * rng.standard_normal(toned.shape, np.float32)
    return np.ascontiguousarray(np.clip(np.rint(toned), 0, 255).astype(np.uint8).transpose(1, 2, 0))
