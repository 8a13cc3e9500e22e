"""Claims against observations: *match*, *mismatch* or *cannot tell*, never a forced yes or no.

A claim is wrong where it is off by the tolerance or more, and right where it is off by no more than half of it: what
lies between may be called either. The observation has an interval, and with it the claim's error has one:

1. *match*: the whole 90 % interval of the error lies within the tolerance. A claim that is off by just the tolerance
   is called so in at most one of twenty cases.
2. *mismatch*: the error exceeds half the tolerance even by the near end of the 96 % interval. A claim that is off by
   half the tolerance is called so in at most one of fifty cases.
3. *cannot tell*: the observation is too wide for either. A wide interval is no reason to believe a claim.

An observation that is narrow enough (a half-width of 2 % where 10 % are tolerated) is always decided, an exact one
by the error as printed, in whole per cents. See docs/decisions/0011-claims.md.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from geocollateral.errors import BrokenData
from geocollateral.types import MU_M2, ClaimCheck, Verdict

AREA_TOLERANCE = 0.10
"""Error of a claimed area from which it is a mismatch [1]; the Brazilian central bank's rule for remote sensing."""
SHARE_TOLERANCE = 0.10
"""The same of a claimed share, relative to the observed share [1]: a share of a parcel is an area."""
PROGRESS_TOLERANCE = 0.10
"""Difference between claimed and observed progress from which it is a mismatch [1]."""
INNOCENT = 0.5
"""Share of the tolerance up to which a claim is right: figures are rounded and measured, so none is exact [1]."""
FARTHER = 2.054 / 1.645
"""How much farther from the middle the 2 % quantile lies than the 5 % quantile, for errors that are normal [1]."""
LEAST_SHARE = 0.01
"""Difference of shares that is no error however small the shares are: they are claimed in whole per cents [1]."""
CHANCE_OF_MATCH = 0.80
"""Probability of the claimed word from which it is a match [1]."""
CHANCE_OF_MISMATCH = 0.05
"""Probability of the claimed word up to which it is a mismatch [1]."""
ROUNDING = 1e-9
"""Disorder of an interval that is due to sums of floats, relative to its middle [1]."""

Interval = tuple[float, float, float]
"""Low, middle and high: the middle and the ends of the 90 % interval of what is observed."""
Unit = Literal["m2", "frac", "mw", "n"]
Measure = Literal["relative", "difference"]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What is tolerated of a claimed number."""

    tolerance: float
    """Error from which it is a mismatch [1]."""
    measure: Measure = "relative"
    """``relative``: error over the observed figure; ``difference``: claimed minus observed."""
    over_only: bool = False
    """Whether only claiming more than is there is a mismatch."""


AREA = Rule(tolerance=AREA_TOLERANCE)
SHARE = Rule(tolerance=SHARE_TOLERANCE)
PROGRESS = Rule(tolerance=PROGRESS_TOLERANCE, measure="difference")
DRAW = Rule(tolerance=PROGRESS_TOLERANCE, measure="difference", over_only=True)


# ------------------------------------------------------------------------------------------------------------- verdicts


def checked_number(
    claim: str,
    claimed: float,
    observed: Interval,
    *,
    unit: Unit,
    rule: Rule,
    what: str = "",
    seen: str = "observed",
    because: str = "",
    n_looks: int = 0,
    n_pixels: int = 0,
) -> ClaimCheck:
    """A claimed number held against an observed interval.

    Parameters
    ----------
    claim
        Name of the claim, the ``X`` of ``claim_X_verdict``.
    claimed, observed
        In the unit.
    what
        What is claimed, for the sentence: ``living stand`` makes "Claimed 90% living stand; observed ...".
    seen
        How it was observed, for the sentence.
    because
        A further sentence of reason.
    n_looks, n_pixels
        Clear looks and pixels behind the observation; 0 where none was needed.

    Raises
    ------
    BrokenData
        The interval is none.
    """
    observed = _interval(claim, observed)
    low, middle, high = observed
    verdict = verdict_of(claimed, observed, rule, unit)
    subject = f"{in_unit(claimed, unit)} {what}".strip()
    told = f"Claimed {subject}; {seen} {in_unit(middle, unit)}"
    if low < high:
        told += f" ({in_unit(low, unit)} to {in_unit(high, unit)})"
    return ClaimCheck(
        claim=claim,
        verdict=verdict,
        claimed=claimed,
        observed=middle,
        low=low,
        high=high,
        unit=unit,
        tolerance=rule.tolerance,
        n_looks=n_looks,
        n_pixels=n_pixels,
        reason=f"{told}; {_compared(claimed, observed, rule, verdict)}. {because}".strip(),
    )


def _interval(claim: str, observed: Interval) -> Interval:
    """The interval with its ends in order; what sums of areas leave in the last digits is no disorder."""
    low, middle, high = observed
    grain = ROUNDING * max(abs(middle), 1.0)
    if not (math.isfinite(low) and math.isfinite(high) and low <= middle + grain and middle <= high + grain):
        raise BrokenData(f"claim {claim!r}: expected low <= middle <= high, got {observed}")
    return min(low, middle), middle, max(high, middle)


def checked_words(
    claim: str,
    claimed: str,
    *,
    observed: str | None,
    chance: float,
    reason: str,
    n_looks: int = 0,
    n_pixels: int = 0,
    chance_of_match: float = CHANCE_OF_MATCH,
    chance_of_mismatch: float = CHANCE_OF_MISMATCH,
) -> ClaimCheck:
    """A claimed word held against the probability that it is so.

    Parameters
    ----------
    observed
        What was seen, in a word or two.
    chance
        Probability of what is claimed, given the observations [0-1].
    reason
        What was seen, as sentences.
    """
    verdict: Verdict = (
        "match" if chance >= chance_of_match else "mismatch" if chance <= chance_of_mismatch else "cannot_tell"
    )
    return ClaimCheck(
        claim=claim,
        verdict=verdict,
        claimed=claimed,
        observed=observed,
        low=None,
        high=None,
        unit="",
        tolerance=None,
        n_looks=n_looks,
        n_pixels=n_pixels,
        reason=reason,
    )


def untold(
    claim: str, claimed: float | str, reason: str, *, unit: str = "", n_looks: int = 0, n_pixels: int = 0
) -> ClaimCheck:
    """A claim that cannot be told, and why."""
    return ClaimCheck(
        claim=claim,
        verdict="cannot_tell",
        claimed=claimed,
        observed=None,
        low=None,
        high=None,
        unit=unit,
        tolerance=None,
        n_looks=n_looks,
        n_pixels=n_pixels,
        reason=reason,
    )


def verdict_of(claimed: float | tuple[float, float], observed: Interval, rule: Rule, unit: Unit) -> Verdict:
    """Verdict of a claimed number, or of a claimed range such as a stage allows; the rule of this module's description.

    Errors count from the nearer end of a range.
    """
    least, most = claimed if isinstance(claimed, tuple) else (claimed, claimed)
    low, middle, high = observed
    over, under = error_of(least, low, rule), error_of(most, high, rule)
    if _percent(over) < _percent(rule.tolerance) and (rule.over_only or _percent(under) > -_percent(rule.tolerance)):
        return "match"
    top, bottom = middle + FARTHER * (high - middle), middle - FARTHER * (middle - low)
    slack = LEAST_SHARE if unit == "frac" else 0.0
    innocent = INNOCENT * rule.tolerance
    if error_of(least, top, rule) > innocent and least - top > slack:
        return "mismatch"
    if not rule.over_only and error_of(most, bottom, rule) < -innocent and bottom - most > slack:
        return "mismatch"
    return "match" if max(least - low, 0 if rule.over_only else high - most) <= slack else "cannot_tell"


def error_of(claimed: float, observed: float, rule: Rule) -> float:
    """Error of a claimed number if just so much is there; infinite for a claim of what is not there at all."""
    if rule.measure == "difference":
        return claimed - observed
    if observed <= 0:
        return math.inf if claimed > 0 else 0.0
    return claimed / observed - 1


def _compared(claimed: float, observed: Interval, rule: Rule, verdict: Verdict) -> str:
    """The error of a claimed number in words."""
    least, error, most = (_percent(error_of(claimed, value, rule)) for value in observed[::-1])
    unit = "%" if rule.measure == "relative" else " points"
    limit = f"{_percent(rule.tolerance):.0f}{unit}"
    told = "none of it is there" if math.isinf(error) else f"an error of {error:+.0f}{unit}"
    if least < most and not math.isinf(least):
        told += f" ({least:+.0f}{unit} {'or more' if math.isinf(most) else f'to {most:+.0f}{unit}'})"
    if verdict == "match":
        return f"{told}, within the tolerance of {limit}"
    if verdict == "cannot_tell":
        return f"{told}, too uncertain to say whether it reaches the {limit} that count"
    side = "over-claimed" if error > 0 else "under-claimed, more is there than claimed"
    return f"{told} where less than {limit} is tolerated: {side}"


def _percent(error: float) -> float:
    """Whole per cents, as they are printed: claims are rounded figures."""
    return error if math.isinf(error) else float(round(100 * error)) + 0.0


def in_unit(value: float, unit: Unit) -> str:
    """A number with its unit, for a sentence."""
    if unit == "m2":
        return f"{value / MU_M2:,.1f} mu"
    if unit == "frac":
        return f"{value:.0%}"
    return f"{value:,.2f} MW" if unit == "mw" else f"{value:,.0f}"


# --------------------------------------------------------------------------------------------------- reading the claims


def claimed_number(attributes: Mapping[str, Any], column: str) -> float | None:
    """A claimed number of a parcel's row; None where none is claimed."""
    value = attributes.get(column)
    # NaN is what an empty cell of a table of numbers becomes.
    return None if value is None or value != value else float(value)


def claimed_text(attributes: Mapping[str, Any], column: str) -> str | None:
    """A claimed text of a parcel's row; None where none is claimed."""
    value = attributes.get(column)
    return value if isinstance(value, str) and value.strip() else None


def claimed_day(attributes: Mapping[str, Any], column: str) -> dt.date | None:
    """A claimed date of a parcel's row; None where none is claimed."""
    value = attributes.get(column)
    # NaT is what an empty cell of a table of dates becomes.
    if value is None or value != value:
        return None
    if isinstance(value, str):
        return dt.date.fromisoformat(value)
    return value.date() if isinstance(value, dt.datetime) else dt.date(value.year, value.month, value.day)


# -------------------------------------------------------------------------------------------------- claims of any class


def judge_area(attributes: Mapping[str, Any]) -> ClaimCheck | None:
    """The claimed area against that of the polygon, which is exact and needs no imagery; None where none is claimed.

    Parameters
    ----------
    attributes
        The parcel's row: ``obs_area_m2`` and ``claim_area_m2``.
    """
    claimed = claimed_number(attributes, "claim_area_m2")
    if claimed is None:
        return None
    area = float(attributes["obs_area_m2"])
    return checked_number(
        "area",
        claimed,
        (area, area, area),
        unit="m2",
        rule=AREA,
        seen="the polygon measures",
        because="Measured on the ellipsoid; no imagery is needed.",
    )


def judge_share(
    claim: str,
    attributes: Mapping[str, Any],
    column: str,
    observed: Interval | None,
    *,
    what: str,
    why_not: str = "",
    because: str = "",
    n_looks: int = 0,
    n_pixels: int = 0,
) -> ClaimCheck | None:
    """A claimed share of the parcel against the observed one; None where none is claimed.

    Parameters
    ----------
    observed
        Share of the parcel [0-1]; None where it cannot be told.
    why_not
        Why it cannot be told, as a sentence.
    """
    claimed = claimed_number(attributes, column)
    if claimed is None:
        return None
    if observed is None:
        reason = f"Claimed {claimed:.0%} {what}; how much there is could not be judged. {why_not}".strip()
        return untold(claim, claimed, reason, unit="frac", n_looks=n_looks, n_pixels=n_pixels)
    return checked_number(
        claim,
        claimed,
        observed,
        unit="frac",
        rule=SHARE,
        what=what,
        because=because,
        n_looks=n_looks,
        n_pixels=n_pixels,
    )


def stated(*checks: ClaimCheck | None) -> tuple[ClaimCheck, ...]:
    """Checks of what was claimed, without those of what was not."""
    return tuple(check for check in checks if check is not None)


__all__ = [
    "AREA",
    "DRAW",
    "PROGRESS",
    "SHARE",
    "Interval",
    "Rule",
    "checked_number",
    "checked_words",
    "claimed_day",
    "claimed_number",
    "claimed_text",
    "error_of",
    "in_unit",
    "judge_area",
    "judge_share",
    "stated",
    "untold",
    "verdict_of",
]
