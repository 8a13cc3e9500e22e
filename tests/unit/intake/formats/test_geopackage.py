"""GeoPackages: all layers, real tables only."""

from __future__ import annotations

import struct

import pytest
from parcel_files import blob, geopackage, square

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats.geopackage import parse
from geocollateral.intake.formats.wkb import WkbFault, parse_wkb

SQUARE = [list(point) for point in square()]


def test_t40_all_layers_are_read() -> None:
    """GDAL reads the first."""
    layers = {
        "fields": [(7, blob(square()), "a", "solar"), (9, None, "b", "wind")],
        '东 "quoted"; drop': [(1, blob(square(117)), "c", "solar")],
    }
    reading = parse(geopackage(layers=layers), "a.gpkg")
    assert [f.properties["parcel_id"] for f in reading.features] == ["a", "b", "c"]
    assert [f.number for f in reading.features] == [1, 2, 3]
    assert reading.features[0].geometry == {"type": "Polygon", "coordinates": [SQUARE]}
    assert reading.features[1].geometry is None
    assert reading.features[2].place == 'row 1 of layer 东 "quoted"; drop'
    assert set(reading.features[0].properties) == {"parcel_id", "asset_class"}
    assert reading.crs == "EPSG:4326"


def test_values_keep_their_types() -> None:
    columns = "fid INTEGER PRIMARY KEY, geom BLOB, n INTEGER, x REAL, t TEXT, e TEXT"
    content = geopackage(columns=columns, layers={"fields": [(1, blob(square()), 3, 2.5, "作物", None)]})
    assert dict(parse(content, "a.gpkg").features[0].properties) == {"n": 3, "x": 2.5, "t": "作物", "e": None}


def test_one_left_in_write_ahead_mode_is_read_with_a_warning() -> None:
    content = geopackage()
    reading = parse(content[:18] + b"\x02\x02" + content[20:], "a.gpkg")
    assert len(reading.features) == 1
    assert "WAL" in reading.notes[0][1]


def test_reference_system_without_a_code_is_its_wkt() -> None:
    content = geopackage("UPDATE gpkg_spatial_ref_sys SET organization = 'own' WHERE srs_id = 4326")
    assert str(parse(content, "a.gpkg").crs).startswith("GEOGCS")


def test_other_tables_are_told() -> None:
    content = geopackage(
        "CREATE TABLE owners (n TEXT)",
        "INSERT INTO gpkg_contents VALUES ('owners', 'attributes', 'owners', '', '', 0, 0, 0, 0, 0)",
    )
    assert parse(content, "a.gpkg").notes == (("warning", "the GeoPackage also holds owners, which is not read"),)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (geopackage(layers={"fields": []}), ["no rows"]),
        (
            geopackage(layers={"fields": [(1, b"XX", "a", "solar")]}),
            ["row 1 of layer fields", "geometry of GeoPackage"],
        ),
        (geopackage(layers={"fields": [(1, blob(square()), b"\xff\xfe", "solar")]}), ["row 1", "UTF-8", "'parcel_id'"]),
        (geopackage("UPDATE gpkg_geometry_columns SET column_name = 'none'"), ["no column 'none'"]),
        (geopackage("DROP TABLE gpkg_geometry_columns"), ["with feature tables, got none"]),
        (geopackage("DELETE FROM gpkg_spatial_ref_sys"), ["does not say in which reference system"]),
        (
            geopackage(
                "UPDATE gpkg_geometry_columns SET srs_id = 4490 WHERE table_name = 'b'",
                layers={"a": [(1, blob(square()), "a", "solar")], "b": [(1, blob(square()), "b", "solar")]},
            ),
            ["one reference system for all layers, got 4326, 4490"],
        ),
    ],
)
def test_faults(content: bytes, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(content, "a.gpkg")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def wkb(kind: int, order: str, dimensions: int) -> bytes:
    mark = b"\x01" if order == "<" else b"\x00"
    return (
        mark + struct.pack(f"{order}III", kind, 1, 2) + struct.pack(f"{order}{2 * dimensions}d", *range(2 * dimensions))
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("kind", "dimensions"), [(3, 2), (1003, 3), (2003, 3), (3003, 4), (0x80000003, 3), (0x40000003, 3), (0xC0000003, 4)]
)
def test_wkb_of_every_kind_of_polygon(order: str, kind: int, dimensions: int) -> None:
    points = [[0.0, 1.0], [float(dimensions), dimensions + 1.0]]
    polygon = wkb(kind, order, dimensions)
    assert parse_wkb(polygon) == {"type": "Polygon", "coordinates": [points]}
    head = (b"\x01" if order == "<" else b"\x00") + struct.pack(f"{order}II", 6, 2)
    assert parse_wkb(head + polygon * 2) == {"type": "MultiPolygon", "coordinates": [[points], [points]]}


@pytest.mark.parametrize(
    "content", [b"", b"\x02", b"\x01\x03", wkb(3, "<", 2)[:-1], wkb(3, "<", 2) + b"x", wkb(99, "<", 2)]
)
def test_broken_wkb(content: bytes) -> None:
    with pytest.raises(WkbFault):
        parse_wkb(content)


def test_a_damaged_schema_whose_message_is_no_text_is_refused() -> None:
    """SQLite puts the damaged bytes into its message, which Python then cannot decode."""
    content = geopackage()
    with pytest.raises(InvalidInput, match="expected a GeoPackage, got a damaged one"):
        parse(content.replace(b"CREATE TABLE gpkg_contents", b"CREATE TABL\xff gpkg_contents"), "a.gpkg")
