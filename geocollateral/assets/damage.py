"""Share of a parcel that a fire burnt or a flood covered on a known day, and whether the satellites came in time.

Fire: fall of NBR from before to after (dNBR) in the classes of Key and Benson, less what parcels around changed in the
same days. Flood: pixels that turned to water by optical looks, or whose backscatter fell to that of water. A flood is
gone in days: where the first look came later, its extent is not known, and what it did to the plants is told instead.

Sources: Key & Benson 2006, doi:10.2737/RMRS-GTR-164; Miller & Thode 2007, doi:10.1016/j.rse.2006.12.006; Clement et al.
2018, doi:10.1111/jfr3.12303 (Sentinel-1 change against the history of an orbit).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy import ndimage

from geocollateral.assets.frame import date_of, middle_of, number_of, numbers_of, parcels_among
from geocollateral.assets.water import OPTICAL, RADAR
from geocollateral.types import Params, ParcelEvidence, Verdict

Floats = NDArray[np.float64]
BURN_CLASSES: tuple[tuple[str, float], ...] = (
    ("low", 0.10),
    ("moderate_low", 0.27),
    ("moderate_high", 0.44),
    ("high", 0.66),
)
"""Lower end of each class of dNBR [1]."""


class DamageParams(Params):
    """Knobs of damage after an event, and the event that is asked for."""

    event_kind: Literal["fire", "flood"] | None = Field(
        None, description="Kind of a reported event whose damage is asked of every parcel: `fire` or `flood`."
    )
    event_day: dt.date | None = Field(
        None, description="Its day, of a flood that of its peak; both or neither. Without it, damage of found events."
    )
    min_clear: float = Field(0.5, gt=0, le=1, description="Clear share of a parcel from which a look counts [1].")
    before_days: int = Field(120, ge=10, description="Looks of so many days before the event tell what was [days].")
    n_looks: int = Field(3, ge=1, description="Most looks before and after that are taken together.")
    fire_window_days: int = Field(
        60, ge=1, description="A first look later than this has missed a fire: char is washed off, weeds grow [days]."
    )
    flood_window_days: int = Field(6, ge=0, description="A first look later than this has missed a flood [days].")
    burnt_dnbr: float = Field(0.27, gt=0, description="dNBR from which a pixel is burnt [1].")
    dnbr_error: float = Field(0.10, ge=0, description="Error of a pixel's dNBR, for the range told [1].")
    plants_nbr: float = Field(0.15, description="NBR before, below which there was nothing to burn [1].")
    min_plants: float = Field(0.3, gt=0, le=1, description="Share of the parcel that must have had plants [1].")
    water_mndwi: float = Field(0.0, ge=-0.3, le=0.3, description="MNDWI from which a pixel is water [1].")
    radar_fall_db: float = Field(3.0, gt=0, description="Least fall of VV from its history to open water [dB].")
    radar_water_db: float = Field(-14.0, description="VV below which ground can be open water [dB].")
    plants_lost: float = Field(
        0.15, gt=0, description="Fall of NDVI beyond that of parcels around which is a loss of plants [1]."
    )
    after_days: int = Field(45, ge=5, description="Looks of so many days after a flood tell its harm to plants [days].")
    min_peers: int = Field(3, ge=1, description="Fewest parcels around that tell what changed for all.")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.event_kind is None) != (self.event_day is None):
            raise ValueError(
                f"expected both event_kind and event_day of a reported event, or neither; got event_kind="
                f"{self.event_kind!r}, event_day={self.event_day}"
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Damage:
    """What can be said of one event on one parcel."""

    kind: Literal["fire", "flood"]
    verdict: Verdict
    """``match``: the parcel was hit; ``mismatch``: it was not; ``cannot_tell``."""
    share: tuple[float, float, float] | None
    """Low, middle and high of the share of the parcel burnt or flooded [0-1]; None where it cannot be told."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """Share of the parcel by class of dNBR [0-1]; fires only."""
    plants_lost: float | None = None
    """Share of the parcel whose plants were worse off after a flood than those around [0-1]; None = not known."""
    window_missed: bool
    first_look: dt.date | None
    """First look after the event, of any sensor that tells."""
    sensors: tuple[str, ...]
    reason: str


def assess_damage(
    evidence: ParcelEvidence,
    event_day: dt.date,
    kind: Literal["fire", "flood"],
    params: DamageParams,
    latest: dt.date | None = None,
) -> Damage:
    """Share of the parcel that a fire or a flood hit, on the looks up to the evidence's day.

    Parameters
    ----------
    evidence
        Of any asset class; with reflectance of nir08 and swir22 (fire), green, swir16, red and nir (flood), or radar.
    event_day
        Day of the fire, or of the flood's peak, as reported; the first day on which it may have been.
    latest
        Last day on which it may have been, where the day is not known. The window of a fire counts from ``event_day``;
        a flood whose days are open by more than its window may have stood higher than any look saw: a least is told.
    """
    if kind == "fire":
        return _fire(evidence, event_day, params)
    return _flood(evidence, event_day, params, 0 if latest is None else (latest - event_day).days)


# ----------------------------------------------------------------------------------------------------------------- fire


def _fire(evidence: ParcelEvidence, event_day: dt.date, params: DamageParams) -> Damage:
    nbr = _ratio(evidence, "nir08", "swir22")
    before, after = _around(evidence, nbr, event_day, params, 365)
    if not len(after):
        return _unknown("fire", f"No clear look after the fire of {event_day} yet.")
    area = evidence.area_m2
    was = middle_of(nbr[before])
    plants = was >= params.plants_nbr
    if area[plants].sum() < params.min_plants * area.sum():
        # Leafless or bare on the day: the next season in leaf tells, against the same season a year before.
        before, after = _next_season(evidence, nbr, event_day, params)
        was = middle_of(nbr[before])
        plants = was >= params.plants_nbr
    if area[plants].sum() < params.min_plants * area.sum():
        return _unknown("fire", f"No look yet at a season in which plants stood here before {event_day}.")
    fall = was - middle_of(nbr[after]) - _common(evidence, "nbr", before, after, params)
    told = plants & np.isfinite(fall)
    whole = float(area[told].sum())

    def share(least: float) -> float:
        return float(area[told & (np.nan_to_num(fall, nan=-1.0) >= least)].sum()) / whole

    middle = share(params.burnt_dnbr)
    found = (
        max(min(share(params.burnt_dnbr + params.dnbr_error), middle - 0.05), 0.0),
        middle,
        min(max(share(BURN_CLASSES[0][1]), middle + 0.05), 1.0),
    )
    first = date_of(evidence.look_days[after[0]])
    days = (first - event_day).days
    missed = days > params.fire_window_days
    ends = [*[least for _, least in BURN_CLASSES], np.inf]
    classes = {name: share(low) - share(high) for (name, low), high in zip(BURN_CLASSES, ends[1:], strict=True)}
    late = f" The first clear look came {days} days later: the window was missed, and the share is a least." * missed
    return Damage(
        kind="fire",
        verdict=_verdict(found, missed),
        share=(found[0], found[1], 1.0 if missed else found[2]),
        classes=classes,
        window_missed=missed,
        first_look=first,
        sensors=(OPTICAL,),
        reason=f"{found[1]:.0%} of the parcel's plants burnt ({found[0]:.0%} to {found[2]:.0%}): NBR fell by "
        f"{params.burnt_dnbr:.2f} or more from before {event_day} to {first}; "
        f"{classes['moderate_high'] + classes['high']:.0%} severely.{late}",
    )


def _next_season(
    evidence: ParcelEvidence, nbr: Floats, event_day: dt.date, params: DamageParams
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """First looks after the event whose season had plants a year before, and the looks of that season."""
    none = np.zeros(0, np.intp)
    past, after = _around(evidence, nbr, event_day, params, 365, n_looks=100, past_days=400)
    days = numbers_of(evidence.look_days)
    for n, t in enumerate(after.tolist()):
        same = past[np.abs((days[past] - days[t] + 182) % 365 - 182) <= 25]
        plants = middle_of(nbr[same]) >= params.plants_nbr
        if evidence.area_m2[plants].sum() >= params.min_plants * evidence.area_m2.sum():
            return same, after[n : n + params.n_looks]
    return none, none


# ---------------------------------------------------------------------------------------------------------------- flood


def _flood(evidence: ParcelEvidence, event_day: dt.date, params: DamageParams, open_days: int = 0) -> Damage:
    looks = sorted([*_optical_floods(evidence, event_day, params), *_radar_floods(evidence, event_day, params)])
    lost = _plants_lost(evidence, event_day, params)
    harm = "" if lost is None else f" Plants were worse off than around on {lost:.0%} of the parcel in the weeks after."
    if not looks:
        return _unknown("flood", f"No look of any sensor after {event_day} that could tell a flood.{harm}", lost)
    first = looks[0][0]
    inside = [look for look in looks if look[0] <= open_days + params.flood_window_days]
    first_look = event_day + dt.timedelta(days=first)
    if not inside:
        reason = (
            f"Window missed: the first look came {first} days after {event_day}, later than the "
            f"{params.flood_window_days} days in which a flood is seen; its extent is not known.{harm}"
        )
        return Damage(
            kind="flood",
            verdict="cannot_tell",
            share=None,
            plants_lost=lost,
            window_missed=True,
            first_look=first_look,
            sensors=(),
            reason=reason,
        )
    days, middle, sensor = max(inside, key=lambda look: look[1])
    # Plants above the water and waves hide it from radar: its share is rather too small than too large.
    low, high = (0.1, 0.1) if sensor == OPTICAL else (0.2, 0.5)
    least = open_days > params.flood_window_days
    share = (max(middle - low, 0.0), middle, 1.0 if least else min(middle + high, 1.0))
    unsure = least or (sensor == RADAR and (len(inside) < 2 or (lost or 0.0) >= 0.3))
    # Wet, smooth soil is as dark as water to radar; plants that fared as those around speak against a flood.
    doubted = sensor == RADAR and lost is not None and lost < 0.1 <= middle
    doubt = " Radar alone says so, and plants fared as those around: it may be wet soil." * doubted
    seen = tuple(sorted({look[2] for look in inside}, reverse=True))
    return Damage(
        kind="flood",
        verdict="cannot_tell" if doubted else _verdict(share, unsure),
        share=share,
        plants_lost=lost,
        window_missed=least,
        first_look=first_look,
        sensors=seen,
        reason=f"{middle:.0%} of the parcel under water ({share[0]:.0%} to {share[2]:.0%}) on the look {days} days "
        f"after {event_day}, by {sensor}; {len(inside)} looks in the {open_days + params.flood_window_days} days told."
        f"{' Its day is not known: it may have stood higher, and the share is a least.' * least}{harm}{doubt}",
    )


_Look = tuple[int, float, str]
"""Days after the event, share of the parcel newly under water, sensor."""


def _optical_floods(evidence: ParcelEvidence, event_day: dt.date, params: DamageParams) -> list[_Look]:
    index = _ratio(evidence, "green", "swir16")
    if not len(index):
        return []
    before, after = _around(evidence, index, event_day, params, 60, n_looks=100)
    if not len(before):
        return []
    dry = middle_of(index[before]) < params.water_mndwi
    area = evidence.area_m2
    out = []
    for t in after.tolist():
        seen = np.isfinite(index[t])
        wet = dry & seen & (np.nan_to_num(index[t], nan=-1.0) >= params.water_mndwi)
        days = (date_of(evidence.look_days[t]) - event_day).days
        out.append((days, float(area[wet].sum() / area[seen].sum()), OPTICAL))
    return out


def _radar_floods(evidence: ParcelEvidence, event_day: dt.date, params: DamageParams) -> list[_Look]:
    day = number_of(event_day)
    area = evidence.area_m2
    out = []
    for looks in evidence.radar.values():
        if "vv" not in looks.power:
            continue
        days = numbers_of(looks.power["time"].values)
        past = (days < day) & (days >= day - 365)
        if past.sum() < 5:
            continue
        level = _smoothed(evidence, looks.power["vv"])
        usual = middle_of(level[past])
        low = middle_of(np.sort(level[past], axis=0)[: max(int(past.sum()) // 5, 1)])  # of the darkest fifth
        # Ground that often is as dark as water, such as a paddy, cannot show a flood to radar.
        often = (low <= params.radar_water_db) & (low <= usual - params.radar_fall_db)
        usual = np.where(often, np.nan, usual)
        for t in np.flatnonzero((days >= day) & (days <= day + 60)).tolist():
            seen = np.isfinite(level[t]) & np.isfinite(usual)
            if area[seen].sum() < params.min_clear * area.sum():
                continue
            wet = seen & (level[t] <= params.radar_water_db) & (level[t] <= usual - params.radar_fall_db)
            out.append((int(days[t]) - day, float(area[wet].sum() / area[seen].sum()), RADAR))
    return out


def _smoothed(evidence: ParcelEvidence, power: xr.DataArray) -> Floats:
    """Shape (time, pixel): mean power of the pixels of the parcel within one of each [dB], against speckle."""
    row, col = evidence.row - evidence.row.min(), evidence.col - evidence.col.min()
    values = power.values.astype(np.float64)
    plane = np.zeros((len(values), row.max() + 1, col.max() + 1))
    count = np.zeros_like(plane)
    plane[:, row, col] = np.nan_to_num(values)
    count[:, row, col] = np.isfinite(values)
    total = ndimage.uniform_filter(plane, size=(0, 3, 3), mode="constant")[:, row, col]
    known = ndimage.uniform_filter(count, size=(0, 3, 3), mode="constant")[:, row, col]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where((known > 0) & (total > 0), 10 * np.log10(total / known), np.nan)


def _plants_lost(evidence: ParcelEvidence, event_day: dt.date, params: DamageParams) -> float | None:
    """Share of the parcel whose NDVI fell more than that of parcels around."""
    ndvi = _ratio(evidence, "nir", "red")
    if not len(ndvi):
        return None
    before, after = _around(evidence, ndvi, event_day, params, params.after_days)
    after = after[evidence.look_days[after] > np.datetime64(event_day) + np.timedelta64(5, "D")]
    if not len(before) or not len(after):
        return None
    fall = middle_of(ndvi[before]) - middle_of(ndvi[after]) - _common(evidence, "ndvi", before, after, params)
    told = np.isfinite(fall)
    if evidence.area_m2[told].sum() < params.min_clear * evidence.area_m2.sum():
        return None
    return float(evidence.area_m2[told & (fall >= params.plants_lost)].sum() / evidence.area_m2[told].sum())


# ------------------------------------------------------------------------------------------------------------- measures


def _ratio(evidence: ParcelEvidence, first: str, second: str) -> Floats:
    """Normalised difference of two bands, shape (time, pixel); no rows without them."""
    optical = evidence.optical
    if optical is None or not {first, second} <= set(optical):
        return np.zeros((0, len(evidence.area_m2)))
    a, b = (optical[band].values.astype(np.float64) for band in (first, second))
    return np.asarray((a - b) / np.maximum(a + b, 1e-3))


def _around(
    evidence: ParcelEvidence,
    values: Floats,
    event_day: dt.date,
    params: DamageParams,
    reach: int,
    n_looks: int = 0,
    past_days: int = 0,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Positions of the last clear looks before and the first after."""
    clear = np.isfinite(values) @ evidence.area_m2 >= params.min_clear * evidence.area_m2.sum()
    days = numbers_of(evidence.look_days)[: len(values)] - number_of(event_day)
    before = np.flatnonzero(clear & (days < 0) & (days >= -(past_days or params.before_days)))
    before = before if past_days else before[-params.n_looks :]
    after = np.flatnonzero(clear & (days >= 0) & (days <= reach))[: n_looks or params.n_looks]
    return before, after


def _common(
    evidence: ParcelEvidence, index: str, before: NDArray[np.intp], after: NDArray[np.intp], params: DamageParams
) -> float:
    """Fall of an index that parcels around had between the same looks: season and weather. 0 where too few tell."""
    peers = None if evidence.peers is None else parcels_among(evidence.peers)
    if peers is None or index not in peers["index"].values or peers.sizes["peer"] < params.min_peers:
        return 0.0
    mean = np.where(
        peers["valid_fraction"].sel(index=index).values >= params.min_clear,
        peers["mean"].sel(index=index).values,
        np.nan,
    )
    days = peers["time"].values.astype("datetime64[D]")
    first, second = (np.isin(days, evidence.look_days[at].astype("datetime64[D]")) for at in (before, after))
    fall = middle_of(mean[first]) - middle_of(mean[second])
    known = fall[np.isfinite(fall)]
    return float(np.median(known)) if len(known) >= params.min_peers else 0.0


def _verdict(share: tuple[float, ...], unsure: bool) -> Verdict:
    if share[1] >= 0.1:
        return "match"
    return "cannot_tell" if unsure else "mismatch"


def _unknown(kind: Literal["fire", "flood"], reason: str, lost: float | None = None) -> Damage:
    return Damage(
        kind=kind,
        verdict="cannot_tell",
        share=None,
        plants_lost=lost,
        window_missed=False,
        first_look=None,
        sensors=(),
        reason=reason,
    )


__all__ = ["BURN_CLASSES", "Damage", "DamageParams", "assess_damage"]
