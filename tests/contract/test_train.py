"""`geocollateral train` on a market whose true values are known."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from market import sales
from typer.testing import CliRunner

from geocollateral import cli, training
from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.training import read_sales, write_training
from geocollateral.valuation.model_files import load_model

FIRST_HELD_OUT = "2023-05-01"


def train(table: pd.DataFrame, **options: Any) -> training.Training:
    """A quick look: what is asked here does not hang on the number of rounds."""
    return training.train(table, **{"effort": 0.1, **options})


@pytest.fixture(scope="module")
def trained():
    table = sales(1500).drop(columns="value")
    return train(table, target="price", date="sold", coords=("lon_m", "lat_m"), holdout_from=FIRST_HELD_OUT)


def test_only_held_out_rows_are_predicted(trained) -> None:
    table, told = sales(1500), trained.predictions
    assert (told["date"] >= np.datetime64(FIRST_HELD_OUT)).all()
    assert len(told) == (table["sold"] >= FIRST_HELD_OUT).sum()
    assert list(told.columns[:8]) == ["row_id", "date", "price", "p05", "p50", "p95", "refused", "reason"]
    assert np.array_equal(told["price"], table["price"].to_numpy()[told["row_id"]])
    assert np.array_equal(told["input_price"], told["price"])
    assert not (trained.learned & trained.tested).any()


def test_it_beats_every_baseline_and_its_intervals_hold(trained) -> None:
    study = trained.study
    assert set(study["baselines"]) >= {"median price", "linear hedonic", "nearest sales"}
    assert all(row["beaten"] for row in study["baselines"].values())
    # 99 % of binomial samples of this size lie within six points of 90 %.
    assert 0.84 <= study["interval"]["coverage"] <= 0.97
    # Buyers err by 12 %: the median error cannot be below 8 % by more than luck.
    assert 0.06 < study["study"]["mdape"] < 0.11
    assert study["n_refused"] <= 0.05 * study["n_held_out"]


def test_bounds_are_in_order_and_refusals_have_no_number(trained) -> None:
    told = trained.predictions
    good = told[~told["refused"]]
    assert ((good["p05"] <= good["p50"]) & (good["p50"] <= good["p95"])).all()
    assert told.loc[told["refused"], ["p05", "p50", "p95"]].isna().all().all()
    assert good["reason"].isna().all()


def test_what_was_never_sold_is_refused(trained) -> None:
    features = trained.table.features[trained.tested].head(50)
    xy = trained.table.xy[trained.tested][:50]
    domain = trained.model.domain

    def refused(changed: pd.DataFrame, where: np.ndarray = xy) -> float:
        return float(np.mean([reason is not None for reason in domain.refusals(changed, where)]))

    assert refused(features) <= 0.06
    # Fields differ by a factor of twenty among themselves: hectares for mu may pass, square metres cannot.
    assert refused(features.assign(area_mu=features["area_mu"] * 666.7)) == 1.0
    assert refused(features.assign(quality=features["quality"] * 15)) == 1.0
    assert refused(features.assign(kind=pd.Series("castle", index=features.index, dtype=object))) == 1.0
    empty = features.assign(
        **dict.fromkeys(("area_mu", "quality", "slope"), np.nan),
        kind=pd.Series([None] * 50, index=features.index, dtype=object),
    )
    assert refused(empty) == 1.0
    assert refused(features, xy + 100_000) == 1.0


def test_days_far_from_every_sale_are_refused(trained) -> None:
    rows = np.flatnonzero(trained.tested)[:50]
    features, xy, months = trained.table.features.iloc[rows], trained.table.xy[rows], trained.table.months[rows]
    for years, expected in ((0, 0.06), (1, 0.06), (3, 0.06), (10, 1.0), (-10, 1.0)):
        told = trained.model.predict(features, xy, months + 12 * years)
        assert (told["refused"].mean() <= 0.06) if expected < 1 else told["refused"].all(), years


def test_loan_amounts_do_not_move_the_value() -> None:
    table = sales(300).drop(columns="value")
    one = train(table, target="price", coords=("lon_m", "lat_m"))
    other = train(table.assign(loan_amount=1.0), target="price", coords=("lon_m", "lat_m"))
    assert np.array_equal(one.predictions["p50"], other.predictions["p50"], equal_nan=True)


def test_the_same_data_give_the_same_bytes_and_files_read_back(trained, tmp_path: Path) -> None:
    write_training(trained, tmp_path / "a")
    table = sales(1500).drop(columns="value")
    again = train(table, target="price", date="sold", coords=("lon_m", "lat_m"), holdout_from=FIRST_HELD_OUT)
    write_training(again, tmp_path / "b")
    names = sorted(path.name for path in (tmp_path / "a" / "model").iterdir() if path.name != "manifest.json")
    assert {"absolute.txt", "arrays.npz", "model.json", "expected_0.txt", "expected_0_spread.txt"} <= set(names)
    for name in names:
        first, second = (tmp_path / run / "model" / name for run in ("a", "b"))
        assert first.read_bytes() == second.read_bytes(), name
    model = load_model(tmp_path / "a" / "model")
    own = trained.tested
    told = model.predict(trained.table.features[own], trained.table.xy[own], trained.table.months[own])
    assert np.array_equal(told["p50"], trained.predictions["p50"], equal_nan=True)
    assert np.array_equal(told["p95"], trained.predictions["p95"], equal_nan=True)


def test_a_model_that_was_touched_is_not_loaded(trained, tmp_path: Path) -> None:
    write_training(trained, tmp_path / "run")
    home = tmp_path / "run" / "model"
    rng = np.random.default_rng(0)
    for name in ("absolute.txt", "arrays.npz", "spread.txt", "expected_0.txt"):
        good = (home / name).read_bytes()
        for _ in range(5):
            bad = bytearray(good)
            bad[int(rng.integers(len(bad)))] ^= 1 << int(rng.integers(8))
            (home / name).write_bytes(bad)
            with pytest.raises(BrokenData):
                load_model(home)
        (home / name).write_bytes(good)
    digest = json.loads((tmp_path / "run" / "ratio_study.json").read_text())["model_sha256"]
    load_model(home, digest)
    with pytest.raises(BrokenData, match="not the model that was approved"):
        load_model(home, "0" * 64)


def test_without_dates_whole_places_are_held_out() -> None:
    found = train(sales(400).drop(columns=["value", "sold"]), target="price", coords=("lon_m", "lat_m"))
    assert found.protocol.startswith("places held out")
    assert 0.1 < found.tested.mean() < 0.35


def test_rows_of_one_owner_are_on_one_side() -> None:
    table = sales(300).drop(columns=["value", "sold"]).assign(owner=lambda f: f.index // 4)
    found = train(table, target="price", group="owner")
    owner = table["owner"].to_numpy()
    assert not set(owner[found.learned]) & set(owner[found.tested])


def test_tables_of_every_kind_read_alike(tmp_path: Path) -> None:
    import geopandas as gpd

    table = sales(80).drop(columns=["value", "sold"])
    table.to_csv(tmp_path / "a.csv", index=False)
    table.rename(columns={"area_mu": "面积"}).to_csv(tmp_path / "b.csv", index=False, encoding="gb18030", sep=";")
    table.to_parquet(tmp_path / "a.parquet")
    points = gpd.points_from_xy(118 + table["lon_m"] / 1e5, 26 + table["lat_m"] / 1e5)
    gpd.GeoDataFrame(table, geometry=points, crs="EPSG:4326").to_file(tmp_path / "a.gpkg")
    assert np.allclose(read_sales(tmp_path / "a.csv")["price"], table["price"])
    assert np.allclose(read_sales(tmp_path / "b.csv")["面积"], table["area_mu"])
    assert np.allclose(read_sales(tmp_path / "a.parquet")["price"], table["price"])
    assert np.allclose(read_sales(tmp_path / "a.gpkg")["x"], 118 + table["lon_m"] / 1e5)


def test_the_command(tmp_path: Path) -> None:
    sales(200).drop(columns="value").to_csv(tmp_path / "sales.csv", index=False)
    options = ["--target", "price", "--date", "sold", "--coords", "lon_m,lat_m", "--out", str(tmp_path / "out")]
    options += ["--effort", "0.1"]
    done = CliRunner().invoke(cli.app, ["train", str(tmp_path / "sales.csv"), *options])
    assert done.exit_code == 0, done.output
    assert "Supporting tool, not a valuation" in done.output
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "model",
        "ratio_study.json",
        "predictions.parquet",
        "explanations.parquet",
        "comparables.parquet",
        "sales.parquet",
        "card.md",
    }
    assert "baseline" in (tmp_path / "out" / "card.md").read_text()


def test_a_machine_without_openmp_is_told_what_to_install(tmp_path: Path) -> None:
    """In a process of its own, in which LightGBM's library does not load, as on a slim image without libgomp1."""
    code = (
        "import importlib.abc, sys\n"
        "class Broken(importlib.abc.MetaPathFinder):\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'lightgbm': raise OSError('libgomp.so.1: cannot open shared object file')\n"
        "sys.meta_path.insert(0, Broken())\n"
        "from geocollateral import cli\n"
        "sys.argv = ['geocollateral', 'train', 'a.csv', '--target', 'price', '--out', 'o']\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == cli.EXIT_CODES["missing"], done.stderr
    assert "libgomp1 on Debian" in done.stderr


def test_faults_are_explained(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no such file"):
        read_sales(tmp_path / "none.csv")
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(InvalidInput, match=r"expected a file \.csv"):
        read_sales(tmp_path / "a.xlsx")
    with pytest.raises(InvalidInput, match="needs --date"):
        train(sales(200), target="price", holdout_from="2023-01-01")
    with pytest.raises(InvalidInput, match="Choose another --holdout-from"):
        train(sales(200), target="price", date="sold", holdout_from="2030-01-01")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("x")
    with pytest.raises(InvalidInput, match="exists"):
        write_training(train(sales(200), target="price"), tmp_path / "full", overwrite=True)
    assert (tmp_path / "full" / "mine").is_file()


def test_overwriting_replaces_what_train_wrote_and_nothing_else(trained, tmp_path: Path) -> None:
    home = tmp_path / "run"
    write_training(trained, home)
    with pytest.raises(InvalidInput, match="exists"):
        write_training(trained, home)
    (home / "card.md").write_text("old")
    write_training(trained, home, overwrite=True)
    assert (home / "card.md").read_text() != "old"
    (home / "notes.txt").write_text("mine")
    with pytest.raises(InvalidInput, match=r"holds .*notes\.txt"):
        write_training(trained, home, overwrite=True)
    assert (home / "notes.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_places_alone_are_enough() -> None:
    table = sales(300)[["price", "lon_m", "lat_m"]]
    found = train(table, target="price", coords=("lon_m", "lat_m"))
    assert found.predictions.loc[~found.predictions["refused"], "p50"].notna().all()
    assert found.study["n_refused"] < 0.1 * found.study["n_held_out"]


def test_a_column_of_mixed_kinds_and_an_empty_one(tmp_path: Path) -> None:
    table = sales(200).drop(columns=["value", "sold"])
    table["mixed"] = [n if n % 2 else f"a{n % 5}" for n in range(200)]
    table["empty"] = None
    found = train(table, target="price")
    write_training(found, tmp_path / "run")
    assert len(pd.read_parquet(tmp_path / "run" / "predictions.parquet")) == found.study["n_held_out"]
