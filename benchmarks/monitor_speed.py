"""Pixels per second of the change monitor and of nrt's EWMA on one core: 512 x 512 pixels, 120 dates, 34 % cloudy.

    OMP_NUM_THREADS=1 python benchmarks/monitor_speed.py [--nrt PYTHON] [--side 512]

PYTHON is that of an environment of its own with ``nrt==0.3.0``. Both get the same cube in turns, 60 dates to learn and
60 to monitor. Processor time counts; the best of three is quoted for either.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import xarray as xr

from geocollateral.change import monitor

DATES = 120
TURNS = 3
NRT = """
import datetime as dt, sys, time, warnings
import numpy as np, xarray as xr
from nrt.monitor.ewma import EWMA
warnings.simplefilter("ignore")
data = np.load(sys.argv[1]); values, days = data["values"], data["days"]; half = len(days) // 2
coords = {"time": days.astype("datetime64[ns]"), "y": np.arange(values.shape[1]), "x": np.arange(values.shape[2])}
cube = xr.DataArray(values, dims=("time", "y", "x"), coords=coords)
def run(part):
    model = EWMA(trend=False, harmonic_order=3)
    model.fit(part[:half], method="OLS", screen_outliers="Shewhart", L=5)
    for n in range(half, len(days)):
        model.monitor(array=part.values[n], date=days[n].astype("datetime64[s]").astype(dt.datetime))
run(cube[:, :32, :32])  # compiled before the clock starts
start = time.process_time(); run(cube); print(time.process_time() - start)
"""


def cube(side: int, seed: int = 0) -> xr.DataArray:
    """A random forest: seasons, noise, clouds; one pixel in twenty is felled half-way through the monitored dates."""
    rng = np.random.default_rng(seed)
    day = np.sort(rng.choice(365 * 4, DATES, replace=False))
    season = 0.7 + 0.15 * np.sin(2 * np.pi * day / 365.25)
    values = season[:, None] + rng.normal(0, 0.03, (DATES, side * side))
    values[DATES * 3 // 4 :, ::20] -= 0.4
    values[rng.random(values.shape) < 0.34] = np.nan
    dates = (np.datetime64("2017-01-01") + day).astype("datetime64[ns]")
    shaped = values.reshape(DATES, side, side).astype(np.float32)
    return xr.DataArray(shaped, dims=("time", "y", "x"), coords={"time": dates}, name="ndvi")


def ours(given: xr.DataArray) -> float:
    """Processor time of one run [s]."""
    end = given["time"].values[DATES // 2 - 1]
    start = time.process_time()
    monitor(given, end)
    return time.process_time() - start


def theirs(python: str, path: Path) -> float:
    """Processor time of one run of nrt, without its compilation [s]."""
    done = subprocess.run([python, "-c", NRT, str(path)], capture_output=True, text=True, check=True)  # noqa: S603
    return float(done.stdout.split()[-1])


def main() -> None:
    """Print pixels per second, and the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nrt", help="python of an environment with nrt")
    parser.add_argument("--side", type=int, default=512)
    asked = parser.parse_args()
    given, mine, other = cube(asked.side), [], []
    n = asked.side**2
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cube.npz"
        np.savez(path, values=given.values, days=given["time"].values.astype("datetime64[D]"))
        for _ in range(TURNS):
            mine.append(ours(given))
            if asked.nrt:
                other.append(theirs(asked.nrt, path))
    sys.stdout.write(
        f"{asked.side} x {asked.side} x {DATES}: {min(mine):.2f} s, {n / min(mine):,.0f} pixels/s per core\n"
    )
    if not other:
        sys.stdout.write("nrt: skipped, --nrt names no python\n")
        return
    sys.stdout.write(f"nrt EWMA: {min(other):.2f} s, {n / min(other):,.0f} pixels/s per core\n")
    sys.stdout.write(f"ratio {min(other) / min(mine):.2f}\n")


if __name__ == "__main__":
    main()
