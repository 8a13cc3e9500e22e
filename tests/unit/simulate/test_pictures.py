"""What files hold is what was drawn, and what was drawn follows from what is true."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pystac
import pytest
import rasterio

from geocollateral.simulate import WORLDS
from geocollateral.simulate.camera import Shot, clear_ground
from geocollateral.simulate.materials import BANDS
from geocollateral.simulate.overpasses import valid_pixels
from geocollateral.simulate.radar import LOOKS, speckle
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.sky import Sun, sun_at
from geocollateral.simulate.studio import Studio, open_studio, take

TINY = WORLDS["tiny"]
SEEDS = Seeds(family=TINY.family, seed=0)
NOON = Sun(elevation_deg=60, azimuth_deg=150)


@pytest.fixture(scope="module")
def studio() -> Studio:
    return open_studio(TINY, TINY.sites[0], 0)


def numbers(tiny: Path, item_id: str, band: str) -> np.ndarray:
    with rasterio.open(tiny / "sentinel-2-l2a" / item_id / f"{band}.tif", driver="GTiff") as file:
        return file.read(1)


def test_numbers_decode_to_what_was_drawn_and_lying_flags_are_those_told(tiny: Path, studio: Studio) -> None:
    """T1, T2: the offset by the item's own flag gives the truth, but for the scenes whose flag lies."""
    liars, checked = set(), 0
    for scene in studio.optical[::1]:
        if scene.twin_of or scene.missing_band == "B08":
            continue
        item = pystac.Item.from_file(tiny / "sentinel-2-l2a" / scene.item_id / f"{scene.item_id}.json")
        properties = item.properties
        new = properties["s2:processing_baseline"] >= "04.00"
        assert new == (item.datetime.date() >= pd.Timestamp("2022-01-25").date())  # type: ignore[union-attr]
        offset = -0.1 if new and not properties["earthsearch:boa_offset_applied"] else 0.0
        drawn = take(studio, scene, SEEDS)[0].reflectance["B08"]
        stored = numbers(tiny, scene.item_id, "B08")
        valid = valid_pixels(scene, 128) & (drawn > 0.001)
        assert np.array_equal(stored > 0, valid_pixels(scene, 128))
        error = float(np.median((stored * 1e-4 + offset - drawn)[valid]))
        if abs(error) > 0.05:
            liars.add(scene.item_id)
        else:
            assert abs(error) < 1e-4
        checked += 1
    flaws = pd.read_parquet(tiny / "truth" / "flaws.parquet")
    assert liars == set(flaws.loc[flaws["flaw"].str.startswith("flag_lies"), "item_id"])
    assert checked > 20


def ground(studio: Studio, number: int) -> np.ndarray:
    shot = Shot(day=number, platform="sentinel-2a", side=0.0, east=0, south=0, sun=NOON)
    return clear_ground(studio.zones, studio.appearance.optical, studio.textures, shot)


def inside(tiny: Path, event: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    pixels = pd.read_parquet(tiny / "truth" / "event_pixels.parquet")
    own = pixels[(pixels["event_id"] == event["event_id"]) & (pixels["share"] > 0.99)]
    return own["row"].to_numpy(), own["column"].to_numpy()


def around(studio: Studio, day: pd.Timestamp, months: Sequence[int]) -> tuple[int, int]:
    """Last overpass before and first one well after a day, both in the months named."""
    times = {scene.number: pd.Timestamp(scene.time.date()) for scene in studio.optical}
    before = [n for n, time in times.items() if time < day and time.month in months]
    after = [n for n, time in times.items() if time > day + pd.Timedelta(days=12)]
    return max(before), min(after)


def test_a_clear_cut_darkens_the_infrared_where_it_is(tiny: Path, studio: Studio) -> None:
    events = pd.read_parquet(tiny / "truth" / "events.parquet")
    event = events[events["kind"] == "clear_cut"].iloc[0]
    before, after = around(studio, event["start"], (6, 7, 8))
    where = inside(tiny, event)
    assert abs(where[0].size * 100 / event["area_m2"] - 1) < 0.35  # full pixels only
    nir, swir = BANDS.index("B08"), BANDS.index("B11")
    old, new = ground(studio, before), ground(studio, after)
    assert new[where][:, nir].mean() < 0.75 * old[where][:, nir].mean()
    assert new[where][:, swir].mean() > 1.2 * old[where][:, swir].mean()
    untouched = [p for p in studio.scenario.land.parcels if p.kind == "poplar" and p.parcel_id != event["parcel_id"]]
    columns, rows = zip(
        *((int(p.outline.centroid.x / 10), int(128 - p.outline.centroid.y / 10)) for p in untouched), strict=True
    )
    assert np.median(np.abs(new[rows, columns, nir] / old[rows, columns, nir] - 1)) < 0.12


def test_a_crop_that_fails_loses_its_green(tiny: Path, studio: Studio) -> None:
    events = pd.read_parquet(tiny / "truth" / "events.parquet")
    event = events[events["kind"] == "crop_failure"].iloc[0]
    green = pd.read_parquet(tiny / "truth" / "phenology.parquet")
    own = green[green["parcel_id"] == event["parcel_id"]].set_index("date")["green_cover"]
    assert own[event["start"] - pd.Timedelta(days=2)] > 2 * own[event["start"] + pd.Timedelta(days=20)]


def test_stages_add_up_and_a_site_is_cleared_before_it_is_built(tiny: Path) -> None:
    stages = pd.read_parquet(tiny / "truth" / "stages.parquet")
    shares = stages[["vegetated", "water", "cleared", "building", "built"]]
    assert np.allclose(shares.sum(axis=1), 1)
    events = pd.read_parquet(tiny / "truth" / "events.parquet")
    event = events[events["kind"] == "construction"].iloc[0]
    own = stages[stages["parcel_id"] == event["parcel_id"]].set_index("date")
    assert (own.loc[: event["start"] - pd.Timedelta(days=1), "vegetated"] > 0.9999).all()
    first = own.index[own["building"] > 0.01]
    assert len(first)
    assert own.loc[: first[0], "cleared"].max() > 0.9


def test_seasons_are_in_order(tiny: Path) -> None:
    seasons = pd.read_parquet(tiny / "truth" / "seasons.parquet").dropna(subset=["sown", "emerged", "harvested"])
    assert (seasons["sown"] < seasons["emerged"]).all()
    assert (seasons["emerged"] < seasons["peak"]).all()
    assert (seasons["peak"] < seasons["harvested"]).all()
    length = (seasons["harvested"] - seasons["sown"]).dt.days.groupby(seasons["crop"]).median()
    assert 215 < length["winter_wheat"] < 265
    assert 85 < length["maize"] < 130


def test_shares_of_zones_add_up_whatever_the_jitter(studio: Studio) -> None:
    for east, south in ((0, 0), (2, -2), (-1, 2)):
        assert np.allclose(studio.zones.shares(east, south).sum(axis=1), 1, atol=1e-6)


def test_shadows_lie_away_from_the_sun() -> None:
    sun = sun_at(355, 35.0, 10.5)
    assert 25 < sun.elevation_deg < 31
    assert 150 < sun.azimuth_deg < 165  # morning: the sun stands in the south-east
    assert sun_at(172, 35.0, 10.5).elevation_deg > 60


def test_speckle_has_the_looks_of_the_product_and_alike_neighbours() -> None:
    noise = speckle(400, np.random.default_rng(1)).astype(np.float64)
    assert abs(noise.mean() - 1) < 0.02
    assert abs(noise.mean() ** 2 / noise.var() / LOOKS - 1) < 0.06
    assert 0.3 < np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1] < 0.8


def test_orbits_see_the_same_land_differently(studio: Studio) -> None:
    tables, zones, textures = studio.appearance.optical, studio.zones, studio.textures
    lit, shaded = (
        clear_ground(
            zones, tables, textures, Shot(day=20, platform="sentinel-2a", side=side, east=0, south=0, sun=NOON)
        )
        for side in (1.0, -1.0)
    )
    ratio = np.median(lit / shaded, axis=(0, 1)) - 1
    assert (ratio > 0.03).all()
    assert (ratio < 0.16).all()


def test_classification_errs_as_the_real_one(studio: Studio) -> None:
    """Thick cloud is mostly found, thin cloud is mostly missed, and neither always."""
    from geocollateral.simulate.camera import classify
    from geocollateral.simulate.sky import draw_sky

    thick, thin, clear = [], [], []
    for n in range(25):
        rng = np.random.default_rng(n)
        sky = draw_sky(128, NOON, TINY.sites[0].climate, 6, 5.0, rng)
        shot = Shot(day=20, platform="sentinel-2a", side=0, east=0, south=0, sun=NOON)
        found = np.isin(classify(studio.zones, studio.appearance.optical, sky, shot, rng), (8, 9, 10))
        thickness = sky.thickness.reshape(64, 2, 64, 2).mean(axis=(1, 3))
        thick += found[thickness > 1.5].tolist()
        thin += found[(thickness > 0.05) & (thickness < 0.25)].tolist()
        clear += found[(thickness == 0) & (sky.cirrus.reshape(64, 2, 64, 2).max(axis=(1, 3)) == 0)].tolist()
    assert 0.97 < np.mean(thick) <= 1.0
    assert 0.02 < np.mean(thin) < 0.6
    assert 0 < np.mean(clear) < 0.05
