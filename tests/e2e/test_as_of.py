"""What was known at a date, replayed on the real sample: nothing is reported before it happened, nothing too late.

`benchmarks/accuracy.py sweep` replays every month and every look; here are the days on which something must, or must
not yet, be said.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from geocollateral import service
from geocollateral.types import Alert

pytestmark = pytest.mark.sample

CHANGES = {
    # parcel: (last day known to be before, first look known to be after, fourth look of a growing season after)
    "forest-road": ("2016-09-24", "2017-06-06", "2017-07-06"),
    "west-felling": ("2018-05-02", "2018-05-22", "2018-08-15"),
    "central-fellings": ("2018-09-19", "2019-06-16", "2019-07-06"),
    "east-fellings": ("2019-09-29", "2020-05-11", "2020-06-30"),
}
STABLE = {"south-west-stand", "west-stand", "ridge-stand", "south-stand"}
DAYS = sorted(
    {"2017-01-31", "2017-05-31", "2018-01-31", "2019-02-28", "2020-03-31", "2020-12-31"}
    | {day for _, seen, due in CHANGES.values() for day in (seen, due)}
)


@cache
def alerts_at(parcels: Path, day: str) -> tuple[Alert, ...]:
    """Alerts of the demo as known on a day."""
    return service.assess(parcels, source="sample:romania", as_of=day, with_pictures=False).alerts


@pytest.fixture
def parcels(root: Path) -> Path:
    return root / "aoi/demo/parcels.geojson"


@pytest.mark.parametrize("day", DAYS)
def test_nothing_is_reported_before_it_happened(parcels: Path, day: str) -> None:
    today = dt.date.fromisoformat(day)
    for alert in alerts_at(parcels, day):
        assert alert.parcel_id not in STABLE
        assert alert.last_clear_before < alert.break_date == alert.first_clear_after <= alert.detected_on <= today
    for parcel_id, (before, seen, _) in CHANGES.items():
        mine = [alert for alert in alerts_at(parcels, day) if alert.parcel_id == parcel_id]
        if day <= seen:
            assert not [alert for alert in mine if alert.break_date > dt.date.fromisoformat(before)]


@pytest.mark.parametrize("parcel_id", list(CHANGES))
def test_each_change_is_confirmed_at_the_fourth_look_of_a_growing_season(parcels: Path, parcel_id: str) -> None:
    before, seen, due = map(dt.date.fromisoformat, CHANGES[parcel_id])
    mine = [a for a in alerts_at(parcels, due.isoformat()) if a.parcel_id == parcel_id]
    assert [a for a in mine if a.last_clear_before < seen and before < a.first_clear_after]
    assert all(a.break_date > before for a in mine if a.detected_on > seen)


def test_what_was_known_is_not_taken_back(parcels: Path) -> None:
    """Every break reported at a day is still there at each later day, by an interval that overlaps."""
    said = [alerts_at(parcels, day) for day in DAYS]
    for earlier, later in pairwise(said):
        for alert in earlier:
            assert [
                a
                for a in later
                if a.parcel_id == alert.parcel_id
                and a.last_clear_before < alert.first_clear_after
                and alert.last_clear_before < a.first_clear_after
            ], alert
