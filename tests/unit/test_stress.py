"""Disturbed looks: what each disturbance does to reflectance one can read off, and what follows from it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from odc.geo.geobox import GeoBox
from scipy.sparse import csr_array

from geocollateral.config import Settings
from geocollateral.observe import indices, zonal
from geocollateral.observed import Observed, RadarLooks
from geocollateral.stress import DROUGHT_SHARE, DRY, NONE, STRESSES, orbit_sides, stressed

DAYS = np.arange("2021-01-03", "2023-12-30", 10, dtype="datetime64[D]").astype("datetime64[ns]")
BANDS = {"blue": 0.03, "green": 0.06, "red": 0.04, "nir": 0.36, "swir16": 0.2}
N = len(DAYS)


def looks() -> Observed:
    """One green parcel of 6 x 6 pixels, with one cell beside it and one orbit of radar."""
    box = GeoBox.from_bbox((500_000, 5_500_000, 500_060, 5_500_060), "EPSG:32633", resolution=10)
    cover = zonal.Coverage(
        parcel_ids=("a",), pixels=np.arange(36), fraction=csr_array(np.ones((1, 36))), whole=np.array([36.0])
    )
    none = zonal.Coverage(parcel_ids=(), pixels=np.zeros(0, np.int64), fraction=csr_array((0, 0)), whole=np.zeros(0))
    rng = np.random.default_rng(0)
    uneven = rng.uniform(0.9, 1.1, (N, 36))
    values = {name: (("time", "pixel"), (level * uneven).astype(np.float32)) for name, level in BANDS.items()}
    optical = xr.Dataset(values, coords={"time": DAYS})
    found = indices.compute_indices(optical, ["ndvi", "ndmi"])
    seen = np.ones((N, 36), bool)
    statistics = zonal.zonal_statistics(found, seen, cover)
    cells = xr.Dataset(
        {
            "mean": (("index", "time", "parcel"), statistics["mean"].values - 0.1),
            "valid_fraction": (("index", "time", "parcel"), np.ones((2, N, 1))),
        },
        coords={"index": ["ndvi", "ndmi"], "time": DAYS, "parcel": ["~0-9"]},
    )
    power = xr.Dataset(
        {name: (("time", "pixel"), np.full((N, 36), 0.1, np.float32)) for name in ("vv", "vh")}, coords={"time": DAYS}
    )
    level = xr.Dataset(
        {"mean": (("index", "time", "parcel"), np.full((2, N, 1), -10.0))},
        coords={"index": ["vv", "vh"], "time": DAYS, "parcel": ["a"]},
    )
    return Observed(
        cover=cover,
        cells=none,
        geobox=box,
        grid=box,
        sensor="sentinel-2",
        optical=optical,
        found=found,
        statistics=statistics,
        around=cells,
        radar={"ascending-1": RadarLooks(power=power, statistics=level, around=level)},
        series=pd.DataFrame(),
        scenes=(),
    )


def ratio(seen: Observed, under: Observed, name: str) -> np.ndarray:
    assert seen.optical is not None
    assert under.optical is not None
    return (under.optical[name] / seen.optical[name]).values


def test_nothing_disturbed_is_nothing_changed() -> None:
    seen = looks()
    under = stressed(seen, NONE, Settings())
    xr.testing.assert_allclose(under.optical, seen.optical)
    xr.testing.assert_allclose(under.statistics, seen.statistics)
    xr.testing.assert_allclose(under.around, seen.around, atol=1e-5)


@pytest.mark.parametrize("name", sorted(STRESSES))
def test_each_is_the_same_twice_and_keeps_what_was_not_seen_unseen(name: str) -> None:
    seen = looks()
    hidden = seen.optical.where(xr.DataArray(np.arange(N) % 7 > 0, dims="time"))
    seen = replace(seen, optical=hidden, found=indices.compute_indices(hidden, ["ndvi", "ndmi"]))
    one, two = (stressed(seen, name, Settings(), seed=3) for _ in range(2))
    xr.testing.assert_equal(one.optical, two.optical)
    xr.testing.assert_equal(one.around, two.around)
    assert np.isnan(one.optical["red"].values[::7]).all()
    assert np.isfinite(one.optical["red"].values).any()


def test_orbits_in_turn_by_name_else_by_day() -> None:
    seen = looks()
    assert orbit_sides(seen)[:3].tolist() == [-1, 1, -1]
    scenes = tuple(
        {"datetime": f"{day}T10:00:00Z", "orbit": f"descending-{22 + n % 3 % 2}", "bands": {"red": "ok"}}
        for n, day in enumerate(DAYS.astype("datetime64[D]"))
    )
    assert orbit_sides(replace(seen, scenes=scenes))[:4].tolist() == [-1, 1, -1, -1]
    found = stressed(seen, "orbit", Settings())
    assert ratio(seen, found, "red")[:2, 0] == pytest.approx([0.94, 1.06], abs=1e-3)
    # An index of ratios does not see it; that of `orbit_colour` does.
    np.testing.assert_allclose(found.statistics["mean"], seen.statistics["mean"], atol=1e-5)
    coloured = stressed(seen, "orbit_colour", Settings())
    assert float(np.ptp(coloured.statistics["mean"].sel(index="ndvi").values)) > 0.005


def test_a_platform_steps_once_in_both_sensors() -> None:
    seen = looks()
    found = stressed(seen, "platform", Settings())
    later = ratio(seen, found, "nir")[:, 0] > 1.005
    assert 0 < later.sum() < N
    assert (np.diff(later.astype(int)) >= 0).all()
    radar = found.radar["ascending-1"]
    np.testing.assert_allclose(radar.statistics["mean"].values[0, :, 0], np.where(later, -9.5, -10.0))
    np.testing.assert_allclose(radar.power["vv"].values[:, 0], np.where(later, 0.1 * 10**0.05, 0.1), rtol=1e-6)


def test_haze_is_blue_and_on_some_looks() -> None:
    seen = looks()
    found = stressed(seen, "haze", Settings())
    added = (found.optical["blue"] - seen.optical["blue"]).values
    hazy = (np.nan_to_num(added, nan=1.0) > 0.005).any(axis=1)  # what was screened was hazy
    assert 0 < hazy.sum() < N / 3


def test_snow_falls_in_winter_only() -> None:
    seen = looks()
    changed = ~np.isclose(ratio(seen, stressed(seen, "snow", Settings()), "red"), 1, atol=1e-3).all(axis=1)
    months = pd.DatetimeIndex(DAYS).month
    assert changed.sum() >= 3
    assert set(months[changed]) <= {12, 1, 2}


def test_a_drought_withers_what_is_green_in_one_summer_and_the_ground_around_too() -> None:
    seen = looks()
    found = stressed(seen, "drought", Settings())
    gone = (found.statistics["mean"] - seen.statistics["mean"]).sel(index="ndvi", parcel="a")
    around = (found.around["mean"] - seen.around["mean"]).sel(index="ndvi", parcel="~0-9")
    summer = np.datetime64("2022-07-27T00:00:00", "ns") == DAYS
    dry = (DRY["nir"] - DRY["red"]) / (DRY["nir"] + DRY["red"])
    assert summer.sum() == 1
    assert float(gone[summer].item()) < DROUGHT_SHARE * (dry - 0.8) / 2
    assert np.allclose(gone[np.datetime64("2022-06-01", "ns") > DAYS], 0, atol=1e-6)
    assert float(around[summer].item()) < -0.05


def test_jitter_mixes_neighbours_and_keeps_what_is_even() -> None:
    seen = looks()
    found = stressed(seen, "jitter", Settings())
    np.testing.assert_allclose(np.nanmean(found.optical["red"]), np.nanmean(seen.optical["red"]), rtol=0.01)
    assert float(found.optical["red"].std()) < float(seen.optical["red"].std())
    even = replace(seen, optical=xr.full_like(seen.optical, 0.2))
    np.testing.assert_allclose(STRESSES["jitter"](even, np.random.default_rng(1)).optical["nir"], 0.2, rtol=1e-6)
