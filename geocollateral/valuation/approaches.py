"""Income, cost and market approach to one parcel: observed quantity times the bank's own dated figures.

Arithmetic that a reader can repeat, with every uncertainty carried by simulation. A supporting tool, not a valuation.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from scipy.special import ndtri

from geocollateral.valuation.area_value import grade_of
from geocollateral.valuation.value_tables import ValueRow, rows_for

LEADS: Mapping[str, tuple[str, ...]] = {
    "agriculture": ("income", "market"),
    "aquaculture": ("income", "market"),
    "forestry": ("income", "market"),
    "solar": ("cost", "income", "market"),
    "wind": ("cost", "income", "market"),
    "construction": ("cost", "market"),
}
"""Approaches of each asset class. The first leads, the next where its rows are missing. Land that bears is worth what
it bears; of a plant the megawatts are seen, not the contract it sells by; a building site earns nothing yet."""
DEPRECIATES = ("solar", "wind")
"""Classes whose cost approach is refused without age and depreciation: an old plant must not pass as new."""
NEEDS: Mapping[str, tuple[str, ...]] = {
    "income": ("yield", "price", "cost_share", "discount_rate", "remaining_years"),
    "cost": ("unit_cost",),
    "market": ("comparable",),
}
_Z95 = float(ndtri(0.95))
_VIGOUR = (0.5, 1.2)
"""Bounds of vigour as a factor of yield: greenness tells no harvest beyond them."""

Draws = NDArray[np.float64]


class ApproachParams(BaseModel):
    """How values are simulated."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    draws: int = Field(4096, ge=256, le=1_000_000, description="Draws of the simulation of each parcel's value.")
    vigour_spread: float = Field(
        0.15, ge=0.0, le=1.0, description="Half-width of the 90 % interval of yield told by vigour, as a share of it."
    )


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is observed of one parcel, as far as its value rests on it."""

    parcel_id: str
    asset_class: str
    quantity: tuple[float, float, float] | None
    """Low, middle and high of the area or the capacity that carries value; None where it cannot be told."""
    quantity_unit: str
    """``ha`` or ``mw``."""
    region: str = "*"
    vigour: float | None = None
    """Latest crop over the parcel's own usual one; None: not known, and the yield is left alone."""
    whole_ha: float | None = None
    """Area of the polygon [ha], which no draw of an area exceeds; None: no bound."""
    reason: str = ""
    """Why there is no quantity."""


@dataclass(frozen=True, kw_only=True)
class InputUsed:
    """One input of one approach."""

    approach: str
    name: str
    p05: float
    p50: float
    p95: float
    unit: str
    currency: str
    source: str
    dated: dt.date | None
    """None for what was observed."""
    line: int | None
    """Of the bank's table; None for what was observed."""
    stale: bool
    variance_share: float
    """Share of the variance of the approach's value that goes with this input; the shares sum to 1, or are all 0."""


@dataclass(frozen=True, kw_only=True)
class ApproachValue:
    """Value by one approach; the bounds hold 90 % if the inputs' bounds do."""

    approach: str
    p05: float
    p50: float
    p95: float
    currency: str
    grade: str
    inputs: tuple[InputUsed, ...]


@dataclass(frozen=True, kw_only=True)
class ParcelValue:
    """Value of a parcel by every approach of its class."""

    parcel_id: str
    lead: ApproachValue | None
    """None: no number is given, and `reason` says why."""
    beside: tuple[ApproachValue, ...]
    reason: str

    def gaps(self) -> dict[str, float]:
        """Middle of each approach beside, over that of the lead, less 1; empty where the lead is nothing."""
        if self.lead is None or self.lead.p50 <= 0:
            return {}
        return {
            other.approach: other.p50 / self.lead.p50 - 1
            for other in self.beside
            if other.currency == self.lead.currency
        }


@dataclass(frozen=True)
class _Input:
    name: str
    z: Draws
    """What the draws follow; shape (draw,)."""
    draws: Draws
    row: ValueRow | None
    bounds: tuple[float, float, float]
    unit: str
    said: str


def value_parcel(
    seen: Seen, rows: Sequence[ValueRow], day: dt.date, params: ApproachParams | None = None
) -> ParcelValue:
    """Value of one parcel by the approaches of its class.

    Parameters
    ----------
    seen
        What was observed.
    rows
        The bank's figures; those dated after `day` are not used.
    day
        Day the value speaks for.
    params
        Draws and spreads; None for the defaults.

    Returns
    -------
    The same parcel, rows and day give the same figures, whatever other parcels there are: draws are seeded by the
    parcel's id and the input's name.
    """
    params = params or ApproachParams()
    if seen.quantity is None:
        why = seen.reason or "What carries the value cannot be told."
        return ParcelValue(parcel_id=seen.parcel_id, lead=None, beside=(), reason=why)
    found: list[ApproachValue] = []
    missing: list[str] = []
    for approach in LEADS.get(seen.asset_class, ()):
        outcome = _by_approach(approach, seen, seen.quantity, rows, day, params)
        if isinstance(outcome, str):
            missing.append(outcome)
        else:
            found.append(outcome)
    if not found:
        reason = " ".join(missing) or f"No approach to value is known for the asset class {seen.asset_class}."
        return ParcelValue(parcel_id=seen.parcel_id, lead=None, beside=(), reason=reason)
    stale = [used.name.replace("_", " ") for used in found[0].inputs if used.stale]
    if stale:
        missing.append(f"Out of date by {day}: {', '.join(stale)}.")
    return ParcelValue(parcel_id=seen.parcel_id, lead=found[0], beside=tuple(found[1:]), reason=" ".join(missing))


def baseline(values: Sequence[ParcelValue]) -> tuple[dict[str, float], list[dict[str, float | str]]]:
    """Middle of the leading approach by parcel, and features by parcel, for a learned correction.

    Returns
    -------
    Middles of the parcels that have a value, and one row for every parcel: ``parcel_id``, ``<approach>_p50``, the log
    width of the lead's interval and the middle of each of its inputs; what is not known is left out of the row.
    """
    features: list[dict[str, float | str]] = []
    for value in values:
        row: dict[str, float | str] = {"parcel_id": value.parcel_id}
        for approach in (*((value.lead,) if value.lead else ()), *value.beside):
            row[f"{approach.approach}_p50"] = approach.p50
        if value.lead is not None:
            row |= {f"input_{used.name}": used.p50 for used in value.lead.inputs}
            if value.lead.p05 > 0:
                row["log_width"] = math.log(value.lead.p95 / value.lead.p05)
        features.append(row)
    return {value.parcel_id: value.lead.p50 for value in values if value.lead}, features


def _by_approach(
    approach: str,
    seen: Seen,
    quantity: tuple[float, float, float],
    rows: Sequence[ValueRow],
    day: dt.date,
    params: ApproachParams,
) -> ApproachValue | str:
    """The value, or the sentence that says what is missing."""
    needs = NEEDS[approach]
    if approach == "cost" and seen.asset_class in DEPRECIATES:
        needs = (*needs, "depreciation", "age")
    usable = {
        kind: rows_for(rows, kind, seen.asset_class, seen.region, day) for kind in (*needs, "depreciation", "age")
    }
    lacking = [kind for kind in needs if not usable[kind]]
    if lacking:
        return (
            f"The {approach} approach lacks rows for {seen.asset_class} dated by {day}: "
            f"{', '.join(kind.replace('_', ' ') for kind in lacking)}."
        )
    per = "MW" if seen.quantity_unit == "mw" else "ha"
    mismatch = _units_disagree(approach, per, usable)
    if mismatch:
        return mismatch
    draw = _Drawer(seen.parcel_id, params.draws)
    name = "capacity" if per == "MW" else "area"
    inputs = [draw.quantity(name, quantity, per, seen.whole_ha if per == "ha" else None)]
    if approach == "income":
        value = _income(draw, inputs, usable, seen, params)
        money = usable["price"][0].currency
    elif approach == "cost":
        value = _cost(draw, inputs, usable)
        money = usable["unit_cost"][0].currency
    else:
        comparables = usable["comparable"]
        value = _market(draw, inputs, comparables)
        money = comparables[0].currency
    return _summary(approach, value, inputs, money, day)


def _units_disagree(approach: str, per: str, usable: Mapping[str, tuple[ValueRow, ...]]) -> str:
    """Why the units of the rows do not fit together or the quantity seen; empty where they do."""
    if approach == "income":
        product, base, _ = usable["yield"][0].unit.split("/")
        if base != per:
            return f"The income approach needs a yield per {per}; line {usable['yield'][0].line} is per {base}."
        priced = usable["price"][0].unit.removeprefix("per ")
        if product != priced:
            return f"The income approach needs a price per {product}; line {usable['price'][0].line} is per {priced}."
        return ""
    rows = usable[NEEDS[approach][0]] if approach == "market" else usable[NEEDS[approach][0]][:1]
    for row in rows:
        if row.unit != f"per {per}":
            return f"The {approach} approach needs figures per {per}; line {row.line} is {row.unit}."
        if row.currency != rows[0].currency:
            return f"The {approach} approach needs one currency; line {row.line} is in {row.currency}."
    return ""


def annuity(rate: Draws, years: Draws) -> Draws:
    """Worth today of 1 at the end of each year; constant, as no rise of prices is expected (CRR article 229(1))."""
    return np.asarray((1 - (1 + rate) ** -years) / rate, dtype=np.float64)


def _income(
    draw: _Drawer,
    inputs: list[_Input],
    usable: Mapping[str, tuple[ValueRow, ...]],
    seen: Seen,
    params: ApproachParams,
) -> Draws:
    parts = {kind: draw.row(usable[kind][0]) for kind in NEEDS["income"]}
    inputs.extend(parts.values())
    value = inputs[0].draws * parts["yield"].draws * parts["price"].draws * (1 - parts["cost_share"].draws)
    if seen.vigour is not None and math.isfinite(seen.vigour):
        vigour = draw.vigour(seen.vigour, params.vigour_spread)
        inputs.append(vigour)
        value = value * vigour.draws
    return np.asarray(value * annuity(parts["discount_rate"].draws, parts["remaining_years"].draws), np.float64)


def _cost(draw: _Drawer, inputs: list[_Input], usable: Mapping[str, tuple[ValueRow, ...]]) -> Draws:
    cost = draw.row(usable["unit_cost"][0])
    inputs.append(cost)
    value = inputs[0].draws * cost.draws
    if usable["depreciation"] and usable["age"]:
        rate, age = draw.row(usable["depreciation"][0]), draw.row(usable["age"][0])
        inputs.extend((rate, age))
        value = value * (1 - rate.draws) ** age.draws
    return np.asarray(value, np.float64)


def _market(draw: _Drawer, inputs: list[_Input], comparables: Sequence[ValueRow]) -> Draws:
    """Quantity times what the comparables' logs say of one more like them, each with its own spread."""
    logs = np.log([row.p50 for row in comparables])
    n = len(logs)
    between = float(logs.std(ddof=1)) * math.sqrt(1 + 1 / n) if n > 1 else 0.0
    down = max(math.log(row.p50 / row.p05) for row in comparables)
    up = max(math.log(row.p95 / row.p50) for row in comparables)
    middle = float(np.exp(np.median(logs)))
    bounds = (
        middle * math.exp(-math.hypot(down, _Z95 * between)),
        middle,
        middle * math.exp(math.hypot(up, _Z95 * between)),
    )
    newest = comparables[0]
    said = "; ".join(dict.fromkeys(f"{row.source} (line {row.line})" for row in comparables))
    z = draw.normal("comparable")
    unit_value = _Input("comparable", z, _log_sided(z, bounds), newest, bounds, newest.unit, said)
    inputs.append(unit_value)
    return np.asarray(inputs[0].draws * unit_value.draws, np.float64)


class _Drawer:
    """Stratified normal draws, seeded by the parcel's id and the input's name."""

    def __init__(self, parcel_id: str, n: int) -> None:
        self._parcel_id = parcel_id
        self._n = n

    def normal(self, name: str) -> Draws:
        """One draw in each of n strata of equal probability, in random order; shape (draw,)."""
        seed = hashlib.sha256(f"{self._parcel_id}\0{name}".encode()).digest()[:16]
        rng = np.random.default_rng(int.from_bytes(seed, "big"))
        return np.asarray(ndtri((rng.permutation(self._n) + 0.5) / self._n), np.float64)

    def row(self, row: ValueRow) -> _Input:
        z, bounds = self.normal(row.kind), (row.p05, row.p50, row.p95)
        draws = _log_sided(z, bounds)
        if row.kind in ("cost_share", "depreciation"):
            draws = np.minimum(draws, 1.0)  # a tail beyond the whole would make a debt of a harvest
        return _Input(row.kind, z, draws, row, bounds, row.unit, row.source)

    def quantity(self, name: str, bounds: tuple[float, float, float], unit: str, most: float | None) -> _Input:
        """Linear on each side of the middle, so that an area of nothing has draws too."""
        low, middle, high = bounds
        z = self.normal("quantity")
        side = np.where(z < 0, max(middle - low, 0.0), max(high - middle, 0.0))
        draws = np.clip(middle + side * z / _Z95, 0.0, None if most is None else max(most, high))
        return _Input(name, z, np.asarray(draws, np.float64), None, bounds, unit, "observed")

    def vigour(self, seen: float, spread: float) -> _Input:
        z = self.normal("vigour")
        middle = float(np.clip(seen, *_VIGOUR))
        bounds = (middle * (1 - spread), middle, middle * (1 + spread))
        draws = np.clip(middle * (1 + spread * z / _Z95), 0.0, None)
        return _Input("vigour", z, np.asarray(draws, np.float64), None, bounds, "times usual", "observed")


def _log_sided(z: Draws, bounds: tuple[float, float, float]) -> Draws:
    """Log-normal on each side of the middle, through all three bounds."""
    low, middle, high = bounds
    side = np.where(z < 0, math.log(middle / low), math.log(high / middle))
    return np.asarray(middle * np.exp(side * z / _Z95), np.float64)


def _summary(approach: str, value: Draws, inputs: Sequence[_Input], currency: str, day: dt.date) -> ApproachValue:
    p05, p50, p95 = (float(number) for number in np.quantile(value, (0.05, 0.5, 0.95)))
    shares = _variance_shares(value, inputs)
    return ApproachValue(
        approach=approach,
        p05=p05,
        p50=p50,
        p95=p95,
        currency=currency,
        grade=grade_of(p05, p50, p95),
        inputs=tuple(
            InputUsed(
                approach=approach,
                name=part.name,
                p05=part.bounds[0],
                p50=part.bounds[1],
                p95=part.bounds[2],
                unit=part.unit,
                currency=part.row.currency if part.row else "",
                source=part.said,
                dated=part.row.dated if part.row else None,
                line=part.row.line if part.row else None,
                stale=part.row.is_stale(day) if part.row else False,
                variance_share=share,
            )
            for part, share in zip(inputs, shares, strict=True)
        ),
    )


def _variance_shares(value: Draws, inputs: Sequence[_Input]) -> list[float]:
    """Squared correlations of the value with each input, made to sum to 1: the inputs are drawn independently."""
    squared = []
    for part in inputs:
        moves = float(part.draws.std()) > 1e-12 * float(abs(part.draws).max()) and float(value.std()) > 0
        squared.append(float(np.corrcoef(part.draws, value)[0, 1] ** 2) if moves else 0.0)
    total = sum(squared)
    return [share / total if total > 0 else 0.0 for share in squared]
