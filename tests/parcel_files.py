"""Files of parcels, written byte by byte, so that tests can break any part of them."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

Ring = list[tuple[float, float]]

WGS84 = (
    'GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137.0,298.257223563]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
CGCS2000 = (
    'GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",SPHEROID["CGCS2000",6378137.0,298.257222101]],'
    'PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]]'
)
GPKG_ID = 0x47504B47


def square(x: float = 116.0, y: float = 40.0, side: float = 0.002) -> Ring:
    """Closed ring, clockwise, as shapefiles draw outlines."""
    return [(x, y), (x, y + side), (x + side, y + side), (x + side, y), (x, y)]


def geojson(*rings: Ring, **members: object) -> bytes:
    """A collection with one solar parcel for each ring."""
    features = [
        {
            "type": "Feature",
            "properties": {"parcel_id": f"p{n}", "asset_class": "solar"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for n, ring in enumerate(rings or [square()])
    ]
    return json.dumps({"type": "FeatureCollection", "features": features, **members}).encode()


def zipped(members: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP archive of files by name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


# ------------------------------------------------------------------------------------------------------------------ KML


def ring_text(ring: Sequence[tuple[float, float]]) -> str:
    """Coordinates as KML has them."""
    return " ".join(f"{x},{y},0" for x, y in ring)


def placemark(name: str = "a", ring: Ring | None = None, inside: str = "", **data: str) -> str:
    """A placemark with one polygon and untyped attributes."""
    values = "".join(f'<Data name="{key}"><value>{value}</value></Data>' for key, value in data.items())
    polygon = (
        f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring_text(ring or square())}</coordinates></LinearRing>"
        f"</outerBoundaryIs></Polygon>"
    )
    return f"<Placemark><name>{name}</name><ExtendedData>{values}</ExtendedData>{inside or polygon}</Placemark>"


def kml(body: str, before: str = "") -> bytes:
    """A KML document."""
    head = f'<?xml version="1.0" encoding="UTF-8"?>{before}<kml xmlns="http://www.opengis.net/kml/2.2">'
    return f"{head}<Document><name>d</name>{body}</Document></kml>".encode()


# ------------------------------------------------------------------------------------------------------------ shapefile


def shp(shapes: Sequence[Sequence[Ring] | None], kind: int = 5) -> bytes:
    """A ``.shp``; a shape is its rings, or None."""
    body = b""
    for number, rings in enumerate(shapes, start=1):
        record = struct.pack("<i", 0) if rings is None else _polygon(rings, kind)
        body += struct.pack(">2i", number, len(record) // 2) + record
    return _shp_header(kind, 100 + len(body)) + body


def shx(shapes: Sequence[Sequence[Ring] | None], kind: int = 5) -> bytes:
    """The index of the same shapes."""
    place, body = 50, b""
    for rings in shapes:
        length = (4 if rings is None else len(_polygon(rings, kind))) // 2
        body += struct.pack(">2i", place, length)
        place += 4 + length
    return _shp_header(kind, 100 + len(body)) + body


def _shp_header(kind: int, size: int) -> bytes:
    return struct.pack(">7i", 9994, 0, 0, 0, 0, 0, size // 2) + struct.pack("<2i8d", 1000, kind, *[0.0] * 8)


def _polygon(rings: Sequence[Ring], kind: int) -> bytes:
    points = [point for ring in rings for point in ring]
    starts, count = [], 0
    for ring in rings:
        starts.append(count)
        count += len(ring)
    box = (0.0, 0.0, 0.0, 0.0)
    head = struct.pack("<i4d2i", kind, *box, len(rings), len(points)) + struct.pack(f"<{len(rings)}i", *starts)
    body = b"".join(struct.pack("<2d", *point) for point in points)
    return head + body + (struct.pack(f"<{2 + len(points)}d", *[0.0] * (2 + len(points))) if kind == 15 else b"")


def dbf(
    columns: Sequence[tuple[bytes, str, int]],
    rows: Sequence[Sequence[bytes]],
    driver: int = 0,
    deleted: Sequence[int] = (),
) -> bytes:
    """A ``.dbf``: columns by name, type and width; cells as bytes, filled up with blanks."""
    width = 1 + sum(size for _, _, size in columns)
    head = struct.pack("<4BIHH20x", 3, 126, 1, 1, len(rows), 33 + 32 * len(columns), width)
    head = head[:29] + bytes([driver]) + head[30:]
    for name, kind, size in columns:
        head += struct.pack("<11sc4xBB14x", name, kind.encode(), size % 256, size // 256 if kind == "C" else 0)
    body = []
    for number, row in enumerate(rows):
        body.append(b"*" if number in deleted else b" ")
        body.extend(cell.ljust(size)[:size] for cell, (_, _, size) in zip(row, columns, strict=True))
    return head + b"\x0d" + b"".join(body) + b"\x1a"


COLUMNS = ((b"parcel_id", "C", 20), (b"class", "C", 20))


def shapefile(
    shapes: Sequence[Sequence[Ring] | None] | None = None, prj: str | None = WGS84, **parts: bytes | None
) -> dict[str, bytes]:
    """Members of a zipped shapefile of solar parcels; a part given replaces one, None leaves it out."""
    shapes = [[square()]] if shapes is None else shapes
    rows = [[f"p{n}".encode(), b"solar"] for n in range(len(shapes))]
    table = dbf(((b"parcel_id", "C", 20), (b"asset_clas", "C", 20)), rows)
    found: dict[str, bytes | None] = {"shp": shp(shapes), "shx": shx(shapes), "dbf": table}
    found |= {"prj": None if prj is None else prj.encode(), **parts}
    return {f"fields.{ending}": content for ending, content in found.items() if content is not None}


# ----------------------------------------------------------------------------------------------------------- GeoPackage


def blob(ring: Ring, srs: int = 4326) -> bytes:
    """A polygon as GeoPackage holds it."""
    wkb = struct.pack("<BIII", 1, 3, 1, len(ring)) + b"".join(struct.pack("<2d", *point) for point in ring)
    return b"GP" + struct.pack("<BBi", 0, 1, srs) + wkb


def geopackage(
    *statements: str,
    layers: Mapping[str, Sequence[tuple[Any, ...]]] | None = None,
    columns: str = "fid INTEGER PRIMARY KEY, geom BLOB, parcel_id TEXT, asset_class TEXT",
    srs: int = 4326,
    application: int = GPKG_ID,
) -> bytes:
    """A GeoPackage with feature tables; ``statements`` are run at the end."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    run = database.execute
    run(f"PRAGMA application_id={application}")
    run("CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT, srs_id INTEGER PRIMARY KEY, organization TEXT,"
        " organization_coordsys_id INTEGER, definition TEXT, description TEXT)")  # fmt: skip
    run("INSERT INTO gpkg_spatial_ref_sys VALUES ('WGS 84', 4326, 'EPSG', 4326, ?, '')", (WGS84,))
    run("INSERT INTO gpkg_spatial_ref_sys VALUES ('CGCS2000', 4490, 'EPSG', 4490, ?, '')", (CGCS2000,))
    run("INSERT INTO gpkg_spatial_ref_sys VALUES ('none', -1, 'NONE', -1, 'undefined', '')")
    run("CREATE TABLE gpkg_contents (table_name TEXT PRIMARY KEY, data_type TEXT, identifier TEXT, description TEXT,"
        " last_change DATETIME, min_x, min_y, max_x, max_y, srs_id INTEGER)")  # fmt: skip
    run("CREATE TABLE gpkg_geometry_columns (table_name TEXT, column_name TEXT, geometry_type_name TEXT,"
        " srs_id INTEGER, z INTEGER, m INTEGER)")  # fmt: skip
    layers = {"fields": [(1, blob(square()), "p0", "solar")]} if layers is None else layers
    for table, rows in layers.items():
        quoted = '"' + table.replace('"', '""') + '"'
        run(f"CREATE TABLE {quoted} ({columns})")
        run("INSERT INTO gpkg_contents VALUES (?, 'features', ?, '', '', 0, 0, 0, 0, ?)", (table, table, srs))
        run("INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', ?, 0, 0)", (table, srs))
        for row in rows:
            run(f"INSERT INTO {quoted} VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608
    for statement in statements:
        run(statement)
    content = database.serialize()
    database.close()
    return content
