"""Share of a polygon that carries its crop, on parcels painted by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evidence_by_hand import days_between, parcel

from geocollateral.assets.field_record import Record
from geocollateral.assets.phenology import Curve, PhenologyParams, Season
from geocollateral.assets.planted import (
    COLUMNS,
    Planted,
    PlantedParams,
    cannot_tell_planted,
    claimed_m2,
    judge_planted,
    planted_share,
)
from geocollateral.types import ParcelEvidence

DAYS = days_between("2023-01-01", "2024-01-01", 12)
SIDE = (16, 16)
PARAMS, PHENOLOGY = PlantedParams(), PhenologyParams()


def field(other: np.ndarray, *, noise: float = 0.006) -> ParcelEvidence:
    """A field with one crop from April to September; ``other`` (pixel,) is the part of each pixel that is a road."""
    rng = np.random.default_rng(3)
    phase = (DAYS - DAYS[0]).astype(int) / 365
    cover = np.clip(np.sin(np.pi * (phase - 0.25) / 0.5), 0, None)[:, None]
    crop = {"green": 0.10 - 0.05 * cover, "red": 0.14 - 0.11 * cover, "nir": 0.22 + 0.25 * cover}
    road = {"green": 0.16, "red": 0.18, "nir": 0.21}
    bands = {
        name: crop[name] * (1 - other) + road[name] * other + rng.normal(0, noise, (len(DAYS), other.size))
        for name in road
    }
    return parcel(SIDE, DAYS, bands)


def record(evidence: ParcelEvidence) -> Record:
    first = int(DAYS[0].astype(int))
    season = Season(
        emerged=first + 100,
        peak=first + 180,
        peak_value=0.8,
        base=0.2,
        ended=first + 270,
        ended_low=first + 262,
        ended_high=first + 278,
        fall_days=30,
        known_on=first + 290,
        after=0.2,
    )
    nothing = Curve(start=first, value=np.full(1, np.nan), sd=np.full(1, np.inf))
    return Record(use="field", curve=nothing, crops=(season,), years=1.0, n_looks={2023: len(evidence.look_days)})


def found(other: np.ndarray, **changed: Any) -> Planted:
    evidence = replace(field(other), **changed)
    told = planted_share(evidence, record(evidence), (), PARAMS, PHENOLOGY)
    assert isinstance(told, Planted), told
    return told


def strip(columns: float) -> np.ndarray:
    """Road over so many columns of pixels on the right, the last of them in part."""
    col = np.arange(SIDE[0] * SIDE[1]) % SIDE[1]
    return np.clip(columns - (SIDE[1] - 1 - col), 0.0, 1.0)


def test_a_field_to_its_edge_is_planted_whole() -> None:
    told = found(strip(0))
    assert told.middle == pytest.approx(1.0, abs=0.005)
    assert told.low > 0.95


@pytest.mark.parametrize("columns", [1.0, 2.0, 2.5, 4.0])
def test_a_strip_of_road_is_measured_in_parts_of_pixels(columns: float) -> None:
    told = found(strip(columns))
    assert told.middle == pytest.approx(1 - columns / SIDE[1], abs=0.02)
    assert told.low <= 1 - columns / SIDE[1] <= told.high


def test_a_weaker_crop_is_a_crop() -> None:
    evidence = field(strip(0))
    assert evidence.optical is not None
    weaker = strip(3) > 0
    bands = {}
    for name, band in evidence.optical.items():
        bare = band.values[0].mean()
        bands[name] = (("time", "pixel"), np.where(weaker, bare + 0.75 * (band.values - bare), band.values))
    assert found(strip(0), optical=evidence.optical.assign(bands)).middle > 0.97


def test_few_looks_cannot_tell() -> None:
    evidence = field(strip(2))
    assert evidence.optical is not None
    few = replace(evidence, optical=evidence.optical.isel(time=slice(4)), look_days=evidence.look_days[:4])
    columns, check = judge_planted(few, record(few), (), PARAMS, PHENOLOGY)
    assert columns == dict.fromkeys(COLUMNS)
    assert check is not None
    assert check.verdict == "cannot_tell"
    assert "4 looks" in check.reason


def test_a_claim_of_the_whole_polygon_is_a_mismatch_where_a_quarter_is_road() -> None:
    evidence = field(strip(4))
    columns, check = judge_planted(evidence, record(evidence), (), PARAMS, PHENOLOGY)
    assert check is not None
    assert (check.verdict, check.claim, check.unit) == ("mismatch", "planted", "m2")
    assert check.observed == pytest.approx(columns["obs_planted_m2"], abs=0.1)
    share = {**evidence.attributes, "claim_living_share_frac": 0.75}
    _, honest = judge_planted(replace(evidence, attributes=share), record(evidence), (), PARAMS, PHENOLOGY)
    assert honest is not None
    assert honest.verdict == "match"


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({}, 1000.0),
        ({"claim_area_m2": 1200.0}, 1200.0),
        ({"claim_living_share_frac": 0.5}, 500.0),
        ({"claim_use": "winter wheat", "claim_area_m2": float("nan")}, 1000.0),
        ({"claim_use": "fallow"}, None),
    ],
)
def test_what_is_claimed(claims: dict[str, Any], expected: float | None) -> None:
    attributes = {"obs_area_m2": 1000.0, **claims}
    assert claimed_m2(attributes) == expected
    assert (cannot_tell_planted(attributes, "Too cloudy.") is None) is (expected is None)
