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
RADAR_WORDS = frozenset(
    {"asc", "backscatter", "beta", "db", "desc", "gamma", "grd", "mean", "median", "rtc", "s", "sigma"}
)
"""What a name of backscatter may say beside its polarisation; ``coherence_vv`` or ``vh_vv_ratio`` is something else."""
NORMALISED = frozenset(
    {"evi", "gndvi", "kndvi", "mndwi", "msavi", "nbr", "ndbi", "ndmi", "ndre", "ndsi", "ndvi", "ndwi", "savi"}
)
"""Indices that cannot lie beyond -1..1 again and again at one and the same value."""
WIDE = 3.0
"""Indices lie within about -1..1; where most values are as far off as this, the scale is another."""
FILL = 100.0
"""No index has such a value: it stands for "no data"."""
LOUD = 60.0
"""No backscatter is this far from 0 dB; what is, was scaled [dB]."""
MANY = 50_000
"""Values that are looked at for their scale; more would cost time that monitoring itself needs."""
ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
WHOLE_DATES = frozenset({"D", "h", "m", "s", "ms", "us", "ns"})
"""Units of times that name a day; a year or a month does not."""


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

    So says ``attrs["units"]`` or the name (``vh_db``); without either, a polarisation of which most values are negative
    can be nothing else.
    """
    units = series.attrs.get("units")
    if units is not None:
        return str(units).strip().lower() in DECIBEL
    return is_backscatter(series) and ("db" in _words(series) or _median(series) < 0)


def is_backscatter(series: xr.DataArray) -> bool:
    """Whether a series is named after one polarisation: ``vh``, ``gamma0_VH``, ``VV_dB`` ..."""
    words = _words(series)
    return len(words & POLARISATIONS) == 1 and words <= POLARISATIONS | RADAR_WORDS


def _words(series: xr.DataArray) -> set[str]:
    return set(re.findall("[a-z]+", str(series.name).lower()))


def require_scale(series: xr.DataArray) -> None:
    """Refuse values that default parameters do not fit: thresholds of an index within -1..1 would call all a change.

    Raises
    ------
    InvalidInput
        Scaled integers, percent, dB without its unit or scaled, backscatter as power, values that stand for "no data".
    """
    said, units = f"series {series.name!r}", series.attrs.get("units")
    some = _some(series)
    if not some.size:
        return
    middle = float(np.median(some))
    if is_decibel(series):
        if abs(middle) > LOUD:
            raise InvalidInput(
                f"{said} must be backscatter in dB, got values with a median of {middle:.4g}: divide by its scale (100)"
            )
        if some.min() > 0 and middle < 1:
            raise InvalidInput(
                f"{said} is said to be in dB, got values from {some.min():.3g} with a median of {middle:.3g}, as power "
                "has: give 10 * log10(power), or another unit and params for power"
            )
        return
    if is_backscatter(series):
        raise InvalidInput(
            f"{said} is backscatter but not in dB (units {units!r}, median {middle:.3g}): "
            "give 10 * log10(power) with attrs['units'] = 'dB', or params for power"
        )
    size = np.abs(some)
    if np.median(size) > WIDE:
        raise InvalidInput(
            f"{said} must be an index within about -1..1, got values of a median size of {np.median(size):.4g}: divide "
            "by its scale (10000, 100 ...), or say attrs['units'] = 'dB' of backscatter, or give params in its own unit"
        )
    if size.max() >= FILL:
        raise InvalidInput(
            f"{said} must be an index within about -1..1, got {int((size >= FILL).sum())} values of a "
            f"size up to {size.max():.4g}: set fill values to NaN"
        )
    if _words(series) & NORMALISED:
        value, count = np.unique(some[size > 1], return_counts=True)
        if count.size and count.max() >= max(3, 0.01 * some.size):
            raise InvalidInput(
                f"{said} must be an index within about -1..1, got {count.max()} times the value "
                f"{value[count.argmax()]:.4g}: set fill values to NaN"
            )


def require_no_fill(series: xr.DataArray, found: xr.Dataset) -> None:
    """Refuse series whose season lies where no index does: the scale is looked at on some values, not on all.

    Raises
    ------
    InvalidInput
        Values that stand for "no data" throughout a series.
    """
    if is_decibel(series):
        return
    far = np.fmax(np.abs(found["season_max"].values), np.abs(found["season_min"].values)) >= FILL
    if far.any():
        raise InvalidInput(
            f"series {series.name!r} must be an index within about -1..1, got {int(far.sum())} series far beyond it: "
            "set fill values to NaN"
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
    if isinstance(day, xr.DataArray | np.ndarray) and day.ndim == 0 and day.dtype.kind == "M":
        day = np.datetime64(np.asarray(day)[()])  # one of the times of a series
    if isinstance(day, np.datetime64) and np.datetime_data(day)[0] not in WHOLE_DATES:
        day = str(day)  # refused as such
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
        Times that are not dates, or missing; days before 1970; two looks of one day.
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
    if (days < 0).any():
        raise InvalidInput(f"series must begin in 1970 or later, before which no satellite looked; got {dates.min()}")
    order = np.argsort(days, kind="stable")
    again = np.flatnonzero(np.diff(days[order]) == 0)
    if len(again):
        twice = np.datetime64(int(days[order][again[0]]), "D")
        raise InvalidInput(
            f"series has more than one value for {twice}: fuse the looks of a day first, for instance by "
            "series.groupby(series['time'].dt.floor('D')).mean().rename(floor='time')"
        )
    return days, order


def _dates_of_objects(given: pd.Index) -> NDArray[np.datetime64]:
    """Days of dates, of times with zones, of cftime and of ISO texts: whatever says year, month and day."""
    found = np.empty(len(given), "datetime64[D]")
    for n, one in enumerate(given):
        if isinstance(one, str) and ISO_DAY.fullmatch(one.strip()):
            one = _moment(one)
        moment = one.astimezone(dt.UTC) if isinstance(one, dt.datetime) and one.tzinfo is not None else one
        try:
            found[n] = np.datetime64(f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}", "D")
        except (AttributeError, TypeError, ValueError) as exc:
            raise InvalidInput(
                f"series must have a 'time' coordinate of datetime64 values, got {one!r} ({type(one).__name__}): "
                "convert with pandas.to_datetime"
            ) from exc
    return found


def _moment(text: str) -> object:
    try:
        return pd.Timestamp(text.strip()).to_pydatetime()
    except ValueError:
        return text
