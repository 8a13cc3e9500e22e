"""Outlines against the edges of built pictures: fields of a lattice with random greens."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine

from geocollateral.observe.datum_fit import (
    APART_PIXELS,
    DatumFitParams,
    Edges,
    chances_of,
    find_edges,
    judge_datum,
    places_around,
)

SIDE, PIXEL = 200, 10.0
AFFINE = Affine(PIXEL, 0, 600_000, 0, -PIXEL, 4_000_000)
PARAMS = DatumFitParams()
ASKED = {"wgs84": (0, 0), "gcj02": (40, 12)}


def fields(seed: int, looks: int = 6) -> tuple[np.ndarray, list[tuple[int, int, int, int]]]:
    """Pictures, shape (look, y, x), and the fields [left, top, right, bottom] of which the ground is made."""
    rng = np.random.default_rng(seed)
    cuts = [np.cumsum(np.concatenate([[0], rng.integers(6, 16, 40)])) for _ in range(2)]
    picture, placed = np.zeros((looks, SIDE, SIDE), np.float32), []
    for left, right in zip(cuts[0], cuts[0][1:], strict=False):
        for top, bottom in zip(cuts[1], cuts[1][1:], strict=False):
            picture[:, top:bottom, left:right] = rng.uniform(0.1, 0.5, (looks, 1, 1))
            if right < SIDE and bottom < SIDE:
                placed.append((int(left), int(top), int(right), int(bottom)))
    return picture + rng.normal(0, 0.01, picture.shape).astype(np.float32), placed


def outline(field: tuple[int, int, int, int], moved: tuple[int, int] = (0, 0)) -> shapely.Polygon:
    left, top, right, bottom = (at * PIXEL for at in field)
    x, y = moved[0] * PIXEL, moved[1] * PIXEL
    return shapely.box(600_000 + left + x, 4_000_000 - bottom - y, 600_000 + right + x, 4_000_000 - top - y)


def middle_fields(placed: list[tuple[int, int, int, int]], count: int) -> list[tuple[int, int, int, int]]:
    held = [f for f in placed if 70 < f[0] < 120 and 70 < f[1] < 120 and f[2] - f[0] > 7 and f[3] - f[1] > 7]
    return held[:count]


@pytest.fixture(scope="module")
def ground() -> tuple[Edges, list[tuple[int, int, int, int]]]:
    picture, placed = fields(3)
    return find_edges({"red": picture}), middle_fields(placed, 4)


def look(edges: Edges, shape: shapely.Polygon, asked: dict[str, tuple[int, int]] = ASKED) -> dict[str, float]:
    found = chances_of(edges, shape, AFFINE, asked, 60, 12.0)
    assert found is not None
    return found


def test_an_edge_has_its_direction() -> None:
    picture = np.zeros((1, 40, 40), np.float32) + np.random.default_rng(0).normal(0, 0.01, (1, 40, 40)).astype(
        np.float32
    )
    picture[:, :, 20:] += 1
    tensor = find_edges({"red": picture}).tensor
    assert tensor[0, 10:30, 19:21].min() > 10 * tensor[2, 10:30, 19:21].max()
    assert tensor[0, 10:30, 19:21].min() > 5 * tensor[0, 10:30, 5:12].max()


def test_what_is_never_seen_has_no_edges() -> None:
    picture, _ = fields(1, looks=2)
    picture[:, :50] = np.nan
    tensor = find_edges({"red": picture, "nir": picture}).tensor
    assert np.isnan(tensor[:, :49]).all()
    assert np.isfinite(tensor[:, 52:-2, 2:-2]).all()


def test_a_cloud_in_one_look_moves_nothing() -> None:
    picture, placed = fields(3)
    clouded = picture.copy()
    clouded[2, 60:120, 60:120] = np.nan
    for field in middle_fields(placed, 2):
        assert look(find_edges({"red": clouded}), outline(field))["wgs84"] < 0.05


def test_flat_pictures_tell_nothing() -> None:
    edges = find_edges({"red": np.full((3, SIDE, SIDE), 0.2, np.float32)})
    assert chances_of(edges, shapely.box(600_900, 3_998_900, 601_000, 3_999_000), AFFINE, ASKED, 60, 12.0) is None


def test_the_right_place_fits(ground: tuple[Edges, list[tuple[int, int, int, int]]]) -> None:
    edges, held = ground
    assert held
    for field in held:
        found = look(edges, outline(field))
        assert found["wgs84"] < 0.05
        assert found["gcj02"] > found["wgs84"]


def test_the_vector_that_brings_it_back_fits(ground: tuple[Edges, list[tuple[int, int, int, int]]]) -> None:
    edges, held = ground
    chances = [look(edges, outline(field, (-40, -12))) for field in held]
    found = judge_datum(chances, "wgs84", PARAMS)
    assert (found.verdict, found.fits, found.n_parcels) == ("mismatch", "gcj02", len(held))
    assert judge_datum([look(edges, outline(field)) for field in held], "wgs84", PARAMS).verdict == "match"


def test_chance_is_chance() -> None:
    """Outlines that follow nothing: shares are spread evenly, and a datum is told as seldom as is promised."""
    rng = np.random.default_rng(5)
    edges = find_edges({"red": fields(8)[0]})
    shares, told = [], 0
    for _ in range(60):
        x, y = rng.uniform(70, 110, 2)
        turned = shapely.affinity.rotate(outline((0, 0, 12, 9)), rng.uniform(20, 70))
        found = look(edges, shapely.affinity.translate(turned, x * PIXEL, -y * PIXEL))
        shares += list(found.values())
        told += judge_datum([found], "wgs84", PARAMS).verdict != "cannot_tell"
    assert 0.35 < np.mean(shares) < 0.65
    assert told <= 9  # 5 % each way of 60 is 6; 99 % of the binomial law lies below 12


def test_beyond_the_window_nothing_is_seen(ground: tuple[Edges, list[tuple[int, int, int, int]]]) -> None:
    edges, held = ground
    found = look(edges, outline(held[0]), {"wgs84": (0, 0), "bd09": (150, 0)})
    assert np.isnan(found["bd09"])
    assert judge_datum([found, found], "wgs84", PARAMS).verdict == "match"


def test_narrow_parcels_have_no_say(ground: tuple[Edges, list[tuple[int, int, int, int]]]) -> None:
    assert chances_of(ground[0], outline((90, 90, 92, 110)), AFFINE, ASKED, 60, 12.0) is None
    found = judge_datum([], "wgs84", PARAMS)
    assert (found.verdict, found.n_parcels) == ("cannot_tell", 0)
    assert "no parcel is large enough" in found.reason


def test_places_to_compare_with_keep_apart() -> None:
    places = places_around(60, [(0, 0), (40, 12)])
    assert np.hypot(*places.T).max() <= 60
    for at in ((0, 0), (40, 12)):
        assert np.hypot(*(places - at).T).min() > APART_PIXELS
    assert len(places) > 1000


@pytest.mark.parametrize(
    ("chances", "verdict", "fits", "part"),
    [
        ([{"wgs84": 0.001, "gcj02": 0.4, "bd09": 0.7}], "match", "wgs84", ""),
        ([{"wgs84": 0.4, "gcj02": 0.001, "bd09": 0.7}], "mismatch", "gcj02", ""),
        ([{"wgs84": 0.4, "gcj02": 0.06, "bd09": 0.7}], "cannot_tell", "", "follow no edges"),
        ([{"wgs84": 0.004, "gcj02": 0.001, "bd09": 0.7}], "cannot_tell", "", "fit in two places"),
        ([{"wgs84": 0.1, "gcj02": 0.5, "bd09": 0.7}] * 8, "match", "wgs84", "parcels compared: 8"),
        ([{"wgs84": 0.4, "gcj02": 0.5, "bd09": 0.7}] * 40, "cannot_tell", "", "follow no edges"),
        ([{"wgs84": float("nan"), "gcj02": 0.001, "bd09": 0.7}], "cannot_tell", "", "no parcel"),
    ],
)
def test_verdicts(chances: list[dict[str, float]], verdict: str, fits: str, part: str) -> None:
    found = judge_datum(chances, "wgs84", PARAMS)
    assert (found.verdict, found.fits) == (verdict, fits)
    assert part in found.reason


def test_order_of_parcels_does_not_matter() -> None:
    chances = [{"wgs84": 0.1, "gcj02": 0.5}, {"wgs84": 0.01, "gcj02": 0.9}, {"wgs84": 0.3, "gcj02": 0.02}]
    there, back = judge_datum(chances, "wgs84", PARAMS), judge_datum(chances[::-1], "wgs84", PARAMS)
    assert there.verdict == back.verdict
    assert there.chances == pytest.approx(back.chances)
