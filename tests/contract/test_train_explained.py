"""Why a value is what it is, what it is compared with, and what the proof of it says, on a market that is known."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from market import sales

from geocollateral import training
from geocollateral.errors import InvalidInput
from geocollateral.training import write_training
from geocollateral.valuation.explanations import WORDS, by_family, contributions, reasons, words_of
from geocollateral.valuation.model_files import load_model

FIRST_HELD_OUT = "2023-05-01"
PLACES = ("lon_m", "lat_m")


def train(table: pd.DataFrame, **options: Any) -> training.Training:
    return training.train(table, **{"target": "price", "effort": 0.1, **options})


@pytest.fixture(scope="module")
def trained():
    table = (
        sales(1500).drop(columns="value").assign(district=lambda f: "d" + (f["lon_m"] // 5000).astype(int).astype(str))
    )
    return train(table, date="sold", coords=PLACES, holdout_from=FIRST_HELD_OUT)


def test_contributions_add_up_to_the_value(trained) -> None:
    told, why = trained.predictions.set_index("row_id"), trained.explanations.set_index("row_id")
    assert list(why.index) == list(told.index[~told["refused"]])
    parts = why[[c for c in why if c.startswith("part_")]].sum(axis=1)
    assert np.abs(why["base"] + why["log_baseline"] + parts - np.log(told["p50"][why.index])).max() < 1e-6
    assert np.abs(why["log_p50"] - np.log(told["p50"][why.index])).max() < 1e-6


def test_reasons_are_fixed_words_in_both_languages(trained) -> None:
    why = trained.explanations
    codes = set(why["reason_1"].dropna()) | set(why["reason_2"].dropna()) | set(why["reason_3"].dropna())
    assert "SIZE_UP" in codes
    for code in codes:
        assert words_of(code, "en") in " ".join(why["reasons_en"])
        assert words_of(code, "zh") in "".join(why["reasons_zh"])
    assert WORDS["en"].keys() == WORDS["zh"].keys()
    large, small = (why.loc[why["part_area_mu"] * sign > 0.4, "reason_1"] for sign in (1, -1))
    assert (large == "SIZE_UP").mean() > 0.8
    assert (small == "SIZE_DOWN").mean() > 0.8


def test_reasons_bear_noise_on_the_inputs() -> None:
    """1 % on every number. Steps as small as the usual: a quick look has larger ones, which noise falls over."""
    table = sales(1500).drop(columns="value")
    trained = train(table, date="sold", coords=PLACES, holdout_from=FIRST_HELD_OUT, effort=1.0)
    own = trained.tested
    features, xy = trained.table.features[own], trained.table.xy[own]
    months = trained.table.months[own]

    def top(which: pd.DataFrame, where: np.ndarray) -> list[frozenset[str]]:
        return [frozenset(codes) for codes in reasons(by_family(contributions(trained.model, which, where, months)))]

    rng = np.random.default_rng(0)
    numbers = [name for name in features if features[name].dtype != object]
    noisy = features.assign(**{n: features[n] * (1 + 0.01 * rng.normal(size=len(features))) for n in numbers})
    before, after = top(features, xy), top(noisy, xy)
    assert np.mean([a == b for a, b in zip(before, after, strict=True)]) >= 0.95


def test_comparables_are_earlier_sales_brought_to_the_date(trained) -> None:
    found, table = trained.comparables, sales(1500)
    sold = table["sold"].to_numpy()
    assert set(found["row_id"]) == set(trained.explanations["row_id"])
    assert (sold[found["comparable_row_id"]] < sold[found["row_id"]]).all()
    assert trained.learned[found["comparable_row_id"]].all()
    assert not found.duplicated(["row_id", "comparable_row_id"]).any()
    assert np.allclose(found["price"], table["price"].to_numpy()[found["comparable_row_id"]])
    adjusted = found["price"] * found["level_adjustment"] * found["feature_adjustment"]
    assert np.allclose(found["adjusted_price"], adjusted)
    apart = table[list(PLACES)].to_numpy()
    apart = np.linalg.norm(apart[found["row_id"]] - apart[found["comparable_row_id"]], axis=1)
    assert np.allclose(found["distance_m"], apart)
    # Five sales whose buyers err by 12 %: their median errs by some 7 % of the true value, not by a market's spread.
    middle = found.groupby("row_id")["adjusted_price"].median()
    off = np.abs(np.log(middle / table["value"].to_numpy()[middle.index]))
    assert off.median() < 0.10


def test_nothing_from_the_future_is_compared_where_places_are_held_out() -> None:
    table = sales(400).drop(columns=["value"]).assign(sold=lambda f: f["sold"].dt.year)
    found = train(table, date="sold", coords=PLACES, holdout_from="2023")
    assert (table["sold"].to_numpy()[found.comparables["comparable_row_id"]] < 2023).all()


def test_the_study_says_what_the_proof_is_worth(trained) -> None:
    study = trained.study
    assert study["placebo"]["passed"]
    assert study["placebo"]["smooth_fields_blocked_r2"] <= 0.05
    assert study["placebo"]["shuffled_prices_r2"] <= 0.05
    assert study["interval"]["fsd"]["n"] == study["n_held_out"] - study["n_refused"]
    assert {"kind=field", "kind=orchard"} <= set(study["strata"])
    row = study["strata"]["kind=field"]
    assert row["all"]["n"] >= row["trimmed"]["n"] >= 20
    assert row["all"]["cod"]["low"] <= row["all"]["cod"]["value"] <= row["all"]["cod"]["high"]
    assert study["sensitive_features"] == {"protected": [], "possible_proxies": ["district"]}
    assert study["labels"]["with_them"]["n"] == study["n_held_out"] - study["n_refused"]


def test_doubted_labels_are_named_and_none_that_judges_is_dropped() -> None:
    table = sales(600).drop(columns="value")
    rng = np.random.default_rng(1)
    gifts = rng.choice(600, 30, replace=False)
    table.loc[gifts, "price"] *= 0.01
    table = pd.concat([table, table.iloc[:40]], ignore_index=True)
    found = train(table, date="sold", coords=PLACES)
    doubted = found.study["labels"]["doubted"]
    assert sum(doubted["copy"].values()) == 40
    assert sum(doubted["price far from the market"].values()) >= 29
    assert len(found.predictions) == found.tested.sum()
    assert found.study["labels"]["without_them"]["mdape"] < 0.13
    assert found.study["labels"]["without_them"]["cod"] < found.study["labels"]["with_them"]["cod"]


def test_copies_of_a_row_are_on_one_side() -> None:
    table = sales(300).drop(columns=["value", "sold", *PLACES])
    table = pd.concat([table, table], ignore_index=True)
    found = train(table)
    assert np.array_equal(found.tested[:300], found.tested[300:])


@pytest.mark.parametrize("slip", [0.0, 0.2])
def test_a_given_baseline_is_corrected_only_where_that_helps(slip: float, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = sales(800)
    table["index_value"] = table["value"] * np.exp(slip * (table["quality"] - 3) + rng.normal(0, 0.001, 800))
    found = train(table.drop(columns="value"), date="sold", coords=PLACES, baseline="index_value")
    assert found.study["correction"]["used"] == ("none" if slip == 0 else "learned")
    assert "the baseline given" in found.study["baselines"]
    told = found.predictions[~found.predictions["refused"]]
    if slip == 0:
        assert np.allclose(told["p50"], told["index_value"])
    else:
        ours = np.abs(told["p50"] / told["price"] - 1).median()
        assert ours < np.abs(told["index_value"] / told["price"] - 1).median()
    why = found.explanations
    assert np.allclose(np.exp(why["log_p50"]), told["p50"], rtol=1e-6)
    write_training(found, tmp_path / "run")
    model, own = load_model(tmp_path / "run" / "model"), found.tested
    given = found.table.rows["index_value"].to_numpy()[own]
    args = found.table.features[own], found.table.xy[own], found.table.months[own]
    assert np.array_equal(model.predict(*args, given)["p50"], found.predictions["p50"], equal_nan=True)
    assert set(model.predict(*args)["reason"]) == {"the baseline is missing"}


def test_a_baseline_that_is_off_by_region_is_corrected_by_region() -> None:
    rng = np.random.default_rng(0)
    table = sales(300)
    town = (table["lon_m"] > 10_000).map({True: "east", False: "west"})
    table = table.assign(
        town=town, given=table["price"] * np.where(town == "east", 0.7, 1.2) * rng.lognormal(0, 0.02, 300)
    )
    found = train(table[["price", "town", "given", "quality"]], baseline="given")
    assert found.study["correction"]["used"] in ("region", "learned")
    told = found.predictions[~found.predictions["refused"]]
    assert np.abs(told["p50"] / told["price"] - 1).median() < 0.03


def test_a_value_never_falls_with_what_is_declared_increasing() -> None:
    table = sales(800).drop(columns="value")
    found = train(table, date="sold", coords=PLACES, increasing=["area_mu", "Quality"])
    own = found.tested
    features, xy, months = found.table.features[own], found.table.xy[own], found.table.months[own]
    assert found.model.params.increasing == ("area_mu", "quality")
    before = found.model.members.predict(features, xy) @ found.model.weights
    for name, step in (("area_mu", 1.0), ("area_mu", 40.0), ("quality", 1.0)):
        after = found.model.members.predict(features.assign(**{name: features[name] + step}), xy) @ found.model.weights
        assert (after >= before - 1e-9).all(), name
    assert len(months) == len(before)
    with pytest.raises(InvalidInput, match="--increasing kind: expected a number"):
        train(table, increasing=["kind"])


def test_numbers_of_an_asset_class_are_increasing_by_themselves() -> None:
    table = (
        sales(300).drop(columns="value").rename(columns={"area_mu": "obs_area_mu"}).assign(asset_class="agriculture")
    )
    assert train(table).model.params.increasing == ("obs_area_mu",)


def test_the_same_data_give_the_same_explanations(trained, tmp_path: Path) -> None:
    table = (
        sales(1500).drop(columns="value").assign(district=lambda f: "d" + (f["lon_m"] // 5000).astype(int).astype(str))
    )
    again = train(table, date="sold", coords=PLACES, holdout_from=FIRST_HELD_OUT)
    for run, name in ((trained, "a"), (again, "b")):
        write_training(run, tmp_path / name)
    for file in ("explanations.parquet", "comparables.parquet", "predictions.parquet", "ratio_study.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
