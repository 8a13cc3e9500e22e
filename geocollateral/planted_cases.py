"""Polygons drawn larger than the crop, in a simulated world: what a borrower who claims too much would hand in.

Each is the outline of a field swept outwards over ground that does not carry its crop, so that the area of the polygon
is what is claimed and only a part of it is planted. The land of the world is imagined anew from its name and seed (no
pixel is drawn); it says what lies where.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from shapely import Polygon
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from geocollateral.errors import BrokenData, InvalidInput, MissingInput
from geocollateral.simulate import WorldSpec, find_world
from geocollateral.simulate.claims import USES
from geocollateral.simulate.notes import MARK
from geocollateral.simulate.randomness import Seeds
from geocollateral.simulate.scenario import Scenario, imagine
from geocollateral.simulate.zones import ROTATIONS, Zone

SHARES: tuple[float, ...] = (0.0, 0.05, 0.10, 0.15, 0.20, 0.30)
"""Shares of a polygon that lie over ground without the crop; 0 = the outline as it is."""
MOST_CROP = 0.10
"""Largest share of the ground added that carries the crop all the same [1]."""
LEAST_OWN = 0.99
"""Share of a parcel's own outline under its use, from which it is a case [1]."""
LATELY_DAYS = 500
"""A parcel to which a trap (a fallow year, new plastic) came within so many days of the end is no case."""
REACH_M = 400.0
"""How far an outline is swept outwards at most [m]."""
GROUPS: Mapping[str, str] = dict.fromkeys(ROTATIONS, "field")
"""Covers that are one use: ground of another rotation is planted too. Others stand for themselves."""


@dataclass(frozen=True, kw_only=True)
class PlantedCase:
    """One polygon and what is true of it."""

    case_id: str
    parcel_id: str
    cover: str
    """Of the parcel's own ground."""
    share: float
    """Of the polygon that was meant to lie over other ground [0-1]."""
    planted: float
    """True share of the polygon under its own use on the last day [0-1]: the area of the polygon inside zones of that
    use that no later zone lies over, over the area of the polygon; exact, in vectors."""
    other: str
    """Cover of most of the ground added; ``""`` where none was."""
    outline: Polygon
    """In metres from the site's lower left corner."""

    @property
    def over(self) -> float:
        """By how much the polygon claims too much [1]: its area over the planted area, less one."""
        return 1 / max(self.planted, 1e-9) - 1


class Ground:
    """What lies where at a site on its last day."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.zones = scenario.zones
        self.day = scenario.weather.days.size - 1
        self._tree = shapely.STRtree([zone.outline for zone in self.zones])

    def shares(self, shape: BaseGeometry) -> dict[str, float]:
        """Share of a shape under each use [0-1]; later zones lie over earlier ones."""
        left, found = shape, dict[str, float]()
        for place in sorted(self._tree.query(shape, predicate="intersects").tolist(), reverse=True):
            zone = self.zones[place]
            part = left.intersection(zone.outline)
            if part.area > 0:
                for use, weight in uses_of(zone, self.day).items():
                    found[use] = found.get(use, 0.0) + weight * part.area / shape.area
                left = left.difference(zone.outline)
            if left.area <= 0:
                break
        return found


def uses_of(zone: Zone, day: int) -> dict[str, float]:
    """Shares of the uses of a zone on a day: its cover at the start and what has come over it since."""
    idle = zone.husbandry.abandoned_from is not None and zone.husbandry.abandoned_from <= day
    found = {"abandoned" if idle else GROUPS.get(zone.cover, zone.cover): 1.0}
    for phase in zone.phases:
        if phase.day <= day and (phase.until is None or day < phase.until):
            reached = phase.share * min((day - phase.day + 1) / max(phase.ramp_days, 1.0), 1.0)
            found = {use: weight * (1 - reached) for use, weight in found.items()}
            use = GROUPS.get(phase.cover, phase.cover)
            found[use] = found.get(use, 0.0) + reached
    return found


def grounds_of(folder: Path, spec: WorldSpec | None = None) -> dict[str, Ground]:
    """The land of a world by site, imagined anew from its name and seed.

    Parameters
    ----------
    folder
        Of a simulated world.
    spec
        Of the world; None finds it by the name that the folder gives.

    Raises
    ------
    MissingInput
        The folder holds no simulated world.
    InvalidInput
        The world's name is not known and no record is given.
    BrokenData
        The land imagined is not that of the folder: the world was drawn by another version of this program.
    """
    mark = folder / MARK
    if not mark.is_file():
        raise MissingInput(f"{folder} holds no simulated world: it has no file {MARK}.")
    about = json.loads(mark.read_text(encoding="utf-8"))
    world = find_world(str(about["world"])) if spec is None else spec
    seeds = Seeds(family=world.family, seed=int(about["seed"]))
    parcels = pd.read_parquet(folder / "truth" / "parcels.parquet")
    found = {}
    for site in world.sites:
        found[site.tile] = Ground(imagine(world, site, seeds))
        _require_same(found[site.tile], parcels[parcels["site"] == site.tile], folder)
    return found


def plant(
    folder: Path, grounds: Mapping[str, Ground], *, shares: Sequence[float] = SHARES, turn: int = 0
) -> list[PlantedCase]:
    """Cases of a world: one polygon for each of its quiet farm parcels.

    Each parcel gets the share that fewest parcels have so far, of those that one of its sides allows; no event and no
    late trap befalls it.

    Parameters
    ----------
    folder
        Of the world.
    grounds
        Its land, by site (`grounds_of`).
    shares
        Of the polygon, 0 among them.
    turn
        Another one deals the shares to other parcels.
    """
    truth = {n: pd.read_parquet(folder / "truth" / f"{n}.parquet") for n in ("parcels", "events", "traps")}
    classes = dict(zip(truth["parcels"]["parcel_id"], truth["parcels"]["asset_class"], strict=True))
    rng = np.random.default_rng(turn)
    dealt = dict.fromkeys(shares, 0)
    found: list[PlantedCase] = []
    for ground in grounds.values():
        end = pd.Timestamp(ground.scenario.weather.days[-1])
        late = truth["traps"]["end"] >= end - pd.Timedelta(days=LATELY_DAYS)
        unquiet = {*truth["events"]["parcel_id"], *truth["traps"].loc[late, "parcel_id"]}
        for parcel in ground.scenario.pledged:
            if classes[parcel.parcel_id] != "agriculture" or parcel.parcel_id in unquiet:
                continue
            if ground.shares(parcel.outline).get(GROUPS.get(parcel.cover, parcel.cover), 0.0) >= LEAST_OWN:
                case = _case(ground, parcel.parcel_id, parcel.outline, parcel.cover, dealt, rng)
                dealt[case.share] += 1
                found.append(case)
    return found


def _require_same(ground: Ground, own: pd.DataFrame, folder: Path) -> None:
    told = dict(zip(own["parcel_id"], own["area_m2"], strict=True))
    made = {p.parcel_id: p.area_m2 for p in ground.scenario.pledged}
    if set(told) != set(made) or any(abs(told[i] - made[i]) > 1e-3 for i in told):
        raise BrokenData(
            f"The land of {folder} is not what its name and seed give now: it was drawn by another version. Draw it "
            "anew with `geocollateral simulate --overwrite`."
        )


def _case(
    ground: Ground,
    parcel_id: str,
    outline: Polygon,
    cover: str,
    dealt: Mapping[float, int],
    rng: np.random.Generator,
) -> PlantedCase:
    """The parcel with the share that fewest have, of those it allows."""
    use = GROUPS.get(cover, cover)
    extent = ground.scenario.land.extent_m
    square = box(0, 0, extent, extent)
    for share in sorted(dealt, key=lambda s: (dealt[s], float(rng.random()))):
        if share == 0:
            shape, other = outline, ""
        else:
            swept = _swept(ground, outline, share, use, square, rng)
            if swept is None:
                continue
            shape, other = swept
        planted = ground.shares(shape).get(use, 0.0)
        name = f"{parcel_id}-over{round(100 * share):02d}"
        return PlantedCase(
            case_id=name, parcel_id=parcel_id, cover=cover, share=share, planted=planted, other=other, outline=shape
        )
    raise InvalidInput("Expected a share of 0 among those of the polygons, for parcels with no other ground beside.")


def _swept(
    ground: Ground, outline: Polygon, share: float, use: str, square: Polygon, rng: np.random.Generator
) -> tuple[Polygon, str] | None:
    """The outline swept over one of its sides by a share of the result; None where all have the same use beyond."""
    sides = _normals(outline)
    rng.shuffle(sides)
    for normal in sides:
        shape = _sweep(outline, normal, outline.area / (1 - share))
        if shape is None or not square.contains(shape):
            continue
        beyond = ground.shares(shape.difference(outline))
        if beyond.get(use, 0.0) <= MOST_CROP:
            return shape, max(beyond, key=lambda name: beyond[name])
    return None


def _normals(outline: Polygon) -> NDArray[np.float64]:
    """Shape (4, 2): outward unit normals of the smallest rectangle around an outline."""
    x, y = shapely.get_coordinates(outline.minimum_rotated_rectangle).T
    along = np.column_stack([np.diff(x), np.diff(y)])
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return np.column_stack([along[:, 1], -along[:, 0]])


def _sweep(outline: Polygon, normal: NDArray[np.float64], area_m2: float) -> Polygon | None:
    """The outline and all ground it passes when moved along a direction until it measures an area."""
    low, high = 0.0, REACH_M
    for _ in range(18):
        middle = (low + high) / 2
        low, high = (middle, high) if _passed(outline, normal * middle).area < area_m2 else (low, middle)
    shape = _passed(outline, normal * high)
    return shape if isinstance(shape, Polygon) and abs(shape.area / area_m2 - 1) < 1e-3 else None


def _passed(outline: Polygon, way: NDArray[np.float64]) -> BaseGeometry:
    ring = np.array(outline.exterior.coords)
    quads = [Polygon([a, b, b + way, a + way]) for a, b in itertools.pairwise(ring) if _turns(b - a, way)]
    return shapely.union_all([outline, translate(outline, *way), *quads])


def _turns(side: NDArray[np.float64], way: NDArray[np.float64]) -> bool:
    return abs(float(side[0] * way[1] - side[1] * way[0])) > 1e-6


def features_of(cases: Sequence[PlantedCase], grounds: Mapping[str, Ground]) -> dict[str, Any]:
    """GeoJSON of the polygons; each claims its own area and the use of its own ground."""
    home = {p.parcel_id: ground for ground in grounds.values() for p in ground.scenario.pledged}
    features = []
    for case in cases:
        grid = home[case.parcel_id].scenario.site.grid
        x, y = np.array(case.outline.exterior.coords).T
        lon, lat = grid.to_lonlat(x, y)
        features.append(
            {
                "type": "Feature",
                "properties": {
                    "parcel_id": case.case_id,
                    "asset_class": "agriculture",
                    "claim_area_ha": round(case.outline.area / 1e4, 4),
                    "claim_use": USES.get(case.cover, case.cover),
                },
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[list(p) for p in zip(lon.tolist(), lat.tolist(), strict=True)]],
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


__all__ = ["GROUPS", "SHARES", "Ground", "PlantedCase", "features_of", "grounds_of", "plant", "uses_of"]
