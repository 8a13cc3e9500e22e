"""STAC items of the scenes of a cube on disk."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import pystac

from geocollateral.sources.cubes.declared import BandVariable
from geocollateral.sources.cubes.grid import footprint
from geocollateral.sources.cubes.layout import Layout

DECIMALS = 7
"""Of the outlines of items: about a centimetre."""
ORBIT_STATES = ("ascending", "descending")


def build_items(layouts: Sequence[Layout], constellation: str, wanted: Sequence[int]) -> list[pystac.Item]:
    """Items of the scenes wanted, in order.

    Parameters
    ----------
    layouts
        Parts of the cube, finest first; the grid and the scenes are those of the first.
    constellation
        ``sentinel-1``, ``sentinel-2`` or ``""``.
    wanted
        Positions in ``layouts[0].scenes``.
    """
    finest = layouts[0]
    outline, (west, south, east, north) = footprint(finest.grid)
    ring = [(round(lon, DECIMALS), round(lat, DECIMALS)) for lon, lat in outline]
    bbox = [round(value, DECIMALS) for value in (west, south, east, north)]
    return [_item(layouts, n, ring, bbox, constellation) for n in wanted]


def _item(
    layouts: Sequence[Layout],
    n: int,
    ring: Sequence[tuple[float, float]],
    bbox: Sequence[float],
    constellation: str,
) -> pystac.Item:
    grid, scenes = layouts[0].grid, layouts[0].scenes
    crs = str(grid.geobox.crs)
    properties: dict[str, object] = {
        "proj:code" if crs.startswith("EPSG:") else "proj:wkt2": crs,
        "proj:transform": [float(v) for v in tuple(grid.geobox.affine)[:6]],
        "proj:shape": [int(v) for v in grid.geobox.shape],
    }
    if constellation:
        properties["constellation"] = constellation
    if scenes.platform[n]:
        properties["platform"] = scenes.platform[n]
    orbit = scenes.orbit[n]
    if orbit.lower() in ORBIT_STATES:
        properties["sat:orbit_state"] = orbit.lower()
    elif orbit.isdigit():
        properties["sat:relative_orbit"] = int(orbit)
    item = pystac.Item(
        id=scenes.scene_id[n],
        geometry={"type": "Polygon", "coordinates": [[list(point) for point in ring]]},
        bbox=list(bbox),
        datetime=pd.Timestamp(scenes.time[n], tz="UTC").to_pydatetime(warn=False),
        properties=properties,
    )
    for layout in reversed(layouts):
        for band, facts in layout.bands.items():
            item.add_asset(band, _asset(layout, facts))
    return item


def _asset(layout: Layout, facts: BandVariable) -> pystac.Asset:
    """Asset of a band; its href names the file and the variable, not where the file lies."""
    extra: dict[str, object] = {
        "gsd": layout.grid.pixel_m,
        "data_type": str(facts.dtype),
        "raster:scale": facts.scale,
        "raster:offset": facts.offset,
        "nodata": "nan" if math.isnan(facts.nodata) else facts.nodata,
        "unit": facts.units,
    }
    return pystac.Asset(href=f"{layout.path.name}#{facts.variable}", roles=["data"], extra_fields=extra)
