"""Claimed days, of planting and of commissioning, where what is seen bears on them.

Imagery dates a change of the ground, not a signature: it can say that a stand was felled after the day on which it is
said to have been planted, or that a plant had no modules yet. It seldom proves a day right, and then says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geocollateral.assets.claims import claimed_day, untold
from geocollateral.types import ClaimCheck, Event, ParcelEvidence, Verdict

CLOSED_YEARS = 5
"""Growing seasons after which a planted stand is green: plantations close their canopy in three to five years."""
BARE_NDVI = 0.45
"""Highest NDVI of a year, at most, of ground on which no stand is green."""
LOOKS_A_YEAR = 4
"""Fewest clear looks from which the greenest of a year is known."""
MOST = 0.5
"""Share of a parcel that a loss must take to be that of its stand [1]."""
LEARNT_DAYS = 365
"""History in which a loss before the claimed day would have been seen [days]."""
REPLANT_YEARS = 5
"""Years within which cleared ground is planted again."""
EARLY_DAYS, LATE_DAYS = 15, 90
"""A crop is seen to come up so long before and after its claimed sowing: looks are days apart, wheat is slow [days]."""
STOOD_DAYS = 45
"""A crop that was up so long before the day is not the one that was sown on it [days]."""
NO_CROP_DAYS = 300
"""Without the peak of any crop for so long after sowing, none came up [days]."""
COMPLETE_DAYS = 30
"""Modules whose area settled so soon after the day were there on it: looks are days apart [days]."""

Answer = tuple[Verdict, str | None, str]
"""Verdict, what was observed in a word, and the reason."""


# --------------------------------------------------------------------------------------------------------------- stands


@dataclass(frozen=True, kw_only=True)
class SeenStand:
    """What was seen of the stand of a parcel."""

    share: float
    """Share of the parcel that was closed forest in its history [0-1]."""
    events: Sequence[Event]
    greenest: Mapping[int, float]
    """Highest NDVI of the parcel's mean by calendar year."""
    first_look: dt.date
    as_of: dt.date
    area_m2: float
    n_looks: int
    n_pixels: int


def seen_stand(
    evidence: ParcelEvidence, share: float, events: Sequence[Event], min_look_fraction: float
) -> SeenStand | None:
    """What was seen of a stand; None where nothing was."""
    used = evidence.look_fraction >= min_look_fraction
    days = evidence.look_days[used]
    if evidence.series is None or not len(days):
        return None
    green = evidence.series["mean"].sel(index="ndvi").values[used]
    years = days.astype("datetime64[Y]").astype(int) + 1970
    told = {int(year): green[(years == year) & np.isfinite(green)] for year in np.unique(years)}
    return SeenStand(
        share=share,
        events=events,
        greenest={year: float(values.max()) for year, values in told.items() if len(values) >= LOOKS_A_YEAR},
        first_look=days[0].astype(dt.date),
        as_of=evidence.as_of,
        area_m2=float(evidence.area_m2.sum()),
        n_looks=len(days),
        n_pixels=len(evidence.area_m2),
    )


def judge_stand_planted(attributes: Mapping[str, Any], seen: SeenStand | None) -> ClaimCheck | None:
    """Check ``planted_on`` of a stand; None where no day is claimed."""
    day = claimed_day(attributes, "claim_planted_on")
    if day is None:
        return None
    if seen is None:
        return untold("planted_on", day.isoformat(), f"Claimed to be planted on {day}; no clear look bears on it.")
    return _check("planted_on", day, _stand_planted(day, seen), seen.n_looks, seen.n_pixels)


def _stand_planted(day: dt.date, seen: SeenStand) -> Answer:
    told = f"Claimed to be planted on {day}"
    if day > seen.as_of:
        return "cannot_tell", None, f"{told}, after the day of this report."
    lost = [
        event
        for event in seen.events
        if event.kind == "stand_loss" and event.area_m2 >= MOST * seen.share * seen.area_m2
    ]
    after = next((event for event in lost if event.last_clear_before > day), None)
    if after is not None:
        span = f"between {after.last_clear_before} and {after.first_clear_after}"
        return "mismatch", "felled_since", f"{told}; most of the stand was lost {span}, after that day."
    bare = [year for year, green in seen.greenest.items() if green < BARE_NDVI and year >= day.year + CLOSED_YEARS]
    if bare:
        green = seen.greenest[bare[-1]]
        return (
            "mismatch",
            "bare_since",
            (
                f"{told}; in {bare[-1]} the parcel's NDVI never passed {green:.2f}: {bare[-1] - day.year} years on, no "
                "stand was green there."
            ),
        )
    before = [event for event in lost if event.first_clear_after <= day]
    if before:
        event = before[-1]
        span = f"between {event.last_clear_before} and {event.first_clear_after}"
        near = (day - event.first_clear_after).days <= REPLANT_YEARS * 365.25
        if near and event.recovered_on is not None:
            return (
                "match",
                "cleared_before",
                f"{told}; the ground was cleared {span} and is green again since {event.recovered_on}.",
            )
        return (
            "cannot_tell",
            "cleared_before",
            f"{told}; the ground was cleared {span}; that it was planted since is not seen.",
        )
    if (day - seen.first_look).days >= LEARNT_DAYS and seen.share >= MOST:
        return (
            "mismatch",
            "older",
            (
                f"{told}; closed forest stood there since the first look {seen.first_look} and was not cleared before "
                "that day: the stand is older than claimed."
            ),
        )
    return (
        "cannot_tell",
        None,
        f"{told}; looks begin on {seen.first_look}. Imagery shows when ground was cleared, not how old trees are.",
    )


# ---------------------------------------------------------------------------------------------------------------- crops


def judge_crop_planted(
    attributes: Mapping[str, Any],
    seasons: Sequence[Mapping[str, Any]],
    *,
    is_field: bool,
    as_of: dt.date,
    why_not: str = "",
    n_looks: int = 0,
    n_pixels: int = 0,
) -> ClaimCheck | None:
    """Check ``planted_on`` of a crop; None where no day is claimed.

    Parameters
    ----------
    seasons
        Rows of the table ``seasons``, the oldest first.
    is_field
        Whether crops come and go on the parcel: of grass, orchards and greenhouses the day of planting is not seen.
    why_not
        Why the parcel could not be judged; empty where it could.
    """
    day = claimed_day(attributes, "claim_planted_on")
    if day is None:
        return None
    if why_not or not is_field:
        reason = why_not or "No crop comes and goes on the parcel, so no day of planting is seen."
        told = f"Claimed to be planted on {day}. {reason}"
        return untold("planted_on", day.isoformat(), told, n_looks=n_looks, n_pixels=n_pixels)
    return _check("planted_on", day, _crop_planted(day, seasons, as_of), n_looks, n_pixels)


def _crop_planted(day: dt.date, seasons: Sequence[Mapping[str, Any]], as_of: dt.date) -> Answer:
    told = f"Claimed to be planted on {day}"
    if day > as_of:
        return "cannot_tell", None, f"{told}, after the day of this report."
    spans = [
        (dt.date.fromisoformat(s["emerged"]), dt.date.fromisoformat(s["peak"]), _day(s["harvested"])) for s in seasons
    ]
    if not spans:
        return "cannot_tell", None, f"{told}; no crop season was seen."
    emerged, _, _ = spans[-1]
    if -EARLY_DAYS <= (emerged - day).days <= LATE_DAYS:
        return "match", emerged.isoformat(), f"{told}; the latest crop came up about {emerged}."
    stood = STOOD_DAYS * dt.timedelta(days=1)
    standing = next((e for e, _, ended in spans if e < day - stood and (ended is None or ended > day + stood)), None)
    if standing is not None:
        return (
            "mismatch",
            standing.isoformat(),
            f"{told}; a crop that came up about {standing} stood on the field then.",
        )
    later = [peak for _, peak, _ in spans if peak >= day]
    if not later and (as_of - day).days >= NO_CROP_DAYS:
        return "mismatch", "no_crop", f"{told}; no crop has come up since: the latest came up about {emerged}."
    return (
        "cannot_tell",
        emerged.isoformat(),
        f"{told}; the latest crop came up about {emerged}, which does not settle it.",
    )


# --------------------------------------------------------------------------------------------------------------- plants


def judge_commissioned(
    attributes: Mapping[str, Any],
    *,
    present: bool,
    built: tuple[dt.date, dt.date] | None,
    complete: dt.date | None,
    first_look: dt.date | None,
    as_of: dt.date,
    n_looks: int = 0,
    n_pixels: int = 0,
) -> ClaimCheck | None:
    """Check ``commissioned`` of a solar plant; None where no day is claimed.

    Parameters
    ----------
    present
        Whether modules are there now.
    built
        Interval of the first rows; None where they stood before the first look.
    complete
        Look from which their area has not grown any more; None while it grows.
    first_look
        None where it is not known.
    """
    day = claimed_day(attributes, "claim_commissioned_on")
    if day is None:
        return None
    return _check(
        "commissioned", day, _commissioned(day, present, built, complete, first_look, as_of), n_looks, n_pixels
    )


def _commissioned(
    day: dt.date,
    present: bool,
    built: tuple[dt.date, dt.date] | None,
    complete: dt.date | None,
    first_look: dt.date | None,
    as_of: dt.date,
) -> Answer:
    told = f"Claimed to feed into the grid from {day}"
    unseen = "That it feeds into the grid is not seen."
    if not present:
        if day <= as_of:
            return "mismatch", "no_modules", f"{told}; there are no modules yet on {as_of}."
        return "cannot_tell", "no_modules", f"{told}, which lies ahead; there are no modules yet on {as_of}."
    if built is None:
        if first_look is not None and day >= first_look:
            return "match", "modules_complete", f"{told}; modules stood there on the first look {first_look}. {unseen}"
        return "cannot_tell", "modules_complete", f"{told}; modules stood there before the first look. {unseen}"
    rows = f"the first rows went up between {built[0]} and {built[1]}"
    if day < built[0]:
        return "mismatch", built[1].isoformat(), f"{told}; {rows}, after that day."
    if complete is not None and day >= complete - dt.timedelta(days=COMPLETE_DAYS):
        return "match", complete.isoformat(), f"{told}; {rows} and were complete by {complete}. {unseen}"
    done = "are still going up" if complete is None else f"were complete by {complete}"
    return "cannot_tell", built[1].isoformat(), f"{told}; {rows} and {done}: a part may have fed in before."


def _check(claim: str, day: dt.date, answer: Answer, n_looks: int, n_pixels: int) -> ClaimCheck:
    verdict, observed, reason = answer
    return ClaimCheck(
        claim=claim,
        verdict=verdict,
        claimed=day.isoformat(),
        observed=observed,
        low=None,
        high=None,
        unit="",
        tolerance=None,
        n_looks=n_looks,
        n_pixels=n_pixels,
        reason=reason,
    )


def _day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


__all__ = ["SeenStand", "judge_commissioned", "judge_crop_planted", "judge_stand_planted", "seen_stand"]
