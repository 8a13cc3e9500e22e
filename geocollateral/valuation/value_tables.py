"""The bank's own dated figures that an observation is multiplied with: yields, prices, costs, rates, comparables."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from geocollateral.errors import InvalidInput
from geocollateral.types import ASSET_CLASSES, MU_M2

COLUMNS = (
    "kind",
    "asset_class",
    "region",
    "unit",
    "currency",
    "p05",
    "p50",
    "p95",
    "dated",
    "stale_after",
    "source",
)
ANYWHERE = "*"
"""Region of a row that holds wherever no row names the parcel's own region."""

UNITS: Mapping[str, tuple[str, ...]] = {
    "cost_share": ("share",),
    "discount_rate": ("per year",),
    "remaining_years": ("years",),
    "unit_cost": ("per ha", "per mu", "per MW"),
    "depreciation": ("per year",),
    "age": ("years",),
    "comparable": ("per ha", "per mu", "per MW"),
}
"""Kinds of row with a closed list of units. ``yield`` is ``X/ha/year``, ``X/mu/year`` or ``X/MW/year`` and ``price`` is
``per X``, with one and the same X (t, m3, kg, MWh)."""
IN_MONEY = ("price", "unit_cost", "comparable")
SHARES = ("cost_share", "depreciation", "discount_rate")
KINDS = ("yield", "price", *UNITS)
_MU_PER_HA = 1e4 / MU_M2


@dataclass(frozen=True, kw_only=True)
class ValueRow:
    """One figure of the bank, as it was on a day. Quantities per mu are held per hectare."""

    kind: str
    asset_class: str
    region: str
    unit: str
    """As said, but for ``mu``, which has become ``ha``."""
    currency: str
    """Three letters; empty where the figure is no money."""
    p05: float
    p50: float
    p95: float
    dated: dt.date
    """The row may not be used for a value of an earlier day."""
    stale_after: dt.date | None
    """From the day after, the row is still used and said to be stale; None: never."""
    source: str
    line: int
    """Of the file, for the list of inputs."""

    def is_stale(self, day: dt.date) -> bool:
        """Whether the row is older than its maker vouches for."""
        return self.stale_after is not None and day > self.stale_after


def parse_value_tables(text: str, name: str) -> tuple[ValueRow, ...]:
    """Rows of a table of values from CSV text.

    Parameters
    ----------
    text
        CSV with the columns `COLUMNS`.
    name
        File name for messages.

    Raises
    ------
    InvalidInput
        A column is missing, or a cell is not what its column holds; the message names the line.
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if lacking:
        raise InvalidInput(f"{name}: expected the columns {', '.join(COLUMNS)}; {', '.join(lacking)} missing.")
    rows = tuple(_row(cells, f"{name} line {number}", number) for number, cells in enumerate(reader, start=2))
    if not rows:
        raise InvalidInput(f"{name}: holds no row below its header.")
    seen: dict[tuple[object, ...], int] = {}
    for row in rows:
        key = (row.kind, row.asset_class, row.region, row.dated)
        if row.kind != "comparable" and key in seen:
            raise InvalidInput(
                f"{name} line {row.line}: {row.kind} of {row.asset_class} in {row.region!r} dated {row.dated} stands "
                f"in line {seen[key]} too; give one row of a day."
            )
        seen[key] = row.line
    return rows


def rows_for(rows: Sequence[ValueRow], kind: str, asset_class: str, region: str, day: dt.date) -> tuple[ValueRow, ...]:
    """Rows of a kind that may be used on a day, newest first: those of the region, else those that hold anywhere."""
    known = [row for row in rows if row.kind == kind and row.asset_class == asset_class and row.dated <= day]
    own = [row for row in known if row.region == region] or [row for row in known if row.region == ANYWHERE]
    return tuple(sorted(own, key=lambda row: (row.dated, row.line), reverse=True))


def _row(given: Mapping[str, str | None], where: str, line: int) -> ValueRow:
    cells = {column: (given.get(column) or "").strip() for column in COLUMNS}
    kind, currency = cells["kind"], cells["currency"].upper()
    if kind not in KINDS:
        raise InvalidInput(f"{where}: kind {kind!r} is none of {', '.join(KINDS)}.")
    if cells["asset_class"] not in ASSET_CLASSES:
        raise InvalidInput(f"{where}: asset_class {cells['asset_class']!r} is none of {', '.join(ASSET_CLASSES)}.")
    if kind in IN_MONEY and not (len(currency) == 3 and currency.isalpha()):
        raise InvalidInput(f"{where}: a {kind} needs a currency of three letters such as CNY, got {currency!r}.")
    if kind not in IN_MONEY and currency:
        raise InvalidInput(f"{where}: a {kind} is no money; leave its currency empty, got {currency!r}.")
    if not cells["region"] or not cells["source"]:
        raise InvalidInput(f"{where}: region ('*' for anywhere) and source must not be empty.")
    unit, factor = _unit(kind, cells["unit"], where)
    p05, p50, p95 = (number * factor for number in _numbers(cells, kind, where))
    dated, stale = _day(cells["dated"], "dated", where), cells["stale_after"]
    return ValueRow(
        kind=kind,
        asset_class=cells["asset_class"],
        region=cells["region"],
        unit=unit,
        currency=currency,
        p05=p05,
        p50=p50,
        p95=p95,
        dated=dated,
        stale_after=_day(stale, "stale_after", where) if stale else None,
        source=cells["source"],
        line=line,
    )


def _unit(kind: str, unit: str, where: str) -> tuple[str, float]:
    """The unit with hectares for mu, and what a figure in it is multiplied by."""
    if kind == "yield":
        parts = unit.split("/")
        if len(parts) != 3 or not parts[0] or parts[1] not in ("ha", "mu", "MW") or parts[2] != "year":
            raise InvalidInput(f"{where}: unit of a yield must be like 't/ha/year' or 'MWh/MW/year', got {unit!r}.")
        return (f"{parts[0]}/ha/year", _MU_PER_HA) if parts[1] == "mu" else (unit, 1.0)
    if kind == "price":
        if not unit.startswith("per ") or not unit[4:].strip():
            raise InvalidInput(f"{where}: unit of a price must be like 'per t' or 'per MWh', got {unit!r}.")
        return unit, 1.0
    if unit not in UNITS[kind]:
        raise InvalidInput(f"{where}: unit of {kind} must be one of {', '.join(UNITS[kind])}, got {unit!r}.")
    return ("per ha", _MU_PER_HA) if unit == "per mu" else (unit, 1.0)


def _numbers(cells: Mapping[str, str], kind: str, where: str) -> list[float]:
    numbers = []
    for column in ("p05", "p50", "p95"):
        try:
            number = float(cells[column])
        except ValueError:
            raise InvalidInput(f"{where}: {column} must be a number, got {cells[column]!r}.") from None
        if not (math.isfinite(number) and number > 0):
            raise InvalidInput(f"{where}: {column} must be positive, got {cells[column]!r}.")
        if kind in SHARES and number >= 1:
            raise InvalidInput(f"{where}: {kind} is a share below 1 and not a percentage, got {cells[column]!r}.")
        numbers.append(number)
    if sorted(numbers) != numbers:
        raise InvalidInput(f"{where}: expected p05 <= p50 <= p95, got {cells['p05']}, {cells['p50']}, {cells['p95']}.")
    return numbers


def _day(text: str, column: str, where: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{where}: {column} must be a day YYYY-MM-DD, got {text!r}.") from None
