"""Tables of text (CSV, TSV): one row per parcel with WKT or numbered corners, or one row per corner."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geocollateral.errors import InvalidInput
from geocollateral.intake.features import Feature, Note, Reading, refuse_all, require_some
from geocollateral.intake.formats.angles import AngleFault, Axis, parse_angle
from geocollateral.intake.formats.texts import decode
from geocollateral.intake.formats.wkt import WktFault, parse_wkt
from geocollateral.intake.headings import LATITUDE, LONGITUDE, ORDER, OUTLINE, is_one_of, understand

DELIMITERS = ",\t;|"
MAX_CELL = 10_000_000
MAX_COLUMNS = 1_000

_CORNER = re.compile(r"^(.+?)[\s_-]*(\d{1,4})$")
_FORMULA = re.compile(r"^\s*(=|[@+\-][^|!(]*[|!(])")
"""Cells that a spreadsheet would run: ``=HYPERLINK(...)``, ``+cmd|' /C calc'!A0``, ``@SUM(...)``."""


@dataclass(frozen=True, kw_only=True)
class _Row:
    number: int
    """Line of the file on which it ends, counted from 1."""
    cells: Mapping[str, str]

    @property
    def place(self) -> str:
        return f"line {self.number}"


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """What the headings say of where outlines are."""

    outline: str | None = None
    corners: tuple[tuple[str, str], ...] = ()
    """Columns of longitude and latitude of each corner, in order; one pair for one row per corner."""
    by_corner: bool = False
    parcel: str | None = None
    order: str | None = None

    def own(self, heading: str) -> bool:
        """Whether a column holds coordinates or their order, and no attribute."""
        pairs = {column for pair in self.corners for column in pair}
        return heading == self.outline or heading in pairs or (self.by_corner and heading == self.order)


def parse(content: bytes, name: str) -> Reading:
    """Features of a table with a line of headings.

    Raises
    ------
    InvalidInput
        There are no headings that say where outlines are, or rows have faults; all faults are listed.
    """
    text, notes = decode(content, name)
    headings, rows, faults = _rows(text, name)
    layout = _layout(headings, name)
    faults.extend(fault for row in rows for fault in _formulas(row))
    srids: set[int] = set()
    if layout.by_corner:
        features = _one_row_per_corner(rows, layout, faults, notes)
    else:
        features = _one_row_per_parcel(rows, layout, faults, srids)
    if len(srids) > 1:
        faults.append(f"expected one SRID in the file, got {', '.join(map(str, sorted(srids)))}")
    if faults:
        raise refuse_all(name, faults)
    return Reading(
        format="table",
        features=require_some(name, features, "there is no row below the headings"),
        crs=f"EPSG:{srids.pop()}" if srids else None,
        textual=True,
        notes=tuple(notes),
    )


def has_headings(text: str) -> bool:
    """Whether a text begins with the headings of a table of parcels rather than with coordinates."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    cells = [cell.strip().strip('"') for cell in first.split(_delimiter(first))]
    places = sum(is_one_of(cell, (*LONGITUDE, *LATITUDE)) for cell in cells)
    return len(cells) > 2 and (places == 2 or any(is_one_of(cell, OUTLINE) for cell in cells))


def _delimiter(first_line: str) -> str:
    return max(DELIMITERS, key=first_line.count)


def _rows(text: str, name: str) -> tuple[list[str], list[_Row], list[str]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    csv.field_size_limit(MAX_CELL)
    lines = io.TextIOWrapper(
        io.BytesIO(text.encode()), encoding="utf-8", newline=""
    )  # StringIO takes four times as much
    reader = csv.reader(lines, delimiter=_delimiter(first), strict=True)
    headings: list[str] = []
    rows: list[_Row] = []
    faults: list[str] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not headings:
                headings = _headings(cells, name)
                continue
            extra = [cell for cell in cells[len(headings) :] if cell.strip()]
            if extra or len(cells) < len(headings):
                faults.append(f"line {reader.line_num}: expected {len(headings)} cells, got {len(cells)}")
                continue
            row = {key: cell.strip() for key, cell in zip(headings, cells, strict=False) if key}
            rows.append(_Row(number=reader.line_num, cells=row))
    except csv.Error as exc:
        raise InvalidInput(f"{name}: line {reader.line_num}: expected a table (CSV), got a broken row: {exc}.") from exc
    return headings, rows, faults


def _headings(cells: Sequence[str], name: str) -> list[str]:
    headings = [cell.strip() for cell in cells]
    while headings and not headings[-1]:
        headings.pop()
    if len(headings) > MAX_COLUMNS:
        raise InvalidInput(f"{name}: expected at most {MAX_COLUMNS:,} columns, got {len(headings):,}.")
    twice = sorted({heading for heading in headings if headings.count(heading) > 1})
    if twice:
        what = f"column {twice[0]!r:.60}" if twice[0] else "a column without a heading"
        raise InvalidInput(f"{name}: {what} is there more than once. Give every column a heading of its own.")
    if "" in headings:
        raise InvalidInput(f"{name}: column {headings.index('') + 1} has no heading. Give every column one.")
    return headings


def _layout(headings: Sequence[str], name: str) -> _Layout:
    outlines = [heading for heading in headings if is_one_of(heading, OUTLINE)]
    lon = [heading for heading in headings if is_one_of(heading, LONGITUDE)]
    lat = [heading for heading in headings if is_one_of(heading, LATITUDE)]
    numbered = _numbered_corners(headings, name)
    if len(outlines) > 1 or len(lon) > 1 or len(lat) > 1:
        many = next(names for names in (outlines, lon, lat) if len(names) > 1)
        raise InvalidInput(f"{name}: expected one column of outlines, got {', '.join(many)}. Remove all but one.")
    if outlines:
        return _Layout(outline=outlines[0])
    if numbered:
        return _Layout(corners=numbered)
    if not lon or not lat:
        raise InvalidInput(
            f"{name}: expected a column of outlines (wkt), columns lon and lat (经度, 纬度) with one row per corner, "
            f"or lon1, lat1, lon2, lat2 ... with one row per parcel, got the columns {', '.join(headings)[:160]}."
        )
    parcel = _parcel_column(headings)
    if parcel is None:
        raise InvalidInput(
            f"{name}: expected a column parcel_id (地块编号) that says which corner belongs to which parcel, got none."
        )
    order = next((heading for heading in headings if is_one_of(heading, ORDER)), None)
    return _Layout(corners=((lon[0], lat[0]),), by_corner=True, parcel=parcel, order=order)


def _parcel_column(headings: Sequence[str]) -> str | None:
    if "parcel_id" in headings:
        return "parcel_id"
    meanings = {heading: understand(heading) for heading in headings}
    found = [(m.rank, heading) for heading, m in meanings.items() if m is not None and m.column == "parcel_id"]
    return min(found)[1] if found else None


def _numbered_corners(headings: Sequence[str], name: str) -> tuple[tuple[str, str], ...]:
    corners: dict[int, dict[Axis, str]] = {}
    for heading in headings:
        match = _CORNER.match(heading)
        axes: tuple[tuple[Axis, tuple[str, ...]], ...] = (("lon", LONGITUDE), ("lat", LATITUDE))
        for axis, names in axes:
            if match and is_one_of(match[1], names):
                if axis in corners.setdefault(int(match[2]), {}):
                    raise InvalidInput(f"{name}: corner {int(match[2])} has two columns of its {axis}.")
                corners[int(match[2])][axis] = heading
    lacking = sorted(number for number, pair in corners.items() if len(pair) < 2)
    if lacking:
        raise InvalidInput(f"{name}: expected lon and lat of every corner, got one of them for corner {lacking[0]}.")
    return tuple((pair["lon"], pair["lat"]) for _, pair in sorted(corners.items()))


def _formulas(row: _Row) -> list[str]:
    return [
        f"{row.place}: column {heading!r:.40} holds a spreadsheet formula ({cell!r:.40}). Paste values only"
        for heading, cell in row.cells.items()
        if _FORMULA.match(cell)
    ]


def _one_row_per_parcel(rows: Sequence[_Row], layout: _Layout, faults: list[str], srids: set[int]) -> list[Feature]:
    features: list[Feature] = []
    for row in rows:
        try:
            if layout.outline is not None:
                geometry, srid = parse_wkt(row.cells[layout.outline])
                srids.update([] if srid is None else [srid])
            else:
                geometry = {"type": "Polygon", "coordinates": [_corners(row, layout)]}
        except (WktFault, AngleFault) as exc:
            faults.append(f"{row.place}: {exc}")
            continue
        attributes = {key: cell for key, cell in row.cells.items() if not layout.own(key)}
        features.append(Feature(number=len(features) + 1, geometry=geometry, properties=attributes, place=row.place))
    return features


def _corners(row: _Row, layout: _Layout) -> list[list[float]]:
    """Corners of a row; the last ones may be empty, a corner in between may not."""
    cells = [(row.cells[lon], row.cells[lat]) for lon, lat in layout.corners]
    while cells and cells[-1] == ("", ""):
        cells.pop()
    return [_position(lon, lat) for lon, lat in cells]


def _one_row_per_corner(rows: Sequence[_Row], layout: _Layout, faults: list[str], notes: list[Note]) -> list[Feature]:
    parcels: dict[str, list[_Row]] = {}
    for row in rows:
        key = row.cells[layout.parcel or ""]
        if key:
            parcels.setdefault(key, []).append(row)
        else:
            faults.append(f"{row.place}: expected {layout.parcel}, which says whose corner this is, got none")
    if layout.order is None:
        notes.append(("reading", "there is no column of the order of corners (点号); the order of the rows was taken"))
    features: list[Feature] = []
    for members in parcels.values():
        corners = _in_order(members, layout, faults)
        attributes = _shared(members, layout, faults)
        place = f"lines {members[0].number} to {members[-1].number}"
        geometry = {"type": "Polygon", "coordinates": [corners]}
        features.append(Feature(number=len(features) + 1, geometry=geometry, properties=attributes, place=place))
    return features


def _in_order(members: Sequence[_Row], layout: _Layout, faults: list[str]) -> list[list[float]]:
    lon, lat = layout.corners[0]
    corners: list[tuple[int, list[float]]] = []
    for place, row in enumerate(members):
        digits = place if layout.order is None else _order(row.cells[layout.order])
        if digits is None:
            faults.append(
                f"{row.place}: expected a number of the corner in {layout.order}, got "
                f"{row.cells[layout.order or '']!r:.40}"
            )
            continue
        if any(digits == given for given, _ in corners):
            faults.append(f"{row.place}: corner {digits} of this parcel is there twice")
        try:
            corners.append((digits, _position(row.cells[lon], row.cells[lat])))
        except AngleFault as exc:
            faults.append(f"{row.place}: {exc}")
    return [position for _, position in sorted(corners, key=lambda corner: corner[0])]


def _order(text: str) -> int | None:
    found = re.fullmatch(r"[A-Za-z\u4e00-\u9fff-]{0,6}(\d{1,6})(?:\.0)?", text)
    return int(found[1]) if found else None


def _shared(members: Sequence[_Row], layout: _Layout, faults: list[str]) -> dict[str, object]:
    """Attributes of a parcel; every row repeats them or leaves them empty."""
    shared: dict[str, object] = {}
    for row in members:
        for key, cell in row.cells.items():
            if layout.own(key) or not cell:
                continue
            if shared.setdefault(key, cell) != cell:
                faults.append(
                    f"{row.place}: {key} is {cell!r:.40}, but an earlier row of this parcel says {shared[key]!r:.40}"
                )
    return shared


def _position(lon: str, lat: str) -> list[float]:
    angles = {"lon": parse_angle(lon), "lat": parse_angle(lat)}
    for axis, angle in angles.items():
        if angle.axis not in (None, axis):
            raise AngleFault(f"expected {axis}, got {lon if axis == 'lon' else lat!r:.40}")
    return [angles["lon"].value, angles["lat"].value]
