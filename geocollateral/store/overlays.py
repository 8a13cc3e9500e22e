"""Layers of law and planning that the user supplies: protected farmland, red lines, reserves, permits."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Connection, func, select

from geocollateral.store import schema as s
from geocollateral.store.projects import lock
from geocollateral.store.spatial import meets, write_boxes


@dataclass(frozen=True, kw_only=True)
class LayerEntry:
    """A layer as it is added."""

    name: str
    source: str
    """Who made it."""
    month: str
    """``YYYY-MM`` of its content."""
    source_sha256: str
    geometries: tuple[shapely.Geometry, ...]
    """Polygons in longitude and latitude, WGS 84."""
    attributes: tuple[Mapping[str, Any], ...]
    """JSON values of each."""


@dataclass(frozen=True, kw_only=True)
class LayerRow:
    """A layer in a list."""

    layer_id: int
    name: str
    source: str
    month: str
    source_sha256: str
    recorded_at: dt.datetime
    n_features: int


def add_layer(connection: Connection, given: LayerEntry, at: dt.datetime) -> tuple[int, bool]:
    """Id of the layer, and whether it is new: the same file under the same name and month is one layer."""
    lock(connection)
    own = s.OVERLAY_LAYER.c
    key = {"name": given.name, "month": given.month, "source_sha256": given.source_sha256}
    found = connection.execute(select(own.id).where(*(own[name] == value for name, value in key.items()))).scalar()
    if found is not None:
        return int(found), False
    row = {**key, "source": given.source, "recorded_at": at}
    layer = int(connection.execute(s.OVERLAY_LAYER.insert().values(row).returning(own.id)).scalar_one())
    rows = [
        {"overlay_layer_id": layer, "number": number, "geometry": geometry, "attributes": dict(attributes)}
        for number, (geometry, attributes) in enumerate(zip(given.geometries, given.attributes, strict=True), start=1)
    ]
    written = connection.execute(
        s.OVERLAY_FEATURE.insert().returning(s.OVERLAY_FEATURE.c.id, sort_by_parameter_order=True), rows
    )
    write_boxes(connection, s.OVERLAY_FEATURE, list(map(int, written.scalars())), given.geometries)
    return layer, True


def list_layers(connection: Connection) -> list[LayerRow]:
    """All layers, by name and month."""
    own, feature = s.OVERLAY_LAYER.c, s.OVERLAY_FEATURE.c
    n_features = (
        select(func.count()).where(feature.overlay_layer_id == own.id).correlate(s.OVERLAY_LAYER).scalar_subquery()
    )
    asked = select(s.OVERLAY_LAYER, n_features.label("n_features")).order_by(own.name, own.month, own.id)
    return [
        LayerRow(
            layer_id=row.id,
            name=row.name,
            source=row.source,
            month=row.month,
            source_sha256=row.source_sha256,
            recorded_at=row.recorded_at,
            n_features=row.n_features,
        )
        for row in connection.execute(asked)
    ]


def layers_in_force(connection: Connection, month: str) -> list[LayerRow]:
    """Of each name the layer of the newest month up to one, the last added of several."""
    newest: dict[str, LayerRow] = {}
    for layer in list_layers(connection):
        if layer.month <= month:
            newest[layer.name] = layer
    return list(newest.values())


def features_near(
    connection: Connection, layer_ids: Sequence[int], boxes: NDArray[np.float64]
) -> dict[int, list[shapely.Geometry]]:
    """Outlines whose box meets one of some boxes, by layer.

    Parameters
    ----------
    boxes
        Shape (box, 4): west, south, east, north [degrees].
    """
    if not layer_ids:
        return {}
    feature = s.OVERLAY_FEATURE.c
    asked = (
        select(feature.overlay_layer_id, feature.geometry)
        .where(feature.overlay_layer_id.in_(layer_ids), meets(s.OVERLAY_FEATURE, boxes, connection.dialect))
        .order_by(feature.id)
    )
    found: dict[int, list[shapely.Geometry]] = {}
    for row in connection.execute(asked):
        found.setdefault(int(row.overlay_layer_id), []).append(row.geometry)
    return found
