"""What a file of any format declares of its coordinates meets what the user states of them."""

from __future__ import annotations

import json

import numpy as np
import pyproj
import pytest
from parcel_files import CGCS2000, Ring, blob, geopackage, kml, placemark, shapefile, square, zipped

from geocollateral.errors import InvalidInput
from geocollateral.intake import gcj02
from geocollateral.intake.features import Reading
from geocollateral.intake.formats import choose_format
from geocollateral.intake.reading import read_content
from geocollateral.intake.sandbox import child, runner

ZONE_39 = (
    'PROJCS["CGCS2000_3_Degree_GK_Zone_39",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",DATUM["D_China_2000",'
    'SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Gauss_Kruger"],PARAMETER["False_Easting",39500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",117.0],PARAMETER["Scale_Factor",1.0],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)
ROMANIA = square(22.1, 45.2)


@pytest.fixture(autouse=True)
def _read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words of the reading process over the same border, in this process."""

    def read(content: bytes, name: str) -> Reading:
        form = choose_format(content, name)
        return runner.open_answer(json.loads(json.dumps(child.answer(form, content, name))), name)

    monkeypatch.setattr("geocollateral.intake.reading.read_in_child", read)


def moved(ring: Ring, lon: np.ndarray, lat: np.ndarray) -> Ring:
    assert len(ring) == len(lon)
    return list(zip(lon.tolist(), lat.tolist(), strict=True))


def metres(ring: Ring) -> Ring:
    """A ring as metres of zone 39 with the zone before the easting."""
    return moved(ring, *pyproj.Transformer.from_crs(4490, 4527, always_xy=True).transform(*np.array(ring).T))


def in_gcj02(ring: Ring) -> Ring:
    return moved(ring, *gcj02.wgs84_to_gcj02(*np.array(ring).T))


def as_files(ring: Ring) -> dict[str, bytes]:
    """A ring in every format that declares no datum of China."""
    corners = "\n".join(f"a,solar,{x!r},{y!r}" for x, y in ring[:-1])
    lines = "\n".join(f"{x!r} {y!r}" for x, y in ring[:-1])
    return {
        "a.kml": kml(placemark(ring=ring, asset_class="solar")),
        "a.kmz": zipped({"doc.kml": kml(placemark(ring=ring, asset_class="solar"))}),
        "a.csv": f"parcel_id,asset_class,lon,lat\n{corners}\n".encode(),
        "a.txt": f"asset_class: solar\n\nlon lat\n{lines}\n".encode(),
        "a.zip": zipped(shapefile([[ring]])),
        "a.gpkg": geopackage(layers={"fields": [(1, blob(ring), "p0", "solar")]}),
    }


def bounds(content: bytes, name: str, datum: str | None) -> list[float]:
    return list(read_content(content, name=name, datum=datum).parcels.total_bounds)


MEANT = [116.0, 40.0, 116.002, 40.002]


@pytest.mark.parametrize("name", as_files(square()))
def test_web_map_outlines_of_any_format_are_moved_as_stated_and_not_guessed(name: str) -> None:
    """KML is WGS 84 by its standard, and most programs declare WGS 84 whatever was drawn on: neither counts here."""
    content = as_files(in_gcj02(square()))[name]
    assert bounds(content, name, "gcj02") == pytest.approx(MEANT, abs=1e-7)
    assert bounds(content, name, "wgs84") != pytest.approx(MEANT, abs=1e-4)
    with pytest.raises(InvalidInput, match=r"lie in China.*must be stated"):
        bounds(content, name, None)


@pytest.mark.parametrize("name", as_files(ROMANIA))
def test_outside_china_nothing_need_be_stated(name: str) -> None:
    area = read_content(as_files(ROMANIA)[name], name=name)
    assert area.datum == "wgs84"
    assert list(area.parcels.total_bounds) == pytest.approx([22.1, 45.2, 22.102, 45.202], abs=1e-9)


@pytest.mark.parametrize("datum", [None, "cgcs2000", "cgcs2000:117"])
def test_prj_in_metres_is_the_answer_in_china(datum: str | None) -> None:
    content = zipped(shapefile([[metres(square())]], prj=ZONE_39))
    assert bounds(content, "a.zip", datum) == pytest.approx(MEANT, abs=1e-7)


@pytest.mark.parametrize("datum", ["cgcs2000:120", "epsg:32650", "beijing54"])
def test_prj_that_contradicts_what_is_stated(datum: str) -> None:
    with pytest.raises(InvalidInput, match=r"a\.zip: The datum is stated as .* but the file declares"):
        bounds(zipped(shapefile([[metres(square())]], prj=ZONE_39)), "a.zip", datum)


def test_cgcs2000_of_a_prj_and_of_a_layer() -> None:
    files = {
        "a.zip": zipped(shapefile(prj=CGCS2000)),
        "a.gpkg": geopackage(layers={"fields": [(1, blob(square(), 4490), "p0", "solar")]}, srs=4490),
    }
    for name, content in files.items():
        area = read_content(content, name=name)
        assert area.datum == "cgcs2000", name
        assert any("the file declares" in note.message for note in area.notes)
        assert list(area.parcels.total_bounds) == pytest.approx(MEANT, abs=1e-9)


def test_wkt_with_a_height_system_is_read() -> None:
    compound = f'COMPD_CS["both",{CGCS2000},VERT_CS["h",VERT_DATUM["d",2005],UNIT["metre",1]]]'
    assert bounds(zipped(shapefile(prj=compound)), "a.zip", None) == pytest.approx(MEANT, abs=1e-9)


def test_metres_of_a_table_take_the_stated_meridian() -> None:
    ring = [(x - 39_000_000, y) for x, y in metres(square())]
    corners = "\n".join(f"a,solar,{x!r},{y!r}" for x, y in ring[:-1])
    content = f"parcel_id,asset_class,easting,northing\n{corners}\n".encode()
    assert bounds(content, "a.csv", "cgcs2000:117") == pytest.approx(MEANT, abs=1e-7)
    with pytest.raises(InvalidInput, match=r"lines 2 to 5 .*no zone before it"):
        bounds(content, "a.csv", "cgcs2000")


def test_a_fault_of_place_names_where_it_stands_in_the_file() -> None:
    with pytest.raises(InvalidInput, match=r"placemark 2 .*swapped"):
        bounds(
            kml(placemark(asset_class="solar") + placemark("b", square(40, 116), asset_class="solar")), "a.kml", "wgs84"
        )
