"""What the user says coordinates are measured in, and what a file says of itself.

A datum is stated as ``NAME``, ``NAME:MERIDIAN`` for metres of the Gauss-Kruger projection about a central meridian,
with ``:helmert=dx,dy,dz[,rx,ry,rz,ds]`` for parameters of the user's own, or as ``epsg:NNNN``. See docs/datums.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pyproj
from pyproj.exceptions import CRSError

from geocollateral.errors import InvalidInput

ELLIPSOIDS: Mapping[str, tuple[float, float]] = {
    "wgs84": (6_378_137.0, 298.257223563),
    "cgcs2000": (6_378_137.0, 298.257222101),
    "beijing54": (6_378_245.0, 298.3),
    "xian80": (6_378_140.0, 298.257),
}
"""Semi-major axis [m] and inverse flattening of each datum on which metres can be measured."""
WEB_DATUMS = ("gcj02", "bd09")
"""Datums of web maps, in degrees only."""
NAMES = ("wgs84", "cgcs2000", "gcj02", "bd09", "beijing54", "xian80")
OTHER_NAMES: Mapping[str, str] = {
    "wgs1984": "wgs84",
    "crs84": "wgs84",
    "mars": "gcj02",
    "gaode": "gcj02",
    "amap": "gcj02",
    "tencent": "gcj02",
    "baidu": "bd09",
    "bd09ll": "bd09",
    "beijing1954": "beijing54",
    "bj54": "beijing54",
    "xian1980": "xian80",
    "xi'an80": "xian80",
    "xa80": "xian80",
}
CHOICES = (
    "wgs84 (GPS, satellite maps), cgcs2000 (cadastre; metres as cgcs2000:117 with the central meridian), gcj02 (Gaode, "
    "Tencent), bd09 (Baidu), beijing54, xian80 (with :helmert= parameters of your survey office), or epsg:NNNN"
)
MAX_WKT = 20_000

_CODE = re.compile(
    r"(?:(?:urn:(?:x-)?ogc:def:crs:)?epsg:(?:[\d.]*:)?|https?://www\.opengis\.net/def/crs/epsg/[\d.]+/)(\d{4,6})",
    re.IGNORECASE,
)
_CRS84 = re.compile(
    r"(?:urn:(?:x-)?ogc:def:crs:)?(?:OGC:(?:1\.3|2)?:?CRS84|CRS84)|https?://www\.opengis\.net/def/crs/OGC/1\.3/CRS84",
    re.IGNORECASE,
)
_WKT = re.compile(
    r"\s*(?:PROJCS|GEOGCS|PROJCRS|GEOGCRS|GEODCRS|PROJECTEDCRS|GEOGRAPHICCRS|BOUNDCRS|COMPD_?CS|COMPOUNDCRS)\s*[\[(]",
    re.IGNORECASE,
)
_FILES = re.compile(r"nadgrids|geoidgrids|parameterfile|extension|\+init|\.gsb|\.tif", re.IGNORECASE)
"""What in a WKT would make PROJ open a file."""


@dataclass(frozen=True, kw_only=True)
class Datum:
    """A datum as stated, or as a file declares it."""

    name: str
    """One of `NAMES`, or ``other`` where `crs` says which."""
    meridian: float | None = None
    """Central meridian of Gauss-Kruger metres [degrees]; None where coordinates are degrees, or the easting's prefix
    has to say."""
    helmert: tuple[float, ...] | None = None
    """Own parameters to WGS 84, position vector convention: metres, arc seconds, parts per million."""
    crs: pyproj.CRS | None = None
    """Where it takes more than name and meridian: other projections, other datums."""
    text: str
    """As it was given, for messages."""


def parse_datum(text: str) -> Datum:
    """What the user states.

    Raises
    ------
    InvalidInput
        Not a datum we know, or its options make no sense.
    """
    plain = text.strip().lower().replace(" ", "")
    if plain.startswith("epsg:"):
        return read_crs(parse_crs(plain), plain)
    head, *options = plain.split(":")
    name = re.sub(r"[-_]", "", head)
    name = OTHER_NAMES.get(name, name)
    if name not in NAMES:
        raise InvalidInput(f"Unknown datum {text!r}. Expected one of: {CHOICES}.")
    meridian, helmert = None, None
    for option in options:
        if option.startswith("helmert="):
            helmert = _parse_helmert(option.removeprefix("helmert="), text)
        else:
            meridian = _parse_meridian(option, text)
    if name in WEB_DATUMS and (meridian is not None or helmert is not None):
        raise InvalidInput(f"Datum {text!r}: {name} is a datum of web maps in degrees; it takes no options.")
    if helmert is not None and name not in ("beijing54", "xian80"):
        raise InvalidInput(f"Datum {text!r}: helmert= goes with beijing54 or xian80 only.")
    return Datum(name=name, meridian=meridian, helmert=helmert, text=text.strip())


def parse_crs(text: str) -> pyproj.CRS:
    """CRS that a file declares: a code of EPSG or OGC, or well-known text. Nothing in it can make PROJ open a file.

    Raises
    ------
    InvalidInput
        Neither, or not known.
    """
    code = _CODE.fullmatch(text.strip())
    known = "Expected a code such as EPSG:4490 or well-known text; state the datum as epsg:NNNN instead"
    try:
        if code:
            return pyproj.CRS.from_epsg(int(code[1]))
        if _CRS84.fullmatch(text.strip()):
            return pyproj.CRS.from_authority("OGC", "CRS84")
        if len(text) <= MAX_WKT and _WKT.match(text) and not _FILES.search(text):
            return pyproj.CRS.from_wkt(text)
    except CRSError as exc:
        raise InvalidInput(f"The coordinate reference system {text.strip()[:120]!r} is not known. {known}.") from exc
    raise InvalidInput(f"The coordinate reference system {text.strip()[:120]!r} cannot be read. {known}.")


def read_crs(crs: pyproj.CRS, text: str) -> Datum:
    """Datum, and central meridian where the CRS is a Gauss-Kruger projection of one of ours.

    Raises
    ------
    InvalidInput
        Not a CRS of places on the earth in two dimensions.
    """
    helmert = None
    if crs.is_bound and crs.source_crs is not None and crs.coordinate_operation is not None:
        given = tuple(float(v) for v in crs.coordinate_operation.towgs84)
        helmert = given if len(given) in (3, 7) and any(given) else None
        crs = crs.source_crs
    if crs.is_compound:
        crs = crs.sub_crs_list[0]
    if not (crs.is_geographic or crs.is_projected) or crs.geodetic_crs is None or crs.geodetic_crs.datum is None:
        raise InvalidInput(f"Expected a geographic or projected coordinate reference system, got {text[:120]!r}.")
    name = _datum_name(crs.geodetic_crs.datum.name)
    if crs.is_geographic and name != "other":
        return Datum(name=name, helmert=helmert, text=text)
    meridian = _gauss_kruger_meridian(crs) if name in ELLIPSOIDS else None
    return Datum(name=name, meridian=meridian, helmert=helmert, crs=None if meridian is not None else crs, text=text)


def _datum_name(full: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", full.lower())
    if "worldgeodeticsystem1984" in plain or plain in ("wgs84", "dwgs1984"):
        return "wgs84"
    if plain in ("china2000", "dchina2000", "cgcs2000") or "chinageodeticcoordinatesystem2000" in plain:
        return "cgcs2000"
    if plain in ("beijing1954", "dbeijing1954"):
        return "beijing54"
    return "xian80" if plain in ("xian1980", "dxian1980") else "other"


def _gauss_kruger_meridian(crs: pyproj.CRS) -> float | None:
    """Central meridian where metres are those of Gauss-Kruger, with or without the zone before the easting."""
    operation = crs.coordinate_operation
    if operation is None or operation.method_name != "Transverse Mercator":
        return None
    values = {parameter.name: float(parameter.value) for parameter in operation.params}
    plain = (
        values.get("Scale factor at natural origin") == 1.0
        and values.get("Latitude of natural origin") == 0.0
        and values.get("False northing") == 0.0
        and values.get("False easting", 0.0) % 1e6 == 5e5
        and all(axis.unit_name in ("metre", "meter") for axis in crs.axis_info)
    )
    return values["Longitude of natural origin"] if plain else None


def _parse_meridian(option: str, text: str) -> float:
    try:
        meridian = float(option)
    except ValueError:
        meridian = float("nan")
    if not -180 <= meridian <= 180:
        raise InvalidInput(
            f"Datum {text!r}: expected a central meridian in degrees, such as cgcs2000:117, or "
            f"helmert=dx,dy,dz[,rx,ry,rz,ds]; got {option!r}."
        )
    return meridian


def _parse_helmert(option: str, text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in option.split(","))
    except ValueError:
        values = ()
    limits = (2000.0,) * 3 + (60.0,) * 3 + (100.0,)
    if len(values) not in (3, 7) or not all(abs(v) <= limit for v, limit in zip(values, limits, strict=False)):
        raise InvalidInput(
            f"Datum {text!r}: expected helmert= with 3 or 7 numbers: dx,dy,dz in metres (at most 2000), rx,ry,rz in "
            f"arc seconds (at most 60), ds in parts per million (at most 100); got {option!r}."
        )
    return values
