"""Features known on a day, the score made of them, and its model on disk."""

import datetime as dt
import shutil
import subprocess
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.risk.features import FEATURES, GROUPS, features_at, hurt_already, tracks_of
from geocollateral.risk.score import ScoreParams, load_score_model, reasons_of
from geocollateral.risk.score_fit import ScoreFitParams, fit_score, logistic_line
from geocollateral.risk.score_judge import auc, brier, judge_score

DAY = dt.date(2024, 6, 1)
PARCELS = pd.DataFrame(
    {"asset_class": ["agriculture", "forestry"], "area_m2": [1e4, 2e4]}, index=pd.Index(["a", "b"], name="parcel_id")
)
ALERTS = pd.DataFrame(
    [
        ("a", "missed_season", "early_warning", "2024-03-01"),
        ("b", "stand_loss", "confirmed", "2024-06-01"),
        ("a", "crop_failure", "confirmed", "2024-06-02"),
    ],
    columns=["parcel_id", "rule", "operating_point", "detected_on"],
)


def series(until: str = "2025-06-01") -> pd.DataFrame:
    days = pd.date_range("2022-01-01", until, freq="10D")
    return pd.DataFrame(
        [
            {"parcel_id": p, "time": d, "sensor": "sentinel-2", "index": i, "valid_fraction": 1.0}
            | {"mean": 0.5 + 0.2 * np.sin(d.day_of_year / 58) + (0.3 if d > pd.Timestamp(DAY) else 0)}
            for p in "ab"
            for i in ("ndvi", "ndmi")
            for d in days
        ]
    )


def outcomes(n: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    rows = pd.DataFrame(rng.normal(size=(n, len(FEATURES))), columns=list(FEATURES))
    rows[[name for name in FEATURES if name.startswith("is_")]] = 0.0
    rows["is_agriculture"] = 1.0
    rows["adverse"] = (rng.random(n) < 1 / (1 + np.exp(-2 * rows["ndvi_odd"]))).astype(int)
    return rows.assign(parcel_id=[f"p{i // 3}" for i in range(n)])


def test_what_is_learned_later_changes_no_feature() -> None:
    known = series()[lambda s: s["time"] <= pd.Timestamp(DAY)]
    then = features_at(PARCELS, ALERTS[ALERTS["detected_on"] <= "2024-06-01"], tracks_of(known), DAY)
    later = features_at(PARCELS, ALERTS, tracks_of(series()), DAY)
    pd.testing.assert_frame_equal(then, later)
    assert later.loc["a", "warned_n"] == 1
    assert later.loc["a", "warned_days"] == 92
    assert not later["ndvi_odd"].isna().any()


def test_order_of_rows_does_not_matter() -> None:
    mixed = series().sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(
        features_at(PARCELS, ALERTS.iloc[::-1], tracks_of(mixed), DAY),
        features_at(PARCELS, ALERTS, tracks_of(series()), DAY),
    )


def test_without_looks_nothing_is_known() -> None:
    empty = features_at(PARCELS, ALERTS.iloc[:0], tracks_of(series().iloc[:0]), DAY)
    assert empty[["ndvi", "ndvi_odd", "ndvi_trend", "vh_odd", "warned_days"]].isna().all().all()
    assert load_score_model().refusals(empty, ScoreParams())[0].startswith("Too few clear looks")  # type: ignore[union-attr]


def test_a_parcel_is_hurt_from_the_day_it_was_told() -> None:
    assert hurt_already(ALERTS, DAY) == {"b"}
    assert hurt_already(ALERTS, DAY + dt.timedelta(days=1)) == {"a", "b"}
    assert hurt_already(ALERTS, DAY - dt.timedelta(days=1)) == set()


def test_contributions_add_up_to_the_log_odds() -> None:
    model = load_score_model()
    rows = outcomes(50)
    np.testing.assert_allclose(model.contributions(rows).sum(axis=1), model.log_odds(rows), atol=1e-6)
    assert ((model.predict(rows) > 0) & (model.predict(rows) < 1)).all()


def test_same_rows_same_bytes_and_a_signal_is_found() -> None:
    table, quick = outcomes(), ScoreFitParams(rounds=30, in_leaf=20)
    one, other = fit_score(table, ("x",), quick), fit_score(table.sample(frac=1, random_state=2), ("x",), quick)
    assert one.sha256 == other.sha256
    assert one.card == other.card
    assert auc(one.predict(table), table["adverse"].to_numpy(float)) > 0.8
    assert one.classes == ("agriculture",)


def test_reasons_are_signed_in_a_fixed_order_and_small_ones_left_out() -> None:
    parts = pd.Series(dict.fromkeys((*GROUPS, "base"), 0.0))
    parts[["greenness", "radar", "early_warning", "base"]] = -0.9, 0.59, 0.6, -3.0
    assert reasons_of(parts, ScoreParams()) == ["+early_warning", "-greenness"]
    parts["greenness"] = -0.61
    assert reasons_of(parts, ScoreParams()) == ["+early_warning", "-greenness"]
    assert reasons_of(parts * 0, ScoreParams()) == []


def test_figures_by_hand() -> None:
    p, y = np.array([0.1, 0.4, 0.4, 0.8]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auc(p, y) == pytest.approx(3.5 / 4)
    assert brier(p, y) == pytest.approx((0.01 + 0.16 + 0.36 + 0.04) / 4)


def test_calibration_of_right_and_of_overstated_log_odds() -> None:
    rng = np.random.default_rng(3)
    z = rng.normal(size=20_000)
    y = (rng.random(20_000) < 1 / (1 + np.exp(-z))).astype(float)
    assert logistic_line(z, y) == pytest.approx((0, 1), abs=0.06)
    assert logistic_line(2 * z, y)[1] == pytest.approx(0.5, abs=0.03)
    found = judge_score(1 / (1 + np.exp(-z[:900])), y[:900], np.arange(900) // 3, draws=50)
    assert found["calibration_slope"].low < 1 < found["calibration_slope"].high


@pytest.mark.parametrize("flaw", ["adverse", "few", "column"])
def test_outcomes_that_teach_nothing_are_refused(flaw: str) -> None:
    table = outcomes()
    if flaw == "adverse":
        table["adverse"] = 2
    elif flaw == "few":
        table["adverse"] = 0
    else:
        table = table.drop(columns="ndvi")
    with pytest.raises(InvalidInput):
        fit_score(table, ("x",))


def test_a_changed_model_is_not_loaded(tmp_path: Path) -> None:
    shutil.copytree(str(resources.files("geocollateral.risk") / "model"), tmp_path / "model")
    load_score_model(tmp_path / "model")
    text = tmp_path / "model" / "risk_score.txt"
    text.write_bytes(text.read_bytes()[:-50])
    with pytest.raises(BrokenData, match="SHA-256"):
        load_score_model(tmp_path / "model")
    with pytest.raises(MissingInput):
        load_score_model(tmp_path)


def test_without_openmp_the_product_still_loads() -> None:
    """What a missing shared library ends in must not keep an assessment from being made."""
    code = (
        "import sys; sys.modules['lightgbm'] = None\n"
        "import geocollateral.service\nfrom geocollateral.risk.score import can_boost\nassert not can_boost()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
