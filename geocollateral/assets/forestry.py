"""Forestry: how much of the stand is alive, and when and where it was lost.

A pixel has lost its stand when greenness (NDVI, 10 m) *and* canopy water (NDMI, 20 m short-wave infrared) have both
left their season for good: haze lowers NDVI but not NDMI, shadow the other way round, clearing lowers both. Lost pixels
are kept if they touch others, and gathered into dated events.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy import ndimage

from geocollateral.assets.asset import ASSETS, AlertRule
from geocollateral.assets.claimed_days import SeenStand, judge_stand_planted, seen_stand
from geocollateral.assets.claims import judge_share, stated
from geocollateral.assets.forest_aftermath import AftermathParams, aftermath, decline_hit
from geocollateral.assets.forest_radar import ALONE, with_radar
from geocollateral.assets.forest_signature import BANDS as CAUSE_BANDS
from geocollateral.assets.radar_loss import RadarLossParams
from geocollateral.assets.refusal import too_little
from geocollateral.registry import Registry
from geocollateral.types import (
    CANNOT_TELL,
    CONFIRMED,
    SUSPECTED,
    UNSTABLE_HISTORY,
    ClaimCheck,
    Event,
    Hit,
    Judgement,
    Params,
    ParcelEvidence,
)

GREEN, WATER = "ndvi", "ndmi"
LOSS = "stand_loss"
"""Kind of the events found pixel by pixel."""
DAY = np.timedelta64(1, "D")
JUST_OVER_HALF = 0.501
"""Share of a felling's ground whose own days its interval holds."""


class ForestryParams(Params):
    """Knobs of the judgement of a forest."""

    min_full_pixels: int = Field(8, ge=1, description="Fewest whole pixels a parcel may be judged on (JRC limit).")
    min_visible: float = Field(0.9, gt=0, le=1, description="Smallest share of a parcel inside the imagery [1].")
    min_judged: float = Field(0.8, gt=0, le=1, description="Smallest share of a parcel with a usable baseline [1].")
    stand_ndvi: float = Field(0.65, description="Season maximum of NDVI from which a pixel was a closed stand [1].")
    stand_ndmi: float = Field(0.10, description="Season maximum of NDMI from which a pixel was a closed stand [1].")
    min_stand: float = Field(0.3, ge=0, le=1, description="Smallest share of a parcel that was stand at the start [1].")
    min_patch_pixels: int = Field(5, ge=1, description="Lost pixels that hang together; fewer are noise.")
    min_event_m2: float = Field(1000, gt=0, description="Smallest loss reported, the minimum mapping unit [m2].")
    join_days: int = Field(
        90, ge=0, description="Neighbouring losses seen this much sooner or later belong to one event [days]."
    )
    regrown_share: float = Field(0.5, gt=0, le=1, description="Share of an event's area that must be green again [1].")
    min_look_fraction: float = Field(
        0.5, gt=0, le=1, description="Clear share of a parcel from which a look counts [1]."
    )
    stale_days: int = Field(
        400, ge=30, description="Without a look that would show a loss for this long: cannot tell [days]."
    )
    aftermath: AftermathParams = Field(
        AftermathParams(), description="Knobs of causes, of the decline of what is left, and of regrowth."
    )
    radar: RadarLossParams = Field(RadarLossParams(), description="Knobs of a loss of stand seen by radar alone.")


@dataclass(frozen=True, kw_only=True)
class _Loss:
    """Merged verdict of both indices on each pixel; dates are days, NaT = none."""

    lost: NDArray[np.bool_]
    before: NDArray[np.datetime64]
    after: NDArray[np.datetime64]
    detected: NDArray[np.datetime64]
    recovered: NDArray[np.datetime64]
    probability: NDArray[np.float64]
    either: NDArray[np.bool_]


@dataclass(frozen=True)
class Forestry:
    """The asset class ``forestry``."""

    name: str = "forestry"
    indices: tuple[str, ...] = (GREEN, WATER)
    bands: tuple[str, ...] = ()
    optional: tuple[str, ...] = ("nbr", *CAUSE_BANDS)

    @property
    def monitoring(self) -> Sequence[Mapping[str, Mapping[str, Any]]]:
        """Only drops matter. The changed level is that of fresh clearings with ground vegetation."""
        return (
            {
                GREEN: {"direction": "down", "changed_level": 0.60, "min_magnitude": 0.12},
                WATER: {"direction": "down", "changed_level": 0.15, "min_magnitude": 0.10},
            },
        )

    def judge(self, evidence: ParcelEvidence, params: ForestryParams) -> Judgement:
        """Living share of the stand, lost area and dated events of one parcel."""
        refusal = _why_not(evidence, params)
        if refusal:
            return _cannot_tell(refusal, evidence)
        stand = _was_stand(evidence, params)
        share = float(evidence.area_m2[stand].sum() / evidence.area_m2.sum())
        if share < params.min_stand:
            reason = (
                f"Only {share:.0%} of the parcel looked like closed forest in its history, less than the "
                f"{params.min_stand:.0%} needed: there is no stand whose loss could be judged."
            )
            return _cannot_tell(reason, evidence, seen_stand(evidence, share, (), params.min_look_fraction))
        loss = _drop_specks(_merge(evidence, stand), evidence, params)
        events = _events(loss, evidence, params)
        after = aftermath(evidence, stand, events, params.aftermath)
        levels = (params.stand_ndvi, params.stand_ndmi)
        losses = with_radar(evidence, stand, after.events, levels, params.min_look_fraction, params.radar)
        told = _judgement(evidence, stand, loss, losses, params)
        planted = judge_stand_planted(
            evidence.attributes, seen_stand(evidence, share, losses, params.min_look_fraction)
        )
        return replace(
            told,
            reason=f"{told.reason} {after.sentence}".strip(),
            columns={**told.columns, **after.columns},
            events=(*told.events, *([] if after.decline is None else [after.decline])),
            claims=(*told.claims, *stated(planted)),
            tables=after.tables,
        )

    def hits(self, evidence: ParcelEvidence, judgement: Judgement, params: ForestryParams) -> Sequence[Hit]:
        """What `RULES` fire on."""
        return [hit for rule in RULES.values() for hit in rule(evidence, judgement)]


RULES: Registry[AlertRule] = Registry("forestry alert rule")
FORESTRY = Forestry()
ASSETS.register(FORESTRY.name)(FORESTRY)


def _why_not(evidence: ParcelEvidence, params: ForestryParams) -> str:
    """Reason why the parcel cannot be judged, or nothing."""
    refusal = too_little(evidence, params.min_visible, params.min_full_pixels)
    if refusal:
        return refusal
    seen = evidence.look_days[evidence.look_fraction >= params.min_look_fraction]
    if not len(seen):
        return f"No look with at least {params.min_look_fraction:.0%} of the parcel free of cloud, shadow and snow."
    told = _last_informative(evidence)
    if told is not None and (evidence.as_of - told).days > params.stale_days:
        return (
            f"The last look that would show a loss is {(evidence.as_of - told).days} days old ({told}): what stands "
            "there now is not known."
        )
    total = evidence.area_m2.sum()
    unstable = _status(evidence, UNSTABLE_HISTORY).any(axis=0)
    judged = ~_status(evidence, CANNOT_TELL).any(axis=0) & ~unstable
    if evidence.area_m2[judged].sum() / total < params.min_judged:
        if evidence.area_m2[unstable].sum() / total > 1 - params.min_judged:
            return "The stand was already changing in the history that should serve as its baseline."
        return (
            f"Too few clear looks: {len(seen)} up to {evidence.as_of}, not enough for a seasonal baseline and a look "
            "in leaf after it."
        )
    return ""


def _status(evidence: ParcelEvidence, value: int) -> NDArray[np.bool_]:
    return np.stack([evidence.pixels[index].status == value for index in (GREEN, WATER)])


def _was_stand(evidence: ParcelEvidence, params: ForestryParams) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        green = evidence.pixels[GREEN].season_max >= params.stand_ndvi
        water = evidence.pixels[WATER].season_max >= params.stand_ndmi
    return np.asarray(green & water)


def _merge(evidence: ParcelEvidence, stand: NDArray[np.bool_]) -> _Loss:
    """Greenness must have broken where there was a stand, and canopy water on or beside the pixel.

    Canopy water is seen on 20 m pixels, whose light comes from more than their own ground: on a clearing narrower than
    two of them it breaks on some only. Where both broke on the same pixel their date intervals are intersected, or
    joined if they disagree; elsewhere greenness alone gives the dates.
    """
    green, water = evidence.pixels[GREEN], evidence.pixels[WATER]
    dry = (water.status == CONFIRMED) & stand
    green_lost = (green.status == CONFIRMED) & stand
    witnessed = _earliest_beside(np.where(dry, water.detected_on, np.datetime64("NaT")), evidence)
    lost = green_lost & ~np.isnat(witnessed)
    overlap = np.maximum(green.last_clear_before, water.last_clear_before) < np.minimum(
        green.first_clear_after, water.first_clear_after
    )
    before = np.where(overlap, *_pair(np.maximum, np.minimum, green.last_clear_before, water.last_clear_before))
    after = np.where(overlap, *_pair(np.minimum, np.maximum, green.first_clear_after, water.first_clear_after))
    return _Loss(
        lost=lost,
        before=np.where(dry, before, green.last_clear_before),
        after=np.where(dry, after, green.first_clear_after),
        detected=np.maximum(green.detected_on, witnessed),
        recovered=np.where(dry, np.maximum(green.recovered_on, water.recovered_on), green.recovered_on),
        probability=np.where(dry, np.fmin(green.probability, water.probability), green.probability),
        either=green_lost | dry,
    )


def _earliest_beside(days: NDArray[np.datetime64], evidence: ParcelEvidence) -> NDArray[np.datetime64]:
    """Earliest day on a pixel and the eight around it; NaT where none has one."""
    never = 10**9  # days; exact as a float, which the filter works with
    mask = ~np.isnat(days)
    plane, row, col = _plane(mask, evidence)
    count = np.full(plane.shape, never)
    count[row[mask], col[mask]] = days[mask].astype("datetime64[D]").astype(np.int64)
    earliest = ndimage.minimum_filter(count, size=3, mode="constant", cval=never)[row, col]
    return np.where(earliest == never, np.datetime64("NaT"), earliest.astype("datetime64[D]"))


def _beside(mask: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.bool_]:
    """Pixels that are masked or touch a masked one (eight neighbours)."""
    plane, row, col = _plane(mask, evidence)
    grown: NDArray[np.bool_] = np.asarray(ndimage.binary_dilation(plane, np.ones((3, 3)))[row, col])
    return grown


def _pair(
    first: np.ufunc, second: np.ufunc, a: NDArray[np.datetime64], b: NDArray[np.datetime64]
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    return first(a, b), second(a, b)


def _drop_specks(loss: _Loss, evidence: ParcelEvidence, params: ForestryParams) -> _Loss:
    labels = _patches(loss.lost, evidence)
    size = np.bincount(labels, minlength=1)
    keep = loss.lost & (size[labels] >= params.min_patch_pixels)
    return replace(loss, lost=keep)


def _patches(mask: NDArray[np.bool_], evidence: ParcelEvidence) -> NDArray[np.int64]:
    """Number of the patch of touching pixels (eight neighbours) each masked pixel belongs to, 0 = none."""
    plane, row, col = _plane(mask, evidence)
    labels, _ = ndimage.label(plane, np.ones((3, 3)))
    found: NDArray[np.int64] = np.asarray(labels[row, col], np.int64)
    return found


def _plane(
    mask: NDArray[np.bool_], evidence: ParcelEvidence
) -> tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """The mask as a picture of the parcel's frame, and where in it each pixel lies."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    plane = np.zeros((row.max() + 1, col.max() + 1), bool)
    plane[row, col] = mask
    return plane, row, col


def _events(loss: _Loss, evidence: ParcelEvidence, params: ForestryParams) -> tuple[Event, ...]:
    """Gather lost pixels by place, then by date; fellings whose dates agree are one event, wherever they lie.

    A patch is dated by the interval that most of its area agrees on, and may hold several fellings one after the other.
    What is left below the minimum mapping unit is no event; it still widens the range of the lost area.
    """
    gathered: list[_Felling] = []
    for felling in sorted(_fellings(loss, evidence, params), key=lambda f: -evidence.area_m2[f.member].sum()):
        same = next((n for n, known in enumerate(gathered) if felling.agrees_with(known)), None)
        if same is None:
            gathered.append(felling)
        else:
            gathered[same] = replace(gathered[same], member=gathered[same].member | felling.member)
    large = [f for f in gathered if evidence.area_m2[f.member].sum() >= params.min_event_m2]
    found = [_event(loss, evidence, f.member, f.before, f.after, params) for f in large]
    return tuple(sorted(found, key=lambda event: (event.first_clear_after, -event.area_m2)))


@dataclass(frozen=True, kw_only=True)
class _Felling:
    """Lost pixels and the interval that most of them agree on."""

    member: NDArray[np.bool_]
    before: np.datetime64
    after: np.datetime64

    def agrees_with(self, other: _Felling) -> bool:
        return bool(self.before < other.after and other.before < self.after)


def _fellings(loss: _Loss, evidence: ParcelEvidence, params: ForestryParams) -> Iterator[_Felling]:
    patches = _patches(loss.lost, evidence)
    wait = params.join_days * DAY
    for patch in range(1, int(patches.max(initial=0)) + 1):
        left = patches == patch
        while left.any():
            before, after = _leading_interval(loss, evidence.area_m2, left)
            # Within a patch, pixels dated somewhat sooner or later belong to the felling: its edges show it later. So
            # do pixels first seen changed on the very look that the others count as their last before: a slight early
            # hit is passed over where a stronger one follows, and dates the pixel where none does.
            member = left & (loss.after >= min(before, after - wait)) & (loss.after <= after + wait)
            if (left & ~member).sum() < params.min_patch_pixels:
                member = left
            # Ragged edges are dated look by look: the interval must not be surer than half of the ground is.
            half = _weighted_date(loss.before[member], evidence.area_m2[member], JUST_OVER_HALF)
            yield _Felling(member=member, before=min(before, half), after=after)
            left = left & ~member


def _leading_interval(
    loss: _Loss, area: NDArray[np.float64], among: NDArray[np.bool_]
) -> tuple[np.datetime64, np.datetime64]:
    pairs = np.stack([loss.before[among], loss.after[among]], axis=1).astype("datetime64[D]").astype(np.int64)
    unique, inverse = np.unique(pairs, axis=0, return_inverse=True)
    weight = np.bincount(inverse.ravel(), weights=area[among])
    before, after = unique[int(np.argmax(weight))]
    return np.datetime64(int(before), "D"), np.datetime64(int(after), "D")


def _event(
    loss: _Loss,
    evidence: ParcelEvidence,
    member: NDArray[np.bool_],
    before: np.datetime64,
    after: np.datetime64,
    params: ForestryParams,
) -> Event:
    area = evidence.area_m2
    green = evidence.pixels[GREEN]
    touched = float(area[member].sum())
    share = _lost_share(-green.magnitude, area, member)
    core = share >= 0.5
    fringe = loss.either & ~loss.lost & _beside(member, evidence)
    regrown = member & ~np.isnat(loss.recovered)
    recovered = None
    if area[regrown].sum() >= params.regrown_share * touched:
        recovered = _day(_weighted_date(loss.recovered[regrown], area[regrown], params.regrown_share))
    # Confirmed, for the event, on the look from which the minimum mapping unit is confirmed.
    order = np.argsort(loss.detected[member], kind="stable")
    reached = np.cumsum(area[member][order])
    detected = loss.detected[member][order][int(np.searchsorted(reached, min(params.min_event_m2, reached[-1])))]
    detected = max(detected, after)  # pixels dated sooner may have been confirmed before the look that dates the event
    weight = area[member] / touched
    alike = float(weight[(loss.before[member] < after) & (loss.after[member] > before)].sum())
    magnitude = float((green.magnitude[member] * weight).sum())
    return Event(
        kind=LOSS,
        last_clear_before=_day(before),
        first_clear_after=_day(after),
        detected_on=_day(detected),
        recovered_on=recovered,
        area_m2=float((area * share).sum()),
        area_low_m2=float((area * share)[core].sum()),
        area_high_m2=touched + float(area[fringe].sum()),
        magnitude=magnitude,
        probability=float((loss.probability[member] * weight).sum()),
        indices=(GREEN, WATER),
        pixels=tuple(np.flatnonzero(member).tolist()),
        reasons=(
            f"NDVI fell by {-magnitude:.2f} below its season on {int(member.sum())} pixels, NDMI fell with it.",
            f"Last clear look with the stand in place {before}, first without {after}"
            + (f" ({alike:.0%} of the area; the rest was dated sooner or later)" if alike < 0.95 else "")
            + f"; confirmed {_day(detected)}.",
        ),
    )


def _lost_share(
    departure: NDArray[np.float64], area: NDArray[np.float64], member: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Share of each pixel of an event that is cleared [0-1]; 0 outside the event.

    A pixel on the edge mixes cleared and standing ground and departs less. Counted whole, edges would make a narrow
    clearing half as large again; the departure of the event's own clearest tenth stands for a wholly cleared pixel.
    """
    ranked = np.argsort(departure[member], kind="stable")
    reached = np.cumsum(area[member][ranked])
    whole = departure[member][ranked][int(np.searchsorted(reached, 0.9 * reached[-1]))]
    return np.where(member, np.clip(departure / whole, 0.0, 1.0), 0.0)


def _weighted_date(dates: NDArray[np.datetime64], area: NDArray[np.float64], share: float) -> np.datetime64:
    order = np.argsort(dates, kind="stable")
    reached = np.cumsum(area[order])
    found: np.datetime64 = dates[order][int(np.searchsorted(reached, share * reached[-1]))]
    return found


def _judgement(
    evidence: ParcelEvidence,
    stand: NDArray[np.bool_],
    loss: _Loss,
    events: tuple[Event, ...],
    params: ForestryParams,
) -> Judgement:
    area = evidence.area_m2
    scale = float(evidence.attributes["obs_area_m2"]) / float(
        area.sum()
    )  # the sliver outside the imagery, by rule of three
    stand_m2 = float(area[stand].sum()) * scale
    lasting = [event for event in events if event.sensors != ALONE or event.recovered_on is None]
    lost_m2 = sum(event.area_m2 for event in lasting) * scale
    low = sum(event.area_low_m2 for event in lasting) * scale
    high = sum(event.area_high_m2 for event in lasting) * scale
    counted = {pixel for event in lasting for pixel in event.pixels}
    high += sum(float(area[pixel]) for pixel in np.flatnonzero(loss.lost).tolist() if pixel not in counted) * scale
    suspected_m2 = _suspected_area(evidence, stand, loss, params) * scale
    living = tuple(max(stand_m2 - gone, 0.0) for gone in (high + suspected_m2, lost_m2, low))
    columns = {
        "obs_stand_m2": stand_m2,
        "obs_living_m2": living[1],
        "obs_living_share_frac": living[1] / stand_m2,
        "chg_disturbed_m2": lost_m2,
        "chg_disturbed_low_m2": low,
        "chg_disturbed_high_m2": high,
        "chg_suspected_m2": suspected_m2,
        "chg_first_informative": _middle_day(evidence.pixels[GREEN].first_informative, evidence.area_m2, newest=False),
        "chg_last_informative": _last_informative(evidence),
    }
    return Judgement(
        status="ok",
        reason=_in_words(evidence, events, columns),
        columns=columns,
        quantity=(living[0] / 1e4, living[1] / 1e4, living[2] / 1e4),
        quantity_unit="ha",
        events=events,
        yearly=_year_by_year(evidence, lasting, stand_m2, scale, params),
        claims=stated(_living_claim(evidence, stand, living, params)),
    )


def _living_claim(
    evidence: ParcelEvidence, stand: NDArray[np.bool_], living_m2: tuple[float, ...], params: ForestryParams
) -> ClaimCheck | None:
    """The claimed living stand against the observed one; both are shares of the parcel.

    Pixels where the stand meets other ground show both: those beside it may be stand, and half of its own rim may not.
    """
    whole = float(evidence.attributes["obs_area_m2"])
    scale = whole / float(evidence.area_m2.sum())
    beside = float(evidence.area_m2[~stand & _beside(stand, evidence)].sum()) * scale
    rim = float(evidence.area_m2[stand & _beside(~stand, evidence)].sum()) * scale
    low, middle, high = living_m2
    return judge_share(
        "living",
        evidence.attributes,
        "claim_living_share_frac",
        (max(low - rim / 2, 0.0) / whole, middle / whole, min(high + beside, whole) / whole),
        what="living stand",
        n_looks=int((evidence.look_fraction >= params.min_look_fraction).sum()),
        n_pixels=len(evidence.area_m2),
    )


def _in_words(evidence: ParcelEvidence, events: tuple[Event, ...], columns: Mapping[str, Any]) -> str:
    if events:
        losses = "1 loss" if len(events) == 1 else f"{len(events)} losses"
        text = f"{losses} of stand confirmed, {columns['chg_disturbed_m2'] / 1e4:.2f} ha in all."
    else:
        text = "No lasting loss of stand found."
    if columns["chg_suspected_m2"]:
        text += f" A further loss of {columns['chg_suspected_m2'] / 1e4:.2f} ha is suspected and not yet confirmed."
    last: dt.date | None = columns["chg_last_informative"]
    if last is not None and last < evidence.as_of:
        newest = evidence.look_days[-1].astype(dt.date) if len(evidence.look_days) else last
        if newest > last:
            text += f" Looks after {last} were leafless or in leaf change and cannot tell a felling."
    return text


def _suspected_area(evidence: ParcelEvidence, stand: NDArray[np.bool_], loss: _Loss, params: ForestryParams) -> float:
    """Area that both indices suspect or confirm, that is not lost yet; 0 below the minimum mapping unit [m2]."""
    doubt = [
        np.isin(evidence.pixels[index].status, (SUSPECTED, CONFIRMED)) & stand & ~loss.lost for index in (GREEN, WATER)
    ]
    mask = doubt[0] & _beside(doubt[1], evidence)
    patches = _patches(mask, evidence)
    mask &= np.bincount(patches, minlength=1)[patches] >= params.min_patch_pixels
    area = float(evidence.area_m2[mask].sum())
    return area if area >= params.min_event_m2 else 0.0


def _last_informative(evidence: ParcelEvidence) -> dt.date | None:
    """Newest day by which half of the parcel or more was last seen in a state that would show a loss."""
    return _middle_day(evidence.pixels[GREEN].last_informative, evidence.area_m2, newest=True)


def _middle_day(days: NDArray[np.datetime64], area: NDArray[np.float64], *, newest: bool) -> dt.date | None:
    """Day that half of the area has reached, counted from the newest or the oldest; None if half of it has no day."""
    seen = ~np.isnat(days)
    half = 0.5 * area.sum()
    if not len(days) or area[seen].sum() < half:
        return None
    order = np.argsort(days[seen], kind="stable")
    order = order[::-1] if newest else order
    reached = np.cumsum(area[seen][order])
    return _day(days[seen][order][min(int(np.searchsorted(reached, half)), len(order) - 1)])


def _year_by_year(
    evidence: ParcelEvidence, events: Sequence[Event], stand_m2: float, scale: float, params: ForestryParams
) -> tuple[Mapping[str, Any], ...]:
    """Share of the stand at the start still living at the end of each year, as known at ``as_of``.

    None for the years of the baseline, which nothing was compared with, and for years without a look that would tell.
    """
    looks = evidence.look_days[evidence.look_fraction >= params.min_look_fraction]
    years = looks.astype("datetime64[Y]").astype(int) + 1970
    first = _middle_day(evidence.pixels[GREEN].first_informative, evidence.area_m2, newest=False)
    last = _last_informative(evidence)
    rows = []
    for year in range(int(years.min()), evidence.as_of.year + 1):
        told = first is not None and last is not None and first.year <= year <= last.year
        gone = sum(event.area_m2 for event in events if event.first_clear_after.year <= year) * scale
        here = sum(event.area_m2 for event in events if event.first_clear_after.year == year) * scale
        rows.append(
            {
                "year": year,
                "living_share": max(1 - gone / stand_m2, 0.0) if told else None,
                "disturbed_m2": here if told else None,
                "n_looks": int((years == year).sum()),
            }
        )
    return tuple(rows)


@RULES.register("stand_loss")
def stand_loss(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Every confirmed loss; severe by its area and by its share of the parcel."""
    return [_stand_loss(evidence, event) for event in judgement.events if event.kind == LOSS]


@RULES.register("stand_decline")
def stand_decline(evidence: ParcelEvidence, judgement: Judgement) -> list[Hit]:
    """Thinning or dying of a stand that stays a stand; severe by the share of its canopy that it took."""
    return [decline_hit(evidence, event) for event in judgement.events if event.kind != LOSS]


def _stand_loss(evidence: ParcelEvidence, event: Event) -> Hit:
    share = event.area_m2 / float(evidence.area_m2.sum())
    measure = "vh_change_db" if event.sensors == ALONE else "ndvi_magnitude"
    severity: Literal["low", "medium", "high"] = "low"
    if share >= 0.2 or event.area_m2 >= 10_000:
        severity = "high"
    elif share >= 0.05 or event.area_m2 >= 3_000:
        severity = "medium"
    return Hit(
        parcel_id=evidence.parcel_id,
        rule="stand_loss",
        severity=severity,
        event=event,
        sensors=event.sensors,
        evidence={
            "area_low_m2": round(event.area_low_m2, 1),
            "area_high_m2": round(event.area_high_m2, 1),
            "share_of_parcel": round(share, 4),
            measure: round(event.magnitude, 4),
            "recovered_on": None if event.recovered_on is None else event.recovered_on.isoformat(),
        },
        reasons=(f"{event.area_m2 / 1e4:.2f} ha of stand lost, {share:.0%} of the parcel.", *event.reasons),
        # Radar alone has been judged on simulated stands only, and its area is stated to a half.
        operating_point="early_warning" if event.sensors == ALONE else "confirmed",
    )


def _cannot_tell(reason: str, evidence: ParcelEvidence, seen: SeenStand | None = None) -> Judgement:
    names = ("obs_stand_m2", "obs_living_m2", "obs_living_share_frac", "chg_disturbed_m2")
    claim = judge_share(
        "living", evidence.attributes, "claim_living_share_frac", None, what="living stand", why_not=reason
    )
    return Judgement(
        status="cannot_tell",
        reason=reason,
        columns=dict.fromkeys(names),
        quantity=None,
        quantity_unit="ha",
        events=(),
        yearly=(),
        claims=stated(claim, judge_stand_planted(evidence.attributes, seen)),
    )


def _day(value: np.datetime64) -> dt.date:
    day: dt.date = value.astype("datetime64[D]").astype(dt.date)
    return day


__all__ = ["FORESTRY", "RULES", "Forestry", "ForestryParams"]
