"""What of the last five years was seen, and what happened in it."""

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from geocollateral import lookback
from geocollateral.block import BlockResult
from geocollateral.types import CHANGE_COLUMNS, SERIES_COLUMNS, Event, Hit, Judgement, OperatingPoint

AS_OF = dt.date(2025, 8, 1)


def days(first: str, last: str, step: int = 10) -> Any:
    return np.arange(np.datetime64(first, "D"), np.datetime64(last, "D"), np.timedelta64(step, "D"))


@pytest.mark.parametrize(
    ("looks", "years"),
    [
        (days("2015-01-01", "2025-08-01"), 5.0),
        (days("2022-08-01", "2025-08-01"), 2.0),  # the first year is the baseline
        (days("2025-01-01", "2025-08-01"), 0.0),
        (np.zeros(0, "datetime64[D]"), 0.0),
        (np.concatenate([days("2015-01-01", "2022-01-01"), days("2023-01-01", "2025-08-01")]), 4.0),  # a gap of a year
        (days("2015-01-01", "2023-08-01"), 3.0),  # nothing since
    ],
)
def test_years_seen(looks: Any, years: float) -> None:
    assert lookback.years_seen(looks, AS_OF) == pytest.approx(years, abs=0.06)


def test_an_asset_class_may_say_from_when_on_it_would_have_seen_a_loss() -> None:
    looks = days("2015-01-01", "2025-08-01")
    assert lookback.years_seen(looks, AS_OF, dt.date(2023, 8, 1)) == pytest.approx(2.0, abs=0.06)


def test_a_year_more_of_looks_never_makes_the_look_back_shorter() -> None:
    seen = [lookback.years_seen(days(f"{year}-01-01", "2025-08-01"), AS_OF) for year in range(2025, 2014, -1)]
    assert seen == sorted(seen)


def event(kind: str, before: str, after: str, **changes: Any) -> Event:
    given: dict[str, Any] = {
        "kind": kind,
        "last_clear_before": dt.date.fromisoformat(before),
        "first_clear_after": dt.date.fromisoformat(after),
        "detected_on": dt.date.fromisoformat(after),
        "recovered_on": None,
        "area_m2": 2_000.0,
        "area_low_m2": 1_500.0,
        "area_high_m2": 2_500.0,
        "magnitude": -0.4,
        "probability": 0.9,
        "indices": ("ndvi",),
        "pixels": (),
        "reasons": ("Lost.", "Told."),
    }
    return Event(**{**given, **changes})


def hit(parcel_id: str, of: Event, point: OperatingPoint) -> Hit:
    return Hit(
        parcel_id=parcel_id,
        rule=of.kind,
        severity="low",
        event=of,
        sensors=of.sensors,
        evidence={},
        reasons=(),
        operating_point=point,
    )


def result(hits: tuple[Hit, ...] = (), withheld: tuple[Hit, ...] = ()) -> BlockResult:
    return BlockResult(
        series=pd.DataFrame(columns=list(SERIES_COLUMNS)),
        changes=pd.DataFrame(columns=list(CHANGE_COLUMNS)),
        baselines=pd.DataFrame(),
        judgements={},
        hits=hits,
        scenes=(),
        lost_pixels=np.zeros((0, 3), np.int64),
        withheld=withheld,
    )


def judged(*events: Event, status: str = "ok") -> Judgement:
    return Judgement(
        status=status,  # type: ignore[arg-type]
        reason="Clouds.",
        columns={},
        quantity=None,
        quantity_unit="ha",
        events=events,
        yearly=(),
    )


def test_events_of_five_years_are_told_with_how_sure_they_are() -> None:
    old = event("stand_loss", "2019-05-01", "2019-05-11")
    sure = event("stand_loss", "2023-05-01", "2023-05-11", causes={"fire": 0.9, "storm": 0.1})
    early = event("stand_loss", "2024-05-01", "2024-05-11", causes={"fire": 0.4, "storm": 0.3})
    slight = event("stand_decline", "2025-05-01", "2025-05-11")
    results = [
        result((hit("a", sure, "confirmed"), hit("a", early, "early_warning")), (hit("a", slight, "early_warning"),))
    ]
    table = lookback.history({"a": judged(slight, early, sure, old)}, results, {"a": 10_000.0}, AS_OF)
    assert list(table.columns) == list(lookback.COLUMNS)
    assert table["from"].tolist() == ["2023-05-01", "2024-05-01", "2025-05-01"]
    assert table["certainty"].tolist() == ["confirmed", "suspected", "suspected"]
    assert table["cause"].where(table["cause"].notna(), "").tolist() == ["fire", "", ""]
    assert table["share_frac"].tolist() == [0.2, 0.2, 0.2]
    assert table["area_mu"].iloc[0] == pytest.approx(3.0)
    assert table["reason"].iloc[0] == "Lost. Told."


def test_a_suspicion_that_came_true_is_one_event() -> None:
    doubt = event("works_suspected", "2024-01-01", "2024-01-11")
    start = event("construction_start", "2024-01-01", "2024-01-11")
    assert lookback.history({"a": judged(doubt)}, [], {"a": 1e4}, AS_OF)["certainty"].tolist() == ["suspected"]
    assert lookback.history({"a": judged(doubt, start)}, [], {"a": 1e4}, AS_OF)["kind"].tolist() == [
        "construction_start"
    ]


def test_nothing_found_is_not_the_same_as_nothing_seen() -> None:
    looks = {"a": days("2022-08-01", "2025-08-01"), "b": days("2022-08-01", "2025-08-01")}
    told = lookback.columns_of({"a": judged(), "b": judged(status="cannot_tell"), "c": judged()}, looks, AS_OF)
    assert (told["a"]["obs_lookback_events_n"], told["a"]["obs_lookback_years"]) == (0, 2.0)
    assert told["a"]["obs_lookback_reason"] == (
        "No event found; looks cover 2 of the last 5 years. The look-back is shorter than asked for."
    )
    assert told["b"]["obs_lookback_events_n"] is None
    assert told["b"]["obs_lookback_reason"] == "Cannot tell what happened in the last 5 years. Clouds."
    assert told["c"]["obs_lookback_years"] == 0.0
