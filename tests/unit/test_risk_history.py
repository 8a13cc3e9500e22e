"""Outcomes of parcels on many days, the score fitted and judged on them, and whether the shipped one is of today."""

from __future__ import annotations

import datetime as dt
import json
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from geocollateral import risk_history, service
from geocollateral.change.evaluation import Truth
from geocollateral.errors import InvalidInput
from geocollateral.risk.features import FEATURES
from geocollateral.risk.score import CHANCE, ScoreParams, load_score_model
from geocollateral.risk.score_judge import common_spread
from geocollateral.types import Event, Hit

FIRST = dt.date(2022, 1, 1)
ROW_DAY = FIRST + dt.timedelta(days=risk_history.FIRST_DAYS)


def hit(parcel_id: str, rule: str, on: dt.date, *, point: str = "confirmed", leads_to: tuple[str, ...] = ()) -> Hit:
    event = Event(
        kind=rule,
        last_clear_before=on - dt.timedelta(days=10),
        first_clear_after=on - dt.timedelta(days=5),
        detected_on=on,
        recovered_on=None,
        area_m2=1e4,
        area_low_m2=1e4,
        area_high_m2=1e4,
        magnitude=1.0,
        indices=("ndvi",),
        pixels=(),
        probability=0.9,
        reasons=(),
    )
    return Hit(
        parcel_id=parcel_id,
        rule=rule,
        severity="high",
        event=event,
        sensors=("sentinel-2",),
        evidence={},
        reasons=(),
        operating_point=point,  # type: ignore[arg-type]
        leads_to=leads_to,
    )


def past(*hits: Hit) -> risk_history.Past:
    days = pd.date_range(FIRST, periods=100, freq="9D")
    looks = pd.DataFrame(
        [
            {"parcel_id": i, "time": d, "sensor": "sentinel-2", "index": "ndvi", "mean": 0.5, "valid_fraction": 1.0}
            for i in "abc"
            for d in days
        ]
    )
    parcels = pd.DataFrame({"parcel_id": list("abc"), "asset_class": "construction", "area_m2": 1e4})
    return risk_history.Past(hits=hits, parcels=parcels, series=looks)


def truth(*events: tuple[str, str, dt.date, dt.date]) -> Truth:
    table = pd.DataFrame(events, columns=["parcel_id", "kind", "start", "end"])
    table[["start", "end"]] = table[["start", "end"]].apply(pd.to_datetime)
    return Truth(parcels=pd.DataFrame(), events=table, quiet_years=pd.DataFrame())


def days(n: int) -> dt.date:
    return ROW_DAY + dt.timedelta(days=n)


def test_outcomes_by_hand() -> None:
    rows = risk_history.rows_of(
        past(),
        truth(
            ("a", "stall", days(10), days(40)),
            ("b", "demolition", days(-20), days(1)),
            ("c", "construction", days(10), days(40)),
            ("c", "fire", days(183), days(190)),
        ),
    )
    first = rows[rows["as_of"] == ROW_DAY.isoformat()].set_index("parcel_id")
    assert first["adverse"].to_dict() == {"a": 1, "b": 1, "c": 0}
    assert first["begins"].to_dict() == {"a": 1, "b": 0, "c": 0}
    assert first["kind"].to_dict() == {"a": "stall", "b": "demolition", "c": ""}
    later = rows[rows["as_of"] == days(91).isoformat()].set_index("parcel_id")
    assert later["adverse"].to_dict() == {"a": 0, "b": 0, "c": 1}


def test_alerts_of_a_day_are_those_an_assessment_of_that_day_raises() -> None:
    rows = risk_history.rows_of(
        past(
            hit("a", "stall_suspected", days(-40), point="early_warning", leads_to=("construction_stall",)),
            hit("a", "construction_stall", days(30)),
            hit("b", "demolition", days(-1)),
            hit("c", "works_suspected", days(-30), point="early_warning", leads_to=("construction_start",)),
            hit("c", "construction_start", days(-20)),
        ),
        truth(),
    )
    first = rows[rows["as_of"] == ROW_DAY.isoformat()].set_index("parcel_id")
    assert first.index.tolist() == ["a", "c"]  # what was told of b has happened
    assert first.loc["a", ["warned_n", "suspected_days"]].tolist() == [1.0, 40.0]
    # A confirmed alert still says when it was warned of.
    assert first.loc["c", ["warned_n", "warned_days", "works_days"]].tolist() == [1.0, 30.0, 20.0]
    later = rows[rows["as_of"] == days(91).isoformat()]
    assert later["parcel_id"].tolist() == ["c"]


def outcomes(n: int = 1500, seed: int = 1) -> pd.DataFrame:
    """Farmland whose outcome follows greenness, and stands whose outcome follows nothing."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(rng.normal(size=(n, len(FEATURES))), columns=list(FEATURES))
    rows[[name for name in FEATURES if name.startswith("is_")]] = 0.0
    farm = np.arange(n) % 2 == 0
    rows["is_agriculture"], rows["is_forestry"] = farm.astype(float), (~farm).astype(float)
    chance = np.where(farm, 1 / (1 + np.exp(3 - 2 * rows["ndvi_odd"])), 0.1)
    rows["adverse"] = (rng.random(n) < chance).astype(int)
    rows["as_of"] = pd.Series(np.arange(n) // 100).map(lambda k: f"2024-01-{k + 1:02d}")
    return rows.assign(parcel_id=[f"w/p{i // 3}" for i in range(n)])


def test_a_class_no_better_than_chance_on_data_held_out_gets_no_score(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("two", 2)):
        outcomes(seed=seed).to_parquet(tmp_path / f"{name}.parquet")
    model, figures = service.train_risk(
        [tmp_path / "one.parquet"], [tmp_path / "two.parquet"], out=tmp_path / "model", rows_to=tmp_path / "rows"
    )
    assert (model.classes, model.idle) == (("agriculture",), ("forestry",))
    assert figures["by_class"]["forestry"]["auc"][1] <= 0.5
    assert figures["rows"] == figures["by_class"]["agriculture"]["rows"]
    assert {"warnings_alone", "warnings_by_class", "base_rate", "all_classes", "reliability"} <= set(figures)
    again = load_score_model(tmp_path / "model")
    assert again.idle == ("forestry",)
    rows = outcomes(4)
    rows["looks_n"] = 20.0
    assert again.refusals(rows, ScoreParams()) == [None, CHANCE, None, CHANCE]
    assert again.common_spread == figures["common_spread"]
    # The rows written are tables that a later call trains on.
    repeated, _ = service.train_risk([tmp_path / "rows" / "one.parquet"], [tmp_path / "rows" / "two.parquet"])
    assert repeated.sha256 == model.sha256


def test_what_is_trained_on_is_not_judged_on(tmp_path: Path) -> None:
    outcomes().to_parquet(tmp_path / "one.parquet")
    with pytest.raises(InvalidInput, match="other data"):
        service.train_risk([tmp_path / "one.parquet"], [tmp_path / "one.parquet"])


def test_spread_of_portfolios_by_hand_and_as_drawn() -> None:
    p = np.full(20_000, 0.1)
    cell = np.arange(20_000) // 1000
    rng = np.random.default_rng(6)
    calm = common_spread(p, (rng.random(20_000) < p).astype(float), cell)
    shared = np.exp(rng.normal(0, 0.4, 20))[cell] / np.exp(0.08)
    wild = common_spread(p, (rng.random(20_000) < p * shared).astype(float), cell)
    assert calm is not None
    assert wild is not None
    assert calm < 0.1
    assert wild == pytest.approx(0.4, abs=0.2)
    assert common_spread(p, p, np.zeros(20_000)) is None


def test_the_shipped_score_was_made_with_todays_code_and_thresholds() -> None:
    """A change of what is observed, judged or told makes a score that was learned from it stale."""
    card = json.loads((resources.files("geocollateral.risk") / "model" / "risk_score.json").read_text("utf-8"))
    today = risk_history.rows_digest()
    stale = sorted(name for name in today if card.get("made_with", {}).get(name) != today[name])
    assert not stale, f"the shipped risk score is stale ({', '.join(stale)}): train it anew as docs/risk.md says"


def test_a_digest_tells_its_part(monkeypatch: pytest.MonkeyPatch) -> None:
    before = risk_history.rows_digest()
    monkeypatch.setattr(risk_history, "SCORE_CODE", risk_history.SCORE_CODE[:-1])
    after = risk_history.rows_digest()
    assert [name for name in before if before[name] != after[name]] == ["score"]
