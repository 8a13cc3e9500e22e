"""What is true of a world, as tables, and the portfolio as a borrower would state it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geocollateral.simulate.appearance import Appearance
from geocollateral.simulate.claims import claim
from geocollateral.simulate.grid import SiteGrid
from geocollateral.simulate.overpasses import OpticalScene, RadarScene
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.scenario import Scenario
from geocollateral.simulate.weather import SPIN_UP_DAYS
from geocollateral.simulate.zones import Zone

Index = NDArray[np.int64]
STAGE_DAYS = 10
"""Days between two rows of the table of stages."""


@dataclass(frozen=True, kw_only=True)
class SiteTruth:
    """Tables of one site, by name of the file, and the features of its portfolio."""

    tables: Mapping[str, pd.DataFrame]
    features: Sequence[Mapping[str, Any]]


def tell_truth(
    scenario: Scenario,
    appearance: Appearance,
    optical: Sequence[OpticalScene],
    radar: Sequence[RadarScene],
    seeds: Seeds,
) -> SiteTruth:
    """All tables of a site."""
    events, pixels = _events(scenario)
    features, claims = _portfolio(scenario, seeds)
    tables = {
        "parcels": _parcels(scenario),
        "events": events[~events["is_trap"]].drop(columns="is_trap"),
        "traps": events[events["is_trap"]].drop(columns="is_trap"),
        "event_pixels": pixels,
        "claims": claims,
        "stages": _stages(scenario),
        "seasons": _seasons(scenario, appearance),
        "phenology": _phenology(scenario, appearance),
        "quiet_years": quiet_years(scenario),
        "flaws": _flaws(scenario, optical, radar),
        "weather": _weather(scenario),
    }
    return SiteTruth(tables=tables, features=features)


def write_truth(folder: Path, truths: Sequence[SiteTruth]) -> None:
    """Write the tables of all sites below ``truth/`` and the portfolio to ``parcels.geojson``."""
    home = folder / "truth"
    home.mkdir(exist_ok=True)
    for name in truths[0].tables:
        joined = pd.concat([truth.tables[name] for truth in truths], ignore_index=True)
        joined.to_parquet(home / f"{name}.parquet", index=False, compression="zstd")
    features = [feature for truth in truths for feature in truth.features]
    collection = {"type": "FeatureCollection", "features": features}
    (folder / "parcels.geojson").write_text(json.dumps(collection, indent=1), encoding="utf-8")


def quiet_years(scenario: Scenario) -> pd.DataFrame:
    """Parcel and year (of 365 days, from the first year after the world's start) in which no event goes on or is left.

    Traps do not make a year unquiet: they are what quiet years are for. From an event on, a parcel has no quiet year
    any more.
    """
    first = SPIN_UP_DAYS + 365
    last = scenario.weather.days.size
    begins = {parcel.parcel_id: last for parcel in scenario.pledged}
    for fact in scenario.facts:
        if not fact.is_trap:
            begins[fact.parcel_id] = min(begins[fact.parcel_id], fact.start)
    rows = [
        {"parcel_id": parcel_id, "start": _date(scenario, day), "end": _date(scenario, day + 364)}
        for parcel_id, event in begins.items()
        for day in range(first, last - 364, 365)
        if day + 364 < event
    ]
    return pd.DataFrame(rows, columns=["parcel_id", "start", "end"])


def _date(scenario: Scenario, day: int) -> pd.Timestamp:
    return pd.Timestamp(scenario.weather.days[min(max(day, 0), scenario.weather.days.size - 1)])


def _parcels(scenario: Scenario) -> pd.DataFrame:
    own = _zones_of(scenario)
    return pd.DataFrame(
        [
            {
                "parcel_id": p.parcel_id,
                "site": scenario.site.tile,
                "asset_class": p.asset_class,
                "kind": p.kind,
                "cover_at_start": own[p.parcel_id][0].cover,
                "area_m2": p.area_m2,
                "vigour": p.traits.vigour,
            }
            for p in scenario.pledged
        ]
    )


def _zones_of(scenario: Scenario) -> dict[str, list[Zone]]:
    found: dict[str, list[Zone]] = {}
    for zone in scenario.zones:
        if zone.parcel_id is not None:
            found.setdefault(zone.parcel_id, []).append(zone)
    return found


def _events(scenario: Scenario) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Events and traps, and the pixels of events with the share of each that lies inside."""
    rows, pixels = [], []
    names = {parcel.parcel_id for parcel in scenario.pledged}
    for n, fact in enumerate(fact for fact in scenario.facts if fact.parcel_id in names):
        event_id = f"{scenario.site.tile.lower()}-{'t' if fact.is_trap else 'e'}{n + 1:04d}"
        rows.append(
            {
                "event_id": event_id,
                "parcel_id": fact.parcel_id,
                "site": scenario.site.tile,
                "kind": fact.kind,
                "start": _date(scenario, fact.start),
                "end": _date(scenario, fact.end),
                "area_m2": float(fact.outline.area),
                "severity": fact.severity,
                "note": fact.note,
                "is_trap": fact.is_trap,
            }
        )
        if not fact.is_trap:
            where, share = _pixels(fact.outline, scenario.site.grid)
            pixels.append(
                pd.DataFrame(
                    {"event_id": event_id, "row": where[0], "column": where[1], "share": share.astype(np.float32)}
                )
            )
    columns = ["event_id", "parcel_id", "site", "kind", "start", "end", "area_m2", "severity", "note", "is_trap"]
    empty = pd.DataFrame(
        {
            "event_id": pd.Series(dtype=str),
            "row": pd.Series(dtype="int64"),
            "column": pd.Series(dtype="int64"),
            "share": pd.Series(dtype="float32"),
        }
    )
    table = pd.DataFrame(rows, columns=columns).astype({"is_trap": bool})
    return table, pd.concat([empty, *pixels], ignore_index=True)


def _pixels(outline: BaseGeometry, grid: SiteGrid) -> tuple[tuple[Index, Index], NDArray[np.float64]]:
    """Rows, columns and shares of the site's pixels that an outline covers, to a hundredth of a pixel."""
    from affine import Affine
    from rasterio.features import rasterize  # type: ignore[import-untyped]

    fine = 10
    west, south, east, north = outline.bounds
    left, right = int(west // 10), min(int(east // 10) + 1, grid.size)
    top, bottom = int((grid.extent_m - north) // 10), min(int((grid.extent_m - south) // 10) + 1, grid.size)
    top, left = max(top, 0), max(left, 0)
    shape = ((bottom - top) * fine, (right - left) * fine)
    inside = rasterize(
        [(outline, 1)], out_shape=shape, transform=Affine(1, 0, left * 10, 0, -1, grid.extent_m - top * 10)
    )
    share = inside.reshape(bottom - top, fine, right - left, fine).mean(axis=(1, 3))
    rows, columns = np.nonzero(share)
    return (rows + top, columns + left), share[rows, columns]


def _stages(scenario: Scenario) -> pd.DataFrame:
    """Shares of stages of building, every ten days, of parcels that are built on or cleared."""
    kinds = {"construction", "demolition", "pv_build", "wind_build", "encroachment", "land_preparation", "pond_drained"}
    wanted = {fact.parcel_id for fact in scenario.facts if fact.kind in kinds}
    wanted |= {p.parcel_id for p in scenario.pledged if p.asset_class in ("construction", "solar", "wind")}
    pledged = {p.parcel_id for p in scenario.pledged}
    rows = []
    for parcel_id, zones in _zones_of(scenario).items():
        if parcel_id not in wanted & pledged:
            continue
        visible = _visible_areas(zones)
        for day in range(SPIN_UP_DAYS, scenario.weather.days.size, STAGE_DAYS):
            shares = dict.fromkeys(("vegetated", "water", "cleared", "building", "built"), 0.0)
            for zone, area in zip(zones, visible, strict=True):
                before, after, reached = zone.stage(day)
                shares[before] += area * (1 - reached)
                shares[after] += area * reached
            rows.append({"parcel_id": parcel_id, "date": _date(scenario, day), **shares})
    return pd.DataFrame(rows, columns=["parcel_id", "date", "vegetated", "water", "cleared", "building", "built"])


def _visible_areas(zones: Sequence[Zone]) -> list[float]:
    """Share of the parcel that each zone covers and no later one lies over."""
    found = []
    for n, zone in enumerate(zones):
        left: BaseGeometry = zone.outline
        for later in zones[n + 1 :]:
            left = left.difference(later.outline)
        found.append(float(left.area))
    return [area / sum(found) for area in found]


def _fields_of_parcels(scenario: Scenario, appearance: Appearance) -> list[tuple[str, Zone]]:
    """Pledged parcels that are wholly fields at the start, and their first zone."""
    found = []
    for p in scenario.pledged:
        zone = _zones_of_one(scenario, p.parcel_id)
        if zone.name in appearance.fields and p.asset_class == "agriculture":
            found.append((p.parcel_id, zone))
    return found


def _zones_of_one(scenario: Scenario, parcel_id: str) -> Zone:
    return next(zone for zone in scenario.zones if zone.parcel_id == parcel_id)


def _seasons(scenario: Scenario, appearance: Appearance) -> pd.DataFrame:
    from geocollateral.simulate.seasons import green_of

    rows = []
    for parcel_id, zone in _fields_of_parcels(scenario, appearance):
        for season in appearance.fields[zone.name].seasons:
            if season.harvested < SPIN_UP_DAYS:
                continue
            green, _ = green_of(season, zone.traits, scenario.weather)
            peak = int(np.argmax(green))
            up = np.flatnonzero(green > 0.10)
            rows.append(
                {
                    "parcel_id": parcel_id,
                    "crop": season.crop,
                    "sown": _day_or_none(scenario, season.sown),
                    "emerged": _day_or_none(scenario, int(up[0])) if up.size else pd.NaT,
                    "peak": _day_or_none(scenario, peak),
                    "peak_green": float(green[peak]),
                    "harvested": _day_or_none(scenario, season.harvested),
                    "failed": season.lost_from is not None,
                }
            )
    columns = ["parcel_id", "crop", "sown", "emerged", "peak", "peak_green", "harvested", "failed"]
    return pd.DataFrame(rows, columns=columns)


def _day_or_none(scenario: Scenario, day: int) -> Any:
    """NaT for days outside the weather: a crop that is still standing at the end has no day of harvest."""
    return pd.Timestamp(scenario.weather.days[day]) if 0 <= day < scenario.weather.days.size else pd.NaT


def _phenology(scenario: Scenario, appearance: Appearance) -> pd.DataFrame:
    days = scenario.weather.days[SPIN_UP_DAYS:]
    parts = [
        pd.DataFrame({"parcel_id": parcel_id, "date": days, "green_cover": appearance.green[zone.name][SPIN_UP_DAYS:]})
        for parcel_id, zone in _fields_of_parcels(scenario, appearance)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["parcel_id", "date", "green_cover"])


def _flaws(scenario: Scenario, optical: Sequence[OpticalScene], radar: Sequence[RadarScene]) -> pd.DataFrame:
    flaws = [(s.item_id, s.flaws) for s in optical] + [(s.item_id, s.flaws) for s in radar]
    rows = [
        {"item_id": item_id, "site": scenario.site.tile, "flaw": flaw, "detail": detail}
        for item_id, found in flaws
        for flaw, detail in found
    ]
    return pd.DataFrame(rows, columns=["item_id", "site", "flaw", "detail"])


def _weather(scenario: Scenario) -> pd.DataFrame:
    weather, span = scenario.weather, slice(SPIN_UP_DAYS, None)
    return pd.DataFrame(
        {
            "site": scenario.site.tile,
            "date": weather.days[span],
            "temperature_c": weather.temperature_c[span],
            "rain_mm": weather.rain_mm[span],
            "soil_moisture": weather.moisture[span],
            "snow": weather.snow[span],
        }
    )


def _portfolio(scenario: Scenario, seeds: Seeds) -> tuple[list[Mapping[str, Any]], pd.DataFrame]:
    """GeoJSON features with claims and loans, and the table that says which claims are true."""
    grid, own = scenario.site.grid, _zones_of(scenario)
    features: list[Mapping[str, Any]] = []
    rows = []
    for n, parcel in enumerate(scenario.pledged):
        rng = seeds.stream("claim", parcel.parcel_id)
        stated, judged = claim(parcel, own[parcel.parcel_id], scenario, n, rng)
        x, y = np.array(parcel.outline.exterior.coords).T
        lon, lat = grid.to_lonlat(x, y)
        ring = [[round(float(a), 8), round(float(b), 8)] for a, b in zip(lon, lat, strict=True)]
        ring = ring if parcel.outline.exterior.is_ccw else ring[::-1]
        features.append(
            {
                "type": "Feature",
                "properties": {"parcel_id": parcel.parcel_id, "asset_class": parcel.asset_class, **stated},
                "geometry": {"type": "Polygon", "coordinates": [ring]},
            }
        )
        rows += [{"parcel_id": parcel.parcel_id, **row} for row in judged]
    return features, pd.DataFrame(rows, columns=["parcel_id", "claim", "claimed", "actual", "is_true"])
