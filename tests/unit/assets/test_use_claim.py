"""A claimed use against signs built by hand."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import pytest

from geocollateral.assets.land_signs import COUNTS, Signs, _northern
from geocollateral.assets.land_use import GROUPS, SIGNS, TABLE, opinion_of
from geocollateral.assets.use_claim import UseParams, _judged, verdict_of
from geocollateral.assets.use_names import read_use

NEVER_TILLED = {"harvests": 0.0, "winter_crop": 0.0, "summer_crop": 0.0, "summer_twice": 0.0, "off_season": 0.0}
WHEAT_MAIZE = {
    "harvests": 2.0, "winter_crop": 1.0, "summer_crop": 1.0, "summer_twice": 0.0, "off_season": 0.0, "short": 0.3,
    "flooded": 0.03, "dense": 0.9, "sparse": 0.0, "woody": 0.1, "covered": 0.0, "plants_below": 1.0, "water": 0.0,
}  # fmt: skip
PLASTIC = NEVER_TILLED | {
    "dense": 0.0, "sparse": 1.0, "winter_green": 0.0, "covered": 1.0, "plants_below": 0.9, "water": 0.0,
}  # fmt: skip
POND = NEVER_TILLED | {"dense": 0.0, "sparse": 1.0, "covered": 0.0, "plants_below": 0.0, "water": 1.0, "woody": 0.0}


def signs(n_looks: int = 40, **known: float) -> Signs:
    values: dict[str, Any] = {f.name: math.nan for f in fields(Signs) if f.name not in COUNTS}
    return Signs(**(values | known), n_looks=n_looks, years=2.0, watched=1.0)


@pytest.mark.parametrize(
    ("claim", "seen", "verdict"),
    [
        ("小麦-玉米轮作", WHEAT_MAIZE, "match"),
        ("maize", WHEAT_MAIZE, "cannot_tell"),
        ("水稻", WHEAT_MAIZE, "mismatch"),
        ("orchard", WHEAT_MAIZE, "mismatch"),
        ("fish pond", WHEAT_MAIZE, "mismatch"),
        ("大棚", PLASTIC, "match"),
        ("winter wheat", PLASTIC, "mismatch"),
        ("鱼塘", POND, "match"),
        ("rice", POND, "mismatch"),
        ("rice", {}, "cannot_tell"),
        ("甘蔗", WHEAT_MAIZE, "mismatch"),
    ],
)
def test_verdicts(claim: str, seen: dict[str, float], verdict: str) -> None:
    named = read_use(claim)
    assert named is not None
    assert verdict_of(named, opinion_of(signs(**seen)), UseParams()) == verdict


def test_a_bloom_that_nobody_watched_tells_no_rapeseed_from_wheat() -> None:
    seen = WHEAT_MAIZE | {"flooded": 0.97}
    rape, wheat = read_use("rice and rapeseed"), read_use("wheat and rice")
    assert rape is not None
    assert wheat is not None
    for bloom, verdicts in ((math.nan, ("match", "match")), (1.0, ("match", "cannot_tell"))):
        opinion = opinion_of(signs(**(seen | {"bloom": bloom})))
        assert tuple(verdict_of(named, opinion, UseParams()) for named in (rape, wheat)) == verdicts


def test_few_looks_and_unknown_words_cannot_tell_and_say_why() -> None:
    opinion = opinion_of(signs(n_looks=5, **WHEAT_MAIZE))
    assert _judged("orchard", read_use("orchard"), opinion, "", UseParams())[0] == "cannot_tell"
    assert "Only 5 clear looks" in _judged("orchard", read_use("orchard"), opinion, "", UseParams())[1]
    assert "no crop, tree or cover of that name" in _judged("xyz", None, opinion, "", UseParams())[1]


def test_probabilities_sum_to_one_and_nothing_told_prefers_nothing() -> None:
    told = opinion_of(signs(**WHEAT_MAIZE))
    assert math.isclose(sum(told.probability.values()), 1.0)
    assert told.likeliest == "winter_summer"
    assert len(set(opinion_of(signs()).probability.values())) == 1


def test_the_table_is_whole_and_certain_of_nothing() -> None:
    assert set(TABLE) == set(GROUPS)
    assert all(len(row) == len(SIGNS) and min(row) > 0 and max(row) < 100 for row in TABLE.values())


def test_the_southern_calendar_is_half_a_year_ahead() -> None:
    first_of_july = 12784 + 181  # of 2005
    assert _northern(first_of_july, 35.0) == 182.0
    assert _northern(first_of_july, -35.0) == 364
    assert math.isnan(_northern(first_of_july, 10.0))
    assert math.isnan(_northern(first_of_july, math.nan))
