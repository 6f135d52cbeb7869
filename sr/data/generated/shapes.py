"""Leaves as convex pieces, the law of their sizes, and the exact filling of many pieces at once."""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray


def power_law_radii(count: int, smallest: float, largest: float, rng: np.random.Generator) -> Array:
    """Radii with density proportional to 1/r^3 between two bounds, the law that makes dead leaves scale free.

    Lee, Mumford and Huang, "Occlusion models for natural images" (IJCV 2001), section 3. The inverse of the
    distribution function is r(u) = (smallest^-2 - u (smallest^-2 - largest^-2))^(-1/2).

    Args:
        count: how many.
        smallest: lower bound, positive, any unit of length.
        largest: upper bound, above ``smallest``.
        rng: source of the uniform draws u.

    Returns:
        (count,) float64 radii.

    Raises:
        ValueError: the bounds are not 0 < smallest < largest.
    """
    if not 0 < smallest < largest:
        raise ValueError(
            f"radii need 0 < smallest < largest, got smallest={smallest:g} and largest={largest:g}; "
            f"with smallest={smallest:g} give for example largest={max(10 * smallest, 1):g}"
        )
    a, b = smallest**-2, largest**-2
    return np.asarray((a - rng.random(count) * (a - b)) ** -0.5)


def mean_square_radius(smallest: float, largest: float) -> float:
    """E[r^2] of the 1/r^3 law: 2 ln(largest / smallest) / (smallest^-2 - largest^-2)."""
    return float(2 * np.log(largest / smallest) / (smallest**-2 - largest**-2))


@dataclass
class Pieces:
    """Convex pieces of leaves: each is an affine image of a disc, cut by half-planes.

    Attributes:
        owner: (n,) int index of the leaf, 0 or more; a higher owner lies in front.
        centre: (n, 2) x and y of the centre in samples.
        frame: (n, 2, 2) local frame: (u, v) = frame @ (x - cx, y - cy).
        disc: (n,) squared radius of the disc u^2 + v^2 <= disc.
        sides: (n, m, 3) half-planes a u + b v <= c as (a, b, c); (0, 0, 1) cuts nothing.
    """

    owner: Array
    centre: Array
    frame: Array
    disc: Array
    sides: Array


def _rows(pieces: Pieces, height: int) -> tuple[Array, Array, Array, Array]:
    """All rows that the pieces' discs touch, back to front: piece, row, and the ends of the span there.

    With M = frame' frame, a row dy above the centre meets the disc, relative to the
    centre, where x = dy tilt +- sqrt(wide - dy^2 narrow): the roots of M11 x^2 + 2 M12 x dy + M22 dy^2 = disc.
    """
    m11 = (pieces.frame[:, :, 0] ** 2).sum(1)
    m12 = (pieces.frame[:, :, 0] * pieces.frame[:, :, 1]).sum(1)
    m22 = (pieces.frame[:, :, 1] ** 2).sum(1)
    tilt, wide, narrow = -m12 / m11, pieces.disc / m11, (m11 * m22 - m12**2) / m11**2
    order = np.argsort(pieces.owner, kind="stable")
    reach, middle = np.sqrt(wide / narrow)[order], pieces.centre[order, 1] - 0.5
    top = np.clip(np.ceil(middle - reach), 0, height).astype(np.int64)
    end = np.clip(np.floor(middle + reach) + 1, 0, height).astype(np.int64)
    count = np.maximum(end - top, 0)
    piece = np.repeat(order, count)
    row = np.arange(len(piece)) + np.repeat(top - (np.cumsum(count) - count), count)
    dy = row - (pieces.centre[:, 1] - 0.5)[piece]
    half = np.sqrt(np.maximum(wide[piece] - dy**2 * narrow[piece], 0))
    mid = dy * tilt[piece]
    return piece, row, mid - half, mid + half


def _cut(pieces: Pieces, piece: Array, row: Array, left: Array, right: Array) -> None:
    """Shorten the spans, in place, to what satisfies the half-planes of their pieces."""
    across = (pieces.sides[..., :2] * pieces.frame[:, None, :, 0]).sum(-1)
    along = (pieces.sides[..., :2] * pieces.frame[:, None, :, 1]).sum(-1)
    across = np.where(np.abs(across) < 1e-9, 1e-9, across)  # a horizontal side keeps all of a row or nothing
    bound, drift = pieces.sides[..., 2] / across, -along / across
    cuts: Array = np.any(pieces.sides[..., :2] != 0, axis=-1)
    for k in range(pieces.sides.shape[1]):
        for side, limit, chosen in (
            (right, np.minimum, across[:, k] > 0),
            (left, np.maximum, across[:, k] < 0),
        ):
            at = np.flatnonzero((cuts[:, k] & chosen)[piece])
            p = piece[at]
            side[at] = limit(side[at], bound[p, k] + drift[p, k] * (row[at] + 0.5 - pieces.centre[p, 1]))


def label_map(pieces: Pieces, height: int, width: int) -> Array:
    """Index of the frontmost leaf at every sample: 0 where none covers it, owner + 1 elsewhere.

    A sample belongs to a piece when its centre (x + 0.5, y + 0.5) lies inside. Rows of all pieces are filled
    together, back to front: the last value written at an index stays.

    Args:
        pieces: what to fill, in any order of owners.
        height: rows of the map.
        width: columns of the map.

    Returns:
        (height, width) intp, ready to index tables with.
    """
    piece, row, left, right = _rows(pieces, height)
    _cut(pieces, piece, row, left, right)
    x = pieces.centre[piece, 0] - 0.5
    first = np.ceil(np.clip(left + x, 0, width)).astype(np.int64)
    length = np.floor(np.clip(right + x, -1, width - 1)).astype(np.int64) + 1 - first
    some = np.flatnonzero(length > 0)
    length, start = length[some], (row * width + first)[some]
    where = np.repeat(start - (np.cumsum(length) - length), length)
    where += np.arange(len(where))
    labels = np.zeros(height * width, np.intp)
    labels[where] = np.repeat((pieces.owner[piece[some]] + 1).astype(np.intp), length)
    return labels.reshape(height, width)


def _frames(radii: Array, aspect: Array, angle: Array) -> Array:
    """Local frames (n, 2, 2) of unit shapes stretched to ``aspect`` (area kept), turned and scaled."""
    cos, sin, stretch = np.cos(angle), np.sin(angle), np.sqrt(aspect)
    u = np.stack([cos, sin], -1) / (radii * stretch)[:, None]
    v = np.stack([-sin, cos], -1) / (radii / stretch)[:, None]
    return np.stack([u, v], 1)


def _sides(kind: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Half-planes and squared disc radius of unit shapes.

    Kinds: 0 whole discs, 1 rectangles of the disc's area, 2 irregular convex polygons of 3 to 6 sides,
    3 discs cut by two half-planes.
    """
    n = len(kind)
    sides = np.zeros((n, 6, 3))
    sides[..., 2] = 1.0
    count = np.where(kind == 1, 4, np.where(kind == 2, rng.integers(3, 7, n), np.where(kind == 3, 2, 0)))
    k = np.arange(6)
    jitter = np.where((kind == 1)[:, None], 0.0, rng.uniform(-0.3, 0.3, (n, 6)))
    phi = 2 * np.pi * (k + jitter) / np.maximum(count, 1)[:, None]
    offset = np.where((kind == 2)[:, None], rng.uniform(0.5, 0.95, (n, 6)), np.sqrt(np.pi) / 2)
    offset = np.where((kind == 3)[:, None], rng.uniform(-0.1, 0.8, (n, 6)), offset)
    used = k < count[:, None]
    sides[..., 0] = np.where(used, np.cos(phi), 0)
    sides[..., 1] = np.where(used, np.sin(phi), 0)
    sides[..., 2] = np.where(used, offset, 1)
    disc = np.where(kind == 1, np.pi / 2, np.where(kind == 2, 2.0, 1.0))  # a rectangle's disc meets its corners
    return sides, disc


def leaf_pieces(radii: Array, centre: Array, thin: float, axis: float, rng: np.random.Generator) -> Pieces:
    """One to three convex pieces per leaf: discs, ellipses, rectangles, bars, polygons, cut discs and unions.

    Args:
        radii: (n,) radius in samples of the disc whose area the leaf has, about.
        centre: (n, 2) x and y in samples.
        thin: share of the leaves that are long and thin, 0..1.
        axis: preferred orientation in radians; half of the leaves lie along it or across it.
        rng: source of every draw.

    Returns:
        The pieces; leaf i of the arguments owns the pieces with ``owner == i``.
    """
    n = len(radii)
    kind = rng.choice(4, n, p=[0.4, 0.2, 0.25, 0.15])
    aspect = np.exp(np.abs(rng.normal(0, 0.45, n)))
    aspect = np.where(rng.random(n) < thin, np.exp(rng.uniform(1.5, 3.4, n)), aspect)
    aligned = axis + np.pi / 2 * rng.integers(0, 2, n) + rng.normal(0, 0.08, n)
    angle = np.where(rng.random(n) < 0.5, aligned, rng.uniform(0, np.pi, n))
    sides, disc = _sides(kind, rng)
    copies = 1 + (rng.random(n) < 0.25) + (rng.random(n) < 0.1)
    owner = np.repeat(np.arange(n), copies)
    first = np.diff(owner, prepend=-1) > 0
    m = len(owner)
    shift = np.where(first, 0, rng.uniform(0.3, 1.1, m) * radii[owner])
    way = rng.uniform(0, 2 * np.pi, m)
    turn = np.where(first, 0, rng.normal(0, 0.8, m))
    size = radii[owner] * np.where(first, 1, rng.uniform(0.4, 0.9, m))
    return Pieces(
        owner=owner,
        centre=centre[owner] + np.stack([np.cos(way), np.sin(way)], -1) * shift[:, None],
        frame=_frames(size, aspect[owner], angle[owner] + turn),
        disc=disc[owner],
        sides=sides[owner],
    )
