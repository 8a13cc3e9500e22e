"""The decision layer: one table between what was found and what is said."""

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from geocollateral.assets import DecisionParams, DecisionRow, DecisionTable, decide
from geocollateral.types import Event, Hit, OperatingPoint

DAY = dt.date(2022, 5, 1)


def hit(score: float, said: OperatingPoint = "confirmed", kind: str = "stand_loss") -> Hit:
    event = Event(
        kind=kind,
        last_clear_before=DAY,
        first_clear_after=DAY,
        detected_on=DAY,
        recovered_on=None,
        area_m2=1000.0,
        area_low_m2=900.0,
        area_high_m2=1100.0,
        magnitude=-0.3,
        probability=score,
        indices=("ndvi",),
        pixels=(0,),
        reasons=("gone",),
    )
    return Hit(
        parcel_id="p",
        rule=kind,
        severity="low",
        event=event,
        sensors=("sentinel-2",),
        evidence={},
        reasons=("gone",),
        operating_point=said,
    )


def row(**changed: Any) -> DecisionRow:
    given: dict[str, Any] = {
        "asset_class": "forestry",
        "kind": "stand_loss",
        "said": "confirmed",
        "n_alerts": 40,
        "n_right": 30,
        "n_false": 6,
        "parcel_years": 500.0,
        "events_per_100": 10.0,
        "confirmed": 0.9,
        "confirmed_false_per_100": (0.4, 0.05, 1.4),
        "early_warning": 0.5,
        "early_warning_false_per_100": (1.0, 0.3, 2.3),
        "way": "logistic",
        "scores": (0.5, 0.9, 1.0),
        "probabilities": (0.3, 0.7, 0.9),
    }
    return DecisionRow(**{**given, **changed})


def params(*rows: DecisionRow, **more: Any) -> DecisionParams:
    return DecisionParams(table=DecisionTable(rows=rows), **more)


@pytest.mark.parametrize(
    ("score", "point", "probability"),
    [(1.0, "confirmed", 0.9), (0.9, "confirmed", 0.7), (0.7, "early_warning", 0.5), (0.4, None, 0.3)],
)
def test_the_table_gives_the_point_and_the_probability(score: float, point: str | None, probability: float) -> None:
    found = decide(hit(score), "forestry", params(row()))
    assert found.decision is not None
    assert (found.decision.point, found.decision.score, found.decision.calibrated) == (point, score, True)
    assert found.event.probability == pytest.approx(probability)
    assert point is None or found.operating_point == point


def test_without_a_row_a_hit_stays_as_its_rule_gave_it() -> None:
    for asset_class, one in (
        ("forestry", hit(0.4, kind="fire")),
        ("solar", hit(0.4)),
        ("forestry", hit(0.4, "early_warning")),
    ):
        found = decide(one, asset_class, params(row()))
        assert found.decision is not None
        assert not found.decision.calibrated
        assert (found.operating_point, found.event) == (one.operating_point, one.event)


def test_a_rule_that_only_warns_is_never_confirmed() -> None:
    own = row(said="early_warning", confirmed=None)
    assert decide(hit(1.0, "early_warning"), "forestry", params(own)).operating_point == "early_warning"


def test_a_row_of_few_alerts_keeps_the_budget_and_states_no_probability() -> None:
    found = decide(hit(0.95), "forestry", params(row(way="none", scores=(), probabilities=())))
    assert found.operating_point == "confirmed"
    assert found.event.probability == 0.95
    assert found.decision is not None
    assert not found.decision.calibrated


def test_a_portfolio_with_rarer_events_is_told_lower_probabilities() -> None:
    found = decide(hit(1.0), "forestry", params(row(), events_per_100={"stand_loss": 1.0}))
    assert found.event.probability == pytest.approx(0.9 * 0.1 / (0.9 * 0.1 + 0.1))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"scores": (0.5, 0.5, 1.0)}, "scores must rise"),
        ({"probabilities": (0.3, 0.2, 0.9)}, "must not fall"),
        ({"probabilities": (0.3, 0.7)}, "3 scores and 2 probabilities"),
        ({"probabilities": (0.3, 0.7, 1.2)}, "within 0..1"),
        ({"early_warning": None}, "early_warning must not be above confirmed"),
    ],
)
def test_a_table_that_cannot_be_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        row(**changed)


def test_one_row_for_one_kind() -> None:
    with pytest.raises(ValidationError, match="there twice"):
        DecisionTable(rows=(row(), row(n_false=0)))
