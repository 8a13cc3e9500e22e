"""Zipped shapefile (Esri, 1998): polygons, their table and their reference system, read without any library."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import MAX_FEATURES, Feature, Note, Reading, clean_crs, refuse_all, require_some
from geocollateral.intake.formats import dbf
from geocollateral.intake.formats.archive import Archive, by_ending, skip_clutter
from geocollateral.intake.formats.wkb import positions

REQUIRED = (".shp", ".shx", ".dbf")
SIDECARS = (".cpg", ".sbn", ".sbx", ".qix", ".qpj", ".qmd", ".xml", ".idx", ".fix", ".cst", ".ain", ".aih", ".atx")
"""Files beside a shapefile that hold nothing of its parcels but, in ``.cpg``, the encoding of their text."""
OTHER_DATA = (
    ".geojson",
    ".json",
    ".kml",
    ".gpkg",
    ".csv",
    ".tsv",
    ".xlsx",
    ".xls",
    ".gml",
    ".gdbtable",
    ".dwg",
    ".dxf",
    ".tab",
    ".mif",
)

_POLYGONS = {5: "Polygon", 15: "PolygonZ", 25: "PolygonM"}
_TYPES = {0: "nothing", 1: "Point", 3: "PolyLine", 8: "MultiPoint", 11: "PointZ", 13: "PolyLineZ", 18: "MultiPointZ",
          21: "PointM", 23: "PolyLineM", 28: "MultiPointM", 31: "MultiPatch", **_POLYGONS}  # fmt: skip
_HEADER = 100
_MAGIC = 9994

Ring = list[list[float]]


def parse(content: bytes, name: str) -> Reading:
    """Features of the one shapefile in an archive.

    Raises
    ------
    InvalidInput
        The archive breaks a limit or does not hold one whole shapefile with its ``.prj``, or its parts disagree.
    """
    archive = Archive(content, name)
    members, others = _members(archive, name)
    shapes = archive.read(members[".shp"])
    rows = dbf.parse(archive.read(members[".dbf"]), name, _code_page(archive, members))
    crs = clean_crs(_ascii(archive.read(members[".prj"]), name), f"{name}, its .prj")
    faults: list[str] = []
    geometries = _shapes(shapes, name, faults)
    _require_same_count(len(geometries), len(rows.records), archive.read(members[".shx"]), name)
    features: list[Feature] = []
    notes: list[Note] = [*rows.notes]
    for number, (geometry, record) in enumerate(zip(geometries, rows.records, strict=True), start=1):
        if record is None:
            notes.append(("warning", f"record {number} is marked as deleted in the .dbf and was left out"))
            continue
        place = f"record {number}"
        features.append(Feature(number=len(features) + 1, geometry=geometry, properties=record, place=place))
    if faults:
        raise refuse_all(name, faults)
    if others:
        notes.append(("warning", f"the archive also holds {', '.join(others)[:200]}, which is not read"))
    return Reading(
        format="shapefile",
        features=require_some(name, features, "the shapefile has no records"),
        crs=crs,
        textual=True,
        notes=tuple(notes),
    )


def _members(archive: Archive, name: str) -> tuple[dict[str, str], list[str]]:
    """Names of the parts by ending, and of what else is in the archive."""
    kept, _ = skip_clutter(archive.names)
    found = by_ending(kept)
    data = [each for ending in OTHER_DATA for each in found.get(ending, [])]
    if not found.get(".shp"):
        held = f"{', '.join(kept)[:120]}" if kept else "nothing"
        hint = " Send the file itself, not zipped." if data else ""
        raise InvalidInput(f"{name}: expected a shapefile (.shp, .shx, .dbf, .prj) in the archive, got {held}.{hint}")
    if len(found[".shp"]) > 1:
        listed = ", ".join(found[".shp"])[:120]
        raise InvalidInput(
            f"{name}: expected one shapefile in the archive, got {listed}. Send each as a file of its own."
        )
    if data:
        raise InvalidInput(
            f"{name}: expected nothing but one shapefile in the archive, got {', '.join(data)[:120]} too. It is not "
            f"clear what is pledged; send one file."
        )
    stem = found[".shp"][0].rpartition(".")[0]
    members = {ending: each for ending, names in found.items() for each in names if each.rpartition(".")[0] == stem}
    lacking = [ending for ending in REQUIRED if ending not in members]
    if lacking:
        raise InvalidInput(f"{name}: the shapefile lacks its {', '.join(lacking)}. Zip all its files together.")
    if ".prj" not in members:
        raise InvalidInput(
            f"{name}: the shapefile has no .prj, so it does not say in which reference system its coordinates are. Say "
            f"the CRS: export it again with its .prj (WGS 84 or CGCS2000); it is never guessed."
        )
    known = {*members.values()}
    return members, [
        each for each in kept if each not in known and "." + each.rpartition(".")[2].lower() not in SIDECARS
    ]


def _code_page(archive: Archive, members: dict[str, str]) -> str | None:
    return archive.read(members[".cpg"])[:40].decode("ascii", errors="replace").strip() if ".cpg" in members else None


def _ascii(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidInput(
            f"{name}: expected a .prj of plain text, got other bytes. Export the shapefile again."
        ) from exc


def _shapes(content: bytes, name: str, faults: list[str]) -> list[dict[str, Any] | None]:
    """GeoJSON geometry of each record; None for a record without one."""
    if len(content) < _HEADER or struct.unpack_from(">i", content)[0] != _MAGIC:
        raise InvalidInput(f"{name}: expected a .shp, got other content under that name.")
    size, kind = struct.unpack_from(">i", content, 24)[0] * 2, struct.unpack_from("<i", content, 32)[0]
    if size != len(content):
        raise InvalidInput(
            f"{name}: expected a whole .shp of {size:,} bytes as it says, got {len(content):,}. Was it cut off?"
        )
    if kind not in _POLYGONS:
        raise InvalidInput(f"{name}: expected a shapefile of polygons, got one of {_TYPES.get(kind, f'type {kind}')}.")
    geometries: list[dict[str, Any] | None] = []
    place = _HEADER
    while place < size:
        number = len(geometries) + 1
        if number > MAX_FEATURES:
            raise InvalidInput(f"{name}: expected at most {MAX_FEATURES:,} parcels, got more. Split the file.")
        length = 0
        try:
            length = struct.unpack_from(">i", content, place + 4)[0] * 2
            if length < 4 or place + 8 + length > size:
                raise InvalidInput(
                    f"{name}: record {number} of the .shp does not end within the file. Export it again."
                )
            geometries.append(_shape(content[place + 8 : place + 8 + length]))
        except (struct.error, ValueError) as exc:
            faults.append(f"record {number}: expected a polygon, got a broken record ({exc})")
            geometries.append(None)
        place += 8 + length
    return geometries


def _shape(record: bytes) -> dict[str, Any] | None:
    kind = struct.unpack_from("<i", record)[0]
    if kind not in _POLYGONS:
        return None if kind == 0 else {"type": _TYPES.get(kind, f"type {kind}")}
    count, points = struct.unpack_from("<2i", record, 36)
    first = 44 + 4 * count
    if count < 1 or points < 0 or first + 16 * points > len(record):
        raise ValueError("it has fewer bytes than corners")
    starts = [*struct.unpack_from(f"<{count}i", record, 44), points]
    if starts[0] != 0 or any(a >= b for a, b in pairwise(starts)):
        raise ValueError("its rings are not in order")
    corners = positions(record[first : first + 16 * points], 2)
    polygons = group_rings([corners[a:b] for a, b in pairwise(starts)])
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def group_rings(rings: Sequence[Ring]) -> list[list[Ring]]:
    """Polygons of the rings of a record: clockwise ones are outlines, the others holes of the outline around them.

    A hole in no outline was drawn the wrong way round; it becomes an outline of its own, as other readers take it.
    """
    areas = [signed_area(ring) for ring in rings]
    outlines = [n for n, area in enumerate(areas) if area <= 0] or [max(range(len(rings)), key=lambda n: abs(areas[n]))]
    boxes = {n: _box(rings[n]) for n in outlines}
    polygons: dict[int, list[Ring]] = {n: [rings[n]] for n in outlines}
    for number, ring in enumerate(rings):
        if number in polygons:
            continue
        box = _box(ring)
        around = [n for n in outlines if _within(box, boxes[n]) and _is_around(rings[n], ring)]
        if around:
            polygons[min(around, key=lambda n: abs(areas[n]))].append(ring)
        else:
            polygons[number] = [ring]
    return [polygons[number] for number in sorted(polygons)]


def signed_area(ring: Ring) -> float:
    """Area of a ring in the plane of its coordinates, positive where it runs counter-clockwise."""
    if not ring:
        return 0.0
    x, y = ring[0]  # near the ring, else far coordinates cancel
    pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
    return sum((a[0] - x) * (b[1] - y) - (b[0] - x) * (a[1] - y) for a, b in pairs) / 2


def _box(ring: Ring) -> tuple[float, float, float, float]:
    return (min(p[0] for p in ring), min(p[1] for p in ring), max(p[0] for p in ring), max(p[1] for p in ring))


def _within(inner: tuple[float, ...], outer: tuple[float, ...]) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _is_around(outline: Ring, hole: Ring) -> bool:
    """Whether a hole lies in an outline: its first corner that is not a corner of the outline decides."""
    corners = {tuple(corner) for corner in outline}
    probe = next((corner for corner in hole if tuple(corner) not in corners), hole[0])
    x, y = probe
    inside = False
    for (x1, y1), (x2, y2) in zip(outline, [*outline[1:], outline[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) / (y2 - y1) * (x2 - x1):
            inside = not inside
    return inside


def _require_same_count(shapes: int, rows: int, index: bytes, name: str) -> None:
    listed = (len(index) - _HEADER) // 8
    if not shapes == rows == listed:
        raise InvalidInput(
            f"{name}: the parts of the shapefile do not belong together: the .shp has {shapes:,} records, the .dbf "
            f"{rows:,}, the .shx {listed:,}. Export it again."
        )
