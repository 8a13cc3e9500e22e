"""Times without an optical look, put into what was seen: what is left is radar."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from geocollateral.change.evaluation import Truth
from geocollateral.observe import zonal
from geocollateral.observed import Observed

Window = tuple[dt.date, dt.date]
BLIND_DAYS = 60
"""How long optical looks are taken away [days]."""


def blind_windows(truth: Truth, looks: pd.DataFrame, days: int = BLIND_DAYS, seed: int = 0) -> dict[str, Window]:
    """A time of each parcel in which nothing optical is seen: from its first event on, or in its quiet years."""
    rng = np.random.default_rng(seed)
    first = truth.events.groupby("parcel_id")["start"].min()
    last = looks["day"].max()
    windows = {}
    for parcel_id, start in first.items():
        if start + pd.Timedelta(days=days) <= last:
            windows[str(parcel_id)] = (start.date(), (start + pd.Timedelta(days=days)).date())
    quiet = truth.quiet_years[~truth.quiet_years["parcel_id"].isin(list(first.index))]
    for parcel_id, years in quiet.groupby("parcel_id"):
        year = years.iloc[int(rng.integers(len(years)))]
        start = year["start"] + pd.Timedelta(days=int(rng.integers(365 - days)))
        windows[str(parcel_id)] = (start.date(), (start + pd.Timedelta(days=days)).date())
    return windows


def blind(seen: Observed, windows: Mapping[str, Window]) -> Observed:
    """The same looks without what optical sensors saw of each parcel within its window, both days included."""
    if seen.optical is None or seen.found is None:
        return seen
    days = seen.optical["time"].values.astype("datetime64[D]")
    hidden = np.zeros((len(days), seen.optical.sizes["pixel"]), bool)
    for position, parcel_id in enumerate(seen.cover.parcel_ids):
        if parcel_id in windows:
            first, last = (np.datetime64(day) for day in windows[parcel_id])
            part = slice(seen.cover.fraction.indptr[position], seen.cover.fraction.indptr[position + 1])
            hidden[np.ix_((days >= first) & (days <= last), seen.cover.fraction.indices[part])] = True
    shown = xr.DataArray(~hidden, dims=("time", "pixel"))
    optical, found = seen.optical.where(shown), seen.found.where(shown)
    visible = np.logical_or.reduce([np.isfinite(band.values) for band in optical.data_vars.values()])
    return replace(seen, optical=optical, found=found, statistics=zonal.zonal_statistics(found, visible, seen.cover))
