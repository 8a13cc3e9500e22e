"""What was known of parcels on a day, as the numbers the risk score reads.

Only alerts told by that day and looks up to it count: what is learned later changes no row. A figure that nothing is
known of is NaN, never 0.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from geocollateral.types import ASSET_CLASSES, Alert

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ADVERSE_RULES: frozenset[str] = frozenset(
    {
        "abandonment",
        "construction_stall",
        "crop_failure",
        "demolition",
        "encroachment",
        "flood",
        "pond_drained",
        "stand_decline",
        "stand_loss",
    }
)
"""Rules whose confirmed alerts say that collateral was hurt. A parcel with such an open alert gets no score: what the
score warns of has happened."""
LOOKBACK_DAYS = 365
RECENT_DAYS = 90
SEASON_DAYS = 20
"""Days before and after a day of the year that are the same season."""
LEAST_LOOK_FRAC = 0.5
LATEST_LOOKS = 3
INDICES = ("ndvi", "ndmi", "vh")
OPTICAL = "sentinel-2"

GROUPS: Mapping[str, tuple[str, ...]] = {
    "circumstances": (*(f"is_{name}" for name in ASSET_CLASSES), "season_sin", "season_cos", "log_area"),
    "early_warning": ("warned_n", "warned_days", "suspected_days", "works_days"),
    "greenness": ("ndvi", "ndvi_odd", "ndmi_odd", "ndvi_peak", "ndvi_peak_change", "ndvi_trend"),
    "radar": ("vh_odd",),
    "looks": ("looks_n", "look_age_days"),
    "loan": ("ltv", "claims_wrong_n", "draw_gap"),
}
"""Code of a reason, and the features it is made of."""
FEATURES: tuple[str, ...] = tuple(name for names in GROUPS.values() for name in names)


@dataclass(frozen=True, kw_only=True)
class Track:
    """One index of one sensor over one parcel, days rising."""

    days: Ints
    """Since 1970."""
    values: Floats

    def until(self, day: int) -> Track:
        """What was known on a day."""
        n = int(np.searchsorted(self.days, day, side="right"))
        return Track(days=self.days[:n], values=self.values[:n])


Tracks = Mapping[str, Mapping[tuple[str, str], Track]]
"""By parcel, then by index and sensor."""
NOTHING = Track(days=np.zeros(0, np.int64), values=np.zeros(0))


def tracks_of(series: pd.DataFrame) -> Tracks:
    """Looks that show most of a parcel, ready to be asked on many days.

    Parameters
    ----------
    series
        Columns of ``series.parquet``: ``parcel_id, time, sensor, index, mean, valid_fraction``; backscatter in dB.
    """
    good = (series["valid_fraction"] >= LEAST_LOOK_FRAC) & series["index"].isin(INDICES) & np.isfinite(series["mean"])
    own = series[good]
    own = own.assign(day=pd.to_datetime(own["time"]).to_numpy("datetime64[D]").astype(np.int64))
    own = own.sort_values(["parcel_id", "index", "sensor", "day"], kind="stable")
    days, values = own["day"].to_numpy(np.int64), own["mean"].to_numpy(np.float64)
    keys = own[["parcel_id", "index", "sensor"]].astype(str).to_numpy()
    new = np.ones(len(keys), bool)
    new[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    starts = np.flatnonzero(new)
    out: dict[str, dict[tuple[str, str], Track]] = {}
    for first, last in zip(starts, [*starts, len(keys)][1:], strict=True):
        parcel, index, sensor = keys[first]
        out.setdefault(parcel, {})[index, sensor] = Track(days=days[first:last], values=values[first:last])
    return out


ALERT_COLUMNS = ["parcel_id", "rule", "operating_point", "detected_on"]


def alerts_table(alerts: Sequence[Alert]) -> pd.DataFrame:
    """Alerts as the features read them: one row each, and one for the warning that a confirmed alert began as."""
    rows: list[tuple[str, str, str, dt.date]] = []
    for alert in alerts:
        point = str(alert.evidence.get("operating_point", "confirmed"))
        rows.append((alert.parcel_id, alert.rule, point, alert.detected_on))
        if "warned_on" in alert.evidence:
            warned_on = dt.date.fromisoformat(str(alert.evidence["warned_on"]))
            rows.append((alert.parcel_id, str(alert.evidence["warned_as"]), "early_warning", warned_on))
    return pd.DataFrame(rows, columns=ALERT_COLUMNS)


def features_at(parcels: pd.DataFrame, alerts: pd.DataFrame, tracks: Tracks, as_of: dt.date) -> pd.DataFrame:
    """The features of parcels on a day.

    Parameters
    ----------
    parcels
        Index ``parcel_id``; columns ``asset_class``, ``area_m2`` and, where known, ``ltv``, ``claims_wrong_n`` and
        ``draw_gap`` (drawn share of the loan less progress of the works) [1].
    alerts
        ``parcel_id, rule, operating_point, detected_on``; rows of later days do not count.
    tracks
        Looks at them (`tracks_of`); later ones do not count.

    Returns
    -------
    Columns `FEATURES`, float64, in the order of the parcels.
    """
    day = _day_number(as_of)
    told: dict[str, list[tuple[str, str, int]]] = {}
    said = pd.to_datetime(alerts["detected_on"]).to_numpy("datetime64[D]").astype(np.int64)
    for i, rule, point, on in zip(alerts["parcel_id"], alerts["rule"], alerts["operating_point"], said, strict=True):
        if on <= day:
            told.setdefault(str(i), []).append((str(rule), str(point), int(day - on)))
    rows = [
        _row(
            parcel, told.get(str(i), []), {key: track.until(day) for key, track in tracks.get(str(i), {}).items()}, day
        )
        for i, parcel in zip(parcels.index, parcels.to_dict("records"), strict=True)
    ]
    return pd.DataFrame(rows, index=parcels.index, columns=list(FEATURES), dtype=np.float64)


def hurt_already(alerts: pd.DataFrame, as_of: dt.date) -> set[str]:
    """Parcels with a confirmed adverse alert told by a day; closed alerts are not to be passed."""
    days = pd.to_datetime(alerts["detected_on"]).to_numpy("datetime64[D]")
    counts = alerts["rule"].isin(ADVERSE_RULES) & (alerts["operating_point"] == "confirmed")
    return set(alerts.loc[counts & (days <= np.datetime64(as_of)), "parcel_id"].astype(str))


def _day_number(day: dt.date) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


def _row(
    parcel: Mapping[Hashable, Any],
    alerts: Sequence[tuple[str, str, int]],
    tracks: Mapping[tuple[str, str], Track],
    day: int,
) -> dict[str, float]:
    year = 2 * np.pi * float(_day_of_year(np.array([day]))[0]) / 365.25
    radar = [_odd(track, day) for (index, _), track in tracks.items() if index == "vh"]
    known = [value for value in radar if np.isfinite(value)]
    return {
        **{f"is_{name}": float(parcel["asset_class"] == name) for name in ASSET_CLASSES},
        "season_sin": float(np.sin(year)),
        "season_cos": float(np.cos(year)),
        **_of_alerts(alerts),
        **_of_ndvi(tracks.get(("ndvi", OPTICAL), NOTHING), day),
        "ndmi_odd": _odd(tracks.get(("ndmi", OPTICAL), NOTHING), day),
        # Orbits are compared with themselves and never mixed.
        "vh_odd": float(np.mean(known)) if known else np.nan,
        "log_area": float(np.log10(max(float(parcel["area_m2"]), 1.0))),
        **{name: float(parcel.get(name, np.nan)) for name in GROUPS["loan"]},
    }


def _of_alerts(alerts: Sequence[tuple[str, str, int]]) -> dict[str, float]:
    """Counts and ages of alerts, each given as its rule, its operating point and its age [days]."""
    early = [(rule, age) for rule, point, age in alerts if point == "early_warning"]
    works = [age for rule, point, age in alerts if point == "confirmed" and rule not in ADVERSE_RULES]
    return {
        "warned_n": float(sum(age <= LOOKBACK_DAYS for _, age in early)),
        "warned_days": float(min((age for _, age in early), default=np.nan)),
        "suspected_days": float(min((age for rule, age in early if rule.endswith("_suspected")), default=np.nan)),
        "works_days": float(min(works, default=np.nan)),
    }


def _of_ndvi(track: Track, day: int) -> dict[str, float]:
    age, values = day - track.days, track.values
    this, before = age <= LOOKBACK_DAYS, (age > LOOKBACK_DAYS) & (age <= 2 * LOOKBACK_DAYS)
    peak = float(np.quantile(values[this], 0.9)) if this.sum() >= LATEST_LOOKS else np.nan
    usual = float(np.quantile(values[before], 0.9)) if before.sum() >= LATEST_LOOKS else np.nan
    return {
        "ndvi": float(np.median(values[-LATEST_LOOKS:])) if len(values) else np.nan,
        "ndvi_odd": _odd(track, day),
        "ndvi_peak": peak,
        "ndvi_peak_change": peak - usual,
        "ndvi_trend": _trend(age, values),
        "looks_n": float(this.sum()),
        "look_age_days": float(age.min()) if len(age) else np.nan,
    }


def _trend(age: Ints, values: Floats) -> float:
    """Rise over the last 90 days by least squares; NaN with fewer than three looks, or all of one day."""
    recent = age <= RECENT_DAYS
    if recent.sum() < LATEST_LOOKS or np.ptp(age[recent]) == 0:
        return float("nan")
    x = age[recent] - age[recent].mean()
    return -float((x * values[recent]).sum() / (x * x).sum()) * RECENT_DAYS


def _odd(track: Track, day: int) -> float:
    """Latest looks of the last 90 days less the same season of earlier years."""
    age = day - track.days
    latest = np.flatnonzero(age <= RECENT_DAYS)[-LATEST_LOOKS:]
    if len(latest) == 0:
        return float("nan")
    of_year = _day_of_year(track.days)
    apart = np.abs(of_year - np.median(of_year[latest]))
    season = (np.minimum(apart, 365.25 - apart) <= SEASON_DAYS) & (age > LOOKBACK_DAYS / 2)
    if season.sum() < LATEST_LOOKS:
        return float("nan")
    return float(np.median(track.values[latest]) - np.median(track.values[season]))


def _day_of_year(days: Ints) -> Floats:
    """Days since a fixed 1 January, folded into a mean year."""
    return np.asarray(days % 365.25, np.float64)
