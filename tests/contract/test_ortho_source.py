"""An orthomosaic as a source keeps the promises of `types.Source`, on the 10 m lattice of its UTM zone."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pystac
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from orthomosaic_files import write_ortho

from geocollateral.errors import BrokenData, InvalidInput
from geocollateral.observe.plan import grid_of
from geocollateral.sources import open_source
from geocollateral.types import Block, Period, Source

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
EVER = Period(start=None, end=dt.date(2100, 1, 1))
CRS, LEFT, TOP = "EPSG:32650", 500_000, 4_400_120
PLANES = np.random.default_rng(3).uniform(0.02, 0.4, (2, 120, 140)).astype("float32")


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "flight.tif"
    write_ortho(path, PLANES, transform=Affine(1, 0, LEFT, 0, -1, TOP), crs=CRS, descriptions=("red", "nir"))
    return open_source(f"ortho:{path}@2021-06-01", scale=1.0)


@pytest.fixture
def item(source: Source) -> pystac.Item:
    [found] = source.search(EVERYWHERE, EVER)
    return found


def block_of(geobox: GeoBox, *items: pystac.Item) -> Block:
    return Block(block_id="b", geobox=geobox, parcel_ids=("p",), items=items)


def test_is_a_source_of_one_scene(source: Source, item: pystac.Item) -> None:
    assert isinstance(source, Source)
    assert len(source.info.sha256["flight.tif"]) == 64
    assert set(item.assets) == {"red", "nir"}
    pystac.Item.from_dict(item.to_dict())
    grid = grid_of(item)
    assert (tuple(grid.shape), tuple(grid.affine)[:6], str(grid.crs)) == ((12, 14), (10, 0, LEFT, 0, -10, TOP), CRS)


def test_period_and_bounds(source: Source, item: pystac.Item) -> None:
    day = dt.date(2021, 6, 1)
    west, south, east, north = item.bbox or []
    assert source.search((west, south, east, north), Period(start=day, end=day))
    assert not source.search(EVERYWHERE, Period(start=None, end=day - dt.timedelta(days=1)))
    assert not source.search(EVERYWHERE, Period(start=day + dt.timedelta(days=1), end=dt.date(2100, 1, 1)))
    assert not source.search((east + 1, south, east + 2, north), EVER)
    assert not source.search((east + 1, south, west - 1, north), EVER)  # the other way round the world


def test_pixels_are_area_means(source: Source, item: pystac.Item) -> None:
    got = source.read(block_of(grid_of(item), item), ["nir", "swir16", "red"])
    truth = PLANES.reshape(2, 12, 10, 14, 10).mean(axis=(2, 4))
    np.testing.assert_allclose(got["red"].values[0], truth[0], rtol=1e-5)
    np.testing.assert_allclose(got["nir"].values[0], truth[1], rtol=1e-5)
    assert got["status"].values.tolist() == [["ok", "missing", "ok"]]
    assert np.isnan(got["scale"].sel(band="swir16")).all()
    assert "swir16" not in got
    assert list(got["scene_id"].values) == [item.id]
    part = source.read(block_of(grid_of(item)[3:7, 2:9], item), ["red"])
    np.testing.assert_array_equal(part["red"].values, got["red"].values[:, 3:7, 2:9])


def test_past_its_edge_there_is_nothing(source: Source, item: pystac.Item) -> None:
    past = grid_of(item).translate_pix(-3, 0)
    got = source.read(block_of(past, item), ["red"])
    assert np.isnan(got["red"].values[0, :, :3]).all()
    assert np.isfinite(got["red"].values[0, :, 3:]).all()
    away = source.read(block_of(grid_of(item).translate_pix(100, 0), item), ["red"])
    assert (away["status"] == "outside").all()
    assert source.read(block_of(past), ["red"]).sizes["time"] == 0


def test_what_is_not_its_own_is_refused(source: Source, item: pystac.Item) -> None:
    strange = item.clone()
    strange.id = "strange"
    with pytest.raises(BrokenData, match="strange"):
        source.read(block_of(grid_of(item), strange), ["red"])
    with pytest.raises(BrokenData, match="A block must lie"):
        source.read(block_of(grid_of(item).translate_pix(0.5, 0), item), ["red"])


def test_options_of_other_sources_are_refused(tmp_path: Path, source: Source) -> None:
    with pytest.raises(InvalidInput, match="no option backscatter"):
        open_source(f"ortho:{tmp_path / 'flight.tif'}@2021-06-01", backscatter="dB")
