"""Files are what other readers take for cloud-optimised GeoTIFFs."""

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from geocollateral.simulate.cog import Georeference, encode_cog, write_cog

WHERE = Georeference(epsg=32650, left=300_000, top=4_000_020, pixel_m=10)


def image(dtype: str, shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(3000, 900, shape) if dtype != "u1" else rng.integers(0, 12, shape)
    return values.astype(dtype)


@pytest.mark.parametrize(("dtype", "nodata"), [("u1", 0), ("u2", 0), ("f4", -32768.0)])
@pytest.mark.parametrize("shape", [(16, 16), (100, 133), (64, 65)])
def test_three_readers_agree(tmp_path: Path, dtype: str, nodata: float, shape: tuple[int, int]) -> None:
    path, wanted = tmp_path / "a.tif", image(dtype, shape)
    write_cog(path, wanted, WHERE, nodata=nodata, tile=32)
    with rasterio.open(path, driver="GTiff") as file:
        assert np.array_equal(file.read(1), wanted)
        assert file.transform[:6] == (10, 0, 300_000, 0, -10, 4_000_020)
        assert file.crs.to_epsg() == 32650
        assert file.nodata == nodata
        assert file.dtypes == (wanted.dtype.name,)
        assert file.profile["tiled"]
        assert file.profile["compress"] == "deflate"
        assert file.overviews(1) == [2, 4, 8][: max(0, int(np.ceil(np.log2(max(shape) / 32))))]
    with tifffile.TiffFile(path) as file:
        assert np.array_equal(file.pages[0].asarray(), wanted)
        assert file.is_geotiff


def test_directories_come_first_then_overviews() -> None:
    data = encode_cog(image("u2", (200, 200)), WHERE, nodata=0, tile=32, resampling="average")
    places, offset = [], struct.unpack("<I", data[4:8])[0]
    ends = []
    while offset:
        count = struct.unpack("<H", data[offset : offset + 2])[0]
        tags = {}
        for n in range(count):
            number, kind, size, value = struct.unpack("<HHII", data[offset + 2 + 12 * n : offset + 14 + 12 * n])
            tags[number] = (kind, size, value)
        _, size, value = tags[324]
        places.append([value] if size == 1 else list(struct.unpack(f"<{size}I", data[value : value + 4 * size])))
        end = offset + 2 + 12 * count
        ends.append(end)
        offset = struct.unpack("<I", data[end : end + 4])[0]
    assert len(places) == 4
    assert max(ends) < min(min(level) for level in places)
    assert all(max(coarse) < min(fine) for fine, coarse in pairwise(places))


def test_overviews_leave_nodata_out() -> None:
    values = np.full((64, 64), 3000, np.uint16)
    values[:, ::2] = 0
    values[:2, :2] = 0
    data = encode_cog(values, WHERE, nodata=0, tile=32, resampling="average")
    with rasterio.MemoryFile(data) as memory, memory.open() as file:
        small = file.read(1, out_shape=(32, 32))
    assert small[0, 0] == 0
    assert set(np.unique(small)) == {0, 3000}


@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from(["u1", "u2", "f4"]), st.integers(0, 1000))
def test_any_shape_comes_back(rows: int, columns: int, dtype: str, seed: int) -> None:
    wanted = image(dtype, (rows, columns), seed)
    data = encode_cog(wanted, WHERE, nodata=0, tile=16, resampling="nearest")
    with rasterio.MemoryFile(data) as memory, memory.open() as file:
        assert np.array_equal(file.read(1), wanted)
