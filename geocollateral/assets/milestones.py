"""Stage, progress and draw: a claimed milestone of building works against the progress that is seen.

``stage`` and ``progress`` ask whether the claim describes the site, so works behind it and works ahead of it are both a
mismatch. ``draw`` asks what a lender asks who releases money by milestones: whether at least so much is done. Works
ahead of the milestone support it; works behind it hold the draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from geocollateral.assets.claims import (
    DRAW,
    PROGRESS,
    Interval,
    checked_number,
    claimed_number,
    claimed_text,
    stated,
    untold,
    verdict_of,
)
from geocollateral.types import ClaimCheck, Verdict

STAGE_PROGRESS: Mapping[str, tuple[float, float]] = {
    "planned": (0.0, 0.05),
    "site_cleared": (0.02, 0.20),
    "foundations": (0.08, 0.45),
    "structure": (0.15, 0.95),
    "complete": (0.85, 1.0),
    "operating": (0.85, 1.0),
}
"""Least and most progress that a claimed stage stands for [0-1]."""
UNFINISHED = ("planned", "site_cleared", "foundations")
"""Stages of a plant before its modules or turbines."""

PlantState = Literal["none", "growing", "settled"]
PLANT_PROGRESS: Mapping[PlantState, Interval] = {
    "none": (0.0, 0.0, 0.5),
    "growing": (0.1, 0.5, 0.95),
    "settled": (0.9, 1.0, 1.0),
}
"""Progress of a plant by what is seen of its modules [0-1]: half of the works may be done before the first of them."""


# ---------------------------------------------------------------------------------------------- works with a progress


def judge_works(
    attributes: Mapping[str, Any],
    progress: Interval | None,
    state: str,
    *,
    begun: bool = True,
    why_not: str = "",
    n_looks: int = 0,
    n_pixels: int = 0,
) -> tuple[ClaimCheck, ...]:
    """Checks ``stage``, ``progress`` and ``draw`` of works whose progress is seen; none where none is claimed.

    Parameters
    ----------
    attributes
        The parcel's row: ``claim_stage`` and ``claim_progress_frac``.
    progress
        Progress of the works [0-1]; None where it cannot be told, and `why_not` says why.
    state
        What the works are doing, in a word or two.
    begun
        Whether any works are seen. Where none are, no stage after the planned one is within reach of the tolerance; a
        fresh clearing is told some weeks late, so that alone is left open.
    """
    stage, share = claimed_stage(attributes), claimed_number(attributes, "claim_progress_frac")
    counts = (n_looks, n_pixels)
    unbegun: Verdict | None = None
    if not begun and stage is not None and stage != "planned":
        unbegun = "cannot_tell" if stage == "site_cleared" else "mismatch"
    if progress is None:
        return _untold(stage, share, why_not, counts)
    return stated(
        None if stage is None else _stage(stage, progress, state, counts, unbegun),
        None
        if share is None
        else checked_number(
            "progress",
            share,
            progress,
            unit="frac",
            rule=PROGRESS,
            what="progress",
            because=f"The works: {state}.",
            n_looks=n_looks,
            n_pixels=n_pixels,
        ),
        _draw(stage, share, progress, state, counts, unbegun),
    )


def claimed_stage(attributes: Mapping[str, Any]) -> str | None:
    """The claimed stage, one of `STAGE_PROGRESS`; None where none is claimed."""
    stage = claimed_text(attributes, "claim_stage")
    return stage if stage in STAGE_PROGRESS else None


def _stage(stage: str, progress: Interval, state: str, counts: tuple[int, int], unbegun: Verdict | None) -> ClaimCheck:
    """The claimed stage against the progress seen."""
    least, most = STAGE_PROGRESS[stage]
    low, middle, high = progress
    verdict = unbegun or verdict_of((least, most), progress, PROGRESS, "frac")
    side = {
        "match": "as claimed",
        "mismatch": "behind the claim" if middle < least else "ahead of the claim",
        "cannot_tell": "too uncertain to say whether the stage is reached",
    }[verdict]
    return ClaimCheck(
        claim="stage",
        verdict=verdict,
        claimed=stage,
        observed=middle,
        low=low,
        high=high,
        unit="frac",
        tolerance=PROGRESS.tolerance,
        n_looks=counts[0],
        n_pixels=counts[1],
        reason=(
            f"Claimed stage {plain(stage)}, which stands for {least:.0%} to {most:.0%} of the works; observed progress "
            f"{middle:.0%} ({low:.0%} to {high:.0%}), {state}: {side}."
        ),
    )


def _draw(
    stage: str | None,
    share: float | None,
    progress: Interval,
    state: str,
    counts: tuple[int, int],
    unbegun: Verdict | None,
) -> ClaimCheck | None:
    """Whether what is seen supports the milestone claimed, whichever is the further one; None where none is claimed."""
    if stage is None and share is None:
        return None
    wanted = wanted_of(stage, share)
    low, middle, high = progress
    verdict = unbegun or verdict_of(wanted, progress, DRAW, "frac")
    name = "" if stage is None or wanted > STAGE_PROGRESS[stage][0] else f", {plain(stage)},"
    seen = f"progress seen is {middle:.0%} ({low:.0%} to {high:.0%}), {state}"
    told = {
        "match": f"The milestone claimed{name} needs {wanted:.0%} of the works; {seen}: it supports the draw.",
        "mismatch": f"Hold the draw: the milestone claimed{name} needs {wanted:.0%} of the works; {seen}, short by "
        f"{100 * (wanted - middle):.0f} points ({100 * max(wanted - high, 0):.0f} to {100 * (wanted - low):.0f}).",
        "cannot_tell": f"The milestone claimed{name} needs {wanted:.0%} of the works; {seen}: inspect on site before "
        "money is released.",
    }[verdict]
    return ClaimCheck(
        claim="draw",
        verdict=verdict,
        claimed=wanted,
        observed=middle,
        low=low,
        high=high,
        unit="frac",
        tolerance=DRAW.tolerance,
        n_looks=counts[0],
        n_pixels=counts[1],
        reason=told,
    )


def _untold(stage: str | None, share: float | None, why_not: str, counts: tuple[int, int]) -> tuple[ClaimCheck, ...]:
    reason = f"How far the works are could not be judged. {why_not}".strip()
    looks, pixels = counts
    checks: list[ClaimCheck] = []
    if stage is not None:
        checks.append(untold("stage", stage, reason, n_looks=looks, n_pixels=pixels))
    if share is not None:
        checks.append(untold("progress", share, reason, unit="frac", n_looks=looks, n_pixels=pixels))
    if checks:
        hold = f"{reason} Inspect on site before money is released."
        checks.append(untold("draw", wanted_of(stage, share), hold, unit="frac", n_looks=looks, n_pixels=pixels))
    return tuple(checks)


def wanted_of(stage: str | None, share: float | None) -> float:
    """Progress that the milestone claimed needs, whichever of the two goes further [0-1]."""
    return max(STAGE_PROGRESS[stage][0] if stage else 0.0, share or 0.0)


# ------------------------------------------------------------------------------------------------------------ plants


def judge_plant(
    attributes: Mapping[str, Any], state: PlantState, seen: str, *, n_looks: int = 0, n_pixels: int = 0
) -> tuple[ClaimCheck, ...]:
    """Checks ``stage``, ``progress`` and ``draw`` of a plant whose modules are seen or not; none where none is claimed.

    Ground works, racks and cables of a plant are not told from other open ground, so what comes before the modules can
    be neither confirmed nor refuted as long as there are none.

    Parameters
    ----------
    state
        ``none``: no modules; ``growing``: modules are going up; ``settled``: their area has stopped growing.
    seen
        The same as a sentence.
    """
    stage, share = claimed_stage(attributes), claimed_number(attributes, "claim_progress_frac")
    checks: list[ClaimCheck] = []
    if stage is not None:
        checks.append(_word("stage", stage, state, plant_stage(stage, state), seen, n_looks, n_pixels))
    if share is not None:
        works = {"claim_stage": stage, "claim_progress_frac": share}
        found = judge_works(works, PLANT_PROGRESS[state], plain(SEEN[state]), n_looks=n_looks, n_pixels=n_pixels)
        return (*checks, *(check for check in found if check.claim != "stage"))
    if stage is not None:
        checks.append(_word("draw", stage, state, plant_draw(stage, state), seen, n_looks, n_pixels))
    return tuple(checks)


def plant_stage(stage: str, state: PlantState) -> Verdict:
    """Whether a claimed stage describes a plant."""
    if state == "none":
        return "cannot_tell" if stage in (*UNFINISHED, "structure") else "mismatch"
    if stage in UNFINISHED:
        return "mismatch"
    if stage == "structure":
        return "match" if state == "growing" else "mismatch"
    return "match" if state == "settled" else "cannot_tell"


def plant_draw(stage: str, state: PlantState) -> Verdict:
    """Whether a plant has come at least as far as claimed."""
    if stage == "planned" or state == "settled":
        return "match"
    if state == "growing":
        return "match" if stage in (*UNFINISHED, "structure") else "cannot_tell"
    return "cannot_tell" if stage in (*UNFINISHED, "structure") else "mismatch"


SEEN: Mapping[PlantState, str] = {
    "none": "no_modules",
    "growing": "modules_going_up",
    "settled": "modules_complete",
}
_SAID: Mapping[tuple[str, Verdict], str] = {
    ("stage", "match"): "as claimed",
    ("stage", "mismatch"): "not as claimed",
    ("stage", "cannot_tell"): "neither confirmed nor refuted",
    ("draw", "match"): "it supports the draw",
    ("draw", "mismatch"): "hold the draw",
    ("draw", "cannot_tell"): "inspect on site before money is released",
}


def _word(
    claim: str, stage: str, state: PlantState, verdict: Verdict, seen: str, n_looks: int, n_pixels: int
) -> ClaimCheck:
    return ClaimCheck(
        claim=claim,
        verdict=verdict,
        claimed=stage,
        observed=SEEN[state],
        low=None,
        high=None,
        unit="",
        tolerance=None,
        n_looks=n_looks,
        n_pixels=n_pixels,
        reason=f"Claimed stage {plain(stage)}. {seen} {_SAID[claim, verdict].capitalize()}.",
    )


def judge_pads(
    attributes: Mapping[str, Any], n_pads: int, turbines: float | None, *, n_looks: int = 0, n_pixels: int = 0
) -> tuple[ClaimCheck, ...]:
    """Checks ``stage``, ``progress`` and ``draw`` of a wind plant by its new pads; none where none is claimed.

    Towers and blades are not seen at 10 m, nor pads from before the looks: pads for all the turbines claimed support
    foundations, and no more is told.
    """
    stage, share = claimed_stage(attributes), claimed_number(attributes, "claim_progress_frac")
    seen = f"{n_pads} new pads are seen; towers and blades are not seen at 10 m."
    if stage is None or share is not None or stage not in UNFINISHED:
        return _untold(stage, share, seen, (n_looks, n_pixels))
    all_there = n_pads > 0 and n_pads >= (turbines or 1)
    draw: Verdict = "match" if all_there or stage == "planned" else "cannot_tell"
    verdict: Verdict = ("mismatch" if stage == "planned" else "match") if all_there else "cannot_tell"
    observed = "pads" if n_pads else None
    return tuple(
        ClaimCheck(
            claim=claim,
            verdict=told,
            claimed=stage,
            observed=observed,
            low=None,
            high=None,
            unit="",
            tolerance=None,
            n_looks=n_looks,
            n_pixels=n_pixels,
            reason=f"Claimed stage {plain(stage)}. {seen} {_SAID[claim, told].capitalize()}.",
        )
        for claim, told in (("stage", verdict), ("draw", draw))
    )


def plain(name: str) -> str:
    """A name of ours as words."""
    return name.replace("_", " ")


__all__ = [
    "STAGE_PROGRESS",
    "PlantState",
    "claimed_stage",
    "judge_pads",
    "judge_plant",
    "judge_works",
    "plain",
    "plant_draw",
    "plant_stage",
]
