"""Files of parcels: what is read, what is mended, what is refused and in which words."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from geocollateral.errors import InvalidInput, MissingInput
from geocollateral.intake import features, read_parcels
from geocollateral.intake.features import Reading
from geocollateral.intake.formats import choose_format
from geocollateral.intake.sandbox import child, runner
from geocollateral.types import MU_M2, AreaOfInterest, require_parcels

Ring = list[list[float]]
Read = Callable[..., AreaOfInterest]


def square(x: float, y: float, side: float = 0.002) -> Ring:
    return [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]


def feature(*rings: Any, kind: str = "Polygon", **properties: object) -> dict[str, Any]:
    coordinates = list(rings) if kind == "Polygon" else [[ring] for ring in rings]
    return {
        "type": "Feature",
        "properties": {"parcel_id": "a", "asset_class": "solar", **properties},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def collection(*features: object, **members: object) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": list(features), **members}


def read_here(content: bytes, name: str) -> Reading:
    """What `read_in_child` does, in this process: the same words over the same border."""
    return runner.open_answer(json.loads(json.dumps(child.answer(choose_format(content, name), content, name))), name)


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    """Write a document (or text, or bytes) to a file and read it."""
    monkeypatch.setattr("geocollateral.intake.reading.read_in_child", read_here)

    def write_and_read(document: object, **options: str) -> AreaOfInterest:
        path = tmp_path / "parcels.geojson"
        content = document if isinstance(document, bytes) else str(document).encode()
        path.write_bytes(content if isinstance(document, (bytes, str)) else json.dumps(document).encode())
        return read_parcels(path, **{"datum": "wgs84", **options})

    return write_and_read


def test_parcels_are_a_table_of_the_contract(read: Read, tmp_path: Path) -> None:
    first = feature(square(116, 40), claim_planted_on=None, loan_id="L1", loan_maturity="2030-01-31", village="x")
    area = read(collection(first, feature(square(117, 40), parcel_id=7)))
    parcels = require_parcels(area.parcels, "asset_class", "obs_area_m2", "claim_area_m2", "loan_id", "user_village")
    assert list(parcels.index) == ["a", "7"]
    assert area.notes == ()
    assert area.source_sha256 == hashlib.sha256((tmp_path / "parcels.geojson").read_bytes()).hexdigest()
    assert parcels["loan_maturity"].dtype == "datetime64[ns]"
    assert str(parcels["loan_maturity"].iloc[0].date()) == "2030-01-31"
    assert parcels["loan_maturity"].isna().iloc[1]
    assert parcels["claim_area_m2"].dtype == "float64"
    assert parcels["obs_area_m2"].iloc[0] == pytest.approx(37_926.16, abs=0.01)


def test_one_feature_alone(read: Read) -> None:
    assert list(read(feature(square(116, 40))).parcels.index) == ["a"]


def test_hole_counts_against_the_area(read: Read) -> None:
    whole = read(feature(square(116, 40, 0.004))).parcels["obs_area_m2"].iloc[0]
    hole = read(feature(square(116.001, 40.001))).parcels["obs_area_m2"].iloc[0]
    area = read(feature(square(116, 40, 0.004), square(116.001, 40.001))).parcels["obs_area_m2"].iloc[0]
    assert area == pytest.approx(whole - hole, rel=1e-9)


def test_parts_add_up(read: Read) -> None:
    parts = [square(116, 40), square(116.01, 40)]
    both = read(feature(*parts, kind="MultiPolygon")).parcels["obs_area_m2"].iloc[0]
    assert both == pytest.approx(2 * 37_926.155, rel=1e-6)


class TestNotes:
    def test_open_ring_is_closed(self, read: Read) -> None:
        area = read(feature(square(116, 40)[:-1]))
        (note,) = area.notes
        assert (note.kind, note.parcel_id, note.position) == ("repair", "a", (116.0, 40.002))
        assert "not closed" in note.message
        assert area.parcels["obs_area_m2"].iloc[0] == pytest.approx(37_926.16, abs=0.01)

    def test_t22_spike_is_mended(self, read: Read) -> None:
        ring = [[116, 40], [116.01, 40], [116.01, 40.01], [116.01, 40.02], [116.01, 40.01], [116, 40.01], [116, 40]]
        area = read(feature(ring))
        (note,) = area.notes
        assert note.kind == "repair"
        assert "mended" in note.message
        assert note.position is not None
        assert area.parcels.geometry.is_valid.all()
        assert area.parcels["obs_area_m2"].iloc[0] == pytest.approx(948_100, rel=1e-3)

    def test_overlapping_parts_are_counted_once(self, read: Read) -> None:
        area = read(feature(square(1, 1), square(1.001, 1), kind="MultiPolygon"))
        alone = read(feature(square(1, 1))).parcels["obs_area_m2"].iloc[0]
        assert [note.kind for note in area.notes] == ["repair", "warning"]
        assert "has 2 parts; they are judged as one parcel" in area.notes[1].message
        assert area.parcels["obs_area_m2"].iloc[0] == pytest.approx(1.5 * alone, rel=1e-6)

    def test_missing_ids_are_numbered(self, read: Read) -> None:
        named = feature(square(116, 40), parcel_id="p002")
        by_id = feature(square(118, 40), parcel_id=None) | {"id": "field-9"}
        area = read(collection(named, feature(square(117, 40), parcel_id=None), by_id))
        assert list(area.parcels.index) == ["p002", "p005", "field-9"]
        (note,) = area.notes
        assert "feature 2 has no parcel_id; it was named 'p005'" in note.message

    def test_t23_overlap_is_measured(self, read: Read) -> None:
        area = read(collection(feature(square(116, 40)), feature(square(116.001, 40), parcel_id="b")))
        (note,) = area.notes
        assert (note.kind, note.parcel_id) == ("warning", "a")
        half = 37_926.16 / 2
        assert f"overlaps parcel 'b' by {half:,.0f} m2 ({half / MU_M2:,.2f} mu)" in note.message
        assert note.position is not None
        assert 116.001 < note.position[0] < 116.002

    def test_neighbours_do_not_overlap(self, read: Read) -> None:
        assert read(collection(feature(square(116, 40)), feature(square(116.002, 40), parcel_id="b"))).notes == ()

    def test_many_overlaps_end_with_a_count(self, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("geocollateral.intake.overlaps.MAX_REPORTED", 3)
        notes = read(collection(*(feature(square(116, 40), parcel_id=f"n{n}") for n in range(6)))).notes
        assert len(notes) == 4
        assert "more than 3 pairs" in notes[-1].message

    def test_cgcs2000_is_taken_as_wgs84(self, read: Read) -> None:
        notes = read(feature(square(116, 40)), datum="CGCS2000").notes
        assert ["CGCS2000 were taken as WGS 84" in note.message for note in notes] == [True]


@pytest.mark.parametrize(
    "name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "EPSG:4326", "urn:ogc:def:crs:EPSG::4326"]
)
def test_crs_that_names_wgs84_is_tolerated(read: Read, name: str) -> None:
    crs = {"type": "name", "properties": {"name": name}}
    assert len(read(collection(feature(square(116, 40)), crs=crs)).parcels) == 1


BOW = [[116, 40], [116.01, 40.01], [116.01, 40], [116, 40.01], [116, 40]]
LINK = {"type": "link", "properties": {"href": "http://127.0.0.1:9/crs", "type": "proj4"}}
UTM = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32650"}}
CGCS = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4490"}}


def geometry(kind: str, coordinates: object) -> dict[str, Any]:
    return feature(square(116, 40)) | {"geometry": {"type": kind, "coordinates": coordinates}}


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        pytest.param(b"", ["is empty"], id="no-bytes"),
        pytest.param(b" \n", ["is empty"], id="blank"),
        pytest.param("{", ["not JSON"], id="not-json"),
        pytest.param("parcel_id,wkt\na,POINT(1 2)", ["not JSON"], id="csv"),
        pytest.param(b"PK\x03\x04rest", ["a ZIP archive", "name it .zip"], id="zip"),
        pytest.param("<OGRVRTDataSource/>", ["XML"], id="vrt"),
        pytest.param("\ufeff<kml/>", ["XML"], id="kml"),
        pytest.param(b"SQLite format 3\x00", ["GeoPackage"], id="gpkg"),
        pytest.param('{"type": "面"}'.encode("gbk"), ["UTF-8", "GBK"], id="gbk"),
        pytest.param('{"type": "Feature"}'.encode("utf-16"), ["UTF-8"], id="utf-16"),
        pytest.param("[" * 200_000, ["nested too deeply"], id="deep"),
        pytest.param("[1, 2]", ["expected a GeoJSON object", "list"], id="list"),
        pytest.param({"type": "gdal_streamed_alg", "command_line": "gdal"}, ["'gdal_streamed_alg'"], id="gdalg"),
        pytest.param({"type": "Topology"}, ["got type 'Topology'"], id="topojson"),
        pytest.param({"type": "Polygon", "coordinates": [square(1, 1)]}, ["bare geometry"], id="bare-geometry"),
        pytest.param(collection(), ["holds no parcels"], id="no-features"),
        pytest.param({"type": "FeatureCollection"}, ["'features' to be a list", "null"], id="features-absent"),
        pytest.param(collection(3), ["feature 1", "expected a Feature, got number"], id="feature-number"),
        pytest.param('{"type":"Feature","type":"Feature"}', ["'type' is given twice"], id="twice"),
        pytest.param(collection(feature(square(1, 1)), crs=LINK), ["'crs' member", "127.0.0.1"], id="crs-link"),
        pytest.param(
            collection(feature(square(1, 1)), crs=UTM), ["declared as metres", "look like degrees"], id="crs-utm"
        ),
        pytest.param(
            collection(feature(square(1, 1)) | {"crs": UTM}, crs=CGCS), ["several", "4490", "32650"], id="crs-several"
        ),
        pytest.param(
            collection(feature(square(1, 1)) | {"crs": UTM}),
            ["declared as metres", "look like degrees"],
            id="crs-feature",
        ),
        pytest.param(feature(square(1, 1)) | {"properties": [1]}, ["'properties' to be an object"], id="props-list"),
        pytest.param(
            feature(square(1, 1), deep=json.loads("[" * 12 + "]" * 12)),
            ["'deep' is nested more than 10"],
            id="props-deep",
        ),
        pytest.param(
            feature(square(1, 1)) | {"geometry": None}, ["Polygon or MultiPolygon, got none"], id="no-geometry"
        ),
        pytest.param(geometry("Point", [1, 2]), ["got 'Point'"], id="point"),
        pytest.param(
            feature(square(1, 1)) | {"geometry": {"type": "GeometryCollection", "geometries": []}},
            ["got 'GeometryCollection'", "one feature for each"],
            id="geometry-collection",
        ),
        pytest.param(geometry("Polygon", []), ["no rings"], id="no-rings"),
        pytest.param(geometry("MultiPolygon", []), ["no coordinates"], id="no-polygons"),
        pytest.param(geometry("Polygon", [[]]), ["at least 4 positions", "got 0"], id="no-positions"),
        pytest.param(
            geometry("Polygon", [[[1, 1], [2, 2], [1, 1]]]), ["at least 4 positions", "got 3"], id="short-ring"
        ),
        pytest.param(geometry("Polygon", [1, 2]), ["a list of positions, got 1"], id="flat"),
        pytest.param(geometry("Polygon", [[[1]]]), ["a position [longitude, latitude], got [1]"], id="one-number"),
        pytest.param(geometry("Polygon", [[[1, 2, 3, 4, 5]]]), ["a position"], id="five-numbers"),
        pytest.param(geometry("Polygon", [[["1", "2"]]]), ["numbers, got ['1', '2']"], id="text"),
        pytest.param(geometry("Polygon", [[[True, 2]]]), ["numbers"], id="boolean"),
        pytest.param(geometry("Polygon", [[[10**400, 2]]]), ["-180..180"], id="huge-integer"),
        pytest.param(feature([[1, 1], [float("nan"), 1], [1, 2], [1, 1]]), ["finite", "nan"], id="nan"),
        pytest.param(feature([[1, 1], [float("inf"), 1], [1, 2], [1, 1]]), ["finite", "inf"], id="infinity"),
        pytest.param(
            json.dumps(feature([[1, 1], [2, 1], [1, 2], [1, 1]])).replace("[2, 1]", "[1e400, 1]"),
            ["finite"],
            id="1e400",
        ),
        pytest.param(feature(square(40, 116)), ["-90..90", "look swapped", "at [40, 116]"], id="swapped"),
        pytest.param(feature(square(43.8, 87.6)), ["swapped", "84", "87.6000 E, 43.8000 N"], id="swapped-west"),
        pytest.param(feature(square(39.5, 76.0)), ["swapped, in China, at 76.00"], id="swapped-place"),
        pytest.param(feature(square(448_000, 4_400_000)), ["look like metres", "reproject"], id="metres"),
        pytest.param(feature(square(360.5, 10)), ["-180..180"], id="beyond-360"),
        pytest.param(feature(square(100, 30, 3)), ["at most 2 degrees", "3.00 by 3.00"], id="too-wide"),
        pytest.param(feature(square(100, 30, 0.5)), ["at most 100,000 ha"], id="too-large"),
        pytest.param(feature(BOW), ["self-intersection", "at [116.005, 40.005]", "Redraw"], id="bow-tie"),
        pytest.param(feature(square(1, 1), square(2, 2)), ["not valid", "hole lies outside shell"], id="hole-outside"),
        pytest.param(
            feature(square(1, 1, 0.01), square(1.001, 1.001), kind="MultiPolygon"),
            ["not valid", "two ways"],
            id="part-in-part",
        ),
        pytest.param(feature([[1, 1], [1.1, 1.1], [1.2, 1.2], [1, 1]]), ["not valid"], id="line"),
        pytest.param(feature(square(1, 1, 5e-5)), ["area of at least 100 m2 (0.01 ha"], id="no-area"),
        pytest.param(
            collection(feature(square(1, 1)), feature(square(2, 2))),
            ["feature 1", "feature 2", "2 features share"],
            id="ids",
        ),
        pytest.param(feature(square(1, 1), parcel_id=True), ["parcel_id to be text", "got True"], id="id-true"),
        pytest.param(feature(square(1, 1), parcel_id="a\nb"), ["parcel_id", "printable"], id="id-newline"),
        pytest.param(feature(square(1, 1), parcel_id="x" * 65), ["at most 64"], id="id-long"),
        pytest.param(
            collection(
                feature(square(1, 1), loan_id="L", loan_borrower_id="B"),
                feature(square(2, 2), parcel_id="b", loan_id="L", loan_borrower_id="C"),
            ),
            ["feature 2", "loan_borrower_id of loan 'L' is C, but parcel 'a' says B"],
            id="loan-differs",
        ),
    ],
)
def test_faulty_file_is_refused(read: Read, document: object, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(copy.deepcopy(document))
    message = str(caught.value)
    assert "parcels.geojson" in message
    assert all(part in message for part in parts), message


def test_every_fault_is_listed_and_nothing_dropped(read: Read) -> None:
    good, bad = feature(square(1, 1), parcel_id="good"), feature(BOW, parcel_id="bad", asset_class="gold")
    with pytest.raises(InvalidInput) as caught:
        read(collection(good, bad, feature(square(40, 116), parcel_id="swap")))
    lines = str(caught.value).splitlines()
    assert "has 3 faults; nothing of it was accepted" in lines[0]
    assert [line.split(")")[0].strip() for line in lines[1:]] == [
        "feature 2 (parcel 'bad'",
        "feature 2 (parcel 'bad'",
        "feature 3 (parcel 'swap'",
    ]


def test_long_lists_of_faults_end_with_a_count(read: Read) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(collection(*(feature(square(40, 116), parcel_id=f"n{n}") for n in range(25))))
    lines = str(caught.value).splitlines()
    assert len(lines) == 22
    assert lines[-1] == "  and 5 more"


def test_too_many_vertices(read: Read) -> None:
    with pytest.raises(InvalidInput, match="at most 100,000 vertices, got 100,005"):
        read(geometry("Polygon", [[[1, 1]] * 100_005]))


def test_unknown_datum(read: Read) -> None:
    with pytest.raises(InvalidInput, match=r"Unknown datum 'venus'.*wgs84 .*cgcs2000"):
        read(feature(square(116, 40)), datum="venus")


@pytest.mark.parametrize(
    "path", ["none.geojson", "/vsicurl/http://127.0.0.1:9/a.geojson", "http://127.0.0.1:9/a.geojson"]
)
def test_missing_file(tmp_path: Path, path: str) -> None:
    with pytest.raises(MissingInput, match="There is no file"):
        read_parcels(tmp_path / path if "/" not in path else path)


def test_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a file"):
        read_parcels(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="not a file"):
        read_parcels(tmp_path / "pipe")


def test_too_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("geocollateral.intake.reading.MAX_BYTES", 2_000_000)
    (tmp_path / "big.geojson").write_bytes(b" " * 2_000_001)
    with pytest.raises(InvalidInput, match="larger than 2 MB"):
        read_parcels(tmp_path / "big.geojson")
    assert features.MAX_BYTES == 50_000_000
