"""When property has to be monitored, valued anew and reviewed by a valuer: due dates from law and from policy.

Law: Regulation (EU) No 575/2013 as amended by Regulation (EU) 2024/1623, Article 208(3). Policy: what the bank sets for
itself, such as a value once a year.

A year counts to the same day of the calendar; 29 February falls on 28 February of other years, never later. A duty is
kept on its due day and overdue from the day after.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from geocollateral.errors import InvalidInput
from geocollateral.risk.findings import Outcome
from geocollateral.types import Params

PropertyKind = Literal["commercial", "residential"]

MONITOR_MONTHS: dict[PropertyKind, int] = {"commercial": 12, "residential": 36}
"""Article 208(3)(a): longest time between two checks of the value [months]."""
REVIEW_MONTHS = 36
"""Article 208(3), large loans: longest time between two reviews by an independent valuer [months]."""
LARGE_LOAN_EUR = 3_000_000.0
LARGE_LOAN_OWN_FUNDS_FRAC = 0.05
"""A loan is large above either."""


class ClockParams(Params):
    """Due dates that are the bank's own."""

    revaluation_months: int = Field(
        12,
        ge=1,
        le=60,
        description="Longest time between two values of a parcel by the bank's policy [months]. Once a year is the "
        "usual reading of the Chinese guideline on collateral (CBRC 2017 No. 16), whose text was not checked here.",
    )
    material_decline_frac: float = Field(
        0.10,
        gt=0,
        lt=1,
        description="Fall of the value since its last review from which it may have declined materially [0-1]. "
        "Article 208(3) gives no figure.",
    )
    own_funds: float | None = Field(
        None, gt=0, description="Own funds of the bank: a loan above 5 % of them is large (Article 208(3))."
    )
    own_funds_currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="Their currency; loans in others are not compared with them."
    )
    imagery_days: int = Field(
        90, ge=1, le=730, description="Age of the last clear look from which imagery is stale [days]."
    )


@dataclass(frozen=True, kw_only=True)
class Due:
    """Whether a duty is kept."""

    outcome: Outcome
    due_on: dt.date | None
    """Last day on which it can be done in time; None where it is not known."""
    reason: str


def add_months(day: dt.date, months: int) -> dt.date:
    """The same day of the month so many months later, or the last of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def judge_due(last: dt.date | None, months: int, as_of: dt.date) -> Due:
    """A duty to be done again at least so many months after it was last done."""
    if last is None:
        return Due(outcome="cannot_tell", due_on=None, reason="The day it was last done is not known.")
    if last > as_of:
        return Due(outcome="cannot_tell", due_on=None, reason=f"It is dated {last}, after {as_of}.")
    due = add_months(last, months)
    if as_of <= due:
        return Due(outcome="ok", due_on=due, reason=f"Last done on {last}; due by {due}.")
    return Due(
        outcome="breach", due_on=due, reason=f"Last done on {last}; due by {due}, {(as_of - due).days} days overdue."
    )


def judge_monitoring(kind: PropertyKind | None, last: dt.date | None, as_of: dt.date) -> Due:
    """Article 208(3)(a): the value checked yearly (commercial) or every three years (residential).

    Land, plants and works are commercial. A kind that is not known passes only where it would pass as commercial, and
    is overdue only where it would be as residential.
    """
    if kind is not None:
        return judge_due(last, MONITOR_MONTHS[kind], as_of)
    strict, lenient = (judge_due(last, MONITOR_MONTHS[k], as_of) for k in ("commercial", "residential"))
    if strict.outcome == lenient.outcome:
        return strict if strict.outcome == "ok" else lenient
    return Due(
        outcome="cannot_tell",
        due_on=None,
        reason="Whether the property is commercial or residential is not known, and the answer depends on it.",
    )


def is_large(
    outstanding: float | None, currency: str | None, own_funds: float | None, own_funds_currency: str | None
) -> bool | None:
    """Whether a loan is above EUR 3 million or 5 % of own funds; None: cannot be told. No exchange rate is guessed.

    Raises
    ------
    InvalidInput
        An amount is negative or no number, or own funds are zero.
    """
    for name, amount in (("loan", outstanding), ("own funds", own_funds)):
        if amount is not None and not (math.isfinite(amount) and amount >= 0):
            raise InvalidInput(f"Expected the amount of {name} to be a number of 0 or more, got {amount}.")
    if own_funds == 0:
        raise InvalidInput("Expected own funds above 0, got 0.")
    if outstanding is None or (outstanding > 0 and currency is None):
        return None
    if outstanding == 0:
        return False
    by_amount = outstanding > LARGE_LOAN_EUR if currency == "EUR" else None
    by_share = None
    if own_funds is not None and own_funds_currency == currency:
        by_share = outstanding > LARGE_LOAN_OWN_FUNDS_FRAC * own_funds
    if by_amount or by_share:
        return True
    return None if by_amount is None or by_share is None else False


def judge_review(
    large: bool | None,
    last_review: dt.date | None,
    as_of: dt.date,
    *,
    reviewed_value: float | None = None,
    value: float | None = None,
    one_currency: bool = True,
    params: ClockParams | None = None,
) -> Due:
    """Article 208(3): review by an independent valuer.

    1. A value that fell materially since its last review is to be reviewed now.
    2. A large loan is reviewed at least every three years.
    3. Else none is due; where it is not known whether the loan is large, or whether the value fell, that decides.

    Parameters
    ----------
    reviewed_value, value
        At the last review and now; None: not known.
    one_currency
        The two are in one currency.
    """
    params = params or ClockParams()
    fall = _fall(reviewed_value, value) if one_currency else None
    if fall is not None and fall >= params.material_decline_frac and (last_review is None or last_review <= as_of):
        return Due(
            outcome="breach",
            due_on=as_of,
            reason=f"The value fell by {fall:.0%} since its last review; "
            f"{params.material_decline_frac:.0%} is material.",
        )
    by_time = judge_due(last_review, REVIEW_MONTHS, as_of)
    if large and by_time.outcome != "ok":
        return by_time
    if large is None and by_time.outcome != "ok":
        return Due(outcome="cannot_tell", due_on=None, reason="Whether the loan is large is not known.")
    if fall is None:
        return Due(
            outcome="cannot_tell", due_on=None, reason="Whether the value fell since its last review is not known."
        )
    if large is False:
        return Due(outcome="ok", due_on=None, reason="The loan is not large and the value has not fallen materially.")
    return by_time


def _fall(before: float | None, now: float | None) -> float | None:
    """Share of a value that is gone; None where either is not known."""
    if before is None or now is None:
        return None
    if not (before > 0 and now >= 0):
        raise InvalidInput(f"Expected values above 0, got {before} and {now}.")
    # Rounded, so that 0.9 of a value is a fall of exactly a tenth.
    return round(1 - now / before, 12)
