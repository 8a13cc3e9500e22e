"""Exposure, loan to value, alerts and expected events of a portfolio, by borrower, branch or asset class.

Sums are per currency; exposure of which something cannot be told is shown apart and never spread over the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from geocollateral.errors import InvalidInput
from geocollateral.risk.rules import LoanFacts, ParcelFacts
from geocollateral.risk.scenarios import Scenario, StressParams, ValueBand, stress_value
from geocollateral.risk.sums import Term, count_of, sum_of

GroupBy = Literal["borrower", "branch", "class", "all"]
UNKNOWN = "unknown"
"""Group of loans whose borrower or branch nobody named."""
AS_IS = "as_is"


@dataclass(frozen=True, kw_only=True)
class Secured:
    """A loan with the values of its parcels."""

    facts: LoanFacts
    values: dict[str, tuple[ValueBand, str]]
    """By parcel, its value and the approach it was made with; parcels without a value are left out."""
    errors: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """By parcel, share of its value's variance by source of error (`sums.Term.shares`). Of a parcel that is left out
    the whole error is taken as common to all values of its approach and class."""

    def stressed(self, scenario: Scenario | None, params: StressParams) -> dict[str, ValueBand] | None:
        """Values by parcel under a scenario, in the currency of the loan; None where one is not known."""
        out = {}
        for parcel in self.facts.parcels:
            known = self.values.get(parcel.parcel_id)
            if known is None or known[0].currency != self.facts.currency:
                return None
            band: ValueBand | None = known[0]
            if scenario is not None:
                band = stress_value(known[0], parcel.asset_class, known[1], scenario, params)
            if band is None:
                return None
            out[parcel.parcel_id] = band
        return out or None

    def terms(self, bands: Mapping[str, ValueBand]) -> list[Term]:
        """Values as terms of a sum."""
        classes = {parcel.parcel_id: parcel.asset_class for parcel in self.facts.parcels}
        return [
            Term(
                low=band.p05,
                middle=band.p50,
                high=band.p95,
                shares=self.errors.get(i, {f"{self.values[i][1]} of {classes[i]}": 1.0}),
            )
            for i, band in bands.items()
        ]


@dataclass(frozen=True, kw_only=True)
class RollUp:
    """Figures of one group in one currency. Bounds ``low`` and ``high`` are of 90 % intervals."""

    group: str
    currency: str
    loans: int
    exposure: float
    """Balances known."""
    exposure_told: float
    """Of it, of loans whose values are all known."""
    exposure_cannot_tell: float
    """Of it, of the others."""
    loans_without_balance: int
    value: float
    """Of the loans told."""
    value_low: float
    value_high: float
    """Errors of tables that values share are added up, those of each parcel's own average out."""
    ltv: float | None
    """Exposure told as a share of their value; None where nothing was told."""
    ltv_low: float | None
    ltv_high: float | None
    uncovered: float
    """Exposure above the value, loan by loan: what one loan has too much does not cover another."""
    exposure_alert: float
    """Of loans with an open alert on one of their parcels."""
    exposure_alert_cannot_tell: float
    """Of loans without one, of which a parcel could not be judged."""
    alert_frac: float | None
    """Share of the exposure that has an alert [0-1]; at most so much more as cannot be told."""
    parcels: int
    parcels_hurt: int
    """Of which a confirmed adverse alert is open: counted, not expected."""
    parcels_scored: int
    events: float | None
    """Adverse events expected within half a year on the parcels with a score; None where none has one."""
    events_low: float | None
    events_high: float | None
    """None where it is not known how far whole portfolios stray together."""
    exposure_scored: float
    """Of loans told all of whose parcels have a score."""
    expected_loss: float | None
    """Sum of what loans with a score are expected to lack; None where none has one."""


def roll_up(
    loans: Sequence[Secured],
    by: GroupBy,
    params: StressParams,
    scenario: Scenario | None = None,
    common_spread: float | None = None,
) -> list[RollUp]:
    """Figures by group and currency, in their order.

    A loan secured by several asset classes stands under ``mixed``. Expected loss is not a provision: it is the score of
    each parcel times the share of value taken to be gone, set against what the loan has to spare.

    Parameters
    ----------
    common_spread
        Of the score that the parcels have (`score_judge.common_spread`).

    Raises
    ------
    InvalidInput
        One loan is given twice.
    """
    names = [(loan.facts.branch, loan.facts.loan) for loan in loans]
    if len(set(names)) != len(names):
        raise InvalidInput("Expected each loan once.")
    groups: dict[tuple[str, str], list[Secured]] = {}
    for loan in loans:
        groups.setdefault((_group(loan.facts, by), loan.facts.currency or UNKNOWN), []).append(loan)
    return [
        _sums(group, currency, own, params, scenario, common_spread)
        for (group, currency), own in sorted(groups.items())
    ]


def scenario_rows(
    loans: Sequence[Secured], groupings: Sequence[GroupBy], params: StressParams, common_spread: float | None = None
) -> list[dict[str, Any]]:
    """Figures by scenario, grouping, group and currency as rows of a table; each row has those of today beside it.

    Returns
    -------
    Fields of `RollUp`, ``scenario`` (``as_is``: none), ``by``, ``value_as_is`` and ``ltv_as_is``.
    """
    rows: list[dict[str, Any]] = []
    for by in groupings:
        today = {(own.group, own.currency): own for own in roll_up(loans, by, params, None, common_spread)}
        for name, scenario in ((AS_IS, None), *params.scenarios.items()):
            for own in roll_up(loans, by, params, scenario, common_spread):
                before = today[own.group, own.currency]
                beside = {"value_as_is": before.value, "ltv_as_is": before.ltv}
                rows.append({"scenario": name, "by": by, **vars(own), **beside})
    return rows


def expected_loss(loan: LoanFacts, values: Mapping[str, float], params: StressParams) -> float | None:
    """Probability-weighted shortfall of a loan, parcel by parcel; None where a score or a share of loss is not known.

    What is lost of a parcel lessens first what the collateral has to spare. Events of several parcels of a loan are
    taken one at a time, so that joint events, such as a flood, are understated.
    """
    if loan.outstanding is None:
        return None
    whole, total = sum(values.values()), 0.0
    short = max(loan.outstanding - whole, 0.0)
    for parcel in loan.parcels:
        share = params.loss_given_event_frac.get(parcel.asset_class)
        if parcel.score is None or share is None:
            return None
        after = whole - share * values[parcel.parcel_id]
        total += parcel.score * (max(loan.outstanding - after, 0.0) - short)
    return total


@dataclass
class _Money:
    """Sums over the loans of a group."""

    exposure: float = 0.0
    told: float = 0.0
    uncovered: float = 0.0
    alert: float = 0.0
    alert_open: float = 0.0
    scored: float = 0.0
    loss: float | None = None
    terms: list[Term] = field(default_factory=list)

    def add(self, loan: Secured, balance: float, bands: Mapping[str, ValueBand] | None, params: StressParams) -> None:
        """Count a loan with its balance; bands: its values, None where one is not known."""
        self.exposure += balance
        if any(_n_alerts(parcel) for parcel in loan.facts.parcels):
            self.alert += balance
        elif not all(parcel.judged for parcel in loan.facts.parcels):
            self.alert_open += balance
        if bands is None:
            return
        values = {i: band.p50 for i, band in bands.items()}
        self.told += balance
        self.terms += loan.terms(bands)
        self.uncovered += max(balance - sum(values.values()), 0.0)
        expected = expected_loss(loan.facts, values, params)
        if expected is not None:
            self.scored += balance
            self.loss = (self.loss or 0.0) + expected


def _sums(
    group: str,
    currency: str,
    loans: Sequence[Secured],
    params: StressParams,
    scenario: Scenario | None,
    common_spread: float | None,
) -> RollUp:
    money = _Money()
    for loan in loans:
        if loan.facts.outstanding is not None:
            money.add(loan, loan.facts.outstanding, loan.stressed(scenario, params), params)
    low, value, high = sum_of(money.terms)
    parcels = [parcel for loan in loans for parcel in loan.facts.parcels]
    chances = [parcel.score for parcel in parcels if parcel.score is not None]
    events: tuple[float | None, ...] = (None, sum(chances) if chances else None, None)
    if chances and common_spread is not None:
        events = count_of(chances, common_spread)
    return RollUp(
        group=group,
        currency=currency,
        loans=len(loans),
        exposure=money.exposure,
        exposure_told=money.told,
        exposure_cannot_tell=money.exposure - money.told,
        loans_without_balance=sum(loan.facts.outstanding is None for loan in loans),
        value=value,
        value_low=low,
        value_high=high,
        ltv=_ratio(money.told, value),
        ltv_low=_ratio(money.told, high),
        ltv_high=_ratio(money.told, low),
        uncovered=money.uncovered,
        exposure_alert=money.alert,
        exposure_alert_cannot_tell=money.alert_open,
        alert_frac=_ratio(money.alert, money.exposure),
        parcels=len(parcels),
        parcels_hurt=sum(parcel.hurt for parcel in parcels),
        parcels_scored=len(chances),
        events=events[1],
        events_low=events[0],
        events_high=events[2],
        exposure_scored=money.scored,
        expected_loss=money.loss,
    )


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _n_alerts(parcel: ParcelFacts) -> int:
    return sum(parcel.alerts.values())


def _group(facts: LoanFacts, by: GroupBy) -> str:
    if by == "borrower":
        return facts.borrower or UNKNOWN
    if by == "branch":
        return facts.branch or UNKNOWN
    if by == "class":
        return _class(facts.parcels)
    return "all"


def _class(parcels: Sequence[ParcelFacts]) -> str:
    classes = {parcel.asset_class for parcel in parcels}
    return classes.pop() if len(classes) == 1 else "mixed" if classes else UNKNOWN
