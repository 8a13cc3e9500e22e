"""From the bytes of a file to an area of interest: every feature checked, nothing dropped, every repair told."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd

from geocollateral.errors import InvalidInput
from geocollateral.intake.attributes import map_attributes
from geocollateral.intake.contract import COLUMNS, LOAN_FACTS, Column, ContractFault, Row, check_row, parse_id
from geocollateral.intake.declared import require_datum
from geocollateral.intake.faults import Fault, refuse
from geocollateral.intake.features import Feature, Reading
from geocollateral.intake.formats import FORMATS
from geocollateral.intake.geometry import GeometryFault, Shape, parse_shape
from geocollateral.intake.overlaps import find_overlaps
from geocollateral.types import AreaOfInterest, IntakeNote

DATUMS: Mapping[str, str] = {
    "wgs84": "wgs84",
    "epsg:4326": "wgs84",
    "cgcs2000": "cgcs2000",
    "epsg:4490": "cgcs2000",
}
"""Accepted names of a datum, in lower case without dashes, and the datum meant."""
OTHER_DATUMS = ("gcj02", "bd09", "xian80", "beijing54")
SMALL_M2 = 100.0
"""Below one pixel of 10 m nothing can be seen of a parcel [m2]."""


def parse_parcels(content: bytes, *, name: str = "the file", datum: str = "wgs84") -> AreaOfInterest:
    """Parcels of the bytes of a GeoJSON file that this program wrote, checked in this process.

    Files of users are read in a process of their own, by `geocollateral.intake.read_parcels`.

    Parameters
    ----------
    content
        GeoJSON (RFC 7946) in UTF-8.
    name, datum
        As for `check_parcels`.

    Raises
    ------
    InvalidInput
        Anything is wrong with any feature; the message lists all faults.
    """
    reading = FORMATS["geojson"].parse(content, name)
    return check_parcels(reading, name=name, datum=datum, sha256=hashlib.sha256(content).hexdigest())


def check_parcels(reading: Reading, *, name: str, datum: str, sha256: str) -> AreaOfInterest:
    """Parcels of a file that was read, checked.

    Parameters
    ----------
    reading
        Features of the file, in its own coordinates.
    name
        Of the file, for messages.
    datum
        ``wgs84`` or ``cgcs2000``.
    sha256
        Of the bytes of the file.

    Returns
    -------
    All parcels in the order of the file. ``parcels`` has every column of the contract, whether given or not.

    Raises
    ------
    InvalidInput
        Anything is wrong with any feature; the message lists all faults.
    """
    datum = resolve_datum(datum)
    require_datum(reading.crs, datum, name)
    features, understood, headings = map_attributes(reading)
    faults = [Fault(number=0, parcel_id=None, message=message, place="headings") for message in headings]
    ids, notes = _name_parcels(features, faults)
    rows = [check_row(feature.properties) for feature in features]
    shapes: list[Shape] = []
    for feature, parcel_id, row in zip(features, ids, rows, strict=True):
        faults.extend(Fault(number=feature.number, parcel_id=parcel_id, message=message) for message in row.faults)
        try:
            shapes.append(parse_shape(feature.geometry))
        except GeometryFault as exc:
            fault = Fault(number=feature.number, parcel_id=parcel_id, message=str(exc), position=exc.position)
            faults.append(fault)
    faults.extend(_contradicting_loans(features, ids, rows))
    if faults:
        places = {feature.number: feature.place for feature in features}
        placed = [replace(fault, place=fault.place or places.get(fault.number, "")) for fault in faults]
        raise refuse(name, sorted(placed, key=lambda fault: fault.number))
    if datum == "cgcs2000":
        message = "coordinates in CGCS2000 were taken as WGS 84; the two differ by about a metre at most"
        notes.insert(0, IntakeNote(kind="warning", parcel_id=None, message=message))
    for parcel_id, row, shape in zip(ids, rows, shapes, strict=True):
        notes.extend(_notes_of(parcel_id, row, shape))
    notes.extend(find_overlaps({parcel_id: shape.polygon for parcel_id, shape in zip(ids, shapes, strict=True)}))
    said = [IntakeNote(kind=kind, parcel_id=None, message=message) for kind, message in reading.notes]
    return AreaOfInterest(
        parcels=_tabulate(ids, rows, shapes), notes=(*said, *understood, *notes), source_sha256=sha256
    )


def resolve_datum(datum: str) -> str:
    """``wgs84`` or ``cgcs2000``.

    Raises
    ------
    InvalidInput
        The datum is another one, or not known.
    """
    plain = datum.strip().lower().replace("-", "").replace(" ", "")
    if plain in DATUMS:
        return DATUMS[plain]
    if plain in OTHER_DATUMS:
        raise InvalidInput(
            f"Coordinates in {datum} cannot be converted yet. Expected wgs84 or cgcs2000: export the parcels in one of "
            f"them. Reading {datum} as WGS 84 would misplace parcels by up to several hundred metres."
        )
    raise InvalidInput(f"Unknown datum {datum!r}. Expected wgs84 or cgcs2000.")


def _name_parcels(features: Sequence[Feature], faults: list[Fault]) -> tuple[list[str], list[IntakeNote]]:
    """Ids in the order of the features; unnamed parcels are numbered by their place, under a number not in use."""
    given: list[str | None] = []
    for feature in features:
        try:
            own = parse_id(feature.properties.get("parcel_id"))
            given.append(own if own is not None else parse_id(feature.identity))
        except ContractFault as exc:
            faults.append(Fault(number=feature.number, parcel_id=None, message=str(exc)))
            given.append(None)
    counts = Counter(parcel_id for parcel_id in given if parcel_id is not None)
    for feature, parcel_id in zip(features, given, strict=True):
        if parcel_id is not None and counts[parcel_id] > 1:
            message = f"expected a parcel_id of its own, got one that {counts[parcel_id]} features share"
            faults.append(Fault(number=feature.number, parcel_id=parcel_id, message=message))
    ids: list[str] = []
    notes: list[IntakeNote] = []
    for feature, parcel_id in zip(features, given, strict=True):
        if parcel_id is None:
            parcel_id = _free_number(feature.number, len(features), counts)
            message = f"feature {feature.number} has no parcel_id; it was named {parcel_id!r}"
            notes.append(IntakeNote(kind="warning", parcel_id=parcel_id, message=message))
        ids.append(parcel_id)
    return ids, notes


def _free_number(number: int, step: int, used: Mapping[str, int]) -> str:
    while f"p{number:03d}" in used:
        number += step
    return f"p{number:03d}"


def _contradicting_loans(features: Sequence[Feature], ids: Sequence[str], rows: Sequence[Row]) -> list[Fault]:
    first: dict[tuple[object, str], tuple[object, str]] = {}
    faults = []
    for feature, parcel_id, row in zip(features, ids, rows, strict=True):
        loan_id = row.values.get("loan_id")
        for name in LOAN_FACTS:
            value = row.values.get(name)
            if loan_id is None or value is None:
                continue
            stated, by = first.setdefault((loan_id, name), (value, parcel_id))
            if stated != value:
                message = f"{name} of loan {loan_id!r} is {value}, but parcel {by!r} says {stated}"
                faults.append(Fault(number=feature.number, parcel_id=parcel_id, message=message))
    return faults


def _notes_of(parcel_id: str, row: Row, shape: Shape) -> list[IntakeNote]:
    notes = [
        IntakeNote(kind="repair", parcel_id=parcel_id, message=message, position=position)
        for message, position in shape.repairs
    ]
    warnings = [*shape.warnings, *row.warnings]
    if shape.area_m2 < SMALL_M2:
        warnings.append(f"is smaller than one pixel of 10 m ({shape.area_m2:.0f} m2); nothing can be seen of it")
    notes.extend(IntakeNote(kind="warning", parcel_id=parcel_id, message=message) for message in warnings)
    return notes


def _tabulate(ids: Sequence[str], rows: Sequence[Row], shapes: Sequence[Shape]) -> gpd.GeoDataFrame:
    index = pd.Index(list(ids), name="parcel_id")
    columns: dict[str, pd.Series] = {}
    for column in COLUMNS:
        if column.name != "parcel_id":
            columns[column.name] = _series(column, [row.values.get(column.name) for row in rows], index)
    own = dict.fromkeys(name for row in rows for name in row.extra)
    for name in own:
        columns[name] = pd.Series([row.extra.get(name) for row in rows], index=index)
    columns["obs_area_m2"] = pd.Series([shape.area_m2 for shape in shapes], index=index, dtype="float64")
    return gpd.GeoDataFrame(columns, index=index, geometry=[shape.polygon for shape in shapes], crs="EPSG:4326")


def _series(column: Column, values: Sequence[object], index: pd.Index) -> pd.Series:
    """Numbers as float64 (NaN where absent), dates as datetime64[ns] (NaT), text as str (None)."""
    if column.type in ("number", "integer"):
        return pd.Series(np.array([np.nan if v is None else v for v in values], dtype=np.float64), index=index)
    if column.type == "date":
        return pd.Series(
            np.array(["NaT" if v is None else str(v) for v in values], dtype="datetime64[ns]"), index=index
        )
    return pd.Series(list(values), index=index, dtype="object")
