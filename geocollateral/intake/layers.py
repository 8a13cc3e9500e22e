"""Polygons of a layer of law or planning: read and checked as parcels are, but for the columns and the size."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry import MultiPolygon, Polygon

from geocollateral.intake.faults import Fault, refuse
from geocollateral.intake.geojson import parse_features
from geocollateral.intake.geometry import GeometryFault, parse_shape
from geocollateral.intake.parcels import resolve_datum
from geocollateral.intake.reading import read_bytes

MAX_LAYER_AREA_M2 = 1e13
MAX_LAYER_EXTENT_DEG = 90.0


@dataclass(frozen=True, kw_only=True)
class Layer:
    """Polygons of one file."""

    polygons: tuple[Polygon | MultiPolygon, ...]
    """In longitude and latitude, WGS 84."""
    attributes: tuple[Mapping[str, Any], ...]
    """JSON values of each, as the file gives them."""
    repairs: tuple[str, ...]
    """What was mended, a sentence each."""
    source_sha256: str


def read_layer(path: str | Path, *, datum: str = "wgs84") -> Layer:
    """Polygons of a GeoJSON file.

    Parameters
    ----------
    path
        GeoJSON (RFC 7946), at most 50 MB.
    datum
        As for `read_parcels`.

    Raises
    ------
    MissingInput, InvalidInput, ServiceUnavailable
        As `read_parcels`.
    """
    path = Path(path)
    content = read_bytes(path)
    faults, polygons, attributes, repairs = [], [], [], []
    for feature in parse_features(content, path.name, resolve_datum(datum)):
        try:
            shape = parse_shape(feature.geometry, max_area_m2=MAX_LAYER_AREA_M2, max_extent_deg=MAX_LAYER_EXTENT_DEG)
        except GeometryFault as exc:
            faults.append(Fault(number=feature.number, parcel_id=None, message=str(exc), position=exc.position))
            continue
        polygons.append(shape.polygon)
        attributes.append(json.loads(json.dumps(dict(feature.properties))))
        repairs += [f"feature {feature.number}: {message}" for message, _ in shape.repairs]
    if faults:
        raise refuse(path.name, faults)
    return Layer(
        polygons=tuple(polygons),
        attributes=tuple(attributes),
        repairs=tuple(repairs),
        source_sha256=hashlib.sha256(content).hexdigest(),
    )
