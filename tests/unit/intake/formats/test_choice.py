"""Which format a file is: its name and its content must agree."""

from __future__ import annotations

from pathlib import Path

import pytest
from parcel_files import geojson, geopackage, kml, placemark, shapefile, zipped

import geocollateral.intake.formats as formats
from geocollateral.errors import InvalidInput
from geocollateral.intake.formats import FORMATS, choose_format

GOOD = {
    ".geojson": geojson(),
    ".json": b"\xef\xbb\xbf \n" + geojson(),
    ".zip": zipped(shapefile()),
    ".kml": kml(placemark()),
    ".kmz": zipped({"doc.kml": kml(placemark())}),
    ".gpkg": geopackage(),
    ".csv": b'parcel_id,wkt\na,"POLYGON ((1 2, 3 4, 5 6, 1 2))"\n',
    ".tsv": b"parcel_id\twkt\na\tPOLYGON ((1 2, 3 4, 5 6, 1 2))\n",
    ".txt": b"116.5 39.5\n116.6 39.5\n",
}


def test_every_format_has_its_module_and_no_ending_two() -> None:
    endings = [ending for entry in FORMATS.values() for ending in entry.extensions]
    assert sorted(endings) == sorted(set(endings)) == sorted(GOOD)
    for name in FORMATS:
        assert (Path(formats.__file__).parent / f"{name}.py").is_file()


@pytest.mark.parametrize("ending", GOOD)
@pytest.mark.parametrize("name", ["parcels{}", "地块.v2{}", "PARCELS{}"])
def test_good_files_are_read(ending: str, name: str) -> None:
    name = name.format(ending.upper() if name.isupper() else ending)
    form = choose_format(GOOD[ending], name)
    assert ending in form.extensions
    assert len(form.parse(GOOD[ending], name).features) == 1


@pytest.mark.parametrize("ending", GOOD)
@pytest.mark.parametrize("content", [ending for ending in GOOD if ending not in (".csv", ".tsv", ".txt")])
def test_content_of_another_format_is_refused(ending: str, content: str) -> None:
    if choose_format(GOOD[content], f"a{content}").content == choose_format(GOOD[ending], f"a{ending}").content:
        return
    with pytest.raises(InvalidInput, match=rf"a\{ending}: expected a .*, got "):
        choose_format(GOOD[content], f"a{ending}")
