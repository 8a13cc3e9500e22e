"""Pixels of local files against GDAL as judge, and what broken files may not do."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from rasterio.enums import Resampling

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.sources.raster import (
    Access,
    AccessParams,
    Expected,
    RasterRead,
    WindowRequest,
    layout,
    read_profile,
    read_windows,
    tiff,
    window_cost,
)
from geocollateral.sources.raster.request import Undecodable

ROWS, COLS = 150, 170
WINDOW = (slice(11, 140), slice(20, 169))
TRANSFORM = Affine(10, 0, 499_980, 0, -10, 5_000_040)
RNG = np.random.default_rng(2)


def ints(bands: int = 1, dtype: str = "uint16") -> np.ndarray[Any, Any]:
    """Random numbers with holes of zeros."""
    values = RNG.integers(1, 250, (bands, ROWS, COLS)).astype(dtype)
    values[:, 30:50, :60] = 0
    return values


def floats() -> np.ndarray[Any, Any]:
    values = RNG.normal(0, 1, (1, ROWS, COLS)).astype(np.float32)
    values[0, :30, 100:] = np.nan
    return values


def write(path: Path, values: np.ndarray[Any, Any], **options: Any) -> Path:
    chosen = {"driver": "GTiff", "crs": "EPSG:32633", "transform": TRANSFORM, **options}
    bands, rows, cols = values.shape
    with rasterio.open(path, "w", width=cols, height=rows, count=bands, dtype=values.dtype, **chosen) as dataset:
        dataset.write(values)
    return path


def read(path: Path, window: tuple[slice, slice] = WINDOW, band: int = 1, **expected: Any) -> RasterRead:
    request = WindowRequest(
        key="k", href=str(path), version="", window=window, band=band, expected=Expected(**expected)
    )
    [found] = read_windows([request], Access(folders=(path.parent,)))
    return found


TILED = {"tiled": True, "blockxsize": 64, "blockysize": 48}
STRIPS = {"blockysize": 7}
LAYOUTS: dict[str, tuple[Any, dict[str, Any]]] = {
    f"{kind} {codec} {'tiles' if place is TILED else 'strips'}": (
        make,
        {"compress": codec, **place, **more, **({} if codec == "NONE" or not predictor else {"predictor": predictor})},
    )
    for codec in ("NONE", "DEFLATE", "LZW", "ZSTD")
    for place in (TILED, STRIPS)
    for kind, make, predictor, more in (
        ("uint16", ints, 2, {"nodata": 0}),
        ("float32", floats, 3, {}),
        ("rgb", lambda: ints(3, "uint8"), 0, {"photometric": "RGB", "interleave": "pixel"}),
        ("rgba by band", lambda: ints(4, "uint8"), 0, {"photometric": "RGB", "alpha": "YES", "interleave": "band"}),
    )
} | {
    "rgba by pixel": (lambda: ints(4, "uint8"), {"photometric": "RGB", "alpha": "YES", "interleave": "pixel"}),
    "int16": (lambda: ints(1, "int16") - 100, {"compress": "DEFLATE", "predictor": 2, "nodata": -100}),
    "big endian": (ints, {"compress": "DEFLATE", "predictor": 2, "nodata": 0, "ENDIANNESS": "BIG"}),
    "big endian float": (floats, {"compress": "DEFLATE", "predictor": 3, "ENDIANNESS": "BIG"}),
    "15 bits": (ints, {"compress": "DEFLATE", "nodata": 0, "NBITS": 15, **TILED}),
    "BigTIFF": (ints, {"compress": "DEFLATE", "nodata": 0, "BIGTIFF": "YES"}),
    "JPEG rgb": (lambda: ints(3, "uint8"), {"compress": "JPEG", "photometric": "RGB", "interleave": "pixel", **TILED}),
    "WebP": (lambda: ints(3, "uint8"), {"compress": "WEBP", "WEBP_LOSSLESS": "YES", "interleave": "pixel", **TILED}),
    "PackBits": (ints, {"compress": "PACKBITS"}),
    "nodata that the dtype cannot hold": (ints, {"compress": "DEFLATE"}),
    "COG": (ints, {"driver": "COG", "compress": "DEFLATE", "predictor": "YES", "nodata": 0, "blocksize": 64}),
    "JPEG 2000": (ints, {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES"}),
    "turned": (ints, {"transform": TRANSFORM @ Affine.rotation(30), "compress": "DEFLATE"}),
    "CRS without a code": (ints, {"crs": "+proj=laea +lat_0=30 +lon_0=100 +datum=WGS84 +units=m"}),
    "geographic": (ints, {"crs": "EPSG:4326", "transform": Affine(1e-4, 0, 11, 0, -1e-4, 48)}),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_reads_as_gdal_reads_it(tmp_path: Path, name: str) -> None:
    """T5-T8 of the reader: values, masks, grid and CRS; one band at a time."""
    make, options = LAYOUTS[name]
    path = write(tmp_path / ("a.jp2" if name == "JPEG 2000" else "a.tif"), make(), **options)
    with rasterio.open(path) as dataset:
        values, masks, crs = dataset.read(), dataset.read_masks(), dataset.crs
        transform = tuple(dataset.transform)[:6]
    for band in range(1, len(values) + 1):
        found = read(
            path, band=band, shape=(ROWS, COLS), transform=transform, crs=crs.to_wkt(), dtype=values.dtype.name
        )
        there = values[band - 1][WINDOW]
        valid = (masks[band - 1][WINDOW] > 0) & ~np.isnan(there)
        assert (found.status, found.reason, found.key) == ("ok", "", "k")
        assert found.array.dtype == values.dtype
        np.testing.assert_array_equal(found.mask, valid)
        np.testing.assert_array_equal(found.array[found.mask], there[valid])
        assert np.all((found.array == found.nodata) | np.isnan(found.array) | found.mask)


def test_windows_of_any_place_and_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ints(), compress="DEFLATE", predictor=2, **TILED)
    with rasterio.open(path) as dataset:
        values = dataset.read(1)
    rng = random.Random(4)  # noqa: S311
    windows = []
    for _ in range(60):
        (r0, r1), (c0, c1) = sorted(rng.sample(range(ROWS + 1), 2)), sorted(rng.sample(range(COLS + 1), 2))
        windows.append((slice(r0, r1), slice(c0, c1)))
    windows += [
        (slice(0, 1), slice(0, 1)),
        (slice(ROWS - 1, ROWS), slice(COLS - 1, COLS)),
        (slice(0, ROWS), slice(0, COLS)),
    ]
    requests = [WindowRequest(key=i, href=str(path), version="", window=w) for i, w in enumerate(windows)]
    reads = read_windows(requests, Access(folders=(tmp_path,)))
    assert [r.key for r in reads] == list(range(len(windows)))
    for found, window in zip(reads, windows, strict=True):
        np.testing.assert_array_equal(found.array, values[window])
    assert sum(r.provenance.bytes for r in reads) < 3 * path.stat().st_size  # tiles are shared


def test_t38_overviews_are_never_read(tmp_path: Path) -> None:
    """T38: the numbers stay when the overviews go."""
    values = ints()
    for overviews in ("AUTO", "NONE"):
        path = write(tmp_path / f"{overviews}.tif", np.tile(values, (1, 4, 4)), driver="COG", overviews=overviews,
                     compress="DEFLATE", blocksize=128, overview_resampling=Resampling.average)  # fmt: skip
        np.testing.assert_array_equal(read(path).array, values[0][WINDOW])
        profile = read_profile(str(path), "", Access(folders=(tmp_path,)))
        assert profile.overviews == (() if overviews == "NONE" else ((300, 340), (150, 170), (75, 85)))


@pytest.mark.parametrize(
    ("expected", "word"),
    [
        ({"shape": (ROWS, COLS + 1)}, "shape"),
        ({"dtype": "int16"}, "dtype"),
        ({"crs": "EPSG:32634"}, "CRS"),
        ({"transform": (10, 0, 499_985, 0, -10, 5_000_040)}, "transform"),
        ({"transform": (10, 0, 499_980, 0, 10, 5_000_040)}, "transform"),
        ({"transform": (10.001, 0, 499_980, 0, -10, 5_000_040)}, "transform"),
    ],
)
def test_a_header_that_contradicts_the_catalogue_is_corrupt(tmp_path: Path, expected: Any, word: str) -> None:
    found = read(write(tmp_path / "a.tif", ints()), **expected)
    assert (found.status, found.transient) == ("corrupt", False)
    assert f"it has {word}" in found.reason
    assert not found.mask.any()


def test_nodata_of_the_catalogue_is_masked_besides_that_of_the_file(tmp_path: Path) -> None:
    values = ints()
    found = read(write(tmp_path / "a.tif", values, nodata=7), nodata=0)
    np.testing.assert_array_equal(found.mask, (values[0][WINDOW] != 0) & (values[0][WINDOW] != 7))
    assert found.nodata == 0


@pytest.mark.parametrize("nodata", [0, 255, None])
def test_t39_a_sparse_file_is_missing_and_says_which_pixels_are_good(tmp_path: Path, nodata: float | None) -> None:
    """T39: what GDAL leaves out, it would read as zeros (or nodata); here it is neither."""
    path, values = tmp_path / "a.tif", ints(dtype="uint8") + 1
    with rasterio.open(
        path, "w", driver="GTiff", width=COLS, height=ROWS, count=1, dtype="uint8", nodata=nodata, SPARSE_OK="TRUE",
        compress="DEFLATE", transform=TRANSFORM, crs="EPSG:32633", tiled=True, blockxsize=64, blockysize=48,
    ) as dataset:  # fmt: skip
        dataset.write(values[:, :48, :64], window=rasterio.windows.Window(0, 0, 64, 48))
    found = read(path)
    assert (found.status, found.transient) == ("missing", False)
    assert "8 of 9 tiles of the window were never written" in found.reason
    there = np.zeros((ROWS, COLS), bool)
    there[:48, :64] = True
    np.testing.assert_array_equal(found.mask, there[WINDOW] & (values[0][WINDOW] != nodata))
    assert read(path, (slice(0, 48), slice(0, 64))).status == "ok"


@pytest.mark.parametrize(("bands", "driver"), [(1, "GTiff"), (3, "GTiff"), (3, "COG")])
def test_a_mask_inside_the_file_is_not_passed_over(tmp_path: Path, bands: int, driver: str) -> None:
    """A drone's picture with a mask of its own is refused with advice, never read as if all of it were ground."""
    values = ints(bands, "uint8")
    mask = np.full((ROWS, COLS), 255, np.uint8)
    mask[:60] = 0
    plain, path = tmp_path / "plain.tif", tmp_path / "a.tif"
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(
            plain, "w", driver="GTiff", width=COLS, height=ROWS, count=bands, dtype="uint8", transform=TRANSFORM,
            crs="EPSG:32633", compress="DEFLATE",
        ) as dataset,
    ):  # fmt: skip
        dataset.write(values)
        dataset.write_mask(mask)
    if driver == "COG":
        rasterio.shutil.copy(plain, path, driver="COG", compress="JPEG")
    else:
        plain.rename(path)
    with rasterio.open(path) as dataset:
        assert (dataset.read_masks(1)[:60] == 0).mean() > 0.9  # GDAL sees the mask
    found = read(path)
    assert found.status == "missing"
    assert "mask of its own" in found.reason


@pytest.mark.parametrize("compress", ["NONE", "DEFLATE"])
def test_t39_a_writer_that_was_killed_never_reads_as_ok(tmp_path: Path, compress: str) -> None:
    """T39: GDAL, killed before it closes the file, leaves one that opens and reads as zeros."""
    script = textwrap.dedent(f"""
        import os, sys, numpy, rasterio, signal
        dataset = rasterio.open(sys.argv[1], "w", driver="GTiff", width=512, height=512, count=1, dtype="uint16",
                                compress="{compress}", tiled=True, blockxsize=128, blockysize=128)
        dataset.write(numpy.full((1, 512, 512), 3000, "uint16"))
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    path = tmp_path / "a.tif"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    found = read(path, (slice(0, 512), slice(0, 512)))
    assert found.status in ("missing", "corrupt")
    assert not found.mask.any()


@pytest.mark.parametrize("options", [{"compress": "DEFLATE"}, {"compress": "NONE"}, {"compress": "ZSTD"}], ids=str)
def test_t39_a_file_cut_off_anywhere_never_reads_as_ok(tmp_path: Path, options: dict[str, Any]) -> None:
    """T39, over all kinds of places: in the header, between and inside tiles."""
    whole = write(tmp_path / "a.tif", ints(), nodata=0, **options, **TILED).read_bytes()
    path, everything = tmp_path / "cut.tif", (slice(0, ROWS), slice(0, COLS))
    assert read(tmp_path / "a.tif", everything).status == "ok"
    for size in [*range(0, 900, 37), *range(900, len(whole), 1501), len(whole) - 1]:
        path.write_bytes(whole[:size])
        assert read(path, everything).status in ("missing", "corrupt")


@pytest.mark.parametrize("options", [{"compress": "DEFLATE"}, {"compress": "NONE"}, {"compress": "ZSTD"}], ids=str)
def test_t39_a_file_of_zeros_behind_its_header_never_reads_as_ok(tmp_path: Path, options: dict[str, Any]) -> None:
    """T39: what a file system may leave of a file after a loss of power."""
    path = write(tmp_path / "a.tif", ints(), **options, **TILED)
    whole = path.read_bytes()
    start = min(layout_of(path).offsets)
    path.write_bytes(whole[:start] + bytes(len(whole) - start))
    found = read(path)
    assert found.status in ("missing", "corrupt")
    assert not found.mask.any()
    path.write_bytes(bytes(len(whole)))
    assert read(path).status == "corrupt"
    path.write_bytes(b"")
    assert read(path).status == "corrupt"


def layout_of(path: Path) -> layout.Layout:
    """Header of a local file."""
    found = layout.parse_layout({0: path.read_bytes()}, path.stat().st_size, "")
    assert isinstance(found, layout.Layout)
    return found


@pytest.mark.parametrize("mask", [0x01, 0x80, 0xFF])
def test_every_flipped_byte_of_a_deflate_tile_is_seen(tmp_path: Path, mask: int) -> None:
    """Adler-32 is checked: each byte of a tile, one at a time, is refused or does not matter."""
    values = ints()[:, :32, :32]
    path = write(tmp_path / "a.tif", values, compress="DEFLATE", predictor=2, tiled=True, blockxsize=32, blockysize=32)
    head, data = layout_of(path), path.read_bytes()
    tile = bytearray(data[head.offsets[0] : head.offsets[0] + head.counts[0]])
    clean, refused = tiff.decode(head, 0, bytes(tile)), 0
    for place in range(len(tile)):
        tile[place] ^= mask
        try:
            np.testing.assert_array_equal(tiff.decode(head, 0, bytes(tile)), clean)
        except Undecodable:
            refused += 1
        tile[place] ^= mask
    assert refused > 0.99 * len(tile)  # a few bits only fill up the last byte


def test_random_damage_to_a_header_is_never_silent(tmp_path: Path) -> None:
    """400 headers with a flipped byte, against what the catalogue says: ok only with the clean pixels."""
    path = write(tmp_path / "a.tif", ints(), compress="DEFLATE", predictor=2, nodata=0, driver="COG", blocksize=64)
    clean, head = read(path), layout_of(path)
    said = {"shape": head.shape, "transform": head.transform, "crs": head.crs, "dtype": "uint16", "nodata": 0}
    whole, rng, seen = path.read_bytes(), random.Random(8), 0  # noqa: S311
    start = min(head.offsets)
    for _ in range(400):
        data = bytearray(whole)
        data[rng.randrange(start)] ^= rng.randrange(1, 256)
        path.write_bytes(data)
        found = read(path, **said)
        assert found.status in ("ok", "missing", "corrupt")
        if found.status == "ok":
            seen += not np.array_equal(found.array[found.mask], clean.array[found.mask])
    # Nodata and predictor have no second witness on a disk; over plain http the header is asked for twice.
    assert seen <= 8


@pytest.mark.parametrize(
    ("content", "status", "word"),
    [
        (b"II*\0\x08\0\0\0\0\0\0\0\0\0", "corrupt", "0 x 0 pixels"),
        (b"II*\0\xff\xff\xff\x7f", "corrupt", "header"),
        (b"<MRF_META><Raster></Raster></MRF_META>", "corrupt", "not the header"),
        (b"<VRTDataset></VRTDataset>", "corrupt", "not the header"),
        (b"P6 1 1 255\n000", "corrupt", "not the header"),
    ],
)
def test_what_only_looks_like_a_tiff_is_corrupt(tmp_path: Path, content: bytes, status: str, word: str) -> None:
    for name in ("a.tif", "a.jp2"):
        (tmp_path / name).write_bytes(content)
        found = read(tmp_path / name)
        assert found.status == status
        assert name.endswith("jp2") or word in found.reason


def test_a_window_past_the_file_and_a_band_it_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ints(3, "uint8"))
    assert read(path, (slice(100, 151), slice(0, 9))).status == "corrupt"
    assert read(path, band=4).reason == "there is no band 4, the file has 3"
    assert read(tmp_path / "none.tif").reason == "there is no such file"
    assert read(path).status == "ok"


@pytest.mark.parametrize(
    "window", [(slice(0, 0), slice(0, 1)), (slice(-1, 5), slice(0, 1)), (slice(0, 4, 2), slice(0, 1))]
)
def test_windows_that_are_none_are_refused(window: tuple[slice, slice]) -> None:
    with pytest.raises(BrokenData, match="window must be"):
        WindowRequest(key=1, href="/a", version="", window=window)


def test_profile_of_an_orthomosaic(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ints(4, "uint8"), photometric="RGB", alpha="YES", compress="DEFLATE", **TILED)
    found = read_profile(str(path), "", Access(folders=(tmp_path,)))
    assert (found.driver, found.shape, found.crs, found.dtype) == ("tiff", (ROWS, COLS), "EPSG:32633", "uint8")
    assert (found.bands, found.has_alpha, found.tile, found.compression) == (4, True, (48, 64), "deflate")
    assert found.transform == tuple(TRANSFORM)[:6]
    with pytest.raises(MissingInput, match="no such file"):
        read_profile(str(tmp_path / "b.tif"), "", Access(folders=(tmp_path,)))
    (tmp_path / "c.tif").write_bytes(b"no tiff")
    with pytest.raises(BrokenData, match="not the header"):
        read_profile(str(tmp_path / "c.tif"), "", Access(folders=(tmp_path,)))
    with pytest.raises(InvalidInput, match="outside the folders"):
        read_profile(str(path), "", Access())


def test_cost_of_local_windows_is_what_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ints(), compress="DEFLATE", **TILED)
    access = Access(folders=(tmp_path,), params=AccessParams())
    request = WindowRequest(key=1, href=str(path), version="", window=WINDOW)
    cost = window_cost([request], access)
    [found] = read_windows([request], access)
    assert cost.bytes == found.provenance.bytes
    assert cost.pixels == 129 * 149


def test_no_reader_stays_open(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", ints())
    read(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        read(path)
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
