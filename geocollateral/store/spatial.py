"""One spatial index over two databases: an R*Tree table of plain SQLite, or GiST of PostGIS.

SQLite cannot read an outline in a trigger, so that boxes are written here, in the transaction that writes the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from sqlalchemy import Column, ColumnElement, Connection, Float, Integer, MetaData, Table, and_, func, or_, select
from sqlalchemy.engine import Dialect

from geocollateral.store.schema import INDEXED
from geocollateral.store.values import WGS84

_BOXES = MetaData()
BOXES: Mapping[str, Table] = {
    table.name: Table(
        f"{table.name}_box",
        _BOXES,
        Column("id", Integer, primary_key=True),
        *(Column(side, Float) for side in ("west", "east", "south", "north")),
    )
    for table in INDEXED
}
"""R*Tree table of each indexed table, on SQLite. Numbers have 32 bits, rounded outwards: a box is never too small."""


def create_index(name: str, dialect: Dialect) -> str:
    """Statement that makes the spatial index of a table."""
    if dialect.name == "postgresql":
        return f"CREATE INDEX ix_{name}_geometry ON {name} USING gist (geometry)"
    return f"CREATE VIRTUAL TABLE {name}_box USING rtree(id, west, east, south, north)"


def write_boxes(
    connection: Connection, table: Table, ids: Sequence[int], geometries: Sequence[shapely.Geometry]
) -> None:
    """Enter rows into the index, where the database does not do so itself."""
    if connection.dialect.name == "postgresql" or not ids:
        return
    bounds = shapely.bounds(np.asarray(geometries, dtype=object))
    rows = [
        {"id": row, "west": west, "south": south, "east": east, "north": north}
        for row, (west, south, east, north) in zip(ids, bounds.tolist(), strict=True)
    ]
    connection.execute(BOXES[table.name].insert(), rows)


def meets(table: Table, bounds: NDArray[np.float64], dialect: Dialect) -> ColumnElement[bool]:
    """Condition that a row's box meets one of some boxes.

    Parameters
    ----------
    table
        One of `schema.INDEXED`.
    bounds
        Shape (box, 4): west, south, east, north [degrees].
    """
    boxes = np.atleast_2d(bounds).tolist()
    if dialect.name == "postgresql":
        return or_(*(table.c.geometry.bool_op("&&")(func.ST_MakeEnvelope(*box, WGS84)) for box in boxes))
    own = BOXES[table.name].c
    found = (
        select(own.id).where(and_(own.west <= e, own.east >= w, own.south <= n, own.north >= s)) for w, s, e, n in boxes
    )
    return or_(*(table.c.id.in_(ids) for ids in found))
