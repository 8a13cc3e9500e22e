"""When satellites pass, what their scenes are called, and what is wrong with some of them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from geocollateral.simulate.camera import FINE
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.worlds import FlawRates, SiteSpec, WorldSpec

OFFSET_FROM = dt.date(2022, 1, 25)
"""First day of processing baseline 04.00, whose digital numbers carry an offset of 1000."""
_BASELINES = (
    (dt.date(2019, 7, 8), "02.13"),
    (dt.date(2020, 2, 4), "02.14"),
    (dt.date(2021, 3, 30), "03.00"),
    (dt.date(2021, 6, 30), "03.01"),
    (OFFSET_FROM, "04.00"),
    (dt.date(2022, 12, 6), "05.09"),
    (dt.date(2023, 12, 13), "05.10"),
    (dt.date(2024, 7, 23), "05.11"),
)
S2C_FROM = dt.date(2025, 1, 21)
S1B_UNTIL = dt.date(2021, 12, 23)
S1C_FROM = dt.date(2025, 3, 26)
LAYERS = (*FINE, "B05", "B06", "B07", "B8A", "B11", "B12", "SCL")
Extent = tuple[int, int, int, int]
"""First and last-plus-one row and column of the site that a file holds."""


@dataclass(frozen=True, kw_only=True)
class OpticalScene:
    """One Sentinel-2 item to be made."""

    item_id: str
    number: int
    """Of the overpass; twins share it, and with it sky, sun and jitter."""
    time: dt.datetime
    orbit: int
    platform: str
    baseline: str
    generation: dt.datetime
    datastrip: int = 0
    edge: tuple[float, float, Literal["east", "west", ""]] = (0.0, 0.0, "")
    """Column of the swath's edge at the top and the bottom row, and the side that has data; "" for all."""
    hole: Extent | None = None
    """Part without data."""
    applied: bool
    """What the item says: the offset was subtracted from the digital numbers."""
    carries_offset: bool
    """What is true: 1000 is added to the digital numbers."""
    missing_band: str | None = None
    twin_of: str | None = None
    listed_twice: bool = False
    flaws: tuple[tuple[str, str], ...] = ()
    """Names and details."""


@dataclass(frozen=True, kw_only=True)
class RadarScene:
    """One Sentinel-1 item to be made."""

    item_id: str
    number: int
    time: dt.datetime
    direction: str
    orbit: int
    platform: str
    absolute_orbit: int
    processed: dt.datetime
    extent: Extent
    border_zeros: int = 0
    """Columns of zeros at the western and eastern border."""
    twin_of: str | None = None
    flaws: tuple[tuple[str, str], ...] = field(default=())


def optical_scenes(world: WorldSpec, site: SiteSpec, seeds: Seeds) -> list[OpticalScene]:
    """Items of Sentinel-2, twins included, in order of time."""
    found: list[OpticalScene] = []
    for number, (day, orbit, odd) in enumerate(_passes(world, site, seeds)):
        rng = seeds.stream("optical scene", site.tile, number)
        found.extend(_with_flaws(_ordinary(site, day, orbit, odd, number, rng), world.flaws, site, rng))
    return found


def _passes(world: WorldSpec, site: SiteSpec, seeds: Seeds) -> list[tuple[dt.date, int, bool]]:
    """Days, relative orbits and which of the two satellites.

    Both satellites pass on each of two orbits every ten days; which of the passes are in the archive is chance, about
    one in `optical_days` days.
    """
    rng = seeds.stream("passes", site.tile)
    chosen, spare = [], 0.0
    for cycle in range((world.end - world.start).days // 5 + 1):
        for which, offset in ((0, 0), (1, 3)):
            spare += 2.5 / world.optical_days
            day = world.start + dt.timedelta(days=5 * cycle + offset)
            if spare + rng.uniform(-0.45, 0.45) >= 1 and day <= world.end:
                spare -= 1
                chosen.append((day, site.optical_orbits[which], bool(cycle % 2)))
    return chosen


def _ordinary(
    site: SiteSpec, day: dt.date, orbit: int, odd: bool, number: int, rng: np.random.Generator
) -> OpticalScene:
    longitude, _ = site.grid.centre()
    solar = 10.55 + 0.13 * (1 if orbit == site.optical_orbits[0] else -1)
    moment = dt.datetime.combine(day, dt.time(), dt.UTC) + dt.timedelta(
        hours=solar - longitude / 15, seconds=float(rng.uniform(-40, 40))
    )
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    platform = "sentinel-2b" if odd else ("sentinel-2c" if day >= S2C_FROM else "sentinel-2a")
    baseline = max((start, name) for start, name in _BASELINES if start <= day)[1]
    carries = day >= OFFSET_FROM and rng.random() < 0.25
    return OpticalScene(
        item_id=f"{_short(platform)}_{site.tile}_{moment:%Y%m%d}_0_L2A",
        number=number,
        time=moment,
        orbit=orbit,
        platform=platform,
        baseline=baseline,
        generation=moment + dt.timedelta(hours=float(rng.uniform(4, 30))),
        applied=day >= OFFSET_FROM and not carries,
        carries_offset=carries,
    )


def _short(platform: str) -> str:
    return f"S{platform[9:].upper()}"


def _with_flaws(scene: OpticalScene, rates: FlawRates, site: SiteSpec, rng: np.random.Generator) -> list[OpticalScene]:
    """The scene with what is wrong with it, and its twins."""
    size = site.size
    luck = dict(zip(sorted(vars(rates)), rng.random(len(vars(rates))) * 100, strict=True))
    has = {name: luck[name] < getattr(rates, name) for name in luck}
    newer = scene.time.date() >= OFFSET_FROM
    if has["partial"]:
        top, lean = float(rng.uniform(0.15, 0.85)) * size, float(rng.uniform(0.05, 0.2)) * size
        side: Literal["east", "west"] = "east" if rng.random() < 0.5 else "west"
        scene = _note(
            replace(scene, edge=(top, top - lean, side)), "partial", f"data lie to the {side} of the swath's edge"
        )
    if has["missing_part"]:
        rows, columns = sorted(rng.integers(0, size, 2)), sorted(rng.integers(0, size, 2))
        hole = (int(rows[0]), int(rows[1]) + 8, int(columns[0]), int(columns[1]) + 8)
        scene = _note(replace(scene, hole=hole), "missing_part", f"no data in rows and columns {hole}")
    if newer and scene.applied and has["flag_lies_applied"]:
        scene = _note(replace(scene, carries_offset=True), "flag_lies_applied", "the digital numbers still carry 1000")
    elif newer and not scene.applied and luck["flag_lies_not_applied"] < 4 * rates.flag_lies_not_applied:
        scene = _note(replace(scene, carries_offset=False), "flag_lies_not_applied", "1000 was subtracted already")
    if has["missing_band"]:
        band = str(rng.choice(LAYERS[:-1]))
        scene = _note(replace(scene, missing_band=band), "missing_band", f"the item has no {band}")
    if has["paging_twin"]:
        scene = _note(replace(scene, listed_twice=True), "paging_twin", "listed twice under one id")
    if has["reprocessed"]:
        return [scene, _reprocessed(scene, rng)]
    if has["split_datastrip"] and not scene.edge[2]:
        return _split(scene, size, rng)
    return [scene]


def _note(scene: OpticalScene, flaw: str, detail: str) -> OpticalScene:
    return replace(scene, flaws=(*scene.flaws, (flaw, detail)))


def _reprocessed(scene: OpticalScene, rng: np.random.Generator) -> OpticalScene:
    """The same overpass processed again with a newer baseline, under its own id."""
    later = scene.generation + dt.timedelta(days=float(rng.uniform(200, 600)))
    # Reprocessed products of old overpasses carry the offset too: the day of the overpass says nothing about it.
    applied = bool(rng.random() < 0.6)
    return replace(
        scene,
        item_id=scene.item_id.replace("_0_L2A", "_1_L2A"),
        baseline="05.00" if scene.time.date() < dt.date(2023, 12, 13) else "05.11",
        generation=later.replace(microsecond=0),
        applied=applied,
        carries_offset=not applied,
        missing_band=None,
        twin_of=scene.item_id,
        listed_twice=False,
        flaws=(("reprocessed", f"supersedes {scene.item_id}"),),
    )


def _split(scene: OpticalScene, size: int, rng: np.random.Generator) -> list[OpticalScene]:
    """One overpass in two datastrips, received by two stations: the northern and the southern part of the site."""
    at = int(rng.uniform(0.3, 0.7) * size) // 2 * 2
    north = replace(scene, hole=(at, size, 0, size))
    south = replace(
        scene,
        item_id=scene.item_id.replace("_0_L2A", "_1_L2A"),
        datastrip=1,
        generation=scene.generation + dt.timedelta(minutes=37),
        hole=(0, at, 0, size),
        listed_twice=False,
    )
    detail = f"rows before and from {at} are in two items"
    return [_note(north, "split_datastrip", detail), _note(south, "split_datastrip", detail)]


# ---- radar


def radar_scenes(world: WorldSpec, site: SiteSpec, seeds: Seeds) -> list[RadarScene]:
    """Items of Sentinel-1, twins included, in order of time."""
    longitude, _ = site.grid.centre()
    passes = []
    for n, (direction, orbit) in enumerate(site.radar_orbits):
        local_hour = 18.1 if direction == "ascending" else 6.1
        step = world.radar_days
        first = 2 + n * step // 2
        passes += [
            (
                dt.datetime.combine(world.start, dt.time(), dt.UTC)
                + dt.timedelta(days=d, hours=local_hour - longitude / 15),
                direction,
                orbit,
                n,
            )
            for d in range(first, (world.end - world.start).days, step)
        ]
    found: list[RadarScene] = []
    for number, (time, direction, orbit, n) in enumerate(sorted(passes)):
        rng = seeds.stream("radar scene", site.tile, number)
        found.extend(_radar_items(world, site, number, time, direction, orbit, n, rng))
    return found


def _radar_items(
    world: WorldSpec,
    site: SiteSpec,
    number: int,
    time: dt.datetime,
    direction: str,
    orbit: int,
    nth: int,
    rng: np.random.Generator,
) -> list[RadarScene]:
    platform = "sentinel-1a"
    if nth == 1 and time.date() <= S1B_UNTIL:
        platform = "sentinel-1b"
    elif nth == 1 and time.date() >= S1C_FROM:
        platform = "sentinel-1c"
    size = site.size
    trims = rng.integers(0, max(size // 16, 1), 4)
    extent = (int(trims[0]), size - int(trims[1]), int(trims[2]), size - int(trims[3]))
    absolute = (
        33_000 + int((time.date() - dt.date(2020, 6, 1)).days * 14.6) + (0 if platform == "sentinel-1a" else 9_000)
    )
    sensed = f"{time:%Y%m%dT%H%M%S}_{time + dt.timedelta(seconds=25):%Y%m%dT%H%M%S}"
    stem = f"{_short(platform)}_IW_GRDH_1SDV_{sensed}_{absolute:06d}_{int(rng.integers(16**5, 16**6)):06X}"
    scene = RadarScene(
        item_id=f"{stem}_{int(rng.integers(16**4)):04X}",
        number=number,
        time=time.replace(microsecond=0),
        direction=direction,
        orbit=orbit,
        platform=platform,
        absolute_orbit=absolute,
        processed=time.replace(microsecond=0) + dt.timedelta(hours=5),
        extent=extent,
    )
    if time.year < 2022 and rng.random() * 100 < world.flaws.radar_border_zeros:
        width = int(rng.integers(3, max(size // 20, 5)))
        scene = replace(
            scene,
            border_zeros=width,
            flaws=(("radar_border_zeros", f"{width} columns of zeros or nearly so at each side"),),
        )
    if rng.random() * 100 < world.flaws.radar_twin:
        twin = replace(
            scene,
            item_id=f"{stem}_{int(rng.integers(16**4)):04X}",
            processed=scene.processed + dt.timedelta(days=3),
            twin_of=scene.item_id,
            flaws=(*scene.flaws, ("radar_twin", f"supersedes {scene.item_id}")),
        )
        return [scene, twin]
    return [scene]


def valid_pixels(scene: OpticalScene, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    """Which 10 m pixels of the site a scene has data for, whole pixels of 20 m at a time."""
    half = size // 2
    valid = np.ones((half, half), dtype=np.bool_)
    if scene.edge[2]:
        rows, columns = np.mgrid[0:half, 0:half]
        border = (scene.edge[0] + (scene.edge[1] - scene.edge[0]) * rows / half) / 2
        valid &= columns >= border if scene.edge[2] == "east" else columns < border
    if scene.hole is not None:
        top, bottom, left, right = (v // 2 for v in scene.hole)
        valid[top:bottom, left:right] = False
    return np.kron(valid, np.ones((2, 2), dtype=np.bool_))
