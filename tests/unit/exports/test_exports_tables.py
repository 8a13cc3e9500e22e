"""`exports.tables`: alerts, scenes, series and changes."""

from __future__ import annotations

import dataclasses
import io
import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from geocollateral.errors import BrokenData
from geocollateral.exports.tables import alerts_json, changes_parquet, scenes_json, series_parquet
from geocollateral.types import CHANGE_COLUMNS, SERIES_COLUMNS

CONTRACT = [
    "alert_id",
    "parcel_id",
    "rule",
    "severity",
    "status",
    "break_date",
    "last_clear_before",
    "first_clear_after",
    "detected_on",
    "area_m2",
    "probability",
    "sensors",
    "evidence",
    "reasons",
]


def test_alerts_have_the_contract_fields_most_severe_first(assessment):
    alerts = json.loads(alerts_json(assessment.alerts))
    assert [list(alert) for alert in alerts] == [CONTRACT] * 3
    assert [alert["severity"] for alert in alerts] == ["high", "high", "medium"]
    assert alerts[0]["break_date"] == "2018-05-22"
    assert alerts[0]["evidence"]["missing"] is None
    assert alerts[0]["evidence"]["drop"] == 0.41


def test_order_of_alerts_does_not_matter(assessment):
    assert alerts_json(assessment.alerts) == alerts_json(assessment.alerts[::-1])


def test_an_unknown_probability_is_null(assessment):
    alert = dataclasses.replace(assessment.alerts[0], probability=float("nan"))
    assert json.loads(alerts_json([alert]))[0]["probability"] is None


def test_scenes_keep_their_shape(assessment):
    scenes = json.loads(scenes_json(assessment.scenes))["scenes"]
    assert len(scenes) == len(assessment.scenes["scenes"])
    assert scenes[0]["time"] == "2016-01-01"


def _table(content: bytes) -> pa.Table:
    return pq.read_table(io.BytesIO(content))


def test_series_columns_and_types(assessment):
    table = _table(series_parquet(assessment.series))
    assert tuple(table.column_names) == SERIES_COLUMNS
    assert table.schema.field("time").type == pa.timestamp("us")
    assert table.schema.field("mean").type == pa.float64()
    assert table.schema.metadata is None
    assert len(table) == len(assessment.series)


def test_changes_columns_and_types(assessment):
    table = _table(changes_parquet(assessment.changes))
    assert tuple(table.column_names) == CHANGE_COLUMNS
    assert table.schema.field("sensors").type == pa.list_(pa.string())
    rows = {row["parcel_id"]: row for row in table.to_pylist()}
    assert rows["RO-001"]["break_date"] is None
    assert rows["RO-001"]["area_m2"] is None
    assert rows["RO-004"]["break_date"] == pd.Timestamp("2018-05-22")
    assert rows["RO-004"]["sensors"] == ["Sentinel-2A"]


def test_order_of_rows_does_not_matter(assessment):
    shuffled = assessment.series.sample(frac=1, random_state=3)
    assert series_parquet(shuffled) == series_parquet(assessment.series)
    assert changes_parquet(assessment.changes[::-1]) == changes_parquet(assessment.changes)


@pytest.mark.parametrize("sensors", [["a", "b"], ("a", "b"), "a, b"])
def test_sensors_are_a_list_however_kept(assessment, sensors):
    changes = assessment.changes.iloc[:1].copy()
    changes["sensors"] = pd.Series([sensors], index=changes.index, dtype=object)
    assert _table(changes_parquet(changes))["sensors"].to_pylist() == [["a", "b"]]


def test_an_empty_table_keeps_its_columns():
    empty = pd.DataFrame({name: [] for name in SERIES_COLUMNS})
    table = _table(series_parquet(empty))
    assert tuple(table.column_names) == SERIES_COLUMNS
    assert len(table) == 0


def test_a_lacking_column_is_refused(assessment):
    with pytest.raises(BrokenData, match="valid_fraction"):
        series_parquet(assessment.series.drop(columns="valid_fraction"))
