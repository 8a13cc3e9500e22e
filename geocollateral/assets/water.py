"""Water of a parcel, look by look and sensor by sensor, and the chance that what was water is water no more.

Optical looks count water pixels: water is brighter in green than in short-wave infrared (MNDWI), ice, algae and mud in it
included. Radar looks know water by its low backscatter; how low, and how much wind and ice lift it, is learnt from the
parcel's own first year, by orbit. Each look is a likelihood ratio of "dry" against "water"; a two-state filter adds them
up in order of time, so that a single odd look decides nothing, radar carries on under cloud, and no look is used before
its day.

Sources: Xu 2006, doi:10.1080/01431160600589179 (MNDWI); Otsu 1979, doi:10.1109/TSMC.1979.4310076 (threshold); Du et al.
2016, doi:10.3390/rs8040354 (both on Sentinel-2); Twele et al. 2016, doi:10.1080/01431161.2016.1192304 (Sentinel-1 water).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from geocollateral.types import Params, ParcelEvidence

Floats = NDArray[np.float64]
OPTICAL, RADAR = "sentinel-2", "sentinel-1"


class WaterParams(Params):
    """Knobs of the water of a parcel."""

    threshold: float = Field(0.0, ge=-0.3, le=0.3, description="MNDWI from which a pixel is water [1].")
    threshold_reach: float = Field(
        0.15,
        ge=0,
        le=0.3,
        description="A threshold that splits the parcel's own first year in two is taken instead, if it lies this "
        "near [1].",
    )
    separation: float = Field(
        0.75, gt=0, lt=1, description="Share of the variance that such a threshold must explain (Otsu's eta) [1]."
    )
    min_clear: float = Field(0.5, gt=0, le=1, description="Clear share of a parcel from which a look counts [1].")
    history_days: int = Field(365, ge=60, description="First days, which tell what is usual [days].")
    min_history: int = Field(4, ge=2, description="Fewest looks of a sensor in them.")
    min_share: float = Field(0.2, gt=0, le=1, description="Water share of the history from which there is a pond [1].")
    share_noise: float = Field(0.12, gt=0, description="Usual scatter of the optical water share [1].")
    radar_rise_db: float = Field(4.0, gt=0, description="Rise of backscatter from water to mud or weeds [dB].")
    radar_rise_spread_db: float = Field(2.5, gt=0, description="Its scatter [dB].")
    radar_noise_db: float = Field(1.0, gt=0, description="Least scatter assumed of a parcel's water by radar [dB].")
    optical_bound: float = Field(3.0, gt=0, description="Most that one optical look can say [log units].")
    green_bound: float = Field(
        1.0, gt=0, description="Most that it can say where green plants, maybe afloat, stand for water [log units]."
    )
    radar_bound: float = Field(1.0, gt=0, description="Most that one radar look can say for dry by one band [log units].")
    radar_water_bound: float = Field(
        0.3, gt=0, description="The same for water: smooth dry soil is as dark as water [log units]."
    )
    drying_years: float = Field(10.0, gt=0, description="Years between two dryings of a pond, before any look.")
    filling_days: float = Field(200.0, gt=0, description="Days that a dry pond stays dry, before any look.")


@dataclass(frozen=True, kw_only=True)
class WaterLooks:
    """Looks of all sensors that tell of water, in order of time. Arrays have shape (look,)."""

    day: NDArray[np.datetime64]
    share: Floats
    """Share of the parcel under water [0-1]; NaN for radar, which knows only wet from dry here."""
    ratio: Floats
    """Log-likelihood ratio of dry against water; below 0 = water."""
    sensor: NDArray[np.str_]
    p_dry: Floats
    """Probability that what was water is dry, on this look and all before [0-1]."""
    usual_share: float
    """Median optical water share of the history [0-1]; NaN where there are too few looks."""
    threshold: float
    """MNDWI from which a pixel counted as water [1]."""


def water_looks(evidence: ParcelEvidence, params: WaterParams) -> WaterLooks:
    """What every look says of the parcel's water.

    Parameters
    ----------
    evidence
        With reflectance of green, red, nir and swir16, or radar, or both.
    """
    first = _first_day(evidence)
    threshold = water_threshold(evidence, params, first)
    water = water_pixels(evidence, threshold)
    days, share, green = _shares(evidence, water, params)
    past = days < first + params.history_days
    usual = float(np.median(share[past])) if past.sum() >= params.min_history else np.nan
    parts = [(days, share, _optical_ratio(share, green, usual, params), np.full(len(days), OPTICAL))]
    if not usual < params.min_share:
        parts += _radar_parts(evidence, params, first)
    day, shares, ratio, sensor = (np.concatenate([part[n] for part in parts]) for n in range(4))
    known = np.isfinite(ratio)
    order = np.flatnonzero(known)[np.argsort(day[known], kind="stable")]
    return WaterLooks(
        day=day[order].astype("datetime64[D]"),
        share=shares[order],
        ratio=ratio[order],
        sensor=sensor[order],
        p_dry=_filter(day[order], ratio[order], params),
        usual_share=usual,
        threshold=threshold,
    )


def water_pixels(evidence: ParcelEvidence, threshold: float) -> Floats:
    """Shape (time, pixel): 1 = water, 0 = none, NaN = not seen. Without optical looks there are no rows."""
    index = _mndwi(evidence)
    return np.where(np.isfinite(index), index >= threshold, np.nan)


def water_threshold(evidence: ParcelEvidence, params: WaterParams, first: int) -> float:
    """MNDWI that parts water from land in the parcel's first year, or the usual one where it does not part."""
    index = _mndwi(evidence)
    days = evidence.look_days.astype("datetime64[D]").astype(np.int64)[: len(index)]
    values = index[days < first + params.history_days]
    found, explained = _otsu(values[np.isfinite(values)])
    near = abs(found - params.threshold) <= params.threshold_reach
    return found if near and explained >= params.separation else params.threshold


def _mndwi(evidence: ParcelEvidence) -> Floats:
    if evidence.optical is None or not {"green", "swir16"} <= set(evidence.optical):
        return np.zeros((0, len(evidence.area_m2)))
    green, swir = (evidence.optical[band].values.astype(np.float64) for band in ("green", "swir16"))
    # Water can be all but black: below a thousandth of reflectance its ratio is noise.
    return np.asarray((green - swir) / np.maximum(green + swir, 1e-3))


def _otsu(values: Floats) -> tuple[float, float]:
    """Threshold that explains most of the variance as two groups, and the share it explains [0-1]."""
    if len(values) < 50 or np.ptp(values) < 0.2:
        return np.inf, 0.0
    count, edges = np.histogram(np.clip(values, -1, 1), bins=100, range=(-1, 1))
    middle = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(count)
    mass = np.cumsum(count * middle)
    above = below[-1] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (mass / below - (mass[-1] - mass) / above) ** 2 / below[-1] ** 2
    between = np.nan_to_num(between)
    best = np.flatnonzero(between >= 0.999 * between.max())
    return float(edges[1:][int(best.mean())]), float(between.max() / max(float(np.var(values)), 1e-9))


def _first_day(evidence: ParcelEvidence) -> int:
    starts = [evidence.look_days[:1].astype("datetime64[D]")]
    starts += [looks.power["time"].values[:1].astype("datetime64[D]") for looks in evidence.radar.values()]
    days = np.concatenate(starts)
    return int(days.min().astype(np.int64)) if len(days) else 0


def _shares(evidence: ParcelEvidence, water: Floats, params: WaterParams) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Days, water share and share of green plants of the clear part, of optical looks that show enough."""
    area = evidence.area_m2
    seen = np.isfinite(water)
    clear = seen @ area
    told = clear >= params.min_clear * area.sum()
    days = evidence.look_days.astype("datetime64[D]").astype(np.int64)[: len(water)][told]
    if not len(days):
        return days, np.zeros(0), np.zeros(0)
    share = (np.where(seen, water, 0.0) @ area)[told] / clear[told]
    return days, share, (_green(evidence, water) @ area)[told] / clear[told]


def _green(evidence: ParcelEvidence, water: Floats) -> Floats:
    """Pixels that are no water by MNDWI and covered by plants."""
    optical = evidence.optical
    if optical is None or not {"red", "nir"} <= set(optical):
        return np.zeros_like(water)
    red, nir = (optical[band].values.astype(np.float64) for band in ("red", "nir"))
    with np.errstate(invalid="ignore"):
        return np.where((water == 0) & ((nir - red) / (nir + red) > 0.4), 1.0, 0.0)


def _optical_ratio(share: Floats, green: Floats, usual: float, params: WaterParams) -> Floats:
    if not usual >= params.min_share:
        return np.full(len(share), np.nan) if not np.isfinite(usual) else np.zeros(len(share))
    dry = 0.1 * usual  # puddles stay
    at = np.clip(share, dry, usual)
    ratio = ((at - usual) ** 2 - (at - dry) ** 2) / (2 * params.share_noise**2)
    most = np.where(green > 0.5 * usual, params.green_bound, params.optical_bound)
    return np.clip(ratio, -params.optical_bound, most)


_Part = tuple[NDArray[np.int64], Floats, Floats, NDArray[np.str_]]


def _radar_parts(evidence: ParcelEvidence, params: WaterParams, first: int) -> list[_Part]:
    parts: list[_Part] = []
    for looks in evidence.radar.values():
        days = looks.power["time"].values.astype("datetime64[D]").astype(np.int64)
        ratio = np.zeros(len(days))
        seen = np.zeros(len(days), bool)
        for band in ("vv", "vh"):
            if band in looks.power:
                own = _decibel(looks.power[band].values, evidence.area_m2)
                said = _radar_ratio(own, days < first + params.history_days, params)
                seen |= np.isfinite(said)
                ratio += np.nan_to_num(said)
        parts.append((days, np.full(len(days), np.nan), np.where(seen, ratio, np.nan), np.full(len(days), RADAR)))
    return parts


def _decibel(power: NDArray[np.floating], area: Floats) -> Floats:
    """Mean power of the parcel by look [dB]; NaN where there is no signal."""
    seen = np.isfinite(power) & (power > 0)
    weight = seen @ area
    total = np.where(seen, power, 0.0) @ area
    out = np.full(len(power), np.nan)
    told = weight >= 0.5 * area.sum()
    out[told] = 10 * np.log10(total[told] / weight[told])
    return out


def _radar_ratio(own: Floats, past: NDArray[np.bool_], params: WaterParams) -> Floats:
    """Log-likelihood ratio of dry against water by one band of one orbit."""
    history = own[past & np.isfinite(own)]
    if len(history) < params.min_history:
        return np.full(len(own), np.nan)
    usual = float(np.median(history))
    spread = max(1.4826 * float(np.median(np.abs(history - usual))), params.radar_noise_db)
    wide = max(params.radar_rise_spread_db, spread)
    dry = usual + params.radar_rise_db
    at = np.clip(own, usual, dry)  # smoother than usual is water, rougher than mud is still dry
    ratio = 0.5 * ((at - usual) / spread) ** 2 - 0.5 * ((at - dry) / wide) ** 2 + np.log(spread / wide)
    return np.clip(ratio, -params.radar_water_bound, params.radar_bound)


def _filter(day: NDArray[np.int64], ratio: Floats, params: WaterParams) -> Floats:
    """Probability of "dry" after each look: two states, each of which lasts a while."""
    found = np.zeros(len(day))
    p, last = 0.0, int(day[0]) if len(day) else 0
    dries, fills = 1 / (365.25 * params.drying_years), 1 / params.filling_days
    for n, (today, says) in enumerate(zip(day.tolist(), ratio.tolist(), strict=True)):
        # Chance of having changed since the last look, towards the share of time that ponds are dry.
        stay = np.exp(-(dries + fills) * (today - last))
        p = dries / (dries + fills) * (1 - stay) + p * stay
        odds = max(p, 1e-6) / max(1 - p, 1e-6) * np.exp(says)
        p = min(odds / (1 + odds), 0.999)
        found[n], last = p, today
    return found


__all__ = ["WaterLooks", "WaterParams", "water_looks", "water_pixels", "water_threshold"]
