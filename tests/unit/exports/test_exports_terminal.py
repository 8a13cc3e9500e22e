"""The rows of a terminal say what the report says."""

from __future__ import annotations

from geocollateral.exports import summary_rows
from geocollateral.exports.summary import summarise
from geocollateral.exports.wording import Words
from geocollateral.types import Assessment


def test_states_are_those_of_the_report(assessment: Assessment) -> None:
    words = Words("en")
    said = [row[words("terminal.state")] for row in summary_rows(assessment)]
    assert said == [words.named("state", fact.state) for fact in summarise(assessment)]


def test_an_alert_is_named_and_dated(assessment: Assessment) -> None:
    alert = assessment.alerts[0]
    row = next(row for row in summary_rows(assessment) if row["Parcel"] == alert.parcel_id)
    assert Words("en").named("rule", alert.rule) in row["What to look into"]
    assert f"{alert.first_clear_after:%Y-%m-%d}" in row["What to look into"]


def test_what_cannot_be_told_has_its_reason_and_no_value(assessment: Assessment) -> None:
    facts = [fact for fact in summarise(assessment) if fact.state == "cannot_tell"]
    assert facts
    for fact in facts:
        row = next(row for row in summary_rows(assessment) if row["Parcel"] == fact.parcel_id)
        assert row["What to look into"] == fact.reason
        assert row["Value"] == "–"


def test_rows_are_chinese_where_asked(assessment: Assessment) -> None:
    assert set(summary_rows(assessment, "zh")[0]) == {"地块", "资产类别", "面积", "结论", "参考价值", "须核实事项"}
