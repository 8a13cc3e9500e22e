"""Pieces of a parcel with one history, and how a history becomes a daily surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon

from geocollateral.simulate.covers import ALWAYS, COVERS, Place, Stage
from geocollateral.simulate.land import Traits
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.seasons import ORDINARY, Field, Husbandry, grow
from geocollateral.simulate.surface import Surface, blend
from geocollateral.simulate.weather import Weather

ROTATIONS = frozenset({"wheat_maize", "maize", "rice", "rice_rape", "vegetables"})
"""Covers that are fields of crops."""


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A cover that comes over what was there."""

    cover: str
    """Of `COVERS`."""
    day: int
    """Position on the weather's axis at which it begins."""
    ramp_days: float = 1.0
    """Until it has come wholly."""
    share: float = 1.0
    """Of the ground that it takes, 0-1."""
    until: int | None = None
    """Day on which what was before is there again."""


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A piece of land whose ground has one history."""

    name: str
    """Unique in the site."""
    parcel_id: str | None
    outline: Polygon
    cover: str
    """At the start: a rotation of crops or one of `COVERS`."""
    traits: Traits
    since: int = ALWAYS
    husbandry: Husbandry = ORDINARY
    phases: tuple[Phase, ...] = ()

    def stage(self, day: int) -> tuple[Stage, Stage, float]:
        """Stage of building before the latest phase, that of it, and the share it has reached on a day."""
        before: Stage = "vegetated" if self.cover in ROTATIONS else COVERS[self.cover].stage
        after, reached = before, 0.0
        for phase in self.phases:
            if phase.day <= day and (phase.until is None or day < phase.until):
                before = after if reached >= 0.5 else before
                after, reached = COVERS[phase.cover].stage, _weight(phase, np.array([day]))[0]
        return before, after, float(reached)


def field_of(zone: Zone, weather: Weather, seeds: Seeds) -> Field | None:
    """What grew on a zone that is a field; None for others. The same for all zones of a parcel that are fields."""
    if zone.cover not in ROTATIONS:
        return None
    rng = seeds.stream("farmer", zone.parcel_id or zone.name)
    return grow(zone.cover, zone.traits, weather, zone.husbandry, rng)


def surface_of(zone: Zone, weather: Weather, field: Field | None) -> Surface:
    """Daily surface of a zone, through all its phases."""
    now = (
        field.surface
        if field is not None
        else COVERS[zone.cover].draw(Place(weather=weather, traits=zone.traits, since=zone.since))
    )
    days = np.arange(weather.days.size)
    for phase in zone.phases:
        place = Place(weather=weather, traits=zone.traits, since=phase.day)
        now = blend(now, COVERS[phase.cover].draw(place), _weight(phase, days))
    return now


def _weight(phase: Phase, days: NDArray[np.int64]) -> NDArray[np.float64]:
    weight = phase.share * np.clip((days - phase.day + 1) / max(phase.ramp_days, 1.0), 0.0, 1.0)
    return np.where(days >= phase.until, 0.0, weight) if phase.until is not None else weight
