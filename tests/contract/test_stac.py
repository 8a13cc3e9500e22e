"""What STAC sources make of the world's catalogues: right numbers, or a status that says why there are none."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pystac
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from servers.catalogue import (
    COMMON,
    CRS,
    FINE,
    ORIGIN,
    SIZE,
    Layout,
    Scene,
    lonlat_bounds,
    sentinel1_item,
    sentinel2_item,
    truth,
    write_catalogue,
    write_tiff,
)
from servers.faults import Asked, FaultServer, Reply, folder_upstream
from servers.pages import Pages

from geocollateral.errors import BrokenData, IncompleteSearch, InvalidInput, MissingInput
from geocollateral.simulate import build
from geocollateral.sources import check_source, open_source
from geocollateral.sources.borders import NOISE_PIXELS
from geocollateral.sources.catalogue.duplicates import SUPERSEDES
from geocollateral.sources.catalogue.services import SERVICES
from geocollateral.sources.schemes import SourceRequest
from geocollateral.sources.stac import StacSource
from geocollateral.sources.stac_open import open_service
from geocollateral.types import OPTICAL_BANDS, READ_STATUSES, Block, Period

# rasterio 1.4 multiplies affines the old way where the simulated world is drawn.
pytestmark = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning:rasterio")

EVERYWHERE = (-180.0, -90.0, 180.0, 90.0)
EVER = Period(start=None, end=dt.date(2100, 1, 1))
DAY = "2023-05-11T03:05:00"
GRID = GeoBox((SIZE, SIZE), Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), CRS)
REFLECTANCE = [band for band in COMMON if band != "scl"]


def opened(folder: Path, *features: Mapping[str, Any]) -> StacSource:
    write_catalogue(folder, features)
    source = open_source(str(folder))
    assert isinstance(source, StacSource)
    return source


def found(source: StacSource) -> list[pystac.Item]:
    return source.search(EVERYWHERE, EVER)


def read(
    source: StacSource, bands: Sequence[str], geobox: GeoBox = GRID, items: Sequence[pystac.Item] | None = None
) -> xr.Dataset:
    chosen = found(source) if items is None else items
    return source.read(Block(block_id="b", geobox=geobox, parcel_ids=("p",), items=tuple(chosen)), bands)


def reflectance(numbers: xr.Dataset, band: str, n: int = 0) -> np.ndarray[Any, np.dtype[np.float64]]:
    scale, offset = (float(numbers[name].sel(band=band)[n]) for name in ("scale", "offset"))
    return np.asarray(numbers[band].values[n].astype(np.float64) * scale + offset)


def window(row: int, col: int, height: int, width: int) -> GeoBox:
    return GeoBox((height, width), GRID.affine @ Affine.translation(col, row), CRS)


# ---- the same scene from every provider

PROVIDERS: list[tuple[Layout, Scene]] = [
    ("earth-search", Scene(day=DAY, has_offset=False, flag=True)),
    ("earth-search", Scene(day=DAY, has_offset=True, flag=False)),
    ("earth-search-c1", Scene(day=DAY)),
    ("planetary-computer", Scene(day=DAY)),
    ("cdse", Scene(day=DAY)),
    ("planetary-computer", Scene(day=DAY, baseline="03.01", has_offset=False)),
    # Neither number nor statement tells of the offset: the pixels do.
    ("cdse", Scene(day=DAY, baseline="99.99", has_offset=False)),
    ("cdse", Scene(day=DAY, baseline="99.99", has_offset=True)),
]


@pytest.mark.parametrize(("layout", "scene"), PROVIDERS)
def test_t42_t36_t1_the_same_scene_from_every_provider(layout: Layout, scene: Scene, tmp_path: Path) -> None:
    numbers = read(opened(tmp_path, sentinel2_item(tmp_path, scene, layout)), list(COMMON))
    assert (numbers["status"] == "ok").all()
    for band in REFLECTANCE:
        expected = truth(band) if band in FINE else truth(band).repeat(2, 0).repeat(2, 1)
        assert np.abs(reflectance(numbers, band) - expected).max() <= 1e-4
    assert (numbers["scl"] == 4).all()


# ---- offsets that lie


@pytest.mark.parametrize(("has_offset", "flag", "better"), [(True, True, "-0.1"), (False, False, "0")])
def test_t2_a_lying_flag_quarantines_its_scene_and_no_other(
    has_offset: bool, flag: bool, better: str, tmp_path: Path
) -> None:
    liar = sentinel2_item(tmp_path, Scene(day=DAY, has_offset=has_offset, flag=flag), "earth-search")
    honest = sentinel2_item(tmp_path, Scene(day="2023-05-21T03:05:00", flag=False), "earth-search")
    source = opened(tmp_path, liar, honest)
    numbers = read(source, list(COMMON))
    status = numbers["status"].to_series().unstack("band")
    assert set(status.iloc[0][REFLECTANCE]) == {"quarantined"}
    assert status.iloc[0]["scl"] == "ok"
    assert set(status.iloc[1]) == {"ok"}
    reason = str(numbers["reason"].sel(band="nir")[0].values)
    assert f"the pixels say {better}:" in reason
    assert "boa_offset_applied" in reason or "raster:bands offset" in reason
    # The verdict neither depends on the bands asked for nor on the company the scene keeps.
    alone = read(source, ["nir"], items=found(source)[:1])
    assert str(alone["status"][0, 0].values) == "quarantined"
    assert str(alone["offset_evidence"][0].values) == str(numbers["offset_evidence"][0].values)


def test_t1_an_offset_that_nobody_tells_is_not_guessed(tmp_path: Path) -> None:
    feature = sentinel2_item(tmp_path, Scene(day=DAY, baseline="99.99"), "cdse")
    clouds = np.full((SIZE // 2, SIZE // 2), 9, np.uint8)
    write_tiff(tmp_path / "files" / feature["id"] / "SCL.tif", clouds, ORIGIN, 20.0, 0)
    numbers = read(opened(tmp_path, feature), ["red", "scl"])
    assert numbers["status"].values.tolist() == [["quarantined", "ok"]]
    assert np.isnan(numbers["offset"].sel(band="red")).all()
    assert "do not tell" in str(numbers["reason"][0, 0].values)


@pytest.mark.sample
def test_t2_real_scenes_are_judged_right() -> None:
    """140 scenes of a Romanian forest: as they are, told to carry an offset they lack, and carrying one they deny."""
    from geocollateral.sources.catalogue.offsets import judge_offset

    source = open_source("sample:romania")
    items = source.search(EVERYWHERE, EVER)
    p = items[0].properties
    grid = GeoBox(p["proj:shape"], Affine(*p["proj:transform"]), p["proj:code"])
    cube = source.read(Block(block_id="b", geobox=grid, parcel_ids=("p",), items=tuple(items)), ["blue", "red", "scl"])

    def count(stated: float, added: int) -> pd.Series:
        verdicts = []
        for n in range(cube.sizes["time"]):
            dn = {band: cube[band].values[n].astype(np.int64) for band in ("blue", "red")}
            valid = {band: values > 0 for band, values in dn.items()}
            shifted = {band: values + added for band, values in dn.items()}
            found = judge_offset(dict.fromkeys(dn, stated), shifted, valid, cube["scl"].values[n])
            verdicts.append(found.verdict)
        return pd.Series(verdicts).value_counts()

    # One scene in a hundred lies under haze that its classification calls vegetation.
    honest = count(0.0, 0)
    assert honest["agrees"] >= 97
    assert honest.get("disagrees", 0) <= 1
    for stated, added in ((-0.1, 0), (0.0, 1000)):
        lying = count(stated, added)
        assert lying["disagrees"] >= 97
        assert lying.get("agrees", 0) <= 1


# ---- what is not there


def test_t37_r3_every_scene_and_band_is_accounted_for(tmp_path: Path) -> None:
    lacking = sentinel2_item(tmp_path, Scene(day="2023-05-01T03:05:00", drop=("nir",)), "earth-search-c1")
    gone = sentinel2_item(tmp_path, Scene(day="2023-05-11T03:05:00"), "earth-search-c1")
    cut = sentinel2_item(tmp_path, Scene(day="2023-05-21T03:05:00"), "earth-search-c1")
    (tmp_path / "files" / gone["id"] / "B08.tif").unlink()
    whole = (tmp_path / "files" / cut["id"] / "B08.tif").read_bytes()
    (tmp_path / "files" / cut["id"] / "B08.tif").write_bytes(whole[: len(whole) - 700])
    beside = sentinel2_item(tmp_path, Scene(day="2023-05-31T03:05:00"), "earth-search-c1")
    for asset in beside["assets"].values():
        if "proj:transform" in asset:
            asset["proj:transform"] = [*asset["proj:transform"][:2], ORIGIN[0] + 6400, *asset["proj:transform"][3:]]
    source = opened(tmp_path, lacking, gone, cut, beside)
    numbers = read(source, ["red", "nir", "swir22"])
    assert numbers["status"].shape == (4, 3)
    assert set(np.unique(numbers["status"])) <= set(READ_STATUSES)
    assert numbers["status"].sel(band="nir").values.tolist() == ["missing", "missing", "corrupt", "outside"]
    assert numbers["status"].sel(band="red").values.tolist() == ["ok", "ok", "ok", "outside"]
    assert set(numbers["status"].sel(band="swir22").values.tolist()) == {"missing"}
    reasons = numbers["reason"].sel(band="nir").values.tolist()
    assert reasons[0] == "the item has no asset for nir"
    assert "no such file" in reasons[1]
    assert all(reasons)
    assert (numbers["reason"].sel(band="red")[:3] == "").all()
    assert "swir22" not in numbers
    assert (numbers["nir"][0] == 0).all()
    assert not numbers["transient"].any()


def test_t39_a_band_of_zeros_beside_full_bands_is_corrupt_and_an_empty_scene_is_outside(tmp_path: Path) -> None:
    broken = sentinel2_item(tmp_path, Scene(day="2023-05-01T03:05:00"), "earth-search-c1")
    empty = sentinel2_item(tmp_path, Scene(day="2023-05-11T03:05:00"), "earth-search-c1")
    for feature, bands in ((broken, ["nir"]), (empty, list(COMMON))):
        for band in bands:
            side, pixel = (SIZE, 10.0) if band in FINE else (SIZE // 2, 20.0)
            kind = np.uint8 if band == "scl" else np.uint16
            path = tmp_path / "files" / feature["id"] / f"{COMMON[band]}.tif"
            write_tiff(path, np.zeros((side, side), kind), ORIGIN, pixel, 0)
    numbers = read(opened(tmp_path, broken, empty), ["red", "nir"])
    assert numbers["status"].values.tolist() == [["ok", "corrupt"], ["outside", "outside"]]
    assert "another band of the scene fills 100%" in str(numbers["reason"][0, 1].values)


def test_an_asset_off_the_list_is_missing_and_never_asked_for(tmp_path: Path) -> None:
    feature = sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1")
    feature["assets"]["nir"]["href"] = "http://169.254.169.254/latest/x.tif"
    feature["assets"]["green"]["href"] = "../../../elsewhere/x.tif"
    numbers = read(opened(tmp_path, feature), ["red", "nir", "green"])
    assert numbers["status"].values.tolist() == [["ok", "missing", "missing"]]
    assert all("refused" in str(r) for r in numbers["reason"][0, 1:].values)


def test_a_header_that_contradicts_the_item_is_corrupt(tmp_path: Path) -> None:
    feature = sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1")
    feature["assets"]["nir"]["proj:transform"][2] += 10  # a pixel to the east
    numbers = read(opened(tmp_path, feature), ["red", "nir"])
    assert numbers["status"].values.tolist() == [["ok", "corrupt"]]


# ---- grids


@pytest.mark.parametrize(
    ("row", "col", "height", "width"), [(0, 0, 64, 64), (1, 3, 5, 7), (31, 33, 2, 1), (-3, 61, 9, 9)]
)
def test_t8_coarser_bands_are_replicated_in_windows_odd_to_their_grid(
    row: int, col: int, height: int, width: int, tmp_path: Path
) -> None:
    source = opened(tmp_path, sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1"))
    numbers = read(source, ["red", "swir16"], window(row, col, height, width))
    rows, cols = np.arange(row, row + height), np.arange(col, col + width)
    inside = np.ix_((rows >= 0) & (rows < SIZE), (cols >= 0) & (cols < SIZE))
    for band, factor in (("red", 1), ("swir16", 2)):
        fine = truth(band).repeat(factor, 0).repeat(factor, 1)
        expected = fine[np.ix_(rows[(rows >= 0) & (rows < SIZE)], cols[(cols >= 0) & (cols < SIZE)])]
        assert np.abs(reflectance(numbers, band)[inside] - expected).max() <= 1e-4
        outside = np.ones((height, width), bool)
        outside[inside] = False
        assert (numbers[band].values[0][outside] == 0).all()


def test_a_block_off_the_lattice_is_refused(tmp_path: Path) -> None:
    source = opened(tmp_path, sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1"))
    for wrong in (
        GeoBox((4, 4), Affine(10, 0, ORIGIN[0] + 5, 0, -10, ORIGIN[1]), CRS),
        GeoBox((4, 4), Affine(20, 0, ORIGIN[0], 0, -20, ORIGIN[1]), CRS),
        GeoBox((4, 4), Affine(10, 0, ORIGIN[0], 0, -10, ORIGIN[1]), "EPSG:32649"),
    ):
        with pytest.raises(BrokenData, match="A block must lie on the lattice"):
            read(source, ["red"], wrong)


def test_t15_the_order_of_items_and_documents_changes_no_byte(tmp_path: Path) -> None:
    days = [f"2023-05-{day:02d}T03:05:00" for day in (3, 8, 13, 18)]
    features = [sentinel2_item(tmp_path, Scene(day=day), "earth-search-c1") for day in days]
    first = read(opened(tmp_path, *features), ["red", "scl"])
    rng = np.random.default_rng(1)
    for _ in range(3):
        source = opened(tmp_path, *rng.permutation(np.array(features, dtype=object)).tolist())
        items = found(source)
        rng.shuffle(items)  # type: ignore[arg-type]
        assert read(source, ["red", "scl"], items=items).identical(first)


def test_an_item_without_a_grid_is_read_by_its_header_and_refused_without_one(tmp_path: Path) -> None:
    told = sentinel2_item(tmp_path, Scene(day="2023-05-01T03:05:00"), "earth-search-c1")
    lost = sentinel2_item(tmp_path, Scene(day="2023-05-11T03:05:00"), "earth-search-c1")
    for feature in (told, lost):
        feature["properties"].pop("proj:code")
        for asset in feature["assets"].values():
            asset.pop("proj:transform", None)
            asset.pop("proj:shape", None)
    shutil.rmtree(tmp_path / "files" / lost["id"])
    source = opened(tmp_path, told, lost)
    outcome = source.find(EVERYWHERE, EVER)
    assert [item.id for item in outcome.items] == [told["id"]]
    assert len(outcome.refused) == 1
    assert outcome.refused[0].startswith(lost["id"])
    numbers = read(source, list(COMMON))
    assert (numbers["status"] == "ok").all()
    assert np.abs(reflectance(numbers, "swir16") - truth("swir16").repeat(2, 0).repeat(2, 1)).max() <= 1e-4


def test_t21_a_scene_with_a_wrong_footprint_at_180_degrees_is_found_where_it_lies(tmp_path: Path) -> None:
    feature = sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1")
    feature["bbox"] = [-180.0, -18.0, 180.0, -17.0]
    feature["properties"]["proj:code"] = "EPSG:32701"
    for asset in feature["assets"].values():
        if "proj:transform" in asset:
            pixel = asset["proj:transform"][0]
            asset["proj:transform"] = [pixel, 0, 181_260.0, 0, -pixel, 8_064_000.0]
            asset["proj:shape"] = [int(109_800 / pixel)] * 2
    source = opened(tmp_path, feature)
    assert len(source.search((179.99, -18.0, -179.99, -17.0), EVER)) == 1
    assert len(source.search((-179.9, -18.0, -179.8, -17.9), EVER)) == 1
    assert source.search((10.0, -18.0, 11.0, -17.0), EVER) == []


# ---- duplicates


def test_t12_t13_a_catalogue_with_duplicates_gives_each_look_once(tmp_path: Path) -> None:
    old = Scene(day=DAY, baseline="04.00", suffix="_0_L2A", has_offset=True)
    new = Scene(day=DAY, baseline="05.10", suffix="_1_L2A", has_offset=True)
    features = [sentinel2_item(tmp_path, scene, "earth-search-c1") for scene in (old, new)]
    items = found(opened(tmp_path, *features))
    assert [item.id for item in items] == [features[1]["id"]]
    assert items[0].properties[SUPERSEDES][0]["id"] == features[0]["id"]


# ---- radar


def power(value: float = 0.05) -> dict[str, Any]:
    pattern = (np.arange(SIZE * SIZE).reshape(SIZE, SIZE) % 50 * 1e-3).astype(np.float32)
    return {"vv": (value + pattern).astype(np.float32), "vh": (value / 5 + pattern).astype(np.float32)}


def test_t33_the_border_of_a_radar_scene_is_removed_and_nothing_else(tmp_path: Path) -> None:
    values = power()
    for band in values.values():
        band[:, :6] = 0
        band[:, -4:] = 1e-5
        band[30, 30] = 0
    source = opened(tmp_path, sentinel1_item(tmp_path, "S1A", "2020-03-21T11:11:27Z", values))
    numbers = read(source, ["vv", "vh"])
    kept = np.zeros((SIZE, SIZE), bool)
    kept[:, 6 + NOISE_PIXELS : SIZE - 4 - NOISE_PIXELS] = True
    kept[30, 30] = False
    for band in ("vv", "vh"):
        got = numbers[band].values[0]
        assert np.array_equal(np.isfinite(got), kept)
        assert np.array_equal(got[kept], values[band][kept])
        assert np.isfinite(10 * np.log10(got[kept])).all()
        assert numbers[band].attrs["units"] == "1"
        assert np.isnan(numbers[band].attrs["nodata"])
    assert (numbers["status"] == "ok").all()
    # A window of it says the same.
    part = read(source, ["vv"], window(20, 9, 20, 30))
    assert np.array_equal(part["vv"].values, numbers["vv"].values[:, 20:40, 9:39], equal_nan=True)


def test_t31_radar_scenes_carry_direction_and_relative_orbit(tmp_path: Path) -> None:
    down = {"sat:orbit_state": "descending", "sat:relative_orbit": 47, "platform": "sentinel-1c"}
    source = opened(
        tmp_path,
        sentinel1_item(tmp_path, "a", "2020-03-21T11:11:27Z", power()),
        sentinel1_item(tmp_path, "d", "2025-03-22T23:11:27Z", power(0.1), down),
    )
    numbers = read(source, ["vv"])
    assert numbers["orbit"].values.tolist() == ["ascending-15", "descending-47"]
    assert numbers["platform"].values.tolist() == ["sentinel-1a", "sentinel-1c"]


def test_radar_beside_or_without_data_is_outside(tmp_path: Path) -> None:
    empty = {band: np.full((SIZE, SIZE), -32768, np.float32) for band in ("vv", "vh")}
    source = opened(
        tmp_path,
        sentinel1_item(tmp_path, "empty", "2020-03-21T11:11:27Z", empty),
        sentinel1_item(tmp_path, "east", "2020-03-22T11:11:27Z", power(), origin=(ORIGIN[0] + 2000, ORIGIN[1])),
    )
    assert (read(source, ["vv"])["status"] == "outside").all()


def test_radar_geometry_is_refused_with_advice(tmp_path: Path) -> None:
    feature = sentinel1_item(tmp_path, "grd", "2020-03-21T11:11:27Z", power())
    for name in ("proj:epsg", "proj:shape", "proj:transform"):
        del feature["properties"][name]
    with pytest.raises(MissingInput, match=r"1 scenes here, and none can be read.*sentinel-1-rtc"):
        found(opened(tmp_path, feature))


def test_a_folder_may_have_a_hash_in_its_name(tmp_path: Path) -> None:
    folder = tmp_path / "lot #7"
    assert len(found(opened(folder, sentinel2_item(folder, Scene(day=DAY), "earth-search-c1")))) == 1
    spec = f"stac:{tmp_path / 'lot #7' / 'catalog.json'}"
    assert len(open_source(spec).search(EVERYWHERE, EVER)) == 1


def test_options_choose_scenes(tmp_path: Path) -> None:
    cloudy = Scene(day="2023-06-01T03:05:00", properties={"eo:cloud_cover": 80.0}, platform="sentinel-2b")
    features = [sentinel2_item(tmp_path, s, "earth-search-c1") for s in (Scene(day=DAY), cloudy)]
    write_catalogue(tmp_path, [*features, sentinel1_item(tmp_path, "r", "2020-03-21T11:11:27Z", power())])

    def ids(**options: Any) -> list[str]:
        return [item.id for item in open_source(str(tmp_path), **options).search(EVERYWHERE, EVER)]

    clear, clouded = (str(feature["id"]) for feature in features)
    assert ids() == ["r", clear, clouded]
    assert ids(max_cloud=20) == ["r", clear]
    assert ids(radar=False) == [clear, clouded]
    assert ids(optical=False) == ["r"]
    assert ids(platforms=("sentinel-2b",)) == [clouded]
    assert ids(collections=("sentinel-1-rtc",)) == ["r"]
    with pytest.raises(InvalidInput, match="no option"):
        open_source(str(tmp_path), cloud=3)


def test_addresses_are_signed_at_the_read_and_kept_unsigned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service in the manner of Planetary Computer: signed addresses in its items have expired, others are refused."""
    files = folder_upstream(tmp_path)
    tokens: list[str] = []

    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/token/"):
            tokens.append(f"sig=fresh{len(tokens)}")
            document = {"token": tokens[-1], "msft:expiry": "2100-01-01T00:00:00Z"}
            return Reply(200, json.dumps(document).encode())
        if asked.path.startswith("/files/") and asked.query not in tokens:
            return Reply(403, b"AuthenticationFailed")
        return files(asked) if asked.path.startswith("/files/") else pages(asked)

    with FaultServer(answer) as server:
        feature = sentinel2_item(tmp_path, Scene(day=DAY), "planetary-computer", assets_at=server.url)
        for asset in feature["assets"].values():
            asset["href"] += "?sig=EXPIRED"
        pages = Pages([feature])
        monkeypatch.setenv("PC_SDK_SAS_URL", f"{server.url}/token")
        service = replace(SERVICES["planetary-computer"], url=server.url, radar=())
        source = open_service(service, SourceRequest(what=""))
        items = source.search(lonlat_bounds(), EVER)
        numbers = source.read(Block(block_id="b", geobox=GRID, parcel_ids=("p",), items=tuple(items)), ["red", "scl"])
    assert (numbers["status"] == "ok").all()
    assert tokens
    for text in (json.dumps([i.to_dict() for i in items]), repr(numbers.attrs), repr(numbers["reason"].values)):
        assert "sig=" not in text


# ---- catalogues that are broken or hostile


def test_r16_a_document_that_cannot_be_had_makes_the_search_incomplete(tmp_path: Path) -> None:
    feature = sentinel2_item(tmp_path, Scene(day=DAY), "earth-search-c1")
    source = opened(tmp_path, feature)
    document = tmp_path / "items" / f"{feature['id']}.json"
    whole = document.read_text()
    document.unlink()
    with pytest.raises(IncompleteSearch, match="names a document that cannot be had"):
        found(source)
    document.write_text(whole[:300])
    with pytest.raises(BrokenData, match="not JSON"):
        found(source)


def test_links_out_of_the_catalogue_are_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    source = opened(folder, sentinel2_item(folder, Scene(day=DAY), "earth-search-c1"))
    root = json.loads((folder / "catalog.json").read_text())
    (tmp_path / "secret.json").write_text('{"type": "Feature"}')
    for href in ("../secret.json", "http://127.0.0.1:9/x.json", f"file://{tmp_path}/secret.json"):
        hostile = {**root, "links": [*root["links"], {"rel": "item", "href": href}]}
        (folder / "catalog.json").write_text(json.dumps(hostile))
        with pytest.raises(InvalidInput, match="leads out of its place"):
            found(source)


def test_what_is_no_catalogue_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"type": "Feeture"}')
    with pytest.raises(InvalidInput, match="no STAC document"):
        open_source(f"stac:{tmp_path}/x.json")
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(BrokenData, match="Parquet"):
        open_source(f"stac:{tmp_path}/x.parquet")
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(BrokenData, match="lacks the columns"):
        open_source(f"stac:{tmp_path}/x.parquet")
    for wrong, error in (("none", MissingInput), ("x.txt", InvalidInput), ("", InvalidInput)):
        (tmp_path / "x.txt").write_text("x")
        with pytest.raises(error):
            open_source(f"stac:{tmp_path}/{wrong}")
    assert not check_source(f"stac:{tmp_path}/x.parquet")[0].ok


def test_the_cost_of_a_read_is_told_without_reading(tmp_path: Path) -> None:
    features = [sentinel2_item(tmp_path, Scene(day=f"2023-05-{d:02d}T03:05:00"), "earth-search-c1") for d in (1, 9)]
    source = opened(tmp_path, *features)
    block = Block(block_id="b", geobox=GRID, parcel_ids=("p",), items=tuple(found(source)))
    cost = source.estimate(block, ["red", "scl"])
    assert cost.scenes == 2
    assert 0 < cost.bytes < 20_000
    assert cost.pixels == 2 * (2 * SIZE**2 + (SIZE // 2) ** 2)


# ---- the simulated world, whose flaws are written down


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world") / "tiny"
    build(folder, "tiny", seed=1)
    return folder


def test_r12_t2_flaws_of_the_simulated_world_are_handled_and_nothing_else_is(tiny: Path) -> None:
    flaws = pd.read_parquet(tiny / "truth" / "flaws.parquet")
    source = open_source(str(tiny))
    items = source.search(EVERYWHERE, EVER)
    by_id = {item.id: item for item in items}
    for flaw in flaws[flaws["flaw"].isin(["reprocessed", "radar_twin"])].itertuples():
        loser = str(flaw.detail).removeprefix("supersedes ")
        assert loser not in by_id
        assert [entry["id"] for entry in by_id[str(flaw.item_id)].properties[SUPERSEDES]] == [loser]
    split = flaws.loc[flaws["flaw"] == "split_datastrip", "item_id"]
    assert set(split) <= set(by_id)
    assert len(items) == len(set(by_id))
    optical = [item for item in items if set(item.assets) & set(OPTICAL_BANDS)]
    p = optical[0].properties
    grid = GeoBox(p["proj:shape"], Affine(*p["proj:transform"]), p["proj:code"])
    block = Block(block_id="b", geobox=grid, parcel_ids=("p",), items=tuple(optical))
    numbers = source.read(block, ["blue", "red", "scl"])
    quarantined = set(numbers["scene_id"].values[(numbers["status"] == "quarantined").any("band").values].tolist())
    liars = set(flaws.loc[flaws["flaw"].str.startswith("flag_lies"), "item_id"])
    assert quarantined <= liars
    evidence = dict(zip(numbers["scene_id"].values.tolist(), numbers["offset_evidence"].values.tolist(), strict=True))
    # A liar that is not caught is one that no pixel of clear land speaks of.
    assert all("only" in evidence[name] for name in liars - quarantined)
    assert quarantined
