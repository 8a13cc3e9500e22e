"""Cubes on disk: what a cube must say of itself, and what becomes of broken ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pyproj
import pystac
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.sources import SOURCES, open_source
from geocollateral.types import Block, Period, Source

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
EVER = Period(start=None, end=dt.date(2100, 1, 1))
UTM = {"crs_wkt": GeoBox((1, 1), Affine.identity(), "EPSG:32650").crs.wkt}
SCALED = {"scale_factor": 1e-4, "add_offset": 0.0}
Change = Callable[[xr.Dataset], xr.Dataset]


def cube(dtype: str = "uint16", name: str = "B04", **attrs: object) -> xr.Dataset:
    """3 scenes of 4 x 5 pixels of 10 m with one band that holds 1..60."""
    numbers = np.arange(1, 61).reshape(3, 4, 5).astype(dtype)
    return xr.Dataset(
        {name: (("time", "y", "x"), numbers, {"grid_mapping": "spatial_ref"} | attrs), "spatial_ref": ((), 0, UTM)},
        coords={
            "time": np.array(["2020-01-01", "2020-01-11", "2020-01-21"], dtype="datetime64[ns]"),
            "y": 4_400_035.0 - 10 * np.arange(4),
            "x": 500_005.0 + 10 * np.arange(5),
        },
    )


def store(dataset: xr.Dataset, folder: Path, name: str = "cube.nc") -> Path:
    dataset.to_netcdf(folder / name, engine="h5netcdf")
    return folder / name


def read_all(source: Source, *bands: str) -> xr.Dataset:
    items = source.search(EVERYWHERE, EVER)
    facts = items[0].properties
    geobox = GeoBox(facts["proj:shape"], Affine(*facts["proj:transform"]), facts["proj:code"])
    return source.read(Block(block_id="b", geobox=geobox, parcel_ids=(), items=tuple(items)), bands)


def scale_of(source: Source, band: str) -> tuple[float, float]:
    got = read_all(source, band).isel(time=0).sel(band=band)
    return float(got["scale"]), float(got["offset"])


class TestSpec:
    def test_known_schemes(self) -> None:
        assert set(SOURCES) >= {"sample", "cube"}

    @pytest.mark.parametrize(
        ("spec", "parts"),
        [
            ("cubes:x", ["Unknown imagery source 'cubes'", "Did you mean 'cube'", "cube", "sample", "earth-search"]),
            ("romania", ["SCHEME:WHAT", "'romania'", "cube", "sample", "earth-search"]),
            ("cube:", ["SCHEME:WHAT"]),
        ],
    )
    def test_wrong_spec_lists_what_is_known(self, spec: str, parts: list[str]) -> None:
        with pytest.raises(InvalidInput) as caught:
            open_source(spec)
        assert all(part in str(caught.value) for part in parts)

    def test_unknown_option_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match=r"no option colour.*scale, offset, crs, backscatter"):
            open_source(f"cube:{store(cube(**SCALED), tmp_path)}", colour="red")

    def test_wrong_option_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="scale='much'"):
            open_source(f"cube:{store(cube(**SCALED), tmp_path)}", scale="much")

    def test_option_none_is_not_given(self, tmp_path: Path) -> None:
        assert open_source(f"cube:{store(cube(**SCALED), tmp_path)}", scale=None, crs=None)


class TestScale:
    """Three ways to declare it, none to guess it."""

    @pytest.mark.parametrize(
        ("dataset", "options", "expected"),
        [
            (cube(**SCALED), {}, (1e-4, 0.0)),
            (cube(scale_factor=1e-4), {}, (1e-4, 0.0)),
            (cube(scale_factor=1e-4, add_offset=-0.1), {}, (1e-4, -0.1)),
            (cube(), {"scale": 1e-4}, (1e-4, 0.0)),
            (cube(), {"scale": 1e-4, "offset": -0.1}, (1e-4, -0.1)),
            (cube(scale_factor=1e-4, add_offset=-0.1), {"scale": 1e-4, "offset": -0.1}, (1e-4, -0.1)),
            (cube("float32", units="1"), {}, (1.0, 0.0)),
            (cube("float32"), {"scale": 1}, (1.0, 0.0)),
            (cube("float32", **SCALED), {}, (1e-4, 0.0)),
        ],
    )
    def test_declared(
        self, tmp_path: Path, dataset: xr.Dataset, options: dict[str, float], expected: tuple[float, float]
    ) -> None:
        assert scale_of(open_source(f"cube:{store(dataset, tmp_path)}", **options), "red") == expected

    @pytest.mark.parametrize(
        ("dataset", "options", "parts"),
        [
            (cube(), {}, ["'B04' (uint16)", "scale_factor", "--scale", "never guessed"]),
            (cube(units="1"), {}, ["'B04' (uint16)", "--scale"]),
            (cube("float32"), {}, ["'B04' (float32)", "units='1'", "--scale 1"]),
            (cube(add_offset=-0.1), {}, ["add_offset without scale_factor"]),
            (cube(), {"offset": -0.1}, ["without scale"]),
            (cube(**SCALED), {"scale": 1e-4, "offset": -0.1}, ["add_offset=0", "offset=-0.1"]),
            (cube(scale_factor=1e-4, add_offset=-1000), {}, ["offset=-1000", "-0.1"]),
            (cube(), {"scale": 10_000}, ["scale=10000", "less than or equal to 1"]),
            (cube(scale_factor=10_000.0), {}, ["0 < scale <= 1"]),
            (cube(scale_factor="x"), {}, ["expected one number"]),
            (cube(name="SCL", dtype="float32"), {}, ["scene classes", "uint8"]),
            (cube(name="SCL", **SCALED), {}, ["cannot be scaled"]),
            (cube("float32", "VV"), {}, ["'VV'", "linear power or dB", "--backscatter"]),
            (cube("int16", "VV", units="dB"), {}, ["integers without scale_factor"]),
            (cube("int16", "VV", units="dB", scale_factor=0.01), {}, ["must declare _FillValue"]),
            (cube("float32", "VV", units="dB"), {"backscatter": "linear"}, ["units='db'", "backscatter=linear"]),
        ],
    )
    def test_silent_or_contradicting(
        self, tmp_path: Path, dataset: xr.Dataset, options: dict[str, object], parts: list[str]
    ) -> None:
        with pytest.raises(InvalidInput) as caught:
            open_source(f"cube:{store(dataset, tmp_path)}", **options)
        assert all(part in str(caught.value) for part in parts), caught.value

    @pytest.mark.parametrize(("given", "units"), [("linear", "1"), ("dB", "dB")])
    def test_backscatter_by_option(self, tmp_path: Path, given: str, units: str) -> None:
        source = open_source(f"cube:{store(cube('float32', 'vv'), tmp_path)}", backscatter=given)
        assert read_all(source, "vv")["vv"].attrs["units"] == units

    def test_scl_needs_no_scale(self, tmp_path: Path) -> None:
        got = read_all(open_source(f"cube:{store(cube('uint8', 'scl'), tmp_path)}"), "scl")
        assert got["scl"].dtype == "uint8"
        assert got["scl"].attrs["nodata"] == 0


@pytest.mark.parametrize(
    ("dataset", "nodata"),
    [
        (cube("int16", _FillValue=np.int16(-999), **SCALED), -999),
        (cube("int16", missing_value=np.int16(-999), **SCALED), -999),
        (cube("uint16", **SCALED), 0),
        (cube("float32", **SCALED), np.nan),
        (cube("float32", _FillValue=np.float32(-1), **SCALED), -1),
    ],
)
def test_nodata(tmp_path: Path, dataset: xr.Dataset, nodata: float) -> None:
    got = read_all(open_source(f"cube:{store(dataset, tmp_path)}"), "red")["red"].attrs["nodata"]
    assert np.array_equal(got, nodata, equal_nan=True)


@pytest.mark.parametrize("name", ["B8A", "b8a", "nir08", "NIR08"])
def test_names_of_a_band(tmp_path: Path, name: str) -> None:
    assert "nir08" in read_all(open_source(f"cube:{store(cube(name=name, **SCALED), tmp_path)}"), "nir08")


def without_crs(dataset: xr.Dataset) -> xr.Dataset:
    del dataset["B04"].attrs["grid_mapping"]
    return dataset.drop_vars("spatial_ref")


def with_crs(**attrs: object) -> Change:
    return lambda dataset: dataset.assign(spatial_ref=((), 0, attrs))


@pytest.mark.parametrize(
    ("change", "options", "parts"),
    [
        pytest.param(lambda d: d.assign(red=d["B04"]), {}, ["'B04' and 'red' are both band 'red'"], id="twice"),
        pytest.param(lambda d: d.assign(b4=d["B04"]), {}, ["'B04' and 'b4'"], id="twice-in-sentinel-names"),
        pytest.param(lambda d: d.rename(B04="ndvi"), {}, ["No variable is a band", "ndvi"], id="no-band"),
        pytest.param(without_crs, {}, ["no CRS", "--crs"], id="no-crs"),
        pytest.param(with_crs(crs_wkt="nonsense"), {}, ["not a coordinate reference system"], id="crs-nonsense"),
        pytest.param(without_crs, {"crs": "EPSG:99999999"}, ["not a coordinate reference system"], id="crs-option"),
        pytest.param(without_crs, {"crs": "EPSG:4326"}, ["geographic"], id="crs-geographic"),
        pytest.param(without_crs, {"crs": "EPSG:3857"}, ["off in area"], id="crs-web-mercator"),
        pytest.param(without_crs, {"crs": "EPSG:3035"}, ["area of use"], id="crs-elsewhere"),
        pytest.param(without_crs, {"crs": "EPSG:2263"}, ["projected in metres"], id="crs-feet"),
        pytest.param(lambda d: d, {"crs": "EPSG:32649"}, ["The file says", "EPSG:32650"], id="crs-differs"),
        pytest.param(lambda d: d.rename(x="lon", y="lat"), {}, ["geographic grid"], id="lat-lon"),
        pytest.param(lambda d: d.rename(x="easting"), {}, ["must have dims", "easting"], id="dims"),
        pytest.param(lambda d: d.isel(time=0, drop=True), {}, ["must have dims"], id="no-time-dim"),
        pytest.param(lambda d: d.drop_vars("time"), {}, ["no coordinate values along time"], id="no-times"),
        pytest.param(lambda d: d.assign_coords(time=[1, 2, 3]), {}, ["'time' must decode"], id="undated"),
        pytest.param(
            lambda d: d.assign_coords(time=np.array(["2020-01-01", "NaT", "2020-02-01"], dtype="datetime64[ns]")),
            {},
            ["1 missing dates"],
            id="nat",
        ),
        pytest.param(lambda d: d.isel(time=[]), {}, ["is empty"], id="no-scenes"),
        pytest.param(lambda d: d.isel(x=[0]), {}, ["'x' must have at least 2 pixels"], id="one-column"),
        pytest.param(lambda d: d.isel(x=[0, 1, 3]), {}, ["'x' must be evenly spaced", "10 to 20"], id="uneven"),
        pytest.param(lambda d: d.isel(x=slice(None, None, -1)), {}, ["west to east"], id="east-to-west"),
        pytest.param(
            lambda d: d.assign_coords(y=(d["y"] * 1.015).astype("float32")),
            {},
            ["evenly spaced", "float64"],
            id="float32",
        ),
        pytest.param(
            lambda d: d.assign_coords(x=100 + d["x"] / 1e6, y=30 + d["y"] / 1e6),
            {},
            ["coordinates degrees"],
            id="degrees",
        ),
    ],
)
def test_cube_that_does_not_fit(tmp_path: Path, change: Change, options: dict[str, str], parts: list[str]) -> None:
    path = store(change(cube(**SCALED)), tmp_path)
    with pytest.raises(InvalidInput) as caught:
        open_source(f"cube:{path}", **options)
    assert str(caught.value).startswith("cube.nc: ")
    assert all(part in str(caught.value) for part in parts), caught.value


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d.rename(time="t"), id="t"),
        pytest.param(lambda d: d.transpose("x", "time", "y"), id="transposed"),
        pytest.param(lambda d: d.isel(time=[2, 0, 1]), id="unsorted"),
        pytest.param(lambda d: d.isel(y=slice(None, None, -1)), id="south-up"),
        pytest.param(lambda d: d.assign(dem=(("y", "x"), np.zeros((4, 5)))), id="other-variables"),
    ],
)
def test_cube_in_another_order_reads_the_same(tmp_path: Path, change: Change) -> None:
    plain = read_all(open_source(f"cube:{store(cube(**SCALED), tmp_path, 'cube.nc')}"), "red")
    (tmp_path / "other").mkdir()
    assert read_all(open_source(f"cube:{store(change(cube(**SCALED)), tmp_path / 'other')}"), "red").equals(plain)


def test_metres_may_be_called_m(tmp_path: Path) -> None:
    """As openEO back-ends write it; pyproj knows the unit by its size only."""
    wkt = (
        pyproj.CRS("EPSG:32650").to_wkt("WKT1_GDAL").replace('UNIT["metre",1,AUTHORITY["EPSG","9001"]]', 'UNIT["m",1]')
    )
    assert 'UNIT["m",1]' in wkt
    named = cube(**SCALED).assign(spatial_ref=((), 0, {"crs_wkt": wkt}))
    assert read_all(open_source(f"cube:{store(named, tmp_path)}"), "red").attrs["crs"]


def test_crs_by_option(tmp_path: Path) -> None:
    source = open_source(f"cube:{store(without_crs(cube(**SCALED)), tmp_path)}", crs="EPSG:32650")
    assert read_all(source, "red").attrs["crs"] == "EPSG:32650"


@pytest.mark.parametrize(
    ("units", "first"),
    [
        ("hours since 2020-01-01 00:00:00", "2020-01-01T01:00"),
        ("hours since 2020-01-01 00:00:00 +08:00", "2019-12-31T17:00"),
        ("hours since 2020-01-01 00:00:00 -05:00", "2020-01-01T06:00"),
    ],
)
def test_times_are_utc(tmp_path: Path, units: str, first: str) -> None:
    dataset = cube(**SCALED).assign_coords(time=("time", [1, 2, 3], {"units": units}))
    (item, *_) = open_source(f"cube:{store(dataset, tmp_path)}").search(EVERYWHERE, EVER)
    assert item.datetime == dt.datetime.fromisoformat(f"{first}+00:00")


class TestBrokenFiles:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(MissingInput, match="There is no file"):
            open_source(f"cube:{tmp_path / 'none.nc'}")

    @pytest.mark.parametrize(
        ("content", "error", "part"),
        [
            (b"", BrokenData, "is empty"),
            (b"II*\x00rest", InvalidInput, "Expected NetCDF"),
            (b"\x89HDF\r\n\x1a\n", BrokenData, "truncated, corrupt"),
            (b"CDF\x01\x00", BrokenData, "truncated, corrupt"),
            (b"PK\x03\x04....", BrokenData, "truncated, corrupt"),
        ],
    )
    def test_content(self, tmp_path: Path, content: bytes, error: type[Exception], part: str) -> None:
        (tmp_path / "cube.nc").write_bytes(content)
        with pytest.raises(error, match=part):
            open_source(f"cube:{tmp_path / 'cube.nc'}")

    def test_folder_that_is_no_zarr(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="Zarr store"):
            open_source(f"cube:{tmp_path}")

    @pytest.mark.parametrize("engine", ["h5netcdf", "scipy"])
    @pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path: Path, engine: str, share: float) -> None:
        path = tmp_path / "cube.nc"
        cube("int16", **SCALED).to_netcdf(path, engine=engine)  # type: ignore[call-overload]
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(BrokenData, match="truncated, corrupt"):
            open_source(f"cube:{path}")

    def test_corrupt_chunk_costs_one_scene_of_one_band(self, tmp_path: Path) -> None:
        dataset = cube(**SCALED).assign(B08=cube(**SCALED)["B04"])
        path = tmp_path / "cube.nc"
        encoding = {name: {"chunksizes": (1, 4, 5), "zlib": True, "fletcher32": True} for name in ("B04", "B08")}
        dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)
        with h5py.File(path) as file:
            chunk = file["B04"].id.get_chunk_info(1)
        content = bytearray(path.read_bytes())
        content[chunk.byte_offset + 4] ^= 0xFF
        path.write_bytes(content)
        got = read_all(open_source(f"cube:{path}"), "red", "nir")
        assert list(got["status"].sel(band="red").values) == ["ok", "corrupt", "ok"]
        assert (got["status"].sel(band="nir") == "ok").all()
        assert (got["red"][1] == 0).all()
        assert np.array_equal(got["red"][2], dataset["B04"][2])

    def test_zarr_chunk_never_written_is_missing_not_zero(self, tmp_path: Path) -> None:
        path = tmp_path / "cube.zarr"
        dataset = cube(_FillValue=np.uint16(65535), **SCALED)
        dataset.to_zarr(path, zarr_format=3, consolidated=False, encoding={"B04": {"chunks": (1, 4, 3)}})
        (path / "B04" / "c" / "0" / "0" / "0").unlink()
        for half in ("0", "1"):
            (path / "B04" / "c" / "1" / "0" / half).unlink()
        got = read_all(open_source(f"cube:{path}"), "red")
        assert list(got["status"].sel(band="red").values) == ["ok", "missing", "ok"]
        assert (got["red"][0, :, :3] == 65535).all()
        assert np.array_equal(got["red"][0, :, 3:], dataset["B04"][0, :, 3:])
        assert (got["red"][1] == 65535).all()

    def test_corrupt_zarr_chunk(self, tmp_path: Path) -> None:
        path = tmp_path / "cube.zarr"
        cube(**SCALED).to_zarr(path, zarr_format=3, consolidated=False, encoding={"B04": {"chunks": (1, 4, 5)}})
        (path / "B04" / "c" / "2" / "0" / "0").write_bytes(b"half")
        got = read_all(open_source(f"cube:{path}"), "red")
        assert list(got["status"].sel(band="red").values) == ["ok", "ok", "corrupt"]

    def test_scene_without_data_in_the_block_is_outside(self, tmp_path: Path) -> None:
        dataset = cube(**SCALED)
        dataset["B04"][1] = 0
        got = read_all(open_source(f"cube:{store(dataset, tmp_path)}"), "red")
        assert list(got["status"].sel(band="red").values) == ["ok", "outside", "ok"]


def test_scene_ids_given_twice_become_unique(tmp_path: Path) -> None:
    dataset = cube(**SCALED).assign(scene_id=("time", ["s", "s", "s-2"]))
    items = open_source(f"cube:{store(dataset, tmp_path)}").search(EVERYWHERE, EVER)
    assert len({item.id for item in items}) == 3
    assert all(isinstance(item, pystac.Item) for item in items)


def test_a_sentinel_name_may_follow_the_product(tmp_path: Path) -> None:
    """As openEO back-ends name variables; any other word before the name means something else."""
    source = open_source(f"cube:{store(cube(**SCALED).rename(B04='S2-L2A-B04'), tmp_path)}")
    assert read_all(source, "red")["status"].values.tolist() == [["ok"]] * 3
    (tmp_path / "other").mkdir()
    with pytest.raises(InvalidInput, match="No variable is a band"):
        open_source(f"cube:{store(cube(**SCALED).rename(B04='mask-B04'), tmp_path / 'other')}")
