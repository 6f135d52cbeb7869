"""Drawings: Bezier strokes over flat, blended or snapped fills, as line art to train on."""

import numpy as np
from PIL import Image, ImageDraw

from sr.data.generated.camera import defocus

Array = np.ndarray

OVERSAMPLING = 3  # fine samples per pixel in the strokes' masks
BLACK, GRAY = 0.75, 0.125  # shares of the stroke colours; the remaining eighth has 18 tints
TINTS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32)
MARGIN = 150.0  # pixels by which control points may leave the box of the end points


def _planes(height: int, width: int, rng: np.random.Generator) -> Array:
    """Weights (3, height, width) of three colours: number of half-planes that hold the pixel, modulo 3."""
    weights = np.zeros((3, height, width), np.float32)
    weights[0] = 1
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    for _ in range(35):
        a, b = rng.uniform(-10, 10, 2)
        px, py = rng.random(2) * (width, height)
        norm = max(np.hypot(a, b), 1e-6)
        distance = np.float32(a / norm) * (x - np.float32(px)) + np.float32(b / norm) * (y - np.float32(py))
        # Where the border crosses a pixel, the share s of the pixel moves on to the next colour.
        s = np.clip(distance / 0.8 + 0.5, 0, 1)
        move = s * weights
        weights[0] += move[2] - move[0]
        weights[1] += move[0] - move[1]
        weights[2] += move[1] - move[2]
    return weights


def _waves(height: int, width: int, rng: np.random.Generator) -> Array:
    """Weights (3, height, width), positive, summing to 1: sums of sines of random period and phase."""
    x = np.linspace(0, 20 * width / max(height, width), width, dtype=np.float32)
    y = np.linspace(0, 20 * height / max(height, width), height, dtype=np.float32)[:, None]
    weights = np.zeros((3, height, width), np.float32)
    for plane in weights:
        for _ in range(4):
            w, phase = 2 * np.pi / rng.uniform(np.pi, 20 * np.pi, 2), rng.uniform(0, 2 * np.pi, 2)
            plane += np.sin(w[0].astype(np.float32) * x + np.float32(phase[0])) + np.sin(
                w[1].astype(np.float32) * y + np.float32(phase[1])
            )
    weights = np.exp(weights - weights.max(0))
    return weights / weights.sum(0)


def _snapped(weights: Array, palette: Array) -> Array:
    """Weights of the nearest palette colour; borders are 0.002 of the mean colour distance or a pixel wide."""
    blend = np.tensordot(palette.T, weights, 1)
    distance = np.sqrt(((blend[None] - palette[:, :, None, None]) ** 2).sum(1))
    soft = 0.002 * distance.mean()
    out = np.ones_like(weights)
    for k in range(3):
        for j in range(3):
            if j != k:
                gap = distance[j] - distance[k]
                steep = np.hypot(*np.gradient(gap)) if min(gap.shape) > 1 else np.zeros_like(gap)
                out[k] *= np.clip(gap / np.maximum(2 * soft, steep + 1e-6) + 0.5, 0, 1)
    return np.asarray(out / np.maximum(out.sum(0), 1e-6), np.float32)


def fill(height: int, width: int, palette: Array, rng: np.random.Generator) -> Array:
    """Background of a drawing from three colours: straight borders, a smooth blend, or the blend snapped.

    Args:
        height: rows.
        width: columns.
        palette: (3, 3) RGB colours, 0..255.
        rng: source of every draw.

    Returns:
        (height, width, 3) float32, 0..255.
    """
    mode = rng.integers(0, 3)
    weights = _planes(height, width, rng) if mode == 0 else _waves(height, width, rng)
    if mode == 1:
        weights = _snapped(weights, palette)
    return np.asarray(np.tensordot(weights, palette.astype(np.float32), (0, 0)))


def _on_edge(edge: int, height: int, width: int, rng: np.random.Generator) -> Array:
    """A uniform point of one frame edge: 0 top, 1 right, 2 bottom, 3 left."""
    t = rng.random()
    points = ((t * width, 0.0), (width, t * height), (t * width, height), (0.0, t * height))
    return np.array(points[edge], np.float64)


def stroke_path(height: int, width: int, rng: np.random.Generator) -> Array:
    """Control points of a cubic Bezier curve: a quarter free, the others from one frame edge to another.

    Of the edge-to-edge curves a sixth end on the opposite edge. The inner control points are uniform in
    the box of the end points grown by ``MARGIN`` pixels.

    Returns:
        (4, 2) x and y in pixels.
    """
    if rng.random() < 0.25:
        ends = rng.random((2, 2)) * (width, height)
    else:
        start = int(rng.integers(0, 4))
        step = 2 if rng.random() < 1 / 6 else int(rng.choice([1, 3]))
        ends = np.stack([_on_edge(e, height, width, rng) for e in (start, (start + step) % 4)])
    low, high = ends.min(0) - MARGIN, ends.max(0) + MARGIN
    inner = rng.uniform(low, high, (2, 2))
    return np.stack([ends[0], inner[0], inner[1], ends[1]])


def stroke_ink(k: int, lines: int, rng: np.random.Generator) -> tuple[float, float, Array]:
    """Width in pixels, opacity 0..1 and RGB colour 0..255 of stroke ``k`` of ``lines``.

    The first quarter is wide and nearly opaque (1 to 12 px, alpha 226 to 255), the middle half is finer
    (1 to 3 px, 176 to 225), the last quarter is 2 px and lighter (116 to 205).
    """
    if k < lines / 4:
        width, alpha = rng.uniform(1, 12), rng.uniform(226, 255)
    elif k < 3 * lines / 4:
        width, alpha = rng.uniform(1, 3), rng.uniform(176, 225)
    else:
        width, alpha = 2.0, rng.uniform(116, 205)
    pick = rng.random()
    level = 0.0 if pick < BLACK else 36.0 * rng.integers(1, 7)
    colour: Array = np.full(3, level, np.float32)
    if pick >= BLACK + GRAY:
        colour = TINTS[rng.integers(0, 6)] * np.float32(rng.choice([96.0, 160.0, 224.0]))
    return float(width), float(alpha / 255), colour


def _outline(path: Array, width: float) -> Array:
    """Polygon (n, 2) around a cubic Bezier curve, half of ``width`` to each side."""
    length = np.abs(np.diff(path, axis=0)).sum()
    t = np.linspace(0, 1, int(np.clip(length / 4, 12, 200)))[:, None]
    s = 1 - t
    p = s**3 * path[0] + 3 * s**2 * t * path[1] + 3 * s * t**2 * path[2] + t**3 * path[3]
    d = 3 * (s**2 * (path[1] - path[0]) + 2 * s * t * (path[2] - path[1]) + t**2 * (path[3] - path[2]))
    normal = np.stack([-d[:, 1], d[:, 0]], -1) / np.maximum(np.hypot(d[:, 0], d[:, 1]), 1e-6)[:, None]
    return np.concatenate([p + normal * (width / 2), (p - normal * (width / 2))[::-1]])


def draw_stroke(picture: Array, path: Array, width: float, alpha: float, colour: Array) -> None:
    """Blend one anti-aliased stroke into a picture, in place.

    Args:
        picture: (height, width, 3) float32, 0..255.
        path: (4, 2) control points of the cubic Bezier curve, x and y in pixels.
        width: thickness in pixels.
        alpha: opacity, 0..1.
        colour: (3,) RGB, 0..255.
    """
    rows, columns = picture.shape[:2]
    outline = _outline(path, width)
    x0, y0 = np.clip(np.floor(outline.min(0)) - 1, 0, (columns, rows)).astype(int)
    x1, y1 = np.clip(np.ceil(outline.max(0)) + 1, 0, (columns, rows)).astype(int)
    if x1 <= x0 or y1 <= y0:
        return
    mask = Image.new("L", (int(x1 - x0) * OVERSAMPLING, int(y1 - y0) * OVERSAMPLING))
    draw = ImageDraw.Draw(mask)
    fine = np.rint((outline - (x0, y0)) * OVERSAMPLING - 0.5)
    half = len(fine) // 2
    # Piece by piece: one polygon would leave holes where the curve crosses itself.
    quads = np.concatenate([fine[: half - 1], fine[1:half], fine[half:-1][::-1], fine[half + 1 :][::-1]], 1)
    for quad in quads.tolist():
        draw.polygon(quad, fill=255)
    cover = np.asarray(mask.reduce(OVERSAMPLING), np.float32)[..., None] * np.float32(alpha / 255)
    part = picture[y0:y1, x0:x1]
    part += cover * (colour - part)


def part_of(background: Array, height: int, width: int, rng: np.random.Generator) -> Array:
    """A random part of a picture, which is enlarged (bicubic) only where it is too small to cover the part.

    Args:
        background: (rows, columns, 3) uint8 RGB.
        height: of the part.
        width: of the part.
        rng: where the part lies.

    Returns:
        (height, width, 3) float32, 0..255.
    """
    rows, columns = background.shape[:2]
    factor = max(height / rows, width / columns)
    if factor > 1:
        size = (max(width, round(columns * factor)), max(height, round(rows * factor)))
        background = np.asarray(Image.fromarray(background).resize(size, Image.Resampling.BICUBIC))
        rows, columns = background.shape[:2]
    top, left = rng.integers(0, rows - height + 1), rng.integers(0, columns - width + 1)
    return background[top : top + height, left : left + width].astype(np.float32)


def drawing(
    height: int,
    width: int,
    rng: np.random.Generator,
    lines: int = 30,
    palette: Array | None = None,
    background: Array | None = None,
    thickness: float = 1.0,
) -> Array:
    """Synthetic line art: anti-aliased Bezier strokes of three widths over a fill of three colours, or a picture.

    The whole is softened by a Gaussian of 0 to 0.7 pixels, as scaled and compressed frames are.

    Args:
        height: rows, at least 1.
        width: columns, at least 1.
        rng: source of every draw.
        lines: number of strokes.
        palette: (n, 3) RGB colours 0..255 of which three are drawn, for instance the pixels of blurred
            frames; None draws three at random.
        background: (rows, columns, 3) uint8 RGB, of which a random part lies under the strokes instead of a
            fill; one that is too small is enlarged.
        thickness: multiplies the width of every stroke.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: a size is below 1, ``lines`` is negative, ``thickness`` is not positive, or the palette is not
            (n, 3) with n >= 1.
    """
    if height < 1 or width < 1:
        raise ValueError(f"a picture needs at least 1x1 pixels, got height={height} and width={width}; give 16 or more")
    if lines < 0:
        raise ValueError(f"lines is the number of strokes, 0 or more, got {lines}; give 0 for the fill alone")
    if not thickness > 0:
        raise ValueError(
            f"thickness multiplies the width of the strokes and must be above 0, got {thickness:g}; give 1"
        )
    if palette is None:
        colours = rng.uniform(0, 255, (3, 3))
    else:
        if palette.ndim != 2 or palette.shape[1] != 3 or len(palette) < 1:
            raise ValueError(f"palette holds RGB rows, shape (n, 3) with n >= 1, got shape {palette.shape}")
        colours = palette[rng.integers(0, len(palette), 3)].astype(np.float64)
    picture = fill(height, width, colours, rng) if background is None else part_of(background, height, width, rng)
    for k in range(lines):
        path = stroke_path(height, width, rng)
        pen, alpha, colour = stroke_ink(k, lines, rng)
        draw_stroke(picture, path, thickness * pen, alpha, colour)
    soft = defocus(picture.transpose(2, 0, 1), np.ones((height, width), np.float32), rng.uniform(0, 0.7))
    return np.ascontiguousarray(np.clip(np.rint(soft), 0, 255).astype(np.uint8).transpose(1, 2, 0))
