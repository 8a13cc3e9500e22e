"""A built world is laid out like the public catalogues, with their flaws, and holds no truth where imagery is read."""

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio
from shapely.geometry import box, shape

from geocollateral.intake import read_parcels
from geocollateral.simulate.items import ASSET_NAMES


def items_of(folder: Path, collection: str) -> list[pystac.Item]:
    catalogue = pystac.Catalog.from_file(folder / "catalog.json")
    found = {item.id: item for item in catalogue.get_child(collection).get_items()}  # type: ignore[union-attr]
    return list(found.values())


def test_catalogue_opens_and_is_whole(tiny: Path) -> None:
    optical, radar = items_of(tiny, "sentinel-2-l2a"), items_of(tiny, "sentinel-1-rtc")
    assert 28 <= len(optical) <= 36
    assert 14 <= len(radar) <= 18
    assert {item.properties["sat:relative_orbit"] for item in optical} == {32, 75}
    assert {item.properties["sat:orbit_state"] for item in radar} == {"ascending", "descending"}
    for item in optical + radar:
        for asset in item.assets.values():
            assert Path(asset.get_absolute_href() or "").is_file()
            assert not Path(asset.href).is_absolute()


def test_headers_say_what_items_say(tiny: Path) -> None:
    for item in items_of(tiny, "sentinel-2-l2a")[:6] + items_of(tiny, "sentinel-1-rtc")[:4]:
        for asset in item.assets.values():
            facts = asset.extra_fields
            with rasterio.open(asset.get_absolute_href(), driver="GTiff") as file:
                assert list(file.transform[:6]) == facts["proj:transform"]
                assert list(file.shape) == facts["proj:shape"]
                assert (
                    f"EPSG:{file.crs.to_epsg()}" == item.properties["proj:code"]
                )  # pystac brings proj:epsg up to date
                assert file.dtypes[0] == facts["raster:bands"][0]["data_type"]
                assert file.nodata == facts["raster:bands"][0]["nodata"]
                assert file.overviews(1)
                assert file.block_shapes[0] == (32, 32)


def test_outlines_are_where_the_data_are(tiny: Path) -> None:
    for item in items_of(tiny, "sentinel-2-l2a"):
        outline = shape(item.geometry)
        assert np.allclose(outline.bounds, item.bbox, atol=1e-6)
        with rasterio.open(item.assets["scl"].get_absolute_href(), driver="GTiff") as file:
            valid, transform, crs = file.read(1) > 0, file.transform, file.crs
        rows, columns = np.nonzero(valid)
        west, east = (transform.c + transform.a * n for n in (columns.min(), columns.max() + 1))
        north, south = (transform.f + transform.e * n for n in (rows.min(), rows.max() + 1))
        projected = gpd.GeoSeries([outline], crs=4326).to_crs(crs).iloc[0]
        assert projected.symmetric_difference(box(west, south, east, north)).area < 50


def test_items_look_like_earth_search(tiny: Path) -> None:
    item = next(i for i in items_of(tiny, "sentinel-2-l2a") if i.datetime and i.datetime.year == 2022)
    assert set(item.assets) <= set(ASSET_NAMES.values())
    wanted = {
        "platform", "constellation", "grid:code", "proj:code", "mgrs:utm_zone", "mgrs:latitude_band",
        "mgrs:grid_square",
        "s2:processing_baseline", "s2:product_uri", "s2:generation_time", "s2:datatake_id", "eo:cloud_cover", "created",
        "updated", "earthsearch:boa_offset_applied", "sat:relative_orbit", "sat:orbit_state",
    }  # fmt: skip
    assert wanted <= set(item.properties)
    assert item.assets["red"].extra_fields["eo:bands"][0]["common_name"] == "red"
    assert item.assets["red"].extra_fields["raster:bands"][0]["scale"] == 0.0001
    assert item.datetime is not None
    solar = (item.datetime.hour + item.datetime.minute / 60 + item.bbox[0] / 15) % 24  # type: ignore[index]
    assert 10.2 < solar < 10.9


def test_parquet_holds_the_same_items_and_the_paging_twins(tiny: Path) -> None:
    table = gpd.read_parquet(tiny / "items.parquet")
    flaws = pd.read_parquet(tiny / "truth" / "flaws.parquet")
    ids = {item.id for c in ("sentinel-2-l2a", "sentinel-1-rtc") for item in items_of(tiny, c)}
    assert set(table["id"]) == ids
    assert set(table["id"][table["id"].duplicated()]) == set(flaws.loc[flaws["flaw"] == "paging_twin", "item_id"])
    href = table["assets"].iloc[0]
    assert all((tiny / asset["href"]).is_file() for asset in href.values() if asset)


def test_portfolio_is_read_by_the_intake_and_tells_no_truth(tiny: Path) -> None:
    area = read_parcels(tiny / "parcels.geojson", datum="wgs84")
    assert len(area.parcels) == 9
    assert not area.notes
    assert {"agriculture", "forestry", "construction", "aquaculture"} == set(area.parcels["asset_class"])
    features = json.loads((tiny / "parcels.geojson").read_text())["features"]
    allowed = ("parcel_id", "asset_class", "claim_", "loan_")
    assert all(name.startswith(allowed) for feature in features for name in feature["properties"])
    truth = pd.read_parquet(tiny / "truth" / "parcels.parquet").set_index("parcel_id")["area_m2"]
    ratio = area.parcels["obs_area_m2"] / truth
    assert ratio.between(0.997, 1.013).all()  # geodesic against the UTM grid


def test_nothing_below_the_collections_tells_the_truth(tiny: Path) -> None:
    events = pd.read_parquet(tiny / "truth" / "events.parquet")
    assert len(events)
    for path in [*tiny.glob("sentinel-*/*/*.json"), *tiny.glob("*.json")]:
        text = path.read_text()
        assert not any(name in text for name in (*events["event_id"], *events["parcel_id"], *set(events["kind"])))


@pytest.mark.parametrize("flaw", ["reprocessed", "split_datastrip"])
def test_twins_share_the_instant_of_their_overpass(flaw: str) -> None:
    from geocollateral.simulate.overpasses import optical_scenes, valid_pixels
    from geocollateral.simulate.randomness import Seeds
    from geocollateral.simulate.worlds import WORLDS

    world = WORLDS["dev"]
    scenes = [s for site in world.sites for s in optical_scenes(world, site, Seeds(family=3, seed=0))]
    assert len({s.item_id for s in scenes}) == len(scenes)
    twins: dict[tuple[object, ...], list[object]] = {}
    for scene in scenes:
        if any(name == flaw for name, _ in scene.flaws):
            twins.setdefault((scene.time, scene.item_id[4:9]), []).append(scene)
    assert len(twins) > 5
    for pair in twins.values():
        if flaw == "split_datastrip":
            north, south = pair
            assert not (valid_pixels(north, 340) & valid_pixels(south, 340)).any()  # type: ignore[arg-type]


def test_every_flaw_is_there_in_the_evaluation_world() -> None:
    from geocollateral.simulate.overpasses import optical_scenes, radar_scenes
    from geocollateral.simulate.randomness import Seeds
    from geocollateral.simulate.worlds import WORLDS

    world, seeds = WORLDS["dev"], Seeds(family=3, seed=0)
    found = [
        flaw
        for site in world.sites
        for scene in (*optical_scenes(world, site, seeds), *radar_scenes(world, site, seeds))
        for flaw, _ in scene.flaws
    ]
    assert set(found) == set(vars(world.flaws))
