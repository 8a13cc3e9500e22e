"""GeoJSON (RFC 7946): nothing in the file can make us open another one."""

from __future__ import annotations

import json
from collections.abc import Mapping

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import MAX_DEPTH, Feature, Reading, is_deep, refuse_all, require_some


class _NoObject(ValueError):
    """Why an object of JSON is refused."""


def parse(content: bytes, name: str) -> Reading:
    """Features of a FeatureCollection or Feature, in UTF-8.

    Raises
    ------
    InvalidInput
        The content is not JSON, not GeoJSON, holds no features, or declares more than one reference system.
    """
    document = _parse_json(content, name)
    if not isinstance(document, dict):
        raise InvalidInput(f"{name}: expected a GeoJSON object, got a JSON {_json_type(document)}.")
    kind = document.get("type")
    if kind == "Feature":
        entries: object = [document]
    elif kind == "FeatureCollection":
        entries = document.get("features")
    else:
        raise InvalidInput(
            f"{name}: expected a GeoJSON object of type 'FeatureCollection' or 'Feature', got type {kind!r:.60}. A "
            f"bare geometry does not say what it pledges; wrap it in a Feature with properties."
        )
    declared = set(filter(None, [_declared_crs(document, name)]))
    if not isinstance(entries, list):
        raise InvalidInput(f"{name}: expected 'features' to be a list, got {_json_type(entries)}.")
    features = require_some(name, _check_features(entries, name, declared), "its list of features is empty")
    if len(declared) > 1:
        raise InvalidInput(
            f"{name}: the file names several coordinate reference systems: {', '.join(sorted(declared))[:120]}. "
            f"Reproject all parcels to one."
        )
    return Reading(format="geojson", features=features, crs=declared.pop() if declared else None)


def _parse_json(content: bytes, name: str) -> object:
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
    except json.JSONDecodeError as exc:
        raise InvalidInput(f"{name}: expected GeoJSON, got text that is not JSON: {exc}.") from exc
    except _NoObject as exc:
        raise InvalidInput(f"{name}: expected GeoJSON, got text that is not JSON: {exc}.") from exc
    except ValueError as exc:  # Python does not read whole numbers of more than 4300 digits
        raise InvalidInput(f"{name}: expected GeoJSON, got a number of thousands of digits.") from exc


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [key for key, _ in pairs]
        twice = sorted({key for key in names if names.count(key) > 1})
        raise _NoObject(f"member {', '.join(map(repr, twice))} is given twice in one object")
    return members


def _check_features(entries: list[object], name: str, declared: set[str]) -> list[Feature]:
    features, faults = [], []
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict) or entry.get("type") != "Feature":
            got = f"an object of type {entry.get('type')!r:.60}" if isinstance(entry, dict) else _json_type(entry)
            faults.append(f"feature {number}: expected a Feature, got {got}")
            continue
        properties = entry.get("properties") or {}
        if not isinstance(properties, dict):
            faults.append(f"feature {number}: expected 'properties' to be an object, got {_json_type(properties)}")
            continue
        geometry, identity = entry.get("geometry"), entry.get("id")
        deep = [repr(key) for key, value in properties.items() if is_deep(value)]
        if deep:
            faults.append(f"feature {number}: property {deep[0]:.60} is nested more than {MAX_DEPTH} levels deep")
            continue
        if is_deep(geometry) or is_deep(identity):
            faults.append(f"feature {number}: its geometry or id is nested more than {MAX_DEPTH} levels deep")
            continue
        for member in (entry, geometry):
            if isinstance(member, dict):
                declared.update(filter(None, [_declared_crs(member, f"{name}: feature {number}")]))
        features.append(Feature(number=number, identity=identity, geometry=geometry, properties=properties))
    if faults:
        raise refuse_all(name, faults)
    return features


def _declared_crs(member: Mapping[str, object], where: str) -> str | None:
    """Name in a ``crs`` member, which is no part of RFC 7946 but widely written. A link is never followed."""
    crs = member.get("crs")
    if crs is None:
        return None
    properties = crs.get("properties") if isinstance(crs, dict) and crs.get("type") == "name" else None
    named = properties.get("name") if isinstance(properties, dict) else None
    if isinstance(named, str) and named.strip() and len(named) <= 100 and named.isprintable():
        return named.strip()
    raise InvalidInput(
        f"{where}: expected a 'crs' member of type 'name', such as EPSG:4490, got the 'crs' member "
        f"{json.dumps(crs, ensure_ascii=False)[:120]}. Nothing is fetched from a link. Leave 'crs' out, and state the "
        f"datum."
    )


def _json_type(value: object) -> str:
    names = {dict: "object", list: "list", str: "text", bool: "true/false", int: "number", float: "number"}
    return names.get(type(value), "null")
