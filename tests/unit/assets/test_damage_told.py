"""Damage in the judgement: of a reported day, or of the parcel's own alerts; pictures of `test_damage`."""

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from evidence_by_hand import loss
from pydantic import ValidationError

from geocollateral.assets.damage import DamageParams
from geocollateral.assets.damage_told import judge_damage
from geocollateral.types import Event
from tests.unit.assets.test_damage import AFTER, DAY, DAYS, LEFT, burnt, flooded, seen

LEFT_PIXELS = np.flatnonzero(LEFT).tolist()
NUMBERS = ("low_frac", "frac", "high_frac")


def fire(probability: float = 0.9) -> Event:
    return replace(loss("2021-05-28", "2021-06-02", LEFT_PIXELS), causes={"fire": probability})


def flood(before: str, after: str) -> Event:
    return replace(loss(before, after, LEFT_PIXELS), kind="flood")


def test_without_a_fire_or_flood_nothing_is_said() -> None:
    for events in ((), (loss("2021-05-28", "2021-06-02", LEFT_PIXELS),), (fire(0.4),)):
        told = judge_damage(burnt(), events, DamageParams())
        assert (told.columns, told.sentence) == ({}, "")


def test_a_reported_fire_is_asked_of_every_parcel() -> None:
    asked = DamageParams(event_kind="fire", event_day=DAY)
    hit, calm = (judge_damage(evidence, (), asked).columns for evidence in (burnt(), burnt(0.0)))
    assert (hit["obs_damage"], hit["obs_damage_share_frac"], hit["obs_damage_severe_frac"]) == ("match", 0.5, 0.5)
    assert (calm["obs_damage"], calm["obs_damage_share_frac"]) == ("mismatch", 0.0)


def test_a_loss_by_fire_is_judged_from_the_day_after_the_last_look_before_it() -> None:
    told = judge_damage(burnt(), (fire(),), DamageParams())
    assert told.columns["obs_damage_from"] == dt.date(2021, 5, 29)
    assert told.columns["obs_damage_to"] == dt.date(2021, 6, 2)
    assert told.columns["obs_damage_share_low_frac"] <= 0.5 <= told.columns["obs_damage_share_high_frac"]
    assert told.sentence == told.columns["obs_damage_reason"]


def test_a_flood_between_near_looks_has_a_share_with_a_range() -> None:
    told = judge_damage(flooded(), (flood("2021-05-28", "2021-06-02"),), DamageParams()).columns
    assert (told["obs_damage"], told["obs_damage_kind"]) == ("match", "flood")
    assert told["obs_damage_share_high_frac"] < 1.0
    assert told["obs_damage_severe_frac"] is None
    assert not told["obs_damage_window_missed"]


def test_a_flood_of_which_the_day_is_open_is_a_least() -> None:
    """A month between the looks: it may have stood higher on another day."""
    told = judge_damage(flooded(), (flood("2021-05-03", "2021-06-02"),), DamageParams()).columns
    assert told["obs_damage"] == "match"
    assert told["obs_damage_share_high_frac"] == 1.0
    assert told["obs_damage_window_missed"]
    assert "the share is a least" in told["obs_damage_reason"]


def test_cannot_tell_has_no_number() -> None:
    late = seen(flooded(), ~AFTER | (np.datetime64("2021-06-20") < DAYS))
    for evidence, asked in (
        (late, DamageParams(event_kind="flood", event_day=DAY)),
        (burnt(), DamageParams(event_kind="fire", event_day=dt.date(2031, 1, 1))),
        (
            replace(burnt(), optical=burnt().optical[["red", "nir"]]),  # type: ignore[index]
            DamageParams(event_kind="fire", event_day=DAY),
        ),
    ):
        told = judge_damage(evidence, (), asked).columns
        assert told["obs_damage"] == "cannot_tell"
        assert [told[f"obs_damage_share_{name}"] for name in NUMBERS] == [None] * 3
        assert told["obs_damage_reason"]


def test_the_newest_event_counts_and_a_reported_one_before_all() -> None:
    events = (fire(), flood("2021-08-01", "2021-08-06"))
    assert judge_damage(burnt(), events, DamageParams()).columns["obs_damage_kind"] == "flood"
    asked = DamageParams(event_kind="fire", event_day=DAY)
    assert judge_damage(burnt(), events, asked).columns["obs_damage_kind"] == "fire"


@pytest.mark.parametrize("given", [{"event_kind": "fire"}, {"event_day": "2021-06-01"}])
def test_half_a_report_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="expected both event_kind and event_day"):
        DamageParams.model_validate(given)
