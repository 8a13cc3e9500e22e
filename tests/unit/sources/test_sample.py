"""The sample imagery: facts that were measured in its files by other means."""

from __future__ import annotations

import datetime as dt
from importlib.metadata import distribution
from pathlib import Path

import h5py
import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.sources import open_source, sample
from geocollateral.types import Block, Period

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)


def test_unknown_sample() -> None:
    with pytest.raises(InvalidInput, match=r"Unknown sample 'bulgaria'\. Known: romania"):
        open_source("sample:bulgaria")


def test_takes_no_options() -> None:
    with pytest.raises(InvalidInput, match="no option scale"):
        open_source("sample:romania", scale=0.1)


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "DISTRIBUTION", "no-such-distribution")
    with pytest.raises(MissingInput, match="make demo"):
        open_source("sample:romania")


@pytest.mark.parametrize(("content", "error"), [(None, MissingInput), (b"short", BrokenData), (b"x" * 9, BrokenData)])
def test_other_files_than_the_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, error: type[Exception]
) -> None:
    monkeypatch.setattr(sample, "_find_folder", lambda: tmp_path)
    monkeypatch.setattr(sample, "FILES", {"a.nc": (9, "0" * 64, ("B2",))})
    if content is not None:
        (tmp_path / "a.nc").write_bytes(content)
    with pytest.raises(error, match=r"a\.nc"):
        open_source("sample:romania")


@pytest.mark.sample
class TestRomania:
    def test_names_both_licences(self) -> None:
        info = open_source("sample:romania").info
        assert "EUPL-1.2" in info.licence
        assert "nrt 0.2.1" in info.licence
        assert info.attribution == "contains modified Copernicus Sentinel data 2015-2021"
        assert len(info.sha256) == 2

    def test_scenes_and_grid(self) -> None:
        items = open_source("sample:romania").search(EVERYWHERE, Period(start=None, end=dt.date(2021, 12, 31)))
        assert len(items) == 140
        assert [items[n].datetime.date() for n in (0, -1) if items[n].datetime] == [  # type: ignore[union-attr]
            dt.date(2015, 8, 1),
            dt.date(2021, 1, 1),
        ]
        facts = items[0].properties
        assert facts["proj:code"] == "EPSG:3035"
        assert facts["proj:shape"] == [100, 100]
        assert facts["constellation"] == "sentinel-2"
        assert "platform" not in facts
        west, south, east, north = items[0].bbox or []
        assert 22.144 < west < east < 22.160
        assert 45.199 < south < north < 45.210
        assert {band: a.extra_fields["gsd"] for band, a in items[0].assets.items()} == {
            **dict.fromkeys(("blue", "green", "red", "nir", "scl"), 10.0),
            **dict.fromkeys(("nir08", "swir16"), 20.0),
        }

    def test_coarse_bands_are_replicated_in_place(self) -> None:
        source = open_source("sample:romania")
        items = source.search(EVERYWHERE, Period(start=dt.date(2020, 9, 3), end=dt.date(2020, 9, 3)))
        facts = items[0].properties
        grid = GeoBox(facts["proj:shape"], Affine(*facts["proj:transform"]), facts["proj:code"])
        block = Block(block_id="b", geobox=grid, parcel_ids=(), items=tuple(items))
        got = source.read(block, ["red", "swir16"])
        folder = Path(str(distribution("nrt").locate_file("nrt/data")))
        with h5py.File(folder / "sentinel2_cube_subset_romania_20m.nc") as file:
            day = int(np.flatnonzero(file["time"][:] == (dt.date(2020, 9, 3) - dt.date(2015, 8, 1)).days)[0])
            coarse = file["B11"][day]
        with h5py.File(folder / "sentinel2_cube_subset_romania_10m.nc") as file:
            fine = file["B4"][day]
        assert np.array_equal(got["swir16"][0], np.kron(coarse, np.ones((2, 2), dtype=coarse.dtype)))
        assert np.array_equal(got["red"][0], fine)
