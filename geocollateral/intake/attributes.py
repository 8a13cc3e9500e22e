"""From the headings and values of a file to the columns of the parcel contract, every step told."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from geocollateral.intake.contract import AREA_UNITS, CONTRACT
from geocollateral.intake.features import Feature, Reading
from geocollateral.intake.headings import (
    AMOUNTS,
    AREA,
    HEADINGS,
    IMPLIED_CURRENCY,
    TERMS,
    UNITS,
    WORDS,
    Meaning,
    is_one_of,
    plain,
    understand,
)
from geocollateral.types import IntakeNote

MAX_SHOWN = 50
"""Conversions of values that are told one by one."""
DBF_NAME_BYTES = 10
"""Longest heading of a shapefile; longer ones are cut."""

_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?(?:[T ]00:00(?::00(?:\.0+)?)?Z?)?")
_DAY = re.compile(r"(\d{4})(\d{2})(\d{2})")
_GROUPED = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")

Renamed = Mapping[str, Meaning]


def map_attributes(reading: Reading) -> tuple[list[Feature], list[IntakeNote], list[str]]:
    """Features under the names and in the units of the contract, notes on what was understood how, faults of headings.

    Columns that mean nothing to the contract are left as they are.
    """
    headings = list(dict.fromkeys(key for feature in reading.features for key in feature.properties))
    renamed, notes, faults = _choose(headings, cut=reading.format == "shapefile")
    told: dict[str, None] = {}
    features = [_map(feature, renamed, reading.textual, told) for feature in reading.features]
    if _implies_currency(renamed, headings):
        features = [_with_currency(feature) for feature in features]
        units = dict.fromkeys(unit for column in AMOUNTS if (unit := _unit_of(column, renamed)) is not None)
        notes.append(f"amounts in {' and '.join(units)} were taken as {IMPLIED_CURRENCY}")
    notes.extend(list(told)[:MAX_SHOWN])
    if len(told) > MAX_SHOWN:
        notes.append(f"and {len(told) - MAX_SHOWN} more values were understood in this way")
    readings = [IntakeNote(kind="reading", parcel_id=None, message=message) for message in notes]
    return features, [*readings, *_unclear(headings, renamed), *_terms(renamed)], faults


def means_area(heading: str) -> tuple[bool, float | None]:
    """Whether a heading stands for the area of a parcel, and in which unit [m2]; None: it names none that is known."""
    if heading in AREA_UNITS:
        return True, AREA_UNITS[heading]
    meaning = understand(heading)
    if meaning is None or meaning.column not in (AREA, *AREA_UNITS):
        return False, None
    return True, AREA_UNITS[meaning.column] * meaning.factor if meaning.is_clear else None


def _choose(headings: Sequence[str], *, cut: bool) -> tuple[dict[str, Meaning], list[str], list[str]]:
    """The heading that each column of the contract is taken from; the contract's own names go first."""
    given = {_group(heading): heading for heading in headings if heading in CONTRACT}
    candidates: dict[str, list[tuple[int, str, Meaning]]] = {}
    faults: list[str] = []
    for heading in headings:
        if heading in CONTRACT:
            continue
        meaning = _meaning(heading, cut, faults)
        if meaning is not None and meaning.is_clear:
            candidates.setdefault(_group(meaning.column), []).append((meaning.rank, heading, meaning))
    renamed: dict[str, Meaning] = {}
    notes: list[str] = []
    for group, found in candidates.items():
        found.sort(key=lambda each: each[0])
        if group not in given:
            _, heading, meaning = found[0]
            renamed[heading] = meaning
            notes.append(f"column {heading!r} was read as {meaning.column}{_conversion(meaning)}")
        chosen = given.get(group, found[0][1])
        others = [heading for _, heading, _ in found if heading not in renamed]
        notes.extend(f"column {other!r} was kept as yours, since {chosen!r} says the same" for other in others)
    return renamed, notes, faults


def _meaning(heading: str, cut: bool, faults: list[str]) -> Meaning | None:
    own = [name for name in CONTRACT if plain(name) == plain(heading)]
    if own:
        return Meaning(column=own[0], rank=-1, unit=None, factor=1.0, is_clear=True)
    found = understand(heading)
    if found is not None or not cut:
        return found
    if "(" in heading and ")" not in heading:
        found = understand(heading + ")")
        if (found is None or not found.is_clear) and understand(heading.partition("(")[0]) is not None:
            faults.append(
                f"column {heading!r}: shapefiles cut headings after {DBF_NAME_BYTES} bytes, and its unit is lost. Use "
                f"a short heading such as area_mu, or a GeoPackage"
            )
        return found
    if not any(
        DBF_NAME_BYTES - 2 <= len(heading.encode(each, errors="replace")) <= DBF_NAME_BYTES for each in ("utf-8", "gbk")
    ):
        return None
    names = [*CONTRACT, *(name for entry in HEADINGS for name in entry.names if not name.isascii())]
    whole = [name for name in names if plain(name).startswith(plain(heading))]
    columns = {name if name in CONTRACT else getattr(understand(name), "column", name) for name in whole}
    if len(columns) > 1:
        faults.append(
            f"column {heading!r}: shapefiles cut headings after {DBF_NAME_BYTES} bytes, and "
            f"{', '.join(sorted(columns))} begin so. Use a short heading such as area_mu, or a GeoPackage"
        )
    return (
        understand(whole[0]) or Meaning(column=columns.pop(), rank=99, unit=None, factor=1.0, is_clear=True)
        if len(columns) == 1
        else None
    )


def _group(column: str) -> str:
    """The three columns of claimed area are one."""
    return AREA if column in AREA_UNITS else column


def _conversion(meaning: Meaning) -> str:
    if meaning.factor == 1.0:
        return ""
    return f", its values times {meaning.factor:g} for the unit {meaning.unit}"


def _unclear(headings: Iterable[str], renamed: Renamed) -> list[IntakeNote]:
    """Warnings on headings that look like a claim but do not say their unit."""
    notes = []
    for heading in headings:
        meaning = None if heading in CONTRACT or heading in renamed else understand(heading)
        if meaning is None or meaning.is_clear:
            continue
        units = ", ".join(dict.fromkeys(UNITS[_group(meaning.column)]))
        got = "no unit" if meaning.unit is None else f"the unit {meaning.unit!r:.20}"
        message = (
            f"column {heading!r:.60} looks like {_group(meaning.column)} but names {got}; it was kept as yours and is "
            f"not checked. Name its unit in brackets: {units}"
        )
        notes.append(IntakeNote(kind="warning", parcel_id=None, message=message))
    return notes


def _terms(renamed: Renamed) -> list[IntakeNote]:
    """Warnings on days that end a pledge by its term, on which land is not free unless it was released."""
    return [
        IntakeNote(
            kind="warning",
            parcel_id=None,
            message=f"column {heading!r:.60} was read as the day from which the land is free. Where a pledge holds "
            f"until it is released (解押), leave the column out: a later pledge of the land would not be told",
        )
        for heading, meaning in renamed.items()
        if meaning.column == "loan_pledged_to" and is_one_of(heading, TERMS)
    ]


def _map(feature: Feature, renamed: Renamed, textual: bool, told: dict[str, None]) -> Feature:
    properties: dict[str, object] = {}
    for heading, value in feature.properties.items():
        meaning = renamed.get(heading)
        column = heading if meaning is None else meaning.column
        if column not in CONTRACT:
            properties[heading] = None if value == "" else value
            continue
        properties[column] = _convert(column, value, 1.0 if meaning is None else meaning.factor, textual, told)
    return replace(feature, properties=properties)


def _convert(column: str, value: object, factor: float, textual: bool, told: dict[str, None]) -> object:
    """A value in the type and unit of its column; what cannot be converted is left for the contract to refuse."""
    kind = CONTRACT[column].type
    found = value
    if isinstance(value, str):
        text = unicodedata.normalize("NFKC", value).strip()
        if kind in ("choice", "currency"):
            found = _word(column, text) or value
        elif textual and kind == "date":
            found = _date(text) or value
        elif textual and kind in ("number", "integer"):
            found = _number(text, is_share=CONTRACT[column].unit == "0-1")
            found = value if found is None else found
            if isinstance(found, float) and kind == "integer" and found.is_integer():
                found = int(found)
        if found != value and not (isinstance(found, (int, float)) and _NUMBER.fullmatch(text)):
            told.setdefault(f"{column} {value!r:.40} was read as {found!r}")
    if factor != 1.0 and isinstance(found, (int, float)) and not isinstance(found, bool):
        found = found * factor
    return found


def _word(column: str, text: str) -> str | None:
    for meant, words in WORDS.get(column, {}).items():
        if text.casefold() in words:
            return meant
    return None


def _date(text: str) -> str | None:
    found = _DATE.fullmatch(text) or _DAY.fullmatch(text)
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else None


def _number(text: str, *, is_share: bool) -> float | None:
    percent = is_share and text.endswith("%")
    text = text.removesuffix("%").strip() if percent else text
    text = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) / 100 if percent else float(text)


def _implies_currency(renamed: Renamed, headings: Sequence[str]) -> bool:
    taken = {meaning.column for meaning in renamed.values()} | set(headings)
    return any(_unit_of(column, renamed) is not None for column in AMOUNTS) and "loan_currency" not in taken


def _unit_of(column: str, renamed: Renamed) -> str | None:
    return next((meaning.unit for meaning in renamed.values() if meaning.column == column), None)


def _with_currency(feature: Feature) -> Feature:
    if all(feature.properties.get(column) in (None, "") for column in AMOUNTS):
        return feature
    return replace(feature, properties={**feature.properties, "loan_currency": IMPLIED_CURRENCY})
