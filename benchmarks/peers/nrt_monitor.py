"""EWMA and CuSum of nrt (JRC), on NDVI and harmonics of the history.

    NRT_PYTHON nrt_monitor.py IN.npz OUT.npz ewma|cusum

Runs in an environment of its own with ``nrt==0.3.0``. Each sensitivity is one setting; after a break nrt monitors a
series no more. IN and OUT are described in `compare.py`.
"""

from __future__ import annotations

import datetime as dt
import sys
import warnings
from importlib.metadata import version

import numpy as np
import xarray as xr
from nrt.monitor.cusum import CuSum
from nrt.monitor.ewma import EWMA

EWMA_LIMITS = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 20.0, 25.0, 30.0, 40.0)
"""Widths of the control limits [standard errors]; the default is 2."""
CUSUM_LIMITS = (0.9, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 13.0, 17.0, 22.0, 30.0, 40.0)
"""Critical values of the process; 0.9 is about a significance of 0.05, the default."""


def main(given: str, wanted: str, method: str) -> None:
    """Read series, write breaks."""
    warnings.simplefilter("ignore")
    with np.load(given) as data:
        days, values, bands = data["days"], data["values"], data["bands"].tolist()
        history_end = int(data["history_end"])
    nir, red = values[..., bands.index("nir")], values[..., bands.index("red")]
    with np.errstate(invalid="ignore", divide="ignore"):
        ndvi = ((nir - red) / (nir + red)).astype(np.float32)
    rows: list[tuple[float, ...]] = []
    for setting, limit in enumerate(EWMA_LIMITS if method == "ewma" else CUSUM_LIMITS):
        rows += run(ndvi, days, history_end, method, setting, limit)
    table = np.array(rows, float).reshape(-1, 6)
    names = ("series", "before", "after", "detected", "score", "setting")
    np.savez(wanted, version=f"nrt {version('nrt')}", **dict(zip(names, table.T, strict=True)))


def run(
    ndvi: np.ndarray, days: np.ndarray, history_end: int, method: str, setting: int, limit: float
) -> list[tuple[float, ...]]:
    """Breaks at one sensitivity."""
    cube = ndvi[:, None, :]
    learned = days <= history_end
    dates = days.astype("datetime64[D]").astype("datetime64[ns]")
    shape = cube.shape[1:]
    enough = np.isfinite(cube[learned]).sum(axis=0) >= 12  # five coefficients, and some looks to learn the noise from
    history = xr.DataArray(
        cube[learned],
        dims=("time", "y", "x"),
        coords={"time": dates[learned], "y": np.arange(shape[0]), "x": np.arange(shape[1])},
    )
    if method == "ewma":
        monitor = EWMA(trend=False, harmonic_order=2, sensitivity=limit, mask=enough.astype(np.uint8))
        monitor.fit(history, method="OLS", screen_outliers="Shewhart", L=5)
    else:
        monitor = CuSum(trend=False, harmonic_order=2, mask=enough.astype(np.uint8))
        monitor.critval = limit
        monitor.fit(history, method="OLS")
    last_seen = np.full(shape[1], -1)
    last_good = np.full(shape[1], -1)
    rows = []
    before = np.asarray(monitor.mask).copy()
    for n in np.flatnonzero(~learned):
        stamp = dt.datetime(1970, 1, 1) + dt.timedelta(days=int(days[n]))  # noqa: DTZ001 - nrt wants it so
        monitor.monitor(array=cube[n], date=stamp)
        broken = ((monitor.mask == 3) & (before != 3))[0]
        for series in np.flatnonzero(broken):
            fall = -float(np.asarray(monitor.process)[0, series])
            first = last_good[series] if last_good[series] >= 0 else history_end
            rows.append((series, first, days[n], days[n], np.sign(fall), setting))
        before = np.asarray(monitor.mask).copy()
        # The process left its middle half after this look: the oldest day from which the break may date.
        seen = np.isfinite(cube[n, 0])
        with np.errstate(invalid="ignore"):
            calm = np.abs(np.asarray(monitor.process)[0]) < 0.5 * np.asarray(monitor.boundary)[0]
        last_seen[seen] = days[n]
        last_good[seen & calm] = days[n]
    return rows


if __name__ == "__main__":
    main(*sys.argv[1:4])
