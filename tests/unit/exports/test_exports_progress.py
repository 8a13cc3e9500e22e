"""Progress of works by date, with its interval and against the plan."""

from __future__ import annotations

import datetime as dt

import pandas as pd
import pytest

from geocollateral.exports.progress import draw_progress, planned_share, stage_lines
from geocollateral.exports.report import report_html
from geocollateral.exports.stages import draw_stages

NAN = float("nan")


def _row(date: str, progress: float, cleared: float, built: float) -> dict[str, object]:
    shares = {"vegetated": 1 - cleared - built, "water": 0.0, "cleared": cleared, "building": 0.0, "built": built}
    bounds = {"progress_low": max(progress - 0.1, 0), "progress_high": min(progress + 0.1, 1)}
    return {"date": date, **shares, **{f"{n}_error": 0.05 for n in shares}, "progress": progress, **bounds}


ROWS = [
    _row("2022-03-01", 0.0, 0.0, 0.0),
    _row("2022-11-20", 0.1, 1.0, 0.0),
    _row("2023-05-01", 0.4, 0.6, 0.3),
    _row("2023-06-20", 0.5, 0.5, 0.4),
    _row("2023-12-31", 0.6, 0.4, 0.5),
]
PARCEL = {
    "chg_started_on": dt.date(2022, 10, 1),
    "claim_start_on": dt.date(2023, 1, 1),
    "claim_complete_on": "2024-01-01",
    "obs_progress_low_frac": 0.25,
    "obs_progress_frac": 0.6,
    "obs_progress_high_frac": 1.0,
}


def test_a_date_of_each_half_year_from_before_the_works_on() -> None:
    lines = stage_lines(ROWS, PARCEL)
    assert [line.day.isoformat() for line in lines] == ["2023-12-31", "2023-06-20", "2022-11-20", "2022-03-01"]
    newest = lines[0]
    assert newest.shares["built"].low == pytest.approx(0.5 - 1.64 * 0.05)
    assert newest.planned == pytest.approx(364 / 365)
    assert lines[-1].planned == 0


def test_an_interval_under_works_is_no_narrower_than_todays() -> None:
    newest, middle, _, before = (line.progress for line in stage_lines(ROWS, PARCEL))
    assert newest
    assert middle
    assert before
    assert (newest.low, newest.high) == pytest.approx((0.25, 1.0))
    assert (middle.low, middle.high) == pytest.approx((0.15, 0.9))
    assert (before.low, before.high) == pytest.approx((0.0, 0.1))


def test_the_curve_has_the_plan_only_where_both_dates_are_planned() -> None:
    chart = draw_progress(ROWS, PARCEL)
    assert chart is not None
    assert chart.what == "progress"
    assert chart.plan.count("L") == 2
    assert chart.plan.startswith("M0 1000L")
    assert chart.plan_now == pytest.approx(364 / 365)
    alone = draw_progress(ROWS, {**PARCEL, "claim_start_on": None})
    assert alone is not None
    assert alone.plan == ""
    assert (
        planned_share({"claim_start_on": dt.date(2024, 1, 1), "claim_complete_on": dt.date(2023, 1, 1)}, dt.date.max)
        is None
    )


def test_of_a_plant_the_ground_under_modules_is_a_curve_and_no_stack() -> None:
    """Classes share one table: what a plant does not tell is NaN."""
    rows = [
        {"date": d, "vegetated": NAN, "progress": NAN, "built": b, "built_low": b - 0.05, "built_high": b + 0.05}
        for d, b in (("2023-01-01", 0.1), ("2023-07-01", 0.9))
    ]
    chart = draw_progress(rows, {"claim_start_on": dt.date(2023, 1, 1), "claim_complete_on": dt.date(2024, 1, 1)})
    assert chart is not None
    assert (chart.what, chart.plan) == ("modules", "")
    assert chart.latest.high == pytest.approx(0.95)
    assert draw_stages(rows) is None
    assert stage_lines(rows, {}) == ()
    assert draw_progress(rows[:1], {}) is None


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_report_tells_it(build_assessment, lang) -> None:  # type: ignore[no-untyped-def]
    built = build_assessment()
    parcel_id = built.parcels.index[0]
    parcels = built.parcels.copy()
    for name, value in PARCEL.items():
        parcels[name] = None
        parcels.loc[parcel_id, name] = value
    stages = pd.DataFrame([{"parcel_id": parcel_id, **row} for row in ROWS])
    page = report_html(build_assessment(parcels=parcels, tables={"stages": stages}), lang).decode()
    assert page.count('class="plan"') == 2  # the line and its key
    assert ("25\u00a0% to 100\u00a0%" if lang == "en" else "25% 至 100%") in page


def test_what_was_pulled_down_has_no_progress() -> None:
    assert draw_progress(ROWS, {**PARCEL, "obs_status": "demolished"}) is None
