"""KML and KMZ: all folders, all attributes, nothing followed."""

from __future__ import annotations

import pytest
from parcel_files import kml, placemark, ring_text, square, zipped

from geocollateral.errors import InvalidInput
from geocollateral.intake.formats import kmz
from geocollateral.intake.formats.kml import parse


def polygon(*rings: list[tuple[float, float]]) -> str:
    inner = "".join(
        f"<innerBoundaryIs><LinearRing><coordinates>{ring_text(ring)}</coordinates></LinearRing></innerBoundaryIs>"
        for ring in rings[1:]
    )
    return (
        f"<Polygon><outerBoundaryIs><LinearRing><coordinates>{ring_text(rings[0])}</coordinates></LinearRing>"
        f"</outerBoundaryIs>{inner}</Polygon>"
    )


def lists(ring: list[tuple[float, float]]) -> list[list[float]]:
    return [[x, y, 0.0] for x, y in ring]


def test_t40_placemarks_of_all_folders_are_read() -> None:
    """GDAL reads one of three."""
    folders = "".join(f"<Folder><name>F{n}</name>{placemark(f'p{n}')}</Folder>" for n in range(3))
    nested = f"<Folder><name>out</name><Folder>{placemark('in')}</Folder></Folder>"
    reading = parse(kml(placemark("top") + folders + nested), "a.kml")
    assert [f.identity for f in reading.features] == ["top", "p0", "p1", "p2", "in"]
    assert reading.features[2].place == "placemark 3 (d / F1 / p1)"
    assert reading.features[4].place == "placemark 5 (d / out / Folder / in)"
    assert all(f.geometry == {"type": "Polygon", "coordinates": [lists(square())]} for f in reading.features)


def test_holes_and_nested_geometries() -> None:
    hole, other = square(116.0005, 40.0005, 0.0005), square(117)
    inner = f"<MultiGeometry>{polygon(other)}</MultiGeometry>"
    body = placemark(inside=f"<MultiGeometry>{polygon(square(), hole)}{inner}</MultiGeometry>")
    assert parse(kml(body), "a.kml").features[0].geometry == {
        "type": "MultiPolygon",
        "coordinates": [[lists(square()), lists(hole)], [lists(other)]],
    }


def test_attributes_of_every_kind() -> None:
    schema = '<SchemaData schemaUrl="#s"><SimpleData name="树种">杉木</SimpleData></SchemaData>'
    body = (
        f"<Folder><name>f</name><ExtendedData><Data name='loan_id'><value>L1</value></Data></ExtendedData>"
        f"<Placemark><name>a</name><description>asset_class: forestry\n面积(亩)：12\nhello: you</description>"
        f"<ExtendedData><Data "
        f"name='x'><value>1</value></Data>{schema}</ExtendedData>{polygon(square())}</Placemark></Folder>"
    )
    (feature,) = parse(kml(body), "a.kml").features
    assert dict(feature.properties) == {
        "loan_id": "L1",
        "asset_class": "forestry",
        "面积(亩)": "12",
        "description": "asset_class: forestry\n面积(亩)：12\nhello: you",
        "x": "1",
        "树种": "杉木",
    }


def test_blanks_around_commas_and_heights_left_out() -> None:
    body = placemark().replace("116.0,40.0,0", "116.0 , 40.0")
    assert parse(kml(body), "a.kml").features[0].geometry["coordinates"][0][0] == [116.0, 40.0]  # type: ignore[index]


@pytest.mark.parametrize("encoding", ["GBK", "gb2312", "GB18030"])
def test_chinese_encodings(encoding: str) -> None:
    text = kml(placemark("东地块")).decode().replace("UTF-8", encoding)
    assert parse(text.encode("gb18030"), "a.kml").features[0].identity == "东地块"


def test_utf_16_and_kml_of_another_namespace() -> None:
    text = kml(placemark("东")).decode().replace("UTF-8", "UTF-16").replace("opengis.net/kml/2.2", "google.com/kml/2.1")
    assert parse(text.encode("utf-16"), "a.kml").features[0].identity == "东"


def test_s4_links_are_told_and_not_followed() -> None:
    link = "<NetworkLink><name>more</name><Link><href>http://127.0.0.1:9/x.kml</href></Link></NetworkLink>"
    with pytest.raises(InvalidInput, match=r"d / more: a link to another file \('http://127.0.0.1:9/x.kml'\)"):
        parse(kml(placemark() + link), "a.kml")


def test_overlays_are_told() -> None:
    reading = parse(kml(placemark() + "<GroundOverlay><name>picture</name></GroundOverlay>"), "a.kml")
    assert reading.notes == (("warning", "d / picture: a GroundOverlay holds no parcel and was not read"),)


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        ("", ["there is no placemark"]),
        (placemark(inside=polygon(square()) * 2), ["expected one geometry, got 2"]),
        (placemark().replace("outerBoundaryIs", "innerBoundaryIs"), ["one outer boundary", "got 0"]),
        (placemark().replace("116.0,", "nan,"), ["placemark 1 (d / a)", "'nan,40.0,0'"]),
        (
            placemark().replace("116.0,", "1_0,") + placemark("b").replace("116.0,", "x,"),
            ["2 faults", "placemark 2 (d / b)"],
        ),
        ("<Folder>" * 70 + "</Folder>" * 70, ["more than 60 levels"]),
    ],
)
def test_faults_name_their_placemark(body: str, parts: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(kml(body), "a.kml")
    assert all(part in str(caught.value) for part in parts), str(caught.value)


def test_kmz_is_its_kml() -> None:
    content = zipped({"doc.kml": kml(placemark()), "files/icon.png": b"x", "__MACOSX/._doc.kml": b"x"})
    reading = kmz.parse(content, "a.kmz")
    assert len(reading.features) == 1
    assert reading.notes == (("warning", "the archive also holds files/icon.png, which is not read"),)
    with pytest.raises(InvalidInput, match=r"expected one KML in the archive, got 2: a\.kml, b\.kml"):
        kmz.parse(zipped({"a.kml": b"", "b.kml": b""}), "a.kmz")
