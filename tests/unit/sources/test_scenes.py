"""Items of several providers in one form; what contradicts itself is left out, what cannot be read is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from servers.catalogue import COMMON, SIZE, Layout, Scene, sentinel2_item

from geocollateral.sources.catalogue.orbits import KNOWN_PLATFORMS, orbit_label, relative_orbit_of, tile_of
from geocollateral.sources.catalogue.scenes import (
    KEY,
    REFUSED,
    UNKNOWN_PLATFORM,
    RefusedItem,
    band_of_key,
    canonical_item,
    ground_of,
    lacks_grid,
)

GRID = [10.0, 0.0, 500000.0, 0.0, -10.0, 4400020.0]


def feature(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": "Feature",
        "id": "one",
        "collection": "c",
        "geometry": None,
        "bbox": [10, 50, 11, 51],
        "properties": {"datetime": "2023-05-11T03:05:00Z", "platform": "sentinel-2a", "proj:code": "EPSG:32650"},
        "assets": {"red": {"href": "https://a.example/r.tif", "proj:transform": GRID, "proj:shape": [100, 100]}},
    }
    for name, value in changes.items():
        found[name] = {**found[name], **value} if isinstance(value, dict) and isinstance(found[name], dict) else value
    return found


def radar(product: str | None = "GRD", **properties: Any) -> dict[str, Any]:
    return {
        **feature(),
        "assets": {"vv": {"href": "https://a.example/vv.tif"}},
        "properties": {"datetime": "2020-03-21T11:11:27Z", "platform": "SENTINEL-1A", "sar:product_type": product}
        | properties,
    }


@pytest.mark.parametrize("layout", ["earth-search", "earth-search-c1", "planetary-computer", "cdse"])
def test_layouts_of_all_providers_come_to_the_same(layout: Layout, tmp_path: Path) -> None:
    item = canonical_item(sentinel2_item(tmp_path, Scene(day="2023-05-11T03:05:00", flag=False), layout))
    p = item.properties
    assert set(item.assets) == set(COMMON)
    assert (p["proj:code"], p["proj:shape"]) == ("EPSG:32650", [SIZE, SIZE])
    assert p["proj:transform"] == GRID
    assert p["grid:code"] == "MGRS-50SMJ"
    assert p["sat:relative_orbit"] == 46
    assert (p["platform"], p["constellation"]) == ("sentinel-2a", "sentinel-2")
    assert item.assets["nir08"].extra_fields["gsd"] == 20
    assert item.assets["red"].extra_fields["raster:offset"] == -0.1
    assert item.assets["scl"].extra_fields["raster:offset"] == 0
    assert UNKNOWN_PLATFORM not in p
    json.dumps(item.to_dict())


@pytest.mark.parametrize(
    ("key", "band"),
    [
        ("red", "red"),
        ("rededge1", "rededge071"),
        ("rededge3", "rededge078"),
        ("nir", "nir"),
        ("B08", "nir"),
        ("B8A", "nir08"),
        ("nir08", "nir08"),
        ("B04_10m", "red"),
        ("SCL_20m", "scl"),
        ("SCL", "scl"),
        ("VV", "vv"),
        ("B02_20m", None),
        ("B8A_60m", None),
        ("SCL_60m", None),
        ("red-jp2", None),
        ("visual", None),
        ("thumbnail", None),
    ],
)
def test_t36_asset_keys_stand_for_one_band_at_its_own_pixel_size(key: str, band: str | None) -> None:
    assert band_of_key(key) == band


def test_t36_a_band_that_calls_itself_another_is_left_out_and_told() -> None:
    wrong = {"href": "https://a.example/x.tif", "eo:bands": [{"name": "B8A"}]}
    item = canonical_item(feature(assets={"nir": wrong}))
    assert set(item.assets) == {"red"}
    assert item.properties[REFUSED] == {"nir": "asset 'nir' calls itself nir08"}
    odd = {"href": "https://a.example/x.tif", "raster:bands": [{"scale": 1.0}]}
    assert "states scale 1" in canonical_item(feature(assets={"nir": odd})).properties[REFUSED]["nir"]


@pytest.mark.parametrize("platform", sorted(KNOWN_PLATFORMS))
@pytest.mark.parametrize("write", [str, str.upper, lambda p: p.replace("entinel-", "").upper()])
def test_r13_every_platform_parses_however_it_is_written(platform: str, write: Any) -> None:
    p = canonical_item(feature(properties={"platform": write(platform)})).properties
    assert p["platform"] == platform
    assert p["constellation"] == platform[:-1].rstrip("-")[:10]
    assert UNKNOWN_PLATFORM not in p


def test_r13_an_unknown_platform_is_accepted_with_a_flag() -> None:
    p = canonical_item(feature(properties={"platform": "Sentinel-2E"})).properties
    assert (p["platform"], p[UNKNOWN_PLATFORM], p["constellation"]) == ("sentinel-2e", True, "sentinel-2")
    assert canonical_item(feature(properties={"platform": "PhotonSat"})).properties[UNKNOWN_PLATFORM] is True
    assert UNKNOWN_PLATFORM not in canonical_item(feature(properties={"platform": None})).properties


def test_signed_addresses_are_never_kept() -> None:
    signed = {"href": "https://a.example/x.tif?sig=SECRET&se=1", "proj:transform": GRID, "proj:shape": [9, 9]}
    item = canonical_item(feature(assets={"red": signed}))
    assert "SECRET" not in json.dumps(item.to_dict())
    assert item.assets["red"].href == "https://a.example/x.tif"


def test_instant_of_items_with_an_interval_only_is_its_start() -> None:
    item = canonical_item(
        feature(properties={"datetime": None, "start_datetime": "2023-05-11T03:05:00Z", "end_datetime": "2024-01-01"})
    )
    assert item.datetime is not None
    assert item.datetime.isoformat() == "2023-05-11T03:05:00+00:00"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (feature(properties={"datetime": None}), "datetime"),
        (feature(properties={"datetime": "yesterday"}), "date-time"),
        ({**feature(), "assets": {"visual": {"href": "https://a.example/v.tif"}}}, "none of its assets is a band"),
        (radar(), "radar geometry"),
        (
            feature(assets={"red": {"href": "https://a.example/r.tif", "proj:transform": [7, 7, 0, 7, -7, 0]}}),
            "turned against its axes",
        ),
    ],
    ids=["no time", "no date", "no band", "radar geometry", "rotated"],
)
def test_what_cannot_be_read_is_refused_with_its_reason(found: dict[str, Any], says: str) -> None:
    with pytest.raises(RefusedItem, match=says):
        canonical_item(found)


def test_terrain_corrected_radar_that_says_grd_is_read_on_the_grid_of_its_item() -> None:
    grid = {"proj:epsg": 32650, "proj:transform": GRID, "proj:shape": [100, 100], "sat:orbit_state": "ASCENDING"}
    item = canonical_item(radar(**grid, **{"sat:relative_orbit": 15}))
    assert item.assets["vv"].extra_fields["proj:shape"] == [100, 100]
    assert not lacks_grid(item)
    assert orbit_label(item.properties["sat:orbit_state"], item.properties["sat:relative_orbit"]) == "ascending-15"


def test_an_item_without_a_grid_says_so() -> None:
    item = canonical_item(radar(product=None))
    assert lacks_grid(item)
    assert canonical_item(radar(product=None)).properties["constellation"] == "sentinel-1"


def test_t37_a_band_that_is_not_listed_is_no_asset() -> None:
    assert "nir" not in canonical_item(feature()).assets


def test_t21_ground_near_180_degrees_is_told_by_the_frame_not_by_the_wrong_footprint() -> None:
    around_the_world = [-180.0, 60.0, 180.0, 61.0]
    p = {"proj:code": "EPSG:32601", "proj:transform": [10, 0, 300000, 0, -10, 6700000], "proj:shape": [10980, 10980]}
    red = {"href": "https://a.example/r.tif", "proj:transform": p["proj:transform"], "proj:shape": p["proj:shape"]}
    item = canonical_item(feature(bbox=around_the_world, properties=p, assets={"red": red}))
    boxes = ground_of(item)
    assert len(boxes) == 2
    assert sum(east - west for west, _, east, _ in boxes) < 3
    assert {boxes[0][2], boxes[1][0]} == {180.0, -180.0}


def test_orbit_and_tile_from_the_product_where_the_item_is_silent() -> None:
    name = {"s2:product_uri": "S2C_MSIL2A_20250301T030541_N0511_R075_T50SMJ_20250301T060000.SAFE"}
    assert relative_orbit_of(name) == 75
    assert tile_of(name) == "50SMJ"
    assert tile_of({"mgrs:utm_zone": 5, "mgrs:latitude_band": "Q", "mgrs:grid_square": "KB"}) == "05QKB"
    assert relative_orbit_of({"sat:relative_orbit": "15"}) == 15
    assert relative_orbit_of({}) is None
    assert orbit_label("", 46) == "46"
    assert orbit_label("", None) == ""
    assert canonical_item(feature()).properties[KEY] == "c/one"
