"""Times without an optical look: what is hidden, what stays, and when."""

import datetime as dt

import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from scipy.sparse import csr_array

from geocollateral.blind_times import blind, blind_windows
from geocollateral.change.evaluation import Truth
from geocollateral.observe import zonal
from geocollateral.observed import Observed

DAYS = np.array(["2022-01-01", "2022-01-10", "2022-03-01"], "datetime64[ns]")


def looks() -> Observed:
    """Two parcels of two pixels each, seen three times."""
    cover = zonal.Coverage(
        parcel_ids=("a", "b"),
        pixels=np.arange(4),
        fraction=csr_array(np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])),
        whole=np.array([2.0, 2.0]),
    )
    values = xr.Dataset({"red": (("time", "pixel"), np.full((3, 4), 0.1, np.float32))}, coords={"time": DAYS})
    found = xr.Dataset({"ndvi": (("time", "pixel"), np.full((3, 4), 0.5, np.float32))}, coords={"time": DAYS})
    box = GeoBox.from_bbox((0, 0, 40, 10), "EPSG:32633", resolution=10)
    none = zonal.Coverage(parcel_ids=(), pixels=np.zeros(0, np.int64), fraction=csr_array((0, 0)), whole=np.zeros(0))
    return Observed(
        cover=cover,
        cells=none,
        geobox=box,
        grid=box,
        sensor="sentinel-2",
        optical=values,
        found=found,
        statistics=zonal.zonal_statistics(found, np.ones((3, 4), bool), cover),
        around=None,
        radar={},
        series=pd.DataFrame(),
        scenes=(),
    )


def test_only_the_parcels_own_looks_within_its_window_go() -> None:
    seen = blind(looks(), {"a": (dt.date(2022, 1, 5), dt.date(2022, 1, 10))})
    assert seen.optical is not None
    assert seen.found is not None
    assert seen.statistics is not None
    expected = np.ones((3, 4), bool)
    expected[1, :2] = False
    assert (np.isfinite(seen.optical["red"].values) == expected).all()
    assert (np.isfinite(seen.found["ndvi"].values) == expected).all()
    valid = seen.statistics["valid_fraction"].sel(index="ndvi")
    assert valid.sel(parcel="a").values.tolist() == [1.0, 0.0, 1.0]
    assert valid.sel(parcel="b").values.tolist() == [1.0, 1.0, 1.0]


def test_windows_start_with_the_first_event_or_lie_in_quiet_years() -> None:
    events = pd.DataFrame(
        {"parcel_id": ["a", "a", "late"], "start": pd.to_datetime(["2022-05-01", "2022-03-01", "2022-12-01"])}
    )
    quiet = pd.DataFrame(
        {
            "parcel_id": ["a", "b"],
            "start": pd.to_datetime(["2021-01-01", "2021-01-01"]),
            "end": pd.to_datetime(["2021-12-31", "2021-12-31"]),
        }
    )
    truth = Truth(parcels=pd.DataFrame(), events=events, quiet_years=quiet)
    found = blind_windows(truth, pd.DataFrame({"day": pd.to_datetime(["2022-12-31"])}), days=60)
    assert found["a"] == (dt.date(2022, 3, 1), dt.date(2022, 4, 30))
    assert "late" not in found  # the world ends before the window does
    first, last = found["b"]
    assert dt.date(2021, 1, 1) <= first < last <= dt.date(2021, 12, 31)
    assert blind_windows(truth, pd.DataFrame({"day": pd.to_datetime(["2022-12-31"])}), days=60) == found
