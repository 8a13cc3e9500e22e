"""The reference system a file declares, held against the datum the user gave."""

from __future__ import annotations

import re

import pyproj

from geocollateral.errors import InvalidInput

WGS84_NAMES = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:)?(?:OGC:(?:1\.3|2)?:?CRS84|EPSG:[\d.]*:?4326|CRS84)", re.IGNORECASE
)
CGCS2000_NAMES = re.compile(r"(?:urn:(?:x-)?ogc:def:crs:)?EPSG:[\d.]*:?4490", re.IGNORECASE)
_CODES = {4326: "wgs84", 4979: "wgs84", 4490: "cgcs2000", 4480: "cgcs2000"}


def require_datum(declared: str | None, datum: str, name: str) -> None:
    """Refuse a file whose declared reference system is not the datum given.

    Parameters
    ----------
    declared
        Name or WKT as the file has it; None where it declares none.
    datum
        ``wgs84`` or ``cgcs2000``.
    name
        Of the file, for messages.

    Raises
    ------
    InvalidInput
        They differ.
    """
    if declared is None:
        return
    found = _datum_of(declared)
    if found == datum or (found == "wgs84" and datum == "cgcs2000"):
        return
    if found == "cgcs2000":
        raise InvalidInput(f"{name}: the file says its coordinates are CGCS2000; give datum cgcs2000.")
    raise InvalidInput(
        f"{name}: expected longitude and latitude in WGS 84, got the reference system {declared!r:.80} (the 'crs' "
        f"member, .prj or layer of the file). Reproject the parcels to WGS 84."
    )


def _datum_of(declared: str) -> str | None:
    if WGS84_NAMES.fullmatch(declared):
        return "wgs84"
    if CGCS2000_NAMES.fullmatch(declared):
        return "cgcs2000"
    if "[" not in declared:
        return None
    try:
        crs = pyproj.CRS.from_wkt(declared)
    except pyproj.exceptions.CRSError:
        return None
    return _CODES.get(crs.to_epsg(min_confidence=70) or 0)
