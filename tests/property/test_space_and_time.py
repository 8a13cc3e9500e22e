"""Instants in every zone of the world, and boxes on a sphere whose longitudes meet."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import numpy as np
import pyproj
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geocollateral.errors import BrokenData
from geocollateral.sources.bounds import footprint_boxes, meet, split_bounds
from geocollateral.sources.catalogue.instants import (
    MARGIN,
    interval_text,
    is_within,
    parse_instant,
    search_interval,
    sensing_instant,
)
from geocollateral.types import Period

ZONES = sorted(zoneinfo.available_timezones())
FIRST, LAST = dt.datetime(2014, 1, 1), dt.datetime(2035, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(dt.UTC))


@given(INSTANTS, st.sampled_from(ZONES))
def test_t41_an_instant_is_the_same_in_every_zone(instant: dt.datetime, zone: str) -> None:
    local = instant.astimezone(zoneinfo.ZoneInfo(zone))
    assert parse_instant(local.isoformat()) == instant
    assert sensing_instant({"datetime": local}) == instant
    assert sensing_instant({"datetime": None, "start_datetime": local.isoformat()}) == instant
    period = Period(start=instant.date(), end=instant.date())
    assert is_within(local, period)


@given(INSTANTS)
def test_t41_an_instant_without_a_zone_is_utc(instant: dt.datetime) -> None:
    naive = instant.replace(tzinfo=None)
    assert parse_instant(naive.isoformat()) == parse_instant(f"{naive.isoformat()}Z") == instant
    assert sensing_instant({"datetime": naive}).utcoffset() == dt.timedelta(0)


def test_t41_nothing_is_made_of_what_is_no_date_time() -> None:
    for text in ("", "yesterday", "2023-13-01T00:00:00Z"):
        with pytest.raises(BrokenData):
            sensing_instant({"datetime": text})


@given(INSTANTS, st.integers(0, 400))
def test_searches_ask_for_a_day_more_on_both_sides(instant: dt.datetime, days: int) -> None:
    period = Period(start=instant.date(), end=instant.date() + dt.timedelta(days=days))
    start, end = search_interval(period)
    assert start is not None
    assert end is not None
    assert start.date() == period.start - MARGIN  # type: ignore[operator]
    assert end.date() == period.end + MARGIN
    assert interval_text(period) == f"{start:%Y-%m-%dT%H:%M:%SZ}/{end:%Y-%m-%dT%H:%M:%SZ}"


def test_open_periods() -> None:
    assert interval_text(Period(start=None, end=dt.date.max)) is None
    assert interval_text(Period(start=None, end=dt.date(2020, 1, 1))) == "../2020-01-02T23:59:59Z"
    assert str(interval_text(Period(start=dt.date(2020, 1, 1), end=dt.date.max))).endswith("/..")


# ---- boxes

LONS = st.floats(-180, 180).map(lambda v: round(v, 4))
LATS = st.floats(-80, 80).map(lambda v: round(v, 4))


@given(LONS, st.floats(0.001, 20), LATS, st.floats(0.001, 5))
def test_t21_bounds_across_180_degrees_are_two_boxes_that_add_up(
    west: float, width: float, south: float, height: float
) -> None:
    east = west + width if west + width <= 180 else west + width - 360
    boxes = split_bounds((west, south, east, south + height))
    assert sum(e - w for w, _, e, _ in boxes) == pytest.approx(width)
    assert all(-180 <= w <= e <= 180 for w, _, e, _ in boxes)
    assert len(boxes) == (1 if west + width <= 180 else 2)


@given(st.integers(1, 60), st.floats(0.2, 0.8), st.floats(-75, 75))
def test_t16_t21_the_ground_of_a_frame_holds_every_pixel_of_it(zone: int, across: float, lat: float) -> None:
    code = f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"
    to = pyproj.Transformer.from_crs("EPSG:4326", code, always_xy=True)
    x, y = to.transform(-186 + 6 * zone + 6 * across, lat)
    boxes = footprint_boxes(code, (10, 0, x - 54_900, 0, -10, y + 54_900), (10_980, 10_980))
    back = pyproj.Transformer.from_crs(code, "EPSG:4326", always_xy=True)
    rng = np.random.default_rng(zone)
    for px, py in zip(x + rng.uniform(-54_000, 54_000, 20), y + rng.uniform(-54_000, 54_000, 20), strict=True):
        lon, la = back.transform(px, py)
        assert meet(boxes, ((lon, la, lon, la),))
    assert sum(e - w for w, _, e, _ in boxes) < 360 / 40_075 * 115 / np.cos(np.radians(min(abs(lat) + 1, 89))) * 1.5
