"""Every source of imagery keeps the same promises."""

from __future__ import annotations

import datetime as dt
import pickle
import shutil
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pystac
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from zarr.errors import UnstableSpecificationWarning

from geocollateral.errors import BrokenData
from geocollateral.sources import open_source
from geocollateral.types import READ_STATUSES, Block, Period, Source

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
EVER = Period(start=None, end=dt.date(2100, 1, 1))
TIMES = np.array(
    ["2021-03-01T03:00", "2020-01-05T02:30", "2020-06-01T02:30", "2020-06-01T02:30"], dtype="datetime64[ns]"
)
CRS = "EPSG:32650"


@dataclass(frozen=True, kw_only=True)
class Case:
    """A source and what is known of it."""

    open: Callable[[Path], Source]
    bands: Mapping[str, str]
    """Bands it has and their types."""
    absent: str
    """A band it has not."""
    n_scenes: int
    scale: Mapping[str, tuple[float, float]]
    """Scale and offset by band."""


def optical_cube() -> xr.Dataset:
    """4 scenes of 12 x 14 pixels of 10 m, each pixel with a number of its own."""
    count = np.arange(4 * 12 * 14).reshape(4, 12, 14)
    attrs = {"scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": np.uint16(0), "grid_mapping": "spatial_ref"}
    scl = {"_FillValue": np.uint8(0), "grid_mapping": "spatial_ref"}
    return xr.Dataset(
        {
            "B04": (("time", "y", "x"), (count + 1).astype("uint16"), attrs),
            "nir": (("time", "y", "x"), (count + 2001).astype("uint16"), attrs),
            "SCL": (("time", "y", "x"), (count % 11 + 1).astype("uint8"), scl),
            "spatial_ref": ((), 0, {"crs_wkt": GeoBox((1, 1), Affine.identity(), CRS).crs.wkt}),
        },
        coords={"time": TIMES, "y": 4_400_115.0 - 10 * np.arange(12), "x": 500_005.0 + 10 * np.arange(14)},
    )


def radar_cube() -> xr.Dataset:
    """The same grid with linear VV and VH in dB, platforms and orbits, rows from south to north."""
    count = np.arange(4 * 12 * 14, dtype="float32").reshape(4, 12, 14)
    dims = ("time", "y", "x")
    nan = {"_FillValue": np.float32("nan"), "grid_mapping": "spatial_ref"}
    return xr.Dataset(
        {
            "VV": (dims, 0.01 + count / 1e4, {"units": "1", **nan}),
            "vh": (dims, -20 + count / 1e3, {"units": "dB", **nan}),
            "platform": ("time", ["sentinel-1a", "sentinel-1a", "sentinel-1b", "sentinel-1b"]),
            "orbit": ("time", ["ascending"] * 4),
            "scene_id": ("time", ["s3", "s0", "s1", "s1"]),
            "spatial_ref": ((), 0, {"spatial_ref": GeoBox((1, 1), Affine.identity(), CRS).crs.wkt}),
        },
        coords={"time": TIMES, "y": 4_400_005.0 + 10 * np.arange(12), "x": 500_005.0 + 10 * np.arange(14)},
    )


def open_netcdf(folder: Path) -> Source:
    optical_cube().to_netcdf(folder / "cube.nc", engine="h5netcdf")
    return open_source(f"cube:{folder / 'cube.nc'}")


def open_netcdf3(folder: Path) -> Source:
    cube = optical_cube()
    for name in ("B04", "nir"):
        cube[name] = cube[name].astype("int16").assign_attrs(cube[name].attrs | {"_FillValue": np.int16(0)})
    cube.to_netcdf(folder / "cube3.nc", engine="scipy")
    return open_source(f"cube:{folder / 'cube3.nc'}")


def open_zarr(folder: Path, version: int) -> Source:
    warnings.simplefilter("ignore", UnstableSpecificationWarning)
    encoding = {name: {"chunks": (1, 5, 5)} for name in ("VV", "vh")}
    radar_cube().to_zarr(folder / "radar.zarr", zarr_format=version, consolidated=False, encoding=encoding)
    return open_source(f"cube:{folder / 'radar.zarr'}")


def open_zip(folder: Path) -> Source:
    cube = radar_cube().drop_vars(["platform", "orbit", "scene_id"])
    cube.to_zarr(folder / "radar.zarr", zarr_format=3, consolidated=False)
    shutil.make_archive(str(folder / "radar.zarr"), "zip", folder / "radar.zarr")
    return open_source(f"cube:{folder / 'radar.zarr.zip'}")


REFLECTANCE = (1e-4, -0.1)
OPTICAL = Case(
    open=open_netcdf,
    bands={"red": "uint16", "nir": "uint16", "scl": "uint8"},
    absent="swir16",
    n_scenes=4,
    scale={"red": REFLECTANCE, "nir": REFLECTANCE, "scl": (1.0, 0.0)},
)
RADAR = Case(
    open=open_zip,
    bands={"vv": "float32", "vh": "float32"},
    absent="red",
    n_scenes=4,
    scale={"vv": (1.0, 0.0), "vh": (1.0, 0.0)},
)
SAMPLE_BANDS = ("blue", "green", "red", "nir", "nir08", "swir16")
SAMPLE = Case(
    open=lambda _: open_source("sample:romania"),
    bands=dict.fromkeys((*SAMPLE_BANDS, "scl"), "uint16"),
    absent="vv",
    n_scenes=140,
    scale={**dict.fromkeys(SAMPLE_BANDS, (1e-4, 0.0)), "scl": (1.0, 0.0)},
)
CASES = [
    pytest.param(SAMPLE, id="sample", marks=pytest.mark.sample),
    pytest.param(OPTICAL, id="netcdf4"),
    pytest.param(
        Case(
            open=open_netcdf3,
            bands={"red": "int16", "nir": "int16", "scl": "int8"},
            absent="swir16",
            n_scenes=4,
            scale=OPTICAL.scale,
        ),
        id="netcdf3",
    ),
    pytest.param(
        Case(open=lambda folder: open_zarr(folder, 2), bands=RADAR.bands, absent="red", n_scenes=4, scale=RADAR.scale),
        id="zarr2",
    ),
    pytest.param(
        Case(open=lambda folder: open_zarr(folder, 3), bands=RADAR.bands, absent="red", n_scenes=4, scale=RADAR.scale),
        id="zarr3",
    ),
    pytest.param(RADAR, id="zarr-zip"),
]


def grid_of(item: pystac.Item) -> GeoBox:
    facts = item.properties
    return GeoBox(facts["proj:shape"], Affine(*facts["proj:transform"]), facts["proj:code"])


def crop(grid: GeoBox, rows: tuple[int, int], columns: tuple[int, int]) -> GeoBox:
    corner = grid.affine @ Affine.translation(columns[0], rows[0])
    return GeoBox((rows[1] - rows[0], columns[1] - columns[0]), corner, grid.crs)


def block_of(geobox: GeoBox, items: list[pystac.Item]) -> Block:
    return Block(block_id="b", geobox=geobox, parcel_ids=("p",), items=tuple(items))


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def source(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Source:
    return case.open(tmp_path_factory.mktemp("source"))


@pytest.fixture(scope="module")
def items(source: Source) -> list[pystac.Item]:
    return source.search(EVERYWHERE, EVER)


@pytest.fixture(scope="module")
def full(case: Case, source: Source, items: list[pystac.Item]) -> xr.Dataset:
    return source.read(block_of(grid_of(items[0]), items), list(case.bands))


class TestSource:
    def test_is_a_source_that_names_its_licence(self, case: Case, source: Source) -> None:
        assert isinstance(source, Source)
        assert source.info.licence
        assert all(len(digest) == 64 for digest in source.info.sha256.values())
        assert source.info.sha256

    def test_items_are_ordered_unique_and_complete(self, case: Case, items: list[pystac.Item]) -> None:
        keys = [(item.datetime, item.id) for item in items]
        assert len(items) == case.n_scenes
        assert keys == sorted(keys)
        assert len({item.id for item in items}) == len(items)
        for item in items:
            assert item.datetime is not None
            assert item.datetime.utcoffset() == dt.timedelta(0)
            assert set(item.assets) == set(case.bands)
            assert all(asset.extra_fields["gsd"] >= 10 for asset in item.assets.values())
            pystac.Item.from_dict(item.to_dict())

    def test_period_has_both_its_ends_and_never_looks_ahead(self, source: Source, items: list[pystac.Item]) -> None:
        days = [item.datetime.date() for item in items if item.datetime]
        for start, end in [(None, days[0]), (days[0], days[-1]), (days[1], days[2]), (days[-1], days[-1])]:
            found = source.search(EVERYWHERE, Period(start=start, end=end))
            wanted = [
                i.id for i, day in zip(items, days, strict=True) if day <= end and (start is None or day >= start)
            ]
            assert [item.id for item in found] == wanted
        assert source.search(EVERYWHERE, Period(start=None, end=days[0] - dt.timedelta(days=1))) == []

    def test_bounds_elsewhere_find_nothing(self, source: Source, items: list[pystac.Item]) -> None:
        west, south, east, north = items[0].bbox or []
        assert source.search((east + 1, south, east + 2, north), EVER) == []
        assert len(source.search((west, south, east, north), EVER)) == len(items)

    def test_read_gives_numbers_in_their_own_type(self, case: Case, full: xr.Dataset, items: list[pystac.Item]) -> None:
        rows, columns = items[0].properties["proj:shape"]
        assert {band: str(full[band].dtype) for band in case.bands} == dict(case.bands)
        for band in case.bands:
            assert full[band].dims == ("time", "y", "x")
            assert full[band].shape == (len(items), rows, columns)
            assert "nodata" in full[band].attrs
        assert list(full["scene_id"].values) == [item.id for item in items]
        assert full["time"].dtype == "datetime64[ns]"
        assert full.attrs["crs"] == items[0].properties["proj:code"]
        assert list(full.attrs["transform"]) == items[0].properties["proj:transform"]

    def test_scale_and_offset_by_time_and_band(self, case: Case, full: xr.Dataset) -> None:
        for band, (scale, offset) in case.scale.items():
            assert (full["scale"].sel(band=band) == scale).all()
            assert (full["offset"].sel(band=band) == offset).all()

    def test_every_scene_and_band_has_a_status(self, case: Case, full: xr.Dataset) -> None:
        assert full["status"].dims == ("time", "band")
        assert set(np.unique(full["status"])) == {"ok"} <= set(READ_STATUSES)

    def test_coordinates_are_pixel_centres(self, full: xr.Dataset) -> None:
        a = Affine(*full.attrs["transform"])
        assert np.allclose(full["x"], a.c + a.a / 2 + a.a * np.arange(full.sizes["x"]), rtol=0, atol=1e-6)
        assert np.allclose(full["y"], a.f + a.e / 2 + a.e * np.arange(full.sizes["y"]), rtol=0, atol=1e-6)

    @pytest.mark.parametrize(("rows", "columns"), [((0, 1), (0, 1)), ((3, 8), (5, 12)), ((5, 12), (1, 14))])
    def test_window_is_a_slice_of_the_whole(
        self,
        case: Case,
        source: Source,
        items: list[pystac.Item],
        full: xr.Dataset,
        rows: tuple[int, int],
        columns: tuple[int, int],
    ) -> None:
        got = source.read(block_of(crop(grid_of(items[0]), rows, columns), items), list(case.bands))
        assert got.drop_attrs().equals(full.isel(y=slice(*rows), x=slice(*columns)).drop_attrs())

    def test_some_scenes_in_any_order(
        self, case: Case, source: Source, items: list[pystac.Item], full: xr.Dataset
    ) -> None:
        some = [items[-1], items[0], items[2]]
        got = source.read(block_of(grid_of(items[0]), some), list(case.bands))
        assert got.equals(full.isel(time=[0, 2, len(items) - 1]))

    def test_no_scenes(self, case: Case, source: Source, items: list[pystac.Item]) -> None:
        got = source.read(block_of(grid_of(items[0]), []), list(case.bands))
        assert got.sizes["time"] == 0

    def test_absent_band_is_missing_and_the_others_are_fine(
        self, case: Case, source: Source, items: list[pystac.Item], full: xr.Dataset
    ) -> None:
        present = next(iter(case.bands))
        got = source.read(block_of(grid_of(items[0]), items), [case.absent, present])
        assert case.absent not in got
        assert (got["status"].sel(band=case.absent) == "missing").all()
        assert np.isnan(got["scale"].sel(band=case.absent)).all()
        assert (got["status"].sel(band=present) == "ok").all()
        assert got[present].equals(full[present])

    def test_block_off_the_grid_is_refused(self, case: Case, source: Source, items: list[pystac.Item]) -> None:
        grid = grid_of(items[0])
        for wrong in (
            crop(grid, (-1, 4), (0, 4)),
            GeoBox(grid.shape, grid.affine @ Affine.translation(0.5, 0), grid.crs),
        ):
            with pytest.raises(BrokenData, match="A block must lie"):
                source.read(block_of(wrong, items), list(case.bands))

    def test_unknown_scene_is_refused(self, case: Case, source: Source, items: list[pystac.Item]) -> None:
        strange = items[0].clone()
        strange.id = "strange"
        with pytest.raises(BrokenData, match="strange"):
            source.read(block_of(grid_of(items[0]), [strange]), list(case.bands))

    def test_pickles(self, case: Case, source: Source, items: list[pystac.Item], full: xr.Dataset) -> None:
        copy = pickle.loads(pickle.dumps(source))  # noqa: S301, TID251 - our own bytes
        assert copy == source
        assert copy.read(block_of(grid_of(items[0]), items), list(case.bands)).equals(full)

    def test_two_threads_at_once(self, case: Case, source: Source, items: list[pystac.Item], full: xr.Dataset) -> None:
        block = block_of(grid_of(items[0]), items)
        with ThreadPoolExecutor(2) as pool:
            for got in pool.map(lambda _: source.read(block, list(case.bands)), range(6)):
                assert got.equals(full)


def test_numbers_arrive_where_they_were(tmp_path: Path) -> None:
    source = open_netcdf(tmp_path)
    items = source.search(EVERYWHERE, EVER)
    got = source.read(block_of(grid_of(items[0]), items), ["red", "scl"])
    cube = optical_cube().isel(time=[1, 2, 3, 0])
    assert np.array_equal(got["red"].values, cube["B04"].values)
    assert np.array_equal(got["scl"].values, cube["SCL"].values)
    assert [item.id for item in items] == [
        "cube_20200105T023000",
        "cube_20200601T023000",
        "cube_20200601T023000-2",
        "cube_20210301T030000",
    ]


def test_rows_stored_south_to_north_are_turned(tmp_path: Path) -> None:
    source = open_zarr(tmp_path, 3)
    items = source.search(EVERYWHERE, EVER)
    got = source.read(block_of(grid_of(items[0]), items), ["vv", "vh"])
    cube = radar_cube().isel(time=[1, 2, 3, 0]).sortby("y", ascending=False)
    assert np.array_equal(got["vv"].values, cube["VV"].values)
    assert np.array_equal(got["y"].values, cube["y"].values)
    assert got["vv"].attrs["units"] == "1"
    assert got["vh"].attrs["units"] == "dB"
    assert list(got["scene_id"].values) == ["s0", "s1", "s1-2", "s3"]
    assert list(got["platform"].values) == ["sentinel-1a", "sentinel-1b", "sentinel-1b", "sentinel-1a"]
    assert set(got["orbit"].values) == {"ascending"}
    assert items[0].properties["constellation"] == "sentinel-1"
    assert items[0].properties["sat:orbit_state"] == "ascending"
