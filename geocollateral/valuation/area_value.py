"""A first, transparent value: observed quantity times a unit value that the user states, as an interval.

This is arithmetic on the user's own figures, not a model. The two uncertainties are taken as independent and
log-normal on each side of the middle, so their log ratios add in quadrature.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass

from geocollateral.errors import InvalidInput
from geocollateral.types import ASSET_CLASSES, MU_M2

COLUMNS = ("asset_class", "per", "currency", "p05", "p50", "p95", "source", "dated")
PER_HECTARE: Mapping[str, float] = {"ha": 1.0, "mu": 1e4 / MU_M2}
"""How many of a unit of area make a hectare."""

GRADES: tuple[tuple[str, float], ...] = (("A", 0.15), ("B", 0.30), ("C", 0.50), ("D", math.inf))
"""Grade and the largest half-width of the 90 % interval, as a share of the middle, that earns it."""


def grade_of(p05: float, p50: float, p95: float) -> str:
    """Grade of an interval by its half-width as a share of its middle."""
    half_width = (p95 - p05) / (2 * p50) if p50 > 0 else math.inf
    return next(grade for grade, limit in GRADES if half_width <= limit)


@dataclass(frozen=True, kw_only=True)
class UnitValue:
    """What one hectare of an asset class is worth, as its owner states it."""

    asset_class: str
    currency: str
    p05: float
    p50: float
    p95: float
    """[currency / ha]"""
    source: str
    dated: str


@dataclass(frozen=True, kw_only=True)
class ValueEstimate:
    """Interval of a value; the bounds hold 90 % if the inputs' bounds do."""

    p05: float
    p50: float
    p95: float
    currency: str
    grade: str


def parse_unit_values(text: str, name: str) -> dict[str, UnitValue]:
    """Table of unit values from CSV text.

    Parameters
    ----------
    text
        CSV with the header ``asset_class,per,currency,p05,p50,p95,source,dated``; ``per`` is ``ha`` or ``mu``.
    name
        File name for messages.

    Returns
    -------
    Unit values by asset class, per hectare.

    Raises
    ------
    InvalidInput
        Columns missing, a number that is none, an order other than p05 <= p50 <= p95, a class twice.
    """
    reader = csv.DictReader(io.StringIO(text.lstrip("﻿")))
    lacking = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if lacking:
        raise InvalidInput(f"{name}: expected the columns {', '.join(COLUMNS)}; {', '.join(lacking)} missing.")
    table: dict[str, UnitValue] = {}
    for number, row in enumerate(reader, start=2):
        value = _unit_value(row, f"{name} line {number}")
        if value.asset_class in table:
            raise InvalidInput(
                f"{name} line {number}: asset class {value.asset_class!r} stands twice; give one row each."
            )
        table[value.asset_class] = value
    if not table:
        raise InvalidInput(f"{name}: holds no row below its header.")
    return table


def _unit_value(row: Mapping[str, str | None], where: str) -> UnitValue:
    cells = {column: (row.get(column) or "").strip() for column in COLUMNS}
    if cells["asset_class"] not in ASSET_CLASSES:
        raise InvalidInput(f"{where}: asset_class {cells['asset_class']!r} is none of {', '.join(ASSET_CLASSES)}.")
    if cells["per"] not in PER_HECTARE:
        raise InvalidInput(f"{where}: per must be 'ha' or 'mu', got {cells['per']!r}.")
    if len(cells["currency"]) != 3 or not cells["currency"].isalpha():
        raise InvalidInput(f"{where}: currency must be a code of three letters such as CNY, got {cells['currency']!r}.")
    if not cells["source"] or not cells["dated"]:
        raise InvalidInput(f"{where}: source and dated say where the value comes from and must not be empty.")
    numbers = []
    for column in ("p05", "p50", "p95"):
        try:
            number = float(cells[column])
        except ValueError:
            raise InvalidInput(f"{where}: {column} must be a number, got {cells[column]!r}.") from None
        if not (math.isfinite(number) and number > 0):
            raise InvalidInput(f"{where}: {column} must be positive, got {cells[column]!r}.")
        numbers.append(number * PER_HECTARE[cells["per"]])
    if sorted(numbers) != numbers:
        raise InvalidInput(f"{where}: expected p05 <= p50 <= p95, got {cells['p05']}, {cells['p50']}, {cells['p95']}.")
    return UnitValue(
        asset_class=cells["asset_class"],
        currency=cells["currency"].upper(),
        p05=numbers[0],
        p50=numbers[1],
        p95=numbers[2],
        source=cells["source"],
        dated=cells["dated"],
    )


def value_of(quantity_ha: tuple[float, float, float], unit: UnitValue) -> ValueEstimate:
    """Value of an observed area.

    Parameters
    ----------
    quantity_ha
        Low, middle and high of the area that carries value [ha].
    unit
        Value per hectare.

    Returns
    -------
    Of an area whose middle is zero the value is zero up to the high area at the middle unit value.
    """
    low, middle, high = quantity_ha
    if middle <= 0:
        # The limit of what follows as the middle goes to zero, so that more area is never worth less.
        return ValueEstimate(p05=0.0, p50=0.0, p95=high * unit.p50, currency=unit.currency, grade="D")
    p50 = middle * unit.p50
    # A low area of zero has no logarithm; a hundredth of the middle is as good as nothing.
    down = math.hypot(math.log(unit.p50 / unit.p05), math.log(middle / max(low, 0.01 * middle)))
    up = math.hypot(math.log(unit.p95 / unit.p50), math.log(high / middle))
    p05, p95 = p50 * math.exp(-down), p50 * math.exp(up)
    return ValueEstimate(p05=p05, p50=p50, p95=p95, currency=unit.currency, grade=grade_of(p05, p50, p95))
