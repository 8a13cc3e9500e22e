"""Parcels as GeoJSON (RFC 7946)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData
from geocollateral.exports.json_values import json_value, to_json
from geocollateral.types import NOT_A_VALUATION, PARCEL_COLUMNS, bounds_of, require_parcels

DECIMALS = 7
"""Of a coordinate [degrees]: about 1 cm on the ground."""

_OF_A_JUDGEMENT = ("val_", "risk_")
"""How columns of values and risks begin, those of a bank's approaches as those of the contract."""


def parcels_geojson(parcels: gpd.GeoDataFrame) -> bytes:
    """One feature per parcel, in the order given.

    Parameters
    ----------
    parcels
        As in `types.Assessment.parcels`.

    Returns
    -------
    RFC 7946: WGS 84 without a ``crs`` member, longitude first, outer rings anticlockwise. Properties are ``parcel_id``,
    `PARCEL_COLUMNS`, then the other columns by name. Missing values are null. The collection says
    that it is no valuation.

    Raises
    ------
    BrokenData
        A column is lacking, or a parcel that cannot be judged carries a value or a risk.
    """
    require_parcels(parcels, *PARCEL_COLUMNS)
    require_no_number_without_judgement(parcels)
    others = sorted(set(map(str, parcels.columns)) - set(PARCEL_COLUMNS) - {parcels.geometry.name})
    columns = [*PARCEL_COLUMNS, *others]
    features = [
        {
            "type": "Feature",
            "id": json_value(parcel_id),
            "geometry": _geometry(geometry),
            "properties": {"parcel_id": json_value(parcel_id), **dict(zip(columns, map(json_value, row), strict=True))},
        }
        for parcel_id, geometry, row in zip(parcels.index, parcels.geometry, _rows(parcels, columns), strict=True)
    ]
    bounds = [round(float(v), DECIMALS) for v in bounds_of(parcels)]
    return to_json({"type": "FeatureCollection", "bbox": bounds, "disclaimer": NOT_A_VALUATION, "features": features})


def require_no_number_without_judgement(parcels: gpd.GeoDataFrame) -> None:
    """Check that "cannot tell" stands alone: a number beside it would be believed.

    Raises
    ------
    BrokenData
        A parcel that cannot be judged carries a value or a risk.
    """
    unknown = parcels[parcels["meta_status"] == "cannot_tell"]
    for column in (name for name in map(str, parcels.columns) if name.startswith(_OF_A_JUDGEMENT)):
        numbers = pd.to_numeric(unknown[column], errors="coerce")
        numbered = unknown.index[numbers.notna()].tolist()
        if numbered:
            raise BrokenData(f"parcels {numbered} cannot be judged, yet {column} holds a number; expected none")


def _rows(parcels: gpd.GeoDataFrame, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    # Column by column: a row of a mixed frame would turn integers into floats.
    return zip(*(parcels[column].tolist() for column in columns), strict=True)


def _geometry(geometry: BaseGeometry | None) -> dict[str, Any] | None:
    """The geometry with rounded coordinates and the right-hand rule; None where there is none."""
    if geometry is None or geometry.is_empty:
        return None
    oriented = shapely.orient_polygons(geometry, exterior_cw=False)
    if oriented.geom_type == "Polygon":
        return {"type": "Polygon", "coordinates": _rings(oriented)}
    return {"type": "MultiPolygon", "coordinates": [_rings(part) for part in shapely.get_parts(oriented)]}


def _rings(polygon: Any) -> list[list[list[float]]]:
    return [_ring(ring.coords) for ring in (polygon.exterior, *polygon.interiors)]


def _ring(coordinates: Any) -> list[list[float]]:
    return [[round(float(x), DECIMALS), round(float(y), DECIMALS)] for x, y, *_ in coordinates]
