"""Exposure, loan to value and expected loss of a portfolio, by borrower, branch or asset class.

Sums are per currency; exposure of which something cannot be told is shown apart and never spread over the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

from geocollateral.errors import InvalidInput
from geocollateral.risk.rules import LoanFacts, ParcelFacts
from geocollateral.risk.scenarios import Scenario, StressParams, ValueBand, stress_value

GroupBy = Literal["borrower", "branch", "class", "all"]
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Secured:
    """A loan with the values of its parcels."""

    facts: LoanFacts
    values: dict[str, tuple[ValueBand, str]]
    """By parcel, its value and the approach it was made with; parcels without a value are left out."""

    def stressed(self, scenario: Scenario | None, params: StressParams) -> dict[str, float] | None:
        """Middle values by parcel under a scenario, in the currency of the loan; None where one is not known."""
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
            out[parcel.parcel_id] = band.p50
        return out or None


@dataclass(frozen=True, kw_only=True)
class RollUp:
    """Figures of one group in one currency."""

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
    ltv: float | None
    """Exposure told as a share of their value; None where nothing was told."""
    uncovered: float
    """Exposure above the value, loan by loan: what one loan has too much does not cover another."""
    exposure_scored: float
    """Of loans told all of whose parcels have a score."""
    expected_loss: float | None
    """Sum of what loans with a score are expected to lack; None where none has one."""


def roll_up(
    loans: Sequence[Secured], by: GroupBy, params: StressParams, scenario: Scenario | None = None
) -> list[RollUp]:
    """Figures by group and currency, in their order.

    A loan secured by several asset classes stands under ``mixed``. Expected loss is not a provision: it is the score of
    each parcel times the share of value taken to be gone, set against what the loan has to spare.

    Raises
    ------
    InvalidInput
        One loan is given twice.
    """
    names = [loan.facts.loan for loan in loans]
    if len(set(names)) != len(names):
        raise InvalidInput("Expected each loan once.")
    groups: dict[tuple[str, str], list[Secured]] = {}
    for loan in loans:
        groups.setdefault((_group(loan.facts, by), loan.facts.currency or UNKNOWN), []).append(loan)
    return [_sums(group, currency, own, params, scenario) for (group, currency), own in sorted(groups.items())]


def expected_loss(loan: LoanFacts, values: dict[str, float], params: StressParams) -> float | None:
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


def _sums(
    group: str, currency: str, loans: Sequence[Secured], params: StressParams, scenario: Scenario | None
) -> RollUp:
    exposure = told = value = uncovered = scored = loss = 0.0
    any_scored = False
    for loan in loans:
        balance = loan.facts.outstanding
        if balance is None:
            continue
        exposure += balance
        values = loan.stressed(scenario, params)
        if values is None:
            continue
        told, value = told + balance, value + sum(values.values())
        uncovered += max(balance - sum(values.values()), 0.0)
        expected = expected_loss(loan.facts, values, params)
        if expected is not None:
            scored, loss, any_scored = scored + balance, loss + expected, True
    return RollUp(
        group=group,
        currency=currency,
        loans=len(loans),
        exposure=exposure,
        exposure_told=told,
        exposure_cannot_tell=exposure - told,
        loans_without_balance=sum(loan.facts.outstanding is None for loan in loans),
        value=value,
        ltv=told / value if value else None,
        uncovered=uncovered,
        exposure_scored=scored,
        expected_loss=loss if any_scored else None,
    )


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


def rows_of(figures: Sequence[RollUp]) -> list[dict[str, Any]]:
    """The figures as rows of a table."""
    return [{field.name: getattr(figure, field.name) for field in fields(figure)} for figure in figures]
