"""Which looks of a parcel make its pictures."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest

from geocollateral import pictures
from geocollateral.types import Event, Judgement


def _series(rows: list[tuple[str, str, float]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["index", "time", "valid_fraction"])
    return table.assign(parcel_id="p", sensor="sentinel-2", time=pd.to_datetime(table["time"]))


def test_a_day_that_lacks_the_first_index_is_not_the_latest() -> None:
    """Rows come index by index: the day without NDVI stands behind all others."""
    series = _series([("ndvi", "2025-01-01", 1.0), ("ndvi", "2025-06-01", 1.0), ("nbr", "2025-03-01", 1.0)])
    looks = pictures._looks(series)["p"]
    assert list(looks.index) == [dt.date(2025, 1, 1), dt.date(2025, 3, 1), dt.date(2025, 6, 1)]
    judgement = cast(Judgement, SimpleNamespace(events=()))
    assert pictures._wanted(judgement, looks)[0][:2] == ("latest", dt.date(2025, 6, 1))


def test_the_land_before_a_plant_is_that_before_its_ground_works() -> None:
    days = [dt.date(2024, 1, 1), dt.date(2024, 5, 1), dt.date(2024, 5, 10), dt.date(2024, 8, 1)]
    looks = pd.Series(1.0, index=days)
    event: dict[str, Any] = {
        "last_clear_before": days[1],
        "first_clear_after": days[2],
        "detected_on": dt.date(2024, 7, 1),
    }
    for kind, before, after in (("pv_build", days[0], days[3]), ("stand_loss", days[1], days[2])):
        one = cast(Event, SimpleNamespace(kind=kind, area_m2=1.0, **event))
        wanted = pictures._wanted(cast(Judgement, SimpleNamespace(events=(one,))), looks)
        assert [(role, day) for role, day, _ in wanted] == [("before", before), ("after", after), ("latest", days[3])]


@pytest.mark.parametrize(
    ("classes", "white"), [(["forestry"], 0.16), (["construction"], 0.30), (["forestry", "solar"], 0.30)]
)
def test_open_ground_is_not_one_white_patch(classes: list[str], white: float) -> None:
    assert pictures.white_of(classes) == white
    grey = pictures.stretch(np.full((1, 1, 3), 0.25), white)
    assert (grey.max() < 255) == (white > 0.25)
