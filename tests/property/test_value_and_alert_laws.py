"""Laws of values and alerts."""

import datetime as dt
import math
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from geocollateral.risk import raise_alerts
from geocollateral.types import Event, Hit
from geocollateral.valuation import UnitValue, value_of

MONEY = st.floats(1e-3, 1e9)
AREA = st.just(0.0) | st.floats(1e-6, 1e6)  # hectares; less than a square decimetre is nothing


def unit(values: list[float]) -> UnitValue:
    low, middle, high = sorted(values)
    return UnitValue(
        asset_class="forestry", currency="CNY", p05=low, p50=middle, p95=high, source="table", dated="2024-01-01"
    )


UNITS = st.lists(MONEY, min_size=3, max_size=3).map(unit)
AREAS = st.lists(AREA, min_size=3, max_size=3).map(lambda areas: tuple(sorted(areas)))


@given(area=AREAS, unit=UNITS)
def test_quantiles_do_not_cross(area: tuple[float, float, float], unit: UnitValue) -> None:
    value = value_of(area, unit)
    assert 0 <= value.p05 <= value.p50 <= value.p95
    assert math.isfinite(value.p95)
    assert value.grade in set("ABCD")


@given(area=AREAS, unit=UNITS, factor=st.floats(1, 100))
def test_more_area_or_a_higher_unit_value_is_never_worth_less(
    area: tuple[float, float, float], unit: UnitValue, factor: float
) -> None:
    here = value_of(area, unit)
    more = value_of((area[0] * factor, area[1] * factor, area[2] * factor), unit)
    dearer = value_of(
        area,
        UnitValue(**{**vars(unit), "p05": unit.p05 * factor, "p50": unit.p50 * factor, "p95": unit.p95 * factor}),
    )
    for other in (more, dearer):
        for name in ("p05", "p50", "p95"):
            assert getattr(other, name) >= getattr(here, name) * (1 - 1e-9)


@given(area=st.floats(0.01, 1e6), unit=UNITS)
def test_an_area_known_exactly_keeps_the_bounds_of_the_unit_value(area: float, unit: UnitValue) -> None:
    value = value_of((area, area, area), unit)
    for name in ("p05", "p50", "p95"):
        assert math.isclose(getattr(value, name), area * getattr(unit, name), rel_tol=1e-9)


def hit(parcel: str, start: int, length: int, area: float) -> Hit:
    first = dt.date(2019, 1, 1) + dt.timedelta(days=start)
    event = Event(
        kind="stand_loss",
        last_clear_before=first,
        first_clear_after=first + dt.timedelta(days=length),
        detected_on=first + dt.timedelta(days=length + 20),
        recovered_on=None,
        area_m2=area,
        area_low_m2=area,
        area_high_m2=area,
        magnitude=-0.3,
        probability=0.9,
        indices=("ndvi",),
        pixels=(0,),
        reasons=(),
    )
    return Hit(
        parcel_id=parcel,
        rule="stand_loss",
        severity="low",
        event=event,
        sensors=("sentinel-2",),
        evidence={},
        reasons=(),
    )


@st.composite
def separate_hits(draw: st.DrawFn) -> list[Hit]:
    """Hits of a few parcels; those of one parcel do not overlap in time."""
    hits = []
    for parcel in draw(st.lists(st.sampled_from("ABC"), unique=True)):
        start = 0
        for _ in range(draw(st.integers(1, 3))):
            start += draw(st.integers(1, 200))
            length = draw(st.integers(1, 100))
            hits.append(hit(parcel, start, length, draw(st.floats(1000, 1e5))))
            start += length
    return hits


@given(hits=separate_hits(), data=st.data())
def test_order_of_hits_does_not_matter(hits: list[Hit], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(hits))
    assert raise_alerts(hits) == raise_alerts(mixed)
    assert len(raise_alerts(hits)) == len(hits) == len({a.alert_id for a in raise_alerts(hits)})


@given(hits=separate_hits(), data=st.data())
def test_twice_is_once(hits: list[Hit], data: st.DataObject) -> None:
    once = raise_alerts(hits)
    again = raise_alerts(hits, data.draw(st.permutations(once)))
    assert again == once


@given(hits=separate_hits(), cut=st.integers(0, 10))
def test_hits_that_come_one_run_after_another_give_the_same_alerts(hits: list[Hit], cut: int) -> None:
    early = raise_alerts(hits[:cut])
    assert raise_alerts(hits, early) == raise_alerts(hits)


@given(start=st.integers(0, 300), length=st.integers(2, 100), before=st.integers(0, 99), after=st.integers(1, 200))
def test_a_sharper_or_shifted_interval_keeps_the_alert(start: int, length: int, before: int, after: int) -> None:
    assume(before < length)
    first = raise_alerts([hit("A", start, length, 2000)])
    second = raise_alerts([hit("A", start + before, after, 3000)], first)
    assert [a.alert_id for a in second] == [a.alert_id for a in first]
    assert second[0].area_m2 == 3000
    assert second[0].detected_on <= first[0].detected_on


@st.composite
def states(draw: st.DrawFn) -> list[Hit]:
    """Early and confirmed states of things of one parcel."""
    found = []
    for _ in range(draw(st.integers(1, 6))):
        one = hit("A", draw(st.integers(0, 300)), draw(st.integers(1, 60)), 2000)
        ended = draw(st.none() | st.integers(1, 200))
        if ended is not None:
            one = replace(one, event=replace(one.event, recovered_on=one.event.detected_on + dt.timedelta(days=ended)))
        early = draw(st.booleans())
        found.append(replace(one, rule="works", leads_to=("start",)) if early else replace(one, rule="start"))
    return found


@given(hits=states(), cut=st.integers(0, 400), data=st.data())
def test_one_thing_is_one_alert_whose_id_is_that_of_the_day_it_was_first_said(
    hits: list[Hit], cut: int, data: st.DataObject
) -> None:
    day = dt.date(2019, 1, 1) + dt.timedelta(days=cut)
    then = raise_alerts([one for one in hits if one.event.detected_on <= day])
    now = raise_alerts(hits)
    assert {alert.alert_id for alert in then} <= {alert.alert_id for alert in now}
    assert now == raise_alerts(data.draw(st.permutations(hits)))
    # A run that knows the alerts of an earlier day ends with the same ones.
    assert {a.alert_id: a.rule for a in raise_alerts(hits, then)} == {a.alert_id: a.rule for a in now}


def test_overlapping_hits_of_a_parcel_stay_two_alerts() -> None:
    hits = [hit("A", 0, 240, 15000), hit("A", 0, 365, 4000)]
    once = raise_alerts(hits)
    assert {a.area_m2 for a in raise_alerts(hits, once)} == {15000, 4000}
