"""What callers of the monitor give, checked: series, their times and values, the end of a history.

What can be understood in one way only is understood (days of any calendar that says year, month and day; an index that
is stored as objects); what could be meant in two ways, or would give figures that look right and are not, is refused.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from geocollateral.errors import InvalidInput

Day = str | dt.date | np.datetime64 | pd.Timestamp | None

DECIBEL = frozenset({"db", "decibel", "decibels"})
POLARISATIONS = frozenset({"vv", "vh", "hh", "hv"})
WIDE = 3.0
"""Indices lie within about -1..1; where most values are as far off as this, the scale is another."""
FILL = 100.0
"""No index has such a value: it stands for "no data"."""
MANY = 50_000
"""Values that are looked at for their scale; more would cost time that monitoring itself needs."""
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")


def require_series(series: object) -> xr.DataArray:
    """The series, if it is a DataArray of real numbers with ``time`` in front and no time missing.

    Raises
    ------
    InvalidInput
        With what was expected, what was received and what to do.
    """
    if not isinstance(series, xr.DataArray):
        hint = "give one of its variables" if isinstance(series, xr.Dataset) else "build one with a 'time' coordinate"
        raise InvalidInput(f"series must be an xarray.DataArray, got {type(series).__name__}: {hint}")
    if series.dims[:1] != ("time",):
        raise InvalidInput(
            f"series must have 'time' as its first dimension, got {series.dims}: "
            "transpose it with series.transpose('time', ...)"
        )
    if series.chunks is not None:
        series = series.compute()  # once: it is read more than once
    if series.dtype == object:
        try:
            return series.astype(np.float64)
        except (TypeError, ValueError) as exc:
            raise InvalidInput(f"series must hold numbers, got objects: {exc}") from exc
    if series.dtype.kind not in "fiub":
        raise InvalidInput(f"series must hold real numbers, NaN = no observation; got dtype {series.dtype}")
    return series


def is_decibel(series: xr.DataArray) -> bool:
    """Whether a series is backscatter in dB.

    So says ``attrs["units"]``; without it, a polarisation of which most values are negative can be nothing else.
    """
    units = series.attrs.get("units")
    if units is not None:
        return str(units).strip().lower() in DECIBEL
    return str(series.name).lower() in POLARISATIONS and _median(series) < 0


def require_scale(series: xr.DataArray) -> None:
    """Refuse values that default parameters do not fit: thresholds of an index within -1..1 would call all a change.

    Raises
    ------
    InvalidInput
        Scaled integers, percent, dB without its unit, backscatter as power, values that stand for "no data".
    """
    if is_decibel(series):
        return
    said = f"series {series.name!r}"
    if str(series.name).lower() in POLARISATIONS:
        raise InvalidInput(
            f"{said} is backscatter but not in dB (units {series.attrs.get('units')!r}, median {_median(series):.3g}): "
            "give 10 * log10(power) with attrs['units'] = 'dB', or params for power"
        )
    finite = np.abs(_some(series))
    if not finite.size:
        return
    middle = float(np.median(finite))
    if middle > WIDE:
        raise InvalidInput(
            f"{said} must be an index within about -1..1, got values of a median size of {middle:.4g}: divide by its "
            "scale (10000, 100 ...), or say attrs['units'] = 'dB' of backscatter, or give params in its own unit"
        )
    if finite.max() >= FILL:
        raise InvalidInput(
            f"{said} must be an index within about -1..1, got {int((finite >= FILL).sum())} values of a size up to "
            f"{finite.max():.4g}: set fill values to NaN"
        )


def _median(series: xr.DataArray) -> float:
    finite = _some(series)
    return float(np.median(finite)) if finite.size else np.nan


def _some(series: xr.DataArray) -> NDArray[np.float64]:
    """Finite values of all series, or, where they are many, of some spread over them: the scale shows on any."""
    flat = series.values.reshape(len(series), math.prod(series.shape[1:]))
    values = flat[:, :: max(1, flat.size // MANY)]
    found: NDArray[np.float64] = values[np.isfinite(values)].astype(np.float64)
    return found


def day_number(day: Any) -> int | None:
    """Days since 1970-01-01 of the last day of a history, None for None; a time with a zone counts in UTC.

    Raises
    ------
    InvalidInput
        Anything but a whole date: a bare year, a number, a date whose day and month could be exchanged.
    """
    if day is None:
        return None
    known = isinstance(day, dt.date | np.datetime64) or (isinstance(day, str) and ISO_DAY.fullmatch(day.strip()))
    try:
        stamp = pd.Timestamp(day) if known else pd.NaT
    except ValueError:
        stamp = pd.NaT
    if stamp is pd.NaT:
        raise InvalidInput(
            f"history_end must be a date or None, got {day!r}: give 'YYYY-MM-DD', datetime.date, np.datetime64 or "
            "pd.Timestamp, or None for the shortest history that is long enough"
        )
    return int(stamp.to_datetime64().astype("datetime64[D]").astype(int))


def days_of(series: xr.DataArray) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Days since 1970-01-01 of the looks, and their order in time. Times with a zone count in UTC.

    Raises
    ------
    InvalidInput
        Times that are not dates, or missing; two looks of one day.
    """
    if "time" not in series.coords:
        raise InvalidInput(
            "series must have a 'time' coordinate of datetime64 values, got none: assign_coords(time=...)"
        )
    given = pd.Index(series["time"].variable.to_index())
    if isinstance(given, pd.DatetimeIndex):
        stamps = given.tz_convert("UTC").tz_localize(None) if given.tz is not None else given
        dates = stamps.to_numpy().astype("datetime64[D]")
    else:
        dates = _dates_of_objects(given)
    if np.isnat(dates).any():
        raise InvalidInput(f"series has {int(np.isnat(dates).sum())} looks without a time (NaT): drop them")
    days = dates.astype(np.int32)
    order = np.argsort(days, kind="stable")
    again = np.flatnonzero(np.diff(days[order]) == 0)
    if len(again):
        twice = np.datetime64(int(days[order][again[0]]), "D")
        raise InvalidInput(f"series has more than one value for {twice}: fuse the looks of a day first")
    return days, order


def _dates_of_objects(given: pd.Index) -> NDArray[np.datetime64]:
    """Days of dates, of times with zones, and of cftime: whatever says year, month and day."""
    found = np.empty(len(given), "datetime64[D]")
    for n, one in enumerate(given):
        moment = one.astimezone(dt.UTC) if isinstance(one, dt.datetime) and one.tzinfo is not None else one
        try:
            found[n] = np.datetime64(f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}", "D")
        except (AttributeError, TypeError, ValueError) as exc:
            raise InvalidInput(
                f"series must have a 'time' coordinate of datetime64 values, got {one!r} ({type(one).__name__}): "
                "convert with pandas.to_datetime"
            ) from exc
    return found
