"""What happens to parcels: events that a lender must hear of, and traps, where nothing has happened.

A happening turns a parcel into zones with histories, and says what is true of it. Each kind is one entry of
`HAPPENINGS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from shapely import Polygon
from shapely.affinity import rotate, translate
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from geocollateral.simulate.land import Parcel, cut, polygons
from geocollateral.simulate.seasons import Season, plan_seasons
from geocollateral.simulate.weather import Weather
from geocollateral.simulate.zones import ROTATIONS, Phase, Zone


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and when something may happen."""

    weather: Weather
    earliest: int
    """First day an event may start: after the history that methods learn from."""
    latest: int
    """Last day an event may start: some looks are left to see it."""
    end: int
    """Last day of the world."""
    farmer: Callable[[str], np.random.Generator]
    """Stream of random numbers of the farmer of a parcel."""
    storm_day: int
    """Day on which a storm goes over the site."""
    flood_day: int
    angle: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Fact:
    """One thing that is true of a parcel: an event or a trap."""

    parcel_id: str
    kind: str
    start: int
    end: int
    """Last day of the change itself; what it left behind may last."""
    severity: float
    """Share of the cover that is gone at the end, 0-1."""
    outline: BaseGeometry
    is_trap: bool = False
    note: str = ""


Outcome = tuple[list[Zone], list[Fact]]


@dataclass(frozen=True, kw_only=True)
class Happening:
    """A kind of event or trap."""

    covers: frozenset[str]
    """Kinds of land whose parcels it can befall."""
    make: Callable[[Zone, Parcel, Setting, np.random.Generator], Outcome | None]
    """None where the parcel turns out not to suit."""
    is_trap: bool = False
    min_ha: float = 0.3


# ---- pieces of parcels


def piece_of(outline: Polygon, share: float, rng: np.random.Generator) -> Polygon:
    """A part of an outline of about a share of its area, cut off from one side."""
    if share > 0.93:
        return outline
    angle = float(rng.uniform(0, 360))
    upright = rotate(outline, -angle, origin=outline.centroid)
    west, south, east, north = upright.bounds
    low, high = west, east
    for _ in range(30):
        middle = (low + high) / 2
        if upright.intersection(box(west, south, middle, north)).area < share * outline.area:
            low = middle
        else:
            high = middle
    part = rotate(upright.intersection(box(west, south, high, north)), angle, origin=outline.centroid)
    return max(polygons(part), key=lambda p: p.area, default=outline)


def blob_of(outline: Polygon, share: float, rng: np.random.Generator) -> Polygon:
    """A rounded part of an outline of about a share of its area."""
    west, south, east, north = outline.bounds
    for _ in range(40):
        seed = Point(rng.uniform(west, east), rng.uniform(south, north))
        if outline.contains(seed):
            break
    else:
        seed = outline.representative_point()
    wobble = [translate(seed, *rng.normal(0, 14, 2)) for _ in range(5)]
    low, high = 1.0, 2 * max(east - west, north - south)
    for _ in range(25):
        radius = (low + high) / 2
        if outline.intersection(_union(wobble, radius)).area < share * outline.area:
            low = radius
        else:
            high = radius
    return max(polygons(outline.intersection(_union(wobble, high))), key=lambda p: p.area, default=outline)


def _union(points: Sequence[Point], radius: float) -> BaseGeometry:
    return unary_union([point.buffer(radius * (0.75 + 0.1 * n), quad_segs=6) for n, point in enumerate(points)])


def _day(setting: Setting, rng: np.random.Generator, latest: int | None = None) -> int:
    last = setting.latest if latest is None else latest
    return int(rng.integers(setting.earliest, max(last, setting.earliest + 1)))


def _day_in_months(setting: Setting, rng: np.random.Generator, months: frozenset[int]) -> int | None:
    days = np.arange(setting.earliest, setting.latest)
    days = days[np.isin(setting.weather.month[days] + 1, list(months))]
    return int(rng.choice(days)) if days.size else None


def _part(zone: Zone, outline: Polygon, *phases: Phase, name: str = "part") -> Zone:
    return replace(zone, name=f"{zone.name}/{name}", outline=outline, phases=(*zone.phases, *phases))


# ---- fields


def _seasons(zone: Zone, setting: Setting) -> tuple[Season, ...]:
    assert zone.parcel_id is not None  # noqa: S101  zones of parcels only
    rng = setting.farmer(zone.parcel_id)
    return plan_seasons(zone.cover, zone.traits, setting.weather, zone.husbandry, rng)


def _crop_failure(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    found = []
    for season in _seasons(zone, setting):
        length = season.harvested - season.sown
        at = season.sown + int(length * (rng.uniform(0.70, 0.80) if length > 200 else rng.uniform(0.42, 0.62)))
        if setting.earliest <= at <= setting.latest and season.harvested < setting.end:
            found.append((season, at))
    if not found:
        return None
    season, at = found[int(rng.integers(len(found)))]
    lost = float(rng.uniform(0.6, 0.97))
    changed = replace(zone, husbandry=replace(zone.husbandry, failure=(at, lost)))
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="crop_failure",
        start=at,
        end=season.harvested,
        severity=lost,
        outline=parcel.outline,
        note=season.crop,
    )
    return [changed], [fact]


def _abandonment(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """The owner stops: at least 540 days without a crop are left."""
    latest = setting.end - 540
    missing = [s for s in _seasons(zone, setting) if setting.earliest <= s.sown <= max(latest, setting.earliest)]
    if not missing or latest <= setting.earliest:
        return None
    first = missing[int(rng.integers(len(missing)))]
    changed = replace(zone, husbandry=replace(zone.husbandry, abandoned_from=first.sown - 1))
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="abandonment",
        start=first.sown,
        end=setting.end,
        severity=1.0,
        outline=parcel.outline,
    )
    return [changed], [fact]


def _flood(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """Water over fields for one to two weeks; the crop dies."""
    at, stays = setting.flood_day, int(rng.integers(6, 15))
    if not setting.earliest <= at <= setting.latest:
        return None
    standing = [s for s in _seasons(zone, setting) if s.sown < at < s.harvested - 10]
    if not standing:
        return None
    share = float(rng.uniform(0.45, 1.0))
    outline = piece_of(parcel.outline, share, rng)
    wet = _part(
        zone,
        outline,
        Phase(cover="floodwater", day=at, ramp_days=2, until=at + stays),
        Phase(cover="mud", day=at + stays, until=standing[0].harvested + 5),
    )
    fact = Fact(parcel_id=parcel.parcel_id, kind="flood", start=at, end=at + stays, severity=0.95, outline=outline)
    return [zone, wet], [fact]


def _land_preparation(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    at, takes = _day(setting, rng), int(rng.integers(4, 25))
    outline = piece_of(parcel.outline, float(rng.uniform(0.4, 1.0)), rng)
    stripped = _part(zone, outline, Phase(cover="cleared", day=at, ramp_days=takes, share=0.97))
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="land_preparation",
        start=at,
        end=min(at + takes, setting.end),
        severity=0.97,
        outline=outline,
    )
    return [zone, stripped], [fact]


def _encroachment(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """Someone builds on a corner of farm land."""
    share = min(float(rng.uniform(900, 4000)) / parcel.area_m2, 0.5)
    outline = blob_of(parcel.outline, share, rng)
    at, builds = _day(setting, rng), int(rng.integers(40, 130))
    built = _part(
        zone,
        outline,
        Phase(cover="cleared", day=at, ramp_days=8),
        Phase(cover="roofed", day=at + builds, ramp_days=20, share=0.9),
    )
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="encroachment",
        start=at,
        end=min(at + builds + 20, setting.end),
        severity=1.0,
        outline=outline,
    )
    return [zone, built], [fact]


# ---- forests


def _on_stand(
    kind: str,
    cover: str,
    extent: tuple[float, float],
    share: tuple[float, float],
    ramp: tuple[int, int],
    months: frozenset[int] = frozenset(range(1, 13)),
    rounded: bool = False,
    on_storm_day: bool = False,
) -> Callable[[Zone, Parcel, Setting, np.random.Generator], Outcome | None]:
    """A happening that changes a part of a stand into another cover."""

    def make(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
        at = setting.storm_day if on_storm_day else _day_in_months(setting, rng, months)
        if at is None or not setting.earliest <= at <= setting.latest:
            return None
        takes, lost = int(rng.integers(*ramp)), float(rng.uniform(*share))
        part = float(rng.uniform(*extent))
        outline = blob_of(parcel.outline, part, rng) if rounded else piece_of(parcel.outline, part, rng)
        changed = _part(zone, outline, Phase(cover=cover, day=at, ramp_days=takes, share=lost))
        fact = Fact(
            parcel_id=parcel.parcel_id,
            kind=kind,
            start=at,
            end=min(at + takes, setting.end),
            severity=lost,
            outline=outline,
        )
        return [zone, changed], [fact]

    return make


# ---- building


def site_plan(zone: Zone, rng: np.random.Generator, angle: float) -> tuple[list[Polygon], float]:
    """Footprints of the buildings of a plot and the share of it that they take."""
    inner = zone.outline.buffer(-9, join_style="mitre")
    lots = [lot for part in polygons(inner) for lot in cut(part, float(rng.uniform(1100, 3200)), angle, rng, skew=0.0)]
    houses = []
    for lot in lots:
        footprint = max(polygons(lot.buffer(-5.5, join_style="mitre")), key=lambda p: p.area, default=None)
        if footprint is not None and footprint.area > 250 and rng.random() < 0.8:
            houses.append(footprint)
    return houses, sum(house.area for house in houses) / zone.outline.area


def _construction(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """A site is cleared and built over, building by building, at the planned pace or to a standstill."""
    houses, _ = site_plan(zone, rng, setting.angle)
    if not houses:
        return None
    at = _day(setting, rng, latest=max(setting.latest - 150, setting.earliest + 20))
    clearing, total = int(rng.integers(10, 40)), int(rng.integers(330, 620))
    stalled = rng.random() < 0.4
    stops = at + int(total * rng.uniform(0.25, 0.75)) if stalled else setting.end + 9999
    resumes = stops + int(rng.integers(240, 420)) if stalled and rng.random() < 0.35 else None

    def when(planned: float) -> int | None:
        """Day on which work planned for a day is done; None: never."""
        if planned < stops:
            return int(planned)
        return None if resumes is None else int(planned - stops + resumes)

    yard = [Phase(cover="cleared", day=at, ramp_days=clearing)]
    finish = when(at + total)
    if finish is not None:
        yard.append(Phase(cover="yard", day=max(finish - 40, at + clearing), ramp_days=40))
    zones = [_part(zone, parcel.outline, *yard, name="yard")]
    for n, house in enumerate(houses):
        begin = at + clearing + (0.42 * total) * n / len(houses)
        phases = [Phase(cover="cleared", day=at, ramp_days=clearing)]
        steps = (("foundations", 0.0, 12.0), ("shell", 0.20, 45.0), ("roofed", 0.47, 14.0))
        for cover, part, ramp in steps:
            day = when(begin + part * total)
            if day is not None:
                phases.append(Phase(cover=cover, day=day, ramp_days=ramp))
        zones.append(_part(zone, house, *phases, name=f"building-{n + 1}"))
    last = setting.end if finish is None else min(finish, setting.end)
    pace = "stalled" if stalled else "planned"
    facts = [
        Fact(
            parcel_id=parcel.parcel_id,
            kind="construction",
            start=at,
            end=last,
            severity=1.0,
            outline=parcel.outline,
            note=pace,
        )
    ]
    if stalled and stops < setting.end:
        until = setting.end if resumes is None else min(resumes, setting.end)
        facts.append(
            Fact(parcel_id=parcel.parcel_id, kind="stall", start=stops, end=until, severity=1.0, outline=parcel.outline)
        )
    return zones, facts


def _demolition(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """Buildings of a works are pulled down."""
    houses, _ = site_plan(zone, rng, setting.angle)
    if not houses:
        return None
    at, takes = _day(setting, rng), int(rng.integers(12, 45))
    gone = Phase(cover="rubble", day=at, ramp_days=takes)
    zones = [
        zone,
        *(_part(replace(zone, cover="roofed"), house, gone, name=f"building-{n}") for n, house in enumerate(houses)),
    ]
    outline = unary_union(houses)
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="demolition",
        start=at,
        end=min(at + takes, setting.end),
        severity=1.0,
        outline=outline,
    )
    return zones, [fact]


def _pv_build(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """Ground is levelled and modules put up, section by section."""
    at, takes = _day(setting, rng, latest=max(setting.latest - 60, setting.earliest + 20)), int(rng.integers(70, 190))
    sections = cut(parcel.outline, parcel.area_m2 / float(rng.integers(3, 7)), setting.angle, rng)
    zones = []
    for n, section in enumerate(sections):
        ready = at + 25 + int(takes * (n + 0.5) / len(sections))
        phases = (
            Phase(cover="cleared", day=at, ramp_days=25, share=0.85),
            Phase(cover="solar", day=ready, ramp_days=15),
        )
        zones.append(_part(zone, section, *phases, name=f"section-{n + 1}"))
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="pv_build",
        start=at,
        end=min(at + 40 + takes, setting.end),
        severity=1.0,
        outline=parcel.outline,
    )
    return zones, [fact]


def _wind_build(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    """A pad of some 40 m for a turbine and the track to it."""
    at, takes = _day(setting, rng), int(rng.integers(30, 90))
    centre = parcel.outline.representative_point()
    pad = centre.buffer(float(rng.uniform(19, 27)), quad_segs=4)
    track = box(centre.x - 3.5, centre.y, centre.x + 3.5, parcel.outline.bounds[3] + 1)
    works = max(polygons(unary_union([pad, track]).intersection(parcel.outline)), key=lambda p: p.area)
    built = _part(
        zone, works, Phase(cover="cleared", day=at, ramp_days=8), Phase(cover="pad", day=at + takes, ramp_days=10)
    )
    fact = Fact(
        parcel_id=parcel.parcel_id,
        kind="wind_build",
        start=at,
        end=min(at + takes + 10, setting.end),
        severity=1.0,
        outline=works,
    )
    return [zone, built], [fact]


def _pond_drained(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    at = _day(setting, rng)
    changed = replace(zone, phases=(Phase(cover="drained_pond", day=at, ramp_days=7),))
    fact = Fact(
        parcel_id=parcel.parcel_id, kind="pond_drained", start=at, end=at + 7, severity=1.0, outline=parcel.outline
    )
    return [changed], [fact]


# ---- traps


def _late_harvest(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    years = np.unique(setting.weather.year[setting.earliest : setting.latest])
    year = int(rng.choice(years))
    changed = replace(zone, husbandry=replace(zone.husbandry, late_year=year))
    first = setting.weather.position(np.datetime64(f"{year}-01-01"))
    return [changed], [_trap("late_harvest", parcel, first, min(first + 364, setting.end))]


def _fallow_year(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    last = max(int(setting.weather.year[setting.end]) - 1, int(setting.weather.year[setting.earliest]) + 1)
    year = int(rng.integers(int(setting.weather.year[setting.earliest]), last + 1))
    changed = replace(zone, husbandry=replace(zone.husbandry, fallow_years=frozenset({year})))
    first = setting.weather.position(np.datetime64(f"{year}-01-01"))
    return [changed], [_trap("fallow_year", parcel, first, min(first + 364, setting.end))]


def _extra_ploughing(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
    free = [s.harvested + 15 for s in _seasons(zone, setting) if setting.earliest < s.harvested < setting.latest]
    if not free:
        return None
    at = int(rng.choice(free))
    changed = replace(zone, husbandry=replace(zone.husbandry, extra_ploughing=at))
    return [changed], [_trap("extra_ploughing", parcel, at, min(at + 30, setting.end))]


def _recover(
    kind: str, cover: str, days: int
) -> Callable[[Zone, Parcel, Setting, np.random.Generator], Outcome | None]:
    """A trap that renews the cover of a whole parcel."""

    def make(zone: Zone, parcel: Parcel, setting: Setting, rng: np.random.Generator) -> Outcome | None:
        at = _day(setting, rng)
        changed = replace(zone, phases=(Phase(cover=cover, day=at, ramp_days=6),))
        return [changed], [_trap(kind, parcel, at, min(at + days, setting.end))]

    return make


def _trap(kind: str, parcel: Parcel, start: int, end: int) -> Fact:
    return Fact(
        parcel_id=parcel.parcel_id, kind=kind, start=start, end=end, severity=0.0, outline=parcel.outline, is_trap=True
    )


_FOREST = frozenset({"poplar", "deciduous", "evergreen", "needle"})
_GRAIN = ROTATIONS - {"vegetables"}
HAPPENINGS: Mapping[str, Happening] = {
    "crop_failure": Happening(covers=_GRAIN, make=_crop_failure, min_ha=0.4),
    "abandonment": Happening(covers=_GRAIN, make=_abandonment),
    "flood": Happening(covers=_GRAIN, make=_flood, min_ha=0.6),
    "land_preparation": Happening(covers=_GRAIN | {"pasture"}, make=_land_preparation, min_ha=0.7),
    "encroachment": Happening(covers=_GRAIN | {"orchard", "pasture"}, make=_encroachment, min_ha=0.6),
    "clear_cut": Happening(
        covers=_FOREST, make=_on_stand("clear_cut", "slash", (0.3, 1.0), (0.93, 1.0), (3, 25)), min_ha=1.0
    ),
    "thinning": Happening(
        covers=_FOREST, make=_on_stand("thinning", "slash", (0.6, 1.0), (0.25, 0.45), (5, 30)), min_ha=1.0
    ),
    "beetle": Happening(
        covers=frozenset({"needle", "evergreen", "poplar", "deciduous"}),
        make=_on_stand("beetle", "dead_stand", (0.25, 0.7), (0.6, 0.95), (120, 330), rounded=True),
        min_ha=1.0,
    ),
    "fire": Happening(
        covers=_FOREST,
        make=_on_stand("fire", "burnt", (0.4, 1.0), (0.7, 1.0), (1, 3), frozenset({2, 3, 4, 5, 10, 11}), rounded=True),
        min_ha=0.8,
    ),
    "storm": Happening(
        covers=_FOREST,
        make=_on_stand("storm", "windthrow", (0.3, 0.8), (0.45, 0.95), (1, 2), rounded=True, on_storm_day=True),
        min_ha=0.8,
    ),
    "construction": Happening(covers=frozenset({"building_site"}), make=_construction, min_ha=0.5),
    "demolition": Happening(covers=frozenset({"works"}), make=_demolition, min_ha=0.4),
    "pv_build": Happening(covers=frozenset({"solar"}), make=_pv_build),
    "wind_build": Happening(covers=frozenset({"wind"}), make=_wind_build, min_ha=0.8),
    "pond_drained": Happening(covers=frozenset({"pond"}), make=_pond_drained),
    "late_harvest": Happening(covers=_GRAIN, make=_late_harvest, is_trap=True),
    "fallow_year": Happening(covers=_GRAIN, make=_fallow_year, is_trap=True),
    "extra_ploughing": Happening(covers=_GRAIN, make=_extra_ploughing, is_trap=True),
    "pasture_cleaning": Happening(
        covers=frozenset({"pasture"}), make=_recover("pasture_cleaning", "cleaned_pasture", 120), is_trap=True
    ),
    "orchard_replanting": Happening(
        covers=frozenset({"orchard"}), make=_recover("orchard_replanting", "orchard", 365), is_trap=True
    ),
    "plastic_change": Happening(
        covers=frozenset({"greenhouse"}), make=_recover("plastic_change", "greenhouse", 20), is_trap=True
    ),
}
EVENT_KINDS: tuple[str, ...] = (*(name for name, kind in HAPPENINGS.items() if not kind.is_trap), "stall")
TRAP_KINDS: tuple[str, ...] = tuple(name for name, kind in HAPPENINGS.items() if kind.is_trap)
