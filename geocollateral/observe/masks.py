"""Which pixels were seen clearly. **True = clear** everywhere.

Two steps. The scene classification (SCL) of Sen2Cor, its clouds and shadows widened because their edges are fuzzy;
then a temporal screen, because the classification misses clouds: haze lifts blue against red, bare ground does not, so
a look whose haze index stands out from the looks around it is dropped. A lasting rise is the ground (a new roof) and
stays. The same for shadows, which darken every band for one look. Snow shows by itself, in one look.

Source: haze optimized transform, Zhang, Guindon & Cihlar 2002, doi:10.1016/S0034-4257(02)00034-2.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.types import Params, require_cube

SCL_CLASSES: dict[int, str] = {
    0: "no data",
    1: "saturated",
    2: "dark area",
    3: "cloud shadow",
    4: "vegetation",
    5: "not vegetated",
    6: "water",
    7: "unclassified",
    8: "cloud, medium probability",
    9: "cloud, high probability",
    10: "thin cirrus",
    11: "snow",
}


class MaskParams(Params):
    """Knobs of the clear mask."""

    clear_classes: tuple[int, ...] = Field(
        (4, 5, 6), description="SCL classes that count as a clear look at the ground."
    )
    widened_classes: tuple[int, ...] = Field((3, 8, 9, 10), description="SCL classes widened by dilate_m.")
    dilate_m: float = Field(30.0, ge=0, le=500, description="How far clouds and shadows are widened [m].")
    min_look_fraction: float = Field(
        0.5, gt=0, le=1, description="Clear share of a parcel from which a look at its mean counts [1]."
    )
    haze_limit: float = Field(
        0.03, gt=0, description="Rise of the haze index (blue - 0.5 red) over the looks around it that marks haze [1]."
    )
    haze_neighbours: int = Field(4, ge=1, le=20, description="Clear looks on each side a look is compared with.")
    shadow_share: float = Field(
        0.6, gt=0, lt=1, description="Share of the near infrared around it below which a look may be a shadow [1]."
    )
    snow_limit: float = Field(
        0.4, gt=0, lt=1, description="Snow index (red - swir16) / (red + swir16) above which a bright look is snow [1]."
    )
    snow_red: float = Field(
        0.2, gt=0, lt=1, description="Red reflectance from which a look can be snow; below it is water [1]."
    )


def classification_mask(cube: xr.Dataset, params: MaskParams) -> xr.DataArray:
    """Clear by the scene classification.

    Parameters
    ----------
    cube
        Raster cube with ``scl`` (uint8; 0 = no data), dims ``(time, y, x)``.

    Returns
    -------
    bool ``(time, y, x)``, True = clear.
    """
    scl = require_cube(cube, "scl")["scl"]
    pixel_m = abs(float(cube.attrs["transform"][0]))
    radius = int(np.ceil(params.dilate_m / pixel_m))
    unclear = np.isin(scl.values, params.widened_classes)
    if radius:
        disk = _disk(radius)
        unclear = np.stack([ndimage.binary_dilation(plane, disk) for plane in unclear]) if len(unclear) else unclear
    return scl.copy(data=np.isin(scl.values, params.clear_classes) & ~unclear)


def haze_screen(bands: xr.Dataset, clear: NDArray[np.bool_], params: MaskParams) -> NDArray[np.bool_]:
    """Looks that the classification called clear but that stand out as haze from the looks around them.

    Parameters
    ----------
    bands
        Reflectance with ``blue`` and ``red``, dims ``(time, pixel)``.
    clear
        Shape (time, pixel), True = clear so far.

    Returns
    -------
    Shape (time, pixel), **True = hazy**. A look with fewer than three clear neighbours is never called hazy. Uses looks
    on both sides where they exist, so the verdict on the newest looks may be revised when later ones arrive.
    """
    haze = _seen(bands["blue"].values - 0.5 * bands["red"].values, clear)
    with np.errstate(invalid="ignore"):
        return np.asarray(haze - _typical(haze, params) > params.haze_limit)


def shadow_screen(bands: xr.Dataset, clear: NDArray[np.bool_], params: MaskParams) -> NDArray[np.bool_]:
    """Looks that stand out as a passing cloud shadow from the looks around them.

    A shadow darkens every band: the near infrared falls below ``shadow_share`` of what is typical around the look, red
    does not rise, and the next look is bright again. Clearing and burning brighten red or last, and stay.

    Parameters
    ----------
    bands
        Reflectance with ``red`` and ``nir``, dims ``(time, pixel)``.
    clear
        Shape (time, pixel), True = clear so far.

    Returns
    -------
    Shape (time, pixel), **True = shadowed**. Like `haze_screen` it uses looks on both sides where they exist.
    """
    nir, red = _seen(bands["nir"].values, clear), _seen(bands["red"].values, clear)
    with np.errstate(invalid="ignore"):
        dark = (nir < params.shadow_share * _typical(nir, params)) & (red <= _typical(red, params))
        lasts = nir > params.shadow_share * _next(nir)
    return np.asarray(dark & ~lasts)


def snow_screen(bands: xr.Dataset, params: MaskParams) -> NDArray[np.bool_]:
    """Looks at snow that the classification did not call snow.

    Snow is bright in the visible and dark in the short-wave infrared; clouds are bright in both, water dark in both.

    Parameters
    ----------
    bands
        Reflectance with ``red`` and ``swir16``, dims ``(time, pixel)``.

    Returns
    -------
    Shape (time, pixel), **True = snow**. Source: Xiao, Shen & Qin 2001, the snow index with the red band,
    doi:10.1080/01431160119766.
    """
    red, swir = bands["red"].values, bands["swir16"].values
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((red > params.snow_red) & ((red - swir) / (red + swir) > params.snow_limit))


def _seen(values: NDArray[np.floating[Any]], clear: NDArray[np.bool_]) -> NDArray[np.float32]:
    return np.where(clear, values, np.nan).astype(np.float32)


def _typical(values: NDArray[np.float32], params: MaskParams) -> NDArray[np.float32]:
    """Median of the clear looks around each clear look, itself left out; NaN with fewer than three of them."""
    typical = np.full(values.shape, np.nan, np.float32)
    # The stack of neighbours is 2 * haze_neighbours times as large as the series: a part at a time bounds memory.
    for start in range(0, values.shape[1], 8192):
        part = slice(start, start + 8192)
        typical[:, part] = _median_around(values[:, part], params.haze_neighbours)
    return typical


def _median_around(values: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    packed, order = _pack(values)
    n = len(packed)
    padded = np.pad(packed, ((k, k), (0, 0)), constant_values=np.nan)
    around = np.stack([padded[k + shift : k + shift + n] for shift in range(-k, k + 1) if shift])
    around.sort(axis=0)
    count = np.isfinite(around).sum(axis=0)
    low = np.take_along_axis(around, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(around, np.minimum(count // 2, 2 * k - 1)[None], axis=0)[0]
    return _unpack(np.where(count >= 3, (low + high) / 2, np.nan), order)


def _next(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Value of the next clear look; NaN where there is none."""
    packed, order = _pack(values)
    following = np.concatenate([packed[1:], np.full((min(len(packed), 1), packed.shape[1]), np.nan, np.float32)])
    return _unpack(following, order)


def _pack(values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Clear looks first, in the order of time, and where each came from."""
    order = np.argsort(~np.isfinite(values), axis=0, kind="stable")
    return np.take_along_axis(values, order, axis=0), order


def _unpack(packed: NDArray[np.floating[Any]], order: NDArray[np.intp]) -> NDArray[np.float32]:
    values = np.full(packed.shape, np.nan, np.float32)
    np.put_along_axis(values, order, packed.astype(np.float32), axis=0)
    return values


def _disk(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius)
