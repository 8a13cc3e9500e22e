"""Values of tables and records as JSON has them."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

SIGNIFICANT_DIGITS = 12
"""Enough for any figure we give, too few for the noise of summing in another order to show."""


def json_value(value: Any) -> Any:
    """A value as JSON has it: NaN, NaT, NA and infinities are null, dates ISO 8601, numbers plain."""
    if isinstance(value, Mapping):
        return {str(key): json_value(item) for key, item in value.items()}
    if isinstance(value, (str, bool, int)) or value is None:
        return value
    if isinstance(value, np.ndarray):
        return json_value(value.tolist())
    if isinstance(value, Iterable):
        return [json_value(item) for item in value]
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, (dt.datetime, np.datetime64)):
        return _iso(pd.Timestamp(value))
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    number = float(value)
    return float(f"{number:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(number) else None


def to_json(value: Any) -> bytes:
    """UTF-8 JSON of any record, readable by people too."""
    return json.dumps(json_value(value), ensure_ascii=False, indent=1, allow_nan=False).encode() + b"\n"


def _iso(time: pd.Timestamp) -> str | None:
    if pd.isna(time):
        return None
    return time.date().isoformat() if time == time.normalize() else time.isoformat()
