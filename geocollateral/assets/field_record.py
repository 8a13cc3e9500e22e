"""What grew on a parcel: its curve, its seasons, and whether it is a field at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from geocollateral.assets.phenology import (
    Curve,
    PhenologyParams,
    Season,
    borrow_from_radar,
    despike,
    find_seasons,
    smooth,
)
from geocollateral.types import ParcelEvidence

Use = Literal["field", "grass_or_trees", "covered_or_sparse"]
USES: Mapping[Use, str] = {
    "field": "Fields with crops",
    "grass_or_trees": "Green all year round or leafless for a while, never tilled: grass, orchard or trees",
    "covered_or_sparse": "Hardly any green seen from above: greenhouse, plastic or bare ground",
}
SHARP_DAYS = 60
"""A field's green falls in fewer days than this; autumn takes longer."""
BARE = 0.27
"""NDVI of ground after a harvest, at most."""
SPARSE = 0.40
"""What hardly ever shows more NDVI than this carries no open crop."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """The history of a parcel, as known at one day."""

    use: Use
    curve: Curve
    crops: tuple[Season, ...]
    """Seasons of crops; none where it is no field."""
    years: float
    """Years between the first and the last look."""
    n_looks: Mapping[int, int]
    """Clear looks by calendar year."""

    @property
    def crops_per_year(self) -> float | None:
        """Crops harvested per year of looks; None where it is no field."""
        ended = sum(season.ended is not None for season in self.crops)
        return round(ended / max(self.years, 0.5), 2) if self.use == "field" else None

    @property
    def last_harvested(self) -> Season | None:
        """Latest season that has ended."""
        return next((season for season in reversed(self.crops) if season.ended is not None), None)

    def in_use(self, as_of: dt.date, within_days: int) -> bool:
        """Whether a crop stands or was harvested lately; what is no field counts as used."""
        if self.use != "field":
            return True
        today = int(np.datetime64(as_of, "D").astype(int))
        return any(s.ended is None or today - s.ended <= within_days for s in self.crops)

    def rows(self) -> tuple[Mapping[str, Any], ...]:
        """The seasons for a table: ISO dates, None where a thing has not happened yet."""
        return tuple(
            {
                "emerged": _iso(s.emerged),
                "peak": _iso(s.peak),
                "peak_ndvi": round(s.peak_value, 3),
                "harvested": _iso(s.ended),
                "harvested_low": _iso(s.ended_low),
                "harvested_high": _iso(s.ended_high),
                "detected_on": _iso(s.known_on),
            }
            for s in self.crops
        )

    def yearly(self, as_of: dt.date) -> tuple[Mapping[str, Any], ...]:
        """Crops harvested by calendar year; None where it is no field."""
        rows = []
        for year in range(min(self.n_looks, default=as_of.year), as_of.year + 1):
            ended = [s for s in self.crops if s.ended is not None and _year(s.ended) == year]
            rows.append(
                {
                    "year": year,
                    "n_crops": len(ended) if self.use == "field" else None,
                    "peak_ndvi": round(max(s.peak_value for s in ended), 3) if ended else None,
                    "n_looks": self.n_looks.get(year, 0),
                }
            )
        return tuple(rows)

    def in_words(self, as_of: dt.date) -> str:
        """One or two sentences on use and last seasons."""
        if self.use != "field":
            return f"{USES[self.use]}; there is no harvest to date."
        last = self.last_harvested
        text = f"{USES[self.use]}, {self.crops_per_year:.1f} harvests a year seen."
        if self.crops and self.crops[-1].ended is None:
            text += f" A crop has stood since about {_iso(self.crops[-1].emerged)}."
        if last is not None:
            text += f" Last harvest about {_iso(last.ended)} ({_iso(last.ended_low)} to {_iso(last.ended_high)})."
        return text


def read_record(evidence: ParcelEvidence, params: PhenologyParams, min_look_fraction: float) -> Record:
    """Curve, seasons and use of a parcel with optical looks."""
    assert evidence.series is not None  # noqa: S101 - the caller has refused parcels without
    days = evidence.look_days.astype(np.int64)
    green = np.where(
        evidence.look_fraction >= min_look_fraction, evidence.series["mean"].sel(index="ndvi").values, np.nan
    ).astype(np.float64)
    green = np.where(despike(days, green, params), green, np.nan)
    all_days, values = [days], [green]
    weights = [np.ones(len(days))]
    for radar in evidence.radar.values():
        on = radar.series["time"].values.astype("datetime64[D]").astype(np.int64)
        decibel = radar.series["mean"].sel(index=["vv", "vh"]).values.T.astype(np.float64)
        told, sd = borrow_from_radar(days, green, on, decibel)
        if np.isfinite(sd):
            all_days.append(on)
            values.append(told)
            # Both polarisations and orbits err together where the ground is wet or rough: half the weight.
            weights.append(np.full(len(on), 0.5 * (params.noise / sd) ** 2))
    order = np.argsort(np.concatenate(all_days), kind="stable")
    curve = smooth(
        np.concatenate(all_days)[order], np.concatenate(values)[order], np.concatenate(weights)[order], params
    )
    seen = days[np.isfinite(green)]
    found = find_seasons(curve, params, looks=seen)
    crops = tuple(s for s in found if is_crop(s))
    years = float(seen[-1] - seen[0]) / 365.25 if len(seen) else 0.0
    years_of = (seen.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970).tolist()
    bright = float(np.nanquantile(green, 0.95)) if len(seen) else 0.0
    ended = sum(s.ended is not None for s in crops)
    use: Use = "grass_or_trees"
    if bright < SPARSE:
        use = "covered_or_sparse"
    elif ended >= max(0.4 * years, 1.0):
        use = "field"
    return Record(
        use=use,
        curve=curve,
        crops=crops if use == "field" else (),
        years=years,
        n_looks={year: years_of.count(year) for year in sorted(set(years_of))},
    )


def is_crop(season: Season) -> bool:
    """A season that ended sharply on bare ground, or that may still do so."""
    if season.ended is None or season.fall_days is None:
        return season.peak_value - season.base >= 0.25
    return season.fall_days <= SHARP_DAYS and season.after <= BARE and season.peak_value - season.after >= 0.25


def _iso(day: int | None) -> str | None:
    return None if day is None else str(np.datetime64(day, "D"))


def _year(day: int) -> int:
    return int(np.datetime64(day, "D").astype("datetime64[Y]").astype(int)) + 1970
