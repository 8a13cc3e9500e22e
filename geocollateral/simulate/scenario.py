"""The story of one site: its land, its weather, which parcels are pledged, and what happens to them. Draws no pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from geocollateral.simulate.happenings import HAPPENINGS, Fact, Setting, site_plan
from geocollateral.simulate.land import Land, Parcel, Traits, lay_out
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.weather import SPIN_UP_DAYS, Weather, WorldYears, simulate_weather
from geocollateral.simulate.worlds import SiteSpec, WorldSpec
from geocollateral.simulate.zones import ROTATIONS, Zone

LAST_LOOKS_DAYS = 75
"""No event starts later before the end of the world, so that there are looks to see it."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """All that is true of a site."""

    site: SiteSpec
    weather: Weather
    land: Land
    zones: tuple[Zone, ...]
    """In the order they lie over each other, the undermost first."""
    pledged: tuple[Parcel, ...]
    """Parcels of the portfolio."""
    facts: tuple[Fact, ...]
    """Events and traps of pledged parcels."""


def imagine(world: WorldSpec, site: SiteSpec, seeds: Seeds) -> Scenario:
    """The scenario of a site."""
    first, last = np.datetime64(world.start), np.datetime64(world.end)
    years = WorldYears(drought=world.drought, late_frost=world.late_frost)
    weather = simulate_weather(site.climate, first, last, years, seeds.stream("weather", site.tile))
    land = lay_out(site, seeds)
    setting = _setting(world, site, weather, seeds)
    own = {parcel.parcel_id: _at_rest(parcel, site, setting, seeds) for parcel in land.parcels}
    happened, facts = _let_happen(world, site, land, own, setting, seeds)
    pledged = _pledge(world, land, happened, seeds.stream("pledge", site.tile))
    zones = [zone for parcel in land.parcels for zone in happened.get(parcel.parcel_id, own[parcel.parcel_id])]
    return Scenario(
        site=site,
        weather=weather,
        land=land,
        zones=(*_ground(land), *zones),
        pledged=pledged,
        facts=tuple(sorted(facts, key=lambda fact: (fact.parcel_id, fact.start, fact.kind))),
    )


def _setting(world: WorldSpec, site: SiteSpec, weather: Weather, seeds: Seeds) -> Setting:
    earliest = SPIN_UP_DAYS + world.history_days
    end = weather.days.size - 1
    latest = max(end - LAST_LOOKS_DAYS, earliest + 1)
    rng = seeds.stream("disasters", site.tile)
    return Setting(
        weather=weather,
        earliest=earliest,
        latest=latest,
        end=end,
        farmer=lambda parcel_id: seeds.stream("farmer", parcel_id),
        storm_day=int(rng.integers(earliest, latest)),
        flood_day=_flood_day(weather, earliest, latest, rng),
        angle=0.0,
    )


def _flood_day(weather: Weather, earliest: int, latest: int, rng: np.random.Generator) -> int:
    """The day after the wettest three days of one summer."""
    days = np.arange(earliest, latest)
    days = days[np.isin(weather.month[days], (5, 6, 7))]
    if days.size == 0:
        return latest + 1
    year = int(rng.choice(np.unique(weather.year[days])))
    days = days[weather.year[days] == year]
    wet = np.convolve(weather.rain_mm, np.ones(3))[: weather.days.size]
    return int(days[np.argmax(wet[days])]) + 1


def _ground(land: Land) -> list[Zone]:
    """What lies under all parcels: roads and verges, and the river."""
    from shapely.geometry import box

    zones = [
        Zone(
            name="verge",
            parcel_id=None,
            outline=box(-50, -50, land.extent_m + 50, land.extent_m + 50),
            cover="verge",
            traits=Traits(mottle=0.15, patchiness=0.1),
        )
    ]
    if land.river is not None:
        zones.append(Zone(name="river", parcel_id=None, outline=land.river, cover="river", traits=Traits(patchiness=0)))
    return zones


def _at_rest(parcel: Parcel, site: SiteSpec, setting: Setting, seeds: Seeds) -> list[Zone]:
    """Zones of a parcel to which nothing happens."""
    cover = parcel.cover
    if cover == "field" or (cover == "solar" and parcel.traits.mix < 0.55):  # land that is to be built on one day
        grown = next((kind for kind in site.land if kind in ROTATIONS), "abandoned")
        cover = grown if parcel.traits.lateness < 3 else "abandoned"
    zone = Zone(
        name=parcel.parcel_id, parcel_id=parcel.parcel_id, outline=parcel.outline, cover=cover, traits=parcel.traits
    )
    if cover == "works":
        zone = replace(zone, cover="yard")
        houses, _ = site_plan(zone, seeds.stream("houses", parcel.parcel_id), setting.angle)
        return [
            zone,
            *(
                replace(zone, name=f"{zone.name}/house-{n}", outline=house, cover="roofed")
                for n, house in enumerate(houses)
            ),
        ]
    return [zone]


def _let_happen(
    world: WorldSpec,
    site: SiteSpec,
    land: Land,
    own: dict[str, list[Zone]],
    setting: Setting,
    seeds: Seeds,
) -> tuple[dict[str, list[Zone]], list[Fact]]:
    """At most one happening to each parcel."""
    happened: dict[str, list[Zone]] = {}
    facts: list[Fact] = []
    for name, wanted in world.events.items():
        kind = HAPPENINGS[name]
        rng = seeds.stream("happening", site.tile, name)
        suitable = [
            p
            for p in land.parcels
            if p.asset_class
            and p.kind in kind.covers
            and p.area_m2 >= kind.min_ha * 1e4
            and p.parcel_id not in happened
        ]
        rng.shuffle(suitable)
        done = 0
        for parcel in suitable:
            if done == wanted:
                break
            zone = own[parcel.parcel_id][0]
            if name == "pv_build" and zone.cover == "solar":
                continue
            outcome = kind.make(zone, parcel, setting, seeds.stream("happening", name, parcel.parcel_id))
            if outcome is not None:
                happened[parcel.parcel_id], told = outcome
                facts.extend(told)
                done += 1
    return happened, facts


def _pledge(
    world: WorldSpec, land: Land, happened: dict[str, list[Zone]], rng: np.random.Generator
) -> tuple[Parcel, ...]:
    """Parcels of the portfolio: all to which something happens, and others of every kind by their number."""
    candidates = [p for p in land.parcels if p.asset_class is not None]
    chosen = {p.parcel_id for p in candidates if p.parcel_id in happened}
    rest = [p for p in candidates if p.parcel_id not in chosen]
    rng.shuffle(rest)
    kinds = sorted({p.kind for p in rest})
    wanted = max(world.pledged - len(chosen), 0)
    by_kind = {kind: [p for p in rest if p.kind == kind] for kind in kinds}
    for kind in kinds:  # a few of each kind first, so that none is absent
        for p in by_kind[kind][: min(math.ceil(wanted / (3 * len(kinds))), wanted)]:
            chosen.add(p.parcel_id)
    for p in rest:
        if len(chosen) >= world.pledged:
            break
        chosen.add(p.parcel_id)
    return tuple(p for p in candidates if p.parcel_id in chosen)
