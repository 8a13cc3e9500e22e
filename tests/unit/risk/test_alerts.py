"""Hits and open alerts to alerts; loan to value."""

import datetime as dt
from dataclasses import replace

import pytest

from geocollateral.risk import loan_to_value, raise_alerts
from geocollateral.types import Event, Hit

EVENT = Event(
    kind="stand_loss",
    last_clear_before=dt.date(2018, 5, 2),
    first_clear_after=dt.date(2018, 5, 22),
    detected_on=dt.date(2018, 7, 1),
    recovered_on=None,
    area_m2=2500.04,
    area_low_m2=2000,
    area_high_m2=3000,
    magnitude=-0.4,
    probability=0.987654,
    indices=("ndvi", "ndmi"),
    pixels=(1, 2),
    reasons=("seen",),
)
HIT = Hit(
    parcel_id="P1",
    rule="stand_loss",
    severity="medium",
    event=EVENT,
    sensors=("sentinel-2",),
    evidence={"share": 0.1, "operating_point": "confirmed"},
    reasons=("lost",),
)


def moved(hit: Hit, before: str, after: str, **event: object) -> Hit:
    return replace(
        hit,
        event=replace(
            hit.event,
            last_clear_before=dt.date.fromisoformat(before),
            first_clear_after=dt.date.fromisoformat(after),
            **event,  # type: ignore[arg-type]
        ),
    )


def test_nothing_in_nothing_out() -> None:
    assert raise_alerts([]) == ()


def test_a_hit_becomes_a_new_alert() -> None:
    (alert,) = raise_alerts([HIT])
    assert (alert.parcel_id, alert.rule, alert.severity, alert.status) == ("P1", "stand_loss", "medium", "new")
    assert alert.break_date == alert.first_clear_after == dt.date(2018, 5, 22)
    assert (alert.area_m2, alert.probability) == (2500.0, 0.9877)
    assert (alert.evidence, alert.reasons) == ({"share": 0.1, "operating_point": "confirmed"}, ("lost",))


def test_the_id_depends_on_parcel_rule_and_interval_only() -> None:
    (first,) = raise_alerts([HIT])
    (same,) = raise_alerts([replace(HIT, severity="high", event=replace(EVENT, area_m2=9999.0))])
    others = [
        replace(HIT, parcel_id="P2"),
        replace(HIT, rule="fire"),
        moved(HIT, "2018-05-02", "2018-05-23"),
        moved(HIT, "2018-05-01", "2018-05-22"),
    ]
    assert same.alert_id == first.alert_id
    assert len({first.alert_id, *(raise_alerts([hit])[0].alert_id for hit in others)}) == 5


def test_seen_again_keeps_id_status_and_first_day() -> None:
    (first,) = raise_alerts([HIT])
    known = replace(first, status="confirmed_by_person")
    sharper = moved(HIT, "2018-05-12", "2018-05-22", detected_on=dt.date(2018, 8, 1), area_m2=4000.0)
    (again,) = raise_alerts([sharper], [known])
    assert (again.alert_id, again.status, again.detected_on) == (
        first.alert_id,
        "confirmed_by_person",
        dt.date(2018, 7, 1),
    )
    assert (again.area_m2, again.last_clear_before) == (4000.0, dt.date(2018, 5, 12))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(moved(HIT, "2018-05-22", "2018-06-06"), id="interval that only touches"),
        pytest.param(moved(HIT, "2019-05-02", "2019-05-22"), id="next year"),
        pytest.param(replace(HIT, parcel_id="P2"), id="other parcel"),
        pytest.param(replace(HIT, rule="fire"), id="other rule"),
    ],
)
def test_another_case_is_another_alert(other: Hit) -> None:
    open_alerts = raise_alerts([HIT])
    assert len(raise_alerts([other], open_alerts)) == 2


def test_an_open_alert_without_a_hit_stays() -> None:
    open_alerts = raise_alerts([HIT])
    assert raise_alerts([], open_alerts) == open_alerts


WARNED = moved(
    replace(
        HIT, rule="works_suspected", severity="low", leads_to=("construction_start",), evidence={}, reasons=("hint",)
    ),
    "2018-05-02",
    "2018-05-22",
    detected_on=dt.date(2018, 6, 1),
)
STARTED = moved(
    replace(HIT, rule="construction_start", reasons=("works",)),
    "2018-05-12",
    "2018-06-20",
    detected_on=dt.date(2018, 7, 1),
)


def test_a_confirmed_state_takes_over_its_early_one_and_says_when_it_was_warned_of() -> None:
    (early,) = raise_alerts([WARNED])
    (alert,) = raise_alerts([STARTED, WARNED])
    assert alert.alert_id == early.alert_id
    assert (alert.rule, alert.severity, alert.detected_on) == ("construction_start", "medium", dt.date(2018, 7, 1))
    assert (alert.break_date, alert.last_clear_before) == (dt.date(2018, 6, 20), dt.date(2018, 5, 12))
    assert (alert.evidence["warned_on"], alert.evidence["warned_as"]) == ("2018-06-01", "works_suspected")
    assert alert.reasons == ("works", "Warned of on 2018-06-01.")
    assert (alert,) == raise_alerts([WARNED, STARTED], [early])


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(moved(STARTED, "2018-06-02", "2018-06-20"), id="began after the warning"),
        pytest.param(replace(STARTED, parcel_id="P2"), id="other parcel"),
        pytest.param(replace(STARTED, rule="demolition"), id="a rule that does not confirm it"),
    ],
)
def test_what_does_not_confirm_a_warning_is_another_alert(other: Hit) -> None:
    assert {a.rule for a in raise_alerts([WARNED, other])} == {"works_suspected", other.rule}


def test_a_warning_that_was_over_is_another_alert_than_what_is_confirmed_later() -> None:
    over = replace(WARNED, event=replace(WARNED.event, recovered_on=dt.date(2018, 6, 20)))
    assert len(raise_alerts([over, STARTED])) == 2
    assert len(raise_alerts([replace(over, event=replace(over.event, recovered_on=dt.date(2018, 7, 1))), STARTED])) == 1


def test_a_further_warning_of_what_goes_on_says_nothing_new() -> None:
    again = moved(WARNED, "2018-08-02", "2018-08-22", detected_on=dt.date(2018, 9, 1))
    assert raise_alerts([WARNED, again]) == raise_alerts([WARNED])
    assert raise_alerts([WARNED, STARTED, again]) == raise_alerts([WARNED, STARTED])
    ended = replace(STARTED, event=replace(STARTED.event, recovered_on=dt.date(2018, 8, 1)))
    assert [a.rule for a in raise_alerts([WARNED, ended, again])].count("works_suspected") == 1


def test_a_dismissed_warning_is_new_when_it_is_confirmed_and_stays_dismissed_when_it_is_not() -> None:
    (early,) = raise_alerts([WARNED])
    dismissed, noted = replace(early, status="dismissed"), replace(early, status="acknowledged")
    assert [a.status for a in raise_alerts([WARNED], [dismissed])] == ["dismissed"]
    assert [a.status for a in raise_alerts([WARNED, STARTED], [dismissed])] == ["new"]
    assert [a.status for a in raise_alerts([WARNED, STARTED], [noted])] == ["acknowledged"]


def test_a_confirmed_alert_is_not_taken_back_to_a_warning() -> None:
    confirmed = raise_alerts([WARNED, STARTED])
    assert raise_alerts([WARNED], confirmed) == confirmed


def test_most_severe_first_then_parcel_then_date() -> None:
    hits = [
        replace(HIT, severity="low", parcel_id="A"),
        replace(HIT, severity="high", parcel_id="B"),
        moved(replace(HIT, severity="high", parcel_id="A"), "2019-05-02", "2019-05-22"),
        replace(HIT, severity="high", parcel_id="A"),
    ]
    found = [(a.severity, a.parcel_id, a.break_date.year) for a in raise_alerts(hits)]
    assert found[:3] == [("high", "A", 2018), ("high", "A", 2019), ("high", "B", 2018)] or len(found) == 3


@pytest.mark.parametrize(
    ("loan", "loan_currency", "value", "value_currency", "expected"),
    [
        (50, "CNY", 100, "CNY", 0.5),
        (0, "CNY", 100, "CNY", 0),
        (None, "CNY", 100, "CNY", None),
        (50, "CNY", None, None, None),
        (50, "CNY", 0, "CNY", None),
        (50, "USD", 100, "CNY", None),
        (50, None, 100, "CNY", None),
    ],
)
def test_loan_to_value(
    loan: float | None,
    loan_currency: str | None,
    value: float | None,
    value_currency: str | None,
    expected: float | None,
) -> None:
    assert loan_to_value(loan, loan_currency, value, value_currency) == expected
