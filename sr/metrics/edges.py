"""How steep edges are, and how far they overshoot: smeared, sharp, over-sharp."""

import math

from sr.metrics.profiles import STEP, Pictures, Plane, edge_places, of_each, reached, sampled, slope_of
from sr.types import PerPicture

_REACH = 6.0  # pixels
_NEAR, _WIDE = 3.0, 5.5  # pixels beside an edge in which it may overshoot, and in which the truth is as bright
_LEAST = 0.02  # height of a rise that counts


def edge_slope(sr: Pictures, hr: Pictures) -> PerPicture:
    """Pixels in which a picture rises from 10 to 90 % of an edge, at the strong edges of the true picture.

    Each edge may lie up to 2.5 pixels elsewhere, as where a degradation shifts by half a pixel, and its rise is from
    where the picture turns to where it turns again: of a line from its bottom on. The direction, contrast and
    brightness of edges do not count. An edge blurred by a Gaussian of sigma s has 2.563 s; less is sharper.

    Args:
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths; as ``sr`` they give the slope of the truth itself.

    Returns:
        Median over edges, pixels; NaN where the truth has no strong edge.

    Raises:
        UserError: the sizes differ.
    """
    return of_each(_slope, sr, hr)


def ringing(sr: Pictures, hr: Pictures) -> PerPicture:
    """How far a picture overshoots beside the strong edges of the true picture, in parts of the edge's height.

    Beside each edge the brightest within 3 pixels is compared with the truth's brightest within 5.5 (an edge may lie
    elsewhere), the darkest likewise. A difference that the whole picture has (the median's) does not count, and what
    stays within the truth's range is no overshoot: blurred pictures have 0, as the truth itself.

    Args:
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths.

    Returns:
        Mean over edges and both sides; 0.1 is a tenth of the height at either side. NaN where the truth has no
        strong edge.

    Raises:
        UserError: the sizes differ.
    """
    return of_each(_overshoot, sr, hr)


def _slope(one: Plane, true: Plane) -> float:
    profiles = sampled(one, edge_places(true, _REACH), _REACH)
    rise = slope_of(profiles)
    height, last = rise.high - rise.low, profiles.shape[1] - 1
    upper = reached(profiles, rise.start + 1, rise.low + 0.9 * height) + 1
    lower = reached(-profiles.flip(1), last - rise.start, -(rise.low + 0.1 * height))
    found = ((upper + lower) * STEP)[height > _LEAST]
    return float(found.median()) if len(found) else math.nan


def _overshoot(one: Plane, true: Plane) -> float:
    places = edge_places(true, _WIDE)
    if not len(places.middle):
        return math.nan
    wide = sampled(true, places, _WIDE, "bilinear")
    near = sampled(one - (one - true).median(), places, _NEAR, "bilinear")
    above = (near.amax(dim=1) - wide.amax(dim=1)).clamp(min=0)
    below = (wide.amin(dim=1) - near.amin(dim=1)).clamp(min=0)
    return float(((above + below) / 2 / (wide.amax(dim=1) - wide.amin(dim=1))).mean())
