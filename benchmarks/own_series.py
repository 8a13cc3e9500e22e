"""Any real series whose changes are known: what the monitor finds with its defaults, beside a difference of years.

    python benchmarks/own_series.py FOLDER [--history-end DAY ...] [--before 16] [--after 32]

FOLDER holds ``series.csv`` (columns ``series, time, value``; one index, named by ``--index``) and ``truth.csv``
(``series, day``; an empty day says that nothing happened). A break is *found* where the interval between its last clear
look and its first lies within the window around the day, *late* after it, *false* before it or where nothing happened.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from geocollateral.change import monitor
from geocollateral.change.intervals import share
from geocollateral.types import CHANGE_STATUSES, CONFIRMED

Days = NDArray[np.datetime64]


def read(folder: Path, index: str, units: str | None) -> tuple[xr.DataArray, Days]:
    """Series and the days of their changes, NaT where nothing happened."""
    table = pd.read_csv(folder / "series.csv", parse_dates=["time"], dtype={"series": str})
    truth = pd.read_csv(folder / "truth.csv", parse_dates=["day"], dtype={"series": str}).set_index("series")["day"]
    daily = table.assign(time=table["time"].dt.floor("D"))
    wide = daily.pivot_table(index="time", columns="series", values="value", aggfunc="mean").reindex(
        columns=truth.index
    )
    series = xr.DataArray(
        wide.to_numpy(np.float32),
        dims=("time", "series"),
        coords={"time": wide.index.to_numpy("datetime64[ns]"), "series": wide.columns.to_numpy(str)},
        name=index,
        attrs={} if units is None else {"units": units},
    )
    return series, truth.to_numpy("datetime64[D]")


def score(first: Days, before: Days, confirmed: NDArray[np.bool_], true: Days, window: tuple[int, int]) -> list[str]:
    """Counts and shares: found, late and false of those with a day, false of those without."""
    earlier, later = (np.timedelta64(days, "D") for days in window)
    dated = ~np.isnat(true)
    with np.errstate(invalid="ignore"):
        meets = (before <= true + later) & (first >= true - earlier) & (first <= true + later)
        late, early = first > true + later, first < true - earlier
    found = confirmed & meets & dated
    error = (first - true)[found].astype(int)
    cells = [_share(int(which.sum()), int(dated.sum())) for which in (found, confirmed & late, confirmed & early)]
    cells.append(_share(int((confirmed & ~dated).sum()), int((~dated).sum())))
    cells.append(
        f"{np.median(error):.0f} ({np.quantile(error, 0.1):.0f}..{np.quantile(error, 0.9):.0f})" if len(error) else ""
    )
    return cells


def _share(count: int, of: int) -> str:
    if not of:
        return ""
    figure = share(count, of)
    return f"{count} of {of}, {figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"


def of_monitor(series: xr.DataArray, history_end: str | None) -> tuple[Days, Days, NDArray[np.bool_], str]:
    """First look after the change, last before it, whether it is confirmed, and how many there are of each answer."""
    found = monitor(series, history_end)
    status = found["status"].values
    told = ", ".join(f"{np.sum(status == n)} {name}" for n, name in enumerate(CHANGE_STATUSES))
    first, before = (found[name].values.astype("datetime64[D]") for name in ("break_date", "last_clear_before"))
    return first, before, status == CONFIRMED, told


def of_years(series: xr.DataArray, history_end: str | None, drop: float) -> tuple[Days, Days, NDArray[np.bool_], str]:
    """The naive rule: a look departs by ``drop`` or more from the median of its month before the history's end.

    Without such an end, of the first year.
    """
    days = series["time"].values.astype("datetime64[D]")
    end = np.datetime64(history_end) if history_end else days.min() + np.timedelta64(365, "D")
    usual = series[days <= end].groupby("time.month").median()
    later = series[days > end]
    departs = abs(later - usual.reindex(month=range(1, 13)).sel(month=later["time.month"])) >= drop
    some = departs.values.any(axis=0)
    first = np.where(
        some, later["time"].values[departs.values.argmax(axis=0)].astype("datetime64[D]"), np.datetime64("NaT")
    )
    return first, first, some, ""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row for each method and history."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", default="ndvi")
    parser.add_argument("--units", help="dB for backscatter")
    parser.add_argument("--history-end", action="append", help="a day; without it the shortest history", default=[])
    parser.add_argument("--before", type=int, default=16, help="days before the stated day that still meet it")
    parser.add_argument("--after", type=int, default=32, help="days after it")
    parser.add_argument("--drop", type=float, default=0.15, help="of the naive rule [unit of the series]")
    asked = parser.parse_args(arguments)
    series, true = read(asked.folder, asked.index, asked.units)
    sys.stdout.write(
        "| method | history until | found | late | false before | false, stable | error [days] | answers |\n"
    )
    sys.stdout.write("| --- " * 8 + "|\n")
    for end in (None, *asked.history_end):
        rows = {"ours": of_monitor(series, end), "difference to the month's usual": of_years(series, end, asked.drop)}
        for method, (first, before, confirmed, told) in rows.items():
            cells = score(first, before, confirmed, true, (asked.before, asked.after))
            sys.stdout.write(f"| {' | '.join((method, end or 'shortest', *cells, told))} |\n")


if __name__ == "__main__":
    main()
