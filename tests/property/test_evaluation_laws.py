"""Laws of the judge: what holds for whatever is found and whatever is true."""

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from geocollateral.change.evaluation import Truth, evaluate, scores, scores_by_kind, threshold_for_budget
from geocollateral.change.intervals import rate, share
from geocollateral.change.matching import OUTCOMES, RIGHT

FAST = settings(max_examples=20)
"""Each example bootstraps a dozen figures."""
ANSWERS = {"cut": ("loss",), "fire": ("loss", "burn")}
PARCELS = pd.DataFrame({"parcel_id": ["p", "q"], "asset_class": "forestry", "site": ["s", "t"]})
START = np.datetime64("2020-01-01")


def day(number: int) -> np.datetime64:
    return START + np.timedelta64(number, "D")


true_events = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from(["cut", "fire"]), st.integers(0, 300), st.integers(0, 60)),
    max_size=6,
)
found_events = st.lists(
    st.tuples(
        st.sampled_from("pq"),
        st.sampled_from(["loss", "burn", "flood"]),
        st.integers(0, 300),
        st.integers(1, 40),
        st.integers(0, 60),
    ),
    max_size=8,
)


def tables(true: list[tuple], found: list[tuple]) -> tuple[pd.DataFrame, Truth, pd.DataFrame]:
    events = pd.DataFrame(
        [(f"e{n}", p, kind, day(a), day(a + b), 1000.0) for n, (p, kind, a, b) in enumerate(true)],
        columns=["event_id", "parcel_id", "kind", "start", "end", "area_m2"],
    )
    alerts = pd.DataFrame(
        [(p, kind, day(a), day(a + b), day(a + b + c)) for p, kind, a, b, c in found],
        columns=["parcel_id", "kind", "last_clear_before", "first_clear_after", "detected_on"],
    )
    quiet = pd.DataFrame({"parcel_id": ["p"], "start": pd.to_datetime(["2020-01-01"]), "end": ["2020-12-30"]})
    quiet["end"] = pd.to_datetime(quiet["end"])
    looks = pd.DataFrame({"parcel_id": ["p", "q"] * 40, "day": [day(n * 5) for n in range(80)]})
    return alerts, Truth(parcels=PARCELS, events=events, quiet_years=quiet), looks


@FAST
@given(true=true_events, found=found_events, q_told=st.booleans())
def test_counts_add_up_and_intervals_hold_their_value(true: list[tuple], found: list[tuple], q_told: bool) -> None:
    alerts, truth, looks = tables(true, found)
    status = {"p": "ok", "q": "ok" if q_told else "cannot_tell"}
    evaluation = evaluate(alerts, truth, status, looks, ANSWERS)
    (total,) = scores(evaluation)
    assert total.n_events == len(true)
    assert total.n_alerts == len(found)
    assert evaluation.alerts["outcome"].isin(OUTCOMES).all()
    right = evaluation.alerts[evaluation.alerts["outcome"] == RIGHT]
    assert right["event_id"].is_unique
    assert len(right) == int(evaluation.events["found"].sum())
    assert not np.isnan(total.recall_strict.value) or not true
    if total.recall.n:
        assert total.recall_strict.value <= total.recall.value or q_told is False
    for one in (total, *scores(evaluation, ["site"]), *scores_by_kind(evaluation)):
        for figure in (one.recall, one.recall_strict, one.precision, one.alarm_precision, one.false_per_100):
            assert np.isnan(figure.value) or figure.low <= figure.value <= figure.high


@FAST
@given(true=true_events, found=found_events, seed=st.integers(0, 99))
def test_order_of_rows_does_not_matter(true: list[tuple], found: list[tuple], seed: int) -> None:
    alerts, truth, looks = tables(true, found)
    status = {"p": "ok", "q": "ok"}
    shuffled = Truth(
        parcels=truth.parcels, events=truth.events.sample(frac=1, random_state=seed), quiet_years=truth.quiet_years
    )
    (one,) = scores(evaluate(alerts, truth, status, looks, ANSWERS))
    (two,) = scores(evaluate(alerts, shuffled, status, looks.sample(frac=1, random_state=seed), ANSWERS))
    assert (one.n_events, one.n_alerts, one.false_per_100) == (two.n_events, two.n_alerts, two.false_per_100)


@FAST
@given(true=true_events, found=found_events)
def test_one_more_false_alarm_never_helps(true: list[tuple], found: list[tuple]) -> None:
    status = {"p": "ok", "q": "ok"}
    alerts, truth, looks = tables(true, found)
    (before,) = scores(evaluate(alerts, truth, status, looks, ANSWERS))
    alerts, truth, looks = tables(true, [*found, ("p", "flood", 900, 5, 5)])
    (after,) = scores(evaluate(alerts, truth, status, looks, ANSWERS))
    assert after.recall == before.recall
    assert np.isnan(before.precision.value) or after.precision.value <= before.precision.value


@given(hits=st.integers(0, 50), more=st.integers(0, 50), factor=st.integers(2, 10))
def test_more_cases_narrow_the_interval(hits: int, more: int, factor: int) -> None:
    cases = hits + more
    if cases:
        few, many = share(hits, cases), share(hits * factor, cases * factor)
        assert many.high - many.low < few.high - few.low
    few, many = rate(hits, 10.0), rate(hits * factor, 10.0 * factor)
    assert many.high - many.low < few.high - few.low


@given(
    values=st.lists(st.floats(-5, 5), max_size=30),
    years=st.floats(10, 1000),
    budgets=st.tuples(st.floats(0, 20), st.floats(0, 20)),
    confidence=st.none() | st.floats(0.5, 0.99),
)
def test_threshold_keeps_the_budget_and_a_larger_budget_never_raises_it(
    values: list[float], years: float, budgets: tuple[float, float], confidence: float | None
) -> None:
    small, large = sorted(budgets)
    threshold = threshold_for_budget(values, years, small, confidence)
    alarms = int((np.array(values) >= threshold).sum())
    assert alarms * 100 <= small * years * (1 + 1e-9)
    assert threshold_for_budget(values, years, large, confidence) <= threshold
