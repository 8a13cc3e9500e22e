"""Records that cannot be wrong, and the checks at the border of every room."""

import datetime as dt

import geopandas as gpd
import numpy as np
import pytest
import xarray as xr
from pydantic import Field, ValidationError
from shapely import box

from geocollateral import types
from geocollateral.errors import BrokenData
from geocollateral.types import Params, Period, require_cube, require_parcels

# ---------------------------------------------------------------------------------------------------------------- names


def test_band_names_are_unique() -> None:
    assert len(set(types.BANDS)) == len(types.BANDS)
    assert {"scl", "vv", "vh", "nir08"} < set(types.BANDS)
    assert "scl" not in types.OPTICAL_BANDS


def test_change_statuses_are_the_numbers_0_to_4() -> None:
    names = ("STABLE", "SUSPECTED", "CONFIRMED", "UNSTABLE_HISTORY", "CANNOT_TELL")
    assert [getattr(types, name) for name in names] == [0, 1, 2, 3, 4]
    assert tuple(name.lower() for name in names) == types.CHANGE_STATUSES


def test_every_read_status_is_an_observation_status() -> None:
    assert set(types.OBSERVATION_STATUSES) - set(types.READ_STATUSES) == {"masked"}


def test_fifteen_mu_are_one_hectare() -> None:
    assert pytest.approx(10_000) == 15 * types.MU_M2


# -------------------------------------------------------------------------------------------------------------- records


@pytest.mark.parametrize("start", [None, dt.date(2020, 1, 1), dt.date(2020, 1, 31)])
def test_period(start: dt.date | None) -> None:
    assert Period(start=start, end=dt.date(2020, 1, 31)).start == start


def test_period_that_ends_before_it_starts() -> None:
    with pytest.raises(BrokenData, match="2020-02-01 after its end 2020-01-31"):
        Period(start=dt.date(2020, 2, 1), end=dt.date(2020, 1, 31))


class Knobs(Params):
    looks: int = Field(3, ge=1)


def test_params_are_frozen() -> None:
    knobs = Knobs()
    with pytest.raises(ValidationError, match="frozen"):
        knobs.looks = 4  # type: ignore[misc]


@pytest.mark.parametrize("given", [{"lokos": 4}, {"looks": 0}])
def test_params_refuse(given: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Knobs(**given)


# --------------------------------------------------------------------------------------------------------------- checks


def build_cube() -> xr.Dataset:
    time = np.array(["2020-01-01", "2020-01-06", "2020-01-06"], "datetime64[ns]")
    red = xr.DataArray(np.zeros((3, 2, 2), "float32"), dims=("time", "y", "x"), coords={"time": time})
    return xr.Dataset({"red": red}, attrs={"crs": "EPSG:32635", "transform": (10.0, 0.0, 0.0, 0.0, -10.0, 0.0)})


def test_cube_passes_and_is_returned() -> None:
    cube = build_cube()
    assert require_cube(cube, "red") is cube


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cube: cube.drop_vars("red"), r"lacks variable 'red'; it has \[\]"),
        (
            lambda cube: cube.transpose("y", "x", "time"),
            r"dims \('time', 'y', 'x'\), got \('y', 'x', 'time'\)",
        ),
        (lambda cube: cube.drop_attrs().assign_attrs(transform=(1,) * 6), r"lacks attrs\['crs'\]"),
        (lambda cube: cube.drop_attrs().assign_attrs(crs="EPSG:32635"), r"lacks attrs\['transform'\]"),
        (lambda cube: cube.isel(time=[2, 1, 0]), "time must not fall"),
    ],
    ids=["variable", "dims", "crs", "transform", "time"],
)
def test_cube_is_refused(spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BrokenData, match=message):
        require_cube(spoil(build_cube()), "red")


def build_parcels() -> gpd.GeoDataFrame:
    squares = [box(0, 0, 1, 1), box(1, 0, 2, 1)]
    frame = gpd.GeoDataFrame({"asset_class": "forestry"}, geometry=squares, index=["a", "b"], crs="EPSG:4326")
    return frame.rename_axis("parcel_id")


def test_parcels_pass_and_are_returned() -> None:
    parcels = build_parcels()
    assert require_parcels(parcels, "asset_class") is parcels


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda parcels: parcels.rename_axis("id"), "index named 'parcel_id', got 'id'"),
        (lambda parcels: parcels.iloc[[0, 0]], "unique index"),
        (lambda parcels: parcels.to_crs("EPSG:3857"), "EPSG:4326, got EPSG:3857"),
        (lambda parcels: parcels.set_crs(None, allow_override=True), "EPSG:4326, got None"),
        (lambda parcels: parcels.drop(columns="asset_class"), r"lack columns \['asset_class'\]"),
    ],
    ids=["index name", "duplicate", "crs", "no crs", "column"],
)
def test_parcels_are_refused(spoil, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BrokenData, match=message):
        require_parcels(spoil(build_parcels()), "asset_class")
