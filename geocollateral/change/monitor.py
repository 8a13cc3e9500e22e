"""One function for every series: ``monitor(series, history_end)``."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from geocollateral.change.seasonal import SeasonalParams, SeasonalResult, monitor_seasonal
from geocollateral.errors import InvalidInput
from geocollateral.registry import Registry
from geocollateral.types import CHANGE_STATUSES, Params


@dataclass(frozen=True)
class Method:
    """A change method: what runs, and the class of its parameters."""

    run: Callable[[NDArray[np.float64], NDArray[np.float64], float | None, Any], SeasonalResult]
    """Takes values (time, series), days, the last day of the history and the parameters."""
    params: type[Params]


METHODS: Registry[Method] = Registry("change method")
METHODS.register("seasonal")(Method(monitor_seasonal, SeasonalParams))

NORMALISED_DIFFERENCE: Mapping[str, float] = {
    "amplitude_prior": 0.25,
    "noise_floor": 0.03,
    "min_magnitude": 0.12,
}
"""Defaults for optical indices within -1..1 [1]."""

BACKSCATTER_DB: Mapping[str, float] = {
    "amplitude_prior": 2.0,
    "noise_floor": 0.8,
    "min_magnitude": 2.0,
}
"""Defaults for backscatter in dB [dB]: the noise is speckle of a single pixel or a small parcel."""


def default_params(series: xr.DataArray, method: str = "seasonal") -> Params:
    """Parameters that fit the unit of a series: ``attrs["units"] == "dB"`` for backscatter, else an index in -1..1."""
    unit = BACKSCATTER_DB if series.attrs.get("units") == "dB" else NORMALISED_DIFFERENCE
    known = METHODS[method].params
    return known(**{name: value for name, value in unit.items() if name in known.model_fields})


def monitor(
    series: xr.DataArray,
    history_end: str | dt.date | np.datetime64 | pd.Timestamp | None,
    method: str = "seasonal",
    params: Params | None = None,
) -> xr.Dataset:
    """Find the first lasting change of each series after its history.

    Looks are taken in order of time, whatever order they come in; the result at any time depends on earlier looks only.

    Parameters
    ----------
    series
        First dimension ``time`` (datetime64, any order, two values for a day refused); any further dimensions (pixels
        or parcels). Named after its index (``ndvi``, ``nbr``, ``vh`` ...); backscatter in dB says
        ``attrs["units"] = "dB"``. NaN = no observation.
    history_end
        Last day of the history the baseline is fitted on, or None: each series' shortest beginning that is long enough.
    method
        A name of `METHODS`.
    params
        Parameters of the method; by default those of `default_params`.

    Returns
    -------
    On the dimensions of ``series`` without time: ``status`` (int8, ``flag_values`` / ``flag_meanings``), ``break_date``
    (first look that showed the change; of a suspicion, the first suspicious look), ``last_clear_before``,
    ``detected_on`` (NaT until confirmed), ``recovered_on``, ``magnitude`` [unit of the series; NaN without suspicion],
    ``probability`` (0-1; NaN where it cannot be told), ``n_looks``, ``n_informative``, ``first_informative``,
    ``last_informative`` (looks after the history on which a change would have shown),
    ``season_max`` and ``season_min`` (range of the baseline on the looks of its history); with time: ``expected`` and
    ``spread`` (the baseline as known before each look, NaN where there is none) and ``informative`` (whether a change
    would have shown on that day).

    Raises
    ------
    InvalidInput
        No ``time`` dimension in front, times that are not dates, two values for one day, an unknown method.
    """
    days, order = _days(series)
    chosen = params if params is not None else default_params(series, method)
    wanted = METHODS[method].params
    if not isinstance(chosen, wanted):
        raise InvalidInput(f"params for method {method!r} must be {wanted.__name__}, got {type(chosen).__name__}")
    values = series.values.reshape(len(days), math.prod(series.shape[1:]))[order].astype(np.float64)
    values[~np.isfinite(values)] = np.nan
    end = (
        None
        if history_end is None
        else float(pd.Timestamp(history_end).to_datetime64().astype("datetime64[D]").astype(int))
    )
    found = METHODS[method].run(values, days[order], end, chosen)
    return _as_dataset(found, series, days[order], order, method)


def _days(series: xr.DataArray) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    if series.dims[:1] != ("time",):
        raise InvalidInput(f"series must have 'time' as its first dimension, got {series.dims}")
    if "time" not in series.coords or not np.issubdtype(series["time"].dtype, np.datetime64):
        raise InvalidInput("series must have a 'time' coordinate of datetime64 values")
    days = series["time"].values.astype("datetime64[D]").astype(np.float64)
    if len(np.unique(days)) != len(days):
        repeated = pd.Index(series["time"].values).floor("D")
        raise InvalidInput(
            f"series has more than one value for {repeated[repeated.duplicated()][0].date()}: "
            "fuse the looks of a day first"
        )
    return days, np.argsort(days, kind="stable")


def _as_dataset(
    found: SeasonalResult, series: xr.DataArray, days: NDArray[np.float64], order: NDArray[np.intp], method: str
) -> xr.Dataset:
    space, shape = series.dims[1:], series.shape[1:]
    dates = days.astype("datetime64[D]").astype("datetime64[ns]")

    def plain(values: NDArray[Any]) -> tuple[tuple[Any, ...], NDArray[Any]]:
        return space, values.reshape(shape)

    def date(positions: NDArray[np.int32]) -> tuple[tuple[Any, ...], NDArray[Any]]:
        if not len(dates):
            return plain(np.full(positions.shape, np.datetime64("NaT", "ns")))
        return plain(np.where(positions >= 0, dates[positions], np.datetime64("NaT", "ns")))

    def along_time(values: NDArray[Any]) -> tuple[tuple[Any, ...], NDArray[Any]]:
        given = np.empty_like(values)
        given[order] = values  # back to the order of time in which the series came
        return series.dims, given.reshape(series.shape)

    out = xr.Dataset(
        {
            "status": plain(found.status),
            "break_date": date(found.break_at),
            "last_clear_before": date(found.last_before),
            "detected_on": date(found.detected_at),
            "recovered_on": date(found.recovered_at),
            "magnitude": plain(found.magnitude),
            "probability": plain(found.probability),
            "n_looks": plain(found.n_looks),
            "n_informative": plain(found.n_informative),
            "first_informative": date(found.first_informative),
            "last_informative": date(found.last_informative),
            "season_max": plain(found.season_max),
            "season_min": plain(found.season_min),
            "expected": along_time(found.expected),
            "spread": along_time(found.spread),
            "informative": along_time(found.informative),
        },
        coords={name: value for name, value in series.coords.items() if set(value.dims) <= set(series.dims)},
        attrs={"index": str(series.name or ""), "method": method},
    )
    out["status"].attrs.update(
        flag_values=np.arange(len(CHANGE_STATUSES), dtype=np.int8), flag_meanings=" ".join(CHANGE_STATUSES)
    )
    return out
