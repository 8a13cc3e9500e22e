"""``ortho:FILE``: an orthomosaic as imagery, one scene on the 10 m grid of its UTM zone.

Its pixels are averaged by area over that grid, where those of Sentinel-2 lie, so that a block of it is as small as one
of the satellite's. One scene is no series: classes of collateral that need one cannot tell. To see an orthomosaic
beside a series, give it to ``assess`` by ``--ortho``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyproj
import pystac
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely import box
from shapely.geometry import mapping

from geocollateral.errors import BrokenData
from geocollateral.sources.orthos.mosaic import Orthomosaic, open_orthomosaic, read_area
from geocollateral.sources.schemes import SOURCES, SourceRequest
from geocollateral.types import SENSOR_PROPERTY, Block, Period, Source, SourceInfo

PIXEL_M = 10.0
SEEN_SHARE = 0.5
"""Share of a pixel that the orthomosaic must show for it to hold data [0-1]."""


@dataclass(frozen=True, kw_only=True)
class OrthoSource:
    """One orthomosaic as a source."""

    mosaic: Orthomosaic

    @property
    def info(self) -> SourceInfo:
        """What a report says of it."""
        return SourceInfo(
            name=f"ortho:{self.mosaic.name}",
            title=f"Orthomosaic {self.mosaic.name} of {self.mosaic.acquired}",
            licence="not stated by the file",
            attribution="provided by the user",
            sha256={self.mosaic.name: self.mosaic.sha256},
        )

    @property
    def grid(self) -> GeoBox:
        """Smallest grid of 10 m pixels in its UTM zone that holds it."""
        middle = self.mosaic.footprint.centroid
        zone = int((middle.x + 180) // 6) % 60 + 1
        crs = f"EPSG:{(32600 if middle.y >= 0 else 32700) + zone}"
        outline = np.array(self.mosaic.footprint.exterior.coords)
        x, y = pyproj.Transformer.from_crs(4326, crs, always_xy=True).transform(*(outline.T))
        # A hair inside: an outline on the lattice stays on it after a turn through degrees.
        left, right = np.floor(x.min() / PIXEL_M + 1e-4), np.ceil(x.max() / PIXEL_M - 1e-4)
        bottom, top = np.floor(y.min() / PIXEL_M + 1e-4), np.ceil(y.max() / PIXEL_M - 1e-4)
        shape = int(top - bottom), int(right - left)
        return GeoBox(shape, Affine(PIXEL_M, 0, left * PIXEL_M, 0, -PIXEL_M, top * PIXEL_M), crs)

    def search(self, bounds: tuple[float, float, float, float], period: Period) -> list[pystac.Item]:
        """The one scene, if the period and the bounds hold some of it; see `geocollateral.types.Source`."""
        west, south, east, north = bounds
        halves = [(west, 180.0), (-180.0, east)] if west > east else [(west, east)]  # across 180 degrees
        met = any(self.mosaic.footprint.intersects(box(left, south, right, north)) for left, right in halves)
        early = period.start is not None and self.mosaic.acquired < period.start
        return [self._item()] if met and not early and self.mosaic.acquired <= period.end else []

    def read(self, block: Block, bands: Sequence[str]) -> xr.Dataset:
        """Area averages on the block's grid; see `geocollateral.types.Source`.

        Raises
        ------
        BrokenData
            The block names another scene or does not lie on the grid.
        """
        self._require_own(block)
        held = [band for band in bands if band in self.mosaic.bands]
        read = read_area(self.mosaic, block.geobox, held)
        status, reason = np.full((1, len(bands)), "missing", "<U11"), np.full((1, len(bands)), "", object)
        variables, seen = {}, read.share >= SEEN_SHARE
        for n, band in enumerate(bands):
            if band in read.values:
                values = np.where(seen, read.values[band], np.nan).astype(np.float32)[None]
                variables[band] = xr.DataArray(values, dims=("time", "y", "x"), attrs={"nodata": np.nan, "units": "1"})
                status[:, n] = "corrupt" if read.faults and not seen.any() else "ok" if seen.any() else "outside"
                reason[:, n] = "; ".join(read.faults)
        here = np.isin(np.array(bands), held)[None]
        a, (height, width) = block.geobox.affine, map(int, block.geobox.shape)
        return xr.Dataset(
            {
                **variables,
                "scale": (("time", "band"), np.where(here, 1.0, np.nan)),
                "offset": (("time", "band"), np.where(here, 0.0, np.nan)),
                "status": (("time", "band"), status),
                "reason": (("time", "band"), reason.astype(np.str_)),
            },
            coords={
                "time": [np.datetime64(self.mosaic.acquired, "ns")],
                "y": a.f + a.e * (np.arange(height) + 0.5),
                "x": a.c + a.a * (np.arange(width) + 0.5),
                "band": np.array(list(bands), dtype=np.str_),
                "scene_id": ("time", np.array([self.mosaic.scene_id])),
                "platform": ("time", np.array([self.mosaic.sensor])),
                "orbit": ("time", np.array([""])),
            },
            attrs={"crs": str(block.geobox.crs), "transform": tuple(float(v) for v in tuple(a)[:6])},
        ).isel(time=slice(len(block.items)))

    def _item(self) -> pystac.Item:
        grid, outline = self.grid, self.mosaic.footprint
        item = pystac.Item(
            id=self.mosaic.scene_id,
            geometry=mapping(outline),
            bbox=list(outline.bounds),
            datetime=dt.datetime.combine(self.mosaic.acquired, dt.time(), dt.UTC),
            properties={
                "proj:code": str(grid.crs),
                "proj:transform": [float(v) for v in tuple(grid.affine)[:6]],
                "proj:shape": [int(n) for n in grid.shape],
                "platform": self.mosaic.sensor,
                SENSOR_PROPERTY: self.mosaic.sensor,
            },
        )
        for band in self.mosaic.bands:
            extra = {"gsd": PIXEL_M, "data_type": "float32", "nodata": "nan", "raster:scale": 1.0, "raster:offset": 0.0}
            item.add_asset(band, pystac.Asset(href=self.mosaic.name, roles=["data"], extra_fields=extra))
        return item

    def _require_own(self, block: Block) -> None:
        strange = sorted({item.id for item in block.items} - {self.mosaic.scene_id})
        if strange:
            raise BrokenData(f"Block {block.block_id} asks for scenes that {self.mosaic.name} is not: {strange[:3]}")
        own, asked = self.grid, block.geobox
        a, b = own.affine, asked.affine
        column, row = (b.c - a.c) / a.a, (b.f - a.f) / a.e
        on_it = np.allclose([b.a, b.e, column, row], [a.a, a.e, round(column), round(row)], rtol=0, atol=1e-6)
        if own.crs != asked.crs or not on_it:
            raise BrokenData(f"A block must lie on the grid {own.crs}, {tuple(a)[:6]}, got {asked.crs}, {tuple(b)[:6]}")


@SOURCES.register("ortho")
def open_ortho(request: SourceRequest) -> Source:
    """Orthomosaic in a GeoTIFF, written ``ortho:FILE@YYYY-MM-DD`` with options as for ``--ortho``.

    Raises
    ------
    InvalidInput, MissingInput, BrokenData
        As in `open_orthomosaic`.
    """
    return OrthoSource(mosaic=open_orthomosaic(request.what, **request.options))
