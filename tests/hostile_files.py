"""Files made to read what they should not, to reach out, to write, or to exhaust; and files that are merely broken.

Each is a function of the canary: a URL whose server counts requests, a file with a secret, a path that must stay free.
"""

from __future__ import annotations

import base64
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from parcel_files import (
    COLUMNS,
    blob,
    dbf,
    geojson,
    geopackage,
    kml,
    placemark,
    ring_text,
    shapefile,
    shp,
    square,
    zipped,
)


@dataclass(frozen=True)
class Canary:
    """What must not be touched."""

    url: str
    """Of a loopback server that counts its requests."""
    file: Path
    """A CSV with a secret and with a column of WKT."""
    target: Path
    """A path that does not exist."""


Payload = Callable[[Canary], bytes]
PAYLOADS: dict[str, tuple[str, Payload]] = {}
"""Case -> name of the file and its content."""


def payload(name: str, case: str | None = None) -> Callable[[Payload], Payload]:
    """Enter a payload under the name of its file."""

    def enter(make: Payload) -> Payload:
        key = case or make.__name__.replace("_", " ")
        assert key not in PAYLOADS
        PAYLOADS[key] = (name, make)
        return make

    return enter


def constant(name: str, case: str, content: bytes) -> None:
    """Enter a payload that needs no canary."""
    payload(name, case)(lambda _: content)


# --------------------------------------------------------------------------------------- drivers that open other things


def vrt(source: str, relative: int = 0) -> bytes:
    """An OGR VRT that shows another file as a layer."""
    return (
        f'<OGRVRTDataSource><OGRVRTLayer name="canary">'
        f'<SrcDataSource relativeToVRT="{relative}">{source}</SrcDataSource>'
        f"<SrcLayer>canary</SrcLayer></OGRVRTLayer></OGRVRTDataSource>"
    ).encode()


for ending in (".geojson", ".kml", ".gpkg", ".zip", ".kmz", ".csv", ".txt"):
    payload(f"vrt{ending}", f"vrt of a local file as {ending}")(lambda c: vrt(str(c.file)))
    payload(f"vrt{ending}", f"vrt of an address as {ending}")(lambda c: vrt(f"/vsicurl/{c.url}/canary.csv"))


@payload("vrt.zip")
def vrt_in_a_zip(canary: Canary) -> bytes:
    return zipped({"fields.shp": vrt(str(canary.file)), "fields.shx": b"", "fields.dbf": b"", "fields.prj": b""})


@payload("vrt.kmz")
def vrt_in_a_kmz(canary: Canary) -> bytes:
    return zipped({"doc.kml": vrt(f"/vsicurl/{canary.url}/canary.csv")})


@payload("pipeline.geojson")
def gdalg_pipeline(canary: Canary) -> bytes:
    return json.dumps(
        {"type": "gdal_streamed_alg", "command_line": f"gdal vector pipeline ! read {canary.file}"}
    ).encode()


@payload("pipeline.json")
def gdalg_pipeline_over_http(canary: Canary) -> bytes:
    line = f"gdal vector pipeline ! read /vsicurl/{canary.url}/canary.csv"
    return json.dumps({"type": "gdal_streamed_alg", "command_line": line, "features": []}).encode()


@payload("mrf.geojson")
def mrf_that_writes(canary: Canary) -> bytes:
    return (
        f'<MRF_META><Raster><Size x="8" y="8" c="1"/><DataFile>{canary.target}</DataFile></Raster></MRF_META>'
    ).encode()


@payload("index.geojson")
def gti_tile_index(canary: Canary) -> bytes:
    return f"<GDALTileIndexDataset><IndexDataset>{canary.file}</IndexDataset></GDALTileIndexDataset>".encode()


@payload("wfs.kml")
def wfs_service(canary: Canary) -> bytes:
    return f"<OGRWFSDataSource><URL>{canary.url}/wfs</URL></OGRWFSDataSource>".encode()


@payload("schema.kml")
def gml_with_a_schema(canary: Canary) -> bytes:
    return (
        f'<gml:FeatureCollection xmlns:gml="http://www.opengis.net/gml" '
        f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        f'xsi:schemaLocation="x {canary.url}/schema.xsd"><gml:featureMember/></gml:FeatureCollection>'
    ).encode()


@payload("esri.json")
def esri_json_service(canary: Canary) -> bytes:
    return json.dumps({"serviceUrl": canary.url, "geometryType": "esriGeometryPolygon", "features": []}).encode()


constant("image.geojson", "tiff as geojson", b"II*\x00" + b"\x08\x00\x00\x00" + b"\x00" * 200)
constant("image.zip", "tiff as zip", b"MM\x00*" + b"\x00" * 200)


# -------------------------------------------------------------------------------------------------------------- GeoJSON


@payload("crs.geojson")
def crs_link(canary: Canary) -> bytes:
    return geojson(crs={"type": "link", "properties": {"href": f"{canary.url}/crs.wkt", "type": "esriwkt"}})


@payload("crs.geojson")
def crs_link_of_a_feature(canary: Canary) -> bytes:
    document = json.loads(geojson())
    document["features"][0]["crs"] = {"type": "link", "properties": {"href": f"{canary.url}/crs.wkt"}}
    return json.dumps(document).encode()


@payload("crs.geojson")
def crs_that_is_a_path(canary: Canary) -> bytes:
    return geojson(crs={"type": "name", "properties": {"name": f"/vsicurl/{canary.url}/crs.wkt"}})


@payload("crs.geojson")
def crs_with_grids(canary: Canary) -> bytes:
    return geojson(crs={"type": "name", "properties": {"name": f"+proj=longlat +nadgrids={canary.file}"}})


def with_position(text: str) -> bytes:
    """A parcel whose second position is a text of ours."""
    return geojson([(1, 1), (2, 1), (1, 2), (1, 1)]).replace(b"[2, 1]", text.encode())


constant("deep.geojson", "json nested deeply", b'{"type":' * 100_000)
constant("deep.geojson", "arrays nested deeply", b"[" * 1_000_000)
constant("deep.geojson", "a geometry nested deeply", with_position("[" * 900 + "1" + "]" * 900))
constant(
    "deep.geojson",
    "a crs nested deeply",
    geojson().replace(b'{"type"', b'{"crs":' + b"[" * 900 + b"]" * 900 + b',"type"', 1),
)
for text in (
    "[1e400, 1]",
    "[NaN, 1]",
    "[Infinity, 1]",
    '["2", "1"]',
    "[2, 1, 0, 0, 0]",
    "[true, 1]",
    "[]",
    "null",
    "[" + "9" * 5000 + ", 1]",
):
    constant("position.geojson", f"position {text[:20]}", with_position(text))
constant("ring.geojson", "a ring of a million corners", geojson([(1.0, 1.0)] * 1_000_000))
constant("twice.geojson", "members given twice", geojson()[:-1] + b', "type": "FeatureCollection"}')
constant("props.geojson", "property that is infinite", geojson().replace(b'"solar"', b'"solar", "n": 1e999'))
constant("id.geojson", "id with nul", geojson().replace(b'"p0"', b'"a\\u0000b"'))
constant("id.geojson", "id with direction marks", geojson().replace(b'"p0"', b'"a\\u202eb"'))
constant("long.geojson", "number of ten million digits", with_position("[" + "1" * 10_000_000 + ", 1]"))
constant("gbk.geojson", "geojson in gbk", geojson().decode().replace("solar", "光伏").encode("gbk"))


# ------------------------------------------------------------------------------------------------------------- archives


def raw_entry(
    name: bytes, content: bytes, *, size: int | None = None, packed: bytes | None = None
) -> tuple[bytes, bytes]:
    """Local header with data, and the fields for the directory, of an entry that may lie about its size."""
    data = zlib.compress(content, 9)[2:-4] if packed is None else packed
    size = len(content) if size is None else size
    fields = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0x21, zlib.crc32(content), len(data), size, len(name), 0)
    return b"PK\x03\x04" + fields + name + data, fields


def raw_zip(entries: list[tuple[bytes, tuple[bytes, bytes], int]], body: bytes) -> bytes:
    """A ZIP whose directory says what we want: name, entry, place."""
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<H", 20) + fields + struct.pack("<HHHII", 0, 0, 0, 0, place) + name
        for name, (_, fields), place in entries
    )
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + end


def overlapping(_: Canary) -> bytes:
    """Many entries that share one compressed stream: each unpacks it anew."""
    entry = raw_entry(b"fields.shp", b"\x00" * 1_000_000)
    names = [b"fields.shp", b"fields.shx", b"fields.dbf", b"fields.prj"]
    return raw_zip([(name, entry, 0) for name in names], entry[0])


payload("overlap.zip", "entries that overlap")(overlapping)


def quoted(_: Canary) -> bytes:
    """The quoted overlap: the data of one entry hold the header of the next."""
    inner = raw_entry(b"fields.dbf", b"\x00" * 100_000)[0]
    outer = raw_entry(
        b"fields.shp", inner, packed=b"\x01" + struct.pack("<HH", len(inner), len(inner) ^ 0xFFFF) + inner
    )
    second = raw_entry(b"fields.dbf", b"\x00" * 100_000)
    return raw_zip([(b"fields.shp", outer, 0), (b"fields.dbf", second, len(outer[0]) - len(inner))], outer[0])


payload("quoted.zip", "entries within entries")(quoted)


def lying(_: Canary) -> bytes:
    """A bomb whose headers say that it is small."""
    entries, body = [], b""
    for name in (b"fields.shp", b"fields.shx", b"fields.dbf", b"fields.prj"):
        entry = raw_entry(name, b"\x00" * 50_000_000, size=1000)
        entries.append((name, entry, len(body)))
        body += entry[0]
    return raw_zip(entries, body)


payload("lying.zip", "bomb with lying headers")(lying)


def lying_kmz(_: Canary) -> bytes:
    entry = raw_entry(b"doc.kml", b" " * 100_000_000, size=2_000_000_000)
    return raw_zip([(b"doc.kml", entry, 0)], entry[0])


payload("lying.kmz", "bomb with headers that say too much")(lying_kmz)


def nameless(archive: bytes) -> bytes:
    """An archive whose last entry, of a name of one letter, has lost it in the directory."""
    at = archive.rindex(b"PK\x01\x02")
    entry = archive[at:]
    cut = entry[:28] + b"\x00\x00" + entry[30:46] + entry[47:]
    end = cut.rindex(b"PK\x05\x06")
    size = int.from_bytes(cut[end + 12 : end + 16], "little") - 1
    return archive[:at] + cut[: end + 12] + size.to_bytes(4, "little") + cut[end + 16 :]


payload("bomb.zip", "bomb in the shp")(lambda _: zipped(shapefile(shp=b"\x00" * 250_000_000)))
payload("bomb.kmz", "bomb in the kml")(lambda _: zipped({"doc.kml": b" " * 250_000_000}))
payload("bomb.zip", "bomb in the dbf")(lambda _: zipped(shapefile(dbf=dbf(((b"n", "C", 60_000),), [[b""]] * 4_000))))
payload("large.zip", "more than 300 MB unpacked")(
    lambda _: zipped({**shapefile(), **{f"n{n}.sbn": b"\x00" * 80_000_000 for n in range(4)}})
)
payload("nested.zip", "zip in a zip")(lambda _: zipped({"inner.zip": zipped(shapefile())}))
payload("nested.kmz", "kmz in a kmz")(lambda _: zipped({"doc.kmz": zipped({"doc.kml": kml(placemark())})}))
for name in (
    "../../fields.shp",
    "/fields.shp",
    "C:\\fields.shp",
    "..\\fields.shp",
    "a/../../fields.shp",
    "\\\\host\\x.shp",
):
    payload("path.zip", f"entry named {name}")(lambda _, name=name: zipped({**shapefile(), name: b"x"}))  # type: ignore[misc]
payload("path.zip", "entry without a name")(lambda _: nameless(zipped({**shapefile(), "q": b"x"}, 0)))
payload("path.zip", "entry with a name of nul")(lambda _: zipped(shapefile()).replace(b"fields.prj", b"field\x00.prj"))
payload("many.zip", "sixty-one entries")(lambda _: zipped({**shapefile(), **{f"n{n}.sbn": b"" for n in range(57)}}))
payload("folders.zip", "ten thousand folders")(lambda _: zipped({f"d{n}/": b"" for n in range(10_000)}))


@payload("link.zip")
def symbolic_link(canary: Canary) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in shapefile(shp=None).items():
            archive.writestr(name, content)
        entry = zipfile.ZipInfo("fields.shp")
        entry.create_system, entry.external_attr = 3, 0o120777 << 16
        archive.writestr(entry, str(canary.file))
    return buffer.getvalue()


@payload("device.zip")
def device_node(_: Canary) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo("fields.shp")
        entry.create_system, entry.external_attr = 3, 0o020666 << 16
        archive.writestr(entry, b"")
    return buffer.getvalue()


@payload("twice.zip")
def names_given_twice(_: Canary) -> bytes:
    members = list(shapefile().items())
    entries, body = [], b""
    for name, content in [*members, ("FIELDS.SHP", b"other")]:
        entry = raw_entry(name.encode(), content)
        entries.append((name.encode(), entry, len(body)))
        body += entry[0]
    return raw_zip(entries, body)


@payload("locked.zip")
def encrypted_entries(_: Canary) -> bytes:
    content = bytearray(zipped({"fields.shp": b"x"}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    return bytes(content)


payload("method.zip", "entries packed as LZMA")(lambda _: zipped(shapefile(), zipfile.ZIP_LZMA))
payload("front.zip", "zip behind a picture")(lambda _: b"GIF89a" + zipped(shapefile()))
payload("front.zip", "zip behind a zip header")(lambda _: b"PK\x03\x04" + b"\x00" * 60 + zipped(shapefile()))
payload("cut.zip", "zip cut off")(lambda _: zipped(shapefile())[:-40])
payload("flip.zip", "zip with a flipped byte")(
    lambda _: (lambda z: z[:60] + bytes([z[60] ^ 0xFF]) + z[61:])(zipped(shapefile(), zipfile.ZIP_STORED))
)
constant("empty.zip", "empty zip", b"PK\x05\x06" + b"\x00" * 18)
payload("folder.zip", "zip with a folder alone")(lambda _: zipped({"fields/": b""}))
payload("folder.zip", "folder with content")(lambda _: zipped({"fields.shp/": b"content"}))
payload("two.zip", "two shapefiles")(
    lambda _: zipped({**shapefile(), **{n.replace("fields", "more"): c for n, c in shapefile().items()}})
)
payload("both.zip", "shapefile and geojson")(lambda _: zipped({**shapefile(), "other.geojson": geojson()}))
payload("sheet.zip", "spreadsheet as zip")(
    lambda _: zipped({"[Content_Types].xml": b"<x/>", "xl/workbook.xml": b"<x/>"})
)


# ------------------------------------------------------------------------------------------------------------ shapefile

payload("noprj.zip", "shapefile without prj")(lambda _: zipped(shapefile(prj=None)))
payload("grids.zip", "prj with grids")(
    lambda c: zipped(shapefile(prj=f'GEOGCS["x",DATUM["d",SPHEROID["s",1,1]],EXTENSION["PROJ4_GRIDS","{c.file}"]]'))
)
payload("init.zip", "prj that names a file")(lambda c: zipped(shapefile(prj=f"+init={c.file}:1")))
payload("url.zip", "prj that is an address")(lambda c: zipped(shapefile(prj=f"{c.url}/crs.wkt")))
payload("cut.zip", "shp cut off")(lambda _: zipped(shapefile(shp=shp([[square()]])[:-20])))
payload("parts.zip", "shp with two thousand million rings")(
    lambda _: zipped(shapefile(shp=shp([[square()]])[:144] + struct.pack("<i", 2**31 - 1) + shp([[square()]])[148:]))
)
payload("count.zip", "dbf of more rows than shapes")(
    lambda _: zipped(shapefile(dbf=dbf(COLUMNS, [[b"a", b"solar"], [b"b", b"solar"]])))
)
payload("rows.zip", "dbf that claims four thousand million rows")(
    lambda _: zipped(shapefile(dbf=(lambda d: d[:4] + b"\xff\xff\xff\xff" + d[8:])(dbf(COLUMNS, [[b"a", b"solar"]]))))
)
payload("memo.zip", "dbf with a memo")(lambda _: zipped(shapefile(dbf=dbf(((b"text", "M", 10),), [[b"1"]]))))
payload("type.zip", "dbf of an unknown type")(lambda _: zipped(shapefile(dbf=dbf(((b"text", "G", 10),), [[b"1"]]))))
payload("points.zip", "shapefile of points")(lambda _: zipped(shapefile(shp=shp([[square()]], kind=1))))
payload("holes.zip", "outlines and holes without end")(
    lambda _: zipped(
        shapefile(
            [[square(100 + n % 300 / 1e4, 40, 1)[:: -1 if n % 2 else 1] for n in range(40_000)]],
        )
    )
)
payload("nan.zip", "shapefile with nan")(lambda _: zipped(shapefile([[[(float("nan"), 1.0)] * 5]])))


# ------------------------------------------------------------------------------------------------------------------ KML


@payload("xxe.kml")
def xxe_of_a_file(canary: Canary) -> bytes:
    return kml(placemark("&x;"), f'<!DOCTYPE kml [<!ENTITY x SYSTEM "file://{canary.file}">]>')


@payload("xxe.kml")
def xxe_of_an_address(canary: Canary) -> bytes:
    return kml(placemark("&x;"), f'<!DOCTYPE kml [<!ENTITY x SYSTEM "{canary.url}/canary">]>')


@payload("dtd.kml")
def dtd_at_an_address(canary: Canary) -> bytes:
    return kml(placemark(), f'<!DOCTYPE kml SYSTEM "{canary.url}/kml.dtd">')


@payload("parameter.kml")
def parameter_entity(canary: Canary) -> bytes:
    return kml(placemark(), f'<!DOCTYPE kml [<!ENTITY % x SYSTEM "{canary.url}/x.dtd"> %x;]>')


@payload("xxe.kmz")
def xxe_in_a_kmz(canary: Canary) -> bytes:
    return zipped({"doc.kml": xxe_of_a_file(canary)})


@payload("include.kml")
def xinclude(canary: Canary) -> bytes:
    link = f'<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file://{canary.file}" parse="text"/>'
    return kml(f"<Folder>{link}</Folder>")


LAUGHS = "".join(
    f'<!ENTITY l{n} "{"&l" + str(n - 1) + ";" if n else "ha"}{("&l" + str(n - 1) + ";") * 9 if n else ""}">'
    for n in range(10)
)
constant("laughs.kml", "billion laughs", kml(placemark("&l9;"), f"<!DOCTYPE kml [{LAUGHS}]>"))
constant(
    "quadratic.kml",
    "quadratic blow-up",
    kml(placemark("&a;" * 50_000), f'<!DOCTYPE kml [<!ENTITY a "{"a" * 50_000}">]>'),
)


@payload("linked.kml")
def network_link(canary: Canary) -> bytes:
    return kml(placemark() + f"<NetworkLink><Link><href>{canary.url}/more.kml</href></Link></NetworkLink>")


@payload("update.kml")
def network_link_control(canary: Canary) -> bytes:
    return kml(f"<NetworkLinkControl><Update><targetHref>{canary.url}/x</targetHref></Update></NetworkLinkControl>")


@payload("overlay.kml")
def overlay_alone(canary: Canary) -> bytes:
    return kml(f"<GroundOverlay><Icon><href>{canary.url}/x.png</href></Icon></GroundOverlay>")


constant("deep.kml", "folders nested deeply", kml("<Folder>" * 100_000))
constant(
    "deep.kml", "geometries nested deeply", kml(placemark(inside="<MultiGeometry>" * 500 + "</MultiGeometry>" * 500))
)
constant("cut.kml", "kml cut off", kml(placemark())[:-30])
constant("encoding.kml", "kml in an unknown encoding", b'<?xml version="1.0" encoding="x-canary"?><kml/>')
constant("utf7.kml", "kml in utf-7", b'<?xml version="1.0" encoding="utf-7"?>+ADw-kml/+AD4-')
constant(
    "point.kml", "placemark that is a point", kml(placemark(inside="<Point><coordinates>1,2</coordinates></Point>"))
)
constant(
    "track.kml",
    "line that is open",
    kml(placemark(inside=f"<LineString><coordinates>{ring_text(square())}</coordinates></LineString>")),
)
constant("html.kml", "html as kml", b"<html><body><script>alert(1)</script></body></html>")
constant("numbers.kml", "coordinates that are none", kml(placemark()).replace(b"116.0,40.0,0", b"116.0;40.0;0"))


# ----------------------------------------------------------------------------------------------------------- GeoPackage

RECURSIVE = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT n AS fid, NULL AS geom FROM r"

payload("view.gpkg", "recursive view as a layer")(
    lambda _: geopackage(
        f"CREATE VIEW endless AS {RECURSIVE}",
        "INSERT INTO gpkg_contents VALUES ('endless', 'features', 'endless', '', '', 0, 0, 0, 0, 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('endless', 'geom', 'POLYGON', 4326, 0, 0)",
    )
)
payload("contents.gpkg", "recursive view as the contents")(
    lambda _: geopackage(
        "DROP TABLE gpkg_contents",
        "CREATE VIEW gpkg_contents AS WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
        "SELECT n AS table_name, 'features' AS data_type FROM r",
    )
)
payload("trigger.gpkg", "trigger of its own")(
    lambda _: geopackage("CREATE TRIGGER t AFTER INSERT ON fields BEGIN SELECT load_extension('x'); END")
)
payload("virtual.gpkg", "virtual table as a layer")(
    lambda _: geopackage(
        "CREATE VIRTUAL TABLE search USING fts4(geom)",
        "INSERT INTO gpkg_contents VALUES ('search', 'features', 'search', '', '', 0, 0, 0, 0, 4326)",
        "INSERT INTO gpkg_geometry_columns VALUES ('search', 'geom', 'POLYGON', 4326, 0, 0)",
    )
)
payload("generated.gpkg", "column that computes")(
    lambda _: geopackage(
        layers={"fields": [(1, blob(square()), "p0", "solar")]},
        columns="fid INTEGER PRIMARY KEY, geom BLOB, parcel_id TEXT, asset_class TEXT, "
        "big AS (hex(zeroblob(200000000))) VIRTUAL",
    )
)
payload("sqlite.gpkg", "sqlite of another program")(lambda _: geopackage(application=0x42525254))
payload("other.gpkg", "sqlite without an id")(lambda _: geopackage(application=0))
payload("cut.gpkg", "geopackage cut off")(lambda _: geopackage()[:-5000])
payload("cut.gpkg", "geopackage cut at a page")(lambda _: geopackage()[:-4096])
payload("tail.gpkg", "geopackage with a zip behind it")(lambda _: geopackage() + zipped(shapefile()))
payload("corrupt.gpkg", "geopackage with broken pages")(
    lambda _: (lambda g: g[:100] + b"\xff" * (len(g) - 100))(geopackage())
)
payload("page.gpkg", "geopackage with a broken table")(lambda _: (lambda g: g[:-4096] + b"\xff" * 4096)(geopackage()))
payload("srs.gpkg", "geopackage without a reference system")(lambda _: geopackage(srs=-1))
payload("layers.gpkg", "geopackage without layers")(lambda _: geopackage(layers={}))
payload("curve.gpkg", "geometry that is a curve")(
    lambda _: geopackage(layers={"fields": [(1, b"GP\x00\x01" + struct.pack("<iBI", 4326, 1, 10), "p0", "solar")]})
)
payload("wkb.gpkg", "geometry of too few bytes")(
    lambda _: geopackage(layers={"fields": [(1, blob(square())[:-9], "p0", "solar")]})
)
payload("wkb.gpkg", "geometry of two thousand million rings")(
    lambda _: geopackage(
        layers={"fields": [(1, b"GP\x00\x01" + struct.pack("<iBII", 4326, 1, 3, 2**31), "p0", "solar")]}
    )
)
payload("attach.gpkg", "schema that is no sql")(
    lambda _: geopackage(
        "PRAGMA writable_schema=ON",
        "UPDATE sqlite_master SET sql = 'CREATE TABLE fields AS SELECT 1; ATTACH x AS y' WHERE name = 'fields'",
    )
)


# --------------------------------------------------------------------------------------------- tables and pasted text

HEAD = "parcel_id,asset_class,note,wkt\n"
WKT = '"POLYGON ((116 40, 116.01 40, 116.01 40.01, 116 40))"'

for cell in ('=HYPERLINK("http://x")', "+cmd|' /C calc'!A0", "@SUM(1+1)", "-2+3+cmd|' /C calc'!A0", "=1+1"):
    content = f'{HEAD}a,solar,"{cell.replace(chr(34), chr(34) * 2)}",{WKT}\n'.encode()
    constant("formula.csv", f"formula {cell}", content)
constant("nul.csv", "csv with nul", f"{HEAD}a,so\x00lar,,{WKT}\n".encode())
constant("quote.csv", "csv with an open quote", f'{HEAD}a,solar,"open,{WKT}\n'.encode())
constant("cells.csv", "csv with a lacking cell", f"{HEAD}a,solar,{WKT}\n".encode())
constant("twice.csv", "csv with a column twice", f"parcel_id,wkt,wkt\na,{WKT},{WKT}\n".encode())
constant("wkt.csv", "wkt nested deeply", f'{HEAD}a,solar,,"POLYGON {"(" * 100_000}"\n'.encode())
constant("wkt.csv", "wkt of a million brackets", f'{HEAD}a,solar,,"MULTIPOLYGON (((1 2{")),((" * 200_000}"\n'.encode())
constant("srid.csv", "wkt of another srid", f'{HEAD}a,solar,,"SRID=3857;POLYGON ((1 1, 2 1, 2 2, 1 1))"\n'.encode())
constant("path.csv", "wkt that is a path", f"{HEAD}a,solar,,/vsicurl/http://127.0.0.1:9/a.csv\n".encode())
constant("mojibake.csv", "csv that was damaged", f"{HEAD}a,锟斤拷,,{WKT}\n".encode())
constant("bytes.csv", "csv of random bytes", base64.b85decode("0{" * 200))
constant("columns.csv", "csv of a million columns", b"a," * 1_000_000 + b"wkt\n")
constant("headless.csv", "csv without headings", b"116.0,40.0\n116.1,40.0\n116.1,40.1\n")
constant("order.txt", "pairs that could be either", b"10.5 20.5\n10.6 20.5\n10.6 20.6\n")
constant("words.txt", "text of words", "请在附件中查看地块坐标".encode())
constant("sixty.txt", "seconds beyond sixty", "116°23'75\"E 39°54'20\"N\n".encode())
constant("line.txt", "line of ten million digits", b"1" * 10_000_000)
constant("lines.txt", "a million lines", b"116.1 39.9 12 7\n" * 1_000_000)
constant("empty.csv", "empty csv", b"")
constant("blank.kml", "blank kml", b" \n ")
constant("picture.csv", "picture as csv", b"\x89PNG\r\n\x1a\n" + b"\x00" * 100)
constant("pdf.txt", "pdf as txt", b"%PDF-1.7\n%" + b"x" * 100)
constant("macro.xlsm", "ending that is not read", zipped({"xl/workbook.xml": b"<x/>"}))
constant("noending", "no ending", geojson())
constant("rar.zip", "rar as zip", b"Rar!\x1a\x07\x00" + b"x" * 100)
constant("zip.geojson", "zip as geojson", zipped(shapefile()))
constant("json.gpkg", "geojson as gpkg", geojson())
constant("json.csv", "geojson as csv", geojson())
constant("xml.csv", "kml as csv", kml(placemark()))
constant("gpkg.zip", "gpkg as zip", geopackage())
