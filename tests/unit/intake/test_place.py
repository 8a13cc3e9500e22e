"""Coordinates in any datum to WGS 84: what is converted, what is asked, what is explained."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyproj
import pytest
import shapely

from geocollateral.errors import InvalidInput
from geocollateral.intake import gcj02
from geocollateral.intake.datums import parse_datum
from geocollateral.intake.outlines import GeometryFault, Outline, outline_of_shape, positions_of
from geocollateral.intake.place import Placed, place

GEOD = pyproj.Geod(ellps="WGS84")
BEIJING, ROMANIA = (116.4, 39.9), (22.1, 45.2)
ESRI_39 = (
    'PROJCS["CGCS2000_3_Degree_GK_Zone_39",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",39500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",117.0],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)


def ring_at(lon: float, lat: float, side: float = 0.002) -> np.ndarray:
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side], [0, 0]])
    return np.add(corners, [lon, lat])


def outline_in(crs: object, lon: float, lat: float) -> Outline:
    """A square of 0.002 degrees as coordinates of a CRS."""
    to = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return ((np.column_stack(to.transform(*ring_at(lon, lat).T)),),)


def tmerc(meridian: float, ellipsoid: str, offset: float = 0.0) -> pyproj.CRS:
    return pyproj.CRS.from_proj4(f"+proj=tmerc +lon_0={meridian} +x_0={500000 + offset} +ellps={ellipsoid} +type=crs")


def placed_one(outline: Outline, datum: str | None = None, declared: str | None = None) -> Placed:
    placed = place({0: outline}, declared, datum)
    for _, fault in placed.faults:
        raise fault
    return placed


def off_m(placed: Placed, lon: float, lat: float) -> float:
    """Largest distance of the first four corners to those of the square meant [m]."""
    got, meant = positions_of(placed.outlines[0]), ring_at(lon, lat)
    return float(max(np.min(GEOD.inv(*np.broadcast_arrays(x, y, *got.T))[2]) for x, y in meant))


@pytest.mark.parametrize(
    ("datum", "to", "back"),
    [("gcj02", gcj02.wgs84_to_gcj02, "GCJ-02"), ("bd09", gcj02.wgs84_to_bd09, "Baidu")],
)
def test_datums_of_web_maps(datum: str, to: object, back: str) -> None:
    drawn = ((np.column_stack(to(*ring_at(*BEIJING).T)),),)  # type: ignore[operator]
    for name in (datum, back):
        placed = placed_one(drawn, name)
        assert off_m(placed, *BEIJING) < 0.01
        assert placed.datum == datum
        assert "by the public formula" in placed.notes[0]


@pytest.mark.parametrize("zone", range(25, 46))
@pytest.mark.parametrize("offset", [True, False])
def test_three_degree_zones_of_cgcs2000(zone: int, *, offset: bool) -> None:
    """EPSG 4513-4533 with and 4534-4554 without the zone before the easting, against PROJ."""
    meridian = 3 * zone
    lon, lat = meridian + 0.5, 35.0
    code = 4513 + zone - 25 if offset else 4534 + zone - 25
    outline = outline_in(f"EPSG:{code}", lon, lat)
    stated = [f"cgcs2000:{meridian}", f"epsg:{code}", *(["cgcs2000"] if offset else [])]
    for datum in stated:
        assert off_m(placed_one(outline, datum), lon, lat) < 0.01
    assert off_m(placed_one(outline, None, f"urn:ogc:def:crs:EPSG::{code}"), lon, lat) < 0.01
    assert off_m(placed_one(outline, "cgcs2000", f"EPSG:{code}"), lon, lat) < 0.01


@pytest.mark.parametrize("zone", range(13, 24))
@pytest.mark.parametrize("offset", [True, False])
def test_six_degree_zones_of_cgcs2000(zone: int, *, offset: bool) -> None:
    """EPSG 4491-4501 and 4502-4512."""
    lon, lat = 6 * zone - 3 + 1.5, 30.0
    code = 4491 + zone - 13 if offset else 4502 + zone - 13
    outline = outline_in(f"EPSG:{code}", lon, lat)
    for datum in (f"cgcs2000:{6 * zone - 3}", *(["cgcs2000"] if offset else [])):
        assert off_m(placed_one(outline, datum), lon, lat) < 0.01


def test_projection_file_of_a_shapefile() -> None:
    outline = outline_in("EPSG:4527", *BEIJING)
    placed = placed_one(outline, None, ESRI_39)
    assert off_m(placed, *BEIJING) < 0.01
    assert placed.datum == "cgcs2000"
    assert any("datum was not stated; the file declares" in note for note in placed.notes)


def test_easting_without_the_zone_its_file_declares() -> None:
    assert off_m(placed_one(outline_in("EPSG:4548", *BEIJING), None, ESRI_39), *BEIJING) < 0.01


def test_utm_and_web_mercator() -> None:
    assert off_m(placed_one(outline_in("EPSG:32650", *BEIJING), "wgs84", "EPSG:32650"), *BEIJING) < 0.01
    assert off_m(placed_one(outline_in("EPSG:3857", *BEIJING), "epsg:3857"), *BEIJING) < 0.01
    assert off_m(placed_one(outline_in("EPSG:32634", *ROMANIA), None, "EPSG:32634"), *ROMANIA) < 0.01


def test_gcj02_carried_by_a_projection_of_wgs84() -> None:
    """What a desktop program made of a map of the web: the datum is the map's, the projection WGS 84's."""
    east, north = (float(v) for v in gcj02.wgs84_to_gcj02(*map(np.array, BEIJING)))
    placed = placed_one(outline_in("EPSG:32650", east, north), "gcj02", "EPSG:32650")
    assert off_m(placed, *BEIJING) < 1


def test_other_datums_by_published_transformations() -> None:
    lon, lat = -1.5, 52.0
    placed = placed_one(outline_in("EPSG:4326", lon, lat), "epsg:4258")
    assert off_m(placed, lon, lat) < 0.01
    assert "accurate to 1 m" in placed.notes[0]
    national = placed_one(
        ((np.array([[430000.0, 270000], [430200, 270000], [430200, 270200], [430000, 270000]]),),), "epsg:27700"
    )
    assert np.allclose(positions_of(national.outlines[0])[0], [-1.5612, 52.3273], atol=1e-4)


class TestBeijing1954:
    def test_where_parameters_are_published(self) -> None:
        placed = placed_one(((ring_at(108.5, 37.0),),), "beijing54")
        assert "EPSG 15936, Ordos basin; they may be off by 1 m" in placed.notes[0]
        to = pyproj.Transformer.from_pipeline("urn:ogc:def:coordinateOperation:EPSG::15936")
        lat, lon = to.transform(37.0, 108.5)
        assert np.allclose(positions_of(placed.outlines[0])[0], [lon, lat], atol=1e-9)

    def test_elsewhere_with_its_accuracy(self) -> None:
        placed = placed_one(((ring_at(*BEIJING),),), "beijing54")
        assert "off by 20 m" in placed.notes[0]
        moved = positions_of(placed.outlines[0])[0] - BEIJING
        assert 0.0005 < moved[0] < 0.0008  # about 55 m east; the identity would be silent

    def test_metres(self) -> None:
        outline = outline_in(tmerc(117, "krass", 39e6), *BEIJING)
        direct = placed_one(((ring_at(*BEIJING),),), "beijing54")
        for datum in ("beijing54", "beijing54:117"):
            placed = placed_one(outline, datum)
            assert np.abs(positions_of(placed.outlines[0])[:4] - positions_of(direct.outlines[0])[:4]).max() < 0.003


class TestXian1980:
    @pytest.mark.parametrize(("datum", "declared"), [("xian80", None), (None, "EPSG:4610"), ("xian80", "EPSG:2362")])
    def test_refused_without_parameters(self, datum: str | None, declared: str | None) -> None:
        outline = outline_in("EPSG:4534" if declared != "EPSG:2362" else "EPSG:4526", 114.0, 35.0)
        if declared != "EPSG:2362":
            outline = ((ring_at(114.0, 35.0),),)
        with pytest.raises(InvalidInput, match=r"Xian 1980 cannot be converted without parameters.*seven parameters"):
            place({0: outline}, declared, datum)

    def test_with_parameters(self) -> None:
        seven = "24,-123,-94,-0.02,0.25,0.13,1.1"
        placed = placed_one(((ring_at(*BEIJING),),), f"xian80:helmert={seven}")
        crs = pyproj.CRS.from_proj4(f"+proj=longlat +a=6378140 +rf=298.257 +towgs84={seven} +type=crs")
        to = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        assert np.allclose(positions_of(placed.outlines[0])[0], to.transform(*BEIJING), atol=1e-9)
        assert "check one known point" in placed.notes[0]


class TestChina:
    @pytest.mark.parametrize("declared", [None, "EPSG:4326", "OGC:CRS84", "EPSG:32650"])
    def test_the_datum_is_asked(self, declared: str | None) -> None:
        outline = outline_in(declared or "EPSG:4326", *BEIJING)
        with pytest.raises(InvalidInput) as caught:
            place({0: outline}, declared, None)
        for part in (
            "1 of 1 parcels lie in China",
            "116.4000 E, 39.9000 N",
            "gcj02 (Gaode",
            "bd09 (Baidu)",
            "cgcs2000",
        ):
            assert part in str(caught.value)

    @pytest.mark.parametrize(
        "point", [(87.6, 43.8), (91.1, 29.6), (110.3, 20.0), (134.3, 48.3), (121.5, 31.2), (123.0, 53.4)]
    )
    def test_everywhere_in_it(self, point: tuple[float, float]) -> None:
        with pytest.raises(InvalidInput, match="lie in China"):
            place({0: ((ring_at(*point),),)}, None, None)

    @pytest.mark.parametrize(
        "point", [ROMANIA, (77.2, 28.6), (139.7, 35.7), (100.5, 13.7), (37.6, 55.7), (-60.0, -3.0)]
    )
    def test_not_elsewhere(self, point: tuple[float, float]) -> None:
        placed = placed_one(((ring_at(*point),),))
        assert placed.datum == "wgs84"
        assert placed.notes == []

    def test_its_datums_are_not_for_elsewhere(self) -> None:
        with pytest.raises(GeometryFault, match=r"stated as gcj02.*outside it"):
            placed_one(((ring_at(106.9, 47.9),),), "gcj02")  # Ulaanbaatar
        placed = placed_one(((ring_at(*ROMANIA),),), "gcj02")
        assert "does not shift coordinates there" in placed.notes[0]
        assert off_m(placed, *ROMANIA) == 0


CONTRADICTIONS: Sequence[tuple[str, str, str]] = (
    ("beijing54", "EPSG:4490", "another one"),
    ("wgs84", "EPSG:4214", "another one"),
    ("cgcs2000:120", "EPSG:4527", "declares the central meridian 117"),
    ("cgcs2000:117", "EPSG:32650", "another projection"),
    ("epsg:4258", "EPSG:4490", "another one"),
)


@pytest.mark.parametrize(("datum", "declared", "part"), CONTRADICTIONS)
def test_contradictions_are_not_settled_by_guessing(datum: str, declared: str, part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        place({0: ((ring_at(*BEIJING),),)}, declared, datum)


def swap(outline: Outline) -> Outline:
    return tuple(tuple(ring[:, ::-1] for ring in rings) for rings in outline)


WITH_ZONE, WITHOUT = outline_in("EPSG:4527", *BEIJING), outline_in("EPSG:4548", *BEIJING)


@pytest.mark.parametrize(
    ("outline", "datum", "declared", "parts"),
    [
        pytest.param(
            WITH_ZONE,
            "wgs84",
            None,
            ["-180..180", "zone 39, central meridian 117", "116.4000 E, 39.9000 N"],
            id="metres",
        ),
        pytest.param(WITH_ZONE, "gcj02", None, ["zone 39", "Baidu's metres"], id="metres-gcj"),
        pytest.param(swap(WITH_ZONE), "wgs84", None, ["zone 39", "northing before easting"], id="metres-swapped"),
        pytest.param(WITHOUT, "wgs84", None, ["without their zone", "cgcs2000:117"], id="no-zone"),
        pytest.param(WITHOUT, "cgcs2000", None, ["has no zone before it", "cgcs2000:117"], id="cgcs-no-zone"),
        pytest.param(
            WITH_ZONE, "cgcs2000:120", None, ["begins with zone 39", "116.4000 E", "119.4000 E"], id="wrong-zone"
        ),
        pytest.param(swap(WITH_ZONE), "cgcs2000", None, ["easting and northing look swapped"], id="cgcs-swapped"),
        pytest.param(swap(WITHOUT), "cgcs2000:117", None, ["easting and northing look swapped"], id="gk-swapped"),
        pytest.param(
            swap(outline_in("EPSG:32634", *ROMANIA)), None, "EPSG:32634", ["northing first inside it"], id="utm-swapped"
        ),
        pytest.param(
            outline_in("EPSG:3857", *BEIJING), "wgs84", None, ["Web Mercator", "116.4000 E, 39.9000 N"], id="mercator"
        ),
        pytest.param(
            ((ring_at(*BEIJING),),), "cgcs2000:117", None, ["look like degrees", "'cgcs2000'"], id="degrees-gk"
        ),
        pytest.param(
            ((ring_at(*ROMANIA),),), None, "EPSG:32634", ["declared as metres", "look like degrees"], id="degrees-utm"
        ),
        pytest.param(((ring_at(39.9, 116.4),),), "gcj02", None, ["swapped", "116.4000 E, 39.9000 N"], id="swapped-gcj"),
        pytest.param(((ring_at(39.0, 76.0),),), "gcj02", None, ["swapped, in China"], id="swapped-gcj-place"),
        pytest.param(outline_in("EPSG:4527", *BEIJING), "cgcs2000", "EPSG:4326", ["nothing"], id="ok"),
    ],
)
def test_slips_are_explained(outline: Outline, datum: str | None, declared: str | None, parts: list[str]) -> None:
    placed = place({0: outline}, declared, datum)
    if parts == ["nothing"]:
        assert not placed.faults
        return
    ((position, fault),) = placed.faults
    assert position == 0
    assert all(part in str(fault) for part in parts), str(fault)
    assert fault.position is not None


def test_parcel_outside_its_zone_is_noted() -> None:
    placed = placed_one(outline_in(tmerc(111, "GRS80"), *BEIJING), "cgcs2000:111")
    assert "5.4 degrees from the central meridian 111" in placed.warnings[0][1]
    placed = placed_one(outline_in("EPSG:32634", 30.0, 45.0), "epsg:32634")
    assert "outside the area of use" in placed.warnings[0][1]


def test_one_swapped_parcel_among_others() -> None:
    outlines = {n: ((ring_at(30.0 + n / 100, 45.0),),) for n in range(4)} | {4: ((ring_at(45.0, 30.03),),)}
    placed = place(outlines, None, "wgs84")
    ((position, fault),) = placed.faults
    assert position == 4
    assert "among the other parcels of the file" in str(fault)
    assert sorted(placed.outlines) == [0, 1, 2, 3]


def packed(value: float) -> float:
    """Decimal degrees as degrees, minutes and seconds in decimal places."""
    degrees, rest = divmod(round(value * 3600), 3600)
    return degrees + rest // 60 / 100 + rest % 60 / 10_000


def test_minutes_and_seconds_as_decimals() -> None:
    rng = np.random.default_rng(1)
    rings = [ring_at(*point, 0.004) for point in rng.uniform((116, 30), (117, 31), (12, 2))]
    slipped = {n: ((np.vectorize(packed)(ring),),) for n, ring in enumerate(rings)}
    with pytest.raises(InvalidInput, match="look like minutes and seconds") as caught:
        place(slipped, None, "wgs84")
    assert f"{rings[0][0, 0]:.2f}" in str(caught.value)
    assert not place({n: ((ring,),) for n, ring in enumerate(rings)}, None, "wgs84").faults


def test_long_edges_stay_where_they_were_drawn() -> None:
    metres = np.array(
        [[300_000.0, 5_600_000], [330_000, 5_600_000], [330_000, 5_602_000], [300_000, 5_602_000], [300_000, 5_600_000]]
    )
    placed = placed_one(((metres,),), "epsg:32634")
    drawn = shapely.segmentize(shapely.Polygon(metres), 100)
    back = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:32634", always_xy=True)
    edge = shapely.segmentize(shapely.Polygon(positions_of(placed.outlines[0])), 0.001)
    line = shapely.LineString(np.column_stack(back.transform(*shapely.get_coordinates(edge).T)))
    assert shapely.hausdorff_distance(line, drawn.exterior, densify=0.01) < 51  # half the step of the drawn line
    assert max(line.distance(shapely.Point(p)) for p in shapely.get_coordinates(drawn)) < 0.12


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("mars54", "Unknown datum"),
        ("gcj02:117", "takes no options"),
        ("cgcs2000:zone39", "central meridian"),
        ("xian80:helmert=1,2", "3 or 7 numbers"),
        ("xian80:helmert=a,b,c", "3 or 7 numbers"),
        ("wgs84:helmert=1,2,3", "goes with beijing54 or xian80"),
        ("epsg:999999", "not known"),
        ("epsg:5773", "geographic or projected"),
    ],
)
def test_datums_that_make_no_sense(text: str, part: str) -> None:
    with pytest.raises(InvalidInput, match=part):
        parse_datum(text)


@pytest.mark.parametrize(
    "declared",
    [
        "+proj=longlat +nadgrids=/etc/passwd",
        "http://127.0.0.1:9/crs",
        "+init=/tmp/x:1",
        'PROJCS["x",EXTENSION["PROJ4","+proj=merc +nadgrids=@null"]]',
        "GEOGCS[" + "x" * 30_000,
    ],
)
def test_a_declared_crs_opens_no_file(declared: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        place({0: ((ring_at(*ROMANIA),),)}, declared, None)


def test_polygons_of_another_reader() -> None:
    square = shapely.Polygon(ring_at(*ROMANIA), [ring_at(ROMANIA[0] + 0.0005, ROMANIA[1] + 0.0005, 0.001)])
    outline = outline_of_shape(shapely.MultiPolygon([square]))
    assert [[len(ring) for ring in rings] for rings in outline] == [[5, 5]]
    for bad in (None, shapely.Point(1, 2), shapely.Polygon()):
        with pytest.raises(GeometryFault, match="Polygon or MultiPolygon"):
            outline_of_shape(bad)


def test_nothing_is_fetched() -> None:
    assert not pyproj.network.is_network_enabled()
