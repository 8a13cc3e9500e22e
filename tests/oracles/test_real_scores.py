"""Figures of docs/accuracy.md on real series that must not get worse; the scoring is that of the benchmarks."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.realdata


@pytest.fixture(scope="module")
def real_series(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("real_series", root / "benchmarks" / "real_series.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["real_series"] = module
    spec.loader.exec_module(module)
    return module


def test_fire_in_chile_is_dated_from_the_metric_of_the_alert_product(real_series: ModuleType, realdata: Path) -> None:
    told = real_series.chile_fire(realdata / "s1_opera_dist" / "chile_fire_2024")
    assert told["burnt pixels dated 2024-02-02..2024-02-04"] > 0.9
    assert told["calm pixels dated"] < 0.01
    assert told["monitor with two looks of history says cannot tell"] == 1.0


def test_stable_radar_confirms_next_to_nothing(real_series: ModuleType, realdata: Path) -> None:
    folder = realdata / "s1_opera_dist" / "rtc_california"
    assert real_series.stable_radar(folder, 5, "2023-12-31")["confirmed"] == 0.0
    assert real_series.stable_radar(folder, 5, None)["confirmed"] < 0.005


def test_mowings_are_scored_within_ten_days(real_series: ModuleType, realdata: Path) -> None:
    folder = realdata / "farm_salms_mowing"
    _, true = real_series.meadows(folder)
    assert len(true) == 17
    days = {str(i): own["day"].to_numpy("datetime64[D]") for i, own in true.groupby("parcel_id")}
    looks, _ = real_series.meadows(folder)

    def oracle(own: pd.DataFrame) -> list[np.datetime64]:
        number = next(n for n, other in looks.items() if other.equals(own))
        return [day + np.timedelta64(3, "D") for day in days.get(str(number), [])]

    told = real_series.score_mowings(folder, oracle)
    assert (told.f1.value, told.mae.value, told.bias.value) == (1.0, 3.0, 3.0)
    assert real_series.score_mowings(folder, lambda own: []).recall.value == 0.0
    assert 0.3 < real_series.score_mowings(folder, real_series.plain_drops).f1.value < 0.6
