"""The laws of the intake at length: ten thousand polygons, ten thousand documents, ten thousand damaged files."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyproj
import shapely
from hypothesis import HealthCheck, given, settings

from geocollateral.intake import read_parcels
from geocollateral.intake.geometry import geodesic_area


def laws() -> ModuleType:
    """The module of the quick tests, for its strategies: tests are no package."""
    path = Path(__file__).parents[1] / "property" / "test_intake.py"
    spec = importlib.util.spec_from_file_location("laws_of_the_intake", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


LAWS = laws()
LONG = settings(max_examples=10_000, suppress_health_check=[HealthCheck.too_slow])


def stars(count: int, seed: int) -> list[list[list[float]]]:
    """Closed rings of star-shaped parcels of 20 m to 10 km, in cells of their own so that none overlap.

    None lies beyond 73 degrees, in the sea, where parcels of western China would with latitude first: they are refused.
    """
    rng = np.random.default_rng(seed)
    rings = []
    for cell in rng.permutation(360 * 144)[:count]:
        lon, lat = cell % 360 - 179.5, cell // 360 - 71.5
        corners = rng.integers(3, 40)
        turn = np.sort(rng.uniform(0, 2 * np.pi, corners))
        turn += np.linspace(0, 1e-3, corners)
        reach = 10 ** rng.uniform(-3.5, -1.3) * rng.uniform(0.3, 1, corners)
        x, y = lon + reach * np.cos(turn) / np.cos(np.radians(lat)), lat + reach * np.sin(turn)
        ring = np.round(np.column_stack([x, y]), 9).tolist()
        rings.append([*ring, ring[0]])
    return rings


def test_s6_ten_thousand_polygons(tmp_path: Path) -> None:
    """One file through the bounded process: nothing lost, every area that of an equal-area map (wanted: 0.1 %)."""
    rings = stars(15_500, seed=7)
    features = [
        {
            "type": "Feature",
            "properties": {"parcel_id": str(n), "asset_class": "forestry"},
            "geometry": {"type": "Polygon", "coordinates": [ring]},
        }
        for n, ring in enumerate(rings)
    ]
    shapes = [shapely.Polygon(ring) for ring in rings]
    good = [n for n, shape in enumerate(shapes) if shape.is_valid and geodesic_area(shape) > 101]
    document: dict[str, Any] = {"type": "FeatureCollection", "features": [features[n] for n in good]}
    path = tmp_path / "parcels.geojson"
    path.write_text(json.dumps(document), encoding="utf-8")
    parcels = read_parcels(path, datum="wgs84").parcels
    assert list(parcels.index) == [str(n) for n in good]
    assert len(parcels) >= 15_000
    to_map = pyproj.Transformer.from_crs(4326, 6933, always_xy=True).transform
    fine = shapely.segmentize([shapely.Polygon(rings[n]) for n in good], 0.0005)
    truth = shapely.area(shapely.transform(fine, to_map, interleaved=False))
    assert np.abs(parcels["obs_area_m2"].to_numpy() / truth - 1).max() < 1e-5


@settings(max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])
@given(LAWS.documents)
def test_s2_any_json_is_read_or_refused(document: Any) -> None:
    LAWS.require_read_or_refused(document)


@LONG
@given(LAWS.damaged(("a.geojson",)))
def test_s2_damaged_geojson_is_read_or_refused(file: tuple[str, bytes]) -> None:
    LAWS.require_answer(*file)
    LAWS.read_or_none(file[1])


@LONG
@given(LAWS.damaged())
def test_damaged_files_are_read_or_refused(file: tuple[str, bytes]) -> None:
    LAWS.require_answer(*file)
