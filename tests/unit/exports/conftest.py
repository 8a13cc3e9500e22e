"""A rich assessment, built by hand: ten forest parcels and five years of irregular looks."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from affine import Affine
from shapely.geometry import Polygon, box

from geocollateral.types import (
    CHANGE_COLUMNS,
    MU_M2,
    PARCEL_COLUMNS,
    Alert,
    Assessment,
    Chip,
    IntakeNote,
    MapPicture,
    SourceInfo,
)

CRS = "EPSG:32635"
SIZE = 100
TRANSFORM = Affine(10, 0, 400_000, 0, -10, 5_100_000)
AS_OF = dt.date(2021, 1, 31)
HISTORY = pd.Timestamp("2016-01-01")

KINDS: dict[str, tuple[str, tuple[int, int, int, int]]] = {
    "RO-001": ("stable", (4, 4, 22, 20)),
    "RO-002": ("stable", (28, 4, 50, 18)),
    "RO-003": ("road", (56, 4, 90, 24)),
    "RO-004": ("felled", (4, 28, 24, 48)),
    "RO-005": ("felled", (30, 26, 52, 46)),
    "RO-006": ("stable", (58, 30, 88, 50)),
    "RO-007": ("suspected", (6, 56, 30, 78)),
    "RO-008": ("stable", (36, 54, 60, 74)),
    "RO-009": ("outside", (86, 60, 112, 80)),
    "RO-010": ("small", (70, 62, 72, 64)),
}
"""Kind and columns and rows (left, top, right, bottom) of each parcel."""

BROKEN: dict[str, tuple[str, str, str, str | None]] = {
    "road": ("2016-09-24", "2017-06-06", "2017-07-01", None),
    "felled": ("2018-05-02", "2018-05-22", "2018-06-26", "2020-06-10"),
    "suspected": ("2020-09-29", "2020-10-14", "", None),
}
"""Last clear look before, first after, confirmed on, green again on."""

REASONS = {
    "outside": "31 % of the parcel lies outside the imagery",
    "small": "The parcel holds 4 whole pixels; at least 20 are needed",
}


@pytest.fixture
def build_assessment() -> Callable[..., Assessment]:
    """Builder of the assessment; ``rename`` gives parcels other ids, and any field can be replaced."""
    return _build


@pytest.fixture(scope="session")
def assessment() -> Assessment:
    return _build()


def _build(rename: dict[str, str] | None = None, **replaced: Any) -> Assessment:
    names = {parcel_id: (rename or {}).get(parcel_id, parcel_id) for parcel_id in KINDS}
    random = np.random.default_rng(7)
    alerts = tuple(_alert(names[p], kind) for p, (kind, _) in KINDS.items() if kind in ("road", "felled"))
    fields: dict[str, Any] = {
        "run_id": "r-20210131-5f3a9c01",
        "as_of": AS_OF,
        "parcels": _parcels(names, alerts),
        "alerts": alerts,
        "series": pd.concat([_series(names[p], kind, random) for p, (kind, _) in KINDS.items()], ignore_index=True),
        "changes": pd.DataFrame([_change(names[p], kind) for p, (kind, _) in KINDS.items()])[list(CHANGE_COLUMNS)],
        "baselines": pd.concat([_baseline(names[p]) for p in KINDS], ignore_index=True),
        "tables": {},
        "yearly": pd.DataFrame([y for p, (kind, _) in KINDS.items() for y in _years(names[p], kind)]),
        "scenes": _scenes(),
        "chips": tuple(c for p, (kind, window) in KINDS.items() for c in _chips(names[p], kind, window, random)),
        "picture": _picture(random),
        "sources": (
            SourceInfo(
                name="sample:romania",
                title="Sentinel-2 L2A of a Romanian forest, as carried by nrt 0.2.1",
                licence="EUPL-1.2; Copernicus Sentinel data, free and open",
                attribution="Contains modified Copernicus Sentinel data 2015-2021",
                sha256={"sentinel2_cube_subset_romania_10m.nc": "ab" * 32},
            ),
        ),
        "notes": (
            IntakeNote(
                kind="repair", parcel_id=names["RO-004"], message="ring closed", position=(25.701234, 46.041234)
            ),
            IntakeNote(kind="warning", parcel_id=None, message="no datum is named; WGS 84 taken"),
        ),
        "run": {
            "run_id": "r-20210131-5f3a9c01",
            "inputs": {"romania_forest.geojson": "cd" * 32},
            "settings": {"change": {"method": "ewma", "consecutive": 4}, "source": "sample:romania"},
            "versions": {"geocollateral": "0.1.0", "numpy": "2.4.6"},
        },
    }
    return Assessment(**{**fields, **replaced})


def _shape(window: tuple[int, int, int, int]) -> Polygon:
    left, top, right, bottom = window
    cut = box(left, top, right, bottom)
    if right - left > 5:  # a corner cut off, so that parcels are not all rectangles
        cut = Polygon([(left, top), (right - 3, top), (right, top + 5), (right, bottom), (left + 4, bottom - 1)])
    return Polygon([TRANSFORM @ point for point in cut.exterior.coords])


def _parcels(names: dict[str, str], alerts: tuple[Alert, ...]) -> gpd.GeoDataFrame:
    shapes = gpd.GeoSeries([_shape(window) for _, window in KINDS.values()], crs=CRS)
    kinds = [kind for kind, _ in KINDS.values()]
    known = np.array([kind not in REASONS for kind in kinds])
    area = shapes.area.to_numpy()
    living = np.array([{"felled": 0.72, "road": 0.86}.get(kind, 1.0) for kind in kinds])
    middle = np.where(known, area * living * 12.5, np.nan)
    table = {
        "asset_class": "forestry",
        "obs_area_m2": area,
        "obs_area_mu": area / MU_M2,
        "meta_status": np.where(known, "ok", "cannot_tell"),
        "meta_reason": [REASONS.get(kind) for kind in kinds],
        "meta_n_obs": [70 if kind not in REASONS else 0 for kind in kinds],
        "meta_last_clear": [pd.Timestamp("2020-12-30") if ok else pd.NaT for ok in known],
        "val_p05": middle * 0.7,
        "val_p50": middle,
        "val_p95": middle * 1.3,
        "val_currency": [("CNY" if ok else None) for ok in known],
        "val_grade": [("C" if ok else None) for ok in known],
        "risk_score": np.nan,
        "risk_ltv": np.nan,
        "alerts": [[a.alert_id for a in alerts if a.parcel_id == name] for name in names.values()],
        "obs_living_share_frac": np.where(known, living, np.nan),
        "chg_disturbed_m2": np.where(known, area * (1 - living), np.nan),
    }
    index = pd.Index(list(names.values()), name="parcel_id")
    parcels = gpd.GeoDataFrame(table, geometry=shapes.to_numpy(), crs=CRS).to_crs(4326).set_index(index)
    assert set(PARCEL_COLUMNS) <= set(parcels.columns)
    return parcels


def _alert(name: str, kind: str) -> Alert:
    before, after, detected, _ = BROKEN[kind]
    return Alert(
        alert_id=f"a-{name}-{after}",
        parcel_id=name,
        rule="stand_loss",
        severity="high" if kind == "felled" else "medium",
        status="open",
        break_date=dt.date.fromisoformat(after),
        last_clear_before=dt.date.fromisoformat(before),
        first_clear_after=dt.date.fromisoformat(after),
        detected_on=dt.date.fromisoformat(detected),
        area_m2=11_200.0,
        probability=0.97,
        sensors=("Sentinel-2A", "Sentinel-2B"),
        evidence={"scene_after": f"S2A_{after}", "drop": np.float64(0.41), "missing": float("nan")},
        reasons=("NDVI fell by 0.41 below what the season lets expect and stayed there for 4 clear looks.",),
    )


def _season(times: pd.DatetimeIndex) -> np.ndarray:
    return 0.68 - 0.17 * np.cos(2 * np.pi * (np.asarray(times.day_of_year) - 20) / 365.25)


def _series(name: str, kind: str, random: np.random.Generator) -> pd.DataFrame:
    if kind in REASONS:
        return pd.DataFrame()
    days = np.sort(random.choice(np.arange(0, 1856), 70, replace=False))
    times = HISTORY + pd.to_timedelta(days, unit="D")
    mean = _season(times) + random.normal(0, 0.018, len(times))
    if kind in BROKEN:
        _, after, _, again = BROKEN[kind]
        since = np.asarray((times - pd.Timestamp(after)).days)
        depth = {"felled": 0.3, "road": 0.13, "suspected": 0.2}[kind]
        mean = mean - np.where(since >= 0, depth * (np.exp(-since / 700) if again else 1.0), 0)
    return pd.DataFrame(
        {
            "parcel_id": name,
            "time": times,
            "sensor": "Sentinel-2A",
            "index": "ndvi",
            "mean": mean,
            "p10": mean - 0.05,
            "p50": mean,
            "p90": mean + 0.05,
            "valid_fraction": np.clip(random.normal(0.95, 0.15, len(times)), 0.3, 1),
            "n_pixels": 320,
            "scene_id": [f"S2A_MSIL2A_{t:%Y%m%d}T092031_T35TLM" for t in times],
        }
    )


def _baseline(name: str) -> pd.DataFrame:
    times = pd.date_range(HISTORY, AS_OF, freq="5D")
    month = np.asarray(times.month)
    return pd.DataFrame(
        {
            "parcel_id": name,
            "index": "ndvi",
            "time": times,
            "expected": _season(times),
            "spread": 0.045,
            "informative": (month >= 5) & (month <= 10),
        }
    )


def _change(name: str, kind: str) -> dict[str, Any]:
    status = {"road": "confirmed", "felled": "confirmed", "suspected": "suspected"}.get(kind, "stable")
    before, after, detected, again = BROKEN.get(kind, ("", "", "", None))
    return {
        "parcel_id": name,
        "index": "ndvi",
        "level": "pixels",
        "status": "cannot_tell" if kind in REASONS else status,
        "break_date": pd.Timestamp(after or None),
        "last_clear_before": pd.Timestamp(before or None),
        "first_clear_after": pd.Timestamp(after or None),
        "detected_on": pd.Timestamp(detected or None),
        "recovered_on": pd.Timestamp(again),
        "area_m2": 11_200.0 if status == "confirmed" else np.nan,
        "magnitude": -0.41 if after else np.nan,
        "probability": 0.97 if after else np.nan,
        "sensors": ("Sentinel-2A",),
        "n_looks": 0 if kind in REASONS else 70,
        "reason": REASONS.get(kind),
    }


def _years(name: str, kind: str) -> list[dict[str, Any]]:
    broken = {"road": 2017, "felled": 2018}.get(kind)
    rows = []
    for year in range(2016, 2022):
        looks = 0 if kind in REASONS or year == 2021 else 14
        living = 1.0 if broken is None or year < broken else 0.72 + 0.05 * (year - broken)
        rows.append(
            {
                "parcel_id": name,
                "year": year,
                "living_share": living if looks else np.nan,
                "disturbed_m2": (11_200.0 if year == broken else 0.0) if looks else np.nan,
                "n_looks": looks,
            }
        )
    return rows


def _scenes() -> dict[str, Any]:
    times = pd.date_range(HISTORY, AS_OF, freq="13D")
    return {
        "scenes": [
            {
                "scene_id": f"S2A_MSIL2A_{t:%Y%m%d}",
                "time": t,
                "platform": "sentinel-2a" if number % 2 else "sentinel-2b",
                "bands": {"red": "ok", "nir": "ok", "scl": "missing" if number == 3 else "ok"},
            }
            for number, t in enumerate(times)
        ]
    }


def _forest(random: np.random.Generator, height: int, width: int) -> np.ndarray:
    shade = random.normal(0, 7, (height, width, 1))
    return np.clip(np.array([44, 66, 40]) + shade, 0, 255).astype(np.uint8)


def _chips(name: str, kind: str, window: tuple[int, int, int, int], random: np.random.Generator) -> list[Chip]:
    if kind in REASONS:
        return []
    left, top, right, bottom = window
    place = TRANSFORM @ Affine.translation(left - 4, top - 4)
    before, after, _, _ = BROKEN.get(kind, ("", "", "", None))
    dates = {"before": before, "after": after, "latest": "2020-12-30"}
    chips = []
    for role, day in dates.items():
        if not day:
            continue
        rgb = _forest(random, bottom - top + 8, right - left + 8)
        if role != "before" and before:
            rgb[8:14, 6:16] = (168, 140, 110)
        chips.append(
            Chip(
                parcel_id=name,
                role=role,  # type: ignore[arg-type]
                rgb=rgb,
                acquired=dt.date.fromisoformat(day),
                sensor="Sentinel-2A",
                scene_id=f"S2A_MSIL2A_{day.replace('-', '')}T092031_T35TLM",
                clear_fraction=0.998,
                transform=(place.a, place.b, place.c, place.d, place.e, place.f),
                crs=CRS,
            )
        )
    return chips


def _picture(random: np.random.Generator) -> MapPicture:
    years = np.zeros((SIZE, SIZE), np.int16)
    years[14:17, 57:89] = 2017
    years[32:40, 8:16] = 2018
    years[30:38, 36:46] = 2018
    t = TRANSFORM
    return MapPicture(
        rgb=_forest(random, SIZE, SIZE),
        acquired=dt.date(2020, 8, 14),
        scene_id="S2B_MSIL2A_20200814T092039_T35TLM",
        transform=(t.a, t.b, t.c, t.d, t.e, t.f),
        crs=CRS,
        disturbed_year=years,
    )
