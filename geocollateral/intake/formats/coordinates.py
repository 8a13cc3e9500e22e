"""Pasted text of coordinates: one parcel per block of lines, in degrees or in degrees, minutes and seconds."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Feature, Reading, refuse_all, require_some
from geocollateral.intake.formats import survey, table
from geocollateral.intake.formats.angles import Angle, AngleFault, parse_angles
from geocollateral.intake.formats.texts import decode
from geocollateral.intake.headings import LATITUDE, LONGITUDE, is_known, is_one_of

MAX_LINE = 2_000
LARGEST_ANGLE = 360.0
"""Larger numbers are metres."""
MAX_LINES = 100_000

_VALUE = re.compile(r"^\s*([^:：=<>{}\d][^:：=<>{}]{0,39}?)\s*[:：=]\s*(\S.*)$")
_LABEL = re.compile(
    r"^\s*(?![NSEWnsew]\d|lon|lat|lng|.{0,2}[经纬經緯])"
    r"(?:[A-Za-z]{1,3}\d{1,4}|[\u4e00-\u9fff]{1,4}\d{1,4}|\d{1,4}(?=[)）、]|[.:：]\s))\s*[.)）、:：,，\s]\s*(?=\S)",
    re.IGNORECASE,
)
"""Number of a corner before its coordinates: ``J1``, ``界址点3:``, ``4.``"""
_COUNTED = re.compile(r"^\s*(\d{1,4})\s*[,，\s]\s*(?=\S)")


@dataclass(kw_only=True)
class _Block:
    """Lines of one parcel."""

    first: int
    attributes: dict[str, object] = field(default_factory=dict)
    name: str | None = None
    pairs: list[tuple[int, Angle, Angle]] = field(default_factory=list)
    last: int = 0


def parse(content: bytes, name: str) -> Reading:
    """Features of a text; lines ``name: value`` are attributes, of every parcel if they stand before the first.

    Raises
    ------
    InvalidInput
        Lines are neither coordinates nor attributes, or it is not clear which coordinate is which.
    """
    text, notes = decode(content, name)
    if survey.has_sections(text):
        return survey.parse(content, name)
    if table.has_headings(text):
        return table.parse(content, name)
    faults: list[str] = []
    order, blocks = _blocks(text, name, faults)
    common: dict[str, object] = {}
    parcels = []
    for block in blocks:
        if block.pairs:
            parcels.append(block)
        elif not parcels and block.name is None:
            common.update(block.attributes)
        else:
            faults.append(f"line {block.first}: expected coordinates of a parcel, got a block without any")
    swapped = _is_latitude_first(parcels, order, faults)
    if faults:
        raise refuse_all(name, faults)
    if common:
        notes.append(("reading", f"{', '.join(common)} at the beginning of the text was taken for every parcel"))
    if swapped and order is None:
        notes.append(
            ("reading", "coordinates were read latitude first, since the first of each pair cannot be longitude in all")
        )
    features = [_feature(number, block, common, swapped) for number, block in enumerate(parcels, start=1)]
    return Reading(
        format="coordinates",
        features=require_some(name, features, "there is no line with a pair of coordinates"),
        textual=True,
        notes=tuple(notes),
    )


def _blocks(text: str, name: str, faults: list[str]) -> tuple[str | None, list[_Block]]:
    """Order that a line of headings gives (``lon`` or ``lat`` first, or None), and the blocks."""
    order: str | None = None
    blocks: list[_Block] = []
    block: _Block | None = None
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise InvalidInput(f"{name}: expected at most {MAX_LINES:,} lines of coordinates, got {len(lines):,}.")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            block = None
            continue
        if len(line) > MAX_LINE:
            faults.append(f"line {number}: expected one pair of coordinates, got a line of {len(line):,} characters")
            continue
        heading = _heading(line)
        if heading is not None:
            order = heading
            continue
        value = _VALUE.match(line)
        is_value = value is not None and (is_known(value[1]) or not _is_pair(line))
        if block is None or (block.pairs and is_value):
            block = _Block(first=number)
            blocks.append(block)
        block.last = number
        if value is not None and is_value:
            if value[1].strip() in block.attributes:
                faults.append(f"line {number}: {value[1].strip()!r:.40} is given twice for one parcel")
            block.attributes[value[1].strip()] = value[2].strip()
        elif not any(character.isdigit() for character in line) or (not block.pairs and _is_name(line)):
            if block.pairs or block.name is not None:
                faults.append(f"line {number}: expected a pair of coordinates, got {line.strip()!r:.60}")
            block.name = line.strip()
        else:
            _take_pair(line, number, block, faults)
    return order, blocks


def _heading(line: str) -> str | None:
    cells = [cell for cell in re.split(r"[\s,，;；|]+", line.strip()) if cell]
    if len(cells) == 2 and is_one_of(cells[0], LONGITUDE) and is_one_of(cells[1], LATITUDE):
        return "lon"
    if len(cells) == 2 and is_one_of(cells[0], LATITUDE) and is_one_of(cells[1], LONGITUDE):
        return "lat"
    return None


def _is_name(line: str) -> bool:
    """A line before the coordinates of a block that holds a number but is no pair: ``地块 3``."""
    try:
        return len(_pair(line, 1)) != 2
    except AngleFault:
        return not re.search(r"\d\s*[°º度.,，\s]\s*\d", line)


def _is_pair(line: str) -> bool:
    try:
        return len(_pair(line, 0)) > 1
    except AngleFault:
        return False


def _take_pair(line: str, number: int, block: _Block, faults: list[str]) -> None:
    try:
        angles = _pair(line, len(block.pairs) + 1)
    except AngleFault as exc:
        faults.append(f"line {number}: {exc}")
        return
    if len(angles) != 2:
        faults.append(f"line {number}: expected two coordinates, got {len(angles)} in {line.strip()!r:.60}")
        return
    first, second = angles
    if (first.axis is None) != (second.axis is None) or (first.axis is not None and first.axis == second.axis):
        faults.append(f"line {number}: expected a longitude and a latitude, got {line.strip()!r:.60}")
        return
    block.pairs.append((number, first, second))


def _pair(line: str, count: int) -> list[Angle]:
    """Angles of a line, without the number of the corner before them."""
    plain = _LABEL.sub("", line, count=1)
    if plain == line:
        counted = _COUNTED.match(line)
        if counted is not None and int(counted[1]) == count and len(parse_angles(line)) == 3:
            plain = line[counted.end() :]
    return parse_angles(plain)


def _is_latitude_first(parcels: list[_Block], order: str | None, faults: list[str]) -> bool:
    """Whether pairs without hemispheres have their latitude first: one order for all, never guessed."""
    plain = [pair for block in parcels for pair in block.pairs if pair[1].axis is None]
    if not plain or order is not None:
        latitudes = [(number, (first if order == "lat" else second).value) for number, first, second in plain]
        wrong = [number for number, value in latitudes if 90 < abs(value) <= LARGEST_ANGLE]
        faults.extend(f"line {n}: expected a latitude -90..90, by the headings {order} first" for n in wrong)
        return order == "lat"
    lon_first = [number for number, first, _ in plain if abs(first.value) > 90]
    lat_first = [number for number, _, second in plain if abs(second.value) > 90]
    if bool(lon_first) == bool(lat_first):
        which = (
            f"line {lon_first[0]} has longitude first and line {lat_first[0]} has latitude first"
            if lon_first
            else "both could be either"
        )
        faults.append(
            f"line {plain[0][0]}: it is not clear which coordinate is the longitude ({which}). Put a line 'lon lat' "
            f"(or '经度 纬度') first, or write E and N (东经, 北纬)"
        )
    return bool(lat_first)


def _feature(number: int, block: _Block, common: dict[str, object], swapped: bool) -> Feature:
    ring = []
    for _, first, second in block.pairs:
        latitude_first = first.axis == "lat" if first.axis is not None else swapped
        lon, lat = (second, first) if latitude_first else (first, second)
        ring.append([lon.value, lat.value])
    return Feature(
        number=number,
        identity=block.name,
        geometry={"type": "Polygon", "coordinates": [ring]},
        properties={**common, **block.attributes},
        place=f"lines {block.first} to {block.last}",
    )
