"""Laws of the intake: areas are geodesic, drawing order does not matter, and no input makes it crash."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import numpy as np
import pyproj
import shapely
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from parcel_files import blob, geojson, geopackage, kml, placemark, shapefile, square, zipped

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats import choose_format
from geocollateral.intake.geometry import Shape, shape_of
from geocollateral.intake.outlines import outline_of_geojson
from geocollateral.intake.parcels import parse_parcels
from geocollateral.intake.sandbox import child
from geocollateral.intake.sandbox.runner import decode
from geocollateral.types import AreaOfInterest

WATCHING: list[bool] = []
"""Not empty while a test watches what is opened."""
TO_EQUAL_AREA = pyproj.Transformer.from_crs(4326, 6933, always_xy=True)


@st.composite
def star(draw: st.DrawFn) -> list[tuple[float, float]]:
    """Open ring of a star-shaped polygon of 0.1 to 30 km anywhere satellites look, counter-clockwise."""
    lon, lat = draw(st.floats(-178, 178)), draw(st.floats(-75, 75))
    radius = draw(st.floats(0.001, 0.1))
    count = draw(st.integers(3, 12))
    reach = draw(st.lists(st.floats(0.3, 1.0), min_size=count, max_size=count))
    turn = [2 * math.pi * n / count for n in range(count)]
    return [
        (lon + radius * r * math.cos(t) / math.cos(math.radians(lat)) / 2, lat + radius * r * math.sin(t) / 2)
        for r, t in zip(reach, turn, strict=True)
    ]


def shape_of_ring(ring: list[tuple[float, float]]) -> Shape:
    closed = [list(p) for p in [*ring, ring[0]]]
    return shape_of(outline_of_geojson({"type": "Polygon", "coordinates": [closed]}))


def shape_area(ring: list[tuple[float, float]]) -> float:
    return shape_of_ring(ring).area_m2


@given(star())
def test_t17_area_is_that_of_an_equal_area_map(ring: list[tuple[float, float]]) -> None:
    fine = shapely.segmentize(shapely.Polygon(ring), 0.001)
    x, y = TO_EQUAL_AREA.transform(*np.asarray(fine.exterior.coords).T)
    assert math.isclose(shape_area(ring), shapely.Polygon(list(zip(x, y, strict=True))).area, rel_tol=1e-4)


@given(star(), st.integers(0, 11))
def test_turning_and_reversing_a_ring_changes_nothing(ring: list[tuple[float, float]], start: int) -> None:
    area = shape_area(ring)
    start %= len(ring)
    assert math.isclose(shape_area(ring[start:] + ring[:start]), area, rel_tol=1e-9)
    assert math.isclose(shape_area(ring[::-1]), area, rel_tol=1e-9)


@given(star(), st.integers(0, 11))
def test_repeating_a_vertex_changes_nothing(ring: list[tuple[float, float]], place: int) -> None:
    place %= len(ring)
    assert math.isclose(shape_area([*ring[:place], ring[place], *ring[place:]]), shape_area(ring), rel_tol=1e-9)


def read_or_none(content: bytes) -> AreaOfInterest | None:
    """None where the content is refused; any other error is a crash."""
    try:
        return parse_parcels(content, datum="wgs84")
    except InvalidInput:
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
coordinates = st.recursive(
    st.floats(-200, 200) | st.integers(-400, 400) | json_values,
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=30,
)
features = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Feature", "Feature", "Feature", "feature"]) | json_values,
        "geometry": st.fixed_dictionaries(
            {"type": st.sampled_from(["Polygon", "MultiPolygon", "GeometryCollection"]), "coordinates": coordinates}
        )
        | json_values,
        "properties": st.dictionaries(
            st.sampled_from(["parcel_id", "asset_class", "claim_area_mu", "claim_planted_on", "loan_currency", "x"]),
            json_values,
            max_size=4,
        )
        | json_values,
    },
    optional={"id": json_values, "crs": json_values},
)


documents = (
    st.fixed_dictionaries(
        {"type": st.just("FeatureCollection"), "features": st.lists(features, max_size=3) | json_values},
        optional={"crs": json_values},
    )
    | features
    | json_values
)


def require_read_or_refused(document: Any) -> None:
    area = read_or_none(json.dumps(document).encode())
    if area is not None:
        assert area.parcels.geometry.is_valid.all()
        assert len(area.parcels) == len(document.get("features", [document]))


@settings(max_examples=300)
@given(documents)
@example({"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {}, "properties": {}}]})
@example({"type": "Feature", "crs": {"type": "name", "properties": None}})
def test_any_json_is_read_or_refused(document: Any) -> None:
    require_read_or_refused(document)


@settings(max_examples=200)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    assert read_or_none(content) is None


# ------------------------------------------------------------------------------------------------------- other formats

GOOD: dict[str, bytes] = {
    "a.geojson": geojson(square(), square(117)),
    "a.zip": zipped(shapefile([[square()], [square(117), square(117.0005, 40.0005, 0.0005)[::-1]]]), 0),
    "a.kml": kml(placemark("东", loan_id="L1") + f"<Folder>{placemark('b')}</Folder>"),
    "a.kmz": zipped({"doc.kml": kml(placemark())}, 0),
    "a.gpkg": geopackage(),
    "a.csv": "地块编号,点号,经度,纬度,面积(亩)\na,1,116.5,39.5,12\na,2,116.6,39.5,\na,3,116.6,39.6,\n".encode(),
    "b.csv": b'parcel_id,asset_class,wkt\na,solar,"POLYGON ((1 2, 3 4, 5 6, 1 2))"\n',
    "a.txt": "asset_class: solar\n\nJ1 东经116度23分29.5秒 北纬39度54分20秒\n116.5E 39.5N\nlon 116 lat 39\n".encode(),
}


def answer_of(content: bytes, name: str) -> dict[str, Any]:
    """Answer of the reading process, worked out in this one."""
    try:
        form = choose_format(content, name)
    except InvalidInput as exc:
        return {"refused": str(exc)}
    return child.answer(form, content, name)


@st.composite
def damaged(draw: st.DrawFn, among: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """A good file of any format with bytes changed, cut out or put in."""
    name = draw(st.sampled_from(among or sorted(GOOD)))
    content = bytearray(GOOD[name])
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(len(content) - 1, 0)))
        piece = draw(st.binary(min_size=0, max_size=6))
        content[place : place + draw(st.integers(0, 6))] = piece
    return name, bytes(content)


def require_answer(name: str, content: bytes) -> None:
    answer = answer_of(content, name)
    assert set(answer) <= {"reading", "refused"}, answer
    if "reading" in answer:
        assert decode(json.loads(json.dumps(answer["reading"]))).features
    else:
        assert answer["refused"].startswith(name)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(damaged())
def test_damaged_files_are_read_or_refused(file: tuple[str, bytes]) -> None:
    require_answer(*file)


@settings(max_examples=300)
@given(st.text(max_size=120), st.sampled_from(["a.csv", "a.txt", "a.kml"]))
def test_any_text_is_read_or_refused(text: str, name: str) -> None:
    content = text.encode("utf-8", errors="surrogatepass")
    assert set(answer_of(content, name)) <= {"reading", "refused"}


OPENED: list[object] = []


def watch(event: str, args: tuple[object, ...]) -> None:
    """Audit hook: remember what is opened while a test watches; code of this package may be loaded."""
    reaches = WATCHING and event in ("open", "socket.connect", "subprocess.Popen", "os.system")
    if reaches and not str(args[0]).endswith((".py", ".pyc", ".so")):
        OPENED.append((event, args[0]))


sys.addaudithook(watch)
EVIL_NAMES = (
    *(
        "/vsicurl/http://127.0.0.1:9/a",
        "/vsimem/x",
        "GPKG:a.gpkg:t",
        "PG:dbname=x",
        "../../etc/passwd",
        "file:///etc/passwd",
    ),
    *("\\\\host\\share\\a", "a\x00b", "-", "|ls", "$(ls)", "CON", "~/.ssh/id", "a\nb", "\u202eb", "%2e%2e/", "a" * 300),
)
names = st.text(min_size=1, max_size=30) | st.sampled_from(EVIL_NAMES)


@settings(max_examples=1000)
@given(names, st.sampled_from(["", ".geojson", ".zip", ".kml", ".gpkg", ".csv", ".txt", ".vrt"]))
def test_s12_a_name_is_never_a_path(name: str, ending: str) -> None:
    """Whatever a file is called, no file is opened by that name, and its content decides."""
    OPENED.clear()
    WATCHING.append(True)
    try:
        answer_of(b'{"type": "FeatureCollection", "features": []}', name + ending)
    finally:
        WATCHING.clear()
    assert OPENED == []


@given(star())
def test_every_format_gives_the_same_outline(ring: list[tuple[float, float]]) -> None:
    """One polygon written as GeoJSON, shapefile, KML, GeoPackage, WKT, corners and text is one polygon."""
    closed = [*ring, ring[0]][::-1]
    wkt = ", ".join(f"{x!r} {y!r}" for x, y in closed)
    rows = "\n".join(f"a,{x:.15f},{y:.15f}" for x, y in closed)
    lines = "\n".join(f"{x:.15f} {y:.15f}" for x, y in closed)
    files = {
        "a.geojson": geojson(closed),
        "a.zip": zipped(shapefile([[closed]])),
        "a.kml": kml(placemark(ring=closed)),
        "a.gpkg": geopackage(layers={"fields": [(1, blob(closed), "a", "solar")]}),
        "a.csv": f'parcel_id,wkt\na,"POLYGON (({wkt}))"'.encode(),
        "b.csv": f"parcel_id,lon,lat\n{rows}".encode(),
        "a.txt": f"lon lat\n{lines}".encode(),
    }
    for name, content in files.items():
        reading = decode(json.loads(json.dumps(answer_of(content, name)["reading"])))
        (outline,) = reading.features[0].geometry["coordinates"]  # type: ignore[index]
        assert np.allclose([position[:2] for position in outline], closed, rtol=0, atol=1e-12), name
