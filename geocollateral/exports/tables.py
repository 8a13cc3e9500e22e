"""Alerts, scenes, series and changes as files for other programs."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from geocollateral.errors import BrokenData
from geocollateral.exports.json_values import json_value, to_json
from geocollateral.types import CHANGE_COLUMNS, NOT_A_VALUATION, SERIES_COLUMNS, Alert

SEVERITIES = ("high", "medium", "low")

_TIME = pa.timestamp("us")
_ARROW_TYPES: Mapping[str, pa.DataType] = {
    "parcel_id": pa.string(),
    "index": pa.string(),
    "level": pa.string(),
    "sensor": pa.string(),
    "scene_id": pa.string(),
    "status": pa.string(),
    "reason": pa.string(),
    "sensors": pa.list_(pa.string()),
    "time": _TIME,
    "break_date": _TIME,
    "last_clear_before": _TIME,
    "first_clear_after": _TIME,
    "detected_on": _TIME,
    "recovered_on": _TIME,
    "n_pixels": pa.int64(),
    "n_looks": pa.int64(),
}
"""Column types; a column not named here is float64."""


def alerts_json(alerts: Sequence[Alert]) -> bytes:
    """The alerts, most severe first, then by parcel, date and id."""
    return to_json([_alert(alert) for alert in sort_alerts(alerts)])


def scenes_json(scenes: Mapping[str, Any]) -> bytes:
    """Every scene found and its status per band."""
    return to_json(scenes)


def series_parquet(series: pd.DataFrame) -> bytes:
    """Statistics of every clear look, by parcel, index, time, sensor and scene."""
    return _parquet(series, SERIES_COLUMNS, ("parcel_id", "index", "time", "sensor", "scene_id"))


def changes_parquet(changes: pd.DataFrame) -> bytes:
    """What the change methods found, by parcel, index and break; a row without a break has none."""
    return _parquet(changes, CHANGE_COLUMNS, ("parcel_id", "level", "index", "break_date", "detected_on"))


def rows_parquet(rows: pd.DataFrame) -> bytes:
    """A table of an asset class, such as its crop seasons: ``parcel_id`` and its own columns, in the order given.

    The file says that it is no valuation. Dates stay ISO text; numbers are float64 and NaN where not known, texts null.
    """
    types = {name: pa.float64() if _is_number(rows[name]) else pa.string() for name in map(str, rows.columns)}
    arrow = pa.table({name: _cell(rows[name], arrow_type) for name, arrow_type in types.items()})
    arrow = arrow.replace_schema_metadata({"disclaimer": NOT_A_VALUATION})
    sink = io.BytesIO()
    pq.write_table(arrow, sink, compression="zstd", version="2.6")
    return sink.getvalue()


def _is_number(values: pd.Series[Any]) -> bool:
    if pd.api.types.is_float_dtype(values):
        return True
    return all(v is None or isinstance(v, (int, float)) for v in values) and not values.isna().all()


def _cell(values: pd.Series[Any], arrow_type: pa.DataType) -> pa.Array:
    plain = [None if v is None or v != v else v for v in values]
    return pa.array([str(v) if v is not None and arrow_type == pa.string() else v for v in plain], type=arrow_type)


def sort_alerts(alerts: Sequence[Alert]) -> list[Alert]:
    """Most severe first, then by parcel, date and id."""
    return sorted(alerts, key=lambda a: (SEVERITIES.index(a.severity), a.parcel_id, a.break_date, a.alert_id))


def _alert(alert: Alert) -> dict[str, Any]:
    """The alert in the order of its fields: that of the public contract."""
    return {name: json_value(getattr(alert, name)) for name in Alert.__dataclass_fields__}


def _parquet(table: pd.DataFrame, columns: Sequence[str], key: Sequence[str]) -> bytes:
    """Bytes that depend on the rows alone: fixed columns and types, sorted, no index, no trace of pandas."""
    if lacking := [name for name in columns if name not in table.columns]:
        raise BrokenData(f"table lacks columns {lacking}; it has {list(table.columns)}")
    ordered = table.sort_values(list(key), kind="stable", na_position="last")
    arrow = pa.table({name: _column(ordered[name], name) for name in columns})
    sink = io.BytesIO()
    pq.write_table(arrow, sink, compression="zstd", version="2.6")
    return sink.getvalue()


def _column(values: pd.Series[Any], name: str) -> pa.Array:
    arrow_type = _ARROW_TYPES.get(name, pa.float64())
    if arrow_type == _TIME:
        times = pd.to_datetime(values, utc=True).dt.tz_localize(None)
        return pa.array(times.astype("datetime64[us]"), type=arrow_type, from_pandas=True)
    if arrow_type == pa.list_(pa.string()):
        return pa.array([_names(value) for value in values], type=arrow_type)
    if arrow_type == pa.string():
        return pa.array([None if value is None or value != value else str(value) for value in values], type=arrow_type)
    return pa.array(values.astype("float64").to_numpy(), from_pandas=True).cast(arrow_type)


def _names(value: Any) -> list[str] | None:
    """Names in a cell, however the stage kept them: a sequence, or one string with commas."""
    if value is None or isinstance(value, (float, dt.date)):
        return None
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [str(part) for part in value]
