"""Losses of stand that radar told, beside those of optical looks: which are said, which are one and the same.

Each optical look that shows a pixel as a closed stand voids what radar made of it before, so radar tells a loss only in
the time since. When optical
looks tell it later it is one event of both sensors, with the optical dates and area, known since the earlier day.
Optical looks that later show the stand in place end it: it stays in the record as recovered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geocollateral.assets.radar_loss import InPlace, RadarLoss, RadarLossParams, radar_losses
from geocollateral.types import Event, ParcelEvidence

GREEN, WATER = "ndvi", "ndmi"
JOIN_DAYS = 90
"""Radar and optical looks date one loss at most so far apart [days]."""
MOST = 0.75
"""Share of a loss that must look like a stand for it to be in place again [1]."""
BOTH, ALONE = ("sentinel-2", "sentinel-1"), ("sentinel-1",)
Levels = tuple[float, float]
"""NDVI and NDMI from which a pixel is a closed stand [1]."""


def with_radar(
    evidence: ParcelEvidence,
    stand: NDArray[np.bool_],
    events: Sequence[Event],
    levels: Levels,
    min_look_fraction: float,
    params: RadarLossParams,
) -> tuple[Event, ...]:
    """Losses of both sensors.

    Parameters
    ----------
    stand
        Shape (pixel,): ground that was stand at the start.
    events
        Losses told by optical looks.
    levels
        What an optical look must show for the stand to be in place.
    min_look_fraction
        Share of a loss seen clearly from which such a look counts [0-1].
    """
    optical, alone = list(events), []
    in_place = _in_place(evidence, levels)
    for loss in radar_losses(evidence, stand, params, in_place):
        same = [n for n, event in enumerate(optical) if _same(event, loss)]
        if same:
            optical[same[0]] = _joined(optical[same[0]], loss)
        elif not any(_gone_before(event, loss, evidence) for event in optical):
            green = _looks_in_place(in_place, loss.member, evidence, min_look_fraction)
            alone.append(_event(loss, evidence, green))
    return tuple(sorted([*optical, *alone], key=lambda event: (event.first_clear_after, -event.area_m2)))


def _same(event: Event, loss: RadarLoss) -> bool:
    near = np.timedelta64(JOIN_DAYS, "D")
    before, after = np.datetime64(event.last_clear_before), np.datetime64(event.first_clear_after)
    shared = bool(loss.member[list(event.pixels)].any())
    return shared and bool(loss.before - near <= after) and bool(before <= loss.detected)


def _gone_before(event: Event, loss: RadarLoss, evidence: ParcelEvidence) -> bool:
    """Whether most of what radar told had been told lost by then."""
    if np.datetime64(event.detected_on) > loss.detected:
        return False
    known = np.zeros(len(loss.member), bool)
    known[list(event.pixels)] = True
    return float(evidence.area_m2[known & loss.member].sum()) >= 0.5 * float(evidence.area_m2[loss.member].sum())


def _joined(event: Event, loss: RadarLoss) -> Event:
    told, after = _day(loss.detected), _day(loss.after)
    first = event.first_clear_after
    if told < first:  # the first look that showed it is the radar's: no event is known before it
        first = min(max(after, event.last_clear_before), told)
    return replace(
        event,
        first_clear_after=first,
        detected_on=min(event.detected_on, told),
        sensors=BOTH,
        reasons=(*event.reasons, f"Radar told it too: {_words(loss)}"),
    )


def _event(loss: RadarLoss, evidence: ParcelEvidence, green: NDArray[np.datetime64]) -> Event:
    area = float(evidence.area_m2[loss.member].sum())
    # A neighbourhood holds some lost ground up to its half side away: the area is told to about a half.
    later = green[green > loss.detected]
    recovered = None if len(later) < 2 else _day(later[0])
    seen = () if recovered is None else (f"Optical looks since {recovered} show the stand in place.",)
    return Event(
        kind="stand_loss",
        last_clear_before=_day(max([loss.before, *green[green < loss.after]])),
        first_clear_after=_day(loss.after),
        detected_on=_day(loss.detected),
        recovered_on=recovered,
        area_m2=area,
        area_low_m2=0.5 * area,
        area_high_m2=1.5 * area,
        magnitude=loss.fall_db,
        probability=loss.probability,
        indices=("vh",),
        pixels=tuple(np.flatnonzero(loss.member).tolist()),
        reasons=(f"Told by radar alone: {_words(loss)}", "Optical looks have not told it yet.", *seen),
        sensors=ALONE,
    )


def _words(loss: RadarLoss) -> str:
    vv = (
        f" and VV {'rose' if loss.vv_db > 0 else 'fell'} by {abs(loss.vv_db):.1f} dB" if abs(loss.vv_db) >= 0.05 else ""
    )
    orbits = "1 orbit" if loss.orbits == 1 else f"{loss.orbits} orbits"
    return (
        f"backscatter VH fell by {-loss.fall_db:.1f} dB{vv} against the same season and the forests around on "
        f"{loss.looks} looks of {orbits} up to {loss.detected}, beginning between {loss.before} and {loss.after}."
    )


def _in_place(evidence: ParcelEvidence, levels: Levels) -> InPlace:
    """Looks and pixels that looked like a closed stand."""
    days = evidence.look_days.astype("datetime64[D]").astype(np.int64)
    if evidence.indices is None or not {GREEN, WATER} <= set(evidence.indices.data_vars):
        return InPlace(days=days[:0], shown=np.zeros((0, len(evidence.area_m2)), bool))
    with np.errstate(invalid="ignore"):
        shown = (evidence.indices[GREEN].values >= levels[0]) & (evidence.indices[WATER].values >= levels[1])
    return InPlace(days=days, shown=shown)


def _looks_in_place(
    in_place: InPlace, member: NDArray[np.bool_], evidence: ParcelEvidence, min_look_fraction: float
) -> NDArray[np.datetime64]:
    """Days of looks on which most of some pixels looked like a closed stand, rising."""
    weight = evidence.area_m2[member] / evidence.area_m2[member].sum()
    found = in_place.shown[:, member] @ weight >= max(min_look_fraction, MOST)
    days: NDArray[np.datetime64] = in_place.days[found].astype("datetime64[D]")
    return days


def _day(value: np.datetime64) -> dt.date:
    day: dt.date = value.astype("datetime64[D]").astype(dt.date)
    return day
