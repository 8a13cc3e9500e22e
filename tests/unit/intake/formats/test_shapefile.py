"""Zipped shapefiles: rings, tables, encodings, and parts that must belong together."""

from __future__ import annotations

import pytest
from parcel_files import CGCS2000, Ring, dbf, shapefile, shp, shx, square, zipped

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats.shapefile import group_rings, parse, signed_area

HOLE: Ring = square(116.0005, 40.0005, 0.0005)[::-1]


def lists(ring: Ring) -> list[list[float]]:
    return [list(point) for point in ring]


def test_a_polygon_a_hole_and_two_parts() -> None:
    shapes = [[square()], [square(), HOLE], [square(), square(117)]]
    reading = parse(zipped(shapefile(shapes)), "a.zip")
    geometries = [feature.geometry for feature in reading.features]
    assert geometries == [
        {"type": "Polygon", "coordinates": [lists(square())]},
        {"type": "Polygon", "coordinates": [lists(square()), lists(HOLE)]},
        {"type": "MultiPolygon", "coordinates": [[lists(square())], [lists(square(117))]]},
    ]
    assert [dict(f.properties) for f in reading.features] == [
        {"parcel_id": f"p{n}", "asset_clas": "solar"} for n in range(3)
    ]
    assert reading.crs is not None
    assert reading.crs.startswith("GEOGCS")


def test_heights_are_left_out() -> None:
    members = shapefile([[square()]], shp=shp([[square()]], kind=15), shx=shx([[square()]], kind=15))
    assert parse(zipped(members), "a.zip").features[0].geometry == {"type": "Polygon", "coordinates": [lists(square())]}


def test_a_hole_goes_to_the_smallest_outline_around_it() -> None:
    large, small = square(0, 0, 9), square(1, 1, 3)
    hole = square(2, 2, 1)[::-1]
    assert group_rings([lists(large), lists(small), lists(hole)]) == [[lists(large)], [lists(small), lists(hole)]]


def test_rings_drawn_the_wrong_way_round_are_outlines() -> None:
    wrong = lists(square()[::-1])
    assert group_rings([wrong]) == [[wrong]]
    assert group_rings([lists(square()), lists(square(117)[::-1])]) == [[lists(square())], [lists(square(117)[::-1])]]
    assert signed_area(wrong) > 0 > signed_area(lists(square()))


def test_a_record_without_shape_is_not_dropped() -> None:
    reading = parse(zipped(shapefile([[square()], None])), "a.zip")
    assert [feature.geometry is None for feature in reading.features] == [False, True]


def test_deleted_records_are_told() -> None:
    rows = [[b"a", b"solar"], [b"b", b"solar"]]
    table = dbf(((b"parcel_id", "C", 9), (b"class", "C", 9)), rows, deleted=[0])
    reading = parse(zipped(shapefile([[square()], [square(117)]], dbf=table)), "a.zip")
    assert [feature.properties["parcel_id"] for feature in reading.features] == ["b"]
    assert reading.features[0].place == "record 2"
    assert "record 1 is marked as deleted" in reading.notes[0][1]


NAME, TEXT = "地块编号", "甲一号地块"


@pytest.mark.parametrize(
    ("encoding", "cpg", "driver", "noted"),
    [
        ("utf-8", b"UTF-8", 0, False),
        ("gbk", b"GBK", 0, False),
        ("gbk", b"936", 0, False),
        ("gbk", b"ANSI 936", 0, False),
        ("gbk", None, 0x4D, False),
        ("gbk", None, 0, True),
        ("utf-8", None, 0, False),
        ("big5", b"BIG5", 0, False),
    ],
)
def test_chinese_text(encoding: str, cpg: bytes | None, driver: int, noted: bool) -> None:
    name, text = ("地塊編號", "甲一號") if encoding == "big5" else (NAME, TEXT)
    field = name.encode(encoding)[:10]
    table = dbf(((field, "C", 30), (b"asset_clas", "C", 20)), [[text.encode(encoding), b"solar"]], driver)
    reading = parse(zipped(shapefile(dbf=table, cpg=cpg)), "a.zip")
    label = name[:3] if encoding == "utf-8" else name  # ten bytes hold three characters and a third
    assert reading.features[0].properties[label] == text
    assert bool(reading.notes) == noted


def test_text_cut_within_a_character() -> None:
    table = dbf(((b"village", "C", 8), (b"asset_clas", "C", 20)), [["东西南".encode()[:8], b"solar"]])
    assert parse(zipped(shapefile(dbf=table, cpg=b"UTF-8")), "a.zip").features[0].properties["village"] == "东西"


def test_values_have_their_types() -> None:
    columns = (
        (b"n", "N", 9),
        (b"f", "F", 9),
        (b"d", "D", 8),
        (b"e", "D", 8),
        (b"l", "L", 1),
        (b"u", "L", 1),
        (b"b", "N", 5),
    )
    table = dbf(columns, [[b"       12", b"  -1.5e2 ", b"20200131", b"        ", b"T", b"?", b""]])
    (feature,) = parse(zipped(shapefile(dbf=table)), "a.zip").features
    expected = {"n": 12, "f": -150.0, "d": "2020-01-31", "e": None, "l": True, "u": None, "b": None}
    assert dict(feature.properties) == expected


def test_other_files_are_told_and_clutter_is_not() -> None:
    members = {f"folder/{name}": content for name, content in shapefile().items()}
    members |= {
        "folder/fields.sbn": b"",
        "folder/fields.shp.xml": b"",
        "readme.docx": b"x",
        "__MACOSX/folder/._fields.shp": b"",
        "folder/.DS_Store": b"",
    }
    reading = parse(zipped(members), "a.zip")
    assert reading.notes == (("warning", "the archive also holds readme.docx, which is not read"),)


def test_names_in_gbk_within_the_archive() -> None:
    content = zipped({name.replace("fields", "AAAA"): content for name, content in shapefile().items()})
    reading = parse(content.replace(b"AAAA", "地块".encode("gbk")), "a.zip")
    assert len(reading.features) == 1


@pytest.mark.parametrize(
    ("members", "parts"),
    [
        (shapefile(prj=None), ["no .prj", "Say the CRS", "never guessed"]),
        (shapefile(shx=None), ["lacks its .shx"]),
        (shapefile(shx=None, dbf=None), ["lacks its .shx, .dbf"]),
        (shapefile(shx=shx([[square()]] * 2)), ["do not belong together", ".shx 2"]),
        (shapefile(shp=shp([[square()]], kind=3)), ["a shapefile of polygons, got one of PolyLine"]),
        (shapefile(shp=b"x" * 200), ["expected a .shp"]),
        (shapefile(dbf=dbf(((b"n", "N", 9),), [[b"****"]])), ["record 1", "'n'", "****"]),
        (shapefile(dbf=dbf(((b"n", "N", 9),), [[b"1_0"]])), ["record 1", "1_0"]),
        (shapefile(dbf=dbf(((b"t", "C", 9), (b"t", "C", 9)), [[b"", b""]])), ["'t'", "more than once"]),
        (shapefile(dbf=dbf(((b"t", "C", 9),), [[b"\x80\x80\xff"]])), ["not in UTF-8 or GBK"]),
        (shapefile(dbf=dbf(((b"t", "C", 9),), [["东".encode("gbk")]]), cpg=b"UTF-8"), ["not in utf-8"]),
        (shapefile(prj=CGCS2000.replace("GEOGCS", "EVIL")), ["as WKT"]),
        ({"a.csv": b"x"}, ["got a.csv", "not zipped"]),
    ],
)
def test_parts_that_do_not_fit(members: dict[str, bytes], parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(zipped(members), "a.zip")
    assert all(part in str(caught.value) for part in parts), str(caught.value)
