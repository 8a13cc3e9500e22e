"""`orthomosaics`: cells, indices and pictures of one parcel, on numbers that can be checked by hand."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from orthomosaic_files import write_ortho
from shapely import box

from geocollateral import orthomosaics
from geocollateral.sources.orthos.mosaic import Orthomosaic, open_orthomosaic

CRS = "EPSG:32633"
WINDOW = GeoBox((8, 10), Affine(10, 0, 500_000, 0, -10, 5_000_000), CRS)
PARCEL = box(500_020, 4_999_940, 500_060, 4_999_980)


def mosaic(path: Path, planes: np.ndarray, bands: str, side: float = 0.5, options: str = "") -> Orthomosaic:
    place = Affine(side, 0, 500_000, 0, -side, 5_000_000)
    write_ortho(path, planes, transform=place, crs=CRS)
    return open_orthomosaic(f"{path}@2024-05-01,bands={bands}{options}")


def view(found: Orthomosaic, moved: tuple[float, float] = (0.0, 0.0)) -> orthomosaics._ParcelView:
    return orthomosaics._view(orthomosaics._ParcelTask(found, "p", WINDOW, PARCEL, moved))


def halves(left: tuple[int, ...], right: tuple[int, ...], dtype: str = "uint16") -> np.ndarray:
    """80 m x 100 m at 0.5 m: one value west of the middle of the parcel, another east of it."""
    planes = np.empty((len(left), 160, 200), dtype)
    planes[:, :, :80] = np.array(left)[:, None, None]
    planes[:, :, 80:] = np.array(right)[:, None, None]
    return planes


def test_the_mean_of_the_index_not_the_index_of_means(tmp_path):
    """NDVI 0.6 on one half, 0.2 on the other."""
    found = view(mosaic(tmp_path / "a.tif", halves((100, 400), (400, 600)), "red+nir"))
    [row] = found.series.to_dict("records")
    assert (row["index"], row["sensor"], row["parcel_id"]) == ("ndvi", "drone", "p")
    assert row["mean"] == pytest.approx(0.4, abs=1e-6)
    assert (row["p10"], row["p90"]) == pytest.approx((0.2, 0.6), abs=1e-6)
    assert row["n_pixels"] == 1600
    assert row["time"].date() == dt.date(2024, 5, 1)
    assert found.coverage == 1
    assert found.chip is None, "two bands make no picture"


def test_a_shift_is_taken_back(tmp_path):
    """The picture lies 10 m too far east: the border runs 10 m further west in truth."""
    found = view(mosaic(tmp_path / "a.tif", halves((100, 400), (400, 600)), "red+nir"), moved=(10.0, 0.0))
    assert found.series["mean"].item() == pytest.approx(0.25 * 0.6 + 0.75 * 0.2, abs=1e-6)


def test_the_part_that_is_shown_is_told(tmp_path):
    planes = halves((0, 0, 0), (50, 100, 25), "uint8")
    found = view(mosaic(tmp_path / "a.tif", planes, "red+green+blue"))
    assert found.coverage == pytest.approx(0.5)
    rows = found.series.set_index("index")
    assert rows["mean"].to_dict() == pytest.approx({"gli": 125 / 275, "ngrdi": 1 / 3, "vari": 50 / 125})
    assert rows["valid_fraction"].tolist() == pytest.approx([0.5] * 3)
    assert found.chip.rgb.shape == (160, 200, 3)
    assert (found.chip.rgb[:, :79] == 128).all()
    assert (found.chip.rgb[:, 81:] == [50, 100, 25]).all()
    assert found.chip.transform == (0.5, 0, 500_000, 0, -0.5, 5_000_000)


def test_no_colour_index_beyond_one(tmp_path):
    """Green + red = blue makes VARI any number: such a pixel has none, and the look says how much it saw."""
    found = view(mosaic(tmp_path / "a.tif", halves((50, 100, 149), (50, 100, 25), "uint8"), "red+green+blue"))
    rows = found.series.set_index("index")
    assert rows.loc["vari", "mean"] == pytest.approx(50 / 125)
    assert rows.loc["vari", "valid_fraction"] == pytest.approx(0.5)
    assert rows.loc["gli", "valid_fraction"] == pytest.approx(1)


def test_infrared_makes_a_picture_where_blue_is_lacking(tmp_path):
    found = view(mosaic(tmp_path / "a.tif", halves((10, 20, 90), (10, 20, 90), "uint8"), "green+red+nir"))
    assert (found.chip.rgb == [90, 20, 10]).all()


def test_nothing_of_the_parcel_is_no_look(tmp_path):
    planes = halves((0, 0, 0), (0, 0, 0), "uint8")
    planes[:, :20] = 90  # above the parcel
    found = view(mosaic(tmp_path / "a.tif", planes, "red+green+blue"))
    assert (found.coverage, found.chip, len(found.series)) == (0.0, None, 0)


@pytest.mark.parametrize(
    ("side", "window", "cut"),
    [
        (0.01, (8, 10), 200),
        (0.05, (8, 10), 200),
        (0.06, (8, 10), 100),
        (0.5, (8, 10), 20),
        (3.0, (8, 10), 2),
        (15, (8, 10), 1),
        (0.05, (60, 60), 20),  # 36 ha: 0.5 m
        (0.05, (1000, 1000), 2),
    ],
)
def test_cells_are_as_fine_as_the_picture_or_as_memory_allows(side, window, cut):
    grid = GeoBox(window, WINDOW.affine, CRS)
    assert orthomosaics._cut_of(grid, side) == cut


def test_a_parcel_too_large_is_told_and_not_read(tmp_path, monkeypatch):
    found = mosaic(tmp_path / "a.tif", halves((100, 400), (400, 600)), "red+nir")
    monkeypatch.setattr(orthomosaics, "PARCEL_DECODED", 100)
    monkeypatch.setattr(orthomosaics, "read_area", None)
    assert view(found).too_large


def test_other_numbers_than_bytes_are_stretched_by_their_spread(tmp_path):
    planes = np.linspace(1000, 9000, 160 * 200).reshape(160, 200).astype("uint16")
    found = view(mosaic(tmp_path / "a.tif", np.stack([planes] * 3), "red+green+blue"))
    assert found.chip.rgb.min() == 0
    assert found.chip.rgb.max() == 255
    reflectance = view(mosaic(tmp_path / "b.tif", np.stack([planes] * 3), "red+green+blue", options=",scale=0.00001"))
    assert 130 < reflectance.chip.rgb.max() < 200, "as the satellite's: reflectance 0.09 is not white"
