"""Pixels per second of the change monitor on one core: 128 x 128 pixels, 120 dates, a third of the looks cloudy.

python benchmarks/monitor_speed.py
"""

from __future__ import annotations

import sys
import time

import numpy as np
import xarray as xr

from geocollateral.change import monitor

SIDE, DATES = 128, 120


def cube(seed: int = 0) -> xr.DataArray:
    """A random forest: seasons, noise, clouds, one pixel in ten felled."""
    rng = np.random.default_rng(seed)
    days = np.datetime64("2017-01-01") + np.sort(rng.choice(365 * 4, DATES, replace=False))
    turn = 2 * np.pi * np.arange(DATES) / DATES * 4
    values = 0.7 + 0.2 * np.sin(turn)[:, None] + rng.normal(0, 0.03, (DATES, SIDE * SIDE))
    values[DATES // 2 :, ::10] -= 0.4
    values[rng.random(values.shape) < 1 / 3] = np.nan
    shaped = values.reshape(DATES, SIDE, SIDE).astype(np.float32)
    return xr.DataArray(shaped, dims=("time", "y", "x"), coords={"time": days.astype("datetime64[ns]")}, name="ndvi")


def main() -> None:
    """Best of three."""
    given = cube()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        monitor(given, None)
        seconds.append(time.perf_counter() - start)
    best = min(seconds)
    sys.stdout.write(f"{SIDE} x {SIDE} x {DATES}: {best:.2f} s, {SIDE * SIDE / best:,.0f} pixels/s\n")


if __name__ == "__main__":
    main()
