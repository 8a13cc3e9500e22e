"""Wind farms: pads of gravel and concrete from which turbines stand, counted as patches that left the land for good.

At 10 m a turbine is not seen: its pad of some 40 m is, and the crane's hardstanding. A tower, blades or output
cannot be told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.assets import stages
from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.claims import claimed_number, stated, untold
from geocollateral.assets.refusal import SiteParams, day_of, why_not
from geocollateral.assets.stages import StageParams, StagePath
from geocollateral.registry import Registry
from geocollateral.types import ClaimCheck, Event, Hit, Judgement, ParcelEvidence

MEGAWATTS = (2.0, 4.0, 7.0)
"""Low, middle and high rating of an onshore turbine put up since 2015 [MW]; IEA Wind TCP annual reports, to be
stated by the lender
where the model is known."""
DAY = np.timedelta64(1, "D")


class WindParams(SiteParams):
    """Knobs of the judgement of a wind farm."""

    stages: StageParams = Field(StageParams(), description="Knobs of the stages of each pixel.")
    learn_days: int = Field(365, ge=0, description="History before works can be told from farming [days].")
    sure: float = Field(0.65, gt=0.5, lt=1, description="Probability from which a pixel counts as changed [1].")
    min_pad_pixels: int = Field(8, ge=5, description="Fewest pixels of a pad, the minimum mapping unit.")
    max_pad_m2: float = Field(20_000, gt=0, description="Larger patches are no pads [m2].")
    max_doubt: float = Field(
        0.05, gt=0, le=1, description="Largest mean probability of works on the rest of the parcel [1]."
    )
    max_pad_share: float = Field(0.5, gt=0, le=1, description="Largest share of a parcel that pads take [1].")
    lasting_days: int = Field(20, ge=0, description="Days over which a pad must be seen [days].")


@dataclass(frozen=True)
class Wind:
    """The asset class ``wind``."""

    name: str = "wind"
    indices: tuple[str, ...] = ("ndvi", "mndwi")
    bands: tuple[str, ...] = ("blue", "green", "red", "nir", "swir16")
    optional: tuple[str, ...] = ("nir08", "swir22")

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """None: pads are told by their stages."""
        return ()

    def judge(self, evidence: ParcelEvidence, params: WindParams) -> Judgement:
        """Pads of one parcel."""
        refusal = why_not(evidence, params)
        if refusal:
            return _cannot_tell(refusal)
        path = stages.follow(evidence, params.stages)
        events = _events(evidence, path, params)
        return _judgement(evidence, events, params)

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: WindParams) -> Sequence[Hit]:
        """What `RULES` fire on."""
        return [hit for rule in RULES.values() for hit in rule(evidence, judgement)]


RULES: Registry[AlertRule] = Registry("wind alert rule")
WIND = Wind()
ASSETS.register(WIND.name)(WIND)


def _events(evidence: ParcelEvidence, path: StagePath, params: WindParams) -> tuple[Event, ...]:
    """One event per pad, on the look that told it."""
    steps = np.flatnonzero(path.optical & (path.fraction >= params.min_look_fraction))
    days = path.days[steps]
    works = path.known[steps][:, :, stages.WORKS].sum(axis=2)
    was_land = np.maximum.accumulate(path.known[steps, :, stages.LAND], axis=0) > 0.8
    mask = was_land & (works >= params.sure)
    taken = np.zeros(len(path.area_m2), bool)
    found: list[Event] = []
    since: dict[int, np.datetime64] = {}
    for n in np.flatnonzero(days - path.days[0] >= params.learn_days * DAY):
        # A pad stands out: where the field around it may be cleared too, its own bare patches would be counted.
        around = float(np.average(works[n] * ~mask[n], weights=path.area_m2))
        clear = around <= params.max_doubt and mask[n] @ path.area_m2 <= params.max_pad_share * path.area_m2.sum()
        pads = [pad for pad in _pads(mask[n], evidence, params) if not taken[pad].any()] if clear else []
        seen: dict[int, np.datetime64] = {}
        for pad in pads:
            first = min((since[k] for k in np.flatnonzero(pad).tolist() if k in since), default=days[n])
            seen |= {int(k): first for k in np.flatnonzero(pad)}
            if days[n] - first >= params.lasting_days * DAY:
                found.append(_pad(path, steps, works, int(n), pad))
                taken |= _grown(pad, evidence)
        since = seen
    return tuple(found)


def _pads(mask: NDArray[np.bool_], evidence: ParcelEvidence, params: WindParams) -> list[NDArray[np.bool_]]:
    """Patches of the mask that have the size of a pad and, somewhere, its width."""
    if mask.sum() < params.min_pad_pixels:
        return []
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    plane = np.zeros((row.max() + 1, col.max() + 1), bool)
    plane[row, col] = mask
    core = ndimage.binary_opening(plane, np.ones((2, 2)))
    labels, n = ndimage.label(core, np.ones((3, 3)))
    own = labels[row, col]
    found = []
    for k in range(1, n + 1):
        pad = own == k
        if pad.sum() >= params.min_pad_pixels and evidence.area_m2[pad].sum() <= params.max_pad_m2:
            found.append(pad)
    return found


def _grown(pad: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    """The pad and what lies within 50 m of it: another turbine does not stand there."""
    away = np.hypot(
        evidence.row[:, None] - evidence.row[pad][None, :], evidence.col[:, None] - evidence.col[pad][None, :]
    )
    return np.asarray(away.min(axis=1) <= 5)


def _pad(
    path: StagePath, steps: NDArray[np.int64], works: NDArray[np.float32], n: int, pad: NDArray[np.bool_]
) -> Event:
    area = float(path.area_m2[pad].sum())
    later = path.later[steps[: n + 1]][:, pad, stages.WORKS].sum(axis=2).mean(axis=1)
    land = np.flatnonzero(later[:n] < 0.5)
    last = int(land[-1]) if len(land) else 0
    before, after, told = (day_of(path.days[steps[k]]) for k in (last, min(last + 1, n), n))
    return Event(
        kind="wind_build",
        last_clear_before=before,
        first_clear_after=after,
        detected_on=told,
        recovered_on=None,
        area_m2=area,
        area_low_m2=0.6 * area,
        area_high_m2=1.6 * area,
        magnitude=area,
        probability=float(works[n][pad].mean()),
        indices=("stages",),
        pixels=tuple(np.flatnonzero(pad).tolist()),
        sensors=("sentinel-2",) if path.optical.all() else ("sentinel-2", "sentinel-1"),
        reasons=(
            (
                f"A patch of {area:,.0f} m2 left the land around it and has stayed open ground, gravel or concrete: "
                f"the size of a "
                "turbine's pad."
            ),
            f"Last clear look as land {before}, first as open ground {after}; told on {told}.",
        ),
    )


def _judgement(evidence: ParcelEvidence, events: tuple[Event, ...], params: WindParams) -> Judgement:
    n = len(events)
    quantity = (n * MEGAWATTS[0], n * MEGAWATTS[1], n * MEGAWATTS[2]) if n else None
    reason = (
        f"{n} pad{'s' if n > 1 else ''} of a turbine's size since {events[0].first_clear_after}: "
        f"{n * MEGAWATTS[0]:.0f} to "
        f"{n * MEGAWATTS[2]:.0f} MW if each carries one turbine. Towers and blades cannot be seen at 10 m."
        if n
        else f"No new pad of {params.min_pad_pixels * 100} m2 or more. Turbines that stood before the first year "
        "of looks, and smaller pads, cannot be told at 10 m: their number needs finer pictures."
    )
    return Judgement(
        status="ok",
        reason=reason,
        columns={"obs_new_pads": n},
        quantity=quantity,
        quantity_unit="mw",
        events=events,
        yearly=(),
        claims=stated(_count_claim(evidence, n), _capacity_claim(evidence, n)),
    )


def _count_claim(evidence: ParcelEvidence, n: int) -> ClaimCheck | None:
    """As many new pads as turbines claimed is a match; fewer is no mismatch, since older pads are not told."""
    claimed = claimed_number(evidence.attributes, "claim_turbine_count")
    if claimed is None:
        return None
    enough = n > 0 and n >= claimed
    looks, pixels = len(evidence.look_days), len(evidence.area_m2)
    reason = f"Claimed {claimed:.0f} turbines; {n} new pads seen, older ones are not told at 10 m."
    if not enough:
        return untold("turbines", claimed, reason, unit="n", n_looks=looks, n_pixels=pixels)
    return ClaimCheck(
        claim="turbines",
        verdict="match",
        claimed=claimed,
        observed=float(n),
        low=float(n),
        high=float(n),
        unit="n",
        tolerance=None,
        n_looks=looks,
        n_pixels=pixels,
        reason=reason,
    )


def _capacity_claim(evidence: ParcelEvidence, n: int) -> ClaimCheck | None:
    """Turbines are not seen, so their capacity is not either; what the pads could carry is said."""
    claimed = claimed_number(evidence.attributes, "claim_capacity_mw")
    if claimed is None:
        return None
    low, _, high = (n * megawatts for megawatts in MEGAWATTS)
    carry = f"{n} new pads would carry {low:.0f} to {high:.0f} MW" if n else "no new pad is seen"
    reason = f"Claimed {claimed:,.2f} MW; {carry}. Turbines and older pads are not told at 10 m."
    looks, pixels = len(evidence.look_days), len(evidence.area_m2)
    return untold("capacity", claimed, reason, unit="mw", n_looks=looks, n_pixels=pixels)


@RULES.register("wind_build")
def wind_build(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """A pad was built: a milestone."""
    return [
        Hit(
            parcel_id=evidence.parcel_id,
            rule="wind_build",
            severity="low",
            event=event,
            sensors=event.sensors,
            evidence={"area_low_m2": round(event.area_low_m2, 1), "area_high_m2": round(event.area_high_m2, 1)},
            reasons=event.reasons,
        )
        for event in judgement.events
    ]


def _cannot_tell(reason: str) -> Judgement:
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns={"obs_new_pads": None},
        quantity=None,
        quantity_unit="mw",
        events=(),
        yearly=(),
    )


__all__ = ["RULES", "WIND", "Wind", "WindParams"]
