"""Values of a parcel by its valuers: when the next is due, and what it may be at most.

What a valuer said is held against the law; the value that this program gives is a supporting figure, and only says that
a review is due sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from geocollateral.risk.caps import Cap, ValuePoint, judge_cap
from geocollateral.risk.clocks import ClockParams, Due, PropertyKind, is_large, judge_monitoring, judge_review

if TYPE_CHECKING:
    import datetime as dt

    from geocollateral.risk.scenarios import ValueBand


@dataclass(frozen=True, kw_only=True)
class Valuations:
    """What a file of loans says of a parcel's values. None: it does not say."""

    kind: PropertyKind | None = None
    valued_on: dt.date | None = None
    """Day of the last value by an independent valuer."""
    valued: ValuePoint | None = None
    """That value on that day."""
    at_start: ValuePoint | None = None
    """When the loan was made."""
    earlier: tuple[ValuePoint, ...] = ()
    """Before the last one."""
    ours: ValueBand | None = None
    """The value by this run."""
    outstanding: float | None = None
    currency: str | None = None
    """Of the loan, which is the whole loan's."""


def monitoring_due(given: Valuations, as_of: dt.date) -> Due:
    """Article 208(3)(a)."""
    return judge_monitoring(given.kind, given.valued_on, as_of)


def review_due(given: Valuations, as_of: dt.date, params: ClockParams) -> Due:
    """Article 208(3), review by an independent valuer.

    Our value shows a material fall only if its whole interval does, and none only if none of it does.
    """
    large = is_large(given.outstanding, given.currency, params.own_funds, params.own_funds_currency)
    value = None
    if given.ours is not None and given.valued is not None and given.ours.currency == given.valued.currency:
        least = (1 - params.material_decline_frac) * given.valued.value
        value = given.ours.p95 if given.ours.p95 <= least else given.ours.p05 if given.ours.p05 > least else None
    return judge_review(
        large,
        given.valued_on,
        as_of,
        reviewed_value=None if given.valued is None else given.valued.value,
        value=value,
        params=params,
    )


def value_cap(given: Valuations) -> Cap:
    """Article 229(1)(e) for the last value by a valuer; of an unknown kind only what holds for both is said."""
    if given.valued is None:
        reason = "The last value by a valuer and its day are not known."
        return Cap(outcome="cannot_tell", cap=None, average=None, reason=reason)
    if given.kind is not None:
        return judge_cap(given.valued, given.earlier, given.at_start, given.kind)
    one, other = (judge_cap(given.valued, given.earlier, given.at_start, k) for k in ("commercial", "residential"))
    if one.outcome != other.outcome:
        reason = "Whether the property is commercial or residential is not known, and the answer depends on it."
        return Cap(outcome="cannot_tell", cap=None, average=None, reason=reason)
    return one if one.cap == other.cap else replace(one, cap=None, average=None)


__all__ = ["Valuations", "monitoring_due", "review_due", "value_cap"]
