"""Slips in coordinates: what they look like, and what was probably meant. Nothing here mends anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from geocollateral.intake import projected
from geocollateral.intake.china import in_or_near_china
from geocollateral.intake.outlines import GeometryFault, Ring

Box = tuple[float, float, float, float]
"""West, south, east, north [degrees]."""

MAX_LATITUDE = 84.0
"""Sentinel-2 takes no images nearer to the poles."""
NEIGHBOURHOOD_DEG = 1.0
"""Parcels of one file lie within this of each other's hull, for one of them to look misplaced."""
PACKED_CELLS = 16
"""Minutes that must occur, all below 60 with seconds below 60, before decimals are taken for minutes and seconds:
chance gives that once in 3000 files (0.6 to the 16th power)."""
WEB_MERCATOR_M = 20_037_508.35
_MERCATOR_RADIUS = 6_378_137.0


def has_degrees(positions: Ring) -> bool:
    """Whether all could be longitude and latitude, in either order."""
    return bool((np.abs(positions) <= 360).all())


def name_place(lon: float, lat: float) -> str:
    """A place in words."""
    return f"{abs(lon):.4f} {'E' if lon >= 0 else 'W'}, {abs(lat):.4f} {'N' if lat >= 0 else 'S'}"


def explain_degrees(positions: Ring, datum: str) -> None:
    """Refuse what cannot be longitude and latitude, with what it looks like.

    Raises
    ------
    GeometryFault
        A latitude beyond 90 or a longitude beyond 360, or nearer to a pole than satellites look.
    """
    x, y = positions.T
    wrong = ~((np.abs(y) <= 90) & (x >= -180) & (x <= 360))
    if wrong.any():
        at = (float(x[wrong][0]), float(y[wrong][0]))
        raise GeometryFault(
            f"expected longitude -180..180 and latitude -90..90, got {list(at)}. {_explain_range(positions, datum)}", at
        )
    polar = np.abs(y) > MAX_LATITUDE
    if polar.any():
        at = (float(x[polar][0]), float(y[polar][0]))
        raise GeometryFault(
            f"latitude {at[1]:g} is nearer to a pole than satellites look (84). Expected longitude first: are latitude "
            f"and longitude swapped? Swapped, it lies at {name_place(at[1], at[0])}",
            at,
        )


def explain_swapped(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> None:
    """Refuse an outline that lies in China only with latitude and longitude swapped.

    Raises
    ------
    GeometryFault
        It does.
    """
    if not in_or_near_china(lon, lat).any() and in_or_near_china(lat, lon).all():
        raise GeometryFault(_swapped(float(lon[0]), float(lat[0]), "in China"), (float(lon[0]), float(lat[0])))


def explain_metres(positions: Ring) -> str:
    """What metres probably are."""
    x, y = (float(v) for v in positions[0])
    guesses = []
    for east, north, order in ((x, y, ""), (y, x, " with northing before easting")):
        zone = int(east // projected.ZONE)
        meridian = projected.zone_meridian(zone)
        if meridian is not None and 1.5e6 < north < 6.5e6:
            there = projected.unproject(
                "cgcs2000", meridian, np.array([east - zone * projected.ZONE]), np.array([north])
            )
            guesses.append(
                f"Gauss-Kruger metres of zone {zone}, central meridian {meridian:g}{order}, at "
                f"{name_place(float(there[0][0]), float(there[1][0]))}: state cgcs2000:{meridian:g} (or beijing54, "
                f"xian80)"
            )
    lon, lat = _from_mercator(x, y)
    if not guesses and in_or_near_china(np.array(lon), np.array(lat)):
        guesses.append(f"Web Mercator, at {name_place(lon, lat)}: state epsg:3857")
    if not guesses and 1e5 < x < 9e5 and 0 <= y < 1e7:
        guesses.append(
            "metres of UTM or Gauss-Kruger without their zone: state the zone, such as epsg:32650 or cgcs2000:117"
        )
    if not guesses and max(abs(x), abs(y)) <= WEB_MERCATOR_M:
        guesses.append(f"metres of a projection; as Web Mercator they lie at {name_place(lon, lat)}")
    return (
        f"These look like {guesses[0]}"
        if guesses
        else "They look like metres of a projection: state which, as epsg:NNNN"
    )


def swapped_by_place(middles: Mapping[int, NDArray[np.float64]], expected: Sequence[Box]) -> dict[int, str]:
    """Outlines that lie where they should only with latitude and longitude swapped.

    1. In the boxes that the caller expects parcels in.
    2. In China, for what lies north of 73 degrees: nobody pledges land there.
    3. Near the other parcels of the file, where most of them lie together.

    Parameters
    ----------
    middles
        Longitude and latitude of the middle of each outline [degrees].
    """
    found: dict[int, str] = {}
    for position, (lon, lat) in middles.items():
        if expected and not _inside(lon, lat, expected) and _inside(lat, lon, expected):
            found[position] = _swapped(lon, lat, "where the parcels are expected")
        elif lat > 73 and in_or_near_china(np.array(lat), np.array(lon)):
            found[position] = _swapped(lon, lat, "in China")
    rest = {position: place for position, place in middles.items() if position not in found}
    if len(rest) >= 3:
        centre = np.median(list(rest.values()), axis=0)
        near = {p for p, place in rest.items() if np.abs(place - centre).max() <= NEIGHBOURHOOD_DEG}
        for position in rest.keys() - near:
            lon, lat = rest[position]
            if 2 * len(near) > len(rest) and np.abs(rest[position][::-1] - centre).max() <= NEIGHBOURHOOD_DEG:
                found[position] = _swapped(lon, lat, "among the other parcels of the file")
    return found


def packed_minutes(outlines: Sequence[Ring]) -> str | None:
    """What to say where decimals of a file are minutes and seconds, such as 116.2330 for 116 degrees 23 minutes 30.

    Told only where so many minutes occur that chance is ruled out; a single small parcel never shows it.
    """
    if not outlines:
        return None
    outlines = [ring for ring in outlines if len(ring)] or [np.zeros((1, 2))]
    # Ten-thousandths of a degree, cut as seconds would be; a hair is added for what binary fractions lose.
    units = np.floor(np.abs(np.concatenate(outlines)).ravel() * 1e4 + 1e-6).astype(np.int64)
    seconds, minutes = units % 100, units // 100 % 100
    if not len(units) or seconds.max() >= 60 or minutes.max() >= 60:
        return None
    if len(np.unique(units // 100)) < PACKED_CELLS or len(np.unique(seconds)) < PACKED_CELLS:
        return None
    lon, lat = (_unpack(float(v)) for v in outlines[0][0])
    return (
        f"The decimals of all coordinates look like minutes and seconds: of {len(np.unique(units))} different values "
        f"none has 60 or more in the first or the second pair of digits. Read so, {outlines[0][0][0]:.4f}, "
        f"{outlines[0][0][1]:.4f} is {name_place(lon, lat)}. Give decimal degrees: degrees + minutes / 60 + "
        f"seconds / 3600."
    )


def _unpack(value: float) -> float:
    units = abs(value) + 1e-10
    degrees = int(units)
    minutes = int((units - degrees) * 100)
    return float(np.sign(value)) * (degrees + minutes / 60 + ((units - degrees) * 100 - minutes) * 100 / 3600)


def _explain_range(positions: Ring, datum: str) -> str:
    if (np.abs(positions) > 1000).any():
        kind = "gcj02" if datum == "gcj02" else "bd09" if datum == "bd09" else ""
        web = f" ({kind} is in degrees; Baidu's metres cannot be read.)" if kind else ""
        guess = explain_metres(positions)
        return f"{guess[0].upper()}{guess[1:]}. Or reproject to WGS 84 degrees{web}"
    x, y = positions.T
    if (np.abs(x) <= 90).all() and (np.abs(y) <= 180).all():
        return (
            f"Latitude and longitude look swapped; longitude comes first. Swapped, it lies at {name_place(y[0], x[0])}"
        )
    return "Expected degrees"


def _from_mercator(x: float, y: float) -> tuple[float, float]:
    if max(abs(x), abs(y)) > WEB_MERCATOR_M:
        return 0.0, 0.0
    return (
        float(np.degrees(x / _MERCATOR_RADIUS)),
        float(np.degrees(2 * np.arctan(np.exp(y / _MERCATOR_RADIUS)) - np.pi / 2)),
    )


def _inside(lon: float, lat: float, boxes: Sequence[Box]) -> bool:
    return any(west <= lon <= east and south <= lat <= north for west, south, east, north in boxes)


def _swapped(lon: float, lat: float, where: str) -> str:
    return (
        f"latitude and longitude look swapped; expected longitude first. As written it lies at {name_place(lon, lat)}; "
        f"swapped, {where}, at {name_place(lat, lon)}"
    )
