"""Orthomosaics on the whole line: made of the small world's truth, moved by a known shift, given by --ortho."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import pytest
import rasterio
from affine import Affine
from orthomosaic_files import write_ortho
from pandas.testing import assert_frame_equal

from geocollateral import service
from geocollateral.config import Settings
from geocollateral.types import Assessment

CRS, LEFT, TOP, SIDE = "EPSG:32633", 500_000.0, 5_000_000.0, 400
DAY = "2020-05-01"
COLOURS = {"red": (0.045, 0.12), "green": (0.055, 0.09), "blue": (0.025, 0.06), "nir": (0.30, 0.22)}
"""Reflectance of the stand and of the clearing."""
KNOBS = Settings(compute={"scheduler": "synchronous"})  # type: ignore[arg-type]


def flight(path: Path, clearing: Any, *, bands: tuple[str, ...], moved: tuple[float, float], **options: Any) -> Path:
    """The ground on a day after the clearing, one metre a pixel, in digital numbers of a tenth of a per mille."""
    _, rows, cols = clearing
    rng = np.random.default_rng(8)
    gone = np.zeros((SIDE, SIDE), bool)
    gone[rows.start * 10 : rows.stop * 10, cols.start * 10 : cols.stop * 10] = True
    planes = np.stack([np.where(gone, COLOURS[b][1], COLOURS[b][0]) for b in bands]) + rng.normal(
        0, 0.003, (len(bands), SIDE, SIDE)
    )
    place = Affine(1, 0, LEFT + moved[0], 0, -1, TOP + moved[1])
    numbers = np.clip(np.rint(planes * 1e4), 1, None).astype(np.uint16)
    return write_ortho(path, numbers, transform=place, crs=CRS, descriptions=bands, **options)


@pytest.fixture(scope="module")
def clearing_at() -> Any:
    return 30, slice(20, 30), slice(6, 14)


@pytest.fixture(scope="module")
def forest(make_world: Callable[[Path], Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    world = make_world(tmp_path_factory.mktemp("ortho"))
    return world.write_cube(), world.write_parcels(), world.folder


@pytest.fixture(scope="module")
def plain(forest: Any) -> Assessment:
    return service.assess(forest[1], source=forest[0], settings=KNOBS)


@pytest.fixture(scope="module")
def flown(forest: Any, clearing_at: Any) -> Path:
    """A multispectral flight that lies 9 m east and 7 m south of its place."""
    return flight(forest[2] / "flight.tif", clearing_at, bands=("red", "green", "blue", "nir"), moved=(9, -7))


@pytest.fixture(scope="module")
def shown(forest: Any, flown: Path) -> tuple[Assessment, Path]:
    """The result with that flight, and its folder."""
    source, parcels, folder = forest
    out = folder / "result"
    spec = f"{flown}@{DAY},scale=0.0001"
    return service.assess(parcels, source=source, settings=KNOBS, orthos=[spec], out=out), out


def test_the_satellites_result_is_what_it_was(plain: Assessment, shown: Any) -> None:
    """No monitor, verdict, value or count of looks sees an orthomosaic."""
    result, _ = shown
    assert_frame_equal(result.parcels.drop(columns="geometry"), plain.parcels.drop(columns="geometry"))
    assert_frame_equal(result.changes, plain.changes)
    assert_frame_equal(result.baselines, plain.baselines)
    assert result.alerts == plain.alerts
    own = result.series[result.series["sensor"] == "sentinel-2"].reset_index(drop=True)
    assert_frame_equal(own, plain.series)
    assert [c.role for c in plain.chips] == [c.role for c in result.chips if c.role != "ortho"]
    assert result.run_id != plain.run_id


def test_its_shift_is_found_and_taken_back(shown: Any, clearing_at: Any) -> None:
    result, _ = shown
    [record] = result.orthos
    assert record.shift.verdict == "corrected"
    assert (record.shift.east_m, record.shift.north_m) == pytest.approx((9, -7), abs=0.5)
    assert record.shift.sigma_m < 0.5
    # In the picture of the felled parcel the clearing lies where it truly is.
    [chip] = [c for c in result.chips if c.role == "ortho" and c.parcel_id == "felled"]
    rows, cols = np.nonzero(chip.rgb[..., 0] > 165)
    _, _, left, _, _, top = chip.transform
    _, true_rows, true_cols = clearing_at
    truth = ((true_cols.start + true_cols.stop) * 5, (true_rows.start + true_rows.stop) * 5)
    assert left + cols.mean() + 0.5 - LEFT == pytest.approx(truth[0], abs=1)
    assert TOP - (top - rows.mean() - 0.5) == pytest.approx(truth[1], abs=1)


def test_its_looks_are_a_sensor_of_their_own(shown: Any) -> None:
    result, _ = shown
    rows = result.series[result.series["sensor"] == "drone"].set_index("parcel_id")
    assert set(rows["index"]) == {"ndvi"}
    assert (rows["time"] == pd.Timestamp(DAY)).all()
    assert set(rows["scene_id"]) == {result.orthos[0].scene_id}
    stand = (0.30 - 0.045) / (0.30 + 0.045)
    bare = (0.22 - 0.12) / (0.22 + 0.12)
    assert rows.loc["stable", "mean"] == pytest.approx(stand, abs=0.01)
    share = 8000 / result.parcels.loc["felled", "obs_area_m2"]
    assert rows.loc["felled", "mean"] == pytest.approx((1 - share) * stand + share * bare, abs=0.01)
    assert rows.loc["felled", "valid_fraction"] == pytest.approx(1, abs=1e-3)
    assert 0.4 < rows.loc["edge", "valid_fraction"] < 0.6


def test_what_the_folder_says(shown: Any) -> None:
    result, out = shown
    scenes = json.loads((out / "scenes.json").read_text())
    [row] = scenes["orthomosaics"]
    assert row["file"] == "flight.tif"
    assert str(out.parent) not in (out / "scenes.json").read_text() + (out / "run.json").read_text()
    assert (row["acquired"], row["crs"], row["units"]) == (DAY, CRS, "reflectance")
    assert row["resolution_m"] == pytest.approx(1, abs=0.01)
    assert row["coverage"]["stable"] == 1
    assert row["shift"]["verdict"] == "corrected"
    run = json.loads((out / "run.json").read_text())
    assert run["inputs"]["flight.tif"] == row["sha256"]
    assert (out / "chips" / f"felled_ortho_{DAY}.png").is_file()
    assert any("flight.tif" in note.message and "50%" in note.message for note in result.notes)
    html = (out / "report.html").read_text()
    assert "moved back by that" in html
    assert "Drone" in html


def test_colours_only_give_indices_of_colours(forest: Any, clearing_at: Any, tmp_path: Path) -> None:
    source, parcels, _ = forest
    path = flight(tmp_path / "rgb.tif", clearing_at, bands=("red", "green", "blue"), moved=(3, 0))
    result = service.assess(parcels, source=source, settings=KNOBS, orthos=[f"{path}@{DAY},sensor=phantom 4"])
    rows = result.series[result.series["sensor"] == "phantom 4"]
    assert set(rows["index"]) == {"gli", "ngrdi", "vari"}
    green, red, blue = 0.055, 0.045, 0.025
    means = rows[rows["parcel_id"] == "stable"].set_index("index")["mean"]
    assert means["gli"] == pytest.approx((2 * green - red - blue) / (2 * green + red + blue), abs=0.01)
    assert means["ngrdi"] == pytest.approx((green - red) / (green + red), abs=0.01)
    [record] = result.orthos
    assert record.shift.verdict == "reported"
    assert record.units == "digital numbers"


def test_degrees_give_what_metres_give(forest: Any, flown: Path, shown: Any, tmp_path: Path) -> None:
    """The same flight on a geographic grid."""
    source, parcels, _ = forest
    with rasterio.open(flown) as file:
        metres, inverse = file.read(), ~file.transform
    west, north = pyproj.Transformer.from_crs(CRS, 4326, always_xy=True).transform(LEFT + 9, TOP - 7)
    place = Affine(1.27e-5 / 2, 0, west, 0, -9e-6 / 2, north)
    lon, lat = place @ np.meshgrid(np.arange(800) + 0.5, np.arange(800) + 0.5)
    col, row = inverse @ pyproj.Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    inside = (col >= 0) & (col < SIDE) & (row >= 0) & (row < SIDE)
    planes = np.where(inside, metres[:, np.clip(row, 0, 399).astype(int), np.clip(col, 0, 399).astype(int)], 0)
    names = ("red", "green", "blue", "nir")
    path = write_ortho(tmp_path / "degrees.tif", planes, transform=place, crs="EPSG:4326", descriptions=names)
    result = service.assess(parcels, source=source, settings=KNOBS, orthos=[f"{path}@{DAY},scale=0.0001"])
    [one], [other] = shown[0].orthos, result.orthos
    assert (other.shift.east_m, other.shift.north_m) == pytest.approx((one.shift.east_m, one.shift.north_m), abs=0.5)
    means = [r.series[r.series["sensor"] == "drone"].set_index("parcel_id")["mean"] for r in (shown[0], result)]
    assert (means[0] - means[1]).abs().max() < 0.01


def test_the_same_input_gives_the_same_run(forest: Any, flown: Path, shown: Any) -> None:
    source, parcels, _ = forest
    spec = f"{flown}@{DAY},scale=0.0001"
    again = service.assess(parcels, source=source, settings=KNOBS, orthos=[spec])
    assert again.run_id == shown[0].run_id
    assert_frame_equal(again.series, shown[0].series)


def test_what_is_later_than_the_result_is_left_out_and_said(forest: Any, flown: Path, plain: Assessment) -> None:
    source, parcels, _ = forest
    result = service.assess(parcels, source=source, settings=KNOBS, orthos=[f"{flown}@2021-05-01"])
    assert result.orthos == ()
    assert_frame_equal(result.series, plain.series)
    assert any("later than 2020-" in note.message for note in result.notes)


def test_a_flight_elsewhere_is_a_note_not_a_crash(forest: Any, tmp_path: Path) -> None:
    source, parcels, _ = forest
    planes = np.full((3, 50, 50), 100, np.uint8)
    path = write_ortho(
        tmp_path / "far.tif", planes, transform=Affine(1, 0, 600_000, 0, -1, 5_100_000), crs=CRS,
        descriptions=("red", "green", "blue"),
    )  # fmt: skip
    result = service.assess(parcels, source=source, settings=KNOBS, orthos=[f"{path}@{DAY}"])
    assert any("shows none of the parcels" in note.message for note in result.notes)
    assert dict(result.orthos[0].coverage) == {}
    assert result.orthos[0].shift.verdict == "cannot_tell"


@pytest.mark.parametrize(
    ("option", "code", "words"),
    [
        ("flight.tif", 3, "needs the day it was flown"),
        ("flight.tif@May", 3, "date"),
        ("nowhere.tif@2020-05-01", 4, "There is no orthomosaic"),
        ("hostile.tif@2020-05-01", 3, "Expected an orthomosaic as GeoTIFF"),
    ],
)
def test_the_command_says_what_is_wrong(
    forest: Any, run: Callable[..., tuple[int, str, str]], clearing_at: Any, option: str, code: int, words: str
) -> None:
    source, parcels, _ = forest
    flight(Path("flight.tif"), clearing_at, bands=("red", "green", "blue"), moved=(0, 0))
    Path("hostile.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    found, _, err = run("assess", parcels, "--source", source, "--ortho", option, "--out", "out")
    assert found == code
    assert words in err
    assert not Path("out").exists()


def test_the_command_takes_several(forest: Any, run: Callable[..., tuple[int, str, str]], clearing_at: Any) -> None:
    source, parcels, _ = forest
    one = flight(Path("one.tif"), clearing_at, bands=("red", "green", "blue"), moved=(0, 0))
    two = flight(Path("two.tif"), clearing_at, bands=("red", "green", "blue"), moved=(0, 0), compress="lzw")
    options = [part for path in (one, two) for part in ("--ortho", f"{path}@{DAY}")]
    assert run("assess", parcels, "--source", source, *options, "--out", "out", "--lang", "zh")[0] == 0
    assert len(json.loads(Path("out/scenes.json").read_text())["orthomosaics"]) == 2
    assert "无人机" in Path("out/report.html").read_text()
    found, _, err = run("assess", parcels, "--source", source, *options[:2], *options[:2], "--out", "other")
    assert (found, "given twice" in err) == (3, True)


def test_as_the_only_source_it_is_a_look_of_its_own_sensor(forest: Any, flown: Path) -> None:
    """One look is no series: nothing is judged, and nothing counts as a look of Sentinel-2."""
    result = service.assess(forest[1], source=f"ortho:{flown}@{DAY},scale=0.0001", settings=KNOBS)
    assert set(result.series["sensor"]) == {"drone"}
    assert set(result.parcels["meta_status"]) == {"cannot_tell"}
    assert (result.parcels["meta_n_obs"] == 0).all()
    assert result.alerts == ()
