"""GeoJSON (RFC 7946) from bytes to features, without GDAL: nothing in the file can make us open another one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geocollateral.errors import InvalidInput
from geocollateral.intake.faults import Fault, refuse

MAX_BYTES = 50_000_000
MAX_DEPTH = 10
"""Deepest nesting of a property's value."""

WGS84_NAMES = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:)?(?:OGC:(?:1\.3|2)?:?CRS84|EPSG:[\d.]*:?4326|CRS84)", re.IGNORECASE
)
CGCS2000_NAMES = re.compile(r"(?:urn:(?:x-)?ogc:def:crs:)?EPSG:[\d.]*:?4490", re.IGNORECASE)

OTHER_FORMATS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a ZIP archive (a zipped shapefile, KMZ or spreadsheet?)"),
    (b"SQLite format 3", "a GeoPackage or another SQLite file"),
    (b"\x00\x00\x27\x0a", "a shapefile"),
    (b"<", "XML (KML, GML?)"),
    (b"%PDF", "a PDF"),
)
"""First bytes of what users send instead of GeoJSON."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature as received: its properties are an object, its geometry is not checked yet."""

    number: int
    """Counted from 1."""
    identity: object
    """The member ``id``, or None."""
    geometry: object
    properties: Mapping[str, object]


def parse_features(content: bytes, name: str, datum: str) -> list[Feature]:
    """Features of a FeatureCollection or Feature.

    Parameters
    ----------
    content
        The bytes of the file, UTF-8.
    name
        Of the file, for messages.
    datum
        ``wgs84`` or ``cgcs2000``; a ``crs`` member must agree with it.

    Raises
    ------
    InvalidInput
        The content is not JSON, not GeoJSON, or holds no features.
    """
    document = _parse_json(content, name)
    if not isinstance(document, dict):
        raise InvalidInput(f"{name}: expected a GeoJSON object, got a JSON {_json_type(document)}.")
    _require_wgs84(document, name, datum)
    kind = document.get("type")
    if kind == "Feature":
        entries: Any = [document]
    elif kind == "FeatureCollection":
        entries = document.get("features")
    else:
        raise InvalidInput(
            f"{name}: expected a GeoJSON object of type 'FeatureCollection' or 'Feature', got type {kind!r:.60}. "
            f"A bare geometry does not say what it pledges; wrap it in a Feature with properties."
        )
    if not isinstance(entries, list):
        raise InvalidInput(f"{name}: expected 'features' to be a list, got {_json_type(entries)}.")
    if not entries:
        raise InvalidInput(f"{name} holds no parcels: its list of features is empty.")
    return _check_features(entries, name, datum)


def _parse_json(content: bytes, name: str) -> object:
    if not content.strip():
        raise InvalidInput(f"{name} is empty. Expected GeoJSON.")
    for magic, what in OTHER_FORMATS:
        if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(magic):
            raise InvalidInput(f"{name}: expected GeoJSON, got {what}. Other formats are not read yet; export GeoJSON.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise InvalidInput(
            f"{name}: expected text in UTF-8, got other bytes at position {exc.start}. Is it GBK or UTF-16? Save it as "
            f"UTF-8."
        ) from exc
    try:
        return json.loads(text, object_pairs_hook=_unique_members)
    except RecursionError as exc:
        raise InvalidInput(f"{name}: expected GeoJSON, got JSON nested too deeply to be GeoJSON.") from exc
    except ValueError as exc:
        raise InvalidInput(f"{name}: expected GeoJSON, got text that is not JSON: {exc}.") from exc


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [key for key, _ in pairs]
        twice = sorted({key for key in names if names.count(key) > 1})
        raise ValueError(f"member {', '.join(map(repr, twice))} is given twice in one object")
    return members


def _check_features(entries: list[object], name: str, datum: str) -> list[Feature]:
    features, faults = [], []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or entry.get("type") != "Feature":
            got = f"an object of type {entry.get('type')!r:.60}" if isinstance(entry, dict) else _json_type(entry)
            faults.append(Fault(number=number, parcel_id=None, message=f"expected a Feature, got {got}"))
            continue
        properties = entry.get("properties") or {}
        if not isinstance(properties, dict):
            message = f"expected 'properties' to be an object, got {_json_type(properties)}"
            faults.append(Fault(number=number, parcel_id=None, message=message))
            continue
        deep = [key for key, value in properties.items() if _is_deep(value)]
        if deep:
            message = f"property {deep[0]!r} is nested more than {MAX_DEPTH} levels deep"
            faults.append(Fault(number=number, parcel_id=None, message=message))
            continue
        geometry = entry.get("geometry")
        for member in (entry, geometry):
            if isinstance(member, dict):
                _require_wgs84(member, f"{name}: feature {number}", datum)
        features.append(Feature(number=number, identity=entry.get("id"), geometry=geometry, properties=properties))
    if faults:
        raise refuse(name, faults)
    return features


def _require_wgs84(member: Mapping[str, object], where: str, datum: str) -> None:
    """A ``crs`` member is no part of RFC 7946; it is tolerated where it names what the datum says anyway."""
    crs = member.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, dict) and crs.get("type") == "name" else None
    named = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(named, str):
        if WGS84_NAMES.fullmatch(named.strip()):
            return
        if CGCS2000_NAMES.fullmatch(named.strip()):
            if datum == "cgcs2000":
                return
            raise InvalidInput(f"{where}: the file says its coordinates are CGCS2000; give datum cgcs2000.")
    raise InvalidInput(
        f"{where}: expected longitude and latitude in WGS 84 (RFC 7946), got the 'crs' member "
        f"{json.dumps(crs, ensure_ascii=False)[:120]}. Reproject the parcels to WGS 84 and leave 'crs' out."
    )


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return bool(level)


def _json_type(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "true/false", int: "number", float: "number"}
    return names.get(type(value), "null")
