"""Traps that silently give wrong numbers, sprung on the whole line. Names carry the numbers of the table of traps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import ndimage
from shapely import box
from shapely.geometry import Polygon

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.types import Assessment

SYNCHRONOUS = Settings(compute={"scheduler": "synchronous"})  # type: ignore[arg-type]  # pydantic takes a mapping


def assess(world: Any, cube: xr.Dataset | None = None, name: str = "cube.nc") -> Assessment:
    source = world.write_cube(name, cube)
    return service.assess(world.write_parcels(), source=source, settings=SYNCHRONOUS, with_pictures=False)


def quiet(cube: xr.Dataset, first: int) -> xr.Dataset:
    """The world without its clearing: the looks after it replaced by those of the years before."""
    out = cube.copy(deep=True)
    for name, variable in out.data_vars.items():
        if variable.dims == ("time", "y", "x") and name != "SCL":
            keep = variable.values.copy()
            keep[:, 20:30, 6:14] = keep[:, 10:20, 26:34]
            out[name] = (variable.dims, keep, variable.attrs)
    return out


def rescaled(cube: xr.Dataset, factor: Callable[[str, int], float | np.ndarray]) -> xr.Dataset:
    """Reflectance of each band and look times a factor."""
    out = cube.copy(deep=True)
    for name, variable in out.data_vars.items():
        if variable.dims == ("time", "y", "x") and name != "SCL":
            physical = variable.values * 1e-4 - 0.1
            looks = [plane * factor(str(name), n) for n, plane in enumerate(physical)]
            out[name] = (variable.dims, np.rint((np.stack(looks) + 0.1) * 1e4).astype(np.uint16), variable.attrs)
    return out


@pytest.mark.parametrize("away", [5, 27, 29, 30, 31, 32, 40])
def test_t10_no_single_scene_makes_or_unmakes_an_alert(world: Any, away: int) -> None:
    keep = [n for n in range(world.cube.sizes["time"]) if n != away]
    [alert] = assess(world, world.cube.isel(time=keep)).alerts
    assert (alert.parcel_id, alert.rule) == ("felled", "stand_loss")


def test_t10_one_outlier_scene_makes_no_alert(world: Any, clearing: tuple[int, slice, slice]) -> None:
    cube = quiet(world.cube, clearing[0])
    for name, value in {"B02": 0.09, "B03": 0.11, "B04": 0.14, "B08": 0.20, "B8A": 0.20, "B11": 0.30}.items():
        cube[name].values[45] = round((value + 0.1) * 1e4)
    assert assess(world, cube).alerts == ()


def test_t26_images_five_metres_off_make_no_alert(world: Any, clearing: tuple[int, slice, slice]) -> None:
    """Two classes side by side; each look is shifted by half a pixel, and from the middle on all to one side."""
    cube = quiet(world.cube, clearing[0])
    angles = np.arange(8) * np.pi / 4
    meadow = {"B02": 0.05, "B03": 0.09, "B04": 0.07, "B08": 0.33, "B8A": 0.34, "B11": 0.26}
    for name, value in meadow.items():
        planes = cube[name].values.astype(float)
        planes[:, :, 17:19] = round((value + 0.1) * 1e4)
        planes[:, 25:27, :] = round((value + 0.1) * 1e4)
        for n in range(len(planes)):
            angle = angles[n % 8] if n < 30 else angles[1]
            planes[n] = ndimage.shift(planes[n], (0.5 * np.sin(angle), 0.5 * np.cos(angle)), order=1, mode="nearest")
        cube[name].values[:] = np.rint(planes).astype(np.uint16)
    assert assess(world, cube).alerts == ()


def test_t28_snow_that_the_classification_missed_makes_no_alert(world: Any, clearing: tuple[int, slice, slice]) -> None:
    """Six looks in a row are snow, and the classification calls them vegetation."""
    cube = quiet(world.cube, clearing[0])
    snow = {"B02": 0.85, "B03": 0.85, "B04": 0.83, "B08": 0.78, "B8A": 0.76, "B11": 0.10}
    at = slice(38, 44)
    for name, value in snow.items():
        cube[name].values[at] = round((value + 0.1) * 1e4)
    cube["SCL"].values[at] = 4
    found = assess(world, cube)
    assert found.alerts == ()
    days = cube["time"].values[at].astype("datetime64[D]")
    seen = found.series["time"].to_numpy().astype("datetime64[D]")
    assert not np.isin(seen, days).any()


def test_t29_orbits_that_see_the_ground_differently_make_no_alert(
    world: Any, clearing: tuple[int, slice, slice]
) -> None:
    """Every second look is 6 % darker or brighter, by band, as from the other side of the swath."""
    tilt = {"B02": 0.06, "B03": 0.05, "B04": 0.06, "B08": -0.03, "B8A": -0.03, "B11": -0.06}
    cube = rescaled(quiet(world.cube, clearing[0]), lambda band, n: 1 + tilt[band] * (-1) ** n)
    assert assess(world, cube).alerts == ()


def test_t30_a_slope_that_darkens_in_winter_keeps_its_index(world: Any, clearing: tuple[int, slice, slice]) -> None:
    plain = quiet(world.cube, clearing[0])
    day = (plain["time"].values - plain["time"].values.astype("datetime64[Y]")) / np.timedelta64(1, "D")
    sun = 0.75 + 0.25 * np.cos(2 * np.pi * (day - 172) / 365.25)
    dark = assess(world, rescaled(plain, lambda band, n: float(sun[n])), "dark.nc")
    assert dark.alerts == ()
    flat = assess(world, plain, "flat.nc")
    key = ["parcel_id", "index", "time"]
    both = flat.series.set_index(key)["mean"].to_frame("flat").join(dark.series.set_index(key)["mean"], how="inner")
    assert (both["flat"] - both["mean"]).abs().quantile(0.95) <= 0.02


def test_t31_t32_radar_of_two_orbits_is_never_joined(radar_world: Any) -> None:
    """The same ground from two sides, 1.5 dB apart: two series, each steady, and no alert."""
    cube = radar_world.cube
    orbits = np.array(["ascending-15", "descending-95"])[np.arange(cube.sizes["time"]) % 2]
    cube["orbit"] = ("time", orbits)
    cube["VV"].values[1::2] *= 10**0.15
    found = assess(radar_world, cube)
    assert found.alerts == ()
    vv = found.series[(found.series["index"] == "vv") & (found.series["parcel_id"] == "felled")]
    levels = vv.groupby("sensor")["mean"].agg(["mean", "std"])
    assert list(levels.index) == ["sentinel-1 ascending-15", "sentinel-1 descending-95"]
    assert levels["mean"].diff().iloc[1] == pytest.approx(1.5, abs=0.1)
    assert (levels["std"] < 0.3).all()


def test_r10_the_clock_of_the_machine_changes_nothing(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days off, backwards, and on 29 February: figures come from the data and from as_of."""
    import datetime as dt

    source, parcels = world.write_cube(), world.write_parcels()
    real = dt.datetime

    def run_at(now: dt.datetime | None) -> Assessment:
        class Clock(real):  # type: ignore[misc,valid-type]
            @classmethod
            def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
                return real.now(tz) if now is None else now.astimezone(tz)

        monkeypatch.setattr(service.dt, "datetime", Clock)
        return service.assess(parcels, source=source, settings=SYNCHRONOUS, as_of="2020-06-01", with_pictures=False)

    expected = run_at(None)
    for now in ("2020-02-29T23:59:59+00:00", "2020-05-30T00:00:00+00:00", "2031-03-30T02:30:00+02:00"):
        found = run_at(real.fromisoformat(now))
        assert (found.run_id, found.alerts, found.as_of) == (expected.run_id, expected.alerts, expected.as_of)
        assert found.series.equals(expected.series)


def test_the_traps_can_spring(world: Any, tmp_path: Path) -> None:
    """The same world with its clearing has an alert: the tests above are not passed by a line that sees nothing."""
    assert [alert.parcel_id for alert in assess(world).alerts] == ["felled"]


def radar_only(world: Any, vv: np.ndarray) -> xr.Dataset:
    """The radar world with one plane of VV on every look, and nothing else."""
    cube = world.cube.drop_vars("VH")
    cube["VV"].values[:] = vv
    return cube


def series_of(world: Any, cube: xr.Dataset, outlines: dict[str, tuple[str, Polygon]]) -> pd.DataFrame:
    placed = replace(world, outlines=outlines)
    found = service.assess(
        placed.write_parcels(), source=placed.write_cube("plane.nc", cube), settings=SYNCHRONOUS, with_pictures=False
    )
    return found.series


@pytest.mark.parametrize("metres", [0.0, 2.0, 4.9, 5.1, 8.9])
def test_t6_a_ramp_of_easting_is_read_where_it_lies(radar_world: Any, metres: float) -> None:
    """A raster whose value is its easting: the mean over a parcel is the easting of its middle, to a decimetre."""
    size = radar_world.cube.sizes["x"]
    ramp = np.broadcast_to(0.01 + 0.001 * (np.arange(size) + 0.5), (size, size))
    left = 11 + metres / 10
    series = series_of(radar_world, radar_only(radar_world, ramp), {"p": ("forestry", box(left, 12, left + 6, 20))})
    easting = (10 ** (series["mean"] / 10) - 0.01) / 0.001 * 10
    assert len(series) > 50
    assert easting.to_numpy() == pytest.approx(10 * (left + 3), abs=0.1)


def test_t5_a_constant_with_holes_gives_the_constant(radar_world: Any) -> None:
    """Nothing is resampled, so nothing bleeds from where there is no data."""
    size = radar_world.cube.sizes["x"]
    plane = np.full((size, size), 0.05)
    plane[np.random.default_rng(5).random(plane.shape) < 0.3] = np.nan
    plane[:, 30:] = np.nan
    outlines = {"holes": ("forestry", box(3.3, 4.4, 17.7, 19.2)), "none": ("forestry", box(31, 5, 38, 15))}
    series = series_of(radar_world, radar_only(radar_world, plane), outlines)
    assert set(series["parcel_id"]) == {"holes"}
    for name in ("mean", "p10", "p50", "p90"):
        assert series[name].to_numpy() == pytest.approx(10 * np.log10(0.05), abs=1e-5)
    assert ((series["valid_fraction"] > 0.5) & (series["valid_fraction"] < 0.9)).all()
