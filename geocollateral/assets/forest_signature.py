"""What a loss of stand looked like: spectra before and after, speed, extent, neighbours and radar.

A loss is measured against the same season of earlier years on the same pixels, and against pixels of the parcel that
lost nothing: what drought, frost or haze did to both is not the event's. `forest_causes` reads these figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geocollateral.assets.frame import grow, mask_of, middle_of, number_of, numbers_of, parcels_among
from geocollateral.types import Event, ParcelEvidence

Floats = NDArray[np.float64]
BANDS: tuple[str, ...] = ("green", "red", "nir08", "swir16", "swir22")
"""Bands of a signature, in this order along its last axis."""
GREEN, RED, NIR, SWIR1, SWIR2 = range(5)

FRESH_DAYS = 120
"""Looks this long after the first one that shows the loss tell its cause; later ones tell of regrowth [days]."""
SEASON_DAYS = 30
"""Looks of earlier years this far from the day of the year are of the same season [days]."""
PACE_DAYS = 400
"""Looks this long before and after tell how fast it fell [days]."""
MIN_CLEAR = 0.3
"""Smallest clear share of an area from which a look at it counts [1]."""
MIN_CONTROL = 12
"""Fewest pixels that lost nothing against which an event is measured."""
IN_LEAF = 0.35
"""NBR of earlier years from which a look would show a loss of leaves [1]."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """Figures of one loss; NaN where a figure cannot be told."""

    n_looks: int
    """Clear looks in the `FRESH_DAYS` from the first one that shows most of the loss."""
    n_leaf_looks: int
    """Those of them on which the stand of earlier years was in leaf."""
    nbr_before: float
    nbr_after: float
    """Of the same season, in leaf [1]."""
    loss: float
    """Share of the stand's NBR above bare ground that is gone, in leaf [0-1, may exceed 1]."""
    dnbr: float
    """Fall of NBR from the same season of earlier years, in leaf, less that of pixels that lost nothing [1]."""
    red_rise: float
    """Change of red reflectance [1]."""
    swir_rise: float
    """Change of short-wave reflectance at 1.6 micrometres [1]."""
    nir_ratio: float
    """NIR after over NIR before [1]."""
    char: float
    """NIR over short-wave reflectance at 2.2 micrometres after the loss (char soil index) [1]."""
    visible: float
    """Mean of green and red after the loss [1]."""
    fall_low_days: float
    fall_high_days: float
    """The fall from a quarter to three quarters of the loss took at least and at most this long [days]."""
    share_of_parcel: float
    """Share of the parcel's area inside the event [0-1]."""
    peers_hit: int
    peers_seen: int
    """Peers whose NBR fell lastingly in the same interval, and those of which it can be told."""
    vh_change_db: float
    vv_change_db: float
    """Change of backscatter over the event against peers, mean of the orbits [dB]."""
    month: int
    """Of the first look that shows the loss."""


def signature(evidence: ParcelEvidence, event: Event, others: Sequence[Event] = ()) -> Signature:
    """Measure a loss on the looks up to the evidence's day.

    Parameters
    ----------
    evidence
        With reflectance of `BANDS`.
    event
        Its pixels and its interval: the last clear look before it and the first after it.
    others
        Further events of the parcel: their pixels are no ground to compare with.
    """
    days = numbers_of(evidence.look_days)
    before, after = number_of(event.last_clear_before), number_of(event.first_clear_after)
    cube = stack_bands(evidence)
    inside = mask_of(event.pixels, evidence)
    hit_too = mask_of(tuple(pixel for other in others for pixel in other.pixels), evidence)
    # What lies beside an event may share its pixels' light.
    control = ~grow(inside | hit_too, evidence, 2)
    own = _mean(cube, evidence.area_m2, inside)
    ref = _mean(cube, evidence.area_m2, control) if control.sum() >= MIN_CONTROL else np.full_like(own, np.nan)
    expected = _expected(own, ref, days, before, (days > before - PACE_DAYS) & (days <= after + PACE_DAYS))
    nbr_own, nbr_expected = _nbr(own), _nbr(expected)
    # Leafless looks would show no fall, and the leaves' coming out a sudden one.
    fall = np.where(nbr_expected >= IN_LEAF, (nbr_expected - nbr_own) / (nbr_expected - BARE_NBR), np.nan)
    low, high, since = _fall_days(fall, days, before, after)
    fresh = (days >= since) & (days <= since + FRESH_DAYS) & np.isfinite(own[:, NIR])
    leaf = fresh & (nbr_expected >= IN_LEAF)
    told = leaf if leaf.any() else fresh
    hit, seen = _peers_hit(evidence, before, after)
    change = expected[told] if told.any() else np.full((1, 5), np.nan)
    now = own[told] if told.any() else np.full((1, 5), np.nan)
    nbr_after = _median(nbr_own[told])
    nbr_before = _median(nbr_expected[told])
    first = own[fresh][:4] if fresh.any() else np.full((1, 5), np.nan)
    return Signature(
        n_looks=int(fresh.sum()),
        n_leaf_looks=int(leaf.sum()),
        nbr_before=nbr_before,
        nbr_after=nbr_after,
        dnbr=nbr_before - nbr_after,
        loss=(nbr_before - nbr_after) / max(nbr_before - BARE_NBR, 0.1),
        red_rise=_median(now[:, RED] - change[:, RED]),
        swir_rise=_median(now[:, SWIR1] - change[:, SWIR1]),
        nir_ratio=_median(now[:, NIR] / change[:, NIR]),
        char=_median(first[:, NIR] / np.maximum(first[:, SWIR2], 0.005)),
        visible=_median(first[:, [GREEN, RED]].mean(axis=1)),
        fall_low_days=low,
        fall_high_days=high,
        share_of_parcel=float(evidence.area_m2[inside].sum() / evidence.area_m2.sum()),
        peers_hit=hit,
        peers_seen=seen,
        vh_change_db=_radar_change(evidence, inside, before, after, "vh"),
        vv_change_db=_radar_change(evidence, inside, before, after, "vv"),
        month=event.first_clear_after.month,
    )


BARE_NBR = 0.0
"""NBR of ground without plants, between dry soil (0 to 0.1) and char (below 0) [1]."""


def stack_bands(evidence: ParcelEvidence) -> Floats:
    """Shape (time, pixel, band)."""
    assert evidence.optical is not None  # noqa: S101 - an asset class that asks for bands has them
    return np.stack([evidence.optical[band].values for band in BANDS], axis=-1).astype(np.float64)


def _mean(cube: Floats, area: Floats, where: NDArray[np.bool_]) -> Floats:
    """Shape (time, band): area-weighted mean of the clear pixels, NaN where fewer than `MIN_CLEAR` are clear."""
    part, weight = cube[:, where], area[where][None, :, None]
    seen = np.isfinite(part)
    total = (seen * weight).sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = np.where(seen, part, 0.0)
        found = (mean * weight).sum(axis=1) / total
    return np.where(total >= MIN_CLEAR * weight.sum(), found, np.nan)


def _expected(own: Floats, ref: Floats, days: NDArray[np.int64], before: int, wanted: NDArray[np.bool_]) -> Floats:
    """What the event's pixels would have looked like: the same season before, moved as the control has moved.

    Shape (time, band); NaN where there is nothing to compare with. Reflectance is moved by the control's ratio, as
    a season or a dry year scales all pixels of a stand.
    """
    past = np.flatnonzero((days <= before) & np.isfinite(own[:, NIR]))
    out = np.full_like(own, np.nan)
    if not len(past):
        return out
    for t in np.flatnonzero(np.isfinite(own[:, NIR]) & wanted):
        apart = np.abs((days[past] - days[t] + 182) % 365 - 182)
        near = past[apart <= SEASON_DAYS]
        near = near[near != t]
        if not len(near):
            near = past[np.argsort(apart, kind="stable")[:3]]
        level = middle_of(own[near])
        if np.isfinite(ref[t, NIR]) and np.isfinite(ref[near, NIR]).any():
            level = level * np.clip(ref[t] / middle_of(ref[near]), 0.5, 2.0)
        out[t] = level
    return out


def _nbr(bands: Floats) -> Floats:
    return np.asarray((bands[..., NIR] - bands[..., SWIR2]) / (bands[..., NIR] + bands[..., SWIR2]))


def _fall_days(fall: Floats, days: NDArray[np.int64], before: int, after: int) -> tuple[float, float, int]:
    """Least and most days that the fall from a quarter to three quarters of the loss took, and the day of the latter.

    The monitor may have been sure of a loss on a later look only: the fall is sought from the last look without it.
    """
    seen = np.isfinite(fall)
    late = seen & (days >= after) & (days <= after + PACE_DAYS)
    if not late.any():
        return np.nan, np.nan, after
    full = float(np.percentile(fall[late], 75))
    share = _running_median(fall[seen] / max(full, 0.05))
    at = days[seen]
    three = np.flatnonzero((share >= 0.75) & (at > before))
    if not len(three):
        return np.nan, np.nan, after
    top = three[0]
    quarter = np.flatnonzero((share < 0.25) & (np.arange(len(at)) < top))
    if not len(quarter):
        return np.nan, np.nan, int(at[top])
    base = quarter[-1]
    inner = float(at[top - 1] - at[base + 1]) if top - 1 >= base + 1 else 0.0
    return max(inner, 0.0), float(at[top] - at[base]), int(at[top])


def _running_median(values: Floats) -> Floats:
    return np.asarray(ndimage.median_filter(values, size=3, mode="nearest")) if len(values) >= 3 else values


def _peers_hit(evidence: ParcelEvidence, before: int, after: int) -> tuple[int, int]:
    """Peers whose mean NBR fell for good in the event's interval."""
    if evidence.peers is None or not evidence.peers.sizes["peer"] or "nbr" not in evidence.peers["index"].values:
        return 0, 0
    stands = parcels_among(evidence.peers).sel(index="nbr")
    nbr, clear = stands["mean"].values, stands["valid_fraction"].values
    nbr = np.where(clear >= MIN_CLEAR, nbr, np.nan)
    days = numbers_of(evidence.peers["time"].values)
    drop = _seasonal_drop(nbr, days, before - 5, after, 75)
    told = np.isfinite(drop)
    if told.sum() < 4:
        return 0, int(told.sum())
    middle = np.median(drop[told])
    spread = max(1.4826 * float(np.median(np.abs(drop[told] - middle))), 0.015)
    return int((drop[told] > max(5 * spread, 0.06) + middle).sum()), int(told.sum())


def _seasonal_drop(values: Floats, days: NDArray[np.int64], before: int, after: int, reach: int) -> Floats:
    """Fall from the ``reach`` days before to those after, less the same fall in other years. Shape (series,)."""

    def level(first: int, last: int) -> Floats:
        return middle_of(values[(days >= first) & (days <= last)])

    own = level(before - reach, before) - level(after, after + reach)
    usual = [
        level(before - reach - 365 * k, before - 365 * k) - level(after - 365 * k, after + reach - 365 * k)
        for k in range(1, 5)
    ]
    typical = middle_of(np.stack(usual))
    return own - np.where(np.isfinite(typical), typical, 0.0)


def _radar_change(evidence: ParcelEvidence, inside: NDArray[np.bool_], before: int, after: int, name: str) -> float:
    """Change of the mean power over the event from half a year before to half a year after, against peers [dB]."""
    found = []
    for looks in evidence.radar.values():
        if name not in looks.power:
            continue
        days = numbers_of(looks.power["time"].values)
        power = looks.power[name].values[:, inside]
        with np.errstate(all="ignore"):
            seen = power > 0
            # NaN where nothing is told.
            own: NDArray[np.float64] = 10 * np.log10(np.where(seen, power, 0.0).sum(axis=1) / seen.sum(axis=1))
        change = _radar_step(own[:, None], days, before, after)[0]
        known = name in looks.peers["index"].values
        peers = parcels_among(looks.peers)["mean"].sel(index=name) if known else None
        if peers is not None and peers.sizes["peer"] >= 4:
            at = numbers_of(peers["time"].values)
            others = _radar_step(peers.values, at, before, after)
            if np.isfinite(others).sum() >= 4:
                change -= float(np.nanmedian(others))
        found.append(change)
    told = [value for value in found if np.isfinite(value)]
    return float(np.mean(told)) if told else np.nan


def _radar_step(values: Floats, days: NDArray[np.int64], before: int, after: int) -> Floats:
    earlier, later = (days >= before - 150) & (days <= before), (days >= after) & (days <= after + 150)
    if earlier.sum() < 3 or later.sum() < 3:
        return np.full(values.shape[1], np.nan)
    return middle_of(values[later]) - middle_of(values[earlier])


def _median(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else np.nan
