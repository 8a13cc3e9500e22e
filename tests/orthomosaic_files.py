"""Orthomosaics as users have them, written with rasterio from pictures whose content is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

BY_NAME = {name: getattr(ColorInterp, name) for name in ("red", "green", "blue", "alpha")}


def write_ortho(
    path: Path,
    planes: NDArray[Any],
    *,
    transform: Affine,
    crs: str | None,
    colours: Sequence[str] = (),
    descriptions: Sequence[str] = (),
    tags: dict[str, str] | None = None,
    inner_mask: NDArray[np.bool_] | None = None,
    **profile: Any,
) -> Path:
    """A GeoTIFF, by default tiled and deflated.

    Parameters
    ----------
    planes
        Shape (band, rows, cols).
    colours
        Colour of each band, such as ``red``; anything else counts as undefined.
    inner_mask
        True = valid; written inside the file.
    """
    count, height, width = planes.shape
    layout = {"tiled": True, "blockxsize": 64, "blockysize": 64, "compress": "deflate"} | profile
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count, dtype=planes.dtype.name,
            crs=crs, transform=transform, **layout,
        ) as file,
    ):  # fmt: skip
        if colours:
            file.colorinterp = [BY_NAME.get(colour, ColorInterp.undefined) for colour in colours]
        file.write(planes)
        for number, text in enumerate(descriptions, start=1):
            file.set_band_description(number, text)
        if tags:
            file.update_tags(**tags)
        if inner_mask is not None:
            file.write_mask(inner_mask)
    return path
