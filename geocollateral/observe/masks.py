"""Which pixels were seen clearly. **True = clear** everywhere.

Two steps. The scene classification (SCL) of Sen2Cor, its clouds and shadows widened because their edges are fuzzy;
then a temporal screen, because the classification misses clouds: haze lifts blue against red, bare ground does not, so
a look whose haze index stands out from the looks around it is dropped. A lasting rise is the ground (a new roof) and
stays.

Source: haze optimized transform, Zhang, Guindon & Cihlar 2002, doi:10.1016/S0034-4257(02)00034-2.
"""

from __future__ import annotations

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
    haze_limit: float = Field(
        0.03, gt=0, description="Rise of the haze index (blue - 0.5 red) over the looks around it that marks haze [1]."
    )
    haze_neighbours: int = Field(4, ge=1, le=20, description="Clear looks on each side it is compared with.")


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
    haze = np.where(clear, bands["blue"].values - 0.5 * bands["red"].values, np.nan).astype(np.float32)
    hazy = np.zeros(haze.shape, bool)
    for start in range(
        0, haze.shape[1], 8192
    ):  # bounds memory: the neighbour stack is 2 * haze_neighbours times as big
        part = slice(start, start + 8192)
        hazy[:, part] = _stands_out(haze[:, part], params)
    return hazy


def _stands_out(haze: NDArray[np.float32], params: MaskParams) -> NDArray[np.bool_]:
    seen = np.isfinite(haze)
    order = np.argsort(~seen, axis=0, kind="stable")  # clear looks first, in time order
    packed = np.take_along_axis(haze, order, axis=0)
    n, k = len(packed), params.haze_neighbours
    padded = np.pad(packed, ((k, k), (0, 0)), constant_values=np.nan)
    around = np.stack([padded[k + shift : k + shift + n] for shift in range(-k, k + 1) if shift])
    around.sort(axis=0)
    count = np.isfinite(around).sum(axis=0)
    low = np.take_along_axis(around, np.maximum(count - 1, 0)[None] // 2, axis=0)[0]
    high = np.take_along_axis(around, np.minimum(count // 2, 2 * k - 1)[None], axis=0)[0]
    with np.errstate(invalid="ignore"):
        out = (packed - (low + high) / 2 > params.haze_limit) & (count >= 3)
    unpacked = np.zeros(haze.shape, bool)
    np.put_along_axis(unpacked, order, out, axis=0)
    return unpacked & seen


def _disk(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius)
