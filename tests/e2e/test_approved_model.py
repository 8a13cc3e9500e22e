"""From sales to a value in the report: trained, approved by two persons, asked by assess, refused where it must be."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plots
import pytest
from model_desk import Desk
from typer.testing import CliRunner

from geocollateral import cli
from geocollateral.errors import BrokenData, GeocollateralError, InvalidInput

APPROVED, AS_OF = "2022-01-05T09:00+08:00", "2022-03-01"
FAR, SMALL = "p00-00", "p00-01"
"""A parcel on a slope as nobody sold one, and one too small to judge."""
LEARNED = [f"val_learned_{name}" for name in ("p05", "p50", "p95")]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A bank with an approved model of forest plots, imagery over them and a file of parcels."""
    home = tmp_path_factory.mktemp("bank")
    desk = Desk(home)
    plots.sales(1500).to_csv(home / "sales.csv", index=False)
    words = ["--target", "price", "--date", "sold", "--coords", "lon,lat", "--effort", "0.2"]
    done = CliRunner().invoke(cli.app, ["train", str(home / "sales.csv"), *words, "--out", str(home / "run")])
    assert done.exit_code == 0, done.output
    desk.release(home / "run", "--at", APPROVED, asset_class="forestry")
    plots.write_cube(home / "cube.nc")
    plots.write_parcels(home / "parcels.geojson", features())
    return desk


def features() -> list[dict[str, Any]]:
    found = plots.parcels()
    for feature in found:
        name = feature["properties"]["parcel_id"]
        if name == FAR:
            feature["properties"]["slope"] = 400.0
        if name == SMALL:
            west, south = np.min(feature["geometry"]["coordinates"][0], axis=0)
            ring = [(west, south), (west + 2e-4, south), (west + 2e-4, south + 2e-4), (west, south + 2e-4)]
            feature["geometry"] = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    return found


def assess(desk: Desk, parcels: Path, out: Path, *words: str, as_of: str = AS_OF) -> Path:
    given = ["--source", f"cube:{desk.home / 'cube.nc'}", "--datum", "wgs84", "--as-of", as_of, "--workers", "1"]
    desk.ok("assess", str(parcels), *given, "--out", str(out), *words)
    return out


def table_of(out: Path) -> pd.DataFrame:
    document = json.loads((out / "parcels.geojson").read_text(encoding="utf-8"))
    return pd.DataFrame([feature["properties"] for feature in document["features"]]).set_index("parcel_id")


def some(desk: Desk, tmp_path: Path, n: int = 2, **changes: Any) -> Path:
    """A file of a few parcels; ``changes`` are further columns of all, None takes one away."""
    chosen = features()[5 : 5 + n]
    for feature in chosen:
        feature["properties"] |= changes
        feature["properties"] = {name: value for name, value in feature["properties"].items() if value is not None}
    return plots.write_parcels(tmp_path / "some.geojson", chosen)


@pytest.fixture(scope="module")
def out(desk: Desk) -> Path:
    return assess(desk, desk.home / "parcels.geojson", desk.home / "out")


def test_the_interval_holds_what_is_paid(out: Path) -> None:
    table = table_of(out)
    paid = pd.Series({f["properties"]["parcel_id"]: f["paid"] for f in plots.parcels()})
    true = pd.Series({f["properties"]["parcel_id"]: f["true"] for f in plots.parcels()})
    valued = table[table["val_learned_p50"].notna()]
    assert set(table.index) - set(valued.index) == {FAR, SMALL}
    inside = paid[valued.index].between(valued["val_learned_p05"], valued["val_learned_p95"])
    assert 0.83 <= inside.mean() <= 0.97  # 90 % of 142, three standard errors
    assert (valued["val_learned_p50"] / true[valued.index] - 1).abs().median() < 0.06
    assert 0.95 < (valued["val_learned_p50"] / true[valued.index]).median() < 1.05


def test_it_leads_and_the_record_names_it(desk: Desk, out: Path) -> None:
    table, run = table_of(out), json.loads((out / "run.json").read_text(encoding="utf-8"))
    valued = table[table["val_learned_p50"].notna()]
    for name in ("p05", "p50", "p95", "currency", "grade"):
        assert (valued[f"val_{name}"] == valued[f"val_learned_{name}"]).all()
    assert (valued["val_approach"] == "learned").all()
    assert (valued["val_learned_model"] == "M1").all()
    manifest = json.loads((desk.home / "run/model/manifest.json").read_text(encoding="utf-8"))
    assert run["model_id"] == "M1"
    assert run["value_models"][0]["sha256"] == manifest["files"]["model.json"]
    shown = json.loads(desk.ok("models", "show", "M1", "--json"))
    assert run["value_models"][0]["key"] == shown["key"]


@pytest.mark.parametrize(
    ("parcel_id", "reason"), [(FAR, "M1 does not value this parcel: slope: outside"), (SMALL, "could not be judged")]
)
def test_what_it_does_not_value_has_a_reason_and_no_number_anywhere(out: Path, parcel_id: str, reason: str) -> None:
    own = table_of(out).loc[parcel_id]
    assert reason in own["val_learned_reason"]
    numbers = [name for name in own.index if name.startswith("val_")]
    assert pd.to_numeric(own[numbers], errors="coerce").isna().all()
    for name in ("learned_parts", "learned_reasons", "learned_comparables"):
        assert parcel_id not in set(pd.read_parquet(out / f"tables/{name}.parquet")["parcel_id"])


def test_parts_multiply_to_the_value_and_comparables_are_earlier(out: Path) -> None:
    table = table_of(out)
    parts = pd.read_parquet(out / "tables/learned_parts.parquet")
    total = np.exp(parts.groupby("parcel_id")["part"].sum())
    assert total.to_numpy() == pytest.approx(table.loc[total.index, "val_learned_p50"].to_numpy(), rel=1e-9)
    sold = pd.read_parquet(out / "tables/learned_comparables.parquet")
    assert set(sold["parcel_id"]) == set(total.index)
    assert (sold["date"] < AS_OF).all()
    ours = table.loc[sold["parcel_id"], "val_learned_p50"].to_numpy()
    assert np.median(np.abs(np.log(sold["adjusted_price"] / ours))) < 0.2


def test_the_report_tells_how_it_does_beside_the_best_baseline(out: Path) -> None:
    text = (out / "report.html").read_text(encoding="utf-8")
    (model,) = pd.read_parquet(out / "tables/value_models.parquet").to_dict("records")
    assert model["error_on_its_rows_frac"] < model["best_baseline_error_frac"]
    assert f"its median error was {100 * model['error_on_its_rows_frac']:.1f}" in text
    assert f"({model['best_baseline']}) was {100 * model['best_baseline_error_frac']:.1f}" in text
    assert "approved by Wang, Zhao" in text
    assert "slope: outside of what was sold" in text


def test_an_auditor_gets_the_same_bytes(desk: Desk, tmp_path: Path) -> None:
    """Of the figure of that day, by the name in the record, even after the model was retired."""
    file = some(desk, tmp_path)
    first = assess(desk, file, tmp_path / "first")
    copy = tmp_path / "registry.sqlite"
    shutil.copy(desk.home / "registry.sqlite", copy)
    later = with_settings(desk, tmp_path, copy)
    later.ok(*later.act("models", "retire", "M1", person="Zhao"), "--at", "2022-06-01T09:00+08:00")
    second = assess(later, file, tmp_path / "second", "--value-model", "M1")
    names = sorted(path.relative_to(first).as_posix() for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second).as_posix() for path in second.rglob("*") if path.is_file())
    for name in set(names) - {"run.json", "report.html"}:
        assert (first / name).read_bytes() == (second / name).read_bytes(), name
    with pytest.raises(InvalidInput, match=r"M1 was not approved on 2022-07-01; it is retired"):
        raise_from(later, file, tmp_path / "third", "--value-model", "M1", as_of="2022-07-01")


def with_settings(desk: Desk, home: Path, registry: Path, **knobs: Any) -> Desk:
    """The same people with other settings."""
    other = Desk.__new__(Desk)
    vars(other).update({**vars(desk), "settings": home / "settings.yaml"})
    models = {**desk.params, **knobs}
    other.settings.write_text(json.dumps({"store": {"url": f"sqlite:///{registry}"}, "models": models}))
    return other


def raise_from(desk: Desk, parcels: Path, out: Path, *words: str, as_of: str = AS_OF) -> None:
    given = ["--source", f"cube:{desk.home / 'cube.nc'}", "--datum", "wgs84", "--as-of", as_of, "--workers", "1"]
    done = desk.run("assess", str(parcels), *given, "--out", str(out), *words)
    assert isinstance(done.exception, GeocollateralError), done.output
    assert not out.exists()
    raise done.exception


@pytest.mark.parametrize("name", ["model/absolute.txt", "model/arrays.npz", "ratio_study.json", "sales.parquet"])
def test_a_model_that_was_touched_values_nothing(desk: Desk, tmp_path: Path, name: str) -> None:
    path = desk.home / "run" / name
    kept = path.read_bytes()
    try:
        path.write_bytes(kept[:-20] + bytes([kept[-20] ^ 1]) + kept[-19:])
        with pytest.raises(BrokenData):
            raise_from(desk, some(desk, tmp_path), tmp_path / "out")
    finally:
        path.write_bytes(kept)


def test_what_is_claimed_and_lent_does_not_move_the_value_nor_do_other_parcels(
    desk: Desk, out: Path, tmp_path: Path
) -> None:
    claims = {
        "claim_area_mu": 900.0,
        "loan_id": "L1",
        "loan_amount": 9e8,
        "loan_outstanding": 9e8,
        "loan_currency": "CNY",
        "loan_value": 9e8,
        "loan_valued_on": "2021-12-01",
        "price": 1e9,
        "valuer_value": 1e9,
        "valuer_currency": "CNY",
    }
    told = table_of(assess(desk, some(desk, tmp_path, **claims), tmp_path / "told"))
    assert told[LEARNED].notna().all(axis=None)
    pd.testing.assert_frame_equal(told[LEARNED], table_of(out).loc[told.index, LEARNED], rtol=1e-9)
    assert (told["val_valuer_gap_frac"] > 100).all()
    assert (told["risk_revaluation_due_on"] == "2022-12-01").all()


def test_every_refusal_is_said(desk: Desk, tmp_path: Path) -> None:
    kinds = [
        ({"kind": "palm"}, "M1 does not value this parcel: kind: no sale of the kind 'palm' is known."),
        ({"loan_id": "L", "loan_currency": "EUR"}, "No model is approved for forestry in EUR"),
        ({"asset_class": "construction"}, "No model is approved for the asset class construction."),
    ]
    chosen = features()[5 : 5 + len(kinds)]
    for feature, (changes, _) in zip(chosen, kinds, strict=True):
        feature["properties"] |= changes
    table = table_of(assess(desk, plots.write_parcels(tmp_path / "odd.geojson", chosen), tmp_path / "out"))
    for (_, own), (_, reason) in zip(table.iterrows(), kinds, strict=True):
        if own["meta_status"] == "ok":
            assert reason in own["val_learned_reason"]
    assert table[[*LEARNED, "val_p50"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("changes", "knobs", "reason"),
    [
        ({"quality": None}, {}, "M1 needs columns that neither the file of parcels nor this run has: quality."),
        ({}, {"max_age_days": 60}, "days before 2022-03-01; 60 days are allowed."),
    ],
)
def test_a_lacking_column_and_an_old_model_are_said(
    desk: Desk, tmp_path: Path, changes: dict[str, Any], knobs: dict[str, Any], reason: str
) -> None:
    other = with_settings(desk, tmp_path, desk.home / "registry.sqlite", **knobs)
    table = table_of(assess(other, some(desk, tmp_path, 1, **changes), tmp_path / "out"))
    assert reason in table["val_learned_reason"].iloc[0]
    assert table[[*LEARNED, "val_p50"]].isna().all(axis=None)


def test_it_stands_beside_where_the_bank_wants_it_so(desk: Desk, out: Path, tmp_path: Path) -> None:
    head = "kind,asset_class,region,unit,currency,p05,p50,p95,dated,stale_after,source"
    line = "comparable,forestry,*,per mu,CNY,7000,9000,11000,2021-01-01,,Land exchange"
    (tmp_path / "values.csv").write_text(f"{head}\n{line}\n", encoding="utf-8")
    other = with_settings(desk, tmp_path, desk.home / "registry.sqlite", leads=False)
    words = ("--value-tables", str(tmp_path / "values.csv"), "--lang", "zh")
    table = table_of(assess(other, some(desk, tmp_path), tmp_path / "out", *words))
    assert (table["val_approach"] == "market").all()
    assert (table["val_p50"] == table["val_market_p50"]).all()
    assert table["val_learned_p50"].tolist() == pytest.approx(
        table_of(out).loc[table.index, "val_learned_p50"].tolist()
    )
    text = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "成交案例模型" in text
    assert "Learned from sales" not in text


def test_without_a_model_nothing_is_different(desk: Desk, tmp_path: Path) -> None:
    out = assess(desk, some(desk, tmp_path, 1), tmp_path / "out", "--value-model", "none")
    assert not [name for name in table_of(out) if name.startswith("val_learned")]
    assert "value_models" not in json.loads((out / "run.json").read_text(encoding="utf-8"))


def test_before_its_approval_there_was_no_model(desk: Desk, tmp_path: Path) -> None:
    out = assess(desk, some(desk, tmp_path, 1), tmp_path / "out", as_of="2021-12-20")
    assert not [name for name in table_of(out) if name.startswith("val_learned")]
