"""TIFF answers of the Process API, taken apart and checked against what was asked for."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox

from geocollateral.sources.hub.client import BrokenAnswer
from geocollateral.sources.hub.evalscripts import check_sums

GRID_TOLERANCE = 1e-6
"""Of pixel size and corner, in pixels."""


def parse_image(body: bytes, geobox: GeoBox, n_bands: int, dtype: str) -> NDArray[np.generic]:
    """Numbers of a TIFF, ``(band, y, x)``.

    What the file says of itself is compared with the request; for the pixels see `split_planes`.

    Parameters
    ----------
    geobox
        Window asked for.
    n_bands, dtype
        Samples per pixel and their type asked for.

    Raises
    ------
    BrokenAnswer
        It is no TIFF, is cut short, does not decode, or is another picture than the one asked for.
    """
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(body)) as file:
            if len(file.pages) != 1:
                raise BrokenAnswer(f"the picture has {len(file.pages)} pages, expected 1")
            page = file.pages[0]
            if not isinstance(page, tifffile.TiffPage):
                raise BrokenAnswer("the picture has no header")
            _require_header(page, geobox, n_bands, dtype)
            values = np.asarray(page.asarray())
    except BrokenAnswer:
        raise
    except Exception as error:  # the decoders raise whatever a damaged file leads them to
        raise BrokenAnswer(f"the picture cannot be decoded: {type(error).__name__}") from error
    shape = (*geobox.shape, n_bands) if page.planarconfig == 1 else (n_bands, *geobox.shape)
    if values.size != math.prod(shape):
        raise BrokenAnswer(f"the picture decodes to {values.shape}, expected {shape}")
    planes = values.reshape(shape)
    ordered = np.moveaxis(planes, -1, 0) if page.planarconfig == 1 else planes
    return np.ascontiguousarray(ordered)


def split_planes(
    planes: NDArray[np.generic], bands: Sequence[str]
) -> tuple[dict[str, NDArray[np.generic]], NDArray[np.bool_]]:
    """Planes by band name, and where there is data (**True = data**), of a picture of our script for bands.

    Raises
    ------
    BrokenAnswer
        The check sums of the pixels are not theirs, or the mask is neither 0 nor 1.
    """
    mask = planes[-2]
    if not np.array_equal(check_sums(planes[:-1]), planes[-1]):
        raise BrokenAnswer("the check sums of the picture are not those of its pixels")
    if not np.isin(mask, (0, 1)).all():
        raise BrokenAnswer("dataMask holds other values than 0 and 1")
    return dict(zip(bands, planes[:-2], strict=True)), np.asarray(mask == 1)


def _require_header(page: object, geobox: GeoBox, n_bands: int, dtype: str) -> None:
    found = {
        "rows and columns": ((page.imagelength, page.imagewidth), tuple(geobox.shape)),  # type: ignore[attr-defined]
        "samples": (page.samplesperpixel, n_bands),  # type: ignore[attr-defined]
        "type": (str(page.dtype), dtype),  # type: ignore[attr-defined]
        "depth": (page.imagedepth, 1),  # type: ignore[attr-defined]
    }
    for name, (got, expected) in found.items():
        if got != expected:
            raise BrokenAnswer(f"the picture has {name} {got}, asked for {expected}")
    _require_place(page, geobox)


def _require_place(page: object, geobox: GeoBox) -> None:
    tags = page.geotiff_tags  # type: ignore[attr-defined]
    scale, tie = tags.get("ModelPixelScale"), tags.get("ModelTiepoint")
    a = geobox.affine
    if scale is None or tie is None:
        raise BrokenAnswer("the picture does not say where it lies")
    got = np.array([scale[0], -scale[1], tie[3] - tie[0] * scale[0], tie[4] + tie[1] * scale[1]])
    if not np.allclose(got, [a.a, a.e, a.c, a.f], rtol=0, atol=GRID_TOLERANCE * abs(a.a)):
        raise BrokenAnswer(f"the picture lies at {got.tolist()}, asked for {[a.a, a.e, a.c, a.f]}")
    code = tags.get("ProjectedCSTypeGeoKey")
    if code is not None and f"EPSG:{int(code)}" != str(geobox.crs):
        raise BrokenAnswer(f"the picture is in EPSG:{int(code)}, asked for {geobox.crs}")
