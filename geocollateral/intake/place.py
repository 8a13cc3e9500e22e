"""From coordinates as a file has them to longitude and latitude in WGS 84.

`place` is the one call between readers of files and the checks of the intake. Its order:

1. What the file declares and what the user states are made one reference; where they contradict each other, nothing
   is guessed.
2. Metres become degrees of their own datum, degrees those of WGS 84. Long edges get vertices first, so that they stay
   where they were drawn.
3. Parcels in or near China need a stated datum.
4. What looks like a slip (latitude first, the wrong zone, minutes as decimals) is explained and refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyproj
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput
from geocollateral.intake import gcj02, projected
from geocollateral.intake.china import in_or_near_china
from geocollateral.intake.datums import CHOICES, WEB_DATUMS, Datum, parse_crs, parse_datum, read_crs
from geocollateral.intake.outlines import GeometryFault, Outline, Position, Ring, positions_of
from geocollateral.intake.slips import (
    Box,
    explain_degrees,
    explain_metres,
    explain_swapped,
    has_degrees,
    name_place,
    packed_minutes,
    swapped_by_place,
)

EDGE_TOLERANCE_M = 0.1
"""How far an edge that is straight in longitude and latitude may lie from the one drawn [m]."""
CHINESE = ("gcj02", "bd09", "beijing54", "xian80")
"""Datums in use in China alone; CGCS2000 is, too, but parcels of others may well be handed over in it."""

SURVEYED = ("cgcs2000", "beijing54", "xian80")
"""Datums whose metres tell their zone by the number before the easting."""

ZONE_REACH_DEG = 3.2
"""Zones of 6 degrees reach 3 degrees to each side; parcels at their edge are at home in either [degrees]."""

LonLat = tuple[NDArray[np.float64], NDArray[np.float64]]


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Outlines in WGS 84."""

    datum: str
    """They were converted from."""
    outlines: Mapping[int, Outline]
    """By position in the input, longitude and latitude [degrees]; those with a fault are left out."""
    faults: Sequence[tuple[int, GeometryFault]] = ()
    """With the position as written in the file."""
    notes: Sequence[str] = ()
    """On the whole file."""
    warnings: Sequence[tuple[int, str]] = ()
    """On one outline."""


@dataclass(frozen=True, kw_only=True)
class _Reference:
    """What coordinates are measured in, from what is declared and what is stated."""

    datum: Datum
    answered: bool
    """Whether somebody who can know it said so: a file that declares WGS 84 did not, since most programs write that
    whatever the data were drawn on."""
    notes: tuple[str, ...] = ()


@dataclass
class _Told:
    """What turns up on the way, told once for the file."""

    notes: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        if message not in self.notes:
            self.notes.append(message)


def place(
    outlines: Mapping[int, Outline], declared: str | None, datum: str | None, *, expected: Sequence[Box] = ()
) -> Placed:
    """Outlines of one file in WGS 84.

    Parameters
    ----------
    outlines
        By position in the file, in the file's own coordinates, x before y.
    declared
        CRS that the file names (code of EPSG or OGC, or well-known text); None where it names none.
    datum
        What the user states, see `geocollateral.intake.datums`; None where nothing was stated.
    expected
        Boxes in which the parcels should lie [degrees]: what is outside of them and inside with latitude and longitude
        swapped is refused.

    Raises
    ------
    InvalidInput
        The datum is not known or contradicts the file, is needed and was not stated, or needs parameters.
    """
    reference = _resolve(declared, datum)
    told = _Told(list(reference.notes))
    found: dict[int, Outline] = {}
    faults: list[tuple[int, GeometryFault]] = []
    for position, outline in outlines.items():
        try:
            found[position] = _locate(outline, reference.datum, told)
        except GeometryFault as fault:
            faults.append((position, fault))
    if not reference.answered:
        _require_answer(found)
    middles = {p: positions_of(outline).mean(axis=0) for p, outline in found.items() if len(positions_of(outline))}
    for position, message in swapped_by_place(middles, expected).items():
        first = positions_of(outlines[position])[0]
        faults.append((position, GeometryFault(message, (float(first[0]), float(first[1])))))
    if reference.datum.crs is None and reference.datum.meridian is None:
        packed = packed_minutes([positions_of(outline) for outline in outlines.values()])
        if packed:
            raise InvalidInput(packed)
    bad = {position for position, _ in faults}
    return Placed(
        datum=reference.datum.name if reference.datum.name != "other" else reference.datum.text,
        outlines={position: outline for position, outline in found.items() if position not in bad},
        faults=faults,
        notes=told.notes,
        warnings=_outside(reference.datum, middles, bad),
    )


# ----------------------------------------------------------------------------------------------------------- reference


def _resolve(declared: str | None, datum: str | None) -> _Reference:
    own: Datum | None = None if declared is None else read_crs(parse_crs(declared), declared)
    if datum is None:
        if own is None or own.name == "wgs84":
            return _Reference(datum=own or Datum(name="wgs84", text="wgs84"), answered=False)
        note = f"the datum was not stated; the file declares {own.text[:120]!r}, which was taken"
        return _Reference(datum=own, answered=True, notes=(note,))
    stated = parse_datum(datum)
    if own is None:
        return _Reference(datum=stated, answered=True)
    return _merge(own, stated)


def _merge(own: Datum, stated: Datum) -> _Reference:
    """One reference of two. A file that declares WGS 84 in degrees says nothing that the user could contradict."""
    metres = own.meridian is not None or own.crs is not None
    names = {own.name, stated.name}
    carried = own.name in ("wgs84", "cgcs2000") and stated.name in (*WEB_DATUMS, "wgs84", "cgcs2000")
    if own.name == "wgs84" and not metres:
        return _Reference(datum=stated, answered=True)
    same = own.name == stated.name != "other" or (stated.crs is not None and stated.crs == own.crs)
    if not (same or carried):
        raise InvalidInput(
            f"The datum is stated as {stated.text!r}, but the file declares {own.text[:200]!r}, which is another one. "
            f"Ask whoever made the file which of the two holds, and state that one."
        )
    if own.meridian is not None and stated.meridian is not None and own.meridian != stated.meridian:
        raise InvalidInput(
            f"The datum is stated as {stated.text!r}, with the central meridian {stated.meridian:g}, but the file "
            f"declares the central meridian {own.meridian:g}. In the wrong zone parcels lie "
            f"{abs(own.meridian - stated.meridian):g} degrees off: ask which of the two holds."
        )
    apart = own.crs is not None and (stated.meridian is not None or (stated.crs is not None and stated.crs != own.crs))
    if apart or (own.meridian is not None and stated.crs is not None):
        raise InvalidInput(
            f"The datum is stated as {stated.text!r}, but the file declares {own.text[:200]!r}, another projection. "
            f"State the datum alone, such as {stated.name!r}, or correct the file."
        )
    merged = replace(
        stated,
        meridian=own.meridian if stated.meridian is None else stated.meridian,
        crs=own.crs if stated.crs is None else stated.crs,
        helmert=stated.helmert or own.helmert,
    )
    notes = (
        () if len(names) == 1 else (f"the file declares {own.text[:120]!r}; as stated, it was read as {stated.name}",)
    )
    return _Reference(datum=merged, answered=True, notes=notes)


def _require_answer(found: Mapping[int, Outline]) -> None:
    near = [position for position, outline in found.items() if in_or_near_china(*positions_of(outline).T).any()]
    if near:
        place = name_place(*positions_of(found[near[0]])[0])
        raise InvalidInput(
            f"{len(near)} of {len(found)} parcels lie in China or near it (the first at {place}), where maps are drawn "
            f"in several datums that differ by up to 1 km. Which one the coordinates are in must be stated "
            f"(--datum); it is not guessed. Choices: {CHOICES}. Ask whoever drew the parcels: on which map, or with "
            f"which instrument? See docs/datums.md."
        )


# -------------------------------------------------------------------------------------------------------------- places


def _locate(outline: Outline, datum: Datum, told: _Told) -> Outline:
    """An outline in WGS 84."""
    positions = positions_of(outline)
    if not len(positions):
        return outline
    if datum.crs is not None and datum.crs.is_projected:
        convert = _projected_converter(positions, datum.crs, datum)
    elif datum.meridian is not None or (datum.name in SURVEYED and not has_degrees(positions)):
        convert = _gauss_kruger_converter(positions, datum, told)
    else:
        explain_degrees(positions, datum.name)
        convert = _keep
    own = [tuple(_convert(ring, convert) for ring in rings) for rings in outline]
    lon, lat = positions_of(tuple(own)).T
    _require_degrees(positions, lon, lat, datum)
    shift = _shift(datum, lon, lat, told)
    if shift is None:
        return tuple(own)
    return tuple(tuple(_convert(ring, shift) for ring in rings) for rings in own)


def _keep(x: NDArray[np.float64], y: NDArray[np.float64]) -> LonLat:
    return x, y


def _projected_converter(positions: Ring, crs: pyproj.CRS, datum: Datum) -> Callable[..., LonLat]:
    if has_degrees(positions) and np.ptp(positions, axis=0).max() < 2:
        raise GeometryFault(
            f"the coordinates are declared as metres ({datum.text[:60]!r}), but look like degrees: as longitude and "
            f"latitude they lie at {name_place(*positions[0])}. Declare them as degrees, such as EPSG:4326",
            _at(positions),
        )

    def convert(x: NDArray[np.float64], y: NDArray[np.float64]) -> LonLat:
        return projected.to_geographic(crs, x, y)

    area = crs.area_of_use
    if area is not None and area.east >= area.west:

        def inside(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> bool:
            return bool(area.west - 6 <= lon.mean() <= area.east + 6 and area.south - 6 <= lat.mean() <= area.north + 6)

        turned = convert(*positions.T[::-1])
        if not inside(*convert(*positions.T)) and inside(*turned):
            raise GeometryFault(
                f"easting and northing look swapped: read easting first, they lie outside the area of "
                f"{datum.text[:60]!r}, read northing first inside it, at {name_place(*_first(turned))}. Give easting "
                f"first",
                _at(positions),
            )
    return convert


def _gauss_kruger_converter(positions: Ring, datum: Datum, told: _Told) -> Callable[..., LonLat]:
    """Metres of Gauss-Kruger: which zone, by what is stated and by the number before the easting."""
    x, y = positions.T
    zones = np.unique(np.floor(x / projected.ZONE).astype(np.int64))
    if has_degrees(positions):
        raise GeometryFault(
            f"the coordinates are stated as metres about the meridian {datum.meridian:g}, but look like degrees: as "
            f"longitude and latitude they lie at {name_place(*positions[0])}. State the datum without a meridian, such "
            f"as {datum.name!r}",
            _at(positions),
        )
    swapped_zones = np.unique(np.floor(y / projected.ZONE).astype(np.int64))
    if x.min() > 1.5e6 and x.max() < 6.5e6 and (zone_of(swapped_zones) is not None or 1e5 < y.min() <= y.max() < 9e5):
        raise GeometryFault(
            "easting and northing look swapped: the first number is a northing of China, the second an easting. "
            "Chinese survey sheets give x northwards; a file gives the easting first",
            _at(positions),
        )
    if len(zones) > 1 or not (y.min() > -1e7 and y.max() < 1e7):
        raise GeometryFault(explain_metres(positions), _at(positions))
    zone = int(zones[0])
    told_meridian = projected.zone_meridian(zone)
    if zone != 0 and told_meridian is None:
        raise GeometryFault(
            f"expected an easting of 6 digits, or with a zone of China before it (13-23 or 25-45), got {x[0]:,.0f}. "
            f"{explain_metres(positions)}",
            _at(positions),
        )
    meridian = datum.meridian if told_meridian is None else told_meridian
    if meridian is None:
        raise GeometryFault(
            f"the easting {x[0]:,.0f} has no zone before it, so the coordinates fit every zone of China. State the "
            f"central meridian, such as --datum {datum.name}:117",
            _at(positions),
        )
    if datum.meridian is not None and meridian != datum.meridian:
        here = name_place(*_first(projected.unproject(datum.name, meridian, x - zone * projected.ZONE, y)))
        there = name_place(*_first(projected.unproject(datum.name, datum.meridian, x - zone * projected.ZONE, y)))
        raise GeometryFault(
            f"the easting {x[0]:,.0f} begins with zone {zone} (central meridian {meridian:g}), but the central "
            f"meridian {datum.meridian:g} is stated or declared. By its zone the parcel lies at {here}, by the "
            f"meridian at {there}: ask which holds",
            _at(positions),
        )
    if told_meridian is not None and datum.meridian is None:
        told.say(f"the zone was told by the easting: {zone}, with the central meridian {meridian:g}")

    def convert(east: NDArray[np.float64], north: NDArray[np.float64]) -> LonLat:
        return projected.unproject(datum.name, meridian, east - zone * projected.ZONE, north)

    return convert


def zone_of(zones: NDArray[np.int64]) -> float | None:
    """Central meridian that a zone before all of some eastings means; None where there is none."""
    return projected.zone_meridian(int(zones[0])) if len(zones) == 1 else None


def _require_degrees(positions: Ring, lon: NDArray[np.float64], lat: NDArray[np.float64], datum: Datum) -> None:
    lost = ~(np.isfinite(lon) & np.isfinite(lat) & (np.abs(lat) <= 90) & (np.abs(lon) <= 360))
    if lost.any():
        raise GeometryFault(
            f"the coordinates lie outside what {datum.text[:60]!r} can hold. {explain_metres(positions)}",
            _at(positions),
        )


def _shift(
    datum: Datum, lon: NDArray[np.float64], lat: NDArray[np.float64], told: _Told
) -> Callable[..., LonLat] | None:
    """From degrees of the datum to those of WGS 84; None where they are taken as they are."""
    if datum.name == "wgs84":
        return None
    if datum.name == "cgcs2000":
        told.say("coordinates in CGCS2000 were taken as WGS 84; the two differ by about a metre at most")
        return None
    if datum.name in CHINESE:
        _require_china(datum.name, lon, lat)
    if datum.name in WEB_DATUMS:
        if not gcj02.in_box(lon, lat).any():
            told.say(f"parcels outside China were taken as they are: {datum.name} does not shift coordinates there")
            return None
        told.say(f"coordinates were converted from {datum.name} to WGS 84 by the public formula, good to about a metre")
        return gcj02.gcj02_to_wgs84 if datum.name == "gcj02" else gcj02.bd09_to_wgs84
    if datum.name == "beijing54" or datum.helmert is not None:
        return _by_parameters(datum, lon, lat, told)
    if datum.name == "xian80":
        raise InvalidInput(
            "Xian 1980 cannot be converted without parameters: none is published, and reading it as WGS 84 would "
            "misplace parcels by tens of metres. Ask the survey office for the seven parameters of the county and "
            "state --datum xian80:117:helmert=dx,dy,dz,rx,ry,rz,ds, or ask for the parcels in CGCS2000."
        )
    found = None if datum.crs is None else projected.published_to_wgs84(datum.crs, lon, lat)
    if found is None:
        raise GeometryFault(
            f"no transformation from {datum.text[:120]!r} to WGS 84 is published for "
            f"{name_place(float(lon[0]), float(lat[0]))} that needs no grid file. Export the parcels in WGS 84",
            (float(lon[0]), float(lat[0])),
        )
    told.say(f"coordinates were converted to WGS 84 by {found[2]}, accurate to {found[1]:g} m")

    return found[0].transform


def _by_parameters(
    datum: Datum, lon: NDArray[np.float64], lat: NDArray[np.float64], told: _Told
) -> Callable[..., LonLat]:
    if datum.helmert is not None:
        parameters = datum.helmert
        told.say(
            f"coordinates were converted from {datum.name} to WGS 84 by the parameters given; check one known point"
        )
    else:
        parameters, accuracy, origin = projected.beijing54_parameters(float(lon.mean()), float(lat.mean()))
        told.say(f"coordinates were converted from Beijing 1954 by {origin}; they may be off by {accuracy:g} m")

    def convert(x: NDArray[np.float64], y: NDArray[np.float64]) -> LonLat:
        return projected.helmert_to_wgs84(datum.name, parameters, x, y)

    return convert


def _require_china(name: str, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> None:
    """Beyond China's borders its datums are not in use; far from it, web maps show WGS 84 under any name."""
    if in_or_near_china(lon, lat).any():
        return
    explain_swapped(lon, lat)
    if name in WEB_DATUMS and not gcj02.in_box(lon, lat).any():
        return
    raise GeometryFault(
        f"the datum is stated as {name}, which is in use in China, but the parcel lies outside it, at "
        f"{name_place(float(lon[0]), float(lat[0]))}. State the datum that holds there, such as wgs84",
        (float(lon[0]), float(lat[0])),
    )


def _outside(datum: Datum, middles: Mapping[int, NDArray[np.float64]], bad: set[int]) -> list[tuple[int, str]]:
    """Parcels far outside the zone or the area of use of their projection."""
    notes = []
    for position, (lon, lat) in middles.items():
        if position in bad:
            continue
        off = abs((lon - datum.meridian + 180) % 360 - 180) if datum.meridian is not None else 0.0
        if off > ZONE_REACH_DEG:
            message = (
                f"lies {off:.1f} degrees from the central meridian {datum.meridian:g}, outside its zone: is it the "
                f"right zone?"
            )
            notes.append((position, message))
        area = datum.crs.area_of_use if datum.crs is not None else None
        if area is None or area.west > area.east:
            continue
        if not (area.west - 1 <= lon <= area.east + 1 and area.south - 1 <= lat <= area.north + 1):
            message = (
                f"lies at {name_place(lon, lat)}, outside the area of use of {datum.text[:60]!r}: is it the right zone?"
            )
            notes.append((position, message))
    return notes


# --------------------------------------------------------------------------------------------------------------- edges


def _convert(ring: Ring, convert: Callable[..., LonLat]) -> Ring:
    """A ring converted, with vertices added where a straight edge would leave the one drawn."""
    if convert is _keep or len(ring) < 2:
        return ring if convert is _keep else np.column_stack(convert(*ring.T)).reshape(-1, 2)
    start, end = ring[:-1], ring[1:]
    middle = np.column_stack(convert(*((start + end) / 2).T))
    there = np.column_stack(convert(*ring.T))
    with np.errstate(invalid="ignore"):  # what the projection cannot hold is infinite, and is refused after this
        off = (middle - (there[:-1] + there[1:]) / 2) * np.column_stack(
            [111_320 * np.cos(np.radians(middle[:, 1])), np.full(len(middle), 110_574.0)]
        )
    off = np.nan_to_num(np.hypot(*off.T), posinf=0.0)
    # The distance falls with the square of the number of parts.
    parts = np.clip(np.ceil(np.sqrt(off / EDGE_TOLERANCE_M)), 1, 1000).astype(np.int64)
    if (parts == 1).all():
        return there
    share = np.concatenate([np.arange(n) / n for n in parts])[:, None]
    finer = np.repeat(start, parts, axis=0) * (1 - share) + np.repeat(end, parts, axis=0) * share
    return np.column_stack(convert(*np.vstack([finer, ring[-1:]]).T))


def _first(lonlat: LonLat) -> Position:
    return float(lonlat[0][0]), float(lonlat[1][0])


def _at(positions: Ring) -> Position:
    return float(positions[0, 0]), float(positions[0, 1])
