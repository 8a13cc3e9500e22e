"""Compile the monitor's kernels once, so that tests and workers find them on disk: python .ci/warm.py

Under half a minute on one core the first time, two seconds when they are there already.
"""

import numpy as np
import xarray as xr

from geocollateral.change import kernels, monitor, monitor_joint

ENTRIES = (
    "correlate",
    "count_looks",
    "date_runs",
    "end_histories",
    "find_wild",
    "fit_seasons",
    "take_step",
    "tell_curves",
    "tell_histories",
)


def main() -> None:
    """Run every kernel: two indices, a history that is wild, a change that is only suspected at the end."""
    days = np.datetime64("2017-01-05") + np.arange(0, 1100, 10)
    dates = days.astype("datetime64[ns]")
    values = 0.7 + np.random.default_rng(0).normal(0, 0.02, (len(dates), 2))
    values[12:22, 0] -= 0.5
    values[-2:, 1] -= 0.5
    series = xr.DataArray(values, dims=("time", "pixel"), coords={"time": dates}, name="ndvi")
    monitor(series, dates[60], curves=True)
    monitor_joint({"s2": xr.Dataset({"ndvi": series, "ndmi": series})}, dates[60], {"ndvi": {}, "ndmi": {}})
    cold = [name for name in ENTRIES if not getattr(kernels, name).signatures]
    if cold:
        raise SystemExit(f"not compiled: {', '.join(cold)}")


if __name__ == "__main__":
    main()
