"""The claimed use held against what grows there: *match*, *mismatch* or *cannot tell*."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import Field

from geocollateral.assets.field_record import read_record
from geocollateral.assets.land_signs import NEEDED_BANDS, SignParams, Signs, course_of, read_signs
from geocollateral.assets.land_use import GROUPS, SAYINGS, Group, Opinion, opinion_of
from geocollateral.assets.phenology import PhenologyParams, Season
from geocollateral.assets.use_names import NamedUse, read_use
from geocollateral.types import ClaimCheck, Params, ParcelEvidence, Verdict

CLAIM = "use"
UNTILLED: frozenset[Group] = frozenset({"grass", "orchard", "deciduous", "evergreen", "conifer"})
CROPPED: frozenset[Group] = frozenset(GROUPS[: GROUPS.index("greenhouse")])
MIN_HARVESTS = 1.5
"""Fewer harvests exclude no cover that is never tilled: one may be a mowing, and green that stands is no harvest."""


class UseParams(Params):
    """Knobs of the check of a claimed use."""

    match: float = Field(0.7, gt=0.5, lt=1, description="Probability from which a claimed use is borne out [1].")
    mismatch: float = Field(0.03, gt=0, lt=0.5, description="Probability up to which a claimed use is excluded [1].")
    min_looks: int = Field(18, ge=4, description="Fewest clear looks of the latest years that tell a use.")
    min_years: float = Field(1.0, gt=0, description="Shortest span of looks that tells a use [years].")
    signs: SignParams = Field(SignParams(), description="Signs of what grows on a parcel.")


def use_opinion(
    evidence: ParcelEvidence, crops: Sequence[Season], min_look_fraction: float, params: UseParams
) -> Opinion | None:
    """What grows there; None where there is no reflectance to read it from, or too few looks."""
    if evidence.optical is None or not {"red", "nir"} <= set(map(str, evidence.optical.data_vars)):
        return None
    signs = read_signs(course_of(evidence, crops, min_look_fraction), params.signs)
    return opinion_of(signs)


def claims_of_use(
    evidence: ParcelEvidence,
    why_not: str,
    params: UseParams,
    min_look_fraction: float,
    crops: Sequence[Season] | None = None,
) -> tuple[ClaimCheck, ...]:
    """The check of the claimed use as an asset class hands it on; empty where no use is claimed.

    Parameters
    ----------
    why_not
        Reason why the parcel as a whole cannot be judged, or nothing.
    crops
        Seasons of crops where they are known already.
    """
    if not isinstance(evidence.attributes.get("claim_use"), str):
        return ()
    opinion = None
    if not why_not and evidence.series is not None and "ndvi" in evidence.series["index"].values:
        if crops is None:
            crops = read_record(evidence, PhenologyParams(), min_look_fraction).crops
        opinion = use_opinion(evidence, crops, min_look_fraction, params)
    check = judge_use(evidence, opinion, why_not, params)
    return () if check is None else (check,)


def judge_use(evidence: ParcelEvidence, opinion: Opinion | None, why_not: str, params: UseParams) -> ClaimCheck | None:
    """The claim of use of a parcel; None where there is none.

    Parameters
    ----------
    opinion
        From `use_opinion`.
    why_not
        Reason why the parcel as a whole cannot be judged, or nothing.
    """
    text = evidence.attributes.get("claim_use")
    if not isinstance(text, str) or not text.strip():
        return None
    verdict, reason = _judged(text, read_use(text), opinion, why_not, params)
    told = opinion is not None and not why_not and not _too_few(opinion.signs, params)
    return ClaimCheck(
        claim=CLAIM,
        verdict=verdict,
        claimed=text,
        observed=SAYINGS[opinion.likeliest] if told and opinion is not None else None,
        low=None,
        high=None,
        unit="",
        tolerance=None,
        n_looks=0 if opinion is None else opinion.signs.n_looks,
        n_pixels=len(evidence.area_m2),
        reason=reason,
    )


def _judged(
    text: str, named: NamedUse | None, opinion: Opinion | None, why_not: str, params: UseParams
) -> tuple[Verdict, str]:
    if named is None:
        return "cannot_tell", (
            f"Claimed {text!r}: no crop, tree or cover of that name is known here; expected words such as winter "
            "wheat, maize, rice, vegetables, greenhouse, orchard, pasture, pine or fish pond, in English or Chinese."
        )
    if why_not:
        return "cannot_tell", f"Claimed {text!r}. {why_not}"
    if opinion is None:
        needed = ", ".join(NEEDED_BANDS)
        return "cannot_tell", f"Claimed {text!r}: there is no reflectance to tell a use from (bands {needed})."
    few = _too_few(opinion.signs, params)
    if few:
        return "cannot_tell", f"Claimed {text!r}. {few}"
    verdict = verdict_of(named, opinion, params)
    seen = f"the latest {opinion.signs.years:.1f} years show {in_words(opinion)}"
    if verdict == "match":
        return verdict, f"Claimed {text!r}, expected {named.expected}: {seen}."
    if verdict == "mismatch":
        return verdict, (
            f"Claimed {text!r}, expected {named.expected}; {seen}. That the claim holds all the same has a probability "
            f"of {_holding(named, opinion):.0%}."
        )
    if opinion.of(named.part) >= params.match:
        return (
            verdict,
            f"Claimed {text!r}, expected {named.expected}; {seen}, which neither bears it out nor excludes it.",
        )
    return verdict, (
        f"Claimed {text!r}, expected {named.expected}; {seen}, but not clearly enough "
        f"(probability of the claim {_holding(named, opinion):.0%})."
    )


def verdict_of(named: NamedUse, opinion: Opinion, params: UseParams) -> Verdict:
    """Verdict from the probabilities of the groups that fit a claim."""
    if _holding(named, opinion) >= params.match:
        return "match"
    if (
        named.fits & UNTILLED
        and opinion.signs.harvests * opinion.signs.years < MIN_HARVESTS
        and opinion.of(CROPPED) > 0.5
    ):
        return "cannot_tell"
    possible = opinion.of(named.fits | named.alike | named.part)
    if not np.isfinite(opinion.signs.bloom):
        return "mismatch" if possible <= params.mismatch else "cannot_tell"
    return "mismatch" if opinion.of(named.fits | named.part) <= params.mismatch else "cannot_tell"


def _holding(named: NamedUse, opinion: Opinion) -> float:
    """Probability of the groups that fit; with those alike where nobody looked during the bloom."""
    return opinion.of(named.fits if np.isfinite(opinion.signs.bloom) else named.fits | named.alike)


def _too_few(signs: Signs, params: UseParams) -> str:
    if signs.n_looks >= params.min_looks and signs.years >= params.min_years:
        return ""
    return (
        f"Only {signs.n_looks} clear looks over {signs.years:.1f} years; {params.min_looks} over "
        f"{params.min_years:.0f} are needed to tell what grows there."
    )


def in_words(opinion: Opinion) -> str:
    """What was seen: the likeliest use and the signs behind it."""
    signs, top = opinion.signs, opinion.likeliest
    facts = []
    if signs.harvests > 0:
        facts.append(f"{signs.harvests:.1f} harvests a year")
    if signs.flooded >= 0.8 and signs.summer_crop >= 0.5:
        facts.append("water under the young plants")
    elif signs.flooded <= 0.2 and signs.summer_crop >= 0.5:
        facts.append("no water under the young plants")
    if signs.bloom >= 0.8:
        facts.append("yellow bloom in spring")
    if signs.harvests == 0 and not signs.sparse >= 0.5:
        facts.append("no harvest down to bare ground")
    if signs.winter_green >= 0.8:
        facts.append("green in winter")
    if signs.covered >= 0.5:
        facts.append("bright grey cover")
    behind = f" ({', '.join(facts)}; {signs.n_looks} clear looks)" if facts else f" ({signs.n_looks} clear looks)"
    return f"{SAYINGS[top]} with a probability of {opinion.probability[top]:.0%}{behind}"


__all__ = ["UseParams", "claims_of_use", "in_words", "judge_use", "use_opinion", "verdict_of"]
