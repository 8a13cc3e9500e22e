"""Tables as they come: `train` ends with a model and its proof, or says what is wrong with the table."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from market import sales

from geocollateral import training
from geocollateral.errors import InvalidInput

Case = tuple[Callable[[pd.DataFrame], pd.DataFrame], dict[str, Any]]
PLACES = ("lon_m", "lat_m")


def with_holes(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype(object).mask(np.random.default_rng(0).random(table.shape) < 0.3)


def with_slips(table: pd.DataFrame) -> pd.DataFrame:
    table = table.copy()
    table.loc[::20, "price"] *= 1000
    table.loc[5::25, "price"] = 1
    table.loc[3, "area_mu"], table.loc[4, "slope"] = 1e12, np.inf
    return table


def with_wan(table: pd.DataFrame) -> pd.DataFrame:
    cells = [f"{p / 1e4:.4f}万元" if n % 2 else f"{p:,.2f}" for n, p in enumerate(table["price"])]
    return table.assign(price=cells)


def wide(table: pd.DataFrame) -> pd.DataFrame:
    noise = np.random.default_rng(0).normal(size=(len(table), 120))
    return pd.concat([table, pd.DataFrame(noise).add_prefix("n")], axis=1)


STRANGE = ["price", 1, "x", "x", 'a "b"/{c}', "q:1", "p05", "[z]", "loan"]
CASES: dict[str, Case] = {
    "prices in 万 and in yuan": (with_wan, {}),
    "holes": (with_holes, {"date": "sold", "coords": PLACES}),
    "slips of the pen": (with_slips, {"date": "sold", "coords": PLACES}),
    "few rows": (lambda t: t.head(70), {"date": "sold"}),
    "few rows, no dates": (lambda t: t.head(70)[["price", "area_mu", "kind"]], {}),
    "one category": (lambda t: t[["price", "kind"]], {}),
    "many categories": (
        lambda t: t.assign(a=[f"a{n % 140}" for n in range(300)], b=[f"区{n % 60}" for n in range(300)]),
        {},
    ),
    "copies": (lambda t: pd.concat([t] * 3, ignore_index=True), {"date": "sold"}),
    "one place": (lambda t: t.assign(lon_m=118.0, lat_m=26.0), {"coords": PLACES}),
    "one month": (lambda t: t.assign(sold="2024-05-01"), {"date": "sold", "coords": PLACES}),
    "days as numbers": (lambda t: t.assign(sold=np.arange(300) * 7), {"date": "sold"}),
    "strange names": (
        lambda t: t.set_axis(["price", 1, "x", "x", 'a "b"/{c}', "q:1", "p05", "[z]", "loan"], axis=1),
        {},
    ),
    "lists in cells": (lambda t: t.assign(a=[[1, 2]] * 300, b=[{"c": n % 3} for n in range(300)]), {}),
    "more columns than rows bear": (wide, {"coords": PLACES}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_messy_table_still_gives_a_model_and_its_proof(name: str, tmp_path: Path) -> None:
    change, options = CASES[name]
    table = change(sales(300).drop(columns="value"))
    found = training.train(table, target="price", effort=0.1, **options)
    training.write_training(found, tmp_path / "out")
    told = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    good = told[~told["refused"]]
    assert len(told) == found.study["n_held_out"] >= 10
    assert len(good) >= 0.6 * len(told)
    assert (good[["p05", "p50", "p95"]] > 0).all().all()
    assert not (found.learned & found.tested).any()


def test_copies_do_not_make_intervals_narrow() -> None:
    """The same sale in two folds would be known by heart, and the errors out of fold be nought."""
    table = pd.concat([sales(300).drop(columns="value")] * 3, ignore_index=True)
    found = training.train(table, target="price", date="sold", effort=0.1)
    assert found.study["interval"]["coverage"] > 0.8
    assert found.learned.sum() <= 240


def test_prices_that_are_all_the_same_teach_nothing() -> None:
    with pytest.raises(InvalidInput, match="expected prices that differ"):
        training.train(sales(100).assign(price=5.0), target="price")
