"""Stages and seasons in the report and as files."""

from __future__ import annotations

import io

import pandas as pd
import pyarrow.parquet as pq

from geocollateral.exports import render
from geocollateral.exports.stages import draw_stages
from geocollateral.exports.tables import rows_parquet

ROWS = [
    {"date": "2023-01-01", "vegetated": 1.0, "cleared": 0.0, "building": 0.0, "built": 0.0, "water": 0.0},
    {"date": "2023-07-02", "vegetated": 0.2, "cleared": 0.8, "building": 0.0, "built": 0.0, "water": 0.0},
    {"date": "2024-01-01", "vegetated": 0.1, "cleared": 0.2, "building": 0.3, "built": 0.4, "water": 0.0},
]


def test_bands_lie_on_each_other_and_fill_what_is_told() -> None:
    chart = draw_stages(ROWS)
    assert chart is not None
    assert [name for name, _ in chart.bands] == ["built", "building", "cleared", "vegetated"]
    # built: nothing on the first dates, 40 % of the height from the bottom on the last (y grows downwards)
    assert chart.bands[0][1] == "M0 1000L499 1000L1000 600L1000 1000L499 1000L0 1000Z"
    assert chart.bands[-1][1].startswith("M0 0L499 0L1000 0L")
    assert chart.latest[0] == ("built", 0.4)


def test_one_date_or_unknown_shares_make_no_chart() -> None:
    assert draw_stages(ROWS[:1]) is None
    assert draw_stages([]) is None
    assert draw_stages([ROWS[0], {**ROWS[1], "vegetated": None}]) is None


def test_tables_are_files_and_parts_of_the_report(build_assessment) -> None:  # type: ignore[no-untyped-def]
    built = build_assessment()
    parcel_id = built.parcels.index[built.parcels["meta_status"] == "ok"][0]
    stages = pd.DataFrame([{"parcel_id": parcel_id, **row} for row in ROWS])
    season = {
        "crop": "winter crop",
        "emerged": "2022-11-03",
        "harvested": "2023-06-12",
        "peak_ndvi": 0.81,
        "note": None,
    }
    seasons = pd.DataFrame([{"parcel_id": parcel_id, **season}])
    files = render(build_assessment(tables={"stages": stages, "seasons": seasons}))
    kept = pq.read_table(io.BytesIO(files["tables/seasons.parquet"])).to_pylist()
    assert kept == [{"parcel_id": parcel_id, **season}]
    page = files["report.html"].decode()
    assert page.count('class="stage built"') == 2  # the band and its key
    assert "12\u00a0Jun\u00a02023" in page
    assert "Winter crop" in page


def test_numbers_that_are_not_known_are_nulls() -> None:
    table = pq.read_table(io.BytesIO(rows_parquet(pd.DataFrame({"parcel_id": ["a", "b"], "x": [1.5, None]}))))
    assert table.column("x").to_pylist() == [1.5, None]
