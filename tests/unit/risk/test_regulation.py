"""Due dates and caps of law and policy, on a table of cases worked out by hand."""

import csv
import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from geocollateral.errors import InvalidInput
from geocollateral.risk import loan_to_value
from geocollateral.risk.caps import ValuePoint, judge_cap, judge_ltv
from geocollateral.risk.clocks import Due, is_large, judge_due, judge_monitoring, judge_review

with Path(__file__).with_name("regulation_cases.csv").open(encoding="utf-8", newline="") as file:
    CASES = list(csv.DictReader(file))
YES = {"yes": True, "no": False, "unknown": None}


def given(case: dict[str, str]) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in case["given"].split(";"))  # type: ignore[misc]


def day(text: str | None) -> dt.date | None:
    return None if text is None else dt.date.fromisoformat(text)


def number(text: str | None) -> float | None:
    return None if text is None else float(text)


def point(text: str) -> ValuePoint:
    on, value, currency = text.split(":")
    return ValuePoint(day=dt.date.fromisoformat(on), value=float(value), currency=currency)


def told(due: Due) -> tuple[str, str]:
    return due.outcome, "" if due.due_on is None else due.due_on.isoformat()


def answer(topic: str, g: dict[str, str]) -> tuple[str, str]:
    as_of: Any = day(g.get("as_of"))
    if topic == "monitoring":
        return told(judge_monitoring(g.get("kind"), day(g.get("last")), as_of))  # type: ignore[arg-type]
    if topic == "policy":
        return told(judge_due(day(g.get("last")), int(g["months"]), as_of))
    if topic == "large":
        large = is_large(
            number(g.get("outstanding")), g.get("currency"), number(g.get("own_funds")), g.get("own_funds_currency")
        )
        return {True: "yes", False: "no", None: "cannot_tell"}[large], ""
    if topic == "review":
        return told(
            judge_review(
                YES[g["large"]],
                day(g.get("last")),
                as_of,
                reviewed_value=number(g.get("reviewed")),
                value=number(g.get("value")),
                one_currency=g.get("one_currency") != "no",
            )
        )
    if topic == "cap":
        origin = point(g["origin"]) if "origin" in g else None
        points = [point(text) for text in g.get("points", "").split("|") if text]
        cap = judge_cap(point(g["value"]), points, origin, g["kind"])  # type: ignore[arg-type]
        return cap.outcome, "" if cap.cap is None else f"{cap.cap:g}"
    if topic == "ltv":
        return judge_ltv(number(g.get("ltv")), float(g["limit"])), ""
    assert topic == "ratio"
    ratio = loan_to_value(number(g.get("outstanding")), g.get("currency"), number(g["value"]), g["value_currency"])
    return "cannot_tell" if ratio is None else f"{ratio:g}", ""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_case(case: dict[str, str]) -> None:
    assert answer(case["topic"], given(case)) == (case["outcome"], case["figure"]), case["why"]


def test_the_table_is_whole() -> None:
    assert len(CASES) >= 60
    assert len({case["id"] for case in CASES}) == len(CASES)
    assert all(case["why"] for case in CASES)


@pytest.mark.parametrize(("loan", "funds"), [(-1.0, None), (float("nan"), None), (1.0, 0.0), (1.0, -5.0)])
def test_amounts_that_are_none_are_refused(loan: float, funds: float | None) -> None:
    with pytest.raises(InvalidInput):
        is_large(loan, "EUR", funds, "EUR")


def test_a_value_of_nothing_is_refused() -> None:
    with pytest.raises(InvalidInput, match="above 0"):
        ValuePoint(day=dt.date(2026, 1, 1), value=0.0, currency="EUR")
    with pytest.raises(InvalidInput, match="above 0"):
        judge_review(False, dt.date(2026, 1, 1), dt.date(2026, 2, 1), reviewed_value=0.0, value=1.0)
