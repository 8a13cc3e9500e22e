"""From the bytes of a file to an area of interest: every feature checked, nothing dropped, every repair told."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import geopandas as gpd
import numpy as np
import pandas as pd
from pydantic import Field, field_validator

from geocollateral.errors import InvalidInput
from geocollateral.intake.attributes import map_attributes
from geocollateral.intake.china import NEAR_DEG, STRIPS
from geocollateral.intake.contract import COLUMNS, LOAN_FACTS, Column, ContractFault, Row, check_row, parse_id
from geocollateral.intake.faults import Fault, refuse
from geocollateral.intake.features import Feature, Reading
from geocollateral.intake.formats import FORMATS
from geocollateral.intake.geometry import Shape, shape_of
from geocollateral.intake.outlines import GeometryFault, Outline, Position, outline_of_geojson
from geocollateral.intake.overlaps import find_overlaps
from geocollateral.intake.place import Placed, place
from geocollateral.intake.slips import Box
from geocollateral.types import AreaOfInterest, IntakeNote, Params

CHINA_BOXES: tuple[Box, ...] = tuple(
    (west - NEAR_DEG, south - NEAR_DEG, east + NEAR_DEG, north + NEAR_DEG) for west, south, east, north in STRIPS
)
AREA_AGREES = 0.1
"""Two areas agree where they differ by less than this share of the larger [1]."""


class IntakeParams(Params):
    """What the lender knows of its own business, for the check of files of parcels."""

    home_box: tuple[float, float, float, float] | None = Field(
        None,
        description="West, south, east, north [degrees] of the land the lender lends on: a parcel outside of it that "
        "lies inside with latitude and longitude swapped is refused.",
    )

    @field_validator("home_box")
    @classmethod
    def _is_a_box(cls, box: tuple[float, float, float, float] | None) -> tuple[float, float, float, float] | None:
        if box is not None and not (-180 <= box[0] < box[2] <= 180 and -90 <= box[1] < box[3] <= 90):
            raise ValueError("expected west < east and south < north in degrees")
        return box


def parse_parcels(
    content: bytes, *, name: str = "the file", datum: str | None = None, params: IntakeParams | None = None
) -> AreaOfInterest:
    """Parcels of the bytes of a GeoJSON file that this program wrote, checked in this process.

    Files of users are read in a process of their own, by `geocollateral.intake.read_parcels`.

    Parameters
    ----------
    content
        GeoJSON (RFC 7946) in UTF-8.
    name, datum, params
        As for `check_parcels`.

    Raises
    ------
    InvalidInput
        As for `check_parcels`.
    """
    reading = FORMATS["geojson"].parse(content, name)
    sha256 = hashlib.sha256(content).hexdigest()
    return check_parcels(reading, name=name, datum=datum, sha256=sha256, params=params)


def check_parcels(
    reading: Reading, *, name: str, datum: str | None, sha256: str, params: IntakeParams | None = None
) -> AreaOfInterest:
    """Parcels of a file that was read, checked.

    Parameters
    ----------
    reading
        Features of the file, in its own coordinates.
    name
        Of the file, for messages.
    datum
        What the coordinates are measured in, see `geocollateral.intake.datums`; None where nothing was stated.
    sha256
        Of the bytes of the file.
    params
        Knobs of the intake.

    Returns
    -------
    All parcels in the order of the file. ``parcels`` has every column of the contract, whether given or not.

    Raises
    ------
    InvalidInput
        Anything is wrong with any feature, the message lists all faults; or the datum has to be stated.
    """
    features, understood, headings = map_attributes(reading)
    faults = [Fault(number=0, parcel_id=None, message=message, place="headings") for message in headings]
    ids, notes = _name_parcels(features, faults)
    rows = [check_row(feature.properties) for feature in features]
    outlines: dict[int, Outline] = {}

    def blame(position: int, message: str, at: Position | None = None) -> None:
        number = features[position].number
        faults.append(Fault(number=number, parcel_id=ids[position], message=message, position=at))

    for position, (feature, row) in enumerate(zip(features, rows, strict=True)):
        for message in row.faults:
            blame(position, message)
        try:
            outlines[position] = outline_of_geojson(feature.geometry)
        except GeometryFault as exc:
            blame(position, str(exc), exc.position)
    placed = _place(name, outlines, reading.crs, datum, rows, params or IntakeParams())
    for position, fault in placed.faults:
        blame(position, str(fault), fault.position)
    shapes: dict[int, Shape] = {}
    for position, outline in placed.outlines.items():
        try:
            shapes[position] = shape_of(outline)
        except GeometryFault as exc:
            blame(position, str(exc), exc.position)
    faults.extend(_contradicting_loans(features, ids, rows))
    if faults:
        places = {feature.number: feature.place for feature in features}
        told = [replace(fault, place=fault.place or places.get(fault.number, "")) for fault in faults]
        raise refuse(name, sorted(told, key=lambda fault: fault.number))
    ordered = [shapes[position] for position in range(len(features))]
    whole = [IntakeNote(kind=kind, parcel_id=None, message=message) for kind, message in reading.notes]
    whole += understood
    whole += [IntakeNote(kind="warning", parcel_id=None, message=message) for message in placed.notes]
    notes = [*whole, *notes]
    notes += [IntakeNote(kind="warning", parcel_id=ids[p], message=message) for p, message in placed.warnings]
    for parcel_id, row, shape in zip(ids, rows, ordered, strict=True):
        notes.extend(_notes_of(parcel_id, row, shape))
    notes.extend(find_overlaps({parcel_id: shape.polygon for parcel_id, shape in zip(ids, ordered, strict=True)}))
    return AreaOfInterest(
        parcels=_tabulate(ids, rows, ordered),
        notes=tuple(notes),
        source_sha256=sha256,
        datum=placed.datum,
    )


def _place(
    name: str,
    outlines: Mapping[int, Outline],
    declared: str | None,
    datum: str | None,
    rows: Sequence[Row],
    params: IntakeParams,
) -> Placed:
    """Outlines in WGS 84; a loan in yuan is expected on land in China."""
    expected: tuple[Box, ...] = () if params.home_box is None else (params.home_box,)
    currencies = {row.values.get("loan_currency") for row in rows} - {None}
    if not expected and currencies == {"CNY"}:
        expected = CHINA_BOXES
    try:
        return place(outlines, declared, datum, expected=expected)
    except InvalidInput as exc:
        raise InvalidInput(f"{name}: {exc}") from exc


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
    warnings = [*shape.warnings, *((message, None) for message in (*row.warnings, *_unpacked_area(row, shape)))]
    notes.extend(
        IntakeNote(kind="warning", parcel_id=parcel_id, message=message, position=position)
        for message, position in warnings
    )
    return notes


def _unpacked_area(row: Row, shape: Shape) -> list[str]:
    """That the claimed area is right if decimals are minutes and seconds: a second is 2.78 ten-thousandths of one."""
    claimed = row.values.get("claim_area_m2")
    if not isinstance(claimed, float):
        return []
    unpacked = shape.area_m2 * (1 / 0.36) ** 2
    if abs(claimed - unpacked) > AREA_AGREES * max(claimed, unpacked):
        return []
    message = (
        f"is claimed with {claimed:,.0f} m2 and drawn with {shape.area_m2:,.0f} m2; the two would agree if decimals "
        f"were minutes and seconds, such as 116.2330 for 116 degrees 23 minutes 30 seconds. Are they?"
    )
    return [message]


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
