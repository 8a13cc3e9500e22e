"""WKT of polygons (OGC 06-103r4) as tables hold it: ``POLYGON ((116 40, 117 40, 117 41, 116 40))``, or EWKT."""

from __future__ import annotations

import re
from typing import Any

from geocollateral.intake.formats.texts import parse_number

_START = re.compile(r"\s*(?:SRID\s*=\s*(\d{1,6})\s*;)?\s*([A-Za-z]+)\s*(ZM|Z|M)?\s*(?=\(|EMPTY)", re.IGNORECASE)
_TOKEN = re.compile(r"\s*([(),]|EMPTY|[^(),]+)", re.IGNORECASE)
_NAMES = {"polygon": "Polygon", "multipolygon": "MultiPolygon"}


class WktFault(ValueError):
    """Why a text is no WKT."""


def parse_wkt(text: str) -> tuple[dict[str, Any], int | None]:
    """GeoJSON geometry of a WKT, and the code of its SRID if it has one. Types other than polygons have no coordinates.

    Raises
    ------
    WktFault
        The text is no WKT.
    """
    start = _START.match(text)
    if start is None:
        raise WktFault(f"expected WKT such as POLYGON ((lon lat, ...)), got {text.strip()!r:.60}")
    srid = int(start[1]) if start[1] else None
    kind = _NAMES.get(start[2].lower())
    if kind is None:
        return {"type": start[2].upper()}, srid
    depth = 2 if kind == "Polygon" else 3
    rest = text[start.end() :].strip()
    if rest.upper() == "EMPTY":
        return {"type": kind, "coordinates": []}, srid
    return {"type": kind, "coordinates": _nested(rest, depth)}, srid


def _nested(text: str, depth: int) -> list[Any]:
    """Lists of the given depth around positions; an explicit stack, since nesting is the user's."""
    root: list[Any] = []
    stack: list[list[Any]] = [root]
    place, after_value = 0, False
    while place < len(text):
        token = _TOKEN.match(text, place)
        if token is None:
            break
        place = token.end()
        word = token[1].strip()
        if word == "(":
            if after_value or len(stack) > depth:
                raise WktFault(f"expected {depth} levels of brackets around positions, got {text!r:.60}")
            stack[-1].append([])
            stack.append(stack[-1][-1])
        elif word == ")":
            if len(stack) < 2 or not after_value:
                raise WktFault(f"expected brackets that open and close, got {text!r:.60}")
            stack.pop()
        elif word == ",":
            if not after_value or len(stack) < 2:
                raise WktFault(f"expected a comma between positions only, got {text!r:.60}")
        elif word:
            if after_value or len(stack) != depth + 1:
                raise WktFault(f"expected {depth} levels of brackets around positions, got {text!r:.60}")
            stack[-1].append(_position(word))
        after_value = after_value if not word else word not in ("(", ",")
    if len(stack) != 1 or len(root) != 1:
        raise WktFault(f"expected brackets that open and close, got {text!r:.60}")
    return list(root[0])


def _position(text: str) -> list[float]:
    try:
        return [parse_number(number) for number in text.split()]
    except ValueError:
        raise WktFault(f"expected a position 'longitude latitude', got {text!r:.60}") from None
