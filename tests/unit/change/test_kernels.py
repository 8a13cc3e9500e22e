"""What is compiled, and for what: every further kind of array would be compiled for anew, in each process."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from geocollateral.change import kernels, monitor, monitor_joint
from geocollateral.change.kernels.compiling import LANES
from geocollateral.change.kernels.lanes import exp_of, log_of, room

DATES = (np.datetime64("2017-01-05") + np.arange(0, 1400, 10)).astype("datetime64[ns]")
ENTRIES = ("count_looks", "end_histories", "find_wild", "fit_seasons", "take_step", "tell_curves", "tell_histories")


def a_series(kind: type = np.float64, n: int = 3) -> xr.DataArray:
    values = 0.7 + np.random.default_rng(0).normal(0, 0.02, (len(DATES), n))
    values[12:22, 0] -= 0.5
    values[100:, -1] -= 0.5
    return xr.DataArray(values.astype(kind), dims=("time", "pixel"), coords={"time": DATES}, name="ndvi")


def test_any_kind_of_input_runs_the_same_code() -> None:
    plain = a_series()
    read_only = a_series(np.float32)
    read_only.values.setflags(write=False)
    strided = xr.concat([plain, plain], "pixel").transpose("time", "pixel")[:, ::2]
    for given in (plain, read_only, strided, plain[::-1], plain[:, 0], plain.astype(np.float16)):
        for end in (None, DATES[60]):
            monitor(given, end, curves=True)
            monitor(given, end, common=given * 0, common_sd=given * 0 + 0.01)
            monitor_joint(
                {"a": xr.Dataset({"x": given, "y": given}), "b": xr.Dataset({"x": given})}, end, {"x": {}, "y": {}}
            )
    for name in ENTRIES:
        assert len(getattr(kernels, name).signatures) == 1, name


def test_infinite_values_are_no_looks() -> None:
    gappy, infinite = a_series(), a_series()
    gappy[::3], infinite[::3] = np.nan, np.inf
    xr.testing.assert_identical(monitor(gappy, None), monitor(infinite, None))


def test_a_history_that_another_stream_ends_later_leaves_the_odds_alone() -> None:
    """Its newest look lay after the looks of the first stream: days since it were negative, and odds with them."""
    rng = np.random.default_rng(1)
    early = xr.Dataset({"x": a_series(n=40)})
    late_dates = (np.datetime64("2017-09-20") + np.arange(0, 700, 60)).astype("datetime64[ns]")
    values = 0.6 + rng.normal(0, 0.02, (len(late_dates), 40))
    late = xr.Dataset({"x": xr.DataArray(values, dims=("time", "pixel"), coords={"time": late_dates})})
    found = monitor_joint({"early": early, "late": late}, None, {"x": {}})
    told = found["probability"].values[np.isfinite(found["probability"].values)]
    assert len(told) > 30
    assert (told >= 0).all()


def test_numba_is_imported_by_the_first_monitor_only() -> None:
    code = "import sys, geocollateral.change, geocollateral.block; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ENTRIES)
def test_kernels_are_kept_on_disk(name: str) -> None:
    assert getattr(kernels, name)._cache.cache_path  # empty where no folder can be written


END_OF_THREE_LOOKS = """
import numpy as np
from geocollateral.change.kernels import end_histories
ends = np.zeros(1, np.int32)
end_histories(np.zeros((3, 1), np.float32), np.arange(3, dtype=np.int32), np.zeros(1, np.int64), 9, 2, 1, ends)
print(ends[0], sum(end_histories.stats.cache_hits.values()))
"""


def test_a_changed_kernel_is_compiled_anew_by_those_that_call_it(tmp_path: Path) -> None:
    """By itself numba would go on to run the old code: what it keeps depends on the file of the caller only."""
    package = tmp_path / "geocollateral" / "change" / "kernels"
    shutil.copytree(Path(kernels.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in package.parents[:2]:
        (folder / "__init__.py").touch()

    def run() -> list[str]:
        known = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", END_OF_THREE_LOOKS],
            env=os.environ | known,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert run() == ["2", "0"]
    assert run() == ["2", "1"]  # the day of the last look, by code that was kept
    lanes = package / "lanes.py"
    source = lanes.read_text()
    assert "into[i, lane] = row[lane]" in source
    lanes.write_text(source.replace("into[i, lane] = row[lane]", "into[i, lane] = np.float32(np.nan)"))
    assert run() == ["-1", "0"]


def test_rows_of_lanes_begin_on_lines_of_the_cache() -> None:
    for n_rows in range(1, 40):
        rows = room.py_func(n_rows, LANES)
        assert rows.shape == (n_rows, LANES)
        assert rows.flags.c_contiguous
        assert {row.ctypes.data % 64 for row in rows} == {0}


def test_what_is_said_of_series_does_not_hang_on_how_many_are_taken_at_once() -> None:
    rng = np.random.default_rng(3)
    values = 0.6 + rng.normal(0, 0.05, (90, 2 * LANES + 7)).astype(np.float32)
    values[60:, ::3] -= np.float32(0.4)
    values[rng.random(values.shape) < 0.4] = np.nan
    days = np.datetime64("2019-01-01", "ns") + np.arange(90) * np.timedelta64(14, "D")
    given = xr.DataArray(values, dims=("time", "pixel"), coords={"time": days}, name="ndvi")
    whole = monitor(given, None)
    for first, last in ((0, 1), (LANES - 1, LANES + 1), (2 * LANES, 2 * LANES + 7), (5, LANES + 5)):
        some = slice(first, last)
        assert monitor(given[:, some], None).identical(whole.isel(pixel=some))


def test_logarithm_and_exponential_are_right_to_single_precision() -> None:
    log, exp = log_of.py_func, exp_of.py_func
    for x in np.linspace(-80, 80, 801).astype(np.float32):
        y = np.exp(x)
        assert exp(x) == pytest.approx(np.exp(np.float64(x)), rel=2e-7)
        assert log(y) == pytest.approx(np.log(np.float64(y)), rel=2e-7, abs=2e-7)
    assert exp(np.float32(0)) == 1  # a day without a look leaves the odds as they are
    assert log(np.float32(1)) == 0
    assert exp(np.float32(-1000)) < 1e-37
    assert np.isfinite(log(np.float32(np.inf)))
