"""What borrowers say of their parcels: mostly true, sometimes not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from geocollateral.simulate.land import Parcel
from geocollateral.simulate.scenario import Scenario
from geocollateral.simulate.zones import ROTATIONS, Zone

FALSE_SHARE = 0.12
"""Of claims."""
USES = {
    "wheat_maize": "winter wheat and maize",
    "maize": "maize",
    "rice": "rice",
    "rice_rape": "rice and rapeseed",
    "vegetables": "vegetables",
    "orchard": "orchard",
    "greenhouse": "greenhouse vegetables",
    "pasture": "pasture",
    "abandoned": "none",
    "deciduous": "broadleaved trees",
    "evergreen": "broadleaved evergreen trees",
    "needle": "conifers",
    "pond": "fish pond",
    "yard": "industrial buildings",
    "solar": "solar plant",
}
"""What a borrower calls each cover."""
STAGES = ("planned", "site_cleared", "foundations", "structure", "complete")


def claim(
    parcel: Parcel, zones: Sequence[Zone], scenario: Scenario, number: int, rng: np.random.Generator
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Columns of the parcel contract, and one row per claim: what is claimed, what is so, whether it is true.

    Truth is that of the last day of the world.
    """
    lies = rng.random(3) < FALSE_SHARE
    stated: dict[str, Any] = {}
    judged: list[dict[str, Any]] = []

    def state(column: str, claimed: object, actual: object, is_true: bool) -> None:
        stated[column] = claimed
        judged.append({"claim": column, "claimed": str(claimed), "actual": str(actual), "is_true": is_true})

    area = parcel.area_m2 / 1e4
    factor = float(rng.uniform(1.25, 1.8)) if lies[0] else float(rng.uniform(0.985, 1.015))
    state("claim_area_ha", round(area * factor, 3), round(area, 4), not lies[0])
    first = zones[0]
    use = USES.get(first.cover, first.cover)
    others = sorted(USES[name] for name in (ROTATIONS | {"orchard", "greenhouse"}) if USES[name] != use)
    if parcel.asset_class == "agriculture":
        state("claim_use", str(rng.choice(others)) if lies[1] else use, use, not lies[1])
    elif parcel.asset_class == "forestry":
        state("claim_use", use, use, True)
    elif parcel.asset_class in ("construction", "solar", "wind"):
        _state_stage(zones, scenario, bool(lies[2]), rng, state)
    if parcel.asset_class == "solar" and first.cover == "solar":
        actual = parcel.area_m2 * (0.46 + 0.16 * parcel.traits.mix) * 0.20 / 1000  # modules of 200 W per m2
        claimed = actual * float(rng.uniform(1.4, 2.2)) if lies[1] else actual * float(rng.uniform(0.96, 1.04))
        state("claim_capacity_mw", round(claimed, 3), round(actual, 3), not lies[1])
    if number % 3 != 2:
        stated |= _loan(scenario, number)
    return stated, judged


def _state_stage(zones: Sequence[Zone], scenario: Scenario, is_lie: bool, rng: np.random.Generator, state: Any) -> None:
    last = scenario.weather.days.size - 1
    actual = stage_on(zones, last)
    ahead = STAGES[STAGES.index(actual) + 1 :]
    is_lie = is_lie and bool(ahead)
    state("claim_stage", str(rng.choice(ahead)) if is_lie else actual, actual, not is_lie)


def stage_on(zones: Sequence[Zone], last: int) -> str:
    """What an inspector would call a parcel on a day, one of `STAGES`."""
    stages = [zone.stage(last)[1] if zone.stage(last)[2] >= 0.5 else zone.stage(last)[0] for zone in zones]
    covers = {phase.cover for zone in zones for phase in zone.phases if phase.day <= last}
    if all(stage == "vegetated" for stage in stages):
        return "planned"
    if "roofed" in covers or "solar" in covers or "pad" in covers or zones[0].cover in ("yard", "solar"):
        return "complete" if "cleared" not in stages and "building" not in stages else "structure"
    if "shell" in covers:
        return "structure"
    return "foundations" if "foundations" in covers else "site_cleared"


def _loan(scenario: Scenario, number: int) -> dict[str, Any]:
    """Loans of one or two neighbouring parcels; outstanding by a rule, so that parcels of one loan agree."""
    loan = number // 3
    return {
        "loan_id": f"L-{scenario.site.tile}-{loan + 1:04d}",
        "loan_borrower_id": f"B-{scenario.site.tile}-{loan // 2 + 1:04d}",
        "loan_outstanding": float(200_000 + 37_000 * (loan % 17)),
        "loan_currency": "CNY",
        "loan_maturity": f"{2027 + loan % 5}-06-30",
    }
