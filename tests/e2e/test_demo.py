"""The demo on real imagery: the facts known of it, and the contract of every file of the result folder."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from affine import Affine
from shapely.geometry import Point, Polygon, shape

from geocollateral import cli
from geocollateral.assets import CLAIMS
from geocollateral.sources import open_source
from geocollateral.types import CHANGE_COLUMNS, NOT_A_VALUATION, PARCEL_COLUMNS, SERIES_COLUMNS, Alert, Period

pytestmark = pytest.mark.sample

FELLINGS = {
    (62, 8): ("2018-05-02", "2018-05-22"),
    (70, 47): ("2018-09-19", "2019-06-16"),
    (64, 82): ("2019-09-29", "2020-05-11"),
}
"""Row and column of the 10 m grid; days between which the stand was felled."""
ROAD = ("2016-09-24", "2017-06-06")
ROAD_HA = 3.7
MISSED_CLOUDS = ("2017-08-30", "2018-06-06", "2018-08-20", "2018-08-30", "2020-09-03")
"""Days on which the scene classification misses clouds over stable forest."""
STABLE = ("south-west-stand", "west-stand", "ridge-stand", "south-stand")
ROAD_PARCELS = ("forest-road",)
OUTSIDE, SMALL = "south-east-corner", "hut-clearing"


@pytest.fixture(scope="module")
def out(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result folder of `make demo`."""
    folder = tmp_path_factory.mktemp("demo") / "results" / "demo"
    arguments = ["assess", root / "aoi/demo/parcels.geojson", "--source", "sample:romania"]
    arguments += ["--unit-values", root / "aoi/demo/unit_values.csv", "--out", folder]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["geocollateral", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            cli.main()
    assert done.value.code in (0, None)
    return folder


@pytest.fixture(scope="module")
def parcels(out: Path) -> dict[str, dict[str, Any]]:
    features = json.loads((out / "parcels.geojson").read_text(encoding="utf-8"))["features"]
    return {feature["properties"]["parcel_id"]: feature for feature in features}


@pytest.fixture(scope="module")
def alerts(out: Path) -> list[dict[str, Any]]:
    return list(json.loads((out / "alerts.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def series(out: Path) -> pd.DataFrame:
    return pd.read_parquet(out / "series.parquet")


@pytest.fixture(scope="module")
def truth(parcels: dict[str, dict[str, Any]]) -> dict[str, list[tuple[str, str]]]:
    """Parcel to the days of each known felling in it, by where its pixel lies."""
    first = open_source("sample:romania").search((-180, -90, 180, 90), Period(start=None, end=dt.date(2016, 1, 1)))[0]
    grid = Affine(*first.properties["proj:transform"])
    points = gpd.GeoSeries(
        [Point(grid @ (column + 0.5, row + 0.5)) for row, column in FELLINGS], crs=first.properties["proj:code"]
    ).to_crs(4326)
    found: dict[str, list[tuple[str, str]]] = {}
    for point, days in zip(points, FELLINGS.values(), strict=True):
        homes = [name for name, parcel in parcels.items() if shape(parcel["geometry"]).contains(point)]
        assert homes, f"no demo parcel holds the felling of {days}"
        for home in homes:
            found.setdefault(home, []).append(days)
    for name in ROAD_PARCELS:
        found.setdefault(name, []).append(ROAD)
    return found


# ------------------------------------------------------------------------------------------------------------ the facts


def overlap(alert: dict[str, Any], days: tuple[str, str]) -> bool:
    return bool(alert["last_clear_before"] < days[1] and days[0] < alert["first_clear_after"])


def test_every_felling_and_the_road_are_reported_in_their_parcel(
    truth: dict[str, list[tuple[str, str]]], alerts: list[dict[str, Any]]
) -> None:
    assert sum(map(len, truth.values())) >= 4
    for parcel_id, changes in truth.items():
        own = [alert for alert in alerts if alert["parcel_id"] == parcel_id]
        for days in changes:
            assert any(overlap(alert, days) for alert in own), (parcel_id, days, own)


def test_no_alert_has_dates_that_no_known_change_explains(alerts: list[dict[str, Any]]) -> None:
    known = [*FELLINGS.values(), ROAD]
    strange = [a for a in alerts if not any(overlap(a, days) for days in known)]
    assert strange == []


def test_area_of_the_road_is_not_exaggerated(alerts: list[dict[str, Any]]) -> None:
    road = sum(a["area_m2"] for a in alerts if overlap(a, ROAD)) / 1e4
    assert 0.5 <= road <= ROAD_HA


def test_stable_parcels_have_no_alert(parcels: dict[str, dict[str, Any]], alerts: list[dict[str, Any]]) -> None:
    assert not {alert["parcel_id"] for alert in alerts} & set(STABLE)
    for name in STABLE:
        properties = parcels[name]["properties"]
        assert properties["meta_status"] == "ok"
        assert properties["alerts"] == []
        assert properties["obs_living_share_frac"] == 1


@pytest.mark.parametrize(("parcel_id", "word"), [(OUTSIDE, "outside the imagery"), (SMALL, "small")])
def test_small_and_outside_parcels_cannot_be_told(
    parcels: dict[str, dict[str, Any]], alerts: list[dict[str, Any]], parcel_id: str, word: str
) -> None:
    properties = parcels[parcel_id]["properties"]
    assert properties["meta_status"] == "cannot_tell"
    assert word in properties["meta_reason"]
    for name in ("val_p05", "val_p50", "val_p95", "risk_score", "risk_ltv", "obs_living_share_frac"):
        assert properties[name] is None, name
    assert not [alert for alert in alerts if alert["parcel_id"] == parcel_id]


@pytest.mark.parametrize("day", MISSED_CLOUDS)
def test_missed_clouds_do_not_show_in_the_series_of_stable_parcels(series: pd.DataFrame, day: str) -> None:
    """The look is masked, or what is left of it is the forest: within 0.1 of the same season of the other years."""
    missed = pd.Timestamp(day)
    stable = series[series["parcel_id"].isin(STABLE)]
    assert set(stable["parcel_id"]) == set(STABLE)
    for name, own in stable.groupby(["parcel_id", "index"]):
        season = own[(abs(own["time"].dt.day_of_year - missed.day_of_year) <= 20) & (own["valid_fraction"] > 0.9)]
        usual = season[~season["time"].dt.strftime("%Y-%m-%d").isin(MISSED_CLOUDS)]["mean"].median()
        look = own[(own["time"] == missed) & (own["valid_fraction"] >= 0.5)]
        assert (abs(look["mean"] - usual) < 0.1).all(), (name, usual, look["mean"].tolist())


# --------------------------------------------------------------------------------------------------------- the contract


def test_folder_holds_the_files_of_the_contract(out: Path) -> None:
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    chips = {name for name in names if name.startswith("chips/")}
    assert names - chips == {
        "parcels.geojson",
        "alerts.json",
        "series.parquet",
        "changes.parquet",
        "scenes.json",
        "report.html",
        "tables/claims.parquet",
        "tables/history.parquet",
        "tables/risk_features.parquet",
        "tables/risk_rollup.parquet",
        "tables/risk_rules.parquet",
        "run.json",
    }
    assert chips
    assert all(re.fullmatch(r"chips/.+_(before|after|latest)_\d{4}-\d{2}-\d{2}\.png", name) for name in chips)


def test_hashes_of_inputs_and_outputs_verify(root: Path, out: Path) -> None:
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    for name, digest in run["outputs"].items():
        content = (out / name).read_bytes()
        assert digest == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert set(run["outputs"]) == {
        p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file() and p.name != "run.json"
    }
    aoi = (root / "aoi/demo/parcels.geojson").read_bytes()
    assert run["parcels_sha256"] == hashlib.sha256(aoi).hexdigest()
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in run["source_sha256"].values())
    for key in ("run_id", "as_of", "settings", "versions", "model_id", "timings", "source"):
        assert key in run
    text = (out / "run.json").read_text(encoding="utf-8")
    assert str(root) not in text
    assert str(out) not in text


def test_every_file_that_may_hold_a_value_says_that_it_is_no_valuation(out: Path) -> None:
    for name in ("parcels.geojson", "run.json"):
        assert json.loads((out / name).read_text(encoding="utf-8"))["disclaimer"] == NOT_A_VALUATION
    tables = sorted((out / "tables").glob("*.parquet"))
    assert tables
    for table in tables:
        assert pq.read_schema(table).metadata[b"disclaimer"].decode() == NOT_A_VALUATION
    assert "not a valuation" in (out / "report.html").read_text(encoding="utf-8")


def test_assess_takes_less_than_a_minute(out: Path) -> None:
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert 0 < run["timings"]["seconds"] < 60


def test_parcels_are_rfc_7946(root: Path, out: Path, parcels: dict[str, dict[str, Any]]) -> None:
    document = json.loads((out / "parcels.geojson").read_text(encoding="utf-8"))
    assert document["type"] == "FeatureCollection"
    assert "crs" not in document
    given = json.loads((root / "aoi/demo/parcels.geojson").read_text(encoding="utf-8"))["features"]
    assert list(parcels) == [feature["properties"]["parcel_id"] for feature in given]
    for feature, source in zip(document["features"], given, strict=True):
        properties = feature["properties"]
        assert set(PARCEL_COLUMNS) | {"parcel_id"} <= set(properties)
        assert properties["meta_status"] in ("ok", "cannot_tell")
        assert properties["meta_reason"]
        assert properties["obs_area_mu"] == pytest.approx(properties["obs_area_m2"] * 3 / 2000)
        polygon = shape(feature["geometry"])
        assert isinstance(polygon, Polygon)
        assert polygon.exterior.is_ccw
        assert polygon.symmetric_difference(shape(source["geometry"])).area < 1e-10
        if properties["meta_status"] == "ok":
            assert 0 < properties["val_p05"] <= properties["val_p50"] <= properties["val_p95"]
            assert properties["val_currency"] == "EUR"
            assert properties["meta_n_obs"] > 9
            assert properties["meta_last_clear"] >= "2020-10"


def test_alerts_have_the_keys_of_the_contract_and_belong_to_parcels(
    parcels: dict[str, dict[str, Any]], alerts: list[dict[str, Any]]
) -> None:
    keys = [field.name for field in dataclasses.fields(Alert)]
    for alert in alerts:
        assert list(alert) == keys
        assert alert["last_clear_before"] < alert["first_clear_after"] <= alert["detected_on"] <= "2021-01-31"
        assert alert["break_date"] == alert["first_clear_after"]
        assert 0 < alert["area_m2"] <= parcels[alert["parcel_id"]]["properties"]["obs_area_m2"]
        assert 0 <= alert["probability"] <= 1
        assert alert["sensors"] == ["sentinel-2"]
        assert alert["reasons"]
    assert len({alert["alert_id"] for alert in alerts}) == len(alerts)
    by_parcel = {name: sorted(parcel["properties"]["alerts"]) for name, parcel in parcels.items()}
    for name, ids in by_parcel.items():
        assert ids == sorted(alert["alert_id"] for alert in alerts if alert["parcel_id"] == name)


def test_series_and_changes_have_the_columns_of_the_contract(out: Path, series: pd.DataFrame) -> None:
    assert tuple(pq.read_schema(out / "series.parquet").names) == SERIES_COLUMNS
    assert tuple(pq.read_schema(out / "changes.parquet").names) == CHANGE_COLUMNS
    assert not series.duplicated(["parcel_id", "time", "sensor", "index"]).any()
    assert np.isfinite(series[["mean", "p10", "p50", "p90"]]).all(axis=None)
    assert (series["p10"] <= series["p50"]).all()
    assert (series["p50"] <= series["p90"]).all()
    assert series["valid_fraction"].between(0, 1).all()
    assert (series["n_pixels"] >= 1).all()
    changes = pd.read_parquet(out / "changes.parquet")
    pixels = changes[changes["level"] == "pixels"]
    assert (pixels["last_clear_before"] < pixels["first_clear_after"]).all()
    assert (pixels["first_clear_after"] <= pixels["detected_on"]).all()


def test_every_claim_has_a_verdict_and_every_column_its_row(
    root: Path, out: Path, parcels: dict[str, dict[str, Any]]
) -> None:
    table = pd.read_parquet(out / "tables/claims.parquet").set_index(["parcel_id", "claim"])
    assert table.index.is_unique
    for feature in json.loads((root / "aoi/demo/parcels.geojson").read_text(encoding="utf-8"))["features"]:
        given = {name for name in feature["properties"] if name.startswith("claim_")}
        own = parcels[feature["properties"]["parcel_id"]]["properties"]
        for claim in {CLAIMS[name][0] for name in given}:
            row = table.loc[(own["parcel_id"], claim)]
            assert own[f"claim_{claim}_verdict"] == row["verdict"]
            assert own[f"claim_{claim}_reason"] == row["reason"]
            assert own[f"claim_{claim}_observed"] == pytest.approx(row["observed"], nan_ok=True) or (
                own[f"claim_{claim}_observed"] is None and pd.isna(row["observed"])
            )
    living = table.xs("living", level="claim")["verdict"]
    assert set(living[list({*STABLE} & set(living.index))]) == {"match"}
    assert living["central-fellings"] == "mismatch"
    assert living[OUTSIDE] == "cannot_tell"


def test_the_last_five_years_are_told(out: Path, parcels: dict[str, dict[str, Any]], truth: dict[str, Any]) -> None:
    history = pd.read_parquet(out / "tables/history.parquet")
    assert {name for name, felled in truth.items() if felled} <= set(history["parcel_id"])
    for parcel_id, feature in parcels.items():
        own = feature["properties"]
        n = own["obs_lookback_events_n"]
        if own["meta_status"] == "cannot_tell":
            assert n is None
            assert "Cannot tell" in own["obs_lookback_reason"]
        else:
            assert n == (history["parcel_id"] == parcel_id).sum()
            assert 0 < own["obs_lookback_years"] <= 5


def test_scenes_are_all_there_and_add_up(out: Path, parcels: dict[str, dict[str, Any]]) -> None:
    scenes = json.loads((out / "scenes.json").read_text(encoding="utf-8"))
    assert scenes["n_scenes"] == len(scenes["scenes"]) == 140
    assert scenes["expected_observations"] == sum(scenes["observations"].values())
    assert scenes["expected_observations"] == sum(len(s["bands"]) for s in scenes["scenes"]) * len(parcels)
    assert len({s["scene_id"] for s in scenes["scenes"]}) == 140


def test_report_is_one_file_that_names_its_sources(out: Path, parcels: dict[str, dict[str, Any]]) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    run = json.loads((out / "run.json").read_text(encoding="utf-8"))
    for word in (*parcels, run["run_id"], "Copernicus", "EUPL"):
        assert word in text, word
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", text)
    assert "<script" not in text


def test_the_report_comes_in_chinese(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "zh"
    arguments = [
        "assess",
        root / "aoi/demo/parcels.geojson",
        "--source",
        "sample:romania",
        "--lang",
        "zh",
        "--out",
        out,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["geocollateral", *map(str, arguments)])
        with pytest.raises(SystemExit) as done:
            cli.main()
    assert done.value.code in (0, None)
    page = (out / "report.html").read_text(encoding="utf-8")
    assert 'lang="zh' in page
    assert "林木损失" in page
