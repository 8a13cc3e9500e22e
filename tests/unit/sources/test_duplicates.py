"""One observation per platform, sensing instant, tile and orbit; newest processing wins; split looks stay whole."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pystac
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import mapping

from geocollateral.sources.catalogue.duplicates import SUPERSEDES, drop_duplicates, drop_twins

TILE = shapely.box(10, 50, 11, 51)
WEST, EAST = shapely.box(10, 50, 10.6, 51), shapely.box(10.5, 50, 11, 51)


def scene(name: str, when: str = "2023-05-11T03:05:00", ground: Any = TILE, **properties: Any) -> pystac.Item:
    said = {"platform": "sentinel-2a", "grid:code": "MGRS-32UPB", "sat:relative_orbit": 22, **properties}
    return pystac.Item(
        id=name,
        geometry=mapping(ground),
        bbox=list(ground.bounds),
        datetime=dt.datetime.fromisoformat(when).replace(tzinfo=dt.UTC),
        properties={key.replace("__", ":"): value for key, value in said.items() if value is not None},
    )


def radar(name: str, when: str = "2020-03-21T11:11:27", ground: Any = TILE, **properties: Any) -> pystac.Item:
    said = {"platform": "sentinel-1a", "grid:code": None, "sat:orbit_state": "ascending", **properties}
    return scene(name, when, ground, **said)


def ids(items: list[pystac.Item]) -> list[str]:
    return [item.id for item in items]


OLD = scene("S2A_32UPB_20230511_0_L2A", s2__processing_baseline="04.00", s2__sequence="0")
NEW = scene("S2A_32UPB_20230511_1_L2A", "2023-05-11T03:05:01", s2__processing_baseline="05.10", s2__sequence="1")


@pytest.mark.parametrize("items", [[OLD, NEW], [NEW, OLD]])
def test_t13_newest_processing_wins_whatever_the_order(items: list[pystac.Item]) -> None:
    kept = drop_duplicates(items)
    assert ids(kept) == [NEW.id]
    assert kept[0].properties[SUPERSEDES] == [{"id": OLD.id, "reason": "reprocessed: baseline 05.10 in place of 04.00"}]
    assert SUPERSEDES not in NEW.properties  # what was given stays as it was


def test_t13_generation_time_decides_between_equal_baselines() -> None:
    early = scene("z", s2__processing_baseline="05.10", s2__generation_time="2023-05-11T09:00:00Z")
    late = scene("a", s2__processing_baseline="05.10", s2__generation_time="2023-08-01T09:00:00Z")
    assert ids(drop_duplicates([early, late])) == ["a"]


def test_r12_baseline_99_99_gives_way_to_products_of_esa() -> None:
    foreign = scene("x", s2__processing_baseline="99.99", s2__generation_time="2024-01-01T00:00:00Z")
    assert ids(drop_duplicates([foreign, scene("y", s2__processing_baseline="05.00")])) == ["y"]
    assert ids(drop_duplicates([foreign])) == ["x"]


def test_r12_sentinel_1_products_that_differ_in_their_last_four_characters() -> None:
    stem = "S1A_IW_GRDH_1SDV_20200321T111127_20200321T111152_031773_03AA42"
    first = radar(f"{stem}_B7F7", processing__datetime="2020-03-21T14:00:00Z")
    again = radar(f"{stem}_0A11", processing__datetime="2020-03-22T02:00:00Z")
    assert ids(drop_duplicates([first, again])) == [again.id]


def test_r12_next_slice_of_a_radar_pass_is_another_scene() -> None:
    slices = [radar("a", "2020-03-21T11:11:27", WEST), radar("b", "2020-03-21T11:11:52", EAST)]
    assert ids(drop_duplicates(slices)) == ["a", "b"]


@pytest.mark.parametrize("order", [1, -1])
def test_r12_parts_of_one_overpass_are_both_kept(order: int) -> None:
    parts = [scene("west", "2023-05-11T03:05:00", WEST), scene("east", "2023-05-11T03:05:09", EAST)]
    assert sorted(ids(drop_duplicates(parts[::order]))) == ["east", "west"]


def test_r12_a_whole_product_stands_for_an_older_part_but_a_part_not_for_an_older_whole() -> None:
    old_part = scene("part", ground=WEST, s2__processing_baseline="04.00")
    assert ids(drop_duplicates([old_part, NEW])) == [NEW.id]
    new_part = scene("part", ground=WEST, s2__processing_baseline="05.11")
    assert sorted(ids(drop_duplicates([new_part, OLD]))) == sorted(["part", OLD.id])


@pytest.mark.parametrize(
    "other",
    [
        scene("b", platform="sentinel-2c"),
        scene("b", **{"grid:code": "MGRS-32UQB"}),
        scene("b", **{"sat:relative_orbit": 65}),
        scene("b", "2023-05-11T04:46:00"),
    ],
    ids=["platform", "tile", "orbit", "time"],
)
def test_r12_other_looks_are_kept(other: pystac.Item) -> None:
    assert ids(drop_duplicates([scene("a"), other])) == ["a", "b"]


def test_t12_one_scene_listed_four_times_counts_once() -> None:
    copies = [scene(f"copy-{n}", s2__processing_baseline="05.10") for n in range(4)]
    kept = drop_duplicates(copies)
    assert len(kept) == 1
    assert len(kept[0].properties[SUPERSEDES]) == 3


MANY = [
    OLD,
    NEW,
    scene("west", "2023-05-21T03:05:00", WEST),
    scene("east", "2023-05-21T03:05:09", EAST),
    scene("east-again", "2023-05-21T03:05:09", EAST, s2__processing_baseline="05.11"),
    scene("no-orbit", **{"sat:relative_orbit": None}),
    radar("r1", processing__datetime="2020-03-21T14:00:00Z"),
    radar("r2", processing__datetime="2020-03-22T14:00:00Z"),
]


@given(st.permutations(MANY))
def test_r12_order_does_not_matter(items: list[pystac.Item]) -> None:
    kept = drop_duplicates(items)
    assert ids(kept) == ["r2", "no-orbit", NEW.id, "west", "east-again"]
    assert [k.properties.get(SUPERSEDES) for k in kept] == [k.properties.get(SUPERSEDES) for k in drop_duplicates(MANY)]
    assert ids(drop_duplicates(kept)) == ids(kept)


# ---- twins


def listed(name: str, href: str = "https://a.example/x.tif", **properties: str) -> dict[str, Any]:
    return {"id": name, "collection": "c", "properties": properties, "assets": {"red": {"href": href}}}


PAGES = [
    listed("a"),
    listed("a", "https://a.example/x.tif?sig=other"),
    listed("b", updated="2024-01-01"),
    listed("b", updated="2024-02-01"),
    listed("two-stations", "https://a.example/1.tif"),
    listed("two-stations", "https://a.example/2.tif"),
]


@given(st.permutations(PAGES))
def test_r12_twins_of_pages_vanish_and_one_id_with_other_files_stays(pages: list[dict[str, Any]]) -> None:
    found = drop_twins(pages)
    assert [f["id"] for f in found] == ["a", "b", "two-stations", "two-stations-2"]
    assert found[1]["properties"] == {"updated": "2024-02-01"}
    assert [f["assets"]["red"]["href"][-5:] for f in found[2:]] == ["1.tif", "2.tif"]  # type: ignore[index]
