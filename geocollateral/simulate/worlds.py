"""The worlds: a table of records. A new world is one entry."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

from geocollateral.errors import InvalidInput
from geocollateral.simulate.grid import SiteGrid, site_grid
from geocollateral.simulate.weather import Climate


@dataclass(frozen=True, kw_only=True)
class SiteSpec:
    """One square of land: where it is, what grows there, who flies over it."""

    tile: str
    """Square of the military grid; also the site's name."""
    corner: tuple[int, int]
    """Column and row of the upper left pixel in the tile's 10 m grid; even."""
    size: int
    """Pixels a side; even."""
    climate: Climate
    land: Mapping[str, float]
    """Share of the area by kind of land (`geocollateral.simulate.land.KINDS`); the rest is the first kind named."""
    river: bool = True
    optical_orbits: tuple[int, int] = (32, 75)
    """Relative orbits of Sentinel-2."""
    radar_orbits: tuple[tuple[str, int], ...] = (("ascending", 142), ("descending", 47))
    """Direction and relative orbit of Sentinel-1."""

    @property
    def grid(self) -> SiteGrid:
        """The site's 10 m grid."""
        return site_grid(self.tile, self.corner, self.size)


@dataclass(frozen=True, kw_only=True)
class FlawRates:
    """How many scenes of a hundred have each flaw."""

    missing_part: float = 2.0
    partial: float = 6.0
    paging_twin: float = 1.5
    reprocessed: float = 3.0
    split_datastrip: float = 2.0
    flag_lies_applied: float = 0.8
    """DN carry the offset and the item says it was subtracted; of scenes of baseline 04.00 and later."""
    flag_lies_not_applied: float = 0.8
    missing_band: float = 0.8
    radar_twin: float = 2.0
    radar_border_zeros: float = 12.0
    """Of radar scenes before 2022."""


@dataclass(frozen=True, kw_only=True)
class WorldSpec:
    """All that a world is made of but its seed."""

    name: str
    title: str
    family: int
    """Worlds of different families share no random number, whatever the seed."""
    start: dt.date
    end: dt.date
    sites: tuple[SiteSpec, ...]
    optical_days: int = 5
    """Mean days between two Sentinel-2 scenes of a site."""
    radar_days: int = 12
    """Days between two Sentinel-1 scenes of one orbit."""
    tile_px: int = 256
    """Internal tile of the files."""
    events: Mapping[str, int] = field(default_factory=dict)
    """How many parcels of each site get an event or a trap of each kind, if there are enough that suit."""
    history_days: int = 400
    """No event starts earlier after the first day, so that every method has more than a year to learn from."""
    pledged: int = 330
    """Parcels of each site that are in the portfolio; the others are landscape."""
    drought: int | None = None
    """Calendar year with a dry season for everyone."""
    late_frost: int | None = None
    flaws: FlawRates = field(default_factory=FlawRates)


_NORTH_PLAIN = Climate(
    mean_c=14.5,
    amplitude_c=13.5,
    rain_mm=(8, 11, 24, 34, 58, 72, 160, 125, 72, 40, 20, 8),
    overcast_frac=(0.34, 0.34, 0.34, 0.32, 0.32, 0.38, 0.50, 0.44, 0.36, 0.30, 0.30, 0.32),
    clear_frac=(0.40, 0.38, 0.38, 0.38, 0.36, 0.30, 0.18, 0.24, 0.34, 0.42, 0.44, 0.42),
)
_NORTH_EAST = Climate(
    mean_c=6.0,
    amplitude_c=18.5,
    rain_mm=(6, 7, 13, 26, 56, 92, 165, 135, 56, 28, 15, 8),
    overcast_frac=(0.28, 0.28, 0.32, 0.36, 0.38, 0.42, 0.48, 0.42, 0.34, 0.32, 0.32, 0.30),
    clear_frac=(0.46, 0.44, 0.40, 0.34, 0.32, 0.26, 0.20, 0.26, 0.38, 0.40, 0.42, 0.44),
)
_SICHUAN = Climate(
    mean_c=16.5,
    amplitude_c=10.0,
    rain_mm=(9, 13, 26, 52, 88, 120, 200, 205, 120, 52, 22, 9),
    overcast_frac=(0.72, 0.72, 0.66, 0.60, 0.60, 0.66, 0.62, 0.58, 0.70, 0.76, 0.74, 0.74),
    clear_frac=(0.08, 0.08, 0.12, 0.16, 0.14, 0.09, 0.12, 0.16, 0.09, 0.06, 0.07, 0.08),
)
_SOUTH_EAST = Climate(
    mean_c=18.5,
    amplitude_c=9.5,
    rain_mm=(60, 95, 165, 180, 220, 240, 140, 155, 105, 55, 48, 42),
    overcast_frac=(0.46, 0.52, 0.58, 0.56, 0.58, 0.58, 0.38, 0.40, 0.40, 0.34, 0.36, 0.40),
    clear_frac=(0.30, 0.22, 0.18, 0.18, 0.16, 0.14, 0.24, 0.22, 0.28, 0.36, 0.36, 0.32),
)

_PLAIN_LAND = {
    "wheat_maize": 0.42,
    "vegetables": 0.05,
    "orchard": 0.07,
    "greenhouse": 0.05,
    "poplar": 0.11,
    "pasture": 0.03,
    "pond": 0.04,
    "building_site": 0.07,
    "works": 0.03,
    "solar": 0.05,
    "wind": 0.02,
    "village": 0.06,
}
_EAST_LAND = {
    "maize": 0.30,
    "rice": 0.13,
    "deciduous": 0.16,
    "needle": 0.09,
    "pasture": 0.06,
    "orchard": 0.03,
    "greenhouse": 0.02,
    "pond": 0.03,
    "building_site": 0.06,
    "works": 0.02,
    "solar": 0.03,
    "wind": 0.03,
    "village": 0.04,
}
_BASIN_LAND = {
    "rice_rape": 0.36,
    "vegetables": 0.07,
    "orchard": 0.10,
    "greenhouse": 0.03,
    "evergreen": 0.14,
    "needle": 0.04,
    "pond": 0.06,
    "building_site": 0.07,
    "works": 0.02,
    "solar": 0.03,
    "pasture": 0.02,
    "village": 0.06,
}
_HILL_LAND = {
    "rice": 0.20,
    "vegetables": 0.06,
    "orchard": 0.12,
    "evergreen": 0.22,
    "needle": 0.14,
    "greenhouse": 0.03,
    "pond": 0.05,
    "building_site": 0.06,
    "works": 0.02,
    "solar": 0.03,
    "wind": 0.02,
    "village": 0.05,
}

_EVENTS: Mapping[str, int] = {
    "crop_failure": 13,
    "abandonment": 10,
    "flood": 6,
    "land_preparation": 4,
    "encroachment": 6,
    "clear_cut": 10,
    "thinning": 6,
    "beetle": 5,
    "fire": 5,
    "storm": 5,
    "construction": 11,
    "demolition": 4,
    "pv_build": 6,
    "wind_build": 3,
    "pond_drained": 5,
    # traps: nothing has happened
    "late_harvest": 14,
    "fallow_year": 12,
    "pasture_cleaning": 4,
    "orchard_replanting": 4,
    "plastic_change": 4,
    "extra_ploughing": 10,
}


def _evaluation(name: str, title: str, family: int, corners: tuple[tuple[int, int], ...]) -> WorldSpec:
    places = (
        ("50SKE", _NORTH_PLAIN, _PLAIN_LAND, (32, 75)),
        ("51TWL", _NORTH_EAST, _EAST_LAND, (3, 46)),
        ("48RVU", _SICHUAN, _BASIN_LAND, (18, 61)),
        ("50RLQ", _SOUTH_EAST, _HILL_LAND, (89, 132)),
    )
    return WorldSpec(
        name=name,
        title=title,
        family=family,
        start=dt.date(2020, 9, 1),
        end=dt.date(2025, 8, 31),
        sites=tuple(
            SiteSpec(tile=tile, corner=corner, size=340, climate=climate, land=land, optical_orbits=orbits)
            for (tile, climate, land, orbits), corner in zip(places, corners, strict=True)
        ),
        events=_EVENTS,
        drought=2023,
        late_frost=2024,
    )


_TABLE: tuple[WorldSpec, ...] = (
    WorldSpec(
        name="tiny",
        title="One small site over 15 months, for tests: a forest with a clear-cut, fields, a building site, water",
        family=1,
        start=dt.date(2021, 8, 1),
        end=dt.date(2022, 10, 31),
        sites=(
            SiteSpec(
                tile="50SKE",
                corner=(4000, 5000),
                size=128,
                climate=_NORTH_PLAIN,
                land={"wheat_maize": 0.42, "poplar": 0.22, "building_site": 0.14, "pond": 0.12, "village": 0.10},
                river=False,
            ),
        ),
        optical_days=15,
        radar_days=60,
        tile_px=32,
        history_days=270,
        pledged=9,
        events={"clear_cut": 1, "construction": 1, "crop_failure": 1},
        flaws=FlawRates(
            missing_part=4,
            partial=8,
            paging_twin=4,
            reprocessed=8,
            split_datastrip=4,
            flag_lies_applied=5,
            flag_lies_not_applied=5,
            missing_band=4,
            radar_twin=7,
            radar_border_zeros=40,
        ),
    ),
    WorldSpec(
        name="demo",
        title="One site over three years, for tutorials: fields, forest, a building site, ponds, a solar plant",
        family=2,
        start=dt.date(2021, 9, 1),
        end=dt.date(2024, 8, 31),
        sites=(
            SiteSpec(
                tile="50SKE",
                corner=(6000, 3000),
                size=240,
                climate=_NORTH_PLAIN,
                land={
                    "wheat_maize": 0.36,
                    "poplar": 0.18,
                    "orchard": 0.08,
                    "greenhouse": 0.05,
                    "building_site": 0.11,
                    "solar": 0.08,
                    "pond": 0.06,
                    "village": 0.08,
                },
            ),
        ),
        events={
            "crop_failure": 1,
            "abandonment": 1,
            "clear_cut": 2,
            "fire": 1,
            "construction": 2,
            "pv_build": 1,
            "pond_drained": 1,
            "late_harvest": 1,
            "fallow_year": 1,
        },
        pledged=30,
        drought=2023,
    ),
    _evaluation(
        "dev",
        "Four sites over five years, to develop methods on",
        3,
        ((5200, 3000), (4000, 4000), (3000, 6000), (2600, 3600)),
    ),
    _evaluation(
        "heldout",
        "Four sites over five years, to judge methods once per release",
        4,
        ((7000, 8000), (7600, 2200), (6000, 1800), (8000, 7000)),
    ),
)
WORLDS: Mapping[str, WorldSpec] = {world.name: world for world in _TABLE}


def find_world(name: str) -> WorldSpec:
    """The world of a name.

    Raises
    ------
    InvalidInput
        There is none.
    """
    if name not in WORLDS:
        raise InvalidInput(f"Unknown world {name!r}. Known: {', '.join(WORLDS)}.")
    return WORLDS[name]
