"""Claims against observations: *match*, *mismatch* or *cannot tell*, never a forced yes or no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geocollateral.types import MU_M2, Verdict

AREA_TOLERANCE = 0.10
"""Largest error of a claimed area that is no mismatch [1]; the Brazilian central bank's rule for remote sensing."""
SHARE_TOLERANCE = 0.10
"""Largest difference between a claimed and an observed share that is no mismatch [1]."""


def judge_area(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Columns ``claim_area_verdict`` and ``claim_area_reason`` of a parcel of any class; none where none is claimed.

    Parameters
    ----------
    attributes
        The parcel's row: ``obs_area_m2`` and ``claim_area_m2``.
    """
    claimed_m2 = _number(attributes.get("claim_area_m2"))
    if claimed_m2 is None:
        return {}
    verdict, reason = _judge_area(claimed_m2, float(attributes["obs_area_m2"]))
    return {"claim_area_verdict": verdict, "claim_area_reason": reason}


def judge_living(attributes: Mapping[str, Any], living_share: tuple[float, ...] | None) -> dict[str, Any]:
    """Columns ``claim_living_verdict`` and ``claim_living_reason``; none where none is claimed.

    Parameters
    ----------
    attributes
        The parcel's row: ``claim_living_share_frac``.
    living_share
        Low, middle and high of the observed living share of the stand [0-1], or None if it cannot be told.
    """
    claimed_share = _number(attributes.get("claim_living_share_frac"))
    if claimed_share is None:
        return {}
    verdict, reason = _judge_share(claimed_share, living_share)
    return {"claim_living_verdict": verdict, "claim_living_reason": reason}


def _judge_area(claimed_m2: float, observed_m2: float) -> tuple[Verdict, str]:
    error = claimed_m2 / observed_m2 - 1
    verdict: Verdict = "match" if abs(error) <= AREA_TOLERANCE else "mismatch"
    return verdict, (
        f"Claimed {claimed_m2 / MU_M2:,.1f} mu; the polygon measures {observed_m2 / MU_M2:,.1f} mu, a difference of "
        f"{error:+.0%} (tolerance {AREA_TOLERANCE:.0%})."
    )


def _judge_share(claimed: float, observed: tuple[float, ...] | None) -> tuple[Verdict, str]:
    if observed is None:
        return "cannot_tell", f"Claimed {claimed:.0%} living stand; what stands there could not be judged."
    low, middle, high = observed
    told = f"Claimed {claimed:.0%} living stand; observed {middle:.0%} ({low:.0%} to {high:.0%})"
    if low - SHARE_TOLERANCE <= claimed <= high + SHARE_TOLERANCE:
        return "match", f"{told}: within {100 * SHARE_TOLERANCE:.0f} points of that range."
    return "mismatch", f"{told}: further than {100 * SHARE_TOLERANCE:.0f} points from that range."


def _number(value: Any) -> float | None:
    # NaN is what an empty cell of a table of numbers becomes.
    return None if value is None or value != value else float(value)
