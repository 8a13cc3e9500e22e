"""Planned dates against what was seen."""

import datetime as dt

import pytest

from geocollateral.assets.site_plan import Plan, SeenProgress, judge_plan, plan_of

PLAN = Plan(start=dt.date(2022, 1, 1), complete=dt.date(2024, 1, 1))
BEGUN = (dt.date(2021, 12, 20), dt.date(2022, 1, 20))


def seen(day: str, state: str, progress: float, started: tuple[dt.date, dt.date] | None = BEGUN) -> SeenProgress:
    band = (max(progress - 0.05, 0.0), progress, progress + 0.05)
    return SeenProgress(
        day=dt.date.fromisoformat(day),
        since=dt.date(2020, 1, 1),
        n_looks=40,
        started=started,
        progress=band,
        state=state,
    )


@pytest.mark.parametrize(
    ("given", "state", "verdict"),
    [
        (seen("2021-06-01", "not_started", 0.0, None), "not_due", "match"),
        (seen("2022-02-01", "not_started", 0.0, None), "not_started", "cannot_tell"),
        (seen("2022-06-01", "not_started", 0.0, None), "not_started", "mismatch"),
        (seen("2023-01-01", "progressing", 0.5), "progressing", "match"),
        (seen("2023-06-01", "progressing", 0.4), "behind_plan", "mismatch"),
        (seen("2023-01-01", "stalled", 0.5), "stalled", "mismatch"),
        (seen("2024-06-01", "progressing", 0.95), "behind_plan", "mismatch"),
        (seen("2023-12-01", "finished", 1.0), "finished", "match"),
        (seen("2022-09-01", "progressing", 0.1, (dt.date(2022, 6, 1), dt.date(2022, 6, 9))), "behind_plan", "mismatch"),
        (seen("2023-01-01", "built", 1.0, None), None, "cannot_tell"),
    ],
)
def test_plan_against_what_is_seen(given: SeenProgress, state: str | None, verdict: str) -> None:
    found = judge_plan(PLAN, given, 120)
    assert found is not None
    assert (found.claim, found.observed, found.verdict) == ("plan", state, verdict)
    assert (found.claimed, found.n_looks, found.n_pixels) == ("2022-01-01..2024-01-01", 40, 120)
    assert str(given.day) in found.reason


def test_one_date_gives_no_pace() -> None:
    found = judge_plan(Plan(start=None, complete=dt.date(2024, 1, 1)), seen("2023-01-01", "progressing", 0.5))
    assert found is not None
    assert found.verdict == "cannot_tell"


def test_dates_in_the_wrong_order_are_not_judged() -> None:
    found = judge_plan(Plan(start=PLAN.complete, complete=PLAN.start), seen("2023-01-01", "progressing", 0.5))
    assert found is not None
    assert found.verdict == "cannot_tell"
    assert "not before" in found.reason


def test_no_dates_no_check() -> None:
    assert plan_of({"claim_start_on": None}) is None
    assert judge_plan(None, seen("2023-01-01", "progressing", 0.5)) is None
