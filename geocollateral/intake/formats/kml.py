"""KML (OGC 12-007r2): every placemark of every folder, with its attributes. No link in it is followed."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Feature, Note, Reading, refuse_all, require_some
from geocollateral.intake.formats.texts import parse_number
from geocollateral.intake.headings import lines_of_values

MAX_NESTING = 60
"""Deepest nesting of elements; folders and geometries within each other included."""
CONTAINERS = ("Document", "Folder")
OVERLAYS = ("GroundOverlay", "ScreenOverlay", "PhotoOverlay", "Tour")
LINKS = ("NetworkLink", "NetworkLinkControl")
GEOMETRIES = ("Polygon", "MultiGeometry", "Point", "LineString", "LinearRing", "Model", "Track", "MultiTrack")

_DECLARATION = re.compile(rb"""^(\s*<\?xml[^>]*?)\s+encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_KNOWN_TO_EXPAT = ("utf-8", "utf8", "utf-16", "us-ascii", "iso-8859-1")
_CHINESE = ("gbk", "gb2312", "gb18030", "cp936")


@dataclass(frozen=True, kw_only=True)
class _Container:
    """A folder that is being walked."""

    path: tuple[str, ...] = ()
    attributes: Mapping[str, object] = field(default_factory=dict)
    """Of it and the folders around it; placemarks have them too."""


def parse(content: bytes, name: str) -> Reading:
    """Features of all placemarks, in the order of the file.

    Raises
    ------
    InvalidInput
        The content is no KML, declares a DTD, or has faults; all faults are listed.
    """
    root = _parse_xml(content, name)
    if _local(root) != "kml" and _local(root) not in (*CONTAINERS, "Placemark"):
        raise InvalidInput(f"{name}: expected KML, got XML whose root is {_local(root)!r:.60}.")
    features: list[Feature] = []
    faults: list[str] = []
    notes: list[Note] = []
    top = root if _local(root) == "kml" else _wrap(root)
    for element, container in _walk(top, _Container()):
        kind = _local(element)
        if kind == "Placemark":
            features.append(_placemark(element, container, len(features) + 1, faults))
        elif kind in LINKS:
            faults.append(
                f"{_where(container, element)}: a link to another file ({_link(element)!r:.80}) is not followed, and "
                f"what is behind it would be missing. Save the linked places into this file, or delete the link"
            )
        elif kind in OVERLAYS:
            notes.append(("warning", f"{_where(container, element)}: a {kind} holds no parcel and was not read"))
    if faults:
        raise refuse_all(name, faults)
    return Reading(
        format="kml",
        features=require_some(name, features, "there is no placemark in any folder"),
        textual=True,
        notes=tuple(notes),
    )


def _parse_xml(content: bytes, name: str) -> Element:
    content = _in_utf8(content, name)
    depth = 0
    root: Element | None = None
    try:
        for event, element in iterparse(io.BytesIO(content), events=("start", "end"), forbid_dtd=True):
            depth += 1 if event == "start" else -1
            root = element if root is None else root
            if depth > MAX_NESTING:
                raise InvalidInput(f"{name}: expected KML, got XML nested more than {MAX_NESTING} levels deep.")
    except DefusedXmlException as exc:
        raise InvalidInput(
            f"{name}: expected KML without a DTD or entities, got one. They can make a reader open other files; export "
            f"the KML anew."
        ) from exc
    except ParseError as exc:
        raise InvalidInput(f"{name}: expected KML, got text that is not well-formed XML: {exc}.") from exc
    if root is None:
        raise InvalidInput(f"{name}: expected KML, got no element.")
    return root


def _in_utf8(content: bytes, name: str) -> bytes:
    """Expat does not know multi-byte encodings; a Chinese one that is declared is decoded here."""
    declared = _DECLARATION.match(content[:200])
    encoding = "utf-8" if declared is None else declared[2].decode().lower()
    if encoding in _KNOWN_TO_EXPAT:
        return content
    if declared is None or encoding not in _CHINESE:
        raise InvalidInput(f"{name}: expected XML in UTF-8, UTF-16 or GBK, got the encoding {encoding!r:.40}.")
    try:
        return (declared[1] + content[declared.end() :]).decode("gb18030").encode()
    except UnicodeDecodeError as exc:
        raise InvalidInput(f"{name}: expected text in GBK as its first line says, got other bytes.") from exc


def _walk(parent: Element, container: _Container) -> Iterator[tuple[Element, _Container]]:
    for child in parent:
        kind = _local(child)
        if kind in CONTAINERS:
            label = _text(child, "name") or kind
            inner = {**container.attributes, **_attributes(child)}
            yield from _walk(child, _Container(path=(*container.path, label), attributes=inner))
        elif kind in ("Placemark", *OVERLAYS, *LINKS) or kind in ("Update", "Create", "Delete", "Change"):
            yield child, container


def _placemark(element: Element, container: _Container, number: int, faults: list[str]) -> Feature:
    label = _text(element, "name")
    place = f"placemark {number} ({' / '.join((*container.path, label or 'no name'))})"
    shapes = [child for child in element if _local(child) in GEOMETRIES]
    geometry: dict[str, Any] | None = None
    if len(shapes) > 1:
        faults.append(f"{place}: expected one geometry, got {len(shapes)}; put them into a MultiGeometry")
    elif shapes:
        try:
            geometry = _geometry(shapes[0])
        except InvalidInput as exc:
            faults.append(f"{place}: {exc}")
    properties = {**container.attributes, **_attributes(element)}
    return Feature(number=number, identity=label, geometry=geometry, properties=properties, place=place)


def _geometry(element: Element) -> dict[str, Any]:
    kind = _local(element)
    if kind == "Polygon":
        return {"type": "Polygon", "coordinates": _rings(element)}
    if kind != "MultiGeometry":
        return {"type": kind}
    polygons: list[Any] = []
    for part in _parts(element):
        if _local(part) != "Polygon":
            return {"type": f"MultiGeometry with a {_local(part)}"}
        polygons.append(_rings(part))
    return {"type": "MultiPolygon", "coordinates": polygons}


def _parts(element: Element) -> Iterator[Element]:
    """Geometries of a MultiGeometry and of those within it."""
    for child in element:
        if _local(child) == "MultiGeometry":
            yield from _parts(child)
        elif _local(child) in GEOMETRIES:
            yield child


def _rings(polygon: Element) -> list[Any]:
    outer: list[Any] = []
    inner: list[Any] = []
    for boundary in polygon:
        if _local(boundary) in ("outerBoundaryIs", "innerBoundaryIs"):
            # Several rings in one innerBoundaryIs are holes each: Google Earth draws them so.
            rings = [_coordinates(ring) for ring in boundary if _local(ring) == "LinearRing"]
            (outer if _local(boundary) == "outerBoundaryIs" else inner).extend(rings)
    if len(outer) != 1:
        raise InvalidInput(f"expected one outer boundary of a polygon, got {len(outer)}")
    return [*outer, *inner]


def _coordinates(ring: Element) -> list[list[float]]:
    text = re.sub(r"\s*,\s*", ",", _text(ring, "coordinates") or "")
    positions = []
    for token in text.split():
        try:
            positions.append([parse_number(number) for number in token.rstrip(",").split(",")])
        except ValueError:
            raise InvalidInput(f"expected coordinates 'longitude,latitude[,height]', got {token!r:.60}") from None
    return positions


def _attributes(element: Element) -> dict[str, object]:
    """Untyped and typed attributes, and lines ``name: value`` of the description."""
    found: dict[str, object] = {}
    description = _text(element, "description")
    if description:
        found.update(lines_of_values(description))
        found["description"] = description
    for extended in element:
        if _local(extended) != "ExtendedData":
            continue
        for data in extended:
            if _local(data) == "Data":
                found[data.get("name") or ""] = _text(data, "value") or ""
            elif _local(data) == "SchemaData":
                found.update((simple.get("name") or "", (simple.text or "").strip()) for simple in data)
    return found


def _link(element: Element) -> str:
    return next((found.text or "" for found in element.iter() if _local(found) == "href"), "").strip()


def _where(container: _Container, element: Element) -> str:
    return " / ".join((*container.path, _text(element, "name") or _local(element)))


def _wrap(element: Element) -> Element:
    root = Element("kml")
    root.append(element)
    return root


def _text(element: Element, tag: str) -> str | None:
    for child in element:
        if _local(child) == tag:
            return (child.text or "").strip() or None
    return None


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""
