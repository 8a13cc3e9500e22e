"""Polygons as users draw them, for tests: whole ones, and ones with each kind of mistake."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyproj
import shapely

from geocollateral.intake.outlines import Outline

TO_EQUAL_AREA = pyproj.Transformer.from_crs(4326, 6933, always_xy=True)
KINDS = ("plain", "hole", "parts", "repeated", "open", "spike", "bow", "antimeridian", "random", "thin", "polar")


def polygons(count: int, seed: int = 0) -> Iterator[tuple[str, Outline]]:
    """Kind and outline of each: 0.05 ha to 60,000 ha, anywhere on earth, longitude and latitude."""
    rng = np.random.default_rng(seed)
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        yield kind, _draw(kind, rng)


def equal_area_m2(polygon: shapely.Geometry) -> float:
    """Area on an equal-area map (EPSG 6933) of a polygon whose edges are straight in longitude and latitude."""
    fine = shapely.segmentize(polygon, 0.002)
    return float(shapely.area(shapely.transform(fine, lambda p: np.column_stack(TO_EQUAL_AREA.transform(*p.T)))))


def star(rng: np.random.Generator, lon: float, lat: float, radius: float, n: int) -> np.ndarray:
    """Closed ring around a point, seen from which it crosses nothing."""
    turn = np.sort(rng.uniform(0, 2 * np.pi, n - 3))
    turn = np.sort(np.concatenate([turn, [0.1, 2.2, 4.3]]))
    reach = radius * rng.uniform(0.4, 1, n)
    ring = np.column_stack([lon + reach * np.cos(turn) / np.cos(np.radians(lat)), lat + reach * np.sin(turn)])
    return np.vstack([ring, ring[:1]])


def _draw(kind: str, rng: np.random.Generator) -> Outline:
    lon, lat = (
        rng.uniform(-177, 177),
        rng.uniform(78, 82) * rng.choice([-1, 1]) if kind == "polar" else rng.uniform(-70, 70),
    )
    if kind == "antimeridian":
        lon = 180 + rng.uniform(-0.1, 0.1)
    radius, n = float(10 ** rng.uniform(-3.7, -1)), int(rng.integers(4, 60))
    ring = star(rng, lon, lat, radius, n)
    if kind == "hole":
        hole = np.array([lon, lat]) + (star(rng, lon, lat, radius, 8) - [lon, lat]) * 0.2
        return ((ring, hole),)
    if kind == "parts":
        return ((ring,), (star(rng, lon + 4 * radius / np.cos(np.radians(lat)), lat, radius, 7),))
    if kind == "repeated":
        return ((np.repeat(ring, rng.integers(1, 4, len(ring)), axis=0),),)
    if kind == "open":
        return ((ring[:-1],),)
    if kind == "spike":
        at = int(rng.integers(1, len(ring)))
        return ((np.insert(ring, [at, at], [ring[at - 1] + radius * rng.uniform(-2, 2, 2), ring[at - 1]], axis=0),),)
    if kind == "bow":
        at = rng.permutation(len(ring) - 1)
        mixed = (
            ring[:-1][at] if rng.random() < 0.5 else np.roll(ring[:-1], 1, axis=0)[np.argsort(np.arange(len(at)) ^ 1)]
        )
        return ((np.vstack([mixed, mixed[:1]]),),)
    if kind == "antimeridian" and rng.random() < 0.5:
        return ((np.column_stack([(ring[:, 0] + 180) % 360 - 180, ring[:, 1]]),),)
    if kind == "random":
        return ((rng.uniform(-1, 1, (n, 2)) * radius + [lon, lat],),)
    if kind == "thin":
        return ((np.column_stack([lon + (ring[:, 0] - lon) * 0.001, ring[:, 1]]),),)
    return ((ring,),)
