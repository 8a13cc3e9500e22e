"""From training to an approved model in use, by the command line; back-tests, champion and challenger."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market import sales
from model_desk import Desk

from geocollateral import model_governance, training
from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.store import open_registry
from geocollateral.valuation.model_seal import ModelParams

FROM = "2023-01-01"


def market(n: int = 1500) -> pd.DataFrame:
    return sales(n).drop(columns="value")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learned from 2021 and 2022; good only to be copied."""
    table = market()
    found = training.train(table, target="price", date="sold", coords=("lon_m", "lat_m"), holdout_from=FROM, effort=0.3)
    home = tmp_path_factory.mktemp("trained") / "run"
    training.write_training(found, home)
    return home


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    import shutil

    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_from_training_to_use(desk: Desk, run: Path) -> None:
    desk.release(run)
    model = desk.approved()
    table = market()
    own = training.train(table, target="price", date="sold", coords=("lon_m", "lat_m"), holdout_from=FROM, effort=0.3)
    later = own.tested
    told = model.predict(own.table.features[later], own.table.xy[later], own.table.months[later])
    assert np.array_equal(told["p50"], own.predictions["p50"], equal_nan=True)
    (row,) = json.loads(desk.ok("models", "list", "--json"))
    assert (row["state"], row["signed_by"], row["approvers"], row["review"]) == (
        "approved",
        "Li Wei",
        "Wang, Zhao",
        "5 of 5",
    )
    shown = json.loads(desk.ok("models", "show", "M1", "--json"))
    assert [d["action"] for d in shown["decisions"]] == ["register", "sample", *["verdict"] * 5, "approve", "approve"]
    assert shown["training"]["window"] == {"first": "2021-01-01", "last": "2022-12-30"}
    assert "unbroken" in desk.ok("models", "verify")
    desk.ok(*desk.act("models", "retire", "M1", person="Zhao"))
    assert desk.approved() is None


def test_an_unsigned_candidate_is_judged_but_not_approved(desk: Desk, run: Path, tmp_path: Path) -> None:
    desk.register(run, person="Chen")
    market().to_csv(tmp_path / "later.csv", index=False)
    assert "2023-03" in desk.ok("backtest", "M1", str(tmp_path / "later.csv"))
    desk.refused("not signed", *desk.act("models", "approve", "M1", person="Wang"))
    assert desk.approved() is None


def test_keys_make_names_binding(desk: Desk, run: Path) -> None:
    register = ["models", "register", str(run), "--asset-class", "agriculture", "--currency", "CNY"]
    words = ["--role", "r", "--reason", "b"]
    desk.refused("acts with it only", *register, "--person", "li WEI", *words)
    wang = ["--key", str(desk.home / "Wang.pem")]
    desk.refused("not that of Li Wei", *register, "--person", "Li Wei", *words, *wang)
    desk.register(run)
    desk.refused("acts with it only", "models", "reject", "M1", "--person", "Wang", *words)
    desk.params["require_keys"] = True
    desk.write()
    desk.refused("has no key", *desk.act("models", "reject", "M1", person="Zhao"))


def test_nothing_that_was_touched_is_used(desk: Desk, run: Path) -> None:
    desk.release(run)
    for name in ("absolute.txt", "model.json", "manifest.json", "seal.json"):
        path = run / "model" / name
        good = path.read_bytes()
        path.write_bytes(good.replace(b"1", b"2", 1))
        with pytest.raises(BrokenData):
            desk.approved()
        done = desk.run("models", "verify")
        assert done.exit_code == 6
        path.write_bytes(good)
    assert desk.approved() is not None
    desk.params["trusted_keys"] = {"Wang": desk.keys["Wang"]}  # the trainer's key is no longer trusted
    with pytest.raises(BrokenData, match="not signed by a key"):
        desk.approved()


def test_proof_that_was_replaced_blocks_the_approval(desk: Desk, run: Path) -> None:
    desk.register(run)
    study = json.loads((run / "ratio_study.json").read_text())
    study["study"]["mdape"] = 0.01
    (run / "ratio_study.json").write_text(json.dumps(study))
    desk.refused("not what training wrote", *desk.act("models", "approve", "M1", person="Wang"))
    desk.refused("not what training wrote", "models", "card", "M1")


def test_the_sample_is_reproducible_stratified_and_blocks_while_overdue(desk: Desk, run: Path) -> None:
    told = pd.read_parquet(run / "predictions.parquet")
    first, again = (model_governance.sample_rows(told, 30, 4, "a" * 64) for _ in range(2))
    assert first == again
    assert first != model_governance.sample_rows(told, 30, 5, "a" * 64)
    assert first != model_governance.sample_rows(told, 30, 4, "b" * 64)
    own = told[told["row_id"].isin(first)]
    assert not own["refused"].any()
    thirds = np.searchsorted(told["p50"].quantile([1 / 3, 2 / 3]), own["p50"])
    assert min(np.bincount(thirds, minlength=3)) >= 8
    desk.register(run)
    desk.ok(*desk.act("models", "sample", "M1", "--at", "2020-01-01T00:00+08:00", person="Zhao"))
    assert json.loads(desk.ok("models", "list", "--json"))[0]["review"] == "overdue"
    desk.refused("overdue", *desk.act("models", "approve", "M1", person="Wang"))


def test_the_card_says_it_all(desk: Desk, run: Path, tmp_path: Path) -> None:
    desk.release(run)
    market().to_csv(tmp_path / "later.csv", index=False)
    desk.ok("backtest", "M1", str(tmp_path / "later.csv"), "--person", "Zhao")
    text = desk.ok("models", "card", "M1")
    study = json.loads((run / "ratio_study.json").read_text())
    for part in ("validated by | Wang, Zhao", "owner and developer | Li Wei", "2021-01-01 to 2022-12-30", "agree 5"):
        assert part in text
    assert f"Median error {study['study']['mdape']:.1%}" in text
    assert study["study"]["mki"]["met"] in text
    assert "later.csv: 2023-03" in text
    assert text == desk.ok("models", "card", "M1")


def test_a_backtest_takes_later_sales_only_in_the_plane_of_training(trained: Path) -> None:
    params = ModelParams()
    loaded = model_governance.load_run(None, str(trained), params)
    table = market()
    found = model_governance.backtest_later(loaded, table, by=["kind"])
    later = table["sold"] > "2022-12-31"
    total = found.result.total
    assert total.n + total.n_refused == later.sum()
    assert found.n_before == (~later).sum()
    assert sum(w.n for w in found.result.months) == sum(w.n for w in found.result.classes) == total.n
    # Held-out rows of training are these rows: the figures must be those of its study.
    study = json.loads((trained / "ratio_study.json").read_text())
    assert total.mdape.value == pytest.approx(study["study"]["mdape"], abs=1e-12)
    assert total.coverage.value == pytest.approx(study["interval"]["coverage"], abs=1e-12)
    assert total.bias.low < total.bias.value < total.bias.high
    # No slip is named. Prices of this market rise by 0.4 % a month and values do not follow: one month may be told so.
    told = [series.cause for _, report in found.drift for series in report.series if series.is_drift]
    assert told in ([], ["market"])
    with pytest.raises(InvalidInput, match="closed after 2022-12-30"):
        model_governance.backtest_later(loaded, table[~later])


def test_slips_of_later_tables_are_named(trained: Path) -> None:
    loaded = model_governance.load_run(None, str(trained), ModelParams())
    table = market()

    def causes(changed: pd.DataFrame) -> dict[str, str | None]:
        found = model_governance.backtest_later(loaded, changed)
        return {s.name: s.cause for _, report in found.drift for s in report.series if s.is_drift}

    with pytest.raises(InvalidInput, match=r"does not have: area_mu.*does not\s+know: .*area"):
        model_governance.backtest_later(loaded, table.rename(columns={"area_mu": "area"}))
    shuffled = table[sorted(table.columns, reverse=True)]
    assert model_governance.backtest_later(loaded, shuffled).as_dict() == (
        model_governance.backtest_later(loaded, table).as_dict()
    )
    assert causes(table.assign(area_mu=table["area_mu"] / 15))["area_mu"] == "unit"
    swapped = causes(table.assign(area_mu=table["slope"], slope=table["area_mu"]))
    assert swapped["area_mu"] == swapped["slope"] == "swapped"
    assert (
        causes(table.assign(price=table["price"] * np.where(table["sold"] > "2022-12-31", 1.3, 1.0)))["error"]
        == "market"
    )


def test_a_challenger_must_be_better_beyond_chance_and_nowhere_worse(trained: Path, tmp_path: Path) -> None:
    table = market()
    poor = table.drop(columns=["quality", "slope"])
    found = training.train(poor, target="price", date="sold", coords=("lon_m", "lat_m"), holdout_from=FROM, effort=0.05)
    training.write_training(found, tmp_path / "poor")
    good, weak = (model_governance.load_run(None, str(p), ModelParams()) for p in (trained, tmp_path / "poor"))
    won = model_governance.backtest_later(good, table, against=weak, by=["kind"]).duel
    lost = model_governance.backtest_later(weak, table, against=good, by=["kind"]).duel
    even = model_governance.backtest_later(good, table, against=good).duel
    assert won is not None
    assert won.is_recommended, won.reasons
    assert won.difference.high < 0
    assert lost is not None
    assert not lost.is_recommended
    assert even is not None
    assert not even.is_recommended
    assert even.difference.value == 0


def test_times_have_a_zone(desk: Desk, run: Path) -> None:
    desk.register(run)
    desk.refused("with its zone", *desk.act("models", "reject", "M1", "--at", "2026-03-01T09:00", person="Zhao"))
    desk.ok(*desk.act("models", "reject", "M1", "--at", "2026-03-01T09:00+08:00", person="Zhao"))
    with open_registry(f"sqlite:///{desk.home / 'registry.sqlite'}") as registry:
        assert registry.models.get(1).events[-1].at == dt.datetime(2026, 3, 1, 1, tzinfo=dt.UTC)
