"""What a reader of a format hands on: features as they stand in the file, not checked yet.

The readers run in a child process (see `geocollateral.intake.sandbox`); these records cross the border as JSON. This
module and the readers import nothing heavy, so that the child starts quickly.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from geocollateral.errors import InvalidInput

MAX_BYTES = 50_000_000
"""Largest file that is read."""
MAX_FEATURES = 100_000
MAX_DEPTH = 10
"""Deepest nesting of a property's value and of a geometry."""
MAX_LISTED = 20
"""Faults shown of one file; the others are counted."""

_CRS_START = re.compile(
    r"\s*(GEOGCS|GEOGCRS|GEODCRS|PROJCS|PROJCRS|BOUNDCRS|COMPD_?CS|COMPOUNDCRS)\s*[\[(]", re.IGNORECASE
)
_CRS_REACHES_OUT = re.compile(r"grids|EXTENSION|\+init|\+proj|https?:|/vsi|@", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One feature as received."""

    number: int
    """Counted from 1 over the whole file."""
    identity: object = None
    """What the file calls it outside its properties: the ``id`` of GeoJSON, the name of a placemark; or None."""
    geometry: object
    """GeoJSON geometry in the coordinates of the file, not checked."""
    properties: Mapping[str, object]
    place: str = ""
    """Where it stands, for messages: ``line 12``, ``placemark 3 (Loans / Field 7)``; empty: ``feature`` and its
    number."""


Note = tuple[Literal["repair", "warning", "reading"], str]
"""Kind and message, as of an `IntakeNote`."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A file as read: all its features, in their order."""

    format: str
    """Name of the format under `geocollateral.intake.formats.FORMATS`."""
    features: tuple[Feature, ...]
    crs: str | None = None
    """Coordinate reference system that the file declares: a name such as ``EPSG:4490``, or WKT. None: none is declared,
    and the format means longitude and latitude in degrees."""
    textual: bool = False
    """Text may stand for numbers and dates, since people keep them so in this format (all but GeoJSON)."""
    notes: tuple[Note, ...] = ()
    """What there is to say of the file."""


def refuse_all(name: str, faults: list[str]) -> InvalidInput:
    """Error that lists the faults, one line each, and says that nothing was accepted."""
    count = f"{len(faults)} fault" + ("s" if len(faults) > 1 else "")
    lines = [f"  {fault}" for fault in faults[:MAX_LISTED]]
    if len(faults) > MAX_LISTED:
        lines.append(f"  and {len(faults) - MAX_LISTED} more")
    return InvalidInput(
        f"{name} has {count}; nothing of it was accepted, since due diligence over a part of the pledge would be "
        f"wrong. Mend and send again:\n" + "\n".join(lines)
    )


def clean_crs(text: str, where: str) -> str:
    """WKT of a coordinate reference system that names no file and no address.

    Raises
    ------
    InvalidInput
        The text is no WKT, or could make a library open something.
    """
    text = text.strip("\ufeff\x00 \r\n\t")
    if len(text) > 20_000 or (
        not text.isprintable() and not text.replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable()
    ):
        raise InvalidInput(f"{where}: expected a coordinate reference system as WKT, got other content.")
    if not _CRS_START.match(text):
        raise InvalidInput(
            f"{where}: expected a coordinate reference system as WKT (GEOGCS[... or PROJCS[...), got {text!r:.60}."
        )
    if _CRS_REACHES_OUT.search(text):
        raise InvalidInput(
            f"{where}: the coordinate reference system refers to grids, extensions or addresses outside the file, "
            f"which are not opened. Export in WGS 84 or CGCS2000."
        )
    return text


def require_some(name: str, features: list[Feature], what: str) -> tuple[Feature, ...]:
    """The features as they are handed on.

    Raises
    ------
    InvalidInput
        There are none, or too many.
    """
    if not features:
        raise InvalidInput(f"{name} holds no parcels: {what}.")
    if len(features) > MAX_FEATURES:
        raise InvalidInput(f"{name}: expected at most {MAX_FEATURES:,} parcels, got {len(features):,}. Split the file.")
    return tuple(features)


def is_deep(value: object) -> bool:
    """Whether a JSON value is nested more than `MAX_DEPTH` levels deep."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for parent in level
            if isinstance(parent, (dict, list))
            for child in (parent.values() if isinstance(parent, dict) else parent)
        ]
    return bool(level)
