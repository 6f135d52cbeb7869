"""Dead leaves: shapes that occlude each other, with the size law that photographs of the world follow."""

import numpy as np

from sr.data.generated.camera import camera_kernel, defocus, develop, shrink
from sr.data.generated.palettes import OPPONENT, base_colours, leaf_colours
from sr.data.generated.shapes import label_map, leaf_pieces, mean_square_radius, power_law_radii
from sr.data.generated.textures import PATTERNS, TILE, TILES, noise_bank, pattern

Array = np.ndarray

OVERSAMPLING = 2  # fine samples per pixel and direction; the camera's blur then leaves no visible steps
COVERAGE = 3.0  # mean number of leaves over a point; exp(-3), 5 %, shows the textured ground

DEFOCUSED = 0.1  # share of the pictures that are partly out of focus


def _smooth_field(x: Array, y: Array, extent: float, rng: np.random.Generator) -> Array:
    """Sum of a few low waves with amplitudes falling as 1/f, at the given places; about unit variance."""
    field = np.zeros(np.broadcast(x, y).shape, np.float32)
    total = 0.0
    for f in (0.5, 0.8, 1.3, 2.1):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        w = 2 * np.pi * f / extent
        # cos(a + b) by products of one-dimensional factors: x and y may be a row and a column
        a = np.asarray((w * np.cos(angle)) * x + phase, np.float32)
        b = np.asarray((w * np.sin(angle)) * y, np.float32)
        field += np.cos(a) / np.float32(f) * np.cos(b) - np.sin(a) / np.float32(f) * np.sin(b)
        total += 0.5 / f**2
    return field / np.float32(np.sqrt(total))


def _scatter(rows: int, columns: int, smallest: float, largest: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Radii and centres of the leaves that can touch the field; centres are uniform over it and a margin."""
    wide, tall = columns + 2 * largest, rows + 2 * largest
    count = int(np.ceil(COVERAGE * wide * tall / (np.pi * mean_square_radius(smallest, largest))))
    radii = power_law_radii(count, smallest, largest, rng)
    centre = rng.random((count, 2)) * (wide, tall) - largest
    reach = 2 * radii[:, None]
    near = ((centre > -reach) & (centre < np.array([columns, rows]) + reach)).all(1)
    return radii[near], centre[near]


def _texture_coordinates(labels: Array, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Per-leaf turned, scaled and shifted coordinates (u, v) of every sample."""
    angle = rng.uniform(0, 2 * np.pi, count)
    scale = np.exp(rng.uniform(-0.7, 0.5, count))
    cos, sin = (scale * np.cos(angle)).astype(np.float32), (scale * np.sin(angle)).astype(np.float32)
    shift = rng.uniform(0, TILE, (2, count)).astype(np.float32)
    x = np.arange(labels.shape[1], dtype=np.float32)
    y = np.arange(labels.shape[0], dtype=np.float32)[:, None]
    c, s = cos[labels], sin[labels]
    return c * x + s * y + shift[0][labels], c * y - s * x + shift[1][labels]


def _add_patterns(texture: Array, labels: Array, u: Array, v: Array, share: float, rng: np.random.Generator) -> None:
    """Add stripes, checks, bricks and dots, in place, to the leaves that have them."""
    count = int(labels.max()) + 1
    has = rng.random(count) < share
    period = np.exp(rng.uniform(np.log(2.6), np.log(30), count)) * OVERSAMPLING
    kind = rng.choice(len(PATTERNS), count, p=[0.3, 0.25, 0.15, 0.15, 0.15])
    strength = (rng.uniform(0.3, 1.5, count) * rng.choice([-1, 1], count)).astype(np.float32)
    duty = rng.uniform(0.2, 0.8, count)
    where = np.flatnonzero(has[labels].ravel())
    leaf = labels.ravel()[where]
    p = period[leaf].astype(np.float32)
    values = pattern(kind[leaf], u.ravel()[where] / p, v.ravel()[where] / p, duty[leaf].astype(np.float32))
    texture.reshape(-1)[where] += strength[leaf] * values


def _texture(labels: Array, count: int, rng: np.random.Generator) -> Array:
    """The scalar texture of every sample: noise of the leaf's tile, a gradient across it, and patterns."""
    u, v = _texture_coordinates(labels, count, rng)
    tile = rng.integers(0, TILES, count)
    index = (tile * TILE * TILE)[labels]
    index += (v.astype(np.int64) & (TILE - 1)) * TILE
    index += u.astype(np.int64) & (TILE - 1)
    # Most leaves are nearly plain, a few are busy.
    rough = np.minimum(rng.exponential(0.5, count), 1.8).astype(np.float32)
    texture = noise_bank(rng).ravel()[index] * rough[labels]
    _add_patterns(texture, labels, u, v, float(rng.choice([0.0, 0.05, 0.15, 0.4])), rng)
    return texture


def _paint(labels: Array, count: int, place: Array, rng: np.random.Generator) -> Array:
    """Colours of every sample: the leaf's colour, moved along the leaf's own direction by its texture."""
    rows, columns = labels.shape
    extent = max(rows, columns)
    bases = base_colours(int(rng.integers(3, 8)), rng)
    field = _smooth_field(place[:, 0], place[:, 1], extent, rng)
    colour = leaf_colours(bases, field, rng)
    step = np.stack([rng.uniform(0.03, 0.12, count), *rng.normal(0, 0.012, (2, count))], -1) @ OPPONENT
    texture = _texture(labels, count, rng)
    slope = (rng.normal(0, 0.8, (2, count)) / extent).astype(np.float32)
    x, y = np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32)[:, None]
    shade = slope[0][labels] * (x - place[:, 0].astype(np.float32)[labels])
    shade += slope[1][labels] * (y - place[:, 1].astype(np.float32)[labels])
    light = np.exp(0.18 * _smooth_field(x, y, extent, rng)) * (1 + np.clip(shade, -0.4, 0.4))
    colour, step = colour.astype(np.float32), step.astype(np.float32)
    return np.stack([(colour[:, c][labels] + step[:, c][labels] * texture) * light for c in range(3)])


def dead_leaves(
    height: int,
    width: int,
    rng: np.random.Generator,
    smallest: float | None = None,
    largest: float | None = None,
    sigma: float | None = None,
) -> Array:
    """A picture of occluding leaves: discs, ellipses, bars, polygons and their unions, textured and lit.

    The model is the dead leaves of Lee, Mumford and Huang, "Occlusion models for natural images" (IJCV 2001):
    centres uniform, order random, radii with density 1/r^3. Training restoration networks on them is studied by
    Achddou, Gousseau and Ladjal, "Synthetic images as a regularity prior for image restoration neural
    networks" (SSVM 2021), learning representations from them by Baradad et al., "Learning to see by looking
    at noise" (NeurIPS 2021).

    Args:
        height: rows, at least 1.
        width: columns, at least 1.
        rng: source of every draw.
        smallest: least radius in pixels; None draws it from 1 to 8, log-uniformly.
        largest: greatest radius in pixels; None draws it from 40 to 200, log-uniformly.
        sigma: standard deviation of the camera's Gaussian blur in pixels; None draws it from 0.2 to 0.75.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: a size is below 1, or not 0 < smallest < largest.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a picture needs at least 1x1 pixels, got height={height} and width={width}; give 16 or more")
    least = float(np.exp(rng.uniform(0, np.log(8)))) if smallest is None else smallest
    most = max(float(np.exp(rng.uniform(np.log(40), np.log(200)))), 4 * least) if largest is None else largest
    kernel = camera_kernel(OVERSAMPLING, float(rng.uniform(0.2, 0.75)) if sigma is None else sigma)
    extra = len(kernel) - OVERSAMPLING
    rows, columns = height * OVERSAMPLING + extra, width * OVERSAMPLING + extra
    radii, centre = _scatter(rows, columns, least * OVERSAMPLING, most * OVERSAMPLING, rng)
    pieces = leaf_pieces(radii, centre, rng.uniform(0.05, 0.3), rng.normal(0, 0.15), rng)
    labels = label_map(pieces, rows, columns)
    place = np.concatenate([[[columns / 2, rows / 2]], centre])
    fine = _paint(labels, len(place), place, rng)
    picture = shrink(fine, kernel, OVERSAMPLING, height, width)
    if rng.random() < DEFOCUSED:
        x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
        share = np.clip(0.5 + 1.5 * _smooth_field(x, y, max(height, width), rng), 0, 1)
        picture = defocus(picture, share, float(rng.uniform(0.8, 2.5)))
    gamma, contrast = np.exp(rng.normal(0, 0.2)), rng.uniform(0.75, 1.15)
    grain = float(rng.choice([0.0, rng.uniform(0, 1.5)]))
    return develop(picture, gamma, contrast, grain, rng)
