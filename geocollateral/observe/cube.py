"""Digital numbers to physical values, and the step from a raster to the pixels under parcels."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from geocollateral.types import OPTICAL_BANDS, RADAR_BANDS, require_cube

BORDER_NOISE = 1.0001e-5
"""Backscatter up to here [1], -50 dB, is zero fill or noise of a scene's border: the sensor's own noise is near -25 dB.

A hair above 1e-5, which is a usual fill value and has no exact float32.
"""


def take_pixels(cube: xr.Dataset, pixels: NDArray[np.int64]) -> xr.Dataset:
    """Only the pixels under parcels, as dims ``(time, pixel)``.

    Parameters
    ----------
    cube
        Raster cube, dims ``(time, y, x)``.
    pixels
        Positions in the flattened ``(y, x)`` plane, row by row.
    """
    require_cube(cube)
    n_plane = cube.sizes["y"] * cube.sizes["x"]
    variables = {
        name: (("time", "pixel"), variable.values.reshape(-1, n_plane)[:, pixels], variable.attrs)
        if variable.dims == ("time", "y", "x")
        else variable
        for name, variable in cube.data_vars.items()
    }
    keep = {name: value for name, value in cube.coords.items() if not {"y", "x"} & set(value.dims)}
    return xr.Dataset(variables, coords=keep, attrs=cube.attrs)


def to_physical(numbers: xr.Dataset) -> xr.Dataset:
    """Reflectance, backscatter and classes from digital numbers.

    Parameters
    ----------
    numbers
        As a source's ``read`` returns it, on any dims that start with ``time``.

    Returns
    -------
    Optical bands as float32 reflectance [1] (0-1 over land; not clipped, so that a wrong offset shows), radar bands as
    float32 linear gamma0 [1], ``scl`` as uint8 (0 = no data). NaN = no data.
    """
    out: dict[str, xr.DataArray] = {}
    for name, variable in numbers.data_vars.items():
        if name == "scl":
            readable = (numbers["status"].sel(band="scl") == "ok").values
            classes = np.where(_along_time(readable, variable), variable.values, 0)
            out["scl"] = variable.copy(data=classes.astype(np.uint8))
        elif name in OPTICAL_BANDS or name in RADAR_BANDS:
            out[str(name)] = _scaled(numbers, str(name))
    return xr.Dataset(out, attrs=numbers.attrs)


def _scaled(numbers: xr.Dataset, band: str) -> xr.DataArray:
    variable = numbers[band]
    # Float before arithmetic: unsigned integers wrap around below zero in silence.
    raw = variable.values.astype(np.float64)
    missing = ~np.isfinite(raw)
    if "nodata" in variable.attrs:
        missing |= raw == float(variable.attrs["nodata"])
    missing |= ~_along_time((numbers["status"].sel(band=band) == "ok").values, variable)
    scale = _along_time(numbers["scale"].sel(band=band).values, variable)
    offset = _along_time(numbers["offset"].sel(band=band).values, variable)
    value = raw * scale + offset
    if band in RADAR_BANDS:
        if variable.attrs.get("units") == "dB":
            value = 10 ** (value / 10)
        missing |= ~(value > BORDER_NOISE)
    return variable.copy(data=np.where(missing, np.nan, value).astype(np.float32))


def _along_time(values: NDArray[Any], like: xr.DataArray) -> NDArray[Any]:
    return values.reshape((-1,) + (1,) * (like.ndim - 1))
