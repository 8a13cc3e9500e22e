"""Every claim of a parcel ends with a verdict."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from geocollateral.assets import CLAIMS, settle, withdraw
from geocollateral.assets.claims import untold
from geocollateral.assets.settled import ORDER, STANDS_FOR
from geocollateral.intake.contract import COLUMNS
from geocollateral.types import ASSET_CLASSES, Event, Judgement

AS_OF = dt.date(2025, 8, 1)
VALUES: dict[str, Any] = {
    "claim_area_mu": 15.0,
    "claim_area_m2": 10_000.0,
    "claim_area_ha": 1.0,
    "claim_use": "rice",
    "claim_planted_on": pd.Timestamp("2025-04-20"),
    "claim_living_share_frac": 0.9,
    "claim_volume_m3": 800.0,
    "claim_capacity_mw": 5.0,
    "claim_turbine_count": 3.0,
    "claim_commissioned_on": pd.Timestamp("2024-12-31"),
    "claim_stage": "complete",
    "claim_progress_frac": 0.9,
    "claim_start_on": pd.Timestamp("2023-01-01"),
    "claim_complete_on": pd.Timestamp("2025-01-01"),
    "claim_floor_area_m2": 30_000.0,
    "claim_water_share_frac": 0.8,
}


def judgement(status: str = "ok", **changes: Any) -> Judgement:
    given = {"reason": "Judged.", "columns": {}, "quantity": None, "quantity_unit": "ha", "events": (), "yearly": ()}
    return Judgement(**{"status": status, **given, **changes})


def claims_of(asset_class: str, **claims: Any) -> dict[str, Any]:
    return {"asset_class": asset_class, "obs_area_m2": 10_000.0, **claims}


def test_the_columns_of_claims_are_those_of_the_contract_with_their_asset_classes() -> None:
    contract = {column.name: column for column in COLUMNS if column.name.startswith("claim_")}
    assert set(CLAIMS) == set(contract)
    for name, (_, classes) in CLAIMS.items():
        assert set(classes or ASSET_CLASSES) == set(contract[name].classes), name
    assert set(VALUES) == set(contract)


@pytest.mark.parametrize("status", ["ok", "cannot_tell"])
@pytest.mark.parametrize("asset_class", ASSET_CLASSES)
@pytest.mark.parametrize("column", list(CLAIMS))
def test_no_claim_is_silently_unchecked(column: str, asset_class: str, status: str) -> None:
    given = {column: VALUES[column]}
    if column in ("claim_area_mu", "claim_area_ha"):
        given["claim_area_m2"] = 10_000.0  # as the intake fills it
    settled = settle(claims_of(asset_class, **given), judgement(status), as_of=AS_OF)
    named = {STANDS_FOR.get(check.claim, check.claim) for check in settled.claims}
    assert CLAIMS[column][0] in named
    for check in settled.claims:
        assert check.verdict in ("match", "mismatch", "cannot_tell")
        assert check.reason.endswith(".")
        assert check.claim in ORDER


@pytest.mark.parametrize("asset_class", ASSET_CLASSES)
def test_settling_twice_changes_nothing_and_the_order_is_fixed(asset_class: str) -> None:
    attributes = claims_of(asset_class, **VALUES)
    once = settle(attributes, judgement(), as_of=AS_OF, n_looks=9, n_pixels=70)
    assert settle(attributes, once, as_of=AS_OF) == once
    names = [check.claim for check in once.claims]
    assert names == sorted(names, key=ORDER.index)
    assert len(set(names)) == len(names)


def test_nothing_claimed_nothing_told() -> None:
    empty = {name: None if isinstance(value, str) else float("nan") for name, value in VALUES.items()}
    assert settle(claims_of("forestry", **empty), judgement(), as_of=AS_OF).claims == ()


def test_what_an_asset_class_says_stands() -> None:
    own = untold("planted", 0.9, "Said by the class.", unit="frac")
    settled = settle(
        claims_of("agriculture", claim_living_share_frac=0.9), judgement(claims=(own,)), as_of=AS_OF, n_looks=5
    )
    assert settled.claims == (own,)


def test_what_cannot_be_seen_says_why() -> None:
    settled = settle(claims_of("forestry", claim_volume_m3=800.0), judgement(), as_of=AS_OF)
    (check,) = settled.claims
    assert (check.claimed, check.unit, check.verdict) == (800.0, "m3", "cannot_tell")
    assert "plots" in check.reason
    other = settle(claims_of("agriculture", claim_volume_m3=800.0), judgement(), as_of=AS_OF)
    assert "says nothing about the asset class agriculture" in other.claims[0].reason


def test_what_is_withdrawn_keeps_the_area_only() -> None:
    attributes = claims_of("forestry", claim_area_m2=10_000.0, claim_use="fir")
    told = settle(attributes, judgement(), as_of=AS_OF).claims
    area, use = withdraw(told, "The feed is stale.")
    assert (area.claim, area.verdict) == ("area", "match")
    assert (use.claim, use.verdict, use.reason) == ("use", "cannot_tell", "The feed is stale.")


def plant(present: bool, complete: dt.date | None = None, build: Event | None = None) -> Judgement:
    return judgement(
        columns={"obs_pv_present": present, "chg_pv_last_works": complete},
        events=() if build is None else (build,),
        tables={"stages": ({"date": "2020-09-01"}, {"date": "2025-07-20"})},
    )


def rows_between(first: str, last: str) -> Event:
    return Event(
        kind="pv_build",
        last_clear_before=dt.date.fromisoformat(first),
        first_clear_after=dt.date.fromisoformat(last),
        detected_on=dt.date(2024, 9, 1),
        recovered_on=None,
        area_m2=9_000.0,
        area_low_m2=8_000.0,
        area_high_m2=9_500.0,
        magnitude=0.8,
        probability=0.9,
        indices=("ndvi",),
        pixels=(),
        reasons=("Rows.",),
    )


BUILD = rows_between("2024-03-01", "2024-03-11")


@pytest.mark.parametrize(
    ("seen", "verdicts"),
    [
        (plant(False), ("mismatch", "mismatch", "mismatch", "mismatch")),
        (plant(True, None, BUILD), ("cannot_tell", "cannot_tell", "cannot_tell", "cannot_tell")),
        (plant(True, dt.date(2024, 8, 1), BUILD), ("match", "match", "match", "match")),
        (plant(True), ("match", "match", "match", "match")),
    ],
)
def test_a_plant_claimed_complete(seen: Judgement, verdicts: tuple[str, ...]) -> None:
    attributes = claims_of(
        "solar", claim_stage="complete", claim_progress_frac=0.95, claim_commissioned_on=dt.date(2024, 12, 31)
    )
    found = {check.claim: check.verdict for check in settle(attributes, seen, as_of=AS_OF).claims}
    assert tuple(found[name] for name in ("stage", "progress", "draw", "commissioned")) == verdicts


def test_a_plant_commissioned_before_its_first_rows_is_a_mismatch() -> None:
    attributes = claims_of("solar", claim_commissioned_on=dt.date(2023, 6, 1))
    (check,) = settle(attributes, plant(True, dt.date(2024, 8, 1), BUILD), as_of=AS_OF).claims
    assert check.verdict == "mismatch"
    assert "after that day" in check.reason


@pytest.mark.parametrize(
    ("stage", "pads", "stage_verdict", "draw"),
    [
        ("planned", 0, "cannot_tell", "match"),
        ("planned", 3, "mismatch", "match"),
        ("foundations", 3, "match", "match"),
        ("foundations", 2, "cannot_tell", "cannot_tell"),
        ("complete", 3, "cannot_tell", "cannot_tell"),
    ],
)
def test_a_wind_plant_is_told_as_far_as_its_pads_go(stage: str, pads: int, stage_verdict: str, draw: str) -> None:
    attributes = claims_of("wind", claim_stage=stage, claim_turbine_count=3.0)
    found = settle(attributes, judgement(columns={"obs_new_pads": pads}), as_of=AS_OF).claims
    verdicts = {check.claim: check.verdict for check in found}
    assert (verdicts["stage"], verdicts["draw"]) == (stage_verdict, draw)
