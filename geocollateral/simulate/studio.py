"""The studio of one site: its tables and maps, and the drawing of its scenes into files and items."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geocollateral.simulate.appearance import Appearance, Look, appear
from geocollateral.simulate.camera import FINE, Exposure, Shot, Textures, expose, make_textures
from geocollateral.simulate.catalogue import write_item
from geocollateral.simulate.cog import Georeference, write_cog
from geocollateral.simulate.grid import PIXEL_M
from geocollateral.simulate.items import OPTICAL, RADAR, optical_item, radar_item
from geocollateral.simulate.mixing import REACH, ZoneMap, map_zones
from geocollateral.simulate.overpasses import OpticalScene, RadarScene, optical_scenes, radar_scenes, valid_pixels
from geocollateral.simulate.radar import scan
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.scenario import Scenario, imagine
from geocollateral.simulate.sky import Sun, draw_sky, sun_at
from geocollateral.simulate.worlds import SiteSpec, WorldSpec

_NODATA_RADAR = -32768.0


@dataclass(frozen=True, eq=False)
class Studio:
    """All that is needed to draw the scenes of one site."""

    site: SiteSpec
    scenario: Scenario
    optical: tuple[OpticalScene, ...]
    radar: tuple[RadarScene, ...]
    optical_days: NDArray[np.int64]
    """Position on the weather's axis of each optical overpass, by its number."""
    appearance: Appearance
    zones: ZoneMap
    textures: Textures


def open_studio(world: WorldSpec, site: SiteSpec, seed: int) -> Studio:
    """Prepare to draw a site."""
    seeds = Seeds(family=world.family, seed=seed)
    scenario = imagine(world, site, seeds)
    optical, radar = optical_scenes(world, site, seeds), radar_scenes(world, site, seeds)
    position = scenario.weather.position
    days = np.array([position(np.datetime64(s.time.date())) for s in {s.number: s for s in optical}.values()])
    looks = [
        Look(
            day=position(np.datetime64(s.time.date())),
            orbit=f"{s.direction}-{s.orbit}",
            incidence_deg=_incidence(s.orbit),
        )
        for s in {s.number: s for s in radar}.values()
    ]
    return Studio(
        site=site,
        scenario=scenario,
        optical=tuple(optical),
        radar=tuple(radar),
        optical_days=days,
        appearance=appear(scenario, days, looks, seeds),
        zones=map_zones(scenario.zones, site.size),
        textures=make_textures(site.size, seeds.stream("textures", site.tile)),
    )


def _incidence(orbit: int) -> float:
    """Angle at which a relative orbit sees a site [degrees]: between the near and the far end of the swath."""
    return 31.0 + (orbit * 37) % 140 / 10


def take(studio: Studio, scene: OpticalScene, seeds: Seeds) -> tuple[Exposure, Sun]:
    """Reflectance and classes of an overpass. Twins of one overpass see the same sky from the same place."""
    rng = seeds.stream("exposure", studio.site.tile, scene.number)
    weather, site = studio.scenario.weather, studio.site
    day = int(studio.optical_days[scene.number])
    longitude, latitude = site.grid.centre()
    hour = scene.time.hour + scene.time.minute / 60 + longitude / 15
    sun = sun_at(int(weather.day_of_year[day]), latitude, hour % 24)
    sky = draw_sky(site.size, sun, site.climate, int(weather.month[day]), float(weather.rain_mm[day]), rng)
    east, south = np.clip(np.rint(rng.normal(0, 0.9, 2)), -REACH, REACH).astype(int)
    shot = Shot(
        day=scene.number,
        platform=scene.platform,
        side=1.0 if scene.orbit == site.optical_orbits[0] else -1.0,
        east=int(east),
        south=int(south),
        sun=sun,
    )
    return expose(studio.zones, studio.appearance.optical, studio.textures, sky, shot, rng), sun


def draw_optical(folder: Path, world: WorldSpec, studio: Studio, scene: OpticalScene, seeds: Seeds) -> dict[str, Any]:
    """Write the files of one Sentinel-2 item and return the item."""
    exposure, sun = take(studio, scene, seeds)
    site = studio.site
    valid = valid_pixels(scene, site.size)
    valid_coarse = valid[::2, ::2]
    home = folder / OPTICAL / scene.item_id
    home.mkdir(parents=True, exist_ok=True)
    # A newer processor is no repetition of the old one: values differ a little.
    rng = seeds.stream("processor", site.tile, scene.number, scene.baseline)
    change = 1 + rng.normal(0, 0.006) if scene.twin_of else 1.0
    for band, reflectance in exposure.reflectance.items():
        if band != scene.missing_band:
            numbers = to_numbers(
                reflectance * np.float32(change),
                valid if band in FINE else valid_coarse,
                carries_offset=scene.carries_offset,
            )
            write_cog(
                home / f"{band}.tif", numbers, _where(site, 10 if band in FINE else 20), nodata=0, tile=world.tile_px
            )
    classes = np.where(valid_coarse, exposure.classes, 0).astype(np.uint8)
    write_cog(home / "SCL.tif", classes, _where(site, 20), nodata=0, tile=world.tile_px)
    item = optical_item(scene, site, sun, _shares(classes), _data_window(valid))
    write_item(folder, item)
    return item


def to_numbers(
    reflectance: NDArray[np.float32], valid: NDArray[np.bool_], *, carries_offset: bool
) -> NDArray[np.uint16]:
    """Digital numbers of a reflectance: 0 where there is no data, at least 1 elsewhere."""
    scaled = np.rint(reflectance * np.float32(10_000)) + (1000 if carries_offset else 0)
    return np.where(valid, np.clip(scaled, 1, 20_000), 0).astype(np.uint16)


def draw_radar(folder: Path, world: WorldSpec, studio: Studio, scene: RadarScene, seeds: Seeds) -> dict[str, Any]:
    """Write the files of one Sentinel-1 item and return the item."""
    site = studio.site
    rng = seeds.stream("scan", site.tile, scene.number)
    jitter = np.clip(np.rint(rng.normal(0, 0.7, 2)), -REACH, REACH).astype(int)
    pictures = scan(
        studio.zones,
        studio.appearance.radar,
        studio.textures,
        scene.number,
        scene.platform,
        (int(jitter[0]), int(jitter[1])),
        rng,
    )
    top, bottom, left, right = scene.extent
    home = folder / RADAR / scene.item_id
    home.mkdir(parents=True, exist_ok=True)
    where = Georeference(
        epsg=site.grid.epsg, left=site.grid.left + left * PIXEL_M, top=site.grid.top - top * PIXEL_M, pixel_m=PIXEL_M
    )
    for name, picture in zip(("vv", "vh"), pictures, strict=True):
        values = np.array(picture[top:bottom, left:right])
        if scene.border_zeros:
            width = scene.border_zeros
            values[:, :width] = np.where(rng.random((values.shape[0], width)) < 0.85, 0.0, 1e-5)
            values[:, -width:] = 0.0
        write_cog(home / f"{name}.tif", values, where, nodata=_NODATA_RADAR, tile=world.tile_px)
    item = radar_item(scene, site)
    write_item(folder, item)
    return item


def _where(site: SiteSpec, pixel_m: int) -> Georeference:
    return Georeference(epsg=site.grid.epsg, left=site.grid.left, top=site.grid.top, pixel_m=pixel_m)


def _shares(classes: NDArray[np.uint8]) -> dict[str, float]:
    """What catalogues say of a scene, in percent of its valid pixels."""
    count = np.bincount(classes.ravel(), minlength=12).astype(float)
    percent = 100 * count / max(count[1:].sum(), 1)
    return {
        "eo:cloud_cover": round(float(percent[8] + percent[9] + percent[10]), 4),
        "s2:nodata_pixel_percentage": round(float(100 * count[0] / count.sum()), 4),
        "s2:dark_features_percentage": round(float(percent[2]), 4),
        "s2:cloud_shadow_percentage": round(float(percent[3]), 4),
        "s2:vegetation_percentage": round(float(percent[4]), 4),
        "s2:not_vegetated_percentage": round(float(percent[5]), 4),
        "s2:water_percentage": round(float(percent[6]), 4),
        "s2:unclassified_percentage": round(float(percent[7]), 4),
        "s2:medium_proba_clouds_percentage": round(float(percent[8]), 4),
        "s2:high_proba_clouds_percentage": round(float(percent[9]), 4),
        "s2:thin_cirrus_percentage": round(float(percent[10]), 4),
        "s2:snow_ice_percentage": round(float(percent[11]), 4),
    }


def _data_window(valid: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(valid.any(axis=1)), np.flatnonzero(valid.any(axis=0))
    if rows.size == 0:
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
