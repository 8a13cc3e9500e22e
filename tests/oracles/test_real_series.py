"""Published breaks and stable ground, in the real series beside the repository."""

import datetime as dt
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr

from geocollateral.change import monitor
from geocollateral.types import CANNOT_TELL, CONFIRMED

pytestmark = pytest.mark.realdata


def nbr(folder: Path, names: list[str]) -> xr.DataArray:
    table = pd.concat([pd.read_csv(folder / name).rename(columns=str.lower) for name in names])
    table = table[table["qa"].isin([0, 1])]
    value = ((table["nir"] - table["swir2"]) / (table["nir"] + table["swir2"])).to_numpy(float)
    days = pd.to_datetime([dt.date.fromordinal(int(n)) for n in table["dates"]])
    daily = pd.Series(value, index=days).groupby(level=0).mean()
    return xr.DataArray(
        daily.to_numpy(), dims="time", coords={"time": daily.index.to_numpy("datetime64[ns]")}, name="nbr"
    )


@pytest.mark.parametrize(
    ("names", "history_end", "published"),
    [
        pytest.param(["1_hls_sc.csv"], "2020-12-31", "2024-03-23", id="fire, COLD and S-CCD"),
        pytest.param(
            [f"7_logging_hls_w{w}.csv" for w in ("0", "12", "34", "56", "78", "910")],
            "2020-12-31",
            "2024-04-08",
            id="logging, S-CCD",
        ),
    ],
)
def test_break_is_dated_as_published(realdata: Path, names: list[str], history_end: str, published: str) -> None:
    found = monitor(nbr(realdata / "px_hls_breaks", names), history_end)
    assert int(found["status"]) == CONFIRMED
    assert str(found["break_date"].values.astype("datetime64[D]")) == published
    assert float(found["magnitude"]) < -0.2


def test_slow_decline_by_beetles_is_found_in_its_first_year(realdata: Path) -> None:
    found = monitor(nbr(realdata / "px_hls_breaks", ["2_mpb_co_landsat.csv"]), "2005-12-31")
    assert int(found["status"]) == CONFIRMED
    assert pd.Timestamp(found["break_date"].values).year == 2007


def test_one_year_of_a_field_cannot_tell(realdata: Path) -> None:
    with xr.open_dataset(realdata / "farm_fusets_spain" / "raw_s2_ndvi_field.nc") as cube:
        values = cube["NDVI"].median(("x", "y")).rename(t="time").rename("ndvi").load()
    assert int(monitor(values, None)["status"]) == CANNOT_TELL


def test_stable_backscatter_confirms_nothing_after_two_years_of_history(realdata: Path) -> None:
    paths = sorted((realdata / "s1_opera_dist" / "rtc_california" / "292320-IW2").glob("*_VV.tif"))
    planes = []
    for path in paths:
        with rasterio.open(path) as source:
            planes.append(source.read(1).astype(float))
    power = np.stack(planes)[:, :60, :60]
    with np.errstate(invalid="ignore", divide="ignore"):
        decibel = 10 * np.log10(np.where(power > 0, power, np.nan))
    days = [np.datetime64(f"{p.name[:4]}-{p.name[4:6]}-{p.name[6:8]}", "ns") for p in paths]
    series = xr.DataArray(decibel, dims=("time", "y", "x"), coords={"time": days}, name="vv", attrs={"units": "dB"})
    assert not (monitor(series, "2023-12-31")["status"].values == CONFIRMED).any()
