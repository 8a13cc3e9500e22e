"""Planted claims in a small world: the bench says of each what is true, and the verdicts follow it where they can."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import pytest

from geocollateral import service
from geocollateral.claim_bench import AREA_FACTORS, goals, markdown
from geocollateral.config import Settings
from geocollateral.errors import MissingInput
from geocollateral.planted_cases import grounds_of, plant
from geocollateral.simulate import WorldSpec, build, find_world

SETTINGS = Settings(compute={"scheduler": "synchronous"})  # type: ignore[arg-type]  # pydantic takes mappings


def spec() -> WorldSpec:
    """Fifteen months of fields beside a village."""
    tiny = find_world("tiny")
    site = replace(tiny.sites[0], size=64, land={"wheat_maize": 0.7, "village": 0.3})
    return replace(
        tiny,
        name="fields",
        family=79,
        start=dt.date(2021, 8, 1),
        end=dt.date(2022, 10, 31),
        sites=(site,),
        optical_days=8,
        radar_days=120,
        events={},
        pledged=6,
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("world") / "fields", spec(), seed=1)


def test_every_case_has_a_verdict_and_area_follows_the_factor(world: Path) -> None:
    rows = service.claim_bench(world, settings=SETTINGS, spec=spec())
    assert set(rows["verdict"]) <= {"match", "mismatch", "cannot_tell"}
    area = rows[rows["group"] == "area"]
    assert set(area["level"]) <= {f"{factor:.2f}" for factor in AREA_FACTORS}
    assert (area.loc[area["over"] >= 0.15, "verdict"] == "mismatch").all()
    assert (area.loc[area["over"].abs() <= 0.05, "verdict"] == "match").all()
    planted = rows[rows["group"] == "planted"]
    assert len(planted)
    assert not (planted.loc[planted["over"].abs() < 1e-3, "verdict"] == "mismatch").any()
    assert {row["claim"] for row in goals(rows)} == {"area", "planted"}
    uses = rows[rows["group"] == "use"]
    assert set(uses["level"]) <= {"true", "false"}
    assert len(uses) == 6
    assert not (uses.loc[uses["level"] == "true", "verdict"] == "mismatch").any()
    assert "## planted" in markdown(rows, "fields")
    assert "| grows |" in markdown(rows, "fields")


def test_the_truth_of_a_polygon_is_the_share_of_its_own_use(world: Path) -> None:
    grounds = grounds_of(world, spec())
    cases = plant(world, grounds)
    again = plant(world, grounds)
    assert [(c.case_id, c.planted) for c in cases] == [(c.case_id, c.planted) for c in again]
    for case in cases:
        ground = grounds["50SKE"]
        own = next(p for p in ground.scenario.pledged if p.parcel_id == case.parcel_id)
        assert case.outline.contains(own.outline.buffer(-1e-6))
        assert case.outline.area == pytest.approx(own.outline.area / (1 - case.share), rel=2e-3)
        assert sum(ground.shares(case.outline).values()) == pytest.approx(1.0, abs=1e-6)
        assert 1 - case.share - 1e-3 <= case.planted <= 1 - 0.9 * case.share + 1e-3


def test_a_folder_without_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="no simulated world"):
        grounds_of(tmp_path)
