"""What a fitted model is told of parcels, and what becomes of its answer: prices per area, planes of one's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from market import sales
from shapely import box

from geocollateral import training
from geocollateral.approved_models import ModelsInUse
from geocollateral.learned_values import LearnedValues, value_all
from geocollateral.model_governance import ApprovedModel
from geocollateral.store import ModelEntry, ModelRow
from geocollateral.types import MU_M2, Judgement
from geocollateral.valuation.comparables import SALES, sold_of
from geocollateral.valuation.model_seal import ModelParams

DAY = dt.date(2024, 3, 1)
ENTRY = ModelEntry(key="k", asset_class="agriculture", currency="CNY", trainer="Li", folder="f", manifest="", seal="")
ROW = ModelRow(model_id=1, entry=ENTRY, recorded_at=dt.datetime(2024, 1, 1, tzinfo=dt.UTC), events=())


@pytest.fixture(scope="module")
def per_mu(tmp_path_factory: pytest.TempPathFactory) -> ApprovedModel:
    """A model of prices per mu in a plane of its own."""
    table = sales(1200).drop(columns="value")
    table["price_per_mu"] = table.pop("price") / table["area_mu"]
    found = training.train(table, target="price_per_mu", date="sold", coords=("lon_m", "lat_m"), effort=0.1)
    home: Path = tmp_path_factory.mktemp("trained") / "run"
    training.write_training(found, home)
    kept = pd.read_parquet(home / SALES)
    return ApprovedModel(
        name="M1",
        key="k",
        sha256="s",
        asset_class="agriculture",
        currency="CNY",
        price_per="mu",
        model=found.model,
        training=training.training_record(found),
        study=found.study,
        sold=sold_of(kept, found.model),
        sold_dates=dict(zip(kept["row_id"].tolist(), kept["date"].tolist(), strict=True)),
        row=ROW,
    )


def parcels(**columns: Any) -> gpd.GeoDataFrame:
    rng = np.random.default_rng(3)
    own = {
        "asset_class": "agriculture",
        "obs_area_m2": rng.uniform(50, 200, 8) * MU_M2,
        "user_quality": rng.integers(1, 6, 8),
        "user_kind": rng.choice(["field", "orchard"], 8),
        "user_slope": rng.uniform(2, 8, 8),
        "user_lon_m": rng.uniform(2000, 18_000, 8),
        "user_lat_m": rng.uniform(2000, 18_000, 8),
        **columns,
    }
    own = {name: value for name, value in own.items() if value is not None}
    index = pd.Index([f"p{n}" for n in range(8)], name="parcel_id")
    return gpd.GeoDataFrame(own, index=index, geometry=[box(100, 30, 100.01, 30.01)] * 8, crs=4326)


def valued(model: ApprovedModel, table: gpd.GeoDataFrame, **knobs: Any) -> LearnedValues:
    seen = Judgement(
        status="ok", reason="", columns={"obs_use": "field"}, quantity=None, quantity_unit="ha", events=(), yearly=()
    )
    asked = ModelsInUse(models=(model,), asked="auto")
    return value_all(asked, dict.fromkeys(map(str, table.index), seen), table, DAY, ModelParams(**knobs))


def middles(found: LearnedValues) -> np.ndarray:
    return np.array([value.p50 for value in found.by_parcel.values()], float)


def test_prices_of_a_mu_are_multiplied_with_the_outline(per_mu: ApprovedModel) -> None:
    table = parcels()
    found = valued(per_mu, table)
    true = np.exp(
        9
        + 0.9 * np.log(table["obs_area_m2"] / MU_M2)
        + 0.4 * np.sin(table["user_lon_m"] / 4000) * np.cos(table["user_lat_m"] / 5000)
        + 0.2 * (table["user_lon_m"] > 10_000)
        + 0.08 * table["user_quality"]
        + 0.35 * (table["user_kind"] == "orchard")
        - 0.01 * table["user_slope"] * (table["user_kind"] == "orchard")
        + 0.004 * 29  # held at the level of the last sales learned from
    )
    assert np.abs(middles(found) / true - 1).max() < 0.2
    parts = found.tables["learned_parts"]
    assert np.exp(parts.groupby("parcel_id")["part"].sum()).to_numpy() == pytest.approx(middles(found), rel=1e-9)
    areas = parts[parts["feature"] == "(area)"]["factor"].to_numpy()
    assert areas == pytest.approx((table["obs_area_m2"] / MU_M2).to_numpy())


def test_a_parcel_has_one_value_whatever_stands_beside_it(per_mu: ApprovedModel) -> None:
    table = parcels()
    whole = middles(valued(per_mu, table))
    turned = middles(valued(per_mu, table.iloc[::-1]))[::-1]
    alone = [middles(valued(per_mu, table.iloc[[n]]))[0] for n in range(len(table))]
    assert whole == pytest.approx(turned, rel=1e-12)
    assert whole == pytest.approx(alone, rel=1e-12)


def test_a_plane_of_ones_own_needs_its_columns(per_mu: ApprovedModel) -> None:
    found = valued(per_mu, parcels(user_lon_m=None))
    assert {value.reason for value in found.by_parcel.values()} == {
        "M1 needs columns that neither the file of parcels nor this run has: lon_m, lat_m."
    }
    assert np.isnan(middles(found)).all()
    assert set(found.tables) == {"value_models"}


def test_a_column_of_the_run_stands_in_where_the_settings_say_so(per_mu: ApprovedModel) -> None:
    plain = valued(per_mu, parcels(user_kind="field"))
    told = valued(per_mu, parcels(user_kind=None), columns={"kind": "obs_use"})
    assert middles(told) == pytest.approx(middles(plain))


def test_texts_and_numbers_of_one_value_are_one(per_mu: ApprovedModel) -> None:
    table = parcels()
    as_text = table.assign(user_slope=table["user_slope"].map(lambda value: f" {value!r} "))
    assert middles(valued(per_mu, as_text)) == pytest.approx(middles(valued(per_mu, table)), rel=1e-12)
