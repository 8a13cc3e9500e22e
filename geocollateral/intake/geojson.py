"""GeoJSON (RFC 7946) from bytes to features, without GDAL: nothing in the file can make us open another one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from geocollateral.errors import InvalidInput
from geocollateral.intake.faults import Fault, refuse

MAX_BYTES = 50_000_000
MAX_DEPTH = 10
"""Deepest nesting of a property's value."""

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


def parse_features(content: bytes, name: str) -> tuple[list[Feature], str | None]:
    """Features of a FeatureCollection or Feature, and the CRS that a ``crs`` member names.

    RFC 7946 knows no such member and no other CRS than WGS 84; many programs write both, after its forerunner.

    Parameters
    ----------
    content
        The bytes of the file, UTF-8.
    name
        Of the file, for messages.

    Raises
    ------
    InvalidInput
        The content is not JSON, not GeoJSON, holds no features, or names several CRSs.
    """
    document = _parse_json(content, name)
    if not isinstance(document, dict):
        raise InvalidInput(f"{name}: expected a GeoJSON object, got a JSON {_json_type(document)}.")
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
    features = _check_features(entries, name)
    return features, _declared(document, entries, name)


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


def _check_features(entries: list[object], name: str) -> list[Feature]:
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
        features.append(
            Feature(number=number, identity=entry.get("id"), geometry=entry.get("geometry"), properties=properties)
        )
    if faults:
        raise refuse(name, faults)
    return features


def _declared(document: Mapping[str, object], entries: list[object], name: str) -> str | None:
    """The CRS named by the file, its features or their geometries: one for all of them."""
    members: list[tuple[str, Mapping[str, object]]] = [(name, document)]
    for number, entry in enumerate(entries, start=1):
        if isinstance(entry, dict):
            members.append((f"{name}: feature {number}", entry))
            if isinstance(entry.get("geometry"), dict):
                members.append((f"{name}: feature {number}", entry["geometry"]))
    declared: str | None = None
    for where, member in members:
        if member.get("crs") is None:
            continue
        named = _crs_name(member["crs"], where)
        if declared is not None and named != declared:
            raise InvalidInput(
                f"{where}: the file names several coordinate reference systems, {declared[:80]!r} and {named[:80]!r}. "
                f"Reproject all parcels to one."
            )
        declared = named
    return declared


def _crs_name(crs: object, where: str) -> str:
    properties = crs.get("properties") if isinstance(crs, dict) and crs.get("type") == "name" else None
    named = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(named, str) or not named.strip():
        raise InvalidInput(
            f"{where}: expected a 'crs' member of type 'name', such as EPSG:4490, got "
            f"{json.dumps(crs, ensure_ascii=False)[:120]}. Nothing is fetched from a link. Leave 'crs' out, and state "
            f"the datum."
        )
    return named.strip()


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
