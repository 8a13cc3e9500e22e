"""Polygons of a layer of law or planning: read and checked as parcels are, but for the columns and the size."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shapely.geometry import MultiPolygon, Polygon

from geocollateral.errors import InvalidInput
from geocollateral.intake.faults import Fault, refuse
from geocollateral.intake.features import Reading
from geocollateral.intake.geometry import shape_of
from geocollateral.intake.outlines import GeometryFault, Outline, outline_of_geojson
from geocollateral.intake.place import place
from geocollateral.intake.reading import read_bytes, read_features, shown_name

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
    """What was mended, and how the coordinates were read, a sentence each."""
    source_sha256: str


def read_layer(path: str | Path, *, datum: str | None = None) -> Layer:
    """Polygons of a file of any format of docs/intake.md, read by a process of its own as files of parcels are.

    Parameters
    ----------
    path
        At most 50 MB.
    datum
        As for `read_parcels`: layers in China need it stated.

    Raises
    ------
    MissingInput, InvalidInput, ServiceUnavailable, BrokenData
        As `read_parcels`.
    """
    path = Path(path)
    name = shown_name(path.name)
    reading, sha256 = read_features(read_bytes(path), name)
    polygons, repairs = _polygons(reading, name, datum)
    return Layer(
        polygons=polygons,
        attributes=tuple(json.loads(json.dumps(dict(feature.properties))) for feature in reading.features),
        repairs=repairs,
        source_sha256=sha256,
    )


def _polygons(
    reading: Reading, name: str, datum: str | None
) -> tuple[tuple[Polygon | MultiPolygon, ...], tuple[str, ...]]:
    """All polygons in WGS 84, in the order of the file, and what there is to say of them."""
    faults: list[Fault] = []
    outlines: dict[int, Outline] = {}

    def blame(position: int, fault: GeometryFault) -> None:
        feature = reading.features[position]
        faults.append(
            Fault(
                number=feature.number,
                parcel_id=None,
                message=str(fault),
                position=fault.position,
                place=feature.place,
            )
        )

    for position, feature in enumerate(reading.features):
        try:
            outlines[position] = outline_of_geojson(feature.geometry)
        except GeometryFault as exc:
            blame(position, exc)
    try:
        placed = place(outlines, reading.crs, datum)
    except InvalidInput as exc:
        raise InvalidInput(f"{name}: {exc}") from exc
    for position, fault in placed.faults:
        blame(position, fault)
    told = [*(message for _, message in reading.notes), *placed.notes]
    told += [f"{_where(reading, position)}: {message}" for position, message in placed.warnings]
    polygons = []
    for position, outline in placed.outlines.items():
        try:
            shape = shape_of(outline, max_area_m2=MAX_LAYER_AREA_M2, max_extent_deg=MAX_LAYER_EXTENT_DEG)
        except GeometryFault as exc:
            blame(position, exc)
            continue
        polygons.append(shape.polygon)
        told += [f"{_where(reading, position)}: {message}" for message, _ in shape.repairs]
    if faults:
        raise refuse(name, sorted(faults, key=lambda fault: fault.number))
    return tuple(polygons), tuple(told)


def _where(reading: Reading, position: int) -> str:
    feature = reading.features[position]
    return feature.place or f"feature {feature.number}"
