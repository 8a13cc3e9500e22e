"""`sources.ortho`: orthomosaics opened safely and averaged by area. rasterio writes the files."""

from __future__ import annotations

import datetime as dt
import pickle
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from odc.geo.geobox import GeoBox
from orthomosaic_files import write_ortho
from rasterio.enums import Resampling

from geocollateral.errors import GeocollateralError, InvalidInput, MissingInput
from geocollateral.sources.orthos import area_average
from geocollateral.sources.orthos import mosaic as ortho
from geocollateral.sources.orthos.mosaic import open_orthomosaic, parse_spec, read_area

CRS = "EPSG:32633"
PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
COLOURS = ("red", "green", "blue")


def picture(count: int = 3, size: int = 200, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(count).integers(1, 250, (count, size, size)).astype(dtype)


def grid(cells: int = 10, side: float = 10.0, crs: str = CRS) -> GeoBox:
    return GeoBox((cells, cells), Affine(side, 0, 500_000, 0, -side, 5_000_000), crs)


def by_blocks(plane: np.ndarray, n: int) -> np.ndarray:
    """Means over n x n pixels, NaN left out."""
    rows, cols = plane.shape[0] // n, plane.shape[1] // n
    return np.nanmean(plane.reshape(rows, n, cols, n).transpose(0, 2, 1, 3).reshape(rows, cols, -1), axis=2)


# ------------------------------------------------------------------------------------------------------------- opening


@pytest.mark.parametrize(
    ("spec", "path", "options"),
    [
        ("a.tif", "a.tif", {}),
        ("a.tif@2024-05-01", "a.tif", {"date": "2024-05-01"}),
        ("d/a.tif@2024-05-01,bands=red+nir,sensor=wing", "d/a.tif",
         {"date": "2024-05-01", "bands": "red+nir", "sensor": "wing"}),
        ("a,b.tif@2024-05-01,scale=0.0001,offset=-0.1", "a,b.tif",
         {"date": "2024-05-01", "scale": "0.0001", "offset": "-0.1"}),
        ("me@home/a.tif@2024-05-01", "me@home/a.tif", {"date": "2024-05-01"}),
    ],
)  # fmt: skip
def test_spec(spec, path, options):
    assert parse_spec(spec) == (Path(path), options)


def test_an_at_in_a_name_that_exists_is_no_date(tmp_path):
    Path("shot@2x.tif").touch()
    assert parse_spec("shot@2x.tif") == (Path("shot@2x.tif"), {})
    assert parse_spec("shot@2x.tif@2024-05-01") == (Path("shot@2x.tif"), {"date": "2024-05-01"})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (",bands=", "not understood"),
        (",colour=red", "not understood"),
        (",sensor=a,sensor=b", "not understood"),
        ("@2024-05-01,date=2024-05-02", "two dates"),
        ("@2024-13-40", "date"),
        ("@yesterday", "date"),
        ("@2024-05-01,scale=0", "scale"),
        ("@2024-05-01,offset=0.1", "offset without a scale"),
        ("@2024-05-01,sensor=sentinel-2", "satellite"),
        ("@2024-05-01,sensor=../x", "sensor"),
        ("@2024-05-01,bands=red+green+blue+nir+swir16", "5 bands are named"),
        ("", "needs the day it was flown"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(tmp_path, options, message):
    path = write_ortho(tmp_path / "a.tif", picture(), transform=PLACE, crs=CRS, colours=COLOURS)
    with pytest.raises(InvalidInput, match=message):
        open_orthomosaic(f"{path}{options}")


def test_what_is_known_after_opening(tmp_path):
    path = write_ortho(tmp_path / "a.tif", picture(), transform=PLACE, crs=CRS, colours=COLOURS)
    found = open_orthomosaic(f"{path}@2024-05-01")
    assert pickle.dumps(found)
    assert (found.acquired, found.date_from, found.sensor) == (dt.date(2024, 5, 1), "given", "drone")
    assert found.bands == {"red": 1, "green": 2, "blue": 3}
    assert found.resolution_m == pytest.approx(0.5, rel=1e-3)
    assert found.scene_id == f"a.tif-{found.sha256[:8]}"
    lon, lat = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform(500_050, 4_999_950)
    assert found.footprint.centroid.coords[0] == pytest.approx((lon, lat), abs=1e-7)


def test_the_tag_dates_a_file_and_says_so(tmp_path):
    tags = {"TIFFTAG_DATETIME": "2023:07:14 10:11:12"}
    path = write_ortho(tmp_path / "a.tif", picture(), transform=PLACE, crs=CRS, colours=COLOURS, tags=tags)
    found = open_orthomosaic(str(path))
    assert (found.acquired, found.date_from) == (dt.date(2023, 7, 14), "tag")
    assert open_orthomosaic(f"{path}@2023-07-10").acquired == dt.date(2023, 7, 10)


def test_a_tag_that_is_no_date_is_none(tmp_path):
    tags = {"TIFFTAG_DATETIME": "0000:00:00 00:00:00"}
    path = write_ortho(tmp_path / "a.tif", picture(), transform=PLACE, crs=CRS, colours=COLOURS, tags=tags)
    with pytest.raises(InvalidInput, match="needs the day"):
        open_orthomosaic(str(path))


HOSTILE = {
    "vrt.tif": b'<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
    b"<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
    "mrf.tif": b'<MRF_META><Raster><Size x="1" y="1" c="1"/><DataFile>written.dat</DataFile></Raster></MRF_META>',
    "text.tif": b"not a picture",
    "empty.tif": b"",
    "cut.tif": b"II*\x00\x08\x00\x00\x00",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_only_looks_like_a_tiff_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(HOSTILE[name])
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InvalidInput, match="Expected an orthomosaic as GeoTIFF"):
        open_orthomosaic(f"{path}@2024-05-01")
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingInput, match="There is no orthomosaic"):
        open_orthomosaic(f"{tmp_path / 'a.tif'}@2024-05-01")
    with pytest.raises(MissingInput, match="There is no orthomosaic"):
        open_orthomosaic(f"/vsizip/{tmp_path / 'a.zip'}/a.tif@2024-05-01")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("crs", "place"), [(None, PLACE), (CRS, Affine.identity())])
def test_a_file_without_a_place_is_refused(tmp_path, crs, place):
    path = write_ortho(tmp_path / "a.tif", picture(), transform=place, crs=crs, colours=COLOURS)
    with pytest.raises(InvalidInput, match="not georeferenced"):
        open_orthomosaic(f"{path}@2024-05-01")


def test_bands_that_nobody_names_are_asked_for(tmp_path):
    path = write_ortho(tmp_path / "a.tif", picture(2), transform=PLACE, crs=CRS)
    with pytest.raises(InvalidInput, match="name them"):
        open_orthomosaic(f"{path}@2024-05-01")
    assert open_orthomosaic(f"{path}@2024-05-01,bands=red+nir").bands == {"red": 1, "nir": 2}


def test_five_described_bands(tmp_path):
    names = ("Blue", "Green", "Red", "Red edge", "NIR")
    path = write_ortho(tmp_path / "a.tif", picture(5, dtype="uint16"), transform=PLACE, crs=CRS, descriptions=names)
    assert open_orthomosaic(f"{path}@2024-05-01").bands["nir"] == 5


# ------------------------------------------------------------------------------------------------------------- reading

LAYOUTS = {
    "tiled": {},
    "striped": {"tiled": False, "blockysize": 7},
    "one strip": {"tiled": False, "blockysize": 200},
    "planar": {"interleave": "band"},
    "lzw": {"compress": "lzw", "predictor": 2},
    "plain": {"compress": None},
}


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("layout", sorted(LAYOUTS))
def test_area_means_are_those_of_the_pixels(tmp_path, layout, dtype):
    planes = picture(dtype=dtype)
    options = {k: v for k, v in LAYOUTS[layout].items() if v is not None or k == "compress"}
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS, **options)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01"), grid(), ["blue", "red"])
    for band, plane in (("red", planes[0]), ("blue", planes[2])):
        np.testing.assert_allclose(read.values[band], by_blocks(plane.astype(float), 20), rtol=1e-5)
    np.testing.assert_allclose(read.share, 1, atol=1e-6)
    assert read.faults == ()


@pytest.mark.parametrize("codec", ["jpeg", "webp", "zstd"])
def test_codecs_of_drone_software(tmp_path, codec):
    """JPEG keeps brightness and colour apart (YCbCr): what comes back is colours, within what it loses."""
    rows, cols = np.mgrid[0:192, 0:192]
    planes = np.stack([100 + 50 * np.sin(rows / 30), 120 + 40 * np.cos(cols / 25), 60 + rows / 4]).astype("uint8")
    options = {"jpeg": {"photometric": "ycbcr", "JPEG_QUALITY": 90}, "webp": {"WEBP_LEVEL": 90}}.get(codec, {})
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, compress=codec, **options)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01,bands=red+green+blue"), grid(9), COLOURS)
    for band, plane in zip(COLOURS, planes, strict=True):
        truth = by_blocks(plane[:180, :180].astype(float), 20)
        assert np.abs(read.values[band] - truth).max() < (2 if options else 1e-3)


def test_a_scale_makes_reflectance(tmp_path):
    planes = picture(dtype="uint16")
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01,scale=0.0001,offset=-0.1"), grid(), ["red"])
    np.testing.assert_allclose(read.values["red"], by_blocks(planes[0] * 1e-4 - 0.1, 20), atol=1e-6)


def hidden() -> np.ndarray:
    """A part of 200 x 200 pixels, on no border of cells or tiles."""
    mask = np.zeros((200, 200), bool)
    mask[33:90, 50:131] = True
    return mask


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
@pytest.mark.parametrize("how", ["alpha", "nodata", "nan", "black"])
def test_what_holds_nothing_is_left_out(tmp_path, how):
    planes, mask, more = picture(), hidden(), {}
    colours: tuple[str, ...] = COLOURS
    true = np.where(mask, np.nan, planes[0].astype(float))
    if how == "alpha":
        planes = np.concatenate([planes, np.where(mask, 0, 255)[None].astype("uint8")])
        colours = (*COLOURS, "alpha")
    elif how == "nodata":
        planes[:, mask], more = 255, {"nodata": 255}
    elif how == "nan":
        planes = np.where(mask, np.nan, planes).astype("float32")
    else:
        planes[:, mask] = 0
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=colours, **more)
    mosaic = open_orthomosaic(f"{path}@2024-05-01")
    assert set(mosaic.bands) == set(COLOURS)
    read = read_area(mosaic, grid(), ["red"])
    np.testing.assert_allclose(read.values["red"], by_blocks(true, 20), rtol=1e-5)
    np.testing.assert_allclose(read.share, by_blocks((~mask).astype(float), 20), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_mask_inside_is_refused_with_advice(tmp_path, count):
    """The raster module does not read it, and without it the collar would count as ground."""
    path = write_ortho(tmp_path / "a.tif", picture(count), transform=PLACE, crs=CRS, inner_mask=~hidden())
    with pytest.raises(InvalidInput, match="rewrite it with an alpha band"):
        open_orthomosaic(f"{path}@2024-05-01,bands={'+'.join(COLOURS[:count])}")


def test_black_in_one_band_is_a_colour_not_a_hole(tmp_path):
    planes = picture()
    planes[0] = 0
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01"), grid(), ["red"])
    assert (read.share == 1).all()
    assert (read.values["red"] == 0).all()


def test_t38_overviews_change_no_statistic(tmp_path):
    """Overviews that tell another story than the pixels, as those of some writers do about no-data."""
    planes = picture(size=400)
    plain = write_ortho(tmp_path / "plain.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS)
    other = write_ortho(tmp_path / "other.tif", 255 - planes, transform=PLACE, crs=CRS, colours=COLOURS)
    with rasterio.open(other, "r+") as file:
        file.build_overviews([2, 4, 8], Resampling.nearest)
    with rasterio.open(other, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        file.write(planes)
    with rasterio.open(other, overview_level=0) as file:
        assert np.abs(file.read(1).astype(float) - planes[0, ::2, ::2]).mean() > 10, "the overviews do lie"
    reads = [read_area(open_orthomosaic(f"{path}@2024-05-01"), grid(20), COLOURS) for path in (plain, other)]
    for band in COLOURS:
        np.testing.assert_array_equal(reads[0].values[band], reads[1].values[band])


@pytest.mark.parametrize("tiled", [True, False])
def test_reading_is_bounded_and_does_not_depend_on_the_parts(tmp_path, monkeypatch, tiled):
    planes = picture(size=400)
    layout = {} if tiled else {"tiled": False, "blockysize": 4}
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS, **layout)
    mosaic, box = (
        open_orthomosaic(f"{path}@2024-05-01"),
        GeoBox((13, 13), Affine(14, 0, 500_003, 0, -14, 4_999_997), CRS),
    )
    whole = read_area(mosaic, box, COLOURS)
    asked: list[int] = []
    read_windows = ortho.read_windows

    def watch(requests, access):
        asked.append(max(request.shape[0] * request.shape[1] for request in requests))
        return read_windows(requests, access)

    monkeypatch.setattr(ortho, "read_windows", watch)
    monkeypatch.setattr(area_average, "PART_PIXELS", 10_000)
    monkeypatch.setattr(ortho, "SLAB_PIXELS", 3_000)
    parts = read_area(mosaic, box, COLOURS)
    assert max(asked) <= 10_000
    assert len(asked) > 10
    np.testing.assert_allclose(parts.share, whole.share, atol=1e-6)
    for band in COLOURS:
        np.testing.assert_allclose(parts.values[band], whole.values[band], rtol=1e-5)


def smooth(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brightness of the ground at a place in UTM 33."""
    return 120 + 60 * np.sin(x / 17) + 50 * np.cos(y / 23)


@pytest.mark.parametrize("kind", ["degrees", "turned", "other zone", "coarse"])
def test_any_place_on_the_ground(tmp_path, kind):
    """Pixels of another projection end in the cells they lie in: the ground is known, so the truth is too."""
    size = 500
    if kind == "degrees":
        crs, place = "EPSG:4326", Affine(4e-6, 0, 15.0 - 1e-4, 0, -3e-6, 45.1534)
    elif kind == "turned":
        crs, place = CRS, Affine.translation(500_050, 5_000_020) @ Affine.rotation(30) @ Affine.scale(0.4, -0.4)
    elif kind == "other zone":
        left, top = pyproj.Transformer.from_crs(CRS, "EPSG:32634", always_xy=True).transform(499_990, 5_000_010)
        crs, place = "EPSG:32634", Affine(0.4, 0, left, 0, -0.4, top)
    else:  # pixels larger than the cells, as of a satellite's
        crs, place, size = "EPSG:32634", None, 60
        left, top = pyproj.Transformer.from_crs(CRS, crs, always_xy=True).transform(499_990, 5_000_010)
        place = Affine(3, 0, left, 0, -3, top)
    col, row = np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5)
    x, y = pyproj.Transformer.from_crs(crs, CRS, always_xy=True).transform(*(place @ (col, row)))
    path = write_ortho(
        tmp_path / "a.tif", smooth(x, y)[None].astype("float32"), transform=place, crs=crs, descriptions=("red",)
    )
    side = 2.0 if kind == "coarse" else 10.0
    box = grid(40 if kind == "coarse" else 12, side)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01"), box, ["red"])
    inside = read.share > 0.95
    assert inside.sum() > 20
    fine = np.arange(box.shape[0] * 20) * side / 20 + side / 40
    truth = by_blocks(smooth(500_000 + fine[None, :], 5_000_000 - fine[:, None]), 20)
    assert np.abs(read.values["red"] - truth)[inside].max() < (6 if kind == "coarse" else 0.6)
    assert np.abs(np.nanmean((read.values["red"] - truth)[inside])) < 0.2


def test_a_broken_tile_is_told_and_left_out(tmp_path):
    planes = picture()
    path = write_ortho(tmp_path / "a.tif", planes, transform=PLACE, crs=CRS, colours=COLOURS)
    mosaic = open_orthomosaic(f"{path}@2024-05-01")
    with rasterio.open(path) as file:
        at = int(file.tags(1, ns="TIFF").get("BLOCK_OFFSET_0_0", 0)) or int(
            file.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1)
        )
    data = bytearray(path.read_bytes())
    data[at + 500 : at + 520] = bytes(20)
    path.write_bytes(data)
    read = read_area(mosaic, grid(), ["red"])
    assert read.faults
    assert (read.share < 0.5).any()
    assert (read.share > 0.99).any()


def test_t39_tiles_that_were_never_written_are_no_ground(tmp_path):
    """A sparse file without nodata reads as zeros elsewhere; here what was not written is not seen."""
    path = tmp_path / "a.tif"
    planes = picture(size=256)
    planes[0] = 0  # black in red is a colour, and must not be what tells
    profile = {"width": 256, "height": 256, "count": 3, "dtype": "uint8", "crs": CRS, "transform": PLACE}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        tiled=True,
        blockxsize=64,
        blockysize=64,
        compress="deflate",
        SPARSE_OK=True,
        **profile,
    ) as file:
        for band in (1, 2, 3):
            file.write(planes[band - 1, :128], band, window=((0, 128), (0, 256)))
    mosaic = open_orthomosaic(f"{path}@2024-05-01,bands=red+green+blue")
    read = read_area(mosaic, GeoBox((8, 8), Affine(16, 0, 500_000, 0, -16, 5_000_000), CRS), ["red"])
    assert (read.share[:4] == 1).all()
    assert (read.share[4:] == 0).all()
    assert np.isnan(read.values["red"][4:]).all()


def test_outside_of_the_file_there_is_nothing(tmp_path):
    path = write_ortho(tmp_path / "a.tif", picture(), transform=PLACE, crs=CRS, colours=COLOURS)
    far = GeoBox((3, 3), Affine(10, 0, 600_000, 0, -10, 5_000_000), CRS)
    read = read_area(open_orthomosaic(f"{path}@2024-05-01"), far, ["red"])
    assert np.isnan(read.values["red"]).all()
    assert (read.share == 0).all()


def test_a_file_cut_off_anywhere_is_an_error_of_ours_or_told(tmp_path):
    path = write_ortho(tmp_path / "a.tif", picture(size=64), transform=PLACE, crs=CRS, colours=COLOURS)
    data, opened = path.read_bytes(), 0
    for cut in [*range(0, 500, 37), len(data) // 2, len(data) - 1]:
        path.write_bytes(data[:cut])
        try:
            mosaic = open_orthomosaic(f"{path}@2024-05-01")
        except GeocollateralError:
            continue
        opened += 1
        read = read_area(mosaic, grid(4), ["red"])
        assert read.faults
        assert (read.share < 1).any()
    assert opened, "what follows the header is found out by reading"
