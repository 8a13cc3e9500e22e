"""How well outlines fit the edges of the ground where they lie, and where another datum would put them.

A parcel drawn along what can be seen has edges of the imagery under its outline and none inside. Its fit at a place is
the gradient across the outline over the root of the gradient inside, both averaged over many looks, so that what lasts
counts and clouds do not. The fit means nothing by itself: some ground is full of edges. It is compared with the fit of
the same outline moved to thousands of other places around; the share of these that fit as well is the chance that a
wrong place looks as good. Shares of several parcels of one file are joined by Fisher's method (Fisher 1925, Statistical
Methods for Research Workers, section 21.1; doi:10.1007/978-1-4612-4380-9_6). The gradients of all bands and looks are
added as a structure tensor (Di Zenzo 1986, doi:10.1016/0734-189X(86)90223-9).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage
from scipy.stats import chi2
from shapely.geometry.base import BaseGeometry

from geocollateral.types import Params

TITLES: Mapping[str, str] = {"wgs84": "WGS 84", "gcj02": "GCJ-02", "bd09": "BD-09"}
"""Datums that are told apart, and how a reader knows them."""

Plane = NDArray[np.float32]
Offset = tuple[int, int]
"""Columns to the right and rows down [pixels]."""
DatumVerdict = Literal["match", "mismatch", "cannot_tell"]

STEP_PIXELS = 3
"""Places around a parcel that its fit is compared with lie on a lattice of this many pixels."""
APART_PIXELS = 6
"""Places nearer than this to one of the places in question say nothing of chance."""
STRONG_EDGE = 3.0
"""Gradients are damped beyond this multiple of the middle one, so that a river does not outweigh ten hedges."""
MIN_PLACES = 500
"""Places needed to tell what chance gives."""
MIN_SHOWN = 0.95
"""Share of an outline that must lie on ground seen, for a place to count."""
MAX_POINTS = 240
MAX_INSIDE = 120


class DatumFitParams(Params):
    """How the datum stated is held against the edges of the imagery."""

    where: Literal["china", "never"] = Field(
        "china", description="Which parcels are looked at: those in or near China, or none."
    )
    looks: int = Field(8, ge=2, le=60, description="Clear looks read, spread over the seasons of three years.")
    max_blocks: int = Field(4, ge=1, le=1000, description="Blocks looked at, those with most parcels first.")
    max_chance: float = Field(
        0.05, gt=0, le=0.2, description="Largest chance that places at random fit as well, for a datum to be told [1]."
    )
    min_ratio: float = Field(
        10.0, ge=1, description="How many times less likely by chance the fit of the one datum is than of the next [1]."
    )
    inset_m: float = Field(12.0, ge=0, le=100, description="What is nearer to the outline is not inside [m].")


@dataclass(frozen=True, kw_only=True)
class Edges:
    """Lasting edges of some ground."""

    tensor: NDArray[np.float32]
    """Shape (3, y, x): mean squares and product of the gradients along x and y, of all looks and bands, each in units
    of the middle gradient of its picture [1]; NaN = never seen."""


@dataclass(frozen=True, kw_only=True)
class DatumJudgement:
    """What the edges say of the datum of some parcels together."""

    verdict: DatumVerdict
    """``match``: they fit where they lie. ``mismatch``: they fit where another datum puts them, and not where they
    lie. ``cannot_tell``: `reason` says why."""
    fits: str
    """Datum whose places fit; empty where none can be told."""
    chances: Mapping[str, float]
    """By datum: chance that as many parcels at random places fit as well [0-1]."""
    n_parcels: int
    """Parcels with a say."""
    reason: str


def find_edges(bands: Mapping[str, Plane]) -> Edges:
    """Lasting edges of pictures of one window.

    Parameters
    ----------
    bands
        By band, shape (time, y, x), reflectance or an index; NaN = not seen clearly.
    """
    shape = next(iter(bands.values())).shape[1:]
    total, count = np.zeros((3, *shape)), np.zeros(shape)
    for stack in bands.values():
        for picture in stack:
            x, y = _gradients(picture)
            seen = np.isfinite(x)
            x, y = np.where(seen, x, 0), np.where(seen, y, 0)
            total += np.stack([x * x, x * y, y * y])
            count += seen
    with np.errstate(invalid="ignore"):
        return Edges(tensor=np.where(count > 0, total / count, np.nan).astype(np.float32))


def places_around(reach: int, apart_from: Sequence[Offset]) -> NDArray[np.int64]:
    """Offsets to compare with, shape (place, 2): a lattice within a reach, without what is near the places in question.

    Parameters
    ----------
    reach
        [pixels].
    """
    half = reach // STEP_PIXELS * STEP_PIXELS
    axis = np.arange(-half, half + 1, STEP_PIXELS)
    x, y = (plane.ravel() for plane in np.meshgrid(axis, axis))
    keep = np.hypot(x, y) <= reach
    for column, row in apart_from:
        keep &= np.hypot(x - column, y - row) > APART_PIXELS
    return np.column_stack([x, y])[keep]


def chances_of(
    edges: Edges, outline: BaseGeometry, affine: Affine, asked: Mapping[str, Offset], reach: int, inset_m: float
) -> dict[str, float] | None:
    """Share of places around that fit an outline as well as each place in question does.

    Parameters
    ----------
    outline
        In the CRS of the window.
    affine
        Of the window's grid.
    asked
        Places in question by name.

    Returns
    -------
    By name, > 0 and <= 1; NaN where the place is not seen. None where the parcel is too narrow to have an inside, or
    too little around it is seen.
    """
    border, normal = _sample_border(outline, ~affine)
    inside = _sample_inside(outline, affine, inset_m)
    if inside is None:
        return None
    offsets = np.vstack([np.array(list(asked.values()), np.int64), places_around(reach, list(asked.values()))])
    fits = _fits(edges.tensor, border, normal, inside, offsets)
    own, others = fits[: len(asked)], fits[len(asked) :]
    others = others[np.isfinite(others)]
    if len(others) < MIN_PLACES:
        return None
    return {
        name: float((1 + (others >= fit).sum()) / (1 + len(others))) if np.isfinite(fit) else float("nan")
        for name, fit in zip(asked, own, strict=True)
    }


def judge_datum(chances: Sequence[Mapping[str, float]], stated: str, params: DatumFitParams) -> DatumJudgement:
    """What parcels that share a datum say together.

    Parameters
    ----------
    chances
        Of each parcel, from `chances_of`.
    stated
        Name among them of where the parcels lie as stated.
    """
    told = [one for one in chances if np.isfinite(one[stated])]
    if not told:
        reason = "no parcel is large enough and has enough ground around it in the imagery to compare its outline"
        return DatumJudgement(verdict="cannot_tell", fits="", chances={}, n_parcels=0, reason=reason)
    names = list(told[0])
    # What is not seen says as much as chance does on average: -log of a share is 1.
    weight = {name: sum(-float(np.log(one[name])) if np.isfinite(one[name]) else 1.0 for one in told) for name in names}
    joined = {name: float(chi2.sf(2 * weight[name], 2 * len(told))) for name in names}
    first, second = sorted(names, key=lambda name: -weight[name])[:2]
    share = (
        f"as good a fit is had by chance with probability {joined[first]:.1g} for {TITLES[first]} and "
        f"{joined[second]:.1g} for {TITLES[second]}; parcels compared: {len(told)}"
    )
    if joined[first] > params.max_chance:
        return DatumJudgement(
            verdict="cannot_tell",
            fits="",
            chances=joined,
            n_parcels=len(told),
            reason=f"the outlines follow no edges that the imagery shows ({share})",
        )
    if weight[first] - weight[second] < np.log(params.min_ratio):
        return DatumJudgement(
            verdict="cannot_tell",
            fits="",
            chances=joined,
            n_parcels=len(told),
            reason=f"the outlines fit in two places ({share})",
        )
    verdict: DatumVerdict = "match" if first == stated else "mismatch"
    return DatumJudgement(verdict=verdict, fits=first, chances=joined, n_parcels=len(told), reason=share)


# --------------------------------------------------------------------------------------------------------------- edges


def _gradients(picture: Plane) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Along x and y, in units of the middle gradient of the picture, damped; NaN where not seen."""
    seen = np.isfinite(picture)
    nothing = np.full(picture.shape, np.nan)
    if seen.sum() < 2:
        return nothing, nothing
    weight = ndimage.gaussian_filter(seen.astype(np.float64), 1.0)
    smooth = ndimage.gaussian_filter(np.where(seen, picture, 0.0).astype(np.float64), 1.0) / np.maximum(weight, 1e-6)
    y, x = np.gradient(np.where(seen, smooth, np.nan))
    size = np.hypot(x, y)
    known = np.isfinite(size)
    middle = float(np.median(size[known])) if known.any() else 0.0
    if middle <= 0:
        return nothing, nothing
    damped = 1 / (middle * np.sqrt(1 + (size / middle / STRONG_EDGE) ** 2))
    return x * damped, y * damped


def _sample_border(outline: BaseGeometry, to_pixels: Affine) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points along the outline [column, row] and the direction across it at each."""
    lines = [
        _apply(to_pixels, shapely.get_coordinates(ring))
        for part in shapely.get_parts(outline)
        for ring in (part.exterior, *part.interiors)
    ]
    start, end = (np.vstack([line[at] for line in lines]) for at in (np.s_[:-1], np.s_[1:]))
    along = end - start
    length = np.hypot(*along.T)
    keep = length > 0
    start, along, length = start[keep], along[keep], length[keep]
    step = max(0.5, float(length.sum()) / MAX_POINTS)
    n = np.maximum(np.rint(length / step), 1).astype(np.int64)
    share = np.concatenate([(np.arange(k) + 0.5) / k for k in n])[:, None]
    unit = along / length[:, None]
    return (
        np.repeat(start, n, axis=0) + np.repeat(along, n, axis=0) * share,
        np.repeat(np.column_stack([unit[:, 1], -unit[:, 0]]), n, axis=0),
    )


def _apply(affine: Affine, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points moved by an affine, shape (point, 2)."""
    a, b, c, d, e, f = tuple(affine)[:6]
    return np.column_stack([a * points[:, 0] + b * points[:, 1] + c, d * points[:, 0] + e * points[:, 1] + f])


def _sample_inside(outline: BaseGeometry, affine: Affine, inset_m: float) -> NDArray[np.int64] | None:
    """Pixels [column, row] inside and away from the outline; None where there are fewer than four."""
    core = shapely.buffer(outline, -inset_m)
    if core.is_empty:
        return None
    west, south, east, north = core.bounds
    left, top = ~affine @ (west, north)
    right, bottom = ~affine @ (east, south)
    column, row = (
        axis.ravel()
        for axis in np.meshgrid(
            np.arange(int(np.floor(left)), int(np.ceil(right)) + 1),
            np.arange(int(np.floor(top)), int(np.ceil(bottom)) + 1),
        )
    )
    middles = _apply(affine, np.column_stack([column + 0.5, row + 0.5]))
    held = np.flatnonzero(shapely.contains_xy(core, *middles.T))
    if len(held) < 4:
        return None
    held = held[np.unique(np.linspace(0, len(held) - 1, min(len(held), MAX_INSIDE)).astype(np.int64))]
    return np.column_stack([column[held], row[held]])


def _fits(
    tensor: NDArray[np.float32],
    border: NDArray[np.float64],
    normal: NDArray[np.float64],
    inside: NDArray[np.int64],
    offsets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Logarithm of the gradient across the outline over the root of that inside, at each offset; NaN = not seen."""
    pixels, member = np.unique(np.floor(border).astype(np.int64), axis=0, return_inverse=True)
    x, y = normal.T
    weights = np.stack([np.bincount(member.ravel(), w, len(pixels)) for w in (x * x, 2 * x * y, y * y)]) / len(border)
    across = _sums(tensor, pixels, weights, offsets)
    ones = np.full(len(inside), 1 / len(inside))
    within = _sums(tensor, inside, np.stack([ones, 0 * ones, ones]), offsets)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.log(np.maximum(across, 1e-9)) - 0.5 * np.log(np.maximum(within, 1e-9)))


def _sums(
    tensor: NDArray[np.float32],
    pixels: NDArray[np.int64],
    weights: NDArray[np.float64],
    offsets: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Weighted sums over pixels moved by each offset, for what is seen of them; NaN where that is too little."""
    _, height, width = tensor.shape
    size = weights[0] + weights[2]
    sums, shown = np.zeros(len(offsets)), np.zeros(len(offsets))
    for (column, row), weight, one in zip(pixels, weights.T, size, strict=True):
        at_x, at_y = column + offsets[:, 0], row + offsets[:, 1]
        held = (at_x >= 0) & (at_x < width) & (at_y >= 0) & (at_y < height)
        values = tensor[:, np.where(held, at_y, 0), np.where(held, at_x, 0)]
        held &= np.isfinite(values[0])
        sums += np.where(held, weight @ values, 0.0)
        shown += np.where(held, one, 0.0)
    share = shown / size.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(share >= MIN_SHOWN, sums / share, np.nan))
