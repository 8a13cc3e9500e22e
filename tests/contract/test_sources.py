"""Every source of imagery keeps the same promises."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from servers.catalogue import COMMON, Scene, collection, lonlat_bounds, sentinel2_item, write_catalogue, write_parquet
from servers.moto import Moto
from servers.nginx import Nginx
from servers.pgstac import PgStac
from servers.sentinelhub import SentinelHubServer
from zarr.errors import UnstableSpecificationWarning

from geocollateral.errors import BrokenData
from geocollateral.sources import open_source
from geocollateral.sources.raster.access import AccessParams
from geocollateral.types import OPTICAL_BANDS, READ_STATUSES, Block, Period, Source

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
    serve: Callable[[Path, ExitStack], Source] | None = None
    """Opens a source that needs servers, which run until the stack is closed; in place of `open`."""
    bounds: tuple[float, float, float, float] = EVERYWHERE
    """What to search: a service refuses to list the world."""
    has_digests: bool = True
    """Its catalogue is a file."""
    may_reach_past: bool = False
    """A block may reach past the scenes' grid, on their lattice."""
    padded: bool = False
    """The grid reaches beyond the scenes."""


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


def written(folder: Path, assets_at: str | None = None) -> Path:
    """A static catalogue of four scenes, two of them on one day; its first document."""
    days = ("2021-03-01T03:00:00", "2020-01-05T02:30:00", "2020-06-01T02:30:00", "2020-06-01T02:31:00")
    scenes = [
        Scene(day=day, platform=f"sentinel-2{unit}", baseline="05.00") for day, unit in zip(days, "abab", strict=True)
    ]
    items = [sentinel2_item(folder, scene, "earth-search-c1", assets_at=assets_at) for scene in scenes]
    return write_catalogue(folder, items)


def items_below(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((folder / "items").glob("*.json"))]


def open_parquet(folder: Path) -> Source:
    written(folder)
    return open_source(str(write_parquet(folder / "list.parquet", items_below(folder))))


def serve_nginx(folder: Path, stack: ExitStack) -> Source:
    """A static catalogue on a web server."""
    written(folder / "www")
    server = stack.enter_context(Nginx(folder / "www", folder / "nginx"))
    return open_source(f"stac:{server.url}/catalog.json")


def serve_api(folder: Path, stack: ExitStack) -> Source:
    """A STAC API that knows of files on a web server."""
    server = stack.enter_context(Nginx(folder / "www", folder / "nginx"))
    written(folder / "www", assets_at=server.url)
    name = "sentinel-2-c1-l2a"
    api = stack.enter_context(PgStac(folder / "pgstac", [collection(name)], items_below(folder / "www")))
    return open_source(f"stac:{api.url}#{name}", AccessParams(origins=(server.url,)))


def serve_s3(folder: Path, stack: ExitStack) -> Source:
    """A static catalogue in a private bucket of an S3 server."""
    written(folder / "bucket")
    server = stack.enter_context(Moto(folder / "moto.log"))
    server.put_folder("scenes", folder / "bucket")
    environment = stack.enter_context(pytest.MonkeyPatch.context())
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "not a secret")
    return open_source("stac:s3://scenes/catalog.json", AccessParams(s3_endpoint=server.endpoint))


def serve_hub(folder: Path, stack: ExitStack) -> Source:
    """A Sentinel Hub that runs our evalscripts over the files; answers are kept, so that each is computed once."""
    written(folder / "archive")
    server = stack.enter_context(SentinelHubServer(folder / "archive"))
    environment = stack.enter_context(pytest.MonkeyPatch.context())
    environment.setenv("SH_CLIENT_ID", server.client_id)
    environment.setenv("SH_CLIENT_SECRET", server.client_secret)
    return open_source(f"sentinelhub:{server.base_url}", AccessParams(cache_dir=folder / "cache"))


def hub_case() -> Case:
    """The four scenes of `written` as Sentinel Hub gives them: all bands, the offset taken off."""
    return Case(
        open=open_netcdf,
        serve=serve_hub,
        bands={**dict.fromkeys(OPTICAL_BANDS, "uint16"), "scl": "uint8"},
        absent="vv",
        n_scenes=4,
        scale={**dict.fromkeys(OPTICAL_BANDS, (1e-4, 0.0)), "scl": (1.0, 0.0)},
        bounds=lonlat_bounds(),
        has_digests=False,
        may_reach_past=True,
        padded=True,
    )


def stac_case(open: Callable[[Path], Source] = open_netcdf, **facts: Any) -> Case:  # noqa: A002
    """The four scenes of `written`, however they are reached."""
    optical = [band for band in COMMON if band != "scl"]
    return Case(
        open=open,
        bands={**dict.fromkeys(optical, "uint16"), "scl": "uint8"},
        absent="coastal",
        n_scenes=4,
        scale={**dict.fromkeys(optical, REFLECTANCE), "scl": (1.0, 0.0)},
        may_reach_past=True,
        **facts,
    )


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
    pytest.param(stac_case(open=lambda folder: open_source(str(written(folder).parent))), id="stac-folder"),
    pytest.param(stac_case(open=open_parquet), id="stac-parquet"),
    pytest.param(stac_case(serve=serve_nginx), id="stac-nginx", marks=pytest.mark.nginx),
    pytest.param(
        stac_case(serve=serve_api, bounds=lonlat_bounds(), has_digests=False),
        id="stac-api-nginx",
        marks=[pytest.mark.postgis, pytest.mark.nginx],
    ),
    pytest.param(stac_case(serve=serve_s3), id="stac-s3", marks=pytest.mark.s3),
    pytest.param(hub_case(), id="sentinelhub"),
]


def grid_of(item: pystac.Item) -> GeoBox:
    facts = item.properties
    return GeoBox(facts["proj:shape"], Affine(*facts["proj:transform"]), facts["proj:code"])


def crop(grid: GeoBox, rows: tuple[int, int], columns: tuple[int, int]) -> GeoBox:
    corner = grid.affine @ Affine.translation(columns[0], rows[0])
    return GeoBox((rows[1] - rows[0], columns[1] - columns[0]), corner, grid.crs)


def pixels_of(numbers: xr.Dataset) -> xr.Dataset:
    """Without what says where the pixels came from, which differs from window to window."""
    return numbers.drop_attrs().drop_vars(["sha256", "offset_evidence"], errors="ignore")


def block_of(geobox: GeoBox, items: list[pystac.Item]) -> Block:
    return Block(block_id="b", geobox=geobox, parcel_ids=("p",), items=tuple(items))


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def source(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Source]:
    folder = tmp_path_factory.mktemp("source")
    with ExitStack() as stack:
        yield case.serve(folder, stack) if case.serve else case.open(folder)


@pytest.fixture(scope="module")
def items(case: Case, source: Source) -> list[pystac.Item]:
    return source.search(case.bounds, EVER)


@pytest.fixture(scope="module")
def full(case: Case, source: Source, items: list[pystac.Item]) -> xr.Dataset:
    return source.read(block_of(grid_of(items[0]), items), list(case.bands))


class TestSource:
    def test_is_a_source_that_names_its_licence(self, case: Case, source: Source) -> None:
        assert isinstance(source, Source)
        assert source.info.licence
        assert all(len(digest) == 64 for digest in source.info.sha256.values())
        assert bool(source.info.sha256) == case.has_digests

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

    def test_period_has_both_its_ends_and_never_looks_ahead(
        self, case: Case, source: Source, items: list[pystac.Item]
    ) -> None:
        days = [item.datetime.date() for item in items if item.datetime]
        for start, end in [(None, days[0]), (days[0], days[-1]), (days[1], days[2]), (days[-1], days[-1])]:
            found = source.search(case.bounds, Period(start=start, end=end))
            wanted = [
                i.id for i, day in zip(items, days, strict=True) if day <= end and (start is None or day >= start)
            ]
            assert [item.id for item in found] == wanted
        assert source.search(case.bounds, Period(start=None, end=days[0] - dt.timedelta(days=1))) == []

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
        if case.padded:  # to where there are scenes
            rows, columns = ((span[0] + 140, span[1] + 140) for span in (rows, columns))
        got = source.read(block_of(crop(grid_of(items[0]), rows, columns), items), list(case.bands))
        assert pixels_of(got).equals(pixels_of(full.isel(y=slice(*rows), x=slice(*columns))))

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
        past = crop(grid, (-1, 4), (0, 4))
        if case.may_reach_past:
            got = source.read(block_of(past, items), ["red"])
            assert (got["red"][:, 0] == got["red"].attrs["nodata"]).all()
            if not case.padded:
                assert (got["red"][:, 1:] != got["red"].attrs["nodata"]).all()
            assert (got["status"] == ("outside" if case.padded else "ok")).all()
        for wrong in (
            *(() if case.may_reach_past else (past,)),
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
