"""Found events against true events, on tables that can be matched by hand."""

import numpy as np
import pandas as pd
import pytest

from geocollateral.change.matching import FALSE, OTHER_KIND, REPEAT, RIGHT, match_events
from geocollateral.errors import InvalidInput

ANSWERS = {"clear_cut": ("stand_loss", "clear_cut"), "stall": ("stall",), "flood": ("flood",)}
LOOKS = pd.DataFrame({"parcel_id": "p", "day": pd.date_range("2021-01-01", "2021-12-31", freq="10D")})
"""Every ten days from 2021-01-01: 01-11, 01-21, 01-31, 02-10, 02-20, 03-02, 03-12, 03-22, 04-01 ..."""


def said(*rows: tuple[str, str, str, str]) -> pd.DataFrame:
    """Found events of parcel p: kind, last clear before, first clear after, detected on."""
    columns = ["kind", "last_clear_before", "first_clear_after", "detected_on"]
    return pd.DataFrame(rows, columns=columns).assign(parcel_id="p")


def true(*rows: tuple[str, str, str, str], **more: list[str]) -> pd.DataFrame:
    """True events of parcel p: id, kind, start, end."""
    return pd.DataFrame(rows, columns=["event_id", "kind", "start", "end"]).assign(parcel_id="p", **more)


CUT = ("e1", "clear_cut", "2021-03-05", "2021-03-15")


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        pytest.param("2021-03-02", "2021-03-12", RIGHT, id="holds the start"),
        pytest.param("2021-03-12", "2021-03-22", RIGHT, id="holds the end"),
        pytest.param("2021-02-20", "2021-03-05", RIGHT, id="ends on the day it starts"),
        pytest.param("2021-02-20", "2021-03-04", FALSE, id="over a day before it starts"),
        pytest.param("2021-03-22", "2021-04-01", RIGHT, id="starts on the first look after it"),
        pytest.param("2021-03-23", "2021-04-01", FALSE, id="starts after that look"),
        pytest.param("2021-01-01", "2021-12-01", RIGHT, id="wide"),
    ],
)
def test_interval_must_share_a_day_with_the_event_or_its_first_look_after(
    before: str, after: str, outcome: str
) -> None:
    matches = match_events(said(("stand_loss", before, after, "2021-12-10")), true(CUT), LOOKS, ANSWERS)
    assert matches.alerts["outcome"].tolist() == [outcome]
    assert matches.events["found"].tolist() == [outcome == RIGHT]


def test_second_answer_is_a_repeat_and_the_first_said_counts() -> None:
    found = said(
        ("stand_loss", "2021-03-12", "2021-03-22", "2021-04-21"),
        ("clear_cut", "2021-03-02", "2021-03-12", "2021-04-01"),
    )
    matches = match_events(found, true(CUT), LOOKS, ANSWERS)
    assert matches.alerts["outcome"].tolist() == [REPEAT, RIGHT]
    assert matches.alerts["event_id"].tolist() == ["e1", "e1"]
    assert matches.events["found_kind"].tolist() == ["clear_cut"]


def test_wrong_name_is_neither_right_nor_a_false_alarm() -> None:
    matches = match_events(said(("flood", "2021-03-02", "2021-03-12", "2021-03-12")), true(CUT), LOOKS, ANSWERS)
    assert matches.alerts["outcome"].tolist() == [OTHER_KIND]
    assert not matches.events["found"].any()


def test_of_two_events_each_alert_takes_the_one_it_shares_most_days_with() -> None:
    events = true(CUT, ("e2", "clear_cut", "2021-03-20", "2021-03-30"))
    found = said(
        ("stand_loss", "2021-03-12", "2021-03-30", "2021-04-01"),  # 10 days with e2, 10 with e1's look: first of both
        ("stand_loss", "2021-03-18", "2021-04-11", "2021-04-11"),
    )
    matches = match_events(found, events, LOOKS, ANSWERS)
    assert matches.alerts["outcome"].tolist() == [RIGHT, RIGHT]
    assert sorted(matches.alerts["event_id"]) == ["e1", "e2"]


def test_another_parcel_is_another_world() -> None:
    found = said(("stand_loss", "2021-03-02", "2021-03-12", "2021-03-12")).assign(parcel_id="q")
    matches = match_events(found, true(CUT), LOOKS, ANSWERS)
    assert matches.alerts["outcome"].tolist() == [FALSE]
    assert matches.alerts["event_id"].tolist() == [None]


def test_lags_count_from_the_start_from_half_and_in_looks() -> None:
    found = said(("stand_loss", "2021-03-02", "2021-03-12", "2021-04-01"))
    event = match_events(found, true(CUT), LOOKS, ANSWERS).events.iloc[0]
    assert event["first_look"] == pd.Timestamp("2021-03-12")
    assert event["lag_due_days"] == 27
    assert event["half"] == pd.Timestamp("2021-03-10")
    assert event["lag_half_days"] == 22
    assert event["lag_looks"] == 2  # 03-12 is the first, 03-22 and 04-01 follow
    assert event["date_error_days"] == -3  # the middle is 03-07
    assert event["holds"]


def test_what_is_said_on_the_first_look_lags_none() -> None:
    found = said(("stand_loss", "2021-03-02", "2021-03-12", "2021-03-12"))
    assert match_events(found, true(CUT), LOOKS, ANSWERS).events["lag_looks"].tolist() == [0]


def test_due_half_and_done_are_taken_where_they_are_given() -> None:
    """A stall can be said when its grace is over; a blank falls back."""
    events = true(("e1", "stall", "2021-03-01", "2021-12-01"), ("e2", "stall", "2021-06-01", "2021-08-01")).assign(
        due=["2021-05-30", None], half=["2021-03-01", None], done=["2021-03-01", None]
    )
    found = said(("stall", "2021-02-20", "2021-03-02", "2021-06-10"))
    first, second = match_events(found, events, LOOKS, ANSWERS).events.to_dict("records")
    assert first["first_look"] == pd.Timestamp("2021-05-31")
    assert (first["lag_due_days"], first["lag_looks"], first["lag_half_days"]) == (11, 1, 101)
    assert first["holds"]
    assert second["due"] == second["start"]
    assert second["half"] == pd.Timestamp("2021-07-01")


def test_without_a_look_after_it_nothing_could_be_seen() -> None:
    events = true(("e1", "clear_cut", "2021-12-30", "2021-12-31"))
    event = match_events(said(), events, LOOKS, ANSWERS).events.iloc[0]
    assert pd.isna(event["first_look"])
    assert not event["found"]
    assert np.isnan(event["lag_looks"])


def test_empty_tables_match_nothing() -> None:
    matches = match_events(said(), true(), LOOKS.iloc[:0], ANSWERS)
    assert len(matches.events) == len(matches.alerts) == 0


def test_faults_are_told() -> None:
    with pytest.raises(InvalidInput, match="lacking: detected_on"):
        match_events(said().drop(columns="detected_on"), true(CUT), LOOKS, ANSWERS)
    with pytest.raises(InvalidInput, match="'e1' is there twice"):
        match_events(said(), true(CUT, CUT), LOOKS, ANSWERS)
