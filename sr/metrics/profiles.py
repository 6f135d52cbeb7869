"""Brightness across edges and lines, sampled along their normals: what widths, slopes and overshoot are measured on."""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from sr.image.color import KB, KG, KR
from sr.types import PerPicture, UserError

STEP = 0.25  # pixels between samples of a profile
MOST = 1500  # places of a picture that are looked at
AWAY = 2.5  # pixels by which an edge may lie elsewhere than in the true picture
_TOLERANCE = 0.1  # of a profile's whole range: how far it may fall back before its slope is over

Between = Literal["bicubic", "bilinear"]
Plane = Float[Tensor, "height width"]
Profiles = Float[Tensor, "places samples"]
Pictures = Float[Tensor, "_ _ _ _"]
"""(batch, channel, height, width), RGB or Y in [0, 1]; axes without names, so that two sizes get a message."""


class Places(NamedTuple):
    """Where to look, and in which direction.

    Attributes:
        middle: row and column.
        normal: unit vector in rows and columns: across an edge from dark to bright, or across a line.
    """

    middle: Float[Tensor, "places 2"]
    normal: Float[Tensor, "places 2"]


def brightness(pictures: Pictures) -> Float[Tensor, "_ _ _"]:
    """Y of RGB in its whole range, [0, 1]; of pictures with one channel that channel.

    Raises:
        UserError: neither one nor three channels.
    """
    if pictures.shape[1] == 1:
        return pictures[:, 0].float()
    if pictures.shape[1] != 3:
        raise UserError(f"a picture has 1 or 3 channels, not {pictures.shape[1]}")
    red, green, blue = pictures.float().unbind(1)
    return KR * red + KG * green + KB * blue


def check_alike(sr: Pictures, hr: Pictures) -> None:
    """Refuse pictures of two sizes.

    Raises:
        UserError: they cannot be compared.
    """
    if sr.shape != hr.shape:
        sizes = [f"{picture.shape[-1]}x{picture.shape[-2]}" for picture in (sr, hr)]
        raise UserError(f"cannot compare pictures of {sizes[0]} and {sizes[1]} pixels; cut both to the same size")


def of_each(measure: Callable[[Plane, Plane], float], sr: Pictures, hr: Pictures) -> PerPicture:
    """A measure of each picture's brightness beside its truth's.

    Args:
        measure: of (super-resolved, true) brightness.
        sr: super-resolved pictures, RGB or Y in [0, 1].
        hr: their truths.

    Raises:
        UserError: the sizes differ, or a picture has neither one nor three channels.
    """
    check_alike(sr, hr)
    return torch.tensor([measure(one, true) for one, true in zip(brightness(sr), brightness(hr), strict=True)])


def smoothed(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur, borders repeated."""
    reach = math.ceil(3 * sigma)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=plane.device) / sigma) ** 2)
    taps = (taps / taps.sum()).to(plane.dtype)
    whole = pad(plane[None, None], (reach,) * 4, mode="replicate")
    return conv2d(conv2d(whole, taps[None, None, None]), taps[None, None, :, None])[0, 0]


def edge_places(plane: Plane, reach: float, least: float = 0.06) -> Places:
    """Edges of a picture: where the slope of the picture, smoothed by one pixel, is steepest along its direction.

    Args:
        plane: brightness.
        reach: pixels that are free around each place.
        least: slope per pixel; a sharp step of height s has 0.4 s.
    """
    soft = smoothed(plane, 1.0)
    gradient = torch.stack(_slopes(soft))
    steep = gradient.norm(dim=0)
    normal = gradient / steep.clamp(min=1e-12)
    before, behind = (_at(steep, normal, sign) for sign in (-1.0, 1.0))
    return _chosen((steep > least) & (steep >= before) & (steep > behind), normal, reach)


def line_places(plane: Plane, reach: float, least: float = 0.015) -> Places:
    """Middles of dark lines: lowest across the direction in which the smoothed picture curves upwards most.

    Args:
        plane: brightness.
        reach: pixels that are free around each place.
        least: curvature of the picture smoothed by 1.5 pixels, per squared pixel; a line of width w and depth d has
            about 0.12 w d while it is thin.
    """
    soft = smoothed(plane, 1.5)
    down, across = _slopes(soft)
    (yy, yx), (_, xx) = _slopes(down), _slopes(across)
    curvature = (yy + xx) / 2 + ((yy - xx).square() / 4 + yx.square()).sqrt()
    angle = torch.atan2(2 * yx, yy - xx) / 2  # of the direction that curves most, from the rows' axis
    normal = torch.stack([angle.cos(), angle.sin()])
    before, behind = (_at(soft, normal, sign) for sign in (-1.0, 1.0))
    return _chosen((curvature > least) & (soft <= before) & (soft < behind), normal, reach)


def sampled(plane: Plane, places: Places, reach: float, mode: Between = "bicubic") -> Profiles:
    """Brightness along each normal from -reach to reach, every `STEP`, the mean of three pixels side by side.

    Args:
        plane: brightness.
        places: where.
        reach: pixels.
        mode: what lies between pixels; ``bicubic`` keeps slopes, and overshoots beside sharp ones.
    """
    along = torch.arange(-round(reach / STEP), round(reach / STEP) + 1, device=plane.device) * STEP
    tangent = places.normal.flip(1) * torch.tensor([1.0, -1.0], device=plane.device)
    beside = torch.tensor([-1.0, 0.0, 1.0], device=plane.device)
    points = (
        places.middle[:, None, None]
        + along[None, :, None, None] * places.normal[:, None, None]
        + beside[None, None, :, None] * tangent[:, None, None]
    )
    return _looked_up(plane, points, mode).mean(dim=2)


class Slope(NamedTuple):
    """A rise in profiles.

    Attributes:
        low: where it starts.
        high: where it ends.
        start: sample at which it is steepest.
    """

    low: Float[Tensor, " places"]
    high: Float[Tensor, " places"]
    start: Int[Tensor, " places"]


def slope_of(profiles: Profiles) -> Slope:
    """The steepest rise within `AWAY` of the middle, followed up and down until it turns."""
    middle, away = profiles.shape[1] // 2, round(AWAY / STEP)
    rises = profiles[:, 1:] - profiles[:, :-1]
    start = rises[:, middle - away : middle + away].argmax(dim=1) + middle - away
    high = top_after(profiles, start + 1)
    low = -top_after(-profiles.flip(1), profiles.shape[1] - 1 - start)
    return Slope(low, high, start)


def top_after(profiles: Profiles, start: Int[Tensor, " places"]) -> Float[Tensor, " places"]:
    """The height to which each profile climbs from a sample on, before it falls back."""
    index = torch.arange(profiles.shape[1], device=profiles.device)
    inside = index >= start[:, None]
    climbed = profiles.masked_fill(~inside, -math.inf).cummax(dim=1).values
    extent = profiles.amax(dim=1, keepdim=True) - profiles.amin(dim=1, keepdim=True)
    fallen = inside & (profiles < climbed - _TOLERANCE * extent)
    return climbed.masked_fill(~inside | (fallen.cumsum(dim=1) > 0), -math.inf).amax(dim=1)


def reached(
    profiles: Profiles, start: Int[Tensor, " places"], level: Float[Tensor, " places"]
) -> Float[Tensor, " places"]:
    """How many samples behind ``start`` each profile is first at a level or above, between samples by a line."""
    index = torch.arange(profiles.shape[1], device=profiles.device)
    there = (index >= start[:, None]) & (profiles >= level[:, None])
    first = torch.where(there, index, profiles.shape[1] - 1).amin(dim=1)
    before = (first - 1).clamp(min=0)
    two = profiles.gather(1, torch.stack([before, first], dim=1))
    share = ((two[:, 1] - level) / (two[:, 1] - two[:, 0]).clamp(min=1e-12)).clamp(0, 1)
    return first - share - start


def _slopes(plane: Plane) -> tuple[Plane, Plane]:
    """Central differences down and across."""
    whole = pad(plane[None, None], (1,) * 4, mode="replicate")[0, 0]
    return (whole[2:, 1:-1] - whole[:-2, 1:-1]) / 2, (whole[1:-1, 2:] - whole[1:-1, :-2]) / 2


def _at(plane: Plane, normal: Tensor, distance: float) -> Plane:
    """The picture so far along the normal of each pixel (bilinear)."""
    height, width = plane.shape
    rows, columns = torch.meshgrid(
        torch.arange(height, device=plane.device), torch.arange(width, device=plane.device), indexing="ij"
    )
    points = torch.stack([rows, columns], dim=-1) + distance * normal.permute(1, 2, 0)
    return _looked_up(plane, points, "bilinear")


def _looked_up(plane: Plane, points: Tensor, mode: Between) -> Tensor:
    """The picture at rows and columns, (..., 2)."""
    sides = torch.tensor([max(side - 1, 1) for side in plane.shape], device=plane.device)
    grid = (2 * points / sides - 1).flip(-1).reshape(1, -1, 1, 2)
    found = grid_sample(plane[None, None], grid, mode=mode, padding_mode="border", align_corners=True)
    return found.reshape(points.shape[:-1])


def _chosen(mask: Tensor, normal: Tensor, reach: float) -> Places:
    """The places of a mask, at most `MOST` of them, evenly, and none near the border."""
    margin = math.ceil(reach) + 2
    inside = torch.zeros_like(mask)
    inside[margin : mask.shape[0] - margin, margin : mask.shape[1] - margin] = True
    found = (mask & inside).nonzero()
    if len(found) > MOST:
        found = found[torch.linspace(0, len(found) - 1, MOST, device=mask.device).round().long()]
    return Places(found.to(normal.dtype), normal[:, found[:, 0], found[:, 1]].T)
