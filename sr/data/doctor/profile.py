"""Colour profiles that matter: training takes numbers as they are, so a wide gamut's look paler than they should."""

import io

from PIL import ImageCms

_SRGB = ((0.6400, 0.3300), (0.3000, 0.6000), (0.1500, 0.0600))
"""Corners (x, y) of IEC 61966-2-1, sRGB: the triangle that pictures without a profile are taken to mean."""

_D65_TO_D50 = 1.1  # sRGB's own profile, adapted to D50, spans less than this times the triangle above


def wide_gamut(icc: bytes | None) -> str:
    """The name of a colour profile whose colours span clearly more than sRGB's; empty for all others.

    Args:
        icc: the profile, or None.
    """
    if icc is None:
        return ""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile
        corners = [profile.red_primary, profile.green_primary, profile.blue_primary]
        found = [(corner[1][0], corner[1][1]) for corner in corners if corner is not None]
        if len(found) < len(_SRGB):
            return ""  # gray, or CMYK
        name = profile.profile_description or "without a name"
    except Exception:  # a damaged profile; what reads pictures by it will say so
        return ""
    area = _area(tuple(found))
    return " ".join(name.split())[:60] if area > _D65_TO_D50 * _area(_SRGB) else ""


def _area(corners: tuple[tuple[float, float], ...]) -> float:
    (ax, ay), (bx, by), (cx, cy) = corners
    return abs((bx - ax) * (cy - ay) - (cx - ax) * (by - ay)) / 2
